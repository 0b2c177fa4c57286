/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-io-thread.h"

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
 * Standing in. What is said to be for the I/O thread only is protected by a lock, `turn`, which that
 * thread holds whenever it does not sleep. So somebody else may take it for a moment while it does,
 * and spare the task in hand the way from thread to thread. What is changed then may be a timer: if
 * it expires before the thread would wake up by itself, it is woken.
 *
 * Resting. Where workers have plenty to do and answer every microsecond, a turn for each answer
 * would cost more than the work. So whoever was dealt with may say for how long it can do without
 * us; if all have said so, the thread sleeps for that time, and finds many answers at once. While
 * it rests, a wake-up costs no system call either. Nobody else is kept waiting for longer than
 * MAX_REST, which is no more than a turn under such a load may take.
 *
 * Stale events. A callback may stop any watch, also one whose event was already fetched; the
 * fetched events are looked through and that one is blanked.
 *
 * Being held. Who forks the process wants the thread to be between two turns meanwhile. It passes a
 * gate before each turn, and can be stopped there. In the child, where there is no such thread, the
 * instance is left as one that is awake in the middle of a turn: nobody wakes it or stands in.
 *
 * The end. The last release() detaches the instance from the process and asks it to quit; it
 * frees itself. An acquire() in the meantime starts a new one, so that nobody ever waits for the
 * old thread (which may be the one that calls release()).
 */

#define MAX_EVENTS 64

/* How long the thread rests at most, and what it is not worth less than. In µs. */
#define MAX_REST 60
#define MIN_REST 15

struct _DrayIoThread
{
  /* set at construction */
  int epoll_fd;
  int wake_fd;

  /* protected by instance_lock */
  guint n_holders;

  /* protected by the lock */
  GMutex lock;
  GPtrArray *woken; /* (owned) (element-type DrayIoClient) */
  gboolean asleep;
  gboolean quit;

  GMutex turn; /* other threads only ever try to take it */
  GMutex gate; /* held by who forks */

  /* protected by turn */
  GThread *thread;     /* (unowned) */
  GSequence *timers;   /* (owned) (element-type DrayIoTimer): by deadline */
  GPtrArray *answered; /* (owned) (element-type DrayIoClient): being called, or NULL */
  GQueue again;        /* of DrayIoWatch (unowned): to be called in the next turn */
  GQueue being_called; /* the same, in this one */
  struct epoll_event events[MAX_EVENTS];
  int n_events;
  guint n_dealt_with;  /* in this turn: watches and clients */
  guint n_resting;     /* those of them that can wait */
  gint64 rest;         /* for so long, all of those, in µs */
  gint64 sleeps_until; /* monotonic, µs */
  DrayLeash spare_leash; /* (owned): of a child that is gone, for the next one */
};

static GMutex instance_lock;
static DrayIoThread *instance; /* (nullable): protected by instance_lock */

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

static DrayIoTimer *
first_timer (DrayIoThread *self)
{
  GSequenceIter *iter = g_sequence_get_begin_iter (self->timers);

  return g_sequence_iter_is_end (iter) ? NULL : g_sequence_get (iter);
}

static void
run_expired_timers (DrayIoThread *self)
{
  gint64 now;
  DrayIoTimer *timer = first_timer (self);

  if (timer == NULL)
    return;

  for (now = g_get_monotonic_time (); timer != NULL && timer->deadline <= now;
       timer = first_timer (self))
    {
      dray_io_timer_clear (timer);
      timer->expired (timer);
    }
}

/* In the unit of epoll_wait(): milliseconds, rounded up, -1 for ever. */
static int
time_to_first_timer (DrayIoThread *self)
{
  DrayIoTimer *timer = first_timer (self);
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

static void
call_again (DrayIoThread *self)
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

static void
dispatch_events (DrayIoThread *self)
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
  DrayIoTimer *timer = first_timer (self);
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
  int timeout = time_to_first_timer (self);

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
  n_events = epoll_wait (self->epoll_fd, self->events, MAX_EVENTS, timeout);
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
  gboolean goes_on = TRUE;

  /* Without that, the kernel would make each rest some 50 µs longer. */
  prctl (PR_SET_TIMERSLACK, 1000);

  g_mutex_lock (&self->turn);
  self->thread = g_thread_self ();
  self->rest = MAX_REST;
  while (goes_on)
    {
      run_expired_timers (self);
      wait_for_events (self);

      goes_on = wake_up (self);
      drain_wake_fd (self);
      dispatch_events (self);
      call_again (self);
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
                   _ ("Could not start the thread that talks to workers: %s"), reason->message);
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
                   _ ("Could not prepare to talk to workers: %s"), g_strerror (errno));
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
