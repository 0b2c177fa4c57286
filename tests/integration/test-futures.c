/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include <string.h>

/* The handle of a submitted task: what it says, and how it tells that the task is done. */

/* States */

static void
count_cb (GObject *object, GParamSpec *pspec, gpointer user_data)
{
  guint *count = user_data;

  (*count)++;
}

static void
test_states (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  guint n_notified = 0;

  g_test_summary ("A future is pending, then running, then done; it tells the latter once, and its "
                  "result can be asked for as often as wanted.");

  rig_start (rig, 1);
  first = rig_call (rig, "block", NULL);
  second = rig_call (rig, "add", "(ii)", 1, 2);
  g_signal_connect (second, "notify::state", G_CALLBACK (count_cb), &n_notified);
  rig_run_until_status (first, "blocked");
  g_assert_cmpint (dray_future_get_state (first), ==, DRAY_FUTURE_RUNNING);
  g_assert_cmpint (dray_future_get_state (second), ==, DRAY_FUTURE_PENDING);
  g_assert_false (dray_future_is_done (second));
  g_assert_null (dray_future_dup_result (second, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);

  dray_future_cancel (first);
  rig_expect_cancelled (first);
  rig_expect_text (second, "3");
  g_assert_true (dray_future_is_done (second));
  g_assert_cmpuint (n_notified, ==, 1);

  for (int i = 0; i < 3; i++)
    {
      g_clear_pointer (&result, g_variant_unref);
      result = dray_future_dup_result (second, NULL);
      g_assert_cmpint (g_variant_get_int32 (result), ==, 3);
    }
  dray_future_cancel (second);
  g_assert_cmpint (dray_future_get_state (second), ==, DRAY_FUTURE_SUCCEEDED);
}

static void
test_identity (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayTask) task = rig_new_task ("echo", "(1,)");
  guint64 last_id = 0;

  g_test_summary ("Futures are numbered from 1, and know their task, which may be submitted as "
                  "often as wanted.");

  rig_start (rig, 2);
  for (int i = 0; i < 5; i++)
    {
      g_autoptr (DrayFuture) future = rig_submit (rig, dray_task_ref (task));
      g_autoptr (DrayTask) same = NULL;
      guint64 id = 0;

      g_object_get (future, "id", &id, "task", &same, NULL);
      g_assert_cmpuint (id, ==, ++last_id);
      g_assert_cmpuint (dray_future_get_id (future), ==, id);
      g_assert_true (dray_future_get_task (future) == task);
      g_assert_true (same == task);
      rig_expect_text (future, "(1,)");
    }
}

/* Done callbacks */

typedef struct
{
  GString *log; /* (unowned) */
  char name;
} Note;

static void
note_cb (DrayFuture *future, gpointer user_data)
{
  Note *note = user_data;

  g_assert_true (dray_future_is_done (future));
  g_string_append_c (note->log, note->name);
}

static void
note_free (gpointer user_data)
{
  Note *note = user_data;

  g_string_append_c (note->log, g_ascii_toupper (note->name));
  g_free (note);
}

static Note *
note_new (GString *log, char name)
{
  Note *note = g_new0 (Note, 1);

  note->log = log;
  note->name = name;

  return note;
}

static void
test_several_callbacks (Rig *rig, gconstpointer data)
{
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Done callbacks are called in the order in which they were added, each once, and "
                  "their data is freed afterwards.");

  rig_start (rig, 1);
  future = rig_call (rig, "null", NULL);
  for (char name = 'a'; name <= 'e'; name++)
    dray_future_add_done_callback (future, note_cb, note_new (log, name), note_free);
  g_assert_cmpstr (log->str, ==, "");

  while (log->len < 10)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (log->len, ==, 10);
  for (gsize i = 0; i < 5; i++)
    {
      const char *called = strchr (log->str, 'a' + (int) i);
      const char *freed = strchr (log->str, 'A' + (int) i);

      g_assert_nonnull (called);
      g_assert_nonnull (freed);
      g_assert_true (called < freed);
      if (i > 0)
        g_assert_true (strchr (log->str, 'a' + (int) i - 1) < called);
    }
}

