/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "aim.h"
#include "host.h"
#include "payload-rig.h"
#include "workshop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Time limits that run out, and cancels whose grace period does, at the very moment at which the
 * task ends by itself. A worker is ended then, or is not, and has its next task already: that one
 * must never be hit.
 *
 * Every other task has a limit, and takes about as long as it lasts, or as it and the part of the
 * grace period last after which a signal is sent. Those in between have none. Each puts its number
 * on record when it is begun, so one that was begun and hit can't hide behind a second run.
 */

#define N_TASKS 1000 /* at most: see get_n_tasks() */
#define N_WORKERS 3
#define NEIGHBOUR_TIME 150 /* µs */

#define N_LARGE 400
#define LARGE (1200 * 1000) /* bytes: more than a ring, or a pipe as workers have it, can hold */

typedef struct
{
  guint limit;      /* ms */
  guint grace;      /* ms */
  guint signal_at;  /* ms after the limit: when the worker would be sent a signal */
  gboolean deaf;    /* to SIGTERM */
  gboolean piped;   /* the worker has no ring */
  gboolean sealed;  /* large results are in sealed memory */
  gboolean trusted; /* or in slots */
} Race;

/* Many workers die of them, and starting others is what takes the time. */
static guint
get_n_tasks (void)
{
  return g_test_slow () ? N_TASKS : N_TASKS / 4;
}

static guint
get_n_large (void)
{
  return g_test_slow () ? N_LARGE : N_LARGE / 4;
}

static gboolean
has_limit (guint number)
{
  return number % 2 == 0;
}

/* In µs. From half a millisecond before the moment to one behind it: signals and words take their
 * time as well. */
static guint32
get_time (const Race *race, guint number)
{
  if (!has_limit (number))
    return NEIGHBOUR_TIME;

  return (race->limit + race->signal_at) * 1000 - 500 + (number * 7919) % 1500;
}

static DrayFuture *
submit (Rig *rig, const Race *race, const char *path, guint number)
{
  DrayTask *task = dray_task_new_call (
    "record", g_variant_new ("(uusb)", number, get_time (race, number), path, race->deaf));

  if (has_limit (number))
    dray_task_set_time_limit (task, race->limit);
  return rig_submit (rig, task);
}

static void
count_done_cb (DrayFuture *future, gpointer user_data)
{
  guint *n_told = user_data;

  (*n_told)++;
}

/* How often each task was begun: a table of N_TASKS. */
static guint *
read_record (const char *path)
{
  guint *n_begun = g_new0 (guint, N_TASKS);
  g_autofree char *contents = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  g_file_get_contents (path, &contents, &size, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < size; i += sizeof (guint32))
    {
      guint32 number;

      memcpy (&number, contents + i, sizeof number);
      g_assert_cmpuint (number, <, N_TASKS);
      n_begun[number]++;
    }
  return n_begun;
}

static void
check_outcome (DrayFuture *future, guint number, guint n_begun)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);

  if (result != NULL)
    {
      g_assert_cmpuint (g_variant_get_uint32 (result), ==, number);
      g_assert_cmpuint (n_begun, ==, 1);
    }
  else if (has_limit (number))
    {
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TIMED_OUT);
      g_assert_cmpuint (n_begun, <=, 1);
    }
  else
    {
      g_error ("task %u, which has no limit and was begun %u times: %s", number, n_begun,
               error->message);
    }
}

static void
start (Rig *rig, const Race *race)
{
  DrayLauncher *launcher = rig_new_launcher (race->piped ? "--no-ring" : NULL);

  dray_launcher_set_trusted (launcher, race->trusted);
  if (race->sealed)
    dray_launcher_set_shared_size (launcher, LARGE);
  rig_start_with (rig, launcher, N_WORKERS);
  g_object_set (rig->executor, "grace-period", race->grace, NULL);
}

/* Tasks that are submitted a few at a time. */
typedef struct
{
  Rig *rig; /* (unowned) */
  Aim aim;  /* at the moment that counts, or rather so long before it as it takes to get there */
  guint n_unfinished;
  guint n_told;
} Series;

static gboolean
has_room (gpointer data)
{
  Series *self = data;

  return self->n_unfinished < 2 * N_WORKERS;
}

static gboolean
is_all_told (gpointer data)
{
  Series *self = data;

  return self->n_unfinished == 0;
}

