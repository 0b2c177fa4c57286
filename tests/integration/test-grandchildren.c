/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* What workers and commands have started themselves: it goes with them, and where it has taken
 * precautions against that, it holds up nobody. */

static int
ask_grandchild (Rig *rig, const char *function)
{
  g_autoptr (DrayFuture) future = rig_call (rig, function, NULL);

  return (int) rig_expect_uint32 (future);
}

/* In the worker's group */

static void
test_after_kill (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  int grandchild;

  g_test_summary ("When a worker is killed, what it has started is killed as well.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 0, NULL);
  grandchild = ask_grandchild (rig, "grandchild");
  g_assert_false (fixture_process_is_gone (grandchild));
  future = rig_call (rig, "spin", NULL);
  rig_run_until_running (future);
  dray_future_cancel (future);
  fixture_iterate_until_gone (grandchild);
}

static void
test_after_crash (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) exiting = NULL;
  g_autoptr (DrayFuture) crashing = NULL;
  int grandchild;

  g_test_summary ("The same when it ends by itself, in whichever way.");

  rig_start (rig, 1);
  grandchild = ask_grandchild (rig, "grandchild");
  exiting = rig_call (rig, "exit", "(i)", 0);
  rig_expect_error (exiting, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);
  fixture_iterate_until_gone (grandchild);

  grandchild = ask_grandchild (rig, "grandchild");
  crashing = rig_call (rig, "raise", "(i)", SIGSEGV);
  rig_expect_error (crashing, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);
  fixture_iterate_until_gone (grandchild);
}

static void
test_after_retirement (Rig *rig, gconstpointer data)
{
  int grandchild;

  g_test_summary ("The same when it is asked to go; and that is no crash.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "idle-timeout", 50, "grace-period", 60000, NULL);
  grandchild = ask_grandchild (rig, "grandchild");
  rig_run_until_count (rig, workers_retired, 1);
  fixture_iterate_until_gone (grandchild);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

/* In a session of its own, holding the pipes */

static void
test_session_crash (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) exiting = NULL;
  int grandchild;

  g_test_summary ("A process that has left the group and holds the pipes open does not hold up the "
                  "end of the task, nor the tasks after it.");

  rig_start (rig, 1);
  grandchild = ask_grandchild (rig, "grandchild-session");
  exiting = rig_call (rig, "exit", "(i)", 4);
  rig_expect_error (exiting, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*status 4*");
  g_assert_false (fixture_process_is_gone (grandchild));
  rig_ask_pid (rig);
  kill (grandchild, SIGKILL);
}

static void
test_session_retirement (Rig *rig, gconstpointer data)
{
  int grandchild;

  g_test_summary ("Nor does it hold up a worker that is asked to go, or the shutdown.");

  rig_start (rig, 1);
  grandchild = ask_grandchild (rig, "grandchild-session");
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  g_assert_false (fixture_process_is_gone (grandchild));
  kill (grandchild, SIGKILL);
}

/* Commands */

static DrayFuture *
run_shell (Rig *rig, const char *script, DraySplit split)
{
  const char *argv[] = { "sh", "-c", script, NULL };
  DrayTask *task = dray_task_new_command (argv);

  dray_task_set_split (task, split);
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);

  return rig_submit (rig, task);
}

static void
note_pid_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  int *pid = user_data;

  if (*pid == 0)
    *pid = atoi (g_variant_get_string (value, NULL));
}

static void
test_command (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  int grandchild = 0;

  g_test_summary ("What a command leaves behind in its group goes with it, and what it wrote "
                  "before arrives.");

  rig_start_without_workers (rig);
  future = run_shell (rig, "sleep 300 & echo $!; echo last", DRAY_SPLIT_LINES);
  g_signal_connect (future, "item", G_CALLBACK (note_pid_cb), &grandchild);
  rig_expect_text (future, "uint64 2");
  g_assert_cmpint (grandchild, >, 0);
  fixture_iterate_until_gone (grandchild);
}

