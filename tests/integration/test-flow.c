/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

/*
 * The limits on what lies undelivered, and who waits meanwhile: the worker.
 *
 * In these tests nobody iterates the main context until they say so. That a limit holds can only
 * be seen by giving the library the time to exceed it.
 */

#define LIMIT (1024 * 1024)
/* What is read in one go before the limit is looked at again, and what the buffers hold. */
#define SLACK (3 * 1024 * 1024)

typedef struct
{
  guint n_items;
  guint64 n_bytes;
} Heard;

static void
item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  Heard *heard = user_data;

  heard->n_items++;
  heard->n_bytes += g_variant_get_size (value);
}

static DrayFuture *
listen (DrayFuture *future, Heard *heard)
{
  g_signal_connect (future, "item", G_CALLBACK (item_cb), heard);

  return future;
}

static void
start_limited (Rig *rig, guint max_workers)
{
  rig_start (rig, max_workers);
  g_object_set (rig->executor, "max-undelivered-bytes", (guint64) LIMIT, NULL);
}

static void
test_bytes (Rig *rig, gconstpointer data)
{
  Heard heard = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("With a main context that is not iterated, what is undelivered stays near the "
                  "limit and the worker waits; later everything arrives.");

  start_limited (rig, 1);
  future = listen (rig_call (rig, "stream", "(uu)", 400, 100000), &heard);
  workshop_block_until_undelivered (rig->executor, LIMIT);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), >=, LIMIT);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <, LIMIT + SLACK);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);
  g_assert_cmpuint (heard.n_items, ==, 0);

  g_assert_cmpuint (rig_expect_uint32 (future), ==, 400);
  g_assert_cmpuint (heard.n_bytes, ==, 400 * 100000);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

static gboolean
has_hundred_items (gpointer user_data)
{
  Rig *rig = user_data;

  return rig_get_count (rig, undelivered_items) >= 100;
}

static void
test_items (Rig *rig, gconstpointer data)
{
  Heard heard = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("The number of items has a limit as well.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-undelivered-items", 100, NULL);
  future = listen (rig_call (rig, "stream", "(uu)", 2000, 10000), &heard);
  workshop_block_until (has_hundred_items, rig, "a hundred items are undelivered");
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_items), <, 100 + SLACK / 10000);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);

  g_assert_cmpuint (rig_expect_uint32 (future), ==, 2000);
  g_assert_cmpuint (heard.n_items, ==, 2000);
}

static void
test_results (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Results count like items: with too many of them undelivered, the next ones wait "
                  "in their workers.");

  start_limited (rig, 2);
  for (int i = 0; i < 100; i++)
    g_ptr_array_add (futures, rig_call (rig, "bytes", "(u)", 300000));
  workshop_block_until_undelivered (rig->executor, LIMIT);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <, LIMIT + 2 * SLACK);
  g_assert_cmpuint (rig_get_count (rig, succeeded), <, 100);

  rig_run_until_all_done (futures);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, 100);
  g_assert_cmpuint (rig_get_count (rig, undelivered_items), ==, 0);
}

static void
test_two_streams (Rig *rig, gconstpointer data)
{
  Heard heard[2] = { { 0 }, { 0 } };
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;

  g_test_summary ("A wait lifts the limit for the task that is waited for, and for no other.");

  start_limited (rig, 2);
  first = listen (rig_call (rig, "stream", "(uu)", 400, 100000), &heard[0]);
  second = listen (rig_call (rig, "stream", "(uu)", 400, 100000), &heard[1]);
  workshop_block_until_running (first);
  workshop_block_until_running (second);
  workshop_block_until_undelivered (rig->executor, LIMIT);
  g_assert_true (dray_future_wait (second, -1, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (first), ==, DRAY_FUTURE_RUNNING);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), >=, 400 * 100000);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <, 400 * 100000 + LIMIT + 2 * SLACK);

  g_assert_cmpuint (rig_expect_uint32 (first), ==, 400);
  g_assert_cmpuint (rig_expect_uint32 (second), ==, 400);
  g_assert_cmpuint (heard[0].n_items, ==, 400);
  g_assert_cmpuint (heard[1].n_items, ==, 400);
}

