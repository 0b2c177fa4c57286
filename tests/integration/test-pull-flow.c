/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "puller.h"
#include "workshop.h"

#include <signal.h>
#include <string.h>

/*
 * What pulling does to the worker: what nobody pulls stays in its pipe, and it waits. Nobody else
 * has to wait for that, and nothing hangs of it.
 */

/* As is told of the properties of the executor. */
#define AHEAD_BYTES (1024 * 1024)
#define AHEAD_ITEMS 1024
/* What is read in one go before the limit is looked at again, and what the buffers hold. */
#define SLACK (3 * 1024 * 1024)

#define ITEM_SIZE 2000
#define N_ITEMS 20000 /* ten times what all buffers hold */

/* A stream that keeps in a file how much of it was sent, read ahead to its limit. */
static DrayFuture *
start_unread (Rig *rig, const char *path, guint n_items)
{
  g_autofree char *arguments = g_strdup_printf ("(uint32 %u, uint32 %u, '%s')", n_items,
                                                (guint) ITEM_SIZE, path);
  guint64 unread = rig_get_count (rig, undelivered_bytes);
  DrayFuture *future = puller_submit (rig, "counted-stream", arguments);

  workshop_block_until_undelivered (rig->executor, unread + AHEAD_BYTES);
  return future;
}

/* How many items the worker has sent so far. */
static guint32
count_sent (const char *path)
{
  g_autofree char *bytes = NULL;
  gsize size;
  guint32 n_sent;

  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  g_assert_cmpuint (size, ==, sizeof n_sent);
  memcpy (&n_sent, bytes, sizeof n_sent);
  return n_sent;
}

typedef struct
{
  const char *path; /* (unowned) */
  int pid;
  guint32 n_sent;
  guint n_looks; /* since when nothing has changed */
} SentWait;

/* That nothing more was sent could mean that the worker has no processor. */
static gboolean
is_waiting (gpointer user_data)
{
  SentWait *self = user_data;
  const guint32 n_sent = count_sent (self->path);

  self->n_looks = n_sent == self->n_sent && fixture_is_asleep (GINT_TO_POINTER (self->pid))
                    ? self->n_looks + 1
                    : 0;
  self->n_sent = n_sent;

  return n_sent > 0 && self->n_looks >= 3;
}

/* Pulls all with no main loop; returns how many there were. */
static guint
pull_all (DrayFuture *future)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *items;
  guint n_items = 0;

  while ((items = dray_future_wait_next_items (future, 0, -1, NULL, &error)) != NULL)
    {
      n_items += items->len;
      g_ptr_array_unref (items);
    }
  g_assert_no_error (error);

  return n_items;
}

static void
pull_one (DrayFuture *future)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) item = dray_future_wait_next_item (future, -1, NULL, &error);

  g_assert_no_error (error);
  workshop_assert_bytes (item, ITEM_SIZE);
}

/* Bounded */

static void
test_unread (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "sent");
  g_autoptr (DrayFuture) future = NULL;
  SentWait wait = { .path = path };

  g_test_summary (
    "What nobody pulls stays in the worker's pipe, and the worker waits, main loop or "
    "not; later everything is there.");

  rig_start (rig, 1);
  wait.pid = rig_ask_pid (rig);
  future = start_unread (rig, path, N_ITEMS);
  rig_let_time_pass ();
  workshop_block_until (is_waiting, &wait, "the worker waits");
  g_assert_cmpuint (wait.n_sent, <, (AHEAD_BYTES + SLACK) / ITEM_SIZE);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <, AHEAD_BYTES + SLACK);
  g_assert_cmpuint (rig_get_count (rig, undelivered_items), ==, rig_get_count (rig, items));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  rig_let_time_pass ();
  g_assert_cmpuint (count_sent (path), ==, wait.n_sent);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);

  g_assert_cmpuint (pull_all (future), ==, N_ITEMS);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, N_ITEMS);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

static void
test_slow_reader (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "sent");
  g_autoptr (DrayFuture) future = NULL;
  const guint n_pulled = 5000;

  g_test_summary ("A reader is slower than the worker: the worker is never further ahead than the "
                  "limit and the pipe allow.");

  rig_start (rig, 1);
  future = start_unread (rig, path, G_MAXUINT32);
  for (guint i = 1; i <= n_pulled; i++)
    {
      pull_one (future);
      if (i % 500 == 0)
        rig_let_time_pass ();
      g_assert_cmpuint (count_sent (path), <, i + (AHEAD_BYTES + SLACK) / ITEM_SIZE);
      g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <, AHEAD_BYTES + SLACK);
    }
  g_assert_cmpuint (count_sent (path), >, n_pulled);

  dray_future_cancel (future);
  rig_expect_cancelled (future);
}

