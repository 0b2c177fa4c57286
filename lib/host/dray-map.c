/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-map-private.h"

#include "dray-executor-private.h"
#include "dray-task-private.h"

/**
 * DrayMap:
 *
 * One function called with many arguments, of which nobody needs to have a list.
 *
 * A map asks its source for arguments only when there is room for another call, calls a function
 * of the executor's workers with each, and gives a [struct@Outcome] for each. It takes any number
 * of calls, in bounded memory, and a source without an end. Tiny calls are sent to the workers many
 * at a time, which is many times as fast as submitting each by itself; yet each has its own value
 * or error, and a worker that dies takes with it only the call that it ran.
 *
 * ## Sources
 *
 * A generator function ([method@Executor.map]), values ([method@Executor.map_values]), or the items
 * of a list ([method@Executor.map_model]).
 *
 * ## Taking outcomes
 *
 * Nothing is asked for, and nothing runs, before the first outcome is wanted. Outcomes come to a
 * function ([method@Map.for_each_async]); or one asks for the next ones
 * ([method@Map.next_async], [method@Map.next_many_async]); or waits for them
 * ([method@Map.wait_next], [method@Map.wait_next_many]). Each outcome goes to one of those who ask.
 * They come in the order of the source, or as they are there ([method@Map.set_ordered]).
 *
 * Where nobody takes outcomes, the source is not asked any more: what was asked for and not taken
 * is bounded in number ([method@Map.set_max_in_flight]) and bytes. Results that were not taken
 * don't count for the limits of the executor.
 *
 * ## Ownership
 *
 * Whoever made the map owns it. Dropping the last reference cancels it. An operation that was
 * begun on it and has not finished keeps it alive.
 *
 * ## Threads
 *
 * All methods may be called on any thread, except that the setters come first. Code of the
 * application's, which is the generator or the function of a list's items, runs in the main context
 * that was the thread's default when the map was made; also inside a wait on the thread that made
 * it. So waiting is safe on that thread, also where no main loop runs, and on another one while the
 * main context is iterated. Their data is freed there, too, or where the last reference on the map
 * is dropped. A generator can't wait for its own map: that fails with %G_IO_ERROR_PENDING.
 *
 * ## The end
 *
 * The map is over when its source has no more, and each call's outcome was taken. If it was
 * cancelled before ([method@Map.cancel], [method@Executor.cancel_all]), or the executor was shut
 * down, in any mode, the source is asked no more; calls that it gave have their outcomes as other
 * tasks would (in the mode %DRAY_SHUTDOWN_DRAIN they are run), and after them comes the reason as
 * an error.
 *
 * ## What is different from tasks
 *
 * - What a call emits with [method@Job.emit], and its progress, is not heard. It can return no
 *   attachments.
 * - Priority, time limit, retries and cancel mode are those of the map's task, see
 *   [method@Map.get_task]. With a time limit, calls are sent to workers one at a time, since
 *   it counts from the start of each; likewise where
 *   [property@Executor:max-tasks-per-worker] is set.
 * - The calls count in the executor's counters, but those that wait together count as one in
 *   `queue_length` and `running`. They are not in [method@Executor.get_futures], and not in the
 *   limits of the queue.
 *
 * ## Example
 *
 * ```c
 * static void
 * on_outcome (DrayMap *map, DrayOutcome *outcome, gpointer user_data)
 * {
 *   GVariant *value = dray_outcome_get_value (outcome);
 *
 *   if (value == NULL)
 *     g_warning ("%s", dray_outcome_get_error (outcome)->message);
 *   else
 *     add_row (user_data, value);
 * }
 *
 * g_autoptr (DrayMap) map = dray_executor_map_model (executor, "describe", files, to_arguments,
 *                                                    NULL, NULL);
 * dray_map_for_each_async (map, on_outcome, view, NULL, NULL, NULL, NULL);
 * ```
 *
 * Since: 0.1
 */

enum
{
  PROP_TASK = 1,
  PROP_ORDERED,
  PROP_MAX_IN_FLIGHT,
  N_PROPERTIES,
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (DrayMap, dray_map, G_TYPE_OBJECT)

gboolean
dray_map_is_real (DrayMap *self)
{
  return DRAY_IS_MAP (self) && self->flow != NULL;
}

static void
dray_map_dispose (GObject *object)
{
  DrayMap *self = DRAY_MAP (object);

  if (self->flow != NULL)
    dray_map_flow_abandon (self->flow);

  G_OBJECT_CLASS (dray_map_parent_class)->dispose (object);
}

static void
dray_map_finalize (GObject *object)
{
  g_clear_pointer (&DRAY_MAP (object)->flow, dray_map_flow_unref);

  G_OBJECT_CLASS (dray_map_parent_class)->finalize (object);
}

static void
dray_map_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  DrayMap *self = DRAY_MAP (object);

