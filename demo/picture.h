/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* Pictures that a worker decoded, made ready to be drawn. */

#include <gdk/gdk.h>

G_BEGIN_DECLS

/* (transfer full) (nullable): NULL if @value is not a picture of DEMO_PICTURE_TYPE. Its numbers
 * come from another process, and are not believed before they were checked. */
cairo_surface_t *demo_picture_to_surface (GVariant *value, GdkWindow *window);

G_END_DECLS
