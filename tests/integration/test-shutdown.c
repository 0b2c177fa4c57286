/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

/*
 * Shutting down: in each mode, blocking and not, whatever the executor is doing. What runs is made
 * so that it ends by itself where the mode lets it, and never where it does not.
 */

#define LIMIT ((guint64) 1024 * 1024)
#define LARGE (20 * 1024 * 1024) /* bytes: more than fits on the way */

typedef struct
{
  DrayShutdownMode mode;
  DrayExecutor *executor; /* (owned) */
  GPtrArray *done;        /* (owned): records of tasks that were done before */
  GPtrArray *running;     /* (owned): … that ran */
  GPtrArray *pending;     /* (owned): … that were pending */
} Scene;

static gboolean
is_gentle (const Scene *scene)
{
  return scene->mode <= DRAY_SHUTDOWN_CANCEL_PENDING;
}

static void
add (Scene *scene, GPtrArray *records, const char *function, GVariant *arguments)
{
  g_ptr_array_add (records,
                   workshop_watch (dray_executor_call (scene->executor, function, arguments)));
}

static void
block_until_all_run (Scene *scene)
{
  for (guint i = 0; i < scene->running->len; i++)
    workshop_block_until_running (((WorkshopRecord *) scene->running->pdata[i])->future);
}

/* What it is doing */

static void
arrange_unused (Scene *scene)
{
  scene->executor = workshop_new (2);
}

static void
arrange_idle (Scene *scene)
{
  scene->executor = workshop_new (2);
  add (scene, scene->done, "null", NULL);
  add (scene, scene->done, "null", NULL);
  workshop_iterate_until_all_told (scene->done);
}

static gboolean
has_started (gpointer executor)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (executor);

  return counters->workers_started > 0;
}

static void
arrange_starting (Scene *scene)
{
  if (scene->mode == DRAY_SHUTDOWN_DRAIN)
    scene->executor = workshop_new_with_mode (2, "--slow-start", "100");
  else
    scene->executor = workshop_new_with_mode (2, "--init-hangs", NULL);

  g_object_set (scene->executor, "grace-period", 20, NULL);
  add (scene, scene->pending, "bytes", g_variant_new ("(u)", LARGE));
  add (scene, scene->pending, "null", NULL);
  workshop_block_until (has_started, scene->executor, "a worker is started");
}

static void
arrange_running (Scene *scene)
{
  scene->executor = workshop_new (2);
  for (guint i = 0; i < 2; i++)
    if (is_gentle (scene))
      add (scene, scene->running, "sleep", g_variant_new ("(u)", 50));
    else
      add (scene, scene->running, "block", NULL);
  block_until_all_run (scene);
}

/* What is to be cancelled must not have begun before it is: it would never end. What runs may be
 * done by then. */
static void
let_nothing_begin (Scene *scene)
{
  dray_executor_set_paused (scene->executor, scene->mode == DRAY_SHUTDOWN_CANCEL_PENDING);
}

static void
arrange_pending (Scene *scene)
{
  arrange_running (scene);
  let_nothing_begin (scene);
  for (guint i = 0; i < 30; i++)
    if (scene->mode == DRAY_SHUTDOWN_CANCEL_PENDING)
      add (scene, scene->pending, "block", NULL);
    else
      add (scene, scene->pending, "null", NULL);
}

static void
arrange_unread (Scene *scene)
{
  const guint n_items = is_gentle (scene) ? 100 : G_MAXUINT32;

  scene->executor = workshop_new (2);
  g_object_set (scene->executor, "max-undelivered-bytes", LIMIT, NULL);
  for (guint i = 0; i < 2; i++)
    add (scene, scene->running, "stream", g_variant_new ("(uu)", n_items, 100000));
  block_until_all_run (scene);
  workshop_block_until_undelivered (scene->executor, LIMIT);
}

