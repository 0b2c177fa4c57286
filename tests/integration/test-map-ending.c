/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "map-rig.h"

#include "workshop.h"

#include <unistd.h>

/* Maps that end before their source does: cancelled, shut down, dropped. The source is asked no
 * more; each call that it gave has its outcome, and then comes the reason. */

/* One only: the other worker does what comes before. */
static const char *
block_one (guint64 index)
{
  return index == MAP_N_BEFORE_CANCEL ? "block" : "";
}

/* An endless map of which a few calls were done, and some run and wait. */
static DrayMap *
start_endless (Rig *rig, MapRecord *record)
{
  DrayMap *map = map_record_start (record, rig);

  while (record->n_outcomes < 1000)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, NULL);

      map_record_take (record, outcome);
    }

  return map;
}

static void
test_cancel (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, data);
  g_autoptr (DrayMap) map = NULL;
  guint64 n_asked;

  g_test_summary ("A map that is cancelled asks no more; what has not run never does, what runs is "
                  "asked to stop, and the end says why.");

  rig_start (rig, 2);
  map = start_endless (rig, record);
  dray_map_cancel (map);
  n_asked = record->n_asked;
  g_assert_true (record->freed);
  map_record_run (record, map);
  g_assert_cmpuint (record->n_asked, ==, n_asked);
  g_assert_error (record->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_true (record->in_order);
  g_assert_cmpuint (rig_get_count (rig, cancelled) + rig_get_count (rig, succeeded), ==, n_asked);

  dray_map_cancel (map);
  g_assert_true (dray_map_is_over (map));
}

static void
test_cancel_confirmed (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, block_one);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Where the task says so, running calls are over when their workers have said so, "
                  "and the workers live on.");

  rig_start (rig, 2);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  map = map_record_start (record, rig);
  map_record_cancel_confirmed (record, map);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static const char *
exit_when_cancelled (guint64 index)
{
  return "exit-when-cancelled";
}

