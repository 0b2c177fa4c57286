/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

#include <string.h>

/*
 * Combined futures: how they end, what a cancel of them does, and that they are as safe to wait for
 * as any other future, whatever becomes of their parts, their executors and their handles.
 */

#define MIB (1024 * 1024)
#define MANY 100000

typedef DrayFuture *(*Combine) (DrayFuture *const *futures, gsize n_futures);

static GPtrArray *
new_futures (void)
{
  return g_ptr_array_new_with_free_func (g_object_unref);
}

static DrayFuture *
combine (Combine how, GPtrArray *parts)
{
  return how ((DrayFuture *const *) parts->pdata, parts->len);
}

/* Takes @future. */
static DrayFuture *
combine_one (Combine how, DrayFuture *future)
{
  g_autoptr (DrayFuture) part = future;

  return how (&part, 1);
}

/* How they end */

typedef struct
{
  const char *name;
  Combine how;
  const char
    *parts; /* a letter each: a number succeeds with it, and f fails, d dies, c is cancelled,
                      * b blocks */
  const char *result; /* NULL: it fails */
  int state;
} Ending;

static const Ending endings[] = {
  { "all", dray_future_all, "123", "[<1>, <2>, <3>]", DRAY_FUTURE_SUCCEEDED },
  { "all-of-one", dray_future_all, "7", "[<7>]", DRAY_FUTURE_SUCCEEDED },
  { "all-of-none", dray_future_all, "", "@av []", DRAY_FUTURE_SUCCEEDED },
  { "all-with-failure", dray_future_all, "1f3", NULL, DRAY_FUTURE_FAILED },
  { "all-with-death", dray_future_all, "1d3", NULL, DRAY_FUTURE_FAILED },
  { "all-with-cancel", dray_future_all, "1c3", NULL, DRAY_FUTURE_CANCELLED },
  { "race", dray_future_all_race, "123", "[<1>, <2>, <3>]", DRAY_FUTURE_SUCCEEDED },
  { "race-of-none", dray_future_all_race, "", "@av []", DRAY_FUTURE_SUCCEEDED },
  { "race-with-failure", dray_future_all_race, "1fb", NULL, DRAY_FUTURE_FAILED },
  { "race-with-death", dray_future_all_race, "bd", NULL, DRAY_FUTURE_FAILED },
  { "race-with-cancel", dray_future_all_race, "bc", NULL, DRAY_FUTURE_CANCELLED },
  { "any", dray_future_any, "b5", "5", DRAY_FUTURE_SUCCEEDED },
  { "any-with-failures", dray_future_any, "fdcb5", "5", DRAY_FUTURE_SUCCEEDED },
  { "any-of-failures", dray_future_any, "fff", NULL, DRAY_FUTURE_FAILED },
  { "first", dray_future_first, "b4b", "4", DRAY_FUTURE_SUCCEEDED },
  { "first-fails", dray_future_first, "bf", NULL, DRAY_FUTURE_FAILED },
  { "first-dies", dray_future_first, "bd", NULL, DRAY_FUTURE_FAILED },
  { "first-is-cancelled", dray_future_first, "cb", NULL, DRAY_FUTURE_CANCELLED },
};

static DrayFuture *
submit_part (Rig *rig, char kind)
{
  DrayFuture *future;

  switch (kind)
    {
    case 'f':
      return rig_call (rig, "fail", "(sis)", "test-quark", 17, "It is meant to fail");
    case 'd':
      return rig_call (rig, "exit", "(i)", 3);
    case 'b':
      return rig_call (rig, "block", NULL);
    case 'c':
      future = rig_call (rig, "block", NULL);
      dray_future_cancel (future);
      return future;
    default:
      return rig_call (rig, "add", "(ii)", kind - '0', 0);
    }
}

static void
assert_ending (DrayFuture *future, const Ending *ending)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);
  g_autofree char *text = NULL;

  g_assert_cmpint (dray_future_get_state (future), ==, ending->state);
  if (ending->result == NULL)
    {
      g_assert_null (result);
      g_assert_nonnull (error);
      return;
    }

  g_assert_no_error (error);
  g_assert_false (g_variant_is_floating (result));
  text = g_variant_print (result, TRUE);
  g_assert_cmpstr (text, ==, ending->result);
}

