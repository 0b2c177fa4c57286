/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "workshop.h"

#include <signal.h>

/*
 * A main context that stands still for long, and callbacks in which everything is dropped.
 *
 * While nobody iterates the context, whatever has a time runs out of it: limits, grace periods,
 * what a launch may take, a worker without work. That is the I/O thread's affair. What came of it
 * is told afterwards, once; and what arrived meanwhile is no more than the limits allow.
 *
 * What takes long has to be waited for, so all but the dropping is for “-m slow”.
 */

#define LIMIT ((guint64) 1024 * 1024)
/* What is read from one worker before the limit is looked at again, and what its buffers hold. */
#define SLACK ((guint64) 3 * 1024 * 1024)

/* What may be taken beside what there was, in bytes: a third of what the streams have. */
#define MEMORY_BOUND ((gsize) 40 * 1024 * 1024)

#define N_STREAMS 3
#define N_ITEMS 400
#define ITEM_SIZE 100000
#define N_NUMBERS 1000
#define N_OUTCOMES 500
#define LATE 1500 /* ms, in which the function has begun */

/* --- Standing still --- */

typedef struct
{
  DrayExecutor *executor; /* (owned): its workers do as they are told */
  DrayExecutor *silent;   /* (owned): its workers never say hello */
  DrayExecutor *crashing; /* (owned): its worker is killed */
  DrayExecutor *ending;   /* (owned): it is shut down */
  DrayExecutor *idle;     /* (owned): its worker has nothing to do */
  DrayMap *map;           /* (owned) */

  WorkshopRecord *streams[N_STREAMS];
  WorkshopRecord *late;
  WorkshopRecord *late_command;
  WorkshopRecord *cancelled;
  WorkshopRecord *output;
  WorkshopRecord *unlaunched;
  WorkshopRecord *crash;
  WorkshopRecord *after_crash;
  WorkshopRecord *drained;
  GPtrArray *records; /* (owned): all of them */

  int crashing_pid;
  int idle_pid;
  gint64 end; /* of the standstill */
  gsize memory;
  gsize peak;

  guint n_outcomes;
  guint n_maps_over;
  guint n_shut_down;
} Scene;

static int
ask_pid (DrayExecutor *executor)
{
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "pid", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) pid = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_no_error (error);
  return (int) g_variant_get_uint32 (pid);
}

/* Takes @future. */
static WorkshopRecord *
watch (Scene *self, DrayFuture *future)
{
  WorkshopRecord *record = workshop_watch (future);

  g_ptr_array_add (self->records, record);
  return record;
}

/* Takes @task. */
static WorkshopRecord *
submit (Scene *self, DrayTask *task, guint time_limit)
{
  g_autoptr (DrayTask) taken = task;

  dray_task_set_time_limit (taken, time_limit);
  return watch (self, dray_executor_submit (self->executor, taken, NULL));
}

static void
outcome_cb (DrayMap *map, DrayOutcome *outcome, gpointer data)
{
  Scene *self = data;

  g_assert_cmpint (g_variant_get_int64 (dray_outcome_get_value (outcome)), ==,
                   dray_outcome_get_index (outcome) + 1);
  self->n_outcomes++;
}

static void
map_over_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Scene *self = data;
  g_autoptr (GError) error = NULL;
  guint64 n_outcomes = 0;

  g_assert_true (dray_map_for_each_finish (DRAY_MAP (source), result, &n_outcomes, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (n_outcomes, ==, N_OUTCOMES);
  self->n_maps_over++;
}

static void
shut_down_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  Scene *self = data;

  g_assert_true (dray_executor_shutdown_finish (DRAY_EXECUTOR (source), result, NULL));
  self->n_shut_down++;
}

static void
scene_open (Scene *self)
{
  self->records = workshop_new_records ();
  self->executor = workshop_new (10);
  g_object_set (self->executor, "max-undelivered-bytes", LIMIT, "grace-period", 400, NULL);
  self->silent = workshop_new_with_mode (1, "--silent", NULL);
  g_object_set (self->silent, "launch-timeout", 100, NULL);
  self->crashing = workshop_new (1);
  self->ending = workshop_new (1);
  self->idle = workshop_new (1);
  g_object_set (self->idle, "idle-timeout", 300, NULL);
}

static gboolean
is_all_running (gpointer data)
{
  Scene *self = data;

  for (guint i = 0; i < self->records->len; i++)
    {
      WorkshopRecord *record = self->records->pdata[i];

      if (dray_future_get_state (record->future) == DRAY_FUTURE_PENDING)
        return FALSE;
    }
  return TRUE;
}

