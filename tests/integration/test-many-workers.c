/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Hundreds of workers at once, and what becomes of work where descriptors run out. */

#ifdef __SANITIZE_ADDRESS__
#define MOST_WORKERS 100 /* each of them is many times as large */
#else
#define MOST_WORKERS 500
#endif

/* What one worker costs the application: its input, output and errors, the socket for open files,
 * and the process itself. */
#define DESCRIPTORS_PER_WORKER 5

/* All of them with “-m slow”. */
static int
get_n_workers (void)
{
  return g_test_slow () ? MOST_WORKERS : MIN (MOST_WORKERS, 100);
}

/* --- Limits --- */

typedef struct
{
  struct rlimit before;
} Limit;

static void
limit_set (Limit *self, rlim_t n_descriptors)
{
  struct rlimit limit = { .rlim_cur = n_descriptors, .rlim_max = self->before.rlim_max };

  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

static void
limit_clear (Limit *self)
{
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &self->before), ==, 0);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Limit, limit_clear)

static void
limit_init (Limit *self)
{
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &self->before), ==, 0);
}

/* Whether that many workers can be had at all; else the test is skipped. */
static gboolean
limit_allow (Limit *self, guint n_workers)
{
  const rlim_t n_descriptors = n_workers * DESCRIPTORS_PER_WORKER + 200;
  struct rlimit processes;

  if (self->before.rlim_max < n_descriptors)
    {
      g_test_skip ("The machine does not allow for so many open files");
      return FALSE;
    }

  g_assert_cmpint (getrlimit (RLIMIT_NPROC, &processes), ==, 0);
  if (processes.rlim_cur < n_workers * 4)
    {
      g_test_skip ("The machine does not allow for so many processes");
      return FALSE;
    }

  limit_set (self, MAX (n_descriptors, self->before.rlim_cur));
  return TRUE;
}

static guint
count_descriptors (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;

  return n - 1; /* that of the list itself */
}

/* --- Sleepers --- */

/* Adds up how often the threads of @pid were put to work, all but the thread @but. */
static guint64
count_switches (int pid, int but)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *tid;
  guint64 n = 0;

  while (dir != NULL && (tid = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, tid, "status", NULL);
      g_autofree char *text = NULL;
      const char *line;

      if (atoi (tid) == but || !g_file_get_contents (path, &text, NULL, NULL))
        continue;
      line = strstr (text, "\nvoluntary_ctxt_switches:");
      g_assert_nonnull (line);
      n += g_ascii_strtoull (strchr (line, ':') + 1, NULL, 10);
    }

  return n;
}

/* (transfer full): the same for each worker, and last for the application but its main thread */
static GArray *
count_all_switches (GArray *pids)
{
  GArray *counts = g_array_new (FALSE, FALSE, sizeof (guint64));

  for (guint i = 0; i <= pids->len; i++)
    {
      guint64 n = i < pids->len ? count_switches (g_array_index (pids, int, i), 0)
                                : count_switches (getpid (), getpid ());

      g_array_append_val (counts, n);
    }

  return counts;
}

/* Something else takes time, in a process of its own. */
static void
pass_time (void)
{
  const char *argv[] = { "sh", "-c", "i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done", NULL };
  g_autoptr (GError) error = NULL;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                &error);
  g_assert_no_error (error);
}

static gboolean
stay_asleep (GArray *pids)
{
  g_autoptr (GArray) before = count_all_switches (pids);
  g_autoptr (GArray) after = NULL;

  pass_time ();
  after = count_all_switches (pids);

  for (guint i = 0; i < before->len; i++)
    if (g_array_index (before, guint64, i) != g_array_index (after, guint64, i))
      return FALSE;

  return TRUE;
}

/* They may have something to finish when they are first looked at, but not for ever. */
static void
expect_sleep (GArray *pids)
{
  for (int i = 0; i < 10; i++)
    if (stay_asleep (pids))
      return;

  g_error ("who has nothing to do is put to work again and again");
}

/* (transfer full) */
static GArray *
list_pids (Rig *rig)
{
  GListModel *workers = dray_executor_get_workers (rig->executor);
  GArray *pids = g_array_new (FALSE, FALSE, sizeof (int));

  for (guint i = 0; i < g_list_model_get_n_items (workers); i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (workers, i);
      int pid = dray_worker_process_get_pid (worker);

      g_array_append_val (pids, pid);
    }

  return pids;
}

typedef struct
{
  Rig *rig; /* (unowned) */
  DrayWorkerState state;
  guint n;
} StateWait;

