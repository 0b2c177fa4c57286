/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

/*
 * Groups: that the first failure cancels the rest, and that a group is as safe to wait for as a
 * future, whatever becomes of its members and of the group.
 */

#define MIB (1024 * 1024)
#define MANY 100000

static DrayFuture *
submit (DrayGroup *group, Rig *rig, const char *function, const char *arguments)
{
  g_autoptr (DrayTask) task = rig_new_task (function, arguments);

  return dray_group_submit (group, rig->executor, task, NULL);
}

static void
submit_and_drop (DrayGroup *group, Rig *rig, const char *function, const char *arguments)
{
  g_object_unref (submit (group, rig, function, arguments));
}

/* Joining */

typedef struct
{
  gboolean joined;
  gboolean well;
  GError *error; /* (owned) (nullable) */
} Join;

static void
joined_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Join *join = user_data;

  join->well = dray_group_join_finish (DRAY_GROUP (object), result, &join->error);
  join->joined = TRUE;
}

/* All ways to wait, and that they say the same; @domain 0: all went well. */
static void
assert_outcome (DrayGroup *group, GQuark domain, int code)
{
  Join join = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) join_error = NULL;

  g_assert_true (dray_group_wait (group, -1, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (dray_group_join_sync (group, -1, NULL, &join_error), ==, domain == 0);
  dray_group_join_async (group, NULL, joined_cb, &join);
  g_assert_false (join.joined);
  fixture_iterate_until_true (&join.joined, "the group is joined");

  g_assert_cmpint (join.well, ==, domain == 0);
  g_assert_cmpint (dray_group_check (group, &error), ==, domain == 0);
  g_assert_cmpint (dray_group_is_cancelled (group), ==, domain != 0);
  if (domain != 0)
    {
      g_assert_error (join.error, domain, code);
      g_assert_error (join_error, domain, code);
      g_assert_error (error, domain, code);
    }
  else
    g_assert_no_error (join_error);
  g_clear_error (&join.error);
}

static void
join (DrayGroup *group, Join *outcome)
{
  fixture_iterate_until_true (&outcome->joined, "the group is joined");
  g_assert_cmpuint (dray_group_get_n_unfinished (group), ==, 0);
}

static void
test_success (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayGroup) group = dray_group_new ();
  Join outcome = { 0 };

  g_test_summary ("A group is finished whenever all members are, an empty one at once, and can be "
                  "used again after that.");

  rig_start (rig, 2);
  assert_outcome (group, 0, 0);
  for (guint round = 0; round < 3; round++)
    {
      for (guint i = 0; i < 20; i++)
        submit_and_drop (group, rig, "add", "(1, 2)");
      outcome = (Join){ 0 };
      dray_group_join_async (group, NULL, joined_cb, &outcome);
      join (group, &outcome);
      g_assert_true (outcome.well);
      assert_outcome (group, 0, 0);
    }
}

