/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

/* Cancelling, for each kind of task that takes it well or badly. */

#define LARGE 300000 /* bytes: more than a ring, or a pipe as it comes, can hold */

/* Each test that takes a mode is run with both. */
#define mode_of(data) ((DrayCancelMode) GPOINTER_TO_UINT (data))

static DrayFuture *
submit (Rig *rig, const char *function, const char *arguments, DrayCancelMode mode)
{
  DrayTask *task = rig_new_task (function, arguments);

  dray_task_set_cancel_mode (task, mode);

  return rig_submit (rig, task);
}

/* Cancels, and checks when the future says so. */
static void
cancel (DrayFuture *future, DrayCancelMode mode)
{
  dray_future_cancel (future);
  if (mode == DRAY_CANCEL_IMMEDIATE)
    g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_CANCELLED);
  rig_expect_cancelled (future);
}

static void
test_pending (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "touched");
  g_autofree char *arguments = g_strdup_printf ("('%s',)", path);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A pending task that is cancelled is cancelled at once, and never runs.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  future = submit (rig, "touch", arguments, mode_of (data));
  dray_future_cancel (future);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_CANCELLED);
  rig_expect_cancelled (future);
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 0);
  dray_executor_set_paused (rig->executor, FALSE);

  rig_ask_pid (rig);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
test_polite (Rig *rig, gconstpointer data)
{
  int pid;

  g_test_summary ("A function that ends when it is cancelled keeps its worker.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  pid = rig_ask_pid (rig);
  for (int i = 0; i < 20; i++)
    {
      g_autoptr (DrayFuture) future = submit (rig, "block", NULL, mode_of (data));

      rig_run_until_status (future, "blocked");
      cancel (future, mode_of (data));
    }
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
  g_assert_cmpuint (rig_get_count (rig, cancelled), ==, 20);
}

static void
test_deaf (Rig *rig, gconstpointer data)
{
  const guint grace = 2000; /* ms, in half of which it notes that, however busy the machine is */
  g_autofree char *path = rig_dup_path (rig, "terminated");
  g_autofree char *arguments = g_strdup_printf ("('%s',)", path);
  g_autoptr (DrayFuture) future = NULL;
  gint64 start;
  int pid;

  g_test_summary ("A function that takes no notice, of TERM either, is killed with its worker "
                  "after the grace period; the next task gets a fresh one.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", grace, NULL);
  pid = rig_ask_pid (rig);
  future = submit (rig, "note-term", arguments, mode_of (data));
  rig_run_until_status (future, "deaf");
  start = g_get_monotonic_time ();
  cancel (future, mode_of (data));
  rig_run_until_count (rig, workers_died, 1);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, grace * G_TIME_SPAN_MILLISECOND);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (fixture_process_is_gone (pid));
  g_assert_cmpint (rig_ask_pid (rig), !=, pid);
}

