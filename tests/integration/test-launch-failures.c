/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include <sys/stat.h>
#include <unistd.h>

/* Workers that can't be started, or never become ready. */

/* That calls of @rig fail with a clear error, all of them, after few tries. */
static void
assert_no_launch (Rig *rig, const char *pattern)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) later = NULL;
  guint64 n_started;

  for (int i = 0; i < 20; i++)
    g_ptr_array_add (futures, rig_call (rig, "null", NULL));
  for (int i = 0; i < 20; i++)
    rig_expect_error (futures->pdata[i], DRAY_ERROR, DRAY_ERROR_LAUNCH, pattern);

  n_started = rig_get_count (rig, workers_started);
  g_assert_cmpuint (n_started, <=, 8);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, n_started);
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 0);

  /* A task that comes later is a reason to try again, and meets the same. */
  later = rig_call (rig, "null", NULL);
  rig_expect_error (later, DRAY_ERROR, DRAY_ERROR_LAUNCH, pattern);
  g_assert_cmpuint (rig_get_count (rig, workers_started), <=, n_started + 2);
}

static DrayLauncher *
new_launcher (const char *program, const char *argument)
{
  const char *argv[] = { program, argument, NULL };

  return dray_launcher_new_argv (argv);
}

/* Programs that can't be started */

static void
test_missing (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "no-such-program");

  g_test_summary ("A program that does not exist is named, and the reason is told.");

  rig_start_with (rig, new_launcher (path, NULL), 2);
  assert_no_launch (rig, "*no-such-program”: No such file or directory");
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 0);
  g_clear_object (&rig->executor);

  rig_start_with (rig, new_launcher ("dray-no-such-program-in-the-path", NULL), 2);
  assert_no_launch (rig, "*“dray-no-such-program-in-the-path”: No such file or directory");
}

static void
test_not_executable (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "text");

  g_test_summary ("A file that is no program is named, and the reason is told.");

  g_file_set_contents (path, "This is not a program.\n", -1, NULL);
  rig_start_with (rig, new_launcher (path, NULL), 2);
  assert_no_launch (rig, "*text”: Permission denied");
}

static void
test_folder (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "no-such-folder");
  DrayLauncher *launcher = rig_new_launcher (NULL);

  g_test_summary ("A folder that can't be entered is named, and not the program blamed for it.");

  dray_launcher_set_directory (launcher, path);
  rig_start_with (rig, launcher, 2);
  assert_no_launch (rig, "*no-such-folder”: No such file or directory");
}

/* Programs that are no workers */

static void
test_foreign (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *program;
    const char *argument;
    const char *pattern;
  } vectors[] = {
    { "/bin/cat", NULL,
      "The worker “cat” sent something unexpected: a copy of what it was sent, so it can’t be a "
      "Dray worker" },
    { "yes", NULL, "*“yes”*" },
    { "/bin/yes", NULL, "*“yes”*" },
    { "true", NULL, "*“true”*status 0*" },
    { "false", NULL, "*“false”*status 1*" },
    { "sh", "-c", "*“sh”*status 2*" },
    { "echo", "hello",
      "The worker “echo” sent something unexpected: “hello …” where a message of Dray’s protocol "
      "should begin" },
  };

  g_test_summary ("A program that is no worker is told apart, whatever it does instead.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      rig_start_with (rig, new_launcher (vectors[i].program, vectors[i].argument), 2);
      assert_no_launch (rig, vectors[i].pattern);
      g_clear_object (&rig->executor);
    }
}

static void
test_modes (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *mode;
    const char *pattern;
  } vectors[] = {
    { "--not-a-worker", "*“misbehaving-worker”*" },
    { "--echo-stdin", "*“misbehaving-worker”*" },
    { "--yes", "*“misbehaving-worker”*" },
    { "--other-version",
      "The worker “misbehaving-worker” sent something unexpected: a message in version 9 of Dray’s "
      "protocol, where this library speaks version 1" },
    { "--other-byte-order",
      "The worker “misbehaving-worker” sent something unexpected: a message in a byte order other "
      "than this machine’s" },
    { "--init-fails",
      "The worker “misbehaving-worker” could not be prepared: There is no model to load" },
    { "--init-says-nothing",
      "The worker “misbehaving-worker” could not be prepared: its initializer failed without "
      "saying why" },
    { "--init-says-empty",
      "The worker “misbehaving-worker” could not be prepared: its initializer failed without "
      "saying why" },
    { "--init-exits", "*“misbehaving-worker”*status 5*" },
    { "--init-crashes", "*“misbehaving-worker”*signal 11*" },
  };

  g_test_summary ("A worker of another version or machine, or one that is not ready for work, says "
                  "why, and that is in the error.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      rig_start_with (rig, rig_new_launcher (vectors[i].mode), 2);
      assert_no_launch (rig, vectors[i].pattern);
      g_clear_object (&rig->executor);
    }
}

static void
test_silent (Rig *rig, gconstpointer data)
{
  g_test_summary ("A worker that is not ready in time is killed and counts as one that could not "
                  "be started.");

  rig_start_with (rig, rig_new_launcher (data), 2);
  g_object_set (rig->executor, "launch-timeout", 100, NULL);
  assert_no_launch (rig, "*“misbehaving-worker” was not ready in time*");
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, rig_get_count (rig, workers_started));
}

static void
test_cancel_while_launching (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task whose worker is still starting can be cancelled, and the executor be "
                  "shut down.");

  rig_start_with (rig, rig_new_launcher (data), 1);
  future = rig_call (rig, "null", NULL);
  rig_run_until_count (rig, workers_started, 1);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  rig_shut_down (rig, DRAY_SHUTDOWN_TERMINATE);
}

