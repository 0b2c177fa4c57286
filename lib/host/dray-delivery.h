/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The delivery: how events of one pool reach one main context. It owns a queue of tickets that
 * have something to hand over, and of notices (functions to be called there), and one GSource
 * that works them off in slices of a few milliseconds, so that input and redraws go first.
 *
 * - An event at a time is taken under the pool's lock and handed over without it. A ticket with
 *   more events goes to the end of the queue, so that a stream can't starve the others; a
 *   ticket's own events stay in order, its completion last.
 * - A callback may run a main loop of its own (a dialog): the source may recurse, and goes on
 *   from the queue as it is then.
 * - It holds the context until its pool is closed; from then on nothing new comes, and only the
 *   source, which belongs to the context, keeps it alive until the queue is empty. A context that
 *   is destroyed first drops what it did not deliver.
 * - A combined future may be done after its pool is closed: it holds the delivery until then, as if
 *   the pool was open.
 */

#include "dray-ticket.h"

G_BEGIN_DECLS

/* A function to be called in the delivery's context. Freed by whoever made it, in @run or, if the
 * context went away, in @drop; both without the lock. */
typedef struct _DrayNotice DrayNotice;
struct _DrayNotice
{
  GList link;
  gboolean queued;
  gboolean last; /* run only when nothing else is left to be handed over */
  void (*run) (DrayNotice *self);
  void (*drop) (DrayNotice *self);
};

DrayDelivery *dray_delivery_ref (DrayDelivery *self);
void dray_delivery_unref (DrayDelivery *self);

/* The delivery of @pool to the thread-default context of the calling thread (transfer full). One
 * that is made for a pool which is closed has to be closed by the caller. */
DrayDelivery *dray_delivery_get_locked (DrayPool *pool);
/* The same, but NULL where there is none. For a closed pool that says that nothing is left to be
 * handed over in this context. */
DrayDelivery *dray_delivery_find_locked (DrayPool *pool);

/* The delivery of @pool to the thread-default context, held; (transfer full). For a pool that is
 * closed it may be one that is made now, which goes with the last hold. */
DrayDelivery *dray_delivery_hold_locked (DrayPool *pool);
/* Ends a hold, not the reference. Called without the lock. */
void dray_delivery_release (DrayDelivery *self);

void dray_delivery_add_ticket_locked (DrayDelivery *self, DrayTicket *ticket);
/* Whether it was there; then the caller owns the queue's reference. */
gboolean dray_delivery_remove_ticket_locked (DrayDelivery *self, DrayTicket *ticket);
/* A notice that is queued already stays where it is. FALSE: the context is gone. */
gboolean dray_delivery_add_notice_locked (DrayDelivery *self, DrayNotice *notice);
gboolean dray_delivery_remove_notice_locked (DrayDelivery *self, DrayNotice *notice);
/* Nothing of @ticket is handed over before it is announced. */
void dray_delivery_hold_back_ticket_locked (DrayDelivery *self, DrayTicket *ticket);
void dray_delivery_announce_ticket_locked (DrayDelivery *self, DrayTicket *ticket);
/* @ticket, which is not done, probably will be by its expected_by: that is so soon that sleeping
 * before is not worth it. Or it is done now. */
void dray_delivery_expect_locked (DrayDelivery *self, DrayTicket *ticket);
void dray_delivery_stop_expecting_locked (DrayDelivery *self, DrayTicket *ticket);
/* All of @pool get the priority that its options say now. Returns (transfer full) what is to be freed
 * without the lock. */
GPtrArray *dray_delivery_set_priorities_locked (DrayPool *pool);
/* The pool is closed, nothing will be added any more. Called without the lock. */
void dray_delivery_close (DrayDelivery *self);
/* The same pool, of which something was removed here: that may have been the last. */
void dray_delivery_look_for_end (DrayDelivery *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayDelivery, dray_delivery_unref)

G_END_DECLS
