/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"
#include "responsive.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Hosts that end, in every way there is, while workers of every kind and commands are at it: none
 * of them, nor what they have started in their groups, may outlive the host by more than two
 * seconds. How long it took is told beside the result.
 */

#define LIMIT ((guint64) 1024 * 1024)

/* In the host */

/* What workers do when the host ends. */
typedef struct
{
  const char *name;
  const char *function;
  const char *status; /* (nullable): that it tells of when it does so */
  gboolean has_grandchild;
} Kind;

/* The kind of what they have started. */
#define GRANDCHILD "grandchild"

/* As "writing"; and it has been told to give back a call, but can't say that it did. */
#define WRITING_RECALLED "writing-recalled"

static const Kind kinds[] = {
  { "busy", "block", "blocked", FALSE },
  { "busy-with-grandchild", "block", "blocked", TRUE },
  { "deaf", "ignore-cancel", "deaf", FALSE },
  { "deaf-with-grandchild", "ignore-cancel", "deaf", TRUE },
  { "spinning", "spin", "spinning", FALSE },
  { "stopped", "stop", "stopping", FALSE },
  { "stopped-with-grandchild", "stop", "stopping", TRUE },
  { "writing", "stream", NULL, FALSE }, /* it waits for the limit of what is undelivered */
  { WRITING_RECALLED, "stream", NULL, FALSE },
  { "idle", NULL, NULL, FALSE },
  { "idle-with-grandchild", NULL, NULL, TRUE },
};

/* Commands, each of which tells some process ids, its own among them. */
typedef struct
{
  const char *name;
  const char *script;
  guint n_processes;
} Command;

static const Command commands[] = {
  { "command", "echo $$; exec sleep 1000", 1 },
  { "deaf-command",
    "trap '' HUP INT TERM; echo $$; while read line; do :; done; while :; do :; done", 1 },
  { "command-with-child", "sleep 1000 & echo $!; echo $$; wait", 2 },
  { "command-with-deaf-grandchild",
    "trap '' HUP INT TERM; (sh -c 'sleep 1000 & echo $!; wait' & echo $!; wait) & echo $!; "
    "echo $$; wait",
    4 },
  { "command-with-orphan", "(sleep 1000 & echo $!); echo $$; exec sleep 1000", 2 },
  { "command-with-stopped-child", "sleep 1000 & kill -STOP $!; echo $!; echo $$; wait", 2 },
};

#define N_COMMAND_PROCESSES (1 + 1 + 2 + 4 + 2 + 2)

typedef struct
{
  DrayExecutor *executors[G_N_ELEMENTS (kinds)]; /* (owned): one for each kind, with one worker */
  DrayFuture *futures[G_N_ELEMENTS (kinds)];     /* (owned) (nullable) */
  DrayExecutor *strange;  /* (owned): with what is no worker, but might become one */
  DrayExecutor *starting; /* (owned): with a worker that never gets ready */
  DrayExecutor *commands; /* (owned) */
  WorkshopRecord *records[G_N_ELEMENTS (commands)]; /* (owned) */
} Scene;

/* An application that ends frees nothing, which is no leak as long as it could still find it. */
static Scene the_scene;

static void
print_pid (const char *kind, int pid)
{
  printf ("%s %d\n", kind, pid);
}

static int
ask (DrayExecutor *executor, const char *function)
{
  g_autoptr (DrayFuture) future = dray_executor_call (executor, function, NULL);
  g_autoptr (GVariant) pid = dray_future_wait_result (future, -1, NULL, NULL);

  g_assert_nonnull (pid);

  return (int) g_variant_get_uint32 (pid);
}

/* A call waits in the worker, whose output is not read, and is recalled. */
static void
recall_one (Scene *scene)
{
  DrayExecutor *executor = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (kinds[i].name, WRITING_RECALLED))
      executor = scene->executors[i];

  g_object_unref (dray_executor_call (executor, "null", NULL));
  fixture_iterate_until (fixture_has_given_out_all, executor, "a call waits in the worker");
  workshop_block_until_undelivered (executor, LIMIT);
  dray_executor_set_paused (executor, TRUE);
}

