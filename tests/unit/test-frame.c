/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-frame.h"

#include <string.h>

#define MAX_PAYLOAD ((gsize) 1024 * 1024)

static void
encode (DrayFrameType type, gsize length, guint8 bytes[static DRAY_FRAME_HEADER_SIZE])
{
  const DrayFrameHeader header = { .type = type, .task_id = 7, .attempt = 1, .length = length };

  dray_frame_header_encode (&header, bytes);
}

static void
test_round_trip (void)
{
  static const DrayFrameHeader headers[] = {
    { .type = DRAY_FRAME_HELLO, .length = 100 },
    { .type = DRAY_FRAME_READY },
    { .type = DRAY_FRAME_SUBMIT, .task_id = 1, .attempt = 1, .length = MAX_PAYLOAD },
    { .type = DRAY_FRAME_ITEM, .task_id = G_MAXUINT64, .attempt = G_MAXUINT32, .length = 1 },
    { .type = DRAY_FRAME_PROGRESS, .task_id = 2, .attempt = 3, .length = DRAY_FRAME_MAX_CONTROL },
    { .type = DRAY_FRAME_RESULT, .task_id = 1ULL << 40, .attempt = 2, .flags = 0xffff },
    { .type = DRAY_FRAME_ERROR, .length = 9 },
    { .type = DRAY_FRAME_CANCEL, .task_id = 5, .attempt = 1 },
    { .type = DRAY_FRAME_RETURNED, .task_id = 5, .attempt = 1, .flags = 1 },
    { .type = DRAY_FRAME_GOODBYE },
  };

  g_test_summary ("Every type of header is decoded to what was encoded.");

  for (gsize i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      g_autoptr (GError) error = NULL;
      guint8 bytes[DRAY_FRAME_HEADER_SIZE];
      DrayFrameHeader header = { 0 };

      dray_frame_header_encode (&headers[i], bytes);
      g_assert_true (dray_frame_header_decode (bytes, MAX_PAYLOAD, &header, &error));
      g_assert_no_error (error);
      g_assert_cmpint (header.type, ==, headers[i].type);
      g_assert_cmpuint (header.version, ==, DRAY_PROTOCOL_VERSION);
      g_assert_cmpuint (header.flags, ==, headers[i].flags);
      g_assert_cmpuint (header.attempt, ==, headers[i].attempt);
      g_assert_cmpuint (header.task_id, ==, headers[i].task_id);
      g_assert_cmpuint (header.length, ==, headers[i].length);
    }
}

static void
test_layout (void)
{
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_ITEM,
    .flags = 0x0102,
    .task_id = G_GUINT64_CONSTANT (0x1112131415161718),
    .attempt = 0x21222324,
    .length = 0x00313233,
  };
  static const guint8 little[DRAY_FRAME_HEADER_SIZE] = {
    'D',  'R',  'A',  'Y',  1,    4,    0x02, 0x01, 0x18, 0x17, 0x16, 0x15,
    0x14, 0x13, 0x12, 0x11, 0x24, 0x23, 0x22, 0x21, 0x33, 0x32, 0x31, 0x00,
  };
  static const guint8 big[DRAY_FRAME_HEADER_SIZE] = {
    'Y',  'A',  'R',  'D',  1,    4,    0x01, 0x02, 0x11, 0x12, 0x13, 0x14,
    0x15, 0x16, 0x17, 0x18, 0x21, 0x22, 0x23, 0x24, 0x00, 0x31, 0x32, 0x33,
  };
  guint8 bytes[DRAY_FRAME_HEADER_SIZE];

  g_test_summary ("Each field lies where the protocol says, in the byte order of the machine.");

  dray_frame_header_encode (&header, bytes);
  g_assert_cmpmem (bytes, sizeof bytes, G_BYTE_ORDER == G_LITTLE_ENDIAN ? little : big,
                   DRAY_FRAME_HEADER_SIZE);
}

