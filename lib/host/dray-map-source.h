/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Where the arguments of a map's calls come from: values, the items of a list, a generator. One
 * thread at a time; whoever asks sees to that.
 */

#include "dray-map.h"

G_BEGIN_DECLS

typedef struct _DrayMapSource DrayMapSource;

/* Take what they are given, but for the values, of which they take references. */
DrayMapSource *dray_map_source_new_values (GVariant **values, gsize n_values);
DrayMapSource *dray_map_source_new_model (GListModel *model,
                                          DrayMapItemFunction function,
                                          gpointer user_data,
                                          GDestroyNotify destroy);
DrayMapSource *dray_map_source_new_generator (DrayMapGenerator function,
                                              gpointer user_data,
                                              GDestroyNotify destroy);
void dray_map_source_free (DrayMapSource *self);

/* Some languages let go of a function together with the object whose method it was given to, be it
 * while the function runs (GJS does, and crashes). So who asks holds that object meanwhile, if it
 * is still there. */
void dray_map_source_set_owner (DrayMapSource *self, GObject *owner);
/* (transfer full) (nullable); only of a foreign source */
GObject *dray_map_source_hold_owner (DrayMapSource *self);

/* Whether asking it runs code of the application's. */
gboolean dray_map_source_is_foreign (DrayMapSource *self);
/* (transfer full) (nullable), not floating: the next arguments; NULL: there are no more. */
GVariant *dray_map_source_next (DrayMapSource *self);
/* Takes @value, which next() will give again. */
void dray_map_source_put_back (DrayMapSource *self, GVariant *value);

G_END_DECLS
