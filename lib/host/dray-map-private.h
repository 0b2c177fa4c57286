/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-map-flow.h"
#include "dray-map.h"

G_BEGIN_DECLS

/* The map's files: dray-map.c (its life, its properties), dray-map-read.c and
 * dray-map-wait.c (taking outcomes). */
struct _DrayMap
{
  GObject parent_instance;

  /* set at construction */
  DrayMapFlow *flow; /* (owned) (nullable): if it is not real */
};

/* What methods check. Whoever has the type can make an object of it, as other languages let their
 * users do; but only what the library made is a map of something. */
gboolean dray_map_is_real (DrayMap *self);

/* How many outcomes are given at a time at most: a map may be without an end. */
#define DRAY_MAP_MAX_AT_A_TIME 65536u

/* Of how many the user wants, where 0 is any number; never 0, which is a reader's for-each. */
guint dray_map_limit_max (guint max);

/* (transfer full) (nullable): the one outcome of a list of one or none, which it takes; NULL for
 * NULL. */
DrayOutcome *dray_map_steal_first (GPtrArray *outcomes);
/* (transfer full) (nullable): such a list; NULL for one of none, which it frees, and for NULL. */
GPtrArray *dray_map_steal_some (GPtrArray *outcomes);

G_END_DECLS
