/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The store: what is known of the files of one folder, in the order in which they were found. Each
 * is added by its name alone, and told about once, later: read, or failed. Then it is done.
 *
 * It only grows, and nothing in it moves. Another thread may look at the names of the first n
 * files, once it was told n, and at all else of the first m files that were done, once it was told
 * m, while the main thread goes on: neither changes any more.
 *
 * There may be a million of them, so a file takes no more than what is known of it: what is said of
 * a text, a picture and a problem share their place.
 */

#include "reader/facts.h"

G_BEGIN_DECLS

typedef struct
{
  const char *mime_type;
  const char *description;
  DemoKind kind;
} DemoFileType;

/* Main thread only. */
typedef enum
{
  DEMO_FILE_FOUND,
  DEMO_FILE_ASKED, /* it is on its way through an engine */
  DEMO_FILE_DONE
} DemoFileState;

typedef struct
{
  const char *path;    /* relative to the folder, in the encoding of the file system */
  guint32 name_offset; /* of its last part */
  guint8 state;        /* a DemoFileState; main thread only */
  guint8 sha256[DEMO_SHA256_SIZE];
  const DemoFileType *type; /* (nullable): NULL if it could not be read, or was not yet */
  guint64 size;
  gint64 modified; /* Unix time, s */
  union
  {
    struct
    {
      const char *encoding; /* (nullable) */
      guint64 lines;
      guint64 words;
    } text; /* DEMO_KIND_TEXT */
    struct
    {
      guint32 width; /* in pixels */
      guint32 height;
    } picture;       /* DEMO_KIND_IMAGE */
    guint64 entries; /* DEMO_KIND_ARCHIVE */
    struct
    {
      const char *reason;  /* why it could not be read, in a few words … */
      const char *problem; /* … and in a sentence */
    } failed;              /* without a type */
  } facts;
} DemoFile;

typedef struct _DemoFileStore DemoFileStore;

DemoFileStore *demo_file_store_new (const char *folder);
/* Any thread. */
DemoFileStore *demo_file_store_ref (DemoFileStore *self);
void demo_file_store_unref (DemoFileStore *self);

const char *demo_file_store_get_folder (DemoFileStore *self);
guint demo_file_store_get_n_files (DemoFileStore *self);
guint demo_file_store_get_n_done (DemoFileStore *self);
/* Any thread that was told of so many files. */
const DemoFile *demo_file_store_get_file (DemoFileStore *self, guint index);
/* The index of the file that was done as the @number-th. Any thread that was told of so many. */
guint demo_file_store_get_done (DemoFileStore *self, guint number);

/* Adds a file that was found. Returns its index. */
guint demo_file_store_add (DemoFileStore *self, const char *path);
void demo_file_store_set_asked (DemoFileStore *self, guint index);
/* Once for each file. */
void demo_file_store_set_read (DemoFileStore *self, guint index, const DemoFacts *facts);
/* @reason: never freed */
void demo_file_store_set_failed (DemoFileStore *self,
                                 guint index,
                                 const char *reason,
                                 const char *problem);

static inline const char *
demo_file_get_name (const DemoFile *file)
{
  return file->path + file->name_offset;
}

static inline gboolean
demo_file_is_kind (const DemoFile *file, DemoKind kind)
{
  return file->type != NULL && file->type->kind == kind;
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DemoFileStore, demo_file_store_unref)

G_END_DECLS
