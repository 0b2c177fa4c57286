/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-counters.h"

G_DEFINE_BOXED_TYPE (DrayCounters, dray_counters, dray_counters_copy, dray_counters_free)

/**
 * dray_counters_copy:
 * @self: counters
 *
 * Copies the counters, as they are. Any thread.
 *
 * Returns: (transfer full): a copy
 *
 * Since: 0.1
 */
DrayCounters *
dray_counters_copy (const DrayCounters *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_memdup2 (self, sizeof *self);
}

/**
 * dray_counters_free:
 * @self: (transfer full): counters
 *
 * Frees counters that [method@Executor.dup_counters] or [method@Counters.copy] gave.
 *
 * Since: 0.1
 */
void
dray_counters_free (DrayCounters *self)
{
  g_return_if_fail (self != NULL);

  g_free (self);
}
