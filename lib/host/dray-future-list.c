/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-future-list.h"

/*
 * A balanced tree of futures, by id, which is the order of submission. One is found by its
 * position or by its id in O(log n), and told its position in O(log n).
 *
 * Whoever is told of a change may do anything, such as make another change. So nothing is kept
 * across an emission but the ids that are still to be removed, and each of these is looked up
 * anew.
 */

typedef struct
{
  guint64 id;
  DrayFuture *future; /* (owned) */
} Entry;

struct _DrayFutureList
{
  GObject parent_instance;

  GSequence *entries; /* (owned) (element-type Entry): by id */
};

static void
entry_free (Entry *entry)
{
  g_object_unref (entry->future);
  g_free (entry);
}

static int
compare_ids (guint64 a, guint64 b)
{
  return (a > b) - (a < b);
}

static int
compare_entries_cb (gconstpointer a, gconstpointer b, gpointer user_data)
{
  return compare_ids (((const Entry *) a)->id, ((const Entry *) b)->id);
}

static int
compare_ids_cb (gconstpointer a, gconstpointer b)
{
  return compare_ids (*(const guint64 *) a, *(const guint64 *) b);
}

static GType
dray_future_list_get_item_type (GListModel *model)
{
  return DRAY_TYPE_FUTURE;
}

static guint
dray_future_list_get_n_items (GListModel *model)
{
  return (guint) g_sequence_get_length (DRAY_FUTURE_LIST (model)->entries);
}

static gpointer
dray_future_list_get_item (GListModel *model, guint position)
{
  DrayFutureList *self = DRAY_FUTURE_LIST (model);

  if (position >= dray_future_list_get_n_items (model))
    return NULL;

  Entry *entry = g_sequence_get (g_sequence_get_iter_at_pos (self->entries, (int) position));

  return g_object_ref (entry->future);
}

static void
list_model_iface_init (GListModelInterface *iface)
{
  iface->get_item_type = dray_future_list_get_item_type;
  iface->get_n_items = dray_future_list_get_n_items;
  iface->get_item = dray_future_list_get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (DrayFutureList,
                               dray_future_list,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_iface_init))

static void
dray_future_list_dispose (GObject *object)
{
  DrayFutureList *self = DRAY_FUTURE_LIST (object);

  g_sequence_remove_range (g_sequence_get_begin_iter (self->entries),
                           g_sequence_get_end_iter (self->entries));

  G_OBJECT_CLASS (dray_future_list_parent_class)->dispose (object);
}

static void
dray_future_list_finalize (GObject *object)
{
  DrayFutureList *self = DRAY_FUTURE_LIST (object);

  g_sequence_free (self->entries);

  G_OBJECT_CLASS (dray_future_list_parent_class)->finalize (object);
}

static void
dray_future_list_class_init (DrayFutureListClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = dray_future_list_dispose;
  object_class->finalize = dray_future_list_finalize;
}

static void
dray_future_list_init (DrayFutureList *self)
{
  self->entries = g_sequence_new ((GDestroyNotify) entry_free);
}

DrayFutureList *
dray_future_list_new (void)
{
  return g_object_new (DRAY_TYPE_FUTURE_LIST, NULL);
}

void
dray_future_list_append (DrayFutureList *self, DrayFuture *const *futures, guint n_futures)
{
  g_return_if_fail (DRAY_IS_FUTURE_LIST (self));
  g_return_if_fail (futures != NULL || n_futures == 0);

  guint position = (guint) g_sequence_get_length (self->entries);

  if (n_futures == 0)
    return;

  for (guint i = 0; i < n_futures; i++)
    {
      Entry *entry = g_new (Entry, 1);

      entry->id = dray_future_get_id (futures[i]);
      entry->future = g_object_ref (futures[i]);
      g_sequence_append (self->entries, entry);
    }

  g_list_model_items_changed (G_LIST_MODEL (self), position, 0, n_futures);
}

/* Removes the future with the first of these ids, and, as long as they are neighbours in the
 * list, those with the ones that follow. Returns how many of the ids that took care of: never 0. */
static guint
remove_run (DrayFutureList *self, const guint64 *ids, guint n_ids)
{
  Entry key = { .id = ids[0] };
  GSequenceIter *begin = g_sequence_lookup (self->entries, &key, compare_entries_cb, NULL);
  guint length = 1;

  if (begin == NULL)
    return 1;

  guint position = (guint) g_sequence_iter_get_position (begin);
  GSequenceIter *end = g_sequence_iter_next (begin);

  while (length < n_ids && !g_sequence_iter_is_end (end)
         && ((Entry *) g_sequence_get (end))->id == ids[length])
    {
      end = g_sequence_iter_next (end);
      length++;
    }

  /* What they hold is let go of after the list has said that they are gone. */
  g_autoptr (GSequence) removed = g_sequence_new ((GDestroyNotify) entry_free);

  g_sequence_move_range (g_sequence_get_begin_iter (removed), begin, end);
  g_list_model_items_changed (G_LIST_MODEL (self), position, length, 0);
  return length;
}

void
dray_future_list_remove (DrayFutureList *self, const guint64 *ids, guint n_ids)
{
  g_return_if_fail (DRAY_IS_FUTURE_LIST (self));
  g_return_if_fail (ids != NULL || n_ids == 0);

  if (n_ids == 0)
    return;

  g_autoptr (DrayFutureList) keep_alive = g_object_ref (self);
  g_autofree guint64 *sorted = g_memdup2 (ids, n_ids * sizeof *ids);

  qsort (sorted, n_ids, sizeof *sorted, compare_ids_cb);
  for (guint done = 0; done < n_ids;)
    done += remove_run (keep_alive, sorted + done, n_ids - done);
}
