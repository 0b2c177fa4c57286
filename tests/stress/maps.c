/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

/*
 * Maps: over values that are made when they are asked for, in the context and thread of whoever
 * began the map, over the items of a list that changes in that thread, or over values that are
 * there; read in all ways, by all actors at once.
 */

#define MAX_CALLS 2000

typedef struct
{
  GThread *thread; /* where the values are made */
  guint next;
  guint n;           /* not of a list */
  GListStore *items; /* (owned) (nullable) */
  StressCallback *freed;
} Source;

typedef struct
{
  StressFate *fate;      /* (owned): of its calls */
  GMainContext *context; /* (owned) (nullable): the map's own; NULL if that is let go of */
  GThread *thread;       /* (nullable): where it has to be waited for; NULL: anywhere */
  GListStore *items;     /* (owned) (nullable): changes in that thread */
  int n_readers;         /* atomic: of for_each_async() */
  GMutex lock;
  guint8 seen[MAX_CALLS]; /* protected by the lock */
} Mapped;

#define MAPPED_KEY "stress-mapped"
#define N_ADDED_KEY "stress-n-added" /* how many items a list has ever had */

static void
mapped_free (gpointer data)
{
  Mapped *self = data;

  stress_fate_unref (self->fate);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_object (&self->items);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* --- Values --- */

/* Few of them end their worker. */
static GVariant *
new_value (StressActor *actor, guint number)
{
  const char *what = stress_chance (actor, 2) ? "exit" : "";

  if (stress_chance (actor, 3))
    what = "exit-at-first";
  return g_variant_new ("(xss)", (gint64) number, what, "");
}

static void
look_around (Source *self, StressActor *actor)
{
  if (self->thread != g_thread_self ())
    soak_violation ("A map's value is asked for in another thread");
  if (stress_chance (actor, 3))
    stress_reenter (actor);
}

static GVariant *
generate_cb (gpointer data)
{
  Source *self = data;
  StressActor *actor = stress_actor_get ();

  look_around (self, actor);
  return self->next < self->n ? new_value (actor, self->next++) : NULL;
}

static void
add_item (GListStore *items, guint place)
{
  g_autoptr (GObject) item = g_object_new (G_TYPE_OBJECT, NULL);
  guint n_added = GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (items), N_ADDED_KEY));

  if (n_added == MAX_CALLS)
    return;

  g_object_set_data (G_OBJECT (items), N_ADDED_KEY, GUINT_TO_POINTER (n_added + 1));
  g_list_store_insert (items, place, item);
}

/* Before what was taken, or behind that. */
static void
change_items (StressActor *actor, GListStore *items)
{
  guint n_items = g_list_model_get_n_items (G_LIST_MODEL (items));

  if (n_items > 0 && stress_chance (actor, 40))
    g_list_store_remove (items, stress_random (actor, n_items));
  else
    add_item (items, stress_random (actor, n_items + 1));
}

static GVariant *
item_cb (gpointer item, gpointer data)
{
  Source *self = data;
  StressActor *actor = stress_actor_get ();

  look_around (self, actor);
  if (stress_chance (actor, 20))
    change_items (actor, self->items);
  return new_value (actor, self->next++);
}

static void
free_source (gpointer data)
{
  Source *self = data;

  stress_callback_enter (self->freed);
  g_clear_object (&self->items);
  g_free (self);
}

static Source *
source_new (StressActor *actor)
{
  Source *self = g_new0 (Source, 1);

  self->thread = g_thread_self ();
  self->freed = stress_callback_new_anywhere (actor, "the end of a map's values", NULL);
  return self;
}

/* (transfer full) */
static DrayMap *
map_generated (StressActor *actor, StressExecutor *executor)
{
  Source *source = source_new (actor);

  source->n = stress_random (actor, stress_chance (actor, 20) ? MAX_CALLS : 60);
  return dray_executor_map (executor->executor, "step", generate_cb, source, free_source);
}

/* (transfer full) */
static DrayMap *
map_items (StressActor *actor, StressExecutor *executor, GListStore *items)
{
  Source *source = source_new (actor);

  source->items = g_object_ref (items);
  for (guint i = stress_random (actor, 60); i > 0; i--)
    add_item (items, 0);
  return dray_executor_map_model (executor->executor, "step", G_LIST_MODEL (items), item_cb, source,
                                  free_source);
}

