/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-pool-worker.h"

G_BEGIN_DECLS

/* Shared by the files of the pooled worker. */

/* To be called after whatever changes its state or its tasks. */
void dray_pool_worker_settle (DrayPoolWorker *self);
/* The only place where a worker's state changes. */
void dray_pool_worker_set_state (DrayPoolWorker *self, DrayPoolWorkerState state);
gboolean dray_pool_worker_is_starting (DrayPoolWorkerState state);
/* Whether it can be given another task at all. One that was sent TERM for a task can't: the signal
 * might hit the next one. */
gboolean dray_pool_worker_is_open (DrayPoolWorker *self);
void dray_pool_worker_send (DrayPoolWorker *self, DrayMessage *message);
void dray_pool_worker_send_cancel (DrayPoolWorker *self, DrayTicket *ticket);

/* It has closed its end, or died. What it has still to say is read; then it has to go. */
void dray_pool_worker_hang_up (DrayPoolWorker *self);
/* Takes @failure: what is wrong with what it sent. It has to go. */
void dray_pool_worker_fail (DrayPoolWorker *self, GError *failure);
/* Takes what is complete out of the decoder; FALSE: there is nothing more to be had here. */
gboolean dray_pool_worker_hear_all (DrayPoolWorker *self);
/* The worker is ready, and has said whether it writes into the ring from now on. */
void dray_pool_worker_settle_ring (DrayPoolWorker *self, gboolean uses_ring);
gboolean dray_pool_worker_read_output (DrayProcess *process, gboolean again);
gsize dray_pool_worker_count_unread (DrayProcess *process);

/* The current task was begun, in its worker and in its future: from here the time limit counts. */
void dray_pool_worker_note_begun (DrayPoolWorker *self, gboolean cancelled);
/* The first of the tasks ahead, which is taken out (transfer full); NULL if there is none. */
DrayTicket *dray_pool_worker_pop_ahead (DrayPoolWorker *self);
/* The one of its tasks that has this number, or NULL. */
DrayTicket *dray_pool_worker_find (DrayPoolWorker *self, guint64 task_id);
/* One of the tasks ahead was not begun, and goes back to the queue; all of them. */
void dray_pool_worker_give_back_one (DrayPoolWorker *self, DrayTicket *ticket);
void dray_pool_worker_give_back (DrayPoolWorker *self);
/* It may give back what it has now, without having begun it. */
void dray_pool_worker_note_asked_back (DrayPoolWorker *self);
/* A batch of output was read: takes the time of the tasks that ended with it. */
void dray_pool_worker_measure (DrayPoolWorker *self);

GError *dray_pool_worker_unexpected (DrayFrameType type);
/* What becomes of @ticket, which it ran and has lost. */
GError *dray_pool_worker_describe_death (DrayPoolWorker *self, DrayTicket *ticket);

/* In dray-pool-worker-end.c: its process is gone. Frees it. */
void dray_pool_worker_gone (DrayProcess *process);

/* In dray-pool-worker-confined.c: what the launch helper says. */
void dray_pool_worker_hear_confined (DrayPoolWorker *self, GBytes *payload, GError **error);
gboolean dray_pool_worker_expects_confinement (DrayPoolWorker *self);

/* In dray-pool-worker-chunk.c. */
/* The current task is a chunk. TRUE: it is over, with one of @result and @failure (out). */
gboolean dray_pool_worker_hear_outcomes (DrayPoolWorker *self,
                                         GBytes *payload,
                                         GVariant **result,
                                         GError **failure,
                                         GError **error);
/* @ended: it had done all of it. */
void dray_pool_worker_lose_chunk (DrayPoolWorker *self, DrayTicket *ticket, gboolean ended);

/* (transfer full) (nullable): why its task, called @label, has failed, if it was ended by a limit
 * that it was started with, or may have been. @how: how it ended, in words. In
 * dray-pool-worker-limits.c. */
GError *dray_pool_worker_describe_limit (DrayPoolWorker *self,
                                         const char *label,
                                         const char *how,
                                         const char *last_words);

G_END_DECLS
