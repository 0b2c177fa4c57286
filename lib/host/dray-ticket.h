/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The ticket: what the library keeps of one submitted task. The public DrayFuture is a thin
 * handle on it, which the application may drop at any time; the ticket lives on until the task
 * has ended.
 *
 *   PENDING ──> RUNNING ──> SUCCEEDED | FAILED | CANCELLED
 *      └───────────────────> FAILED | CANCELLED
 *   RUNNING ──> PENDING      (its worker died, and it has retries left)
 *
 * A final state is entered once, in dray_ticket_complete_locked(), and never left.
 *
 * A ticket without a task is that of a combined future, which no worker knows of: it stays
 * pending until its combination completes it. One with both a task and a combination is deferred:
 * it is queued when the task that it follows has succeeded.
 *
 * Who holds a reference: the future; the pool's queue while it is pending; the worker or command
 * that runs it; the delivery while it has events to hand over; the run that it shares. All fields
 * but the first group are protected by the pool's lock; references are dropped without it, since
 * the last one frees things that are not ours.
 */

#include "dray-future.h"
#include "dray-pending-queue.h"
#include "dray-task.h"

G_BEGIN_DECLS

typedef struct _DrayCombination DrayCombination;
typedef struct _DrayDelivery DrayDelivery;
typedef struct _DrayMapChunk DrayMapChunk;
typedef struct _DrayPool DrayPool;
typedef struct _DrayPoolWorker DrayPoolWorker;
typedef struct _DrayPull DrayPull;
typedef struct _DrayRun DrayRun;
typedef struct _DrayTicket DrayTicket;

/* Something to hand to the application before the end: an item, or (without a value) progress. */
typedef struct _DrayEvent DrayEvent;
struct _DrayEvent
{
  DrayEvent *next; /* (owned) (nullable) */
  GVariant *value; /* (owned) (nullable) (not floating) */
  double fraction;
  char *text; /* (owned) (nullable) */
};

typedef struct _DrayDoneCallback DrayDoneCallback;
struct _DrayDoneCallback
{
  DrayDoneCallback *next; /* (owned) (nullable) */
  DrayFutureCallback function;
  gpointer user_data;
  GDestroyNotify destroy;
};

/* Both of what depends on a ticket, and of what it depends on. */
typedef struct
{
  GQueue dependents;            /* of DrayDependent (unowned), by link: to be run when it is done */
  guint n_wanting;              /* of them */
  DrayCombination *combination; /* (owned) (nullable): what it waits for */
} DrayTies;

struct _DrayTicket
{
  gatomicrefcount ref_count;

  /* set at construction */
  DrayPool *pool; /* (owned) */
  DrayTask *task; /* (owned) (nullable): NULL, that of a combined future */
  DrayRun *run;   /* (owned) (nullable): it is run for others, and has no future; see dray-run.h */
  DrayPull *pull; /* (owned) (nullable): its items are pulled; see dray-pull.h */
  GPtrArray
    *lifts; /* (owned) (nullable) (element-type DrayPool): the other pools that a wait for it
                     * must not be held up by */

  /* set when it is submitted */
  DrayMapChunk *chunk; /* (owned) (nullable): the calls of a map; then there is no future */
  guint64 id;
  DrayDelivery *delivery; /* (owned) (nullable): none for a chunk */

  /* protected by the pool's lock */
  DrayFutureState state;
  int priority;     /* its task's, until somebody sets another one */
  GVariant *result; /* (owned) (nullable) (not floating) */
  GError *error;    /* (owned) (nullable) */
  gsize result_size;
  GUnixFDList *attachments; /* (owned) (nullable): of the result */
  double progress;          /* 0 to 1, or -1: unknown */
  char *status;             /* (owned) (nullable) */

  DrayFuture *future;      /* (unowned) (nullable): cleared by its dispose */
  DrayFuture *kept_future; /* (owned) (nullable): while there are callbacks to run */
  DrayDoneCallback *callbacks;
  DrayDoneCallback **last_callback;
  DrayEvent *events; /* (owned) (nullable): not yet delivered, oldest first */
  DrayEvent *last_event;
  guint64 n_undelivered; /* events and items that wait to be pulled … */
  guint64 undelivered_bytes;
  gboolean held_back; /* … are too many: what it sends is not read; see dray-flow.h */

  guint attempt; /* counted from 1; 0 before it was first given to a worker */
  gboolean cancel_requested;
  gboolean asked_back; /* I/O thread: its worker may say that it has not begun it */
  gboolean counted;         /* as undelivered: its result */
  gint64 expected_by;       /* when it will probably be done, soon; monotonic, µs; 0: not known */
  guint holds_delivery : 1; /* until it is done: a combined future may be done after its pool */
  guint cancel_parts : 1;   /* with it */
  guint decided : 1;        /* its combination is about to complete it: it can't be cancelled */
  guint deferred : 1;       /* counted in the pool's n_deferred */
  guint unannounced : 1;    /* nobody has its future yet: nothing is delivered */
  guint follows : 1;        /* it was deferred: queued before what begins something */
  DrayTies *ties;           /* (owned) (nullable): to other tickets, as few have */
  GVariant *arguments;      /* (owned) (nullable) (not floating): in place of the task's, or, of a
                             * command, of its input; set before it is queued */

  GCancellable *cancellable; /* (owned) (nullable) */
  gulong cancelled_handler;

  DrayTicket *run_ticket; /* (unowned) (nullable): that is run for this one … */
  GList *member_link;     /* (nullable): … and has it here, with a reference */
  gboolean joined;        /* counted in the pool's n_joined */

  guint n_waiters;         /* for its end */
  gboolean waits_urgently; /* counted in the pool's n_urgent */
  GCond done;

