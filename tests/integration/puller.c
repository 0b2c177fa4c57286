/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "puller.h"

void
puller_clear (Puller *self)
{
  g_clear_error (&self->error);
}

DrayFuture *
puller_submit (Rig *rig, const char *function, const char *arguments)
{
  DrayTask *task = rig_new_task (function, arguments);

  dray_task_set_pull (task, TRUE);
  return rig_submit (rig, task);
}

DrayFuture *
puller_submit_numbers (Rig *rig, guint n)
{
  g_autofree char *arguments = g_strdup_printf ("(uint32 %u, false)", n);

  return puller_submit (rig, "numbers", arguments);
}

/* Checking */

void
puller_check_number (GVariant *item, guint32 *n)
{
  g_assert_false (g_variant_is_floating (item));
  g_assert_cmpuint (g_variant_get_uint32 (item), ==, (*n)++);
  g_variant_unref (item);
}

void
puller_check_numbers (GPtrArray *items, guint32 *n)
{
  g_assert_cmpuint (items->len, >, 0);
  for (guint i = 0; i < items->len; i++)
    puller_check_number (g_variant_ref (items->pdata[i]), n);
  g_ptr_array_unref (items);
}

/* Pulling */

static void pull_next (DrayFuture *future, Puller *self);

static void
item_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  DrayFuture *future = DRAY_FUTURE (source);
  Puller *self = user_data;
  GVariant *item = dray_future_next_item_finish (future, result, &self->error);

  self->n_answers++;
  self->ended = item == NULL;
  if (item == NULL)
    return;

  puller_check_number (item, &self->n_items);
  pull_next (future, self);
}

static void
items_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  DrayFuture *future = DRAY_FUTURE (source);
  Puller *self = user_data;
  g_autoptr (GObject) asked = g_async_result_get_source_object (result);
  GPtrArray *items = dray_future_next_items_finish (future, result, &self->error);

  g_assert_true (asked == source);
  g_assert_true (g_async_result_get_user_data (result) == user_data);
  self->n_answers++;
  self->ended = items == NULL;
  if (items == NULL)
    return;

  g_assert_cmpuint (items->len, <=, self->max_items);
  puller_check_numbers (items, &self->n_items);
  pull_next (future, self);
}

static void
pull_next (DrayFuture *future, Puller *self)
{
  if (self->max_items == 0)
    dray_future_next_item_async (future, NULL, item_cb, self);
  else
    dray_future_next_items_async (future, self->max_items, NULL, items_cb, self);
}

void
puller_pull_all (DrayFuture *future, Puller *self)
{
  self->ended = FALSE;
  pull_next (future, self);
  fixture_iterate_until_true (&self->ended, "the last item was pulled");
}

/* Noting */

void
puller_note_cb (GObject *future, GAsyncResult *result, gpointer answers)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) item = dray_future_next_item_finish (DRAY_FUTURE (future), result, &error);
  int number = item != NULL ? (int) g_variant_get_uint32 (item) : -1;

  if (error != NULL)
    number = -100 - error->code;
  g_array_append_val ((GArray *) answers, number);
}

gboolean
puller_has_thirty (gpointer answers)
{
  return ((GArray *) answers)->len == 30;
}