static void
test_tiny_items (Rig *rig, gconstpointer data)
{
  g_auto (Puller) self = { .max_items = 10 };
  g_autoptr (DrayFuture) future = NULL;
  guint64 n_items = 0, before;

  g_test_summary ("The number of items that are read ahead has a limit as well.");

  rig_start (rig, 1);
  future = puller_submit_numbers (rig, 500000);
  do
    {
      before = n_items;
      rig_let_time_pass ();
      n_items = rig_get_count (rig, undelivered_items);
    }
  while (n_items < AHEAD_ITEMS || n_items != before);
  /* A read is 64 KiB at least: of numbers, which have 40 bytes with their header, 1,600. */
  g_assert_cmpuint (n_items, <, AHEAD_ITEMS + SLACK / 40);

  puller_pull_all (future, &self);
  g_assert_no_error (self.error);
  g_assert_cmpuint (self.n_items, ==, 500000);
}

static gboolean
has_read_ahead (gpointer user_data)
{
  return rig_get_count (user_data, undelivered_items) >= AHEAD_ITEMS;
}

static void
test_lines (Rig *rig, gconstpointer data)
{
  const guint n_lines = 100 * 1000;
  const char *argv[] = { "seq", "-f", "%099g", "100000", NULL }; /* a hundred bytes each */
  DrayTask *task = dray_task_new_command (argv);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A command whose lines nobody pulls waits like a worker.");

  rig_start_without_workers (rig);
  dray_task_set_pull (task, TRUE);
  dray_task_set_split (task, DRAY_SPLIT_LINES);
  future = rig_submit (rig, task);
  workshop_block_until (has_read_ahead, rig, "lines were read ahead");
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <, AHEAD_BYTES + SLACK);
  g_assert_cmpuint (rig_get_count (rig, items), <, (AHEAD_BYTES + SLACK) / 100);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);

  g_assert_cmpuint (pull_all (future), ==, n_lines);
  rig_expect_text (future, "uint64 100000");
}

/* Others go on */

static void
test_others (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "sent");
  g_autoptr (DrayFuture) unread = NULL;
  g_autoptr (DrayFuture) pulled = NULL;
  WorkshopRecord *pushed;
  guint32 n_sent;

  g_test_summary ("While one worker waits for somebody to pull, streams of others are pushed and "
                  "pulled to their end.");

  rig_start (rig, 2);
  unread = start_unread (rig, path, N_ITEMS);
  n_sent = count_sent (path);
  pushed = workshop_watch (rig_call (rig, "stream", "(uu)", N_ITEMS, ITEM_SIZE));
  pulled = puller_submit (rig, "stream", "(uint32 20000, uint32 2000)");
  workshop_iterate_until_told (pushed);
  g_assert_cmpuint (pushed->n_items, ==, N_ITEMS);
  g_assert_cmpuint (pull_all (pulled), ==, N_ITEMS);
  g_assert_cmpuint (count_sent (path), <, n_sent + SLACK / ITEM_SIZE);
  g_assert_cmpint (dray_future_get_state (unread), ==, DRAY_FUTURE_RUNNING);

  g_assert_cmpuint (pull_all (unread), ==, N_ITEMS);
  workshop_record_free (pushed);
}

/* The limit of the executor is met by what nobody pulls, so to speak. */
static GPtrArray *
fill_executor (Rig *rig)
{
  GPtrArray *futures = g_ptr_array_new_with_free_func (g_object_unref);

  rig_start (rig, 5);
  g_object_set (rig->executor, "max-undelivered-bytes", (guint64) AHEAD_BYTES, NULL);
  for (int i = 0; i < 4; i++)
    {
      g_ptr_array_add (futures, puller_submit (rig, "stream", "(uint32 5000, uint32 1000)"));
      workshop_block_until_running (futures->pdata[i]);
    }
  workshop_block_until_undelivered (rig->executor, AHEAD_BYTES / 2);
  return futures;
}

static void
test_full_executor (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) unread = NULL;
  g_autoptr (DrayFuture) pulled = NULL;
  WorkshopRecord *pushed;

  g_test_summary ("What nobody pulls gets no more than its share of the executor's limit, and what "
                  "is pushed, or pulled, is not held up by it.");

  unread = fill_executor (rig);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <, AHEAD_BYTES + 4 * SLACK);
  pushed = workshop_watch (rig_call (rig, "stream", "(uu)", 5000, ITEM_SIZE));
  workshop_iterate_until_told (pushed);
  g_assert_cmpuint (pushed->n_items, ==, 5000);
  workshop_record_free (pushed);

  pulled = puller_submit (rig, "stream", "(uint32 5000, uint32 1000)");
  g_assert_cmpuint (pull_all (pulled), ==, 5000);
  for (guint i = 4; i > 0; i--)
    g_assert_cmpuint (pull_all (unread->pdata[i - 1]), ==, 5000);
  fixture_run_until_done (pulled);
  rig_run_until_all_done (unread);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

