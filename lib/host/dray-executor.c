/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-executor-private.h"

#include "dray-launcher-private.h"
#include "dray-lists.h"
#include "dray-pool.h"
#include "dray-shortfall.h"

/**
 * DrayExecutor:
 *
 * Runs tasks in worker processes.
 *
 * An executor takes tasks from any thread, runs them in processes of their own, and hands what
 * they produce to the main context of whoever submitted them. It starts workers when there is
 * work, keeps them while there is, and ends them when there has been none for a while.
 *
 * A task that crashes its worker costs that worker and itself. What a worker prints, leaks, forks
 * or forgets stays in its process.
 *
 * ## Ownership
 *
 * Dropping the last reference to an executor gives up what it has not finished: the futures of
 * those tasks fail with %DRAY_ERROR_SHUT_DOWN, nothing blocks, and the worker processes are ended
 * in the background. Use [method@Executor.shutdown_async] for a gentler end.
 *
 * ## Threads
 *
 * All methods may be called on any thread. The lists of futures and workers, with the workers in
 * there, belong to one main context: that which was the thread's default when
 * [method@Executor.get_futures] or [method@Executor.get_workers] was called first.
 *
 * ## Flow
 *
 * What was received and not yet delivered is limited by
 * [property@Executor:max-undelivered-items] and [property@Executor:max-undelivered-bytes], and for
 * each future by [property@Executor:max-undelivered-items-per-future] and
 * [property@Executor:max-undelivered-bytes-per-future]. At the limit the executor stops reading
 * from its workers, or from that future's, which then wait in the middle of what they are writing.
 * Nothing is lost. [method@Future.wait] lifts the limits for what it waits for.
 *
 * ## Example
 *
 * ```c
 * g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
 * g_autoptr (DrayExecutor) executor = dray_executor_new (launcher);
 * g_autoptr (DrayFuture) future = dray_executor_call (executor, "checksum",
 *                                                     g_variant_new ("(s)", path));
 *
 * dray_future_add_done_callback (future, on_done, self, NULL);
 * ```
 *
 * Since: 0.1
 */

G_DEFINE_FINAL_TYPE (DrayExecutor, dray_executor, G_TYPE_OBJECT)

/* --- Life --- */

static void
dray_executor_constructed (GObject *object)
{
  DrayExecutor *self = DRAY_EXECUTOR (object);

  G_OBJECT_CLASS (dray_executor_parent_class)->constructed (object);

  /* Nobody else knows of the pool yet. */
  if (self->launcher != NULL)
    self->pool->plan = dray_launcher_plan (self->launcher);
  if (self->pool->plan != NULL && self->pool->plan->sandbox != DRAY_SANDBOX_NONE
      && self->pool->plan->sandbox_need == DRAY_SANDBOX_PREFERRED)
    dray_shortfall_watch (self->pool, self);
}

static void
dray_executor_dispose (GObject *object)
{
  DrayExecutor *self = DRAY_EXECUTOR (object);

  dray_lists_detach (self->pool);
  dray_shortfall_detach (self->pool);
  if (!g_atomic_int_get (&self->is_left_alone))
    dray_pool_shutdown (self->pool, DRAY_SHUTDOWN_TERMINATE, NULL);

  G_OBJECT_CLASS (dray_executor_parent_class)->dispose (object);
}

static void
dray_executor_finalize (GObject *object)
{
  DrayExecutor *self = DRAY_EXECUTOR (object);

  g_clear_object (&self->launcher);
  dray_pool_unref (self->pool);

  G_OBJECT_CLASS (dray_executor_parent_class)->finalize (object);
}

static void
dray_executor_class_init (DrayExecutorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = dray_executor_constructed;
  object_class->dispose = dray_executor_dispose;
  object_class->finalize = dray_executor_finalize;

  dray_executor_install_properties (object_class);
}

static void
dray_executor_init (DrayExecutor *self)
{
  DrayPoolOptions options;

  dray_executor_get_default_options (&options);
  self->pool = dray_pool_new (NULL, &options);
}

/**
 * dray_executor_new:
 * @launcher: (nullable): how to start workers; %NULL for an executor that runs commands only
 *
 * Makes an executor. No process is started before the first task.
 *
 * Returns: (transfer full): a new executor
 *
 * Since: 0.1
 */
DrayExecutor *
dray_executor_new (DrayLauncher *launcher)
{
  g_return_val_if_fail (launcher == NULL || DRAY_IS_LAUNCHER (launcher), NULL);

  return g_object_new (DRAY_TYPE_EXECUTOR, "launcher", launcher, NULL);
}

/**
 * dray_executor_get_launcher:
 * @self: an executor
 *
 * Gets the launcher that the executor was made with.
 *
 * Returns: (transfer none) (nullable): the launcher
 *
 * Since: 0.1
 */
DrayLauncher *
dray_executor_get_launcher (DrayExecutor *self)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);

  return self->launcher;
}

