/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker.h"

#include <stdlib.h>

/*
 * Measures one figure, once, and prints its name, its value and its unit. The driver, run, starts
 * this again and again; and so do Dray's workers, which are this program too.
 */

typedef struct
{
  const char *name;
  const char *unit;
  BenchMeasure measure;
} Figure;

static const Figure figures[] = {
  { "tasks_per_second.dray", "tasks/s", bench_tasks_dray },
  { "tasks_per_second.dray_map", "tasks/s", bench_map_dray },
  { "tasks_per_second.gtask", "tasks/s", bench_tasks_gtask },
  { "tasks_per_second.gthreadpool_idle", "tasks/s", bench_tasks_gthreadpool_idle },

  { "round_trip_us.dray_async", "us", bench_round_trip_dray_async },
  { "round_trip_us.dray_wait", "us", bench_round_trip_dray_wait },
  { "round_trip_us.pipe_limit", "us", bench_round_trip_pipe_limit },
  { "round_trip_us.pipe_limit_apart", "us", bench_round_trip_pipe_limit_apart },

  { "result_64mib_gib_per_second.dray", "GiB/s", bench_result_dray },
  { "result_64mib_gib_per_second.dray_recycled", "GiB/s", bench_result_dray_recycled },
  { "result_64mib_gib_per_second.memfd_limit", "GiB/s", bench_result_memfd_limit },
  { "result_64mib_gib_per_second.memfd_mapped_limit", "GiB/s", bench_result_memfd_mapped_limit },
  { "result_64mib_gib_per_second.pipe_limit", "GiB/s", bench_result_pipe_limit },

  { "stream_16b_items_per_second.dray", "items/s", bench_stream_small_dray },
  { "stream_16b_items_per_second.dray_pulled", "items/s", bench_stream_small_dray_pulled },
  { "stream_64kib_gib_per_second.dray", "GiB/s", bench_stream_large_dray },
  { "stream_64kib_gib_per_second.dray_pulled", "GiB/s", bench_stream_large_dray_pulled },
  { "stream_64kib_gib_per_second.pipe_limit", "GiB/s", bench_stream_large_pipe_limit },

  { "loop_stall_ms.dray_results", "ms", bench_stall_dray_results },
  { "loop_stall_ms.dray_stream", "ms", bench_stall_dray_stream },
  { "loop_stall_ms.idle_add", "ms", bench_stall_idle_add },
  { "loop_stall_ms.nothing", "ms", bench_stall_nothing },

  { "spawn_ms_parent_3gib.dray", "ms", bench_spawn_dray },
  { "spawn_ms_parent_3gib.gsubprocess", "ms", bench_spawn_gsubprocess },
  { "spawn_stall_ms_parent_3gib.dray", "ms", bench_spawn_stall_dray },
  { "spawn_stall_ms_parent_3gib.gsubprocess", "ms", bench_spawn_stall_gsubprocess },
  { "spawn_stall_ms_parent_3gib.nothing", "ms", bench_spawn_stall_nothing },

  { "host_end_ms.dray", "ms", bench_host_end_dray },

  { "map_rss_growth_mib.dray", "MiB", bench_map_rss_growth },

  { "commands_per_second.dray", "commands/s", bench_commands_dray },
  { "commands_per_second.gsubprocess_async", "commands/s", bench_commands_gsubprocess_async },
  { "commands_per_second.xargs", "commands/s", bench_commands_xargs },
};

static const Figure *
find_figure (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (figures); i++)
    if (g_strcmp0 (figures[i].name, name) == 0)
      return &figures[i];

  bench_fail ("There is no figure \"%s\"; --list has them all", name != NULL ? name : "");
}

static int
list_figures (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (figures); i++)
    g_print ("%s\n", figures[i].name);

  return EXIT_SUCCESS;
}

static void
parse_arguments (int *argc, char ***argv, char **name, gboolean *list, BenchOptions *options)
{
  int count = 1;
  int workers = 2;
  gint64 bytes = (gint64) BENCH_MIB;
  g_autofree char *prefix = NULL;
  const GOptionEntry entries[] = {
    { "figure", 0, 0, G_OPTION_ARG_STRING, name, "What to measure", "NAME" },
    { "list", 0, 0, G_OPTION_ARG_NONE, list, "Print the names of all figures", NULL },
    { "count", 0, 0, G_OPTION_ARG_INT, &count, "How often to do it (1)", "N" },
    { "bytes", 0, 0, G_OPTION_ARG_INT64, &bytes, "How much to move, or to fill (1 MiB)", "N" },
    { "workers", 0, 0, G_OPTION_ARG_INT, &workers, "How many workers to have (2)", "N" },
    { "worker-prefix", 0, 0, G_OPTION_ARG_STRING, &prefix, "What to start workers through",
      "COMMAND" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context, "Measures one figure, once.");
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_parse (context, argc, argv, &error);
  bench_check (error);
  if (prefix != NULL)
    g_shell_parse_argv (prefix, NULL, &options->worker_prefix, &error);
  bench_check (error);
  if (count < 1 || workers < 1 || bytes < 1)
    bench_fail ("Numbers must be positive");

  options->count = (guint) count;
  options->workers = (guint) workers;
  options->bytes = (gsize) bytes;
}

int
main (int argc, char **argv)
{
  g_autofree char *name = NULL;
  gboolean list = FALSE;
  BenchOptions options = { 0 };
  const Figure *figure = NULL;

  if (dray_worker_is_requested (argc, argv))
    return bench_run_worker ();
  if (argc > 1 && g_str_equal (argv[1], BENCH_SAY_BYTE_ARGUMENT))
    return bench_say_byte ();
  if (argc > 1 && g_str_equal (argv[1], BENCH_HOST_ARGUMENT))
    return bench_run_host ();

  parse_arguments (&argc, &argv, &name, &list, &options);
  if (list)
    return list_figures ();

  figure = find_figure (name);
  g_print ("%s %.6g %s\n", figure->name, figure->measure (&options), figure->unit);

  g_strfreev (options.worker_prefix);
  return EXIT_SUCCESS;
}
