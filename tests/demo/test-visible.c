/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is on the screen is read first: the demo's list, its loader, and one real worker. Needs a
 * display. The engine is paused while the list is scrolled, so that what is read next depends on
 * nothing but what was asked for; with one worker, files are done in the order in which they are
 * begun. */

#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "files-page.h"
#include "worker-engine.h"
#include "worker-panel.h"

#define N_FILES 1000

typedef struct
{
  GtkWidget *window;   /* (owned) */
  DemoFilesPage *page; /* in the window */
  DemoEngine *engine;  /* (owned) */
  DemoLoader *loader;  /* (owned) */
  guint tick_id;
} Fixture;

/* For all tests. */
static char *folder; /* (owned) */

static void
make_folder (void)
{
  g_autoptr (GError) error = NULL;

  folder = g_dir_make_tmp ("test-visible-XXXXXX", &error);
  g_assert_no_error (error);
  for (guint i = 0; i < N_FILES; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%05u", folder, i);
      int fd = g_open (path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

      g_assert_cmpint (fd, >=, 0);
      close (fd);
    }
}

static void
remove_folder (void)
{
  for (guint i = 0; i < N_FILES; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%05u", folder, i);

      g_assert_cmpint (g_unlink (path), ==, 0);
    }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_free (folder);
}

/* Like the window of the demo, which has the page look ten times a second; here it is as often as
 * the main loop turns. */
static gboolean
tick_cb (gpointer user_data)
{
  demo_files_page_update (((Fixture *) user_data)->page);
  return G_SOURCE_CONTINUE;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->page = g_object_new (DEMO_TYPE_FILES_PAGE, "visible", TRUE, NULL);
  fixture->window = gtk_window_new (GTK_WINDOW_TOPLEVEL);
  gtk_window_set_default_size (GTK_WINDOW (fixture->window), 900, 500);
  gtk_container_add (GTK_CONTAINER (fixture->window), GTK_WIDGET (fixture->page));
  gtk_widget_show (fixture->window);

  fixture->engine = demo_worker_engine_new (1);
  fixture->loader = demo_loader_new (folder, fixture->engine);
  demo_files_page_set_loader (fixture->page, fixture->loader);
  fixture->tick_id = g_idle_add_full (G_PRIORITY_LOW, tick_cb, fixture, NULL);
}

/* With the window, and the loader. */
static void
tear_down_engine (Fixture *fixture)
{
  gpointer engine = fixture->engine;

  gtk_widget_destroy (fixture->window);
  g_object_add_weak_pointer (engine, &engine);
  g_object_unref (fixture->loader);
  g_object_unref (fixture->engine);
  while (engine != NULL)
    g_main_context_iteration (NULL, TRUE);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  demo_loader_cancel (fixture->loader);
  g_source_remove (fixture->tick_id);
  tear_down_engine (fixture);
}

static DemoFileStore *
get_store (Fixture *fixture)
{
  return demo_loader_get_store (fixture->loader);
}

static gboolean
is_all_told (Fixture *fixture)
{
  return !demo_loader_is_listing (fixture->loader)
         && demo_file_model_is_settled (
           demo_file_view_get_model (demo_files_page_get_file_view (fixture->page)));
}

/* (transfer full): the files on the screen */
static GArray *
get_visible (Fixture *fixture)
{
  DemoFileView *view = demo_files_page_get_file_view (fixture->page);
  GArray *visible = g_array_new (FALSE, FALSE, sizeof (guint32));
  guint n_indices;
  const guint32 *indices = demo_file_view_get_visible (view, &n_indices);

  g_array_append_vals (visible, indices, n_indices);
  return visible;
}

static DemoFileState
get_state (Fixture *fixture, guint32 index)
{
  return demo_file_store_get_file (get_store (fixture), index)->state;
}

/* Whether nothing is being read: all that was asked for waits for the end of the pause. */
static gboolean
is_at_rest (Fixture *fixture)
{
  DrayExecutor *executor;
  g_autoptr (DrayCounters) counters = NULL;

  executor = demo_worker_engine_get_executor (DEMO_WORKER_ENGINE (fixture->engine));
  counters = dray_executor_dup_counters (executor);
  return counters->queue_length == demo_loader_get_n_running (fixture->loader);
}

/* Whether @index is on the screen, and all that is there was asked for, if it was not read
 * before. */
static gboolean
is_asked (Fixture *fixture, guint32 index)
{
  g_autoptr (GArray) visible = get_visible (fixture);
  gboolean has_index = FALSE;

  for (guint i = 0; i < visible->len; i++)
    {
      guint32 each = g_array_index (visible, guint32, i);

      has_index = has_index || each == index;
      if (get_state (fixture, each) == DEMO_FILE_FOUND)
        return FALSE;
    }
  return has_index;
}

static GtkAdjustment *
get_adjustment (Fixture *fixture)
{
  return gtk_scrolled_window_get_vadjustment (
    GTK_SCROLLED_WINDOW (demo_files_page_get_file_view (fixture->page)));
}

/* Whether the scrollbar is as long as all rows together. Before that, to scroll somewhere leads
 * elsewhere, and what is there by chance would be asked for as well. */
static gboolean
is_laid_out (Fixture *fixture)
{
  DemoFileView *view = demo_files_page_get_file_view (fixture->page);
  GtkTreeView *tree = GTK_TREE_VIEW (gtk_bin_get_child (GTK_BIN (view)));
  g_autoptr (GtkTreePath) path = gtk_tree_path_new_from_indices (N_FILES - 1, -1);
  GdkRectangle area;

  gtk_tree_view_get_background_area (tree, path, NULL, &area);
  return area.height > 0
         && gtk_adjustment_get_upper (get_adjustment (fixture)) == area.y + area.height;
}

/* Has all files found and none read. */
static void
start_paused (Fixture *fixture)
{
  demo_loader_start (fixture->loader);
  demo_loader_set_paused (fixture->loader, TRUE);
  while (!is_all_told (fixture) || !is_laid_out (fixture))
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (demo_file_store_get_n_files (get_store (fixture)), ==, N_FILES);
  g_assert_cmpuint (demo_file_store_get_n_done (get_store (fixture)), ==, 0);
}

/* Scrolls to where @index is on the screen: at the top, or further down at the end of the list.
 * Returns (transfer full): what is on the screen then, was asked for, and has not been read. */
static GArray *
scroll_to (Fixture *fixture, guint32 index)
{
  GtkAdjustment *adjustment = get_adjustment (fixture);
  GArray *files;

  gtk_adjustment_set_value (adjustment, gtk_adjustment_get_upper (adjustment) * index / N_FILES);
  while (!is_asked (fixture, index) || !is_at_rest (fixture))
    g_main_context_iteration (NULL, TRUE);

  files = get_visible (fixture);
  for (guint i = files->len; i > 0; i--)
    {
      if (get_state (fixture, g_array_index (files, guint32, i - 1)) == DEMO_FILE_DONE)
        g_array_remove_index (files, i - 1);
    }
  return files;
}

/* Expects that @files are done before all that were not done when there were @n_done. */
static void
expect_next (Fixture *fixture, guint n_done, GArray *files)
{
  DemoFileStore *store = get_store (fixture);

  while (demo_file_store_get_n_done (store) < n_done + files->len)
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 0; i < files->len; i++)
    g_assert_cmpuint (demo_file_store_get_done (store, n_done + i), ==,
                      g_array_index (files, guint32, i));
}