/* What is not harmed by it */

static void
test_recovery (Rig *rig, gconstpointer data)
{
  g_autofree char *worker = fixture_dup_misbehaving_worker ();
  g_autofree char *path = rig_dup_path (rig, "late-program");
  g_autofree char *script = g_strdup_printf ("#!/bin/sh\nexec '%s'\n", worker);
  g_autoptr (DrayFuture) early = NULL;
  g_autoptr (DrayFuture) late = NULL;

  g_test_summary ("When the program appears later, the executor works from then on.");

  rig_start_with (rig, new_launcher (path, NULL), 1);
  early = rig_call (rig, "null", NULL);
  rig_expect_error (early, DRAY_ERROR, DRAY_ERROR_LAUNCH, NULL);

  g_assert_true (g_file_set_contents (path, script, -1, NULL));
  g_assert_cmpint (chmod (path, 0755), ==, 0);
  late = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_text (late, "3");
}

static void
test_one_left (Rig *rig, gconstpointer data)
{
  g_autofree char *worker = fixture_dup_misbehaving_worker ();
  g_autofree char *path = rig_dup_path (rig, "vanishing-program");
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("While one worker is alive, that no others can be started fails nobody.");

  g_assert_cmpint (symlink (worker, path), ==, 0);
  rig_start_with (rig, new_launcher (path, NULL), 3);
  rig_ask_pid (rig);
  g_assert_cmpint (unlink (path), ==, 0);
  for (int i = 0; i < 40; i++)
    g_ptr_array_add (futures, rig_call (rig, "sleep", "(u)", 10));
  for (int i = 0; i < 40; i++)
    rig_expect_text (futures->pdata[i], "()");
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
}

static void
test_at_times (Rig *rig, gconstpointer data)
{
  g_autofree char *program = fixture_dup_misbehaving_worker ();
  g_autofree char *path = rig_dup_path (rig, "times");
  const char *argv[] = { program, "--init-fails-at-times", path, NULL };
  const guint n_tasks = 120;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Every other worker fails to initialise, and all are used up soon: another try is "
                  "made each time, and no task fails.");

  rig_start_with (rig, dray_launcher_new_argv (argv), 3);
  g_object_set (rig->executor, "max-tasks-per-worker", 20, NULL);
  for (guint i = 0; i < n_tasks; i++)
    g_ptr_array_add (futures, i % 2 == 0 ? rig_call (rig, "add", "(ii)", i, 1)
                                         : rig_call (rig, "bytes", "(u)", 300000));
  rig_run_until_all_done (futures);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, n_tasks);
  g_assert_cmpuint (rig_get_count (rig, workers_died), >=, 3);
}

static void
test_commands_go_on (Rig *rig, gconstpointer data)
{
  const char *argv[] = { "echo", "fine", NULL };
  DrayTask *task = dray_task_new_command (argv);
  g_autoptr (DrayFuture) call = NULL;
  g_autoptr (DrayFuture) command = NULL;

  g_test_summary ("Commands are run while workers can't be started.");

  rig_start_with (rig, new_launcher ("/no/such/program", NULL), 1);
  call = rig_call (rig, "null", NULL);
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
  command = rig_submit (rig, task);
  rig_expect_text (command, "'fine\\n'");
  rig_expect_error (call, DRAY_ERROR, DRAY_ERROR_LAUNCH, NULL);
}

static void
test_slow_start (Rig *rig, gconstpointer data)
{
  g_autofree char *program = fixture_dup_misbehaving_worker ();
  const char *argv[] = { program, "--slow-start", "300", NULL };
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Workers that take their time are waited for, and not more of them started than "
                  "there are slots.");

  rig_start_with (rig, dray_launcher_new_argv (argv), 2);
  for (int i = 0; i < 20; i++)
    g_ptr_array_add (futures, rig_call (rig, "null", NULL));
  rig_run_until_all_done (futures);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, 20);
  g_assert_cmpuint (rig_get_count (rig, workers_started), <=, 2);
}

static void
test_early_crashes (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayFuture) good = NULL;

  g_test_summary ("Workers that die of their very first task slow the executor down, and fail "
                  "nobody but those tasks.");

  rig_start (rig, 1);
  for (int i = 0; i < 6; i++)
    g_ptr_array_add (futures, rig_call (rig, "exit", "(i)", 1));
  good = rig_call (rig, "add", "(ii)", 1, 2);
  for (int i = 0; i < 6; i++)
    rig_expect_error (futures->pdata[i], DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);
  rig_expect_text (good, "3");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/launch-failures/missing", NULL, test_missing);
  rig_add ("/launch-failures/not-executable", NULL, test_not_executable);
  rig_add ("/launch-failures/folder", NULL, test_folder);
  rig_add ("/launch-failures/foreign", NULL, test_foreign);
  rig_add ("/launch-failures/modes", NULL, test_modes);
  rig_add ("/launch-failures/silent", "--silent", test_silent);
  rig_add ("/launch-failures/init-hangs", "--init-hangs", test_silent);
  rig_add ("/launch-failures/cancelled/silent", "--silent", test_cancel_while_launching);
  rig_add ("/launch-failures/cancelled/init-hangs", "--init-hangs", test_cancel_while_launching);
  rig_add ("/launch-failures/recovery", NULL, test_recovery);
  rig_add ("/launch-failures/one-left", NULL, test_one_left);
  rig_add ("/launch-failures/at-times", NULL, test_at_times);
  rig_add ("/launch-failures/commands", NULL, test_commands_go_on);
  rig_add ("/launch-failures/slow-start", NULL, test_slow_start);
  rig_add ("/launch-failures/early-crashes", NULL, test_early_crashes);

  return g_test_run ();
}
