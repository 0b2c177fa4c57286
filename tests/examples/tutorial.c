/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the tutorial arrives at: a window that shows how many lines each file in a folder has.
 *
 *   tutorial FOLDER
 */

#include <dray.h>
#include <gtk/gtk.h>

enum
{
  COLUMN_NAME,
  COLUMN_LINES,
  N_COLUMNS
};

typedef struct
{
  DrayExecutor *executor;
  GtkListStore *rows;
  GtkWidget *bar;  /* NULL once the window is gone */
  GtkWidget *stop; /* goes with the bar */
  guint n_files;
  guint n_done;
} Lines;

/* One file, while a worker counts its lines. */
typedef struct
{
  Lines *lines;
  GtkTreeIter row;
} Count;

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

/* In a worker process: sends the path of each file in a folder. */
static GVariant *
list_files (DrayJob *job, GVariant *path, gpointer user_data, GError **error)
{
  GCancellable *cancellable = dray_job_get_cancellable (job);
  g_autoptr (GFile) folder = g_file_new_for_path (g_variant_get_bytestring (path));
  g_autoptr (GFileEnumerator) children = g_file_enumerate_children (
    folder, G_FILE_ATTRIBUTE_STANDARD_TYPE, G_FILE_QUERY_INFO_NONE, cancellable, error);
  GFileInfo *info;
  GFile *child;

  while (children != NULL && g_file_enumerator_iterate (children, &info, &child, cancellable, error)
         && info != NULL)
    {
      if (g_file_info_get_file_type (info) == G_FILE_TYPE_REGULAR
          && !dray_job_emit (job, g_variant_new_bytestring (g_file_peek_path (child))))
        break;
    }

  return NULL;
}

static void
show_progress (Lines *self)
{
  g_autofree char *text = g_strdup_printf ("%u of %u files", self->n_done, self->n_files);

  if (self->bar == NULL)
    return;

  gtk_progress_bar_set_fraction (GTK_PROGRESS_BAR (self->bar),
                                 self->n_files > 0 ? (double) self->n_done / self->n_files : 1);
  gtk_progress_bar_set_text (GTK_PROGRESS_BAR (self->bar), text);
  gtk_widget_set_sensitive (self->stop, self->n_done < self->n_files);
}

/* In the main loop: the lines of a file were counted, or not. */
static void
show_lines (DrayFuture *future, gpointer user_data)
{
  Count *count = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) n_lines = dray_future_dup_result (future, &error);
  g_autofree char *text = NULL;

  if (n_lines != NULL)
    text = g_strdup_printf ("%" G_GUINT64_FORMAT, g_variant_get_uint64 (n_lines));
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    text = g_strdup ("stopped");
  else
    text = g_strdup (error->message);

  gtk_list_store_set (count->lines->rows, &count->row, COLUMN_LINES, text, -1);
  count->lines->n_done++;
  show_progress (count->lines);
}

/* In the main loop: another file was found. */
static void
add_file (DrayFuture *future, GVariant *path, gpointer user_data)
{
  Lines *self = user_data;
  Count *count = g_new (Count, 1);
  g_autofree char *name = g_filename_display_basename (g_variant_get_bytestring (path));
  g_autoptr (DrayFuture) counted = dray_executor_call (self->executor, "count-lines", path);

  count->lines = self;
  gtk_list_store_insert_with_values (self->rows, &count->row, -1, COLUMN_NAME, name, COLUMN_LINES,
                                     "…", -1);
  self->n_files++;
  show_progress (self);
  dray_future_add_done_callback (counted, show_lines, count, g_free);
}

/* In the main loop: there are no more files, or the folder could not be read. */
static void
end_listing (DrayFuture *future, gpointer user_data)
{
  Lines *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);

  show_progress (self);
  if (result == NULL && self->bar != NULL)
    gtk_progress_bar_set_text (GTK_PROGRESS_BAR (self->bar), error->message);
}

