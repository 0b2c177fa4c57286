/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool.h"

#include "dray-command.h"
#include "dray-lists.h"
#include "dray-pool-worker.h"
#include "dray-sigpipe.h"
#include "dray-spin.h"
#include "dray-task-private.h"

#include <glib/gi18n-lib.h>

/*
 * The I/O thread's part of the pool: who gets which task, when a worker is started, and when all
 * is over.
 *
 * Who is next. Calls and commands wait in a queue each; of the first of both, the one with the
 * higher priority goes first, then the one that has had it for longer. A call goes to an idle worker;
 * else a worker is started for it, if there is a free slot, and no launch has just failed; else it is
 * put behind the task that some worker runs, as many as that one will run in a millisecond, so that
 * it need not wait for the next message. Calls are given out as many at a time as a worker takes of
 * its share of what is pending. When a worker has nothing to do while another one still has tasks
 * waiting behind a long one, those are recalled.
 *
 * Launch failures. After each in a row the pool waits twice as long before the next try; after
 * MAX_LAUNCH_FAILURES, with no worker left, the calls that wait fail with the reason of the last
 * one. Workers that die before they have finished any task slow the pool down in the same way,
 * but fail nobody but the task they ran.
 */

#define MAX_AT_ONCE 256 /* calls given out at a time */

#define MAX_RESTING 64 /* with more workers at work there is always one that needs us */

/* Bytes of arguments that a submitting thread may write itself. */
#define MAX_DIRECT_SIZE ((gsize) 16 * 1024)

#define MAX_LAUNCH_FAILURES 3
#define FIRST_DELAY (20 * G_TIME_SPAN_MILLISECOND)
#define MAX_DELAY (2 * G_TIME_SPAN_SECOND)

/* --- Launching --- */

static void
delay_launch (DrayPool *self, guint n_failures)
{
  gint64 delay = MIN (FIRST_DELAY << MIN (n_failures - 1, 10u), MAX_DELAY);

  dray_io_timer_set (&self->relaunch, self->io, g_get_monotonic_time () + delay);
}

void
dray_pool_relaunch_cb (DrayIoTimer *timer)
{
  DrayPool *self = (DrayPool *) (gpointer) ((guint8 *) timer
                                            - G_STRUCT_OFFSET (DrayPool, relaunch));

  dray_pool_dispatch (self);
}

/* Only those that have waited for the failed attempts: who hears of the first failure may have done
 * something about the reason, and submits the next call before the last one has failed. */
static void
fail_pending_calls (DrayPool *self)
{
  DrayTicket *ticket;
  guint64 last_id;

  g_mutex_lock (&self->lock);
  last_id = self->last_ticket_id;
  g_mutex_unlock (&self->lock);

  do
    {
      g_mutex_lock (&self->lock);
      ticket = dray_pending_queue_peek (self->calls);
      if (ticket != NULL && ticket->id > last_id)
        ticket = NULL;
      if (ticket != NULL)
        dray_pool_dequeue_locked (self, ticket);
      g_mutex_unlock (&self->lock);

      if (ticket != NULL)
        {
          dray_ticket_complete (ticket, NULL, g_error_copy (self->launch_error));
          dray_ticket_unref (ticket);
        }
    }
  while (ticket != NULL);
}

void
dray_pool_note_launch_failure (DrayPool *self, GError *reason)
{
  g_clear_error (&self->launch_error);
  self->launch_error = reason;
  self->n_launch_failures++;
  self->launch_hopeless = self->n_launch_failures >= MAX_LAUNCH_FAILURES;
  delay_launch (self, self->n_launch_failures);
}

void
dray_pool_note_early_death (DrayPool *self)
{
  self->n_early_deaths++;
  delay_launch (self, self->n_early_deaths);
}

/* Whether any worker may still take calls, or leaves behind what another one needs: when it is gone
 * there is one more try at least. */
static gboolean
has_hope (DrayPool *self)
{
  return !g_queue_is_empty (&self->workers);
}

static void
start_worker (DrayPool *self)
{
  GError *error = NULL;

  if (!dray_pool_worker_start (self, &error))
    dray_pool_note_launch_failure (self, error);
}

