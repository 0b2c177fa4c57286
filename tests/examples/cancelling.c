/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Three ways to cancel, and three ways to hear of it in a worker. It prints what became of each
 * task.
 */

#include <dray.h>
#include <stdio.h>
#include <stdlib.h>

/* --- In a worker process --- */

/* A loop of one's own asks, which costs next to nothing. */
static GVariant *
search (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  guint64 n_tried = 0;

  dray_job_set_progress (job, 0, "searching");
  while (!dray_job_is_cancelled (job))
    n_tried++;

  return g_variant_new_uint64 (n_tried);
}

/* What GIO does is given the cancellable, and fails with G_IO_ERROR_CANCELLED. */
static GVariant *
read_slowly (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path ("/dev/zero");
  g_autoptr (GFileInputStream) input = g_file_read (file, NULL, error);
  char bytes[4096];

  dray_job_set_progress (job, 0, "reading");
  while (g_input_stream_read (G_INPUT_STREAM (input), bytes, sizeof bytes,
                              dray_job_get_cancellable (job), error)
         > 0)
    ;
  return NULL;
}

/* What can't be asked to stop is ended with its process. */
static GVariant *
loop (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  dray_job_set_progress (job, 0, "looping");
  for (guint64 n = 0; n < G_MAXUINT64; n++)
    g_usleep (1000);
  return NULL;
}

/* --- In the application --- */

static void
wait_until_running (DrayFuture *future)
{
  while (dray_future_get_progress (future) != 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
print_end (const char *what, DrayFuture *future)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  if (result != NULL)
    printf ("%s: a result\n", what);
  else if (dray_future_get_state (future) == DRAY_FUTURE_CANCELLED)
    printf ("%s: cancelled\n", what);
  else
    printf ("%s: %s\n", what, error->message);
}

/* One cancellable may be given with many tasks. */
static void
cancel_together (DrayExecutor *executor)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayTask) search_task = dray_task_new_call ("search", NULL);
  g_autoptr (DrayTask) read_task = dray_task_new_call ("read-slowly", NULL);
  g_autoptr (DrayFuture) searching = dray_executor_submit (executor, search_task, cancellable);
  g_autoptr (DrayFuture) reading = dray_executor_submit (executor, read_task, cancellable);

  wait_until_running (searching);
  g_cancellable_cancel (cancellable);
  print_end ("search", searching);
  print_end ("read", reading);
}

/* To know when the worker has stopped, and keep what it has got so far. */
static void
cancel_and_keep (DrayExecutor *executor)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("search", NULL);
  g_autoptr (DrayFuture) future = NULL;

  dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  future = dray_executor_submit (executor, task, NULL);
  wait_until_running (future);
  dray_future_cancel (future);
  print_end ("search, confirmed", future);
}

/* The future is cancelled at once; the process gets its two seconds in the background. */
static void
cancel_deaf (DrayExecutor *executor)
{
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "loop", NULL);

  wait_until_running (future);
  dray_future_cancel (future);
  print_end ("loop", future);
}

int
main (int argc, char **argv)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();
  g_autoptr (DrayLauncher) launcher = NULL;
  g_autoptr (DrayExecutor) executor = NULL;

  dray_worker_add_function (worker, "search", search, NULL, NULL);
  dray_worker_add_function (worker, "read-slowly", read_slowly, NULL, NULL);
  dray_worker_add_function (worker, "loop", loop, NULL, NULL);
  if (dray_worker_is_requested (argc, argv))
    return dray_worker_run (worker);

  launcher = dray_launcher_new_self ();
  executor = dray_executor_new (launcher);
  cancel_together (executor);
  cancel_and_keep (executor);
  cancel_deaf (executor);
  return dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL) ? EXIT_SUCCESS
                                                                                 : EXIT_FAILURE;
}
