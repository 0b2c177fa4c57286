/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool.h"

#include "dray-combination.h"
#include "dray-error-private.h"
#include "dray-flow.h"
#include "dray-future-private.h"
#include "dray-lists.h"
#include "dray-map-flow.h"
#include "dray-run.h"
#include "dray-task-private.h"

#include <glib/gi18n-lib.h>

/* The part of the pool that any thread may use; the I/O thread's is dray-dispatch.c. */

DrayPool *
dray_pool_new (DrayLaunchPlan *plan, const DrayPoolOptions *options)
{
  DrayPool *self = g_new0 (DrayPool, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->plan = plan != NULL ? dray_launch_plan_ref (plan) : NULL;
  /* Now, on a thread of the application's: later, on the I/O thread, somebody may just be changing
   * it. */
  self->environment = g_get_environ ();
  self->options = *options;
  self->now = *options;
  self->client.wake = dray_pool_wake_cb;
  self->relaunch.expired = dray_pool_relaunch_cb;
  self->recall.expired = dray_pool_recall_cb;
  g_mutex_init (&self->lock);
  g_cond_init (&self->closed_cond);
  self->calls = dray_pending_queue_new ();
  self->commands = dray_pending_queue_new ();
  self->kills = g_array_new (FALSE, FALSE, sizeof (guint64));
  self->deliveries = g_hash_table_new (NULL, NULL);
  self->runs = g_hash_table_new (g_str_hash, g_str_equal);

  return self;
}

DrayPool *
dray_pool_ref (DrayPool *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
dray_pool_unref (DrayPool *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->io == NULL && g_queue_is_empty (&self->workers));
  g_clear_pointer (&self->plan, dray_launch_plan_unref);
  g_strfreev (self->environment);
  dray_pending_queue_free (self->calls);
  dray_pending_queue_free (self->commands);
  g_array_unref (self->kills);
  g_hash_table_unref (self->deliveries);
  g_hash_table_unref (self->runs);
  g_clear_pointer (&self->lists, dray_lists_free);
  g_clear_error (&self->launch_error);
  g_cond_clear (&self->closed_cond);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
dray_pool_wake_locked (DrayPool *self)
{
  if (self->io != NULL)
    dray_io_thread_wake (self->io, &self->client);
}

/* --- Limits --- */

void
dray_pool_set_urgent_locked (DrayPool *self, gboolean urgent)
{
  self->n_urgent += urgent ? 1 : -1u;
  if (dray_flow_holds_back_locked (self) || self->paused)
    {
      self->reading_changed = TRUE;
      dray_pool_wake_locked (self);
    }
}

void
dray_pool_set_urgent_all (GPtrArray *pools, gboolean urgent)
{
  for (guint i = 0; i < pools->len; i++)
    {
      DrayPool *pool = pools->pdata[i];

      g_mutex_lock (&pool->lock);
      dray_pool_set_urgent_locked (pool, urgent);
      g_mutex_unlock (&pool->lock);
    }
}

gsize
dray_pool_task_size (DrayTask *task)
{
  GVariant *arguments = dray_task_get_arguments (task);
  GBytes *input = dray_task_get_input_bytes (task);

  return (arguments != NULL ? g_variant_get_size (arguments) : 0)
         + (input != NULL ? g_bytes_get_size (input) : 0);
}

DrayPendingQueue *
dray_pool_get_queue (DrayPool *self, DrayTask *task)
{
  return dray_task_get_kind (task) == DRAY_TASK_CALL ? self->calls : self->commands;
}

static gsize
n_pending_locked (DrayPool *self)
{
  return dray_pending_queue_get_length (self->calls)
         + dray_pending_queue_get_length (self->commands) + self->n_deferred;
}

/* Whether one more task has room. */
static gboolean
has_room_locked (DrayPool *self, DrayTask *task)
{
  gsize n_pending = n_pending_locked (self) + self->n_joined;

  /* A single task always has room: else one that is larger than the limit never would. */
  if (n_pending == 0)
    return TRUE;

  return (self->options.max_pending_tasks == 0 || n_pending < self->options.max_pending_tasks)
         && (self->options.max_pending_bytes == 0
             || self->pending_bytes + self->joined_bytes + dray_pool_task_size (task)
                  <= self->options.max_pending_bytes);
}

/* --- The queue --- */

/* Takes a reference for the queue. */
static void
enqueue_locked (DrayPool *self, DrayTicket *ticket, gboolean again)
{
  DrayPendingQueue *queue = dray_pool_get_queue (self, ticket->task);

  if (again)
    {
      dray_pending_queue_put_back (queue, &ticket->pending, dray_ticket_get_order_locked (ticket));
    }
  else
    {
      ticket->pending.rank = ++self->last_rank;
      dray_pending_queue_push_tail (queue, &ticket->pending, dray_ticket_get_order_locked (ticket));
    }
  self->pending_bytes += dray_ticket_get_size (ticket);
}

/* Its notice may be queued, again even while it is run. Returns whether it was waiting. */
static gboolean
leave_line_locked (DrayPool *self, DrayRoomWaiter *waiter)
{
  gboolean waited = waiter->waits;

  if (waiter->waits)
    g_queue_unlink (&self->room_waiters, &waiter->link);
  waiter->waits = FALSE;
  if (waiter->delivery != NULL
      && dray_delivery_remove_notice_locked (waiter->delivery, &waiter->notice))
    waited = TRUE;

  return waited;
}

void
dray_pool_offer_room_locked (DrayPool *self)
{
  DrayRoomWaiter *waiter;

  while ((waiter = g_queue_peek_head (&self->room_waiters)) != NULL
         && has_room_locked (self, waiter->task)
         && !dray_delivery_add_notice_locked (waiter->delivery, &waiter->notice))
    leave_line_locked (self, waiter); /* its main context is gone */
}

static gboolean
has_to_wait_locked (DrayPool *self, DrayRoomWaiter *waiter)
{
  DrayRoomWaiter *first = g_queue_peek_head (&self->room_waiters);

  return !self->shutting_down
         && ((first != NULL && first != waiter) || !has_room_locked (self, waiter->task));
}

static void
enter_line_locked (DrayPool *self, DrayRoomWaiter *waiter)
{
  if (waiter->waits)
    return;

  waiter->waits = TRUE;
  waiter->link.data = waiter;
  waiter->delivery = dray_delivery_get_locked (self);
  g_queue_push_tail_link (&self->room_waiters, &waiter->link);
}

gboolean
dray_pool_stop_waiting (DrayPool *self, DrayRoomWaiter *waiter)
{
  gboolean waited;

  g_mutex_lock (&self->lock);
  waited = leave_line_locked (self, waiter);
  dray_pool_offer_room_locked (self);
  g_mutex_unlock (&self->lock);

  return waited;
}

void
dray_pool_dequeue_locked (DrayPool *self, DrayTicket *ticket)
{
  dray_pending_queue_remove (dray_pool_get_queue (self, ticket->task), &ticket->pending);
  self->pending_bytes -= dray_ticket_get_size (ticket);
  dray_pool_offer_room_locked (self);
}

/* Whether it was queued; if not, it has to end with @error, or is done. */
static gboolean
queue_late_locked (DrayPool *self, DrayTicket *ticket, gboolean again, GError **error)
{
  if (dray_ticket_is_done_locked (ticket))
    return FALSE;

  if (self->shutting_down && self->mode == DRAY_SHUTDOWN_CANCEL_PENDING)
    ticket->cancel_requested = TRUE;
  if (ticket->cancel_requested)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled"));
      return FALSE;
    }

  if (self->shutting_down && self->mode > DRAY_SHUTDOWN_CANCEL_PENDING)
    {
      g_propagate_error (error, dray_pool_shut_down_error ());
      return FALSE;
    }

  dray_ticket_restart_locked (ticket);
  enqueue_locked (self, ticket, again);
  return TRUE;
}

void
dray_pool_requeue (DrayPool *self, DrayTicket *ticket)
{
  GError *error = NULL;
  gboolean queued;

  g_mutex_lock (&self->lock);
  queued = queue_late_locked (self, ticket, TRUE, &error);
  g_mutex_unlock (&self->lock);

  if (error != NULL)
    dray_ticket_complete (ticket, NULL, error);
  if (!queued)
    dray_ticket_unref (ticket);
}

static void
defer_locked (DrayPool *self, DrayTicket *ticket)
{
  ticket->deferred = TRUE;
  self->n_deferred++;
  self->pending_bytes += dray_ticket_get_size (ticket);
}

static void
end_deferral_locked (DrayPool *self, DrayTicket *ticket)
{
  ticket->deferred = FALSE;
  self->n_deferred--;
  self->pending_bytes -= dray_ticket_get_size (ticket);
  dray_pool_offer_room_locked (self);
  dray_pool_wake_locked (self);
}

void
dray_pool_resume (DrayPool *self, DrayTicket *ticket, GVariant *arguments)
{
  GError *error = NULL;
  gboolean queued;

  g_mutex_lock (&self->lock);
  if (ticket->deferred)
    end_deferral_locked (self, ticket);
  ticket->arguments = arguments;
  ticket->follows = TRUE;
  queued = queue_late_locked (self, ticket, FALSE, &error);
  g_mutex_unlock (&self->lock);

  if (error != NULL)
    dray_ticket_complete (ticket, NULL, error);
  if (!queued)
    dray_ticket_unref (ticket);
}

void
dray_pool_ticket_done_locked (DrayPool *self, DrayTicket *ticket)
{
  if (dray_pending_link_is_queued (&ticket->pending))
    dray_pool_dequeue_locked (self, ticket);
  if (ticket->deferred)
    end_deferral_locked (self, ticket);
  g_queue_unlink (&self->open, &ticket->open_link);

  if (self->lists != NULL && dray_ticket_is_listed (ticket))
    dray_lists_ticket_done_locked (self->lists, ticket);
}

/* --- Submitting --- */

GError *
dray_pool_shut_down_error (void)
{
  return g_error_new_literal (DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, _ ("The executor was shut down"));
}

/* Why @ticket is not accepted, or NULL. */
static GError *
find_refusal_locked (DrayPool *self, DrayTicket *ticket, GCancellable *cancellable)
{
  GError *error = NULL;

  if (g_cancellable_is_cancelled (cancellable))
    {
      ticket->cancel_requested = TRUE;
      return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled"));
    }

  if (self->shutting_down)
    return dray_pool_shut_down_error ();

  if (self->plan == NULL && dray_task_get_kind (ticket->task) == DRAY_TASK_CALL)
    return g_error_new_literal (DRAY_ERROR, DRAY_ERROR_LAUNCH,
                                _ ("This executor has no launcher, so that it runs commands only"));

  if (ticket->chunk == NULL && !has_room_locked (self, ticket->task))
    return g_error_new_literal (DRAY_ERROR, DRAY_ERROR_QUEUE_FULL,
                                _ ("Too many tasks are waiting already"));

  if (self->io == NULL)
    {
      self->io = dray_io_thread_acquire (&error);
      if (self->io != NULL)
        dray_pool_ref (self); /* until it is closed */
    }
  return error;
}

/* Queues what is to be run for @ticket; unless it is another task's run, which is returned (transfer
 * full), as is a new one. */
static DrayTicket *
queue_locked (DrayPool *self, DrayTicket *ticket)
{
  DrayTicket *run = NULL;
  DrayTicket *queued = ticket;
  gboolean is_new = TRUE;

  if (dray_task_get_key (ticket->task) != NULL)
    queued = run = dray_run_join_locked (ticket, &is_new);

  if (is_new)
    {
      enqueue_locked (self, dray_ticket_ref (queued), FALSE);
      if (!dray_pool_give_directly_locked (self, queued))
        dray_pool_wake_locked (self);
    }
  return run;
}

/* Returns what the caller has to drop without the lock (transfer full) (nullable). */
static DrayTicket *
submit_locked (DrayPool *self, DrayTicket *ticket, GCancellable *cancellable)
{
  GError *refusal;

  self->counters.submitted++;
  g_queue_push_tail_link (&self->open, &ticket->open_link);
  if (self->lists != NULL)
    dray_lists_ticket_submitted_locked (self->lists, ticket);

  refusal = find_refusal_locked (self, ticket, cancellable);
  if (refusal != NULL)
    {
      dray_ticket_complete_locked (ticket, NULL, refusal);
      return NULL;
    }

  if (ticket->ties != NULL) /* it follows another one */
    {
      defer_locked (self, ticket);
      return NULL;
    }

  return queue_locked (self, ticket);
}

void
dray_pool_submit_chunk_locked (DrayPool *self,
                               DrayTicket *ticket,
                               guint n_calls,
                               const GError *refusal)
{
  GError *error = refusal != NULL ? g_error_copy (refusal) : NULL;

  ticket->id = self->last_ticket_id + 1;
  self->last_ticket_id += n_calls;
  self->counters.submitted += n_calls;
  g_queue_push_tail_link (&self->open, &ticket->open_link);

  if (error == NULL)
    error = find_refusal_locked (self, ticket, NULL);
  if (error != NULL)
    {
      ticket->cancel_requested = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      dray_ticket_complete_locked (ticket, NULL, error);
      return;
    }

  dray_ticket_ref (ticket);
  enqueue_locked (self, ticket, FALSE);
  dray_pool_wake_locked (self);
}

void
dray_pool_add_chunk_locked (DrayPool *self, DrayTicket *ticket, guint64 id)
{
  ticket->id = id;
  g_queue_push_tail_link (&self->open, &ticket->open_link);
}

/* NULL: @waiter (nullable) has to wait. */
static DrayFuture *
submit_ticket (DrayPool *self,
               DrayTicket *ticket,
               GCancellable *cancellable,
               DrayRoomWaiter *waiter)
{
  g_autoptr (DrayFuture) future = dray_future_for_ticket (ticket);
  g_autoptr (DrayTicket) run = NULL;
  gboolean closed, waits;

  dray_task_seal (ticket->task);

  g_mutex_lock (&self->lock);
  ticket->delivery = dray_delivery_get_locked (self);
  closed = self->closed;
  waits = waiter != NULL && has_to_wait_locked (self, waiter);
  if (waits)
    {
      enter_line_locked (self, waiter);
    }
  else
    {
      ticket->id = ++self->last_ticket_id;
      run = submit_locked (self, ticket, cancellable);
      if (waiter != NULL)
        leave_line_locked (self, waiter);
      dray_pool_offer_room_locked (self);
    }
  g_mutex_unlock (&self->lock);

  if (waits)
    return NULL;

  /* A closed pool keeps no delivery: that one goes as soon as it has told of the refusal. */
  if (closed)
    dray_delivery_close (ticket->delivery);
  if (cancellable != NULL)
    dray_ticket_set_cancellable (ticket, cancellable);
  return g_steal_pointer (&future);
}

DrayFuture *
dray_pool_submit (DrayPool *self, DrayTask *task, GCancellable *cancellable)
{
  g_autoptr (DrayTicket) ticket = dray_ticket_new (self, task);

  return submit_ticket (self, ticket, cancellable, NULL);
}

DrayFuture *
dray_pool_submit_with_room (DrayPool *self, DrayRoomWaiter *waiter, GCancellable *cancellable)
{
  g_autoptr (DrayTicket) ticket = dray_ticket_new (self, waiter->task);

  return submit_ticket (self, ticket, cancellable, waiter);
}

DrayFuture *
dray_pool_submit_after (DrayPool *self, DrayTask *task, DrayTicket *previous, int position)
{
  g_autoptr (DrayTicket) ticket = dray_ticket_new (self, task);
  g_autoptr (DrayCombination) combination = NULL;
  DrayFuture *future;

  combination = dray_combination_follow (ticket, previous, position);
  future = submit_ticket (self, ticket, NULL, NULL);
  dray_combination_begin (combination);
  dray_ticket_tie_up (ticket); /* it may have been refused */
  return future;
}

/* --- Steering --- */

void
dray_pool_set_paused (DrayPool *self, gboolean paused)
{
  g_mutex_lock (&self->lock);
  self->paused = paused;
  dray_pool_wake_locked (self);
  g_mutex_unlock (&self->lock);
}

void
dray_pool_options_changed (DrayPool *self)
{
  g_mutex_lock (&self->lock);
  dray_pool_offer_room_locked (self);
  dray_pool_count_undelivered_locked (self, 0, 0);
  self->reading_changed = TRUE; /* the limits of single futures may have changed as well */
  dray_pool_wake_locked (self);
  g_mutex_unlock (&self->lock);
}

void
dray_pool_kill_worker (DrayPool *self, guint64 worker_id)
{
  g_mutex_lock (&self->lock);
  g_array_append_val (self->kills, worker_id);
  dray_pool_wake_locked (self);
  g_mutex_unlock (&self->lock);
}

/* (transfer full): every unfinished ticket, oldest first. */
GPtrArray *
dray_pool_list_open (DrayPool *self)
{
  GPtrArray *tickets = g_ptr_array_new_with_free_func ((GDestroyNotify) dray_ticket_unref);

  g_mutex_lock (&self->lock);
  for (GList *link = self->open.head; link != NULL; link = link->next)
    g_ptr_array_add (tickets, dray_ticket_ref (link->data));
  g_mutex_unlock (&self->lock);

  return tickets;
}

/* Those that would ask for more. */
static void
cancel_maps (DrayPool *self)
{
  g_autoptr (GPtrArray) maps
    = g_ptr_array_new_with_free_func ((GDestroyNotify) dray_map_flow_unref);

  g_mutex_lock (&self->lock);
  for (GList *link = self->maps.head; link != NULL; link = link->next)
    g_ptr_array_add (maps, dray_map_flow_ref (link->data));
  g_mutex_unlock (&self->lock);

  for (guint i = 0; i < maps->len; i++)
    dray_map_flow_cancel (maps->pdata[i]);
}

void
dray_pool_cancel_all (DrayPool *self)
{
  g_autoptr (GPtrArray) tickets = NULL;

  cancel_maps (self);
  tickets = dray_pool_list_open (self);

  /* The last one first: else what is pending would start where what runs has ended. */
  for (guint i = tickets->len; i > 0; i--)
    dray_ticket_cancel (tickets->pdata[i - 1]);
}

/* --- Ending --- */

/* Nothing pending may run any more. Each ticket is completed by itself, so that the lock is
 * never held for long. */
static void
refuse_pending (DrayPool *self, DrayShutdownMode mode)
{
  for (;;)
    {
      DrayTicket *ticket;

      g_mutex_lock (&self->lock);
      ticket = dray_pending_queue_peek (self->calls);
      if (ticket == NULL)
        ticket = dray_pending_queue_peek (self->commands);
      if (ticket != NULL)
        dray_pool_dequeue_locked (self, ticket);
      if (ticket != NULL && mode == DRAY_SHUTDOWN_CANCEL_PENDING)
        ticket->cancel_requested = TRUE;
      g_mutex_unlock (&self->lock);

      if (ticket == NULL)
        return;

      dray_ticket_complete (ticket, NULL,
                            mode == DRAY_SHUTDOWN_CANCEL_PENDING ? g_error_new_literal (
                              G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled"))
                              : dray_pool_shut_down_error ());
      dray_ticket_unref (ticket);
    }
}

/* What waits for another task will not run: that may run to its end. */
static void
cancel_deferred (DrayPool *self)
{
  g_autoptr (GPtrArray) tickets = NULL;
  gboolean any;

  g_mutex_lock (&self->lock);
  any = self->n_deferred > 0;
  g_mutex_unlock (&self->lock);
  if (!any)
    return;

  tickets = dray_pool_list_open (self);
  for (guint i = tickets->len; i > 0; i--)
    {
      DrayTicket *ticket = tickets->pdata[i - 1];
      gboolean deferred;

      g_mutex_lock (&self->lock);
      deferred = ticket->deferred;
      ticket->cancel_requested |= deferred;
      g_mutex_unlock (&self->lock);

      if (deferred)
        dray_ticket_complete (
          ticket, NULL,
          g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled")));
    }
}

/* What runs is given up by its futures at once; its processes follow. */
static void
refuse_running (DrayPool *self)
{
  g_autoptr (GPtrArray) tickets = dray_pool_list_open (self);

  for (guint i = 0; i < tickets->len; i++)
    dray_ticket_complete (tickets->pdata[i], NULL, dray_pool_shut_down_error ());
}

/* Nobody will have room any more: whoever waits for it is told, and finds the pool shut. */
static void
dismiss_room_waiters_locked (DrayPool *self)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&self->room_waiters)) != NULL)
    {
      DrayRoomWaiter *waiter = link->data;

      waiter->waits = FALSE;
      dray_delivery_add_notice_locked (waiter->delivery, &waiter->notice);
    }
}

