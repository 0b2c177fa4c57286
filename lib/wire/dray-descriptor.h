/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The library's own descriptors. An application may have closed its standard input, output or
 * error; then the next descriptor that anybody opens takes that place, and whatever the
 * application prints goes there: into the pipe to a worker, say. So ours are always above them.
 */

#include <gio/gio.h>

G_BEGIN_DECLS

/* The first descriptor that is none of the standard ones. */
#define DRAY_DESCRIPTOR_LOWEST 3

/* Takes @fd, which is close-on-exec, or -1, and returns one that is no standard one, or -1 with
 * errno. */
int dray_descriptor_raise (int fd);
/* Both ends close-on-exec, and neither of them a standard descriptor. */
gboolean dray_descriptor_open_pipe (int fds[2], GError **error);

G_END_DECLS
