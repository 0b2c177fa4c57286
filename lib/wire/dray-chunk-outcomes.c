/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-chunk.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "dray-value-check.h"

/* The outcomes of calls, written and read. */

/* What they begin with: two numbers of calls, and a time. */
#define OUTCOMES_HEAD ((gsize) 16)

/* --- Writing --- */

void
dray_outcomes_writer_reset (DrayOutcomesWriter *self)
{
  self->records.used = 0;
  self->records.n_records = 0;
  g_clear_pointer (&self->type, g_free);
}

gsize
dray_outcomes_measure (GVariant *value)
{
  return dray_record_size (g_variant_get_size (value) + 1
                           + strlen (g_variant_get_type_string (value)));
}

static gboolean
append_sound (DrayOutcomesWriter *self, GVariant *value)
{
  const char *type = g_variant_get_type_string (value);
  gsize type_length = strlen (type);
  gsize size = g_variant_get_size (value);
  gboolean same = g_strcmp0 (type, self->type) == 0;
  gsize length = same ? size : size + 1 + type_length;
  guint8 *place = dray_records_append (&self->records, same ? DRAY_RECORD_SAME : DRAY_RECORD_VALUE,
                                       length);

  g_variant_store (value, place);
  if (!same)
    {
      place[size] = 0;
      memcpy (place + size + 1, type, type_length);
    }

  if (!dray_value_check (type, type_length, place, size))
    {
      dray_records_undo (&self->records, dray_record_size (length));
      return FALSE;
    }

  if (!same)
    {
      g_free (self->type);
      self->type = g_strndup (type, type_length);
    }
  return TRUE;
}

gboolean
dray_outcomes_append_value (DrayOutcomesWriter *self, GVariant *value, GError **error)
{
  g_autoptr (GVariant) normal = NULL;

  if (strlen (g_variant_get_type_string (value)) <= DRAY_VALUE_MAX_TYPE)
    {
      if (append_sound (self, value))
        return TRUE;

      /* It may be larger than what was measured only where its bytes were too few. */
      normal = g_variant_get_normal_form (value);
      if ((self->records.grows
           || dray_outcomes_measure (normal) <= self->records.space - self->records.used)
          && append_sound (self, normal))
        return TRUE;
    }

  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
                       _("A value can’t be sent: its type is too long, or containers are nested "
                         "too deeply in it"));
  return FALSE;
}

void
dray_outcomes_append_error (DrayOutcomesWriter *self, GVariant *encoded)
{
  gsize size = g_variant_get_size (encoded);

  g_variant_store (encoded, dray_records_append (&self->records, DRAY_RECORD_ERROR, size));
}

static void
write_head (guint8 *place, guint n_outcomes, guint n_returned, guint64 busy)
{
  const guint32 counts[2] = { n_outcomes, n_returned };

  memcpy (place, counts, sizeof counts);
  memcpy (place + sizeof counts, &busy, sizeof busy);
}

void
dray_outcomes_init_message (DrayMessage *message,
                            const DrayFrameHeader *header,
                            const DrayRecords *records,
                            guint n_returned,
                            guint64 busy)
{
  DrayFrameHeader full = *header;
  guint8 *place;

  full.type = DRAY_FRAME_OUTCOMES;
  full.length = OUTCOMES_HEAD + records->used;
  place = dray_message_start (message, &full);
  write_head (place, records->n_records, n_returned, busy);
  if (records->used > 0)
    memcpy (place + OUTCOMES_HEAD, records->data, records->used);
}

GBytes *
dray_outcomes_new_payload (const guint8 *records, gsize size, guint n_outcomes)
{
  guint8 *payload = g_malloc (OUTCOMES_HEAD + size);

  write_head (payload, n_outcomes, 0, 0);
  memcpy (payload + OUTCOMES_HEAD, records, size);
  return g_bytes_new_take (payload, OUTCOMES_HEAD + size);
}

/* --- Reading --- */

/* Splits a value as `result` has it into its bytes, of which there are fewer then, and its type. */
static gboolean
split_value (DrayRecord *record, const char **type, gsize *type_length)
{
  const guint8 *nul = record->size > 0 ? memrchr (record->data, 0, record->size) : NULL;

  if (nul == NULL)
    return FALSE;

  *type = (const char *) nul + 1;
  *type_length = record->size - (gsize) (nul + 1 - record->data);
  record->size = (gsize) (nul - record->data);
  return TRUE;
}

/* Takes the next record, and the type of its value where it has one. */
static gboolean
take_record (DrayOutcomesReader *reader, DrayRecord *record)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (reader->payload, &size);

  if (!dray_record_next (data, size, &reader->offset, record))
    return FALSE;

  return record->kind != DRAY_RECORD_VALUE
         || split_value (record, &reader->type, &reader->type_length);
}

static gboolean
check_record (DrayOutcomesReader *reader)
{
  DrayRecord record;

  if (!take_record (reader, &record))
    return FALSE;

  reader->n_errors += record.kind == DRAY_RECORD_ERROR;
  if (record.kind == DRAY_RECORD_ERROR)
    return record.size <= DRAY_FRAME_MAX_CONTROL
           && dray_value_check ("(sis)", strlen ("(sis)"), record.data, record.size);

  return reader->type != NULL
         && dray_value_check (reader->type, reader->type_length, record.data, record.size);
}

static gboolean
check_all (GBytes *payload, DrayOutcomesReader *reader)
{
  DrayOutcomesReader checker;
  gsize size;
  const guint8 *data = g_bytes_get_data (payload, &size);
  guint32 counts[2];

  if (size < OUTCOMES_HEAD)
    return FALSE;

  memcpy (counts, data, sizeof counts);
  *reader = (DrayOutcomesReader){
    .payload = payload,
    .n_outcomes = counts[0],
    .n_returned = counts[1],
    .offset = OUTCOMES_HEAD,
  };
  memcpy (&reader->busy, data + sizeof counts, sizeof reader->busy);

  checker = *reader;
  for (guint i = 0; i < reader->n_outcomes; i++)
    if (!check_record (&checker))
      return FALSE;

  reader->n_errors = checker.n_errors;
  return checker.offset == size;
}

gboolean
dray_outcomes_decode (GBytes *payload, DrayOutcomesReader *reader, GError **error)
{
  if (check_all (payload, reader))
    return TRUE;

  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                       C_ ("sent", "outcomes of calls that can’t be read"));
  return FALSE;
}

/* The value must not keep all of the payload for as long as somebody keeps it: it is copied. */
GVariant *
dray_outcomes_next (DrayOutcomesReader *reader, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  DrayRecord record = { 0 };
  gboolean malformed;

  take_record (reader, &record);
  bytes = g_bytes_new (record.data, record.size);
  if (record.kind == DRAY_RECORD_ERROR)
    {
      g_propagate_error (error, dray_error_decode (bytes, &malformed));
      return NULL;
    }

  return g_variant_ref_sink (
    g_variant_new_from_bytes ((const GVariantType *) reader->type, bytes, TRUE));
}

gboolean
dray_outcomes_skip (DrayOutcomesReader *reader)
{
  DrayRecord record = { 0 };

  take_record (reader, &record);
  return record.kind == DRAY_RECORD_ERROR;
}
