/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A worker has its next task while it runs one, so that it need not wait between the two. Nobody
 * may notice but by the clock. */

/* One worker, blocked; the task behind it has been sent to it. */
static DrayFuture *
start_and_block (Rig *rig, DrayTask *next, DrayFuture **next_future)
{
  DrayFuture *blocked;

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  blocked = rig_call (rig, "block", NULL);
  rig_run_until_status (blocked, "blocked");
  *next_future = rig_submit (rig, next);
  rig_run_until_count (rig, queue_length, 0);
  g_assert_cmpint (dray_future_get_state (*next_future), ==, DRAY_FUTURE_PENDING);

  return blocked;
}

/* How many were put on record in that file by "record". */
static gsize
count_records (const char *path)
{
  g_autofree char *contents = NULL;
  gsize size = 0;

  g_file_get_contents (path, &contents, &size, NULL);
  return size / sizeof (guint32);
}

static void
test_one (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) blocked = NULL;
  DrayFuture *first;

  g_test_summary ("One task waits in a worker, never more.");

  blocked = start_and_block (rig, rig_new_task ("null", NULL), &first);
  g_ptr_array_add (futures, first);
  for (int i = 0; i < 5; i++)
    g_ptr_array_add (futures, rig_call (rig, "null", NULL));
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 5);
  g_assert_cmpuint (rig_get_count (rig, running), ==, 1);

  dray_future_cancel (blocked);
  rig_run_until_all_done (futures);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, 6);
}

static void
test_recall (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) long_one = NULL;
  g_autoptr (DrayFuture) other_long_one = NULL;
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;

  g_test_summary ("What waits behind a long task is run by a worker that has nothing to do, and "
                  "that is still its first attempt.");

  rig_start (rig, 2);
  long_one = rig_call (rig, "block", NULL);
  other_long_one = rig_call (rig, "block", NULL);
  rig_run_until_status (long_one, "blocked");
  rig_run_until_status (other_long_one, "blocked");
  first = rig_call (rig, "attempt", NULL);
  second = rig_call (rig, "attempt", NULL);
  rig_run_until_count (rig, queue_length, 0);

  dray_future_cancel (other_long_one);
  g_assert_cmpuint (rig_expect_uint32 (first), ==, 1);
  g_assert_cmpuint (rig_expect_uint32 (second), ==, 1);
  g_assert_cmpint (dray_future_get_state (long_one), ==, DRAY_FUTURE_RUNNING);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 0);

  dray_future_cancel (long_one);
  rig_expect_cancelled (long_one);
}

static void
test_killed (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *function;
    const char *status;
  } stubborn[] = { { "spin", "spinning" }, { "stop", "stopping" }, { "ignore-cancel", "deaf" } };

  g_test_summary ("What waits behind a task whose worker is killed for that is not hit: whether "
                  "the worker has returned it, or is stopped and does not answer.");

  rig_start_with (rig, rig_new_launcher (data), 1);
  g_object_set (rig->executor, "grace-period", 0, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (stubborn); i++)
    {
      g_autoptr (DrayFuture) stuck = rig_call (rig, stubborn[i].function, NULL);
      g_autoptr (DrayFuture) next = NULL;

      rig_run_until_status (stuck, stubborn[i].status);
      next = rig_call (rig, "attempt", NULL);
      rig_run_until_count (rig, queue_length, 0);
      dray_future_cancel (stuck);
      rig_expect_cancelled (stuck);
      g_assert_cmpuint (rig_expect_uint32 (next), ==, 1);
    }
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 0);
  rig_run_until_count (rig, workers_died, G_N_ELEMENTS (stubborn));
}

static void
test_behind_cancelled (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "record");
  g_autoptr (DrayFuture) flooding = NULL;
  g_autoptr (DrayFuture) next = NULL;

  g_test_summary ("Nothing is put behind a task that is cancelled and still sends, at the moment at "
                  "which its worker, which has no ring, is told to end for it.");

  rig_start_with (rig, rig_new_launcher ("--no-ring"), 1);
  g_object_set (rig->executor, "grace-period", 400, NULL);
  flooding = rig_call (rig, "flood-until-term", NULL);
  rig_run_until_status (flooding, "flooding");
  dray_future_cancel (flooding);
  next = rig_call (rig, "record", "(uusb)", 1, 500000, path, FALSE);

  rig_expect_cancelled (flooding);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 1);
  g_assert_cmpuint (count_records (path), ==, 1);
}

