/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-splitter.h"

#include <glib/gi18n-lib.h>

/*
 * One buffer, with three marks in it:
 *
 *   0 … start     handed out; the next get_space() moves what follows to the front
 *   start … seen  looked at, and not yet an item: no newline in it, or text that is known to be
 *                 valid
 *   seen … end    not yet looked at
 *
 * So no byte is searched twice, however slowly a long line comes, and what is moved is the rest
 * of one line, once per read. The buffer grows no further than the longest item that is allowed,
 * and a read.
 */

/* Whoever includes this file may have sizes of his own: the fuzzer's are small, so that a short
 * output gets everywhere. */
#ifndef CHUNK_SIZE
#define CHUNK_SIZE ((gsize) 64 * 1024)
#define LEAST_ROOM ((gsize) 16 * 1024)
#endif

struct _DraySplitter
{
  /* set at construction */
  DraySplit split;
  DrayEncoding encoding;
  gsize max_record_size;
  gsize max_output_size;

  guint8 *buffer; /* (owned) (nullable) */
  gsize capacity;
  gsize start;
  gsize seen;
  gsize end;
  guint64 offset; /* of the buffer's first byte in the whole output */

  gboolean ended;
  guint64 n_items;
  GError *refused;  /* (owned) (nullable) */
  GVariant *result; /* (owned) (nullable) (not floating): the whole output */
};

DraySplitter *
dray_splitter_new (DraySplit split,
                   DrayEncoding encoding,
                   gsize max_record_size,
                   gsize max_output_size)
{
  DraySplitter *self = g_new0 (DraySplitter, 1);

  self->split = split;
  self->encoding = encoding;
  self->max_record_size = max_record_size;
  self->max_output_size = max_output_size;
  return self;
}

void
dray_splitter_free (DraySplitter *self)
{
  g_return_if_fail (self != NULL);

  g_free (self->buffer);
  g_clear_error (&self->refused);
  g_clear_pointer (&self->result, g_variant_unref);
  g_free (self);
}

static void refuse_for_memory (DraySplitter *self);

/* --- Bytes in --- */

/* The most that the buffer ever has to hold, and a read on top. */
static gsize
largest_capacity (DraySplitter *self)
{
  gsize limit = CHUNK_SIZE;

  if (self->split == DRAY_SPLIT_NONE)
    limit = self->max_output_size;
  else if (self->split != DRAY_SPLIT_CHUNKS)
    limit = self->max_record_size;

  return limit < G_MAXSIZE - CHUNK_SIZE ? limit + CHUNK_SIZE : G_MAXSIZE;
}

static void
move_to_front (DraySplitter *self)
{
  if (self->start == 0)
    return;

  memmove (self->buffer, self->buffer + self->start, self->end - self->start);
  self->offset += self->start;
  self->seen -= self->start;
  self->end -= self->start;
  self->start = 0;
}

/* Returns FALSE if there is no memory; the buffer is as before then. */
static gboolean
make_room (DraySplitter *self)
{
  move_to_front (self);
  if (self->capacity - self->end >= LEAST_ROOM)
    return TRUE;

  gsize capacity = MIN (MAX (2 * self->capacity, CHUNK_SIZE), largest_capacity (self));

  /* Larger than that only for one who reads on without taking items. */
  capacity = MAX (capacity, self->end + LEAST_ROOM);

  guint8 *buffer = g_try_realloc (self->buffer, capacity);

  if (buffer == NULL)
    return FALSE;

  self->buffer = buffer;
  self->capacity = capacity;
  return TRUE;
}

guint8 *
dray_splitter_get_space (DraySplitter *self, gsize *size)
{
  g_return_val_if_fail (self != NULL && size != NULL, NULL);

  if (!make_room (self))
    {
      /* What is read then is read for nothing. */
      if (self->refused == NULL)
        refuse_for_memory (self);
      self->capacity = LEAST_ROOM;
      self->buffer = g_malloc (LEAST_ROOM);
    }
  *size = self->capacity - self->end;
  if (self->split == DRAY_SPLIT_CHUNKS)
    *size = MIN (*size, CHUNK_SIZE);
  return self->buffer + self->end;
}

void
dray_splitter_take (DraySplitter *self, gsize n_bytes)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (n_bytes <= self->capacity - self->end);

  /* Whoever still reads after the end, or after a refusal, reads for nothing. */
  if (!self->ended && self->refused == NULL)
    self->end += n_bytes;
}

