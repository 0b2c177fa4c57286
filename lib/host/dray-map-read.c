/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-map-private.h"

/* Taking the outcomes of a map in a main context. */

/* How long late outcomes are handed over at a time, in µs. */
#define LATE_TIME 1000

/* --- Readers in a main context --- */

guint
dray_map_limit_max (guint max)
{
  return max == 0 ? DRAY_MAP_MAX_AT_A_TIME : MIN (max, DRAY_MAP_MAX_AT_A_TIME);
}

/* By whoever has taken it out of the queue, since the source keeps the task. */
static void
forget_source (DrayMapReader *reader)
{
  if (reader->source != NULL)
    g_source_destroy (reader->source);
  g_clear_pointer (&reader->source, g_source_unref);
}

static void
reader_free (gpointer data)
{
  DrayMapReader *reader = data;

  forget_source (reader);
  if (reader->destroy != NULL)
    reader->destroy (reader->user_data);
  g_free (reader);
}

/* It belongs to its task, and the queue holds a reference on that. */
static DrayMapReader *
reader_new (GTask *task, guint max)
{
  DrayMapReader *reader = g_new0 (DrayMapReader, 1);

  reader->task = task;
  reader->max = max;
  reader->link.data = reader;
  g_task_set_task_data (task, reader, reader_free);
  g_task_set_check_cancellable (task, FALSE);
  return reader;
}

/* Returns whether it was queued; the queue's reference is the caller's then. */
static gboolean
unqueue_locked (DrayMapFlow *flow, DrayMapReader *reader)
{
  if (!reader->queued)
    return FALSE;

  reader->queued = FALSE;
  g_queue_unlink (&flow->readers, &reader->link);
  return TRUE;
}

static gboolean
unqueue (DrayMapFlow *flow, DrayMapReader *reader)
{
  gboolean was_queued;

  dray_pool_lock (flow->pool);
  was_queued = unqueue_locked (flow, reader);
  dray_pool_unlock (flow->pool);

  return was_queued;
}

/* @context: (nullable): of a reader that is late; NULL for those that are not */
static DrayMapReader *
find_reader_locked (DrayMapFlow *flow, GMainContext *context)
{
  for (GList *link = flow->readers.head; link != NULL; link = link->next)
    {
      DrayMapReader *reader = link->data;

      if (context == NULL ? !reader->late
                          : reader->late && g_task_get_context (reader->task) == context)
        return reader;
    }

  return NULL;
}

gboolean
dray_map_flow_has_reader_locked (DrayMapFlow *self)
{
  return find_reader_locked (self, NULL) != NULL;
}

static gboolean serve (DrayMapFlow *flow, GMainContext *context, gint64 deadline);

/* Something may have come for one that was just found to have nothing. */
static gboolean
serve_late_cb (gpointer user_data)
{
  DrayMapFlow *flow = user_data;
  GMainContext *context = g_source_get_context (g_main_current_source ());
  gint64 deadline = g_get_monotonic_time () + LATE_TIME;
  gboolean more = serve (flow, context, deadline);

  if (!more)
    {
      dray_pool_lock (flow->pool);
      more = dray_map_flow_has_news_locked (flow) && find_reader_locked (flow, context) != NULL;
      dray_pool_unlock (flow->pool);
    }

  return more ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* The pool is closed, and nobody may iterate the flow's main context any more, if it is still there.
 * All that there will ever be is here, but for what the source is just being asked. Each main
 * context serves its own, so that no function is called where nobody expects it. */
static void
serve_late (DrayMapFlow *flow, GMainContext *context)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_static_name (source, "Dray late outcomes");
  g_source_set_can_recurse (source, TRUE);
  g_source_set_callback (source, serve_late_cb, dray_map_flow_ref (flow),
                         (GDestroyNotify) dray_map_flow_unref);
  g_source_attach (source, context);
}

/* Those who are @late, or those who are from now on. */
static void
serve_all_late_locked (DrayMapFlow *self, gboolean late)
{
  g_autoptr (GPtrArray) contexts = g_ptr_array_new ();

  for (GList *link = self->readers.head; link != NULL && !self->pool->forked; link = link->next)
    {
      DrayMapReader *reader = link->data;
      GMainContext *context = g_task_get_context (reader->task);

      if (reader->late != late)
        continue;

      reader->late = TRUE;
      if (g_ptr_array_find (contexts, context, NULL))
        continue;

      g_ptr_array_add (contexts, context);
      serve_late (self, context);
    }
}

