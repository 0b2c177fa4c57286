/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "puller.h"
#include "workshop.h"

/* Tasks of one key, which share one run. How often a function was called can be seen from the
 * worker's counter. How a shared run may end is in test-sharing-ending.c. */

static DrayTask *
new_task (const char *key, const char *function, const char *arguments)
{
  DrayTask *task = rig_new_task (function, arguments);

  dray_task_set_key (task, key);
  return task;
}

static DrayFuture *
submit (Rig *rig, const char *key, const char *function, const char *arguments)
{
  return rig_submit (rig, new_task (key, function, arguments));
}

static void
start_paused (Rig *rig)
{
  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
}

static GPtrArray *
new_futures (void)
{
  return g_ptr_array_new_with_free_func (g_object_unref);
}

/* Once */

static void
test_once (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = new_futures ();

  g_test_summary ("Tasks with a key that are submitted before the first is done are run once, and "
                  "all get the result.");

  start_paused (rig);
  for (int i = 0; i < 5; i++)
    g_ptr_array_add (futures, submit (rig, "key", "counter", NULL));
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 1);
  dray_executor_set_paused (rig->executor, FALSE);
  for (guint i = 0; i < futures->len; i++)
    {
      g_assert_cmpuint (rig_expect_uint32 (futures->pdata[i]), ==, 1);
      for (guint j = 0; j < i; j++)
        g_assert_cmpuint (dray_future_get_id (futures->pdata[i]), !=,
                          dray_future_get_id (futures->pdata[j]));
    }
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, 5);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, 5);
  g_assert_cmpuint (rig_get_count (rig, running), ==, 0);
}

static void
test_again (Rig *rig, gconstpointer data)
{
  g_test_summary ("When the first is done, the next one is run.");

  rig_start (rig, 1);
  for (guint i = 1; i <= 5; i++)
    {
      g_autoptr (DrayFuture) future = submit (rig, "key", "counter", NULL);

      g_assert_cmpuint (rig_expect_uint32 (future), ==, i);
    }
}

static void
test_apart (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = new_futures ();
  DrayTask *pulled = new_task ("key", "counter", NULL);

  g_test_summary ("What has another key, or none, calls another function, or is pulled, is run by "
                  "itself.");

  start_paused (rig);
  dray_task_set_pull (pulled, TRUE);
  g_ptr_array_add (futures, submit (rig, "key", "counter", NULL));
  g_ptr_array_add (futures, submit (rig, "other", "counter", NULL));
  g_ptr_array_add (futures, submit (rig, "", "counter", NULL));
  g_ptr_array_add (futures, submit (rig, NULL, "counter", NULL));
  g_ptr_array_add (futures, submit (rig, NULL, "counter", NULL));
  g_ptr_array_add (futures, rig_submit (rig, pulled));
  g_ptr_array_add (futures, submit (rig, "key", "attempt", NULL));
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 7);
  dray_executor_set_paused (rig->executor, FALSE);
  for (guint i = 0; i < 6; i++)
    g_assert_cmpuint (rig_expect_uint32 (futures->pdata[i]), ==, i + 1);
  g_assert_cmpuint (rig_expect_uint32 (futures->pdata[6]), ==, 1);
}

static void
test_command (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "lines");
  g_autofree char *script = g_strdup_printf ("echo line >>'%s'; cat", path);
  const char *argv[] = { "sh", "-c", script, NULL };
  g_autoptr (GPtrArray) futures = new_futures ();
  g_autofree char *lines = NULL;

  g_test_summary ("Commands are run once as well.");

  rig_start_without_workers (rig);
  dray_executor_set_paused (rig->executor, TRUE);
  for (int i = 0; i < 3; i++)
    {
      DrayTask *task = dray_task_new_command (argv);
      g_autoptr (GBytes) input = g_bytes_new_static ("input", 5);

      dray_task_set_input_bytes (task, input);
      dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
      dray_task_set_key (task, "key");
      g_assert_cmpstr (dray_task_get_key (task), ==, "key");
      g_ptr_array_add (futures, rig_submit (rig, task));
    }
  dray_executor_set_paused (rig->executor, FALSE);
  for (guint i = 0; i < 3; i++)
    rig_expect_text (futures->pdata[i], "'input'");
  g_assert_cmpuint (rig_get_count (rig, commands_started), ==, 1);
  g_assert_true (g_file_get_contents (path, &lines, NULL, NULL));
  g_assert_cmpstr (lines, ==, "line\n");
}

