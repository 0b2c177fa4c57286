/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The lists: the public GListModels of an executor's unfinished futures and live workers. Made
 * when somebody looks at them first; until then nothing is kept for them.
 *
 * The I/O thread and submitting threads note what changed, under the pool's lock; a notice brings
 * the models up to date, a bounded number of changes at a time, in the main context of the lists:
 * that which is the default of the thread that looks first. Nobody touches a model elsewhere.
 */

#include "dray-future-list.h"
#include "dray-pool-worker.h"
#include "dray-pool.h"

G_BEGIN_DECLS

/* Any thread: each makes its model on the first call; (transfer none). That of the futures has them
 * from the beginning. */
GListModel *dray_lists_get_futures (DrayPool *pool);
GListModel *dray_lists_get_workers (DrayPool *pool);
/* The executor is disposed: the models are left as they are. */
void dray_lists_detach (DrayPool *pool);
void dray_lists_free (DrayLists *self);

/* Any thread. */
void dray_lists_ticket_submitted_locked (DrayLists *self, DrayTicket *ticket);
void dray_lists_ticket_done_locked (DrayLists *self, DrayTicket *ticket);

/* I/O thread. */
void dray_lists_worker_changed (DrayPool *pool, DrayPoolWorker *worker);
void dray_lists_worker_gone (DrayPool *pool, DrayPoolWorker *worker);
/* Whether the list of workers is new, and every worker is to be told to it. */
gboolean dray_lists_steal_wanted_locked (DrayLists *self);

G_END_DECLS
