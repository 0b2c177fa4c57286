/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

#include <signal.h>

/*
 * Waits that end early, waits for what goes wrong, and what else has to go on inside callbacks.
 */

/* Ending the wait */

static void
assert_wait_fails (DrayFuture *future, gint64 timeout, GCancellable *cancellable, int code)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (dray_future_wait (future, timeout, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, code);
  g_assert_false (dray_future_is_done (future));
  g_assert_false (dray_future_wait (future, timeout, cancellable, NULL));
}

static void
test_timeout (Fixture *fixture, gconstpointer data)
{
  /* Shows that a wait ends when its time is over, that the task goes on, and that it can be waited
   * for again. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (DrayFuture) blocked = dray_executor_call (executor, "block", NULL);
  g_autoptr (DrayFuture) pending = dray_executor_call (executor, "null", NULL);
  g_autoptr (GError) error = NULL;

  assert_wait_fails (blocked, 0, NULL, G_IO_ERROR_TIMED_OUT);
  assert_wait_fails (blocked, 1000, NULL, G_IO_ERROR_TIMED_OUT);
  assert_wait_fails (pending, 1000, NULL, G_IO_ERROR_TIMED_OUT);
  g_assert_null (dray_future_wait_result (pending, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);

  dray_future_cancel (blocked);
  g_assert_true (dray_future_wait (blocked, 0, NULL, NULL));
  g_assert_true (dray_future_wait (pending, G_MAXINT64, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (blocked), ==, DRAY_FUTURE_CANCELLED);
  g_assert_cmpint (dray_future_get_state (pending), ==, DRAY_FUTURE_SUCCEEDED);
}

static gpointer
cancel_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);

  return NULL;
}

static void
test_cancellable (Fixture *fixture, gconstpointer data)
{
  /* Shows that a wait ends when its cancellable is cancelled, before it or by another thread
   * meanwhile, and that the task goes on. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "block", NULL);

  workshop_block_until_status (future, "blocked");
  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      GThread *thread = g_thread_new ("cancels", cancel_thread, cancellable);

      assert_wait_fails (future, -1, cancellable, G_IO_ERROR_CANCELLED);
      g_thread_join (thread);
      assert_wait_fails (future, -1, cancellable, G_IO_ERROR_CANCELLED);
      assert_wait_fails (future, 0, cancellable, G_IO_ERROR_CANCELLED);
    }

  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);
}

static void
test_cancelled_but_done (Fixture *fixture, gconstpointer data)
{
  /* Shows that a wait for a task that is done succeeds, whatever the cancellable says. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "null", NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (dray_future_wait (future, -1, cancellable, NULL));
  g_cancellable_cancel (cancellable);
  g_assert_true (dray_future_wait (future, -1, cancellable, &error));
  g_assert_true (dray_future_wait (future, 0, cancellable, &error));
  g_assert_no_error (error);
}

static void
test_waited_task_is_cancelled (Fixture *fixture, gconstpointer data)
{
  /* Shows that a wait ends when its task is cancelled through the cancellable it was submitted
   * with, by another thread, at once or when the worker has confirmed it. */
  for (guint mode = DRAY_CANCEL_IMMEDIATE; mode <= DRAY_CANCEL_CONFIRMED; mode++)
    {
      g_autoptr (DrayExecutor) executor = workshop_new (1);
      g_autoptr (DrayTask) task = dray_task_new_call ("block", NULL);
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (DrayFuture) future = NULL;
      GThread *thread;

      dray_task_set_cancel_mode (task, mode);
      future = dray_executor_submit (executor, task, cancellable);
      workshop_block_until_status (future, "blocked");
      thread = g_thread_new ("cancels", cancel_thread, cancellable);
      g_assert_true (dray_future_wait (future, -1, NULL, NULL));
      g_thread_join (thread);
      g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_CANCELLED);
    }
}

/* Waiting for what goes wrong */

typedef struct
{
  const char *name;
  const char *function;
  const char *arguments;
  DrayError code;
} Death;

static const Death deaths[] = {
  { "exit", "exit", "(3,)", DRAY_ERROR_WORKER_DIED },
  { "signal", "raise", "(9,)", DRAY_ERROR_WORKER_DIED },
  { "garbage", "garbage", "()", DRAY_ERROR_PROTOCOL },
  { "half-a-frame", "half-frame", "()", DRAY_ERROR_WORKER_DIED },
  { "oversized", "oversized", "()", DRAY_ERROR_PROTOCOL },
  { "wrong-id", "wrong-id", "()", DRAY_ERROR_PROTOCOL },
  { "unknown", "no such function", "()", DRAY_ERROR_UNKNOWN_FUNCTION },
};

static void
test_death (Fixture *fixture, gconstpointer data)
{
  /* Shows that the wait for a task whose worker comes to an end is over with it, also where the
   * task is tried again, and that those behind it are not touched. */
  const Death *death = data;
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  GVariant *arguments = g_variant_new_parsed (death->arguments);
  g_autoptr (DrayTask) task = dray_task_new_call (death->function, arguments);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) behind = NULL;
  g_autoptr (GError) error = NULL;

  dray_task_set_max_retries (task, 2);
  future = dray_executor_submit (executor, task, NULL);
  behind = dray_executor_call (executor, "null", NULL);

  g_assert_null (dray_future_wait_result (future, -1, NULL, &error));
  g_assert_error (error, DRAY_ERROR, (int) death->code);
  g_assert_true (dray_future_wait (behind, -1, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (behind), ==, DRAY_FUTURE_SUCCEEDED);
}