static void
test_ending (Rig *rig, gconstpointer data)
{
  const Ending *ending = data;
  g_autoptr (GPtrArray) parts = new_futures ();
  g_autoptr (DrayFuture) waited = NULL;
  g_autoptr (DrayFuture) told = NULL;
  g_autoptr (DrayFuture) late = NULL;

  g_test_summary (
    "A combined future ends as its kind says, once, whether it is waited for, told of "
    "in the main context, or made of what is done already.");

  rig_start (rig, 8);
  for (const char *kind = ending->parts; *kind != '\0'; kind++)
    g_ptr_array_add (parts, submit_part (rig, *kind));

  waited = combine (ending->how, parts);
  told = combine (ending->how, parts);
  g_assert_true (dray_future_wait (waited, -1, NULL, NULL));
  assert_ending (waited, ending);
  fixture_run_until_done (told);
  assert_ending (told, ending);
  fixture_run_until_done (waited);

  late = combine (ending->how, parts);
  g_assert_true (dray_future_is_done (late));
  fixture_run_until_done (late);
  assert_ending (late, ending);
}

static void
test_errors (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) parts = new_futures ();
  g_autoptr (DrayFuture) all = NULL;
  g_autoptr (DrayFuture) any = NULL;
  G_GNUC_UNUSED g_autoptr (GError) error = NULL;

  g_test_summary ("Of many errors it is the first in time that fails all, and the last that fails "
                  "any; with their own domain, code and message.");

  rig_start (rig, 1);
  g_ptr_array_add (parts, rig_call (rig, "fail", "(sis)", "test-quark", 1, "one"));
  g_ptr_array_add (parts, rig_call (rig, "fail", "(sis)", "test-quark", 2, "two"));
  all = combine (dray_future_all, parts);
  any = combine (dray_future_any, parts);
  rig_expect_error (all, g_quark_from_string ("test-quark"), 1, "one");
  rig_expect_error (any, g_quark_from_string ("test-quark"), 2, "two");
}

static void
test_identity (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) part = NULL;
  g_autoptr (DrayFuture) all = NULL;
  g_autoptr (DrayTask) task = NULL;
  g_autoptr (GError) error = NULL;
  guint64 id = 1;

  g_test_summary (
    "A combined future is pending until it is done, belongs to no executor, and counts "
    "as no task.");

  rig_start (rig, 1);
  part = rig_call (rig, "block", NULL);
  all = dray_future_all (&part, 1);
  rig_run_until_status (part, "blocked");
  g_assert_cmpint (dray_future_get_state (all), ==, DRAY_FUTURE_PENDING);
  g_assert_null (dray_future_dup_result (all, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);

  g_object_get (all, "id", &id, "task", &task, NULL);
  g_assert_cmpuint (id, ==, 0);
  g_assert_null (task);
  g_assert_null (dray_future_get_task (all));
  g_assert_cmpfloat (dray_future_get_progress (all), ==, -1);
  g_assert_cmpuint (g_list_model_get_n_items (dray_executor_get_futures (rig->executor)), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 0);

  dray_future_cancel (part);
  rig_expect_cancelled (all);
  g_assert_cmpuint (rig_get_count (rig, cancelled), ==, 1);
}

static void
test_bad_arguments (Rig *rig, gconstpointer data)
{
  DrayFuture *const none[] = { NULL };

  g_test_summary ("Nothing can be the first of none, there are no futures at NULL, and NULL is "
                  "none.");

  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*n_futures > 0*");
  g_assert_null (dray_future_first (NULL, 0));
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*n_futures > 0*");
  g_assert_null (dray_future_any (NULL, 0));
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*are_futures*");
  g_assert_null (dray_future_all (NULL, 1));
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*are_futures*");
  g_assert_null (dray_future_all (none, 1));
  g_test_assert_expected_messages ();
}

/* Waiting */

static GPtrArray *
submit_large (DrayExecutor *executor, guint n)
{
  GPtrArray *futures = new_futures ();

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (futures, dray_executor_call (executor, "bytes", g_variant_new ("(u)", MIB)));

  return futures;
}

static void
assert_all_large (DrayFuture *all, guint n)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) results = dray_future_wait_result (all, -1, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_n_children (results), ==, n);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GVariant) boxed = g_variant_get_child_value (results, i);
      g_autoptr (GVariant) value = g_variant_get_variant (boxed);

      workshop_assert_bytes (value, MIB);
    }
}

static void
limit (DrayExecutor *executor)
{
  g_object_set (executor, "max-undelivered-bytes", (guint64) MIB, "max-undelivered-items", 2, NULL);
}

