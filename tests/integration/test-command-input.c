/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* What commands are given, and how they end. */

static DrayTask *
new_shell (const char *script)
{
  const char *argv[] = { "sh", "-c", script, NULL };
  DrayTask *task = dray_task_new_command (argv);

  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);

  return task;
}

static DrayFuture *
run_shell (Rig *rig, const char *script)
{
  return rig_submit (rig, new_shell (script));
}

/* Standard input */

static void
test_no_input (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Without an input a command reads nothing, not even from the application's.");

  rig_start_without_workers (rig);
  future = run_shell (rig, "cat; readlink /proc/self/fd/0");
  rig_expect_text (future, "'/dev/null\\n'");
}

static void
test_bytes (Rig *rig, gconstpointer data)
{
  const gsize size = GPOINTER_TO_SIZE (data);
  const char *argv[] = { "cat", NULL };
  DrayTask *task = dray_task_new_command (argv);
  guint8 *contents = g_malloc (size + 1);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GBytes) output = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("Bytes are written to a command while its output is read.");

  for (gsize i = 0; i < size; i++)
    contents[i] = (guint8) (i * 31 + i / 251);
  bytes = g_bytes_new_take (contents, size);
  dray_task_set_input_bytes (task, bytes);

  rig_start_without_workers (rig);
  future = rig_submit (rig, task);
  result = rig_expect_result (future);
  output = g_variant_get_data_as_bytes (result);
  g_assert_cmpmem (g_bytes_get_data (output, NULL), g_bytes_get_size (output),
                   g_bytes_get_data (bytes, NULL), size);
  g_assert_cmpuint (rig_get_count (rig, bytes_out), ==, size);
  g_assert_cmpuint (rig_get_count (rig, bytes_in), ==, size);
}

static void
test_bytes_not_read (Rig *rig, gconstpointer data)
{
  static const char *const scripts[] = {
    "true",
    "exec <&-; echo closed >&2",
    "head -c 10 >/dev/null",
  };
  g_autofree char *contents = g_malloc0 (5 * 1000 * 1000);
  g_autoptr (GBytes) bytes = g_bytes_new (contents, 5 * 1000 * 1000);

  g_test_summary ("A command that does not read its input, or not all of it, is not disturbed, nor "
                  "is the application.");

  rig_start_without_workers (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (scripts); i++)
    {
      DrayTask *task = new_shell (scripts[i]);
      g_autoptr (DrayFuture) future = NULL;

      dray_task_set_input_bytes (task, bytes);
      future = rig_submit (rig, task);
      rig_expect_text (future, "''");
    }
}

static void
test_descriptor (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "input");
  g_autoptr (DrayTask) task = new_shell ("cat");
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  int fd;

  g_test_summary ("A command reads from a descriptor of the application, which may close its own.");

  g_file_set_contents (path, "from a file", -1, NULL);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_true (dray_task_set_input_fd (task, fd, &error));
  g_assert_no_error (error);
  close (fd);

  rig_start_without_workers (rig);
  future = rig_submit (rig, dray_task_ref (task));
  rig_expect_text (future, "'from a file'");
}

static void
write_text (int fd, const char *text, gsize size)
{
  g_assert_cmpint (write (fd, text, size), ==, (gssize) size);
}

static void
note_text_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  g_string_append (user_data, g_variant_get_string (value, NULL));
  g_string_append_c (user_data, '|');
}

static void
test_conversation (Rig *rig, gconstpointer data)
{
  g_autoptr (GString) heard = g_string_new (NULL);
  DrayTask *task = new_shell ("exec cat");
  g_autoptr (DrayFuture) future = NULL;
  int fds[2];

  g_test_summary ("A pipe makes a conversation of it; a character that comes in two halves is one "
                  "item.");

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  g_assert_true (dray_task_set_input_fd (task, fds[0], NULL));
  close (fds[0]);
  dray_task_set_split (task, DRAY_SPLIT_CHUNKS);

  rig_start_without_workers (rig);
  future = rig_submit (rig, task);
  g_signal_connect (future, "item", G_CALLBACK (note_text_cb), heard);
  write_text (fds[1], "one\xc3", 4);
  rig_run_until_count (rig, bytes_in, 4);
  write_text (fds[1], "\xa4", 1);
  rig_run_until_count (rig, bytes_in, 5);
  rig_run_until_count (rig, undelivered_items, 0);
  write_text (fds[1], "two", 3);
  close (fds[1]);

  rig_expect_text (future, "uint64 3");
  g_assert_cmpstr (heard->str, ==, "one|ä|two|");
}

/* Surroundings */

static void
test_surroundings (Rig *rig, gconstpointer data)
{
  const char *const environment[] = { "ONLY=this", NULL };
  DrayTask *task = new_shell ("echo \"$PWD $ONLY $HOME\"");
  g_autofree char *expected = g_strdup_printf ("'%s this \\n'", rig->directory);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A command has the directory and the environment that its task says.");

  dray_task_set_directory (task, rig->directory);
  dray_task_set_environment (task, environment);
  rig_start_without_workers (rig);
  future = rig_submit (rig, task);
  rig_expect_text (future, expected);
}

static void
test_descriptors (Rig *rig, gconstpointer data)
{
  const char *argv[] = { "ls", "/proc/self/fd", NULL };
  DrayTask *task = dray_task_new_command (argv);
  g_autofree char *path = rig_dup_path (rig, "open");
  int fd = open (path, O_RDWR | O_CREAT, 0600);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A command inherits nothing but its three standard descriptors. (The fourth is "
                  "the folder that is listed.)");

  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
  rig_start_without_workers (rig);
  future = rig_submit (rig, task);
  rig_expect_text (future, "'0\\n1\\n2\\n3\\n'");
  close (fd);
}

