/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker.h"

#include <errno.h>
#include <gio/gio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * host_end_ms: an application is killed by SIGKILL, which it can do nothing about, while its
 * workers are at work; from its end to that of the last of them, and of what they have started. The
 * longest time of some such ends: it is a promise that none takes more than two seconds.
 *
 *   dray  one worker that looks whether it should stop; one that does not, and ignores SIGTERM, and
 *         so does what it has started
 *
 * The application is this same program, in a process of its own.
 */

#define N_PROCESSES 3 /* two workers, and what one of them has started */
#define PATIENCE 60   /* s */

/* --- The application --- */

static void
print_pids_cb (DrayFuture *future, GVariant *item, gpointer user_data)
{
  guint *n_here = user_data;
  int worker, child;

  g_variant_get (item, "(ii)", &worker, &child);
  printf ("%d %d\n", worker, child);
  fflush (stdout);
  (*n_here)++;
}

/* Tells who its workers are, and waits for its end. */
int
bench_run_host (void)
{
  const char *const functions[] = { BENCH_LINGER, BENCH_LINGER_DEAF };
  const BenchOptions options = { .count = 1 };
  DrayExecutor *executor = bench_executor_new (&options, G_N_ELEMENTS (functions));
  guint n_here = 0;

  for (guint i = 0; i < G_N_ELEMENTS (functions); i++)
    {
      DrayFuture *future = dray_executor_call (executor, functions[i], NULL);

      g_signal_connect (future, "item", G_CALLBACK (print_pids_cb), &n_here);
    }
  while (n_here < G_N_ELEMENTS (functions))
    g_main_context_iteration (NULL, TRUE);
  for (;;)
    pause ();
}

/* --- Who looks on --- */

static int
open_process (int pid)
{
  const int fd = pidfd_open (pid, 0);

  if (fd < 0)
    bench_fail ("A process can't be watched: %s", g_strerror (errno));
  return fd;
}

/* Closes @fd. */
static void
wait_for_end (int fd)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
  int n_ready;

  do
    n_ready = poll (&poll_fd, 1, PATIENCE * 1000);
  while (n_ready < 0 && errno == EINTR);
  if (n_ready != 1)
    bench_fail ("A process did not end with its application");
  close (fd);
}

/* @fds get what to watch the processes by that it tells of. */
static pid_t
start_host (int fds[N_PROCESSES])
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  char *argv[] = { program, (char *) BENCH_HOST_ARGUMENT, NULL };
  g_autoptr (GError) error = NULL;
  GPid host;
  int output = -1;
  FILE *lines;
  int n = 0;

  g_spawn_async_with_pipes (NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &host, NULL,
                            &output, NULL, &error);
  bench_check (error);

  lines = fdopen (output, "r");
  while (n < N_PROCESSES)
    {
      int worker, child;

      if (fscanf (lines, "%d %d", &worker, &child) != 2)
        bench_fail ("An application did not say who its workers are");
      fds[n++] = open_process (worker);
      if (child != 0)
        fds[n++] = open_process (child);
    }
  fclose (lines);

  return host;
}

static double
measure_end (void)
{
  int fds[N_PROCESSES];
  const pid_t host = start_host (fds);
  const int host_fd = open_process (host);
  double start;

  kill (host, SIGKILL);
  wait_for_end (host_fd);
  start = bench_now ();
  waitpid (host, NULL, 0);
  for (guint i = 0; i < N_PROCESSES; i++)
    wait_for_end (fds[i]);

  return bench_now () - start;
}

double
bench_host_end_dray (const BenchOptions *options)
{
  double longest = 0;

  for (guint i = 0; i < options->count; i++)
    longest = MAX (longest, measure_end ());

  return longest * 1e3;
}
