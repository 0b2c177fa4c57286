/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"
#include "misbehaving.h"
#include "responsive.h"
#include "sandbox-rig.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Workers in sandboxes are workers like any others: what they return, how they end, how they are
 * ended; and what becomes of tasks where there is no sandbox to be had. The ways out of one are
 * tried in test-escapes.c. */

#define LARGE (16u * 1024 * 1024)

/* As if bubblewrap were not allowed to do its work. */
#define REFUSING_SCRIPT \
  "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"

static void
add_for_each (const char *name, void (*test) (Rig *rig, gconstpointer data))
{
  for (int i = DRAY_SANDBOX_NO_NETWORK; i <= DRAY_SANDBOX_STRICT; i++)
    {
      g_autofree char *path = g_strdup_printf ("/sandbox/%s/%s", name, sandbox_rig_names[i]);

      rig_add (path, GINT_TO_POINTER (i), test);
    }
}

/* --- What works --- */

static void
test_works (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "file");
  g_autoptr (DrayFuture) sum = NULL;
  g_autoptr (DrayFuture) large = NULL;
  g_autoptr (DrayFuture) attached = NULL;
  g_autoptr (DrayFuture) returned = NULL;
  g_autoptr (DrayFuture) ring = NULL;
  g_autoptr (GVariant) bytes = NULL;
  int fd;

  g_test_summary ("Calls, large results, open files in both directions, and the memory that "
                  "results come through are as they are outside.");

  if (!sandbox_rig_is_possible ())
    return;

  g_assert_true (g_file_set_contents (path, "text", -1, NULL));
  fd = open (path, O_RDONLY | O_CLOEXEC);
  sandbox_rig_start (rig, (DraySandbox) GPOINTER_TO_INT (data), 1);
  sum = rig_call (rig, "add", "(ii)", 2, 3);
  rig_expect_text (sum, "5");
  large = rig_call (rig, "bytes", "(u)", LARGE);
  bytes = rig_expect_result (large);
  workshop_assert_bytes (bytes, LARGE);
  attached = rig_submit (rig, rig_new_task_with ("read-attachments", fd));
  rig_expect_text (attached, "['text']");
  returned = rig_call (rig, "return-attachments", "(^as)", ((const char *const[]){ "a", NULL }));
  g_assert_cmpuint (rig_expect_uint32 (returned), ==, 1);
  ring = rig_call (rig, "has-mapping", "(s)", "dray-ring");
  rig_expect_text (ring, "true");
  g_assert_null (dray_executor_dup_sandbox_shortfall (rig->executor));
  close (fd);
}

static void
test_passed_memory (Rig *rig, gconstpointer data)
{
  DrayLauncher *launcher = sandbox_rig_new_launcher ((DraySandbox) GPOINTER_TO_INT (data));
  g_autoptr (DrayFuture) large = NULL;
  g_autoptr (DrayFuture) sum = NULL;
  g_autoptr (GVariant) bytes = NULL;

  g_test_summary ("Values travel in memory that is passed, in both directions.");

  if (!sandbox_rig_is_possible ())
    {
      g_object_unref (launcher);
      return;
    }

  dray_launcher_set_shared_size (launcher, 4096);
  rig_start_with (rig, launcher, 1);
  large = rig_call (rig, "bytes", "(u)", LARGE);
  bytes = rig_expect_result (large);
  workshop_assert_bytes (bytes, LARGE);
  sum = rig_call (rig, "sum", "(@ay)", bytes);
  rig_expect_text (sum, "uint64 2139095040");
}

static void
test_parallel (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Several of them work at a time.");

  if (!sandbox_rig_is_possible ())
    return;

  sandbox_rig_start (rig, (DraySandbox) GPOINTER_TO_INT (data), 4);
  for (int i = 0; i < 4; i++)
    g_ptr_array_add (futures, rig_call (rig, "sleep", "(u)", 20));
  for (int i = 0; i < 400; i++)
    g_ptr_array_add (futures, rig_call (rig, "add", "(ii)", i, 1));
  rig_run_until_all_done (futures);
  for (guint i = 0; i < futures->len; i++)
    g_assert_cmpint (dray_future_get_state (futures->pdata[i]), ==, DRAY_FUTURE_SUCCEEDED);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 4);
}