static void
test_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (2);
  g_autoptr (GPtrArray) parts = NULL;
  g_autoptr (GPtrArray) others = NULL;
  g_autoptr (GPtrArray) both = new_futures ();
  g_autoptr (DrayFuture) all = NULL;

  g_test_summary (
    "The main thread, with no main loop, waits for results of 1 MiB of two executors, "
    "combined twice over, far beyond both their limits.");

  rig_start (rig, 2);
  limit (rig->executor);
  limit (other);
  parts = submit_large (rig->executor, 20);
  others = submit_large (other, 20);
  g_ptr_array_add (both, combine (dray_future_all, parts));
  g_ptr_array_add (both, combine_one (dray_future_all, combine (dray_future_all, others)));
  all = combine (dray_future_all, both);

  g_assert_true (dray_future_wait (all, -1, NULL, NULL));
  assert_all_large (both->pdata[0], 20);
  rig_run_until_all_done (parts);
  rig_run_until_all_done (others);
}

static void
test_wait_paused (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (GPtrArray) parts = new_futures ();
  g_autoptr (DrayFuture) all = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A wait lifts the pause of every executor that has a part in it, and only while "
                  "it lasts; one that only looks lifts nothing.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  dray_executor_set_paused (other, TRUE);
  g_ptr_array_add (parts, rig_call (rig, "null", NULL));
  g_ptr_array_add (parts, dray_executor_call (other, "null", NULL));
  all = combine (dray_future_all, parts);

  g_assert_false (dray_future_wait (all, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  rig_let_time_pass ();
  g_assert_false (dray_future_is_done (parts->pdata[1]));
  g_assert_true (dray_future_wait (all, -1, NULL, NULL));

  g_ptr_array_add (parts, dray_executor_call (other, "null", NULL));
  rig_let_time_pass ();
  g_assert_false (dray_future_is_done (parts->pdata[2]));
}

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  gboolean done;
} Scene;

static void
wait_inside_cb (DrayFuture *future, gpointer user_data)
{
  Scene *scene = user_data;
  g_autoptr (GPtrArray) parts = submit_large (scene->executor, 20);
  g_autoptr (DrayFuture) all = combine (dray_future_all, parts);

  assert_all_large (all, 20);
  scene->done = TRUE;
}

static void
test_wait_inside (Rig *rig, gconstpointer data)
{
  Scene scene = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A combined future is waited for inside a done callback of the same executor.");

  rig_start (rig, 2);
  limit (rig->executor);
  scene.executor = rig->executor;
  future = combine_one (dray_future_all, rig_call (rig, "null", NULL));
  dray_future_add_done_callback (future, wait_inside_cb, &scene, NULL);
  fixture_iterate_until_true (&scene.done, "the callback has waited");
}

static gpointer
cancel_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);

  return NULL;
}

static void
test_wait_is_cancelled (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayFuture) part = NULL;
  g_autoptr (DrayFuture) all = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread;

  g_test_summary ("The cancellable of a wait, and its timeout, end the wait and nothing else.");

  rig_start (rig, 1);
  part = rig_call (rig, "block", NULL);
  all = dray_future_all (&part, 1);
  thread = g_thread_new ("cancels", cancel_thread, cancellable);
  g_assert_false (dray_future_wait (all, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  g_assert_false (dray_future_wait (all, 1000, NULL, NULL));
  g_assert_false (dray_future_is_done (all));
  g_assert_false (dray_future_is_done (part));
}

/* Cancelling */

static void
test_cancel (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) parts = new_futures ();
  g_autoptr (DrayFuture) inner = NULL;
  g_autoptr (DrayFuture) outer = NULL;

  g_test_summary ("Cancelling a combined future cancels its parts that are not done, whether they "
                  "run, are pending or are combined themselves, and ends it at once.");

  rig_start (rig, 1);
  g_ptr_array_add (parts, rig_call (rig, "add", "(ii)", 1, 1));
  rig_expect_text (parts->pdata[0], "2");
  g_ptr_array_add (parts, rig_call (rig, "ignore-cancel", NULL));
  g_ptr_array_add (parts, rig_call (rig, "exit", "(i)", 1));
  rig_run_until_status (parts->pdata[1], "deaf");
  inner = combine (dray_future_all, parts);
  outer = dray_future_first (&inner, 1);

  g_object_set (rig->executor, "grace-period", 10, NULL);
  dray_future_cancel (outer);
  g_assert_cmpint (dray_future_get_state (outer), ==, DRAY_FUTURE_CANCELLED);
  rig_expect_cancelled (outer);
  rig_expect_cancelled (inner);
  for (guint i = 1; i < parts->len; i++)
    rig_expect_cancelled (parts->pdata[i]);
  g_assert_cmpint (dray_future_get_state (parts->pdata[0]), ==, DRAY_FUTURE_SUCCEEDED);
}

