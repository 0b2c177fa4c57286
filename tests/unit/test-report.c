/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "message-harness.h"

#include <math.h>

/* What a worker reports of a task: its progress, and how it failed. */

static void
test_progress_round_trip (void)
{
  static const struct
  {
    double sent;
    double arrives;
    const char *text;
  } vectors[] = {
    { 0.0, 0.0, "" },        { 0.5, 0.5, "half" },   { 1.0, 1.0, "größer als vorher" },
    { 1.5, 1.0, "a" },       { -0.0, 0.0, "b" },     { -1.0, -1.0, "c" },
    { -1e300, -1.0, "d" },   { NAN, -1.0, "e" },     { -NAN, -1.0, "f" },
    { INFINITY, 1.0, "g" },  { -INFINITY, -1.0, "" }, { 1e-300, 1e-300, NULL },
    { 0.25, 0.25, "A text that is longer than what fits into a message without an allocation, so "
                  "that another way is taken; which is to say, more than a hundred bytes." },
  };

  g_test_summary ("A fraction arrives between 0 and 1, or as unknown; its text arrives whole.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GBytes) payload = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *text = NULL;
      DrayFrameHeader header;
      DrayMessage message;
      double fraction;

      dray_message_init_progress (&message, 8, 9, vectors[i].sent, vectors[i].text);
      payload = transfer (&message, &header);
      g_assert_cmpint (header.type, ==, DRAY_FRAME_PROGRESS);
      g_assert_cmpuint (header.task_id, ==, 8);
      g_assert_cmpuint (header.attempt, ==, 9);
      g_assert_true (dray_progress_decode (payload, &fraction, &text, &error));
      g_assert_no_error (error);
      g_assert_cmpfloat (fraction, ==, vectors[i].arrives);
      g_assert_cmpstr (text, ==, vectors[i].text != NULL ? vectors[i].text : "");
    }
}

static void
test_progress_is_variant (void)
{
  DrayMessage message;
  DrayFrameHeader header;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GBytes) payload = NULL;
  g_autofree char *text = NULL;

  g_test_summary ("Progress, though written by hand, is what GVariant makes of a (ds).");

  dray_message_init_progress (&message, 1, 1, 0.25, "text");
  payload = transfer (&message, &header);
  value = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("(ds)"), payload, FALSE));
  g_assert_true (g_variant_is_normal_form (value));
  text = g_variant_print (value, FALSE);
  g_assert_cmpstr (text, ==, "(0.25, 'text')");
}

static void
test_progress_hostile (void)
{
  static const Hostile vectors[] = {
    HOSTILE ("", "nothing"),
    HOSTILE ("1234567", "half a number"),
    HOSTILE ("12345678", "no text"),
    HOSTILE ("12345678a", "no end of the text"),
    HOSTILE ("12345678a\0b\0", "a NUL in the text"),
    HOSTILE ("12345678\0\0", "two ends"),
    HOSTILE ("12345678\xff\0", "text that is not UTF-8"),
    HOSTILE ("12345678\xc3\0", "half a character"),
  };

  g_test_summary ("Payloads that are no progress are refused.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GBytes) payload = g_bytes_new (vectors[i].bytes, vectors[i].size);
      g_autoptr (GError) error = NULL;
      g_autofree char *text = NULL;
      double fraction;

      g_test_message ("%s", vectors[i].why);
      g_assert_false (dray_progress_decode (payload, &fraction, &text, &error));
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
      g_assert_null (text);
    }
}

static void
test_progress_long (void)
{
  g_autofree char *text = g_strnfill (100 * KIB, '\xff');
  g_autofree char *arrived = NULL;
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GError) error = NULL;
  DrayFrameHeader header;
  DrayMessage message;
  double fraction;

  g_test_summary ("A text is cut at 32 KiB, and made valid.");

  dray_message_init_progress (&message, 1, 1, 0.5, text);
  payload = transfer (&message, &header);
  g_assert_true (dray_progress_decode (payload, &fraction, &arrived, &error));
  g_assert_cmpuint (strlen (arrived), ==, 32 * KIB / 3 * 3);
}

