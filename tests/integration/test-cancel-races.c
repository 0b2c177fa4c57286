/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

#include <signal.h>

/*
 * Cancelling at the very moment in which something else happens to the task: ten thousand times for
 * each thing that may. Whoever comes first, the task has one end, which is told once; others are
 * not touched, and the pool works afterwards.
 *
 * The moment is aimed at. Threads cancel a while after the submit; after each task that was
 * cancelled the next ones are given more time, after each that was not, less. So about as many are
 * cancelled as not, on any machine and however busy it is, and most come close.
 */

#define N_ROUNDS 10000
#define N_CANCELLERS 2

typedef struct _Range Range;

/* What cancelling races against */
typedef struct
{
  const char *name;
  guint n_rounds;  /* in the quick mode; N_ROUNDS in the slow one */
  guint n_at_once; /* tasks that are not done at any time */
  guint n_workers;
  double first_aim; /* µs */
  gboolean crashes;
  DrayTask *(*make_task) (guint i);
  gboolean (*is_expected) (const GError *error); /* (nullable): it may fail so */
} Race;

typedef struct
{
  DrayFuture *future; /* (owned) */
  gint64 moment;      /* monotonic, µs */
} Shot;

struct _Range
{
  const Race *race;
  DrayExecutor *executor; /* (owned) */
  GRand *random;          /* (owned) */
  GAsyncQueue *shots;     /* (owned) (element-type Shot) */
  double aim;             /* µs */
  guint n_unfinished;
  guint n_told;
  guint n_cancelled;
  guint n_succeeded;
  guint n_failed;
};

static void
shoot (Shot *shot)
{
  while (g_get_monotonic_time () < shot->moment)
    g_thread_yield ();
  dray_future_cancel (shot->future);
  g_object_unref (shot->future);
  g_free (shot);
}

static gpointer
cancel_thread (gpointer shots)
{
  gpointer shot;

  while ((shot = g_async_queue_pop (shots)) != shots)
    shoot (shot);

  return NULL;
}

static void
told_cb (DrayFuture *future, gpointer data)
{
  Range *range = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);
  DrayFutureState state = dray_future_get_state (future);

  range->n_unfinished--;
  range->n_told++;
  switch (state)
    {
    case DRAY_FUTURE_CANCELLED:
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      range->n_cancelled++;
      break;
    case DRAY_FUTURE_SUCCEEDED:
      g_assert_nonnull (result);
      range->n_succeeded++;
      break;
    default:
      if (range->race->is_expected == NULL || !range->race->is_expected (error))
        g_error ("%s: %s", range->race->name, error->message);
      range->n_failed++;
    }

  if (state == DRAY_FUTURE_CANCELLED)
    range->aim = MIN (range->aim * 1.1, 1e6);
  else
    range->aim = MAX (range->aim / 1.1, 1);
}

