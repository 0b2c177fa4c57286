/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

#include "rig.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/*
 * Each way in which a worker can die, crossed with each moment at which it can, with small and with
 * large results. Meanwhile tasks wait behind it, and another executor on the same I/O thread is
 * busy. In every cell each future is told once, what has happened to it; nobody else is hurt; and
 * nothing is left behind.
 *
 * Where the test chooses the moment it sends SIGUSR1 to the worker, which has set a trap for
 * itself.
 */

#define N_BEHIND 8  /* tasks of the executor whose worker dies */
#define N_BESIDE 12 /* tasks of the other one */

#define SMALL 10
#define LARGE (600 * 1000) /* more than a ring, or a pipe as it comes, can hold */
#define LARGE_ARGUMENTS (4 * 1000 * 1000)
#define LARGE_RESULT (20 * 1000 * 1000)

#define GENEROUS 60000 /* ms */

typedef struct
{
  const char *name;
  const char *how; /* as it is told in the error */
} Way;

static const Way ways[] = {
  { "kill", "*signal 9 *" },  { "crash", "*signal 11 *" }, { "abort", "*signal 6 *" },
  { "exit-0", "*status 0*" }, { "exit-3", "*status 3*" },  { "memory", "*signal *" },
  { "oom", "*signal 9 *" },
};

typedef struct _Scene Scene;

typedef struct
{
  const char *name;
  void (*make) (Scene *scene);
  const char *mode; /* (nullable): that the workers are started in, with the way and a path */
  gboolean once;    /* only the first one dies of that */
  guint max_workers;
  guint detail; /* from which size on values go in shared memory (not 0), or a DrayShutdownMode */
} Moment;

typedef struct
{
  const Way *way;
  const Moment *moment;
  guint32 size; /* of results, in bytes */
} Cell;

struct _Scene
{
  Rig *rig; /* (unowned) */
  const Cell *cell;
  DrayExecutor *other; /* (owned) */
  GPtrArray *behind;   /* (owned) (element-type DrayFuture) */
  GPtrArray *beside;   /* (owned) (element-type DrayFuture) */
  GPtrArray *all; /* (owned) (element-type DrayFuture): kept, to hear if one is told again */
};

/* Submitting */

/* Returns @future. */
static DrayFuture *
keep (Scene *scene, DrayFuture *future)
{
  g_ptr_array_add (scene->all, g_object_ref (future));

  return future;
}

static void
submit_others (Scene *scene, DrayExecutor *executor, GPtrArray *futures, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      GVariant *arguments = g_variant_new ("(u)", scene->cell->size);
      DrayFuture *future = dray_executor_call (executor, "bytes", arguments);

      g_ptr_array_add (futures, keep (scene, rig_count (scene->rig, future)));
    }
}

static void
submit_behind (Scene *scene)
{
  submit_others (scene, scene->rig->executor, scene->behind, N_BEHIND);
}

/* (transfer full): a call that dies, or waits to be killed */
static DrayFuture *
call_victim (Scene *scene, const char *function)
{
  const Cell *cell = scene->cell;

  return keep (scene, rig_call (scene->rig, function, "(su)", cell->way->name, cell->size));
}

/* (transfer full): with arguments that no pipe takes at once */
static DrayFuture *
call_with_large_arguments (Scene *scene, const char *function)
{
  g_autofree guint8 *bytes = g_malloc0 (LARGE_ARGUMENTS);
  GVariant *arguments = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, LARGE_ARGUMENTS, 1);

  return keep (scene, rig_submit (scene->rig, dray_task_new_call (function, arguments)));
}

/* Expecting */

static void
expect_bytes (DrayFuture *future, guint32 size)
{
  g_autoptr (GVariant) result = rig_expect_result (future);

  g_assert_cmpuint (g_variant_get_size (result), ==, size);
}

static void
expect_death (Scene *scene, DrayFuture *future)
{
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, scene->cell->way->how);
}

static void
count_item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  gsize *size = user_data;

  *size += g_variant_get_size (value);
}

/* Moments */

/* Sets a trap in the worker that is idle then, and returns its process. */
static int
trap_idle_worker (Scene *scene)
{
  g_autoptr (DrayFuture) future = call_victim (scene, "trap");
  g_autoptr (GVariant) result = rig_expect_result (future);
  g_autoptr (GVariant) bytes = NULL;
  guint32 pid;

  g_variant_get (result, "(u@ay)", &pid, &bytes);
  g_assert_cmpuint (g_variant_get_size (bytes), ==, scene->cell->size);

  return (int) pid;
}

