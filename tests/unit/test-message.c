/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "message-harness.h"

/* What the payloads of frames mean, there and back, and what becomes of those that mean nothing. */

static const DrayFrameHeader item_header = {
  .type = DRAY_FRAME_ITEM,
  .task_id = 42,
  .attempt = 3,
};

/* (transfer full): what arrives when @value is sent as an item */
static GVariant *
transfer_value (GVariant *value)
{
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GError) error = NULL;
  DrayFrameHeader header;
  DrayMessage message;
  GVariant *arrived;

  g_assert_true (dray_message_init_value (&message, &item_header, value, MAX_PAYLOAD, &error));
  g_assert_no_error (error);
  payload = transfer (&message, &header);
  g_assert_cmpint (header.type, ==, DRAY_FRAME_ITEM);
  g_assert_cmpuint (header.task_id, ==, 42);
  g_assert_cmpuint (header.attempt, ==, 3);
  g_assert_cmpuint (header.flags, ==, 0);

  arrived = dray_value_decode (payload, &error);
  g_assert_no_error (error);
  g_assert_false (g_variant_is_floating (arrived));
  g_assert_true (g_variant_is_normal_form (arrived));
  return arrived;
}

static void
test_value_round_trip (void)
{
  static const char *const texts[] = {
    "true",
    "byte 255",
    "int16 -2",
    "uint16 2",
    "-3",
    "uint32 3",
    "int64 -4",
    "uint64 4",
    "1.25",
    "handle 5",
    "''",
    "'größer'",
    "objectpath '/org/example'",
    "signature '(ii)'",
    "()",
    "@mi 6",
    "@mi nothing",
    "@ms nothing",
    "@mms just nothing",
    "@m() ()",
    "@as []",
    "['a', '', 'b']",
    "@ay []",
    "b'bytes'",
    "[b'one', b'two']",
    "(1, 'two', 3.5)",
    "('one', 'two', ['three'])",
    "@a{sv} {}",
    "{'a': <1>, 'b': <'two'>, 'c': <[<3>, <@mi nothing>]>}",
    "{uint32 1: 'a'}",
    "<<<<<()>>>>>",
    "((((((((((1,),),),),),),),),),)",
    "[[[[[[@ai []]]]]]]",
    "[()]",
    "[<()>]",
    "(true, byte 1, int16 2, 3, int64 4, 'five', [6], <7>)",
  };

  g_test_summary ("Values of every type arrive as they were sent.");

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = g_variant_parse (NULL, texts[i], NULL, NULL, &error);
      g_autoptr (GVariant) arrived = NULL;

      g_assert_no_error (error);
      arrived = transfer_value (value);
      g_assert_cmpvariant (arrived, value);
      g_assert_cmpstr (g_variant_get_type_string (arrived), ==, g_variant_get_type_string (value));
    }
}

static void
test_value_none (void)
{
  g_autoptr (GVariant) unit = g_variant_ref_sink (g_variant_new ("()"));
  g_autoptr (GVariant) arrived = transfer_value (NULL);

  g_test_summary ("No value is the empty tuple.");

  g_assert_cmpvariant (arrived, unit);
}

static void
test_value_sizes (void)
{
  static const gsize around[] = {
    4, DRAY_MESSAGE_SPACE - 24, DRAY_MESSAGE_SPACE, DRAY_MESSAGE_BODY_MIN, 100 * KIB,
  };

  g_test_summary ("Values of all sizes around those where something changes arrive unchanged.");

  for (gsize i = 0; i < G_N_ELEMENTS (around); i++)
    for (gsize size = around[i] - 4; size < around[i] + 12; size++)
      {
        g_autoptr (GVariant) value = g_variant_ref_sink (make_bytes (size));
        g_autoptr (GVariant) arrived = transfer_value (value);

        g_assert_cmpuint (g_variant_get_size (arrived), ==, size);
        g_assert_true (g_variant_equal (arrived, value));
      }
}

