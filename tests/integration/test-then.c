/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

/*
 * Tasks that come after others: what they are called with, when they run, and what becomes of a
 * chain that fails, is cancelled, is waited for, or whose executors are shut down.
 */

#define LONG_CHAIN 100000

/* Takes @future. */
static DrayFuture *
then (DrayExecutor *executor, DrayFuture *future, DrayTask *task, int position)
{
  g_autoptr (DrayFuture) previous = future;
  g_autoptr (DrayTask) next = task;

  return dray_future_and_then (previous, executor, next, position);
}

/* Goes on with what @future results in, whatever it is; takes it. */
static DrayFuture *
then_echo (DrayExecutor *executor, DrayFuture *future)
{
  return then (executor, future, rig_new_task ("echo", NULL), DRAY_POSITION_WHOLE);
}

/* The place of the result */

typedef struct
{
  const char *name;
  const char *result;    /* what the first task results in */
  const char *arguments; /* of the second; NULL: none */
  int position;
  const char *expected;
} Place;

static const Place places[] = {
  { "first", "'r'", "(1, 2)", 0, "('r', 1, 2)" },
  { "second", "'r'", "(1, 2)", 1, "(1, 'r', 2)" },
  { "after-two", "'r'", "(1, 2)", 2, "(1, 2, 'r')" },
  { "last", "'r'", "(1, 2)", DRAY_POSITION_LAST, "(1, 2, 'r')" },
  { "only-first", "'r'", NULL, 0, "('r',)" },
  { "only-last", "'r'", NULL, DRAY_POSITION_LAST, "('r',)" },
  { "tuple-last", "(3, 4)", "(1, 2)", DRAY_POSITION_LAST, "(1, 2, (3, 4))" },
  { "whole", "'r'", NULL, DRAY_POSITION_WHOLE, "'r'" },
  { "whole-tuple", "(3, 'x')", "(1, 2)", DRAY_POSITION_WHOLE, "(3, 'x')" },
  { "none", "'r'", "(1, 2)", DRAY_POSITION_NONE, "(1, 2)" },
  { "none-at-all", "'r'", NULL, DRAY_POSITION_NONE, "()" },
};

static void
test_place (Rig *rig, gconstpointer data)
{
  const Place *place = data;
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) late = NULL;
  g_autoptr (DrayTask) task = rig_new_task ("echo", place->arguments);

  g_test_summary (
    "The result goes where it is said to, whether the first task was done or not, and "
    "the task itself, which may be used again, stays as it was.");

  rig_start (rig, 1);
  first = rig_submit (rig, rig_new_task ("echo", place->result));
  second = dray_future_and_then (first, rig->executor, task, place->position);
  rig_expect_text (second, place->expected);
  g_assert_true (dray_future_get_task (second) == task);

  g_assert_true (dray_future_is_done (first));
  late = dray_future_and_then (first, rig->executor, task, place->position);
  rig_expect_text (late, place->expected);
}

static void
test_bad_place (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayTask) two = rig_new_task ("echo", "(1, 2)");
  g_autoptr (DrayTask) text = rig_new_task ("echo", "'text'");
  g_autoptr (DrayTask) command = dray_task_new_command ((const char *[]){ "true", NULL });
  g_autoptr (DrayFuture) first = NULL;

  g_test_summary ("A place that is none is a mistake of the program.");

  rig_start (rig, 1);
  first = rig_call (rig, "null", NULL);
  for (int i = 0; i < 4; i++)
    g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*dray_follow_is_possible*");
  g_assert_null (dray_future_and_then (first, rig->executor, two, 3));
  g_assert_null (dray_future_and_then (first, rig->executor, two, -4));
  g_assert_null (dray_future_and_then (first, rig->executor, text, DRAY_POSITION_LAST));
  g_assert_null (dray_future_and_then (first, rig->executor, command, 0));
  g_test_assert_expected_messages ();
}

