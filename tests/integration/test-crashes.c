/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

#include <signal.h>
#include <string.h>

/* Workers that end, or go mad, in the middle of a task. */

#define LARGE 300000

static GPtrArray *
new_futures (void)
{
  return g_ptr_array_new_with_free_func (g_object_unref);
}

/* The end of a worker */

static void
test_exits (Rig *rig, gconstpointer data)
{
  static const int statuses[] = { 0, 1, 3, 127, 255 };

  g_test_summary ("A worker that exits fails its task with the status, and is replaced.");

  rig_start (rig, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (statuses); i++)
    {
      int pid = rig_ask_pid (rig);
      g_autoptr (DrayFuture) future = rig_call (rig, "exit", "(i)", statuses[i]);
      g_autofree char *pattern = g_strdup_printf ("*“exit”*status %d", statuses[i]);

      rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, pattern);
      g_assert_cmpint (rig_ask_pid (rig), !=, pid);
    }
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, G_N_ELEMENTS (statuses));
}

static void
test_signals (Rig *rig, gconstpointer data)
{
  static const int signals[] = {
    SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP,   SIGABRT, SIGBUS,  SIGFPE,  SIGKILL, SIGUSR1,
    SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM,   SIGXCPU, SIGXFSZ, SIGPROF, SIGSYS,  SIGVTALRM,
    SIGPOLL,
  };

  g_test_summary ("A worker that is killed by a signal, whichever it is, fails its task with the "
                  "number of that signal.");

  rig_start (rig, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    {
      int pid = rig_ask_pid (rig);
      g_autoptr (DrayFuture) future = rig_call (rig, "raise", "(i)", signals[i]);
      g_autofree char *pattern
        = g_strdup_printf ("*“raise”*signal %d (%s)", signals[i], g_strsignal (signals[i]));

      rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, pattern);
      g_assert_cmpint (rig_ask_pid (rig), !=, pid);
    }
}

static void
test_killed_from_outside (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  g_test_summary ("Somebody else kills a worker: an idle one is replaced and counted, and nobody "
                  "hears of it; a busy one fails its task.");

  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  kill (pid, SIGKILL);
  rig_run_until_count (rig, workers_died, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died_idle), ==, 1);
  g_assert_cmpint (rig_ask_pid (rig), !=, pid);

  pid = rig_ask_pid (rig);
  future = rig_call (rig, "block", NULL);
  rig_run_until_status (future, "blocked");
  kill (pid, SIGKILL);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*signal 9*");
  g_assert_cmpint (rig_ask_pid (rig), !=, pid);
  g_assert_cmpuint (rig_get_count (rig, failed), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 2);
  g_assert_cmpuint (rig_get_count (rig, workers_died_idle), ==, 1);
}

static void
test_killed_while_idle (Rig *rig, gconstpointer data)
{
  const int n_turns = 30;

  g_test_summary ("A task that is given to a worker at the moment of its death fails with that, or "
                  "is run by another one; none is lost.");

  rig_start (rig, 1);
  for (int i = 0; i < n_turns; i++)
    {
      int pid = rig_ask_pid (rig);
      g_autoptr (DrayFuture) future = NULL;

      kill (pid, SIGKILL);
      future = rig_call (rig, "pid", NULL);
      fixture_run_until_done (future);
      if (dray_future_get_state (future) == DRAY_FUTURE_SUCCEEDED)
        g_assert_cmpuint (rig_expect_uint32 (future), !=, (guint32) pid);
      else
        rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*signal 9*");
    }
}

/* Words that are none */

static void
test_protocol (Rig *rig, gconstpointer data)
{
  static const char *const functions[] = { "garbage", "oversized", "wrong-id" };

  g_test_summary ("A worker that sends what is no message, or none of its, is ended, and its task "
                  "fails with a protocol error.");

  rig_start (rig, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (functions); i++)
    {
      int pid = rig_ask_pid (rig);
      g_autoptr (DrayFuture) future = rig_call (rig, functions[i], NULL);

      rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_PROTOCOL, "*“misbehaving-worker”*");
      g_assert_true (fixture_process_is_gone (pid));
      g_assert_cmpint (rig_ask_pid (rig), !=, pid);
    }
}

