/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include <fcntl.h>
#include <unistd.h>

/* Which task runs when, and how many at a time. */

/* A command that runs until somebody closes (or writes to) @fd, the other end of its input. */
static DrayFuture *
start_command (Rig *rig, int *fd, int priority)
{
  const char *argv[] = { "cat", NULL };
  DrayTask *task = dray_task_new_command (argv);
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  g_assert_true (dray_task_set_input_fd (task, fds[0], &error));
  g_assert_no_error (error);
  close (fds[0]);
  *fd = fds[1];
  dray_task_set_priority (task, priority);

  return rig_submit (rig, task);
}

/* Order */

static void
test_priorities (Rig *rig, gconstpointer data)
{
  static const int priorities[] = { 0, 100, -100, 0, 300, -100, 100, 0, G_MAXINT, G_MININT, 0, -1 };
  static const guint32 expected[] = { 5, 9, 2, 6, 11, 3, 10, 7, 12, 1, 8, 4 };
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  guint32 first;

  g_test_summary ("Of what is pending the lowest priority runs first, and the oldest of those with "
                  "the same.");

  rig_start (rig, 1);
  g_ptr_array_add (futures, rig_call (rig, "counter", NULL));
  rig_run_until_all_done (futures);
  first = rig_expect_uint32 (futures->pdata[0]);
  g_ptr_array_set_size (futures, 0);

  dray_executor_set_paused (rig->executor, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      DrayTask *task = rig_new_task ("counter", NULL);

      dray_task_set_priority (task, priorities[i]);
      g_ptr_array_add (futures, rig_submit (rig, task));
    }
  dray_executor_set_paused (rig->executor, FALSE);

  rig_run_until_all_done (futures);
  for (gsize i = 0; i < G_N_ELEMENTS (priorities); i++)
    g_assert_cmpuint (rig_expect_uint32 (futures->pdata[i]), ==, first + expected[i]);
}

static void
note_kind_cb (DrayFuture *future, gpointer user_data)
{
  DrayTask *task = dray_future_get_task (future);

  g_string_append_c (user_data, dray_task_get_kind (task) == DRAY_TASK_CALL ? 'f' : 'c');
}

static void
test_order_of_kinds (Rig *rig, gconstpointer data)
{
  g_autoptr (GString) order = g_string_new (NULL);
  g_autoptr (GPtrArray) futures = rig_new_futures ();

  g_test_summary ("Calls and commands are in one line: priority first, then age.");

  rig_start (rig, 1);
  rig_ask_pid (rig);
  dray_executor_set_paused (rig->executor, TRUE);
  for (int i = 0; i < 6; i++)
    {
      const char *argv[] = { "true", NULL };
      DrayTask *task = i % 3 != 1 ? dray_task_new_command (argv) : rig_new_task ("null", NULL);

      dray_task_set_priority (task, i < 3 ? 0 : -1);
      g_ptr_array_add (futures, rig_submit (rig, task));
      dray_future_add_done_callback (futures->pdata[i], note_kind_cb, order, NULL);
    }
  dray_executor_set_paused (rig->executor, FALSE);

  rig_run_until_all_done (futures);
  g_assert_cmpstr (order->str, ==, "cfccfc");
}

/* How many */

static void
cancel_one_that_runs (GPtrArray *futures)
{
  for (guint i = 0; i < futures->len; i++)
    if (dray_future_get_state (futures->pdata[i]) == DRAY_FUTURE_RUNNING)
      {
        dray_future_cancel (futures->pdata[i]);
        return;
      }

  g_assert_not_reached ();
}

static void
test_max_workers (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = rig_new_futures ();

  g_test_summary ("No more tasks run than there are slots, and no more workers are started.");

  rig_start (rig, 3);
  /* Enough on a busy machine, too: a worker that took longer would be replaced. */
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  rig_add_calls (rig, futures, "block", 10);
  rig_run_until_count (rig, running, 3);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, running), ==, 3);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 3);

  for (guint n_left = 10; n_left > 0; n_left--)
    {
      rig_run_until_count (rig, running, MIN (n_left, 3));
      cancel_one_that_runs (futures);
    }
  rig_run_until_all_done (futures);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 3);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static void
