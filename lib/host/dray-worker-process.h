/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-enums.h"
#include "dray-types.h"

G_BEGIN_DECLS

#define DRAY_TYPE_WORKER_PROCESS (dray_worker_process_get_type ())
DRAY_API
G_DECLARE_FINAL_TYPE (DrayWorkerProcess, dray_worker_process, DRAY, WORKER_PROCESS, GObject)

DRAY_API int dray_worker_process_get_pid (DrayWorkerProcess *self);
DRAY_API DrayWorkerState dray_worker_process_get_state (DrayWorkerProcess *self);
DRAY_API DrayTask *dray_worker_process_get_task (DrayWorkerProcess *self);
DRAY_API guint64 dray_worker_process_get_tasks_done (DrayWorkerProcess *self);
DRAY_API GDateTime *dray_worker_process_get_start_time (DrayWorkerProcess *self);
DRAY_API int dray_worker_process_get_wait_status (DrayWorkerProcess *self);
DRAY_API void dray_worker_process_kill (DrayWorkerProcess *self);

G_END_DECLS
