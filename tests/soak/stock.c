/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

/*
 * The executors. There are always as many as there are kinds of them; each lives for a while, and
 * is then shut down in some way while tasks are still submitted to it, and replaced. Others, the
 * visitors, are made by whoever wants one for a moment.
 *
 * Whoever ends one, or cancels all of its tasks, says so before: then a task that ends so is right.
 * What belongs to nobody's main context but the main thread's, the lists, is used there only.
 */

typedef struct
{
  const char *name;
  const char *mode; /* (nullable): the worker's first argument */
  gboolean trusted;
  guint64 shared_size; /* 0: the library's own */
  guint max_tasks_per_worker;
  guint idle_timeout;
  gboolean tight;
} Recipe;

static const Recipe recipes[] = {
  { "plain", NULL, FALSE, 0, 0, 300, FALSE },
  { "trusting", NULL, TRUE, 0, 0, 10000, FALSE },
  { "sealing", NULL, FALSE, 64 * 1024, 0, 300, FALSE },
  { "frugal", "--no-ring", FALSE, 0, 30, 50, TRUE },
};

#define N_STOCKS G_N_ELEMENTS (recipes)

static GMutex lock;
static const char *worker_program; /* (unowned) */

/* protected by the lock */
static SoakStock *stocks[N_STOCKS]; /* (owned) */

