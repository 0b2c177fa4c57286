/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The same asynchronous function twice: in a thread of GTask's, and in a worker. It prints the
 * checksum of a file, as found by either:
 *
 *   porting-gtask FILE
 */

#include <dray.h>
#include <stdio.h>

/* --- Before --- */

static void
checksum_in_thread (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  const char *path = task_data;
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_file_load_bytes (file, cancellable, NULL, &error);

  if (bytes == NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_pointer (task, g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes), g_free);
}

static void
old_checksum_async (const char *path,
                    GCancellable *cancellable,
                    GAsyncReadyCallback callback,
                    gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_task_data (task, g_strdup (path), g_free);
  g_task_run_in_thread (task, checksum_in_thread);
}

static char *
old_checksum_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- After --- */

static DrayExecutor *executor;

/* In a worker process. */
static GVariant *
checksum (DrayJob *job, GVariant *path, gpointer user_data, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (g_variant_get_bytestring (path));
  g_autoptr (GBytes) bytes = g_file_load_bytes (file, dray_job_get_cancellable (job), NULL, error);

  if (bytes == NULL)
    return NULL;
  return g_variant_new_take_string (g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes));
}

static void
checksum_async (const char *path,
                GCancellable *cancellable,
                GAsyncReadyCallback callback,
                gpointer user_data)
{
  dray_executor_call_async (executor, "checksum", g_variant_new_bytestring (path), cancellable,
                            callback, user_data);
}

static char *
checksum_finish (GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) value = dray_executor_call_finish (executor, result, error);

  return value != NULL ? g_variant_dup_string (value, NULL) : NULL;
}

/* --- Where the caller has to get its own object, and another type, as before --- */

static void
checksum_done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  g_autoptr (GError) error = NULL;
  char *sum = checksum_finish (result, &error);

  if (sum == NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_pointer (task, sum, g_free);
}

static void
wrapped_checksum_async (GObject *self,
                        const char *path,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  checksum_async (path, cancellable, checksum_done_cb, task);
}

/* --- The program --- */

static void
print_old_cb (GObject *source, GAsyncResult *result, gpointer n_left)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *sum = old_checksum_finish (result, &error);

  printf ("before: %s\n", sum != NULL ? sum : error->message);
  (*(int *) n_left)--;
}

static void
print_cb (GObject *source, GAsyncResult *result, gpointer n_left)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *sum = checksum_finish (result, &error);

  printf ("after: %s\n", sum != NULL ? sum : error->message);
  (*(int *) n_left)--;
}

static void
print_wrapped_cb (GObject *source, GAsyncResult *result, gpointer n_left)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *sum = old_checksum_finish (result, &error);

  printf ("wrapped: %s\n", sum != NULL ? sum : error->message);
  (*(int *) n_left)--;
}

int
main (int argc, char **argv)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();
  g_autoptr (DrayLauncher) launcher = NULL;
  const char *path = argc > 1 ? argv[1] : argv[0];
  int n_left = 3;

  dray_worker_add_typed_function (worker, "checksum", G_VARIANT_TYPE_BYTESTRING, checksum, NULL,
                                  NULL);
  if (dray_worker_is_requested (argc, argv))
    return dray_worker_run (worker);

  launcher = dray_launcher_new_self ();
  executor = dray_executor_new (launcher);
  old_checksum_async (path, NULL, print_old_cb, &n_left);
  checksum_async (path, NULL, print_cb, &n_left);
  wrapped_checksum_async (G_OBJECT (executor), path, NULL, print_wrapped_cb, &n_left);
  while (n_left > 0)
    g_main_context_iteration (NULL, TRUE);

  g_object_unref (executor);
  return 0;
}
