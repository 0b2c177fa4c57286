/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "fuzz.h"

#include <gio/gio.h>
#include <stdio.h>

/*
 * Runs a target over files, where there is no libFuzzer: each file of the folders (or each file)
 * that is named, and all of their beginnings too with --cut.
 */

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(const char *const *) a, *(const char *const *) b);
}

/* Copied, so that a tool which watches memory knows where the bytes end. */
static void
run_bytes (const char *bytes, gsize size)
{
  g_autofree guint8 *copy = g_memdup2 (bytes, size);

  LLVMFuzzerTestOneInput (copy, size);
}

static void
run_file (const char *path, gboolean cut)
{
  g_autofree char *contents = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  /* Before it is run: the last one that is named is the one that failed. */
  printf ("%s\n", path);
  fflush (stdout);

  if (!g_file_get_contents (path, &contents, &size, &error))
    g_error ("%s", error->message);

  run_bytes (contents, size);
  for (gsize length = 0; cut && length < size; length++)
    run_bytes (contents, length);
}

/* Returns: how many files there were */
static guint
run_path (const char *path, gboolean cut)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;

  if (folder == NULL)
    {
      run_file (path, cut);
      return 1;
    }

  while ((name = g_dir_read_name (folder)) != NULL)
    g_ptr_array_add (names, g_build_filename (path, name, NULL));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    run_file (names->pdata[i], cut);
  return names->len;
}

int
main (int argc, char **argv)
{
  gboolean cut = argc > 1 && g_str_equal (argv[1], "--cut");
  guint n_files = 0;

  LLVMFuzzerInitialize (&argc, &argv);
  for (int i = cut ? 2 : 1; i < argc; i++)
    n_files += run_path (argv[i], cut);

  printf ("%u files\n", n_files);
  return n_files > 0 ? 0 : 1;
}
