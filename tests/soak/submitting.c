/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

/* The other ways to submit a task; and executors and main contexts that are there for a moment. */

/* --- With no future in sight --- */

static void
run_cb (GObject *source, GAsyncResult *result, gpointer promise)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = dray_executor_run_finish (DRAY_EXECUTOR (source), result, &error);
  gpointer data;

  if (!soak_promise_keep (promise, &data))
    return;

  soak_task_judge (data, value, error);
  soak_task_unref (data);
}

void
soak_do_async (SoakDriver *driver, SoakStock *stock)
{
  g_autoptr (DrayExecutor) executor = soak_stock_dup_executor (stock);
  SoakTask *self = soak_task_new (driver, stock, soak_pick_kind (soak_calls, driver->rand, TRUE));
  g_autoptr (DrayTask) task = soak_task_make (self);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  gboolean cancel = soak_chance (driver->rand, 10);

  if (cancel)
    soak_task_expect_cancel (self);
  dray_executor_run_async (
    executor, task, cancellable, run_cb,
    soak_promise_new (driver, "a task with no future", self, (GDestroyNotify) soak_task_unref));
  if (cancel)
    g_cancellable_cancel (cancellable);
}

/* --- When there is room --- */

static void
submitted_cb (GObject *source, GAsyncResult *result, gpointer promise)
{
  g_autoptr (GError) error = NULL;
  DrayFuture *future = dray_executor_submit_finish (DRAY_EXECUTOR (source), result, &error);
  gpointer data;
  SoakTask *self;

  if (!soak_promise_keep (promise, &data))
    return;

  self = data;
  if (future != NULL)
    soak_task_watch (self, future);
  else
    soak_task_judge (self, NULL, error);
  soak_task_unref (self);
}

void
soak_do_room (SoakDriver *driver, SoakStock *stock)
{
  g_autoptr (DrayExecutor) executor = soak_stock_dup_executor (stock);
  SoakTask *self = soak_task_new (driver, stock, soak_pick_kind (soak_calls, driver->rand, FALSE));
  g_autoptr (DrayTask) task = soak_task_make (self);

  dray_executor_submit_async (
    executor, task, NULL, submitted_cb,
    soak_promise_new (driver, "room in the queue", self, (GDestroyNotify) soak_task_unref));
}

/* --- Executors for a moment --- */

typedef struct
{
  SoakDriver *driver;
  SoakStock *stock; /* (owned) */
} Visit;

static gboolean
leave_cb (gpointer promise)
{
  gpointer data;

  if (soak_promise_keep (promise, &data))
    {
      g_autofree Visit *visit = data;

      soak_stock_retire (visit->stock, visit->driver->rand, visit->driver);
    }

  return G_SOURCE_REMOVE;
}

/* (transfer none): an executor that is ended in some way, soon. */
static SoakStock *
begin_visit (SoakDriver *driver)
{
  Visit *visit = g_new (Visit, 1);
  g_autoptr (GSource) timer = g_timeout_source_new ((guint) g_rand_int_range (driver->rand, 0, 60));

  visit->driver = driver;
  visit->stock = soak_stock_new_visitor (driver->rand);
  g_source_set_callback (timer, leave_cb,
                         soak_promise_new (driver, "the end of a visit", visit, NULL), NULL);
  g_source_attach (timer, driver->context);
  return visit->stock;
}

void
soak_do_visit (SoakDriver *driver, SoakStock *stock)
{
  SoakStock *visited = begin_visit (driver);
  int n = g_rand_int_range (driver->rand, 0, 10);

  for (int i = 0; i < n; i++)
    soak_do_single (driver, visited);
}

/* --- Main contexts for a moment --- */

#define N_ABANDONED 3

typedef struct
{
  SoakDriver *driver;
  DrayExecutor *executor; /* (owned) */
  gpointer promise;
} Abandoned;

static void
never_mind_cb (DrayFuture *future, gpointer data)
{
}

/* Nobody will iterate the main context: callbacks don't come, but what was given with them is
 * freed, if only with the executor; and the tasks come to their ends. Until then the callbacks keep
 * their futures, and what lies undelivered counts: so this is not done to an executor of others. */
static void
abandon_by_hand (gpointer data)
{
  g_autofree Abandoned *abandoned = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  DrayFuture *futures[N_ABANDONED];

  g_main_context_push_thread_default (context);
  for (guint i = 0; i < N_ABANDONED; i++)
    {
      futures[i] = dray_executor_call (abandoned->executor, "stream",
                                       g_variant_new ("(uu)", 10, i));
      dray_future_add_done_callback (futures[i], never_mind_cb,
                                     soak_promise_new (NULL, "data of a callback", NULL, NULL),
                                     soak_promise_keep_only);
      g_main_context_iteration (context, FALSE);
    }
  g_main_context_pop_thread_default (context);
  g_clear_pointer (&context, g_main_context_unref);

  for (guint i = 0; i < N_ABANDONED; i++)
    {
      dray_future_wait (futures[i], -1, NULL, NULL);
      g_object_unref (futures[i]);
    }
  g_object_unref (abandoned->executor);
  soak_promise_keep_only (abandoned->promise);
}

void
soak_do_abandon (SoakDriver *driver, SoakStock *stock)
{
  Abandoned *abandoned = g_new (Abandoned, 1);

  soak_count_tasks (N_ABANDONED);
  abandoned->driver = driver;
  abandoned->executor = soak_stock_dup_executor (begin_visit (driver));
  abandoned->promise = soak_promise_new (driver, "tasks of a main context that is gone", NULL,
                                         NULL);
  soak_hands_push (abandon_by_hand, abandoned);
}
