/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The system watches only so many descriptors for each user (fs.epoll.max_user_watches). Where that
 * is used up, what runs goes on, what can't be started says why, and all works again afterwards.
 *
 * The limit is that of all processes of the user. So it is not used up here: the library, which
 * calls what it finds first, finds the test's own epoll_ctl().
 */

#define ANY_NUMBER (-1)
#define LIMIT (1024 * 1024)
#define LARGE (8u * 1024 * 1024)

static int n_left = ANY_NUMBER; /* atomic: that may still be added */
static int n_added;             /* atomic */
static int n_refused;           /* atomic */

static GMutex hang_ups_lock;
static GHashTable *hang_ups; /* (owned) (nullable): how many were reported, by watch; by the lock */

static gboolean
may_add (void)
{
  int n;

  do
    {
      n = g_atomic_int_get (&n_left);
      if (n == 0)
        return FALSE;
    }
  while (n > 0 && !g_atomic_int_compare_and_exchange (&n_left, n, n - 1));

  return TRUE;
}

int
epoll_ctl (int epoll_fd, int operation, int fd, struct epoll_event *event)
{
  if (operation != EPOLL_CTL_ADD)
    return (int) syscall (SYS_epoll_ctl, epoll_fd, operation, fd, event);

  if (!may_add ())
    {
      g_atomic_int_inc (&n_refused);
      errno = ENOSPC;
      return -1;
    }
  g_atomic_int_inc (&n_added);
  return (int) syscall (SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

int
epoll_wait (int epoll_fd, struct epoll_event *events, int max_events, int timeout)
{
  const int n = epoll_pwait (epoll_fd, events, max_events, timeout, NULL);

  g_mutex_lock (&hang_ups_lock);
  for (int i = 0; i < n && hang_ups != NULL; i++)
    if ((events[i].events & EPOLLHUP) != 0)
      {
        gpointer watch = events[i].data.ptr;
        guint count = GPOINTER_TO_UINT (g_hash_table_lookup (hang_ups, watch));

        g_hash_table_insert (hang_ups, watch, GUINT_TO_POINTER (count + 1));
      }
  g_mutex_unlock (&hang_ups_lock);

  return n;
}

/* (nullable) (transfer full): from here on they are counted, in this */
static void
count_hang_ups (GHashTable *table)
{
  GHashTable *before;

  g_mutex_lock (&hang_ups_lock);
  before = g_steal_pointer (&hang_ups);
  hang_ups = table;
  g_mutex_unlock (&hang_ups_lock);
  g_clear_pointer (&before, g_hash_table_unref);
}

static guint
get_most_hang_ups (void)
{
  GHashTableIter iter;
  gpointer count;
  guint most = 0;

  g_mutex_lock (&hang_ups_lock);
  g_hash_table_iter_init (&iter, hang_ups);
  while (g_hash_table_iter_next (&iter, NULL, &count))
    most = MAX (most, GPOINTER_TO_UINT (count));
  g_mutex_unlock (&hang_ups_lock);

  return most;
}

static void
allow (int n)
{
  g_atomic_int_set (&n_left, n);
}

static void
watches_tear_down (Rig *rig, gconstpointer data)
{
  allow (ANY_NUMBER);
  count_hang_ups (NULL);
  rig_tear_down (rig, data);
}

static DrayFuture *
run_script (Rig *rig, const char *script)
{
  const char *const argv[] = { "sh", "-c", script, NULL };

  return rig_submit (rig, dray_task_new_command (argv));
}

static void
test_paused (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A worker that was not read for a while, for nobody took what it had sent, is "
                  "read on where nothing more can be watched.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-undelivered-bytes", (guint64) LIMIT, NULL);
  future = rig_call (rig, "stream", "(uu)", 400, 100000);
  workshop_block_until_undelivered (rig->executor, LIMIT);
  rig_let_time_pass ();

  allow (0);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 400);
}

static void
test_written (Rig *rig, gconstpointer data)
{
  g_autofree guint8 *zeros = g_malloc0 (LARGE);
  g_autoptr (DrayFuture) future = NULL;
  GVariant *bytes = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, zeros, LARGE, 1);
  G_GNUC_UNUSED g_autoptr (GVariant) result = NULL;

  g_test_summary ("Arguments that do not fit into a pipe reach a worker that is there already.");

  rig_start (rig, 1);
  rig_ask_pid (rig);

  allow (0);
  future = rig_call (rig, "sum", "(@ay)", bytes);
  result = rig_expect_result (future);
}

