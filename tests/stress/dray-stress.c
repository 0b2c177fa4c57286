/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * The stress test: random calls of all of the public interface, from three threads, each of which
 * has a main context of its own, on whatever there is, in any order and from within any callback.
 * Some of the contexts are gone before what was asked for in there has come. In every second round
 * children are killed or stopped from outside; the application forks now and then.
 *
 * The soak test does things as an application would, for as long as one likes. This one does what
 * no application should, and what only a few do by mistake, all of which the interface allows.
 *
 * What is checked: each future ends, once, as it may; each callback that was asked for comes, once,
 * in its context; no wait lasts for ever; no item is lost, comes twice, or in another order; and in
 * the end of a round the process has the descriptors, threads and children that it had before.
 *
 * A round is short, and is told by its seed, which decides what is begun as far as that does not
 * depend on what came of something else.
 */

#define PATIENCE 120       /* s: no round takes as long, on any machine */
#define SETTLING_TIME 20   /* s */
#define RESUME_INTERVAL 50 /* ms */

static gint64 first_seed = -1;
static int n_rounds = 20;
static int n_steps = 120;
static char *worker = NULL;

static int patience_factor = 1;

/* atomic */
static int watching;
static int round_number;

/* --- Watching --- */

/* With $STRESS_STAY, all is left as it is, for a debugger. */
static void
stay_if_asked (void)
{
  while (g_getenv ("STRESS_STAY") != NULL)
    pause ();
}

static G_NORETURN void
give_up (void)
{
  fprintf (stderr, "WRONG: what was begun in the round of seed %" G_GINT64_FORMAT " does not end\n",
           first_seed + g_atomic_int_get (&round_number) - 1);
  soak_print_open ();
  stress_callbacks_print_open ();
  stay_if_asked ();
  soak_kill_children ();
  _exit (EXIT_FAILURE);
}

/* A thread of its own, which also lets go on what nobody else might: all of them may be waiting. */
static gpointer
watch (gpointer data)
{
  gint64 limit = PATIENCE * patience_factor * G_TIME_SPAN_SECOND;
  gint64 begun = g_get_monotonic_time ();
  int current = 0;

  while (g_atomic_int_get (&watching))
    {
      int number = g_atomic_int_get (&round_number);

      if (number != current)
        begun = g_get_monotonic_time ();
      current = number;
      if (g_get_monotonic_time () - begun > limit)
        give_up ();

      stress_executors_resume ();
      stress_faults_release ();
      g_usleep (RESUME_INTERVAL * 1000);
    }

  return NULL;
}

/* --- Rounds --- */

static gboolean
is_settled (const SoakSurroundings *before, const SoakSurroundings *now)
{
  return now->n_children == 0 && now->n_descriptors <= before->n_descriptors
         && now->n_threads <= before->n_threads;
}

/* What is on its way out gets the time for that. */
static void
settle (const SoakSurroundings *before)
{
  gint64 end = g_get_monotonic_time () + SETTLING_TIME * patience_factor * G_TIME_SPAN_SECOND;
  SoakSurroundings now;

  do
    {
      while (g_main_context_iteration (NULL, FALSE))
        ;
      g_usleep (1000);
      soak_surroundings_read (&now);
    }
  while ((!is_settled (before, &now) || stress_count_futures () > 0)
         && g_get_monotonic_time () < end);

  if (stress_count_futures () > 0)
    {
      soak_violation ("Left: futures");
      stress_print_futures ();
    }
  if (is_settled (before, &now))
    return;

  soak_violation ("Left: %u descriptors (%u before), %u threads (%u before), %u children",
                  now.n_descriptors, before->n_descriptors, now.n_threads, before->n_threads,
                  now.n_children);
  soak_print_children ();
  stay_if_asked ();
}

static void
run_round (guint32 seed)
{
  gboolean deadly = seed % 2 == 0;

  g_atomic_int_inc (&round_number);
  stress_faults_open (deadly);
  stress_world_open ();
  stress_executors_open (worker, deadly);
  stress_actors_run (seed, (guint) n_steps);
  stress_world_close ();
  stress_faults_close ();
  stress_callbacks_forget_contexts ();
}

/* GLib starts a thread when it first waits for a child of its own, and keeps it. */
static void
start_thread_of_glib (void)
{
  g_autoptr (GSubprocess) process = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, NULL, "true", NULL);

  g_subprocess_wait (process, NULL, NULL);
}

/* What else is made once, such as types and the library's own descriptors, a first round makes. */
static void
run_rounds (void)
{
  SoakSurroundings before = { .n_descriptors = G_MAXUINT, .n_threads = G_MAXUINT };

  start_thread_of_glib ();
  for (int i = 0; i < n_rounds; i++)
    {
      guint32 seed = (guint32) (first_seed + i);
      guint n_violations = soak_get_n_violations ();

      run_round (seed);
      settle (&before);
      if (i == 0)
        soak_surroundings_read (&before);
      stress_executors_free ();
      if (soak_get_n_violations () > n_violations)
        fprintf (stderr, "That was in the round of seed %u\n", seed);
    }
}

/* --- The program --- */

static const GOptionEntry entries[] = {
  { "seed", 0, 0, G_OPTION_ARG_INT64, &first_seed, "The seed of the first round", "N" },
  { "rounds", 0, 0, G_OPTION_ARG_INT, &n_rounds, "How many rounds (20)", "N" },
  { "steps", 0, 0, G_OPTION_ARG_INT, &n_steps, "Steps of each thread in a round (120)", "N" },
  { "worker", 0, 0, G_OPTION_ARG_FILENAME, &worker, "The misbehaving worker", "PROGRAM" },
  G_OPTION_ENTRY_NULL,
};

static void
parse_arguments (int *argc, char ***argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context, "Random calls of everything, from several threads.");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, &error) || worker == NULL || n_rounds <= 0
      || n_steps <= 0)
    {
      fprintf (stderr, "%s\n",
               error != NULL ? error->message : "--worker is missing, or a number is");
      exit (2);
    }

  if (first_seed < 0)
    first_seed = g_get_real_time () % G_MAXUINT32;
  if (g_getenv ("DRAY_TEST_TIME_FACTOR") != NULL)
    patience_factor = MAX (atoi (g_getenv ("DRAY_TEST_TIME_FACTOR")), 1);
}

int
main (int argc, char **argv)
{
  GThread *watcher;

  parse_arguments (&argc, &argv);
  printf ("Seeds: %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT "\n", first_seed,
          first_seed + n_rounds - 1);
  fflush (stdout);

  g_atomic_int_set (&watching, TRUE);
  watcher = g_thread_new ("stress-watch", watch, NULL);
  run_rounds ();
  g_atomic_int_set (&watching, FALSE);
  g_thread_join (watcher);
  stress_callbacks_free ();

  printf ("Kept twice: %u\n", soak_get_n_twice ());
  printf ("Anything wrong: %u\n", soak_get_n_violations ());
  g_free (worker);
  return soak_get_n_violations () == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
