/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The ring: bytes from a worker to the host through shared memory, in place of its output pipe. A
 * write is a copy, without a system call; what was written stays there if the worker dies the next
 * moment, as in a pipe. One writer, one reader, in two processes.
 *
 * The two still have the pipe, as a bell. Each sleeps in its own way, and says so in the ring
 * before; the other one wakes it, and only then.
 *
 *   the reader finds nothing      sets reader_sleeps, looks once more, and waits for the pipe to be
 *                                 readable; the writer that finds it set clears it, and writes a
 *                                 byte there. A reader that looks all the time sets it back
 *   the writer finds no room      sets writer_sleeps, looks once more, and waits for it to be
 *                                 cleared (a futex); the reader that has made room clears it, and
 *                                 wakes it
 *
 * In the midst of something large both look for a moment before they do: the other one goes on
 * soon, and to be woken takes longer than to copy what is missing.
 *
 * Beside that there is the gate, which the writer passes with each task that it begins. The reader
 * can shut it, and is told in the same instant which task the writer has begun last: from then on
 * it begins none. So the reader can end the writer's process because of one task, and never hits
 * another one. What the writer has sent before it passed the gate can be read by then.
 *
 * The host makes the memory, and seals its size: nobody can take it away from under a reader. It
 * trusts nothing that it finds there. Its own position is not read back from the ring, the writer's
 * must be at most the ring's size ahead, and bytes are copied out before they are looked at. The
 * writer does not trust the reader with its own memory either: where the reader's position is ahead
 * of what was written, the ring is full.
 */

#include "dray-error.h"
#include "dray-ledger.h"

G_BEGIN_DECLS

/* How many bytes can lie in it. */
#define DRAY_RING_SIZE ((gsize) 256 * 1024)

/* Who has more than that to write publishes it in pieces, of which the reader takes out one while
 * the next is put in. */
#define DRAY_RING_PIECE (DRAY_RING_SIZE / 4)

/* How long it is worth to look whether the other side goes on, in the midst of something large, in
 * microseconds: as long as it takes to be put to sleep and woken up, and some pieces to copy. */
#define DRAY_RING_LOOK 50

/* What it is in a process that has just been started. What became of that on the way, behind a
 * prefix, nobody knows: the host's hello says what the ring looks like, and the worker's ready
 * whether it has found it. */
#define DRAY_RING_DESCRIPTOR 4

typedef struct _DrayRing DrayRing;

/* The reader's. Errors of G_IO_ERROR. */
DrayRing *dray_ring_new (GError **error);
/* Its memory, for the writer; (unowned), close-on-exec. To be closed when the writer has it. */
int dray_ring_get_descriptor (DrayRing *self);
void dray_ring_close_descriptor (DrayRing *self);
/* What the writer recognises it by; never 0. */
guint64 dray_ring_get_cookie (DrayRing *self);
/* The writer's; @fd stays the caller's. NULL: this is not that ring. */
DrayRing *dray_ring_adopt (int fd, guint64 cookie);
void dray_ring_free (DrayRing *self);

/* The reader: takes up to @size bytes out; 0: there are none. -1 with DRAY_ERROR_PROTOCOL. */
gssize dray_ring_read (DrayRing *self, guint8 *bytes, gsize size, GError **error);
/* Announces that the reader is about to wait for the bell. FALSE: there is something to read. */
gboolean dray_ring_sleep (DrayRing *self);
/* Takes that back: the bell need not be rung, since it looks by itself. */
void dray_ring_stay_awake (DrayRing *self);
/* How many bytes there are now; at most the ring's size, whatever the writer says. */
gsize dray_ring_count_unread (DrayRing *self);

/* The writer: puts in as many of @size bytes as there is room for, which are seen with publish().
 * One thread at a time. */
gsize dray_ring_write (DrayRing *self, const guint8 *bytes, gsize size);
/* Returns whether the reader sleeps: then the bell has to be rung, by whoever called this. */
gboolean dray_ring_publish (DrayRing *self);
/* In the midst of something large, all of which so far is published: looks for a moment whether
 * there is room for a piece. */
gboolean dray_ring_look_for_room (DrayRing *self);
/* Waits until there is room for a good deal, for at most @timeout µs; everything must be published.
 * FALSE: there is not. */
gboolean dray_ring_wait (DrayRing *self, gint64 timeout);
/* Any thread of the writer's: wait() waits no more, now and ever. */
void dray_ring_interrupt (DrayRing *self);
gboolean dray_ring_is_interrupted (DrayRing *self);

/* The writer: is about to begin that task. FALSE: it must not. */
gboolean dray_ring_begin (DrayRing *self, guint64 task_id);
/* The reader: nothing is begun any more, until reopen(). Returns which task was begun last, if the
 * writer is to be believed; 0: none was. */
guint64 dray_ring_shut (DrayRing *self);
void dray_ring_reopen (DrayRing *self);

/* Beside the ring, memory that the two share for another purpose (unowned); see dray-ledger.h. */
DrayLedger *dray_ring_get_ledger (DrayRing *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayRing, dray_ring_free)

G_END_DECLS
