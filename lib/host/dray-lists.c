/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-lists.h"

#include "dray-future-private.h"
#include "dray-worker-process-private.h"

/* How many futures are added or removed in one go. */
#define BATCH 500

/* What the list shows of one worker, as the I/O thread last said it. */
typedef struct
{
  guint64 id;
  int pid;
  gint64 start_time; /* real time, µs */
  DrayWorkerState state;
  DrayTask *task; /* (owned) (nullable) */
  guint64 tasks_done;
} Picture;

struct _DrayLists
{
  DrayNotice notice; /* first */

  /* set at construction */
  DrayPool *pool;         /* (unowned): owns this */
  DrayDelivery *delivery; /* (owned) (nullable): none if the pool was closed by then */

  /* protected by the pool's lock */
  gboolean detached;
  DrayFutureList *futures; /* (owned) (nullable) */
  guint n_filling;         /* lists of futures that are being made, of which one will be it */
  GPtrArray *submitted;    /* (owned) (element-type DrayTicket): not yet in the list */
  GArray *done;            /* (owned) (element-type guint64): ids, not yet removed */
  GListStore *workers;     /* (owned) (nullable) */
  gboolean workers_wanted;
  gboolean workers_changed;
  GHashTable *pictures; /* (owned): worker id → Picture (owned) */
  GHashTable *ends;     /* (owned): id of a worker that is gone → its wait status */
  GHashTable *processes; /* (owned): worker id → DrayWorkerProcess (owned); what is in it belongs to
                          * the main context of the lists */

  /* in the main context of the lists only */
  guint n_updates; /* of the list of workers */
};

static void
picture_free (gpointer data)
{
  Picture *picture = data;

  g_clear_pointer (&picture->task, dray_task_unref);
  g_free (picture);
}

/* --- Futures --- */

/* Takes @n elements from the front. */
static GPtrArray *
steal_submitted_locked (DrayLists *self, guint n)
{
  GPtrArray *tickets = g_ptr_array_new_full (n, (GDestroyNotify) dray_ticket_unref);

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (tickets, dray_ticket_ref (self->submitted->pdata[i]));
  if (n > 0)
    g_ptr_array_remove_range (self->submitted, 0, n);

  return tickets;
}

static GArray *
steal_done_locked (DrayLists *self)
{
  guint n = MIN (self->done->len, BATCH);
  GArray *ids = g_array_sized_new (FALSE, FALSE, sizeof (guint64), n);

  if (n > 0)
    {
      g_array_append_vals (ids, self->done->data, n);
      g_array_remove_range (self->done, 0, n);
    }

  return ids;
}

static void
add_futures (DrayFutureList *list, GPtrArray *tickets)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < tickets->len; i++)
    {
      g_autoptr (DrayFuture) future = dray_future_for_ticket (tickets->pdata[i]);

      if (!dray_future_is_done (future))
        g_ptr_array_add (futures, g_steal_pointer (&future));
    }

  if (futures->len > 0)
    dray_future_list_append (list, (DrayFuture *const *) futures->pdata, futures->len);
}

/* Additions first: what is done is then in the list, or was never put there. Returns whether
 * there is more to do. */
static gboolean
update_futures (DrayLists *self)
{
  g_autoptr (DrayFutureList) list = NULL;
  g_autoptr (GPtrArray) tickets = NULL;
  g_autoptr (GArray) ids = NULL;
  gboolean more;

  dray_pool_lock (self->pool);
  if (self->futures == NULL || self->detached)
    {
      dray_pool_unlock (self->pool);
      return FALSE;
    }
  list = g_object_ref (self->futures);
  tickets = steal_submitted_locked (self, MIN (self->submitted->len, BATCH));
  ids = self->submitted->len == 0 ? steal_done_locked (self) : NULL;
  more = self->submitted->len > 0 || self->done->len > 0;
  dray_pool_unlock (self->pool);

  add_futures (list, tickets);
  if (ids != NULL && ids->len > 0)
    dray_future_list_remove (list, (const guint64 *) (gpointer) ids->data, ids->len);

  return more;
}

/* Of a pool that is closed, no ticket is ever unfinished for longer than the lock is held, and
 * nobody would take out of the arrays what is put in. */
static gboolean
shows_futures_locked (DrayLists *self)
{
  return (self->futures != NULL || self->n_filling > 0) && !self->detached && !self->pool->closed;
}

void
dray_lists_ticket_submitted_locked (DrayLists *self, DrayTicket *ticket)
{
  if (!shows_futures_locked (self))
    return;

  g_ptr_array_add (self->submitted, dray_ticket_ref (ticket));
  dray_delivery_add_notice_locked (self->delivery, &self->notice);
}

