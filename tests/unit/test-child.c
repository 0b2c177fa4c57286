/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-child.h"

#include "dray-error.h"

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Real children, on the real I/O thread. */

/* Ways to start this program as something else. */
#define ARRANGED_ARGUMENT "--with-descriptors"
#define LEAVE_GROUP_ARGUMENT "--leave-group"

/* --- A pidfd_open() that can be told to fail --- */

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

/* --- The harness --- */

typedef struct
{
  Fixture fixture;

  DrayIoThread *io; /* (owned) */
  DrayIoClient client;

  GMutex lock;
  GCond changed;
  void (*job) (gpointer data); /* (nullable): to be run on the I/O thread */
  gpointer job_data;
} Harness;

typedef struct
{
  Harness *harness; /* (unowned) */
  DraySpawn spawn;
  gboolean reap_at_once; /* as a host with a handler of its own would */

  /* I/O thread only */
  DrayChild *child; /* (owned) (nullable) */
  gboolean spawning;
  int signal_number;

  /* protected by the harness's lock, once it is started */
  GError *error; /* (owned) (nullable) */
  int pid;
  gboolean exited;
  DrayExit end;
} Process;

static void
process_clear (Process *self)
{
  g_clear_error (&self->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Process, process_clear)

#define PROCESS(harness_, ...)                                                                    \
  {                                                                                               \
    .harness = (harness_),                                                                        \
    .spawn = {                                                                                    \
      .argv = (const char *const[]) { __VA_ARGS__, NULL },                                        \
      .stdin_fd = -1,                                                                             \
      .stdout_fd = -1,                                                                            \
      .stderr_fd = -1,                                                                            \
      .status_fd = -1,                                                                            \
    },                                                                                            \
  }

static void
wake_cb (DrayIoClient *client)
{
  Harness *self = (gpointer) ((char *) client - G_STRUCT_OFFSET (Harness, client));

  self->job (self->job_data);

  g_mutex_lock (&self->lock);
  self->job = NULL;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* Runs @job on the I/O thread, and waits until it has. */
static void
run_on_io_thread (Harness *self, void (*job) (gpointer), gpointer job_data)
{
  self->job = job;
  self->job_data = job_data;
  dray_io_thread_wake (self->io, &self->client);

  g_mutex_lock (&self->lock);
  while (self->job != NULL)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

static void
harness_init (Harness *self)
{
  g_autoptr (GError) error = NULL;

  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->client.wake = wake_cb;
  self->io = dray_io_thread_acquire (&error);
  g_assert_no_error (error);
}

static void
set_up (Harness *self, gconstpointer data)
{
  fixture_set_up (&self->fixture, data);
  harness_init (self);
  g_atomic_int_set (&pidfd_mode, GPOINTER_TO_INT (data));
}

static void
tear_down (Harness *self, gconstpointer data)
{
  g_atomic_int_set (&pidfd_mode, PIDFD_WORKS);
  dray_io_thread_release (self->io);
  /* After this the thread is gone, and nobody uses the lock. */
  fixture_tear_down (&self->fixture, data);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
}

static void
exited_cb (DrayChild *child, gpointer user_data)
{
  Process *self = user_data;

  g_assert_true (dray_io_thread_is_current (self->harness->io));
  g_assert_false (self->spawning);
  g_assert_true (child == self->child);
  g_assert_true (dray_child_has_exited (child));

  const DrayExit end = *dray_child_get_exit (child);

  /* What it left behind goes with it; once it is reaped a signal goes nowhere. */
  dray_child_signal_group (child, SIGKILL);
  dray_child_reap (child);
  dray_child_signal_group (child, SIGKILL);
  g_clear_pointer (&self->child, dray_child_free);

  /* The process may be freed from here on. */
  GMutex *lock = &self->harness->lock;

  g_mutex_lock (lock);
  g_assert_false (self->exited);
  self->exited = TRUE;
  self->end = end;
  g_cond_broadcast (&self->harness->changed);
  g_mutex_unlock (lock);
}

static void
spawn_job (gpointer data)
{
  Process *self = data;

  self->spawning = TRUE;
  self->child
      = dray_child_spawn (self->harness->io, &self->spawn, exited_cb, self, &self->error);
  self->spawning = FALSE;
  if (self->child == NULL)
    return;

  g_assert_false (dray_child_has_exited (self->child));
  self->pid = dray_child_get_pid (self->child);
  if (self->reap_at_once)
    g_assert_cmpint (waitpid (self->pid, NULL, 0), ==, self->pid);
}

static void
signal_job (gpointer data)
{
  Process *self = data;

  if (self->child != NULL)
    dray_child_signal_group (self->child, self->signal_number);
}

static void
start (Process *self)
{
  run_on_io_thread (self->harness, spawn_job, self);
  g_assert_no_error (self->error);
}

static void
send_signal (Process *self, int signal_number)
{
  self->signal_number = signal_number;
  run_on_io_thread (self->harness, signal_job, self);
}

static void
wait_for_exit (Process *self)
{
  const gint64 deadline = fixture_get_deadline ();

  g_mutex_lock (&self->harness->lock);
  while (!self->exited)
    g_assert_true (g_cond_wait_until (&self->harness->changed, &self->harness->lock, deadline));
  g_mutex_unlock (&self->harness->lock);
}

/* Makes a pipe, of which the child will have the writing end. Returns the reading end. */
static int
open_output (Process *self)
{
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_unix_open_pipe (fds, FD_CLOEXEC, &error);
  g_assert_no_error (error);
  self->spawn.stdout_fd = fds[1];
  return fds[0];
}

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

static void
read_line (int fd, const char *expected)
{
  char byte = '\0';

  for (const char *p = expected; *p != '\0'; p++)
    {
      g_assert_cmpint (read (fd, &byte, 1), ==, 1);
      g_assert_cmpint (byte, ==, *p);
    }
}

/* (transfer full): what it wrote to its standard output. */
static char *
run (Process *self)
{
  int output = open_output (self);

  start (self);
  close (self->spawn.stdout_fd);

  char *text = read_all (output);

  wait_for_exit (self);
  return text;
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
test_not_watchable (Harness *harness, gconstpointer data)
{
  g_test_summary ("A child that can't be watched is killed and reaped, and counts as one that "
                  "could not be started.");

  g_auto (Process) process = PROCESS (harness, "sleep", "1000");

  run_on_io_thread (harness, spawn_job, &process);
  g_assert_error (process.error, DRAY_ERROR, DRAY_ERROR_LAUNCH);
  g_assert_cmpstr (process.error->message, ==, "Could not start “sleep”: Too many open files");
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
  process.spawn.status_fd = status_pipe[1];

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
  process.spawn.status_fd = given[3];
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
  /* The C library has two for itself, right before the first that is for programs, and ignores
   * them in what it spawns. */
  g_assert_cmphex (ignored & ~(3ULL << 31), ==, 0);
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
      run_on_io_thread (harness, spawn_job, &process);
      g_assert_null (process.child);
      g_assert_error (process.error, DRAY_ERROR, DRAY_ERROR_LAUNCH);
      g_assert_cmpstr (process.error->message, ==, table[i].message);
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
  if (argc == 4 && g_str_equal (argv[1], ARRANGED_ARGUMENT))
    return be_arranged (argv[2], argv[3]);
  if (argc == 2 && g_str_equal (argv[1], LEAVE_GROUP_ARGUMENT))
    return leave_group ();

  /* Before there is any thread: see test_environment(). */
  g_setenv ("DRAY_TEST_VARIABLE", "here", TRUE);
  g_test_init (&argc, &argv, NULL);

#define ADD_WITH(mode, name, test)                                                                \
  g_test_add ("/child/" name, Harness, GINT_TO_POINTER (mode), set_up, test, tear_down)
#define ADD(name, test) ADD_WITH (PIDFD_WORKS, name, test)

  ADD ("end", test_end);
  ADD ("reaped/by-host", test_reaped_by_host);
  ADD_WITH (PIDFD_TOO_LATE, "reaped/before-watched", test_reaped_before_watched);
  ADD ("reaped/children-ignored", test_children_ignored);
  ADD_WITH (PIDFD_NO_DESCRIPTORS, "not-watchable", test_not_watchable);
  ADD ("many", test_many);
  ADD ("pipes", test_pipes);
  ADD ("nothing-else", test_nothing_else);
  ADD ("arranged", test_arranged);
  ADD ("signals", test_signals);
  ADD ("group", test_group);
  ADD ("directory", test_directory);
  ADD ("environment", test_environment);
  ADD ("errors", test_errors);
  ADD ("signal/group", test_signal_group);
  ADD ("signal/left-behind", test_left_behind);
  ADD ("signal/left-behind-and-reaped", test_left_behind_and_reaped);
  ADD ("signal/stopped", test_stopped);
  ADD ("signal/left-group", test_left_group);
  ADD_WITH (PIDFD_UNKNOWN, "without-pidfd/end", test_end);
  ADD_WITH (PIDFD_UNKNOWN, "without-pidfd/many", test_many);
  ADD_WITH (PIDFD_UNKNOWN, "without-pidfd/reaped-by-host", test_reaped_by_host);
  ADD_WITH (PIDFD_UNKNOWN, "without-pidfd/left-behind", test_left_behind);
  ADD_WITH (PIDFD_UNKNOWN, "without-pidfd/left-group", test_left_group);

  return g_test_run ();
}
