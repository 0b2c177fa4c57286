/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-job-private.h"

#include <math.h>

/**
 * DrayJob:
 *
 * A call, as the function that runs it inside the worker sees it.
 *
 * A function gets its job as the first argument. With it, it sends partial results
 * ([method@Job.emit]) and says how far it is ([method@Job.set_progress]) while it runs, and finds
 * out whether somebody still wants the result ([method@Job.is_cancelled],
 * [method@Job.get_cancellable]).
 *
 * ```c
 * static GVariant *
 * count_lines (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
 * {
 *   const char *path;
 *   guint32 n_lines = 0;
 *
 *   g_variant_get (arguments, "(&s)", &path);
 *   while (read_line (path))
 *     {
 *       if (g_cancellable_set_error_if_cancelled (dray_job_get_cancellable (job), error))
 *         return NULL;
 *       n_lines++;
 *     }
 *
 *   return g_variant_new_uint32 (n_lines);
 * }
 * ```
 *
 * # Threads
 *
 * The function runs in the thread that called [method@Worker.run]. It may start threads of its
 * own; all methods of the job may be called on any of them. The job is over when the function
 * returns: what its threads emit afterwards is refused, not sent. No main loop runs unless the
 * function runs one.
 *
 * # Ownership
 *
 * A job belongs to the library. A function that hands it to a thread keeps a reference.
 *
 * Since: 0.1
 */

static _Thread_local DrayJob *current_job; /* (unowned) (nullable): see get_current() */

G_DEFINE_FINAL_TYPE (DrayJob, dray_job, G_TYPE_OBJECT)

gboolean
dray_job_is_real (DrayJob *self)
{
  return DRAY_IS_JOB (self) && self->call != NULL;
}

/* Takes @error. The first one counts. */
static void
fail (DrayJob *self, GError *error)
{
  if (!g_atomic_pointer_compare_and_exchange (&self->failure, NULL, error))
    g_error_free (error);
}

static void
dray_job_dispose (GObject *object)
{
  DrayJob *self = DRAY_JOB (object);

  g_clear_object (&self->worker);

  G_OBJECT_CLASS (dray_job_parent_class)->dispose (object);
}

static void
dray_job_finalize (GObject *object)
{
  DrayJob *self = DRAY_JOB (object);

  g_clear_error (&self->failure);
  g_clear_object (&self->returned);
  g_mutex_clear (&self->lock);
  g_clear_pointer (&self->call, dray_call_free);
  g_clear_pointer (&self->link, dray_link_unref);

  G_OBJECT_CLASS (dray_job_parent_class)->finalize (object);
}

static void
dray_job_class_init (DrayJobClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = dray_job_dispose;
  object_class->finalize = dray_job_finalize;
}

static void
dray_job_init (DrayJob *self)
{
  g_mutex_init (&self->lock);
}

DrayJob *
dray_job_new (DrayWorker *worker, DrayLink *link, DrayCall *call)
{
  DrayJob *self = g_object_new (DRAY_TYPE_JOB, NULL);

  self->worker = g_object_ref (worker);
  self->link = dray_link_ref (link);
  self->call = call;
  self->failure = g_steal_pointer (&call->failure);

  return self;
}

GVariant *
dray_job_get_arguments (DrayJob *self)
{
  return self->call->arguments;
}

void
dray_job_finish (DrayJob *self, GVariant *result, GError *error)
{
  g_autoptr (GVariant) value = result != NULL ? g_variant_take_ref (result) : NULL;
  g_autoptr (GError) failure = g_atomic_pointer_exchange (&self->failure, NULL);
  g_autoptr (GUnixFDList) returned = dray_job_steal_returned (self);
  g_auto (DrayMessage) message = { 0 };
  gboolean sent;
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_RESULT,
    .task_id = self->call->task_id,
    .attempt = self->call->attempt,
  };

  if (failure == NULL)
    failure = g_steal_pointer (&error);
  g_clear_error (&error);

  if (failure == NULL
      && dray_link_send_value (self->link, NULL, &header, value, returned, &sent, &failure))
    return;

  dray_message_init_error (&message, header.task_id, header.attempt, failure);
  dray_link_finish (self->link, &message, NULL);
}