static void
test_padding (void)
{
  static const struct
  {
    gsize length;
    gsize padding;
  } vectors[] = {
    { 0, 0 }, { 1, 7 }, { 2, 6 }, { 7, 1 }, { 8, 0 }, { 9, 7 }, { 4096, 0 }, { 4097, 7 },
  };

  g_test_summary ("The padding fills a payload up to a multiple of eight.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    g_assert_cmpuint (dray_frame_padding (vectors[i].length), ==, vectors[i].padding);
}

static void
test_type_names (void)
{
  g_test_summary ("Every type has a name of its own, and what is no type has one as well.");

  for (DrayFrameType type = DRAY_FRAME_HELLO; type <= DRAY_FRAME_LAST; type++)
    {
      g_assert_cmpstr (dray_frame_type_to_string (type), !=, "unknown");
      for (DrayFrameType other = DRAY_FRAME_HELLO; other < type; other++)
        g_assert_cmpstr (dray_frame_type_to_string (type), !=, dray_frame_type_to_string (other));
    }

  g_assert_cmpstr (dray_frame_type_to_string (0), ==, "unknown");
  g_assert_cmpstr (dray_frame_type_to_string (DRAY_FRAME_LAST + 1), ==, "unknown");
  g_assert_cmpstr (dray_frame_type_to_string (DRAY_FRAME_SUBMIT), ==, "submit");
}

static void
test_limits (void)
{
  static const struct
  {
    DrayFrameType type;
    gsize max_payload;
    gsize length;
    gboolean allowed;
  } vectors[] = {
    { DRAY_FRAME_ITEM, 1000, 1000, TRUE },
    { DRAY_FRAME_ITEM, 1000, 1001, FALSE },
    { DRAY_FRAME_RESULT, 0, 0, TRUE },
    { DRAY_FRAME_RESULT, 0, 1, FALSE },
    { DRAY_FRAME_SUBMIT, 1000, G_MAXUINT32, FALSE },
    { DRAY_FRAME_SUBMIT, G_MAXSIZE, G_MAXUINT32, TRUE },
    { DRAY_FRAME_HELLO, 1000, DRAY_FRAME_MAX_CONTROL, TRUE },
    { DRAY_FRAME_HELLO, 1000, DRAY_FRAME_MAX_CONTROL + 1, FALSE },
    { DRAY_FRAME_HELLO, MAX_PAYLOAD, MAX_PAYLOAD, TRUE },
    { DRAY_FRAME_PROGRESS, 10, DRAY_FRAME_MAX_CONTROL, TRUE },
    { DRAY_FRAME_PROGRESS, MAX_PAYLOAD, DRAY_FRAME_MAX_CONTROL + 1, FALSE },
    { DRAY_FRAME_ERROR, MAX_PAYLOAD, DRAY_FRAME_MAX_CONTROL + 1, FALSE },
    { DRAY_FRAME_READY, MAX_PAYLOAD, 1, FALSE },
    { DRAY_FRAME_CANCEL, MAX_PAYLOAD, 1, FALSE },
    { DRAY_FRAME_RETURNED, MAX_PAYLOAD, 8, FALSE },
    { DRAY_FRAME_GOODBYE, MAX_PAYLOAD, G_MAXUINT32, FALSE },
  };

  g_test_summary ("A length is believed only up to the limit of the frame's type.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;
      guint8 bytes[DRAY_FRAME_HEADER_SIZE];
      DrayFrameHeader header;

      encode (vectors[i].type, vectors[i].length, bytes);
      g_assert_cmpint (dray_frame_header_decode (bytes, vectors[i].max_payload, &header, &error),
                       ==, vectors[i].allowed);
      if (vectors[i].allowed)
        g_assert_no_error (error);
      else
        g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
    }
}

static void
test_versions (void)
{
  static const struct
  {
    DrayFrameType type;
    guint8 version;
    gboolean allowed;
  } vectors[] = {
    { DRAY_FRAME_HELLO, 0, TRUE },
    { DRAY_FRAME_HELLO, 1, TRUE },
    { DRAY_FRAME_HELLO, 9, TRUE },
    { DRAY_FRAME_HELLO, 255, TRUE },
    { DRAY_FRAME_READY, 1, TRUE },
    { DRAY_FRAME_READY, 0, FALSE },
    { DRAY_FRAME_READY, 9, FALSE },
    { DRAY_FRAME_LAST + 1, 9, FALSE },
  };

  g_test_summary ("Only a hello gets through in another version, and says which one.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;
      guint8 bytes[DRAY_FRAME_HEADER_SIZE];
      DrayFrameHeader header;

      encode (vectors[i].type, 0, bytes);
      bytes[4] = vectors[i].version;
      if (vectors[i].allowed)
        {
          g_assert_true (dray_frame_header_decode (bytes, MAX_PAYLOAD, &header, &error));
          g_assert_cmpuint (header.version, ==, vectors[i].version);
        }
      else
        {
          g_assert_false (dray_frame_header_decode (bytes, MAX_PAYLOAD, &header, &error));
          g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
          g_assert_nonnull (strstr (error->message, "version"));
        }
    }
}

static void
test_unknown_types (void)
{
  g_test_summary ("Every type that does not exist is refused by its number.");

  for (guint type = 0; type <= G_MAXUINT8; type++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *number = g_strdup_printf ("type %u", type);
      guint8 bytes[DRAY_FRAME_HEADER_SIZE];
      DrayFrameHeader header;

      if (type >= DRAY_FRAME_HELLO && type <= DRAY_FRAME_LAST)
        continue;

      encode (DRAY_FRAME_READY, 0, bytes);
      bytes[5] = type;
      g_assert_false (dray_frame_header_decode (bytes, MAX_PAYLOAD, &header, &error));
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
      g_assert_nonnull (strstr (error->message, number));
    }
}

static void
test_other_byte_order (void)
{
  g_autoptr (GError) error = NULL;
  const guint32 magic = GUINT32_SWAP_LE_BE (DRAY_FRAME_MAGIC);
  guint8 bytes[DRAY_FRAME_HEADER_SIZE];
  DrayFrameHeader header;

  g_test_summary ("A peer of the other byte order is told apart from one that sends garbage.");

  encode (DRAY_FRAME_HELLO, 0, bytes);
  memcpy (bytes, &magic, sizeof magic);
  g_assert_false (dray_frame_header_decode (bytes, MAX_PAYLOAD, &header, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (error->message, "byte order"));
}

static void
test_quoted_text (void)
{
  static const struct
  {
    const char *bytes; /* the rest is zero */
    const char *quoted;
  } vectors[] = {
    { "Hello world, how are you", "“Hello world, how are you…”" },
    { "Hello wor", "“Hello wor…”" },
    { "ab\ncd\tef", "“ab cd ef…”" },
    { "Fenêtre ouverte", "“Fenêtre ouverte…”" },
    { "Fen\xc3", "bytes 46 65 6e c3" },
    { "twenty-two bytes, okay…", "“twenty-two bytes, okay…”" },
    { "four\x01tail", "“four…”" },
    { "\x7f" "ELF\x02\x01", "bytes 7f 45 4c 46" },
    { "abc", "bytes 61 62 63 00" },
    { "", "bytes 00 00 00 00" },
    { "\xff\xfe\xfd\xfc%s%n", "bytes ff fe fd fc" },
    { "%s%n%s%n", "“%s%n%s%n…”" },
  };

  g_test_summary ("What a program printed into its channel is quoted, if it is text.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;
      guint8 bytes[DRAY_FRAME_HEADER_SIZE] = { 0 };
      DrayFrameHeader header;

      memcpy (bytes, vectors[i].bytes, MIN (strlen (vectors[i].bytes), sizeof bytes));
      g_assert_false (dray_frame_header_decode (bytes, MAX_PAYLOAD, &header, &error));
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, vectors[i].quoted));
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/frame/header/round-trip", test_round_trip);
  g_test_add_func ("/frame/header/layout", test_layout);
  g_test_add_func ("/frame/padding", test_padding);
  g_test_add_func ("/frame/type-names", test_type_names);
  g_test_add_func ("/frame/decode/limits", test_limits);
  g_test_add_func ("/frame/decode/versions", test_versions);
  g_test_add_func ("/frame/decode/unknown-types", test_unknown_types);
  g_test_add_func ("/frame/decode/other-byte-order", test_other_byte_order);
  g_test_add_func ("/frame/decode/quoted-text", test_quoted_text);

  return g_test_run ();
}
