/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * What the measurements share: time, the ticker, executors that are warm.
 */

/* Under valgrind a worker takes its time to end. In ms. */
#define GRACE_PERIOD 60000

void
bench_fail (const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list arguments;

  va_start (arguments, format);
  message = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  g_printerr ("dray-bench: %s\n", message);
  /* At once: other threads may be anywhere. */
  _exit (EXIT_FAILURE);
}

void
bench_check (const GError *error)
{
  if (error != NULL)
    bench_fail ("%s", error->message);
}

double
bench_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  double left = *(const double *) a;
  double right = *(const double *) b;

  return left < right ? -1 : left > right;
}

double
bench_median (double *values, guint n_values)
{
  guint half = n_values / 2;

  qsort (values, n_values, sizeof *values, compare_doubles);
  return n_values % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/* --- Executors --- */

static void
here_cb (DrayFuture *future, GVariant *item, gpointer user_data)
{
  guint *n_here = user_data;

  (*n_here)++;
}

/* Each worker gets a call that stays, so that none can have two; when all have said that they are
 * there, they are let go. */
static void
start_workers (DrayExecutor *executor, guint n_workers)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  guint n_here = 0;

  for (guint i = 0; i < n_workers; i++)
    {
      DrayFuture *future = dray_executor_call (executor, BENCH_STAY, NULL);

      g_signal_connect (future, "item", G_CALLBACK (here_cb), &n_here);
      g_ptr_array_add (futures, future);
    }

  while (n_here < n_workers)
    {
      g_main_context_iteration (NULL, TRUE);
      for (guint i = 0; i < n_workers; i++)
        if (dray_future_is_done (futures->pdata[i]))
          bench_fail ("A worker did not come up");
    }

  for (guint i = 0; i < n_workers; i++)
    {
      dray_future_cancel (futures->pdata[i]);
      dray_future_wait (futures->pdata[i], -1, NULL, NULL);
      g_signal_handlers_disconnect_by_data (futures->pdata[i], &n_here);
    }
}

DrayLauncher *
bench_launcher_new (const BenchOptions *options)
{
  DrayLauncher *launcher = dray_launcher_new_self ();

  if (options->worker_prefix != NULL)
    dray_launcher_set_prefix (launcher, (const char *const *) options->worker_prefix);

  return launcher;
}

/* Takes @launcher. */
static DrayExecutor *
start_executor (DrayLauncher *launcher, guint max_workers)
{
  DrayExecutor *executor = g_object_new (DRAY_TYPE_EXECUTOR, "launcher", launcher, "max-workers",
                                         max_workers, "grace-period", GRACE_PERIOD, NULL);

  g_object_unref (launcher);
  start_workers (executor, max_workers);
  return executor;
}

DrayExecutor *
bench_executor_new (const BenchOptions *options, guint max_workers)
{
  return start_executor (bench_launcher_new (options), max_workers);
}

DrayExecutor *
bench_trusting_executor_new (const BenchOptions *options, guint max_workers)
{
  DrayLauncher *launcher = bench_launcher_new (options);

  dray_launcher_set_trusted (launcher, TRUE);
  return start_executor (launcher, max_workers);
}

void
bench_executor_free (DrayExecutor *executor)
{
  g_autoptr (GError) error = NULL;

  dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, &error);
  bench_check (error);
  g_object_unref (executor);
}

/* --- The ticker --- */

static gboolean
turn_cb (gpointer user_data)
{
  BenchTicker *self = user_data;
  const double now = bench_now ();

  self->worst_gap = MAX (self->worst_gap, now - self->last_turn);
  self->last_turn = now;
  if (self->work != NULL)
    self->work (self->work_data, NULL);

  return G_SOURCE_CONTINUE;
}

void
bench_ticker_start (BenchTicker *self, GFunc work, gpointer work_data)
{
  self->work = work;
  self->work_data = work_data;
  self->worst_gap = 0;
  self->last_turn = bench_now ();
  self->timer = g_timeout_source_new (1);
  g_source_set_callback (self->timer, turn_cb, self, NULL);
  g_source_attach (self->timer, NULL);
}

double
bench_ticker_stop (BenchTicker *self)
{
  /* What has stopped the loop last. */
  turn_cb (self);
  g_source_destroy (self->timer);
  g_clear_pointer (&self->timer, g_source_unref);

  return self->worst_gap * 1e3;
}
