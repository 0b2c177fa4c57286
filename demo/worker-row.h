/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* One worker process in the panel. */

#include <dray.h>
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define DEMO_TYPE_WORKER_ROW (demo_worker_row_get_type ())
G_DECLARE_FINAL_TYPE (DemoWorkerRow, demo_worker_row, DEMO, WORKER_ROW, GtkListBoxRow)

GtkWidget *demo_worker_row_new (DrayWorkerProcess *worker);
void demo_worker_row_update (DemoWorkerRow *self);

G_END_DECLS
