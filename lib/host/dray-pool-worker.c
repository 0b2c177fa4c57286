/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool-worker-private.h"

#include "dray-flow.h"
#include "dray-lists.h"
#include "dray-task-private.h"

#include <glib/gi18n-lib.h>
#include <unistd.h>

/* For how long a worker without a ring may keep what waits behind a task for which it is to be
 * ended: µs. It is seen as stopped then, and not only busy or far away. */
#define RETURN_TIME (1 * G_TIME_SPAN_SECOND)

#define WORKER_OF(pointer, member) \
  ((DrayPoolWorker *) (gpointer) ((guint8 *) (pointer) -G_STRUCT_OFFSET (DrayPoolWorker, member)))

/* --- Where it stands in the pool --- */

void
dray_pool_worker_update_idle_timer (DrayPoolWorker *self)
{
  gint64 timeout = (gint64) self->pool->now.idle_timeout * G_TIME_SPAN_MILLISECOND;
  gint64 deadline = self->idle_since + timeout;

  /* One that comes too early is left as it is, and looks for itself. */
  if (self->is_idle && timeout > 0
      && (self->idle_timer.io == NULL || self->idle_timer.deadline > deadline))
    dray_io_timer_set (&self->idle_timer, self->process.io, deadline);
}

static void
set_idle (DrayPoolWorker *self, gboolean idle)
{
  DrayPool *pool = self->pool;

  if (self->is_idle == idle)
    return;

  self->is_idle = idle;
  if (!idle)
    {
      g_queue_unlink (&pool->idle_workers, &self->idle_link);
      return;
    }

  /* In front: the warmest worker is used first, and those that are not needed grow cold. */
  g_queue_push_head_link (&pool->idle_workers, &self->idle_link);
  self->idle_since = g_get_monotonic_time ();
  dray_pool_worker_update_idle_timer (self);
}

static void
set_roomy (DrayPoolWorker *self, gboolean roomy)
{
  DrayPool *pool = self->pool;

  if (self->is_roomy == roomy)
    return;

  self->is_roomy = roomy;
  if (roomy)
    g_queue_push_tail_link (&pool->roomy_workers, &self->roomy_link);
  else
    g_queue_unlink (&pool->roomy_workers, &self->roomy_link);
}

void
dray_pool_worker_note_room (DrayPoolWorker *self)
{
  if (self->is_busy)
    set_roomy (self, TRUE);
}

DrayPoolWorker *
dray_pool_worker_find_roomy (DrayPool *pool)
{
  GList *link;

  /* There are never more of them than have been heard of since they were last looked at. */
  while ((link = pool->roomy_workers.head) != NULL)
    {
      DrayPoolWorker *worker = link->data;

      if (worker->is_busy && dray_pool_worker_get_room (worker) > 0)
        return worker;
      set_roomy (worker, FALSE);
    }

  return NULL;
}

/* Whether it can be given another task at all. One that was sent TERM for a task can't: the
 * signal might hit the next one. */
gboolean
dray_pool_worker_is_open (DrayPoolWorker *self)
{
  return self->state == DRAY_POOL_WORKER_READY && self->process.input_fd >= 0 && !self->is_shut
         && !dray_process_is_ending (&self->process);
}

/* To be called after whatever changes its state or its tasks. */
void
dray_pool_worker_settle (DrayPoolWorker *self)
{
  gboolean busy = self->current != NULL;

  if (self->is_busy != busy)
    {
      self->is_busy = busy;
      self->pool->n_busy += busy ? 1 : -1u;
    }
  set_idle (self, !busy && dray_pool_worker_is_open (self));
  dray_pool_worker_note_room (self);
  dray_lists_worker_changed (self->pool, self);
}

gboolean
dray_pool_worker_is_starting (DrayPoolWorkerState state)
{
  return state == DRAY_POOL_WORKER_STARTING || state == DRAY_POOL_WORKER_INITIALIZING;
}