static void
test_attachments (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (GUnixFDList) attachments = NULL;
  g_autoptr (GUnixFDList) same = NULL;

  g_test_summary ("Open files that come with the result are there for all, and outlive the future "
                  "that is dropped first.");

  start_paused (rig);
  first = submit (rig, "key", "return-attachments", "(['one', 'two'],)");
  second = submit (rig, "key", "return-attachments", "(['one', 'two'],)");
  dray_executor_set_paused (rig->executor, FALSE);
  g_assert_cmpuint (rig_expect_uint32 (first), ==, 2);
  same = dray_future_dup_attachments (first);
  g_clear_object (&first);
  g_assert_cmpuint (rig_expect_uint32 (second), ==, 2);
  attachments = dray_future_dup_attachments (second);
  g_assert_nonnull (attachments);
  g_assert_true (attachments == same);
  g_assert_cmpint (g_unix_fd_list_get_length (attachments), ==, 2);
}

/* Late */

static DrayFuture *
pull_numbers (Rig *rig)
{
  DrayTask *task = new_task ("key", "numbers", "(uint32 200000, false)");

  dray_task_set_pull (task, TRUE);
  return rig_submit (rig, task);
}

static void
test_late (Rig *rig, gconstpointer data)
{
  g_auto (Puller) puller = { .max_items = 1000 };
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) late = NULL;
  g_autoptr (GVariant) item = NULL;

  g_test_summary ("Who joins while the task runs gets the items from then on, all of them, and the "
                  "first is not disturbed.");

  rig_start (rig, 1);
  first = pull_numbers (rig);
  for (int i = 0; i < 100; i++)
    puller_check_number (dray_future_wait_next_item (first, -1, NULL, NULL), &puller.n_items);
  late = pull_numbers (rig);
  g_assert_cmpint (dray_future_get_state (late), ==, DRAY_FUTURE_RUNNING);
  puller_pull_all (first, &puller);
  g_assert_cmpuint (puller.n_items, ==, 200000);

  item = dray_future_wait_next_item (late, -1, NULL, NULL);
  puller.n_items = g_variant_get_uint32 (item) + 1;
  g_assert_cmpuint (puller.n_items, >, 100);
  puller_pull_all (late, &puller);
  g_assert_cmpuint (puller.n_items, ==, 200000);
  g_assert_cmpuint (rig_expect_uint32 (late), ==, 200000);
}

static void
test_late_progress (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) late = NULL;
  g_autofree char *status = NULL;

  g_test_summary ("Who joins while the task runs knows its progress.");

  rig_start (rig, 1);
  first = submit (rig, "key", "numbers", "(uint32 40, true)");
  rig_run_until_status (first, "40");
  late = submit (rig, "key", "numbers", "(uint32 40, true)");
  status = dray_future_dup_status (late);
  g_assert_cmpstr (status, ==, "40");
  g_assert_cmpfloat (dray_future_get_progress (late), ==, 1);
  dray_executor_cancel_all (rig->executor);
  rig_expect_cancelled (first);
  rig_expect_cancelled (late);
}

static void
test_items (Rig *rig, gconstpointer data)
{
  WorkshopRecord *records[3];

  g_test_summary ("Each future is told all items and its end, in order.");

  start_paused (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (records); i++)
    records[i] = workshop_watch (submit (rig, "key", "stream", "(uint32 3000, uint32 100)"));
  dray_executor_set_paused (rig->executor, FALSE);
  for (gsize i = 0; i < G_N_ELEMENTS (records); i++)
    {
      workshop_iterate_until_told (records[i]);
      workshop_assert_succeeded (records[i]);
      g_assert_cmpuint (records[i]->n_items, ==, 3000);
      workshop_record_free (records[i]);
    }
  g_assert_cmpuint (rig_get_count (rig, items), ==, 3000);
  g_assert_cmpuint (rig_get_count (rig, undelivered_items), ==, 0);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

/* Contexts */

typedef struct
{
  Rig *rig;        /* (unowned) */
  GThread *thread; /* where the callbacks come */
  guint n_items;
} Elsewhere;

static void
item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  Elsewhere *elsewhere = user_data;

  g_assert_true (g_thread_self () == elsewhere->thread);
  elsewhere->n_items++;
}

