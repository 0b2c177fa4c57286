/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-dispatch-private.h"

#include "dray-command.h"
#include "dray-pool-worker.h"

/*
 * The end of a pool, on the I/O thread: what the mode of a shutdown asks of the processes, whether
 * the last of them is gone, and what is let go of then. The tickets were seen to by whoever has
 * asked for the shutdown: see dray-pool-shutdown.c.
 */

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
void
dray_dispatch_apply_shutdown (DrayPool *self)
{
  DrayShutdownMode mode;
  gboolean calls_left;

  dray_pool_lock (self);
  mode = self->mode;
  calls_left = dray_pending_queue_get_length (self->calls) > 0 || self->n_deferred > 0;
  dray_pool_unlock (self);

  if (mode == DRAY_SHUTDOWN_KILL)
    end_all (self, 0);
  else if (mode == DRAY_SHUTDOWN_TERMINATE)
    end_all (self, self->now.grace_period);
  else if (!calls_left)
    retire_idle (self, mode == DRAY_SHUTDOWN_CANCEL_PENDING);
}

gboolean
dray_dispatch_is_finished (DrayPool *self)
{
  gboolean finished;

  if (!g_queue_is_empty (&self->workers) || !g_queue_is_empty (&self->running_commands))
    return FALSE;

  dray_pool_lock (self);
  finished = self->shutting_down && self->n_refusing == 0 && self->n_deferred == 0
             && dray_pending_queue_get_length (self->calls) == 0
             && dray_pending_queue_get_length (self->commands) == 0;
  dray_pool_unlock (self);

  return finished;
}

void
dray_dispatch_leave_io_thread (DrayPool *self)
{
  DrayIoThread *io;
  GList *cancels;

  dray_io_timer_clear (&self->relaunch);
  dray_io_timer_clear (&self->restart);
  dray_io_timer_clear (&self->repass);
  dray_io_timer_clear (&self->recall);

  dray_pool_lock (self);
  io = g_steal_pointer (&self->io);
  cancels = g_steal_pointer (&self->cancels.head);
  g_queue_init (&self->cancels);
  dray_pool_unlock (self);

  g_list_free_full (cancels, (GDestroyNotify) dray_ticket_unref);
  dray_io_thread_forget (io, &self->client);
  dray_pool_close (self);
  dray_io_thread_release (io);
}
