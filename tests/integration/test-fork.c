/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"
#include "payload-rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Hosts that fork and go on in the child without executing anything: whatever the child does with
 * what it has inherited, it is told that this is not its own, and the parent notices nothing.
 *
 * A child that hangs is ended by a signal, which the test sees.
 */

#define LIFETIME 60 /* seconds */

static gboolean
is_forked (const GError *error)
{
  return g_error_matches (error, DRAY_ERROR, DRAY_ERROR_FORKED);
}

/* What the parent has */

typedef struct
{
  DrayExecutor *executor;     /* (owned) */
  DrayExecutor *starting;     /* (owned): with a worker that never gets ready */
  DrayExecutor *mapping;      /* (owned): of the map */
  DrayGroup *group;           /* (owned) */
  DrayCompletionQueue *queue; /* (owned) */
  DrayMap *map;               /* (owned) */
  GPtrArray *unfinished;      /* (owned): records of futures that are not done at the fork */
  WorkshopRecord *done;       /* (owned): of one that is */
  WorkshopRecord *pulled;     /* (owned): of one that is pulled, and has an item */
  GListModel *workers;        /* (owned) */
  gboolean told;              /* in the child */
} Scene;

static GVariant *
next_arguments_cb (gpointer user_data)
{
  return g_variant_new ("(ii)", 1, 2);
}

static DrayFuture *
add_call (Scene *scene, const char *function, GVariant *arguments)
{
  DrayFuture *future = dray_executor_call (scene->executor, function, arguments);

  g_ptr_array_add (scene->unfinished, workshop_watch (future));

  return future;
}

static void
add_command (Scene *scene)
{
  const char *const argv[] = { "sleep", "1000", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);

  g_ptr_array_add (scene->unfinished,
                   workshop_watch (dray_executor_submit (scene->executor, task, NULL)));
}

static void
add_pulled (Scene *scene)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("stream", g_variant_new ("(uu)", 60, 100000));

  dray_task_set_pull (task, TRUE);
  scene->pulled = workshop_watch (dray_executor_submit (scene->executor, task, NULL));
  g_variant_unref (dray_future_wait_next_item (scene->pulled->future, -1, NULL, NULL));
}

/* What is behind others, and what is made of several. */
static void
add_combined (Scene *scene)
{
  g_autoptr (DrayTask) next = dray_task_new_call ("null", NULL);
  DrayFuture *parts[2];

  parts[0] = add_call (scene, "block", NULL);
  parts[1] = scene->done->future;
  g_ptr_array_add (scene->unfinished, workshop_watch (dray_future_all (parts, 2)));
  g_ptr_array_add (scene->unfinished,
                   workshop_watch (dray_future_and_then (parts[0], scene->executor, next, -1)));
  dray_group_add (scene->group, parts[0]);
  dray_completion_queue_add (scene->queue, parts[0]);
}

static void
set_up_scene (Scene *scene)
{
  /* In the child, what was made first is given up first: this before its members,
   * the group after. */
  scene->queue = dray_completion_queue_new ();
  scene->executor = workshop_new (6);
  scene->starting = workshop_new_with_mode (1, "--init-hangs", NULL);
  scene->mapping = workshop_new (1);
  g_object_set (scene->executor, "max-undelivered-bytes", (guint64) 1024 * 1024, "grace-period", 50,
                NULL);
  g_object_set (scene->starting, "grace-period", 50, NULL);
  scene->unfinished = workshop_new_records ();
  scene->group = dray_group_new ();
  scene->workers = g_object_ref (dray_executor_get_workers (scene->executor));
  scene->done = workshop_watch (
    dray_executor_call (scene->executor, "add", g_variant_new ("(ii)", 2, 3)));
  workshop_iterate_until_told (scene->done);

  add_combined (scene);
  add_pulled (scene);
  add_command (scene);
  g_ptr_array_add (scene->unfinished,
                   workshop_watch (dray_executor_call (scene->starting, "null", NULL)));
  scene->map = dray_executor_map (scene->mapping, "add", next_arguments_cb, NULL, NULL);
  dray_outcome_unref (dray_map_wait_next (scene->map, -1, NULL, NULL));

  /* The last one fills the limit; and others are pending. */
  add_call (scene, "stream", g_variant_new ("(uu)", G_MAXUINT32, 100000));
  workshop_block_until_undelivered (scene->executor, 1024 * 1024);
  for (guint i = 0; i < 20; i++)
    add_call (scene, "block", NULL);
}

