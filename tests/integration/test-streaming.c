/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

/* What a task sends while it runs. */

/* What a stream of numbers was heard to send. Each number must be the next one. */
typedef struct
{
  DrayFuture *future; /* (owned) (nullable) */
  guint32 n_items;
  guint n_progress;
  gboolean done;

  guint32 nest_until; /* the handler iterates until so many items have come */
  guint nesting;
  guint32 drop_at; /* the handler drops the future at this item; 0: never */
} Stream;

static gboolean
has_nested_enough (gpointer user_data)
{
  Stream *stream = user_data;

  return stream->done || stream->n_items >= stream->nest_until;
}

static void
item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  Stream *stream = user_data;

  g_assert_false (stream->done);
  g_assert_cmpuint (g_variant_get_uint32 (value), ==, stream->n_items);
  stream->n_items++;

  if (stream->nest_until > stream->n_items && stream->nesting < 5)
    {
      stream->nesting++;
      fixture_iterate_until (has_nested_enough, stream, "a nested main loop has heard enough");
      stream->nesting--;
    }

  if (stream->n_items == stream->drop_at)
    g_clear_object (&stream->future);
}

/* No item between two reports: none of those of "numbers" may be summed up. */
static void
progress_cb (DrayFuture *future, double fraction, const char *status, gpointer user_data)
{
  Stream *stream = user_data;
  g_autofree char *expected = g_strdup_printf ("%u", stream->n_items);

  g_assert_cmpstr (status, ==, expected);
  stream->n_progress++;
}

static void
done_cb (DrayFuture *future, gpointer user_data)
{
  Stream *stream = user_data;

  stream->done = TRUE;
}

static void
listen (Stream *stream, DrayFuture *future)
{
  stream->future = future;
  g_signal_connect (future, "item", G_CALLBACK (item_cb), stream);
  g_signal_connect (future, "progressed", G_CALLBACK (progress_cb), stream);
}

static gboolean
has_items (gpointer user_data)
{
  Stream *stream = user_data;

  return stream->n_items >= stream->nest_until;
}

/* Order */

static void
test_order (Rig *rig, gconstpointer data)
{
  Stream stream = { 0 };

  g_test_summary ("Items come in order, reports of progress between them where they belong, and "
                  "all of them before the end.");

  rig_start (rig, 1);
  listen (&stream, rig_call (rig, "numbers", "(ub)", 1000, FALSE));
  dray_future_add_done_callback (stream.future, done_cb, &stream, NULL);
  g_assert_cmpuint (rig_expect_uint32 (stream.future), ==, 1000);
  g_assert_true (stream.done);
  g_assert_cmpuint (stream.n_items, ==, 1000);
  g_assert_cmpuint (stream.n_progress, ==, 100);
  g_assert_cmpuint (rig_get_count (rig, items), ==, 1000);
  g_object_unref (stream.future);
}

static void
test_before_end (Rig *rig, gconstpointer data)
{
  Stream stream = { 0 };

  g_test_summary ("Items come while the task runs.");

  rig_start (rig, 1);
  listen (&stream, rig_call (rig, "numbers", "(ub)", 20, TRUE));
  stream.nest_until = 20;
  stream.nesting = 5;
  fixture_iterate_until (has_items, &stream, "all items came");
  g_assert_cmpint (dray_future_get_state (stream.future), ==, DRAY_FUTURE_RUNNING);

  dray_future_cancel (stream.future);
  rig_expect_cancelled (stream.future);
  g_object_unref (stream.future);
}

static void
test_nested_loops (Rig *rig, gconstpointer data)
{
  Stream stream = { 0 };

  g_test_summary ("A handler may run a main loop of its own: what comes next comes there, in "
                  "order.");

  rig_start (rig, 1);
  listen (&stream, rig_call (rig, "numbers", "(ub)", 500, FALSE));
  dray_future_add_done_callback (stream.future, done_cb, &stream, NULL);
  stream.nest_until = 300;
  fixture_iterate_until_true (&stream.done, "the task is done");
  g_assert_cmpuint (stream.n_items, ==, 500);
  g_assert_cmpuint (stream.nesting, ==, 0);
  g_object_unref (stream.future);
}

/* Much */

static void
test_million (Rig *rig, gconstpointer data)
{
  const guint32 n_items = workshop_some_of (1000 * 1000);
  Stream stream = { 0 };

  g_test_summary (
    "Small items arrive, every one of them and in order, through shared memory and, "
    "where the worker does not have that, through its pipe: a million with “-m slow”.");

  rig_start_with (rig, rig_new_launcher (data), 1);
  listen (&stream, rig_call (rig, "numbers", "(ub)", n_items, FALSE));
  stream.nesting = 5;
  while (stream.n_items < n_items)
    {
      stream.nest_until = MIN (stream.n_items + n_items / 20, n_items);
      fixture_iterate_until (has_items, &stream, "more items came");
    }
  g_assert_cmpuint (rig_expect_uint32 (stream.future), ==, n_items);
  g_object_unref (stream.future);
}

