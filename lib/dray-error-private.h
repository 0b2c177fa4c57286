/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-error.h"

G_BEGIN_DECLS

/* Sets a GIOErrorEnum from @saved_errno: "@what: <what the errno means>". The message of errno
 * comes in the user's language. */
void dray_set_error_errno (GError **error, int saved_errno, const char *format, ...)
  G_GNUC_PRINTF (3, 4);

G_END_DECLS
