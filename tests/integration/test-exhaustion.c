/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"
#include "refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Hosts in which something is used up or refused: what can wait waits, what can't says why, and all
 * works again once the pressure is gone.
 */

#define N_COMMANDS 40

/* This thread and the I/O thread; and the descriptors that a command takes while it is started.
 * ThreadSanitizer has a thread of its own, and a child does not share the memory there: whether it
 * could execute the program then comes through one pipe more. */
#ifdef __SANITIZE_THREAD__
#define N_THREADS 3
#define N_DESCRIPTORS 9
#else
#define N_THREADS 2
#define N_DESCRIPTORS 7
#endif

/* The first of those that nobody else has, so that nothing else counts: one for each process, since
 * these tests may run several times at once. Within what a user namespace has as a rule. */
#define FIRST_UNUSED_UID 50000
#define N_UNUSED_UIDS 10000

/* What is said of these in the application. */
#define NO_FILES "the process’s limit of open files (RLIMIT_NOFILE) is reached"
#define NO_FILES_OF_SYSTEM "the system’s limit of open files (fs.file-max) is reached"
#define NO_PROCESSES "limit of processes and threads (RLIMIT_NPROC), or the system’s, is reached"
#define NO_MEMORY "not enough memory"

/* What goes in its frame, and what in shared memory. */
#define LARGE (60u * 1024 * 1024)
#define SHARED (140u * 1024 * 1024)

/* Submitting */

static DrayFuture *
run_script (DrayExecutor *executor, const char *script)
{
  const char *const argv[] = { "/bin/sh", "-c", script, NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);

  return dray_executor_submit (executor, task, NULL);
}

static DrayFuture *
feed_script (DrayExecutor *executor, const char *script, GBytes *input)
{
  const char *const argv[] = { "/bin/sh", "-c", script, NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);

  dray_task_set_input_bytes (task, input);
  return dray_executor_submit (executor, task, NULL);
}

static pid_t
ask_pid (DrayExecutor *executor)
{
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "pid", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_no_error (error);
  return (pid_t) g_variant_get_uint32 (result);
}

/* Takes @future. */
static void
assert_succeeds (DrayFuture *future)
{
  g_autoptr (GError) error = NULL;
  G_GNUC_UNUSED g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_no_error (error);
  g_object_unref (future);
}

static DrayFuture *
call_bytes (DrayExecutor *executor, guint32 size)
{
  return dray_executor_call (executor, "bytes", g_variant_new ("(u)", size));
}

/* A value whose bytes are there, or are put together only when it is sent, which takes as much memory
 * again. (transfer full) */
static GVariant *
new_arguments (gsize size, gboolean in_pieces)
{
  g_autofree guint8 *data = g_malloc0 (size);
  GVariant *bytes = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, size, 1);
  GVariant *arguments = g_variant_ref_sink (g_variant_new ("(@ay)", bytes));

  if (!in_pieces)
    (void) g_variant_get_data (arguments);
  return arguments;
}

/* @arguments: all zeros */
static DrayFuture *
call_sum (DrayExecutor *executor, GVariant *arguments)
{
  return dray_executor_call (executor, "sum", arguments);
}

static void
assert_says (const GError *error, const char *reason)
{
  if (reason != NULL && strstr (error->message, reason) == NULL)
    g_error ("“%s” does not say “%s”", error->message, reason);
}

/* Takes @future. @reason: (nullable): a part of what is said */
static void
assert_fails (DrayFuture *future, int code, const char *reason)
{
  g_autoptr (GError) error = NULL;
  G_GNUC_UNUSED g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_error (error, DRAY_ERROR, code);
  assert_says (error, reason);
  g_object_unref (future);
}

/* The same, for an open file or a large value that could not be received. */
static void
assert_not_received (DrayFuture *future, const char *reason)
{
  g_autoptr (GError) error = NULL;
  G_GNUC_UNUSED g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  assert_says (error, reason);
  g_object_unref (future);
}