static void
start_worker (Scene *scene, guint i)
{
  const Kind *kind = &kinds[i];
  GVariant *arguments = NULL;
  int pid;

  scene->executors[i] = host_new_executor (1);
  g_object_set (scene->executors[i], "max-undelivered-bytes", LIMIT, "idle-timeout", 0, NULL);
  pid = ask (scene->executors[i], "pid");
  print_pid (kind->name, pid);
  if (kind->has_grandchild)
    print_pid (GRANDCHILD, ask (scene->executors[i], "grandchild"));
  if (kind->function == NULL)
    return;

  if (g_str_equal (kind->function, "stream"))
    arguments = g_variant_new ("(uu)", G_MAXUINT32, 100000);
  scene->futures[i] = dray_executor_call (scene->executors[i], kind->function, arguments);
  if (kind->status != NULL)
    workshop_block_until_status (scene->futures[i], kind->status);
  else
    workshop_block_until_undelivered (scene->executors[i], LIMIT);
  if (g_str_equal (kind->function, "stop"))
    fixture_iterate_until (fixture_is_stopped, GINT_TO_POINTER (pid), "the worker is stopped");
}

static gboolean
has_worker (gpointer list)
{
  return g_list_model_get_n_items (list) == 1;
}

/* @executor tells of one process only. */
static int
ask_starting_pid (DrayExecutor *executor)
{
  GListModel *workers = dray_executor_get_workers (executor);
  g_autoptr (DrayWorkerProcess) worker = NULL;

  g_object_unref (dray_executor_call (executor, "null", NULL));
  fixture_iterate_until (has_worker, workers, "a worker is starting");
  worker = g_list_model_get_item (workers, 0);
  return dray_worker_process_get_pid (worker);
}

static void
start_starting (Scene *scene)
{
  const char *argv[] = { host_get_worker (), "--init-hangs", NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);

  scene->starting = dray_executor_new (launcher);
  print_pid ("starting", ask_starting_pid (scene->starting));
}

static gboolean
is_written (gpointer path)
{
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* It has told nothing yet, and never does: it reads nothing, and has a child. */
static void
start_strange (Scene *scene)
{
  g_autofree char *directory = g_dir_make_tmp ("dray-host-end-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "child", NULL);
  const char *argv[] = { "sh", "-c",
                         "sleep 1000 & echo $! >\"$0.new\"; mv \"$0.new\" \"$0\"; exec sleep 1000",
                         path, NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  g_autofree char *child = NULL;

  scene->strange = dray_executor_new (launcher);
  print_pid ("strange", ask_starting_pid (scene->strange));
  fixture_iterate_until (is_written, path, "it has started something");
  g_file_get_contents (path, &child, NULL, NULL);
  print_pid ("strange", atoi (child));
  g_unlink (path);
  g_rmdir (directory);
}

static void
print_item_cb (DrayFuture *future, GVariant *value, gpointer name)
{
  g_autofree char *text = g_strndup (g_variant_get_data (value), g_variant_get_size (value));

  print_pid (name, atoi (text));
}

static gboolean
has_told (gpointer data)
{
  Scene *scene = data;

  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (scene->records[i]->n_items < commands[i].n_processes)
      return FALSE;

  return TRUE;
}

static void
start_commands (Scene *scene)
{
  scene->commands = host_new_executor (G_N_ELEMENTS (commands));
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      const char *const argv[] = { "sh", "-c", commands[i].script, NULL };
      g_autoptr (DrayTask) task = dray_task_new_command (argv);

      dray_task_set_split (task, DRAY_SPLIT_LINES);
      scene->records[i] = workshop_watch (dray_executor_submit (scene->commands, task, NULL));
      g_signal_connect (scene->records[i]->future, "item", G_CALLBACK (print_item_cb),
                        (gpointer) commands[i].name);
    }
  fixture_iterate_until (has_told, scene, "the commands have started");
}

/* Starts all of it, tells the test the process ids, and that it is ready. */
static void
arrange (Scene *scene)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    start_worker (scene, i);
  start_starting (scene);
  start_strange (scene);
  start_commands (scene);
  recall_one (scene); /* the last: nothing is delivered from here on */

  printf ("ready\n");
  fflush (stdout);
}

static void
end_all (Scene *scene, void (*end) (DrayExecutor *executor))
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    end (scene->executors[i]);
  end (scene->starting);
  end (scene->strange);
  end (scene->commands);
}

