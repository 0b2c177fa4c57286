/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-executor.h"

#include "dray-future-private.h"
#include "dray-launcher-private.h"
#include "dray-lists.h"
#include "dray-pool.h"

#include <glib/gi18n-lib.h>

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
 * [property@Executor:max-undelivered-items] and [property@Executor:max-undelivered-bytes]. At the
 * limit the executor stops reading from its workers, which then wait in the middle of what they
 * are writing. Nothing is lost. [method@Future.wait] lifts the limit for what it waits for.
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

struct _DrayExecutor
{
  GObject parent_instance;

  /* set at construction */
  DrayLauncher *launcher; /* (owned) (nullable) */
  DrayPool *pool;         /* (owned) */
};

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
  properties[PROP_LAUNCHER]
    = g_param_spec_object ("launcher", NULL, NULL, DRAY_TYPE_LAUNCHER,
                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * DrayExecutor:max-workers: (getter get_max_workers) (setter set_max_workers)
   *
   * How many processes work at a time, workers and commands together. Set to 0 for as many as
   * there are processors that this process may use, which is the default.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_WORKERS]
    = g_param_spec_uint ("max-workers", NULL, NULL, 0, G_MAXUINT / 4, 0, flags);

  /**
   * DrayExecutor:max-tasks-per-worker:
   *
   * After how many tasks a worker is replaced by a fresh one; 0: never.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_TASKS_PER_WORKER]
    = g_param_spec_uint ("max-tasks-per-worker", NULL, NULL, 0, G_MAXUINT, 0, flags);

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
  properties[PROP_MAX_PENDING_TASKS]
    = g_param_spec_uint ("max-pending-tasks", NULL, NULL, 0, G_MAXUINT, DEFAULT_MAX_PENDING_TASKS,
                         flags);

  /**
   * DrayExecutor:max-pending-bytes:
   *
   * How many bytes the arguments of pending tasks may have together; 0: any number. A single task
   * is always accepted.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_PENDING_BYTES]
    = g_param_spec_uint64 ("max-pending-bytes", NULL, NULL, 0, G_MAXUINT64,
                           DEFAULT_MAX_PENDING_BYTES, flags);

  /**
   * DrayExecutor:max-undelivered-items:
   *
   * How many items and results may lie undelivered before workers are made to wait; 0: any
   * number. What was read in one go may exceed it by a little.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_UNDELIVERED_ITEMS]
    = g_param_spec_uint ("max-undelivered-items", NULL, NULL, 0, G_MAXUINT,
                         DEFAULT_MAX_UNDELIVERED_ITEMS, flags);

  /**
   * DrayExecutor:max-undelivered-bytes:
   *
   * How many bytes undelivered items and results may have before workers are made to wait; 0: any
   * number. What was read in one go, such as one large result, may exceed it.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_UNDELIVERED_BYTES]
    = g_param_spec_uint64 ("max-undelivered-bytes", NULL, NULL, 0, G_MAXUINT64,
                           DEFAULT_MAX_UNDELIVERED_BYTES, flags);

  /**
   * DrayExecutor:max-message-size:
   *
   * How many bytes one value (arguments, an item, a result) may have. A worker that announces more
   * is ended with %DRAY_ERROR_PROTOCOL; larger arguments are refused with %DRAY_ERROR_TOO_LARGE.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_MESSAGE_SIZE]
    = g_param_spec_uint64 ("max-message-size", NULL, NULL, 1024, G_MAXUINT32 - 64 * 1024,
                           DEFAULT_MAX_MESSAGE_SIZE, flags);

  /**
   * DrayExecutor:slice:
   *
   * For how many microseconds at most events are handed over before the main context can see to
   * others.
   *
   * Since: 0.1
   */
  properties[PROP_SLICE]
    = g_param_spec_uint ("slice", NULL, NULL, 0, G_MAXUINT, DEFAULT_SLICE, flags);

  /**
   * DrayExecutor:delivery-priority:
   *
   * The priority at which events are handed over, as that of a #GSource. It counts for main
   * contexts from which tasks are submitted after it was set.
   *
   * Since: 0.1
   */
  properties[PROP_DELIVERY_PRIORITY]
    = g_param_spec_int ("delivery-priority", NULL, NULL, G_MININT, G_MAXINT,
                        G_PRIORITY_DEFAULT_IDLE, flags);
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

/* --- Submitting --- */