static void
test_value_uncopied (void)
{
  const gsize size = 10 * MIB;
  g_autoptr (GVariant) value = g_variant_ref_sink (make_bytes (size));
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GVariant) arrived = NULL;
  g_autoptr (GError) error = NULL;
  DrayFrameHeader header;
  DrayMessage message;

  g_test_summary ("Ten megabytes are sent from where they lie, and used where they arrived.");

  g_assert_true (dray_message_init_value (&message, &item_header, value, MAX_PAYLOAD, &error));
  g_assert_no_error (error);
  g_assert_true (g_bytes_get_data (message.body, NULL) == g_variant_get_data (value));
  g_assert_cmpuint (message.head_length + message.tail_length, <=, DRAY_MESSAGE_SPACE);

  payload = transfer (&message, &header);
  arrived = dray_value_decode (payload, &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_get_data (arrived) == g_bytes_get_data (payload, NULL));
  g_assert_true (g_variant_equal (arrived, value));
}

static void
test_value_part_uncopied (void)
{
  g_autoptr (GVariant) whole = g_variant_ref_sink (
    g_variant_new ("(s@ay)", "name", make_bytes (1 * MIB)));
  g_autoptr (GVariant) part = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (DrayMessage) message = { 0 };

  g_test_summary ("What lies inside another value is not copied out of it.");

  g_variant_get_data (whole);
  part = g_variant_get_child_value (whole, 1);
  g_assert_true (dray_message_init_value (&message, &item_header, part, MAX_PAYLOAD, &error));
  g_assert_true (g_bytes_get_data (message.body, NULL) == g_variant_get_data (part));
}

static void
test_value_floating (void)
{
  GVariant *value = g_variant_new ("(is)", 1, "two");
  g_autoptr (GError) error = NULL;
  g_auto (DrayMessage) message = { 0 };

  g_test_summary ("A value stays its owner's, floating or not.");

  g_assert_true (dray_message_init_value (&message, &item_header, value, MAX_PAYLOAD, &error));
  g_assert_true (g_variant_is_floating (value));
  g_variant_unref (g_variant_ref_sink (value));
}

static void
test_value_not_normal (void)
{
  static const struct
  {
    const char *type;
    const char *bytes;
    gsize size;
  } vectors[] = {
    { "s", "no end", 6 }, { "b", "\7", 1 },       { "as", "a\0\xff", 3 },
    { "v", "\1\0??", 4 }, { "(si)", "short", 5 }, { "a{sv}", "\1\2\3\4\5\6\7\10\11", 9 },
  };

  g_test_summary ("A value in no normal form is sent in one.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GBytes) bytes = g_bytes_new (vectors[i].bytes, vectors[i].size);
      g_autoptr (GVariant) value = g_variant_ref_sink (
        g_variant_new_from_bytes (G_VARIANT_TYPE (vectors[i].type), bytes, FALSE));
      g_autoptr (GVariant) normal = NULL;
      g_autoptr (GVariant) arrived = transfer_value (value);

      normal = g_variant_get_normal_form (value);
      g_assert_cmpvariant (arrived, normal);
    }
}

static void
test_value_too_large (void)
{
  static const gsize sizes[] = { 0, 1, 100, 32 * 1024, 100 * 1024 };

  g_test_summary ("A value may be as large as the limit with its type, and no larger.");

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GVariant) value = g_variant_ref_sink (make_bytes (sizes[i]));
      const gsize payload_size = sizes[i] + strlen ("?ay");

      for (gsize limit = payload_size - 2; limit < payload_size + 2; limit++)
        {
          g_autoptr (GError) error = NULL;
          g_auto (DrayMessage) message = { 0 };
          gboolean ok = dray_message_init_value (&message, &item_header, value, limit, &error);

          g_assert_cmpint (ok, ==, limit >= payload_size);
          if (ok)
            continue;
          g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
          g_assert_cmpuint (dray_message_get_size (&message), ==, 0);
        }
    }
}

