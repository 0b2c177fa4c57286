/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The window: a folder and its files, the workers that read them, and the progress. */

#include <gtk/gtk.h>

#include "files-page.h"
#include "loader.h"
#include "recent-folders.h"
#include "worker-engine.h"

G_BEGIN_DECLS

#define DEMO_TYPE_WINDOW (demo_window_get_type ())
G_DECLARE_FINAL_TYPE (DemoWindow, demo_window, DEMO, WINDOW, GtkApplicationWindow)

/* Signals:
 *   "load-finished" (): the loader is done, failed or cancelled */

/* @recent: (nullable): NULL to leave no trace of the folders that are opened */
DemoWindow *demo_window_new (GtkApplication *application, DemoRecentFolders *recent);

/* Loads a folder, once the window has been drawn. */
void demo_window_open (DemoWindow *self, GFile *folder);
void demo_window_reload (DemoWindow *self);
/* Whether folders are loaded in the main thread; a change loads the folder again. */
void demo_window_set_main_thread (DemoWindow *self, gboolean main_thread);
void demo_window_set_workers_shown (DemoWindow *self, gboolean shown);

/* (transfer none) (nullable) */
DemoLoader *demo_window_get_loader (DemoWindow *self);
DemoWorkerEngine *demo_window_get_worker_engine (DemoWindow *self);
DemoFilesPage *demo_window_get_files_page (DemoWindow *self);
/* The main loop's worst delay while the last folder was loaded, in ms. */
double demo_window_get_worst_delay (DemoWindow *self);
/* How often the window was drawn. */
guint demo_window_get_n_drawn (DemoWindow *self);

G_END_DECLS