/* Tasks that come later get a try of their own. */
static void
give_up_if_hopeless (DrayPool *self)
{
  if (self->launch_hopeless && !has_hope (self))
    fail_pending_calls (self);
  self->launch_hopeless = FALSE;
}

/* --- Giving out --- */

static guint
count_used_slots (DrayPool *self)
{
  return self->n_busy + self->n_starting + self->running_commands.length;
}

static gboolean
has_free_slot (DrayPool *self)
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

static DrayTicket *
take_first (DrayPool *self, DrayPendingQueue *queue)
{
  DrayTicket *ticket;

  g_mutex_lock (&self->lock);
  ticket = dray_pending_queue_peek (queue);
  if (ticket != NULL)
    dray_pool_dequeue_locked (self, ticket);
  g_mutex_unlock (&self->lock);

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

static gboolean
goes_last (DrayTicket *ticket)
{
  return dray_task_get_pull (ticket->task) || dray_ticket_is_heavy (ticket);
}

/* Whether there was any left to give. */
static gboolean
give_calls_to (DrayPool *self, DrayPoolWorker *worker, guint n_calls)
{
  DrayTicket *tickets[MAX_AT_ONCE];
  guint n_taken = 0;

  g_mutex_lock (&self->lock);
  while (n_taken < n_calls && (tickets[n_taken] = dray_pending_queue_peek (self->calls)) != NULL)
    {
      dray_pool_dequeue_locked (self, tickets[n_taken]);
      if (goes_last (tickets[n_taken++]))
        break; /* nothing is put behind it: see dray_pool_worker_get_room() */
    }
  g_mutex_unlock (&self->lock);

  for (guint i = 0; i < n_taken; i++)
    dray_pool_worker_take (worker, tickets[i]);
  return n_taken > 0;
}

static gboolean
is_paused_locked (DrayPool *self)
{
  return self->paused && self->n_urgent == 0 && !self->shutting_down;
}

static Pending
look_at_pending (DrayPool *self)
{
  Pending pending = { 0 };

  g_mutex_lock (&self->lock);
  if (!is_paused_locked (self))
    {
      DrayTicket *call = dray_pending_queue_peek (self->calls);
      DrayTicket *command = dray_pending_queue_peek (self->commands);

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
  g_mutex_unlock (&self->lock);

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
  gboolean has_slot = has_free_slot (self);
  DrayPoolWorker *worker = has_slot ? find_idle_worker (self) : NULL;

  /* Workers that are starting have a call each coming to them. */
  if (worker == NULL && pending->n_calls <= self->n_starting)
    return FALSE;

  if (worker == NULL && has_slot && self->relaunch.io == NULL)
    {
      if (waits_for_leaving_workers (self))
        return FALSE;
      start_worker (self);
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

  if (!has_free_slot (self))
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

  g_mutex_lock (&self->lock);
  paused = is_paused_locked (self);
  g_mutex_unlock (&self->lock);

  *at_once = paused || uses_too_many_slots (self);
  return *at_once
         || (has_free_slot (self)
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

static void
flush_workers (DrayPool *self)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&self->unflushed_workers)) != NULL)
    {
      DrayPoolWorker *worker = link->data;

      worker->is_unflushed = FALSE;
      dray_pool_worker_flush (worker);
    }
}

/* --- The end --- */

static void
end_all (DrayPool *self, guint grace)
{
  for (GList *link = self->workers.head, *next; link != NULL; link = next)
    {
      next = link->next;
      dray_pool_worker_end (link->data, grace);
    }

  for (GList *link = self->running_commands.head, *next; link != NULL; link = next)
    {
      next = link->next;
      dray_command_end (link->data, grace);
    }
}

static void
retire_idle (DrayPool *self, gboolean recall)
{
  for (GList *link = self->workers.head, *next; link != NULL; link = next)
    {
      next = link->next;
      dray_pool_worker_retire_when_idle (link->data);
      if (recall)
        dray_pool_worker_recall (link->data);
    }
}

/* What the shutdown's mode asks of the processes; the tickets were seen to by its caller. */
static void
apply_shutdown (DrayPool *self)
{
  DrayShutdownMode mode;
  gboolean calls_left;

  g_mutex_lock (&self->lock);
  mode = self->mode;
  calls_left = dray_pending_queue_get_length (self->calls) > 0 || self->n_deferred > 0;
  g_mutex_unlock (&self->lock);

  if (mode == DRAY_SHUTDOWN_KILL)
    end_all (self, 0);
  else if (mode == DRAY_SHUTDOWN_TERMINATE)
    end_all (self, self->now.grace_period);
  else if (!calls_left)
    retire_idle (self, mode == DRAY_SHUTDOWN_CANCEL_PENDING);
}

static gboolean
is_finished (DrayPool *self)
{
  gboolean finished;

  if (!g_queue_is_empty (&self->workers) || !g_queue_is_empty (&self->running_commands))
    return FALSE;

  g_mutex_lock (&self->lock);
  finished = self->shutting_down && self->n_refusing == 0 && self->n_deferred == 0
             && dray_pending_queue_get_length (self->calls) == 0
             && dray_pending_queue_get_length (self->commands) == 0;
  g_mutex_unlock (&self->lock);

  return finished;
}

static void
leave_io_thread (DrayPool *self)
{
  DrayIoThread *io;
  GList *cancels;

  dray_io_timer_clear (&self->relaunch);
  dray_io_timer_clear (&self->recall);

  g_mutex_lock (&self->lock);
  io = g_steal_pointer (&self->io);
  cancels = g_steal_pointer (&self->cancels.head);
  g_queue_init (&self->cancels);
  g_mutex_unlock (&self->lock);

  g_list_free_full (cancels, (GDestroyNotify) dray_ticket_unref);
  dray_io_thread_forget (io, &self->client);
  dray_pool_close (self);
  dray_io_thread_release (io);
}

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

  /* Steps of one dispatch call others that end in one: once is enough. */
  if (self->dispatching)
    {
      self->dispatch_again = TRUE;
      return;
    }

  self->dispatching = TRUE;
  do
    {
      self->dispatch_again = FALSE;
      while (give_out_one (self))
        ;
      give_up_if_hopeless (self);
      flush_workers (self);
      recall_waiting_tasks (self);

      g_mutex_lock (&self->lock);
      shutting_down = self->shutting_down && self->n_refusing == 0;
      g_mutex_unlock (&self->lock);
      if (shutting_down)
        apply_shutdown (self);
    }
  while (self->dispatch_again);
  self->dispatching = FALSE;
  rest (self);

  if (shutting_down && is_finished (self) && self->io != NULL)
    {
      leave_io_thread (self);
      dray_pool_unref (self); /* the I/O thread's, taken with the first task */
    }
}

