/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* Where the other parts of the demo are: installed, or in the folder that it was built in. */

#include <glib.h>

G_BEGIN_DECLS

/* The worker's program: in $DRAY_DEMO_LIBEXECDIR, else beside this program if it lies in the
 * folder it was built in, else where it is installed. */
char *demo_dup_reader_program (void);
/* The translations: in $DRAY_DEMO_LOCALEDIR, else likewise. */
char *demo_dup_locale_dir (void);

G_END_DECLS
