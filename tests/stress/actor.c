/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

/*
 * Actors: the main thread and two others, each with a main context of its own, which it iterates
 * now and then. They do one operation after the other, chosen at random, with whatever there is in
 * the world. In callbacks they do more of them, or iterate their context once more.
 *
 * When all have done their steps, the world is emptied and the executors are ended, by the main
 * thread; then all contexts are iterated until nothing is open any more.
 */

#define N_ACTORS 3
#define MAX_DEPTH 4

typedef struct
{
  StressOperation operation;
  guint weight; /* how often, among the others */
} Choice;

static void iterate (StressActor *self);
static void be_brief (StressActor *self);
static void handle_cancellables (StressActor *self);

static const Choice choices[] = {
  { stress_do_submit, 35 },  { stress_do_ask, 10 },      { stress_do_then, 4 },
  { stress_do_combine, 8 },  { stress_do_wait, 6 },      { stress_do_cancel, 5 },
  { stress_do_drop, 6 },     { stress_do_priority, 3 },  { stress_do_done, 6 },
  { stress_do_result, 3 },   { stress_do_look, 4 },      { stress_do_pull, 10 },
  { stress_do_map, 8 },      { stress_do_drop_map, 3 },  { stress_do_group, 6 },
  { stress_do_queue, 7 },    { stress_do_executor, 3 },  { stress_do_property, 5 },
  { stress_do_shutdown, 1 }, { stress_do_lists, 4 },     { stress_do_kill, 3 },
  { stress_do_fork, 1 },     { handle_cancellables, 3 }, { iterate, 14 },
  { be_brief, 2 },
};

static StressActor actors[N_ACTORS];
static GPrivate current;

/* atomic */
static int n_ready; /* actors that have done their steps */
static int over;

StressActor *
stress_actor_get (void)
{
  return g_private_get (&current);
}

/* --- Chance --- */

gboolean
stress_chance (StressActor *self, double percent)
{
  return g_rand_double (self->rand) * 100 < percent;
}

guint
stress_random (StressActor *self, guint n)
{
  return (guint) g_rand_int_range (self->rand, 0, (gint32) n);
}

gint64
stress_random_timeout (StressActor *self)
{
  if (stress_chance (self, 30))
    return 0;
  return stress_chance (self, 55) ? (gint64) stress_random (self, 20000) : -1;
}

/* --- Contexts that were left alone --- */

static GMutex lock;
static GPtrArray *left; /* (owned): of GMainContext; protected by the lock */

static void
leave (GMainContext *context)
{
  g_mutex_lock (&lock);
  g_ptr_array_add (left, g_main_context_ref (context));
  g_mutex_unlock (&lock);
}

/* When nobody leaves any more. */
static void
iterate_left (void)
{
  for (guint i = 0; i < left->len; i++)
    {
      g_main_context_push_thread_default (left->pdata[i]);
      while (g_main_context_iteration (left->pdata[i], FALSE))
        ;
      g_main_context_pop_thread_default (left->pdata[i]);
    }
}

/* --- Operations --- */

gboolean
stress_may_ask (StressActor *self)
{
  return !self->lost;
}

static void
do_something (StressActor *self)
{
  choices[SOAK_PICK (self->rand, choices, G_N_ELEMENTS (choices))].operation (self);
}

static void
iterate_a_little (StressActor *self, guint most)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  for (guint i = stress_random (self, most); i > 0; i--)
    g_main_context_iteration (context, FALSE);
}

static void
iterate (StressActor *self)
{
  self->depth++;
  if (self->depth < MAX_DEPTH)
    iterate_a_little (self, 10);
  self->depth--;
}

/* All that in a context that is soon left alone: it is let go of with whatever was to be called
 * back in there, or is iterated by the main thread much later. */
static void
be_brief (StressActor *self)
{
  g_autoptr (GMainContext) context = NULL;

  if (self->brief || self->depth > 2)
    return;

  context = g_main_context_new ();
  g_main_context_push_thread_default (context);
  self->brief = TRUE;
  self->lost = stress_chance (self, 50);
  self->depth++;
  for (guint i = 1 + stress_random (self, 8); i > 0; i--)
    {
      do_something (self);
      if (stress_chance (self, 20))
        g_main_context_iteration (context, FALSE);
    }
  self->depth--;
  if (!self->lost)
    leave (context);
  self->brief = self->lost = FALSE;
  g_main_context_pop_thread_default (context);
}

static void
handle_cancellables (StressActor *self)
{
  g_autoptr (GCancellable) cancellable = NULL;

  switch (stress_random (self, 3))
    {
    case 0:
      stress_put (self, STRESS_CANCELLABLES, g_cancellable_new ());
      break;
    case 1:
      cancellable = stress_pick (self, STRESS_CANCELLABLES);
      g_cancellable_cancel (cancellable);
      break;
    default:
      cancellable = stress_take (self, STRESS_CANCELLABLES);
    }
}

void
stress_reenter (StressActor *self)
{
  if (self->depth > MAX_DEPTH || self->n_steps == 0)
    return;

  self->depth++;
  if (stress_chance (self, 25))
    do_something (self);
  if (stress_chance (self, 8))
    iterate_a_little (self, 5);
  self->depth--;
}

/* --- Life --- */

/* The main thread, when nobody begins anything any more. */
static void
end_all (StressActor *self)
{
  stress_executors_close (self);
  stress_world_empty ();
}

/* Until nothing is open, which the main thread finds out. */
static void
wait_for_end (StressActor *self)
{
  gboolean ended = FALSE;

  while (!g_atomic_int_get (&over))
    {
      if (!g_main_context_iteration (self->context, FALSE))
        g_usleep (200);
      if (self->index > 0 || g_atomic_int_get (&n_ready) < N_ACTORS)
        continue;

      if (!ended)
        end_all (self);
      ended = TRUE;
      iterate_left ();
      if (soak_count_open () == 0)
        g_atomic_int_set (&over, TRUE);
    }

  while (g_main_context_iteration (self->context, FALSE))
    ;
  if (self->index == 0)
    iterate_left ();
}

static gpointer
act (gpointer data)
{
  StressActor *self = data;

  g_private_set (&current, self);
  if (self->index > 0)
    g_main_context_push_thread_default (self->context);

  for (; self->n_steps > 0; self->n_steps--)
    do_something (self);
  g_atomic_int_inc (&n_ready);
  wait_for_end (self);

  if (self->index > 0)
    g_main_context_pop_thread_default (self->context);
  return NULL;
}

void
stress_actors_run (guint32 seed, guint n_steps)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

  left = g_ptr_array_new_with_free_func ((GDestroyNotify) g_main_context_unref);
  g_atomic_int_set (&n_ready, 0);
  g_atomic_int_set (&over, FALSE);
  for (guint i = 0; i < N_ACTORS; i++)
    actors[i] = (StressActor){
      .index = i,
      .rand = g_rand_new_with_seed (g_rand_int (rand)),
      .context = i > 0 ? g_main_context_new () : g_main_context_ref (g_main_context_default ()),
      .n_steps = n_steps,
    };

  for (guint i = 1; i < N_ACTORS; i++)
    actors[i].thread = g_thread_new ("stress-actor", act, &actors[i]);
  act (&actors[0]);
  for (guint i = 1; i < N_ACTORS; i++)
    g_thread_join (actors[i].thread);

  for (guint i = 0; i < N_ACTORS; i++)
    {
      g_rand_free (actors[i].rand);
      g_main_context_unref (actors[i].context);
    }
  g_clear_pointer (&left, g_ptr_array_unref);
}
