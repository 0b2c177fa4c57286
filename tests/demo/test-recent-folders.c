/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The list of folders that were opened last, and its file. */

#include "config.h"

#include <glib/gstdio.h>

#include "recent-folders.h"

/* What goes wrong by the order of threads does so in a few of them. */
#define ROUNDS 100

/* For all tests; a test that begins finds no file. */
static char *state_folder; /* (owned) */
static char *folder;       /* (owned): in that one */
static char *path;         /* (owned): of the file in that one */

static void
make_folder (void)
{
  g_autoptr (GError) error = NULL;

  state_folder = g_dir_make_tmp ("test-recent-folders-XXXXXX", &error);
  g_assert_no_error (error);
  folder = g_build_filename (state_folder, "dray-demo", NULL);
  path = g_build_filename (folder, "recent", NULL);
  g_setenv ("XDG_STATE_HOME", state_folder, TRUE);
}

static void
remove_folder (void)
{
  (void) g_rmdir (folder); /* which nobody may have made */
  g_assert_cmpint (g_rmdir (state_folder), ==, 0);
  g_free (path);
  g_free (folder);
  g_free (state_folder);
}

static void
expect_file (const char *expected)
{
  g_autofree char *contents = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &contents, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (contents, ==, expected);
}

/* Shows that the file says what is known, the newest first, where folders are opened faster than it
 * can be written. */
static void
test_quick (void)
{
  g_autoptr (DemoRecentFolders) folders = demo_recent_folders_new ();

  while (!demo_recent_folders_is_loaded (folders))
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 0; i < ROUNDS; i++)
    {
      gboolean is_odd = i % 2 != 0;

      demo_recent_folders_add (folders, is_odd ? "/one" : "/two");
      demo_recent_folders_add (folders, "/three");
      demo_recent_folders_add (folders, is_odd ? "/two" : "/one");
      demo_recent_folders_finish (folders);
      expect_file (is_odd ? "/two\n/three\n/one\n" : "/one\n/three\n/two\n");
    }
  g_assert_cmpint (g_unlink (path), ==, 0);
}

/* Shows that a folder which is opened before the file was read comes before those in it, and that
 * all are written even if that is all that happens. */
static void
test_early (void)
{
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (DemoRecentFolders) folders = demo_recent_folders_new ();
      g_autofree char *newest = g_strdup_printf ("/%u", i);

      g_assert_false (demo_recent_folders_is_loaded (folders));
      demo_recent_folders_add (folders, newest);
      demo_recent_folders_finish (folders);
      g_assert_cmpstr (demo_recent_folders_get_newest (folders), ==, newest);
    }
  expect_file ("/2\n/1\n/0\n");
  g_assert_cmpint (g_unlink (path), ==, 0);
}

/* Shows that nothing is waited for where nothing is to be written. */
static void
test_nothing (void)
{
  g_autoptr (DemoRecentFolders) folders = demo_recent_folders_new ();

  demo_recent_folders_finish (folders);
  while (!demo_recent_folders_is_loaded (folders))
    g_main_context_iteration (NULL, TRUE);
  demo_recent_folders_finish (folders);
  g_assert_null (demo_recent_folders_get_newest (folders));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  make_folder ();

  g_test_add_func ("/demo-recent-folders/quick", test_quick);
  g_test_add_func ("/demo-recent-folders/early", test_early);
  g_test_add_func ("/demo-recent-folders/nothing", test_nothing);

  status = g_test_run ();
  remove_folder ();
  return status;
}
