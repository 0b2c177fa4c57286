/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "content.h"

#include <string.h>

/*
 * The scanner looks at every byte once. It starts by supposing the encoding that the first bytes
 * speak for: a byte order mark, or NULs on one side of every pair, mean UTF-16; else it is UTF-8
 * until a sequence turns up that is not. What is not UTF-8 is taken for Windows-1252 if it has
 * bytes that only that one uses, and for ISO 8859-1 otherwise.
 *
 * Lines and words are counted meanwhile; since a word ends at ASCII white space only, the count
 * is the same in all of the encodings of single bytes.
 */

#define HEAD_SIZE (16 * 1024)

typedef enum
{
  WIDTH_UNKNOWN,
  WIDTH_BYTES,
  WIDTH_UTF16_LE,
  WIDTH_UTF16_BE,
} Width;

struct _DemoTextScanner
{
  Width width;
  GByteArray *head; /* (owned): the first bytes, for the preview */

  guint64 lines;
  guint64 words;
  gboolean in_word;
  gboolean in_line; /* since the last end of a line something came */

  gboolean is_utf8;   /* so far */
  gboolean is_ascii;  /* so far */
  gboolean has_c1;    /* bytes 0x80 … 0x9f, which ISO 8859-1 text does not have */
  guint n_following;  /* bytes of a UTF-8 sequence that are still to come */
  guint8 lowest_next; /* the range that the next of them must be in */
  guint8 highest_next;

  gboolean has_odd_byte; /* UTF-16: the half of a unit, from the end of the last block */
  guint8 odd_byte;
};

DemoTextScanner *
demo_text_scanner_new (void)
{
  DemoTextScanner *self = g_new0 (DemoTextScanner, 1);

  self->head = g_byte_array_new ();
  self->is_utf8 = TRUE;
  self->is_ascii = TRUE;
  return self;
}

void
demo_text_scanner_free (DemoTextScanner *self)
{
  g_byte_array_unref (self->head);
  g_free (self);
}

static Width
guess_width (const guint8 *bytes, gsize size)
{
  gsize n_pairs = MIN (size, 512) / 2;
  gsize n_even = 0;
  gsize n_odd = 0;

  if (size >= 2 && bytes[0] == 0xff && bytes[1] == 0xfe)
    return WIDTH_UTF16_LE;
  if (size >= 2 && bytes[0] == 0xfe && bytes[1] == 0xff)
    return WIDTH_UTF16_BE;

  for (gsize i = 0; i < n_pairs; i++)
    {
      n_even += bytes[2 * i] == 0;
      n_odd += bytes[2 * i + 1] == 0;
    }
  if (n_pairs >= 4 && n_odd * 2 > n_pairs && n_even == 0)
    return WIDTH_UTF16_LE;
  if (n_pairs >= 4 && n_even * 2 > n_pairs && n_odd == 0)
    return WIDTH_UTF16_BE;
  return WIDTH_BYTES;
}

static inline void
count (DemoTextScanner *self, guint unit)
{
  gboolean is_space = unit == ' ' || (unit >= '\t' && unit <= '\r');

  if (!is_space && !self->in_word)
    self->words++;
  self->in_word = !is_space;
  if (unit == '\n')
    self->lines++;
  self->in_line = unit != '\n';
}

/* The ranges of Unicode's table 3-7: no overlong sequences, no surrogates, nothing above
 * U+10FFFF. */
static void
begin_sequence (DemoTextScanner *self, guint8 byte)
{
  self->lowest_next = 0x80;
  self->highest_next = 0xbf;

  if (byte >= 0xc2 && byte <= 0xdf)
    self->n_following = 1;
  else if (byte >= 0xe0 && byte <= 0xef)
    self->n_following = 2;
  else if (byte >= 0xf0 && byte <= 0xf4)
    self->n_following = 3;
  else
    self->is_utf8 = FALSE;

  if (byte == 0xe0)
    self->lowest_next = 0xa0;
  else if (byte == 0xed)
    self->highest_next = 0x9f;
  else if (byte == 0xf0)
    self->lowest_next = 0x90;
  else if (byte == 0xf4)
    self->highest_next = 0x8f;
}