void
dray_lists_ticket_done_locked (DrayLists *self, DrayTicket *ticket)
{
  if (!shows_futures_locked (self))
    return;

  g_array_append_val (self->done, ticket->id);
  dray_delivery_add_notice_locked (self->delivery, &self->notice);
}

/* --- Workers --- */

static void
kill_worker (guint64 worker_id, gpointer user_data)
{
  dray_pool_kill_worker (user_data, worker_id);
}

/* Copies of all pictures (transfer full), and their ids. */
static GPtrArray *
copy_pictures_locked (DrayLists *self, GHashTable *ids)
{
  GPtrArray *copies = g_ptr_array_new_with_free_func (picture_free);
  GHashTableIter iter;
  Picture *picture;

  g_hash_table_iter_init (&iter, self->pictures);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &picture))
    {
      Picture *copy = g_new0 (Picture, 1);

      *copy = *picture;
      copy->task = picture->task != NULL ? dray_task_ref (picture->task) : NULL;
      g_hash_table_add (ids, g_memdup2 (&picture->id, sizeof picture->id));
      g_ptr_array_add (copies, copy);
    }

  return copies;
}

static void
show_picture (DrayLists *self, GListStore *workers, GHashTable *processes, const Picture *picture)
{
  DrayWorkerProcess *process = g_hash_table_lookup (processes, &picture->id);

  if (process == NULL)
    {
      process = dray_worker_process_new (picture->id, picture->pid, picture->start_time,
                                         kill_worker, dray_pool_ref (self->pool),
                                         (GDestroyNotify) dray_pool_unref);
      g_hash_table_insert (processes, g_memdup2 (&picture->id, sizeof picture->id), process);
      dray_worker_process_update (process, picture->state, picture->task, picture->tasks_done);
      g_list_store_append (workers, process);
    }
  else
    {
      dray_worker_process_update (process, picture->state, picture->task, picture->tasks_done);
    }
}

/* (transfer full): the processes that are shown and have none of @ids */
static GPtrArray *
list_gone (GHashTable *processes, GHashTable *ids)
{
  GPtrArray *gone = g_ptr_array_new_with_free_func (g_object_unref);
  GHashTableIter iter;
  gpointer id;
  DrayWorkerProcess *process;

  g_hash_table_iter_init (&iter, processes);
  while (g_hash_table_iter_next (&iter, &id, (gpointer *) &process))
    if (!g_hash_table_contains (ids, id))
      g_ptr_array_add (gone, g_object_ref (process));

  return gone;
}

/* How a worker has ended, -1 if that is not known. */
static int
get_end (DrayLists *self, guint64 worker_id)
{
  gpointer end = GINT_TO_POINTER (-1);

  dray_pool_lock (self->pool);
  if (!self->detached)
    g_hash_table_lookup_extended (self->ends, &worker_id, NULL, &end);
  dray_pool_unlock (self->pool);

  return GPOINTER_TO_INT (end);
}

static void
remove_process (DrayLists *self,
                GListStore *workers,
                GHashTable *processes,
                DrayWorkerProcess *process)
{
  guint64 id = dray_worker_process_get_id (process);
  int end = get_end (self, id);
  guint position;

  if (!g_hash_table_remove (processes, &id))
    return;

  dray_worker_process_end (process, end);
  if (g_list_store_find (workers, process, &position))
    g_list_store_remove (workers, position);
}

static gboolean
is_not_shown (gpointer id, gpointer end, gpointer processes)
{
  return !g_hash_table_contains (processes, id);
}

/* Some came and went before they were shown. */
static void
forget_ends (DrayLists *self, GHashTable *processes)
{
  dray_pool_lock (self->pool);
  if (!self->detached)
    g_hash_table_foreach_remove (self->ends, is_not_shown, processes);
  dray_pool_unlock (self->pool);
}

/*
 * Whoever is told of a change may do anything, such as iterate the main context, in which this is
 * called again. Then what is known here is old, and all of it was done by that call: what is left
 * of this one would show workers as they were, or those that are gone once more.
 */