static void
assert_all_succeed (DrayExecutor *executor)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new ();

  for (guint i = 0; i < N_COMMANDS; i++)
    g_ptr_array_add (futures, run_script (executor, "read line < /dev/null; exit 0"));
  for (guint i = 0; i < N_COMMANDS; i++)
    assert_succeeds (futures->pdata[i]);
}

/* Limits */

static void
set_limit (__rlimit_resource_t resource, rlim_t value)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (resource, &limit), ==, 0);
  limit.rlim_cur = MIN (value, limit.rlim_max);
  g_assert_cmpint (setrlimit (resource, &limit), ==, 0);
}

static rlim_t
count_descriptors (void)
{
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  close (fd);
  return (rlim_t) fd;
}

/* Descriptors: a command needs four pipe ends that stay or go, and what is left of them */

static void
run_few_descriptors (void)
{
  DrayExecutor *executor = host_new_executor (8);
  struct rlimit before;

  assert_succeeds (run_script (executor, "exit 0"));
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);

  /* For one at a time, or two. */
  set_limit (RLIMIT_NOFILE, count_descriptors () + N_DESCRIPTORS);
  assert_all_succeed (executor);

  set_limit (RLIMIT_NOFILE, before.rlim_cur);
  host_finish (executor);
}

static void
run_no_descriptors (void)
{
  DrayExecutor *executor = host_new_executor (8);
  struct rlimit before;

  assert_succeeds (run_script (executor, "exit 0"));
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);

  set_limit (RLIMIT_NOFILE, count_descriptors () + 1);
  for (guint i = 0; i < 3; i++)
    {
      assert_fails (run_script (executor, "exit 0"), DRAY_ERROR_LAUNCH, NO_FILES);
      assert_fails (dray_executor_call (executor, "null", NULL), DRAY_ERROR_LAUNCH, NO_FILES);
    }

  set_limit (RLIMIT_NOFILE, before.rlim_cur);
  assert_all_succeed (executor);
  host_assert_calls (executor);
  host_finish (executor);
}

/* (transfer full): a list of @n open files */
static GUnixFDList *
open_files (guint n)
{
  GUnixFDList *files = g_unix_fd_list_new ();
  const int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);

  for (guint i = 0; i < n; i++)
    g_assert_cmpint (g_unix_fd_list_append (files, fd, NULL), >=, 0);
  close (fd);
  return files;
}

static DrayFuture *
call_with_files (DrayExecutor *executor, GUnixFDList *files)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("null", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (dray_task_set_attachments (task, files, &error));
  g_assert_no_error (error);
  return dray_executor_submit (executor, task, NULL);
}

