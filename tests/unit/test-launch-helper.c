/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-launcher-private.h"

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The launch helper, the real one, as a child of this program and of another one that dies. */

/* Tells this program to be the parent of a command, to say which, and to wait to be killed. */
#define PARENT_ARGUMENT "--be-a-parent"

#define NOT_RUN 127

/* What became of a run. */
typedef struct
{
  char *output; /* (owned) */
  char *errors; /* (owned) */
  int status[2]; /* what came through descriptor 3 … */
  gssize status_size; /* … in bytes; -1: it was not open */
  int exit_status;
} Run;

static void
run_clear (Run *self)
{
  g_free (self->output);
  g_free (self->errors);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

/* (transfer full): all that comes until nobody has the pipe open for writing. Closes @fd. */
static char *
read_all (int fd)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[512];
  gssize size;

  while ((size = read (fd, buffer, sizeof buffer)) > 0)
    g_string_append_len (text, buffer, size);
  g_assert_cmpint (size, ==, 0);
  close (fd);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static int
wait_for_exit (GPid pid)
{
  int wait_status = 0;

  g_assert_cmpint (waitpid (pid, &wait_status, 0), ==, pid);
  g_assert_true (WIFEXITED (wait_status));
  return WEXITSTATUS (wait_status);
}

static void
run (Run *self, const char *const *argv, gboolean with_status)
{
  g_autoptr (GError) error = NULL;
  const int target = 3;
  int status[2] = { -1, -1 };
  int output = -1;
  int errors = -1;
  GPid pid = 0;

  g_unix_open_pipe (status, FD_CLOEXEC, &error);
  g_assert_no_error (error);
  g_spawn_async_with_pipes_and_fds (NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, -1,
                                    -1, -1, &status[1], &target, with_status ? 1 : 0, &pid, NULL,
                                    &output, &errors, &error);
  g_assert_no_error (error);
  close (status[1]);

  self->status_size = read (status[0], self->status, sizeof self->status);
  close (status[0]);
  self->output = read_all (output);
  self->errors = read_all (errors);
  self->exit_status = wait_for_exit (pid);
}

/* Under the helper, the right way. */
static void
run_command (Run *self, const char *const *command, gboolean with_status)
{
  g_auto (GStrv) argv = dray_launch_helper_argv (command);

  run (self, (const char *const *) argv, with_status);
}

static void
test_success (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("A command runs as if there were no helper: its arguments, output and status "
                  "are its own, and descriptor 3 says that it was executed by closing.");

  g_auto (Run) result = { 0 };

  run_command (&result,
               (const char *const[]) { "sh", "-c", "printf '[%s]' \"$0\" \"$@\"; exit 7", "--", "",
                                       "two words", "-x", NULL },
               TRUE);
  g_assert_cmpint (result.status_size, ==, 0);
  g_assert_cmpstr (result.output, ==, "[--][][two words][-x]");
  g_assert_cmpstr (result.errors, ==, "");
  g_assert_cmpint (result.exit_status, ==, 7);
}

static void
test_descriptors (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("The command has the three standard descriptors and not the one to report "
                  "through.");

  static const char script[] = "for n in 0 1 2 3 4 5 6 7 8 9; do"
                               "  test ! -e /proc/$$/fd/$n || echo $n;"
                               "done";
  g_auto (Run) result = { 0 };

  run_command (&result, (const char *const[]) { "sh", "-c", script, NULL }, TRUE);
  g_assert_cmpstr (result.output, ==, "0\n1\n2\n");
}

static void
test_same_process (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("The command takes the helper's place: this program stays its parent.");

  g_auto (Run) result = { 0 };
  g_autofree char *expected = g_strdup_printf ("%d\n", (int) getpid ());

  run_command (&result, (const char *const[]) { "sh", "-c", "echo $PPID", NULL }, TRUE);
  g_assert_cmpstr (result.output, ==, expected);
}

static void
test_failure (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("Why a command can't be executed comes through descriptor 3, and nothing is "
                  "printed.");

  static const struct
  {
    const char *program;
    int reason;
  } table[] = {
    { "dray-no-such-program", ENOENT },
    { "/no/such/program", ENOENT },
    { "/dev/null/program", ENOTDIR },
    { "/", EACCES },
    { "/proc/self/status", EACCES },
    { "", ENOENT },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_auto (Run) result = { 0 };

      run_command (&result, (const char *const[]) { table[i].program, "argument", NULL }, TRUE);
      g_assert_cmpint (result.status_size, ==, sizeof (int));
      g_assert_cmpint (result.status[0], ==, table[i].reason);
      g_assert_cmpint (result.exit_status, ==, NOT_RUN);
      g_assert_cmpstr (result.output, ==, "");
      g_assert_cmpstr (result.errors, ==, "");
    }
}

static void
test_failure_by_hand (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("Where there is no descriptor 3 the reason is printed.");

  g_auto (Run) result = { 0 };

  run_command (&result, (const char *const[]) { "/no/such/program", NULL }, FALSE);
  g_assert_cmpint (result.exit_status, ==, NOT_RUN);
  g_assert_cmpstr (result.errors, ==,
                   "dray-launch-1: /no/such/program: No such file or directory\n");
}

static void
test_usage (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("Whoever calls the helper the wrong way is told the right one, and nothing is "
                  "run.");

  static const char *const table[][5] = {
    { NULL },
    { "--help" },
    { "12", "--" },
    { "12", "echo", "unwanted" },
    { "--", "echo", "unwanted" },
    { "", "--", "echo", "unwanted" },
    { "12x", "--", "echo", "unwanted" },
    { "0", "--", "echo", "unwanted" },
    { "-5", "--", "echo", "unwanted" },
    { "99999999999", "--", "echo", "unwanted" },
    { "99999999999999999999", "--", "echo", "unwanted" },
  };
  g_autofree char *helper = dray_launch_find_program ("dray-launch-1");

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_auto (Run) result = { 0 };
      const char *argv[7] = { helper };

      for (guint j = 0; table[i][j] != NULL; j++)
        argv[j + 1] = table[i][j];

      run (&result, argv, FALSE);
      g_assert_cmpint (result.exit_status, ==, NOT_RUN);
      g_assert_cmpstr (result.output, ==, "");
      g_assert_true (g_str_has_prefix (result.errors, "Usage: dray-launch-1 "));
    }
}