static void
test_late_callback (Rig *rig, gconstpointer data)
{
  g_autoptr (GString) log = g_string_new (NULL);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A callback that is added to a future which has told its end is called as well, "
                  "but never before the call returns.");

  rig_start (rig, 1);
  future = rig_call (rig, "null", NULL);
  fixture_run_until_done (future);
  dray_future_add_done_callback (future, note_cb, note_new (log, 'a'), note_free);
  dray_future_add_done_callback (future, note_cb, note_new (log, 'b'), note_free);
  dray_future_add_done_callback (future, note_cb, note_new (log, 'c'), note_free);
  g_assert_cmpstr (log->str, ==, "");

  while (log->len < 6)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (log->str, ==, "aAbBcC");
}

static void
test_callback_of_unreferenced (Rig *rig, gconstpointer data)
{
  g_autoptr (GString) log = g_string_new (NULL);
  DrayFuture *future;

  g_test_summary ("A future with a callback stays alive until that was called, without anybody "
                  "else's reference.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  future = rig_call (rig, "null", NULL);
  dray_future_add_done_callback (future, note_cb, note_new (log, 'a'), note_free);
  g_object_add_weak_pointer (G_OBJECT (future), (gpointer *) &future);
  g_object_unref (future);
  g_assert_nonnull (future);

  while (future != NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (log->str, ==, "aA");
}

/* Adds a callback, submits a task and drops the future, from inside the callback. */
static void
chain_cb (DrayFuture *future, gpointer user_data)
{
  Rig *rig = user_data;
  guint64 n_submitted = rig_get_count (rig, submitted);

  if (n_submitted < 50)
    {
      g_autoptr (DrayFuture) next = rig_call (rig, "null", NULL);

      g_assert_cmpuint (rig_get_count (rig, submitted), ==, n_submitted + 1);
      dray_future_add_done_callback (next, chain_cb, rig, NULL);
    }
}

static void
test_chain (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A callback may submit the next task.");

  rig_start (rig, 1);
  future = rig_call (rig, "null", NULL);
  dray_future_add_done_callback (future, chain_cb, rig, NULL);
  rig_run_until_count (rig, succeeded, 50);
  rig_run_until_count (rig, undelivered_items, 0);
}

/* Asynchronous waits */

static void
take_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GAsyncResult **place = user_data;

  g_assert_true (DRAY_IS_FUTURE (source));
  *place = g_object_ref (result);
}

static gboolean
is_set (gpointer user_data)
{
  gpointer *place = user_data;

  return *place != NULL;
}

static void
test_result_async (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GAsyncResult) early = NULL;
  g_autoptr (GAsyncResult) late = NULL;
  g_autoptr (GVariant) first = NULL;
  g_autoptr (GVariant) second = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A result can be waited for without blocking, before and after the end.");

  rig_start (rig, 1);
  future = rig_call (rig, "add", "(ii)", 3, 4);
  dray_future_result_async (future, NULL, take_result_cb, &early);
  fixture_iterate_until (is_set, &early, "the early wait ends");
  first = dray_future_result_finish (future, early, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (first), ==, 7);

  dray_future_result_async (future, NULL, take_result_cb, &late);
  g_assert_null (late);
  fixture_iterate_until (is_set, &late, "the late wait ends");
  second = dray_future_result_finish (future, late, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (second), ==, 7);
}

