/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-io-thread-private.h"

#include "dray-descriptor.h"
#include "dray-error-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/*
 * One turn of the loop: expired timers, then whatever epoll and other threads brought, then the
 * check whether anybody still holds the thread.
 *
 * Sleeping. `asleep` is set under the lock, and only while no client is woken; whoever wakes a
 * client does it under the same lock, and writes to the eventfd only if it finds `asleep` set. So
 * no wake-up is lost, and while the thread is busy a wake-up costs no system call.
 *
 * Standing in. What is said to be for the I/O thread only is protected by a lock, `turn`, which
 * that thread holds whenever it does not sleep. So somebody else may take it for a moment while it
 * does, and spare the task in hand the way from thread to thread. What is changed then may be a
 * timer: if it expires before the thread would wake up by itself, it is woken.
 *
 * Resting. Where workers have plenty to do and answer every microsecond, a turn for each answer
 * would cost more than the work. So whoever was dealt with may say for how long it can do without
 * us; if all have said so, the thread sleeps for that time, and finds many answers at once. While
 * it rests, a wake-up costs no system call either. Nobody else is kept waiting for longer than
 * MAX_REST, which is no more than a turn under such a load may take.
 *
 * Being held. Who forks the process wants the thread to be between two turns meanwhile. It passes a
 * gate before each turn, and can be stopped there. In the child, where there is no such thread, the
 * instance is left as one that is awake in the middle of a turn: nobody wakes it or stands in.
 *
 * The end. The last release() detaches the instance from the process and asks it to quit; it
 * frees itself. An acquire() in the meantime starts a new one, so that nobody ever waits for the
 * old thread (which may be the one that calls release()).
 */

/* How long the thread rests at most, and what it is not worth less than. In µs. */
#define MAX_REST 60
#define MIN_REST 15

static GMutex instance_lock;
static DrayIoThread *instance; /* (nullable): protected by instance_lock */

/* --- Clients --- */

void
dray_io_thread_wake (DrayIoThread *self, DrayIoClient *client)
{
  gboolean was_asleep;

  if (g_atomic_int_exchange (&client->woken, TRUE))
    return;

  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->woken, client);
  was_asleep = self->asleep;
  self->asleep = FALSE;
  g_mutex_unlock (&self->lock);

  if (was_asleep)
    eventfd_write (self->wake_fd, 1);
}

void
dray_io_thread_forget (DrayIoThread *self, DrayIoClient *client)
{
  guint index;

  g_mutex_lock (&self->lock);
  g_ptr_array_remove (self->woken, client);
  g_mutex_unlock (&self->lock);

  if (g_ptr_array_find (self->answered, client, &index))
    self->answered->pdata[index] = NULL;
}

static void
call_woken_clients (DrayIoThread *self)
{
  GPtrArray *clients;

  g_mutex_lock (&self->lock);
  clients = g_steal_pointer (&self->woken);
  self->woken = g_steal_pointer (&self->answered);
  g_mutex_unlock (&self->lock);

  self->answered = clients;
  for (guint i = 0; i < clients->len; i++)
    {
      DrayIoClient *client = clients->pdata[i];

      if (client == NULL)
        continue;

      /* Before the call: a wake-up during it asks for another one. */
      g_atomic_int_set (&client->woken, FALSE);
      self->n_dealt_with++;
      client->wake (client);
    }
  g_ptr_array_set_size (clients, 0);
}

/* --- Standing in --- */

gboolean
dray_io_thread_try_enter (DrayIoThread *self)
{
  return g_mutex_trylock (&self->turn);
}

void
dray_io_thread_leave (DrayIoThread *self)
{
  DrayIoTimer *timer = dray_io_thread_get_first_timer (self);
  gboolean was_asleep = FALSE;

  if (timer != NULL && timer->deadline < self->sleeps_until)
    {
      g_mutex_lock (&self->lock);
      was_asleep = self->asleep;
      self->asleep = FALSE;
      g_mutex_unlock (&self->lock);
    }

  /* The thread can't end before it had a turn. */
  if (was_asleep)
    eventfd_write (self->wake_fd, 1);
  g_mutex_unlock (&self->turn);
}

/* --- Resting --- */

void
dray_io_thread_rest (DrayIoThread *self, gint64 time)
{
  self->n_resting++;
  self->rest = MIN (self->rest, time);
}

