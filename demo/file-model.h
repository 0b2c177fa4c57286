/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The files of a store as rows of a GtkTreeView, filtered and sorted. A file has its row as soon as
 * it was found; until it is done the row says no more than its name and its folder.
 *
 * GtkTreeView keeps a node for each row, and 100,000 of them take time. So rows are told to it in
 * slices, and taken back in slices, always at the end: another arrangement changes what the rows
 * say, in place, and how many there are. Rows that are yet to be taken back say nothing. That suits
 * a view whose rows all have one height, which only looks at those that are on the screen; the view
 * is told to look again by DemoFileModel::arranged. And of files that are done meanwhile it is told
 * nothing at all: it has to look at the files of the few rows that it shows.
 */

#include <gtk/gtk.h>

#include "arranger.h"

G_BEGIN_DECLS

typedef enum
{
  DEMO_FILE_COLUMN_ICON, /* a cairo surface */
  DEMO_FILE_COLUMN_NAME,
  DEMO_FILE_COLUMN_FOLDER,
  DEMO_FILE_COLUMN_TYPE,
  DEMO_FILE_COLUMN_SIZE,
  DEMO_FILE_COLUMN_CONTENTS,
  DEMO_FILE_COLUMN_FAILED, /* a boolean */
  DEMO_FILE_COLUMN_DONE,   /* a boolean */
  DEMO_N_FILE_COLUMNS
} DemoFileColumn;

#define DEMO_TYPE_FILE_MODEL (demo_file_model_get_type ())
G_DECLARE_FINAL_TYPE (DemoFileModel, demo_file_model, DEMO, FILE_MODEL, GObject)

/* Signals:
 *   "arranged" (gboolean anew): rows say something else than before; anew, if that is because
 *     something else was asked for, and not just because of files that came meanwhile
 *   "told" (): the view knows of all rows */
DemoFileModel *demo_file_model_new (void);

/* @icons: one for each kind, one for files that could not be read, and one for those that are not
 * done. */
#define DEMO_ICON_FAILED DEMO_N_KINDS
#define DEMO_ICON_PENDING (DEMO_N_KINDS + 1)
#define DEMO_N_ICONS (DEMO_N_KINDS + 2)
void demo_file_model_set_icons (DemoFileModel *self, cairo_surface_t *const *icons);
/* @store: (nullable) */
void demo_file_model_set_store (DemoFileModel *self, DemoFileStore *store);
void demo_file_model_set_sort (DemoFileModel *self, DemoSort sort, gboolean descending);
/* @needle: (nullable) */
void demo_file_model_set_needle (DemoFileModel *self, const char *needle);
/* Takes note of files that were added to the store, or are done. */
void demo_file_model_update (DemoFileModel *self);

/* How many rows there ought to be, be they told to the view yet or not. */
guint demo_file_model_get_n_rows (DemoFileModel *self);
/* Whether that number, and what the rows say, is what was last asked for. */
gboolean demo_file_model_is_arranged (DemoFileModel *self);
/* Whether the view knows of it all, too. */
gboolean demo_file_model_is_settled (DemoFileModel *self);
/* @index: (out): the index in the store of the file in a row, unless the row says nothing */
gboolean demo_file_model_get_index (DemoFileModel *self, guint row, guint *index);
/* Whether a file has been read, or has failed. */
gboolean demo_file_model_is_done (DemoFileModel *self, guint index);
/* The row of a file, if it is shown and told to the view. */
gboolean demo_file_model_find_row (DemoFileModel *self, guint index, guint *row);

G_END_DECLS
