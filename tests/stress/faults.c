/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* What comes from outside of the library: children are killed or stopped, the application forks. */

#define MAX_FORKS 3

static gboolean kills; /* whether there are any */

static GMutex lock;
static GArray *forks;   /* (owned): of int; protected by the lock */
static GArray *stopped; /* (owned): of int; protected by the lock */

void
stress_faults_open (gboolean deadly)
{
  kills = deadly;

  g_mutex_lock (&lock);
  forks = g_array_new (FALSE, FALSE, sizeof (int));
  stopped = g_array_new (FALSE, FALSE, sizeof (int));
  g_mutex_unlock (&lock);
}

static gboolean
is_fork (int pid)
{
  gboolean found = FALSE;

  g_mutex_lock (&lock);
  for (guint i = 0; i < forks->len; i++)
    found |= g_array_index (forks, int, i) == pid;
  g_mutex_unlock (&lock);

  return found;
}

static void
note (GArray *pids, int pid)
{
  g_mutex_lock (&lock);
  g_array_append_val (pids, pid);
  g_mutex_unlock (&lock);
}

void
stress_do_kill (StressActor *actor)
{
  static const int signals[] = { SIGKILL, SIGKILL, SIGSEGV, SIGTERM, SIGSTOP };
  g_autoptr (GArray) children = NULL;
  int pid, signal_number;

  if (!kills)
    return;

  children = soak_list_children ();
  if (children->len == 0)
    return;

  pid = g_array_index (children, int, stress_random (actor, children->len));
  signal_number = signals[stress_random (actor, G_N_ELEMENTS (signals))];
  if (is_fork (pid) || !soak_signal_child (pid, signal_number))
    return;
  if (signal_number == SIGSTOP)
    note (stopped, pid);
}

/* The child has a copy of every descriptor, and holds it for a while: nobody may wait for it. */
void
stress_do_fork (StressActor *actor)
{
  guint milliseconds = stress_random (actor, 300);
  int pid;

  g_mutex_lock (&lock);
  pid = forks->len < MAX_FORKS ? fork () : -1;
  if (pid > 0)
    g_array_append_val (forks, pid);
  g_mutex_unlock (&lock);

  if (pid == 0)
    {
      const struct timespec time = { .tv_nsec = milliseconds * 1000L * 1000L };

      nanosleep (&time, NULL);
      _exit (0);
    }
}

void
stress_faults_release (void)
{
  g_autoptr (GArray) pids = NULL;

  g_mutex_lock (&lock);
  if (stopped != NULL)
    pids = g_array_copy (stopped);
  if (stopped != NULL)
    g_array_set_size (stopped, 0);
  g_mutex_unlock (&lock);

  for (guint i = 0; pids != NULL && i < pids->len; i++)
    soak_signal_child (g_array_index (pids, int, i), SIGCONT);
}

void
stress_faults_close (void)
{
  stress_faults_release ();
  for (guint i = 0; i < forks->len; i++)
    waitpid (g_array_index (forks, int, i), NULL, 0);

  g_mutex_lock (&lock);
  g_clear_pointer (&stopped, g_array_unref);
  g_clear_pointer (&forks, g_array_unref);
  g_mutex_unlock (&lock);
}
