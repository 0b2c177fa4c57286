/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "reader.h"

#include <dirent.h>
#include <errno.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/stat.h>

/* Names are told in batches: each costs a message. The first ones are small, so that reading can
 * begin at once. */
#define FIRST_BATCH 16
#define LARGEST_BATCH 1024

typedef struct
{
  const char *root;
  GCancellable *cancellable; /* (unowned) (nullable) */
  DemoNamesFunc emit;
  gpointer user_data;
  GPtrArray *folders; /* (owned): a stack of names relative to the root, "" is the root */
  GPtrArray *below;   /* (owned): those found in the folder that is being listed */
  GVariantBuilder batch;
  guint n_batch;
  guint batch_size;
  guint64 n_told; /* names in batches that were emitted */
  gboolean stopped;
} Listing;

static void
flush (Listing *self)
{
  if (self->n_batch == 0)
    return;

  if (!self->emit (g_variant_new ("(ta(ays))", self->n_told, &self->batch), self->user_data))
    self->stopped = TRUE;
  g_variant_builder_init (&self->batch, G_VARIANT_TYPE ("a(ays)"));
  self->n_told += self->n_batch;
  self->n_batch = 0;
  self->batch_size = MIN (self->batch_size * 2, LARGEST_BATCH);
}

/* @reason: (nullable) */
static void
tell (Listing *self, const char *name, const char *reason)
{
  g_variant_builder_add (&self->batch, "(^ays)", name, reason != NULL ? reason : "");
  self->n_batch++;
  if (self->n_batch >= self->batch_size)
    flush (self);
}

static void
set_error (const char *path, int saved_errno, GError **error)
{
  g_autofree char *shown = g_filename_display_basename (path);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
               _ ("The folder “%s” could not be listed: %s"), shown, g_strerror (saved_errno));
}

/* Names are kept with their type as a first character, which does not count here. */
static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a + 1, *(const char *const *) b + 1);
}

/* Whether a name stands for a folder, be it through a link; @is_link says so. */
static gboolean
is_folder (Listing *self, const char *name, unsigned char type, gboolean *is_link)
{
  g_autofree char *path = NULL;
  struct stat status;

  *is_link = FALSE;
  if (type != DT_UNKNOWN && type != DT_LNK)
    return type == DT_DIR;

  path = g_build_filename (self->root, name, NULL);
  if (type == DT_UNKNOWN)
    {
      if (lstat (path, &status) != 0)
        return FALSE;
      type = IFTODT (status.st_mode);
    }
  *is_link = type == DT_LNK;
  return stat (path, &status) == 0 && S_ISDIR (status.st_mode);
}

/* Reads the next names in a folder into @names, sorted; each is preceded by its type, as a letter.
 * There are no more if that are none. */
static gboolean
read_run (Listing *self, DIR *directory, const char *path, GPtrArray *names, GError **error)
{
  struct dirent *entry = NULL;

  while (names->len < DEMO_RUN_LENGTH)
    {
      errno = 0;
      entry = readdir (directory);
      if (entry == NULL || g_cancellable_is_cancelled (self->cancellable))
        break;
      if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
        g_ptr_array_add (names, g_strdup_printf ("%c%s", 'A' + entry->d_type, entry->d_name));
    }
  if (entry == NULL && errno != 0)
    {
      set_error (path, errno, error);
      return FALSE;
    }
  g_ptr_array_sort (names, compare_names);
  return !g_cancellable_set_error_if_cancelled (self->cancellable, error);
}

static char *
join (const char *folder, const char *name)
{
  return *folder == '\0' ? g_strdup (name) : g_strconcat (folder, "/", name, NULL);
}

/* Tells the files of a run, and collects its folders. */
static void
tell_run (Listing *self, const char *folder, GPtrArray *names)
{
  for (guint i = 0; i < names->len && !self->stopped; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *relative = join (folder, name + 1);
      gboolean is_link;

      if (!is_folder (self, relative, (unsigned char) (name[0] - 'A'), &is_link))
        tell (self, relative, NULL);
      else if (!is_link)
        g_ptr_array_add (self->below, g_steal_pointer (&relative));
    }
}

static int
compare_folders (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Tells the files of one folder and puts its folders on the stack, the first of them on top. */
static gboolean
list_one (Listing *self, const char *folder, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *path = g_build_filename (self->root, folder, NULL);
  DIR *directory = opendir (path);
  gboolean success;

  if (directory == NULL)
    {
      set_error (path, errno, error);
      return FALSE;
    }
  do
    {
      g_ptr_array_set_size (names, 0);
      success = read_run (self, directory, path, names, error);
      if (success)
        tell_run (self, folder, names);
    }
  while (success && names->len > 0 && !self->stopped);
  closedir (directory);

  g_ptr_array_sort (self->below, compare_folders);
  while (self->below->len > 0)
    g_ptr_array_add (self->folders, g_ptr_array_steal_index (self->below, self->below->len - 1));
  return success;
}

static gboolean
list_all (Listing *self, GError **error)
{
  while (self->folders->len > 0 && !self->stopped)
    {
      g_autofree char *folder = g_ptr_array_steal_index (self->folders, self->folders->len - 1);
      g_autoptr (GError) local_error = NULL;

      if (list_one (self, folder, &local_error))
        continue;
      if (*folder == '\0' || g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
      tell (self, folder, local_error->message);
    }
  flush (self);
  return TRUE;
}

gboolean
demo_reader_list (const char *path,
                  GCancellable *cancellable,
                  DemoNamesFunc emit,
                  gpointer user_data,
                  guint64 *n_names,
                  GError **error)
{
  Listing self = {
    .root = path,
    .cancellable = cancellable,
    .emit = emit,
    .user_data = user_data,
    .batch_size = FIRST_BATCH,
  };
  gboolean success;

  self.folders = g_ptr_array_new_with_free_func (g_free);
  self.below = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (self.folders, g_strdup (""));
  g_variant_builder_init (&self.batch, G_VARIANT_TYPE ("a(ays)"));

  success = list_all (&self, error);

  g_variant_builder_clear (&self.batch);
  g_ptr_array_unref (self.below);
  g_ptr_array_unref (self.folders);
  *n_names = self.n_told;
  return success;
}
