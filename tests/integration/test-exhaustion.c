/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"
#include "refusal.h"
#include "scarcity.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Hosts in which something is used up: what can wait waits, what can't says why, and all works
 * again once the pressure is gone.
 */

#define N_COMMANDS 40
#define N_SOME 20

/* In bytes: a result that does not fit into what is on its way. */
#define LARGE (3 * 1024 * 1024)

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
#define NO_FILES_OF_SYSTEM "the system’s limit of open files (fs.file-max) is reached"
#define NO_PROCESSES "limit of processes and threads (RLIMIT_NPROC), or the system’s, is reached"

/* How it ends */

/* That @future (it is taken) fails, since an open file or a large value could not be received. */
static void
assert_not_received (DrayFuture *future, const char *reason)
{
  g_autoptr (GError) error = NULL;
  G_GNUC_UNUSED g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  scarcity_assert_says (error, reason);
  g_object_unref (future);
}

static void
assert_all_succeed (DrayExecutor *executor)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new ();

  for (guint i = 0; i < N_COMMANDS; i++)
    g_ptr_array_add (futures, scarcity_run_script (executor, "read line < /dev/null; exit 0"));
  for (guint i = 0; i < N_COMMANDS; i++)
    scarcity_assert_succeeds (futures->pdata[i]);
}

/* Limits */

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

  scarcity_assert_succeeds (scarcity_run_script (executor, "exit 0"));
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);

  /* For one at a time, or two. */
  scarcity_set_limit (RLIMIT_NOFILE, count_descriptors () + N_DESCRIPTORS);
  assert_all_succeed (executor);

  scarcity_set_limit (RLIMIT_NOFILE, before.rlim_cur);
  host_finish (executor);
}

static void
run_no_descriptors (void)
{
  DrayExecutor *executor = host_new_executor (8);
  struct rlimit before;

  scarcity_assert_succeeds (scarcity_run_script (executor, "exit 0"));
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);

  scarcity_set_limit (RLIMIT_NOFILE, count_descriptors () + 1);
  for (guint i = 0; i < 3; i++)
    {
      scarcity_assert_fails (scarcity_run_script (executor, "exit 0"), DRAY_ERROR_LAUNCH,
                             SCARCITY_NO_FILES);
      scarcity_assert_fails (dray_executor_call (executor, "null", NULL), DRAY_ERROR_LAUNCH,
                             SCARCITY_NO_FILES);
    }

  scarcity_set_limit (RLIMIT_NOFILE, before.rlim_cur);
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

/* In an application that has a worker: what needs no descriptor is done, what needs one says so.
 * @again: something lies in the passage already for which there was none. Then large values go
 * beside that. */
