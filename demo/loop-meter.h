/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The meter: the main loop's worst delay over the last seconds, as a curve and a number. */

#include <gtk/gtk.h>

#include "loop-probe.h"

G_BEGIN_DECLS

#define DEMO_TYPE_LOOP_METER (demo_loop_meter_get_type ())
G_DECLARE_FINAL_TYPE (DemoLoopMeter, demo_loop_meter, DEMO, LOOP_METER, GtkBox)

DemoLoopProbe *demo_loop_meter_get_probe (DemoLoopMeter *self);

G_END_DECLS
