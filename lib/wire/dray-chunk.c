/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-chunk.h"

#include <glib/gi18n-lib.h>
#include <string.h>

/* Records and chunks. The outcomes are in dray-chunk-outcomes.c. */

/* What a chunk begins with: the number of calls, two lengths and a zero. */
#define CHUNK_HEAD ((gsize) 16)

/* Room for some tiny records. */
#define FIRST_SPACE ((gsize) 1024)

/* --- Records --- */

void
dray_records_clear (DrayRecords *self)
{
  if (self->grows)
    g_free (self->data);
  *self = (DrayRecords){ .grows = self->grows };
}

guint8 *
dray_records_append (DrayRecords *self, DrayRecordKind kind, gsize size)
{
  const guint32 head[2] = { (guint32) size, kind };
  gsize padding = dray_frame_padding (size);
  gsize needed = self->used + dray_record_size (size);
  guint8 *place;

  if (needed > self->space)
    {
      g_assert (self->grows);
      self->space = MAX (MAX (needed, self->space * 2), FIRST_SPACE);
      self->data = g_realloc (self->data, self->space);
    }

  place = self->data + self->used;
  memcpy (place, head, sizeof head);
  memset (place + DRAY_RECORD_HEAD + size, 0, padding);
  self->used = needed;
  self->n_records++;
  return place + DRAY_RECORD_HEAD;
}

void
dray_records_undo (DrayRecords *self, gsize size)
{
  self->used -= size;
  self->n_records--;
}

gboolean
dray_record_next (const guint8 *data, gsize size, gsize *offset, DrayRecord *record)
{
  gsize left = size - *offset;
  guint32 head[2];
  gsize padding;

  if (left < DRAY_RECORD_HEAD)
    return FALSE;

  memcpy (head, data + *offset, sizeof head);
  left -= DRAY_RECORD_HEAD;
  padding = dray_frame_padding (head[0]);
  if (head[0] > left || padding > left - head[0] || head[1] > DRAY_RECORD_ERROR)
    return FALSE;

  record->kind = head[1];
  record->data = data + *offset + DRAY_RECORD_HEAD;
  record->size = head[0];
  for (gsize i = 0; i < padding; i++)
    if (record->data[record->size + i] != 0)
      return FALSE;

  *offset += DRAY_RECORD_HEAD + record->size + padding;
  return TRUE;
}

gsize
dray_records_find (const DrayRecords *self, guint n_records)
{
  gsize offset = 0;

  for (guint i = 0; i < n_records; i++)
    {
      guint32 size;

      memcpy (&size, self->data + offset, sizeof size);
      offset += dray_record_size (size);
    }

  return offset;
}

/* --- A chunk --- */

static gboolean
append_sound (DrayRecords *records, GVariant *arguments)
{
  const char *type = g_variant_get_type_string (arguments);
  gsize size = g_variant_get_size (arguments);
  guint8 *place = dray_records_append (records, DRAY_RECORD_SAME, size);

  g_variant_store (arguments, place);
  if (dray_value_check (type, strlen (type), place, size))
    return TRUE;

  dray_records_undo (records, dray_record_size (size));
  return FALSE;
}

gboolean
dray_chunk_append (DrayRecords *records, GVariant *arguments, GError **error)
{
  g_autoptr (GVariant) normal = NULL;

  if (strlen (g_variant_get_type_string (arguments)) <= DRAY_VALUE_MAX_TYPE)
    {
      if (append_sound (records, arguments))
        return TRUE;

      normal = g_variant_get_normal_form (arguments);
      if (append_sound (records, normal))
        return TRUE;
    }

  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
                       _("A value can’t be sent: its type is too long, or containers are nested "
                         "too deeply in it"));
  return FALSE;
}

/* Text, with zeros behind it up to a multiple of 8. Returns: the end of that */
static guint8 *
write_text (guint8 *place, const char *text, gsize length)
{
  gsize padding = dray_frame_padding (length);

  memcpy (place, text, length);
  memset (place + length, 0, padding);
  return place + length + padding;
}

void
dray_chunk_init_message (DrayMessage *message,
                         const DrayFrameHeader *header,
                         const char *function,
                         const char *type,
                         const guint8 *records,
                         gsize size,
                         guint n_calls)
{
  const guint32 head[4] = { n_calls, (guint32) strlen (function), (guint32) strlen (type), 0 };
  DrayFrameHeader full = *header;
  guint8 *place;

  full.type = DRAY_FRAME_CHUNK;
  full.length = CHUNK_HEAD + head[1] + dray_frame_padding (head[1]) + head[2]
                + dray_frame_padding (head[2]) + size;
  place = dray_message_start (message, &full);

  memcpy (place, head, sizeof head);
  place = write_text (place + CHUNK_HEAD, function, head[1]);
  place = write_text (place, type, head[2]);
  memcpy (place, records, size);
}

/* The text of @length bytes at *@offset, which moves behind it; NULL where it is none. */
static char *
take_text (const guint8 *data, gsize size, gsize *offset, gsize length)
{
  const char *text = (const char *) data + *offset;
  gsize padding = dray_frame_padding (length);

  if (length > size - *offset || padding > size - *offset - length
      || !g_utf8_validate_len (text, length, NULL))
    return NULL;

  for (gsize i = 0; i < padding; i++)
    if (text[length + i] != 0)
      return NULL;

  *offset += length + padding;
  return g_strndup (text, length);
}

static gboolean
check_calls (DrayChunk *self)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (self->payload, &size);
  gsize type_length = strlen (self->type);
  gsize offset = self->offset;
  DrayRecord record;

  for (guint i = 0; i < self->n_calls; i++)
    if (!dray_record_next (data, size, &offset, &record) || record.kind != DRAY_RECORD_SAME
        || !dray_value_check (self->type, type_length, record.data, record.size))
      return FALSE;

  return offset == size;
}

static gboolean
read_chunk (DrayChunk *self)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (self->payload, &size);
  guint32 head[4];

  if (size < CHUNK_HEAD)
    return FALSE;

  memcpy (head, data, sizeof head);
  if (head[0] == 0 || head[3] != 0)
    return FALSE;

  self->n_calls = head[0];
  self->offset = CHUNK_HEAD;
  self->function = take_text (data, size, &self->offset, head[1]);
  if (self->function == NULL)
    return FALSE;
  self->type = take_text (data, size, &self->offset, head[2]);

  return self->type != NULL && check_calls (self);
}

DrayChunk *
dray_chunk_decode (GBytes *payload, GError **error)
{
  g_autoptr (DrayChunk) self = g_new0 (DrayChunk, 1);

  self->payload = g_bytes_ref (payload);
  if (!read_chunk (self))
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "calls that can’t be read"));
      return NULL;
    }

  return g_steal_pointer (&self);
}

void
dray_chunk_free (DrayChunk *self)
{
  g_bytes_unref (self->payload);
  g_free (self->function);
  g_free (self->type);
  g_free (self);
}

GVariant *
dray_chunk_next (DrayChunk *self)
{
  g_autoptr (GBytes) bytes = NULL;
  gsize size;
  const guint8 *data = g_bytes_get_data (self->payload, &size);
  DrayRecord record = { 0 };

  dray_record_next (data, size, &self->offset, &record);
  bytes = g_bytes_new_from_bytes (self->payload, (gsize) (record.data - data), record.size);
  return g_variant_ref_sink (
    g_variant_new_from_bytes ((const GVariantType *) self->type, bytes, TRUE));
}
