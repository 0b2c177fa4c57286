/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include <signal.h>

/* What commands write, in each shape that it can be had in. */

static DrayTask *
new_shell (const char *script, DraySplit split, DrayEncoding encoding)
{
  const char *argv[] = { "sh", "-c", script, NULL };
  DrayTask *task = dray_task_new_command (argv);

  dray_task_set_split (task, split);
  dray_task_set_encoding (task, encoding);

  return task;
}

static void
collect_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  g_ptr_array_add (user_data, g_variant_ref (value));
}

/* Takes @task; @items: (out) (transfer full): will have what it sends */
static DrayFuture *
submit_collecting (Rig *rig, DrayTask *task, GPtrArray **items)
{
  DrayFuture *future = rig_submit (rig, task);

  *items = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_signal_connect (future, "item", G_CALLBACK (collect_cb), *items);

  return future;
}

/* Runs @script; (transfer full): its items */
static GPtrArray *
run_shell (Rig *rig, const char *script, DraySplit split, DrayEncoding encoding)
{
  GPtrArray *items;
  g_autoptr (DrayFuture) future
    = submit_collecting (rig, new_shell (script, split, encoding), &items);
  g_autoptr (GVariant) result = rig_expect_result (future);

  g_assert_cmpuint (g_variant_get_uint64 (result), ==, items->len);

  return items;
}

typedef struct
{
  const char *script;
  DraySplit split;
  DrayEncoding encoding;
  const char *expected; /* the items, as an array in GVariant's text format */
} Split;

static void
test_splits (Rig *rig, gconstpointer data)
{
  static const Split vectors[] = {
    { "printf 'one\\ntwo\\n'", DRAY_SPLIT_LINES, DRAY_ENCODING_UTF8, "['one', 'two']" },
    { "printf 'one\\n\\ntwo'", DRAY_SPLIT_LINES, DRAY_ENCODING_UTF8, "['one', '', 'two']" },
    { "printf 'a\\nGrüße\\n'", DRAY_SPLIT_LINES, DRAY_ENCODING_UTF8, "['a', 'Grüße']" },
    { "printf 'a\\000b\\n\\377\\n'", DRAY_SPLIT_LINES, DRAY_ENCODING_BYTES,
      "[[byte 0x61, 0x00, 0x62], [0xff]]" },
    { "printf 'one\\000two\\nlines\\000'", DRAY_SPLIT_RECORDS, DRAY_ENCODING_UTF8,
      "['one', 'two\\nlines']" },
    { "printf 'one\\000\\000rest'", DRAY_SPLIT_RECORDS, DRAY_ENCODING_UTF8,
      "['one', '', 'rest']" },
    { "printf '\\376\\000\\n\\000'", DRAY_SPLIT_RECORDS, DRAY_ENCODING_BYTES,
      "[[byte 0xfe], [0x0a]]" },
    { "printf ''", DRAY_SPLIT_LINES, DRAY_ENCODING_UTF8, "@as []" },
    { "printf ''", DRAY_SPLIT_RECORDS, DRAY_ENCODING_BYTES, "@aay []" },
    { "printf ''", DRAY_SPLIT_CHUNKS, DRAY_ENCODING_UTF8, "@as []" },
    { "printf 'in one go'", DRAY_SPLIT_CHUNKS, DRAY_ENCODING_UTF8, "['in one go']" },
  };

  g_test_summary ("Lines, NUL-ended records and chunks become items, in bytes or text; the result "
                  "is their number.");

  rig_start_without_workers (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GPtrArray) items
        = run_shell (rig, vectors[i].script, vectors[i].split, vectors[i].encoding);
      g_autoptr (GVariant) expected
        = g_variant_ref_sink (g_variant_new_parsed (vectors[i].expected));
      const GVariantType *type = g_variant_type_element (g_variant_get_type (expected));
      g_autoptr (GVariant) actual = g_variant_ref_sink (
        g_variant_new_array (type, (GVariant *const *) items->pdata, items->len));

      g_assert_cmpvariant (actual, expected);
    }
}

