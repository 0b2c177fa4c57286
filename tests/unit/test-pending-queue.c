/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pending-queue.h"

/* The pending queue, by itself and beside a model that is too simple to be wrong. */

typedef struct
{
  DrayPendingLink pending;
  int priority;
  gint64 rank; /* among those of one priority, the lowest first */
} Thing;

static void
thing_init (Thing *self, int priority)
{
  *self = (Thing) { .pending.data = self, .priority = priority };
}

static void
test_order (void)
{
  g_test_summary ("Links leave by priority, the lowest number first, and in order of arrival "
                  "within one; one that is put back is the first of its priority only.");

  static const struct
  {
    int priority;
    gboolean at_head;
    guint leaves; /* as which */
  } table[] = {
    { 0, FALSE, 3 },           { 5, FALSE, 6 },        { 0, FALSE, 4 },
    { -1, FALSE, 1 },          { 0, TRUE, 2 },         { G_MAXINT, FALSE, 8 },
    { G_MININT, FALSE, 0 },    { 5, FALSE, 7 },        { 5, TRUE, 5 },
  };
  g_autoptr (DrayPendingQueue) queue = dray_pending_queue_new ();
  Thing things[G_N_ELEMENTS (table)];

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      thing_init (&things[i], table[i].priority);
      if (table[i].at_head)
        dray_pending_queue_put_back (queue, &things[i].pending, table[i].priority);
      else
        dray_pending_queue_push_tail (queue, &things[i].pending, table[i].priority);
      g_assert_cmpuint (dray_pending_queue_get_length (queue), ==, i + 1);
    }

  for (guint n = 0; n < G_N_ELEMENTS (table); n++)
    {
      Thing *first = dray_pending_queue_peek (queue);

      g_assert_cmpuint (table[first - things].leaves, ==, n);
      g_assert_true (dray_pending_link_is_queued (&first->pending));
      g_assert_true (dray_pending_queue_pop (queue) == first);
      g_assert_false (dray_pending_link_is_queued (&first->pending));
    }
  g_assert_cmpuint (dray_pending_queue_get_length (queue), ==, 0);
}

static void
test_empty (void)
{
  g_test_summary ("An empty queue has no first link, before it was used and after.");

  g_autoptr (DrayPendingQueue) queue = dray_pending_queue_new ();
  Thing thing;

  g_assert_null (dray_pending_queue_peek (queue));
  g_assert_null (dray_pending_queue_pop (queue));

  thing_init (&thing, 3);
  dray_pending_queue_push_tail (queue, &thing.pending, 3);
  dray_pending_queue_remove (queue, &thing.pending);
  g_assert_null (dray_pending_queue_peek (queue));
  g_assert_null (dray_pending_queue_pop (queue));
  g_assert_cmpuint (dray_pending_queue_get_length (queue), ==, 0);
}

static void
test_again (void)
{
  g_test_summary ("A link that has left can be pushed again, also with another priority.");

  g_autoptr (DrayPendingQueue) queue = dray_pending_queue_new ();
  Thing first, second;

  thing_init (&first, 0);
  thing_init (&second, 0);
  dray_pending_queue_push_tail (queue, &first.pending, 0);
  dray_pending_queue_push_tail (queue, &second.pending, 0);

  g_assert_true (dray_pending_queue_pop (queue) == &first);
  dray_pending_queue_put_back (queue, &first.pending, 0);
  g_assert_true (dray_pending_queue_pop (queue) == &first);
  dray_pending_queue_push_tail (queue, &first.pending, 1);
  g_assert_true (dray_pending_queue_pop (queue) == &second);
  g_assert_true (dray_pending_queue_pop (queue) == &first);
}

static void
test_ranks (void)
{
  g_test_summary ("Those that are put back, in any order, are in the order of their ranks again, "
                  "before all that were not away.");

  static const guint order[] = { 2, 0, 4, 1, 3 };
  g_autoptr (DrayPendingQueue) queue = dray_pending_queue_new ();
  Thing things[8];

  for (guint i = 0; i < G_N_ELEMENTS (things); i++)
    {
      thing_init (&things[i], 0);
      things[i].pending.rank = i + 1;
      dray_pending_queue_push_tail (queue, &things[i].pending, 0);
    }

  for (guint i = 0; i < G_N_ELEMENTS (order); i++)
    g_assert_true (dray_pending_queue_pop (queue) == &things[i]);
  for (guint i = 0; i < G_N_ELEMENTS (order); i++)
    dray_pending_queue_put_back (queue, &things[order[i]].pending, 0);

  for (guint i = 0; i < G_N_ELEMENTS (things); i++)
    g_assert_true (dray_pending_queue_pop (queue) == &things[i]);
}

