/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-delivery.h"

#include "dray-future-private.h"
#include "dray-pool.h"

typedef struct
{
  GSource source;
  DrayDelivery *delivery; /* (owned) */
} DeliverySource;

struct _DrayDelivery
{
  gatomicrefcount ref_count;

  /* atomic */
  int has_news; /* as armed: what the source is asked for by its main loop */

  /* set at construction */
  DrayPool *pool;    /* (owned) */
  gconstpointer key; /* (unowned): the context, in the pool's deliveries; never looked into */

  /* protected by the pool's lock */
  GMainContext *context; /* (owned) (nullable): until the pool is closed */
  GSource *source;       /* (unowned) (nullable): belongs to the context */
  GQueue tickets;        /* by delivery_link, each with a reference */
  GQueue notices;        /* of DrayNotice, by link */
  GQueue last_notices;   /* the same, of those that come when all else was handed over */
  DrayTicket *expected;  /* (unowned) (nullable): not done, but probably will be in a moment; also
                          * looked at without the lock, whether there is one */
  gboolean armed;        /* the source was told that there is something to do */
  gboolean awaiting;     /* the main loop asks the source, which waits for what is expected */
  guint n_unannounced;   /* tickets that are in none of these yet */
  guint n_dispatches;    /* of the source, each inside the one before */
  guint n_holds;
  gboolean close_later; /* when nobody holds it any more */
};

static gboolean
is_empty_locked (DrayDelivery *self)
{
  return g_queue_is_empty (&self->tickets) && g_queue_is_empty (&self->notices)
         && g_queue_is_empty (&self->last_notices);
}

/* --- Reference counting --- */

DrayDelivery *
dray_delivery_ref (DrayDelivery *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
dray_delivery_unref (DrayDelivery *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (is_empty_locked (self));
  g_clear_pointer (&self->context, g_main_context_unref);
  dray_pool_unref (self->pool);
  g_free (self);
}

/* --- Handing over --- */

static void
hand_over_event (DrayTicket *ticket, DrayFuture *future, DrayEvent *event)
{
  if (future != NULL && event->value != NULL)
    dray_future_emit_item (future, event->value);
  else if (future != NULL)
    dray_future_emit_progress (future, event->fraction, event->text);

  dray_event_free_all (event);
}

static void
hand_over_completion (DrayFuture *future, DrayDoneCallback *callbacks)
{
  if (future != NULL)
    {
      dray_future_emit_done (future);
      for (DrayDoneCallback *callback = callbacks; callback != NULL; callback = callback->next)
        callback->function (future, callback->user_data);
    }
  dray_done_callback_free_all (callbacks);
}

/*
 * Takes one event of the first ticket, with the lock held, hands it over without, and takes the
 * lock again. The reference on the future is safe to take here: the future's last unref has to
 * pass its dispose, which takes the lock to clear the pointer.
 */
static void
deliver_one_locked (DrayDelivery *self, DrayTicket *ticket)
{
  DrayPool *pool = self->pool;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) kept_future = NULL;
  g_autoptr (DrayTicket) queue_reference = NULL;
  DrayDoneCallback *callbacks = NULL;
  DrayEvent *event = dray_ticket_pop_event_locked (ticket);
  gboolean finishes = event == NULL && dray_ticket_is_done_locked (ticket);

  g_queue_unlink (&self->tickets, &ticket->delivery_link);
  if (ticket->events != NULL || (!finishes && dray_ticket_is_done_locked (ticket)))
    {
      g_queue_push_tail_link (&self->tickets, &ticket->delivery_link);
    }
  else
    {
      ticket->in_delivery = FALSE;
      queue_reference = ticket;
    }

  if (ticket->future != NULL)
    future = g_object_ref (ticket->future);
  if (finishes)
    {
      callbacks = g_steal_pointer (&ticket->callbacks);
      ticket->last_callback = &ticket->callbacks;
      kept_future = g_steal_pointer (&ticket->kept_future);
      dray_ticket_drop_events_locked (ticket); /* there are none: the result's place is left */
    }

  dray_pool_unlock (pool);
  if (event != NULL)
    hand_over_event (ticket, future, event);
  else if (finishes)
    hand_over_completion (future, callbacks);
  g_clear_object (&kept_future);
  g_clear_object (&future);
  g_clear_pointer (&queue_reference, dray_ticket_unref);
  dray_pool_lock (pool);
}

