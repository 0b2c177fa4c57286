/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * The soak test: everything that an application may do, all at once and at random, on several main
 * contexts and threads, while workers and commands are killed twenty times a second, and executors
 * are shut down and replaced. Each result is checked, and each future, callback and wait is
 * counted: what ends twice or never, ends as it can't, or is left behind makes the test fail.
 *
 * It has two rounds. The first one is short, and is there so that what is allocated once, such as
 * types, is there before the surroundings are looked at. After the second one they have to be as
 * they were. A thread of its own watches for promises that are not kept: then it says which, and
 * ends the process.
 *
 * The seed decides what is begun, and in which order; what comes of that depends on the machine.
 */

#define N_DRIVERS 3
#define KILLS_PER_SECOND 20
#define STIR_INTERVAL 200  /* ms */
#define REPORT_INTERVAL 10 /* s */
#define PATIENCE 300       /* s: nothing that is begun here takes as long, on any machine */
#define SETTLING_TIME 20   /* s */
#define MAX_GROWTH 48      /* MiB: what the C library's allocator may keep in pieces */
/* A busy machine has often nobody to kill, and keeps the main loop waiting. A fifth of the kills is
 * enough; and it is compared with a thread that only sleeps. */
#define KILLS_PART 5
#define MAX_GAP 2 /* s */
#define GAP_FACTOR 10

typedef struct
{
  GRand *rand; /* (owned) */
  SoakDriver *drivers[N_DRIVERS];
  gint64 start;
  gint64 next_report;
  double worst_gap; /* of the main loop, in s */
  guint asked;      /* kills: as often as there was a turn for one */
  gint64 last_turn;
} Soak;

/* --- Watching --- */

static int patience_factor = 1;
static int watching; /* atomic */

/* Of this thread, which does next to nothing, in s: between two of its turns. */
static double worst_gap_of_watcher;

static gpointer
watch (gpointer data)
{
  gint64 last_turn = g_get_monotonic_time ();

  while (g_atomic_int_get (&watching))
    {
      gint64 now = g_get_monotonic_time ();

      worst_gap_of_watcher = MAX (worst_gap_of_watcher,
                                  (double) (now - last_turn) / G_TIME_SPAN_SECOND);
      last_turn = now;
      if (soak_get_oldest () > PATIENCE * patience_factor * G_TIME_SPAN_SECOND)
        {
          fprintf (stderr, "WRONG: what was begun %d s ago has not ended\n",
                   PATIENCE * patience_factor);
          soak_print_open ();
          fprintf (stderr, "Never completed: %u\n", soak_count_open ());
          if (g_getenv ("SOAK_STAY") == NULL)
            soak_kill_children ();
          else
            pause ();
          _exit (EXIT_FAILURE);
        }
      g_usleep (100 * 1000);
    }

  return NULL;
}

/* --- Rounds --- */

static void
print_progress (Soak *self, gint64 now)
{
  SoakSurroundings here;

  soak_surroundings_read (&here);
  printf ("%5.0f s: %" G_GUINT64_FORMAT " tasks, %u kills, %u open, %.1f MiB resident\n",
          (double) (now - self->start) / G_TIME_SPAN_SECOND, soak_get_n_tasks (),
          soak_get_n_kills (), soak_count_open (), here.resident);
  fflush (stdout);
}

static gboolean
kill_cb (gpointer data)
{
  Soak *self = data;
  gint64 now = g_get_monotonic_time ();

  self->asked++;
  soak_kill_one (self->rand);
  self->worst_gap = MAX (self->worst_gap, (double) (now - self->last_turn) / G_TIME_SPAN_SECOND);
  self->last_turn = now;
  if (now >= self->next_report)
    {
      print_progress (self, now);
      self->next_report = now + REPORT_INTERVAL * G_TIME_SPAN_SECOND;
    }

  return G_SOURCE_CONTINUE;
}

static gboolean
stir_cb (gpointer data)
{
  Soak *self = data;

  soak_stock_stir (self->rand);
  return G_SOURCE_CONTINUE;
}

static gboolean
tick_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* None at a priority at which it could keep others from being dispatched. */
static guint
add_timer (guint interval, GSourceFunc callback, gpointer data)
{
  return g_timeout_add_full (G_PRIORITY_DEFAULT_IDLE, interval, callback, data, NULL);
}

/* Until nothing is open. No more workers are killed then, and those that were stopped go on. */
static void
finish_round (Soak *self)
{
  guint ticker = add_timer (10, tick_cb, NULL);

  soak_killer_finish ();
  soak_stock_calm ();
  for (guint i = 0; i < N_DRIVERS; i++)
    soak_driver_stop (self->drivers[i]);
  for (guint i = 0; i < N_DRIVERS; i++)
    while (soak_driver_has_work (self->drivers[i]))
      g_main_context_iteration (NULL, TRUE);

  soak_stock_close (self->rand);
  while (soak_count_open () > 0)
    g_main_context_iteration (NULL, TRUE);
  soak_hands_close ();
  for (guint i = 0; i < N_DRIVERS; i++)
    g_clear_pointer (&self->drivers[i], soak_driver_free);
  g_source_remove (ticker);
}

