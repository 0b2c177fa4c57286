/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The link: a worker's end of the channel. It greets the host, hands out calls one at a time,
 * notices while one runs that it was cancelled or that the host is gone, and sends.
 *
 * The thread that runs the worker, "the main thread" here, goes through phases of user code:
 *
 *   greet() → begin() → initializer → send(ready) →
 *     next() → function → finish(outcome) → next() → …
 *   → NULL → begin() → finalizer → stop()
 *
 * and the link watches the host during each of them. How it does is told in dray-link.c.
 */

#include "dray-chunk.h"

G_BEGIN_DECLS

/* The largest payload that a worker takes: what a frame can carry. What it sends may have to be
 * smaller: the host says how large. */
#define DRAY_LINK_MAX_PAYLOAD ((gsize) G_MAXUINT32 - 7)

/* In the order in which one can follow another. */
typedef enum
{
  DRAY_LINK_OPEN,    /* calls may come */
  DRAY_LINK_GOODBYE, /* no more calls come; those that wait are run */
  DRAY_LINK_HUNG_UP, /* the host is gone: what waits is dropped, what runs is cancelled */
  DRAY_LINK_FAILED,  /* the host does not speak our protocol; as above, and stderr knows why */
} DrayLinkState;

/* A call that the host submitted. */
typedef struct
{
  guint64 task_id;
  guint attempt;
  char *function;            /* (owned) */
  GVariant *arguments;       /* (owned) (nullable) (not floating): NULL for a chunk */
  GCancellable *cancellable; /* (owned) */
  DrayChunk *chunk;          /* (owned) (nullable): many calls; see dray-chunk-run.h */
  gboolean cancelled;        /* the link's lock: the cancellable is, or is about to be */
  gboolean quiet;            /* nobody hears its items and its progress */
  int exposed;               /* atomic, boolean: the function has got hold of the cancellable */
  GUnixFDList *attachments;  /* (owned) (nullable) */
  GError *failure;           /* (owned) (nullable): it could not be received whole */
} DrayCall;

typedef struct _DrayLink DrayLink;

void dray_call_free (DrayCall *call);

/* Takes both descriptors, which may be the same kind of thing or not: pipes, sockets, files. */
DrayLink *dray_link_new (int in_fd, int out_fd);
DrayLink *dray_link_ref (DrayLink *self);
void dray_link_unref (DrayLink *self);

/* Main thread only, all of these. */

/* Before all of these, on the same thread: what interrupts a function that is cancelled. */
void dray_link_set_cancel_signal (DrayLink *self, int signum);
/* Exchanges hellos. FALSE: there is no host to work for; the state says why. */
gboolean dray_link_greet (DrayLink *self);
/* Says that tasks may come. */
void dray_link_send_ready (DrayLink *self);
/* (transfer full) (nullable): the initial arguments, after greet(), once. */
GVariant *dray_link_steal_arguments (DrayLink *self);
/* User code that is not a call begins. */
void dray_link_begin (DrayLink *self);
/* Waits for the next call and begins it (transfer full). NULL: none will come; the state says
 * why. The user code that began before is over. */
DrayCall *dray_link_next (DrayLink *self);
/* Around the function of a call, if there is a signal. FALSE: it was cancelled, and is not to be
 * begun. After leave(), no signal comes any more. */
gboolean dray_link_enter_function (DrayLink *self);
void dray_link_leave_function (DrayLink *self);
/* The function of the call that next() gave has returned; nothing but this can be said about it
 * any more. Takes @outcome (nullable: it was sent before), returns when it is written. Errors as of
 * send(): then another outcome has to follow. */
void dray_link_finish (DrayLink *self, DrayMessage *outcome, GError **error);
/* The worker has been told to end, and has done all it had to; its program may still take a while,
 * or for ever. If the host goes now, it has the usual time. After stop(). */
void dray_link_take_leave (DrayLink *self);
/* The worker is about to end: nobody needs to watch the host any longer. */
void dray_link_stop (DrayLink *self);

/* Any thread. */

DrayLinkState dray_link_get_state (DrayLink *self);
/* Whether nobody is there any more who would see to what is left of this process's group: also
 * where the host has said goodbye before. */
gboolean dray_link_is_host_gone (DrayLink *self);
/* The largest payload that the host takes, in bytes. */
gsize dray_link_get_max_payload (DrayLink *self);
/* Takes @message and writes it, after what has to come before it; this waits for as long as the
 * host does not read. With @call (nullable), only if that one still runs and was not cancelled.
 * FALSE: it was not sent; with an error (G_IO_ERROR): since its cargo could not be passed, which
 * @message then still has. */
gboolean
dray_link_send (DrayLink *self, const DrayCall *call, DrayMessage *message, GError **error);
/* Sends a value with @header, in shared memory where that is better, and @attachments (nullable)
 * with it: an item of @call, or without one the outcome, as finish() does. *sent (out): as send()
 * returns. FALSE with an error: the value can't be sent, or the attachments can't be passed. */
gboolean dray_link_send_value (DrayLink *self,
                               const DrayCall *call,
                               const DrayFrameHeader *header,
                               GVariant *value,
                               GUnixFDList *attachments,
                               gboolean *sent,
                               GError **error);
gboolean dray_link_has_passage (DrayLink *self);
/* Memory for a value that is to be sent. */
GBytes *dray_link_allocate (DrayLink *self, gsize size, gpointer *data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayCall, dray_call_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayLink, dray_link_unref)

G_END_DECLS