static void
submit (Range *range, guint i, DrayCancelMode mode)
{
  g_autoptr (DrayTask) task = range->race->make_task (i);
  g_autoptr (DrayFuture) future = NULL;
  Shot *shot = g_new0 (Shot, 1);

  dray_task_set_cancel_mode (task, mode);
  future = dray_executor_submit (range->executor, task, NULL);
  range->n_unfinished++;
  dray_future_add_done_callback (future, told_cb, range, NULL);

  shot->moment = g_get_monotonic_time ()
                 + (gint64) (range->aim * g_rand_double_range (range->random, 0.5, 1.5));
  shot->future = g_steal_pointer (&future);
  g_async_queue_push (range->shots, shot);
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

/* That it works, and that nothing was done twice or not at all. */
static void
check_afterwards (Range *range, guint n_rounds)
{
  g_autoptr (GPtrArray) records = workshop_new_records ();
  g_autoptr (DrayCounters) counters = NULL;

  for (int i = 0; i < 100; i++)
    g_ptr_array_add (records, workshop_watch (dray_executor_call (range->executor, "add",
                                                                  g_variant_new ("(ii)", i, 1))));
  workshop_iterate_until_all_told (records);
  for (guint i = 0; i < records->len; i++)
    workshop_assert_succeeded (records->pdata[i]);
  g_assert_true (dray_executor_shutdown_sync (range->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));

  counters = dray_executor_dup_counters (range->executor);
  g_assert_cmpuint (range->n_told, ==, n_rounds);
  g_assert_cmpuint (counters->submitted, ==, n_rounds + 100);
  g_assert_cmpuint (counters->cancelled, ==, range->n_cancelled);
  g_assert_cmpuint (counters->succeeded, ==, range->n_succeeded + 100);
  g_assert_cmpuint (counters->failed, ==, range->n_failed);
  g_assert_cmpuint (counters->running + counters->queue_length, ==, 0);
  if (!range->race->crashes)
    g_assert_cmpuint (counters->workers_died, ==, 0);

  g_test_message ("%u were cancelled, %u succeeded, %u failed", range->n_cancelled,
                  range->n_succeeded, range->n_failed);
}

static void
run_race (const Race *race, DrayCancelMode mode)
{
  /* Each mode has half of the rounds. */
  const guint n_rounds = (g_test_slow () ? N_ROUNDS : race->n_rounds) / 2;
  Range range = { .race = race, .aim = race->first_aim };
  GThread *threads[N_CANCELLERS];

  range.executor = workshop_new (race->n_workers);
  g_object_set (range.executor, "grace-period", 60000, NULL);
  range.random = g_rand_new_with_seed (g_test_rand_int ());
  range.shots = g_async_queue_new ();
  for (guint i = 0; i < N_CANCELLERS; i++)
    threads[i] = g_thread_new ("cancels", cancel_thread, range.shots);

  for (guint i = 0; i < n_rounds; i++)
    {
      workshop_guard ();
      fixture_iterate_until (has_room, &range, "some tasks are done");
      submit (&range, i, mode);
    }
  fixture_iterate_until (has_none_left, &range, "all tasks are done");
  for (guint i = 0; i < N_CANCELLERS; i++)
    g_async_queue_push (range.shots, range.shots);
  for (guint i = 0; i < N_CANCELLERS; i++)
    g_thread_join (threads[i]);

  check_afterwards (&range, n_rounds);
  g_assert_cmpuint (range.n_cancelled, >, 0);
  g_assert_cmpuint (range.n_succeeded + range.n_failed, >, 0);
  g_async_queue_unref (range.shots);
  g_rand_free (range.random);
  g_object_unref (range.executor);
}

/* The races */

/* With the prefetch, the start is the end of the task before. */
static DrayTask *
make_tiny (guint i)
{
  return dray_task_new_call ("add", g_variant_new ("(ii)", (gint32) i, 1));
}

static DrayTask *
make_result (guint i)
{
  const guint32 size = i % 50 == 0 ? 3000000 : i % 5 == 0 ? 100000 : 10;

  return dray_task_new_call ("bytes", g_variant_new ("(u)", size));
}

static DrayTask *
make_stream (guint i)
{
  return dray_task_new_call ("stream", g_variant_new ("(uu)", 20, i % 10 == 0 ? 50000 : 10));
}

static DrayTask *
make_crash (guint i)
{
  /* Some finish something, or the pool would start fewer and fewer workers. */
  if (i % 2 == 0)
    return make_tiny (i);
  if (i % 4 == 1)
    return dray_task_new_call ("exit", g_variant_new ("(i)", 3));

  return dray_task_new_call ("raise", g_variant_new ("(i)", SIGKILL));
}

static gboolean
is_death (const GError *error)
{
  return g_error_matches (error, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
}

static DrayTask *
make_limited (guint i)
{
  DrayTask *task = dray_task_new_call ("sleep", g_variant_new ("(u)", 1000));

  dray_task_set_time_limit (task, 1 + i % 3);

  return task;
}

static gboolean
is_late (const GError *error)
{
  return g_error_matches (error, DRAY_ERROR, DRAY_ERROR_TIMED_OUT);
}

static const Race races[] = {
  { "start", N_ROUNDS, 1, 1, 30, FALSE, make_tiny, NULL },
  { "start-behind-others", N_ROUNDS, 8, 2, 100, FALSE, make_tiny, NULL },
  { "completion", 3000, 2, 2, 50, FALSE, make_result, NULL },
  { "items", 3000, 4, 2, 100, FALSE, make_stream, NULL },
  { "crash", 200, 4, 4, 1000, TRUE, make_crash, is_death },
  { "time-limit", 2000, 8, 8, 2000, FALSE, make_limited, is_late },
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
