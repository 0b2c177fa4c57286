/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The longest type string of a value or of a variant inside it, in bytes, and how deep containers
 * may lie in each other; both are within what GVariant itself can take. */
#define DRAY_VALUE_MAX_TYPE ((gsize) 4 * 1024)
#define DRAY_VALUE_MAX_DEPTH 100

/* Whether @type (not NUL-terminated) is a definite type, and @data a value of it in normal form,
 * within the limits above, all the way down: then the bytes can be trusted like those of a
 * GVariant that was made here. Takes time in proportion to @size + @type_length, whatever the
 * bytes are, and memory in proportion to the type strings only. */
gboolean dray_value_check (const char *type,
                           gsize type_length,
                           const guint8 *data,
                           gsize size);

G_END_DECLS
