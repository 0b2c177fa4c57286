/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool-worker-private.h"

#include "dray-map-chunk.h"

#include <glib/gi18n-lib.h>

/* What the host hears from a worker: the table in dray-pool-worker.h, a function a message. */

void
dray_pool_worker_fail (DrayPoolWorker *self, GError *failure)
{
  if (g_error_matches (failure, DRAY_ERROR, DRAY_ERROR_PROTOCOL))
    {
      g_set_error (&self->failure, failure->domain, failure->code,
                   /* Translators: the worker's program, then what it sent: one of the texts with
                    * the context “sent”. */
                   _ ("The worker “%s” sent something unexpected: %s"),
                      self->pool->plan->display_name, failure->message);
      g_error_free (failure);
    }
  else
    {
      g_propagate_error (&self->failure, failure);
    }

  dray_pool_worker_set_state (self, DRAY_POOL_WORKER_FAILED);
  dray_process_end (&self->process, 0);
  dray_pool_worker_settle (self);
}

GError *
dray_pool_worker_unexpected (DrayFrameType type)
{
  return g_error_new (DRAY_ERROR, DRAY_ERROR_PROTOCOL, C_ ("sent", "a message “%s” out of turn"),
                      dray_frame_type_to_string (type));
}

/* A chunk, all of whose calls end in outcomes. */
static gboolean
is_chunk (DrayTicket *ticket)
{
  return ticket->chunk != NULL && ticket->chunk->arguments == NULL;
}

/* Whether it may be given back as a whole. */
static gboolean
may_be_returned (DrayTicket *ticket)
{
  return ticket->asked_back && (!is_chunk (ticket) || ticket->chunk->n_heard == 0);
}

/* Whether a message belongs to @ticket as it was last given to this worker. */
static gboolean
is_about (const DrayFrameHeader *header, DrayTicket *ticket)
{
  return ticket != NULL && header->task_id == ticket->id && header->attempt == ticket->attempt;
}

/* Of an attempt that is over: dropped. */
static gboolean
is_outdated (const DrayFrameHeader *header, DrayTicket *ticket)
{
  return ticket != NULL && header->task_id == ticket->id && header->attempt < ticket->attempt;
}

/* Returned by a worker that was kept from beginning it: known already. */
static gboolean
is_given_back (DrayPoolWorker *self, const DrayFrameHeader *header, DrayTicket *ticket)
{
  return self->is_shut && ticket == NULL && header->type == DRAY_FRAME_RETURNED;
}

static gboolean
has_cargo (const DrayFrameHeader *header)
{
  return (header->flags & DRAY_FRAME_FLAG_CARGO) != 0
         && (header->type == DRAY_FRAME_ITEM || header->type == DRAY_FRAME_RESULT);
}

/* The worker has done with the current task, and goes on with the first one ahead, if there is
 * one. That has been started; @cancelled: and cancelled before. */
static void
leave_current (DrayPoolWorker *self, gboolean cancelled)
{
  guint max_tasks = self->pool->now.max_tasks_per_worker;

  dray_io_timer_clear (&self->timer);
  dray_process_spare (&self->process);
  self->return_time = 0;

  self->current->worker = NULL;
  self->current = dray_pool_worker_pop_ahead (self);
  if (self->current != NULL)
    dray_pool_worker_note_begun (self, cancelled);
  dray_pool_worker_settle (self);

  if (self->state == DRAY_POOL_WORKER_STOPPING && self->current == NULL)
    dray_process_end (&self->process, self->pool->now.grace_period);
  else if (self->current == NULL
           && (self->process.terminated || self->is_shut
               || (max_tasks > 0 && self->tasks_taken >= max_tasks)))
    dray_pool_worker_retire (self);
}

/* Exactly one of @result and @error is given; they and @attachments (nullable) are taken. */
static void
end_current (DrayPoolWorker *self, GVariant *result, GUnixFDList *attachments, GError *error)
{
  g_autoptr (DrayTicket) ended = self->current;
  gboolean cancelled = dray_ticket_complete_and_start (ended, result, attachments, error,
                                                       g_queue_peek_head (&self->ahead));

  self->n_outcomes++;
  self->pool->n_early_deaths = 0;
  leave_current (self, cancelled);
}

static void
hear_hello (DrayPoolWorker *self, const DrayFrameHeader *header, GBytes *payload, GError **error)
{
  g_auto (DrayHello) hello = { 0 };

  if (!dray_hello_decode (header, payload, DRAY_ROLE_WORKER, &hello, error))
    return;

  dray_child_unleash (self->process.child);
  dray_pool_worker_set_state (self, DRAY_POOL_WORKER_INITIALIZING);
}

