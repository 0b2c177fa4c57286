/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The pull: the items of one ticket that wait for somebody to take them, and those who wait for
 * items: threads that block, and requests.
 *
 * A request stands in line until a notice, which is run in the main context of whoever made it, has
 * found something: an item, or the end. It is told when there is an item for it; another one may be
 * faster, so that it looks again then, and stays in line if there is nothing. Told once more, it
 * comes behind those whose turn is after it, so each of them looks for the first one in line. At the
 * end all that are in line are told: no later chance comes, since the deliveries may be closed.
 *
 * All of it is protected by the pool's lock.
 */

#include "dray-delivery.h"
#include "dray-ticket.h"

G_BEGIN_DECLS

typedef struct
{
  DrayNotice notice; /* first */
  GList link;
  gboolean waits;         /* it is in the line */
  DrayDelivery *delivery; /* (owned) (nullable): set when it enters the line */
} DrayPullRequest;

DrayPull *dray_pull_new (void);
void dray_pull_free (DrayPull *self);

/* Takes @value. */
void dray_pull_add_locked (DrayTicket *ticket, GVariant *value);
void dray_pull_task_done_locked (DrayTicket *ticket);
/* (transfer full) (element-type GVariant): the oldest ones, not more than @max_items, 0: all of
 * them; NULL if there is none. */
GPtrArray *dray_pull_take_locked (DrayTicket *ticket, guint max_items);

/* From now on what comes is dropped, and its worker is read for that. Returns what was there, as
 * dray_pull_take_locked(). */
GPtrArray *dray_pull_discard_locked (DrayTicket *ticket);
gboolean dray_pull_is_discarded_locked (DrayPull *self);

/* What is there, as dray_pull_take_locked(), or if there are no items any more, the error that the
 * task ended with (transfer full); FALSE: there is nothing yet. */
gboolean
dray_pull_look_locked (DrayTicket *ticket, guint max_items, GPtrArray **items, GError **error);

/* Whether somebody wants an item, and there is none. */
gboolean dray_pull_is_wanted_locked (DrayPull *self);
gboolean dray_pull_has_waiters_locked (DrayPull *self);

/* Blocks, letting go of the lock, until there is an item, or the task is done, or the time is over
 * (@deadline: monotonic, µs; -1: never), or @cancellable is cancelled: the caller has to see that
 * its cancellation calls dray_pull_wake(). */
void dray_pull_wait_locked (DrayTicket *ticket, gint64 deadline, GCancellable *cancellable);
void dray_pull_wake (DrayTicket *ticket);
/* Somebody has looked and found nothing, and will look again. */
void dray_pull_ask_locked (DrayTicket *ticket);

/* Puts @request, with the thread's default main context as its own, at the end of the line. Returns
 * a delivery that the caller has to close (transfer full) (nullable): that of a pool which is
 * closed. */
DrayDelivery *dray_pull_enter_line_locked (DrayTicket *ticket, DrayPullRequest *request);
/* The first one in line, of those in the main context of @request, which is in line. */
DrayPullRequest *dray_pull_get_first_locked (DrayTicket *ticket, DrayPullRequest *request);
/* Whether it was in the line. */
gboolean dray_pull_leave_line_locked (DrayTicket *ticket, DrayPullRequest *request);

G_END_DECLS