/* The only place where a worker's state changes. */
void
dray_pool_worker_set_state (DrayPoolWorker *self, DrayPoolWorkerState state)
{
  static const gboolean allowed[][DRAY_POOL_WORKER_FAILED + 1] = {
    [DRAY_POOL_WORKER_STARTING]
    = { [DRAY_POOL_WORKER_INITIALIZING] = TRUE, [DRAY_POOL_WORKER_FAILED] = TRUE },
    [DRAY_POOL_WORKER_INITIALIZING]
    = { [DRAY_POOL_WORKER_READY] = TRUE, [DRAY_POOL_WORKER_FAILED] = TRUE },
    [DRAY_POOL_WORKER_READY]
    = { [DRAY_POOL_WORKER_STOPPING] = TRUE, [DRAY_POOL_WORKER_FAILED] = TRUE },
    [DRAY_POOL_WORKER_STOPPING] = { [DRAY_POOL_WORKER_FAILED] = TRUE },
    [DRAY_POOL_WORKER_FAILED] = { FALSE },
  };

  g_assert (allowed[self->state][state]);

  if (dray_pool_worker_is_starting (self->state) && !dray_pool_worker_is_starting (state))
    {
      self->pool->n_starting--;
      dray_io_timer_clear (&self->timer);
    }
  self->state = state;
}

DrayWorkerState
dray_pool_worker_get_public_state (DrayPoolWorker *self)
{
  switch (self->state)
    {
    case DRAY_POOL_WORKER_STARTING:
    case DRAY_POOL_WORKER_INITIALIZING:
      return DRAY_WORKER_STARTING;
    case DRAY_POOL_WORKER_READY:
      return self->current != NULL ? DRAY_WORKER_BUSY : DRAY_WORKER_IDLE;
    case DRAY_POOL_WORKER_STOPPING:
      return self->current != NULL ? DRAY_WORKER_BUSY : DRAY_WORKER_STOPPING;
    case DRAY_POOL_WORKER_FAILED:
    default:
      return DRAY_WORKER_STOPPING;
    }
}

/* --- Writing --- */

void
dray_pool_worker_hang_up (DrayPoolWorker *self)
{
  dray_outbox_clear (self->outbox);
  dray_process_close_input (&self->process);
  dray_process_end (&self->process, self->pool->now.grace_period);
  dray_pool_worker_settle (self);
}

void
dray_pool_worker_flush (DrayPoolWorker *self)
{
  g_autoptr (GError) error = NULL;
  gsize written = 0;
  gboolean open;

  if (self->process.input_fd < 0)
    {
      dray_outbox_clear (self->outbox);
      return;
    }

  open = dray_outbox_flush (self->outbox, self->process.input_fd, &written, &error);
  dray_pool_lock (self->pool);
  self->pool->counters.bytes_out += written;
  dray_pool_unlock (self->pool);

  if (!open)
    {
      dray_pool_worker_hang_up (self);
      return;
    }

  if (self->state == DRAY_POOL_WORKER_STOPPING && dray_outbox_is_empty (self->outbox))
    dray_process_close_input (&self->process);
  else
    dray_process_set_writing (&self->process, !dray_outbox_is_empty (self->outbox));
}

void
dray_pool_worker_send (DrayPoolWorker *self, DrayMessage *message)
{
  dray_outbox_push (self->outbox, message);
  dray_pool_worker_flush (self);
}

static void
write_input (DrayProcess *process)
{
  DrayPoolWorker *self = (DrayPoolWorker *) process;

  dray_pool_worker_flush (self);
  dray_pool_worker_note_room (self);
}