/* The end */

static void
test_exits (Rig *rig, gconstpointer data)
{
  g_test_summary ("An exit status other than 0 is an error with that code, and the last words in "
                  "its message.");

  rig_start_without_workers (rig);
  for (int status = 1; status < 256; status += 42)
    {
      g_autofree char *script = g_strdup_printf ("echo ignored; echo 'No cheese' >&2; exit %d",
                                                 status);
      g_autofree char *pattern = g_strdup_printf ("“sh*status %d\n*No cheese", status);
      g_autoptr (DrayFuture) future = run_shell (rig, script);

      rig_expect_error (future, G_SPAWN_EXIT_ERROR, status, pattern);
    }
}

static void
test_signals (Rig *rig, gconstpointer data)
{
  static const int signals[] = { SIGTERM, SIGKILL, SIGSEGV, SIGABRT, SIGPIPE, SIGHUP };

  g_test_summary ("A command that is killed by a signal is an error with that code.");

  rig_start_without_workers (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    {
      g_autofree char *script
        = g_strdup_printf ("ulimit -c 0; echo 'Ouch' >&2; kill -%d $$", signals[i]);
      g_autofree char *pattern = g_strdup_printf ("“sh*signal %d*Ouch*", signals[i]);
      g_autoptr (DrayFuture) future = run_shell (rig, script);

      rig_expect_error (future, DRAY_SIGNAL_ERROR, signals[i], pattern);
    }
}

static void
test_not_started (Rig *rig, gconstpointer data)
{
  g_autofree char *text = rig_dup_path (rig, "text");
  g_autofree char *folder = rig_dup_path (rig, "no-such-folder");
  const struct
  {
    const char *program;
    const char *directory;
    const char *pattern;
  } vectors[] = {
    { "dray-no-such-program", NULL, "*“dray-no-such-program”: No such file or directory" },
    { "/no/such/program", NULL, "*“/no/such/program”: No such file or directory" },
    { text, NULL, "*text”: Permission denied" },
    { rig->directory, NULL, "*Permission denied" },
    { "true", folder, "*no-such-folder”: No such file or directory" },
    { "true", text, "*text”: Not a directory" },
  };

  g_test_summary ("A command that can't be started is named, and the reason is told.");

  g_file_set_contents (text, "This is not a program.\n", -1, NULL);
  rig_start_without_workers (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      const char *argv[] = { vectors[i].program, NULL };
      DrayTask *task = dray_task_new_command (argv);
      g_autoptr (DrayFuture) future = NULL;

      dray_task_set_directory (task, vectors[i].directory);
      future = rig_submit (rig, task);
      rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_LAUNCH, vectors[i].pattern);
    }
}

static void
test_cancel (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "terminated");
  g_autofree char *script
    = g_strdup_printf ("trap 'touch %s; exit 1' TERM; touch %s.ready; "
                       "while :; do sleep 300 & wait; done",
                       path, path);
  g_autofree char *ready = g_strconcat (path, ".ready", NULL);
  DrayTask *task = new_shell (script);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A command that is cancelled is sent TERM at once, and may clean up.");

  rig_start_without_workers (rig);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  future = rig_submit (rig, task);
  rig_run_until_file (ready);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
test_cancel_deaf (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "ready");
  g_autofree char *script
    = g_strdup_printf ("trap '' TERM; touch %s; while :; do :; done", path);
  DrayTask *task = new_shell (script);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) later = NULL;

  g_test_summary ("One that ignores it is killed after the grace period.");

  rig_start_without_workers (rig);
  dray_executor_set_max_workers (rig->executor, 1);
  g_object_set (rig->executor, "grace-period", 100, NULL);
  dray_task_set_cancel_mode (task, GPOINTER_TO_UINT (data));
  future = rig_submit (rig, task);
  rig_run_until_file (path);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  later = run_shell (rig, "echo later");
  rig_expect_text (later, "'later\\n'");
}

static void
test_time_limit (Rig *rig, gconstpointer data)
{
  DrayTask *task = new_shell ("exec sleep 300");
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A command that runs too long fails with that error.");

  rig_start_without_workers (rig);
  dray_task_set_time_limit (task, 50);
  future = rig_submit (rig, task);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, "*0.05 s*");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/command-input/none", NULL, test_no_input);
  rig_add ("/command-input/bytes/none", GSIZE_TO_POINTER (0), test_bytes);
  rig_add ("/command-input/bytes/few", GSIZE_TO_POINTER (100), test_bytes);
  rig_add ("/command-input/bytes/many", GSIZE_TO_POINTER (20 * 1000 * 1000), test_bytes);
  rig_add ("/command-input/bytes/not-read", NULL, test_bytes_not_read);
  rig_add ("/command-input/descriptor", NULL, test_descriptor);
  rig_add ("/command-input/conversation", NULL, test_conversation);
  rig_add ("/command-input/surroundings", NULL, test_surroundings);
  rig_add ("/command-input/descriptors", NULL, test_descriptors);
  rig_add ("/command-end/exits", NULL, test_exits);
  rig_add ("/command-end/signals", NULL, test_signals);
  rig_add ("/command-end/not-started", NULL, test_not_started);
  rig_add ("/command-end/cancelled", NULL, test_cancel);
  rig_add ("/command-end/cancelled/deaf", GUINT_TO_POINTER (DRAY_CANCEL_IMMEDIATE),
           test_cancel_deaf);
  rig_add ("/command-end/cancelled/deaf/confirmed", GUINT_TO_POINTER (DRAY_CANCEL_CONFIRMED),
           test_cancel_deaf);
  rig_add ("/command-end/time-limit", NULL, test_time_limit);

  return g_test_run ();
}
