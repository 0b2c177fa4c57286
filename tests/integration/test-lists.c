/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

/* What an executor shows: unfinished futures, live workers, counters. */

/* A copy of a list that is kept by its items-changed alone, so that wrong ones are noticed. */
typedef struct
{
  GListModel *model; /* (owned) */
  GPtrArray *copy;   /* (owned) */
  guint n_changes;
} Mirror;

static void
items_changed_cb (GListModel *model, guint position, guint n_removed, guint n_added, gpointer data)
{
  Mirror *mirror = data;

  mirror->n_changes++;
  g_assert_cmpuint (position + n_removed, <=, mirror->copy->len);
  if (n_removed > 0)
    g_ptr_array_remove_range (mirror->copy, position, n_removed);
  for (guint i = 0; i < n_added; i++)
    g_ptr_array_insert (mirror->copy, (int) (position + i),
                        g_list_model_get_item (model, position + i));

  g_assert_cmpuint (g_list_model_get_n_items (model), ==, mirror->copy->len);
}

static Mirror *
mirror_new (GListModel *model, GType type)
{
  Mirror *mirror = g_new0 (Mirror, 1);

  g_assert_true (g_type_is_a (g_list_model_get_item_type (model), type));
  mirror->model = g_object_ref (model);
  mirror->copy = g_ptr_array_new_with_free_func (g_object_unref);
  items_changed_cb (model, 0, 0, g_list_model_get_n_items (model), mirror);
  g_signal_connect (model, "items-changed", G_CALLBACK (items_changed_cb), mirror);

  return mirror;
}

static void
mirror_check (Mirror *mirror)
{
  g_assert_cmpuint (g_list_model_get_n_items (mirror->model), ==, mirror->copy->len);
  for (guint i = 0; i < mirror->copy->len; i++)
    {
      g_autoptr (GObject) item = g_list_model_get_item (mirror->model, i);

      g_assert_true (item == mirror->copy->pdata[i]);
    }
}

static void
mirror_free (Mirror *mirror)
{
  g_signal_handlers_disconnect_by_data (mirror->model, mirror);
  g_object_unref (mirror->model);
  g_ptr_array_unref (mirror->copy);
  g_free (mirror);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Mirror, mirror_free)

typedef struct
{
  Mirror *mirror;
  guint n_items;
} LengthWait;

static gboolean
has_length (gpointer user_data)
{
  LengthWait *wait = user_data;

  return wait->mirror->copy->len == wait->n_items;
}

static void
run_until_length (Mirror *mirror, guint n_items)
{
  LengthWait wait = { mirror, n_items };
  g_autofree char *what = g_strdup_printf ("there are %u in the list", n_items);

  fixture_iterate_until (has_length, &wait, what);
  mirror_check (mirror);
}

/* Futures */

static void
test_futures (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (Mirror) mirror = NULL;

  g_test_summary ("The list of futures has what is not done, oldest first, from before the list "
                  "was asked for as well.");

  rig_start (rig, 2);
  for (int i = 0; i < 5; i++)
    g_ptr_array_add (futures, rig_call (rig, "block", NULL));
  mirror = mirror_new (dray_executor_get_futures (rig->executor), DRAY_TYPE_FUTURE);
  g_assert_true (dray_executor_get_futures (rig->executor) == mirror->model);
  for (int i = 0; i < 5; i++)
    g_ptr_array_add (futures, rig_call (rig, "block", NULL));
  run_until_length (mirror, 10);
  for (guint i = 0; i < 10; i++)
    g_assert_true (mirror->copy->pdata[i] == futures->pdata[i]);

  dray_future_cancel (futures->pdata[3]);
  dray_future_cancel (futures->pdata[0]);
  run_until_length (mirror, 8);
  g_assert_true (mirror->copy->pdata[0] == futures->pdata[1]);
  g_assert_true (mirror->copy->pdata[2] == futures->pdata[4]);

  dray_executor_cancel_all (rig->executor);
  run_until_length (mirror, 0);
}

