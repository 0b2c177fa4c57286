/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * An engine does the loader's work: it lists folders and reads files. There are two, which do the
 * same with the same functions: one in worker processes, and one in the main thread, to show what
 * that is like.
 */

#include <gio/gio.h>

#include "reader/reader.h"

G_BEGIN_DECLS

#define DEMO_TYPE_ENGINE (demo_engine_get_type ())
G_DECLARE_INTERFACE (DemoEngine, demo_engine, DEMO, ENGINE, GObject)

/* How soon a file has its turn. */
typedef enum
{
  DEMO_URGENCY_VISIBLE, /* somebody looks at where it will be shown */
  DEMO_URGENCY_NORMAL,
} DemoUrgency;

struct _DemoEngineInterface
{
  GTypeInterface parent_iface;

  guint (*get_window) (DemoEngine *self);
  void (*set_paused) (DemoEngine *self, gboolean paused);
  GObject *(*list) (DemoEngine *self, const char *path, GCancellable *cancellable);
  void (*next_names_async) (DemoEngine *self,
                            GObject *listing,
                            GAsyncReadyCallback callback,
                            gpointer user_data);
  GPtrArray *(*next_names_finish) (DemoEngine *self, GAsyncResult *result, GError **error);
  gpointer (*read_async) (DemoEngine *self,
                          const char *path,
                          const char *label,
                          DemoUrgency urgency,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data);
  void (*set_urgency) (DemoEngine *self, gpointer reading, DemoUrgency urgency);
  GVariant *(*read_finish) (DemoEngine *self,
                            GAsyncResult *result,
                            GBytes **pixels,
                            GError **error);
};

/* As many files must be asked for at a time that the engine is never idle. */
guint demo_engine_get_window (DemoEngine *self);
/* While it is paused, what has begun goes on, and no other file is begun. */
void demo_engine_set_paused (DemoEngine *self, gboolean paused);

/* (transfer full): a listing, whose names are to be asked for. */
GObject *demo_engine_list (DemoEngine *self, const char *path, GCancellable *cancellable);
/* Asks for the next names of a listing. It does not go far ahead of that: a folder of any size
 * takes a bounded amount of memory until somebody takes its names. */
void demo_engine_next_names_async (DemoEngine *self,
                                   GObject *listing,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);
/* (transfer full) (nullable) (element-type GVariant): values, of DEMO_NAMES_TYPE if the engine is
 * right; NULL at the end of the listing, without an error if it is complete */
GPtrArray *demo_engine_next_names_finish (DemoEngine *self, GAsyncResult *result, GError **error);

/* @label: what people call the file. Returns the reading, which is valid until @callback is
 * called. */
gpointer demo_engine_read_async (DemoEngine *self,
                                 const char *path,
                                 const char *label,
                                 DemoUrgency urgency,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
/* Has it read sooner or later, unless it is being read. */
void demo_engine_set_urgency (DemoEngine *self, gpointer reading, DemoUrgency urgency);
/* @facts: (out caller-allocates): to be cleared */
gboolean
demo_engine_read_finish (DemoEngine *self, GAsyncResult *result, DemoFacts *facts, GError **error);

G_END_DECLS
