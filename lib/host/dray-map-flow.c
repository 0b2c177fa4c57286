/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-map-flow.h"

#include "dray-map-chunk.h"
#include "dray-outcome-private.h"
#include "dray-task-private.h"

#include <glib/gi18n-lib.h>

static void run_notice_cb (DrayNotice *notice);
static void drop_notice_cb (DrayNotice *notice);

/* --- Life --- */

DrayMapFlow *
dray_map_flow_new (DrayPool *pool, DrayTask *task, DrayMapSource *source)
{
  DrayMapFlow *self = g_new0 (DrayMapFlow, 1);
  gboolean closed;

  dray_fork_check ();
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
  dray_fork_guard_add (&self->guard, &self->reader_lock);

  dray_pool_lock (pool);
  self->delivery = dray_delivery_get_locked (pool);
  closed = pool->closed;
  dray_pool_unlock (pool);
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
  dray_fork_guard_remove (&self->guard);
  g_mutex_clear (&self->reader_lock);
  dray_task_unref (self->task);
  dray_delivery_unref (self->delivery);
  dray_pool_unref (self->pool);
  g_free (self);
}

/* --- News --- */

/* Not counting those of the batch that is being taken. */
static gboolean
is_over_locked (DrayMapFlow *self)
{
  return self->stopped && self->asking == NULL && self->n_given == self->n_asked;
}

/* The pool may be closed, and its delivery gone with that, while the source is being asked or the
 * last outcomes are being taken. */
void
dray_map_flow_schedule_locked (DrayMapFlow *self)
{
  if (self->notice.queued || self->abandoned)
    return;

  if (dray_delivery_add_notice_locked (self->delivery, &self->notice))
    dray_map_flow_ref (self);
  else if (dray_map_flow_has_news_locked (self))
    dray_map_flow_serve_elsewhere_locked (self);
}

/* Whoever may want to know of it. */
void
dray_map_flow_tell_locked (DrayMapFlow *self)
{
  if (self->n_waiting > 0)
    g_cond_broadcast (&self->changed);
  if (dray_map_flow_has_reader_locked (self) || dray_map_flow_has_room_locked (self))
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

gboolean
dray_map_flow_has_news_locked (DrayMapFlow *self)
{
  return self->batch_left || has_outcome_locked (self) || is_over_locked (self);
}

gboolean
dray_map_flow_is_over (DrayMapFlow *self, GError **error)
{
  gboolean over;

  dray_fork_check ();
  dray_pool_lock (self->pool);
  over = is_over_locked (self);
  if (over && self->end_error != NULL && error != NULL)
    *error = g_error_copy (self->end_error);
  dray_pool_unlock (self->pool);

  return over;
}

/* For whoever stands in the main context. */
static gboolean
has_work_locked (DrayMapFlow *self)
{
  return dray_map_flow_has_room_locked (self)
         || (dray_map_flow_has_reader_locked (self) && dray_map_flow_has_news_locked (self));
}

/* In the flow's main context. */
static void
run_notice_cb (DrayNotice *notice)
{
  g_autoptr (DrayMapFlow) self
    = (DrayMapFlow *) (gpointer) ((guint8 *) notice - G_STRUCT_OFFSET (DrayMapFlow, notice));
  DrayPool *pool = self->pool;
  gint64 deadline;
  gboolean unneeded;

  /* Queued again at once: a callback may run the main loop, which shall go on with the rest. */
  dray_pool_lock (pool);
  deadline = g_get_monotonic_time () + pool->options.slice / 2;
  dray_map_flow_schedule_locked (self);
  dray_pool_unlock (pool);

  dray_map_flow_pump (self, deadline);
  dray_map_flow_serve (self, deadline);

  /* Whatever has come meanwhile found the notice queued: so it is looked for under the lock. */
  dray_pool_lock (pool);
  unneeded = !has_work_locked (self)
             && dray_delivery_remove_notice_locked (self->delivery, &self->notice);
  dray_pool_unlock (pool);

  if (unneeded)
    dray_map_flow_unref (self);
}

/* The main context is gone. Whoever asks in another one is not. */
static void
drop_notice_cb (DrayNotice *notice)
{
  g_autoptr (DrayMapFlow) self
    = (DrayMapFlow *) (gpointer) ((guint8 *) notice - G_STRUCT_OFFSET (DrayMapFlow, notice));

  dray_pool_lock (self->pool);
  dray_map_flow_serve_elsewhere_locked (self);
  dray_pool_unlock (self->pool);
}

/* --- Starting and stopping --- */

void
dray_map_flow_start (DrayMapFlow *self)
{
  DrayPool *pool = self->pool;

  dray_fork_check ();
  dray_task_seal (self->task);

  dray_pool_lock (pool);
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
  dray_map_flow_tell_locked (self);
  dray_pool_unlock (pool);
}

gboolean
dray_map_flow_is_started (DrayMapFlow *self)
{
  gboolean started;

  dray_pool_lock (self->pool);
  started = self->started;
  dray_pool_unlock (self->pool);

  return started;
}

/* Takes @error, which is NULL if the source is exhausted. The source itself is let go of by whoever
 * comes next without the lock. */
void
dray_map_flow_stop_locked (DrayMapFlow *self, GError *error)
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
  dray_map_flow_stop_locked (self, dray_pool_end_error (self->pool));
}

