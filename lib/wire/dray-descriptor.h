/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The library's own descriptors. An application may have closed its standard input, output or
 * error; then the next descriptor that anybody opens takes that place, and whatever the
 * application prints goes there: into the pipe to a worker, say. So ours are always above them.
 */

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

/* The first descriptor that is none of the standard ones. */
#define DRAY_DESCRIPTOR_LOWEST 3

/* Takes @fd, which is close-on-exec, or -1, and returns one that is no standard one, or -1 with
 * errno. */
int dray_descriptor_raise (int fd);
/* Another one of the same file, or -1 with errno; close-on-exec, and no standard one. */
int dray_descriptor_duplicate (int fd);
/* Whether so few are left beyond @fd, the last one that was opened, that they are better left to
 * the application. */
gboolean dray_descriptor_is_scarce (int fd);
/* Closes what somebody else has made. That may take as long as he likes: a socket that lingers, a
 * file of his own file system. So it is not waited for. */
void dray_descriptor_close_foreign (const int *fds, guint n_fds);
/* The same for a list, if this is the last reference on it; (transfer full) (nullable). */
void dray_descriptor_list_release (GUnixFDList *list);
/* Both ends close-on-exec, and neither of them a standard descriptor. */
gboolean dray_descriptor_open_pipe (int fds[2], GError **error);
/* The same, of sockets that keep messages apart. */
gboolean dray_descriptor_open_socket_pair (int fds[2], GError **error);

G_END_DECLS
