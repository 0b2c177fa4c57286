/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-decoder.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* How streams of frames are taken apart, whatever pieces they come in. */

#define KIB ((gsize) 1024)
#define MIB (1024 * KIB)
#define MAX_PAYLOAD (64 * MIB)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

typedef struct
{
  DrayFrameType type;
  gsize length;
} Frame;

/* The byte at @i of the payload of frame number @n; never the same for neighbors. */
static guint8
payload_byte (gsize n, gsize i)
{
  return (guint8) (n * 31 + i * 7 + (i >> 8));
}

static void
append_header (GByteArray *stream, DrayFrameType type, guint64 task_id, gsize length)
{
  const DrayFrameHeader header = {
    .type = type,
    .task_id = task_id,
    .attempt = 1,
    .length = length,
  };
  guint8 bytes[DRAY_FRAME_HEADER_SIZE];

  dray_frame_header_encode (&header, bytes);
  g_byte_array_append (stream, bytes, sizeof bytes);
}

/* (transfer full): the frames one after the other; the number of each is its task. */
static GByteArray *
make_stream (const Frame *frames, gsize n_frames)
{
  static const guint8 zeros[8] = { 0 };
  GByteArray *stream = g_byte_array_new ();

  for (gsize n = 0; n < n_frames; n++)
    {
      guint offset;

      append_header (stream, frames[n].type, n, frames[n].length);
      offset = stream->len;
      g_byte_array_set_size (stream, offset + frames[n].length);
      for (gsize i = 0; i < frames[n].length; i++)
        stream->data[offset + i] = payload_byte (n, i);
      g_byte_array_append (stream, zeros, dray_frame_padding (frames[n].length));
    }

  return stream;
}

/* Feeds bytes as reads would bring them. Returns: the number that was fed */
static gsize
feed (DrayDecoder *decoder, const guint8 *bytes, gsize size)
{
  gsize space_size;
  guint8 *space = dray_decoder_get_space (decoder, &space_size);
  gsize n_bytes = MIN (size, space_size);

  g_assert_cmpuint (space_size, >, 0);
  memcpy (space, bytes, n_bytes);
  dray_decoder_take (decoder, n_bytes);
  return n_bytes;
}

/* Takes every frame that is complete, and checks that they are those of @frames from *@next on. */
static void
expect_frames (DrayDecoder *decoder, const Frame *frames, gsize n_frames, gsize *next)
{
  for (;;)
    {
      g_autoptr (GBytes) payload = NULL;
      g_autoptr (GError) error = NULL;
      DrayFrameHeader header;
      const guint8 *data;
      gsize size;

      if (!dray_decoder_next (decoder, &header, &payload, &error))
        {
          g_assert_no_error (error);
          g_assert_null (payload);
          return;
        }

      g_assert_cmpuint (*next, <, n_frames);
      g_assert_cmpint (header.type, ==, frames[*next].type);
      g_assert_cmpuint (header.task_id, ==, *next);
      g_assert_cmpuint (header.length, ==, frames[*next].length);
      g_assert_nonnull (payload);
      data = g_bytes_get_data (payload, &size);
      g_assert_cmpuint (size, ==, header.length);
      g_assert_cmpuint ((guintptr) data % 8, ==, size > 0 ? 0 : (guintptr) data % 8);
      for (gsize i = 0; i < size; i++)
        if (data[i] != payload_byte (*next, i))
          g_error ("byte %zu of frame %zu is another one", i, *next);
      (*next)++;
    }
}

static void
expect_stream (const GByteArray *stream, gsize piece, const Frame *frames, gsize n_frames)
{
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
  gsize next = 0;

  for (gsize done = 0; done < stream->len;)
    {
      done += feed (decoder, stream->data + done, MIN (piece, stream->len - done));
      expect_frames (decoder, frames, n_frames, &next);
    }

  g_assert_cmpuint (next, ==, n_frames);
  g_assert_false (dray_decoder_has_partial (decoder));
}

