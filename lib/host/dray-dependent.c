/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-dependent.h"

#include "dray-pool.h"

/* The line of this thread, on the stack of the outermost dray_dependents_run(); NULL outside. */
static GPrivate thread_line;

DrayTies *
dray_ticket_get_ties_locked (DrayTicket *self)
{
  if (self->ties == NULL)
    self->ties = g_new0 (DrayTies, 1);
  return self->ties;
}

DrayCombination *
dray_ticket_steal_combination_locked (DrayTicket *self)
{
  return self->ties != NULL ? g_steal_pointer (&self->ties->combination) : NULL;
}

void
dray_dependent_attach (DrayDependent *self)
{
  DrayTicket *ticket = self->ticket;
  gboolean done;

  self->link.data = self;

  dray_pool_lock (ticket->pool);
  done = dray_ticket_is_done_locked (ticket);
  if (!done)
    {
      DrayTies *ties = dray_ticket_get_ties_locked (ticket);

      self->attached = TRUE;
      ties->n_wanting += self->wants ? 1 : 0;
      g_queue_push_tail_link (&ties->dependents, &self->link);
    }
  dray_pool_unlock (ticket->pool);

  if (done)
    dray_dependent_run_soon (self);
}

gboolean
dray_dependent_detach (DrayDependent *self, gboolean *unwanted)
{
  DrayTicket *ticket = self->ticket;
  gboolean detached;

  dray_pool_lock (ticket->pool);
  detached = self->attached;
  if (detached)
    {
      DrayTies *ties = dray_ticket_get_ties_locked (ticket);

      self->attached = FALSE;
      ties->n_wanting -= self->wants ? 1 : 0;
      g_queue_unlink (&ties->dependents, &self->link);
      if (unwanted != NULL)
        *unwanted = ties->n_wanting == 0;
    }
  dray_pool_unlock (ticket->pool);

  return detached;
}

void
dray_dependent_run_soon (DrayDependent *self)
{
  GQueue line = G_QUEUE_INIT;

  g_queue_push_tail_link (&line, &self->link);
  dray_dependents_run (&line);
}

void
dray_dependents_steal_locked (DrayTicket *ticket, GQueue *line)
{
  DrayTies *ties = ticket->ties;
  GList *link;

  if (ties == NULL)
    return;

  ties->n_wanting = 0;
  while ((link = g_queue_pop_head_link (&ties->dependents)) != NULL)
    {
      DrayDependent *dependent = link->data;

      dependent->attached = FALSE;
      g_queue_push_tail_link (line, link);
    }
}

void
dray_dependents_run (GQueue *line)
{
  GQueue *outer;
  GList *link;

  if (g_queue_is_empty (line))
    return;

  outer = g_private_get (&thread_line);
  if (outer != NULL)
    {
      while ((link = g_queue_pop_head_link (line)) != NULL)
        g_queue_push_tail_link (outer, link);
      return;
    }

  g_private_set (&thread_line, line);
  while ((link = g_queue_pop_head_link (line)) != NULL)
    {
      DrayDependent *dependent = link->data;

      dependent->run (dependent);
    }
  g_private_set (&thread_line, NULL);
}

/* The reference stays: to free a value takes a lock of GLib's; see dray-fork.c. */
static void
catch_up (DrayDependent *self)
{
  DrayTicket *ticket = dray_ticket_ref (self->ticket);
  DrayPool *pool = ticket->pool;
  gboolean attached;

  dray_pool_lock (pool);
  attached = self->attached;
  dray_pool_unlock (pool);

  /* One of these runs it where it is attached. */
  pool->guard.give_up (&pool->guard);
  dray_ticket_complete (ticket, NULL, dray_fork_error ());
  if (!attached)
    self->run (self);
}

void
dray_dependents_catch_up (GQueue *dependents, GMutex *lock)
{
  DrayDependent *dependent;

  do
    {
      g_mutex_lock (lock);
      dependent = g_queue_peek_head (dependents);
      g_mutex_unlock (lock);

      if (dependent != NULL)
        catch_up (dependent);
    }
  while (dependent != NULL);
}
