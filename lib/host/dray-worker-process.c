/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-worker-process-private.h"

#include "dray-enum-types.h"
#include "dray-fork.h"
#include "dray-task.h"

/**
 * DrayWorkerProcess:
 *
 * A worker process of an executor, for showing it.
 *
 * The list of these is [method@Executor.get_workers]. Each is a picture, which the executor keeps
 * up to date while the process lives and for a last time when it ends; after that the object
 * stays what it is, and is no longer in the list. What changes is notified.
 *
 * All of this happens, and may be used, in the thread that runs the main context to which the lists
 * of the executor belong: that which was the thread's default when the first of the two was asked
 * for.
 *
 * ## Example
 *
 * A label in a list that shows what a worker is doing:
 *
 * ```c
 * static void
 * on_task_changed (DrayWorkerProcess *worker, GParamSpec *pspec, GtkLabel *label)
 * {
 *   DrayTask *task = dray_worker_process_get_task (worker);
 *
 *   gtk_label_set_text (label, task != NULL ? dray_task_get_label (task) : "");
 * }
 *
 * g_signal_connect_object (worker, "notify::task", G_CALLBACK (on_task_changed), label, 0);
 * ```
 *
 * Since: 0.1
 */

struct _DrayWorkerProcess
{
  GObject parent_instance;

  /* set at construction */
  guint64 id;
  int pid;
  GDateTime *start_time; /* (owned) (nullable): if the library did not make it */
  DrayWorkerProcessKillFunc kill;
  gpointer kill_data; /* (owned) (nullable): until it is gone */
  GDestroyNotify destroy;

  /* main context only */
  DrayWorkerState state;
  DrayTask *task; /* (owned) (nullable) */
  guint64 tasks_done;
  int wait_status; /* -1: not known */
};