/* (transfer full): the error that @bytes are refused with, or NULL */
static GError *
decode_all (const guint8 *bytes, gsize size, gsize max_payload, gsize piece)
{
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (max_payload);
  DrayFrameHeader header;

  for (gsize done = 0; done < size;)
    {
      GError *error = NULL;
      GBytes *payload = NULL;

      done += feed (decoder, bytes + done, MIN (piece, size - done));
      while (dray_decoder_next (decoder, &header, &payload, &error))
        g_clear_pointer (&payload, g_bytes_unref);
      if (error != NULL)
        return error;
    }

  return NULL;
}

static const Frame small_frames[] = {
  { DRAY_FRAME_HELLO, 40 }, { DRAY_FRAME_READY, 0 },    { DRAY_FRAME_ITEM, 1 },
  { DRAY_FRAME_ITEM, 7 },   { DRAY_FRAME_PROGRESS, 8 }, { DRAY_FRAME_RESULT, 9 },
  { DRAY_FRAME_ITEM, 0 },   { DRAY_FRAME_CANCEL, 0 },   { DRAY_FRAME_ERROR, 23 },
  { DRAY_FRAME_ITEM, 25 },  { DRAY_FRAME_GOODBYE, 0 },
};

static const Frame mixed_frames[] = {
  { DRAY_FRAME_HELLO, 100 },
  { DRAY_FRAME_ITEM, 32 * KIB - 24 },
  { DRAY_FRAME_ITEM, 32 * KIB },
  { DRAY_FRAME_ITEM, 32 * KIB + 1 },
  { DRAY_FRAME_READY, 0 },
  { DRAY_FRAME_RESULT, 64 * KIB - 1 },
  { DRAY_FRAME_ITEM, 128 * KIB - 24 },
  { DRAY_FRAME_ITEM, 128 * KIB },
  { DRAY_FRAME_PROGRESS, 64 * KIB },
  { DRAY_FRAME_ITEM, 256 * KIB - 3 },
  { DRAY_FRAME_ITEM, 256 * KIB },
  { DRAY_FRAME_ITEM, 256 * KIB + 5 },
  { DRAY_FRAME_ITEM, 1 },
  { DRAY_FRAME_ITEM, 513 * KIB },
  { DRAY_FRAME_RESULT, 0 },
};

static void
test_one_split (void)
{
  g_autoptr (GByteArray) stream = make_stream (small_frames, G_N_ELEMENTS (small_frames));

  g_test_summary ("A stream that is cut in two at any byte gives the same frames.");

  for (gsize split = 0; split <= stream->len; split++)
    {
      g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
      gsize next = 0;

      if (split > 0)
        feed (decoder, stream->data, split);
      expect_frames (decoder, small_frames, G_N_ELEMENTS (small_frames), &next);
      if (split < stream->len)
        feed (decoder, stream->data + split, stream->len - split);
      expect_frames (decoder, small_frames, G_N_ELEMENTS (small_frames), &next);
      g_assert_cmpuint (next, ==, G_N_ELEMENTS (small_frames));
      g_assert_false (dray_decoder_has_partial (decoder));
    }
}

static void
test_pieces (void)
{
  static const gsize pieces[] = {
    1,   2,   3,    5,    7,    8,    11,    13,        23,        24,         25,    31,  64,
    100, 999, 1021, 4096, 4099, 8191, 32768, 32 * 1029, 64 * 1024, 128 * 1024, 131101, G_MAXSIZE,
  };
  g_autoptr (GByteArray) small = make_stream (small_frames, G_N_ELEMENTS (small_frames));
  g_autoptr (GByteArray) mixed = make_stream (mixed_frames, G_N_ELEMENTS (mixed_frames));

  g_test_summary ("A stream in equal pieces of any size, single bytes first, gives the same "
                  "frames.");

  for (gsize i = 0; i < G_N_ELEMENTS (pieces); i++)
    {
      expect_stream (small, pieces[i], small_frames, G_N_ELEMENTS (small_frames));
      expect_stream (mixed, pieces[i], mixed_frames, G_N_ELEMENTS (mixed_frames));
    }
}

