/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "payload-rig.h"
#include "workshop.h"

#include <signal.h>

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
run_out_of_time (Rig *rig, const char *function, guint limit)
{
  g_autoptr (DrayFuture) future = rig_submit (rig, new_task (function, NULL, limit));
  g_autoptr (DrayFuture) next = rig_submit (rig, new_task ("attempt", NULL, GENEROUS));

  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 1);
}

static void
test_replaced (Rig *rig, gconstpointer data)
{
  guint limit = 300;
  int pid;

  g_test_summary ("A worker that does not stop in time is replaced; the task that waits behind is "
                  "not hit, nor is it its second attempt.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 100, NULL);
  pid = rig_ask_pid (rig);
  /* It is not replaced if the time was over before the function had begun. */
  do
    {
      run_out_of_time (rig, data, limit);
      limit *= 2;
    }
  while (rig_ask_pid (rig) == pid);
  g_assert_true (fixture_process_is_gone (pid));
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died_idle), ==, 0);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 2);
}

static void
test_not_retried (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_task ("spin", NULL, 500); /* within which it has begun */
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task that ran out of time is not run again, however many retries it has.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 20, NULL);
  rig_ask_pid (rig);
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
  DrayTask *task = new_task ("ignore-cancel", NULL, 1500); /* within which it has begun */
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

/* In the midst of a result */

#define LARGE (600 * 1000)              /* bytes: more than a ring, or a pipe as it comes, holds */
#define LARGE_RESULT (20 * 1000 * 1000) /* more than any pipe */

/* How large values come. There is an item before the result, or more, and when the host has taken
 * one it reads no more. */
typedef struct
{
  const char *name;
  const char *mode;    /* (nullable): of the worker */
  gboolean piped;      /* it has nothing but pipes */
  gboolean trusted;    /* so that values go in slots */
  guint64 shared_size; /* 0: as it comes */
  guint32 n_items;
  guint32 item_size;
  gboolean shares; /* large values are in shared memory, as long as there is room */
  gboolean fits;   /* there is room for the result: it lies there and is not read */
} Road;

typedef struct
{
  const Road *road;
  gboolean stopped; /* the worker is, and so never gets to the end of it */
} Midst;

static const Road roads[] = {
  { "ring", .n_items = 1, .item_size = 10 },
  { "no-ring", .mode = "--no-ring", .n_items = 1, .item_size = 10 },
  { "pipes", .piped = TRUE, .shared_size = 4096, .n_items = 1, .item_size = 10 },
  { "sealed", .shared_size = 4096, .n_items = 1, .item_size = 10, .shares = TRUE, .fits = TRUE },
  /* As much memory as may be is on its way. */
  { "sealed/full", .shared_size = 4096, .n_items = G_MAXUINT32, .item_size = 1000 * 1000,
    .shares = TRUE },
  { "slot", .trusted = TRUE, .n_items = 1, .item_size = 10, .shares = TRUE, .fits = TRUE },
  /* The items have all of them. */
  { "slot/full", .trusted = TRUE, .n_items = 8, .item_size = 300 * 1000, .shares = TRUE },
};

static void
start_on (Rig *rig, const Road *road)
{
  static const char *const closing_prefix[] = { "sh", "-c", "exec 3<&- 4<&-; exec \"$@\"", "sh",
                                                NULL };
  DrayLauncher *launcher = rig_new_launcher (road->mode);

  dray_launcher_set_trusted (launcher, road->trusted);
  if (road->shared_size > 0)
    dray_launcher_set_shared_size (launcher, road->shared_size);
  if (road->piped)
    dray_launcher_set_prefix (launcher, closing_prefix);
  rig_start_with (rig, launcher, 1);
  /* The status, and an item. */
  g_object_set (rig->executor, "max-undelivered-items", 2, NULL);
}

static void
check_item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  const Road *road = user_data;

  workshop_assert_bytes (value, road->item_size);
}

/* It may be there as a whole, where there was room for it. */
static void
expect_out_of_time (DrayFuture *future, const Road *road)
{
  g_autoptr (GVariant) result = NULL;

  fixture_run_until_done (future);
  result = dray_future_dup_result (future, NULL);
  if (result != NULL && road->fits)
    workshop_assert_bytes (result, LARGE_RESULT);
  else
    rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
}

static gboolean
is_done (gpointer future)
{
  return dray_future_is_done (future);
}

/* Returns FALSE if the limit was over before the worker had come to the point. */
static gboolean
run_out_in_the_midst (Rig *rig, const Midst *midst, guint limit)
{
  const Road *road = midst->road;
  const int pid = rig_ask_pid (rig);
  DrayTask *task = dray_task_new_call (
    "trap-and-send",
    g_variant_new ("(suuu)", "kill", road->n_items, road->item_size, LARGE_RESULT));
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) next = NULL;
  g_autoptr (GPtrArray) others = rig_new_futures ();
  gboolean in_time;

  dray_task_set_time_limit (task, limit);
  future = rig_submit (rig, task);
  g_signal_connect (future, "item", G_CALLBACK (check_item_cb), (gpointer) road);
  next = rig_call (rig, "attempt", NULL);
  for (int i = 0; i < 4; i++)
    g_ptr_array_add (others, rig_call (rig, "bytes", "(u)", LARGE));

  in_time = rig_block_until_full (rig, future, pid);
  if (midst->stopped)
    kill (pid, SIGSTOP);
  in_time = in_time && !dray_future_is_done (future);
  if (!in_time)
    kill (pid, SIGCONT);
  workshop_block_until (is_done, future, "the limit runs out");

  expect_out_of_time (future, road);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 1);
  for (int i = 0; i < 4; i++)
    rig_expect_bytes (others->pdata[i], LARGE);
  g_assert_true (!in_time || fixture_process_is_gone (pid) == midst->stopped);

  return in_time;
}

static void
test_result (Rig *rig, gconstpointer data)
{
  const Midst *midst = data;
  g_autoptr (DrayFuture) later = NULL;
  g_autoptr (GVariant) result = NULL;
  guint limit = 250;

  g_test_summary ("A limit that runs out while a large result is on its way, and nobody reads it, "
                  "fails that task alone: nothing is had of the result, and the worker goes on; or "
                  "it is replaced, if it can't.");

  start_on (rig, midst->road);
  g_object_set (rig->executor, "grace-period", midst->stopped ? 100 : GENEROUS, NULL);
  while (!run_out_in_the_midst (rig, midst, limit))
    limit *= 2;

  g_assert_cmpuint (rig_get_count (rig, retried), ==, 0);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
  if (!midst->stopped)
    g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);

  /* The way is free again. */
  later = rig_call (rig, "bytes", "(u)", LARGE);
  result = rig_expect_result (later);
  workshop_assert_bytes (result, LARGE);
  g_assert_true (payload_is_shared (result) == midst->road->shares);
}

static void
add_results (void)
{
  static Midst midsts[G_N_ELEMENTS (roads)][2];

  for (gsize i = 0; i < G_N_ELEMENTS (roads); i++)
    {
      g_autofree char *path = g_strdup_printf ("/time-limits/result/%s", roads[i].name);
      g_autofree char *stopped_path = g_strdup_printf ("%s/stopped", path);

      midsts[i][0] = (Midst){ &roads[i], FALSE };
      midsts[i][1] = (Midst){ &roads[i], TRUE };
      rig_add (path, &midsts[i][0], test_result);
      /* Who has sent all of it is at the next one. */
      if (!roads[i].fits)
        rig_add (stopped_path, &midsts[i][1], test_result);
    }
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
  add_results ();

  return g_test_run ();
}
