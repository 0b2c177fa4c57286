/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-shortfall.h"

struct _DrayShortfall
{
  DrayNotice notice; /* first */

  /* set at construction */
  GWeakRef executor;

  /* protected by the pool's lock */
  DrayDelivery *delivery; /* (owned) (nullable): until it is detached */
  char *text;             /* (owned) (nullable) */
};

static void
run (DrayNotice *notice)
{
  DrayShortfall *self = (DrayShortfall *) notice;
  g_autoptr (DrayExecutor) executor = g_weak_ref_get (&self->executor);

  if (executor != NULL)
    g_object_notify (G_OBJECT (executor), "sandbox-shortfall");
}

static void
drop (DrayNotice *notice)
{
  /* Part of this object, which the pool frees. */
}

void
dray_shortfall_watch (DrayPool *pool, DrayExecutor *executor)
{
  DrayShortfall *self = g_new0 (DrayShortfall, 1);

  self->notice.run = run;
  self->notice.drop = drop;
  g_weak_ref_init (&self->executor, executor);

  dray_pool_lock (pool);
  self->delivery = dray_delivery_get_locked (pool);
  pool->shortfall = self;
  dray_pool_unlock (pool);
}

void
dray_shortfall_detach (DrayPool *pool)
{
  g_autoptr (DrayDelivery) delivery = NULL;
  gboolean was_queued = FALSE, was_closed;

  dray_pool_lock (pool);
  was_closed = pool->closed;
  if (pool->shortfall != NULL && pool->shortfall->delivery != NULL)
    {
      was_queued
        = dray_delivery_remove_notice_locked (pool->shortfall->delivery, &pool->shortfall->notice);
      delivery = g_steal_pointer (&pool->shortfall->delivery);
    }
  dray_pool_unlock (pool);

  if (was_queued && was_closed)
    dray_delivery_look_for_end (delivery);
}

void
dray_shortfall_free (DrayShortfall *self)
{
  g_assert (self->delivery == NULL);

  g_weak_ref_clear (&self->executor);
  g_free (self->text);
  g_free (self);
}

void
dray_shortfall_note (DrayPool *pool, char *text)
{
  DrayShortfall *self = pool->shortfall;

  dray_pool_lock (pool);
  if (self != NULL && self->text == NULL)
    {
      self->text = g_steal_pointer (&text);
      if (self->delivery != NULL)
        dray_delivery_add_notice_locked (self->delivery, &self->notice);
    }
  dray_pool_unlock (pool);

  g_free (text);
}

char *
dray_shortfall_dup_text (DrayPool *pool)
{
  char *text;

  dray_pool_lock (pool);
  text = pool->shortfall != NULL ? g_strdup (pool->shortfall->text) : NULL;
  dray_pool_unlock (pool);

  return text;
}
