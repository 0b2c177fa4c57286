/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "payload-rig.h"
#include "workshop.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Workers that can't be started, or never become ready: with tasks that are small, and with large
 * ones, which get a worker later or never. Meanwhile another executor on the same I/O thread, whose
 * workers work, is busy with large results, and hears nothing of it.
 */

#define SMALL 10
#define LARGE (1200 * 1000) /* bytes: more than a ring, or a pipe as workers have it, can hold */

#define N_BESIDE 12              /* tasks of the other executor, again and again */
#define SIZE_BESIDE (300 * 1000) /* bytes: more than a ring, or a pipe as it comes, can hold */

/* After as many failures in a row the pool gives up. After the first one it waits for so long before
 * it starts another worker, in µs; after each that follows, for twice as long. */
#define N_TRIES 3
#define FIRST_DELAY (20 * G_TIME_SPAN_MILLISECOND)

/* What each task is given, and returns where it runs. */
typedef struct
{
  const char *name;
  guint32 size;    /* bytes */
  gboolean shared; /* they are in shared memory, both ways */
} Load;

typedef struct
{
  DrayExecutor *executor; /* (owned) */
  GPtrArray *futures;     /* (owned) (element-type DrayFuture) */
} Beside;

typedef struct
{
  const Load *load;
  const char *mode; /* (nullable): of the workers */
  void (*test) (Rig *rig, gconstpointer data);
  Beside *beside; /* (unowned) (nullable): while the test runs */
} Case;

/* Takes @launcher and returns it. */
static DrayLauncher *
prepare (const Case *chosen, DrayLauncher *launcher)
{
  if (chosen->load->shared)
    dray_launcher_set_shared_size (launcher, 4096);

  return launcher;
}

static DrayLauncher *
new_launcher (const Case *chosen, const char *program, const char *argument, const char *detail)
{
  const char *argv[] = { program, argument, detail, NULL };

  return prepare (chosen, dray_launcher_new_argv (argv));
}

static DrayLauncher *
new_worker_launcher (const Case *chosen, const char *mode, const char *detail)
{
  g_autofree char *program = fixture_dup_misbehaving_worker ();

  return new_launcher (chosen, program, mode, detail);
}

/* (transfer full): what a call is given */
static GVariant *
new_bytes (const Case *chosen)
{
  const guint32 size = chosen->load->size;
  guint8 *bytes = g_malloc (size);

  for (guint32 i = 0; i < size; i++)
    bytes[i] = (guint8) i;

  return g_variant_ref_sink (
    g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, bytes, size, TRUE, g_free, bytes));
}

/* (transfer full): a call that returns what it is given */
static DrayFuture *
call (Rig *rig, const Case *chosen)
{
  g_autoptr (GVariant) bytes = new_bytes (chosen);

  return rig_call (rig, "echo", "@ay", bytes);
}

static void
expect_answer (DrayFuture *future, const Case *chosen)
{
  g_autoptr (GVariant) result = rig_expect_result (future);

  workshop_assert_bytes (result, chosen->load->size);
  g_assert_true (payload_is_shared (result) == chosen->load->shared);
}

/* Beside */

static void
submit_beside (Rig *rig, Beside *beside)
{
  for (guint i = 0; i < N_BESIDE; i++)
    {
      GVariant *arguments = g_variant_new ("(u)", SIZE_BESIDE);
      DrayFuture *future = dray_executor_call (beside->executor, "bytes", arguments);

      g_ptr_array_add (beside->futures, rig_count (rig, future));
    }
}

static void
expect_beside (Beside *beside)
{
  for (guint i = 0; i < beside->futures->len; i++)
    rig_expect_bytes (beside->futures->pdata[i], SIZE_BESIDE);
  g_ptr_array_set_size (beside->futures, 0);
}

/* Failing */

/* For how long, at least, calls have waited that fail since no worker can be started: µs. With one
 * slot there is one try at a time. With more of them those that are to be made may all be under way
 * before the first one has failed. */
