/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

/* The priority of tasks that were submitted already. What it changes can be seen from the order in
 * which one worker runs them. */

static void
add_counters (Rig *rig, GPtrArray *futures, guint n)
{
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (futures, rig_call (rig, "counter", NULL));
}

/* One worker, and @n calls that wait for it. */
static GPtrArray *
start_paused (Rig *rig, guint n)
{
  GPtrArray *futures = g_ptr_array_new_with_free_func (g_object_unref);

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  add_counters (rig, futures, n);
  return futures;
}

/* That the n-th of the futures was the expected[n]-th to run. */
static void
assert_order (GPtrArray *futures, const guint32 *expected)
{
  for (guint i = 0; i < futures->len; i++)
    g_assert_cmpuint (rig_expect_uint32 (futures->pdata[i]), ==, expected[i]);
}

static void
test_raise (Rig *rig, gconstpointer data)
{
  static const guint32 expected[] = { 3, 6, 4, 2, 1, 5 };
  g_autoptr (GPtrArray) futures = NULL;

  g_test_summary ("Pending tasks are raised and lowered; of those with the same priority, the one "
                  "that got it first runs first.");

  futures = start_paused (rig, 6);
  g_assert_true (dray_future_set_priority (futures->pdata[3], -5));
  g_assert_true (dray_future_set_priority (futures->pdata[0], -5));
  g_assert_true (dray_future_set_priority (futures->pdata[4], G_MININT));
  g_assert_true (dray_future_set_priority (futures->pdata[1], 7));
  g_assert_true (dray_future_set_priority (futures->pdata[5], 7));
  g_assert_true (dray_future_set_priority (futures->pdata[5], 0));
  g_assert_cmpint (dray_future_get_priority (futures->pdata[3]), ==, -5);
  g_assert_cmpint (dray_future_get_priority (futures->pdata[2]), ==, 0);
  g_assert_cmpint (dray_task_get_priority (dray_future_get_task (futures->pdata[3])), ==, 0);

  dray_executor_set_paused (rig->executor, FALSE);
  assert_order (futures, expected);
}

static void
test_same (Rig *rig, gconstpointer data)
{
  static const guint32 expected[] = { 1, 2, 3 };
  g_autoptr (GPtrArray) futures = NULL;

  g_test_summary ("A task that gets the priority which it has keeps its place.");

  futures = start_paused (rig, 3);
  g_assert_true (dray_future_set_priority (futures->pdata[0], 0));
  dray_executor_set_paused (rig->executor, FALSE);
  assert_order (futures, expected);
}

static void
note_kind_cb (DrayFuture *future, gpointer user_data)
{
  DrayTask *task = dray_future_get_task (future);

  g_string_append_c (user_data, dray_task_get_kind (task) == DRAY_TASK_CALL ? 'f' : 'c');
}

static void
test_kinds (Rig *rig, gconstpointer data)
{
  const char *argv[] = { "true", NULL };
  g_autoptr (GString) order = g_string_new (NULL);
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Calls and commands stay in one line when priorities change.");

  rig_start (rig, 1);
  rig_ask_pid (rig);
  dray_executor_set_paused (rig->executor, TRUE);
  for (int i = 0; i < 4; i++)
    {
      DrayTask *task = i % 2 == 0 ? dray_task_new_command (argv) : rig_new_task ("null", NULL);

      g_ptr_array_add (futures, rig_submit (rig, task));
      dray_future_add_done_callback (futures->pdata[i], note_kind_cb, order, NULL);
    }
  /* Now the order is: the second call, the first command, the first call, the second command. */
  g_assert_true (dray_future_set_priority (futures->pdata[3], -1));
  g_assert_true (dray_future_set_priority (futures->pdata[0], -1));
  g_assert_true (dray_future_set_priority (futures->pdata[2], 1));
  dray_executor_set_paused (rig->executor, FALSE);

  rig_run_until_all_done (futures);
  g_assert_cmpstr (order->str, ==, "fcfc");
}

static void
test_too_late (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) running = NULL;
  g_autoptr (DrayFuture) cancelled = NULL;
  g_autoptr (DrayFuture) refused = NULL;

  g_test_summary ("What runs or is done keeps its priority, and says so.");

  rig_start (rig, 1);
  running = rig_call (rig, "block", NULL);
  rig_run_until_status (running, "blocked");
  g_assert_false (dray_future_set_priority (running, -1));
  g_assert_cmpint (dray_future_get_priority (running), ==, 0);

  cancelled = rig_call (rig, "null", NULL);
  dray_future_cancel (cancelled);
  g_assert_false (dray_future_set_priority (cancelled, -1));

  dray_future_cancel (running);
  rig_expect_cancelled (running);
  g_assert_false (dray_future_set_priority (running, -1));

  dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
  refused = rig_call (rig, "null", NULL);
  g_assert_false (dray_future_set_priority (refused, -1));
  g_assert_cmpint (dray_future_get_priority (refused), ==, 0);
}

/* One worker, blocked; the call behind it was sent to it, and others wait in the queue. */
static GPtrArray *
start_prefetched (Rig *rig, DrayFuture **blocked)
{
  GPtrArray *futures = g_ptr_array_new_with_free_func (g_object_unref);

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  *blocked = rig_call (rig, "block", NULL);
  rig_run_until_status (*blocked, "blocked");
  add_counters (rig, futures, 1);
  rig_run_until_count (rig, queue_length, 0);
  add_counters (rig, futures, 3);
  return futures;
}

