/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "map-rig.h"
#include "workshop.h"

#include <string.h>

/* One function over many arguments: each call has its outcome, in order or not, however one takes
 * them; and no more is asked for than there is room for. */

#define N_CALLS 20000

static void
test_for_each (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (N_CALLS, NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Each call's outcome comes once, in the order of the source, and then the end.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  g_assert_true (dray_map_get_ordered (map));
  map_record_run (record, map);
  g_assert_no_error (record->error);
  g_assert_cmpuint (record->n_values, ==, N_CALLS);
  g_assert_true (record->in_order);
  g_assert_true (record->freed);
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, N_CALLS);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, N_CALLS);
  rig_run_until_count (rig, queue_length, 0);
  rig_run_until_count (rig, running, 0);
}

static void
test_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (N_CALLS, NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("One may wait for outcomes with no main loop running at all; the source is asked "
                  "inside the wait.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  map_record_wait (record, map);
  g_assert_no_error (record->error);
  g_assert_cmpuint (record->n_values, ==, N_CALLS);
  g_assert_true (record->in_order);
  g_assert_null (dray_map_wait_next (map, -1, NULL, &record->error));
  g_assert_no_error (record->error);
}

static const char *
block_first (guint64 index)
{
  return index == 0 ? "block" : "";
}

typedef struct
{
  guint n_outcomes;
  gboolean freed;
  gboolean done;
} Counted;

static void
count_outcome_cb (DrayMap *map, DrayOutcome *outcome, gpointer user_data)
{
  Counted *counted = user_data;

  g_assert_false (counted->freed);
  counted->n_outcomes++;
}

static void
free_counted_cb (gpointer user_data)
{
  Counted *counted = user_data;

  g_assert_false (counted->freed);
  counted->freed = TRUE;
}

static void
finish_counted_cb (GObject *map, GAsyncResult *result, gpointer user_data)
{
  Counted *counted = user_data;
  g_autoptr (GError) error = NULL;

  g_assert_true (dray_map_for_each_finish (DRAY_MAP (map), result, NULL, &error));
  g_assert_no_error (error);
  counted->done = TRUE;
}

static void
test_freed (Rig *rig, gconstpointer data)
{
  GVariant *values[] = { g_variant_new ("(ii)", 1, 2), g_variant_new ("(ii)", 3, 4) };
  g_autoptr (DrayMap) map = NULL;
  Counted counted = { 0 };

  g_test_summary ("The data of the function that takes outcomes is freed once, after the last.");

  rig_start (rig, 1);
  map = dray_executor_map_values (rig->executor, "add", values, G_N_ELEMENTS (values));
  dray_map_for_each_async (map, count_outcome_cb, &counted, free_counted_cb, NULL,
                           finish_counted_cb, &counted);
  fixture_iterate_until_true (&counted.freed, "the data to be freed");
  g_assert_true (counted.done);
  g_assert_cmpuint (counted.n_outcomes, ==, 2);
}

static void
test_unordered (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (2000, block_first);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Where order does not count, one call that takes for ever holds up none of the "
                  "others; those that came with it run elsewhere.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  dray_map_set_ordered (map, FALSE);
  g_assert_false (dray_map_get_ordered (map));
  while (record->n_outcomes < 1999)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);

      g_assert_no_error (error);
      map_record_take (record, outcome);
    }
  g_assert_cmpuint (record->n_errors, ==, 0);
  g_assert_null (dray_map_wait_next (map, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);

  dray_map_cancel (map);
  map_record_wait (record, map);
  g_assert_no_error (record->error);
  map_record_expect_error (record, 0, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_ordered_waits (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, block_first);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Where order counts, nothing comes before the first one's outcome, and the "
                  "source is asked no more than there is room for.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  dray_map_set_max_in_flight (map, 50);
  g_assert_cmpuint (dray_map_get_max_in_flight (map), ==, 50);
  g_assert_null (dray_map_wait_next (map, 1, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  rig_run_until_count (rig, succeeded, 49);
  rig_let_time_pass ();
  g_assert_cmpuint (record->n_asked, ==, 50);
  g_assert_cmpuint (record->n_outcomes, ==, 0);

  dray_map_cancel (map);
  map_record_wait (record, map);
  g_assert_error (record->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (record->n_values, ==, 49);
  g_assert_true (record->in_order);
}

static const char *
fail_some (guint64 index)
{
  return index % 7 == 3 ? "fail" : index % 501 == 0 ? "large" : index % 11 == 0 ? "nothing" : "";
}

static void
test_errors (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (5000, fail_some);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("A call that fails does so alone, with its own error; results may be of any type "
                  "and size.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_no_error (record->error);
  g_assert_true (record->in_order);
  for (guint64 i = 0; i < 5000; i++)
    {
      g_assert_true (g_hash_table_contains (record->errors, &i) == (i % 7 == 3));
      if (i % 7 == 3)
        map_record_expect_error (record, i, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
    }
  g_assert_cmpuint (rig_get_count (rig, failed), ==, record->n_errors);
}

static const char *
fail_at_length (guint64 index)
{
  return index % 3 == 1 ? "fail-at-length" : "";
}

static void
test_long_errors (Rig *rig, gconstpointer data)
{
  const guint64 index = 1;
  g_autoptr (MapRecord) record = map_record_new (300, fail_at_length);
  g_autoptr (DrayMap) map = NULL;
  const GError *error;

  g_test_summary ("An error whose message is as long as one can be comes whole, between others.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_no_error (record->error);
  g_assert_true (record->in_order);
  g_assert_cmpuint (record->n_errors, ==, 100);
  error = dray_outcome_get_error (g_hash_table_lookup (record->errors, &index));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_cmpuint (strlen (error->message), ==, 32 * 1024);
}

static const char *
fill_up (guint64 index)
{
  return index % 2 == 0 ? "10000" : "25000";
}

static void
test_filled_up (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (1000, fill_up);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Where a result has no room behind those that are packed, these go first.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_no_error (record->error);
  g_assert_true (record->in_order);
  g_assert_cmpuint (record->n_values, ==, 1000);
}

static void
test_too_large (Rig *rig, gconstpointer data)
{
  GVariant *values[9];
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A result that is too large is refused by itself.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-message-size", G_GUINT64_CONSTANT (100000), NULL);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    values[i] = g_variant_new ("(u)", i % 3 == 1 ? 200000 : 10);
  map = dray_executor_map_values (rig->executor, "bytes", values, G_N_ELEMENTS (values));
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);

      g_assert_no_error (error);
      if (i % 3 == 1)
        g_assert_error (dray_outcome_get_error (outcome), DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
      else
        g_assert_cmpuint (g_variant_get_size (dray_outcome_get_value (outcome)), ==, 10);
    }
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
}

static void
test_unknown_function (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;
  GVariant *values[] = { g_variant_new_byte (1), g_variant_new_string ("two"),
                         g_variant_new ("(xss)", G_GINT64_CONSTANT (2), "", "") };

  g_test_summary ("Arguments of different types may follow each other; each is refused by itself.");

  rig_start (rig, 1);
  map = dray_executor_map_values (rig->executor, "step", values, G_N_ELEMENTS (values));
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);
      g_autoptr (GError) failure = NULL;
      g_autoptr (GVariant) value = NULL;

      g_assert_no_error (error);
      value = dray_outcome_dup_result (outcome, &failure);
      if (i < 2)
        g_assert_error (failure, DRAY_ERROR, DRAY_ERROR_BAD_ARGUMENTS);
      else
        g_assert_cmpint (g_variant_get_int64 (value), ==, 3);
    }
}

static void
test_bound (Rig *rig, gconstpointer data)
{
  g_test_summary ("No more than the bound is ever in flight, whatever it is, and it all comes "
                  "through.");

  rig_start (rig, 2);
  for (guint bound = 1; bound < 1000; bound = bound * 3 + 1)
    {
      g_autoptr (MapRecord) record = map_record_new (3000, NULL);
      g_autoptr (DrayMap) map = map_record_start (record, rig);

      dray_map_set_max_in_flight (map, bound);
      map_record_run (record, map);
      g_assert_cmpuint (record->n_values, ==, 3000);
      g_assert_cmpuint (record->most_in_flight, <=, bound);
    }
}

static const char *
sleep_always (guint64 index)
{
  return "spin";
}

static void
test_spread (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (50, sleep_always);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Calls that take long are not packed together: both workers have some.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_values, ==, 50);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 2);
}

static const char *
emit_always (guint64 index)
{
  return "emit";
}

static void
test_emitting (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (1000, emit_always);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("What a call emits is not heard, and nothing is held up by it.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_values, ==, 1000);
  g_assert_cmpuint (rig_get_count (rig, items), ==, 0);
}

static const char *
ask_id (guint64 index)
{
  return "id";
}

static void
test_ids (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (5000, ask_id);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GHashTable) ids = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);

  g_test_summary ("Each call has a number of its own, which no other task has.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  for (int i = 0; i < 5000; i++)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, NULL);
      guint64 id = g_variant_get_uint64 (dray_outcome_get_value (outcome));

      g_assert_true (g_hash_table_add (ids, g_memdup2 (&id, sizeof id)));
    }
}

static const char *
block_fifth (guint64 index)
{
  return index == 5 ? "block" : "";
}

static void
test_time_limit (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (20, block_fifth);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("A time limit is that of each call, and hits the one that takes longer.");

  rig_start (rig, 1);
  map = map_record_start (record, rig);
  dray_task_set_time_limit (dray_map_get_task (map), 3000);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_values, ==, 19);
  map_record_expect_error (record, 5, DRAY_ERROR, DRAY_ERROR_TIMED_OUT);
}

