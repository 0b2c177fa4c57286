/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Hosts that end, in every way there is, while workers of every kind and commands are at it: none
 * of them may outlive the host by more than a moment.
 */

#define LIMIT ((guint64) 1024 * 1024)

/* In the host */

typedef struct
{
  DrayExecutor *executor; /* (owned) */
  DrayExecutor *starting; /* (owned): with a worker that never gets ready */
  GListModel *lists[2];   /* (unowned): the workers of both */
  DrayFuture *blocked;    /* (owned) */
  DrayFuture *deaf;       /* (owned) */
  DrayFuture *stopped;    /* (owned) */
  DrayFuture *stream;     /* (owned): its output fills the limit whenever nobody iterates */
  WorkshopRecord *commands[2]; /* (owned) */
} Scene;

static WorkshopRecord *
start_command (DrayExecutor *executor, const char *script)
{
  const char *const argv[] = { "sh", "-c", script, NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);

  dray_task_set_split (task, DRAY_SPLIT_LINES);

  return workshop_watch (dray_executor_submit (executor, task, NULL));
}

static void
print_pid_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  printf ("%.*s\n", (int) g_variant_get_size (value), (const char *) g_variant_get_data (value));
}

static gboolean
has_all (gpointer user_data)
{
  Scene *scene = user_data;

  /* One for each call but the idle worker's, that one, and the one that starts. */
  return g_list_model_get_n_items (scene->lists[0]) == 6
         && g_list_model_get_n_items (scene->lists[1]) == 1 && scene->commands[0]->n_items == 1
         && scene->commands[1]->n_items == 1;
}

static gboolean
is_one_stopped (gpointer user_data)
{
  Scene *scene = user_data;

  for (guint i = 0; i < g_list_model_get_n_items (scene->lists[0]); i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (scene->lists[0], i);
      g_autofree char *path
        = g_strdup_printf ("/proc/%d/stat", dray_worker_process_get_pid (worker));
      g_autofree char *stat = NULL;

      if (g_file_get_contents (path, &stat, NULL, NULL) && strstr (stat, ") T ") != NULL)
        return TRUE;
    }

  return FALSE;
}

static void
print_workers (GListModel *list)
{
  for (guint i = 0; i < g_list_model_get_n_items (list); i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (list, i);

      printf ("%d\n", dray_worker_process_get_pid (worker));
    }
}

