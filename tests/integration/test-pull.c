/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "puller.h"
#include "workshop.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Items that are pulled, one at a time and many, blocking and not, and what comes after them. How
 * else it may end is in test-pull-ending.c, and what it does to the worker in test-pull-flow.c. */

/* Without blocking */

static void
pushed_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  g_assert_not_reached ();
}

static void
test_one_by_one (Rig *rig, gconstpointer data)
{
  g_auto (Puller) self = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Items are pulled one by one, in order, and then comes the end, as often as one "
                  "asks; none of them is pushed.");

  rig_start (rig, 1);
  future = puller_submit_numbers (rig, 2500);
  g_assert_true (dray_task_get_pull (dray_future_get_task (future)));
  g_signal_connect (future, "item", G_CALLBACK (pushed_cb), NULL);
  puller_pull_all (future, &self);
  g_assert_no_error (self.error);
  g_assert_cmpuint (self.n_items, ==, 2500);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 2500);

  for (int i = 0; i < 3; i++)
    {
      puller_pull_all (future, &self);
      g_assert_no_error (self.error);
    }
  g_assert_cmpuint (self.n_answers, ==, 2500 + 1 + 3);
  g_assert_cmpuint (rig_get_count (rig, undelivered_items), ==, 0);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

static void
test_batches (Rig *rig, gconstpointer data)
{
  g_test_summary ("Items are pulled in batches: what is there, up to a number, in order.");

  rig_start (rig, 1);
  for (guint max_items = 1; max_items <= 1000; max_items *= 10)
    {
      g_auto (Puller) self = { .max_items = max_items };
      g_autoptr (DrayFuture) future = puller_submit_numbers (rig, 20000);

      puller_pull_all (future, &self);
      g_assert_no_error (self.error);
      g_assert_cmpuint (self.n_items, ==, 20000);
      g_assert_cmpuint (self.n_answers, >=, 20000 / max_items);
      g_assert_cmpuint (rig_expect_uint32 (future), ==, 20000);
    }
  g_assert_cmpuint (rig_get_count (rig, undelivered_items), ==, 0);
}

static void
test_no_items (Rig *rig, gconstpointer data)
{
  g_auto (Puller) self = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task that sends no items has only an end.");

  rig_start (rig, 1);
  future = puller_submit_numbers (rig, 0);
  puller_pull_all (future, &self);
  g_assert_no_error (self.error);
  g_assert_cmpuint (self.n_answers, ==, 1);
}

static void
test_many_requests (Rig *rig, gconstpointer data)
{
  g_autoptr (GArray) answers = g_array_new (FALSE, FALSE, sizeof (int));
  DrayFuture *future;

  g_test_summary (
    "Many ask before anything is there: they are answered in order, never from within "
    "the question, and keep the future alive until then.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  future = puller_submit_numbers (rig, 20);
  for (int i = 0; i < 30; i++)
    dray_future_next_item_async (future, NULL, puller_note_cb, answers);
  g_assert_cmpuint (answers->len, ==, 0);
  g_object_unref (future);

  fixture_iterate_until (puller_has_thirty, answers, "all are answered");
  for (int i = 0; i < 30; i++)
    g_assert_cmpint (g_array_index (answers, int, i), ==, i < 20 ? i : -1);
}

/* A stream of lines that somebody else takes away from those who stand in line for them. */
typedef struct
{
  Rig *rig;           /* (unowned) */
  const char *fifo;   /* (unowned): the stream goes on when something is written there */
  GString *answers;   /* (owned): those of the line, each a letter with what it was given */
  guint64 n_received; /* of all streams */
} Theft;

typedef struct
{
  Theft *theft; /* (unowned) */
  char name;
} Asker;

static void
note_line_cb (GObject *future, GAsyncResult *result, gpointer user_data)
{
  Asker *asker = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) line = dray_future_next_item_finish (DRAY_FUTURE (future), result, &error);

  g_assert_no_error (error);
  g_string_append_printf (asker->theft->answers, "%c:%s ", asker->name,
                          line != NULL ? g_variant_get_string (line, NULL) : "end");
}

static gboolean
are_received (gpointer user_data)
{
  Theft *theft = user_data;

  return rig_get_count (theft->rig, items) >= theft->n_received;
}

/* Has the stream go on, so that the next line is there when this returns. */
static void
go_on_cb (GObject *future, GAsyncResult *result, gpointer user_data)
{
  Theft *theft = user_data;
  g_autoptr (GVariant) item = dray_future_next_item_finish (DRAY_FUTURE (future), result, NULL);
  int fd = open (theft->fifo, O_WRONLY | O_CLOEXEC);

  g_assert_nonnull (item);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, "\n", 1), ==, 1);
  g_assert_cmpint (close (fd), ==, 0);
  theft->n_received++;
  workshop_block_until (are_received, theft, "the stream goes on");
}

