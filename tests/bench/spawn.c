/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * What it costs an application that fills much memory to start a process. A fork() copies the
 * tables of all the memory, and marks all of it, so that whoever writes to a page next has to copy
 * that first.
 *
 *   spawn_ms_parent_3gib        from asking for a process to its first byte; the median of some
 *   spawn_stall_ms_parent_3gib  the longest time that a main loop with a timer every millisecond,
 *                               which keeps writing to its memory, did not get to it while ten
 *                               processes are started, each asked for in a turn of the loop of its
 *                               own
 *
 *   dray         a new executor and a call: the first byte is the result of the call
 *   gsubprocess  GSubprocess with its default flags, and a pipe to read the byte from
 *   nothing      no process is started: what the machine does to the loop anyway
 *
 * All start this same program. The memory is in small pages, which is what memory that grew bit by
 * bit is in.
 */

#define N_WRITES 64      /* in each turn of the timer, a page each */
#define NOTHING_TIME 200 /* ms */

int
bench_say_byte (void)
{
  return write (STDOUT_FILENO, "x", 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- The memory --- */

typedef struct
{
  guint8 *bytes; /* (owned): mapped */
  gsize size;
  gsize page_size;
  gsize cursor;
} Memory;

static void
memory_write (Memory *self)
{
  self->bytes[self->cursor]++;
  self->cursor = (self->cursor + self->page_size) % self->size;
}

static void
memory_init (Memory *self, gsize size)
{
  self->size = size;
  self->page_size = (gsize) sysconf (_SC_PAGESIZE);
  self->cursor = 0;
  self->bytes = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (self->bytes == MAP_FAILED)
    bench_fail ("There is no memory for this measurement: %s", g_strerror (errno));

  madvise (self->bytes, size, MADV_NOHUGEPAGE);
  for (gsize i = 0; i < size; i += self->page_size)
    memory_write (self);
}

static void
memory_clear (Memory *self)
{
  munmap (self->bytes, self->size);
}

/* --- One process, with nothing else to do --- */

static double
spawn_with_dray (const BenchOptions *options, DrayLauncher *launcher)
{
  const double start = bench_now ();
  DrayExecutor *executor = dray_executor_new (launcher);
  g_autoptr (DrayFuture) future = dray_executor_call (executor, BENCH_SUCCESSOR,
                                                      g_variant_new_int64 (1));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) number = dray_future_wait_result (future, -1, NULL, &error);
  const double time = bench_now () - start;

  bench_check (error);
  if (g_variant_get_int64 (number) != 2)
    bench_fail ("The result of a call is wrong");

  bench_executor_free (executor);
  return time;
}

static GSubprocess *
start_subprocess (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autoptr (GError) error = NULL;
  GSubprocess *process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program,
                                           BENCH_SAY_BYTE_ARGUMENT, NULL);

  bench_check (error);
  return process;
}

static double
spawn_with_gsubprocess (const BenchOptions *options, DrayLauncher *launcher)
{
  const double start = bench_now ();
  g_autoptr (GSubprocess) process = start_subprocess ();
  g_autoptr (GError) error = NULL;
  char byte = 0;
  double time = 0;

  g_input_stream_read (g_subprocess_get_stdout_pipe (process), &byte, 1, NULL, &error);
  time = bench_now () - start;

  bench_check (error);
  if (byte != 'x')
    bench_fail ("There was no answer from a process");
  g_subprocess_wait_check (process, NULL, &error);
  bench_check (error);

  return time;
}

/* Returns milliseconds. */
static double
measure_spawns (const BenchOptions *options, double (*spawn) (const BenchOptions *, DrayLauncher *))
{
  g_autoptr (DrayLauncher) launcher = bench_launcher_new (options);
  g_autofree double *times = g_new0 (double, options->count);
  Memory memory;

  memory_init (&memory, options->bytes);
  for (guint i = 0; i < options->count; i++)
    times[i] = spawn (options, launcher);
  memory_clear (&memory);

  return bench_median (times, options->count) * 1e3;
}

