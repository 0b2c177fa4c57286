/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

/*
 * Many threads: that use one executor, that make executors of their own, that drop and cancel what
 * others wait for.
 */

#define N_THREADS 8
#define N_ROUNDS 60

/* One executor, eight threads */

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  GRand *random;          /* (owned) */
  GMainContext *context;  /* (owned): the thread's own */
  GThread *thread;
  guint n_expected; /* done callbacks */
  guint n_called;
} User;

static void
user_done_cb (DrayFuture *future, gpointer user_data)
{
  User *user = user_data;

  g_assert_true (g_thread_self () == user->thread);
  g_assert_true (dray_future_is_done (future));
  user->n_called++;
}

static void
user_wait (User *user)
{
  g_autoptr (GVariant) arguments
    = g_variant_ref_sink (g_variant_new ("(ii)", g_rand_int_range (user->random, 0, 1000), 7));
  g_autoptr (DrayFuture) future = dray_executor_call (user->executor, "add", arguments);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);
  gint32 a, b;

  g_variant_get (arguments, "(ii)", &a, &b);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (result), ==, a + b);
}

static void
user_listen (User *user)
{
  g_autoptr (DrayFuture) future = dray_executor_call (
    user->executor, "stream", g_variant_new ("(uu)", g_rand_int_range (user->random, 1, 20), 1000));

  user->n_expected++;
  dray_future_add_done_callback (future, user_done_cb, user, NULL);
}

static gboolean
has_begun (gpointer future)
{
  return dray_future_get_state (future) != DRAY_FUTURE_PENDING;
}

static void
user_cancel (User *user)
{
  g_autoptr (DrayFuture) future = dray_executor_call (user->executor, "block", NULL);

  user->n_expected++;
  dray_future_add_done_callback (future, user_done_cb, user, NULL);
  /* Who looks on without listening would wait for ever, if what he does not listen to is all that
   * the workers may send before. */
  if (g_rand_boolean (user->random))
    fixture_iterate_until (has_begun, future, "the task runs");
  dray_future_cancel (future);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_CANCELLED);
}

static void
user_forget (User *user)
{
  g_object_unref (dray_executor_call (user->executor, "bytes", g_variant_new ("(u)", 10000)));
}

static void
user_look (User *user)
{
  dray_counters_free (dray_executor_dup_counters (user->executor));
  while (g_main_context_iteration (user->context, FALSE))
    ;
}

static gboolean
user_heard_all (gpointer data)
{
  User *user = data;

  return user->n_called == user->n_expected;
}

static gpointer
user_thread (gpointer data)
{
  void (*const actions[]) (User *user)
    = { user_wait, user_wait, user_listen, user_listen, user_cancel, user_forget, user_look };
  User *user = data;

  user->thread = g_thread_self ();
  g_main_context_push_thread_default (user->context);
  for (guint i = 0; i < N_ROUNDS; i++)
    actions[g_rand_int_range (user->random, 0, G_N_ELEMENTS (actions))] (user);
  fixture_iterate_until (user_heard_all, user, "every end was told");
  g_main_context_pop_thread_default (user->context);

  return NULL;
}

static void
test_eight_threads (Fixture *fixture, gconstpointer data)
{
  /* Shows that eight threads can submit to one executor, wait, listen and cancel, and each hears of
   * its own tasks, in its own main context. */
  g_autoptr (DrayExecutor) executor = workshop_new (3);
  g_autoptr (DrayCounters) counters = NULL;
  User users[N_THREADS];
  GThread *threads[N_THREADS];

  g_object_set (executor, "max-undelivered-bytes", (guint64) 100000, NULL);
  for (guint i = 0; i < N_THREADS; i++)
    {
      users[i] = (User) {
        .executor = executor,
        .random = g_rand_new_with_seed (g_test_rand_int ()),
        .context = g_main_context_new (),
      };
      threads[i] = g_thread_new ("user", user_thread, &users[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    {
      g_thread_join (threads[i]);
      g_rand_free (users[i].random);
      g_main_context_unref (users[i].context);
    }

  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  counters = dray_executor_dup_counters (executor);
  g_assert_cmpuint (counters->failed, ==, 0);
  g_assert_cmpuint (counters->submitted, ==, counters->succeeded + counters->cancelled);
}

/* Executors of their own */

static gpointer
own_executor_thread (gpointer data)
{
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (DrayExecutor) executor = workshop_new (1);
      g_autoptr (DrayFuture) future = dray_executor_call (executor, "null", NULL);

      if (i % 2 == 0)
        g_assert_true (dray_future_wait (future, -1, NULL, NULL));
      if (i % 4 == 1)
        g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_KILL, NULL, NULL));
    }

  return NULL;
}

static void
test_own_executors (Fixture *fixture, gconstpointer data)
{
  /* Shows that threads can make and drop executors of their own at the same time, while the I/O
   * thread that they share comes and goes. */
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("owner", own_executor_thread, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

/* Dropping and cancelling */

static gpointer
unref_thread (gpointer queue)
{
  gpointer future;

  while ((future = g_async_queue_pop (queue)) != queue)
    g_object_unref (future);

  return NULL;
}

static gpointer
cancel_and_unref_thread (gpointer queue)
{
  gpointer future;

  while ((future = g_async_queue_pop (queue)) != queue)
    {
      dray_future_cancel (future);
      g_object_unref (future);
    }

  return NULL;
}

static gboolean
nothing_left (gpointer executor)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (executor);

  return counters->queue_length + counters->running == 0 && counters->undelivered_items == 0;
}

static void
nothing_item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
}

