/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-splitter.h"

/* What becomes of an output, for every way to split it, and whatever pieces it comes in. */

#define RECORD_LIMIT ((gsize) 16)
#define OUTPUT_LIMIT ((gsize) 64)

/* The pieces that an output is given in; the last is as large as there is room for. */
static const gsize pieces[] = { 1, 2, 3, 7, G_MAXSIZE };

/* Of literal bytes, that may hold a NUL. */
#define OUTPUT(literal) literal, sizeof literal - 1

typedef struct
{
  const char *name;
  DraySplit split;
  DrayEncoding encoding;
  const char *output;
  gsize size;
  const char *items; /* each ended by a bar */
  int code;          /* of DRAY_ERROR; -1: none, and the result is right */
  const char *message;
} Vector;

#define NONE DRAY_SPLIT_NONE
#define LINES DRAY_SPLIT_LINES
#define RECORDS DRAY_SPLIT_RECORDS
#define CHUNKS DRAY_SPLIT_CHUNKS
#define BYTES DRAY_ENCODING_BYTES
#define TEXT DRAY_ENCODING_UTF8
#define INVALID DRAY_ERROR_INVALID_TEXT
#define LARGE DRAY_ERROR_TOO_LARGE

static const Vector vectors[] = {
  { "lines/empty", LINES, BYTES, OUTPUT (""), "", -1, NULL },
  { "lines/one", LINES, BYTES, OUTPUT ("one\n"), "one|", -1, NULL },
  { "lines/unended", LINES, BYTES, OUTPUT ("one\ntwo"), "one|two|", -1, NULL },
  { "lines/blank", LINES, BYTES, OUTPUT ("\n\none\n\n"), "||one||", -1, NULL },
  { "lines/carriage-return", LINES, TEXT, OUTPUT ("one\r\ntwo\r\n"), "one\r|two\r|", -1, NULL },
  { "lines/nul", LINES, BYTES, OUTPUT ("a\0b\nc\n"), "a?b|c|", -1, NULL },
  { "lines/any-bytes", LINES, BYTES, OUTPUT ("\xff\xfe\n\x80\n"), "\xff\xfe|\x80|", -1, NULL },
  { "lines/text", LINES, TEXT, OUTPUT ("käse\n€ 5\n🧀\n"), "käse|€ 5|🧀|", -1, NULL },
  { "lines/text-nul", LINES, TEXT, OUTPUT ("ok\na\0b\n"), "ok|", INVALID,
    "line 2 of the output is not text: it holds a NUL byte" },
  { "lines/text-invalid", LINES, TEXT, OUTPUT ("ok\nok\n\xff\nok\n"), "ok|ok|", INVALID,
    "line 3 of the output is not valid UTF-8" },
  { "lines/text-cut", LINES, TEXT, OUTPUT ("a\xe2\x82\nb\n"), "", INVALID,
    "line 1 of the output is not valid UTF-8" },
  { "lines/text-cut-at-end", LINES, TEXT, OUTPUT ("ok\na\xe2\x82"), "ok|", INVALID,
    "line 2 of the output is not valid UTF-8" },
  { "lines/text-overlong", LINES, TEXT, OUTPUT ("\xc0\xaf\n"), "", INVALID,
    "line 1 of the output is not valid UTF-8" },
  { "lines/text-surrogate", LINES, TEXT, OUTPUT ("\xed\xa0\x80\n"), "", INVALID,
    "line 1 of the output is not valid UTF-8" },
  { "lines/longest", LINES, TEXT, OUTPUT ("0123456789abcdef\nx\n"), "0123456789abcdef|x|", -1,
    NULL },
  { "lines/longest-unended", LINES, BYTES, OUTPUT ("x\n0123456789abcdef"),
    "x|0123456789abcdef|", -1, NULL },
  { "lines/too-long", LINES, TEXT, OUTPUT ("x\n0123456789abcdefg\ny\n"), "x|", LARGE,
    "line 2 of the output is longer than 16 bytes" },
  { "lines/too-long-unended", LINES, BYTES, OUTPUT ("0123456789abcdefg"), "", LARGE,
    "line 1 of the output is longer than 16 bytes" },

  { "records/empty", RECORDS, BYTES, OUTPUT (""), "", -1, NULL },
  { "records/some", RECORDS, BYTES, OUTPUT ("one\0two\0"), "one|two|", -1, NULL },
  { "records/unended", RECORDS, TEXT, OUTPUT ("one\0two"), "one|two|", -1, NULL },
  { "records/blank", RECORDS, TEXT, OUTPUT ("\0\0one\0"), "||one|", -1, NULL },
  { "records/newlines", RECORDS, TEXT, OUTPUT ("a\nb\0c\n\0"), "a\nb|c\n|", -1, NULL },
  { "records/text", RECORDS, TEXT, OUTPUT ("käse\0🧀\0"), "käse|🧀|", -1, NULL },
  { "records/text-invalid", RECORDS, TEXT, OUTPUT ("ok\0\xe4\0"), "ok|", INVALID,
    "record 2 of the output is not valid UTF-8" },
  { "records/any-bytes", RECORDS, BYTES, OUTPUT ("ok\0\xe4\0"), "ok|\xe4|", -1, NULL },
  { "records/too-long", RECORDS, BYTES, OUTPUT ("0123456789abcdefg\0"), "", LARGE,
    "record 1 of the output is longer than 16 bytes" },

  { "none/empty", NONE, BYTES, OUTPUT (""), "", -1, NULL },
  { "none/empty-text", NONE, TEXT, OUTPUT (""), "", -1, NULL },
  { "none/bytes", NONE, BYTES, OUTPUT ("a\0\xff\n"), "", -1, NULL },
  { "none/text", NONE, TEXT, OUTPUT ("käse\n€ 5\n🧀"), "", -1, NULL },
  { "none/text-nul", NONE, TEXT, OUTPUT ("käse\0"), "", INVALID,
    "the output is not text: byte 6 is NUL" },
  { "none/text-invalid", NONE, TEXT, OUTPUT ("käse\xff etc."), "", INVALID,
    "the output is not valid UTF-8 at byte 6" },
  { "none/text-cut", NONE, TEXT, OUTPUT ("ab\xf0\x9f\xa7"), "", INVALID,
    "the output is not valid UTF-8 at byte 3" },
  { "none/largest", NONE, TEXT,
    OUTPUT ("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), "", -1, NULL },
  { "none/too-large", NONE, BYTES,
    OUTPUT ("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefg"), "", LARGE,
    "the output is larger than 64 bytes" },

  { "chunks/empty", CHUNKS, BYTES, OUTPUT (""), "", -1, NULL },
  { "chunks/bytes", CHUNKS, BYTES, OUTPUT ("a\0\xff\nbcdefghijklmnopqrstuvwxyz"), NULL, -1, NULL },
  { "chunks/text", CHUNKS, TEXT, OUTPUT ("käse\n€ 5 🧀🧀🧀 äöüß"), NULL, -1, NULL },
  { "chunks/text-nul", CHUNKS, TEXT, OUTPUT ("käse\0abc"), NULL, INVALID,
    "the output is not text: byte 6 is NUL" },
  { "chunks/text-invalid", CHUNKS, TEXT, OUTPUT ("käse\xff etc."), NULL, INVALID,
    "the output is not valid UTF-8 at byte 6" },
  { "chunks/text-cut", CHUNKS, TEXT, OUTPUT ("ab\xf0\x9f\xa7"), NULL, INVALID,
    "the output is not valid UTF-8 at byte 3" },
};

/* How much is given before the items are taken that are there. */
static gsize
give (DraySplitter *splitter, const char *output, gsize size, gsize piece)
{
  gsize room = 0;
  guint8 *space = dray_splitter_get_space (splitter, &room);
  gsize given = MIN (MIN (room, piece), size);

  g_assert_cmpuint (room, >, 0);
  memcpy (space, output, given);
  dray_splitter_take (splitter, given);
  return given;
}

/* Appends the bytes of @item to @items, with a question mark for a NUL. */
static void
append_item (GString *items, GVariant *item, const Vector *vector)
{
  gsize size = 0;
  const char *bytes;

  g_assert_false (g_variant_is_floating (item));
  if (vector->encoding == TEXT)
    {
      g_assert_true (g_variant_is_of_type (item, G_VARIANT_TYPE_STRING));
      bytes = g_variant_get_string (item, &size);
      g_assert_true (g_utf8_validate_len (bytes, size, NULL));
    }
  else
    {
      g_assert_true (g_variant_is_of_type (item, G_VARIANT_TYPE_BYTESTRING));
      bytes = g_variant_get_fixed_array (item, &size, 1);
    }

  for (gsize i = 0; i < size; i++)
    g_string_append_c (items, bytes[i] == '\0' ? '?' : bytes[i]);
  /* The pieces decide where a chunk ends. */
  if (vector->split != CHUNKS)
    g_string_append_c (items, '|');
}

static guint
take_items (DraySplitter *splitter, GString *items, const Vector *vector, GError **error)
{
  GVariant *item;
  guint n_items = 0;

  while ((item = dray_splitter_next (splitter, error)) != NULL)
    {
      append_item (items, item, vector);
      g_variant_unref (item);
      n_items++;
    }
  return n_items;
}

static char *
dup_expected_items (const Vector *vector)
{
  const char *end = vector->output + vector->size;

  if (vector->items != NULL)
    return g_strdup (vector->items);

  /* Chunks: all that is valid comes. */
  if (vector->code != -1)
    g_utf8_validate_len (vector->output, vector->size, &end);

  const gsize size = (gsize) (end - vector->output);
  char *items = g_malloc0 (size + 1);

  for (gsize i = 0; i < size; i++)
    items[i] = vector->output[i] == '\0' ? '?' : vector->output[i];
  return items;
}

static void
check_result (DraySplitter *splitter, const Vector *vector, guint n_items)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_splitter_dup_result (splitter, &error);
  g_autoptr (GVariant) again = dray_splitter_dup_result (splitter, NULL);

  g_assert_no_error (error);
  g_assert_false (g_variant_is_floating (result));
  g_assert_cmpvariant (result, again);

  if (vector->split != NONE)
    {
      g_assert_cmpuint (g_variant_get_uint64 (result), ==, n_items);
      return;
    }

  gsize size = 0;
  const char *bytes = vector->encoding == TEXT ? g_variant_get_string (result, &size)
                                               : g_variant_get_fixed_array (result, &size, 1);

  g_assert_cmpmem (bytes, size, vector->output, vector->size);
}

static void
check_refusal (DraySplitter *splitter, const Vector *vector, const GError *error)
{
  g_assert_error (error, DRAY_ERROR, vector->code);
  g_assert_cmpstr (error->message, ==, vector->message);

  /* It stays refused, whatever else comes. */
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) again = NULL;
      g_autoptr (GError) result_error = NULL;

      give (splitter, "more\n", 5, 5);
      g_assert_null (dray_splitter_next (splitter, &again));
      g_assert_error (again, DRAY_ERROR, vector->code);
      dray_splitter_end (splitter);
      g_assert_null (dray_splitter_dup_result (splitter, &result_error));
      g_assert_cmpstr (result_error->message, ==, vector->message);
    }
}

