/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "child-harness.h"

#include "dray-error.h"
#include "lingering.h"
#include "refusal.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* Real children, on the real I/O thread: what they are given, and what can't be started. */

/* Starts this program as a host whose standard descriptors are not what they were; as one that is
 * killed; and to run its tests where things are not as on a usual system. */
#define ARRANGED_ARGUMENT "--with-descriptors"
#define PARENT_ARGUMENT "--be-a-parent"
#define UNUSUAL_ARGUMENT "--unusual"

/* --- What the library asks the system for --- */

static gboolean unusual;          /* children have memory of their own, and no close_range() */
static int signal_to_child;       /* atomic: to be sent to it when it begins; 0: none */
static int (*child_main) (void *);

/* The C library's other name of it. */
extern int __clone (int (*function) (void *), void *stack, int flags, void *argument, ...);

static int
child_with_signal (void *argument)
{
  kill (getpid (), g_atomic_int_get (&signal_to_child));
  return child_main (argument);
}

int
clone (int (*function) (void *), void *stack, int flags, void *argument, ...)
{
  int *pidfd;
  va_list arguments;

  va_start (arguments, argument);
  pidfd = va_arg (arguments, int *);
  va_end (arguments);

  if (unusual)
    flags &= ~(CLONE_VM | CLONE_VFORK);
  child_main = function;
  if (g_atomic_int_get (&signal_to_child) != 0)
    function = child_with_signal;
  return __clone (function, stack, flags, argument, pidfd);
}

/* Atomic: whether a child is to wait, when it is about to close all that it was not given; whether
 * it does; whether it may go on. */
static int is_to_wait, waits, may_go_on;

int
close_range (unsigned int first, unsigned int last, int flags)
{
  if (g_atomic_int_get (&is_to_wait))
    {
      g_atomic_int_set (&waits, TRUE);
      while (!g_atomic_int_get (&may_go_on))
        sched_yield ();
    }
  if (!unusual)
    return (int) syscall (SYS_close_range, first, last, flags);

  errno = ENOSYS;
  return -1;
}

/* --- What it is given --- */

static void
test_pipes (Harness *harness, gconstpointer data)
{
  g_test_summary ("The child reads and writes what it was given; the caller keeps its own.");

  g_autoptr (GError) error = NULL;
  g_auto (Process) process
      = PROCESS (harness, "sh", "-c", "cat; echo problem >&2; echo fine >&3");
  g_autofree char *output = NULL;
  g_autofree char *errors = NULL;
  g_autofree char *status = NULL;
  int input_pipe[2], error_pipe[2], status_pipe[2];

  g_unix_open_pipe (input_pipe, FD_CLOEXEC, &error);
  g_unix_open_pipe (error_pipe, FD_CLOEXEC, &error);
  g_unix_open_pipe (status_pipe, FD_CLOEXEC, &error);
  g_assert_no_error (error);
  g_assert_cmpint (write (input_pipe[1], "hello", 5), ==, 5);
  close (input_pipe[1]);
  process.spawn.stdin_fd = input_pipe[0];
  process.spawn.stderr_fd = error_pipe[1];
  process.spawn.passage_fd = status_pipe[1];

  output = run (&process);
  g_assert_cmpint (close (input_pipe[0]), ==, 0);
  g_assert_cmpint (close (error_pipe[1]), ==, 0);
  g_assert_cmpint (close (status_pipe[1]), ==, 0);
  errors = read_all (error_pipe[0]);
  status = read_all (status_pipe[0]);
  g_assert_cmpstr (output, ==, "hello");
  g_assert_cmpstr (errors, ==, "problem\n");
  g_assert_cmpstr (status, ==, "fine\n");
}

/* Says where the first descriptors of the shell lead to. */
#define DESCRIPTORS_SCRIPT                                                                        \
  "for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do"                                         \
  "  test ! -e /proc/$$/fd/$n || echo $n $(readlink /proc/$$/fd/$n);"                             \
  "done"