/* --- By other threads --- */

/*
 * The way over the I/O thread costs a call that nobody was before a wake-up, which is longer than
 * many a call takes. So if that thread is asleep, and a worker has nothing to do, whoever submits
 * writes the message himself.
 *
 * Only this one ticket is touched, of which the caller holds a reference: so nothing of the
 * application's can be freed, and no code of its can run, while the I/O thread is held up. And only
 * as many bytes are written as take a moment.
 */
static DrayPoolWorker *
find_direct_worker_locked (DrayPool *self, DrayTicket *ticket)
{
  GList *link = self->idle_workers.head;

  if (link == NULL || !has_free_slot (self) || is_paused_locked (self)
      || dray_pending_queue_get_length (self->calls) > 1
      || dray_pending_queue_get_length (self->commands) > 0
      || dray_pending_queue_peek (self->calls) != ticket
      || dray_pool_task_size (ticket->task) > MAX_DIRECT_SIZE
      || dray_pool_worker_get_room (link->data) == 0)
    return NULL;

  return link->data;
}

/* @time: that a task takes, in µs; 0: not known. What is run for others has no delivery of its own. */
static void
expect_locked (DrayTicket *ticket, gint64 time)
{
  if (time == 0 || 2 * time > DRAY_SPIN_MAX || ticket->delivery == NULL)
    return;

  ticket->expected_by = g_get_monotonic_time () + 2 * time;
  dray_delivery_expect (ticket->delivery, ticket->expected_by);
}