static gpointer
submit_thread (gpointer user_data)
{
  Elsewhere *elsewhere = user_data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayFuture) future = NULL;

  elsewhere->thread = g_thread_self ();
  g_main_context_push_thread_default (context);
  future = submit (elsewhere->rig, "key", "stream", "(uint32 3000, uint32 100)");
  g_signal_connect (future, "item", G_CALLBACK (item_cb), elsewhere);
  dray_executor_set_paused (elsewhere->rig->executor, FALSE);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 3000);
  g_main_context_pop_thread_default (context);

  return NULL;
}

static void
test_contexts (Rig *rig, gconstpointer data)
{
  Elsewhere here = { rig, g_thread_self (), 0 };
  Elsewhere there = { rig, NULL, 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Each future's callbacks come in the main context that it was submitted from, "
                  "whether or not the other one is iterated.");

  start_paused (rig);
  future = submit (rig, "key", "stream", "(uint32 3000, uint32 100)");
  g_signal_connect (future, "item", G_CALLBACK (item_cb), &here);
  g_thread_join (g_thread_new ("submit", submit_thread, &there));
  g_assert_cmpuint (there.n_items, ==, 3000);
  g_assert_cmpuint (here.n_items, ==, 0);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 3000);
  g_assert_cmpuint (here.n_items, ==, 3000);
}

/* Priorities */

static void
test_priority (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = new_futures ();
  DrayTask *urgent = new_task ("key", "counter", NULL);
  g_autoptr (DrayFuture) joined = NULL;
  g_autoptr (DrayFuture) left = NULL;

  g_test_summary ("A run has the most urgent priority of those that share it, while they do.");

  start_paused (rig);
  for (int i = 0; i < 3; i++)
    g_ptr_array_add (futures, submit (rig, NULL, "counter", NULL));
  g_ptr_array_add (futures, submit (rig, "key", "counter", NULL));
  g_ptr_array_add (futures, submit (rig, "other", "counter", NULL));
  dray_task_set_priority (urgent, -5);
  joined = rig_submit (rig, urgent);
  left = submit (rig, "other", "counter", NULL);
  g_assert_true (dray_future_set_priority (left, -10));
  g_assert_cmpint (dray_future_get_priority (left), ==, -10);
  g_assert_cmpint (dray_future_get_priority (futures->pdata[4]), ==, 0);
  g_assert_true (dray_future_set_priority (futures->pdata[3], 100));
  dray_future_cancel (left);
  rig_expect_cancelled (left);
  g_assert_false (dray_future_set_priority (left, -11));

  dray_executor_set_paused (rig->executor, FALSE);
  g_assert_cmpuint (rig_expect_uint32 (futures->pdata[3]), ==, 1);
  g_assert_cmpuint (rig_expect_uint32 (joined), ==, 1);
  g_assert_cmpuint (rig_expect_uint32 (futures->pdata[0]), ==, 2);
  g_assert_cmpuint (rig_expect_uint32 (futures->pdata[2]), ==, 4);
  g_assert_cmpuint (rig_expect_uint32 (futures->pdata[4]), ==, 5);
}

/* Limits */

static void
test_queue_full (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = new_futures ();
  g_autoptr (DrayFuture) refused = NULL;

  g_test_summary ("Those that wait for the run of another count as pending: memory stays bounded.");

  start_paused (rig);
  g_object_set (rig->executor, "max-pending-tasks", 10, NULL);
  for (int i = 0; i < 10; i++)
    g_ptr_array_add (futures, submit (rig, "key", "counter", NULL));
  refused = submit (rig, "key", "counter", NULL);
  rig_expect_error (refused, DRAY_ERROR, DRAY_ERROR_QUEUE_FULL, NULL);
  dray_future_cancel (futures->pdata[0]);
  g_ptr_array_add (futures, submit (rig, "key", "counter", NULL));
  dray_executor_set_paused (rig->executor, FALSE);
  rig_expect_cancelled (futures->pdata[0]);
  for (guint i = 1; i < futures->len; i++)
    g_assert_cmpuint (rig_expect_uint32 (futures->pdata[i]), ==, 1);
}

