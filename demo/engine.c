/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine.h"

#include <string.h>

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

GObject *
demo_engine_list (DemoEngine *self, const char *path, GCancellable *cancellable)
{
  return DEMO_ENGINE_GET_IFACE (self)->list (self, path, cancellable);
}

void
demo_engine_next_names_async (DemoEngine *self,
                              GObject *listing,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  DEMO_ENGINE_GET_IFACE (self)->next_names_async (self, listing, callback, user_data);
}

GPtrArray *
demo_engine_next_names_finish (DemoEngine *self, GAsyncResult *result, GError **error)
{
  return DEMO_ENGINE_GET_IFACE (self)->next_names_finish (self, result, error);
}

gpointer
demo_engine_read_async (DemoEngine *self,
                        const char *path,
                        const char *label,
                        DemoUrgency urgency,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  return DEMO_ENGINE_GET_IFACE (self)->read_async (self, path, label, urgency, cancellable,
                                                   callback, user_data);
}

void
demo_engine_set_urgency (DemoEngine *self, gpointer reading, DemoUrgency urgency)
{
  DEMO_ENGINE_GET_IFACE (self)->set_urgency (self, reading, urgency);
}

gboolean
demo_engine_read_finish (DemoEngine *self, GAsyncResult *result, DemoFacts *facts, GError **error)
{
  g_autoptr (GBytes) pixels = NULL;
  g_autoptr (GVariant) value = NULL;

  memset (facts, 0, sizeof *facts);
  value = DEMO_ENGINE_GET_IFACE (self)->read_finish (self, result, &pixels, error);
  return value != NULL && demo_facts_from_variant (facts, value, pixels, error);
}