/* Shows that rows are there before their files are read, and that those which were scrolled to are
 * read before all others, from the top, though they were found last. */
static void
test_first (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) visible = NULL;

  start_paused (fixture);
  visible = scroll_to (fixture, N_FILES - 1);
  g_assert_cmpuint (visible->len, >, 5);
  g_assert_cmpuint (visible->len, <, 100);
  demo_loader_set_paused (fixture->loader, FALSE);
  expect_next (fixture, 0, visible);
}

/* Shows that what has scrolled out of view again is not read before what came into view after
 * it. */
static void
test_passed (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) visible = NULL;
  guint n_asked = 0;

  start_paused (fixture);
  for (guint i = 1; i < 5; i++)
    {
      g_clear_pointer (&visible, g_array_unref);
      visible = scroll_to (fixture, (i * 7 % 10) * (N_FILES / 10));
      n_asked += visible->len;
    }
  /* Otherwise they would have to wait for each other, and nothing goes on meanwhile. */
  g_assert_cmpuint (n_asked, <=, DEMO_MAX_WANTED);
  demo_loader_set_paused (fixture->loader, FALSE);
  expect_next (fixture, 0, visible);
}

/* Shows that it is the same when the view changes amid the reading, again and again, and that the
 * folder is read to its end. */
static void
test_meanwhile (Fixture *fixture, gconstpointer data)
{
  start_paused (fixture);
  for (guint i = 1; i < 5; i++)
    {
      g_autoptr (GArray) visible = NULL;
      guint n_done;

      visible = scroll_to (fixture, N_FILES - i * 200);
      n_done = demo_file_store_get_n_done (get_store (fixture));
      demo_loader_set_paused (fixture->loader, FALSE);
      expect_next (fixture, n_done, visible);

      /* What a worker has begun before the pause goes on. */
      demo_loader_set_paused (fixture->loader, TRUE);
      while (!is_at_rest (fixture))
        g_main_context_iteration (NULL, TRUE);
    }
  demo_loader_set_paused (fixture->loader, FALSE);
  while (demo_loader_is_active (fixture->loader))
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (demo_loader_get_n_read (fixture->loader), ==, N_FILES);
}

