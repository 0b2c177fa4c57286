/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "fuzz.h"

#include <string.h>

/* The file itself. */
#include "small-decoder.c"

/*
 * A stream of bytes becomes frames (dray-frame.c, dray-decoder.c), whichever side reads it.
 *
 * The script makes a stream of frames that are well-formed but for what it says, of bytes as they
 * are, and of long payloads; and it says in what pieces the decoder is given it. The same stream is
 * decoded twice, in those pieces and in as large ones as the decoder takes: the same frames must
 * come out, and the same error.
 */

/* So much and no more is put into a stream by one script. */
#define MAX_STREAM ((gsize) 64 * 1024)
#define MAX_PAYLOAD ((gsize) 36 * 1024)
#define MAX_LARGE 8192

/* Beyond that, to make a gap between what is announced and what comes. */
#define LARGEST_PAYLOAD ((gsize) 1 << 30)

typedef struct
{
  const guint8 *data; /* (unowned) */
  gsize size;
  const guint8 *pieces; /* (unowned): the size of each, over and over; none: as much as is taken */
  gsize n_pieces;
  gsize max_payload;
} Stream;

typedef struct
{
  GArray *headers;     /* (owned) (element-type DrayFrameHeader) */
  GPtrArray *payloads; /* (owned) (element-type GBytes) */
  GError *error;       /* (owned) (nullable) */
  gboolean has_partial;
} Decoded;

static void
append_frame (GByteArray *stream, FuzzScript *script)
{
  DrayFrameHeader header = {
    .type = fuzz_take_up_to (script, DRAY_FRAME_LAST + 2),
    .flags = fuzz_take_byte (script),
    .task_id = fuzz_take_number (script),
    .attempt = fuzz_take_byte (script),
  };
  guint8 bytes[DRAY_FRAME_HEADER_SIZE];
  static const guint8 zeros[8];
  gsize size;
  const guint8 *payload = fuzz_take_bytes (script, &size);
  guint8 twist = fuzz_take_byte (script);

  header.length = size;
  if (twist == 1) /* the length is not that of what comes */
    header.length = fuzz_take_number (script);
  dray_frame_header_encode (&header, bytes);
  if (twist == 2) /* one byte is another */
    bytes[fuzz_take_up_to (script, sizeof bytes - 1)] = fuzz_take_byte (script);

  g_byte_array_append (stream, bytes, sizeof bytes);
  g_byte_array_append (stream, payload, size);
  if (twist != 3)
    g_byte_array_append (stream, zeros, dray_frame_padding (size));
}

/* One that does not fit into the decoder's buffer; only its end is the script's. */
static void
append_large (GByteArray *stream, FuzzScript *script)
{
  DrayFrameHeader header = {
    .type = fuzz_take_boolean (script) ? DRAY_FRAME_ITEM : DRAY_FRAME_RESULT,
    .task_id = 1,
    .attempt = 1,
    .length = fuzz_take_up_to (script, MAX_LARGE),
  };
  gsize start = stream->len;
  guint8 bytes[DRAY_FRAME_HEADER_SIZE];
  gsize padded;

  if (fuzz_take_byte (script) >= 240) /* where memory grows; still less often */
    header.length *= 5;
  padded = header.length + dray_frame_padding (header.length);
  dray_frame_header_encode (&header, bytes);
  g_byte_array_append (stream, bytes, sizeof bytes);
  g_byte_array_set_size (stream, (guint) (stream->len + padded));
  memset (stream->data + start + sizeof bytes, 0, padded);
  if (padded > 0)
    stream->data[stream->len - 1 - fuzz_take_up_to (script, 7) % padded] = fuzz_take_byte (script);
}

static void
append_raw (GByteArray *stream, FuzzScript *script)
{
  gsize size;
  const guint8 *bytes = fuzz_take_bytes (script, &size);

  g_byte_array_append (stream, bytes, size);
}

