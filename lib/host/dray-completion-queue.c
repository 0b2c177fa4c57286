/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-completion-queue-private.h"

#include "dray-executor.h"
#include "dray-future-private.h"

/**
 * DrayCompletionQueue:
 *
 * Hands out futures one after the other, as they are done.
 *
 * Futures go in in any order, of whatever executors, combined ones as well, and come out in the
 * order in which they were done, whatever became of them. More may be added while some are still
 * to come out. When nothing is in the queue any more, it says so with %NULL and no error.
 *
 * ## Ownership
 *
 * The queue keeps its futures until they come out. Dropping the last reference on it drops those
 * that are left; it does not cancel their tasks.
 *
 * ## Threads
 *
 * All methods may be called on any thread, and by several at a time; each future comes out once.
 *
 * ## Example
 *
 * ```c
 * g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
 * DrayFuture *next;
 *
 * for (guint i = 0; i < n_futures; i++)
 *   dray_completion_queue_add (queue, futures[i]);
 * while ((next = dray_completion_queue_wait_next (queue, -1, NULL, NULL)) != NULL)
 *   {
 *     show_result (next);
 *     g_object_unref (next);
 *   }
 * ```
 *
 * Since: 0.1
 */

G_DEFINE_FINAL_TYPE (DrayCompletionQueue, dray_completion_queue, G_TYPE_OBJECT)

/* --- The core --- */

DrayQueueCore *
dray_queue_core_ref (DrayQueueCore *core)
{
  g_atomic_ref_count_inc (&core->ref_count);
  return core;
}

void
dray_queue_core_unref (DrayQueueCore *core)
{
  if (!g_atomic_ref_count_dec (&core->ref_count))
    return;

  g_assert (g_queue_is_empty (&core->members) && g_queue_is_empty (&core->completed));
  dray_fork_guard_remove (&core->guard);
  dray_lifts_clear (&core->lifts);
  g_cond_clear (&core->changed);
  g_mutex_clear (&core->lock);
  g_free (core);
}

static void
member_free (DrayQueueMember *member)
{
  g_assert (member->future == NULL);

  dray_ticket_unref (member->dependent.ticket);
  dray_queue_core_unref (member->core);
  g_free (member);
}

void
dray_queue_core_end_wait_locked (DrayQueueCore *core, DrayQueueWait *wait, GQueue *told)
{
  g_queue_unlink (&core->waits, &wait->link);
  wait->queued = FALSE;
  g_queue_push_tail (told, dray_ticket_ref (wait->ticket));
}

void
dray_queue_core_offer_locked (DrayQueueCore *core, DrayFuture *future, GQueue *told)
{
  DrayQueueWait *wait = g_queue_peek_head (&core->waits);

  if (wait == NULL)
    {
      g_queue_push_tail (&core->completed, future);
      g_cond_broadcast (&core->changed);
      return;
    }

  wait->given = future;
  dray_queue_core_end_wait_locked (core, wait, told);
}

/* When nothing is left to come, nobody waits any more. */
static void
dismiss_if_over_locked (DrayQueueCore *core, GQueue *told)
{
  DrayQueueWait *wait;

  if (!g_queue_is_empty (&core->members))
    return;

  while ((wait = g_queue_peek_head (&core->waits)) != NULL)
    dray_queue_core_end_wait_locked (core, wait, told);
  g_cond_broadcast (&core->changed);
}

void
dray_queue_core_tell (GQueue *told)
{
  DrayTicket *ticket;

  while ((ticket = g_queue_pop_head (told)) != NULL)
    {
      dray_ticket_complete (ticket, g_variant_ref_sink (g_variant_new_tuple (NULL, 0)), NULL);
      dray_ticket_unref (ticket);
    }
}

/* --- Members --- */

static void
member_done (DrayDependent *dependent)
{
  DrayQueueMember *member = (DrayQueueMember *) dependent;
  DrayQueueCore *core = member->core;
  GQueue told = G_QUEUE_INIT;

  g_mutex_lock (&core->lock);
  g_queue_unlink (&core->members, &member->link);
  dray_lifts_remove (&core->lifts, dependent->ticket);
  if (member->future != NULL)
    dray_queue_core_offer_locked (core, g_steal_pointer (&member->future), &told);
  dismiss_if_over_locked (core, &told);
  g_mutex_unlock (&core->lock);

  dray_queue_core_tell (&told);
  member_free (member);
}

/**
 * dray_completion_queue_add:
 * @self: a completion queue
 * @future: a future, of whatever executor, done or not
 *
 * Adds a future, which comes out when it is done.
 *
 * Since: 0.1
 */
