/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The demo's reader: what it finds out about texts, pictures, archives and folders. */

#include "config.h"

#include <archive.h>
#include <archive_entry.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content.h"
#include "reader.h"

typedef struct
{
  char *folder; /* (owned) */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->folder = g_dir_make_tmp ("test-reader-XXXXXX", &error);
  g_assert_no_error (error);
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) folder = NULL;
  const char *name;

  if (!g_file_test (path, G_FILE_TEST_IS_SYMLINK))
    folder = g_dir_open (path, 0, NULL);
  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *inner = g_build_filename (path, name, NULL);

      remove_tree (inner);
    }
  g_remove (path);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  remove_tree (fixture->folder);
  g_free (fixture->folder);
}

static char *
put (Fixture *fixture, const char *name, const char *bytes, gssize size)
{
  char *path = g_build_filename (fixture->folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_file_set_contents (path, bytes, size, &error);
  g_assert_no_error (error);
  return path;
}

/* As an application and its worker do it together. */
static GVariant *
read_path (const char *path, const DemoReaderClient *client, GBytes **pixels, GError **error)
{
  int fd = demo_reader_open (path, error);
  GVariant *value;

  if (fd < 0)
    return NULL;
  value = demo_reader_read (fd, path, client, pixels, error);
  close (fd);
  return value;
}

static void
read_facts (const char *path, DemoFacts *facts)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) pixels = NULL;
  g_autoptr (GVariant) value = read_path (path, NULL, &pixels, &error);

  g_assert_no_error (error);
  g_assert_true (demo_facts_from_variant (facts, value, pixels, &error));
  g_assert_no_error (error);
}

static void
expect_problem (const char *path, GQuark domain, int code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = read_path (path, NULL, NULL, &error);

  g_assert_null (value);
  g_assert_error (error, domain, code);
}

/* Texts */

static const struct
{
  const char *name;
  const char *bytes;
  gssize size; /* -1: up to the NUL */
  const char *encoding;
  guint lines;
  guint words;
  const char *preview;
} texts[] = {
  { "empty", "", 0, "ASCII", 0, 0, "" },
  { "ascii", "one two\nthree\n", -1, "ASCII", 2, 3, "one two\nthree\n" },
  { "no-newline-at-end", "one\ntwo", -1, "ASCII", 2, 2, "one\ntwo" },
  { "only-space", " \t\n  \n", -1, "ASCII", 2, 0, " \t\n  \n" },
  { "dos", "a b\r\nc\r\n", -1, "ASCII", 2, 3, "a b\nc\n" },
  { "control", "a\001b", -1, "ASCII", 1, 1, "a\357\277\275b" },
  { "utf-8", "h\303\251 \342\202\254 \360\237\220\264", -1, "UTF-8", 1, 3, "hé € 🐴" },
  { "byte-order-mark", "\357\273\277hi", -1, "UTF-8", 1, 1, "hi" },
  { "overlong", "\300\257", -1, "ISO-8859-1", 1, 1, "À¯" },
  { "surrogate", "\355\240\200", -1, "Windows-1252", 1, 1, NULL },
  { "cut", "abc\342\202", -1, "Windows-1252", 1, 1, "abcâ‚" },
  { "latin-1", "caf\351", -1, "ISO-8859-1", 1, 1, "café" },
  { "windows", "\223x\224", -1, "Windows-1252", 1, 1, "“x”" },
  { "utf-16le", "\377\376h\0i\0\n\0", 8, "UTF-16LE", 1, 1, "hi\n" },
  { "utf-16be", "\376\377\0h\0i\0\n", 8, "UTF-16BE", 1, 1, "hi\n" },
  { "utf-16-unmarked", "h\0i\0 \0y\0o\0u\0", 12, "UTF-16LE", 1, 2, "hi you" },
};

