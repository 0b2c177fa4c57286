/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

/*
 * The deadlocks that this library exists to end: somebody waits before what he waits for was read.
 * Each load is waited for in each place; nothing that a callback could do is done before the wait
 * is over, and all of it afterwards.
 */

#define LIMIT ((guint64) 1024 * 1024)

/* What is waited for: one result of a size, or a stream of items. */
typedef struct
{
  const char *name;
  guint32 n_items; /* 0: no stream */
  guint32 size;    /* of the result, or of each item */
} Load;

static const Load loads[] = {
  { "result-of-100-kb", 0, 100 * 1000 },
  { "result-of-1-mb", 0, 1000 * 1000 },
  { "result-of-100-mb", 0, 100 * 1000 * 1000 },
  { "stream-of-100-kb", 1000, 100 },
  { "stream-of-1-mb", 1000, 1000 },
  { "stream-of-100-mb", 1600, 62500 },
};

typedef struct
{
  const Load *load;
  DrayExecutor *executor; /* (unowned) */
  WorkshopRecord *record; /* (owned): of what was waited for */
  gboolean waited;        /* atomic */
} Scene;

static DrayFuture *
submit_load (DrayExecutor *executor, const Load *load)
{
  if (load->n_items == 0)
    return dray_executor_call (executor, "bytes", g_variant_new ("(u)", load->size));

  return dray_executor_call (executor, "stream",
                             g_variant_new ("(uu)", load->n_items, load->size));
}

static void
wait_first (Scene *scene)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  scene->record = workshop_watch (submit_load (scene->executor, scene->load));
  result = dray_future_wait_result (scene->record->future, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (scene->record->n_items, ==, 0);
  g_assert_cmpuint (scene->record->n_done, ==, 0);

  if (scene->load->n_items == 0)
    workshop_assert_bytes (result, scene->load->size);
  else
    g_assert_cmpuint (g_variant_get_uint32 (result), ==, scene->load->n_items);
  g_atomic_int_set (&scene->waited, TRUE);
}

static void
read_later (Scene *scene)
{
  workshop_iterate_until_told (scene->record);
  workshop_assert_succeeded (scene->record);
  g_assert_cmpuint (scene->record->n_items, ==, scene->load->n_items);
  g_assert_cmpuint (scene->record->n_bytes, ==,
                    (guint64) scene->load->n_items * scene->load->size);
}

/* The places */

static gpointer
wait_first_thread (gpointer data)
{
  wait_first (data);

  return NULL;
}

/* No main loop runs at all: the main thread is as blocked as the other one. */
static void
on_another_thread (Scene *scene)
{
  g_thread_join (g_thread_new ("waits", wait_first_thread, scene));
}

static void
wait_first_cb (DrayFuture *future, gpointer user_data)
{
  wait_first (user_data);
}

static void
in_a_done_callback (Scene *scene)
{
  g_autoptr (DrayFuture) future = dray_executor_call (scene->executor, "null", NULL);

  dray_future_add_done_callback (future, wait_first_cb, scene, NULL);
  fixture_iterate_until_true (&scene->waited, "the callback has waited");
}

static void
wait_first_item_cb (DrayFuture *future, GVariant *value, Scene *scene)
{
  if (!scene->waited)
    wait_first (scene);
}

static void
in_an_item_handler (Scene *scene)
{
  g_autoptr (DrayFuture) future
    = dray_executor_call (scene->executor, "stream", g_variant_new ("(uu)", 10, 10));

  g_signal_connect (future, "item", G_CALLBACK (wait_first_item_cb), scene);
  fixture_run_until_done (future);
  g_assert_true (scene->waited);
}

typedef struct
{
  const char *name;
  void (*wait) (Scene *scene);
} Place;

static const Place places[] = {
  { "on-the-main-thread", wait_first },
  { "on-another-thread", on_another_thread },
  { "in-a-done-callback", in_a_done_callback },
  { "in-an-item-handler", in_an_item_handler },
};

typedef struct
{
  const Place *place;
  const Load *load;
} Case;

static Case cases[G_N_ELEMENTS (places) * G_N_ELEMENTS (loads)];

static void
test_wait_first (Fixture *fixture, gconstpointer data)
{
  /* Shows that waiting for a task before anything of it was read ends, wherever it is done. */
  const Case *chosen = data;
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  Scene scene = { .load = chosen->load, .executor = executor };

  chosen->place->wait (&scene);
  read_later (&scene);
  workshop_record_free (scene.record);
}

