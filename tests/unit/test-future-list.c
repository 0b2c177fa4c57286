/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-future-list.h"

/*
 * The list of unfinished futures. All that it knows of a future is its id, so the futures here
 * are of a type of the test's own, which takes the place of the real one.
 */

struct _DrayFuture
{
  GObject parent_instance;

  guint64 id;
};

G_DEFINE_FINAL_TYPE (DrayFuture, dray_future, G_TYPE_OBJECT)

static guint n_living;

static void
dray_future_finalize (GObject *object)
{
  n_living--;
  G_OBJECT_CLASS (dray_future_parent_class)->finalize (object);
}

static void
dray_future_class_init (DrayFutureClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dray_future_finalize;
}

static void
dray_future_init (DrayFuture *self)
{
  n_living++;
}

guint64
dray_future_get_id (DrayFuture *self)
{
  return self->id;
}

/* A list, and what somebody who only hears of changes takes it for. */
typedef struct
{
  DrayFutureList *list; /* (owned) */
  GArray *heard;        /* (owned) (element-type guint64): the ids */
  guint n_changes;
  void (*react) (gpointer self); /* (nullable): called once, at the next change */
} Watcher;

/* (transfer full) */
static DrayFuture *
get_future (Watcher *self, guint position)
{
  return g_list_model_get_item (G_LIST_MODEL (self->list), position);
}

static void
items_changed_cb (GListModel *model, guint position, guint removed, guint added, Watcher *self)
{
  self->n_changes++;
  if (removed > 0)
    g_array_remove_range (self->heard, position, removed);
  for (guint i = 0; i < added; i++)
    {
      g_autoptr (DrayFuture) future = get_future (self, position + i);

      g_array_insert_val (self->heard, position + i, future->id);
    }

  g_assert_cmpuint (g_list_model_get_n_items (model), ==, self->heard->len);

  void (*react) (gpointer) = g_steal_pointer (&self->react);

  if (react != NULL)
    react (self);
}

static void
set_up (Watcher *self, gconstpointer data)
{
  self->list = dray_future_list_new ();
  self->heard = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_signal_connect (self->list, "items-changed", G_CALLBACK (items_changed_cb), self);
}

static void
tear_down (Watcher *self, gconstpointer data)
{
  g_clear_object (&self->list);
  g_array_unref (self->heard);
  g_assert_cmpuint (n_living, ==, 0);
}

static void
append (Watcher *self, guint64 first_id, guint n_futures)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < n_futures; i++)
    {
      DrayFuture *future = g_object_new (DRAY_TYPE_FUTURE, NULL);

      future->id = first_id + i;
      g_ptr_array_add (futures, future);
    }
  dray_future_list_append (self->list, (DrayFuture *const *) futures->pdata, n_futures);
}

/* @expected: the ids in the list, each followed by a space. */
static void
check (Watcher *self, const char *expected)
{
  g_autoptr (GString) listed = g_string_new (NULL);
  g_autoptr (GString) heard = g_string_new (NULL);

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->list)); i++)
    {
      g_autoptr (DrayFuture) future = get_future (self, i);

      g_string_append_printf (listed, "%" G_GUINT64_FORMAT " ", future->id);
    }
  for (guint i = 0; i < self->heard->len; i++)
    g_string_append_printf (heard, "%" G_GUINT64_FORMAT " ",
                            g_array_index (self->heard, guint64, i));

  g_assert_cmpstr (listed->str, ==, expected);
  g_assert_cmpstr (heard->str, ==, expected);
}

static void
test_append (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("Futures are appended in order, many in one change; none are no change.");

  append (watcher, 1, 3);
  g_assert_cmpuint (watcher->n_changes, ==, 1);
  append (watcher, 0, 0);
  g_assert_cmpuint (watcher->n_changes, ==, 1);
  append (watcher, 10, 2);
  g_assert_cmpuint (watcher->n_changes, ==, 2);
  check (watcher, "1 2 3 10 11 ");

  g_assert_true (g_list_model_get_item_type (G_LIST_MODEL (watcher->list)) == DRAY_TYPE_FUTURE);
  g_assert_null (get_future (watcher, 5));
  g_assert_null (get_future (watcher, G_MAXUINT));
}