static gboolean
is_held_back (gpointer user_data)
{
  return rig_get_count (user_data, undelivered_bytes) >= 1024 * 1024;
}

static DrayFuture *
pull_stream (Rig *rig)
{
  DrayTask *task = new_task ("key", "stream", "(uint32 20000, uint32 2000)");

  dray_task_set_pull (task, TRUE);
  return rig_submit (rig, task);
}

static void
pull_whole_stream (DrayFuture *future)
{
  for (int i = 0; i < 20000; i++)
    {
      g_autoptr (GVariant) item = dray_future_wait_next_item (future, -1, NULL, NULL);

      g_assert_nonnull (item);
    }
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 20000);
}

/* The other one, which is not read yet, is not read ahead for it. */
static void
discard_and_look (Rig *rig, DrayFuture *future)
{
  dray_future_discard_items (future);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <, 8 * 1024 * 1024);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);
}

typedef enum
{
  WAITS,
  DROPPED,
  DISCARDS,
} Slowness;

/* Two share a run, and the first one is (@data) dropped, or wants no items any more, or is just
 * slow. */
static void
test_slowest (Rig *rig, gconstpointer data)
{
  const Slowness slowness = GPOINTER_TO_INT (data);
  g_autoptr (DrayFuture) slow = NULL;
  g_autoptr (DrayFuture) quick = NULL;

  g_test_summary ("The worker waits for the slowest reader, but not while somebody waits for the "
                  "other; when the slow one is dropped, or wants no more items, it goes on.");

  rig->drops_futures = TRUE;
  start_paused (rig);
  slow = pull_stream (rig);
  quick = pull_stream (rig);
  dray_executor_set_paused (rig->executor, FALSE);
  workshop_block_until (is_held_back, rig, "the limit is met");
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <, 16 * 1024 * 1024);

  if (slowness == DROPPED)
    g_clear_object (&slow);
  else if (slowness == DISCARDS)
    discard_and_look (rig, slow);
  else
    g_assert_true (dray_future_wait (quick, -1, NULL, NULL));
  pull_whole_stream (quick);
  if (slowness == DISCARDS)
    g_assert_cmpuint (rig_expect_uint32 (slow), ==, 20000);
  else if (slowness == WAITS)
    pull_whole_stream (slow);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

static void
test_list (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = new_futures ();
  GListModel *list;

  g_test_summary ("The list of futures has those that were submitted, and nothing else.");

  start_paused (rig);
  g_ptr_array_add (futures, submit (rig, "key", "counter", NULL));
  list = dray_executor_get_futures (rig->executor);
  for (int i = 0; i < 2; i++)
    g_ptr_array_add (futures, submit (rig, "key", "counter", NULL));
  while (g_list_model_get_n_items (list) < 3)
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (DrayFuture) future = g_list_model_get_item (list, i);

      g_assert_true (future == futures->pdata[i]);
    }
  dray_executor_set_paused (rig->executor, FALSE);
  rig_run_until_all_done (futures);
  while (g_list_model_get_n_items (list) > 0)
    g_main_context_iteration (NULL, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/sharing/once", NULL, test_once);
  rig_add ("/sharing/again", NULL, test_again);
  rig_add ("/sharing/apart", NULL, test_apart);
  rig_add ("/sharing/command", NULL, test_command);
  rig_add ("/sharing/attachments", NULL, test_attachments);
  rig_add ("/sharing/late", NULL, test_late);
  rig_add ("/sharing/late/progress", NULL, test_late_progress);
  rig_add ("/sharing/items", NULL, test_items);
  rig_add ("/sharing/contexts", NULL, test_contexts);
  rig_add ("/sharing/priority", NULL, test_priority);
  rig_add ("/sharing/queue-full", NULL, test_queue_full);
  rig_add ("/sharing/slowest/waits", GINT_TO_POINTER (WAITS), test_slowest);
  rig_add ("/sharing/slowest/dropped", GINT_TO_POINTER (DROPPED), test_slowest);
  rig_add ("/sharing/slowest/discards", GINT_TO_POINTER (DISCARDS), test_slowest);
  rig_add ("/sharing/list", NULL, test_list);

  return g_test_run ();
}
