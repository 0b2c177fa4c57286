/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The pooled worker: a process that runs calls one after another, and the host's end of the
 * channel to it.
 *
 *   state          hears                           does
 *   STARTING       confined, where there is a      our hello is written at once; a timer runs
 *                  sandbox: it is in force, or
 *                  → launch failure; then
 *                  hello → INITIALIZING
 *                  error for task 0, its end       → launch failure
 *   INITIALIZING   ready → READY                   the timer goes on
 *                  error for task 0, its end       → launch failure
 *   READY          item, progress: deliver         takes tasks: `current` runs, those `ahead`
 *                  result, error of `current`:     wait in the worker, so that it never idles
 *                    complete; the first one       between two
 *                    ahead becomes current
 *                  returned, of one ahead: requeue
 *                  its end → the current task is
 *                    lost
 *   STOPPING       as READY, but nothing new is    goodbye was written, input closed
 *                  given to it
 *   FAILED         nothing: output is discarded    it broke the protocol or ran out of time to
 *                                                  start; it is being killed
 *
 * `current` stays assigned after its future was completed otherwise (cancelled, timed out), until
 * the worker confirms or is gone: its next words are about that task, and are dropped.
 *
 * The worker writes the result of a task before it begins the next one, and returns what it was
 * given in advance when it is told to cancel. But it may be done with the current task, and have
 * begun the next one, at the very moment at which it is to be killed for the current one. So before
 * that it is heard, and the gate (dray-ring.h) is shut: either the current task is over, and the
 * worker is spared; or it begins nothing more, and those ahead go back to the queue at once. Where
 * there is no ring, nothing is put behind a task with a time limit; if one is cancelled, the signal
 * waits until the worker has returned those ahead, or has not answered for a second.
 */

#include "dray-process.h"
#include "dray-decoder.h"
#include "dray-exchange.h"
#include "dray-outbox.h"
#include "dray-ring.h"

G_BEGIN_DECLS

typedef enum
{
  DRAY_POOL_WORKER_STARTING,
  DRAY_POOL_WORKER_INITIALIZING,
  DRAY_POOL_WORKER_READY,
  DRAY_POOL_WORKER_STOPPING,
  DRAY_POOL_WORKER_FAILED,
} DrayPoolWorkerState;

/* I/O thread only. */
struct _DrayPoolWorker
{
  DrayProcess process; /* first */
  DrayPool *pool;      /* (unowned) */
  guint64 id;
  gint64 start_time;     /* real time, µs */
  guint64 max_message_size; /* as it was told; bytes */
  GList link;            /* in the pool's workers */
  GList idle_link;       /* in the pool's idle workers */
  gboolean is_idle;      /* it is in there */
  gboolean is_busy;      /* counted in n_busy */
  GList unflushed_link;  /* in the pool's unflushed workers */
  gboolean is_unflushed; /* it is in there */
  GList roomy_link;      /* in the pool's roomy workers */
  gboolean is_roomy;     /* it is in there */

  DrayPoolWorkerState state;
  gboolean is_confined; /* its sandbox is in force */
  gboolean was_ready;
  gboolean is_unwanted; /* the application has it killed, whatever it is doing */
  DrayDecoder *decoder;   /* (owned) */
  DrayOutbox *outbox;     /* (owned) */
  DrayExchange *exchange; /* (owned) */
  DrayRing *ring;     /* (owned) (nullable): where it writes, or may write, instead of its output */
  gboolean uses_ring; /* it does */
  gboolean is_shut;   /* it begins nothing more; what was ahead was given back */
  DrayTicket *current; /* (owned) (nullable) */
  GQueue ahead;        /* of DrayTicket (owned), by worker_link: sent, and not begun */
  gint64 return_time;  /* when they must be back, if a signal waits for that; monotonic, µs; or 0 */
  gboolean recalled;   /* all of them were asked back; it takes none until that is settled */
  gint64 task_time;    /* of its last tasks, on average; 1/16 µs, 0: not known yet */
  gint64 heard_at;     /* when it was last heard of an outcome, or began; monotonic, µs */
  guint n_outcomes;    /* since then, in the batch that is being read */
  gint64 read_at;      /* when something was last read from it; monotonic, µs */
  guint n_messages;    /* since then, likewise */
  gboolean is_dense;   /* they came in quick succession */
  guint64 tasks_taken;
  guint64 tasks_done;
  DrayIoTimer timer; /* the time to start in; then the time limit of the current task */
  DrayIoTimer idle_timer;
  gint64 idle_since; /* monotonic, µs */
  GError *failure;   /* (owned) (nullable): why it could not start, or what it did wrong */
};

