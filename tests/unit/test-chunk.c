/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-chunk.h"

#include "fixture.h"

#include <string.h>

/* Calls and outcomes, many in a message: what goes in comes out, and nothing that a peer may send
 * does any harm. */

static const DrayFrameHeader header = { .task_id = 7, .attempt = 2 };

/* (transfer full): the payload of @message, which is cleared */
static GBytes *
steal_payload (DrayMessage *message, DrayFrameType type)
{
  const guint8 *head = dray_message_get_head (message);
  DrayFrameHeader decoded;
  GBytes *payload;

  g_assert_null (message->body);
  g_assert_true (dray_frame_header_decode (head, G_MAXUINT32, &decoded, NULL));
  g_assert_cmpint (decoded.type, ==, type);
  g_assert_cmpuint (message->head_length, ==,
                    DRAY_FRAME_HEADER_SIZE + decoded.length + dray_frame_padding (decoded.length));
  payload = g_bytes_new (head + DRAY_FRAME_HEADER_SIZE, decoded.length);
  dray_message_clear (message);

  return payload;
}

/* (transfer full): a chunk of @n_calls calls with the numbers from 0 on, as pairs with texts */
static GBytes *
make_chunk (guint n_calls)
{
  DrayRecords records = { .grows = TRUE };
  DrayMessage message;

  for (guint i = 0; i < n_calls; i++)
    {
      g_autofree char *text = g_strnfill (i % 20, 'x');
      g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new ("(us)", i, text));

      g_assert_true (dray_chunk_append (&records, value, NULL));
    }

  g_assert_cmpuint (records.n_records, ==, n_calls);
  g_assert_cmpuint (dray_records_find (&records, n_calls), ==, records.used);
  dray_chunk_init_message (&message, &header, "function", "(us)", records.data, records.used,
                           n_calls);
  dray_records_clear (&records);
  return steal_payload (&message, DRAY_FRAME_CHUNK);
}