enum
{
  PROP_PID = 1,
  PROP_STATE,
  PROP_TASK,
  PROP_TASKS_DONE,
  PROP_START_TIME,
  PROP_WAIT_STATUS,
  N_PROPERTIES,
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (DrayWorkerProcess, dray_worker_process, G_TYPE_OBJECT)

static void
drop_kill (DrayWorkerProcess *self)
{
  gpointer data = g_steal_pointer (&self->kill_data);
  GDestroyNotify destroy = g_steal_pointer (&self->destroy);

  self->kill = NULL;
  if (destroy != NULL)
    destroy (data);
}

static void
dray_worker_process_get_property (GObject *object,
                                  guint property_id,
                                  GValue *value,
                                  GParamSpec *pspec)
{
  DrayWorkerProcess *self = DRAY_WORKER_PROCESS (object);

  switch (property_id)
    {
    case PROP_PID:
      g_value_set_int (value, self->pid);
      break;
    case PROP_STATE:
      g_value_set_enum (value, self->state);
      break;
    case PROP_TASK:
      g_value_set_boxed (value, self->task);
      break;
    case PROP_TASKS_DONE:
      g_value_set_uint64 (value, self->tasks_done);
      break;
    case PROP_START_TIME:
      g_value_set_boxed (value, self->start_time);
      break;
    case PROP_WAIT_STATUS:
      g_value_set_int (value, self->wait_status);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
dray_worker_process_dispose (GObject *object)
{
  DrayWorkerProcess *self = DRAY_WORKER_PROCESS (object);

  drop_kill (self);
  g_clear_pointer (&self->task, dray_task_unref);

  G_OBJECT_CLASS (dray_worker_process_parent_class)->dispose (object);
}

static void
dray_worker_process_finalize (GObject *object)
{
  DrayWorkerProcess *self = DRAY_WORKER_PROCESS (object);

  g_clear_pointer (&self->start_time, g_date_time_unref);

  G_OBJECT_CLASS (dray_worker_process_parent_class)->finalize (object);
}

static void
dray_worker_process_class_init (DrayWorkerProcessClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = dray_worker_process_get_property;
  object_class->dispose = dray_worker_process_dispose;
  object_class->finalize = dray_worker_process_finalize;

  /**
   * DrayWorkerProcess:pid: (getter get_pid)
   *
   * The number of the process.
   *
   * Since: 0.1
   */
  properties[PROP_PID] = g_param_spec_int ("pid", NULL, NULL, 0, G_MAXINT, 0, flags);

  /**
   * DrayWorkerProcess:state: (getter get_state)
   *
   * What the worker is doing.
   *
   * Since: 0.1
   */
  properties[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, DRAY_TYPE_WORKER_STATE,
                                              DRAY_WORKER_STARTING, flags);

  /**
   * DrayWorkerProcess:task: (getter get_task)
   *
   * The task that the worker runs, or %NULL.
   *
   * Since: 0.1
   */
  properties[PROP_TASK] = g_param_spec_boxed ("task", NULL, NULL, DRAY_TYPE_TASK, flags);

  /**
   * DrayWorkerProcess:tasks-done: (getter get_tasks_done)
   *
   * How many tasks the worker has run to their end.
   *
   * Since: 0.1
   */
  properties[PROP_TASKS_DONE] = g_param_spec_uint64 ("tasks-done", NULL, NULL, 0, G_MAXUINT64, 0,
                                                     flags);

  /**
   * DrayWorkerProcess:start-time: (getter get_start_time)
   *
   * When the process was started.
   *
   * Since: 0.1
   */
  properties[PROP_START_TIME] = g_param_spec_boxed ("start-time", NULL, NULL, G_TYPE_DATE_TIME,
                                                    flags);

  /**
   * DrayWorkerProcess:wait-status: (getter get_wait_status)
   *
   * How the process ended, as waitpid() tells it; -1 while it is there, or if that is not known.
   *
   * Since: 0.1
   */
  properties[PROP_WAIT_STATUS] = g_param_spec_int ("wait-status", NULL, NULL, -1, G_MAXINT, -1,
                                                   flags);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
dray_worker_process_init (DrayWorkerProcess *self)
{
  self->state = DRAY_WORKER_STARTING;
  self->wait_status = -1;
}

static GDateTime *
make_date_time (gint64 real_time)
{
  g_autoptr (GDateTime) seconds = g_date_time_new_from_unix_local (real_time / G_USEC_PER_SEC);

  return g_date_time_add (seconds, real_time % G_USEC_PER_SEC);
}

DrayWorkerProcess *
dray_worker_process_new (guint64 worker_id,
                         int pid,
                         gint64 start_time,
                         DrayWorkerProcessKillFunc kill,
                         gpointer kill_data,
                         GDestroyNotify destroy)
{
  DrayWorkerProcess *self = g_object_new (DRAY_TYPE_WORKER_PROCESS, NULL);

  self->id = worker_id;
  self->pid = pid;
  self->start_time = make_date_time (start_time);
  self->kill = kill;
  self->kill_data = kill_data;
  self->destroy = destroy;
  return self;
}

guint64
dray_worker_process_get_id (DrayWorkerProcess *self)
{
  g_return_val_if_fail (DRAY_IS_WORKER_PROCESS (self), 0);

  return self->id;
}

static void
take_task (DrayWorkerProcess *self, DrayTask *task)
{
  DrayTask *previous = self->task;

  if (previous == task)
    return;

  self->task = task != NULL ? dray_task_ref (task) : NULL;
  g_clear_pointer (&previous, dray_task_unref);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TASK]);
}

void
dray_worker_process_update (DrayWorkerProcess *self,
                            DrayWorkerState state,
                            DrayTask *task,
                            guint64 tasks_done)
{
  g_return_if_fail (DRAY_IS_WORKER_PROCESS (self));

  /* Held back until all of it is true, and kept alive while handlers run. */
  g_object_freeze_notify (G_OBJECT (self));

  if (self->state != state)
    {
      self->state = state;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
    }
  take_task (self, task);
  if (self->tasks_done != tasks_done)
    {
      self->tasks_done = tasks_done;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TASKS_DONE]);
    }

  if (state == DRAY_WORKER_GONE)
    drop_kill (self);
  g_object_thaw_notify (G_OBJECT (self));
}