/* Errors of DRAY_ERROR_LAUNCH. The worker adds itself to the pool, and leaves it when it is
 * gone. */
gboolean dray_pool_worker_start (DrayPool *pool, GError **error);
void dray_pool_worker_free (DrayPoolWorker *self);

/* Takes the ticket's reference. Encoding it can fail: then the ticket is completed, and the
 * worker as free as before. */
void dray_pool_worker_take (DrayPoolWorker *self, DrayTicket *ticket);
/* Nothing may be given to it behind that task, before it runs. */
gboolean dray_pool_worker_is_last (DrayPoolWorker *self, DrayTicket *ticket);
/* How many tasks it can take. */
guint dray_pool_worker_get_room (DrayPoolWorker *self);
/* (transfer none) (nullable): one that is busy, and has room behind its task. */
DrayPoolWorker *dray_pool_worker_find_roomy (DrayPool *pool);
/* It may have more room than before: to be called after whatever can give it some. */
void dray_pool_worker_note_room (DrayPoolWorker *self);
/* Writes what it was given; as far as that goes now, the rest follows by itself. */
void dray_pool_worker_flush (DrayPoolWorker *self);
/* What its last tasks took on average, with the way there and back. In µs, rounded up; 0: not
 * known. */
gint64 dray_pool_worker_get_task_time (DrayPoolWorker *self);
/* For how long it need not be looked at, probably. In µs; to be asked once after each reading. */
gint64 dray_pool_worker_get_patience (DrayPoolWorker *self);
/* Asks for the tasks ahead back, since another worker has nothing to do; whether there are any,
 * and when (monotonic, µs) the current one will have kept them long enough. */
void dray_pool_worker_recall (DrayPoolWorker *self);
gboolean dray_pool_worker_can_recall (DrayPoolWorker *self);
gint64 dray_pool_worker_get_recall_time (DrayPoolWorker *self);
/* @ticket, which is this worker's, was cancelled. */
void dray_pool_worker_cancel (DrayPoolWorker *self, DrayTicket *ticket);
/* No more tasks: it ends when it has done what it has. */
void dray_pool_worker_retire (DrayPoolWorker *self);
/* The same, if it has nothing. */
void dray_pool_worker_retire_when_idle (DrayPoolWorker *self);
/* What it runs was given up: ends it in @grace ms, 0 at once. */
void dray_pool_worker_end (DrayPoolWorker *self, guint grace);
void dray_pool_worker_update_reading (DrayPoolWorker *self);
/* The pool's idle timeout has changed. */
void dray_pool_worker_update_idle_timer (DrayPoolWorker *self);
/* Whether somebody who stands in may hear it: it is well, and has one task only. */
gboolean dray_pool_worker_can_be_overheard (DrayPoolWorker *self);
/* Takes what is in the ring, and sleeps on that. FALSE: there is more to do, in the next turn. */
gboolean dray_pool_worker_overhear (DrayPoolWorker *self);
/* In the next turn. */
void dray_pool_worker_hear_soon (DrayPoolWorker *self);
DrayWorkerState dray_pool_worker_get_public_state (DrayPoolWorker *self);

G_END_DECLS
