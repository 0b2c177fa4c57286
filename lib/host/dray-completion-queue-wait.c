/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-completion-queue-private.h"

#include "dray-combination.h"
#include "dray-future-private.h"
#include "dray-pool.h"

#include <glib/gi18n-lib.h>

/*
 * Waiting for a completion queue: blocking, and not; for one future, or for all that are done.
 *
 * Who waits without blocking is given the one future that ends the wait. Those that were done by
 * the time the main context gets to it are taken then: no two waits compete for more than they
 * will hand out, and a wait that is cancelled has one future to give back.
 */

static void
wake_waiters_cb (GCancellable *cancellable, gpointer user_data)
{
  DrayQueueCore *core = user_data;

  g_mutex_lock (&core->lock);
  g_cond_broadcast (&core->changed);
  g_mutex_unlock (&core->lock);
}

static void
unref_core_closure (gpointer data, GClosure *closure)
{
  dray_queue_core_unref (data);
}

static gboolean
has_answer_locked (DrayQueueCore *core)
{
  return !g_queue_is_empty (&core->completed) || g_queue_is_empty (&core->members);
}

/* (transfer full) (nullable): @first, which is taken, and what is done besides, up to @max; NULL if
 * there is none of either */
static GPtrArray *
take_locked (DrayQueueCore *core, DrayFuture *first, guint max)
{
  DrayFuture *future = first != NULL ? first : g_queue_pop_head (&core->completed);
  GPtrArray *futures;

  if (future == NULL)
    return NULL;

  futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_ptr_array_add (futures, future);
  while ((max == 0 || futures->len < max) && (future = g_queue_pop_head (&core->completed)) != NULL)
    g_ptr_array_add (futures, future);

  return futures;
}

/* Takes @futures. */
static DrayFuture *
steal_only_future (GPtrArray *futures)
{
  DrayFuture *future = NULL;

  if (futures != NULL)
    {
      future = g_object_ref (futures->pdata[0]);
      g_ptr_array_unref (futures);
    }

  return future;
}

/* --- Blocking --- */

/* @deadline: monotonic, µs, or -1 */
static void
wait_locked (DrayQueueCore *core, gint64 deadline, GCancellable *cancellable)
{
  while (!has_answer_locked (core) && !g_cancellable_is_cancelled (cancellable))
    {
      if (deadline < 0)
        g_cond_wait (&core->changed, &core->lock);
      else if (!g_cond_wait_until (&core->changed, &core->lock, deadline))
        break;
    }
}

static GPtrArray *
wait_many (
  DrayCompletionQueue *self, guint max, gint64 timeout, GCancellable *cancellable, GError **error)
{
  DrayQueueCore *core = self->core;
  GPtrArray *futures;
  gulong handler = 0;
  gboolean answered;

  dray_fork_check ();
  if (cancellable != NULL)
    handler = g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (wake_waiters_cb),
                                     dray_queue_core_ref (core), unref_core_closure, 0);

  g_mutex_lock (&core->lock);
  if (!has_answer_locked (core) && timeout != 0) /* who only looks makes nothing urgent */
    {
      dray_lifts_begin_wait (&core->lifts);
      wait_locked (core, dray_ticket_get_deadline (timeout), cancellable);
      dray_lifts_end_wait (&core->lifts);
    }
  answered = has_answer_locked (core);
  futures = take_locked (core, NULL, max);
  g_mutex_unlock (&core->lock);

  if (handler != 0)
    g_signal_handler_disconnect (cancellable, handler);
  if (!answered && !g_cancellable_set_error_if_cancelled (cancellable, error))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                         _ ("No task was finished in time"));
  return futures;
}

/**
 * dray_completion_queue_wait_next:
 * @self: a completion queue
 * @timeout: how long to wait, in microseconds; 0 only looks, a negative one waits for ever
 * @cancellable: (nullable): ends the wait, not the tasks
 * @error: return location for an error
 *
 * Blocks until the next future is done, and takes it out. This is as safe as [method@Future.wait]:
 * on every thread, the main thread included, with a main loop or without, and inside callbacks.
 * What the futures' executors receive meanwhile is read beyond the limits for undelivered output.
 *
 * Errors: %G_IO_ERROR_TIMED_OUT, %G_IO_ERROR_CANCELLED.
 *
 * Returns: (transfer full) (nullable): a future that is done; %NULL with @error set if the wait
 *   ended before, %NULL with no error if none is left
 *
 * Since: 0.1
 */
