/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-completion-queue.h"

#include "dray-combination.h"
#include "dray-future-private.h"
#include "dray-lifts.h"
#include "dray-pool.h"

#include <glib/gi18n-lib.h>

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

/*
 * The core is what members know of, which may be done after the queue is gone. Futures are the
 * application's objects: no last reference on one may be dropped on the I/O thread. So a member's
 * future is only moved there, and what the core has left goes when the queue is finalized, on a
 * thread of the application's.
 */
typedef struct
{
  gatomicrefcount ref_count;
  GMutex lock; /* taken before that of any pool */
  DrayForkGuard guard;

  /* protected by the lock */
  GQueue members;   /* of Member (unowned), by link: the unfinished ones */
  GQueue completed; /* of DrayFuture (owned): done, and not yet handed out */
  GQueue waits;     /* of Wait (unowned), by link: only while both others are empty of what they
                     * could be given */
  DrayLifts lifts;
  GCond changed;
} QueueCore;

typedef struct
{
  DrayDependent dependent; /* first */
  QueueCore *core;         /* (owned) */
  GList link;
  DrayFuture *future; /* (owned) (nullable): until it is done, or the queue is gone */
} Member;

/* Somebody who waits without blocking: @ticket is completed when there is something to say. */
typedef struct
{
  GList link;
  gboolean queued;
  DrayTicket *ticket; /* (owned) */
  DrayFuture *given;  /* (owned) (nullable): NULL, there is none left */
} Wait;

struct _DrayCompletionQueue
{
  GObject parent_instance;

  /* set at construction */
  QueueCore *core; /* (owned) */
};

G_DEFINE_FINAL_TYPE (DrayCompletionQueue, dray_completion_queue, G_TYPE_OBJECT)

/* --- The core --- */

static QueueCore *
queue_core_ref (QueueCore *core)
{
  g_atomic_ref_count_inc (&core->ref_count);
  return core;
}

static void
queue_core_unref (QueueCore *core)
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
member_free (Member *member)
{
  g_assert (member->future == NULL);

  dray_ticket_unref (member->dependent.ticket);
  queue_core_unref (member->core);
  g_free (member);
}

/* Whoever waits is now to be told, with what it was given. */
static void
end_wait_locked (QueueCore *core, Wait *wait, GQueue *told)
{
  g_queue_unlink (&core->waits, &wait->link);
  wait->queued = FALSE;
  g_queue_push_tail (told, dray_ticket_ref (wait->ticket));
}

/* Gives @future, which is taken, to who has waited longest, or keeps it. */
static void
offer_locked (QueueCore *core, DrayFuture *future, GQueue *told)
{
  Wait *wait = g_queue_peek_head (&core->waits);

  if (wait == NULL)
    {
      g_queue_push_tail (&core->completed, future);
      g_cond_broadcast (&core->changed);
      return;
    }

  wait->given = future;
  end_wait_locked (core, wait, told);
}

/* When nothing is left to come, nobody waits any more. */
static void
dismiss_if_over_locked (QueueCore *core, GQueue *told)
{
  Wait *wait;

  if (!g_queue_is_empty (&core->members))
    return;

  while ((wait = g_queue_peek_head (&core->waits)) != NULL)
    end_wait_locked (core, wait, told);
  g_cond_broadcast (&core->changed);
}

static void
tell (GQueue *told)
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
  Member *member = (Member *) dependent;
  QueueCore *core = member->core;
  GQueue told = G_QUEUE_INIT;

  g_mutex_lock (&core->lock);
  g_queue_unlink (&core->members, &member->link);
  dray_lifts_remove (&core->lifts, dependent->ticket);
  if (member->future != NULL)
    offer_locked (core, g_steal_pointer (&member->future), &told);
  dismiss_if_over_locked (core, &told);
  g_mutex_unlock (&core->lock);

  tell (&told);
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
  QueueCore *core;
  Member *member;

  g_return_if_fail (DRAY_IS_COMPLETION_QUEUE (self));
  g_return_if_fail (DRAY_IS_FUTURE (future));

  core = self->core;
  member = g_new0 (Member, 1);
  member->core = queue_core_ref (core);
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

/* --- Waiting --- */

static void
wake_waiters_cb (GCancellable *cancellable, gpointer user_data)
{
  QueueCore *core = user_data;

  g_mutex_lock (&core->lock);
  g_cond_broadcast (&core->changed);
  g_mutex_unlock (&core->lock);
}

static void
unref_core_closure (gpointer data, GClosure *closure)
{
  queue_core_unref (data);
}

static gboolean
has_answer_locked (QueueCore *core)
{
  return !g_queue_is_empty (&core->completed) || g_queue_is_empty (&core->members);
}

/* @deadline: monotonic, µs, or -1 */
static void
wait_locked (QueueCore *core, gint64 deadline, GCancellable *cancellable)
{
  while (!has_answer_locked (core) && !g_cancellable_is_cancelled (cancellable))
    {
      if (deadline < 0)
        g_cond_wait (&core->changed, &core->lock);
      else if (!g_cond_wait_until (&core->changed, &core->lock, deadline))
        break;
    }
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
  QueueCore *core;
  DrayFuture *future;
  gulong handler = 0;
  gboolean answered;

  g_return_val_if_fail (DRAY_IS_COMPLETION_QUEUE (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  dray_fork_check ();
  core = self->core;
  if (cancellable != NULL)
    handler = g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (wake_waiters_cb),
                                     queue_core_ref (core), unref_core_closure, 0);

  g_mutex_lock (&core->lock);
  if (!has_answer_locked (core) && timeout != 0) /* who only looks makes nothing urgent */
    {
      dray_lifts_begin_wait (&core->lifts);
      wait_locked (core, dray_ticket_get_deadline (timeout), cancellable);
      dray_lifts_end_wait (&core->lifts);
    }
  answered = has_answer_locked (core);
  future = g_queue_pop_head (&core->completed);
  g_mutex_unlock (&core->lock);

  if (handler != 0)
    g_signal_handler_disconnect (cancellable, handler);
  if (!answered && !g_cancellable_set_error_if_cancelled (cancellable, error))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                         _ ("No task was finished in time"));
  return future;
}

