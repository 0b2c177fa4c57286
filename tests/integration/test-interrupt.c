/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"
#include "terminal.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/*
 * Ctrl+C: a program in a terminal, with workers at work, is interrupted wherever it waits. One is
 * enough. Those programs that don't care end at once, and their workers with them; the others ask
 * their jobs to stop, and end when those have, or at once if there is a second one. Nobody prints
 * anything that was not asked for: no critical, no word of a worker's.
 *
 * While it waits, another worker is busy with results that are larger than any pipe.
 */

/* In the host: what it has */

typedef struct
{
  DrayExecutor *executor;    /* (owned) */
  DrayFuture *job;           /* (owned): runs until it is told to stop, or longer */
  DrayFuture *busy;          /* (owned): sends large items without end, which nobody takes */
  GCancellable *interrupted; /* (owned) */
  GMainLoop *loop;           /* (owned) (nullable) */

  /* of the thread that hears of the interrupts */
  guint n_interrupts;
  gboolean killed; /* it was told so, after it had asked for that */
} Scene;

static void
say (const char *line)
{
  printf ("%s\n", line);
  fflush (stdout);
}

static void
say_pid (DrayExecutor *executor, const char *function)
{
  g_autoptr (DrayFuture) future = dray_executor_call (executor, function, NULL);
  g_autoptr (GVariant) pid = dray_future_wait_result (future, -1, NULL, NULL);

  printf ("process %u\n", g_variant_get_uint32 (pid));
}

static void
say_workers (GListModel *workers)
{
  for (guint i = 0; i < g_list_model_get_n_items (workers); i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (workers, i);

      printf ("process %d\n", dray_worker_process_get_pid (worker));
    }
}

static gboolean
has_two_workers (gpointer workers)
{
  return g_list_model_get_n_items (workers) == 2;
}

/* Two workers, one with a child of its own, and both at work: one with @function, which sets its
 * status to @status. */
static void
arrange (Scene *scene, const char *function, const char *status)
{
  GListModel *workers;

  scene->interrupted = g_cancellable_new ();
  scene->executor = host_new_executor (2);
  g_object_set (scene->executor, "grace-period", 600 * 1000, NULL);
  workers = dray_executor_get_workers (scene->executor);
  say_pid (scene->executor, "grandchild");
  scene->job = dray_executor_call (scene->executor, function, NULL);
  scene->busy = dray_executor_call (scene->executor, "stream",
                                    g_variant_new ("(uu)", G_MAXUINT32, 3000000));
  fixture_iterate_until (has_two_workers, workers, "both workers are there");
  workshop_block_until_status (scene->job, status);
  workshop_block_until_running (scene->busy);
  say_workers (workers);
}

static void
clear (Scene *scene)
{
  g_assert_true (dray_executor_shutdown_sync (scene->executor, DRAY_SHUTDOWN_KILL, NULL, NULL));
  g_clear_object (&scene->executor);
  g_clear_object (&scene->job);
  g_clear_object (&scene->busy);
  g_clear_object (&scene->interrupted);
  g_clear_pointer (&scene->loop, g_main_loop_unref);
}

/* In the host: programs that don't care */

static void
run_wait (void)
{
  Scene scene = { 0 };

  arrange (&scene, "block", "blocked");
  say ("ready");
  dray_future_wait (scene.job, -1, NULL, NULL);
}

static void
run_wait_result_of_another_executor (void)
{
  Scene scene = { 0 };
  g_autoptr (DrayExecutor) other = host_new_executor (1);
  g_autoptr (DrayFuture) future = NULL;

  arrange (&scene, "ignore-cancel", "deaf");
  future = dray_executor_call (other, "block", NULL);
  workshop_block_until_status (future, "blocked");
  say ("ready");
  dray_future_wait_result (future, -1, NULL, NULL);
}