void
dray_map_flow_serve_elsewhere_locked (DrayMapFlow *self)
{
  serve_all_late_locked (self, FALSE);
}

void
dray_map_flow_serve_late_locked (DrayMapFlow *self)
{
  serve_all_late_locked (self, TRUE);
}

/* Takes the caller's reference on the reader's task. Its main context may be run by another thread:
 * so its cancellation comes only when it is in the queue, and nothing of it may be used here any
 * more. */
static void
queue_reader (DrayMapFlow *flow, DrayMapReader *reader)
{
  g_autoptr (GMainContext) context = g_main_context_ref (g_task_get_context (reader->task));
  gboolean late;

  dray_pool_lock (flow->pool);
  late = flow->pool->closed;
  reader->late = late;
  reader->queued = TRUE;
  g_queue_push_tail_link (&flow->readers, &reader->link);
  if (reader->source != NULL)
    g_source_attach (reader->source, context);
  dray_pool_unlock (flow->pool);

  dray_map_flow_start (flow);

  dray_pool_lock (flow->pool);
  if (!late && dray_map_flow_has_news_locked (flow))
    dray_map_flow_schedule_locked (flow);
  dray_pool_unlock (flow->pool);

  if (late)
    serve_late (flow, context);
}

GPtrArray *
dray_map_flow_take_many (DrayMapFlow *flow, guint max)
{
  GPtrArray *outcomes = g_ptr_array_new_with_free_func ((GDestroyNotify) dray_outcome_unref);
  DrayOutcome *outcome;

  dray_fork_check ();
  while (outcomes->len < max && (outcome = dray_map_flow_take (flow)) != NULL)
    g_ptr_array_add (outcomes, outcome);

  return outcomes;
}

/* FALSE: it was cancelled meanwhile, and its source has gone with that. */
static gboolean
put_back (DrayMapFlow *flow, DrayMapReader *reader)
{
  gboolean queued;

  dray_pool_lock (flow->pool);
  queued = reader->queued = !reader->cancelled;
  if (queued)
    g_queue_push_head_link (&flow->readers, &reader->link);
  dray_pool_unlock (flow->pool);

  return queued;
}

/* FALSE: there is nothing for it now. */
static gboolean
serve_next (DrayMapFlow *flow, DrayMapReader *reader)
{
  g_autoptr (GPtrArray) outcomes = NULL;
  g_autoptr (GTask) task = NULL;
  GError *error = NULL;
  gboolean nothing;

  if (!unqueue (flow, reader))
    return TRUE;

  outcomes = dray_map_flow_take_many (flow, reader->max);
  task = reader->task;
  nothing = outcomes->len == 0 && !dray_map_flow_is_over (flow, &error);
  if (nothing && put_back (flow, reader))
    {
      g_steal_pointer (&task);
      return FALSE;
    }

  forget_source (reader);
  if (nothing)
    g_task_return_error_if_cancelled (task);
  else if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, g_steal_pointer (&outcomes), (GDestroyNotify) g_ptr_array_unref);
  return TRUE;
}

/* FALSE: it is not over, or somebody else has told of that. */
static gboolean
finish_for_each (DrayMapFlow *flow, DrayMapReader *reader)
{
  GError *error = NULL;

  if (!dray_map_flow_is_over (flow, &error) || !unqueue (flow, reader))
    {
      g_clear_error (&error);
      return FALSE;
    }

  forget_source (reader);
  if (error != NULL)
    g_task_return_error (reader->task, error);
  else
    g_task_return_boolean (reader->task, TRUE);
  g_object_unref (reader->task);
  return TRUE;
}

/* FALSE: there is nothing for it now. The function may iterate the main context, where this goes
 * on; then it may be over when it returns. */