void
dray_pool_worker_retire (DrayPoolWorker *self)
{
  DrayMessage message;

  if (dray_pool_worker_is_starting (self->state))
    {
      self->failure = g_error_new_literal (DRAY_ERROR, DRAY_ERROR_SHUT_DOWN,
                                           _ ("The executor was shut down"));
      dray_pool_worker_set_state (self, DRAY_POOL_WORKER_FAILED);
      dray_process_close_input (&self->process);
      dray_process_end (&self->process, self->pool->now.grace_period);
      dray_pool_worker_settle (self);
      return;
    }

  if (self->state != DRAY_POOL_WORKER_READY)
    return;

  dray_pool_worker_set_state (self, DRAY_POOL_WORKER_STOPPING);
  dray_pool_worker_settle (self);
  dray_message_init_empty (&message, DRAY_FRAME_GOODBYE, 0, 0);
  dray_pool_worker_send (self, &message);

  /* With a task at work its own limits count; the time to go begins when that is done. */
  if (self->current == NULL)
    dray_process_end (&self->process, self->pool->now.grace_period);
}

void
dray_pool_worker_retire_when_idle (DrayPoolWorker *self)
{
  if (self->current == NULL)
    dray_pool_worker_retire (self);
}

/* Also what is ahead: it may have ended the current one, unread, and run one of those. What it has
 * not begun it gives back, or it would do all that in peace after the goodbye. */
static void
cancel_all (DrayPoolWorker *self)
{
  gboolean first = self->state == DRAY_POOL_WORKER_READY;

  dray_pool_worker_send_cancel (self, self->current);
  for (GList *link = self->ahead.head; first && link != NULL; link = link->next)
    dray_pool_worker_send_cancel (self, link->data);
}

void
dray_pool_worker_end (DrayPoolWorker *self, guint grace)
{
  if (self->current != NULL && grace > 0 && !self->process.terminated)
    cancel_all (self);
  dray_pool_worker_retire (self);
  if (self->current != NULL && grace > 0)
    dray_process_end_task (&self->process, grace);
  else
    dray_process_end (&self->process, grace);
  dray_pool_worker_update_reading (self);
}

/* It is heard what the worker has sent. FALSE: it is gone, or does not run @ticket any more. */
static gboolean
still_runs (DrayPoolWorker *self, DrayTicket *ticket)
{
  return dray_process_hear (&self->process) && self->current == ticket
         && self->state != DRAY_POOL_WORKER_FAILED;
}

/* From here on it begins nothing more. Returns whether it has begun something ahead. */
static gboolean
shut_gate (DrayPoolWorker *self)
{
  DrayTicket *begun = dray_pool_worker_find (self, dray_ring_shut (self->ring));

  return begun != NULL && begun != self->current;
}

/* There is no gate: it could begin what waits behind while a signal is on its way that is meant for
 * the current task. So that has to come back first, for which it was asked when it was told to
 * cancel. One that is stopped does not answer, nor does it begin anything. */
static gboolean
has_given_back (DrayPoolWorker *self)
{
  const gint64 now = g_get_monotonic_time ();

  if (g_queue_is_empty (&self->ahead))
    return TRUE;

  if (self->return_time == 0)
    self->return_time = now + RETURN_TIME;
  if (self->return_time <= now)
    return TRUE;

  dray_process_set_end_time (&self->process, self->return_time);
  return FALSE;
}

/* Before a signal that is meant for the current task. */
static gboolean
may_end (DrayProcess *process)
{
  DrayPoolWorker *self = (DrayPoolWorker *) process;
  g_autoptr (DrayTicket) ticket = dray_ticket_ref (self->current);

  if (!still_runs (self, ticket))
    return FALSE;
  if (!self->uses_ring)
    return has_given_back (self);

  /* Also where it is opened again: by then it may have been found shut. */
  dray_pool_worker_note_asked_back (self);
  if (shut_gate (self))
    {
      /* So it is done with the current one, and what it had to say of that can be read. */
      if (!self->is_shut)
        dray_ring_reopen (self->ring);
      if (!still_runs (self, ticket))
        /* Not covered: it has to become done in the moment between the two. */
        return FALSE;
      dray_ring_shut (self->ring);
    }

  self->is_shut = TRUE;
  dray_pool_worker_give_back (self);
  dray_pool_worker_settle (self);
  dray_pool_dispatch (self->pool);
  return TRUE;
}