static gboolean
are_answered (gpointer theft)
{
  return strlen (((Theft *) theft)->answers->str) >= strlen ("a:? b:end ");
}

static void
test_order_after_theft (Rig *rig, gconstpointer data)
{
  g_autofree char *fifo = rig_dup_path (rig, "fifo");
  const char *argv[] = { "sh", "-c", "echo 1; echo 2; read line < $0; echo 3", fifo, NULL };
  DrayTask *task = dray_task_new_command (argv);
  Theft theft = { .rig = rig, .fifo = fifo, .n_received = 3 };
  Asker askers[] = { { &theft, 'a' }, { &theft, 'b' } };
  g_autoptr (DrayFuture) other = NULL;
  g_autoptr (DrayFuture) stream = NULL;
  g_autoptr (GPtrArray) lines = NULL;

  g_test_summary ("Two ask, and somebody else takes what was there for them. The first has looked "
                  "in vain, and the second has not, when the next item comes: it is the first's.");

  rig_start (rig, 1);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  dray_task_set_pull (task, TRUE);
  dray_task_set_split (task, DRAY_SPLIT_LINES);
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
  other = puller_submit_numbers (rig, 1);
  stream = rig_submit (rig, task);
  workshop_block_until (are_received, &theft, "there is an item for each");

  theft.answers = g_string_new (NULL);
  dray_future_next_item_async (stream, NULL, note_line_cb, &askers[0]);
  dray_future_next_item_async (other, NULL, go_on_cb, &theft);
  dray_future_next_item_async (stream, NULL, note_line_cb, &askers[1]);
  lines = dray_future_wait_next_items (stream, 0, -1, NULL, NULL);
  g_assert_cmpuint (lines->len, ==, 2);

  fixture_iterate_until (are_answered, &theft, "both are answered");
  g_assert_cmpstr (theft.answers->str, ==, "a:3 b:end ");
  g_string_free (theft.answers, TRUE);
}

static gpointer
pull_thread (gpointer user_data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_auto (Puller) self = { .max_items = 7 };

  g_main_context_push_thread_default (context);
  puller_pull_all (user_data, &self);
  g_main_context_pop_thread_default (context);
  g_assert_no_error (self.error);
  g_assert_cmpuint (self.n_items, ==, 3000);

  return NULL;
}

static void
test_other_context (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Items are pulled in the main context of whoever asks, while that of whoever "
                  "submitted is not iterated.");

  rig_start (rig, 1);
  future = puller_submit_numbers (rig, 3000);
  g_thread_join (g_thread_new ("pull", pull_thread, future));
}

typedef struct
{
  DrayFuture *future; /* (unowned) */
  gboolean answered;
} Question;

static void
look_at_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Question *question = user_data;
  g_autoptr (GObject) its_source = g_async_result_get_source_object (result);
  g_autoptr (GVariant) item = dray_future_next_item_finish (DRAY_FUTURE (source), result, NULL);

  g_assert_true (source == (GObject *) question->future);
  g_assert_true (its_source == source);
  g_assert_true (g_async_result_get_user_data (result) == question);
  g_assert_nonnull (item);
  question->answered = TRUE;
}

static void
test_result (Rig *rig, gconstpointer data)
{
  Question question = { NULL, FALSE };

  g_test_summary ("An answer knows whose it is, as bindings of other languages ask it.");

  rig_start (rig, 1);
  question.future = puller_submit_numbers (rig, 1);
  dray_future_next_item_async (question.future, NULL, look_at_result_cb, &question);
  fixture_iterate_until_true (&question.answered, "the item");
  g_object_unref (question.future);
}

/* Blocking */

static void
test_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  GVariant *item;
  guint32 n = 0;

  g_test_summary ("Items are pulled with no main loop, one at a time; then comes the end, as often "
                  "as one asks.");

  rig_start (rig, 1);
  future = puller_submit_numbers (rig, 5000);
  while ((item = dray_future_wait_next_item (future, -1, NULL, &error)) != NULL)
    puller_check_number (item, &n);
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 5000);

  g_assert_null (dray_future_wait_next_item (future, -1, NULL, &error));
  g_assert_no_error (error);
  g_assert_null (dray_future_wait_next_item (future, 0, NULL, NULL));
  g_assert_null (dray_future_wait_next_items (future, 3, 0, NULL, &error));
  g_assert_no_error (error);
}

