/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A program that is no part of Dray, as small as they come: tests/check-install compiles it
 * against an installed library, tests/check-subproject against a subproject. It prints what a
 * worker process of its own and a command say, which shows that the library finds its helpers.
 */

#include <dray.h>

#define TIMEOUT (60 * G_USEC_PER_SEC)

static GVariant *
greet (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  const char *name;

  g_variant_get (arguments, "(&s)", &name);

  return g_variant_new_take_string (g_strdup_printf ("Hello, %s", name));
}

static int
run_worker (void)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  dray_worker_add_typed_function (worker, "greet", G_VARIANT_TYPE ("(s)"), greet, NULL, NULL);

  return dray_worker_run (worker);
}

static gboolean
print_result (DrayFuture *future, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, TIMEOUT, NULL, &error);

  if (result == NULL)
    g_printerr ("%s\n", error->message);
  else
    g_print ("%s\n", g_variant_get_string (result, NULL));

  return result != NULL && g_str_equal (g_variant_get_string (result, NULL), expected);
}

int
main (int argc, char **argv)
{
  if (dray_worker_is_requested (argc, argv))
    return run_worker ();

  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  g_autoptr (DrayExecutor) executor = dray_executor_new (launcher);
  g_autoptr (DrayTask) command
      = dray_task_new_command ((const char *[]) { "printf", "Hello, shell", NULL });
  g_autoptr (DrayFuture) call = NULL;
  g_autoptr (DrayFuture) run = NULL;

  dray_task_set_encoding (command, DRAY_ENCODING_UTF8);
  call = dray_executor_call (executor, "greet", g_variant_new ("(s)", "worker"));
  run = dray_executor_submit (executor, command, NULL);

  return print_result (call, "Hello, worker") && print_result (run, "Hello, shell") ? 0 : 1;
}