static void
test_module (Rig *rig, gconstpointer data)
{
  g_autofree char *filename = fixture_dup_program ("worker-module.so");
  DrayLauncher *launcher = dray_launcher_new_module (filename);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A module is found with all that it is linked with.");

  dray_launcher_set_initial_arguments (launcher, g_variant_new_string ("Guten Tag"));
  dray_launcher_set_sandbox (launcher, (DraySandbox) GPOINTER_TO_INT (data));
  dray_launcher_setenv (launcher, "LSAN_OPTIONS", "detect_leaks=0");
  if (!sandbox_rig_is_possible ())
    {
      g_object_unref (launcher);
      return;
    }

  rig_start_with (rig, launcher, 1);
  future = rig_call (rig, "greet", "(s)", "Welt");
  rig_expect_text (future, "'Guten Tag, Welt!'");
}

static GVariant *
own_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  return g_variant_new_string ("own");
}

static int
run_own_worker (void)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  dray_worker_add_function (worker, "own", own_cb, NULL, NULL);
  return dray_worker_run (worker);
}

static void
test_self (Rig *rig, gconstpointer data)
{
  DrayLauncher *launcher = dray_launcher_new_self ();
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A program can be its own worker.");

  dray_launcher_set_sandbox (launcher, (DraySandbox) GPOINTER_TO_INT (data));
  dray_launcher_setenv (launcher, "LSAN_OPTIONS", "detect_leaks=0");
  if (!sandbox_rig_is_possible ())
    {
      g_object_unref (launcher);
      return;
    }

  rig_start_with (rig, launcher, 1);
  future = rig_call (rig, "own", NULL);
  rig_expect_text (future, "'own'");
}

static void
test_granted (Rig *rig, gconstpointer data)
{
  static const char *const names[] = { "readable", "writable", "secret" };
  const DraySandbox sandbox = (DraySandbox) GPOINTER_TO_INT (data);
  DrayLauncher *launcher = sandbox_rig_new_launcher (sandbox);
  const gboolean matters = sandbox >= DRAY_SANDBOX_READ_ONLY;

  g_test_summary ("What is granted can be read, or changed, and nothing beside it.");

  if (!sandbox_rig_is_possible ())
    {
      g_object_unref (launcher);
      return;
    }

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *folder = rig_dup_path (rig, names[i]);
      g_autofree char *file = g_build_filename (folder, "file", NULL);

      g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
      g_assert_true (g_file_set_contents (file, "text", -1, NULL));
      if (i < 2)
        dray_launcher_grant_path (launcher, folder,
                                  i == 0 ? DRAY_ACCESS_READ : DRAY_ACCESS_READ_WRITE);
    }

  rig_start_with (rig, launcher, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *folder = rig_dup_path (rig, names[i]);
      g_autofree char *file = g_build_filename (folder, "file", NULL);

      g_assert_cmpint (sandbox_rig_escape (rig, "read", file) == 0, ==, i < 2 || !matters);
      g_assert_cmpint (sandbox_rig_escape (rig, "write", folder) == 0, ==, i == 1 || !matters);
    }
}

static void
test_few_files (Rig *rig, gconstpointer data)
{
  DrayLauncher *launcher = sandbox_rig_new_launcher ((DraySandbox) GPOINTER_TO_INT (data));
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("As few files may be open inside as anywhere.");

  if (!sandbox_rig_is_possible ())
    {
      g_object_unref (launcher);
      return;
    }

  dray_launcher_set_limit (launcher, DRAY_LIMIT_OPEN_FILES, 16);
  rig_start_with (rig, launcher, 1);
  future = rig_call (rig, "open-files", NULL);
  rig_expect_error (future, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES, "Too many open files");
}

/* --- The end --- */

static void
test_crashes (Rig *rig, gconstpointer data)
{
  static const int signals[] = { SIGABRT, SIGKILL, SIGSEGV, SIGTERM };
  static const int statuses[] = { 0, 3, 139 };

  g_test_summary ("However a worker ends, that is what is told of it.");

  if (!sandbox_rig_is_possible ())
    return;

  sandbox_rig_start (rig, (DraySandbox) GPOINTER_TO_INT (data), 1);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "raise", "(i)", signals[i]);
      g_autofree char *pattern = g_strdup_printf ("*signal %d *", signals[i]);

      rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, pattern);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (statuses); i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "exit", "(i)", statuses[i]);
      g_autofree char *pattern = g_strdup_printf ("*exited with status %d*", statuses[i]);

      rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, pattern);
    }
}

