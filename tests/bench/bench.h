/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What the measurements of dray-bench share.
 *
 * Each figure is measured by a function that takes the options, does its work once and returns the
 * value. It checks what it gets back, and ends the program where that is wrong: no figure is good
 * because the work was not done. Repeating, comparing and reporting is up to the driver, which
 * knows the sizes too; see figures.py.
 */

#include <dray.h>

G_BEGIN_DECLS

#define BENCH_MIB ((gsize) 1024 * 1024)
#define BENCH_GIB (1024.0 * 1024.0 * 1024.0)

typedef struct
{
  guint count;          /* how often to do what the figure is about */
  gsize bytes;          /* how much to move, or to fill */
  guint workers;        /* for the figures that have several */
  char **worker_prefix; /* (owned) (nullable): what Dray's workers are started through */
} BenchOptions;

typedef double (*BenchMeasure) (const BenchOptions *options);

/* The figures, by what they are about. Each file opens with what it measures. */
double bench_tasks_dray (const BenchOptions *options);
double bench_tasks_gtask (const BenchOptions *options);
double bench_tasks_gthreadpool_idle (const BenchOptions *options);

double bench_map_dray (const BenchOptions *options);
double bench_map_rss_growth (const BenchOptions *options);

double bench_round_trip_dray_async (const BenchOptions *options);
double bench_round_trip_dray_wait (const BenchOptions *options);
double bench_round_trip_pipe_limit (const BenchOptions *options);
double bench_round_trip_pipe_limit_apart (const BenchOptions *options);

double bench_result_dray (const BenchOptions *options);
double bench_result_dray_recycled (const BenchOptions *options);
double bench_result_memfd_limit (const BenchOptions *options);
double bench_result_memfd_mapped_limit (const BenchOptions *options);
double bench_result_pipe_limit (const BenchOptions *options);

double bench_stream_small_dray (const BenchOptions *options);
double bench_stream_small_dray_pulled (const BenchOptions *options);
double bench_stream_large_dray (const BenchOptions *options);
double bench_stream_large_dray_pulled (const BenchOptions *options);
double bench_stream_large_pipe_limit (const BenchOptions *options);

double bench_stall_dray_results (const BenchOptions *options);
double bench_stall_dray_stream (const BenchOptions *options);
double bench_stall_idle_add (const BenchOptions *options);
double bench_stall_nothing (const BenchOptions *options);

double bench_spawn_dray (const BenchOptions *options);
double bench_spawn_gsubprocess (const BenchOptions *options);
double bench_spawn_stall_dray (const BenchOptions *options);
double bench_spawn_stall_gsubprocess (const BenchOptions *options);
double bench_spawn_stall_nothing (const BenchOptions *options);

double bench_host_end_dray (const BenchOptions *options);

double bench_commands_dray (const BenchOptions *options);
double bench_commands_gsubprocess_async (const BenchOptions *options);
double bench_commands_xargs (const BenchOptions *options);

/* With this argument the program is one that says a byte at once, and ends. */
#define BENCH_SAY_BYTE_ARGUMENT "--say-byte"
int bench_say_byte (void);

/* With this one it is an application with workers. */
#define BENCH_HOST_ARGUMENT "--host"
int bench_run_host (void);

/* Says what is wrong, and ends the program. */
void bench_fail (const char *format, ...) G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN;
/* Does so if @error is set. */
void bench_check (const GError *error);

/* Monotonic, in seconds; exact to less than a microsecond. */
double bench_now (void);
/* Sorts @values. */
double bench_median (double *values, guint n_values);

/* (transfer full): as the options say, with @max_workers workers that are up and have nothing to
 * do; with 0, it may have as many as it likes, and has none yet */
DrayExecutor *bench_executor_new (const BenchOptions *options, guint max_workers);
/* The same, with workers that are trusted with memory which is used again. */
DrayExecutor *bench_trusting_executor_new (const BenchOptions *options, guint max_workers);
/* (transfer full): another with a launcher that is like those of the others */
DrayLauncher *bench_launcher_new (const BenchOptions *options);
/* Ends its workers, blocking, and drops it. */
void bench_executor_free (DrayExecutor *executor);

/* The longest time that the default main context did not get to a timer which is due every
 * millisecond, and has the priority of any timer of an application's. */
typedef struct
{
  GSource *timer;   /* (owned) */
  double last_turn; /* in seconds, like all times here */
  double worst_gap;
  GFunc work; /* (nullable): what to do in each turn */
  gpointer work_data;
} BenchTicker;

void bench_ticker_start (BenchTicker *self, GFunc work, gpointer work_data);
/* Returns the worst gap in milliseconds. */
double bench_ticker_stop (BenchTicker *self);

G_END_DECLS
