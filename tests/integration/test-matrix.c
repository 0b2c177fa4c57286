/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <signal.h>
#include <unistd.h>

/*
 * Each way in which a task can be submitted, crossed with each way in which it can end too soon. In
 * every cell each future is told once, the first one of what has happened, and nothing is left
 * behind. Maps have tables of their own, in test-map-crashes.c and test-map-ending.c.
 */

typedef struct _Scene Scene;

/* How tasks are submitted */

typedef struct
{
  const char *name;
  const char *stays[2]; /* function and arguments: it runs until somebody ends it */
  const char *ends[2];  /* it comes to its end */
  gboolean large;       /* it has a mebibyte of arguments instead */
  gboolean trusted;     /* the worker is */
  gboolean piped;       /* it has nothing but pipes */
  void (*submit) (Scene *scene, const char *function, GVariant *arguments);
} Feature;

typedef struct
{
  const char *name;
  const char *function; /* (nullable): what the task does to end itself */
  const char *arguments;
  gboolean succeeds;               /* the first future does; else … */
  int code;                        /* of DRAY_ERROR; -1: cancelled, -2: nobody is left to ask */
  void (*make_end) (Scene *scene); /* (nullable): or what others do */
} End;

typedef struct
{
  const Feature *feature;
  const End *end;
} Cell;

struct _Scene
{
  Rig *rig; /* (unowned) */
  const Cell *cell;
  GPtrArray *futures; /* (owned) (nullable) (element-type DrayFuture): the first one runs first */
  guint n_told;
  DrayCompletionQueue *queue; /* (owned) (nullable): they come out of it as well */
};

static void
told_cb (DrayFuture *future, gpointer user_data)
{
  Scene *scene = user_data;

  scene->n_told++;
}

/* Takes @future. */
static void
add (Scene *scene, DrayFuture *future)
{
  dray_future_add_done_callback (future, told_cb, scene, NULL);
  g_ptr_array_add (scene->futures, future);
}

/* The same, for one that did not come from the rig. */
static void
add_counted (Scene *scene, DrayFuture *future)
{
  add (scene, rig_count (scene->rig, future));
}

static void
submit_plain (Scene *scene, const char *function, GVariant *arguments)
{
  DrayTask *task = dray_task_new_call (function, arguments);

  add (scene, rig_submit (scene->rig, task));
}

static void
submit_pulled (Scene *scene, const char *function, GVariant *arguments)
{
  DrayTask *task = dray_task_new_call (function, arguments);

  dray_task_set_pull (task, TRUE);
  add (scene, rig_submit (scene->rig, task));
}

static void
submit_shared (Scene *scene, const char *function, GVariant *arguments)
{
  for (int i = 0; i < 3; i++)
    {
      DrayTask *task = dray_task_new_call (function, arguments);

      dray_task_set_key (task, "key");
      add (scene, rig_submit (scene->rig, task));
    }
}

static void
submit_chain (Scene *scene, const char *function, GVariant *arguments)
{
  g_autoptr (DrayTask) next = dray_task_new_call ("null", NULL);

  submit_plain (scene, function, arguments);
  for (guint i = 0; i < 2; i++)
    add_counted (scene,
                 dray_future_and_then (scene->futures->pdata[i], scene->rig->executor, next, -1));
}

/* The others are done: a group cancels its rest with the first that fails, whichever that is. */
static void
submit_group (Scene *scene, const char *function, GVariant *arguments)
{
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (DrayTask) other = dray_task_new_call ("null", NULL);
  g_autoptr (DrayTask) task = dray_task_new_call (function, arguments);
  g_autoptr (DrayFuture) done = dray_group_submit (group, scene->rig->executor, other, NULL);

  fixture_run_until_done (done);
  add_counted (scene, dray_group_submit (group, scene->rig->executor, task, NULL));
  add_counted (scene, g_steal_pointer (&done));
}

