/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The engine that works in worker processes: Dray executors whose workers are the program
 * dray-demo-reader. */

#include <dray.h>

#include "engine.h"

G_BEGIN_DECLS

#define DEMO_TYPE_WORKER_ENGINE (demo_worker_engine_get_type ())
G_DECLARE_FINAL_TYPE (DemoWorkerEngine, demo_worker_engine, DEMO, WORKER_ENGINE, GObject)

/* @max_workers: 0 for as many as there are processors */
DemoEngine *demo_worker_engine_new (guint max_workers);
/* The one that reads files. */
DrayExecutor *demo_worker_engine_get_executor (DemoWorkerEngine *self);

G_END_DECLS