/* Shows that files are read where there can be no sandbox, as its program is missing, and that the
 * person is told so. */
static void
test_shortfall (void)
{
  g_autofree char *path = g_strdup (g_getenv ("PATH"));
  GtkWidget *window = gtk_window_new (GTK_WINDOW_TOPLEVEL);
  DemoWorkerPanel *panel = g_object_new (DEMO_TYPE_WORKER_PANEL, NULL);
  Fixture fixture = { .window = window };
  g_autofree char *tooltip = NULL;
  GtkWidget *icon;

  g_setenv ("PATH", folder, TRUE);
  fixture.engine = demo_worker_engine_new (1);
  g_setenv ("PATH", path, TRUE);
  demo_worker_panel_set_executor (
    panel, demo_worker_engine_get_executor (DEMO_WORKER_ENGINE (fixture.engine)));
  gtk_container_add (GTK_CONTAINER (window), GTK_WIDGET (panel));
  gtk_widget_show (window);
  icon = GTK_WIDGET (
    gtk_widget_get_template_child (GTK_WIDGET (panel), DEMO_TYPE_WORKER_PANEL, "shortfall_icon"));
  g_assert_false (gtk_widget_get_visible (icon));

  fixture.loader = demo_loader_new (folder, fixture.engine);
  demo_loader_start (fixture.loader);
  while (demo_loader_is_active (fixture.loader) || !gtk_widget_get_visible (icon))
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (demo_loader_get_n_read (fixture.loader), ==, N_FILES);
  tooltip = gtk_widget_get_tooltip_text (icon);
  g_assert_nonnull (strstr (tooltip, "bwrap"));
  tear_down_engine (&fixture);
}

int
main (int argc, char **argv)
{
  int status;

  gtk_test_init (&argc, &argv, NULL);
  make_folder ();

#define ADD(name, function) \
  g_test_add ("/demo-visible/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("first", test_first);
  ADD ("passed", test_passed);
  ADD ("meanwhile", test_meanwhile);
#undef ADD
  g_test_add_func ("/demo-visible/shortfall", test_shortfall);

  status = g_test_run ();
  remove_folder ();
  return status;
}
