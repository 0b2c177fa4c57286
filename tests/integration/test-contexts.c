/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

/*
 * Main contexts: events come in the one that was the thread's default at submit; and what becomes
 * of them where that is iterated late, never, or is gone.
 */

#define LIMIT ((guint64) 1024 * 1024)

/* What a task streams. */
typedef struct
{
  guint n_items;
  guint size;
} Flow;

static const Flow small_items = { 500, 100 };
static const Flow large_items = { 30, 100000 };

/* Tells what became of a callback's data. */
typedef struct
{
  guint n_called;
  gint n_destroyed; /* atomic */
} Fate;

static void
fate_done_cb (DrayFuture *future, gpointer user_data)
{
  ((Fate *) user_data)->n_called++;
}

static void
fate_destroyed (gpointer data)
{
  g_atomic_int_inc (&((Fate *) data)->n_destroyed);
}

static gboolean
fate_is_sealed (gpointer data)
{
  return g_atomic_int_get (&((Fate *) data)->n_destroyed) == 1;
}

/* (transfer full): a future for which @context is where to call. */
static DrayFuture *
call_in (GMainContext *context, DrayExecutor *executor, const char *function, GVariant *arguments)
{
  DrayFuture *future;

  g_main_context_push_thread_default (context);
  future = dray_executor_call (executor, function, arguments);
  g_main_context_pop_thread_default (context);

  return future;
}

/* (transfer floating) */
static GVariant *
flow_get_arguments (const Flow *flow)
{
  return g_variant_new ("(uu)", flow->n_items, flow->size);
}

/* Loops of their own */

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  const Flow *flow;
  GThread *thread;
  GMainLoop *loop;
  guint n_items;
} Listener;

static void
listener_item_cb (DrayFuture *future, GVariant *value, Listener *listener)
{
  g_assert_true (g_thread_self () == listener->thread);
  g_assert_cmpuint (g_variant_get_size (value), ==, listener->flow->size);
  listener->n_items++;
}

static void
listener_done_cb (DrayFuture *future, gpointer user_data)
{
  Listener *listener = user_data;

  g_assert_true (g_thread_self () == listener->thread);
  g_assert_cmpuint (listener->n_items, ==, listener->flow->n_items);
  g_main_loop_quit (listener->loop);
}

static gpointer
listener_thread (gpointer data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  g_autoptr (DrayFuture) future = NULL;
  Listener *listener = data;

  listener->thread = g_thread_self ();
  listener->loop = loop;
  g_main_context_push_thread_default (context);
  future = dray_executor_call (listener->executor, "stream", flow_get_arguments (listener->flow));
  g_signal_connect (future, "item", G_CALLBACK (listener_item_cb), listener);
  dray_future_add_done_callback (future, listener_done_cb, listener, NULL);
  g_main_loop_run (loop);
  g_main_context_pop_thread_default (context);

  return NULL;
}

