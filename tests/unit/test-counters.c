/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-counters.h"

/* The counters as a boxed value. */

static void
test_copy (void)
{
  g_test_summary ("A copy has all the numbers, and a life of its own.");

  DrayCounters counters
    = { .submitted = 1, .failed = G_MAXUINT64, .undelivered_bytes = 7, .workers_died_idle = 8 };
  g_autoptr (DrayCounters) copy = dray_counters_copy (&counters);

  counters.submitted = 2;
  g_assert_cmpuint (copy->submitted, ==, 1);
  g_assert_cmpuint (copy->failed, ==, G_MAXUINT64);
  g_assert_cmpuint (copy->undelivered_bytes, ==, 7);
  g_assert_cmpuint (copy->workers_died_idle, ==, 8);
}

static void
test_boxed (void)
{
  g_test_summary ("A value holds a copy of its own.");

  g_auto (GValue) value = G_VALUE_INIT;
  DrayCounters *counters = g_new0 (DrayCounters, 1);

  counters->items = 5;
  g_value_init (&value, DRAY_TYPE_COUNTERS);
  g_value_set_boxed (&value, counters);
  dray_counters_free (counters);

  g_assert_cmpuint (((DrayCounters *) g_value_get_boxed (&value))->items, ==, 5);
}

static void
test_room (void)
{
  g_test_summary ("New counters fit where the padding is, so the size never changes.");

  g_assert_cmpuint (sizeof (DrayCounters), ==, 32 * sizeof (guint64));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/counters/copy", test_copy);
  g_test_add_func ("/counters/boxed", test_boxed);
  g_test_add_func ("/counters/room", test_room);

  return g_test_run ();
}
