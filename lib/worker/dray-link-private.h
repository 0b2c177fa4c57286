/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The link, seen from its three parts: dray-link.c (its life, the phases of user code, what is
 * sent), dray-link-input.c (what comes in) and dray-link-watcher.c. How they work together is told
 * in dray-link.c.
 */

#include "dray-chunk-run.h"
#include "dray-decoder.h"
#include "dray-link.h"
#include "dray-outbox.h"
#include "dray-ring.h"
#include "dray-shelf.h"
#include "dray-undertaker.h"

#include <pthread.h>

G_BEGIN_DECLS

/* How long user code may take to end when the host is gone. In µs. */
#define DRAY_LINK_END_GRACE (DRAY_END_GRACE * G_TIME_SPAN_MILLISECOND)

struct _DrayLink
{
  gatomicrefcount ref_count;

  /* set at construction */
  int in_fd;   /* (owned) */
  int out_fd;  /* (owned) */
  int kick_fd; /* (owned): an eventfd; written to once, it ends every poll() of the watcher. -1 if
                * there was none to be had, or it is lost: then it is changed under the lock */
  int cancel_signal;     /* 0: none. This and the next are set before the greeting */
  pthread_t main_thread; /* valid where there is a signal */

  /* only for the holder of the reading role */
  DrayDecoder *decoder; /* (owned) */
  gboolean greeted;
  gboolean in_ended;    /* after a goodbye there is nothing more to say */
  GVariant *arguments;  /* (owned) (nullable): the initial ones */
  gsize max_payload;    /* what the host takes; this and the next three do not change after the
                        * greeting */
  DrayPassage *passage; /* (owned) (nullable): for descriptors; it is sent to under send_lock */
  guint64 shared_size;  /* from which on values go in sealed memory, in bytes */
  DrayShelf *shelf;     /* (owned) (nullable): where the host trusts this worker with slots */

  GMutex send_lock; /* may be held when lock is taken, never the other way round */

  /* protected by send_lock */
  DrayOutbox *outbox; /* (owned) */
  DrayRing *ring;     /* (owned) (nullable): set before the first frame but hello is sent */
  gboolean uses_ring; /* it is what we write to: from ready on */

  GMutex lock;
  GCond main_cond;    /* the queue, the state or the reading role changed */
  GCond watcher_cond; /* a phase began, the host is gone, or stop() */

  /* protected by lock */
  DrayLinkState state;
  gint64 deadline;         /* from HUNG_UP on: when we have to be gone, monotonic, µs */
  GQueue waiting;          /* of DrayCall (owned) */
  GQueue returned;         /* of DrayCall (owned): the host is still to be told */
  gboolean telling;        /* it is being told of some that were there */
  DrayCall *running;       /* (unowned) (nullable) */
  DrayChunkRun *chunk_run; /* (unowned) (nullable): while a chunk runs */
  gboolean busy;           /* a phase of user code lasts */
  gboolean in_function;    /* of the call that runs; only where there is a signal to be sent */
  gboolean interrupted;    /* the signal was sent to it */
  guint64 phase;           /* the number of it */
  GThread *watcher;        /* (owned) (nullable): NULL before the first phase */
  gboolean watcher_asleep;
  gboolean watcher_reads;
  gsize in_flight; /* bytes in sealed memory that the host may not have received yet */
  guint n_threads; /* of ours that run: the watcher, and those that cancel */
  gboolean stopping;
};

/* Moves all calls; @from is empty afterwards. */
static inline void
dray_calls_move (GQueue *from, GQueue *to)
{
  DrayCall *call;

  while ((call = g_queue_pop_head (from)) != NULL)
    g_queue_push_tail (to, call);
}

/* Any thread. The state only ever moves forward. */
void dray_link_advance (DrayLink *self, DrayLinkState state);
/* Any thread. Tells the host which calls were returned, if any were and it was not told. */
void dray_link_send_returned (DrayLink *self);
/* Any thread. Cancels the call that runs, if one does, soon and from a thread of its own. */
void dray_link_cancel_running_locked (DrayLink *self);
/* For threads of ours: signals are for those of the user's program. */
void dray_link_block_signals (void);
/* Any thread. Gets the watcher out of poll(), from now on. */
void dray_link_kick_watcher (DrayLink *self);

/* The holder of the reading role. Reads once, waiting for it, and deals with all that came. */
void dray_link_read (DrayLink *self);

/* The holder of the reading role. What the hello says of it is looked for. */
void dray_link_open_passage (DrayLink *self, const DrayHello *hello);
/* The holder of the reading role. What came with a frame. Returns the payload without what was
 * said of it. Errors: DRAY_ERROR_PROTOCOL; G_IO_ERROR if there is no room for it, which is nobody's
 * fault. */
GBytes *dray_link_receive_cargo (
  DrayLink *self, GBytes *payload, GBytes **shared, GUnixFDList **attachments, GError **error);

/* The main thread. A phase begins; @call: (nullable): the call that it is for. */
void dray_link_begin_locked (DrayLink *self, DrayCall *call);

G_END_DECLS
