/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "child-harness.h"

#include <errno.h>
#include <sched.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

/* Real children, on the real I/O thread: how their end is noticed, and signals to them. */

/* Starts this program as a child that leaves its process group. */
#define LEAVE_GROUP_ARGUMENT "--leave-group"

/* --- Ways to a pidfd that can be told to fail --- */

typedef enum
{
  PIDFD_WORKS,
  PIDFD_TOO_LATE,       /* the host has reaped the child */
  PIDFD_NO_DESCRIPTORS, /* none is left */
  PIDFD_UNKNOWN,        /* to the kernel */
} PidfdMode;

static int pidfd_mode; /* atomic */

int
pidfd_open (pid_t pid, unsigned int flags)
{
  switch ((PidfdMode) g_atomic_int_get (&pidfd_mode))
    {
    case PIDFD_TOO_LATE:
      g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
      break;
    case PIDFD_NO_DESCRIPTORS:
      errno = EMFILE;
      return -1;
    case PIDFD_UNKNOWN:
      errno = ENOSYS;
      return -1;
    case PIDFD_WORKS:
    default:
      break;
    }
  return (int) syscall (SYS_pidfd_open, pid, flags);
}

/* The C library's other name of it. */
extern int __clone (int (*function) (void *), void *stack, int flags, void *argument, ...);

int
clone (int (*function) (void *), void *stack, int flags, void *argument, ...)
{
  const int mode = g_atomic_int_get (&pidfd_mode);
  int *pidfd;
  va_list arguments;

  va_start (arguments, argument);
  pidfd = va_arg (arguments, int *);
  va_end (arguments);

  if (mode == PIDFD_NO_DESCRIPTORS && (flags & CLONE_PIDFD) != 0)
    {
      errno = EMFILE;
      return -1;
    }
  if (mode != PIDFD_WORKS)
    flags &= ~CLONE_PIDFD;
  return __clone (function, stack, flags, argument, pidfd);
}

static void
set_up (Harness *self, gconstpointer data)
{
  harness_set_up (self, data);
  g_atomic_int_set (&pidfd_mode, GPOINTER_TO_INT (data));
}

/* --- How it ends --- */

