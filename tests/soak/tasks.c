/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

/*
 * A task: submitted with this and that set at random, watched, perhaps cancelled or raised while it
 * waits or runs, and judged when it has ended.
 *
 * How it may end is a set. To what its kind says is added what others may do to it: a killer may
 * come to any, an executor may be shut down. Whoever does something else to it (cancels it, gives
 * it a time limit) notes that before.
 */

SoakTask *
soak_task_new (SoakDriver *driver, SoakStock *stock, const SoakKind *kind)
{
  SoakTask *self = g_new0 (SoakTask, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->driver = driver;
  self->stock = soak_stock_ref (stock);
  self->kind = kind;
  soak_count_tasks (1);

  return self;
}

SoakTask *
soak_task_ref (SoakTask *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
soak_task_unref (SoakTask *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_clear_object (&self->future);
  g_clear_pointer (&self->parts, g_ptr_array_unref);
  g_clear_pointer (&self->value, g_variant_unref);
  soak_stock_unref (self->stock);
  g_free (self);
}

/* --- Making --- */

const SoakKind *
soak_pick_kind (const SoakKind *kinds, GRand *rand, gboolean plain)
{
  const SoakKind *kind;
  guint n = 0;

  while (kinds[n].name != NULL)
    n++;
  do
    kind = &kinds[SOAK_PICK (rand, kinds, n)];
  while (plain && !kind->plain);

  return kind;
}

DrayTask *
soak_task_make (SoakTask *self)
{
  GRand *rand = self->driver->rand;
  DrayTask *task = self->kind->make (self, rand);

  if (soak_chance (rand, 30))
    dray_task_set_priority (task, g_rand_int_range (rand, -2, 3));
  if (soak_chance (rand, 30))
    dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  if (dray_task_get_kind (task) == DRAY_TASK_CALL && soak_chance (rand, 20))
    {
      self->retries = (guint) g_rand_int_range (rand, 1, 4);
      dray_task_set_max_retries (task, self->retries);
    }
  if (self->kind->lingers ? soak_chance (rand, 50)
                          : dray_task_get_key (task) == NULL && soak_chance (rand, 5))
    {
      self->limited = TRUE;
      dray_task_set_time_limit (task, (guint) g_rand_int_range (rand, 1, 200));
    }

  return task;
}

/* --- Judging --- */

gboolean
soak_task_may_be_cancelled (SoakTask *self)
{
  return g_atomic_int_get (&self->stock->retired) || g_atomic_int_get (&self->stock->emptied)
         || g_atomic_int_get (&self->may_be_cancelled);
}

guint
soak_task_get_ends (SoakTask *self)
{
  guint ends = self->kind->ends | SOAK_DIED | SOAK_LAUNCH | SOAK_SIGNALLED;

  for (guint i = 0; self->parts != NULL && i < self->parts->len; i++)
    ends |= soak_task_get_ends (self->parts->pdata[i]);

  if (g_atomic_int_get (&self->stock->retired))
    ends |= SOAK_SHUT_DOWN;
  if (soak_task_may_be_cancelled (self))
    ends |= SOAK_CANCELLED;
  if (self->limited)
    ends |= SOAK_TIMED_OUT;
  if (self->stock->tight)
    ends |= SOAK_QUEUE_FULL;

  return ends;
}

void
soak_task_expect_cancel (SoakTask *self)
{
  g_atomic_int_set (&self->may_be_cancelled, TRUE);
}

void
soak_task_judge (SoakTask *self, GVariant *result, const GError *error)
{
  SoakEnd end = soak_classify (error);
  g_autofree char *text = NULL;

  soak_count_end (end);
  if ((result != NULL) == (error != NULL))
    soak_violation ("“%s” has both a result and an error, or neither", self->kind->name);
  else if ((soak_task_get_ends (self) & end) == 0)
    soak_violation ("“%s” (%s) %s: %s", self->kind->name, self->stock->name,
                    soak_describe_end (end), error != NULL ? error->message : "");
  else if (result != NULL && self->kind->check != NULL && !self->kind->check (self, result))
    {
      text = g_variant_print (result, TRUE);
      soak_violation ("“%s” (%s) has the result %.200s", self->kind->name, self->stock->name, text);
    }
}

/* Waits a moment inside the callback, or lets others be called back. */
static void
dawdle (SoakTask *self)
{
  GRand *rand = self->driver->rand;

  if (soak_chance (rand, 0.2))
    g_usleep ((gulong) g_rand_int_range (rand, 1, 20000));
  if (soak_chance (rand, 1))
    for (guint i = 0; i < 3; i++)
      g_main_context_iteration (self->driver->context, FALSE);
}

static void
done_cb (DrayFuture *future, gpointer promise)
{
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  DrayFutureState state = dray_future_get_state (future);
  gpointer data;
  SoakTask *self;

  if (!soak_promise_keep (promise, &data))
    return;

  self = data;
  result = dray_future_dup_result (future, &error);
  if (!dray_future_is_done (future) || (state == DRAY_FUTURE_SUCCEEDED) != (result != NULL)
      || (state == DRAY_FUTURE_CANCELLED)
           != g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    soak_violation ("“%s” is told to be over in the state %d", self->kind->name, state);

  soak_task_judge (self, result, error);
  dawdle (self);
  g_clear_object (&self->future);
  soak_task_unref (self);
}

static void
item_cb (DrayFuture *future, GVariant *item, gpointer data)
{
  SoakTask *self = data;

  if (self->future == NULL)
    soak_violation ("“%s” has an item after its end", self->kind->name);
  else if (!self->kind->check_item (self, item))
    soak_violation ("“%s” (%s) has a wrong item, number %u", self->kind->name, self->stock->name,
                    self->n_items);
  self->n_items++;
}

static void
unref_cb (gpointer data, GClosure *closure)
{
  soak_task_unref (data);
}

/* --- What else is done to it --- */

static gboolean
cancel_cb (gpointer data)
{
  SoakTask *self = data;

  if (self->future != NULL)
    dray_future_cancel (self->future);
  return G_SOURCE_REMOVE;
}

static void
cancel_by_hand (gpointer data)
{
  g_autoptr (DrayFuture) future = data;

  dray_future_cancel (future);
}

/* Soon, or at once and on another thread. */
static void
cancel (SoakTask *self, GRand *rand)
{
  g_autoptr (GSource) timer = NULL;

  soak_task_expect_cancel (self);
  if (soak_chance (rand, 30))
    {
      soak_hands_push_quick (cancel_by_hand, g_object_ref (self->future));
      return;
    }

  timer = g_timeout_source_new ((guint) g_rand_int_range (rand, 0, 100));
  g_source_set_callback (timer, cancel_cb, soak_task_ref (self), (GDestroyNotify) soak_task_unref);
  g_source_attach (timer, self->driver->context);
}

typedef struct
{
  DrayFuture *future; /* (owned) */
  gint64 timeout;
  gpointer promise;
} Wait;

static void
wait_by_hand (gpointer data)
{
  g_autofree Wait *wait = data;
  g_autoptr (GError) error = NULL;

  if (dray_future_wait (wait->future, wait->timeout, NULL, &error))
    {
      if (!dray_future_is_done (wait->future))
        soak_violation ("A wait ended before its future did");
    }
  else if (wait->timeout < 0 || !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    {
      soak_violation ("A wait failed: %s", error->message);
    }

  g_object_unref (wait->future);
  soak_promise_keep_only (wait->promise);
}

static void
wait_elsewhere (SoakTask *self, GRand *rand)
{
  Wait *wait = g_new (Wait, 1);

  wait->future = g_object_ref (self->future);
  wait->timeout = soak_chance (rand, 50) ? -1 : g_rand_int_range (rand, 0, 100000);
  wait->promise = soak_promise_new (self->driver, "a wait on another thread", NULL, NULL);
  soak_hands_push (wait_by_hand, wait);
}

static void
result_cb (GObject *source, GAsyncResult *result, gpointer promise)
{
  G_GNUC_UNUSED g_autoptr (GVariant) value = dray_future_result_finish (DRAY_FUTURE (source),
                                                                        result, NULL);

  if (!dray_future_is_done (DRAY_FUTURE (source)))
    soak_violation ("A result was told before its future was done");
  soak_promise_keep_only (promise);
}

static void
disturb (SoakTask *self)
{
  GRand *rand = self->driver->rand;

  if (self->kind->lingers ? !self->limited : soak_chance (rand, 8))
    cancel (self, rand);
  if (soak_chance (rand, 5))
    wait_elsewhere (self, rand);
  if (soak_chance (rand, 2))
    dray_future_wait (self->future, g_rand_int_range (rand, 0, 10000), NULL, NULL);
  if (soak_chance (rand, 10))
    dray_future_set_priority (self->future, g_rand_int_range (rand, -3, 4));
  if (soak_chance (rand, 10))
    dray_future_result_async (
      self->future, NULL, result_cb,
      soak_promise_new (self->driver, "a result that is asked for", NULL, NULL));
}

void
soak_task_watch (SoakTask *self, DrayFuture *future)
{
  self->future = future;
  if (self->kind->check_item != NULL)
    g_signal_connect_data (future, "item", G_CALLBACK (item_cb), soak_task_ref (self), unref_cb, 0);
  dray_future_add_done_callback (future, done_cb,
                                 soak_promise_new (self->driver, self->kind->name,
                                                   soak_task_ref (self),
                                                   (GDestroyNotify) soak_task_unref),
                                 NULL);
  disturb (self);
}

SoakTask *
soak_submit (SoakDriver *driver, SoakStock *stock, const SoakKind *kind)
{
  g_autoptr (DrayExecutor) executor = soak_stock_dup_executor (stock);
  SoakTask *self = soak_task_new (driver, stock, kind);
  g_autoptr (DrayTask) task = soak_task_make (self);
  g_autoptr (GCancellable) cancellable = NULL;
  DrayFuture *future;

  if (soak_chance (driver->rand, 5))
    {
      cancellable = g_cancellable_new ();
      soak_task_expect_cancel (self);
      if (soak_chance (driver->rand, 20))
        g_cancellable_cancel (cancellable);
    }
  future = dray_executor_submit (executor, task, cancellable);
  if (cancellable != NULL && soak_chance (driver->rand, 50))
    g_cancellable_cancel (cancellable);
  soak_task_watch (self, future);

  return self;
}

void
soak_do_single (SoakDriver *driver, SoakStock *stock)
{
  soak_task_unref (soak_submit (driver, stock, soak_pick_kind (soak_calls, driver->rand, FALSE)));
}

void
soak_do_command (SoakDriver *driver, SoakStock *stock)
{
  soak_task_unref (
    soak_submit (driver, stock, soak_pick_kind (soak_commands, driver->rand, FALSE)));
}
