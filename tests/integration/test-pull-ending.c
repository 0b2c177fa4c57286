/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "puller.h"

#include <signal.h>
#include <stdlib.h>

/* How a task may end while its items are pulled: what was sent before is always there. */

/* That numbers up to @n are there, however the task ended, and then its error. */
static void
expect_numbers_and_error (DrayFuture *future, guint32 n, GQuark domain, int code)
{
  g_auto (Puller) self = { .max_items = 100 };

  for (int i = 0; i < 2; i++)
    {
      puller_pull_all (future, &self);
      g_assert_error (self.error, domain, code);
      g_clear_error (&self.error);
      g_assert_cmpuint (self.n_items, ==, n);
    }
}

static void
test_crash (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  g_test_summary ("A worker dies: what it sent before is there, then comes the error, as often as "
                  "one asks.");

  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  future = puller_submit (rig, "numbers", "(uint32 40, true)");
  rig_run_until_status (future, "40");
  kill (pid, SIGKILL);
  expect_numbers_and_error (future, 40, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
}

static void
test_time_limit (Rig *rig, gconstpointer data)
{
  DrayTask *task = rig_new_task ("numbers", "(uint32 40, true)");
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("The time of a task is over: what it sent before is there.");

  rig_start (rig, 1);
  rig_ask_pid (rig);
  dray_task_set_pull (task, TRUE);
  dray_task_set_time_limit (task, 2000); /* within which it has sent them */
  future = rig_submit (rig, task);
  rig_run_until_status (future, "40");
  expect_numbers_and_error (future, 40, DRAY_ERROR, DRAY_ERROR_TIMED_OUT);
}

static void
test_cancel (Rig *rig, gconstpointer data)
{
  const DrayCancelMode mode = GPOINTER_TO_UINT (data);
  DrayTask *task = rig_new_task ("numbers", "(uint32 40, true)");
  g_autoptr (GArray) answers = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task is cancelled while somebody waits for an item: what was sent before is "
                  "there, and whoever still waits is told.");

  rig_start (rig, 1);
  dray_task_set_pull (task, TRUE);
  dray_task_set_cancel_mode (task, mode);
  future = rig_submit (rig, task);
  rig_run_until_status (future, "40");
  for (int i = 0; i < 30; i++)
    dray_future_next_item_async (future, NULL, puller_note_cb, answers);
  fixture_iterate_until (puller_has_thirty, answers, "thirty items were pulled");
  g_array_set_size (answers, 0);

  for (int i = 0; i < 30; i++)
    dray_future_next_item_async (future, NULL, puller_note_cb, answers);
  dray_future_cancel (future);
  fixture_iterate_until (puller_has_thirty, answers, "all are answered");
  for (int i = 0; i < 30; i++)
    g_assert_cmpint (g_array_index (answers, int, i), ==,
                     i < 10 ? 30 + i : -100 - G_IO_ERROR_CANCELLED);
  rig_expect_cancelled (future);
}

static void
test_misbehaving (Rig *rig, gconstpointer data)
{
  g_test_summary ("Whatever a worker does, whoever pulls is told.");

  rig_start (rig, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (rig_misdeeds); i++)
    {
      const RigMisdeed *misdeed = &rig_misdeeds[i];
      G_GNUC_UNUSED g_autoptr (DrayFuture) harmless = rig_call (rig, "null", NULL);
      g_autoptr (DrayFuture) future = puller_submit (rig, misdeed->function, misdeed->arguments);
      g_autoptr (DrayFuture) second = puller_submit (rig, misdeed->function, misdeed->arguments);
      g_autoptr (GError) error = NULL;

      expect_numbers_and_error (future, 0, DRAY_ERROR, misdeed->code);
      g_assert_null (dray_future_wait_next_item (second, -1, NULL, &error));
      g_assert_error (error, DRAY_ERROR, misdeed->code);
    }
}

static void
test_retry (Rig *rig, gconstpointer data)
{
  DrayTask *task = rig_new_task ("old-attempt", NULL);
  g_auto (Puller) self = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task is run again while somebody waits for an item of it.");

  rig_start_with (rig, rig_new_launcher ("--no-ring"), 1);
  dray_task_set_pull (task, TRUE);
  dray_task_set_max_retries (task, 1);
  future = rig_submit (rig, task);
  puller_pull_all (future, &self);
  g_assert_no_error (self.error);
  g_assert_cmpuint (self.n_items, ==, 0);
  rig_expect_text (future, "'new'");
}

static void
test_cancel_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (GArray) answers = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Waits that are cancelled, before and after they began, take no item with them.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  future = puller_submit_numbers (rig, 10);
  for (int i = 0; i < 10; i++)
    {
      dray_future_next_item_async (future, cancellable, puller_note_cb, answers);
      dray_future_next_item_async (future, NULL, puller_note_cb, answers);
    }
  g_cancellable_cancel (cancellable);
  dray_executor_set_paused (rig->executor, FALSE);
  for (int i = 0; i < 10; i++)
    dray_future_next_item_async (future, cancellable, puller_note_cb, answers);
  fixture_iterate_until (puller_has_thirty, answers, "all are answered");

  for (int i = 0, next = 0; i < 30; i++)
    {
      int number = g_array_index (answers, int, i);

      g_assert_true (number == next || number == -100 - G_IO_ERROR_CANCELLED);
      next += number == next;
      g_assert_true (i < 29 || next == 10);
    }
}

