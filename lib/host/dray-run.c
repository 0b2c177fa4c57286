/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-run.h"

#include "dray-flow.h"
#include "dray-pool.h"
#include "dray-pull.h"

#include <string.h>

/* All of it is protected by the pool's lock. */
struct _DrayRun
{
  char *key;      /* (owned) (nullable): in the pool's table, until the run is done or cancelled */
  GQueue members; /* of DrayTicket (owned), by member_link */
  GQueue done;    /* of those that ended with the run: still to be released */
};

/* --- Making and joining --- */

/* What two tasks have in common that can share a run. */
static char *
make_key (DrayTask *task)
{
  gboolean is_call = dray_task_get_kind (task) == DRAY_TASK_CALL;
  const char *name = is_call ? dray_task_get_function (task) : dray_task_get_argv (task)[0];

  return g_strdup_printf ("%c%c%" G_GSIZE_FORMAT ":%s%s", is_call ? 'f' : 'c',
                          dray_task_get_pull (task) ? '<' : '>', strlen (name), name,
                          dray_task_get_key (task));
}

/* Takes @key. */
static DrayTicket *
new_run_locked (DrayPool *pool, DrayTask *task, char *key)
{
  DrayTicket *run = dray_ticket_new (pool, task);

  g_clear_pointer (&run->pull, dray_pull_free);
  run->id = ++pool->last_ticket_id;
  run->run = g_new0 (DrayRun, 1);
  run->run->key = key;
  g_queue_init (&run->run->members);
  g_queue_init (&run->run->done);
  g_hash_table_insert (pool->runs, key, run);
  g_queue_push_tail_link (&pool->open, &run->open_link);

  return run;
}

void
dray_run_free (DrayRun *self)
{
  g_assert (self->key == NULL && g_queue_is_empty (&self->members)
            && g_queue_is_empty (&self->done));
  g_free (self);
}

/* The most urgent of its members', if the run has not begun. */
static void
update_priority_locked (DrayTicket *run)
{
  int priority = G_MAXINT;

  for (GList *link = run->run->members.head; link != NULL; link = link->next)
    priority = MIN (priority, ((DrayTicket *) link->data)->priority);

  if (!g_queue_is_empty (&run->run->members))
    dray_pool_set_priority_locked (run->pool, run, priority);
}

/* All but one of the members count as pending: the run itself stands for that one. */
static void
count_locked (DrayTicket *member, gboolean joins)
{
  DrayPool *pool = member->pool;
  gsize size = dray_ticket_get_size (member);

  member->joined = joins;
  pool->n_joined += joins ? 1 : -1u;
  pool->joined_bytes += joins ? size : -size;
  if (!joins)
    dray_pool_offer_room_locked (pool);
}

DrayTicket *
dray_run_join_locked (DrayTicket *ticket, gboolean *is_new)
{
  DrayPool *pool = ticket->pool;
  char *key = make_key (ticket->task);
  DrayTicket *run = g_hash_table_lookup (pool->runs, key);

  *is_new = run == NULL;
  if (run == NULL)
    {
      run = new_run_locked (pool, ticket->task, key);
    }
  else
    {
      g_free (key);
      dray_ticket_ref (run);
      count_locked (ticket, TRUE);
    }

  ticket->run_ticket = run;
  ticket->progress = run->progress;
  ticket->status = g_strdup (run->status);
  g_queue_push_tail (&run->run->members, dray_ticket_ref (ticket));
  ticket->member_link = run->run->members.tail;

  update_priority_locked (run);
  if (run->state == DRAY_FUTURE_RUNNING)
    dray_ticket_start_locked (ticket);
  return run;
}

/* --- Told to the members --- */

void
dray_run_started_locked (DrayTicket *run)
{
  for (GList *link = run->run->members.head; link != NULL; link = link->next)
    dray_ticket_start_locked (link->data);
}

void
dray_run_restarted_locked (DrayTicket *run)
{
  for (GList *link = run->run->members.head; link != NULL; link = link->next)
    dray_ticket_restart_locked (link->data);
  update_priority_locked (run); /* some may have joined while it ran */
}

void
dray_run_add_item_locked (DrayTicket *run, GVariant *value)
{
  for (GList *link = run->run->members.head; link != NULL; link = link->next)
    dray_ticket_keep_item_locked (link->data, g_variant_ref (value));
  g_variant_unref (value);
}

void
dray_run_add_progress_locked (DrayTicket *run, double fraction, const char *text)
{
  for (GList *link = run->run->members.head; link != NULL; link = link->next)
    dray_ticket_add_progress_locked (link->data, fraction, g_strdup (text));
}

void
dray_run_close_locked (DrayTicket *run)
{
  if (run->run->key == NULL)
    return;

  g_hash_table_remove (run->pool->runs, run->run->key);
  g_clear_pointer (&run->run->key, g_free);
}

/* Takes the member off; its link, and the reference, are the caller's. */
static GList *
take_off_locked (DrayTicket *member)
{
  GQueue *members = &member->run_ticket->run->members;
  GList *link = g_steal_pointer (&member->member_link);

  g_queue_unlink (members, link);
  member->run_ticket = NULL;
  if (member->joined)
    count_locked (member, FALSE);
  else if (!g_queue_is_empty (members))
    count_locked (g_queue_peek_head (members), FALSE);

  return link;
}

void
dray_run_done_locked (DrayTicket *run)
{
  DrayTicket *member;

  dray_run_close_locked (run);
  while ((member = g_queue_peek_head (&run->run->members)) != NULL)
    {
      g_queue_push_tail_link (&run->run->done, take_off_locked (member));
      member->cancel_requested |= run->cancel_requested;
      if (run->attachments != NULL)
        member->attachments = g_object_ref (run->attachments);
      dray_ticket_complete_locked (member, run->result != NULL ? g_variant_ref (run->result) : NULL,
                                   run->error != NULL ? g_error_copy (run->error) : NULL);
    }
}

void
dray_run_release_members (DrayTicket *run)
{
  for (;;)
    {
      DrayTicket *member;

      dray_pool_lock (run->pool);
      member = g_queue_pop_head (&run->run->done);
      dray_pool_unlock (run->pool);

      if (member == NULL)
        return;

      dray_ticket_tie_up (member);
      dray_ticket_unref (member);
    }
}

/* --- Told of a member --- */

/* The reference is not the last one: whoever ends a member by itself has one of his own. */
void
dray_run_leave_locked (DrayTicket *member)
{
  DrayTicket *run = member->run_ticket;

  g_list_free_1 (take_off_locked (member));
  update_priority_locked (run);
  dray_flow_changed_locked (member);
  dray_ticket_unref (member);
}

gboolean
dray_run_is_last_locked (DrayTicket *member)
{
  return g_queue_get_length (&member->run_ticket->run->members) == 1;
}

gboolean
dray_run_set_priority_locked (DrayTicket *member, int priority)
{
  if (member->state != DRAY_FUTURE_PENDING || member->cancel_requested)
    return FALSE;

  member->priority = priority;
  update_priority_locked (member->run_ticket);
  return TRUE;
}

gboolean
dray_run_any_locked (DrayTicket *run, DrayRunCheck check)
{
  for (GList *link = run->run->members.head; link != NULL; link = link->next)
    if (((DrayTicket *) link->data)->future != NULL && check (link->data))
      return TRUE;

  return FALSE;
}

gboolean
dray_run_all_locked (DrayTicket *run, DrayRunCheck check)
{
  for (GList *link = run->run->members.head; link != NULL; link = link->next)
    if (dray_ticket_keeps_items_locked (link->data) && !check (link->data))
      return FALSE;

  return TRUE;
}