static void
update_workers (DrayLists *self)
{
  g_autoptr (GListStore) workers = NULL;
  g_autoptr (GHashTable) ids = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_autoptr (GHashTable) processes = NULL;
  g_autoptr (GPtrArray) pictures = NULL;
  g_autoptr (GPtrArray) gone = NULL;
  guint update = self->n_updates + 1;

  dray_pool_lock (self->pool);
  if (self->workers != NULL && !self->detached && self->workers_changed)
    {
      workers = g_object_ref (self->workers);
      processes = g_hash_table_ref (self->processes);
      pictures = copy_pictures_locked (self, ids);
      self->workers_changed = FALSE;
    }
  dray_pool_unlock (self->pool);

  if (workers == NULL)
    return;

  self->n_updates = update;
  gone = list_gone (processes, ids);
  for (guint i = 0; i < pictures->len && self->n_updates == update; i++)
    show_picture (self, workers, processes, pictures->pdata[i]);
  for (guint i = 0; i < gone->len && self->n_updates == update; i++)
    remove_process (self, workers, processes, gone->pdata[i]);
  if (self->n_updates == update)
    forget_ends (self, processes);
}

static gboolean
shows_workers_locked (DrayPool *pool)
{
  return pool->lists != NULL && pool->lists->workers != NULL && !pool->lists->detached;
}

static Picture *
get_picture_locked (DrayLists *self, DrayPoolWorker *worker)
{
  Picture *picture = g_hash_table_lookup (self->pictures, &worker->id);

  if (picture == NULL)
    {
      picture = g_new0 (Picture, 1);
      picture->id = worker->id;
      picture->pid = dray_child_get_pid (worker->process.child);
      picture->start_time = worker->start_time;
      g_hash_table_insert (self->pictures, &picture->id, picture);
    }

  return picture;
}

void
dray_lists_worker_changed (DrayPool *pool, DrayPoolWorker *worker)
{
  g_autoptr (DrayTask) old_task = NULL;

  dray_pool_lock (pool);
  if (shows_workers_locked (pool))
    {
      Picture *picture = get_picture_locked (pool->lists, worker);

      old_task = picture->task;
      picture->task = worker->current != NULL ? dray_task_ref (worker->current->task) : NULL;
      picture->state = dray_pool_worker_get_public_state (worker);
      picture->tasks_done = worker->tasks_done;
      pool->lists->workers_changed = TRUE;
      dray_delivery_add_notice_locked (pool->lists->delivery, &pool->lists->notice);
    }
  dray_pool_unlock (pool);
}

static void
note_end_locked (DrayLists *self, DrayPoolWorker *worker)
{
  DrayChild *child = worker->process.child;

  if (child != NULL && dray_child_has_exited (child))
    g_hash_table_insert (self->ends, g_memdup2 (&worker->id, sizeof worker->id),
                         GINT_TO_POINTER (dray_exit_get_wait_status (dray_child_get_exit (child))));
}

void
dray_lists_worker_gone (DrayPool *pool, DrayPoolWorker *worker)
{
  Picture *picture = NULL;

  dray_pool_lock (pool);
  if (shows_workers_locked (pool)
      && g_hash_table_steal_extended (pool->lists->pictures, &worker->id, NULL,
                                      (gpointer *) &picture))
    {
      note_end_locked (pool->lists, worker);
      pool->lists->workers_changed = TRUE;
      dray_delivery_add_notice_locked (pool->lists->delivery, &pool->lists->notice);
    }
  dray_pool_unlock (pool);

  g_clear_pointer (&picture, picture_free);
}

gboolean
dray_lists_steal_wanted_locked (DrayLists *self)
{
  gboolean wanted = self->workers_wanted;

  self->workers_wanted = FALSE;
  return wanted;
}

/* --- The notice --- */

static void
run (DrayNotice *notice)
{
  DrayLists *self = (DrayLists *) notice;

  update_workers (self);
  if (update_futures (self))
    {
      dray_pool_lock (self->pool);
      if (!self->detached) /* whoever was told of the changes may have dropped the executor */
        dray_delivery_add_notice_locked (self->delivery, &self->notice);
      dray_pool_unlock (self->pool);
    }
}

static void
drop (DrayNotice *notice)
{
  /* Part of this object, which the pool frees. */
}

/* --- Life --- */

static DrayLists *
get_lists_locked (DrayPool *pool)
{
  DrayLists *self = pool->lists;

  if (self != NULL)
    return self;

  self = pool->lists = g_new0 (DrayLists, 1);
  self->notice.run = run;
  self->notice.drop = drop;
  self->pool = pool;
  self->delivery = pool->closed ? NULL : dray_delivery_get_locked (pool);
  self->submitted = g_ptr_array_new_with_free_func ((GDestroyNotify) dray_ticket_unref);
  self->done = g_array_new (FALSE, FALSE, sizeof (guint64));
  self->pictures = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, picture_free);
  self->processes = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_object_unref);
  self->ends = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  return self;
}