/* Its worker stops the job when it is asked to, and then does not end. */
static void
run_never_ends (void)
{
  const char *const argv[] = { host_get_worker (), "--never-ends", NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  g_autoptr (DrayExecutor) executor = dray_executor_new (launcher);
  g_autoptr (DrayFuture) future = NULL;

  dray_executor_set_max_workers (executor, 1);
  say_pid (executor, "pid");
  future = dray_executor_call (executor, "block", NULL);
  workshop_block_until_status (future, "blocked");
  say ("ready");
  dray_future_wait (future, -1, NULL, NULL);
}

static void
run_loop (void)
{
  Scene scene = { 0 };

  arrange (&scene, "block", "blocked");
  scene.loop = g_main_loop_new (NULL, FALSE);
  say ("ready");
  g_main_loop_run (scene.loop);
}

static void
run_shutdown (void)
{
  Scene scene = { 0 };

  arrange (&scene, "ignore-cancel", "deaf");
  say ("ready");
  dray_executor_shutdown_sync (scene.executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
}

static void
run_command (void)
{
  const char *const argv[] = { "sh", "-c", "echo $$; exec sleep 1000", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);
  g_autoptr (DrayExecutor) executor = host_new_executor (1);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) pid = NULL;

  dray_task_set_split (task, DRAY_SPLIT_LINES);
  dray_task_set_pull (task, TRUE);
  future = dray_executor_submit (executor, task, NULL);
  pid = dray_future_wait_next_item (future, -1, NULL, NULL);
  printf ("process %.*s\n", (int) g_variant_get_size (pid),
          (const char *) g_variant_get_data (pid));
  say ("ready");
  dray_future_wait (future, -1, NULL, NULL);
}

/* In the host: programs that care, and block. Another thread hears of the signal. */

static void
killed_cb (GObject *executor, GAsyncResult *result, gpointer user_data)
{
  Scene *scene = user_data;

  g_assert_true (dray_executor_shutdown_finish (DRAY_EXECUTOR (executor), result, NULL));
  scene->killed = TRUE;
}

static gboolean
interrupt_cb (gpointer user_data)
{
  Scene *scene = user_data;

  if (scene->n_interrupts++ == 0)
    g_cancellable_cancel (scene->interrupted);
  else
    dray_executor_shutdown_async (scene->executor, DRAY_SHUTDOWN_KILL, NULL, killed_cb, scene);

  return G_SOURCE_CONTINUE;
}

typedef struct
{
  Scene *scene;          /* (unowned) */
  GMainContext *context; /* (owned) */
  GMainLoop *loop;       /* (owned) */
  GThread *thread;
} Listener;

static gpointer
listener_thread (gpointer data)
{
  Listener *listener = data;
  Scene *scene = listener->scene;

  g_main_context_push_thread_default (listener->context);
  g_main_loop_run (listener->loop);
  /* Whoever waits for the executor may know sooner, and nobody iterates this context after that. */
  while (scene->n_interrupts > 1 && !scene->killed)
    g_main_context_iteration (listener->context, TRUE);
  g_main_context_pop_thread_default (listener->context);

  return NULL;
}

static void
listener_start (Listener *listener, Scene *scene)
{
  g_autoptr (GSource) source = g_unix_signal_source_new (SIGINT);

  listener->scene = scene;
  listener->context = g_main_context_new ();
  listener->loop = g_main_loop_new (listener->context, FALSE);
  g_source_set_callback (source, interrupt_cb, scene, NULL);
  g_source_attach (source, listener->context);
  listener->thread = g_thread_new ("listens", listener_thread, listener);
}

static void
listener_stop (Listener *listener)
{
  g_main_loop_quit (listener->loop);
  g_thread_join (listener->thread);
  g_main_loop_unref (listener->loop);
  g_main_context_unref (listener->context);
}

static void
assert_interrupted (gboolean succeeded, GError **error)
{
  g_assert_false (succeeded);
  g_assert_error (*error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (error);
}

static gpointer
say_given_up (gpointer job)
{
  g_assert_true (dray_future_wait (job, -1, NULL, NULL));
  say ("interrupted");

  return NULL;
}

/* Shuts down, and says so in the midst of it: a job is given up at once, whether it stops or
 * not. */
static void
give_up (Scene *scene)
{
  GThread *thread = g_thread_new ("says it", say_given_up, scene->job);

  g_assert_true (
    dray_executor_shutdown_sync (scene->executor, DRAY_SHUTDOWN_TERMINATE, NULL, NULL));
  g_thread_join (thread);
}

/* The job stops when it is asked to. */
static void
run_wait_handled (void)
{
  Scene scene = { 0 };
  Listener listener = { 0 };
  GError *error = NULL;

  arrange (&scene, "block", "blocked");
  listener_start (&listener, &scene);
  say ("ready");
  assert_interrupted (dray_future_wait (scene.job, -1, scene.interrupted, &error), &error);

  /* Nobody was killed: the grace period is longer than the test may take. */
  give_up (&scene);
  listener_stop (&listener);
  clear (&scene);
  host_assert_settled ();
  say ("ended");
}

/* The job does not, and there is a second one while the program waits for it. */
static void
run_wait_twice (void)
{
  Scene scene = { 0 };
  Listener listener = { 0 };
  GError *error = NULL;

  arrange (&scene, "ignore-cancel", "deaf");
  listener_start (&listener, &scene);
  say ("ready");
  assert_interrupted (dray_future_wait (scene.job, -1, scene.interrupted, &error), &error);
  give_up (&scene);
  listener_stop (&listener);
  clear (&scene);
  host_assert_settled ();
  say ("ended");
}

/* The first one is heard in a shutdown that waits for the job, and begins one that does not. */
static void
run_in_shutdown (const char *function, const char *status)
{
  Scene scene = { 0 };
  Listener listener = { 0 };
  GError *error = NULL;

  arrange (&scene, function, status);
  listener_start (&listener, &scene);
  say ("ready");
  assert_interrupted (
    dray_executor_shutdown_sync (scene.executor, DRAY_SHUTDOWN_DRAIN, scene.interrupted, &error),
    &error);
  give_up (&scene);
  listener_stop (&listener);
  clear (&scene);
  host_assert_settled ();
  say ("ended");
}

static void
run_shutdown_handled (void)
{
  run_in_shutdown ("block", "blocked");
}

static void
run_shutdown_twice (void)
{
  run_in_shutdown ("ignore-cancel", "deaf");
}

/* In the host: programs that care, with a main loop. */

static void
shut_down_cb (GObject *executor, GAsyncResult *result, gpointer user_data)
{
  Scene *scene = user_data;

  g_assert_true (dray_executor_shutdown_finish (DRAY_EXECUTOR (executor), result, NULL));
  g_main_loop_quit (scene->loop);
}

static gboolean
interrupt_loop_cb (gpointer user_data)
{
  Scene *scene = user_data;

  if (scene->n_interrupts++ == 0)
    {
      dray_executor_shutdown_async (scene->executor, DRAY_SHUTDOWN_TERMINATE, NULL, shut_down_cb,
                                    scene);
      say ("interrupted");
    }
  else
    {
      dray_executor_shutdown_async (scene->executor, DRAY_SHUTDOWN_KILL, NULL, NULL, NULL);
    }

  return G_SOURCE_CONTINUE;
}

static void
run_in_loop (const char *function, const char *status)
{
  Scene scene = { 0 };
  guint source;

  arrange (&scene, function, status);
  scene.loop = g_main_loop_new (NULL, FALSE);
  source = g_unix_signal_add (SIGINT, interrupt_loop_cb, &scene);
  say ("ready");
  g_main_loop_run (scene.loop);
  g_source_remove (source);
  clear (&scene);
  host_assert_settled ();
  say ("ended");
}

static void
run_loop_handled (void)
{
  run_in_loop ("block", "blocked");
}

static void
run_loop_twice (void)
{
  run_in_loop ("ignore-cancel", "deaf");
}

static const HostPart parts[] = {
  { "wait", run_wait },
  { "wait-result", run_wait_result_of_another_executor },
  { "loop", run_loop },
  { "shutdown", run_shutdown },
  { "command", run_command },
  { "never-ends", run_never_ends },
  { "wait-handled", run_wait_handled },
  { "wait-twice", run_wait_twice },
  { "shutdown-handled", run_shutdown_handled },
  { "shutdown-twice", run_shutdown_twice },
  { "loop-handled", run_loop_handled },
  { "loop-twice", run_loop_twice },
};

/* The tests */

static void
assert_all_gone (Terminal *terminal, guint n_expected)
{
  g_autoptr (GArray) pids = terminal_dup_numbers (terminal, "process");

  g_assert_cmpuint (pids->len, ==, n_expected);
  for (guint i = 0; i < pids->len; i++)
    fixture_iterate_until_gone (g_array_index (pids, int, i));
}

static void
assert_output (Terminal *terminal, const char *expected)
{
  g_autofree char *output = terminal_dup_other_output (terminal, "process");

  g_assert_cmpstr (output, ==, expected);
}

static void
assert_ended_well (Terminal *terminal)
{
  int status = terminal_wait_for_end (terminal);

  assert_output (terminal, "ready\ninterrupted\nended\n");
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == EXIT_SUCCESS);
  assert_all_gone (terminal, 3);
}

static void
test_default (Fixture *fixture, gconstpointer data)
{
  /* Shows that where the program does nothing about it, one Ctrl+C ends it at once, wherever it
   * waits, with all of its workers, what those have started, and commands. */
  const char *part = data;
  g_autoptr (Terminal) terminal = terminal_start (part);
  int status;

  terminal_wait_for (terminal, "ready");
  terminal_press_ctrl_c (terminal);
  status = terminal_wait_for_end (terminal);
  assert_output (terminal, "ready\n");
  g_assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGINT);
  assert_all_gone (terminal,
                   g_str_equal (part, "command") || g_str_equal (part, "never-ends") ? 1 : 3);
}

