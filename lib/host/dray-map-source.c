/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-map-source.h"

struct _DrayMapSource
{
  GPtrArray *values; /* (owned) (nullable) (element-type GVariant) */
  GListModel *model; /* (owned) (nullable) */
  gulong items_changed_handler;
  GCallback function; /* (nullable): of the model's items, or the generator */
  gpointer user_data;
  GDestroyNotify destroy; /* (nullable) */
  GWeakRef owner;         /* whose method the function was given to */

  GVariant *held; /* (owned) (nullable) (not floating): was put back */
  guint *position; /* (owned): of the next value or item, in a box with a count of references */
};

static DrayMapSource *
source_new (void)
{
  DrayMapSource *self = g_new0 (DrayMapSource, 1);

  self->position = g_atomic_rc_box_new0 (guint);
  return self;
}

DrayMapSource *
dray_map_source_new_values (GVariant **values, gsize n_values)
{
  DrayMapSource *self = source_new ();

  self->values = g_ptr_array_new_full ((guint) n_values, (GDestroyNotify) g_variant_unref);
  for (gsize i = 0; i < n_values; i++)
    g_ptr_array_add (self->values, g_variant_ref_sink (values[i]));

  return self;
}

/* What is inserted before the next position was passed by; what moves is followed. The source may
 * be freed by another thread meanwhile, so this has a reference to the position instead. */
static void
items_changed_cb (GListModel *model, guint position, guint removed, guint added, gpointer user_data)
{
  guint *next = user_data;

  if (position >= *next)
    return;

  if (position + removed <= *next)
    *next += added - removed;
  else
    *next = position;
}

static void
release_position (gpointer position, GClosure *closure)
{
  g_atomic_rc_box_release (position);
}

DrayMapSource *
dray_map_source_new_model (GListModel *model,
                           DrayMapItemFunction function,
                           gpointer user_data,
                           GDestroyNotify destroy)
{
  DrayMapSource *self = source_new ();

  self->model = g_object_ref (model);
  self->items_changed_handler
    = g_signal_connect_data (model, "items-changed", G_CALLBACK (items_changed_cb),
                             g_atomic_rc_box_acquire (self->position), release_position, 0);
  self->function = G_CALLBACK (function);
  self->user_data = user_data;
  self->destroy = destroy;

  return self;
}

DrayMapSource *
dray_map_source_new_generator (DrayMapGenerator function,
                               gpointer user_data,
                               GDestroyNotify destroy)
{
  DrayMapSource *self = source_new ();

  self->function = G_CALLBACK (function);
  self->user_data = user_data;
  self->destroy = destroy;

  return self;
}

void
dray_map_source_free (DrayMapSource *self)
{
  if (self->items_changed_handler != 0)
    g_signal_handler_disconnect (self->model, self->items_changed_handler);
  g_clear_pointer (&self->values, g_ptr_array_unref);
  g_clear_pointer (&self->held, g_variant_unref);
  g_clear_object (&self->model);
  if (self->destroy != NULL)
    self->destroy (self->user_data);
  g_weak_ref_clear (&self->owner);
  g_atomic_rc_box_release (self->position);
  g_free (self);
}

void
dray_map_source_set_owner (DrayMapSource *self, GObject *owner)
{
  g_weak_ref_set (&self->owner, owner);
}

GObject *
dray_map_source_hold_owner (DrayMapSource *self)
{
  return dray_map_source_is_foreign (self) ? g_weak_ref_get (&self->owner) : NULL;
}

gboolean
dray_map_source_is_foreign (DrayMapSource *self)
{
  return self->values == NULL;
}

static GVariant *
ask_model (DrayMapSource *self)
{
  g_autoptr (GObject) item = g_list_model_get_item (self->model, *self->position);

  if (item == NULL)
    return NULL;

  (*self->position)++;
  return ((DrayMapItemFunction) self->function) (item, self->user_data);
}

static GVariant *
take_value (DrayMapSource *self)
{
  if (*self->position == self->values->len)
    return NULL;

  return g_variant_ref (self->values->pdata[(*self->position)++]);
}

GVariant *
dray_map_source_next (DrayMapSource *self)
{
  GVariant *value;

  if (self->held != NULL)
    return g_steal_pointer (&self->held);
  if (self->values != NULL)
    return take_value (self);

  value = self->model != NULL ? ask_model (self)
                              : ((DrayMapGenerator) self->function) (self->user_data);
  return value != NULL ? g_variant_take_ref (value) : NULL;
}

void
dray_map_source_put_back (DrayMapSource *self, GVariant *value)
{
  g_assert (self->held == NULL);
  self->held = value;
}
