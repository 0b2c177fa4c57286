/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

/* Items that are pulled, by a main loop or by a thread, to the end or for a while. */

typedef struct
{
  SoakTask *task;     /* (owned) */
  DrayFuture *future; /* (owned) */
  guint max_items;    /* at a time; 0: any number */
  guint left;         /* how often to pull before it is cancelled */
  gpointer promise;   /* of the thread's */
} Pull;

static void pull_next (Pull *self);

static void
pull_free (gpointer data)
{
  Pull *self = data;

  soak_task_unref (self->task);
  g_object_unref (self->future);
  g_free (self);
}

static DrayTask *
make_numbers (SoakTask *self, GRand *rand)
{
  DrayTask *task;

  self->n = (guint) g_rand_int_range (rand, 0, 3000);
  task = dray_task_new_call ("numbers", g_variant_new ("(ub)", self->n, FALSE));
  dray_task_set_pull (task, TRUE);
  return task;
}

static gboolean
check_numbers (SoakTask *self, GVariant *result)
{
  return g_variant_get_uint32 (result) == self->n || soak_task_may_be_cancelled (self);
}

static const SoakKind pull_kind = {
  "numbers that are pulled", 0, make_numbers, check_numbers, NULL, SOAK_SUCCEEDED, FALSE, FALSE,
};

/* Another attempt begins anew. */
static void
check_items (Pull *self, GPtrArray *items)
{
  SoakTask *task = self->task;

  for (guint i = 0; i < items->len; i++)
    {
      guint32 number = g_variant_get_uint32 (items->pdata[i]);

      if (number != task->seed && !(number == 0 && task->retries > 0))
        soak_violation ("The number %u was pulled where %u comes", number, task->seed);
      task->seed = number + 1;
    }
  if (items->len == 0 || (self->max_items > 0 && items->len > self->max_items))
    soak_violation ("%u items were pulled", items->len);
}

/* Returns whether to go on. @items: (nullable): NULL is the end */
static gboolean
take (Pull *self, GPtrArray *items, const GError *error)
{
  if (items == NULL)
    {
      if (error == NULL && self->task->seed != self->task->n
          && !soak_task_may_be_cancelled (self->task))
        soak_violation ("%u numbers of %u were pulled", self->task->seed, self->task->n);
      return FALSE;
    }

  check_items (self, items);
  if (self->left-- > 0)
    return TRUE;

  soak_task_expect_cancel (self->task);
  dray_future_cancel (self->future);
  return FALSE;
}

static void
items_cb (GObject *source, GAsyncResult *result, gpointer promise)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) items = dray_future_next_items_finish (DRAY_FUTURE (source), result,
                                                               &error);
  gpointer data;

  if (!soak_promise_keep (promise, &data))
    return;

  if (take (data, items, error))
    pull_next (data);
  else
    pull_free (data);
}

static void
pull_next (Pull *self)
{
  dray_future_next_items_async (
    self->future, self->max_items, NULL, items_cb,
    soak_promise_new (self->task->driver, "the next items", self, pull_free));
}

static void
pull_by_hand (gpointer data)
{
  Pull *self = data;
  gpointer promise = self->promise;
  gboolean more = TRUE;

  while (more)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GPtrArray) items = dray_future_wait_next_items (self->future, self->max_items, -1,
                                                                 NULL, &error);

      more = take (self, items, error);
    }

  pull_free (self);
  soak_promise_keep_only (promise);
}

void
soak_do_pull (SoakDriver *driver, SoakStock *stock)
{
  Pull *self = g_new0 (Pull, 1);

  self->task = soak_submit (driver, stock, &pull_kind);
  self->future = g_object_ref (self->task->future);
  self->max_items = soak_chance (driver->rand, 30)
                      ? 0
                      : (guint) g_rand_int_range (driver->rand, 1, 100);
  self->left = soak_chance (driver->rand, 20) ? (guint) g_rand_int_range (driver->rand, 0, 10)
                                              : G_MAXUINT;
  if (soak_chance (driver->rand, 70))
    {
      pull_next (self);
      return;
    }

  self->promise = soak_promise_new (driver, "items that are waited for", NULL, NULL);
  soak_hands_push (pull_by_hand, self);
}