/* In an application that has a worker: what needs no descriptor is done, what needs one says so. */
static void
assert_without_descriptors (DrayExecutor *executor, GVariant *large, GUnixFDList *files)
{
  const char *const names[] = { "one", "two", NULL };
  const char *const argv[] = { "true", NULL };
  g_autoptr (DrayTask) call = dray_task_new_call ("null", NULL);
  g_autoptr (DrayTask) command = dray_task_new_command (argv);
  g_autoptr (GError) no_attachments = NULL;
  g_autoptr (GError) no_input = NULL;

  assert_succeeds (dray_executor_call (executor, "add", g_variant_new ("(ii)", 1, 2)));
  assert_succeeds (call_bytes (executor, LARGE));
  assert_succeeds (call_sum (executor, large));
  assert_not_received (call_bytes (executor, SHARED), NO_FILES);
  assert_not_received (
    dray_executor_call (executor, "return-attachments", g_variant_new ("(^as)", names)), NO_FILES);
  assert_fails (run_script (executor, "exit 0"), DRAY_ERROR_LAUNCH, NO_FILES);

  g_assert_false (dray_task_set_attachments (call, files, &no_attachments));
  g_assert_error (no_attachments, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  assert_says (no_attachments, NO_FILES);
  g_assert_false (dray_task_set_input_fd (command, STDIN_FILENO, &no_input));
  g_assert_error (no_input, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  assert_says (no_input, NO_FILES);
}

static void
run_no_more_descriptors (void)
{
  DrayExecutor *executor = host_new_executor (1);
  g_autoptr (GVariant) large = new_arguments (SHARED, FALSE);
  g_autoptr (GUnixFDList) files = open_files (2);
  const pid_t pid = ask_pid (executor);
  const rlim_t limits[] = { 3, count_descriptors () };
  const char *const names[] = { "one", "two", NULL };
  struct rlimit before;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      set_limit (RLIMIT_NOFILE, limits[i]);
      assert_without_descriptors (executor, large, files);
    }

  set_limit (RLIMIT_NOFILE, before.rlim_cur);
  assert_succeeds (call_bytes (executor, SHARED));
  assert_succeeds (
    dray_executor_call (executor, "return-attachments", g_variant_new ("(^as)", names)));
  assert_succeeds (call_with_files (executor, files));
  assert_succeeds (run_script (executor, "exit 0"));
  g_assert_cmpint (ask_pid (executor), ==, pid);
  g_clear_object (&files);
  host_finish (executor);
}

/* The same in the worker. */
static void
run_no_descriptors_of_worker (void)
{
  static const char *const reasons[] = { "The worker could not take the task", NO_FILES };
  DrayExecutor *executor = host_new_executor (1);
  g_autoptr (GVariant) large = new_arguments (SHARED, FALSE);
  g_autoptr (GUnixFDList) files = open_files (2);
  const pid_t pid = ask_pid (executor);
  struct rlimit before, none;

  g_assert_cmpint (prlimit (pid, RLIMIT_NOFILE, NULL, &before), ==, 0);
  none = before;
  none.rlim_cur = 3;
  g_assert_cmpint (prlimit (pid, RLIMIT_NOFILE, &none, NULL), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (reasons); i++)
    {
      assert_not_received (call_with_files (executor, files), reasons[i]);
      assert_not_received (call_sum (executor, large), reasons[i]);
      assert_succeeds (dray_executor_call (executor, "add", g_variant_new ("(ii)", 1, 2)));
      assert_succeeds (call_bytes (executor, SHARED));
    }

  g_assert_cmpint (prlimit (pid, RLIMIT_NOFILE, &before, NULL), ==, 0);
  assert_succeeds (call_with_files (executor, files));
  assert_succeeds (call_sum (executor, large));
  g_assert_cmpint (ask_pid (executor), ==, pid);
  g_clear_object (&files);
  host_finish (executor);
}

/* The limit of the whole system, which is nobody's to try: refused for good. */
static void
run_no_descriptors_of_system (void)
{
  const Refusal refusals[] = { REFUSE (pipe2, ENFILE), { 0 } };
  DrayExecutor *executor = host_new_executor (8);

  g_assert_true (refusal_install (refusals));
  for (guint i = 0; i < 3; i++)
    {
      assert_fails (run_script (executor, "exit 0"), DRAY_ERROR_LAUNCH, NO_FILES_OF_SYSTEM);
      assert_fails (dray_executor_call (executor, "null", NULL), DRAY_ERROR_LAUNCH,
                    NO_FILES_OF_SYSTEM);
    }
  host_finish (executor);
}

/* Shut down while commands wait for descriptors. */
static void
run_shut_down (void)
{
  for (DrayShutdownMode mode = DRAY_SHUTDOWN_DRAIN; mode <= DRAY_SHUTDOWN_KILL; mode++)
    {
      DrayExecutor *executor = host_new_executor (8);
      g_autoptr (GPtrArray) futures = g_ptr_array_new ();
      struct rlimit before;
      DrayFuture *first = run_script (executor, "read line < /dev/null; sleep 0.05");

      workshop_block_until_running (first);
      g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
      set_limit (RLIMIT_NOFILE, count_descriptors () + 1);
      for (guint i = 0; i < 3; i++)
        g_ptr_array_add (futures, run_script (executor, "exit 0"));
      g_assert_true (dray_executor_shutdown_sync (executor, mode, NULL, NULL));

      for (guint i = 0; i < 3; i++)
        {
          g_assert_true (dray_future_is_done (futures->pdata[i]));
          g_object_unref (futures->pdata[i]);
        }
      g_object_unref (first);
      set_limit (RLIMIT_NOFILE, before.rlim_cur);
      host_finish (executor);
    }
}

/* Processes */

/* From here on nothing else counts, since nobody else is who this process is. */
static void
become_nobody_else (void)
{
  const uid_t uid = FIRST_UNUSED_UID + (uid_t) getpid () % N_UNUSED_UIDS;

  g_assert_cmpint (setresgid (uid, uid, uid), ==, 0);
  g_assert_cmpint (setresuid (uid, uid, uid), ==, 0);
}

static void
run_processes (void)
{
  DrayExecutor *executor;
  struct rlimit before;

  become_nobody_else ();
  executor = host_new_executor (8);
  g_assert_cmpint (getrlimit (RLIMIT_NPROC, &before), ==, 0);

  /* Not even for the I/O thread. */
  set_limit (RLIMIT_NPROC, N_THREADS - 1);
  assert_fails (run_script (executor, "exit 0"), DRAY_ERROR_LAUNCH, NO_PROCESSES);
  assert_fails (dray_executor_call (executor, "null", NULL), DRAY_ERROR_LAUNCH, NO_PROCESSES);

  set_limit (RLIMIT_NPROC, before.rlim_cur);
  assert_succeeds (run_script (executor, "exit 0"));

  /* For one command at a time. */
  set_limit (RLIMIT_NPROC, N_THREADS + 1);
  assert_all_succeed (executor);

  set_limit (RLIMIT_NPROC, N_THREADS);
  assert_fails (run_script (executor, "exit 0"), DRAY_ERROR_LAUNCH, NO_PROCESSES);
  assert_fails (dray_executor_call (executor, "null", NULL), DRAY_ERROR_LAUNCH, NO_PROCESSES);

  set_limit (RLIMIT_NPROC, before.rlim_cur);
  assert_all_succeed (executor);
  host_assert_calls (executor);
  host_finish (executor);
}

/* How often the end of each was told is found in their records. (transfer full) */
static GPtrArray *
submit_mixed (DrayExecutor *executor)
{
  GPtrArray *records = workshop_new_records ();

  for (guint i = 0; i < N_COMMANDS; i++)
    {
      g_ptr_array_add (records, workshop_watch (run_script (executor, "exit 0")));
      g_ptr_array_add (records, workshop_watch (dray_executor_call (
                                  executor, "add", g_variant_new ("(ii)", (gint) i, 1))));
      if (i % 10 == 0)
        g_ptr_array_add (records, workshop_watch (call_bytes (executor, 3 * 1024 * 1024)));
    }
  return records;
}

/* That each was told once: it has succeeded, or says that there could be no more processes. Returns:
 * how many have succeeded */
static guint
count_successes (GPtrArray *records)
{
  guint n_successes = 0;

  workshop_iterate_until_all_told (records);
  for (guint i = 0; i < records->len; i++)
    {
      WorkshopRecord *record = records->pdata[i];

      if (dray_future_get_state (record->future) == DRAY_FUTURE_SUCCEEDED)
        {
          workshop_assert_succeeded (record);
          n_successes++;
        }
      else
        {
          g_autoptr (GError) error = NULL;

          workshop_assert_failed (record, DRAY_ERROR, DRAY_ERROR_LAUNCH);
          g_assert_null (dray_future_dup_result (record->future, &error));
          assert_says (error, NO_PROCESSES);
        }
    }
  return n_successes;
}

/* Many calls and commands, and none, a few or not quite enough processes for them. */
static void
run_processes_under_load (void)
{
  struct rlimit before;

  become_nobody_else ();
  g_assert_cmpint (getrlimit (RLIMIT_NPROC, &before), ==, 0);
  for (guint n_processes = 0; n_processes <= 4; n_processes++)
    {
      DrayExecutor *executor = host_new_executor (8);
      g_autoptr (GPtrArray) pressed = NULL;
      g_autoptr (GPtrArray) relieved = NULL;
      g_autoptr (GPtrArray) last = NULL;
      guint n_successes;

      assert_succeeds (run_script (executor, "exit 0"));
      set_limit (RLIMIT_NPROC, N_THREADS + n_processes);
      pressed = submit_mixed (executor);
      n_successes = count_successes (pressed);
      /* Where there is a process at all it does some of them, one after the other. */
      g_assert_cmpuint (n_successes, >=, n_processes > 0 ? 1 : 0);
      g_assert_cmpuint (n_successes, <=, n_processes > 0 ? pressed->len : 0);

      /* With the pressure gone in the midst of it. */
      relieved = submit_mixed (executor);
      workshop_iterate_until_told (relieved->pdata[0]);
      set_limit (RLIMIT_NPROC, before.rlim_cur);
      count_successes (relieved);

      last = submit_mixed (executor);
      g_assert_cmpuint (count_successes (last), ==, last->len);
      host_assert_calls (executor);
      g_clear_pointer (&pressed, g_ptr_array_unref);
      g_clear_pointer (&relieved, g_ptr_array_unref);
      g_clear_pointer (&last, g_ptr_array_unref);
      host_finish (executor);
    }
}

/* Memory */

static rlim_t
get_address_space (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/statm", pid);
  g_autofree char *contents = NULL;

  g_assert_true (g_file_get_contents (path, &contents, NULL, NULL));
  return (rlim_t) g_ascii_strtoull (contents, NULL, 10) * (rlim_t) sysconf (_SC_PAGESIZE);
}

/* For a thread's heap, of which the C library reserves 64 MiB at a time, this is too much. */
#define IN_PIECES (100u * 1024 * 1024)
/* For small values, and for all that is mapped in passing. */
#define ROOM (24u * 1024 * 1024)
#define N_SMALL 20

/* That @future (it is taken) fails for want of memory, and those that are before and behind it do not:
 * small ones, which are added to it. */
static void
assert_fails_alone (DrayExecutor *executor,
                    DrayFuture *(*submit) (DrayExecutor *, gpointer),
                    gpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new ();
  DrayFuture *large = NULL;

  for (guint i = 0; i < N_SMALL; i++)
    {
      if (i == N_SMALL / 2)
        large = submit (executor, data);
      g_ptr_array_add (futures, dray_executor_call (executor, "add", g_variant_new ("(ii)", i, 1)));
    }

  assert_fails (large, DRAY_ERROR_TOO_LARGE, NO_MEMORY);
  for (guint i = 0; i < N_SMALL; i++)
    assert_succeeds (futures->pdata[i]);
}

static DrayFuture *
submit_script_cb (DrayExecutor *executor, gpointer script)
{
  return run_script (executor, script);
}

static DrayFuture *
submit_bytes_cb (DrayExecutor *executor, gpointer size)
{
  return call_bytes (executor, GPOINTER_TO_UINT (size));
}

static DrayFuture *
submit_sum_cb (DrayExecutor *executor, gpointer arguments)
{
  return call_sum (executor, arguments);
}

static void
run_memory (void)
{
  g_autofree char *script = g_strdup_printf ("head -c %u /dev/zero", LARGE);
  DrayExecutor *executor = host_new_executor (1);
  struct rlimit before;

  assert_succeeds (run_script (executor, "exit 0"));
  assert_succeeds (call_bytes (executor, 1));
  g_assert_cmpint (getrlimit (RLIMIT_AS, &before), ==, 0);

  /* A worker that is started from here on has little memory itself: the first one, which has enough
   * for a large value, has to be kept. */
  set_limit (RLIMIT_AS, get_address_space (getpid ()) + ROOM);
  for (guint i = 0; i < 2; i++)
    assert_fails_alone (executor, submit_bytes_cb, GUINT_TO_POINTER (SHARED));
  for (guint i = 0; i < 2; i++)
    {
      assert_fails_alone (executor, submit_script_cb, script);
      assert_fails_alone (executor, submit_bytes_cb, GUINT_TO_POINTER (LARGE));
      assert_succeeds (run_script (executor, "exit 0"));
    }

  set_limit (RLIMIT_AS, before.rlim_cur);
  assert_succeeds (run_script (executor, script));
  assert_fails (dray_executor_call (executor, "exit", g_variant_new ("(i)", 0)),
                DRAY_ERROR_WORKER_DIED, NULL);
  assert_succeeds (call_bytes (executor, LARGE));
  assert_succeeds (call_bytes (executor, SHARED));
  host_finish (executor);
}

static void
run_memory_of_arguments (void)
{
  static const gsize sizes[] = { IN_PIECES, SHARED };
  DrayExecutor *executor = host_new_executor (2);
  g_autoptr (DrayCounters) counters = NULL;

  assert_succeeds (run_script (executor, "exit 0"));
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GVariant) pieces = new_arguments (sizes[i], TRUE);
      g_autoptr (GVariant) whole = new_arguments (sizes[i], FALSE);
      g_autoptr (GBytes) input = g_variant_get_data_as_bytes (whole);
      struct rlimit before;

      assert_succeeds (call_bytes (executor, 1));
      g_assert_cmpint (getrlimit (RLIMIT_AS, &before), ==, 0);

      set_limit (RLIMIT_AS, get_address_space (getpid ()) + ROOM);
      assert_fails_alone (executor, submit_sum_cb, pieces);
      /* What is there already is not copied, whatever becomes of it. */
      assert_succeeds (call_sum (executor, whole));
      assert_succeeds (feed_script (executor, "cat > /dev/null", input));
      assert_fails_alone (executor, submit_sum_cb, pieces);

      set_limit (RLIMIT_AS, before.rlim_cur);
      assert_succeeds (call_sum (executor, pieces));
    }
  counters = dray_executor_dup_counters (executor);
  g_assert_cmpuint (counters->workers_died, ==, 0);
  host_finish (executor);
}

