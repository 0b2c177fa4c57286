/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The undertaker: sees to it that nothing of this worker's process group is left when the
 * application is gone.
 *
 * As long as there is an application, it kills the group when the worker has ended. When there is
 * none any more, the worker has to do that itself, and it can't: whoever kills a group kills
 * himself first, and its program is still to return from main(). So a process is forked for it, in
 * a group of its own, which waits for the end of the worker, for so long as that may take, and
 * kills the group.
 *
 * A worker that is killed together with the application, as killall does where they are one
 * program, gets to do nothing. So it holds the leash of its own group (dray-leash.h) as well, and
 * the kernel does it. That is not enough: a process that was forked by other means than fork() has
 * the leash, too.
 */

#include <glib.h>

G_BEGIN_DECLS

/* How long a worker whose host is gone may take to end. In ms. */
#define DRAY_END_GRACE 1000

/* Once, before all else: that of this process's group nothing is left when it ends, however it
 * does. Does nothing where it does not lead the group. */
void dray_undertaker_prepare (void);
/* That this is not needed any more: this process may execute another program. */
void dray_undertaker_dismiss (void);
/* Whether this process has children in its group. The application, which was alive a moment ago,
 * may be gone before it has seen to them. */
gboolean dray_undertaker_has_work (void);
/* Once, at the end of a worker. With @hurries, as when the application is gone, this process is
 * killed if it has not ended by itself after DRAY_END_GRACE. Does nothing where this process does
 * not lead its group. */
void dray_undertaker_start (gboolean hurries);

G_END_DECLS
