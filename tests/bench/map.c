/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * What a map does with tiny calls. Their arguments are made when they are asked for, and outcomes
 * come to a function in a main loop, in the order of the calls.
 *
 *   tasks_per_second.dray_map  two workers, which are up
 *   map_rss_growth_mib.dray    how much the resident memory of the application and its two workers
 *                              grew: the sum of the differences between what each had before the
 *                              map was made and the most that it had until its end
 */

typedef struct
{
  guint count;
  guint n_given;
  guint n_taken;
  gint64 sum;      /* of the results */
  GMainLoop *loop; /* (owned) */
} Calls;

static GVariant *
give (gpointer user_data)
{
  Calls *self = user_data;

  return self->n_given < self->count ? g_variant_new_int64 (self->n_given++) : NULL;
}

static void
take_cb (DrayMap *map, DrayOutcome *outcome, gpointer user_data)
{
  Calls *self = user_data;

  bench_check (dray_outcome_get_error (outcome));
  if (dray_outcome_get_index (outcome) != self->n_taken++)
    bench_fail ("The outcomes of a map are out of order");
  self->sum += g_variant_get_int64 (dray_outcome_get_value (outcome));
}

static void
all_taken_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Calls *self = user_data;
  g_autoptr (GError) error = NULL;

  dray_map_for_each_finish (DRAY_MAP (source), result, NULL, &error);
  bench_check (error);
  g_main_loop_quit (self->loop);
}

static void
run_map (DrayExecutor *executor, guint count)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Calls calls = { .count = count, .loop = loop };
  g_autoptr (DrayMap) map = dray_executor_map (executor, BENCH_SUCCESSOR, give, &calls, NULL);

  dray_map_set_ordered (map, TRUE);
  dray_map_for_each_async (map, take_cb, &calls, NULL, NULL, all_taken_cb, &calls);
  g_main_loop_run (loop);

  if (calls.n_taken != count || calls.sum != (gint64) count * ((gint64) count + 1) / 2)
    bench_fail ("The results of a map are wrong");
}

double
bench_map_dray (const BenchOptions *options)
{
  DrayExecutor *executor = bench_executor_new (options, options->workers);
  const double start = bench_now ();
  double time = 0;

  run_map (executor, options->count);
  time = bench_now () - start;

  bench_executor_free (executor);
  return options->count / time;
}

/* --- Memory --- */

/* In /proc, of a process. */
static char *
get_path (int pid, const char *name)
{
  return g_strdup_printf ("/proc/%d/%s", pid, name);
}

/* @field: "VmRSS:", what it has, or "VmHWM:", the most that it had. Returns KiB. */
static gint64
read_memory (int pid, const char *field)
{
  g_autofree char *path = get_path (pid, "status");
  g_autofree char *status = NULL;
  const char *line = NULL;

  if (g_file_get_contents (path, &status, NULL, NULL))
    line = strstr (status, field);
  if (line == NULL)
    bench_fail ("A process does not say how much memory it has");

  return g_ascii_strtoll (line + strlen (field), NULL, 10);
}

/* From now on, the most that a process had is what it had from now on. */
static void
forget_most (int pid)
{
  g_autofree char *path = get_path (pid, "clear_refs");
  FILE *file = fopen (path, "we");

  if (file == NULL || fputs ("5", file) < 0 || fclose (file) != 0)
    bench_fail ("The most memory that a process had can't be set back");
}

/* (transfer full): the ids of this process and of the executor's, which are up */
static GArray *
list_processes (DrayExecutor *executor, guint n_workers)
{
  GListModel *workers = dray_executor_get_workers (executor);
  GArray *pids = g_array_new (FALSE, FALSE, sizeof (int));
  int pid = (int) getpid ();

  while (g_list_model_get_n_items (workers) < n_workers)
    g_main_context_iteration (NULL, TRUE);

  g_array_append_val (pids, pid);
  for (guint i = 0; i < n_workers; i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (workers, i);

      pid = dray_worker_process_get_pid (worker);
      g_array_append_val (pids, pid);
    }

  return pids;
}

double
bench_map_rss_growth (const BenchOptions *options)
{
  DrayExecutor *executor = bench_executor_new (options, options->workers);
  g_autoptr (GArray) pids = list_processes (executor, options->workers);
  gint64 growth = 0;

  for (guint i = 0; i < pids->len; i++)
    {
      forget_most (g_array_index (pids, int, i));
      growth -= read_memory (g_array_index (pids, int, i), "VmRSS:");
    }
  run_map (executor, options->count);
  for (guint i = 0; i < pids->len; i++)
    growth += read_memory (g_array_index (pids, int, i), "VmHWM:");

  bench_executor_free (executor);
  return (double) MAX (growth, 0) / 1024;
}
