/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What can be set of an executor: the options of its pool, which take effect at once, and the
 * launcher, which is taken when it is made. */

#include "config.h"

#include "dray-executor-private.h"

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
  PROP_SANDBOX_SHORTFALL,
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
set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
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
      g_autoptr (GPtrArray) replaced = NULL;

      dray_pool_lock (self->pool);
      set_option_locked (&self->pool->options, id, value);
      if (id == PROP_DELIVERY_PRIORITY)
        replaced = dray_delivery_set_priorities_locked (self->pool);
      dray_pool_unlock (self->pool);
      dray_pool_options_changed (self->pool);
    }
  else
    {
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
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
  else if (id == PROP_SANDBOX_SHORTFALL)
    {
      g_value_take_string (value, dray_executor_dup_sandbox_shortfall (self));
    }
  else if (is_property (id))
    {
      dray_pool_lock (self->pool);
      get_option_locked (&self->pool->options, id, value);
      dray_pool_unlock (self->pool);
    }
  else
    {
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
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
   * How many processes work at a time, workers and commands together; 1,073,741,823 at most. Set
   * to 0 for as many as there are processors that this process may use, which is the default.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_WORKERS] = g_param_spec_uint ("max-workers", NULL, NULL, 0,
                                                    DRAY_EXECUTOR_MOST_WORKERS, 0, flags);

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
   * `SIGKILL`. A command is sent `SIGTERM` at once, since there is no other way to ask it. With 0
   * either is killed at once.
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

  /**
   * DrayExecutor:sandbox-shortfall: (getter dup_sandbox_shortfall)
   *
   * What is missing of the sandbox that workers should preferably have, as a text for people, or
   * %NULL. It changes once at most, when the first worker has started, and is notified in the main
   * context that was the thread's default when the executor was made.
   *
   * Since: 0.1
   */
  properties[PROP_SANDBOX_SHORTFALL]
    = g_param_spec_string ("sandbox-shortfall", NULL, NULL, NULL,
                           G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
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
   * number. What was read in one go may exceed it: one large result, or several values that a
   * worker has put into shared memory.
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
   * no more than 1 MiB is read ahead, whatever this says. What was read in one go may exceed it:
   * one large item, or several that the worker has put into shared memory.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_UNDELIVERED_BYTES_PER_FUTURE] = g_param_spec_uint64 (
    "max-undelivered-bytes-per-future", NULL, NULL, 0, G_MAXUINT64,
    DEFAULT_MAX_UNDELIVERED_BYTES_PER_FUTURE, flags);

  /**
   * DrayExecutor:max-message-size:
   *
   * How many bytes one value (arguments, an item, a result) may have. With a larger one the task
   * fails with %DRAY_ERROR_TOO_LARGE; a worker that announces more all the same is ended, with
   * %DRAY_ERROR_PROTOCOL. A worker goes by what was set when it was started. So a lower limit
   * counts at once for arguments only, and a higher one for no worker that is up.
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
   * The priority at which events are handed over, as that of a #GSource. It counts at once, in all
   * main contexts.
   *
   * Since: 0.1
   */
  properties[PROP_DELIVERY_PRIORITY] = g_param_spec_int ("delivery-priority", NULL, NULL, G_MININT,
                                                         G_MAXINT, G_PRIORITY_DEFAULT_IDLE, flags);
}

void
dray_executor_install_properties (GObjectClass *object_class)
{
  object_class->set_property = set_property;
  object_class->get_property = get_property;

  install_worker_properties ();
  install_flow_properties ();
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

void
dray_executor_get_default_options (DrayPoolOptions *options)
{
  *options = (DrayPoolOptions){
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
}
