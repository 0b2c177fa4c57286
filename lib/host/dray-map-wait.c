/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-map-private.h"

#include <glib/gi18n-lib.h>

/* Waiting for the outcomes of a map. */

/* How long a wait asks the source before it looks for outcomes, in µs. */
#define PUMP_TIME 1000

static void
wake_waiters_cb (GCancellable *cancellable, gpointer user_data)
{
  DrayMapFlow *flow = user_data;

  dray_pool_lock (flow->pool);
  g_cond_broadcast (&flow->changed);
  dray_pool_unlock (flow->pool);
}

static void
unref_flow_closure (gpointer data, GClosure *closure)
{
  dray_map_flow_unref (data);
}

/* What a wait has been told, and what it may do. */
typedef struct
{
  gboolean blocks;           /* who only looks makes nothing urgent */
  gint64 deadline;           /* monotonic, µs; -1: none */
  GCancellable *cancellable; /* (unowned) (nullable) */
  gboolean asks;             /* the source, too */
} Wait;

static gboolean
has_news_locked (DrayMapFlow *flow, const Wait *wait)
{
  return !g_cancellable_is_cancelled (wait->cancellable)
         && (dray_map_flow_has_news_locked (flow)
             || (wait->asks && dray_map_flow_has_room_locked (flow)));
}

/* Returns whether there are any. */
static gboolean
block_locked (DrayMapFlow *flow, const Wait *wait)
{
  DrayPool *pool = flow->pool;
  gboolean in_time = TRUE, news = FALSE;

  flow->n_waiting++;
  dray_pool_set_urgent_locked (pool, TRUE);
  while (in_time && !g_cancellable_is_cancelled (wait->cancellable)
         && !(news = has_news_locked (flow, wait)))
    {
      if (wait->deadline < 0)
        g_cond_wait (&flow->changed, &pool->lock);
      else
        in_time = g_cond_wait_until (&flow->changed, &pool->lock, wait->deadline);
    }
  dray_pool_set_urgent_locked (pool, FALSE);
  flow->n_waiting--;

  return news;
}

/* Whether it is worth another look. */
static gboolean
wait_for_news (DrayMapFlow *flow, const Wait *wait, GError **error)
{
  gboolean news;

  dray_pool_lock (flow->pool);
  news = wait->blocks ? block_locked (flow, wait) : has_news_locked (flow, wait);
  dray_pool_unlock (flow->pool);

  if (!news && !g_cancellable_set_error_if_cancelled (wait->cancellable, error))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                         _ ("The task was not finished in time"));
  return news;
}

static gboolean
is_asked_here (DrayMapFlow *flow)
{
  gboolean asked_here;

  dray_pool_lock (flow->pool);
  asked_here = flow->asking == g_thread_self ();
  dray_pool_unlock (flow->pool);

  return asked_here;
}

/* (transfer full) (nullable): NULL with an error. */
static GPtrArray *
wait_many (DrayMapFlow *flow, guint max, const Wait *wait, GError **error)
{
  if (is_asked_here (flow))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PENDING, _ ("The task is not done yet"));
      return NULL;
    }

  for (;;)
    {
      g_autoptr (GPtrArray) outcomes = NULL;
      g_autoptr (GError) end_error = NULL;

      if (wait->asks)
        dray_map_flow_pump (flow, g_get_monotonic_time () + PUMP_TIME);

      outcomes = dray_map_flow_take_many (flow, max);
      if (outcomes->len > 0)
        return g_steal_pointer (&outcomes);

      if (dray_map_flow_is_over (flow, &end_error))
        {
          if (end_error == NULL)
            return g_steal_pointer (&outcomes);
          g_propagate_error (error, g_steal_pointer (&end_error));
          return NULL;
        }

      if (!wait_for_news (flow, wait, error))
        return NULL;
    }
}

static GPtrArray *
wait_next (DrayMap *self, guint max, gint64 timeout, GCancellable *cancellable, GError **error)
{
  g_autoptr (DrayMapFlow) flow = dray_map_flow_ref (self->flow);
  const Wait wait = {
    .blocks = timeout != 0,
    .deadline = dray_ticket_get_deadline (timeout),
    .cancellable = cancellable,
    .asks = !flow->foreign || flow->owner == g_thread_self (),
  };
  GPtrArray *outcomes;
  gulong handler = 0;

  if (cancellable != NULL)
    handler = g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (wake_waiters_cb),
                                     dray_map_flow_ref (flow), unref_flow_closure, 0);

  dray_map_flow_start (flow);
  outcomes = wait_many (flow, dray_map_limit_max (max), &wait, error);

  if (handler != 0)
    g_signal_handler_disconnect (cancellable, handler);
  return outcomes;
}

/**
 * dray_map_wait_next:
 * @self: a map
 * @timeout: how long to wait, in microseconds; 0 only looks, a negative one waits for ever
 * @cancellable: (nullable): ends the waiting; the map goes on
 * @error: return location for an error
 *
 * Waits for the next outcome. Needs no main context where the map was made on this thread, or its
 * source is values; see [class@Map].
 *
 * Errors: %G_IO_ERROR_TIMED_OUT, %G_IO_ERROR_CANCELLED if the waiting was cancelled,
 * %G_IO_ERROR_PENDING within the map's own generator, and those of [method@Map.next_finish].
 *
 * Returns: (transfer full) (nullable): an outcome; %NULL without an error if there are no more, or
 *   with @error set
 *
 * Since: 0.1
 */
DrayOutcome *
dray_map_wait_next (DrayMap *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (dray_map_is_real (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return dray_map_steal_first (wait_next (self, 1, timeout, cancellable, error));
}

/**
 * dray_map_wait_next_many:
 * @self: a map
 * @max: how many outcomes to take at most; 0: any number
 * @timeout: how long to wait, in microseconds; 0 only looks, a negative one waits for ever
 * @cancellable: (nullable): ends the waiting; the map goes on
 * @error: return location for an error
 *
 * Waits for the next outcomes: until there is one, and takes as many as are there then, but for
 * @max. No more than 65,536 are given at a time, whatever @max is. The errors are those of
 * [method@Map.wait_next].
 *
 * Returns: (transfer container) (nullable) (element-type DrayOutcome): the outcomes, never none;
 *   %NULL without an error if there are no more, or with @error set
 *
 * Since: 0.1
 */
GPtrArray *
dray_map_wait_next_many (
  DrayMap *self, guint max, gint64 timeout, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (dray_map_is_real (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return dray_map_steal_some (wait_next (self, max, timeout, cancellable, error));
}
