/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The worker program of the demo: it offers the reader's two functions. It is linked without GTK,
 * so that it starts quickly and stays small.
 */

#include "config.h"

#include <dray.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <sys/resource.h>

#include "reader.h"

/* Where a machine has fewer processors than the application has work, the window goes first. */
#define NICENESS 5

static gboolean
emit_cb (GVariant *names, gpointer user_data)
{
  return dray_job_emit (user_data, names);
}

static GVariant *
list_folder (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  const char *path;
  guint64 n_names;

  g_variant_get (arguments, "(^&ay)", &path);
  if (!demo_reader_list (path, dray_job_get_cancellable (job), emit_cb, job, &n_names, error))
    return NULL;
  return g_variant_new_uint64 (n_names);
}

static void
progress_cb (double fraction, gpointer user_data)
{
  dray_job_set_progress (user_data, fraction, NULL);
}

static GVariant *
read_file (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  const char *path;

  g_variant_get (arguments, "(^&ay)", &path);
  return demo_reader_read (path, dray_job_get_cancellable (job), progress_cb, job, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (DrayWorker) worker = NULL;
  const char *locale_dir = g_getenv ("DRAY_DEMO_LOCALEDIR");

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, locale_dir != NULL ? locale_dir : DRAY_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);

  /* It would be nice; where it is not allowed, all works as well. */
  (void) setpriority (PRIO_PROCESS, 0, NICENESS);

  worker = dray_worker_new ();
  dray_worker_add_typed_function (worker, DEMO_FUNCTION_LIST, G_VARIANT_TYPE (DEMO_ARGUMENTS_TYPE),
                                  list_folder, NULL, NULL);
  dray_worker_add_typed_function (worker, DEMO_FUNCTION_READ, G_VARIANT_TYPE (DEMO_ARGUMENTS_TYPE),
                                  read_file, NULL, NULL);
  return dray_worker_run (worker);
}
