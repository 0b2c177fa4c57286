/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "content.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <glib/gi18n.h>
#include <unistd.h>

#include "reader.h"

/* libarchive reads through a callback, so that it can be stopped amid a large entry. */
typedef struct
{
  int fd;
  const char *name;
  GCancellable *cancellable; /* (unowned) (nullable) */
  GError *error;             /* (owned) (nullable): why reading stopped */
  guint8 block[DEMO_BLOCK_SIZE];
} Source;

static la_ssize_t
read_cb (struct archive *archive, void *user_data, const void **block)
{
  Source *source = user_data;
  gssize n_read = -1;

  *block = source->block;
  if (source->error != NULL)
    return -1;
  if (!g_cancellable_set_error_if_cancelled (source->cancellable, &source->error))
    n_read = demo_read_block (source->fd, source->name, source->block, sizeof source->block,
                              &source->error);
  if (n_read < 0)
    archive_set_error (archive, ECANCELED, "%s", source->error->message);
  return n_read;
}

/* Without this, entries that are not asked for would be read, to get past them. */
static la_int64_t
seek_cb (struct archive *archive, void *user_data, la_int64_t offset, int whence)
{
  Source *source = user_data;
  off_t position = lseek (source->fd, offset, whence);

  if (position < 0)
    {
      archive_set_error (archive, errno, "%s", g_strerror (errno));
      return ARCHIVE_FATAL;
    }
  return position;
}

static struct archive *
open_archive (Source *source)
{
  struct archive *archive = archive_read_new ();

  if (archive == NULL)
    g_error ("archive_read_new() failed"); /* as GLib does where there is no memory */

  /* Only what is decoded in this process: libarchive would run programs for the others. */
  archive_read_support_filter_bzip2 (archive);
  archive_read_support_filter_compress (archive);
  archive_read_support_filter_gzip (archive);
  archive_read_support_filter_lz4 (archive);
  archive_read_support_filter_lzma (archive);
  archive_read_support_filter_rpm (archive);
  archive_read_support_filter_xz (archive);
  archive_read_support_filter_zstd (archive);

  /* All but mtree, which takes many a text for itself. */
  archive_read_support_format_7zip (archive);
  archive_read_support_format_ar (archive);
  archive_read_support_format_cab (archive);
  archive_read_support_format_cpio (archive);
  archive_read_support_format_empty (archive);
  archive_read_support_format_iso9660 (archive);
  archive_read_support_format_lha (archive);
  archive_read_support_format_rar (archive);
  archive_read_support_format_rar5 (archive);
  archive_read_support_format_raw (archive);
  archive_read_support_format_tar (archive);
  archive_read_support_format_xar (archive);
  archive_read_support_format_zip (archive);

  archive_read_set_callback_data (archive, source);
  archive_read_set_read_callback (archive, read_cb);
  archive_read_set_seek_callback (archive, seek_cb);
  return archive;
}

/* libarchive takes anything for "raw" data; that is one compressed file only if something was
 * uncompressed on the way. */
static gboolean
is_single_file (struct archive *archive)
{
  return archive_format (archive) == ARCHIVE_FORMAT_RAW;
}

static gboolean
is_compressed (struct archive *archive)
{
  return archive_filter_code (archive, 0) != ARCHIVE_FILTER_NONE;
}

static void
add_to_preview (GString *preview, struct archive_entry *entry, guint64 n_entries)
{
  const char *name = archive_entry_pathname (entry);
  g_autofree char *shown = NULL;

  if (name == NULL || n_entries > DEMO_PREVIEW_LINES)
    return;
  if (n_entries == DEMO_PREVIEW_LINES)
    {
      g_string_append (preview, "…\n");
      return;
    }
  shown = g_utf8_make_valid (name, -1);
  g_string_append_printf (preview, "%s\n", shown);
}

/* Returns the last result of libarchive: ARCHIVE_EOF where all went well. */
static int
read_entries (struct archive *archive, GString *preview, guint64 *n_entries)
{
  struct archive_entry *entry;
  int result;

  result = archive_read_open1 (archive);
  while (result == ARCHIVE_OK || result == ARCHIVE_WARN || result == ARCHIVE_RETRY)
    {
      result = archive_read_next_header (archive, &entry);
      if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
        continue;
      if (is_single_file (archive))
        {
          *n_entries = 1;
          return is_compressed (archive) ? ARCHIVE_EOF : ARCHIVE_FATAL;
        }
      add_to_preview (preview, entry, *n_entries);
      (*n_entries)++;
    }
  return result;
}

gboolean
demo_archive_read (
  int fd, const char *name, DemoFacts *facts, const DemoReaderClient *client, GError **error)
{
  g_autofree Source *source = g_new0 (Source, 1);
  g_autoptr (GString) preview = g_string_new (NULL);
  struct archive *archive;
  gboolean success;

  source->fd = fd;
  source->name = name;
  source->cancellable = client != NULL ? client->cancellable : NULL;
  if (lseek (fd, 0, SEEK_SET) != 0)
    return TRUE;

  archive = open_archive (source);
  success = read_entries (archive, preview, &facts->entries) == ARCHIVE_EOF
            && source->error == NULL;
  if (source->error != NULL)
    g_propagate_error (error, g_steal_pointer (&source->error));
  else if (!success)
    g_set_error (error, DEMO_READER_ERROR, DEMO_READER_ERROR_BAD_ARCHIVE,
                 _ ("“%s” is not a valid archive: %s"), name,
                    archive_error_string (archive) != NULL
                      ? archive_error_string (archive)
                      : _ ("Its contents are of another kind."));
  else if (preview->len > 0)
    {
      g_autofree char *shown = demo_text_shorten (preview->str, DEMO_PREVIEW_LINES + 1);

      facts->preview = demo_preview_new_text (shown);
    }
  archive_read_free (archive);
  return success;
}
