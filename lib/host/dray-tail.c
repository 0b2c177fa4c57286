/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-tail.h"

#define ELLIPSIS "…"
#define UTF8_IS_CONTINUATION(byte) (((byte) &0xc0) == 0x80)

void
dray_tail_add (DrayTail *self, const guint8 *bytes, gsize size)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (bytes != NULL || size == 0);

  if (size >= DRAY_TAIL_SIZE)
    {
      /* More came at once than is kept. If there was nothing before and this fits exactly,
       * nothing is lost, and the next byte is the first that takes another one's place. */
      self->wrapped = self->wrapped || self->position > 0 || size > DRAY_TAIL_SIZE;
      memcpy (self->bytes, bytes + (size - DRAY_TAIL_SIZE), DRAY_TAIL_SIZE);
      self->position = DRAY_TAIL_SIZE;
      return;
    }

  gsize room = DRAY_TAIL_SIZE - self->position;
  gsize first = MIN (size, room);

  if (size == 0)
    return;

  memcpy (self->bytes + self->position, bytes, first);
  self->position += first;
  if (first < size)
    {
      memcpy (self->bytes, bytes + first, size - first);
      self->position = size - first;
      self->wrapped = TRUE;
    }
}

void
dray_tail_clear (DrayTail *self)
{
  g_return_if_fail (self != NULL);

  self->position = 0;
  self->wrapped = FALSE;
}

/* (transfer full): all bytes that are kept, in the order in which they came. */
static GByteArray *
dup_bytes (const DrayTail *self)
{
  GByteArray *bytes = g_byte_array_sized_new (DRAY_TAIL_SIZE);

  if (self->wrapped)
    g_byte_array_append (bytes, self->bytes + self->position, DRAY_TAIL_SIZE - self->position);
  g_byte_array_append (bytes, self->bytes, self->position);
  return bytes;
}

/* Where the first whole line begins, in bytes whose beginning is lost. If there is only one line
 * *cut says that it is not whole, and it is shown from its first whole character on. */
static gsize
skip_cut_line (const GByteArray *bytes, gboolean *cut)
{
  const guint8 *newline = memchr (bytes->data, '\n', bytes->len);
  gsize start = 0;

  *cut = newline == NULL || newline == bytes->data + bytes->len - 1;
  if (!*cut)
    return newline + 1 - bytes->data;

  while (start < bytes->len && UTF8_IS_CONTINUATION (bytes->data[start]))
    start++;
  return start;
}

/* As a terminal would show it: of a line that was written over again and again, such as a
 * progress bar, the last state. Other control characters would garble a dialog. */
static void
append_line (GString *text, char *line)
{
  const char *shown = strrchr (g_strchomp (line), '\r');

  for (const char *p = shown != NULL ? shown + 1 : line; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar character = g_utf8_get_char (p);

      g_string_append_unichar (text, g_unichar_iscntrl (character) ? ' ' : character);
    }
  g_strchomp (text->str);
  text->len = strlen (text->str);
}

char *
dray_tail_dup_lines (const DrayTail *self, guint max_lines)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_autoptr (GByteArray) bytes = dup_bytes (self);
  gboolean cut = FALSE;
  gsize start = self->wrapped ? skip_cut_line (bytes, &cut) : 0;
  /* A NUL has become U+FFFD, so no line ends early. */
  g_autofree char *text = g_utf8_make_valid ((const char *) bytes->data + start,
                                             (gssize) (bytes->len - start));
  g_auto (GStrv) lines = g_strsplit (g_strchomp (text), "\n", -1);
  g_autoptr (GString) shown = g_string_new (NULL);
  guint n_lines = g_strv_length (lines);

  for (guint i = n_lines - MIN (n_lines, max_lines); i < n_lines; i++)
    {
      if (i == 0 && cut)
        g_string_append (shown, ELLIPSIS);
      append_line (shown, lines[i]);
      if (i + 1 < n_lines && shown->len > 0)
        g_string_append_c (shown, '\n');
    }

  return shown->len > 0 ? g_string_free (g_steal_pointer (&shown), FALSE) : NULL;
}
