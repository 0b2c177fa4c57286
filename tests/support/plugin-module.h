/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* What the plugin has for its host, which knows nothing of Dray. */

#include <gmodule.h>

G_BEGIN_DECLS

typedef enum
{
  PLUGIN_DRAINED,   /* all is done, and the executor was shut down without blocking */
  PLUGIN_KILLED,    /* what ran was given up by a shutdown that blocks; all was told */
  PLUGIN_CANCELLED, /* all was cancelled, and told */
  PLUGIN_RUNNING,   /* everything is dropped as it is: calls, items, commands and a map */
  N_PLUGIN_WAYS,
} PluginWay;

/* Begins to work with misbehaving workers. */
typedef void (*PluginBegin) (const char *worker, PluginWay way);
/* Whether it may be ended now: looked at between iterations of the main context. */
typedef gboolean (*PluginMayEnd) (void);
/* Lets go of everything. The module may be unloaded then. */
typedef void (*PluginEnd) (void);

G_MODULE_EXPORT void plugin_begin (const char *worker, PluginWay way);
G_MODULE_EXPORT gboolean plugin_may_end (void);
G_MODULE_EXPORT void plugin_end (void);

G_END_DECLS
