/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The demo's arranger: which files are shown, and in which order. */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "arranger.h"

#define N_FILES 20000

typedef struct
{
  DemoFileStore *store;    /* (owned) */
  DemoArranger *arranger;  /* (owned) */
  DemoArrangement *answer; /* (owned) (nullable): the last one */
  guint n_answers;
} Fixture;

static void
arranged_cb (DemoArrangement *arrangement, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_clear_pointer (&fixture->answer, demo_arrangement_free);
  fixture->answer = arrangement;
  fixture->n_answers++;
}

/* Found, and not done. */
static void
find_files (Fixture *fixture, guint n_files)
{
  for (guint i = 0; i < n_files; i++)
    {
      guint number = (guint) g_test_rand_int_range (0, 5000);
      g_autofree char *name = g_strdup_printf ("Folder %u/file %u", number % 7, number);

      demo_file_store_add (fixture->store, name);
    }
}

static void
do_file (Fixture *fixture, guint index)
{
  const DemoFile *file = demo_file_store_get_file (fixture->store, index);
  guint number = (guint) atoi (demo_file_get_name (file) + strlen ("file "));
  DemoFacts facts = { .mime_type = (char *) (number % 2 == 0 ? "a/a" : "b/b"),
                      .description = (char *) (number % 2 == 0 ? "An A" : "A b"),
                      .kind = DEMO_KIND_TEXT,
                      .encoding = (char *) "ASCII",
                      .size = number,
                      .lines = number % 100 };

  if (number % 50 == 0)
    demo_file_store_set_failed (fixture->store, index, "why", "why in a sentence");
  else
    demo_file_store_set_read (fixture->store, index, &facts);
}

/* Does as many files as that, those first that were found last. */
static void
do_files (Fixture *fixture, guint n_files)
{
  for (guint i = demo_file_store_get_n_files (fixture->store); i > 0 && n_files > 0; i--)
    {
      if (demo_file_store_get_file (fixture->store, i - 1)->state == DEMO_FILE_DONE)
        continue;
      do_file (fixture, i - 1);
      n_files--;
    }
}

static void
add_files (Fixture *fixture, guint n_files)
{
  find_files (fixture, n_files);
  do_files (fixture, n_files);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->store = demo_file_store_new ("/nowhere");
  fixture->arranger = demo_arranger_new (arranged_cb, fixture);
  add_files (fixture, N_FILES);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_clear_pointer (&fixture->arranger, demo_arranger_free);
  g_clear_pointer (&fixture->answer, demo_arrangement_free);
  demo_file_store_unref (fixture->store);
}

/* The arrangement of all files in the store. */
static DemoArrangement *
arrange (Fixture *fixture, DemoSort sort, gboolean descending, const char *needle)
{
  guint64 serial = demo_arranger_request (
    fixture->arranger, fixture->store, demo_file_store_get_n_files (fixture->store),
    demo_file_store_get_n_done (fixture->store), sort, descending, needle);

  while (fixture->answer == NULL || fixture->answer->serial != serial)
    g_main_context_iteration (NULL, TRUE);
  return g_steal_pointer (&fixture->answer);
}

static const DemoFile *
get_file (Fixture *fixture, const DemoArrangement *arrangement, guint row)
{
  return demo_file_store_get_file (fixture->store, arrangement->shown[row]);
}

/* Whether two files, one shown after the other, may be so. */
static gboolean
is_in_order (DemoSort sort, const DemoFile *a, const DemoFile *b)
{
  switch (sort)
    {
    case DEMO_SORT_NAME:
      return atoi (demo_file_get_name (a) + strlen ("file "))
             <= atoi (demo_file_get_name (b) + strlen ("file "));
    case DEMO_SORT_FOLDER:
      return a->path[strlen ("Folder ")] <= b->path[strlen ("Folder ")];
    case DEMO_SORT_SIZE:
      return a->size <= b->size;
    case DEMO_SORT_TYPE:
      return b->type == NULL
             || (a->type != NULL
                 && g_utf8_collate (a->type->description, b->type->description) <= 0);
    case DEMO_SORT_CONTENTS:
      return b->type == NULL || (a->type != NULL && a->facts.text.lines <= b->facts.text.lines);
    case DEMO_SORT_ARRIVAL:
    case DEMO_N_SORTS:
    default:
      return TRUE;
    }
}

/* Shows that each sort puts all files in order, both ways, and keeps the order in which they were
 * found where files are alike. */
static void
test_sort (Fixture *fixture, gconstpointer data)
{
  for (DemoSort sort = DEMO_SORT_ARRIVAL; sort < DEMO_N_SORTS; sort++)
    for (guint descending = 0; descending < 2; descending++)
      {
        g_autoptr (DemoArrangement) all = arrange (fixture, sort, descending != 0, NULL);

        g_assert_cmpuint (all->n_shown, ==, N_FILES);
        for (guint i = 1; i < all->n_shown; i++)
          {
            const DemoFile *a = get_file (fixture, all, descending ? i : i - 1);
            const DemoFile *b = get_file (fixture, all, descending ? i - 1 : i);

            g_assert_true (is_in_order (sort, a, b));
            if (is_in_order (sort, b, a) && sort != DEMO_SORT_FOLDER)
              g_assert_cmpuint (all->shown[i - 1], <, all->shown[i]);
          }
      }
}