static void
test_parent_is_gone (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("Where the parent is not, or no longer, the one that was named, nothing is run "
                  "and nothing is said.");

  g_autofree char *helper = dray_launch_find_program ("dray-launch-1");
  g_autofree char *own_parent = g_strdup_printf ("%d", (int) getppid ());
  const char *const argv[] = { helper, own_parent, "--", "echo", "unwanted", NULL };
  g_auto (Run) result = { 0 };

  run (&result, argv, TRUE);
  g_assert_cmpint (result.exit_status, ==, NOT_RUN);
  g_assert_cmpint (result.status_size, ==, 0);
  g_assert_cmpstr (result.output, ==, "");
  g_assert_cmpstr (result.errors, ==, "");
}

/* The program that dies: starts a command which says its number and waits for ever, and waits. */
static int
be_a_parent (void)
{
  g_auto (GStrv) argv
      = dray_launch_helper_argv ((const char *const[]) { "sh", "-c", "echo $$; exec sleep 1000",
                                                         NULL });
  pid_t pid;

  if (posix_spawn (&pid, argv[0], NULL, NULL, argv, environ) != 0)
    return 1;
  for (;;)
    pause ();
}

/* Reads one line, and no more. */
static int
read_number (int fd)
{
  char text[16] = { 0 };

  for (guint i = 0; i < sizeof text - 1; i++)
    {
      g_assert_cmpint (read (fd, text + i, 1), ==, 1);
      if (text[i] == '\n')
        break;
    }
  return atoi (text);
}

static void
test_parent_dies (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("A command does not outlive the program that started it, even if that is "
                  "killed.");

  g_autoptr (GError) error = NULL;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const char *const argv[] = { self, PARENT_ARGUMENT, NULL };
  GPid parent = 0;
  int output = -1;

  g_spawn_async_with_pipes_and_fds (NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, -1,
                                    -1, -1, NULL, NULL, 0, &parent, NULL, &output, NULL, &error);
  g_assert_no_error (error);

  int command = read_number (output);

  g_assert_cmpint (command, >, 1);
  g_assert_false (fixture_process_is_gone (command));
  kill (parent, SIGKILL);
  g_assert_cmpint (waitpid (parent, NULL, 0), ==, parent);

  /* The pipe ends when the last process is gone that has it open, which is the command. */
  g_autofree char *rest = read_all (output);

  g_assert_cmpstr (rest, ==, "");
  fixture_iterate_until_gone (command);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && g_str_equal (argv[1], PARENT_ARGUMENT))
    return be_a_parent ();

  g_test_init (&argc, &argv, NULL);

  fixture_add ("/launch-helper/success", NULL, test_success);
  fixture_add ("/launch-helper/descriptors", NULL, test_descriptors);
  fixture_add ("/launch-helper/same-process", NULL, test_same_process);
  fixture_add ("/launch-helper/failure", NULL, test_failure);
  fixture_add ("/launch-helper/failure-by-hand", NULL, test_failure_by_hand);
  fixture_add ("/launch-helper/usage", NULL, test_usage);
  fixture_add ("/launch-helper/parent-is-gone", NULL, test_parent_is_gone);
  fixture_add ("/launch-helper/parent-dies", NULL, test_parent_dies);

  return g_test_run ();
}