static void
out_of_time_cb (DrayIoTimer *timer)
{
  DrayPoolWorker *self = WORKER_OF (timer, timer);
  g_autoptr (DrayTicket) ticket = NULL;

  if (dray_pool_worker_is_starting (self->state))
    {
      g_set_error (&self->failure, DRAY_ERROR, DRAY_ERROR_LAUNCH,
                   _ ("The worker “%s” was not ready in time"), self->pool->plan->display_name);
      dray_pool_worker_set_state (self, DRAY_POOL_WORKER_FAILED);
      dray_process_end (&self->process, 0);
      dray_pool_worker_settle (self);
      return;
    }

  /* It may have been in time, and not been heard yet. */
  ticket = dray_ticket_ref (self->current);
  if (!still_runs (self, ticket))
    return;

  dray_ticket_complete (ticket, NULL,
                        g_error_new (DRAY_ERROR, DRAY_ERROR_TIMED_OUT,
                                     _ ("“%s” took longer than its limit of %.3g s"),
                                        dray_task_get_label (ticket->task),
                                        dray_task_get_time_limit (ticket->task) / 1000.0));
  dray_pool_worker_cancel (self, ticket);
}

static void
idle_cb (DrayIoTimer *timer)
{
  DrayPoolWorker *self = WORKER_OF (timer, idle_timer);
  gint64 timeout = (gint64) self->pool->now.idle_timeout * G_TIME_SPAN_MILLISECOND;

  /* It worked meanwhile: the timer is left alone by each task. */
  if (!self->is_idle || timeout == 0)
    return;

  if (g_get_monotonic_time () < self->idle_since + timeout)
    dray_pool_worker_update_idle_timer (self);
  else
    dray_pool_worker_retire (self);
}

/* --- Reading --- */

/* What nobody waits for is left in the pipe, and the worker waits, while too much of what was
 * read before lies undelivered. What will be dropped anyway is read. */
void
dray_pool_worker_update_reading (DrayPoolWorker *self)
{
  DrayPool *pool = self->pool;
  DrayTicket *current = self->current;
  gboolean reading;

  dray_pool_lock (pool);
  reading = current == NULL || dray_flow_may_read_locked (current);
  dray_pool_unlock (pool);

  dray_process_set_reading (&self->process, reading);
}

/* --- The start --- */

static void
ending (DrayProcess *process)
{
  DrayPoolWorker *self = (DrayPoolWorker *) process;

  if (self->decoder != NULL)
    dray_pool_worker_settle (self);
}

static const DrayProcessFuncs funcs = {
  .read_output = dray_pool_worker_read_output,
  .count_unread = dray_pool_worker_count_unread,
  .write_input = write_input,
  .may_end = may_end,
  .ending = ending,
  .gone = dray_pool_worker_gone,
};

static void
send_hello (DrayPoolWorker *self)
{
  DrayHello hello = {
    .role = DRAY_ROLE_HOST,
    .version = DRAY_PROTOCOL_VERSION,
    .max_payload = self->max_message_size,
    .arguments = self->pool->plan->arguments,
    .ring = self->ring != NULL ? dray_ring_get_cookie (self->ring) : 0,
  };
  DrayMessage message;

  dray_exchange_fill_hello (self->exchange, &hello);
  dray_message_init_hello (&message, &hello);
  dray_pool_worker_send (self, &message);
}

/* Whether a greeting can carry the initial arguments. */
static gboolean
check_arguments (DrayPool *pool, GError **error)
{
  const DrayFrameHeader header = { .type = DRAY_FRAME_ITEM, .task_id = 1, .attempt = 1 };
  g_auto (DrayMessage) message = { 0 };
  g_autoptr (GError) reason = NULL;

  if (pool->plan->arguments == NULL
      || dray_message_init_value (&message, &header, pool->plan->arguments,
                                  pool->now.max_message_size, &reason))
    return TRUE;

  g_set_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH,
               /* Translators: the worker's program, then what is wrong with the arguments. */
               _ ("The worker “%s” can’t be given its initial arguments: %s"),
                  pool->plan->display_name, reason->message);
  return FALSE;
}