static gboolean
serve_for_each (DrayMapFlow *flow, DrayMapReader *reader, gint64 deadline)
{
  g_autoptr (GTask) task = g_object_ref (reader->task);
  DrayMap *map = g_task_get_source_object (task);
  DrayOutcome *outcome;

  while ((outcome = dray_map_flow_take (flow)) != NULL)
    {
      reader->n_given++;
      reader->function (map, outcome, reader->user_data);
      dray_outcome_unref (outcome);
      if (g_get_monotonic_time () >= deadline)
        return TRUE;
    }

  return finish_for_each (flow, reader);
}

/* At least one of them, however short the slice is, and however long it took to ask the source:
 * else nobody would ever be served. Without the lock, the reader may be cancelled in its own main
 * context. */
static gboolean
serve (DrayMapFlow *flow, GMainContext *context, gint64 deadline)
{
  for (;;)
    {
      g_autoptr (GTask) task = NULL;
      DrayMapReader *reader = NULL;
      gboolean served;

      dray_pool_lock (flow->pool);
      if (dray_map_flow_has_news_locked (flow))
        reader = find_reader_locked (flow, context);
      if (reader != NULL)
        task = g_object_ref (reader->task);
      dray_pool_unlock (flow->pool);

      if (reader == NULL)
        return FALSE;

      served = reader->max > 0 ? serve_next (flow, reader)
                               : serve_for_each (flow, reader, deadline);
      if (!served)
        return FALSE;
      if (g_get_monotonic_time () >= deadline)
        return TRUE;
    }
}

gboolean
dray_map_flow_serve (DrayMapFlow *self, gint64 deadline)
{
  return serve (self, NULL, deadline);
}

/* --- Asynchronously --- */

static gboolean
next_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  DrayMapReader *reader = g_task_get_task_data (user_data);
  DrayMap *self = g_task_get_source_object (user_data);
  gboolean was_queued;

  dray_pool_lock (self->flow->pool);
  was_queued = unqueue_locked (self->flow, reader);
  reader->cancelled = TRUE;
  dray_pool_unlock (self->flow->pool);

  if (was_queued)
    {
      g_autoptr (GTask) task = reader->task;

      forget_source (reader);
      g_task_return_error_if_cancelled (task);
    }
  return G_SOURCE_REMOVE;
}

static gboolean
for_each_cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  dray_map_cancel (g_task_get_source_object (user_data));
  return G_SOURCE_REMOVE;
}

static void
make_cancelled_source (DrayMapReader *reader, GCancellableSourceFunc callback)
{
  GCancellable *cancellable = g_task_get_cancellable (reader->task);

  if (cancellable == NULL)
    return;

  reader->source = g_cancellable_source_new (cancellable);
  g_source_set_static_name (reader->source, "Dray map reader");
  g_source_set_callback (reader->source, G_SOURCE_FUNC (callback), g_object_ref (reader->task),
                         g_object_unref);
}

static void
next_async (DrayMap *self,
            guint max,
            gpointer tag,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  DrayMapReader *reader = reader_new (task, dray_map_limit_max (max));

  g_task_set_source_tag (task, tag);
  make_cancelled_source (reader, next_cancelled_cb);
  queue_reader (self->flow, reader);
}

/**
 * dray_map_for_each_async:
 * @self: a map
 * @function: (scope notified) (closure function_data) (destroy function_destroy): called for each
 *   outcome, in the map's main context
 * @function_data: data for @function
 * @function_destroy: (nullable): frees @function_data when @function will not be called any more
 * @cancellable: (nullable): cancels the map, as [method@Map.cancel] does
 * @callback: (scope async) (closure user_data): called when the map is over
 * @user_data: data for @callback
 *
 * Runs the map to its end, and has a function called for each outcome: in slices of a few
 * milliseconds, between which the main context sees to others. Where the executor has shut down
 * before, that is in the main context which is the thread's default now.
 *
 * Since: 0.1
 */
void
dray_map_for_each_async (DrayMap *self,
                         DrayMapFunction function,
                         gpointer function_data,
                         GDestroyNotify function_destroy,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  DrayMapReader *reader;
  GTask *task;

  g_return_if_fail (dray_map_is_real (self));
  g_return_if_fail (function != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, dray_map_for_each_async);
  reader = reader_new (task, 0);
  reader->function = function;
  reader->user_data = function_data;
  reader->destroy = function_destroy;
  make_cancelled_source (reader, for_each_cancelled_cb);
  queue_reader (self->flow, reader);
}