static void
test_submit (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayTask) block = rig_new_task ("block", NULL);
  g_autoptr (DrayTask) null = rig_new_task ("null", NULL);
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayFuture) never = NULL;
  g_autoptr (DrayFuture) other = NULL;

  g_test_summary ("A cancellable cancels the tasks that are submitted with it, before or after, "
                  "which is no failure of the group.");

  rig_start (rig, 1);
  blocked = dray_group_submit (group, rig->executor, block, cancellable);
  rig_run_until_status (blocked, "blocked");
  g_cancellable_cancel (cancellable);
  rig_expect_cancelled (blocked);
  never = dray_group_submit (group, rig->executor, block, cancellable);
  rig_expect_cancelled (never);
  other = dray_group_submit (group, rig->executor, null, NULL);
  assert_outcome (group, 0, 0);
  g_assert_cmpint (dray_future_get_state (other), ==, DRAY_FUTURE_SUCCEEDED);

  g_clear_object (&never);
  g_cancellable_reset (cancellable);
  dray_group_cancel (group);
  never = dray_group_submit (group, rig->executor, block, cancellable);
  rig_expect_cancelled (never);
  g_assert_false (g_cancellable_is_cancelled (cancellable));
  assert_outcome (group, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_failure (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (DrayFuture) running = NULL;
  g_autoptr (DrayFuture) pending = NULL;
  g_autoptr (DrayFuture) late = NULL;
  g_autoptr (DrayFuture) added = NULL;
  g_autoptr (DrayFuture) stranger = NULL;
  Join outcome = { 0 };

  g_test_summary ("The first member that fails cancels the others, the running one and the pending "
                  "one, and whatever is added later; nobody else.");

  rig_start (rig, 4);
  g_object_set (rig->executor, "grace-period", 60000, NULL); /* enough on a busy machine, too */
  running = submit (group, rig, "block", NULL);
  rig_run_until_status (running, "blocked");
  dray_group_join_async (group, NULL, joined_cb, &outcome);
  submit_and_drop (group, rig, "fail", "('test-quark', 3, 'It is meant to fail')");
  pending = submit (group, rig, "block", NULL);
  stranger = rig_call (rig, "block", NULL);

  join (group, &outcome);
  g_assert_false (outcome.well);
  g_assert_error (outcome.error, g_quark_from_string ("test-quark"), 3);
  g_clear_error (&outcome.error);
  rig_expect_cancelled (running);
  rig_expect_cancelled (pending);
  g_assert_false (dray_future_is_done (stranger));

  late = submit (group, rig, "exit", "(1,)");
  rig_expect_cancelled (late);
  dray_group_add (group, stranger);
  rig_expect_cancelled (stranger);
  added = rig_call (rig, "null", NULL);
  dray_group_add (group, added);
  assert_outcome (group, g_quark_from_string ("test-quark"), 3);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static void
test_death (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayFuture) combined = NULL;
  g_autoptr (DrayFuture) waiting = NULL;
  g_autoptr (DrayTask) task = rig_new_task ("null", NULL);

  g_test_summary ("The death of a worker fails its member, which cancels those of other executors, "
                  "and combined ones with all that they are made of.");

  rig_start (rig, 1);
  blocked = dray_executor_call (other, "block", NULL);
  waiting = dray_future_and_then (blocked, other, task, DRAY_POSITION_NONE);
  combined = dray_future_all (&waiting, 1);
  dray_group_add (group, combined);
  workshop_block_until_running (blocked);
  submit_and_drop (group, rig, "raise", "(9,)");
  assert_outcome (group, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
  rig_expect_cancelled (combined);
  rig_expect_cancelled (waiting);
  rig_expect_cancelled (blocked);
}

static void
test_cancel (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (DrayFuture) alone = NULL;
  g_autoptr (DrayFuture) done = NULL;
  g_autoptr (DrayFuture) blocked = NULL;

  g_test_summary (
    "A member that is cancelled is no failure; a group that is cancelled cancels what "
    "is not done.");

  rig_start (rig, 2);
  alone = submit (group, rig, "block", NULL);
  done = submit (group, rig, "null", NULL);
  dray_future_cancel (alone);
  assert_outcome (group, 0, 0);

  blocked = submit (group, rig, "block", NULL);
  dray_group_cancel (group);
  g_assert_cmpint (dray_future_get_state (blocked), ==, DRAY_FUTURE_CANCELLED);
  assert_outcome (group, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (dray_future_get_state (done), ==, DRAY_FUTURE_SUCCEEDED);
  dray_group_cancel (group);
}

/* Waiting */

static void
test_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary (
    "The main thread, with no main loop, waits for a group with results of 1 MiB, far "
    "beyond the limits of the two executors, one of which is paused.");

  rig_start (rig, 2);
  g_object_set (rig->executor, "max-undelivered-items", 1, NULL);
  g_object_set (other, "max-undelivered-items", 1, NULL);
  dray_executor_set_paused (other, TRUE);
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (DrayTask) task = rig_new_task ("bytes", "(uint32 1048576,)");

      g_ptr_array_add (futures, dray_group_submit (group, rig->executor, task, NULL));
      g_ptr_array_add (futures, dray_group_submit (group, other, task, NULL));
    }
  g_assert_cmpuint (dray_group_get_n_unfinished (group), >, 0);
  g_assert_true (dray_group_wait (group, -1, NULL, NULL));
  for (guint i = 0; i < futures->len; i++)
    {
      g_autoptr (GVariant) result = dray_future_dup_result (futures->pdata[i], NULL);

      workshop_assert_bytes (result, MIB);
    }
  rig_run_until_all_done (futures);
}

static gpointer
cancel_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);

  return NULL;
}