void
dray_worker_process_end (DrayWorkerProcess *self, int wait_status)
{
  g_return_if_fail (DRAY_IS_WORKER_PROCESS (self));

  g_object_freeze_notify (G_OBJECT (self));
  if (self->wait_status != wait_status)
    {
      self->wait_status = wait_status;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_WAIT_STATUS]);
    }
  dray_worker_process_update (self, DRAY_WORKER_GONE, NULL, self->tasks_done);
  g_object_thaw_notify (G_OBJECT (self));
}

/**
 * dray_worker_process_get_pid:
 * @self: a worker process
 *
 * Gets the number of the process. Once the worker is gone the number may be that of another
 * process: use [method@WorkerProcess.kill] to end the worker, never the number. Where the
 * launcher has a prefix it is the number of the prefix's program.
 *
 * Returns: the process number
 *
 * Since: 0.1
 */
int
dray_worker_process_get_pid (DrayWorkerProcess *self)
{
  g_return_val_if_fail (DRAY_IS_WORKER_PROCESS (self), 0);

  return self->pid;
}

/**
 * dray_worker_process_get_state:
 * @self: a worker process
 *
 * Gets what the worker is doing.
 *
 * Returns: the state
 *
 * Since: 0.1
 */
DrayWorkerState
dray_worker_process_get_state (DrayWorkerProcess *self)
{
  g_return_val_if_fail (DRAY_IS_WORKER_PROCESS (self), DRAY_WORKER_GONE);

  return self->state;
}

/**
 * dray_worker_process_get_task:
 * @self: a worker process
 *
 * Gets the task that the worker runs.
 *
 * Returns: (transfer none) (nullable): the task, or %NULL if it runs none
 *
 * Since: 0.1
 */
DrayTask *
dray_worker_process_get_task (DrayWorkerProcess *self)
{
  g_return_val_if_fail (DRAY_IS_WORKER_PROCESS (self), NULL);

  return self->task;
}

/**
 * dray_worker_process_get_tasks_done:
 * @self: a worker process
 *
 * Gets how many tasks the worker has run to their end, well or badly.
 *
 * Returns: the number of tasks
 *
 * Since: 0.1
 */
guint64
dray_worker_process_get_tasks_done (DrayWorkerProcess *self)
{
  g_return_val_if_fail (DRAY_IS_WORKER_PROCESS (self), 0);

  return self->tasks_done;
}

/**
 * dray_worker_process_get_start_time:
 * @self: a worker process
 *
 * Gets when the process was started, in the local time zone.
 *
 * Returns: (transfer none): the time
 *
 * Since: 0.1
 */
GDateTime *
dray_worker_process_get_start_time (DrayWorkerProcess *self)
{
  g_return_val_if_fail (DRAY_IS_WORKER_PROCESS (self), NULL);

  return self->start_time;
}

/**
 * dray_worker_process_get_wait_status:
 * @self: a worker process
 *
 * Gets how the process ended, in the form that waitpid() has it in, and that
 * [func@GLib.spawn_check_wait_status] takes. It is known when the worker is gone; not where
 * somebody else in the application has waited for the process.
 *
 * Returns: the wait status, or -1 if it is not known
 *
 * Since: 0.1
 */
int
dray_worker_process_get_wait_status (DrayWorkerProcess *self)
{
  g_return_val_if_fail (DRAY_IS_WORKER_PROCESS (self), -1);

  return self->wait_status;
}

/**
 * dray_worker_process_kill:
 * @self: a worker process
 *
 * Kills the process, and all that it started in its process group. The task that it runs, if any,
 * fails with %DRAY_ERROR_WORKER_DIED, or is run again if it has retries left; all others go on.
 * Does nothing for a worker that is gone. This does not wait: the worker's state changes when it
 * has ended.
 *
 * Since: 0.1
 */
void
dray_worker_process_kill (DrayWorkerProcess *self)
{
  g_return_if_fail (DRAY_IS_WORKER_PROCESS (self));

  dray_fork_check ();
  if (self->kill != NULL)
    self->kill (self->id, self->kill_data);
}