static void
test_without_grace (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  g_test_summary ("Without a grace period the worker is killed at once, polite or not.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 0, NULL);
  pid = rig_ask_pid (rig);
  future = submit (rig, "block", NULL, mode_of (data));
  rig_run_until_status (future, "blocked");
  cancel (future, mode_of (data));
  rig_run_until_count (rig, workers_died, 1);
  g_assert_true (fixture_process_is_gone (pid));
}

static int
ask_grandchild (Rig *rig, const char *function)
{
  g_autoptr (DrayFuture) future = rig_call (rig, function, NULL);

  return (int) rig_expect_uint32 (future);
}

static const struct
{
  const char *function;
  const char *status;
} stubborn[] = {
  { "spin", "spinning" },      { "stop", "stopping" },      { "hang-in-handler", "deaf" },
  { "block-signals", "deaf" }, { "ignore-cancel", "deaf" },
};

/* Those that nobody cancels: what waits behind the stubborn task in its executor, and what another
 * one does meanwhile. */
typedef struct
{
  Rig *rig;               /* (unowned) */
  DrayExecutor *executor; /* (owned): the other one */
  GPtrArray *futures;     /* (owned) (element-type DrayFuture): by turns a large result and none */
} Others;

static void
others_begin (Others *self, Rig *rig)
{
  self->rig = rig;
  self->executor = workshop_new (1);
  self->futures = rig_new_futures ();
}

static void
others_submit (Others *self)
{
  DrayExecutor *const executors[] = { self->rig->executor, self->executor };

  for (guint i = 0; i < G_N_ELEMENTS (executors); i++)
    for (guint j = 0; j < 4; j++)
      {
        DrayFuture *large = dray_executor_call (executors[i], "bytes",
                                                g_variant_new ("(u)", LARGE));
        DrayFuture *none = dray_executor_call (executors[i], "null", NULL);

        g_ptr_array_add (self->futures, rig_count (self->rig, large));
        g_ptr_array_add (self->futures, rig_count (self->rig, none));
      }
}

static void
others_expect (Others *self)
{
  for (guint i = 0; i < self->futures->len; i++)
    if (i % 2 == 0)
      rig_expect_bytes (self->futures->pdata[i], LARGE);
    else
      rig_expect_text (self->futures->pdata[i], "()");
  g_ptr_array_set_size (self->futures, 0);
}

static void
others_end (Others *self)
{
  dray_executor_shutdown_sync (self->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
  g_object_unref (self->executor);
  g_ptr_array_unref (self->futures);
}

/* The half of the grace period before TERM is all that the first ones take. */
static void
test_stubborn (Rig *rig, gconstpointer data)
{
  Others others;

  g_test_summary (
    "A worker that spins, is stopped, hangs while it is told, blocks signals or ignores "
    "TERM is gone after the grace period, with all that it has started; what waits behind "
    "its task succeeds in the next one.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 100, NULL);
  others_begin (&others, rig);
  for (gsize i = 0; i < G_N_ELEMENTS (stubborn); i++)
    {
      int pid = rig_ask_pid (rig);
      int grandchild = ask_grandchild (rig, "grandchild");
      int deaf_grandchild = ask_grandchild (rig, "grandchild-deaf");
      g_autoptr (DrayFuture) future = submit (rig, stubborn[i].function, NULL, mode_of (data));

      others_submit (&others);
      rig_run_until_status (future, stubborn[i].status);
      cancel (future, mode_of (data));
      fixture_iterate_until_gone (pid);
      fixture_iterate_until_gone (grandchild);
      fixture_iterate_until_gone (deaf_grandchild);
      others_expect (&others);
      g_assert_cmpint (rig_ask_pid (rig), !=, pid);
    }
  rig_run_until_count (rig, workers_died, G_N_ELEMENTS (stubborn));
  rig_ask_pid (rig);
  others_end (&others);
}

static void
run_out_of_time (Others *others, const char *function, guint limit)
{
  DrayTask *task = rig_new_task (function, NULL);
  g_autoptr (DrayFuture) future = NULL;

  dray_task_set_time_limit (task, limit);
  future = rig_submit (others->rig, task);
  others_submit (others);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
}

static void
test_stubborn_and_late (Rig *rig, gconstpointer data)
{
  Others others;

  g_test_summary ("The same where a time limit is over instead.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 100, NULL);
  others_begin (&others, rig);
  for (gsize i = 0; i < G_N_ELEMENTS (stubborn); i++)
    {
      int pid = rig_ask_pid (rig);
      int grandchild = ask_grandchild (rig, "grandchild-deaf");
      guint limit = 50;

      /* The worker lives on if the time was over before the function had begun. */
      do
        {
          run_out_of_time (&others, stubborn[i].function, limit);
          limit *= 2;
        }
      while (rig_ask_pid (rig) == pid);
      fixture_iterate_until_gone (pid);
      fixture_iterate_until_gone (grandchild);
      others_expect (&others);
    }
  rig_run_until_count (rig, workers_died, G_N_ELEMENTS (stubborn));
  rig_ask_pid (rig);
  others_end (&others);
}

static gboolean
has_items (gpointer user_data)
{
  return rig_get_count ((Rig *) user_data, items) > 0;
}

static void
test_result_first (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task that comes to a result though it was cancelled keeps it where the "
                  "cancellation is to be confirmed; else it is cancelled.");

  rig_start (rig, 1);
  future = submit (rig, "stream", "(uint32 1000000, uint32 10)", mode_of (data));
  fixture_iterate_until (has_items, rig, "the task has sent something");
  dray_future_cancel (future);
  if (mode_of (data) == DRAY_CANCEL_CONFIRMED)
    g_assert_cmpuint (rig_expect_uint32 (future), <, 1000000);
  else
    rig_expect_cancelled (future);
}

static void
test_race (Rig *rig, gconstpointer data)
{
  const guint n_tasks = 300;
  guint64 n_succeeded, n_cancelled;
  int pid;

  g_test_summary ("Cancelling tasks that are about to end, or have ended, does not cost a worker; "
                  "each has one outcome.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  pid = rig_ask_pid (rig);
  for (guint i = 0; i < n_tasks; i++)
    {
      g_autoptr (DrayFuture) future = submit (rig, "progress", "(uint32 3,)", mode_of (data));

      for (guint turn = 0; turn < i % 5; turn++)
        g_main_context_iteration (NULL, FALSE);
      if (i % 3 != 0)
        rig_run_until_running (future);
      dray_future_cancel (future);
      fixture_run_until_done (future);
      g_assert_cmpint (dray_future_get_state (future), !=, DRAY_FUTURE_FAILED);
    }
  n_succeeded = rig_get_count (rig, succeeded);
  n_cancelled = rig_get_count (rig, cancelled);
  g_assert_cmpuint (n_succeeded + n_cancelled, ==, n_tasks + 1);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

/* Cancellables */

static gpointer
cancel_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);

  return NULL;
}

static void
test_cancellable (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  GThread *thread;

  g_test_summary ("One cancellable cancels all tasks that it was given to, from whichever thread.");

  rig_start (rig, 2);
  for (int i = 0; i < 20; i++)
    {
      g_autoptr (DrayTask) task = rig_new_task ("block", NULL);

      dray_task_set_cancel_mode (task, mode_of (data));
      g_ptr_array_add (futures, dray_executor_submit (rig->executor, task, cancellable));
    }
  rig_run_until_count (rig, running, 2);
  thread = g_thread_new ("cancel", cancel_thread, cancellable);
  rig_run_until_all_done (futures);
  g_thread_join (thread);
  for (guint i = 0; i < futures->len; i++)
    rig_expect_cancelled (futures->pdata[i]);
  g_assert_cmpuint (rig_get_count (rig, cancelled), ==, 20);
}

static void
test_cancelled_before (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree char *path = rig_dup_path (rig, "touched");
  g_autoptr (DrayTask) task = dray_task_new_call ("touch", g_variant_new ("(s)", path));
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task that is submitted with a cancellable which was cancelled before never "
                  "runs.");

  rig_start (rig, 1);
  g_cancellable_cancel (cancellable);
  future = dray_executor_submit (rig->executor, task, cancellable);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_CANCELLED);
  rig_expect_cancelled (future);
  rig_ask_pid (rig);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

static gboolean
is_unreferenced (gpointer user_data)
{
  gpointer *place = user_data;

  return *place == NULL;
}

static void
test_cancellable_released (Rig *rig, gconstpointer data)
{
  GCancellable *cancellable = g_cancellable_new ();
  g_autoptr (DrayTask) task = rig_new_task ("null", NULL);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task that is done lets go of its cancellable.");

  rig_start (rig, 1);
  future = dray_executor_submit (rig->executor, task, cancellable);
  rig_expect_text (future, "()");
  g_object_add_weak_pointer (G_OBJECT (cancellable), (gpointer *) &cancellable);
  g_object_unref (cancellable);
  fixture_iterate_until (is_unreferenced, &cancellable, "the cancellable is let go of");
}

/* Many */

static void
test_cancel_all (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "touched");
  g_autofree char *arguments = g_strdup_printf ("('%s',)", path);
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("All that is not done is cancelled, nothing is started in the meantime, and the "
                  "executor goes on.");

  rig_start (rig, 2);
  for (int i = 0; i < 2; i++)
    {
      g_ptr_array_add (futures, submit (rig, "block", NULL, mode_of (data)));
      rig_run_until_status (futures->pdata[i], "blocked");
    }
  for (int i = 0; i < 50; i++)
    g_ptr_array_add (futures, submit (rig, "touch", arguments, mode_of (data)));
  dray_executor_cancel_all (rig->executor);
  for (guint i = 0; i < futures->len; i++)
    rig_expect_cancelled (futures->pdata[i]);
  rig_ask_pid (rig);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* Submits a task that must not be begun, and very many others. */
static DrayFuture *
submit_many_to_be_cancelled (Rig *rig, const char *path, gconstpointer data, GPtrArray *futures)
{
  g_autofree char *arguments = g_strdup_printf ("('%s',)", path);
  DrayFuture *first;

  dray_executor_set_paused (rig->executor, TRUE);
  first = submit (rig, "touch", arguments, mode_of (data));
  g_ptr_array_add (futures, first);
  for (int i = 0; i < 100000; i++)
    g_ptr_array_add (futures, dray_executor_call (rig->executor, "null", NULL));

  return first;
}

static void
check_never_begun (Rig *rig, const char *path, DrayFuture *first, DrayFuture *last)
{
  rig_expect_cancelled (first);
  rig_expect_cancelled (last);
  rig_ask_pid (rig);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* Submits what runs before all others are begun. */
static DrayFuture *
run_last (Rig *rig, gconstpointer data)
{
  DrayFuture *last = submit (rig, "block", NULL, mode_of (data));

  g_assert_true (dray_future_set_priority (last, -1));
  dray_executor_set_paused (rig->executor, FALSE);
  rig_run_until_status (last, "blocked");
  return last;
}

static void
test_cancel_all_out_of_order (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "touched");
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) last = NULL;
  DrayFuture *first;

  g_test_summary ("So it is where what was submitted last runs.");

  rig_start (rig, 1);
  first = submit_many_to_be_cancelled (rig, path, data, futures);
  last = run_last (rig, data);

  dray_executor_cancel_all (rig->executor);
  check_never_begun (rig, path, first, last);
}

static void
test_cancel_all_followed (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "touched");
  g_autoptr (DrayTask) task = rig_new_task ("null", NULL);
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) running = NULL;
  g_autoptr (DrayFuture) follower = NULL;
  DrayFuture *first;

  g_test_summary ("So it is where a task that was submitted last follows one that runs, and takes "
                  "that along.");

  rig_start (rig, 1);
  running = submit (rig, "block", NULL, mode_of (data));
  rig_run_until_status (running, "blocked");
  first = submit_many_to_be_cancelled (rig, path, data, futures);
  follower = dray_future_and_then (running, rig->executor, task, DRAY_POSITION_NONE);
  dray_executor_set_paused (rig->executor, FALSE);

  dray_executor_cancel_all (rig->executor);
  rig_expect_cancelled (follower);
  check_never_begun (rig, path, first, running);
}

