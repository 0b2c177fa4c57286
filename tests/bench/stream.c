/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bare.h"
#include "stream.h"
#include "worker.h"

#include <string.h>

/*
 * stream_16b_items_per_second, stream_64kib_gib_per_second: one call that emits items as fast as
 * it can. The time is from the submit until the call is done, which is after the last item.
 *
 *   dray        the future's "item" signal, in a main loop; one worker, which is up
 *   pipe_limit  two bare processes: one writes 64 KiB at a time, the other reads as much
 */

/* --- Dray --- */

typedef struct
{
  guint64 n_items;
  GMainLoop *loop; /* (owned) */
} Reader;

static void
small_item_cb (DrayFuture *future, GVariant *item, gpointer user_data)
{
  Reader *self = user_data;
  gsize n_numbers = 0;
  const gint64 *numbers = g_variant_get_fixed_array (item, &n_numbers, sizeof *numbers);

  if (n_numbers != 2 || numbers[0] != (gint64) self->n_items
      || numbers[1] != bench_checksum (numbers[0]))
    bench_fail ("Item %" G_GUINT64_FORMAT " of a stream is not what was sent", self->n_items);
  self->n_items++;
}

static void
large_item_cb (DrayFuture *future, GVariant *item, gpointer user_data)
{
  Reader *self = user_data;
  gsize size = 0;
  const guint8 *bytes = g_variant_get_fixed_array (item, &size, 1);

  bench_check_chunk (bytes, size, self->n_items++);
}

static void
stream_done_cb (DrayFuture *future, gpointer user_data)
{
  Reader *self = user_data;

  g_main_loop_quit (self->loop);
}

double
bench_run_stream (DrayExecutor *executor, const char *function, guint64 n_items)
{
  const gboolean small = g_str_equal (function, BENCH_EMIT_SMALL);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Reader reader = { .loop = loop };
  const double start = bench_now ();
  g_autoptr (DrayFuture) future = dray_executor_call (executor, function,
                                                      g_variant_new_uint64 (n_items));
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  double time = 0;

  g_signal_connect (future, "item", G_CALLBACK (small ? small_item_cb : large_item_cb), &reader);
  dray_future_add_done_callback (future, stream_done_cb, &reader, NULL);
  g_main_loop_run (loop);
  time = bench_now () - start;

  result = dray_future_dup_result (future, &error);
  bench_check (error);
  if (reader.n_items != n_items)
    bench_fail ("Items of a stream are missing");

  return time;
}

static double
measure_stream (const BenchOptions *options, const char *function, guint64 n_items)
{
  DrayExecutor *executor = bench_executor_new (options, 1);
  double time = bench_run_stream (executor, function, n_items);

  bench_executor_free (executor);
  return time;
}

double
bench_stream_small_dray (const BenchOptions *options)
{
  return options->count / measure_stream (options, BENCH_EMIT_SMALL, options->count);
}

double
bench_stream_large_dray (const BenchOptions *options)
{
  const guint64 n_chunks = options->bytes / BENCH_CHUNK_SIZE;
  double time = measure_stream (options, BENCH_EMIT_LARGE, n_chunks);

  return (double) (n_chunks * BENCH_CHUNK_SIZE) / BENCH_GIB / time;
}

/* --- A pipe --- */

static void
write_chunks (Bare *host, const BenchOptions *options)
{
  guint64 n_chunks;

  while (bare_read (host, &n_chunks, sizeof n_chunks))
    for (guint64 i = 0; i < n_chunks; i++)
      bare_write (host, bench_get_chunk (i), BENCH_CHUNK_SIZE);
}

double
bench_stream_large_pipe_limit (const BenchOptions *options)
{
  const guint64 n_chunks = options->bytes / BENCH_CHUNK_SIZE;
  g_autofree guint8 *bytes = g_malloc (BENCH_CHUNK_SIZE);
  double start = 0;
  double time = 0;
  Bare bare;

  bench_get_chunk (0); /* so that the other process need not make them */
  bare_start (&bare, write_chunks, options);
  start = bench_now ();
  bare_write (&bare, &n_chunks, sizeof n_chunks);
  for (guint64 i = 0; i < n_chunks; i++)
    {
      if (!bare_read (&bare, bytes, BENCH_CHUNK_SIZE))
        bench_fail ("The other process has gone");
      bench_check_chunk (bytes, BENCH_CHUNK_SIZE, i);
    }
  time = bench_now () - start;

  bare_stop (&bare);
  return (double) (n_chunks * BENCH_CHUNK_SIZE) / BENCH_GIB / time;
}
