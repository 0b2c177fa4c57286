/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The command line: PROGRAM --host PART WORKER. GTest, which knows where the worker is, prints to
 * standard output, and is left alone in the host. */
#define HOST_ARGUMENT "--host"

static const char *worker_program;
static Fixture fixture;

/* In the host */

gboolean
host_is_wanted (int argc, char **argv)
{
  return argc == 4 && g_str_equal (argv[1], HOST_ARGUMENT);
}

int
host_run (char **argv, const HostPart *parts, guint n_parts)
{
  worker_program = argv[3];
  workshop_guard ();
  fixture_set_up (&fixture, NULL);

  for (guint i = 0; i < n_parts; i++)
    if (g_str_equal (parts[i].name, argv[2]))
      {
        parts[i].run ();
        return EXIT_SUCCESS;
      }

  g_error ("there is no part “%s”", argv[2]);
}

const char *
host_get_worker (void)
{
  return worker_program;
}

DrayExecutor *
host_new_executor (guint max_workers)
{
  const char *argv[] = { worker_program, NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  DrayExecutor *executor = dray_executor_new (launcher);

  dray_executor_set_max_workers (executor, max_workers);

  return executor;
}

void
host_assert_settled (void)
{
  g_assert_true (fixture_settle (&fixture));
}

void
host_finish (DrayExecutor *executor)
{
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_object_unref (executor);
  host_assert_settled ();
}

/* What every host should be able to do */

static void
assert_call (DrayExecutor *executor, const char *function, GVariant *arguments, GQuark domain,
             int code)
{
  g_autoptr (DrayFuture) future = dray_executor_call (executor, function, arguments);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_true ((result != NULL) == (domain == 0));
  if (domain == 0)
    g_assert_no_error (error);
  else
    g_assert_error (error, domain, code);
}

void
host_assert_calls (DrayExecutor *executor)
{
  g_autoptr (DrayFuture) future
    = dray_executor_call (executor, "bytes", g_variant_new ("(u)", 300000));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_no_error (error);
  workshop_assert_bytes (result, 300000);
  assert_call (executor, "stream", g_variant_new ("(uu)", 100, 1000), 0, 0);
  assert_call (executor, "print", NULL, 0, 0);
  assert_call (executor, "exit", g_variant_new ("(i)", 3), DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
  assert_call (executor, "raise", g_variant_new ("(i)", SIGSEGV), DRAY_ERROR,
               DRAY_ERROR_WORKER_DIED);
  assert_call (executor, "add", g_variant_new ("(ii)", 1, 2), 0, 0);
}

WorkshopRecord *
host_run_script (DrayExecutor *executor, const char *script, GBytes *input)
{
  const char *const argv[] = { "sh", "-c", script, NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);
  WorkshopRecord *record;

  if (input != NULL)
    dray_task_set_input_bytes (task, input);
  dray_task_set_split (task, DRAY_SPLIT_LINES);
  record = workshop_watch (dray_executor_submit (executor, task, NULL));
  workshop_iterate_until_told (record);

  return record;
}

GBytes *
host_new_large_input (void)
{
  guint8 *data = g_malloc (HOST_N_LINES * 1000);

  memset (data, 'x', HOST_N_LINES * 1000);
  for (gsize i = 1; i <= HOST_N_LINES; i++)
    data[i * 1000 - 1] = '\n';

  return g_bytes_new_take (data, HOST_N_LINES * 1000);
}

void
host_assert_commands (DrayExecutor *executor)
{
  g_autoptr (GBytes) input = host_new_large_input ();
  g_autoptr (WorkshopRecord) lines = host_run_script (executor, "cat", input);
  g_autoptr (WorkshopRecord) deaf = host_run_script (executor, "exit 0", input);
  g_autoptr (WorkshopRecord) fails = host_run_script (executor, "echo why >&2; exit 3", NULL);

  workshop_assert_succeeded (lines);
  g_assert_cmpuint (lines->n_items, ==, HOST_N_LINES);
  workshop_assert_succeeded (deaf);
  workshop_assert_failed (fails, G_SPAWN_EXIT_ERROR, 3);
}

/* In the test */

static void
lead_group_cb (gpointer user_data)
{
  setpgid (0, 0);
}

char **
host_dup_argv (const char *part)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *worker = fixture_dup_misbehaving_worker ();

  return g_strdupv ((char *[]){ program, (char *) HOST_ARGUMENT, (char *) part, worker, NULL });
}

GSubprocess *
host_start (const char *part)
{
  g_autoptr (GSubprocessLauncher) launcher
    = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  g_auto (GStrv) argv = host_dup_argv (part);
  g_autoptr (GError) error = NULL;
  GSubprocess *host;

  g_subprocess_launcher_set_child_setup (launcher, lead_group_cb, NULL, NULL);
  host = g_subprocess_launcher_spawnv (launcher, (const char *const *) argv, &error);
  g_assert_no_error (error);

  return host;
}

void
host_run_to_end (const char *part)
{
  g_autoptr (GSubprocess) host = host_start (part);
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;

  g_subprocess_communicate_utf8 (host, NULL, NULL, &output, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (output, ==, "");
  g_assert_true (g_subprocess_get_if_exited (host));
  g_assert_cmpint (g_subprocess_get_exit_status (host), ==, EXIT_SUCCESS);
}
