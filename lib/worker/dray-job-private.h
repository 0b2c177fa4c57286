/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-job.h"
#include "dray-link.h"

G_BEGIN_DECLS

/* For the files that the job is made of. */
struct _DrayJob
{
  GObject parent_instance;

  /* set at construction */
  DrayWorker *worker; /* (owned) (nullable): if it is not real, as the next two */
  DrayLink *link;     /* (owned) (nullable) */
  DrayCall *call;     /* (owned) (nullable) */

  /* atomic */
  int over;        /* boolean: its outcome is known; only of calls that send nothing */
  GError *failure; /* (owned) (nullable): why the job fails whatever its function returns */

  GMutex lock;

  /* protected by the lock */
  GUnixFDList *returned; /* (owned) (nullable): the attachments of the result */
};

/* What methods check. Whoever has the type can make an object of it, as other languages let their
 * users do; but only what the library made is the job of a call. */
gboolean dray_job_is_real (DrayJob *self);

/* Any thread. (transfer full) (nullable) */
GUnixFDList *dray_job_steal_returned (DrayJob *self);

/* The thread of dray_worker_run() only, all of these. */

/* Takes @call, which link is about to run, or runs. */
DrayJob *dray_job_new (DrayWorker *worker, DrayLink *link, DrayCall *call);
GVariant *dray_job_get_arguments (DrayJob *self);
/* @self: (nullable): whose function this thread is about to call, or none any more */
void dray_job_set_current (DrayJob *self);
/* Tells the host how the call ended and returns when that is written; the job is over with it.
 * @result: (transfer full) (nullable), may be floating; @error: (transfer full) (nullable), wins
 * over the result. Without either, the result is "()". */
void dray_job_finish (DrayJob *self, GVariant *result, GError *error);

/* The same for a call of a chunk, whose outcome is not written here: TRUE with *@result (not
 * floating; NULL stands for "()"), FALSE with *@error. Takes what is in both. */
gboolean dray_job_settle (DrayJob *self, GVariant **result, GError **error);
/* Whether the function has got hold of the job's cancellable, and may have left handlers there. */
gboolean dray_job_has_exposed_cancellable (DrayJob *self);

G_END_DECLS
