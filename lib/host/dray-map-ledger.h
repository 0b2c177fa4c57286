/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The host's end of a worker's ledger; what it is for is told in dray-ledger.h. I/O thread only.
 */

#include "dray-ledger.h"
#include "dray-message.h"

G_BEGIN_DECLS

typedef struct _DrayMapLedger DrayMapLedger;

/* NULL: there is none to be had. */
DrayMapLedger *dray_map_ledger_new (void);
void dray_map_ledger_free (DrayMapLedger *self);
/* Where the worker finds it; to be sent before the first chunk. */
void dray_map_ledger_init_message (DrayMapLedger *self, DrayMessage *message);
/* The worker has it open, if it ever will: its descriptor is not needed any more. */
void dray_map_ledger_close (DrayMapLedger *self);
/* (transfer full) (nullable): what the worker, which is gone, has left of that chunk: a payload of
 * outcomes, not yet checked, from the call *@first on */
GBytes *dray_map_ledger_take (DrayMapLedger *self, guint64 task_id, guint attempt, guint *first);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayMapLedger, dray_map_ledger_free)

G_END_DECLS