/* Leaves the process @pid no more than some memory. @before: (out) */
static void
limit_memory_of (pid_t pid, struct rlimit *before)
{
  struct rlimit limit;

  g_assert_cmpint (prlimit (pid, RLIMIT_AS, NULL, before), ==, 0);
  limit = *before;
  limit.rlim_cur = get_address_space (pid) + ROOM;
  g_assert_cmpint (prlimit (pid, RLIMIT_AS, &limit, NULL), ==, 0);
}

typedef struct
{
  DrayExecutor *executor;
  guint64 bytes_out; /* before */
} Sent;

static guint64
count_bytes_out (DrayExecutor *executor)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (executor);

  return counters->bytes_out;
}

static gboolean
is_sent (gpointer data)
{
  const Sent *sent = data;

  return count_bytes_out (sent->executor) >= sent->bytes_out + LARGE;
}

static void
run_memory_of_worker (void)
{
  g_autoptr (GVariant) large = new_arguments (LARGE, FALSE);
  g_autoptr (GVariant) shared = new_arguments (SHARED, FALSE);
  DrayExecutor *executor = host_new_executor (1);
  const pid_t pid = ask_pid (executor);
  DrayFuture *stream, *behind;
  struct rlimit before;
  Sent sent = { .executor = executor };

  limit_memory_of (pid, &before);
  for (guint i = 0; i < 2; i++)
    {
      assert_fails_alone (executor, submit_sum_cb, large);
      assert_fails_alone (executor, submit_sum_cb, shared);
    }

  /* It comes in while another call runs, which can't end before it is taken. */
  g_object_set (executor, "max-undelivered-bytes", (guint64) 1, NULL);
  stream = dray_executor_call (executor, "stream", g_variant_new ("(uu)", 3000, 10000));
  workshop_block_until_undelivered (executor, 1);
  sent.bytes_out = count_bytes_out (executor);
  behind = call_sum (executor, large);
  workshop_block_until (is_sent, &sent, "the arguments are sent");
  assert_succeeds (stream);
  assert_fails (behind, DRAY_ERROR_TOO_LARGE, NO_MEMORY);

  g_assert_cmpint (prlimit (pid, RLIMIT_AS, &before, NULL), ==, 0);
  assert_succeeds (call_sum (executor, large));
  assert_succeeds (call_sum (executor, shared));
  g_assert_cmpint (ask_pid (executor), ==, pid);
  host_finish (executor);
}