static void
check_vector (const Vector *vector, gsize piece, gboolean patient)
{
  g_autoptr (DraySplitter) splitter
      = dray_splitter_new (vector->split, vector->encoding, RECORD_LIMIT, OUTPUT_LIMIT);
  g_autoptr (GString) items = g_string_new (NULL);
  g_autofree char *expected = dup_expected_items (vector);
  g_autoptr (GError) error = NULL;
  guint n_items = 0;

  for (gsize done = 0; done < vector->size && error == NULL;)
    {
      done += give (splitter, vector->output + done, vector->size - done, piece);
      if (!patient)
        n_items += take_items (splitter, items, vector, &error);
    }
  if (error == NULL)
    {
      dray_splitter_end (splitter);
      n_items += take_items (splitter, items, vector, &error);
    }

  g_assert_cmpstr (items->str, ==, expected);
  if (vector->code == -1)
    {
      g_assert_no_error (error);
      check_result (splitter, vector, n_items);
    }
  else
    {
      check_refusal (splitter, vector, error);
    }
}

static void
test_vector (gconstpointer data)
{
  g_test_summary ("The items, the result and the refusal are the same for pieces of any size, "
                  "and whether items are taken as they come or all at the end.");

  for (guint i = 0; i < G_N_ELEMENTS (pieces); i++)
    {
      check_vector (data, pieces[i], FALSE);
      check_vector (data, pieces[i], TRUE);
    }
}