void
dray_map_flow_drop_source (DrayMapFlow *self)
{
  DrayMapSource *source = NULL;

  dray_pool_lock (self->pool);
  if (self->stopped)
    source = g_steal_pointer (&self->source);
  dray_pool_unlock (self->pool);

  g_clear_pointer (&source, dray_map_source_free);
}

static void
cancel_tickets (DrayMapFlow *self)
{
  g_autoptr (GPtrArray) tickets = g_ptr_array_new_with_free_func (
    (GDestroyNotify) dray_ticket_unref);

  dray_pool_lock (self->pool);
  for (GList *link = self->chunks.head; link != NULL; link = link->next)
    {
      DrayMapChunk *chunk = link->data;

      if (chunk->ticket != NULL)
        g_ptr_array_add (tickets, dray_ticket_ref (chunk->ticket));
    }
  dray_pool_unlock (self->pool);

  dray_ticket_cancel_all (tickets);
}

void
dray_map_flow_give_up (DrayMapFlow *self)
{
  dray_fork_check ();
  dray_pool_lock (self->pool);
  self->started = TRUE;
  dray_map_flow_stop_locked (
    self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled")));
  self->cancelled = TRUE;
  dray_pool_unlock (self->pool);

  /* What is the application's is let go of where it is used, if it can be. */
  if (!self->foreign || self->owner == g_thread_self ())
    dray_map_flow_drop_source (self);
}

void
dray_map_flow_cancel (DrayMapFlow *self)
{
  dray_map_flow_give_up (self);
  cancel_tickets (self);
}

void
dray_map_flow_abandon (DrayMapFlow *self)
{
  DrayPool *pool = self->pool;
  GQueue chunks = G_QUEUE_INIT, ready = G_QUEUE_INIT;
  GList *link;
  gboolean was_queued, was_closed;

  dray_fork_check ();
  dray_map_flow_cancel (self);
  dray_map_flow_drop_source (self);

  dray_pool_lock (pool);
  self->abandoned = TRUE;
  was_queued = dray_delivery_remove_notice_locked (self->delivery, &self->notice);
  was_closed = pool->closed;
  chunks = self->chunks;
  ready = self->ready;
  g_queue_init (&self->chunks);
  g_queue_init (&self->ready);
  for (link = chunks.head; link != NULL; link = link->next)
    ((DrayMapChunk *) link->data)->in_flow = FALSE;
  dray_pool_unlock (pool);

  free_batches (&ready);
  while ((link = g_queue_pop_head_link (&chunks)) != NULL)
    dray_map_chunk_unref (link->data);
  if (was_queued && was_closed)
    dray_delivery_look_for_end (self->delivery);
  if (was_queued)
    dray_map_flow_unref (self);
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
  dray_map_flow_tell_locked (self);
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
  dray_map_flow_tell_locked (self);
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
take_batch (DrayMapFlow *self, GQueue *removed)
{
  DrayMapBatch *batch;

  dray_pool_lock (self->pool);
  batch = pop_batch_locked (self, removed);
  self->batch_left = batch != NULL;
  dray_pool_unlock (self->pool);

  return batch;
}

/* Its last outcome was taken. */
static void
leave_batch (DrayMapFlow *self, DrayMapBatch *batch)
{
  dray_pool_lock (self->pool);
  self->batch_left = FALSE;
  self->n_given += batch->n_calls;
  self->n_bytes -= batch->size;
  dray_map_flow_tell_locked (self);
  dray_pool_unlock (self->pool);

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
  GQueue removed = G_QUEUE_INIT;
  DrayOutcome *outcome = NULL;
  DrayMapBatch *batch;
  GList *link;

  dray_fork_check ();
  g_mutex_lock (&self->reader_lock);
  if (self->batch == NULL)
    self->batch = take_batch (self, &removed);

  batch = self->batch;
  if (batch != NULL)
    outcome = read_outcome (batch);
  if (batch != NULL && batch->n_left == 0)
    {
      self->batch = NULL;
      leave_batch (self, batch);
    }
  g_mutex_unlock (&self->reader_lock);

  /* With arguments of the application's, perhaps. */
  while ((link = g_queue_pop_head_link (&removed)) != NULL)
    dray_map_chunk_unref (link->data);
  return outcome;
}
