/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

#include <stdio.h>

/*
 * The fate of a future: what may come of it, and what was seen of it so far.
 *
 * How it may end is a set. What its task does by itself is in there from the beginning; who is
 * about to do something to it, or to a whole executor, adds to the set before. So whatever the
 * order is in which things happen on all the threads, an end that is not in the set when it is seen
 * is wrong.
 */

StressRisks *
stress_risks_new (void)
{
  StressRisks *self = g_new0 (StressRisks, 1);

  g_atomic_ref_count_init (&self->ref_count);
  return self;
}

StressRisks *
stress_risks_ref (StressRisks *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
stress_risks_unref (StressRisks *self)
{
  if (g_atomic_ref_count_dec (&self->ref_count))
    g_free (self);
}

void
stress_risks_add (StressRisks *self, guint ends)
{
  g_atomic_int_or ((guint *) &self->ends, ends);
}

/* --- Fates --- */

StressFate *
stress_fate_new (const char *what, StressRisks *risks, guint ends)
{
  StressFate *self = g_new0 (StressFate, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->what = g_strdup (what);
  self->risks = risks != NULL ? stress_risks_ref (risks) : NULL;
  self->ends = (int) ends;
  return self;
}

StressFate *
stress_fate_ref (StressFate *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/* Nobody pulls from it any more: what was told to be all of it must have been. */
static void
check_pulled (StressFate *self)
{
  if (self->pulled && self->numbered && !self->shared && !self->discarded && self->ended_well
      && self->n_seen != self->n_items)
    soak_violation ("“%s”: %u items of %u, and then the end", self->what, self->n_seen,
                    self->n_items);
}

void
stress_fate_unref (StressFate *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  check_pulled (self);
  g_clear_pointer (&self->risks, stress_risks_unref);
  g_clear_pointer (&self->parts, g_ptr_array_unref);
  g_clear_pointer (&self->expected, g_variant_unref);
  g_mutex_clear (&self->lock);
  g_free (self->seen);
  g_free (self->what);
  g_free (self);
}

void
stress_fate_add_part (StressFate *self, StressFate *part)
{
  if (self->parts == NULL)
    self->parts = g_ptr_array_new_with_free_func ((GDestroyNotify) stress_fate_unref);
  g_ptr_array_add (self->parts, stress_fate_ref (part));
  self->depth = MAX (self->depth, part->depth + 1);
}

void
stress_fate_add (StressFate *self, guint ends)
{
  g_atomic_int_or ((guint *) &self->ends, ends);
}

void
stress_fate_expect_cancel (StressFate *self)
{
  stress_fate_add (self, SOAK_CANCELLED);
  for (guint i = 0; self->parts != NULL && i < self->parts->len; i++)
    stress_fate_expect_cancel (self->parts->pdata[i]);
}

guint
stress_fate_get_ends (StressFate *self)
{
  guint ends = (guint) g_atomic_int_get (&self->ends);

  if (self->risks != NULL)
    ends |= (guint) g_atomic_int_get (&self->risks->ends);
  for (guint i = 0; self->parts != NULL && i < self->parts->len; i++)
    ends |= stress_fate_get_ends (self->parts->pdata[i]);
  return ends;
}

/* --- Of futures --- */

#define FATE_KEY "stress-fate"

static GMutex lock;
static GHashTable
  *followed; /* (owned) (nullable): of StressFate, by future; protected by the lock */

static void
future_gone_cb (gpointer data, GObject *future)
{
  g_mutex_lock (&lock);
  g_hash_table_remove (followed, future);
  g_mutex_unlock (&lock);
}

void
stress_fate_set (StressFate *self, DrayFuture *future)
{
  g_mutex_lock (&lock);
  if (followed == NULL)
    followed = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) stress_fate_unref);
  g_hash_table_insert (followed, future, stress_fate_ref (self));
  g_mutex_unlock (&lock);

  g_object_weak_ref (G_OBJECT (future), future_gone_cb, NULL);
  g_object_set_data_full (G_OBJECT (future), FATE_KEY, self, (GDestroyNotify) stress_fate_unref);
}

guint
stress_count_futures (void)
{
  guint n;

  g_mutex_lock (&lock);
  n = followed != NULL ? g_hash_table_size (followed) : 0;
  g_mutex_unlock (&lock);

  return n;
}

void
stress_print_futures (void)
{
  GHashTableIter iter;
  gpointer future;
  StressFate *self;

  g_mutex_lock (&lock);
  g_hash_table_iter_init (&iter, followed);
  while (g_hash_table_iter_next (&iter, &future, (gpointer *) &self))
    fprintf (stderr, "  %p: a future of “%s”%s%s, in the state %d\n", future, self->what,
             self->lost ? ", whose context is lost" : "", self->pulled ? ", pulled" : "",
             dray_future_get_state (future));
  g_mutex_unlock (&lock);
}

StressFate *
stress_fate_get (gpointer future)
{
  return g_object_get_data (future, FATE_KEY);
}

/* --- Judging --- */

static void
say_result (StressFate *self, GVariant *result)
{
  g_autofree char *text = g_variant_print (result, TRUE);
  g_autofree char *expected = g_variant_print (self->expected, TRUE);

  soak_violation ("“%s” has the result %.200s, not %.200s", self->what, text, expected);
}

void
stress_fate_judge_end (StressFate *self, GVariant *result, const GError *error)
{
  SoakEnd end = soak_classify (error);
  guint ends = stress_fate_get_ends (self);
  gboolean whole = !self->stops || (ends & SOAK_CANCELLED) == 0;

  if ((result != NULL) == (error != NULL))
    soak_violation ("“%s” has both a result and an error, or neither", self->what);
  else if ((ends & end) == 0)
    soak_violation ("“%s” %s: %s", self->what, soak_describe_end (end),
                    error != NULL ? error->message : "");
  else if (result != NULL && self->expected != NULL && whole
           && !g_variant_equal (result, self->expected))
    say_result (self, result);
}

/* The same one whenever it is looked at. */
static void
check_state (StressFate *self, DrayFutureState state)
{
  int before = DRAY_FUTURE_PENDING;

  if (!g_atomic_int_compare_and_exchange (&self->state, before, (int) state))
    before = g_atomic_int_get (&self->state);
  if (before != DRAY_FUTURE_PENDING && before != (int) state)
    soak_violation ("“%s” was in the state %d, and is in the state %d", self->what, before, state);
}

void
stress_judge (DrayFuture *future)
{
  StressFate *self = stress_fate_get (future);
  DrayFutureState state = dray_future_get_state (future);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  if (self == NULL)
    return;

  result = dray_future_dup_result (future, &error);
  stress_fate_judge_end (self, result, error);
  if (!dray_future_is_done (future) || (state == DRAY_FUTURE_SUCCEEDED) != (result != NULL)
      || (state == DRAY_FUTURE_CANCELLED)
           != g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    soak_violation ("“%s” is told to be over in the state %d", self->what, state);
  check_state (self, state);
}

void
stress_fate_see_item (StressFate *self, GVariant *item)
{
  guint number = self->numbered ? g_variant_get_uint32 (item) : 0;
  gboolean wrong = FALSE;

  if (!self->numbered)
    return;

  g_mutex_lock (&self->lock);
  if (self->seen == NULL)
    self->seen = g_new0 (guint8, MAX (self->n_items, 1));
  wrong = number >= self->n_items || self->seen[number]++ > 0;
  if (!wrong)
    self->n_seen++;
  g_mutex_unlock (&self->lock);

  if (wrong)
    soak_violation ("“%s”: item %u comes twice, or is not one of them", self->what, number);
}