static gint64
get_least_wait (Rig *rig)
{
  gint64 least = 0;

  if (dray_executor_get_max_workers (rig->executor) == 1)
    for (guint n_failures = 1; n_failures < N_TRIES; n_failures++)
      least += FIRST_DELAY << (n_failures - 1);

  return least;
}

/* That calls of @rig fail with a clear error, all of them, after few tries, which are not made as
 * fast as they can fail. */
static void
assert_no_launch (Rig *rig, const Case *chosen, const char *pattern)
{
  gint64 least_wait = get_least_wait (rig);
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  g_autoptr (GVariant) bytes = new_bytes (chosen);
  g_autoptr (DrayFuture) later = NULL;
  guint64 n_started;
  gint64 start;

  submit_beside (rig, chosen->beside);

  start = g_get_monotonic_time ();
  /* At once: one that comes after the others have failed is a reason for more tries. */
  for (int i = 0; i < 20; i++)
    g_ptr_array_add (futures, rig_call (rig, "echo", "@ay", bytes));
  for (int i = 0; i < 20; i++)
    rig_expect_error (futures->pdata[i], DRAY_ERROR, DRAY_ERROR_LAUNCH, pattern);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, least_wait);

  n_started = rig_get_count (rig, workers_started);
  g_assert_cmpuint (n_started, <=, 8);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, n_started);
  g_assert_cmpuint (rig_get_count (rig, queue_length), ==, 0);

  /* A task that comes later is a reason to try again, after the wait that is left from the last
   * failure, and meets the same. */
  later = call (rig, chosen);
  rig_expect_error (later, DRAY_ERROR, DRAY_ERROR_LAUNCH, pattern);
  g_assert_cmpuint (rig_get_count (rig, workers_started), <=, n_started + 2);
  least_wait += FIRST_DELAY << (N_TRIES - 1);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, least_wait);

  expect_beside (chosen->beside);
}

/* Programs that can't be started */

static void
test_missing (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "no-such-program");

  g_test_summary ("A program that does not exist is named, and the reason is told.");

  rig_start_with (rig, new_launcher (data, path, NULL, NULL), 2);
  assert_no_launch (rig, data, "*no-such-program”: No such file or directory");
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 0);
  g_clear_object (&rig->executor);

  rig_start_with (rig, new_launcher (data, "dray-no-such-program-in-the-path", NULL, NULL), 2);
  assert_no_launch (rig, data, "*“dray-no-such-program-in-the-path”: No such file or directory");
}

static void
test_not_executable (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "text");

  g_test_summary ("A file that is no program is named, and the reason is told.");

  g_file_set_contents (path, "This is not a program.\n", -1, NULL);
  rig_start_with (rig, new_launcher (data, path, NULL, NULL), 2);
  assert_no_launch (rig, data, "*text”: Permission denied");
}

static void
test_folder (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "no-such-folder");
  DrayLauncher *launcher = new_worker_launcher (data, NULL, NULL);

  g_test_summary ("A folder that can't be entered is named, and not the program blamed for it.");

  dray_launcher_set_directory (launcher, path);
  rig_start_with (rig, launcher, 2);
  assert_no_launch (rig, data, "*no-such-folder”: No such file or directory");
}

/* Programs that are no workers */

static void
test_foreign (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *program;
    const char *argument;
    const char *pattern;
  } vectors[] = {
    { "/bin/cat", NULL,
      "The worker “cat” sent something unexpected: a copy of what it was sent, so it can’t be a "
      "Dray worker" },
    { "yes", NULL, "*“yes”*" },
    { "/bin/yes", NULL, "*“yes”*" },
    { "true", NULL, "*“true”*status 0*" },
    { "false", NULL, "*“false”*status 1*" },
    { "sh", "-c", "*“sh”*status 2*" },
    { "echo", "hello",
      "The worker “echo” sent something unexpected: “hello …” where a message of Dray’s protocol "
      "should begin" },
  };

  g_test_summary ("A program that is no worker is told apart, whatever it does instead.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      rig_start_with (rig, new_launcher (data, vectors[i].program, vectors[i].argument, NULL), 2);
      assert_no_launch (rig, data, vectors[i].pattern);
      g_clear_object (&rig->executor);
    }
}