static void
run_return (void)
{
  arrange (&the_scene);
}

static void
run_exit (void)
{
  arrange (&the_scene);
  exit (EXIT_SUCCESS);
}

static void
run_exit_at_once (void)
{
  arrange (&the_scene);
  _exit (EXIT_SUCCESS);
}

static void
run_abort (void)
{
  arrange (&the_scene);
  abort ();
}

static void
run_wait (void)
{
  arrange (&the_scene);
  for (;;)
    pause ();
}

static gpointer
exit_thread (gpointer data)
{
  exit (EXIT_SUCCESS);
}

static void
run_exit_on_a_thread (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  arrange (&the_scene);
  g_thread_unref (g_thread_new ("exits", exit_thread, NULL));
  g_main_loop_run (loop);
}

static void
shut_down (DrayExecutor *executor)
{
  g_object_set (executor, "grace-period", 10, NULL);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_TERMINATE, NULL, NULL));
}

/* In the way that a careful application ends: nothing is there to outlive it. */
static void
run_shut_down (void)
{
  arrange (&the_scene);
  end_all (&the_scene, shut_down);
}

static void
begin_to_shut_down (DrayExecutor *executor)
{
  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_TERMINATE, NULL, NULL, NULL);
}

/* The program ends in the middle of that. */
static void
run_shutting_down (void)
{
  arrange (&the_scene);
  end_all (&the_scene, begin_to_shut_down);
}

static void
drop (DrayExecutor *executor)
{
  g_object_unref (executor);
}

/* The executors are dropped, and the program ends before their workers have. */
static void
run_drop (void)
{
  arrange (&the_scene);
  end_all (&the_scene, drop);
}