static void
test_own_loops (Fixture *fixture, gconstpointer data)
{
  /* Shows that threads with main loops of their own each get what is theirs, while the main thread
   * iterates nothing. */
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  Listener listeners[4] = { { 0 } };
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      listeners[i].executor = executor;
      listeners[i].flow = data;
      threads[i] = g_thread_new ("listens", listener_thread, &listeners[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

/* Never iterated */

static void
test_never_iterated (Fixture *fixture, gconstpointer data)
{
  /* Shows that tasks of a context that nobody iterates are done all the same, that others are
   * served meanwhile, and that nothing of them is left when executor and context are gone. */
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayFuture) future = call_in (context, executor, "stream",
                                           g_variant_new ("(uu)", 500, 100));
  g_autoptr (DrayFuture) other = NULL;
  Fate fate = { 0 };

  dray_future_add_done_callback (future, fate_done_cb, &fate, fate_destroyed);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  other = dray_executor_call (executor, "stream", g_variant_new ("(uu)", 500, 100));
  fixture_run_until_done (other);

  g_clear_object (&future);
  g_clear_object (&executor);
  g_assert_cmpint (g_atomic_int_get (&fate.n_destroyed), ==, 0);
  g_clear_pointer (&context, g_main_context_unref);
  fixture_iterate_until (fate_is_sealed, &fate, "the callback's data was given up");
  g_assert_cmpuint (fate.n_called, ==, 0);
}

static void
test_limit_filled (Fixture *fixture, gconstpointer data)
{
  /* Shows that where tasks of a context that nobody iterates fill the limit, others can still be
   * waited for, and that all flows again when the futures of those tasks are dropped. */
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  g_autoptr (GMainContext) context = g_main_context_new ();
  DrayFuture *hoarder;
  WorkshopRecord *record;

  g_object_set (executor, "max-undelivered-bytes", LIMIT, NULL);
  hoarder = call_in (context, executor, "stream", g_variant_new ("(uu)", 1000, 10000));
  workshop_block_until_undelivered (executor, LIMIT);

  record = workshop_watch (dray_executor_call (executor, "bytes", g_variant_new ("(u)", 5000000)));
  g_assert_true (dray_future_wait (record->future, -1, NULL, NULL));
  workshop_iterate_until_told (record);
  workshop_assert_succeeded (record);
  workshop_record_free (record);

  record = workshop_watch (
    dray_executor_call (executor, "stream", g_variant_new ("(uu)", 1000, 10000)));
  g_object_unref (hoarder);
  workshop_iterate_until_told (record);
  workshop_assert_succeeded (record);
  g_assert_cmpuint (record->n_items, ==, 1000);
  workshop_record_free (record);
}

static gboolean
has_queued (DrayExecutor *executor, guint64 n_tasks)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (executor);

  return counters->queue_length == n_tasks;
}

static gboolean
has_nothing_queued (gpointer executor)
{
  return has_queued (executor, 0);
}

static gboolean
has_one_queued (gpointer executor)
{
  return has_queued (executor, 1);
}

static gboolean
has_twenty_undelivered (gpointer executor)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (executor);

  return counters->undelivered_items >= 20;
}

static void
test_held_back (Fixture *fixture, gconstpointer data)
{
  /* Shows that what waits behind a task that is at its limit, in a context that nobody iterates, is
   * done as soon as another worker has nothing to do: whether it was given to its worker before, or
   * came later. The limit of all may be reached first: then it is as soon as that is not. */
  const gboolean before = data != NULL;
  const gboolean throttled = g_strcmp0 (data, "throttled") == 0;
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayFuture) hoarder = NULL;
  g_autoptr (DrayFuture) blocked = NULL;
  DrayFuture *behind[2];

  hoarder = call_in (context, executor, "numbers", g_variant_new ("(ub)", 20, TRUE));
  workshop_block_until (has_twenty_undelivered, executor, "there are items");
  if (!before)
    g_object_set (executor, "max-undelivered-items-per-future", 10, NULL);
  blocked = dray_executor_call (executor, "block", NULL);
  workshop_block_until_status (blocked, "blocked");
  for (guint i = 0; i < G_N_ELEMENTS (behind); i++)
    behind[i] = dray_executor_call (executor, "attempt", NULL);
  workshop_block_until (before ? has_nothing_queued : has_one_queued, executor,
                        "what there is room for has been sent");
  if (throttled)
    g_object_set (executor, "max-undelivered-items", 10, NULL);
  g_object_set (executor, "max-undelivered-items-per-future", 10, NULL);

  dray_future_cancel (blocked);
  if (throttled)
    {
      rig_let_time_pass ();
      g_object_set (executor, "max-undelivered-items", 100000, NULL);
    }
  for (guint i = 0; i < G_N_ELEMENTS (behind); i++)
    {
      g_autoptr (GVariant) attempt = NULL;

      fixture_run_until_done (behind[i]);
      attempt = dray_future_dup_result (behind[i], NULL);
      g_assert_cmpuint (g_variant_get_uint32 (attempt), ==, 1);
      g_object_unref (behind[i]);
    }
  g_assert_cmpint (dray_future_get_state (hoarder), ==, DRAY_FUTURE_RUNNING);

  dray_future_cancel (hoarder);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (DrayFuture) next = dray_executor_call (executor, "attempt", NULL);

      fixture_run_until_done (next);
      g_assert_cmpint (dray_future_get_state (next), ==, DRAY_FUTURE_SUCCEEDED);
    }
}

