/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

/* Several tasks as one, one after another, all or nothing, one by one. */

#define MAX_PARTS 6

/* (transfer full) (element-type SoakTask): each of another executor; @cancellable: they may end
 * so */
static GPtrArray *
submit_parts (SoakDriver *driver, gboolean cancellable)
{
  GPtrArray *parts = g_ptr_array_new_with_free_func ((GDestroyNotify) soak_task_unref);
  int n = g_rand_int_range (driver->rand, 1, MAX_PARTS + 1);

  for (int i = 0; i < n; i++)
    {
      SoakStock *stock = soak_stock_pick (driver->rand);
      gboolean is_command = soak_chance (driver->rand, 5);
      SoakTask *part = soak_submit (
        driver, stock,
        soak_pick_kind (is_command ? soak_commands : soak_calls, driver->rand, TRUE));

      if (cancellable)
        soak_task_expect_cancel (part);
      g_ptr_array_add (parts, part);
      soak_stock_unref (stock);
    }

  return parts;
}

/* --- Combined --- */

static gboolean
check_part (SoakTask *part, GVariant *result)
{
  return part->kind->check == NULL || part->kind->check (part, result);
}

static gboolean
check_all (SoakTask *self, GVariant *result)
{
  if (!g_variant_is_of_type (result, G_VARIANT_TYPE ("av"))
      || g_variant_n_children (result) != self->parts->len)
    return FALSE;

  for (guint i = 0; i < self->parts->len; i++)
    {
      g_autoptr (GVariant) boxed = g_variant_get_child_value (result, i);
      g_autoptr (GVariant) value = g_variant_get_variant (boxed);

      if (!check_part (self->parts->pdata[i], value))
        return FALSE;
    }
  return TRUE;
}

static gboolean
check_one (SoakTask *self, GVariant *result)
{
  for (guint i = 0; i < self->parts->len; i++)
    if (check_part (self->parts->pdata[i], result))
      return TRUE;
  return FALSE;
}