static void
test_wait_ends (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  GThread *thread;
  Join cancelled = { 0 };
  Join outcome = { 0 };

  g_test_summary ("Timeouts and cancellables end waits, and touch neither the members nor others "
                  "who wait.");

  rig_start (rig, 1);
  submit_and_drop (group, rig, "block", NULL);
  g_assert_false (dray_group_wait (group, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_false (dray_group_wait (group, 1000, NULL, NULL));
  g_assert_false (dray_group_join_sync (group, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_false (dray_group_join_sync (group, 1000, NULL, NULL));

  dray_group_join_async (group, cancellable, joined_cb, &cancelled);
  dray_group_join_async (group, NULL, joined_cb, &outcome);
  thread = g_thread_new ("cancels", cancel_thread, cancellable);
  g_assert_false (dray_group_wait (group, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_thread_join (thread);
  g_assert_false (dray_group_join_sync (group, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  fixture_iterate_until_true (&cancelled.joined, "the wait is cancelled");
  g_assert_error (cancelled.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&cancelled.error);
  g_assert_false (outcome.joined);
  g_assert_cmpuint (dray_group_get_n_unfinished (group), ==, 1);

  dray_group_cancel (group);
  join (group, &outcome);
  g_assert_error (outcome.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&outcome.error);
}

typedef struct
{
  Rig *rig;
  gboolean done;
} Scene;

static void
wait_inside_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Scene *scene = user_data;
  DrayGroup *group = DRAY_GROUP (object);

  g_assert_true (dray_group_join_finish (group, result, NULL));
  for (guint i = 0; i < 10; i++)
    submit_and_drop (group, scene->rig, "bytes", "(uint32 1048576,)");
  g_assert_true (dray_group_wait (group, -1, NULL, NULL));
  scene->done = TRUE;
}

static void
test_wait_inside (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayGroup) group = dray_group_new ();
  Scene scene = { rig, FALSE };

  g_test_summary ("A group is used again and waited for inside the callback that says it is "
                  "finished.");

  rig_start (rig, 2);
  g_object_set (rig->executor, "max-undelivered-items", 1, NULL);
  submit_and_drop (group, rig, "null", NULL);
  dray_group_join_async (group, NULL, wait_inside_cb, &scene);
  fixture_iterate_until_true (&scene.done, "the callback has waited");
}

static gpointer
wait_thread (gpointer group)
{
  g_assert_true (dray_group_wait (group, -1, NULL, NULL));

  return NULL;
}

static void
test_add_while_waited_for (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayTask) task = rig_new_task ("null", NULL);
  g_autoptr (DrayFuture) paused = NULL;
  GThread *thread;

  g_test_summary (
    "What is added while somebody waits is waited for, too, and a pause does not hold "
    "it up.");

  rig_start (rig, 1);
  dray_executor_set_paused (other, TRUE);
  blocked = submit (group, rig, "block", NULL);
  workshop_block_until_running (blocked);
  thread = g_thread_new ("waits", wait_thread, group);
  rig_let_time_pass ();
  paused = dray_group_submit (group, other, task, NULL);
  fixture_run_until_done (paused);
  g_assert_cmpint (dray_future_get_state (paused), ==, DRAY_FUTURE_SUCCEEDED);
  dray_future_cancel (blocked);
  g_thread_join (thread);
}

/* What becomes of it */

static void
test_shutdown (Rig *rig, gconstpointer data)
{
  DrayShutdownMode mode = GPOINTER_TO_UINT (data);
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (DrayFuture) first = NULL;
  Join outcome = { 0 };

  g_test_summary (
    "However an executor is shut down, a group of its tasks is finished then, and says "
    "whether they failed.");

  rig_start (rig, 1);
  first = submit (group, rig, "sleep", "(uint32 20,)");
  workshop_block_until_running (first);
  dray_executor_set_paused (rig->executor, TRUE); /* the others are pending, however slow this is */
  for (guint i = 0; i < 10; i++)
    submit_and_drop (group, rig, "sleep", "(uint32 5,)");
  dray_group_join_async (group, NULL, joined_cb, &outcome);
  rig_shut_down (rig, mode);
  g_assert_cmpuint (dray_group_get_n_unfinished (group), ==, 0);
  join (group, &outcome);
  g_assert_cmpint (outcome.well, ==, mode <= DRAY_SHUTDOWN_CANCEL_PENDING);
  if (!outcome.well)
    g_assert_error (outcome.error, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  g_clear_error (&outcome.error);
}

static void
test_dropped (Rig *rig, gconstpointer data)
{
  DrayGroup *group = dray_group_new ();
  g_autoptr (DrayFuture) blocked = NULL;
  Join outcome = { 0 };

  g_test_summary (
    "A group that was dropped still cancels its members when one fails; who waits for "
    "it keeps it.");

  rig_start (rig, 4);
  blocked = submit (group, rig, "block", NULL);
  rig_run_until_status (blocked, "blocked");
  submit_and_drop (group, rig, "exit", "(1,)");
  g_object_unref (group);
  rig_expect_cancelled (blocked);

  group = dray_group_new ();
  submit_and_drop (group, rig, "sleep", "(uint32 10,)");
  dray_group_join_async (group, NULL, joined_cb, &outcome);
  g_object_unref (group);
  fixture_iterate_until_true (&outcome.joined, "the group is joined");
  g_assert_true (outcome.well);
}

static gpointer
cancel_group_thread (gpointer group)
{
  dray_group_cancel (group);

  return NULL;
}

static void
test_races (Rig *rig, gconstpointer data)
{
  g_test_summary ("Members are added, fail and are cancelled on several threads at a time, and the "
                  "group is finished with whatever came first.");

  rig_start (rig, 2);
  for (guint i = 0; i < 200; i++)
    {
      g_autoptr (DrayGroup) group = dray_group_new ();
      Join outcome = { 0 };
      GThread *thread;

      submit_and_drop (group, rig, "add", "(1, 1)");
      submit_and_drop (group, rig, i % 3 ? "null" : "fail", i % 3 ? NULL : "('q', 1, 'no')");
      dray_group_join_async (group, NULL, joined_cb, &outcome);
      thread = g_thread_new ("cancels", cancel_group_thread, group);
      submit_and_drop (group, rig, "add", "(1, 1)");
      g_assert_true (dray_group_wait (group, -1, NULL, NULL));
      g_thread_join (thread);
      fixture_iterate_until_true (&outcome.joined, "the group is joined");
      g_clear_error (&outcome.error);
    }
}

static void
test_many (Rig *rig, gconstpointer data)
{
  gboolean fails = GPOINTER_TO_INT (data);
  g_autoptr (DrayGroup) group = dray_group_new ();

  g_test_summary ("A hundred thousand members, all of which succeed, or the first of which fails.");

  rig_start (rig, 2);
  dray_executor_set_paused (rig->executor, TRUE);
  if (fails)
    submit_and_drop (group, rig, "fail", "('test-quark', 1, 'It is meant to fail')");
  for (guint i = 0; i < MANY; i++)
    submit_and_drop (group, rig, "null", NULL);
  assert_outcome (group, fails ? g_quark_from_string ("test-quark") : 0, 1);
  if (fails)
    g_assert_cmpuint (rig_get_count (rig, cancelled), >, MANY / 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/group/success", NULL, test_success);
  rig_add ("/group/submit", NULL, test_submit);
  rig_add ("/group/failure", NULL, test_failure);
  rig_add ("/group/death", NULL, test_death);
  rig_add ("/group/cancel", NULL, test_cancel);
  rig_add ("/group/wait", NULL, test_wait);
  rig_add ("/group/wait/ends", NULL, test_wait_ends);
  rig_add ("/group/wait/inside", NULL, test_wait_inside);
  rig_add ("/group/add-while-waited-for", NULL, test_add_while_waited_for);
  rig_add_modes ("/group/shutdown", test_shutdown);
  rig_add ("/group/dropped", NULL, test_dropped);
  rig_add ("/group/races", NULL, test_races);
  rig_add ("/group/many", GINT_TO_POINTER (FALSE), test_many);
  rig_add ("/group/many/fails", GINT_TO_POINTER (TRUE), test_many);

  return g_test_run ();
}