static void
test_held_back_cancelled (Fixture *fixture, gconstpointer data)
{
  /* Shows that what waits behind such a task ends when it is cancelled, though there is no other
   * worker, and its own is to confirm that. */
  const gboolean throttled = data != NULL;
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayTask) task = dray_task_new_call ("attempt", NULL);
  g_autoptr (DrayFuture) hoarder = NULL;
  g_autoptr (DrayFuture) behind = NULL;

  dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  hoarder = call_in (context, executor, "numbers", g_variant_new ("(ub)", 20, TRUE));
  workshop_block_until (has_twenty_undelivered, executor, "there are items");
  behind = dray_executor_submit (executor, task, NULL);
  workshop_block_until (has_nothing_queued, executor, "it has been sent");
  g_object_set (executor, throttled ? "max-undelivered-items" : "max-undelivered-items-per-future",
                10, NULL);

  dray_future_cancel (behind);
  fixture_run_until_done (behind);
  g_assert_cmpint (dray_future_get_state (behind), ==, DRAY_FUTURE_CANCELLED);
  g_assert_cmpint (dray_future_get_state (hoarder), ==, DRAY_FUTURE_RUNNING);
}

/* Destroyed */

static void
test_destroyed_after_the_end (Fixture *fixture, gconstpointer data)
{
  /* Shows that a context which is destroyed with events undelivered, after the executor has shut
   * down, takes them along: no callback is called, and its data is given up. */
  const Flow *flow = data;
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayFuture) future = call_in (context, executor, "stream", flow_get_arguments (flow));
  g_autoptr (GVariant) result = NULL;
  Fate fate = { 0 };

  dray_future_add_done_callback (future, fate_done_cb, &fate, fate_destroyed);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_clear_pointer (&context, g_main_context_unref);
  fixture_iterate_until (fate_is_sealed, &fate, "the callback's data was given up");
  g_assert_cmpuint (fate.n_called, ==, 0);

  result = dray_future_dup_result (future, NULL);
  g_assert_cmpuint (g_variant_get_uint32 (result), ==, flow->n_items);
}

/* Waits in @user_data, another executor: as user code may, on any thread but Dray's own. */
static void
wait_destroyed (gpointer data)
{
  DrayExecutor *executor = data;
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "null", NULL);

  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_object_unref (executor);
}

static void
test_destroyed_before_the_end (Fixture *fixture, gconstpointer data)
{
  /* Shows that a context which was given up with events undelivered, and goes with the executor,
   * gives up a callback's data where that may take its time: not on the I/O thread. */
  const Flow *flow = data;
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayFuture) future = call_in (context, executor, "stream", flow_get_arguments (flow));
  Fate fate = { 0 };

  dray_future_add_done_callback (future, fate_done_cb, &fate, NULL);
  dray_future_add_done_callback (future, fate_done_cb, g_object_ref (other), wait_destroyed);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_clear_object (&future);
  g_clear_pointer (&context, g_main_context_unref);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_assert_cmpuint (fate.n_called, ==, 0);
}

/* Iterated late */

static void
answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  guint *n_answers = user_data;

  ++*n_answers;
}

static gboolean
has_eight_answers (gpointer user_data)
{
  guint *n_answers = user_data;

  return *n_answers == 8;
}

