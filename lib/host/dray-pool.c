/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool.h"

#include "dray-flow.h"
#include "dray-lists.h"
#include "dray-map-chunk.h"
#include "dray-shortfall.h"
#include "dray-task-private.h"

#include <glib/gi18n-lib.h>

/* The part of the pool that any thread may use; the I/O thread's is dray-dispatch.c. */

/* How often a lock that is taken is looked at again; twice as long is waited each time. All of it
 * is a few microseconds, about what it costs to sleep and to be woken. */
#define LOOKS 7

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
  self->restart.expired = dray_pool_restart_cb;
  self->repass.expired = dray_pool_repass_cb;
  self->recall.expired = dray_pool_recall_cb;
  g_mutex_init (&self->lock);
  self->guard.forked = dray_pool_forked_cb;
  self->guard.give_up = dray_pool_give_up_cb;
  dray_fork_guard_add (&self->guard, &self->lock);
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

  dray_fork_guard_remove (&self->guard);
  g_assert (self->io == NULL && g_queue_is_empty (&self->workers));
  g_clear_pointer (&self->plan, dray_launch_plan_unref);
  g_strfreev (self->environment);
  dray_pending_queue_free (self->calls);
  dray_pending_queue_free (self->commands);
  g_array_unref (self->kills);
  g_hash_table_unref (self->deliveries);
  g_hash_table_unref (self->runs);
  g_clear_pointer (&self->lists, dray_lists_free);
  g_clear_pointer (&self->shortfall, dray_shortfall_free);
  g_clear_error (&self->launch_error);
  g_cond_clear (&self->closed_cond);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
pause_for_a_moment (void)
{
#if defined __x86_64__ || defined __i386__
  __builtin_ia32_pause ();
#elif defined __aarch64__
  __asm__ __volatile__ ("isb");
#endif
}

void
dray_pool_lock_contended (DrayPool *self)
{
  for (guint look = 0; look < LOOKS; look++)
    {
      for (guint i = 0; i < 1u << look; i++)
        pause_for_a_moment ();
      if (g_mutex_trylock (&self->lock))
        return;
    }

  g_mutex_lock (&self->lock);
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

      dray_pool_lock (pool);
      dray_pool_set_urgent_locked (pool, urgent);
      dray_pool_unlock (pool);
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

/* --- The queue --- */

GError *
dray_pool_end_error (DrayPool *self)
{
  if (self->forked)
    return dray_fork_error ();

  return g_error_new_literal (DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, _ ("The executor was shut down"));
}

void
dray_pool_enqueue_locked (DrayPool *self, DrayTicket *ticket, gboolean again)
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
      g_propagate_error (error, dray_pool_end_error (self));
      return FALSE;
    }

  dray_ticket_restart_locked (ticket);
  dray_pool_enqueue_locked (self, ticket, again);
  return TRUE;
}

void
dray_pool_requeue (DrayPool *self, DrayTicket *ticket)
{
  GError *error = NULL;
  gboolean queued;

  dray_pool_lock (self);
  queued = queue_late_locked (self, ticket, TRUE, &error);
  dray_pool_unlock (self);

  if (error != NULL)
    dray_ticket_complete (ticket, NULL, error);
  if (!queued)
    dray_ticket_unref (ticket);
}

void
dray_pool_defer_locked (DrayPool *self, DrayTicket *ticket)
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

  dray_pool_lock (self);
  if (ticket->deferred)
    end_deferral_locked (self, ticket);
  ticket->arguments = arguments;
  ticket->follows = TRUE;
  queued = queue_late_locked (self, ticket, FALSE, &error);
  dray_pool_unlock (self);

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

/* --- Steering --- */

void
dray_pool_set_paused (DrayPool *self, gboolean paused)
{
  dray_pool_lock (self);
  self->paused = paused;
  dray_pool_wake_locked (self);
  dray_pool_unlock (self);
}

void
dray_pool_options_changed (DrayPool *self)
{
  dray_pool_lock (self);
  dray_pool_offer_room_locked (self);
  dray_flow_limits_changed_locked (self);
  dray_pool_wake_locked (self);
  dray_pool_unlock (self);
}

void
dray_pool_kill_worker (DrayPool *self, guint64 worker_id)
{
  dray_pool_lock (self);
  g_array_append_val (self->kills, worker_id);
  dray_pool_wake_locked (self);
  dray_pool_unlock (self);
}

/* (transfer full): every unfinished ticket, oldest first. */
GPtrArray *
dray_pool_list_open (DrayPool *self)
{
  GPtrArray *tickets = g_ptr_array_new_with_free_func ((GDestroyNotify) dray_ticket_unref);

  dray_pool_lock (self);
  for (GList *link = self->open.head; link != NULL; link = link->next)
    g_ptr_array_add (tickets, dray_ticket_ref (link->data));
  dray_pool_unlock (self);

  return tickets;
}

/* Of a map whose source is exhausted there are still chunks. They are cancelled like any ticket; but
 * what is split off from one until then would not be among these. */
static void
give_up_maps (DrayPool *self)
{
  g_autoptr (GHashTable) maps = g_hash_table_new_full (NULL, NULL,
                                                       (GDestroyNotify) dray_map_flow_unref, NULL);
  GHashTableIter iter;
  gpointer map;

  dray_pool_lock (self);
  for (GList *link = self->maps.head; link != NULL; link = link->next)
    g_hash_table_add (maps, dray_map_flow_ref (link->data));
  for (GList *link = self->open.head; link != NULL; link = link->next)
    {
      DrayMapChunk *chunk = ((DrayTicket *) link->data)->chunk;

      if (chunk != NULL && !g_hash_table_contains (maps, chunk->flow))
        g_hash_table_add (maps, dray_map_flow_ref (chunk->flow));
    }
  dray_pool_unlock (self);

  g_hash_table_iter_init (&iter, maps);
  while (g_hash_table_iter_next (&iter, &map, NULL))
    dray_map_flow_give_up (map);
}

void
dray_pool_cancel_all (DrayPool *self)
{
  g_autoptr (GPtrArray) tickets = NULL;

  give_up_maps (self);
  tickets = dray_pool_list_open (self);
  dray_ticket_cancel_all (tickets);
}