/* Returns whether it was kept. */
static gboolean
keep_notice_locked (DrayPool *self, DrayCloseNotice *notice)
{
  if (notice == NULL)
    return FALSE;

  /* A pool that is closed may still have something to hand over. */
  notice->delivery = self->closed ? dray_delivery_find_locked (self)
                                  : dray_delivery_get_locked (self);
  if (notice->delivery == NULL)
    return FALSE;

  notice->notice.last = TRUE;
  notice->notice.link.data = notice;
  if (self->closed)
    dray_delivery_add_notice_locked (notice->delivery, &notice->notice);
  else
    g_queue_push_tail_link (&self->close_notices, &notice->notice.link);
  return TRUE;
}

gboolean
dray_pool_shutdown (DrayPool *self, DrayShutdownMode mode, DrayCloseNotice *notice)
{
  gboolean stronger, kept, never_ran;

  g_mutex_lock (&self->lock);
  stronger = !self->shutting_down || mode > self->mode;
  self->shutting_down = TRUE;
  self->reading_changed = TRUE; /* what nobody pulls any more must not hold it up */
  self->n_refusing++;
  if (stronger)
    self->mode = mode;
  dismiss_room_waiters_locked (self);
  while (!g_queue_is_empty (&self->maps))
    dray_map_flow_shut_down_locked (g_queue_peek_head (&self->maps));
  kept = keep_notice_locked (self, notice);
  never_ran = self->io == NULL;
  g_mutex_unlock (&self->lock);

  if (stronger && mode >= DRAY_SHUTDOWN_CANCEL_PENDING)
    refuse_pending (self, mode);
  if (stronger && mode == DRAY_SHUTDOWN_CANCEL_PENDING)
    cancel_deferred (self);
  if (stronger && mode >= DRAY_SHUTDOWN_TERMINATE)
    refuse_running (self);

  /* Only now: a task that is given up shall not seem to have failed of what is done to its
   * process, and the last one shall be told before the deliveries are closed. */
  g_mutex_lock (&self->lock);
  self->n_refusing--;
  dray_pool_wake_locked (self);
  g_mutex_unlock (&self->lock);

  if (never_ran)
    dray_pool_close (self);
  return kept;
}

