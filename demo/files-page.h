/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The page that shows the files of a folder: a search entry, the list, and one file in detail. */

#include <gtk/gtk.h>

#include "file-view.h"
#include "loader.h"

G_BEGIN_DECLS

#define DEMO_TYPE_FILES_PAGE (demo_files_page_get_type ())
G_DECLARE_FINAL_TYPE (DemoFilesPage, demo_files_page, DEMO, FILES_PAGE, GtkBox)

/* Properties:
 *   "searching": whether the search entry is there
 * Signals:
 *   "pause-toggled" (): the user wants the loading to be held, or to go on */

/* @loader: (nullable) */
void demo_files_page_set_loader (DemoFilesPage *self, DemoLoader *loader);
/* Takes note of files that were found, or read, meanwhile, and of which are on the screen. */
void demo_files_page_update (DemoFilesPage *self);
DemoFileView *demo_files_page_get_file_view (DemoFilesPage *self);
gboolean demo_files_page_get_searching (DemoFilesPage *self);
void demo_files_page_set_searching (DemoFilesPage *self, gboolean searching);
/* Puts the details below the list. */
void demo_files_page_set_narrow (DemoFilesPage *self, gboolean narrow);
/* Whether nothing is still on its way to the screen: no rows, no preview. */
gboolean demo_files_page_is_settled (DemoFilesPage *self);

G_END_DECLS
