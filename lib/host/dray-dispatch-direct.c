/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-dispatch-private.h"

#include "dray-pool-worker.h"
#include "dray-sigpipe.h"

/*
 * The way over the I/O thread costs a call that nobody was before a wake-up, which is longer than
 * many a call takes. So if that thread is asleep, and a worker has nothing to do, whoever submits
 * writes the message himself.
 *
 * Only this one ticket is touched, of which the caller holds a reference: so nothing of the
 * application's can be freed, and no code of its can run, while the I/O thread is held up. And only
 * as many bytes are written as take a moment.
 */

/* Bytes of arguments that a submitting thread may write itself. */
#define MAX_DIRECT_SIZE ((gsize) 16 * 1024)

/* For how long an answer is expected at most; see dray-dispatch-listen.c. In µs. It is in
 * proportion to what it saves: on virtual processors that sleep, to wake up the I/O thread and then
 * the one who waits takes some hundred µs. */
#define MAX_EXPECTATION 400

static DrayPoolWorker *
find_direct_worker_locked (DrayPool *self, DrayTicket *ticket)
{
  GList *link = self->idle_workers.head;

  if (link == NULL || !dray_dispatch_has_free_slot (self) || dray_dispatch_is_paused_locked (self)
      || dray_pending_queue_get_length (self->calls) > 1
      || dray_pending_queue_get_length (self->commands) > 0
      || dray_pending_queue_peek (self->calls) != ticket
      || dray_dispatch_waits_to_be_passed (self, ticket)
      || dray_pool_task_size (ticket->task) > MAX_DIRECT_SIZE
      || dray_pool_worker_get_room (link->data) == 0)
    return NULL;

  return link->data;
}

/* @time: that a task takes, in µs; 0: not known. What is run for others has no delivery of its
 * own. */
static void
expect_locked (DrayTicket *ticket, gint64 time)
{
  if (time == 0 || 2 * time > MAX_EXPECTATION || ticket->delivery == NULL
      || dray_ticket_is_done_locked (ticket))
    return;

  ticket->expected_by = g_get_monotonic_time () + 2 * time;
  dray_delivery_expect_locked (ticket->delivery, ticket);
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
      dray_pool_unlock (self);
      dray_sigpipe_block (&sigpipe);
      dray_pool_worker_take (worker, ticket);
      dray_dispatch_flush_workers (self);
      dray_sigpipe_restore (&sigpipe, worker->process.input_fd < 0);
      dray_pool_lock (self);
      expect_locked (ticket, dray_pool_worker_get_task_time (worker));
    }
  dray_io_thread_leave (io);

  return worker != NULL;
}