static void
test_command (Rig *rig, gconstpointer data)
{
  static const char *const cat[] = { "cat", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (cat);
  g_autoptr (DrayFuture) text = NULL;
  g_autoptr (DrayFuture) bytes = NULL;
  g_autoptr (DrayFuture) number = NULL;
  g_autoptr (DrayFuture) output = NULL;
  g_autoptr (GVariant) read = NULL;

  g_test_summary ("A command reads the result of a call from its standard input, be it text or "
                  "bytes; what is neither fails it; its output goes on to the next.");

  rig_start (rig, 1);
  text = then (rig->executor, rig_submit (rig, rig_new_task ("echo", "'a b'")),
               dray_task_ref (task), DRAY_POSITION_WHOLE);
  rig_expect_text (text, "[byte 0x61, 0x20, 0x62]");
  bytes = then (rig->executor, rig_call (rig, "bytes", "(u)", 3000000), dray_task_ref (task),
                DRAY_POSITION_WHOLE);
  output = dray_future_and_then (bytes, rig->executor, task, DRAY_POSITION_WHOLE);
  read = dray_future_wait_result (output, -1, NULL, NULL);
  workshop_assert_bytes (read, 3000000);
  number = then (rig->executor, rig_call (rig, "add", "(ii)", 1, 2), dray_task_ref (task),
                 DRAY_POSITION_WHOLE);
  rig_expect_error (number, DRAY_ERROR, DRAY_ERROR_BAD_ARGUMENTS, "*“i”*");
}

/* Chains */

static void
test_chain (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  DrayFuture *future;

  g_test_summary ("A chain goes through two executors, its links dropped as it is made, and counts "
                  "as pending until it is its turn.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  future = rig_call (rig, "add", "(ii)", 0, 0);
  for (int i = 1; i <= 50; i++)
    future = then (i % 2 ? other : rig->executor, future, rig_new_task ("add", "(1,)"),
                   DRAY_POSITION_LAST);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_PENDING);
  rig_expect_text (future, "50");
  g_object_unref (future);
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, 26);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, 26);
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 0);
}

static void
test_long_chain (Rig *rig, gconstpointer data)
{
  const int n_tasks = (int) workshop_some_of (LONG_CHAIN);
  DrayFuture *future;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("A chain of tasks runs to its end, waited for at its end: a hundred thousand of "
                  "them with “-m slow”.");

  rig_start (rig, 1);
  future = rig_call (rig, "add", "(ii)", 0, 0);
  for (int i = 0; i < n_tasks; i++)
    future = then (rig->executor, future, rig_new_task ("add", "(1,)"), 1);
  result = dray_future_wait_result (future, -1, NULL, NULL);
  g_assert_cmpint (g_variant_get_int32 (result), ==, n_tasks);
  g_object_unref (future);
}

typedef enum
{
  CHAIN_FAILS,
  CHAIN_IS_CANCELLED_FIRST,
  CHAIN_IS_CANCELLED_LAST,
  CHAIN_IS_CANCELLED_BY_EXECUTOR,
  CHAIN_IS_SHUT_DOWN,
} ChainEnd;