static void
test_nothing_else (Harness *harness, gconstpointer data)
{
  g_test_summary ("Nothing that this program has open is open in the child, close-on-exec or "
                  "not, and what was not given is /dev/null.");

  g_auto (Process) process = PROCESS (harness, "sh", "-c", DESCRIPTORS_SCRIPT);
  g_autofree char *output = NULL;
  int leaked[10];

  for (guint i = 0; i < G_N_ELEMENTS (leaked); i++)
    leaked[i] = open ("/dev/zero", i % 2 == 0 ? O_RDONLY : O_RDONLY | O_CLOEXEC);

  output = run (&process);
  g_assert_true (g_str_has_prefix (output, "0 /dev/null\n1 pipe:["));
  g_assert_true (g_str_has_suffix (output, "]\n2 /dev/null\n"));

  for (guint i = 0; i < G_N_ELEMENTS (leaked); i++)
    close (leaked[i]);
}

static gboolean
is_set (gpointer flag)
{
  return g_atomic_int_get ((int *) flag);
}

typedef struct
{
  Process *process; /* (unowned) */
  int done;         /* atomic */
} Starting;

static gpointer
start_cb (gpointer data)
{
  Starting *starting = data;

  start (starting->process);
  g_atomic_int_set (&starting->done, TRUE);
  return NULL;
}

static void
test_lingering (Harness *harness, gconstpointer data)
{
  g_test_summary ("Where the child is the last one that has an open file which takes an hour to "
                  "close, it waits for that, and the I/O thread does not.");

  g_auto (Process) other = PROCESS (harness, "true");
  g_auto (Process) process = PROCESS (harness, "true");
  Starting starting = { .process = &process };
  GThread *thread;
  guint16 port;
  int listener, fd;

  g_atomic_int_set (&is_to_wait, TRUE);
  g_atomic_int_set (&may_go_on, TRUE);
  start (&other);
  wait_for_exit (&other);
  if (!g_atomic_int_get (&waits))
    {
      g_atomic_int_set (&is_to_wait, FALSE);
      g_test_skip ("A child has memory of its own here");
      return;
    }

  listener = lingering_listen (&port);
  fd = lingering_connect (port);
  g_atomic_int_set (&waits, FALSE);
  g_atomic_int_set (&may_go_on, FALSE);
  thread = g_thread_new ("starts", start_cb, &starting);
  fixture_iterate_until (is_set, &waits, "the child has a copy");
  close (fd);
  g_atomic_int_set (&may_go_on, TRUE);
  fixture_iterate_until (is_set, &starting.done, "the child is started");
  g_thread_join (thread);
  g_atomic_int_set (&is_to_wait, FALSE);

  close (listener);
  wait_for_exit (&process);
  g_assert_cmpint (process.end.exit_status, ==, 0);
}

/* In a program that has nothing else to lose: arranges its first descriptors, and has a child
 * say, in a file, what it got. @how has a letter for each of the four: 'z', 'f' or 'n' for a
 * device, '-' for closed; and four more for which of them the child gets, a digit or '-'. */
static int
be_arranged (const char *how, const char *file)
{
  static const char script[]
      = "exec 9>\"$0\"; for n in 0 1 2 3; do"
        "  test ! -e /proc/$$/fd/$n || echo $n $(readlink /proc/$$/fd/$n) >&9;"
        "done";
  Harness harness = { 0 };
  int given[4];

  for (int i = 0; i < 4; i++)
    {
      const char *device = how[i] == 'z' ? "/dev/zero" : how[i] == 'f' ? "/dev/full" : "/dev/null";
      int fd = open (device, O_RDWR | O_CLOEXEC);

      if (fd != i)
        {
          dup2 (fd, i);
          close (fd);
        }
      given[i] = how[i + 4] == '-' ? -1 : how[i + 4] - '0';
    }
  for (int i = 0; i < 4; i++)
    if (how[i] == '-')
      close (i);

  harness_init (&harness);

  Process process = PROCESS (&harness, "sh", "-c", script, file);

  process.spawn.stdin_fd = given[0];
  process.spawn.stdout_fd = given[1];
  process.spawn.stderr_fd = given[2];
  process.spawn.passage_fd = given[3];
  start (&process);
  wait_for_exit (&process);
  return process.end.exit_status;
}

