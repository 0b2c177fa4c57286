/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-combination.h"

#include "dray-delivery.h"
#include "dray-follow.h"
#include "dray-future-private.h"
#include "dray-pool.h"

typedef struct
{
  DrayDependent dependent; /* first */
  DrayCombination *whole;  /* (unowned): which has a reference of its own while this is attached */
  guint index;
} Part;

struct _DrayCombination
{
  gatomicrefcount ref_count;

  /* set at construction */
  DrayCombinationKind kind;
  DrayPool *pool; /* (owned) */
  int position;   /* DRAY_COMBINE_THEN only */
  guint n_parts;

  /* protected by the pool's lock */
  DrayTicket *ticket; /* (owned) (nullable): until it is done, or was queued */
  guint n_left;       /* parts that are not done */
  GVariant **results; /* (owned) (nullable): (owned) (nullable) of each part, as it shall be in the
                       * array of all */
  GError *error;      /* (owned) (nullable): the first, or, of DRAY_COMBINE_ANY, the last */
  gboolean cancelled; /* the part with that error was */

  Part parts[];
};

/* How the ticket ends: without either, with the results of all parts. */
typedef struct
{
  GVariant *result; /* (owned) (nullable) */
  GError *error;    /* (owned) (nullable) */
  gboolean cancelled;
  gboolean is_early; /* there are parts that are not done */
} Outcome;

/* --- Reference counting --- */

DrayCombination *
dray_combination_ref (DrayCombination *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
dray_combination_unref (DrayCombination *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->ticket == NULL);
  for (guint i = 0; i < self->n_parts; i++)
    {
      dray_ticket_unref (self->parts[i].dependent.ticket);
      if (self->results != NULL)
        g_clear_pointer (&self->results[i], g_variant_unref);
    }
  g_free (self->results);
  g_clear_error (&self->error);
  dray_pool_unref (self->pool);
  g_free (self);
}

/* --- Leaving the parts --- */

/* In place of part_done(): the part is not waited for any more, and is to be cancelled. */
static void
cancel_part (DrayDependent *dependent)
{
  Part *part = (Part *) dependent;

  dray_ticket_cancel (dependent->ticket);
  dray_combination_unref (part->whole);
}

/* Those that are attached, and not to be cancelled before others are: up to @last. */
static void
leave_some (DrayCombination *self, gboolean cancel, DrayCancelRank last)
{
  for (guint i = self->n_parts; i > 0; i--)
    {
      Part *part = &self->parts[i - 1];
      gboolean unwanted;

      if (last < DRAY_CANCEL_LAST && dray_ticket_get_cancel_rank (part->dependent.ticket) > last)
        continue;
      if (!dray_dependent_detach (&part->dependent, &unwanted))
        continue;

      if (cancel && unwanted)
        {
          part->dependent.run = cancel_part;
          dray_dependent_run_soon (&part->dependent);
        }
      else
        {
          dray_combination_unref (self);
        }
    }
}

static void
leave_parts (DrayCombination *self, gboolean cancel)
{
  /* In the order of dray_ticket_cancel_all(). */
  for (DrayCancelRank rank = cancel ? DRAY_CANCEL_PENDING : DRAY_CANCEL_LAST;
       rank <= DRAY_CANCEL_LAST; rank++)
    leave_some (self, cancel, rank);
}

void
dray_combination_leave (DrayCombination *self, gboolean cancel)
{
  g_autoptr (DrayTicket) ticket = NULL;

  dray_pool_lock (self->pool);
  ticket = g_steal_pointer (&self->ticket);
  dray_pool_unlock (self->pool);

  leave_parts (self, cancel);
  dray_combination_unref (self);
}

/* --- A part is done --- */

static void
take_outcome_of (DrayTicket *part, Outcome *outcome)
{
  outcome->result = part->result != NULL ? g_variant_ref (part->result) : NULL;
  outcome->error = part->error != NULL ? g_error_copy (part->error) : NULL;
  outcome->cancelled = part->state == DRAY_FUTURE_CANCELLED;
}