/**
 * dray_executor_dup_sandbox_shortfall:
 * @self: an executor
 *
 * Gets what is missing of the sandbox that its workers should preferably have
 * ([method@Launcher.set_sandbox_need]). It is known when the first of them has started, and stays
 * what it is: all are started alike. May be called on any thread.
 *
 * Returns: (transfer full) (nullable): a text for people, which says what could not be set up and
 *   why; %NULL if nothing is known to be missing
 *
 * Since: 0.1
 */
char *
dray_executor_dup_sandbox_shortfall (DrayExecutor *self)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);

  return dray_shortfall_dup_text (self->pool);
}

/* --- Steering --- */

/**
 * dray_executor_set_paused:
 * @self: an executor
 * @paused: whether to start no pending task
 *
 * Pauses the executor, or lets it go on. What runs already goes on. A pause does not hold up a
 * [method@Future.wait], which would never end, nor a shutdown.
 *
 * Since: 0.1
 */
void
dray_executor_set_paused (DrayExecutor *self, gboolean paused)
{
  g_return_if_fail (DRAY_IS_EXECUTOR (self));

  if (dray_executor_get_paused (self) == !!paused)
    return;

  dray_pool_set_paused (self->pool, paused);
  g_object_notify (G_OBJECT (self), "paused");
}

/**
 * dray_executor_get_paused:
 * @self: an executor
 *
 * Tells whether no pending task is started.
 *
 * Returns: whether the executor is paused
 *
 * Since: 0.1
 */
gboolean
dray_executor_get_paused (DrayExecutor *self)
{
  gboolean paused;

  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), FALSE);

  dray_pool_lock (self->pool);
  paused = self->pool->paused;
  dray_pool_unlock (self->pool);

  return paused;
}

/**
 * dray_executor_set_max_workers:
 * @self: an executor
 * @max_workers: how many processes may work at a time, 1,073,741,823 at most; 0 for one per
 *   processor
 *
 * Sets how many processes work at a time, workers and commands together. With fewer than work
 * now, those go on to the end of their tasks.
 *
 * Since: 0.1
 */
void
dray_executor_set_max_workers (DrayExecutor *self, guint max_workers)
{
  g_return_if_fail (DRAY_IS_EXECUTOR (self));
  g_return_if_fail (max_workers <= DRAY_EXECUTOR_MOST_WORKERS);

  g_object_set (self, "max-workers", max_workers, NULL);
}

/**
 * dray_executor_get_max_workers:
 * @self: an executor
 *
 * Gets how many processes work at a time.
 *
 * Returns: the number, never 0
 *
 * Since: 0.1
 */
guint
dray_executor_get_max_workers (DrayExecutor *self)
{
  guint max_workers;

  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), 0);

  dray_pool_lock (self->pool);
  max_workers = self->pool->options.max_workers;
  dray_pool_unlock (self->pool);

  return max_workers;
}

/**
 * dray_executor_cancel_all:
 * @self: an executor
 *
 * Cancels every task that is not done, as [method@Future.cancel] does.
 *
 * Since: 0.1
 */
void
dray_executor_cancel_all (DrayExecutor *self)
{
  g_return_if_fail (DRAY_IS_EXECUTOR (self));

  dray_fork_check ();
  dray_pool_cancel_all (self->pool);
}

/* --- Looking --- */

/**
 * dray_executor_get_futures:
 * @self: an executor
 *
 * Gets the futures of all tasks that are not done, oldest first. The list is made by the first call
 * and kept up to date from then on; nothing is kept for it before. May be called on any thread, but
 * the list changes, and may be used, only in the main context that was the thread's default when
 * this or [method@Executor.get_workers] was called first.
 *
 * Returns: (transfer none): a list of [class@Future]
 *
 * Since: 0.1
 */
GListModel *
dray_executor_get_futures (DrayExecutor *self)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);

  dray_fork_check ();
  return dray_lists_get_futures (self->pool);
}

/**
 * dray_executor_get_workers:
 * @self: an executor
 *
 * Gets the worker processes that are alive. The list is made by the first call, which does not
 * wait for what is to be in there, and kept up to date from then on; nothing is kept for it before.
 * May be called on any thread, but the list and its workers change, and may be used, only in the
 * main context that was the thread's default when this or [method@Executor.get_futures] was called
 * first.
 *
 * Returns: (transfer none): a list of [class@WorkerProcess]
 *
 * Since: 0.1
 */
GListModel *
dray_executor_get_workers (DrayExecutor *self)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);

  dray_fork_check ();
  return dray_lists_get_workers (self->pool);
}

/**
 * dray_executor_dup_counters:
 * @self: an executor
 *
 * Gets what the executor has done so far.
 *
 * Returns: (transfer full): a copy of the counters
 *
 * Since: 0.1
 */
DrayCounters *
dray_executor_dup_counters (DrayExecutor *self)
{
  DrayCounters *counters;

  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);

  dray_fork_check ();
  dray_pool_lock (self->pool);
  counters = dray_counters_copy (&self->pool->counters);
  counters->queue_length = dray_pending_queue_get_length (self->pool->calls)
                           + dray_pending_queue_get_length (self->pool->commands)
                           + self->pool->n_deferred;
  dray_pool_unlock (self->pool);

  return counters;
}