/* A worker that was told goodbye, and does not end. All of the grace period is to come. */
static void
run_leaving (void)
{
  g_autofree char *directory = g_dir_make_tmp ("dray-host-end-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "left", NULL);
  const char *argv[] = { host_get_worker (), "--never-ends", path, NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  DrayExecutor *executor = dray_executor_new (launcher);

  g_object_set (executor, "grace-period", 600000, NULL);
  print_pid ("leaving", ask (executor, "pid"));
  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL, NULL);
  while (!g_file_test (path, G_FILE_TEST_EXISTS))
    g_main_context_iteration (NULL, FALSE);
  g_unlink (path);
  g_rmdir (directory);

  printf ("ready\n");
  fflush (stdout);
  for (;;)
    pause ();
}

/* Commands are started one after the other for ever, each of which leaves two processes behind that
 * wait for ever and have the host's standard output open. For each that has ended there is a
 * line. */

#define N_AT_A_TIME 3
#define LINE "ended\n"

static void restart_cb (DrayFuture *future, gpointer executor);

static void
start_next (DrayExecutor *executor)
{
  const char *const argv[] = { "sh", "-c", "exec 3>&0; sleep 1000 & sleep 1000 & exit 0", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  dray_task_set_input_fd (task, STDOUT_FILENO, &error);
  g_assert_no_error (error);
  future = dray_executor_submit (executor, task, NULL);
  dray_future_add_done_callback (future, restart_cb, executor, NULL);
}

static void
restart_cb (DrayFuture *future, gpointer executor)
{
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_SUCCEEDED);
  fputs (LINE, stdout);
  fflush (stdout);
  start_next (executor);
}

static void
run_start_commands (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  DrayExecutor *executor = host_new_executor (N_AT_A_TIME);

  for (guint i = 0; i < N_AT_A_TIME; i++)
    start_next (executor);
  g_main_loop_run (loop);
}

static const HostPart parts[] = {
  { "start-commands", run_start_commands },
  { "leaving", run_leaving },
  { "return", run_return },
  { "exit", run_exit },
  { "exit-at-once", run_exit_at_once },
  { "exit-on-a-thread", run_exit_on_a_thread },
  { "abort", run_abort },
  { "wait", run_wait },
  { "drop", run_drop },
  { "shut-down", run_shut_down },
  { "shutting-down", run_shutting_down },
};

/* The tests */

typedef struct
{
  char *kind; /* (owned) */
  int pid;
} Process;

static void
process_clear (Process *process)
{
  g_free (process->kind);
}

/* (transfer full): the processes that the host tells of */
static GArray *
read_processes (GSubprocess *host)
{
  g_autoptr (GDataInputStream) input = g_data_input_stream_new (
    g_subprocess_get_stdout_pipe (host));
  GArray *processes = g_array_new (FALSE, FALSE, sizeof (Process));
  char *line;

  g_array_set_clear_func (processes, (GDestroyNotify) process_clear);
  while ((line = g_data_input_stream_read_line (input, NULL, NULL, NULL)) != NULL
         && !g_str_equal (line, "ready"))
    {
      g_auto (GStrv) words = g_strsplit (line, " ", 2);
      Process process = { g_strdup (words[0]), words[1] != NULL ? atoi (words[1]) : 0 };

      g_assert_cmpint (process.pid, >, 0);
      g_array_append_val (processes, process);
      g_free (line);
    }
  g_assert_cmpstr (line, ==, "ready");
  g_free (line);

  return processes;
}

typedef struct
{
  const char *name;
  const char *part;
  int signal_number;     /* 0: it ends by itself; negative: its whole group is sent this */
  gboolean with_workers; /* they are killed as well, before it can see to what they have started */
} Way;

static const Way ways[] = {
  { "return", "return", 0, FALSE },
  { "exit", "exit", 0, FALSE },
  { "exit-at-once", "exit-at-once", 0, FALSE },
  { "exit-on-a-thread", "exit-on-a-thread", 0, FALSE },
  { "abort", "abort", 0, FALSE },
  { "terminate", "wait", SIGTERM, FALSE },
  { "kill", "wait", SIGKILL, FALSE },
  { "kill-group", "wait", -SIGKILL, FALSE },
  { "kill-all", "wait", SIGKILL, TRUE },
  { "drop", "drop", 0, FALSE },
  { "shut-down", "shut-down", 0, FALSE },
  { "shutting-down", "shutting-down", 0, FALSE },
};

static gboolean
is_worker (const Process *process)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (process->kind, kinds[i].name))
      return TRUE;

  return FALSE;
}

/* As killall does where they are the same program as the host. */
static void
kill_workers (pid_t host, GArray *processes)
{
  g_assert_cmpint (kill (host, SIGSTOP), ==, 0);
  for (guint i = 0; i < processes->len; i++)
    {
      const Process *process = &g_array_index (processes, Process, i);

      if (is_worker (process))
        g_assert_cmpint (kill (process->pid, SIGKILL), ==, 0);
    }
}