/* Small ones */

static void
test_race (Rig *rig, gconstpointer data)
{
  const Race *race = data;
  g_autofree char *path = rig_dup_path (rig, "record");
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autofree guint *n_begun = NULL;
  const guint n_tasks = get_n_tasks ();
  guint n_told = 0;

  g_test_summary ("Limits run out as tasks end: tasks that have none all succeed, begun once.");

  start (rig, race);
  for (guint i = 0; i < n_tasks; i++)
    {
      g_ptr_array_add (futures, submit (rig, race, path, i));
      dray_future_add_done_callback (futures->pdata[i], count_done_cb, &n_told, NULL);
    }
  rig_run_until_all_done (futures);

  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  n_begun = read_record (path);
  for (guint i = 0; i < n_tasks; i++)
    check_outcome (futures->pdata[i], i, n_begun[i]);
  g_assert_cmpuint (n_told, ==, n_tasks);
}

/* Large results: the limit runs out, or the worker is killed, as they are on their way */

typedef struct
{
  Series *series; /* (unowned) */
  guint number;
  gboolean succeeded;
  gboolean shared; /* its result lies in memory that the worker has made */
} LargeTask;

/* Every second one of those that have a limit is aimed at it; the others, at the signal. */
static gboolean
is_aimed_at_limit (guint number)
{
  return number % 4 == 0;
}

static void
large_told_cb (DrayFuture *future, gpointer data)
{
  LargeTask *task = data;
  Series *series = task->series;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);

  task->succeeded = result != NULL;
  if (result != NULL)
    {
      g_autoptr (GVariant) bytes = NULL;
      guint32 number;

      g_variant_get (result, "(u@ay)", &number, &bytes);
      g_assert_cmpuint (number, ==, task->number);
      workshop_assert_bytes (bytes, LARGE);
      task->shared = payload_is_shared (bytes);
    }
  else
    {
      g_assert_true (has_limit (task->number));
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TIMED_OUT);
    }
  if (is_aimed_at_limit (task->number))
    aim_correct (&series->aim, result != NULL);
  series->n_unfinished--;
  series->n_told++;
}

/* In µs. */
static guint32
get_large_time (const Series *series, const Race *race, guint number)
{
  const guint32 until_limit = (guint32) series->aim.delay;

  if (!has_limit (number))
    return NEIGHBOUR_TIME;

  return is_aimed_at_limit (number) ? until_limit : until_limit + race->signal_at * 1000;
}

/* In ms. Else, with all slowed down, no result would arrive in time. */
static guint
get_large_limit (const Race *race)
{
  const char *factor = g_getenv ("DRAY_TEST_TIME_FACTOR");

  return race->limit * (factor != NULL ? MAX (atoi (factor), 1) : 1);
}

/* Nobody keeps the future, so that the results need not all be kept. */
static void
submit_large (LargeTask *self, const Race *race, const char *path)
{
  Series *series = self->series;
  const guint32 time = get_large_time (series, race, self->number);
  DrayTask *task = dray_task_new_call (
    "record-bytes", g_variant_new ("(uusbu)", self->number, time, path, race->deaf, LARGE));
  g_autoptr (DrayFuture) future = NULL;

  if (has_limit (self->number))
    dray_task_set_time_limit (task, get_large_limit (race));
  future = rig_submit (series->rig, task);
  series->n_unfinished++;
  dray_future_add_done_callback (future, large_told_cb, self, NULL);
}

/* The aim is at the limit, from the end of the function: before it by as much as it takes until the
 * result is there. */
static void
test_large (Rig *rig, gconstpointer data)
{
  const Race *race = data;
  const guint n_large = get_n_large ();
  g_autofree char *path = rig_dup_path (rig, "record");
  Series series = { .rig = rig, .aim = AIM_INIT (get_large_limit (race) * 1000, 0) };
  g_autofree LargeTask *tasks = g_new0 (LargeTask, n_large);
  g_autofree guint *n_begun = NULL;

  g_test_summary ("Limits run out as large results are written: those arrive whole or not at "
                  "all, and tasks that have no limit all succeed, begun once.");

  start (rig, race);
  for (guint i = 0; i < n_large; i++)
    {
      fixture_iterate_until (has_room, &series, "some tasks are done");
      tasks[i] = (LargeTask){ .series = &series, .number = i };
      submit_large (&tasks[i], race, path);
    }
  fixture_iterate_until (is_all_told, &series, "the last tasks are done");

  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  n_begun = read_record (path);
  for (guint i = 0; i < n_large; i++)
    {
      g_assert_cmpuint (n_begun[i], <=, 1);
      g_assert_true (!tasks[i].succeeded || n_begun[i] == 1);
      g_assert_true (tasks[i].shared == (tasks[i].succeeded && (race->sealed || race->trusted)));
    }
  g_assert_cmpuint (series.n_told, ==, n_large);
  g_test_message ("%u arrived in time, %u did not", series.aim.n_early, series.aim.n_late);
}

