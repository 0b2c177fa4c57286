/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The store: what is known of the files of one folder, in the order in which they were read. It
 * only grows. A file that was added never changes and never moves, so that another thread may look
 * at the first n files, once it was told n, while the main thread goes on adding.
 */

#include "reader/facts.h"

G_BEGIN_DECLS

typedef struct
{
  const char *mime_type;
  const char *description;
  DemoKind kind;
} DemoFileType;

typedef struct
{
  const char *path;         /* relative to the folder, in the encoding of the file system */
  const char *name;         /* its last part */
  const DemoFileType *type; /* (nullable): NULL if it could not be read … */
  const char *reason;       /* (nullable): … and this says why in a few words, … */
  const char *problem;      /* (nullable): … and this in a sentence */
  const char *encoding;     /* (nullable): of a text */
  guint64 size;
  gint64 modified; /* Unix time, s */
  guint64 lines;   /* of a text */
  guint64 words;   /* of a text */
  guint64 entries; /* of an archive */
  guint32 width;   /* of a picture, in pixels */
  guint32 height;  /* of a picture, in pixels */
  guint8 sha256[DEMO_SHA256_SIZE];
} DemoFile;

typedef struct _DemoFileStore DemoFileStore;

DemoFileStore *demo_file_store_new (const char *folder);
/* Any thread. */
DemoFileStore *demo_file_store_ref (DemoFileStore *self);
void demo_file_store_unref (DemoFileStore *self);

const char *demo_file_store_get_folder (DemoFileStore *self);
guint demo_file_store_get_n_files (DemoFileStore *self);
/* Any thread that was told of so many files. */
const DemoFile *demo_file_store_get_file (DemoFileStore *self, guint index);

/* Keeps a name for as long as the store lives. */
const char *demo_file_store_keep_name (DemoFileStore *self, const char *name);
/* @name: one that is kept. Both return the index of the file. */
guint demo_file_store_add_read (DemoFileStore *self, const char *name, const DemoFacts *facts);
/* @reason: never freed */
guint demo_file_store_add_failed (DemoFileStore *self,
                                  const char *name,
                                  const char *reason,
                                  const char *problem);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DemoFileStore, demo_file_store_unref)

G_END_DECLS
