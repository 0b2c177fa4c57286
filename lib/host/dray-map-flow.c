/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-map-flow.h"

#include "dray-map-chunk.h"
#include "dray-outcome-private.h"
#include "dray-task-private.h"

#include <glib/gi18n-lib.h>

/* A chunk: how long it should take and the source may be asked for it (µs), how many calls and
 * bytes it may have, and how much larger it may be than the one before. */
#define CHUNK_TIME 1000.0
#define MAX_CHUNK_SIZE 1024
#define MAX_CHUNK_BYTES ((gsize) 32 * 1024)
#define MAX_GROWTH 4

/* Arguments and outcomes from this size on are not packed. */
#define LARGE_VALUE ((gsize) 16 * 1024)

/* Unfinished chunks for each worker: those that it has, and some that wait for it. */
#define CHUNKS_PER_WORKER 4

/* What may be in flight, unless told otherwise: as many calls as that number of full sets of
 * unfinished chunks, within limits, and so many bytes. */
#define SETS_IN_FLIGHT 2
#define MIN_IN_FLIGHT 64
#define MAX_BYTES_IN_FLIGHT ((gsize) 16 * 1024 * 1024)

static void run_notice_cb (DrayNotice *notice);
static void drop_notice_cb (DrayNotice *notice);

/* --- Life --- */

DrayMapFlow *
dray_map_flow_new (DrayPool *pool, DrayTask *task, DrayMapSource *source)
{
  DrayMapFlow *self = g_new0 (DrayMapFlow, 1);
  gboolean closed;

  g_atomic_ref_count_init (&self->ref_count);
  self->pool = dray_pool_ref (pool);
  self->task = dray_task_ref (task);
  self->owner = g_thread_self ();
  self->source = source;
  self->foreign = dray_map_source_is_foreign (source);
  self->ordered = TRUE;
  self->notice.run = run_notice_cb;
  self->notice.drop = drop_notice_cb;
  self->chunk_size = 1;
  self->pool_link.data = self;
  g_queue_init (&self->chunks);
  g_queue_init (&self->ready);
  g_queue_init (&self->readers);
  g_cond_init (&self->changed);
  g_mutex_init (&self->reader_lock);

  g_mutex_lock (&pool->lock);
  self->delivery = dray_delivery_get_locked (pool);
  closed = pool->closed;
  g_mutex_unlock (&pool->lock);
  if (closed)
    dray_delivery_close (self->delivery);

  return self;
}

DrayMapFlow *
dray_map_flow_ref (DrayMapFlow *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
free_batches (GQueue *batches)
{
  GList *link;

  while ((link = g_queue_pop_head_link (batches)) != NULL)
    dray_map_batch_free (link->data);
}

/* Chunks that are in the queue hold the flow: there are none left. */
void
dray_map_flow_unref (DrayMapFlow *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (g_queue_is_empty (&self->chunks) && g_queue_is_empty (&self->readers));
  g_assert (!self->in_pool);
  free_batches (&self->ready);
  g_clear_pointer ((DrayMapBatch **) &self->batch, dray_map_batch_free);
  g_clear_pointer (&self->source, dray_map_source_free);
  g_clear_error (&self->end_error);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->reader_lock);
  dray_task_unref (self->task);
  dray_delivery_unref (self->delivery);
  dray_pool_unref (self->pool);
  g_free (self);
}

/* --- News --- */

void
dray_map_flow_schedule_locked (DrayMapFlow *self)
{
  if (!self->notice.queued && !self->abandoned
      && dray_delivery_add_notice_locked (self->delivery, &self->notice))
    dray_map_flow_ref (self);
}

/* Whoever may want to know of it. */
static void
tell_locked (DrayMapFlow *self)
{
  if (self->n_waiting > 0)
    g_cond_broadcast (&self->changed);
  if (!g_queue_is_empty (&self->readers) || dray_map_flow_has_room_locked (self))
    dray_map_flow_schedule_locked (self);
}

static gboolean
has_outcome_locked (DrayMapFlow *self)
{
  if (!self->ordered)
    return !g_queue_is_empty (&self->ready);

  for (GList *link = self->chunks.head; link != NULL; link = link->next)
    {
      DrayMapChunk *chunk = link->data;

      if (!g_queue_is_empty (&chunk->batches))
        return TRUE;
      if (!chunk->ended)
        return FALSE;
    }

  return FALSE;
}

