/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-future-private.h"

#include "dray-pool-worker.h"
#include "dray-run.h"

/*
 * The priority of a task that was submitted, which may change for as long as it is pending.
 *
 * A task in the queue moves to the end of those that have its new priority, in O(log b), b being
 * the number of different priorities in the queue. It gets a rank of its own there, as if it had
 * been submitted now, so that it finds the same place again when its worker gives it back.
 *
 * Tasks that wait in a worker, behind the one that runs, are in no queue. When their order, or that
 * of them and of what is pending, is wrong after a change, they are asked back; the worker returns
 * those that it has not begun.
 * That is done for a change only, not for each submit: a recall costs a message in each
 * direction, and a stream of tasks of several priorities would be recalled all the time.
 */

gboolean
dray_pool_set_priority_locked (DrayPool *self, DrayTicket *ticket, int priority)
{
  if (ticket->run_ticket != NULL)
    return dray_run_set_priority_locked (ticket, priority);
  if (ticket->state != DRAY_FUTURE_PENDING || ticket->cancel_requested || ticket->task == NULL)
    return FALSE;
  if (ticket->priority == priority)
    return TRUE;

  ticket->priority = priority;
  ticket->pending.rank = ++self->last_rank;
  if (dray_pending_link_is_queued (&ticket->pending))
    {
      DrayPendingQueue *queue = dray_pool_get_queue (self, ticket->task);

      dray_pending_queue_remove (queue, &ticket->pending);
      dray_pending_queue_push_tail (queue, &ticket->pending, dray_ticket_get_order_locked (ticket));
    }

  self->order_changed = TRUE;
  dray_pool_wake_locked (self);
  return TRUE;
}

/* Whether something comes after what it should precede: within @worker, or in the queue. */
static gboolean
is_overtaken_locked (DrayPoolWorker *worker)
{
  DrayTicket *first = dray_pending_queue_peek (worker->pool->calls);
  int highest = G_MININT;

  for (GList *link = worker->ahead.head; link != NULL; link = link->next)
    {
      int priority = ((DrayTicket *) link->data)->priority;

      if (priority < highest)
        return TRUE;
      highest = priority;
    }

  return first != NULL && first->priority < highest;
}

void
dray_pool_recall_overtaken (DrayPool *self)
{
  for (GList *link = self->workers.head; link != NULL; link = link->next)
    {
      gboolean overtaken;

      if (!dray_pool_worker_can_recall (link->data))
        continue;

      dray_pool_lock (self);
      overtaken = is_overtaken_locked (link->data);
      dray_pool_unlock (self);

      if (overtaken)
        dray_pool_worker_recall (link->data);
    }
}

/**
 * dray_future_set_priority:
 * @self: a future
 * @priority: any number; a lower one comes first
 *
 * Changes how soon a pending task has its turn: what has just become visible goes first, what has
 * scrolled away may wait. The task comes after those that have this priority already; so of two
 * that are raised, the one that was raised first runs first. Setting the priority that it has
 * changes nothing.
 *
 * A task that waits in a worker already, behind the one that runs there, is pending, too. It is
 * asked back if something more urgent is pending now. If the worker has just begun it, it stays
 * where it is. That is done for such a change only: a task that is submitted with a low number
 * comes behind those that wait in a worker already.
 *
 * The task that [method@Future.get_task] gives is not changed. Any thread; the costs do not depend
 * on how many tasks are pending.
 *
 * Returns: %TRUE if the task was pending and has that priority now; %FALSE if it runs, is done, is
 *   cancelled, or is no task but a combined future: then nothing was changed
 *
 * Since: 0.1
 */
gboolean
dray_future_set_priority (DrayFuture *self, int priority)
{
  DrayTicket *ticket;
  gboolean set;

  g_return_val_if_fail (dray_future_is_real (self), FALSE);

  ticket = dray_future_get_ticket (self);
  dray_pool_lock (ticket->pool);
  set = dray_pool_set_priority_locked (ticket->pool, ticket, priority);
  dray_pool_unlock (ticket->pool);

  return set;
}

/**
 * dray_future_get_priority:
 * @self: a future
 *
 * Gets the priority that the task has, or had when it was started: that of its
 * [struct@Task], unless [method@Future.set_priority] has changed it since.
 *
 * Returns: the priority; a lower one comes first
 *
 * Since: 0.1
 */
int
dray_future_get_priority (DrayFuture *self)
{
  DrayTicket *ticket;
  int priority;

  g_return_val_if_fail (dray_future_is_real (self), 0);

  ticket = dray_future_get_ticket (self);
  dray_pool_lock (ticket->pool);
  priority = ticket->priority;
  dray_pool_unlock (ticket->pool);

  return priority;
}