static void
test_random_pieces (void)
{
  g_autoptr (GByteArray) stream = make_stream (mixed_frames, G_N_ELEMENTS (mixed_frames));
  g_autoptr (GRand) rand = g_rand_new_with_seed (20240229);

  g_test_summary ("A stream in pieces of changing size gives the same frames, also where frames "
                  "are not taken after each piece.");

  for (guint round = 0; round < 30; round++)
    {
      g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
      gsize next = 0;

      for (gsize done = 0; done < stream->len;)
        {
          gsize piece = 1 << g_rand_int_range (rand, 0, 18);

          for (int n = g_rand_int_range (rand, 1, 4); n > 0 && done < stream->len; n--)
            {
              gsize size;

              dray_decoder_get_space (decoder, &size);
              if (size > 0)
                done += feed (decoder, stream->data + done, MIN (piece, stream->len - done));
            }
          expect_frames (decoder, mixed_frames, G_N_ELEMENTS (mixed_frames), &next);
        }

      g_assert_cmpuint (next, ==, G_N_ELEMENTS (mixed_frames));
    }
}

static void
test_partial (void)
{
  g_test_summary ("The end of a stream is in the middle of a frame wherever one was begun.");

  for (gsize f = 0; f < G_N_ELEMENTS (small_frames); f++)
    {
      const Frame *frame = &small_frames[f];
      g_autoptr (GByteArray) stream = make_stream (frame, 1);

      for (gsize cut = 0; cut <= stream->len; cut++)
        {
          g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
          gsize next = 0;

          if (cut > 0)
            feed (decoder, stream->data, cut);
          expect_frames (decoder, frame, 1, &next);
          g_assert_cmpuint (next, ==, cut == stream->len ? 1 : 0);
          g_assert_cmpint (dray_decoder_has_partial (decoder), ==, cut > 0 && cut < stream->len);
        }
    }
}

static void
test_partial_large (void)
{
  static const Frame frame = { DRAY_FRAME_ITEM, 300 * KIB + 1 };
  g_autoptr (GByteArray) stream = make_stream (&frame, 1);
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
  gsize next = 0;

  g_test_summary ("A large payload is incomplete until the last byte of its padding.");

  for (gsize done = 0; done < stream->len;)
    {
      g_assert_cmpint (dray_decoder_has_partial (decoder), ==, done > 0);
      done += feed (decoder, stream->data + done, MIN (100 * KIB, stream->len - 1 - done) + 1);
      g_assert_cmpuint (next, ==, 0);
      expect_frames (decoder, &frame, 1, &next);
    }

  g_assert_cmpuint (next, ==, 1);
  g_assert_false (dray_decoder_has_partial (decoder));
}

/* A frame of type ready, with changes. */
typedef struct
{
  const char *name;
  gsize offset;
  guint8 bytes[4];
  gsize n_bytes;
  const char *said; /* in the error */
} Change;

static const Change changes[] = {
  { "magic", 0, { 'Y', 'A', 'R', 'T' }, 4, "YART" },
  { "no text", 0, { 1, 2, 3, 4 }, 4, "01 02 03 04" },
  { "last byte of the magic", 3, { 'y' }, 1, "DRAy" },
  { "version", 4, { 2 }, 1, "version 2" },
  { "version 0", 4, { 0 }, 1, "version 0" },
  { "type 0", 5, { 0 }, 1, "type 0" },
  { "type behind the last", 5, { DRAY_FRAME_LAST + 1 }, 1, "unknown type" },
  { "type 255", 5, { 255 }, 1, "type 255" },
  { "length where there is none", 20, { 1, 1, 1, 1 }, 4, "ready" },
  { "length of 4 GiB", 20, { 255, 255, 255, 255 }, 4, "4294967295" },
};

static void
test_hostile_headers (void)
{
  static const gsize pieces[] = { 1, 2, 3, 24, 1000 };

  g_test_summary ("A header that breaks a rule is refused, in whatever pieces it comes, and the "
                  "frames before it are not.");

  for (gsize i = 0; i < G_N_ELEMENTS (changes); i++)
    for (gsize p = 0; p < G_N_ELEMENTS (pieces); p++)
      {
        static const Frame frames[] = { { DRAY_FRAME_ITEM, 5 }, { DRAY_FRAME_READY, 0 } };
        g_autoptr (GByteArray) stream = make_stream (frames, G_N_ELEMENTS (frames));
        g_autoptr (GError) error = NULL;
        guint8 *header = stream->data + DRAY_FRAME_HEADER_SIZE + 8;

        memcpy (header + changes[i].offset, changes[i].bytes, changes[i].n_bytes);
        error = decode_all (stream->data, stream->len, 16, pieces[p]);
        g_test_message ("%s: %s", changes[i].name, error != NULL ? error->message : "taken");
        g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
        g_assert_nonnull (strstr (error->message, changes[i].said));
      }
}

