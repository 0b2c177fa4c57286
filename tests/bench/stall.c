/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stream.h"
#include "worker.h"

/*
 * loop_stall_ms: the longest time that a main loop did not get to a timer which is due every
 * millisecond, while much comes in.
 *
 *   dray_results  the results of a million calls, each with a callback. They were submitted
 *                 before the ticker starts, to an executor that was paused.
 *   dray_stream   4 GiB, in items of 64 KiB
 *   idle_add      a million callbacks, by g_idle_add() on a thread
 *   nothing       nothing: what the machine does to the loop anyway
 */

typedef struct
{
  guint count;
  guint n_done;
  gint64 sum;      /* of the results, where there are any */
  GMainLoop *loop; /* (owned) */
} Arrivals;

static void
arrivals_add (Arrivals *self)
{
  if (++self->n_done == self->count)
    g_main_loop_quit (self->loop);
}

/* --- Dray --- */

static void
call_done_cb (DrayFuture *future, gpointer user_data)
{
  Arrivals *arrivals = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);

  bench_check (error);
  arrivals->sum += g_variant_get_int64 (result);
  arrivals_add (arrivals);
  g_object_unref (future);
}

double
bench_stall_dray_results (const BenchOptions *options)
{
  DrayExecutor *executor = bench_executor_new (options, options->workers);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Arrivals arrivals = { .count = options->count, .loop = loop };
  BenchTicker ticker;
  double stall = 0;

  dray_executor_set_paused (executor, TRUE);
  for (guint i = 0; i < options->count; i++)
    {
      DrayFuture *future = dray_executor_call (executor, BENCH_SUCCESSOR, g_variant_new_int64 (i));

      dray_future_add_done_callback (future, call_done_cb, &arrivals, NULL);
    }

  bench_ticker_start (&ticker, NULL, NULL);
  dray_executor_set_paused (executor, FALSE);
  g_main_loop_run (loop);
  stall = bench_ticker_stop (&ticker);

  bench_executor_free (executor);
  if (arrivals.sum != (gint64) options->count * ((gint64) options->count + 1) / 2)
    bench_fail ("The results of the tasks are wrong");
  return stall;
}

double
bench_stall_dray_stream (const BenchOptions *options)
{
  DrayExecutor *executor = bench_executor_new (options, 1);
  BenchTicker ticker;
  double stall = 0;

  bench_ticker_start (&ticker, NULL, NULL);
  bench_run_stream (executor, BENCH_EMIT_LARGE, options->bytes / BENCH_CHUNK_SIZE, FALSE);
  stall = bench_ticker_stop (&ticker);

  bench_executor_free (executor);
  return stall;
}

/* --- Without --- */

static gboolean
arrived_cb (gpointer user_data)
{
  arrivals_add (user_data);
  return G_SOURCE_REMOVE;
}

static gpointer
add_idles (gpointer user_data)
{
  Arrivals *arrivals = user_data;
  const guint count = arrivals->count;

  for (guint i = 0; i < count; i++)
    g_idle_add (arrived_cb, arrivals);

  return NULL;
}

double
bench_stall_idle_add (const BenchOptions *options)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Arrivals arrivals = { .count = options->count, .loop = loop };
  GThread *thread = NULL;
  BenchTicker ticker;
  double stall = 0;

  bench_ticker_start (&ticker, NULL, NULL);
  thread = g_thread_new ("idle-adder", add_idles, &arrivals);
  g_main_loop_run (loop);
  stall = bench_ticker_stop (&ticker);

  g_thread_join (thread);
  return stall;
}

static gboolean
time_is_over_cb (gpointer user_data)
{
  g_main_loop_quit (user_data);
  return G_SOURCE_REMOVE;
}

/* options->count is in milliseconds. */
double
bench_stall_nothing (const BenchOptions *options)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  BenchTicker ticker;

  bench_ticker_start (&ticker, NULL, NULL);
  g_timeout_add (options->count, time_is_over_cb, loop);
  g_main_loop_run (loop);

  return bench_ticker_stop (&ticker);
}