static void
test_value_too_large_normal (void)
{
  const char *type = "(sttttttt)";
  g_autoptr (GBytes) bytes = g_bytes_new_static ("short", 5);
  g_autoptr (GVariant) value = g_variant_ref_sink (
    g_variant_new_from_bytes (G_VARIANT_TYPE (type), bytes, FALSE));
  g_autoptr (GError) error = NULL;
  g_auto (DrayMessage) message = { 0 };

  g_test_summary ("A value that gets too large by being put in normal form is too large.");

  g_assert_false (
    dray_message_init_value (&message, &item_header, value, 5 + 1 + strlen (type), &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
  g_assert_cmpuint (dray_message_get_size (&message), ==, 0);
}

static void
test_make_sound (void)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("no end", 6);
  g_autoptr (GVariant) crooked = g_variant_ref_sink (
    g_variant_new_from_bytes (G_VARIANT_TYPE_STRING, bytes, FALSE));
  g_autoptr (GVariant) straight = g_variant_ref_sink (g_variant_new_string ("text"));
  g_autoptr (GVariant) same = dray_value_make_sound (straight, NULL);
  g_autoptr (GVariant) normal = dray_value_make_sound (crooked, NULL);
  g_autoptr (GVariant) deep = g_variant_ref_sink (g_variant_new_int32 (1));
  g_autoptr (GVariant) wide = NULL;
  g_autoptr (GError) error = NULL;
  GVariantBuilder builder;

  g_test_summary ("A value that goes beside a frame is sent as it is, in normal form, or not.");

  g_assert_true (same == straight);
  g_assert_cmpstr (g_variant_get_string (normal, NULL), ==, "");

  for (guint depth = 0; depth < 300; depth++)
    {
      GVariant *outer = g_variant_ref_sink (g_variant_new_variant (deep));

      g_variant_unref (deep);
      deep = outer;
    }
  g_assert_null (dray_value_make_sound (deep, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
  g_clear_error (&error);

  g_variant_builder_init (&builder, G_VARIANT_TYPE_TUPLE);
  for (gsize i = 0; i < DRAY_VALUE_MAX_TYPE; i++)
    g_variant_builder_add (&builder, "y", 1);
  wide = g_variant_ref_sink (g_variant_builder_end (&builder));
  g_assert_null (dray_value_make_sound (wide, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
}

static void
test_make_large_sound (void)
{
  const gsize size = 3 * 1024 * 1024;
  char *text = g_strnfill (size, 'x');
  GVariant *values[] = {
    g_variant_new_string (text),
    g_variant_new ("(s)", text),
    g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, text, size, 1),
  };

  g_test_summary ("So is one that is large, and in one piece or not yet.");

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GVariant) value = g_variant_ref_sink (values[i]);
      g_autoptr (GVariant) same = dray_value_make_sound (value, NULL);

      g_assert_true (same == value);
    }
  g_free (text);
}

static void
test_value_too_deep (void)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string ("innermost"));
  guint deepest = 0;

  g_test_summary ("Values nested ever deeper arrive, or are refused here: no worker is lost for "
                  "them.");

  for (guint depth = 1; depth < 300; depth++)
    {
      g_autoptr (GError) error = NULL;
      DrayMessage message;
      GVariant *outer = g_variant_ref_sink (depth % 2 == 0 ? g_variant_new_variant (value)
                                                           : g_variant_new ("(v)", value));

      g_variant_unref (value);
      value = outer;

      if (dray_message_init_value (&message, &item_header, value, MAX_PAYLOAD, &error))
        {
          g_autoptr (GVariant) arrived = transfer_value (value);

          g_assert_cmpuint (deepest, ==, depth - 1);
          g_assert_true (g_variant_equal (arrived, value));
          dray_message_clear (&message);
          deepest = depth;
        }
      else
        {
          g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
        }
    }

  g_assert_cmpuint (deepest, >=, 60);
}