/**
 * dray_map_for_each_finish:
 * @self: a map
 * @result: the result of [method@Map.for_each_async]
 * @n_outcomes: (out) (optional): return location for how many outcomes the function was given
 * @error: return location for an error
 *
 * Gets whether the source was exhausted. Errors are %G_IO_ERROR_CANCELLED, %DRAY_ERROR_SHUT_DOWN
 * and %DRAY_ERROR_FORKED; those of calls are in their outcomes.
 *
 * Returns: %TRUE, or %FALSE with @error set if the source was not asked to its end
 *
 * Since: 0.1
 */
gboolean
dray_map_for_each_finish (DrayMap *self, GAsyncResult *result, guint64 *n_outcomes, GError **error)
{
  g_return_val_if_fail (dray_map_is_real (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_map_for_each_async), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (n_outcomes != NULL)
    *n_outcomes = ((DrayMapReader *) g_task_get_task_data (G_TASK (result)))->n_given;
  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * dray_map_next_async:
 * @self: a map
 * @cancellable: (nullable): ends the waiting for this outcome; the map goes on
 * @callback: (scope async): called when there is an outcome, or the end
 * @user_data: data for @callback
 *
 * Asks for the next outcome. Many may ask; they are served in order.
 *
 * Since: 0.1
 */
void
dray_map_next_async (DrayMap *self,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  g_return_if_fail (dray_map_is_real (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  next_async (self, 1, dray_map_next_async, cancellable, callback, user_data);
}

DrayOutcome *
dray_map_steal_first (GPtrArray *outcomes)
{
  DrayOutcome *outcome = NULL;

  if (outcomes != NULL && outcomes->len > 0)
    outcome = dray_outcome_ref (outcomes->pdata[0]);
  g_clear_pointer (&outcomes, g_ptr_array_unref);
  return outcome;
}

GPtrArray *
dray_map_steal_some (GPtrArray *outcomes)
{
  if (outcomes != NULL && outcomes->len > 0)
    return outcomes;

  g_clear_pointer (&outcomes, g_ptr_array_unref);
  return NULL;
}

/**
 * dray_map_next_finish:
 * @self: a map
 * @result: the result of [method@Map.next_async]
 * @error: return location for an error
 *
 * Gets the next outcome. Errors are %G_IO_ERROR_CANCELLED, %DRAY_ERROR_SHUT_DOWN and
 * %DRAY_ERROR_FORKED, when the map has ended so; that of a call is in its outcome.
 *
 * Returns: (transfer full) (nullable): an outcome; %NULL without an error if there are no more, or
 *   with @error set
 *
 * Since: 0.1
 */
DrayOutcome *
dray_map_next_finish (DrayMap *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (dray_map_is_real (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_map_next_async), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return dray_map_steal_first (g_task_propagate_pointer (G_TASK (result), error));
}

/**
 * dray_map_next_many_async:
 * @self: a map
 * @max: how many outcomes to take at most; 0: any number
 * @cancellable: (nullable): ends the waiting for these outcomes; the map goes on
 * @callback: (scope async): called when there is an outcome, or the end
 * @user_data: data for @callback
 *
 * Asks for the next outcomes, as many as are there, but for @max. It does not wait until there are
 * that many. No more than 65,536 are given at a time, whatever @max is.
 *
 * Since: 0.1
 */
void
dray_map_next_many_async (DrayMap *self,
                          guint max,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_return_if_fail (dray_map_is_real (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  next_async (self, max, dray_map_next_many_async, cancellable, callback, user_data);
}

/**
 * dray_map_next_many_finish:
 * @self: a map
 * @result: the result of [method@Map.next_many_async]
 * @error: return location for an error
 *
 * Gets the next outcomes. The errors are those of [method@Map.next_finish].
 *
 * Returns: (transfer container) (nullable) (element-type DrayOutcome): the outcomes, never none;
 *   %NULL without an error if there are no more, or with @error set
 *
 * Since: 0.1
 */
GPtrArray *
dray_map_next_many_finish (DrayMap *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (dray_map_is_real (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, dray_map_next_many_async), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return dray_map_steal_some (g_task_propagate_pointer (G_TASK (result), error));
}