static void
test_hostile_padding (void)
{
  static const Frame frames[] = { { DRAY_FRAME_ITEM, 3 }, { DRAY_FRAME_ITEM, 200 * KIB + 3 } };

  g_test_summary ("What pads a payload must be zeros, each of it.");

  for (gsize f = 0; f < G_N_ELEMENTS (frames); f++)
    for (gsize i = 1; i <= 5; i++)
      {
        g_autoptr (GByteArray) stream = make_stream (&frames[f], 1);
        g_autoptr (GError) error = NULL;

        stream->data[stream->len - i] = 1;
        error = decode_all (stream->data, stream->len, MAX_PAYLOAD, 10 * KIB);
        g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
      }
}

static void
test_early_refusal (void)
{
  g_autoptr (GError) error = NULL;

  g_test_summary ("Somebody who prints a word and then waits is refused without waiting.");

  error = decode_all ((const guint8 *) "ready\n", 6, MAX_PAYLOAD, 6);
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, "“ready …”"));
}

static void
test_stays_refused (void)
{
  static const Frame frame = { DRAY_FRAME_ITEM, 5 };
  g_autoptr (GByteArray) stream = make_stream (&frame, 1);
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GError) first = NULL;
  DrayFrameHeader header;
  gsize size;

  g_test_summary ("After one bad frame nothing is taken any more, and the reason stays.");

  feed (decoder, (const guint8 *) "garbage that is no frame at all", 31);
  feed (decoder, stream->data, stream->len);
  g_assert_false (dray_decoder_next (decoder, &header, &payload, &first));
  g_assert_error (first, DRAY_ERROR, DRAY_ERROR_PROTOCOL);

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) again = NULL;

      dray_decoder_get_space (decoder, &size);
      g_assert_cmpuint (size, ==, 0);
      dray_decoder_take (decoder, 0);
      g_assert_false (dray_decoder_next (decoder, &header, &payload, &again));
      g_assert_error (again, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
      g_assert_cmpstr (again->message, ==, first->message);
      g_assert_false (dray_decoder_skip (decoder, &header));
    }

  g_assert_false (dray_decoder_has_partial (decoder));
}

static void
test_announced_never_sent (void)
{
  const gsize length = 1024 * MIB;
  g_autoptr (GByteArray) stream = g_byte_array_new ();
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (length);
  g_autofree guint8 *bytes = g_malloc0 (64 * KIB);
  const Frame none = { 0 };
  gsize next = 0;
  gsize space;

  g_test_summary ("A gigabyte that is announced and not sent is not allocated; memory follows "
                  "what has come.");

  append_header (stream, DRAY_FRAME_ITEM, 0, length);
  feed (decoder, stream->data, stream->len);
  expect_frames (decoder, &none, 0, &next);
  dray_decoder_get_space (decoder, &space);
  g_assert_cmpuint (space, <=, 256 * KIB);

  for (gsize received = 0; received < 8 * MIB;)
    {
      received += feed (decoder, bytes, 64 * KIB);
      expect_frames (decoder, &none, 0, &next);
      dray_decoder_get_space (decoder, &space);
      g_assert_cmpuint (space, <=, MAX (received, 256 * KIB));
    }

  g_assert_true (dray_decoder_has_partial (decoder));
}

