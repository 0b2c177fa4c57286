/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

/*
 * Operations that one thread begins while another one runs the main context that they answer in,
 * and which a third one cancels at that moment. Each has one answer, whatever comes first.
 *
 * As a rule they could be answered by nothing but the cancellation, so one that is missed is waited
 * for in vain.
 */

#define N_ROUNDS 2000
/* Three of its threads never sleep, which takes its time under load. */
#define N_ROUNDS_ONE_BY_ONE 300

typedef struct
{
  DrayExecutor *executor;     /* (owned) */
  DrayMap *map;               /* (owned) (nullable) */
  DrayFuture *future;         /* (unowned) (nullable) */
  DrayGroup *group;           /* (unowned) (nullable) */
  DrayCompletionQueue *queue; /* (unowned) (nullable) */
  GPtrArray *cancellables;    /* (owned): one for each round; read by the thread that cancels */
  void (*begin) (gpointer self, GCancellable *cancellable);
  void (*end) (gpointer self); /* (nullable): when all were told */
  gboolean one_by_one;         /* begins when the one before was told, and is cancelled later */

  guint n_rounds;
  int n_begun; /* atomic: rounds that may be cancelled */
  int n_told;  /* atomic */
} Elsewhere;

static void
told (Elsewhere *self, gboolean succeeded, GError *error)
{
  g_atomic_int_inc (&self->n_told);
  g_assert_false (succeeded);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_error_free (error);
}

/* In turns a little later, so that it comes at all moments. */
static gpointer
cancel_thread (gpointer data)
{
  Elsewhere *self = data;
  const guint n_looks = self->one_by_one ? 200 : 10;

  for (guint i = 0; i < self->n_rounds; i++)
    {
      while ((guint) g_atomic_int_get (&self->n_begun) <= i)
        if (self->one_by_one)
          g_thread_yield ();
      for (guint j = 0; j < i % 100 * n_looks; j++)
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

  for (guint i = 0; i < self->n_rounds; i++)
    {
      while (self->one_by_one && (guint) g_atomic_int_get (&self->n_told) < i)
        g_thread_yield ();
      g_atomic_int_inc (&self->n_begun);
      self->begin (self, self->cancellables->pdata[i]);
    }
  return NULL;
}

static gboolean
all_told (gpointer data)
{
  Elsewhere *self = data;

  return (guint) g_atomic_int_get (&self->n_told) == self->n_rounds;
}

static void
run (Elsewhere *self)
{
  GThread *threads[2];

  self->n_rounds = self->one_by_one ? N_ROUNDS_ONE_BY_ONE : N_ROUNDS;
  self->cancellables = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < self->n_rounds; i++)
    g_ptr_array_add (self->cancellables, g_cancellable_new ());

  threads[0] = g_thread_new ("cancels", cancel_thread, self);
  threads[1] = g_thread_new ("begins", begin_thread, self);
  fixture_iterate_until (all_told, self, "all operations are answered");
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);

  if (self->end != NULL)
    self->end (self);
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

/* A map of which another thread takes outcomes as well. */
typedef struct
{
  Elsewhere elsewhere;   /* first */
  GMainContext *context; /* (owned): the map's */
  GThread *threads[2];
  guint n_given;
  int ended; /* atomic */
} Contended;

/* Gives one value for each round, when that has begun: whoever is told nothing of it, and misses that
 * it is cancelled, is told nothing any more. */
static GVariant *
give_in_turn_cb (gpointer data)
{
  Contended *self = data;

  while (!g_atomic_int_get (&self->ended)
         && (guint) g_atomic_int_get (&self->elsewhere.n_told) < self->n_given)
    g_thread_yield ();

  self->n_given++;
  return g_variant_new_parsed ("(int64 0, '', '')");
}

static gpointer
iterate_thread (gpointer data)
{
  Contended *self = data;

  while (!g_atomic_int_get (&self->ended))
    g_main_context_iteration (self->context, TRUE);
  return NULL;
}

static gpointer
take_thread (gpointer data)
{
  Contended *self = data;

  while (!g_atomic_int_get (&self->ended))
    {
      G_GNUC_UNUSED g_autoptr (DrayOutcome) outcome
        = dray_map_wait_next (self->elsewhere.map, -1, NULL, NULL);
    }
  return NULL;
}

static void
end_contended (gpointer data)
{
  Contended *self = data;

  g_atomic_int_set (&self->ended, TRUE);
  dray_map_cancel (self->elsewhere.map);
  g_main_context_wakeup (self->context);
  for (guint i = 0; i < G_N_ELEMENTS (self->threads); i++)
    g_thread_join (self->threads[i]);
}

static void
contended_outcome_cb (GObject *map, GAsyncResult *result, gpointer data)
{
  Elsewhere *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (DrayOutcome) outcome = dray_map_next_finish (DRAY_MAP (map), result, &error);

  if (outcome == NULL)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_atomic_int_inc (&self->n_told);
}