static void
check_byte (DemoTextScanner *self, guint8 byte)
{
  if (byte >= 0x80)
    {
      self->is_ascii = FALSE;
      self->has_c1 |= byte < 0xa0;
    }
  if (!self->is_utf8)
    return;

  if (self->n_following == 0)
    {
      if (byte >= 0x80)
        begin_sequence (self, byte);
      return;
    }
  if (byte < self->lowest_next || byte > self->highest_next)
    {
      self->is_utf8 = FALSE;
      return;
    }
  self->n_following--;
  self->lowest_next = 0x80;
  self->highest_next = 0xbf;
}

static void
feed_bytes (DemoTextScanner *self, const guint8 *bytes, gsize size)
{
  for (gsize i = 0; i < size; i++)
    {
      if (bytes[i] >= 0x80 || self->n_following > 0)
        check_byte (self, bytes[i]);
      count (self, bytes[i]);
    }
}

static void
feed_utf16 (DemoTextScanner *self, const guint8 *bytes, gsize size)
{
  for (gsize i = 0; i < size; i++)
    {
      guint unit;

      if (!self->has_odd_byte)
        {
          self->odd_byte = bytes[i];
          self->has_odd_byte = TRUE;
          continue;
        }
      self->has_odd_byte = FALSE;
      unit = self->width == WIDTH_UTF16_LE ? self->odd_byte | (guint) bytes[i] << 8
                                           : bytes[i] | (guint) self->odd_byte << 8;
      if (unit != 0xfeff)
        count (self, unit);
    }
}

void
demo_text_scanner_feed (DemoTextScanner *self, const guint8 *bytes, gsize size)
{
  if (size == 0)
    return;

  if (self->width == WIDTH_UNKNOWN)
    self->width = guess_width (bytes, size);
  if (self->head->len < HEAD_SIZE)
    g_byte_array_append (self->head, bytes, (guint) MIN (size, HEAD_SIZE - self->head->len));

  if (self->width == WIDTH_BYTES)
    feed_bytes (self, bytes, size);
  else
    feed_utf16 (self, bytes, size);
}

/* A name that people know, which g_convert() knows too. */
static const char *
get_encoding (DemoTextScanner *self)
{
  switch (self->width)
    {
    case WIDTH_UTF16_LE:
      return "UTF-16LE";
    case WIDTH_UTF16_BE:
      return "UTF-16BE";
    case WIDTH_UNKNOWN:
    case WIDTH_BYTES:
    default:
      if (self->is_ascii)
        return "ASCII";
      if (self->is_utf8 && self->n_following == 0)
        return "UTF-8";
      return self->has_c1 ? "Windows-1252" : "ISO-8859-1";
    }
}

char *
demo_text_shorten (const char *text, guint n_lines)
{
  GString *shown = g_string_new (NULL);
  guint n_columns = 0;

  for (const char *p = text; *p != '\0' && n_lines > 0; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (c == '\n')
        {
          n_lines--;
          n_columns = 0;
          g_string_append_c (shown, '\n');
        }
      else if (c == '\r' || c == 0xfeff)
        continue;
      else if (n_columns < DEMO_PREVIEW_COLUMNS)
        {
          n_columns++;
          g_string_append_unichar (shown, c == '\t' || !g_unichar_iscntrl (c) ? c : 0xfffd);
        }
      else if (n_columns == DEMO_PREVIEW_COLUMNS)
        {
          n_columns++;
          g_string_append (shown, "…");
        }
    }
  return g_string_free (shown, FALSE);
}

/* The end of the head may cut a character: that is no reason to show nothing. */
static char *
make_preview (DemoTextScanner *self, const char *encoding)
{
  const char *head = (const char *) self->head->data;
  g_autofree char *text = NULL;
  gsize n_bytes_read = 0;

  if (self->head->len == 0)
    return g_strdup ("");
  text = g_convert (head, self->head->len, "UTF-8", encoding, &n_bytes_read, NULL, NULL);
  if (text == NULL && n_bytes_read > 0)
    text = g_convert (head, (gssize) n_bytes_read, "UTF-8", encoding, NULL, NULL, NULL);
  if (text == NULL)
    text = g_utf8_make_valid (head, self->head->len);
  return demo_text_shorten (text, DEMO_PREVIEW_LINES);
}

void
demo_text_scanner_finish (DemoTextScanner *self, DemoFacts *facts)
{
  const char *encoding = get_encoding (self);
  g_autofree char *preview = make_preview (self, encoding);

  facts->encoding = g_strdup (encoding);
  facts->lines = self->lines + (self->in_line ? 1 : 0);
  facts->words = self->words;
  facts->preview = demo_preview_new_text (preview);
}