static void
test_refused (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task that was refused has no items, but an error.");

  rig_start (rig, 1);
  dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
  future = puller_submit_numbers (rig, 5);
  expect_numbers_and_error (future, 0, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
}

static void
test_dropped_executor (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) running = NULL;
  g_autoptr (DrayFuture) pending = NULL;

  g_test_summary ("The executor is dropped: what was sent before is there, then comes the error.");

  rig_start (rig, 1);
  running = puller_submit (rig, "numbers", "(uint32 40, true)");
  pending = puller_submit_numbers (rig, 10);
  rig_run_until_status (running, "40");
  g_clear_object (&rig->executor);
  expect_numbers_and_error (running, 40, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  expect_numbers_and_error (pending, 0, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
}

static void
test_after_the_end (Rig *rig, gconstpointer data)
{
  g_auto (Puller) self = { .max_items = 3 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("What was not pulled when the task was done, and its executor is gone, is still "
                  "there.");

  rig_start (rig, 1);
  future = puller_submit_numbers (rig, 50);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 50);
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  puller_pull_all (future, &self);
  g_assert_no_error (self.error);
  g_assert_cmpuint (self.n_items, ==, 50);
}

static void
test_lines (Rig *rig, gconstpointer data)
{
  const char *argv[] = { "seq", "0", "199999", NULL };
  DrayTask *task = dray_task_new_command (argv);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  GPtrArray *items;
  guint n = 0;

  g_test_summary ("The lines of a command are pulled like the items of a call.");

  rig_start_without_workers (rig);
  dray_task_set_pull (task, TRUE);
  dray_task_set_split (task, DRAY_SPLIT_LINES);
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
  future = rig_submit (rig, task);
  while ((items = dray_future_wait_next_items (future, 0, -1, NULL, &error)) != NULL)
    {
      for (guint i = 0; i < items->len; i++)
        g_assert_cmpint (atoi (g_variant_get_string (items->pdata[i], NULL)), ==, n++);
      g_ptr_array_unref (items);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 200000);
  rig_expect_text (future, "uint64 200000");
}

static void
test_failing_command (Rig *rig, gconstpointer data)
{
  const char *argv[] = { "sh", "-c", "echo one; echo two; exit 3", NULL };
  DrayTask *task = dray_task_new_command (argv);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) first = NULL;
  g_autoptr (GVariant) second = NULL;

  g_test_summary ("A command fails: its lines are there, then comes the error.");

  rig_start_without_workers (rig);
  dray_task_set_pull (task, TRUE);
  dray_task_set_split (task, DRAY_SPLIT_LINES);
  future = rig_submit (rig, task);
  first = dray_future_wait_next_item (future, -1, NULL, NULL);
  second = dray_future_wait_next_item (future, -1, NULL, NULL);
  g_assert_nonnull (first);
  g_assert_nonnull (second);
  g_assert_null (dray_future_wait_next_item (future, -1, NULL, &error));
  g_assert_error (error, G_SPAWN_EXIT_ERROR, 3);
}

/* A main context that goes with its requests */

static gboolean
is_gone (gpointer weak_ref)
{
  g_autoptr (GObject) object = g_weak_ref_get (weak_ref);

  return object == NULL;
}

static void
test_context_gone (Rig *rig, gconstpointer data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GArray) answers = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (DrayFuture) future = NULL;
  GWeakRef future_ref, cancellable_ref;

  g_test_summary ("A main context is gone before those who wait in it for items are answered: they "
                  "are not, and nothing is left of them.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  future = puller_submit (rig, "block", NULL);
  rig_run_until_running (future);
  g_main_context_push_thread_default (context);
  dray_future_next_item_async (future, NULL, puller_note_cb, answers);
  dray_future_next_item_async (future, cancellable, puller_note_cb, answers);
  g_main_context_pop_thread_default (context);

  /* The pool holds the context until then, and another thread may be who lets go of it last. */
  rig_shut_down (rig, DRAY_SHUTDOWN_KILL);
  g_weak_ref_init (&future_ref, future);
  g_weak_ref_init (&cancellable_ref, cancellable);
  g_clear_object (&future);
  g_clear_object (&cancellable);
  g_clear_pointer (&context, g_main_context_unref);
  fixture_iterate_until (is_gone, &future_ref, "the future is gone");
  fixture_iterate_until (is_gone, &cancellable_ref, "the cancellable is gone");
  g_weak_ref_clear (&future_ref);
  g_weak_ref_clear (&cancellable_ref);
  g_assert_cmpuint (answers->len, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/pull-ending/crash", NULL, test_crash);
  rig_add ("/pull-ending/time-limit", NULL, test_time_limit);
  rig_add ("/pull-ending/cancel/immediate", GUINT_TO_POINTER (DRAY_CANCEL_IMMEDIATE), test_cancel);
  rig_add ("/pull-ending/cancel/confirmed", GUINT_TO_POINTER (DRAY_CANCEL_CONFIRMED), test_cancel);
  rig_add ("/pull-ending/cancel/wait", NULL, test_cancel_wait);
  rig_add ("/pull-ending/misbehaving", NULL, test_misbehaving);
  rig_add ("/pull-ending/retry", NULL, test_retry);
  rig_add ("/pull-ending/refused", NULL, test_refused);
  rig_add ("/pull-ending/dropped-executor", NULL, test_dropped_executor);
  rig_add ("/pull-ending/after-the-end", NULL, test_after_the_end);
  rig_add ("/pull-ending/lines", NULL, test_lines);
  rig_add ("/pull-ending/lines/failing", NULL, test_failing_command);
  rig_add ("/pull-ending/context-gone", NULL, test_context_gone);

  return g_test_run ();
}