static void
run_round (Soak *self, const char *worker, double seconds)
{
  gint64 end = g_get_monotonic_time () + (gint64) (seconds * G_TIME_SPAN_SECOND);
  guint killing, stirring;

  soak_hands_open ();
  soak_stock_open (worker, self->rand);
  for (guint i = 0; i < N_DRIVERS; i++)
    {
      self->drivers[i] = soak_driver_new (g_rand_int (self->rand),
                                          i == 0 ? g_main_context_default () : NULL);
      soak_driver_start (self->drivers[i]);
    }

  self->last_turn = g_get_monotonic_time ();
  killing = add_timer (1000 / KILLS_PER_SECOND, kill_cb, self);
  stirring = add_timer (STIR_INTERVAL, stir_cb, self);
  while (g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (killing);
  g_source_remove (stirring);
  finish_round (self);
}

/* What is on its way out gets the time for that. @expected: (nullable) */
static void
settle (const SoakSurroundings *expected, SoakSurroundings *now)
{
  gint64 end = g_get_monotonic_time () + SETTLING_TIME * patience_factor * G_TIME_SPAN_SECOND;
  guint ticker = add_timer (10, tick_cb, NULL);

  do
    {
      for (guint i = 0; i < 20; i++)
        g_main_context_iteration (NULL, TRUE);
      soak_surroundings_read (now);
    }
  while (g_get_monotonic_time () < end
         && (now->n_children > 0 || (expected == NULL && now->n_threads > 2)
             || (expected != NULL
                 && (now->n_descriptors != expected->n_descriptors
                     || now->n_threads != expected->n_threads
                     || now->n_mappings != expected->n_mappings))));
  g_source_remove (ticker);
}

/* --- The report --- */

static void
print_surroundings (const char *when, const SoakSurroundings *self)
{
  printf ("%s: %u descriptors, %u threads, %u children, %u shared mappings, %.1f MiB resident\n",
          when, self->n_descriptors, self->n_threads, self->n_children, self->n_mappings,
          self->resident);
}

static void
check_surroundings (const SoakSurroundings *start, const SoakSurroundings *end)
{
  if (end->n_descriptors != start->n_descriptors)
    soak_violation ("There are other descriptors than in the beginning");
  if (end->n_threads != start->n_threads)
    soak_violation ("There are other threads than in the beginning");
  if (end->n_mappings != start->n_mappings)
    soak_violation ("There are other shared mappings than in the beginning");
  if (start->n_children + end->n_children > 0)
    soak_violation ("There are children left");
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
  if (end->resident > start->resident + MAX_GROWTH)
    soak_violation ("More memory is used than in the beginning");
#endif
}

/* That this was the test that it is meant to be, and that the main loop turned meanwhile. */
static void
check_load (Soak *self)
{
  if (self->asked == 0 || soak_get_n_kills () * KILLS_PART < self->asked)
    soak_violation ("There were no more than %u kills, and %u were asked for",
                    soak_get_n_kills (), self->asked);
  if (self->worst_gap > MAX_GAP * patience_factor + GAP_FACTOR * worst_gap_of_watcher)
    soak_violation ("The main loop did not turn for %.3f s, and a thread that only sleeps %.3f s",
                    self->worst_gap, worst_gap_of_watcher);
}

static int
report (Soak *self, const SoakSurroundings *start, const SoakSurroundings *end)
{
  printf ("\nTasks: %" G_GUINT64_FORMAT "\n", soak_get_n_tasks ());
  for (guint i = 0; i < SOAK_N_ENDS; i++)
    printf ("  %-22s %" G_GUINT64_FORMAT "\n", soak_describe_end ((SoakEnd) (1 << i)),
            soak_get_n_of ((SoakEnd) (1 << i)));
  printf ("Kills: %u, of %u\n", soak_get_n_kills (), self->asked);
  printf ("Longest time without a turn of the main loop: %.3f s, of a thread that sleeps: %.3f s\n",
          self->worst_gap, worst_gap_of_watcher);
  print_surroundings ("Start", start);
  print_surroundings ("End", end);
  check_surroundings (start, end);
  check_load (self);
  printf ("Completed twice: %u\n", soak_get_n_twice ());
  printf ("Never completed: %u\n", soak_count_open ());
  printf ("Anything wrong: %u\n", soak_get_n_violations ());

  return soak_get_n_violations () == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- The program --- */

static double minutes = 1;
static gint64 seed = -1;
static char *worker = NULL;

static const GOptionEntry entries[] = {
  { "minutes", 0, 0, G_OPTION_ARG_DOUBLE, &minutes, "How long it takes (1)", "N" },
  { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "Begins the same things again", "N" },
  { "worker", 0, 0, G_OPTION_ARG_FILENAME, &worker, "The misbehaving worker", "PROGRAM" },
  G_OPTION_ENTRY_NULL,
};

static void
parse_arguments (int *argc, char ***argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context, "Everything at once, while workers are killed.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, &error) || worker == NULL || minutes <= 0)
    {
      fprintf (stderr, "%s\n", error != NULL ? error->message : "--worker is missing");
      exit (2);
    }

  if (seed < 0)
    seed = (gint64) (g_get_real_time () % G_MAXUINT32);
  if (g_getenv ("DRAY_TEST_TIME_FACTOR") != NULL)
    patience_factor = MAX (atoi (g_getenv ("DRAY_TEST_TIME_FACTOR")), 1);
}

int
main (int argc, char **argv)
{
  Soak self = { 0 };
  SoakSurroundings start, end;
  GThread *watcher;
  int status;

  parse_arguments (&argc, &argv);
  printf ("Seed: %" G_GINT64_FORMAT "\n", seed);
  fflush (stdout);

  self.rand = g_rand_new_with_seed ((guint32) seed);
  self.start = g_get_monotonic_time ();
  g_atomic_int_set (&watching, TRUE);
  watcher = g_thread_new ("soak-watch", watch, NULL);

  run_round (&self, worker, MIN (minutes * 60 / 6, 15));
  settle (NULL, &start);
  print_surroundings ("Start", &start);
  run_round (&self, worker, minutes * 60);
  settle (&start, &end);
  g_atomic_int_set (&watching, FALSE);
  g_thread_join (watcher);
  status = report (&self, &start, &end);

  g_rand_free (self.rand);
  g_free (worker);
  return status;
}
