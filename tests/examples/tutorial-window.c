/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The tutorial's first step: a window. */

#include <gtk/gtk.h>

static void
activate (GtkApplication *application, gpointer user_data)
{
  GtkWidget *window = gtk_application_window_new (application);
  GtkWidget *label = gtk_label_new ("Hello.");

  gtk_window_set_title (GTK_WINDOW (window), "Lines");
  gtk_window_set_default_size (GTK_WINDOW (window), 480, 360);
  gtk_container_add (GTK_CONTAINER (window), label);
  gtk_widget_show_all (window);
}

int
main (int argc, char **argv)
{
  g_autoptr (GtkApplication) application = gtk_application_new (NULL, G_APPLICATION_DEFAULT_FLAGS);

  g_signal_connect (application, "activate", G_CALLBACK (activate), NULL);
  return g_application_run (G_APPLICATION (application), 1, argv);
}
