/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * A call that streams items, and who takes them.
 */

#include "bench.h"

G_BEGIN_DECLS

/* Runs BENCH_EMIT_SMALL or BENCH_EMIT_LARGE in a main loop, and checks each of the @n_items items
 * that must come, by the signal or pulled. Returns how long it took, in seconds. */
double
bench_run_stream (DrayExecutor *executor, const char *function, guint64 n_items, gboolean pull);

G_END_DECLS
