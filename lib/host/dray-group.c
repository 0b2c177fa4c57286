/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-group-private.h"

#include "dray-executor.h"
#include "dray-future-private.h"

#include <glib/gi18n-lib.h>

/**
 * DrayGroup:
 *
 * Tasks that belong together: when one of them fails, the rest are cancelled.
 *
 * Futures are added as long as wanted, of whatever executors, combined ones as well. The first
 * member that fails cancels all others, and from then on each that is added is cancelled at once.
 * So does [method@Group.cancel]. A member that is cancelled by itself is no failure.
 *
 * A group is joined with [method@Group.join_async] or [method@Group.join_sync], which wait until it
 * is finished and then tell whether all went well. [method@Group.wait] waits, and no more. A group
 * is finished whenever no member is unfinished, and more may be added after that.
 *
 * ## Ownership
 *
 * The group needs none of its futures to be kept. Dropping the last reference on it changes nothing
 * for its members: they go on, and still the first that fails cancels the others.
 *
 * ## Threads
 *
 * All methods may be called on any thread.
 *
 * ## Example
 *
 * ```c
 * g_autoptr (DrayGroup) group = dray_group_new ();
 *
 * for (guint i = 0; i < n_pages; i++)
 *   {
 *     g_autoptr (DrayTask) task = dray_task_new_call ("render", g_variant_new ("(u)", i));
 *     g_autoptr (DrayFuture) future = dray_group_submit (group, executor, task, NULL);
 *   }
 * dray_group_join_async (group, NULL, on_joined, self);
 * ```
 *
 * Since: 0.1
 */

G_DEFINE_FINAL_TYPE (DrayGroup, dray_group, G_TYPE_OBJECT)

/* --- The core --- */

DrayGroupCore *
dray_group_core_ref (DrayGroupCore *core)
{
  g_atomic_ref_count_inc (&core->ref_count);
  return core;
}

void
dray_group_core_unref (DrayGroupCore *core)
{
  if (!g_atomic_ref_count_dec (&core->ref_count))
    return;

  g_assert (g_queue_is_empty (&core->members) && g_queue_is_empty (&core->joins));
  dray_fork_guard_remove (&core->guard);
  dray_lifts_clear (&core->lifts);
  g_clear_error (&core->error);
  g_cond_clear (&core->finished);
  g_mutex_clear (&core->lock);
  g_free (core);
}

/* (transfer full): the tickets of all unfinished members */
static GPtrArray *
list_members_locked (DrayGroupCore *core)
{
  GPtrArray *tickets = g_ptr_array_new_full (g_queue_get_length (&core->members),
                                             (GDestroyNotify) dray_ticket_unref);

  for (GList *link = core->members.head; link != NULL; link = link->next)
    g_ptr_array_add (tickets, dray_ticket_ref (((DrayGroupMember *) link->data)->dependent.ticket));

  return tickets;
}

void
dray_group_core_complete_joins (GQueue *joins)
{
  DrayTicket *ticket;

  while ((ticket = g_queue_pop_head (joins)) != NULL)
    {
      dray_ticket_complete (ticket, g_variant_ref_sink (g_variant_new_tuple (NULL, 0)), NULL);
      dray_ticket_unref (ticket);
    }
}

/* --- Members --- */

static void
member_done (DrayDependent *dependent)
{
  DrayGroupMember *member = (DrayGroupMember *) dependent;
  DrayGroupCore *core = member->core;
  DrayTicket *done = dependent->ticket;
  g_autoptr (GPtrArray) rest = NULL;
  GQueue joins = G_QUEUE_INIT;

  g_mutex_lock (&core->lock);
  g_queue_unlink (&core->members, &member->link);
  dray_lifts_remove (&core->lifts, done);
  if (done->state == DRAY_FUTURE_FAILED && core->error == NULL)
    {
      core->error = g_error_copy (done->error);
      rest = core->cancelled ? NULL : list_members_locked (core);
      core->cancelled = TRUE;
    }
  if (g_queue_is_empty (&core->members))
    {
      joins = core->joins;
      g_queue_init (&core->joins);
      g_cond_broadcast (&core->finished);
    }
  g_mutex_unlock (&core->lock);

  if (rest != NULL)
    dray_ticket_cancel_all (rest);
  dray_group_core_complete_joins (&joins);
  dray_ticket_unref (done);
  dray_group_core_unref (core);
  g_free (member);
}

/**
 * dray_group_add:
 * @self: a group
 * @future: a future, of whatever executor, done or not
 *
 * Makes a future a member. It is cancelled at once if the group was.
 *
 * Since: 0.1
 */
void
dray_group_add (DrayGroup *self, DrayFuture *future)
{
  DrayGroupCore *core;
  DrayGroupMember *member;
  gboolean cancelled;

  g_return_if_fail (DRAY_IS_GROUP (self));
  g_return_if_fail (dray_future_is_real (future));

  core = self->core;
  member = g_new0 (DrayGroupMember, 1);
  member->core = dray_group_core_ref (core);
  member->link.data = member;
  member->dependent.run = member_done;
  member->dependent.ticket = dray_ticket_ref (dray_future_get_ticket (future));

  g_mutex_lock (&core->lock);
  g_queue_push_tail_link (&core->members, &member->link);
  dray_lifts_add (&core->lifts, member->dependent.ticket);
  cancelled = core->cancelled;
  g_mutex_unlock (&core->lock);

  dray_dependent_attach (&member->dependent);
  if (cancelled)
    dray_future_cancel (future);
}