static void
drop_scene (Scene *scene)
{
  g_clear_object (&scene->map);
  g_clear_object (&scene->workers);
  g_clear_object (&scene->group);
  g_clear_object (&scene->queue);
  g_clear_object (&scene->executor);
  g_clear_object (&scene->starting);
  g_clear_object (&scene->mapping);
}

/* That nothing has happened to it. */
static void
check_scene (Scene *scene)
{
  G_GNUC_UNUSED g_autoptr (DrayFuture) call = NULL;
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (scene->executor);
  DrayOutcome *outcome;
  guint n_items = 1;
  GVariant *item;

  for (guint i = 0; i < scene->unfinished->len; i++)
    g_assert_false (dray_future_is_done (((WorkshopRecord *) scene->unfinished->pdata[i])->future));
  g_assert_cmpuint (counters->workers_died, ==, 0);
  outcome = dray_map_wait_next (scene->map, -1, NULL, NULL);
  g_assert_nonnull (outcome);
  dray_outcome_unref (outcome);

  while ((item = dray_future_wait_next_item (scene->pulled->future, -1, NULL, NULL)) != NULL)
    {
      workshop_assert_bytes (item, 100000);
      g_variant_unref (item);
      n_items++;
    }
  g_assert_cmpuint (n_items, ==, 60);
  workshop_iterate_until_told (scene->pulled);
  workshop_assert_succeeded (scene->pulled);
}

/* The child */

typedef void (*ChildFunc) (gpointer data);

/* Runs @function in a forked process, to its end, and asserts that it found nothing wrong. */
static void
run_in_child (ChildFunc function, gpointer data)
{
  int status = 0;
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      alarm (LIFETIME);
      function (data);
      _exit (EXIT_SUCCESS);
    }

  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  if (!WIFEXITED (status) || WEXITSTATUS (status) != EXIT_SUCCESS)
    g_error ("the forked process ended with the wait status 0x%x", (guint) status);
}

static void
assert_forked (DrayFuture *future)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_assert_null (dray_future_dup_result (future, &error));
  g_assert_true (is_forked (error));
}

static void
wait_in_child (gpointer data)
{
  Scene *scene = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) map_error = NULL;
  g_autoptr (GError) group_error = NULL;
  g_autoptr (DrayFuture) next = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (scene->done->future, -1, NULL, &error);
  DrayOutcome *outcome;

  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (result), ==, 5);
  for (guint i = 0; i < scene->unfinished->len; i++)
    assert_forked (((WorkshopRecord *) scene->unfinished->pdata[i])->future);
  while ((result = dray_future_wait_next_item (scene->pulled->future, -1, NULL, &error)) != NULL)
    g_variant_unref (g_steal_pointer (&result));
  g_assert_true (is_forked (error));

  g_assert_true (dray_group_wait (scene->group, -1, NULL, NULL));
  g_assert_false (dray_group_check (scene->group, &group_error));
  g_assert_true (is_forked (group_error));
  next = dray_completion_queue_wait_next (scene->queue, -1, NULL, NULL);
  assert_forked (next);
  while ((outcome = dray_map_wait_next (scene->map, -1, NULL, &map_error)) != NULL)
    dray_outcome_unref (outcome);
  g_assert_true (is_forked (map_error));
}

static void
wait_first_in_child (gpointer data)
{
  Scene *scene = data;
  g_autoptr (DrayFuture) next = dray_completion_queue_wait_next (scene->queue, -1, NULL, NULL);

  assert_forked (next);
}