static void
test_cancel_shared (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) shared = NULL;
  g_autoptr (DrayFuture) all = NULL;
  g_autoptr (DrayFuture) first = NULL;

  g_test_summary ("A part that two combined futures wait for is cancelled when both are.");

  rig_start (rig, 1);
  shared = rig_call (rig, "block", NULL);
  all = dray_future_all (&shared, 1);
  first = dray_future_first (&shared, 1);
  rig_run_until_status (shared, "blocked");
  dray_future_cancel (all);
  rig_expect_cancelled (all);
  g_assert_cmpint (dray_future_get_state (shared), ==, DRAY_FUTURE_RUNNING);
  g_assert_cmpint (dray_future_get_state (first), ==, DRAY_FUTURE_PENDING);
  dray_future_cancel (first);
  rig_expect_cancelled (shared);
  rig_expect_cancelled (first);
}

static void
test_parts_go_on (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) blocked = NULL;
  g_autoptr (DrayFuture) last = NULL;
  static const Combine ways[] = { dray_future_all_race, dray_future_any, dray_future_first };

  g_test_summary ("What is done before all of its parts leaves the others alone, also when it is "
                  "cancelled afterwards.");

  rig_start (rig, 2);
  blocked = rig_call (rig, "block", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_autoptr (DrayFuture) part = submit_part (rig, i == 0 ? 'f' : '1');
      g_autoptr (DrayFuture) future = ways[i]((DrayFuture *[]){ blocked, part }, 2);

      g_assert_true (dray_future_wait (future, -1, NULL, NULL));
      dray_future_cancel (future);
      g_assert_cmpint (dray_future_get_state (future), !=, DRAY_FUTURE_CANCELLED);
    }
  g_assert_false (dray_future_is_done (blocked));

  /* They do not wait for it any more: it is cancelled with the only one that does. */
  last = dray_future_all (&blocked, 1);
  dray_future_cancel (last);
  rig_expect_cancelled (blocked);
}

static gpointer
cancel_future_thread (gpointer future)
{
  dray_future_cancel (future);

  return NULL;
}

static void
test_cancel_race (Rig *rig, gconstpointer data)
{
  g_test_summary ("A cancel that meets the completion of the last part ends the combined future "
                  "once: with the results or cancelled.");

  rig_start (rig, 2);
  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (GPtrArray) parts = new_futures ();
      g_autoptr (WorkshopRecord) record = NULL;
      GThread *thread;

      for (guint j = 0; j < 4; j++)
        g_ptr_array_add (parts, rig_call (rig, "add", "(ii)", 1, 1));
      record = workshop_watch (combine (i % 2 ? dray_future_all : dray_future_first, parts));
      for (guint j = 0; j < i % 4; j++)
        g_assert_true (dray_future_wait (parts->pdata[j], -1, NULL, NULL));
      thread = g_thread_new ("cancels", cancel_future_thread, record->future);
      g_assert_true (dray_future_wait (record->future, -1, NULL, NULL));
      g_thread_join (thread);
      workshop_iterate_until_told (record);
      g_assert_cmpint (dray_future_get_state (record->future), !=, DRAY_FUTURE_FAILED);
      g_assert_cmpuint (record->n_done, ==, 1);
    }
}

typedef struct
{
  DrayFuture *future; /* (owned) */
  guint n_looks;
  int n_ready; /* atomic: of two threads */
} Canceller;

/* Until the other one is here as well. */
static void
meet (Canceller *self)
{
  g_atomic_int_inc (&self->n_ready);
  while (g_atomic_int_get (&self->n_ready) < 2)
    ;
}

static gpointer
canceller_run (gpointer data)
{
  Canceller *self = data;

  meet (self);
  for (guint i = 0; i < self->n_looks; i++)
    (void) g_atomic_int_get (&self->n_ready);
  dray_future_cancel (self->future);

  return NULL;
}

