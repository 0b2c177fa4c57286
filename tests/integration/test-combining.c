/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

/* The examples of the page on combining futures, as they stand there. */

/* Many as one */

static DrayFuture *
sum_pairs (DrayExecutor *executor, guint n)
{
  g_autoptr (GPtrArray) sums = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (sums, dray_executor_call (executor, "add", g_variant_new ("(ii)", i, 1)));
  return dray_future_all ((DrayFuture *const *) sums->pdata, sums->len);
}

static int
take_sum (GVariant *results)
{
  GVariantIter iter;
  GVariant *result;
  int sum = 0;

  g_variant_iter_init (&iter, results);
  while (g_variant_iter_loop (&iter, "v", &result))
    sum += g_variant_get_int32 (result);
  return sum;
}

static void
test_all (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) all = NULL;
  g_autoptr (GVariant) results = NULL;

  g_test_summary ("The example of one future for many shows what it says.");

  rig_start (rig, 2);
  all = sum_pairs (rig->executor, 10);
  results = rig_expect_result (all);
  g_assert_cmpint (take_sum (results), ==, 55);
}

/* One after another */

static DrayFuture *
copy_then_sort (DrayExecutor *executor, const char *text)
{
  const char *const argv[] = { "sort", NULL };
  g_autoptr (DrayFuture) copied = dray_executor_call (executor, "echo",
                                                      g_variant_new_string (text));
  g_autoptr (DrayTask) sort = dray_task_new_command (argv);
  g_autoptr (DrayTask) send = dray_task_new_call ("echo", g_variant_new_parsed ("(1,)"));
  g_autoptr (DrayFuture) sorted = NULL;

  dray_task_set_encoding (sort, DRAY_ENCODING_UTF8);
  sorted = dray_future_and_then (copied, executor, sort, DRAY_POSITION_WHOLE);
  return dray_future_and_then (sorted, executor, send, DRAY_POSITION_LAST);
}

static void
test_then (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) last = NULL;

  g_test_summary ("The example of tasks that come after others shows what it says.");

  rig_start (rig, 2);
  last = copy_then_sort (rig->executor, "b\na\n");
  rig_expect_text (last, "(1, 'a\\nb\\n')");
}

/* All or nothing */

static void
render_pages (DrayExecutor *executor, guint n, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (DrayGroup) group = dray_group_new ();

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (DrayTask) task = dray_task_new_call ("sleep", g_variant_new ("(u)", i));

      g_object_unref (dray_group_submit (group, executor, task, NULL));
    }
  dray_group_join_async (group, NULL, callback, user_data);
}

static void
on_rendered (GObject *group, GAsyncResult *result, gpointer user_data)
{
  gboolean *rendered = user_data;
  g_autoptr (GError) error = NULL;

  if (!dray_group_join_finish (DRAY_GROUP (group), result, &error))
    g_warning ("%s", error->message); /* that of the first page that failed */
  *rendered = TRUE;
}

static void
test_group (Rig *rig, gconstpointer data)
{
  gboolean rendered = FALSE;

  g_test_summary ("The example of a group shows what it says.");

  rig_start (rig, 2);
  render_pages (rig->executor, 5, on_rendered, &rendered);
  fixture_iterate_until_true (&rendered, "all pages are rendered");
}

/* As they are done */

static guint
count_failures (DrayFuture *const *futures, guint n)
{
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  guint n_failures = 0;
  DrayFuture *next;

  for (guint i = 0; i < n; i++)
    dray_completion_queue_add (queue, futures[i]);
  while ((next = dray_completion_queue_wait_next (queue, -1, NULL, NULL)) != NULL)
    {
      if (dray_future_get_state (next) == DRAY_FUTURE_FAILED)
        n_failures++;
      g_object_unref (next);
    }
  return n_failures;
}

static void
test_queue (Rig *rig, gconstpointer data)
{
  DrayFuture *futures[6];

  g_test_summary ("The example of a completion queue shows what it says.");

  rig_start (rig, 2);
  for (guint i = 0; i < 6; i++)
    futures[i] = i % 3 ? rig_call (rig, "null", NULL) : rig_call (rig, "exit", "(i)", 1);
  g_assert_cmpuint (count_failures (futures, 6), ==, 2);
  for (guint i = 0; i < 6; i++)
    g_object_unref (futures[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/combining/all", NULL, test_all);
  rig_add ("/combining/then", NULL, test_then);
  rig_add ("/combining/group", NULL, test_group);
  rig_add ("/combining/queue", NULL, test_queue);

  return g_test_run ();
}
