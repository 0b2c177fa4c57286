/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

#include <signal.h>

/*
 * Kills workers, in whatever they do, and commands. Half of the victims are found in the executors'
 * lists of workers, half among the children of this process, some of which are still being started,
 * or being ended. A process that is stopped is killed, or let go on, in one of the next turns.
 */

static GArray *stopped; /* (owned) (nullable): of int */
static guint n_kills;

static int
pick_signal (GRand *rand)
{
  static const int signals[] = { SIGKILL, SIGKILL, SIGKILL, SIGSEGV, SIGABRT, SIGTERM, SIGSTOP };

  return signals[g_rand_int_range (rand, 0, G_N_ELEMENTS (signals))];
}

/* Returns 0 if there is nobody. */
static int
pick_child (GRand *rand)
{
  g_autoptr (GArray) children = soak_list_children ();

  if (children->len == 0)
    return 0;
  return g_array_index (children, int, g_rand_int_range (rand, 0, (int) children->len));
}

static void
signal_one (GRand *rand, int pid)
{
  int signal_number = pick_signal (rand);

  if (!soak_signal_child (pid, signal_number))
    return;

  n_kills++;
  if (signal_number == SIGSTOP)
    g_array_append_val (stopped, pid);
}

static void
release_one (GRand *rand)
{
  guint place = (guint) g_rand_int_range (rand, 0, (int) stopped->len);

  soak_signal_child (g_array_index (stopped, int, place),
                     soak_chance (rand, 50) ? SIGCONT : SIGKILL);
  g_array_remove_index_fast (stopped, place);
}

void
soak_kill_one (GRand *rand)
{
  g_autoptr (DrayWorkerProcess) worker = NULL;

  if (stopped == NULL)
    stopped = g_array_new (FALSE, FALSE, sizeof (int));
  if (stopped->len > 0 && soak_chance (rand, 30))
    release_one (rand);

  if (soak_chance (rand, 50))
    worker = soak_stock_pick_worker (rand);

  if (worker == NULL)
    {
      signal_one (rand, pick_child (rand));
    }
  else if (soak_chance (rand, 30))
    {
      dray_worker_process_kill (worker);
      n_kills++;
    }
  else
    {
      signal_one (rand, dray_worker_process_get_pid (worker));
    }
}

guint
soak_get_n_kills (void)
{
  return n_kills;
}

void
soak_killer_finish (void)
{
  for (guint i = 0; stopped != NULL && i < stopped->len; i++)
    soak_signal_child (g_array_index (stopped, int, i), SIGCONT);
  g_clear_pointer (&stopped, g_array_unref);
}
