/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-worker-private.h"

#include "dray-budget.h"
#include "dray-chunk-run.h"
#include "dray-job-private.h"
#include "dray-link.h"
#include "dray-takeover.h"
#include "dray-undertaker.h"

#include <glib/gi18n-lib.h>

/*
 * The life of a worker: the channel is taken over, the host greeted, the initialiser called; then
 * one call after another; then the finalizer.
 *
 * What is called is held meanwhile, and so is the worker: a function may replace itself, and drop
 * what it was called for. The initialiser and the finalizer are forgotten before they are called,
 * so that each is called once whatever it does.
 *
 * The end. If the host is gone, nothing may outlive it by much, whatever the program does after
 * this: the undertaker sees to that. If not, he comes only where functions have left something
 * running.
 */

/* What dray_worker_run() returns. */
enum
{
  STATUS_OK = 0,
  STATUS_NOT_INITIALIZED = 1,
  STATUS_NO_CHANNEL = 2,
  STATUS_PROTOCOL = 3,
};

/* Tells the host that there will be no worker here. Takes @error, which may be NULL. */
static void
refuse_to_work (DrayLink *link, GError *error)
{
  g_auto (DrayMessage) message = { 0 };

  if (error == NULL || *error->message == '\0')
    {
      g_clear_error (&error);
      error = g_error_new_literal (DRAY_ERROR, DRAY_ERROR_FAILED,
                                   /* Translators: why a worker could not be prepared, at the end
                                    * of a message that says so. */
                                   _("its initializer failed without saying why"));
    }

  dray_message_init_error (&message, 0, 0, error);
  dray_link_send (link, NULL, &message, NULL);
  g_error_free (error);
}

/* Returns: FALSE if it failed, which the host knows then */
static gboolean
initialize (DrayWorker *self, DrayLink *link)
{
  g_autoptr (GVariant) arguments = dray_link_steal_arguments (link);
  g_autoptr (DrayClosure) closure = g_steal_pointer (&self->initializer);

  if (closure != NULL)
    {
      DrayInitializer initializer = (DrayInitializer) closure->callback;
      GError *error = NULL;
      gboolean initialized;

      dray_link_begin (link);
      initialized = initializer (self, arguments, closure->user_data, &error);
      if (!initialized || error != NULL)
        {
          refuse_to_work (link, error);
          return FALSE;
        }
    }

  dray_link_send_ready (link);
  return TRUE;
}

/* (transfer full) (nullable): the function that @job calls, if it can be called like this */
static DrayClosure *
find_function (DrayWorker *self, DrayJob *job, GError **error)
{
  const char *name = dray_job_get_function (job);
  GVariant *arguments = dray_job_get_arguments (job);
  DrayClosure *closure = g_hash_table_lookup (self->functions, name);

  if (closure == NULL)
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_UNKNOWN_FUNCTION,
                   _("The worker has no function “%s”"), name);
      return NULL;
    }

  if (!g_variant_is_of_type (arguments, closure->type))
    {
      g_autofree char *expected = g_variant_type_dup_string (closure->type);

      g_set_error (error, DRAY_ERROR, DRAY_ERROR_BAD_ARGUMENTS,
                   _("The function “%s” takes arguments of the type “%s”, not “%s”"), name,
                      expected, g_variant_get_type_string (arguments));
      return NULL;
    }

  return g_rc_box_acquire (closure);
}

/* (transfer full) (nullable), may be floating: what the function of @job returned, beside @error */
static GVariant *
call_function (DrayWorker *self, DrayLink *link, DrayJob *job, GError **error)
{
  g_autoptr (DrayClosure) closure = find_function (self, job, error);
  DrayFunction function;
  GVariant *result;

  if (closure == NULL)
    return NULL;

  if (!dray_link_enter_function (link))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, _("The task was cancelled"));
      return NULL;
    }

  dray_budget_renew ();
  function = (DrayFunction) closure->callback;
  dray_job_set_current (job);
  result = function (job, dray_job_get_arguments (job), closure->user_data, error);
  dray_job_set_current (NULL);
  dray_link_leave_function (link);
  return result;
}

static void
run_job (DrayWorker *self, DrayLink *link, DrayCall *call)
{
  g_autoptr (DrayJob) job = dray_job_new (self, link, call);
  GError *error = NULL;
  GVariant *result = call_function (self, link, job, &error);

  dray_job_finish (job, result, error);
}

