/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

/* The queue of pending tasks has a limit: submit() says when it is reached, submit_async()
 * waits. */

/* One worker that is blocked, and nothing behind it: from now on what is submitted is pending. */
static DrayFuture *
start_and_block (Rig *rig, guint max_pending)
{
  DrayFuture *blocked;

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-pending-tasks", max_pending, NULL);
  blocked = rig_call (rig, "block", NULL);
  rig_run_until_status (blocked, "blocked");
  dray_executor_set_paused (rig->executor, TRUE);

  return blocked;
}

static void
let_go (Rig *rig, DrayFuture *blocked)
{
  dray_executor_set_paused (rig->executor, FALSE);
  dray_future_cancel (blocked);
}

static void
test_full_of_tasks (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) accepted = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayFuture) refused = NULL;
  g_autoptr (DrayFuture) later = NULL;

  g_test_summary ("One task more than may be pending is refused, and again accepted when there is "
                  "room.");

  blocked = start_and_block (rig, 3);
  for (int i = 0; i < 3; i++)
    g_ptr_array_add (accepted, rig_call (rig, "add", "(ii)", i, 0));
  refused = rig_call (rig, "add", "(ii)", 3, 0);
  g_assert_true (dray_future_is_done (refused));
  rig_expect_error (refused, DRAY_ERROR, DRAY_ERROR_QUEUE_FULL, "?*");
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 3);

  let_go (rig, blocked);
  rig_run_until_all_done (accepted);
  later = rig_call (rig, "add", "(ii)", 4, 0);
  rig_expect_text (later, "4");
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, 6);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, 4);
}

static void
test_full_of_bytes (Rig *rig, gconstpointer data)
{
  static const guint8 bytes[1000];
  g_autoptr (GVariant) large = g_variant_ref_sink (
    g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, sizeof bytes, 1));
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) small = NULL;

  g_test_summary ("The bytes of pending arguments have a limit, too; a task that exceeds it by "
                  "itself is accepted when nothing else is pending.");

  blocked = start_and_block (rig, 0);
  g_object_set (rig->executor, "max-pending-bytes", G_GUINT64_CONSTANT (900), NULL);
  first = dray_executor_call (rig->executor, "echo", large);
  g_assert_false (dray_future_is_done (first));
  second = dray_executor_call (rig->executor, "echo", large);
  rig_expect_error (second, DRAY_ERROR, DRAY_ERROR_QUEUE_FULL, NULL);
  small = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_error (small, DRAY_ERROR, DRAY_ERROR_QUEUE_FULL, NULL);

  let_go (rig, blocked);
  fixture_run_until_done (first);
  g_assert_cmpint (dray_future_get_state (first), ==, DRAY_FUTURE_SUCCEEDED);
}

/* Waiting for room */

typedef struct
{
  GPtrArray *futures; /* (owned) */
  GError *error;      /* (owned) (nullable): the last one */
  guint n_errors;
} Accepted;

static void
accepted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Accepted *accepted = user_data;
  g_autoptr (GError) error = NULL;
  DrayFuture *future = dray_executor_submit_finish (DRAY_EXECUTOR (source), result, &error);

  g_assert_true ((future != NULL) == (error == NULL));
  if (future != NULL)
    {
      g_ptr_array_add (accepted->futures, future);
      return;
    }

  accepted->n_errors++;
  g_clear_error (&accepted->error);
  accepted->error = g_steal_pointer (&error);
}

static void
accepted_clear (Accepted *accepted)
{
  g_ptr_array_unref (accepted->futures);
  g_clear_error (&accepted->error);
}

static void
submit_async (Rig *rig, int number, GCancellable *cancellable, Accepted *accepted)
{
  g_autofree char *arguments = g_strdup_printf ("(%d, 0)", number);
  g_autoptr (DrayTask) task = rig_new_task ("add", arguments);

  dray_executor_submit_async (rig->executor, task, cancellable, accepted_cb, accepted);
}

