/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool.h"

#include "dray-combination.h"
#include "dray-future-private.h"
#include "dray-lists.h"
#include "dray-run.h"
#include "dray-task-private.h"

#include <glib/gi18n-lib.h>

/*
 * How a task gets into the pool. Under one lock it is seen whether there is room for it, it gets
 * its number, and it is refused, put into the queue, or put aside until what it comes after is
 * done. A refused one has a future like any other, which has failed.
 *
 * Room. Those who can wait for it stand in a line, and the first of them is told when there is
 * some. It tries again then, and leaves the line only when it got in, or does not want to any more;
 * until then no other that can wait gets past it. Who can't wait takes what room there is.
 */

/* --- Room --- */

static gsize
n_pending_locked (DrayPool *self)
{
  return dray_pending_queue_get_length (self->calls)
         + dray_pending_queue_get_length (self->commands) + self->n_deferred;
}

/* Whether one more task has room. */
static gboolean
has_room_locked (DrayPool *self, DrayTask *task)
{
  gsize n_pending = n_pending_locked (self) + self->n_joined;

  /* A single task always has room: else one that is larger than the limit never would. */
  if (n_pending == 0)
    return TRUE;

  return (self->options.max_pending_tasks == 0 || n_pending < self->options.max_pending_tasks)
         && (self->options.max_pending_bytes == 0
             || self->pending_bytes + self->joined_bytes + dray_pool_task_size (task)
                  <= self->options.max_pending_bytes);
}

/* Its notice may be queued, again even while it is run. Returns whether it was waiting. */
static gboolean
leave_line_locked (DrayPool *self, DrayRoomWaiter *waiter)
{
  gboolean waited = waiter->waits;

  if (waiter->waits)
    g_queue_unlink (&self->room_waiters, &waiter->link);
  waiter->waits = FALSE;
  if (waiter->delivery != NULL
      && dray_delivery_remove_notice_locked (waiter->delivery, &waiter->notice))
    waited = TRUE;

  return waited;
}

/* Those who wait have left the line before the pool is closed, and their deliveries with it: each
 * still has its main context. */
void
dray_pool_offer_room_locked (DrayPool *self)
{
  DrayRoomWaiter *waiter = g_queue_peek_head (&self->room_waiters);

  if (waiter != NULL && has_room_locked (self, waiter->task))
    dray_delivery_add_notice_locked (waiter->delivery, &waiter->notice);
}

static gboolean
has_to_wait_locked (DrayPool *self, DrayRoomWaiter *waiter)
{
  DrayRoomWaiter *first = g_queue_peek_head (&self->room_waiters);

  return !self->shutting_down
         && ((first != NULL && first != waiter) || !has_room_locked (self, waiter->task));
}

static void
enter_line_locked (DrayPool *self, DrayRoomWaiter *waiter)
{
  if (waiter->waits)
    return;

  waiter->waits = TRUE;
  waiter->link.data = waiter;
  waiter->delivery = dray_delivery_get_locked (self);
  g_queue_push_tail_link (&self->room_waiters, &waiter->link);
  if (waiter->cancelled != NULL)
    g_source_attach (waiter->cancelled, g_main_context_get_thread_default ());
}

gboolean
dray_pool_stop_waiting (DrayPool *self, DrayRoomWaiter *waiter)
{
  gboolean waited;

  dray_pool_lock (self);
  waited = leave_line_locked (self, waiter);
  dray_pool_offer_room_locked (self);
  dray_pool_unlock (self);

  return waited;
}

/* --- Submitting --- */

/* Why @ticket is not accepted, or NULL. */
static GError *
find_refusal_locked (DrayPool *self, DrayTicket *ticket, GCancellable *cancellable)
{
  GError *error = NULL;

  if (g_cancellable_is_cancelled (cancellable))
    {
      ticket->cancel_requested = TRUE;
      return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled"));
    }

  if (self->shutting_down)
    return dray_pool_end_error (self);

  if (self->plan == NULL && dray_task_get_kind (ticket->task) == DRAY_TASK_CALL)
    return g_error_new_literal (DRAY_ERROR, DRAY_ERROR_LAUNCH,
                                _ ("This executor has no launcher, so that it runs commands only"));

  if (ticket->chunk == NULL && !has_room_locked (self, ticket->task))
    return g_error_new_literal (DRAY_ERROR, DRAY_ERROR_QUEUE_FULL,
                                _ ("Too many tasks are waiting already"));

  if (self->io == NULL)
    {
      self->io = dray_io_thread_acquire (&error);
      if (self->io != NULL)
        dray_pool_ref (self); /* until it is closed */
    }
  return error;
}

/* Queues what is to be run for @ticket; unless it is another task's run, which is returned
 * (transfer full), as is a new one. */
