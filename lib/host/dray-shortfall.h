/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The shortfall: what is missing of a sandbox that is preferred. The first worker that is told to
 * have less than was asked for says it for all of them, which are started alike. It is kept, and
 * the executor's property is notified once, in the main context that the executor was made in.
 */

#include "dray-executor.h"
#include "dray-pool.h"

G_BEGIN_DECLS

/* For an executor that is being made: its pool is nobody else's yet. */
void dray_shortfall_watch (DrayPool *pool, DrayExecutor *executor);
/* The executor goes; it is not told any more. */
void dray_shortfall_detach (DrayPool *pool);
void dray_shortfall_free (DrayShortfall *self);

/* I/O thread only. Takes @text; all but the first are dropped. */
void dray_shortfall_note (DrayPool *pool, char *text);
/* (transfer full) (nullable). Any thread. */
char *dray_shortfall_dup_text (DrayPool *pool);

G_END_DECLS