static void
test_modes (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *mode;
    const char *pattern;
  } vectors[] = {
    { "--not-a-worker", "*“misbehaving-worker”*" },
    { "--echo-stdin", "*“misbehaving-worker”*" },
    { "--yes", "*“misbehaving-worker”*" },
    { "--other-version",
      "The worker “misbehaving-worker” sent something unexpected: a message in version 9 of Dray’s "
      "protocol, where this library speaks version 1" },
    { "--other-byte-order",
      "The worker “misbehaving-worker” sent something unexpected: a message in a byte order other "
      "than this machine’s" },
    { "--init-fails",
      "The worker “misbehaving-worker” could not be prepared: There is no model to load" },
    { "--init-says-nothing",
      "The worker “misbehaving-worker” could not be prepared: its initializer failed without "
      "saying why" },
    { "--init-says-empty",
      "The worker “misbehaving-worker” could not be prepared: its initializer failed without "
      "saying why" },
    { "--init-exits", "*“misbehaving-worker”*status 5*" },
    { "--init-crashes", "*“misbehaving-worker”*signal 11*" },
  };

  g_test_summary ("A worker of another version or machine, or one that is not ready for work, says "
                  "why, and that is in the error.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      rig_start_with (rig, new_worker_launcher (data, vectors[i].mode, NULL), 2);
      assert_no_launch (rig, data, vectors[i].pattern);
      g_clear_object (&rig->executor);
    }
}

static void
test_silent (Rig *rig, gconstpointer data)
{
  const Case *chosen = data;

  g_test_summary ("A worker that is not ready in time is killed and counts as one that could not "
                  "be started.");

  rig_start_with (rig, new_worker_launcher (chosen, chosen->mode, NULL), 2);
  g_object_set (rig->executor, "launch-timeout", 100, NULL);
  assert_no_launch (rig, data, "*“misbehaving-worker” was not ready in time*");
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, rig_get_count (rig, workers_started));
  g_assert_cmpuint (rig_get_count (rig, workers_died_idle), ==, rig_get_count (rig, workers_died));
}

static void
test_one_at_a_time (Rig *rig, gconstpointer data)
{
  g_test_summary ("With one slot, the second try is made 20 ms after the first one has failed, the "
                  "third 40 ms after the second, and another one, if there is a reason, 80 ms "
                  "later: where no process can be started, as where it does not become ready.");

  rig_start_with (rig, new_launcher (data, "/no/such/program", NULL, NULL), 1);
  assert_no_launch (rig, data, "*“/no/such/program”: No such file or directory");
  g_clear_object (&rig->executor);

  rig_start_with (rig, new_worker_launcher (data, "--init-fails", NULL), 1);
  assert_no_launch (rig, data, "*There is no model to load");
}

static void
test_cancel_while_launching (Rig *rig, gconstpointer data)
{
  const Case *chosen = data;
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A task whose worker is still starting can be cancelled, and the executor be "
                  "shut down.");

  rig_start_with (rig, new_worker_launcher (chosen, chosen->mode, NULL), 1);
  future = call (rig, chosen);
  rig_run_until_count (rig, workers_started, 1);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  rig_shut_down (rig, DRAY_SHUTDOWN_TERMINATE);
}

/* What is not harmed by it */

static void
test_recovery (Rig *rig, gconstpointer data)
{
  g_autofree char *worker = fixture_dup_misbehaving_worker ();
  g_autofree char *path = rig_dup_path (rig, "late-program");
  g_autofree char *script = g_strdup_printf ("#!/bin/sh\nexec '%s'\n", worker);
  g_autoptr (DrayFuture) early = NULL;
  g_autoptr (DrayFuture) late = NULL;

  g_test_summary ("When the program appears later, the executor works from then on.");

  rig_start_with (rig, new_launcher (data, path, NULL, NULL), 1);
  early = call (rig, data);
  rig_expect_error (early, DRAY_ERROR, DRAY_ERROR_LAUNCH, NULL);

  g_assert_true (g_file_set_contents (path, script, -1, NULL));
  g_assert_cmpint (chmod (path, 0755), ==, 0);
  late = call (rig, data);
  expect_answer (late, data);
}

