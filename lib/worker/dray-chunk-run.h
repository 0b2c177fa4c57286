/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * A chunk inside the worker: its calls are run one after another, and their outcomes are packed
 * and sent many at a time. How, and when they are sent, is told in dray-chunk-run.c.
 */

#include "dray-link.h"

G_BEGIN_DECLS

typedef struct _DrayChunkRun DrayChunkRun;

/* Main thread only. Takes @calls, a chunk that the link has just begun. */
DrayChunkRun *dray_chunk_run_new (DrayLink *link, DrayCall *calls);
void dray_chunk_run_unref (DrayChunkRun *self);
/* Begins the next call (transfer full). NULL: there is none, and everything was sent. */
DrayCall *dray_chunk_run_next (DrayChunkRun *self);
/* The outcome of the call that next() gave: @error, or else @value (nullable: NULL is "()").
 * @exposed: somebody may have connected to its cancellable. */
void dray_chunk_run_add (DrayChunkRun *self, GVariant *value, GError *error, gboolean exposed);

/* The watcher: the call that runs takes long. If it is one of a chunk, what was packed before is
 * sent, and the calls behind it are given back. Lets go of the link's lock meanwhile. */
void dray_chunk_run_yield_locked (DrayLink *link);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayChunkRun, dray_chunk_run_unref)

G_END_DECLS