static void
submit_combined (Scene *scene, const char *function, GVariant *arguments)
{
  DrayFuture *parts[2];

  submit_plain (scene, function, arguments);
  submit_plain (scene, "null", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    parts[i] = scene->futures->pdata[i];
  add_counted (scene, dray_future_all (parts, G_N_ELEMENTS (parts)));
  add_counted (scene, dray_future_all_race (parts, G_N_ELEMENTS (parts)));
  add_counted (scene, dray_future_any (parts, G_N_ELEMENTS (parts)));
  add_counted (scene, dray_future_first (parts, G_N_ELEMENTS (parts)));
}

/* So many that they travel together, behind the first one. */
static void
submit_burst (Scene *scene, const char *function, GVariant *arguments)
{
  submit_plain (scene, function, arguments);
  for (guint i = 0; i < 100; i++)
    submit_plain (scene, "null", NULL);
}

/* They change places in the queue while it is worked off. */
static void
submit_moved (Scene *scene, const char *function, GVariant *arguments)
{
  submit_burst (scene, function, arguments);
  for (guint i = scene->futures->len - 1; i > 0; i--)
    dray_future_set_priority (scene->futures->pdata[i], i % 2 == 0 ? 1 : -1);
}

static void
submit_queued (Scene *scene, const char *function, GVariant *arguments)
{
  submit_plain (scene, function, arguments);
  submit_plain (scene, "null", NULL);
  scene->queue = dray_completion_queue_new ();
  for (guint i = 0; i < scene->futures->len; i++)
    dray_completion_queue_add (scene->queue, scene->futures->pdata[i]);
}

static void
submit_attached (Scene *scene, const char *function, GVariant *arguments)
{
  DrayTask *task = dray_task_new_call (function, arguments);
  int fds[] = { open ("/dev/null", O_RDONLY | O_CLOEXEC),
                open ("/dev/zero", O_RDONLY | O_CLOEXEC) };
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new_from_array (fds, G_N_ELEMENTS (fds));
  g_autoptr (GError) error = NULL;

  g_assert_true (dray_task_set_attachments (task, list, &error));
  g_assert_no_error (error);
  add (scene, rig_submit (scene->rig, task));
}

#define STAYS     \
  {               \
    "block", NULL \
  }
#define ENDS                \
  {                         \
    "sleep", "(uint32 20,)" \
  }

static const Feature features[] = {
  { "ring", STAYS, ENDS, .submit = submit_plain },
  { "ring/stream",
    { "numbers", "(uint32 40, true)" },
    { "numbers", "(uint32 40, false)" },
    .submit = submit_plain },
  { "pipes", STAYS, ENDS, .piped = TRUE, .submit = submit_plain },
  { "pull",
    { "numbers", "(uint32 40, true)" },
    { "numbers", "(uint32 40, false)" },
    .submit = submit_pulled },
  { "pull/full",
    { "numbers", "(uint32 400000, true)" },
    { "numbers", "(uint32 1000, false)" },
    .submit = submit_pulled },
  { "pull/pipes",
    { "numbers", "(uint32 40, true)" },
    { "numbers", "(uint32 40, false)" },
    .piped = TRUE,
    .submit = submit_pulled },
  { "pull/large",
    { "stream", "(uint32 1000000, uint32 1048576)" },
    { "stream", "(uint32 8, uint32 1048576)" },
    .submit = submit_pulled },
  { "burst", STAYS, ENDS, .submit = submit_burst },
  { "priority", STAYS, ENDS, .submit = submit_moved },
  { "queue", STAYS, ENDS, .submit = submit_queued },
  { "key", STAYS, ENDS, .submit = submit_shared },
  { "then", STAYS, ENDS, .submit = submit_chain },
  { "group", STAYS, ENDS, .submit = submit_group },
  { "combined", STAYS, ENDS, .submit = submit_combined },
  { "attachments",
    { "return-attachments-block", "(['a', 'b'],)" },
    { "return-attachments", "(['a', 'b'],)" },
    .submit = submit_attached },
  { "large", { "block", NULL }, { "echo", NULL }, .large = TRUE, .submit = submit_plain },
  { "large/trusted",
    { "block", NULL },
    { "echo", NULL },
    .large = TRUE,
    .trusted = TRUE,
    .submit = submit_plain },
  { "large/pipes",
    { "block", NULL },
    { "echo", NULL },
    .large = TRUE,
    .piped = TRUE,
    .submit = submit_plain },
};

/* How they end */

/* Who is listed as busy may be idle by now. It would be given the next task, and be gone by
 * then. */
static void
kill_workers (Scene *scene)
{
  GListModel *workers = dray_executor_get_workers (scene->rig->executor);
  guint n_killed = 0;

  for (guint i = 0; i < g_list_model_get_n_items (workers); i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (workers, i);

      if (dray_worker_process_get_state (worker) == DRAY_WORKER_BUSY
          && kill (dray_worker_process_get_pid (worker), SIGKILL) == 0)
        n_killed++;
    }
  rig_run_until_count (scene->rig, workers_died, n_killed);
}

static gboolean
has_busy_worker (gpointer executor)
{
  GListModel *workers = dray_executor_get_workers (executor);

  for (guint i = 0; i < g_list_model_get_n_items (workers); i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (workers, i);

      if (dray_worker_process_get_state (worker) == DRAY_WORKER_BUSY)
        return TRUE;
    }

  return FALSE;
}

static void
make_killed (Scene *scene)
{
  fixture_iterate_until (has_busy_worker, scene->rig->executor, "the list shows who works");
  kill_workers (scene);
}

static void
make_cancelled (Scene *scene)
{
  for (guint i = 0; i < scene->futures->len; i++)
    dray_future_cancel (scene->futures->pdata[i]);
}

static void
make_drained (Scene *scene)
{
  rig_shut_down (scene->rig, DRAY_SHUTDOWN_DRAIN);
}

static void
make_pending_cancelled (Scene *scene)
{
  rig_shut_down (scene->rig, DRAY_SHUTDOWN_CANCEL_PENDING);
}

static void
make_terminated (Scene *scene)
{
  rig_shut_down (scene->rig, DRAY_SHUTDOWN_TERMINATE);
}

static void
make_shut_down (Scene *scene)
{
  rig_shut_down (scene->rig, DRAY_SHUTDOWN_KILL);
}

static void
make_executor_dropped (Scene *scene)
{
  g_clear_object (&scene->rig->executor);
}

static void
make_futures_dropped (Scene *scene)
{
  make_cancelled (scene);
  g_ptr_array_set_size (scene->futures, 0);
}

static const End ends[] = {
  { "killed", .code = DRAY_ERROR_WORKER_DIED, .make_end = make_killed },
  { "exit", "exit", "(0,)", .code = DRAY_ERROR_WORKER_DIED },
  { "garbage", "garbage", "()", .code = DRAY_ERROR_PROTOCOL },
  { "half-frame", "half-frame", "()", .code = DRAY_ERROR_WORKER_DIED },
  { "cancel", .code = -1, .make_end = make_cancelled },
  { "shutdown/drain", .succeeds = TRUE, .make_end = make_drained },
  { "shutdown/cancel-pending", .succeeds = TRUE, .make_end = make_pending_cancelled },
  { "shutdown/terminate", .code = DRAY_ERROR_SHUT_DOWN, .make_end = make_terminated },
  { "shutdown/kill", .code = DRAY_ERROR_SHUT_DOWN, .make_end = make_shut_down },
  { "executor-dropped", .code = DRAY_ERROR_SHUT_DOWN, .make_end = make_executor_dropped },
  { "futures-dropped", .code = -2, .make_end = make_futures_dropped },
};

/* One cell */

static void
start (Scene *scene)
{
  static const char *const closing_prefix[] = { "sh", "-c", "exec 3<&- 4<&-; exec \"$@\"", "sh",
                                                NULL };
  const Feature *feature = scene->cell->feature;
  DrayLauncher *launcher = rig_new_launcher (NULL);

  dray_launcher_set_shared_size (launcher, 4096);
  dray_launcher_set_trusted (launcher, feature->trusted);
  if (feature->piped)
    dray_launcher_set_prefix (launcher, closing_prefix);
  rig_start_with (scene->rig, launcher, 2);
  g_object_set (scene->rig->executor, "grace-period", 50, NULL);
  dray_executor_get_workers (scene->rig->executor);
}

static void
submit (Scene *scene)
{
  const Feature *feature = scene->cell->feature;
  const End *end = scene->cell->end;
  const char *const *call = end->succeeds ? feature->ends : feature->stays;
  const char *function = end->function != NULL ? end->function : call[0];
  const char *text = end->function != NULL ? end->arguments : call[1];
  g_autofree guint8 *bytes = g_malloc0 (1024 * 1024);
  g_autoptr (GVariant) arguments = NULL;

  /* A task that ends itself has the arguments for that. */
  if (text != NULL)
    arguments = g_variant_parse (NULL, text, NULL, NULL, NULL);
  if (feature->large && (text == NULL || g_str_equal (text, "()")))
    {
      g_clear_pointer (&arguments, g_variant_unref);
      arguments = g_variant_ref_sink (
        g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, 1024 * 1024, 1));
    }
  feature->submit (scene, function, arguments);
}