/* What the kernel refuses */

/* Has every call of the system call @number fail with EPERM, or, if @second is not 0, those with
 * that second argument; here and in all that is started from here. */
static void
refuse (int number, unsigned int second)
{
  struct sock_filter filter[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, (unsigned int) number, 0, 3),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, args[1])),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, second, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = { .len = G_N_ELEMENTS (filter), .filter = filter };

  /* Whatever the argument is. */
  if (second == 0)
    filter[3].jf = 0;

  g_assert_cmpint (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
  g_assert_cmpint (prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

/* That all works without what was refused, with small and with large values both ways. */
static void
assert_works (void)
{
  DrayExecutor *executor = host_new_executor (2);
  g_autofree char *script = g_strdup_printf ("head -c %u /dev/zero", 3u * 1024 * 1024);
  g_autofree guint8 *data = g_malloc0 (3u * 1024 * 1024);
  GVariant *bytes = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, 3u * 1024 * 1024, 1);

  host_assert_calls (executor);
  host_assert_commands (executor);
  assert_succeeds (call_bytes (executor, SHARED));
  assert_succeeds (dray_executor_call (executor, "echo", g_variant_new ("(@ay)", bytes)));
  assert_succeeds (run_script (executor, script));
  host_finish (executor);
}

static void
run_no_memfd (void)
{
  refuse (SYS_memfd_create, 0);
  g_assert_cmpint (syscall (SYS_memfd_create, "test", 0), ==, -1);
  assert_works ();
}

static void
run_small_pipes (void)
{
  int fds[2];

  refuse (SYS_fcntl, F_SETPIPE_SZ);
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  g_assert_cmpint (fcntl (fds[0], F_SETPIPE_SZ, 1024 * 1024), ==, -1);
  close (fds[0]);
  close (fds[1]);
  assert_works ();
}

/* Sandboxes */

/* (transfer full) */
static DrayExecutor *
new_confined_executor (DraySandboxNeed need)
{
  const char *const argv[] = { host_get_worker (), NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);

  /* Nobody looks for leaks from inside: that takes a process that traces this one. */
  dray_launcher_setenv (launcher, "LSAN_OPTIONS", "detect_leaks=0");
  dray_launcher_set_sandbox (launcher, DRAY_SANDBOX_STRICT, need);
  return dray_executor_new (launcher);
}

/* What says each of @reasons where it is required, and does without where it is not. */
static void
assert_no_sandbox (const char *const *reasons)
{
  DrayExecutor *required = new_confined_executor (DRAY_SANDBOX_REQUIRED);
  DrayExecutor *preferred = new_confined_executor (DRAY_SANDBOX_PREFERRED);
  g_autofree char *shortfall = NULL;

  assert_succeeds (dray_executor_call (preferred, "add", g_variant_new ("(ii)", 1, 2)));
  shortfall = dray_executor_dup_sandbox_shortfall (preferred);
  for (; *reasons != NULL; reasons++)
    {
      assert_fails (dray_executor_call (required, "add", g_variant_new ("(ii)", 1, 2)),
                    DRAY_ERROR_SANDBOX, *reasons);
      if (strstr (shortfall, *reasons) == NULL)
        g_error ("“%s” does not say “%s”", shortfall, *reasons);
    }

  g_assert_true (dray_executor_shutdown_sync (required, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_object_unref (required);
  host_finish (preferred);
}

/* As a kernel does that was built without them. */
static void
run_no_layers (void)
{
  const Refusal refusals[] = {
    REFUSE (landlock_create_ruleset, ENOSYS),
    REFUSE (seccomp, ENOSYS),
    { .call = SYS_prctl, .error = EINVAL, .condition = REFUSE_IF_EQUAL, .value = PR_SET_SECCOMP },
    { 0 },
  };
  const char *const reasons[] = {
    "access to files could not be limited: Function not implemented",
#ifdef HAVE_LIBSECCOMP
    "; system calls could not be filtered: ",
#else
    "; this copy of Dray was built without a filter of system calls",
#endif
    NULL,
  };

  g_assert_true (refusal_install (refusals));
  assert_no_sandbox (reasons);
}

/* Of which the sandbox needs a pair before it is begun. */
static void
run_no_sockets (void)
{
  const Refusal refusals[] = { REFUSE (socketpair, EMFILE), { 0 } };
  const char *const reasons[] = {
    "namespaces could not be set up: " NO_FILES,
    NULL,
  };

  g_assert_true (refusal_install (refusals));
  assert_no_sandbox (reasons);
}

/* The tests */

static const HostPart parts[] = {
  { "few-descriptors", run_few_descriptors },
  { "no-descriptors", run_no_descriptors },
  { "no-more-descriptors", run_no_more_descriptors },
  { "no-descriptors-of-worker", run_no_descriptors_of_worker },
  { "no-descriptors-of-system", run_no_descriptors_of_system },
  { "shut-down", run_shut_down },
  { "processes", run_processes },
  { "processes-under-load", run_processes_under_load },
  { "memory", run_memory },
  { "memory-of-arguments", run_memory_of_arguments },
  { "memory-of-worker", run_memory_of_worker },
  { "no-memfd", run_no_memfd },
  { "small-pipes", run_small_pipes },
  { "no-layers", run_no_layers },
  { "no-sockets", run_no_sockets },
};

static void
test_part (Fixture *fixture, gconstpointer data)
{
  /* Shows that the part of the host finds nothing wrong, and prints nothing. */
  host_run_to_end (data);
}

static void
test_processes (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("Where no process can be started, one more is not tried over and over: a command "
                  "waits for those that run, and what can't wait says why.");

  if (geteuid () != 0)
    {
      g_test_skip ("only root can become somebody who has no other processes");
      return;
    }
  host_run_to_end (data);
}

static void
test_memory (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("What there is no memory for fails, and nothing else does.");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_skip ("a sanitizer takes more address space than there is to be limited");
#else
  host_run_to_end (data);
#endif
}

static void
test_sandbox (Fixture *fixture, gconstpointer data)
{
  g_test_summary (
    "What a sandbox lacks is told, each in its own words, and is done without where it "
    "may be.");

#ifdef __SANITIZE_THREAD__
  g_test_skip ("ThreadSanitizer finds nothing of what it needs in a sandbox");
#else
  host_run_to_end (data);
#endif
}

int
main (int argc, char **argv)
{
  if (host_is_wanted (argc, argv))
    return host_run (argv, parts, G_N_ELEMENTS (parts));

  g_test_init (&argc, &argv, NULL);

  workshop_add ("/exhaustion/descriptors/few", "few-descriptors", test_part);
  workshop_add ("/exhaustion/descriptors/none", "no-descriptors", test_part);
  workshop_add ("/exhaustion/descriptors/no-more", "no-more-descriptors", test_part);
  workshop_add ("/exhaustion/descriptors/worker", "no-descriptors-of-worker", test_part);
  workshop_add ("/exhaustion/descriptors/system", "no-descriptors-of-system", test_part);
  workshop_add ("/exhaustion/descriptors/shut-down", "shut-down", test_part);
  workshop_add ("/exhaustion/processes", "processes", test_processes);
  workshop_add ("/exhaustion/processes/load", "processes-under-load", test_processes);
  workshop_add ("/exhaustion/memory", "memory", test_memory);
  workshop_add ("/exhaustion/memory/arguments", "memory-of-arguments", test_memory);
  workshop_add ("/exhaustion/memory/worker", "memory-of-worker", test_memory);
  workshop_add ("/exhaustion/no-memfd", "no-memfd", test_part);
  workshop_add ("/exhaustion/small-pipes", "small-pipes", test_part);
  workshop_add ("/exhaustion/sandbox/no-layers", "no-layers", test_sandbox);
  workshop_add ("/exhaustion/sandbox/no-sockets", "no-sockets", test_sandbox);

  return g_test_run ();
}
