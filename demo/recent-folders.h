/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The folders that were opened last, in a menu, and in a file between two runs of the program. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define DEMO_TYPE_RECENT_FOLDERS (demo_recent_folders_get_type ())
G_DECLARE_FINAL_TYPE (DemoRecentFolders, demo_recent_folders, DEMO, RECENT_FOLDERS, GObject)

/* Signals:
 *   "loaded" (): what the file says is known */
DemoRecentFolders *demo_recent_folders_new (void);
void demo_recent_folders_add (DemoRecentFolders *self, const char *path);
/* Waits until the file says what is known. Iterates the main context: for the end of a program. */
void demo_recent_folders_finish (DemoRecentFolders *self);
/* (transfer none) (nullable): the path of the one that was opened last */
const char *demo_recent_folders_get_newest (DemoRecentFolders *self);
gboolean demo_recent_folders_is_loaded (DemoRecentFolders *self);
/* Gives @button a menu whose items activate win.open-folder with the path. */
void demo_recent_folders_fill_button (DemoRecentFolders *self, GtkMenuButton *button);

G_END_DECLS
