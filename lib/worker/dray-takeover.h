/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What a process does to itself when it becomes a worker: it keeps the channel to itself, and
 * starts with a clean slate otherwise.
 */

#include <glib.h>

G_BEGIN_DECLS

/* Takes the channel from descriptors 0 and 1, and changes what dray_worker_run() is documented to
 * change. (out): descriptors of the channel, close-on-exec, now the caller's. FALSE, after a
 * message on stderr: nobody is there to talk to. */
gboolean dray_takeover (int *in_fd, int *out_fd);

/* Says on stderr why there is no worker here. */
void dray_complain (const char *message);

G_END_DECLS
