/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool.h"

#include "dray-command.h"
#include "dray-lists.h"
#include "dray-pool-worker.h"

/*
 * What other threads have left for the I/O thread: tasks to be cancelled, workers to be killed,
 * changed options and limits. They note it in the pool, under its lock, and wake the thread; all of
 * it is taken here, and then the pool is dispatched.
 */

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

      dray_pool_lock (self);
      ticket = g_queue_pop_head (&self->cancels);
      dray_pool_unlock (self);

      if (ticket == NULL)
        return;

      cancel_running (self, ticket);
      dray_ticket_unref (ticket);
    }
}

/* The application wants that, whatever the worker is doing. */
static void
kill_worker (DrayPoolWorker *worker)
{
  if (worker->failure == NULL && !dray_process_is_ending (&worker->process))
    worker->is_unwanted = TRUE; /* and so it stays, if it is killed again before it is gone */
  dray_process_end (&worker->process, 0);
}

static void
take_kills (DrayPool *self, GArray *kills)
{
  for (guint i = 0; i < kills->len; i++)
    for (GList *link = self->workers.head; link != NULL; link = link->next)
      {
        DrayPoolWorker *worker = link->data;

        if (worker->id == g_array_index (kills, guint64, i))
          kill_worker (worker);
      }
}

static void
hear_workers (DrayPool *self)
{
  for (GList *link = self->workers.head; link != NULL; link = link->next)
    dray_pool_worker_hear_soon (link->data);
}

static void
note_room (DrayPool *self)
{
  for (GList *link = self->workers.head; link != NULL; link = link->next)
    dray_pool_worker_note_room (link->data);
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
  gboolean reading_changed, order_changed, idle_timeout_changed, more_tasks, show_all, unheard;

  dray_pool_lock (self);
  idle_timeout_changed = self->now.idle_timeout != self->options.idle_timeout;
  more_tasks = self->now.max_tasks_per_worker != self->options.max_tasks_per_worker;
  self->now = self->options;
  reading_changed = self->reading_changed;
  self->reading_changed = FALSE;
  unheard = self->unheard;
  self->unheard = FALSE;
  order_changed = self->order_changed;
  self->order_changed = FALSE;
  show_all = self->lists != NULL && dray_lists_steal_wanted_locked (self->lists);
  if (self->kills->len > 0)
    {
      kills = g_steal_pointer (&self->kills);
      self->kills = g_array_new (FALSE, FALSE, sizeof (guint64));
    }
  dray_pool_unlock (self);

  take_cancels (self);
  if (kills != NULL)
    take_kills (self, kills);
  if (reading_changed)
    update_reading (self);
  if (unheard)
    hear_workers (self);
  if (order_changed)
    dray_pool_recall_overtaken (self);
  if (idle_timeout_changed)
    for (GList *link = self->idle_workers.head; link != NULL; link = link->next)
      dray_pool_worker_update_idle_timer (link->data);
  if (more_tasks)
    note_room (self);
  if (show_all)
    for (GList *link = self->workers.head; link != NULL; link = link->next)
      dray_lists_worker_changed (self, link->data);
  dray_pool_dispatch (self);
}
