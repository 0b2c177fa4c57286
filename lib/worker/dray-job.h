/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-types.h"

G_BEGIN_DECLS

#define DRAY_TYPE_JOB (dray_job_get_type ())
DRAY_API
G_DECLARE_FINAL_TYPE (DrayJob, dray_job, DRAY, JOB, GObject)

DRAY_API DrayJob *dray_job_get_current (void);
DRAY_API DrayWorker *dray_job_get_worker (DrayJob *self);
DRAY_API guint64 dray_job_get_id (DrayJob *self);
DRAY_API guint dray_job_get_attempt (DrayJob *self);
DRAY_API const char *dray_job_get_function (DrayJob *self);
DRAY_API GCancellable *dray_job_get_cancellable (DrayJob *self);
DRAY_API gboolean dray_job_is_cancelled (DrayJob *self);

DRAY_API gboolean dray_job_emit (DrayJob *self, GVariant *value);
DRAY_API gboolean dray_job_set_progress (DrayJob *self, double fraction, const char *text);

DRAY_API GBytes *dray_job_allocate_bytes (DrayJob *self, gsize size, gpointer *data);

DRAY_API GUnixFDList *dray_job_get_attachments (DrayJob *self);
DRAY_API int dray_job_return_attachment (DrayJob *self, int fd, GError **error);

G_END_DECLS
