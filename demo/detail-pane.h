/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* All that is known of one file, with its first lines or its picture. */

#include <gtk/gtk.h>

#include "file-store.h"
#include "previews.h"

G_BEGIN_DECLS

#define DEMO_TYPE_DETAIL_PANE (demo_detail_pane_get_type ())
G_DECLARE_FINAL_TYPE (DemoDetailPane, demo_detail_pane, DEMO, DETAIL_PANE, GtkStack)

/* @is_loading: whether a file that is not done is yet to be read; @engine: reads the file again
 * where its preview was not kept */
void demo_detail_pane_show_file (DemoDetailPane *self,
                                 DemoFileStore *store,
                                 guint index,
                                 gboolean is_loading,
                                 DemoPreviews *previews,
                                 DemoEngine *engine);
/* Whether the file that is shown was not done when it was shown, and is now, or never will be. */
gboolean demo_detail_pane_is_outdated (DemoDetailPane *self, gboolean is_loading);
void demo_detail_pane_show_nothing (DemoDetailPane *self);
/* Whether a preview is still to come. */
gboolean demo_detail_pane_is_waiting (DemoDetailPane *self);

G_END_DECLS
