/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-chunk.h"
#include "dray-decoder.h"
#include "dray-message.h"

#include <string.h>

/* Frames, messages and values together, against bytes that nobody meant. */

#define KIB ((gsize) 1024)
#define MIB (1024 * KIB)
#define MAX_PAYLOAD (1 * MIB)

/* The size of the two values at the end of the conversation. */
#define LARGE (40 * KIB)

static const DrayFrameHeader item_header = {
  .type = DRAY_FRAME_ITEM,
  .task_id = 42,
  .attempt = 3,
};

/* Fewer rounds where each of them takes long. */
static guint
scale_rounds (guint rounds)
{
  const char *factor = g_getenv ("DRAY_TEST_TIME_FACTOR");

  return factor != NULL ? MAX (rounds / MAX (atoi (factor), 1), 1) : rounds;
}

/* Adds what would be written for @message, and clears it. */
static void
append_message (GByteArray *stream, DrayMessage *message)
{
  g_byte_array_append (stream, dray_message_get_head (message), message->head_length);
  if (message->body != NULL)
    g_byte_array_append (stream, g_bytes_get_data (message->body, NULL),
                         g_bytes_get_size (message->body));
  if (message->tail_length > 0)
    g_byte_array_append (stream, dray_message_get_tail (message), message->tail_length);
  dray_message_clear (message);
}

/* Returns: how many bytes the decoder took */
static gsize
feed (DrayDecoder *decoder, const guint8 *bytes, gsize size)
{
  gsize space_size;
  guint8 *space = dray_decoder_get_space (decoder, &space_size);
  gsize n_bytes = MIN (size, space_size);

  g_assert_cmpuint (n_bytes, >, 0);
  memcpy (space, bytes, n_bytes);
  dray_decoder_take (decoder, n_bytes);
  return n_bytes;
}

/* The messages of a map. */
static void
append_calls (GByteArray *stream, GVariant *value)
{
  const DrayFrameHeader header = { .task_id = 7, .attempt = 1 };
  DrayRecords calls = { .grows = TRUE };
  DrayOutcomesWriter outcomes = { .records.grows = TRUE };
  g_autoptr (GError) failure = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "It is busy");
  g_autoptr (GVariant) error = dray_error_encode (failure);
  DrayMessage message;

  for (int i = 0; i < 3; i++)
    {
      g_assert_true (dray_chunk_append (&calls, value, NULL));
      g_assert_true (dray_outcomes_append_value (&outcomes, value, NULL));
      dray_outcomes_append_error (&outcomes, error);
    }

  dray_chunk_init_message (&message, &header, "function", g_variant_get_type_string (value),
                           calls.data, calls.used, calls.n_records);
  append_message (stream, &message);
  dray_outcomes_init_message (&message, &header, &outcomes.records, 2, 1000);
  append_message (stream, &message);
  dray_records_clear (&calls);
  dray_outcomes_writer_reset (&outcomes);
  dray_records_clear (&outcomes.records);
}

/* (transfer full): one message of each type and some more */
static GByteArray *
make_conversation (void)
{
  GByteArray *stream = g_byte_array_new ();
  const DrayHello hello = {
    .role = DRAY_ROLE_WORKER,
    .version = DRAY_PROTOCOL_VERSION,
    .pid = 12,
  };
  g_autoptr (GError) sent = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "The device is busy");
  g_autoptr (GVariant) value = g_variant_parse (
    NULL, "[{'a': <1>, 'b': <('two', [3.5])>}, {'c': <@ms 'x'>}]", NULL, NULL, NULL);
  g_autofree char *text = g_strnfill (LARGE, 'x');
  g_autoptr (GVariant) large = g_variant_ref_sink (g_variant_new ("(ss)", text, "end"));
  GVariant *values[] = { value, NULL, large };
  DrayMessage message;

  dray_message_init_hello (&message, &hello);
  append_message (stream, &message);
  dray_message_init_empty (&message, DRAY_FRAME_READY, 0, 0);
  append_message (stream, &message);
  dray_message_init_progress (&message, 2, 1, 0.5, "half of it");
  append_message (stream, &message);
  dray_message_init_error (&message, 2, 1, sent);
  append_message (stream, &message);
  dray_message_init_empty (&message, DRAY_FRAME_CANCEL, 3, 1);
  append_message (stream, &message);
  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_assert_true (
        dray_message_init_submit (&message, i, 1, "function", values[i], MAX_PAYLOAD, NULL));
      append_message (stream, &message);
      g_assert_true (
        dray_message_init_value (&message, &item_header, values[i], MAX_PAYLOAD, NULL));
      append_message (stream, &message);
    }
  append_calls (stream, value);
  return stream;
}

static void
read_value (GVariant *value)
{
  g_autofree char *text = g_variant_print (value, TRUE);

  g_assert_nonnull (text);
}

static gboolean
read_chunk (GBytes *payload, GError **error)
{
  g_autoptr (DrayChunk) chunk = dray_chunk_decode (payload, error);

  if (chunk == NULL)
    return FALSE;

  for (guint i = 0; i < chunk->n_calls; i++)
    {
      g_autoptr (GVariant) value = dray_chunk_next (chunk);

      read_value (value);
    }
  return TRUE;
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
      if (value != NULL)
        read_value (value);
    }
  return TRUE;
}