/**
 * dray_executor_call:
 * @self: an executor
 * @function: the name of a function that the workers have
 * @arguments: (nullable): its arguments; a floating one is taken
 *
 * Submits the call of a function, with everything about it as usual. See
 * [method@Executor.submit].
 *
 * Returns: (transfer full): the future
 *
 * Since: 0.1
 */
DrayFuture *
dray_executor_call (DrayExecutor *self, const char *function, GVariant *arguments)
{
  g_autoptr (DrayTask) task = NULL;

  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (function != NULL, NULL);

  task = dray_task_new_call (function, arguments);
  return dray_pool_submit (self->pool, task, NULL);
}

/**
 * dray_executor_submit:
 * @self: an executor
 * @task: what to do; it can't be changed any more afterwards
 * @cancellable: (nullable): cancels the task, as [method@Future.cancel] does
 *
 * Submits a task. Callbacks and signals of its future come in the main context that is the
 * thread's default now, never from within this function.
 *
 * There is always a future: that of a task which can't be accepted has failed already, with
 * %DRAY_ERROR_SHUT_DOWN, %DRAY_ERROR_QUEUE_FULL, or %DRAY_ERROR_LAUNCH if this process can't talk
 * to workers at all.
 *
 * Returns: (transfer full): the future
 *
 * Since: 0.1
 */
DrayFuture *
dray_executor_submit (DrayExecutor *self, DrayTask *task, GCancellable *cancellable)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (task != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);

  return dray_pool_submit (self->pool, task, cancellable);
}

/* A GTask that waits for room in the queue. */
typedef struct
{
  DrayRoomWaiter waiter; /* first */
  GTask *task;           /* (owned) */
  GSource *source;       /* (owned) (nullable): of the cancellable */
} SubmitWait;

static void
submit_wait_free (SubmitWait *wait)
{
  if (wait->source != NULL)
    g_source_destroy (wait->source);
  g_clear_pointer (&wait->source, g_source_unref);
  g_clear_pointer (&wait->waiter.delivery, dray_delivery_unref);
  g_clear_pointer (&wait->waiter.task, dray_task_unref);
  g_object_unref (wait->task);
  g_free (wait);
}

/* In the main context of the task. */
static void
submit_when_there_is_room (SubmitWait *wait)
{
  DrayExecutor *self = g_task_get_source_object (wait->task);
  GCancellable *cancellable = g_task_get_cancellable (wait->task);

  if (!g_task_return_error_if_cancelled (wait->task))
    {
      if (dray_pool_wait_for_room (self->pool, &wait->waiter))
        return;
      g_task_return_pointer (wait->task,
                             dray_pool_submit (self->pool, wait->waiter.task, cancellable),
                             g_object_unref);
    }

  submit_wait_free (wait);
}

static void
room_cb (DrayNotice *notice)
{
  submit_when_there_is_room ((SubmitWait *) notice);
}

static void
room_never_cb (DrayNotice *notice)
{
  submit_wait_free ((SubmitWait *) notice);
}

/* In the main context of the task, as room_cb(). */
static gboolean
wait_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  SubmitWait *wait = user_data;
  DrayExecutor *self = g_task_get_source_object (wait->task);

  if (dray_pool_stop_waiting (self->pool, &wait->waiter))
    {
      g_task_return_error_if_cancelled (wait->task);
      submit_wait_free (wait);
    }
  return G_SOURCE_REMOVE;
}

static void
watch_submit_cancellable (SubmitWait *wait, GCancellable *cancellable)
{
  wait->source = g_cancellable_source_new (cancellable);
  g_source_set_static_name (wait->source, "Dray submit wait");
  g_source_set_callback (wait->source, G_SOURCE_FUNC (wait_cancelled_cb), wait, NULL);
  g_source_attach (wait->source, g_task_get_context (wait->task));
}

/**
 * dray_executor_submit_async:
 * @self: an executor
 * @task: what to do; it can't be changed any more afterwards
 * @cancellable: (nullable): cancels the task, as [method@Future.cancel] does
 * @callback: (scope async): called when the task was accepted
 * @user_data: data for @callback
 *
 * Submits a task when there is room for it in the queue. Many may wait; they are accepted in
 * order.
 *
 * Since: 0.1
 */
