/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-fork.h"

#include "dray-io-thread.h"

#include <glib/gi18n-lib.h>
#include <pthread.h>
#include <string.h>

/*
 * After a fork, the child has one thread, and a copy of all memory as it was at that moment. There
 * is no I/O thread in it; a lock that another thread held will never be given back; and what such a
 * thread was changing is half changed. Worse, the descriptors are still there: a child that wrote
 * to a pipe or to the epoll set would write to the parent's, and one that merely keeps the pipes
 * open keeps the parent's workers from noticing that it has ended.
 *
 * Before. The fork waits for the I/O thread to be between two turns, and for each lock of the
 * library to be free, and holds them: then everything in the child is whole. None is held for long.
 * But a thread may be forked in a handler of a signal that has interrupted it while it held one, as
 * programs do that tell of their crash. So nothing is waited for without end: after HOLD_TIME the
 * fork goes on, and what was not to be had is taken to be whole.
 *
 * Locks are only tried, all of them or none, so that it does not matter in which order others take
 * them.
 *
 * In the child, at once. Locks are free again, the I/O thread is forgotten, its descriptors and
 * those of the processes are closed. That is all: most children execute something next, and for the
 * others GLib may be in the state that this page is about.
 *
 * In the child, later. Whoever calls a function of the library's has first to give up what was
 * inherited: each pool that had an I/O thread is closed, what was not done fails with
 * DRAY_ERROR_FORKED, and all else goes its usual way. The processes are the parent's: nothing is
 * done to them, and their memory here stays as it is.
 *
 * What the child makes anew works, and has an I/O thread of its own.
 */

#define HOLD_TIME (2 * G_TIME_SPAN_SECOND)
#define PAUSE 50 /* µs */

int dray_forked;

static GMutex registry_lock;
static GQueue guards = G_QUEUE_INIT; /* by link; protected by registry_lock */

/* Of whoever forks, between prepare_cb () and what follows it. Several threads may. */
static __thread gboolean registry_held;
static __thread gboolean io_held;

/* In the user's language, if that was set before the first guard was added. */
static const char *error_message = "";

static GRecMutex giving_up_lock;
static gboolean giving_up; /* protected by giving_up_lock */

/* --- Before --- */

static void
let_go_of_guards (void)
{
  for (GList *link = guards.head; link != NULL; link = link->next)
    {
      DrayForkGuard *guard = link->data;

      if (guard->held)
        g_mutex_unlock (guard->lock);
      guard->held = FALSE;
    }
}

/* All or none; unless it is the @last try, which keeps what it can get. */
static gboolean
try_to_hold_guards (gboolean last)
{
  for (GList *link = guards.head; link != NULL; link = link->next)
    {
      DrayForkGuard *guard = link->data;

      guard->held = g_mutex_trylock (guard->lock);
      if (!guard->held && !last)
        {
          let_go_of_guards ();
          return FALSE;
        }
    }

  return TRUE;
}

static void
let_go (void)
{
  if (registry_held)
    {
      let_go_of_guards ();
      g_mutex_unlock (&registry_lock);
    }
  if (io_held)
    dray_io_thread_stop_holding ();
  registry_held = io_held = FALSE;
}

static gboolean
try_to_hold (gboolean last)
{
  io_held = dray_io_thread_try_hold ();
  registry_held = (io_held || last) && g_mutex_trylock (&registry_lock);
  if (registry_held && try_to_hold_guards (last))
    return TRUE;

  if (!last)
    let_go ();
  return FALSE;
}

static void
prepare_cb (void)
{
  gint64 deadline = 0;

  while (!try_to_hold (FALSE))
    {
      gint64 now = g_get_monotonic_time ();

      deadline = deadline == 0 ? now + HOLD_TIME : deadline;
      if (now >= deadline)
        {
          try_to_hold (TRUE);
          return;
        }
      g_usleep (PAUSE);
    }
}

static void
parent_cb (void)
{
  let_go ();
  dray_io_thread_let_go ();
}

/* --- In the child --- */

static void
child_cb (void)
{
  for (GList *link = guards.head; link != NULL; link = link->next)
    {
      DrayForkGuard *guard = link->data;

      g_mutex_init (guard->lock);
      guard->held = FALSE;
      if (io_held && guard->forked != NULL)
        guard->forked (guard);
    }

  dray_io_thread_forked ();
  g_mutex_init (&registry_lock);
  memset (&giving_up_lock, 0, sizeof giving_up_lock);
  giving_up = FALSE;
  registry_held = io_held = FALSE;
  g_atomic_int_set (&dray_forked, TRUE);
}

/* What gives up may lead to other guards being removed, but not to its own: it keeps itself. */
static DrayForkGuard *
find_next_locked (GList *link)
{
  for (; link != NULL; link = link->next)
    if (((DrayForkGuard *) link->data)->give_up != NULL)
      return link->data;

  return NULL;
}

static void
give_up_all (void)
{
  DrayForkGuard *guard;

  g_mutex_lock (&registry_lock);
  guard = find_next_locked (guards.head);
  g_mutex_unlock (&registry_lock);

  while (guard != NULL)
    {
      DrayForkGuard *next;

      guard->give_up (guard);

      g_mutex_lock (&registry_lock);
      next = find_next_locked (guard->link.next);
      g_mutex_unlock (&registry_lock);
      guard = next;
    }
}

/* Other threads, if there are any by now, wait until all is given up. */
void
dray_fork_give_up (void)
{
  g_rec_mutex_lock (&giving_up_lock);
  if (g_atomic_int_get (&dray_forked) && !giving_up)
    {
      giving_up = TRUE;
      give_up_all ();
      giving_up = FALSE;
      g_atomic_int_set (&dray_forked, FALSE);
    }
  g_rec_mutex_unlock (&giving_up_lock);
}

/* Nothing is looked up here: another thread may have been at that. */
GError *
dray_fork_error (void)
{
  return g_error_new_literal (DRAY_ERROR, DRAY_ERROR_FORKED, error_message);
}

/* --- Guards --- */

static gpointer
register_once (gpointer data)
{
  error_message = _ ("The executor belongs to the process that this one was forked from");
  pthread_atfork (prepare_cb, parent_cb, child_cb);
  return NULL;
}

void
dray_fork_guard_add (DrayForkGuard *guard, GMutex *lock)
{
  static GOnce once = G_ONCE_INIT;

  g_once (&once, register_once, NULL);

  guard->lock = lock;
  guard->link.data = guard;
  g_mutex_lock (&registry_lock);
  g_queue_push_tail_link (&guards, &guard->link);
  g_mutex_unlock (&registry_lock);
}

void
dray_fork_guard_remove (DrayForkGuard *guard)
{
  g_mutex_lock (&registry_lock);
  g_queue_unlink (&guards, &guard->link);
  g_mutex_unlock (&registry_lock);
}
