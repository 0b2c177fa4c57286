/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-executor-private.h"

#include "dray-future-private.h"
#include "dray-task-private.h"

/* Submitting tasks: at once, when there is room, and GIO style. */

/**
 * dray_executor_call:
 * @self: an executor
 * @function: the name of a function that the workers have
 * @arguments: (nullable): its arguments; a floating one is taken
 *
 * Submits the call of a function, with everything about it as usual. See
 * [method@Executor.submit].
 *
 * Returns: (transfer full): the future
 *
 * Since: 0.1
 */
DrayFuture *
dray_executor_call (DrayExecutor *self, const char *function, GVariant *arguments)
{
  g_autoptr (DrayTask) task = NULL;

  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (dray_task_is_function_name (function), NULL);

  task = dray_task_new_call (function, arguments);
  return dray_pool_submit (self->pool, task, NULL);
}

/**
 * dray_executor_submit:
 * @self: an executor
 * @task: what to do; it can't be changed any more afterwards
 * @cancellable: (nullable): cancels the task, as [method@Future.cancel] does
 *
 * Submits a task. Callbacks and signals of its future come in the main context that is the
 * thread's default now, never from within this function.
 *
 * There is always a future: that of a task which can't be accepted has failed already, with
 * %DRAY_ERROR_SHUT_DOWN, %DRAY_ERROR_QUEUE_FULL, %DRAY_ERROR_LAUNCH if the executor has no
 * launcher or this process can't talk to workers at all, or %DRAY_ERROR_FORKED if it was forked
 * from the one that the executor's workers belong to. With a @cancellable that is cancelled
 * already, it is cancelled.
 *
 * Returns: (transfer full): the future
 *
 * Since: 0.1
 */
DrayFuture *
dray_executor_submit (DrayExecutor *self, DrayTask *task, GCancellable *cancellable)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (task != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  return dray_pool_submit (self->pool, task, cancellable);
}

/* A GTask that waits for room in the queue. */
typedef struct
{
  DrayRoomWaiter waiter; /* first */
  GTask *task;           /* (owned) */
} SubmitWait;

static void
submit_wait_free (SubmitWait *wait)
{
  DrayExecutor *self = g_task_get_source_object (wait->task);

  dray_pool_stop_waiting (self->pool, &wait->waiter);
  if (wait->waiter.cancelled != NULL)
    g_source_destroy (wait->waiter.cancelled);
  g_clear_pointer (&wait->waiter.cancelled, g_source_unref);
  g_clear_pointer (&wait->waiter.delivery, dray_delivery_unref);
  g_clear_pointer (&wait->waiter.task, dray_task_unref);
  g_object_unref (wait->task);
  g_free (wait);
}

static void
announce_cb (GTask *task, GParamSpec *pspec, gpointer ticket)
{
  dray_ticket_announce (ticket);
}

static void
announce_closure (gpointer ticket, GClosure *closure)
{
  dray_ticket_announce (ticket);
  dray_ticket_unref (ticket);
}

/* The callback comes from a source of the task's own, which has its place beside the delivery.
 * Nothing of the future is delivered before that, or whoever connects to it there would miss it. */
static void
return_future (GTask *task, DrayFuture *future)
{
  g_signal_connect_data (task, "notify::completed", G_CALLBACK (announce_cb),
                         dray_ticket_ref (dray_future_get_ticket (future)), announce_closure, 0);
  g_task_return_pointer (task, future, g_object_unref);
}

/* On the submitting thread at first, then in the main context of the task, which may be run by
 * another one: once it is in the line, nothing of it may be used here any more. */
static void
submit_when_there_is_room (SubmitWait *wait)
{
  DrayExecutor *self = g_task_get_source_object (wait->task);
  GCancellable *cancellable = g_task_get_cancellable (wait->task);
  DrayFuture *future;

  if (!g_task_return_error_if_cancelled (wait->task))
    {
      future = dray_pool_submit_with_room (self->pool, &wait->waiter, cancellable);
      if (future == NULL)
        return;
      return_future (wait->task, future);
    }

  submit_wait_free (wait);
}

static void
room_cb (DrayNotice *notice)
{
  submit_when_there_is_room ((SubmitWait *) notice);
}

static void
room_never_cb (DrayNotice *notice)
{
  submit_wait_free ((SubmitWait *) notice);
}

/* In the main context of the task, as room_cb(). */
static gboolean
wait_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  SubmitWait *wait = user_data;
  DrayExecutor *self = g_task_get_source_object (wait->task);

  if (dray_pool_stop_waiting (self->pool, &wait->waiter))
    {
      g_task_return_error_if_cancelled (wait->task);
      submit_wait_free (wait);
    }
  return G_SOURCE_REMOVE;
}

