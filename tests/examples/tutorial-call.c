/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The tutorial's second step: a worker counts the lines of one file.
 *
 *   tutorial-call FILE
 */

#include <dray.h>
#include <gtk/gtk.h>

/* In a worker process: how many lines a file has. */
static GVariant *
count_lines (DrayJob *job, GVariant *path, gpointer user_data, GError **error)
{
  GCancellable *cancellable = dray_job_get_cancellable (job);
  g_autoptr (GFile) file = g_file_new_for_path (g_variant_get_bytestring (path));
  g_autoptr (GFileInputStream) input = g_file_read (file, cancellable, error);
  guint64 n_lines = 0;
  char bytes[65536];
  gssize size = 1;

  if (input == NULL)
    return NULL;

  while (size > 0)
    {
      size = g_input_stream_read (G_INPUT_STREAM (input), bytes, sizeof bytes, cancellable, error);
      for (gssize i = 0; i < size; i++)
        n_lines += bytes[i] == '\n';
    }

  return size == 0 ? g_variant_new_uint64 (n_lines) : NULL;
}

/* In the main loop: what became of the call. */
static void
show_lines (DrayFuture *future, gpointer label)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) n_lines = dray_future_dup_result (future, &error);
  g_autofree char *text = NULL;

  if (n_lines != NULL)
    text = g_strdup_printf ("%" G_GUINT64_FORMAT " lines", g_variant_get_uint64 (n_lines));
  gtk_label_set_text (GTK_LABEL (label), n_lines != NULL ? text : error->message);
}

static void
activate (GtkApplication *application, gpointer path)
{
  GtkWidget *window = gtk_application_window_new (application);
  GtkWidget *label = gtk_label_new ("Counting…");
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  DrayExecutor *executor = dray_executor_new (launcher);
  g_autoptr (DrayFuture) future = NULL;

  gtk_window_set_title (GTK_WINDOW (window), "Lines");
  gtk_window_set_default_size (GTK_WINDOW (window), 480, 360);
  gtk_label_set_line_wrap (GTK_LABEL (label), TRUE);
  gtk_container_add (GTK_CONTAINER (window), label);
  gtk_widget_show_all (window);

  g_object_set_data_full (G_OBJECT (window), "executor", executor, g_object_unref);
  future = dray_executor_call (executor, "count-lines", g_variant_new_bytestring (path));
  dray_future_add_done_callback (future, show_lines, g_object_ref (label), g_object_unref);
}

int
main (int argc, char **argv)
{
  g_autoptr (GtkApplication) application = NULL;
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  dray_worker_add_typed_function (worker, "count-lines", G_VARIANT_TYPE_BYTESTRING, count_lines,
                                  NULL, NULL);
  if (dray_worker_is_requested (argc, argv))
    return dray_worker_run (worker);

  application = gtk_application_new (NULL, G_APPLICATION_DEFAULT_FLAGS);
  g_signal_connect (application, "activate", G_CALLBACK (activate), argc > 1 ? argv[1] : argv[0]);
  return g_application_run (G_APPLICATION (application), 1, argv);
}