/* (transfer full) */
static DrayMap *
map_values (StressActor *actor, StressExecutor *executor)
{
  GVariant *values[60];
  guint n = stress_random (actor, G_N_ELEMENTS (values));

  for (guint i = 0; i < n; i++)
    values[i] = new_value (actor, i);
  return dray_executor_map_values (executor->executor, "step", values, n);
}

static void
set_options (DrayMap *map, StressActor *actor)
{
  DrayTask *task = dray_map_get_task (map);

  dray_map_set_ordered (map, stress_chance (actor, 70));
  if (stress_chance (actor, 30))
    dray_map_set_max_in_flight (map, 1 + stress_random (actor, 20));
  if (stress_chance (actor, 20))
    dray_task_set_max_retries (task, stress_random (actor, 3));
  if (stress_chance (actor, 20))
    dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  if (stress_chance (actor, 20))
    dray_task_set_priority (task, (int) stress_random (actor, 3));
  if (stress_chance (actor, 10))
    dray_task_set_time_limit (task, 1 + stress_random (actor, 20));
}

/* (transfer full) (nullable) */
static DrayMap *
begin (StressActor *actor)
{
  StressExecutor *executor = stress_executor_pick (actor);
  gboolean made = stress_chance (actor, 65);
  Mapped *mapped;
  DrayMap *map;

  if (executor == NULL)
    return NULL;

  mapped = g_new0 (Mapped, 1);
  if (made && stress_chance (actor, 40))
    mapped->items = g_list_store_new (G_TYPE_OBJECT);
  if (mapped->items != NULL)
    map = map_items (actor, executor, mapped->items);
  else
    map = made ? map_generated (actor, executor) : map_values (actor, executor);
  mapped->fate = stress_fate_new ("a map", executor->risks,
                                  SOAK_SUCCEEDED | SOAK_DIED | SOAK_TIMED_OUT | SOAK_CANCELLED);
  mapped->fate->lost = actor->lost;
  mapped->context = actor->lost ? NULL : g_main_context_ref_thread_default ();
  mapped->thread = made ? g_thread_self () : NULL;
  g_mutex_init (&mapped->lock);
  g_object_set_data_full (G_OBJECT (map), MAPPED_KEY, mapped, mapped_free);
  set_options (map, actor);
  stress_executor_unref (executor);

  if (stress_chance (actor, 85))
    stress_put (actor, STRESS_MAPS, g_object_ref (map));
  return map;
}

/* --- Outcomes --- */

static void
see_outcome (DrayMap *map, DrayOutcome *outcome)
{
  Mapped *mapped = g_object_get_data (G_OBJECT (map), MAPPED_KEY);
  guint64 index = dray_outcome_get_index (outcome);
  const GError *error = dray_outcome_get_error (outcome);
  gboolean again;

  stress_fate_judge_end (mapped->fate, dray_outcome_get_value (outcome), error);
  if (error == NULL && g_variant_get_int64 (dray_outcome_get_value (outcome)) != (gint64) index + 1)
    soak_violation ("A call of a map has another one's result");

  g_mutex_lock (&mapped->lock);
  again = index >= MAX_CALLS || mapped->seen[index]++ > 0;
  g_mutex_unlock (&mapped->lock);
  if (again)
    soak_violation ("A map's outcome comes twice, or is not one of them");
}

static void
see_outcomes (DrayMap *map, GPtrArray *outcomes)
{
  for (guint i = 0; i < outcomes->len; i++)
    see_outcome (map, outcomes->pdata[i]);
}

/* In the context that has asked, or in the map's own. */
static void
outcome_cb (DrayMap *map, DrayOutcome *outcome, gpointer asked)
{
  Mapped *mapped = g_object_get_data (G_OBJECT (map), MAPPED_KEY);

  if (!g_main_context_is_owner (asked) && mapped->context != NULL
      && !g_main_context_is_owner (mapped->context))
    soak_violation ("A map's outcome comes in another context");
  see_outcome (map, outcome);
  if (stress_chance (stress_actor_get (), 5))
    stress_reenter (stress_actor_get ());
}

static void
over_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  guint64 n_outcomes = 0;
  g_autoptr (GError) error = NULL;
  gboolean well;

  stress_callback_enter (callback);
  well = dray_map_for_each_finish (DRAY_MAP (source), result, &n_outcomes, &error);
  if (well == (error != NULL))
    soak_violation ("A map has both ended well and an error, or neither");
  stress_reenter (stress_actor_get ());
}

