/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "aim.h"
#include "workshop.h"

#include <signal.h>
#include <string.h>

/*
 * Cancelling at the very moment in which something else happens to the task: ten thousand times for
 * each thing that may. Whoever comes first, the task has one end, which is told once; others are
 * not touched, and the pool works afterwards.
 *
 * The moment is aimed at, for each kind of task on its own, as one that takes a hundred times as
 * long has another one. That it is hit is seen by how they end: of those that were cancelled, and
 * of those to which the other thing had happened by then, there must be a tenth at least.
 *
 * What a worker has done in microseconds may be over before the thread that submits it goes on. So
 * there is a moment that is early enough, small tasks are submitted to an executor that is paused
 * for a while longer.
 */

#define N_ROUNDS 10000
#define MAX_KINDS 3

/* Kinds that were tried less often are not judged on their own. */
#define MANY 200

/* For how long the executor stays paused after the submit: µs */
#define PAUSE 200

#define LARGE 300000 /* bytes: more than a ring, or a pipe as it comes, can hold */

typedef struct _Range Range;

/* What cancelling races against */
typedef struct
{
  const char *name;
  guint n_rounds;  /* in the quick mode; N_ROUNDS in the slow one */
  guint n_paused;  /* as many are submitted while the executor is paused; 0: it never is */
  guint n_at_once; /* where it is not: tasks that are not done at any time */
  guint n_workers;
  guint neighbours;  /* after as many rounds there is a task that nobody cancels; 0: never */
  guint large;       /* of as many of those, one has a large result */
  double first_aim;  /* µs */
  const char *kinds; /* a digit for each round, over and over */
  DrayTask *(*make_task) (guint kind);
  void (*check_result) (GVariant *result, guint kind); /* (nullable) */
  gboolean (*is_expected) (const GError *error); /* (nullable): what happens is that it fails so */
  gboolean crashes;
  gboolean is_open; /* whether there is a moment that is early enough is up to the machine */
} Race;

/* The tasks of one kind. */
typedef struct
{
  Range *range; /* (unowned) */
  Aim aim;
  guint n_cancelled;
  guint n_succeeded;
  guint n_failed;
} Lane;

struct _Range
{
  const Race *race;
  DrayExecutor *executor; /* (owned) */
  Marksmen *marksmen;     /* (owned) */
  Lane lanes[MAX_KINDS];
  guint n_raced; /* of those submitted */
  guint n_submitted;
  guint n_unfinished;
  guint n_told;
  guint n_neighbours;
};

static void
told_cb (DrayFuture *future, gpointer data)
{
  Lane *lane = data;
  const Race *race = lane->range->race;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);
  DrayFutureState state = dray_future_get_state (future);

  lane->range->n_unfinished--;
  lane->range->n_told++;
  switch (state)
    {
    case DRAY_FUTURE_CANCELLED:
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      lane->n_cancelled++;
      break;
    case DRAY_FUTURE_SUCCEEDED:
      g_assert_nonnull (result);
      if (race->check_result != NULL)
        race->check_result (result, (guint) (lane - lane->range->lanes));
      lane->n_succeeded++;
      break;
    default:
      if (race->is_expected == NULL || !race->is_expected (error))
        g_error ("%s: %s", race->name, error->message);
      lane->n_failed++;
    }

  aim_correct (&lane->aim, state == DRAY_FUTURE_CANCELLED);
}

static void
check_neighbour (Range *range, DrayFuture *future, gboolean large)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);

  g_assert_no_error (error);
  if (large)
    workshop_assert_bytes (result, LARGE);
  else
    g_assert_cmpint (g_variant_get_int32 (result), ==, 5);
  range->n_unfinished--;
  range->n_told++;
}

static void
neighbour_told_cb (DrayFuture *future, gpointer data)
{
  check_neighbour (data, future, FALSE);
}

static void
large_neighbour_told_cb (DrayFuture *future, gpointer data)
{
  check_neighbour (data, future, TRUE);
}

static void
submit (Range *range, Lane *lane, DrayCancelMode mode)
{
  g_autoptr (DrayTask) task = range->race->make_task ((guint) (lane - range->lanes));
  g_autoptr (DrayFuture) future = NULL;

  dray_task_set_cancel_mode (task, mode);
  future = dray_executor_submit (range->executor, task, NULL);
  marksmen_cancel (range->marksmen, &lane->aim, future);
  range->n_raced++;
  range->n_submitted++;
  range->n_unfinished++;
  dray_future_add_done_callback (future, told_cb, lane, NULL);
}

/* Those that nobody cancels have to succeed. Beside those that crash there must be some: the pool
 * would start fewer and fewer workers. */
