/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "picture.h"

static const cairo_user_data_key_t pixels_key;

/* A small picture comes within a message and may lie anywhere in it; cairo wants whole words. */
static GBytes *
align (GBytes *bytes)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);

  if (GPOINTER_TO_SIZE (data) % sizeof (guint32) == 0)
    return g_bytes_ref (bytes);
  return g_bytes_new (data, size);
}

cairo_surface_t *
demo_picture_to_surface (DemoPreview *picture)
{
  GBytes *pixels = align (picture->pixels);
  cairo_surface_t *surface;

  /* What is only drawn from is not written to, though cairo does not say so. */
  surface = cairo_image_surface_create_for_data ((guchar *) g_bytes_get_data (pixels, NULL),
                                                 CAIRO_FORMAT_ARGB32, (int) picture->width,
                                                 (int) picture->height, (int) picture->width * 4);
  cairo_surface_set_user_data (surface, &pixels_key, pixels, (cairo_destroy_func_t) g_bytes_unref);
  return surface;
}