static void
test_unreferenced_futures (Rig *rig, gconstpointer data)
{
  g_autoptr (Mirror) mirror = NULL;
  guint64 id;

  g_test_summary ("A future that nobody holds is in the list, and can be cancelled from there.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  mirror = mirror_new (dray_executor_get_futures (rig->executor), DRAY_TYPE_FUTURE);
  for (int i = 0; i < 3; i++)
    g_object_unref (rig_call (rig, "block", NULL));
  run_until_length (mirror, 3);
  id = dray_future_get_id (mirror->copy->pdata[1]);
  g_assert_cmpuint (id, ==, 2);
  dray_future_cancel (mirror->copy->pdata[1]);
  run_until_length (mirror, 2);
  g_assert_cmpuint (dray_future_get_id (mirror->copy->pdata[1]), ==, 3);

  g_clear_object (&rig->executor);
}

static void
test_many_futures (Rig *rig, gconstpointer data)
{
  const guint n_tasks = 20000;
  g_autoptr (Mirror) mirror = NULL;

  g_test_summary ("Many futures come and go, in far fewer changes of the list.");

  rig->drops_futures = TRUE;
  rig_start (rig, 2);
  mirror = mirror_new (dray_executor_get_futures (rig->executor), DRAY_TYPE_FUTURE);
  dray_executor_set_paused (rig->executor, TRUE);
  for (guint i = 0; i < n_tasks; i++)
    g_object_unref (rig_call (rig, "null", NULL));
  run_until_length (mirror, n_tasks);
  g_assert_cmpuint (mirror->n_changes, <, n_tasks / 10);

  dray_executor_set_paused (rig->executor, FALSE);
  run_until_length (mirror, 0);
  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, n_tasks);
}

static void
drop_executor_cb (GListModel *model, guint position, guint n_removed, guint n_added, gpointer data)
{
  g_clear_object (&((Rig *) data)->executor);
}

static gboolean
is_dropped (gpointer rig)
{
  return ((Rig *) rig)->executor == NULL;
}

static void
test_dropped_inside (Rig *rig, gconstpointer data)
{
  g_autoptr (Mirror) mirror = NULL;

  g_test_summary ("A handler of the list of futures may drop the executor, also where more is to "
                  "be added than comes in one change.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  mirror = mirror_new (dray_executor_get_futures (rig->executor), DRAY_TYPE_FUTURE);
  dray_executor_set_paused (rig->executor, TRUE);
  for (guint i = 0; i < 1200; i++)
    g_object_unref (rig_call (rig, "null", NULL));
  g_signal_connect (mirror->model, "items-changed", G_CALLBACK (drop_executor_cb), rig);
  fixture_iterate_until (is_dropped, rig, "the executor is dropped");
  mirror_check (mirror);
}

/* Lets everything be told that there is to be told, in the midst of being told something. */
static void
iterate_cb (GListModel *model, guint position, guint n_removed, guint n_added, gpointer data)
{
  Rig *rig = data;

  rig_run_until_count (rig, running, 0);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
test_iterated_inside (Rig *rig, gconstpointer data)
{
  g_autoptr (Mirror) mirror = NULL;

  g_test_summary ("A handler of the list of futures may iterate the main context, also when the "
                  "executor has shut down and more is to be removed than comes in one change.");

  rig->drops_futures = TRUE;
  rig_start (rig, 1);
  mirror = mirror_new (dray_executor_get_futures (rig->executor), DRAY_TYPE_FUTURE);
  dray_executor_set_paused (rig->executor, TRUE);
  for (guint i = 0; i < 1200; i++)
    g_object_unref (rig_call (rig, "null", NULL));
  run_until_length (mirror, 1200);
  g_signal_connect (mirror->model, "items-changed", G_CALLBACK (iterate_cb), rig);
  g_assert_true (dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_KILL, NULL, NULL));
  run_until_length (mirror, 0);
  g_signal_handlers_disconnect_by_func (mirror->model, iterate_cb, rig);
}

/* Threads that ask for the list of futures. The one of the main context may do what it will. */

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  GMainContext *context;  /* (owned) (nullable): the thread's default one */
  GThread *thread;        /* (owned) */
  GListModel *list;       /* (unowned): what it was given */
} Asker;