static void
test_end (Fixture *fixture, gconstpointer data)
{
  /* Shows that workers which wait, work, ignore everything, are stopped, write, start or idle, what
   * they have started, and commands as well, vanish with the host. */
  const Way *way = data;
  g_autoptr (GSubprocess) host = host_start (way->part);
  const pid_t pid = atoi (g_subprocess_get_identifier (host));
  g_autoptr (GArray) processes = read_processes (host);
  Control control = { 0 };

  /* One for each kind, four grandchildren, those that start, and the commands'. */
  g_assert_cmpuint (processes->len, ==, G_N_ELEMENTS (kinds) + 4 + 1 + 2 + N_COMMAND_PROCESSES);
  if (way->with_workers)
    kill_workers (pid, processes);
  if (way->signal_number != 0)
    g_assert_cmpint (kill (way->signal_number < 0 ? -pid : pid, ABS (way->signal_number)), ==, 0);
  g_assert_true (g_subprocess_wait (host, NULL, NULL));

  control_begin (&control);
  for (guint i = 0; i < processes->len; i++)
    {
      const Process *process = &g_array_index (processes, Process, i);
      g_autofree char *what = g_strdup_printf ("the %s process is gone", process->kind);

      fixture_iterate_until (fixture_is_gone, GINT_TO_POINTER (process->pid), what);
    }
  control_end_within (&control, HOST_SURVIVAL, "nothing was left");
}

static void
test_leaving (Fixture *fixture, gconstpointer data)
{
  /* Shows that a worker that was told goodbye, has run all it had to, and whose program then hangs,
   * vanishes with the host, too: nobody else is there to end it. */
  g_autoptr (GSubprocess) host = host_start ("leaving");
  g_autoptr (GArray) processes = read_processes (host);
  Control control = { 0 };

  g_assert_cmpuint (processes->len, ==, 1);
  g_assert_cmpint (kill (atoi (g_subprocess_get_identifier (host)), SIGKILL), ==, 0);
  g_assert_true (g_subprocess_wait (host, NULL, NULL));
  control_begin (&control);
  fixture_iterate_until (fixture_is_gone,
                         GINT_TO_POINTER (g_array_index (processes, Process, 0).pid),
                         "the worker is gone");
  control_end_within (&control, HOST_SURVIVAL, "the worker was gone");
}

/* With other moments to be hit. */
#define N_KILLS 20

static void
test_starting_commands (Fixture *fixture, gconstpointer data)
{
  /* Shows that nothing of a command outlives the host wherever in the start or the end of commands
   * it is killed. */
  for (guint i = 0; i < N_KILLS; i++)
    {
      g_autoptr (GSubprocess) host = host_start ("start-commands");
      GInputStream *output = g_subprocess_get_stdout_pipe (host);
      char bytes[sizeof LINE - 1];
      gsize size = sizeof bytes;
      Control control = { 0 };

      for (guint n_ended = 0; n_ended < 5 + i % 5; n_ended++)
        {
          g_assert_true (g_input_stream_read_all (output, bytes, sizeof bytes, &size, NULL, NULL));
          g_assert_cmpuint (size, ==, sizeof bytes);
        }
      g_assert_cmpint (kill (atoi (g_subprocess_get_identifier (host)), SIGKILL), ==, 0);
      g_assert_true (g_subprocess_wait (host, NULL, NULL));

      /* The end comes when nobody has the pipe open any more. */
      control_begin (&control);
      while (size > 0)
        g_assert_true (g_input_stream_read_all (output, bytes, sizeof bytes, &size, NULL, NULL));
      control_end_within (&control, HOST_SURVIVAL, "nothing was left");
    }
}

int
main (int argc, char **argv)
{
  if (host_is_wanted (argc, argv))
    return host_run (argv, parts, G_N_ELEMENTS (parts));

  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_autofree char *path = g_strdup_printf ("/host-end/%s", ways[i].name);

      workshop_add (path, &ways[i], test_end);
    }
  workshop_add ("/host-end/leaving", NULL, test_leaving);
  workshop_add ("/host-end/starting-commands", NULL, test_starting_commands);

  return g_test_run ();
}
