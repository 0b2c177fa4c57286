/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * A write to a pipe that nobody reads raises SIGPIPE, which ends the application unless it has
 * thought of that. The I/O thread blocks all signals; another thread that writes to a worker has to
 * hold off this one for as long.
 */

#include <glib.h>
#include <signal.h>

G_BEGIN_DECLS

typedef struct
{
  sigset_t mask;        /* of the thread, before */
  gboolean was_pending; /* somebody else's, which stays */
} DraySigpipe;

void dray_sigpipe_block (DraySigpipe *self);
/* @raised: whether a write may have raised it since. The mask is as before, and nothing is pending
 * that was not. */
void dray_sigpipe_restore (DraySigpipe *self, gboolean raised);

G_END_DECLS