/* Beside a loop */

static void
test_beside_a_loop (Fixture *fixture, gconstpointer data)
{
  /* Shows that a thread can wait while the main loop delivers what it waits for. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (DrayFuture) future
    = dray_executor_call (executor, "stream", g_variant_new ("(uu)", 1600, 62500));
  g_autoptr (GThread) thread = NULL;
  WorkshopRecord *record = workshop_watch (g_object_ref (future));

  thread = g_thread_new ("waits", workshop_wait_thread, future);
  workshop_iterate_until_told (record);
  g_thread_join (g_steal_pointer (&thread));
  workshop_assert_succeeded (record);
  g_assert_cmpuint (record->n_items, ==, 1600);
  workshop_record_free (record);
}

static void
test_many_wait (Fixture *fixture, gconstpointer data)
{
  /* Shows that many threads can wait for one task, and all of them are told. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (DrayFuture) future
    = dray_executor_call (executor, "bytes", g_variant_new ("(u)", 1000000));
  GThread *threads[8];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("waits", workshop_wait_thread, future);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_true (dray_future_is_done (future));
}

/* Joined first */

static void
join_three (DrayExecutor *executor, gboolean backwards)
{
  DrayFuture *futures[3];

  for (guint i = 0; i < 3; i++)
    futures[i] = dray_executor_call (executor, "bytes", g_variant_new ("(u)", 100000 + i));
  for (guint i = 0; i < 3; i++)
    g_assert_true (dray_future_wait (futures[backwards ? 2 - i : i], -1, NULL, NULL));

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GVariant) result = dray_future_dup_result (futures[i], NULL);

      workshop_assert_bytes (result, 100000 + i);
      g_object_unref (futures[i]);
    }
}

static void
test_joined_first (Fixture *fixture, gconstpointer data)
{
  /* Shows that three results, each larger than a pipe, can all be waited for before the first of
   * them is read, in either order, with a worker for each or one for all. */
  for (guint n_workers = 1; n_workers <= 3; n_workers += 2)
    {
      g_autoptr (DrayExecutor) executor = workshop_new (n_workers);

      join_three (executor, FALSE);
      join_three (executor, TRUE);
    }
}

/* Nested */

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  guint depth; /* how many callbacks are to be called, as far as is known */
  guint n_done;
} Nest;

static gboolean
is_all_done (gpointer user_data)
{
  Nest *nest = user_data;

  return nest->n_done == nest->depth;
}

static void
nest_cb (DrayFuture *future, gpointer user_data)
{
  Nest *nest = user_data;
  g_autoptr (DrayFuture) inner = NULL;

  nest->n_done++;
  if (nest->depth == 10)
    return;

  nest->depth++;
  inner = dray_executor_call (nest->executor, "bytes", g_variant_new ("(u)", 100000));
  dray_future_add_done_callback (inner, nest_cb, nest, NULL);
  g_assert_true (dray_future_wait (inner, -1, NULL, NULL));
  fixture_iterate_until (is_all_done, nest, "the inner callback was called");
}

static void
test_nested (Fixture *fixture, gconstpointer data)
{
  /* Shows that a callback can wait, and iterate the main context, and have a callback called in
   * there that does the same, and so on. */
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  Nest nest = { .executor = executor, .depth = 1 };

  nest_cb (NULL, &nest);
  g_assert_cmpuint (nest.n_done, ==, 10);
}

/* Limits */

static void
test_behind_unread_output (Fixture *fixture, gconstpointer data)
{
  /* Shows that a pending task can be waited for while the output of those before it lies unread
   * and fills every limit, so that their workers are made to wait; and that it is all there. */
  const guint n_workers = GPOINTER_TO_UINT (data);
  g_autoptr (DrayExecutor) executor = workshop_new (n_workers);
  g_autoptr (GPtrArray) records = workshop_new_records ();
  g_autoptr (GVariant) result = NULL;

  g_object_set (executor, "max-undelivered-bytes", LIMIT, "max-undelivered-items", 100, NULL);
  for (guint i = 0; i < 5; i++)
    g_ptr_array_add (records, workshop_watch (dray_executor_call (
                                executor, "stream", g_variant_new ("(uu)", 200, 20000 + i))));
  workshop_block_until_undelivered (executor, LIMIT);

  result = dray_future_wait_result (((WorkshopRecord *) records->pdata[4])->future, -1, NULL, NULL);
  g_assert_nonnull (result);
  g_assert_cmpuint (g_variant_get_uint32 (result), ==, 200);

  workshop_iterate_until_all_told (records);
  for (guint i = 0; i < records->len; i++)
    {
      WorkshopRecord *record = records->pdata[i];

      workshop_assert_succeeded (record);
      g_assert_cmpuint (record->n_items, ==, 200);
      g_assert_cmpuint (record->n_bytes, ==, 200 * (20000 + i));
    }
}

