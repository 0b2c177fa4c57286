/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-dispatch-private.h"

#include "dray-command.h"
#include "dray-pool-worker.h"
#include "dray-task-private.h"

/*
 * The I/O thread's part of the pool: who gets which task. When a worker may be started is in
 * dray-dispatch-launch.c, when all is over in dray-dispatch-end.c, and what a submitting thread
 * does in its stead in dray-dispatch-direct.c.
 *
 * Who is next. Calls and commands wait in a queue each; of the first of both, the one with the
 * higher priority goes first, then the one that has had it for longer. A call goes to an idle
 * worker; else a worker is started for it, if there is a free slot, and no launch has just failed;
 * else it is put behind the task that some worker runs, as many as that one will run in a
 * millisecond, so that it need not wait for the next message. Calls are given out as many at a time
 * as a worker takes of its share of what is pending. When a worker has nothing to do while another
 * one still has tasks waiting behind a long one, those are recalled.
 */

#define MAX_AT_ONCE 256 /* calls given out at a time */

#define MAX_RESTING 64 /* with more workers at work there is always one that needs us */

/* --- Giving out --- */

static guint
count_used_slots (DrayPool *self)
{
  return self->n_busy + self->n_starting + self->running_commands.length;
}

gboolean
dray_dispatch_has_free_slot (DrayPool *self)
{
  return count_used_slots (self) < self->now.max_workers;
}

/* As after the limit was lowered. */
static gboolean
uses_too_many_slots (DrayPool *self)
{
  return count_used_slots (self) > self->now.max_workers;
}

static DrayPoolWorker *
find_idle_worker (DrayPool *self)
{
  GList *next;

  for (GList *link = self->idle_workers.head; link != NULL; link = next)
    {
      DrayPoolWorker *worker = link->data;

      next = link->next;
      if (dray_pool_worker_get_room (worker) > 0)
        return worker;
      dray_pool_worker_retire (worker); /* it has run as many tasks as it may */
    }

  return NULL;
}

/* Behind the task that it runs: what it gets then takes over the slot. */
static DrayPoolWorker *
find_worker_with_room_behind (DrayPool *self)
{
  return uses_too_many_slots (self) ? NULL : dray_pool_worker_find_roomy (self);
}

gboolean
dray_dispatch_is_paused_locked (DrayPool *self)
{
  return self->paused && self->n_urgent == 0 && !self->shutting_down;
}

/* What is pending is being refused, one after the other, and none of it may begin meanwhile. */
static gboolean
is_refusing_locked (DrayPool *self)
{
  return self->n_refusing > 0 && self->mode >= DRAY_SHUTDOWN_CANCEL_PENDING;
}

/* Nothing may be given out. This is asked with each taking, in the same hold of the lock: it counts
 * from the moment in which it was said. */
static gboolean
is_held_up_locked (DrayPool *self)
{
  return dray_dispatch_is_paused_locked (self) || is_refusing_locked (self);
}

static DrayTicket *
take_first (DrayPool *self, DrayPendingQueue *queue)
{
  DrayTicket *ticket;

  dray_pool_lock (self);
  ticket = !is_held_up_locked (self) ? dray_pending_queue_peek (queue) : NULL;
  if (ticket != NULL)
    dray_pool_dequeue_locked (self, ticket);
  dray_pool_unlock (self);

  return ticket;
}

/* What the dispatcher looks at before each step. */
typedef struct
{
  gsize n_calls;
  gsize n_commands;
  gboolean command_first;
} Pending;

/* How many calls go to @worker in one go: its share of what is pending, if it has the room. With
 * commands about, each step is decided anew. */
static guint
count_calls_for (DrayPool *self, DrayPoolWorker *worker, const Pending *pending)
{
  gsize share = (pending->n_calls + self->now.max_workers - 1) / self->now.max_workers;
  guint room = dray_pool_worker_get_room (worker);

  if (pending->n_commands > 0)
    return 1;

  return (guint) CLAMP (share, 1, MIN (room, MAX_AT_ONCE));
}

/* Whether there was any left to give. */
static gboolean
give_calls_to (DrayPool *self, DrayPoolWorker *worker, guint n_calls)
{
  DrayTicket *tickets[MAX_AT_ONCE];
  guint n_taken = 0;

  dray_pool_lock (self);
  if (is_held_up_locked (self))
    n_calls = 0;
  while (n_taken < n_calls && (tickets[n_taken] = dray_pending_queue_peek (self->calls)) != NULL
         && !dray_dispatch_waits_to_be_passed (self, tickets[n_taken]))
    {
      dray_pool_dequeue_locked (self, tickets[n_taken]);
      if (dray_pool_worker_is_last (worker, tickets[n_taken++]))
        break; /* nothing is put behind it: see dray_pool_worker_get_room() */
    }
  dray_pool_unlock (self);

  for (guint i = 0; i < n_taken; i++)
    dray_pool_worker_take (worker, tickets[i]);
  return n_taken > 0;
}

gboolean
dray_dispatch_waits_to_be_passed (DrayPool *self, DrayTicket *call)
{
  return self->repass.io != NULL && dray_task_get_attachments (call->task) != NULL;
}

static Pending
look_at_pending (DrayPool *self)
{
  Pending pending = { 0 };

  dray_pool_lock (self);
  if (!is_held_up_locked (self))
    {
      DrayTicket *call = dray_pending_queue_peek (self->calls);
      DrayTicket *command = dray_pending_queue_peek (self->commands);

      if (call != NULL && dray_dispatch_waits_to_be_passed (self, call))
        call = NULL;
      if (call != NULL)
        pending.n_calls = dray_pending_queue_get_length (self->calls);
      pending.n_commands = dray_pending_queue_get_length (self->commands);
      if (call != NULL && command != NULL)
        {
          gint64 call_order = dray_ticket_get_order_locked (call);
          gint64 command_order = dray_ticket_get_order_locked (command);

          pending.command_first = command_order < call_order
                                  || (command_order == call_order
                                      && command->pending.rank < call->pending.rank);
        }
    }
  dray_pool_unlock (self);

  return pending;
}

