/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "map-rig.h"

#include <string.h>

/* Where arguments come from: a generator, in the right thread and whatever it does; values; the
 * items of a list that changes meanwhile. */

/* A generator that does something odd, once. */
typedef struct
{
  Rig *rig;
  DrayMap *map; /* (owned) (nullable) */
  GThread *thread;
  gint64 n_asked;
  gint64 n_calls; /* -1: there is no end yet */
  guint n_outcomes;
  guint depth;
  gboolean did_it;
  gboolean done;
  GError *error; /* (owned) (nullable) */
} Odd;

static void
count_cb (DrayMap *map, DrayOutcome *outcome, gpointer user_data)
{
  Odd *odd = user_data;

  g_assert_true (g_thread_self () == odd->thread);
  odd->n_outcomes++;
}

static void
done_cb (GObject *map, GAsyncResult *result, gpointer user_data)
{
  Odd *odd = user_data;

  odd->done = TRUE;
  dray_map_for_each_finish (DRAY_MAP (map), result, NULL, &odd->error);
}

static GVariant *
next_step (Odd *odd, gint64 n_calls)
{
  if (odd->n_asked == n_calls)
    return NULL;

  return g_variant_new ("(xss)", odd->n_asked++, "", "");
}

static void
run_odd (Odd *odd, Rig *rig, DrayMapGenerator generator)
{
  odd->rig = rig;
  odd->thread = g_thread_self ();
  odd->map = dray_executor_map (rig->executor, "step", generator, odd, NULL);
  dray_map_for_each_async (odd->map, count_cb, odd, NULL, NULL, done_cb, odd);
  fixture_iterate_until_true (&odd->done, "the end of the map");
  g_clear_object (&odd->map);
}

/* Whether outcomes will come of what was asked for before, though the calls of this chunk are not
 * given out yet. */
static gboolean
has_outstanding (Odd *odd)
{
  return rig_get_count (odd->rig, submitted) > odd->n_outcomes;
}

/* Asked again while it is asked, it would see @depth. */
static GVariant *
iterate_cb (gpointer user_data)
{
  Odd *odd = user_data;
  guint n_outcomes = odd->n_outcomes;

  g_assert_true (g_thread_self () == odd->thread);
  g_assert_cmpuint (odd->depth, ==, 0);
  odd->depth++;
  if (odd->n_asked >= 500 && !odd->did_it && has_outstanding (odd))
    {
      odd->did_it = TRUE;
      odd->n_calls = odd->n_asked + 500;
      while (odd->n_outcomes == n_outcomes)
        g_main_context_iteration (NULL, TRUE);
    }
  odd->depth--;
  return next_step (odd, odd->n_calls);
}

static void
test_iterates (Rig *rig, gconstpointer data)
{
  Odd odd = { .n_calls = -1 };

  g_test_summary ("A generator may run the main loop: outcomes come meanwhile, and it is not asked "
                  "again before it has answered.");

  rig_start (rig, 2);
  run_odd (&odd, rig, iterate_cb);
  g_assert_cmpuint (odd.n_outcomes, ==, odd.n_calls);
}