static void
test_iterated_late (Fixture *fixture, gconstpointer data)
{
  /* Shows that asynchronous calls whose context is iterated only after the executor has shut down
   * are answered then, each once. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayTask) task = dray_task_new_call ("null", NULL);
  g_autoptr (DrayFuture) future = NULL;
  guint n_answers = 0;

  g_object_set (executor, "max-pending-tasks", 1, NULL);
  future = call_in (context, executor, "block", NULL);
  workshop_block_until_running (future);
  g_main_context_push_thread_default (context);
  dray_future_result_async (future, NULL, answered_cb, &n_answers);
  for (guint i = 0; i < 5; i++)
    dray_executor_submit_async (executor, task, NULL, answered_cb, &n_answers);
  dray_executor_call_async (executor, "null", NULL, NULL, answered_cb, &n_answers);
  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_KILL, NULL, answered_cb, &n_answers);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_KILL, NULL, NULL));
  g_assert_cmpuint (n_answers, ==, 0);

  fixture_iterate_until (has_eight_answers, &n_answers, "all calls are answered");
  while (g_main_context_iteration (context, FALSE))
    ;
  g_assert_cmpuint (n_answers, ==, 8);
  g_main_context_pop_thread_default (context);
}

/* Of another one */

static gboolean
has_three_answers (gpointer data)
{
  return *(guint *) data == 3;
}

static void
ignore_outcome (DrayMap *map, DrayOutcome *outcome, gpointer data)
{
}

static void
test_asked_elsewhere (Fixture *fixture, gconstpointer data)
{
  /* Shows that who asks for a result, or for outcomes, in a context of its own is answered there,
   * also when the one in which the task was submitted, or the map made, is gone. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayFuture) future = call_in (context, executor, "null", NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayMap) map = NULL;
  GVariant *value = g_variant_new_parsed ("(int64 0, '', '')");
  guint n_answers = 0;

  g_main_context_push_thread_default (context);
  map = dray_executor_map_values (executor, "step", &value, 1);
  g_main_context_pop_thread_default (context);
  dray_future_result_async (future, cancellable, answered_cb, &n_answers);
  dray_map_next_async (map, cancellable, answered_cb, &n_answers);
  dray_map_for_each_async (map, ignore_outcome, NULL, NULL, NULL, answered_cb, &n_answers);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));

  g_clear_pointer (&context, g_main_context_unref);
  fixture_iterate_until (has_three_answers, &n_answers, "all that was asked is answered");
}

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  GMainContext *context;  /* (unowned): the map's */
  guint n_answers;
} Ender;

/* Is asked for a value, ends the executor meanwhile, and lets the context hear of that. */
static GVariant *
end_executor_cb (gpointer data)
{
  Ender *ender = data;

  dray_executor_shutdown_sync (ender->executor, DRAY_SHUTDOWN_KILL, NULL, NULL);
  while (g_main_context_iteration (ender->context, FALSE))
    ;
  return NULL;
}

/* The context may have heard of it before all was over: then there is more for it. */
static gboolean
has_three_answers_of (gpointer data)
{
  Ender *ender = data;

  while (g_main_context_iteration (ender->context, FALSE))
    ;
  return ender->n_answers == 3;
}

static void
test_ended_while_asking (Fixture *fixture, gconstpointer data)
{
  /* Shows that who asks for outcomes in a context of its own is told that there are none, also when
   * the executor ends, and the map's context has heard of that, while the map asks for a value. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  Ender ender = { executor, context, 0 };
  g_autoptr (DrayMap) map = NULL;

  g_main_context_push_thread_default (context);
  map = dray_executor_map (executor, "step", end_executor_cb, &ender, NULL);
  g_main_context_pop_thread_default (context);
  dray_map_for_each_async (map, ignore_outcome, NULL, NULL, NULL, answered_cb, &ender.n_answers);
  dray_map_next_async (map, NULL, answered_cb, &ender.n_answers);
  dray_map_next_async (map, NULL, answered_cb, &ender.n_answers);
  g_main_context_push_thread_default (context);
  g_assert_null (dray_map_wait_next (map, -1, NULL, NULL));
  g_main_context_pop_thread_default (context);

  fixture_iterate_until (has_three_answers_of, &ender, "all of them are told");
}

typedef struct
{
  Ender ender;
  DrayMap *map; /* (unowned) */
  guint n_given;
  guint n_taken;
  gboolean ended;
} LateEnder;

static guint64
count_submitted (DrayExecutor *executor)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (executor);

  return counters->submitted;
}

/* Takes the outcome of all that was submitted. Asks for nothing: it is not the map's thread. */
static gpointer
take_all (gpointer data)
{
  LateEnder *self = data;

  while (self->n_taken < count_submitted (self->ender.executor))
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (self->map, -1, NULL, NULL);

      g_assert_nonnull (outcome);
      self->n_taken++;
    }

  return NULL;
}

/* Ends the executor when this is not the first value that it gives for a chunk. */
static GVariant *
end_between_values_cb (gpointer data)
{
  LateEnder *self = data;

  self->n_given++;
  if (self->n_given > count_submitted (self->ender.executor) + 1)
    {
      g_thread_join (g_thread_new ("takes", take_all, self));
      end_executor_cb (&self->ender);
      self->ended = TRUE;
    }

  return g_variant_new_parsed ("(int64 0, '', '')");
}

