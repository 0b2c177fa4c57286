/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-completion-queue.h"

#include "dray-dependent.h"
#include "dray-fork.h"
#include "dray-lifts.h"

G_BEGIN_DECLS

/*
 * The core is what members know of, which may be done after the queue is gone. Futures are the
 * application's objects: no last reference on one may be dropped on the I/O thread. So a member's
 * future is only moved there, and what the core has left goes when the queue is finalized, on a
 * thread of the application's.
 */
typedef struct
{
  gatomicrefcount ref_count;
  GMutex lock; /* taken before that of any pool */
  DrayForkGuard guard;

  /* protected by the lock */
  GQueue members;   /* of DrayQueueMember (unowned), by link: the unfinished ones */
  GQueue completed; /* of DrayFuture (owned): done, and not yet handed out */
  GQueue waits;     /* of DrayQueueWait (unowned), by link: only while both others are empty of what
                     * they could be given */
  DrayLifts lifts;
  GCond changed;
} DrayQueueCore;

typedef struct
{
  DrayDependent dependent; /* first */
  DrayQueueCore *core;     /* (owned) */
  GList link;
  DrayFuture *future; /* (owned) (nullable): until it is done, or the queue is gone */
} DrayQueueMember;

/* Somebody who waits without blocking: @ticket is completed when there is something to say. */
typedef struct
{
  GList link;
  gboolean queued;
  guint max;          /* futures at a time; 0: any number */
  DrayTicket *ticket; /* (owned) */
  DrayFuture *given;  /* (owned) (nullable): NULL, there is none left */
} DrayQueueWait;

struct _DrayCompletionQueue
{
  GObject parent_instance;

  /* set at construction */
  DrayQueueCore *core; /* (owned) */
};

DrayQueueCore *dray_queue_core_ref (DrayQueueCore *core);
void dray_queue_core_unref (DrayQueueCore *core);

/* Whoever waits is now to be told, with what it was given: @told gets its ticket. */
void dray_queue_core_end_wait_locked (DrayQueueCore *core, DrayQueueWait *wait, GQueue *told);
/* Gives @future, which is taken, to who has waited longest, or keeps it. */
void dray_queue_core_offer_locked (DrayQueueCore *core, DrayFuture *future, GQueue *told);
/* Empties @told, without the lock. */
void dray_queue_core_tell (GQueue *told);

G_END_DECLS
