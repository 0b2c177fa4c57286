/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-executor-private.h"

#include "dray-launcher-private.h"
#include "dray-lists.h"
#include "dray-pool.h"

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
 * All methods may be called on any thread, but for the list models, which belong to the main
 * context that was the thread's default when the executor was made.
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

enum
{
  PROP_LAUNCHER = 1,
  PROP_MAX_WORKERS,
  PROP_MAX_TASKS_PER_WORKER,
  PROP_IDLE_TIMEOUT,
  PROP_LAUNCH_TIMEOUT,
  PROP_GRACE_PERIOD,
  PROP_MAX_PENDING_TASKS,
  PROP_MAX_PENDING_BYTES,
  PROP_MAX_UNDELIVERED_ITEMS,
  PROP_MAX_UNDELIVERED_BYTES,
  PROP_MAX_UNDELIVERED_ITEMS_PER_FUTURE,
  PROP_MAX_UNDELIVERED_BYTES_PER_FUTURE,
  PROP_MAX_MESSAGE_SIZE,
  PROP_SLICE,
  PROP_DELIVERY_PRIORITY,
  PROP_PAUSED,
  N_PROPERTIES,
};

#define DEFAULT_IDLE_TIMEOUT 10000
#define DEFAULT_LAUNCH_TIMEOUT 30000
#define DEFAULT_GRACE_PERIOD 2000
#define DEFAULT_MAX_PENDING_TASKS (4 * 1024 * 1024)
#define DEFAULT_MAX_PENDING_BYTES ((guint64) 1024 * 1024 * 1024)
#define DEFAULT_MAX_UNDELIVERED_ITEMS 65536
#define DEFAULT_MAX_UNDELIVERED_BYTES ((guint64) 64 * 1024 * 1024)
#define DEFAULT_MAX_UNDELIVERED_ITEMS_PER_FUTURE (DEFAULT_MAX_UNDELIVERED_ITEMS / 2)
#define DEFAULT_MAX_UNDELIVERED_BYTES_PER_FUTURE (DEFAULT_MAX_UNDELIVERED_BYTES / 2)
#define DEFAULT_MAX_MESSAGE_SIZE ((guint64) 1024 * 1024 * 1024)
#define DEFAULT_SLICE 4000

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (DrayExecutor, dray_executor, G_TYPE_OBJECT)

/* --- Properties --- */

static guint
resolve_max_workers (guint max_workers)
{
  return max_workers > 0 ? max_workers : MAX (g_get_num_processors (), 1u);
}