static gboolean
has_two_done (gpointer user_data)
{
  Rig *rig = user_data;

  return rig_get_count (rig, succeeded) == 2;
}

static void
test_drop (Rig *rig, gconstpointer data)
{
  Heard heard = { 0 };
  DrayFuture *future;
  int pid;

  g_test_summary ("Dropping the last reference on a future frees what it did not deliver, and its "
                  "worker goes on, without a main context.");

  rig->drops_futures = TRUE;
  start_limited (rig, 1);
  pid = rig_ask_pid (rig);
  future = listen (rig_call (rig, "stream", "(uu)", 400, 100000), &heard);
  workshop_block_until_undelivered (rig->executor, LIMIT);
  g_object_unref (future);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
  g_assert_cmpuint (rig_get_count (rig, undelivered_items), ==, 0);

  workshop_block_until (has_two_done, rig, "the stream is done");
  g_assert_cmpuint (rig_get_count (rig, items), ==, 400);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
  g_assert_cmpuint (heard.n_items, ==, 0);
}

static gboolean
has_one_done (gpointer user_data)
{
  Rig *rig = user_data;

  return rig_get_count (rig, succeeded) == 1;
}

static void
test_drop_one (Rig *rig, gconstpointer data)
{
  Heard heard = { 0 };
  g_autoptr (DrayFuture) kept = NULL;
  DrayFuture *dropped;

  g_test_summary ("While one stream is held up by the limit, another one that nobody wants is "
                  "not.");

  rig->drops_futures = TRUE;
  start_limited (rig, 2);
  kept = listen (rig_call (rig, "stream", "(uu)", 400, 100000), &heard);
  workshop_block_until_undelivered (rig->executor, LIMIT);
  dropped = rig_call (rig, "stream", "(uu)", 400, 100000);
  workshop_block_until_running (dropped);
  g_object_unref (dropped);
  workshop_block_until (has_one_done, rig, "the dropped stream is done");
  g_assert_cmpint (dray_future_get_state (kept), ==, DRAY_FUTURE_RUNNING);

  g_assert_cmpuint (rig_expect_uint32 (kept), ==, 400);
  g_assert_cmpuint (heard.n_items, ==, 400);
}

static gboolean
has_cancelled (gpointer user_data)
{
  Rig *rig = user_data;

  return rig_get_count (rig, cancelled) + rig_get_count (rig, succeeded) == 2;
}

static void
test_cancel_confirmed (Rig *rig, gconstpointer data)
{
  Heard heard = { 0 };
  DrayTask *task = rig_new_task ("stream", "(uint32 4000, uint32 100000)");
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  g_test_summary ("A cancelled task is read whatever the limit says, so that it can stop by "
                  "itself, and its worker lives on.");

  start_limited (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  pid = rig_ask_pid (rig);
  dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  future = listen (rig_submit (rig, task), &heard);
  workshop_block_until_undelivered (rig->executor, LIMIT);
  dray_future_cancel (future);
  workshop_block_until (has_cancelled, rig, "the task was stopped");
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

static void
test_lifted (Rig *rig, gconstpointer data)
{
  Heard heard = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A limit that is lifted lets the worker go on at once.");

  start_limited (rig, 1);
  future = listen (rig_call (rig, "stream", "(uu)", 200, 100000), &heard);
  workshop_block_until_undelivered (rig->executor, LIMIT);
  g_object_set (rig->executor, "max-undelivered-bytes", G_GUINT64_CONSTANT (0), NULL);
  workshop_block_until (has_one_done, rig, "the stream is done");
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), >=, 200 * 100000);

  g_assert_cmpuint (rig_expect_uint32 (future), ==, 200);
  g_assert_cmpuint (heard.n_items, ==, 200);
}

/* Of one future */