/* The model: an array that is searched from end to end. */

static Thing *
model_first (GPtrArray *model)
{
  Thing *first = NULL;

  for (guint i = 0; i < model->len; i++)
    {
      Thing *thing = g_ptr_array_index (model, i);

      if (first == NULL || thing->priority < first->priority
          || (thing->priority == first->priority && thing->rank < first->rank))
        first = thing;
    }
  return first;
}

static void
model_pop (GPtrArray *model, DrayPendingQueue *queue)
{
  Thing *expected = model_first (model);

  g_assert_true (dray_pending_queue_peek (queue) == expected);
  g_assert_true (dray_pending_queue_pop (queue) == expected);
  g_ptr_array_remove_fast (model, expected);
  g_free (expected);
}

static void
model_remove_any (GPtrArray *model, DrayPendingQueue *queue, GRand *rand)
{
  guint index = (guint) g_rand_int_range (rand, 0, (int) model->len);
  Thing *thing = g_ptr_array_remove_index_fast (model, index);

  dray_pending_queue_remove (queue, &thing->pending);
  g_assert_false (dray_pending_link_is_queued (&thing->pending));
  g_free (thing);
}

static void
model_push (GPtrArray *model, DrayPendingQueue *queue, GRand *rand, int n_priorities, gint64 step)
{
  Thing *thing = g_new (Thing, 1);

  thing_init (thing, g_rand_int_range (rand, -n_priorities / 2, n_priorities / 2 + 1));
  g_ptr_array_add (model, thing);
  if (g_rand_int_range (rand, 0, 4) == 0)
    {
      thing->rank = -step;
      dray_pending_queue_put_back (queue, &thing->pending, thing->priority);
    }
  else
    {
      thing->rank = step;
      dray_pending_queue_push_tail (queue, &thing->pending, thing->priority);
    }
}

static void
test_model (gconstpointer data)
{
  g_test_summary ("Whatever is done in whatever order, with few priorities and with many, the "
                  "queue and the model agree; the queue grows and shrinks meanwhile.");

  const int n_priorities = GPOINTER_TO_INT (data);
  g_autoptr (GRand) rand = g_rand_new_with_seed (20231107);
  g_autoptr (GPtrArray) model = g_ptr_array_new ();
  g_autoptr (DrayPendingQueue) queue = dray_pending_queue_new ();

  for (gint64 step = 1; step <= 6000; step++)
    {
      const gboolean growing = step / 1000 % 2 == 0;
      const int dice = g_rand_int_range (rand, 0, 10);

      if (model->len == 0 || dice < (growing ? 6 : 3))
        model_push (model, queue, rand, n_priorities, step);
      else if (dice < 8)
        model_pop (model, queue);
      else
        model_remove_any (model, queue, rand);
      g_assert_cmpuint (dray_pending_queue_get_length (queue), ==, model->len);
    }

  while (model->len > 0)
    model_pop (model, queue);
  g_assert_null (dray_pending_queue_peek (queue));
}

static void
test_misuse (void)
{
  g_test_summary ("Pushing a link twice, or removing one that is not queued, is refused and "
                  "leaves the queue as it was.");

  g_autoptr (DrayPendingQueue) queue = dray_pending_queue_new ();
  Thing thing;

  thing_init (&thing, 0);
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*bucket != NULL*");
  dray_pending_queue_remove (queue, &thing.pending);
  g_test_assert_expected_messages ();

  dray_pending_queue_push_tail (queue, &thing.pending, 0);
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*bucket == NULL*");
  dray_pending_queue_push_tail (queue, &thing.pending, 1);
  g_test_assert_expected_messages ();

  g_assert_cmpuint (dray_pending_queue_get_length (queue), ==, 1);
  g_assert_true (dray_pending_queue_pop (queue) == &thing);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/pending-queue/order", test_order);
  g_test_add_func ("/pending-queue/empty", test_empty);
  g_test_add_func ("/pending-queue/again", test_again);
  g_test_add_func ("/pending-queue/ranks", test_ranks);
  g_test_add_data_func ("/pending-queue/model/one-priority", GINT_TO_POINTER (1), test_model);
  g_test_add_data_func ("/pending-queue/model/few-priorities", GINT_TO_POINTER (5), test_model);
  g_test_add_data_func ("/pending-queue/model/many-priorities", GINT_TO_POINTER (500),
                        test_model);
  g_test_add_func ("/pending-queue/misuse", test_misuse);

  return g_test_run ();
}
