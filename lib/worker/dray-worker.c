/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-worker.h"

#include "dray-budget.h"
#include "dray-chunk-run.h"
#include "dray-job-private.h"
#include "dray-link.h"
#include "dray-takeover.h"
#include "dray-undertaker.h"

#include <glib/gi18n-lib.h>
#include <signal.h>

/**
 * DrayWorker:
 *
 * What runs inside a worker process: functions with names, and the loop that runs them when the
 * application asks for it.
 *
 * A program makes one worker, adds functions to it, and runs it; the rest of the process's life is
 * spent in [method@Worker.run]. Where the application is its own worker
 * ([ctor@Launcher.new_self]), its `main()` begins with a fork in the road:
 *
 * ```c
 * static GVariant *
 * checksum (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
 * {
 *   const char *path;
 *   g_autofree char *contents = NULL;
 *   g_autofree char *sum = NULL;
 *   gsize length;
 *
 *   g_variant_get (arguments, "(&s)", &path);
 *   if (!g_file_get_contents (path, &contents, &length, error))
 *     return NULL;
 *
 *   sum = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (guchar *) contents, length);
 *   return g_variant_new_string (sum);
 * }
 *
 * static int
 * run_worker (void)
 * {
 *   g_autoptr (DrayWorker) worker = dray_worker_new ();
 *
 *   dray_worker_add_typed_function (worker, "checksum", G_VARIANT_TYPE ("(s)"), checksum,
 *                                   NULL, NULL);
 *   return dray_worker_run (worker);
 * }
 *
 * int
 * main (int argc, char **argv)
 * {
 *   if (dray_worker_is_requested (argc, argv))
 *     return run_worker ();
 *
 *   return run_application (argc, argv);
 * }
 * ```
 *
 * # One call at a time
 *
 * A worker runs one call at a time, in the thread that called [method@Worker.run]; applications
 * have several workers to run several calls. No main loop runs unless a function runs one, and
 * what one call leaves behind in the process (global variables, the current directory) is there
 * for the next.
 *
 * # Errors
 *
 * An error that a function returns arrives in the application whole: domain, code and message.
 * Where a function crashes, exits or is killed, the task fails with %DRAY_ERROR_WORKER_DIED, and
 * nothing else is harmed.
 *
 * # Threads
 *
 * Functions are added before [method@Worker.run], or by the initialiser or a function while it
 * runs; all by the thread that runs it.
 *
 * Since: 0.1
 */

/* What dray_worker_run() returns. */
enum
{
  STATUS_OK = 0,
  STATUS_NOT_INITIALIZED = 1,
  STATUS_NO_CHANNEL = 2,
  STATUS_PROTOCOL = 3,
};

/* A function of the user's, of any kind. Reference counted (g_rc_box): it may be replaced while it
 * runs. */
typedef struct
{
  GCallback callback;
  GVariantType *type; /* (owned) (nullable): of the arguments */
  gpointer user_data;
  GDestroyNotify destroy; /* (nullable): of user_data */
} Closure;

struct _DrayWorker
{
  GObject parent_instance;

  GHashTable *functions; /* (owned): name → Closure (owned) */
  Closure *initializer;  /* (owned) (nullable) */
  Closure *finalizer;    /* (owned) (nullable) */
  int cancel_signal;     /* 0: none */
  gboolean runs;         /* or did */
};

G_DEFINE_FINAL_TYPE (DrayWorker, dray_worker, G_TYPE_OBJECT)

static Closure *
closure_new (GCallback callback,
             const GVariantType *type,
             gpointer user_data,
             GDestroyNotify destroy)
{
  Closure *closure = g_rc_box_new0 (Closure);

  closure->callback = callback;
  closure->type = type != NULL ? g_variant_type_copy (type) : NULL;
  closure->user_data = user_data;
  closure->destroy = destroy;

  return closure;
}

static void
closure_clear (gpointer data)
{
  Closure *closure = data;

  if (closure->destroy != NULL)
    closure->destroy (closure->user_data);
  g_clear_pointer (&closure->type, g_variant_type_free);
}