static gboolean
run_notice_locked (DrayDelivery *self, GQueue *notices)
{
  GList *link = g_queue_pop_head_link (notices);
  DrayNotice *notice;

  if (link == NULL)
    return FALSE;

  notice = link->data;
  notice->queued = FALSE;
  dray_pool_unlock (self->pool);
  notice->run (notice);
  dray_pool_lock (self->pool);
  return TRUE;
}

/* Works until everything is handed over or the slice is over. */
static void
run_slice_locked (DrayDelivery *self)
{
  gint64 end = g_get_monotonic_time () + self->pool->options.slice;

  /* Once a slice: a notice that is queued again while it runs has its turn in the next one. */
  run_notice_locked (self, &self->notices);

  do
    {
      GList *link = self->tickets.head;

      if (link != NULL)
        deliver_one_locked (self, link->data);
      else if (!run_notice_locked (self, &self->notices)
               && !run_notice_locked (self, &self->last_notices))
        return;
    }
  while (g_get_monotonic_time () < end);
}

/* The pool knows a delivery for as long as it has its source. */
static void
forget_source_locked (DrayDelivery *self)
{
  if (self->source != NULL)
    g_hash_table_remove (self->pool->deliveries, self->key);
  self->source = NULL;
}

/* (transfer full) (nullable): to be destroyed without the lock */
static GSource *
steal_source_locked (DrayDelivery *self)
{
  GSource *source = self->source != NULL ? g_source_ref (self->source) : NULL;

  forget_source_locked (self);
  return source;
}

static void
destroy_source (GSource *source)
{
  if (source == NULL)
    return;

  g_source_destroy (source);
  g_source_unref (source);
}

static gboolean
delivery_source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  g_autoptr (DrayDelivery) self = dray_delivery_ref (((DeliverySource *) source)->delivery);
  DrayPool *pool = self->pool;
  GSource *last = NULL;
  gboolean goes_on;

  dray_pool_lock (pool);
  self->n_dispatches++;
  run_slice_locked (self);
  self->n_dispatches--;
  if (is_empty_locked (self))
    {
      self->armed = FALSE;
      g_atomic_int_set (&self->has_news, FALSE);
      if (g_source_get_ready_time (source) >= 0)
        g_source_set_ready_time (source, -1);
    }
  goes_on = self->armed || self->context != NULL || self->n_unannounced > 0
            || self->n_dispatches > 0;
  if (!goes_on)
    last = steal_source_locked (self);
  dray_pool_unlock (pool);

  destroy_source (last); /* @source, or what has replaced it in the meantime */
  return goes_on ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* --- The end of the source --- */

static void
drop_tickets (DrayDelivery *self)
{
  DrayPool *pool = self->pool;

  for (;;)
    {
      DrayTicket *ticket;
      DrayEvent *events;
      DrayDoneCallback *callbacks;
      DrayFuture *kept_future;

      dray_pool_lock (pool);
      ticket = g_queue_peek_head (&self->tickets);
      if (ticket == NULL)
        {
          dray_pool_unlock (pool);
          return;
        }
      dray_delivery_remove_ticket_locked (self, ticket);
      events = dray_ticket_drop_events_locked (ticket);
      callbacks = g_steal_pointer (&ticket->callbacks);
      ticket->last_callback = &ticket->callbacks;
      kept_future = g_steal_pointer (&ticket->kept_future);
      dray_pool_unlock (pool);

      dray_event_free_all (events);
      dray_done_callback_free_all (callbacks);
      g_clear_object (&kept_future);
      dray_ticket_unref (ticket);
    }
}

