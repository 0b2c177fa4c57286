/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "lingering.h"
#include "rig.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Open files that go with a task, and come with its result. The fixture sees to it that each is
 * closed, once, however the task ends. */

#define MAX_ATTACHMENTS 64

/* (transfer full): an open file with that text */
static int
open_text (const char *text)
{
  int fd = memfd_create ("text", MFD_CLOEXEC);

  g_assert_cmpint (write (fd, text, strlen (text)), ==, (gssize) strlen (text));
  return fd;
}

static GUnixFDList *
new_list (guint n_fds)
{
  GUnixFDList *list = g_unix_fd_list_new ();

  for (guint i = 0; i < n_fds; i++)
    {
      g_autofree char *text = g_strdup_printf ("file %u", i);
      int fd = open_text (text);

      g_assert_cmpint (g_unix_fd_list_append (list, fd, NULL), ==, (int) i);
      close (fd);
    }
  return list;
}

static DrayTask *
new_task (const char *function, guint n_fds)
{
  g_autoptr (GUnixFDList) list = new_list (n_fds);
  DrayTask *task = dray_task_new_call (function, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (dray_task_set_attachments (task, list, &error));
  g_assert_no_error (error);
  return task;
}

static void
expect_texts (DrayFuture *future, guint n_fds)
{
  g_autoptr (GVariant) result = rig_expect_result (future);

  g_assert_cmpuint (g_variant_n_children (result), ==, n_fds);
  for (guint i = 0; i < n_fds; i++)
    {
      g_autofree char *expected = g_strdup_printf ("file %u", i);
      const char *text;

      g_variant_get_child (result, i, "&s", &text);
      g_assert_cmpstr (text, ==, expected);
    }
}

/* (transfer full): for "return-attachments" */
static GVariant *
new_texts (guint n_fds)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
  for (guint i = 0; i < n_fds; i++)
    {
      g_autofree char *text = g_strdup_printf ("file %u", i);

      g_variant_builder_add (&builder, "s", text);
    }
  return g_variant_new ("(as)", &builder);
}

static DrayFuture *
call_returning (Rig *rig, const char *function, guint n_fds)
{
  return dray_executor_call (rig->executor, function, new_texts (n_fds));
}

static void
check_list (GUnixFDList *list, guint n_fds)
{
  const int *fds = g_unix_fd_list_peek_fds (list, NULL);

  g_assert_cmpint (g_unix_fd_list_get_length (list), ==, (int) n_fds);
  for (guint i = 0; i < n_fds; i++)
    {
      g_autofree char *expected = g_strdup_printf ("file %u", i);
      char text[20] = "";

      g_assert_cmpint (pread (fds[i], text, sizeof text - 1, 0), >, 0);
      g_assert_cmpstr (text, ==, expected);
      g_assert_cmpint (fcntl (fds[i], F_GETFD) & FD_CLOEXEC, !=, 0);
    }
}

/* --- To the worker --- */

static void
test_sent (Rig *rig, gconstpointer data)
{
  static const guint counts[] = { 0, 1, 3, MAX_ATTACHMENTS };

  g_test_summary ("A job has the open files that were set, in order, and other jobs have none.");

  rig_start (rig, 1);
  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      g_autoptr (DrayFuture) future = rig_submit (rig, new_task ("read-attachments", counts[i]));
      g_autoptr (DrayFuture) without = rig_call (rig, "read-attachments", NULL);

      expect_texts (future, counts[i]);
      expect_texts (without, 0);
    }
}

static void
test_many_tasks (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayTask) task = new_task ("read-attachments", 2);
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("One task that is submitted many times sends them each time.");

  rig_start (rig, 2);
  for (guint i = 0; i < 300; i++)
    g_ptr_array_add (futures, dray_executor_submit (rig->executor, task, NULL));
  for (guint i = 0; i < futures->len; i++)
    expect_texts (futures->pdata[i], 2);
}