/* Many calls, which came together; each has a job of its own. */
static void
run_chunk (DrayWorker *self, DrayLink *link, DrayCall *calls)
{
  g_autoptr (DrayChunkRun) run = dray_chunk_run_new (link, calls);
  DrayCall *call;

  while ((call = dray_chunk_run_next (run)) != NULL)
    {
      g_autoptr (DrayJob) job = dray_job_new (self, link, call);
      g_autoptr (GVariant) result = NULL;
      g_autoptr (GError) error = NULL;

      result = call_function (self, link, job, &error);
      dray_job_settle (job, &result, &error);
      dray_chunk_run_add (run, result, error, dray_job_has_exposed_cancellable (job));
    }
}

static void
finalize (DrayWorker *self, DrayLink *link)
{
  g_autoptr (DrayClosure) closure = g_steal_pointer (&self->finalizer);

  if (closure == NULL)
    return;

  dray_link_begin (link);
  ((DrayFinalizer) closure->callback) (self, closure->user_data);
}

/* Returns: an exit status */
static int
serve (DrayWorker *self, DrayLink *link)
{
  gboolean greeted = dray_link_greet (link);
  DrayCall *call;

  if (greeted && !initialize (self, link))
    return STATUS_NOT_INITIALIZED;

  while (greeted && (call = dray_link_next (link)) != NULL)
    {
      if (call->chunk != NULL)
        run_chunk (self, link, call);
      else
        run_job (self, link, call);
    }

  if (dray_link_get_state (link) == DRAY_LINK_FAILED)
    return STATUS_PROTOCOL;

  if (greeted)
    finalize (self, link);

  return STATUS_OK;
}

/**
 * dray_worker_run:
 * @self: a worker
 *
 * Makes this process a worker, and runs the calls that the application sends until it has no more
 * or is gone. To be called once in a process, in a program that has not written to its standard
 * output, from any one thread. The program should return from `main()` with what this returns.
 *
 * # What it changes in the process
 *
 * - Standard input and output are the channel to the application; they are moved out of reach.
 *   Then standard input is `/dev/null`, and standard output is where standard error goes, a line
 *   at a time: what functions and their child processes print never gets in between.
 * - The process leads a process group of its own. The group is killed together with the worker,
 *   and with it whatever its functions have started and left running.
 * - All signals are unblocked, and `SIGPIPE` is ignored, here and in programs that functions start
 *   by anything but GLib. `SIGCHLD` is at its default if it was ignored.
 *
 * # When it ends
 *
 * When the application says goodbye, calls that it sent before are run first. When the application
 * is gone, which is noticed at once, the running job is cancelled, and the process is killed, with
 * its group, unless this function returns within a second. If it does, the program has another
 * second to end; then it is killed, and in any case the rest of its group is.
 *
 * Reasons why there was no worker are written to standard error. Only the error of the
 * initialiser is not: it goes to the application.
 *
 * Returns: an exit status: 0 at the end of a worker's life; 1 if the initialiser failed; 2 if
 *   standard input and output can't be a channel, as when somebody started the program by hand; 3
 *   if the application does not speak this version of the protocol
 *
 * Since: 0.1
 */
int
dray_worker_run (DrayWorker *self)
{
  static int n_runs; /* atomic */
  g_autoptr (DrayLink) link = NULL;
  int in_fd, out_fd, status;

  g_return_val_if_fail (DRAY_IS_WORKER (self), STATUS_NO_CHANNEL);

  if (g_atomic_int_add (&n_runs, 1) > 0)
    {
      g_critical ("dray_worker_run() was called a second time in one process");
      return STATUS_NO_CHANNEL;
    }

  if (!dray_takeover (&in_fd, &out_fd))
    return STATUS_NO_CHANNEL;

  /* The caller's reference may be dropped by a function of his. */
  g_object_ref (self);
  self->runs = TRUE;
  dray_undertaker_prepare ();
  link = dray_link_new (in_fd, out_fd);
  dray_link_set_cancel_signal (link, self->cancel_signal);
  status = serve (self, link);
  if (dray_link_is_host_gone (link))
    dray_undertaker_start (TRUE);
  else if (dray_undertaker_has_work ())
    dray_undertaker_start (FALSE);
  else
    dray_undertaker_dismiss ();
  dray_link_stop (link);
  dray_link_take_leave (link);
  g_object_unref (self);

  return status;
}