/* How often @number was put on record in that file by "record". */
static guint
count_begun (const char *path, guint32 number)
{
  g_autofree char *contents = NULL;
  gsize size = 0;
  guint n_begun = 0;

  g_file_get_contents (path, &contents, &size, NULL);
  for (gsize i = 0; i < size; i += sizeof number)
    n_begun += memcmp (contents + i, &number, sizeof number) == 0;

  return n_begun;
}

static void
test_protocol_behind (Rig *rig, gconstpointer data)
{
  const guint n_turns = 150;
  g_autofree char *path = rig_dup_path (rig, "record");

  g_test_summary ("A worker that breaks the protocol and goes on may have begun its next task "
                  "before it is ended: that one is not run again elsewhere.");

  rig_start (rig, 1);
  for (guint i = 0; i < n_turns; i++)
    {
      g_autoptr (DrayFuture) broken = rig_call (rig, "garbage-and-on", NULL);
      g_autoptr (DrayFuture) behind = rig_call (rig, "record", "(uusb)", i, 0, path, FALSE);

      fixture_run_until_done (broken);
      fixture_run_until_done (behind);
      if (dray_future_get_state (broken) == DRAY_FUTURE_FAILED)
        rig_expect_error (broken, DRAY_ERROR, DRAY_ERROR_PROTOCOL, NULL);
      if (dray_future_get_state (behind) == DRAY_FUTURE_FAILED)
        rig_expect_error (behind, DRAY_ERROR, DRAY_ERROR_PROTOCOL, NULL);
      g_assert_cmpuint (count_begun (path, i), <=, 1);
    }
}

typedef struct
{
  const char *path;
  guint32 number;
  guint n_times;
} Begun;

static gboolean
is_begun (gpointer user_data)
{
  const Begun *begun = user_data;

  return count_begun (begun->path, begun->number) == begun->n_times;
}

static gboolean
has_one_queued (gpointer rig)
{
  return rig_get_count (rig, queue_length) <= 1;
}

#define N_QUICK 50

/* (transfer full): quick calls, so that a worker gets more than one ahead, and then four more, of
 * which the first one runs; it has those behind it that it gets. */
static GPtrArray *
start_unread (Rig *rig, const char *go_on, const char *path)
{
  GPtrArray *futures = rig_new_futures ();

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  rig_add_calls (rig, futures, "null", N_QUICK);
  g_ptr_array_add (futures, rig_call (rig, "spoil-unread", "(us)", 20, go_on));
  g_ptr_array_add (futures, rig_call (rig, "record", "(uusb)", 1, 0, path, FALSE));
  g_ptr_array_add (futures, rig_call (rig, "record", "(uusb)", 2, 60000000, path, TRUE));
  g_ptr_array_add (futures, rig_call (rig, "attempt", NULL));
  dray_executor_set_paused (rig->executor, FALSE);
  workshop_block_until_running (futures->pdata[N_QUICK]);
  rig_let_time_pass ();

  return futures;
}

static void
test_protocol_behind_unread (Rig *rig, gconstpointer data)
{
  g_autofree char *go_on = rig_dup_path (rig, "go-on");
  g_autofree char *path = rig_dup_path (rig, "record");
  Begun begun = { path, 2, 1 };
  g_autoptr (GPtrArray) futures = NULL;
  DrayFuture *broken, *ended, *behind, *last;

  g_test_summary ("What a worker has written is read late, and breaks the protocol: the next task, "
                  "which it has ended by then, and the one behind that, which it has begun, fail "
                  "as well and are run once; the last one runs elsewhere, as its first attempt.");

  futures = start_unread (rig, go_on, path);
  while (!has_one_queued (rig)) /* the quick ones had to wait, and so did not look quick */
    {
      rig_shut_down (rig, DRAY_SHUTDOWN_KILL);
      g_ptr_array_unref (futures);
      futures = start_unread (rig, go_on, path);
    }
  broken = futures->pdata[N_QUICK];
  ended = futures->pdata[N_QUICK + 1];
  behind = futures->pdata[N_QUICK + 2];
  last = futures->pdata[N_QUICK + 3];

  g_object_set (rig->executor, "max-undelivered-items", 10, NULL);
  rig_let_time_pass (); /* from now on nothing is read */
  g_assert_true (g_file_set_contents (go_on, "", 0, NULL));
  workshop_block_until (is_begun, &begun, "the next task but one is begun");

  rig_expect_error (broken, DRAY_ERROR, DRAY_ERROR_PROTOCOL, "*“misbehaving-worker”*");
  rig_expect_error (ended, DRAY_ERROR, DRAY_ERROR_PROTOCOL, "*“misbehaving-worker”*");
  rig_expect_error (behind, DRAY_ERROR, DRAY_ERROR_PROTOCOL, "*“misbehaving-worker”*");
  g_assert_cmpuint (rig_expect_uint32 (last), ==, 1);
  g_assert_cmpuint (count_begun (path, 1), ==, 1);
  g_assert_true (is_begun (&begun));
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
}