double
bench_spawn_dray (const BenchOptions *options)
{
  return measure_spawns (options, spawn_with_dray);
}

double
bench_spawn_gsubprocess (const BenchOptions *options)
{
  return measure_spawns (options, spawn_with_gsubprocess);
}

/* --- Some processes, and a loop that should not notice --- */

typedef struct
{
  const BenchOptions *options; /* (not owned) */
  DrayLauncher *launcher;      /* (owned) */
  GPtrArray *processes;        /* (owned): executors, or subprocesses */
  guint n_answered;
  Memory memory;
} Starter;

static void
write_memory (gpointer data, gpointer user_data)
{
  Starter *self = data;

  for (guint i = 0; i < N_WRITES; i++)
    memory_write (&self->memory);
}

static void
dray_answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Starter *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) number = dray_executor_call_finish (DRAY_EXECUTOR (source), result, &error);

  bench_check (error);
  if (g_variant_get_int64 (number) != 2)
    bench_fail ("The result of a call is wrong");
  self->n_answered++;
}

/* An executor each, so that each call has to have a process of its own. */
static gboolean
ask_dray_cb (gpointer user_data)
{
  Starter *self = user_data;
  DrayExecutor *executor = dray_executor_new (self->launcher);

  dray_executor_call_async (executor, BENCH_SUCCESSOR, g_variant_new_int64 (1), NULL,
                            dray_answered_cb, self);
  g_ptr_array_add (self->processes, executor);

  return self->processes->len < self->options->count;
}

static void
subprocess_answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Starter *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) byte = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result,
                                                              &error);

  bench_check (error);
  if (g_bytes_get_size (byte) != 1)
    bench_fail ("There was no answer from a process");
  self->n_answered++;
}

static gboolean
ask_gsubprocess_cb (gpointer user_data)
{
  Starter *self = user_data;
  GSubprocess *process = start_subprocess ();

  g_input_stream_read_bytes_async (g_subprocess_get_stdout_pipe (process), 1, G_PRIORITY_DEFAULT,
                                   NULL, subprocess_answered_cb, self);
  g_ptr_array_add (self->processes, process);

  return self->processes->len < self->options->count;
}

static gboolean
pass_time_cb (gpointer user_data)
{
  Starter *self = user_data;

  self->n_answered = self->options->count;
  return G_SOURCE_REMOVE;
}

static void
end_process (gpointer process)
{
  if (DRAY_IS_EXECUTOR (process))
    {
      bench_executor_free (process);
      return;
    }

  g_subprocess_wait (process, NULL, NULL);
  g_object_unref (process);
}

/* @ask is called in an idle source until it has asked for all; NULL: nothing is asked for. */
static double
measure_stall (const BenchOptions *options, GSourceFunc ask)
{
  g_autoptr (DrayLauncher) launcher = bench_launcher_new (options);
  g_autoptr (GPtrArray) processes = g_ptr_array_new_with_free_func (end_process);
  Starter starter = { .options = options, .launcher = launcher, .processes = processes };
  BenchTicker ticker;
  double stall = 0;

  memory_init (&starter.memory, options->bytes);
  bench_ticker_start (&ticker, write_memory, &starter);
  if (ask != NULL)
    g_idle_add (ask, &starter);
  else
    g_timeout_add (NOTHING_TIME, pass_time_cb, &starter);
  while (starter.n_answered < options->count)
    g_main_context_iteration (NULL, TRUE);
  stall = bench_ticker_stop (&ticker);
  memory_clear (&starter.memory);

  return stall;
}

double
bench_spawn_stall_dray (const BenchOptions *options)
{
  return measure_stall (options, ask_dray_cb);
}

double
bench_spawn_stall_gsubprocess (const BenchOptions *options)
{
  return measure_stall (options, ask_gsubprocess_cb);
}

double
bench_spawn_stall_nothing (const BenchOptions *options)
{
  return measure_stall (options, NULL);
}
