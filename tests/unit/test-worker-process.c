/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-worker-process-private.h"

#include "dray-task.h"

/* The picture of a worker, as the executor keeps it up to date. */

/* 2023-11-07 12:34:56.789012 UTC */
#define START_TIME (G_GINT64_CONSTANT (1699360496) * G_USEC_PER_SEC + 789012)

typedef struct
{
  guint n_kills;
  guint64 killed;
  guint n_destroyed;
  GString *notified; /* (owned): names of properties, each followed by a space */
  DrayWorkerProcess *worker; /* (owned) */
} Watcher;

static void
kill_cb (guint64 worker_id, gpointer user_data)
{
  Watcher *watcher = user_data;

  watcher->n_kills++;
  watcher->killed = worker_id;
}

static void
destroy_cb (gpointer user_data)
{
  Watcher *watcher = user_data;

  watcher->n_destroyed++;
}

static void
notify_cb (DrayWorkerProcess *worker, GParamSpec *pspec, Watcher *watcher)
{
  g_string_append_printf (watcher->notified, "%s ", pspec->name);
}

static void
set_up (Watcher *self, gconstpointer data)
{
  self->notified = g_string_new (NULL);
  self->worker = dray_worker_process_new (17, 4711, START_TIME, kill_cb, self, destroy_cb);
  g_signal_connect (self->worker, "notify", G_CALLBACK (notify_cb), self);
}

static void
tear_down (Watcher *self, gconstpointer data)
{
  g_clear_object (&self->worker);
  g_assert_cmpuint (self->n_destroyed, ==, 1);
  g_string_free (self->notified, TRUE);
}

static void
test_new (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("A new worker is starting, runs nothing, and knows who it is and since when.");

  GDateTime *start_time = dray_worker_process_get_start_time (watcher->worker);

  g_assert_cmpuint (dray_worker_process_get_id (watcher->worker), ==, 17);
  g_assert_cmpint (dray_worker_process_get_pid (watcher->worker), ==, 4711);
  g_assert_cmpint (dray_worker_process_get_state (watcher->worker), ==, DRAY_WORKER_STARTING);
  g_assert_null (dray_worker_process_get_task (watcher->worker));
  g_assert_cmpuint (dray_worker_process_get_tasks_done (watcher->worker), ==, 0);
  g_assert_cmpint (dray_worker_process_get_wait_status (watcher->worker), ==, -1);
  g_assert_cmpint (g_date_time_to_unix (start_time), ==, START_TIME / G_USEC_PER_SEC);
  g_assert_cmpint (g_date_time_get_microsecond (start_time), ==, START_TIME % G_USEC_PER_SEC);
}

static void
test_notify (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("What changes is notified, once, and what does not is not.");

  g_autoptr (DrayTask) first = dray_task_new_call ("first", NULL);
  g_autoptr (DrayTask) second = dray_task_new_call ("second", NULL);
  const struct
  {
    DrayWorkerState state;
    DrayTask *task;
    guint64 tasks_done;
    const char *expected; /* in the order that GObject tells them: the last first */
  } steps[] = {
    { DRAY_WORKER_STARTING, NULL, 0, "" },
    { DRAY_WORKER_IDLE, NULL, 0, "state " },
    { DRAY_WORKER_BUSY, first, 0, "task state " },
    { DRAY_WORKER_BUSY, first, 0, "" },
    { DRAY_WORKER_BUSY, second, 1, "tasks-done task " },
    { DRAY_WORKER_IDLE, NULL, 2, "tasks-done task state " },
    { DRAY_WORKER_GONE, NULL, 2, "state " },
  };

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_string_truncate (watcher->notified, 0);
      dray_worker_process_update (watcher->worker, steps[i].state, steps[i].task,
                                  steps[i].tasks_done);

      g_assert_cmpstr (watcher->notified->str, ==, steps[i].expected);
      g_assert_cmpint (dray_worker_process_get_state (watcher->worker), ==, steps[i].state);
      g_assert_true (dray_worker_process_get_task (watcher->worker) == steps[i].task);
      g_assert_cmpuint (dray_worker_process_get_tasks_done (watcher->worker), ==,
                        steps[i].tasks_done);
    }
}

static void
end_is_known_cb (DrayWorkerProcess *worker, GParamSpec *pspec, guint *n_calls)
{
  int wait_status = -1;

  g_object_get (worker, "wait-status", &wait_status, NULL);
  g_assert_cmpint (wait_status, ==, 9);
  g_assert_cmpint (dray_worker_process_get_wait_status (worker), ==, 9);
  g_assert_cmpint (dray_worker_process_get_state (worker), ==, DRAY_WORKER_GONE);
  ++*n_calls;
}

