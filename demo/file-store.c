/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "file-store.h"

#include <string.h>

/* Files, and the numbers of those that are done, live in blocks that never move; the tables of
 * blocks have their full size from the start, for the same reason. */
#define FILES_PER_BLOCK 4096
#define MAX_BLOCKS 16384

struct _DemoFileStore
{
  gatomicrefcount ref_count;
  char *folder; /* (owned) */

  /* Main thread only, but for files that others were told of. */
  DemoFile **blocks; /* (owned): a table of (owned) (nullable) blocks */
  guint32 **done;    /* (owned): likewise, of indices, in the order in which they were done */
  guint n_files;
  guint n_done;
  GStringChunk *strings; /* (owned) */
  GHashTable *types;     /* (owned): mime type, in strings -> (owned) DemoFileType */
};

DemoFileStore *
demo_file_store_new (const char *folder)
{
  DemoFileStore *self = g_new0 (DemoFileStore, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->folder = g_strdup (folder);
  self->blocks = g_new0 (DemoFile *, MAX_BLOCKS);
  self->done = g_new0 (guint32 *, MAX_BLOCKS);
  self->strings = g_string_chunk_new (64 * 1024);
  self->types = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  return self;
}

DemoFileStore *
demo_file_store_ref (DemoFileStore *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
demo_file_store_unref (DemoFileStore *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  for (guint i = 0; i < MAX_BLOCKS && self->blocks[i] != NULL; i++)
    g_free (self->blocks[i]);
  for (guint i = 0; i < MAX_BLOCKS && self->done[i] != NULL; i++)
    g_free (self->done[i]);
  g_free (self->blocks);
  g_free (self->done);
  g_hash_table_unref (self->types);
  g_string_chunk_free (self->strings);
  g_free (self->folder);
  g_free (self);
}

const char *
demo_file_store_get_folder (DemoFileStore *self)
{
  return self->folder;
}

guint
demo_file_store_get_n_files (DemoFileStore *self)
{
  return self->n_files;
}

guint
demo_file_store_get_n_done (DemoFileStore *self)
{
  return self->n_done;
}

static DemoFile *
get_file (DemoFileStore *self, guint index)
{
  return &self->blocks[index / FILES_PER_BLOCK][index % FILES_PER_BLOCK];
}

const DemoFile *
demo_file_store_get_file (DemoFileStore *self, guint index)
{
  return get_file (self, index);
}

guint
demo_file_store_get_done (DemoFileStore *self, guint number)
{
  return self->done[number / FILES_PER_BLOCK][number % FILES_PER_BLOCK];
}

static const DemoFileType *
get_type (DemoFileStore *self, const DemoFacts *facts)
{
  DemoFileType *type = g_hash_table_lookup (self->types, facts->mime_type);

  if (type == NULL)
    {
      type = g_new0 (DemoFileType, 1);
      type->mime_type = g_string_chunk_insert (self->strings, facts->mime_type);
      type->description = g_string_chunk_insert (self->strings, facts->description);
      type->kind = facts->kind;
      g_hash_table_insert (self->types, (char *) type->mime_type, type);
    }
  return type;
}

guint
demo_file_store_add (DemoFileStore *self, const char *path)
{
  guint block = self->n_files / FILES_PER_BLOCK;
  const char *slash = strrchr (path, '/');
  DemoFile *file;

  /* The names alone of so many files would not fit into memory. */
  g_assert (block < MAX_BLOCKS);
  if (self->blocks[block] == NULL)
    self->blocks[block] = g_new0 (DemoFile, FILES_PER_BLOCK);

  file = &self->blocks[block][self->n_files % FILES_PER_BLOCK];
  file->path = g_string_chunk_insert (self->strings, path);
  file->name_offset = slash != NULL ? (guint32) (slash + 1 - path) : 0;
  return self->n_files++;
}

void
demo_file_store_set_asked (DemoFileStore *self, guint index)
{
  DemoFile *file = get_file (self, index);

  g_return_if_fail (file->state == DEMO_FILE_FOUND);

  file->state = DEMO_FILE_ASKED;
}

static void
note_done (DemoFileStore *self, DemoFile *file, guint index)
{
  guint block = self->n_done / FILES_PER_BLOCK;

  if (self->done[block] == NULL)
    self->done[block] = g_new (guint32, FILES_PER_BLOCK);
  self->done[block][self->n_done % FILES_PER_BLOCK] = index;
  file->state = DEMO_FILE_DONE;
  self->n_done++;
}

void
demo_file_store_set_read (DemoFileStore *self, guint index, const DemoFacts *facts)
{
  DemoFile *file = get_file (self, index);

  g_return_if_fail (file->state != DEMO_FILE_DONE);

  file->type = get_type (self, facts);
  file->size = facts->size;
  file->modified = facts->modified;
  memcpy (file->sha256, facts->sha256, DEMO_SHA256_SIZE);
  if (file->type->kind == DEMO_KIND_TEXT)
    {
      file->facts.text.lines = facts->lines;
      file->facts.text.words = facts->words;
      if (facts->encoding != NULL)
        file->facts.text.encoding = g_string_chunk_insert_const (self->strings, facts->encoding);
    }
  else if (file->type->kind == DEMO_KIND_IMAGE)
    {
      file->facts.picture.width = facts->width;
      file->facts.picture.height = facts->height;
    }
  else if (file->type->kind == DEMO_KIND_ARCHIVE)
    file->facts.entries = facts->entries;
  note_done (self, file, index);
}

void
demo_file_store_set_failed (DemoFileStore *self,
                            guint index,
                            const char *reason,
                            const char *problem)
{
  DemoFile *file = get_file (self, index);

  g_return_if_fail (file->state != DEMO_FILE_DONE);

  file->facts.failed.reason = reason;
  file->facts.failed.problem = g_string_chunk_insert_const (self->strings, problem);
  note_done (self, file, index);
}
