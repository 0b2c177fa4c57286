/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-worker-process.h"

G_BEGIN_DECLS

/* Main context of the executor only: the object is a picture that the executor keeps up to date.
 * @kill is called (with @kill_data, which @destroy frees) by dray_worker_process_kill(). */
typedef void (*DrayWorkerProcessKillFunc) (guint64 worker_id, gpointer user_data);
DrayWorkerProcess *dray_worker_process_new (guint64 worker_id,
                                            int pid,
                                            gint64 start_time, /* real time, µs */
                                            DrayWorkerProcessKillFunc kill,
                                            gpointer kill_data,
                                            GDestroyNotify destroy);
guint64 dray_worker_process_get_id (DrayWorkerProcess *self);
/* Notifies only for what has changed. */
void dray_worker_process_update (DrayWorkerProcess *self,
                                 DrayWorkerState state,
                                 DrayTask *task, /* (nullable) */
                                 guint64 tasks_done);
/* It is gone. @wait_status: as from waitpid(), -1 if it is not known. */
void dray_worker_process_end (DrayWorkerProcess *self, int wait_status);

G_END_DECLS