static gboolean
has_state (gpointer user_data)
{
  StateWait *wait = user_data;
  GListModel *workers = dray_executor_get_workers (wait->rig->executor);
  guint n = 0;

  for (guint i = 0; i < g_list_model_get_n_items (workers); i++)
    {
      g_autoptr (DrayWorkerProcess) worker = g_list_model_get_item (workers, i);

      if (dray_worker_process_get_state (worker) == wait->state)
        n++;
    }

  return n == wait->n;
}

/* --- Calls --- */

static void
start (Rig *rig, guint max_workers)
{
  rig_start (rig, max_workers);
  g_object_set (rig->executor, "idle-timeout", 0, "launch-timeout", 60000, NULL);
}

/* (transfer full) */
static GPtrArray *
add_numbers (Rig *rig, int n)
{
  GPtrArray *futures = g_ptr_array_new_with_free_func (g_object_unref);

  for (int i = 0; i < n; i++)
    g_ptr_array_add (futures, rig_call (rig, "add", "(ii)", i, 1));

  return futures;
}

static void
expect_sums (GPtrArray *futures)
{
  for (guint i = 0; i < futures->len; i++)
    {
      g_autoptr (GVariant) sum = rig_expect_result (futures->pdata[i]);

      g_assert_cmpint (g_variant_get_int32 (sum), ==, (int) i + 1);
    }
}

static void
occupy_all (Rig *rig, GPtrArray *futures)
{
  const int n_workers = get_n_workers ();
  StateWait wait = { rig, DRAY_WORKER_BUSY, n_workers };

  dray_executor_get_workers (rig->executor);
  for (int i = 0; i < n_workers; i++)
    g_ptr_array_add (futures, rig_call (rig, "block", NULL));
  for (int i = 0; i < n_workers; i++)
    rig_run_until_running (futures->pdata[i]);
  fixture_iterate_until (has_state, &wait, "all workers are busy at once");
}

static void
test_busy_and_idle (Rig *rig, gconstpointer data)
{
  const int n_workers = get_n_workers ();
  g_auto (Limit) limit;
  g_autoptr (GPtrArray) blocked = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) sums = NULL;
  g_autoptr (GArray) pids = NULL;
  StateWait idle = { rig, DRAY_WORKER_IDLE, n_workers };
  guint n_descriptors = count_descriptors ();

  g_test_summary (
    "A hundred workers, and five hundred with “-m slow”, are busy at once, answer each "
    "for itself, and sleep when there is nothing to do, and so does the application.");

  limit_init (&limit);
  if (!limit_allow (&limit, n_workers))
    return;

  start (rig, n_workers);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  occupy_all (rig, blocked);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, n_workers);
  g_assert_cmpuint (count_descriptors (), <=,
                    n_descriptors + n_workers * DESCRIPTORS_PER_WORKER + 10);

  dray_executor_cancel_all (rig->executor);
  for (int i = 0; i < n_workers; i++)
    rig_expect_cancelled (blocked->pdata[i]);
  fixture_iterate_until (has_state, &idle, "all workers are idle");

  sums = add_numbers (rig, 4 * n_workers);
  expect_sums (sums);
  fixture_iterate_until (has_state, &idle, "all workers are idle again");

  pids = list_pids (rig);
  g_assert_cmpuint (pids->len, ==, n_workers);
  expect_sleep (pids);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, n_workers);
}

/* --- Shortage --- */

static void
test_some_fit (Rig *rig, gconstpointer data)
{
  const guint n_fit = 20;
  const int n_workers = get_n_workers ();
  g_auto (Limit) limit;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) sums = NULL;
  g_autoptr (GArray) pids = NULL;
  int own[8];

  g_test_summary ("Where only some workers fit below the limit of open files, those do all the "
                  "work, nobody is woken for nothing then, and the application can open files.");

  limit_init (&limit);
  start (rig, n_workers);
  limit_set (&limit, count_descriptors () + n_fit * DESCRIPTORS_PER_WORKER + 20);
  for (int i = 0; i < n_workers; i++)
    g_ptr_array_add (futures, rig_call (rig, "sleep", "(u)", 10));
  sums = add_numbers (rig, n_workers);

  for (int i = 0; i < n_workers; i++)
    rig_expect_text (futures->pdata[i], "()");
  expect_sums (sums);
  g_assert_cmpuint (rig_get_count (rig, workers_started), >=, n_fit / 2);
  g_assert_cmpuint (rig_get_count (rig, workers_started), <=, n_fit + 4);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);

  for (guint i = 0; i < G_N_ELEMENTS (own); i++)
    {
      own[i] = open ("/dev/null", O_RDONLY | O_CLOEXEC);
      g_assert_cmpint (own[i], >=, 0);
    }
  for (guint i = 0; i < G_N_ELEMENTS (own); i++)
    close (own[i]);

  limit_set (&limit, limit.before.rlim_cur);
  pids = list_pids (rig);
  expect_sleep (pids);
}