static void
next_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  g_autoptr (DrayOutcome) outcome = NULL;

  stress_callback_enter (callback);
  outcome = dray_map_next_finish (DRAY_MAP (source), result, NULL);
  if (outcome != NULL)
    see_outcome (DRAY_MAP (source), outcome);
  stress_reenter (stress_actor_get ());
}

static void
next_many_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  g_autoptr (GPtrArray) outcomes = NULL;

  stress_callback_enter (callback);
  outcomes = dray_map_next_many_finish (DRAY_MAP (source), result, NULL);
  if (outcomes != NULL)
    see_outcomes (DRAY_MAP (source), outcomes);
  stress_reenter (stress_actor_get ());
}

/* --- Reading --- */

/* Not for ever, where the values are made in another thread: that may be waiting itself. */
static void
wait_for_outcomes (StressActor *actor, DrayMap *map, GCancellable *cancellable)
{
  Mapped *mapped = g_object_get_data (G_OBJECT (map), MAPPED_KEY);
  gpointer promise = soak_promise_new (NULL, "a wait for outcomes", NULL, NULL);
  gint64 timeout = stress_random_timeout (actor);

  if (timeout < 0 && mapped->thread != NULL && mapped->thread != g_thread_self ())
    timeout = 3000;
  if (stress_chance (actor, 50))
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, timeout, cancellable, NULL);

      if (outcome != NULL)
        see_outcome (map, outcome);
    }
  else
    {
      g_autoptr (GPtrArray) outcomes = dray_map_wait_next_many (map, stress_random (actor, 4) * 10,
                                                                timeout, cancellable, NULL);

      if (outcomes != NULL)
        see_outcomes (map, outcomes);
    }
  soak_promise_keep_only (promise);
}

static void
ask_for_outcomes (StressActor *actor, DrayMap *map, GCancellable *cancellable)
{
  Mapped *mapped = g_object_get_data (G_OBJECT (map), MAPPED_KEY);
  StressCallback *callback = stress_callback_new (actor, "a map's outcome", mapped->fate);

  if (stress_chance (actor, 50))
    dray_map_next_async (map, cancellable, next_cb, callback);
  else
    dray_map_next_many_async (map, stress_random (actor, 4) * 10, cancellable, next_many_cb,
                              callback);
}

/* Once for each map. */
static void
ask_for_each (StressActor *actor, DrayMap *map, GCancellable *cancellable)
{
  Mapped *mapped = g_object_get_data (G_OBJECT (map), MAPPED_KEY);

  if (g_atomic_int_add (&mapped->n_readers, 1) == 0)
    dray_map_for_each_async (map, outcome_cb, g_main_context_ref_thread_default (),
                             (GDestroyNotify) g_main_context_unref, cancellable, over_cb,
                             stress_callback_new (actor, "a map's end", mapped->fate));
}

static void
read_somehow (StressActor *actor, DrayMap *map)
{
  g_autoptr (GCancellable) cancellable = stress_pick_cancellable (actor, 10);

  switch (stress_random (actor, 6))
    {
    case 0:
    case 1:
      wait_for_outcomes (actor, map, cancellable);
      break;
    case 2:
    case 3:
      if (stress_may_ask (actor))
        ask_for_outcomes (actor, map, cancellable);
      break;
    case 4:
      if (stress_may_ask (actor))
        ask_for_each (actor, map, cancellable);
      break;
    default:
      if (stress_chance (actor, 30))
        dray_map_cancel (map);
    }
}

static void
change_list_of (StressActor *actor, DrayMap *map)
{
  Mapped *mapped = g_object_get_data (G_OBJECT (map), MAPPED_KEY);

  if (mapped->items == NULL || mapped->thread != g_thread_self ())
    return;

  for (guint i = stress_random (actor, 10); i > 0; i--)
    change_items (actor, mapped->items);
}

void
stress_do_map (StressActor *actor)
{
  g_autoptr (DrayMap) map = NULL;

  if (!stress_chance (actor, 35))
    map = stress_pick (actor, STRESS_MAPS);
  if (map == NULL)
    map = begin (actor);
  if (map == NULL)
    return;

  for (guint i = 1 + stress_random (actor, 4); i > 0; i--)
    {
      change_list_of (actor, map);
      read_somehow (actor, map);
    }
}

void
stress_do_drop_map (StressActor *actor)
{
  g_autoptr (DrayMap) map G_GNUC_UNUSED = stress_take (actor, STRESS_MAPS);
}
