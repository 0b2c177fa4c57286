/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

/* A task may be given so much time to run. Limits that must not be hit are generous, those that
 * must be are short. */

#define GENEROUS 60000

static DrayTask *
new_task (const char *function, const char *arguments, guint limit)
{
  DrayTask *task = rig_new_task (function, arguments);

  dray_task_set_time_limit (task, limit);
  dray_task_set_label (task, "The slow one");

  return task;
}

static void
test_polite (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_task ("block", NULL, 50);
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  g_test_summary ("A task that runs too long fails with that error, also where cancelling it would "
                  "have to be confirmed; a worker that takes the hint lives on.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", GENEROUS, NULL);
  pid = rig_ask_pid (rig);
  dray_task_set_cancel_mode (task, GPOINTER_TO_UINT (data));
  future = rig_submit (rig, task);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, "*The slow one*0.05 s");
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
  g_assert_cmpuint (rig_get_count (rig, failed), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, cancelled), ==, 0);
}

static void
test_counted_from_start (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) before = NULL;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("The time limit counts from the start of a task, not while it waits: in the "
                  "queue, or in the worker behind another one.");

  rig_start (rig, 1);
  rig_ask_pid (rig);
  before = rig_call (rig, "sleep", "(u)", 1500);
  for (int i = 0; i < 5; i++)
    g_ptr_array_add (futures, rig_submit (rig, new_task ("null", NULL, 1000)));
  rig_expect_text (before, "()");
  for (int i = 0; i < 5; i++)
    rig_expect_text (futures->pdata[i], "()");
}

static void
test_replaced (Rig *rig, gconstpointer data)
{
  const char *function = data;
  g_autoptr (DrayFuture) next = NULL;
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  g_test_summary ("A worker that does not stop in time is replaced; the task that waits behind is "
                  "not hit, nor is it its second attempt.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 100, NULL);
  pid = rig_ask_pid (rig);
  future = rig_submit (rig, new_task (function, NULL, 300));
  next = rig_submit (rig, new_task ("attempt", NULL, GENEROUS));
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 1);
  g_assert_true (fixture_process_is_gone (pid));
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 2);
}

static void
test_not_retried (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_task ("spin", NULL, 50);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task that ran out of time is not run again, however many retries it has.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 20, NULL);
  dray_task_set_max_retries (task, 5);
  future = rig_submit (rig, task);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
  rig_run_until_count (rig, workers_died, 1);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 0);
}

static void
test_not_hit (Rig *rig, gconstpointer data)
{
  const guint n_tasks = 200;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("The limit of a task that is done hits nobody: many of them, together longer "
                  "than the limit of each, all succeed.");

  rig_start (rig, 1);
  for (guint i = 0; i < n_tasks; i++)
    g_ptr_array_add (futures, rig_submit (rig, new_task ("sleep", "(uint32 10,)", 1500)));
  for (guint i = 0; i < n_tasks; i++)
    rig_expect_text (futures->pdata[i], "()");
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
}

static void
test_many (Rig *rig, gconstpointer data)
{
  const guint n_tasks = 60;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Of tasks that run too long and tasks that don't, in any order, only the former "
                  "fail.");

  rig_start (rig, 3);
  g_object_set (rig->executor, "grace-period", 20, NULL);
  for (guint i = 0; i < n_tasks; i++)
    g_ptr_array_add (futures, rig_submit (rig, i % 3 == 0 ? new_task ("spin", NULL, 30)
                                               : i % 3 == 1 ? new_task ("block", NULL, 10)
                                                            : new_task ("null", NULL, GENEROUS)));
  for (guint i = 0; i < n_tasks; i++)
    {
      if (i % 3 == 2)
        rig_expect_text (futures->pdata[i], "()");
      else
        rig_expect_error (futures->pdata[i], DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
    }
}

static void
test_cancelled_meanwhile (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_task ("ignore-cancel", NULL, 300);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task whose time runs out while its cancellation is waited for has one "
                  "outcome, and its worker is ended.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 1000, NULL);
  dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  future = rig_submit (rig, task);
  rig_run_until_status (future, "deaf");
  dray_future_cancel (future);
  fixture_run_until_done (future);
  g_assert_cmpint (dray_future_get_state (future), !=, DRAY_FUTURE_SUCCEEDED);
  rig_run_until_count (rig, workers_died, 1);
  g_assert_cmpuint (rig_get_count (rig, cancelled) + rig_get_count (rig, failed), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/time-limits/polite", GUINT_TO_POINTER (DRAY_CANCEL_IMMEDIATE), test_polite);
  rig_add ("/time-limits/polite/confirmed", GUINT_TO_POINTER (DRAY_CANCEL_CONFIRMED), test_polite);
  rig_add ("/time-limits/from-start", NULL, test_counted_from_start);
  rig_add ("/time-limits/replaced/spinning", "spin", test_replaced);
  rig_add ("/time-limits/replaced/deaf", "ignore-cancel", test_replaced);
  rig_add ("/time-limits/replaced/stopped", "stop", test_replaced);
  rig_add ("/time-limits/not-retried", NULL, test_not_retried);
  rig_add ("/time-limits/not-hit", NULL, test_not_hit);
  rig_add ("/time-limits/many", NULL, test_many);
  rig_add ("/time-limits/cancelled-meanwhile", NULL, test_cancelled_meanwhile);

  return g_test_run ();
}
