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
 * Every name that the listing told is found: it is a file in the store from then on, which is read
 * later, or fails; when a load is done, found = read + failed. Only a cancelled one leaves some
 * out.
 *
 * However large the folder is, what is on its way is bounded: the listing waits when it is far
 * ahead of the reading, and the engine is asked for no more files than keep it busy, and some more,
 * for those that somebody wants to see.
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
 *   "preview" (guint index, DemoPreview *preview): there is something to show of a file */
DemoLoader *demo_loader_new (const char *folder, DemoEngine *engine);

void demo_loader_start (DemoLoader *self);
void demo_loader_set_paused (DemoLoader *self, gboolean paused);
void demo_loader_cancel (DemoLoader *self);

/* Says which files are to be seen, most wanted first, instead of those that were before. They are
 * read before all others. No more than DEMO_MAX_WANTED are taken note of. */
#define DEMO_MAX_WANTED 128
void demo_loader_set_wanted (DemoLoader *self, const guint32 *indices, guint n_indices);

DemoLoaderState demo_loader_get_state (DemoLoader *self);
/* Loading or paused. */
gboolean demo_loader_is_active (DemoLoader *self);
DemoFileStore *demo_loader_get_store (DemoLoader *self);
DemoEngine *demo_loader_get_engine (DemoLoader *self);
gboolean demo_loader_is_listing (DemoLoader *self);
guint demo_loader_get_n_found (DemoLoader *self);
/* Files that the engine was asked for, and has not answered yet. */
guint demo_loader_get_n_running (DemoLoader *self);
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