static DrayTicket *
queue_locked (DrayPool *self, DrayTicket *ticket)
{
  DrayTicket *run = NULL;
  DrayTicket *queued = ticket;
  gboolean is_new = TRUE;

  if (dray_task_get_key (ticket->task) != NULL)
    queued = run = dray_run_join_locked (ticket, &is_new);

  if (is_new)
    {
      dray_pool_enqueue_locked (self, dray_ticket_ref (queued), FALSE);
      if (!dray_pool_give_directly_locked (self, queued))
        dray_pool_wake_locked (self);
    }
  return run;
}

/* Returns what the caller has to drop without the lock (transfer full) (nullable). */
static DrayTicket *
submit_locked (DrayPool *self, DrayTicket *ticket, GCancellable *cancellable)
{
  GError *refusal;

  self->counters.submitted++;
  g_queue_push_tail_link (&self->open, &ticket->open_link);
  if (self->lists != NULL)
    dray_lists_ticket_submitted_locked (self->lists, ticket);

  refusal = find_refusal_locked (self, ticket, cancellable);
  if (refusal != NULL)
    {
      dray_ticket_complete_locked (ticket, NULL, refusal);
      return NULL;
    }

  if (ticket->ties != NULL) /* it follows another one */
    {
      dray_pool_defer_locked (self, ticket);
      return NULL;
    }

  return queue_locked (self, ticket);
}

void
dray_pool_submit_chunk_locked (DrayPool *self,
                               DrayTicket *ticket,
                               guint n_calls,
                               const GError *refusal)
{
  GError *error = refusal != NULL ? g_error_copy (refusal) : NULL;

  ticket->id = self->last_ticket_id + 1;
  self->last_ticket_id += n_calls;
  self->counters.submitted += n_calls;
  g_queue_push_tail_link (&self->open, &ticket->open_link);

  if (error == NULL)
    error = find_refusal_locked (self, ticket, NULL);
  if (error != NULL)
    {
      ticket->cancel_requested = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      dray_ticket_complete_locked (ticket, NULL, error);
      return;
    }

  dray_ticket_ref (ticket);
  dray_pool_enqueue_locked (self, ticket, FALSE);
  dray_pool_wake_locked (self);
}

void
dray_pool_add_chunk_locked (DrayPool *self, DrayTicket *ticket, guint64 id)
{
  ticket->id = id;
  g_queue_push_tail_link (&self->open, &ticket->open_link);
}

/* NULL: @waiter (nullable) has to wait. */
static DrayFuture *
submit_ticket (DrayPool *self,
               DrayTicket *ticket,
               GCancellable *cancellable,
               DrayRoomWaiter *waiter)
{
  g_autoptr (DrayFuture) future = dray_future_new (ticket);
  g_autoptr (DrayTicket) run = NULL;
  gboolean closed, waits;

  dray_fork_check ();
  dray_task_seal (ticket->task);

  dray_pool_lock (self);
  closed = self->closed;
  waits = waiter != NULL && has_to_wait_locked (self, waiter);
  ticket->delivery = dray_delivery_get_locked (self);
  if (waiter != NULL && !waits)
    dray_delivery_hold_back_ticket_locked (ticket->delivery, ticket);
  if (waits)
    {
      enter_line_locked (self, waiter);
    }
  else
    {
      ticket->id = ++self->last_ticket_id;
      run = submit_locked (self, ticket, cancellable);
      if (waiter != NULL)
        leave_line_locked (self, waiter);
      dray_pool_offer_room_locked (self);
    }
  dray_pool_unlock (self);

  if (waits)
    return NULL;

  /* A closed pool keeps no delivery: that one goes as soon as it has told of the refusal. */
  if (closed)
    dray_delivery_close (ticket->delivery);
  if (cancellable != NULL)
    dray_ticket_set_cancellable (ticket, cancellable);
  return g_steal_pointer (&future);
}

DrayFuture *
dray_pool_submit (DrayPool *self, DrayTask *task, GCancellable *cancellable)
{
  g_autoptr (DrayTicket) ticket = dray_ticket_new (self, task);

  return submit_ticket (self, ticket, cancellable, NULL);
}

DrayFuture *
dray_pool_submit_with_room (DrayPool *self, DrayRoomWaiter *waiter, GCancellable *cancellable)
{
  g_autoptr (DrayTicket) ticket = dray_ticket_new (self, waiter->task);

  return submit_ticket (self, ticket, cancellable, waiter);
}

DrayFuture *
dray_pool_submit_after (DrayPool *self, DrayTask *task, DrayTicket *previous, int position)
{
  g_autoptr (DrayTicket) ticket = dray_ticket_new (self, task);
  g_autoptr (DrayCombination) combination = NULL;
  DrayFuture *future;

  combination = dray_combination_follow (ticket, previous, position);
  future = submit_ticket (self, ticket, NULL, NULL);
  dray_combination_begin (combination);
  dray_ticket_tie_up (ticket); /* it may have been refused */
  return future;
}