static void
read_folder (Lines *self, const char *folder)
{
  DrayFuture *listing = dray_executor_call (self->executor, "list-files",
                                            g_variant_new_bytestring (folder));

  g_signal_connect (listing, "item", G_CALLBACK (add_file), self);
  dray_future_add_done_callback (listing, end_listing, self, NULL);
  g_object_unref (listing);
}

static GtkWidget *
make_list (Lines *self)
{
  GtkWidget *scrolled = gtk_scrolled_window_new (NULL, NULL);
  GtkWidget *list = gtk_tree_view_new_with_model (GTK_TREE_MODEL (self->rows));
  GtkCellRenderer *text = gtk_cell_renderer_text_new ();

  gtk_tree_view_insert_column_with_attributes (GTK_TREE_VIEW (list), -1, "File", text, "text",
                                               COLUMN_NAME, NULL);
  gtk_tree_view_insert_column_with_attributes (GTK_TREE_VIEW (list), -1, "Lines", text, "text",
                                               COLUMN_LINES, NULL);
  gtk_tree_view_column_set_expand (gtk_tree_view_get_column (GTK_TREE_VIEW (list), 0), TRUE);
  gtk_container_add (GTK_CONTAINER (scrolled), list);
  return scrolled;
}

static GtkWidget *
make_foot (Lines *self)
{
  GtkWidget *foot = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);

  self->bar = gtk_progress_bar_new ();
  self->stop = gtk_button_new_with_label ("Stop");
  gtk_progress_bar_set_show_text (GTK_PROGRESS_BAR (self->bar), TRUE);
  gtk_widget_set_valign (self->bar, GTK_ALIGN_CENTER);
  g_signal_connect (self->bar, "destroy", G_CALLBACK (gtk_widget_destroyed), &self->bar);
  g_signal_connect_swapped (self->stop, "clicked", G_CALLBACK (dray_executor_cancel_all),
                            self->executor);
  gtk_box_pack_start (GTK_BOX (foot), self->bar, TRUE, TRUE, 0);
  gtk_box_pack_end (GTK_BOX (foot), self->stop, FALSE, FALSE, 0);
  g_object_set (foot, "margin", 12, NULL);
  return foot;
}

static void
activate (GtkApplication *application, gpointer user_data)
{
  Lines *self = user_data;
  GtkWidget *window = gtk_application_window_new (application);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);

  gtk_box_pack_start (GTK_BOX (box), make_list (self), TRUE, TRUE, 0);
  gtk_box_pack_end (GTK_BOX (box), make_foot (self), FALSE, FALSE, 0);
  gtk_window_set_title (GTK_WINDOW (window), "Lines");
  gtk_window_set_default_size (GTK_WINDOW (window), 480, 360);
  gtk_container_add (GTK_CONTAINER (window), box);
  gtk_widget_show_all (window);
}

static int
run_application (const char *folder)
{
  g_autoptr (GtkApplication) application = gtk_application_new (NULL, G_APPLICATION_DEFAULT_FLAGS);
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  Lines self = { 0 };
  int status;

  self.executor = dray_executor_new (launcher);
  self.rows = gtk_list_store_new (N_COLUMNS, G_TYPE_STRING, G_TYPE_STRING);
  read_folder (&self, folder);

  g_signal_connect (application, "activate", G_CALLBACK (activate), &self);
  status = g_application_run (G_APPLICATION (application), 0, NULL);

  g_object_unref (self.executor);
  g_object_unref (self.rows);
  return status;
}

int
main (int argc, char **argv)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  dray_worker_add_typed_function (worker, "count-lines", G_VARIANT_TYPE_BYTESTRING, count_lines,
                                  NULL, NULL);
  dray_worker_add_typed_function (worker, "list-files", G_VARIANT_TYPE_BYTESTRING, list_files, NULL,
                                  NULL);
  if (dray_worker_is_requested (argc, argv))
    return dray_worker_run (worker);

  return run_application (argc > 1 ? argv[1] : ".");
}
