/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-future-private.h"

#include "dray-pool.h"

#include <glib/gi18n-lib.h>

/*
 * What a future has ended with, and who is told.
 *
 * A callback is added under the lock under which the end is delivered. If that was not, the
 * delivery will find it there, and until then it keeps the future. If it was, nobody will come by
 * any more, so the callback has a source of its own.
 */

/**
 * dray_future_dup_result:
 * @self: a future
 * @error: return location for the error that the task ended with
 *
 * Gets what the task ended with. May be called as often as wanted.
 *
 * For a call, the result is what its function returned. For a command whose output was not split
 * it is that output (`ay` or `s`), else the number of items (`t`).
 *
 * Errors: the one that the task failed with; %G_IO_ERROR_CANCELLED if it was cancelled;
 * %G_IO_ERROR_PENDING if it is not done yet.
 *
 * Returns: (transfer full): the result, not floating, or %NULL with @error set
 *
 * Since: 0.1
 */
GVariant *
dray_future_dup_result (DrayFuture *self, GError **error)
{
  DrayTicket *ticket;

  g_return_val_if_fail (dray_future_is_real (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  ticket = dray_future_get_ticket (self);
  if (!g_atomic_int_get (&ticket->settled))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PENDING, _ ("The task is not done yet"));
      return NULL;
    }

  /* What it has ended with stays as it is, so no lock is needed. */
  if (ticket->result != NULL)
    return g_variant_ref (ticket->result);

  g_propagate_error (error, g_error_copy (ticket->error));
  return NULL;
}

typedef struct
{
  DrayFuture *future;         /* (owned) */
  DrayDoneCallback *callback; /* (owned) */
} LateCallback;

static gboolean
late_callback_cb (gpointer user_data)
{
  LateCallback *late = user_data;

  late->callback->function (late->future, late->callback->user_data);
  return G_SOURCE_REMOVE;
}

static void
late_callback_free (gpointer data)
{
  LateCallback *late = data;

  dray_done_callback_free_all (late->callback);
  g_object_unref (late->future);
  g_free (late);
}

/* The end was told already, perhaps long ago: told again to this one, in the context of whoever
 * asks now, and like always not before the call returns. */
static void
call_late (DrayFuture *self, DrayDoneCallback *callback)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  g_autoptr (GSource) source = g_idle_source_new ();
  LateCallback *late = g_new0 (LateCallback, 1);

  late->future = g_object_ref (self);
  late->callback = callback;
  g_source_set_static_name (source, "Dray late callback");
  g_source_set_callback (source, late_callback_cb, late, late_callback_free);
  g_source_attach (source, context);
}

/**
 * dray_future_add_done_callback:
 * @self: a future
 * @callback: (scope notified) (closure user_data) (destroy destroy): the function to call
 * @user_data: data for it
 * @destroy: (nullable): called when @user_data is not needed any more
 *
 * Has a function called when the task is done and everything that it sent before was delivered.
 * It is called exactly once, never from within this function: in the main context that was the
 * thread's default when the task was submitted, or, if the end was delivered before, soon in the
 * one that is the thread's default now. The future stays alive until then.
 *
 * Since: 0.1
 */
void
dray_future_add_done_callback (DrayFuture *self,
                               DrayFutureCallback callback,
                               gpointer user_data,
                               GDestroyNotify destroy)
{
  DrayTicket *ticket;
  DrayDoneCallback *entry;
  gboolean late;

  g_return_if_fail (dray_future_is_real (self));
  g_return_if_fail (callback != NULL);

  ticket = dray_future_get_ticket (self);
  entry = g_new0 (DrayDoneCallback, 1);
  entry->function = callback;
  entry->user_data = user_data;
  entry->destroy = destroy;

  dray_pool_lock (ticket->pool);
  late = dray_ticket_is_done_locked (ticket) && !ticket->in_delivery && !ticket->unannounced;
  if (!late)
    {
      *ticket->last_callback = entry;
      ticket->last_callback = &entry->next;
      if (ticket->kept_future == NULL)
        {
          ticket->future = self;
          ticket->kept_future = g_object_ref (self);
        }
    }
  dray_pool_unlock (ticket->pool);

  if (late)
    call_late (self, entry);
}

/* (transfer full) (nullable) */
static DrayDoneCallback *
steal_callback_locked (DrayTicket *ticket, DrayFutureCallback function, gpointer user_data)
{
  DrayDoneCallback **place = &ticket->callbacks;
  DrayDoneCallback *entry;

  while (*place != NULL && ((*place)->function != function || (*place)->user_data != user_data))
    place = &(*place)->next;

  entry = *place;
  if (entry == NULL)
    return NULL;

  *place = g_steal_pointer (&entry->next);
  if (*place == NULL)
    ticket->last_callback = place;
  return entry;
}

void
dray_future_remove_done_callback (DrayFuture *self, DrayFutureCallback callback, gpointer user_data)
{
  DrayTicket *ticket = dray_future_get_ticket (self);
  g_autoptr (DrayFuture) kept_future = NULL;
  DrayDoneCallback *entry;

  dray_pool_lock (ticket->pool);
  entry = steal_callback_locked (ticket, callback, user_data);
  if (ticket->callbacks == NULL)
    kept_future = g_steal_pointer (&ticket->kept_future);
  dray_pool_unlock (ticket->pool);

  dray_done_callback_free_all (entry);
}