static void
test_end (Harness *harness, gconstpointer data)
{
  g_test_summary ("Status and signal are known, and described in words.");

  static const struct
  {
    const char *script;
    int exit_status;
    int signal_number;
    const char *description;
  } table[] = {
    { "exit 0", 0, 0, "exited with status 0" },
    { "exit 3", 3, 0, "exited with status 3" },
    { "exit 255", 255, 0, "exited with status 255" },
    { "kill -KILL $$", -1, SIGKILL, "was killed by signal 9 (Killed)" },
    { "kill -TERM $$", -1, SIGTERM, "was killed by signal 15 (Terminated)" },
    { "ulimit -c 0; kill -SEGV $$", -1, SIGSEGV,
      "was killed by signal 11 (Segmentation fault)" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_auto (Process) process = PROCESS (harness, "sh", "-c", table[i].script);
      g_autofree char *description = NULL;

      start (&process);
      wait_for_exit (&process);
      description = dray_exit_describe (&process.end);
      g_assert_true (process.end.known);
      g_assert_cmpint (process.end.exit_status, ==, table[i].exit_status);
      g_assert_cmpint (process.end.signal, ==, table[i].signal_number);
      g_assert_cmpstr (description, ==, table[i].description);
    }
}

static void
check_unknown (const Process *process)
{
  g_autofree char *description = dray_exit_describe (&process->end);

  g_assert_false (process->end.known);
  g_assert_cmpint (process->end.exit_status, ==, -1);
  g_assert_cmpint (process->end.signal, ==, 0);
  g_assert_cmpstr (description, ==, "ended");
}

static void
test_reaped_by_host (Harness *harness, gconstpointer data)
{
  g_test_summary ("A child that somebody else reaps has ended all the same, one can't say how.");

  g_auto (Process) process = PROCESS (harness, "true");

  process.reap_at_once = TRUE;
  start (&process);
  wait_for_exit (&process);
  check_unknown (&process);
}

static void
test_reaped_before_watched (Harness *harness, gconstpointer data)
{
  g_test_summary ("A child that somebody else reaps before it could be watched is no error, and "
                  "its end is told from the loop like any other.");

  g_auto (Process) process = PROCESS (harness, "true");

  start (&process);
  wait_for_exit (&process);
  check_unknown (&process);
}

static void
test_children_ignored (Harness *harness, gconstpointer data)
{
  g_test_summary ("In a host that ignores SIGCHLD, where the kernel reaps, children end too.");

  signal (SIGCHLD, SIG_IGN);
  for (guint i = 0; i < 20; i++)
    {
      g_auto (Process) process = PROCESS (harness, "sh", "-c", "exit 3");

      start (&process);
      wait_for_exit (&process);
      check_unknown (&process);
    }
  signal (SIGCHLD, SIG_DFL);
}

static void
test_many (Harness *harness, gconstpointer data)
{
  g_test_summary ("Each of many children is told its own end.");

  Process processes[40];
  char scripts[G_N_ELEMENTS (processes)][16];

  for (guint i = 0; i < G_N_ELEMENTS (processes); i++)
    {
      g_snprintf (scripts[i], sizeof scripts[i], "exit %u", i);
      processes[i] = (Process) PROCESS (harness, "sh", "-c", scripts[i]);
      start (&processes[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (processes); i++)
    {
      wait_for_exit (&processes[i]);
      g_assert_true (processes[i].end.known);
      g_assert_cmpint (processes[i].end.exit_status, ==, i);
    }
}

/* --- Signals to it --- */

static void
test_signal_group (Harness *harness, gconstpointer data)
{
  g_test_summary ("A signal reaches all that the child has started.");

  g_auto (Process) process
      = PROCESS (harness, "sh", "-c", "sleep 1000 & sleep 1000 & echo ready; wait");
  g_autofree char *rest = NULL;
  int output = open_output (&process);

  start (&process);
  close (process.spawn.stdout_fd);
  read_line (output, "ready\n");

  send_signal (&process, SIGTERM);
  rest = read_all (output);
  wait_for_exit (&process);
  g_assert_cmpint (process.end.signal, ==, SIGTERM);
}

static void
test_left_behind (Harness *harness, gconstpointer data)
{
  g_test_summary ("What a child leaves running can be killed once it has exited: until it is "
                  "reaped its group can't be anybody else's.");

  g_auto (Process) process = PROCESS (harness, "sh", "-c", "sleep 1000 & exit 5");
  /* This ends only when the sleeper is gone. */
  G_GNUC_UNUSED g_autofree char *output = run (&process);

  g_assert_cmpint (process.end.exit_status, ==, 5);
}

static void
test_left_behind_and_reaped (Harness *harness, gconstpointer data)
{
  g_test_summary ("What a child leaves running is killed also if somebody else reaped the "
                  "child.");

  g_auto (Process) process = PROCESS (harness, "sh", "-c", "sleep 1000 & exit 5");

  process.reap_at_once = TRUE;

  G_GNUC_UNUSED g_autofree char *output = run (&process);

  check_unknown (&process);
}

static void
test_stopped (Harness *harness, gconstpointer data)
{
  g_test_summary ("A child that is stopped is terminated, and does not sleep on.");

  g_auto (Process) process = PROCESS (harness, "sh", "-c", "kill -STOP $$; exit 0");
  siginfo_t info;

  start (&process);
  g_assert_cmpint (waitid (P_PID, (id_t) process.pid, &info, WSTOPPED | WNOWAIT), ==, 0);
  send_signal (&process, SIGTERM);
  wait_for_exit (&process);
  g_assert_cmpint (process.end.signal, ==, SIGTERM);
}

/* Moves to the group of its parent, says so, and waits. */
static int
leave_group (void)
{
  if (setpgid (0, getpgid (getppid ())) != 0 || write (STDOUT_FILENO, "left\n", 5) != 5)
    return 1;
  for (;;)
    pause ();
}

static void
test_left_group (Harness *harness, gconstpointer data)
{
  g_test_summary ("A child that has left its group gets the signals all the same.");

  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_auto (Process) process = PROCESS (harness, self, LEAVE_GROUP_ARGUMENT);
  int output = open_output (&process);

  start (&process);
  close (process.spawn.stdout_fd);
  read_line (output, "left\n");
  close (output);

  send_signal (&process, SIGTERM);
  wait_for_exit (&process);
  g_assert_cmpint (process.end.signal, ==, SIGTERM);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && g_str_equal (argv[1], LEAVE_GROUP_ARGUMENT))
    return leave_group ();

  g_test_init (&argc, &argv, NULL);

#define ADD_WITH(mode, name, test)                                                                \
  g_test_add ("/child/" name, Harness, GINT_TO_POINTER (mode), set_up, test, harness_tear_down)
#define ADD(name, test) ADD_WITH (PIDFD_WORKS, name, test)

  ADD ("end", test_end);
  ADD ("many", test_many);
  ADD ("reaped/by-host", test_reaped_by_host);
  ADD_WITH (PIDFD_TOO_LATE, "reaped/before-watched", test_reaped_before_watched);
  ADD ("reaped/children-ignored", test_children_ignored);
  ADD ("signal/group", test_signal_group);
  ADD ("signal/left-behind", test_left_behind);
  ADD ("signal/left-behind-and-reaped", test_left_behind_and_reaped);
  ADD ("signal/stopped", test_stopped);
  ADD ("signal/left-group", test_left_group);
  ADD_WITH (PIDFD_NO_DESCRIPTORS, "without-pidfd/no-descriptors", test_end);
  ADD_WITH (PIDFD_UNKNOWN, "without-pidfd/end", test_end);
  ADD_WITH (PIDFD_UNKNOWN, "without-pidfd/many", test_many);
  ADD_WITH (PIDFD_UNKNOWN, "without-pidfd/reaped-by-host", test_reaped_by_host);
  ADD_WITH (PIDFD_UNKNOWN, "without-pidfd/left-behind", test_left_behind);
  ADD_WITH (PIDFD_UNKNOWN, "without-pidfd/left-group", test_left_group);

  return g_test_run ();
}