static void
test_cancel_dying (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "begun");
  g_autoptr (MapRecord) record = map_record_new (1, exit_when_cancelled);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("A call whose worker dies of being cancelled was cancelled.");

  rig_start (rig, 1);
  record->path = path;
  map = map_record_start (record, rig);
  dray_task_set_cancel_mode (dray_map_get_task (map), DRAY_CANCEL_CONFIRMED);
  dray_map_for_each_async (map, map_record_outcome_cb, record, NULL, NULL, map_record_finish_cb,
                           record);
  rig_run_until_file (path);
  dray_map_cancel (map);
  fixture_iterate_until_true (&record->done, "the end of the map");
  map_record_expect_error (record, 0, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

typedef struct
{
  const char *path;          /* (unowned) */
  GCancellable *cancellable; /* (unowned) */
} Canceller;

static gpointer
cancel_when_begun_cb (gpointer data)
{
  Canceller *canceller = data;

  while (!g_file_test (canceller->path, G_FILE_TEST_EXISTS))
    g_usleep (1000);
  g_cancellable_cancel (canceller->cancellable);
  return NULL;
}

static const char *
block_always (guint64 index)
{
  return "block";
}

static void
test_cancel_wait (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "begun");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (MapRecord) record = map_record_new (1, block_always);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;
  Canceller canceller = { path, cancellable };
  GThread *thread;

  g_test_summary ("A wait that another thread cancels is over, and the map goes on.");

  rig_start (rig, 1);
  record->path = path;
  map = map_record_start (record, rig);
  thread = g_thread_new ("canceller", cancel_when_begun_cb, &canceller);
  g_assert_null (dray_map_wait_next (map, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  g_assert_false (dray_map_is_over (map));

  dray_map_cancel (map);
  map_record_wait (record, map);
  map_record_expect_error (record, 0, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_cancel_unstarted (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, NULL);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("One that was cancelled before it began asks nothing at all.");

  rig_start (rig, 1);
  map = map_record_start (record, rig);
  dray_map_cancel (map);
  g_assert_null (dray_map_wait_next (map, -1, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (record->n_asked, ==, 0);
}

static void
test_cancel_all (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Cancelling everything cancels maps, too.");

  rig_start (rig, 2);
  map = start_endless (rig, record);
  dray_executor_cancel_all (rig->executor);
  map_record_run (record, map);
  g_assert_error (record->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

#define N_QUICK 500
#define N_BLOCKING 40
#define N_BEHIND 5000

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  char *path;             /* (owned): where blocking calls are noted */
  guint n_given;
} Splitting;

/* Quick calls at first, so that many are packed together; then some that block. They can't begin
 * before all is set up. */
static GVariant *
give_quick_and_blocking_cb (gpointer data)
{
  Splitting *self = data;

  if (self->n_given == N_QUICK)
    dray_executor_set_paused (self->executor, TRUE);
  if (self->n_given == N_QUICK + N_BLOCKING)
    return NULL;

  self->n_given++;
  return self->n_given <= N_QUICK
           ? g_variant_new ("(xss)", G_GINT64_CONSTANT (0), "", "")
           : g_variant_new ("(xss)", G_GINT64_CONSTANT (0), "block", self->path);
}

/* Takes what is there, until nothing runs any more, and nothing is asked for: all was, or there is no
 * room for more. */
static void
fill_up (Rig *rig, Splitting *self, DrayMap *map)
{
  gboolean goes_on = TRUE;

  while (goes_on)
    {
      const guint n_given = self->n_given;
      const gboolean runs = rig_get_count (rig, running) > 0;
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, 0, NULL, NULL);

      goes_on = n_given <= N_QUICK || runs || outcome != NULL || self->n_given > n_given;
    }
}

static void
ignore_outcome (DrayMap *map, DrayOutcome *outcome, gpointer data)
{
}

static void
note_end_cb (GObject *map, GAsyncResult *result, gpointer over)
{
  *(gboolean *) over = TRUE;
}

static void
split_and_cancel (Rig *rig, gboolean cancel_all)
{
  Splitting self = { rig->executor, rig_dup_path (rig, "begun"), 0 };
  g_autoptr (DrayMap) map = dray_executor_map (rig->executor, "step", give_quick_and_blocking_cb,
                                               &self, NULL);
  g_autoptr (DrayFuture) last = NULL;
  g_autofree char *text = NULL;
  gboolean over = FALSE;
  gint64 end;

  fill_up (rig, &self, map);
  for (guint i = 0; cancel_all && i < N_BEHIND; i++)
    g_object_unref (dray_executor_call (rig->executor, "null", NULL));
  dray_executor_set_paused (rig->executor, FALSE);
  while (access (self.path, F_OK) != 0)
    ;
  end = g_get_monotonic_time () + (cancel_all ? 0 : g_test_rand_int_range (0, 2000));
  while (g_get_monotonic_time () < end)
    ;

  if (cancel_all)
    dray_executor_cancel_all (rig->executor);
  else
    dray_map_cancel (map);
  dray_map_for_each_async (map, ignore_outcome, NULL, NULL, NULL, note_end_cb, &over);
  fixture_iterate_until_true (&over, "the end of the map");
  last = dray_executor_call (rig->executor, "null", NULL);
  fixture_run_until_done (last); /* and so is all that the worker had */

  g_assert_true (g_file_get_contents (self.path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "0\n");
  g_assert_cmpint (unlink (self.path), ==, 0);
  g_free (self.path);
}

static void
test_cancel_splitting (Rig *rig, gconstpointer data)
{
  const guint n_rounds = data != NULL ? 10 : 100;

  g_test_summary (
    "What a worker gives back of its calls at the moment at which a map is cancelled, "
    "or all is, never runs.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  for (guint i = 0; i < n_rounds; i++)
    {
      workshop_guard (); /* each may hang, all of them may take their time */
      split_and_cancel (rig, data != NULL);
    }
}

typedef struct
{
  const char *name;
  DrayShutdownMode mode;
} Ending;

static const Ending endings[] = {
  { "/map-ending/drain", DRAY_SHUTDOWN_DRAIN },
  { "/map-ending/cancel-pending", DRAY_SHUTDOWN_CANCEL_PENDING },
  { "/map-ending/terminate", DRAY_SHUTDOWN_TERMINATE },
  { "/map-ending/kill", DRAY_SHUTDOWN_KILL },
};

static void
test_shutdown (Rig *rig, gconstpointer data)
{
  const Ending *ending = data;
  g_autoptr (MapRecord) record = map_record_new (0, NULL);
  g_autoptr (DrayMap) map = NULL;
  guint64 n_asked;

  g_test_summary ("When the executor is shut down, the source is asked no more, whatever the mode; "
                  "calls that it gave are treated like other tasks, and what they ended with can "
                  "be taken afterwards.");

  rig_start (rig, 2);
  map = start_endless (rig, record);
  n_asked = record->n_asked;
  rig_shut_down (rig, ending->mode);
  map_record_wait (record, map);
  g_assert_cmpuint (record->n_asked, ==, n_asked);
  g_assert_error (record->error, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  g_assert_true (record->in_order);
  if (ending->mode == DRAY_SHUTDOWN_DRAIN)
    g_assert_cmpuint (record->n_errors, ==, 0);
}

static void
test_shutdown_async (Rig *rig, gconstpointer data)
{
  const Ending *ending = data;
  g_autoptr (MapRecord) record = map_record_new (0, NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("So it is where the outcomes come by themselves: the end is told.");

  rig_start (rig, 2);
  map = map_record_start (record, rig);
  dray_map_for_each_async (map, map_record_outcome_cb, record, NULL, NULL, map_record_finish_cb,
                           record);
  rig_run_until_count (rig, running, 2);
  dray_executor_shutdown_async (rig->executor, ending->mode, NULL, NULL, NULL);
  fixture_iterate_until_true (&record->done, "the end of the map");
  g_assert_error (record->error, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  g_assert_cmpuint (record->n_outcomes, ==, record->n_asked);
}

static void
test_executor_dropped (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("The executor may be dropped while a map is there.");

  rig_start (rig, 2);
  map = start_endless (rig, record);
  g_clear_object (&rig->executor);
  map_record_wait (record, map);
  g_assert_error (record->error, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
}

static void
test_after_shutdown (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, NULL);
  g_autoptr (MapRecord) other = map_record_new (0, NULL);
  g_autoptr (DrayExecutor) kept = NULL;
  g_autoptr (DrayMap) before = NULL;
  g_autoptr (DrayMap) after = NULL;

  g_test_summary ("A map of an executor that is shut down is over before it begins, also one that "
                  "was made before.");

  rig_start (rig, 2);
  before = map_record_start (record, rig);
  kept = g_object_ref (rig->executor);
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  rig->executor = g_object_ref (kept);
  after = map_record_start (other, rig);
  map_record_run (record, before);
  map_record_run (other, after);
  g_assert_error (record->error, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  g_assert_error (other->error, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  g_assert_cmpuint (record->n_asked + other->n_asked, ==, 0);
}

static void
test_dropped (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, block_one);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Dropping a map cancels it: its source goes, and its workers are free.");

  rig_start (rig, 2);
  g_object_unref (start_endless (rig, record));
  g_assert_true (record->freed);
  future = rig_call (rig, "add", "(ii)", 1, 1);
  rig_expect_text (future, "2");
  rig_run_until_count (rig, running, 0);
}

static void
test_dropped_unstarted (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, NULL);

  g_test_summary ("So does dropping one that never began.");

  rig_start (rig, 1);
  g_object_unref (map_record_start (record, rig));
  g_assert_true (record->freed);
  g_assert_cmpuint (record->n_asked, ==, 0);
}

static gpointer
cancel_thread (gpointer map)
{
  dray_map_cancel (map);
  return NULL;
}

static GThread *freeing_thread;

static void
note_thread_cb (gpointer user_data)
{
  freeing_thread = g_thread_self ();
}

static GVariant *
give_step_cb (gpointer user_data)
{
  return g_variant_new ("(xss)", G_GINT64_CONSTANT (1), "", "");
}

static gboolean
was_freed (gpointer user_data)
{
  return freeing_thread != NULL;
}

static void
test_cancel_elsewhere (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (DrayOutcome) outcome = NULL;
  GThread *thread;

  g_test_summary ("A map may be cancelled on any thread; the generator's data is freed in the main "
                  "context that it belongs to.");

  rig_start (rig, 2);
  freeing_thread = NULL;
  map = dray_executor_map (rig->executor, "step", give_step_cb, NULL, note_thread_cb);
  outcome = dray_map_wait_next (map, -1, NULL, NULL);
  thread = g_thread_new ("cancels", cancel_thread, map);
  g_thread_join (thread);
  g_assert_null (freeing_thread);
  fixture_iterate_until (was_freed, NULL, "the generator's data to be freed");
  g_assert_true (freeing_thread == g_thread_self ());
}

static void
test_context_gone (Rig *rig, gconstpointer data)
{
  g_autoptr (MapRecord) record = map_record_new (0, NULL);
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (DrayOutcome) outcome = NULL;

  g_test_summary ("Where nobody iterates the map's main context, its owner can wait.");

  rig_start (rig, 1);
  g_main_context_push_thread_default (context);
  map = map_record_start (record, rig);
  outcome = dray_map_wait_next (map, -1, NULL, NULL);
  g_main_context_pop_thread_default (context);
  g_assert_nonnull (outcome);
  g_clear_pointer (&context, g_main_context_unref);
  g_clear_object (&map);
  g_assert_true (record->freed);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/map-ending/cancel", NULL, test_cancel);
  rig_add ("/map-ending/cancel-blocked", block_one, test_cancel);
  rig_add ("/map-ending/cancel-confirmed", NULL, test_cancel_confirmed);
  rig_add ("/map-ending/cancel-dying", NULL, test_cancel_dying);
  rig_add ("/map-ending/cancel-wait", NULL, test_cancel_wait);
  rig_add ("/map-ending/cancel-unstarted", NULL, test_cancel_unstarted);
  rig_add ("/map-ending/cancel-all", NULL, test_cancel_all);
  rig_add ("/map-ending/cancel-splitting", NULL, test_cancel_splitting);
  rig_add ("/map-ending/cancel-splitting/all", "all", test_cancel_splitting);
  for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
    {
      g_autofree char *path = g_strconcat (endings[i].name, "-async", NULL);

      rig_add (endings[i].name, &endings[i], test_shutdown);
      rig_add (path, &endings[i], test_shutdown_async);
    }
  rig_add ("/map-ending/executor-dropped", NULL, test_executor_dropped);
  rig_add ("/map-ending/after-shutdown", NULL, test_after_shutdown);
  rig_add ("/map-ending/dropped", NULL, test_dropped);
  rig_add ("/map-ending/dropped-unstarted", NULL, test_dropped_unstarted);
  rig_add ("/map-ending/cancel-elsewhere", NULL, test_cancel_elsewhere);
  rig_add ("/map-ending/context-gone", NULL, test_context_gone);

  return g_test_run ();
}
