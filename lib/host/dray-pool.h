/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The pool: all that an executor is behind its public face. It outlives the executor object until
 * its last process is gone.
 *
 * Two worlds meet here. Any thread submits, cancels and waits, under the lock, and wakes the I/O
 * thread. The I/O thread owns the processes: it hands out tasks, reads what comes back, and
 * completes tickets, taking the lock for each of these steps and never holding it across a system
 * call that could wait.
 *
 *   open ──shutdown──> shutting down ──last process gone, nothing pending──> closed
 *
 * The pool holds the I/O thread from its first task until it is closed, and keeps itself alive
 * for as long.
 *
 * Slots. At most max_workers processes work at a time: workers that start or run a call, and
 * commands. Idle workers don't count.
 */

#include "dray-counters.h"
#include "dray-delivery.h"
#include "dray-fork.h"
#include "dray-io-thread.h"
#include "dray-launcher-private.h"
#include "dray-pending-queue.h"
#include "dray-ticket.h"

G_BEGIN_DECLS

typedef struct _DrayCommand DrayCommand;
typedef struct _DrayLists DrayLists;
typedef struct _DrayShortfall DrayShortfall;

/* All may be changed while the pool works. Times in milliseconds, 0: no limit. */
typedef struct
{
  guint max_workers; /* never 0 */
  guint max_tasks_per_worker;
  guint idle_timeout;
  guint launch_timeout;
  guint grace_period;
  guint max_pending_tasks;
  guint64 max_pending_bytes;
  guint max_undelivered_items;
  guint64 max_undelivered_bytes;
  guint max_undelivered_items_per_future;
  guint64 max_undelivered_bytes_per_future;
  guint64 max_message_size;
  guint slice; /* µs */
  int delivery_priority;
} DrayPoolOptions;

struct _DrayPool
{
  gatomicrefcount ref_count;

  /* set at construction */
  DrayLaunchPlan *plan; /* (owned) (nullable): none, commands only */
  char **environment;   /* (owned): of commands that have none of their own */
  DrayIoClient client;
  DrayForkGuard guard;

  int has_listener; /* atomic, boolean: some thread hears a worker itself */

  GMutex lock;

  /* protected by the lock */
  DrayPoolOptions options;
  DrayIoThread *io;           /* (nullable): held from the first task until closed */
  DrayPendingQueue *calls;    /* (owned) (element-type DrayTicket) */
  DrayPendingQueue *commands; /* (owned) (element-type DrayTicket) */
  GQueue open;                /* of unfinished tickets, unowned, oldest first */
  GQueue cancels;             /* of running tickets (owned) whose worker is to be told */
  GArray *kills;              /* (element-type guint64): ids of workers to be killed */
  GHashTable *deliveries;     /* (owned): GMainContext (unowned) → DrayDelivery (unowned) that has
                               * its source */
  DrayCounters counters;
  guint64 last_ticket_id;
  guint64 last_rank; /* of a ticket that took its place at the end of a queue */
  guint64 pending_bytes;
  guint n_deferred; /* pending tickets that are not in a queue yet */
  GHashTable *runs; /* (owned): key (unowned) → DrayTicket (unowned): runs that can be joined */
  guint n_joined;   /* unfinished tickets that have joined the run of another */
  guint64 joined_bytes;
  gboolean throttled;      /* too much is undelivered: what nobody waits for is not read */
  gboolean pull_throttled; /* the same of what is to be pulled */
  guint n_held_back;       /* tickets whose own limit is met */
  guint64 pulled_items;    /* of what is undelivered, what is to be pulled */
  guint64 pulled_bytes;
  guint n_urgent;           /* waits that nothing may hold up: for pending tasks, for the end */
  gboolean reading_changed; /* the I/O thread should look again who may be read */
  gboolean unheard;         /* … and what a worker has written without ringing */
  gboolean order_changed; /* … and whether what is pending comes before what waits in a worker */
  gboolean paused;
  gboolean shutting_down;
  guint n_refusing; /* shutdowns that still see to the tickets: until then no process hears of it */
  DrayShutdownMode mode;
  gboolean closed;
  gboolean forked; /* … because its processes are those of the process that this one comes from */
  GPtrArray *inherited; /* (owned) (nullable): then, the tickets that were unfinished */
  GCond closed_cond;
  GQueue room_waiters;      /* of DrayRoomWaiter (unowned) */
  DrayShortfall *shortfall; /* (owned) (nullable): of a sandbox that is preferred; set at
                             * construction */
  DrayLists *lists;         /* (owned) (nullable): once somebody looked at one */
  GQueue maps;              /* of DrayMapFlow (unowned), that may still ask for arguments */
  GQueue close_notices;     /* of DrayCloseNotice (unowned), by link */