static void
wait_free (gpointer data)
{
  Wait *wait = data;

  g_clear_object (&wait->given);
  dray_ticket_unref (wait->ticket);
  g_free (wait);
}

/* The wait was cancelled: what it was given at the same time is for others. */
static void
give_up (QueueCore *core, Wait *wait)
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
    offer_locked (core, given, &told);
  g_cond_broadcast (&core->changed);
  g_mutex_unlock (&core->lock);

  dray_ticket_cancel (wait->ticket);
  tell (&told);
}

static void
ready_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  DrayCompletionQueue *self = g_task_get_source_object (task);
  Wait *wait = g_task_get_task_data (task);
  GError *error = NULL;
  g_autoptr (GVariant) ended = dray_future_result_finish (DRAY_FUTURE (object), result, &error);

  if (ended != NULL)
    {
      g_task_return_pointer (task, g_steal_pointer (&wait->given), g_object_unref);
      return;
    }

  give_up (self->core, wait);
  g_task_return_error (task, error);
}

/* (transfer full) (nullable): of a future that has to be waited for; NULL: there is an answer,
 * which is put to @future */
static DrayPool *
find_pool (QueueCore *core, DrayFuture **future)
{
  DrayPool *pool = NULL;

  g_mutex_lock (&core->lock);
  if (has_answer_locked (core))
    *future = g_queue_pop_head (&core->completed);
  else
    pool = dray_pool_ref (((Member *) core->members.head->data)->dependent.ticket->pool);
  g_mutex_unlock (&core->lock);

  return pool;
}

static void
begin_wait (QueueCore *core, Wait *wait)
{
  GQueue told = G_QUEUE_INIT;

  g_mutex_lock (&core->lock);
  wait->link.data = wait;
  wait->queued = TRUE;
  g_queue_push_tail_link (&core->waits, &wait->link);
  if (has_answer_locked (core)) /* since a moment ago */
    {
      wait->given = g_queue_pop_head (&core->completed);
      end_wait_locked (core, wait, &told);
    }
  g_mutex_unlock (&core->lock);

  tell (&told);
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
 * Since: 0.1
 */
void
dray_completion_queue_next_async (DrayCompletionQueue *self,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  g_autoptr (GTask) task = NULL;
  g_autoptr (DrayPool) pool = NULL;
  g_autoptr (DrayFuture) signal = NULL;
  DrayFuture *future = NULL;
  Wait *wait;

  g_return_if_fail (DRAY_IS_COMPLETION_QUEUE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  dray_fork_check ();
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, dray_completion_queue_next_async);
  /* What was taken out is not lost to a cancel that comes a moment later. */
  g_task_set_check_cancellable (task, FALSE);
  if (g_task_return_error_if_cancelled (task))
    return;

  pool = find_pool (self->core, &future);
  if (pool == NULL)
    {
      g_task_return_pointer (task, future, g_object_unref);
      return;
    }

  signal = dray_combination_new_future (pool);
  wait = g_new0 (Wait, 1);
  wait->ticket = dray_ticket_ref (dray_future_get_ticket (signal));
  g_task_set_task_data (task, wait, wait_free);
  dray_future_result_async (signal, cancellable, ready_cb, g_steal_pointer (&task));
  begin_wait (self->core, wait);
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
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- Life --- */

/* Nobody waits: a wait keeps the queue. What a member is about to say is lost. */
static void
dray_completion_queue_finalize (GObject *object)
{
  QueueCore *core = DRAY_COMPLETION_QUEUE (object)->core;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) detached = g_ptr_array_new_with_free_func ((GDestroyNotify) member_free);
  DrayFuture *future;

  g_mutex_lock (&core->lock);
  while ((future = g_queue_pop_head (&core->completed)) != NULL)
    g_ptr_array_add (futures, future);
  for (GList *link = core->members.head, *next; link != NULL; link = next)
    {
      Member *member = link->data;

      next = link->next;
      g_ptr_array_add (futures, g_steal_pointer (&member->future));
      if (dray_dependent_detach (&member->dependent, NULL))
        {
          g_queue_unlink (&core->members, link);
          g_ptr_array_add (detached, member);
        }
    }
  g_mutex_unlock (&core->lock);

  queue_core_unref (core);
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
  QueueCore *core = queue_core_ref (
    (QueueCore *) (gpointer) ((guint8 *) guard - G_STRUCT_OFFSET (QueueCore, guard)));
  Member *member;

  do
    {
      g_mutex_lock (&core->lock);
      member = g_queue_peek_head (&core->members);
      g_mutex_unlock (&core->lock);

      if (member != NULL)
        dray_dependent_catch_up (&member->dependent);
    }
  while (member != NULL);
}

static void
dray_completion_queue_init (DrayCompletionQueue *self)
{
  QueueCore *core = g_new0 (QueueCore, 1);

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
