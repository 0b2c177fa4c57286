/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The outbox: messages on their way into a descriptor. Small ones are copied into one block and
 * go many at a time; the body of a large one is written from where it lies (writev). Works on a
 * non-blocking descriptor (the host) and on a blocking one (the worker). Never raises SIGPIPE by
 * itself: the caller has it blocked (the host's I/O thread) or ignored (a worker).
 */

#include "dray-message.h"

G_BEGIN_DECLS

typedef struct _DrayOutbox DrayOutbox;

DrayOutbox *dray_outbox_new (void);
void dray_outbox_free (DrayOutbox *self);

/* Takes what @message owns; @message is clear afterwards. */
void dray_outbox_push (DrayOutbox *self, DrayMessage *message);
gboolean dray_outbox_is_empty (DrayOutbox *self);
gsize dray_outbox_get_size (DrayOutbox *self); /* bytes not yet written */

/* The bytes that come next (unowned), at least one unless it is empty; drop() lets go of them. */
const guint8 *dray_outbox_peek (DrayOutbox *self, gsize *size);
void dray_outbox_drop (DrayOutbox *self, gsize n_bytes);

/* Writes as much as @fd takes. TRUE: go on later, what is left needs the descriptor to become
 * writable (is_empty tells whether anything is); FALSE with an error of G_IO_ERROR: the other
 * side is gone, or the descriptor is broken. *written (out) (optional) is the number of bytes. */
gboolean dray_outbox_flush (DrayOutbox *self, int fd, gsize *written, GError **error);
/* Forgets everything, as when the other side is gone. */
void dray_outbox_clear (DrayOutbox *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayOutbox, dray_outbox_free)

G_END_DECLS
