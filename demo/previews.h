/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The previews of files: the first lines of a text, or a small picture. They come with the facts
 * of each file, and those of 100,000 files would fill the memory: so only some are kept, and the
 * others are read again when somebody wants to see them.
 */

#include "engine.h"

G_BEGIN_DECLS

#define DEMO_TYPE_PREVIEWS (demo_previews_get_type ())
G_DECLARE_FINAL_TYPE (DemoPreviews, demo_previews, DEMO, PREVIEWS, GObject)

DemoPreviews *demo_previews_new (void);

void demo_previews_clear (DemoPreviews *self);
void demo_previews_add (DemoPreviews *self, guint index, DemoPreview *preview);

/* (transfer none) (nullable): the preview of the file, if it is there */
DemoPreview *demo_previews_lookup (DemoPreviews *self, guint index);

/* Reads the file again. @callback is given this object; a second fetch takes the place of one that
 * is under way, which ends with G_IO_ERROR_CANCELLED. */
void demo_previews_fetch_async (DemoPreviews *self,
                                guint index,
                                const char *path,
                                const char *label,
                                DemoEngine *engine,
                                GAsyncReadyCallback callback,
                                gpointer user_data);
/* (transfer full) (nullable): NULL with an error, or because there is nothing to show */
DemoPreview *demo_previews_fetch_finish (DemoPreviews *self, GAsyncResult *result, GError **error);

G_END_DECLS