  /* I/O thread only, or whoever stands in for it */
  DrayPoolOptions now;      /* a copy of the options, as of the last wake-up */
  GQueue workers;           /* of DrayPoolWorker (owned) */
  GQueue idle_workers;      /* of DrayPoolWorker (unowned), the last used first */
  GQueue unflushed_workers; /* of DrayPoolWorker (unowned): that were given something */
  GQueue roomy_workers;     /* of DrayPoolWorker (unowned): busy, all that may have room behind */
  GQueue running_commands;  /* of DrayCommand (owned) */
  guint n_busy;
  guint n_starting;
  guint64 last_worker_id;
  guint n_launch_failures;  /* in a row */
  guint64 last_proven_id;   /* of a worker: the last one started before one was ready */
  guint n_early_deaths;     /* in a row: workers that died before they had finished any task */
  GError *launch_error;     /* (owned) (nullable): of the last failure */
  gboolean launch_hopeless; /* it was one too many; not yet acted upon */
  guint n_start_failures;   /* in a row: commands for which something was short */
  guint n_pass_failures;    /* in a row: calls whose attachments could not be passed */
  guint64 last_unpassed_id; /* tickets up to this one have waited long enough for that */
  gboolean dispatching;
  DrayIoTimer relaunch; /* set: no worker is started before it expires */
  DrayIoTimer restart;  /* set: no command is started before it expires */
  DrayIoTimer repass;   /* set: no call with attachments is given out before it expires */
  DrayIoTimer recall;   /* set: until it expires, no task that waits in a worker is recalled */
};

/* Queued in the main context of whoever shuts down, when the pool is closed and all else was
 * handed over. */
typedef struct
{
  DrayNotice notice;
  gboolean waits;         /* for the pool to be closed; protected by the lock */
  DrayDelivery *delivery; /* (owned) (nullable): set by dray_pool_shutdown() */
  /* (owned) (nullable): attached where it is kept, under the lock: both come in that main context,
   * which another thread may run, and not before */
  GSource *cancelled;
} DrayCloseNotice;

/* Queued in the main context of whoever waits to submit @task, when it is the first in the line and
 * there is room for it, or when it is too late. It stays in the line until it has submitted. */
typedef struct
{
  DrayNotice notice;
  GList link;
  gboolean waits;         /* it is in the line */
  DrayDelivery *delivery; /* (owned) (nullable): set by dray_pool_submit_with_room() */
  GSource *cancelled;     /* (owned) (nullable): attached when it enters the line, as above */
  DrayTask *task;         /* (owned) */
} DrayRoomWaiter;

/* The lock is taken some times for each task, by the application's threads and the I/O thread, and
 * never held for long: whoever finds it taken looks again for a moment before he sleeps. */
void dray_pool_lock_contended (DrayPool *self);

static inline void
dray_pool_lock (DrayPool *self)
{
  if (!g_mutex_trylock (&self->lock))
    dray_pool_lock_contended (self);
}

static inline void
dray_pool_unlock (DrayPool *self)
{
  g_mutex_unlock (&self->lock);
}

DrayPool *dray_pool_new (DrayLaunchPlan *plan, const DrayPoolOptions *options);
DrayPool *dray_pool_ref (DrayPool *self);
void dray_pool_unref (DrayPool *self);

/* Any thread. */
DrayFuture *dray_pool_submit (DrayPool *self, DrayTask *task, GCancellable *cancellable);
/* NULL: there is no room, or others come first. Then @waiter is in the line, and its notice is run
 * when it is worth another try. */
DrayFuture *
dray_pool_submit_with_room (DrayPool *self, DrayRoomWaiter *waiter, GCancellable *cancellable);
/* Pending until @previous has succeeded; @position is where its result goes. */
DrayFuture *
dray_pool_submit_after (DrayPool *self, DrayTask *task, DrayTicket *previous, int position);
/* What it follows has succeeded: queues it, with @arguments (nullable) in place of its own. Takes
 * both. */
void dray_pool_resume (DrayPool *self, DrayTicket *ticket, GVariant *arguments);
/* Whether it was still waiting; then the caller owns it again. */
gboolean dray_pool_stop_waiting (DrayPool *self, DrayRoomWaiter *waiter);
void dray_pool_set_paused (DrayPool *self, gboolean paused);
/* To be called after the options were changed (under the lock). */
void dray_pool_options_changed (DrayPool *self);
void dray_pool_cancel_all (DrayPool *self);
void dray_pool_kill_worker (DrayPool *self, guint64 worker_id);
GPtrArray *dray_pool_list_open (DrayPool *self);
/* Starts to shut down, or makes a shutdown stronger. @notice: (nullable): kept until it is run;
 * FALSE: the pool is closed already, with nothing left to hand over, and it was not kept. */