gboolean
dray_job_settle (DrayJob *self, GVariant **result, GError **error)
{
  /* It sends nothing that could fail it. */
  g_atomic_int_set (&self->over, TRUE);
  if (*result != NULL)
    *result = g_variant_take_ref (*result);
  if (*error == NULL)
    return TRUE;

  g_clear_pointer (result, g_variant_unref);
  return FALSE;
}

gboolean
dray_job_has_exposed_cancellable (DrayJob *self)
{
  return g_atomic_int_get (&self->call->exposed);
}

/* For a call that nobody hears: whether there is a point in going on. */
static gboolean
goes_on (DrayJob *self)
{
  return !g_atomic_int_get (&self->over) && !g_cancellable_is_cancelled (self->call->cancellable);
}

void
dray_job_set_current (DrayJob *self)
{
  current_job = self;
}

/**
 * dray_job_get_current:
 *
 * Gets the job whose function this thread runs, for who is called by a function that does not hand
 * it on. May be called on any thread.
 *
 * Returns: (transfer none) (nullable): the job, or %NULL where no function of a worker runs
 *
 * Since: 0.1
 */
DrayJob *
dray_job_get_current (void)
{
  return current_job;
}

/**
 * dray_job_get_worker:
 * @self: a job
 *
 * Gets the worker that runs the job. May be called on any thread.
 *
 * Returns: (transfer none): the worker
 *
 * Since: 0.1
 */
DrayWorker *
dray_job_get_worker (DrayJob *self)
{
  g_return_val_if_fail (dray_job_is_real (self), NULL);

  return self->worker;
}

/**
 * dray_job_get_id:
 * @self: a job
 *
 * Gets the number of what runs: what [method@Future.get_id] says of its future in the
 * application. A run that several futures may share ([method@Task.set_key]) has a number of its
 * own, and so have the calls of a map. May be called on any thread.
 *
 * Returns: the number, never 0
 *
 * Since: 0.1
 */
guint64
dray_job_get_id (DrayJob *self)
{
  g_return_val_if_fail (dray_job_is_real (self), 0);

  return self->call->task_id;
}

/**
 * dray_job_get_attempt:
 * @self: a job
 *
 * Gets which attempt at the task this is: more than 1 where a worker died of it before and it is
 * run again, see [method@Task.set_max_retries]. May be called on any thread.
 *
 * Returns: the number of the attempt, counted from 1
 *
 * Since: 0.1
 */
guint
dray_job_get_attempt (DrayJob *self)
{
  g_return_val_if_fail (dray_job_is_real (self), 0);

  return self->call->attempt;
}

/**
 * dray_job_get_function:
 * @self: a job
 *
 * Gets the name under which the function was called; one function may be registered under
 * several. May be called on any thread.
 *
 * Returns: (transfer none): the name
 *
 * Since: 0.1
 */
const char *
dray_job_get_function (DrayJob *self)
{
  g_return_val_if_fail (dray_job_is_real (self), NULL);

  return self->call->function;
}

/**
 * dray_job_get_cancellable:
 * @self: a job
 *
 * Gets what is cancelled when nobody wants the result any more: the application cancelled the
 * task, the task ran longer than its time limit, or the application is gone.
 *
 * A function that is cancelled should return soon, with the error of
 * [method@Gio.Cancellable.set_error_if_cancelled] or with what it has; one that does not is ended
 * together with its process, by `SIGTERM` after half of [property@Executor:grace-period] and by
 * `SIGKILL` after all of it, and a second after the application is gone. Most functions just hand
 * this on to what they call.
 *
 * Handlers of [signal@Gio.Cancellable::cancelled] run in a thread of the library's, while the
 * function runs in its own. May be called on any thread.
 *
 * Returns: (transfer none): a cancellable of this job alone
 *
 * Since: 0.1
 */