static void
assert_without_descriptors (DrayExecutor *executor,
                            GVariant *large,
                            GUnixFDList *files,
                            gboolean again)
{
  const char *const names[] = { "one", "two", NULL };
  const char *const argv[] = { "true", NULL };
  g_autoptr (DrayTask) call = dray_task_new_call ("null", NULL);
  g_autoptr (DrayTask) command = dray_task_new_command (argv);
  g_autoptr (GError) no_attachments = NULL;
  g_autoptr (GError) no_input = NULL;

  scarcity_assert_succeeds (dray_executor_call (executor, "add", g_variant_new ("(ii)", 1, 2)));
  scarcity_assert_succeeds (scarcity_call_bytes (executor, SCARCITY_LARGE));
  scarcity_assert_succeeds (scarcity_call_sum (executor, large));
  if (again)
    scarcity_assert_succeeds (scarcity_call_bytes (executor, SCARCITY_SHARED));
  else
    assert_not_received (scarcity_call_bytes (executor, SCARCITY_SHARED), SCARCITY_NO_FILES);
  assert_not_received (
    dray_executor_call (executor, "return-attachments", g_variant_new ("(^as)", names)),
    SCARCITY_NO_FILES);
  scarcity_assert_fails (scarcity_run_script (executor, "exit 0"), DRAY_ERROR_LAUNCH,
                         SCARCITY_NO_FILES);

  g_assert_false (dray_task_set_attachments (call, files, &no_attachments));
  g_assert_error (no_attachments, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  scarcity_assert_says (no_attachments, SCARCITY_NO_FILES);
  g_assert_false (dray_task_set_input_fd (command, STDIN_FILENO, &no_input));
  g_assert_error (no_input, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  scarcity_assert_says (no_input, SCARCITY_NO_FILES);
}

static void
run_no_more_descriptors (void)
{
  DrayExecutor *executor = host_new_executor (1);
  g_autoptr (GVariant) large = scarcity_new_arguments (SCARCITY_SHARED, FALSE);
  g_autoptr (GUnixFDList) files = open_files (2);
  const pid_t pid = scarcity_ask_pid (executor);
  const rlim_t limits[] = { 3, count_descriptors () };
  const char *const names[] = { "one", "two", NULL };
  struct rlimit before;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      scarcity_set_limit (RLIMIT_NOFILE, limits[i]);
      assert_without_descriptors (executor, large, files, i > 0);
    }

  scarcity_set_limit (RLIMIT_NOFILE, before.rlim_cur);
  scarcity_assert_succeeds (scarcity_call_bytes (executor, SCARCITY_SHARED));
  scarcity_assert_succeeds (
    dray_executor_call (executor, "return-attachments", g_variant_new ("(^as)", names)));
  scarcity_assert_succeeds (call_with_files (executor, files));
  scarcity_assert_succeeds (scarcity_run_script (executor, "exit 0"));
  g_assert_cmpint (scarcity_ask_pid (executor), ==, pid);
  g_clear_object (&files);
  host_finish (executor);
}

/* The same in the worker. */
static void
run_no_descriptors_of_worker (void)
{
  static const char *const reasons[] = { "The worker could not take the task", SCARCITY_NO_FILES };
  DrayExecutor *executor = host_new_executor (1);
  g_autoptr (GVariant) large = scarcity_new_arguments (SCARCITY_SHARED, FALSE);
  g_autoptr (GUnixFDList) files = open_files (2);
  const pid_t pid = scarcity_ask_pid (executor);
  struct rlimit before, none;

  g_assert_cmpint (prlimit (pid, RLIMIT_NOFILE, NULL, &before), ==, 0);
  none = before;
  none.rlim_cur = 3;
  g_assert_cmpint (prlimit (pid, RLIMIT_NOFILE, &none, NULL), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (reasons); i++)
    {
      assert_not_received (call_with_files (executor, files), reasons[i]);
      assert_not_received (scarcity_call_sum (executor, large), reasons[i]);
      scarcity_assert_succeeds (dray_executor_call (executor, "add", g_variant_new ("(ii)", 1, 2)));
      scarcity_assert_succeeds (scarcity_call_bytes (executor, SCARCITY_SHARED));
    }

  g_assert_cmpint (prlimit (pid, RLIMIT_NOFILE, &before, NULL), ==, 0);
  scarcity_assert_succeeds (call_with_files (executor, files));
  scarcity_assert_succeeds (scarcity_call_sum (executor, large));
  g_assert_cmpint (scarcity_ask_pid (executor), ==, pid);
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
      scarcity_assert_fails (scarcity_run_script (executor, "exit 0"), DRAY_ERROR_LAUNCH,
                             NO_FILES_OF_SYSTEM);
      scarcity_assert_fails (dray_executor_call (executor, "null", NULL), DRAY_ERROR_LAUNCH,
                             NO_FILES_OF_SYSTEM);
    }
  host_finish (executor);
}

/* That @future (it is taken) is done, and how; @succeeds: it has to have succeeded */
static void
assert_shut_down (DrayFuture *future, DrayShutdownMode mode, gboolean succeeds)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  g_assert_true (dray_future_is_done (future));
  result = dray_future_dup_result (future, &error);
  if (succeeds)
    g_assert_no_error (error);
  else if (mode == DRAY_SHUTDOWN_DRAIN && error != NULL)
    g_assert_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH);
  else if (mode == DRAY_SHUTDOWN_CANCEL_PENDING)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  else if (mode > DRAY_SHUTDOWN_CANCEL_PENDING)
    g_assert_error (error, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  g_object_unref (future);
}

/* How long the command takes that others wait for. */
static const char *
get_script (DrayShutdownMode mode)
{
  switch (mode)
    {
    case DRAY_SHUTDOWN_DRAIN:
      return "read line < /dev/null; sleep 0.05";
    case DRAY_SHUTDOWN_CANCEL_PENDING:
      return "until [ -d \"$GATE\" ]; do sleep 0.01; done";
    default:
      return "exec sleep 1000";
    }
}

