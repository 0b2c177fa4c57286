/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

#include <signal.h>

/* How tasks that share one run end: with it, or by themselves. */

static DrayTask *
new_task (const char *function, const char *arguments)
{
  DrayTask *task = rig_new_task (function, arguments);

  dray_task_set_key (task, "key");
  return task;
}

static DrayFuture *
submit (Rig *rig, const char *function, const char *arguments)
{
  return rig_submit (rig, new_task (function, arguments));
}

/* Cancelled */

typedef struct
{
  gboolean running;
  DrayCancelMode mode;
} Case;

static const Case cases[] = {
  { FALSE, DRAY_CANCEL_IMMEDIATE },
  { FALSE, DRAY_CANCEL_CONFIRMED },
  { TRUE, DRAY_CANCEL_IMMEDIATE },
  { TRUE, DRAY_CANCEL_CONFIRMED },
};

/* Three that share a call of "block". */
static GPtrArray *
start_three (Rig *rig, const Case *chosen)
{
  GPtrArray *futures = g_ptr_array_new_with_free_func (g_object_unref);

  dray_executor_set_paused (rig->executor, !chosen->running);
  for (int i = 0; i < 3; i++)
    {
      DrayTask *task = new_task ("block", NULL);

      dray_task_set_cancel_mode (task, chosen->mode);
      g_ptr_array_add (futures, rig_submit (rig, task));
    }
  if (chosen->running)
    for (guint i = 0; i < futures->len; i++)
      rig_run_until_status (futures->pdata[i], "blocked");

  return futures;
}

static void
test_cancel (Rig *rig, gconstpointer data)
{
  const Case *chosen = data;
  g_autoptr (GPtrArray) futures = NULL;
  G_GNUC_UNUSED g_autoptr (DrayFuture) next = NULL;
  int pid;

  g_test_summary ("Each is cancelled by itself, at once; only with the last one the run is "
                  "cancelled, and its worker lives on.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  pid = rig_ask_pid (rig);
  futures = start_three (rig, chosen);
  for (guint i = 0; i < 3; i++)
    {
      guint chosen_one = (i + 1) % 3;

      dray_future_cancel (futures->pdata[chosen_one]);
      if (i < 2 || chosen->mode == DRAY_CANCEL_IMMEDIATE)
        g_assert_true (dray_future_is_done (futures->pdata[chosen_one]));
      if (i < 2)
        g_assert_false (dray_future_is_done (futures->pdata[0]));
      rig_expect_cancelled (futures->pdata[chosen_one]);
    }
  dray_executor_set_paused (rig->executor, FALSE);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
  g_assert_cmpuint (rig_get_count (rig, cancelled), ==, 3);
  g_assert_cmpuint (rig_get_count (rig, running), ==, 0);
}

static void
test_cancel_all (Rig *rig, gconstpointer data)
{
  g_test_summary ("All tasks of the executor are cancelled, those that share a run with them.");

  rig_start (rig, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GPtrArray) futures = start_three (rig, &cases[i]);

      dray_executor_cancel_all (rig->executor);
      for (guint j = 0; j < 3; j++)
        rig_expect_cancelled (futures->pdata[j]);
    }
  dray_executor_set_paused (rig->executor, FALSE);
  rig_ask_pid (rig);
}

