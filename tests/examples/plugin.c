/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a plugin does to run functions of lines-module.c in worker processes. It prints the lines
 * of files as they come:
 *
 *   plugin MODULE FILE...
 */

#include <dray.h>
#include <stdio.h>
#include <stdlib.h>

static void
print_line (DrayFuture *future, GVariant *line, gpointer user_data)
{
  puts (g_variant_get_bytestring (line));
}

static void
finish (DrayFuture *future, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) n_lines = dray_future_dup_result (future, &error);

  if (n_lines == NULL)
    fprintf (stderr, "%s: %s\n", dray_task_get_label (dray_future_get_task (future)),
             error->message);
}

static void
read_file (DrayExecutor *executor, const char *path)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("read-lines", g_variant_new ("(^ay)", path));
  g_autofree char *name = g_filename_display_basename (path);
  g_autoptr (DrayFuture) future = NULL;

  dray_task_set_label (task, name);
  dray_task_set_time_limit (task, 60 * 1000);
  future = dray_executor_submit (executor, task, NULL);
  g_signal_connect (future, "item", G_CALLBACK (print_line), NULL);
  dray_future_add_done_callback (future, finish, NULL, NULL);
}

static void
shut_down_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (!dray_executor_shutdown_finish (DRAY_EXECUTOR (source), result, &error))
    fprintf (stderr, "%s\n", error->message);
  g_main_loop_quit (user_data);
}

int
main (int argc, char **argv)
{
  g_autoptr (DrayLauncher) launcher = NULL;
  g_autoptr (DrayExecutor) executor = NULL;
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  if (argc < 2)
    return EXIT_FAILURE;

  launcher = dray_launcher_new_module (argv[1]);
  dray_launcher_set_initial_arguments (launcher, g_variant_new ("(s)", "C.UTF-8"));
  executor = dray_executor_new (launcher);

  for (int i = 2; i < argc; i++)
    read_file (executor, argv[i]);

  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_DRAIN, NULL, shut_down_cb, loop);
  g_main_loop_run (loop);
  return EXIT_SUCCESS;
}