/* The first of @parts, none of which runs, is done at the moment in which what they are combined to
 * is cancelled. */
static void
race_for_the_others (GPtrArray *parts, DrayExecutor *first_executor, guint round)
{
  Combine how = round % 2 ? dray_future_first : dray_future_all_race;
  Canceller canceller = { .future = combine (how, parts), .n_looks = round % 100 * 20 };
  GThread *thread = g_thread_new ("cancels", canceller_run, &canceller);
  DrayFutureState state;

  meet (&canceller);
  g_assert_true (dray_executor_shutdown_sync (first_executor, DRAY_SHUTDOWN_KILL, NULL, NULL));
  g_thread_join (thread);

  state = dray_future_get_state (canceller.future);
  g_assert_true (state == DRAY_FUTURE_CANCELLED || state == DRAY_FUTURE_FAILED);
  for (guint i = 1; i < parts->len; i++)
    g_assert_cmpint (dray_future_get_state (parts->pdata[i]), ==,
                     state == DRAY_FUTURE_CANCELLED ? state : DRAY_FUTURE_PENDING);
  g_object_unref (canceller.future);
}

static void
test_cancel_race_early (Rig *rig, gconstpointer data)
{
  g_test_summary ("A cancel that meets the first part that is done, where that is enough, cancels "
                  "the combined future with all of its parts, or is too late for any of them.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  for (guint i = 0; i < 1000; i++)
    {
      g_autoptr (DrayExecutor) first_executor = workshop_new (1);
      g_autoptr (GPtrArray) parts = new_futures ();

      dray_executor_set_paused (first_executor, TRUE);
      g_ptr_array_add (parts, dray_executor_call (first_executor, "null", NULL));
      for (guint j = 0; j < 10; j++)
        g_ptr_array_add (parts, rig_call (rig, "null", NULL));
      race_for_the_others (parts, first_executor, i);
      dray_executor_cancel_all (rig->executor);
      rig_run_until_all_done (parts);
    }
}

/* Ending executors, dropping handles */

static void
test_shutdown (Rig *rig, gconstpointer data)
{
  DrayShutdownMode mode = GPOINTER_TO_UINT (data);
  static const int states[] = { DRAY_FUTURE_SUCCEEDED, DRAY_FUTURE_CANCELLED, DRAY_FUTURE_FAILED,
                                DRAY_FUTURE_FAILED };
  g_autoptr (GPtrArray) parts = new_futures ();
  g_autoptr (WorkshopRecord) all = NULL;

  g_test_summary (
    "However an executor is shut down, what is combined of its tasks is done when they "
    "are, as they are, and tells so.");

  rig_start (rig, 1);
  g_ptr_array_add (parts, rig_call (rig, "sleep", "(u)", 5));
  workshop_block_until_running (parts->pdata[0]);
  dray_executor_set_paused (rig->executor, TRUE); /* the others are pending, however slow this is */
  for (guint i = 0; i < 20; i++)
    g_ptr_array_add (parts, rig_call (rig, "sleep", "(u)", 5));
  all = workshop_watch (combine (dray_future_all, parts));
  rig_shut_down (rig, mode);

  g_assert_cmpint (dray_future_get_state (all->future), ==, states[mode]);
  workshop_iterate_until_told (all);
  rig_run_until_all_done (parts);
}

static void
test_survives_executor (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (GPtrArray) parts = new_futures ();
  g_autoptr (WorkshopRecord) all = NULL;
  g_autoptr (WorkshopRecord) late = NULL;
  gboolean shut_down;

  g_test_summary ("A combined future is told of long after the executor of its first part is gone, "
                  "and may be made of what is left of it.");

  rig_start (rig, 1);
  g_ptr_array_add (parts, rig_call (rig, "add", "(ii)", 1, 2));
  g_ptr_array_add (parts, dray_executor_call (other, "block", NULL));
  all = workshop_watch (combine (dray_future_first, parts));
  workshop_iterate_until_told (all);
  g_clear_pointer (&all, workshop_record_free);

  all = workshop_watch (combine (dray_future_all, parts));
  shut_down = dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
  g_assert_true (shut_down);
  late = workshop_watch (combine (dray_future_all, parts));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (all->n_done, ==, 0);

  dray_future_cancel (parts->pdata[1]);
  workshop_iterate_until_told (all);
  workshop_iterate_until_told (late);
  workshop_assert_cancelled (all);
  workshop_assert_cancelled (late);
}

static void
test_executor_is_dropped (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) parts = new_futures ();
  g_autoptr (WorkshopRecord) all = NULL;
  g_autoptr (WorkshopRecord) any = NULL;

  g_test_summary ("With its executor dropped, a combined future fails as its parts do.");

  rig_start (rig, 1);
  g_ptr_array_add (parts, rig_call (rig, "block", NULL));
  g_ptr_array_add (parts, rig_call (rig, "null", NULL));
  all = workshop_watch (combine (dray_future_all, parts));
  any = workshop_watch (combine (dray_future_any, parts));
  g_clear_object (&rig->executor);
  workshop_iterate_until_told (all);
  workshop_iterate_until_told (any);
  workshop_assert_failed (all, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  workshop_assert_failed (any, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
}

static void
note_done_cb (DrayFuture *future, gpointer user_data)
{
  guint *n_done = user_data;

  (*n_done)++;
}

static gboolean
is_zero (gpointer user_data)
{
  const guint *n = user_data;

  return *n == 0;
}

static void
note_destroyed (gpointer user_data)
{
  guint *n_left = user_data;

  (*n_left)--;
}

static void
ignore_done_cb (DrayFuture *future, gpointer user_data)
{
}

static void
test_dropped_handles (Rig *rig, gconstpointer data)
{
  static const Combine ways[] = { dray_future_all, dray_future_all_race, dray_future_any,
                                  dray_future_first };
  guint n_left = 0;

  g_test_summary ("Parts and combined futures are dropped in any order, before or after they are "
                  "done, with callbacks or without; the results of dropped parts are kept.");

  rig->drops_futures = TRUE;
  rig_start (rig, 2);
  for (guint i = 0; i < 200; i++)
    {
      g_autoptr (GPtrArray) parts = new_futures ();
      g_autoptr (DrayFuture) future = NULL;

      for (guint j = 0; j < 3; j++)
        g_ptr_array_add (parts, rig_call (rig, "add", "(ii)", (int) j, 0));
      future = combine (ways[i % 4], parts);
      if (i % 3 == 0)
        g_clear_object (&future);
      if (i % 5 == 0)
        g_assert_true (dray_future_wait (parts->pdata[i % 3], -1, NULL, NULL));
      g_ptr_array_set_size (parts, i % 3);
      if (future == NULL)
        continue;

      n_left++;
      dray_future_add_done_callback (future, ignore_done_cb, &n_left, note_destroyed);
    }
  fixture_iterate_until (is_zero, &n_left, "every callback came");

  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (GPtrArray) parts = submit_large (rig->executor, 3);
      g_autoptr (DrayFuture) all = combine (dray_future_all, parts);

      g_ptr_array_set_size (parts, 0);
      assert_all_large (all, 3);
    }
}

static gpointer
context_thread (gpointer data)
{
  Rig *rig = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayFuture) future = NULL;
  guint n_done = 0;

  g_main_context_push_thread_default (context);
  future = combine_one (dray_future_all, rig_call (rig, "null", NULL));
  dray_future_add_done_callback (future, note_done_cb, &n_done, NULL);
  fixture_run_until_done (future);
  g_assert_cmpuint (n_done, ==, 1);
  g_main_context_pop_thread_default (context);

  return NULL;
}