void
dray_splitter_end (DraySplitter *self)
{
  g_return_if_fail (self != NULL);

  self->ended = TRUE;
}

/* --- Refusing --- */

/* Takes @reason, and returns a copy in @error. What was read is of no use any more. */
static void
refuse (DraySplitter *self, GError *reason, GError **error)
{
  self->refused = reason;
  g_clear_pointer (&self->buffer, g_free);
  self->capacity = 0;
  self->start = self->seen = self->end = 0;
  g_propagate_error (error, g_error_copy (reason));
}

static void
refuse_for_memory (DraySplitter *self)
{
  g_autoptr (GError) error = NULL;

  refuse (self,
          g_error_new_literal (DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
                               _ ("there is not enough memory for the output")),
          &error);
}

static void
refuse_record_text (DraySplitter *self, gboolean holds_nul, GError **error)
{
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, self->n_items + 1);
  GError *reason;

  if (self->split == DRAY_SPLIT_RECORDS)
    reason = g_error_new (DRAY_ERROR, DRAY_ERROR_INVALID_TEXT,
                          /* Translators: the number of the record. */
                          _ ("record %s of the output is not valid UTF-8"), number);
  else if (holds_nul)
    reason = g_error_new (DRAY_ERROR, DRAY_ERROR_INVALID_TEXT,
                          /* Translators: the number of the line. */
                          _ ("line %s of the output is not text: it holds a NUL byte"), number);
  else
    reason = g_error_new (DRAY_ERROR, DRAY_ERROR_INVALID_TEXT,
                          /* Translators: the number of the line. */
                          _ ("line %s of the output is not valid UTF-8"), number);
  refuse (self, reason, error);
}

/* At @position in the buffer. */
static void
refuse_text (DraySplitter *self, gsize position, GError **error)
{
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, self->offset + position + 1);
  GError *reason;

  if (self->buffer[position] == '\0')
    reason = g_error_new (DRAY_ERROR, DRAY_ERROR_INVALID_TEXT,
                          /* Translators: the number of a byte, counted from 1. */
                          _ ("the output is not text: byte %s is NUL"), number);
  else
    reason = g_error_new (DRAY_ERROR, DRAY_ERROR_INVALID_TEXT,
                          /* Translators: the number of a byte, counted from 1. */
                          _ ("the output is not valid UTF-8 at byte %s"), number);
  refuse (self, reason, error);
}

static void
refuse_record_size (DraySplitter *self, GError **error)
{
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, self->n_items + 1);
  g_autofree char *limit = g_format_size_full (self->max_record_size, G_FORMAT_SIZE_IEC_UNITS);
  GError *reason;

  if (self->split == DRAY_SPLIT_RECORDS)
    reason = g_error_new (DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
                          /* Translators: a number, and a size such as “1.0 MiB”. */
                          _ ("record %s of the output is longer than %s"), number, limit);
  else
    reason = g_error_new (DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
                          /* Translators: a number, and a size such as “1.0 MiB”. */
                          _ ("line %s of the output is longer than %s"), number, limit);
  refuse (self, reason, error);
}

static void
refuse_output_size (DraySplitter *self, GError **error)
{
  g_autofree char *limit = g_format_size_full (self->max_output_size, G_FORMAT_SIZE_IEC_UNITS);
  GError *reason = g_error_new (DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
                                /* Translators: a size such as “64.0 MiB”. */
                                _ ("the output is larger than %s"), limit);

  refuse (self, reason, error);
}

/* --- Items out --- */

/* How many of these bytes are whole characters of valid text. */
static gsize
measure_text (const guint8 *bytes, gsize size)
{
  const char *valid_end = NULL;

  g_utf8_validate_len ((const char *) bytes, size, &valid_end);
  return (gsize) (valid_end - (const char *) bytes);
}

/* Whether more bytes could make these, the first of which is not valid so far, a character. */
static gboolean
may_become_text (const guint8 *bytes, gsize size)
{
  /* GLib takes a NUL for the end of a string that was cut short. */
  return *bytes != '\0'
         && g_utf8_get_char_validated ((const char *) bytes, (gssize) size) == (gunichar) -2;
}

/* Takes @bytes, and with @is_text a NUL after them. */
static GVariant *
take_value (guint8 *bytes, gsize size, gboolean is_text)
{
  const GVariantType *type = is_text ? G_VARIANT_TYPE_STRING : G_VARIANT_TYPE_BYTESTRING;
  const gsize full_size = is_text ? size + 1 : size;

  return g_variant_ref_sink (g_variant_new_from_data (type, bytes, full_size, TRUE, g_free, bytes));
}