static void
close_deliveries (DrayPool *self)
{
  g_autoptr (GPtrArray) deliveries = g_ptr_array_new_with_free_func (
    (GDestroyNotify) dray_delivery_unref);
  GHashTableIter iter;
  gpointer delivery;

  g_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->deliveries);
  while (g_hash_table_iter_next (&iter, NULL, &delivery))
    g_ptr_array_add (deliveries, dray_delivery_ref (delivery));
  g_mutex_unlock (&self->lock);

  for (guint i = 0; i < deliveries->len; i++)
    dray_delivery_close (deliveries->pdata[i]);
}

/* Called once: by the I/O thread, or by whoever shuts down a pool that never had one. */
void
dray_pool_close (DrayPool *self)
{
  GList *link;

  g_mutex_lock (&self->lock);
  if (self->closed)
    {
      g_mutex_unlock (&self->lock);
      return;
    }

  self->closed = TRUE;
  while ((link = g_queue_pop_head_link (&self->close_notices)) != NULL)
    {
      DrayCloseNotice *notice = link->data;

      dray_delivery_add_notice_locked (notice->delivery, &notice->notice);
    }
  g_cond_broadcast (&self->closed_cond);
  g_mutex_unlock (&self->lock);

  close_deliveries (self);
}

static void
wake_waiters_cb (GCancellable *cancellable, gpointer user_data)
{
  DrayPool *self = user_data;

  g_mutex_lock (&self->lock);
  g_cond_broadcast (&self->closed_cond);
  g_mutex_unlock (&self->lock);
}