static void
test_output_left (Rig *rig, gconstpointer data)
{
  g_autofree char *go_on = rig_dup_path (rig, "go-on");
  g_autofree char *path = rig_dup_path (rig, "record");
  Begun begun = { path, 1, 1 };
  g_autoptr (DrayFuture) leaving = NULL;
  g_autoptr (DrayFuture) behind = NULL;
  g_autoptr (DrayFuture) last = NULL;

  g_test_summary ("A worker closes its output and goes on: it is ended, and the task that it has "
                  "begun unheard fails with it, and is not run again; the one behind that is.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 10000, NULL);
  rig_ask_pid (rig);
  leaving = rig_call (rig, "leave-output", "(s)", go_on);
  behind = rig_call (rig, "record", "(uusb)", begun.number, 60000000, path, FALSE);
  last = rig_call (rig, "attempt", NULL);
  fixture_iterate_until (has_one_queued, rig, "the task behind has been sent");
  g_assert_true (g_file_set_contents (go_on, "", 0, NULL));

  rig_expect_error (behind, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);
  g_assert_cmpuint (rig_expect_uint32 (last), ==, 1);
  fixture_run_until_done (leaving);
  g_assert_true (is_begun (&begun));
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
}

static void
test_deaf_channel (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) deaf = NULL;
  g_autoptr (DrayFuture) behind = NULL;

  g_test_summary ("A worker that can't be written to any more is ended, also if it still finishes "
                  "its task; the one behind comes to an end, and the next ones run elsewhere.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 3000, NULL);
  deaf = rig_call (rig, "deaf-channel", "(u)", 100);
  rig_run_until_status (deaf, "deaf");
  behind = rig_call (rig, "null", NULL);
  rig_expect_text (deaf, "()");
  fixture_run_until_done (behind);
  rig_ask_pid (rig);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
}

static void
test_half_frame (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A worker that ends in the middle of a message has died.");

  rig_start (rig, 1);
  rig_ask_pid (rig);
  future = rig_call (rig, "half-frame", NULL);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*status 0*");
  rig_ask_pid (rig);
}

static void
test_print (Rig *rig, gconstpointer data)
{
  int pid;

  g_test_summary ("What a function prints to standard output harms nobody.");

  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  for (int i = 0; i < 10; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "print", NULL);

      rig_expect_text (future, "()");
    }
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

/* Last words */

static void
test_last_words (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) spoken = NULL;
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("The last lines of standard error are in the message, as valid text.");

  rig_start (rig, 1);
  spoken = rig_call (rig, "stderr", "(s)", "first\nout of \033[1mcheese\033[0m\n");
  rig_expect_text (spoken, "()");
  future = rig_call (rig, "raise", "(i)", SIGABRT);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*signal 6*\n*first\n*cheese*");
}

static void
test_many_last_words (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) spoken = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("However much a worker writes there, it is not held up, and little is kept.");

  rig_start (rig, 1);
  spoken = rig_call (rig, "stderr", "(u)", 8 * 1024 * 1024);
  rig_expect_text (spoken, "()");
  future = rig_call (rig, "exit", "(i)", 1);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);
  g_assert_null (dray_future_dup_result (future, &error));
  g_assert_cmpuint (strlen (error->message), <, 8 * 1024);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

/* Memory */

static void
test_hog (Rig *rig, gconstpointer data)
{
  const char *prefix[] = { "sh", "-c", "ulimit -v 2000000; exec \"$@\"", "sh", NULL };
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) modest = NULL;
  g_autoptr (DrayFuture) greedy = NULL;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_skip ("a sanitizer takes more address space than there is to be limited");
  g_object_unref (launcher);
  return;
#endif

  g_test_summary ("A worker may be limited by its prefix: the task that wants more memory fails, "
                  "and that is all.");

  dray_launcher_set_prefix (launcher, prefix);
  rig_start_with (rig, launcher, 1);
  modest = rig_call (rig, "hog", "(u)", 50);
  g_assert_cmpuint (rig_expect_uint32 (modest), ==, 50);
  greedy = rig_call (rig, "hog", "(u)", 3000);
  rig_expect_error (greedy, G_IO_ERROR, G_IO_ERROR_NO_SPACE, NULL);
  rig_ask_pid (rig);
}