static void
test_own_copies (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("read-attachments", NULL);
  g_autoptr (GUnixFDList) list = new_list (1);
  g_autoptr (DrayFuture) future = NULL;
  int fd = open_text ("another");

  g_test_summary ("The task has its own: what becomes of the list afterwards does not matter.");

  g_assert_true (dray_task_set_attachments (task, list, NULL));
  g_unix_fd_list_append (list, fd, NULL);
  close (fd);
  g_clear_object (&list);
  g_assert_cmpint (g_unix_fd_list_get_length (dray_task_get_attachments (task)), ==, 1);

  rig_start (rig, 1);
  future = dray_executor_submit (rig->executor, task, NULL);
  expect_texts (future, 1);
}

static void
test_set (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("read-attachments", NULL);
  g_autoptr (GUnixFDList) one = new_list (1);
  g_autoptr (GUnixFDList) too_many = new_list (MAX_ATTACHMENTS + 1);
  g_autoptr (GError) error = NULL;

  g_test_summary ("They can be replaced and taken back; too many are refused, and change nothing.");

  g_assert_null (dray_task_get_attachments (task));
  g_assert_true (dray_task_set_attachments (task, one, &error));
  g_assert_false (dray_task_set_attachments (task, too_many, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS);
  g_assert_nonnull (dray_task_get_attachments (task));
  g_clear_error (&error);
  g_assert_true (dray_task_set_attachments (task, NULL, &error));
  g_assert_no_error (error);
  g_assert_null (dray_task_get_attachments (task));
}

static void
test_set_without_descriptors (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("read-attachments", NULL);
  g_autoptr (GUnixFDList) list = new_list (2);
  struct rlimit limit, none;
  g_autoptr (GError) error = NULL;

  g_test_summary ("Where there is no descriptor left for them, that is said.");

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  g_assert_false (dray_task_set_attachments (task, list, &error));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  g_assert_null (dray_task_get_attachments (task));
}

static void
test_retried (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_task ("die-with-attachments", 3);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task that is run again has them again.");

  rig_start (rig, 1);
  dray_task_set_max_retries (task, 1);
  future = rig_submit (rig, task);
  expect_texts (future, 3);
}

static void
test_hung_up (Rig *rig, gconstpointer data)
{
  DrayTask *again = new_task ("read-attachments", 3);
  g_autoptr (DrayFuture) closed = NULL;
  g_autoptr (DrayFuture) lost = NULL;
  g_autoptr (DrayFuture) retried = NULL;

  g_test_summary ("A worker to which open files can't be passed any more, as one that has just "
                  "died, is gone: its task fails with that, or is run again by another one.");

  rig_start (rig, 1);
  closed = rig_call (rig, "close-passage", NULL);
  rig_expect_text (closed, "()");
  lost = rig_submit (rig, new_task ("read-attachments", 3));
  rig_expect_error (lost, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);

  g_clear_object (&closed);
  closed = rig_call (rig, "close-passage", NULL);
  rig_expect_text (closed, "()");
  dray_task_set_max_retries (again, 1);
  retried = rig_submit (rig, again);
  expect_texts (retried, 3);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 1);
}

static void
test_cancelled (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) running = NULL;
  g_autoptr (DrayFuture) waiting = NULL;
  g_autoptr (DrayFuture) pending = NULL;

  g_test_summary (
    "A task with open files can be cancelled while it runs, waits in the worker, or is "
    "pending.");

  rig_start (rig, 1);
  running = rig_submit (rig, new_task ("block", 3));
  rig_run_until_status (running, "blocked");
  waiting = rig_submit (rig, new_task ("read-attachments", 3));
  pending = rig_submit (rig, new_task ("read-attachments", 3));
  dray_future_cancel (pending);
  dray_future_cancel (waiting);
  dray_future_cancel (running);
  rig_expect_cancelled (running);
  rig_expect_cancelled (waiting);
  rig_expect_cancelled (pending);
}

static void
test_recalled (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) running = NULL;
  g_autoptr (DrayFuture) waiting = NULL;

  g_test_summary ("A task that was returned by one worker has its open files in the next one.");

  rig_start (rig, 1);
  running = rig_call (rig, "block", NULL);
  rig_run_until_status (running, "blocked");
  waiting = rig_submit (rig, new_task ("read-attachments", 3));
  rig_let_time_pass ();
  dray_executor_set_max_workers (rig->executor, 2);
  expect_texts (waiting, 3);
  dray_future_cancel (running);
  rig_expect_cancelled (running);
}