/* Workers that are on their way out have no slot any more, but take their time. There are never
 * more of them than slots, however fast their successors are used up. */
static gboolean
waits_for_leaving_workers (DrayPool *self)
{
  guint n_staying = self->n_busy + self->n_starting + self->idle_workers.length;

  return self->workers.length >= n_staying + self->now.max_workers;
}

static gboolean
give_out_call (DrayPool *self, const Pending *pending)
{
  gboolean has_slot = dray_dispatch_has_free_slot (self);
  DrayPoolWorker *worker = has_slot ? find_idle_worker (self) : NULL;

  /* Workers that are starting have a call each coming to them. */
  if (worker == NULL && pending->n_calls <= self->n_starting)
    return FALSE;

  if (worker == NULL && has_slot && self->relaunch.io == NULL)
    {
      if (waits_for_leaving_workers (self))
        return FALSE;
      dray_dispatch_start_worker (self);
      return TRUE;
    }

  if (worker == NULL)
    worker = find_worker_with_room_behind (self);
  return worker != NULL && give_calls_to (self, worker, count_calls_for (self, worker, pending));
}

static gboolean
give_out_command (DrayPool *self)
{
  DrayTicket *ticket;

  if (!dray_dispatch_has_free_slot (self))
    return FALSE;

  ticket = take_first (self, self->commands);
  if (ticket != NULL)
    dray_command_start (self, ticket);
  return ticket != NULL;
}

/* Whether it did something. */
static gboolean
give_out_one (DrayPool *self)
{
  Pending pending = look_at_pending (self);

  /* None can be started now. */
  if (self->restart.io != NULL)
    pending.n_commands = 0;

  if (pending.n_commands > 0 && (pending.command_first || pending.n_calls == 0))
    return give_out_command (self);

  if (pending.n_calls > 0 && give_out_call (self, &pending))
    return TRUE;

  /* The call is taken care of, or can't be helped now: that need not hold up a command. */
  return pending.n_commands > 0 && give_out_command (self);
}

/* What waits behind a long task is better off elsewhere: with a worker that has nothing to do, or
 * with one that is started for it; or (@at_once) it must not start at all now. */
static gboolean
has_to_recall (DrayPool *self, gboolean *at_once)
{
  gboolean paused;

  dray_pool_lock (self);
  paused = dray_dispatch_is_paused_locked (self);
  dray_pool_unlock (self);

  *at_once = paused || uses_too_many_slots (self);
  return *at_once
         || (dray_dispatch_has_free_slot (self)
             && (!g_queue_is_empty (&self->idle_workers) || self->relaunch.io == NULL));
}

static void
recall_waiting_tasks (DrayPool *self)
{
  gboolean at_once = FALSE;
  gint64 now, next = G_MAXINT64;

  if (!has_to_recall (self, &at_once))
    return;

  now = g_get_monotonic_time ();
  for (GList *link = self->workers.head; link != NULL; link = link->next)
    {
      DrayPoolWorker *worker = link->data;

      if (!dray_pool_worker_can_recall (worker))
        continue;
      if (at_once || dray_pool_worker_get_recall_time (worker) <= now)
        dray_pool_worker_recall (worker);
      else
        next = MIN (next, dray_pool_worker_get_recall_time (worker));
    }

  if (next != G_MAXINT64 && self->recall.io == NULL)
    dray_io_timer_set (&self->recall, self->io, next);
}

void
dray_pool_recall_cb (DrayIoTimer *timer)
{
  DrayPool *self = (DrayPool *) (gpointer) ((guint8 *) timer - G_STRUCT_OFFSET (DrayPool, recall));

  dray_pool_dispatch (self);
}

void
dray_dispatch_flush_workers (DrayPool *self)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&self->unflushed_workers)) != NULL)
    {
      DrayPoolWorker *worker = link->data;

      worker->is_unflushed = FALSE;
      dray_pool_worker_flush (worker);
    }
}

/* --- All of it --- */

/* The workers have something to do for a while, and need not be looked at. */
static void
rest (DrayPool *self)
{
  gint64 time = G_MAXINT64;

  if (self->n_busy == 0 || self->n_busy > MAX_RESTING || self->io == NULL)
    return;

  for (GList *link = self->workers.head; link != NULL && time > 0; link = link->next)
    {
      DrayPoolWorker *worker = link->data;

      if (worker->is_busy)
        time = MIN (time, dray_pool_worker_get_patience (worker));
    }
  dray_io_thread_rest (self->io, time);
}

void
dray_pool_dispatch (DrayPool *self)
{
  gboolean shutting_down;

  /* None of its steps hears a process, or finds one gone: all that ends in a dispatch. */
  g_assert (!self->dispatching);
  self->dispatching = TRUE;
  while (give_out_one (self))
    ;
  dray_dispatch_give_up_if_hopeless (self);
  dray_dispatch_flush_workers (self);
  recall_waiting_tasks (self);

  dray_pool_lock (self);
  shutting_down = self->shutting_down && self->n_refusing == 0;
  dray_pool_unlock (self);
  if (shutting_down)
    dray_dispatch_apply_shutdown (self);
  self->dispatching = FALSE;
  rest (self);

  if (shutting_down && dray_dispatch_is_finished (self) && self->io != NULL)
    {
      dray_dispatch_leave_io_thread (self);
      dray_pool_unref (self); /* the I/O thread's, taken with the first task */
    }
}
