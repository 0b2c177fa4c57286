/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-future-private.h"
#include "dray-items-request.h"

#include "dray-pool.h"
#include "dray-pull.h"

#include <glib/gi18n-lib.h>

/* The items of a future, pulled: blocking, and not. */

static gboolean
is_pulled (DrayFuture *self)
{
  return dray_future_get_ticket (self)->pull != NULL;
}

/* (transfer full) (nullable): the one item in @items, which is taken. */
static GVariant *
steal_only_item (GPtrArray *items)
{
  GVariant *item = NULL;

  if (items != NULL)
    {
      item = g_variant_ref (items->pdata[0]);
      g_ptr_array_unref (items);
    }

  return item;
}

/**
 * dray_future_next_item_async:
 * @self: a future whose items are pulled
 * @cancellable: (nullable): ends the wait, not the task
 * @callback: (scope async): called in the thread-default main context when there is an item, or
 *   when no more will come
 * @user_data: data for @callback
 *
 * Asks for the next item of a task for which [method@Task.set_pull] was called before it was
 * submitted.
 *
 * Each item is given to one caller. Several may wait on any threads; those of one main context are
 * served in order. The future stays alive until then. Items that were sent before the task ended,
 * however it ended, can be pulled afterwards.
 *
 * Of a running task its worker is read for this, whatever the limits say. A pending one has to wait
 * for its turn: if all workers are held up by tasks that nobody pulls from, pull from those.
 *
 * Since: 0.1
 */