/* --- From the worker --- */

static void
test_returned (Rig *rig, gconstpointer data)
{
  static const guint counts[] = { 0, 1, 3, MAX_ATTACHMENTS };

  g_test_summary ("A future has the open files that its function returned, and other futures have "
                  "none.");

  rig_start (rig, 1);
  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      g_autoptr (DrayFuture) future = call_returning (rig, "return-attachments", counts[i]);
      g_autoptr (DrayFuture) without = rig_call (rig, "add", "(ii)", 2, 3);
      g_autoptr (GUnixFDList) attachments = NULL;
      g_autoptr (GUnixFDList) again = NULL;

      g_assert_cmpuint (rig_expect_uint32 (future), ==, counts[i]);
      attachments = dray_future_dup_attachments (future);
      g_assert_true ((attachments != NULL) == (counts[i] > 0));
      if (attachments != NULL)
        check_list (attachments, counts[i]);
      again = dray_future_dup_attachments (future);
      g_assert_true (again == attachments);

      rig_expect_text (without, "5");
      g_assert_null (dray_future_dup_attachments (without));
    }
}

static void
test_before_the_end (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Before the task is done there are none.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  future = call_returning (rig, "return-attachments", 1);
  g_assert_null (dray_future_dup_attachments (future));
  dray_executor_set_paused (rig->executor, FALSE);
  rig_expect_uint32 (future);
}

static void
test_too_many (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) next = NULL;

  g_test_summary ("A function that returns more than there may be is told so.");

  rig_start (rig, 1);
  future = call_returning (rig, "return-attachments", MAX_ATTACHMENTS + 1);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS, NULL);
  g_assert_null (dray_future_dup_attachments (future));
  next = call_returning (rig, "return-attachments", 2);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 2);
}

static void
test_failed (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) failed = NULL;
  g_autoptr (DrayFuture) cancelled = NULL;

  g_test_summary ("A function that fails, or is cancelled, returns none.");

  rig_start (rig, 1);
  failed = call_returning (rig, "return-attachments-fail", 2);
  rig_expect_error (failed, G_IO_ERROR, G_IO_ERROR_FAILED, "It failed with open files");
  g_assert_null (dray_future_dup_attachments (failed));

  cancelled = call_returning (rig, "return-attachments-block", 2);
  rig_run_until_running (cancelled);
  dray_future_cancel (cancelled);
  rig_expect_cancelled (cancelled);
  g_assert_null (dray_future_dup_attachments (cancelled));
}

static void
test_too_large (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) next = NULL;

  g_test_summary ("Nor does one whose result is too large.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-message-size", G_GUINT64_CONSTANT (50000), NULL);
  future = call_returning (rig, "return-attachments-large", 2);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);
  g_assert_null (dray_future_dup_attachments (future));
  next = call_returning (rig, "return-attachments", 2);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 2);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
}

static void
test_dropped (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) last = NULL;

  g_test_summary ("What is returned for futures that nobody has is closed.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  for (guint i = 0; i < 50; i++)
    {
      G_GNUC_UNUSED g_autoptr (DrayFuture) future = call_returning (rig, "return-attachments", 10);
    }
  last = call_returning (rig, "return-attachments", 10);
  g_assert_cmpuint (rig_expect_uint32 (last), ==, 10);
}

static void
test_lingering (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) dropped = NULL;

  g_test_summary (
    "An open file that nobody wants, and that takes an hour to close, does not hold up "
    "the library.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  dropped = rig_call (rig, "hostile-cargo", "(s)", "lingering");
  g_clear_object (&dropped);
  rig_run_until_count (rig, succeeded, 1);
  rig_let_time_pass ();
  rig_shut_down (rig, DRAY_SHUTDOWN_KILL);
}

