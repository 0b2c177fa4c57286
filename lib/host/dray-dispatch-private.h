/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* What the files share that the dispatcher is made of. */

#include "dray-pool.h"

G_BEGIN_DECLS

/* dray-dispatch.c: I/O thread only, or whoever stands in for it. */
gboolean dray_dispatch_has_free_slot (DrayPool *self);
gboolean dray_dispatch_is_paused_locked (DrayPool *self);
/* Whether @call has to wait until descriptors can be passed again. */
gboolean dray_dispatch_waits_to_be_passed (DrayPool *self, DrayTicket *call);
/* Writes what the workers were given. */
void dray_dispatch_flush_workers (DrayPool *self);

/* dray-dispatch-launch.c: I/O thread only. */
void dray_dispatch_start_worker (DrayPool *self);
/* Fails the calls that wait, if the last attempt was one too many and there is no worker left. */
void dray_dispatch_give_up_if_hopeless (DrayPool *self);

/* dray-dispatch-end.c: I/O thread only. */
void dray_dispatch_apply_shutdown (DrayPool *self);
gboolean dray_dispatch_is_finished (DrayPool *self);
/* Closes the pool. The caller drops its reference, that of the I/O thread. */
void dray_dispatch_leave_io_thread (DrayPool *self);

G_END_DECLS