static void
test_wait_batches (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  GPtrArray *items;
  guint32 n = 0;

  g_test_summary ("The same in batches, of a number and of any.");

  rig_start (rig, 1);
  future = puller_submit_numbers (rig, 50000);
  while ((items = dray_future_wait_next_items (future, n % 2 * 100, -1, NULL, &error)) != NULL)
    {
      g_assert_true (n % 2 == 0 || items->len <= 100);
      puller_check_numbers (items, &n);
    }
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 50000);
}

static void
test_wait_behind (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);
  g_autoptr (DrayTask) task = rig_new_task ("numbers", "(uint32 100, false)");
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  GVariant *item;
  guint32 n = 0;

  g_test_summary ("A wait for an item of a task that comes after one of another executor lifts the "
                  "pause of that one.");

  rig_start (rig, 1);
  dray_executor_set_paused (other, TRUE);
  first = dray_executor_call (other, "null", NULL);
  dray_task_set_pull (task, TRUE);
  future = dray_future_and_then (first, rig->executor, task, DRAY_POSITION_NONE);
  while ((item = dray_future_wait_next_item (future, -1, NULL, &error)) != NULL)
    puller_check_number (item, &n);
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 100);
}

static gpointer
cancel_thread (gpointer cancellable)
{
  rig_let_time_pass ();
  g_cancellable_cancel (cancellable);

  return NULL;
}

static void
test_wait_in_vain (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread;

  g_test_summary (
    "A wait for an item ends when its time is over, and when it is cancelled; that is "
    "nothing to the task.");

  rig_start (rig, 1);
  future = puller_submit (rig, "numbers", "(uint32 0, true)");
  g_assert_null (dray_future_wait_next_item (future, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_assert_null (dray_future_wait_next_items (future, 0, 1000, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);

  thread = g_thread_new ("cancel", cancel_thread, cancellable);
  g_assert_null (dray_future_wait_next_item (future, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (dray_future_wait_next_item (future, 0, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  g_assert_false (dray_future_is_done (future));

  dray_future_cancel (future);
  rig_expect_cancelled (future);
}

/* Sums the numbers that it gets. */
static gpointer
sum_thread (gpointer user_data)
{
  guint64 *sum = g_new0 (guint64, 1);
  GVariant *item;

  while ((item = dray_future_wait_next_item (user_data, -1, NULL, NULL)) != NULL)
    {
      *sum += g_variant_get_uint32 (item);
      g_variant_unref (item);
    }

  return sum;
}

static void
test_many_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  GThread *threads[6];
  guint64 sum = 0;

  g_test_summary ("Many threads pull from one future: each item is given to one of them, and all "
                  "see the end.");

  rig_start (rig, 1);
  future = puller_submit_numbers (rig, 30000);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("sum", sum_thread, future);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      g_autofree guint64 *part = g_thread_join (threads[i]);

      sum += *part;
    }
  g_assert_cmpuint (sum, ==, (guint64) 30000 * 29999 / 2);
}

static void
test_pushed (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("To pull from a future whose items are pushed is a mistake.");

  rig_start (rig, 1);
  future = rig_call (rig, "null", NULL);
  for (int i = 0; i < 4; i++)
    {
      g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*is_pulled*");
      if (i == 0)
        g_assert_null (dray_future_wait_next_item (future, 0, NULL, NULL));
      else if (i == 1)
        g_assert_null (dray_future_wait_next_items (future, 0, 0, NULL, NULL));
      else if (i == 2)
        dray_future_next_item_async (future, NULL, NULL, NULL);
      else
        dray_future_next_items_async (future, 0, NULL, NULL, NULL);
      g_test_assert_expected_messages ();
    }
  rig_expect_text (future, "()");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/pull/one-by-one", NULL, test_one_by_one);
  rig_add ("/pull/batches", NULL, test_batches);
  rig_add ("/pull/no-items", NULL, test_no_items);
  rig_add ("/pull/many-requests", NULL, test_many_requests);
  rig_add ("/pull/order-after-theft", NULL, test_order_after_theft);
  rig_add ("/pull/other-context", NULL, test_other_context);
  rig_add ("/pull/result", NULL, test_result);
  rig_add ("/pull/wait", NULL, test_wait);
  rig_add ("/pull/wait/batches", NULL, test_wait_batches);
  rig_add ("/pull/wait/behind", NULL, test_wait_behind);
  rig_add ("/pull/wait/in-vain", NULL, test_wait_in_vain);
  rig_add ("/pull/wait/many", NULL, test_many_wait);
  rig_add ("/pull/pushed", NULL, test_pushed);

  return g_test_run ();
}
