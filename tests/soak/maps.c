/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

/* Maps: each call has one outcome, in order where that counts, and after all of them comes the
 * end. */

typedef struct
{
  SoakDriver *driver;
  SoakStock *stock; /* (owned) */
  DrayMap *map;     /* (owned) (nullable): where it is waited for */
  gpointer promise; /* of the thread's */

  guint n_calls;
  guint fails_each; /* which call fails by itself; 0: none */
  guint exits_at;   /* which call makes its worker exit */
  gboolean ordered;
  gboolean limited;
  int may_be_cancelled; /* atomic */
  int n_asked;          /* atomic: in the map's main context */

  guint8 *seen; /* (owned): of n_calls */
  guint n_outcomes;
} Mapping;

static void
mapping_free (gpointer data)
{
  Mapping *self = data;

  g_clear_object (&self->map);
  soak_stock_unref (self->stock);
  g_free (self->seen);
  g_free (self);
}

static GVariant *
generate_cb (gpointer data)
{
  Mapping *self = data;
  guint index = (guint) g_atomic_int_get (&self->n_asked);
  const char *what = "";

  if (index == self->n_calls)
    return NULL;

  g_atomic_int_inc (&self->n_asked);
  if (index == self->exits_at)
    what = "exit";
  else if (self->fails_each > 0 && index % self->fails_each == 0)
    what = "nothing";
  else if (index % 500 == 499)
    what = "large";
  return g_variant_new ("(xss)", (gint64) index, what, "");
}

static guint
get_ends (Mapping *self)
{
  guint ends = SOAK_SUCCEEDED | SOAK_DIED | SOAK_LAUNCH;

  if (g_atomic_int_get (&self->stock->retired))
    ends |= SOAK_SHUT_DOWN | SOAK_CANCELLED;
  if (g_atomic_int_get (&self->stock->emptied) || g_atomic_int_get (&self->may_be_cancelled))
    ends |= SOAK_CANCELLED;
  if (self->limited)
    ends |= SOAK_TIMED_OUT;
  return ends;
}

static gboolean
is_right (Mapping *self, guint64 index, GVariant *value)
{
  if (index == self->exits_at)
    return FALSE;
  if (self->fails_each > 0 && index % self->fails_each == 0)
    return g_variant_is_of_type (value, G_VARIANT_TYPE_UNIT);
  if (index % 500 == 499)
    return g_variant_is_of_type (value, G_VARIANT_TYPE_STRING)
           && g_variant_get_size (value) == 100001;
  return g_variant_is_of_type (value, G_VARIANT_TYPE_INT64)
         && g_variant_get_int64 (value) == (gint64) index + 1;
}

static void
take (Mapping *self, DrayOutcome *outcome)
{
  guint64 index = dray_outcome_get_index (outcome);
  GVariant *value = dray_outcome_get_value (outcome);
  const GError *error = dray_outcome_get_error (outcome);
  SoakEnd end = soak_classify (error);

  soak_count_end (end);
  if (index >= self->n_calls || self->seen[index]++ > 0)
    soak_violation ("The outcome %" G_GUINT64_FORMAT " of a map came twice", index);
  if (self->ordered && index != self->n_outcomes)
    soak_violation ("The outcome %" G_GUINT64_FORMAT " of a map came out of order", index);
  if ((get_ends (self) & end) == 0)
    soak_violation ("A call of a map (%s) %s: %s", self->stock->name, soak_describe_end (end),
                    error->message);
  if ((value != NULL) == (error != NULL) || (value != NULL && !is_right (self, index, value)))
    soak_violation ("The outcome %" G_GUINT64_FORMAT " of a map is wrong", index);
  self->n_outcomes++;
}

static void
judge (Mapping *self, const GError *error)
{
  guint n_asked = (guint) g_atomic_int_get (&self->n_asked);

  soak_count_tasks (n_asked);
  if (self->n_outcomes != n_asked)
    soak_violation ("A map of %u calls (%s) has %u outcomes; its end: %s", n_asked,
                    self->stock->name, self->n_outcomes, error != NULL ? error->message : "none");
  if (error == NULL && n_asked != self->n_calls)
    soak_violation ("A map is over after %u calls of %u", n_asked, self->n_calls);
  if ((get_ends (self) & soak_classify (error)) == 0)
    soak_violation ("A map (%s) has failed: %s", self->stock->name, error->message);
}