static void
expect_text (gsize i, gsize block_size)
{
  g_autoptr (DemoTextScanner) scanner = demo_text_scanner_new ();
  g_auto (DemoFacts) facts = { 0 };
  gsize size = texts[i].size >= 0 ? (gsize) texts[i].size : strlen (texts[i].bytes);
  const guint8 *bytes = (const guint8 *) texts[i].bytes;

  for (gsize offset = 0; offset < size; offset += block_size)
    demo_text_scanner_feed (scanner, bytes + offset, MIN (block_size, size - offset));
  demo_text_scanner_finish (scanner, &facts);

  g_test_message ("%s, %" G_GSIZE_FORMAT " bytes at a time", texts[i].name, block_size);
  g_assert_cmpstr (facts.encoding, ==, texts[i].encoding);
  g_assert_cmpuint (facts.lines, ==, texts[i].lines);
  g_assert_cmpuint (facts.words, ==, texts[i].words);
  if (texts[i].preview != NULL)
    g_assert_cmpstr (facts.preview->text, ==, texts[i].preview);
}

/* Shows that encoding, lines, words and preview of a text are right. */
static void
test_text (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    expect_text (i, 1024);
}

/* Shows that they do not depend on where a text is cut into blocks. */
static void
test_text_blocks (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      /* What is not marked as UTF-16 is only known by its first bytes. */
      if (g_str_equal (texts[i].name, "utf-16-unmarked"))
        continue;
      for (gsize block_size = 2; block_size < 8; block_size++)
        expect_text (i, block_size);
    }
}

/* Shows that the preview of a long text is short. */
static void
test_text_long (void)
{
  g_autoptr (DemoTextScanner) scanner = demo_text_scanner_new ();
  g_autoptr (GString) text = g_string_new (NULL);
  g_auto (DemoFacts) facts = { 0 };

  for (guint i = 0; i < 10000; i++)
    g_string_append_printf (text, "%0*u\n", 1000, i);
  demo_text_scanner_feed (scanner, (const guint8 *) text->str, text->len);
  demo_text_scanner_finish (scanner, &facts);

  g_assert_cmpuint (facts.lines, ==, 10000);
  g_assert_cmpuint (demo_preview_get_size (facts.preview), <=,
                    DEMO_PREVIEW_LINES * (DEMO_PREVIEW_COLUMNS + 4) + 1);
}

/* Files */

/* Shows that the facts of a file are its own: size, sum, type. */
static void
test_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = put (fixture, "hello.txt", "hello\n", -1);
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, "hello\n", -1);
  g_autoptr (GString) hex = g_string_new (NULL);
  g_auto (DemoFacts) facts = { 0 };

  read_facts (path, &facts);
  for (guint i = 0; i < DEMO_SHA256_SIZE; i++)
    g_string_append_printf (hex, "%02x", facts.sha256[i]);
  g_assert_cmpstr (hex->str, ==, sum);
  g_assert_cmpuint (facts.size, ==, 6);
  g_assert_cmpstr (facts.mime_type, ==, "text/plain");
  g_assert_cmpint (facts.kind, ==, DEMO_KIND_TEXT);
}

/* Shows that a picture is decoded no larger than a thumbnail, in pixels that can be drawn as they
 * are, and that its own size is told. */
static void
test_picture (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "picture.png", NULL);
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, TRUE, 8, 1000, 500);
  g_autoptr (GError) error = NULL;
  g_auto (DemoFacts) facts = { 0 };

  gdk_pixbuf_fill (pixbuf, 0x3584e480);
  gdk_pixbuf_save (pixbuf, path, "png", &error, NULL);
  g_assert_no_error (error);

  read_facts (path, &facts);
  g_assert_cmpuint (facts.width, ==, 1000);
  g_assert_cmpuint (facts.height, ==, 500);
  g_assert_cmpuint (facts.preview->width, ==, DEMO_THUMBNAIL_SIZE);
  g_assert_cmpuint (facts.preview->height, ==, DEMO_THUMBNAIL_SIZE / 2);
  /* #3584e4, half of it, and half of that in each colour. */
  g_assert_cmphex (*(const guint32 *) g_bytes_get_data (facts.preview->pixels, NULL), ==,
                   0x801b4272);
}

