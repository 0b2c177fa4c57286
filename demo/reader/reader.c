/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content.h"

/* clang-format off */
G_DEFINE_QUARK (demo-reader-error-quark, demo_reader_error)
/* clang-format on */

/* One file on its way through the reader. */
typedef struct
{
  int fd;
  const char *name; /* for messages */
  guint64 expected_size;
  const DemoReaderClient *client; /* (nullable) */
} Reading;

static void
set_read_error (const char *name, int saved_errno, GError **error)
{
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
               _ ("“%s” could not be read: %s"), name, g_strerror (saved_errno));
}

gssize
demo_read_block (int fd, const char *name, void *buffer, gsize size, GError **error)
{
  gssize n_read;

  do
    n_read = read (fd, buffer, size);
  while (n_read < 0 && errno == EINTR);

  if (n_read < 0)
    set_read_error (name, errno, error);
  return n_read;
}

static char *
describe_special_file (const char *name, mode_t mode)
{
  switch (mode & S_IFMT)
    {
    case S_IFIFO:
      return g_strdup_printf (_ ("“%s” is a named pipe, which has no contents of its own."), name);
    case S_IFSOCK:
      return g_strdup_printf (_ ("“%s” is a socket, which has no contents of its own."), name);
    case S_IFCHR:
    case S_IFBLK:
      return g_strdup_printf (_ ("“%s” is a device, which is not opened."), name);
    case S_IFDIR:
      return g_strdup_printf (_ ("“%s” is a folder."), name);
    default:
      return g_strdup_printf (_ ("“%s” is not a regular file."), name);
    }
}

/* Opening a pipe could wait for ever, and opening a device can do things: hence it is looked at
 * before it is opened, and once more afterwards, because it may have been replaced meanwhile. */
static gboolean
check_is_regular (const char *name, const struct stat *status, GError **error)
{
  g_autofree char *message = NULL;

  if (S_ISREG (status->st_mode))
    return TRUE;

  message = describe_special_file (name, status->st_mode);
  g_set_error_literal (error, DEMO_READER_ERROR, DEMO_READER_ERROR_SPECIAL_FILE, message);
  return FALSE;
}

static void
set_open_error (const char *path, const char *name, int saved_errno, GError **error)
{
  struct stat status;

  if (saved_errno == ENOENT && lstat (path, &status) == 0 && S_ISLNK (status.st_mode))
    {
      g_autofree char *target = g_file_read_link (path, NULL);
      g_autofree char *shown = target != NULL ? g_filename_display_name (target) : NULL;

      g_set_error (error, DEMO_READER_ERROR, DEMO_READER_ERROR_BROKEN_LINK,
                   _ ("“%s” is a link to “%s”, which does not exist."), name,
                      shown != NULL ? shown : "?");
      return;
    }
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno),
               _ ("“%s” could not be opened: %s"), name, g_strerror (saved_errno));
}

int
demo_reader_open (const char *path, GError **error)
{
  g_autofree char *name = g_filename_display_basename (path);
  struct stat status;
  int fd;

  if (stat (path, &status) != 0)
    {
      set_open_error (path, name, errno, error);
      return -1;
    }
  if (!check_is_regular (name, &status, error))
    return -1;

  fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    {
      set_open_error (path, name, errno, error);
      return -1;
    }
  if (fstat (fd, &status) != 0 || !check_is_regular (name, &status, error))
    {
      if (error != NULL && *error == NULL)
        set_open_error (path, name, errno, error);
      close (fd);
      return -1;
    }
  return fd;
}

/* Whoever has opened the file may be mistaken, or lie. */
static gboolean
look_at (Reading *reading, DemoFacts *facts, GError **error)
{
  struct stat status;

  if (fstat (reading->fd, &status) != 0)
    {
      set_read_error (reading->name, errno, error);
      return FALSE;
    }
  if (!check_is_regular (reading->name, &status, error))
    return FALSE;

  reading->expected_size = (guint64) status.st_size;
  facts->modified = status.st_mtime;
  return TRUE;
}

static void
guess_type (DemoFacts *facts, const char *path, const guint8 *head, gsize size)
{
  g_autofree char *guess = NULL;
  const DemoContentType *type;

  guess = g_content_type_guess (path, head, MIN (size, 4096), NULL);
  type = demo_content_type_get (guess);
  facts->mime_type = g_strdup (type->mime_type);
  facts->description = g_strdup (type->description);
  facts->kind = type->kind;
}

/* One pass over the whole file for what needs every byte: its sum, its size and, for text, its
 * lines and words. */
static gboolean
scan (Reading *reading, const char *path, DemoFacts *facts, GError **error)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autoptr (DemoTextScanner) text = NULL;
  g_autofree guint8 *block = g_malloc (DEMO_BLOCK_SIZE);
  const DemoReaderClient *client = reading->client;
  gsize length = DEMO_SHA256_SIZE;
  gssize n_read;

  do
    {
      if (client != NULL && g_cancellable_set_error_if_cancelled (client->cancellable, error))
        return FALSE;
      n_read = demo_read_block (reading->fd, reading->name, block, DEMO_BLOCK_SIZE, error);
      if (n_read < 0)
        return FALSE;

      if (facts->mime_type == NULL)
        {
          guess_type (facts, path, block, (gsize) n_read);
          if (facts->kind == DEMO_KIND_TEXT)
            text = demo_text_scanner_new ();
        }
      g_checksum_update (checksum, block, n_read);
      if (text != NULL)
        demo_text_scanner_feed (text, block, (gsize) n_read);
      facts->size += (guint64) n_read;
      if (client != NULL && client->progress != NULL && facts->size < reading->expected_size)
        client->progress ((double) facts->size / (double) reading->expected_size,
                          client->user_data);
    }
  while (n_read > 0);

  g_checksum_get_digest (checksum, facts->sha256, &length);
  if (text != NULL)
    demo_text_scanner_finish (text, facts);
  return TRUE;
}

static gboolean
look_inside (Reading *reading, DemoFacts *facts, GError **error)
{
  if (facts->size == 0)
    return TRUE;

  switch (facts->kind)
    {
    case DEMO_KIND_IMAGE:
      return demo_image_read (reading->fd, reading->name, facts, reading->client, error);
    case DEMO_KIND_ARCHIVE:
      return demo_archive_read (reading->fd, reading->name, facts, reading->client, error);
    case DEMO_KIND_OTHER:
    case DEMO_KIND_TEXT:
    case DEMO_KIND_AUDIO:
    case DEMO_KIND_VIDEO:
    case DEMO_KIND_FONT:
    case DEMO_KIND_DOCUMENT:
    case DEMO_N_KINDS:
    default:
      return TRUE;
    }
}

GVariant *
demo_reader_read (
  int fd, const char *path, const DemoReaderClient *client, GBytes **pixels, GError **error)
{
  g_autofree char *name = g_filename_display_basename (path);
  g_auto (DemoFacts) facts = { 0 };
  Reading reading = { fd, name, 0, client };

  if (pixels != NULL)
    *pixels = NULL;
  if (!look_at (&reading, &facts, error) || !scan (&reading, path, &facts, error)
      || !look_inside (&reading, &facts, error))
    return NULL;

  if (pixels != NULL && facts.preview != NULL && facts.preview->pixels != NULL)
    *pixels = g_bytes_ref (facts.preview->pixels);
  return g_variant_ref_sink (demo_facts_to_variant (&facts));
}