static GError *
transfer_error (const GError *error)
{
  g_autoptr (GBytes) payload = NULL;
  DrayFrameHeader header;
  DrayMessage message;
  gboolean malformed = TRUE;
  GError *arrived;

  dray_message_init_error (&message, 10, 11, error);
  payload = transfer (&message, &header);
  g_assert_cmpint (header.type, ==, DRAY_FRAME_ERROR);
  g_assert_cmpuint (header.task_id, ==, 10);
  g_assert_cmpuint (header.attempt, ==, 11);
  g_assert_cmpuint (header.length, <=, DRAY_FRAME_MAX_CONTROL);
  arrived = dray_error_decode (payload, &malformed);
  g_assert_false (malformed);
  return arrived;
}

static void
test_error_round_trip (void)
{
  const struct
  {
    GQuark domain;
    int code;
    const char *message;
  } vectors[] = {
    { G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "No such file “größer”" },
    { G_FILE_ERROR, G_FILE_ERROR_ACCES, "%s%n" },
    { DRAY_ERROR, DRAY_ERROR_BAD_ARGUMENTS, "bad" },
    { G_SPAWN_EXIT_ERROR, -1, "two\nlines" },
    { g_quark_from_static_string ("test-domain-quark"), G_MAXINT, "x" },
    { g_quark_from_static_string ("no name at all / but known"), G_MININT, "y" },
  };

  g_test_summary ("Domain, code and message of an error arrive.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) sent = g_error_new_literal (vectors[i].domain, vectors[i].code,
                                                     vectors[i].message);
      g_autoptr (GError) arrived = transfer_error (sent);

      g_assert_error (arrived, vectors[i].domain, vectors[i].code);
      g_assert_cmpstr (arrived->message, ==, vectors[i].message);
    }
}

static void
test_error_messages (void)
{
  g_autofree char *long_ascii = g_strnfill (100 * KIB, 'x');
  g_autofree char *exact = g_strnfill (32 * KIB, 'y');
  g_autofree char *garbage = g_strnfill (100 * KIB, '\xff');
  g_autoptr (GString) euros = g_string_new (NULL);

  g_test_summary ("A message is cut at 32 KiB, never inside a character, and made valid.");

  for (guint i = 0; i < 20 * KIB; i++)
    g_string_append (euros, "€");

  {
    const struct
    {
      const char *message;
      gsize length;
    } vectors[] = {
      { long_ascii, 32 * KIB }, { exact, 32 * KIB },        { euros->str, 32 * KIB / 3 * 3 },
      { garbage, 32 * KIB / 3 * 3 }, { "bad \xff byte", 4 + 3 + 5 }, { "half \xe2\x82", 5 + 6 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
      {
        g_autoptr (GError) sent = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED,
                                                       vectors[i].message);
        g_autoptr (GError) arrived = transfer_error (sent);

        g_assert_error (arrived, G_IO_ERROR, G_IO_ERROR_FAILED);
        g_assert_true (g_utf8_validate (arrived->message, -1, NULL));
        g_assert_cmpuint (strlen (arrived->message), ==, vectors[i].length);
      }
  }
}

static void
test_error_silent (void)
{
  g_autoptr (GError) sent = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BUSY, "");
  g_autoptr (GError) arrived = transfer_error (sent);

  g_test_summary ("An error that says nothing says so.");

  g_assert_error (arrived, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_cmpstr (arrived->message, !=, "");
}

static void
test_error_hostile (void)
{
  static const Hostile vectors[] = {
    HOSTILE ("", "nothing"),
    HOSTILE ("\0", "a byte"),
    HOSTILE ("domain", "no NUL"),
    HOSTILE ("d\0\0\0\1\0\0\0text\0", "no offset"),
    HOSTILE ("d\0\0\0\1\0\0\0text\0\xff", "an offset out of bounds"),
    HOSTILE ("d\0\0\0\1\0\0\0text\2", "no end of the text"),
    HOSTILE ("d\0\1\0\1\0\0\0text\0\2", "something in the padding"),
    HOSTILE ("\xff\0\0\0\1\0\0\0text\0\2", "a domain that is not UTF-8"),
    HOSTILE ("d\0\0\0\1\0\0\0\xff\0\2", "text that is not UTF-8"),
    HOSTILE ("d\0\0\0\1\0\2", "cut short"),
  };

  g_test_summary ("Payloads that are no error are an error of the protocol.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GBytes) payload = g_bytes_new (vectors[i].bytes, vectors[i].size);
      g_autoptr (GError) error = NULL;
      gboolean malformed = FALSE;

      g_test_message ("%s", vectors[i].why);
      error = dray_error_decode (payload, &malformed);
      g_assert_true (malformed);
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
    }
}

/* (transfer full): the error that comes of a domain that this process has no quark of */
static GError *
receive_error (const char *domain, int code, const char *message)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new ("(sis)", domain, code, message));
  g_autoptr (GBytes) payload = g_variant_get_data_as_bytes (value);
  gboolean malformed = TRUE;
  GError *error = dray_error_decode (payload, &malformed);

  g_assert_false (malformed);
  return error;
}

