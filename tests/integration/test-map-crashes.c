/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "map-rig.h"

/* Workers that die, or say what can't be, in the midst of many packed calls: the one call that ran
 * is hurt, no other; and none is run twice. */

#define N_CALLS 6000

/* Enough calls before the first one for chunks to have grown; then each place in a chunk has its
 * turn, the first and the last included, with two right behind each other. */
static gboolean
is_bad (guint64 index)
{
  return index > 1000 && (index % 331 == 0 || index % 331 == 1 || index == N_CALLS - 1);
}

static const char *
exit_some (guint64 index)
{
  return is_bad (index) ? "exit" : index % 13 == 0 ? "fail" : "";
}

static const char *
kill_some (guint64 index)
{
  return is_bad (index) ? "kill" : index % 13 == 0 ? "fail" : "";
}

static const char *
crash_some (guint64 index)
{
  return is_bad (index) ? "crash" : index % 13 == 0 ? "fail" : "";
}

static void
expect_hurt (MapRecord *record, guint64 n_calls)
{
  for (guint64 i = 0; i < n_calls; i++)
    {
      if (is_bad (i))
        map_record_expect_error (record, i, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
      else if (i % 13 == 0)
        map_record_expect_error (record, i, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
      else
        g_assert_false (g_hash_table_contains (record->errors, &i));
    }
}

typedef struct
{
  const char *name;
  MapWhat what;
  gboolean ordered;
} Death;

static const Death deaths[] = {
  { "/map-crashes/exit", exit_some, TRUE },
  { "/map-crashes/killed", kill_some, FALSE },
  { "/map-crashes/crash", crash_some, TRUE },
};

static void
test_death (Rig *rig, gconstpointer data)
{
  const Death *death = data;
  g_autoptr (MapRecord) record = map_record_new (N_CALLS, death->what);
  g_autofree char *path = rig_dup_path (rig, "begun");
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Whatever way a worker dies, the call that it ran fails, those that it had done "
                  "keep their outcomes, also where these were not sent, and those behind are run "
                  "by another one: each is begun once.");

  rig_start (rig, 2);
  record->path = path;
  map = map_record_start (record, rig);
  dray_map_set_ordered (map, death->ordered);
  map_record_run (record, map);
  g_assert_no_error (record->error);
  g_assert_cmpuint (record->n_outcomes, ==, N_CALLS);
  g_assert_true (record->in_order || !death->ordered);
  expect_hurt (record, N_CALLS);
  map_expect_begun_once (path, N_CALLS);
}

static void
test_without_memory (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (3000, exit_some);
  g_autofree char *path = rig_dup_path (rig, "begun");
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("The same holds for workers that can't share memory with the application.");

  rig_start_with (rig, rig_new_launcher ("--no-ring"), 2);
  record->path = path;
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_no_error (record->error);
  expect_hurt (record, 3000);
  map_expect_begun_once (path, 3000);
}

static const char *
exit_once (guint64 index)
{
  return is_bad (index) ? "exit-at-first" : "";
}

static void
test_retried (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (N_CALLS, exit_once);
  g_autoptr (DrayMap) map = NULL;
  guint n_bad = 0;

  g_test_summary ("With retries, a call whose worker died is run again, and only that one.");

  rig_start (rig, 2);
  for (guint64 i = 0; i < N_CALLS; i++)
    n_bad += is_bad (i);
  map = map_record_start (record, rig);
  dray_task_set_max_retries (dray_map_get_task (map), 1);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_values, ==, N_CALLS);
  g_assert_true (record->in_order);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, n_bad);
}

