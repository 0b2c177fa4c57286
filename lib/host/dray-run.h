/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The run: what tickets with the same key share. It is a ticket of its own, which nobody has a
 * future of: it is what waits in the queue, what a worker has, and what is run again. The tickets
 * that were submitted are its members. Whatever happens to the run happens to them: they start,
 * hear of items and progress, and end with it.
 *
 *   submitted with a key ──the first──> a run is made, and queued    ┐
 *          └─────────────another───────────────────────────────────────> it is a member
 *
 * - A member that is cancelled leaves. When it was the only one left, the run is cancelled.
 * - Who can be joined is in the pool's table of runs: from when the run is made until it is done
 *   or cancelled.
 * - Members have what is theirs: a future, a main context, undelivered items, waiters. Their
 *   worker is not read while that of any of them is too much, unless somebody waits.
 * - It counts nowhere; members do.
 *
 * The run holds a reference on its members until they leave. They know it by a pointer that is
 * valid for as long: a run is never freed before it is done, and then it has no members.
 */

#include "dray-ticket.h"

G_BEGIN_DECLS

/* Makes @ticket, which was just submitted, a member. Returns the run (transfer full), which is new
 * if it is to be queued (*is_new). */
DrayTicket *dray_run_join_locked (DrayTicket *ticket, gboolean *is_new);
void dray_run_free (DrayRun *self);

/* What happens to a run, told to its members. Each takes what it is given. */
void dray_run_started_locked (DrayTicket *run);
void dray_run_restarted_locked (DrayTicket *run);
void dray_run_add_item_locked (DrayTicket *run, GVariant *value);
void dray_run_add_progress_locked (DrayTicket *run, double fraction, const char *text);
void dray_run_done_locked (DrayTicket *run);
/* After the last one, without the lock. */
void dray_run_release_members (DrayTicket *run);
/* It was cancelled: nobody can join it any more. */
void dray_run_close_locked (DrayTicket *run);

/* What happens to a member. */
void dray_run_leave_locked (DrayTicket *member);
gboolean dray_run_is_last_locked (DrayTicket *member);
gboolean dray_run_set_priority_locked (DrayTicket *member, int priority);

/* Calls @check for each member that somebody has a future of; whether any of these calls, or all of
 * them, said TRUE. */
typedef gboolean (*DrayRunCheck) (DrayTicket *member);
gboolean dray_run_any_locked (DrayTicket *run, DrayRunCheck check);
gboolean dray_run_all_locked (DrayTicket *run, DrayRunCheck check);

G_END_DECLS
