/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool-worker-private.h"

#include "dray-map-chunk.h"
#include "dray-task-private.h"

/*
 * What a worker has: the current task, and those ahead.
 *
 * How many are sent ahead. A worker that has to wait for the next message between two tasks idles
 * for the time of a round trip, which is some ten microseconds: nothing next to a task of a
 * millisecond, and many times a task of one. So enough is sent ahead for a millisecond, by the
 * measured time of its last tasks, and at least one, at most MAX_AHEAD. A task that takes longer
 * than expected does not hold up those behind it for long: they are recalled, where somebody else
 * could run them, after it has lasted for a millisecond.
 *
 * Large arguments and open files are not sent ahead in numbers, since they take more than a place
 * in a pipe: nothing is sent behind such a task before it is the current one.
 *
 * The time of a task is a moving average over the batches in which outcomes are read: the time
 * from one batch to the next, by the outcomes in it. It is reset when the worker begins again after
 * a pause.
 *
 * How long it can do without us. A worker with many tasks ahead does not have to be looked at
 * before half of them are done. Neither has one that streams: if it has just sent messages faster
 * than they could be dealt with one by one, more will come, and the pipe has room for them.
 */

/* For how long a worker should have work without hearing from us. In µs. */
#define AHEAD_TIME 1000

#define MAX_AHEAD 256

/* Messages that follow each other faster than that are better read many at a time. In µs. */
#define DENSE_TIME 8

/* For how long the pipe holds what comes then, by far. In µs. */
#define DENSE_PATIENCE 1000

/* Bytes that were not written yet, above which nothing more is sent ahead: else large arguments
 * would pile up here. */
#define MAX_UNWRITTEN ((gsize) 64 * 1024)

/* Units of task_time in a microsecond. */
#define TIME_UNITS 16

static guint
get_depth (DrayPoolWorker *self)
{
  if (self->task_time == 0)
    return 1;

  return (guint) CLAMP (AHEAD_TIME * TIME_UNITS / self->task_time, 1, MAX_AHEAD);
}

/* It was given something to do after it had nothing. */
static void
start_measuring (DrayPoolWorker *self)
{
  self->heard_at = g_get_monotonic_time ();
  self->n_outcomes = 0;
}

static void
measure_stream (DrayPoolWorker *self, gint64 now)
{
  self->is_dense = (now - self->read_at) < (gint64) DENSE_TIME * self->n_messages;
  self->read_at = now;
  self->n_messages = 0;
}

void
dray_pool_worker_measure (DrayPoolWorker *self)
{
  gint64 now = g_get_monotonic_time ();
  gint64 sample;

  measure_stream (self, now);
  if (self->n_outcomes == 0)
    return;

  sample = (now - self->heard_at) * TIME_UNITS / self->n_outcomes;
  sample = CLAMP (sample, 1, G_MAXINT32);
  if (self->task_time == 0)
    self->task_time = sample;
  else
    self->task_time = MAX (1, self->task_time + (sample - self->task_time) / 4);

  self->heard_at = now;
  self->n_outcomes = 0;
}

gint64
dray_pool_worker_get_task_time (DrayPoolWorker *self)
{
  return (self->task_time + TIME_UNITS - 1) / TIME_UNITS;
}

gint64
dray_pool_worker_get_patience (DrayPoolWorker *self)
{
  gint64 time_ahead = self->ahead.length * self->task_time / TIME_UNITS;
  gboolean is_dense = self->is_dense;

  /* Until it is read again, when that will be seen anew: it may fall silent. */
  self->is_dense = FALSE;
  return is_dense ? MAX (time_ahead / 2, DENSE_PATIENCE) : time_ahead / 2;
}

/* --- Taking --- */

void
dray_pool_worker_note_begun (DrayPoolWorker *self, gboolean cancelled)
{
  guint limit = dray_task_get_time_limit (self->current->task);

  if (limit > 0)
    dray_io_timer_set (&self->timer, self->process.io,
                       g_get_monotonic_time () + (gint64) limit * G_TIME_SPAN_MILLISECOND);

  /* Cancelled while it waited in the worker, which had begun it before it heard of that. */
  if (cancelled)
    dray_process_end_task (&self->process, self->pool->now.grace_period);
}

/* It takes up the task that it has; from here the time limit counts. */
static void
begin_current (DrayPoolWorker *self)
{
  DrayTicket *ticket = self->current;
  gboolean cancelled;

  dray_pool_lock (self->pool);
  dray_ticket_start_locked (ticket);
  cancelled = ticket->cancel_requested;
  dray_pool_unlock (self->pool);

  dray_pool_worker_note_begun (self, cancelled);
}

/* Everything that is given out in one go is written in one. */
static void
flush_later (DrayPoolWorker *self)
{
  if (self->is_unflushed)
    return;

  self->is_unflushed = TRUE;
  g_queue_push_tail_link (&self->pool->unflushed_workers, &self->unflushed_link);
}