/* Among others */

/* Every fifth has a large result. */
static DrayFuture *
call_innocent (Rig *rig, guint i)
{
  return i % 5 == 1 ? rig_call (rig, "bytes", "(u)", LARGE) : rig_call (rig, "attempt", NULL);
}

static void
expect_innocent (DrayFuture *future, guint i)
{
  if (i % 5 == 1)
    rig_expect_bytes (future, LARGE);
  else
    g_assert_cmpuint (rig_expect_uint32 (future), ==, 1);
}

static void
test_poison (Rig *rig, gconstpointer data)
{
  const guint n_tasks = 1000;
  g_autoptr (GPtrArray) futures = new_futures ();

  g_test_summary ("One task among a thousand crashes its worker: the others notice nothing.");

  rig_start (rig, 2);
  for (guint i = 0; i < n_tasks; i++)
    g_ptr_array_add (futures, i == n_tasks / 2 ? rig_call (rig, "raise", "(i)", SIGSEGV)
                                               : call_innocent (rig, i));
  for (guint i = 0; i < n_tasks; i++)
    {
      if (i == n_tasks / 2)
        rig_expect_error (futures->pdata[i], DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*signal 11*");
      else
        expect_innocent (futures->pdata[i], i);
    }
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, failed), ==, 1);
}

static void
test_deadly (Rig *rig, gconstpointer data)
{
  const guint max_retries = GPOINTER_TO_UINT (data);
  const guint n_tasks = 1000;
  g_autofree char *path = rig_dup_path (rig, "record");
  DrayTask *task
    = dray_task_new_call ("record-and-die", g_variant_new ("(uss)", 7, path, "crash"));
  g_autoptr (DrayFuture) deadly = NULL;
  g_autoptr (GPtrArray) futures = new_futures ();

  g_test_summary ("A task that kills every worker that takes it fails alone, when its retries are "
                  "used up; and there are no more workers than it has killed, and slots.");

  rig_start (rig, 2);
  for (guint i = 0; i < n_tasks / 2; i++)
    g_ptr_array_add (futures, call_innocent (rig, i));
  dray_task_set_max_retries (task, max_retries);
  deadly = rig_submit (rig, task);
  for (guint i = n_tasks / 2; i < n_tasks; i++)
    g_ptr_array_add (futures, call_innocent (rig, i));

  rig_expect_error (deadly, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*signal 11 *");
  g_assert_cmpuint (count_begun (path, 7), ==, max_retries + 1);
  for (guint i = 0; i < n_tasks; i++)
    expect_innocent (futures->pdata[i], i);

  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, max_retries + 1);
  g_assert_cmpuint (rig_get_count (rig, workers_started), <=, max_retries + 1 + 2);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, max_retries);
}

/* Kills the worker, which runs a task, and returns the process that comes after it. That one gets
 * two others before that task, so that the death which comes next is not one of a worker that has
 * never done anything. The kill is @least_delay before, at least: in µs. */
static int
kill_and_replace (Rig *rig, int pid, gint64 least_delay)
{
  static const char *const functions[] = { "pid", "bytes" };
  DrayFuture *futures[G_N_ELEMENTS (functions)];
  gint64 start;
  int next;

  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      DrayTask *task = dray_task_new_call (functions[i], g_variant_new ("(u)", LARGE));

      dray_task_set_priority (task, -1);
      futures[i] = rig_submit (rig, task);
    }
  start = g_get_monotonic_time ();
  kill (pid, SIGKILL);
  next = (int) rig_expect_uint32 (futures[0]);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, least_delay);
  g_assert_cmpint (next, !=, pid);

  rig_expect_bytes (futures[1], LARGE);
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    g_object_unref (futures[i]);
  return next;
}

