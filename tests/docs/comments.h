/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the examples in the comments of the sources leave to their readers' imagination. It lets
 * tests/check-comments compile them; nothing of it exists.
 */

#pragma once

#include <dray.h>

typedef struct _GtkLabel GtkLabel;

extern DrayExecutor *executor;
extern DrayFuture **futures;
extern DrayJob *job;
extern DrayWorkerProcess *worker;
extern GListModel *files;
extern GtkLabel *label;
extern const char *collection;
extern const char *folder;
extern const char *path;
extern gpointer self;
extern gpointer view;
extern gsize height;
extern gsize stride;
extern guint n_futures;
extern guint n_pages;

extern GVariant *to_arguments (gpointer item, gpointer user_data);
extern gboolean read_line (const char *path);
extern int run_application (int argc, char **argv);
extern void add_row (gpointer view, GVariant *value);
extern void gtk_label_set_text (GtkLabel *label, const char *text);
extern void on_done (DrayFuture *future, gpointer user_data);
extern void on_file_name (DrayFuture *future, GVariant *name, gpointer user_data);
extern void on_joined (GObject *group, GAsyncResult *result, gpointer user_data);
extern void render (gpointer pixels, gsize stride, gsize height);
extern void show_result (DrayFuture *future);
