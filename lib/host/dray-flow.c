/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-flow.h"

#include "dray-pool.h"
#include "dray-pull.h"
#include "dray-run.h"

/* In all of this a limit of 0 is none. */
static gboolean
is_met (guint64 limit, guint64 number)
{
  return limit > 0 && number >= limit;
}

static gboolean
is_low (guint64 limit, guint64 number)
{
  return limit == 0 || number <= limit / 2;
}

/* --- Of the pool --- */

static void
look_again_locked (DrayPool *self)
{
  self->reading_changed = TRUE;
  dray_pool_wake_locked (self);
}

/* Whether it has changed. */
static gboolean
set_flag_locked (DrayPool *self, gboolean *flag, gboolean begins, gboolean ends)
{
  if (*flag ? !ends : !begins)
    return FALSE;

  *flag = !*flag;
  look_again_locked (self);
  return TRUE;
}

/* What is left of a limit for what is pushed; may be 0, which is not “none” then. */
static gboolean
rest_is_low (guint64 limit, guint64 pulled, guint64 pushed)
{
  return limit == 0 || pushed <= (limit - MIN (pulled, limit)) / 2;
}

void
dray_pool_count_undelivered_locked (DrayPool *self, int items, gssize bytes)
{
  guint64 max_items = self->options.max_undelivered_items;
  guint64 max_bytes = self->options.max_undelivered_bytes;
  DrayCounters *counters = &self->counters;
  guint64 n_pushed;

  counters->undelivered_items += (guint64) (gint64) items;
  counters->undelivered_bytes += (guint64) bytes;
  n_pushed = counters->undelivered_items - self->pulled_items;

  set_flag_locked (self, &self->throttled,
                   n_pushed > 0
                     && (is_met (max_items, counters->undelivered_items)
                         || is_met (max_bytes, counters->undelivered_bytes)),
                   rest_is_low (max_items, self->pulled_items, n_pushed)
                     && rest_is_low (max_bytes, self->pulled_bytes,
                                     counters->undelivered_bytes - self->pulled_bytes));
}

/* Half of a limit; never 0 where there is one. */
static guint64
share_of (guint64 limit)
{
  return limit - limit / 2;
}

static void
count_pulled_locked (DrayPool *self, int items, gssize bytes)
{
  guint64 max_items = share_of (self->options.max_undelivered_items);
  guint64 max_bytes = share_of (self->options.max_undelivered_bytes);

  self->pulled_items += (guint64) (gint64) items;
  self->pulled_bytes += (guint64) bytes;

  set_flag_locked (self, &self->pull_throttled,
                   is_met (max_items, self->pulled_items) || is_met (max_bytes, self->pulled_bytes),
                   is_low (max_items, self->pulled_items)
                     && is_low (max_bytes, self->pulled_bytes));
}

void
dray_flow_limits_changed_locked (DrayPool *pool)
{
  count_pulled_locked (pool, 0, 0);
  dray_pool_count_undelivered_locked (pool, 0, 0);
  pool->reading_changed = TRUE; /* those of single futures are looked at with what they send */
}

/* --- Of one future --- */

static guint64
limit_ahead (guint64 limit, guint64 ahead)
{
  return limit > 0 ? MIN (limit, ahead) : ahead;
}

static void
update_held_back_locked (DrayTicket *ticket)
{
  DrayPool *pool = ticket->pool;
  guint64 max_items = pool->options.max_undelivered_items_per_future;
  guint64 max_bytes = pool->options.max_undelivered_bytes_per_future;

  if (ticket->pull != NULL)
    {
      max_items = limit_ahead (max_items, DRAY_FLOW_AHEAD_ITEMS);
      max_bytes = limit_ahead (max_bytes, DRAY_FLOW_AHEAD_BYTES);
    }

  if (set_flag_locked (
        pool, &ticket->held_back,
        is_met (max_items, ticket->n_undelivered) || is_met (max_bytes, ticket->undelivered_bytes),
        is_low (max_items, ticket->n_undelivered) && is_low (max_bytes, ticket->undelivered_bytes)))
    pool->n_held_back += ticket->held_back ? 1 : -1u;
}

void
dray_flow_count_locked (DrayTicket *ticket, int items, gssize bytes)
{
  ticket->n_undelivered += (guint64) (gint64) items;
  ticket->undelivered_bytes += (guint64) bytes;
  update_held_back_locked (ticket);
  dray_pool_count_undelivered_locked (ticket->pool, items, bytes);
}

void
dray_flow_count_pulled_locked (DrayTicket *ticket, int items, gssize bytes)
{
  count_pulled_locked (ticket->pool, items, bytes);
  dray_flow_count_locked (ticket, items, bytes);
}

gboolean
dray_flow_holds_back_locked (DrayPool *pool)
{
  return pool->throttled || pool->pull_throttled || pool->n_held_back > 0;
}

void
dray_flow_changed_locked (DrayTicket *ticket)
{
  DrayPool *pool = ticket->pool;

  /* What one of those that share a run wants may be held back by another one of them. */
  if (pool->throttled || pool->pull_throttled || ticket->held_back
      || (ticket->run_ticket != NULL && pool->n_held_back > 0))
    look_again_locked (pool);
}

/* Whether somebody wants what is not there yet, whether or not there is room for it. */
static gboolean
is_waited_for_locked (DrayTicket *ticket)
{
  return ticket->n_waiters > 0
         || (ticket->pull != NULL
             && (ticket->pool->shutting_down || dray_pull_is_wanted_locked (ticket->pull)));
}

static gboolean
has_room_locked (DrayTicket *ticket)
{
  DrayPool *pool = ticket->pool;

  update_held_back_locked (ticket); /* the limits may have changed since */
  return !ticket->held_back && !pool->throttled && (ticket->pull == NULL || !pool->pull_throttled);
}

gboolean
dray_flow_may_read_locked (DrayTicket *ticket)
{
  if (ticket->pool->n_urgent > 0 || ticket->cancel_requested || dray_ticket_is_done_locked (ticket))
    return TRUE;

  if (ticket->run != NULL)
    return dray_run_any_locked (ticket, is_waited_for_locked)
           || dray_run_all_locked (ticket, has_room_locked);

  return !dray_ticket_keeps_items_locked (ticket) || is_waited_for_locked (ticket)
         || has_room_locked (ticket);
}