static gboolean
init_submit (DrayPoolWorker *self, DrayMessage *message, DrayTicket *ticket, GError **error)
{
  DrayMapChunk *chunk = ticket->chunk;
  guint64 max_size = MIN (self->max_message_size, self->pool->now.max_message_size);

  if (chunk != NULL && chunk->arguments == NULL)
    {
      dray_map_chunk_init_message (chunk, message, ticket);
      return TRUE;
    }

  if (!dray_exchange_init_submit (self->exchange, message, ticket, max_size, error))
    return FALSE;

  if (chunk != NULL)
    dray_message_add_flags (message, DRAY_FRAME_FLAG_QUIET);
  return TRUE;
}

/* Returns: FALSE if the worker does not get it: it was put off, or has failed. *hung_up (out):
 * there is no message, since the worker is gone. */
static gboolean
prepare_submit (DrayPoolWorker *self, DrayTicket *ticket, DrayMessage *message, gboolean *hung_up)
{
  GError *error = NULL;

  *hung_up = FALSE;
  if (init_submit (self, message, ticket, &error))
    {
      if (dray_task_get_attachments (ticket->task) != NULL)
        self->pool->n_pass_failures = 0;
      return TRUE;
    }

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE))
    {
      g_error_free (error);
      *hung_up = TRUE;
      return TRUE;
    }

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    {
      ticket->attempt--; /* it was none */
      dray_pool_put_off_call (self->pool, ticket, error);
    }
  else
    {
      dray_ticket_complete (ticket, NULL, error);
      dray_ticket_unref (ticket);
    }
  return FALSE;
}

void
dray_pool_worker_take (DrayPoolWorker *self, DrayTicket *ticket)
{
  DrayMessage message;
  gboolean hung_up;

  ticket->attempt++;
  if (dray_ticket_is_done (ticket))
    {
      dray_ticket_unref (ticket); /* cancelled on its way here */
      return;
    }

  if (!prepare_submit (self, ticket, &message, &hung_up))
    return;

  self->tasks_taken++;
  ticket->worker = self;
  ticket->asked_back = FALSE;
  if (!hung_up)
    {
      dray_outbox_push (self->outbox, &message);
      flush_later (self);
    }

  if (self->current != NULL)
    {
      g_queue_push_tail_link (&self->ahead, &ticket->worker_link);
    }
  else
    {
      self->current = ticket;
      start_measuring (self);
      begin_current (self);
      dray_pool_worker_settle (self);
    }

  /* As if it had been written to, and the pipe was broken: the task is lost with the worker. */
  if (hung_up)
    dray_pool_worker_hang_up (self);
}

/* Whether something may be sent behind @ticket even while it runs. How long a task takes whose
 * items are pulled is up to whoever pulls; while the worker waits for that, it could not even
 * return what waits behind. Without a ring there is no gate: who is killed when the time of a task
 * is up might just have begun the next one. */
static gboolean
may_be_followed (DrayPoolWorker *self, DrayTicket *ticket)
{
  return !dray_task_get_pull (ticket->task)
         && (self->uses_ring || dray_task_get_time_limit (ticket->task) == 0);
}

gboolean
dray_pool_worker_is_last (DrayPoolWorker *self, DrayTicket *ticket)
{
  return dray_ticket_is_heavy (ticket) || !may_be_followed (self, ticket);
}

/* Behind large arguments and open files nothing is sent ahead. A worker that is being asked to stop
 * a task returns what waits behind it; it gets nothing more, also in the moment in which the time
 * for that is up, and it is heard once more before the signal. One that is not read now could not be
 * heard to do so. */
static gboolean
can_wait_behind (DrayPoolWorker *self)
{
  DrayTicket *last = g_queue_peek_tail (&self->ahead);

  if (self->recalled || !self->process.reading || self->process.for_task
      || self->process.end_timer.io != NULL
      || dray_outbox_get_size (self->outbox) > MAX_UNWRITTEN)
    return FALSE;

  return last != NULL ? !dray_pool_worker_is_last (self, last)
                      : may_be_followed (self, self->current);
}

guint
dray_pool_worker_get_room (DrayPoolWorker *self)
{
  guint max_tasks = self->pool->now.max_tasks_per_worker;
  guint room;

  if (!dray_pool_worker_is_open (self) || (max_tasks > 0 && self->tasks_taken >= max_tasks))
    return 0;

  room = get_depth (self);
  if (self->current == NULL)
    room++;
  else if (!can_wait_behind (self))
    room = 0;

  room -= MIN (self->ahead.length, room);
  return max_tasks > 0 ? (guint) MIN (room, max_tasks - self->tasks_taken) : room;
}

/* --- Leaving --- */

