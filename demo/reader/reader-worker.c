/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The worker program of the demo: it offers the reader's two functions. It is linked without GTK,
 * so that it starts quickly and stays small.
 */

#include "config.h"

#include <dray.h>
#include <gio/gunixfdlist.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <sys/resource.h>
#include <unistd.h>

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

static GBytes *
allocate_cb (gsize size, gpointer *data, gpointer user_data)
{
  return dray_job_allocate_bytes (user_data, size, data);
}

/* The open file that came with the call, which is the caller's then; or -1. */
static int
take_file (DrayJob *job, GError **error)
{
  GUnixFDList *attachments = dray_job_get_attachments (job);
  g_autofree int *fds = NULL;
  int n_fds = 0;

  if (attachments != NULL)
    fds = g_unix_fd_list_steal_fds (attachments, &n_fds);
  for (int i = 1; i < n_fds; i++)
    close (fds[i]);
  if (n_fds > 0)
    return fds[0];

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                       _ ("The file that is to be read did not come with the call"));
  return -1;
}

static GVariant *
read_file (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  DemoReaderClient client = { dray_job_get_cancellable (job), progress_cb, allocate_cb, job };
  g_autoptr (GBytes) pixels = NULL;
  GVariant *facts;
  const char *path;
  int fd = take_file (job, error);

  if (fd < 0)
    return NULL;

  g_variant_get (arguments, "(^&ay)", &path);
  facts = demo_reader_read (fd, path, &client, &pixels, error);
  close (fd);
  if (facts != NULL && pixels != NULL)
    dray_job_emit (job, g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, pixels, TRUE));
  return facts;
}

#ifdef __SANITIZE_ADDRESS__
/* Nobody can look for leaks from inside of a sandbox: that takes a process that traces this one. */
int __lsan_is_turned_off (void);

int
__lsan_is_turned_off (void)
{
  return 1;
}
#endif

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