/* Cancelled in place of a limit */

/* How long one takes that is cancelled: µs. */
#define CANCELLED_TIME 10000

/* These end as cancelled only where that came before their end: the others, when they are told to
 * stop, and what becomes of their worker nobody sees. */
static gboolean
is_confirmed (guint number)
{
  return number % 4 == 0;
}

static void
neighbour_told_cb (DrayFuture *future, gpointer data)
{
  Series *self = data;

  self->n_unfinished--;
  self->n_told++;
}

static void
confirmed_told_cb (DrayFuture *future, gpointer data)
{
  Series *self = data;

  aim_correct (&self->aim, dray_future_get_state (future) == DRAY_FUTURE_CANCELLED);
  neighbour_told_cb (future, data);
}

static DrayFuture *
submit_cancelled (Series *self, const Race *race, const char *path, guint number)
{
  DrayTask *task = dray_task_new_call (
    "record", g_variant_new ("(uusb)", number, has_limit (number) ? CANCELLED_TIME : NEIGHBOUR_TIME,
                             path, race->deaf));
  DrayFuture *future;

  if (is_confirmed (number))
    dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  future = rig_submit (self->rig, task);
  self->n_unfinished++;
  dray_future_add_done_callback (
    future, is_confirmed (number) ? confirmed_told_cb : neighbour_told_cb, self, NULL);

  return future;
}

/* Returns whether it was cancelled. */
static gboolean
check_cancelled (DrayFuture *future, guint number, guint n_begun)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);

  if (result == NULL && has_limit (number))
    {
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_cmpuint (n_begun, <=, 1);
      return TRUE;
    }

  check_outcome (future, number, n_begun);
  return FALSE;
}

/* The aim is at the end of those whose cancel is confirmed, and before it by as much as it takes
 * until there is a signal. */
static void
test_cancel (Rig *rig, gconstpointer data)
{
  const Race *race = data;
  g_autofree char *path = rig_dup_path (rig, "record");
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  Marksmen *marksmen = marksmen_new ();
  Series self = { .rig = rig, .aim = AIM_INIT (CANCELLED_TIME, 0.1) };
  g_autofree guint *n_begun = NULL;
  const guint n_tasks = MIN (2 * get_n_tasks (), N_TASKS); /* since the aim has to be found */
  guint n_killed = 0;

  g_test_summary ("Tasks are cancelled, and their workers killed, as they end: tasks that nobody "
                  "cancelled all succeed, begun once.");

  start (rig, race);
  for (guint i = 0; i < n_tasks; i++)
    {
      fixture_iterate_until (has_room, &self, "some tasks are done");
      g_ptr_array_add (futures, submit_cancelled (&self, race, path, i));
      if (has_limit (i))
        marksmen_cancel_running (marksmen, &self.aim, futures->pdata[i]);
    }
  rig_run_until_all_done (futures);
  marksmen_free (marksmen);

  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  n_begun = read_record (path);
  for (guint i = 0; i < n_tasks; i++)
    if (check_cancelled (futures->pdata[i], i, n_begun[i]) && is_confirmed (i))
      n_killed += n_begun[i];
  g_assert_cmpuint (self.n_told, ==, n_tasks);

  g_test_message ("%u were cancelled, %u of them by a kill, and %u were not", self.aim.n_early,
                  n_killed, self.aim.n_late);
  aim_assert_share (n_killed, self.aim.n_late, "killed or done");
}

/* An application that is stopped, and finds everything done when it goes on */

#define STOPPED_LIMIT 2000 /* ms */