static void
test_one_left (Rig *rig, gconstpointer data)
{
  g_autofree char *worker = fixture_dup_misbehaving_worker ();
  g_autofree char *path = rig_dup_path (rig, "vanishing-program");
  g_autoptr (GPtrArray) futures = rig_new_futures ();

  g_test_summary ("While one worker is alive, that no others can be started fails nobody.");

  g_assert_cmpint (symlink (worker, path), ==, 0);
  rig_start_with (rig, new_launcher (data, path, NULL, NULL), 3);
  rig_ask_pid (rig);
  g_assert_cmpint (unlink (path), ==, 0);
  for (int i = 0; i < 40; i++)
    g_ptr_array_add (futures, i % 2 == 0 ? rig_call (rig, "sleep", "(u)", 10) : call (rig, data));
  for (int i = 0; i < 40; i++)
    if (i % 2 == 0)
      rig_expect_text (futures->pdata[i], "()");
    else
      expect_answer (futures->pdata[i], data);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
}

static void
test_at_times (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "times");
  const guint n_tasks = 120;
  g_autoptr (GPtrArray) futures = rig_new_futures ();

  g_test_summary ("Every other worker fails to initialise, and all are used up soon: another try "
                  "is made each time, and no task fails.");

  rig_start_with (rig, new_worker_launcher (data, "--init-fails-at-times", path), 3);
  g_object_set (rig->executor, "max-tasks-per-worker", 20, NULL);
  for (guint i = 0; i < n_tasks; i++)
    g_ptr_array_add (futures, call (rig, data));

  /* None is kept for longer than it takes to look at it. */
  while (futures->len > 0)
    {
      g_autoptr (DrayFuture) future = g_ptr_array_steal_index (futures, 0);

      expect_answer (future, data);
    }
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, n_tasks);
  g_assert_cmpuint (rig_get_count (rig, workers_died), >=, 3);
}

#define N_HANGING 3 /* workers, of --init-hangs-first */

static gboolean
have_just_those (gpointer list)
{
  return g_list_model_get_n_items (list) == N_HANGING;
}

/* As many were started as may be, and one becomes ready before the others have failed. */
static void
test_late_failures (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "hanging");
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  g_autoptr (DrayFuture) last = NULL;
  GListModel *workers;

  g_test_summary ("Workers that were started before another one was ready, and fail after it is "
                  "gone, do not show that none can be started.");

  rig_start_with (rig, new_worker_launcher (data, "--init-hangs-first", path), N_HANGING + 1);
  workers = dray_executor_get_workers (rig->executor);
  for (int i = 0; i <= N_HANGING; i++)
    g_ptr_array_add (futures, call (rig, data));
  for (int i = 0; i <= N_HANGING; i++)
    expect_answer (futures->pdata[i], data);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, N_HANGING + 1);

  kill (rig_ask_pid (rig), SIGKILL);
  fixture_iterate_until (have_just_those, workers, "the one that was ready is gone");
  last = call (rig, data);
  for (guint i = 0; i < N_HANGING; i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (workers, i);

      kill (dray_worker_process_get_pid (worker), SIGKILL);
    }
  expect_answer (last, data);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, N_HANGING + 1);
}

static void
test_commands_go_on (Rig *rig, gconstpointer data)
{
  const Case *chosen = data;
  g_autofree char *size = g_strdup_printf ("%u", chosen->load->size);
  const char *argv[] = { "head", "-c", size, "/dev/zero", NULL };
  g_autoptr (DrayFuture) waiting = NULL;
  g_autoptr (DrayFuture) command = NULL;
  g_autoptr (GVariant) output = NULL;

  g_test_summary ("Commands are run while workers can't be started.");

  rig_start_with (rig, new_launcher (data, "/no/such/program", NULL, NULL), 1);
  waiting = call (rig, data);
  command = rig_submit (rig, dray_task_new_command (argv));
  output = rig_expect_result (command);
  g_assert_cmpuint (g_variant_get_size (output), ==, chosen->load->size);
  rig_expect_error (waiting, DRAY_ERROR, DRAY_ERROR_LAUNCH, NULL);
}

