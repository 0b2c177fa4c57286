/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dray.h>
#include <stdio.h>
static int n_done;

static GVariant * /* runs in a worker process */
checksum (DrayJob *job, GVariant *path, gpointer user_data, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (g_variant_get_bytestring (path));
  g_autoptr (GBytes) bytes = g_file_load_bytes (file, dray_job_get_cancellable (job), NULL, error);
  g_autofree char *sum = bytes ? g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes) : NULL;
  return sum ? g_variant_new_string (sum) : NULL;
}

static void /* runs in the application's main loop */
print_result (GObject *executor, GAsyncResult *result, gpointer path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) sum = dray_executor_call_finish (DRAY_EXECUTOR (executor), result, &error);
  printf ("%s  %s\n", sum ? g_variant_get_string (sum, NULL) : error->message, (char *) path);
  n_done++;
}

int
main (int argc, char **argv)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();
  dray_worker_add_typed_function (worker, "checksum", G_VARIANT_TYPE ("ay"), checksum, NULL, NULL);
  if (dray_worker_is_requested (argc, argv))
    return dray_worker_run (worker);

  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  g_autoptr (DrayExecutor) executor = dray_executor_new (launcher);
  for (int i = 1; i < argc; i++)
    dray_executor_call_async (executor, "checksum", g_variant_new_bytestring (argv[i]), NULL,
                              print_result, argv[i]);
  while (n_done < argc - 1)
    g_main_context_iteration (NULL, TRUE);
  return 0;
}