/* Does with a frame what a host or a worker would do, and reads all that comes of it. */
static void
read_frame (const DrayFrameHeader *header, GBytes *payload)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autofree char *text = NULL;
  g_auto (DrayHello) hello = { 0 };
  gboolean malformed = FALSE;
  gboolean ok = TRUE;
  double fraction;

  g_assert_cmpuint (g_bytes_get_size (payload), ==, header->length);
  switch (header->type)
    {
    case DRAY_FRAME_HELLO:
      ok = dray_hello_decode (header, payload, DRAY_ROLE_WORKER, &hello, &error);
      if (hello.arguments != NULL)
        read_value (hello.arguments);
      break;
    case DRAY_FRAME_SUBMIT:
      ok = dray_submit_decode (payload, &text, &value, &error);
      break;
    case DRAY_FRAME_ITEM:
    case DRAY_FRAME_RESULT:
      value = dray_value_decode (payload, &error);
      ok = value != NULL;
      break;
    case DRAY_FRAME_PROGRESS:
      ok = dray_progress_decode (payload, &fraction, &text, &error);
      g_assert_true (!ok || fraction == -1.0 || (fraction >= 0.0 && fraction <= 1.0));
      break;
    case DRAY_FRAME_ERROR:
      error = dray_error_decode (payload, &malformed);
      g_assert_nonnull (error);
      ok = !malformed;
      break;
    case DRAY_FRAME_CHUNK:
      ok = read_chunk (payload, &error);
      break;
    case DRAY_FRAME_OUTCOMES:
      ok = read_outcomes (payload, &error);
      break;
    case DRAY_FRAME_CONFINED:
      break; /* a structure; its size is all that can be wrong with it */
    default:
      g_assert_cmpuint (header->length, ==, 0);
      break;
    }

  if (value != NULL)
    read_value (value);
  if (text != NULL)
    g_assert_true (g_utf8_validate (text, -1, NULL));
  if (!ok)
    g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
}

/* Returns: how many frames were taken */
static guint
read_stream (const guint8 *bytes, gsize size, gsize piece)
{
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
  guint n_frames = 0;

  for (gsize done = 0; done < size;)
    {
      g_autoptr (GError) error = NULL;
      DrayFrameHeader header;
      GBytes *payload;

      done += feed (decoder, bytes + done, MIN (piece, size - done));
      while (dray_decoder_next (decoder, &header, &payload, &error))
        {
          read_frame (&header, payload);
          g_bytes_unref (payload);
          n_frames++;
        }
      if (error != NULL)
        {
          g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
          break;
        }
    }

  return n_frames;
}

static void
change (GRand *rand, guint8 *bytes, gsize size)
{
  /* What is before the large values, and the end of the last. */
  gsize at = g_rand_int_range (rand, 0, size - 2 * LARGE);
  gsize n_bytes = g_rand_int_range (rand, 1, 9);

  if (g_rand_int_range (rand, 0, 10) == 0)
    at = size - 1 - at % 40;

  switch (g_rand_int_range (rand, 0, 4))
    {
    case 0:
      bytes[at] ^= 1 << g_rand_int_range (rand, 0, 8);
      break;
    case 1:
      bytes[at] = g_rand_int (rand);
      break;
    case 2:
      bytes[at] += g_rand_int_range (rand, -2, 3);
      break;
    default:
      memset (bytes + at, g_rand_boolean (rand) ? 0xff : 0, MIN (n_bytes, size - at));
      break;
    }
}

static void
test_mutations (void)
{
  const guint rounds = scale_rounds (6000);
  g_autoptr (GByteArray) stream = make_conversation ();
  g_autoptr (GRand) rand = g_rand_new_with_seed (19840101);
  const guint n_frames = read_stream (stream->data, stream->len, G_MAXSIZE);
  g_autofree guint8 *changed = g_malloc (stream->len);
  guint n_taken = 0;

  g_test_summary ("Thousands of conversations with random changes end in values or in errors of "
                  "the protocol, and nothing else.");

  g_assert_cmpuint (n_frames, ==, 13);

  for (guint round = 0; round < rounds; round++)
    {
      gsize piece = (gsize) 1 << g_rand_int_range (rand, 6, 18);

      memcpy (changed, stream->data, stream->len);
      for (int n = g_rand_int_range (rand, 1, 6); n > 0; n--)
        change (rand, changed, stream->len);
      n_taken += read_stream (changed, stream->len, piece);
    }

  g_test_message ("%u of %u frames were taken", n_taken, rounds * n_frames);
  g_assert_cmpuint (n_taken, >, rounds);
}

static void
test_random_bytes (void)
{
  static const char telling[] = { 0, 1, 2, 8, '(', ')', 'a', '{', 's', 'v', '}', 'y', 'x', 'm' };
  const guint rounds = scale_rounds (20000);
  g_autoptr (GRand) rand = g_rand_new_with_seed (271828);

  g_test_summary ("Frames with random payloads end in values or in errors of the protocol.");

  for (guint round = 0; round < rounds; round++)
    {
      const DrayFrameHeader header = {
        .type = g_rand_int_range (rand, DRAY_FRAME_HELLO, DRAY_FRAME_LAST + 1),
        .length = g_rand_int_range (rand, 0, 30),
      };
      guint8 bytes[DRAY_FRAME_HEADER_SIZE + 32] = { 0 };

      dray_frame_header_encode (&header, bytes);
      for (gsize i = 0; i < header.length; i++)
        {
          if (g_rand_int_range (rand, 0, 4) == 0)
            bytes[DRAY_FRAME_HEADER_SIZE + i] = g_rand_int (rand);
          else
            bytes[DRAY_FRAME_HEADER_SIZE + i] = telling[g_rand_int_range (rand, 0, sizeof telling)];
        }
      read_stream (bytes,
                   DRAY_FRAME_HEADER_SIZE + header.length + dray_frame_padding (header.length),
                   G_MAXSIZE);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/wire/random/mutations", test_mutations);
  g_test_add_func ("/wire/random/bytes", test_random_bytes);

  return g_test_run ();
}