static void
test_recall_for_new_worker (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) blocked = NULL;
  DrayFuture *next;

  g_test_summary ("When there are more slots, what waits behind a long task gets one.");

  blocked = start_and_block (rig, rig_new_task ("attempt", NULL), &next);
  dray_executor_set_max_workers (rig->executor, 2);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 1);
  g_assert_cmpint (dray_future_get_state (blocked), ==, DRAY_FUTURE_RUNNING);
  g_object_unref (next);
}

static void
note_id_cb (DrayFuture *future, gpointer user_data)
{
  guint64 id = dray_future_get_id (future);

  g_array_append_val ((GArray *) user_data, id);
}

static void
test_recall_in_order (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) blocked = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint64));

  g_test_summary ("Tasks that come back from workers, in whichever order, run in the order in "
                  "which they were submitted, before those that came after them.");

  rig_start (rig, 4);
  for (int i = 0; i < 4; i++)
    {
      g_ptr_array_add (blocked, rig_call (rig, "block", NULL));
      rig_run_until_status (blocked->pdata[i], "blocked");
    }
  for (int i = 0; i < 8; i++)
    {
      g_ptr_array_add (futures, rig_call (rig, "null", NULL));
      dray_future_add_done_callback (futures->pdata[i], note_id_cb, ids, NULL);
    }
  rig_run_until_count (rig, queue_length, 4);

  dray_executor_set_max_workers (rig->executor, 1);
  rig_run_until_count (rig, queue_length, 8);
  for (int i = 0; i < 4; i++)
    dray_future_cancel (blocked->pdata[i]);
  rig_run_until_all_done (futures);
  g_assert_cmpuint (ids->len, ==, 8);
  for (guint i = 0; i < 8; i++)
    g_assert_cmpuint (g_array_index (ids, guint64, i), ==, 5 + i);
}

static void
test_pause (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) blocked = NULL;
  DrayFuture *next;

  g_test_summary ("A pause counts for the task that is in the worker already.");

  blocked = start_and_block (rig, rig_new_task ("attempt", NULL), &next);
  dray_executor_set_paused (rig->executor, TRUE);
  rig_run_until_count (rig, queue_length, 1);
  dray_future_cancel (blocked);
  rig_expect_cancelled (blocked);
  rig_let_time_pass ();
  g_assert_cmpint (dray_future_get_state (next), ==, DRAY_FUTURE_PENDING);

  dray_executor_set_paused (rig->executor, FALSE);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 1);
  g_object_unref (next);
}

static void
test_pause_at_once (Rig *rig, gconstpointer data)
{
  const guint n_tasks = 30000;
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  const gint64 end = g_get_monotonic_time () + 5 * G_TIME_SPAN_SECOND; /* on a busy machine */
  guint64 queued = n_tasks;

  g_test_summary ("Once a pause was asked for, nothing that is pending is given out any more, also "
                  "while calls are being given out all the time.");

  rig_start (rig, 2);
  rig_ask_pid (rig);
  rig_add_calls (rig, futures, "null", n_tasks);
  while (queued > 0 && g_get_monotonic_time () < end)
    {
      dray_executor_set_paused (rig->executor, TRUE);
      queued = rig_get_count (rig, queue_length);
      for (guint i = 0; i < 20; i++)
        g_assert_cmpuint (rig_get_count (rig, queue_length), >=, queued);
      dray_executor_set_paused (rig->executor, FALSE);
      rig_get_count (rig, queue_length);
    }
  rig_run_until_all_done (futures);
}

static void
test_crash (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) crashing = NULL;
  g_autoptr (DrayFuture) next = NULL;

  g_test_summary ("A task that waits in a worker is not harmed by the crash of the one before it, "
                  "and uses up none of its attempts.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  rig_ask_pid (rig);
  crashing = rig_call (rig, "stop", NULL);
  rig_run_until_status (crashing, "stopping");
  next = rig_call (rig, "attempt", NULL);
  rig_run_until_count (rig, queue_length, 0);
  g_object_set (rig->executor, "grace-period", 0, NULL);
  dray_future_cancel (crashing);

  rig_expect_cancelled (crashing);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 0);
}