static void
rest (DrayIoThread *self)
{
  if (self->n_dealt_with > 0 && self->n_resting >= self->n_dealt_with && self->rest >= MIN_REST)
    {
      const struct timespec time = { .tv_nsec = self->rest * 1000 };

      nanosleep (&time, NULL);
    }

  self->n_dealt_with = self->n_resting = 0;
  self->rest = MAX_REST;
}

/* --- The thread --- */

/* Returns how long to wait for events, having gone to sleep if that is any time at all. */
static int
prepare_to_sleep (DrayIoThread *self)
{
  int timeout = dray_io_thread_get_time_to_first_timer (self);

  if (!g_queue_is_empty (&self->again))
    timeout = 0;

  g_mutex_lock (&self->lock);
  if (self->woken->len > 0 || self->quit)
    timeout = 0;
  self->asleep = timeout != 0;
  g_mutex_unlock (&self->lock);

  return timeout;
}

static gboolean
wake_up (DrayIoThread *self)
{
  gboolean quit;

  g_mutex_lock (&self->lock);
  self->asleep = FALSE;
  quit = self->quit;
  g_mutex_unlock (&self->lock);

  return !quit;
}

static void
drain_wake_fd (DrayIoThread *self)
{
  for (int i = 0; i < self->n_events; i++)
    if (self->events[i].data.ptr == self)
      {
        eventfd_t count;

        eventfd_read (self->wake_fd, &count);
        self->events[i].data.ptr = NULL;
      }
}

static void
dray_io_thread_free (DrayIoThread *self)
{
  g_assert (self->timers == NULL || g_sequence_is_empty (self->timers));

  g_clear_pointer (&self->timers, g_sequence_free);
  g_clear_pointer (&self->woken, g_ptr_array_unref);
  g_clear_pointer (&self->answered, g_ptr_array_unref);
  if (self->epoll_fd >= 0)
    close (self->epoll_fd);
  if (self->wake_fd >= 0)
    close (self->wake_fd);
  dray_leash_close (&self->spare_leash);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->turn);
  g_mutex_clear (&self->gate);
  g_free (self);
}

static void
wait_for_events (DrayIoThread *self)
{
  int timeout = prepare_to_sleep (self);
  int n_events, reason;

  g_mutex_unlock (&self->turn);
  n_events = epoll_wait (self->epoll_fd, self->events, DRAY_IO_THREAD_MAX_EVENTS, timeout);
  reason = errno;
  g_mutex_lock (&self->gate);
  g_mutex_unlock (&self->gate);
  g_mutex_lock (&self->turn);

  if (n_events < 0 && reason != EINTR)
    g_error ("dray: epoll_wait: %s", g_strerror (reason));
  self->n_events = MAX (n_events, 0);
}

static gpointer
io_thread_main (gpointer data)
{
  DrayIoThread *self = data;
  const int timer_slack = prctl (PR_GET_TIMERSLACK);
  gboolean goes_on = TRUE;

  /* Without that, the kernel would make each rest some 50 µs longer. */
  prctl (PR_SET_TIMERSLACK, 1000);

  g_mutex_lock (&self->turn);
  self->timer_slack = (gulong) MAX (timer_slack, 0);
  self->thread = g_thread_self ();
  self->rest = MAX_REST;
  while (goes_on)
    {
      dray_io_thread_run_expired_timers (self);
      wait_for_events (self);

      goes_on = wake_up (self);
      drain_wake_fd (self);
      dray_io_thread_dispatch_events (self);
      dray_io_thread_call_again (self);
      call_woken_clients (self);
      rest (self);
    }
  g_mutex_unlock (&self->turn);

  dray_io_thread_free (self);
  return NULL;
}

gboolean
dray_io_thread_is_current (DrayIoThread *self)
{
  return self->thread == g_thread_self ();
}

DrayLeash *
dray_io_thread_get_spare_leash (DrayIoThread *self)
{
  return &self->spare_leash;
}

gulong
dray_io_thread_get_timer_slack (DrayIoThread *self)
{
  return self->timer_slack;
}