/* --- In the main context --- */

static void
outcome_cb (DrayMap *map, DrayOutcome *outcome, gpointer data)
{
  take (data, outcome);
}

static void
over_cb (GObject *source, GAsyncResult *result, gpointer promise)
{
  g_autoptr (GError) error = NULL;
  guint64 n_outcomes;
  gpointer data;
  Mapping *self;

  dray_map_for_each_finish (DRAY_MAP (source), result, &n_outcomes, &error);
  if (!soak_promise_keep (promise, &data))
    return;

  self = data;
  judge (self, error);
  if (n_outcomes != self->n_outcomes)
    soak_violation ("A map has counted %" G_GUINT64_FORMAT " outcomes of %u", n_outcomes,
                    self->n_outcomes);
  mapping_free (self);
}

static gboolean
cancel_cb (gpointer data)
{
  dray_map_cancel (data);
  return G_SOURCE_REMOVE;
}

static void
cancel (Mapping *self, DrayMap *map)
{
  g_autoptr (GSource) timer = g_timeout_source_new (
    (guint) g_rand_int_range (self->driver->rand, 0, 100));

  g_atomic_int_set (&self->may_be_cancelled, TRUE);
  g_source_set_callback (timer, cancel_cb, g_object_ref (map), g_object_unref);
  g_source_attach (timer, self->driver->context);
}

/* --- On another thread --- */

static void
wait_by_hand (gpointer data)
{
  Mapping *self = data;
  gpointer promise = self->promise;
  g_autoptr (GError) error = NULL;

  for (;;)
    {
      g_autoptr (GPtrArray) outcomes = dray_map_wait_next_many (self->map, 50, -1, NULL, &error);

      if (outcomes == NULL)
        break;
      for (guint i = 0; i < outcomes->len; i++)
        take (self, outcomes->pdata[i]);
    }

  judge (self, error);
  mapping_free (self);
  soak_promise_keep_only (promise);
}

static Mapping *
mapping_new (SoakDriver *driver, SoakStock *stock)
{
  Mapping *self = g_new0 (Mapping, 1);
  GRand *rand = driver->rand;

  self->driver = driver;
  self->stock = soak_stock_ref (stock);
  /* Where workers are replaced after some tasks, each call is sent by itself. */
  self->n_calls = (guint) g_rand_int_range (rand, 0,
                                            stock->tight             ? 60
                                            : soak_chance (rand, 20) ? 5000
                                                                     : 300);
  self->fails_each = soak_chance (rand, 50) ? 7 : 0;
  self->exits_at = soak_chance (rand, 10) ? (guint) g_rand_int_range (rand, 0, 100) : G_MAXUINT;
  self->ordered = soak_chance (rand, 50);
  self->limited = soak_chance (rand, 5);
  self->seen = g_malloc0 (self->n_calls + 1);

  return self;
}

/* The data is freed when nobody uses it any more, which the map does a little longer than we. */
static DrayMap *
make_map (Mapping *self)
{
  g_autoptr (DrayExecutor) executor = soak_stock_dup_executor (self->stock);
  DrayMap *map = dray_executor_map (executor, "step", generate_cb, self, NULL);

  dray_map_set_ordered (map, self->ordered);
  if (self->limited)
    dray_task_set_time_limit (dray_map_get_task (map), 50);
  if (soak_chance (self->driver->rand, 30))
    dray_task_set_max_retries (dray_map_get_task (map), 2);
  return map;
}

void
soak_do_map (SoakDriver *driver, SoakStock *stock)
{
  Mapping *self = mapping_new (driver, stock);
  g_autoptr (DrayMap) map = make_map (self);

  if (soak_chance (driver->rand, 15))
    cancel (self, map);
  if (soak_chance (driver->rand, 70))
    {
      dray_map_for_each_async (map, outcome_cb, self, NULL, NULL, over_cb,
                               soak_promise_new (driver, "a map", self, mapping_free));
      return;
    }

  self->map = g_steal_pointer (&map);
  self->promise = soak_promise_new (driver, "a map that is waited for", NULL, NULL);
  soak_hands_push (wait_by_hand, self);
}
