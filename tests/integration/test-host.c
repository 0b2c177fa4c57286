/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Hosts and signals: whatever a host does with SIGCHLD and SIGPIPE, the library works in it and
 * leaves it at that; and a Ctrl+C in the host's terminal is the host's.
 */

/* SIGCHLD */

static volatile sig_atomic_t n_signals;

static void
count_cb (int signal_number)
{
  n_signals++;
}

static gboolean
was_signalled (gpointer user_data)
{
  return n_signals > 0;
}

static void
reap_all_cb (int signal_number)
{
  int saved_errno = errno;

  while (waitpid (-1, NULL, WNOHANG) > 0)
    ;
  errno = saved_errno;
}

static void
set_handler (int signal_number, void (*handler) (int))
{
  struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

  sigaction (signal_number, &action, NULL);
}

static void (*get_handler (int signal_number)) (int)
{
  struct sigaction action;

  sigaction (signal_number, NULL, &action);

  return action.sa_handler;
}

static void
run_sigchld_handler (void)
{
  DrayExecutor *executor;
  int status = 0;
  pid_t child;

  /* Its handler is called, and its own children are left for it to wait for. */
  set_handler (SIGCHLD, count_cb);
  executor = host_new_executor (2);
  child = fork ();
  if (child == 0)
    _exit (42);
  host_assert_calls (executor);
  host_assert_commands (executor);
  g_assert_true (waitpid (child, &status, 0) == child && WEXITSTATUS (status) == 42);
  g_assert_true (get_handler (SIGCHLD) == count_cb);
  g_assert_cmpint (n_signals, >, 0);
  host_finish (executor);
}

/* How commands end is not to be learned here, but what they print is. */
static void
assert_unknown_ends (void)
{
  DrayExecutor *executor = host_new_executor (2);
  g_autoptr (GBytes) input = host_new_large_input ();
  g_autoptr (WorkshopRecord) lines = NULL;

  for (guint i = 0; i < 5; i++)
    host_assert_calls (executor);
  lines = host_run_script (executor, "cat", input);
  g_assert_cmpuint (lines->n_items, ==, HOST_N_LINES);
  for (guint i = 0; i < 20; i++)
    workshop_record_free (host_run_script (executor, "exit 3", NULL));
  host_finish (executor);
}

static void
run_sigchld_reaper (void)
{
  set_handler (SIGCHLD, reap_all_cb);
  assert_unknown_ends ();
  g_assert_true (get_handler (SIGCHLD) == reap_all_cb);
}

static void
run_sigchld_ignored (void)
{
  signal (SIGCHLD, SIG_IGN);
  assert_unknown_ends ();
  g_assert_true (get_handler (SIGCHLD) == SIG_IGN);
}

/* SIGPIPE */

/* Workers die in the middle of large arguments: one that runs another task meanwhile, and does not
 * read; one that dies of the first bytes. */
static void
assert_dead_workers (void)
{
  DrayExecutor *executor = host_new_executor (1);
  g_autofree guint8 *data = g_malloc0 (5 * 1000 * 1000);

  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (DrayFuture) dies
        = dray_executor_call (executor, i % 2 == 0 ? "stop" : "sleep",
                              i % 2 == 0 ? NULL : g_variant_new ("(u)", 5));
      g_autoptr (DrayTask) task = dray_task_new_call (
        i % 3 == 0 ? "echo" : "raise",
        i % 3 == 0 ? g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, 5 * 1000 * 1000, 1)
                   : g_variant_new ("(i)", SIGKILL));
      g_autoptr (DrayFuture) large = dray_executor_submit (executor, task, NULL);
      g_autoptr (DrayFuture) behind = dray_executor_call (
        executor, "echo",
        g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, 5 * 1000 * 1000, 1));

      g_object_set (executor, "grace-period", 0, NULL);
      workshop_block_until_running (dies);
      dray_future_cancel (dies);
      g_assert_true (dray_future_wait (large, -1, NULL, NULL));
      g_assert_true (dray_future_wait (behind, -1, NULL, NULL));
      g_assert_cmpint (dray_future_get_state (behind), ==, DRAY_FUTURE_SUCCEEDED);
    }
  host_assert_commands (executor);
  host_finish (executor);
}