static void
run_until_answered (Accepted *accepted, guint n_answers)
{
  gint64 deadline = fixture_get_deadline ();

  while (accepted->futures->len + accepted->n_errors < n_answers)
    {
      g_main_context_iteration (NULL, TRUE);
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
    }
}

static void
assert_sums (Accepted *accepted, const int *expected, guint n_expected)
{
  g_assert_cmpuint (accepted->futures->len, ==, n_expected);
  for (guint i = 0; i < n_expected; i++)
    {
      g_autofree char *text = g_strdup_printf ("%d", expected[i]);

      rig_expect_text (accepted->futures->pdata[i], text);
    }
}

static void
test_room (Rig *rig, gconstpointer data)
{
  Accepted accepted = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };

  g_test_summary ("With room in the queue a task is accepted at once, and the callback still comes "
                  "later.");

  rig_start (rig, 1);
  submit_async (rig, 0, NULL, &accepted);
  g_assert_cmpuint (accepted.futures->len, ==, 0);
  run_until_answered (&accepted, 1);
  assert_sums (&accepted, (const int[]){ 0 }, 1);
  accepted_clear (&accepted);
}

static void
test_wait_in_order (Rig *rig, gconstpointer data)
{
  const int n_tasks = 60;
  Accepted accepted = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };
  g_autoptr (DrayFuture) blocked = NULL;
  guint64 last_id = 0;

  g_test_summary ("Those who wait for room are accepted in the order in which they came, one that "
                  "comes while there is room for the first of them included.");

  blocked = start_and_block (rig, 2);
  for (int i = 0; i < n_tasks - 1; i++)
    submit_async (rig, i, NULL, &accepted);
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 2);

  let_go (rig, blocked);
  rig_run_until_count (rig, cancelled, 1);
  submit_async (rig, n_tasks - 1, NULL, &accepted);
  run_until_answered (&accepted, (guint) n_tasks);

  for (int i = 0; i < n_tasks; i++)
    {
      g_autofree char *text = g_strdup_printf ("%d", i);

      rig_expect_text (accepted.futures->pdata[i], text);
      g_assert_cmpuint (dray_future_get_id (accepted.futures->pdata[i]), >, last_id);
      last_id = dray_future_get_id (accepted.futures->pdata[i]);
    }
  accepted_clear (&accepted);
}

static void
test_wait_cancelled (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Accepted kept = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };
  Accepted given_up = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };
  g_autoptr (DrayFuture) blocked = NULL;

  g_test_summary ("One who waits for room and is cancelled is told so at once, was never "
                  "submitted, and those behind are accepted all the same.");

  blocked = start_and_block (rig, 1);
  submit_async (rig, 0, NULL, &kept);
  submit_async (rig, 1, cancellable, &given_up);
  submit_async (rig, 2, NULL, &kept);
  submit_async (rig, 3, cancellable, &given_up);
  run_until_answered (&kept, 1);

  g_cancellable_cancel (cancellable);
  run_until_answered (&given_up, 2);
  g_assert_cmpuint (given_up.n_errors, ==, 2);
  g_assert_error (given_up.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);

  let_go (rig, blocked);
  run_until_answered (&kept, 2);
  assert_sums (&kept, (const int[]){ 0, 2 }, 2);
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, 3);
  accepted_clear (&kept);
  accepted_clear (&given_up);
}

static void
test_wait_cancelled_before (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Accepted accepted = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };

  g_test_summary ("One who was cancelled before is never submitted.");

  g_cancellable_cancel (cancellable);
  rig_start (rig, 1);
  submit_async (rig, 0, cancellable, &accepted);
  run_until_answered (&accepted, 1);
  g_assert_error (accepted.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, 0);
  accepted_clear (&accepted);
}

static void
test_cancelled_after (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Accepted accepted = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };
  g_autoptr (DrayFuture) blocked = NULL;

  g_test_summary ("Once accepted, the same cancellable cancels the task.");

  blocked = start_and_block (rig, 1);
  submit_async (rig, 0, cancellable, &accepted);
  run_until_answered (&accepted, 1);
  g_cancellable_cancel (cancellable);
  rig_expect_cancelled (accepted.futures->pdata[0]);
  let_go (rig, blocked);
  accepted_clear (&accepted);
}

