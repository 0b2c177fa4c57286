/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The engine that works in the main thread: one file in each turn of the main loop, and a whole
 * folder in one. It is what one would write without Dray, and without threads. */

#include "engine.h"

G_BEGIN_DECLS

#define DEMO_TYPE_MAIN_THREAD_ENGINE (demo_main_thread_engine_get_type ())
G_DECLARE_FINAL_TYPE (
  DemoMainThreadEngine, demo_main_thread_engine, DEMO, MAIN_THREAD_ENGINE, GObject)

DemoEngine *demo_main_thread_engine_new (void);

G_END_DECLS