/* The limit is met, so nobody reads them: they are being written, and so are arguments. */
static void
arrange_large (Scene *scene)
{
  const guint n_items = is_gentle (scene) ? 100 : G_MAXUINT32;
  g_autofree guint8 *bytes = g_malloc0 (LARGE);

  scene->executor = workshop_new (4);
  g_object_set (scene->executor, "max-undelivered-bytes", LIMIT, NULL);
  add (scene, scene->running, "stream", g_variant_new ("(uu)", n_items, 100000));
  workshop_block_until_undelivered (scene->executor, LIMIT);
  for (guint i = 0; i < 2; i++)
    add (scene, scene->running, "bytes", g_variant_new ("(u)", LARGE));
  block_until_all_run (scene);
  /* It may not have begun: then this mode would cancel it. */
  if (scene->mode != DRAY_SHUTDOWN_CANCEL_PENDING)
    add (scene, scene->pending, "echo",
         g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, LARGE, 1));
}

/* And while they are at it, others write what nobody reads: the limit is met. */
static void
arrange_deaf (Scene *scene)
{
  static const struct
  {
    const char *function;
    const char *status;
  } vectors[] = {
    { "ignore-cancel", "deaf" },
    { "block-signals", "deaf" },
    { "spin", "spinning" },
    { "stop", "stopping" },
  };

  scene->executor = workshop_new (G_N_ELEMENTS (vectors) + 2);
  g_object_set (scene->executor, "grace-period", 20, "max-undelivered-bytes", LIMIT, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    add (scene, scene->running, vectors[i].function, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    workshop_block_until_status (((WorkshopRecord *) scene->running->pdata[i])->future,
                                 vectors[i].status);

  add (scene, scene->running, "stream", g_variant_new ("(uu)", G_MAXUINT32, 100000));
  workshop_block_until_undelivered (scene->executor, LIMIT);
  add (scene, scene->running, "bytes", g_variant_new ("(u)", LARGE));
  block_until_all_run (scene);
}

static void
add_command (Scene *scene, GPtrArray *records, const char *script)
{
  const char *const argv[] = { "sh", "-c", script, NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);

  g_ptr_array_add (records, workshop_watch (dray_executor_submit (scene->executor, task, NULL)));
}

static void
arrange_commands (Scene *scene)
{
  const char *script = is_gentle (scene) ? "sleep 0.05" : "trap '' TERM; while :; do sleep 1; done";

  scene->executor = dray_executor_new (NULL);
  dray_executor_set_max_workers (scene->executor, 2);
  g_object_set (scene->executor, "grace-period", 20, NULL);
  add_command (scene, scene->running, script);
  add_command (scene, scene->running, script);
  block_until_all_run (scene);
  let_nothing_begin (scene);
  for (guint i = 0; i < 30; i++)
    add_command (scene, scene->pending,
                 scene->mode == DRAY_SHUTDOWN_DRAIN ? "true" : "exec sleep 1000");
}

typedef struct
{
  const char *name;
  void (*arrange) (Scene *scene);
  DrayShutdownMode first_mode; /* in weaker ones it would not end */
} Situation;

static const Situation situations[] = {
  { "unused", arrange_unused, DRAY_SHUTDOWN_DRAIN },
  { "idle", arrange_idle, DRAY_SHUTDOWN_DRAIN },
  { "starting", arrange_starting, DRAY_SHUTDOWN_DRAIN },
  { "running", arrange_running, DRAY_SHUTDOWN_DRAIN },
  { "pending", arrange_pending, DRAY_SHUTDOWN_DRAIN },
  { "unread-output", arrange_unread, DRAY_SHUTDOWN_DRAIN },
  { "large-results", arrange_large, DRAY_SHUTDOWN_DRAIN },
  { "deaf", arrange_deaf, DRAY_SHUTDOWN_TERMINATE },
  { "commands", arrange_commands, DRAY_SHUTDOWN_DRAIN },
};

/* What is expected */

static void
assert_all_told (Scene *scene)
{
  GPtrArray *lists[] = { scene->done, scene->running, scene->pending };

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    for (guint j = 0; j < lists[i]->len; j++)
      {
        WorkshopRecord *record = lists[i]->pdata[j];

        g_assert_cmpuint (record->n_done, ==, 1);
      }
}

static void
assert_outcomes (Scene *scene)
{
  for (guint i = 0; i < scene->done->len; i++)
    workshop_assert_succeeded (scene->done->pdata[i]);

  for (guint i = 0; i < scene->running->len; i++)
    if (is_gentle (scene))
      workshop_assert_succeeded (scene->running->pdata[i]);
    else
      workshop_assert_failed (scene->running->pdata[i], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);

  for (guint i = 0; i < scene->pending->len; i++)
    if (scene->mode == DRAY_SHUTDOWN_DRAIN)
      workshop_assert_succeeded (scene->pending->pdata[i]);
    else if (scene->mode == DRAY_SHUTDOWN_CANCEL_PENDING)
      workshop_assert_cancelled (scene->pending->pdata[i]);
    else
      workshop_assert_failed (scene->pending->pdata[i], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
}

static void
assert_sums (DrayExecutor *executor)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (executor);

  g_assert_cmpuint (counters->submitted, ==,
                    counters->succeeded + counters->failed + counters->cancelled);
  g_assert_cmpuint (counters->workers_started, ==,
                    counters->workers_died + counters->workers_retired);
  g_assert_cmpuint (counters->queue_length, ==, 0);
  g_assert_cmpuint (counters->running, ==, 0);
  g_assert_cmpuint (counters->undelivered_items, ==, 0);
  g_assert_cmpuint (counters->undelivered_bytes, ==, 0);
}

/* Shutting down */

typedef struct
{
  Scene *scene;
  gboolean told;
} ShutdownWait;

static void
shut_down_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ShutdownWait *wait = user_data;
  g_autoptr (GError) error = NULL;

  g_assert_true (dray_executor_shutdown_finish (DRAY_EXECUTOR (source), result, &error));
  g_assert_no_error (error);
  g_assert_true (dray_executor_is_shut_down (DRAY_EXECUTOR (source)));
  assert_all_told (wait->scene);
  wait->told = TRUE;
}

static void
shut_down_async (Scene *scene)
{
  ShutdownWait wait = { .scene = scene };

  dray_executor_shutdown_async (scene->executor, scene->mode, NULL, shut_down_cb, &wait);
  fixture_iterate_until_true (&wait.told, "the executor has shut down");
}

static void
shut_down_sync (Scene *scene)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dray_executor_shutdown_sync (scene->executor, scene->mode, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (dray_executor_is_shut_down (scene->executor));
}

static void
shut_down_sync_then_async (Scene *scene)
{
  shut_down_sync (scene);
  shut_down_async (scene);
}

static void
shut_down_async_thrice (Scene *scene)
{
  ShutdownWait waits[] = { { .scene = scene }, { .scene = scene } };

  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    dray_executor_shutdown_async (scene->executor, scene->mode, NULL, shut_down_cb, &waits[i]);
  shut_down_async (scene);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    fixture_iterate_until_true (&waits[i].told, "the executor has shut down");
}

static gpointer
shut_down_thread (gpointer data)
{
  shut_down_sync (data);

  return NULL;
}

static void
shut_down_from_two_threads (Scene *scene)
{
  GThread *threads[2];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("shuts down", shut_down_thread, scene);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

typedef struct
{
  const char *name;
  void (*shut_down) (Scene *scene);
} Way;

static const Way ways[] = {
  { "async", shut_down_async },
  { "sync", shut_down_sync },
  { "sync-then-async", shut_down_sync_then_async },
  { "async-thrice", shut_down_async_thrice },
  { "two-threads", shut_down_from_two_threads },
};

static const char *const modes[] = { "drain", "cancel-pending", "terminate", "kill" };

typedef struct
{
  const Situation *situation;
  const Way *way;
  DrayShutdownMode mode;
} Case;

static Case cases[G_N_ELEMENTS (situations) * G_N_ELEMENTS (ways) * G_N_ELEMENTS (modes)];

static void
assert_refused (DrayExecutor *executor)
{
  WorkshopRecord *record = workshop_watch (dray_executor_call (executor, "null", NULL));

  g_assert_true (dray_future_is_done (record->future));
  g_assert_cmpuint (record->n_done, ==, 0);
  workshop_iterate_until_told (record);
  workshop_assert_failed (record, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  workshop_record_free (record);
}

static void
test_shutdown (Fixture *fixture, gconstpointer data)
{
  /* Shows that the executor shuts down, that every task comes to the end that the mode has for it,
   * once and after all its items, and that nothing is accepted afterwards. */
  const Case *chosen = data;
  g_autoptr (GPtrArray) done = workshop_new_records ();
  g_autoptr (GPtrArray) running = workshop_new_records ();
  g_autoptr (GPtrArray) pending = workshop_new_records ();
  Scene scene = { .mode = chosen->mode, .done = done, .running = running, .pending = pending };

  chosen->situation->arrange (&scene);
  chosen->way->shut_down (&scene);
  workshop_iterate_until_all_told (running);
  workshop_iterate_until_all_told (pending);
  assert_outcomes (&scene);

  assert_refused (scene.executor);
  shut_down_sync (&scene);
  shut_down_async (&scene);
  assert_sums (scene.executor);
  g_object_unref (scene.executor);
}

static void
test_no_such_mode (Fixture *fixture, gconstpointer data)
{
  /* Shows that a mode which there is not is refused, and that nothing comes of it. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (WorkshopRecord) record = workshop_watch (dray_executor_call (executor, "null", NULL));
  const DrayShutdownMode none = DRAY_SHUTDOWN_KILL + 1;

  g_cancellable_cancel (cancellable); /* would end the wait */
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*mode*");
  g_assert_false (dray_executor_shutdown_sync (executor, none, cancellable, NULL));
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*mode*");
  dray_executor_shutdown_async (executor, none, NULL, NULL, NULL);
  g_test_assert_expected_messages ();

  workshop_iterate_until_told (record);
  workshop_assert_succeeded (record);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
}

/* What is pending as it begins */

#define N_REFUSED 3000 /* which takes a moment */

static void
test_nothing_begins (Fixture *fixture, gconstpointer data)
{
  /* Shows that nothing begins while two threads have it cancelled: not even where there is room for
   * it, and somebody waits already for the end. */
  for (int i = 0; i < 5; i++)
    {
      Scene scene = { .mode = DRAY_SHUTDOWN_CANCEL_PENDING, .executor = workshop_new (2) };
      const char *const argv[] = { "true", NULL };
      g_autoptr (DrayTask) command = dray_task_new_command (argv);
      g_autoptr (DrayFuture) first = dray_executor_call (scene.executor, "null", NULL);
      g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

      g_assert_true (dray_future_wait (first, -1, NULL, NULL));
      dray_executor_set_paused (scene.executor, TRUE);
      for (int j = 0; j < N_REFUSED; j++)
        g_ptr_array_add (futures, j % 2 == 0
                                    ? dray_executor_call (scene.executor, "null", NULL)
                                    : dray_executor_submit (scene.executor, command, NULL));
      shut_down_from_two_threads (&scene);
      for (guint j = 0; j < futures->len; j++)
        g_assert_cmpint (dray_future_get_state (futures->pdata[j]), ==, DRAY_FUTURE_CANCELLED);
      g_object_unref (scene.executor);
    }
}

/* Nobody iterates the main context */

#define N_DRAINED 500

static gboolean
is_shut_down (gpointer executor)
{
  return dray_executor_is_shut_down (executor);
}

static gboolean
has_nothing_to_do (gpointer context)
{
  return !g_main_context_pending (context);
}

static void
leave_without_callback (DrayShutdownMode mode, guint n_calls, gboolean keeps_futures)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  DrayExecutor *executor = workshop_new (2);
  gpointer weak = executor;

  g_object_add_weak_pointer (G_OBJECT (executor), &weak);
  for (guint i = 0; i < n_calls; i++)
    {
      g_ptr_array_add (futures, dray_executor_call (executor, "null", NULL));
      g_assert_true (dray_future_wait (futures->pdata[i], -1, NULL, NULL));
    }
  if (!keeps_futures)
    g_ptr_array_set_size (futures, 0);

  dray_executor_shutdown_async (executor, mode, NULL, NULL, NULL);
  dray_executor_shutdown_async (executor, mode, NULL, NULL, NULL);
  workshop_block_until (is_shut_down, executor, "the executor has shut down");
  dray_executor_shutdown_async (executor, mode, NULL, NULL, NULL);
  g_object_unref (executor);
  g_assert_null (weak);
  g_ptr_array_set_size (futures, 0);
  workshop_block_until (has_nothing_to_do, context, "nothing is left to be done in the context");
}

static void
test_without_callback (Fixture *fixture, gconstpointer data)
{
  /* Shows that a shutdown which nobody wants to hear of leaves nothing in the main context of
   * whoever began it, which may never be iterated, and that nothing of it keeps the executor. */
  const DrayShutdownMode mode = GPOINTER_TO_UINT (data);
  g_autoptr (GMainContext) context = g_main_context_new ();

  for (guint n_calls = 0; n_calls < 3; n_calls++)
    {
      leave_without_callback (mode, n_calls, FALSE);
      leave_without_callback (mode, n_calls, TRUE);
      g_main_context_push_thread_default (context);
      leave_without_callback (mode, n_calls, FALSE);
      g_main_context_pop_thread_default (context);
    }
}

static void
test_left_alone (Fixture *fixture, gconstpointer data)
{
  /* Shows that a shutdown which nobody wants to hear of comes to its end by itself: the last
   * reference that is dropped then does not give up what is to be drained. */
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  DrayExecutor *executor = workshop_new (2);
  gpointer weak = executor;

  g_object_add_weak_pointer (G_OBJECT (executor), &weak);
  for (guint i = 0; i < N_DRAINED; i++)
    g_ptr_array_add (futures, dray_executor_call (executor, "null", NULL));
  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL, NULL);
  g_object_unref (executor);
  g_assert_null (weak);

  for (guint i = 0; i < N_DRAINED; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = NULL;

      g_assert_true (dray_future_wait (futures->pdata[i], -1, NULL, NULL));
      result = dray_future_dup_result (futures->pdata[i], &error);
      g_assert_no_error (error);
      g_assert_nonnull (result);
    }
}

int
main (int argc, char **argv)
{
  guint n_cases = 0;

  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (situations); i++)
    for (guint mode = situations[i].first_mode; mode <= DRAY_SHUTDOWN_KILL; mode++)
      for (guint j = 0; j < G_N_ELEMENTS (ways); j++)
        {
          g_autofree char *path = g_strdup_printf ("/shutdown/%s/%s/%s", modes[mode],
                                                   situations[i].name, ways[j].name);

          cases[n_cases] = (Case){ &situations[i], &ways[j], mode };
          workshop_add (path, &cases[n_cases++], test_shutdown);
        }
  workshop_add ("/shutdown/no-such-mode", NULL, test_no_such_mode);
  workshop_add ("/shutdown/cancel-pending/nothing-begins", NULL, test_nothing_begins);

  for (guint mode = DRAY_SHUTDOWN_DRAIN; mode <= DRAY_SHUTDOWN_KILL; mode++)
    {
      g_autofree char *path = g_strdup_printf ("/shutdown/%s/without-callback", modes[mode]);

      workshop_add (path, GUINT_TO_POINTER (mode), test_without_callback);
    }
  workshop_add ("/shutdown/drain/left-alone", NULL, test_left_alone);

  return g_test_run ();
}
