/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* No test takes this long in seconds, unless it hangs. */
#define GUARD_SECONDS 120

/* Hanging */

static void
hangs_cb (int signal_number)
{
  static const char message[] = "Bail out! The test hangs.\n";

  if (write (STDERR_FILENO, message, sizeof message - 1) < 0)
    _exit (EXIT_FAILURE);
  abort ();
}

void
workshop_guard (void)
{
  signal (SIGALRM, hangs_cb);
  alarm ((guint) (GUARD_SECONDS * fixture_get_time_factor ()));
}

void
workshop_set_up (Fixture *fixture, gconstpointer data)
{
  workshop_guard ();
  fixture_set_up (fixture, data);
}

void
workshop_tear_down (Fixture *fixture, gconstpointer data)
{
  fixture_tear_down (fixture, data);
  alarm (0);
}

/* Executors */

DrayExecutor *
workshop_new_with_mode (guint max_workers, const char *mode, const char *argument)
{
  g_autofree char *program = fixture_dup_misbehaving_worker ();
  const char *argv[] = { program, mode, argument, NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  DrayExecutor *executor = dray_executor_new (launcher);

  dray_executor_set_max_workers (executor, max_workers);

  return executor;
}

DrayExecutor *
workshop_new (guint max_workers)
{
  return workshop_new_with_mode (max_workers, NULL, NULL);
}

/* Waiting */

void
workshop_block_until (FixtureCondition condition, gpointer user_data, const char *what)
{
  g_autoptr (GMainContext) context = g_main_context_new ();

  g_main_context_push_thread_default (context);
  fixture_iterate_until (condition, user_data, what);
  g_main_context_pop_thread_default (context);
}

static gboolean
is_running (gpointer user_data)
{
  return dray_future_get_state (user_data) != DRAY_FUTURE_PENDING;
}

void
workshop_block_until_running (DrayFuture *future)
{
  workshop_block_until (is_running, future, "the task runs");
}

void
workshop_block_until_status (DrayFuture *future, const char *status)
{
  FixtureStatus wait = { future, status };

  workshop_block_until (fixture_has_status, &wait, status);
}

typedef struct
{
  DrayExecutor *executor;
  guint64 n_bytes;
} UndeliveredWait;

static gboolean
has_undelivered (gpointer user_data)
{
  UndeliveredWait *wait = user_data;
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (wait->executor);

  return counters->undelivered_bytes >= wait->n_bytes;
}

void
workshop_block_until_undelivered (DrayExecutor *executor, guint64 n_bytes)
{
  UndeliveredWait wait = { executor, n_bytes };

  workshop_block_until (has_undelivered, &wait, "output lies undelivered");
}

gpointer
workshop_wait_thread (gpointer future)
{
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));

  return NULL;
}

gboolean
workshop_has_one_left (gpointer executor)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (executor);

  return counters->queue_length + counters->running <= 1;
}

/* Records */

static void
item_cb (DrayFuture *future, GVariant *value, WorkshopRecord *record)
{
  record->n_items++;
  record->n_bytes += g_variant_get_size (value);
}

static void
done_cb (DrayFuture *future, gpointer user_data)
{
  WorkshopRecord *record = user_data;

  g_assert_true (dray_future_is_done (future));
  record->n_done++;
  record->n_items_at_end = record->n_items;
}

static void
state_cb (DrayFuture *future, GParamSpec *pspec, WorkshopRecord *record)
{
  record->n_ended += dray_future_is_done (future);
}

WorkshopRecord *
workshop_watch (DrayFuture *future)
{
  WorkshopRecord *record = g_new0 (WorkshopRecord, 1);

  record->future = future;
  g_signal_connect (future, "item", G_CALLBACK (item_cb), record);
  g_signal_connect (future, "notify::state", G_CALLBACK (state_cb), record);
  dray_future_add_done_callback (future, done_cb, record, NULL);

  return record;
}

/* Not before the end was told: the callback would come to what is gone. */
void
workshop_record_free (WorkshopRecord *record)
{
  g_assert_cmpuint (record->n_done, ==, 1);
  g_assert_cmpuint (record->n_ended, <=, 1);
  g_signal_handlers_disconnect_by_data (record->future, record);
  g_object_unref (record->future);
  g_free (record);
}

static gboolean
was_told (gpointer user_data)
{
  WorkshopRecord *record = user_data;

  return record->n_done > 0;
}

void
workshop_iterate_until_told (WorkshopRecord *record)
{
  fixture_iterate_until (was_told, record, "the end of the task was told");
}

static void
assert_told (WorkshopRecord *record)
{
  g_assert_cmpuint (record->n_done, ==, 1);
  g_assert_cmpuint (record->n_items, ==, record->n_items_at_end);
}

void
workshop_assert_succeeded (WorkshopRecord *record)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (record->future, &error);

  assert_told (record);
  g_assert_no_error (error);
  g_assert_nonnull (result);
  g_assert_cmpint (dray_future_get_state (record->future), ==, DRAY_FUTURE_SUCCEEDED);
}

void
workshop_assert_failed (WorkshopRecord *record, GQuark domain, int code)
{
  g_autoptr (GError) error = NULL;

  assert_told (record);
  g_assert_null (dray_future_dup_result (record->future, &error));
  g_assert_error (error, domain, code);
}

void
workshop_assert_cancelled (WorkshopRecord *record)
{
  workshop_assert_failed (record, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (dray_future_get_state (record->future), ==, DRAY_FUTURE_CANCELLED);
}

guint
workshop_some_of (guint n)
{
  return g_test_slow () ? n : n / 10;
}

void
workshop_assert_bytes (GVariant *value, gsize size)
{
  const guint8 *bytes;
  gsize n_bytes, n_wrong = 0;

  g_assert_nonnull (value);
  bytes = g_variant_get_fixed_array (value, &n_bytes, 1);
  g_assert_cmpuint (n_bytes, ==, size);
  for (gsize i = 0; i < n_bytes; i++)
    n_wrong += bytes[i] != (guint8) i;
  g_assert_cmpuint (n_wrong, ==, 0);
}

GPtrArray *
workshop_new_records (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) workshop_record_free);
}

void
workshop_iterate_until_all_told (GPtrArray *records)
{
  for (guint i = 0; i < records->len; i++)
    workshop_iterate_until_told (records->pdata[i]);
}
