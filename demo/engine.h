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

struct _DemoEngineInterface
{
  GTypeInterface parent_iface;

  guint (*get_window) (DemoEngine *self);
  void (*set_paused) (DemoEngine *self, gboolean paused);
  void (*list_async) (DemoEngine *self,
                      const char *path,
                      DemoNamesFunc names,
                      gpointer names_data,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data);
  gboolean (*list_finish) (DemoEngine *self, GAsyncResult *result, GError **error);
  void (*read_async) (DemoEngine *self,
                      const char *path,
                      const char *label,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data);
  GVariant *(*read_finish) (DemoEngine *self, GAsyncResult *result, GError **error);
};

/* As many files must be asked for at a time that the engine is never idle. */
guint demo_engine_get_window (DemoEngine *self);
/* While it is paused, what has begun goes on, and nothing else begins. */
void demo_engine_set_paused (DemoEngine *self, gboolean paused);

/* @names is called with values of DEMO_NAMES_TYPE, before @callback. */
void demo_engine_list_async (DemoEngine *self,
                             const char *path,
                             DemoNamesFunc names,
                             gpointer names_data,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
gboolean demo_engine_list_finish (DemoEngine *self, GAsyncResult *result, GError **error);

/* @label: what people call the file. @callback is not given the engine. */
void demo_engine_read_async (DemoEngine *self,
                             const char *path,
                             const char *label,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
/* (transfer full): facts, of DEMO_FACTS_TYPE if the engine is right */
GVariant *demo_engine_read_finish (DemoEngine *self, GAsyncResult *result, GError **error);

G_END_DECLS
