/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-executor.h"
#include "dray-pool.h"

G_BEGIN_DECLS

/* What the property takes at most: far more than any system runs, and sums of it fit. */
#define DRAY_EXECUTOR_MOST_WORKERS (G_MAXUINT / 4)

/* The executor's files: dray-executor.c (its life, looking and steering),
 * dray-executor-properties.c, dray-executor-submit.c and dray-executor-shutdown.c. */
struct _DrayExecutor
{
  GObject parent_instance;

  /* set at construction */
  DrayLauncher *launcher; /* (owned) (nullable) */
  DrayPool *pool;         /* (owned) */

  /* atomic */
  int is_left_alone; /* it is being shut down, and nobody wants to hear of that: so it goes on when
                      * this is gone */
};

/* dray-executor-properties.c */
void dray_executor_install_properties (GObjectClass *object_class);
void dray_executor_get_default_options (DrayPoolOptions *options);

G_END_DECLS
