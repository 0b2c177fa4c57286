/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-types.h"

G_BEGIN_DECLS

#define DRAY_TYPE_COUNTERS (dray_counters_get_type ())
DRAY_API GType dray_counters_get_type (void) G_GNUC_CONST;

/**
 * DrayCounters:
 * @submitted: tasks submitted, the refused ones included
 * @succeeded: tasks that ended with a result
 * @failed: tasks that ended with an error, the refused ones included
 * @cancelled: tasks that ended cancelled
 * @retried: times a task was run again after its worker died
 * @items: items received from workers and commands
 * @bytes_in: bytes received from workers and commands, frame headers and shared memory included
 * @bytes_out: bytes sent to workers and commands, frame headers and shared memory included
 * @workers_started: worker processes started
 * @workers_died: workers that ended unasked, or had to be killed
 * @workers_retired: workers that ended because they were asked to
 * @commands_started: command processes started
 * @queue_length: tasks that wait in the executor now, without those that wait in a worker already;
 *   those that share a run count once
 * @running: tasks that are running now
 * @undelivered_items: items and results not yet handed to the application now
 * @undelivered_bytes: the bytes of those
 * @workers_died_idle: those of @workers_died of which the end of no task tells: they were idle, or
 *   not ready yet, and had not been asked to end
 *
 * What an executor has done so far. All but the four that say “now” only ever grow.
 *
 * Each call of a [class@Map] counts as a task; but those that wait or run together count as one in
 * @queue_length and @running.
 *
 * Since: 0.1
 */
struct _DrayCounters
{
  guint64 submitted;
  guint64 succeeded;
  guint64 failed;
  guint64 cancelled;
  guint64 retried;
  guint64 items;
  guint64 bytes_in;
  guint64 bytes_out;
  guint64 workers_started;
  guint64 workers_died;
  guint64 workers_retired;
  guint64 commands_started;
  guint64 queue_length;
  guint64 running;
  guint64 undelivered_items;
  guint64 undelivered_bytes;
  guint64 workers_died_idle;

  /*< private >*/
  guint64 padding[15];
};

DRAY_API DrayCounters *dray_counters_copy (const DrayCounters *self);
DRAY_API void dray_counters_free (DrayCounters *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayCounters, dray_counters_free)

G_END_DECLS
