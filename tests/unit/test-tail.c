/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-tail.h"

/* What is left of a standard error, and how it is shown. */

static void
test_table (void)
{
  g_test_summary ("The last lines are shown, valid, without control characters, empty lines and "
                  "trailing white space, whatever pieces they came in.");

  static const struct
  {
    const char *bytes;
    gsize size; /* 0: up to the NUL */
    guint max_lines;
    const char *expected;
  } table[] = {
    { "", 0, 10, NULL },
    { "\n", 0, 10, NULL },
    { " \t\r\n \n", 0, 10, NULL },
    { "one", 0, 10, "one" },
    { "one\n", 0, 10, "one" },
    { "one\n", 0, 0, NULL },
    { "one\ntwo\nthree\n", 0, 2, "two\nthree" },
    { "one\ntwo\nthree", 0, 1, "three" },
    { "one\ntwo\n", 0, 2, "one\ntwo" },
    { "one\n\n\ntwo  \n\n", 0, 10, "one\ntwo" },
    { "\n\n  one\n", 0, 10, "  one" },
    { "one\r\ntwo\r\n", 0, 10, "one\ntwo" },
    { "10 %\r20 %\rdone\r\n", 0, 10, "done" },
    { "a\tb", 0, 10, "a b" },
    { "\033[31mred\033[0m", 0, 10, " [31mred [0m" },
    { "a\0b", 3, 10, "a\xef\xbf\xbd" "b" },
    { "\xc3\xa4\xc3", 0, 10, "\xc3\xa4\xef\xbf\xbd" },
    { "\xff\xfe", 0, 10, "\xef\xbf\xbd\xef\xbf\xbd" },
    { "caf\xc3\xa9\n", 0, 10, "caf\xc3\xa9" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    for (gsize piece = 1; piece <= 16; piece++)
      {
        gsize size = table[i].size != 0 ? table[i].size : strlen (table[i].bytes);
        g_autofree DrayTail *tail = g_new0 (DrayTail, 1);
        g_autofree char *lines = NULL;

        for (gsize done = 0; done < size; done += MIN (piece, size - done))
          dray_tail_add (tail, (const guint8 *) table[i].bytes + done, MIN (piece, size - done));
        lines = dray_tail_dup_lines (tail, table[i].max_lines);
        g_assert_cmpstr (lines, ==, table[i].expected);
      }
}

/* (transfer full): line number 0 and those that follow, up to @size bytes or a little more. */
static GString *
make_lines (gsize size)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; text->len < size; i++)
    g_string_append_printf (text, "line number %u\n", i);
  return text;
}

static void
test_long (void)
{
  g_test_summary ("Of a long text only the end is kept, whole lines of it, whatever pieces it "
                  "came in.");

  static const gsize pieces[] = { 1, 7, 100, DRAY_TAIL_SIZE - 1, DRAY_TAIL_SIZE,
                                  DRAY_TAIL_SIZE + 1, 3 * DRAY_TAIL_SIZE, 100000 };
  g_autoptr (GString) text = make_lines (50000);

  for (guint i = 0; i < G_N_ELEMENTS (pieces); i++)
    {
      g_autofree DrayTail *tail = g_new0 (DrayTail, 1);
      g_autofree char *few = NULL;
      g_autofree char *all = NULL;

      for (gsize done = 0; done < text->len; done += MIN (pieces[i], text->len - done))
        dray_tail_add (tail, (const guint8 *) text->str + done,
                       MIN (pieces[i], text->len - done));

      few = dray_tail_dup_lines (tail, 2);
      all = dray_tail_dup_lines (tail, G_MAXUINT);
      g_assert_true (g_str_has_prefix (few, "line number "));
      g_assert_true (g_str_has_prefix (all, "line number "));
      g_assert_true (g_str_has_suffix (all, few));
      g_assert_cmpuint (strlen (all), <=, DRAY_TAIL_SIZE);
      g_assert_cmpuint (strlen (all), >, DRAY_TAIL_SIZE - 50);
      /* The text ends in a newline; what is shown does not. */
      g_assert_true (strncmp (text->str + text->len - 1 - strlen (all), all, strlen (all)) == 0);
    }
}

static void
test_full (void)
{
  g_test_summary ("A text that just fits is kept whole, and of one with a byte more the first "
                  "line is left out.");

  for (gsize extra = 0; extra <= 1; extra++)
    {
      g_autofree DrayTail *tail = g_new0 (DrayTail, 1);
      g_autofree char *text = g_strnfill (DRAY_TAIL_SIZE + extra, 'x');
      g_autofree char *lines = NULL;

      text[1] = '\n';
      dray_tail_add (tail, (const guint8 *) text, DRAY_TAIL_SIZE + extra);
      lines = dray_tail_dup_lines (tail, 10);
      g_assert_cmpuint (strlen (lines), ==, DRAY_TAIL_SIZE - extra);
      g_assert_cmpint (lines[0] == 'x' && lines[1] == '\n', ==, extra == 0);
    }
}

static void
test_one_line (void)
{
  g_test_summary ("Of one line that is longer than what is kept the end is shown, from a whole "
                  "character on, after an ellipsis.");

  for (guint newline = 0; newline <= 1; newline++)
    {
      g_autofree DrayTail *tail = g_new0 (DrayTail, 1);
      g_autofree char *line = NULL;

      for (guint i = 0; i < DRAY_TAIL_SIZE; i++)
        dray_tail_add (tail, (const guint8 *) "\xe2\x82\xac", 3);
      if (newline)
        dray_tail_add (tail, (const guint8 *) "\n", 1);

      line = dray_tail_dup_lines (tail, 10);
      g_assert_true (g_utf8_validate (line, -1, NULL));
      g_assert_true (g_str_has_prefix (line, "…€€€"));
      g_assert_cmpuint (strlen (line), >, DRAY_TAIL_SIZE - 10);
      g_assert_null (strstr (line, "\xef\xbf\xbd"));
    }
}

static void
test_clear (void)
{
  g_test_summary ("A tail that was cleared is as good as new, also after it was full.");

  g_autofree DrayTail *tail = g_new0 (DrayTail, 1);
  g_autofree char *text = g_strnfill (3 * DRAY_TAIL_SIZE, 'x');
  g_autofree char *lines = NULL;

  dray_tail_add (tail, (const guint8 *) text, 3 * DRAY_TAIL_SIZE);
  dray_tail_clear (tail);
  g_assert_null (dray_tail_dup_lines (tail, 10));

  dray_tail_add (tail, (const guint8 *) "new\n", 4);
  dray_tail_add (tail, NULL, 0);
  lines = dray_tail_dup_lines (tail, 10);
  g_assert_cmpstr (lines, ==, "new");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/tail/table", test_table);
  g_test_add_func ("/tail/long", test_long);
  g_test_add_func ("/tail/full", test_full);
  g_test_add_func ("/tail/one-line", test_one_line);
  g_test_add_func ("/tail/clear", test_clear);

  return g_test_run ();
}
