/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-dispatch-private.h"

#include "dray-pool-worker.h"
#include "dray-sigpipe.h"

#include <sched.h>

/*
 * Expecting. Whoever has given a tiny call to a worker, standing in for the I/O thread, will need
 * the answer in a moment. To be put to sleep and woken up takes a thread ten microseconds, or fifty
 * where its processor has gone to sleep, more than such a call takes altogether; and the answer
 * would come by way of the I/O thread, which would have to be woken first. So he looks for a while
 * himself, as a mutex does that spins, and hears the worker himself, standing in again: for twice
 * the time that the last calls took, if that is short. Between two looks he leaves the processor to
 * whoever wants it.
 *
 * The worker need not ring for that: the ring is marked as one whose reader is awake. Whoever gives
 * up before the answer is there marks it as asleep, and hears what has come in between; or has that
 * done by the I/O thread, if that is at work just now. If he is kept from running meanwhile, nobody
 * hears of that worker, whose one task is his own.
 *
 * A look takes both locks for a moment, and holds neither in between: nobody waits for him. Only
 * one thread at a time looks in this way, or many would wait for each other; for the others the I/O
 * thread hears, and they look whether it has. What he hears is heard as by the I/O thread: no code
 * of the application's is run, and nothing of this starts a process. What else would have to be
 * done then, because something waits for a worker or the end of the pool, is left to the I/O
 * thread.
 */

/* The pool's lock is held, and so is the turn on return, if TRUE. */
static gboolean
try_enter_locked (DrayPool *self)
{
  return self->io != NULL && dray_io_thread_try_enter (self->io);
}

/* That of @ticket's, which has nothing else to do; (nullable). */
static DrayPoolWorker *
find_worker (DrayTicket *ticket)
{
  DrayPoolWorker *worker = ticket->worker;

  return worker != NULL && worker->current == ticket && dray_pool_worker_can_be_overheard (worker)
           ? worker
           : NULL;
}

/* Whether the pool has nothing to do after a worker was heard. */
static gboolean
is_quiet_locked (DrayPool *self)
{
  return self->n_busy == 0 && !self->shutting_down
         && dray_pending_queue_get_length (self->calls) == 0
         && dray_pending_queue_get_length (self->commands) == 0
         && g_queue_is_empty (&self->unflushed_workers);
}

/* Lets go of the lock meanwhile, and holds the turn. */
static void
hear_locked (DrayPool *self, DrayPoolWorker *worker)
{
  DraySigpipe sigpipe;
  gboolean settled;

  dray_pool_unlock (self);
  dray_sigpipe_block (&sigpipe);
  settled = dray_pool_worker_overhear (worker);
  dray_sigpipe_restore (&sigpipe, worker->process.input_fd < 0);
  dray_pool_lock (self);

  if (!settled || !is_quiet_locked (self))
    dray_pool_wake_locked (self);
}

static void
leave_to_io_thread_locked (DrayPool *self)
{
  self->unheard = TRUE;
  dray_pool_wake_locked (self);
}

/* @listening: whether the worker was told that it need not ring */
static void
look (DrayPool *self, DrayTicket *ticket, gboolean *listening)
{
  DrayPoolWorker *worker;

  if (!g_mutex_trylock (&self->lock))
    return;

  if (!dray_ticket_is_done_locked (ticket) && try_enter_locked (self))
    {
      DrayIoThread *io = self->io;

      worker = find_worker (ticket);
      if (worker != NULL && dray_ring_count_unread (worker->ring) > 0)
        {
          hear_locked (self, worker);
          *listening = FALSE;
        }
      else if (worker != NULL && !*listening)
        {
          dray_ring_stay_awake (worker->ring);
          *listening = TRUE;
        }
      dray_io_thread_leave (io);
    }
  dray_pool_unlock (self);
}

/* Somebody has to hear what comes now, also if the task was cancelled meanwhile, or has company.
 * Where it has no worker any more, that one was heard. */
static void
stop_listening (DrayPool *self, DrayTicket *ticket)
{
  dray_pool_lock (self);
  if (try_enter_locked (self))
    {
      DrayIoThread *io = self->io;
      DrayPoolWorker *worker = find_worker (ticket);

      if (worker != NULL && !dray_ring_sleep (worker->ring))
        hear_locked (self, worker);
      else if (worker == NULL && ticket->worker != NULL)
        leave_to_io_thread_locked (self);
      dray_io_thread_leave (io);
    }
  else
    {
      leave_to_io_thread_locked (self);
    }
  dray_pool_unlock (self);
}

void
dray_pool_expect (DrayTicket *ticket, const int *flag)
{
  DrayPool *pool = ticket->pool;
  gboolean listens = g_atomic_int_compare_and_exchange (&pool->has_listener, FALSE, TRUE);
  gboolean listening = FALSE;

  while (!g_atomic_int_get (flag) && g_get_monotonic_time () < ticket->expected_by)
    {
      if (listens)
        look (pool, ticket, &listening);
      if (!g_atomic_int_get (flag))
        sched_yield ();
    }

  if (listening)
    stop_listening (pool, ticket);
  if (listens)
    g_atomic_int_set (&pool->has_listener, FALSE);
}