static void
test_whole (Rig *rig, gconstpointer data)
{
  static const Split vectors[] = {
    { "printf 'one\\ntwo'", DRAY_SPLIT_NONE, DRAY_ENCODING_UTF8, "'one\\ntwo'" },
    { "printf ''", DRAY_SPLIT_NONE, DRAY_ENCODING_UTF8, "''" },
    { "printf 'a\\000\\377'", DRAY_SPLIT_NONE, DRAY_ENCODING_BYTES, "[byte 0x61, 0x00, 0xff]" },
    { "printf ''", DRAY_SPLIT_NONE, DRAY_ENCODING_BYTES, "@ay []" },
  };

  g_test_summary ("Unsplit, the whole output is the result.");

  rig_start_without_workers (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (DrayFuture) future
        = rig_submit (rig, new_shell (vectors[i].script, vectors[i].split, vectors[i].encoding));
      g_autoptr (GVariant) result = rig_expect_result (future);
      g_autoptr (GVariant) expected
        = g_variant_ref_sink (g_variant_new_parsed (vectors[i].expected));

      g_assert_cmpvariant (result, expected);
    }
}

static void
count_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  guint64 *n = user_data;
  g_autofree char *expected = g_strdup_printf ("%" G_GUINT64_FORMAT, ++(*n));

  g_assert_cmpstr (g_variant_get_string (value, NULL), ==, expected);
}

static void
test_many_lines (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  guint64 n = 0;

  g_test_summary ("A long output arrives line by line, whole and in order.");

  rig_start_without_workers (rig);
  future = rig_submit (rig, new_shell ("seq 200000", DRAY_SPLIT_LINES, DRAY_ENCODING_UTF8));
  g_signal_connect (future, "item", G_CALLBACK (count_cb), &n);
  rig_expect_text (future, "uint64 200000");
  g_assert_cmpuint (n, ==, 200000);
}

static gboolean
has_items (gpointer user_data)
{
  guint64 *n = user_data;

  return *n == 3;
}

static void
test_streamed (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  guint64 n = 0;

  g_test_summary ("Lines come while the command runs.");

  rig_start_without_workers (rig);
  future
    = rig_submit (rig, new_shell ("seq 3; exec sleep 300", DRAY_SPLIT_LINES, DRAY_ENCODING_UTF8));
  g_signal_connect (future, "item", G_CALLBACK (count_cb), &n);
  fixture_iterate_until (has_items, &n, "three lines came");
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
}

static void
test_huge (Rig *rig, gconstpointer data)
{
  const gsize size = 100 * 1000 * 1000;
  g_autoptr (GPtrArray) chunks = NULL;
  gsize total = 0;

  g_test_summary ("A hundred megabytes arrive whole, in chunks of a size one can work with.");

  rig_start_without_workers (rig);
  chunks = run_shell (rig, "head -c 100000000 /dev/zero", DRAY_SPLIT_CHUNKS, DRAY_ENCODING_BYTES);
  for (guint i = 0; i < chunks->len; i++)
    {
      g_assert_cmpuint (g_variant_get_size (chunks->pdata[i]), <=, 64 * 1024);
      total += g_variant_get_size (chunks->pdata[i]);
    }
  g_assert_cmpuint (total, ==, size);
}

/* Outputs that are refused */

static void
test_invalid_text (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *script;
    DraySplit split;
    const char *pattern;
  } vectors[] = {
    { "printf 'one\\ntwo\\n\\377\\nfour\\n'", DRAY_SPLIT_LINES, "*line 3*" },
    { "printf 'a\\000b\\n'", DRAY_SPLIT_LINES, "*line 1*" },
    { "printf 'good\\000\\303\\000'", DRAY_SPLIT_RECORDS, "*record 2*" },
    { "printf 'abc\\300'", DRAY_SPLIT_CHUNKS, "*byte 4*" },
    { "printf 'abc\\303'", DRAY_SPLIT_CHUNKS, "*byte 4*" },
    { "printf 'ab\\355\\240\\200'", DRAY_SPLIT_NONE, "*byte 3*" },
    { "printf 'a\\000'", DRAY_SPLIT_NONE, "*byte 2*" },
    { "printf '\\377\\n'; exec sleep 300", DRAY_SPLIT_LINES, "*line 1*" },
    { "printf '\\377\\n'; exec yes", DRAY_SPLIT_LINES, "*line 1*" },
  };

  g_test_summary ("Output that is not UTF-8 is an error which says where, and never passed off as "
                  "text; the command is ended.");

  rig_start_without_workers (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (DrayFuture) future
        = rig_submit (rig, new_shell (vectors[i].script, vectors[i].split, DRAY_ENCODING_UTF8));

      rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_INVALID_TEXT, vectors[i].pattern);
    }
}