static void
test_cancel_twice (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_task ("block", NULL);
  g_autoptr (DrayFuture) cancelled = NULL;
  g_autoptr (DrayFuture) other = NULL;

  g_test_summary ("Who cancels once more while the run is being stopped, or when it is over, "
                  "changes nothing.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  cancelled = rig_submit (rig, task);
  rig_run_until_status (cancelled, "blocked");
  for (int i = 0; i < 3; i++)
    dray_future_cancel (cancelled);
  rig_expect_cancelled (cancelled);
  dray_future_cancel (cancelled);

  other = submit (rig, "counter", NULL);
  dray_future_cancel (cancelled);
  g_assert_cmpuint (rig_expect_uint32 (other), ==, 2);
  g_assert_cmpuint (rig_get_count (rig, cancelled), ==, 1);
}

static void
test_after_cancel (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_task ("block", NULL);
  g_autoptr (DrayFuture) cancelled = NULL;
  g_autoptr (DrayFuture) next = NULL;

  g_test_summary ("A run that was cancelled, and has not stopped yet, is not joined any more.");

  rig_start (rig, 1);
  dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  cancelled = rig_submit (rig, task);
  rig_run_until_status (cancelled, "blocked");
  dray_future_cancel (cancelled);
  next = submit (rig, "block", NULL);
  rig_run_until_status (next, "blocked");
  rig_expect_cancelled (cancelled);
  g_assert_cmpint (dray_future_get_state (next), ==, DRAY_FUTURE_RUNNING);
  dray_future_cancel (next);
  rig_expect_cancelled (next);
}

static void
test_cancellable (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayTask) task = new_task ("counter", NULL);
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) third = NULL;

  g_test_summary ("A cancellable ends the one task that it was given with; the cancellables of "
                  "those that end with their run are let go of.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  first = dray_executor_submit (rig->executor, task, cancellable);
  second = dray_executor_submit (rig->executor, task, NULL);
  g_cancellable_cancel (cancellable);
  rig_expect_cancelled (first);
  g_cancellable_reset (cancellable);
  third = dray_executor_submit (rig->executor, task, cancellable);
  dray_executor_set_paused (rig->executor, FALSE);
  g_assert_cmpuint (rig_expect_uint32 (second), ==, 1);
  g_assert_cmpuint (rig_expect_uint32 (third), ==, 1);
  rig_let_time_pass ();
  g_assert_cmpuint (G_OBJECT (cancellable)->ref_count, ==, 1);
}

/* Dropped */

static void
test_drop (Rig *rig, gconstpointer data)
{
  const gboolean first = GPOINTER_TO_INT (data);
  DrayFuture *dropped;
  WorkshopRecord *record;

  g_test_summary (
    "Dropping one future, of the first task or of another, means nothing to the other "
    "one.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  dropped = first ? submit (rig, "stream", "(uint32 5000, uint32 1000)") : NULL;
  record = workshop_watch (submit (rig, "stream", "(uint32 5000, uint32 1000)"));
  if (!first)
    dropped = submit (rig, "stream", "(uint32 5000, uint32 1000)");
  dray_executor_set_paused (rig->executor, FALSE);
  rig_run_until_running (dropped);
  g_object_unref (dropped);
  workshop_iterate_until_told (record);
  workshop_assert_succeeded (record);
  g_assert_cmpuint (record->n_items, ==, 5000);
  workshop_record_free (record);
}

static void
test_drop_all (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "touched");
  g_autofree char *arguments = g_strdup_printf ("('%s',)", path);

  g_test_summary ("A run is run though nobody wants to hear of it.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  for (int i = 0; i < 3; i++)
    g_object_unref (submit (rig, "touch", arguments));
  dray_executor_set_paused (rig->executor, FALSE);
  rig_run_until_file (path);
  rig_run_until_count (rig, succeeded, 3);
}

/* With the run */

static void
test_retry (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_task ("block", NULL);
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) third = NULL;
  int pid;

  g_test_summary ("A run whose worker dies is run again for all, those included that joined "
                  "meanwhile.");

  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  dray_task_set_max_retries (task, 1);
  first = rig_submit (rig, task);
  rig_run_until_status (first, "blocked");
  second = submit (rig, "block", NULL);
  g_assert_cmpint (dray_future_get_state (second), ==, DRAY_FUTURE_RUNNING);
  dray_executor_set_paused (rig->executor, TRUE);
  kill (pid, SIGKILL);
  rig_run_until_count (rig, queue_length, 1);
  g_assert_cmpint (dray_future_get_state (first), ==, DRAY_FUTURE_PENDING);
  g_assert_cmpint (dray_future_get_state (second), ==, DRAY_FUTURE_PENDING);
  g_assert_true (dray_future_set_priority (second, -1));
  third = submit (rig, "block", NULL);
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 1);

  dray_executor_set_paused (rig->executor, FALSE);
  rig_run_until_running (third);
  g_assert_cmpint (dray_future_get_state (first), ==, DRAY_FUTURE_RUNNING);
  dray_future_cancel (first);
  dray_future_cancel (second);
  dray_future_cancel (third);
  rig_expect_cancelled (third);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 1);
}