/* With every signal blocked from its first instruction on: the mask is inherited. */
static gboolean
start_thread (DrayIoThread *self, GError **error)
{
  g_autoptr (GError) reason = NULL;
  GThread *thread;
  sigset_t all, before;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  thread = g_thread_try_new ("dray-io", io_thread_main, self, &reason);
  pthread_sigmask (SIG_SETMASK, &before, NULL);

  if (thread == NULL)
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH,
                   _ ("Could not start the thread that talks to workers: %s"),
                      g_error_matches (reason, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN)
                        ? dray_strerror_of_start (EAGAIN)
                        : reason->message);
      return FALSE;
    }

  g_thread_unref (thread);
  return TRUE;
}

static DrayIoThread *
dray_io_thread_new (GError **error)
{
  DrayIoThread *self = g_new0 (DrayIoThread, 1);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = self };

  g_mutex_init (&self->lock);
  g_mutex_init (&self->turn);
  g_mutex_init (&self->gate);
  self->wake_fd = -1;
  self->spare_leash = DRAY_LEASH_NONE;
  self->epoll_fd = dray_descriptor_raise (epoll_create1 (EPOLL_CLOEXEC));
  if (self->epoll_fd >= 0)
    self->wake_fd = dray_descriptor_raise (eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK));

  if (self->wake_fd < 0 || epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, self->wake_fd, &event) != 0)
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH,
                   _ ("Could not prepare to talk to workers: %s"), dray_io_watch_strerror (errno));
      dray_io_thread_free (self);
      return NULL;
    }

  self->timers = g_sequence_new (NULL);
  self->woken = g_ptr_array_new ();
  self->answered = g_ptr_array_new ();
  if (!start_thread (self, error))
    g_clear_pointer (&self, dray_io_thread_free);
  return self;
}

DrayIoThread *
dray_io_thread_acquire (GError **error)
{
  DrayIoThread *self;

  g_mutex_lock (&instance_lock);
  if (instance == NULL)
    instance = dray_io_thread_new (error);
  self = instance;
  if (self != NULL)
    self->n_holders++;
  g_mutex_unlock (&instance_lock);

  return self;
}

void
dray_io_thread_release (DrayIoThread *self)
{
  gboolean last;

  g_mutex_lock (&instance_lock);
  g_assert (self->n_holders > 0);
  last = --self->n_holders == 0;
  if (last)
    {
      /* Under both locks: once `quit` is set the thread may free itself at any moment. */
      instance = NULL;
      g_mutex_lock (&self->lock);
      self->quit = TRUE;
      eventfd_write (self->wake_fd, 1);
      g_mutex_unlock (&self->lock);
    }
  g_mutex_unlock (&instance_lock);
}

/* --- Forking --- */

/* By this thread, from its first try on; it holds the instance, too. */
static __thread DrayIoThread *gated; /* (owned) (nullable) */

gboolean
dray_io_thread_try_hold (void)
{
  if (!g_mutex_trylock (&instance_lock))
    return FALSE;

  if (instance == NULL)
    return TRUE;

  if (gated == NULL && g_mutex_trylock (&instance->gate))
    {
      gated = instance;
      gated->n_holders++;
    }
  if (gated != NULL && g_mutex_trylock (&gated->turn))
    {
      if (g_mutex_trylock (&gated->lock))
        return TRUE;
      g_mutex_unlock (&gated->turn);
    }

  g_mutex_unlock (&instance_lock);
  return FALSE;
}

void
dray_io_thread_stop_holding (void)
{
  if (gated != NULL)
    {
      g_mutex_unlock (&gated->lock);
      g_mutex_unlock (&gated->turn);
    }
  g_mutex_unlock (&instance_lock);
}

void
dray_io_thread_let_go (void)
{
  DrayIoThread *self = g_steal_pointer (&gated);

  if (self == NULL)
    return;

  g_mutex_unlock (&self->gate);
  dray_io_thread_release (self);
}

/* What was not to be held is in whatever state. */
void
dray_io_thread_forked (void)
{
  DrayIoThread *self = g_steal_pointer (&instance);

  gated = NULL;
  g_mutex_init (&instance_lock);
  if (self == NULL)
    return;

  g_mutex_init (&self->lock);
  g_mutex_init (&self->turn);
  g_mutex_lock (&self->turn);
  self->asleep = FALSE;
  close (self->epoll_fd);
  close (self->wake_fd);
  self->epoll_fd = self->wake_fd = -1;
  dray_leash_close (&self->spare_leash);
}
