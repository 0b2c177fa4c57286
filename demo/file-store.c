/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "file-store.h"

#include <string.h>

/* Files live in blocks that never move; the table of blocks has its full size from the start, for
 * the same reason. */
#define FILES_PER_BLOCK 4096
#define MAX_BLOCKS 16384

struct _DemoFileStore
{
  gatomicrefcount ref_count;
  char *folder; /* (owned) */

  /* Main thread only, but for files that others were told of. */
  DemoFile **blocks; /* (owned): a table of (owned) (nullable) blocks */
  guint n_files;
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
  g_free (self->blocks);
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

const DemoFile *
demo_file_store_get_file (DemoFileStore *self, guint index)
{
  return &self->blocks[index / FILES_PER_BLOCK][index % FILES_PER_BLOCK];
}

const char *
demo_file_store_keep_name (DemoFileStore *self, const char *name)
{
  return g_string_chunk_insert (self->strings, name);
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

static DemoFile *
add (DemoFileStore *self, const char *name, guint *index)
{
  guint block = self->n_files / FILES_PER_BLOCK;
  const char *slash = strrchr (name, '/');
  DemoFile *file;

  /* The names alone of so many files would not fit into memory. */
  g_assert (block < MAX_BLOCKS);
  if (self->blocks[block] == NULL)
    self->blocks[block] = g_new0 (DemoFile, FILES_PER_BLOCK);

  file = &self->blocks[block][self->n_files % FILES_PER_BLOCK];
  file->path = name;
  file->name = slash != NULL ? slash + 1 : name;
  *index = self->n_files++;
  return file;
}

guint
demo_file_store_add_read (DemoFileStore *self, const char *name, const DemoFacts *facts)
{
  guint index;
  DemoFile *file = add (self, name, &index);

  file->type = get_type (self, facts);
  file->size = facts->size;
  file->modified = facts->modified;
  file->lines = facts->lines;
  file->words = facts->words;
  file->entries = facts->entries;
  file->width = facts->width;
  file->height = facts->height;
  memcpy (file->sha256, facts->sha256, DEMO_SHA256_SIZE);
  if (facts->encoding != NULL)
    file->encoding = g_string_chunk_insert_const (self->strings, facts->encoding);
  return index;
}

guint
demo_file_store_add_failed (DemoFileStore *self,
                            const char *name,
                            const char *reason,
                            const char *problem)
{
  guint index;
  DemoFile *file = add (self, name, &index);

  file->reason = reason;
  file->problem = g_string_chunk_insert (self->strings, problem);
  return index;
}