static void
test_value_long_type (void)
{
  g_test_summary ("A type may be as long as the limit, and no longer.");

  for (gsize n = DRAY_VALUE_MAX_TYPE - 4; n < DRAY_VALUE_MAX_TYPE + 2; n++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (DrayMessage) message = { 0 };
      g_autoptr (GVariant) value = NULL;
      GVariantBuilder builder;

      g_variant_builder_init (&builder, G_VARIANT_TYPE_TUPLE);
      for (gsize i = 0; i < n; i++)
        g_variant_builder_add (&builder, "y", 1);
      value = g_variant_ref_sink (g_variant_builder_end (&builder));

      if (n + 2 <= DRAY_VALUE_MAX_TYPE)
        {
          g_autoptr (GVariant) arrived = transfer_value (value);

          g_assert_true (g_variant_equal (arrived, value));
        }
      else
        {
          g_assert_false (
            dray_message_init_value (&message, &item_header, value, MAX_PAYLOAD, &error));
          g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
        }
    }
}

static void
test_value_no_bytes (void)
{
  static const gsize lengths[] = { 10, DRAY_VALUE_MAX_TYPE - 2, DRAY_VALUE_MAX_TYPE, 20 * KIB };

  g_test_summary ("Values of a fixed size that were made from too few bytes are zero, or too "
                  "large, and no crash.");

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      g_autofree char *members = g_strnfill (lengths[i], 't');
      g_autofree char *type = g_strdup_printf ("(%s)", members);
      g_autoptr (GVariant) value = g_variant_ref_sink (
        g_variant_new_from_data (G_VARIANT_TYPE (type), "abc", 3, FALSE, NULL, NULL));
      g_autoptr (GError) error = NULL;
      g_auto (DrayMessage) message = { 0 };

      if (dray_message_init_value (&message, &item_header, value, MAX_PAYLOAD, &error))
        g_assert_cmpuint (strlen (type), <=, DRAY_VALUE_MAX_TYPE);
      else
        g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
    }
}

static void
test_value_hostile (void)
{
  static const Hostile vectors[] = {
    HOSTILE ("", "nothing"),
    HOSTILE ("y", "no NUL"),
    HOSTILE ("\0", "no type"),
    HOSTILE ("\0\0\0\0", "no type"),
    HOSTILE ("\1\0z", "no such type"),
    HOSTILE ("\1\0*", "an indefinite type"),
    HOSTILE ("\0a?", "an indefinite type"),
    HOSTILE ("\0r", "an indefinite type"),
    HOSTILE ("\1\1\0yy", "two types"),
    HOSTILE ("\1\0y\0", "a type that is not at the end"),
    HOSTILE ("\0y", "too short for its type"),
    HOSTILE ("\1\2\0y", "too long for its type"),
    HOSTILE ("\2\0b", "neither true nor false"),
    HOSTILE ("abc\0s", "text without an end"),
    HOSTILE ("\xff\0\0s", "text that is not UTF-8"),
    HOSTILE ("\0a", "half a type"),
    HOSTILE ("\0(", "half a type"),
    HOSTILE ("\0a{sv", "half a type"),
    HOSTILE ("\0\xff\xff", "no type at all"),
    HOSTILE ("\xff\xff\xff\0as", "offsets out of bounds"),
    HOSTILE ("\0a{vs}", "a key that cannot be one"),
    HOSTILE ("\0\0\0v", "a variant without a type"),
    HOSTILE ("\0*\0v", "a variant of an indefinite type"),
  };

  g_test_summary ("Payloads that are no value are refused.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GBytes) payload = g_bytes_new (vectors[i].bytes, vectors[i].size);
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", vectors[i].why);
      g_assert_null (dray_value_decode (payload, &error));
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
    }
}

