/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The reader: what becomes of one file, or of one folder. Plain functions that know neither
 * workers nor windows: the worker program calls them, and so does the application where it is told
 * to load in its main thread.
 */

#include <gio/gio.h>

#include "facts.h"

G_BEGIN_DECLS

/* Names of the worker's functions, and the type of their arguments: a path, in the encoding of the
 * file system. */
#define DEMO_FUNCTION_LIST "list-folder"
#define DEMO_FUNCTION_READ "read-file"
#define DEMO_ARGUMENTS_TYPE "(ay)"

/* What list-folder emits: the number of names emitted before these, then names with, for one that
 * can't be read at all, the reason. Names are relative to the folder. Its result is the number of
 * all names. */
#define DEMO_NAMES_TYPE "(ta(ays))"

typedef enum
{
  DEMO_READER_ERROR_BROKEN_LINK,
  DEMO_READER_ERROR_SPECIAL_FILE,
  DEMO_READER_ERROR_BAD_IMAGE,
  DEMO_READER_ERROR_BAD_ARCHIVE,
  DEMO_READER_ERROR_FOLDER,
} DemoReaderError;

#define DEMO_READER_ERROR (demo_reader_error_quark ())
GQuark demo_reader_error_quark (void) G_GNUC_CONST;

/* @fraction: of the file, 0 … 1 */
typedef void (*DemoProgressFunc) (double fraction, gpointer user_data);

/* (transfer full): the facts of the file. Blocks. Any thread. */
GVariant *demo_reader_read (const char *path,
                            GCancellable *cancellable,
                            DemoProgressFunc progress,
                            gpointer user_data,
                            GError **error);

/* @names: of DEMO_NAMES_TYPE, floating. FALSE stops the listing without an error. */
typedef gboolean (*DemoNamesFunc) (GVariant *names, gpointer user_data);

/* Lists everything below @path but folders, symbolic links to folders included: those are not
 * followed. Folders come in the order of their names, so that a second listing of the same tree
 * tells the same names in the same order. A folder below @path that can't be listed is a name with
 * a reason. Blocks. Any thread. */
gboolean demo_reader_list (const char *path,
                           GCancellable *cancellable,
                           DemoNamesFunc emit,
                           gpointer user_data,
                           guint64 *n_names,
                           GError **error);

G_END_DECLS