static void
test_max_tasks_per_worker (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (40, NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Each call counts as one where workers are replaced after some.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-tasks-per-worker", 10, NULL);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_values, ==, 40);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 4);
}

static void
test_with_others (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) endless = map_record_new (0, NULL);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GListModel *futures;

  g_test_summary ("Other tasks have their turn while a map runs without end, and a list of futures "
                  "has only those.");

  rig_start (rig, 2);
  futures = dray_executor_get_futures (rig->executor);
  map = map_record_start (endless, rig);
  dray_map_for_each_async (map, map_record_outcome_cb, endless, NULL, cancellable,
                           map_record_finish_cb, endless);
  for (int i = 0; i < 20; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "add", "(ii)", 2, i);
      g_autofree char *sum = g_strdup_printf ("%d", 2 + i);

      rig_expect_text (future, sum);
      g_assert_cmpuint (g_list_model_get_n_items (futures), <=, 1);
    }

  g_cancellable_cancel (cancellable);
  fixture_iterate_until_true (&endless->done, "the end of the map");
  g_assert_error (endless->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (endless->n_outcomes, ==, endless->n_asked);
}

static void
test_packed (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (N_CALLS, NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("The outcomes of tiny calls come many at a time: in fewer bytes than a message "
                  "for each would have.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_cmpuint (rig_get_count (rig, bytes_in), <, 40 * N_CALLS);
}

static const char *
large_then_small (guint64 index)
{
  return index > 100 && index < 200 ? "large" : "";
}

static void
test_large_then_small (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (N_CALLS, large_then_small);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("After large results, which come one by one, small ones are packed again.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_values, ==, N_CALLS);
  g_assert_cmpuint (rig_get_count (rig, bytes_in), <, 40 * N_CALLS + 100 * 110000);
}

static void
test_two_maps (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) one = map_record_new (5000, NULL);
  g_autoptr (MapRecord) other = map_record_new (5000, NULL);
  g_autoptr (DrayMap) first = NULL;
  g_autoptr (DrayMap) second = NULL;

  g_test_summary ("Two maps run side by side, one as it comes and one waited for.");

  rig_start (rig, 2);
  first = map_record_start (one, rig);
  second = map_record_start (other, rig);
  dray_map_for_each_async (first, map_record_outcome_cb, one, NULL, NULL, map_record_finish_cb,
                           one);
  map_record_wait (other, second);
  fixture_iterate_until_true (&one->done, "the end of the other map");
  g_assert_cmpuint (one->n_values, ==, 5000);
  g_assert_cmpuint (other->n_values, ==, 5000);
}

static void
test_empty (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, NULL);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (DrayMap) waited = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A map over nothing is over at once, and starts no worker.");

  rig_start (rig, 2);
  map = dray_executor_map_values (rig->executor, "step", NULL, 0);
  waited = dray_executor_map_values (rig->executor, "step", NULL, 0);
  map_record_run (record, map);
  g_assert_no_error (record->error);
  g_assert_null (dray_map_wait_next (waited, -1, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 0);
}

typedef struct
{
  MapRecord *record;
  gboolean ended;
} Pull;

static void
pulled_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Pull *pull = user_data;
  DrayMap *map = DRAY_MAP (object);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) outcomes = dray_map_next_many_finish (map, result, &error);

  g_assert_no_error (error);
  pull->ended = outcomes == NULL;
  if (pull->ended)
    return;

  g_assert_cmpuint (outcomes->len, >, 0);
  g_assert_cmpuint (outcomes->len, <=, 10);
  for (guint i = 0; i < outcomes->len; i++)
    map_record_take (pull->record, outcomes->pdata[i]);
  dray_map_next_many_async (map, 10, NULL, pulled_cb, pull);
}

