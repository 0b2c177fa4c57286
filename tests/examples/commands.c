/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Three ways to run other programs. It prints the names of all files in a folder, first as they
 * come, then sorted, and then what happens to a command that fails:
 *
 *   commands FOLDER
 */

#include <dray.h>
#include <stdio.h>
#include <stdlib.h>

static void
take_name (DrayFuture *future, GVariant *name, gpointer user_data)
{
  GString *names = user_data;
  gsize size;
  const char *bytes = g_variant_get_fixed_array (name, &size, sizeof *bytes);

  g_string_append_len (names, bytes, (gssize) size);
  g_string_append_c (names, '\n');
  printf ("%.*s\n", (int) size, bytes);
}

/* Each name is an item, as soon as `find` has written it. */
static DrayFuture *
list_names (DrayExecutor *executor, const char *folder, GString *names)
{
  const char *const argv[] = { "find", ".", "-type", "f", "-print0", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);
  DrayFuture *future;

  dray_task_set_directory (task, folder);
  dray_task_set_split (task, DRAY_SPLIT_RECORDS);
  future = dray_executor_submit (executor, task, NULL);
  g_signal_connect (future, "item", G_CALLBACK (take_name), names);
  return future;
}

/* The whole output is the result. */
static DrayFuture *
sort_names (DrayExecutor *executor, const GString *names)
{
  const char *const argv[] = { "sort", NULL };
  const char *const environment[] = { "LC_ALL=C", "PATH=/usr/bin:/bin", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);
  g_autoptr (GBytes) input = g_bytes_new (names->str, names->len);

  dray_task_set_input_bytes (task, input);
  dray_task_set_environment (task, environment);
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
  return dray_executor_submit (executor, task, NULL);
}

/* What went wrong can be told apart without reading the message. */
static void
explain (const GError *error)
{
  if (error->domain == G_SPAWN_EXIT_ERROR)
    printf ("It exited with status %d.\n", error->code);
  else if (error->domain == DRAY_SIGNAL_ERROR)
    printf ("It was killed by signal %d.\n", error->code);
  else if (g_error_matches (error, DRAY_ERROR, DRAY_ERROR_LAUNCH))
    printf ("It could not be started.\n");
  else
    printf ("%s\n", error->message);
}

static DrayFuture *
run_shell (DrayExecutor *executor, const char *script)
{
  const char *const argv[] = { "sh", "-c", script, NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);

  return dray_executor_submit (executor, task, NULL);
}

static void
set_flag (DrayFuture *future, gpointer flag)
{
  *(gboolean *) flag = TRUE;
}

/* Iterates the main context until all that the command wrote was delivered. */
static void
run_to_end (DrayFuture *future)
{
  gboolean done = FALSE;

  dray_future_add_done_callback (future, set_flag, &done, NULL);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
}

int
main (int argc, char **argv)
{
  static const char *const scripts[] = { "echo no >&2; exit 3", "kill -TERM $$", "exit 0" };
  g_autoptr (DrayExecutor) executor = dray_executor_new (NULL);
  g_autoptr (GString) names = g_string_new (NULL);
  g_autoptr (DrayFuture) listing = NULL;
  g_autoptr (DrayFuture) sorting = NULL;
  g_autoptr (GVariant) sorted = NULL;
  g_autoptr (GError) error = NULL;

  if (argc != 2)
    return EXIT_FAILURE;

  listing = list_names (executor, argv[1], names);
  run_to_end (listing);

  sorting = sort_names (executor, names);
  sorted = dray_future_wait_result (sorting, -1, NULL, &error);
  if (sorted == NULL)
    g_error ("%s", error->message);
  fputs (g_variant_get_string (sorted, NULL), stdout);

  for (guint i = 0; i < G_N_ELEMENTS (scripts); i++)
    {
      g_autoptr (DrayFuture) future = run_shell (executor, scripts[i]);
      g_autoptr (GError) reason = NULL;
      g_autoptr (GVariant) output = dray_future_wait_result (future, -1, NULL, &reason);

      if (output == NULL)
        explain (reason);
      else
        printf ("It went well.\n");
    }
  return EXIT_SUCCESS;
}