  DrayPendingLink pending; /* in the pool's queue */
  GList open_link;         /* in the pool's list of unfinished tickets */
  GList delivery_link;     /* in its delivery's queue; holds a reference while it is there */
  gboolean in_delivery;

  /* atomic */
  int settled; /* it is done: the result and the error stay as they are */

  /* I/O thread only */
  DrayPoolWorker *worker; /* (unowned) (nullable): that has it */
  GList worker_link;      /* in what that one has ahead */
};

/* @task: (nullable) */
DrayTicket *dray_ticket_new (DrayPool *pool, DrayTask *task);
DrayTicket *dray_ticket_ref (DrayTicket *self);
void dray_ticket_unref (DrayTicket *self);
/* The same of a signal handler's data. */
void dray_ticket_unref_closure (gpointer data, GClosure *closure);

static inline gboolean
dray_ticket_is_done_locked (const DrayTicket *self)
{
  return self->state >= DRAY_FUTURE_SUCCEEDED;
}

/* The same, with the lock taken. */
gboolean dray_ticket_is_done (DrayTicket *self);

/* Whether it is one that was submitted: those that stand for others are in no list. */
static inline gboolean
dray_ticket_is_listed (const DrayTicket *self)
{
  return self->run == NULL && self->chunk == NULL;
}

/* Each takes what it is given. Items and progress of a task that is done, or that nobody has a
 * future of any more, are dropped. */
void dray_ticket_add_item_locked (DrayTicket *self, GVariant *value);
void dray_ticket_keep_item_locked (DrayTicket *self, GVariant *value); /* not counted as received */
/* Whether its items are not dropped as they arrive, as long as it is not done. */
gboolean dray_ticket_keeps_items_locked (DrayTicket *self);
void dray_ticket_add_progress_locked (DrayTicket *self, double fraction, char *text);
/* Exactly one of @result and @error is given. Does nothing for a ticket that is done. */
void dray_ticket_complete_locked (DrayTicket *self, GVariant *result, GError *error);
/* The same with the lock taken, and dray_ticket_tie_up() called. */
void dray_ticket_complete (DrayTicket *self, GVariant *result, GError *error);
/* The same, with what came with a result (taken, nullable), and its worker goes on with @next
 * (nullable). Returns whether that one was cancelled meanwhile. */
gboolean dray_ticket_complete_and_start (
  DrayTicket *self, GVariant *result, GUnixFDList *attachments, GError *error, DrayTicket *next);
/* What is left to do when it was completed, once the lock is released. */
void dray_ticket_tie_up (DrayTicket *self);
/* Its future was handed out, or never will be. Called without the lock; once is enough. */
void dray_ticket_announce (DrayTicket *self);
/* A worker took it up; its worker died, and it goes back to the queue. */
void dray_ticket_start_locked (DrayTicket *self);
void dray_ticket_restart_locked (DrayTicket *self);

/* To be called when somebody begins or ends to wait for it, or for an item of it. */
void dray_ticket_waiters_changed_locked (DrayTicket *self);

/* Any thread. */
void dray_ticket_set_cancellable (DrayTicket *self, GCancellable *cancellable);
void dray_ticket_cancel (DrayTicket *self);
/* Where many are cancelled, none shall be begun in place of another: so what is pending goes first.
 * What depends on others takes along what runs of these. */
typedef enum
{
  DRAY_CANCEL_PENDING,
  DRAY_CANCEL_DEPENDENT,
  DRAY_CANCEL_RUNNING,
  DRAY_CANCEL_LAST = DRAY_CANCEL_RUNNING,
} DrayCancelRank;
DrayCancelRank dray_ticket_get_cancel_rank (DrayTicket *self);
/* Each of @tickets (element-type DrayTicket), in that order. */
void dray_ticket_cancel_all (GPtrArray *tickets);
/* Whether somebody has, up to now. */
gboolean dray_ticket_is_cancel_requested (DrayTicket *self);
/* What a wait of @timeout, in µs, lasts until on the monotonic clock; -1: for ever. */
gint64 dray_ticket_get_deadline (gint64 timeout);
gboolean
dray_ticket_wait (DrayTicket *self, gint64 timeout, GCancellable *cancellable, GError **error);

/* What its function is called with: (transfer none) (nullable); these four are in dray-follow.c. */
GVariant *dray_ticket_get_arguments (DrayTicket *self);
/* Whether it costs more than a place in a pipe to be sent before it can be run. */
gboolean dray_ticket_is_heavy (DrayTicket *self);
/* What its command reads: (transfer full) (nullable). */
GBytes *dray_ticket_dup_input (DrayTicket *self);
/* The bytes of both. */
gsize dray_ticket_get_size (DrayTicket *self);

/* Its place among others that are pending; of the same one, the rank decides. What goes on with
 * something goes before what only begins: else all that was begun would lie around until nothing is
 * left to begin. */
static inline gint64
dray_ticket_get_order_locked (const DrayTicket *self)
{
  return 2 * (gint64) self->priority + (self->follows ? 0 : 1);
}

/* Made now if there are none; both are in dray-dependent.c. */
DrayTies *dray_ticket_get_ties_locked (DrayTicket *self);
DrayCombination *dray_ticket_steal_combination_locked (DrayTicket *self);

/* The oldest event (transfer full), or NULL. */
DrayEvent *dray_ticket_pop_event_locked (DrayTicket *self);
/* Everything undelivered, the result's place in the count included (transfer full). */
DrayEvent *dray_ticket_drop_events_locked (DrayTicket *self);
void dray_event_free_all (DrayEvent *event);
void dray_done_callback_free_all (DrayDoneCallback *callback);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayTicket, dray_ticket_unref)

G_END_DECLS
