/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-map-flow.h"

#include "dray-map-chunk.h"

/* Asking the source of a map: when there is room, for how many calls at a time, and how they get
 * into the pool. */

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

/* Each call by itself: where a limit counts from its start, its end may end the worker, or more
 * goes with it than a frame can take. */
static gboolean
is_single_locked (DrayMapFlow *self)
{
  return dray_task_get_time_limit (self->task) > 0 || self->pool->options.max_tasks_per_worker > 0
         || self->outcome_size >= LARGE_VALUE || dray_task_get_attachments (self->task) != NULL;
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
  g_autoptr (GObject) owner G_GNUC_UNUSED = dray_map_source_hold_owner (source);
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
  if (chunk->arguments != NULL)
    ticket->arguments = g_variant_ref (chunk->arguments);
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
  ticket->cancel_requested = self->cancelled; /* then it is not queued any more */
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
  dray_pool_unlock (pool);
  chunk = fill_chunk (self, source, &asking);
  dray_pool_lock (pool);
  self->asking = NULL;
  if (pool->closed)
    dray_map_flow_serve_late_locked (self);

  if (asking.ended)
    dray_map_flow_stop_locked (self, NULL);
  if (!self->stopped)
    self->source = g_steal_pointer (&source);
  if (chunk != NULL)
    ticket = submit_locked (self, chunk);
  else
    dray_map_flow_tell_locked (self);

  dray_pool_unlock (pool);
  g_clear_pointer (&source, dray_map_source_free);
  g_clear_pointer (&ticket, dray_ticket_unref);
  dray_pool_lock (pool);
}

void
dray_map_flow_pump (DrayMapFlow *self, gint64 deadline)
{
  dray_map_flow_drop_source (self);

  dray_pool_lock (self->pool);
  while (dray_map_flow_has_room_locked (self))
    {
      ask_locked (self);
      if (g_get_monotonic_time () >= deadline)
        break;
    }
  dray_pool_unlock (self->pool);
}

void
dray_map_flow_note_size_locked (DrayMapFlow *self, double size)
{
  self->outcome_size += (size - self->outcome_size) / 4;
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
    dray_map_flow_note_size_locked (self, (double) size / n_calls);

  ideal = CLAMP (CHUNK_TIME / self->call_time, 1, MAX_CHUNK_SIZE);
  ideal = MIN (ideal, MAX (1, (double) MAX_CHUNK_BYTES / MAX (self->outcome_size, 1)));
  self->chunk_size = (guint) MIN (ideal, (double) self->chunk_size * MAX_GROWTH);
}
