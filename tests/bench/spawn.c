/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What it costs an application that fills much memory to start a process.
 *
 * A fork() copies the tables of all the memory, and marks all of it so that whoever writes to a
 * page next has to copy that; GSubprocess, as it is used by default, forks. Dray spawns without.
 * Both start this same program, which says one word at once:
 *
 *   spawn_ms_parent_3gib    from asking for a process to its first word; the median of many
 *   spawn_stall_ms_parent_3gib
 *                           the longest that a main loop with a timer every millisecond, which
 *                           keeps writing to its memory, did not get to it while ten processes
 *                           were started, each asked for in a turn of the loop of its own; the
 *                           median of several such times. ".nothing" is the same while nothing is
 *                           started: what the machine does to it anyway.
 *
 * The two take turns, so that whatever else the machine does hits both alike. The memory is in
 * small pages, which is what memory that grew bit by bit is in.
 */

#include <dray.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB ((gsize) 1024 * 1024)
#define N_PROCESSES 10
#define N_WRITES 64      /* in each turn of the timer, a page each */
#define NOTHING_TIME 200 /* ms */

#define ANSWER_ARGUMENT "--answer"
#define FUNCTION "answer"

/* --- The process that is started --- */

static GVariant *
answer (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  return g_variant_new_byte ('x');
}

static int
run_worker (void)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  dray_worker_add_function (worker, FUNCTION, answer, NULL, NULL);
  return dray_worker_run (worker);
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
memory_write (Memory *memory)
{
  memory->bytes[memory->cursor]++;
  memory->cursor = (memory->cursor + memory->page_size) % memory->size;
}

static void
memory_init (Memory *memory, gsize size)
{
  memory->size = size;
  memory->page_size = (gsize) sysconf (_SC_PAGESIZE);
  memory->cursor = 0;
  memory->bytes = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory->bytes == MAP_FAILED)
    g_error ("There is no memory for this measurement; try --quick");

  madvise (memory->bytes, size, MADV_NOHUGEPAGE);
  for (gsize i = 0; i < size; i += memory->page_size)
    memory_write (memory);
}

/* --- Measuring --- */

typedef struct
{
  Memory memory;
  const char *program; /* this one */
  DrayLauncher *launcher; /* (owned) */

  /* while the loop runs */
  gint64 last_turn; /* monotonic, µs */
  gint64 worst_gap; /* µs */
  guint n_asked;
  guint n_answered;
  GPtrArray *processes; /* (owned): executors, or subprocesses */
} Bench;

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  double left = *(const double *) a;
  double right = *(const double *) b;

  return left < right ? -1 : left > right;
}

static double
median (GArray *values)
{
  guint half = values->len / 2;

  g_array_sort (values, compare_doubles);
  if (values->len % 2 == 1)
    return g_array_index (values, double, half);
  return (g_array_index (values, double, half - 1) + g_array_index (values, double, half)) / 2;
}

/* Prints one line of the outcome: name, value, unit. */
static void
report (Bench *self, const char *what, const char *how, GArray *values)
{
  gsize mib = self->memory.size / MIB;
  g_autofree char *size = mib % 1024 == 0 ? g_strdup_printf ("%" G_GSIZE_FORMAT "gib", mib / 1024)
                                          : g_strdup_printf ("%" G_GSIZE_FORMAT "mib", mib);

  g_print ("%s_parent_%s.%s %.2f ms\n", what, size, how, median (values));
}

static void
shut_down (DrayExecutor *executor)
{
  dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
}

/* --- One process, with nothing else to do --- */

static double
spawn_with_dray (Bench *self)
{
  gint64 start = g_get_monotonic_time ();
  g_autoptr (DrayExecutor) executor = dray_executor_new (self->launcher);
  g_autoptr (DrayFuture) future = dray_executor_call (executor, FUNCTION, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) word = dray_future_wait_result (future, -1, NULL, &error);
  double time = (double) (g_get_monotonic_time () - start) / G_TIME_SPAN_MILLISECOND;

  if (word == NULL)
    g_error ("%s", error->message);

  shut_down (executor);
  return time;
}

static GSubprocess *
start_subprocess (Bench *self)
{
  g_autoptr (GError) error = NULL;
  GSubprocess *process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, self->program,
                                           ANSWER_ARGUMENT, NULL);

  if (process == NULL)
    g_error ("%s", error->message);
  return process;
}

static double
spawn_with_gsubprocess (Bench *self)
{
  gint64 start = g_get_monotonic_time ();
  g_autoptr (GSubprocess) process = start_subprocess (self);
  g_autoptr (GError) error = NULL;
  char word;

  if (g_input_stream_read (g_subprocess_get_stdout_pipe (process), &word, 1, NULL, &error) != 1)
    g_error ("There was no answer");

  double time = (double) (g_get_monotonic_time () - start) / G_TIME_SPAN_MILLISECOND;

  g_subprocess_wait (process, NULL, NULL);
  return time;
}

/* --- Ten processes, and a loop that should not notice --- */

static gboolean
turn_cb (gpointer user_data)
{
  Bench *self = user_data;
  gint64 now = g_get_monotonic_time ();

  self->worst_gap = MAX (self->worst_gap, now - self->last_turn);
  self->last_turn = now;
  for (guint i = 0; i < N_WRITES; i++)
    memory_write (&self->memory);

  return G_SOURCE_CONTINUE;
}

