/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The demo's window, by itself. Needs a display. */

#include "config.h"

#include "window.h"

/* In pixels, on both sides of the width below which things go under each other; with its borders a
 * window may be wider. */
#define NARROW 500
#define WIDE 1000

static gboolean
is_narrow (int width)
{
  return width < (NARROW + WIDE) / 2;
}

/* Whether all in the window has followed: this label is left out of a narrow one. */
static gboolean
has_followed (DemoWindow *window, int width)
{
  GObject *label = gtk_widget_get_template_child (GTK_WIDGET (window), DEMO_TYPE_WINDOW,
                                                  "main_thread_label");
  int allocated = gtk_widget_get_allocated_width (GTK_WIDGET (window));

  return gtk_widget_get_mapped (GTK_WIDGET (window)) && is_narrow (allocated) == is_narrow (width)
         && gtk_widget_get_visible (GTK_WIDGET (label)) != is_narrow (width);
}

static gboolean
close_cb (gpointer window)
{
  gtk_widget_destroy (window);
  return G_SOURCE_REMOVE;
}

/* As a click on the window's close button that waits already: it comes before all that is idle. */
static void
size_allocate_cb (GtkWidget *window, GtkAllocation *allocation, gpointer width)
{
  if (is_narrow (allocation->width) != is_narrow (GPOINTER_TO_INT (width)))
    return;
  g_signal_handlers_disconnect_by_func (window, size_allocate_cb, width);
  g_idle_add_full (G_PRIORITY_DEFAULT, close_cb, window, NULL);
}

static void
test_close (int before, int after)
{
  DemoWindow *window = demo_window_new (NULL, NULL);
  gpointer pointer = window;

  g_object_add_weak_pointer (G_OBJECT (window), &pointer);
  gtk_window_set_default_size (GTK_WINDOW (window), before, 500);
  gtk_widget_show (GTK_WIDGET (window));
  while (!has_followed (window, before))
    g_main_context_iteration (NULL, TRUE);

  g_signal_connect_after (window, "size-allocate", G_CALLBACK (size_allocate_cb),
                          GINT_TO_POINTER (after));
  gtk_window_resize (GTK_WINDOW (window), after, 500);
  while (pointer != NULL)
    g_main_context_iteration (NULL, TRUE);
  /* What was to follow would do so now. */
  while (g_main_context_pending (NULL))
    g_main_context_iteration (NULL, FALSE);
}

/* Shows that a window can be closed just after it became narrow, before anything in it has
 * followed. */
static void
test_close_narrow (void)
{
  test_close (WIDE, NARROW);
}

/* Shows that it can be so just after it became wide. */
static void
test_close_wide (void)
{
  test_close (NARROW, WIDE);
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);

  g_test_add_func ("/demo-window/close/narrow", test_close_narrow);
  g_test_add_func ("/demo-window/close/wide", test_close_wide);

  return g_test_run ();
}