static SoakStock *
make (const Recipe *recipe, GRand *rand)
{
  const char *argv[] = { worker_program, recipe->mode, NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  SoakStock *self = g_new0 (SoakStock, 1);

  dray_launcher_set_trusted (launcher, recipe->trusted);
  if (recipe->shared_size > 0)
    dray_launcher_set_shared_size (launcher, recipe->shared_size);

  self->name = recipe->name;
  self->tight = recipe->tight;
  g_atomic_ref_count_init (&self->ref_count);
  self->executor = dray_executor_new (launcher);
  g_object_set (self->executor, "max-workers", (guint) g_rand_int_range (rand, 1, 4),
                "idle-timeout", recipe->idle_timeout, "max-tasks-per-worker",
                recipe->max_tasks_per_worker, "grace-period",
                (guint) g_rand_int_range (rand, 20, 400), NULL);
  if (recipe->tight)
    g_object_set (self->executor, "max-pending-tasks", 100, "max-undelivered-items", 64,
                  "max-undelivered-bytes", (guint64) 256 * 1024, "max-undelivered-items-per-future",
                  32, "max-undelivered-bytes-per-future", (guint64) 128 * 1024, NULL);

  return self;
}

SoakStock *
soak_stock_ref (SoakStock *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
soak_stock_unref (SoakStock *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_clear_object (&self->executor);
  g_free (self);
}

static DrayExecutor *
dup_executor (SoakStock *self)
{
  DrayExecutor *executor = NULL;

  g_mutex_lock (&lock);
  if (self->executor != NULL)
    executor = g_object_ref (self->executor);
  g_mutex_unlock (&lock);

  return executor;
}

/* If it was dropped a moment ago, one stands in that was shut down. */
DrayExecutor *
soak_stock_dup_executor (SoakStock *self)
{
  DrayExecutor *executor = dup_executor (self);

  if (executor == NULL)
    {
      executor = dray_executor_new (NULL);
      dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
    }

  return executor;
}

static DrayExecutor *
steal_executor (SoakStock *self)
{
  DrayExecutor *executor;

  g_mutex_lock (&lock);
  executor = g_steal_pointer (&self->executor);
  g_mutex_unlock (&lock);

  return executor;
}

SoakStock *
soak_stock_pick (GRand *rand)
{
  guint place = (guint) g_rand_int_range (rand, 0, (int) N_STOCKS);
  SoakStock *self;

  g_mutex_lock (&lock);
  self = soak_stock_ref (stocks[place]);
  g_mutex_unlock (&lock);

  return self;
}

SoakStock *
soak_stock_new_visitor (GRand *rand)
{
  return make (&recipes[g_rand_int_range (rand, 0, (int) N_STOCKS)], rand);
}

/* --- Ends --- */

static void
check_shut_down (DrayExecutor *executor, gboolean ended, GError *error)
{
  if (!ended)
    soak_violation ("A shutdown failed: %s", error->message);
  else if (!dray_executor_is_shut_down (executor))
    soak_violation ("An executor was shut down, and is not");
  g_clear_error (&error);
}

static void
shut_down_cb (GObject *source, GAsyncResult *result, gpointer promise)
{
  DrayExecutor *executor = DRAY_EXECUTOR (source);
  GError *error = NULL;
  gboolean ended = dray_executor_shutdown_finish (executor, result, &error);

  check_shut_down (executor, ended, error);
  soak_promise_keep_only (promise);
}

typedef struct
{
  DrayExecutor *executor; /* (owned) */
  DrayShutdownMode mode;
  gpointer promise;
} Ending;

static void
shut_down_by_hand (gpointer data)
{
  g_autofree Ending *ending = data;
  GError *error = NULL;
  gboolean ended = dray_executor_shutdown_sync (ending->executor, ending->mode, NULL, &error);

  check_shut_down (ending->executor, ended, error);
  g_object_unref (ending->executor);
  soak_promise_keep_only (ending->promise);
}

static DrayShutdownMode
pick_mode (GRand *rand)
{
  return (DrayShutdownMode) g_rand_int_range (rand, 0, DRAY_SHUTDOWN_KILL + 1);
}

static void
shut_down (DrayExecutor *executor, GRand *rand, SoakDriver *driver)
{
  const gboolean asynchronously = soak_chance (rand, 60);
  const gboolean by_hand = soak_chance (rand, 60);
  Ending *ending;

  if (asynchronously)
    dray_executor_shutdown_async (executor, pick_mode (rand), NULL, shut_down_cb,
                                  soak_promise_new (driver, "a shutdown", NULL, NULL));
  if (by_hand)
    {
      ending = g_new (Ending, 1);
      ending->executor = g_object_ref (executor);
      ending->mode = pick_mode (rand);
      ending->promise = soak_promise_new (driver, "a shutdown that is waited for", NULL, NULL);
      soak_hands_push (shut_down_by_hand, ending);
    }

  /* Whoever runs a task without a future (dray_executor_run_async()) has the executor until it is
   * done. If that is paused, and nobody else has it any more, it is for ever. */
  if (!asynchronously && !by_hand)
    dray_executor_set_paused (executor, FALSE);
}

/* Some are just dropped. */
void
soak_stock_retire (SoakStock *self, GRand *rand, SoakDriver *driver)
{
  g_autoptr (DrayExecutor) executor = NULL;

  g_atomic_int_set (&self->retired, TRUE);
  executor = steal_executor (self);
  if (executor != NULL)
    shut_down (executor, rand, driver);
  soak_stock_unref (self);
}

/* --- The main thread --- */

void
soak_stock_open (const char *worker, GRand *rand)
{
  worker_program = worker;
  for (guint i = 0; i < N_STOCKS; i++)
    {
      stocks[i] = make (&recipes[i], rand);
      dray_executor_get_workers (stocks[i]->executor);
    }
}

static void
replace_one (GRand *rand)
{
  guint place = (guint) g_rand_int_range (rand, 0, (int) N_STOCKS);
  SoakStock *fresh = make (&recipes[place], rand);
  SoakStock *old;

  dray_executor_get_workers (fresh->executor);
  if (soak_chance (rand, 50))
    dray_executor_get_futures (fresh->executor);

  g_mutex_lock (&lock);
  old = stocks[place];
  stocks[place] = fresh;
  g_mutex_unlock (&lock);

  soak_stock_retire (old, rand, NULL);
}

/* Only this thread ends those that are in the stock. */
void
soak_stock_stir (GRand *rand)
{
  SoakStock *stock = stocks[g_rand_int_range (rand, 0, (int) N_STOCKS)];
  double what = g_rand_double_range (rand, 0, 100);

  dray_executor_set_paused (stock->executor, what < 5);
  if (what >= 5 && what < 10)
    {
      g_atomic_int_set (&stock->emptied, TRUE);
      dray_executor_cancel_all (stock->executor);
    }
  else if (what >= 10 && what < 20)
    {
      dray_executor_set_max_workers (stock->executor, (guint) g_rand_int_range (rand, 1, 5));
    }
  else if (what >= 20 && what < 30)
    {
      replace_one (rand);
    }
}

void
soak_stock_calm (void)
{
  for (guint i = 0; i < N_STOCKS; i++)
    dray_executor_set_paused (stocks[i]->executor, FALSE);
}

void
soak_stock_close (GRand *rand)
{
  for (guint i = 0; i < N_STOCKS; i++)
    soak_stock_retire (g_steal_pointer (&stocks[i]), rand, NULL);
}

DrayWorkerProcess *
soak_stock_pick_worker (GRand *rand)
{
  SoakStock *stock = stocks[g_rand_int_range (rand, 0, (int) N_STOCKS)];
  GListModel *workers = dray_executor_get_workers (stock->executor);
  guint n_workers = g_list_model_get_n_items (workers);

  if (n_workers == 0)
    return NULL;
  return g_list_model_get_item (workers, (guint) g_rand_int_range (rand, 0, (int) n_workers));
}
