/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include "workshop.h"

#include <ftw.h>
#include <gio/gunixfdlist.h>
#include <stdio.h>
#include <string.h>

/* Life */

void
rig_set_up (Rig *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  self->directory = g_dir_make_tmp ("dray-test-XXXXXX", &error);
  g_assert_no_error (error);

  workshop_set_up (&self->fixture, data);
}

static int
remove_cb (const char *path, const struct stat *status, int type, struct FTW *walk)
{
  return remove (path);
}

void
rig_tear_down (Rig *self, gconstpointer data)
{
  g_clear_object (&self->executor);
  tally_run_until_told (&self->tally);
  workshop_tear_down (&self->fixture, data);
  tally_clear (&self->tally);

  nftw (self->directory, remove_cb, 8, FTW_DEPTH | FTW_PHYS);
  g_clear_pointer (&self->directory, g_free);
}

void
rig_add_modes (const char *path, void (*test) (Rig *self, gconstpointer data))
{
  static const char *const names[] = { "drain", "cancel-pending", "terminate", "kill" };

  for (guint mode = DRAY_SHUTDOWN_DRAIN; mode <= DRAY_SHUTDOWN_KILL; mode++)
    {
      g_autofree char *full_path = g_strdup_printf ("%s/%s", path, names[mode]);

      rig_add (full_path, GUINT_TO_POINTER (mode), test);
    }
}

DrayLauncher *
rig_new_launcher (const char *mode)
{
  g_autofree char *program = fixture_dup_misbehaving_worker ();
  const char *argv[] = { program, mode, NULL };

  return dray_launcher_new_argv (argv);
}

void
rig_start_with (Rig *self, DrayLauncher *launcher, guint max_workers)
{
  self->executor = dray_executor_new (launcher);
  dray_executor_set_max_workers (self->executor, max_workers);
  g_object_unref (launcher);
}

void
rig_start (Rig *self, guint max_workers)
{
  rig_start_with (self, rig_new_launcher (NULL), max_workers);
}

void
rig_start_without_workers (Rig *self)
{
  self->executor = dray_executor_new (NULL);
}

static void
expect_all_ended (Rig *self)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (self->executor);

  g_assert_cmpuint (counters->succeeded + counters->failed + counters->cancelled, ==,
                    counters->submitted);
  g_assert_cmpuint (counters->queue_length, ==, 0);
  g_assert_cmpuint (counters->running, ==, 0);
}

void
rig_shut_down (Rig *self, DrayShutdownMode mode)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dray_executor_shutdown_sync (self->executor, mode, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (dray_executor_is_shut_down (self->executor));
  expect_all_ended (self);
  g_clear_object (&self->executor);
}

/* Submitting */

DrayFuture *
rig_count (Rig *self, DrayFuture *future)
{
  tally_add (&self->tally, future, !self->drops_futures);

  return future;
}

DrayFuture *
rig_call (Rig *self, const char *function, const char *format, ...)
{
  GVariant *arguments = NULL;
  va_list values;

  va_start (values, format);
  if (format != NULL)
    arguments = g_variant_new_va (format, NULL, &values);
  va_end (values);

  return rig_count (self, dray_executor_call (self->executor, function, arguments));
}

GPtrArray *
rig_new_futures (void)
{
  return g_ptr_array_new_with_free_func (g_object_unref);
}

void
rig_add_calls (Rig *self, GPtrArray *futures, const char *function, guint n)
{
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (futures, rig_call (self, function, NULL));
}

DrayFuture *
rig_submit (Rig *self, DrayTask *task)
{
  DrayFuture *future = dray_executor_submit (self->executor, task, NULL);

  dray_task_unref (task);

  return rig_count (self, future);
}

DrayTask *
rig_new_task (const char *function, const char *arguments)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  if (arguments != NULL)
    value = g_variant_parse (NULL, arguments, NULL, NULL, &error);
  g_assert_no_error (error);

  return dray_task_new_call (function, value);
}

DrayTask *
rig_new_task_with (const char *function, int fd)
{
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  DrayTask *task = dray_task_new_call (function, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_unix_fd_list_append (list, fd, &error), ==, 0);
  g_assert_no_error (error);
  g_assert_true (dray_task_set_attachments (task, list, &error));
  return task;
}

/* Expecting */

GVariant *
rig_expect_result (DrayFuture *future)
{
  g_autoptr (GError) error = NULL;
  GVariant *result;

  fixture_run_until_done (future);
  result = dray_future_dup_result (future, &error);
  g_assert_no_error (error);
  g_assert_nonnull (result);
  g_assert_false (g_variant_is_floating (result));
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_SUCCEEDED);

  return result;
}

guint32
rig_expect_uint32 (DrayFuture *future)
{
  g_autoptr (GVariant) result = rig_expect_result (future);

  return g_variant_get_uint32 (result);
}

void
rig_expect_bytes (DrayFuture *future, gsize size)
{
  g_autoptr (GVariant) result = rig_expect_result (future);

  workshop_assert_bytes (result, size);
}

void
rig_expect_text (DrayFuture *future, const char *expected)
{
  g_autoptr (GVariant) result = rig_expect_result (future);
  g_autofree char *text = g_variant_print (result, TRUE);

  g_assert_cmpstr (text, ==, expected);
}

void
rig_expect_error (DrayFuture *future, GQuark domain, int code, const char *pattern)
{
  g_autoptr (GError) error = NULL;

  fixture_run_until_done (future);
  g_assert_null (dray_future_dup_result (future, &error));
  g_assert_error (error, domain, code);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_FAILED);

  if (pattern != NULL && !g_pattern_match_simple (pattern, error->message))
    g_error ("the message is not as expected: %s", error->message);
}

