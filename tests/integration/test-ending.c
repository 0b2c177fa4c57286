/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

#include <signal.h>

/*
 * The end of an executor from where it is least expected: made stronger while it lasts, cancelled,
 * inside callbacks, by the last reference, in the middle of everything.
 */

#define LIMIT ((guint64) 1024 * 1024)

static DrayFuture *
future_at (GPtrArray *records, guint index)
{
  return ((WorkshopRecord *) records->pdata[index])->future;
}

static void
add (GPtrArray *records, DrayExecutor *executor, const char *function, GVariant *arguments)
{
  g_ptr_array_add (records, workshop_watch (dray_executor_call (executor, function, arguments)));
}

typedef struct
{
  gboolean told;
  gboolean cancelled;
} Told;

static void
shut_down_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Told *told = user_data;
  g_autoptr (GError) error = NULL;

  g_assert_false (told->told);
  told->told = TRUE;
  told->cancelled = !dray_executor_shutdown_finish (DRAY_EXECUTOR (source), result, &error);
  if (told->cancelled)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  else
    g_assert_true (dray_executor_is_shut_down (DRAY_EXECUTOR (source)));
}

/* Stronger */

static void
test_stronger (Fixture *fixture, gconstpointer data)
{
  /* Shows that a shutdown which would never end, or not for long, is made stronger by a later one,
   * that both are told, and that a weaker one after it changes nothing. */
  const DrayShutdownMode stronger = GPOINTER_TO_UINT (data);

  for (guint mode = DRAY_SHUTDOWN_DRAIN; mode < stronger; mode++)
    {
      g_autoptr (DrayExecutor) executor = workshop_new (1);
      g_autoptr (GPtrArray) records = workshop_new_records ();
      Told told[3] = { 0 };

      /* With this the one but last mode takes longer than anybody waits. */
      g_object_set (executor, "grace-period", stronger == DRAY_SHUTDOWN_KILL ? 600000 : 20, NULL);
      add (records, executor, "ignore-cancel", NULL);
      add (records, executor, "null", NULL);
      workshop_block_until_status (future_at (records, 0), "deaf");

      dray_executor_shutdown_async (executor, mode, NULL, shut_down_cb, &told[0]);
      dray_executor_shutdown_async (executor, stronger, NULL, shut_down_cb, &told[1]);
      dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_DRAIN, NULL, shut_down_cb, &told[2]);
      for (guint i = 0; i < 3; i++)
        fixture_iterate_until_true (&told[i].told, "the executor has shut down");

      workshop_assert_failed (records->pdata[0], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
      /* It may have waited in the worker: then the stronger one finds it there, open. */
      if (dray_future_get_state (future_at (records, 1)) == DRAY_FUTURE_CANCELLED)
        g_assert_cmpuint (mode, ==, DRAY_SHUTDOWN_CANCEL_PENDING);
      else
        workshop_assert_failed (records->pdata[1], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
    }
}

/* Cancelled */

static gpointer
cancel_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);

  return NULL;
}