static void
test_long_chain_breaks (Rig *rig, gconstpointer data)
{
  ChainEnd how = GPOINTER_TO_INT (data);
  gboolean fails = how == CHAIN_FAILS || how == CHAIN_IS_SHUT_DOWN;
  g_autoptr (DrayFuture) first = NULL;
  DrayFuture *future;

  g_test_summary ("A chain of a hundred thousand tasks comes to an end at once when its first one "
                  "does, or when its last one is cancelled, with no deep stack.");

  rig_start (rig, 1);
  first = how == CHAIN_FAILS ? rig_call (rig, "exit", "(i)", 1) : rig_call (rig, "block", NULL);
  future = g_object_ref (first);
  dray_executor_set_paused (rig->executor, TRUE);
  for (int i = 0; i < LONG_CHAIN; i++)
    future = then_echo (rig->executor, future);

  if (how == CHAIN_IS_CANCELLED_FIRST)
    dray_future_cancel (first);
  else if (how == CHAIN_IS_CANCELLED_LAST)
    dray_future_cancel (future);
  else if (how == CHAIN_IS_CANCELLED_BY_EXECUTOR)
    dray_executor_cancel_all (rig->executor);
  else if (how == CHAIN_IS_SHUT_DOWN)
    rig_shut_down (rig, DRAY_SHUTDOWN_TERMINATE);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_assert_true (dray_future_wait (first, -1, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (future), ==,
                   fails ? DRAY_FUTURE_FAILED : DRAY_FUTURE_CANCELLED);
  g_assert_cmpint (dray_future_get_state (first), ==, dray_future_get_state (future));
  fixture_run_until_done (future);
  g_object_unref (future);
}

static void
test_order (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) begin = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) go_on = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Work that goes on with something runs before work that only begins, so that "
                  "results do not pile up: the first result goes on after a few tasks, not after "
                  "all of them.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  for (int i = 0; i < 20; i++)
    g_ptr_array_add (begin, rig_call (rig, "sleep", "(u)", 3));
  for (int i = 0; i < 20; i++)
    g_ptr_array_add (go_on, then (rig->executor, g_object_ref (begin->pdata[i]),
                                  rig_new_task ("counter", NULL), DRAY_POSITION_NONE));
  dray_executor_set_paused (rig->executor, FALSE);
  g_assert_cmpuint (rig_expect_uint32 (go_on->pdata[0]), <, 10);
  rig_run_until_all_done (go_on);
}

static void
test_fan_out (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  guint last = 0;

  g_test_summary ("Many tasks that come after the same one run in the order in which they were "
                  "submitted.");

  rig_start (rig, 1);
  first = rig_call (rig, "sleep", "(u)", 50);
  for (guint i = 0; i < 1000; i++)
    {
      g_autoptr (DrayTask) task = rig_new_task ("counter", NULL);

      g_ptr_array_add (futures,
                       dray_future_and_then (first, rig->executor, task, DRAY_POSITION_NONE));
    }
  for (guint i = 0; i < futures->len; i++)
    {
      guint count = rig_expect_uint32 (futures->pdata[i]);

      g_assert_cmpuint (count, >, last);
      last = count;
    }
}

static void
test_streams (Rig *rig, gconstpointer data)
{
  g_autoptr (WorkshopRecord) record = NULL;
  g_autoptr (DrayTask) task = dray_task_new_call ("stream", g_variant_new_parsed ("(@u 10,)"));

  g_test_summary ("A task that comes after another has items, and its worker's death is its own.");

  rig_start (rig, 1);
  record = workshop_watch (then (rig->executor, rig_submit (rig, rig_new_task ("echo", "@u 100")),
                                 dray_task_ref (task), DRAY_POSITION_LAST));
  workshop_iterate_until_told (record);
  workshop_assert_succeeded (record);
  g_assert_cmpuint (record->n_items, ==, 10);
  g_assert_cmpuint (record->n_bytes, ==, 1000);
}

static void
test_pulled (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayTask) numbers = dray_task_new_call ("numbers", g_variant_new_parsed ("(@u 100,)"));
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) all = NULL;
  g_autoptr (GError) error = NULL;
  guint n_items = 0;
  GVariant *item;

  g_test_summary (
    "Items of a task that comes after another are pulled with no main loop, also where "
    "the executor of that is paused; and a combined future with such a part is waited "
    "for though nobody pulls.");

  rig_start (rig, 1);
  dray_executor_set_paused (other, TRUE);
  dray_task_set_pull (numbers, TRUE);
  first = dray_executor_call (other, "echo", g_variant_new_boolean (FALSE));
  second = dray_future_and_then (first, rig->executor, numbers, DRAY_POSITION_LAST);
  while ((item = dray_future_wait_next_item (second, -1, NULL, &error)) != NULL)
    {
      g_assert_cmpuint (g_variant_get_uint32 (item), ==, n_items);
      n_items++;
      g_variant_unref (item);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n_items, ==, 100);

  g_clear_object (&second);
  second = dray_future_and_then (first, rig->executor, numbers, DRAY_POSITION_LAST);
  g_object_set (rig->executor, "max-undelivered-items", 5, NULL);
  all = dray_future_all (&second, 1);
  g_assert_true (dray_future_wait (all, -1, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (all), ==, DRAY_FUTURE_SUCCEEDED);
}