static void
test_refused_while_asking (Fixture *fixture, gconstpointer data)
{
  /* Shows the same where there are outcomes: calls that the map was about to make are refused, one of
   * them is told to who has waited, the others to those who have asked. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  LateEnder ender = { .ender = { executor, context, 0 } };
  guint *n_answers = &ender.ender.n_answers;
  g_autoptr (DrayMap) map = NULL;

  g_main_context_push_thread_default (context);
  map = ender.map = dray_executor_map (executor, "step", end_between_values_cb, &ender, NULL);
  g_main_context_pop_thread_default (context);
  dray_map_next_async (map, NULL, answered_cb, n_answers);
  dray_map_for_each_async (map, ignore_outcome, NULL, NULL, NULL, answered_cb, n_answers);
  dray_map_next_async (map, NULL, answered_cb, n_answers);
  while (!ender.ended)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, NULL);

      g_assert_nonnull (outcome);
      ender.n_taken++;
    }

  fixture_iterate_until (has_three_answers_of, &ender.ender, "all of them are told");
}

/* After the end */

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  DrayMap *map;           /* (unowned) */
  guint n_answers;
} LateAsker;

/* Ends the executor, and asks the map that asks. */
static GVariant *
ask_late_cb (gpointer data)
{
  LateAsker *self = data;

  dray_executor_shutdown_sync (self->executor, DRAY_SHUTDOWN_KILL, NULL, NULL);
  dray_map_next_async (self->map, NULL, answered_cb, &self->n_answers);
  dray_map_for_each_async (self->map, ignore_outcome, NULL, NULL, NULL, answered_cb,
                           &self->n_answers);
  dray_map_next_async (self->map, NULL, answered_cb, &self->n_answers);
  while (g_main_context_iteration (g_main_context_get_thread_default (), FALSE))
    ;
  g_assert_cmpuint (self->n_answers, ==, 0);
  return g_variant_new_parsed ("(int64 0, '', '')");
}

