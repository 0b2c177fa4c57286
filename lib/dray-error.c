/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-error-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>

/* What G_DEFINE_QUARK() makes keeps the number in a variable that any thread writes at any time. */
static GQuark
get_quark (gsize *quark, const char *name)
{
  if (g_once_init_enter (quark))
    g_once_init_leave (quark, g_quark_from_static_string (name));

  return (GQuark) *quark;
}

/**
 * dray_error_quark:
 *
 * Gives the error domain of what can go wrong between an application and its workers; see
 * [error@Dray.Error]. In C, use %DRAY_ERROR. May be called on any thread.
 *
 * Returns: the domain
 *
 * Since: 0.1
 */
GQuark
dray_error_quark (void)
{
  static gsize quark;

  return get_quark (&quark, "dray-error-quark");
}

/**
 * dray_signal_error_quark:
 *
 * Gives the error domain of commands that were ended by a signal; the code of such an error is
 * the signal's number. In C, use %DRAY_SIGNAL_ERROR. May be called on any thread.
 *
 * Returns: the domain
 *
 * Since: 0.1
 */
GQuark
dray_signal_error_quark (void)
{
  static gsize quark;

  return get_quark (&quark, "dray-signal-error-quark");
}

const char *
dray_strerror (int saved_errno)
{
  switch (saved_errno)
    {
    case EMFILE:
      /* Translators: this is the reason why something could not be done, at the end of a
       * message. */
      return _("the process’s limit of open files (RLIMIT_NOFILE) is reached");

    case ENFILE:
      /* Translators: this is the reason why something could not be done, at the end of a
       * message. */
      return _("the system’s limit of open files (fs.file-max) is reached");

    default:
      return g_strerror (saved_errno);
    }
}

const char *
dray_strerror_of_start (int saved_errno)
{
  if (saved_errno != EAGAIN)
    return dray_strerror (saved_errno);

  /* Translators: this is the reason why something could not be done, at the end of a message. */
  return _("the user’s limit of processes and threads (RLIMIT_NPROC), or the system’s, is reached");
}

void
dray_set_error_errno (GError **error, int saved_errno, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list arguments;

  va_start (arguments, format);
  what = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  /* Translators: what failed, and what the system says about the reason. */
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
               _("%s: %s"), what, dray_strerror (saved_errno));
}
