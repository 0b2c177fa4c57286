/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-io-thread-private.h"

#include "dray-error-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>

/*
 * What the loop waits for: deadlines, and events of descriptors.
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

gboolean
dray_io_watch_start (DrayIoWatch *watch, DrayIoThread *io, int fd, guint32 events, GError **error)
{
  struct epoll_event event = { .events = events, .data.ptr = watch };

  g_assert (watch->io == NULL);

  watch->fd = fd;
  watch->events = events;

  /* With nothing to wait for the descriptor is left out: epoll would report a hang-up all the
   * time. */
  if (events != 0 && epoll_ctl (io->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
    {
      dray_set_error_errno (error, errno, _ ("Could not watch a pipe"));
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
  struct epoll_event event = { .events = events, .data.ptr = watch };
  int operation;

  if (watch->io == NULL || watch->events == events)
    return;

  if (watch->events == 0)
    operation = EPOLL_CTL_ADD;
  else if (events == 0)
    operation = EPOLL_CTL_DEL;
  else
    operation = EPOLL_CTL_MOD;

  /* A descriptor that was once watched can be watched again: only memory can be short. */
  if (epoll_ctl (watch->io->epoll_fd, operation, watch->fd, &event) != 0)
    g_error ("dray: epoll_ctl: %s", g_strerror (errno));

  if (events == 0)
    blank_fetched_events (watch->io, watch);
  watch->events = events;
}

void
dray_io_watch_stop (DrayIoWatch *watch)
{
  if (watch->io == NULL)
    return;

  dray_io_watch_set_events (watch, 0);
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

      if (watch == NULL)
        continue;

      self->n_dealt_with++;
      watch->ready (watch, self->events[i].events);
    }
  self->n_events = 0;
}