static void
test_cancellable (Fixture *fixture, gconstpointer data)
{
  /* Shows that cancelling ends the wait for a shutdown, before it or meanwhile, from this thread
   * or another one, and that the shutdown goes on. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GPtrArray) records = workshop_new_records ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  Told told[2] = { 0 };
  GThread *thread;

  add (records, executor, "block", NULL);
  workshop_block_until_running (future_at (records, 0));

  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_DRAIN, cancellable, shut_down_cb, &told[0]);
  thread = g_thread_new ("cancels", cancel_thread, cancellable);
  g_assert_false (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  g_assert_false (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, cancellable, NULL));
  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_DRAIN, cancellable, shut_down_cb, &told[1]);

  for (guint i = 0; i < 2; i++)
    {
      fixture_iterate_until_true (&told[i].told, "the wait has ended");
      g_assert_true (told[i].cancelled);
    }

  g_assert_false (dray_executor_is_shut_down (executor));
  g_assert_cmpint (dray_future_get_state (future_at (records, 0)), ==, DRAY_FUTURE_RUNNING);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_KILL, NULL, NULL));
  workshop_iterate_until_all_told (records);
  workshop_assert_failed (records->pdata[0], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
}

static gboolean
is_shut_down (gpointer executor)
{
  return dray_executor_is_shut_down (executor);
}

static void
test_cancelled_late (Fixture *fixture, gconstpointer data)
{
  /* Shows that a wait which is cancelled when all is over, but before that was told, is told once,
   * and that the next one is told that all is over. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GPtrArray) records = workshop_new_records ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Told told[2] = { 0 };

  add (records, executor, "block", NULL);
  workshop_block_until_running (future_at (records, 0));
  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_KILL, cancellable, shut_down_cb, &told[0]);
  workshop_block_until (is_shut_down, executor, "the executor has shut down");
  g_cancellable_cancel (cancellable);
  fixture_iterate_until_true (&told[0].told, "the wait has ended");
  g_assert_true (told[0].cancelled);

  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_KILL, NULL, shut_down_cb, &told[1]);
  fixture_iterate_until_true (&told[1].told, "the executor has shut down");
  g_assert_false (told[1].cancelled);
  workshop_iterate_until_all_told (records);
  workshop_assert_failed (records->pdata[0], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
}

/* Meanwhile: what a worker does while the executor is being shut down. That takes as long as the
 * cancellable of a task that is given up takes to be freed, here until it is done. */

typedef struct
{
  int pid;
  int signal;
  DrayFuture *awaited; /* (unowned) */
  GThread *thread;     /* (unowned): that shuts down */
  gboolean happened;
} Meanwhile;

static gboolean
is_done_with_signal (gpointer user_data)
{
  Meanwhile *self = user_data;

  if (dray_future_is_done (self->awaited))
    return TRUE;

  /* More than once: it says that it stops before it does. */
  kill (self->pid, self->signal);
  return FALSE;
}

static void
meanwhile_cb (gpointer user_data)
{
  Meanwhile *self = user_data;

  g_assert_true (self->thread == g_thread_self ());
  g_assert_false (self->happened);
  self->happened = TRUE;
  workshop_block_until (is_done_with_signal, self, "it is done during the shutdown");
}

static int
ask_pid (DrayExecutor *executor)
{
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "pid", NULL);
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, NULL);

  g_assert_nonnull (result);
  return (int) g_variant_get_uint32 (result);
}

static void
shut_down_meanwhile (DrayExecutor *executor, DrayShutdownMode mode, Meanwhile *self)
{
  g_autoptr (DrayTask) task = dray_task_new_call ("null", NULL);
  GCancellable *cancellable = g_cancellable_new ();

  dray_executor_set_paused (executor, TRUE);
  g_object_set_data_full (G_OBJECT (cancellable), "meanwhile", self, meanwhile_cb);
  g_object_unref (dray_executor_submit (executor, task, cancellable));
  g_object_unref (cancellable);
  self->thread = g_thread_self ();
  g_assert_true (dray_executor_shutdown_sync (executor, mode, NULL, NULL));
  g_assert_true (self->happened);
}

static void
test_done_meanwhile (Fixture *fixture, gconstpointer data)
{
  /* Shows that what comes after a task which succeeds while all that is pending is being cancelled
   * is cancelled, too, and does not run. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GPtrArray) records = workshop_new_records ();
  g_autoptr (DrayTask) next = dray_task_new_call ("null", NULL);
  Meanwhile meanwhile = { .pid = ask_pid (executor), .signal = SIGCONT };
  g_autoptr (DrayCounters) counters = NULL;

  add (records, executor, "stop", NULL);
  workshop_block_until_status (future_at (records, 0), "stopping");
  g_ptr_array_add (records,
                   workshop_watch (dray_future_and_then (future_at (records, 0), executor, next,
                                                         DRAY_POSITION_NONE)));
  meanwhile.awaited = future_at (records, 1);
  shut_down_meanwhile (executor, DRAY_SHUTDOWN_CANCEL_PENDING, &meanwhile);

  workshop_iterate_until_all_told (records);
  workshop_assert_succeeded (records->pdata[0]);
  workshop_assert_cancelled (records->pdata[1]);
  counters = dray_executor_dup_counters (executor);
  g_assert_cmpuint (counters->cancelled, ==, 2);
}

static void
test_lost_meanwhile (Fixture *fixture, gconstpointer data)
{
  /* Shows that what would be run again, since its worker dies while the executor is being shut
   * down, is not, and was shut down. */
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GPtrArray) records = workshop_new_records ();
  g_autoptr (DrayTask) task = dray_task_new_call ("block", NULL);
  Meanwhile meanwhile = { .pid = ask_pid (executor), .signal = SIGKILL };
  g_autoptr (DrayCounters) counters = NULL;

  dray_task_set_max_retries (task, 3);
  g_ptr_array_add (records, workshop_watch (dray_executor_submit (executor, task, NULL)));
  workshop_block_until_status (future_at (records, 0), "blocked");
  meanwhile.awaited = future_at (records, 0);
  shut_down_meanwhile (executor, GPOINTER_TO_UINT (data), &meanwhile);

  workshop_iterate_until_all_told (records);
  workshop_assert_failed (records->pdata[0], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  counters = dray_executor_dup_counters (executor);
  g_assert_cmpuint (counters->workers_started, ==, 1);
}

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  gboolean freed;
} Arguments;