static void
test_crashes_in_a_row (Rig *rig, gconstpointer data)
{
  const guint n_tasks = 40;
  g_autoptr (GPtrArray) crashing = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) harmless = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Every other task crashes its worker: each of them fails alone.");

  rig_start (rig, 2);
  for (guint i = 0; i < n_tasks; i++)
    {
      g_ptr_array_add (harmless, rig_call (rig, "attempt", NULL));
      g_ptr_array_add (crashing, rig_call (rig, "exit", "(i)", 1));
    }

  for (guint i = 0; i < n_tasks; i++)
    {
      g_assert_cmpuint (rig_expect_uint32 (harmless->pdata[i]), ==, 1);
      rig_expect_error (crashing->pdata[i], DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);
    }
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, n_tasks);
}

/* Cancelled while it waits in the worker. */
static void
test_cancel (Rig *rig, gconstpointer data)
{
  const DrayCancelMode mode = GPOINTER_TO_UINT (data);
  g_autofree char *path = rig_dup_path (rig, "touched");
  DrayTask *task = dray_task_new_call ("touch", g_variant_new ("(s)", path));
  g_autoptr (DrayFuture) blocked = NULL;
  DrayFuture *next;
  int pid;

  g_test_summary ("A task that is cancelled while it waits in a worker never runs, and the task "
                  "before it is not disturbed.");

  dray_task_set_cancel_mode (task, mode);
  blocked = start_and_block (rig, task, &next);
  dray_future_cancel (next);
  if (mode == DRAY_CANCEL_IMMEDIATE)
    g_assert_cmpint (dray_future_get_state (next), ==, DRAY_FUTURE_CANCELLED);
  rig_expect_cancelled (next);
  g_assert_cmpint (dray_future_get_state (blocked), ==, DRAY_FUTURE_RUNNING);
  g_object_unref (next);

  dray_future_cancel (blocked);
  rig_expect_cancelled (blocked);
  pid = rig_ask_pid (rig);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
}

static void
test_cancel_both (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "touched");
  DrayTask *task = dray_task_new_call ("touch", g_variant_new ("(s)", path));
  g_autoptr (DrayFuture) blocked = NULL;
  DrayFuture *next;

  g_test_summary ("The running task and the one behind it are cancelled at once: neither comes to "
                  "anything.");

  dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  blocked = start_and_block (rig, task, &next);
  dray_executor_cancel_all (rig->executor);
  rig_expect_cancelled (next);
  rig_expect_cancelled (blocked);
  g_object_unref (next);
  rig_ask_pid (rig);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
}

static gboolean
has_record (gpointer path)
{
  return count_records (path) > 0;
}

static gboolean
has_ten_undelivered (gpointer rig)
{
  return rig_get_count (rig, undelivered_items) >= 10;
}

static gboolean
has_none_queued (gpointer rig)
{
  return rig_get_count (rig, queue_length) == 0;
}

static gboolean
has_two_sent (gpointer rig)
{
  return rig_get_count (rig, queue_length) <= 8;
}