static GVariant *
wait_cb (gpointer user_data)
{
  Odd *odd = user_data;
  g_autoptr (GError) error = NULL;

  if (!odd->did_it)
    {
      odd->did_it = TRUE;
      g_assert_null (dray_map_wait_next (odd->map, -1, NULL, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
    }
  return next_step (odd, 100);
}

static void
test_waits (Rig *rig, gconstpointer data)
{
  Odd odd = { 0 };

  g_test_summary ("A generator that waits for its own map would wait for itself: it is told so.");

  rig_start (rig, 2);
  run_odd (&odd, rig, wait_cb);
  g_assert_cmpuint (odd.n_outcomes, ==, 100);
}

static GVariant *
cancel_cb (gpointer user_data)
{
  Odd *odd = user_data;

  if (odd->n_asked == 100)
    dray_map_cancel (odd->map);
  return next_step (odd, -1);
}

static void
test_cancels (Rig *rig, gconstpointer data)
{
  Odd odd = { 0 };

  g_test_summary ("A generator may cancel its own map: it is not asked again.");

  rig_start (rig, 2);
  run_odd (&odd, rig, cancel_cb);
  g_assert_error (odd.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (odd.n_asked, ==, 101);
  g_assert_cmpuint (odd.n_outcomes, ==, 101);
  g_clear_error (&odd.error);
}

static GVariant *
drop_cb (gpointer user_data)
{
  Odd *odd = user_data;

  g_clear_object (&odd->map);
  return next_step (odd, -1);
}

static void
end_cb (gpointer user_data)
{
  ((Odd *) user_data)->done = TRUE;
}

static gboolean
next_cb (gpointer user_data)
{
  Odd *odd = user_data;
  g_autoptr (DrayMap) map = g_object_ref (odd->map);
  g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, NULL);

  g_assert_nonnull (outcome);
  return G_SOURCE_REMOVE;
}

static void
test_drops (Rig *rig, gconstpointer data)
{
  Odd odd = { 0 };

  g_test_summary (
    "A generator may drop the last reference but that of who waits: its data is freed "
    "when it has answered, and not before.");

  rig_start (rig, 2);
  odd.map = dray_executor_map (rig->executor, "step", drop_cb, &odd, end_cb);
  g_idle_add (next_cb, &odd);
  fixture_iterate_until_true (&odd.done, "the end of the generator");
  g_assert_null (odd.map);
}

static GVariant *
map_inside_cb (gpointer user_data)
{
  Odd *odd = user_data;

  if (odd->n_asked == 50)
    {
      g_autoptr (MapRecord) record = map_record_new (200, NULL);
      g_autoptr (DrayMap) map = map_record_start (record, odd->rig);

      map_record_wait (record, map);
      g_assert_cmpuint (record->n_values, ==, 200);
    }
  return next_step (odd, 100);
}

static void
test_maps (Rig *rig, gconstpointer data)
{
  Odd odd = { 0 };

  g_test_summary ("A generator may run another map, and wait for that.");

  rig_start (rig, 2);
  run_odd (&odd, rig, map_inside_cb);
  g_assert_cmpuint (odd.n_outcomes, ==, 100);
}

/* In the function of for_each, the first time: until all the others have come. */
static void
nested_cb (DrayMap *map, DrayOutcome *outcome, gpointer user_data)
{
  Odd *odd = user_data;

  if (odd->n_outcomes++ == 0)
    while (odd->n_outcomes < 300)
      g_main_context_iteration (NULL, TRUE);
}

static GVariant *
plain_cb (gpointer user_data)
{
  return next_step (user_data, 300);
}

static void
test_nested_delivery (Rig *rig, gconstpointer data)
{
  Odd odd = { 0 };

  g_test_summary ("The function that takes outcomes may run the main loop, in which the others "
                  "come, and the end.");

  rig_start (rig, 2);
  odd.thread = g_thread_self ();
  odd.map = dray_executor_map (rig->executor, "step", plain_cb, &odd, NULL);
  dray_map_for_each_async (odd.map, nested_cb, &odd, NULL, NULL, done_cb, &odd);
  fixture_iterate_until_true (&odd.done, "the end of the map");
  g_assert_cmpuint (odd.n_outcomes, ==, 300);
  g_clear_object (&odd.map);
}

static gpointer
wait_thread (gpointer user_data)
{
  Odd *odd = user_data;

  for (;;)
    {
      g_autoptr (GPtrArray) outcomes = dray_map_wait_next_many (odd->map, 100, -1, NULL, NULL);

      if (outcomes == NULL)
        break;
      odd->n_outcomes += outcomes->len;
    }
  g_main_context_wakeup (NULL);
  g_atomic_int_set (&odd->done, TRUE);
  return NULL;
}

static GVariant *
own_thread_cb (gpointer user_data)
{
  Odd *odd = user_data;

  g_assert_true (g_thread_self () == odd->thread);
  return next_step (odd, 5000);
}

static void
test_other_thread (Rig *rig, gconstpointer data)
{
  Odd odd = { 0 };
  GThread *thread;

  g_test_summary ("While another thread waits for the outcomes, the generator is asked in the main "
                  "context that it belongs to.");

  rig_start (rig, 2);
  odd.thread = g_thread_self ();
  odd.map = dray_executor_map (rig->executor, "step", own_thread_cb, &odd, NULL);
  thread = g_thread_new ("waits", wait_thread, &odd);
  while (!g_atomic_int_get (&odd.done))
    g_main_context_iteration (NULL, FALSE);
  g_thread_join (thread);
  g_assert_cmpuint (odd.n_outcomes, ==, 5000);
  g_clear_object (&odd.map);
}

static void
test_values (Rig *rig, gconstpointer data)
{
  const gsize n_values = 3000;
  g_autoptr (GPtrArray) values = g_ptr_array_new ();
  G_GNUC_UNUSED g_autoptr (DrayMap) map = NULL;
  Odd odd = { 0 };
  GThread *thread;

  g_test_summary ("Values need no main context: any thread may wait for all of them.");

  rig_start (rig, 2);
  for (gsize i = 0; i < n_values; i++)
    g_ptr_array_add (values, g_variant_new ("(xss)", (gint64) i, "", ""));
  odd.map = dray_executor_map_values (rig->executor, "step", (GVariant **) values->pdata, n_values);
  thread = g_thread_new ("waits", wait_thread, &odd);
  g_thread_join (thread);
  g_assert_cmpuint (odd.n_outcomes, ==, n_values);
  g_clear_object (&odd.map);
}

static void
test_no_value (Rig *rig, gconstpointer data)
{
  g_autoptr (GVariant) first = g_variant_ref_sink (g_variant_new ("(xss)", (gint64) 0, "", ""));
  GVariant *values[] = { first, NULL, first };

  g_test_summary ("A value that is not there is an error of who gave it, not the end of a map.");

  rig_start (rig, 1);
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*are_values*");
  g_assert_null (dray_executor_map_values (rig->executor, "step", values, G_N_ELEMENTS (values)));
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*are_values*");
  g_assert_null (dray_executor_map_values (rig->executor, "step", NULL, 1));
  g_test_assert_expected_messages ();
}

static void
test_large_values (Rig *rig, gconstpointer data)
{
  GVariant *values[8];
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Large and small arguments may come in turns, and one that is too large is "
                  "refused by itself.");

  rig_start (rig, 2);
  g_object_set (rig->executor, "max-message-size", (guint64) 1000 * 1000, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    values[i] = g_variant_new_take_string (g_strnfill (i == 5 ? 2000000 : i % 2 * 300000 + 5, 'x'));
  map = dray_executor_map_values (rig->executor, "echo", values, G_N_ELEMENTS (values));
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);
      GVariant *value;

      g_assert_no_error (error);
      value = dray_outcome_get_value (outcome);
      if (i == 5)
        g_assert_error (dray_outcome_get_error (outcome), DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
      else
        g_assert_cmpuint (strlen (g_variant_get_string (value, NULL)), ==, i % 2 * 300000 + 5);
    }
}

#define N_PLAIN 2000
#define N_ODD 1000

/* (transfer full): many plain ones, after which many are asked for at once; then others between
 * them */
static GVariant *
new_odd_value (guint i)
{
  const gboolean odd = i >= N_PLAIN;
  const gboolean deep = odd && i % 5 == 4;
  GVariant *value = NULL;

  if (odd && !deep && i % 20 == 11)
    return g_variant_new_variant (g_variant_new_take_string (g_strnfill (20000, 'x')));
  if (odd && !deep && i % 7 == 3)
    return g_variant_new_uint32 (i);

  value = g_variant_new_variant (g_variant_new_uint32 (i));
  for (guint depth = 0; deep && depth < 200; depth++)
    value = g_variant_new_variant (value);
  return value;
}

static void
test_odd_values (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) values = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Arguments that can't go with those before them go after them: of another type, "
                  "large ones, and such as can't be sent at all, each of which is refused by "
                  "itself.");

  rig_start (rig, 1);
  for (guint i = 0; i < N_PLAIN + N_ODD; i++)
    g_ptr_array_add (values, g_variant_ref_sink (new_odd_value (i)));
  map = dray_executor_map_values (rig->executor, "echo", (GVariant **) values->pdata, values->len);
  for (guint i = 0; i < values->len; i++)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);

      g_assert_no_error (error);
      if (i >= N_PLAIN && i % 5 == 4)
        g_assert_error (dray_outcome_get_error (outcome), DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
      else
        g_assert_true (g_variant_equal (dray_outcome_get_value (outcome), values->pdata[i]));
    }
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
}

