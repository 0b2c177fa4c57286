/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* Calls a function when a widget has been drawn as it is now. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct _DemoAfterFrame DemoAfterFrame;

typedef void (*DemoAfterFrameFunc) (gpointer user_data);

/* Also calls it, once, where no frame comes for a while, since the window can't be seen. The one
 * who is given the object frees it, in @func or before. */
DemoAfterFrame *
demo_after_frame_new (GtkWidget *widget, DemoAfterFrameFunc func, gpointer user_data);
void demo_after_frame_free (DemoAfterFrame *self);

G_END_DECLS