static void
test_unnamed (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  guint16 port;
  int listener = lingering_listen (&port);

  g_test_summary ("Nor does one that was passed, and never received.");

  rig_start (rig, 1);
  future = rig_call (rig, "pass-lingering", "(q)", port);
  rig_expect_text (future, "()");
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  close (listener);
}

static void
test_undelivered (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary (
    "What was returned and not yet delivered is closed with its executor and futures.");

  rig_start (rig, 2);
  for (guint i = 0; i < 20; i++)
    g_ptr_array_add (futures, call_returning (rig, "return-attachments", 10));
  dray_future_wait (futures->pdata[5], -1, NULL, NULL);
  g_clear_object (&rig->executor);
}

static void
test_outlives (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GUnixFDList) attachments = NULL;

  g_test_summary ("They outlive the future and the worker.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  future = call_returning (rig, "return-attachments", 3);
  rig_expect_uint32 (future);
  attachments = dray_future_dup_attachments (future);
  g_clear_object (&future);
  rig_shut_down (rig, DRAY_SHUTDOWN_KILL);
  check_list (attachments, 3);
}

static void
test_limit (Rig *rig, gconstpointer data)
{
  const struct rlimit low = { .rlim_cur = 300, .rlim_max = 300 };
  struct rlimit limit;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) next = NULL;
  guint n_failed = 0;

  g_test_summary (
    "Open files from workers take half of the application's descriptors at most; what "
    "is beyond that fails, and goes on when some were closed.");

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &(struct rlimit){ low.rlim_cur, limit.rlim_max }), ==,
                   0);
  rig_start (rig, 1);
  for (guint i = 0; i < 10; i++)
    g_ptr_array_add (futures, call_returning (rig, "return-attachments", 50));
  rig_run_until_all_done (futures);
  for (guint i = 0; i < futures->len; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = dray_future_dup_result (futures->pdata[i], &error);

      if (result != NULL)
        continue;
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS);
      n_failed++;
    }
  g_assert_cmpuint (n_failed, ==, 7);

  g_ptr_array_set_size (futures, 0);
  next = call_returning (rig, "return-attachments", 50);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 50);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

static void
test_old (Rig *rig, gconstpointer data)
{
  const gboolean full = GPOINTER_TO_INT (data);
  DrayTask *task = rig_new_task ("hostile-cargo", "('old-attempt',)");
  g_autoptr (GPtrArray) held = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) future = NULL;
  struct rlimit limit;

  g_test_summary ("What comes of an attempt that is over is closed, and not heard, whether there "
                  "is room for it or not.");

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE,
                              &(struct rlimit){ 4 * MAX_ATTACHMENTS, limit.rlim_max }),
                   ==, 0);
  rig_start_with (rig, rig_new_launcher ("--no-ring"), 1);
  while (full && held->len < 2)
    {
      g_ptr_array_add (held, call_returning (rig, "return-attachments", MAX_ATTACHMENTS));
      g_assert_cmpuint (rig_expect_uint32 (held->pdata[held->len - 1]), ==, MAX_ATTACHMENTS);
    }
  dray_task_set_max_retries (task, 1);
  future = rig_submit (rig, task);
  rig_expect_text (future, "()");
  g_assert_null (dray_future_dup_attachments (future));
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

/* --- Where they can't be passed --- */

static void
test_not_passed (Rig *rig, gconstpointer data)
{
  const char *const prefix[] = { "sh", "-c", "exec 3<&-; exec \"$@\"", "sh", NULL };
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) sent = NULL;
  g_autoptr (DrayFuture) returned = NULL;
  g_autoptr (DrayFuture) without = NULL;

  g_test_summary (
    "Behind a program that passes no descriptors, the task fails and says why, and the "
    "worker lives on.");

  dray_launcher_set_prefix (launcher, prefix);
  rig_start_with (rig, launcher, 1);
  sent = rig_submit (rig, new_task ("read-attachments", 1));
  rig_expect_error (sent, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS, NULL);
  returned = call_returning (rig, "return-attachments", 1);
  rig_expect_error (returned, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS, NULL);
  without = rig_call (rig, "add", "(ii)", 2, 3);
  rig_expect_text (without, "5");
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
}

