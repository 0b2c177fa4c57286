/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-link-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/select.h>
#include <unistd.h>

/*
 * The watcher: a function for each state in the table of dray-link.c.
 */

/* How long a phase is left alone before the watcher reads. In µs. */
#define PATIENCE 1000

static gboolean
is_over_locked (DrayLink *self)
{
  return self->stopping || self->state >= DRAY_LINK_HUNG_UP;
}

/* armed: TRUE if no phase has begun meanwhile */
static gboolean
outwait_phase_locked (DrayLink *self)
{
  const guint64 phase = self->phase;
  const gint64 end = g_get_monotonic_time () + PATIENCE;

  while (!is_over_locked (self) && g_cond_wait_until (&self->watcher_cond, &self->lock, end))
    ;

  return !is_over_locked (self) && self->phase == phase;
}

/* A kick that is not about the end: to look again what is being run. Where a function has closed
 * the descriptor, one that is not its own, there are no more kicks; poll() would return for
 * ever. */
static void
forget_kick (DrayLink *self)
{
  guint64 n_kicks;
  gssize n_read = 0;

  g_mutex_lock (&self->lock);
  if (!is_over_locked (self))
    n_read = read (self->kick_fd, &n_kicks, sizeof n_kicks);
  if (n_read < 0 && errno != EAGAIN && errno != EINTR)
    self->kick_fd = -1;
  g_mutex_unlock (&self->lock);
}

/* As poll() without a limit of time. To be readable includes that nobody is at the other end; else
 * an output never is. */
static int
select_instead (struct pollfd *fds, guint n_fds)
{
  fd_set readable;
  int last = -1, n_ready;

  FD_ZERO (&readable);
  for (guint i = 0; i < n_fds; i++)
    if (fds[i].fd >= 0 && fds[i].fd < FD_SETSIZE)
      {
        FD_SET (fds[i].fd, &readable);
        last = MAX (last, fds[i].fd);
      }

  n_ready = select (last + 1, &readable, NULL, NULL, NULL);
  for (guint i = 0; i < n_fds && n_ready > 0; i++)
    if (fds[i].fd >= 0 && fds[i].fd < FD_SETSIZE && FD_ISSET (fds[i].fd, &readable))
      fds[i].revents = POLLIN;
  return n_ready;
}

/* poll() refuses to look at more descriptors than the process may open, and a function that handles
 * what it does not trust may have given up opening any. */
static int
wait_for_any (struct pollfd *fds, guint n_fds)
{
  const int n_ready = poll (fds, n_fds, -1);

  return n_ready < 0 && errno == EINVAL ? select_instead (fds, n_fds) : n_ready;
}

/* Waits for something to read, and reads it once; or for the host to go. */
static void
poll_and_read (DrayLink *self)
{
  /* Without events to wait for, an output that nobody can read is still reported. */
  struct pollfd fds[] = {
    { .fd = self->in_ended ? -1 : self->in_fd, .events = POLLIN },
    { .fd = self->out_fd },
    { .fd = self->kick_fd, .events = POLLIN },
  };

  if (wait_for_any (fds, G_N_ELEMENTS (fds)) <= 0)
    return;

  if (fds[2].revents != 0)
    forget_kick (self);
  if (fds[0].revents != 0)
    dray_link_read (self);
  else if (fds[1].revents != 0)
    dray_link_advance (self, DRAY_LINK_HUNG_UP);
}

/* reading */
static void
read_on_locked (DrayLink *self)
{
  const guint64 phase = self->phase;

  self->watcher_reads = TRUE;
  dray_chunk_run_yield_locked (self);

  do
    {
      g_mutex_unlock (&self->lock);
      poll_and_read (self);
      g_mutex_lock (&self->lock);
    }
  while (!is_over_locked (self) && self->busy && self->phase == phase);

  self->watcher_reads = FALSE;
  g_cond_signal (&self->main_cond);
}

/* The host is gone, and user code won't end. Whatever it has started in our group goes as well. */
G_NORETURN static void
kill_everything (void)
{
  if (getpgrp () == getpid ())
    kill (0, SIGKILL);

  _exit (EXIT_FAILURE);
}

/* parting */
static void
part_locked (DrayLink *self)
{
  gboolean in_time = TRUE;

  dray_link_cancel_running_locked (self);
  while (!self->stopping && in_time)
    in_time = g_cond_wait_until (&self->watcher_cond, &self->lock, self->deadline);

  if (!self->stopping)
    kill_everything ();
}

/* asleep */
static void
sleep_locked (DrayLink *self)
{
  self->watcher_asleep = TRUE;
  g_cond_wait (&self->watcher_cond, &self->lock);
  self->watcher_asleep = FALSE;
}

/* --- The very end --- */

/* For as long as there is a host, that one sees to it. */
static gpointer
wait_for_host_to_go_cb (gpointer data)
{
  struct pollfd output = { .fd = GPOINTER_TO_INT (data) };

  dray_link_block_signals ();

  while (poll (&output, 1, -1) < 0 && errno == EINTR)
    ;
  poll (NULL, 0, DRAY_END_GRACE);
  kill_everything ();
}

void
dray_link_take_leave (DrayLink *self)
{
  int fd = -1;
  GThread *thread = NULL;

  /* The host waits for the end of what was told to end, not for that of its output. */
  if (dray_link_get_state (self) == DRAY_LINK_GOODBYE)
    fd = fcntl (self->out_fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0)
    return;

  thread = g_thread_try_new ("dray-leave", wait_for_host_to_go_cb, GINT_TO_POINTER (fd), NULL);
  if (thread != NULL)
    g_thread_unref (thread);
  else
    close (fd);
}

/* --- The thread --- */

static gpointer
watch_cb (gpointer data)
{
  g_autoptr (DrayLink) self = data;

  dray_link_block_signals ();

  g_mutex_lock (&self->lock);
  while (!self->stopping)
    {
      if (self->state >= DRAY_LINK_HUNG_UP)
        part_locked (self);
      else if (!outwait_phase_locked (self))
        continue;
      else if (self->busy)
        read_on_locked (self);
      else
        sleep_locked (self);
    }
  self->n_threads--;
  g_cond_signal (&self->main_cond);
  g_mutex_unlock (&self->lock);

  return NULL;
}

void
dray_link_begin_locked (DrayLink *self, DrayCall *call)
{
  self->running = call;
  self->busy = TRUE;
  self->phase++;

  if (self->watcher != NULL)
    {
      if (self->watcher_asleep)
        g_cond_signal (&self->watcher_cond);
      return;
    }

  /* Without a watcher, this phase just can't be ended but by force. */
  self->watcher = g_thread_try_new ("dray-watcher", watch_cb, dray_link_ref (self), NULL);
  if (self->watcher != NULL)
    self->n_threads++;
  else
    dray_link_unref (self);
}