static void
test_lifted (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) unread = NULL;

  g_test_summary ("When the limit of the executor is lifted, what nobody pulls is read on at once, "
                  "each to its own limit.");

  unread = fill_executor (rig);
  g_object_set (rig->executor, "max-undelivered-bytes", (guint64) 0, NULL);
  workshop_block_until_undelivered (rig->executor, 4 * AHEAD_BYTES);
  dray_executor_cancel_all (rig->executor);
}

static gboolean
has_items (gpointer user_data)
{
  g_autoptr (GVariant) item = dray_future_wait_next_item (user_data, 0, NULL, NULL);

  return item != NULL;
}

static void
test_full_executor_poll (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) unread = NULL;
  g_autoptr (DrayFuture) polled = NULL;

  g_test_summary ("Who only looks, without waiting, gets an item sooner or later, even so.");

  unread = fill_executor (rig);
  polled = puller_submit (rig, "stream", "(uint32 5000, uint32 1000)");
  for (int i = 0; i < 5000; i++)
    workshop_block_until (has_items, polled, "there is an item");
  g_assert_null (dray_future_wait_next_item (polled, -1, NULL, NULL));
  g_assert_cmpint (dray_future_get_state (polled), ==, DRAY_FUTURE_SUCCEEDED);
  dray_executor_cancel_all (rig->executor);
}

static void
test_pending (Rig *rig, gconstpointer data)
{
  const gboolean pulls = GPOINTER_TO_INT (data);
  g_autofree char *path = rig_dup_path (rig, "sent");
  g_autofree char *other_path = rig_dup_path (rig, "other");
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) third = NULL;

  g_test_summary ("Somebody waits for a task, or for an item of it, that is pending behind others "
                  "which nobody pulls: their limits are lifted, and nothing is lost.");

  rig_start (rig, 2);
  first = start_unread (rig, path, 20000);
  second = start_unread (rig, other_path, 20000);
  third = puller_submit (rig, "stream", "(uint32 20000, uint32 1000)");
  if (pulls)
    g_assert_cmpuint (pull_all (third), ==, 20000);
  g_assert_true (dray_future_wait (third, -1, NULL, NULL));
  g_assert_true (dray_future_is_done (first) || dray_future_is_done (second));

  if (!pulls)
    g_assert_cmpuint (pull_all (third), ==, 20000);
  g_assert_cmpuint (pull_all (second), ==, 20000);
  g_assert_cmpuint (pull_all (first), ==, 20000);
}

/* Ends */

static void
test_wait (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "sent");
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A wait for the end lifts the limit; then everything is there to be pulled.");

  rig_start (rig, 1);
  future = start_unread (rig, path, N_ITEMS);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), >=, N_ITEMS * ITEM_SIZE);
  g_assert_cmpuint (pull_all (future), ==, N_ITEMS);
}

static gboolean
has_none_left (gpointer user_data)
{
  Rig *rig = user_data;

  return rig_get_count (rig, running) == 0;
}

static void
test_drop (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "sent");
  DrayFuture *future;
  int pid;

  g_test_summary ("The future is dropped while its worker waits: the task goes on to its end.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  future = start_unread (rig, path, N_ITEMS);
  g_object_unref (future);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
  workshop_block_until (has_none_left, rig, "the stream is done");
  g_assert_cmpuint (count_sent (path), ==, N_ITEMS);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

static void
test_discard (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "sent");
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) pending = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Nobody wants the items of a task, which runs or is still pending: it goes on to "
                  "its end, and has its result.");

  rig_start (rig, 1);
  future = start_unread (rig, path, N_ITEMS);
  pending = puller_submit (rig, "stream", "(uint32 20000, uint32 1000)");
  dray_future_discard_items (pending);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), >, 0);
  dray_future_discard_items (future);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
  workshop_block_until (has_none_left, rig, "both are done");
  g_assert_cmpuint (rig_get_count (rig, undelivered_items), <=, 2); /* their ends */

  g_assert_null (dray_future_wait_next_item (future, -1, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, N_ITEMS);
  g_assert_cmpuint (rig_expect_uint32 (pending), ==, 20000);
  g_assert_cmpuint (count_sent (path), ==, N_ITEMS);
  dray_future_discard_items (future);
}