typedef struct
{
  Rig *rig; /* (unowned) */
  guint64 bytes_in;
} AnswerWait;

static gboolean
has_answered (gpointer user_data)
{
  AnswerWait *wait = user_data;

  return rig_get_count (wait->rig, bytes_in) > wait->bytes_in;
}

/* Until the worker, which had said so many bytes, has said something more. */
static void
run_until_answer (Rig *rig, guint64 bytes_in)
{
  AnswerWait wait = { rig, bytes_in };

  fixture_iterate_until (has_answered, &wait, "the worker has answered");
}

static void
test_overtake (Rig *rig, gconstpointer data)
{
  static const guint32 expected[] = { 3, 4, 2, 5 };
  g_autoptr (GPtrArray) futures = NULL;
  g_autoptr (DrayFuture) blocked = NULL;
  guint64 bytes_in;

  g_test_summary ("A task that is raised comes before the one that waits in the worker already, "
                  "which is asked back, and is run next, as its first attempt.");

  futures = start_prefetched (rig, &blocked);
  bytes_in = rig_get_count (rig, bytes_in);
  g_assert_true (dray_future_set_priority (futures->pdata[2], -1));
  run_until_answer (rig, bytes_in);

  dray_future_cancel (blocked);
  assert_order (futures, expected);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 0);
}

static void
test_lower_prefetched (Rig *rig, gconstpointer data)
{
  static const guint32 expected[] = { 5, 2, 3, 4 };
  g_autoptr (GPtrArray) futures = NULL;
  g_autoptr (DrayFuture) blocked = NULL;
  guint64 bytes_in;

  g_test_summary ("A task that waits in the worker is lowered: those in the queue come before it.");

  futures = start_prefetched (rig, &blocked);
  bytes_in = rig_get_count (rig, bytes_in);
  g_assert_true (dray_future_set_priority (futures->pdata[0], 1));
  g_assert_cmpint (dray_future_get_priority (futures->pdata[0]), ==, 1);
  run_until_answer (rig, bytes_in);

  dray_future_cancel (blocked);
  assert_order (futures, expected);
}

static void
test_raise_prefetched (Rig *rig, gconstpointer data)
{
  static const guint32 expected[] = { 2, 3, 4, 5 };
  g_autoptr (GPtrArray) futures = NULL;
  g_autoptr (DrayFuture) blocked = NULL;
  guint64 bytes_in;

  g_test_summary ("A task that waits in the worker is raised: it is the first already, and nobody "
                  "is asked for anything.");

  futures = start_prefetched (rig, &blocked);
  bytes_in = rig_get_count (rig, bytes_in);
  g_assert_true (dray_future_set_priority (futures->pdata[0], -1));
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, bytes_in), ==, bytes_in);

  dray_future_cancel (blocked);
  assert_order (futures, expected);
}

static void
test_after_retry (Rig *rig, gconstpointer data)
{
  DrayTask *task = rig_new_task ("old-attempt", NULL);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task that is raised runs, dies with its worker, and is run again.");

  rig_start_with (rig, rig_new_launcher ("--no-ring"), 1);
  dray_executor_set_paused (rig->executor, TRUE);
  dray_task_set_max_retries (task, 1);
  future = rig_submit (rig, task);
  g_assert_true (dray_future_set_priority (future, -3));
  dray_executor_set_paused (rig->executor, FALSE);
  rig_expect_text (future, "'new'");
  g_assert_cmpint (dray_future_get_priority (future), ==, -3);
}

/* Many */

#define N_MANY 20000

static void
test_many (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = NULL;

  g_test_summary ("Every task of many is given a priority of its own, the last one the first: they "
                  "run in the opposite order.");

  futures = start_paused (rig, N_MANY);
  for (int i = 0; i < N_MANY; i++)
    g_assert_true (dray_future_set_priority (futures->pdata[i], -i));
  dray_executor_set_paused (rig->executor, FALSE);

  for (guint i = 0; i < N_MANY; i++)
    g_assert_cmpuint (rig_expect_uint32 (futures->pdata[i]), ==, N_MANY - i);
}

static gpointer
change_thread (gpointer user_data)
{
  GPtrArray *futures = user_data;

  for (guint i = 0; i < 3; i++)
    for (guint j = 0; j < futures->len; j++)
      dray_future_set_priority (futures->pdata[j], (int) ((j * 7919 + i) % 13));
  return NULL;
}

static void
test_threads (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  GThread *threads[2];

  g_test_summary ("Threads change the priorities of tasks that are being run: each of them is run "
                  "once.");

  rig_start (rig, 2);
  add_counters (rig, futures, 2000);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("change", change_thread, futures);
  rig_run_until_all_done (futures);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, 2000);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/priority/raise", NULL, test_raise);
  rig_add ("/priority/same", NULL, test_same);
  rig_add ("/priority/kinds", NULL, test_kinds);
  rig_add ("/priority/too-late", NULL, test_too_late);
  rig_add ("/priority/prefetched/overtaken", NULL, test_overtake);
  rig_add ("/priority/prefetched/lowered", NULL, test_lower_prefetched);
  rig_add ("/priority/prefetched/raised", NULL, test_raise_prefetched);
  rig_add ("/priority/retry", NULL, test_after_retry);
  rig_add ("/priority/many", NULL, test_many);
  rig_add ("/priority/threads", NULL, test_threads);

  return g_test_run ();
}