static void
test_cancel_combined (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "touched");
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) all = NULL;
  DrayFuture *first, *last;

  g_test_summary ("So it is where many are cancelled since one future of them all is.");

  rig_start (rig, 1);
  first = submit_many_to_be_cancelled (rig, path, data, futures);
  last = run_last (rig, data);
  g_ptr_array_add (futures, last);
  all = dray_future_all ((DrayFuture *const *) futures->pdata, futures->len);

  dray_future_cancel (all);
  rig_expect_cancelled (all);
  check_never_begun (rig, path, first, last);
}

static void
test_hundreds (Rig *rig, gconstpointer data)
{
  static const char *const functions[] = { "block", "null", "spin", "sleep", "pid" };
  const guint n_tasks = 300;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) later = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Hundreds of cancellations, of tasks in whichever state and of whichever "
                  "manners, leave a pool that works, for large results as well.");

  rig_start (rig, 4);
  g_object_set (rig->executor, "grace-period", 20, NULL);
  for (guint i = 0; i < n_tasks; i++)
    {
      const char *function = functions[i % G_N_ELEMENTS (functions)];

      g_ptr_array_add (futures, submit (rig, function,
                                        g_str_equal (function, "sleep") ? "(uint32 5,)" : NULL,
                                        mode_of (data)));
      g_main_context_iteration (NULL, FALSE);
      if (i >= 8)
        dray_future_cancel (futures->pdata[i - 8]);
    }
  for (guint i = 0; i < n_tasks; i++)
    dray_future_cancel (futures->pdata[i]);
  rig_run_until_all_done (futures);
  g_assert_cmpuint (rig_get_count (rig, failed), ==, 0);

  for (int i = 0; i < 100; i++)
    g_ptr_array_add (later, i % 5 == 0 ? rig_call (rig, "bytes", "(u)", LARGE)
                                       : rig_call (rig, "add", "(ii)", i, 1));
  for (int i = 0; i < 100; i++)
    {
      g_autofree char *text = g_strdup_printf ("%d", i + 1);

      if (i % 5 == 0)
        rig_expect_bytes (later->pdata[i], LARGE);
      else
        rig_expect_text (later->pdata[i], text);
    }
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, n_tasks + 100);
}