static void
test_large_uncopied (void)
{
  const gsize length = 200 * KIB;
  g_autoptr (GByteArray) stream = g_byte_array_new ();
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GError) error = NULL;
  DrayFrameHeader header;
  const guint8 *space;
  gsize size;

  g_test_summary ("The memory that a large payload was read into becomes the payload.");

  append_header (stream, DRAY_FRAME_RESULT, 1, length);
  feed (decoder, stream->data, stream->len);
  g_assert_false (dray_decoder_next (decoder, &header, &payload, &error));
  g_assert_no_error (error);

  space = dray_decoder_get_space (decoder, &size);
  g_assert_cmpuint (size, ==, length);
  memset ((guint8 *) space, 7, size);
  dray_decoder_take (decoder, size);

  g_assert_true (dray_decoder_next (decoder, &header, &payload, &error));
  g_assert_true (g_bytes_get_data (payload, &size) == space);
  g_assert_cmpuint (size, ==, length);
}

static void
test_payload_outlives (void)
{
  static const Frame frames[] = { { DRAY_FRAME_ITEM, 10 }, { DRAY_FRAME_ITEM, 100 * KIB } };
  g_autoptr (GByteArray) stream = make_stream (frames, 2);
  DrayDecoder *decoder = dray_decoder_new (MAX_PAYLOAD);
  GBytes *payloads[2];
  DrayFrameHeader header;

  g_test_summary ("Payloads do not depend on the decoder that they came from.");

  feed (decoder, stream->data, stream->len);
  for (gsize n = 0; n < 2; n++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_true (dray_decoder_next (decoder, &header, &payloads[n], &error));
      g_assert_no_error (error);
    }
  dray_decoder_free (decoder);

  for (gsize n = 0; n < 2; n++)
    {
      const guint8 *data = g_bytes_get_data (payloads[n], NULL);

      g_assert_cmpuint (data[frames[n].length - 1], ==, payload_byte (n, frames[n].length - 1));
      g_bytes_unref (payloads[n]);
    }
}

/* How much memory this process has that counts against RLIMIT_DATA, in bytes; 0: not known. */
static gsize
get_data_size (void)
{
  g_autofree char *text = NULL;
  gulong total, resident, shared, code, library, data;

  if (!g_file_get_contents ("/proc/self/statm", &text, NULL, NULL)
      || sscanf (text, "%lu %lu %lu %lu %lu %lu", &total, &resident, &shared, &code, &library,
                 &data)
           != 6)
    return 0;
  return data * 4096;
}

/* Feeds a payload of @length bytes that nobody has written, until there is no memory for it.
 * @rest: (out): how much of it is left. Returns: (nullable) the error */
static GError *
feed_unwritten (DrayDecoder *decoder, gsize length, gsize *rest)
{
  g_autoptr (GByteArray) stream = g_byte_array_new ();
  GError *error = NULL;
  GBytes *payload = NULL;
  DrayFrameHeader header;

  append_header (stream, DRAY_FRAME_ITEM, 1, length);
  feed (decoder, stream->data, stream->len);
  *rest = length;
  while (!dray_decoder_next (decoder, &header, &payload, &error) && error == NULL)
    {
      gsize size;

      dray_decoder_get_space (decoder, &size);
      g_assert_cmpuint (size, >, 0);
      size = MIN (size, *rest);
      dray_decoder_take (decoder, size);
      *rest -= size;
    }

  g_clear_pointer (&payload, g_bytes_unref);
  return error;
}

/* What was refused with @rest bytes to come is skipped, in pieces of any size, and what is behind
 * it is found. */
static void
expect_skipped (DrayDecoder *decoder, gsize length, gsize rest)
{
  static const Frame frames[] = { { DRAY_FRAME_ITEM, 10 }, { DRAY_FRAME_RESULT, 100 * KIB } };
  g_autoptr (GByteArray) stream = make_stream (frames, 2);
  DrayFrameHeader header;
  gsize next = 0, fed = 0;

  g_assert_true (dray_decoder_skip (decoder, &header));
  g_assert_cmpint (header.type, ==, DRAY_FRAME_ITEM);
  g_assert_cmpuint (header.task_id, ==, 1);
  g_assert_cmpuint (header.length, ==, length);

  while (rest > 0)
    {
      gsize size;

      expect_frames (decoder, frames, 0, &next);
      g_assert_true (dray_decoder_has_partial (decoder));
      dray_decoder_get_space (decoder, &size);
      size = MIN (size, rest);
      if (size == rest)
        size = (size + 1) / 2;
      dray_decoder_take (decoder, size);
      rest -= size;
    }

  g_assert_false (dray_decoder_has_partial (decoder));
  while (fed < stream->len)
    {
      fed += feed (decoder, stream->data + fed, stream->len - fed);
      expect_frames (decoder, frames, 2, &next);
    }
  g_assert_cmpuint (next, ==, 2);
}

