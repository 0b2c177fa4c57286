/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "content.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

/* Beyond this many pixels the dimensions are told and nothing is decoded. */
#define MAX_PIXELS (200 * 1000 * 1000)

typedef struct
{
  DemoFacts *facts;
  gboolean is_vector;
  gboolean is_too_large;
  gboolean read_failed; /* or was cancelled: no fault of the picture */
} Decoding;

/* The decoder makes the picture as small as it is shown, which saves most of the work for large
 * photographs. Drawings have no size of their own and may grow. */
static void
size_prepared_cb (GdkPixbufLoader *loader, int width, int height, gpointer user_data)
{
  Decoding *self = user_data;
  double scale;

  if (width <= 0 || height <= 0)
    return;
  self->facts->width = (guint) width;
  self->facts->height = (guint) height;
  if ((gint64) width * height > MAX_PIXELS)
    {
      self->is_too_large = TRUE;
      gdk_pixbuf_loader_set_size (loader, 0, 0);
      return;
    }

  scale = MIN ((double) DEMO_THUMBNAIL_SIZE / width, (double) DEMO_THUMBNAIL_SIZE / height);
  if (!self->is_vector)
    scale = MIN (scale, 1.0);
  if (scale != 1.0)
    gdk_pixbuf_loader_set_size (loader, MAX (1, (int) (width * scale + 0.5)),
                                MAX (1, (int) (height * scale + 0.5)));
}

static gboolean
feed (GdkPixbufLoader *loader,
      Decoding *self,
      int fd,
      const char *name,
      GCancellable *cancellable,
      GError **error)
{
  g_autofree guint8 *block = g_malloc (DEMO_BLOCK_SIZE);
  gssize n_read;

  do
    {
      self->read_failed = TRUE;
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      n_read = demo_read_block (fd, name, block, DEMO_BLOCK_SIZE, error);
      if (n_read < 0)
        return FALSE;
      self->read_failed = FALSE;
      if (n_read > 0 && !gdk_pixbuf_loader_write (loader, block, (gsize) n_read, error))
        return FALSE;
    }
  while (n_read > 0 && !self->is_too_large);
  return TRUE;
}

/* The decoder takes a PNG that was cut off for a whole one, with nothing in its lower part. Such a
 * file is a row of chunks (length, name, contents, sum), and the last one has to be there. */
static gboolean
is_cut_off_png (int fd)
{
  static const guint8 signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
  guint8 head[8];
  off_t position = sizeof signature;

  if (pread (fd, head, sizeof head, 0) != sizeof head
      || memcmp (head, signature, sizeof signature) != 0)
    return FALSE;

  while (pread (fd, head, sizeof head, position) == sizeof head)
    {
      guint32 length = (guint32) head[0] << 24 | (guint32) head[1] << 16 | head[2] << 8 | head[3];

      if (memcmp (head + 4, "IEND", 4) == 0)
        return FALSE;
      position += (off_t) length + 12;
    }
  return TRUE;
}

/* A colour times its opacity, rounded, as cairo wants it. */
static guint32
premultiply (guint32 color, guint32 alpha)
{
  guint32 product = color * alpha + 128;

  return (product + (product >> 8)) >> 8;
}

static void
convert_row (guint32 *target, const guint8 *source, guint width, guint n_channels)
{
  for (guint x = 0; x < width; x++, source += n_channels)
    {
      guint32 alpha = n_channels == 4 ? source[3] : 255;

      target[x] = alpha << 24 | premultiply (source[0], alpha) << 16
                  | premultiply (source[1], alpha) << 8 | premultiply (source[2], alpha);
    }
}

/* The pixels are written as they are drawn, where they are sent from: so nobody has to convert or
 * to copy them in the application. */
static DemoPreview *
make_preview (GdkPixbuf *pixbuf, const DemoReaderClient *client)
{
  guint width = (guint) gdk_pixbuf_get_width (pixbuf);
  guint height = (guint) gdk_pixbuf_get_height (pixbuf);
  guint n_channels = (guint) gdk_pixbuf_get_n_channels (pixbuf);
  const guint8 *row = gdk_pixbuf_read_pixels (pixbuf);
  gsize size = (gsize) width * height * sizeof (guint32);
  g_autoptr (GBytes) bytes = NULL;
  gpointer pixels = NULL;

  if (client != NULL && client->allocate != NULL)
    bytes = client->allocate (size, &pixels, client->user_data);
  else
    {
      pixels = g_malloc (size);
      bytes = g_bytes_new_take (pixels, size);
    }
  for (guint y = 0; y < height; y++, row += gdk_pixbuf_get_rowstride (pixbuf))
    convert_row ((guint32 *) pixels + (gsize) y * width, row, width, n_channels);
  return demo_preview_new_picture (width, height, bytes);
}

/* A type that gdk-pixbuf has no decoder for is not a broken picture; there is just nothing to
 * show. */
static gboolean
is_unsupported (const GError *error)
{
  return g_error_matches (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_UNKNOWN_TYPE)
         || g_error_matches (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_UNSUPPORTED_OPERATION);
}

static gboolean
decode (GdkPixbufLoader *loader,
        Decoding *self,
        int fd,
        const char *name,
        GCancellable *cancellable,
        GError **error)
{
  gboolean success;

  success = lseek (fd, 0, SEEK_SET) == 0 && feed (loader, self, fd, name, cancellable, error);
  /* The loader must be closed in any case; the first error is the one to tell. */
  success = gdk_pixbuf_loader_close (loader, success ? error : NULL) && success;

  if (success && is_cut_off_png (fd))
    {
      g_set_error_literal (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_CORRUPT_IMAGE,
                           _ ("It ends too early."));
      return FALSE;
    }
  if (success && gdk_pixbuf_loader_get_pixbuf (loader) == NULL)
    {
      g_set_error_literal (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_CORRUPT_IMAGE,
                           _ ("There is no picture in it."));
      return FALSE;
    }
  return success;
}

gboolean
demo_image_read (
  int fd, const char *name, DemoFacts *facts, const DemoReaderClient *client, GError **error)
{
  g_autoptr (GdkPixbufLoader) loader = gdk_pixbuf_loader_new ();
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  g_autoptr (GError) local_error = NULL;
  GCancellable *cancellable = client != NULL ? client->cancellable : NULL;
  Decoding self = { .facts = facts };
  gboolean success;

  self.is_vector = g_str_has_prefix (facts->mime_type, "image/svg");
  g_signal_connect (loader, "size-prepared", G_CALLBACK (size_prepared_cb), &self);
  success = decode (loader, &self, fd, name, cancellable, &local_error);
  g_signal_handlers_disconnect_by_data (loader, &self);

  if (self.read_failed)
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  if (self.is_too_large || (!success && is_unsupported (local_error)))
    return TRUE;
  if (!success)
    {
      g_set_error (error, DEMO_READER_ERROR, DEMO_READER_ERROR_BAD_IMAGE,
                   _ ("“%s” is not a valid picture: %s"), name,
                      local_error != NULL ? local_error->message : "");
      return FALSE;
    }
  pixbuf = gdk_pixbuf_apply_embedded_orientation (gdk_pixbuf_loader_get_pixbuf (loader));
  facts->preview = make_preview (pixbuf, client);
  return TRUE;
}
