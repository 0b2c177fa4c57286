/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-dispatch-private.h"

#include "dray-error.h"
#include "dray-pool-worker.h"

/*
 * Launch failures. After each in a row the pool waits twice as long before the next try; after
 * MAX_LAUNCH_FAILURES, with no worker left, the calls that wait fail with the reason of the last
 * one. Those that were started before another one became ready do not count, even if they fail
 * after that: they say nothing about now. Workers that die before they have finished any task slow
 * the pool down in the same way, but fail nobody but the task they ran. So does a task that kills
 * its second worker, its third …, whatever those had finished before: else one task with many
 * retries would have workers started as fast as they can be killed.
 *
 * Commands. One that can't be started because descriptors, processes or memory are short goes back
 * to its place in the queue, and no other is tried for as long as the pool waits after a launch
 * failure, or until a process of the pool is gone. While any is at work there is hope, however
 * often it fails. With none, it fails after MAX_LAUNCH_FAILURES in a row, and each that follows
 * after its first try, until one can be started again. Calls are not held up.
 *
 * Attachments. The kernel lets all processes of a user together have only so many descriptors in
 * flight. A call whose attachments it does not take goes back to its place in the queue in the same
 * way, and whatever is behind it waits with it. Who had the others in flight is not known. So after
 * MAX_PASS_FAILURES in a row, about five seconds, it fails, whoever is at work, and so does each
 * that has waited behind it, after a try of its own.
 */

#define MAX_LAUNCH_FAILURES 3
#define MAX_PASS_FAILURES 9
#define FIRST_DELAY (20 * G_TIME_SPAN_MILLISECOND)
#define MAX_DELAY (2 * G_TIME_SPAN_SECOND)

static void
delay (DrayPool *self, DrayIoTimer *timer, guint n_failures)
{
  gint64 time = MIN (FIRST_DELAY << MIN (n_failures - 1, 10u), MAX_DELAY);
  gint64 deadline = g_get_monotonic_time () + time;

  if (timer->io == NULL || timer->deadline < deadline)
    dray_io_timer_set (timer, self->io, deadline);
}

void
dray_pool_relaunch_cb (DrayIoTimer *timer)
{
  DrayPool *self = (DrayPool *) (gpointer) ((guint8 *) timer
                                            - G_STRUCT_OFFSET (DrayPool, relaunch));

  dray_pool_dispatch (self);
}

/* Only those that have waited for the failed attempts: who hears of the first failure may have done
 * something about the reason, and submits the next call before the last one has failed. */
static void
fail_pending_calls (DrayPool *self)
{
  DrayTicket *ticket;
  guint64 last_id;

  dray_pool_lock (self);
  last_id = self->last_ticket_id;
  dray_pool_unlock (self);

  do
    {
      dray_pool_lock (self);
      ticket = dray_pending_queue_peek (self->calls);
      if (ticket != NULL && ticket->id > last_id)
        ticket = NULL;
      if (ticket != NULL)
        dray_pool_dequeue_locked (self, ticket);
      dray_pool_unlock (self);

      if (ticket != NULL)
        {
          dray_ticket_complete (ticket, NULL, g_error_copy (self->launch_error));
          dray_ticket_unref (ticket);
        }
    }
  while (ticket != NULL);
}

void
dray_pool_note_launch_failure (DrayPool *self, guint64 worker_id, GError *reason)
{
  g_clear_error (&self->launch_error);
  self->launch_error = reason;
  if (worker_id > self->last_proven_id)
    {
      self->n_launch_failures++;
      self->launch_hopeless = self->n_launch_failures >= MAX_LAUNCH_FAILURES;
    }
  delay (self, &self->relaunch, MAX (self->n_launch_failures, 1u));
}

void
dray_pool_note_early_death (DrayPool *self)
{
  self->n_early_deaths++;
  delay (self, &self->relaunch, self->n_early_deaths);
}

void
dray_pool_note_repeated_death (DrayPool *self, guint n_before)
{
  delay (self, &self->relaunch, n_before);
}

/* Whether any worker may still take calls, or leaves behind what another one needs: when it is gone
 * there is one more try at least. */
static gboolean
has_hope (DrayPool *self)
{
  return !g_queue_is_empty (&self->workers);
}

void
dray_dispatch_start_worker (DrayPool *self)
{
  GError *error = NULL;

  if (!dray_pool_worker_start (self, &error))
    dray_pool_note_launch_failure (self, self->last_worker_id + 1, error);
}

/* Tasks that come later get a try of their own. */
void
dray_dispatch_give_up_if_hopeless (DrayPool *self)
{
  if (self->launch_hopeless && !has_hope (self))
    fail_pending_calls (self);
  self->launch_hopeless = FALSE;
}

/* --- Commands --- */

void
dray_pool_restart_cb (DrayIoTimer *timer)
{
  DrayPool *self = (DrayPool *) (gpointer) ((guint8 *) timer - G_STRUCT_OFFSET (DrayPool, restart));

  dray_pool_dispatch (self);
}

static gboolean
is_at_work (DrayPool *self)
{
  return self->n_busy > 0 || self->n_starting > 0 || !g_queue_is_empty (&self->running_commands);
}

void
dray_pool_put_off_command (DrayPool *self, DrayTicket *ticket, GError *reason)
{
  self->n_start_failures++;
  if (self->n_start_failures >= MAX_LAUNCH_FAILURES && !is_at_work (self))
    {
      dray_ticket_complete (ticket, NULL, reason);
      dray_ticket_unref (ticket);
      return;
    }

  g_error_free (reason);
  delay (self, &self->restart, self->n_start_failures);
  dray_pool_requeue (self, ticket);
}

void
dray_pool_note_process_gone (DrayPool *self)
{
  dray_io_timer_clear (&self->restart);
}

/* --- Attachments --- */

void
dray_pool_repass_cb (DrayIoTimer *timer)
{
  DrayPool *self = (DrayPool *) (gpointer) ((guint8 *) timer - G_STRUCT_OFFSET (DrayPool, repass));

  dray_pool_dispatch (self);
}

/* Returns: whether it has been tried often enough */
static gboolean
is_past_passing (DrayPool *self, DrayTicket *ticket)
{
  if (ticket->id <= self->last_unpassed_id)
    return TRUE;

  self->n_pass_failures++;
  if (self->n_pass_failures < MAX_PASS_FAILURES)
    return FALSE;

  self->n_pass_failures = 0;
  dray_pool_lock (self);
  self->last_unpassed_id = self->last_ticket_id;
  dray_pool_unlock (self);
  return TRUE;
}

void
dray_pool_put_off_call (DrayPool *self, DrayTicket *ticket, GError *reason)
{
  if (is_past_passing (self, ticket))
    {
      dray_ticket_complete (
        ticket, NULL, g_error_new_literal (DRAY_ERROR, DRAY_ERROR_ATTACHMENTS, reason->message));
      dray_ticket_unref (ticket);
    }
  else
    {
      delay (self, &self->repass, self->n_pass_failures);
      dray_pool_requeue (self, ticket);
    }
  g_error_free (reason);
}