static void
test_many_async (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (3000, NULL);
  g_autoptr (DrayMap) map = NULL;
  Pull pull = { .record = record };

  g_test_summary ("Outcomes may be asked for, some at a time; none at all is the end.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  dray_map_next_many_async (map, 10, NULL, pulled_cb, &pull);
  g_assert_cmpuint (record->n_asked, ==, 0);
  fixture_iterate_until_true (&pull.ended, "the end");
  g_assert_cmpuint (record->n_values, ==, 3000);
  g_assert_true (record->in_order);
}

/* Takes the next ones, blocking or not. */
typedef GPtrArray *(*TakeManyFunc) (DrayMap *map, guint max);

static GPtrArray *
wait_many (DrayMap *map, guint max)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *outcomes = dray_map_wait_next_many (map, max, -1, NULL, &error);

  g_assert_no_error (error);
  return outcomes;
}

typedef struct
{
  GPtrArray *outcomes; /* (owned) (nullable) */
  gboolean told;
} Many;

static void
many_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Many *many = user_data;
  g_autoptr (GError) error = NULL;

  many->outcomes = dray_map_next_many_finish (DRAY_MAP (object), result, &error);
  g_assert_no_error (error);
  many->told = TRUE;
}

static GPtrArray *
run_until_many (DrayMap *map, guint max)
{
  Many many = { 0 };

  dray_map_next_many_async (map, max, NULL, many_cb, &many);
  fixture_iterate_until_true (&many.told, "the next ones");
  return many.outcomes;
}