void
dray_completion_queue_add (DrayCompletionQueue *self, DrayFuture *future)
{
  DrayQueueCore *core;
  DrayQueueMember *member;

  g_return_if_fail (DRAY_IS_COMPLETION_QUEUE (self));
  g_return_if_fail (dray_future_is_real (future));

  core = self->core;
  member = g_new0 (DrayQueueMember, 1);
  member->core = dray_queue_core_ref (core);
  member->link.data = member;
  member->future = g_object_ref (future);
  member->dependent.run = member_done;
  member->dependent.ticket = dray_ticket_ref (dray_future_get_ticket (future));

  g_mutex_lock (&core->lock);
  g_queue_push_tail_link (&core->members, &member->link);
  dray_lifts_add (&core->lifts, member->dependent.ticket);
  g_mutex_unlock (&core->lock);

  dray_dependent_attach (&member->dependent);
}

/**
 * dray_completion_queue_submit:
 * @self: a completion queue
 * @executor: an executor
 * @task: what to do; it can't be changed any more afterwards
 * @cancellable: (nullable): cancels the task, as [method@Future.cancel] does
 *
 * Submits a task, as [method@Executor.submit] does, and adds its future.
 *
 * Returns: (transfer full): the future
 *
 * Since: 0.1
 */
DrayFuture *
dray_completion_queue_submit (DrayCompletionQueue *self,
                              DrayExecutor *executor,
                              DrayTask *task,
                              GCancellable *cancellable)
{
  DrayFuture *future;

  g_return_val_if_fail (DRAY_IS_COMPLETION_QUEUE (self), NULL);
  g_return_val_if_fail (DRAY_IS_EXECUTOR (executor), NULL);
  g_return_val_if_fail (task != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  future = dray_executor_submit (executor, task, cancellable);
  dray_completion_queue_add (self, future);
  return future;
}

/**
 * dray_completion_queue_get_length:
 * @self: a completion queue
 *
 * Gets how many futures are still to come out.
 *
 * Returns: their number
 *
 * Since: 0.1
 */
guint
dray_completion_queue_get_length (DrayCompletionQueue *self)
{
  guint length;

  g_return_val_if_fail (DRAY_IS_COMPLETION_QUEUE (self), 0);

  dray_fork_check ();
  g_mutex_lock (&self->core->lock);
  length = g_queue_get_length (&self->core->members) + g_queue_get_length (&self->core->completed);
  g_mutex_unlock (&self->core->lock);

  return length;
}

/* --- Life --- */

/* Nobody waits: a wait keeps the queue. What a member is about to say is lost. */
static void
dray_completion_queue_finalize (GObject *object)
{
  DrayQueueCore *core = DRAY_COMPLETION_QUEUE (object)->core;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) detached = g_ptr_array_new_with_free_func ((GDestroyNotify) member_free);
  DrayFuture *future;

  g_mutex_lock (&core->lock);
  while ((future = g_queue_pop_head (&core->completed)) != NULL)
    g_ptr_array_add (futures, future);
  for (GList *link = core->members.head, *next; link != NULL; link = next)
    {
      DrayQueueMember *member = link->data;

      next = link->next;
      g_ptr_array_add (futures, g_steal_pointer (&member->future));
      if (dray_dependent_detach (&member->dependent, NULL))
        {
          g_queue_unlink (&core->members, link);
          g_ptr_array_add (detached, member);
        }
    }
  g_mutex_unlock (&core->lock);

  dray_queue_core_unref (core);
  G_OBJECT_CLASS (dray_completion_queue_parent_class)->finalize (object);
}

static void
dray_completion_queue_class_init (DrayCompletionQueueClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dray_completion_queue_finalize;
}

/* In a process that was forked: nobody else sees to the members any more. The reference stays: the
 * guard is looked at after this. */
static void
give_up_cb (DrayForkGuard *guard)
{
  DrayQueueCore *core = dray_queue_core_ref (
    (DrayQueueCore *) (gpointer) ((guint8 *) guard - G_STRUCT_OFFSET (DrayQueueCore, guard)));

  dray_dependents_catch_up (&core->members, &core->lock);
}

static void
dray_completion_queue_init (DrayCompletionQueue *self)
{
  DrayQueueCore *core = g_new0 (DrayQueueCore, 1);

  g_atomic_ref_count_init (&core->ref_count);
  g_mutex_init (&core->lock);
  core->guard.give_up = give_up_cb;
  dray_fork_guard_add (&core->guard, &core->lock);
  g_cond_init (&core->changed);
  dray_lifts_init (&core->lifts);
  self->core = core;
}

/**
 * dray_completion_queue_new:
 *
 * Makes an empty queue.
 *
 * Returns: (transfer full): a completion queue
 *
 * Since: 0.1
 */
DrayCompletionQueue *
dray_completion_queue_new (void)
{
  return g_object_new (DRAY_TYPE_COMPLETION_QUEUE, NULL);
}
