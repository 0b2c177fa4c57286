/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-future-private.h"

/* Waiting for a future: blocking, and not. */

/**
 * dray_future_wait:
 * @self: a future
 * @timeout: how long to wait, in microseconds; 0 only looks, a negative one waits for ever
 * @cancellable: (nullable): ends the wait, not the task
 * @error: return location for an error
 *
 * Blocks until the task is done, whatever its outcome. This is safe on every thread, the main
 * thread included, with a main loop or without, and inside callbacks: the task's output is read
 * meanwhile, beyond the limits for undelivered output if need be. Callbacks don't run meanwhile;
 * they come when their main context is iterated.
 *
 * Errors: %G_IO_ERROR_TIMED_OUT, %G_IO_ERROR_CANCELLED.
 *
 * Returns: %TRUE if the task is done, %FALSE with @error set if the wait ended before
 *
 * Since: 0.1
 */
gboolean
dray_future_wait (DrayFuture *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (dray_future_is_real (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return dray_ticket_wait (dray_future_get_ticket (self), timeout, cancellable, error);
}

/**
 * dray_future_wait_result:
 * @self: a future
 * @timeout: how long to wait, in microseconds; 0 only looks, a negative one waits for ever
 * @cancellable: (nullable): ends the wait, not the task
 * @error: return location for an error
 *
 * Blocks until the task is done, as [method@Future.wait] does, and gets its result, as
 * [method@Future.dup_result] does.
 *
 * Errors: %G_IO_ERROR_TIMED_OUT and %G_IO_ERROR_CANCELLED, if the wait ended before; else those of
 * [method@Future.dup_result]. A task may have failed with the same two: [method@Future.is_done]
 * tells whether it is done.
 *
 * Returns: (transfer full): the result, not floating, or %NULL with @error set
 *
 * Since: 0.1
 */
GVariant *
dray_future_wait_result (DrayFuture *self,
                         gint64 timeout,
                         GCancellable *cancellable,
                         GError **error)
{
  if (!dray_future_wait (self, timeout, cancellable, error))
    return NULL;

  return dray_future_dup_result (self, error);
}

/* A wait without blocking: ended by the future or by the cancellable, whichever is first. The two
 * may be on different threads. */
typedef struct
{
  gatomicrefcount ref_count;
  GTask *task;     /* (owned) */
  GSource *source; /* (owned) (nullable): set before there are two threads */
  int returned;    /* atomic */
} ResultWait;

static void
result_wait_unref (gpointer data)
{
  ResultWait *wait = data;

  if (!g_atomic_ref_count_dec (&wait->ref_count))
    return;

  g_object_unref (wait->task);
  g_clear_pointer (&wait->source, g_source_unref);
  g_free (wait);
}

static void
return_result (ResultWait *wait)
{
  DrayFuture *future = g_task_get_source_object (wait->task);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  if (wait->source != NULL)
    g_source_destroy (wait->source);
  if (g_atomic_int_exchange (&wait->returned, TRUE))
    return;

  result = dray_future_dup_result (future, &error);
  if (result != NULL)
    g_task_return_pointer (wait->task, g_steal_pointer (&result), (GDestroyNotify) g_variant_unref);
  else
    g_task_return_error (wait->task, g_steal_pointer (&error));
}

static void
return_result_cb (DrayFuture *future, gpointer user_data)
{
  return_result (user_data);
}

/* Or never was called: the future's main context is gone, with the task done. That of whoever asked
 * may be another one, where the answer is still waited for. */
static void
was_called_cb (gpointer user_data)
{
  return_result (user_data);
  result_wait_unref (user_data);
}

/* A task may take long, and be waited for again and again: nothing is left of a wait that is over. */
static void
leave_future (ResultWait *wait)
{
  dray_future_remove_done_callback (g_task_get_source_object (wait->task), return_result_cb, wait);
}

static gboolean
return_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  ResultWait *wait = user_data;

  if (!g_atomic_int_exchange (&wait->returned, TRUE))
    {
      leave_future (wait);
      g_task_return_error_if_cancelled (wait->task);
    }
  return G_SOURCE_REMOVE;
}

/**
 * dray_future_result_async:
 * @self: a future
 * @cancellable: (nullable): ends the wait, not the task
 * @callback: (scope async): called in the thread-default main context when the task is done
 * @user_data: data for @callback
 *
 * Waits for the task without blocking. Everything that it sent before was delivered by then.
 *
 * Since: 0.1
 */
void
dray_future_result_async (DrayFuture *self,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  ResultWait *wait;

  g_return_if_fail (dray_future_is_real (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  wait = g_new0 (ResultWait, 1);
  g_atomic_ref_count_init (&wait->ref_count);
  wait->task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (wait->task, dray_future_result_async);

  if (cancellable != NULL)
    {
      g_atomic_ref_count_inc (&wait->ref_count);
      wait->source = g_cancellable_source_new (cancellable);
      g_source_set_static_name (wait->source, "Dray result wait");
      g_source_set_callback (wait->source, G_SOURCE_FUNC (return_cancelled_cb), wait,
                             result_wait_unref);
      g_source_attach (wait->source, g_task_get_context (wait->task));
    }

  g_atomic_ref_count_inc (&wait->ref_count);
  dray_future_add_done_callback (self, return_result_cb, wait, was_called_cb);
  if (g_atomic_int_get (&wait->returned)) /* cancelled before there was anything to leave */
    leave_future (wait);
  result_wait_unref (wait);
}

/**
 * dray_future_result_finish:
 * @self: a future
 * @result: the result of [method@Future.result_async]
 * @error: return location for an error
 *
 * Gets what the task ended with.
 *
 * Errors: %G_IO_ERROR_CANCELLED if the wait was cancelled; else those of
 * [method@Future.dup_result].
 *
 * Returns: (transfer full): the result, not floating, or %NULL with @error set
 *
 * Since: 0.1
 */
GVariant *
dray_future_result_finish (DrayFuture *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (dray_future_is_real (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_future_result_async), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