/* A GThreadFunc: opens the gate when @future is done, which takes no descriptor. */
static gpointer
open_gate_thread (gpointer future)
{
  workshop_wait_thread (future);
  g_assert_cmpint (mkdir (g_getenv ("GATE"), 0700), ==, 0);
  return NULL;
}

/* Shut down while commands wait for descriptors. */
static void
run_shut_down (void)
{
  for (DrayShutdownMode mode = DRAY_SHUTDOWN_DRAIN; mode <= DRAY_SHUTDOWN_KILL; mode++)
    {
      g_autofree char *directory = g_dir_make_tmp ("dray-exhaustion-XXXXXX", NULL);
      g_autofree char *gate = g_build_filename (directory, "gate", NULL);
      g_autoptr (GPtrArray) futures = g_ptr_array_new ();
      GThread *opener = NULL;
      DrayExecutor *executor;
      DrayFuture *first;
      struct rlimit before;

      g_assert_true (g_setenv ("GATE", gate, TRUE));
      executor = host_new_executor (8);
      first = scarcity_run_script (executor, get_script (mode));
      workshop_block_until_running (first);
      g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
      scarcity_set_limit (RLIMIT_NOFILE, count_descriptors () + 1);
      for (guint i = 0; i < 3; i++)
        g_ptr_array_add (futures, scarcity_run_script (executor, "exit 0"));
      if (mode == DRAY_SHUTDOWN_CANCEL_PENDING)
        opener = g_thread_new ("opener", open_gate_thread, futures->pdata[0]);
      g_assert_true (dray_executor_shutdown_sync (executor, mode, NULL, NULL));
      g_clear_pointer (&opener, g_thread_join);

      assert_shut_down (first, mode, mode <= DRAY_SHUTDOWN_CANCEL_PENDING);
      for (guint i = 0; i < 3; i++)
        assert_shut_down (futures->pdata[i], mode, FALSE);
      scarcity_set_limit (RLIMIT_NOFILE, before.rlim_cur);
      g_rmdir (gate);
      g_rmdir (directory);
      host_finish (executor);
    }
}

/* Processes */

/* From here on nothing else counts, since nobody else is who this process is. */
static void
become_somebody_new (void)
{
  const uid_t uid = FIRST_UNUSED_UID + (uid_t) getpid () % N_UNUSED_UIDS;

  g_assert_cmpint (setresgid (uid, uid, uid), ==, 0);
  g_assert_cmpint (setresuid (uid, uid, uid), ==, 0);
}

static guint
count_entries (const char *path)
{
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  guint n_entries = 0;

  while (folder != NULL && g_dir_read_name (folder) != NULL)
    n_entries++;
  return n_entries;
}

/* Whether this process's threads are all that its user has: no thread and no process of an executor
 * that is gone is on its way out, and takes the place of another one. */
