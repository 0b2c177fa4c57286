/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-ticket.h"

#include "dray-combination.h"
#include "dray-delivery.h"
#include "dray-dependent.h"
#include "dray-descriptor.h"
#include "dray-error-private.h"
#include "dray-flow.h"
#include "dray-map-chunk.h"
#include "dray-pool.h"
#include "dray-pull.h"
#include "dray-run.h"
#include "dray-task-private.h"

#include <glib/gi18n-lib.h>

DrayTicket *
dray_ticket_new (DrayPool *pool, DrayTask *task)
{
  DrayTicket *self = g_new0 (DrayTicket, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->pool = dray_pool_ref (pool);
  self->task = task != NULL ? dray_task_ref (task) : NULL;
  self->priority = task != NULL ? dray_task_get_priority (task) : 0;
  self->progress = -1;
  self->pull = task != NULL && dray_task_get_pull (task) ? dray_pull_new () : NULL;
  self->last_callback = &self->callbacks;
  self->pending.data = self;
  self->open_link.data = self;
  self->delivery_link.data = self;
  self->worker_link.data = self;
  g_cond_init (&self->done);

  return self;
}

DrayTicket *
dray_ticket_ref (DrayTicket *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
dray_ticket_unref (DrayTicket *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->future == NULL);
  g_assert (self->ties == NULL
            || (self->ties->combination == NULL && g_queue_is_empty (&self->ties->dependents)));
  g_free (self->ties);
  dray_event_free_all (self->events);
  g_assert (self->run_ticket == NULL);
  g_clear_pointer (&self->run, dray_run_free);
  g_clear_pointer (&self->pull, dray_pull_free);
  dray_done_callback_free_all (self->callbacks);
  g_clear_pointer (&self->result, g_variant_unref);
  g_clear_error (&self->error);
  g_clear_pointer (&self->attachments, dray_descriptor_list_release);
  g_free (self->status);
  g_clear_object (&self->cancellable);
  g_cond_clear (&self->done);
  g_clear_pointer (&self->task, dray_task_unref);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_clear_pointer (&self->lifts, g_ptr_array_unref);
  g_clear_pointer (&self->chunk, dray_map_chunk_unref);
  g_clear_pointer (&self->delivery, dray_delivery_unref);
  dray_pool_unref (self->pool);
  g_free (self);
}

void
dray_ticket_unref_closure (gpointer data, GClosure *closure)
{
  dray_ticket_unref (data);
}

/* --- Events --- */

static gsize
event_size (const DrayEvent *event)
{
  return event->value != NULL ? g_variant_get_size (event->value) : 0;
}

static void
append_event_locked (DrayTicket *self, DrayEvent *event)
{
  if (self->last_event != NULL)
    self->last_event->next = event;
  else
    self->events = event;
  self->last_event = event;

  dray_flow_count_locked (self, 1, (gssize) event_size (event));
  dray_delivery_add_ticket_locked (self->delivery, self);
}

void
dray_ticket_add_item_locked (DrayTicket *self, GVariant *value)
{
  self->pool->counters.items++;
  if (self->run != NULL)
    dray_run_add_item_locked (self, value);
  else
    dray_ticket_keep_item_locked (self, value);
}

gboolean
dray_ticket_keeps_items_locked (DrayTicket *self)
{
  return self->future != NULL
         && (self->pull == NULL || !dray_pull_is_discarded_locked (self->pull));
}

void
dray_ticket_keep_item_locked (DrayTicket *self, GVariant *value)
{
  DrayEvent *event;

  if (dray_ticket_is_done_locked (self) || !dray_ticket_keeps_items_locked (self))
    {
      g_variant_unref (value);
      return;
    }

  if (self->pull != NULL)
    {
      dray_pull_add_locked (self, value);
      return;
    }

  event = g_new0 (DrayEvent, 1);
  event->value = value;
  append_event_locked (self, event);
}

/* Progress that was not delivered yet is replaced: only the last word counts, and a job that
 * reports it a million times costs no memory. */
void
dray_ticket_add_progress_locked (DrayTicket *self, double fraction, char *text)
{
  DrayEvent *event = self->last_event;

  if (dray_ticket_is_done_locked (self) || (self->future == NULL && self->run == NULL))
    {
      g_free (text);
      return;
    }

  self->progress = fraction;
  g_free (self->status);
  self->status = g_strdup (text);

  if (self->run != NULL)
    {
      dray_run_add_progress_locked (self, fraction, text);
      g_free (text);
      return;
    }

  if (event == NULL || event->value != NULL)
    {
      event = g_new0 (DrayEvent, 1);
      event->fraction = fraction;
      event->text = text;
      append_event_locked (self, event);
      return;
    }

  event->fraction = fraction;
  g_free (event->text);
  event->text = text;
}

DrayEvent *
dray_ticket_pop_event_locked (DrayTicket *self)
{
  DrayEvent *event = self->events;

  if (event == NULL)
    return NULL;

  self->events = g_steal_pointer (&event->next);
  if (self->events == NULL)
    self->last_event = NULL;
  dray_flow_count_locked (self, -1, -(gssize) event_size (event));

  return event;
}

DrayEvent *
dray_ticket_drop_events_locked (DrayTicket *self)
{
  int n_items = 0;
  gsize n_bytes = 0;

  for (DrayEvent *event = self->events; event != NULL; event = event->next)
    {
      n_items++;
      n_bytes += event_size (event);
    }

  if (n_items > 0)
    dray_flow_count_locked (self, -n_items, -(gssize) n_bytes);
  if (self->counted)
    dray_pool_count_undelivered_locked (self->pool, -1, -(gssize) self->result_size);
  self->counted = FALSE;
  self->last_event = NULL;
  return g_steal_pointer (&self->events);
}

void
dray_event_free_all (DrayEvent *event)
{
  while (event != NULL)
    {
      DrayEvent *next = event->next;

      g_clear_pointer (&event->value, g_variant_unref);
      g_free (event->text);
      g_free (event);
      event = next;
    }
}

void
dray_done_callback_free_all (DrayDoneCallback *callback)
{
  while (callback != NULL)
    {
      DrayDoneCallback *next = callback->next;

      if (callback->destroy != NULL)
        callback->destroy (callback->user_data);
      g_free (callback);
      callback = next;
    }
}

/* --- States --- */

/* The only place where a ticket's state changes. */
static void
set_state_locked (DrayTicket *self, DrayFutureState state)
{
  static const gboolean allowed[][DRAY_FUTURE_CANCELLED + 1] = {
    [DRAY_FUTURE_PENDING]
    = { [DRAY_FUTURE_RUNNING] = TRUE, [DRAY_FUTURE_FAILED] = TRUE, [DRAY_FUTURE_CANCELLED] = TRUE },
    [DRAY_FUTURE_RUNNING] = { [DRAY_FUTURE_PENDING] = TRUE,
                              [DRAY_FUTURE_SUCCEEDED] = TRUE,
                              [DRAY_FUTURE_FAILED] = TRUE,
                              [DRAY_FUTURE_CANCELLED] = TRUE },
    [DRAY_FUTURE_CANCELLED] = { FALSE },
  };

  g_assert (allowed[self->state][state] || (self->task == NULL && state >= DRAY_FUTURE_SUCCEEDED));

  if (self->state == DRAY_FUTURE_RUNNING && self->run == NULL)
    self->pool->counters.running--;
  if (state == DRAY_FUTURE_RUNNING && self->run == NULL)
    self->pool->counters.running++;
  self->state = state;
}

/* Somebody waits for a task that is still pending: nothing may hold up the pool until it runs. */
static void
set_urgent_locked (DrayTicket *self, gboolean urgent)
{
  if (self->waits_urgently == urgent)
    return;

  self->waits_urgently = urgent;
  dray_pool_set_urgent_locked (self->pool, urgent);
}

void
dray_ticket_waiters_changed_locked (DrayTicket *self)
{
  gboolean has_waiters = self->n_waiters > 0
                         || (self->pull != NULL && dray_pull_has_waiters_locked (self->pull));

  set_urgent_locked (self, has_waiters && self->state == DRAY_FUTURE_PENDING);
  dray_flow_changed_locked (self);
}

void
dray_ticket_start_locked (DrayTicket *self)
{
  /* A task that was cancelled while its worker already had it stays cancelled. */
  if (self->state == DRAY_FUTURE_PENDING)
    set_state_locked (self, DRAY_FUTURE_RUNNING);
  set_urgent_locked (self, FALSE);
  if (self->run != NULL)
    dray_run_started_locked (self);
}

void
dray_ticket_restart_locked (DrayTicket *self)
{
  if (self->state == DRAY_FUTURE_RUNNING)
    set_state_locked (self, DRAY_FUTURE_PENDING);
  dray_ticket_waiters_changed_locked (self);
  if (self->run != NULL)
    dray_run_restarted_locked (self);
}

gboolean
dray_ticket_is_done (DrayTicket *self)
{
  gboolean done;

  dray_pool_lock (self->pool);
  done = dray_ticket_is_done_locked (self);
  dray_pool_unlock (self->pool);

  return done;
}

static void
count_outcome_locked (DrayTicket *self, gboolean succeeded, gboolean cancelled)
{
  DrayCounters *counters = &self->pool->counters;

  if (succeeded)
    counters->succeeded++;
  else if (cancelled)
    counters->cancelled++;
  else
    counters->failed++;
}

void
dray_ticket_complete_locked (DrayTicket *self, GVariant *result, GError *error)
{
  gboolean cancelled;

  g_assert ((result != NULL) != (error != NULL));

  if (dray_ticket_is_done_locked (self))
    {
      g_clear_pointer (&result, g_variant_unref);
      g_clear_error (&error);
      return;
    }

  /* A task is cancelled if somebody cancelled it, not if its function made use of that error. */
  cancelled = self->cancel_requested && error != NULL
              && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  set_urgent_locked (self, FALSE);
  set_state_locked (self, result != NULL ? DRAY_FUTURE_SUCCEEDED
                          : cancelled    ? DRAY_FUTURE_CANCELLED
                                         : DRAY_FUTURE_FAILED);
  if (self->chunk != NULL)
    {
      dray_map_chunk_end_locked (self->chunk, result, error);
      dray_pool_ticket_done_locked (self->pool, self);
      return;
    }

  self->result = result;
  self->error = error;
  g_atomic_int_set (&self->settled, TRUE);
  if (self->expected_by > 0)
    dray_delivery_stop_expecting_locked (self->delivery, self);
  if (self->task != NULL)
    {
      if (self->run == NULL)
        count_outcome_locked (self, result != NULL, cancelled);
      self->result_size = result != NULL ? g_variant_get_size (result) : 0;
      dray_pool_ticket_done_locked (self->pool, self);
    }

  /* With no future there is nobody to deliver to. */
  if (self->future != NULL)
    {
      self->counted = TRUE;
      dray_pool_count_undelivered_locked (self->pool, 1, (gssize) self->result_size);
      dray_delivery_add_ticket_locked (self->delivery, self);
    }
  if (self->n_waiters > 0)
    g_cond_broadcast (&self->done);
  if (self->pull != NULL)
    dray_pull_task_done_locked (self);
  if (self->run != NULL)
    dray_run_done_locked (self);
  if (self->run_ticket != NULL)
    dray_run_leave_locked (self);
}

/*
 * What is left to do when a ticket is done, without the lock. Whoever finds it first, of those who
 * may complete it at the same time, does it: it takes everything away under the lock.
 */
void
dray_ticket_tie_up (DrayTicket *self)
{
  g_autoptr (GCancellable) cancellable = NULL;
  DrayCombination *combination = NULL;
  GQueue line = G_QUEUE_INIT;
  gboolean held = FALSE, cancel_parts;
  gulong handler;

  dray_pool_lock (self->pool);
  if (dray_ticket_is_done_locked (self))
    {
      held = self->holds_delivery;
      self->holds_delivery = FALSE;
      cancellable = g_steal_pointer (&self->cancellable);
      combination = dray_ticket_steal_combination_locked (self);
      dray_dependents_steal_locked (self, &line);
    }
  handler = self->cancelled_handler;
  cancel_parts = self->cancel_parts;
  dray_pool_unlock (self->pool);

  /* After a fork, a thread that is not there may seem to hold GLib's locks for ever. */
  if (self->pool->forked)
    cancellable = NULL;
  if (cancellable != NULL)
    g_signal_handler_disconnect (cancellable, handler);
  if (held)
    dray_delivery_release (self->delivery);
  if (combination != NULL)
    dray_combination_leave (combination, cancel_parts);
  dray_dependents_run (&line);
  if (self->run != NULL)
    dray_run_release_members (self);
}

static gboolean
has_loose_ends_locked (DrayTicket *self)
{
  return self->cancellable != NULL || self->ties != NULL || self->holds_delivery
         || self->run != NULL;
}

void
dray_ticket_complete (DrayTicket *self, GVariant *result, GError *error)
{
  gboolean loose;

  dray_pool_lock (self->pool);
  dray_ticket_complete_locked (self, result, error);
  loose = has_loose_ends_locked (self);
  dray_pool_unlock (self->pool);

  if (loose)
    dray_ticket_tie_up (self);
}

gboolean
dray_ticket_complete_and_start (
  DrayTicket *self, GVariant *result, GUnixFDList *attachments, GError *error, DrayTicket *next)
{
  gboolean loose, cancelled = FALSE;

  dray_pool_lock (self->pool);
  if (!dray_ticket_is_done_locked (self))
    self->attachments = g_steal_pointer (&attachments);
  dray_ticket_complete_locked (self, result, error);
  loose = has_loose_ends_locked (self);
  if (next != NULL)
    {
      dray_ticket_start_locked (next);
      cancelled = next->cancel_requested;
    }
  dray_pool_unlock (self->pool);

  dray_descriptor_list_release (attachments); /* without the lock */
  if (loose)
    dray_ticket_tie_up (self);
  return cancelled;
}

void
dray_ticket_announce (DrayTicket *self)
{
  dray_pool_lock (self->pool);
  if (self->unannounced)
    dray_delivery_announce_ticket_locked (self->delivery, self);
  dray_pool_unlock (self->pool);
}

/* --- Waiting --- */

static void
wake_waiters_cb (GCancellable *cancellable, gpointer user_data)
{
  DrayTicket *self = user_data;

  dray_pool_lock (self->pool);
  g_cond_broadcast (&self->done);
  dray_pool_unlock (self->pool);
}

/* Once the task runs, only its own worker's output matters: whether that is read depends on
 * n_waiters, which the I/O thread looks at when output is held back. */
static void
count_waiter_locked (DrayTicket *self, int change)
{
  self->n_waiters += (guint) change;
  dray_ticket_waiters_changed_locked (self);
}

/* Returns whether the ticket is done. @deadline: monotonic, µs, or -1. */
static gboolean
wait_locked (DrayTicket *self, gint64 deadline, GCancellable *cancellable)
{
  if (self->expected_by > 0)
    {
      dray_pool_unlock (self->pool);
      dray_pool_expect (self, &self->settled);
      dray_pool_lock (self->pool);
    }

  while (!dray_ticket_is_done_locked (self) && !g_cancellable_is_cancelled (cancellable))
    {
      if (deadline < 0)
        g_cond_wait (&self->done, &self->pool->lock);
      else if (!g_cond_wait_until (&self->done, &self->pool->lock, deadline))
        break;
    }

  return dray_ticket_is_done_locked (self);
}

gint64
dray_ticket_get_deadline (gint64 timeout)
{
  gint64 now = g_get_monotonic_time ();

  return timeout < 0 || timeout > G_MAXINT64 - now ? -1 : now + timeout;
}

gboolean
dray_ticket_wait (DrayTicket *self, gint64 timeout, GCancellable *cancellable, GError **error)
{
  gint64 deadline = dray_ticket_get_deadline (timeout);
  gboolean lifts = self->lifts != NULL && timeout != 0; /* who only looks makes nothing urgent */
  gulong handler = 0;
  gboolean done;

  dray_fork_check ();
  if (cancellable != NULL)
    handler = g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (wake_waiters_cb),
                                     dray_ticket_ref (self), dray_ticket_unref_closure, 0);

  if (lifts)
    dray_pool_set_urgent_all (self->lifts, TRUE);
  dray_pool_lock (self->pool);
  done = dray_ticket_is_done_locked (self);
  if (!done && timeout != 0)
    {
      count_waiter_locked (self, 1);
      done = wait_locked (self, deadline, cancellable);
      count_waiter_locked (self, -1);
    }
  dray_pool_unlock (self->pool);
  if (lifts)
    dray_pool_set_urgent_all (self->lifts, FALSE);

  if (handler != 0)
    g_signal_handler_disconnect (cancellable, handler);

  if (!done && !g_cancellable_set_error_if_cancelled (cancellable, error))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                         _ ("The task was not finished in time"));
  return done;
}
