/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scarcity.h"

DrayFuture *
scarcity_run_script (DrayExecutor *executor, const char *script)
{
  const char *const argv[] = { "/bin/sh", "-c", script, NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);

  return dray_executor_submit (executor, task, NULL);
}

pid_t
scarcity_ask_pid (DrayExecutor *executor)
{
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "pid", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_no_error (error);
  return (pid_t) g_variant_get_uint32 (result);
}

void
scarcity_assert_succeeds (DrayFuture *future)
{
  g_autoptr (GError) error = NULL;
  G_GNUC_UNUSED g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_no_error (error);
  g_object_unref (future);
}

DrayFuture *
scarcity_call_bytes (DrayExecutor *executor, guint32 size)
{
  return dray_executor_call (executor, "bytes", g_variant_new ("(u)", size));
}

GVariant *
scarcity_new_arguments (gsize size, gboolean in_pieces)
{
  g_autofree guint8 *data = g_malloc0 (size);
  GVariant *bytes = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, size, 1);
  GVariant *arguments = g_variant_ref_sink (g_variant_new ("(@ay)", bytes));

  if (!in_pieces)
    (void) g_variant_get_data (arguments);
  return arguments;
}

DrayFuture *
scarcity_call_sum (DrayExecutor *executor, GVariant *arguments)
{
  return dray_executor_call (executor, "sum", arguments);
}

void
scarcity_assert_says (const GError *error, const char *reason)
{
  if (reason != NULL && strstr (error->message, reason) == NULL)
    g_error ("“%s” does not say “%s”", error->message, reason);
}

void
scarcity_assert_fails (DrayFuture *future, int code, const char *reason)
{
  g_autoptr (GError) error = NULL;
  G_GNUC_UNUSED g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_error (error, DRAY_ERROR, code);
  scarcity_assert_says (error, reason);
  g_object_unref (future);
}

void
scarcity_set_limit (__rlimit_resource_t resource, rlim_t value)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (resource, &limit), ==, 0);
  limit.rlim_cur = MIN (value, limit.rlim_max);
  g_assert_cmpint (setrlimit (resource, &limit), ==, 0);
}
