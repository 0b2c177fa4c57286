/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-future.h"
#include "dray-ticket.h"

G_BEGIN_DECLS

/* The first handle on @ticket, which nobody else knows of yet; (transfer full). */
DrayFuture *dray_future_new (DrayTicket *ticket);
/* The handle on @ticket, made now if there is none (any more); (transfer full). */
DrayFuture *dray_future_for_ticket (DrayTicket *ticket);
/* @self is real. */
DrayTicket *dray_future_get_ticket (DrayFuture *self);
/* What methods check. Whoever has the type can make an object of it, as other languages let their
 * users do; but only what the library made is the handle of something. */
gboolean dray_future_is_real (DrayFuture *self);

/* Takes a done callback back, unless its turn has come; its data is destroyed before this returns.
 * Called without the lock, where the future, and the data, may go. */
void dray_future_remove_done_callback (DrayFuture *self,
                                       DrayFutureCallback callback,
                                       gpointer user_data);

/* The future's own main context only; without the lock. */
void dray_future_emit_item (DrayFuture *self, GVariant *value);
void dray_future_emit_progress (DrayFuture *self, double fraction, const char *text);
void dray_future_emit_done (DrayFuture *self);

G_END_DECLS
