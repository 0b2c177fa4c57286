/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pull.h"

#include "dray-flow.h"
#include "dray-pool.h"

/* Protected by the pool's lock. */
struct _DrayPull
{
  GQueue items;       /* (element-type GVariant) (owned): not floating, oldest first */
  GQueue requests;    /* of DrayPullRequest (unowned), by link: the line */
  guint n_waiters;    /* threads that block */
  gboolean asked;     /* somebody has looked in vain since the last item came */
  gboolean discarded; /* nobody wants any more of them */
  GCond changed;
};

DrayPull *
dray_pull_new (void)
{
  DrayPull *self = g_new0 (DrayPull, 1);

  g_queue_init (&self->items);
  g_queue_init (&self->requests);
  g_cond_init (&self->changed);
  return self;
}

void
dray_pull_free (DrayPull *self)
{
  /* Whoever waits holds the future. */
  g_assert (g_queue_is_empty (&self->requests) && self->n_waiters == 0);

  g_queue_clear_full (&self->items, (GDestroyNotify) g_variant_unref);
  g_cond_clear (&self->changed);
  g_free (self);
}

/* --- Items --- */

gboolean
dray_pull_has_waiters_locked (DrayPull *self)
{
  return self->n_waiters > 0;
}

gboolean
dray_pull_is_wanted_locked (DrayPull *self)
{
  return g_queue_is_empty (&self->items)
         && (self->asked || self->n_waiters > 0 || !g_queue_is_empty (&self->requests));
}

/* Tells as many requests as there are items for, the first ones of the line. */
static void
tell_requests_locked (DrayPull *self)
{
  guint n_items = g_queue_get_length (&self->items);

  for (GList *link = self->requests.head; link != NULL && n_items > 0; link = link->next)
    {
      DrayPullRequest *request = link->data;

      dray_delivery_add_notice_locked (request->delivery, &request->notice);
      n_items--;
    }
}

void
dray_pull_add_locked (DrayTicket *ticket, GVariant *value)
{
  DrayPull *self = ticket->pull;

  g_queue_push_tail (&self->items, value);
  self->asked = FALSE;
  dray_flow_count_pulled_locked (ticket, 1, (gssize) g_variant_get_size (value));

  tell_requests_locked (self);
  if (self->n_waiters > 0)
    g_cond_broadcast (&self->changed);
}

GPtrArray *
dray_pull_take_locked (DrayTicket *ticket, guint max_items)
{
  DrayPull *self = ticket->pull;
  guint n_items = g_queue_get_length (&self->items);
  guint n = max_items == 0 ? n_items : MIN (max_items, n_items);
  GPtrArray *items;
  gsize n_bytes = 0;

  if (n == 0)
    return NULL;

  items = g_ptr_array_new_full (n, (GDestroyNotify) g_variant_unref);
  for (guint i = 0; i < n; i++)
    {
      GVariant *value = g_queue_pop_head (&self->items);

      n_bytes += g_variant_get_size (value);
      g_ptr_array_add (items, value);
    }
  dray_flow_count_pulled_locked (ticket, -(int) n, -(gssize) n_bytes);

  /* Others may have been waiting for the same items: their worker is to be read for them. */
  dray_flow_changed_locked (ticket);
  return items;
}

GPtrArray *
dray_pull_discard_locked (DrayTicket *ticket)
{
  GPtrArray *items;

  ticket->pull->discarded = TRUE;
  items = dray_pull_take_locked (ticket, 0);

  /* What it still sends is dropped, so that it may be read. */
  dray_flow_changed_locked (ticket);
  return items;
}

gboolean
dray_pull_is_discarded_locked (DrayPull *self)
{
  return self->discarded;
}

gboolean
dray_pull_look_locked (DrayTicket *ticket, guint max_items, GPtrArray **items, GError **error)
{
  *items = dray_pull_take_locked (ticket, max_items);
  if (*items != NULL)
    return TRUE;

  if (ticket->error != NULL)
    *error = g_error_copy (ticket->error);
  return dray_ticket_is_done_locked (ticket);
}

void
dray_pull_task_done_locked (DrayTicket *ticket)
{
  DrayPull *self = ticket->pull;

  for (GList *link = self->requests.head; link != NULL; link = link->next)
    {
      DrayPullRequest *request = link->data;

      dray_delivery_add_notice_locked (request->delivery, &request->notice);
    }
  if (self->n_waiters > 0)
    g_cond_broadcast (&self->changed);
}

/* --- Waiting --- */

static gboolean
has_to_wait_locked (DrayTicket *ticket, GCancellable *cancellable)
{
  return g_queue_is_empty (&ticket->pull->items) && !dray_ticket_is_done_locked (ticket)
         && !g_cancellable_is_cancelled (cancellable);
}

void
dray_pull_wait_locked (DrayTicket *ticket, gint64 deadline, GCancellable *cancellable)
{
  DrayPull *self = ticket->pull;

  if (!has_to_wait_locked (ticket, cancellable))
    return;

  self->n_waiters++;
  dray_ticket_waiters_changed_locked (ticket);
  while (has_to_wait_locked (ticket, cancellable))
    {
      if (deadline < 0)
        g_cond_wait (&self->changed, &ticket->pool->lock);
      else if (!g_cond_wait_until (&self->changed, &ticket->pool->lock, deadline))
        break;
    }
  self->n_waiters--;
  dray_ticket_waiters_changed_locked (ticket);
}

void
dray_pull_wake (DrayTicket *ticket)
{
  dray_pool_lock (ticket->pool);
  g_cond_broadcast (&ticket->pull->changed);
  dray_pool_unlock (ticket->pool);
}

void
dray_pull_ask_locked (DrayTicket *ticket)
{
  ticket->pull->asked = TRUE;
  dray_flow_changed_locked (ticket);
}

/* --- The line --- */

DrayDelivery *
dray_pull_enter_line_locked (DrayTicket *ticket, DrayPullRequest *request)
{
  DrayPull *self = ticket->pull;

  request->delivery = dray_delivery_get_locked (ticket->pool);
  request->waits = TRUE;
  request->link.data = request;
  g_queue_push_tail_link (&self->requests, &request->link);

  if (dray_ticket_is_done_locked (ticket))
    dray_delivery_add_notice_locked (request->delivery, &request->notice);
  else
    tell_requests_locked (self);
  dray_flow_changed_locked (ticket);

  return ticket->pool->closed ? dray_delivery_ref (request->delivery) : NULL;
}

DrayPullRequest *
dray_pull_get_first_locked (DrayTicket *ticket, DrayPullRequest *request)
{
  GList *link = ticket->pull->requests.head;

  while (((DrayPullRequest *) link->data)->delivery != request->delivery)
    link = link->next;
  return link->data;
}

gboolean
dray_pull_leave_line_locked (DrayTicket *ticket, DrayPullRequest *request)
{
  if (!request->waits)
    return FALSE;

  request->waits = FALSE;
  g_queue_unlink (&ticket->pull->requests, &request->link);
  dray_delivery_remove_notice_locked (request->delivery, &request->notice);
  tell_requests_locked (ticket->pull);
  return TRUE;
}