static void
drop_notices (DrayDelivery *self, GQueue *notices)
{
  DrayNotice *notice;

  do
    {
      dray_pool_lock (self->pool);
      notice = g_queue_peek_head (notices);
      if (notice != NULL)
        dray_delivery_remove_notice_locked (self, notice);
      dray_pool_unlock (self->pool);

      if (notice != NULL)
        notice->drop (notice);
    }
  while (notice != NULL);
}

/* (transfer full) (nullable): the source of a delivery that was closed, if it has nothing to do any
 * more. It would go when it is dispatched next; but nobody may ever iterate its context, where it
 * would stay, and the pool with it. */
static GSource *
steal_idle_source_locked (DrayDelivery *self)
{
  if (self->source == NULL || self->context != NULL || self->n_holds > 0 || self->n_unannounced > 0
      || self->n_dispatches > 0 || !is_empty_locked (self))
    return NULL;

  return steal_source_locked (self);
}

void
dray_delivery_look_for_end (DrayDelivery *self)
{
  GSource *source = NULL;

  if (g_atomic_int_get (&dray_forked))
    return; /* as in arm_locked() */

  dray_pool_lock (self->pool);
  /* Any other context may be about to go, on another thread, and takes its sources along. */
  if (self->key == g_main_context_default () && !self->pool->forked)
    source = steal_idle_source_locked (self);
  dray_pool_unlock (self->pool);

  destroy_source (source);
}

/* Also where the context was destroyed with things undelivered. */
static void
delivery_source_finalize (GSource *source)
{
  DrayDelivery *self = ((DeliverySource *) source)->delivery;
  gboolean is_last;

  dray_pool_lock (self->pool);
  if (self->source == source)
    forget_source_locked (self);
  is_last = self->source == NULL;
  dray_pool_unlock (self->pool);

  if (is_last)
    {
      drop_tickets (self);
      drop_notices (self, &self->notices);
      drop_notices (self, &self->last_notices);
    }
  dray_delivery_unref (self);
}

void
dray_delivery_expect_locked (DrayDelivery *self, DrayTicket *ticket)
{
  __atomic_store_n (&self->expected, ticket, __ATOMIC_RELAXED);
}

void
dray_delivery_stop_expecting_locked (DrayDelivery *self, DrayTicket *ticket)
{
  if (self->expected == ticket)
    dray_delivery_expect_locked (self, NULL);
}

/* Waits for what is expected, if there is something, for as long as it should take. */
static void
await_expected (DrayDelivery *self)
{
  g_autoptr (DrayTicket) ticket = NULL;

  dray_pool_lock (self->pool);
  ticket = self->expected != NULL ? dray_ticket_ref (self->expected) : NULL;
  dray_delivery_expect_locked (self, NULL);
  self->awaiting = ticket != NULL;
  dray_pool_unlock (self->pool);

  if (ticket == NULL)
    return;

  dray_pool_expect (ticket, &self->has_news);

  dray_pool_lock (self->pool);
  self->awaiting = FALSE;
  dray_pool_unlock (self->pool);
}

/* The main loop may have nothing better to do, and is about to sleep. */
static gboolean
delivery_source_prepare (GSource *source, int *timeout)
{
  DrayDelivery *self = ((DeliverySource *) source)->delivery;

  dray_fork_check ();
  if (__atomic_load_n (&self->expected, __ATOMIC_RELAXED) != NULL)
    await_expected (self);

  *timeout = -1;
  return g_atomic_int_get (&self->has_news);
}

static gboolean
delivery_source_check (GSource *source)
{
  DrayDelivery *self = ((DeliverySource *) source)->delivery;

  return g_atomic_int_get (&self->has_news);
}

static GSourceFuncs delivery_source_funcs = {
  .prepare = delivery_source_prepare,
  .check = delivery_source_check,
  .dispatch = delivery_source_dispatch,
  .finalize = delivery_source_finalize,
};