static const SoakKind combined_kinds[] = {
  { "all", 0, NULL, check_all, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "all, or one that fails", 0, NULL, check_all, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "any", 0, NULL, check_one, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "first", 0, NULL, check_one, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
};

static DrayFuture *
combine (guint how, GPtrArray *parts)
{
  DrayFuture *futures[MAX_PARTS];

  for (guint i = 0; i < parts->len; i++)
    futures[i] = ((SoakTask *) parts->pdata[i])->future;

  switch (how)
    {
    case 0:
      return dray_future_all (futures, parts->len);
    case 1:
      return dray_future_all_race (futures, parts->len);
    case 2:
      return dray_future_any (futures, parts->len);
    default:
      return dray_future_first (futures, parts->len);
    }
}

void
soak_do_combine (SoakDriver *driver, SoakStock *stock)
{
  guint how = (guint) g_rand_int_range (driver->rand, 0, G_N_ELEMENTS (combined_kinds));
  SoakTask *self = soak_task_new (driver, stock, &combined_kinds[how]);

  /* It may be cancelled, and its parts with it. */
  self->parts = submit_parts (driver, TRUE);
  soak_task_watch (self, combine (how, self->parts));
  soak_task_unref (self);
}

/* --- One after another --- */

static DrayTask *
make_echo_of_that (SoakTask *self, GRand *rand)
{
  return dray_task_new_call ("echo", NULL);
}

static const SoakKind then_kind = {
  "echo of that", 0, make_echo_of_that, check_one, NULL, SOAK_SUCCEEDED, FALSE, FALSE,
};

void
soak_do_then (SoakDriver *driver, SoakStock *stock)
{
  SoakTask *last = soak_submit (driver, stock, soak_pick_kind (soak_calls, driver->rand, TRUE));
  int n = g_rand_int_range (driver->rand, 1, 6);

  soak_task_expect_cancel (last);
  for (int i = 0; i < n; i++)
    {
      SoakStock *next_stock = soak_stock_pick (driver->rand);
      g_autoptr (DrayExecutor) executor = soak_stock_dup_executor (next_stock);
      SoakTask *next = soak_task_new (driver, next_stock, &then_kind);
      g_autoptr (DrayTask) task = soak_task_make (next);

      next->parts = g_ptr_array_new_with_free_func ((GDestroyNotify) soak_task_unref);
      g_ptr_array_add (next->parts, soak_task_ref (last));
      soak_task_expect_cancel (next);
      soak_task_watch (next,
                       dray_future_and_then (last->future, executor, task, DRAY_POSITION_WHOLE));
      soak_task_unref (last);
      soak_stock_unref (next_stock);
      last = next;
    }
  soak_task_unref (last);
}

/* --- All or nothing --- */

static void
joined_cb (GObject *source, GAsyncResult *result, gpointer promise)
{
  DrayGroup *group = DRAY_GROUP (source);

  dray_group_join_finish (group, result, NULL);
  if (dray_group_get_n_unfinished (group) > 0)
    soak_violation ("A group is joined, and has unfinished members");
  soak_promise_keep_only (promise);
}

static void
wait_for_group (gpointer data)
{
  g_autoptr (DrayGroup) group = data;

  dray_group_wait (group, 100000, NULL, NULL);
}

void
soak_do_group (SoakDriver *driver, SoakStock *stock)
{
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (GPtrArray) parts = submit_parts (driver, TRUE);

  for (guint i = 0; i < parts->len; i++)
    dray_group_add (group, ((SoakTask *) parts->pdata[i])->future);
  dray_group_join_async (group, NULL, joined_cb,
                         soak_promise_new (driver, "a group that is joined", NULL, NULL));
  if (soak_chance (driver->rand, 30))
    soak_hands_push (wait_for_group, g_object_ref (group));
  if (soak_chance (driver->rand, 20))
    dray_group_cancel (group);
}

/* --- One by one --- */

typedef struct
{
  SoakDriver *driver;
  DrayCompletionQueue *queue; /* (owned) */
  GHashTable *expected;       /* (owned): of DrayFuture (unowned), which the queue has */
} Line;

static void next_in_line (Line *self);

static void
line_free (gpointer data)
{
  Line *self = data;

  g_object_unref (self->queue);
  g_hash_table_unref (self->expected);
  g_free (self);
}

static void
next_cb (GObject *source, GAsyncResult *result, gpointer promise)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DrayFuture) future = dray_completion_queue_next_finish (DRAY_COMPLETION_QUEUE (source),
                                                                     result, &error);
  gpointer data;
  Line *self;

  if (!soak_promise_keep (promise, &data))
    return;

  self = data;
  if (error != NULL)
    soak_violation ("A queue failed: %s", error->message);
  else if (future == NULL && g_hash_table_size (self->expected) > 0)
    soak_violation ("A queue has lost %u futures", g_hash_table_size (self->expected));
  else if (future != NULL && !g_hash_table_remove (self->expected, future))
    soak_violation ("A future came out of a queue twice");
  else if (future != NULL && !dray_future_is_done (future))
    soak_violation ("A future came out of a queue before it was done");

  if (future != NULL)
    next_in_line (self);
  else
    line_free (self);
}

static void
next_in_line (Line *self)
{
  dray_completion_queue_next_async (
    self->queue, NULL, next_cb,
    soak_promise_new (self->driver, "the next of a queue", self, line_free));
}

void
soak_do_queue (SoakDriver *driver, SoakStock *stock)
{
  Line *self = g_new0 (Line, 1);
  g_autoptr (GPtrArray) parts = submit_parts (driver, FALSE);

  self->driver = driver;
  self->queue = dray_completion_queue_new ();
  self->expected = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < parts->len; i++)
    {
      DrayFuture *future = ((SoakTask *) parts->pdata[i])->future;

      g_hash_table_add (self->expected, future);
      dray_completion_queue_add (self->queue, future);
    }
  next_in_line (self);
}