  switch (id)
    {
    case PROP_TASK:
      g_value_set_boxed (value, dray_map_get_task (self));
      break;
    case PROP_ORDERED:
      g_value_set_boolean (value, dray_map_get_ordered (self));
      break;
    case PROP_MAX_IN_FLIGHT:
      g_value_set_uint (value, dray_map_get_max_in_flight (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
dray_map_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  DrayMap *self = DRAY_MAP (object);

  switch (id)
    {
    case PROP_ORDERED:
      dray_map_set_ordered (self, g_value_get_boolean (value));
      break;
    case PROP_MAX_IN_FLIGHT:
      dray_map_set_max_in_flight (self, g_value_get_uint (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
dray_map_class_init (DrayMapClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  const GParamFlags writable = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->dispose = dray_map_dispose;
  object_class->finalize = dray_map_finalize;
  object_class->get_property = dray_map_get_property;
  object_class->set_property = dray_map_set_property;

  /**
   * DrayMap:task: (getter get_task)
   *
   * The task that each call is like.
   *
   * Since: 0.1
   */
  properties[PROP_TASK] = g_param_spec_boxed ("task", NULL, NULL, DRAY_TYPE_TASK, readable);

  /**
   * DrayMap:ordered: (getter get_ordered) (setter set_ordered)
   *
   * Whether outcomes come in the order of the source.
   *
   * Since: 0.1
   */
  properties[PROP_ORDERED] = g_param_spec_boolean ("ordered", NULL, NULL, TRUE, writable);

  /**
   * DrayMap:max-in-flight: (getter get_max_in_flight) (setter set_max_in_flight)
   *
   * How many calls may have been asked for without their outcome being taken; 0 for as many as
   * seem right.
   *
   * Since: 0.1
   */
  properties[PROP_MAX_IN_FLIGHT] = g_param_spec_uint ("max-in-flight", NULL, NULL, 0, G_MAXUINT, 0,
                                                      writable);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
dray_map_init (DrayMap *self)
{
}

/* Takes @source. */
static DrayMap *
new_map (DrayExecutor *executor, const char *function, DrayMapSource *source)
{
  g_autoptr (DrayTask) task = dray_task_new_call (function, NULL);
  DrayMap *self = g_object_new (DRAY_TYPE_MAP, NULL);

  dray_map_source_set_owner (source, G_OBJECT (executor));
  self->flow = dray_map_flow_new (executor->pool, task, source);
  return self;
}

/**
 * dray_executor_map:
 * @executor: an executor
 * @function: the name of a function that the workers have
 * @generator: (scope notified) (closure user_data) (destroy destroy): gives the arguments
 * @user_data: data for @generator
 * @destroy: (nullable): frees @user_data when @generator will not be called any more
 *
 * Makes a map over what a generator gives.
 *
 * Returns: (transfer full): a new map
 *
 * Since: 0.1
 */
DrayMap *
dray_executor_map (DrayExecutor *executor,
                   const char *function,
                   DrayMapGenerator generator,
                   gpointer user_data,
                   GDestroyNotify destroy)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (executor), NULL);
  g_return_val_if_fail (dray_task_is_function_name (function), NULL);
  g_return_val_if_fail (generator != NULL, NULL);

  return new_map (executor, function,
                  dray_map_source_new_generator (generator, user_data, destroy));
}

static gboolean
are_values (GVariant *const *values, gsize n_values)
{
  if ((values == NULL && n_values > 0) || n_values > G_MAXUINT)
    return FALSE;

  for (gsize i = 0; i < n_values; i++)
    if (values[i] == NULL)
      return FALSE;

  return TRUE;
}

/**
 * dray_executor_map_values:
 * @executor: an executor
 * @function: the name of a function that the workers have
 * @values: (array length=n_values) (transfer none): the arguments of each call, none of them %NULL;
 *   floating ones are taken
 * @n_values: how many
 *
 * Makes a map over some values.
 *
 * Returns: (transfer full): a new map
 *
 * Since: 0.1
 */
DrayMap *
dray_executor_map_values (DrayExecutor *executor,
                          const char *function,
                          GVariant **values,
                          gsize n_values)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (executor), NULL);
  g_return_val_if_fail (dray_task_is_function_name (function), NULL);
  g_return_val_if_fail (are_values (values, n_values), NULL);

  return new_map (executor, function, dray_map_source_new_values (values, n_values));
}

/**
 * dray_executor_map_model:
 * @executor: an executor
 * @function: the name of a function that the workers have
 * @model: a list
 * @to_arguments: (scope notified) (closure user_data) (destroy destroy): turns an item into the
 *   arguments of a call
 * @user_data: data for @to_arguments
 * @destroy: (nullable): frees @user_data when @to_arguments will not be called any more
 *
 * Makes a map over the items of a list. They are taken from it one after another, as there is room,
 * in the map's main context, in which the list may change meanwhile: what is added behind the items
 * that were taken is taken in its turn, what is added before them is not.
 *
 * Returns: (transfer full): a new map
 *
 * Since: 0.1
 */
DrayMap *
dray_executor_map_model (DrayExecutor *executor,
                         const char *function,
                         GListModel *model,
                         DrayMapItemFunction to_arguments,
                         gpointer user_data,
                         GDestroyNotify destroy)
{
  g_return_val_if_fail (DRAY_IS_EXECUTOR (executor), NULL);
  g_return_val_if_fail (dray_task_is_function_name (function), NULL);
  g_return_val_if_fail (G_IS_LIST_MODEL (model), NULL);
  g_return_val_if_fail (to_arguments != NULL, NULL);

  return new_map (executor, function,
                  dray_map_source_new_model (model, to_arguments, user_data, destroy));
}

/**
 * dray_map_get_task:
 * @self: a map
 *
 * Gets the task that each call is like, but for its arguments. Its label, priority, time limit,
 * number of retries and cancel mode may be set before the first outcome is asked for.
 *
 * Returns: (transfer none): the task
 *
 * Since: 0.1
 */
DrayTask *
dray_map_get_task (DrayMap *self)
{
  g_return_val_if_fail (dray_map_is_real (self), NULL);

  return self->flow->task;
}

/**
 * dray_map_set_ordered:
 * @self: a map
 * @ordered: whether outcomes come in the order of the source; they do unless told otherwise
 *
 * Sets whether outcomes come in the order of the source, or each as soon as it is there. To be
 * called before the first outcome is asked for.
 *
 * Since: 0.1
 */
void
dray_map_set_ordered (DrayMap *self, gboolean ordered)
{
  g_return_if_fail (dray_map_is_real (self));
  g_return_if_fail (!dray_map_flow_is_started (self->flow));

  if (self->flow->ordered == !!ordered)
    return;

  self->flow->ordered = !!ordered;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ORDERED]);
}

/**
 * dray_map_get_ordered:
 * @self: a map
 *
 * Tells whether outcomes come in the order of the source.
 *
 * Returns: whether they do
 *
 * Since: 0.1
 */
gboolean
dray_map_get_ordered (DrayMap *self)
{
  g_return_val_if_fail (dray_map_is_real (self), TRUE);

  return self->flow->ordered;
}

/**
 * dray_map_set_max_in_flight:
 * @self: a map
 * @max_in_flight: a number of calls; 0 for as many as seem right
 *
 * Sets how many calls may be in flight: asked for, and their outcome not taken. To be called before
 * the first outcome is asked for.
 *
 * Without a bound of its own, a map has a few milliseconds' worth of calls in flight for each
 * worker, or 64 where that is more. Whatever the bound is, the source is asked no more while 16 MiB
 * of arguments and results are in flight.
 *
 * Since: 0.1
 */
void
dray_map_set_max_in_flight (DrayMap *self, guint max_in_flight)
{
  g_return_if_fail (dray_map_is_real (self));
  g_return_if_fail (!dray_map_flow_is_started (self->flow));

  if (self->flow->max_in_flight == max_in_flight)
    return;

  self->flow->max_in_flight = max_in_flight;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_MAX_IN_FLIGHT]);
}