static void
test_result_async_cancelled (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GAsyncResult) given_up = NULL;
  g_autoptr (GAsyncResult) again = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Cancelling the wait ends the wait, not the task.");

  rig_start (rig, 1);
  future = rig_call (rig, "block", NULL);
  dray_future_result_async (future, cancellable, take_result_cb, &given_up);
  rig_run_until_status (future, "blocked");
  g_assert_null (given_up);
  g_cancellable_cancel (cancellable);
  fixture_iterate_until (is_set, &given_up, "the wait ends");
  g_assert_null (dray_future_result_finish (future, given_up, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);

  g_clear_error (&error);
  dray_future_result_async (future, cancellable, take_result_cb, &again);
  fixture_iterate_until (is_set, &again, "a wait that was cancelled before ends");
  g_assert_null (dray_future_result_finish (future, again, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
}

static void
note_gone (gpointer n_left, GObject *where_it_was)
{
  (*(guint *) n_left)--;
}

static gboolean
is_zero (gpointer number)
{
  return *(guint *) number == 0;
}

static void
cancelled_cb (GObject *future, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (dray_future_result_finish (DRAY_FUTURE (future), result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* Cancels @n waits, from both ends in turns, and waits until nothing is left of them. */
static void
give_up_waits (DrayFuture *future, guint n)
{
  g_autoptr (GPtrArray) cancellables = g_ptr_array_new_with_free_func (g_object_unref);
  guint n_left = n;

  for (guint i = 0; i < n; i++)
    {
      GCancellable *cancellable = g_cancellable_new ();

      g_object_weak_ref (G_OBJECT (cancellable), note_gone, &n_left);
      g_ptr_array_add (cancellables, cancellable);
      dray_future_result_async (future, cancellable, cancelled_cb, NULL);
    }
  for (guint i = 0; i < n; i++)
    g_cancellable_cancel (cancellables->pdata[i % 2 ? n - 1 - i / 2 : i / 2]);
  g_ptr_array_set_size (cancellables, 0);
  fixture_iterate_until (is_zero, &n_left, "nothing is left of the waits");
}

static void
test_result_async_given_up (Rig *rig, gconstpointer data)
{
  g_autoptr (GString) log = g_string_new (NULL);
  DrayFuture *future;

  g_test_summary ("Nothing is left of waits that were cancelled, while the task goes on; what "
                  "waits besides is told in its turn.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  future = rig_call (rig, "block", NULL);
  dray_future_add_done_callback (future, note_cb, note_new (log, 'a'), note_free);
  give_up_waits (future, 1000);
  dray_future_add_done_callback (future, note_cb, note_new (log, 'b'), note_free);
  give_up_waits (future, 1000);
  dray_future_add_done_callback (future, note_cb, note_new (log, 'c'), note_free);
  g_assert_false (dray_future_is_done (future));
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  g_assert_cmpstr (log->str, ==, "abcABC");
  g_object_unref (future);

  /* Nor does the wait keep the future. */
  future = rig_call (rig, "block", NULL);
  give_up_waits (future, 1);
  g_object_add_weak_pointer (G_OBJECT (future), (gpointer *) &future);
  g_object_unref (future);
  g_assert_null (future);
}

static void
test_result_async_too_late (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GVariant) value = NULL;

  g_test_summary ("Cancelling a wait that is over does nothing.");

  rig_start (rig, 1);
  future = rig_call (rig, "add", "(ii)", 3, 4);
  dray_future_result_async (future, cancellable, take_result_cb, &result);
  fixture_iterate_until (is_set, &result, "the wait ends");
  value = dray_future_result_finish (future, result, NULL);
  g_assert_nonnull (value);
  g_cancellable_cancel (cancellable);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_SUCCEEDED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/futures/states", NULL, test_states);
  rig_add ("/futures/identity", NULL, test_identity);
  rig_add ("/futures/callbacks/several", NULL, test_several_callbacks);
  rig_add ("/futures/callbacks/late", NULL, test_late_callback);
  rig_add ("/futures/callbacks/unreferenced", NULL, test_callback_of_unreferenced);
  rig_add ("/futures/callbacks/chain", NULL, test_chain);
  rig_add ("/futures/result-async", NULL, test_result_async);
  rig_add ("/futures/result-async/cancelled", NULL, test_result_async_cancelled);
  rig_add ("/futures/result-async/given-up", NULL, test_result_async_given_up);
  rig_add ("/futures/result-async/too-late", NULL, test_result_async_too_late);

  return g_test_run ();
}
