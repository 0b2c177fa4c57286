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
 * file system. Of a file that is to be read it only says what it is called: the file itself comes
 * as an open one, so that whoever reads it need not be able to open any. What read-file emits are
 * the pixels of a preview, of the type `ay`. */
#define DEMO_FUNCTION_LIST "list-folder"
#define DEMO_FUNCTION_READ "read-file"
#define DEMO_ARGUMENTS_TYPE "(ay)"

/* What list-folder emits: the number of names emitted before these, then names with, for one that
 * can't be read at all, the reason. Names are relative to the folder. Its result is the number of
 * all names. */
#define DEMO_NAMES_TYPE "(ta(ays))"

#define DEMO_RUN_LENGTH 65536

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
/* (transfer full): memory for pixels, at @data */
typedef GBytes *(*DemoAllocateFunc) (gsize size, gpointer *data, gpointer user_data);

/* Whom one file is read for. Every field may be NULL. */
typedef struct
{
  GCancellable *cancellable; /* (unowned) */
  DemoProgressFunc progress;
  DemoAllocateFunc allocate;
  gpointer user_data;
} DemoReaderClient;

/* Opens what is a file and nothing else: a pipe, a device or a folder is refused. Returns a
 * descriptor, or -1. Any thread; it may take as long as a file system likes. */
int demo_reader_open (const char *path, GError **error);

/* (transfer full): the facts of an open file, which is read from where it is. @path: what it is
 * called. @client: (nullable). @pixels: (out) (transfer full) (nullable): of its preview. Blocks.
 * Any thread. */
GVariant *demo_reader_read (
  int fd, const char *path, const DemoReaderClient *client, GBytes **pixels, GError **error);

/* @names: of DEMO_NAMES_TYPE, floating. FALSE stops the listing without an error. */
typedef gboolean (*DemoNamesFunc) (GVariant *names, gpointer user_data);

/* Lists everything below @path but folders, symbolic links to folders included: those are not
 * followed. Folders come in the order of their names, and files too, but that of a folder with more
 * than DEMO_RUN_LENGTH of them only so many are looked at and ordered at a time. So the memory that
 * it takes does not grow with the folder, and a second listing of the same tree tells the same
 * names in the same order. A folder below @path that can't be listed is a name with a reason.
 * Blocks. Any thread. */
gboolean demo_reader_list (const char *path,
                           GCancellable *cancellable,
                           DemoNamesFunc emit,
                           gpointer user_data,
                           guint64 *n_names,
                           GError **error);

G_END_DECLS