static void
test_submit_round_trip (void)
{
  static const char *const names[] = {
    "",
    "a",
    "load",
    "seven77",
    "eight888",
    "org.example.load-file",
    "größer",
    ("a-name-that-is-longer-than-what-a-message-has-room-for-without-an-allocation-which-it-surely-"
     "is-by-now-since-this-goes-on-and-on-and-on"),
  };

  g_test_summary ("The name of a function and its arguments arrive, whatever their lengths.");

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    for (gsize size = 0; size < 100 * KIB; size += size < 20 ? 1 : 33333)
      {
        g_autoptr (GVariant) sent = g_variant_ref_sink (make_bytes (size));
        g_autoptr (GVariant) arguments = NULL;
        g_autoptr (GBytes) payload = NULL;
        g_autoptr (GError) error = NULL;
        g_autofree char *function = NULL;
        DrayFrameHeader header;
        DrayMessage message;

        g_assert_true (
          dray_message_init_submit (&message, 5, 6, names[i], sent, MAX_PAYLOAD, &error));
        g_assert_no_error (error);
        payload = transfer (&message, &header);
        g_assert_cmpint (header.type, ==, DRAY_FRAME_SUBMIT);
        g_assert_cmpuint (header.task_id, ==, 5);
        g_assert_cmpuint (header.attempt, ==, 6);

        g_assert_true (dray_submit_decode (payload, &function, &arguments, &error));
        g_assert_no_error (error);
        g_assert_cmpstr (function, ==, names[i]);
        g_assert_true (g_variant_equal (arguments, sent));
      }
}

static void
test_submit_limits (void)
{
  g_autofree char *name = g_strnfill (100, 'n');
  const gsize payload_size = 8 + 104 + strlen ("?") + strlen ("()");

  g_test_summary ("The limit counts the function's name too.");

  for (gsize limit = payload_size - 1; limit < payload_size + 3; limit++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (DrayMessage) message = { 0 };
      gboolean ok = dray_message_init_submit (&message, 1, 1, name, NULL, limit, &error);

      g_assert_cmpint (ok, ==, limit > payload_size);
      if (!ok)
        g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
    }
}

static void
test_submit_hostile (void)
{
  /* Lengths are little-endian here, and turned where the machine is not. */
  static const Hostile vectors[] = {
    HOSTILE ("", "nothing"),
    HOSTILE ("\1\0\0\0", "half a prefix"),
    HOSTILE ("\1\0\0\0\0\0\0", "almost a prefix"),
    HOSTILE ("\0\0\0\0\0\0\0\0", "no value"),
    HOSTILE ("\1\0\0\0\0\0\0\0", "no name"),
    HOSTILE ("\1\0\0\0\0\0\0\0f", "a name without its padding"),
    HOSTILE ("\1\0\0\0\0\0\0\0f\0\0\0\0\0\0\0", "no value behind the name"),
    HOSTILE ("\1\0\0\0\1\0\0\0f\0\0\0\0\0\0\0\0\0()", "something where a zero should be"),
    HOSTILE ("\1\0\0\0\0\0\0\0f\0\0\0\1\0\0\0\0\0()", "something in the padding"),
    HOSTILE ("\2\0\0\0\0\0\0\0f\0\0\0\0\0\0\0\0\0()", "a NUL in the name"),
    HOSTILE ("\1\0\0\0\0\0\0\0\xff\0\0\0\0\0\0\0\0\0()", "a name that is not UTF-8"),
    HOSTILE ("\xff\xff\xff\xff\0\0\0\0f\0\0\0\0\0\0\0\0\0()", "the longest name that can be said"),
    HOSTILE ("\xf9\xff\xff\xff\0\0\0\0f\0\0\0\0\0\0\0\0\0()", "a length whose padding wraps"),
    HOSTILE ("\x0c\0\0\0\0\0\0\0f\0\0\0\0\0\0\0\0\0()", "a name that takes the value's place"),
    HOSTILE ("\x0d\0\0\0\0\0\0\0f\0\0\0\0\0\0\0\0\0()", "a name that is longer than all"),
    HOSTILE ("\1\0\0\0\0\0\0\0f\0\0\0\0\0\0\0\1\0()", "a bad value"),
  };
  static const char good[] = "\1\0\0\0\0\0\0\0f\0\0\0\0\0\0\0\0\0()";

  g_test_summary ("Payloads that are no task are refused.");

  for (gsize i = 0; i <= G_N_ELEMENTS (vectors); i++)
    {
      gboolean is_good = i == G_N_ELEMENTS (vectors);
      const char *bytes = is_good ? good : vectors[i].bytes;
      gsize size = is_good ? sizeof good - 1 : vectors[i].size;
      g_autofree guint8 *copy = g_memdup2 (bytes, size);
      g_autoptr (GVariant) arguments = NULL;
      g_autoptr (GBytes) payload = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *function = NULL;

      if (size >= 4)
        {
          guint32 length;

          memcpy (&length, copy, 4);
          length = GUINT32_FROM_LE (length);
          memcpy (copy, &length, 4);
        }

      payload = g_bytes_new (copy, size);
      g_test_message ("%s", is_good ? "nothing bad" : vectors[i].why);
      g_assert_cmpint (dray_submit_decode (payload, &function, &arguments, &error), ==, is_good);
      if (!is_good)
        {
          g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
          g_assert_null (function);
          g_assert_null (arguments);
        }
    }
}