static void
test_asked_late_while_asking (Fixture *fixture, gconstpointer data)
{
  /* Shows that who asks when the executor has shut down, while the map still asks for a value, is
   * told of what becomes of that; also when nobody iterates the map's context. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  LateAsker asker = { .executor = executor };
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (DrayOutcome) outcome = NULL;

  map = asker.map = dray_executor_map (executor, "step", ask_late_cb, &asker, NULL);
  g_main_context_push_thread_default (context);
  outcome = dray_map_wait_next (map, -1, NULL, NULL);
  g_assert_nonnull (outcome);
  fixture_iterate_until (has_three_answers, &asker.n_answers, "all of them are told");
  g_main_context_pop_thread_default (context);
}

static void
test_asked_late (Fixture *fixture, gconstpointer data)
{
  /* Shows that who asks for outcomes when the executor has shut down is answered in a context of
   * their own, also when nobody iterates the map's, and something is left there to be told: of a
   * map that had begun, or of something else. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "null", NULL);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (DrayOutcome) outcome = NULL;
  GVariant *values[3];
  guint n_answers = 0;

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    values[i] = g_variant_new_parsed ("(int64 0, '', '')");
  map = dray_executor_map_values (executor, "step", values, G_N_ELEMENTS (values));
  if (data != NULL)
    outcome = dray_map_wait_next (map, -1, NULL, NULL);
  if (data != NULL)
    g_clear_object (&future);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));

  g_main_context_push_thread_default (context);
  dray_map_next_async (map, NULL, answered_cb, &n_answers);
  dray_map_for_each_async (map, ignore_outcome, NULL, NULL, NULL, answered_cb, &n_answers);
  dray_map_next_async (map, NULL, answered_cb, &n_answers);
  fixture_iterate_until (has_three_answers, &n_answers, "all that was asked is answered");
  g_main_context_pop_thread_default (context);
  g_assert_true (dray_map_is_over (map));
}

static gboolean
is_over (gpointer map)
{
  return dray_map_is_over (map);
}

/* As a dialog would, that closes when all has come. */
static void
iterate_in_outcome_cb (DrayMap *map, DrayOutcome *outcome, gpointer data)
{
  guint *n_outcomes = data;

  if (++*n_outcomes == 1)
    fixture_iterate_until (is_over, map, "the other outcomes come");
}

static void
test_iterated_late_outcome (Fixture *fixture, gconstpointer data)
{
  /* Shows that a function that is given an outcome when the executor has shut down may run the main
   * context, in which the others come. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (DrayOutcome) first = NULL;
  GVariant *values[4];
  guint n_outcomes = 0, n_answers = 0;

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    values[i] = g_variant_new_parsed ("(int64 0, '', '')");
  map = dray_executor_map_values (executor, "step", values, G_N_ELEMENTS (values));
  first = dray_map_wait_next (map, -1, NULL, NULL);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  dray_map_for_each_async (map, iterate_in_outcome_cb, &n_outcomes, NULL, NULL, answered_cb,
                           &n_answers);
  while (n_answers == 0)
    g_main_context_iteration (NULL, TRUE);
}

/* Left alone */

/* Begins something in the thread's default context; what it makes is added to @objects. */
typedef void (*Beginning) (DrayExecutor *executor, GPtrArray *objects);

static DrayFuture *
begin_call (DrayExecutor *executor, GPtrArray *objects)
{
  DrayFuture *future = dray_executor_call (executor, "numbers", g_variant_new ("(ub)", 100, FALSE));

  g_ptr_array_add (objects, future);
  return future;
}

static void
begin_all (DrayExecutor *executor, GPtrArray *objects)
{
  DrayFuture *parts[] = { begin_call (executor, objects), begin_call (executor, objects) };

  g_ptr_array_add (objects, dray_future_all (parts, 2));
}

static void
begin_first (DrayExecutor *executor, GPtrArray *objects)
{
  DrayFuture *parts[] = { begin_call (executor, objects), begin_call (executor, objects) };

  g_ptr_array_add (objects, dray_future_first (parts, 2));
}

static void
begin_chain (DrayExecutor *executor, GPtrArray *objects)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("echo", NULL);

  g_ptr_array_add (objects, dray_future_and_then (begin_call (executor, objects), executor, task,
                                                  DRAY_POSITION_WHOLE));
}

static void
begin_in_group (DrayExecutor *executor, GPtrArray *objects)
{
  DrayGroup *group = dray_group_new ();
  g_autoptr (DrayTask) task = dray_task_new_call ("null", NULL);

  g_ptr_array_add (objects, group);
  g_ptr_array_add (objects, dray_group_submit (group, executor, task, NULL));
  dray_group_add (group, begin_call (executor, objects));
}

static void
begin_in_queue (DrayExecutor *executor, GPtrArray *objects)
{
  DrayCompletionQueue *queue = dray_completion_queue_new ();
  g_autoptr (DrayTask) task = dray_task_new_call ("null", NULL);

  g_ptr_array_add (objects, queue);
  g_ptr_array_add (objects, dray_completion_queue_submit (queue, executor, task, NULL));
  dray_completion_queue_add (queue, begin_call (executor, objects));
}

static void
begin_map (DrayExecutor *executor, GPtrArray *objects)
{
  GVariant *value = g_variant_new_parsed ("(int64 0, '', '')");

  g_ptr_array_add (objects, dray_executor_map_values (executor, "step", &value, 1));
}

static void
begin_started_map (DrayExecutor *executor, GPtrArray *objects)
{
  DrayOutcome *outcome;

  begin_map (executor, objects);
  outcome = dray_map_wait_next (objects->pdata[0], -1, NULL, NULL);
  dray_outcome_unref (outcome);
}

static void
begin_pull (DrayExecutor *executor, GPtrArray *objects)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("numbers", g_variant_new ("(ub)", 100, FALSE));

  dray_task_set_pull (task, TRUE);
  g_ptr_array_add (objects, dray_executor_submit (executor, task, NULL));
}

static void
begin_lists (DrayExecutor *executor, GPtrArray *objects)
{
  begin_call (executor, objects);
  g_ptr_array_add (objects, g_object_ref (dray_executor_get_futures (executor)));
  g_ptr_array_add (objects, g_object_ref (dray_executor_get_workers (executor)));
}

static void
begin_workers (DrayExecutor *executor, GPtrArray *objects)
{
  begin_call (executor, objects);
  g_ptr_array_add (objects, g_object_ref (dray_executor_get_workers (executor)));
}

