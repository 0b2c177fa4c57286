/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The same two jobs twice: by GSubprocess, and by an executor. A text is sorted by another program,
 * whose output is wanted whole; and the files in a folder are listed by one, line by line, as they
 * come.
 *
 *   porting-gsubprocess FOLDER
 */

#include <dray.h>
#include <stdio.h>

static const char text[] = "pear\napple\nfig\n";
static GMainLoop *loop;

/* --- Before: the whole output --- */

static void
old_sorted_cb (GObject *process, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *output = NULL;

  if (g_subprocess_communicate_utf8_finish (G_SUBPROCESS (process), result, &output, NULL, &error)
      && g_spawn_check_wait_status (g_subprocess_get_status (G_SUBPROCESS (process)), &error))
    printf ("%s", output);
  else
    printf ("%s\n", error->message);
  g_main_loop_quit (loop);
}

static void
old_sort (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) process = NULL;

  process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE,
                              &error, "sort", "-r", NULL);
  if (process == NULL)
    printf ("%s\n", error->message);
  else
    g_subprocess_communicate_utf8_async (process, text, NULL, old_sorted_cb, NULL);
}

/* --- After: the whole output --- */

static void
sorted_cb (GObject *executor, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) output = dray_executor_run_finish (DRAY_EXECUTOR (executor), result, &error);

  printf ("%s", output != NULL ? g_variant_get_string (output, NULL) : error->message);
  g_main_loop_quit (loop);
}

static void
sort (DrayExecutor *executor)
{
  const char *const argv[] = { "sort", "-r", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);
  g_autoptr (GBytes) input = g_bytes_new_static (text, sizeof text - 1);

  dray_task_set_input_bytes (task, input);
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
  dray_executor_run_async (executor, task, NULL, sorted_cb, NULL);
}

/* --- Before: line by line --- */

static void
old_ended_cb (GObject *process, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (!g_subprocess_wait_check_finish (G_SUBPROCESS (process), result, &error))
    printf ("%s\n", error->message);
  g_main_loop_quit (loop);
}

static void
old_line_cb (GObject *lines, GAsyncResult *result, gpointer user_data)
{
  GSubprocess *process = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree char *line = NULL;

  line = g_data_input_stream_read_line_finish_utf8 (G_DATA_INPUT_STREAM (lines), result, NULL,
                                                    &error);
  if (line != NULL)
    {
      printf ("%s\n", line);
      g_data_input_stream_read_line_async (G_DATA_INPUT_STREAM (lines), G_PRIORITY_DEFAULT, NULL,
                                           old_line_cb, process);
      return;
    }

  if (error != NULL)
    printf ("%s\n", error->message);
  g_subprocess_wait_check_async (process, NULL, old_ended_cb, NULL);
  g_object_unref (process);
}

static void
old_list (const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocessLauncher) launcher = NULL;
  g_autoptr (GDataInputStream) lines = NULL;
  GSubprocess *process;

  launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  g_subprocess_launcher_set_cwd (launcher, folder);
  process = g_subprocess_launcher_spawn (launcher, &error, "find", ".", "-type", "f", NULL);
  if (process == NULL)
    {
      printf ("%s\n", error->message);
      return;
    }

  lines = g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));
  g_data_input_stream_read_line_async (lines, G_PRIORITY_DEFAULT, NULL, old_line_cb, process);
}

/* --- After: line by line --- */

static void
print_line (DrayFuture *future, GVariant *line, gpointer user_data)
{
  printf ("%s\n", g_variant_get_string (line, NULL));
}

static void
print_end (DrayFuture *future, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) n_lines = dray_future_dup_result (future, &error);

  if (n_lines == NULL)
    printf ("%s\n", error->message);
  g_main_loop_quit (loop);
}

static void
list (DrayExecutor *executor, const char *folder)
{
  const char *const argv[] = { "find", ".", "-type", "f", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);
  g_autoptr (DrayFuture) future = NULL;

  dray_task_set_directory (task, folder);
  dray_task_set_split (task, DRAY_SPLIT_LINES);
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
  future = dray_executor_submit (executor, task, NULL);
  g_signal_connect (future, "item", G_CALLBACK (print_line), NULL);
  dray_future_add_done_callback (future, print_end, NULL, NULL);
}

/* --- The program --- */

int
main (int argc, char **argv)
{
  const char *folder = argc > 1 ? argv[1] : ".";
  g_autoptr (DrayExecutor) executor = dray_executor_new (NULL);

  loop = g_main_loop_new (NULL, FALSE);
  old_sort ();
  g_main_loop_run (loop);
  sort (executor);
  g_main_loop_run (loop);
  old_list (folder);
  g_main_loop_run (loop);
  list (executor, folder);
  g_main_loop_run (loop);
  g_main_loop_unref (loop);
  return 0;
}
