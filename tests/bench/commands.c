/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bench.h"

#include <string.h>

/*
 * commands_per_second: how fast /bin/true can be run again and again, two at a time.
 *
 *   dray               commands of an executor, all submitted at once
 *   gsubprocess_async  GSubprocess with its default flags and g_subprocess_wait_check_async(),
 *                      two at a time. The application is small, which is the best case for fork().
 *   xargs              xargs -P2 -n1, with its own start
 *
 * One that fails would end the measurement.
 */

#define COMMAND "/bin/true"

typedef struct
{
  guint count;
  guint n_started;
  guint n_done;
  GMainLoop *loop; /* (owned) */
} Commands;

static void
commands_add (Commands *self)
{
  if (++self->n_done == self->count)
    g_main_loop_quit (self->loop);
}

/* --- Dray --- */

static void
command_done_cb (DrayFuture *future, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);

  bench_check (error);
  if (g_variant_get_size (result) != 0)
    bench_fail (COMMAND " has said something");
  commands_add (user_data);
  g_object_unref (future);
}

double
bench_commands_dray (const BenchOptions *options)
{
  const char *argv[] = { COMMAND, NULL };
  DrayExecutor *executor = g_object_new (DRAY_TYPE_EXECUTOR, "max-workers", options->workers, NULL);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Commands commands = { .count = options->count, .loop = loop };
  double start = bench_now ();
  double time = 0;

  for (guint i = 0; i < options->count; i++)
    {
      g_autoptr (DrayTask) task = dray_task_new_command (argv);

      dray_future_add_done_callback (dray_executor_submit (executor, task, NULL), command_done_cb,
                                     &commands, NULL);
    }
  g_main_loop_run (loop);
  time = bench_now () - start;

  bench_executor_free (executor);
  return options->count / time;
}

/* --- GSubprocess --- */

static void start_subprocess (Commands *commands);

static void
subprocess_done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Commands *commands = user_data;
  g_autoptr (GError) error = NULL;

  g_subprocess_wait_check_finish (G_SUBPROCESS (source), result, &error);
  bench_check (error);
  commands_add (commands);
  start_subprocess (commands);
}

static void
start_subprocess (Commands *commands)
{
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;

  if (commands->n_started == commands->count)
    return;

  commands->n_started++;
  process = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, &error, COMMAND, NULL);
  bench_check (error);
  g_subprocess_wait_check_async (process, NULL, subprocess_done_cb, commands);
}

double
bench_commands_gsubprocess_async (const BenchOptions *options)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Commands commands = { .count = options->count, .loop = loop };
  double start = bench_now ();

  for (guint i = 0; i < options->workers; i++)
    start_subprocess (&commands);
  g_main_loop_run (loop);

  return options->count / (bench_now () - start);
}

/* --- xargs --- */

double
bench_commands_xargs (const BenchOptions *options)
{
  g_autofree char *n_processes = g_strdup_printf ("-P%u", options->workers);
  g_autoptr (GString) lines = g_string_new (NULL);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;
  double start = 0;

  for (guint i = 0; i < options->count; i++)
    g_string_append_printf (lines, "%u\n", i);

  start = bench_now ();
  process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE, &error, "xargs", n_processes, "-n1",
                              COMMAND, NULL);
  bench_check (error);
  g_subprocess_communicate_utf8 (process, lines->str, NULL, NULL, NULL, &error);
  bench_check (error);
  g_subprocess_wait_check (process, NULL, &error);
  bench_check (error);

  return options->count / (bench_now () - start);
}