static void
test_end (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("Whoever is notified of a worker's end sees how it ended.");

  guint n_calls = 0;

  g_signal_connect (watcher->worker, "notify", G_CALLBACK (end_is_known_cb), &n_calls);
  dray_worker_process_end (watcher->worker, 9);
  g_assert_cmpuint (n_calls, ==, 2);
  g_signal_handlers_disconnect_by_func (watcher->worker, end_is_known_cb, &n_calls);
}

static void
all_is_true_cb (DrayWorkerProcess *worker, GParamSpec *pspec, guint *n_calls)
{
  g_assert_cmpint (dray_worker_process_get_state (worker), ==, DRAY_WORKER_BUSY);
  g_assert_nonnull (dray_worker_process_get_task (worker));
  g_assert_cmpuint (dray_worker_process_get_tasks_done (worker), ==, 9);
  ++*n_calls;
}

static void
test_consistent (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("Whoever is notified of one change sees all that came with it.");

  g_autoptr (DrayTask) task = dray_task_new_call ("function", NULL);
  guint n_calls = 0;

  g_signal_connect (watcher->worker, "notify", G_CALLBACK (all_is_true_cb), &n_calls);
  dray_worker_process_update (watcher->worker, DRAY_WORKER_BUSY, task, 9);
  g_assert_cmpuint (n_calls, ==, 3);
  g_signal_handlers_disconnect_by_func (watcher->worker, all_is_true_cb, &n_calls);
}

static void
drop_cb (DrayWorkerProcess *worker, GParamSpec *pspec, Watcher *watcher)
{
  g_clear_object (&watcher->worker);
}

static void
test_dropped_while_notified (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("A handler may drop the last reference, in the middle of an update.");

  g_autoptr (DrayTask) task = dray_task_new_call ("function", NULL);

  g_signal_connect (watcher->worker, "notify::state", G_CALLBACK (drop_cb), watcher);
  dray_worker_process_update (watcher->worker, DRAY_WORKER_GONE, task, 1);
  g_assert_null (watcher->worker);
}

static void
test_kill (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("A kill is passed on with the worker's id, until the worker is gone; then "
                  "what it needed is let go of.");

  dray_worker_process_kill (watcher->worker);
  g_assert_cmpuint (watcher->n_kills, ==, 1);
  g_assert_cmpuint (watcher->killed, ==, 17);
  g_assert_cmpuint (watcher->n_destroyed, ==, 0);

  dray_worker_process_update (watcher->worker, DRAY_WORKER_STOPPING, NULL, 0);
  dray_worker_process_kill (watcher->worker);
  g_assert_cmpuint (watcher->n_kills, ==, 2);

  dray_worker_process_update (watcher->worker, DRAY_WORKER_GONE, NULL, 0);
  g_assert_cmpuint (watcher->n_destroyed, ==, 1);
  dray_worker_process_kill (watcher->worker);
  g_assert_cmpuint (watcher->n_kills, ==, 2);
}

static void
test_properties (Watcher *watcher, gconstpointer data)
{
  g_test_summary ("The properties say what the getters say.");

  g_autoptr (DrayTask) task = dray_task_new_call ("function", NULL);
  g_autoptr (DrayTask) property_task = NULL;
  g_autoptr (GDateTime) start_time = NULL;
  int pid = 0;
  DrayWorkerState state = DRAY_WORKER_STARTING;
  guint64 tasks_done = 0;

  dray_worker_process_update (watcher->worker, DRAY_WORKER_BUSY, task, 3);
  g_object_get (watcher->worker, "pid", &pid, "state", &state, "task", &property_task,
                "tasks-done", &tasks_done, "start-time", &start_time, NULL);

  g_assert_cmpint (pid, ==, 4711);
  g_assert_cmpint (state, ==, DRAY_WORKER_BUSY);
  g_assert_true (property_task == task);
  g_assert_cmpuint (tasks_done, ==, 3);
  g_assert_true (g_date_time_equal (start_time,
                                    dray_worker_process_get_start_time (watcher->worker)));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, test) \
  g_test_add ("/worker-process/" name, Watcher, NULL, set_up, test, tear_down)

  ADD ("new", test_new);
  ADD ("notify", test_notify);
  ADD ("consistent", test_consistent);
  ADD ("end", test_end);
  ADD ("dropped-while-notified", test_dropped_while_notified);
  ADD ("kill", test_kill);
  ADD ("properties", test_properties);

  return g_test_run ();
}