static void
test_terminated_polite (Rig *rig, gconstpointer data)
{
  g_autofree char *fifo = rig_dup_path (rig, "fifo");
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  guint8 bytes[64];
  int fd;

  g_test_summary ("The one that it runs then is asked to stop, and nobody is killed.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  rig_add_calls (rig, futures, "null", 10);
  workshop_block_until (has_ten_undelivered, rig, "there is enough to be delivered");
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_ptr_array_add (futures, rig_call (rig, "record", "(uusb)", 0, 0, fifo, FALSE));
  g_ptr_array_add (futures, rig_call (rig, "block", NULL));
  workshop_block_until (has_none_queued, rig, "the next one has been sent ahead");
  g_object_set (rig->executor, "max-undelivered-items", 10, NULL);
  rig_let_time_pass ();
  fd = open (fifo, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  while (read (fd, bytes, sizeof bytes) > 0) /* until it has closed it */
    ;
  rig_let_time_pass ();

  g_assert_true (
    dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_TERMINATE, NULL, NULL));
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
  g_assert_cmpuint (rig_get_count (rig, workers_retired), ==, 1);
  close (fd);
}

#define N_QUICK 50

/* (transfer full): quick calls, so that a worker gets more than one ahead, then one that waits until
 * somebody reads what it has to say, and runs; it has those behind it that it gets. */
static GPtrArray *
start_unread (Rig *rig, const char *fifo, const char *path, int *pid)
{
  GPtrArray *futures = rig_new_futures ();

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  *pid = rig_ask_pid (rig);
  dray_executor_set_paused (rig->executor, TRUE);
  rig_add_calls (rig, futures, "null", N_QUICK);
  g_ptr_array_add (futures, rig_call (rig, "record", "(uusb)", 0, 0, fifo, FALSE));
  for (guint32 i = 1; i <= 10; i++)
    g_ptr_array_add (futures, rig_call (rig, "record", "(uusb)", i, 300000, path, FALSE));
  dray_executor_set_paused (rig->executor, FALSE);
  workshop_block_until_running (futures->pdata[N_QUICK]);
  rig_let_time_pass ();

  return futures;
}

static void
test_terminated_unread (Rig *rig, gconstpointer data)
{
  g_autofree char *fifo = rig_dup_path (rig, "fifo");
  g_autofree char *path = rig_dup_path (rig, "record");
  g_autoptr (GPtrArray) futures = NULL;
  gsize n_records;
  int pid, fd;

  g_test_summary ("The executor is shut down while a worker has ended its task, which was not read "
                  "yet, and runs the next one: it begins nothing more of what waits behind.");

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  futures = start_unread (rig, fifo, path, &pid);
  while (!has_two_sent (rig)) /* the quick ones had to wait, and so did not look quick */
    {
      rig_shut_down (rig, DRAY_SHUTDOWN_KILL);
      g_ptr_array_unref (futures);
      futures = start_unread (rig, fifo, path, &pid);
    }

  /* What the one that runs answers is not read. */
  g_object_set (rig->executor, "max-undelivered-items", 10, NULL);
  rig_let_time_pass ();
  fd = open (fifo, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);

  workshop_block_until (has_record, path, "the next one was begun");
  g_assert_cmpint (kill (pid, SIGSTOP), ==, 0);
  workshop_block_until (fixture_is_stopped, GINT_TO_POINTER (pid), "the worker has stopped");
  n_records = count_records (path);
  dray_executor_shutdown_async (rig->executor, DRAY_SHUTDOWN_TERMINATE, NULL, NULL, NULL);
  rig_let_time_pass ();
  g_assert_cmpint (kill (pid, SIGCONT), ==, 0);

  g_assert_true (
    dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_TERMINATE, NULL, NULL));
  g_assert_cmpuint (count_records (path), <=, n_records + 1);
  close (fd);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/prefetch/one", NULL, test_one);
  rig_add ("/prefetch/killed", NULL, test_killed);
  rig_add ("/prefetch/killed/no-ring", "--no-ring", test_killed);
  rig_add ("/prefetch/cancelled/no-ring", NULL, test_behind_cancelled);
  rig_add ("/prefetch/recall", NULL, test_recall);
  rig_add ("/prefetch/recall/new-worker", NULL, test_recall_for_new_worker);
  rig_add ("/prefetch/recall/order", NULL, test_recall_in_order);
  rig_add ("/prefetch/pause", NULL, test_pause);
  rig_add ("/prefetch/pause/at-once", NULL, test_pause_at_once);
  rig_add ("/prefetch/terminated/unread", NULL, test_terminated_unread);
  rig_add ("/prefetch/terminated/polite", NULL, test_terminated_polite);
  rig_add ("/prefetch/crash", NULL, test_crash);
  rig_add ("/prefetch/crash/many", NULL, test_crashes_in_a_row);
  rig_add ("/prefetch/cancel/immediate", GUINT_TO_POINTER (DRAY_CANCEL_IMMEDIATE), test_cancel);
  rig_add ("/prefetch/cancel/confirmed", GUINT_TO_POINTER (DRAY_CANCEL_CONFIRMED), test_cancel);
  rig_add ("/prefetch/cancel/both", NULL, test_cancel_both);

  return g_test_run ();
}
