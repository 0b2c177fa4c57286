/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-job.h"
#include "dray-link.h"

G_BEGIN_DECLS

/* The thread of dray_worker_run() only, all of these. */

/* Takes @call, which link is about to run, or runs. */
DrayJob *dray_job_new (DrayWorker *worker, DrayLink *link, DrayCall *call);
GVariant *dray_job_get_arguments (DrayJob *self);
/* Tells the host how the call ended and returns when that is written; the job is over with it.
 * @result: (transfer full) (nullable), may be floating; @error: (transfer full) (nullable), wins
 * over the result. Without either, the result is "()". */
void dray_job_finish (DrayJob *self, GVariant *result, GError *error);

G_END_DECLS