/* --- Lists --- */

static GVariant *
item_arguments_cb (gpointer item, gpointer user_data)
{
  GSimpleAction *action = G_SIMPLE_ACTION (item);

  return g_variant_new ("(xss)", g_ascii_strtoll (g_action_get_name (G_ACTION (action)), NULL, 10),
                        "", "");
}

static void
append_item (GListStore *store, guint position, gint64 number)
{
  g_autofree char *name = g_strdup_printf ("%" G_GINT64_FORMAT, number);
  g_autoptr (GSimpleAction) item = g_simple_action_new (name, NULL);

  g_list_store_insert (store, position, item);
}

static GListStore *
new_store (guint n_items)
{
  GListStore *store = g_list_store_new (G_TYPE_SIMPLE_ACTION);

  for (guint i = 0; i < n_items; i++)
    append_item (store, i, i);

  return store;
}

static gint64
wait_number (DrayMap *map)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);

  g_assert_no_error (error);
  return outcome != NULL ? g_variant_get_int64 (dray_outcome_get_value (outcome)) - 1 : -1;
}

static void
test_model (Rig *rig, gconstpointer data)
{
  g_autoptr (GListStore) store = new_store (1000);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Each item of a list has a call.");

  rig_start (rig, 2);
  map = dray_executor_map_model (rig->executor, "step", G_LIST_MODEL (store), item_arguments_cb,
                                 NULL, NULL);
  for (gint64 i = 0; i < 1000; i++)
    g_assert_cmpint (wait_number (map), ==, i);
  g_assert_cmpint (wait_number (map), ==, -1);
}