static void
add_modes (const char *path, void (*test) (Rig *rig, gconstpointer data))
{
  g_autofree char *immediate = g_strconcat (path, "/immediate", NULL);
  g_autofree char *confirmed = g_strconcat (path, "/confirmed", NULL);

  rig_add (immediate, GUINT_TO_POINTER (DRAY_CANCEL_IMMEDIATE), test);
  rig_add (confirmed, GUINT_TO_POINTER (DRAY_CANCEL_CONFIRMED), test);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  add_modes ("/cancel/pending", test_pending);
  add_modes ("/cancel/polite", test_polite);
  add_modes ("/cancel/deaf", test_deaf);
  add_modes ("/cancel/without-grace", test_without_grace);
  add_modes ("/cancel/stubborn", test_stubborn);
  rig_add ("/cancel/stubborn/time-limit", NULL, test_stubborn_and_late);
  add_modes ("/cancel/result-first", test_result_first);
  add_modes ("/cancel/race", test_race);
  add_modes ("/cancel/cancellable", test_cancellable);
  rig_add ("/cancel/cancellable/before", NULL, test_cancelled_before);
  rig_add ("/cancel/cancellable/released", NULL, test_cancellable_released);
  add_modes ("/cancel/all", test_cancel_all);
  add_modes ("/cancel/all/out-of-order", test_cancel_all_out_of_order);
  add_modes ("/cancel/all/followed", test_cancel_all_followed);
  add_modes ("/cancel/all/combined", test_cancel_combined);
  add_modes ("/cancel/hundreds", test_hundreds);

  return g_test_run ();
}
