/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "message-harness.h"

/* How the two sides of a channel tell each other who they are. */

static DrayFrameHeader
make_hello_header (guint version)
{
  return (DrayFrameHeader){ .type = DRAY_FRAME_HELLO, .version = version };
}

static void
test_round_trip (void)
{
  g_autoptr (GVariant) small = g_variant_ref_sink (g_variant_new ("(si)", "a", 1));
  g_autoptr (GVariant) large = g_variant_ref_sink (make_bytes (200 * KIB));
  g_autoptr (GVariant) variant = g_variant_ref_sink (g_variant_new_variant (small));
  g_autoptr (GBytes) cookie = g_bytes_new_static ("0123456789abcdef", 16);
  const DrayHello vectors[] = {
    { .role = DRAY_ROLE_WORKER, .version = DRAY_PROTOCOL_VERSION, .pid = 4711 },
    { .role = DRAY_ROLE_HOST, .version = DRAY_PROTOCOL_VERSION, .max_payload = G_MAXUINT64 },
    { .role = DRAY_ROLE_WORKER, .version = DRAY_PROTOCOL_VERSION },
    { .role = DRAY_ROLE_HOST, .version = DRAY_PROTOCOL_VERSION },
    { .role = DRAY_ROLE_HOST, .version = DRAY_PROTOCOL_VERSION, .arguments = small },
    { .role = DRAY_ROLE_HOST, .version = DRAY_PROTOCOL_VERSION, .arguments = variant },
    { .role = DRAY_ROLE_HOST, .version = DRAY_PROTOCOL_VERSION, .arguments = large },
    { .role = DRAY_ROLE_HOST, .version = DRAY_PROTOCOL_VERSION, .cookie = cookie },
    { .role = DRAY_ROLE_HOST, .version = DRAY_PROTOCOL_VERSION, .ring = 12345 },
    { .role = DRAY_ROLE_HOST,
      .version = DRAY_PROTOCOL_VERSION,
      .trusted = TRUE,
      .shared_size = G_MAXUINT64 },
  };

  g_test_summary ("Either side's hello arrives with what it says.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_auto (DrayHello) hello = { 0 };
      g_autoptr (GBytes) payload = NULL;
      g_autoptr (GError) error = NULL;
      DrayFrameHeader header;
      DrayMessage message;

      dray_message_init_hello (&message, &vectors[i]);
      payload = transfer (&message, &header);
      g_assert_cmpint (header.type, ==, DRAY_FRAME_HELLO);
      g_assert_true (dray_hello_decode (&header, payload, vectors[i].role, &hello, &error));
      g_assert_no_error (error);
      g_assert_cmpint (hello.role, ==, vectors[i].role);
      g_assert_cmpuint (hello.version, ==, DRAY_PROTOCOL_VERSION);
      g_assert_cmpuint (hello.pid, ==, vectors[i].pid);
      g_assert_cmpuint (hello.max_payload, ==, vectors[i].max_payload);
      g_assert_cmpuint (hello.ring, ==, vectors[i].ring);
      g_assert_cmpint (hello.trusted, ==, vectors[i].trusted);
      g_assert_cmpuint (hello.shared_size, ==, vectors[i].shared_size);
      g_assert_true ((hello.cookie != NULL) == (vectors[i].cookie != NULL));
      g_assert_true (hello.cookie == NULL || g_bytes_equal (hello.cookie, cookie));
      if (vectors[i].arguments != NULL)
        {
          g_assert_cmpvariant (hello.arguments, vectors[i].arguments);
          g_assert_false (g_variant_is_floating (hello.arguments));
        }
      else
        {
          g_assert_null (hello.arguments);
        }
    }
}

static void
test_refused (void)
{
  static const struct
  {
    guint version; /* in the frame's header */
    char byte_order;
    guint8 role;
    guint8 hello_version;
    DrayRole expected;
    const char *said; /* NULL where it is taken */
  } vectors[] = {
    { 1, 0, DRAY_ROLE_WORKER, 1, DRAY_ROLE_WORKER, NULL },
    { 1, 0, DRAY_ROLE_HOST, 1, DRAY_ROLE_HOST, NULL },
    { 9, 0, DRAY_ROLE_WORKER, 9, DRAY_ROLE_WORKER, "in version 9 of" },
    { 9, 'B', DRAY_ROLE_HOST, 9, DRAY_ROLE_WORKER, "in version 9 of" },
    { 0, 0, DRAY_ROLE_WORKER, 0, DRAY_ROLE_WORKER, "in version 0 of" },
    { 1, 0, DRAY_ROLE_WORKER, 9, DRAY_ROLE_WORKER, "this library speaks version 1" },
    { 1, '?', DRAY_ROLE_WORKER, 1, DRAY_ROLE_WORKER, "byte order" },
    { 1, G_BYTE_ORDER == G_LITTLE_ENDIAN ? 'B' : 'l', DRAY_ROLE_WORKER, 1, DRAY_ROLE_WORKER,
      "byte order" },
    { 1, 0, DRAY_ROLE_HOST, 1, DRAY_ROLE_WORKER, "can’t be a Dray worker" },
    { 1, 0, DRAY_ROLE_WORKER, 1, DRAY_ROLE_HOST, "the greeting of a worker" },
    { 1, 0, 0, 1, DRAY_ROLE_WORKER, "unknown role 0" },
    { 1, 0, 3, 1, DRAY_ROLE_HOST, "unknown role 3" },
  };

  g_test_summary ("A peer of another version or byte order, an echo, or one of the wrong role is "
                  "refused by its name.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      const DrayFrameHeader header = make_hello_header (vectors[i].version);
      const char own = G_BYTE_ORDER == G_LITTLE_ENDIAN ? 'l' : 'B';
      const char byte_order = vectors[i].byte_order != 0 ? vectors[i].byte_order : own;
      g_autoptr (GVariant) value = g_variant_ref_sink (
        g_variant_new ("(yyya{sv})", byte_order, vectors[i].role, vectors[i].hello_version, NULL));
      g_autoptr (GBytes) payload = g_variant_get_data_as_bytes (value);
      g_auto (DrayHello) hello = { 0 };
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (dray_hello_decode (&header, payload, vectors[i].expected, &hello, &error),
                       ==, vectors[i].said == NULL);
      if (vectors[i].said == NULL)
        continue;
      g_test_message ("%s", error->message);
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
      g_assert_nonnull (strstr (error->message, vectors[i].said));
    }
}