typedef struct
{
  GListModel *workers; /* (unowned) */
  DrayTask *task;      /* (unowned) */
  int pid;
} FindWait;

static gboolean
is_found (gpointer user_data)
{
  FindWait *wait = user_data;

  for (guint i = 0; i < g_list_model_get_n_items (wait->workers); i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (wait->workers, i);

      if (dray_worker_process_get_task (worker) == wait->task)
        wait->pid = dray_worker_process_get_pid (worker);
    }

  return wait->pid != 0;
}

/* The process that runs @victim. */
static int
find_worker (Scene *scene, DrayFuture *victim)
{
  FindWait wait = { dray_executor_get_workers (scene->rig->executor), dray_future_get_task (victim),
                    0 };

  fixture_iterate_until (is_found, &wait, "the list has the worker");

  return wait.pid;
}

static void
make_idle (Scene *scene)
{
  int pid = trap_idle_worker (scene);

  kill (pid, SIGUSR1);
  rig_run_until_count (scene->rig, workers_died, 1);
  submit_behind (scene);
}

static void
make_call (Scene *scene)
{
  g_autoptr (DrayFuture) victim = NULL;
  gsize item_size = 0;

  /* The list of workers is brought up to date in the main context. */
  dray_executor_get_workers (scene->rig->executor);
  victim = call_victim (scene, "trap-and-block");
  g_signal_connect (victim, "item", G_CALLBACK (count_item_cb), &item_size);
  submit_behind (scene);
  rig_run_until_status (victim, "trapped");
  kill (find_worker (scene, victim), SIGUSR1);
  expect_death (scene, victim);
  g_assert_cmpuint (item_size, ==, scene->cell->size);
}

static gboolean
is_writing (gpointer user_data)
{
  Scene *scene = user_data;

  return rig_get_count (scene->rig, bytes_out) > 64 * 1024;
}

/* It is stopped, so that it takes no more than the pipe does. A task that was sent to an idle
 * worker is its current one, whether it has arrived or not; and if it goes on for a moment, it does
 * not end. */
static void
make_arguments (Scene *scene)
{
  int pid = trap_idle_worker (scene);
  g_autoptr (DrayFuture) victim = NULL;

  kill (pid, SIGSTOP);
  victim = call_with_large_arguments (scene, "block");
  submit_behind (scene);
  fixture_iterate_until (is_writing, scene, "arguments are being written");
  kill (pid, SIGUSR1);
  kill (pid, SIGCONT);
  expect_death (scene, victim);
}

static void
make_arguments_behind (Scene *scene)
{
  g_autoptr (DrayFuture) victim = NULL;
  g_autoptr (DrayFuture) behind = NULL;
  int pid;

  dray_executor_get_workers (scene->rig->executor);
  victim = call_victim (scene, "trap-and-block");
  rig_run_until_status (victim, "trapped");
  pid = find_worker (scene, victim);
  kill (pid, SIGSTOP);
  behind = call_with_large_arguments (scene, "sum");
  submit_behind (scene);
  fixture_iterate_until (is_writing, scene, "arguments are being written");
  kill (pid, SIGUSR1);
  kill (pid, SIGCONT);
  expect_death (scene, victim);
  g_variant_unref (rig_expect_result (behind));
}

static void
make_result (Scene *scene)
{
  g_autoptr (DrayFuture) victim = call_victim (scene, "die-in-result");

  submit_behind (scene);
  expect_death (scene, victim);
}

static void
make_other_starting (Scene *scene)
{
  g_autoptr (DrayFuture) victim = NULL;

  dray_executor_get_workers (scene->rig->executor);
  victim = call_victim (scene, "trap-and-block");
  rig_run_until_status (victim, "trapped");
  submit_behind (scene);
  rig_run_until_count (scene->rig, workers_started, 2);
  kill (find_worker (scene, victim), SIGUSR1);
  expect_death (scene, victim);
}

static gboolean
has_two_undelivered (gpointer rig)
{
  return rig_get_count (rig, undelivered_items) >= 2;
}

/* Nobody takes what comes, so that the host stops reading, and the library waits in the midst of
 * what it writes. Values in shared memory have frames so small that it takes many of them. */
