/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One function over all numbers, of which there is no end. It prints the first prime numbers, the
 * smallest first:
 *
 *   map COUNT
 */

#include <dray.h>
#include <stdio.h>
#include <stdlib.h>

/* In the worker. */
static GVariant *
is_prime (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  gint64 number = g_variant_get_int64 (arguments);

  for (gint64 i = 2; i * i <= number; i++)
    if (number % i == 0)
      return g_variant_new_boolean (FALSE);
  return g_variant_new_boolean (TRUE);
}

static int
run_worker (void)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  dray_worker_add_typed_function (worker, "is-prime", G_VARIANT_TYPE_INT64, is_prime, NULL, NULL);
  return dray_worker_run (worker);
}

/* In the application. Asked only when there is room for another call. */
static GVariant *
next_number (gpointer user_data)
{
  gint64 *number = user_data;

  return g_variant_new_int64 ((*number)++);
}

static void
print_primes (DrayExecutor *executor, long n_wanted)
{
  gint64 number = 2;
  g_autoptr (DrayMap) map = dray_executor_map (executor, "is-prime", next_number, &number, NULL);

  while (n_wanted > 0)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);

      if (outcome == NULL)
        g_error ("%s", error->message);
      if (!g_variant_get_boolean (dray_outcome_get_value (outcome)))
        continue;

      printf ("%d\n", (int) dray_outcome_get_index (outcome) + 2);
      n_wanted--;
    }
}

int
main (int argc, char **argv)
{
  g_autoptr (DrayLauncher) launcher = NULL;
  g_autoptr (DrayExecutor) executor = NULL;

  if (dray_worker_is_requested (argc, argv))
    return run_worker ();

  launcher = dray_launcher_new_self ();
  executor = dray_executor_new (launcher);
  print_primes (executor, argc > 1 ? atol (argv[1]) : 10);
  return 0;
}