test_change_max_workers (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  g_autoptr (GPtrArray) later = rig_new_futures ();

  g_test_summary ("With more slots more tasks run at once; with fewer, those that run go on, and "
                  "no others start before there is a slot, however many idle workers are left.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL); /* as above */
  g_assert_cmpuint (dray_executor_get_max_workers (rig->executor), ==, 1);
  rig_add_calls (rig, futures, "block", 4);
  rig_run_until_count (rig, running, 1);
  dray_executor_set_max_workers (rig->executor, 4);
  rig_run_until_count (rig, running, 4);

  dray_executor_set_max_workers (rig->executor, 2);
  rig_add_calls (rig, later, "block", 4);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, running), ==, 4);

  dray_executor_set_max_workers (rig->executor, 1);
  for (guint i = 0; i < 4; i++)
    dray_future_cancel (futures->pdata[i]);
  rig_run_until_all_done (futures);
  rig_run_until_count (rig, running, 1);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, running), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 4);

  dray_executor_cancel_all (rig->executor);
  rig_run_until_all_done (later);
}

static void
test_shared_slots (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) command = NULL;
  g_autoptr (DrayFuture) call = NULL;
  g_autoptr (DrayFuture) second = NULL;
  int fds[2];

  g_test_summary ("A command takes a slot as a call does, whether there is an idle worker or not.");

  rig_start (rig, 1);
  rig_ask_pid (rig);
  command = start_command (rig, &fds[0], 0);
  rig_run_until_running (command);
  call = rig_call (rig, "block", NULL);
  rig_let_time_pass ();
  g_assert_cmpint (dray_future_get_state (call), ==, DRAY_FUTURE_PENDING);

  close (fds[0]);
  fixture_run_until_done (command);
  rig_run_until_status (call, "blocked");
  second = start_command (rig, &fds[1], 0);
  rig_let_time_pass ();
  g_assert_cmpint (dray_future_get_state (second), ==, DRAY_FUTURE_PENDING);

  dray_future_cancel (call);
  rig_run_until_running (second);
  close (fds[1]);
  fixture_run_until_done (second);
  g_assert_cmpint (dray_future_get_state (second), ==, DRAY_FUTURE_SUCCEEDED);
}

/* Pausing */

static void
test_pause (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) running = NULL;
  g_autoptr (DrayFuture) pending = NULL;
  gboolean paused = FALSE;

  g_test_summary ("While paused nothing is started, and what runs goes on.");

  rig_start (rig, 2);
  running = rig_call (rig, "sleep", "(u)", 50);
  rig_run_until_running (running);
  dray_executor_set_paused (rig->executor, TRUE);
  g_object_get (rig->executor, "paused", &paused, NULL);
  g_assert_true (paused);
  pending = rig_call (rig, "null", NULL);
  rig_expect_text (running, "()");
  rig_let_time_pass ();
  g_assert_cmpint (dray_future_get_state (pending), ==, DRAY_FUTURE_PENDING);
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 1);

  g_object_set (rig->executor, "paused", FALSE, NULL);
  rig_expect_text (pending, "()");
}

static void
test_wait_while_paused (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) later = NULL;

  g_test_summary ("A pause does not hold up who waits, blocking; after that it goes on.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  future = rig_call (rig, "null", NULL);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_SUCCEEDED);

  later = rig_call (rig, "null", NULL);
  rig_let_time_pass ();
  g_assert_cmpint (dray_future_get_state (later), ==, DRAY_FUTURE_PENDING);
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  g_assert_cmpint (dray_future_get_state (later), ==, DRAY_FUTURE_SUCCEEDED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/scheduling/priorities", NULL, test_priorities);
  rig_add ("/scheduling/kinds", NULL, test_order_of_kinds);
  rig_add ("/scheduling/max-workers", NULL, test_max_workers);
  rig_add ("/scheduling/max-workers/changed", NULL, test_change_max_workers);
  rig_add ("/scheduling/max-workers/commands", NULL, test_shared_slots);
  rig_add ("/scheduling/pause", NULL, test_pause);
  rig_add ("/scheduling/pause/wait", NULL, test_wait_while_paused);

  return g_test_run ();
}