static void
shut_down_when_freed_cb (gpointer user_data)
{
  Arguments *self = user_data;

  g_assert_false (self->freed);
  self->freed = TRUE;
  g_assert_true (dray_executor_shutdown_sync (self->executor, DRAY_SHUTDOWN_KILL, NULL, NULL));
}

static void
test_arguments_freed (Fixture *fixture, gconstpointer data)
{
  /* Shows that the arguments of a task that is given up may shut the executor down, blocking, when
   * they are freed, in the midst of its shutdown. */
  static const guint8 bytes[8];
  const DrayShutdownMode mode = GPOINTER_TO_UINT (data);
  g_autoptr (DrayExecutor) executor = workshop_new (1);
  g_autoptr (GPtrArray) records = workshop_new_records ();
  Arguments arguments = { .executor = executor };

  g_object_set (executor, "grace-period", 20, NULL);
  add (records, executor, "block", NULL);
  workshop_block_until_status (future_at (records, 0), "blocked");
  dray_executor_set_paused (executor, TRUE);
  g_object_unref (
    dray_executor_call (executor, "null",
                        g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, bytes, sizeof bytes,
                                                 TRUE, shut_down_when_freed_cb, &arguments)));

  g_assert_true (dray_executor_shutdown_sync (executor, mode, NULL, NULL));
  g_assert_true (arguments.freed);
  workshop_iterate_until_all_told (records);
  workshop_assert_failed (records->pdata[0], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
}

/* Inside callbacks, and by the last reference */

typedef enum
{
  END_SYNC,
  END_ASYNC,
  END_DROP,
} End;

typedef struct
{
  DrayExecutor *executor; /* (owned) (nullable): until it is ended */
  End end;
  DrayShutdownMode mode;
  Told told;
} Scene;

static void
end (Scene *scene)
{
  g_autoptr (DrayExecutor) executor = g_steal_pointer (&scene->executor);

  if (executor == NULL)
    return;

  if (scene->end == END_SYNC)
    g_assert_true (dray_executor_shutdown_sync (executor, scene->mode, NULL, NULL));
  else if (scene->end == END_ASYNC)
    dray_executor_shutdown_async (executor, scene->mode, NULL, shut_down_cb, &scene->told);
}

static void
end_done_cb (DrayFuture *future, gpointer user_data)
{
  end (user_data);
}

static void
end_item_cb (DrayFuture *future, GVariant *value, Scene *scene)
{
  end (scene);
}

static void
end_destroyed (gpointer data)
{
  end (data);
}

static void
do_nothing_cb (DrayFuture *future, gpointer user_data)
{
}

static gpointer
end_thread (gpointer data)
{
  end (data);

  return NULL;
}

static void
end_here (Scene *scene, DrayFuture *stream)
{
  end (scene);
}

static void
end_in_a_done_callback (Scene *scene, DrayFuture *stream)
{
  g_autoptr (DrayFuture) future = dray_executor_call (scene->executor, "null", NULL);

  dray_future_add_done_callback (future, end_done_cb, scene, NULL);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
}

static void
end_in_a_destroy_notify (Scene *scene, DrayFuture *stream)
{
  g_autoptr (DrayFuture) future = dray_executor_call (scene->executor, "null", NULL);

  dray_future_add_done_callback (future, do_nothing_cb, scene, end_destroyed);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
}

static void
end_in_an_item_handler (Scene *scene, DrayFuture *stream)
{
  g_signal_connect (stream, "item", G_CALLBACK (end_item_cb), scene);
}

static void
end_on_another_thread (Scene *scene, DrayFuture *stream)
{
  g_thread_join (g_thread_new ("ends", end_thread, scene));
}

typedef struct
{
  const char *name;
  /* Ends the executor now, or as soon as the main context is iterated. */
  void (*end) (Scene *scene, DrayFuture *stream);
} Place;

static const Place places[] = {
  { "here", end_here },
  { "in-a-done-callback", end_in_a_done_callback },
  { "in-a-destroy-notify", end_in_a_destroy_notify },
  { "in-an-item-handler", end_in_an_item_handler },
  { "on-another-thread", end_on_another_thread },
};