GCancellable *
dray_job_get_cancellable (DrayJob *self)
{
  g_return_val_if_fail (dray_job_is_real (self), NULL);

  g_atomic_int_set (&self->call->exposed, TRUE);
  return self->call->cancellable;
}

/**
 * dray_job_is_cancelled:
 * @self: a job
 *
 * Tells whether nobody wants the result any more, see [method@Job.get_cancellable]. Costs next to
 * nothing. May be called on any thread.
 *
 * Returns: %TRUE if the job was cancelled
 *
 * Since: 0.1
 */
gboolean
dray_job_is_cancelled (DrayJob *self)
{
  g_return_val_if_fail (dray_job_is_real (self), FALSE);

  return g_cancellable_is_cancelled (self->call->cancellable);
}

/**
 * dray_job_emit:
 * @self: a job
 * @value: an item, of any type; consumed if it is floating
 *
 * Sends a partial result: an item of the task's future, which arrives there in the order of
 * emission, and before the result.
 *
 * This is written at once. Where the application takes items more slowly than they are made, it
 * waits until there is room; so a function may emit without end and fills nobody's memory.
 *
 * A value that is too large to be sent fails the job: %FALSE is returned, and the task's error is
 * %DRAY_ERROR_TOO_LARGE whatever the function returns.
 *
 * May be called on any thread. Items of two threads arrive in some order, each whole.
 *
 * Returns: %TRUE if it was sent; %FALSE if there is no point in going on: the job was cancelled,
 *   is over, the application is gone, or the value is too large
 *
 * Since: 0.1
 */
gboolean
dray_job_emit (DrayJob *self, GVariant *value)
{
  g_autoptr (GVariant) owned = NULL;
  DrayFrameHeader header = { .type = DRAY_FRAME_ITEM };
  GError *error = NULL;
  gboolean sent;

  g_return_val_if_fail (dray_job_is_real (self), FALSE);
  g_return_val_if_fail (value != NULL, FALSE);

  owned = g_variant_ref_sink (value);
  if (self->call->quiet)
    return goes_on (self);

  header.task_id = self->call->task_id;
  header.attempt = self->call->attempt;

  if (!dray_link_send_value (self->link, self->call, &header, owned, NULL, &sent, &error))
    {
      fail (self, error);
      return FALSE;
    }

  return sent;
}

/**
 * dray_job_set_progress:
 * @self: a job
 * @fraction: how much is done, from 0 to 1; negative or not a number where that is not known
 * @text: (nullable): what is being done, for people to read
 *
 * Says how far the job is. The application finds it in [property@Future:progress] and
 * [property@Future:status]; it is shown the latest, and may never see those between.
 *
 * A @fraction above 1 counts as 1. A @text which is not valid UTF-8 is made so, and one of more
 * than 32 KiB is cut.
 *
 * Like an item, this is written at once and may wait; see [method@Job.emit]. May be called on any
 * thread.
 *
 * Returns: %TRUE if it was sent; %FALSE if there is no point in going on: the job was cancelled,
 *   is over, or the application is gone
 *
 * Since: 0.1
 */
gboolean
dray_job_set_progress (DrayJob *self, double fraction, const char *text)
{
  g_auto (DrayMessage) message = { 0 };

  g_return_val_if_fail (dray_job_is_real (self), FALSE);

  if (self->call->quiet)
    return goes_on (self);

  fraction = isnan (fraction) || fraction < 0 ? -1 : MIN (fraction, 1);
  dray_message_init_progress (&message, self->call->task_id, self->call->attempt, fraction, text);

  return dray_link_send (self->link, self->call, &message, NULL);
}
