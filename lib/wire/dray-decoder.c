/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-decoder.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "dray-payload.h"

/*
 * Bytes arrive in one of two places:
 *
 *   gathering ──a large frame is cut short by the buffer's end──> filling
 *       ^                                                            │
 *       └──────────────────the payload is complete───────────────────┘
 *
 * gathering: into @buffer, where [start, end) is not yet decoded. A frame that lies in it whole
 * is copied out, so that a payload kept for long does not keep the whole buffer.
 *
 * filling: into @block, which becomes the payload of @header as it is. The block is doubled as it
 * fills up, never further than to the padded length; so what a peer makes us allocate is at most
 * twice what it has sent. It is enlarged as soon as it is full, in take(): thus space() always
 * has some to give, and a failure waits in @refused for the call of next() that follows. Who can do
 * without that frame has the rest of it skipped while gathering.
 *
 * A block that malloc() would take from the system, and give back to it, each time anew is a
 * mapping of our own instead, in large pages where there are any. It has its whole size at once,
 * and is shown to grow all the same: what is not touched takes no memory.
 */

/* Whoever includes this file may have sizes of his own: the fuzzer's are small, so that a short
 * stream gets everywhere. */
#ifndef BUFFER_SIZE

/* What one read can bring at most. */
#define BUFFER_SIZE ((gsize) 128 * 1024)

/* The largest payload that is waited for inside the buffer. Less than half of the buffer, so that
 * moving an incomplete frame to the front always leaves most of the buffer free. */
#define GATHER_MAX ((gsize) 32 * 1024)

/* More than the buffer holds, so that what was gathered always fits. */
#define FIRST_BLOCK_SIZE ((gsize) 256 * 1024)

/* What malloc() of the C library takes from the system each time. */
#define MAPPED_MIN ((gsize) 32 * 1024 * 1024)

#endif

G_STATIC_ASSERT (GATHER_MAX + DRAY_FRAME_HEADER_SIZE < BUFFER_SIZE / 2);
G_STATIC_ASSERT (FIRST_BLOCK_SIZE >= BUFFER_SIZE);

struct _DrayDecoder
{
  gsize max_payload;
  GBytes *empty;   /* (owned): the payload of all frames that have none */
  GError *refused; /* (owned) (nullable) */

  /* gathering */
  guint8 *buffer; /* (owned): of BUFFER_SIZE bytes */
  gsize start;
  gsize end;

  /* filling */
  guint8 *block;   /* (owned) (nullable): NULL while gathering */
  GBytes *mapping; /* (owned) (nullable): of which the block is then */
  gsize block_size;
  gsize block_end;        /* how far it is filled */
  gsize padded_length;    /* how far it will be */
  gsize rest;             /* what is still to come where there was no memory for it */
  DrayFrameHeader header; /* whose payload it is */
};

DrayDecoder *
dray_decoder_new (gsize max_payload)
{
  DrayDecoder *self = g_new0 (DrayDecoder, 1);

  /* A length is 32 bits on the wire; with the padding it must be a gsize here as well. */
  self->max_payload = MIN (max_payload, (gsize) G_MAXUINT32 - 7);
  self->empty = g_bytes_new_static ("", 0);
  self->buffer = g_malloc (BUFFER_SIZE);

  return self;
}

static void
clear_block (DrayDecoder *self)
{
  if (self->mapping == NULL)
    g_free (self->block);
  g_clear_pointer (&self->mapping, g_bytes_unref);
  self->block = NULL;
}

void
dray_decoder_free (DrayDecoder *self)
{
  clear_block (self);
  g_free (self->buffer);
  g_bytes_unref (self->empty);
  g_clear_error (&self->refused);
  g_free (self);
}

/* Takes @error, and lets go of what will never be read. */
static void
refuse (DrayDecoder *self, GError *error)
{
  g_assert (self->refused == NULL);

  self->refused = error;
  clear_block (self);
  self->start = self->end = 0;
}

/* @held: how much of the payload has come */
static void
refuse_for_memory (DrayDecoder *self, gsize held)
{
  self->rest = self->padded_length - held;
  refuse (self, g_error_new (DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
                             _("There is not enough memory for a value of %zu bytes"),
                                self->header.length));
}

/* Returns: FALSE if there is no memory; the block is as before then */
static gboolean
resize_block (DrayDecoder *self, gsize size)
{
  guint8 *block = self->mapping != NULL ? self->block : g_try_realloc (self->block, size);

  if (block == NULL)
    return FALSE;

  self->block = block;
  self->block_size = size;
  return TRUE;
}

/* From gathering to filling. The block always has room left: the frame is not complete. */
static void
start_block (DrayDecoder *self, const DrayFrameHeader *header)
{
  gsize gathered = self->end - self->start - DRAY_FRAME_HEADER_SIZE;

  self->header = *header;
  self->padded_length = header->length + dray_frame_padding (header->length);
  if (self->padded_length >= MAPPED_MIN)
    self->mapping = dray_payload_reserve (self->padded_length, (gpointer *) &self->block);
  if (!resize_block (self, MIN (self->padded_length, FIRST_BLOCK_SIZE)))
    {
      refuse_for_memory (self, gathered);
      return;
    }

  memcpy (self->block, self->buffer + self->start + DRAY_FRAME_HEADER_SIZE, gathered);
  self->block_end = gathered;
  self->start = self->end = 0;
}