/* What came to its own end in time is as good. */
static void
assert_given_up_or_done (WorkshopRecord *record, DrayShutdownMode mode)
{
  if (dray_future_get_state (record->future) == DRAY_FUTURE_SUCCEEDED)
    workshop_assert_succeeded (record);
  else if (mode >= DRAY_SHUTDOWN_TERMINATE)
    workshop_assert_failed (record, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  else
    workshop_assert_cancelled (record);
}

static void
end_somewhere (const Place *place, End how, DrayShutdownMode mode)
{
  const gboolean gentle = how != END_DROP && mode <= DRAY_SHUTDOWN_CANCEL_PENDING;
  g_autoptr (GPtrArray) records = workshop_new_records ();
  Scene scene = { .executor = workshop_new (3), .end = how, .mode = mode };

  /* One that was done, one that fills the limit, one that won't stop, and what is behind. */
  g_object_set (scene.executor, "max-undelivered-bytes", LIMIT, "grace-period", 20, NULL);
  add (records, scene.executor, "null", NULL);
  g_assert_true (dray_future_wait (future_at (records, 0), -1, NULL, NULL));
  add (records, scene.executor, "stream", g_variant_new ("(uu)", gentle ? 50 : 5000, 100000));
  if (gentle)
    add (records, scene.executor, "sleep", g_variant_new ("(u)", 20));
  else
    add (records, scene.executor, "ignore-cancel", NULL);
  workshop_block_until_undelivered (scene.executor, LIMIT);
  workshop_block_until_running (future_at (records, 2));

  place->end (&scene, future_at (records, 1));
  for (guint i = 0; i < 20 && scene.executor != NULL; i++)
    add (records, scene.executor, i % 2 == 0 ? "null" : "bytes",
         i % 2 == 0 ? NULL : g_variant_new ("(u)", 10));
  workshop_iterate_until_all_told (records);
  g_assert_null (scene.executor);
  if (how == END_ASYNC)
    fixture_iterate_until_true (&scene.told.told, "the executor has shut down");

  workshop_assert_succeeded (records->pdata[0]);
  for (guint i = 1; i <= 2 && gentle; i++)
    workshop_assert_succeeded (records->pdata[i]);
  for (guint i = 1; i <= 2 && !gentle; i++)
    workshop_assert_failed (records->pdata[i], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
  for (guint i = 3; i < records->len; i++)
    assert_given_up_or_done (records->pdata[i], mode);
}

static void
test_end_inside (Fixture *fixture, gconstpointer data)
{
  /* Shows that an executor can be shut down anywhere, blocking or not, in each mode, with one
   * task's output filling the limit and another one deaf where the mode can cope with that. */
  for (guint mode = DRAY_SHUTDOWN_DRAIN; mode <= DRAY_SHUTDOWN_KILL; mode++)
    {
      end_somewhere (data, END_SYNC, mode);
      end_somewhere (data, END_ASYNC, mode);
    }
}

static void
test_drop (Fixture *fixture, gconstpointer data)
{
  /* Shows that the last reference can be dropped anywhere, and that everything which was not done
   * by then fails with DRAY_ERROR_SHUT_DOWN. */
  end_somewhere (data, END_DROP, DRAY_SHUTDOWN_TERMINATE);
}

/* With much to give up */

static void
test_many_pending (Fixture *fixture, gconstpointer data)
{
  /* Shows that what runs is given up as shut down, and does not seem to have died of it, although
   * there is so much to give up that a worker which is at it would be killed before. */
  const DrayShutdownMode mode = GPOINTER_TO_UINT (data);
  g_autoptr (DrayExecutor) executor = workshop_new (2);
  g_autoptr (GPtrArray) records = workshop_new_records ();

  g_object_set (executor, "grace-period", 0, NULL);
  add (records, executor, "block", NULL);
  workshop_block_until_running (future_at (records, 0));

  /* Nobody hears of these. The first one keeps the I/O thread awake. */
  g_object_unref (dray_executor_call (executor, "stream",
                                      g_variant_new ("(uu)", G_MAXUINT32, 1000)));
  for (guint i = 0; i < 50000; i++)
    g_object_unref (dray_executor_call (executor, "null", NULL));

  g_assert_true (dray_executor_shutdown_sync (executor, mode, NULL, NULL));
  workshop_iterate_until_all_told (records);
  workshop_assert_failed (records->pdata[0], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
}

static void
test_told_elsewhere (Fixture *fixture, gconstpointer data)
{
  /* Shows that where one thread shuts down while another one iterates the main context, the end of
   * the last pending task is told, too. */
  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (GPtrArray) records = workshop_new_records ();
      Scene scene = { .executor = workshop_new (1), .mode = DRAY_SHUTDOWN_TERMINATE };
      GThread *thread;

      dray_executor_set_paused (scene.executor, TRUE);
      add (records, scene.executor, "null", NULL);
      add (records, scene.executor, "null", NULL);
      thread = g_thread_new ("ends", end_thread, &scene);
      workshop_iterate_until_all_told (records);
      g_thread_join (thread);
      workshop_assert_failed (records->pdata[0], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
      workshop_assert_failed (records->pdata[1], DRAY_ERROR, DRAY_ERROR_SHUT_DOWN);
    }
}

/* In the middle of replacing workers */

static void
end_after (guint n_done, End how, DrayShutdownMode mode)
{
  g_autoptr (GPtrArray) records = workshop_new_records ();
  Scene scene = { .executor = workshop_new (2), .end = how, .mode = mode };

  g_object_set (scene.executor, "max-tasks-per-worker", 1, NULL);
  for (guint i = 0; i < 40; i++)
    add (records, scene.executor, "null", NULL);
  dray_future_add_done_callback (future_at (records, n_done), end_done_cb, &scene, NULL);
  workshop_iterate_until_all_told (records);
  if (how == END_ASYNC)
    fixture_iterate_until_true (&scene.told.told, "the executor has shut down");

  for (guint i = 0; i < records->len; i++)
    assert_given_up_or_done (records->pdata[i], mode);
  workshop_assert_succeeded (records->pdata[n_done]);
}

static void
test_replacement (Fixture *fixture, gconstpointer data)
{
  /* Shows that an executor which starts a worker for each task can be ended after any of them. */
  const guint last[] = { 0, 1, 2, 7, 39 };

  for (guint i = 0; i < G_N_ELEMENTS (last); i++)
    {
      end_after (last[i], END_DROP, DRAY_SHUTDOWN_TERMINATE);
      for (guint mode = DRAY_SHUTDOWN_DRAIN; mode <= DRAY_SHUTDOWN_KILL; mode++)
        end_after (last[i], i % 2 == 0 ? END_ASYNC : END_SYNC, mode);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  workshop_add ("/ending/stronger/terminate", GUINT_TO_POINTER (DRAY_SHUTDOWN_TERMINATE),
                test_stronger);
  workshop_add ("/ending/stronger/kill", GUINT_TO_POINTER (DRAY_SHUTDOWN_KILL), test_stronger);
  workshop_add ("/ending/cancellable", NULL, test_cancellable);
  workshop_add ("/ending/cancellable/late", NULL, test_cancelled_late);
  workshop_add ("/ending/arguments-freed/cancel-pending",
                GUINT_TO_POINTER (DRAY_SHUTDOWN_CANCEL_PENDING), test_arguments_freed);
  workshop_add ("/ending/arguments-freed/terminate", GUINT_TO_POINTER (DRAY_SHUTDOWN_TERMINATE),
                test_arguments_freed);
  workshop_add ("/ending/arguments-freed/kill", GUINT_TO_POINTER (DRAY_SHUTDOWN_KILL),
                test_arguments_freed);
  workshop_add ("/ending/meanwhile/done", NULL, test_done_meanwhile);
  workshop_add ("/ending/meanwhile/lost/terminate", GUINT_TO_POINTER (DRAY_SHUTDOWN_TERMINATE),
                test_lost_meanwhile);
  workshop_add ("/ending/meanwhile/lost/kill", GUINT_TO_POINTER (DRAY_SHUTDOWN_KILL),
                test_lost_meanwhile);
  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autofree char *inside = g_strdup_printf ("/ending/shutdown/%s", places[i].name);
      g_autofree char *drop = g_strdup_printf ("/ending/drop/%s", places[i].name);

      workshop_add (inside, &places[i], test_end_inside);
      workshop_add (drop, &places[i], test_drop);
    }
  workshop_add ("/ending/many-pending/terminate", GUINT_TO_POINTER (DRAY_SHUTDOWN_TERMINATE),
                test_many_pending);
  workshop_add ("/ending/many-pending/kill", GUINT_TO_POINTER (DRAY_SHUTDOWN_KILL),
                test_many_pending);
  workshop_add ("/ending/told-elsewhere", NULL, test_told_elsewhere);
  workshop_add ("/ending/replacement", NULL, test_replacement);

  return g_test_run ();
}