gboolean
dray_pool_give_directly_locked (DrayPool *self, DrayTicket *ticket)
{
  DrayIoThread *io = self->io;
  DrayPoolWorker *worker;

  /* Where it was woken already, it is about to come. */
  if (g_atomic_int_get (&self->client.woken) || !dray_io_thread_try_enter (io))
    return FALSE;

  worker = find_direct_worker_locked (self, ticket);
  if (worker != NULL)
    {
      DraySigpipe sigpipe;

      dray_pool_dequeue_locked (self, ticket);
      g_mutex_unlock (&self->lock);
      dray_sigpipe_block (&sigpipe);
      dray_pool_worker_take (worker, ticket);
      flush_workers (self);
      dray_sigpipe_restore (&sigpipe, worker->process.input_fd < 0);
      g_mutex_lock (&self->lock);
      expect_locked (ticket, dray_pool_worker_get_task_time (worker));
    }
  dray_io_thread_leave (io);

  return worker != NULL;
}

/* --- Woken by other threads --- */

static void
cancel_running (DrayPool *self, DrayTicket *ticket)
{
  if (ticket->worker != NULL)
    {
      dray_pool_worker_cancel (ticket->worker, ticket);
      return;
    }

  for (GList *link = self->running_commands.head; link != NULL; link = link->next)
    {
      DrayCommand *command = link->data;

      if (command->ticket == ticket)
        {
          dray_command_cancel (command);
          return;
        }
    }
}

static void
take_cancels (DrayPool *self)
{
  for (;;)
    {
      DrayTicket *ticket;

      g_mutex_lock (&self->lock);
      ticket = g_queue_pop_head (&self->cancels);
      g_mutex_unlock (&self->lock);

      if (ticket == NULL)
        return;

      cancel_running (self, ticket);
      dray_ticket_unref (ticket);
    }
}

static void
take_kills (DrayPool *self, GArray *kills)
{
  for (guint i = 0; i < kills->len; i++)
    for (GList *link = self->workers.head; link != NULL; link = link->next)
      {
        DrayPoolWorker *worker = link->data;

        if (worker->id == g_array_index (kills, guint64, i))
          dray_process_end (&worker->process, 0);
      }
}

static void
update_reading (DrayPool *self)
{
  for (GList *link = self->workers.head; link != NULL; link = link->next)
    dray_pool_worker_update_reading (link->data);
  for (GList *link = self->running_commands.head; link != NULL; link = link->next)
    dray_command_update_reading (link->data);
}

void
dray_pool_wake_cb (DrayIoClient *client)
{
  DrayPool *self = (DrayPool *) (gpointer) ((guint8 *) client - G_STRUCT_OFFSET (DrayPool, client));
  G_GNUC_UNUSED g_autoptr (DrayPool) kept = dray_pool_ref (self);
  g_autoptr (GArray) kills = NULL;
  gboolean reading_changed, order_changed, idle_timeout_changed, more_tasks, show_all;

  g_mutex_lock (&self->lock);
  idle_timeout_changed = self->now.idle_timeout != self->options.idle_timeout;
  more_tasks = self->now.max_tasks_per_worker != self->options.max_tasks_per_worker;
  self->now = self->options;
  reading_changed = self->reading_changed;
  self->reading_changed = FALSE;
  order_changed = self->order_changed;
  self->order_changed = FALSE;
  show_all = self->lists != NULL && dray_lists_steal_wanted_locked (self->lists);
  if (self->kills->len > 0)
    {
      kills = g_steal_pointer (&self->kills);
      self->kills = g_array_new (FALSE, FALSE, sizeof (guint64));
    }
  g_mutex_unlock (&self->lock);

  take_cancels (self);
  if (kills != NULL)
    take_kills (self, kills);
  if (reading_changed)
    update_reading (self);
  if (order_changed)
    dray_pool_recall_overtaken (self);
  if (idle_timeout_changed)
    for (GList *link = self->idle_workers.head; link != NULL; link = link->next)
      dray_pool_worker_update_idle_timer (link->data);
  if (more_tasks)
    g_queue_foreach (&self->workers, (GFunc) (gpointer) dray_pool_worker_note_room, NULL);
  if (show_all)
    for (GList *link = self->workers.head; link != NULL; link = link->next)
      dray_lists_worker_changed (self, link->data);
  dray_pool_dispatch (self);
}