/**
 * dray_group_submit:
 * @self: a group
 * @executor: an executor
 * @task: what to do; it can't be changed any more afterwards
 * @cancellable: (nullable): cancels the task, as [method@Future.cancel] does, and not the group
 *
 * Submits a task, as [method@Executor.submit] does, and makes its future a member. It never runs if
 * the group was cancelled.
 *
 * Returns: (transfer full): the future
 *
 * Since: 0.1
 */
DrayFuture *
dray_group_submit (DrayGroup *self,
                   DrayExecutor *executor,
                   DrayTask *task,
                   GCancellable *cancellable)
{
  g_autoptr (GCancellable) cancelled = NULL;
  DrayFuture *future;

  g_return_val_if_fail (DRAY_IS_GROUP (self), NULL);
  g_return_val_if_fail (DRAY_IS_EXECUTOR (executor), NULL);
  g_return_val_if_fail (task != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  if (dray_group_is_cancelled (self))
    {
      cancelled = g_cancellable_new ();
      g_cancellable_cancel (cancelled);
    }

  future = dray_executor_submit (executor, task, cancelled != NULL ? cancelled : cancellable);
  dray_group_add (self, future);
  return future;
}

/**
 * dray_group_cancel:
 * @self: a group
 *
 * Cancels every member that is not done, and each that is added from now on.
 *
 * Since: 0.1
 */
void
dray_group_cancel (DrayGroup *self)
{
  g_autoptr (GPtrArray) tickets = NULL;

  g_return_if_fail (DRAY_IS_GROUP (self));

  dray_fork_check ();
  g_mutex_lock (&self->core->lock);
  self->core->cancelled = TRUE;
  tickets = list_members_locked (self->core);
  g_mutex_unlock (&self->core->lock);

  dray_ticket_cancel_all (tickets);
}

/* --- Looking --- */

/**
 * dray_group_is_cancelled:
 * @self: a group
 *
 * Tells whether the group was cancelled, by [method@Group.cancel] or because a member failed.
 *
 * Returns: whether it was
 *
 * Since: 0.1
 */
gboolean
dray_group_is_cancelled (DrayGroup *self)
{
  gboolean cancelled;

  g_return_val_if_fail (DRAY_IS_GROUP (self), FALSE);

  dray_fork_check ();
  g_mutex_lock (&self->core->lock);
  cancelled = self->core->cancelled;
  g_mutex_unlock (&self->core->lock);

  return cancelled;
}

/**
 * dray_group_get_n_unfinished:
 * @self: a group
 *
 * Gets how many members are not done.
 *
 * Returns: their number
 *
 * Since: 0.1
 */
guint
dray_group_get_n_unfinished (DrayGroup *self)
{
  guint n;

  g_return_val_if_fail (DRAY_IS_GROUP (self), 0);

  dray_fork_check ();
  g_mutex_lock (&self->core->lock);
  n = g_queue_get_length (&self->core->members);
  g_mutex_unlock (&self->core->lock);

  return n;
}

/**
 * dray_group_check:
 * @self: a group
 * @error: return location for an error
 *
 * Tells whether all went well so far.
 *
 * Errors: that of the first member that failed; else %G_IO_ERROR_CANCELLED if the group was
 * cancelled.
 *
 * Returns: %TRUE if no member failed and the group was not cancelled, %FALSE with @error set
 *
 * Since: 0.1
 */
gboolean
dray_group_check (DrayGroup *self, GError **error)
{
  g_autoptr (GError) failure = NULL;

  g_return_val_if_fail (DRAY_IS_GROUP (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  dray_fork_check ();
  g_mutex_lock (&self->core->lock);
  if (self->core->error != NULL)
    failure = g_error_copy (self->core->error);
  else if (self->core->cancelled)
    failure = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The group was cancelled"));
  g_mutex_unlock (&self->core->lock);

  if (failure == NULL)
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

/* --- Life --- */

static void
dray_group_finalize (GObject *object)
{
  dray_group_core_unref (DRAY_GROUP (object)->core);

  G_OBJECT_CLASS (dray_group_parent_class)->finalize (object);
}

static void
dray_group_class_init (DrayGroupClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dray_group_finalize;
}

/* In a process that was forked: nobody else sees to the members any more. The reference stays: the
 * guard is looked at after this. */
static void
give_up_cb (DrayForkGuard *guard)
{
  DrayGroupCore *core = dray_group_core_ref (
    (DrayGroupCore *) (gpointer) ((guint8 *) guard - G_STRUCT_OFFSET (DrayGroupCore, guard)));

  dray_dependents_catch_up (&core->members, &core->lock);
}

static void
dray_group_init (DrayGroup *self)
{
  DrayGroupCore *core = g_new0 (DrayGroupCore, 1);

  g_atomic_ref_count_init (&core->ref_count);
  g_mutex_init (&core->lock);
  core->guard.give_up = give_up_cb;
  dray_fork_guard_add (&core->guard, &core->lock);
  g_cond_init (&core->finished);
  dray_lifts_init (&core->lifts);
  self->core = core;
}

/**
 * dray_group_new:
 *
 * Makes a group without members.
 *
 * Returns: (transfer full): a group
 *
 * Since: 0.1
 */
DrayGroup *
dray_group_new (void)
{
  return g_object_new (DRAY_TYPE_GROUP, NULL);
}