/* What is to be in a new list of futures. From now on it is noted what changes. */
static GPtrArray *
begin_filling_locked (DrayLists *self)
{
  GPtrArray *tickets = g_ptr_array_new_with_free_func ((GDestroyNotify) dray_ticket_unref);

  self->n_filling++;
  for (GList *link = self->pool->open.head; link != NULL; link = link->next)
    if (dray_ticket_is_listed (link->data))
      g_ptr_array_add (tickets, dray_ticket_ref (link->data));

  return tickets;
}

/* Makes @list (transfer full) the list of futures, unless another is it by now; @n_known: how many
 * of those that were submitted are in it. Returns what is to be dropped without the lock, as *known
 * is then (transfer full) (nullable). */
static DrayFutureList *
end_filling_locked (DrayLists *self, DrayFutureList *list, guint n_known, GPtrArray **known)
{
  self->n_filling--;
  if (self->futures != NULL)
    return list;

  /* All is done, and there may be no source any more that would take it out. */
  if (self->pool->closed || self->detached)
    {
      self->futures = dray_future_list_new ();
      return list;
    }

  self->futures = list;
  *known = steal_submitted_locked (self, n_known);
  dray_delivery_add_notice_locked (self->delivery, &self->notice);
  return NULL;
}

/*
 * A list is touched in its main context only, and the caller may be on any thread. So it is filled
 * before it is anybody's. Of those that several threads fill at the same time, one is taken.
 */
static DrayFutureList *
make_futures (DrayLists *self)
{
  DrayPool *pool = self->pool;
  DrayFutureList *list = dray_future_list_new ();
  g_autoptr (DrayFutureList) rejected = NULL;
  g_autoptr (GPtrArray) tickets = NULL;
  g_autoptr (GPtrArray) known = NULL;
  guint n_known;

  dray_pool_lock (pool);
  tickets = begin_filling_locked (self);
  n_known = self->detached ? 0 : self->submitted->len;
  dray_pool_unlock (pool);

  add_futures (list, tickets);

  dray_pool_lock (pool);
  rejected = end_filling_locked (self, list, n_known, &known);
  list = self->futures;
  dray_pool_unlock (pool);

  return list;
}

GListModel *
dray_lists_get_futures (DrayPool *pool)
{
  DrayLists *self;
  DrayFutureList *list;

  dray_pool_lock (pool);
  self = get_lists_locked (pool);
  list = self->futures;
  dray_pool_unlock (pool);

  return G_LIST_MODEL (list != NULL ? list : make_futures (self));
}

GListModel *
dray_lists_get_workers (DrayPool *pool)
{
  DrayLists *self;
  GListStore *workers;

  dray_pool_lock (pool);
  self = get_lists_locked (pool);
  if (self->workers == NULL)
    {
      self->workers = g_list_store_new (DRAY_TYPE_WORKER_PROCESS);
      self->workers_wanted = TRUE;
      dray_pool_wake_locked (pool);
    }
  workers = self->workers;
  dray_pool_unlock (pool);

  return G_LIST_MODEL (workers);
}

void
dray_lists_detach (DrayPool *pool)
{
  g_autoptr (DrayFutureList) futures = NULL;
  g_autoptr (GListStore) workers = NULL;
  g_autoptr (GPtrArray) submitted = NULL;
  g_autoptr (GHashTable) processes = NULL;
  g_autoptr (GHashTable) pictures = NULL;
  g_autoptr (GHashTable) ends = NULL;
  g_autoptr (DrayDelivery) delivery = NULL;
  gboolean was_queued = FALSE, was_closed;

  dray_pool_lock (pool);
  was_closed = pool->closed;
  if (pool->lists != NULL && !pool->lists->detached)
    {
      DrayLists *self = pool->lists;

      self->detached = TRUE;
      was_queued = dray_delivery_remove_notice_locked (self->delivery, &self->notice);
      futures = g_steal_pointer (&self->futures);
      workers = g_steal_pointer (&self->workers);
      submitted = g_steal_pointer (&self->submitted);
      processes = g_steal_pointer (&self->processes);
      pictures = g_steal_pointer (&self->pictures);
      ends = g_steal_pointer (&self->ends);
      delivery = g_steal_pointer (&self->delivery);
    }
  dray_pool_unlock (pool);

  if (was_queued && was_closed)
    dray_delivery_look_for_end (delivery);
}

void
dray_lists_free (DrayLists *self)
{
  g_assert (self->detached);

  /* Made when the executor had been disposed. */
  g_clear_object (&self->futures);
  g_clear_object (&self->workers);

  g_array_unref (self->done);
  g_free (self);
}
