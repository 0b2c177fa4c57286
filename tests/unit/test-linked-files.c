/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-linked-files.h"

#include <glib/gstdio.h>
#include <string.h>

#include "fixture.h"

/* What a program needs of the file system, as its own files say; and what is made of files that lie
 * about that. */

#define HEADERS_SIZE 1024 /* most of what is looked at is in there */

typedef struct
{
  Fixture fixture; /* first */

  char *folder;    /* (owned) */
  GPtrArray *made; /* (owned): the files in there */
} Desk;

static void
desk_set_up (Desk *self, gconstpointer data)
{
  fixture_set_up (&self->fixture, data);
  self->folder = g_dir_make_tmp ("test-linked-files-XXXXXX", NULL);
  g_assert_nonnull (self->folder);
  self->made = g_ptr_array_new_with_free_func (g_free);
}

static void
desk_tear_down (Desk *self, gconstpointer data)
{
  for (guint i = 0; i < self->made->len; i++)
    g_remove (self->made->pdata[i]);
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  g_ptr_array_unref (self->made);
  g_free (self->folder);
  fixture_tear_down (&self->fixture, data);
}

#define desk_add(path, test) g_test_add (path, Desk, NULL, desk_set_up, test, desk_tear_down)

/* (transfer none): its path */
static const char *
make_file (Desk *self, const char *name, gconstpointer bytes, gsize size)
{
  char *path = g_build_filename (self->folder, name, NULL);

  g_assert_true (g_file_set_contents (path, bytes, (gssize) size, NULL));
  if (!g_ptr_array_find_with_equal_func (self->made, path, g_str_equal, NULL))
    g_ptr_array_add (self->made, g_strdup (path));
  g_free (path);
  return self->made->pdata[self->made->len - 1];
}

static gboolean
has (GPtrArray *paths, const char *path)
{
  return g_ptr_array_find_with_equal_func (paths, path, g_str_equal, NULL);
}

/* (transfer full): a program that is linked with a library beside it */
static char *
dup_program (void)
{
  return g_build_filename (g_getenv ("DRAY_LIBEXECDIR"), "dray-worker-1", NULL);
}

static void
test_program (Desk *desk, gconstpointer data)
{
  g_autoptr (DrayLinkedFiles) files = dray_linked_files_new ();
  g_autofree char *path = dup_program ();
  gboolean found = FALSE;

  g_test_summary ("A program needs itself, its dynamic linker, and libraries that are in its run "
                  "path.");

  dray_linked_files_add_program (files, path);
  g_assert_cmpstr (files->programs->pdata[0], ==, path);
  g_assert_cmpuint (files->programs->len, ==, 2);
  g_assert_nonnull (strstr (files->programs->pdata[1], "ld"));
  for (guint i = 0; i < files->libraries->len; i++)
    {
      g_assert_true (g_path_is_absolute (files->libraries->pdata[i]));
      found = found || g_str_has_suffix (files->libraries->pdata[i], "/libdray-1.so.0");
    }
  g_assert_true (found);
}

static void
test_script (Desk *desk, gconstpointer data)
{
  g_autoptr (DrayLinkedFiles) files = dray_linked_files_new ();
  g_autofree char *program = dup_program ();
  g_autofree char *first_line = g_strdup_printf ("#! %s -x\n", program);
  const char *script = make_file (desk, "script", first_line, strlen (first_line));

  g_test_summary ("A script needs its interpreter, and what that needs.");

  dray_linked_files_add_program (files, script);
  g_assert_true (has (files->programs, script));
  g_assert_true (has (files->programs, program));
  g_assert_cmpuint (files->programs->len, ==, 3);
}

static void
test_scripts (Desk *desk, gconstpointer data)
{
  g_autoptr (DrayLinkedFiles) files = dray_linked_files_new ();
  const char *path = NULL;

  g_test_summary ("Scripts whose interpreters are scripts, on and on, come to an end; so does one "
                  "that is its own.");

  for (guint i = 0; i < 10; i++)
    {
      g_autofree char *name = g_strdup_printf ("script-%u", i);
      g_autofree char *line = g_strdup_printf ("#!%s\n", path != NULL ? path : "/bin/sh");

      path = make_file (desk, name, line, strlen (line));
    }
  dray_linked_files_add_program (files, path);
  g_assert_cmpuint (files->programs->len, ==, 6);

  g_autofree char *itself = g_build_filename (desk->folder, "itself", NULL);
  g_autofree char *line = g_strdup_printf ("#!%s", itself);

  make_file (desk, "itself", line, strlen (line));
  dray_linked_files_add_program (files, itself);
  g_assert_cmpuint (files->programs->len, ==, 7);
}

static void
test_nothing (Desk *desk, gconstpointer data)
{
  static const char *const contents[]
    = { "", "#", "#!", "#!\n", "#!relative\n", "text", "\177ELF" };
  g_autoptr (DrayLinkedFiles) files = dray_linked_files_new ();

  g_test_summary ("What is no program, or not there, needs nothing.");

  for (guint i = 0; i < G_N_ELEMENTS (contents); i++)
    {
      g_autofree char *name = g_strdup_printf ("file-%u", i);

      dray_linked_files_add_program (files,
                                     make_file (desk, name, contents[i], strlen (contents[i])));
    }
  dray_linked_files_add_program (files, "/does/not/exist");
  dray_linked_files_add_program (files, desk->folder);
  dray_linked_files_add_library (files, "/does/not/exist.so");
  g_assert_cmpuint (files->programs->len, ==, G_N_ELEMENTS (contents) + 2);
  g_assert_cmpuint (files->libraries->len, ==, 1);
}

static void
test_lies (Desk *desk, gconstpointer data)
{
  g_autofree char *program = dup_program ();
  g_autofree char *original = NULL;
  g_autoptr (GRand) rand = g_rand_new_with_seed (64);
  gsize size;

  g_test_summary (
    "Programs with random changes, and truncated ones, are read within their bounds.");

  g_assert_true (g_file_get_contents (program, &original, &size, NULL));
  g_assert_cmpuint (size, >, HEADERS_SIZE);
  for (guint round = 0; round < 100; round++)
    {
      g_autoptr (DrayLinkedFiles) files = dray_linked_files_new ();
      g_autofree char *bytes = g_memdup2 (original, size);
      const guint n_changes = (guint) g_rand_int_range (rand, 0, 20);
      const gsize kept = round % 3 == 0 ? (gsize) g_rand_int_range (rand, 1, (gint32) size) : size;
      const char *path;

      for (guint i = 0; i < n_changes; i++)
        bytes[g_rand_int_range (rand, 5, i % 2 == 0 ? HEADERS_SIZE : (gint32) size)]
          = (char) g_rand_int_range (rand, 0, 256);
      path = make_file (desk, "liar", bytes, kept);
      dray_linked_files_add_program (files, path);
      dray_linked_files_add_library (files, path);
      g_assert_true (has (files->programs, path));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  desk_add ("/linked-files/program", test_program);
  desk_add ("/linked-files/script", test_script);
  desk_add ("/linked-files/scripts", test_scripts);
  desk_add ("/linked-files/nothing", test_nothing);
  desk_add ("/linked-files/lies", test_lies);

  return g_test_run ();
}