static void
test_handled (Fixture *fixture, gconstpointer data)
{
  /* Shows that where the program asks its jobs to stop on Ctrl+C, one is enough: the wait is over
   * at once, nobody needs to be killed, and the program ends as it does otherwise. */
  g_autoptr (Terminal) terminal = terminal_start (data);

  terminal_wait_for (terminal, "ready");
  terminal_press_ctrl_c (terminal);
  assert_ended_well (terminal);
}

static void
test_twice (Fixture *fixture, gconstpointer data)
{
  /* Shows that where a job does not stop, a second Ctrl+C kills its worker, in the middle of a
   * grace period that is longer than the test may take. */
  g_autoptr (Terminal) terminal = terminal_start (data);

  terminal_wait_for (terminal, "ready");
  terminal_press_ctrl_c (terminal);
  terminal_wait_for (terminal, "interrupted");
  terminal_press_ctrl_c (terminal);
  assert_ended_well (terminal);
}

int
main (int argc, char **argv)
{
  if (host_is_wanted (argc, argv))
    return host_run (argv, parts, G_N_ELEMENTS (parts));

  g_test_init (&argc, &argv, NULL);

  workshop_add ("/interrupt/default/wait", "wait", test_default);
  workshop_add ("/interrupt/default/wait-result", "wait-result", test_default);
  workshop_add ("/interrupt/default/loop", "loop", test_default);
  workshop_add ("/interrupt/default/shutdown", "shutdown", test_default);
  workshop_add ("/interrupt/default/command", "command", test_default);
  workshop_add ("/interrupt/default/never-ends", "never-ends", test_default);
  workshop_add ("/interrupt/handled/wait", "wait-handled", test_handled);
  workshop_add ("/interrupt/handled/shutdown", "shutdown-handled", test_handled);
  workshop_add ("/interrupt/handled/loop", "loop-handled", test_handled);
  workshop_add ("/interrupt/twice/wait", "wait-twice", test_twice);
  workshop_add ("/interrupt/twice/shutdown", "shutdown-twice", test_twice);
  workshop_add ("/interrupt/twice/loop", "loop-twice", test_twice);

  return g_test_run ();
}