static void
test_calls (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("Arguments come out of a chunk as they went in, however many there are.");

  for (guint n_calls = 1; n_calls < 3000; n_calls *= 3)
    {
      g_autoptr (GBytes) payload = make_chunk (n_calls);
      g_autoptr (GError) error = NULL;
      g_autoptr (DrayChunk) chunk = dray_chunk_decode (payload, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (chunk->n_calls, ==, n_calls);
      g_assert_cmpstr (chunk->function, ==, "function");
      for (guint i = 0; i < n_calls; i++)
        {
          g_autoptr (GVariant) value = dray_chunk_next (chunk);
          const char *text;
          guint number;

          g_variant_get (value, "(u&s)", &number, &text);
          g_assert_cmpuint (number, ==, i);
          g_assert_cmpuint (strlen (text), ==, i % 20);
        }
    }
}

static void
test_unsound_arguments (Fixture *fixture, gconstpointer data)
{
  const guint8 bytes[] = { 1, 2, 3 };
  DrayRecords records = { .grows = TRUE };
  g_autoptr (GVariant) crooked = g_variant_ref_sink (
    g_variant_new_from_data (G_VARIANT_TYPE ("(su)"), bytes, sizeof bytes, FALSE, NULL, NULL));
  g_autoptr (GVariant) deep = g_variant_ref_sink (g_variant_new_byte (1));
  g_autoptr (GError) error = NULL;

  g_test_summary ("Arguments that are not in normal form are put into it; what is nested too "
                  "deeply is refused, and leaves nothing behind.");

  g_assert_true (dray_chunk_append (&records, crooked, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (records.n_records, ==, 1);
  dray_records_clear (&records);

  for (int i = 0; i < 110; i++)
    {
      GVariant *inner = g_steal_pointer (&deep);

      deep = g_variant_ref_sink (g_variant_new_variant (inner));
      g_variant_unref (inner);
    }
  g_assert_false (dray_chunk_append (&records, deep, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
  g_assert_cmpuint (records.n_records, ==, 0);
  g_assert_cmpuint (records.used, ==, 0);
  dray_records_clear (&records);
}

/* (transfer full): values of two types and errors, in turns */
static GBytes *
make_outcomes (guint n_outcomes, guint n_returned)
{
  DrayOutcomesWriter writer = { .records.grows = TRUE };
  g_autoptr (GError) failure = g_error_new (G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "There is no 7");
  g_autoptr (GVariant) encoded = dray_error_encode (failure);
  DrayMessage message;

  for (guint i = 0; i < n_outcomes; i++)
    {
      g_autoptr (GVariant) value = g_variant_ref_sink (i % 5 < 3 ? g_variant_new_uint32 (i)
                                                                 : g_variant_new_string ("text"));

      if (i % 7 == 0)
        dray_outcomes_append_error (&writer, encoded);
      else
        g_assert_true (dray_outcomes_append_value (&writer, value, NULL));
    }

  dray_outcomes_init_message (&message, &header, &writer.records, n_returned, 12345);
  dray_outcomes_writer_reset (&writer);
  dray_records_clear (&writer.records);
  return steal_payload (&message, DRAY_FRAME_OUTCOMES);
}

static void
check_outcome (DrayOutcomesReader *reader, guint i)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = dray_outcomes_next (reader, &error);

  if (i % 7 == 0)
    {
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
      g_assert_cmpstr (error->message, ==, "There is no 7");
      return;
    }

  g_assert_no_error (error);
  if (i % 5 < 3)
    g_assert_cmpuint (g_variant_get_uint32 (value), ==, i);
  else
    g_assert_cmpstr (g_variant_get_string (value, NULL), ==, "text");
}

static void
test_outcomes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) payload = make_outcomes (1000, 24);
  g_autoptr (GError) error = NULL;
  DrayOutcomesReader reader;

  g_test_summary ("Outcomes of different types and errors come out as they went in, one after "
                  "another or skipped.");

  g_assert_true (dray_outcomes_decode (payload, &reader, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (reader.n_outcomes, ==, 1000);
  g_assert_cmpuint (reader.n_returned, ==, 24);
  g_assert_cmpuint (reader.busy, ==, 12345);
  for (guint i = 0; i < 1000; i++)
    {
      if (i % 11 == 3)
        dray_outcomes_skip (&reader);
      else
        check_outcome (&reader, i);
    }
}

static void
test_no_outcomes (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) payload = make_outcomes (0, 3);
  DrayOutcomesReader reader;

  g_test_summary ("A message may have no outcome, and give back calls only.");

  g_assert_true (dray_outcomes_decode (payload, &reader, NULL));
  g_assert_cmpuint (reader.n_outcomes, ==, 0);
  g_assert_cmpuint (reader.n_returned, ==, 3);
}

static void
test_unsound_outcome (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("no end", 6);
  g_autoptr (GVariant) crooked = g_variant_ref_sink (
    g_variant_new_from_bytes (G_VARIANT_TYPE_STRING, bytes, FALSE));
  g_autoptr (GVariant) arrived = NULL;
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GError) error = NULL;
  DrayOutcomesWriter writer = { .records.grows = TRUE };
  DrayOutcomesReader reader;
  DrayMessage message;

  g_test_summary ("An outcome in no normal form is sent in one.");

  g_assert_true (dray_outcomes_append_value (&writer, crooked, &error));
  g_assert_no_error (error);
  dray_outcomes_init_message (&message, &header, &writer.records, 0, 0);
  dray_outcomes_writer_reset (&writer);
  dray_records_clear (&writer.records);
  payload = steal_payload (&message, DRAY_FRAME_OUTCOMES);

  g_assert_true (dray_outcomes_decode (payload, &reader, &error));
  g_assert_cmpuint (reader.n_outcomes, ==, 1);
  arrived = dray_outcomes_next (&reader, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (arrived, NULL), ==, "");
}

/* --- What is hostile --- */

static gboolean
read_calls (GBytes *payload, GError **error)
{
  g_autoptr (DrayChunk) chunk = dray_chunk_decode (payload, error);

  for (guint i = 0; chunk != NULL && i < chunk->n_calls; i++)
    g_variant_unref (dray_chunk_next (chunk));
  return chunk != NULL;
}

static gboolean
read_outcomes (GBytes *payload, GError **error)
{
  DrayOutcomesReader reader;

  if (!dray_outcomes_decode (payload, &reader, error))
    return FALSE;

  for (guint i = 0; i < reader.n_outcomes; i++)
    {
      g_autoptr (GError) failure = NULL;
      g_autoptr (GVariant) value = dray_outcomes_next (&reader, &failure);

      g_assert_true ((value != NULL) != (failure != NULL));
    }
  return TRUE;
}

typedef gboolean (*Read) (GBytes *payload, GError **error);

static void
expect_refused (Read read, const void *bytes, gsize size)
{
  g_autoptr (GBytes) payload = g_bytes_new (bytes, size);
  g_autoptr (GError) error = NULL;

  g_assert_false (read (payload, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
}

static void
test_deep_outcome (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;
  DrayOutcomesWriter writer = { .records.grows = TRUE };
  GVariant *nested = g_variant_new_boolean (TRUE);

  g_test_summary ("An outcome that nobody would take is an error, and is not among the others.");

  for (guint i = 0; i <= DRAY_VALUE_MAX_DEPTH; i++)
    nested = g_variant_new_variant (nested);
  value = g_variant_ref_sink (nested);
  g_assert_false (dray_outcomes_append_value (&writer, value, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
  g_assert_cmpuint (writer.records.n_records, ==, 0);
  dray_outcomes_writer_reset (&writer);
  dray_records_clear (&writer.records);
}

static void
test_records (Fixture *fixture, gconstpointer data)
{
  DrayOutcomesWriter writer = { .records.grows = TRUE };
  DrayOutcomesReader reader;
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("What a worker has left in its ledger is read like outcomes that were sent.");

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_uint32 (i));

      g_assert_true (dray_outcomes_append_value (&writer, value, NULL));
    }
  payload = dray_outcomes_new_payload (writer.records.data, writer.records.used, 3);
  dray_outcomes_writer_reset (&writer);
  dray_records_clear (&writer.records);

  g_assert_true (dray_outcomes_decode (payload, &reader, &error));
  g_assert_cmpuint (reader.n_outcomes, ==, 3);
  g_assert_cmpuint (reader.n_returned, ==, 0);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GVariant) value = dray_outcomes_next (&reader, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_get_uint32 (value), ==, i);
    }
}

static void
test_truncated (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) calls = make_chunk (9);
  g_autoptr (GBytes) outcomes = make_outcomes (9, 0);

  g_test_summary ("Whatever is missing at the end, the rest is refused.");

  for (gsize size = 0; size < g_bytes_get_size (calls); size++)
    expect_refused (read_calls, g_bytes_get_data (calls, NULL), size);
  for (gsize size = 0; size < g_bytes_get_size (outcomes); size++)
    expect_refused (read_outcomes, g_bytes_get_data (outcomes, NULL), size);
}

static void
test_bad_numbers (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    Read read;
    guint32 words[8];
    gsize n_bytes;
  } vectors[] = {
    { read_calls, { 0, 0, 0, 0 }, 16 },                      /* no call */
    { read_calls, { 1, G_MAXUINT32, 1, 0 }, 32 },            /* a name without end */
    { read_calls, { 1, 0, G_MAXUINT32 - 3, 0 }, 32 },        /* a type without end */
    { read_calls, { G_MAXUINT32, 0, 0, 0 }, 16 },            /* calls that are not there */
    { read_calls, { 1, 0, 0, 1, 0, 0 }, 24 },                /* a zero that is none */
    { read_calls, { 1, 0, 0, 0, 0, 0 }, 24 },                /* no type */
    { read_outcomes, { 1, 0, 0, 0, 0, 0 }, 24 },             /* the type of nothing before */
    { read_outcomes, { 1, 0, 0, 0, 0, 3 }, 24 },             /* an unknown kind */
    { read_outcomes, { 1, 0, 0, 0, 0, 1 }, 24 },             /* a value without a type */
    { read_outcomes, { 1, 0, 0, 0, G_MAXUINT32, 2 }, 24 },   /* an error without end */
    { read_outcomes, { G_MAXUINT32, 0, 0, 0 }, 16 },         /* outcomes that are not there */
    { read_outcomes, { 0, 0, 0, 0, 0, 0 }, 24 },             /* more than was announced */
    { read_outcomes, { 1, 0, 0, 0, 1, 2, 0x01 }, 32 },       /* an error that is none */
    { read_outcomes, { 1, 0, 0, 0, 3, 1, 0x75000001 }, 32 }, /* padding that is not zero */
  };

  g_test_summary ("Numbers that can't be are refused, and nothing is read beyond the end.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    expect_refused (vectors[i].read, vectors[i].words, vectors[i].n_bytes);
}

/* Each byte in turn becomes another one. Of those that make no difference to the form, a value
 * comes out, of others an error of the protocol; a sanitizer sees to the rest. */
static void
mutate (GBytes *original, Read read)
{
  gsize size;
  const guint8 *bytes = g_bytes_get_data (original, &size);

  for (gsize i = 0; i < size; i++)
    for (guint bit = 0; bit < 8; bit++)
      {
        g_autofree guint8 *copy = g_memdup2 (bytes, size);
        g_autoptr (GBytes) payload = NULL;
        g_autoptr (GError) error = NULL;

        copy[i] ^= (guint8) (1u << bit);
        payload = g_bytes_new_take (g_steal_pointer (&copy), size);
        if (!read (payload, &error))
          g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
      }
}

static void
test_mutations (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) calls = make_chunk (20);
  g_autoptr (GBytes) outcomes = make_outcomes (20, 1);

  g_test_summary ("Any bit of a message may be wrong: it is refused, or stands for other values.");

  mutate (calls, read_calls);
  mutate (outcomes, read_outcomes);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  fixture_add ("/chunk/calls", NULL, test_calls);
  fixture_add ("/chunk/unsound-arguments", NULL, test_unsound_arguments);
  fixture_add ("/chunk/outcomes", NULL, test_outcomes);
  fixture_add ("/chunk/no-outcomes", NULL, test_no_outcomes);
  fixture_add ("/chunk/unsound-outcome", NULL, test_unsound_outcome);
  fixture_add ("/chunk/deep-outcome", NULL, test_deep_outcome);
  fixture_add ("/chunk/records", NULL, test_records);
  fixture_add ("/chunk/truncated", NULL, test_truncated);
  fixture_add ("/chunk/bad-numbers", NULL, test_bad_numbers);
  fixture_add ("/chunk/mutations", NULL, test_mutations);

  return g_test_run ();
}
