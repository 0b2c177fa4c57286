/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-linked-files.h"

#include <link.h>
#include <string.h>

/* Scripts that are interpreted by scripts; the kernel has a limit as well. */
#define MAX_INTERPRETERS 5

/* A file of this machine's format, mapped. Nothing that it says of itself is believed: each place
 * in it is checked to be in it. */
typedef struct
{
  const guint8 *bytes;
  gsize size;
  const ElfW (Phdr) *segments;
  guint n_segments;
} Image;

/* What a run path means depends on where the file is. */
typedef struct
{
  const char *origin;
  const char *run_path; /* (nullable) */
} Place;

static gboolean
holds (const Image *image, guint64 offset, guint64 size)
{
  return offset <= image->size && size <= image->size - offset;
}

/* Returns: (nullable): a text that ends inside the file, at @offset from @base */
static const char *
get_text (const Image *image, guint64 base, guint64 offset)
{
  if (base >= image->size || offset >= image->size - base)
    return NULL;

  offset += base;
  if (memchr (image->bytes + offset, 0, image->size - offset) == NULL)
    return NULL;

  return (const char *) image->bytes + offset;
}

static gboolean
image_open (Image *image, const guint8 *bytes, gsize size)
{
  const int class = sizeof (void *) == 8 ? ELFCLASS64 : ELFCLASS32;
  const ElfW (Ehdr) *header = (gconstpointer) bytes;

  *image = (Image){ .bytes = bytes, .size = size };
  if (size < sizeof *header || memcmp (bytes, ELFMAG, SELFMAG) != 0 || bytes[EI_CLASS] != class
      || header->e_phentsize != sizeof *image->segments
      || header->e_phoff % G_ALIGNOF (ElfW (Phdr)) != 0
      || !holds (image, header->e_phoff, (guint64) header->e_phnum * header->e_phentsize))
    return FALSE;

  image->segments = (gconstpointer) (bytes + header->e_phoff);
  image->n_segments = header->e_phnum;
  return TRUE;
}

static const ElfW (Phdr) *
find_segment (const Image *image, guint type)
{
  for (guint i = 0; i < image->n_segments; i++)
    if (image->segments[i].p_type == type)
      return &image->segments[i];

  return NULL;
}

/* Where in the file something is that will be at @address; beyond its end if it is nowhere. */
static guint64
find_offset (const Image *image, guint64 address)
{
  for (guint i = 0; i < image->n_segments; i++)
    {
      const ElfW (Phdr) *segment = &image->segments[i];

      if (segment->p_type == PT_LOAD && address >= segment->p_vaddr
          && address - segment->p_vaddr < segment->p_filesz)
        return segment->p_offset + (address - segment->p_vaddr);
    }

  return G_MAXUINT64;
}

/* Returns: the entries of the dynamic section, *@n_entries of them */
static const ElfW (Dyn) *
get_entries (const Image *image, gsize *n_entries)
{
  const ElfW (Phdr) *segment = find_segment (image, PT_DYNAMIC);

  *n_entries = 0;
  if (segment == NULL || segment->p_offset % G_ALIGNOF (ElfW (Dyn)) != 0
      || !holds (image, segment->p_offset, segment->p_filesz))
    return NULL;

  *n_entries = segment->p_filesz / sizeof (ElfW (Dyn));
  return (gconstpointer) (image->bytes + segment->p_offset);
}

/* Returns: the value of the first entry with that tag; 0 if there is none */
static guint64
get_entry (const Image *image, gint64 tag)
{
  gsize n_entries;
  const ElfW (Dyn) *entries = get_entries (image, &n_entries);

  for (gsize i = 0; i < n_entries && entries[i].d_tag != DT_NULL; i++)
    if (entries[i].d_tag == tag)
      return entries[i].d_un.d_val;

  return 0;
}

/* --- Looking for libraries --- */