static void
closure_unref (Closure *closure)
{
  g_rc_box_release_full (closure, closure_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Closure, closure_unref)

static void
dray_worker_finalize (GObject *object)
{
  DrayWorker *self = DRAY_WORKER (object);

  g_clear_pointer (&self->functions, g_hash_table_unref);
  g_clear_pointer (&self->initializer, closure_unref);
  g_clear_pointer (&self->finalizer, closure_unref);

  G_OBJECT_CLASS (dray_worker_parent_class)->finalize (object);
}

static void
dray_worker_class_init (DrayWorkerClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dray_worker_finalize;
}

static void
dray_worker_init (DrayWorker *self)
{
  self->functions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                           (GDestroyNotify) closure_unref);
}

/**
 * dray_worker_is_requested:
 * @argc: the number of arguments of `main()`
 * @argv: (array length=argc) (element-type filename): the arguments of `main()`
 *
 * Tells whether this process was started as a worker by [ctor@Launcher.new_self] and should call
 * [method@Worker.run], and do little before: no window, no connection, no output.
 *
 * To be asked at the beginning of `main()`, before any options are parsed. (The first argument is
 * `--dray-worker` then; what follows is the library's own business.)
 *
 * Returns: %TRUE if the process is to be a worker
 *
 * Since: 0.1
 */
gboolean
dray_worker_is_requested (int argc, char **argv)
{
  return argc > 1 && argv != NULL && g_strcmp0 (argv[1], "--dray-worker") == 0;
}

/**
 * dray_worker_new:
 *
 * Makes a worker that has no functions yet.
 *
 * Returns: (transfer full): a new worker
 *
 * Since: 0.1
 */
DrayWorker *
dray_worker_new (void)
{
  return g_object_new (DRAY_TYPE_WORKER, NULL);
}

/**
 * dray_worker_add_function:
 * @self: a worker
 * @name: the name that the application calls it by; UTF-8, not empty
 * @function: (scope notified) (closure user_data) (destroy destroy): the function
 * @user_data: (nullable): data for @function
 * @destroy: (nullable): frees @user_data when the function is not needed any more
 *
 * Adds a function that takes arguments of any type. It has to look at their type before it takes
 * them apart: an application may send what it likes.
 * [method@Worker.add_typed_function] does that for it.
 *
 * A function that was added before under the same name is replaced.
 *
 * Since: 0.1
 */
void
dray_worker_add_function (DrayWorker *self,
                          const char *name,
                          DrayFunction function,
                          gpointer user_data,
                          GDestroyNotify destroy)
{
  dray_worker_add_typed_function (self, name, G_VARIANT_TYPE_ANY, function, user_data, destroy);
}

/**
 * dray_worker_add_typed_function:
 * @self: a worker
 * @name: the name that the application calls it by; UTF-8, not empty
 * @type: the type of the arguments; it may be indefinite, such as `(sa*)`
 * @function: (scope notified) (closure user_data) (destroy destroy): the function
 * @user_data: (nullable): data for @function
 * @destroy: (nullable): frees @user_data when the function is not needed any more
 *
 * Adds a function that is called with arguments of one type only. A call with others fails with
 * %DRAY_ERROR_BAD_ARGUMENTS, and the function is not called. The arguments of a call without any
 * are of type `()`.
 *
 * A function that was added before under the same name is replaced.
 *
 * Since: 0.1
 */
void
dray_worker_add_typed_function (DrayWorker *self,
                                const char *name,
                                const GVariantType *type,
                                DrayFunction function,
                                gpointer user_data,
                                GDestroyNotify destroy)
{
  g_return_if_fail (DRAY_IS_WORKER (self));
  g_return_if_fail (name != NULL && *name != '\0' && g_utf8_validate (name, -1, NULL));
  g_return_if_fail (type != NULL);
  g_return_if_fail (function != NULL);

  g_hash_table_replace (self->functions, g_strdup (name),
                        closure_new (G_CALLBACK (function), type, user_data, destroy));
}

static void
set_closure (Closure **place, GCallback callback, gpointer user_data, GDestroyNotify destroy)
{
  g_clear_pointer (place, closure_unref);

  if (callback != NULL)
    *place = closure_new (callback, NULL, user_data, destroy);
  else if (destroy != NULL)
    destroy (user_data);
}

/**
 * dray_worker_set_initializer:
 * @self: a worker
 * @initializer: (nullable) (scope notified) (closure user_data) (destroy destroy): a function, or
 *   %NULL for none
 * @user_data: (nullable): data for @initializer
 * @destroy: (nullable): frees @user_data when the function is not needed any more
 *
 * Sets what is called once in each worker process, before its first task: the place to load a
 * model, open a database, or take on what
 * [method@Launcher.set_initial_arguments] was given. Replaces the one that was set before.
 *
 * Since: 0.1
 */
