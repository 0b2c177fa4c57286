/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-ticket.h"

#include "dray-pool.h"
#include "dray-run.h"

#include <glib/gi18n-lib.h>

/* The ticket: cancelled by somebody, or by a cancellable. */

/*
 * The handler is a plain signal handler that holds a reference on the ticket, not one of
 * g_cancellable_connect(): disconnecting that would wait for whatever other handlers of the same
 * cancellable do, on a thread (the I/O thread) that may wait for nobody's code.
 */
static void
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  dray_ticket_cancel (user_data);
}

void
dray_ticket_set_cancellable (DrayTicket *self, GCancellable *cancellable)
{
  gulong handler;
  gboolean done;

  handler = g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (cancelled_cb),
                                   dray_ticket_ref (self), dray_ticket_unref_closure, 0);

  dray_pool_lock (self->pool);
  done = dray_ticket_is_done_locked (self);
  if (!done)
    {
      self->cancellable = g_object_ref (cancellable);
      self->cancelled_handler = handler;
    }
  dray_pool_unlock (self->pool);

  if (done)
    g_signal_handler_disconnect (cancellable, handler);
  else if (g_cancellable_is_cancelled (cancellable))
    /* Not covered: it has to be cancelled between being looked at and this. */
    dray_ticket_cancel (self);
}

static GError *
cancelled_error (void)
{
  return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled"));
}

/* A run ends when its worker has stopped it: nobody has a future of it. */
static gboolean
ends_at_once (DrayTicket *self)
{
  return self->run == NULL && dray_task_get_cancel_mode (self->task) == DRAY_CANCEL_IMMEDIATE;
}

/* Whether it was queued: then the queue's reference is the caller's. */
static gboolean
cancel_locked (DrayTicket *self)
{
  DrayPool *pool = self->pool;
  gboolean was_queued, never_ran;

  if (dray_ticket_is_done_locked (self) || self->decided || self->cancel_requested)
    return FALSE;

  self->cancel_requested = TRUE;
  self->cancel_parts = TRUE;
  if (self->run != NULL)
    dray_run_close_locked (self);

  was_queued = dray_pending_link_is_queued (&self->pending);
  never_ran = was_queued || self->deferred || self->task == NULL;
  if (!never_ran)
    {
      g_queue_push_tail (&pool->cancels, dray_ticket_ref (self));
      dray_pool_wake_locked (pool);
    }
  if (never_ran || ends_at_once (self))
    dray_ticket_complete_locked (self, NULL, cancelled_error ());

  return was_queued;
}

/* The same for one of those that share a run: as long as others want that, it goes on. */
static gboolean
cancel_member_locked (DrayTicket *self)
{
  gboolean is_last = dray_run_is_last_locked (self);
  gboolean was_queued = FALSE;

  if (dray_ticket_is_done_locked (self) || self->cancel_requested)
    return FALSE;

  self->cancel_requested = TRUE;
  if (is_last)
    was_queued = cancel_locked (self->run_ticket);
  if (!is_last || ends_at_once (self))
    dray_ticket_complete_locked (self, NULL, cancelled_error ());

  return was_queued;
}

static DrayCancelRank
get_rank_locked (DrayTicket *self)
{
  if (self->state == DRAY_FUTURE_RUNNING)
    return DRAY_CANCEL_RUNNING;

  return self->deferred || self->task == NULL ? DRAY_CANCEL_DEPENDENT : DRAY_CANCEL_PENDING;
}

DrayCancelRank
dray_ticket_get_cancel_rank (DrayTicket *self)
{
  DrayCancelRank rank;

  dray_pool_lock (self->pool);
  rank = get_rank_locked (self);
  dray_pool_unlock (self->pool);

  return rank;
}

/* FALSE: it comes after @last, and is spared. */
static gboolean
cancel (DrayTicket *self, DrayCancelRank last)
{
  DrayPool *pool = self->pool;
  g_autoptr (DrayTicket) run = NULL;
  gboolean was_queued;

  dray_fork_check ();
  dray_pool_lock (pool);
  if (get_rank_locked (self) > last)
    {
      dray_pool_unlock (pool);
      return FALSE;
    }
  if (self->run_ticket != NULL)
    {
      run = dray_ticket_ref (self->run_ticket);
      was_queued = cancel_member_locked (self);
    }
  else
    {
      was_queued = cancel_locked (self);
    }
  dray_pool_unlock (pool);

  dray_ticket_tie_up (self);
  if (run != NULL)
    dray_ticket_tie_up (run);
  if (was_queued)
    dray_ticket_unref (run != NULL ? run : self); /* the queue's */
  return TRUE;
}

void
dray_ticket_cancel (DrayTicket *self)
{
  cancel (self, DRAY_CANCEL_LAST);
}

void
dray_ticket_cancel_all (GPtrArray *tickets)
{
  g_autoptr (GPtrArray) left = g_ptr_array_new ();

  /* Of what is pending what was submitted first is the last. */
  for (guint i = tickets->len; i > 0; i--)
    if (!cancel (tickets->pdata[i - 1], DRAY_CANCEL_PENDING))
      g_ptr_array_add (left, tickets->pdata[i - 1]);

  for (DrayCancelRank rank = DRAY_CANCEL_DEPENDENT; rank <= DRAY_CANCEL_LAST; rank++)
    for (guint i = 0; i < left->len; i++)
      if (left->pdata[i] != NULL && cancel (left->pdata[i], rank))
        left->pdata[i] = NULL;
}

gboolean
dray_ticket_is_cancel_requested (DrayTicket *self)
{
  gboolean requested;

  dray_pool_lock (self->pool);
  requested = self->cancel_requested;
  dray_pool_unlock (self->pool);

  return requested;
}
