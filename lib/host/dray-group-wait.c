/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-group-private.h"

#include "dray-combination.h"
#include "dray-future-private.h"
#include "dray-pool.h"

#include <glib/gi18n-lib.h>

/* Waiting for a group: blocking, and not. */

static void
wake_waiters_cb (GCancellable *cancellable, gpointer user_data)
{
  DrayGroupCore *core = user_data;

  g_mutex_lock (&core->lock);
  g_cond_broadcast (&core->finished);
  g_mutex_unlock (&core->lock);
}

static void
unref_core_closure (gpointer data, GClosure *closure)
{
  dray_group_core_unref (data);
}

/* @deadline: monotonic, µs, or -1 */
static gboolean
wait_locked (DrayGroupCore *core, gint64 deadline, GCancellable *cancellable)
{
  while (!g_queue_is_empty (&core->members) && !g_cancellable_is_cancelled (cancellable))
    {
      if (deadline < 0)
        g_cond_wait (&core->finished, &core->lock);
      else if (!g_cond_wait_until (&core->finished, &core->lock, deadline))
        break;
    }

  return g_queue_is_empty (&core->members);
}

/**
 * dray_group_wait:
 * @self: a group
 * @timeout: how long to wait, in microseconds; 0 only looks, a negative one waits for ever
 * @cancellable: (nullable): ends the wait, not the tasks
 * @error: return location for an error
 *
 * Blocks until no member is unfinished, whatever became of them: this is %TRUE also if some have
 * failed, as that of [method@Future.wait] is if the task has. The members' errors are told by
 * [method@Group.check] afterwards, or by [method@Group.join_sync] in place of this.
 *
 * This is as safe as [method@Future.wait]: on every thread, the main thread included, with a main
 * loop or without, and inside callbacks. What the members' executors receive meanwhile is read
 * beyond the limits for undelivered output.
 *
 * Errors: %G_IO_ERROR_TIMED_OUT, %G_IO_ERROR_CANCELLED.
 *
 * Returns: %TRUE if no member is unfinished, %FALSE with @error set if the wait ended before
 *
 * Since: 0.1
 */
gboolean
dray_group_wait (DrayGroup *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  DrayGroupCore *core;
  gulong handler = 0;
  gboolean finished;

  g_return_val_if_fail (DRAY_IS_GROUP (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  dray_fork_check ();
  core = self->core;
  if (cancellable != NULL)
    handler = g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (wake_waiters_cb),
                                     dray_group_core_ref (core), unref_core_closure, 0);

  g_mutex_lock (&core->lock);
  finished = g_queue_is_empty (&core->members);
  if (!finished && timeout != 0) /* who only looks makes nothing urgent */
    {
      dray_lifts_begin_wait (&core->lifts);
      finished = wait_locked (core, dray_ticket_get_deadline (timeout), cancellable);
      dray_lifts_end_wait (&core->lifts);
    }
  g_mutex_unlock (&core->lock);

  if (handler != 0)
    g_signal_handler_disconnect (cancellable, handler);
  if (!finished && !g_cancellable_set_error_if_cancelled (cancellable, error))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                         _ ("The group was not finished in time"));
  return finished;
}

/**
 * dray_group_join_sync:
 * @self: a group
 * @timeout: how long to wait, in microseconds; 0 only looks, a negative one waits for ever
 * @cancellable: (nullable): ends the wait, not the tasks
 * @error: return location for an error
 *
 * Blocks until no member is unfinished, as [method@Group.wait] does, and tells whether all went
 * well, as [method@Group.check] does.
 *
 * Errors: %G_IO_ERROR_TIMED_OUT and %G_IO_ERROR_CANCELLED, if the wait ended before; else those of
 * [method@Group.check]. A member may have failed with the same two:
 * [method@Group.get_n_unfinished] tells whether any is unfinished.
 *
 * Returns: %TRUE if no member is unfinished and all went well, %FALSE with @error set
 *
 * Since: 0.1
 */
gboolean
dray_group_join_sync (DrayGroup *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  return dray_group_wait (self, timeout, cancellable, error) && dray_group_check (self, error);
}

static void
return_outcome (DrayGroup *self, GTask *task)
{
  GError *error = NULL;

  if (dray_group_check (self, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
joined_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  DrayGroup *self = g_task_get_source_object (task);
  DrayTicket *ticket = dray_future_get_ticket (DRAY_FUTURE (object));
  GError *error = NULL;
  g_autoptr (GVariant) ended = dray_future_result_finish (DRAY_FUTURE (object), result, &error);
  gboolean queued;

  if (ended != NULL)
    {
      return_outcome (self, task);
      return;
    }

  /* The wait was cancelled: nobody needs to be told any more. */
  g_mutex_lock (&self->core->lock);
  queued = g_queue_remove (&self->core->joins, ticket);
  g_mutex_unlock (&self->core->lock);
  dray_ticket_cancel (ticket);
  if (queued)
    dray_ticket_unref (ticket);
  g_task_return_error (task, error);
}

/* (transfer full) (nullable): one that has something to do before the group is finished */
static DrayPool *
find_pool (DrayGroupCore *core)
{
  DrayPool *pool = NULL;
  DrayGroupMember *member;

  g_mutex_lock (&core->lock);
  member = g_queue_peek_head (&core->members);
  if (member != NULL)
    pool = dray_pool_ref (member->dependent.ticket->pool);
  g_mutex_unlock (&core->lock);

  return pool;
}

/**
 * dray_group_join_async:
 * @self: a group
 * @cancellable: (nullable): ends the wait, not the tasks
 * @callback: (scope async): called in the thread-default main context when no member is unfinished
 * @user_data: data for @callback
 *
 * Waits for the members without blocking; [method@Group.join_finish] tells whether all went well.
 *
 * Since: 0.1
 */
void
dray_group_join_async (DrayGroup *self,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  g_autoptr (DrayPool) pool = NULL;
  g_autoptr (DrayFuture) future = NULL;
  GQueue joins = G_QUEUE_INIT;

  g_return_if_fail (DRAY_IS_GROUP (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  dray_fork_check ();
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, dray_group_join_async);
  pool = find_pool (self->core);
  if (pool == NULL)
    {
      return_outcome (self, task);
      return;
    }

  future = dray_combination_new_future (pool);
  g_mutex_lock (&self->core->lock);
  g_queue_push_tail (g_queue_is_empty (&self->core->members) ? &joins : &self->core->joins,
                     dray_ticket_ref (dray_future_get_ticket (future)));
  g_mutex_unlock (&self->core->lock);
  dray_group_core_complete_joins (&joins);

  /* Last: where another thread runs the main context, this may be over before it returns. */
  dray_future_result_async (future, cancellable, joined_cb, g_steal_pointer (&task));
}

/**
 * dray_group_join_finish:
 * @self: a group
 * @result: the result of [method@Group.join_async]
 * @error: return location for an error
 *
 * Ends the wait for a group. The errors are those of [method@Group.check], and
 * %G_IO_ERROR_CANCELLED if the wait was cancelled.
 *
 * Returns: %TRUE if all went well, %FALSE with @error set
 *
 * Since: 0.1
 */
gboolean
dray_group_join_finish (DrayGroup *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DRAY_IS_GROUP (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_group_join_async), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
