/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool-worker-private.h"

#include "dray-map-chunk.h"
#include "dray-task-private.h"

#include <glib/gi18n-lib.h>

/*
 * The end of a pooled worker, when its process is gone and all that it wrote has been read: what
 * becomes of the tasks that it had, and what the pool makes of it.
 *
 * The current task, and those ahead that it had begun all the same, are lost: they are run again
 * where they may be, or fail with the reason. All others ahead go back to the queue as they were.
 *
 * A worker that was never ready counts as a launch that has failed, unless the application has had
 * it killed. One that ended by itself with no task done slows down the next start as well; one that
 * we have ended does not.
 */

static DrayError
get_launch_failure_code (DrayPoolWorker *self)
{
  return g_error_matches (self->failure, DRAY_ERROR, DRAY_ERROR_SANDBOX) ? DRAY_ERROR_SANDBOX
                                                                         : DRAY_ERROR_LAUNCH;
}

/* Why it could not be started. */
static GError *
describe_launch_failure (DrayPoolWorker *self)
{
  g_autofree char *how = dray_exit_describe (dray_child_get_exit (self->process.child));
  g_autofree char *last_words = dray_process_dup_last_words (&self->process);

  if (self->failure != NULL)
    return g_error_new (DRAY_ERROR, get_launch_failure_code (self), "%s%s", self->failure->message,
                        last_words);

  /* Translators: the worker's program, how it ended ("exited with status 3"), what it said. */
  return g_error_new (DRAY_ERROR, DRAY_ERROR_LAUNCH,
                      _ ("The worker “%s” %s before it was ready%s"),
                         self->pool->plan->display_name, how, last_words);
}

/* What became of the task that it ran. */
GError *
dray_pool_worker_describe_death (DrayPoolWorker *self, DrayTicket *ticket)
{
  g_autofree char *how = dray_exit_describe (dray_child_get_exit (self->process.child));
  g_autofree char *last_words = dray_process_dup_last_words (&self->process);

  if (dray_ticket_is_cancel_requested (ticket))
    return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled"));

  if (self->failure != NULL)
    return g_error_new (self->failure->domain, self->failure->code, "%s%s", self->failure->message,
                        last_words);

  GError *limit = dray_pool_worker_describe_limit (self, dray_task_get_label (ticket->task), how,
                                                   last_words);

  if (limit != NULL)
    return limit;

  /* Translators: the task, how its process ended ("exited with status 3"), what it said. */
  return g_error_new (DRAY_ERROR, DRAY_ERROR_WORKER_DIED,
                      _ ("The worker for “%s” %s%s"), dray_task_get_label (ticket->task), how,
                         last_words);
}

/* @ended: it had begun another one since. */
static void
lose_current (DrayPoolWorker *self, gboolean ended)
{
  g_autoptr (DrayTicket) ticket = g_steal_pointer (&self->current);
  gboolean retry;

  ticket->worker = NULL;
  if (ticket->chunk != NULL && ticket->chunk->arguments == NULL)
    {
      dray_pool_worker_lose_chunk (self, ticket, ended);
      return;
    }

  dray_pool_lock (self->pool);
  retry = !dray_ticket_is_done_locked (ticket) && !ticket->cancel_requested
          && ticket->attempt <= dray_task_get_max_retries (ticket->task);
  if (retry)
    self->pool->counters.retried++;
  dray_pool_unlock (self->pool);

  if (retry && ticket->attempt > 1)
    dray_pool_note_repeated_death (self->pool, ticket->attempt - 1);
  if (retry)
    dray_pool_requeue (self->pool, g_steal_pointer (&ticket));
  else
    dray_ticket_complete (ticket, NULL, dray_pool_worker_describe_death (self, ticket));
}

/* It had no task, whose end would tell of that, and was to go on. */
static gboolean
died_idle (DrayPoolWorker *self)
{
  return self->current == NULL && self->state != DRAY_POOL_WORKER_STOPPING && !self->is_unwanted;
}

static void
count_end (DrayPoolWorker *self, gboolean as_asked)
{
  DrayCounters *counters = &self->pool->counters;

  dray_pool_lock (self->pool);
  if (as_asked)
    counters->workers_retired++;
  else
    counters->workers_died++;
  if (!as_asked && died_idle (self))
    counters->workers_died_idle++;
  dray_pool_unlock (self->pool);
}

static gboolean
was_shut_down (DrayPoolWorker *self)
{
  return g_error_matches (self->failure, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
}

/* Because of a task that was cancelled, or ran out of time: no fault of the worker. */
static gboolean
was_ended_by_us (DrayPoolWorker *self)
{
  return self->state != DRAY_POOL_WORKER_FAILED
         && (self->process.terminated || self->process.killed);
}

/* How many of those ahead it had begun, as far as one can tell. Not all that it said was heard if it
 * broke the protocol, or closed its output and went on. The gate tells of the last one, and all
 * before that were ended. If it tells of none of them, all was heard, or it is a lie. */
static guint
count_begun (DrayPoolWorker *self)
{
  guint64 last = self->uses_ring ? dray_ring_shut (self->ring) : 0;
  guint n_begun = 0;

  for (GList *link = self->ahead.head; self->uses_ring && link != NULL; link = link->next)
    {
      n_begun++;
      if (((DrayTicket *) link->data)->id == last)
        return n_begun;
    }

  return 0;
}

/* Takes @begun, which was ahead. It is lost as the current one is: so it has to have been started,
 * or it could not be told how it has ended. */
static void
lose_begun (DrayPoolWorker *self, DrayTicket *begun, gboolean ended)
{
  dray_pool_lock (self->pool);
  dray_ticket_start_locked (begun);
  dray_pool_unlock (self->pool);

  self->current = begun;
  lose_current (self, ended);
}

/* The tasks that it had. */
static void
lose_tasks (DrayPoolWorker *self)
{
  GQueue begun = G_QUEUE_INIT;
  GList *link;

  for (guint i = count_begun (self); i > 0; i--)
    g_queue_push_tail_link (&begun, g_queue_pop_head_link (&self->ahead));
  dray_pool_worker_give_back (self);

  if (self->current != NULL)
    lose_current (self, begun.length > 0);
  while ((link = g_queue_pop_head_link (&begun)) != NULL)
    lose_begun (self, link->data, begun.length > 0);
}

void
dray_pool_worker_gone (DrayProcess *process)
{
  DrayPoolWorker *self = (DrayPoolWorker *) process;
  DrayPool *pool = self->pool;
  gboolean retired = self->state == DRAY_POOL_WORKER_STOPPING && self->current == NULL
                     && !process->terminated && !process->killed;

  count_end (self, retired || was_shut_down (self));
  lose_tasks (self); /* which may show that it has done something after all */

  if (!self->was_ready && !was_shut_down (self) && !self->is_unwanted)
    dray_pool_note_launch_failure (pool, self->id, describe_launch_failure (self));
  else if (!retired && self->tasks_done == 0 && !was_ended_by_us (self))
    dray_pool_note_early_death (pool);

  dray_pool_worker_free (self);
  dray_pool_note_process_gone (pool);
  dray_pool_dispatch (pool);
}