static void
hear_launch_error (DrayPoolWorker *self, GBytes *payload, GError **error)
{
  gboolean malformed;
  g_autoptr (GError) reason = dray_error_decode (payload, &malformed);

  if (malformed)
    {
      g_propagate_error (error, g_steal_pointer (&reason));
      return;
    }

  g_set_error (&self->failure, DRAY_ERROR, DRAY_ERROR_LAUNCH,
               _ ("The worker “%s” could not be prepared: %s"), self->pool->plan->display_name,
                  reason->message);
  dray_pool_worker_set_state (self, DRAY_POOL_WORKER_FAILED);
  dray_process_close_input (&self->process);
  dray_process_end (&self->process, self->pool->now.grace_period);
  dray_pool_worker_settle (self);
}

static void
hear_item (DrayPoolWorker *self, GBytes *payload, GBytes *shared, GError **error)
{
  GVariant *value = dray_value_decode_shared (payload, shared, error);

  if (value == NULL)
    return;

  dray_pool_lock (self->pool);
  dray_ticket_add_item_locked (self->current, value);
  dray_pool_unlock (self->pool);
}

static void
hear_progress (DrayPoolWorker *self, GBytes *payload, GError **error)
{
  g_autofree char *text = NULL;
  double fraction;

  if (!dray_progress_decode (payload, &fraction, &text, error))
    return;

  dray_pool_lock (self->pool);
  dray_ticket_add_progress_locked (self->current, fraction, g_steal_pointer (&text));
  dray_pool_unlock (self->pool);
}

static void
hear_result (DrayPoolWorker *self, GBytes *payload, DrayArrival *arrival, GError **error)
{
  GVariant *result = dray_value_decode_shared (payload, arrival->shared, error);

  if (result == NULL)
    return;

  self->tasks_done++;
  end_current (self, result, g_steal_pointer (&arrival->attachments), NULL);
}

/* There is no room here for what came with an item or a result (takes @reason). */
static void
hear_what_has_no_room (DrayPoolWorker *self, const DrayFrameHeader *header, GError *reason)
{
  if (header->type == DRAY_FRAME_RESULT)
    {
      self->tasks_done++;
      end_current (self, NULL, NULL, reason);
      return;
    }

  dray_ticket_complete (self->current, NULL, reason);
  dray_pool_worker_cancel (self, self->current);
}

/* @shared: (nullable) */
static void
count_shared (DrayPoolWorker *self, GBytes *shared)
{
  if (shared == NULL)
    return;

  dray_pool_lock (self->pool);
  self->pool->counters.bytes_in += g_bytes_get_size (shared);
  dray_pool_unlock (self->pool);
}

/* An item or a result with something beside it, which is received whatever becomes of it. */
static void
hear_cargo (DrayPoolWorker *self, const DrayFrameHeader *header, GBytes *payload, GError **error)
{
  g_auto (DrayArrival) arrival = { 0 };
  GError *reason = NULL;

  if (!dray_exchange_receive (self->exchange, payload, self->max_message_size, &arrival, &reason))
    {
      if (g_error_matches (reason, DRAY_ERROR, DRAY_ERROR_PROTOCOL))
        g_propagate_error (error, reason);
      else if (is_about (header, self->current))
        hear_what_has_no_room (self, header, reason);
      else
        g_error_free (reason);
      return;
    }

  count_shared (self, arrival.shared);
  if (!is_about (header, self->current))
    {
      if (!is_outdated (header, dray_pool_worker_find (self, header->task_id)))
        g_propagate_error (error, dray_pool_worker_unexpected (header->type));
    }
  else if (header->type == DRAY_FRAME_RESULT)
    {
      hear_result (self, arrival.payload, &arrival, error);
    }
  else if (arrival.attachments == NULL)
    {
      hear_item (self, arrival.payload, arrival.shared, error);
    }
  else
    {
      g_propagate_error (error, dray_pool_worker_unexpected (header->type));
    }
}

static void
hear_error (DrayPoolWorker *self, GBytes *payload, GError **error)
{
  gboolean malformed;
  GError *reason = dray_error_decode (payload, &malformed);

  if (malformed)
    {
      g_propagate_error (error, reason);
      return;
    }

  self->tasks_done++;
  end_current (self, NULL, NULL, reason);
}

static void
hear_outcomes (DrayPoolWorker *self, GBytes *payload, GError **error)
{
  GVariant *result = NULL;
  GError *failure = NULL;

  if (dray_pool_worker_hear_outcomes (self, payload, &result, &failure, error))
    end_current (self, result, NULL, failure);
}

/* Also of the current task: a cancel or a recall may reach the worker before it has begun what
 * the host thinks it runs. */
