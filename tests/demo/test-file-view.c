/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The demo's list: what is selected, and where the arrow keys go on, when its rows are put into
 * another order. Needs a display. */

#include "config.h"

#include "after-frame.h"
#include "file-view.h"

#define N_FILES 50

typedef struct
{
  GtkWidget *window;    /* (owned) */
  DemoFileView *view;   /* in the window */
  GtkTreeView *tree;    /* in the view */
  DemoFileStore *store; /* (owned) */
} Fixture;

static void
add_files (Fixture *fixture, guint n_files)
{
  for (guint i = 0; i < n_files; i++)
    {
      g_autofree char *name = g_strdup_printf ("%03u",
                                               demo_file_store_get_n_files (fixture->store));

      demo_file_store_add (fixture->store, name);
    }
}

static void
drawn_cb (gpointer is_drawn)
{
  *(gboolean *) is_drawn = TRUE;
}

/* Until the list shows what it has been told to, and has been drawn. */
static void
settle (Fixture *fixture)
{
  DemoFileModel *model = demo_file_view_get_model (fixture->view);
  gboolean is_drawn = FALSE;
  DemoAfterFrame *frame;

  demo_file_model_update (model);
  while (!demo_file_model_is_settled (model))
    g_main_context_iteration (NULL, TRUE);
  gtk_widget_queue_draw (fixture->window);
  frame = demo_after_frame_new (fixture->window, drawn_cb, &is_drawn);
  while (!is_drawn)
    g_main_context_iteration (NULL, TRUE);
  demo_after_frame_free (frame);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->view = g_object_new (DEMO_TYPE_FILE_VIEW, NULL);
  fixture->tree = GTK_TREE_VIEW (gtk_bin_get_child (GTK_BIN (fixture->view)));
  fixture->window = gtk_window_new (GTK_WINDOW_TOPLEVEL);
  gtk_window_set_default_size (GTK_WINDOW (fixture->window), 900, 400);
  gtk_container_add (GTK_CONTAINER (fixture->window), GTK_WIDGET (fixture->view));
  gtk_widget_show (fixture->window);

  fixture->store = demo_file_store_new ("/nowhere");
  add_files (fixture, N_FILES);
  demo_file_view_set_store (fixture->view, fixture->store);
  settle (fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  gtk_widget_destroy (fixture->window);
  demo_file_store_unref (fixture->store);
}

/* As a window manager would, which is not there. */
static void
focus (Fixture *fixture)
{
  GdkSeat *seat = gdk_display_get_default_seat (gtk_widget_get_display (fixture->window));
  GdkEvent *event = gdk_event_new (GDK_FOCUS_CHANGE);

  demo_file_view_focus (fixture->view);
  event->focus_change.window = g_object_ref (gtk_widget_get_window (fixture->window));
  event->focus_change.send_event = TRUE;
  event->focus_change.in = TRUE;
  gdk_event_set_device (event, gdk_seat_get_keyboard (seat));
  gtk_main_do_event (event);
  gdk_event_free (event);
  g_assert_true (gtk_widget_has_focus (GTK_WIDGET (fixture->tree)));
}

static void
press (Fixture *fixture, guint keyval)
{
  g_assert_true (gtk_bindings_activate (G_OBJECT (fixture->tree), keyval, 0));
}

static double
get_scroll (Fixture *fixture)
{
  return gtk_adjustment_get_value (
    gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (fixture->view)));
}

static guint
get_selected (Fixture *fixture)
{
  guint selected;

  g_assert_true (demo_file_view_get_selected (fixture->view, &selected));
  return selected;
}

static int
get_cursor (Fixture *fixture)
{
  g_autoptr (GtkTreePath) path = NULL;

  gtk_tree_view_get_cursor (fixture->tree, &path, NULL);
  return path != NULL ? gtk_tree_path_get_indices (path)[0] : -1;
}

/* Shows that arrow keys go on from the file that is selected when its row is another one, which is
 * not scrolled to. */
static void
test_sorted (Fixture *fixture, gconstpointer data)
{
  focus (fixture);
  demo_file_view_select (fixture->view, 5);
  demo_file_view_sort (fixture->view, DEMO_SORT_NAME, TRUE);
  settle (fixture);
  g_assert_cmpuint (get_selected (fixture), ==, 5);
  g_assert_cmpint (get_cursor (fixture), ==, N_FILES - 1 - 5);
  g_assert_cmpfloat (get_scroll (fixture), ==, 0);

  press (fixture, GDK_KEY_Down);
  g_assert_cmpuint (get_selected (fixture), ==, 4);
  press (fixture, GDK_KEY_Up);
  press (fixture, GDK_KEY_Up);
  g_assert_cmpuint (get_selected (fixture), ==, 6);
}

/* Shows that they do so when something else has the focus meanwhile. */
static void
test_unfocused (Fixture *fixture, gconstpointer data)
{
  demo_file_view_select (fixture->view, 5);
  demo_file_view_sort (fixture->view, DEMO_SORT_NAME, TRUE);
  settle (fixture);
  g_assert_cmpuint (get_selected (fixture), ==, 5);
  g_assert_cmpfloat (get_scroll (fixture), ==, 0);

  focus (fixture);
  g_assert_cmpuint (get_selected (fixture), ==, 5);
  g_assert_cmpfloat (get_scroll (fixture), ==, 0);
  press (fixture, GDK_KEY_Down);
  g_assert_cmpuint (get_selected (fixture), ==, 4);
}

/* Shows that they do so when files come that are shown above it, and that the list stays where it
 * was scrolled to. */
static void
test_more (Fixture *fixture, gconstpointer data)
{
  GtkAdjustment *adjustment;

  focus (fixture);
  demo_file_view_sort (fixture->view, DEMO_SORT_NAME, TRUE);
  settle (fixture);
  demo_file_view_select (fixture->view, N_FILES - 1);
  adjustment = gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (fixture->view));
  gtk_adjustment_set_value (adjustment, 333);
  settle (fixture);

  for (guint i = 1; i <= 10; i++)
    {
      add_files (fixture, 100);
      settle (fixture);
      g_assert_cmpuint (get_selected (fixture), ==, N_FILES - 1);
      g_assert_cmpint (get_cursor (fixture), ==, (int) i * 100);
      g_assert_cmpfloat (get_scroll (fixture), ==, 333);
    }
  press (fixture, GDK_KEY_Down);
  g_assert_cmpuint (get_selected (fixture), ==, N_FILES - 2);
}

/* Shows that a file which was left out and comes back is where they go on. */
static void
test_left_out (Fixture *fixture, gconstpointer data)
{
  DemoFileModel *model = demo_file_view_get_model (fixture->view);

  focus (fixture);
  demo_file_view_select (fixture->view, 25);
  demo_file_model_set_needle (model, "3");
  settle (fixture);
  g_assert_cmpint (
    gtk_tree_selection_count_selected_rows (gtk_tree_view_get_selection (fixture->tree)), ==, 0);
  demo_file_model_set_needle (model, NULL);
  settle (fixture);
  g_assert_cmpuint (get_selected (fixture), ==, 25);
  press (fixture, GDK_KEY_Down);
  g_assert_cmpuint (get_selected (fixture), ==, 26);
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);

#define ADD(name, function) \
  g_test_add ("/demo-file-view/cursor/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("sorted", test_sorted);
  ADD ("unfocused", test_unfocused);
  ADD ("more", test_more);
  ADD ("left-out", test_left_out);
#undef ADD

  return g_test_run ();
}