static void
test_command_cancelled (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  int grandchild = 0;

  g_test_summary ("Cancelling a command ends what it has started, too.");

  rig_start_without_workers (rig);
  future = run_shell (rig, "sleep 300 & echo $!; wait", DRAY_SPLIT_LINES);
  g_signal_connect (future, "item", G_CALLBACK (note_pid_cb), &grandchild);
  while (grandchild == 0)
    g_main_context_iteration (NULL, TRUE);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  fixture_iterate_until_gone (grandchild);
}

static void
test_command_session (Rig *rig, gconstpointer data)
{
  const char *program = data;
  g_autofree char *ready = rig_dup_path (rig, "ready");
  g_autofree char *script
    = g_strdup_printf ("setsid sh -c 'echo $$; touch %s; exec %s' & "
                       "until [ -e %s ]; do sleep 0.01; done",
                       ready, program, ready);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) later = NULL;
  int grandchild = 0;

  g_test_summary ("A process that has left the command's group and holds its output, silent or "
                  "writing without end, does not hold up the end of the command.");

  rig_start_without_workers (rig);
  future = run_shell (rig, script, DRAY_SPLIT_LINES);
  g_signal_connect (future, "item", G_CALLBACK (note_pid_cb), &grandchild);
  fixture_run_until_done (future);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_SUCCEEDED);
  g_assert_cmpint (grandchild, >, 0);

  later = run_shell (rig, "echo later", DRAY_SPLIT_NONE);
  rig_expect_text (later, "'later\\n'");
  kill (grandchild, SIGKILL);
}

static gboolean
is_written (gpointer path)
{
  g_autofree char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) && strchr (text, '\n') != NULL;
}

static int
read_pid (const char *path)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return atoi (text);
}

/* The command has written what is not read yet, and ends while the thief takes that. */
static void
run_robbed_command (Rig *rig)
{
  g_autofree char *thief = rig_dup_path (rig, "thief");
  g_autofree char *command = rig_dup_path (rig, "command");
  g_autofree char *script
    = g_strdup_printf ("setsid sh -c 'echo $$ >%s; "
                       "exec dd bs=32 4>&1 3</proc/self/fd/1 <&3 >/dev/null 2>&1' & "
                       "until read pid <%s; do sleep 0.01; done 2>/dev/null; kill -STOP $pid; "
                       "seq 20; echo $$ >%s; seq 8000; kill -CONT $pid",
                       thief, thief, command);
  g_autoptr (DrayFuture) future = run_shell (rig, script, DRAY_SPLIT_LINES);

  workshop_block_until (is_written, command, "the command is about to end");
  workshop_block_until (fixture_is_gone, GINT_TO_POINTER (read_pid (command)), "it has ended");
  fixture_run_until_done (future);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_SUCCEEDED);
  kill (read_pid (thief), SIGKILL);
  g_unlink (thief);
  g_unlink (command);
}

static void
test_command_session_reading (Rig *rig, gconstpointer data)
{
  g_test_summary ("Nor does one that takes away what the command has written.");

  rig_start_without_workers (rig);
  g_object_set (rig->executor, "max-undelivered-items", 10, NULL);
  for (guint i = 0; i < 20; i++)
    run_robbed_command (rig);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/grandchildren/killed", NULL, test_after_kill);
  rig_add ("/grandchildren/crashed", NULL, test_after_crash);
  rig_add ("/grandchildren/retired", NULL, test_after_retirement);
  rig_add ("/grandchildren/session/crashed", NULL, test_session_crash);
  rig_add ("/grandchildren/session/shut-down", NULL, test_session_retirement);
  rig_add ("/grandchildren/command", NULL, test_command);
  rig_add ("/grandchildren/command/cancelled", NULL, test_command_cancelled);
  rig_add ("/grandchildren/command/session/silent", "sleep 300", test_command_session);
  rig_add ("/grandchildren/command/session/writing", "yes", test_command_session);
  rig_add ("/grandchildren/command/session/reading", NULL, test_command_session_reading);

  return g_test_run ();
}