static void
test_left_alone (Fixture *fixture, gconstpointer data)
{
  /* Shows that nothing that was begun in a context keeps it, when the executor has shut down and
   * nobody has what was begun any more; whether it had ended by then, or not. */
  Beginning begin = (Beginning) data;

  for (DrayShutdownMode mode = DRAY_SHUTDOWN_DRAIN; mode <= DRAY_SHUTDOWN_KILL; mode++)
    {
      g_autoptr (DrayExecutor) executor = workshop_new (1);
      g_autoptr (GMainContext) context = g_main_context_new ();
      g_autoptr (GPtrArray) objects = g_ptr_array_new_with_free_func (g_object_unref);

      g_main_context_push_thread_default (context);
      begin (executor, objects);
      g_main_context_pop_thread_default (context);
      if (mode != DRAY_SHUTDOWN_KILL)
        g_clear_pointer (&objects, g_ptr_array_unref);
      g_assert_true (dray_executor_shutdown_sync (executor, mode, NULL, NULL));
    }
}

static gboolean
default_context_is_idle (gpointer data)
{
  return !g_main_context_pending (NULL);
}

static void
test_left_in_default (Fixture *fixture, gconstpointer data)
{
  /* Shows the same of the default main context, which does not go: where nobody iterates it, nothing
   * of an executor that has shut down stays in it. */
  Beginning begin = (Beginning) data;
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GPtrArray) objects = g_ptr_array_new_with_free_func (g_object_unref);

  while (g_main_context_iteration (NULL, FALSE))
    ;
  begin (executor, objects);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_clear_pointer (&objects, g_ptr_array_unref);
  g_clear_object (&executor);
  workshop_block_until (default_context_is_idle, NULL, "nothing is left to be told");
}

static void
test_left_after_cancel (Fixture *fixture, gconstpointer data)
{
  /* Shows the same of the wait for a shutdown that was cancelled, when that has been told. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "block", NULL);
  guint n_answers = 0;

  workshop_block_until_running (future);
  g_main_context_push_thread_default (context);
  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_DRAIN, cancellable, answered_cb,
                                &n_answers);
  g_cancellable_cancel (cancellable);
  while (n_answers == 0)
    g_main_context_iteration (context, TRUE);
  g_main_context_pop_thread_default (context);
  g_clear_pointer (&context, g_main_context_unref);

  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_KILL, NULL, NULL));
}

/* Of an ended thread */

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  DrayFuture *future;     /* (owned) (nullable): handed to the main thread */
  Fate *fate;
} Visitor;

static gpointer
visitor_thread (gpointer data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  Visitor *visitor = data;

  visitor->future = call_in (context, visitor->executor, "stream",
                             g_variant_new ("(uu)", 500, 100));
  dray_future_add_done_callback (visitor->future, fate_done_cb, visitor->fate, fate_destroyed);

  return NULL;
}

