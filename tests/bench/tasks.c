/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker.h"

/*
 * tasks_per_second: so many tiny tasks that little but their overhead is left. Each is given a
 * number, and ends in a callback in the main context with the next number. All are submitted at
 * once; the time is from the first submit to the last callback.
 *
 *   dray              a call, a future, a done callback; two workers, which are up
 *   dray_map          is in map.c
 *   gtask             g_task_run_in_thread(); the number is in the pointer, so that nothing is
 *                     allocated but the task. How many threads there are is GLib's to say.
 *   gthreadpool_idle  a thread pool that hands over each result with g_idle_add(). Two threads of
 *                     the pool's own, which is what the processors can use; an allocation for
 *                     both ways.
 */

typedef struct
{
  guint count;
  guint n_done;
  gint64 sum;      /* of the results */
  GMainLoop *loop; /* (owned) */
} Tally;

static void
tally_init (Tally *self, guint count)
{
  self->count = count;
  self->n_done = 0;
  self->sum = 0;
  self->loop = g_main_loop_new (NULL, FALSE);
}

static void
tally_add (Tally *self, gint64 result)
{
  self->sum += result;
  if (++self->n_done == self->count)
    g_main_loop_quit (self->loop);
}

/* Runs until all results are there, and returns how many came in a second. */
static double
tally_finish (Tally *self, double start)
{
  double time = 0;

  if (self->n_done < self->count)
    g_main_loop_run (self->loop);
  time = bench_now () - start;

  g_main_loop_unref (self->loop);
  if (self->sum != (gint64) self->count * ((gint64) self->count + 1) / 2)
    bench_fail ("The results of the tasks are wrong");

  return self->count / time;
}

/* --- Dray --- */

static void
future_done_cb (DrayFuture *future, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);

  bench_check (error);
  tally_add (user_data, g_variant_get_int64 (result));
  g_object_unref (future);
}

double
bench_tasks_dray (const BenchOptions *options)
{
  DrayExecutor *executor = bench_executor_new (options, options->workers);
  double start = bench_now ();
  double rate = 0;
  Tally tally;

  tally_init (&tally, options->count);
  for (guint i = 0; i < options->count; i++)
    {
      DrayFuture *future = dray_executor_call (executor, BENCH_SUCCESSOR, g_variant_new_int64 (i));

      dray_future_add_done_callback (future, future_done_cb, &tally, NULL);
    }
  rate = tally_finish (&tally, start);

  bench_executor_free (executor);
  return rate;
}

/* --- GTask --- */

static void
run_task_cb (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  g_task_return_int (task, (gssize) GPOINTER_TO_SIZE (task_data) + 1);
}

static void
task_done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  gssize number = g_task_propagate_int (G_TASK (result), &error);

  bench_check (error);
  tally_add (user_data, number);
}

double
bench_tasks_gtask (const BenchOptions *options)
{
  double start = bench_now ();
  Tally tally;

  tally_init (&tally, options->count);
  for (guint i = 0; i < options->count; i++)
    {
      g_autoptr (GTask) task = g_task_new (NULL, NULL, task_done_cb, &tally);

      g_task_set_task_data (task, GSIZE_TO_POINTER (i), NULL);
      g_task_run_in_thread (task, run_task_cb);
    }

  return tally_finish (&tally, start);
}

/* --- A thread pool and g_idle_add() --- */

typedef struct
{
  gint64 number;
  Tally *tally; /* (not owned) */
} Errand;

static gboolean
errand_done_cb (gpointer user_data)
{
  Errand *errand = user_data;

  tally_add (errand->tally, errand->number);
  g_free (errand);

  return G_SOURCE_REMOVE;
}

static void
run_errand_cb (gpointer data, gpointer user_data)
{
  Errand *errand = data;

  errand->number++;
  g_idle_add (errand_done_cb, errand);
}

double
bench_tasks_gthreadpool_idle (const BenchOptions *options)
{
  GThreadPool *pool = g_thread_pool_new (run_errand_cb, NULL, (int) options->workers, TRUE, NULL);
  double start = bench_now ();
  double rate = 0;
  Tally tally;

  tally_init (&tally, options->count);
  for (guint i = 0; i < options->count; i++)
    {
      Errand *errand = g_new (Errand, 1);

      *errand = (Errand){ .number = i, .tally = &tally };
      g_thread_pool_push (pool, errand, NULL);
    }
  rate = tally_finish (&tally, start);

  g_thread_pool_free (pool, FALSE, TRUE);
  return rate;
}
