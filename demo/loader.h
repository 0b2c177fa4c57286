/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The loader: reads all files of one folder, once, with an engine, into a store.
 *
 *   new ──start()──> loading <──set_paused()──> paused
 *                       │                          │
 *                       ├──────> done              │
 *                       ├──────> failed: the folder could not be listed to its end
 *                       └──────> cancelled <───────┘
 *
 * Every name that the listing told is found, and becomes a file in the store that was read, or one
 * that failed; when a load is done, found = read + failed. Only a cancelled one leaves some out.
 */

#include "engine.h"
#include "file-store.h"

G_BEGIN_DECLS

typedef enum
{
  DEMO_LOADER_NEW,
  DEMO_LOADER_LOADING,
  DEMO_LOADER_PAUSED,
  DEMO_LOADER_DONE,
  DEMO_LOADER_FAILED,
  DEMO_LOADER_CANCELLED,
} DemoLoaderState;

#define DEMO_TYPE_LOADER (demo_loader_get_type ())
G_DECLARE_FINAL_TYPE (DemoLoader, demo_loader, DEMO, LOADER, GObject)

/* Signals:
 *   "state-changed" ()
 *   "preview" (guint index, GVariant *preview): there is something to show of a file */
DemoLoader *demo_loader_new (const char *folder, DemoEngine *engine);

void demo_loader_start (DemoLoader *self);
void demo_loader_set_paused (DemoLoader *self, gboolean paused);
void demo_loader_cancel (DemoLoader *self);

DemoLoaderState demo_loader_get_state (DemoLoader *self);
/* Loading or paused. */
gboolean demo_loader_is_active (DemoLoader *self);
DemoFileStore *demo_loader_get_store (DemoLoader *self);
DemoEngine *demo_loader_get_engine (DemoLoader *self);
gboolean demo_loader_is_listing (DemoLoader *self);
guint demo_loader_get_n_found (DemoLoader *self);
guint demo_loader_get_n_read (DemoLoader *self);
guint demo_loader_get_n_failed (DemoLoader *self);
/* Seconds since the start, without pauses, up to the end. */
double demo_loader_get_seconds (DemoLoader *self);
/* (nullable): why the folder could not be listed */
const GError *demo_loader_get_error (DemoLoader *self);
/* (element-type utf8 guint): how many failed for which reason */
GHashTable *demo_loader_get_reasons (DemoLoader *self);
/* Files that failed because their worker died. */
guint demo_loader_get_n_lost (DemoLoader *self);

G_END_DECLS
