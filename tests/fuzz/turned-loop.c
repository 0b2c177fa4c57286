/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "turned-loop.h"

#include <gio/gio.h>
#include <sys/epoll.h>
#include <time.h>

/* Any time will do. */
static gint64 the_time = G_TIME_SPAN_DAY;

static GThread *pretend_thread (GThreadFunc function, gpointer data);

/* What the file would do with a thread and with time. */
#define g_thread_try_new(name, function, data, error) pretend_thread (function, data)
#define epoll_wait(fd, events, max, timeout) epoll_wait (fd, events, max, (timeout) *0)
#define nanosleep(time, left) turned_loop_let_time_pass ((time)->tv_nsec / 1000)

#include "dray-io-thread.c"

#undef g_thread_try_new
#undef epoll_wait
#undef nanosleep

static DrayIoThread *loop; /* (unowned) (nullable) */

static GThread *
pretend_thread (GThreadFunc function, gpointer data)
{
  g_assert (function == io_thread_main && loop == NULL);

  loop = data;
  loop->thread = g_thread_self ();
  loop->rest = MAX_REST;
  return g_thread_ref (loop->thread);
}

/* In place of GLib's, for all that is linked here. */
GThread *
g_thread_try_new (const char *name, GThreadFunc function, gpointer data, GError **error)
{
  g_set_error_literal (error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "There are no threads here");
  return NULL;
}

/* The same. It never stands still: there are loops that go on until some time. */
gint64
g_get_monotonic_time (void)
{
  return ++the_time;
}

/* The same: whatever machine it is, and without looking for it in a file. */
guint
g_get_num_processors (void)
{
  return 2;
}

gboolean
turned_loop_exists (void)
{
  return loop != NULL;
}

void
turned_loop_let_time_pass (gint64 time)
{
  the_time += time;
}

gboolean
turned_loop_skip_to_timer (void)
{
  DrayIoTimer *timer = loop != NULL ? dray_io_thread_get_first_timer (loop) : NULL;

  if (timer == NULL)
    return FALSE;

  the_time = MAX (the_time, timer->deadline);
  return TRUE;
}

gboolean
turned_loop_turn (void)
{
  DrayIoThread *self = loop;
  DrayIoTimer *timer;
  gboolean busy, goes_on;

  if (self == NULL)
    return FALSE;

  g_mutex_lock (&self->turn);
  timer = dray_io_thread_get_first_timer (self);
  busy = timer != NULL && timer->deadline <= the_time;
  dray_io_thread_run_expired_timers (self);
  wait_for_events (self);
  goes_on = wake_up (self);
  drain_wake_fd (self);
  dray_io_thread_dispatch_events (self);
  dray_io_thread_call_again (self);
  call_woken_clients (self);
  busy = busy || self->n_dealt_with > 0 || !goes_on;
  rest (self);
  g_mutex_unlock (&self->turn);

  if (!goes_on)
    {
      loop = NULL;
      dray_io_thread_free (self);
    }
  return busy;
}