DrayFuture *
dray_completion_queue_wait_next (DrayCompletionQueue *self,
                                 gint64 timeout,
                                 GCancellable *cancellable,
                                 GError **error)
{
  g_return_val_if_fail (DRAY_IS_COMPLETION_QUEUE (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return steal_only_future (wait_many (self, 1, timeout, cancellable, error));
}

/**
 * dray_completion_queue_wait_next_many:
 * @self: a completion queue
 * @max: how many futures to take at most; 0: any number
 * @timeout: how long to wait, in microseconds; 0 only looks, a negative one waits for ever
 * @cancellable: (nullable): ends the wait, not the tasks
 * @error: return location for an error
 *
 * Blocks until a future is done, as [method@CompletionQueue.wait_next] does, and takes out all that
 * are done then. It does not wait until there are @max. The errors are those of that.
 *
 * Returns: (transfer container) (nullable) (element-type DrayFuture): futures that are done, in the
 *   order in which they were, never none; %NULL with @error set if the wait ended before, %NULL
 *   with no error if none is left
 *
 * Since: 0.1
 */
GPtrArray *
dray_completion_queue_wait_next_many (
  DrayCompletionQueue *self, guint max, gint64 timeout, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (DRAY_IS_COMPLETION_QUEUE (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return wait_many (self, max, timeout, cancellable, error);
}

/* --- Not blocking --- */

static void
wait_free (gpointer data)
{
  DrayQueueWait *wait = data;

  g_clear_object (&wait->given);
  dray_ticket_unref (wait->ticket);
  g_free (wait);
}

/* The wait was cancelled: what it was given at the same time is for others. */
static void
give_up (DrayQueueCore *core, DrayQueueWait *wait)
{
  GQueue told = G_QUEUE_INIT;
  DrayFuture *given;

  g_mutex_lock (&core->lock);
  if (wait->queued)
    g_queue_unlink (&core->waits, &wait->link);
  wait->queued = FALSE;
  given = g_steal_pointer (&wait->given);
  if (given != NULL && g_queue_is_empty (&core->waits))
    g_queue_push_head (&core->completed, given);
  else if (given != NULL)
    dray_queue_core_offer_locked (core, given, &told);
  g_cond_broadcast (&core->changed);
  g_mutex_unlock (&core->lock);

  dray_ticket_cancel (wait->ticket);
  dray_queue_core_tell (&told);
}

static void
free_futures (gpointer data)
{
  g_ptr_array_unref (data);
}

static void
ready_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  DrayCompletionQueue *self = g_task_get_source_object (task);
  DrayQueueWait *wait = g_task_get_task_data (task);
  GPtrArray *futures = NULL;
  GError *error = NULL;
  g_autoptr (GVariant) ended = dray_future_result_finish (DRAY_FUTURE (object), result, &error);

  if (ended == NULL)
    {
      give_up (self->core, wait);
      g_task_return_error (task, error);
      return;
    }

  /* Where there was none left, a wait that was cancelled may have given one back since. */
  g_mutex_lock (&self->core->lock);
  futures = take_locked (self->core, g_steal_pointer (&wait->given), wait->max);
  g_mutex_unlock (&self->core->lock);
  g_task_return_pointer (task, futures, free_futures);
}

/* (transfer full) (nullable): of a future that has to be waited for; NULL: there is an answer,
 * which is put to @futures */
static DrayPool *
find_pool (DrayQueueCore *core, guint max, GPtrArray **futures)
{
  DrayPool *pool = NULL;

  g_mutex_lock (&core->lock);
  if (has_answer_locked (core))
    *futures = take_locked (core, NULL, max);
  else
    pool = dray_pool_ref (((DrayQueueMember *) core->members.head->data)->dependent.ticket->pool);
  g_mutex_unlock (&core->lock);

  return pool;
}

static void
begin_wait (DrayQueueCore *core, DrayQueueWait *wait)
{
  GQueue told = G_QUEUE_INIT;

  g_mutex_lock (&core->lock);
  wait->link.data = wait;
  wait->queued = TRUE;
  g_queue_push_tail_link (&core->waits, &wait->link);
  if (has_answer_locked (core)) /* since a moment ago */
    {
      wait->given = g_queue_pop_head (&core->completed);
      dray_queue_core_end_wait_locked (core, wait, &told);
    }
  g_mutex_unlock (&core->lock);

  dray_queue_core_tell (&told);
}

static void
start_wait (DrayCompletionQueue *self,
            guint max,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data,
            gpointer tag)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (DrayPool) pool = NULL;
  g_autoptr (DrayFuture) signal = NULL;
  GPtrArray *futures = NULL;
  DrayQueueWait *wait;

  dray_fork_check ();
  g_task_set_source_tag (task, tag);
  /* What was taken out is not lost to a cancel that comes a moment later. */
  g_task_set_check_cancellable (task, FALSE);
  if (g_task_return_error_if_cancelled (task))
    return;

  pool = find_pool (self->core, max, &futures);
  if (pool == NULL)
    {
      g_task_return_pointer (task, futures, free_futures);
      return;
    }

  signal = dray_combination_new_future (pool);
  wait = g_new0 (DrayQueueWait, 1);
  wait->max = max;
  wait->ticket = dray_ticket_ref (dray_future_get_ticket (signal));
  g_task_set_task_data (task, wait, wait_free);
  /* In this order: another thread may run the main context, where the answer ends the wait. */
  begin_wait (self->core, wait);
  dray_future_result_async (signal, cancellable, ready_cb, g_steal_pointer (&task));
}

/**
 * dray_completion_queue_next_async:
 * @self: a completion queue
 * @cancellable: (nullable): ends the wait, not the tasks
 * @callback: (scope async): called in the thread-default main context when the next future is done
 * @user_data: data for @callback
 *
 * Takes out the next future that is done, without blocking. It may be called again before the last
 * one is finished; each call gets a future of its own.
 *
 * A future that is done is out of the queue once it was found for a call, so that others may be
 * told that none is left. If the call is cancelled before its callback, it is put back.
 *
 * Since: 0.1
 */
void
dray_completion_queue_next_async (DrayCompletionQueue *self,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  g_return_if_fail (DRAY_IS_COMPLETION_QUEUE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  start_wait (self, 1, cancellable, callback, user_data, dray_completion_queue_next_async);
}

/**
 * dray_completion_queue_next_finish:
 * @self: a completion queue
 * @result: the result of [method@CompletionQueue.next_async]
 * @error: return location for an error
 *
 * Gets the next future. The only error is %G_IO_ERROR_CANCELLED; that of a task is in its future.
 *
 * Returns: (transfer full) (nullable): a future that is done; %NULL with @error set if the wait
 *   was cancelled, %NULL with no error if none is left
 *
 * Since: 0.1
 */
DrayFuture *
dray_completion_queue_next_finish (DrayCompletionQueue *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DRAY_IS_COMPLETION_QUEUE (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_completion_queue_next_async), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return steal_only_future (g_task_propagate_pointer (G_TASK (result), error));
}

/**
 * dray_completion_queue_next_many_async:
 * @self: a completion queue
 * @max: how many futures to take at most; 0: any number
 * @cancellable: (nullable): ends the wait, not the tasks
 * @callback: (scope async): called in the thread-default main context when a future is done
 * @user_data: data for @callback
 *
 * Takes out all futures that are done, as soon as there is one, without blocking. It does not wait
 * until there are @max.
 *
 * Since: 0.1
 */
void
dray_completion_queue_next_many_async (DrayCompletionQueue *self,
                                       guint max,
                                       GCancellable *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer user_data)
{
  g_return_if_fail (DRAY_IS_COMPLETION_QUEUE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  start_wait (self, max, cancellable, callback, user_data, dray_completion_queue_next_many_async);
}

/**
 * dray_completion_queue_next_many_finish:
 * @self: a completion queue
 * @result: the result of [method@CompletionQueue.next_many_async]
 * @error: return location for an error
 *
 * Gets futures that are done. The only error is %G_IO_ERROR_CANCELLED; those of tasks are in their
 * futures.
 *
 * Returns: (transfer container) (nullable) (element-type DrayFuture): futures that are done, in the
 *   order in which they were, never none; %NULL with @error set if the wait was cancelled, %NULL
 *   with no error if none is left
 *
 * Since: 0.1
 */
GPtrArray *
dray_completion_queue_next_many_finish (DrayCompletionQueue *self,
                                        GAsyncResult *result,
                                        GError **error)
{
  g_return_val_if_fail (DRAY_IS_COMPLETION_QUEUE (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_completion_queue_next_many_async),
                        NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