/**
 * dray_map_get_max_in_flight:
 * @self: a map
 *
 * Gets how many calls may be in flight.
 *
 * Returns: a number of calls; 0 for as many as seem right
 *
 * Since: 0.1
 */
guint
dray_map_get_max_in_flight (DrayMap *self)
{
  g_return_val_if_fail (dray_map_is_real (self), 0);

  return self->flow->max_in_flight;
}

/**
 * dray_map_cancel:
 * @self: a map
 *
 * Cancels the map: its source is asked no more, what is pending never runs, and running calls are
 * asked to stop, as by [method@Future.cancel]. Calls that have no outcome get %G_IO_ERROR_CANCELLED
 * as theirs; after these comes the end, with the same error.
 *
 * Since: 0.1
 */
void
dray_map_cancel (DrayMap *self)
{
  g_return_if_fail (dray_map_is_real (self));

  dray_map_flow_cancel (self->flow);
}

/**
 * dray_map_is_over:
 * @self: a map
 *
 * Tells whether no outcome will come any more: all were taken, and the source is not asked again.
 *
 * Returns: whether it is so
 *
 * Since: 0.1
 */
gboolean
dray_map_is_over (DrayMap *self)
{
  g_return_val_if_fail (dray_map_is_real (self), TRUE);

  return dray_map_flow_is_over (self->flow, NULL);
}
