/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-io-thread-private.h"

#include "dray-error-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>

/*
 * What the loop waits for: deadlines, and events of descriptors.
 *
 * Registered from start to stop. To have a descriptor watched takes memory of the kernel's, of
 * which each user has a limit: it can fail, and is tried where something is started that can fail.
 * So one that is not to be watched for a while stays registered, without events. A hang-up is
 * reported all the same, and would be all the time, were it not registered for one report only
 * (EPOLLONESHOT), which nobody is told of. To change what is registered takes no memory, and looks
 * at once whether there is something to report.
 *
 * Stale events. A callback may stop any watch, also one whose event was already fetched; the
 * fetched events are looked through and that one is blanked.
 *
 * Once more. What has not read all that there is may ask for another turn: the loop does not sleep
 * before that, and others have theirs in between.
 */

/* --- Timers --- */

static int
compare_timers (gconstpointer a, gconstpointer b, gpointer user_data)
{
  gint64 left = ((const DrayIoTimer *) a)->deadline;
  gint64 right = ((const DrayIoTimer *) b)->deadline;

  return left < right ? -1 : left > right;
}

void
dray_io_timer_set (DrayIoTimer *timer, DrayIoThread *io, gint64 deadline)
{
  dray_io_timer_clear (timer);
  timer->io = io;
  timer->deadline = deadline;
  timer->iter = g_sequence_insert_sorted (io->timers, timer, compare_timers, NULL);
}

void
dray_io_timer_clear (DrayIoTimer *timer)
{
  if (timer->io == NULL)
    return;

  g_sequence_remove (timer->iter);
  timer->iter = NULL;
  timer->io = NULL;
}

DrayIoTimer *
dray_io_thread_get_first_timer (DrayIoThread *self)
{
  GSequenceIter *iter = g_sequence_get_begin_iter (self->timers);

  return g_sequence_iter_is_end (iter) ? NULL : g_sequence_get (iter);
}

void
dray_io_thread_run_expired_timers (DrayIoThread *self)
{
  gint64 now;
  DrayIoTimer *timer = dray_io_thread_get_first_timer (self);

  if (timer == NULL)
    return;

  for (now = g_get_monotonic_time (); timer != NULL && timer->deadline <= now;
       timer = dray_io_thread_get_first_timer (self))
    {
      dray_io_timer_clear (timer);
      timer->expired (timer);
    }
}

/* In the unit of epoll_wait(): milliseconds, rounded up, -1 for ever. */
int
dray_io_thread_get_time_to_first_timer (DrayIoThread *self)
{
  DrayIoTimer *timer = dray_io_thread_get_first_timer (self);
  gint64 rest;

  self->sleeps_until = timer != NULL ? timer->deadline : G_MAXINT64;
  if (timer == NULL)
    return -1;

  rest = timer->deadline - g_get_monotonic_time ();
  return rest <= 0 ? 0 : (int) MIN ((rest + 999) / 1000, G_MAXINT);
}

/* --- Watches --- */

/* Returns: as epoll_ctl() */
static int
do_register (DrayIoThread *io, DrayIoWatch *watch, int operation, guint32 events)
{
  struct epoll_event event = {
    .events = events != 0 ? events : EPOLLONESHOT,
    .data.ptr = watch,
  };

  return epoll_ctl (io->epoll_fd, operation, watch->fd, &event);
}

const char *
dray_io_watch_strerror (int reason)
{
  if (reason != ENOSPC)
    return dray_strerror (reason);

  /* The system would say that no space is left on a device. */
  /* Translators: this is the reason why something could not be done, at the end of a message. */
  return _ ("the user’s limit of watched descriptors (fs.epoll.max_user_watches) is reached");
}

gboolean
dray_io_watch_start (DrayIoWatch *watch, DrayIoThread *io, int fd, guint32 events, GError **error)
{
  g_assert (watch->io == NULL);

  watch->fd = fd;
  watch->events = events;
  if (do_register (io, watch, EPOLL_CTL_ADD, events) != 0)
    {
      const int reason = errno;

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (reason),
                   _ ("%s: %s"), _ ("Could not watch a pipe"), dray_io_watch_strerror (reason));
      errno = reason;
      return FALSE;
    }

  watch->io = io;
  return TRUE;
}

static void
blank_fetched_events (DrayIoThread *io, DrayIoWatch *watch)
{
  for (int i = 0; i < io->n_events; i++)
    if (io->events[i].data.ptr == watch)
      io->events[i].data.ptr = NULL;
}

void
dray_io_watch_set_events (DrayIoWatch *watch, guint32 events)
{
  if (watch->io == NULL || watch->events == events)
    return;

  /* This can fail only if the application has closed the descriptor, which is not its own. Then the
   * process at the other end notices, and its end is noticed here. */
  (void) do_register (watch->io, watch, EPOLL_CTL_MOD, events);
  if (events == 0)
    blank_fetched_events (watch->io, watch);
  watch->events = events;
}

void
dray_io_watch_stop (DrayIoWatch *watch)
{
  if (watch->io == NULL)
    return;

  (void) do_register (watch->io, watch, EPOLL_CTL_DEL, 0);
  blank_fetched_events (watch->io, watch);
  dray_io_watch_set_again (watch, FALSE);
  watch->io = NULL;
}

void
dray_io_watch_set_again (DrayIoWatch *watch, gboolean again)
{
  if (watch->io == NULL || again == (watch->again != NULL))
    return;

  if (again)
    {
      watch->again = &watch->io->again;
      watch->again_link.data = watch;
      g_queue_push_tail_link (watch->again, &watch->again_link);
    }
  else
    {
      g_queue_unlink (g_steal_pointer (&watch->again), &watch->again_link);
    }
}

void
dray_io_thread_call_again (DrayIoThread *self)
{
  /* Those that ask for it once more have it in the next turn. */
  while (!g_queue_is_empty (&self->again))
    {
      GList *link = g_queue_pop_head_link (&self->again);

      ((DrayIoWatch *) link->data)->again = &self->being_called;
      g_queue_push_tail_link (&self->being_called, link);
    }

  while (!g_queue_is_empty (&self->being_called))
    {
      DrayIoWatch *watch = g_queue_peek_head (&self->being_called);

      dray_io_watch_set_again (watch, FALSE);
      self->n_dealt_with++;
      watch->ready (watch, 0);
    }
}

void
dray_io_thread_dispatch_events (DrayIoThread *self)
{
  for (int i = 0; i < self->n_events; i++)
    {
      DrayIoWatch *watch = self->events[i].data.ptr;

      /* Without events it is a hang-up, which is reported once, and then of no use. */
      if (watch == NULL || watch->events == 0)
        continue;

      self->n_dealt_with++;
      watch->ready (watch, self->events[i].events);
    }
  self->n_events = 0;
}