static void
begin_map (Scene *self)
{
  GVariant *calls[N_OUTCOMES];

  for (gint64 i = 0; i < N_OUTCOMES; i++)
    calls[i] = g_variant_new ("(xss)", i, "", "");
  self->map = dray_executor_map_values (self->executor, "step", calls, N_OUTCOMES);
  dray_map_for_each_async (self->map, outcome_cb, self, NULL, NULL, map_over_cb, self);
}

/* Where the limit is reached nothing is started any more. So those that have to run do so before
 * the streams fill it. */
static void
scene_begin (Scene *self)
{
  static const char *const sleep_argv[] = { "sleep", "100", NULL };
  static const char *const output_argv[] = { "seq", "1000", NULL };

  self->crashing_pid = ask_pid (self->crashing);
  self->idle_pid = ask_pid (self->idle);

  self->late = submit (self, dray_task_new_call ("block-signals", NULL), LATE);
  self->cancelled = submit (self, dray_task_new_call ("ignore-cancel", NULL), 0);
  self->late_command = submit (self, dray_task_new_command (sleep_argv), 1000);
  self->output = submit (self, dray_task_new_command (output_argv), 0);
  self->crash = watch (
    self, dray_executor_call (self->crashing, "numbers", g_variant_new ("(ub)", N_NUMBERS, TRUE)));
  self->drained = watch (
    self, dray_executor_call (self->ending, "numbers", g_variant_new ("(ub)", N_NUMBERS, FALSE)));
  workshop_block_until (is_all_running, self, "all of them run");
  workshop_block_until_status (self->late->future, "deaf");
  workshop_block_until_status (self->cancelled->future, "deaf");
  workshop_block_until_status (self->crash->future, G_STRINGIFY (N_NUMBERS));
  for (guint i = 0; i < N_STREAMS; i++)
    self->streams[i] = watch (
      self,
      dray_executor_call (self->executor, "stream", g_variant_new ("(uu)", N_ITEMS, ITEM_SIZE)));
  workshop_block_until (is_all_running, self, "the streams run");
  begin_map (self);

  self->after_crash = watch (self, dray_executor_call (self->crashing, "null", NULL));
  self->unlaunched = watch (self, dray_executor_call (self->silent, "null", NULL));
  dray_future_cancel (self->cancelled->future);
  dray_executor_shutdown_async (self->ending, DRAY_SHUTDOWN_DRAIN, NULL, shut_down_cb, self);
  workshop_block_until_undelivered (self->executor, LIMIT);
  kill (self->crashing_pid, SIGKILL);
}

/* The time is over, and by then that of everything else is, whether or not anybody was told. */
static gboolean
has_run_out (gpointer data)
{
  Scene *self = data;
  WorkshopRecord *const ended[] = { self->late,        self->cancelled, self->late_command,
                                    self->output,      self->crash,     self->drained,
                                    self->after_crash, self->unlaunched };
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (self->executor);

  self->peak = MAX (self->peak, fixture_get_resident ());
  for (guint i = 0; i < G_N_ELEMENTS (ended); i++)
    if (!dray_future_is_done (ended[i]->future))
      return FALSE;

  /* The workers of the late one, and of the cancelled one. */
  return counters->workers_died >= 2 && fixture_process_is_gone (self->idle_pid)
         && dray_executor_is_shut_down (self->ending) && g_get_monotonic_time () >= self->end;
}

/* Nothing is told, and the streams wait at the limit. */
static void
scene_stand_still (Scene *self, guint seconds)
{
  g_autoptr (DrayCounters) counters = NULL;

  self->memory = self->peak = fixture_get_resident ();
  self->end = g_get_monotonic_time () + seconds * G_TIME_SPAN_SECOND;
  scene_begin (self);
  workshop_block_until (has_run_out, self, "the time of everything is over");

  for (guint i = 0; i < self->records->len; i++)
    {
      WorkshopRecord *record = self->records->pdata[i];

      g_assert_cmpuint (record->n_done + record->n_items, ==, 0);
    }
  g_assert_cmpuint (self->n_outcomes + self->n_maps_over + self->n_shut_down, ==, 0);

  counters = dray_executor_dup_counters (self->executor);
  g_assert_cmpuint (counters->undelivered_bytes, >=, LIMIT);
  g_assert_cmpuint (counters->undelivered_bytes, <, LIMIT + N_STREAMS * SLACK);
  for (guint i = 0; i < N_STREAMS; i++)
    g_assert_cmpint (dray_future_get_state (self->streams[i]->future), ==, DRAY_FUTURE_RUNNING);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
  g_assert_cmpuint (self->peak, <, self->memory + MEMORY_BOUND);
#endif
}