static gpointer
asker_run (gpointer user_data)
{
  Asker *self = user_data;

  if (self->context != NULL)
    g_main_context_push_thread_default (self->context);
  self->list = dray_executor_get_futures (self->executor);
  for (int i = 0; i < 10; i++)
    g_assert_true (dray_executor_get_futures (self->executor) == self->list);
  if (self->context != NULL)
    g_main_context_pop_thread_default (self->context);
  g_clear_pointer (&self->context, g_main_context_unref);

  return NULL;
}

/* @own_context: whether it has one of its own, and not that in which the list is */
static void
asker_start (Asker *self, DrayExecutor *executor, gboolean own_context)
{
  self->executor = executor;
  self->context = own_context ? g_main_context_new () : NULL;
  self->thread = g_thread_new ("asker", asker_run, self);
}

static GListModel *
asker_join (Asker *self)
{
  g_thread_join (self->thread);
  return self->list;
}

static void
test_asked_elsewhere (Rig *rig, gconstpointer data)
{
  gboolean own_context = data != NULL;
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  g_autoptr (Mirror) mirror = NULL;
  guint n_changes;

  g_test_summary ("Who asks for the list of futures on another thread gets it, and changes "
                  "nothing in there: that happens in its main context.");

  rig_start (rig, 1);
  dray_executor_set_paused (rig->executor, TRUE);
  rig_add_calls (rig, futures, "null", 5);
  mirror = mirror_new (dray_executor_get_futures (rig->executor), DRAY_TYPE_FUTURE);
  mirror_check (mirror);
  g_assert_cmpuint (mirror->copy->len, ==, 5);
  rig_add_calls (rig, futures, "null", 5);
  dray_future_cancel (futures->pdata[2]);
  n_changes = mirror->n_changes;
  for (int i = 0; i < 5; i++)
    {
      Asker asker = { .list = NULL };

      asker_start (&asker, rig->executor, own_context);
      g_assert_true (asker_join (&asker) == mirror->model);
      g_assert_cmpuint (mirror->n_changes, ==, n_changes);
    }
  mirror_check (mirror);
  run_until_length (mirror, 9);

  /* The same while it changes. */
  dray_executor_set_paused (rig->executor, FALSE);
  for (int i = 0; i < 20; i++)
    {
      Asker asker = { .list = NULL };

      rig_add_calls (rig, futures, "null", 50);
      asker_start (&asker, rig->executor, own_context);
      rig_run_until_all_done (futures);
      asker_join (&asker);
    }
  run_until_length (mirror, 0);
}

static void
check_order (GListModel *list, GPtrArray *futures)
{
  g_assert_cmpuint (g_list_model_get_n_items (list), ==, futures->len);
  for (guint i = 0; i < futures->len; i++)
    {
      g_autoptr (DrayFuture) future = g_list_model_get_item (list, i);

      g_assert_true (future == futures->pdata[i]);
    }
}

static void
test_asked_by_many (Rig *rig, gconstpointer data)
{
  g_test_summary ("Many threads that ask for the list of futures first, while tasks are submitted, "
                  "get the same, and all tasks are in there, once and in order.");

  for (int round = 0; round < 10; round++)
    {
      g_autoptr (GPtrArray) futures = rig_new_futures ();
      g_autoptr (Mirror) mirror = NULL;
      Asker askers[4] = { { .list = NULL } };

      rig_start (rig, 1);
      dray_executor_set_paused (rig->executor, TRUE);
      rig_add_calls (rig, futures, "null", 1000);
      if (data != NULL)
        dray_executor_get_workers (rig->executor); /* so the list is for this main context */
      for (gsize i = 0; i < G_N_ELEMENTS (askers); i++)
        {
          asker_start (&askers[i], rig->executor, data != NULL);
          rig_add_calls (rig, futures, "null", 50);
        }
      for (gsize i = 0; i < G_N_ELEMENTS (askers); i++)
        g_assert_true (asker_join (&askers[i]) == askers[0].list);

      mirror = mirror_new (askers[0].list, DRAY_TYPE_FUTURE);
      run_until_length (mirror, futures->len);
      check_order (askers[0].list, futures);
      dray_executor_cancel_all (rig->executor);
      run_until_length (mirror, 0);
      rig_run_until_all_done (futures);
      rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
    }
}