static gboolean
all_are_told (gpointer user_data)
{
  Scene *scene = user_data;

  return scene->n_told == scene->futures->len;
}

static void
expect_end (Scene *scene)
{
  const End *end = scene->cell->end;
  DrayFuture *first = scene->futures->pdata[0];

  if (end->succeeds)
    g_variant_unref (rig_expect_result (first));
  else if (end->code == -1)
    rig_expect_cancelled (first);
  else
    rig_expect_error (first, DRAY_ERROR, end->code, NULL);
  fixture_iterate_until (all_are_told, scene, "all futures are told");
}

/* Each comes out once, in whichever way it is done, also if nobody else has it any more. */
static void
expect_queued (Scene *scene)
{
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DrayFuture) next = dray_completion_queue_wait_next (scene->queue, -1, NULL,
                                                                     &error);

      g_assert_no_error (error);
      g_assert_true (dray_future_is_done (next));
    }
  g_assert_cmpuint (dray_completion_queue_get_length (scene->queue), ==, 0);
  g_clear_object (&scene->queue);
}

static void
test_cell (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  Scene scene = { .rig = rig, .cell = data, .futures = futures };
  const End *end = scene.cell->end;
  guint n_told;

  g_test_summary ("Each future is told once, the first one of what has happened, and the executor "
                  "goes on if it was not shut down.");

  start (&scene);
  submit (&scene);
  if (end->make_end != NULL)
    {
      rig_run_until_running (futures->pdata[0]);
      end->make_end (&scene);
    }
  if (futures->len > 0)
    expect_end (&scene);
  if (scene.queue != NULL)
    expect_queued (&scene);

  if (rig->executor != NULL)
    {
      g_autoptr (DrayFuture) later = rig_call (rig, "add", "(ii)", 1, 2);

      n_told = scene.n_told;
      rig_expect_text (later, "3");
      if (futures->len > 0)
        g_assert_cmpuint (scene.n_told, ==, n_told);
      rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
    }
}

int
main (int argc, char **argv)
{
  static Cell cells[G_N_ELEMENTS (features)][G_N_ELEMENTS (ends)];

  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (features); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (ends); j++)
      {
        g_autofree char *path = g_strdup_printf ("/matrix/%s/%s", features[i].name, ends[j].name);

        cells[i][j] = (Cell){ &features[i], &ends[j] };
        rig_add (path, &cells[i][j], test_cell);
      }

  return g_test_run ();
}