void
dray_worker_set_initializer (DrayWorker *self,
                             DrayInitializer initializer,
                             gpointer user_data,
                             GDestroyNotify destroy)
{
  g_return_if_fail (DRAY_IS_WORKER (self));

  set_closure (&self->initializer, G_CALLBACK (initializer), user_data, destroy);
}

/**
 * dray_worker_set_finalizer:
 * @self: a worker
 * @finalizer: (nullable) (scope notified) (closure user_data) (destroy destroy): a function, or
 *   %NULL for none
 * @user_data: (nullable): data for @finalizer
 * @destroy: (nullable): frees @user_data when the function is not needed any more
 *
 * Sets what is called once in each worker process that ends in good order, after its last task:
 * because the application retired it, was shut down, or is gone. In the last case it has a second.
 * It is not called in a worker that is killed or crashes, so nothing but tidiness should depend on
 * it. Replaces the one that was set before.
 *
 * Since: 0.1
 */
void
dray_worker_set_finalizer (DrayWorker *self,
                           DrayFinalizer finalizer,
                           gpointer user_data,
                           GDestroyNotify destroy)
{
  g_return_if_fail (DRAY_IS_WORKER (self));

  set_closure (&self->finalizer, G_CALLBACK (finalizer), user_data, destroy);
}

/**
 * dray_worker_set_cancel_signal:
 * @self: a worker
 * @signum: the number of a signal, or 0 for none
 *
 * Sets a signal that interrupts a function which is cancelled: because its task is, or because the
 * application is gone. There is none by default. To be called before [method@Worker.run].
 *
 * It is for functions that block in system calls, and for interpreters, which can look whether they
 * are to stop. The program installs a handler for it, without `SA_RESTART`; an empty one will do to
 * have `read()` or `poll()` fail with `EINTR`. Without a handler, most signals end the process.
 *
 * The signal is sent once, to the thread that called [method@Worker.run], and only while the
 * function of the cancelled call is running there: never to one that comes after it. By then the
 * job's cancellable is cancelled, and handlers that are connected to it have returned. As with every
 * signal, a function that is just about to block misses it, unless it waits with `ppoll()`,
 * `pselect()` or `sigsuspend()`. A function that was cancelled before it began is not begun.
 *
 * Since: 0.1
 */
void
dray_worker_set_cancel_signal (DrayWorker *self, int signum)
{
  g_return_if_fail (DRAY_IS_WORKER (self));
  g_return_if_fail (!self->runs);
  g_return_if_fail (signum >= 0 && signum <= SIGRTMAX);
  g_return_if_fail (signum != SIGKILL && signum != SIGSTOP);

  self->cancel_signal = signum;
}

/**
 * dray_worker_get_cancel_signal:
 * @self: a worker
 *
 * Gets the signal that interrupts a function which is cancelled.
 *
 * Returns: its number, or 0 if there is none
 *
 * Since: 0.1
 */
int
dray_worker_get_cancel_signal (DrayWorker *self)
{
  g_return_val_if_fail (DRAY_IS_WORKER (self), 0);

  return self->cancel_signal;
}

/* Running */

/* Tells the host that there will be no worker here. Takes @error, which may be NULL. */
static void
refuse_to_work (DrayLink *link, GError *error)
{
  g_auto (DrayMessage) message = { 0 };

  if (error == NULL)
    error = g_error_new_literal (DRAY_ERROR, DRAY_ERROR_FAILED,
                                 _("The worker’s initializer failed without saying why"));

  dray_message_init_error (&message, 0, 0, error);
  dray_link_send (link, NULL, &message, NULL);
  g_error_free (error);
}

/* Returns: FALSE if it failed, which the host knows then */
static gboolean
initialize (DrayWorker *self, DrayLink *link)
{
  g_autoptr (GVariant) arguments = dray_link_steal_arguments (link);
  g_autoptr (Closure) closure = g_steal_pointer (&self->initializer);

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
static Closure *
find_function (DrayWorker *self, DrayJob *job, GError **error)
{
  const char *name = dray_job_get_function (job);
  GVariant *arguments = dray_job_get_arguments (job);
  Closure *closure = g_hash_table_lookup (self->functions, name);

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
  g_autoptr (Closure) closure = find_function (self, job, error);
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
  g_autoptr (Closure) closure = g_steal_pointer (&self->finalizer);

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
