/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-future.h"
#include "dray-ticket.h"

G_BEGIN_DECLS

/* The first handle on @ticket, which nobody else knows of yet; (transfer full). */
DrayFuture *dray_future_new (DrayTicket *ticket);
/* The handle on @ticket, made now if there is none (any more); (transfer full). */
DrayFuture *dray_future_for_ticket (DrayTicket *ticket);
DrayTicket *dray_future_get_ticket (DrayFuture *self);

/* The future's own main context only; without the lock. */
void dray_future_emit_item (DrayFuture *self, GVariant *value);
void dray_future_emit_progress (DrayFuture *self, double fraction, const char *text);
void dray_future_emit_done (DrayFuture *self);

G_END_DECLS
