/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-command.h"
#include "dray-error-private.h"
#include "dray-map-flow.h"
#include "dray-pool-worker.h"
#include "dray-pool.h"

#include <glib/gi18n-lib.h>

/* The end of a pool, as far as any thread may see to it: the tickets, the deliveries, and waiting
 * for it. The processes are the I/O thread's, in dray-dispatch.c. */

/* What is given up in a shutdown goes to @given_up (of DrayTicket, transfer full), and is let go of
 * only when nothing waits for that any more: what the application has to free with it may run code
 * of the application, which may wait for this very shutdown. */

/* Nothing pending may run any more. Each ticket is completed by itself, so that the lock is
 * never held for long. */
static void
refuse_pending (DrayPool *self, DrayShutdownMode mode, GPtrArray *given_up)
{
  for (;;)
    {
      DrayTicket *ticket;

      dray_pool_lock (self);
      ticket = dray_pending_queue_peek (self->calls);
      if (ticket == NULL)
        ticket = dray_pending_queue_peek (self->commands);
      if (ticket != NULL)
        dray_pool_dequeue_locked (self, ticket);
      if (ticket != NULL && mode == DRAY_SHUTDOWN_CANCEL_PENDING)
        ticket->cancel_requested = TRUE;
      dray_pool_unlock (self);

      if (ticket == NULL)
        return;

      dray_ticket_complete (ticket, NULL,
                            mode == DRAY_SHUTDOWN_CANCEL_PENDING ? g_error_new_literal (
                              G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled"))
                              : dray_pool_end_error (self));
      g_ptr_array_add (given_up, ticket);
    }
}

/* What waits for another task will not run: that may run to its end. */
static void
cancel_deferred (DrayPool *self, GPtrArray *given_up)
{
  GPtrArray *tickets;
  gboolean any;

  dray_pool_lock (self);
  any = self->n_deferred > 0;
  dray_pool_unlock (self);
  if (!any)
    return;

  tickets = dray_pool_list_open (self);
  for (guint i = tickets->len; i > 0; i--)
    {
      DrayTicket *ticket = tickets->pdata[i - 1];
      gboolean deferred;

      dray_pool_lock (self);
      deferred = ticket->deferred;
      ticket->cancel_requested |= deferred;
      dray_pool_unlock (self);

      if (deferred)
        dray_ticket_complete (
          ticket, NULL,
          g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled")));
    }
  g_ptr_array_extend_and_steal (given_up, tickets);
}

/* What runs is given up by its futures at once; its processes follow. */
static void
refuse_running (DrayPool *self, GPtrArray *given_up)
{
  GPtrArray *tickets = dray_pool_list_open (self);

  for (guint i = 0; i < tickets->len; i++)
    dray_ticket_complete (tickets->pdata[i], NULL, dray_pool_end_error (self));
  g_ptr_array_extend_and_steal (given_up, tickets);
}

/* Nobody will have room any more: whoever waits for it is told, and finds the pool shut. */
static void
dismiss_room_waiters_locked (DrayPool *self)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&self->room_waiters)) != NULL)
    {
      DrayRoomWaiter *waiter = link->data;

      waiter->waits = FALSE;
      dray_delivery_add_notice_locked (waiter->delivery, &waiter->notice);
    }
}

/* Returns whether it was kept. */
static gboolean
keep_notice_locked (DrayPool *self, DrayCloseNotice *notice)
{
  if (notice == NULL)
    return FALSE;

  /* A pool that is closed may still have something to hand over. */
  notice->delivery = self->closed ? dray_delivery_find_locked (self)
                                  : dray_delivery_get_locked (self);
  if (notice->delivery == NULL)
    return FALSE;

  notice->notice.last = TRUE;
  notice->notice.link.data = notice;
  if (self->closed)
    dray_delivery_add_notice_locked (notice->delivery, &notice->notice);
  else
    g_queue_push_tail_link (&self->close_notices, &notice->notice.link);
  notice->waits = !self->closed;
  if (notice->cancelled != NULL)
    g_source_attach (notice->cancelled, g_main_context_get_thread_default ());
  return TRUE;
}

void
dray_pool_forget_close_notice (DrayPool *self, DrayCloseNotice *notice)
{
  dray_pool_lock (self);
  if (notice->waits)
    g_queue_unlink (&self->close_notices, &notice->notice.link);
  else
    dray_delivery_remove_notice_locked (notice->delivery, &notice->notice);
  notice->waits = FALSE;
  dray_pool_unlock (self);
}

gboolean
dray_pool_shutdown (DrayPool *self, DrayShutdownMode mode, DrayCloseNotice *notice)
{
  g_autoptr (GPtrArray) given_up = g_ptr_array_new_with_free_func (
    (GDestroyNotify) dray_ticket_unref);
  gboolean stronger, kept, never_ran;

  dray_fork_check ();
  dray_pool_lock (self);
  stronger = !self->shutting_down || mode > self->mode;
  self->shutting_down = TRUE;
  self->reading_changed = TRUE; /* what nobody pulls any more must not hold it up */
  self->n_refusing++;
  if (stronger)
    self->mode = mode;
  dismiss_room_waiters_locked (self);
  while (!g_queue_is_empty (&self->maps))
    dray_map_flow_shut_down_locked (g_queue_peek_head (&self->maps));
  kept = keep_notice_locked (self, notice);
  never_ran = self->io == NULL;
  dray_pool_unlock (self);

  if (stronger && mode >= DRAY_SHUTDOWN_CANCEL_PENDING)
    refuse_pending (self, mode, given_up);
  if (stronger && mode == DRAY_SHUTDOWN_CANCEL_PENDING)
    cancel_deferred (self, given_up);
  if (stronger && mode >= DRAY_SHUTDOWN_TERMINATE)
    refuse_running (self, given_up);

  /* Only now: a task that is given up shall not seem to have failed of what is done to its
   * process, and the last one shall be told before the deliveries are closed. */
  dray_pool_lock (self);
  self->n_refusing--;
  dray_pool_wake_locked (self);
  dray_pool_unlock (self);

  if (never_ran)
    dray_pool_close (self);
  return kept;
}