static void
test_changing_model (Rig *rig, gconstpointer data)
{
  g_autoptr (GListStore) store = new_store (10);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("A list may change while it is mapped: what goes or comes before the items that "
                  "were taken changes nothing, what comes behind has its turn.");

  rig_start (rig, 1);
  map = dray_executor_map_model (rig->executor, "step", G_LIST_MODEL (store), item_arguments_cb,
                                 NULL, NULL);
  dray_map_set_max_in_flight (map, 1);
  for (gint64 i = 0; i < 5; i++)
    g_assert_cmpint (wait_number (map), ==, i);

  g_list_store_remove (store, 0);
  g_list_store_remove (store, 0);
  append_item (store, 0, 77);
  g_list_store_remove (store, 4); /* the sixth */
  append_item (store, 6, 99);
  g_assert_cmpint (wait_number (map), ==, 6);
  g_assert_cmpint (wait_number (map), ==, 7);
  g_assert_cmpint (wait_number (map), ==, 99);
  g_list_store_remove_all (store);
  append_item (store, 0, 123);
  g_assert_cmpint (wait_number (map), ==, 123);
  g_assert_cmpint (wait_number (map), ==, -1);
}

static gpointer
drop_thread (gpointer queue)
{
  DrayMap *map;

  while (DRAY_IS_MAP (map = g_async_queue_pop (queue)))
    g_object_unref (map);

  return NULL;
}

static void
test_model_of_a_dropped_map (Rig *rig, gconstpointer data)
{
  g_autoptr (GListStore) store = g_list_store_new (G_TYPE_OBJECT);
  g_autoptr (GObject) item = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (GAsyncQueue) queue = g_async_queue_new ();
  GThread *thread = g_thread_new ("drops", drop_thread, queue);

  g_test_summary ("A list changes in its thread while a map over it is dropped in another one.");

  rig_start (rig, 1);
  g_list_store_append (store, item);
  for (int i = 0; i < 500; i++)
    {
      g_async_queue_push (queue,
                          dray_executor_map_model (rig->executor, "step", G_LIST_MODEL (store),
                                                   item_arguments_cb, NULL, NULL));
      for (int j = 0; j < 10; j++)
        g_list_store_splice (store, 0, 1, (gpointer *) &item, 1);
    }

  g_async_queue_push (queue, store); /* no map: that was all */
  g_thread_join (thread);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/map-sources/iterates", NULL, test_iterates);
  rig_add ("/map-sources/waits", NULL, test_waits);
  rig_add ("/map-sources/cancels", NULL, test_cancels);
  rig_add ("/map-sources/drops", NULL, test_drops);
  rig_add ("/map-sources/maps", NULL, test_maps);
  rig_add ("/map-sources/nested-delivery", NULL, test_nested_delivery);
  rig_add ("/map-sources/other-thread", NULL, test_other_thread);
  rig_add ("/map-sources/values", NULL, test_values);
  rig_add ("/map-sources/no-value", NULL, test_no_value);
  rig_add ("/map-sources/large-values", NULL, test_large_values);
  rig_add ("/map-sources/odd-values", NULL, test_odd_values);
  rig_add ("/map-sources/model", NULL, test_model);
  rig_add ("/map-sources/changing-model", NULL, test_changing_model);
  rig_add ("/map-sources/model-of-a-dropped-map", NULL, test_model_of_a_dropped_map);

  return g_test_run ();
}
