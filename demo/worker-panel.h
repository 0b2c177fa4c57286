/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The worker processes of an executor: what each does, and a button that kills it. */

#include <dray.h>
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define DEMO_TYPE_WORKER_PANEL (demo_worker_panel_get_type ())
G_DECLARE_FINAL_TYPE (DemoWorkerPanel, demo_worker_panel, DEMO, WORKER_PANEL, GtkBox)

void demo_worker_panel_set_executor (DemoWorkerPanel *self, DrayExecutor *executor);
/* Says that no worker is used. */
void demo_worker_panel_set_main_thread (DemoWorkerPanel *self, gboolean main_thread);

G_END_DECLS