static void
append_some (GByteArray *stream, FuzzScript *script)
{
  switch (fuzz_take_byte (script) % 32)
    {
    case 0:
    case 1:
    case 2:
      append_raw (stream, script);
      break;
    case 3: /* not often, since it takes long */
      append_large (stream, script);
      break;
    default:
      append_frame (stream, script);
    }
}

/* --- Decoding --- */

/* Takes @payload. */
static void
note_frame (Decoded *self, const DrayFrameHeader *header, GBytes *payload)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (payload, &size);

  fuzz_check (size == header->length);
  fuzz_check (size == 0 || (gsize) data % 8 == 0);
  g_array_append_val (self->headers, *header);
  g_ptr_array_add (self->payloads, payload);
}

static void
take_frames (Decoded *self, DrayDecoder *decoder)
{
  DrayFrameHeader header;
  GBytes *payload = NULL;

  while (dray_decoder_next (decoder, &header, &payload, &self->error))
    note_frame (self, &header, payload);
}

static void
decode (const Stream *stream, Decoded *self)
{
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (stream->max_payload);
  gsize scale = 1 + stream->size / 4096; /* not a hundred thousand pieces */
  gsize offset = 0;

  self->headers = g_array_new (FALSE, FALSE, sizeof (DrayFrameHeader));
  self->payloads = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  for (gsize i = 0; offset < stream->size && self->error == NULL; i++)
    {
      gsize piece = stream->n_pieces > 0 ? (stream->pieces[i % stream->n_pieces] + 1) * scale
                                         : G_MAXSIZE;
      gsize space_size;
      guint8 *space = dray_decoder_get_space (decoder, &space_size);

      /* There is always room, and never more of it than has come already, or than a read brings. */
      fuzz_check (space_size > 0 && space_size <= MAX (offset, FIRST_BLOCK_SIZE));
      piece = MIN (MIN (piece, space_size), stream->size - offset);
      memcpy (space, stream->data + offset, piece);
      dray_decoder_take (decoder, piece);
      offset += piece;
      take_frames (self, decoder);
    }

  self->has_partial = dray_decoder_has_partial (decoder);
  if (self->error != NULL) /* once refused, it stays so */
    {
      g_clear_error (&self->error);
      take_frames (self, decoder);
      fuzz_check (self->error != NULL && self->error->domain == DRAY_ERROR);
    }
}

static void
decoded_clear (Decoded *self)
{
  g_clear_pointer (&self->headers, g_array_unref);
  g_clear_pointer (&self->payloads, g_ptr_array_unref);
  g_clear_error (&self->error);
}

static void
check_same (const Decoded *left, const Decoded *right)
{
  fuzz_check (left->headers->len == right->headers->len);
  for (guint i = 0; i < left->headers->len; i++)
    {
      const DrayFrameHeader *l = &g_array_index (left->headers, DrayFrameHeader, i);
      const DrayFrameHeader *r = &g_array_index (right->headers, DrayFrameHeader, i);

      fuzz_check (l->type == r->type && l->version == r->version && l->flags == r->flags);
      fuzz_check (l->task_id == r->task_id && l->attempt == r->attempt);
      fuzz_check (g_bytes_equal (left->payloads->pdata[i], right->payloads->pdata[i]));
    }

  fuzz_check ((left->error == NULL) == (right->error == NULL));
  fuzz_check (left->error != NULL || left->has_partial == right->has_partial);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  FuzzScript script = { .data = data, .size = size };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  Stream stream = { 0 };
  Decoded in_pieces = { 0 };
  Decoded at_once = { 0 };

  stream.max_payload = fuzz_take_boolean (&script) ? MAX_PAYLOAD : LARGEST_PAYLOAD;
  stream.pieces = fuzz_take_bytes (&script, &stream.n_pieces);
  while (script.size > 0 && bytes->len < MAX_STREAM)
    append_some (bytes, &script);
  stream.data = bytes->data;
  stream.size = bytes->len;

  decode (&stream, &in_pieces);
  stream.n_pieces = 0;
  decode (&stream, &at_once);
  check_same (&in_pieces, &at_once);

  decoded_clear (&in_pieces);
  decoded_clear (&at_once);
  return 0;
}