static void
test_edge_of_character (void)
{
  g_test_summary ("A chunk of text ends at the edge of a character: one that a read has cut "
                  "waits for its rest.");

  static const char *const outputs[] = { "ä", "€", "🧀" };

  for (guint i = 0; i < G_N_ELEMENTS (outputs); i++)
    {
      g_autoptr (DraySplitter) splitter = dray_splitter_new (CHUNKS, TEXT, 16, 64);
      g_autoptr (GVariant) item = NULL;
      g_autoptr (GError) error = NULL;
      const gsize size = strlen (outputs[i]);

      for (gsize done = 0; done < size; done++)
        {
          g_assert_null (dray_splitter_next (splitter, &error));
          g_assert_no_error (error);
          give (splitter, outputs[i] + done, 1, 1);
        }
      item = dray_splitter_next (splitter, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (g_variant_get_string (item, NULL), ==, outputs[i]);
    }
}

static void
test_chunk_size (void)
{
  g_test_summary ("No chunk is larger than 64 KiB, and none of text splits a character there.");

  const gsize limit = 64 * 1024;
  g_autoptr (DraySplitter) splitter = dray_splitter_new (CHUNKS, TEXT, 16, 64);
  g_autoptr (GString) output = g_string_new ("x");
  g_autoptr (GString) items = g_string_new (NULL);
  GVariant *item;

  while (output->len < 4 * limit)
    g_string_append (output, "€");
  for (gsize done = 0; done < output->len;)
    done += give (splitter, output->str + done, output->len - done, G_MAXSIZE);
  dray_splitter_end (splitter);

  while ((item = dray_splitter_next (splitter, NULL)) != NULL)
    {
      gsize size = 0;
      const char *text = g_variant_get_string (item, &size);

      g_assert_cmpuint (size, <=, limit);
      g_string_append_len (items, text, (gssize) size);
      g_variant_unref (item);
    }
  g_assert_cmpstr (items->str, ==, output->str);
}

static void
test_huge_output (gconstpointer data)
{
  g_test_summary ("An output far larger than any limit on what is held is streamed without a "
                  "limit of its own, and its memory does not grow with it.");

  const DraySplit split = GPOINTER_TO_INT (data);
  const gsize limit = 1000;
  g_autoptr (DraySplitter) splitter = dray_splitter_new (split, BYTES, limit, 64);
  g_autofree char *line = g_strnfill (limit, 'x');
  g_autoptr (GError) error = NULL;
  guint64 n_items = 0;
  guint64 n_bytes = 0;

  for (guint i = 0; i < 20000; i++)
    {
      gsize room = 0;
      GVariant *item;

      dray_splitter_get_space (splitter, &room);
      g_assert_cmpuint (room, <=, 256 * 1024);
      line[i % limit] = split == RECORDS ? '\0' : '\n';
      g_assert_cmpuint (give (splitter, line, limit, limit), ==, limit);
      line[i % limit] = 'x';

      for (; (item = dray_splitter_next (splitter, &error)) != NULL; n_items++)
        {
          n_bytes += g_variant_get_size (item);
          g_variant_unref (item);
        }
      g_assert_no_error (error);
    }

  if (split == CHUNKS)
    g_assert_cmpuint (n_bytes, ==, 20000 * limit);
  else
    g_assert_cmpuint (n_items, ==, 20000);
}

static void
test_large_result (gconstpointer data)
{
  g_test_summary ("A large output is collected whole, up to the limit and not a byte beyond.");

  const DrayEncoding encoding = GPOINTER_TO_INT (data);
  const gsize limit = 8 * 1024 * 1024;
  g_autofree char *output = g_strnfill (limit + 1, 'x');

  for (gsize extra = 0; extra <= 1; extra++)
    {
      g_autoptr (DraySplitter) splitter = dray_splitter_new (NONE, encoding, 16, limit);
      g_autoptr (GVariant) result = NULL;
      g_autoptr (GError) error = NULL;

      for (gsize done = 0; done < limit + extra;)
        {
          done += give (splitter, output + done, limit + extra - done, G_MAXSIZE);
          g_assert_null (dray_splitter_next (splitter, NULL));
        }
      dray_splitter_end (splitter);
      g_assert_null (dray_splitter_next (splitter, NULL));

      result = dray_splitter_dup_result (splitter, &error);
      if (extra == 0)
        {
          g_assert_no_error (error);
          /* Text has a NUL after it. */
          g_assert_cmpuint (g_variant_get_size (result), ==, limit + (encoding == TEXT));
        }
      else
        {
          g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
          g_assert_null (result);
        }
    }
}

static void
test_huge_limits (void)
{
  g_test_summary ("Limits as large as numbers go are no trouble.");

  for (DraySplit split = NONE; split <= CHUNKS; split++)
    {
      g_autoptr (DraySplitter) splitter
          = dray_splitter_new (split, BYTES, G_MAXSIZE, G_MAXSIZE);
      g_autoptr (GVariant) result = NULL;
      g_autoptr (GError) error = NULL;

      give (splitter, "abc", 3, 3);
      dray_splitter_end (splitter);
      g_clear_pointer (&result, g_variant_unref);
      result = dray_splitter_next (splitter, &error);
      g_assert_no_error (error);
      g_clear_pointer (&result, g_variant_unref);
      result = dray_splitter_dup_result (splitter, &error);
      g_assert_no_error (error);
      g_assert_nonnull (result);
    }
}

static void
test_unread (void)
{
  g_test_summary ("A splitter can be freed with anything still in it.");

  for (DraySplit split = NONE; split <= CHUNKS; split++)
    {
      G_GNUC_UNUSED g_autoptr (DraySplitter) unused = dray_splitter_new (split, TEXT, 16, 64);
      g_autoptr (DraySplitter) unread = dray_splitter_new (split, TEXT, 16, 64);

      give (unread, "one\ntwo", 7, 7);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autofree char *path = g_strconcat ("/splitter/vector/", vectors[i].name, NULL);

      g_test_add_data_func (path, &vectors[i], test_vector);
    }
  g_test_add_func ("/splitter/edge-of-character", test_edge_of_character);
  g_test_add_func ("/splitter/chunk-size", test_chunk_size);
  g_test_add_data_func ("/splitter/huge-output/lines", GINT_TO_POINTER (LINES),
                        test_huge_output);
  g_test_add_data_func ("/splitter/huge-output/records", GINT_TO_POINTER (RECORDS),
                        test_huge_output);
  g_test_add_data_func ("/splitter/huge-output/chunks", GINT_TO_POINTER (CHUNKS),
                        test_huge_output);
  g_test_add_data_func ("/splitter/large-result/bytes", GINT_TO_POINTER (BYTES),
                        test_large_result);
  g_test_add_data_func ("/splitter/large-result/text", GINT_TO_POINTER (TEXT),
                        test_large_result);
  g_test_add_func ("/splitter/huge-limits", test_huge_limits);
  g_test_add_func ("/splitter/unread", test_unread);

  return g_test_run ();
}