/* Not counting those of the batch that is being taken. */
static gboolean
is_over_locked (DrayMapFlow *self)
{
  return self->stopped && self->asking == NULL && self->n_given == self->n_asked;
}

gboolean
dray_map_flow_has_news_locked (DrayMapFlow *self)
{
  return self->batch_left || has_outcome_locked (self) || is_over_locked (self);
}

gboolean
dray_map_flow_is_over (DrayMapFlow *self, GError **error)
{
  gboolean over;

  g_mutex_lock (&self->pool->lock);
  over = is_over_locked (self);
  if (over && self->end_error != NULL && error != NULL)
    *error = g_error_copy (self->end_error);
  g_mutex_unlock (&self->pool->lock);

  return over;
}

/* In the flow's main context. */
static void
run_notice_cb (DrayNotice *notice)
{
  g_autoptr (DrayMapFlow) self
    = (DrayMapFlow *) (gpointer) ((guint8 *) notice - G_STRUCT_OFFSET (DrayMapFlow, notice));
  DrayPool *pool = self->pool;
  gint64 deadline;
  gboolean more, unneeded;

  /* Queued again at once: a callback may run the main loop, which shall go on with the rest. */
  g_mutex_lock (&pool->lock);
  deadline = g_get_monotonic_time () + pool->options.slice / 2;
  dray_map_flow_schedule_locked (self);
  g_mutex_unlock (&pool->lock);

  dray_map_flow_pump (self, deadline);
  more = dray_map_flow_serve (self, deadline);

  g_mutex_lock (&pool->lock);
  unneeded = !more && !dray_map_flow_has_room_locked (self)
             && dray_delivery_remove_notice_locked (self->delivery, &self->notice);
  g_mutex_unlock (&pool->lock);

  if (unneeded)
    dray_map_flow_unref (self);
}

/* The main context is gone. */
static void
drop_notice_cb (DrayNotice *notice)
{
  dray_map_flow_unref (
    (DrayMapFlow *) (gpointer) ((guint8 *) notice - G_STRUCT_OFFSET (DrayMapFlow, notice)));
}

/* --- Starting and stopping --- */

void
dray_map_flow_start (DrayMapFlow *self)
{
  DrayPool *pool = self->pool;

  dray_task_seal (self->task);

  g_mutex_lock (&pool->lock);
  if (!self->started)
    {
      self->started = TRUE;
      if (pool->shutting_down)
        dray_map_flow_shut_down_locked (self);
    }
  if (self->started && !self->stopped && !self->in_pool)
    {
      self->in_pool = TRUE;
      g_queue_push_tail_link (&pool->maps, &self->pool_link);
    }
  tell_locked (self);
  g_mutex_unlock (&pool->lock);
}

gboolean
dray_map_flow_is_started (DrayMapFlow *self)
{
  gboolean started;

  g_mutex_lock (&self->pool->lock);
  started = self->started;
  g_mutex_unlock (&self->pool->lock);

  return started;
}

/* Takes @error, which is NULL if the source is exhausted. The source itself is let go of by whoever
 * comes next without the lock. */
static void
stop_locked (DrayMapFlow *self, GError *error)
{
  if (self->stopped)
    {
      g_clear_error (&error);
      return;
    }

  self->stopped = TRUE;
  g_atomic_int_set (&self->stop_asking, TRUE);
  self->end_error = error;
  if (self->in_pool)
    g_queue_unlink (&self->pool->maps, &self->pool_link);
  self->in_pool = FALSE;
  if (self->n_waiting > 0)
    g_cond_broadcast (&self->changed);
  dray_map_flow_schedule_locked (self);
}

void
dray_map_flow_shut_down_locked (DrayMapFlow *self)
{
  stop_locked (self, dray_pool_shut_down_error ());
}

static void
drop_source (DrayMapFlow *self)
{
  DrayMapSource *source = NULL;

  g_mutex_lock (&self->pool->lock);
  if (self->stopped)
    source = g_steal_pointer (&self->source);
  g_mutex_unlock (&self->pool->lock);

  g_clear_pointer (&source, dray_map_source_free);
}

