/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The bar at the bottom: how far the loading is, buttons to hold it, and the meter. */

#include <gtk/gtk.h>

#include "loader.h"
#include "loop-probe.h"

G_BEGIN_DECLS

#define DEMO_TYPE_STATUS_BAR (demo_status_bar_get_type ())
G_DECLARE_FINAL_TYPE (DemoStatusBar, demo_status_bar, DEMO, STATUS_BAR, GtkBox)

/* @loader: (nullable) */
void demo_status_bar_set_loader (DemoStatusBar *self, DemoLoader *loader);
/* To be called about ten times a second while the loader is active, and once afterwards. */
void demo_status_bar_update (DemoStatusBar *self);
void demo_status_bar_set_narrow (DemoStatusBar *self, gboolean narrow);
DemoLoopProbe *demo_status_bar_get_probe (DemoStatusBar *self);

G_END_DECLS