void
dray_future_next_item_async (DrayFuture *self,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_return_if_fail (dray_future_is_real (self));
  g_return_if_fail (is_pulled (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  dray_items_request_start (self, 1, cancellable, callback, user_data, dray_future_next_item_async);
}

/**
 * dray_future_next_item_finish:
 * @self: a future
 * @result: the result of [method@Future.next_item_async]
 * @error: return location for an error
 *
 * Gets the next item.
 *
 * Errors: the one that the task failed with, after its last item; %G_IO_ERROR_CANCELLED if the
 * task, or the wait, was cancelled.
 *
 * Returns: (transfer full) (nullable): the item, not floating; %NULL without an error if the task
 *   has succeeded and there are no more, else with @error set
 *
 * Since: 0.1
 */
GVariant *
dray_future_next_item_finish (DrayFuture *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (dray_future_is_real (self), NULL);
  g_return_val_if_fail (dray_items_request_is_valid (result, self, dray_future_next_item_async),
                        NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return steal_only_item (dray_items_request_steal (result, error));
}

/**
 * dray_future_next_items_async:
 * @self: a future whose items are pulled
 * @max: how many items to take at most; 0: any number
 * @cancellable: (nullable): ends the wait, not the task
 * @callback: (scope async): called in the thread-default main context when there is an item, or
 *   when no more will come
 * @user_data: data for @callback
 *
 * Asks for the next items, as [method@Future.next_item_async] does for one. It does not wait until
 * there are @max: it takes what is there, which is one item at least.
 *
 * Since: 0.1
 */
void
dray_future_next_items_async (DrayFuture *self,
                              guint max,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_return_if_fail (dray_future_is_real (self));
  g_return_if_fail (is_pulled (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  dray_items_request_start (self, max, cancellable, callback, user_data,
                            dray_future_next_items_async);
}

/**
 * dray_future_next_items_finish:
 * @self: a future
 * @result: the result of [method@Future.next_items_async]
 * @error: return location for an error
 *
 * Gets the next items. The errors are those of [method@Future.next_item_finish].
 *
 * Returns: (transfer container) (nullable) (element-type GVariant): the items, oldest first, never
 *   none; %NULL without an error if the task has succeeded and there are no more, else with @error
 *   set
 *
 * Since: 0.1
 */
GPtrArray *
dray_future_next_items_finish (DrayFuture *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (dray_future_is_real (self), NULL);
  g_return_val_if_fail (dray_items_request_is_valid (result, self, dray_future_next_items_async),
                        NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return dray_items_request_steal (result, error);
}

/* --- Blocking --- */

static void
wake_cb (GCancellable *cancellable, gpointer user_data)
{
  dray_pull_wake (user_data);
}

/* Whether something was found, as dray_pull_look_locked() says. */
static gboolean
wait_and_look (DrayTicket *ticket,
               guint max,
               gint64 timeout,
               GCancellable *cancellable,
               GPtrArray **items,
               GError **error)
{
  gboolean found = FALSE;

  dray_pool_lock (ticket->pool);
  if (timeout != 0)
    dray_pull_wait_locked (ticket, dray_ticket_get_deadline (timeout), cancellable);
  if (!g_cancellable_is_cancelled (cancellable))
    {
      found = dray_pull_look_locked (ticket, max, items, error);
      if (!found)
        dray_pull_ask_locked (ticket);
    }
  dray_pool_unlock (ticket->pool);

  return found;
}

static GPtrArray *
wait_items (DrayFuture *self, guint max, gint64 timeout, GCancellable *cancellable, GError **error)
{
  DrayTicket *ticket = dray_future_get_ticket (self);
  GPtrArray *items = NULL;
  g_autoptr (GError) failure = NULL;
  gboolean lifts = ticket->lifts != NULL && timeout != 0;
  gulong handler = 0;
  gboolean found;

  if (cancellable != NULL)
    handler = g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (wake_cb),
                                     dray_ticket_ref (ticket), dray_ticket_unref_closure, 0);
  if (lifts) /* for what it comes after, elsewhere */
    dray_pool_set_urgent_all (ticket->lifts, TRUE);
  found = wait_and_look (ticket, max, timeout, cancellable, &items, &failure);
  if (lifts)
    dray_pool_set_urgent_all (ticket->lifts, FALSE);
  if (handler != 0)
    g_signal_handler_disconnect (cancellable, handler);

  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else if (!found && !g_cancellable_set_error_if_cancelled (cancellable, error))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("No item came in time"));
  return items;
}

/**
 * dray_future_wait_next_item:
 * @self: a future whose items are pulled
 * @timeout: how long to wait, in microseconds; 0 only looks, a negative one waits for ever
 * @cancellable: (nullable): ends the wait, not the task
 * @error: return location for an error
 *
 * Blocks until there is an item, and takes it. No main loop is needed: this is safe on every
 * thread, the main thread included, and inside callbacks. Several threads may wait; each item is
 * given to one of them.
 *
 * While the task is pending, the limits of all others are lifted, as those of [method@Future.wait]
 * are: one of them may be in the way.
 *
 * Errors: %G_IO_ERROR_TIMED_OUT, %G_IO_ERROR_CANCELLED, and those of
 * [method@Future.next_item_finish].
 *
 * Returns: (transfer full) (nullable): the item, not floating; %NULL without an error if the task
 *   has succeeded and there are no more, else with @error set
 *
 * Since: 0.1
 */
GVariant *
dray_future_wait_next_item (DrayFuture *self,
                            gint64 timeout,
                            GCancellable *cancellable,
                            GError **error)
{
  g_return_val_if_fail (dray_future_is_real (self), NULL);
  g_return_val_if_fail (is_pulled (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return steal_only_item (wait_items (self, 1, timeout, cancellable, error));
}

/**
 * dray_future_wait_next_items:
 * @self: a future whose items are pulled
 * @max: how many items to take at most; 0: any number
 * @timeout: how long to wait, in microseconds; 0 only looks, a negative one waits for ever
 * @cancellable: (nullable): ends the wait, not the task
 * @error: return location for an error
 *
 * Blocks until there is an item, as [method@Future.wait_next_item] does, and takes what is there.
 * The errors are those of that.
 *
 * Returns: (transfer container) (nullable) (element-type GVariant): the items, oldest first, never
 *   none; %NULL without an error if the task has succeeded and there are no more, else with @error
 *   set
 *
 * Since: 0.1
 */
GPtrArray *
dray_future_wait_next_items (
  DrayFuture *self, guint max, gint64 timeout, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (dray_future_is_real (self), NULL);
  g_return_val_if_fail (is_pulled (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return wait_items (self, max, timeout, cancellable, error);
}

/* --- Not at all --- */

/**
 * dray_future_discard_items:
 * @self: a future whose items are pulled
 *
 * Says that nobody will pull any more. The items that wait for it are freed, and those that still
 * come are dropped as they arrive: the task goes on to its end, with its progress and its result,
 * as if its items had been pulled, and takes no memory for them. This can't be taken back. Who
 * pulls all the same waits for the end.
 *
 * Of tasks that share a run ([method@Task.set_key]), the others get their items as before.
 *
 * Since: 0.1
 */
void
dray_future_discard_items (DrayFuture *self)
{
  DrayTicket *ticket;
  GPtrArray *items;

  g_return_if_fail (dray_future_is_real (self));
  g_return_if_fail (is_pulled (self));

  ticket = dray_future_get_ticket (self);
  dray_pool_lock (ticket->pool);
  items = dray_pull_discard_locked (ticket);
  dray_pool_unlock (ticket->pool);

  if (items != NULL)
    g_ptr_array_unref (items);
}
