/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-error.h"

G_BEGIN_DECLS

/* What @saved_errno means, in the user's language. It is the system's message, except where a limit
 * is reached: that would not say whose, nor which. */
const char *dray_strerror (int saved_errno);
/* The same where a process or a thread could not be started. */
const char *dray_strerror_of_start (int saved_errno);

/* Sets a GIOErrorEnum from @saved_errno: "@what: <what the errno means>". */
void dray_set_error_errno (GError **error, int saved_errno, const char *format, ...)
  G_GNUC_PRINTF (3, 4);

G_END_DECLS