static void
map_first_in_child (gpointer data)
{
  Scene *scene = data;
  g_autoptr (GError) error = NULL;
  DrayOutcome *outcome;

  while ((outcome = dray_map_wait_next (scene->map, -1, NULL, &error)) != NULL)
    dray_outcome_unref (outcome);
  g_assert_true (is_forked (error));
}

static void
iterate_in_child (gpointer data)
{
  Scene *scene = data;

  /* Nothing of the library's is called first: the main loop alone tells. */
  workshop_iterate_until_all_told (scene->unfinished);
  for (guint i = 0; i < scene->unfinished->len; i++)
    workshop_assert_failed (scene->unfinished->pdata[i], DRAY_ERROR, DRAY_ERROR_FORKED);
}

static void
accepted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Scene *scene = user_data;
  g_autoptr (DrayFuture) future = dray_executor_submit_finish (DRAY_EXECUTOR (source), result,
                                                               NULL);

  assert_forked (future);
  scene->told = TRUE;
}

static void
submit_in_child (gpointer data)
{
  Scene *scene = data;
  g_autoptr (DrayTask) task = dray_task_new_call ("null", NULL);
  g_autoptr (DrayFuture) future = dray_executor_submit (scene->executor, task, NULL);
  g_autoptr (DrayFuture) next = NULL;
  g_autoptr (DrayFuture) member = NULL;

  assert_forked (future);
  next = dray_future_and_then (scene->done->future, scene->executor, task, -1);
  assert_forked (next);
  member = dray_group_submit (scene->group, scene->executor, task, NULL);
  g_assert_true (dray_future_wait (member, -1, NULL, NULL));

  dray_executor_submit_async (scene->executor, task, NULL, accepted_cb, scene);
  fixture_iterate_until_true (&scene->told, "the task is refused");
}

static void
closed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Scene *scene = user_data;
  g_autoptr (GError) error = NULL;

  g_assert_false (dray_executor_shutdown_finish (DRAY_EXECUTOR (source), result, &error));
  g_assert_true (is_forked (error));
  scene->told = TRUE;
}

static void
shut_down_in_child (gpointer data)
{
  Scene *scene = data;

  for (guint mode = DRAY_SHUTDOWN_DRAIN; mode <= DRAY_SHUTDOWN_KILL; mode++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (dray_executor_shutdown_sync (scene->executor, mode, NULL, &error));
      g_assert_true (is_forked (error));
      scene->told = FALSE;
      dray_executor_shutdown_async (scene->executor, mode, NULL, closed_cb, scene);
      fixture_iterate_until_true (&scene->told, "it is said who has to shut down");
    }
  g_assert_true (dray_executor_is_shut_down (scene->executor));
  drop_scene (scene);
}

static void
cancel_in_child (gpointer data)
{
  Scene *scene = data;

  for (guint i = 0; i < scene->unfinished->len; i++)
    dray_future_cancel (((WorkshopRecord *) scene->unfinished->pdata[i])->future);
  dray_executor_cancel_all (scene->executor);
  dray_group_cancel (scene->group);
  dray_map_cancel (scene->map);
  for (guint i = 0; i < g_list_model_get_n_items (scene->workers); i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (scene->workers, i);

      dray_worker_process_kill (worker);
    }
  workshop_iterate_until_all_told (scene->unfinished);
}

static void
drop_in_child (gpointer data)
{
  Scene *scene = data;

  /* As it is: futures go first, some of them with what was never delivered. */
  for (guint i = 0; i < scene->unfinished->len; i++)
    g_object_unref (((WorkshopRecord *) scene->unfinished->pdata[i])->future);
  drop_scene (scene);
}

