/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "picture.h"

#include "reader/facts.h"

/* No thumbnail is larger, in pixels. */
#define MAX_SIDE 4096

cairo_surface_t *
demo_picture_to_surface (GVariant *value, GdkWindow *window)
{
  g_autoptr (GVariant) pixels = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  guint32 width, height, rowstride;
  gboolean has_alpha;
  guint64 row_size;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE (DEMO_PICTURE_TYPE)))
    return NULL;

  g_variant_get (value, "(uuub@ay)", &width, &height, &rowstride, &has_alpha, &pixels);
  if (width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE)
    return NULL;
  row_size = (guint64) width * (has_alpha ? 4 : 3);
  if (rowstride < row_size || rowstride > MAX_SIDE * 8
      || g_variant_get_size (pixels) < (guint64) rowstride * (height - 1) + row_size)
    return NULL;

  bytes = g_variant_get_data_as_bytes (pixels);
  pixbuf = gdk_pixbuf_new_from_bytes (bytes, GDK_COLORSPACE_RGB, has_alpha, 8, (int) width,
                                      (int) height, (int) rowstride);
  return gdk_cairo_surface_create_from_pixbuf (pixbuf, 1, window);
}