/* (transfer full) */
static char *
expand_origin (const char *folder, const char *origin)
{
  g_autoptr (GString) text = g_string_new (folder);

  g_string_replace (text, "${ORIGIN}", origin, 0);
  g_string_replace (text, "$ORIGIN", origin, 0);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
look_for (DrayLinkedFiles *self, const Place *place, const char *name)
{
  g_auto (GStrv) folders = NULL;

  if (strchr (name, '/') != NULL)
    {
      if (g_path_is_absolute (name))
        dray_linked_files_add_library (self, name);
      return;
    }

  folders = g_strsplit (place->run_path != NULL ? place->run_path : "", ":", -1);
  for (guint i = 0; folders[i] != NULL; i++)
    {
      g_autofree char *folder = expand_origin (folders[i], place->origin);
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *canonical = NULL;

      if (!g_path_is_absolute (path) || !g_file_test (path, G_FILE_TEST_IS_REGULAR))
        continue;
      /* The linker goes by way of what is before a "..", which need not be there in a sandbox. */
      canonical = g_canonicalize_filename (path, NULL);
      dray_linked_files_add_library (self, canonical);
      return;
    }
}

static void
look_into (DrayLinkedFiles *self, const Image *image, const char *path)
{
  g_autofree char *origin = g_path_get_dirname (path);
  const guint64 texts = find_offset (image, get_entry (image, DT_STRTAB));
  guint64 run_path = get_entry (image, DT_RUNPATH);
  Place place = { .origin = origin };
  gsize n_entries;
  const ElfW (Dyn) *entries = get_entries (image, &n_entries);

  if (run_path == 0)
    run_path = get_entry (image, DT_RPATH);
  if (run_path != 0)
    place.run_path = get_text (image, texts, run_path);

  for (gsize i = 0; i < n_entries && entries[i].d_tag != DT_NULL; i++)
    {
      const char *name = entries[i].d_tag == DT_NEEDED
                           ? get_text (image, texts, entries[i].d_un.d_val)
                           : NULL;

      if (name != NULL)
        look_for (self, &place, name);
    }
}

/* --- Files --- */

static gboolean
add_once (GPtrArray *paths, const char *path)
{
  if (g_ptr_array_find_with_equal_func (paths, path, g_str_equal, NULL))
    return FALSE;

  g_ptr_array_add (paths, g_strdup (path));
  return TRUE;
}

static gboolean
map_file (const char *path, GMappedFile **file, const guint8 **bytes, gsize *size)
{
  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
    return FALSE;

  *file = g_mapped_file_new (path, FALSE, NULL);
  if (*file == NULL)
    return FALSE;

  *bytes = (const guint8 *) g_mapped_file_get_contents (*file);
  *size = g_mapped_file_get_length (*file);
  return *bytes != NULL;
}

void
dray_linked_files_add_library (DrayLinkedFiles *self, const char *path)
{
  g_autoptr (GMappedFile) file = NULL;
  const guint8 *bytes;
  gsize size;
  Image image;

  if (add_once (self->libraries, path) && map_file (path, &file, &bytes, &size)
      && image_open (&image, bytes, size))
    look_into (self, &image, path);
}

/* (transfer full) (nullable): of "#!/bin/sh -e" it is "/bin/sh" */
static char *
dup_interpreter (const guint8 *bytes, gsize size)
{
  const gsize length = MIN (size, 256);
  g_autofree char *line = g_strndup ((const char *) bytes, length);
  g_auto (GStrv) words = NULL;

  if (length < 3 || line[0] != '#' || line[1] != '!')
    return NULL;

  g_strdelimit (line, " \t\n", ' ');
  words = g_strsplit (g_strchug (line + 2), " ", 2);
  return words[0] != NULL && g_path_is_absolute (words[0]) ? g_strdup (words[0]) : NULL;
}

static void
add_program (DrayLinkedFiles *self, const char *path, guint depth)
{
  g_autoptr (GMappedFile) file = NULL;
  g_autofree char *interpreter = NULL;
  const ElfW (Phdr) *segment = NULL;
  const guint8 *bytes;
  gsize size;
  Image image;

  if (!add_once (self->programs, path) || !map_file (path, &file, &bytes, &size))
    return;

  interpreter = dup_interpreter (bytes, size);
  if (image_open (&image, bytes, size))
    {
      look_into (self, &image, path);
      segment = find_segment (&image, PT_INTERP);
    }
  if (segment != NULL)
    interpreter = g_strdup (get_text (&image, segment->p_offset, 0));
  if (interpreter != NULL && depth < MAX_INTERPRETERS)
    add_program (self, interpreter, depth + 1);
}

void
dray_linked_files_add_program (DrayLinkedFiles *self, const char *path)
{
  add_program (self, path, 0);
}

DrayLinkedFiles *
dray_linked_files_new (void)
{
  DrayLinkedFiles *self = g_new0 (DrayLinkedFiles, 1);

  self->programs = g_ptr_array_new_with_free_func (g_free);
  self->libraries = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
dray_linked_files_free (DrayLinkedFiles *self)
{
  g_ptr_array_unref (self->programs);
  g_ptr_array_unref (self->libraries);
  g_free (self);
}