static void
test_last_words (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) spoken = NULL;
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("What it wrote to standard error is part of that.");

  if (!sandbox_rig_is_possible ())
    return;

  sandbox_rig_start (rig, (DraySandbox) GPOINTER_TO_INT (data), 1);
  spoken = rig_call (rig, "stderr", "(s)", "Alas\n");
  rig_expect_text (spoken, "()");
  future = rig_call (rig, "exit", "(i)", 4);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*Alas*");
}

static void
test_deaf (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) after = NULL;

  g_test_summary ("One that hears nothing is killed, and another one takes its place.");

  if (!sandbox_rig_is_possible ())
    return;

  sandbox_rig_start (rig, (DraySandbox) GPOINTER_TO_INT (data), 1);
  g_object_set (rig->executor, "grace-period", 20, NULL);
  future = rig_call (rig, "ignore-cancel", NULL);
  rig_run_until_status (future, "deaf");
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  after = rig_call (rig, "add", "(ii)", 1, 1);
  rig_expect_text (after, "2");
}

static void
test_terminated (Rig *rig, gconstpointer data)
{
  DrayLauncher *launcher = sandbox_rig_new_launcher ((DraySandbox) GPOINTER_TO_INT (data));
  g_autofree char *path = rig_dup_path (rig, "terminated");
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("The polite signal reaches it.");

  if (!sandbox_rig_is_possible ())
    {
      g_object_unref (launcher);
      return;
    }

  dray_launcher_grant_path (launcher, rig->directory, DRAY_ACCESS_READ_WRITE);
  rig_start_with (rig, launcher, 1);
  g_object_set (rig->executor, "grace-period", 20000, NULL);
  future = rig_call (rig, "note-term", "(s)", path);
  rig_run_until_status (future, "deaf");

  /* The other half of it is for the worker to make the file, on a busy machine as well. */
  g_object_set (rig->executor, "grace-period", 4000, NULL);
  dray_future_cancel (future);
  rig_run_until_file (path);
  rig_expect_cancelled (future);
  rig_shut_down (rig, DRAY_SHUTDOWN_KILL);
}

static gboolean
has_ended (gpointer user_data)
{
  char byte;

  return read (GPOINTER_TO_INT (user_data), &byte, 1) == 0;
}

static void
test_grandchild (Rig *rig, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DrayFuture) future = NULL;
  int fds[2];

  g_test_summary ("What it has started goes with it, also what is in a session of its own.");

  if (!sandbox_rig_is_possible ())
    return;

  g_unix_open_pipe (fds, FD_CLOEXEC, &error);
  g_assert_no_error (error);
  g_unix_set_fd_nonblocking (fds[0], TRUE, NULL);
  sandbox_rig_start (rig, (DraySandbox) GPOINTER_TO_INT (data), 1);
  future = rig_submit (rig, rig_new_task_with ("grandchild-session", fds[1]));
  close (fds[1]);
  g_assert_cmpuint (rig_expect_uint32 (future), >, 0);
  rig_let_time_pass ();
  g_assert_false (has_ended (GINT_TO_POINTER (fds[0])));
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  /* The task was one of those that had it. */
  g_clear_object (&future);
  fixture_iterate_until (has_ended, GINT_TO_POINTER (fds[0]), "nobody has the pipe any more");
  close (fds[0]);
}

/* --- The application's end --- */

/* Prints the processes below @pid, down to the worker. */
static guint
print_descendants (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/task/%d/children", pid, pid);
  g_autofree char *text = NULL;
  g_auto (GStrv) words = NULL;
  guint n_printed = 1;

  printf ("%d\n", pid);
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return n_printed;

  words = g_strsplit (g_strstrip (text), " ", -1);
  for (guint i = 0; words[i] != NULL && *words[i] != '\0'; i++)
    n_printed += print_descendants (atoi (words[i]));
  return n_printed;
}

static gboolean
has_worker (gpointer list)
{
  return g_list_model_get_n_items (list) == 1;
}

