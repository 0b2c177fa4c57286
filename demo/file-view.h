/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The list of files. */

#include <gtk/gtk.h>

#include "file-model.h"

G_BEGIN_DECLS

#define DEMO_TYPE_FILE_VIEW (demo_file_view_get_type ())
G_DECLARE_FINAL_TYPE (DemoFileView, demo_file_view, DEMO, FILE_VIEW, GtkScrolledWindow)

/* Signals:
 *   "looked" (): it has looked at which files are on the screen
 *   "selected" (): another file is selected, or none
 *   "list-key-press" (GdkEventKey *event): a key is pressed in the list; returns whether that was
 *     all about it */

DemoFileModel *demo_file_view_get_model (DemoFileView *self);
/* Shows other files, from the top. @store: (nullable) */
void demo_file_view_set_store (DemoFileView *self, DemoFileStore *store);
/* Whether a file is selected; @index: (out) (optional): which one, in the store */
gboolean demo_file_view_get_selected (DemoFileView *self, guint *index);
/* Selects a file, if it is shown, and scrolls to it. */
void demo_file_view_select (DemoFileView *self, guint index);
void demo_file_view_sort (DemoFileView *self, DemoSort sort, gboolean descending);
/* Leaves out what there is no room for. */
void demo_file_view_set_narrow (DemoFileView *self, gboolean narrow);
/* (out n_indices): the files whose rows are on the screen, from the top; valid until it looks
 * again. */
const guint32 *demo_file_view_get_visible (DemoFileView *self, guint *n_indices);
/* Brings rows on the screen up to date with their files, and looks which ones those are. */
void demo_file_view_look (DemoFileView *self);
void demo_file_view_focus (DemoFileView *self);

G_END_DECLS