/* Shows that a picture that was cut off is a problem, wherever it was cut. */
static void
test_picture_cut (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, 64, 64);
  g_autofree char *bytes = NULL;
  gsize size;

  gdk_pixbuf_fill (pixbuf, 0x26a26900);
  g_assert_true (gdk_pixbuf_save_to_buffer (pixbuf, &bytes, &size, "png", NULL, NULL));
  for (gsize length = 16; length < size - 4; length += 7)
    {
      g_autofree char *path = put (fixture, "cut.png", bytes, (gssize) length);

      expect_problem (path, DEMO_READER_ERROR, DEMO_READER_ERROR_BAD_IMAGE);
    }
}

/* Shows that the preview of an archive is short, whatever its files are called, and says that there
 * are more. */
static void
test_archive_names (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "archive.tar", NULL);
  g_auto (DemoFacts) facts = { 0 };
  struct archive *archive = archive_write_new ();
  struct archive_entry *entry = archive_entry_new ();

  archive_write_set_format_pax (archive);
  g_assert_cmpint (archive_write_open_filename (archive, path), ==, ARCHIVE_OK);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_size (entry, 0);
  for (guint i = 0; i < 2 * DEMO_PREVIEW_LINES; i++)
    {
      g_autofree char *name = g_strdup_printf ("%0*u", 10000, i);

      archive_entry_set_pathname (entry, name);
      g_assert_cmpint (archive_write_header (archive, entry), ==, ARCHIVE_OK);
    }
  archive_entry_free (entry);
  g_assert_cmpint (archive_write_free (archive), ==, ARCHIVE_OK);

  read_facts (path, &facts);
  g_assert_cmpuint (facts.entries, ==, 2 * DEMO_PREVIEW_LINES);
  g_assert_cmpuint (demo_preview_get_size (facts.preview), <=, DEMO_MAX_TEXT);
  g_assert_true (g_str_has_prefix (facts.preview->text, "00000"));
  g_assert_true (g_str_has_suffix (facts.preview->text, "0…\n…\n"));
}

/* Shows that a type whose description is a long story can be shown, with the beginning of that. */
static void
test_long_type (Fixture *fixture, gconstpointer data)
{
  const char *const folders[] = { fixture->folder, NULL };
  g_autofree char *story = g_strnfill (DEMO_MAX_NAME - 1, 'x');
  g_autofree char *contents = NULL;
  const DemoContentType *type;

  contents = g_strdup_printf ("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
                              "<mime-type xmlns=\"http://www.freedesktop.org/standards/"
                              "shared-mime-info\" type=\"text/x-story\">\n"
                              "<comment>%séé</comment>\n</mime-type>\n",
                              story);
  g_free (put (fixture, "text/x-story.xml", contents, -1));

  g_content_type_set_mime_dirs (folders);
  type = demo_content_type_get ("text/x-story");
  g_content_type_set_mime_dirs (NULL);
  g_assert_cmpstr (type->description, ==, story);
}