static void
submit_neighbour (Range *range)
{
  const gboolean large = range->n_neighbours % range->race->large == 0;
  g_autoptr (DrayFuture) future
    = large ? dray_executor_call (range->executor, "bytes", g_variant_new ("(u)", LARGE))
            : dray_executor_call (range->executor, "add", g_variant_new ("(ii)", 2, 3));

  range->n_submitted++;
  range->n_neighbours++;
  range->n_unfinished++;
  dray_future_add_done_callback (future, large ? large_neighbour_told_cb : neighbour_told_cb, range,
                                 NULL);
}

static gboolean
has_room (gpointer data)
{
  Range *range = data;

  return range->n_unfinished < range->race->n_at_once;
}

static gboolean
has_none_left (gpointer data)
{
  Range *range = data;

  return range->n_unfinished == 0;
}

/* Ends a pause when all that belongs into it was submitted. */
static void
resume (Range *range)
{
  g_usleep (PAUSE);
  dray_executor_set_paused (range->executor, FALSE);
}

static void
run_round (Range *range, Lane *lane, DrayCancelMode mode)
{
  const Race *race = range->race;

  workshop_guard ();
  if (race->n_paused == 0)
    {
      fixture_iterate_until (has_room, range, "some tasks are done");
    }
  else if (range->n_raced % race->n_paused == 0)
    {
      fixture_iterate_until (has_none_left, range, "all tasks are done");
      dray_executor_set_paused (range->executor, TRUE);
    }

  submit (range, lane, mode);
  if (race->neighbours > 0 && range->n_raced % race->neighbours == 0)
    submit_neighbour (range);
  if (race->n_paused > 0 && range->n_raced % race->n_paused == 0)
    resume (range);
}

/* That both sides came first, often enough. Where it is open whether a cancel ever can, the other
 * side has to: the aim moves on until the moment is late enough for that. */
static void
check_race (Range *range)
{
  const Race *race = range->race;
  guint n_cancelled = 0, n_others = 0;

  for (guint i = 0; i < MAX_KINDS; i++)
    {
      const Lane *lane = &range->lanes[i];
      const guint n = race->is_expected != NULL ? lane->n_failed : lane->n_succeeded;

      if (lane->n_cancelled + lane->n_succeeded + lane->n_failed == 0)
        continue;
      g_test_message ("kind %u: %u were cancelled, %u succeeded, %u failed; in the end they had "
                      "%.0f microseconds",
                      i, lane->n_cancelled, lane->n_succeeded, lane->n_failed, lane->aim.delay);
      if (race->is_open)
        g_assert_cmpuint (n * 10, >=, lane->n_cancelled + n);
      else if (lane->n_cancelled + n >= MANY)
        aim_assert_share (lane->n_cancelled, n, race->name);
      n_cancelled += lane->n_cancelled;
      n_others += n;
    }
  if (!race->is_open)
    aim_assert_share (n_cancelled, n_others, race->name);
}

/* That it works, and that nothing was done twice or not at all. */
static void
check_afterwards (Range *range)
{
  g_autoptr (GPtrArray) records = workshop_new_records ();
  g_autoptr (DrayCounters) counters = NULL;
  guint n_cancelled = 0, n_succeeded = 0, n_failed = 0;

  for (int i = 0; i < 100; i++)
    g_ptr_array_add (records, workshop_watch (dray_executor_call (range->executor, "add",
                                                                  g_variant_new ("(ii)", i, 1))));
  workshop_iterate_until_all_told (records);
  for (guint i = 0; i < records->len; i++)
    workshop_assert_succeeded (records->pdata[i]);
  g_assert_true (dray_executor_shutdown_sync (range->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));

  for (guint i = 0; i < MAX_KINDS; i++)
    {
      n_cancelled += range->lanes[i].n_cancelled;
      n_succeeded += range->lanes[i].n_succeeded;
      n_failed += range->lanes[i].n_failed;
    }
  counters = dray_executor_dup_counters (range->executor);
  g_assert_cmpuint (range->n_told, ==, range->n_submitted);
  g_assert_cmpuint (counters->submitted, ==, range->n_submitted + 100);
  g_assert_cmpuint (counters->cancelled, ==, n_cancelled);
  g_assert_cmpuint (counters->succeeded, ==, n_succeeded + range->n_neighbours + 100);
  g_assert_cmpuint (counters->failed, ==, n_failed);
  g_assert_cmpuint (counters->running + counters->queue_length, ==, 0);
  if (!range->race->crashes)
    g_assert_cmpuint (counters->workers_died, ==, 0);
  else
    g_assert_cmpuint (counters->workers_died, >=, n_failed);
}