/* Of bytes which, in text mode, are known to be valid. */
static GVariant *
make_value (DraySplitter *self, const guint8 *bytes, gsize size)
{
  const gboolean is_text = self->encoding == DRAY_ENCODING_UTF8;
  guint8 *copy = g_malloc (size + 1);

  if (size > 0)
    memcpy (copy, bytes, size);
  copy[size] = '\0';
  return take_value (copy, size, is_text);
}

static GVariant *
next_record (DraySplitter *self, GError **error)
{
  const int delimiter = self->split == DRAY_SPLIT_LINES ? '\n' : '\0';
  const guint8 *found = NULL;

  if (self->seen < self->end)
    found = memchr (self->buffer + self->seen, delimiter, self->end - self->seen);
  self->seen = found != NULL ? (gsize) (found - self->buffer) : self->end;

  const gsize size = self->seen - self->start;

  if (size > self->max_record_size)
    {
      refuse_record_size (self, error);
      return NULL;
    }
  if (found == NULL && (!self->ended || size == 0))
    return NULL;

  const guint8 *bytes = self->buffer + self->start;

  if (self->encoding == DRAY_ENCODING_UTF8)
    {
      gsize valid = measure_text (bytes, size);

      if (valid < size)
        {
          refuse_record_text (self, bytes[valid] == '\0', error);
          return NULL;
        }
    }

  GVariant *value = make_value (self, bytes, size);

  if (found != NULL)
    self->seen++;
  self->start = self->seen;
  self->n_items++;
  return value;
}

static GVariant *
next_chunk (DraySplitter *self, GError **error)
{
  const gsize available = MIN (self->end - self->start, CHUNK_SIZE);
  gsize size = available;

  if (available == 0)
    return NULL;

  const guint8 *bytes = self->buffer + self->start;

  if (self->encoding == DRAY_ENCODING_UTF8)
    size = measure_text (bytes, available);

  /* What is valid is an item, even where what follows is not. */
  if (size == 0)
    {
      if (self->ended || !may_become_text (bytes, available))
        refuse_text (self, self->start, error);
      return NULL;
    }

  GVariant *value = make_value (self, bytes, size);

  self->start += size;
  self->seen = self->start;
  self->n_items++;
  return value;
}

/* Of what is collected whole, as far as it has come. */
static gboolean
check_output (DraySplitter *self, GError **error)
{
  if (self->end > self->max_output_size)
    {
      refuse_output_size (self, error);
      return FALSE;
    }
  if (self->encoding == DRAY_ENCODING_BYTES || self->seen == self->end)
    return TRUE;

  self->seen += measure_text (self->buffer + self->seen, self->end - self->seen);
  if (self->seen == self->end)
    return TRUE;
  if (!self->ended && may_become_text (self->buffer + self->seen, self->end - self->seen))
    return TRUE;

  refuse_text (self, self->seen, error);
  return FALSE;
}

GVariant *
dray_splitter_next (DraySplitter *self, GError **error)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (self->refused != NULL)
    {
      g_propagate_error (error, g_error_copy (self->refused));
      return NULL;
    }

  switch (self->split)
    {
    case DRAY_SPLIT_LINES:
    case DRAY_SPLIT_RECORDS:
      return next_record (self, error);
    case DRAY_SPLIT_CHUNKS:
      return next_chunk (self, error);
    case DRAY_SPLIT_NONE:
    default:
      check_output (self, error);
      return NULL;
    }
}

/* The buffer becomes the value, uncopied. */
static GVariant *
steal_output (DraySplitter *self)
{
  const gsize size = self->end;
  guint8 *bytes = g_realloc (g_steal_pointer (&self->buffer), size + 1);

  bytes[size] = '\0';
  self->capacity = 0;
  self->start = self->seen = self->end = 0;
  return take_value (bytes, size, self->encoding == DRAY_ENCODING_UTF8);
}

GVariant *
dray_splitter_dup_result (DraySplitter *self, GError **error)
{
  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (self->ended, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (self->refused != NULL)
    {
      g_propagate_error (error, g_error_copy (self->refused));
      return NULL;
    }

  if (self->split != DRAY_SPLIT_NONE)
    return g_variant_ref_sink (g_variant_new_uint64 (self->n_items));

  if (self->result == NULL)
    {
      if (!check_output (self, error))
        return NULL;
      self->result = steal_output (self);
    }
  return g_variant_ref (self->result);
}
