/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

/*
 * Completion queues: that every future comes out once, when it is done, to whoever waits for the
 * next, in whatever way, and that a queue is as safe to wait for as a future.
 */

#define MIB (1024 * 1024)
#define MANY 100000

/* Takes @future. */
static void
add (DrayCompletionQueue *queue, DrayFuture *future)
{
  dray_completion_queue_add (queue, future);
  g_object_unref (future);
}

static DrayFuture *
wait_next (DrayCompletionQueue *queue)
{
  g_autoptr (GError) error = NULL;
  DrayFuture *future = dray_completion_queue_wait_next (queue, -1, NULL, &error);

  g_assert_no_error (error);
  if (future != NULL)
    g_assert_true (dray_future_is_done (future));
  return future;
}

typedef struct
{
  gboolean ready;
  DrayFuture *future; /* (owned) (nullable) */
  GError *error;      /* (owned) (nullable) */
} Next;

static void
next_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Next *next = user_data;

  next->future = dray_completion_queue_next_finish (DRAY_COMPLETION_QUEUE (object), result,
                                                    &next->error);
  next->ready = TRUE;
}

static DrayFuture *
run_until_next (DrayCompletionQueue *queue)
{
  Next next = { 0 };

  dray_completion_queue_next_async (queue, NULL, next_cb, &next);
  g_assert_false (next.ready);
  fixture_iterate_until_true (&next.ready, "the next one is done");
  g_assert_no_error (next.error);

  return next.future;
}

/* @future is the next one. */
static void
assert_next (DrayCompletionQueue *queue, DrayFuture *future)
{
  g_autoptr (DrayFuture) next = wait_next (queue);

  g_assert_true (next == future);
}

static void
test_order (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) third = NULL;
  g_autoptr (DrayFuture) next = NULL;

  g_test_summary (
    "Futures come out as they are done, whatever became of them, the same object that "
    "went in; then there are none, and more may be added.");

  rig_start (rig, 4);
  g_assert_null (wait_next (queue));
  g_assert_null (run_until_next (queue));

  first = rig_call (rig, "block", NULL);
  second = rig_call (rig, "exit", "(i)", 1);
  third = rig_call (rig, "block", NULL);
  dray_completion_queue_add (queue, first);
  dray_completion_queue_add (queue, second);
  dray_completion_queue_add (queue, third);
  g_assert_cmpuint (dray_completion_queue_get_length (queue), ==, 3);

  next = wait_next (queue);
  g_assert_true (next == second);
  g_clear_object (&next);
  dray_future_cancel (third);
  next = run_until_next (queue);
  g_assert_true (next == third);
  g_clear_object (&next);
  dray_future_cancel (first);
  g_assert_cmpuint (dray_completion_queue_get_length (queue), ==, 1);
  next = wait_next (queue);
  g_assert_true (next == first);
  g_clear_object (&next);
  g_assert_null (wait_next (queue));
  g_assert_null (run_until_next (queue));

  dray_completion_queue_add (queue, first);
  dray_completion_queue_add (queue, first);
  for (guint i = 0; i < 2; i++)
    {
      next = run_until_next (queue);
      g_assert_true (next == first);
      g_clear_object (&next);
    }
  g_assert_null (wait_next (queue));
}

static void
test_combined (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  g_autoptr (DrayFuture) part = NULL;
  g_autoptr (DrayFuture) next = NULL;
  g_autoptr (DrayTask) task = rig_new_task ("echo", NULL);

  g_test_summary ("Combined futures come out as well, and a wait lifts the pause of what they wait "
                  "for.");

  rig_start (rig, 1);
  dray_executor_set_paused (other, TRUE);
  part = dray_executor_call (other, "add", g_variant_new ("(ii)", 1, 1));
  add (queue, dray_future_and_then (part, rig->executor, task, DRAY_POSITION_WHOLE));
  add (queue, dray_future_all (&part, 1));
  next = wait_next (queue);
  g_clear_object (&next);
  next = wait_next (queue);
  g_assert_nonnull (next);
  g_assert_null (wait_next (queue));
}

