/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool-worker-private.h"

#include "dray-map-chunk.h"
#include "dray-map-ledger.h"

#include <glib/gi18n-lib.h>

/* Chunks of maps: what a worker is told of them, what it says, and what is left when it dies. */

/* Before its first chunk, the worker is told of its ledger. */
static void
push_ledger (DrayPoolWorker *self)
{
  DrayMessage message;

  if (self->has_had_chunk)
    return;

  self->has_had_chunk = TRUE;
  self->ledger = dray_map_ledger_new ();
  if (self->ledger == NULL)
    return;

  dray_map_ledger_init_message (self->ledger, &message);
  dray_outbox_push (self->outbox, &message);
}

gboolean
dray_pool_worker_init_chunk (DrayPoolWorker *self,
                             DrayMessage *message,
                             DrayTicket *ticket,
                             GError **error)
{
  DrayMapChunk *chunk = ticket->chunk;

  if (chunk->arguments == NULL)
    push_ledger (self);
  return dray_map_chunk_init_message (chunk, message, ticket, self->pool->now.max_message_size,
                                      error);
}

static void
note_done (DrayPoolWorker *self, guint n_calls)
{
  self->tasks_done += n_calls;
  if (n_calls > 0)
    self->pool->n_early_deaths = 0;
}

static void
requeue_all (DrayPoolWorker *self, GPtrArray *tickets)
{
  for (guint i = 0; i < tickets->len; i++)
    dray_pool_requeue (self->pool, tickets->pdata[i]);
}

gboolean
dray_pool_worker_hear_outcomes (
  DrayPoolWorker *self, GBytes *payload, GVariant **result, GError **failure, GError **error)
{
  DrayTicket *ticket = self->current;
  g_autoptr (GPtrArray) rest = g_ptr_array_new ();
  DrayOutcomesReader outcomes;
  DrayMapChunkState state;

  if (!dray_outcomes_decode (payload, &outcomes, error))
    return FALSE;

  state = dray_map_chunk_hear (ticket->chunk, payload, &outcomes, rest);
  requeue_all (self, rest);
  if (state == DRAY_MAP_CHUNK_BROKEN)
    {
      g_propagate_error (error, dray_pool_worker_unexpected (DRAY_FRAME_OUTCOMES));
      return FALSE;
    }

  if (self->ledger != NULL)
    dray_map_ledger_close (self->ledger);
  note_done (self, outcomes.n_outcomes);
  if (state == DRAY_MAP_CHUNK_CANCELLED)
    *failure = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled"));
  else if (state == DRAY_MAP_CHUNK_OVER)
    *result = g_variant_ref_sink (g_variant_new_tuple (NULL, 0));
  return state != DRAY_MAP_CHUNK_GOES_ON;
}

void
dray_pool_worker_lose_chunk (DrayPoolWorker *self, DrayTicket *ticket)
{
  g_autoptr (GPtrArray) rest = g_ptr_array_new ();
  g_autoptr (GBytes) left = NULL;
  guint n_heard = ticket->chunk->n_heard;
  guint first = 0;
  gboolean failed;

  if (self->ledger != NULL)
    left = dray_map_ledger_take (self->ledger, ticket->id, ticket->attempt, &first);

  failed = dray_map_chunk_lose (ticket->chunk, left, first,
                                dray_task_get_max_retries (ticket->task), rest);
  note_done (self, ticket->chunk->n_heard - n_heard);
  requeue_all (self, rest);
  if (failed)
    dray_ticket_complete (ticket, NULL, dray_pool_worker_describe_death (self, ticket));
  else
    dray_ticket_complete (ticket, g_variant_ref_sink (g_variant_new_tuple (NULL, 0)), NULL);
}