static void
run_deaf_worker (void)
{
  const char *argv[] = { host_get_worker (), NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  g_autoptr (DrayExecutor) executor = NULL;
  g_autoptr (DrayFuture) deaf = NULL;
  g_autoptr (DrayWorkerProcess) worker = NULL;
  GListModel *list;

  dray_launcher_set_sandbox (launcher, DRAY_SANDBOX_STRICT);
  executor = dray_executor_new (launcher);
  list = dray_executor_get_workers (executor);
  deaf = dray_executor_call (executor, "ignore-cancel", NULL);
  workshop_block_until_status (deaf, "deaf");
  fixture_iterate_until (has_worker, list, "the worker is in the list");
  worker = g_list_model_get_item (list, 0);
  print_descendants (dray_worker_process_get_pid (worker));
  printf ("ready\n");
  fflush (stdout);
  for (;;)
    pause ();
}

static const HostPart parts[] = { { "deaf-worker", run_deaf_worker } };

static void
test_host_end (Rig *rig, gconstpointer data)
{
  g_autoptr (GSubprocess) host = NULL;
  g_autoptr (GDataInputStream) input = NULL;
  g_autoptr (GArray) pids = g_array_new (FALSE, FALSE, sizeof (int));
  Control control = { 0 };
  char *line;

  g_test_summary ("When the application is killed, all of it goes within two seconds: a worker "
                  "that hears nothing, and what is around it.");

  if (!sandbox_rig_is_possible ())
    return;

  host = host_start ("deaf-worker");
  input = g_data_input_stream_new (g_subprocess_get_stdout_pipe (host));
  while ((line = g_data_input_stream_read_line (input, NULL, NULL, NULL)) != NULL
         && !g_str_equal (line, "ready"))
    {
      const int pid = atoi (line);

      g_array_append_val (pids, pid);
      g_free (line);
    }
  g_free (line);
  g_assert_cmpuint (pids->len, >, 0);

  g_subprocess_force_exit (host);
  g_assert_true (g_subprocess_wait (host, NULL, NULL));
  control_begin (&control);
  for (guint i = 0; i < pids->len; i++)
    fixture_iterate_until_gone (g_array_index (pids, int, i));
  control_end_within (&control, HOST_SURVIVAL, "nothing was left");
}

/* --- Where there is none --- */

/* With that bubblewrap, a call in a sandbox that is required fails so. */
static void
expect_refused (Rig *rig, const char *script, DraySandbox sandbox, int code, const char *pattern)
{
  g_autoptr (DrayFuture) future = NULL;

  sandbox_rig_replace_bubblewrap (rig, script);
  sandbox_rig_start (rig, sandbox, 1);
  future = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_error (future, DRAY_ERROR, code, pattern);
  g_assert_null (dray_executor_dup_sandbox_shortfall (rig->executor));
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  sandbox_rig_replace_bubblewrap (rig, NULL);
}

static void
test_required (Rig *rig, gconstpointer data)
{
  const struct
  {
    const char *script;
    const char *pattern;
  } vectors[] = {
    { "", "*“bwrap”*" },
    { REFUSING_SCRIPT, "*“bwrap”*No permissions*" },
  };

  g_test_summary ("What is required and can't be had fails tasks, which are told the reason; no "
                  "worker runs without.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    expect_refused (rig, vectors[i].script, (DraySandbox) GPOINTER_TO_INT (data),
                    DRAY_ERROR_SANDBOX, vectors[i].pattern);
}

/* What the launch helper says, and only it can: as lib/wire/dray-confinement.h has it. */
typedef struct
{
  MisbehavingHeader header;
  guint32 in_force;
  guint32 started;
  guint32 lacks[4];
  gint32 errors[4];
} RawConfined;

enum
{
  TYPE_READY = 2,
  TYPE_CONFINED = 14,
};

typedef struct
{
  guint8 type;
  guint32 length;
  int code;
  const char *pattern;
} Lie;

static const Lie lies[] = {
  { TYPE_READY, 0, DRAY_ERROR_LAUNCH, "*“ready” out of turn*" },
  { TYPE_CONFINED, 8, DRAY_ERROR_LAUNCH, "*“confined” out of turn*" },
  { TYPE_CONFINED, 40, DRAY_ERROR_SANDBOX, "*can’t be put into its sandbox*built without*" },
};

/* (transfer full): a bubblewrap that writes to the worker's channel, and ends */
static char *
make_lying_script (const Lie *lie)
{
  const RawConfined raw = {
    .header = { .magic = 0x59415244, .version = 1, .type = lie->type, .length = lie->length },
    .lacks = { 0, 0, 4, 0 },
  };
  g_autoptr (GString) script = g_string_new ("#!/bin/sh\nprintf '");

  for (gsize i = 0; i < sizeof raw.header + lie->length; i++)
    g_string_append_printf (script, "\\%03o", ((const guint8 *) &raw)[i]);
  g_string_append (script, "' >/proc/self/fd/11\n");
  return g_string_free (g_steal_pointer (&script), FALSE);
}

static void
test_lies (Rig *rig, gconstpointer data)
{
  g_test_summary ("What comes before the sandbox is known to be in force, and is not about that or "
                  "can't be, is a launch failure; no worker runs.");

  for (gsize i = 0; i < G_N_ELEMENTS (lies); i++)
    {
      g_autofree char *script = make_lying_script (&lies[i]);

      expect_refused (rig, script, DRAY_SANDBOX_NO_NETWORK, lies[i].code, lies[i].pattern);
    }
}

static void
count_cb (GObject *object, GParamSpec *pspec, gpointer data)
{
  ++*(guint *) data;
}

static void
test_preferred (Rig *rig, gconstpointer data)
{
  static const char *const scripts[] = { "", REFUSING_SCRIPT };

  g_test_summary ("What is only preferred is done without, and that is said once.");

  for (gsize i = 0; i < G_N_ELEMENTS (scripts); i++)
    {
      DrayLauncher *launcher = sandbox_rig_new_launcher ((DraySandbox) GPOINTER_TO_INT (data));
      g_autoptr (DrayFuture) future = NULL;
      g_autoptr (DrayFuture) second = NULL;
      g_autofree char *shortfall = NULL;
      guint n_notified = 0;

      sandbox_rig_replace_bubblewrap (rig, scripts[i]);
      g_object_set (launcher, "sandbox-need", DRAY_SANDBOX_PREFERRED, NULL);
      rig_start_with (rig, launcher, 1);
      g_object_set (rig->executor, "max-tasks-per-worker", 1, NULL);
      g_signal_connect (rig->executor, "notify::sandbox-shortfall", G_CALLBACK (count_cb),
                        &n_notified);
      future = rig_call (rig, "add", "(ii)", 1, 2);
      rig_expect_text (future, "3");
      shortfall = dray_executor_dup_sandbox_shortfall (rig->executor);
      g_assert_nonnull (strstr (shortfall, "bwrap"));
      second = rig_call (rig, "add", "(ii)", 2, 2);
      rig_expect_text (second, "4");
      g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 2);
      g_assert_cmpuint (n_notified, ==, 1);
      rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
      sandbox_rig_replace_bubblewrap (rig, NULL);
    }
}