static gboolean
is_all_told (gpointer data)
{
  Scene *self = data;

  return self->n_maps_over > 0 && self->n_shut_down > 0;
}

static void
scene_check_ends (Scene *self)
{
  workshop_iterate_until_all_told (self->records);
  fixture_iterate_until (is_all_told, self, "the map and the shutdown were told");

  workshop_assert_failed (self->late, DRAY_ERROR, DRAY_ERROR_TIMED_OUT);
  workshop_assert_failed (self->late_command, DRAY_ERROR, DRAY_ERROR_TIMED_OUT);
  workshop_assert_failed (self->unlaunched, DRAY_ERROR, DRAY_ERROR_LAUNCH);
  workshop_assert_failed (self->crash, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
  g_assert_cmpuint (self->crash->n_items, ==, N_NUMBERS);
  workshop_assert_succeeded (self->after_crash);
  workshop_assert_succeeded (self->drained);
  g_assert_cmpuint (self->drained->n_items, ==, N_NUMBERS);
  workshop_assert_cancelled (self->cancelled);
  workshop_assert_succeeded (self->output);
  for (guint i = 0; i < N_STREAMS; i++)
    {
      workshop_assert_succeeded (self->streams[i]);
      g_assert_cmpuint (self->streams[i]->n_items, ==, N_ITEMS);
    }
}

/* Nothing is told a second time, while everything is brought to its end. */
static void
scene_close (Scene *self)
{
  DrayExecutor *const executors[] = { self->executor, self->silent, self->crashing, self->ending,
                                      self->idle };

  for (guint i = 0; i < G_N_ELEMENTS (executors); i++)
    g_assert_true (dray_executor_shutdown_sync (executors[i], DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (self->n_outcomes, ==, N_OUTCOMES);
  g_assert_cmpuint (self->n_maps_over, ==, 1);
  g_assert_cmpuint (self->n_shut_down, ==, 1);

  g_ptr_array_unref (self->records);
  g_object_unref (self->map);
  for (guint i = 0; i < G_N_ELEMENTS (executors); i++)
    g_object_unref (executors[i]);
}

static void
test_standstill (Fixture *fixture, gconstpointer data)
{
  Scene self = { 0 };

  g_test_summary ("Nobody iterates the main context for ten seconds: everything that has a time "
                  "keeps it, memory is bounded, and afterwards all is told, once.");

  scene_open (&self);
  scene_stand_still (&self, 10);
  scene_check_ends (&self);
  scene_close (&self);
}

static void
stand_still_cb (DrayFuture *future, gpointer data)
{
  scene_stand_still (data, 2);
}

static void
test_slow_callback (Fixture *fixture, gconstpointer data)
{
  Scene self = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("The same, of a callback that takes two seconds.");

  scene_open (&self);
  future = dray_executor_call (self.executor, "null", NULL);
  dray_future_add_done_callback (future, stand_still_cb, &self, NULL);
  fixture_run_until_done (future);
  scene_check_ends (&self);
  scene_close (&self);
}

/* --- Dropping everything --- */

/* What calls back. One of them is where everything is dropped. */
typedef enum
{
  CALL_ITEM,
  CALL_PROGRESS,
  CALL_STATE,
  CALL_DONE,
  CALL_COMBINED,
  CALL_AFTER,
  CALL_COMMAND,
  CALL_RESULT,
  CALL_PULLED,
  CALL_SUBMITTED,
  CALL_CALLED,
  CALL_OUTCOME,
  CALL_MAP_OVER,
  CALL_JOINED,
  CALL_QUEUE,
  CALL_LIST,
  CALL_SHUT_DOWN,
  N_CALLS
} CallKind;

static const char *const call_names[N_CALLS] = {
  "item",   "progress", "state",   "done",    "combined", "after", "command", "result",    "pulled",
  "submit", "call",     "outcome", "map-end", "group",    "queue", "list",    "shut-down",
};

typedef struct _World World;

/* Of one callback. */
typedef struct
{
  World *world; /* (unowned) */
  CallKind kind;
  gboolean is_done_callback;
  gboolean is_answer; /* it comes once, whatever happens */
  guint n_called;
  int n_destroyed; /* atomic */
} Call;

struct _World
{
  CallKind kind;         /* of the callback in which everything is dropped */
  GPtrArray *objects;    /* (owned) (nullable): all that there is, until then */
  GMainContext *context; /* (owned) (nullable): likewise */
  GPtrArray *calls;      /* (owned) (element-type Call) */
  guint n_dropped;
};

static Call *
new_call (World *self, CallKind kind)
{
  Call *call = g_new0 (Call, 1);

  call->world = self;
  call->kind = kind;
  g_ptr_array_add (self->calls, call);
  return call;
}

static Call *
new_answer (World *self, CallKind kind)
{
  Call *call = new_call (self, kind);

  call->is_answer = TRUE;
  return call;
}

static void
called (Call *call)
{
  World *self = call->world;

  call->n_called++;
  if (call->kind != self->kind || self->objects == NULL)
    return;

  self->n_dropped++;
  g_clear_pointer (&self->objects, g_ptr_array_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
}

static void
item_cb (DrayFuture *future, GVariant *value, gpointer data)
{
  called (data);
}

static void
progressed_cb (DrayFuture *future, double fraction, const char *text, gpointer data)
{
  called (data);
}

static void
state_cb (DrayFuture *future, GParamSpec *property, gpointer data)
{
  called (data);
}

static void
list_cb (GListModel *list, guint position, guint n_removed, guint n_added, gpointer data)
{
  called (data);
}

static void
done_cb (DrayFuture *future, gpointer data)
{
  called (data);
}

static void
answer_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  called (data);
}

static void
any_outcome_cb (DrayMap *map, DrayOutcome *outcome, gpointer data)
{
  called (data);
}

static void
destroyed (gpointer data)
{
  g_atomic_int_inc (&((Call *) data)->n_destroyed);
}

/* Takes @object, and returns it. */
static gpointer
keep (World *self, gpointer object)
{
  g_ptr_array_add (self->objects, object);
  return object;
}

static void
tell_done (World *self, CallKind kind, DrayFuture *future)
{
  Call *call = new_call (self, kind);

  call->is_done_callback = TRUE;
  dray_future_add_done_callback (future, done_cb, call, destroyed);
}

/* Everything that runs, waits or has ended when everything is dropped. */
static void
begin_futures (World *self, DrayExecutor *executor)
{
  static const char *const argv[] = { "sleep", "300", NULL };
  static const char *const short_argv[] = { "true", NULL };
  GVariant *numbers = g_variant_ref_sink (g_variant_new ("(ub)", 500, FALSE));
  g_autoptr (DrayTask) command = dray_task_new_command (argv);
  g_autoptr (DrayTask) short_command = dray_task_new_command (short_argv);
  g_autoptr (DrayTask) pull = dray_task_new_call ("numbers", numbers);
  g_autoptr (DrayTask) echo = dray_task_new_call ("echo", NULL);
  DrayFuture *first = keep (self, dray_executor_call (executor, "numbers", numbers));
  DrayFuture *block = keep (self, dray_executor_call (executor, "block", NULL));
  DrayFuture *stream = keep (
    self, dray_executor_call (executor, "stream", g_variant_new ("(uu)", 400, 100000)));
  DrayFuture *pulled;

  g_signal_connect (first, "item", G_CALLBACK (item_cb), new_call (self, CALL_ITEM));
  g_signal_connect (first, "progressed", G_CALLBACK (progressed_cb),
                    new_call (self, CALL_PROGRESS));
  g_signal_connect (first, "notify::state", G_CALLBACK (state_cb), new_call (self, CALL_STATE));
  tell_done (self, CALL_DONE, first);
  tell_done (self, N_CALLS, block);
  tell_done (self, N_CALLS, stream);
  tell_done (self, N_CALLS, keep (self, dray_executor_submit (executor, command, NULL)));
  tell_done (self, CALL_COMMAND, keep (self, dray_executor_submit (executor, short_command, NULL)));
  tell_done (self, CALL_COMBINED,
             keep (self, dray_future_first ((DrayFuture *[]){ first, block }, 2)));
  tell_done (self, N_CALLS, keep (self, dray_future_all ((DrayFuture *[]){ first, block }, 2)));
  tell_done (self, CALL_AFTER,
             keep (self, dray_future_and_then (first, executor, echo, DRAY_POSITION_WHOLE)));
  dray_future_result_async (first, NULL, answer_cb, new_answer (self, CALL_RESULT));
  dray_future_result_async (block, NULL, answer_cb, new_answer (self, N_CALLS));

  dray_task_set_pull (pull, TRUE);
  pulled = keep (self, dray_executor_submit (executor, pull, NULL));
  dray_future_next_item_async (pulled, NULL, answer_cb, new_answer (self, CALL_PULLED));
  g_variant_unref (numbers);
}

static void
begin_others (World *self, DrayExecutor *executor)
{
  g_autoptr (DrayTask) null = dray_task_new_call ("null", NULL);
  DrayGroup *group = keep (self, dray_group_new ());
  DrayCompletionQueue *queue = keep (self, dray_completion_queue_new ());
  GListModel *list = keep (self, g_object_ref (dray_executor_get_futures (executor)));
  GVariant *calls[100];
  DrayMap *map;

  for (gint64 i = 0; i < (gint64) G_N_ELEMENTS (calls); i++)
    calls[i] = g_variant_new ("(xss)", i, "", "");
  map = keep (self, dray_executor_map_values (executor, "step", calls, G_N_ELEMENTS (calls)));
  dray_map_for_each_async (map, any_outcome_cb, new_call (self, CALL_OUTCOME), NULL, NULL,
                           answer_cb, new_answer (self, CALL_MAP_OVER));
  keep (self, dray_group_submit (group, executor, null, NULL));
  dray_group_join_async (group, NULL, answer_cb, new_answer (self, CALL_JOINED));
  keep (self, dray_completion_queue_submit (queue, executor, null, NULL));
  dray_completion_queue_next_async (queue, NULL, answer_cb, new_answer (self, CALL_QUEUE));
  dray_executor_submit_async (executor, null, NULL, answer_cb, new_answer (self, CALL_SUBMITTED));
  dray_executor_call_async (executor, "null", NULL, NULL, answer_cb,
                            new_answer (self, CALL_CALLED));
  g_signal_connect (list, "items-changed", G_CALLBACK (list_cb), new_call (self, CALL_LIST));
  if (self->kind == CALL_SHUT_DOWN)
    dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_KILL, NULL, answer_cb,
                                  new_answer (self, CALL_SHUT_DOWN));
}

static gboolean
is_dropped_and_told (gpointer data)
{
  World *self = data;

  for (guint i = 0; i < self->calls->len; i++)
    {
      Call *call = self->calls->pdata[i];

      if ((call->is_answer && call->n_called == 0)
          || (call->is_done_callback && g_atomic_int_get (&call->n_destroyed) == 0))
        return FALSE;
    }
  return self->objects == NULL;
}

static void
test_drop_everything (Fixture *fixture, gconstpointer data)
{
  int is_gone = FALSE; /* atomic */
  World self = { .kind = GPOINTER_TO_UINT (data) };
  DrayExecutor *executor;

  g_test_summary ("A callback drops everything: executor, futures, maps, groups, queues, and the "
                  "context. All others are told once or never, and nothing is left.");

  self.objects = g_ptr_array_new_with_free_func (g_object_unref);
  self.calls = g_ptr_array_new_with_free_func (g_free);
  self.context = fixture_new_mortal_context (&is_gone);
  g_main_context_push_thread_default (self.context);
  executor = keep (&self, workshop_new (4));
  begin_futures (&self, executor);
  begin_others (&self, executor);
  fixture_iterate_until (is_dropped_and_told, &self, "everything is dropped, and all are told");
  g_main_context_pop_thread_default (g_main_context_get_thread_default ());
  fixture_iterate_until_context_gone (&is_gone);

  g_assert_cmpuint (self.n_dropped, ==, 1);
  for (guint i = 0; i < self.calls->len; i++)
    {
      const Call *call = self.calls->pdata[i];

      if (call->is_answer)
        g_assert_cmpuint (call->n_called, ==, 1);
      if (call->is_done_callback)
        {
          g_assert_cmpuint (call->n_called, <=, 1);
          g_assert_cmpint (call->n_destroyed, ==, 1);
        }
    }
  g_ptr_array_unref (self.calls);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  if (g_test_slow ())
    {
      workshop_add ("/blocked/standstill", NULL, test_standstill);
      workshop_add ("/blocked/slow-callback", NULL, test_slow_callback);
    }
  for (guint kind = 0; kind < N_CALLS; kind++)
    {
      g_autofree char *path = g_strdup_printf ("/blocked/drop-everything/%s", call_names[kind]);

      workshop_add (path, GUINT_TO_POINTER (kind), test_drop_everything);
    }

  return g_test_run ();
}