static void
ask_for_contended (gpointer data, GCancellable *cancellable)
{
  dray_map_next_async (((Elsewhere *) data)->map, cancellable, contended_outcome_cb, data);
}

static void
test_contended_map (Fixture *fixture, gconstpointer data)
{
  Contended self = {
    .elsewhere = {
      .executor = workshop_new (1),
      .begin = ask_for_contended,
      .end = end_contended,
      .one_by_one = TRUE,
    },
    .context = g_main_context_new (),
  };

  g_test_summary (
    "Waits for an outcome that another thread takes, while a third one runs the map's "
    "main context and just wants to give it, are cancelled in theirs.");

  g_main_context_push_thread_default (self.context);
  self.elsewhere.map = dray_executor_map (self.elsewhere.executor, "step", give_in_turn_cb, &self,
                                          NULL);
  g_main_context_pop_thread_default (self.context);
  dray_map_set_max_in_flight (self.elsewhere.map, 1);
  self.threads[0] = g_thread_new ("iterates", iterate_thread, &self);
  self.threads[1] = g_thread_new ("takes", take_thread, &self);
  run (&self.elsewhere);
  g_main_context_unref (self.context);
}

/* --- The end of a task, of a group, and the next one of a queue --- */

static void
result_cb (GObject *future, GAsyncResult *result, gpointer self)
{
  GError *error = NULL;
  GVariant *value = dray_future_result_finish (DRAY_FUTURE (future), result, &error);

  told (self, value != NULL, error);
}

static void
ask_for_result (gpointer data, GCancellable *cancellable)
{
  dray_future_result_async (((Elsewhere *) data)->future, cancellable, result_cb, data);
}

static void
test_result (Fixture *fixture, gconstpointer data)
{
  Elsewhere self = { .executor = workshop_new (1), .begin = ask_for_result };
  g_autoptr (DrayFuture) future = dray_executor_call (self.executor, "block", NULL);

  g_test_summary ("Waits for the end of a task are cancelled from elsewhere.");

  self.future = future;
  run (&self);
}

static void
joined_cb (GObject *group, GAsyncResult *result, gpointer self)
{
  GError *error = NULL;
  gboolean joined = dray_group_join_finish (DRAY_GROUP (group), result, &error);

  told (self, joined, error);
}

static void
join (gpointer data, GCancellable *cancellable)
{
  dray_group_join_async (((Elsewhere *) data)->group, cancellable, joined_cb, data);
}

static void
test_group (Fixture *fixture, gconstpointer data)
{
  Elsewhere self = { .executor = workshop_new (1), .begin = join };
  g_autoptr (DrayGroup) group = dray_group_new ();
  g_autoptr (DrayFuture) future = dray_executor_call (self.executor, "block", NULL);

  g_test_summary ("Waits for a group are cancelled from elsewhere.");

  self.group = group;
  dray_group_add (group, future);
  run (&self);
  g_assert_cmpuint (dray_group_get_n_unfinished (group), ==, 0);
}

static void
next_cb (GObject *queue, GAsyncResult *result, gpointer self)
{
  GError *error = NULL;
  DrayFuture *next = dray_completion_queue_next_finish (DRAY_COMPLETION_QUEUE (queue), result,
                                                        &error);

  told (self, next != NULL, error);
}

static void
ask_for_next (gpointer data, GCancellable *cancellable)
{
  dray_completion_queue_next_async (((Elsewhere *) data)->queue, cancellable, next_cb, data);
}

static void
test_queue (Fixture *fixture, gconstpointer data)
{
  Elsewhere self = { .executor = workshop_new (1), .begin = ask_for_next };
  g_autoptr (DrayCompletionQueue) queue = dray_completion_queue_new ();
  g_autoptr (DrayFuture) future = dray_executor_call (self.executor, "block", NULL);
  g_autoptr (DrayFuture) next = NULL;

  g_test_summary ("Waits for the next future that is done are cancelled from elsewhere, and none "
                  "of them takes it along.");

  self.queue = queue;
  dray_completion_queue_add (queue, future);
  run (&self);
  next = dray_completion_queue_wait_next (queue, -1, NULL, NULL);
  g_assert_true (next == future);
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
  g_atomic_int_inc (&self->n_told);
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
  workshop_add ("/elsewhere/map/contended", NULL, test_contended_map);
  workshop_add ("/elsewhere/result", NULL, test_result);
  workshop_add ("/elsewhere/group", NULL, test_group);
  workshop_add ("/elsewhere/queue", NULL, test_queue);
  workshop_add ("/elsewhere/shut-down", NULL, test_shut_down);
  workshop_add ("/elsewhere/shut-down/late", NULL, test_late_shut_down);

  return g_test_run ();
}