/* --- Making --- */

/* To be called with a context. */
static void
make_source_locked (DrayDelivery *self)
{
  GSource *source = g_source_new (&delivery_source_funcs, sizeof (DeliverySource));

  ((DeliverySource *) source)->delivery = dray_delivery_ref (self);
  g_source_set_static_name (source, "Dray delivery");
  g_source_set_priority (source, self->pool->options.delivery_priority);
  g_source_set_can_recurse (source, TRUE);
  g_source_attach (source, self->context);
  self->source = source;
  g_source_unref (source);
}

static DrayDelivery *
delivery_new_locked (DrayPool *pool, GMainContext *context)
{
  DrayDelivery *self = g_new0 (DrayDelivery, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->pool = dray_pool_ref (pool);
  self->key = context;
  self->context = g_main_context_ref (context);
  g_queue_init (&self->tickets);
  g_queue_init (&self->notices);
  g_queue_init (&self->last_notices);
  make_source_locked (self);

  return self;
}

/* What has no context any more goes soon, and its context may be going by itself. After a fork,
 * contexts are not touched: see arm_locked().
 *
 * A source is replaced, since its priority must not be changed: whoever iterates the context asks
 * its sources without a lock, and would go on from a list of those of one priority that is gone. */
GPtrArray *
dray_delivery_set_priorities_locked (DrayPool *pool)
{
  GPtrArray *replaced = g_ptr_array_new_with_free_func ((GDestroyNotify) destroy_source);
  GHashTableIter iter;
  DrayDelivery *self;

  if (pool->forked || g_atomic_int_get (&dray_forked))
    return replaced;

  g_hash_table_iter_init (&iter, pool->deliveries);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &self))
    {
      if (self->context == NULL
          || g_source_get_priority (self->source) == pool->options.delivery_priority)
        continue;

      g_ptr_array_add (replaced, g_source_ref (self->source));
      make_source_locked (self);
    }

  return replaced;
}

DrayDelivery *
dray_delivery_find_locked (DrayPool *pool)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  DrayDelivery *self = g_hash_table_lookup (pool->deliveries, context);

  return self != NULL ? dray_delivery_ref (self) : NULL;
}

DrayDelivery *
dray_delivery_get_locked (DrayPool *pool)
{
  g_autoptr (GMainContext) context = NULL;
  DrayDelivery *self = dray_delivery_find_locked (pool);

  if (self != NULL)
    return self;

  context = g_main_context_ref_thread_default ();
  self = delivery_new_locked (pool, context);
  g_hash_table_insert (pool->deliveries, context, self);
  return self;
}

DrayDelivery *
dray_delivery_hold_locked (DrayPool *pool)
{
  DrayDelivery *self = dray_delivery_get_locked (pool);

  /* One that was closed with something undelivered has let go of the context, which is this one. */
  if (self->context == NULL)
    self->context = g_main_context_ref_thread_default ();
  if (pool->closed)
    self->close_later = TRUE;
  self->n_holds++;
  return self;
}

void
dray_delivery_release (DrayDelivery *self)
{
  gboolean closes;

  dray_pool_lock (self->pool);
  self->n_holds--;
  closes = self->n_holds == 0 && self->close_later;
  dray_pool_unlock (self->pool);

  if (closes)
    dray_delivery_close (self);
}

/* --- Adding and removing --- */

/*
 * Whoever iterates the context asks before it sleeps, and is woken unless it is just asking. A
 * ready time would do as well, but GLib wakes the main loop for each change of that, also when it
 * is asking, and when nothing is left to do: for one call after the other, three system calls for
 * each.
 *
 * After a fork, a thread that is not there may seem to hold the lock of the main context for ever,
 * so the context is not touched.
 */
