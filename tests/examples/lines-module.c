/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A module for workers: what a plugin has instead of a worker program of its own. plugin.c is the
 * other half.
 */

#include <dray.h>
#include <gmodule.h>

/* Opens the file, and says how large it is. */
static GInputStream *
open_file (const char *path, goffset *size, GCancellable *cancellable, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GFileInputStream) stream = g_file_read (file, cancellable, error);
  g_autoptr (GFileInfo) info = NULL;

  if (stream == NULL)
    return NULL;

  info = g_file_input_stream_query_info (stream, G_FILE_ATTRIBUTE_STANDARD_SIZE, cancellable,
                                         error);
  if (info == NULL)
    return NULL;

  *size = g_file_info_get_size (info);
  return G_INPUT_STREAM (g_steal_pointer (&stream));
}

/* Takes the path of a file, emits each of its lines, returns how many there were. */
static GVariant *
read_lines (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  GCancellable *cancellable = dray_job_get_cancellable (job);
  g_autoptr (GInputStream) stream = NULL;
  g_autoptr (GDataInputStream) lines = NULL;
  g_autoptr (GError) reason = NULL;
  const char *path;
  goffset size = 0, done = 0;
  guint64 n_lines = 0;

  g_variant_get (arguments, "(^&ay)", &path);
  stream = open_file (path, &size, cancellable, error);
  if (stream == NULL)
    return NULL;

  lines = g_data_input_stream_new (stream);
  for (;;)
    {
      g_autofree char *line = NULL;

      line = g_data_input_stream_read_line (lines, NULL, cancellable, &reason);
      if (line == NULL || !dray_job_emit (job, g_variant_new_bytestring (line)))
        break;

      done += (goffset) strlen (line) + 1;
      if (++n_lines % 1000 == 0)
        dray_job_set_progress (job, (double) done / (double) MAX (size, 1), "Reading");
    }

  if (reason != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&reason));
      return NULL;
    }
  return g_variant_new_uint64 (n_lines);
}

static gboolean
prepare (DrayWorker *worker, GVariant *arguments, gpointer user_data, GError **error)
{
  const char *locale;

  if (arguments == NULL || !g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(s)")))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "A locale is needed");
      return FALSE;
    }

  g_variant_get (arguments, "(&s)", &locale);
  g_setenv ("LC_ALL", locale, TRUE);
  return TRUE;
}

G_MODULE_EXPORT void dray_worker_module_init (DrayWorker *worker);

void
dray_worker_module_init (DrayWorker *worker)
{
  dray_worker_set_initializer (worker, prepare, NULL, NULL);
  dray_worker_add_typed_function (worker, "read-lines", G_VARIANT_TYPE ("(ay)"), read_lines,
                                  NULL, NULL);
}