static const TakeManyFunc takes_many[] = { wait_many, run_until_many };

static void
test_any_number (Rig *rig, gconstpointer data)
{
  TakeManyFunc take = takes_many[GPOINTER_TO_UINT (data)];
  const guint most = 65536;
  const guint wanted[] = { 0, G_MAXUINT, 0 };
  const guint given[] = { most, most, 10 };
  g_autoptr (MapRecord) record = map_record_new (2 * most + 10, NULL);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Who wants any number gets all that are there, or as many as are given at a "
                  "time; so does who wants more than that. At the end there are none.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  dray_map_set_max_in_flight (map, G_MAXUINT);
  dray_executor_set_paused (rig->executor, TRUE);
  g_assert_null (dray_map_wait_next_many (map, 0, 0, NULL, &error)); /* which begins it */
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  dray_executor_set_paused (rig->executor, FALSE);
  rig_run_until_count (rig, succeeded, record->n_calls);

  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
    {
      g_autoptr (GPtrArray) outcomes = take (map, wanted[i]);

      g_assert_cmpuint (outcomes->len, ==, given[i]);
      for (guint j = 0; j < outcomes->len; j++)
        map_record_take (record, outcomes->pdata[j]);
    }
  g_assert_null (take (map, 0));
  g_assert_cmpuint (record->n_values, ==, record->n_calls);
  g_assert_true (record->in_order);
}

static void
one_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  MapRecord *record = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (DrayOutcome) outcome = dray_map_next_finish (DRAY_MAP (object), result, &error);

  g_assert_no_error (error);
  if (outcome != NULL)
    map_record_take (record, outcome);
  else
    record->done = TRUE;
}

