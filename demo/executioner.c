/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "executioner.h"

/*
 * The load is cut into as many parts as there are workers to kill, and the moment of each kill is
 * drawn from its part; the load's progress is the clock, since nobody knows how long it will take.
 * The last tenth is left out: a worker that is killed must still have something to do.
 *
 * The parts are known once the folder is listed. In a small folder that is nearly at the end, and
 * the kills are then made one after the other, as fast as workers turn up.
 */

/* ms between two looks at the progress. */
#define INTERVAL 2
#define LAST_MOMENT 0.9

struct _DemoExecutioner
{
  DemoWindow *window; /* (unowned): outlives this */
  guint n_kills;
  guint n_killed;
  double *moments;    /* (owned) (nullable): fractions of the load, rising */
  GHashTable *killed; /* (owned): of pids; none is killed twice while the news is on its way */
  guint source_id;
};

/* What is left of the load, cut into parts. */
static void
draw_moments (DemoExecutioner *self, double first)
{
  double part = MAX (0, LAST_MOMENT - first) / self->n_kills;

  self->moments = g_new (double, self->n_kills);
  for (guint i = 0; i < self->n_kills; i++)
    self->moments[i] = first + part * (i + g_random_double ());
}

/* (transfer full) (nullable): one of those that are at work */
static DrayWorkerProcess *
choose_worker (DemoExecutioner *self)
{
  DrayExecutor *executor;
  GListModel *workers;
  g_autoptr (GPtrArray) busy = g_ptr_array_new_with_free_func (g_object_unref);

  executor = demo_worker_engine_get_executor (demo_window_get_worker_engine (self->window));
  workers = dray_executor_get_workers (executor);
  for (guint i = 0; i < g_list_model_get_n_items (workers); i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (workers, i);
      int pid = dray_worker_process_get_pid (worker);

      if (dray_worker_process_get_state (worker) == DRAY_WORKER_BUSY
          && !g_hash_table_contains (self->killed, GINT_TO_POINTER (pid)))
        g_ptr_array_add (busy, g_steal_pointer (&worker));
    }
  if (busy->len == 0)
    return NULL;
  return g_object_ref (busy->pdata[g_random_int_range (0, (gint32) busy->len)]);
}

static void
kill_one (DemoExecutioner *self)
{
  g_autoptr (DrayWorkerProcess) worker = choose_worker (self);

  if (worker == NULL)
    return;
  g_hash_table_add (self->killed, GINT_TO_POINTER (dray_worker_process_get_pid (worker)));
  dray_worker_process_kill (worker);
  self->n_killed++;
}

static gboolean
look_cb (gpointer user_data)
{
  DemoExecutioner *self = user_data;
  DemoLoader *loader = demo_window_get_loader (self->window);
  guint n_found, n_done;
  double progress;

  if (loader == NULL || demo_loader_get_state (loader) != DEMO_LOADER_LOADING
      || demo_loader_is_listing (loader))
    return G_SOURCE_CONTINUE;

  n_found = demo_loader_get_n_found (loader);
  n_done = demo_loader_get_n_read (loader) + demo_loader_get_n_failed (loader);
  progress = n_found > 0 ? (double) n_done / n_found : 1;
  if (self->moments == NULL)
    draw_moments (self, progress);

  if (progress >= self->moments[self->n_killed])
    kill_one (self);
  if (self->n_killed < self->n_kills)
    return G_SOURCE_CONTINUE;
  self->source_id = 0;
  return G_SOURCE_REMOVE;
}

DemoExecutioner *
demo_executioner_new (DemoWindow *window, guint n_kills)
{
  DemoExecutioner *self = g_new0 (DemoExecutioner, 1);

  self->window = window;
  self->n_kills = n_kills;
  self->killed = g_hash_table_new (NULL, NULL);
  if (n_kills > 0)
    self->source_id = g_timeout_add (INTERVAL, look_cb, self);
  return self;
}

void
demo_executioner_free (DemoExecutioner *self)
{
  g_clear_handle_id (&self->source_id, g_source_remove);
  g_hash_table_unref (self->killed);
  g_free (self->moments);
  g_free (self);
}

guint
demo_executioner_get_n_killed (DemoExecutioner *self)
{
  return self->n_killed;
}
