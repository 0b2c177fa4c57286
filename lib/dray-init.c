/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-types.h"

#include <glib/gi18n-lib.h>

/* Messages are in the user's language in any program, whether it has translations of its own or
 * not. This says where ours are; the locale is the program's to set. */
__attribute__ ((constructor)) static void
bind_messages (void)
{
  bindtextdomain (GETTEXT_PACKAGE, DRAY_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
}