static void
test_priority (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) raised = NULL;
  g_autoptr (DrayFuture) all = NULL;

  g_test_summary (
    "The priority of a task can be changed while it waits for another, and counts when "
    "its turn comes; a combined future has none.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  first = rig_call (rig, "null", NULL);
  second = then (rig->executor, g_object_ref (first), rig_new_task ("counter", NULL),
                 DRAY_POSITION_NONE);
  raised = then (rig->executor, g_object_ref (first), rig_new_task ("counter", NULL),
                 DRAY_POSITION_NONE);
  g_assert_true (dray_future_set_priority (raised, -3));
  g_assert_cmpint (dray_future_get_priority (raised), ==, -3);
  all = dray_future_all (&raised, 1);
  g_assert_false (dray_future_set_priority (all, -3));
  g_assert_cmpint (dray_future_get_priority (all), ==, 0);

  dray_executor_set_paused (rig->executor, FALSE);
  g_assert_cmpuint (rig_expect_uint32 (raised), <, rig_expect_uint32 (second));
}

/* What goes wrong */

static void
test_failure (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) failed = NULL;
  g_autoptr (DrayFuture) dies = NULL;
  g_autoptr (DrayFuture) after = NULL;
  g_autoptr (DrayFuture) good = NULL;

  g_test_summary (
    "The error of a task is that of those that come after it, which never run; when a "
    "later one crashes its worker, that is none of the earlier ones' business.");

  rig_start (rig, 1);
  failed = then_echo (rig->executor,
                      rig_call (rig, "fail", "(sis)", "test-quark", 5, "It is meant to fail"));
  rig_expect_error (failed, g_quark_from_string ("test-quark"), 5, "It is meant to fail");
  good = rig_submit (rig, rig_new_task ("echo", "9"));
  dies = then (rig->executor, g_object_ref (good), rig_new_task ("raise", NULL), 0);
  after = then (rig->executor, g_object_ref (dies), rig_new_task ("echo", NULL), 0);
  rig_expect_error (after, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);
  rig_expect_error (dies, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);
  rig_expect_text (good, "9");
  g_assert_cmpuint (rig_get_count (rig, failed), ==, 4);
}

static void
test_retry (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayTask) task = rig_new_task ("exit", NULL);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) previous = NULL;

  g_test_summary ("A task that comes after another is tried again, with the same arguments.");

  rig_start (rig, 1);
  dray_task_set_max_retries (task, 2);
  previous = rig_submit (rig, rig_new_task ("echo", "7"));
  future = dray_future_and_then (previous, rig->executor, task, DRAY_POSITION_LAST);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*7*");
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 2);
}

static void
test_cancel (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) other = NULL;
  g_autoptr (DrayFuture) third = NULL;

  g_test_summary ("Cancelling a task that waits for another cancels that, too, unless a third one "
                  "waits for it as well.");

  rig_start (rig, 1);
  first = rig_call (rig, "block", NULL);
  second = then_echo (rig->executor, g_object_ref (first));
  other = then_echo (rig->executor, g_object_ref (first));
  third = then_echo (rig->executor, g_object_ref (second));
  rig_run_until_status (first, "blocked");
  dray_future_cancel (third);
  rig_expect_cancelled (third);
  rig_expect_cancelled (second);
  g_assert_false (dray_future_is_done (first));
  dray_future_cancel (other);
  rig_expect_cancelled (first);
  rig_expect_cancelled (other);
}

static gpointer
cancel_future_thread (gpointer future)
{
  dray_future_cancel (future);

  return NULL;
}

static void
test_cancel_race (Rig *rig, gconstpointer data)
{
  g_test_summary ("A cancel may meet the moment in which the second task is queued, is started, or "
                  "is done; either way there is one end.");

  rig_start (rig, 2);
  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (DrayFuture) first = rig_call (rig, "add", "(ii)", 1, 1);
      g_autoptr (WorkshopRecord) record = workshop_watch (
        then_echo (rig->executor, g_object_ref (first)));
      GThread *thread;

      if (i % 2)
        g_assert_true (dray_future_wait (first, -1, NULL, NULL));
      thread = g_thread_new ("cancels", cancel_future_thread, record->future);
      g_assert_true (dray_future_wait (record->future, -1, NULL, NULL));
      g_thread_join (thread);
      workshop_iterate_until_told (record);
      g_assert_cmpint (dray_future_get_state (record->future), !=, DRAY_FUTURE_FAILED);
    }
}