void
dray_executor_submit_async (DrayExecutor *self,
                            DrayTask *task,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  SubmitWait *wait;

  g_return_if_fail (DRAY_IS_EXECUTOR (self));
  g_return_if_fail (task != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  wait = g_new0 (SubmitWait, 1);
  wait->waiter.notice.run = room_cb;
  wait->waiter.notice.drop = room_never_cb;
  wait->waiter.task = dray_task_ref (task);
  wait->task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (wait->task, dray_executor_submit_async);
  g_task_set_check_cancellable (wait->task, FALSE);
  if (cancellable != NULL)
    watch_submit_cancellable (wait, cancellable);
  submit_when_there_is_room (wait);
}

/**
 * dray_executor_submit_finish:
 * @self: an executor
 * @result: the result of [method@Executor.submit_async]
 * @error: return location for an error
 *
 * Gets the future of a task that was submitted. The only error is %G_IO_ERROR_CANCELLED; that of
 * a task which the executor refused is in its future.
 *
 * Returns: (transfer full) (nullable): the future, or %NULL with @error set
 *
 * Since: 0.1
 */
DrayFuture *
dray_executor_submit_finish (DrayExecutor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
return_result_cb (DrayFuture *future, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;
  GVariant *result = dray_future_dup_result (future, &error);

  if (result != NULL)
    g_task_return_pointer (task, result, (GDestroyNotify) g_variant_unref);
  else
    g_task_return_error (task, error);
}

static void
run_task (DrayExecutor *self, DrayTask *what, GTask *task)
{
  g_autoptr (DrayFuture) future
    = dray_pool_submit (self->pool, what, g_task_get_cancellable (task));

  /* The future says itself whether it was cancelled, or done before that. */
  g_task_set_check_cancellable (task, FALSE);
  dray_future_add_done_callback (future, return_result_cb, task, g_object_unref);
}

/**
 * dray_executor_call_async:
 * @self: an executor
 * @function: the name of a function that the workers have
 * @arguments: (nullable): its arguments; a floating one is taken
 * @cancellable: (nullable): cancels the call
 * @callback: (scope async): called when the call is done
 * @user_data: data for @callback
 *
 * Calls a function in a worker, GIO style, with no future in sight.
 *
 * Since: 0.1
 */
void
dray_executor_call_async (DrayExecutor *self,
                          const char *function,
                          GVariant *arguments,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_autoptr (DrayTask) what = NULL;
  GTask *task;

  g_return_if_fail (DRAY_IS_EXECUTOR (self));
  g_return_if_fail (function != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  what = dray_task_new_call (function, arguments);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, dray_executor_call_async);
  run_task (self, what, task);
}

/**
 * dray_executor_call_finish:
 * @self: an executor
 * @result: the result of [method@Executor.call_async]
 * @error: return location for an error
 *
 * Gets what a call returned. The errors are those of [method@Future.dup_result].
 *
 * Returns: (transfer full) (nullable): the result, not floating, or %NULL with @error set
 *
 * Since: 0.1
 */
GVariant *
dray_executor_call_finish (DrayExecutor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * dray_executor_run_async:
 * @self: an executor
 * @task: what to do; it can't be changed any more afterwards
 * @cancellable: (nullable): cancels the task
 * @callback: (scope async): called when the task is done
 * @user_data: data for @callback
 *
 * Runs a task, GIO style, with no future in sight.
 *
 * Since: 0.1
 */
void
dray_executor_run_async (DrayExecutor *self,
                         DrayTask *task,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  GTask *async_task;

  g_return_if_fail (DRAY_IS_EXECUTOR (self));
  g_return_if_fail (task != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  async_task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (async_task, dray_executor_run_async);
  run_task (self, task, async_task);
}

/**
 * dray_executor_run_finish:
 * @self: an executor
 * @result: the result of [method@Executor.run_async]
 * @error: return location for an error
 *
 * Gets what a task resulted in. The errors are those of [method@Future.dup_result].
 *
 * Returns: (transfer full) (nullable): the result, not floating, or %NULL with @error set
 *
 * Since: 0.1
 */
GVariant *
dray_executor_run_finish (DrayExecutor *self, GAsyncResult *result, GError **error)
{
  return dray_executor_call_finish (self, result, error);
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
                           + dray_pending_queue_get_length (self->pool->commands);
  g_mutex_unlock (&self->pool->lock);

  return counters;
}

/* --- Ending --- */

/**
 * dray_executor_is_shut_down:
 * @self: an executor
 *
 * Tells whether the executor has shut down, with no process left.
 *
 * Returns: whether it has
 *
 * Since: 0.1
 */
gboolean
dray_executor_is_shut_down (DrayExecutor *self)
{
  gboolean closed;

  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), TRUE);

  g_mutex_lock (&self->pool->lock);
  closed = self->pool->closed;
  g_mutex_unlock (&self->pool->lock);

  return closed;
}

/* A GTask that waits for the pool to be closed. It may be returned early, by its cancellable. */
typedef struct
{
  DrayCloseNotice notice; /* first */
  GTask *task;            /* (owned) */
  GSource *source;        /* (owned) (nullable) */
  gboolean returned;
} ShutdownWait;

static void
shutdown_wait_free (ShutdownWait *wait)
{
  if (wait->source != NULL)
    g_source_destroy (wait->source);
  g_clear_pointer (&wait->source, g_source_unref);
  g_clear_pointer (&wait->notice.delivery, dray_delivery_unref);
  g_object_unref (wait->task);
  g_free (wait);
}

static void
shut_down_cb (DrayNotice *notice)
{
  ShutdownWait *wait = (ShutdownWait *) notice;

  if (!wait->returned)
    g_task_return_boolean (wait->task, TRUE);
  shutdown_wait_free (wait);
}

static void
never_told_cb (DrayNotice *notice)
{
  shutdown_wait_free ((ShutdownWait *) notice);
}

static gboolean
stop_waiting_cb (GCancellable *cancellable, gpointer user_data)
{
  ShutdownWait *wait = user_data;

  wait->returned = TRUE;
  g_task_return_error_if_cancelled (wait->task);
  return G_SOURCE_REMOVE;
}

static void
watch_cancellable (ShutdownWait *wait, GCancellable *cancellable)
{
  wait->source = g_cancellable_source_new (cancellable);
  g_source_set_static_name (wait->source, "Dray shutdown wait");
  g_source_set_callback (wait->source, G_SOURCE_FUNC (stop_waiting_cb), wait, NULL);
  g_source_attach (wait->source, g_task_get_context (wait->task));
}

/**
 * dray_executor_shutdown_async:
 * @self: an executor
 * @mode: what becomes of tasks that are not done
 * @cancellable: (nullable): ends the wait, not the shutdown
 * @callback: (scope async): called when no process is left and all was delivered
 * @user_data: data for @callback
 *
 * Shuts the executor down. New tasks are refused from now on. May be called as often as wanted,
 * in any state; a stronger mode than before takes effect at once.
 *
 * Since: 0.1
 */
void
dray_executor_shutdown_async (DrayExecutor *self,
                              DrayShutdownMode mode,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  ShutdownWait *wait;

  g_return_if_fail (DRAY_IS_EXECUTOR (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  wait = g_new0 (ShutdownWait, 1);
  wait->notice.notice.run = shut_down_cb;
  wait->notice.notice.drop = never_told_cb;
  wait->task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (wait->task, dray_executor_shutdown_async);
  if (cancellable != NULL)
    watch_cancellable (wait, cancellable);

  if (!dray_pool_shutdown (self->pool, mode, &wait->notice))
    shut_down_cb (&wait->notice.notice);
}

/**
 * dray_executor_shutdown_finish:
 * @self: an executor
 * @result: the result of [method@Executor.shutdown_async]
 * @error: return location for an error
 *
 * Ends the wait for a shutdown.
 *
 * Returns: %TRUE if the executor has shut down, %FALSE with %G_IO_ERROR_CANCELLED if the wait was
 *   cancelled; the shutdown goes on then
 *
 * Since: 0.1
 */
gboolean
dray_executor_shutdown_finish (DrayExecutor *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * dray_executor_shutdown_sync:
 * @self: an executor
 * @mode: what becomes of tasks that are not done
 * @cancellable: (nullable): ends the wait, not the shutdown
 * @error: return location for an error
 *
 * Shuts the executor down, as [method@Executor.shutdown_async] does, and blocks until no process
 * is left. Safe on every thread, with a main loop or without, and inside callbacks. What was
 * received meanwhile is delivered when its main context is iterated.
 *
 * Returns: %TRUE if the executor has shut down, %FALSE with %G_IO_ERROR_CANCELLED if the wait was
 *   cancelled; the shutdown goes on then
 *
 * Since: 0.1
 */
gboolean
dray_executor_shutdown_sync (DrayExecutor *self,
                             DrayShutdownMode mode,
                             GCancellable *cancellable,
                             GError **error)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  dray_pool_shutdown (self->pool, mode, NULL);
  return dray_pool_wait_closed (self->pool, cancellable, error);
}