static void
make_result_blocked (Scene *scene)
{
  const Cell *cell = scene->cell;
  const gboolean many = cell->moment->detail > 0;
  const guint32 item_size = many ? MIN (cell->size, 64 * 1024) : cell->size;
  const int pid = rig_ask_pid (scene->rig);
  g_autoptr (DrayFuture) victim = NULL;
  gsize size = 0;

  /* The status, and an item. */
  g_object_set (scene->rig->executor, "max-undelivered-items", 2, NULL);
  victim = keep (scene, rig_call (scene->rig, "trap-and-send", "(suuu)", cell->way->name,
                                  many ? G_MAXUINT32 : 1, item_size, LARGE_RESULT));
  g_signal_connect (victim, "item", G_CALLBACK (count_item_cb), &size);
  submit_behind (scene);
  workshop_block_until (has_two_undelivered, scene->rig, "the host stops reading");
  g_assert_true (rig_block_until_full (scene->rig, victim, pid));
  g_assert_cmpuint (rig_get_count (scene->rig, bytes_in), <, LARGE_RESULT);
  kill (pid, SIGUSR1);
  /* Before anything is taken, and the rest read. */
  workshop_block_until (fixture_is_gone, GINT_TO_POINTER (pid), "the worker is gone");
  expect_death (scene, victim);
  if (many)
    g_assert_cmpuint (size, >, 0);
  else
    g_assert_cmpuint (size, ==, item_size);
}

static void
make_start (Scene *scene)
{
  submit_behind (scene);
}

static void
shut_down_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  gboolean *done = user_data;
  g_autoptr (GError) error = NULL;

  dray_executor_shutdown_finish (DRAY_EXECUTOR (object), result, &error);
  g_assert_no_error (error);
  *done = TRUE;
}

static void make_shutdown (Scene *scene);

static DrayShutdownMode
get_shutdown_mode (const Moment *moment)
{
  return moment->make == make_shutdown ? (DrayShutdownMode) moment->detail : DRAY_SHUTDOWN_DRAIN;
}

/* The task is asked to stop, or the worker killed, at the same moment: either may be first. */
static void
expect_death_or_shutdown (Scene *scene, DrayFuture *future)
{
  g_autoptr (GError) error = NULL;

  fixture_run_until_done (future);
  g_assert_null (dray_future_dup_result (future, &error));
  if (g_error_matches (error, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN))
    rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
  else
    expect_death (scene, future);
}

static void
make_shutdown (Scene *scene)
{
  const DrayShutdownMode mode = get_shutdown_mode (scene->cell->moment);
  const gboolean ends_tasks = mode == DRAY_SHUTDOWN_TERMINATE || mode == DRAY_SHUTDOWN_KILL;
  g_autoptr (DrayFuture) victim = NULL;
  gboolean done = FALSE;
  int pid;

  dray_executor_get_workers (scene->rig->executor);
  victim = call_victim (scene, "trap-and-block");
  submit_behind (scene);
  rig_run_until_status (victim, "trapped");
  pid = find_worker (scene, victim);
  /* After it, the worker might be gone already; before it, nobody else may take the others. */
  dray_executor_set_paused (scene->rig->executor, ends_tasks);
  if (ends_tasks)
    kill (pid, SIGUSR1);
  dray_executor_shutdown_async (scene->rig->executor, mode, NULL, shut_down_cb, &done);
  if (!ends_tasks)
    kill (pid, SIGUSR1);
  if (ends_tasks)
    expect_death_or_shutdown (scene, victim);
  else
    expect_death (scene, victim);
  fixture_iterate_until_true (&done, "the executor is shut down");
}

static const Moment moments[] = {
  { "idle", make_idle, NULL, FALSE, 1, 0 },
  { "call", make_call, NULL, FALSE, 1, 0 },
  { "arguments", make_arguments, NULL, FALSE, 1, 0 },
  { "arguments-behind", make_arguments_behind, NULL, FALSE, 1, 0 },
  { "result", make_result, NULL, FALSE, 1, 0 },
  { "result-blocked", make_result_blocked, NULL, FALSE, 1, 0 },
  { "result-blocked/no-ring", make_result_blocked, "--no-ring", FALSE, 1, 0 },
  { "result-blocked/shared", make_result_blocked, NULL, FALSE, 1, 4096 },
  { "other-starting", make_other_starting, "--slow-start", FALSE, 2, 0 },
  { "before-hello", make_start, "--die-before-hello", FALSE, 2, 0 },
  { "before-hello/once", make_start, "--die-before-hello", TRUE, 2, 0 },
  { "handshake", make_start, "--die-after-hello", FALSE, 2, 0 },
  { "handshake/once", make_start, "--die-after-hello", TRUE, 2, 0 },
  { "initializer", make_start, "--die-in-initializer", FALSE, 2, 0 },
  { "initializer/once", make_start, "--die-in-initializer", TRUE, 2, 0 },
  { "shutdown/drain", make_shutdown, NULL, FALSE, 1, DRAY_SHUTDOWN_DRAIN },
  { "shutdown/cancel-pending", make_shutdown, NULL, FALSE, 1, DRAY_SHUTDOWN_CANCEL_PENDING },
  { "shutdown/terminate", make_shutdown, NULL, FALSE, 1, DRAY_SHUTDOWN_TERMINATE },
  { "shutdown/kill", make_shutdown, NULL, FALSE, 1, DRAY_SHUTDOWN_KILL },
  { "finalizer", make_start, "--die-in-finalizer", FALSE, 2, 0 },
};