static void
test_each_point (Rig *rig, gconstpointer data)
{
  const guint step = g_test_slow () ? 1 : 4;
  g_auto (Limit) limit;

  g_test_summary (
    "Wherever in the start of a worker the last descriptor is used up: all is done by "
    "the workers there are, or fails and says why, and what runs later sleeps. Some "
    "points, by chance, and each with “-m slow”.");

  limit_init (&limit);
  for (guint n_spare = (guint) g_test_rand_int_range (0, (int) step); n_spare < 16; n_spare += step)
    {
      g_autoptr (GPtrArray) futures = NULL;
      g_autoptr (GPtrArray) later = NULL;
      g_autoptr (GArray) pids = NULL;

      start (rig, 4);
      futures = GPOINTER_TO_INT (data) ? g_ptr_array_new_with_free_func (g_object_unref) : NULL;
      if (futures != NULL)
        rig_ask_pid (rig);
      limit_set (&limit, count_descriptors () + n_spare);
      g_clear_pointer (&futures, g_ptr_array_unref);
      futures = add_numbers (rig, 20);

      /* The first one tells for all. */
      fixture_run_until_done (futures->pdata[0]);
      if (dray_future_get_state (futures->pdata[0]) == DRAY_FUTURE_SUCCEEDED)
        expect_sums (futures);
      else
        for (guint i = 0; i < futures->len; i++)
          rig_expect_error (futures->pdata[i], DRAY_ERROR, DRAY_ERROR_LAUNCH,
                            "*limit of open files (RLIMIT_NOFILE)*");
      if (GPOINTER_TO_INT (data))
        g_assert_cmpint (dray_future_get_state (futures->pdata[0]), ==, DRAY_FUTURE_SUCCEEDED);

      limit_set (&limit, limit.before.rlim_cur);
      later = add_numbers (rig, 20);
      expect_sums (later);
      pids = list_pids (rig);
      expect_sleep (pids);
      rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
    }
}

static void
test_none_fits (Rig *rig, gconstpointer data)
{
  g_auto (Limit) limit;
  g_autoptr (GPtrArray) futures = NULL;
  g_autoptr (GPtrArray) later = NULL;

  g_test_summary ("Where not even one worker fits, that is what the error says; and when the limit "
                  "is raised all goes on.");

  limit_init (&limit);
  start (rig, 4);
  limit_set (&limit, count_descriptors () + 4);
  futures = add_numbers (rig, 20);
  for (guint i = 0; i < futures->len; i++)
    rig_expect_error (futures->pdata[i], DRAY_ERROR, DRAY_ERROR_LAUNCH,
                      "*limit of open files (RLIMIT_NOFILE)*");
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 0);

  limit_set (&limit, limit.before.rlim_cur);
  later = add_numbers (rig, 20);
  expect_sums (later);
}

static void
test_leaving (Rig *rig, gconstpointer data)
{
  g_auto (Limit) limit;
  g_autoptr (DrayFuture) deaf = NULL;
  g_autoptr (DrayFuture) next = NULL;

  g_test_summary (
    "Where there are no descriptors for a new worker before the old one is gone, which "
    "takes its time, the task waits for that.");

  limit_init (&limit);
  start (rig, 1);
  g_object_set (rig->executor, "grace-period", 1000, NULL);
  deaf = rig_call (rig, "ignore-cancel", NULL);
  rig_run_until_status (deaf, "deaf");
  limit_set (&limit, count_descriptors () + 5); /* a start takes nine for a moment */
  dray_future_cancel (deaf);
  next = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_text (next, "3");
  rig_expect_cancelled (deaf);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/many-workers/busy-and-idle", NULL, test_busy_and_idle);
  rig_add ("/many-workers/shortage/some-fit", NULL, test_some_fit);
  rig_add ("/many-workers/shortage/none-fits", NULL, test_none_fits);
  rig_add ("/many-workers/shortage/leaving", NULL, test_leaving);
  rig_add ("/many-workers/shortage/each-point", GINT_TO_POINTER (FALSE), test_each_point);
  rig_add ("/many-workers/shortage/each-point/one-lives", GINT_TO_POINTER (TRUE), test_each_point);

  return g_test_run ();
}