static void
run_race (const Race *race, DrayCancelMode mode)
{
  /* Each mode has half of the rounds. */
  const guint n_rounds = (g_test_slow () ? N_ROUNDS : race->n_rounds) / 2;
  const gsize n_kinds = strlen (race->kinds);
  Range range = { .race = race };

  range.executor = workshop_new (race->n_workers);
  g_object_set (range.executor, "grace-period", 60000, NULL);
  range.marksmen = marksmen_new ();
  for (guint i = 0; i < MAX_KINDS; i++)
    range.lanes[i] = (Lane){ .range = &range, .aim = AIM_INIT (race->first_aim, 0.5) };

  for (guint i = 0; i < n_rounds; i++)
    run_round (&range, &range.lanes[race->kinds[i % n_kinds] - '0'], mode);
  dray_executor_set_paused (range.executor, FALSE);
  fixture_iterate_until (has_none_left, &range, "all tasks are done");
  marksmen_free (range.marksmen);

  check_afterwards (&range);
  check_race (&range);
  g_object_unref (range.executor);
}

/* The races */

/* With the prefetch, the start is the end of the task before. What has a large result sends that
 * when it was cancelled, too, while the next one starts. */
static DrayTask *
make_tiny (guint kind)
{
  if (kind == 1)
    return dray_task_new_call ("bytes", g_variant_new ("(u)", LARGE));

  return dray_task_new_call ("add", g_variant_new ("(ii)", 1, 1));
}

static void
check_tiny (GVariant *result, guint kind)
{
  if (kind == 1)
    workshop_assert_bytes (result, LARGE);
  else
    g_assert_cmpint (g_variant_get_int32 (result), ==, 2);
}

static DrayTask *
make_result (guint kind)
{
  static const guint32 sizes[] = { 10, 100000, 3000000 };

  return dray_task_new_call ("bytes", g_variant_new ("(u)", sizes[kind]));
}

static DrayTask *
make_stream (guint kind)
{
  static const guint32 sizes[] = { 10, 50000 };

  return dray_task_new_call ("stream", g_variant_new ("(uu)", 20, sizes[kind]));
}

static DrayTask *
make_crash (guint kind)
{
  if (kind == 0)
    return dray_task_new_call ("exit", g_variant_new ("(i)", 3));

  return dray_task_new_call ("raise", g_variant_new ("(i)", SIGKILL));
}

static gboolean
is_death (const GError *error)
{
  return g_error_matches (error, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
}

static DrayTask *
make_limited (guint kind)
{
  DrayTask *task = dray_task_new_call ("sleep", g_variant_new ("(u)", 1000));

  dray_task_set_time_limit (task, 1 + kind);

  return task;
}

static gboolean
is_late (const GError *error)
{
  return g_error_matches (error, DRAY_ERROR, DRAY_ERROR_TIMED_OUT);
}

static const Race races[] = {
  {
    .name = "start",
    .n_rounds = 2000,
    .n_paused = 1,
    .n_workers = 1,
    .first_aim = 250,
    .kinds = "00000000000000000001",
    .make_task = make_tiny,
    .check_result = check_tiny,
  },
  {
    .name = "start-behind-others",
    .n_rounds = 2000,
    .n_paused = 8,
    .n_workers = 2,
    .first_aim = 300,
    .kinds = "0",
    .make_task = make_tiny,
    .check_result = check_tiny,
  },
  {
    .name = "start-at-once",
    .n_rounds = 2000,
    .n_at_once = 1,
    .n_workers = 1,
    .first_aim = 30,
    .kinds = "0",
    .make_task = make_tiny,
    .check_result = check_tiny,
    .is_open = TRUE,
  },
  {
    .name = "completion",
    .n_rounds = 3000,
    .n_paused = 2,
    .n_workers = 2,
    .first_aim = 250,
    .kinds = "00010000100001000012",
    .make_task = make_result,
  },
  {
    .name = "items",
    .n_rounds = 3000,
    .n_paused = 4,
    .n_workers = 2,
    .first_aim = 300,
    .kinds = "0000000001",
    .make_task = make_stream,
  },
  {
    .name = "crash",
    .n_rounds = 400,
    .n_at_once = 4,
    .n_workers = 4,
    .neighbours = 1,
    .large = 10,
    .first_aim = 1000,
    .kinds = "01",
    .make_task = make_crash,
    .is_expected = is_death,
    .crashes = TRUE,
  },
  {
    .name = "time-limit",
    .n_rounds = 2000,
    .n_paused = 8,
    .n_workers = 8,
    .neighbours = 20,
    .large = 1,
    .first_aim = 2500,
    .kinds = "012",
    .make_task = make_limited,
    .is_expected = is_late,
  },
};

static void
test_race (Fixture *fixture, gconstpointer data)
{
  run_race (data, DRAY_CANCEL_IMMEDIATE);
  run_race (data, DRAY_CANCEL_CONFIRMED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (races); i++)
    {
      g_autofree char *path = g_strdup_printf ("/cancel-races/%s", races[i].name);

      workshop_add (path, &races[i], test_race);
    }

  return g_test_run ();
}
