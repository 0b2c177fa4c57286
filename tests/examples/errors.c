/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What can go wrong with a file, told apart. It prints the first line of each, or why there is
 * none:
 *
 *   errors FILE...
 *
 * A file that begins with “poison” is one that the worker can't stand: it crashes.
 */

#include <dray.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum
{
  READER_ERROR_EMPTY,
} ReaderError;

#define READER_ERROR (g_quark_from_static_string ("example-reader-error"))

/* In a worker process. */
static GVariant *
read_first_line (DrayJob *job, GVariant *path, gpointer user_data, GError **error)
{
  g_autofree char *contents = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (g_variant_get_bytestring (path), &contents, NULL, error))
    return NULL;

  if (g_str_has_prefix (contents, "poison"))
    abort ();

  lines = g_strsplit (contents, "\n", 2);
  if (lines[0] == NULL)
    {
      g_set_error (error, READER_ERROR, READER_ERROR_EMPTY, "“%s” is empty",
                   g_variant_get_bytestring (path));
      return NULL;
    }

  return g_variant_new_bytestring (lines[0]);
}

/* In the application. */
static void
print_failure (const char *path, const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* whoever has cancelled it knows */

  if (g_error_matches (error, READER_ERROR, READER_ERROR_EMPTY))
    printf ("%s: (nothing)\n", path);
  else if (g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    printf ("%s: (gone)\n", path);
  else if (g_error_matches (error, DRAY_ERROR, DRAY_ERROR_WORKER_DIED))
    printf ("%s: (damaged)\n", path);
  else
    printf ("%s: %s\n", path, error->message);
}

/* A message has a first line, which is a sentence, and perhaps more, for whoever wants details. */
static void
print_details (const GError *error)
{
  g_auto (GStrv) parts = g_strsplit (error->message, "\n", 2);

  printf ("  %s\n", parts[0]);
  if (parts[1] != NULL)
    printf ("  (there is more)\n");
}

static void
read_files (DrayExecutor *executor, char **paths)
{
  for (int i = 0; paths[i] != NULL; i++)
    {
      g_autoptr (DrayFuture) future = dray_executor_call (executor, "read-first-line",
                                                          g_variant_new_bytestring (paths[i]));
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) line = dray_future_wait_result (future, -1, NULL, &error);

      if (line != NULL)
        printf ("%s: %s\n", paths[i], g_variant_get_bytestring (line));
      else
        print_failure (paths[i], error);
      if (error != NULL)
        print_details (error);
    }
}

/* A task that may be tried again, and may not take for ever. */
static DrayTask *
make_patient_task (const char *path)
{
  DrayTask *task = dray_task_new_call ("read-first-line", g_variant_new_bytestring (path));

  dray_task_set_max_retries (task, 2);
  dray_task_set_time_limit (task, 60 * 1000);
  return task;
}

int
main (int argc, char **argv)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();
  g_autoptr (DrayLauncher) launcher = NULL;
  g_autoptr (DrayExecutor) executor = NULL;
  g_autoptr (DrayTask) task = NULL;
  g_autoptr (DrayFuture) future = NULL;

  dray_worker_add_typed_function (worker, "read-first-line", G_VARIANT_TYPE_BYTESTRING,
                                  read_first_line, NULL, NULL);
  if (dray_worker_is_requested (argc, argv))
    return dray_worker_run (worker);

  launcher = dray_launcher_new_self ();
  executor = dray_executor_new (launcher);
  read_files (executor, argv + 1);

  task = make_patient_task (argv[0]);
  future = dray_executor_submit (executor, task, NULL);
  return dray_future_wait (future, -1, NULL, NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
}