static void
test_remove (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("Ids may come in any order, twice, or be unknown; neighbours leave in one "
                  "change.");

  static const struct
  {
    guint64 ids[5];
    guint n_ids;
    guint n_changes;
    const char *left;
  } table[] = {
    { { 0 }, 0, 0, "1 2 3 4 5 7 8 9 " },
    { { 6, 99, 0 }, 3, 0, "1 2 3 4 5 7 8 9 " },
    { { 1 }, 1, 1, "2 3 4 5 7 8 9 " },
    { { 9 }, 1, 1, "1 2 3 4 5 7 8 " },
    { { 4, 2, 3 }, 3, 1, "1 5 7 8 9 " },
    { { 5, 7 }, 2, 1, "1 2 3 4 8 9 " },
    { { 5, 6, 7 }, 3, 2, "1 2 3 4 8 9 " },
    { { 2, 2 }, 2, 1, "1 3 4 5 7 8 9 " },
    { { 9, 1, 5, 3 }, 4, 4, "2 4 7 8 " },
    { { 8, 9, 10, 1, 2 }, 5, 2, "3 4 5 7 " },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      append (watcher, 1, 5);
      append (watcher, 7, 3);
      watcher->n_changes = 0;
      dray_future_list_remove (watcher->list, table[i].ids, table[i].n_ids);
      check (watcher, table[i].left);
      g_assert_cmpuint (watcher->n_changes, ==, table[i].n_changes);

      tear_down (watcher, NULL);
      set_up (watcher, NULL);
    }
}

static void
test_all (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("All of a long list leaves in one change.");

  g_autofree guint64 *ids = g_new (guint64, 5000);

  append (watcher, 1, 5000);
  for (guint i = 0; i < 5000; i++)
    ids[i] = i + 1;
  watcher->n_changes = 0;
  dray_future_list_remove (watcher->list, ids, 5000);
  g_assert_cmpuint (watcher->n_changes, ==, 1);
  check (watcher, "");
  g_assert_cmpuint (n_living, ==, 0);
}

static void
append_more_cb (gpointer data)
{
  append (data, 20, 1);
}

static void
remove_more_cb (gpointer data)
{
  Watcher *watcher = data;

  dray_future_list_remove (watcher->list, (const guint64[]) { 4, 5 }, 2);
}

static void
drop_list_cb (gpointer data)
{
  Watcher *watcher = data;

  g_clear_object (&watcher->list);
}

static void
test_reaction (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("A handler may change the list in the middle of a removal, or drop it.");

  const guint64 odd[] = { 1, 3, 5 };

  append (watcher, 1, 5);
  watcher->react = append_more_cb;
  dray_future_list_remove (watcher->list, odd, 1);
  check (watcher, "2 3 4 5 20 ");

  watcher->react = remove_more_cb;
  dray_future_list_remove (watcher->list, odd, 3);
  check (watcher, "2 20 ");

  append (watcher, 21, 5);
  watcher->react = drop_list_cb;
  dray_future_list_remove (watcher->list, (const guint64[]) { 21, 23, 25 }, 3);
  g_assert_null (watcher->list);
}

static void
test_random (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("Whatever comes and goes, the list and who only hears of it agree.");

  g_autoptr (GRand) rand = g_rand_new_with_seed (20231107);
  guint64 next_id = 1;

  for (guint i = 0; i < 300; i++)
    {
      guint64 ids[20];
      guint n_new = (guint) g_rand_int_range (rand, 0, 20);
      guint n_ids = (guint) g_rand_int_range (rand, 0, 20);

      append (watcher, next_id, n_new);
      next_id += n_new;
      for (guint j = 0; j < n_ids; j++)
        ids[j] = (guint64) g_rand_int_range (rand, 0, (int) next_id);
      dray_future_list_remove (watcher->list, ids, n_ids);

      for (guint j = 0; j < watcher->heard->len; j++)
        {
          g_autoptr (DrayFuture) future = get_future (watcher, j);

          g_assert_cmpuint (future->id, ==, g_array_index (watcher->heard, guint64, j));
        }
      g_assert_cmpuint (n_living, ==, watcher->heard->len);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, test) \
  g_test_add ("/future-list/" name, Watcher, NULL, set_up, test, tear_down)

  ADD ("append", test_append);
  ADD ("remove", test_remove);
  ADD ("all", test_all);
  ADD ("reaction", test_reaction);
  ADD ("random", test_random);

  return g_test_run ();
}
