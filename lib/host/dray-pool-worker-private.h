/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-pool-worker.h"

G_BEGIN_DECLS

/* Shared by the two files of the pooled worker. */

/* To be called after whatever changes its state or its tasks. */
void dray_pool_worker_settle (DrayPoolWorker *self);
/* The only place where a worker's state changes. */
void dray_pool_worker_set_state (DrayPoolWorker *self, DrayPoolWorkerState state);
gboolean dray_pool_worker_is_starting (DrayPoolWorkerState state);
/* It takes up the task that it has; from here the time limit counts. */
void dray_pool_worker_begin_current (DrayPoolWorker *self);
gboolean dray_pool_worker_read_output (DrayProcess *process);

G_END_DECLS