static void
test_slow_start (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = rig_new_futures ();

  g_test_summary ("Workers that take their time are waited for, and not more of them started than "
                  "there are slots.");

  rig_start_with (rig, new_worker_launcher (data, "--slow-start", "300"), 2);
  for (int i = 0; i < 20; i++)
    g_ptr_array_add (futures, call (rig, data));
  for (int i = 0; i < 20; i++)
    expect_answer (futures->pdata[i], data);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, 20);
  g_assert_cmpuint (rig_get_count (rig, workers_started), <=, 2);
}

static void
test_early_crashes (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  g_autoptr (DrayFuture) good = NULL;
  gint64 start, least = 0;

  g_test_summary ("Workers that die of their very first task slow the executor down, and fail "
                  "nobody but those tasks.");

  rig_start_with (rig, new_worker_launcher (data, NULL, NULL), 1);
  start = g_get_monotonic_time ();
  for (int i = 0; i < 6; i++)
    g_ptr_array_add (futures, rig_call (rig, "exit", "(i)", 1));
  good = call (rig, data);
  for (int i = 0; i < 6; i++)
    {
      rig_expect_error (futures->pdata[i], DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);
      g_assert_cmpint (g_get_monotonic_time () - start, >=, least);
      least += FIRST_DELAY << i;
    }
  expect_answer (good, data);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, least);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 6 + 1);
}

/* All of it, beside an executor that works */

static void
test_beside (Rig *rig, gconstpointer data)
{
  Case chosen = *(const Case *) data;
  Beside beside = { .futures = rig_new_futures () };
  g_autoptr (DrayLauncher) launcher = prepare (&chosen, rig_new_launcher (NULL));

  beside.executor = dray_executor_new (launcher);
  dray_executor_set_max_workers (beside.executor, 2);
  submit_beside (rig, &beside);
  chosen.beside = &beside;
  chosen.test (rig, &chosen);

  expect_beside (&beside);
  dray_executor_shutdown_sync (beside.executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
  g_object_unref (beside.executor);
  g_ptr_array_unref (beside.futures);
}

static const Load loads[] = {
  { "small", SMALL, FALSE },
  { "large", LARGE, FALSE },
  { "shared", LARGE, TRUE },
};

static const struct
{
  const char *path;
  const char *mode;
  gboolean works; /* in the end, so that there is something to be shared */
  void (*test) (Rig *rig, gconstpointer data);
} scenes[] = {
  { "missing", NULL, FALSE, test_missing },
  { "not-executable", NULL, FALSE, test_not_executable },
  { "folder", NULL, FALSE, test_folder },
  { "foreign", NULL, FALSE, test_foreign },
  { "modes", NULL, FALSE, test_modes },
  { "silent", "--silent", FALSE, test_silent },
  { "init-hangs", "--init-hangs", FALSE, test_silent },
  { "one-at-a-time", NULL, FALSE, test_one_at_a_time },
  { "cancelled/silent", "--silent", FALSE, test_cancel_while_launching },
  { "cancelled/init-hangs", "--init-hangs", FALSE, test_cancel_while_launching },
  { "recovery", NULL, TRUE, test_recovery },
  { "one-left", NULL, TRUE, test_one_left },
  { "at-times", NULL, TRUE, test_at_times },
  { "late", NULL, TRUE, test_late_failures },
  { "commands", NULL, FALSE, test_commands_go_on },
  { "slow-start", NULL, TRUE, test_slow_start },
  { "early-crashes", NULL, TRUE, test_early_crashes },
};

int
main (int argc, char **argv)
{
  static Case cases[G_N_ELEMENTS (scenes)][G_N_ELEMENTS (loads)];

  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (scenes); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (loads); j++)
      {
        g_autofree char *path = g_strdup_printf ("/launch-failures/%s/%s", scenes[i].path,
                                                 loads[j].name);

        cases[i][j] = (Case){ &loads[j], scenes[i].mode, scenes[i].test, NULL };
        if (scenes[i].works || !loads[j].shared)
          rig_add (path, &cases[i][j], test_beside);
      }

  return g_test_run ();
}
