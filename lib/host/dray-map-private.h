/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-map-flow.h"
#include "dray-map.h"

G_BEGIN_DECLS

/* The map's files: dray-map.c (its life, its properties), dray-map-read.c (taking outcomes). */
struct _DrayMap
{
  GObject parent_instance;

  /* set at construction */
  DrayMapFlow *flow; /* (owned) */
};

G_END_DECLS
