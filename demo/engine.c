/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine.h"

G_DEFINE_INTERFACE (DemoEngine, demo_engine, G_TYPE_OBJECT)

static void
demo_engine_default_init (DemoEngineInterface *iface)
{
}

guint
demo_engine_get_window (DemoEngine *self)
{
  return DEMO_ENGINE_GET_IFACE (self)->get_window (self);
}

void
demo_engine_set_paused (DemoEngine *self, gboolean paused)
{
  DEMO_ENGINE_GET_IFACE (self)->set_paused (self, paused);
}

void
demo_engine_list_async (DemoEngine *self,
                        const char *path,
                        DemoNamesFunc names,
                        gpointer names_data,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  DEMO_ENGINE_GET_IFACE (self)->list_async (self, path, names, names_data, cancellable, callback,
                                            user_data);
}

gboolean
demo_engine_list_finish (DemoEngine *self, GAsyncResult *result, GError **error)
{
  return DEMO_ENGINE_GET_IFACE (self)->list_finish (self, result, error);
}

void
demo_engine_read_async (DemoEngine *self,
                        const char *path,
                        const char *label,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  DEMO_ENGINE_GET_IFACE (self)->read_async (self, path, label, cancellable, callback, user_data);
}

GVariant *
demo_engine_read_finish (DemoEngine *self, GAsyncResult *result, GError **error)
{
  return DEMO_ENGINE_GET_IFACE (self)->read_finish (self, result, error);
}