static void
test_misbehaving (Rig *rig, gconstpointer data)
{
  g_test_summary (
    "Whatever becomes of a run, all that share it are told, and the next one is a run "
    "of its own.");

  rig_start (rig, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (rig_misdeeds); i++)
    {
      const RigMisdeed *misdeed = &rig_misdeeds[i];
      G_GNUC_UNUSED g_autoptr (DrayFuture) harmless = rig_call (rig, "null", NULL);
      g_autoptr (DrayFuture) first = submit (rig, misdeed->function, misdeed->arguments);
      g_autoptr (DrayFuture) second = submit (rig, misdeed->function, misdeed->arguments);

      rig_expect_error (second, DRAY_ERROR, misdeed->code, NULL);
      rig_expect_error (first, DRAY_ERROR, misdeed->code, NULL);
    }
}

static void
test_time_limit (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_task ("block", NULL);
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;

  g_test_summary ("The time limit of the first counts for all.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  dray_task_set_time_limit (task, 100);
  first = rig_submit (rig, task);
  second = submit (rig, "block", NULL);
  dray_executor_set_paused (rig->executor, FALSE);
  rig_expect_error (second, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
  rig_expect_error (first, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
}

static void
test_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;

  g_test_summary ("Who has joined can wait, even for a run that is held up by a pause.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  first = submit (rig, "bytes", "(uint32 3000000,)");
  second = submit (rig, "bytes", "(uint32 3000000,)");
  g_assert_true (dray_future_wait (second, -1, NULL, NULL));
  g_assert_true (dray_future_is_done (first));
}

/* Combined */

static void
test_combined (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) third = NULL;
  g_autoptr (DrayFuture) all = NULL;

  g_test_summary ("Futures that share a run are combined, and the combination is cancelled: its "
                  "parts are, the other one is not.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  first = submit (rig, "counter", NULL);
  second = submit (rig, "counter", NULL);
  third = submit (rig, "counter", NULL);
  all = dray_future_all ((DrayFuture *[]){ first, second }, 2);
  dray_future_cancel (all);
  rig_expect_cancelled (all);
  rig_expect_cancelled (first);
  rig_expect_cancelled (second);
  dray_executor_set_paused (rig->executor, FALSE);
  g_assert_cmpuint (rig_expect_uint32 (third), ==, 1);
}

static void
test_then (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayTask) next = new_task ("echo", NULL);
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) after_first = NULL;
  g_autoptr (DrayFuture) after_second = NULL;

  g_test_summary ("Tasks come after those that share a run; each is run by itself, key or no key.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  first = submit (rig, "counter", NULL);
  second = submit (rig, "counter", NULL);
  after_first = dray_future_and_then (first, rig->executor, next, DRAY_POSITION_WHOLE);
  after_second = dray_future_and_then (second, rig->executor, next, DRAY_POSITION_WHOLE);
  dray_executor_set_paused (rig->executor, FALSE);
  rig_expect_text (after_first, "uint32 1");
  rig_expect_text (after_second, "uint32 1");
}

/* The end of the executor */

static void
test_shutdown (Rig *rig, gconstpointer data)
{
  g_test_summary ("An executor is shut down in each mode while tasks share a run that is pending, "
                  "or one that runs: all of them end.");

  for (int mode = DRAY_SHUTDOWN_CANCEL_PENDING; mode <= DRAY_SHUTDOWN_KILL; mode++)
    for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
      {
        g_autoptr (GPtrArray) futures = NULL;

        rig_start (rig, 1);
        futures = start_three (rig, &cases[i]);
        if (mode == DRAY_SHUTDOWN_CANCEL_PENDING && cases[i].running)
          dray_executor_cancel_all (rig->executor);
        rig_shut_down (rig, mode);
        for (guint j = 0; j < 3; j++)
          if (mode == DRAY_SHUTDOWN_CANCEL_PENDING)
            rig_expect_cancelled (futures->pdata[j]);
          else
            rig_expect_error (futures->pdata[j], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
      }
}

static void
test_drain (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) refused = NULL;

  g_test_summary ("A drain runs what is shared; nobody joins it any more.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  for (int i = 0; i < 3; i++)
    g_ptr_array_add (futures, submit (rig, "counter", NULL));
  dray_executor_shutdown_async (rig->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL, NULL);
  refused = submit (rig, "counter", NULL);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (rig_expect_uint32 (futures->pdata[i]), ==, 1);
  rig_expect_error (refused, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
}

/* Many at once */

static gpointer
submit_thread (gpointer user_data)
{
  Rig *rig = user_data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_main_context_push_thread_default (context);
  for (guint i = 0; i < 2000; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i / 7);
      DrayTask *task = rig_new_task ("counter", NULL);

      dray_task_set_key (task, key);
      g_ptr_array_add (futures, rig_submit (rig, task));
      if (i % 3 == 0)
        dray_future_cancel (futures->pdata[i]);
      if (i % 5 == 0)
        dray_future_set_priority (futures->pdata[i], -(int) i);
    }
  rig_run_until_all_done (futures);
  for (guint i = 0; i < futures->len; i++)
    g_assert_cmpint (dray_future_get_state (futures->pdata[i]), !=, DRAY_FUTURE_FAILED);
  g_main_context_pop_thread_default (context);

  return NULL;
}

static void
test_threads (Rig *rig, gconstpointer data)
{
  GThread *threads[4];

  g_test_summary ("Threads submit tasks of the same keys, cancel some, and raise others: each ends "
                  "once.");

  rig_start (rig, 2);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("submit", submit_thread, rig);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, 4 * 2000);
  g_assert_cmpuint (rig_get_count (rig, succeeded) + rig_get_count (rig, cancelled), ==, 4 * 2000);
  g_assert_cmpuint (rig_get_count (rig, queue_length) + rig_get_count (rig, running), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/sharing-ending/cancel/pending/immediate", &cases[0], test_cancel);
  rig_add ("/sharing-ending/cancel/pending/confirmed", &cases[1], test_cancel);
  rig_add ("/sharing-ending/cancel/running/immediate", &cases[2], test_cancel);
  rig_add ("/sharing-ending/cancel/running/confirmed", &cases[3], test_cancel);
  rig_add ("/sharing-ending/cancel/all", NULL, test_cancel_all);
  rig_add ("/sharing-ending/cancel/twice", NULL, test_cancel_twice);
  rig_add ("/sharing-ending/cancel/after", NULL, test_after_cancel);
  rig_add ("/sharing-ending/cancellable", NULL, test_cancellable);
  rig_add ("/sharing-ending/drop/first", GINT_TO_POINTER (TRUE), test_drop);
  rig_add ("/sharing-ending/drop/second", GINT_TO_POINTER (FALSE), test_drop);
  rig_add ("/sharing-ending/drop/all", NULL, test_drop_all);
  rig_add ("/sharing-ending/retry", NULL, test_retry);
  rig_add ("/sharing-ending/misbehaving", NULL, test_misbehaving);
  rig_add ("/sharing-ending/time-limit", NULL, test_time_limit);
  rig_add ("/sharing-ending/wait", NULL, test_wait);
  rig_add ("/sharing-ending/combined", NULL, test_combined);
  rig_add ("/sharing-ending/then", NULL, test_then);
  rig_add ("/sharing-ending/shutdown", NULL, test_shutdown);
  rig_add ("/sharing-ending/drain", NULL, test_drain);
  rig_add ("/sharing-ending/threads", NULL, test_threads);

  return g_test_run ();
}