guint8 *
dray_decoder_get_space (DrayDecoder *self, gsize *size)
{
  if (self->block != NULL)
    {
      *size = self->block_size - self->block_end;
      return self->block + self->block_end;
    }

  if (self->start == self->end)
    {
      self->start = self->end = 0;
    }
  else if (self->start > 0 && BUFFER_SIZE - self->end < BUFFER_SIZE / 2)
    {
      memmove (self->buffer, self->buffer + self->start, self->end - self->start);
      self->end -= self->start;
      self->start = 0;
    }

  *size = self->refused == NULL ? BUFFER_SIZE - self->end : 0;
  return self->buffer + self->end;
}

static void
skip (DrayDecoder *self)
{
  const gsize skipped = MIN (self->rest, self->end - self->start);

  self->start += skipped;
  self->rest -= skipped;
}

void
dray_decoder_take (DrayDecoder *self, gsize n_bytes)
{
  if (self->block == NULL)
    {
      g_return_if_fail (n_bytes <= BUFFER_SIZE - self->end);
      self->end += n_bytes;
      skip (self);
      return;
    }

  g_return_if_fail (n_bytes <= self->block_size - self->block_end);
  self->block_end += n_bytes;

  if (self->block_end == self->block_size && self->block_end < self->padded_length
      && !resize_block (self, self->block_size < self->padded_length / 2 ? self->block_size * 2
                                                                         : self->padded_length))
    refuse_for_memory (self, self->block_end);
}

static gboolean
check_padding (DrayDecoder *self, const guint8 *payload, gsize length)
{
  for (gsize i = 0; i < dray_frame_padding (length); i++)
    {
      if (payload[length + i] != 0)
        {
          refuse (self, g_error_new_literal (DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                                             C_ ("sent", "a message that does not end with "
                                                         "zeros")));
          return FALSE;
        }
    }

  return TRUE;
}

/* Back to gathering, with the block as a payload if it is complete. */
static GBytes *
steal_block (DrayDecoder *self)
{
  GBytes *payload;

  if (self->block_end < self->padded_length
      || !check_padding (self, self->block, self->header.length))
    return NULL;

  if (self->mapping == NULL)
    return g_bytes_new_take (g_steal_pointer (&self->block), self->header.length);

  payload = g_bytes_new_from_bytes (self->mapping, 0, self->header.length);
  clear_block (self);
  return payload;
}

/* Where it is plain from the first bytes that this is no frame, the other side is told so at
 * once: more may never come. */
static void
check_beginning (DrayDecoder *self)
{
  const guint32 magic = DRAY_FRAME_MAGIC;
  guint8 bytes[DRAY_FRAME_HEADER_SIZE] = { 0 };
  gsize held = self->end - self->start;
  DrayFrameHeader header;
  GError *error = NULL;

  if (held < sizeof magic || memcmp (self->buffer + self->start, &magic, sizeof magic) == 0)
    return;

  memcpy (bytes, self->buffer + self->start, held);
  if (!dray_frame_header_decode (bytes, self->max_payload, &header, &error))
    refuse (self, error);
}

/* Returns: (transfer full) (nullable): the payload of the next frame, if it is complete */
static GBytes *
gather (DrayDecoder *self, DrayFrameHeader *header)
{
  const guint8 *frame = self->buffer + self->start;
  gsize held = self->end - self->start;
  gsize payload_held, padded_length;
  GError *error = NULL;

  if (held < DRAY_FRAME_HEADER_SIZE)
    {
      check_beginning (self);
      return NULL;
    }

  if (!dray_frame_header_decode (frame, self->max_payload, header, &error))
    {
      refuse (self, error);
      return NULL;
    }

  payload_held = held - DRAY_FRAME_HEADER_SIZE;
  padded_length = header->length + dray_frame_padding (header->length);
  if (payload_held < padded_length)
    {
      if (header->length > GATHER_MAX)
        start_block (self, header);
      return NULL;
    }

  if (!check_padding (self, frame + DRAY_FRAME_HEADER_SIZE, header->length))
    return NULL;

  self->start += DRAY_FRAME_HEADER_SIZE + padded_length;
  if (header->length == 0)
    return g_bytes_ref (self->empty);
  return g_bytes_new (frame + DRAY_FRAME_HEADER_SIZE, header->length);
}

gboolean
dray_decoder_next (DrayDecoder *self, DrayFrameHeader *header, GBytes **payload, GError **error)
{
  GBytes *found = NULL;

  if (self->refused == NULL && self->block != NULL)
    {
      *header = self->header;
      found = steal_block (self);
    }
  else if (self->refused == NULL)
    {
      found = gather (self, header);
    }

  if (found == NULL)
    {
      if (self->refused != NULL)
        g_propagate_error (error, g_error_copy (self->refused));
      return FALSE;
    }

  *payload = found;
  return TRUE;
}

gboolean
dray_decoder_skip (DrayDecoder *self, DrayFrameHeader *header)
{
  if (self->rest == 0)
    return FALSE;

  *header = self->header;
  g_clear_error (&self->refused);
  return TRUE;
}

gboolean
dray_decoder_has_partial (DrayDecoder *self)
{
  return self->block != NULL || self->rest > 0 || self->end > self->start;
}