DrayTicket *
dray_pool_worker_pop_ahead (DrayPoolWorker *self)
{
  GList *link = g_queue_pop_head_link (&self->ahead);

  if (g_queue_is_empty (&self->ahead))
    self->recalled = FALSE;
  return link != NULL ? link->data : NULL;
}

DrayTicket *
dray_pool_worker_find (DrayPoolWorker *self, guint64 task_id)
{
  if (self->current != NULL && self->current->id == task_id)
    return self->current;

  for (GList *link = self->ahead.head; link != NULL; link = link->next)
    if (((DrayTicket *) link->data)->id == task_id)
      return link->data;

  return NULL;
}

void
dray_pool_worker_give_back_one (DrayPoolWorker *self, DrayTicket *ticket)
{
  g_queue_unlink (&self->ahead, &ticket->worker_link);
  if (g_queue_is_empty (&self->ahead))
    self->recalled = FALSE;

  self->tasks_taken--;
  ticket->worker = NULL;
  ticket->attempt--; /* it was none */
  dray_pool_requeue (self->pool, ticket);
}

void
dray_pool_worker_give_back (DrayPoolWorker *self)
{
  /* The last one first: each finds its place at the very front of the queue. */
  while (!g_queue_is_empty (&self->ahead))
    dray_pool_worker_give_back_one (self, g_queue_peek_tail (&self->ahead));
}

/* --- Asking it to leave --- */

/* A cancel or a recall was sent, or the gate was shut. The worker may answer by giving back any of
 * what it has now, each once: the current one, too, if it has not begun that yet. One that gave
 * back what nobody asked for would be given it again, for ever. */
void
dray_pool_worker_note_asked_back (DrayPoolWorker *self)
{
  if (self->current != NULL)
    self->current->asked_back = TRUE;
  for (GList *link = self->ahead.head; link != NULL; link = link->next)
    ((DrayTicket *) link->data)->asked_back = TRUE;
}

void
dray_pool_worker_send_cancel (DrayPoolWorker *self, DrayTicket *ticket)
{
  DrayMessage message;

  dray_pool_worker_note_asked_back (self);
  dray_message_init_empty (&message, DRAY_FRAME_CANCEL, ticket->id, ticket->attempt);
  dray_pool_worker_send (self, &message);
}

gint64
dray_pool_worker_get_recall_time (DrayPoolWorker *self)
{
  return self->heard_at + AHEAD_TIME;
}

/* It is not read, and what it has not begun can be taken back all the same. */
static gboolean
is_unheard (DrayPoolWorker *self)
{
  return self->uses_ring && !self->process.reading && !self->is_shut;
}

/* The same, though others are read. Where nobody is, nothing is gained if another one does it. */
static gboolean
is_held_back (DrayPoolWorker *self)
{
  gboolean throttled;

  if (!is_unheard (self))
    return FALSE;

  dray_pool_lock (self->pool);
  throttled = self->pool->throttled;
  dray_pool_unlock (self->pool);

  return !throttled;
}

gboolean
dray_pool_worker_can_recall (DrayPoolWorker *self)
{
  return !g_queue_is_empty (&self->ahead) && (!self->recalled || is_held_back (self));
}

/* It is not heard to give anything back, for as long as nobody takes what it has sent. To read on
 * would go beyond all limits if it did not answer. So it is kept from beginning any of them, by the
 * gate, which stays shut: it ends with what it has begun. */
static void
take_back (DrayPoolWorker *self)
{
  DrayTicket *begun = dray_pool_worker_find (self, dray_ring_shut (self->ring));
  DrayTicket *last;

  self->is_shut = TRUE;
  while ((last = g_queue_peek_tail (&self->ahead)) != NULL && last != begun)
    dray_pool_worker_give_back_one (self, last);
  dray_pool_worker_settle (self);

  /* They are given out in the next turn: this one may be past that. */
  dray_pool_lock (self->pool);
  dray_pool_wake_locked (self->pool);
  dray_pool_unlock (self->pool);
}

void
dray_pool_worker_recall (DrayPoolWorker *self)
{
  DrayMessage message;

  if (!dray_pool_worker_can_recall (self))
    return;

  if (!self->recalled)
    {
      self->recalled = TRUE;
      dray_pool_worker_note_asked_back (self);
      dray_message_init_empty (&message, DRAY_FRAME_RECALL, 0, 0);
      dray_pool_worker_send (self, &message);
    }
  if (is_held_back (self))
    take_back (self);
}

void
dray_pool_worker_cancel (DrayPoolWorker *self, DrayTicket *ticket)
{
  g_assert (ticket->worker == self);

  dray_pool_worker_send_cancel (self, ticket);
  if (ticket == self->current)
    dray_process_end_task (&self->process, self->pool->now.grace_period);
  dray_pool_worker_update_reading (self);
  if (ticket != self->current && is_unheard (self))
    take_back (self); /* whatever it answers */
}
