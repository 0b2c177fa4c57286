/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-error-private.h"

#include <errno.h>
#include <string.h>

static void
test_domains (void)
{
  g_test_summary ("The domains have the names that they have had since the first version: they "
                  "cross from process to process.");

  g_assert_cmpstr (g_quark_to_string (DRAY_ERROR), ==, "dray-error-quark");
  g_assert_cmpstr (g_quark_to_string (DRAY_SIGNAL_ERROR), ==, "dray-signal-error-quark");
}

static void
test_errno (void)
{
  static const struct
  {
    int saved_errno;
    GIOErrorEnum code;
  } vectors[] = {
    { ENOENT, G_IO_ERROR_NOT_FOUND },
    { EPIPE, G_IO_ERROR_BROKEN_PIPE },
    { EACCES, G_IO_ERROR_PERMISSION_DENIED },
    { ENOSPC, G_IO_ERROR_NO_SPACE },
  };

  g_test_summary ("An errno becomes the GIO error of its kind; the message says what failed and "
                  "why.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *expected = g_strdup_printf ("Could not open “%s”: %s", "a%sb",
                                                   g_strerror (vectors[i].saved_errno));

      dray_set_error_errno (&error, vectors[i].saved_errno, "Could not open “%s”", "a%sb");
      g_assert_error (error, G_IO_ERROR, (gint) vectors[i].code);
      g_assert_cmpstr (error->message, ==, expected);
    }

  dray_set_error_errno (NULL, ENOENT, "nobody asks");
}

static void
test_limits (void)
{
  g_test_summary ("Where a limit is reached, the message says whose it is, and what it is called.");

  g_assert_cmpstr (dray_strerror (EMFILE), ==,
                   "the process’s limit of open files (RLIMIT_NOFILE) is reached");
  g_assert_cmpstr (dray_strerror (ENFILE), ==,
                   "the system’s limit of open files (fs.file-max) is reached");
  g_assert_cmpstr (dray_strerror (EAGAIN), ==, g_strerror (EAGAIN));
  g_assert_cmpstr (dray_strerror_of_start (EAGAIN), ==,
                   "the user’s limit of processes and threads (RLIMIT_NPROC), or the system’s, is "
                   "reached");
  g_assert_cmpstr (dray_strerror_of_start (EMFILE), ==, dray_strerror (EMFILE));
  g_assert_cmpstr (dray_strerror_of_start (ENOENT), ==, g_strerror (ENOENT));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/error/domains", test_domains);
  g_test_add_func ("/error/errno", test_errno);
  g_test_add_func ("/error/limits", test_limits);

  return g_test_run ();
}