static void
start_workers (Scene *scene)
{
  const char *argv[] = { host_get_worker (), "--init-hangs", NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  g_autoptr (DrayFuture) idle = NULL;

  scene->executor = host_new_executor (8);
  g_object_set (scene->executor, "max-undelivered-bytes", LIMIT, "idle-timeout", 0, NULL);
  scene->lists[0] = dray_executor_get_workers (scene->executor);
  scene->blocked = dray_executor_call (scene->executor, "block", NULL);
  scene->deaf = dray_executor_call (scene->executor, "ignore-cancel", NULL);
  scene->stopped = dray_executor_call (scene->executor, "stop", NULL);
  g_object_unref (dray_executor_call (scene->executor, "spin", NULL));
  workshop_block_until_status (scene->blocked, "blocked");
  workshop_block_until_status (scene->deaf, "deaf");

  scene->stream = dray_executor_call (scene->executor, "stream",
                                      g_variant_new ("(uu)", G_MAXUINT32, 100000));
  workshop_block_until_undelivered (scene->executor, LIMIT);
  idle = dray_executor_call (scene->executor, "sleep", g_variant_new ("(u)", 1));

  scene->starting = dray_executor_new (launcher);
  scene->lists[1] = dray_executor_get_workers (scene->starting);
  g_object_unref (dray_executor_call (scene->starting, "null", NULL));

  g_assert_true (dray_future_wait (idle, -1, NULL, NULL));
}

/* Starts all of it, tells the test the process ids, and that it is ready. */
static void
arrange (Scene *scene)
{
  start_workers (scene);
  scene->commands[0] = start_command (scene->executor, "echo $$; exec sleep 1000");
  scene->commands[1]
    = start_command (scene->executor, "trap '' HUP INT TERM; echo $$; while read line; do :; done; "
                                      "while :; do :; done");
  for (guint i = 0; i < 2; i++)
    g_signal_connect (scene->commands[i]->future, "item", G_CALLBACK (print_pid_cb), NULL);

  fixture_iterate_until (has_all, scene, "everything has started");
  fixture_iterate_until (is_one_stopped, scene, "a worker is stopped");
  workshop_block_until_undelivered (scene->executor, LIMIT);

  print_workers (scene->lists[0]);
  print_workers (scene->lists[1]);
  printf ("ready\n");
  fflush (stdout);
}

static void
run_return (void)
{
  Scene scene = { 0 };

  arrange (&scene);
}

static void
run_exit (void)
{
  Scene scene = { 0 };

  arrange (&scene);
  exit (EXIT_SUCCESS);
}

static void
run_exit_at_once (void)
{
  Scene scene = { 0 };

  arrange (&scene);
  _exit (EXIT_SUCCESS);
}

static void
run_abort (void)
{
  Scene scene = { 0 };

  arrange (&scene);
  abort ();
}

static void
run_wait (void)
{
  Scene scene = { 0 };

  arrange (&scene);
  for (;;)
    pause ();
}

/* In the way that a careful application ends: nothing is there to outlive it. */
static void
run_shut_down (void)
{
  Scene scene = { 0 };

  arrange (&scene);
  g_object_set (scene.executor, "grace-period", 10, NULL);
  g_assert_true (
    dray_executor_shutdown_sync (scene.executor, DRAY_SHUTDOWN_TERMINATE, NULL, NULL));
  g_assert_true (dray_executor_shutdown_sync (scene.starting, DRAY_SHUTDOWN_KILL, NULL, NULL));
}

/* The executors are dropped, and the program ends before their workers have. */
static void
run_drop (void)
{
  Scene scene = { 0 };

  arrange (&scene);
  g_object_unref (scene.executor);
  g_object_unref (scene.starting);
}

static const HostPart parts[] = {
  { "return", run_return }, { "exit", run_exit },           { "exit-at-once", run_exit_at_once },
  { "abort", run_abort },   { "wait", run_wait },           { "drop", run_drop },
  { "shut-down", run_shut_down },
};

/* The tests */

/* (transfer full): the process ids that the host tells of */
static GArray *
read_pids (GSubprocess *host)
{
  g_autoptr (GDataInputStream) input
    = g_data_input_stream_new (g_subprocess_get_stdout_pipe (host));
  GArray *pids = g_array_new (FALSE, FALSE, sizeof (int));
  char *line;

  while ((line = g_data_input_stream_read_line (input, NULL, NULL, NULL)) != NULL
         && !g_str_equal (line, "ready"))
    {
      int pid = atoi (line);

      g_assert_cmpint (pid, >, 0);
      g_array_append_val (pids, pid);
      g_free (line);
    }
  g_assert_cmpstr (line, ==, "ready");
  g_free (line);

  return pids;
}

static void
test_end (Fixture *fixture, gconstpointer data)
{
  /* Shows that workers which wait, work, ignore everything, are stopped, start or idle, and
   * commands as well, vanish with the host. */
  const char *part = data;
  g_autoptr (GSubprocess) host = host_start (g_str_equal (part, "kill") ? "wait" : part);
  g_autoptr (GArray) pids = read_pids (host);

  g_assert_cmpuint (pids->len, ==, 9);
  if (g_str_equal (part, "kill"))
    g_subprocess_force_exit (host);
  g_assert_true (g_subprocess_wait (host, NULL, NULL));
  for (guint i = 0; i < pids->len; i++)
    fixture_iterate_until_gone (g_array_index (pids, int, i));
}

int
main (int argc, char **argv)
{
  static const char *const ways[]
    = { "return", "exit", "exit-at-once", "abort", "kill", "drop", "shut-down" };

  if (host_is_wanted (argc, argv))
    return host_run (argv, parts, G_N_ELEMENTS (parts));

  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_autofree char *path = g_strdup_printf ("/host-end/%s", ways[i]);

      workshop_add (path, ways[i], test_end);
    }

  return g_test_run ();
}
