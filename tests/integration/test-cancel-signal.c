/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "map-rig.h"

#include <signal.h>

/*
 * Workers that have a signal sent to what is cancelled: functions that would hear nothing end by
 * themselves, in whatever way they are cancelled, and their processes live on.
 */

static void
start (Rig *rig)
{
  rig_start_with (rig, rig_new_launcher ("--cancel-signal"), 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
}

/* The process is the same as before, has had that many signals, and none for nothing. */
static void
expect_alive (Rig *rig, int pid, guint n_signals)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autofree char *counts = g_strdup_printf ("(uint32 %u, uint32 0)", n_signals);

  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
  future = rig_call (rig, "count-signals", NULL);
  rig_expect_text (future, counts);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static void
test_cancelled (Rig *rig, gconstpointer data)
{
  DrayCancelMode mode = GPOINTER_TO_UINT (data);
  const guint n_rounds = 20;
  int pid;

  g_test_summary (
    "A function that reads what never comes ends when it is cancelled, and its worker "
    "runs the next one.");

  start (rig);
  pid = rig_ask_pid (rig);
  for (guint i = 0; i < n_rounds; i++)
    {
      DrayTask *task = rig_new_task (i % 2 ? "signal-ends-read" : "signal-ends-wait", NULL);
      g_autoptr (DrayFuture) future = NULL;

      dray_task_set_cancel_mode (task, mode);
      future = rig_submit (rig, task);
      rig_run_until_status (future, "waiting");
      dray_future_cancel (future);
      rig_expect_cancelled (future);
    }
  expect_alive (rig, pid, n_rounds);
}

static void
test_late (Rig *rig, gconstpointer data)
{
  DrayTask *task = rig_new_task ("signal-ends-read", NULL);
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  g_test_summary ("So does one whose time is up.");

  start (rig);
  pid = rig_ask_pid (rig);
  dray_task_set_time_limit (task, 1000); /* within which it has begun */
  future = rig_submit (rig, task);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
  expect_alive (rig, pid, 1);
}

static void
test_pending (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  int pid;

  g_test_summary ("What waits behind the one that runs hears nothing of its cancellation, and is "
                  "run.");

  start (rig);
  pid = rig_ask_pid (rig);
  first = rig_call (rig, "signal-ends-read", NULL);
  second = rig_call (rig, "signal-or-spin", "(u)", 1000);
  rig_run_until_status (first, "waiting");
  dray_future_cancel (first);
  rig_expect_cancelled (first);
  rig_expect_text (second, "uint32 1000");
  expect_alive (rig, pid, 1);
}

/* One only: the other worker does what comes before. */
static const char *
wait_one (guint64 index)
{
  return index == MAP_N_BEFORE_CANCEL ? "signal" : "";
}

static void
test_map (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, wait_one);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("So does a call of a map, which came together with others.");

  start (rig);
  dray_executor_set_max_workers (rig->executor, 2);
  map = map_record_start (record, rig);
  map_record_cancel_confirmed (record, map);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static void
wake_up (int signal_number)
{
}

static void
take_signal (DrayWorker *worker)
{
  const struct sigaction action = { .sa_handler = wake_up }; /* and no SA_RESTART */

  sigaction (SIGUSR1, &action, NULL);
  dray_worker_set_cancel_signal (worker, SIGUSR1);
}

static void
test_setting (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  g_test_summary ("There is no signal by default, and those that nobody can have are refused.");

  g_assert_cmpint (dray_worker_get_cancel_signal (worker), ==, 0);
  take_signal (worker);
  g_assert_cmpint (dray_worker_get_cancel_signal (worker), ==, SIGUSR1);
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*SIGKILL*");
  dray_worker_set_cancel_signal (worker, SIGKILL);
  g_test_assert_expected_messages ();
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*signum*");
  dray_worker_set_cancel_signal (worker, -1);
  g_test_assert_expected_messages ();
  g_assert_cmpint (dray_worker_get_cancel_signal (worker), ==, SIGUSR1);
  dray_worker_set_cancel_signal (worker, 0);
  g_assert_cmpint (dray_worker_get_cancel_signal (worker), ==, 0);
  signal (SIGUSR1, SIG_DFL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/cancel-signal/setting", NULL, test_setting);
  rig_add ("/cancel-signal/cancelled/immediate", GUINT_TO_POINTER (DRAY_CANCEL_IMMEDIATE),
           test_cancelled);
  rig_add ("/cancel-signal/cancelled/confirmed", GUINT_TO_POINTER (DRAY_CANCEL_CONFIRMED),
           test_cancelled);
  rig_add ("/cancel-signal/late", NULL, test_late);
  rig_add ("/cancel-signal/pending", NULL, test_pending);
  rig_add ("/cancel-signal/map", NULL, test_map);

  return g_test_run ();
}
