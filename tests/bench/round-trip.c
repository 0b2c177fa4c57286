/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bare.h"
#include "worker.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

/*
 * round_trip_us: one tiny call after the other, each asked for when the one before it is back; the
 * median of the times that they take.
 *
 *   dray_async  dray_executor_call_async() and its callback in a main loop
 *   dray_wait   dray_executor_call() and dray_future_wait_result()
 *   pipe_limit  two bare processes with two pipes, blocked in read(): one writes 64 bytes, which
 *               is the size of a call of Dray's on the wire, and the other writes them back
 *   pipe_limit_apart
 *               the same, on two processors, as an application and a worker of Dray's are while a
 *               call runs; otherwise the scheduler has the choice, and puts them now on one, now on
 *               two
 */

#define MESSAGE_SIZE 64

typedef struct
{
  double *times; /* (owned): of each call, in seconds */
  guint count;
  guint n_done;
  double last;
} Trips;

static void
trips_init (Trips *self, guint count)
{
  self->times = g_new0 (double, count);
  self->count = count;
  self->n_done = 0;
  self->last = bench_now ();
}

/* To be called when a call is back, with its result. Returns whether another is to be done. */
static gboolean
trips_add (Trips *self, gint64 result)
{
  const double now = bench_now ();

  if (result != (gint64) self->n_done + 1)
    bench_fail ("A call came back with the wrong result");

  self->times[self->n_done++] = now - self->last;
  self->last = now;
  return self->n_done < self->count;
}

/* Returns microseconds. */
static double
trips_finish (Trips *self)
{
  double median = bench_median (self->times, self->count);

  g_free (self->times);
  return median * 1e6;
}

/* --- Dray, with callbacks --- */

typedef struct
{
  Trips trips;
  DrayExecutor *executor; /* (owned) */
  GMainLoop *loop;        /* (owned) */
} Caller;

static void caller_call (Caller *self);

static void
called_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Caller *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) number = dray_executor_call_finish (DRAY_EXECUTOR (source), result, &error);

  bench_check (error);
  if (trips_add (&self->trips, g_variant_get_int64 (number)))
    caller_call (self);
  else
    g_main_loop_quit (self->loop);
}

static void
caller_call (Caller *self)
{
  dray_executor_call_async (self->executor, BENCH_SUCCESSOR,
                            g_variant_new_int64 (self->trips.n_done), NULL, called_cb, self);
}

double
bench_round_trip_dray_async (const BenchOptions *options)
{
  Caller caller;

  caller.executor = bench_executor_new (options, 1);
  caller.loop = g_main_loop_new (NULL, FALSE);
  trips_init (&caller.trips, options->count);
  caller_call (&caller);
  g_main_loop_run (caller.loop);

  g_main_loop_unref (caller.loop);
  bench_executor_free (caller.executor);
  return trips_finish (&caller.trips);
}

/* --- Dray, waiting --- */

double
bench_round_trip_dray_wait (const BenchOptions *options)
{
  DrayExecutor *executor = bench_executor_new (options, 1);
  gboolean more = TRUE;
  Trips trips;

  trips_init (&trips, options->count);
  while (more)
    {
      g_autoptr (DrayFuture) future = dray_executor_call (executor, BENCH_SUCCESSOR,
                                                          g_variant_new_int64 (trips.n_done));
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) number = dray_future_wait_result (future, -1, NULL, &error);

      bench_check (error);
      more = trips_add (&trips, g_variant_get_int64 (number));
    }

  bench_executor_free (executor);
  return trips_finish (&trips);
}

/* --- Bare processes --- */

static void
answer (Bare *host, const BenchOptions *options)
{
  gint64 message[MESSAGE_SIZE / sizeof (gint64)];

  while (bare_read (host, message, sizeof message))
    {
      message[0]++;
      bare_write (host, message, sizeof message);
    }
}

/* Stays on the processor of that number, of those that this process may use. Not to be called
 * before the other process is there, which would have no choice. */
static void
stay_on_processor (guint number)
{
  cpu_set_t allowed, chosen;
  guint n_allowed, n_before = 0;

  if (sched_getaffinity (0, sizeof allowed, &allowed) != 0)
    bench_fail ("The processors can't be told: %s", g_strerror (errno));

  n_allowed = (guint) CPU_COUNT (&allowed);
  CPU_ZERO (&chosen);
  for (guint i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET (i, &allowed) && n_before++ == number % n_allowed)
      CPU_SET (i, &chosen);
  if (sched_setaffinity (0, sizeof chosen, &chosen) != 0)
    bench_fail ("A processor can't be chosen: %s", g_strerror (errno));
}

static void
answer_apart (Bare *host, const BenchOptions *options)
{
  stay_on_processor (1);
  answer (host, options);
}

static double
measure_bare (const BenchOptions *options, gboolean apart)
{
  gint64 message[MESSAGE_SIZE / sizeof (gint64)] = { 0 };
  gboolean more = TRUE;
  Trips trips;
  Bare bare;

  bare_start (&bare, apart ? answer_apart : answer, options);
  if (apart)
    stay_on_processor (0);
  trips_init (&trips, options->count);
  while (more)
    {
      message[0] = trips.n_done;
      bare_write (&bare, message, sizeof message);
      if (!bare_read (&bare, message, sizeof message))
        bench_fail ("The other process has gone");
      more = trips_add (&trips, message[0]);
    }

  bare_stop (&bare);
  return trips_finish (&trips);
}

double
bench_round_trip_pipe_limit (const BenchOptions *options)
{
  return measure_bare (options, FALSE);
}

double
bench_round_trip_pipe_limit_apart (const BenchOptions *options)
{
  return measure_bare (options, TRUE);
}