static void
drop_executors_in_child (gpointer data)
{
  Scene *scene = data;

  drop_scene (scene);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

/* Asked by the leak checker of a sanitized build, if there is one. What only the I/O thread's stack
 * led to has nothing that leads to it in a child that exits. */
int __lsan_is_turned_off (void);

static gboolean looks_for_leaks = TRUE;

int
__lsan_is_turned_off (void)
{
  return !looks_for_leaks;
}

static void
exit_in_child (gpointer data)
{
  looks_for_leaks = FALSE;
  exit (EXIT_SUCCESS);
}

static void
work_in_child (gpointer data)
{
  Fixture fixture;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  DrayExecutor *executor;

  fixture_set_up (&fixture, NULL);
  executor = workshop_new (2);
  future = dray_executor_call (executor, "bytes", g_variant_new ("(u)", 3000000));
  result = dray_future_wait_result (future, -1, NULL, NULL);
  workshop_assert_bytes (result, 3000000);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_object_unref (executor);
  g_assert_true (fixture_settle (&fixture));
}

static void
fork_in_child (gpointer data)
{
  run_in_child (wait_in_child, data);
  work_in_child (data);
  run_in_child (wait_in_child, data);
  wait_in_child (data);
}

static const struct
{
  const char *name;
  ChildFunc function;
} children[] = {
  { "wait", wait_in_child },
  { "wait-first", wait_first_in_child },
  { "map-first", map_first_in_child },
  { "iterate", iterate_in_child },
  { "submit", submit_in_child },
  { "shut-down", shut_down_in_child },
  { "cancel", cancel_in_child },
  { "drop", drop_in_child },
  { "drop-executors", drop_executors_in_child },
  { "exit", exit_in_child },
  { "work", work_in_child },
  { "fork", fork_in_child },
};

static void
test_child (Fixture *fixture, gconstpointer data)
{
  /* Shows that a forked process is told what it can't use, whichever way it tries, may have
   * executors of its own, and that nothing of it is noticed by the parent, whose workers run,
   * stream, start or wait to be pulled, with a command, a map and much that is pending. */
  Scene scene = { 0 };

  set_up_scene (&scene);
  for (guint i = 0; i < 2; i++)
    run_in_child (*(const ChildFunc *) data, &scene);
  check_scene (&scene);

  g_assert_true (dray_executor_shutdown_sync (scene.executor, DRAY_SHUTDOWN_TERMINATE, NULL, NULL));
  g_assert_true (dray_executor_shutdown_sync (scene.starting, DRAY_SHUTDOWN_KILL, NULL, NULL));
  workshop_iterate_until_all_told (scene.unfinished);
  drop_scene (&scene);
  g_ptr_array_unref (scene.unfinished);
  workshop_record_free (scene.done);
  workshop_record_free (scene.pulled);
}

/* What it has open */

static void
test_descriptors (Fixture *fixture, gconstpointer data)
{
  /* Shows that a forked process which does nothing with the library does not keep commands waiting
   * for the end of their input, nor anything of theirs open. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  const char *const argv[] = { "sh", "-c", "echo; cat >/dev/null", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);
  g_autoptr (GBytes) input = host_new_large_input ();
  WorkshopRecord *record;
  pid_t pid;

  dray_task_set_input_bytes (task, input);
  dray_task_set_split (task, DRAY_SPLIT_LINES);
  record = workshop_watch (dray_executor_submit (executor, task, NULL));
  workshop_block_until_running (record->future);
  pid = fork ();
  if (pid == 0)
    {
      alarm (LIFETIME);
      for (;;)
        pause ();
    }

  workshop_iterate_until_told (record);
  workshop_assert_succeeded (record);
  g_assert_cmpint (waitpid (pid, NULL, WNOHANG), ==, 0);
  kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  workshop_record_free (record);
}

static void
print_item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  printf ("%.*s\n", (int) g_variant_get_size (value), (const char *) g_variant_get_data (value));
}

static gboolean
has_two_items (gpointer record)
{
  return ((WorkshopRecord *) record)->n_items == 2;
}

/* One that tells the number of what it has started, and its own. */
static void
start_command (void)
{
  DrayExecutor *executor = host_new_executor (1);
  const char *const argv[] = { "sh", "-c", "sleep 1000 & echo $!; echo $$; wait", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);
  WorkshopRecord *record;

  dray_task_set_split (task, DRAY_SPLIT_LINES);
  record = workshop_watch (dray_executor_submit (executor, task, NULL));
  g_signal_connect (record->future, "item", G_CALLBACK (print_item_cb), NULL);
  fixture_iterate_until (has_two_items, record, "the command has told both numbers");
}

static void
run_survived (void)
{
  DrayExecutor *executor = host_new_executor (2);
  g_autoptr (DrayFuture) busy = dray_executor_call (executor, "ignore-cancel", NULL);
  g_autoptr (DrayFuture) idle = dray_executor_call (executor, "pid", NULL);
  g_autoptr (GVariant) pid = NULL;
  GListModel *workers = dray_executor_get_workers (executor);

  workshop_block_until_status (busy, "deaf");
  pid = dray_future_wait_result (idle, -1, NULL, NULL);
  while (g_list_model_get_n_items (workers) < 2)
    g_main_context_iteration (NULL, TRUE);
  start_command ();
  if (fork () == 0)
    {
      alarm (LIFETIME);
      for (;;)
        pause ();
    }

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (workers, i);

      printf ("%d\n", dray_worker_process_get_pid (worker));
    }
  fflush (stdout);
  raise (SIGKILL);
}

static void
test_survivor (Fixture *fixture, gconstpointer data)
{
  /* Shows that workers notice the end of the application although a process that it has forked
   * lives on, and that commands are killed with what they have started. */
  g_autoptr (GSubprocess) host = host_start ("survived");
  g_autoptr (GDataInputStream) input = g_data_input_stream_new (
    g_subprocess_get_stdout_pipe (host));
  const pid_t group = atoi (g_subprocess_get_identifier (host));
  int pids[4];

  for (guint i = 0; i < G_N_ELEMENTS (pids); i++)
    {
      g_autofree char *line = g_data_input_stream_read_line (input, NULL, NULL, NULL);

      g_assert_nonnull (line);
      pids[i] = atoi (line);
    }
  g_assert_true (g_subprocess_wait (host, NULL, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (pids); i++)
    fixture_iterate_until_gone (pids[i]);
  /* The one that was forked has the group to itself now. */
  g_assert_cmpint (kill (-group, SIGKILL), ==, 0);
}

/* Memory that both have */

static void
drop_value_in_child (gpointer data)
{
  g_variant_unref (data);
}

static void
test_shared_memory (Rig *rig, gconstpointer data)
{
  GVariant *kept;

  g_test_summary (
    "A value that lies in the memory of a trusted worker stays the parent's, though a "
    "forked process has let go of its own.");

  payload_start (rig, PAYLOAD_TRUSTED);
  {
    g_autoptr (DrayFuture) future = rig_call (rig, "allocate", "(uy)", PAYLOAD_MIB, 1);

    kept = rig_expect_result (future);
  }
  g_assert_true (payload_is_shared (kept));
  run_in_child (drop_value_in_child, kept);
  for (guint i = 2; i < 20; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "allocate", "(uy)", PAYLOAD_MIB, i);
      g_autoptr (GVariant) result = rig_expect_result (future);

      payload_check_bytes (result, PAYLOAD_MIB, (guint8) i);
      payload_check_bytes (kept, PAYLOAD_MIB, 1);
    }
  g_variant_unref (kept);
}

/* Under load */

#define N_USERS 3
#define N_FORKS 60

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  DrayGroup *group;       /* (unowned) */
  GMainContext *context;  /* (owned) */
  int *stop;              /* atomic */
  GThread *thread;
} User;