static void
test_asked_at_the_end (Rig *rig, gconstpointer data)
{
  g_test_summary ("What is done is not left in a list that another thread asks for first while the "
                  "executor shuts down.");

  for (int round = 0; round < 20; round++)
    {
      g_autoptr (GPtrArray) futures = rig_new_futures ();
      g_autoptr (Mirror) mirror = NULL;
      Asker asker = { .list = NULL };

      rig_start (rig, 1);
      dray_executor_set_paused (rig->executor, TRUE);
      rig_add_calls (rig, futures, "null", 200);
      asker_start (&asker, rig->executor, FALSE);
      g_assert_true (
        dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_KILL, NULL, NULL));
      rig_run_until_all_done (futures);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      mirror = mirror_new (asker_join (&asker), DRAY_TYPE_FUTURE);
      run_until_length (mirror, 0);
      g_clear_object (&rig->executor);
    }
}

/* Workers */

static DrayWorkerProcess *
get_worker (Mirror *mirror, guint position)
{
  g_assert_cmpuint (position, <, mirror->copy->len);

  return mirror->copy->pdata[position];
}

typedef struct
{
  DrayWorkerProcess *worker;
  DrayWorkerState state;
} StateWait;

static gboolean
has_state (gpointer user_data)
{
  StateWait *wait = user_data;

  return dray_worker_process_get_state (wait->worker) == wait->state;
}

static void
run_until_state (DrayWorkerProcess *worker, DrayWorkerState state)
{
  StateWait wait = { worker, state };
  g_autofree char *what = g_enum_to_string (DRAY_TYPE_WORKER_STATE, (int) state);

  fixture_iterate_until (has_state, &wait, what);
}

static void
test_workers (Rig *rig, gconstpointer data)
{
  gint64 start = g_get_real_time ();
  g_autoptr (Mirror) mirror = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayWorkerProcess) worker = NULL;
  int pid;

  g_test_summary ("The list of workers has each process that is alive, with what it is and does.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "grace-period", 60000, NULL);
  mirror = mirror_new (dray_executor_get_workers (rig->executor), DRAY_TYPE_WORKER_PROCESS);
  g_assert_cmpuint (mirror->copy->len, ==, 0);
  pid = rig_ask_pid (rig);
  run_until_length (mirror, 1);
  worker = g_object_ref (get_worker (mirror, 0));
  run_until_state (worker, DRAY_WORKER_IDLE);
  g_assert_cmpint (dray_worker_process_get_pid (worker), ==, pid);
  g_assert_cmpuint (dray_worker_process_get_tasks_done (worker), ==, 1);
  g_assert_null (dray_worker_process_get_task (worker));
  g_assert_cmpint (g_date_time_to_unix (dray_worker_process_get_start_time (worker)), >=,
                   start / G_USEC_PER_SEC);

  future = rig_call (rig, "block", NULL);
  rig_run_until_status (future, "blocked");
  run_until_state (worker, DRAY_WORKER_BUSY);
  g_assert_true (dray_worker_process_get_task (worker) == dray_future_get_task (future));

  dray_future_cancel (future);
  run_until_state (worker, DRAY_WORKER_IDLE);
  g_assert_cmpuint (dray_worker_process_get_tasks_done (worker), ==, 2);
  g_assert_null (dray_worker_process_get_task (worker));

  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  g_assert_true (fixture_process_is_gone (pid));
}

static void
test_workers_late (Rig *rig, gconstpointer data)
{
  g_autoptr (Mirror) mirror = NULL;
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  DrayWorkerProcess *worker;

  g_test_summary ("Workers that were there before the list was asked for are in it; those that end "
                  "leave it.");

  rig_start (rig, 2);
  first = rig_call (rig, "block", NULL);
  second = rig_call (rig, "block", NULL);
  rig_run_until_count (rig, running, 2);
  mirror = mirror_new (dray_executor_get_workers (rig->executor), DRAY_TYPE_WORKER_PROCESS);
  run_until_length (mirror, 2);
  worker = get_worker (mirror, 1);
  g_assert_cmpint (dray_worker_process_get_pid (worker), !=,
                   dray_worker_process_get_pid (get_worker (mirror, 0)));

  g_object_set (rig->executor, "idle-timeout", 20, NULL);
  dray_executor_cancel_all (rig->executor);
  run_until_length (mirror, 0);
}