/* For five outcomes one by one, and for the end. */
static void
ask_six_times (DrayMap *map, MapRecord *record)
{
  for (int i = 0; i < 6; i++)
    dray_map_next_async (map, NULL, one_cb, record);
}

static void
test_one_async (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (5, NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Many may ask for the next outcome at a time; they are served in order, and keep "
                  "the map alive.");

  rig_start (rig, 1);
  map = map_record_start (record, rig);
  ask_six_times (map, record);
  g_clear_object (&map);
  fixture_iterate_until_true (&record->done, "the end");
  g_assert_cmpuint (record->n_values, ==, 5);
  g_assert_true (record->in_order);
}

static void
test_no_slice (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (50, NULL);
  g_autoptr (MapRecord) asked = map_record_new (5, NULL);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (DrayMap) asked_map = NULL;

  g_test_summary ("However short the slices are, outcomes come: one in each at least.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "slice", 0, NULL);
  map = map_record_start (record, rig);
  map_record_run (record, map);
  g_assert_no_error (record->error);
  g_assert_cmpuint (record->n_values, ==, 50);

  asked_map = map_record_start (asked, rig);
  ask_six_times (asked_map, asked);
  fixture_iterate_until_true (&asked->done, "the end");
  g_assert_cmpuint (asked->n_values, ==, 5);
}

static void
cancelled_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GError **error = user_data;
  g_autoptr (DrayOutcome) outcome = dray_map_next_finish (DRAY_MAP (object), result, error);

  g_assert_null (outcome);
}

static gboolean
has_error (gpointer user_data)
{
  return *(GError **) user_data != NULL;
}

static void
test_cancel_next (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (1, block_first);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) wait_error = NULL;

  g_test_summary ("Who asked for the next outcome may lose interest, which is nothing to the map.");

  rig_start (rig, 1);
  map = map_record_start (record, rig);
  dray_map_next_async (map, cancellable, cancelled_cb, &error);
  rig_run_until_count (rig, running, 1);
  g_cancellable_cancel (cancellable);
  fixture_iterate_until (has_error, &error, "the one who asked to be told");
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (dray_map_wait_next (map, -1, cancellable, &wait_error));
  g_assert_error (wait_error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (rig_get_count (rig, running), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/map/for-each", NULL, test_for_each);
  rig_add ("/map/wait", NULL, test_wait);
  rig_add ("/map/freed", NULL, test_freed);
  rig_add ("/map/unordered", NULL, test_unordered);
  rig_add ("/map/ordered-waits", NULL, test_ordered_waits);
  rig_add ("/map/errors", NULL, test_errors);
  rig_add ("/map/errors/long", NULL, test_long_errors);
  rig_add ("/map/filled-up", NULL, test_filled_up);
  rig_add ("/map/too-large", NULL, test_too_large);
  rig_add ("/map/bad-arguments", NULL, test_unknown_function);
  rig_add ("/map/bound", NULL, test_bound);
  rig_add ("/map/spread", NULL, test_spread);
  rig_add ("/map/emitting", NULL, test_emitting);
  rig_add ("/map/ids", NULL, test_ids);
  rig_add ("/map/time-limit", NULL, test_time_limit);
  rig_add ("/map/max-tasks-per-worker", NULL, test_max_tasks_per_worker);
  rig_add ("/map/with-others", NULL, test_with_others);
  rig_add ("/map/packed", NULL, test_packed);
  rig_add ("/map/large-then-small", NULL, test_large_then_small);
  rig_add ("/map/two-maps", NULL, test_two_maps);
  rig_add ("/map/empty", NULL, test_empty);
  rig_add ("/map/many-async", NULL, test_many_async);
  rig_add ("/map/any-number/wait", GUINT_TO_POINTER (0), test_any_number);
  rig_add ("/map/any-number/async", GUINT_TO_POINTER (1), test_any_number);
  rig_add ("/map/one-async", NULL, test_one_async);
  rig_add ("/map/no-slice", NULL, test_no_slice);
  rig_add ("/map/cancel-next", NULL, test_cancel_next);

  return g_test_run ();
}