/* Whether the work gets done without one more. */
static gboolean
has_company (DrayPool *pool)
{
  return pool->n_busy > 0 || pool->n_starting > 0 || !g_queue_is_empty (&pool->idle_workers);
}

gboolean
dray_pool_worker_start (DrayPool *pool, GError **error)
{
  DrayLaunchPlan *plan = pool->plan;
  DrayPoolWorker *self = g_new0 (DrayPoolWorker, 1);
  char parent[16];
  g_autofree const char **argv = dray_launch_plan_get_argv (plan, parent);
  DraySpawn spawn = {
    .argv = argv,
    .environment = (const char *const *) plan->environment,
    .directory = plan->directory,
    .limits = &plan->limits,
    .passage_fd = -1,
    .ring_fd = -1,
    .is_leashed = TRUE,
    .modest = has_company (pool),
  };
  gboolean started;

  self->pool = pool;
  self->ring = dray_ring_new (NULL);
  if (self->ring != NULL)
    spawn.ring_fd = dray_ring_get_descriptor (self->ring);
  self->exchange = dray_exchange_new (plan->trusted, plan->shared_size, &spawn.passage_fd);
  started = check_arguments (pool, error)
            && dray_process_start (&self->process, pool, &funcs, &spawn, TRUE,
                                   plan->stderr_mode == DRAY_STDERR_CAPTURE, error);
  if (spawn.passage_fd >= 0)
    close (spawn.passage_fd);
  if (!started)
    {
      g_clear_pointer (&self->ring, dray_ring_free);
      dray_exchange_free (self->exchange);
      g_free (self);
      return FALSE;
    }

  dray_process_enlarge_pipes (&self->process);
  if (self->ring != NULL)
    dray_ring_close_descriptor (self->ring);
  self->id = ++pool->last_worker_id;
  self->start_time = g_get_real_time ();
  self->max_message_size = pool->now.max_message_size;
  self->link.data = self;
  self->idle_link.data = self;
  self->unflushed_link.data = self;
  self->roomy_link.data = self;
  g_queue_init (&self->ahead);
  self->timer.expired = out_of_time_cb;
  self->idle_timer.expired = idle_cb;
  self->decoder = dray_decoder_new (self->max_message_size);
  self->outbox = dray_outbox_new ();

  g_queue_push_tail_link (&pool->workers, &self->link);
  pool->n_starting++;
  if (pool->now.launch_timeout > 0)
    dray_io_timer_set (&self->timer, self->process.io,
                       g_get_monotonic_time ()
                         + (gint64) pool->now.launch_timeout * G_TIME_SPAN_MILLISECOND);

  dray_pool_lock (pool);
  pool->counters.workers_started++;
  dray_pool_unlock (pool);

  dray_pool_worker_settle (self);
  send_hello (self);
  return TRUE;
}

void
dray_pool_worker_free (DrayPoolWorker *self)
{
  DrayPool *pool = self->pool;

  if (dray_pool_worker_is_starting (self->state))
    pool->n_starting--;
  if (self->is_busy)
    pool->n_busy--;
  self->is_busy = FALSE;
  set_idle (self, FALSE);
  set_roomy (self, FALSE);
  g_queue_unlink (&pool->workers, &self->link);
  g_assert (!self->is_unflushed);
  dray_lists_worker_gone (pool, self);

  dray_io_timer_clear (&self->timer);
  dray_io_timer_clear (&self->idle_timer);
  dray_process_clear (&self->process);
  dray_decoder_free (self->decoder);
  dray_outbox_free (self->outbox);
  g_clear_pointer (&self->ring, dray_ring_free);
  dray_exchange_free (self->exchange);
  g_clear_error (&self->failure);
  g_assert (self->current == NULL && g_queue_is_empty (&self->ahead));
  g_free (self);
}