static void
test_starting (Rig *rig, gconstpointer data)
{
  const guint n_killed = 5;
  g_autoptr (Mirror) mirror = NULL;
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A worker that is not ready yet is shown as starting, and can be killed: another "
                  "one is started, however often that is done, and the call waits for it.");

  rig_start_with (rig, rig_new_launcher ("--init-hangs"), 1);
  mirror = mirror_new (dray_executor_get_workers (rig->executor), DRAY_TYPE_WORKER_PROCESS);
  future = rig_call (rig, "null", NULL);
  for (guint i = 0; i < n_killed; i++)
    {
      g_autoptr (DrayWorkerProcess) worker = NULL;

      run_until_length (mirror, 1);
      worker = g_object_ref (get_worker (mirror, 0));
      g_assert_cmpint (dray_worker_process_get_state (worker), ==, DRAY_WORKER_STARTING);
      dray_worker_process_kill (worker);
      dray_worker_process_kill (worker); /* as those do who click twice */
      run_until_state (worker, DRAY_WORKER_GONE);
    }
  rig_run_until_count (rig, workers_started, n_killed + 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, n_killed);
  g_assert_cmpuint (rig_get_count (rig, workers_died_idle), ==, 0);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_PENDING);
  rig_shut_down (rig, DRAY_SHUTDOWN_KILL);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
}

/* That each process is in the list once. */
static void
check_processes (Mirror *mirror)
{
  g_autoptr (GHashTable) pids = g_hash_table_new (NULL, NULL);

  mirror_check (mirror);
  for (guint i = 0; i < mirror->copy->len; i++)
    {
      int pid = dray_worker_process_get_pid (get_worker (mirror, i));

      g_assert_true (g_hash_table_add (pids, GINT_TO_POINTER (pid)));
    }
}

static void
test_nested (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = rig_new_futures ();
  g_autoptr (Mirror) mirror = NULL;

  g_test_summary (
    "A handler of the list of workers may iterate the main context, in which the list "
    "changes again: then it has what there is, and nothing twice, or that is gone.");

  rig_start (rig, 4);
  g_object_set (rig->executor, "max-tasks-per-worker", 1, NULL);
  mirror = mirror_new (dray_executor_get_workers (rig->executor), DRAY_TYPE_WORKER_PROCESS);
  g_signal_connect (mirror->model, "items-changed", G_CALLBACK (iterate_cb), rig);
  for (guint i = 0; i < 20; i++)
    {
      rig_add_calls (rig, futures, "null", 8);
      rig_run_until_all_done (futures);
      check_processes (mirror);
    }
  g_object_set (rig->executor, "idle-timeout", 1, NULL);
  run_until_length (mirror, 0);
  g_signal_handlers_disconnect_by_func (mirror->model, iterate_cb, rig);
}

static void
test_kill (Rig *rig, gconstpointer data)
{
  g_autoptr (Mirror) mirror = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayWorkerProcess) worker = NULL;
  int pid;

  g_test_summary ("A worker that is killed from the list fails the one task that it ran, and is "
                  "replaced; its object says that it is gone.");

  rig_start (rig, 1);
  mirror = mirror_new (dray_executor_get_workers (rig->executor), DRAY_TYPE_WORKER_PROCESS);
  pid = rig_ask_pid (rig);
  future = rig_call (rig, "block", NULL);
  rig_run_until_status (future, "blocked");
  run_until_length (mirror, 1);
  worker = g_object_ref (get_worker (mirror, 0));

  dray_worker_process_kill (worker);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*signal 9*");
  run_until_state (worker, DRAY_WORKER_GONE);
  g_assert_true (WIFSIGNALED (dray_worker_process_get_wait_status (worker)));
  g_assert_cmpint (WTERMSIG (dray_worker_process_get_wait_status (worker)), ==, SIGKILL);
  g_assert_true (fixture_process_is_gone (pid));
  dray_worker_process_kill (worker);

  g_assert_cmpint (rig_ask_pid (rig), !=, pid);
  run_until_length (mirror, 1);
  g_clear_object (&rig->executor);
  dray_worker_process_kill (worker);
}