/* The last one first: else what is pending would start where what runs has ended. */
static void
cancel_tickets (DrayMapFlow *self)
{
  g_autoptr (GPtrArray) tickets = g_ptr_array_new_with_free_func (
    (GDestroyNotify) dray_ticket_unref);

  g_mutex_lock (&self->pool->lock);
  for (GList *link = self->chunks.tail; link != NULL; link = link->prev)
    {
      DrayMapChunk *chunk = link->data;

      if (chunk->ticket != NULL)
        g_ptr_array_add (tickets, dray_ticket_ref (chunk->ticket));
    }
  g_mutex_unlock (&self->pool->lock);

  for (guint i = 0; i < tickets->len; i++)
    dray_ticket_cancel (tickets->pdata[i]);
}

void
dray_map_flow_cancel (DrayMapFlow *self)
{
  g_mutex_lock (&self->pool->lock);
  self->started = TRUE;
  stop_locked (
    self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled")));
  g_mutex_unlock (&self->pool->lock);

  drop_source (self);
  cancel_tickets (self);
}

void
dray_map_flow_abandon (DrayMapFlow *self)
{
  DrayPool *pool = self->pool;
  GQueue chunks = G_QUEUE_INIT, ready = G_QUEUE_INIT;
  GList *link;
  gboolean was_queued;

  dray_map_flow_cancel (self);

  g_mutex_lock (&pool->lock);
  self->abandoned = TRUE;
  was_queued = dray_delivery_remove_notice_locked (self->delivery, &self->notice);
  chunks = self->chunks;
  ready = self->ready;
  g_queue_init (&self->chunks);
  g_queue_init (&self->ready);
  for (link = chunks.head; link != NULL; link = link->next)
    ((DrayMapChunk *) link->data)->in_flow = FALSE;
  g_mutex_unlock (&pool->lock);

  free_batches (&ready);
  while ((link = g_queue_pop_head_link (&chunks)) != NULL)
    dray_map_chunk_unref (link->data);
  if (was_queued)
    dray_map_flow_unref (self);
}

/* --- Asking --- */

static guint
get_max_unfinished_locked (DrayMapFlow *self)
{
  return CHUNKS_PER_WORKER * self->pool->options.max_workers;
}

static guint64
get_max_in_flight_locked (DrayMapFlow *self)
{
  guint64 calls = (guint64) SETS_IN_FLIGHT * get_max_unfinished_locked (self) * self->chunk_size;

  return self->max_in_flight > 0 ? self->max_in_flight : MAX (calls, MIN_IN_FLIGHT);
}

gboolean
dray_map_flow_has_room_locked (DrayMapFlow *self)
{
  return self->started && !self->stopped && self->asking == NULL && self->source != NULL
         && self->n_unfinished < get_max_unfinished_locked (self)
         && self->n_asked - self->n_given < get_max_in_flight_locked (self)
         && self->n_bytes < MAX_BYTES_IN_FLIGHT;
}

/* Each call by itself: where a limit counts from its start, or its end may end the worker. */
static gboolean
is_single_locked (DrayMapFlow *self)
{
  return dray_task_get_time_limit (self->task) > 0 || self->pool->options.max_tasks_per_worker > 0
         || self->outcome_size >= LARGE_VALUE;
}

/* How many calls the next chunk may have. With a bound of few, they go to all workers. */
static guint
get_chunk_size_locked (DrayMapFlow *self)
{
  guint64 room = get_max_in_flight_locked (self) - (self->n_asked - self->n_given);
  guint64 share = get_max_in_flight_locked (self) / (2 * self->pool->options.max_workers);

  return (guint) CLAMP ((guint64) self->chunk_size, 1, MAX (1, MIN (room, share)));
}

typedef struct
{
  guint n_calls; /* at most */
  gsize large;   /* values from this size on go by themselves; 0: all */
  gboolean ended;
} Asking;

/* (transfer full) (nullable): the next calls. Without the lock. */
static DrayMapChunk *
fill_chunk (DrayMapFlow *self, DrayMapSource *source, Asking *asking)
{
  g_autoptr (DrayMapChunk) chunk = dray_map_chunk_new (self);
  gint64 end = g_get_monotonic_time () + (gint64) CHUNK_TIME;

  while (chunk->n_calls < asking->n_calls && chunk->size < MAX_CHUNK_BYTES
         && !g_atomic_int_get (&self->stop_asking))
    {
      g_autoptr (GVariant) value = dray_map_source_next (source);

      if (value == NULL)
        {
          asking->ended = TRUE;
          break;
        }

      if (!dray_map_chunk_add (chunk, value, g_variant_get_size (value) >= asking->large))
        {
          dray_map_source_put_back (source, g_steal_pointer (&value));
          break;
        }

      if (g_get_monotonic_time () >= end)
        break;
    }

  return chunk->n_calls > 0 ? g_steal_pointer (&chunk) : NULL;
}

/* Behind @after, or (NULL) last. Takes @chunk. Returns: (transfer full): its ticket. */
static DrayTicket *
add_chunk_locked (DrayMapFlow *self, DrayMapChunk *chunk, DrayMapChunk *after)
{
  DrayTicket *ticket = dray_ticket_new (self->pool, self->task);

  ticket->chunk = chunk;
  chunk->ticket = ticket;
  self->n_unfinished++;
  if (self->abandoned)
    return ticket;

  dray_map_chunk_ref (chunk);
  chunk->in_flow = TRUE;
  if (after != NULL)
    g_queue_insert_after_link (&self->chunks, &after->link, &chunk->link);
  else
    g_queue_push_tail_link (&self->chunks, &chunk->link);
  return ticket;
}

/* Takes @chunk. Returns: (transfer full): its ticket */
static DrayTicket *
submit_locked (DrayMapFlow *self, DrayMapChunk *chunk)
{
  DrayTicket *ticket = add_chunk_locked (self, chunk, NULL);

  chunk->first_index = self->n_asked;
  self->n_asked += chunk->n_calls;
  self->n_bytes += chunk->size;
  dray_pool_submit_chunk_locked (self->pool, ticket, chunk->n_calls, self->end_error);
  return ticket;
}

DrayTicket *
dray_map_flow_add_part_locked (DrayMapFlow *self,
                               DrayMapChunk *part,
                               DrayMapChunk *after,
                               guint64 id)
{
  DrayTicket *ticket = add_chunk_locked (self, part, after->in_flow ? after : NULL);

  self->n_bytes += part->size;
  dray_pool_add_chunk_locked (self->pool, ticket, id);
  return ticket;
}

/* With the lock held, but for the asking itself. */
static void
ask_locked (DrayMapFlow *self)
{
  DrayPool *pool = self->pool;
  DrayMapSource *source = g_steal_pointer (&self->source);
  g_autoptr (DrayTicket) ticket = NULL;
  DrayMapChunk *chunk;
  Asking asking = {
    .n_calls = get_chunk_size_locked (self),
    .large = is_single_locked (self) ? 0 : MIN (LARGE_VALUE, pool->options.max_message_size / 2),
  };

  self->asking = g_thread_self ();
  g_mutex_unlock (&pool->lock);
  chunk = fill_chunk (self, source, &asking);
  g_mutex_lock (&pool->lock);
  self->asking = NULL;

  if (asking.ended)
    stop_locked (self, NULL);
  if (!self->stopped)
    self->source = g_steal_pointer (&source);
  if (chunk != NULL)
    ticket = submit_locked (self, chunk);
  else
    tell_locked (self);

  g_mutex_unlock (&pool->lock);
  g_clear_pointer (&source, dray_map_source_free);
  g_clear_pointer (&ticket, dray_ticket_unref);
  g_mutex_lock (&pool->lock);
}

void
dray_map_flow_pump (DrayMapFlow *self, gint64 deadline)
{
  drop_source (self);

  g_mutex_lock (&self->pool->lock);
  while (dray_map_flow_has_room_locked (self))
    {
      ask_locked (self);
      if (g_get_monotonic_time () >= deadline)
        break;
    }
  g_mutex_unlock (&self->pool->lock);
}

void
dray_map_flow_note_time_locked (
  DrayMapFlow *self, guint n_calls, guint64 busy, gsize size, gboolean slow)
{
  double time = n_calls > 0 ? MIN ((double) busy / 1000 / n_calls, CHUNK_TIME) : 0;
  double ideal;

  /* One that takes long speaks for those behind it, which are therefore given back. */
  if (slow)
    time = CHUNK_TIME;
  if (time <= 0)
    time = 0.1; /* less than the clock can tell */
  self->call_time = self->call_time > 0 ? self->call_time + (time - self->call_time) / 4 : time;
  if (n_calls > 0)
    self->outcome_size += ((double) size / n_calls - self->outcome_size) / 4;

  ideal = CLAMP (CHUNK_TIME / self->call_time, 1, MAX_CHUNK_SIZE);
  ideal = MIN (ideal, MAX (1, (double) MAX_CHUNK_BYTES / MAX (self->outcome_size, 1)));
  self->chunk_size = (guint) MIN (ideal, (double) self->chunk_size * MAX_GROWTH);
}

/* --- Outcomes --- */

void
dray_map_flow_add_batch_locked (DrayMapFlow *self, DrayMapChunk *chunk, gpointer batch)
{
  DrayMapBatch *added = batch;

  self->n_bytes += added->size;
  if (self->ordered || self->abandoned)
    g_queue_push_tail_link (&chunk->batches, &added->link);
  else
    g_queue_push_tail_link (&self->ready, &added->link);
  tell_locked (self);
}

/* Outside of the queue, its ticket is all that holds it. */
static void
remove_chunk_locked (DrayMapFlow *self, DrayMapChunk *chunk, GQueue *removed)
{
  chunk->in_flow = FALSE;
  g_queue_unlink (&self->chunks, &chunk->link);
  g_queue_push_tail_link (removed, &chunk->link);
}

void
dray_map_flow_chunk_ended_locked (DrayMapFlow *self, DrayMapChunk *chunk)
{
  GQueue removed = G_QUEUE_INIT;

  self->n_unfinished--;
  self->n_bytes -= chunk->size;
  /* Where order counts, whoever takes the outcomes does this. Its ticket holds it for now. */
  if (!self->ordered && chunk->in_flow)
    {
      remove_chunk_locked (self, chunk, &removed);
      g_queue_pop_head_link (&removed);
      dray_map_chunk_unref (chunk);
    }
  tell_locked (self);
}

static DrayMapBatch *
pop_batch_locked (DrayMapFlow *self, GQueue *removed)
{
  GQueue *batches = &self->ready;
  GList *link;

  while (self->ordered)
    {
      DrayMapChunk *first = g_queue_peek_head (&self->chunks);

      if (first == NULL)
        return NULL;

      batches = &first->batches;
      if (!g_queue_is_empty (batches) || !first->ended)
        break;
      remove_chunk_locked (self, first, removed);
    }

  link = g_queue_pop_head_link (batches);
  return link != NULL ? link->data : NULL;
}

/* The next batch, with reader_lock held. */
static DrayMapBatch *
take_batch (DrayMapFlow *self)
{
  GQueue removed = G_QUEUE_INIT;
  DrayMapBatch *batch;
  GList *link;

  g_mutex_lock (&self->pool->lock);
  batch = pop_batch_locked (self, &removed);
  self->batch_left = batch != NULL;
  g_mutex_unlock (&self->pool->lock);

  while ((link = g_queue_pop_head_link (&removed)) != NULL)
    dray_map_chunk_unref (link->data);
  return batch;
}

/* Its last outcome was taken. */
static void
leave_batch (DrayMapFlow *self, DrayMapBatch *batch)
{
  g_mutex_lock (&self->pool->lock);
  self->batch_left = FALSE;
  self->n_given += batch->n_calls;
  self->n_bytes -= batch->size;
  tell_locked (self);
  g_mutex_unlock (&self->pool->lock);

  dray_map_batch_free (batch);
}

static DrayOutcome *
read_outcome (DrayMapBatch *batch)
{
  guint64 index = batch->index++;
  GError *error = NULL;
  GVariant *value;

  batch->n_left--;
  if (batch->value != NULL)
    return dray_outcome_new (index, g_variant_ref (batch->value), NULL);
  if (batch->error != NULL)
    return dray_outcome_new (index, NULL, g_error_copy (batch->error));

  value = dray_outcomes_next (&batch->reader, &error);
  return dray_outcome_new (index, value, error);
}

DrayOutcome *
dray_map_flow_take (DrayMapFlow *self)
{
  DrayOutcome *outcome = NULL;
  DrayMapBatch *batch;

  g_mutex_lock (&self->reader_lock);
  if (self->batch == NULL)
    self->batch = take_batch (self);

  batch = self->batch;
  if (batch != NULL)
    outcome = read_outcome (batch);
  if (batch != NULL && batch->n_left == 0)
    {
      self->batch = NULL;
      leave_batch (self, batch);
    }
  g_mutex_unlock (&self->reader_lock);

  return outcome;
}
