/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* Pictures that a worker decoded, made ready to be drawn. */

#include <cairo.h>

#include "reader/facts.h"

G_BEGIN_DECLS

/* (transfer full): a surface over the pixels of a picture, where they arrived: nothing is copied.
 * It must not be drawn to. */
cairo_surface_t *demo_picture_to_surface (DemoPreview *picture);

G_END_DECLS