static void
test_command_behind_unread_output (Fixture *fixture, gconstpointer data)
{
  /* Shows that the same goes for commands. */
  const char *const argv[] = { "head", "-c", "4000000", "/dev/zero", NULL };
  g_autoptr (DrayExecutor) executor = dray_executor_new (NULL);
  g_autoptr (GPtrArray) records = workshop_new_records ();

  dray_executor_set_max_workers (executor, 1);
  g_object_set (executor, "max-undelivered-bytes", LIMIT, NULL);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (DrayTask) task = dray_task_new_command (argv);

      dray_task_set_split (task, DRAY_SPLIT_CHUNKS);
      g_ptr_array_add (records, workshop_watch (dray_executor_submit (executor, task, NULL)));
    }
  workshop_block_until_undelivered (executor, LIMIT);

  g_assert_true (dray_future_wait (((WorkshopRecord *) records->pdata[2])->future, -1, NULL, NULL));
  workshop_iterate_until_all_told (records);
  for (guint i = 0; i < records->len; i++)
    {
      WorkshopRecord *record = records->pdata[i];

      workshop_assert_succeeded (record);
      g_assert_cmpuint (record->n_bytes, ==, 4000000);
    }
}

static gboolean
has_progress (gpointer future)
{
  return dray_future_get_progress (future) >= 0;
}

static void
test_forgotten_output (Fixture *fixture, gconstpointer data)
{
  /* Shows that a task whose future was dropped goes on, and ends, while the output of another one
   * fills the limit. */
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  WorkshopRecord *record = workshop_watch (
    dray_executor_call (executor, "stream", g_variant_new ("(uu)", 100, 100000)));
  DrayFuture *forgotten;

  g_object_set (executor, "max-undelivered-bytes", LIMIT, NULL);
  workshop_block_until_undelivered (executor, LIMIT);
  forgotten = dray_executor_call (executor, "progress", g_variant_new ("(u)", 100000));
  workshop_block_until (has_progress, forgotten, "something of it was read");
  g_object_unref (forgotten);
  workshop_block_until (workshop_has_one_left, executor, "the forgotten task has ended");

  workshop_iterate_until_told (record);
  workshop_assert_succeeded (record);
  g_assert_cmpuint (record->n_items, ==, 100);
  workshop_record_free (record);
}

int
main (int argc, char **argv)
{
  guint n_cases = 0;

  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    for (guint j = 0; j < G_N_ELEMENTS (loads); j++)
      {
        g_autofree char *path = g_strdup_printf ("/deadlocks/wait-first/%s/%s", places[i].name,
                                                 loads[j].name);

        cases[n_cases] = (Case) { &places[i], &loads[j] };
        workshop_add (path, &cases[n_cases++], test_wait_first);
      }

  workshop_add ("/deadlocks/wait-beside-a-loop", NULL, test_beside_a_loop);
  workshop_add ("/deadlocks/many-wait", NULL, test_many_wait);
  workshop_add ("/deadlocks/joined-first", NULL, test_joined_first);
  workshop_add ("/deadlocks/nested", NULL, test_nested);
  workshop_add ("/deadlocks/behind-unread-output/one-worker", GUINT_TO_POINTER (1),
                test_behind_unread_output);
  workshop_add ("/deadlocks/behind-unread-output/two-workers", GUINT_TO_POINTER (2),
                test_behind_unread_output);
  workshop_add ("/deadlocks/behind-unread-output/command", NULL,
                test_command_behind_unread_output);
  workshop_add ("/deadlocks/forgotten-output", NULL, test_forgotten_output);

  return g_test_run ();
}