static void
test_room_taken (Rig *rig, gconstpointer data)
{
  Accepted accepted = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayFuture) pending = NULL;
  g_autoptr (DrayFuture) quick = NULL;

  g_test_summary ("Who was told of room, and finds it taken by one who does not wait, waits on, in "
                  "front of those who came later.");

  blocked = start_and_block (rig, 1);
  pending = rig_call (rig, "add", "(ii)", 1, 0);
  submit_async (rig, 2, NULL, &accepted);
  submit_async (rig, 3, NULL, &accepted);

  /* Nobody is told before the main context is iterated. */
  dray_future_cancel (pending);
  quick = rig_call (rig, "add", "(ii)", 4, 0);
  g_assert_false (dray_future_is_done (quick));
  rig_expect_cancelled (pending);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (accepted.futures->len, ==, 0);

  let_go (rig, blocked);
  rig_expect_text (quick, "4");
  run_until_answered (&accepted, 2);
  assert_sums (&accepted, (const int[]){ 2, 3 }, 2);
  accepted_clear (&accepted);
}

static void
test_wait_cancelled_late (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Accepted accepted = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };
  Accepted given_up = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayFuture) pending = NULL;

  g_test_summary ("One who is cancelled when there is room already, but before it could be told, "
                  "was never submitted, and the next one gets the room.");

  blocked = start_and_block (rig, 1);
  pending = rig_call (rig, "add", "(ii)", 1, 0);
  submit_async (rig, 2, cancellable, &given_up);
  submit_async (rig, 3, NULL, &accepted);
  dray_future_cancel (pending);
  g_cancellable_cancel (cancellable);
  run_until_answered (&given_up, 1);
  g_assert_error (given_up.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  run_until_answered (&accepted, 1);
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, 3);

  let_go (rig, blocked);
  assert_sums (&accepted, (const int[]){ 3 }, 1);
  accepted_clear (&accepted);
  accepted_clear (&given_up);
}

static void
test_limit_raised (Rig *rig, gconstpointer data)
{
  Accepted accepted = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };
  g_autoptr (DrayFuture) blocked = NULL;

  g_test_summary ("Raising the limit makes room for all who wait.");

  blocked = start_and_block (rig, 1);
  for (int i = 0; i < 5; i++)
    submit_async (rig, i, NULL, &accepted);
  run_until_answered (&accepted, 1);
  g_object_set (rig->executor, "max-pending-tasks", 10, NULL);
  run_until_answered (&accepted, 5);
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 5);

  let_go (rig, blocked);
  assert_sums (&accepted, (const int[]){ 0, 1, 2, 3, 4 }, 5);
  accepted_clear (&accepted);
}

static void
test_wait_in_vain (Rig *rig, gconstpointer data)
{
  Accepted accepted = { g_ptr_array_new_with_free_func (g_object_unref), NULL, 0 };
  g_autoptr (DrayFuture) blocked = NULL;

  g_test_summary ("Who waits for room when the executor is shut down gets a future that says so.");

  blocked = start_and_block (rig, 1);
  for (int i = 0; i < 4; i++)
    submit_async (rig, i, NULL, &accepted);
  rig_shut_down (rig, DRAY_SHUTDOWN_KILL);
  run_until_answered (&accepted, 4);
  for (guint i = 0; i < 4; i++)
    rig_expect_error (accepted.futures->pdata[i], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
  accepted_clear (&accepted);
}

/* Submitting from within a slice of the delivery */

typedef struct
{
  Rig *rig;           /* (unowned) */
  DrayFuture *future; /* (owned) (nullable) */
  guint n_items;
  guint n_done;
  gboolean submitted;
} Inner;

static void
inner_item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  ((Inner *) user_data)->n_items++;
}

