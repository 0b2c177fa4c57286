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
 * Who holds a reference: the future; the pool's queue while it is pending; the worker or command
 * that runs it; the delivery while it has events to hand over. All fields but the first group are
 * protected by the pool's lock; references are dropped without it, since the last one frees
 * things that are not ours.
 */

#include "dray-future.h"
#include "dray-pending-queue.h"
#include "dray-task.h"

G_BEGIN_DECLS

typedef struct _DrayDelivery DrayDelivery;
typedef struct _DrayPool DrayPool;
typedef struct _DrayPoolWorker DrayPoolWorker;
typedef struct _DrayPull DrayPull;
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

struct _DrayTicket
{
  gatomicrefcount ref_count;

  /* set at construction */
  DrayPool *pool; /* (owned) */
  DrayTask *task; /* (owned) */
  DrayPull *pull; /* (owned) (nullable): its items are pulled; see dray-pull.h */

  /* set when it is submitted */
  guint64 id;
  DrayDelivery *delivery; /* (owned) */

  /* protected by the pool's lock */
  DrayFutureState state;
  int priority; /* its task's, until somebody sets another one */
  GVariant *result; /* (owned) (nullable) (not floating) */
  GError *error;    /* (owned) (nullable) */
  gsize result_size;
  double progress; /* 0 to 1, or -1: unknown */
  char *status;    /* (owned) (nullable) */

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
  gboolean counted; /* as undelivered: its result */

  GCancellable *cancellable; /* (owned) (nullable) */
  gulong cancelled_handler;

  guint n_waiters;         /* for its end */
  gboolean waits_urgently; /* counted in the pool's n_urgent */
  GCond done;

  DrayPendingLink pending; /* in the pool's queue */
  GList open_link;         /* in the pool's list of unfinished tickets */
  GList delivery_link;     /* in its delivery's queue; holds a reference while it is there */
  gboolean in_delivery;

  /* I/O thread only */
  DrayPoolWorker *worker; /* (unowned) (nullable): that has it */
  GList worker_link;      /* in what that one has ahead */
};

DrayTicket *dray_ticket_new (DrayPool *pool, DrayTask *task);
DrayTicket *dray_ticket_ref (DrayTicket *self);
void dray_ticket_unref (DrayTicket *self);

static inline gboolean
dray_ticket_is_done_locked (const DrayTicket *self)
{
  return self->state >= DRAY_FUTURE_SUCCEEDED;
}

/* Each takes what it is given. Items and progress of a task that is done, or that nobody has a
 * future of any more, are dropped. */
void dray_ticket_add_item_locked (DrayTicket *self, GVariant *value);
void dray_ticket_add_progress_locked (DrayTicket *self, double fraction, char *text);
/* Exactly one of @result and @error is given. Does nothing for a ticket that is done. */
void dray_ticket_complete_locked (DrayTicket *self, GVariant *result, GError *error);
/* The same with the lock taken, and the cancellable let go of. */
void dray_ticket_complete (DrayTicket *self, GVariant *result, GError *error);
/* The same, and its worker goes on with @next (nullable). Returns whether that one was cancelled
 * meanwhile. */
gboolean dray_ticket_complete_and_start (DrayTicket *self,
                                         GVariant *result,
                                         GError *error,
                                         DrayTicket *next);
/* A worker took it up; its worker died, and it goes back to the queue. */
void dray_ticket_start_locked (DrayTicket *self);
void dray_ticket_restart_locked (DrayTicket *self);

/* To be called when somebody begins or ends to wait for it, or for an item of it. */
void dray_ticket_waiters_changed_locked (DrayTicket *self);

/* Any thread. */
void dray_ticket_set_cancellable (DrayTicket *self, GCancellable *cancellable);
void dray_ticket_release_cancellable (DrayTicket *self);
void dray_ticket_cancel (DrayTicket *self);
gboolean
dray_ticket_wait (DrayTicket *self, gint64 timeout, GCancellable *cancellable, GError **error);

/* The oldest event (transfer full), or NULL. */
DrayEvent *dray_ticket_pop_event_locked (DrayTicket *self);
/* Everything undelivered, the result's place in the count included (transfer full). */
DrayEvent *dray_ticket_drop_events_locked (DrayTicket *self);
void dray_event_free_all (DrayEvent *event);
void dray_done_callback_free_all (DrayDoneCallback *callback);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayTicket, dray_ticket_unref)

G_END_DECLS