gboolean dray_pool_shutdown (DrayPool *self, DrayShutdownMode mode, DrayCloseNotice *notice);
/* In its main context: one that was kept is not run any more. */
void dray_pool_forget_close_notice (DrayPool *self, DrayCloseNotice *notice);
gboolean dray_pool_wait_closed (DrayPool *self, GCancellable *cancellable, GError **error);

/* A chunk of a map, of @n_calls; the map's own bounds are instead of the queue's. @refusal:
 * (nullable): why it won't be run. */
void dray_pool_submit_chunk_locked (DrayPool *self,
                                    DrayTicket *ticket,
                                    guint n_calls,
                                    const GError *refusal);
/* A chunk that was split off: it takes part in everything, but is not queued yet. */
void dray_pool_add_chunk_locked (DrayPool *self, DrayTicket *ticket, guint64 id);

void dray_pool_wake_locked (DrayPool *self);
void dray_pool_set_urgent_locked (DrayPool *self, gboolean urgent);
/* The same for each, with its lock taken. */
void dray_pool_set_urgent_all (GPtrArray *pools, gboolean urgent);
/* Counts events in or out of what is undelivered, and starts or ends throttling; in
 * dray-flow.c. */
void dray_pool_count_undelivered_locked (DrayPool *self, int items, gssize bytes);
void dray_pool_ticket_done_locked (DrayPool *self, DrayTicket *ticket);
/* FALSE: it is not pending any more. See dray-future-priority.c. */
gboolean dray_pool_set_priority_locked (DrayPool *self, DrayTicket *ticket, int priority);
/* The queue that a task like this one waits in. */
DrayPendingQueue *dray_pool_get_queue (DrayPool *self, DrayTask *task);
/* There may be room for one more task: tells the first of those who wait for it. */
void dray_pool_offer_room_locked (DrayPool *self);
/* Takes a reference for the queue. @again: it was there before, and has its place. */
void dray_pool_enqueue_locked (DrayPool *self, DrayTicket *ticket, gboolean again);
/* It is counted as pending, until dray_pool_resume() or its end. */
void dray_pool_defer_locked (DrayPool *self, DrayTicket *ticket);
/* The queue's reference becomes the caller's. */
void dray_pool_dequeue_locked (DrayPool *self, DrayTicket *ticket);
/* Why nothing is run any more. */
GError *dray_pool_end_error (DrayPool *self);
/* What a pending task counts for, in bytes. */
gsize dray_pool_task_size (DrayTask *task);

/* Any thread, with the lock held: gives @ticket, which is pending, to a worker that has nothing to
 * do, if that is possible without waiting for anything. The lock is given up then, and taken
 * again. */
gboolean dray_pool_give_directly_locked (DrayPool *self, DrayTicket *ticket);
/* Any thread, without the lock: waits for @ticket, which was given away so, until it probably
 * should be done, or *flag (atomic) is set, which its end does as well. */
void dray_pool_expect (DrayTicket *ticket, const int *flag);

/* In a process that was forked: see dray-fork.c. */
void dray_pool_forked_cb (DrayForkGuard *guard);
void dray_pool_give_up_cb (DrayForkGuard *guard);

/* I/O thread only. */
void dray_pool_wake_cb (DrayIoClient *client);
void dray_pool_relaunch_cb (DrayIoTimer *timer);
void dray_pool_restart_cb (DrayIoTimer *timer);
void dray_pool_repass_cb (DrayIoTimer *timer);
void dray_pool_recall_cb (DrayIoTimer *timer);
/* Gives out what is pending, as far as there are workers, and closes the pool when it is time. */
void dray_pool_dispatch (DrayPool *self);
/* Asks back what waits in workers although something more urgent is pending. */
void dray_pool_recall_overtaken (DrayPool *self);
/* A task comes back: (transfer full). */
void dray_pool_requeue (DrayPool *self, DrayTicket *ticket);
/* A command could not be started for want of something; both are taken. It waits, or fails. */
void dray_pool_put_off_command (DrayPool *self, DrayTicket *ticket, GError *reason);
/* The attachments of a call could not be passed now; both are taken. It waits, or fails. */
void dray_pool_put_off_call (DrayPool *self, DrayTicket *ticket, GError *reason);
/* What it had, others may have. */
void dray_pool_note_process_gone (DrayPool *self);
/* @worker_id: that which it has, or would have been given. Takes @reason. */
void dray_pool_note_launch_failure (DrayPool *self, guint64 worker_id, GError *reason);
void dray_pool_note_early_death (DrayPool *self);
/* A worker died of a task that is tried again, and of which as many died before as @n_before. */
void dray_pool_note_repeated_death (DrayPool *self, guint n_before);
void dray_pool_close (DrayPool *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayPool, dray_pool_unref)

G_END_DECLS