static void
inner_done_cb (DrayFuture *future, gpointer user_data)
{
  Inner *inner = user_data;

  g_assert_cmpuint (inner->n_items, ==, 20);
  inner->n_done++;
}

static void
inner_accepted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Inner *inner = user_data;
  g_autoptr (GError) error = NULL;

  inner->future = dray_executor_submit_finish (DRAY_EXECUTOR (source), result, &error);
  g_assert_no_error (error);
  g_signal_connect (inner->future, "item", G_CALLBACK (inner_item_cb), inner);
  dray_future_add_done_callback (inner->future, inner_done_cb, inner, NULL);
}

/* In the first item of many; the others are delivered when the inner one has sent all of its
 * own. */
static void
outer_item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  Inner *inner = user_data;
  g_autoptr (DrayTask) task = NULL;
  gint64 deadline = fixture_get_deadline ();

  if (inner->submitted)
    return;

  inner->submitted = TRUE;
  task = rig_new_task ("stream", "(uint32 20, uint32 10)");
  dray_executor_submit_async (inner->rig->executor, task, NULL, inner_accepted_cb, inner);
  while (rig_get_count (inner->rig, succeeded) < 2)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      g_thread_yield ();
    }
}

static void
test_within_slice (Rig *rig, gconstpointer data)
{
  const int priority = GPOINTER_TO_INT (data);
  g_autoptr (DrayFuture) outer = NULL;
  Inner inner = { .rig = rig };

  g_test_summary (
    "No item, and no end, is delivered before the callback that hands the future out, "
    "so that nobody misses any who connects there.");

  rig_start (rig, 2);
  g_object_set (rig->executor, "slice", 1000000, "delivery-priority", priority, NULL);
  outer = rig_call (rig, "stream", "(uu)", 50, 10);
  g_signal_connect (outer, "item", G_CALLBACK (outer_item_cb), &inner);
  g_assert_true (dray_future_wait (outer, -1, NULL, NULL));
  while (inner.n_done == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (inner.n_items, ==, 20);
  g_clear_object (&inner.future);
}

static void
forget_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  gboolean *called = user_data;

  *called = TRUE;
}

static void
test_nobody_takes_it (Rig *rig, gconstpointer data)
{
  gboolean called = FALSE;

  g_test_summary ("A future that the callback does not take leaves nothing behind.");

  rig_start (rig, 1);
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (DrayTask) task = rig_new_task ("stream", "(uint32 20, uint32 10)");

      dray_executor_submit_async (rig->executor, task, NULL, forget_cb, &called);
      fixture_iterate_until_true (&called, "the callback is called");
      called = FALSE;
    }
  rig_run_until_count (rig, succeeded, 20);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/submitting/full/tasks", NULL, test_full_of_tasks);
  rig_add ("/submitting/full/bytes", NULL, test_full_of_bytes);
  rig_add ("/submitting/async/room", NULL, test_room);
  rig_add ("/submitting/async/order", NULL, test_wait_in_order);
  rig_add ("/submitting/async/cancelled", NULL, test_wait_cancelled);
  rig_add ("/submitting/async/cancelled-before", NULL, test_wait_cancelled_before);
  rig_add ("/submitting/async/cancelled-after", NULL, test_cancelled_after);
  rig_add ("/submitting/async/room-taken", NULL, test_room_taken);
  rig_add ("/submitting/async/cancelled-late", NULL, test_wait_cancelled_late);
  rig_add ("/submitting/async/limit-raised", NULL, test_limit_raised);
  rig_add ("/submitting/async/shut-down", NULL, test_wait_in_vain);
  rig_add ("/submitting/async/within-slice/idle", GINT_TO_POINTER (G_PRIORITY_DEFAULT_IDLE),
           test_within_slice);
  rig_add ("/submitting/async/within-slice/high", GINT_TO_POINTER (G_PRIORITY_HIGH),
           test_within_slice);
  rig_add ("/submitting/async/nobody-takes-it", NULL, test_nobody_takes_it);

  return g_test_run ();
}