/* (transfer full) */
static GSource *
new_cancelled_source (SubmitWait *wait, GCancellable *cancellable)
{
  GSource *source = g_cancellable_source_new (cancellable);

  g_source_set_static_name (source, "Dray submit wait");
  g_source_set_callback (source, G_SOURCE_FUNC (wait_cancelled_cb), wait, NULL);
  return source;
}

/**
 * dray_executor_submit_async:
 * @self: an executor
 * @task: what to do; it can't be changed any more afterwards
 * @cancellable: (nullable): cancels the task, as [method@Future.cancel] does
 * @callback: (scope async): called when the task was accepted
 * @user_data: data for @callback
 *
 * Submits a task when there is room for it in the queue. Many may wait; they are accepted in
 * order.
 *
 * Since: 0.1
 */
void
dray_executor_submit_async (DrayExecutor *self,
                            DrayTask *task,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  SubmitWait *wait;

  g_return_if_fail (DRAY_IS_EXECUTOR (self));
  g_return_if_fail (task != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  wait = g_new0 (SubmitWait, 1);
  wait->waiter.notice.run = room_cb;
  wait->waiter.notice.drop = room_never_cb;
  wait->waiter.task = dray_task_ref (task);
  wait->task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (wait->task, dray_executor_submit_async);
  g_task_set_check_cancellable (wait->task, FALSE);
  if (cancellable != NULL)
    wait->waiter.cancelled = new_cancelled_source (wait, cancellable);
  submit_when_there_is_room (wait);
}

/**
 * dray_executor_submit_finish:
 * @self: an executor
 * @result: the result of [method@Executor.submit_async]
 * @error: return location for an error
 *
 * Gets the future of a task that was submitted. The only error is %G_IO_ERROR_CANCELLED; that of
 * a task which the executor refused is in its future.
 *
 * Returns: (transfer full): the future, or %NULL with @error set
 *
 * Since: 0.1
 */
DrayFuture *
dray_executor_submit_finish (DrayExecutor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_executor_submit_async), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
return_result_cb (DrayFuture *future, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;
  GVariant *result = dray_future_dup_result (future, &error);

  if (result != NULL)
    g_task_return_pointer (task, result, (GDestroyNotify) g_variant_unref);
  else
    g_task_return_error (task, error);
}

static void
run_task (DrayExecutor *self, DrayTask *what, GTask *task)
{
  g_autoptr (DrayFuture) future = dray_pool_submit (self->pool, what,
                                                    g_task_get_cancellable (task));

  /* The future says itself whether it was cancelled, or done before that. */
  g_task_set_check_cancellable (task, FALSE);
  dray_future_add_done_callback (future, return_result_cb, task, g_object_unref);
}

/**
 * dray_executor_call_async:
 * @self: an executor
 * @function: the name of a function that the workers have
 * @arguments: (nullable): its arguments; a floating one is taken
 * @cancellable: (nullable): cancels the call
 * @callback: (scope async): called when the call is done
 * @user_data: data for @callback
 *
 * Calls a function in a worker, GIO style, with no future in sight.
 *
 * Since: 0.1
 */
void
dray_executor_call_async (DrayExecutor *self,
                          const char *function,
                          GVariant *arguments,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_autoptr (DrayTask) what = NULL;
  GTask *task;

  g_return_if_fail (DRAY_IS_EXECUTOR (self));
  g_return_if_fail (dray_task_is_function_name (function));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  what = dray_task_new_call (function, arguments);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, dray_executor_call_async);
  run_task (self, what, task);
}

/**
 * dray_executor_call_finish:
 * @self: an executor
 * @result: the result of [method@Executor.call_async]
 * @error: return location for an error
 *
 * Gets what a call returned. The errors are those of [method@Future.dup_result].
 *
 * Returns: (transfer full): the result, not floating, or %NULL with @error set
 *
 * Since: 0.1
 */
GVariant *
dray_executor_call_finish (DrayExecutor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_executor_call_async), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * dray_executor_run_async:
 * @self: an executor
 * @task: what to do; it can't be changed any more afterwards
 * @cancellable: (nullable): cancels the task
 * @callback: (scope async): called when the task is done
 * @user_data: data for @callback
 *
 * Runs a task, GIO style, with no future in sight.
 *
 * Since: 0.1
 */
void
dray_executor_run_async (DrayExecutor *self,
                         DrayTask *task,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  GTask *async_task;

  g_return_if_fail (DRAY_IS_EXECUTOR (self));
  g_return_if_fail (task != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  async_task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (async_task, dray_executor_run_async);
  run_task (self, task, async_task);
}

/**
 * dray_executor_run_finish:
 * @self: an executor
 * @result: the result of [method@Executor.run_async]
 * @error: return location for an error
 *
 * Gets what a task resulted in. The errors are those of [method@Future.dup_result].
 *
 * Returns: (transfer full): the result, not floating, or %NULL with @error set
 *
 * Since: 0.1
 */
GVariant *
dray_executor_run_finish (DrayExecutor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_executor_run_async), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