static void
set_option_locked (DrayPoolOptions *options, guint id, const GValue *value)
{
  switch (id)
    {
    case PROP_MAX_WORKERS:
      options->max_workers = resolve_max_workers (g_value_get_uint (value));
      break;
    case PROP_MAX_TASKS_PER_WORKER:
      options->max_tasks_per_worker = g_value_get_uint (value);
      break;
    case PROP_IDLE_TIMEOUT:
      options->idle_timeout = g_value_get_uint (value);
      break;
    case PROP_LAUNCH_TIMEOUT:
      options->launch_timeout = g_value_get_uint (value);
      break;
    case PROP_GRACE_PERIOD:
      options->grace_period = g_value_get_uint (value);
      break;
    case PROP_MAX_PENDING_TASKS:
      options->max_pending_tasks = g_value_get_uint (value);
      break;
    case PROP_MAX_PENDING_BYTES:
      options->max_pending_bytes = g_value_get_uint64 (value);
      break;
    case PROP_MAX_UNDELIVERED_ITEMS:
      options->max_undelivered_items = g_value_get_uint (value);
      break;
    case PROP_MAX_UNDELIVERED_BYTES:
      options->max_undelivered_bytes = g_value_get_uint64 (value);
      break;
    case PROP_MAX_UNDELIVERED_ITEMS_PER_FUTURE:
      options->max_undelivered_items_per_future = g_value_get_uint (value);
      break;
    case PROP_MAX_UNDELIVERED_BYTES_PER_FUTURE:
      options->max_undelivered_bytes_per_future = g_value_get_uint64 (value);
      break;
    case PROP_MAX_MESSAGE_SIZE:
      options->max_message_size = g_value_get_uint64 (value);
      break;
    case PROP_SLICE:
      options->slice = g_value_get_uint (value);
      break;
    case PROP_DELIVERY_PRIORITY:
      options->delivery_priority = g_value_get_int (value);
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
get_option_locked (const DrayPoolOptions *options, guint id, GValue *value)
{
  switch (id)
    {
    case PROP_MAX_WORKERS:
      g_value_set_uint (value, options->max_workers);
      break;
    case PROP_MAX_TASKS_PER_WORKER:
      g_value_set_uint (value, options->max_tasks_per_worker);
      break;
    case PROP_IDLE_TIMEOUT:
      g_value_set_uint (value, options->idle_timeout);
      break;
    case PROP_LAUNCH_TIMEOUT:
      g_value_set_uint (value, options->launch_timeout);
      break;
    case PROP_GRACE_PERIOD:
      g_value_set_uint (value, options->grace_period);
      break;
    case PROP_MAX_PENDING_TASKS:
      g_value_set_uint (value, options->max_pending_tasks);
      break;
    case PROP_MAX_PENDING_BYTES:
      g_value_set_uint64 (value, options->max_pending_bytes);
      break;
    case PROP_MAX_UNDELIVERED_ITEMS:
      g_value_set_uint (value, options->max_undelivered_items);
      break;
    case PROP_MAX_UNDELIVERED_BYTES:
      g_value_set_uint64 (value, options->max_undelivered_bytes);
      break;
    case PROP_MAX_UNDELIVERED_ITEMS_PER_FUTURE:
      g_value_set_uint (value, options->max_undelivered_items_per_future);
      break;
    case PROP_MAX_UNDELIVERED_BYTES_PER_FUTURE:
      g_value_set_uint64 (value, options->max_undelivered_bytes_per_future);
      break;
    case PROP_MAX_MESSAGE_SIZE:
      g_value_set_uint64 (value, options->max_message_size);
      break;
    case PROP_SLICE:
      g_value_set_uint (value, options->slice);
      break;
    case PROP_DELIVERY_PRIORITY:
      g_value_set_int (value, options->delivery_priority);
      break;
    default:
      g_assert_not_reached ();
    }
}

static gboolean
is_property (guint id)
{
  return id > 0 && id < N_PROPERTIES;
}

static void
dray_executor_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  DrayExecutor *self = DRAY_EXECUTOR (object);

  if (id == PROP_LAUNCHER)
    {
      self->launcher = g_value_dup_object (value);
    }
  else if (id == PROP_PAUSED)
    {
      dray_executor_set_paused (self, g_value_get_boolean (value));
    }
  else if (is_property (id))
    {
      g_mutex_lock (&self->pool->lock);
      set_option_locked (&self->pool->options, id, value);
      g_mutex_unlock (&self->pool->lock);
      dray_pool_options_changed (self->pool);
    }
  else
    {
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
dray_executor_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  DrayExecutor *self = DRAY_EXECUTOR (object);

  if (id == PROP_LAUNCHER)
    {
      g_value_set_object (value, self->launcher);
    }
  else if (id == PROP_PAUSED)
    {
      g_value_set_boolean (value, dray_executor_get_paused (self));
    }
  else if (is_property (id))
    {
      g_mutex_lock (&self->pool->lock);
      get_option_locked (&self->pool->options, id, value);
      g_mutex_unlock (&self->pool->lock);
    }
  else
    {
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

/* --- Life --- */

static void
dray_executor_constructed (GObject *object)
{
  DrayExecutor *self = DRAY_EXECUTOR (object);

  G_OBJECT_CLASS (dray_executor_parent_class)->constructed (object);

  dray_launch_prepare ();

  /* Nobody else knows of the pool yet. */
  if (self->launcher != NULL)
    self->pool->plan = dray_launcher_plan (self->launcher);
}

static void
dray_executor_dispose (GObject *object)
{
  DrayExecutor *self = DRAY_EXECUTOR (object);

  dray_lists_detach (self->pool);
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
install_worker_properties (void)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;

  /**
   * DrayExecutor:launcher: (getter get_launcher)
   *
   * How worker processes are started. What it says is taken when the executor is made; later
   * changes of the launcher have no effect on it. An executor without a launcher runs commands
   * only.
   *
   * Since: 0.1
   */
  properties[PROP_LAUNCHER] = g_param_spec_object ("launcher", NULL, NULL, DRAY_TYPE_LAUNCHER,
                                                   G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY
                                                     | G_PARAM_STATIC_STRINGS);

  /**
   * DrayExecutor:max-workers: (getter get_max_workers) (setter set_max_workers)
   *
   * How many processes work at a time, workers and commands together. Set to 0 for as many as
   * there are processors that this process may use, which is the default.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_WORKERS] = g_param_spec_uint ("max-workers", NULL, NULL, 0, G_MAXUINT / 4, 0,
                                                    flags);

  /**
   * DrayExecutor:max-tasks-per-worker:
   *
   * After how many tasks a worker is replaced by a fresh one; 0: never.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_TASKS_PER_WORKER] = g_param_spec_uint ("max-tasks-per-worker", NULL, NULL, 0,
                                                             G_MAXUINT, 0, flags);

  /**
   * DrayExecutor:idle-timeout:
   *
   * After how many milliseconds without a task a worker is ended; 0: never.
   *
   * Since: 0.1
   */
  properties[PROP_IDLE_TIMEOUT] = g_param_spec_uint ("idle-timeout", NULL, NULL, 0, G_MAXUINT,
                                                     DEFAULT_IDLE_TIMEOUT, flags);

  /**
   * DrayExecutor:launch-timeout:
   *
   * How many milliseconds a worker has from its start until it is ready for tasks, its
   * initialiser included; 0: as long as it takes.
   *
   * Since: 0.1
   */
  properties[PROP_LAUNCH_TIMEOUT] = g_param_spec_uint ("launch-timeout", NULL, NULL, 0, G_MAXUINT,
                                                       DEFAULT_LAUNCH_TIMEOUT, flags);

  /**
   * DrayExecutor:grace-period:
   *
   * How many milliseconds a worker has to stop a task that was cancelled or ran out of time, or to
   * end when it is asked to. After the first half it is sent `SIGTERM`, after the second
   * `SIGKILL`. With 0 it is killed at once.
   *
   * Since: 0.1
   */
  properties[PROP_GRACE_PERIOD] = g_param_spec_uint ("grace-period", NULL, NULL, 0, G_MAXUINT,
                                                     DEFAULT_GRACE_PERIOD, flags);

  /**
   * DrayExecutor:paused: (getter get_paused) (setter set_paused)
   *
   * Whether no pending task is started. What runs goes on.
   *
   * Since: 0.1
   */
  properties[PROP_PAUSED] = g_param_spec_boolean ("paused", NULL, NULL, FALSE,
                                                  flags | G_PARAM_EXPLICIT_NOTIFY);
}

static void
install_flow_properties (void)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;

  /**
   * DrayExecutor:max-pending-tasks:
   *
   * How many tasks may be pending; 0: any number. One more is refused with
   * %DRAY_ERROR_QUEUE_FULL, or waits: see [method@Executor.submit_async].
   *
   * Since: 0.1
   */
  properties[PROP_MAX_PENDING_TASKS] = g_param_spec_uint (
    "max-pending-tasks", NULL, NULL, 0, G_MAXUINT, DEFAULT_MAX_PENDING_TASKS, flags);

  /**
   * DrayExecutor:max-pending-bytes:
   *
   * How many bytes the arguments of pending tasks may have together; 0: any number. A single task
   * is always accepted.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_PENDING_BYTES] = g_param_spec_uint64 (
    "max-pending-bytes", NULL, NULL, 0, G_MAXUINT64, DEFAULT_MAX_PENDING_BYTES, flags);

  /**
   * DrayExecutor:max-undelivered-items:
   *
   * How many items and results may lie undelivered before workers are made to wait; 0: any
   * number. What was read in one go may exceed it by a little.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_UNDELIVERED_ITEMS] = g_param_spec_uint (
    "max-undelivered-items", NULL, NULL, 0, G_MAXUINT, DEFAULT_MAX_UNDELIVERED_ITEMS, flags);

  /**
   * DrayExecutor:max-undelivered-bytes:
   *
   * How many bytes undelivered items and results may have before workers are made to wait; 0: any
   * number. What was read in one go, such as one large result, may exceed it.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_UNDELIVERED_BYTES] = g_param_spec_uint64 (
    "max-undelivered-bytes", NULL, NULL, 0, G_MAXUINT64, DEFAULT_MAX_UNDELIVERED_BYTES, flags);

  /**
   * DrayExecutor:max-undelivered-items-per-future:
   *
   * How many items of one future may lie undelivered before its worker is made to wait, while
   * others go on; 0: any number. The default is 32,768. Of a future whose items are pulled no more
   * than 1,024 are read ahead, whatever this says. What was read in one go may exceed it by a
   * little.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_UNDELIVERED_ITEMS_PER_FUTURE] = g_param_spec_uint (
    "max-undelivered-items-per-future", NULL, NULL, 0, G_MAXUINT,
    DEFAULT_MAX_UNDELIVERED_ITEMS_PER_FUTURE, flags);

  /**
   * DrayExecutor:max-undelivered-bytes-per-future:
   *
   * How many bytes the undelivered items of one future may have before its worker is made to wait,
   * while others go on; 0: any number. The default is 32 MiB. Of a future whose items are pulled
   * no more than 1 MiB is read ahead, whatever this says. What was read in one go, such as one
   * large item, may exceed it.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_UNDELIVERED_BYTES_PER_FUTURE] = g_param_spec_uint64 (
    "max-undelivered-bytes-per-future", NULL, NULL, 0, G_MAXUINT64,
    DEFAULT_MAX_UNDELIVERED_BYTES_PER_FUTURE, flags);

  /**
   * DrayExecutor:max-message-size:
   *
   * How many bytes one value (arguments, an item, a result) may have. A worker that announces more
   * is ended with %DRAY_ERROR_PROTOCOL; larger arguments are refused with %DRAY_ERROR_TOO_LARGE.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_MESSAGE_SIZE] = g_param_spec_uint64 (
    "max-message-size", NULL, NULL, 1024, G_MAXUINT32 - 64 * 1024, DEFAULT_MAX_MESSAGE_SIZE, flags);

  /**
   * DrayExecutor:slice:
   *
   * For how many microseconds at most events are handed over before the main context can see to
   * others.
   *
   * Since: 0.1
   */
  properties[PROP_SLICE] = g_param_spec_uint ("slice", NULL, NULL, 0, G_MAXUINT, DEFAULT_SLICE,
                                              flags);

  /**
   * DrayExecutor:delivery-priority:
   *
   * The priority at which events are handed over, as that of a #GSource. It counts for main
   * contexts from which tasks are submitted after it was set.
   *
   * Since: 0.1
   */
  properties[PROP_DELIVERY_PRIORITY] = g_param_spec_int ("delivery-priority", NULL, NULL, G_MININT,
                                                         G_MAXINT, G_PRIORITY_DEFAULT_IDLE, flags);
}

static void
dray_executor_class_init (DrayExecutorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = dray_executor_constructed;
  object_class->dispose = dray_executor_dispose;
  object_class->finalize = dray_executor_finalize;
  object_class->set_property = dray_executor_set_property;
  object_class->get_property = dray_executor_get_property;

  install_worker_properties ();
  install_flow_properties ();
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
dray_executor_init (DrayExecutor *self)
{
  const DrayPoolOptions options = {
    .max_workers = resolve_max_workers (0),
    .idle_timeout = DEFAULT_IDLE_TIMEOUT,
    .launch_timeout = DEFAULT_LAUNCH_TIMEOUT,
    .grace_period = DEFAULT_GRACE_PERIOD,
    .max_pending_tasks = DEFAULT_MAX_PENDING_TASKS,
    .max_pending_bytes = DEFAULT_MAX_PENDING_BYTES,
    .max_undelivered_items = DEFAULT_MAX_UNDELIVERED_ITEMS,
    .max_undelivered_bytes = DEFAULT_MAX_UNDELIVERED_BYTES,
    .max_undelivered_items_per_future = DEFAULT_MAX_UNDELIVERED_ITEMS_PER_FUTURE,
    .max_undelivered_bytes_per_future = DEFAULT_MAX_UNDELIVERED_BYTES_PER_FUTURE,
    .max_message_size = DEFAULT_MAX_MESSAGE_SIZE,
    .slice = DEFAULT_SLICE,
    .delivery_priority = G_PRIORITY_DEFAULT_IDLE,
  };

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
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PAUSED]);
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

  g_mutex_lock (&self->pool->lock);
  paused = self->pool->paused;
  g_mutex_unlock (&self->pool->lock);

  return paused;
}

/**
 * dray_executor_set_max_workers:
 * @self: an executor
 * @max_workers: how many processes may work at a time; 0 for one per processor
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

  g_mutex_lock (&self->pool->lock);
  max_workers = self->pool->options.max_workers;
  g_mutex_unlock (&self->pool->lock);

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

  dray_pool_cancel_all (self->pool);
}

/* --- Looking --- */

/**
 * dray_executor_get_futures:
 * @self: an executor
 *
 * Gets the futures of all tasks that are not done, oldest first. The list is kept up to date from
 * the first call on, in the main context that was the thread's default then, and to which it
 * belongs; nothing is kept for it before.
 *
 * Returns: (transfer none): a list of [class@Future]
 *
 * Since: 0.1
 */
GListModel *
dray_executor_get_futures (DrayExecutor *self)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);

  return dray_lists_get_futures (self->pool);
}

/**
 * dray_executor_get_workers:
 * @self: an executor
 *
 * Gets the worker processes that are alive. The list is kept up to date from the first call on,
 * in the main context that was the thread's default then, and to which it belongs; nothing is
 * kept for it before.
 *
 * Returns: (transfer none): a list of [class@WorkerProcess]
 *
 * Since: 0.1
 */
GListModel *
dray_executor_get_workers (DrayExecutor *self)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);

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

  g_mutex_lock (&self->pool->lock);
  counters = dray_counters_copy (&self->pool->counters);
  counters->queue_length = dray_pending_queue_get_length (self->pool->calls)
                           + dray_pending_queue_get_length (self->pool->commands)
                           + self->pool->n_deferred;
  g_mutex_unlock (&self->pool->lock);

  return counters;
}