static void
run_stopped (void)
{
  const char *const argv[] = { "sleep", "0.2", NULL };
  DrayExecutor *executor = host_new_executor (3);
  g_autoptr (DrayTask) call = dray_task_new_call ("sleep", g_variant_new ("(u)", 200));
  g_autoptr (DrayTask) command = dray_task_new_command (argv);
  DrayFuture *futures[3];

  dray_task_set_time_limit (call, STOPPED_LIMIT);
  dray_task_set_time_limit (command, STOPPED_LIMIT);
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    futures[i] = dray_executor_submit (executor, i < 2 ? call : command, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    workshop_block_until_running (futures[i]);
  printf ("%d\n", getpid ());
  fflush (stdout);

  for (guint i = 0; i < G_N_ELEMENTS (futures); i++)
    {
      g_autoptr (GError) error = NULL;
      G_GNUC_UNUSED g_autoptr (GVariant) result = dray_future_wait_result (futures[i], -1, NULL,
                                                                           &error);

      g_assert_no_error (error);
      g_object_unref (futures[i]);
    }
  host_finish (executor);
}

static gboolean
has_passed (gpointer user_data)
{
  const gint64 *time = user_data;

  return g_get_monotonic_time () >= *time;
}

static void
test_stopped (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GSubprocess) host = NULL;
  g_autoptr (GDataInputStream) output = NULL;
  g_autofree char *line = NULL;
  gint64 end;

  g_test_summary (
    "Tasks that were done in time, commands as well, are not late because the application "
    "was stopped.");

  host = host_start ("stopped");
  output = g_data_input_stream_new (g_subprocess_get_stdout_pipe (host));
  line = g_data_input_stream_read_line (output, NULL, NULL, NULL);
  g_assert_nonnull (line);
  kill (atoi (line), SIGSTOP);
  end = g_get_monotonic_time () + (STOPPED_LIMIT + 100) * G_TIME_SPAN_MILLISECOND;
  fixture_iterate_until (has_passed, &end, "the time is over");
  kill (atoi (line), SIGCONT);
  g_assert_true (g_subprocess_wait (host, NULL, NULL));
  g_assert_true (g_subprocess_get_successful (host));
}

static const HostPart parts[] = { { "stopped", run_stopped } };

int
main (int argc, char **argv)
{
  static const Race killed_at_once = { .limit = 2, .grace = 0 };
  static const Race terminated = { .limit = 1, .grace = 2, .signal_at = 1 };
  static const Race killed = { .limit = 1, .grace = 2, .signal_at = 2, .deaf = TRUE };
  static const Race piped = { .limit = 2, .grace = 0, .piped = TRUE };
  static const struct
  {
    const char *path;
    Race race;
  } larges[] = {
    { "/time-limit-races/large/killed-at-once", { .limit = 30, .grace = 0 } },
    { "/time-limit-races/large/terminated", { .limit = 30, .grace = 4, .signal_at = 2 } },
    { "/time-limit-races/large/killed", { .limit = 30, .grace = 4, .signal_at = 4, .deaf = TRUE } },
    { "/time-limit-races/large/pipes", { .limit = 30, .grace = 0, .piped = TRUE } },
    { "/time-limit-races/large/sealed", { .limit = 30, .grace = 0, .sealed = TRUE } },
    { "/time-limit-races/large/slots", { .limit = 30, .grace = 0, .trusted = TRUE } },
  };

  if (host_is_wanted (argc, argv))
    return host_run (argv, parts, G_N_ELEMENTS (parts));

  g_test_init (&argc, &argv, NULL);

  rig_add ("/time-limit-races/killed-at-once", &killed_at_once, test_race);
  rig_add ("/time-limit-races/terminated", &terminated, test_race);
  rig_add ("/time-limit-races/killed", &killed, test_race);
  rig_add ("/time-limit-races/pipes", &piped, test_race);
  for (gsize i = 0; i < G_N_ELEMENTS (larges); i++)
    rig_add (larges[i].path, &larges[i].race, test_large);
  rig_add ("/time-limit-races/cancelled/pipes", &piped, test_cancel);
  rig_add ("/time-limit-races/cancelled/killed-at-once", &killed_at_once, test_cancel);
  rig_add ("/time-limit-races/cancelled/terminated", &terminated, test_cancel);
  rig_add ("/time-limit-races/cancelled/killed", &killed, test_cancel);
  workshop_add ("/time-limit-races/application-stopped", NULL, test_stopped);

  return g_test_run ();
}