static void
test_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  DrayFuture *next;
  guint n = 0;

  g_test_summary ("The main thread, with no main loop, takes results of 1 MiB one after the other, "
                  "beyond the limits of two executors.");

  rig_start (rig, 2);
  g_object_set (rig->executor, "max-undelivered-items", 1, NULL);
  g_object_set (other, "max-undelivered-items", 1, NULL);
  for (guint i = 0; i < 20; i++)
    {
      add (queue, rig_call (rig, "bytes", "(u)", MIB));
      add (queue, dray_executor_call (other, "bytes", g_variant_new ("(u)", MIB)));
    }
  while ((next = wait_next (queue)) != NULL)
    {
      g_autoptr (GVariant) result = dray_future_dup_result (next, NULL);

      workshop_assert_bytes (result, MIB);
      g_object_unref (next);
      n++;
    }
  g_assert_cmpuint (n, ==, 40);
}

typedef struct
{
  DrayCompletionQueue *queue; /* (unowned) */
  DrayExecutor *executor;     /* (unowned) */
  guint n_taken;
  gboolean over;
} Loop;

static void
loop_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Loop *loop = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (DrayFuture) future = dray_completion_queue_next_finish (loop->queue, result, &error);

  g_assert_no_error (error);
  if (future == NULL)
    {
      loop->over = TRUE;
      return;
    }

  /* A wait inside the callback takes one as well. */
  if (loop->n_taken++ % 5 == 0)
    {
      g_autoptr (DrayFuture) another = wait_next (loop->queue);

      loop->n_taken += another != NULL;
    }
  if (loop->n_taken < 50)
    add (loop->queue, dray_executor_call (loop->executor, "null", NULL));
  dray_completion_queue_next_async (loop->queue, NULL, loop_cb, loop);
}

static void
test_loop (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  Loop loop = { .queue = queue };

  g_test_summary ("A loop of callbacks takes what is done, waits inside them, and adds more, until "
                  "none is left.");

  rig_start (rig, 2);
  loop.executor = rig->executor;
  for (guint i = 0; i < 10; i++)
    add (queue, rig_call (rig, "null", NULL));
  dray_completion_queue_next_async (queue, NULL, loop_cb, &loop);
  fixture_iterate_until_true (&loop.over, "none is left");
  g_assert_cmpuint (loop.n_taken, >=, 50);
}

static void
test_many_waits (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  Next nexts[60] = { 0 };
  guint n_given = 0;

  g_test_summary ("Of more waits than futures, each future ends one, and those that are left are "
                  "told that there are none.");

  rig_start (rig, 2);
  for (guint i = 0; i < 50; i++)
    add (queue, rig_call (rig, "sleep", "(u)", 1));
  for (guint i = 0; i < G_N_ELEMENTS (nexts); i++)
    dray_completion_queue_next_async (queue, NULL, next_cb, &nexts[i]);
  for (guint i = 0; i < G_N_ELEMENTS (nexts); i++)
    {
      fixture_iterate_until_true (&nexts[i].ready, "the wait is over");
      g_assert_no_error (nexts[i].error);
      n_given += nexts[i].future != NULL;
      g_clear_object (&nexts[i].future);
    }
  g_assert_cmpuint (n_given, ==, 50);
}

static gpointer
cancel_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);

  return NULL;
}