static void
test_arranged (Harness *harness, gconstpointer data)
{
  g_test_summary ("Descriptors that lie in each other's way, as in a host that has closed its "
                  "standard ones, are sorted out.");

  static const struct
  {
    const char *how;
    const char *expected;
  } table[] = {
    { "zfnz0123", "0 /dev/zero\n1 /dev/full\n2 /dev/null\n3 /dev/zero\n" },
    { "zfnz3210", "0 /dev/zero\n1 /dev/null\n2 /dev/full\n3 /dev/zero\n" },
    { "zfzf1032", "0 /dev/full\n1 /dev/zero\n2 /dev/full\n3 /dev/zero\n" },
    { "zffz1200", "0 /dev/full\n1 /dev/full\n2 /dev/zero\n3 /dev/zero\n" },
    { "zfff---0", "0 /dev/null\n1 /dev/null\n2 /dev/null\n3 /dev/zero\n" },
    { "zfff-00-", "0 /dev/null\n1 /dev/zero\n2 /dev/zero\n" },
    { "--------", "0 /dev/null\n1 /dev/null\n2 /dev/null\n" },
    { "---f333-", "0 /dev/full\n1 /dev/full\n2 /dev/full\n" },
  };
  g_autoptr (GError) error = NULL;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *file = NULL;

  g_assert_cmpint (close (g_file_open_tmp ("dray-test-XXXXXX", &file, &error)), ==, 0);
  g_assert_no_error (error);

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      const char *const argv[] = { self, ARRANGED_ARGUMENT, table[i].how, file, NULL };
      g_autofree char *contents = NULL;
      int status = -1;

      g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status,
                    &error);
      g_assert_no_error (error);
      g_assert_cmpint (status, ==, 0);
      g_file_get_contents (file, &contents, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (contents, ==, table[i].expected);
    }
  g_unlink (file);
}

static void
test_signals (Harness *harness, gconstpointer data)
{
  g_test_summary ("No signal is blocked or ignored in the child, whatever the I/O thread blocks "
                  "and the host ignores.");

  g_auto (Process) process
      = PROCESS (harness, "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status");
  g_autofree char *output = NULL;

  signal (SIGPIPE, SIG_IGN);
  signal (SIGUSR1, SIG_IGN);
  output = run (&process);
  signal (SIGPIPE, SIG_DFL);
  signal (SIGUSR1, SIG_DFL);

  unsigned long long blocked = G_MAXUINT64;
  unsigned long long ignored = G_MAXUINT64;

  g_assert_cmpint (sscanf (output, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), ==, 2);
  g_assert_cmphex (blocked, ==, 0);
  g_assert_cmphex (ignored, ==, 0);
}

#if defined(__SANITIZE_THREAD__)
#define SIGNALS_ARE_LATE TRUE
#elif defined(__has_feature)
#define SIGNALS_ARE_LATE __has_feature (thread_sanitizer)
#else
#define SIGNALS_ARE_LATE FALSE
#endif

static int n_handled; /* atomic */

static void
handle_signal (int signal_number)
{
  g_atomic_int_inc (&n_handled);
}

static void
test_handlers (Harness *harness, gconstpointer data)
{
  g_test_summary ("A signal that reaches the child before it has executed its program finds no "
                  "handler of the host's: it does what it does by default.");

  if (SIGNALS_ARE_LATE)
    {
      g_test_skip ("ThreadSanitizer hands signals on when it likes");
      return;
    }

  g_auto (Process) process = PROCESS (harness, "true");

  signal (SIGUSR1, handle_signal);
  g_atomic_int_set (&signal_to_child, SIGUSR1);
  start (&process);
  wait_for_exit (&process);
  g_atomic_int_set (&signal_to_child, 0);
  signal (SIGUSR1, SIG_DFL);

  g_assert_cmpint (process.end.signal, ==, SIGUSR1);
  g_assert_cmpint (g_atomic_int_get (&n_handled), ==, 0);
}