static void
test_full (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) refused = NULL;

  g_test_summary ("What waits for another task counts as pending, and is refused where there is no "
                  "room.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-pending-tasks", 1, NULL);
  first = rig_call (rig, "block", NULL);
  rig_run_until_status (first, "blocked");
  second = then_echo (rig->executor, g_object_ref (first));
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 1);
  refused = then_echo (rig->executor, g_object_ref (first));
  rig_expect_error (refused, DRAY_ERROR, DRAY_ERROR_QUEUE_FULL, NULL);
  dray_future_cancel (second);
  rig_expect_cancelled (first);
}

static void
test_too_large (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayFuture) large = NULL;
  g_autoptr (DrayFuture) next = NULL;

  g_test_summary ("A result that is too large for the executor of the next task fails that one.");

  rig_start (rig, 1);
  g_object_set (other, "max-message-size", (guint64) 4096, NULL);
  large = rig_call (rig, "bytes", "(u)", 100000);
  next = then_echo (other, g_object_ref (large));
  rig_expect_error (next, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);
  g_assert_cmpint (dray_future_get_state (large), ==, DRAY_FUTURE_SUCCEEDED);
}

/* Waiting, and ending executors */

static void
test_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (GPtrArray) before = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("A wait with no main loop for a chain through two executors lifts the limits of "
                  "both, where much lies in the way that nobody reads.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-undelivered-items", 1, NULL);
  g_object_set (other, "max-undelivered-items", 1, NULL);
  for (guint i = 0; i < 10; i++)
    {
      g_ptr_array_add (before, rig_call (rig, "bytes", "(u)", 1024 * 1024));
      g_ptr_array_add (before,
                       dray_executor_call (other, "bytes", g_variant_new ("(u)", 1024 * 1024)));
    }
  future = rig_call (rig, "bytes", "(u)", 1024 * 1024);
  future = then_echo (other, g_steal_pointer (&future));
  future = then_echo (rig->executor, g_steal_pointer (&future));
  result = dray_future_wait_result (future, -1, NULL, NULL);
  workshop_assert_bytes (result, 1024 * 1024);
  rig_run_until_all_done (before);
}

static void
test_shutdown (Rig *rig, gconstpointer data)
{
  DrayShutdownMode mode = GPOINTER_TO_UINT (data);
  static const int states[] = { DRAY_FUTURE_SUCCEEDED, DRAY_FUTURE_CANCELLED, DRAY_FUTURE_FAILED,
                                DRAY_FUTURE_FAILED };
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) third = NULL;

  g_test_summary ("A chain is run to its end by an executor that drains, and given up in the other "
                  "modes; what runs when pending tasks are cancelled runs to its end.");

  rig_start (rig, 2);
  if (mode <= DRAY_SHUTDOWN_CANCEL_PENDING)
    first = rig_call (rig, "sleep", "(u)", 50);
  else
    first = rig_call (rig, "block", NULL);
  workshop_block_until_running (first);
  dray_executor_set_paused (rig->executor, TRUE); /* the others are pending, however slow this is */
  second = then_echo (rig->executor, g_object_ref (first));
  third = then_echo (rig->executor, g_object_ref (second));
  rig_shut_down (rig, mode);

  g_assert_cmpint (dray_future_get_state (third), ==, states[mode]);
  g_assert_cmpint (dray_future_get_state (second), ==, states[mode]);
  g_assert_cmpint (dray_future_get_state (first), ==,
                   mode <= DRAY_SHUTDOWN_CANCEL_PENDING ? DRAY_FUTURE_SUCCEEDED
                                                        : DRAY_FUTURE_FAILED);
  fixture_run_until_done (third);
}

