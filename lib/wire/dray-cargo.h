/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The cargo: what belongs to a frame but travels beside it. That is the memory of a large value,
 * and attachments, which are open files.
 *
 * The payload of a frame with cargo (DRAY_FRAME_FLAG_CARGO) begins with 24 bytes about it:
 *
 *   offset  size  field
 *        0     8  serial of the message on the passage; 0: it has no descriptors
 *        8     2  where the value's bytes are: DrayCargoKind
 *       10     2  number of attachments
 *       12     4  number of the slot; 0 where there is none
 *       16     8  size of the value's bytes; 0 where they are in the frame
 *
 * What follows is the payload as it would be without cargo. If the value's bytes are elsewhere,
 * there are none before the NUL and the type.
 *
 * The memory is the first descriptor in the message, if it is in there; attachments follow.
 */

#include <gio/gunixfdlist.h>

#include "dray-message.h"
#include "dray-passage.h"

G_BEGIN_DECLS

#define DRAY_CARGO_SIZE ((gsize) 24)

typedef enum
{
  DRAY_CARGO_INLINE,     /* in the frame */
  DRAY_CARGO_SEALED,     /* in a sealed memfd */
  DRAY_CARGO_NEW_SLOT,   /* in a slot, whose memory comes with it */
  DRAY_CARGO_KNOWN_SLOT, /* in a slot, whose memory came before */
} DrayCargoKind;

struct _DrayCargo
{
  DrayCargoKind kind;
  guint slot;
  gsize size;
  int memory_fd;            /* (owned): -1 where there is none */
  GUnixFDList *attachments; /* (owned) (nullable) */
};

/* An empty cargo, which is none. */
DrayCargo *dray_cargo_new (void);
void dray_cargo_free (DrayCargo *self);
guint dray_cargo_get_n_attachments (const DrayCargo *self);

/* What begins the payload; the serial is put in when it is known. @bytes: of DRAY_CARGO_SIZE */
void dray_cargo_encode (const DrayCargo *self, guint8 *bytes);

/* With the bytes of @value in sealed memory; NULL with an error of G_IO_ERROR. @value is to be
 * sound, see dray_value_make_sound(). */
DrayCargo *dray_cargo_new_sealed (GVariant *value, GError **error);

/* Passes what @message has beside it, and lets go of that. Nothing to do where it has nothing.
 * FALSE with an error of G_IO_ERROR: @message is as it was, and can't be sent.
 * @passage: (nullable) */
gboolean dray_cargo_pass (DrayMessage *message, DrayPassage *passage, GError **error);

/* Takes what came with a frame. @max: the largest size of a value. @inner: (out) (transfer full):
 * the payload as it would be without cargo. Errors are those of dray_passage_receive(). @passage:
 * (nullable) */
DrayCargo *dray_cargo_receive (
  DrayPassage *passage, GBytes *payload, gsize max, GBytes **inner, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayCargo, dray_cargo_free)

G_END_DECLS
