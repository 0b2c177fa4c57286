/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The decoder: a stream of bytes, in pieces of any size, becomes frames. It does no input or
 * output of its own; whoever owns the descriptor asks where to read to, reads, and says how much
 * came:
 *
 *   for (;;)
 *     {
 *       space = dray_decoder_get_space (decoder, &size);
 *       n = read (fd, space, size);
 *       dray_decoder_take (decoder, n);
 *       while (dray_decoder_next (decoder, &header, &payload, &error)) …
 *     }
 *
 * Small frames come many at a time out of one buffer of fixed size. A payload that does not fit
 * into it is read straight into memory of its own, which grows as bytes arrive (a peer that
 * announces a gigabyte and sends nothing costs nothing) and becomes the payload uncopied.
 *
 * After a frame was refused the decoder stays refused: every further next() says the same. Only
 * where there was no memory for its payload, it can be skipped.
 */

#include "dray-frame.h"

G_BEGIN_DECLS

typedef struct _DrayDecoder DrayDecoder;

DrayDecoder *dray_decoder_new (gsize max_payload);
void dray_decoder_free (DrayDecoder *self);

/* (out) @size: the bytes that may be written, which is never 0 if next() was called until it
 * returned FALSE, and that without an error */
guint8 *dray_decoder_get_space (DrayDecoder *self, gsize *size);
void dray_decoder_take (DrayDecoder *self, gsize n_bytes);

/* TRUE with *header and *payload (transfer full: never NULL, of header->length bytes, its data
 * aligned to 8); FALSE without an error: more bytes are needed; FALSE with one: refused, with
 * DRAY_ERROR_PROTOCOL, or with DRAY_ERROR_TOO_LARGE where there is no memory for a payload. */
gboolean dray_decoder_next (DrayDecoder *self,
                            DrayFrameHeader *header,
                            GBytes **payload,
                            GError **error);

/* After DRAY_ERROR_TOO_LARGE: goes on behind that frame, whose header this is. Returns: FALSE if it
 * was refused for another reason, and stays so */
gboolean dray_decoder_skip (DrayDecoder *self, DrayFrameHeader *header);

/* Whether bytes of a frame that is not complete are held: the end of the stream here is one in
 * the middle of a frame. */
gboolean dray_decoder_has_partial (DrayDecoder *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayDecoder, dray_decoder_free)

G_END_DECLS