static void
test_contexts (Rig *rig, gconstpointer data)
{
  GThread *threads[4];

  g_test_summary ("Threads with main contexts of their own are told there.");

  rig_start (rig, 2);
  for (guint round = 0; round < 20; round++)
    {
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("combines", context_thread, rig);
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
    }
}

/* Deep and wide */

static void
test_deep (Rig *rig, gconstpointer data)
{
  gboolean cancel = GPOINTER_TO_INT (data);
  g_autoptr (DrayFuture) part = NULL;
  g_autoptr (DrayFuture) outermost = NULL;

  g_test_summary (
    "A future that is combined a hundred thousand times over is done when its part is, "
    "and cancelled with it or after it, with no deep stack.");

  rig_start (rig, 1);
  part = rig_call (rig, cancel ? "block" : "sleep", cancel ? NULL : "(u)", 300);
  outermost = g_object_ref (part);
  for (guint i = 0; i < MANY; i++)
    outermost = combine_one (i % 2 ? dray_future_first : dray_future_any, outermost);

  if (cancel)
    dray_future_cancel (outermost);
  g_assert_true (dray_future_wait (outermost, -1, NULL, NULL));
  g_assert_true (dray_future_wait (part, -1, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (part), ==,
                   cancel ? DRAY_FUTURE_CANCELLED : DRAY_FUTURE_SUCCEEDED);
  g_assert_cmpint (dray_future_get_state (outermost), ==, dray_future_get_state (part));
}

static void
test_wide (Rig *rig, gconstpointer data)
{
  const int n_tasks = (int) workshop_some_of (MANY);
  g_autoptr (GPtrArray) parts = new_futures ();
  g_autoptr (DrayFuture) all = NULL;
  g_autoptr (GVariant) results = NULL;

  g_test_summary ("Tasks are waited for as one: a hundred thousand with “-m slow”.");

  rig_start (rig, 2);
  for (int i = 0; i < n_tasks; i++)
    g_ptr_array_add (parts, rig_call (rig, "add", "(ii)", i, 0));
  all = combine (dray_future_all, parts);
  g_ptr_array_set_size (parts, 0);
  results = dray_future_wait_result (all, -1, NULL, NULL);
  g_assert_nonnull (results);
  g_assert_cmpuint (g_variant_n_children (results), ==, n_tasks);
  for (int i = 0; i < n_tasks; i += 1000)
    {
      g_autoptr (GVariant) boxed = g_variant_get_child_value (results, (gsize) i);
      g_autoptr (GVariant) value = g_variant_get_variant (boxed);

      g_assert_cmpint (g_variant_get_int32 (value), ==, i);
    }
}

static void
test_wide_cancel (Rig *rig, gconstpointer data)
{
  const int n_tasks = (int) workshop_some_of (MANY);
  g_autoptr (GPtrArray) parts = new_futures ();
  g_autoptr (DrayFuture) all = NULL;

  g_test_summary ("Tasks are cancelled as one, a hundred thousand with “-m slow”, and none but the "
                  "first ever runs.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL); /* enough on a busy machine, too */
  g_ptr_array_add (parts, rig_call (rig, "block", NULL));
  rig_run_until_status (parts->pdata[0], "blocked");
  for (int i = 0; i < n_tasks; i++)
    g_ptr_array_add (parts, rig_call (rig, "exit", "(i)", 1));
  all = combine (dray_future_all, parts);
  dray_future_cancel (all);
  for (guint i = 0; i < parts->len; i++)
    g_assert_cmpint (dray_future_get_state (parts->pdata[i]), ==, DRAY_FUTURE_CANCELLED);
  rig_expect_cancelled (all);
  rig_run_until_all_done (parts);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (endings); i++)
    {
      g_autofree char *path = g_strdup_printf ("/combine/ending/%s", endings[i].name);

      rig_add (path, &endings[i], test_ending);
    }
  rig_add ("/combine/errors", NULL, test_errors);
  rig_add ("/combine/identity", NULL, test_identity);
  rig_add ("/combine/bad-arguments", NULL, test_bad_arguments);
  rig_add ("/combine/wait", NULL, test_wait);
  rig_add ("/combine/wait/paused", NULL, test_wait_paused);
  rig_add ("/combine/wait/inside", NULL, test_wait_inside);
  rig_add ("/combine/wait/cancelled", NULL, test_wait_is_cancelled);
  rig_add ("/combine/cancel", NULL, test_cancel);
  rig_add ("/combine/cancel/shared", NULL, test_cancel_shared);
  rig_add ("/combine/cancel/parts-go-on", NULL, test_parts_go_on);
  rig_add ("/combine/cancel/race", NULL, test_cancel_race);
  rig_add ("/combine/cancel/race/early", NULL, test_cancel_race_early);
  rig_add_modes ("/combine/shutdown", test_shutdown);
  rig_add ("/combine/survives-executor", NULL, test_survives_executor);
  rig_add ("/combine/executor-is-dropped", NULL, test_executor_is_dropped);
  rig_add ("/combine/dropped-handles", NULL, test_dropped_handles);
  rig_add ("/combine/contexts", NULL, test_contexts);
  rig_add ("/combine/deep", GINT_TO_POINTER (FALSE), test_deep);
  rig_add ("/combine/deep/cancel", GINT_TO_POINTER (TRUE), test_deep);
  rig_add ("/combine/wide", NULL, test_wide);
  rig_add ("/combine/wide/cancel", NULL, test_wide_cancel);

  return g_test_run ();
}