void
rig_expect_cancelled (DrayFuture *future)
{
  g_autoptr (GError) error = NULL;

  fixture_run_until_done (future);
  g_assert_null (dray_future_dup_result (future, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_CANCELLED);
}

const RigMisdeed rig_misdeeds[] = {
  { "garbage", NULL, DRAY_ERROR_PROTOCOL },
  { "half-frame", NULL, DRAY_ERROR_WORKER_DIED },
  { "oversized", NULL, DRAY_ERROR_PROTOCOL },
  { "wrong-id", NULL, DRAY_ERROR_PROTOCOL },
  { "exit", "(1,)", DRAY_ERROR_WORKER_DIED },
  { "raise", "(11,)", DRAY_ERROR_WORKER_DIED },
  { "missing", NULL, DRAY_ERROR_UNKNOWN_FUNCTION },
};

int
rig_ask_pid (Rig *self)
{
  g_autoptr (DrayFuture) future = rig_call (self, "pid", NULL);

  return (int) rig_expect_uint32 (future);
}

/* Waiting */

static gboolean
has_started (gpointer user_data)
{
  return dray_future_get_state (user_data) != DRAY_FUTURE_PENDING;
}

void
rig_run_until_running (DrayFuture *future)
{
  fixture_iterate_until (has_started, future, "the task runs");
}

void
rig_run_until_status (DrayFuture *future, const char *status)
{
  FixtureStatus wait = { future, status };
  g_autofree char *what = g_strdup_printf ("the task says “%s”", status);

  fixture_iterate_until (fixture_has_status, &wait, what);
}

/* One after the other, so that a test of many tasks has more time than a test of one. */
void
rig_run_until_all_done (GPtrArray *futures)
{
  for (guint i = 0; i < futures->len; i++)
    fixture_run_until_done (futures->pdata[i]);
}

static gboolean
exists (gpointer user_data)
{
  return g_file_test (user_data, G_FILE_TEST_EXISTS);
}

void
rig_run_until_file (const char *path)
{
  g_autofree char *what = g_strdup_printf ("there is a file “%s”", path);

  fixture_iterate_until (exists, (gpointer) path, what);
}

guint64
rig_get_count_at (Rig *self, gsize offset)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (self->executor);

  return G_STRUCT_MEMBER (guint64, counters, offset);
}

typedef struct
{
  Rig *rig; /* (unowned) */
  gsize offset;
  guint64 value;
} CountWait;

static gboolean
has_count (gpointer user_data)
{
  CountWait *wait = user_data;

  return rig_get_count_at (wait->rig, wait->offset) == wait->value;
}

void
rig_run_until_count_at (Rig *self, gsize offset, guint64 value, const char *name)
{
  CountWait wait = { self, offset, value };
  g_autofree char *what = g_strdup_printf ("%s is %" G_GUINT64_FORMAT, name, value);

  fixture_iterate_until (has_count, &wait, what);
}

typedef struct
{
  Rig *rig;           /* (unowned) */
  DrayFuture *future; /* (unowned) */
  int pid;
  guint64 n_sleeps; /* how often its main thread had gone to sleep when it was looked at */
  guint64 bytes_in;
  guint n_looks; /* since when nothing has changed */
} FullWait;

/* Returns: how often the main thread of the process has gone to sleep; 0 if it does not sleep
 * now */
static guint64
count_sleeps (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/task/%d/status", pid, pid);
  g_autofree char *status = NULL;
  const char *line;

  if (!g_file_get_contents (path, &status, NULL, NULL) || strstr (status, "\nState:\tS") == NULL)
    return 0;

  line = strstr (status, "\nvoluntary_ctxt_switches:");
  g_assert_nonnull (line);

  return g_ascii_strtoull (strchr (line, ':') + 1, NULL, 10);
}

/* That nothing comes from it could mean that it has no processor. That it sleeps all the time,
 * while it has so much to send, means that it waits for room. */
static gboolean
is_full (gpointer user_data)
{
  FullWait *self = user_data;
  g_autofree char *status = dray_future_dup_status (self->future);
  const guint64 n_sleeps = status != NULL ? count_sleeps (self->pid) : 0;
  const guint64 bytes_in = rig_get_count (self->rig, bytes_in);

  self->n_looks = n_sleeps != 0 && n_sleeps == self->n_sleeps && bytes_in == self->bytes_in
                    ? self->n_looks + 1
                    : 0;
  self->n_sleeps = n_sleeps;
  self->bytes_in = bytes_in;

  return self->n_looks >= 3 || dray_future_is_done (self->future);
}

gboolean
rig_block_until_full (Rig *self, DrayFuture *future, int pid)
{
  FullWait wait = { .rig = self, .future = future, .pid = pid };

  workshop_block_until (is_full, &wait, "the worker waits for room");

  return wait.n_looks >= 3;
}

void
rig_let_time_pass (void)
{
  g_autoptr (DrayExecutor) other = workshop_new (1);

  for (int i = 0; i < 300; i++)
    {
      g_autoptr (DrayFuture) future
        = dray_executor_call (other, "add", g_variant_new ("(ii)", i, 0));

      g_assert_true (dray_future_wait (future, -1, NULL, NULL));
    }

  dray_executor_shutdown_sync (other, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
}

char *
rig_dup_path (Rig *self, const char *name)
{
  return g_build_filename (self->directory, name, NULL);
}