static void
test_too_long (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *script;
    DraySplit split;
    guint n_items;
  } vectors[] = {
    { "echo short; head -c 5000 /dev/zero | tr '\\000' x; exec sleep 300", DRAY_SPLIT_LINES, 1 },
    { "printf 'short\\000'; exec yes", DRAY_SPLIT_RECORDS, 1 },
    { "exec yes", DRAY_SPLIT_NONE, 0 },
  };

  g_test_summary ("A line, record or output beyond its limit is an error, and what came before was "
                  "delivered; the command is ended.");

  rig_start_without_workers (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      DrayTask *task = new_shell (vectors[i].script, vectors[i].split, DRAY_ENCODING_UTF8);
      g_autoptr (GPtrArray) items = NULL;
      g_autoptr (DrayFuture) future = NULL;

      dray_task_set_max_record_size (task, 4096);
      dray_task_set_max_output_size (task, 100000);
      future = submit_collecting (rig, task, &items);
      rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, "?*");
      g_assert_cmpuint (items->len, ==, vectors[i].n_items);
    }
}

static void
test_cut_off (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *script;
    DraySplit split;
    guint n_items;
  } vectors[] = {
    { "printf 'whole\\ncut'; kill -KILL $$", DRAY_SPLIT_LINES, 1 },
    { "printf 'whole\\nGr\\303'; kill -KILL $$", DRAY_SPLIT_LINES, 1 },
    { "printf 'whole\\000/home/user/cut'; kill -KILL $$", DRAY_SPLIT_RECORDS, 1 },
    { "printf 'cut'; kill -KILL $$", DRAY_SPLIT_RECORDS, 0 },
    { "printf 'whole\\n'; kill -KILL $$", DRAY_SPLIT_LINES, 1 },
    { "printf 'a part'; kill -KILL $$", DRAY_SPLIT_CHUNKS, 1 },
  };

  g_test_summary ("What a command that was killed has written of a line or a record is no item: "
                  "nobody shall take it for a whole one.");

  rig_start_without_workers (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GPtrArray) items = NULL;
      g_autoptr (DrayFuture) future = submit_collecting (
        rig, new_shell (vectors[i].script, vectors[i].split, DRAY_ENCODING_UTF8), &items);

      rig_expect_error (future, DRAY_SIGNAL_ERROR, SIGKILL, "?*");
      g_assert_cmpuint (items->len, ==, vectors[i].n_items);
    }
}

static void
test_bounded (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_shell ("exec yes", DRAY_SPLIT_LINES, DRAY_ENCODING_UTF8);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A command that writes without end, with nobody to take it, waits in its pipe.");

  rig_start_without_workers (rig);
  g_object_set (rig->executor, "max-undelivered-items", 1000, NULL);
  future = rig_submit (rig, task);
  while (rig_get_count (rig, undelivered_items) < 1000)
    g_thread_yield ();
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_items), <, 2 * 1000 * 1000);
  g_assert_cmpuint (rig_get_count (rig, bytes_in), <, 4 * 1000 * 1000);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
}

static void
test_timers (Rig *rig, gconstpointer data)
{
  const char *argv[] = { "cat", "/proc/self/timerslack_ns", NULL };
  DrayTask *task = dray_task_new_command (argv);
  g_autofree char *ours = NULL;
  g_autofree char *expected = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A command's timers are as exact as those of the application, and no more.");

  g_file_get_contents (argv[1], &ours, NULL, &error);
  g_assert_no_error (error);
  expected = g_strdup_printf ("'%s\\n'", g_strchomp (ours));
  rig_start_without_workers (rig);
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
  future = rig_submit (rig, task);
  rig_expect_text (future, expected);
}

/* Many */

static void
test_hundreds (Rig *rig, gconstpointer data)
{
  const char *argv[] = { "/bin/true", NULL };
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Two hundred short commands come and go.");

  rig_start_without_workers (rig);
  for (int i = 0; i < 200; i++)
    g_ptr_array_add (futures, rig_submit (rig, dray_task_new_command (argv)));
  for (int i = 0; i < 200; i++)
    rig_expect_text (futures->pdata[i], "@ay []");
  g_assert_cmpuint (rig_get_count (rig, commands_started), ==, 200);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, 200);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/commands/splits", NULL, test_splits);
  rig_add ("/commands/whole", NULL, test_whole);
  rig_add ("/commands/many-lines", NULL, test_many_lines);
  rig_add ("/commands/streamed", NULL, test_streamed);
  rig_add ("/commands/huge", NULL, test_huge);
  rig_add ("/commands/invalid-text", NULL, test_invalid_text);
  rig_add ("/commands/too-long", NULL, test_too_long);
  rig_add ("/commands/cut-off", NULL, test_cut_off);
  rig_add ("/commands/bounded", NULL, test_bounded);
  rig_add ("/commands/timers", NULL, test_timers);
  rig_add ("/commands/hundreds", NULL, test_hundreds);

  return g_test_run ();
}