static void
test_last_unref (Fixture *fixture, gconstpointer data)
{
  /* Shows that the last reference of a future can be dropped on another thread, after a
   * cancellation or not, while its items are being delivered. */
  const GThreadFunc function = data != NULL ? cancel_and_unref_thread : unref_thread;
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  g_autoptr (GAsyncQueue) queue = g_async_queue_new ();
  GThread *threads[2];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("drops", function, queue);
  for (guint i = 0; i < 500; i++)
    {
      DrayFuture *future
        = dray_executor_call (executor, "stream", g_variant_new ("(uu)", i % 50, 100));

      g_signal_connect (future, "item", G_CALLBACK (nothing_item_cb), NULL);
      if (i % 3 == 0)
        g_main_context_iteration (NULL, FALSE);
      g_async_queue_push (queue, future);
    }
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_async_queue_push (queue, queue);

  fixture_iterate_until (nothing_left, executor, "nothing is left");
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static gpointer
cancel_thread (gpointer future)
{
  dray_future_cancel (future);

  return NULL;
}

static void
test_cancel_race (Fixture *fixture, gconstpointer data)
{
  /* Shows that a task which several threads cancel while it comes to its end has one end. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);

  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (DrayTask) task = dray_task_new_call ("null", NULL);
      GThread *threads[3];
      WorkshopRecord *record;

      dray_task_set_cancel_mode (task, i % 2);
      record = workshop_watch (dray_executor_submit (executor, task, NULL));
      for (guint j = 0; j < G_N_ELEMENTS (threads); j++)
        threads[j] = g_thread_new ("cancels", cancel_thread, record->future);
      workshop_iterate_until_told (record);
      for (guint j = 0; j < G_N_ELEMENTS (threads); j++)
        g_thread_join (threads[j]);

      if (dray_future_get_state (record->future) == DRAY_FUTURE_CANCELLED)
        workshop_assert_cancelled (record);
      else
        workshop_assert_succeeded (record);
      workshop_record_free (record);
    }
}

/* Two executors */

static guint
count_io_threads (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const char *tid;
  guint n = 0;

  while ((tid = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", tid, "comm", NULL);
      g_autofree char *name = NULL;

      if (g_file_get_contents (path, &name, NULL, NULL))
        n += g_str_equal (g_strchomp (name), "dray-io");
    }

  return n;
}

typedef struct
{
  DrayExecutor *executors[2]; /* (unowned) */
  guint n_done;
} Pair;

static void
pair_done_cb (DrayFuture *future, gpointer user_data)
{
  Pair *pair = user_data;
  g_autoptr (DrayFuture) next = NULL;

  if (++pair->n_done >= 100)
    return;

  next = dray_executor_call (pair->executors[pair->n_done % 2], "bytes",
                             g_variant_new ("(u)", 100000));
  dray_future_add_done_callback (next, pair_done_cb, pair, NULL);
  if (pair->n_done % 3 == 0)
    g_assert_true (dray_future_wait (next, -1, NULL, NULL));
}

static gboolean
pair_is_done (gpointer user_data)
{
  Pair *pair = user_data;

  return pair->n_done == 100;
}

static void
test_two_executors (Fixture *fixture, gconstpointer data)
{
  /* Shows that two executors in one program share the I/O thread, that a callback of one can use
   * the other, and that the end of one is nothing to the other. */
  g_autoptr (DrayExecutor) first = workshop_new (1);
  g_autoptr (DrayExecutor) second = workshop_new (1);
  Pair pair = { .executors = { first, second } };

  pair_done_cb (NULL, &pair);
  fixture_iterate_until (pair_is_done, &pair, "all tasks are done");
  g_assert_cmpuint (count_io_threads (), ==, 1);

  g_assert_true (dray_executor_shutdown_sync (first, DRAY_SHUTDOWN_KILL, NULL, NULL));
  pair.executors[0] = second;
  pair.n_done = 0;
  pair_done_cb (NULL, &pair);
  fixture_iterate_until (pair_is_done, &pair, "all tasks are done");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* A class is made by whichever thread is the first to need it, in an order that is GObject's own,
   * and which ThreadSanitizer can't see. */
  g_type_class_unref (g_type_class_ref (DRAY_TYPE_FUTURE));

  workshop_add ("/threads/eight", NULL, test_eight_threads);
  workshop_add ("/threads/own-executors", NULL, test_own_executors);
  workshop_add ("/threads/last-unref", NULL, test_last_unref);
  workshop_add ("/threads/last-unref-after-cancel", GINT_TO_POINTER (TRUE), test_last_unref);
  workshop_add ("/threads/cancel-race", NULL, test_cancel_race);
  workshop_add ("/threads/two-executors", NULL, test_two_executors);

  return g_test_run ();
}