static void
test_refused (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) call = NULL;
  g_autoptr (DrayFuture) command = NULL;
  g_autoptr (DrayFuture) better = NULL;

  g_test_summary (
    "What can't be started says which limit is reached; workers that are there go on, "
    "and when it is over, all does.");

  /* Nothing but what the I/O thread needs itself, and not even that. */
  rig_start (rig, 2);
  allow (0);
  first = rig_call (rig, "add", "(ii)", 2, 3);
  rig_expect_error (first, DRAY_ERROR, DRAY_ERROR_LAUNCH, "*fs.epoll.max_user_watches*");
  allow (1);
  call = rig_call (rig, "add", "(ii)", 2, 3);
  rig_expect_error (call, DRAY_ERROR, DRAY_ERROR_LAUNCH, "*fs.epoll.max_user_watches*");

  allow (ANY_NUMBER);
  rig_ask_pid (rig);
  allow (0);
  command = run_script (rig, "exit 0");
  rig_expect_error (command, DRAY_ERROR, DRAY_ERROR_LAUNCH, "*fs.epoll.max_user_watches*");
  rig_ask_pid (rig);

  allow (ANY_NUMBER);
  better = run_script (rig, "exit 0");
  rig_expect_text (better, "@ay []");
}

static void
test_put_off (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autofree char *path = rig_dup_path (rig, "end");
  g_autofree char *script = g_strdup_printf ("while [ ! -e %s ]; do sleep 0.01; done", path);
  const int before = g_atomic_int_get (&n_refused);

  g_test_summary ("A command waits for one that runs, and then there may be room for it.");

  rig_start_without_workers (rig);
  first = run_script (rig, script);
  rig_run_until_running (first);
  allow (0);
  second = run_script (rig, "exit 0");
  while (g_atomic_int_get (&n_refused) == before)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpint (dray_future_get_state (second), ==, DRAY_FUTURE_PENDING);

  allow (ANY_NUMBER);
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  rig_expect_text (first, "@ay []");
  rig_expect_text (second, "@ay []");
}

static gboolean
exists (gpointer path)
{
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
test_hung_up (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "close");
  g_autofree char *done_path = rig_dup_path (rig, "closed");
  g_autofree char *script = g_strdup_printf (
    "head -c 1080000 /dev/zero; while [ ! -e %s ]; do sleep 0.01; done; "
    "exec >&-; : > %s; exec sleep 600",
    path, done_path);
  g_autoptr (DrayTask) task = NULL;
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A command that is not read, and closes its output, keeps nobody awake.");

  rig_start_without_workers (rig);
  g_object_set (rig->executor, "max-undelivered-bytes", (guint64) LIMIT, NULL);
  task = dray_task_new_command ((const char *[]){ "sh", "-c", script, NULL });
  dray_task_set_split (task, DRAY_SPLIT_CHUNKS);
  future = rig_submit (rig, g_steal_pointer (&task));
  workshop_block_until_undelivered (rig->executor, LIMIT);

  count_hang_ups (g_hash_table_new (NULL, NULL));
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  workshop_block_until (exists, done_path, "its output is closed");
  rig_let_time_pass ();
  g_assert_cmpuint (get_most_hang_ups (), >, 0);
  g_assert_cmpuint (get_most_hang_ups (), <, 10);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);

  dray_future_cancel (future);
  rig_expect_cancelled (future);
}

static gboolean
is_refused_again (gpointer user_data)
{
  return g_atomic_int_get (&n_refused) >= *(const int *) user_data + 3;
}

static gboolean
is_added (gpointer user_data)
{
  return g_atomic_int_get (&n_added) > *(const int *) user_data;
}

static void
test_end (Rig *rig, gconstpointer data)
{
  const int refused_before = g_atomic_int_get (&n_refused);
  g_autoptr (DrayFuture) brief = NULL;
  g_autoptr (DrayFuture) endless = NULL;
  int added_before;

  g_test_summary ("The end of a process that is there, and for which alone there is no room, is "
                  "looked for; and it is watched as soon as there is.");

  rig_start_without_workers (rig);
  allow (3); /* the I/O thread's own, and the command's output and errors */
  brief = run_script (rig, "exit 0");
  rig_expect_text (brief, "@ay []");
  g_assert_cmpint (g_atomic_int_get (&n_refused), >, refused_before);

  allow (2);
  endless = run_script (rig, "sleep 600");
  fixture_iterate_until (is_refused_again, (gpointer) &refused_before, "three looks");
  added_before = g_atomic_int_get (&n_added);
  allow (ANY_NUMBER);
  fixture_iterate_until (is_added, &added_before, "a watch");

  dray_future_cancel (endless);
  rig_expect_cancelled (endless);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define watches_add(path, test) g_test_add (path, Rig, NULL, rig_set_up, test, watches_tear_down)
  watches_add ("/watches/paused", test_paused);
  watches_add ("/watches/written", test_written);
  watches_add ("/watches/hung-up", test_hung_up);
  watches_add ("/watches/refused", test_refused);
  watches_add ("/watches/put-off", test_put_off);
  watches_add ("/watches/end", test_end);

  return g_test_run ();
}