static void
test_cancel (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "sent");
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  g_test_summary ("The task is cancelled while its worker waits, which stops it and lives on.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  pid = rig_ask_pid (rig);
  future = start_unread (rig, path, G_MAXUINT32);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

static void
test_time_limit (Rig *rig, gconstpointer data)
{
  DrayTask *task = rig_new_task ("stream", "(uint32 4294967295, uint32 1000)");
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  g_test_summary (
    "The time of a task is over while its worker waits, which stops it and lives on.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  pid = rig_ask_pid (rig);
  dray_task_set_pull (task, TRUE);
  dray_task_set_time_limit (task, 200);
  future = rig_submit (rig, task);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

static void
test_crash (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "sent");
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  GVariant *item;
  guint32 n_items = 0;
  int pid;

  g_test_summary ("A worker is killed while it waits: what it had written is all there, then comes "
                  "the error.");

  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  future = start_unread (rig, path, N_ITEMS);
  rig_let_time_pass ();
  kill (pid, SIGKILL);
  while ((item = dray_future_wait_next_item (future, -1, NULL, &error)) != NULL)
    {
      n_items++;
      g_variant_unref (item);
    }
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
  /* The last one may have been written, and the worker killed before it could say so. */
  g_assert_cmpuint (n_items, >=, count_sent (path));
  g_assert_cmpuint (n_items, <=, count_sent (path) + 1);
  g_assert_cmpint (rig_ask_pid (rig), !=, pid);
}

/* Shutting down */

static const DrayShutdownMode modes[] = {
  DRAY_SHUTDOWN_DRAIN,
  DRAY_SHUTDOWN_CANCEL_PENDING,
  DRAY_SHUTDOWN_TERMINATE,
  DRAY_SHUTDOWN_KILL,
};

static void
shut_down_cb (GObject *executor, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dray_executor_shutdown_finish (DRAY_EXECUTOR (executor), result, &error));
  g_assert_no_error (error);
  *(gboolean *) user_data = TRUE;
}

/* In each mode, blocking or (@data) not. */
static void
test_shutdown (Rig *rig, gconstpointer data)
{
  g_test_summary ("An executor is shut down while a worker waits for somebody to pull: that ends, "
                  "and what the mode lets be sent is there afterwards.");

  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/sent-%d", rig->directory, (int) i);
      const gboolean gentle = modes[i] <= DRAY_SHUTDOWN_CANCEL_PENDING;
      g_autoptr (DrayFuture) future = NULL;
      gboolean shut_down = FALSE;

      rig_start (rig, 1);
      future = start_unread (rig, path, N_ITEMS);
      if (data == NULL)
        {
          rig_shut_down (rig, modes[i]);
        }
      else
        {
          dray_executor_shutdown_async (rig->executor, modes[i], NULL, shut_down_cb, &shut_down);
          fixture_iterate_until_true (&shut_down, "the executor has shut down");
          g_clear_object (&rig->executor);
        }

      if (gentle)
        g_assert_cmpuint (pull_all (future), ==, N_ITEMS);
      else
        rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/pull-flow/unread", NULL, test_unread);
  rig_add ("/pull-flow/slow-reader", NULL, test_slow_reader);
  rig_add ("/pull-flow/tiny-items", NULL, test_tiny_items);
  rig_add ("/pull-flow/lines", NULL, test_lines);
  rig_add ("/pull-flow/others", NULL, test_others);
  rig_add ("/pull-flow/full-executor", NULL, test_full_executor);
  rig_add ("/pull-flow/full-executor/poll", NULL, test_full_executor_poll);
  rig_add ("/pull-flow/full-executor/lifted", NULL, test_lifted);
  rig_add ("/pull-flow/pending/wait", GINT_TO_POINTER (FALSE), test_pending);
  rig_add ("/pull-flow/pending/pull", GINT_TO_POINTER (TRUE), test_pending);
  rig_add ("/pull-flow/wait", NULL, test_wait);
  rig_add ("/pull-flow/drop", NULL, test_drop);
  rig_add ("/pull-flow/discard", NULL, test_discard);
  rig_add ("/pull-flow/cancel", NULL, test_cancel);
  rig_add ("/pull-flow/time-limit", NULL, test_time_limit);
  rig_add ("/pull-flow/crash", NULL, test_crash);
  rig_add ("/pull-flow/shutdown/sync", NULL, test_shutdown);
  rig_add ("/pull-flow/shutdown/async", GINT_TO_POINTER (TRUE), test_shutdown);

  return g_test_run ();
}