/* One cell */

static DrayLauncher *
new_launcher (Scene *scene)
{
  const Cell *cell = scene->cell;
  g_autofree char *program = fixture_dup_misbehaving_worker ();
  g_autofree char *path = rig_dup_path (scene->rig, "died");
  gboolean slow = g_strcmp0 (cell->moment->mode, "--slow-start") == 0;
  const char *argv[] = { program, cell->moment->mode, slow ? "60" : cell->way->name,
                         cell->moment->once ? path : "", NULL };
  DrayLauncher *launcher = dray_launcher_new_argv (argv);

  if (cell->moment->make == make_result_blocked && cell->moment->detail > 0)
    dray_launcher_set_shared_size (launcher, cell->moment->detail);

  return launcher;
}

/* Whether nobody ever gets a worker. */
static gboolean
is_hopeless (const Moment *moment)
{
  return moment->make == make_start && !moment->once
         && !g_str_equal (moment->mode, "--die-in-finalizer");
}

static void
start (Scene *scene)
{
  g_autoptr (DrayLauncher) launcher = rig_new_launcher (NULL);

  rig_start_with (scene->rig, new_launcher (scene), scene->cell->moment->max_workers);
  g_object_set (scene->rig->executor, "grace-period", GENEROUS, NULL);
  scene->other = dray_executor_new (launcher);
  dray_executor_set_max_workers (scene->other, 2);
  submit_others (scene, scene->other, scene->beside, N_BESIDE);
}

static void
expect_behind (Scene *scene, DrayFuture *future)
{
  const Cell *cell = scene->cell;
  const DrayShutdownMode mode = get_shutdown_mode (cell->moment);

  if (is_hopeless (cell->moment))
    rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_LAUNCH, cell->way->how);
  else if (mode == DRAY_SHUTDOWN_DRAIN)
    expect_bytes (future, cell->size);
  else if (mode == DRAY_SHUTDOWN_CANCEL_PENDING)
    rig_expect_cancelled (future);
  else
    rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
}

static void
expect_others (Scene *scene)
{
  const Cell *cell = scene->cell;

  for (guint i = 0; i < scene->behind->len; i++)
    expect_behind (scene, scene->behind->pdata[i]);
  for (guint i = 0; i < scene->beside->len; i++)
    expect_bytes (scene->beside->pdata[i], cell->size);
}

static void
test_cell (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) behind = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) beside = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_object_unref);
  Scene scene = { .rig = rig, .cell = data, .behind = behind, .beside = beside, .all = all };

  g_test_summary (
    "Each future is told once, that of the task which the worker ran that it died and "
    "how, all others that they succeeded; or why no worker can be started.");

  start (&scene);
  scene.cell->moment->make (&scene);
  expect_others (&scene);

  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  dray_executor_shutdown_sync (scene.other, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
  g_clear_object (&scene.other);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    guint32 size;
  } sizes[] = { { "small", SMALL }, { "large", LARGE } };
  static Cell cells[G_N_ELEMENTS (moments)][G_N_ELEMENTS (ways)][G_N_ELEMENTS (sizes)];

  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (moments); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (ways); j++)
      for (gsize k = 0; k < G_N_ELEMENTS (sizes); k++)
        {
          g_autofree char *path = g_strdup_printf ("/deaths/%s/%s/%s", moments[i].name,
                                                   ways[j].name, sizes[k].name);

          cells[i][j][k] = (Cell){ &ways[j], &moments[i], sizes[k].size };
          rig_add (path, &cells[i][j][k], test_cell);
        }

  return g_test_run ();
}