static void
test_with_large_value (Rig *rig, gconstpointer data)
{
  const gsize size = 3 * 1024 * 1024;
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (GUnixFDList) list = new_list (3);
  g_autofree guint8 *zeros = g_malloc0 (size);
  DrayTask *task = dray_task_new_call (
    "read-attachments", g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, zeros, size, 1));
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Open files and arguments in shared memory go together.");

  g_assert_true (dray_task_set_attachments (task, list, NULL));
  dray_launcher_set_shared_size (launcher, 1024 * 1024);
  rig_start_with (rig, launcher, 1);
  future = rig_submit (rig, task);
  expect_texts (future, 3);
}

/* --- Maps --- */

static GVariant *
give_nothing_cb (gpointer user_data)
{
  guint *n_left = user_data;

  return (*n_left)-- > 0 ? g_variant_new_tuple (NULL, 0) : NULL;
}

static void
test_map (Rig *rig, gconstpointer data)
{
  g_autoptr (GUnixFDList) list = new_list (2);
  guint n_calls = 50;
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("The attachments of a map's task go with each of its calls.");

  rig_start (rig, 2);
  map = dray_executor_map (rig->executor, "read-attachments", give_nothing_cb, &n_calls, NULL);
  g_assert_true (dray_task_set_attachments (dray_map_get_task (map), list, &error));
  for (int i = 0; i < 50; i++)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_n_children (dray_outcome_get_value (outcome)), ==, 2);
    }
  g_assert_null (dray_map_wait_next (map, -1, NULL, &error));
  g_assert_no_error (error);
}

static void
test_map_returning (Rig *rig, gconstpointer data)
{
  GVariant *values[20];
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("The calls of a map can return no attachments, and are told.");

  rig_start (rig, 2);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    values[i] = new_texts (2);
  map = dray_executor_map_values (rig->executor, "return-attachments", values,
                                  G_N_ELEMENTS (values));
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);

      g_assert_no_error (error);
      g_assert_error (dray_outcome_get_error (outcome), DRAY_ERROR, DRAY_ERROR_ATTACHMENTS);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/attachments/sent/counts", NULL, test_sent);
  rig_add ("/attachments/sent/many-tasks", NULL, test_many_tasks);
  rig_add ("/attachments/sent/own-copies", NULL, test_own_copies);
  rig_add ("/attachments/sent/set", NULL, test_set);
  rig_add ("/attachments/sent/without-descriptors", NULL, test_set_without_descriptors);
  rig_add ("/attachments/sent/retried", NULL, test_retried);
  rig_add ("/attachments/sent/hung-up", NULL, test_hung_up);
  rig_add ("/attachments/sent/cancelled", NULL, test_cancelled);
  rig_add ("/attachments/sent/recalled", NULL, test_recalled);
  rig_add ("/attachments/sent/with-large-value", NULL, test_with_large_value);
  rig_add ("/attachments/returned/counts", NULL, test_returned);
  rig_add ("/attachments/returned/before-the-end", NULL, test_before_the_end);
  rig_add ("/attachments/returned/too-many", NULL, test_too_many);
  rig_add ("/attachments/returned/failed", NULL, test_failed);
  rig_add ("/attachments/returned/too-large", NULL, test_too_large);
  rig_add ("/attachments/returned/dropped", NULL, test_dropped);
  rig_add ("/attachments/returned/lingering", NULL, test_lingering);
  rig_add ("/attachments/returned/lingering/unnamed", NULL, test_unnamed);
  rig_add ("/attachments/returned/undelivered", NULL, test_undelivered);
  rig_add ("/attachments/returned/outlives", NULL, test_outlives);
  rig_add ("/attachments/returned/limit", NULL, test_limit);
  rig_add ("/attachments/returned/old", GINT_TO_POINTER (FALSE), test_old);
  rig_add ("/attachments/returned/old/no-room", GINT_TO_POINTER (TRUE), test_old);
  rig_add ("/attachments/not-passed", NULL, test_not_passed);

  rig_add ("/attachments/map", NULL, test_map);
  rig_add ("/attachments/map-returning", NULL, test_map_returning);

  return g_test_run ();
}
