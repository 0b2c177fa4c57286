/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

/* Items that are pulled, by several at once, in any way: each comes to one of them, until somebody
 * says that nobody wants any more. */

static void ask (StressActor *actor, DrayFuture *future, GCancellable *cancellable);

/* @items, @error: (nullable): both are NULL at the end */
static void
see_items (StressFate *fate, GPtrArray *items, const GError *error)
{
  for (guint i = 0; items != NULL && i < items->len; i++)
    stress_fate_see_item (fate, items->pdata[i]);
  if (items != NULL && items->len == 0)
    soak_violation ("“%s”: no items are pulled, and that is not the end", fate->what);
  if (items == NULL && error == NULL)
    g_atomic_int_set (&fate->ended_well, TRUE);
}

static void
see_item (StressFate *fate, GVariant *item, const GError *error)
{
  if (item != NULL)
    stress_fate_see_item (fate, item);
  else if (error == NULL)
    g_atomic_int_set (&fate->ended_well, TRUE);
}

/* Mostly goes on until there are no more. */
static void
go_on (DrayFuture *future)
{
  StressActor *actor = stress_actor_get ();
  g_autoptr (GCancellable) cancellable = stress_pick_cancellable (actor, 10);

  if (actor->n_steps > 0 && stress_may_ask (actor) && stress_chance (actor, 90))
    ask (actor, future, cancellable);
}

static void
item_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  DrayFuture *future = DRAY_FUTURE (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) item = NULL;

  stress_callback_enter (callback);
  item = dray_future_next_item_finish (future, result, &error);
  see_item (stress_fate_get (future), item, error);
  if (item != NULL)
    go_on (future);
  if (stress_chance (stress_actor_get (), 20))
    stress_reenter (stress_actor_get ());
}

static void
items_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  DrayFuture *future = DRAY_FUTURE (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) items = NULL;

  stress_callback_enter (callback);
  items = dray_future_next_items_finish (future, result, &error);
  see_items (stress_fate_get (future), items, error);
  if (items != NULL)
    go_on (future);
  if (stress_chance (stress_actor_get (), 20))
    stress_reenter (stress_actor_get ());
}

/* @cancellable: (nullable) */
static void
ask (StressActor *actor, DrayFuture *future, GCancellable *cancellable)
{
  StressCallback *callback = stress_callback_new (actor, "what is pulled",
                                                  stress_fate_get (future));

  if (stress_chance (actor, 50))
    dray_future_next_item_async (future, cancellable, item_cb, callback);
  else
    dray_future_next_items_async (future, stress_random (actor, 4) * 10, cancellable, items_cb,
                                  callback);
}

/* @cancellable: (nullable) */
static void
wait_for_items (StressActor *actor, DrayFuture *future, GCancellable *cancellable)
{
  gpointer promise = soak_promise_new (NULL, "a wait for items", NULL, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) items = dray_future_wait_next_items (
    future, stress_random (actor, 3) * 20, stress_random_timeout (actor), cancellable, &error);

  soak_promise_keep_only (promise);
  see_items (stress_fate_get (future), items, error);
}

/* One by one. @cancellable: (nullable) */
static void
wait_for_each (StressActor *actor, DrayFuture *future, GCancellable *cancellable)
{
  gboolean more = TRUE;

  for (guint i = stress_random (actor, 60); more && i > 0; i--)
    {
      gpointer promise = soak_promise_new (NULL, "a wait for an item", NULL, NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) item = dray_future_wait_next_item (future, stress_random_timeout (actor),
                                                              cancellable, &error);

      soak_promise_keep_only (promise);
      see_item (stress_fate_get (future), item, error);
      more = item != NULL;
    }
}

/* (transfer full) (nullable) */
static DrayFuture *
pick_pulled (StressActor *actor)
{
  for (guint i = 0; i < 8; i++)
    {
      g_autoptr (DrayFuture) future = stress_pick (actor, STRESS_FUTURES);
      StressFate *fate = future != NULL ? stress_fate_get (future) : NULL;

      if (fate != NULL && fate->pulled)
        return g_steal_pointer (&future);
    }
  return NULL;
}

void
stress_do_pull (StressActor *actor)
{
  g_autoptr (DrayFuture) future = pick_pulled (actor);
  g_autoptr (GCancellable) cancellable = stress_pick_cancellable (actor, 20);

  if (future == NULL)
    return;

  if (stress_chance (actor, 3))
    {
      g_atomic_int_set (&stress_fate_get (future)->discarded, TRUE);
      dray_future_discard_items (future);
    }

  if (stress_may_ask (actor) && stress_chance (actor, 50))
    ask (actor, future, cancellable);
  else if (stress_chance (actor, 50))
    wait_for_items (actor, future, cancellable);
  else
    wait_for_each (actor, future, cancellable);
}
