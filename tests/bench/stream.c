/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bare.h"
#include "stream.h"
#include "worker.h"

#include <string.h>

/*
 * stream_16b_items_per_second, stream_64kib_gib_per_second: one call that emits items as fast as
 * it can. The time is from the submit to the news that there are no more.
 *
 *   dray        the future's "item" signal, in a main loop; one worker, which is up
 *   dray_pulled as many as there are at a time, by dray_future_next_items_async()
 *   pipe_limit  two bare processes: one writes 64 KiB at a time, the other reads as much
 */

/* --- Dray --- */

typedef struct _Reader Reader;

struct _Reader
{
  void (*take) (Reader *self, GVariant *item); /* checks the next item, and counts it */
  guint64 n_items;
  GMainLoop *loop; /* (owned) */
};

static void
take_small (Reader *self, GVariant *item)
{
  gsize n_numbers = 0;
  const gint64 *numbers = g_variant_get_fixed_array (item, &n_numbers, sizeof *numbers);

  if (n_numbers != 2 || numbers[0] != (gint64) self->n_items
      || numbers[1] != bench_checksum (numbers[0]))
    bench_fail ("Item %" G_GUINT64_FORMAT " of a stream is not what was sent", self->n_items);
  self->n_items++;
}

static void
take_large (Reader *self, GVariant *item)
{
  gsize size = 0;
  const guint8 *bytes = g_variant_get_fixed_array (item, &size, 1);

  bench_check_chunk (bytes, size, self->n_items++);
}

static void
item_cb (DrayFuture *future, GVariant *item, gpointer user_data)
{
  Reader *self = user_data;

  self->take (self, item);
}

static void
stream_done_cb (DrayFuture *future, gpointer user_data)
{
  Reader *self = user_data;

  g_main_loop_quit (self->loop);
}

static void
pulled_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Reader *self = user_data;
  DrayFuture *future = DRAY_FUTURE (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) items = dray_future_next_items_finish (future, result, &error);

  bench_check (error);
  if (items == NULL)
    {
      g_main_loop_quit (self->loop);
      return;
    }

  for (guint i = 0; i < items->len; i++)
    self->take (self, items->pdata[i]);
  dray_future_next_items_async (future, 0, NULL, pulled_cb, self);
}

double
bench_run_stream (DrayExecutor *executor, const char *function, guint64 n_items, gboolean pull)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Reader reader = { .loop = loop };
  const double start = bench_now ();
  g_autoptr (DrayTask) task = dray_task_new_call (function, g_variant_new_uint64 (n_items));
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  double time = 0;

  reader.take = g_str_equal (function, BENCH_EMIT_SMALL) ? take_small : take_large;
  dray_task_set_pull (task, pull);
  future = dray_executor_submit (executor, task, NULL);
  if (pull)
    {
      dray_future_next_items_async (future, 0, NULL, pulled_cb, &reader);
    }
  else
    {
      g_signal_connect (future, "item", G_CALLBACK (item_cb), &reader);
      dray_future_add_done_callback (future, stream_done_cb, &reader, NULL);
    }
  g_main_loop_run (loop);
  time = bench_now () - start;

  result = dray_future_dup_result (future, &error);
  bench_check (error);
  if (reader.n_items != n_items)
    bench_fail ("Items of a stream are missing");

  return time;
}

static double
measure_small (const BenchOptions *options, gboolean pull)
{
  DrayExecutor *executor = bench_executor_new (options, 1);
  double time = bench_run_stream (executor, BENCH_EMIT_SMALL, options->count, pull);

  bench_executor_free (executor);
  return options->count / time;
}

static double
measure_large (const BenchOptions *options, gboolean pull)
{
  DrayExecutor *executor = bench_executor_new (options, 1);
  const guint64 n_chunks = options->bytes / BENCH_CHUNK_SIZE;
  double time = bench_run_stream (executor, BENCH_EMIT_LARGE, n_chunks, pull);

  bench_executor_free (executor);
  return (double) (n_chunks * BENCH_CHUNK_SIZE) / BENCH_GIB / time;
}

double
bench_stream_small_dray (const BenchOptions *options)
{
  return measure_small (options, FALSE);
}

double
bench_stream_small_dray_pulled (const BenchOptions *options)
{
  return measure_small (options, TRUE);
}

double
bench_stream_large_dray (const BenchOptions *options)
{
  return measure_large (options, FALSE);
}

double
bench_stream_large_dray_pulled (const BenchOptions *options)
{
  return measure_large (options, TRUE);
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