/* Shows that files that come while the list is sorted and filtered end up where they would have
 * been, had they been there from the start. */
static void
test_merge (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DemoArrangement) merged = NULL;
  g_autoptr (DemoArrangement) at_once = NULL;

  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (DemoArrangement) before = arrange (fixture, DEMO_SORT_NAME, TRUE, "FOLDER 3");

      g_assert_cmpuint (before->n_files, ==, N_FILES + i * 100);
      add_files (fixture, 100);
    }
  merged = arrange (fixture, DEMO_SORT_NAME, TRUE, "FOLDER 3");
  demo_arrangement_free (arrange (fixture, DEMO_SORT_SIZE, FALSE, NULL));
  at_once = arrange (fixture, DEMO_SORT_NAME, TRUE, "FOLDER 3");

  g_assert_cmpmem (merged->shown, merged->n_shown * sizeof *merged->shown, at_once->shown,
                   at_once->n_shown * sizeof *at_once->shown);
}

/* Shows that files which are not done stay behind those that are, in the order in which they were
 * found, and that each one that is done meanwhile ends up where it would have been, had it been
 * done from the start; whatever it is sorted by, and with a needle or without. */
static void
test_pending (Fixture *fixture, gconstpointer data)
{
  static const char *const needles[] = { NULL, "folder 3" };

  find_files (fixture, N_FILES);
  for (guint i = 0; i < 2 * DEMO_N_SORTS; i++)
    {
      DemoSort sort = i / 2;
      const char *needle = needles[i % 2];
      g_autoptr (DemoArrangement) merged = NULL;
      g_autoptr (DemoArrangement) at_once = NULL;
      gboolean was_done = TRUE;

      for (guint k = 0; k < 5; k++)
        {
          demo_arrangement_free (arrange (fixture, sort, FALSE, needle));
          do_files (fixture, 300);
          find_files (fixture, 10);
        }
      merged = arrange (fixture, sort, FALSE, needle);
      demo_arrangement_free (arrange (fixture, sort, TRUE, "else"));
      at_once = arrange (fixture, sort, FALSE, needle);
      g_assert_cmpmem (merged->shown, merged->n_shown * sizeof *merged->shown, at_once->shown,
                       at_once->n_shown * sizeof *at_once->shown);

      for (guint row = 0; demo_sort_is_by_facts (sort) && row < merged->n_shown; row++)
        {
          gboolean is_done = get_file (fixture, merged, row)->state == DEMO_FILE_DONE;

          g_assert_true (was_done || !is_done);
          if (!is_done && !was_done)
            g_assert_cmpuint (merged->shown[row - 1], <, merged->shown[row]);
          was_done = is_done;
        }
    }
}

/* Shows that the needle is looked for in the whole path, regardless of case. */
static void
test_filter (Fixture *fixture, gconstpointer data)
{
  g_autoptr (DemoArrangement) some = arrange (fixture, DEMO_SORT_ARRIVAL, FALSE, "FOLDER 2/File 1");
  g_autoptr (DemoArrangement) none = arrange (fixture, DEMO_SORT_ARRIVAL, FALSE, "folder 9");
  guint n_expected = 0;

  for (guint i = 0; i < N_FILES; i++)
    n_expected += g_str_has_prefix (demo_file_store_get_file (fixture->store, i)->path,
                                    "Folder 2/file 1");
  g_assert_cmpuint (some->n_shown, ==, n_expected);
  for (guint i = 0; i < some->n_shown; i++)
    g_assert_true (g_str_has_prefix (get_file (fixture, some, i)->path, "Folder 2/file 1"));
  g_assert_cmpuint (none->n_shown, ==, 0);
}

/* Shows that a request which is outdated before it was answered does no harm to the next one. */
static void
test_outdated (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (DemoArrangement) all = NULL;

      demo_arranger_request (fixture->arranger, fixture->store, N_FILES, N_FILES, DEMO_SORT_FOLDER,
                             FALSE, "folder");
      all = arrange (fixture, DEMO_SORT_NAME, FALSE, NULL);
      g_assert_cmpuint (all->n_shown, ==, N_FILES);
    }
}

/* Shows that an arranger may be freed amid its work. */
static void
test_free (Fixture *fixture, gconstpointer data)
{
  demo_arranger_request (fixture->arranger, fixture->store, N_FILES, N_FILES, DEMO_SORT_NAME, FALSE,
                         "f");
  g_clear_pointer (&fixture->arranger, demo_arranger_free);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (fixture->n_answers, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, function) \
  g_test_add ("/demo-arranger/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("sort", test_sort);
  ADD ("merge", test_merge);
  ADD ("pending", test_pending);
  ADD ("filter", test_filter);
  ADD ("outdated", test_outdated);
  ADD ("free", test_free);
#undef ADD

  return g_test_run ();
}