static void
dray_answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Bench *self = user_data;
  g_autoptr (GVariant) word = dray_executor_call_finish (DRAY_EXECUTOR (source), result, NULL);

  g_assert (word != NULL);
  self->n_answered++;
}

/* An executor each, so that each call has to have a process of its own. */
static gboolean
ask_dray_cb (gpointer user_data)
{
  Bench *self = user_data;
  DrayExecutor *executor = dray_executor_new (self->launcher);

  dray_executor_call_async (executor, FUNCTION, NULL, NULL, dray_answered_cb, self);
  g_ptr_array_add (self->processes, executor);

  return ++self->n_asked < N_PROCESSES;
}

static void
subprocess_answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Bench *self = user_data;
  g_autoptr (GBytes) word = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result,
                                                              NULL);

  g_assert (word != NULL && g_bytes_get_size (word) == 1);
  self->n_answered++;
}

static gboolean
ask_gsubprocess_cb (gpointer user_data)
{
  Bench *self = user_data;
  GSubprocess *process = start_subprocess (self);

  g_input_stream_read_bytes_async (g_subprocess_get_stdout_pipe (process), 1, G_PRIORITY_DEFAULT,
                                   NULL, subprocess_answered_cb, self);
  g_ptr_array_add (self->processes, process);

  return ++self->n_asked < N_PROCESSES;
}

static gboolean
pass_time_cb (gpointer user_data)
{
  Bench *self = user_data;

  self->n_answered = N_PROCESSES;
  return G_SOURCE_REMOVE;
}

/* Returns the longest time between two turns of the timer while @ask is called until it has asked
 * for all, and they have answered; NULL: while nothing is asked for. */
static double
measure_stall (Bench *self, GSourceFunc ask)
{
  guint timer = g_timeout_add_full (G_PRIORITY_HIGH, 1, turn_cb, self, NULL);

  self->n_asked = self->n_answered = 0;
  self->worst_gap = 0;
  self->last_turn = g_get_monotonic_time ();
  if (ask != NULL)
    g_idle_add (ask, self);
  else
    g_timeout_add (NOTHING_TIME, pass_time_cb, self);

  while (self->n_answered < N_PROCESSES)
    g_main_context_iteration (NULL, TRUE);
  /* What has stopped the loop last. */
  turn_cb (self);
  g_source_remove (timer);

  for (guint i = 0; i < self->processes->len; i++)
    {
      if (DRAY_IS_EXECUTOR (self->processes->pdata[i]))
        shut_down (self->processes->pdata[i]);
      else
        g_subprocess_wait (self->processes->pdata[i], NULL, NULL);
    }
  g_ptr_array_set_size (self->processes, 0);

  return (double) self->worst_gap / G_TIME_SPAN_MILLISECOND;
}

/* --- All of it --- */

static void
add (GArray *values, double value)
{
  g_array_append_val (values, value);
}

static void
measure_spawns (Bench *self, guint n_rounds)
{
  g_autoptr (GArray) dray = g_array_new (FALSE, FALSE, sizeof (double));
  g_autoptr (GArray) gsubprocess = g_array_new (FALSE, FALSE, sizeof (double));

  for (guint i = 0; i < n_rounds; i++)
    {
      add (dray, spawn_with_dray (self));
      add (gsubprocess, spawn_with_gsubprocess (self));
    }

  report (self, "spawn_ms", "dray", dray);
  report (self, "spawn_ms", "gsubprocess", gsubprocess);
}

static void
measure_stalls (Bench *self, guint n_rounds)
{
  g_autoptr (GArray) dray = g_array_new (FALSE, FALSE, sizeof (double));
  g_autoptr (GArray) gsubprocess = g_array_new (FALSE, FALSE, sizeof (double));
  g_autoptr (GArray) nothing = g_array_new (FALSE, FALSE, sizeof (double));

  for (guint i = 0; i < n_rounds; i++)
    {
      add (dray, measure_stall (self, ask_dray_cb));
      add (gsubprocess, measure_stall (self, ask_gsubprocess_cb));
      add (nothing, measure_stall (self, NULL));
    }

  report (self, "spawn_stall_ms", "dray", dray);
  report (self, "spawn_stall_ms", "gsubprocess", gsubprocess);
  report (self, "spawn_stall_ms", "nothing", nothing);
}

int
main (int argc, char **argv)
{
  gboolean quick = FALSE;
  const GOptionEntry entries[] = {
    { "quick", 0, 0, G_OPTION_ARG_NONE, &quick, "Use 512 MiB and few rounds", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) processes = g_ptr_array_new_with_free_func (g_object_unref);
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  Bench bench = { .program = program, .processes = processes };

  if (dray_worker_is_requested (argc, argv))
    return run_worker ();
  if (argc > 1 && g_str_equal (argv[1], ANSWER_ARGUMENT))
    return write (STDOUT_FILENO, "x", 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;

  context = g_option_context_new (NULL);
  g_option_context_set_summary (context, "Measures what it costs a large process to start others");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return EXIT_FAILURE;
    }

  bench.launcher = dray_launcher_new_self ();
  memory_init (&bench.memory, (quick ? 512 : 3072) * MIB);
  measure_spawns (&bench, quick ? 5 : 25);
  measure_stalls (&bench, quick ? 3 : 11);

  munmap (bench.memory.bytes, bench.memory.size);
  g_object_unref (bench.launcher);
  return EXIT_SUCCESS;
}