static void
large_item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  guint *n_items = user_data;

  workshop_assert_bytes (value, 5 * 1000 * 1000);
  (*n_items)++;
}

static void
test_large_items (Rig *rig, gconstpointer data)
{
  guint n_items = 0;
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Items much larger than a pipe arrive whole.");

  rig_start_with (rig, rig_new_launcher (data), 1);
  future = rig_call (rig, "stream", "(uu)", 20, 5 * 1000 * 1000);
  g_signal_connect (future, "item", G_CALLBACK (large_item_cb), &n_items);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 20);
  g_assert_cmpuint (n_items, ==, 20);
}

/* Progress */

typedef struct
{
  guint n_signals;
  guint n_notified;
  double last_fraction;
  char *last_status; /* (owned) (nullable) */
} Reports;

static void
report_cb (DrayFuture *future, double fraction, const char *status, gpointer user_data)
{
  Reports *reports = user_data;

  g_assert_cmpfloat (fraction, >=, reports->last_fraction);
  reports->n_signals++;
  reports->last_fraction = fraction;
  g_free (reports->last_status);
  reports->last_status = g_strdup (status);
}

static void
notify_cb (DrayFuture *future, GParamSpec *pspec, gpointer user_data)
{
  Reports *reports = user_data;

  reports->n_notified++;
}

static void
test_summed_up (Rig *rig, gconstpointer data)
{
  Reports reports = { 0, 0, -1, NULL };
  g_autoptr (DrayFuture) future = NULL;
  g_autofree char *status = NULL;

  g_test_summary ("Progress that is reported faster than it is delivered is summed up in the last "
                  "word, and takes no memory; what the future says is up to date all the time.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  future = rig_call (rig, "progress", "(u)", 50000);
  g_signal_connect (future, "progressed", G_CALLBACK (report_cb), &reports);
  g_signal_connect (future, "notify::progress", G_CALLBACK (notify_cb), &reports);
  g_signal_connect (future, "notify::status", G_CALLBACK (notify_cb), &reports);
  g_assert_cmpfloat (dray_future_get_progress (future), ==, -1);
  g_assert_null (dray_future_dup_status (future));
  dray_executor_set_paused (rig->executor, FALSE);

  /* Nothing is delivered meanwhile. */
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_assert_cmpfloat (dray_future_get_progress (future), ==, 1);
  status = dray_future_dup_status (future);
  g_assert_cmpstr (status, ==, "step 50000 of 50000");
  g_assert_cmpuint (rig_get_count (rig, undelivered_items), ==, 2);
  g_assert_cmpuint (reports.n_signals, ==, 0);

  g_assert_cmpuint (rig_expect_uint32 (future), ==, 50001);
  g_assert_cmpuint (reports.n_signals, ==, 1);
  g_assert_cmpuint (reports.n_notified, ==, 2);
  g_assert_cmpfloat (reports.last_fraction, ==, 1);
  g_assert_cmpstr (reports.last_status, ==, "step 50000 of 50000");
  g_free (reports.last_status);
}

/* Dropping */

static void
test_drop_in_handler (Rig *rig, gconstpointer data)
{
  Stream stream = { 0 };
  int pid;

  g_test_summary ("Who drops the last reference on a future in the middle of its stream hears no "
                  "more of it; the worker goes on to the end.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  listen (&stream, rig_call (rig, "numbers", "(ub)", 100000, FALSE));
  stream.drop_at = 10;
  rig_run_until_count (rig, succeeded, 2);
  g_assert_null (stream.future);
  g_assert_cmpuint (stream.n_items, ==, 10);
  g_assert_cmpuint (rig_get_count (rig, items), ==, 100000);
  rig_run_until_count (rig, undelivered_items, 0);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/streaming/order", NULL, test_order);
  rig_add ("/streaming/before-end", NULL, test_before_end);
  rig_add ("/streaming/nested-loops", NULL, test_nested_loops);
  rig_add ("/streaming/million", NULL, test_million);
  rig_add ("/streaming/million/by-pipe", "--no-ring", test_million);
  rig_add ("/streaming/large-items", NULL, test_large_items);
  rig_add ("/streaming/large-items/by-pipe", "--no-ring", test_large_items);
  rig_add ("/streaming/progress", NULL, test_summed_up);
  rig_add ("/streaming/drop", NULL, test_drop_in_handler);

  return g_test_run ();
}