static void
test_features (void)
{
  static const struct
  {
    const char *features;
    guint pid;
  } vectors[] = {
    { "@a{sv} {}", 0 },
    { "{'pid': <uint32 7>}", 7 },
    { "{'pid': <7>}", 0 },
    { "{'pid': <'seven'>, 'max-payload': <'much'>, 'arguments': <<<1>>>}", 0 },
    { "{'future': <[1, 2, 3]>, 'pid': <uint32 8>, 'library': <9>}", 8 },
    { "{'pid': <uint32 1>, 'pid': <uint32 2>}", 1 },
  };

  g_test_summary ("What a hello says beyond what is known here is ignored.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      const DrayFrameHeader header = make_hello_header (DRAY_PROTOCOL_VERSION);
      g_autoptr (GVariant) features = g_variant_parse (G_VARIANT_TYPE_VARDICT, vectors[i].features,
                                                       NULL, NULL, NULL);
      g_autoptr (GVariant) value = g_variant_ref_sink (
        g_variant_new ("(yyy@a{sv})", G_BYTE_ORDER == G_LITTLE_ENDIAN ? 'l' : 'B', DRAY_ROLE_WORKER,
                       DRAY_PROTOCOL_VERSION, features));
      g_autoptr (GBytes) payload = g_variant_get_data_as_bytes (value);
      g_auto (DrayHello) hello = { 0 };
      g_autoptr (GError) error = NULL;

      g_assert_true (dray_hello_decode (&header, payload, DRAY_ROLE_WORKER, &hello, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (hello.pid, ==, vectors[i].pid);
    }
}

static void
test_hostile (void)
{
  const DrayHello sent = {
    .role = DRAY_ROLE_WORKER,
    .version = DRAY_PROTOCOL_VERSION,
    .pid = 1,
  };
  const DrayFrameHeader header = make_hello_header (DRAY_PROTOCOL_VERSION);
  g_autoptr (GBytes) whole = dray_hello_encode (&sent);

  g_test_summary ("A hello that is cut short anywhere, or goes on, is refused.");

  for (gsize size = 0; size <= g_bytes_get_size (whole) + 1; size++)
    {
      g_autoptr (GByteArray) bytes = g_byte_array_new ();
      g_autoptr (GBytes) payload = NULL;
      g_auto (DrayHello) hello = { 0 };
      g_autoptr (GError) error = NULL;
      gboolean is_whole = size == g_bytes_get_size (whole) || size == 8;

      g_byte_array_append (bytes, g_bytes_get_data (whole, NULL),
                           MIN (size, g_bytes_get_size (whole)));
      if (size > bytes->len)
        g_byte_array_append (bytes, (const guint8 *) "", 1);
      payload = g_byte_array_free_to_bytes (g_steal_pointer (&bytes));

      /* What is left where the features begin is a hello without any. */
      g_assert_cmpint (dray_hello_decode (&header, payload, DRAY_ROLE_WORKER, &hello, &error), ==,
                       is_whole);
      if (!is_whole)
        g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
    }
}

static void
test_other_frame (void)
{
  const DrayFrameHeader header = { .type = DRAY_FRAME_READY, .version = DRAY_PROTOCOL_VERSION };
  g_autoptr (GBytes) payload = g_bytes_new_static ("", 0);
  g_auto (DrayHello) hello = { 0 };
  g_autoptr (GError) error = NULL;

  g_test_summary ("Whoever begins with anything but a hello is refused.");

  g_assert_false (dray_hello_decode (&header, payload, DRAY_ROLE_WORKER, &hello, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/hello/round-trip", test_round_trip);
  g_test_add_func ("/hello/refused", test_refused);
  g_test_add_func ("/hello/features", test_features);
  g_test_add_func ("/hello/hostile", test_hostile);
  g_test_add_func ("/hello/other-frame", test_other_frame);

  return g_test_run ();
}
