/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-executor-private.h"

/* The end of an executor, waited for or not. */

/**
 * dray_executor_is_shut_down:
 * @self: an executor
 *
 * Tells whether the executor has shut down, with no process left.
 *
 * Returns: whether it has
 *
 * Since: 0.1
 */
gboolean
dray_executor_is_shut_down (DrayExecutor *self)
{
  gboolean closed;

  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), TRUE);

  dray_fork_check ();
  dray_pool_lock (self->pool);
  closed = self->pool->closed;
  dray_pool_unlock (self->pool);

  return closed;
}

/* A GTask that waits for the pool to be closed, or for its cancellable. */
typedef struct
{
  DrayCloseNotice notice; /* first */
  GTask *task;            /* (owned) */
} ShutdownWait;

static void
shutdown_wait_free (ShutdownWait *wait)
{
  if (wait->notice.cancelled != NULL)
    g_source_destroy (wait->notice.cancelled);
  g_clear_pointer (&wait->notice.cancelled, g_source_unref);
  g_clear_pointer (&wait->notice.delivery, dray_delivery_unref);
  g_object_unref (wait->task);
  g_free (wait);
}

static void
shut_down_cb (DrayNotice *notice)
{
  ShutdownWait *wait = (ShutdownWait *) notice;
  DrayExecutor *self = g_task_get_source_object (wait->task);

  if (self->pool->forked)
    g_task_return_error (wait->task, dray_fork_error ());
  else
    g_task_return_boolean (wait->task, TRUE);
  shutdown_wait_free (wait);
}

static void
never_told_cb (DrayNotice *notice)
{
  shutdown_wait_free ((ShutdownWait *) notice);
}

/* Nothing of it stays: the task keeps its main context, which need not be iterated any more. */
static gboolean
stop_waiting_cb (GCancellable *cancellable, gpointer user_data)
{
  ShutdownWait *wait = user_data;
  DrayExecutor *self = g_task_get_source_object (wait->task);

  dray_pool_forget_close_notice (self->pool, &wait->notice);
  g_task_return_error_if_cancelled (wait->task);
  shutdown_wait_free (wait);
  return G_SOURCE_REMOVE;
}

/* (transfer full) */
static GSource *
new_cancelled_source (ShutdownWait *wait, GCancellable *cancellable)
{
  GSource *source = g_cancellable_source_new (cancellable);

  g_source_set_static_name (source, "Dray shutdown wait");
  g_source_set_callback (source, G_SOURCE_FUNC (stop_waiting_cb), wait, NULL);
  return source;
}

/**
 * dray_executor_shutdown_async:
 * @self: an executor
 * @mode: what becomes of tasks that are not done
 * @cancellable: (nullable): ends the wait, not the shutdown
 * @callback: (scope async): called when no process is left and all was delivered
 * @user_data: data for @callback
 *
 * Shuts the executor down. New tasks are refused from now on. May be called as often as wanted,
 * in any state; a stronger mode than before takes effect at once.
 *
 * Without a @callback it only begins that. Then nothing comes to the caller's main context, and
 * nothing keeps the executor; but the shutdown goes to its end in its mode, though the last
 * reference may be dropped meanwhile.
 *
 * Since: 0.1
 */
void
dray_executor_shutdown_async (DrayExecutor *self,
                              DrayShutdownMode mode,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  ShutdownWait *wait;

  g_return_if_fail (DRAY_IS_EXECUTOR (self));
  g_return_if_fail ((guint) mode <= DRAY_SHUTDOWN_KILL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  if (callback == NULL)
    {
      /* Nobody may ever iterate the context, where what comes would stay, and the executor with
       * it. */
      g_atomic_int_set (&self->is_left_alone, TRUE);
      dray_pool_shutdown (self->pool, mode, NULL);
      return;
    }

  wait = g_new0 (ShutdownWait, 1);
  wait->notice.notice.run = shut_down_cb;
  wait->notice.notice.drop = never_told_cb;
  wait->task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (wait->task, dray_executor_shutdown_async);
  if (cancellable != NULL)
    wait->notice.cancelled = new_cancelled_source (wait, cancellable);

  if (!dray_pool_shutdown (self->pool, mode, &wait->notice))
    shut_down_cb (&wait->notice.notice);
}

/**
 * dray_executor_shutdown_finish:
 * @self: an executor
 * @result: the result of [method@Executor.shutdown_async]
 * @error: return location for an error
 *
 * Ends the wait for a shutdown.
 *
 * Returns: %TRUE if the executor has shut down, %FALSE with %G_IO_ERROR_CANCELLED if the wait was
 *   cancelled; the shutdown goes on then; or with %DRAY_ERROR_FORKED in a process that was forked
 *
 * Since: 0.1
 */
gboolean
dray_executor_shutdown_finish (DrayExecutor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_executor_shutdown_async), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * dray_executor_shutdown_sync:
 * @self: an executor
 * @mode: what becomes of tasks that are not done
 * @cancellable: (nullable): ends the wait, not the shutdown
 * @error: return location for an error
 *
 * Shuts the executor down, as [method@Executor.shutdown_async] does, and blocks until no process
 * is left. Safe on every thread, with a main loop or without, and inside callbacks. What was
 * received meanwhile is delivered when its main context is iterated.
 *
 * Returns: %TRUE if the executor has shut down, %FALSE with %G_IO_ERROR_CANCELLED if the wait was
 *   cancelled; the shutdown goes on then; or with %DRAY_ERROR_FORKED in a process that was forked
 *
 * Since: 0.1
 */
gboolean
dray_executor_shutdown_sync (DrayExecutor *self,
                             DrayShutdownMode mode,
                             GCancellable *cancellable,
                             GError **error)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), FALSE);
  g_return_val_if_fail ((guint) mode <= DRAY_SHUTDOWN_KILL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  dray_pool_shutdown (self->pool, mode, NULL);
  return dray_pool_wait_closed (self->pool, cancellable, error);
}