/* The last one counts where a result is all that is asked for: the others were tried before. */
static void
keep_error_locked (DrayCombination *self, DrayTicket *part)
{
  if (part->error == NULL || (self->error != NULL && self->kind != DRAY_COMBINE_ANY))
    return;

  g_clear_error (&self->error);
  self->error = g_error_copy (part->error);
  self->cancelled = part->state == DRAY_FUTURE_CANCELLED;
}

/* Whether the ticket is to be completed, and how. @value: the part's, to be kept. */
static gboolean
decide_locked (DrayCombination *self, Part *part, GVariant *value, Outcome *outcome)
{
  DrayTicket *done = part->dependent.ticket;
  gboolean failed = done->error != NULL;

  self->n_left--;
  if (self->results != NULL)
    self->results[part->index] = value;
  keep_error_locked (self, done);

  if (self->kind == DRAY_COMBINE_FIRST || (self->kind == DRAY_COMBINE_ANY && !failed)
      || (self->kind == DRAY_COMBINE_ALL_RACE && failed))
    {
      take_outcome_of (done, outcome);
      outcome->is_early = self->n_left > 0;
      return TRUE;
    }

  if (self->n_left > 0)
    return FALSE;

  outcome->error = g_steal_pointer (&self->error);
  outcome->cancelled = self->cancelled;
  return TRUE;
}

/* Completes the ticket, which is the caller's now, as is the combination's own reference. */
static void
complete (DrayCombination *self, DrayTicket *ticket, Outcome *outcome)
{
  if (outcome->result == NULL && outcome->error == NULL)
    outcome->result = g_variant_ref_sink (
      g_variant_new_array (G_VARIANT_TYPE_VARIANT, self->results, self->n_parts));

  if (outcome->is_early)
    leave_parts (self, FALSE);
  dray_combination_unref (self);

  if (outcome->cancelled)
    {
      dray_pool_lock (ticket->pool);
      ticket->cancel_requested = TRUE;
      dray_pool_unlock (ticket->pool);
    }
  dray_ticket_complete (ticket, g_steal_pointer (&outcome->result),
                        g_steal_pointer (&outcome->error));
  dray_ticket_unref (ticket);
}

/* Takes the ticket from the combination, and the combination from the ticket; NULL: somebody else
 * did, or does: who has just cancelled it cancels the parts as well. */
static DrayTicket *
steal_ticket_locked (DrayCombination *self)
{
  if (self->ticket == NULL || self->ticket->ties->combination != self
      || dray_ticket_is_done_locked (self->ticket))
    return NULL;

  self->ticket->ties->combination = NULL;
  return g_steal_pointer (&self->ticket);
}

static void
part_done (DrayDependent *dependent)
{
  Part *part = (Part *) dependent;
  g_autoptr (DrayCombination) self = part->whole; /* the reference of what was attached */
  DrayTicket *done = dependent->ticket;
  DrayTicket *ticket = NULL;
  GVariant *value = NULL;
  Outcome outcome = { 0 };

  if (self->results != NULL && done->result != NULL)
    value = g_variant_ref_sink (g_variant_new_variant (done->result));

  dray_pool_lock (self->pool);
  if (decide_locked (self, part, value, &outcome))
    ticket = steal_ticket_locked (self);
  /* From here on the other parts are left alone: a cancel that would be for them is too late. */
  if (ticket != NULL)
    ticket->decided = outcome.is_early;
  dray_pool_unlock (self->pool);

  if (ticket != NULL)
    complete (self, ticket, &outcome);
  g_clear_pointer (&outcome.result, g_variant_unref);
  g_clear_error (&outcome.error);
}

/* What a deferred ticket follows. */
static void
previous_done (DrayDependent *dependent)
{
  Part *part = (Part *) dependent;
  g_autoptr (DrayCombination) self = part->whole;
  DrayTicket *done = dependent->ticket;
  DrayTicket *ticket;
  Outcome outcome = { 0 };

  dray_pool_lock (self->pool);
  ticket = steal_ticket_locked (self);
  dray_pool_unlock (self->pool);

  if (ticket == NULL)
    return;

  if (done->result != NULL && dray_follow (ticket, done->result, self->position, &outcome.error))
    {
      dray_combination_unref (self); /* the ticket's; that goes on by itself */
      return;
    }

  if (outcome.error == NULL)
    take_outcome_of (done, &outcome);
  complete (self, ticket, &outcome);
}