static gboolean
default_context_is_idle (gpointer data)
{
  return !g_main_context_pending (NULL);
}

static void
test_preferred_left_alone (Rig *rig, gconstpointer data)
{
  DrayLauncher *launcher = sandbox_rig_new_launcher ((DraySandbox) GPOINTER_TO_INT (data));
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Where nobody iterates the main context in which it would be said, nothing of the "
                  "executor stays there.");

  sandbox_rig_replace_bubblewrap (rig, "");
  g_object_set (launcher, "sandbox-need", DRAY_SANDBOX_PREFERRED, NULL);
  rig_start_with (rig, launcher, 1);
  future = dray_executor_call (rig->executor, "add", g_variant_new ("(ii)", 1, 2));
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_clear_object (&future);
  g_assert_true (dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_clear_object (&rig->executor);

  g_main_context_push_thread_default (context);
  fixture_iterate_until (default_context_is_idle, NULL, "nothing is left to be told");
  g_main_context_pop_thread_default (context);
  sandbox_rig_replace_bubblewrap (rig, NULL);
}

static void
test_preferred_ends (Rig *rig, gconstpointer data)
{
  DrayLauncher *launcher = sandbox_rig_new_launcher ((DraySandbox) GPOINTER_TO_INT (data));
  g_autoptr (DrayFuture) crashed = NULL;
  g_autoptr (DrayFuture) deaf = NULL;

  g_test_summary ("A worker that does without namespaces ends and is ended as any other.");

  sandbox_rig_replace_bubblewrap (rig, "");
  g_object_set (launcher, "sandbox-need", DRAY_SANDBOX_PREFERRED, NULL);
  rig_start_with (rig, launcher, 1);
  g_object_set (rig->executor, "grace-period", 20, NULL);
  crashed = rig_call (rig, "raise", "(i)", SIGSEGV);
  rig_expect_error (crashed, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*signal 11 *");
  deaf = rig_call (rig, "ignore-cancel", NULL);
  rig_run_until_status (deaf, "deaf");
  dray_future_cancel (deaf);
  rig_expect_cancelled (deaf);
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  sandbox_rig_replace_bubblewrap (rig, NULL);
}

static void
test_no_program (Rig *rig, gconstpointer data)
{
  g_autofree char *missing = rig_dup_path (rig, "no-such-program");
  const char *const argv[] = { missing, NULL };
  DrayLauncher *launcher = dray_launcher_new_argv (argv);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A worker's program that does not exist is what it is without a sandbox: a "
                  "launch failure that names it.");

  dray_launcher_set_sandbox (launcher, (DraySandbox) GPOINTER_TO_INT (data));
  if (!sandbox_rig_is_possible ())
    {
      g_object_unref (launcher);
      return;
    }

  rig_start_with (rig, launcher, 1);
  future = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_LAUNCH, "*“no-such-program”*");
}

