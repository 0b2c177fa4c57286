/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "payload-rig.h"
#include "puller.h"

/* Memory that a trusted worker uses for one value after another; and large values in what else an
 * application does with a future. */

static void
test_recycled (Rig *rig, gconstpointer data)
{
  gconstpointer first = NULL;

  g_test_summary ("Memory that the application has let go of is used again, on both sides.");

  payload_start (rig, PAYLOAD_TRUSTED);
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "allocate", "(uy)", PAYLOAD_MIB - i, i);
      g_autoptr (GVariant) result = rig_expect_result (future);

      payload_check_bytes (result, PAYLOAD_MIB - i, (guint8) i);
      if (i == 0)
        first = g_variant_get_data (result);
      g_assert_true (g_variant_get_data (result) == first);
    }
}

static void
test_kept (Rig *rig, gconstpointer data)
{
  const guint n = 30;
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);

  g_test_summary ("What the application keeps is not used again, however much that is.");

  payload_start (rig, PAYLOAD_TRUSTED);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "allocate", "(uy)", PAYLOAD_MIB, i);

      g_ptr_array_add (kept, rig_expect_result (future));
    }
  for (guint i = 0; i < n; i++)
    payload_check_bytes (kept->pdata[i], PAYLOAD_MIB, (guint8) i);
}

static void
test_part_kept (Rig *rig, gconstpointer data)
{
  g_autoptr (GBytes) part = NULL;

  g_test_summary ("A part that is kept keeps the memory.");

  payload_start (rig, PAYLOAD_TRUSTED);
  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "allocate", "(uy)", PAYLOAD_MIB, i);
      g_autoptr (GVariant) result = rig_expect_result (future);
      g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (result);

      if (i == 0)
        part = g_bytes_new_from_bytes (bytes, 100, 2);
    }
  g_assert_cmpmem (g_bytes_get_data (part, NULL), 2, "de", 2);
}

static void
test_sizes (Rig *rig, gconstpointer data)
{
  g_test_summary ("Values that grow and shrink find room: slots that are too small are replaced.");

  payload_start (rig, PAYLOAD_TRUSTED);
  for (guint i = 0; i < 60; i++)
    {
      guint32 size = PAYLOAD_MIB / 2 + (i * 7919 % 61) * PAYLOAD_MIB / 4;
      g_autoptr (DrayFuture) future = rig_call (rig, "allocate", "(uy)", size, i);
      g_autoptr (GVariant) result = rig_expect_result (future);

      payload_check_bytes (result, size, (guint8) i);
      g_assert_true (payload_is_shared (result));
    }
}

static void
keep_item_cb (DrayFuture *future, GVariant *value, gpointer kept)
{
  g_ptr_array_add (kept, g_variant_ref (value));
}

static void
test_same_twice (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("One value that is sent several times arrives as often.");

  payload_start (rig, PAYLOAD_TRUSTED);
  future = rig_call (rig, "same-twice", "(u)", PAYLOAD_MIB);
  g_signal_connect (future, "item", G_CALLBACK (keep_item_cb), kept);
  result = rig_expect_result (future);
  g_assert_cmpuint (kept->len, ==, 2);
  payload_check_bytes (kept->pdata[0], PAYLOAD_MIB, 1);
  payload_check_bytes (kept->pdata[1], PAYLOAD_MIB, 1);
  payload_check_bytes (result, PAYLOAD_MIB, 1);
}

static void
test_too_many (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) next = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("A function that wants more memory at once than all slots may have, or more of "
                  "it than there are slots, gets other memory.");

  payload_start (rig, PAYLOAD_TRUSTED);
  future = rig_call (rig, "allocate-many", "(uu)", 7, 100 * PAYLOAD_MIB);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 7);
  g_clear_object (&future);
  future = rig_call (rig, "allocate-many", "(uu)", 20, PAYLOAD_MIB);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 20);
  next = rig_call (rig, "allocate", "(uy)", PAYLOAD_MIB, 3);
  result = rig_expect_result (next);
  payload_check_bytes (result, PAYLOAD_MIB, 3);
  g_assert_true (payload_is_shared (result));
}

/* --- Elsewhere --- */

static void
test_pulled (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Large items that are pulled one by one wait in their worker, and arrive whole.");

  payload_start (rig, GPOINTER_TO_INT (data));
  future = puller_submit (rig, "allocate-stream", "(uint32 9, uint32 3145728)");
  for (guint i = 0; i < 9; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) item = dray_future_wait_next_item (future, -1, NULL, &error);

      g_assert_no_error (error);
      payload_check_bytes (item, PAYLOAD_LARGE, (guint8) i);
    }
  g_assert_null (dray_future_wait_next_item (future, -1, NULL, NULL));
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 9);
}

static void
test_mapped (Rig *rig, gconstpointer data)
{
  GVariant *values[9];
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("So do large results of a map.");

  payload_start (rig, GPOINTER_TO_INT (data));
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    values[i] = g_variant_new ("(uy)", PAYLOAD_LARGE, (guint8) i);
  map = dray_executor_map_values (rig->executor, "allocate", values, G_N_ELEMENTS (values));
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);
      g_autoptr (GVariant) value = NULL;

      g_assert_no_error (error);
      value = dray_outcome_dup_result (outcome, &error);
      g_assert_no_error (error);
      payload_check_bytes (value, PAYLOAD_LARGE, (guint8) i);
    }
  g_assert_null (dray_map_wait_next (map, -1, NULL, NULL));
}

static void
test_chained (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) made = NULL;
  g_autoptr (DrayFuture) summed = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) sum = NULL;

  g_test_summary ("A large result can be what the next call is given.");

  payload_start (rig, GPOINTER_TO_INT (data));
  made = rig_call (rig, "allocate", "(uy)", PAYLOAD_LARGE, 0);
  value = rig_expect_result (made);
  summed = dray_executor_call (rig->executor, "sum", value);
  sum = rig_expect_result (summed);
  g_assert_cmpuint (g_variant_get_uint64 (sum), ==, (guint64) PAYLOAD_LARGE / 256 * (255 * 128));
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    PayloadWay way;
  } ways[] = {
    { "passing", PAYLOAD_PASSING },
    { "trusted", PAYLOAD_TRUSTED },
    { "closed", PAYLOAD_CLOSED },
  };

  g_test_init (&argc, &argv, NULL);

  rig_add ("/slots/recycled", NULL, test_recycled);
  rig_add ("/slots/kept", NULL, test_kept);
  rig_add ("/slots/part-kept", NULL, test_part_kept);
  rig_add ("/slots/sizes", NULL, test_sizes);
  rig_add ("/slots/too-many", NULL, test_too_many);
  rig_add ("/slots/same-twice", NULL, test_same_twice);
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_autofree char *pulled = g_strdup_printf ("/slots/elsewhere/pulled/%s", ways[i].name);
      g_autofree char *mapped = g_strdup_printf ("/slots/elsewhere/mapped/%s", ways[i].name);
      g_autofree char *chained = g_strdup_printf ("/slots/elsewhere/chained/%s", ways[i].name);

      rig_add (pulled, GINT_TO_POINTER (ways[i].way), test_pulled);
      rig_add (mapped, GINT_TO_POINTER (ways[i].way), test_mapped);
      rig_add (chained, GINT_TO_POINTER (ways[i].way), test_chained);
    }

  return g_test_run ();
}
