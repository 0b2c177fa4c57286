/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-error-private.h"

#include <glib/gi18n-lib.h>

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
G_DEFINE_QUARK (dray-error-quark, dray_error)

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
G_DEFINE_QUARK (dray-signal-error-quark, dray_signal_error)

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
               _("%s: %s"), what, g_strerror (saved_errno));
}