static void
test_shutdown_of_next (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (GPtrArray) before = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) refused = NULL;

  g_test_summary ("An executor that drains waits for the task of another one that its own comes "
                  "after, and lifts its limits and its pause; then it takes no more.");

  rig_start (rig, 1);
  g_object_set (other, "max-undelivered-items", 1, NULL);
  for (guint i = 0; i < 10; i++)
    g_ptr_array_add (before,
                     dray_executor_call (other, "bytes", g_variant_new ("(u)", 1024 * 1024)));
  first = dray_executor_call (other, "add", g_variant_new ("(ii)", 20, 3));
  second = then_echo (rig->executor, g_object_ref (first));
  dray_executor_set_paused (other, TRUE);
  g_assert_true (dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (second), ==, DRAY_FUTURE_SUCCEEDED);
  rig_expect_text (second, "23");

  refused = then_echo (rig->executor, g_object_ref (first));
  rig_expect_error (refused, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
  rig_run_until_all_done (before);
}

static void
test_shutdown_of_first (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) late = NULL;

  g_test_summary ("When the executor of the first task is dropped the second fails, and its own "
                  "executor drains at once.");

  rig_start (rig, 1);
  first = dray_executor_call (other, "block", NULL);
  second = then_echo (rig->executor, g_object_ref (first));
  workshop_block_until_running (first);
  g_clear_object (&other);
  rig_expect_error (second, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
  late = then_echo (rig->executor, g_object_ref (first));
  rig_expect_error (late, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
}

static void
test_dropped (Rig *rig, gconstpointer data)
{
  g_autofree char *path = NULL;
  DrayFuture *future;

  g_test_summary ("A chain that nobody has a handle of runs to its end.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  path = rig_dup_path (rig, "end");
  future = rig_call (rig, "sleep", "(u)", 20);
  future = then (rig->executor, future, rig_new_task ("null", NULL), DRAY_POSITION_NONE);
  future = then (rig->executor, future, dray_task_new_call ("touch", g_variant_new ("(s)", path)),
                 DRAY_POSITION_NONE);
  g_object_unref (future);
  rig_run_until_file (path);
  for (int i = 0; i < 100; i++)
    g_object_unref (then_echo (rig->executor, rig_call (rig, "null", NULL)));
}

int
main (int argc, char **argv)
{
  static const char *const breaks[] = { "fails", "cancelled-first", "cancelled-last",
                                        "cancelled-by-executor", "shut-down" };
  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autofree char *path = g_strdup_printf ("/then/place/%s", places[i].name);

      rig_add (path, &places[i], test_place);
    }
  rig_add ("/then/bad-place", NULL, test_bad_place);
  rig_add ("/then/command", NULL, test_command);
  rig_add ("/then/chain", NULL, test_chain);
  rig_add ("/then/long-chain", NULL, test_long_chain);
  for (guint i = 0; i < G_N_ELEMENTS (breaks); i++)
    {
      g_autofree char *path = g_strdup_printf ("/then/long-chain/%s", breaks[i]);

      rig_add (path, GUINT_TO_POINTER (i), test_long_chain_breaks);
    }
  rig_add ("/then/order", NULL, test_order);
  rig_add ("/then/fan-out", NULL, test_fan_out);
  rig_add ("/then/streams", NULL, test_streams);
  rig_add ("/then/pulled", NULL, test_pulled);
  rig_add ("/then/priority", NULL, test_priority);
  rig_add ("/then/failure", NULL, test_failure);
  rig_add ("/then/retry", NULL, test_retry);
  rig_add ("/then/cancel", NULL, test_cancel);
  rig_add ("/then/cancel/race", NULL, test_cancel_race);
  rig_add ("/then/full", NULL, test_full);
  rig_add ("/then/too-large", NULL, test_too_large);
  rig_add ("/then/wait", NULL, test_wait);
  rig_add_modes ("/then/shutdown", test_shutdown);
  rig_add ("/then/shutdown/of-next", NULL, test_shutdown_of_next);
  rig_add ("/then/shutdown/of-first", NULL, test_shutdown_of_first);
  rig_add ("/then/dropped", NULL, test_dropped);

  return g_test_run ();
}