static void
test_empty (void)
{
  static const DrayFrameType types[] = {
    DRAY_FRAME_READY, DRAY_FRAME_CANCEL, DRAY_FRAME_RETURNED, DRAY_FRAME_RECALL, DRAY_FRAME_GOODBYE,
  };

  g_test_summary ("A message without a payload is a header.");

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autoptr (GBytes) payload = NULL;
      DrayFrameHeader header;
      DrayMessage message;

      dray_message_init_empty (&message, types[i], i, i + 1);
      g_assert_cmpuint (dray_message_get_size (&message), ==, DRAY_FRAME_HEADER_SIZE);
      payload = transfer (&message, &header);
      g_assert_cmpint (header.type, ==, types[i]);
      g_assert_cmpuint (header.task_id, ==, i);
      g_assert_cmpuint (header.attempt, ==, i + 1);
      g_assert_cmpuint (g_bytes_get_size (payload), ==, 0);
    }
}

static void
test_flags (void)
{
  static const guint lengths[] = { 0, 20 * 1000 }; /* in the message itself, and beside it */

  g_test_summary ("A flag is added to those that a message has.");

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    {
      const DrayFrameHeader what = {
        .type = DRAY_FRAME_SUBMIT,
        .flags = DRAY_FRAME_FLAG_CARGO,
        .task_id = 1,
        .attempt = 1,
        .length = lengths[i],
      };
      g_autoptr (GBytes) payload = NULL;
      DrayFrameHeader header;
      DrayMessage message;

      if (what.length > 0)
        memset (dray_message_start (&message, &what), 0, what.length);
      else
        dray_message_init_header (&message, &what);
      dray_message_add_flags (&message, DRAY_FRAME_FLAG_QUIET);
      payload = transfer (&message, &header);
      g_assert_cmpuint (header.flags, ==, DRAY_FRAME_FLAG_CARGO | DRAY_FRAME_FLAG_QUIET);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/message/value/round-trip", test_value_round_trip);
  g_test_add_func ("/message/value/none", test_value_none);
  g_test_add_func ("/message/value/sizes", test_value_sizes);
  g_test_add_func ("/message/value/uncopied", test_value_uncopied);
  g_test_add_func ("/message/value/part-uncopied", test_value_part_uncopied);
  g_test_add_func ("/message/value/floating", test_value_floating);
  g_test_add_func ("/message/value/not-normal", test_value_not_normal);
  g_test_add_func ("/message/value/too-large", test_value_too_large);
  g_test_add_func ("/message/value/too-large-normal", test_value_too_large_normal);
  g_test_add_func ("/message/value/make-sound", test_make_sound);
  g_test_add_func ("/message/value/make-sound/large", test_make_large_sound);
  g_test_add_func ("/message/value/too-deep", test_value_too_deep);
  g_test_add_func ("/message/value/long-type", test_value_long_type);
  g_test_add_func ("/message/value/no-bytes", test_value_no_bytes);
  g_test_add_func ("/message/value/hostile", test_value_hostile);
  g_test_add_func ("/message/submit/round-trip", test_submit_round_trip);
  g_test_add_func ("/message/submit/limits", test_submit_limits);
  g_test_add_func ("/message/submit/hostile", test_submit_hostile);
  g_test_add_func ("/message/empty", test_empty);
  g_test_add_func ("/message/flags", test_flags);

  return g_test_run ();
}
