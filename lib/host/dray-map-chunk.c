/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-map-chunk.h"

#include "dray-pool.h"

#include <string.h>

DrayMapChunk *
dray_map_chunk_new (DrayMapFlow *flow)
{
  DrayMapChunk *self = g_new0 (DrayMapChunk, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->flow = dray_map_flow_ref (flow);
  self->records.grows = TRUE;
  self->link.data = self;
  g_queue_init (&self->batches);

  return self;
}

DrayMapChunk *
dray_map_chunk_ref (DrayMapChunk *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
dray_map_batch_free (DrayMapBatch *batch)
{
  g_clear_pointer (&batch->payload, g_bytes_unref);
  g_clear_pointer (&batch->value, g_variant_unref);
  g_clear_error (&batch->error);
  g_free (batch);
}

void
dray_map_chunk_unref (DrayMapChunk *self)
{
  GList *link;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  while ((link = g_queue_pop_head_link (&self->batches)) != NULL)
    dray_map_batch_free (link->data);
  dray_records_clear (&self->records);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_free (self->type);
  dray_map_flow_unref (self->flow);
  g_free (self);
}

/* --- Filling and sending --- */

gboolean
dray_map_chunk_add (DrayMapChunk *self, GVariant *arguments, gboolean single)
{
  const char *type = g_variant_get_type_string (arguments);

  if (self->arguments != NULL || (self->n_calls > 0 && single))
    return FALSE;
  if (self->n_calls > 0 && strcmp (type, self->type) != 0)
    return FALSE;

  if (!single && dray_chunk_append (&self->records, arguments, NULL))
    {
      if (self->type == NULL)
        self->type = g_strdup (type);
      self->size = self->records.used;
    }
  else if (self->n_calls == 0)
    {
      /* Also what can't be sent at all: it is refused like any other call. */
      self->arguments = g_variant_ref (arguments);
      self->size = g_variant_get_size (arguments);
    }
  else
    {
      return FALSE;
    }

  self->n_calls++;
  return TRUE;
}

void
dray_map_chunk_init_message (DrayMapChunk *self, DrayMessage *message, DrayTicket *ticket)
{
  const DrayFrameHeader header = { .task_id = ticket->id, .attempt = ticket->attempt };

  dray_chunk_init_message (message, &header, dray_task_get_function (ticket->task), self->type,
                           self->records.data, self->records.used, self->n_calls);
}

/* --- Splitting --- */

/* The calls from @begin to @end, as a chunk that waits behind @after (of the same flow). */
static DrayTicket *
split_off_locked (DrayMapChunk *self, DrayMapChunk *after, guint begin, guint end)
{
  DrayMapChunk *part = dray_map_chunk_new (self->flow);
  gsize from = dray_records_find (&self->records, begin);
  gsize to = dray_records_find (&self->records, end);
  DrayTicket *ticket;

  part->type = g_strdup (self->type);
  part->records.data = g_memdup2 (self->records.data + from, to - from);
  part->records.used = part->records.space = to - from;
  part->records.n_records = part->n_calls = end - begin;
  part->first_index = self->first_index + begin;
  part->size = to - from;

  ticket = dray_map_flow_add_part_locked (self->flow, part, after, self->ticket->id + begin);
  ticket->attempt = self->ticket->attempt - 1; /* it was none */
  return ticket;
}

/* Those from @begin on, in a few parts of the same size; the first @n_first, if any, are one of
 * their own. */
static void
split_rest_locked (DrayMapChunk *self, guint begin, guint n_first, GPtrArray *rest)
{
  guint n_parts = 2 * self->flow->pool->options.max_workers;
  guint size = (self->n_calls - begin - n_first + n_parts - 1) / n_parts;
  DrayMapChunk *after = self;

  for (guint i = begin; i < self->n_calls;)
    {
      guint end = i == begin && n_first > 0 ? i + n_first : MIN (i + size, self->n_calls);
      DrayTicket *ticket = split_off_locked (self, after, i, end);

      after = ticket->chunk;
      g_ptr_array_add (rest, ticket);
      i = end;
    }

  self->n_calls = begin;
}

/* --- Outcomes --- */

static void
count_locked (DrayMapChunk *self, guint n_succeeded, guint n_failed, guint n_cancelled)
{
  DrayCounters *counters = &self->flow->pool->counters;

  counters->succeeded += n_succeeded;
  counters->failed += n_failed;
  counters->cancelled += n_cancelled;
}

/* Takes @batch, the outcomes of the next calls. How many were heard is not changed here: only what
 * the worker says changes that, and the I/O thread, which hears it, looks at it without the
 * lock. */
static void
add_batch_locked (DrayMapChunk *self, DrayMapBatch *batch, guint n_calls)
{
  batch->link.data = batch;
  batch->index = self->first_index + self->n_heard;
  batch->n_calls = batch->n_left = n_calls;
  dray_map_flow_add_batch_locked (self->flow, self, batch);
}

static void
add_payload_locked (DrayMapChunk *self, GBytes *payload, const DrayOutcomesReader *reader, guint n)
{
  DrayMapBatch *batch = g_new0 (DrayMapBatch, 1);

  batch->payload = g_bytes_ref (payload);
  batch->reader = *reader;
  batch->size = g_bytes_get_size (payload);
  count_locked (self, n - reader->n_errors, reader->n_errors, 0);
  add_batch_locked (self, batch, n);
  self->n_heard += n;
}

/* Something has to be done: a worker that only gave back would be given it again, for ever. */
static gboolean
is_idle_locked (DrayMapChunk *self, const DrayOutcomesReader *outcomes)
{
  return self->n_heard == 0 && outcomes->n_returned == self->n_calls && !self->ended
         && !self->ticket->cancel_requested;
}

static gboolean
fits_locked (DrayMapChunk *self, const DrayOutcomesReader *outcomes)
{
  guint n_left = self->n_calls - self->n_heard - self->n_unwanted;

  return self->arguments == NULL && outcomes->n_outcomes <= n_left
         && outcomes->n_returned <= n_left - outcomes->n_outcomes
         && outcomes->n_outcomes + outcomes->n_returned > 0 && !is_idle_locked (self, outcomes);
}

static DrayMapChunkState
hear_locked (DrayMapChunk *self, GBytes *payload, DrayOutcomesReader *outcomes, GPtrArray *rest)
{
  guint n_returned = outcomes->n_returned;

  if (!fits_locked (self, outcomes))
    return DRAY_MAP_CHUNK_BROKEN;

  dray_map_flow_note_time_locked (self->flow, outcomes->n_outcomes, outcomes->busy,
                                  g_bytes_get_size (payload), n_returned > 0);
  if (self->ended)
    self->n_heard += outcomes->n_outcomes;
  else if (outcomes->n_outcomes > 0)
    add_payload_locked (self, payload, outcomes, outcomes->n_outcomes);

  if (n_returned > 0 && (self->ended || self->ticket->cancel_requested))
    self->n_unwanted += n_returned;
  else if (n_returned > 0)
    split_rest_locked (self, self->n_calls - n_returned, 0, rest);

  if (self->n_heard + self->n_unwanted < self->n_calls)
    return DRAY_MAP_CHUNK_GOES_ON;
  return self->n_unwanted > 0 ? DRAY_MAP_CHUNK_CANCELLED : DRAY_MAP_CHUNK_OVER;
}

DrayMapChunkState
dray_map_chunk_hear (DrayMapChunk *self,
                     GBytes *payload,
                     DrayOutcomesReader *outcomes,
                     GPtrArray *rest)
{
  DrayPool *pool = self->flow->pool;
  DrayMapChunkState state;

  dray_pool_lock (pool);
  state = hear_locked (self, payload, outcomes, rest);
  dray_pool_unlock (pool);

  return state;
}

/* What lies in the ledger was done, and is not to be done again. Returns how many calls were. */
static guint
recover_locked (DrayMapChunk *self, GBytes *payload, guint first)
{
  DrayOutcomesReader reader = { 0 };
  guint n_known;

  if ((payload != NULL && !dray_outcomes_decode (payload, &reader, NULL)) || first > self->n_calls
      || reader.n_outcomes > self->n_calls - first || first + reader.n_outcomes <= self->n_heard)
    return self->n_heard;

  /* What it had sent before was not heard, and is lost; so these are nothing to go on with. */
  if (first > self->n_heard)
    return first + reader.n_outcomes;

  n_known = self->n_heard - first;
  for (guint i = 0; i < n_known; i++)
    reader.n_errors -= dray_outcomes_skip (&reader) ? 1 : 0;
  add_payload_locked (self, payload, &reader, reader.n_outcomes - n_known);
  return self->n_heard;
}

/* Of the calls that have no outcome, those before @n_begun were begun: as a rule the one that ran.
 * Those behind were not. */
static gboolean
lose_locked (DrayMapChunk *self, guint n_begun, guint max_retries, GPtrArray *rest)
{
  guint attempt = self->ticket->attempt;
  guint n_lost = n_begun - self->n_heard;

  if (self->ticket->cancel_requested)
    return TRUE;

  if (attempt > max_retries)
    {
      split_rest_locked (self, n_begun, 0, rest);
      return TRUE;
    }

  split_rest_locked (self, self->n_heard, n_lost, rest);
  ((DrayTicket *) rest->pdata[0])->attempt = attempt;
  self->flow->pool->counters.retried += n_lost;
  return FALSE;
}

gboolean
dray_map_chunk_lose (DrayMapChunk *self,
                     GBytes *payload,
                     guint first,
                     gboolean ended,
                     guint max_retries,
                     GPtrArray *rest)
{
  DrayPool *pool = self->flow->pool;
  gboolean failed = FALSE;
  guint n_done;

  dray_pool_lock (pool);
  if (!self->ended)
    {
      n_done = recover_locked (self, payload, first);
      if (self->n_heard < self->n_calls)
        failed = lose_locked (self, ended ? self->n_calls : MIN (n_done + 1, self->n_calls),
                              max_retries, rest);
    }
  dray_pool_unlock (pool);

  return failed;
}

void
dray_map_chunk_end_locked (DrayMapChunk *self, GVariant *result, GError *error)
{
  guint n_left = self->n_calls - self->n_heard;
  gboolean cancelled = self->ticket->state == DRAY_FUTURE_CANCELLED;

  if (n_left > 0)
    {
      DrayMapBatch *batch = g_new0 (DrayMapBatch, 1);

      batch->value = g_steal_pointer (&result);
      batch->error = g_steal_pointer (&error);
      batch->size = batch->value != NULL ? g_variant_get_size (batch->value) : 0;
      count_locked (self, batch->value != NULL ? n_left : 0,
                    batch->value == NULL && !cancelled ? n_left : 0, cancelled ? n_left : 0);
      if (self->arguments != NULL)
        dray_map_flow_note_size_locked (self->flow, (double) batch->size);
      add_batch_locked (self, batch, n_left);
    }

  self->ended = TRUE;
  self->ticket = NULL;
  dray_map_flow_chunk_ended_locked (self->flow, self);
  g_clear_pointer (&result, g_variant_unref);
  g_clear_error (&error);
}
