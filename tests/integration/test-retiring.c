/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include "workshop.h"

/* Workers that are asked to go: because they have nothing to do, or have done enough. */

#define N_DROPPED 400
#define LARGE 300000

static void
test_idle_timeout_changed (Rig *rig, gconstpointer data)
{
  g_test_summary ("A new idle timeout counts for workers that are idle already.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "idle-timeout", 3600000, "grace-period", 60000, NULL);
  rig_ask_pid (rig);
  g_object_set (rig->executor, "idle-timeout", 50, NULL);
  rig_run_until_count (rig, workers_retired, 1);

  g_object_set (rig->executor, "idle-timeout", 0, NULL);
  rig_ask_pid (rig);
  g_object_set (rig->executor, "idle-timeout", 50, NULL);
  rig_run_until_count (rig, workers_retired, 2);
}

static void
test_idle_timeout (Rig *rig, gconstpointer data)
{
  g_autofree char *finalized = rig_dup_path (rig, "finalized");
  DrayLauncher *launcher = rig_new_launcher (NULL);
  int pid;

  g_test_summary ("A worker that has had nothing to do for a while is asked to go, and goes in "
                  "good order; the next task gets a fresh one.");

  dray_launcher_setenv (launcher, "MISBEHAVING_WORKER_FINALIZED", finalized);
  rig_start_with (rig, launcher, 1);
  g_object_set (rig->executor, "idle-timeout", 50, "grace-period", 60000, NULL);
  pid = rig_ask_pid (rig);
  rig_run_until_count (rig, workers_retired, 1);
  g_assert_true (fixture_process_is_gone (pid));
  g_assert_true (g_file_test (finalized, G_FILE_TEST_EXISTS));
  g_assert_cmpint (rig_ask_pid (rig), !=, pid);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

/* (transfer full): of one worker that goes after @timeout, which it has nothing to do from now
 * on */
static DrayExecutor *
new_clock (guint timeout)
{
  g_autoptr (DrayLauncher) launcher = rig_new_launcher (NULL);
  DrayExecutor *clock = dray_executor_new (launcher);
  g_autoptr (DrayFuture) future = NULL;

  g_object_set (clock, "max-workers", 1, "idle-timeout", timeout, NULL);
  future = dray_executor_call (clock, "null", NULL);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  return clock;
}

static gboolean
has_retired (gpointer clock)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (clock);

  return counters->workers_retired == 1;
}

static void
test_idle_timeout_busy (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayExecutor) clock = NULL;

  g_test_summary ("A worker that is at work when the time is over in which it would have been idle "
                  "stays, and goes when it has been idle for so long after that.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "idle-timeout", 300, "grace-period", 60000, NULL);
  rig_ask_pid (rig);
  blocked = rig_call (rig, "block", NULL);
  rig_run_until_status (blocked, "blocked");

  /* Its worker becomes idle later than the other one has been. */
  clock = new_clock (300);
  fixture_iterate_until (has_retired, clock, "the time is over");
  g_assert_cmpuint (rig_get_count (rig, running), ==, 1);
  dray_future_cancel (blocked);
  rig_expect_cancelled (blocked);
  rig_run_until_count (rig, workers_retired, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static void
test_idle_timeout_again (Rig *rig, gconstpointer data)
{
  const guint timeout = 300;
  const guint busy = 100;
  g_autoptr (DrayFuture) future = NULL;
  gint64 last;

  g_test_summary ("A worker that has had something to do meanwhile goes when it has been idle for "
                  "all of the time after that.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "idle-timeout", timeout, "grace-period", 60000, NULL);
  rig_ask_pid (rig);
  last = g_get_monotonic_time ();
  future = rig_call (rig, "sleep", "(u)", busy);
  rig_expect_text (future, "()");
  rig_run_until_count (rig, workers_retired, (guint64) rig_get_count (rig, workers_started));
  g_assert_cmpint (g_get_monotonic_time () - last, >=, (busy + timeout) * G_TIME_SPAN_MILLISECOND);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static gsize
get_size (const char *path)
{
  g_autofree char *contents = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  g_file_get_contents (path, &contents, &size, &error);
  g_assert_no_error (error);

  return size;
}

static void
test_max_tasks (Rig *rig, gconstpointer data)
{
  const guint max_tasks = GPOINTER_TO_UINT (data);
  const guint n_tasks = g_test_slow () ? 10000 : 400;
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  g_autofree char *ended = rig_dup_path (rig, "ended");
  DrayLauncher *launcher = rig_new_launcher (NULL);

  g_test_summary ("A worker is replaced after so many tasks, and that is no crash, nor does it end "
                  "with one: ten thousand tasks, some with large results, with “-m slow”, which "
                  "takes half a minute where nothing else runs.");

  dray_launcher_setenv (launcher, "MISBEHAVING_WORKER_ENDED", ended);
  rig_start_with (rig, launcher, 2);
  g_object_set (rig->executor, "max-tasks-per-worker", max_tasks, "grace-period", 60000, NULL);
  for (guint i = 0; i < n_tasks; i++)
    g_ptr_array_add (futures, i % 5 == 0 ? rig_call (rig, "bytes", "(u)", LARGE)
                                         : rig_call (rig, "counter", NULL));
  for (guint i = 0; i < n_tasks; i++)
    {
      /* Each thousand is as much as another test. */
      if (i % 1000 == 0)
        workshop_guard ();
      if (i % 5 == 0)
        rig_expect_bytes (futures->pdata[i], LARGE);
      else
        g_assert_cmpuint (rig_expect_uint32 (futures->pdata[i]), <=, max_tasks);
    }

  g_assert_true (dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, n_tasks);
  g_assert_cmpuint (rig_get_count (rig, workers_started), >=, n_tasks / max_tasks);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
  g_assert_cmpuint (rig_get_count (rig, workers_retired), ==,
                    rig_get_count (rig, workers_started));
  g_assert_cmpuint (get_size (ended), ==, rig_get_count (rig, workers_started));
}

static void
test_max_tasks_lowered (Rig *rig, gconstpointer data)
{
  int pid;

  g_test_summary ("Where a worker may run fewer tasks from now on, and has run as many, it gets no "
                  "more, and is replaced.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  pid = rig_ask_pid (rig);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
  g_object_set (rig->executor, "max-tasks-per-worker", 2, NULL);
  rig_let_time_pass (); /* until that is known where tasks are given out */
  g_assert_cmpint (rig_ask_pid (rig), !=, pid);
  rig_run_until_count (rig, workers_retired, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 2);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static void
test_max_tasks_raised (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayFuture) behind = NULL;

  g_test_summary ("Where a worker may run more tasks from now on, what waits for a fresh one is "
                  "put behind the task that it runs.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-tasks-per-worker", 1, "grace-period", 60000, NULL);
  blocked = rig_call (rig, "block", NULL);
  behind = rig_call (rig, "counter", NULL);
  rig_run_until_status (blocked, "blocked");
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 1);
  g_object_set (rig->executor, "max-tasks-per-worker", 0, NULL);
  rig_run_until_count (rig, queue_length, 0);
  dray_future_cancel (blocked);
  rig_expect_cancelled (blocked);
  g_assert_cmpuint (rig_expect_uint32 (behind), ==, 2);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
}

static void
count_done_cb (DrayFuture *future, gpointer user_data)
{
  guint *n_told = user_data;

  (*n_told)++;
}

static gboolean
is_a_tenth_told (gpointer user_data)
{
  const guint *n_told = user_data;

  return *n_told >= N_DROPPED / 10;
}

static gboolean
are_all_told (gpointer user_data)
{
  const guint *n_told = user_data;

  return *n_told >= N_DROPPED;
}

static void
test_dropped (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  guint n_told = 0, n_succeeded = 0;

  g_test_summary ("The last reference is dropped while workers are being replaced all the time: "
                  "each task is told once, that it was done or that the executor was shut down.");

  rig_start (rig, 3);
  g_object_set (rig->executor, "max-tasks-per-worker", GPOINTER_TO_UINT (data), NULL);
  for (guint i = 0; i < N_DROPPED; i++)
    {
      g_ptr_array_add (futures, i % 2 == 0 ? rig_call (rig, "pid", NULL)
                                           : rig_call (rig, "bytes", "(u)", LARGE));
      dray_future_add_done_callback (futures->pdata[i], count_done_cb, &n_told, NULL);
    }
  fixture_iterate_until (is_a_tenth_told, &n_told, "some are done");
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
  g_clear_object (&rig->executor);

  fixture_iterate_until (are_all_told, &n_told, "all are told");
  for (guint i = 0; i < N_DROPPED; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = dray_future_dup_result (futures->pdata[i], &error);

      n_succeeded += result != NULL;
      if (result != NULL && i % 2 != 0)
        workshop_assert_bytes (result, LARGE);
      if (result == NULL)
        g_assert_error (error, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
    }
  g_assert_true (fixture_settle (&rig->fixture));
  g_assert_cmpuint (n_told, ==, N_DROPPED);
  g_assert_cmpuint (n_succeeded, >=, N_DROPPED / 10);
}

typedef struct
{
  Rig *rig; /* (unowned) */
  DrayFuture *future; /* (unowned) */
  guint64 most_alive;
} AliveWait;

static gboolean
is_done_and_few_alive (gpointer user_data)
{
  AliveWait *wait = user_data;
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (wait->rig->executor);
  guint64 n_alive
    = counters->workers_started - counters->workers_died - counters->workers_retired;

  wait->most_alive = MAX (wait->most_alive, n_alive);

  return dray_future_is_done (wait->future);
}

static void
test_slow_to_leave (Rig *rig, gconstpointer data)
{
  const char *prefix[] = { "sh", "-c", "\"$@\"; sleep 0.2", "sh", NULL };
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  AliveWait wait = { rig, NULL, 0 };

  g_test_summary ("Workers that are used up after one task, and slow to leave, don't pile up.");

  dray_launcher_set_prefix (launcher, prefix);
  rig_start_with (rig, launcher, 2);
  g_object_set (rig->executor, "max-tasks-per-worker", 1, "grace-period", 60000, NULL);
  rig_add_calls (rig, futures, "null", 30);
  for (guint i = 0; i < 30; i++)
    {
      wait.future = futures->pdata[i];
      fixture_iterate_until (is_done_and_few_alive, &wait, "the next task is done");
    }
  g_assert_cmpuint (wait.most_alive, >, 2);
  g_assert_cmpuint (wait.most_alive, <=, 4);
}

static void
test_too_slow_to_leave (Rig *rig, gconstpointer data)
{
  const char *prefix[] = { "sh", "-c", "\"$@\"; sleep 3600", "sh", NULL };
  DrayLauncher *launcher = rig_new_launcher (NULL);

  g_test_summary ("A worker that is used up and does not leave is ended. That counts as a death, "
                  "but not as one of which somebody would have to hear.");

  dray_launcher_set_prefix (launcher, prefix);
  rig_start_with (rig, launcher, 1);
  g_object_set (rig->executor, "max-tasks-per-worker", 1, "grace-period", 100, NULL);
  rig_ask_pid (rig);
  rig_run_until_count (rig, workers_died, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died_idle), ==, 0);
  rig_ask_pid (rig);
  g_assert_cmpuint (rig_get_count (rig, failed), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/retiring/idle-timeout", NULL, test_idle_timeout);
  rig_add ("/retiring/idle-timeout/changed", NULL, test_idle_timeout_changed);
  rig_add ("/retiring/idle-timeout/busy", NULL, test_idle_timeout_busy);
  rig_add ("/retiring/idle-timeout/again", NULL, test_idle_timeout_again);
  rig_add ("/retiring/max-tasks/lowered", NULL, test_max_tasks_lowered);
  rig_add ("/retiring/max-tasks/raised", NULL, test_max_tasks_raised);
  rig_add ("/retiring/max-tasks/1", GUINT_TO_POINTER (1), test_max_tasks);
  rig_add ("/retiring/max-tasks/2", GUINT_TO_POINTER (2), test_max_tasks);
  rig_add ("/retiring/max-tasks/1/dropped", GUINT_TO_POINTER (1), test_dropped);
  rig_add ("/retiring/max-tasks/2/dropped", GUINT_TO_POINTER (2), test_dropped);
  rig_add ("/retiring/max-tasks/slow-to-leave", NULL, test_slow_to_leave);
  rig_add ("/retiring/max-tasks/too-slow-to-leave", NULL, test_too_slow_to_leave);

  return g_test_run ();
}
