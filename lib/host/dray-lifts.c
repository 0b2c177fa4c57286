/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-lifts.h"

#include "dray-pool.h"

void
dray_lifts_init (DrayLifts *self)
{
  self->pools = g_hash_table_new_full (NULL, NULL, (GDestroyNotify) dray_pool_unref, NULL);
}

void
dray_lifts_clear (DrayLifts *self)
{
  g_assert (self->n_waits == 0);

  g_hash_table_unref (self->pools);
}

static void
set_urgent (DrayPool *pool, gboolean urgent)
{
  dray_pool_lock (pool);
  dray_pool_set_urgent_locked (pool, urgent);
  dray_pool_unlock (pool);
}

static void
change (DrayLifts *self, DrayPool *pool, int by)
{
  gsize before = GPOINTER_TO_SIZE (g_hash_table_lookup (self->pools, pool));
  gsize after = before + (gsize) by;

  if (self->n_waits > 0 && (before == 0 || after == 0))
    set_urgent (pool, after > 0);
  if (after > 0)
    g_hash_table_insert (self->pools, dray_pool_ref (pool), GSIZE_TO_POINTER (after));
  else
    g_hash_table_remove (self->pools, pool);
}

static void
change_all (DrayLifts *self, DrayTicket *ticket, int by)
{
  change (self, ticket->pool, by);
  for (guint i = 0; ticket->lifts != NULL && i < ticket->lifts->len; i++)
    change (self, ticket->lifts->pdata[i], by);
}

void
dray_lifts_add (DrayLifts *self, DrayTicket *ticket)
{
  change_all (self, ticket, 1);
}

void
dray_lifts_remove (DrayLifts *self, DrayTicket *ticket)
{
  change_all (self, ticket, -1);
}

static void
set_all_urgent (DrayLifts *self, gboolean urgent)
{
  GHashTableIter iter;
  gpointer pool;

  g_hash_table_iter_init (&iter, self->pools);
  while (g_hash_table_iter_next (&iter, &pool, NULL))
    set_urgent (pool, urgent);
}

void
dray_lifts_begin_wait (DrayLifts *self)
{
  if (self->n_waits++ == 0)
    set_all_urgent (self, TRUE);
}

void
dray_lifts_end_wait (DrayLifts *self)
{
  if (--self->n_waits == 0)
    set_all_urgent (self, FALSE);
}