static gboolean
has_other_done (gpointer user_data)
{
  return rig_get_count (user_data, succeeded) == 1;
}

static void
test_one_future (Rig *rig, gconstpointer data)
{
  Heard heard[2] = { { 0 }, { 0 } };
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) other = NULL;
  const char *property = data;
  const gboolean counts_items = g_str_has_prefix (property, "max-undelivered-items");

  g_test_summary ("A future has limits of its own, in bytes and in items: only its worker waits, "
                  "and goes on when the limit is lifted.");

  rig_start (rig, 3);
  if (counts_items)
    g_object_set (rig->executor, property, 100, NULL);
  else
    g_object_set (rig->executor, property, (guint64) LIMIT, NULL);
  first = listen (rig_call (rig, "stream", "(uu)", 400, 60000), &heard[0]);
  second = listen (rig_call (rig, "stream", "(uu)", 400, 60000), &heard[1]);
  workshop_block_until_running (first);
  workshop_block_until_running (second);
  workshop_block_until_undelivered (rig->executor, 2 * LIMIT);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <,
                    2 * ((counts_items ? 100 * 60000 : LIMIT) + SLACK));
  g_assert_cmpint (dray_future_get_state (first), ==, DRAY_FUTURE_RUNNING);
  g_assert_cmpint (dray_future_get_state (second), ==, DRAY_FUTURE_RUNNING);
  other = rig_call (rig, "null", NULL);
  workshop_block_until (has_other_done, rig, "the other task is done");

  if (counts_items)
    g_object_set (rig->executor, property, 0, NULL);
  else
    g_object_set (rig->executor, property, G_GUINT64_CONSTANT (0), NULL);
  while (!dray_future_is_done (first) || !dray_future_is_done (second))
    rig_let_time_pass ();
  g_assert_cmpuint (rig_expect_uint32 (first), ==, 400);
  g_assert_cmpuint (rig_expect_uint32 (second), ==, 400);
  g_assert_cmpuint (heard[0].n_items, ==, 400);
  g_assert_cmpuint (heard[1].n_items, ==, 400);
}

static void
test_one_future_goes_on (Rig *rig, gconstpointer data)
{
  Heard heard = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("With the smallest limit of its own a future is delivered to its end.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-undelivered-items-per-future", 1,
                "max-undelivered-bytes-per-future", G_GUINT64_CONSTANT (1), NULL);
  future = listen (rig_call (rig, "stream", "(uu)", 3000, 5000), &heard);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 3000);
  g_assert_cmpuint (heard.n_items, ==, 3000);
}

static void
test_one_future_wait (Rig *rig, gconstpointer data)
{
  Heard heard = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A wait lifts the limit of the future that is waited for.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-undelivered-bytes-per-future", (guint64) LIMIT, NULL);
  future = listen (rig_call (rig, "stream", "(uu)", 400, 60000), &heard);
  workshop_block_until_undelivered (rig->executor, LIMIT);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), >=, 400 * 60000);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 400);
  g_assert_cmpuint (heard.n_items, ==, 400);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/flow/bytes", NULL, test_bytes);
  rig_add ("/flow/items", NULL, test_items);
  rig_add ("/flow/results", NULL, test_results);
  rig_add ("/flow/two-streams", NULL, test_two_streams);
  rig_add ("/flow/drop", NULL, test_drop);
  rig_add ("/flow/drop-one", NULL, test_drop_one);
  rig_add ("/flow/cancel-confirmed", NULL, test_cancel_confirmed);
  rig_add ("/flow/lifted", NULL, test_lifted);
  rig_add ("/flow/one-future/bytes", "max-undelivered-bytes-per-future", test_one_future);
  rig_add ("/flow/one-future/items", "max-undelivered-items-per-future", test_one_future);
  rig_add ("/flow/one-future/goes-on", NULL, test_one_future_goes_on);
  rig_add ("/flow/one-future/wait", NULL, test_one_future_wait);

  return g_test_run ();
}