static gboolean
is_alone (gpointer data)
{
  g_autoptr (GDir) processes = g_dir_open ("/proc", 0, NULL);
  const char *name;
  guint n_threads = 0;

  while ((name = g_dir_read_name (processes)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc", name, "task", NULL);
      struct stat status;

      if (g_ascii_isdigit (name[0]) && stat (path, &status) == 0 && status.st_uid == getuid ())
        n_threads += count_entries (path);
    }
  return n_threads == N_THREADS;
}

static void
run_processes (void)
{
  DrayExecutor *executor;
  struct rlimit before;

  become_somebody_new ();
  executor = host_new_executor (8);
  g_assert_cmpint (getrlimit (RLIMIT_NPROC, &before), ==, 0);

  /* Not even for the I/O thread. */
  scarcity_set_limit (RLIMIT_NPROC, N_THREADS - 1);
  scarcity_assert_fails (scarcity_run_script (executor, "exit 0"), DRAY_ERROR_LAUNCH, NO_PROCESSES);
  scarcity_assert_fails (dray_executor_call (executor, "null", NULL), DRAY_ERROR_LAUNCH,
                         NO_PROCESSES);

  scarcity_set_limit (RLIMIT_NPROC, before.rlim_cur);
  scarcity_assert_succeeds (scarcity_run_script (executor, "exit 0"));
  workshop_block_until (is_alone, NULL, "nothing is left of what ran before");

  /* For one command at a time. */
  scarcity_set_limit (RLIMIT_NPROC, N_THREADS + 1);
  assert_all_succeed (executor);

  scarcity_set_limit (RLIMIT_NPROC, N_THREADS);
  scarcity_assert_fails (scarcity_run_script (executor, "exit 0"), DRAY_ERROR_LAUNCH, NO_PROCESSES);
  scarcity_assert_fails (dray_executor_call (executor, "null", NULL), DRAY_ERROR_LAUNCH,
                         NO_PROCESSES);

  scarcity_set_limit (RLIMIT_NPROC, before.rlim_cur);
  assert_all_succeed (executor);
  host_assert_calls (executor);
  host_finish (executor);
}

/* Load, and what was short of comes back in the midst of it */

/* As many commands as calls. How often the end of each was told is found in their records.
 * (transfer full) */
static GPtrArray *
submit_mixed (DrayExecutor *executor, guint n_commands)
{
  const char *const names[] = { "one", "two", NULL };
  GPtrArray *records = workshop_new_records ();

  for (guint i = 0; i < n_commands; i++)
    {
      g_ptr_array_add (records, workshop_watch (scarcity_run_script (executor, "exit 0")));
      g_ptr_array_add (records, workshop_watch (dray_executor_call (
                                  executor, "add", g_variant_new ("(ii)", (gint) i, 1))));
      if (i % 10 == 0)
        g_ptr_array_add (records, workshop_watch (scarcity_call_bytes (executor, LARGE)));
      if (i % 10 == 5)
        g_ptr_array_add (records,
                         workshop_watch (dray_executor_call (executor, "return-attachments",
                                                             g_variant_new ("(^as)", names))));
    }
  return records;
}

/* Whether @record is of a call of that function. */
static gboolean
calls (WorkshopRecord *record, const char *function)
{
  DrayTask *task = dray_future_get_task (record->future);

  return g_strcmp0 (dray_task_get_function (task), function) == 0;
}

static void
assert_whole (WorkshopRecord *record)
{
  g_autoptr (GVariant) result = dray_future_dup_result (record->future, NULL);

  workshop_assert_succeeded (record);
  if (calls (record, "bytes"))
    g_assert_cmpuint (g_variant_get_size (result), ==, LARGE);
}

/* That it says for want of what, and that it was in want of that. */
static void
assert_wanting (WorkshopRecord *record, const char *reason)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (dray_future_dup_result (record->future, &error));
  scarcity_assert_says (error, reason);
  if (g_str_equal (reason, SCARCITY_NO_FILES)
      && (calls (record, "bytes") || calls (record, "return-attachments"))
      && error->domain == G_IO_ERROR)
    workshop_assert_failed (record, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  else
    workshop_assert_failed (record, DRAY_ERROR, DRAY_ERROR_LAUNCH);
}

/* That each was told once: it has succeeded, or says that there was no more of something.
 * Returns: how many have succeeded */
static guint
count_successes (GPtrArray *records, const char *reason)
{
  guint n_successes = 0;

  workshop_iterate_until_all_told (records);
  for (guint i = 0; i < records->len; i++)
    {
      WorkshopRecord *record = records->pdata[i];

      if (dray_future_get_state (record->future) == DRAY_FUTURE_SUCCEEDED)
        {
          assert_whole (record);
          n_successes++;
        }
      else
        assert_wanting (record, reason);
    }
  return n_successes;
}

typedef struct
{
  __rlimit_resource_t resource;
  rlim_t limit;
  const char *reason;
  guint n_commands;
  /* how many of all these tasks are done in spite of it */
  guint n_least;
  guint n_most;
} Pressure;

/* Takes @executor. */
static void
run_under (const Pressure *pressure, DrayExecutor *executor)
{
  g_autoptr (GPtrArray) pressed = NULL;
  g_autoptr (GPtrArray) relieved = NULL;
  g_autoptr (GPtrArray) last = NULL;
  g_autoptr (DrayCounters) counters = NULL;
  struct rlimit before;
  guint n_successes;

  g_assert_cmpint (getrlimit (pressure->resource, &before), ==, 0);
  scarcity_set_limit (pressure->resource, pressure->limit);
  pressed = submit_mixed (executor, pressure->n_commands);
  n_successes = count_successes (pressed, pressure->reason);
  g_assert_cmpuint (n_successes, >=, pressure->n_least);
  g_assert_cmpuint (n_successes, <=, pressure->n_most);
  /* The open files that have come are of what is short. */
  g_clear_pointer (&pressed, g_ptr_array_unref);

  /* With the pressure gone in the midst of it. */
  relieved = submit_mixed (executor, pressure->n_commands);
  workshop_iterate_until_told (relieved->pdata[0]);
  scarcity_set_limit (pressure->resource, before.rlim_cur);
  count_successes (relieved, pressure->reason);

  last = submit_mixed (executor, pressure->n_commands);
  g_assert_cmpuint (count_successes (last, pressure->reason), ==, last->len);
  counters = dray_executor_dup_counters (executor);
  g_assert_cmpuint (counters->submitted, ==, counters->succeeded + counters->failed);
  host_assert_calls (executor);
  g_clear_pointer (&relieved, g_ptr_array_unref);
  g_clear_pointer (&last, g_ptr_array_unref);
  host_finish (executor);
}

/* Many calls and commands, and none, a few or not quite enough processes for them. */
static void
run_processes_under_load (void)
{
  become_somebody_new ();
  for (guint n_processes = 0; n_processes <= 4; n_processes++)
    {
      DrayExecutor *executor = host_new_executor (8);
      /* Where there is a process at all it does some of them, one after the other. */
      const Pressure pressure = {
        .resource = RLIMIT_NPROC,
        .limit = N_THREADS + n_processes,
        .reason = NO_PROCESSES,
        .n_commands = N_COMMANDS,
        .n_least = n_processes > 0 ? 1 : 0,
        .n_most = n_processes > 0 ? G_MAXUINT : 0,
      };

      scarcity_assert_succeeds (scarcity_run_script (executor, "exit 0"));
      workshop_block_until (is_alone, NULL, "nothing is left of what ran before");
      run_under (&pressure, executor);
    }
}

/* (transfer full): one whose large results come in shared memory, which takes a descriptor each */
static DrayExecutor *
new_sharing_executor (void)
{
  const char *const argv[] = { host_get_worker (), NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  DrayExecutor *executor;

  dray_launcher_set_shared_size (launcher, LARGE);
  executor = dray_executor_new (launcher);
  dray_executor_set_max_workers (executor, 8);
  return executor;
}

/* The same, and descriptors: next to none, fewer than a command takes to be started, as many as
 * that, as many as a worker takes, and more. A worker that is there already does all the small
 * calls, which need none. */
static void
run_descriptors_under_load (void)
{
  static const struct
  {
    guint n_descriptors;
    gboolean has_worker;
    guint n_least;
    guint n_most;
  } vectors[] = {
    { 1, FALSE, 0, 0 },
    { 1, TRUE, N_SOME, G_MAXUINT },
    { 4, TRUE, N_SOME, G_MAXUINT },
    { N_DESCRIPTORS, FALSE, 1, G_MAXUINT },
    { N_DESCRIPTORS + 2, FALSE, 1, G_MAXUINT },
    { N_DESCRIPTORS + 7, TRUE, N_SOME, G_MAXUINT },
  };

  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      DrayExecutor *executor = new_sharing_executor ();
      Pressure pressure = {
        .resource = RLIMIT_NOFILE,
        .reason = SCARCITY_NO_FILES,
        .n_commands = N_SOME,
        .n_least = vectors[i].n_least,
        .n_most = vectors[i].n_most,
      };

      scarcity_assert_succeeds (scarcity_run_script (executor, "exit 0"));
      if (vectors[i].has_worker)
        scarcity_ask_pid (executor);
      pressure.limit = count_descriptors () + vectors[i].n_descriptors;
      run_under (&pressure, executor);
    }
}

/* The tests */

static const HostPart parts[] = {
  { "few-descriptors", run_few_descriptors },
  { "no-descriptors", run_no_descriptors },
  { "no-more-descriptors", run_no_more_descriptors },
  { "no-descriptors-of-worker", run_no_descriptors_of_worker },
  { "no-descriptors-of-system", run_no_descriptors_of_system },
  { "descriptors-under-load", run_descriptors_under_load },
  { "shut-down", run_shut_down },
  { "processes", run_processes },
  { "processes-under-load", run_processes_under_load },
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
  workshop_add ("/exhaustion/descriptors/load", "descriptors-under-load", test_part);
  workshop_add ("/exhaustion/descriptors/shut-down", "shut-down", test_part);
  workshop_add ("/exhaustion/processes", "processes", test_processes);
  workshop_add ("/exhaustion/processes/load", "processes-under-load", test_processes);

  return g_test_run ();
}
