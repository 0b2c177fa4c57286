/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

/*
 * Operations that one thread begins while another one runs the main context that they answer in,
 * and which a third one cancels at that moment. Each has one answer, whatever comes first.
 *
 * None of them could be answered by anything but the cancellation, so one that is missed is waited
 * for in vain.
 */

#define N_ROUNDS 2000

typedef struct
{
  DrayExecutor *executor;  /* (owned) */
  DrayMap *map;            /* (owned) (nullable) */
  GPtrArray *cancellables; /* (owned): one for each round; read by the thread that cancels */
  void (*begin) (gpointer self, GCancellable *cancellable);

  int n_begun; /* atomic: rounds that may be cancelled */
  guint n_told;
} Elsewhere;

static void
told (Elsewhere *self, gboolean succeeded, GError *error)
{
  self->n_told++;
  g_assert_false (succeeded);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_error_free (error);
}

/* In turns a little later, so that it comes at all moments. */
static gpointer
cancel_thread (gpointer data)
{
  Elsewhere *self = data;

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      while ((guint) g_atomic_int_get (&self->n_begun) <= i)
        ;
      for (guint j = 0; j < i % 100 * 10; j++)
        (void) g_atomic_int_get (&self->n_begun);
      g_cancellable_cancel (self->cancellables->pdata[i]);
    }
  return NULL;
}

/* Its default main context is that of the program. */
static gpointer
begin_thread (gpointer data)
{
  Elsewhere *self = data;

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      g_atomic_int_inc (&self->n_begun);
      self->begin (self, self->cancellables->pdata[i]);
    }
  return NULL;
}

static gboolean
all_told (gpointer data)
{
  return ((Elsewhere *) data)->n_told == N_ROUNDS;
}

static void
run (Elsewhere *self)
{
  GThread *threads[2];

  self->cancellables = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < N_ROUNDS; i++)
    g_ptr_array_add (self->cancellables, g_cancellable_new ());

  threads[0] = g_thread_new ("cancels", cancel_thread, self);
  threads[1] = g_thread_new ("begins", begin_thread, self);
  fixture_iterate_until (all_told, self, "all operations are answered");
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);

  g_clear_object (&self->map);
  g_assert_true (dray_executor_shutdown_sync (self->executor, DRAY_SHUTDOWN_KILL, NULL, NULL));
  g_clear_object (&self->executor);
  g_ptr_array_unref (self->cancellables);
}

/* --- What AddressSanitizer is told --- */

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options (void);
const char *__lsan_default_suppressions (void);

/* GLib's functions are not compiled so that the fast way finds who called them. */
const char *
__asan_default_options (void)
{
  return "fast_unwind_on_malloc=0";
}

/* GLib keeps a source of a cancellable that is disposed of while another thread cancels that, for a
 * handler that is then not called: it may have been called before. Here that comes now and then. */
const char *
__lsan_default_suppressions (void)
{
  return "leak:g_cancellable_source_new";
}
#endif

/* --- Submitting --- */

static void
submitted_cb (GObject *executor, GAsyncResult *result, gpointer self)
{
  GError *error = NULL;
  DrayFuture *future = dray_executor_submit_finish (DRAY_EXECUTOR (executor), result, &error);

  told (self, future != NULL, error);
}

static void
submit (gpointer data, GCancellable *cancellable)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("null", NULL);

  dray_executor_submit_async (((Elsewhere *) data)->executor, task, cancellable, submitted_cb,
                              data);
}

static void
test_submit (Fixture *fixture, gconstpointer data)
{
  Elsewhere self = { .executor = workshop_new (1), .begin = submit };
  g_autoptr (DrayFuture) first = NULL;

  g_test_summary ("Waits for room in the queue are cancelled from elsewhere.");

  g_object_set (self.executor, "paused", TRUE, "max-pending-tasks", 1, NULL);
  first = dray_executor_call (self.executor, "null", NULL);
  run (&self);
}

/* --- Outcomes of a map --- */

static void
outcome_cb (GObject *map, GAsyncResult *result, gpointer self)
{
  GError *error = NULL;
  DrayOutcome *outcome = dray_map_next_finish (DRAY_MAP (map), result, &error);

  told (self, outcome != NULL, error);
}

static void
ask_for_outcome (gpointer data, GCancellable *cancellable)
{
  dray_map_next_async (((Elsewhere *) data)->map, cancellable, outcome_cb, data);
}

static void
test_map (Fixture *fixture, gconstpointer data)
{
  Elsewhere self = { .executor = workshop_new (1), .begin = ask_for_outcome };
  GVariant *value = g_variant_new_tuple (NULL, 0);

  g_test_summary ("Waits for the outcome of a call are cancelled from elsewhere.");

  self.map = dray_executor_map_values (self.executor, "block", &value, 1);
  run (&self);
}

/* --- Shutting down --- */

static void
shut_down_cb (GObject *executor, GAsyncResult *result, gpointer self)
{
  GError *error = NULL;
  gboolean shut_down = dray_executor_shutdown_finish (DRAY_EXECUTOR (executor), result, &error);

  told (self, shut_down, error);
}

static void
shut_down (gpointer data, GCancellable *cancellable)
{
  dray_executor_shutdown_async (((Elsewhere *) data)->executor, DRAY_SHUTDOWN_DRAIN, cancellable,
                                shut_down_cb, data);
}

static void
test_shut_down (Fixture *fixture, gconstpointer data)
{
  Elsewhere self = { .executor = workshop_new (1), .begin = shut_down };
  G_GNUC_UNUSED g_autoptr (DrayFuture) future = dray_executor_call (self.executor, "block", NULL);

  g_test_summary ("Waits for a shutdown are cancelled from elsewhere.");

  run (&self);
}

static void
late_shut_down_cb (GObject *executor, GAsyncResult *result, gpointer data)
{
  Elsewhere *self = data;
  g_autoptr (GError) error = NULL;

  if (!dray_executor_shutdown_finish (DRAY_EXECUTOR (executor), result, &error))
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  self->n_told++;
}

static void
shut_down_late (gpointer data, GCancellable *cancellable)
{
  dray_executor_shutdown_async (((Elsewhere *) data)->executor, DRAY_SHUTDOWN_DRAIN, cancellable,
                                late_shut_down_cb, data);
}

static void
test_late_shut_down (Fixture *fixture, gconstpointer data)
{
  Elsewhere self = { .executor = workshop_new (1), .begin = shut_down_late };

  g_test_summary ("Shutdowns that have nothing to wait for are answered once, cancelled or not.");

  g_assert_true (dray_executor_shutdown_sync (self.executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  run (&self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  workshop_add ("/elsewhere/submit", NULL, test_submit);
  workshop_add ("/elsewhere/map", NULL, test_map);
  workshop_add ("/elsewhere/shut-down", NULL, test_shut_down);
  workshop_add ("/elsewhere/shut-down/late", NULL, test_late_shut_down);

  return g_test_run ();
}