/* A worker of that name, which is looked for in the PATH, can't be executed, and nobody waits for
 * it: there is no limit to how long a launch may take. */
static void
expect_not_executed (Rig *rig, DraySandbox sandbox, const char *name)
{
  const char *const argv[] = { name, NULL };
  DrayLauncher *launcher = dray_launcher_new_argv (argv);
  g_autoptr (DrayFuture) future = NULL;
  g_autofree char *pattern = g_strdup_printf ("*“%s”*", name);

  dray_launcher_set_sandbox (launcher, sandbox);
  rig_start_with (rig, launcher, 1);
  g_object_set (rig->executor, "launch-timeout", 0, NULL);
  future = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_LAUNCH, pattern);
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
}

static void
test_no_program_by_name (Rig *rig, gconstpointer data)
{
  g_autofree char *script = rig_dup_path (rig, "no-real-program");
  g_autofree char *path = g_strconcat (g_getenv ("PATH"), ":", rig->directory, NULL);
  g_autofree char *before = g_strdup (g_getenv ("PATH"));

  g_test_summary ("The same without a folder, which is looked for in several; and a file that is no "
                  "program, though it may be executed.");

  if (!sandbox_rig_is_possible ())
    return;

  g_assert_true (g_file_set_contents (script, "exit 0\n", -1, NULL));
  g_assert_cmpint (g_chmod (script, 0755), ==, 0);
  g_setenv ("PATH", path, TRUE);
  expect_not_executed (rig, (DraySandbox) GPOINTER_TO_INT (data), "no-such-program");
  expect_not_executed (rig, (DraySandbox) GPOINTER_TO_INT (data), "no-real-program");
  g_setenv ("PATH", before, TRUE);
}

static void
test_no_grant (Rig *rig, gconstpointer data)
{
  g_autofree char *missing = rig_dup_path (rig, "no-such-folder");
  DrayLauncher *launcher = sandbox_rig_new_launcher (DRAY_SANDBOX_STRICT);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A path that is granted and does not exist is a reason, and is named.");

  if (!sandbox_rig_is_possible ())
    {
      g_object_unref (launcher);
      return;
    }

  dray_launcher_grant_path (launcher, missing, DRAY_ACCESS_READ);
  rig_start_with (rig, launcher, 1);
  future = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_SANDBOX, "*no-such-folder*");
}

int
main (int argc, char **argv)
{
  int result;

  if (dray_worker_is_requested (argc, argv))
    return run_own_worker ();
  if (host_is_wanted (argc, argv))
    return host_run (argv, parts, G_N_ELEMENTS (parts));

  sandbox_rig_init ();
  g_test_init (&argc, &argv, NULL);

  add_for_each ("works", test_works);
  add_for_each ("passed-memory", test_passed_memory);
  add_for_each ("parallel", test_parallel);
  add_for_each ("module", test_module);
  add_for_each ("self", test_self);
  add_for_each ("granted", test_granted);
  add_for_each ("few-files", test_few_files);
  add_for_each ("crashes", test_crashes);
  add_for_each ("last-words", test_last_words);
  add_for_each ("deaf", test_deaf);
  add_for_each ("terminated", test_terminated);
  rig_add ("/sandbox/grandchild/no-network", GINT_TO_POINTER (DRAY_SANDBOX_NO_NETWORK),
           test_grandchild);
  rig_add ("/sandbox/grandchild/read-only", GINT_TO_POINTER (DRAY_SANDBOX_READ_ONLY),
           test_grandchild);
  rig_add ("/sandbox/host-end", NULL, test_host_end);
  add_for_each ("required", test_required);
  add_for_each ("preferred", test_preferred);
  add_for_each ("preferred-left-alone", test_preferred_left_alone);
  add_for_each ("preferred-ends", test_preferred_ends);
  add_for_each ("no-program", test_no_program);
  add_for_each ("no-program-by-name", test_no_program_by_name);
  rig_add ("/sandbox/lies", NULL, test_lies);
  rig_add ("/sandbox/no-grant", NULL, test_no_grant);

  result = g_test_run ();
  sandbox_rig_finish ();
  return result;
}