static void
test_no_memory (void)
{
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (G_MAXSIZE);
  g_autoptr (GError) error = NULL;
  struct rlimit before, limited;
  gsize used = get_data_size ();
  gsize rest;

  g_test_summary ("A payload for which there is no memory is refused; nothing is aborted, and what "
                  "comes behind can still be had.");

  if (SANITIZED || used == 0)
    {
      g_test_skip ("memory cannot be limited here");
      return;
    }

  g_assert_cmpint (getrlimit (RLIMIT_DATA, &before), ==, 0);
  limited = before;
  limited.rlim_cur = used + 32 * MIB;
  g_assert_cmpint (setrlimit (RLIMIT_DATA, &limited), ==, 0);
  error = feed_unwritten (decoder, 512 * MIB, &rest);
  g_assert_cmpint (setrlimit (RLIMIT_DATA, &before), ==, 0);

  if (error == NULL)
    {
      g_test_skip ("the limit on memory is not enforced here");
      return;
    }
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
  expect_skipped (decoder, 512 * MIB, rest);
}

/* Takes all blocks of @size that there are, but no more than @most bytes, where nothing is limited.
 * Each of them knows the one before. */
static gpointer
take_all_memory (gsize size, gsize most)
{
  gpointer last = NULL;
  gpointer block;

  for (gsize taken = 0; taken < most && (block = g_try_malloc (size)) != NULL; taken += size)
    {
      *(gpointer *) block = last;
      last = block;
    }
  return last;
}

static void
test_no_memory_at_all (void)
{
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (G_MAXSIZE);
  g_autoptr (GError) error = NULL;
  struct rlimit before, limited;
  gsize used = get_data_size ();
  gsize rest;
  gpointer taken;

  g_test_summary ("Nor is anything aborted where there is no memory for the beginning of one.");

  if (SANITIZED || used == 0)
    {
      g_test_skip ("memory cannot be limited here");
      return;
    }

  g_assert_cmpint (getrlimit (RLIMIT_DATA, &before), ==, 0);
  limited = before;
  limited.rlim_cur = used;
  g_assert_cmpint (setrlimit (RLIMIT_DATA, &limited), ==, 0);
  taken = take_all_memory (256 * 1024, used + 32 * MIB);
  error = feed_unwritten (decoder, MIB, &rest);
  g_assert_cmpint (setrlimit (RLIMIT_DATA, &before), ==, 0);

  while (taken != NULL)
    {
      gpointer next = *(gpointer *) taken;

      g_free (taken);
      taken = next;
    }
  if (error == NULL)
    {
      g_test_skip ("the limit on memory is not enforced here");
      return;
    }
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
  expect_skipped (decoder, MIB, rest);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/decoder/split/one", test_one_split);
  g_test_add_func ("/decoder/split/equal-pieces", test_pieces);
  g_test_add_func ("/decoder/split/random-pieces", test_random_pieces);
  g_test_add_func ("/decoder/partial/small", test_partial);
  g_test_add_func ("/decoder/partial/large", test_partial_large);
  g_test_add_func ("/decoder/hostile/headers", test_hostile_headers);
  g_test_add_func ("/decoder/hostile/padding", test_hostile_padding);
  g_test_add_func ("/decoder/hostile/early", test_early_refusal);
  g_test_add_func ("/decoder/hostile/stays-refused", test_stays_refused);
  g_test_add_func ("/decoder/large/announced-never-sent", test_announced_never_sent);
  g_test_add_func ("/decoder/large/uncopied", test_large_uncopied);
  g_test_add_func ("/decoder/large/no-memory", test_no_memory);
  g_test_add_func ("/decoder/large/no-memory-at-all", test_no_memory_at_all);
  g_test_add_func ("/decoder/payload-outlives", test_payload_outlives);

  return g_test_run ();
}
