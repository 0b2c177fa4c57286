/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool-worker-private.h"

#include "dray-map-chunk.h"

#include <glib/gi18n-lib.h>

/* Chunks of maps: what a worker is told of them, what it says, and what is left when it dies. */

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

  note_done (self, outcomes.n_outcomes);
  if (state == DRAY_MAP_CHUNK_CANCELLED)
    *failure = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled"));
  else if (state == DRAY_MAP_CHUNK_OVER)
    *result = g_variant_ref_sink (g_variant_new_tuple (NULL, 0));
  return state != DRAY_MAP_CHUNK_GOES_ON;
}

/* (transfer full) (nullable): what the worker, which is gone, has left of that chunk: a payload of
 * outcomes, not yet checked, from the call *@first on; it has sent those before. Something that it
 * has left running may write there even now: each number is read once, and the rest is looked at in
 * a copy. */
static GBytes *
read_ledger (DrayLedger *ledger, DrayTicket *ticket, guint *first)
{
  guint64 content = __atomic_load_n (&ledger->content, __ATOMIC_ACQUIRE);
  guint32 n_records = (guint32) (content >> 32);
  gsize n_bytes = (gsize) (content & G_MAXUINT32);

  if (__atomic_load_n (&ledger->task_id, __ATOMIC_ACQUIRE) != ticket->id
      || __atomic_load_n (&ledger->attempt, __ATOMIC_ACQUIRE) != ticket->attempt)
    return NULL;

  *first = __atomic_load_n (&ledger->first, __ATOMIC_ACQUIRE);
  if (n_records == 0 || n_bytes > DRAY_LEDGER_SPACE)
    return NULL;

  return dray_outcomes_new_payload (ledger->records, n_bytes, n_records);
}

void
dray_pool_worker_lose_chunk (DrayPoolWorker *self, DrayTicket *ticket, gboolean ended)
{
  g_autoptr (GPtrArray) rest = g_ptr_array_new ();
  g_autoptr (GBytes) left = NULL;
  guint n_heard = ticket->chunk->n_heard;
  guint first = 0;
  gboolean failed;

  if (self->uses_ring)
    left = read_ledger (dray_ring_get_ledger (self->ring), ticket, &first);

  failed = dray_map_chunk_lose (ticket->chunk, left, first, ended,
                                dray_task_get_max_retries (ticket->task), rest);
  note_done (self, ticket->chunk->n_heard - n_heard);
  requeue_all (self, rest);
  if (failed)
    dray_ticket_complete (ticket, NULL, dray_pool_worker_describe_death (self, ticket));
  else
    dray_ticket_complete (ticket, g_variant_ref_sink (g_variant_new_tuple (NULL, 0)), NULL);
}