static void
arm_locked (DrayDelivery *self)
{
  if (self->armed || self->source == NULL)
    return;

  self->armed = TRUE;
  g_atomic_int_set (&self->has_news, TRUE);
  if (self->pool->forked || self->awaiting || g_atomic_int_get (&dray_forked))
    return;

  if (self->context != NULL)
    g_main_context_wakeup (self->context);
  else
    g_source_set_ready_time (self->source, 0); /* it is closed, and goes once it was dispatched */
}

void
dray_delivery_add_ticket_locked (DrayDelivery *self, DrayTicket *ticket)
{
  if (ticket->in_delivery || ticket->unannounced || self->source == NULL)
    return;

  ticket->in_delivery = TRUE;
  dray_ticket_ref (ticket);
  g_queue_push_tail_link (&self->tickets, &ticket->delivery_link);
  arm_locked (self);
}

void
dray_delivery_hold_back_ticket_locked (DrayDelivery *self, DrayTicket *ticket)
{
  ticket->unannounced = TRUE;
  self->n_unannounced++;
}

void
dray_delivery_announce_ticket_locked (DrayDelivery *self, DrayTicket *ticket)
{
  ticket->unannounced = FALSE;
  self->n_unannounced--;
  if (ticket->future != NULL && (ticket->events != NULL || dray_ticket_is_done_locked (ticket)))
    dray_delivery_add_ticket_locked (self, ticket);
  else if (self->context == NULL)
    arm_locked (self); /* the source may go now */
}

gboolean
dray_delivery_remove_ticket_locked (DrayDelivery *self, DrayTicket *ticket)
{
  if (!ticket->in_delivery)
    return FALSE;

  ticket->in_delivery = FALSE;
  g_queue_unlink (&self->tickets, &ticket->delivery_link);
  return TRUE;
}

gboolean
dray_delivery_add_notice_locked (DrayDelivery *self, DrayNotice *notice)
{
  if (self->source == NULL)
    return FALSE;
  if (notice->queued)
    return TRUE;

  notice->queued = TRUE;
  notice->link.data = notice;
  g_queue_push_tail_link (notice->last ? &self->last_notices : &self->notices, &notice->link);
  arm_locked (self);
  return TRUE;
}

gboolean
dray_delivery_remove_notice_locked (DrayDelivery *self, DrayNotice *notice)
{
  if (!notice->queued)
    return FALSE;

  notice->queued = FALSE;
  g_queue_unlink (notice->last ? &self->last_notices : &self->notices, &notice->link);
  return TRUE;
}

static gpointer
unref_context_cb (gpointer context)
{
  g_main_context_unref (context);
  return NULL;
}

/* Where this was the last reference, all of the context's sources go, with what they hold: data of
 * callbacks that were not called, or anything else of the user's. That is not for this thread,
 * which is the I/O thread as a rule, and may wait for nobody's code. */
static void
let_go_of_context (GMainContext *context)
{
  GThread *thread = NULL;

  if (context != g_main_context_default ())
    thread = g_thread_try_new ("dray-close", unref_context_cb, context, NULL);

  if (thread != NULL)
    g_thread_unref (thread);
  else
    g_main_context_unref (context);
}

void
dray_delivery_close (DrayDelivery *self)
{
  GMainContext *context = NULL;
  GSource *source = NULL;

  if (self->pool->forked)
    return; /* as in arm_locked() */

  dray_pool_lock (self->pool);
  self->close_later = self->n_holds > 0;
  if (!self->close_later)
    context = g_steal_pointer (&self->context);
  if (!self->close_later && self->source != NULL)
    {
      /* Whether or not there is something left to do: an idle source has to go, too. */
      self->armed = TRUE;
      g_atomic_int_set (&self->has_news, TRUE);
      if (context != NULL)
        g_main_context_wakeup (context);
      else
        g_source_set_ready_time (self->source, 0);
    }
  if (context != NULL)
    source = steal_idle_source_locked (self);
  dray_pool_unlock (self->pool);

  destroy_source (source);
  if (context != NULL)
    let_go_of_context (context);
}