static gpointer
user_thread (gpointer data)
{
  User *user = data;

  g_main_context_push_thread_default (user->context);
  for (gint32 i = 0; !g_atomic_int_get (user->stop); i++)
    {
      g_autoptr (DrayFuture) add = dray_executor_call (user->executor, "add",
                                                       g_variant_new ("(ii)", i, 1));
      g_autoptr (DrayFuture) bytes = dray_executor_call (
        user->executor, "bytes", g_variant_new ("(u)", i % 7 == 0 ? 500000 : 9));
      g_autoptr (DrayFuture) cancelled = dray_executor_call (user->executor, "null", NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = NULL;

      dray_group_add (user->group, add);
      dray_future_cancel (cancelled);
      result = dray_future_wait_result (add, -1, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (g_variant_get_int32 (result), ==, i + 1);
      g_assert_true (dray_future_wait (bytes, -1, NULL, NULL));
      g_assert_cmpint (dray_future_get_state (bytes), ==, DRAY_FUTURE_SUCCEEDED);
      while (g_main_context_iteration (user->context, FALSE))
        ;
    }
  g_main_context_pop_thread_default (user->context);

  return NULL;
}

/* Nothing is freed: to free an object takes a lock of GLib's, which another thread of the parent
 * may have held. */
static void
use_in_child (gpointer data)
{
  User *user = data;
  DrayFuture *future = dray_executor_call (user->executor, "null", NULL);
  GError *error = NULL;

  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_assert_null (dray_future_dup_result (future, &error));
  g_assert_true (is_forked (error));
  dray_group_add (user->group, future);
  g_assert_true (dray_group_wait (user->group, -1, NULL, NULL));
  error = NULL;
  g_assert_false (dray_executor_shutdown_sync (user->executor, DRAY_SHUTDOWN_DRAIN, NULL, &error));
  g_assert_true (is_forked (error));
}

static void
test_load (Fixture *fixture, gconstpointer data)
{
  /* Shows that it does not matter what other threads are doing at the moment of the fork. (Not even
   * to make a value would be safe in the child then: GLib has locks of its own.) */
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (DrayCounters) counters = NULL;
  g_autoptr (DrayFuture) first = dray_executor_call (executor, "null", NULL);
  User users[N_USERS];
  int stop = FALSE;

  /* From now on it has workers; one that was never used would be as good in the child. */
  g_assert_true (dray_future_wait (first, -1, NULL, NULL));
  for (guint i = 0; i < N_USERS; i++)
    {
      users[i] = (User){ executor, group, g_main_context_new (), &stop, NULL };
      users[i].thread = g_thread_new ("user", user_thread, &users[i]);
    }
  for (guint i = 0; i < N_FORKS; i++)
    run_in_child (use_in_child, &users[0]);

  g_atomic_int_set (&stop, TRUE);
  for (guint i = 0; i < N_USERS; i++)
    {
      g_thread_join (users[i].thread);
      g_main_context_unref (users[i].context);
    }
  g_assert_true (dray_group_wait (group, -1, NULL, NULL));
  g_assert_true (dray_group_check (group, NULL));
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  counters = dray_executor_dup_counters (executor);
  g_assert_cmpuint (counters->failed, ==, 0);
  g_assert_cmpuint (counters->workers_died, ==, 0);
}

/* Two threads that fork at the same time */

static gpointer
fork_thread (gpointer executor)
{
  for (guint i = 0; i < 50; i++)
    {
      int status = 0;
      pid_t pid = fork ();

      if (pid == 0)
        _exit (EXIT_SUCCESS);
      g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
      g_assert_cmpint (status, ==, 0);
    }

  return NULL;
}

static void
test_threads (Fixture *fixture, gconstpointer data)
{
  /* Shows that several threads may fork at a time, while the I/O thread comes and goes. */
  GThread *threads[3];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("forks", fork_thread, NULL);
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (DrayExecutor) executor = workshop_new (1);
      g_autoptr (DrayFuture) future = dray_executor_call (executor, "null", NULL);

      g_assert_true (dray_future_wait (future, -1, NULL, NULL));
      g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_SUCCEEDED);
    }
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static const HostPart parts[] = { { "survived", run_survived } };

int
main (int argc, char **argv)
{
  if (host_is_wanted (argc, argv))
    return host_run (argv, parts, G_N_ELEMENTS (parts));

  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (children); i++)
    {
      g_autofree char *path = g_strdup_printf ("/fork/child/%s", children[i].name);

      workshop_add (path, &children[i].function, test_child);
    }
  workshop_add ("/fork/descriptors", NULL, test_descriptors);
  workshop_add ("/fork/survivor", NULL, test_survivor);
  rig_add ("/fork/shared-memory", NULL, test_shared_memory);
  workshop_add ("/fork/load", NULL, test_load);
  workshop_add ("/fork/threads", NULL, test_threads);

  return g_test_run ();
}