/* --- Making --- */

static DrayCombination *
dray_combination_new (DrayCombinationKind kind, DrayTicket *ticket, gsize n_parts)
{
  gboolean all = kind == DRAY_COMBINE_ALL || kind == DRAY_COMBINE_ALL_RACE;
  DrayCombination *self;

  g_assert (n_parts > 0 && n_parts <= G_MAXUINT);

  self = g_malloc0 (sizeof *self + n_parts * sizeof (Part));
  g_atomic_ref_count_init (&self->ref_count);
  self->kind = kind;
  self->pool = dray_pool_ref (ticket->pool);
  self->ticket = dray_ticket_ref (ticket);
  self->n_parts = (guint) n_parts;
  self->n_left = (guint) n_parts;
  self->results = all ? g_new0 (GVariant *, n_parts) : NULL;
  return self;
}

/* Adds a pool to those that a wait for @ticket must not be held up by. */
static void
add_lift (DrayTicket *ticket, DrayPool *pool)
{
  if (pool == ticket->pool)
    return;

  if (ticket->lifts == NULL)
    ticket->lifts = g_ptr_array_new_with_free_func ((GDestroyNotify) dray_pool_unref);
  if (!g_ptr_array_find (ticket->lifts, pool, NULL))
    g_ptr_array_add (ticket->lifts, dray_pool_ref (pool));
}

static void
set_part (DrayCombination *self, guint index, DrayTicket *ticket)
{
  Part *part = &self->parts[index];

  part->whole = self;
  part->index = index;
  part->dependent.run = self->kind == DRAY_COMBINE_THEN ? previous_done : part_done;
  part->dependent.wants = TRUE;
  part->dependent.ticket = dray_ticket_ref (ticket);

  add_lift (self->ticket, ticket->pool);
  for (guint i = 0; ticket->lifts != NULL && i < ticket->lifts->len; i++)
    add_lift (self->ticket, ticket->lifts->pdata[i]);
}

void
dray_combination_begin (DrayCombination *self)
{
  gboolean over;

  for (guint i = 0; i < self->n_parts; i++)
    {
      dray_combination_ref (self);
      dray_dependent_attach (&self->parts[i].dependent);
    }

  /* Whoever completed it meanwhile could not leave parts that it was not attached to yet. */
  dray_pool_lock (self->pool);
  over = self->ticket == NULL;
  dray_pool_unlock (self->pool);
  if (over)
    leave_parts (self, FALSE);
}

DrayFuture *
dray_combination_new_future (DrayPool *pool)
{
  g_autoptr (DrayTicket) ticket = dray_ticket_new (pool, NULL);
  DrayFuture *future = dray_future_new (ticket);

  dray_pool_lock (pool);
  ticket->delivery = dray_delivery_hold_locked (pool);
  ticket->holds_delivery = TRUE;
  dray_pool_unlock (pool);

  return future;
}

DrayFuture *
dray_combination_combine (DrayCombinationKind kind, DrayFuture *const *parts, gsize n_parts)
{
  DrayTicket *first = dray_future_get_ticket (parts[0]);
  DrayFuture *future = dray_combination_new_future (first->pool);
  DrayTicket *ticket = dray_future_get_ticket (future);
  g_autoptr (DrayCombination) self = dray_combination_new (kind, ticket, n_parts);

  for (guint i = 0; i < n_parts; i++)
    set_part (self, i, dray_future_get_ticket (parts[i]));
  dray_pool_lock (ticket->pool);
  dray_ticket_get_ties_locked (ticket)->combination = dray_combination_ref (self);
  dray_pool_unlock (ticket->pool);
  dray_combination_begin (self);
  return future;
}

DrayCombination *
dray_combination_follow (DrayTicket *ticket, DrayTicket *previous, int position)
{
  DrayCombination *self = dray_combination_new (DRAY_COMBINE_THEN, ticket, 1);

  self->position = position;
  set_part (self, 0, previous);
  dray_ticket_get_ties_locked (ticket)->combination = dray_combination_ref (self);
  return self;
}