static void
test_no_worker (Fixture *fixture, gconstpointer data)
{
  /* Shows that the wait for a task that no worker can be started for ends with the reason. */
  const char *const argv[] = { "/no/such/program", NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  g_autoptr (DrayExecutor) executor = dray_executor_new (launcher);
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "null", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (dray_future_wait_result (future, -1, NULL, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH);
}

static void
test_executor_is_dropped (Fixture *fixture, gconstpointer data)
{
  /* Shows that waits on other threads, for a running and a pending task, end when the executor is
   * dropped. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (DrayFuture) running = dray_executor_call (executor, "ignore-cancel", NULL);
  g_autoptr (DrayFuture) pending = dray_executor_call (executor, "null", NULL);
  DrayFuture *futures[] = { running, pending };
  GThread *threads[2];

  g_object_set (executor, "grace-period", 10, NULL);
  workshop_block_until_status (running, "deaf");
  for (guint i = 0; i < 2; i++)
    threads[i] = g_thread_new ("waits", workshop_wait_thread, futures[i]);
  g_clear_object (&executor);

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;

      g_thread_join (threads[i]);
      g_assert_null (dray_future_dup_result (futures[i], &error));
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
    }
}

/* Paused */

static void
test_paused (Fixture *fixture, gconstpointer data)
{
  /* Shows that a wait for a pending task ends although the executor is paused, also where it is
   * paused while somebody waits, and that it is paused afterwards. */
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  g_autoptr (DrayFuture) before = NULL;
  g_autoptr (DrayFuture) waited = NULL;
  g_autoptr (DrayFuture) after = NULL;
  GThread *thread;

  dray_executor_set_paused (executor, TRUE);
  before = dray_executor_call (executor, "sleep", g_variant_new ("(u)", 1));
  waited = dray_executor_call (executor, "null", NULL);
  thread = g_thread_new ("waits", workshop_wait_thread, waited);
  dray_executor_set_paused (executor, FALSE);
  dray_executor_set_paused (executor, TRUE);
  g_assert_true (dray_future_wait (waited, -1, NULL, NULL));
  g_thread_join (thread);
  g_assert_true (dray_future_wait (before, -1, NULL, NULL));

  after = dray_executor_call (executor, "null", NULL);
  assert_wait_fails (after, 0, NULL, G_IO_ERROR_TIMED_OUT);
  g_assert_true (dray_executor_get_paused (executor));
  g_assert_true (dray_future_wait (after, -1, NULL, NULL));
}

/* Submitting inside callbacks */

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  guint n_left;           /* to be submitted */
  guint n_open;
} Chain;

static void chain_submit (Chain *chain);

static void
chain_done_cb (DrayFuture *future, gpointer user_data)
{
  Chain *chain = user_data;

  chain->n_open--;
  chain_submit (chain);
}

static void
chain_item_cb (DrayFuture *future, GVariant *value, Chain *chain)
{
  chain_submit (chain);
}

static void
chain_progress_cb (DrayFuture *future, double fraction, const char *status, Chain *chain)
{
  chain_submit (chain);
}

static void
chain_destroyed (gpointer data)
{
  chain_submit (data);
}

static void
chain_submit (Chain *chain)
{
  static const char *const functions[] = { "stream", "progress", "bytes" };
  static const char *const arguments[] = { "(uint32 2, uint32 5)", "(uint32 2,)", "(uint32 9,)" };
  g_autoptr (DrayFuture) future = NULL;

  if (chain->n_left == 0)
    return;

  chain->n_left--;
  chain->n_open++;
  future = dray_executor_call (chain->executor, functions[chain->n_left % 3],
                               g_variant_new_parsed (arguments[chain->n_left % 3]));
  g_signal_connect (future, "item", G_CALLBACK (chain_item_cb), chain);
  g_signal_connect (future, "progressed", G_CALLBACK (chain_progress_cb), chain);
  dray_future_add_done_callback (future, chain_done_cb, chain, chain_destroyed);
}

static gboolean
chain_is_over (gpointer user_data)
{
  Chain *chain = user_data;

  return chain->n_left == 0 && chain->n_open == 0;
}

static void
test_submit_in_callbacks (Fixture *fixture, gconstpointer data)
{
  /* Shows that tasks can be submitted from inside every callback of the same executor. */
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  Chain chain = { .executor = executor, .n_left = 2000 };

  chain_submit (&chain);
  fixture_iterate_until (chain_is_over, &chain, "every task of the chain is done");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  workshop_add ("/waiting/timeout", NULL, test_timeout);
  workshop_add ("/waiting/cancellable", NULL, test_cancellable);
  workshop_add ("/waiting/cancelled-but-done", NULL, test_cancelled_but_done);
  workshop_add ("/waiting/waited-task-is-cancelled", NULL, test_waited_task_is_cancelled);
  for (guint i = 0; i < G_N_ELEMENTS (deaths); i++)
    {
      g_autofree char *path = g_strdup_printf ("/waiting/death/%s", deaths[i].name);

      workshop_add (path, &deaths[i], test_death);
    }
  workshop_add ("/waiting/no-worker", NULL, test_no_worker);
  workshop_add ("/waiting/executor-is-dropped", NULL, test_executor_is_dropped);
  workshop_add ("/waiting/paused", NULL, test_paused);
  workshop_add ("/waiting/submit-in-callbacks", NULL, test_submit_in_callbacks);

  return g_test_run ();
}