static void
test_error_no_names (void)
{
  g_autofree char *long_name = g_strnfill (10 * KIB, 'n');
  const char *const names[] = {
    "", "0starts-with-a-digit", "with space", "größer", "new\nline", "-dash", "semi;colon",
    long_name,
  };

  g_test_summary ("A domain that does not look like the name of one is not taken up, but told.");

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GError) error = receive_error (names[i], 17, "what was said");

      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_FAILED);
      g_assert_nonnull (strstr (error->message, "what was said"));
      g_assert_nonnull (strstr (error->message, "17"));
      g_assert_nonnull (strstr (error->message, names[i]));
      if (names[i][0] != '\0')
        g_assert_cmpuint (g_quark_try_string (names[i]), ==, 0);
    }
}

static void
test_error_flood (void)
{
  const guint n_domains = 5000;
  guint n_taken = 0;

  g_test_summary ("Of thousands of new domains the first few are taken up, and then no more; "
                  "those that are known still arrive.");

  for (guint i = 0; i < n_domains; i++)
    {
      g_autofree char *name = g_strdup_printf ("flood-%u-quark", i);
      g_autoptr (GError) error = receive_error (name, 5, "again");

      if (g_quark_try_string (name) != 0)
        {
          g_assert_cmpuint (n_taken, ==, i);
          g_assert_error (error, g_quark_try_string (name), 5);
          g_assert_cmpstr (error->message, ==, "again");
          n_taken++;
        }
      else
        {
          g_assert_error (error, DRAY_ERROR, DRAY_ERROR_FAILED);
          g_assert_nonnull (strstr (error->message, name));
        }
    }

  g_assert_cmpuint (n_taken, >, 0);
  g_assert_cmpuint (n_taken, <=, 256);

  {
    g_autoptr (GError) learned = receive_error ("flood-0-quark", 6, "once more");
    g_autoptr (GError) known = receive_error ("g-io-error-quark", G_IO_ERROR_BUSY, "busy");

    g_assert_error (learned, g_quark_try_string ("flood-0-quark"), 6);
    g_assert_error (known, G_IO_ERROR, G_IO_ERROR_BUSY);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/report/progress/round-trip", test_progress_round_trip);
  g_test_add_func ("/report/progress/is-variant", test_progress_is_variant);
  g_test_add_func ("/report/progress/hostile", test_progress_hostile);
  g_test_add_func ("/report/progress/long", test_progress_long);
  g_test_add_func ("/report/error/round-trip", test_error_round_trip);
  g_test_add_func ("/report/error/messages", test_error_messages);
  g_test_add_func ("/report/error/silent", test_error_silent);
  g_test_add_func ("/report/error/hostile", test_error_hostile);
  g_test_add_func ("/report/error/no-names", test_error_no_names);
  /* Last: after it this process learns no more domains. */
  g_test_add_func ("/report/error/flood", test_error_flood);

  return g_test_run ();
}