static void
test_deadly_spacing (Rig *rig, gconstpointer data)
{
  const guint max_retries = 5;
  g_autofree char *path = rig_dup_path (rig, "record");
  Begun begun = { path, 7, 1 };
  DrayTask *task = dray_task_new_call (
    "record", g_variant_new ("(uusb)", begun.number, 60000000, path, FALSE));
  g_autoptr (DrayFuture) deadly = NULL;
  int pid;

  g_test_summary ("After the second worker that a task has killed, the next one is started 20 ms "
                  "later, after the third one 40 ms, and so on, whatever each did before that.");

  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  dray_task_set_max_retries (task, max_retries);
  deadly = rig_submit (rig, task);
  for (; begun.n_times <= max_retries; begun.n_times++)
    {
      const gint64 delay = 10 * G_TIME_SPAN_MILLISECOND << (begun.n_times - 1);

      fixture_iterate_until (is_begun, &begun, "the task is begun once more");
      pid = kill_and_replace (rig, pid, begun.n_times > 1 ? delay : 0);
    }
  fixture_iterate_until (is_begun, &begun, "the task is begun for the last time");
  kill (pid, SIGKILL);
  rig_expect_error (deadly, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*signal 9 *");
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, max_retries + 1);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, max_retries);
}

/* Retries */

static void
test_retried (Rig *rig, gconstpointer data)
{
  DrayTask *task = rig_new_task ("old-attempt", NULL);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task with retries is run again when its worker dies; what is said about the "
                  "attempt before is not heard.");

  rig_start_with (rig, rig_new_launcher ("--no-ring"), 1);
  dray_task_set_max_retries (task, 1);
  future = rig_submit (rig, task);
  rig_expect_text (future, "'new'");
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, items), ==, 0);
}

static void
test_retries_used_up (Rig *rig, gconstpointer data)
{
  static const char *const functions[] = { "exit", "garbage", "raise" };
  static const char *const arguments[] = { "(7,)", NULL, "(9,)" };

  g_test_summary ("A task that kills its workers fails when its retries are used up.");

  rig_start (rig, 1);
  for (guint i = 0; i < G_N_ELEMENTS (functions); i++)
    {
      DrayTask *task = rig_new_task (functions[i], arguments[i]);
      g_autoptr (DrayFuture) future = NULL;

      rig_ask_pid (rig);
      dray_task_set_max_retries (task, 2);
      future = rig_submit (rig, task);
      rig_expect_error (future, DRAY_ERROR,
                        i == 1 ? DRAY_ERROR_PROTOCOL : DRAY_ERROR_WORKER_DIED, NULL);
      g_assert_cmpuint (rig_get_count (rig, retried), ==, 2 * (i + 1));
      g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 3 * (i + 1));
    }
}

static void
test_errors_are_not_retried (Rig *rig, gconstpointer data)
{
  DrayTask *task = rig_new_task ("fail", "('g-io-error-quark', 0, 'No')");
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task that fails in good order is not run again.");

  rig_start (rig, 1);
  dray_task_set_max_retries (task, 5);
  future = rig_submit (rig, task);
  rig_expect_error (future, G_IO_ERROR, G_IO_ERROR_FAILED, "No");
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/crashes/exits", NULL, test_exits);
  rig_add ("/crashes/signals", NULL, test_signals);
  rig_add ("/crashes/killed", NULL, test_killed_from_outside);
  rig_add ("/crashes/killed/idle", NULL, test_killed_while_idle);
  rig_add ("/crashes/protocol", NULL, test_protocol);
  rig_add ("/crashes/protocol/behind", NULL, test_protocol_behind);
  rig_add ("/crashes/protocol/behind/unread", NULL, test_protocol_behind_unread);
  rig_add ("/crashes/output-left", NULL, test_output_left);
  rig_add ("/crashes/deaf-channel", NULL, test_deaf_channel);
  rig_add ("/crashes/half-frame", NULL, test_half_frame);
  rig_add ("/crashes/print", NULL, test_print);
  rig_add ("/crashes/last-words", NULL, test_last_words);
  rig_add ("/crashes/last-words/many", NULL, test_many_last_words);
  rig_add ("/crashes/hog", NULL, test_hog);
  rig_add ("/crashes/poison", NULL, test_poison);
  rig_add ("/crashes/deadly", GUINT_TO_POINTER (0), test_deadly);
  rig_add ("/crashes/deadly/retries", GUINT_TO_POINTER (6), test_deadly);
  rig_add ("/crashes/deadly/spacing", NULL, test_deadly_spacing);
  rig_add ("/crashes/retries", NULL, test_retried);
  rig_add ("/crashes/retries/used-up", NULL, test_retries_used_up);
  rig_add ("/crashes/retries/errors", NULL, test_errors_are_not_retried);

  return g_test_run ();
}
