/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The passage: a socket beside the channel to a local worker, through which descriptors go. The
 * frames stay where they are; a frame that has descriptors names the message that they are in.
 *
 * A message on the socket has descriptors and 16 bytes: its serial number, counted from 1 in each
 * direction, and how many descriptors there are. It is sent before the first byte of the frame
 * that names it is written. So whoever reads that frame finds it on the socket, and has to wait for
 * nothing: if it isn't there, the other side does not keep to the protocol.
 *
 * How the two ends find each other. The host makes a pair of sockets, puts a cookie into one (16
 * random bytes, as a message), and starts the worker with the other as its descriptor 3. What
 * becomes of that on the way, behind a prefix, nobody knows: it may be closed, or another file. The
 * host's hello says what the cookie is. A worker which finds it in the socket that its descriptor 3
 * is takes that for the passage, and sends the cookie back before it says "ready". Only then the
 * host knows that there is one.
 */

#include <gio/gio.h>

G_BEGIN_DECLS

/* What the worker's end is in a process that has just been started. */
#define DRAY_PASSAGE_DESCRIPTOR 3
#define DRAY_PASSAGE_COOKIE_SIZE ((gsize) 16)
/* The most descriptors that go with one frame, besides the memory of its value. */
#define DRAY_PASSAGE_MAX_ATTACHMENTS 64

typedef struct _DrayPassage DrayPassage;

/* The host's: it never blocks. *theirs (out) is for the worker, and the caller's to close. Errors
 * of G_IO_ERROR. */
DrayPassage *dray_passage_new (int *theirs, GError **error);
/* (nullable) (transfer none): what the worker has to know; NULL in the worker itself. */
GBytes *dray_passage_get_cookie (DrayPassage *self);
/* The host's: whether the worker has sent the cookie back, before anything else. */
gboolean dray_passage_is_confirmed (DrayPassage *self);

/* The worker's: it blocks where the host does not read. Takes @fd, unless it returns NULL: then @fd
 * is not the socket that the host told of, or the host is gone. */
DrayPassage *dray_passage_adopt (int fd, GBytes *cookie);

/* What was not received is closed where nobody waits. */
void dray_passage_free (DrayPassage *self);

/* One thread at a time. The descriptors stay the caller's. Returns the serial, or 0 with an error
 * of G_IO_ERROR: it was not sent, and nothing is lost. G_IO_ERROR_WOULD_BLOCK: too many are on
 * their way, maybe between others, for the worker as for the host; that passes, and nobody tells
 * when. */
guint64 dray_passage_send (DrayPassage *self, const int *fds, guint n_fds, GError **error);
/* One thread at a time, which may be another one. Takes the message that a frame has named; with it
 * @n_fds descriptors, which are the caller's, close-on-exec, and no standard ones. Errors:
 * DRAY_ERROR_PROTOCOL; G_IO_ERROR if this process can have no more descriptors. Then the worker has
 * lost them, and so has whoever asks for them in the host; but there they stay in the passage, in
 * the way of later ones, until there is room for them: to close what can't be had may take as long
 * as the worker likes. */
gboolean
dray_passage_receive (DrayPassage *self, guint64 serial, int *fds, guint n_fds, GError **error);
/* Whether the other side has received all that was sent; FALSE also where that can't be told. */
gboolean dray_passage_is_drained (DrayPassage *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayPassage, dray_passage_free)

G_END_DECLS
