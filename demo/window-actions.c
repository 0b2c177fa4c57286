/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "window-actions.h"

#include <glib/gi18n.h>

static void
chosen_cb (GtkNativeDialog *dialog, int response, gpointer user_data)
{
  if (response == GTK_RESPONSE_ACCEPT)
    {
      g_autoptr (GFile) folder = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));

      if (folder != NULL)
        demo_window_open (user_data, folder);
    }
  g_object_unref (dialog);
}

static void
open_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GtkFileChooserNative *dialog;

  dialog = gtk_file_chooser_native_new (_ ("Open Folder"), user_data,
                                        GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, _ ("_Open"),
                                        _ ("_Cancel"));
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (dialog), TRUE);
  g_signal_connect_object (dialog, "response", G_CALLBACK (chosen_cb), user_data, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (dialog));
}

static void
open_folder_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  g_autoptr (GFile) folder = g_file_new_for_path (g_variant_get_bytestring (parameter));

  demo_window_open (user_data, folder);
}

static void
reload_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  demo_window_reload (user_data);
}

static void
pause_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  DemoLoader *loader = demo_window_get_loader (user_data);

  if (loader != NULL)
    demo_loader_set_paused (loader, g_variant_get_boolean (state));
}

static void
cancel_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  DemoLoader *loader = demo_window_get_loader (user_data);

  if (loader != NULL)
    demo_loader_cancel (loader);
}

static void
search_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  demo_files_page_set_searching (demo_window_get_files_page (user_data),
                                 g_variant_get_boolean (state));
}

/* Unlike search, this never leaves the search. */
static void
find_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  demo_files_page_set_searching (demo_window_get_files_page (user_data), TRUE);
}

static void
workers_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  g_simple_action_set_state (action, state);
  demo_window_set_workers_shown (user_data, g_variant_get_boolean (state));
}

static void
main_thread_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  g_simple_action_set_state (action, state);
  demo_window_set_main_thread (user_data, g_variant_get_boolean (state));
}

/* Escape leaves the search first, and then stops the loading. */
static void
escape_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  DemoFilesPage *page = demo_window_get_files_page (user_data);

  if (demo_files_page_get_searching (page))
    demo_files_page_set_searching (page, FALSE);
  else
    cancel_cb (action, NULL, user_data);
}

static void
close_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  gtk_window_close (user_data);
}

static const GActionEntry entries[] = {
  { .name = "open", .activate = open_cb },
  { .name = "open-folder", .activate = open_folder_cb, .parameter_type = "ay" },
  { .name = "reload", .activate = reload_cb },
  { .name = "pause", .state = "false", .change_state = pause_cb },
  { .name = "cancel", .activate = cancel_cb },
  { .name = "find", .activate = find_cb },
  { .name = "search", .state = "false", .change_state = search_cb },
  { .name = "workers", .state = "true", .change_state = workers_cb },
  { .name = "main-thread", .state = "false", .change_state = main_thread_cb },
  { .name = "escape", .activate = escape_cb },
  { .name = "close", .activate = close_cb },
};

void
demo_window_add_actions (DemoWindow *self)
{
  g_action_map_add_action_entries (G_ACTION_MAP (self), entries, G_N_ELEMENTS (entries), self);
  demo_window_update_actions (self);
}

static void
set_enabled (DemoWindow *self, const char *name, gboolean enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), name);

  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), enabled);
}

void
demo_window_set_action_state (DemoWindow *self, const char *name, gboolean state)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), name);

  g_simple_action_set_state (G_SIMPLE_ACTION (action), g_variant_new_boolean (state));
}

void
demo_window_update_actions (DemoWindow *self)
{
  DemoLoader *loader = demo_window_get_loader (self);
  gboolean is_active = loader != NULL && demo_loader_is_active (loader);

  set_enabled (self, "pause", is_active);
  set_enabled (self, "cancel", is_active);
  set_enabled (self, "reload", loader != NULL);
  demo_window_set_action_state (self, "pause",
                                is_active && demo_loader_get_state (loader) == DEMO_LOADER_PAUSED);
}

/* Folders can be dropped */

static void
drag_data_received_cb (DemoWindow *self,
                       GdkDragContext *context,
                       int x,
                       int y,
                       GtkSelectionData *data,
                       guint info,
                       guint time)
{
  g_auto (GStrv) uris = gtk_selection_data_get_uris (data);

  if (uris != NULL && uris[0] != NULL)
    {
      g_autoptr (GFile) folder = g_file_new_for_uri (uris[0]);

      demo_window_open (self, folder);
    }
}

void
demo_window_accept_drops (DemoWindow *self)
{
  GtkWidget *widget = GTK_WIDGET (self);

  gtk_drag_dest_set (widget,
                     GTK_DEST_DEFAULT_MOTION | GTK_DEST_DEFAULT_DROP | GTK_DEST_DEFAULT_HIGHLIGHT,
                     NULL, 0, GDK_ACTION_COPY);
  gtk_drag_dest_add_uri_targets (widget);
  g_signal_connect (self, "drag-data-received", G_CALLBACK (drag_data_received_cb), NULL);
}