static void
test_ended_thread (Fixture *fixture, gconstpointer data)
{
  /* Shows that the tasks of a thread that has ended, and its context with it, are done, can be
   * waited for, and leave nothing behind. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  Fate fate = { 0 };
  Visitor visitor = { .executor = executor, .fate = &fate };

  g_thread_join (g_thread_new ("visits", visitor_thread, &visitor));
  g_assert_true (dray_future_wait (visitor.future, -1, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (visitor.future), ==, DRAY_FUTURE_SUCCEEDED);
  g_object_unref (visitor.future);
  g_clear_object (&executor);
  fixture_iterate_until (fate_is_sealed, &fate, "the callback's data was given up");
  g_assert_cmpuint (fate.n_called, ==, 0);
}

/* A callback that takes long */

static void
slow_cb (DrayFuture *future, gpointer user_data)
{
  GPtrArray *records = user_data;

  for (guint i = 0; i < records->len; i++)
    {
      WorkshopRecord *record = records->pdata[i];

      workshop_block_until ((FixtureCondition) dray_future_is_done, record->future,
                            "the task is done, which nobody waits for");
      g_assert_cmpuint (record->n_done, ==, 0);
    }
}

static void
test_slow_callback (Fixture *fixture, gconstpointer data)
{
  /* Shows that a callback which takes long, or iterates another context, holds up no worker: all
   * else is done meanwhile, and told afterwards. */
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  g_autoptr (GPtrArray) records = workshop_new_records ();
  g_autoptr (DrayFuture) first = dray_executor_call (executor, "null", NULL);

  dray_future_add_done_callback (first, slow_cb, records, NULL);
  g_assert_true (dray_future_wait (first, -1, NULL, NULL));
  for (guint i = 0; i < 50; i++)
    g_ptr_array_add (records, workshop_watch (dray_executor_call (
                                executor, "stream", g_variant_new ("(uu)", 50, 100))));
  workshop_iterate_until_all_told (records);
  for (guint i = 0; i < records->len; i++)
    workshop_assert_succeeded (records->pdata[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  workshop_add ("/contexts/own-loops", &small_items, test_own_loops);
  workshop_add ("/contexts/own-loops/large-items", &large_items, test_own_loops);
  workshop_add ("/contexts/never-iterated", NULL, test_never_iterated);
  workshop_add ("/contexts/limit-filled", NULL, test_limit_filled);
  workshop_add ("/contexts/held-back", NULL, test_held_back);
  workshop_add ("/contexts/held-back/sent-before", "before", test_held_back);
  workshop_add ("/contexts/held-back/throttled", "throttled", test_held_back);
  workshop_add ("/contexts/held-back/cancelled", NULL, test_held_back_cancelled);
  workshop_add ("/contexts/held-back/cancelled/throttled", "throttled", test_held_back_cancelled);
  workshop_add ("/contexts/destroyed/after-the-end", &small_items, test_destroyed_after_the_end);
  workshop_add ("/contexts/destroyed/after-the-end/large-items", &large_items,
                test_destroyed_after_the_end);
  workshop_add ("/contexts/destroyed/before-the-end", &small_items, test_destroyed_before_the_end);
  workshop_add ("/contexts/destroyed/before-the-end/large-items", &large_items,
                test_destroyed_before_the_end);
  workshop_add ("/contexts/iterated-late", NULL, test_iterated_late);
  workshop_add ("/contexts/asked-elsewhere", NULL, test_asked_elsewhere);
  workshop_add ("/contexts/asked-elsewhere/while-asking", NULL, test_ended_while_asking);
  workshop_add ("/contexts/asked-elsewhere/refused-while-asking", NULL, test_refused_while_asking);
  workshop_add ("/contexts/asked-late", NULL, test_asked_late);
  workshop_add ("/contexts/asked-late/while-asking", NULL, test_asked_late_while_asking);
  workshop_add ("/contexts/asked-late/begun", "begun", test_asked_late);
  workshop_add ("/contexts/asked-late/iterates", NULL, test_iterated_late_outcome);
  workshop_add ("/contexts/left-alone/all", begin_all, test_left_alone);
  workshop_add ("/contexts/left-alone/first", begin_first, test_left_alone);
  workshop_add ("/contexts/left-alone/chain", begin_chain, test_left_alone);
  workshop_add ("/contexts/left-alone/group", begin_in_group, test_left_alone);
  workshop_add ("/contexts/left-alone/queue", begin_in_queue, test_left_alone);
  workshop_add ("/contexts/left-alone/map", begin_map, test_left_alone);
  workshop_add ("/contexts/left-alone/pull", begin_pull, test_left_alone);
  workshop_add ("/contexts/left-alone/lists", begin_lists, test_left_alone);
  workshop_add ("/contexts/left-alone/lists/workers", begin_workers, test_left_alone);
  workshop_add ("/contexts/left-alone/map/begun", begin_started_map, test_left_alone);
  workshop_add ("/contexts/left-alone/cancelled-shutdown", NULL, test_left_after_cancel);
  workshop_add ("/contexts/left-in-default/all", begin_all, test_left_in_default);
  workshop_add ("/contexts/left-in-default/first", begin_first, test_left_in_default);
  workshop_add ("/contexts/left-in-default/chain", begin_chain, test_left_in_default);
  workshop_add ("/contexts/left-in-default/group", begin_in_group, test_left_in_default);
  workshop_add ("/contexts/left-in-default/queue", begin_in_queue, test_left_in_default);
  workshop_add ("/contexts/left-in-default/map", begin_map, test_left_in_default);
  workshop_add ("/contexts/left-in-default/map/begun", begin_started_map, test_left_in_default);
  workshop_add ("/contexts/left-in-default/pull", begin_pull, test_left_in_default);
  workshop_add ("/contexts/left-in-default/lists", begin_lists, test_left_in_default);
  workshop_add ("/contexts/left-in-default/lists/workers", begin_workers, test_left_in_default);
  workshop_add ("/contexts/ended-thread", NULL, test_ended_thread);
  workshop_add ("/contexts/slow-callback", NULL, test_slow_callback);

  return g_test_run ();
}