/* Workers that can't be written to any more, which is found out by whoever submits. */
static void
assert_deaf_workers (void)
{
  DrayExecutor *executor = host_new_executor (1);
  sigset_t pending;

  g_object_set (executor, "grace-period", 0, NULL);
  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (DrayFuture) first = dray_executor_call (executor, "deaf-channel", NULL);
      g_autoptr (DrayTask) task = dray_task_new_call ("null", NULL);
      g_autoptr (DrayFuture) lost = NULL;
      g_autoptr (DrayFuture) after = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (dray_future_wait (first, -1, NULL, NULL));
      /* Where the worker's watcher just polls the pipe, it is kept open for one more message. */
      dray_task_set_time_limit (task, 1000);
      lost = dray_executor_submit (executor, task, NULL);
      g_assert_true (dray_future_wait (lost, -1, NULL, NULL));
      g_assert_null (dray_future_dup_result (lost, &error));
      if (!g_error_matches (error, DRAY_ERROR, DRAY_ERROR_TIMED_OUT))
        g_assert_error (error, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);

      after = dray_executor_call (executor, "null", NULL);
      g_assert_true (dray_future_wait (after, -1, NULL, NULL));
      g_assert_cmpint (dray_future_get_state (after), ==, DRAY_FUTURE_SUCCEEDED);
    }
  host_finish (executor);

  sigpending (&pending);
  g_assert_false (sigismember (&pending, SIGPIPE));
}

static void
run_sigpipe_default (void)
{
  signal (SIGPIPE, SIG_DFL);
  assert_deaf_workers ();
  assert_dead_workers ();
  g_assert_true (get_handler (SIGPIPE) == SIG_DFL);
}

static void
run_sigpipe_ignored (void)
{
  signal (SIGPIPE, SIG_IGN);
  assert_deaf_workers ();
  assert_dead_workers ();
  g_assert_true (get_handler (SIGPIPE) == SIG_IGN);
}

/* SIGINT */

static void
run_sigint (void)
{
  DrayExecutor *executor;
  DrayFuture *future;
  g_autoptr (DrayFuture) pid = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (WorkshopRecord) lines = NULL;

  /* The test sends SIGINT to the group of this process when it hears from it, once. */
  set_handler (SIGINT, count_cb);
  executor = host_new_executor (1);
  pid = dray_executor_call (executor, "pid", NULL);
  result = dray_future_wait_result (pid, -1, NULL, NULL);
  g_assert_cmpint (getpgid (g_variant_get_uint32 (result)), ==, g_variant_get_uint32 (result));

  future = dray_executor_call (executor, "block", NULL);
  workshop_block_until_status (future, "blocked");
  printf ("ready\n");
  fflush (stdout);
  workshop_block_until (was_signalled, NULL, "the signal came");
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);

  dray_future_cancel (future);
  g_object_unref (future);
  lines = host_run_script (executor, "echo 1; exit 0", NULL);
  workshop_assert_succeeded (lines);
  g_clear_object (&pid);
  host_finish (executor);
}

/* The tests */

static void
test_sigint (Fixture *fixture, gconstpointer data)
{
  /* Shows that a Ctrl+C, which goes to the host's process group, does not reach its workers. */
  g_autoptr (GSubprocess) host = host_start ("sigint");
  GInputStream *output = g_subprocess_get_stdout_pipe (host);
  g_autoptr (GError) error = NULL;
  char text[6];
  gsize n_read;

  g_input_stream_read_all (output, text, sizeof text, &n_read, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n_read, ==, 6);
  kill (-atoi (g_subprocess_get_identifier (host)), SIGINT);
  g_subprocess_wait_check (host, NULL, &error);
  g_assert_no_error (error);
}

static const HostPart parts[] = {
  { "sigchld-handler", run_sigchld_handler }, { "sigchld-reaper", run_sigchld_reaper },
  { "sigchld-ignored", run_sigchld_ignored }, { "sigpipe-default", run_sigpipe_default },
  { "sigpipe-ignored", run_sigpipe_ignored }, { "sigint", run_sigint },
};

static void
test_part (Fixture *fixture, gconstpointer data)
{
  /* Shows that the part of the host finds nothing wrong, and prints nothing. */
  host_run_to_end (data);
}

int
main (int argc, char **argv)
{
  if (host_is_wanted (argc, argv))
    return host_run (argv, parts, G_N_ELEMENTS (parts));

  g_test_init (&argc, &argv, NULL);

  workshop_add ("/host/sigchld/handler", "sigchld-handler", test_part);
  workshop_add ("/host/sigchld/reaper", "sigchld-reaper", test_part);
  workshop_add ("/host/sigchld/ignored", "sigchld-ignored", test_part);
  workshop_add ("/host/sigpipe/default", "sigpipe-default", test_part);
  workshop_add ("/host/sigpipe/ignored", "sigpipe-ignored", test_part);
  workshop_add ("/host/sigint", NULL, test_sigint);

  return g_test_run ();
}