static void
unref_pool_closure (gpointer data, GClosure *closure)
{
  dray_pool_unref (data);
}

/* (transfer full): those that have to do something before everything here can come to its end. */
static GPtrArray *
list_pools_waited_for (DrayPool *self)
{
  GPtrArray *pools = g_ptr_array_new_with_free_func ((GDestroyNotify) dray_pool_unref);

  g_mutex_lock (&self->lock);
  for (GList *link = self->n_deferred > 0 ? self->open.head : NULL; link != NULL; link = link->next)
    {
      DrayTicket *ticket = link->data;

      for (guint i = 0; ticket->lifts != NULL && i < ticket->lifts->len; i++)
        if (!g_ptr_array_find (pools, ticket->lifts->pdata[i], NULL))
          g_ptr_array_add (pools, dray_pool_ref (ticket->lifts->pdata[i]));
    }
  g_mutex_unlock (&self->lock);

  return pools;
}

gboolean
dray_pool_wait_closed (DrayPool *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) others = list_pools_waited_for (self);
  gulong handler = 0;
  gboolean closed;

  if (cancellable != NULL)
    handler = g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (wake_waiters_cb),
                                     dray_pool_ref (self), unref_pool_closure, 0);

  dray_pool_set_urgent_all (others, TRUE);
  g_mutex_lock (&self->lock);
  dray_pool_set_urgent_locked (self, TRUE);
  while (!self->closed && !g_cancellable_is_cancelled (cancellable))
    g_cond_wait (&self->closed_cond, &self->lock);
  dray_pool_set_urgent_locked (self, FALSE);
  closed = self->closed;
  g_mutex_unlock (&self->lock);
  dray_pool_set_urgent_all (others, FALSE);

  if (handler != 0)
    g_signal_handler_disconnect (cancellable, handler);
  if (!closed)
    g_cancellable_set_error_if_cancelled (cancellable, error);
  return closed;
}