static void
test_retried_in_vain (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (1500, exit_some);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("One that kills its worker each time fails when its retries are used up.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  dray_task_set_max_retries (dray_map_get_task (map), 2);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_outcomes, ==, 1500);
  g_assert_true (record->in_order);
  expect_hurt (record, 1500);
}

static const char *
forget_some (guint64 index)
{
  return is_bad (index) ? "forget" : "";
}

static void
test_unheard (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (N_CALLS, forget_some);
  g_autofree char *path = rig_dup_path (rig, "begun");
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("A worker dies of a call, and has sent outcomes that were not heard: those are "
                  "lost as that call is, and none of them is begun again.");

  rig_start (rig, 2);
  record->path = path;
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_no_error (record->error);
  g_assert_cmpuint (record->n_outcomes, ==, N_CALLS);
  for (guint64 i = 0; i < N_CALLS; i++)
    if (is_bad (i))
      map_record_expect_error (record, i, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
  g_test_message ("%" G_GUINT64_FORMAT " calls were lost", record->n_errors);
  map_expect_begun_once (path, N_CALLS);
}

static const char *
forget_once (guint64 index)
{
  return is_bad (index) ? "forget-at-first" : "";
}

static void
test_unheard_retried (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (N_CALLS, forget_once);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("With retries, all that was lost with it is run again.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  dray_task_set_max_retries (dray_map_get_task (map), 1);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_values, ==, N_CALLS);
  g_assert_true (record->in_order);
}

static const char *
exit_always (guint64 index)
{
  return "exit";
}

static void
test_all_die (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (6, exit_always);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Where every call kills its worker, every call fails, and no more.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_errors, ==, 6);
  for (guint64 i = 0; i < 6; i++)
    map_record_expect_error (record, i, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
}

static GVariant *
give_unit_cb (gpointer user_data)
{
  guint *n_left = user_data;

  return (*n_left)-- > 0 ? g_variant_new_tuple (NULL, 0) : NULL;
}

static void
expect_protocol_error (Rig *rig, const char *function)
{
  guint n_calls = 3;
  guint n_outcomes = 0;
  g_autoptr (DrayMap) map = dray_executor_map (rig->executor, function, give_unit_cb, &n_calls,
                                               NULL);

  for (;;)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);

      g_assert_no_error (error);
      if (outcome == NULL)
        break;

      n_outcomes++;
      if (!g_str_equal (function, "half-frame"))
        g_assert_error (dray_outcome_get_error (outcome), DRAY_ERROR, DRAY_ERROR_PROTOCOL);
      else
        g_assert_error (dray_outcome_get_error (outcome), DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
    }
  g_assert_cmpuint (n_outcomes, ==, 3);
}

static void
test_garbage (Rig *rig, gconstpointer data)
{
  const char *functions[] = { "garbage", "oversized", "wrong-id", "false-outcomes", "half-frame" };

  g_test_summary ("A worker that breaks the protocol in a call of a map costs that call.");

  rig_start (rig, 2);
  for (gsize i = 0; i < G_N_ELEMENTS (functions); i++)
    expect_protocol_error (rig, functions[i]);
}

static void
test_no_launch (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (10, NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("If no worker can be started, each call says so.");

  rig_start_with (rig, rig_new_launcher ("--init-fails"), 2);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_errors, ==, 10);
  for (guint64 i = 0; i < 10; i++)
    map_record_expect_error (record, i, DRAY_ERROR, DRAY_ERROR_LAUNCH);
}

static void
test_no_launcher (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (100, NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("So it does where there are no workers to be started at all.");

  rig_start_without_workers (rig);
  map = map_record_start (record, rig);
  map_record_wait (record, map);
  g_assert_cmpuint (record->n_errors, ==, 100);
  map_record_expect_error (record, 99, DRAY_ERROR, DRAY_ERROR_LAUNCH);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (deaths); i++)
    rig_add (deaths[i].name, &deaths[i], test_death);
  rig_add ("/map-crashes/without-memory", NULL, test_without_memory);
  rig_add ("/map-crashes/retried", NULL, test_retried);
  rig_add ("/map-crashes/retried-in-vain", NULL, test_retried_in_vain);
  rig_add ("/map-crashes/unheard", NULL, test_unheard);
  rig_add ("/map-crashes/unheard/retried", NULL, test_unheard_retried);
  rig_add ("/map-crashes/all-die", NULL, test_all_die);
  rig_add ("/map-crashes/garbage", NULL, test_garbage);
  rig_add ("/map-crashes/no-launch", NULL, test_no_launch);
  rig_add ("/map-crashes/no-launcher", NULL, test_no_launcher);

  return g_test_run ();
}