static void
test_wait_ends (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  Next cancelled = { 0 };
  Next next = { 0 };
  GThread *thread;

  g_test_summary ("Timeouts and cancellables end waits, and touch neither the tasks nor others who "
                  "wait.");

  rig_start (rig, 1);
  add (queue, rig_call (rig, "block", NULL));
  g_assert_null (dray_completion_queue_wait_next (queue, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_null (dray_completion_queue_wait_next (queue, 1000, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);

  dray_completion_queue_next_async (queue, cancellable, next_cb, &cancelled);
  dray_completion_queue_next_async (queue, NULL, next_cb, &next);
  thread = g_thread_new ("cancels", cancel_thread, cancellable);
  g_assert_null (dray_completion_queue_wait_next (queue, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  fixture_iterate_until_true (&cancelled.ready, "the wait is cancelled");
  g_assert_null (cancelled.future);
  g_assert_error (cancelled.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&cancelled.error);
  g_assert_false (next.ready);

  cancelled.ready = FALSE;
  dray_completion_queue_next_async (queue, cancellable, next_cb, &cancelled);
  fixture_iterate_until_true (&cancelled.ready, "the wait is cancelled");
  g_assert_error (cancelled.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&cancelled.error);

  dray_executor_cancel_all (rig->executor);
  fixture_iterate_until_true (&next.ready, "the next one is done");
  g_assert_nonnull (next.future);
  g_clear_object (&next.future);
}

static void
test_cancel_race (Rig *rig, gconstpointer data)
{
  g_test_summary ("A future is not lost where it is done at the moment in which the wait for it is "
                  "cancelled: it comes out to the next who asks.");

  rig_start (rig, 2);
  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (DrayFuture) other = NULL;
      Next next = { 0 };
      GThread *thread;

      add (queue, rig_call (rig, "null", NULL));
      dray_completion_queue_next_async (queue, cancellable, next_cb, &next);
      if (i % 2)
        while (dray_completion_queue_get_length (queue) > 0)
          g_thread_yield ();
      thread = g_thread_new ("cancels", cancel_thread, cancellable);
      fixture_iterate_until_true (&next.ready, "the wait is over");
      g_thread_join (thread);

      other = wait_next (queue);
      g_assert_true ((next.future != NULL) != (other != NULL));
      g_assert_true ((next.future != NULL) == (next.error == NULL));
      g_clear_object (&next.future);
      g_clear_error (&next.error);
    }
}

static void
test_given_back (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Next cancelled = { 0 };
  Next nexts[2] = { { 0 } };

  g_test_summary ("The last future, for which a wait was found that is cancelled before it is told "
                  "so, comes out to the next one, which is not told that none is left.");

  rig_start (rig, 1);
  add (queue, rig_call (rig, "null", NULL));
  dray_completion_queue_next_async (queue, cancellable, next_cb, &cancelled);
  for (guint i = 0; i < G_N_ELEMENTS (nexts); i++)
    dray_completion_queue_next_async (queue, NULL, next_cb, &nexts[i]);
  while (dray_completion_queue_get_length (queue) > 0)
    g_thread_yield ();
  g_cancellable_cancel (cancellable);

  fixture_iterate_until_true (&cancelled.ready, "the first wait is over");
  g_assert_error (cancelled.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&cancelled.error);
  for (guint i = 0; i < G_N_ELEMENTS (nexts); i++)
    {
      fixture_iterate_until_true (&nexts[i].ready, "the wait is over");
      g_assert_no_error (nexts[i].error);
    }
  g_assert_nonnull (nexts[0].future);
  g_assert_null (nexts[1].future);
  g_assert_cmpuint (dray_completion_queue_get_length (queue), ==, 0);
  g_object_unref (nexts[0].future);
}

typedef struct
{
  DrayCompletionQueue *queue; /* (unowned) */
  guint n_taken;
} Taker;

static gpointer
take_thread (gpointer data)
{
  Taker *taker = data;
  DrayFuture *future;

  while ((future = wait_next (taker->queue)) != NULL)
    {
      g_object_unref (future);
      taker->n_taken++;
    }

  return NULL;
}

static void
test_threads (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  Taker takers[3] = { { 0 } };
  GThread *threads[3];
  guint n_taken = 0;

  g_test_summary ("Several threads take from one queue, and each future comes out once.");

  rig_start (rig, 2);
  for (guint i = 0; i < 2000; i++)
    add (queue, rig_call (rig, "null", NULL));
  for (guint i = 0; i < G_N_ELEMENTS (takers); i++)
    {
      takers[i].queue = queue;
      threads[i] = g_thread_new ("takes", take_thread, &takers[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (takers); i++)
    {
      g_thread_join (threads[i]);
      n_taken += takers[i].n_taken;
    }
  g_assert_cmpuint (n_taken, ==, 2000);
}

static void
test_shutdown (Rig *rig, gconstpointer data)
{
  DrayShutdownMode mode = GPOINTER_TO_UINT (data);
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  Next next = { 0 };
  guint n = 0;

  g_test_summary ("However an executor is shut down, all of its futures come out.");

  rig_start (rig, 1);
  for (guint i = 0; i < 10; i++)
    add (queue, rig_call (rig, "sleep", "(u)", 5));
  dray_completion_queue_next_async (queue, NULL, next_cb, &next);
  rig_shut_down (rig, mode);
  fixture_iterate_until_true (&next.ready, "the first is done");
  while (next.future != NULL)
    {
      n++;
      g_object_unref (next.future);
      next.future = run_until_next (queue);
    }
  g_assert_cmpuint (n, ==, 10);
}

static void
test_dropped (Rig *rig, gconstpointer data)
{
  g_autofree char *path = NULL;

  g_test_summary ("A queue that is dropped lets go of what is done and of what is not, and cancels "
                  "nothing; also while futures are just being done.");

  rig->drops_futures = TRUE;
  rig_start (rig, 2);
  path = rig_dup_path (rig, "done");
  for (guint i = 0; i < 200; i++)
    {
      g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();

      for (guint j = 0; j < 5; j++)
        add (queue, rig_call (rig, "null", NULL));
      if (i == 199)
        add (queue, rig_call (rig, "touch", "(s)", path));
      for (guint j = 0; j < i % 4; j++)
        g_object_unref (wait_next (queue));
    }
  rig_run_until_file (path);
}

static void
test_many (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  DrayFuture *next;
  guint n = 0;

  g_test_summary ("A hundred thousand futures come out one by one, blocking each time.");

  rig->drops_futures = TRUE;
  rig_start (rig, 2);
  for (guint i = 0; i < MANY; i++)
    add (queue, rig_call (rig, "null", NULL));
  while ((next = wait_next (queue)) != NULL)
    {
      g_object_unref (next);
      n++;
    }
  g_assert_cmpuint (n, ==, MANY);
}

static void
test_submit (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayTask) adds = dray_task_new_call ("add", g_variant_new ("(ii)", 2, 3));
  g_autoptr (DrayTask) blocks = rig_new_task ("block", NULL);
  g_autoptr (DrayFuture) sum = NULL;
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayFuture) refused = NULL;

  g_test_summary ("What is submitted to a queue comes out of it, whether it was run, cancelled by "
                  "its cancellable, or refused.");

  rig_start (rig, 2);
  blocked = dray_completion_queue_submit (queue, rig->executor, blocks, cancellable);
  sum = dray_completion_queue_submit (queue, rig->executor, adds, NULL);
  assert_next (queue, sum);
  g_assert_cmpint (dray_future_get_state (sum), ==, DRAY_FUTURE_SUCCEEDED);

  g_cancellable_cancel (cancellable);
  assert_next (queue, blocked);
  g_assert_cmpint (dray_future_get_state (blocked), ==, DRAY_FUTURE_CANCELLED);

  g_assert_true (dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  refused = dray_completion_queue_submit (queue, rig->executor, adds, NULL);
  assert_next (queue, refused);
  g_assert_cmpint (dray_future_get_state (refused), ==, DRAY_FUTURE_FAILED);
  g_assert_null (wait_next (queue));
}

/* Waits for the next ones, blocking or not. */
typedef GPtrArray *(*WaitManyFunc) (DrayCompletionQueue *queue, guint max);

static GPtrArray *
wait_many (DrayCompletionQueue *queue, guint max)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *futures = dray_completion_queue_wait_next_many (queue, max, -1, NULL, &error);

  g_assert_no_error (error);
  return futures;
}

typedef struct
{
  gboolean ready;
  GPtrArray *futures; /* (owned) (nullable) */
  GError *error;      /* (owned) (nullable) */
} NextMany;

static void
next_many_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  NextMany *next = user_data;

  next->futures = dray_completion_queue_next_many_finish (DRAY_COMPLETION_QUEUE (object), result,
                                                          &next->error);
  next->ready = TRUE;
}

static GPtrArray *
run_until_many (DrayCompletionQueue *queue, guint max)
{
  NextMany next = { 0 };

  dray_completion_queue_next_many_async (queue, max, NULL, next_many_cb, &next);
  g_assert_false (next.ready);
  fixture_iterate_until_true (&next.ready, "the next ones are done");
  g_assert_no_error (next.error);

  return next.futures;
}

static const WaitManyFunc waits_many[] = { wait_many, run_until_many };

static void
test_many_at_a_time (Rig *rig, gconstpointer data)
{
  WaitManyFunc wait = waits_many[GPOINTER_TO_UINT (data)];
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  DrayFuture *futures[10]; /* (owned) */
  g_autoptr (GPtrArray) first = NULL;
  g_autoptr (GPtrArray) rest = NULL;
  g_autoptr (GPtrArray) last = NULL;

  g_test_summary ("Those that are done come out together, in the order in which they were done and "
                  "no more than were asked for; what is not done is not waited for; and at the end "
                  "there are none.");

  rig_start (rig, 1);
  g_assert_null (wait (queue, 0));
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      futures[i] = rig_call (rig, i < 9 ? "null" : "block", NULL);
      dray_completion_queue_add (queue, futures[i]);
    }
  g_assert_true (dray_future_wait (futures[8], -1, NULL, NULL));

  /* All but the last one are there: the worker has run them in order. */
  first = wait (queue, 4);
  g_assert_cmpuint (first->len, ==, 4);
  rest = wait (queue, 0);
  while (rest->len < 5) /* the queue may hear of the last one a moment after us */
    {
      g_autoptr (GPtrArray) more = wait (queue, 0);

      g_ptr_array_extend_and_steal (rest, g_steal_pointer (&more));
    }
  g_assert_cmpuint (rest->len, ==, 5);
  for (guint i = 0; i < 9; i++)
    g_assert_true (futures[i] == (i < 4 ? first->pdata[i] : rest->pdata[i - 4]));

  dray_future_cancel (futures[9]);
  last = wait (queue, 4);
  g_assert_cmpuint (last->len, ==, 1);
  g_assert_true (last->pdata[0] == futures[9]);
  g_assert_null (wait (queue, 4));

  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    g_object_unref (futures[i]);
}

static void
test_all_at_a_time (Rig *rig, gconstpointer data)
{
  WaitManyFunc wait = waits_many[GPOINTER_TO_UINT (data)];
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  g_autoptr (GHashTable) seen = g_hash_table_new_full (NULL, NULL, g_object_unref, NULL);
  GPtrArray *futures;

  g_test_summary ("Who takes all that are done while others are being done gets each once.");

  rig_start (rig, 2);
  for (guint i = 0; i < MANY / 10; i++)
    add (queue, rig_call (rig, "null", NULL));
  while ((futures = wait (queue, 0)) != NULL)
    {
      g_assert_cmpuint (futures->len, >, 0);
      for (guint i = 0; i < futures->len; i++)
        {
          g_assert_true (dray_future_is_done (futures->pdata[i]));
          g_assert_true (g_hash_table_add (seen, g_object_ref (futures->pdata[i])));
        }
      g_ptr_array_unref (futures);
    }
  g_assert_cmpuint (g_hash_table_size (seen), ==, MANY / 10);
}

static void
test_many_ends (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  NextMany cancelled = { 0 };
  GThread *thread;

  g_test_summary ("A wait for many ends with an error if it was too long, or cancelled, and takes "
                  "nothing along.");

  rig_start (rig, 1);
  add (queue, rig_call (rig, "block", NULL));
  g_assert_null (dray_completion_queue_wait_next_many (queue, 0, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);

  dray_completion_queue_next_many_async (queue, 0, cancellable, next_many_cb, &cancelled);
  thread = g_thread_new ("cancels", cancel_thread, cancellable);
  g_assert_null (dray_completion_queue_wait_next_many (queue, 0, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  fixture_iterate_until_true (&cancelled.ready, "the wait is cancelled");
  g_assert_null (cancelled.futures);
  g_assert_error (cancelled.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&cancelled.error);

  g_assert_cmpuint (dray_completion_queue_get_length (queue), ==, 1);
}

static void
test_many_cancel_race (Rig *rig, gconstpointer data)
{
  g_test_summary ("No future is lost where some are done at the moment in which a wait for many is "
                  "cancelled: they come out to the next who asks.");

  rig_start (rig, 2);
  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      NextMany next = { 0 };
      DrayFuture *other;
      guint n = 0;
      GThread *thread;

      for (guint j = 0; j < 3; j++)
        add (queue, rig_call (rig, "null", NULL));
      dray_completion_queue_next_many_async (queue, 2, cancellable, next_many_cb, &next);
      if (i % 2)
        while (dray_completion_queue_get_length (queue) > 2)
          g_thread_yield ();
      thread = g_thread_new ("cancels", cancel_thread, cancellable);
      fixture_iterate_until_true (&next.ready, "the wait is over");
      g_thread_join (thread);

      while ((other = wait_next (queue)) != NULL)
        {
          g_object_unref (other);
          n++;
        }
      g_assert_true ((next.futures != NULL) == (next.error == NULL));
      g_assert_cmpuint (n + (next.futures != NULL ? next.futures->len : 0), ==, 3);
      g_clear_pointer (&next.futures, g_ptr_array_unref);
      g_clear_error (&next.error);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/completion-queue/order", NULL, test_order);
  rig_add ("/completion-queue/submit", NULL, test_submit);
  rig_add ("/completion-queue/combined", NULL, test_combined);
  rig_add ("/completion-queue/wait", NULL, test_wait);
  rig_add ("/completion-queue/wait/ends", NULL, test_wait_ends);
  rig_add ("/completion-queue/loop", NULL, test_loop);
  rig_add ("/completion-queue/many-waits", NULL, test_many_waits);
  rig_add ("/completion-queue/cancel-race", NULL, test_cancel_race);
  rig_add ("/completion-queue/given-back", NULL, test_given_back);
  rig_add ("/completion-queue/threads", NULL, test_threads);
  rig_add_modes ("/completion-queue/shutdown", test_shutdown);
  rig_add ("/completion-queue/dropped", NULL, test_dropped);
  rig_add ("/completion-queue/many", NULL, test_many);
  for (guint i = 0; i < G_N_ELEMENTS (waits_many); i++)
    {
      const char *how = i == 0 ? "wait" : "async";
      g_autofree char *some = g_strdup_printf ("/completion-queue/many-at-a-time/%s", how);
      g_autofree char *all = g_strdup_printf ("/completion-queue/all-at-a-time/%s", how);

      rig_add (some, GUINT_TO_POINTER (i), test_many_at_a_time);
      rig_add (all, GUINT_TO_POINTER (i), test_all_at_a_time);
    }
  rig_add ("/completion-queue/many-at-a-time/ends", NULL, test_many_ends);
  rig_add ("/completion-queue/many-at-a-time/cancel-race", NULL, test_many_cancel_race);

  return g_test_run ();
}
