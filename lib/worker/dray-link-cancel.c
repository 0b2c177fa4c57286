/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-link-private.h"

#include <errno.h>
#include <signal.h>

/*
 * How the call that runs is cancelled.
 *
 * Its cancellable is cancelled on a thread that is started for it: handlers may be connected, which
 * may hang. Where the program has asked for a signal, that comes next: a function which wakes up
 * from it finds out that it was cancelled. So it comes after those handlers, and on their thread.
 *
 * The signal may hit nothing but the function of the call. Whether that runs is known under the
 * lock, which is held while the signal is sent. When the function is over, a signal that was sent
 * may still be on its way, to a thread which is not in the kernel; or the function has blocked it.
 * So it is then taken back, which does nothing if it has come. A call that was cancelled before its
 * function began is not begun: it could not be told.
 *
 * All that costs a worker which wants no signal is to see that.
 */

void
dray_link_block_signals (void)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, NULL);
}

/* --- Cancelling --- */

typedef struct
{
  DrayLink *link;            /* (owned) */
  GCancellable *cancellable; /* (owned) */
} Cancellation;

static void
cancellation_free (Cancellation *self)
{
  g_object_unref (self->cancellable);
  dray_link_unref (self->link);
  g_free (self);
}

/* The cancellable tells whether it is still the same call: no other has it. */
static void
interrupt_locked (DrayLink *self, GCancellable *cancellable)
{
  if (!self->in_function || self->interrupted || self->running == NULL
      || self->running->cancellable != cancellable)
    return;

  self->interrupted = TRUE;
  pthread_kill (self->main_thread, self->cancel_signal);
}

static gpointer
cancel_cb (gpointer data)
{
  Cancellation *cancellation = data;
  DrayLink *link = cancellation->link;

  dray_link_block_signals ();

  g_cancellable_cancel (cancellation->cancellable);

  g_mutex_lock (&link->lock);
  interrupt_locked (link, cancellation->cancellable);
  link->n_threads--;
  g_cond_signal (&link->main_cond);
  g_mutex_unlock (&link->lock);

  cancellation_free (cancellation);
  return NULL;
}

void
dray_link_cancel_running_locked (DrayLink *self)
{
  Cancellation *cancellation;
  GThread *thread;

  if (self->running == NULL || self->running->cancelled)
    return;

  cancellation = g_new0 (Cancellation, 1);
  cancellation->link = dray_link_ref (self);
  cancellation->cancellable = g_object_ref (self->running->cancellable);

  thread = g_thread_try_new ("dray-cancel", cancel_cb, cancellation, NULL);
  if (thread != NULL)
    {
      self->running->cancelled = TRUE;
      self->n_threads++;
      g_thread_unref (thread);
      return;
    }

  /* The function never notices; in the end the host, or the deadline, ends it by force. */
  cancellation_free (cancellation);
}

/* --- The signal --- */

void
dray_link_set_cancel_signal (DrayLink *self, int signum)
{
  self->cancel_signal = signum;
  self->main_thread = pthread_self ();
}

gboolean
dray_link_enter_function (DrayLink *self)
{
  gboolean wanted;

  if (self->cancel_signal == 0)
    return TRUE;

  g_mutex_lock (&self->lock);
  wanted = self->running != NULL && !self->running->cancelled;
  self->in_function = wanted;
  g_mutex_unlock (&self->lock);

  return wanted;
}

/* What is pending is taken by this instead of the handler. */
static void
take_back (int signum)
{
  const struct timespec no_time = { 0 };
  sigset_t only;
  int taken;

  sigemptyset (&only);
  sigaddset (&only, signum);
  do
    taken = sigtimedwait (&only, NULL, &no_time);
  while (taken < 0 && errno == EINTR);
}

void
dray_link_leave_function (DrayLink *self)
{
  gboolean interrupted;

  if (self->cancel_signal == 0)
    return;

  g_mutex_lock (&self->lock);
  interrupted = self->interrupted;
  self->in_function = FALSE;
  self->interrupted = FALSE;
  g_mutex_unlock (&self->lock);

  if (interrupted)
    take_back (self->cancel_signal);
}