static void
hear_returned (DrayPoolWorker *self, DrayTicket *ticket)
{
  DrayTicket *next = g_queue_peek_head (&self->ahead);
  gboolean cancelled = FALSE;

  if (ticket != self->current)
    {
      dray_pool_worker_give_back_one (self, ticket);
      if (self->return_time > 0 && g_queue_is_empty (&self->ahead))
        dray_process_set_end_time (&self->process, 0); /* now */
      return;
    }

  self->tasks_taken--;
  if (next != NULL)
    {
      dray_pool_lock (self->pool);
      dray_ticket_start_locked (next);
      cancelled = next->cancel_requested;
      dray_pool_unlock (self->pool);
    }
  leave_current (self, cancelled);
  ticket->attempt--; /* it was none */
  dray_pool_requeue (self->pool, ticket);
}

static void
hear_ready_worker (DrayPoolWorker *self,
                   const DrayFrameHeader *header,
                   GBytes *payload,
                   GError **error)
{
  gboolean about_current = is_about (header, self->current);
  DrayTicket *ticket = about_current ? self->current
                                     : dray_pool_worker_find (self, header->task_id);

  if (has_cargo (header) && !(about_current && is_chunk (ticket)))
    hear_cargo (self, header, payload, error);
  else if (header->type == DRAY_FRAME_RETURNED && is_about (header, ticket)
           && may_be_returned (ticket))
    hear_returned (self, ticket);
  else if (about_current && is_chunk (ticket) && header->type == DRAY_FRAME_OUTCOMES)
    hear_outcomes (self, payload, error);
  else if (about_current && is_chunk (ticket))
    /* What follows must not be asked of a chunk. */
    g_propagate_error (error, dray_pool_worker_unexpected (header->type));
  else if (about_current && header->type == DRAY_FRAME_ITEM)
    hear_item (self, payload, NULL, error);
  else if (about_current && header->type == DRAY_FRAME_PROGRESS)
    hear_progress (self, payload, error);
  else if (about_current && header->type == DRAY_FRAME_RESULT)
    hear_result (self, payload, &(DrayArrival){ 0 }, error);
  else if (about_current && header->type == DRAY_FRAME_ERROR)
    hear_error (self, payload, error);
  else if (!is_outdated (header, ticket) && !is_given_back (self, header, ticket))
    g_propagate_error (error, dray_pool_worker_unexpected (header->type));
}

static void
hear_ready (DrayPoolWorker *self, const DrayFrameHeader *header, GError **error)
{
  gboolean uses_ring = (header->flags & DRAY_FRAME_FLAG_RING) != 0;

  if (uses_ring && self->ring == NULL)
    {
      g_propagate_error (error, dray_pool_worker_unexpected (header->type));
      return;
    }

  dray_pool_worker_settle_ring (self, uses_ring);
  dray_exchange_settle (self->exchange);
  self->pool->n_launch_failures = 0;
  self->pool->last_proven_id = self->pool->last_worker_id;
  self->was_ready = TRUE;
  dray_pool_worker_set_state (self, DRAY_POOL_WORKER_READY);
  dray_pool_worker_settle (self);
}

static void
hear_new_worker (DrayPoolWorker *self,
                 const DrayFrameHeader *header,
                 GBytes *payload,
                 GError **error)
{
  /* That the program could not be executed is told later, after all was well. */
  if (self->state == DRAY_POOL_WORKER_STARTING && header->type == DRAY_FRAME_CONFINED
      && self->pool->plan->sandbox != DRAY_SANDBOX_NONE)
    {
      dray_pool_worker_hear_confined (self, payload, error);
    }
  else if (dray_pool_worker_expects_confinement (self))
    {
      g_propagate_error (error, dray_pool_worker_unexpected (header->type));
    }
  else if (self->state == DRAY_POOL_WORKER_STARTING && header->type == DRAY_FRAME_HELLO)
    {
      hear_hello (self, header, payload, error);
    }
  else if (header->type == DRAY_FRAME_ERROR && header->task_id == 0)
    {
      hear_launch_error (self, payload, error);
    }
  else if (self->state == DRAY_POOL_WORKER_INITIALIZING && header->type == DRAY_FRAME_READY)
    {
      hear_ready (self, header, error);
    }
  else
    {
      g_propagate_error (error, dray_pool_worker_unexpected (header->type));
    }
}

gboolean
dray_pool_worker_hear_all (DrayPoolWorker *self)
{
  DrayFrameHeader header;
  GBytes *payload = NULL;
  GError *error = NULL;

  while (self->state != DRAY_POOL_WORKER_FAILED
         && dray_decoder_next (self->decoder, &header, &payload, &error))
    {
      if (dray_pool_worker_is_starting (self->state))
        hear_new_worker (self, &header, payload, &error);
      else
        hear_ready_worker (self, &header, payload, &error);
      g_clear_pointer (&payload, g_bytes_unref);
      self->n_messages++;

      if (error != NULL)
        break;
    }

  if (error != NULL)
    dray_pool_worker_fail (self, error);
  return self->state != DRAY_POOL_WORKER_FAILED;
}