static void
test_group (Harness *harness, gconstpointer data)
{
  g_test_summary ("The child leads a process group of its own.");

  g_auto (Process) process
      = PROCESS (harness, "sh", "-c", "cut -d ' ' -f 1,4,5 /proc/$$/stat");
  g_autofree char *output = run (&process);
  g_autofree char *expected
      = g_strdup_printf ("%d %d %d\n", process.pid, (int) getpid (), process.pid);

  g_assert_cmpstr (output, ==, expected);
}

static void
test_directory (Harness *harness, gconstpointer data)
{
  g_test_summary ("The child starts in its directory, from where a program is looked for that is "
                  "named by a relative path.");

  g_auto (Process) named = PROCESS (harness, "pwd", "-P");
  g_auto (Process) relative = PROCESS (harness, "../bin/env", "pwd");
  g_auto (Process) own = PROCESS (harness, "pwd", "-P");
  g_autofree char *before = g_get_current_dir ();
  g_autofree char *after = NULL;
  g_autofree char *named_output = NULL;
  g_autofree char *relative_output = NULL;
  g_autofree char *own_output = NULL;

  named.spawn.directory = "/proc/self/..";
  named_output = run (&named);
  g_assert_cmpstr (named_output, ==, "/proc\n");

  relative.spawn.directory = "/usr/share";
  relative_output = run (&relative);
  g_assert_cmpstr (relative_output, ==, "/usr/share\n");

  own_output = run (&own);
  g_strchomp (own_output);
  g_assert_cmpstr (own_output, ==, before);
  after = g_get_current_dir ();
  g_assert_cmpstr (after, ==, before);
}

static void
test_environment (Harness *harness, gconstpointer data)
{
  g_test_summary ("The environment is what was given, or the host's; the program is searched in "
                  "the host's PATH in either case.");

  const char *const environment[] = { "PATH=/nowhere", "A=1", NULL };
  g_auto (Process) given = PROCESS (harness, "env");
  g_auto (Process) inherited = PROCESS (harness, "env");
  g_autofree char *given_output = NULL;
  g_autofree char *inherited_output = NULL;

  given.spawn.environment = environment;
  given_output = run (&given);
  g_assert_cmpstr (given_output, ==, "PATH=/nowhere\nA=1\n");

  inherited_output = run (&inherited);
  g_assert_nonnull (strstr (inherited_output, "DRAY_TEST_VARIABLE=here\n"));
}

/* Makes a file of these permissions. */
static void
make_file (const char *directory, const char *name, const char *contents, int mode)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (directory, name, NULL);

  g_file_set_contents_full (path, contents, -1, G_FILE_SET_CONTENTS_NONE, mode, &error);
  g_assert_no_error (error);
}