/* Shows what becomes of things that can't be read as a file; none of them may hang the reader. */
static void
test_problems (Fixture *fixture, gconstpointer data)
{
  g_autofree char *zip = put (fixture, "broken.zip", "PK\003\004and no more", -1);
  g_autofree char *fifo = g_build_filename (fixture->folder, "fifo", NULL);
  g_autofree char *broken = g_build_filename (fixture->folder, "broken-link", NULL);
  g_autofree char *loop = g_build_filename (fixture->folder, "loop", NULL);
  g_autofree char *missing = g_build_filename (fixture->folder, "missing", NULL);

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_cmpint (symlink ("nowhere", broken), ==, 0);
  g_assert_cmpint (symlink ("loop", loop), ==, 0);

  expect_problem (zip, DEMO_READER_ERROR, DEMO_READER_ERROR_BAD_ARCHIVE);
  expect_problem (fifo, DEMO_READER_ERROR, DEMO_READER_ERROR_SPECIAL_FILE);
  expect_problem (fixture->folder, DEMO_READER_ERROR, DEMO_READER_ERROR_SPECIAL_FILE);
  expect_problem ("/dev/null", DEMO_READER_ERROR, DEMO_READER_ERROR_SPECIAL_FILE);
  expect_problem (broken, DEMO_READER_ERROR, DEMO_READER_ERROR_BROKEN_LINK);
  expect_problem (loop, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS);
  expect_problem (missing, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

/* Shows that a reading that is cancelled says so. */
static void
test_cancelled (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = put (fixture, "hello.txt", "hello\n", -1);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  DemoReaderClient client = { .cancellable = cancellable };
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (read_path (path, &client, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* Shows that facts which another process made up are refused. */
static void
test_hostile_facts (void)
{
  static const char *const values[] = {
    "('a', 'b', byte 0x63, uint64 1, int64 1, @ay [], '', uint64 0, uint64 0, uint32 0, uint32 0, "
    "uint64 0, @mv nothing)",
    "('a', 'b', byte 0x01, uint64 1, int64 1, @ay [0x01], '', uint64 0, uint64 0, uint32 0, "
    "uint32 0, uint64 0, @mv nothing)",
    /* pictures without pixels, with too few of them, and without an end */
    "('a', 'b', byte 0x02, uint64 1, int64 1, @ay [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
    "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], '', uint64 0, uint64 0, uint32 9, uint32 9, "
    "uint64 0, @mv <(uint32 0, uint32 0)>)",
    "('a', 'b', byte 0x02, uint64 1, int64 1, @ay [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
    "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], '', uint64 0, uint64 0, uint32 9, uint32 9, "
    "uint64 0, @mv <(uint32 2, uint32 1)>)",
    "('a', 'b', byte 0x02, uint64 1, int64 1, @ay [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
    "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], '', uint64 0, uint64 0, uint32 9, uint32 9, "
    "uint64 0, @mv <(uint32 0x80000001, uint32 2)>)",
    "'hello'",
    "()",
  };
  static const guint32 pixel = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (GVariant) value = g_variant_new_parsed (values[i]);
      g_autoptr (GBytes) pixels = g_bytes_new_static (&pixel, sizeof pixel);
      g_autoptr (GError) error = NULL;
      DemoFacts facts;

      g_assert_false (demo_facts_from_variant (&facts, value, pixels, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
    }
}

static void
expect_taken (const DemoFacts *facts, gboolean is_taken)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (demo_facts_to_variant (facts));
  g_autoptr (GError) error = NULL;
  g_auto (DemoFacts) found = { 0 };

  g_assert_true (demo_facts_from_variant (&found, value, NULL, &error) == is_taken);
  if (!is_taken)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
}

/* Shows that texts are refused that would take long to be drawn, and no others are. */
static void
test_hostile_texts (void)
{
  static const gsize names[] = {
    G_STRUCT_OFFSET (DemoFacts, mime_type),
    G_STRUCT_OFFSET (DemoFacts, description),
    G_STRUCT_OFFSET (DemoFacts, encoding),
  };
  g_autofree char *longest_name = g_strnfill (DEMO_MAX_NAME, 'x');
  g_autofree char *longer_name = g_strnfill (DEMO_MAX_NAME + 1, 'x');
  g_autofree char *longest_text = g_strnfill (DEMO_MAX_TEXT, 'x');
  g_autofree char *longer_text = g_strnfill (DEMO_MAX_TEXT + 1, 'x');
  g_autoptr (DemoPreview) longest = demo_preview_new_text (longest_text);
  g_autoptr (DemoPreview) longer = demo_preview_new_text (longer_text);
  char short_name[] = "x";
  DemoFacts facts = { .mime_type = short_name, .description = short_name, .encoding = short_name };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      char **name = G_STRUCT_MEMBER_P (&facts, names[i]);

      *name = longest_name;
      expect_taken (&facts, TRUE);
      *name = longer_name;
      expect_taken (&facts, FALSE);
      *name = short_name;
    }
  facts.preview = longest;
  expect_taken (&facts, TRUE);
  facts.preview = longer;
  expect_taken (&facts, FALSE);
}

/* Folders */

static gboolean
collect_cb (GVariant *value, gpointer user_data)
{
  g_autoptr (GVariant) names = g_variant_ref_sink (value);
  g_autoptr (GVariantIter) iter = NULL;
  GPtrArray *all = user_data;
  guint64 position;
  const char *name;
  const char *reason;

  g_assert_true (g_variant_is_of_type (names, G_VARIANT_TYPE (DEMO_NAMES_TYPE)));
  g_variant_get (names, "(ta(ays))", &position, &iter);
  g_assert_cmpuint (position, ==, all->len);
  while (g_variant_iter_next (iter, "(^&ay&s)", &name, &reason))
    g_ptr_array_add (all, g_strdup (name));
  return TRUE;
}

/* Shows that a folder's files are told once each, in the same order each time, and that links to
 * folders are not followed. */
static void
test_list (Fixture *fixture, gconstpointer data)
{
  static const char *const expected[] = { "a", "b", "dangling", "link", "s/a", "s/t/z", "u/b" };
  static const char *const files[] = { "b", "s/t/z", "a", "u/b", "s/a" };
  g_autofree char *up = NULL;
  g_autofree char *link = g_build_filename (fixture->folder, "link", NULL);
  g_autofree char *dangling = g_build_filename (fixture->folder, "dangling", NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    g_free (put (fixture, files[i], "", 0));
  up = g_build_filename (fixture->folder, "s", "up", NULL);
  g_assert_cmpint (symlink ("..", up), ==, 0);
  g_assert_cmpint (symlink ("a", link), ==, 0);
  g_assert_cmpint (symlink ("nowhere", dangling), ==, 0);

  for (guint round = 0; round < 2; round++)
    {
      g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);
      g_autoptr (GError) error = NULL;
      guint64 n_names;

      demo_reader_list (fixture->folder, NULL, collect_cb, all, &n_names, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (n_names, ==, G_N_ELEMENTS (expected));
      g_assert_cmpuint (all->len, ==, G_N_ELEMENTS (expected));
      for (guint i = 0; i < all->len; i++)
        g_assert_cmpstr (all->pdata[i], ==, expected[i]);
    }
}

/* Shows that thousands of files come in batches, without a gap and without one too many. */
static void
test_list_many (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  guint64 n_names;

  for (guint i = 0; i < 3000; i++)
    {
      g_autofree char *name = g_strdup_printf ("%04u", i);

      g_free (put (fixture, name, "", 0));
    }
  demo_reader_list (fixture->folder, NULL, collect_cb, all, &n_names, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n_names, ==, 3000);
  for (guint i = 0; i < all->len; i++)
    g_assert_cmpuint (g_ascii_strtoull (all->pdata[i], NULL, 10), ==, i);
}

/* Shows that what is no folder can't be listed. */
static void
test_list_nothing (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = put (fixture, "file", "", 0);
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  guint64 n_names;

  g_assert_false (demo_reader_list (path, NULL, collect_cb, all, &n_names, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_DIRECTORY);
  g_assert_cmpuint (all->len, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/demo-reader/text", test_text);
  g_test_add_func ("/demo-reader/text/blocks", test_text_blocks);
  g_test_add_func ("/demo-reader/text/long", test_text_long);
  g_test_add_func ("/demo-reader/facts/hostile", test_hostile_facts);
  g_test_add_func ("/demo-reader/facts/hostile/texts", test_hostile_texts);
#define ADD(name, function) \
  g_test_add ("/demo-reader/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("file", test_file);
  ADD ("picture", test_picture);
  ADD ("picture/cut", test_picture_cut);
  ADD ("archive/names", test_archive_names);
  ADD ("type/long", test_long_type);
  ADD ("problems", test_problems);
  ADD ("cancelled", test_cancelled);
  ADD ("list", test_list);
  ADD ("list/many", test_list_many);
  ADD ("list/nothing", test_list_nothing);
#undef ADD

  return g_test_run ();
}