static void
test_shut_down (Rig *rig, gconstpointer data)
{
  int ended = FALSE; /* atomic */
  GMainContext *context = fixture_new_mortal_context (&ended);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Lists that are asked for when the executor has shut down are empty, and keep "
                  "nothing: their main context goes when it is let go of.");

  g_main_context_push_thread_default (context);
  rig_start (rig, 1);
  if (data != NULL)
    g_assert_cmpint (rig_ask_pid (rig), >, 0);
  g_assert_true (dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_assert_cmpuint (g_list_model_get_n_items (dray_executor_get_futures (rig->executor)), ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (dray_executor_get_workers (rig->executor)), ==, 0);
  future = rig_call (rig, "null", NULL);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
  g_clear_object (&future);
  g_clear_object (&rig->executor);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);

  g_main_context_unref (context);
  fixture_iterate_until_context_gone (&ended);
}

/* Counters */

static void
test_sums (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (DrayCounters) counters = NULL;

  g_test_summary ("When all is done, each task that was submitted has succeeded, failed or been "
                  "cancelled, each worker has died or retired, and nothing is left.");

  rig_start (rig, 3);
  g_object_set (rig->executor, "max-tasks-per-worker", 20, "max-pending-tasks", 150, "grace-period",
                60000, NULL);
  for (int i = 0; i < 200; i++)
    {
      DrayFuture *future = i % 10 == 3   ? rig_call (rig, "fail", "(sis)", "domain", i, "Failed")
                           : i % 10 == 5 ? rig_call (rig, "block", NULL)
                           : i % 40 == 7 ? rig_call (rig, "exit", "(i)", 1)
                                         : rig_call (rig, "echo", "(i)", i);

      g_ptr_array_add (futures, future);
      if (i % 10 == 5)
        dray_future_cancel (future);
    }
  rig_run_until_all_done (futures);
  g_assert_true (dray_executor_shutdown_sync (rig->executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));

  counters = dray_executor_dup_counters (rig->executor);
  g_assert_cmpuint (counters->submitted, ==, 200);
  g_assert_cmpuint (counters->succeeded + counters->failed + counters->cancelled, ==, 200);
  g_assert_cmpuint (counters->succeeded, >, 0);
  g_assert_cmpuint (counters->failed, >, 20);
  g_assert_cmpuint (counters->cancelled, >, 0);
  g_assert_cmpuint (counters->workers_died + counters->workers_retired, ==,
                    counters->workers_started);
  g_assert_cmpuint (counters->workers_died_idle, ==, 0);
  g_assert_cmpuint (counters->running, ==, 0);
  g_assert_cmpuint (counters->queue_length, ==, 0);
  g_assert_cmpuint (counters->undelivered_items, ==, 0);
  g_assert_cmpuint (counters->undelivered_bytes, ==, 0);
  g_assert_cmpuint (counters->bytes_in, >, 0);
  g_assert_cmpuint (counters->bytes_out, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/lists/futures", NULL, test_futures);
  rig_add ("/lists/futures/unreferenced", NULL, test_unreferenced_futures);
  rig_add ("/lists/futures/many", NULL, test_many_futures);
  rig_add ("/lists/futures/dropped-inside", NULL, test_dropped_inside);
  rig_add ("/lists/futures/iterated-inside", NULL, test_iterated_inside);
  rig_add ("/lists/futures/asked-elsewhere", NULL, test_asked_elsewhere);
  rig_add ("/lists/futures/asked-elsewhere/own-context", "own", test_asked_elsewhere);
  rig_add ("/lists/futures/asked-by-many", NULL, test_asked_by_many);
  rig_add ("/lists/futures/asked-by-many/own-context", "own", test_asked_by_many);
  rig_add ("/lists/futures/asked-at-the-end", NULL, test_asked_at_the_end);
  rig_add ("/lists/workers", NULL, test_workers);
  rig_add ("/lists/workers/late", NULL, test_workers_late);
  rig_add ("/lists/workers/starting", NULL, test_starting);
  rig_add ("/lists/workers/kill", NULL, test_kill);
  rig_add ("/lists/workers/nested", NULL, test_nested);
  rig_add ("/lists/shut-down", "used", test_shut_down);
  rig_add ("/lists/shut-down/unused", NULL, test_shut_down);
  rig_add ("/lists/counters", NULL, test_sums);

  return g_test_run ();
}