static void
remove_file (const char *directory, const char *name)
{
  g_autofree char *path = g_build_filename (directory, name, NULL);

  g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
check_not_started (Process *process, const char *message)
{
  run_on_io_thread (process->harness, spawn_job, process);
  g_assert_null (process->child);
  g_assert_error (process->error, DRAY_ERROR, DRAY_ERROR_LAUNCH);
  g_assert_cmpstr (process->error->message, ==, message);
}

static void
test_search (Harness *harness, gconstpointer data)
{
  g_test_summary ("Where it is asked for, the program is searched in the PATH of its own "
                  "environment: in each folder, the current one if there is none between two "
                  "colons, past files that can't be executed.");

  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("dray-test-XXXXXX", &error);
  g_autofree char *found_path = g_strdup_printf ("PATH=/nowhere:%s:/usr/bin", folder);
  const char *const found[] = { found_path, NULL };
  const char *const current[] = { "PATH=/nowhere::/usr/bin", NULL };
  const char *const none[] = { "A=1", NULL };
  g_auto (Process) first = PROCESS (harness, "sh", "-c", "echo $0", "second");
  g_auto (Process) here = PROCESS (harness, "dray-test-program");
  g_auto (Process) unset = PROCESS (harness, "sh", "-c", "echo $0", "default");
  g_auto (Process) forbidden = PROCESS (harness, "dray-test-forbidden");
  g_auto (Process) endless = PROCESS (harness, "dray-test-endless");
  g_autofree char *endless_path = g_build_filename (folder, "dray-test-endless", NULL);
  g_autofree char *first_output = NULL;
  g_autofree char *here_output = NULL;
  g_autofree char *unset_output = NULL;

  g_assert_no_error (error);
  make_file (folder, "sh", "not for execution", 0600);
  make_file (folder, "dray-test-forbidden", "nor this", 0600);
  make_file (folder, "dray-test-program", "#!/bin/sh\necho here\n", 0700);
  first.spawn.searches_environment = here.spawn.searches_environment = TRUE;
  unset.spawn.searches_environment = forbidden.spawn.searches_environment = TRUE;

  first.spawn.environment = found;
  first_output = run (&first);
  g_assert_cmpstr (first_output, ==, "second\n");

  here.spawn.environment = current;
  here.spawn.directory = folder;
  here_output = run (&here);
  g_assert_cmpstr (here_output, ==, "here\n");

  unset.spawn.environment = none;
  unset_output = run (&unset);
  g_assert_cmpstr (unset_output, ==, "default\n");

  forbidden.spawn.environment = found;
  check_not_started (&forbidden, "Could not start “dray-test-forbidden”: Permission denied");

  /* What is wrong there is no reason to look elsewhere. */
  endless.spawn.searches_environment = TRUE;
  endless.spawn.environment = found;
  g_assert_cmpint (symlink (endless_path, endless_path), ==, 0);
  check_not_started (&endless,
                     "Could not start “dray-test-endless”: Too many levels of symbolic links");

  remove_file (folder, "dray-test-endless");
  remove_file (folder, "sh");
  remove_file (folder, "dray-test-forbidden");
  remove_file (folder, "dray-test-program");
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
test_scripts (Harness *harness, gconstpointer data)
{
  g_test_summary ("A script that does not say who runs it is given to the shell, with its "
                  "arguments, where that is asked for, and else can't be started.");

  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("dray-test-XXXXXX", &error);
  g_autofree char *path = g_build_filename (folder, "script", NULL);
  g_autofree char *message = g_strdup_printf ("Could not start “%s”: Exec format error", path);
  g_auto (Process) process = PROCESS (harness, path, "one", "two words");
  g_auto (Process) refused = PROCESS (harness, path);
  g_autofree char *output = NULL;

  g_assert_no_error (error);
  make_file (folder, "script", "printf '[%s]' \"$0\" \"$@\"\n", 0700);
  process.spawn.runs_scripts = TRUE;
  output = run (&process);
  g_assert_true (g_str_has_prefix (output, "[/"));
  g_assert_true (g_str_has_suffix (output, "/script][one][two words]"));

  check_not_started (&refused, message);
  remove_file (folder, "script");
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
test_errors (Harness *harness, gconstpointer data)
{
  g_test_summary ("What can't be started is an error that names the program, and the folder if "
                  "it is at fault; nothing is left behind.");

  static const struct
  {
    const char *program;
    const char *directory;
    const char *message;
  } table[] = {
    { "dray-no-such-program", NULL,
      "Could not start “dray-no-such-program”: No such file or directory" },
    { "/no/such/program", NULL,
      "Could not start “/no/such/program”: No such file or directory" },
    { "/proc/self/status", NULL, "Could not start “/proc/self/status”: Permission denied" },
    { "/no/such/program", "/tmp",
      "Could not start “/no/such/program”: No such file or directory" },
    { "true", "/no/such/folder",
      "Could not start “true” in the folder “/no/such/folder”: No such file or directory" },
    { "true", "/dev/null",
      "Could not start “true” in the folder “/dev/null”: Not a directory" },
    { "/no/such/program", "/no/such/folder",
      "Could not start “/no/such/program” in the folder “/no/such/folder”: "
      "No such file or directory" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_auto (Process) process = PROCESS (harness, table[i].program);

      process.spawn.directory = table[i].directory;
      check_not_started (&process, table[i].message);
    }
}

/* --- What it is refused --- */

static void
refuse_job (gpointer data)
{
  refusal_install (data);
}

/* From now on the I/O thread, which ends with the test, and its children. Returns: FALSE if that
 * can't be had here */
static gboolean
refuse (Harness *harness, const Refusal *refusals)
{
  if (!refusal_is_possible ())
    {
      g_test_skip ("The kernel can't be made to refuse anything here");
      return FALSE;
    }

  run_on_io_thread (harness, refuse_job, (gpointer) refusals);
  return TRUE;
}

typedef struct
{
  const char *name;
  Refusal refusals[2];
  const char *message;
  gboolean is_unusual; /* who shares the memory of its parent does not need it */
} Refused;

static const Refused refused[] = {
  { "group",
    { REFUSE (setpgid, EPERM) },
    "Could not start “true”: Operation not permitted",
    FALSE },
#ifdef SYS_dup2
  { "descriptor", { REFUSE (dup2, EIO) }, "Could not start “true”: Input/output error", FALSE },
#endif
  { "limit",
    { REFUSE (prlimit64, EPERM) },
    "Could not start “true” with its limits: Operation not permitted",
    FALSE },
  { "failure", { REFUSE (dup3, EIO) }, "Could not start “true”: Input/output error", TRUE },
};

static void
test_refused (Harness *harness, gconstpointer data)
{
  g_test_summary ("Where the system refuses the new process something before it becomes its "
                  "program, that is an error like any other.");

  const Refused *what = data;
  const DraySpawnLimits limits = {
    .address_space = G_MAXUINT64,
    .cpu_time = G_MAXUINT64,
    .open_files = 100,
    .core_size = G_MAXUINT64,
  };
  g_auto (Process) process = PROCESS (harness, "true");
  int output = open_output (&process);

  process.spawn.limits = &limits;
  if (refuse (harness, what->refusals))
    check_not_started (&process, what->message);
  close (process.spawn.stdout_fd);
  close (output);
}

static void
test_not_listed (Harness *harness, gconstpointer data)
{
  g_test_summary ("Descriptors are closed also where they can neither be closed all at once, nor "
                  "be looked up.");

  static const Refusal refusals[] = {
    REFUSE (close_range, ENOSYS),
    { .call = SYS_openat,
      .error = EACCES,
      .condition = REFUSE_IF_EQUAL,
      .argument = 2,
      .value = O_RDONLY | O_DIRECTORY | O_CLOEXEC },
    { 0 },
  };

  if (refuse (harness, refusals))
    test_nothing_else (harness, data);
}

static void
test_niceness (Harness *harness, gconstpointer data)
{
  g_test_summary ("No process takes less precedence than there is.");

  const DraySpawnLimits limits = {
    .address_space = G_MAXUINT64,
    .cpu_time = G_MAXUINT64,
    .open_files = G_MAXUINT64,
    .core_size = G_MAXUINT64,
    .niceness = 100,
  };
  g_auto (Process) process = PROCESS (harness, "nice");
  g_autofree char *output = NULL;

  process.spawn.limits = &limits;
  output = run (&process);
  g_assert_cmpstr (output, ==, "19\n");
}

/* The program that is killed: starts a child that says its number and waits for ever, as do two
 * processes of its own. */
G_NORETURN static void
be_a_parent (void)
{
  Harness harness = { 0 };
  Process process = PROCESS (&harness, "sh", "-c",
                             "(sleep 1000 & exec sleep 1000) & echo $$; exec sleep 1000");

  harness_init (&harness);
  process.spawn.stdout_fd = STDOUT_FILENO;
  process.spawn.dies_with_parent = process.spawn.is_leashed = TRUE;
  start (&process);
  for (;;)
    pause ();
}

static void
test_parent_dies (Harness *harness, gconstpointer data)
{
  g_test_summary ("A child that is to die with its parent does not outlive the program that "
                  "started it, even if that is killed; nor does what it has started itself.");

  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_auto (Process) parent = PROCESS (harness, self, PARENT_ARGUMENT);
  g_autofree char *rest = NULL;
  int output = open_output (&parent);
  char line[16] = { 0 };

  start (&parent);
  close (parent.spawn.stdout_fd);
  for (guint i = 0; i < sizeof line - 1 && (i == 0 || line[i - 1] != '\n'); i++)
    g_assert_cmpint (read (output, line + i, 1), ==, 1);

  const int child = atoi (line);

  g_assert_cmpint (child, >, 1);
  g_assert_false (fixture_process_is_gone (child));
  /* Not with its group, of which the child is none. */
  kill (parent.pid, SIGKILL);
  wait_for_exit (&parent);

  /* The pipe ends when the last process is gone that has it open: the child, and its own. */
  rest = read_all (output);
  g_assert_cmpstr (rest, ==, "");
  fixture_iterate_until_gone (child);
}

static void
test_unusual (Harness *harness, gconstpointer data)
{
  g_test_summary ("All of this is the same where a child has memory of its own from the first, as "
                  "some tools have it, and where the system can't close many descriptors at once.");

  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_auto (Process) process = PROCESS (harness, self, UNUSUAL_ARGUMENT, "--tap");

  process.spawn.stderr_fd = STDERR_FILENO;
  start (&process);
  wait_for_exit (&process);
  g_assert_cmpint (process.end.exit_status, ==, 0);
}

int
main (int argc, char **argv)
{
  if (argc == 4 && g_str_equal (argv[1], ARRANGED_ARGUMENT))
    return be_arranged (argv[2], argv[3]);
  if (argc == 2 && g_str_equal (argv[1], PARENT_ARGUMENT))
    be_a_parent ();
  unusual = argc > 1 && g_str_equal (argv[1], UNUSUAL_ARGUMENT);
  if (unusual)
    {
      argv[1] = argv[0];
      argv++;
      argc--;
    }

  /* Before there is any thread: see test_environment(). */
  g_setenv ("DRAY_TEST_VARIABLE", "here", TRUE);
  g_test_init (&argc, &argv, NULL);

#define ADD(name, test)                                                                           \
  g_test_add ("/child-spawn/" name, Harness, NULL, harness_set_up, test, harness_tear_down)

  ADD ("pipes", test_pipes);
  ADD ("nothing-else", test_nothing_else);
  ADD ("arranged", test_arranged);
  ADD ("signals", test_signals);
  ADD ("handlers", test_handlers);
  ADD ("group", test_group);
  ADD ("directory", test_directory);
  ADD ("environment", test_environment);
  ADD ("search", test_search);
  ADD ("scripts", test_scripts);
  ADD ("errors", test_errors);
  ADD ("parent-dies", test_parent_dies);
  ADD ("not-listed", test_not_listed);
  ADD ("niceness", test_niceness);
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autofree char *path = g_strconcat ("/child-spawn/refused/", refused[i].name, NULL);

      if (unusual || !refused[i].is_unusual)
        g_test_add (path, Harness, &refused[i], harness_set_up, test_refused, harness_tear_down);
    }
  if (!unusual)
    {
      ADD ("lingering", test_lingering);
      ADD ("unusual", test_unusual);
    }

  return g_test_run ();
}