static void
close_deliveries (DrayPool *self)
{
  g_autoptr (GPtrArray) deliveries = g_ptr_array_new_with_free_func (
    (GDestroyNotify) dray_delivery_unref);
  GHashTableIter iter;
  gpointer delivery;

  dray_pool_lock (self);
  g_hash_table_iter_init (&iter, self->deliveries);
  while (g_hash_table_iter_next (&iter, NULL, &delivery))
    g_ptr_array_add (deliveries, dray_delivery_ref (delivery));
  dray_pool_unlock (self);

  for (guint i = 0; i < deliveries->len; i++)
    dray_delivery_close (deliveries->pdata[i]);
}

/* Called once: by the I/O thread, or by whoever shuts down a pool that never had one. */
void
dray_pool_close (DrayPool *self)
{
  GList *link;

  dray_pool_lock (self);
  if (self->closed)
    {
      dray_pool_unlock (self);
      return;
    }

  self->closed = TRUE;
  while ((link = g_queue_pop_head_link (&self->close_notices)) != NULL)
    {
      DrayCloseNotice *notice = link->data;

      notice->waits = FALSE;
      dray_delivery_add_notice_locked (notice->delivery, &notice->notice);
    }
  g_cond_broadcast (&self->closed_cond);
  dray_pool_unlock (self);

  close_deliveries (self);
}

static void
wake_waiters_cb (GCancellable *cancellable, gpointer user_data)
{
  DrayPool *self = user_data;

  dray_pool_lock (self);
  g_cond_broadcast (&self->closed_cond);
  dray_pool_unlock (self);
}

static void
unref_pool_closure (gpointer data, GClosure *closure)
{
  dray_pool_unref (data);
}

/* (transfer full): those that have to do something before everything here can come to its end. */
static GPtrArray *
list_pools_waited_for (DrayPool *self)
{
  GPtrArray *pools = g_ptr_array_new_with_free_func ((GDestroyNotify) dray_pool_unref);

  dray_pool_lock (self);
  for (GList *link = self->n_deferred > 0 ? self->open.head : NULL; link != NULL; link = link->next)
    {
      DrayTicket *ticket = link->data;

      for (guint i = 0; ticket->lifts != NULL && i < ticket->lifts->len; i++)
        if (!g_ptr_array_find (pools, ticket->lifts->pdata[i], NULL))
          g_ptr_array_add (pools, dray_pool_ref (ticket->lifts->pdata[i]));
    }
  dray_pool_unlock (self);

  return pools;
}

gboolean
dray_pool_wait_closed (DrayPool *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) others = list_pools_waited_for (self);
  gulong handler = 0;
  gboolean closed;

  if (cancellable != NULL)
    handler = g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (wake_waiters_cb),
                                     dray_pool_ref (self), unref_pool_closure, 0);

  dray_pool_set_urgent_all (others, TRUE);
  dray_pool_lock (self);
  dray_pool_set_urgent_locked (self, TRUE);
  while (!self->closed && !g_cancellable_is_cancelled (cancellable))
    g_cond_wait (&self->closed_cond, &self->lock);
  dray_pool_set_urgent_locked (self, FALSE);
  closed = self->closed;
  dray_pool_unlock (self);
  dray_pool_set_urgent_all (others, FALSE);

  if (handler != 0)
    g_signal_handler_disconnect (cancellable, handler);
  if (self->forked)
    g_propagate_error (error, dray_fork_error ());
  else if (!closed)
    g_cancellable_set_error_if_cancelled (cancellable, error);
  return closed && !self->forked;
}

/* --- In a process that was forked --- */

/* Who holds the other ends shall notice that the parent has closed these, and only the parent shall
 * write to them. The objects are not used any more. */
void
dray_pool_forked_cb (DrayForkGuard *guard)
{
  DrayPool *self = (DrayPool *) (gpointer) ((guint8 *) guard - G_STRUCT_OFFSET (DrayPool, guard));

  for (GList *link = self->workers.head; link != NULL; link = link->next)
    dray_process_forked (&((DrayPoolWorker *) link->data)->process);
  for (GList *link = self->running_commands.head; link != NULL; link = link->next)
    dray_process_forked (&((DrayCommand *) link->data)->process);
}

/*
 * The pool keeps the reference that is the I/O thread's, and so all that belongs to that. It also
 * keeps the tickets: to free a value takes a lock of GLib's, and after a fork, a thread that is not
 * there may seem to hold that for ever.
 */
void
dray_pool_give_up_cb (DrayForkGuard *guard)
{
  DrayPool *self = (DrayPool *) (gpointer) ((guint8 *) guard - G_STRUCT_OFFSET (DrayPool, guard));
  gboolean has_processes;

  dray_pool_lock (self);
  has_processes = self->io != NULL;
  if (has_processes)
    {
      self->io = NULL;
      self->forked = self->shutting_down = TRUE;
      self->mode = DRAY_SHUTDOWN_KILL;
      dismiss_room_waiters_locked (self);
      while (!g_queue_is_empty (&self->maps))
        dray_map_flow_shut_down_locked (g_queue_peek_head (&self->maps));
    }
  dray_pool_unlock (self);
  if (!has_processes)
    return;

  self->inherited = dray_pool_list_open (self);
  refuse_pending (self, DRAY_SHUTDOWN_KILL, self->inherited);
  refuse_running (self, self->inherited);
  dray_pool_close (self);
}
