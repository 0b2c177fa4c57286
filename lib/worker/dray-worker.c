/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-worker-private.h"

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

G_DEFINE_FINAL_TYPE (DrayWorker, dray_worker, G_TYPE_OBJECT)

static DrayClosure *
closure_new (GCallback callback,
             const GVariantType *type,
             gpointer user_data,
             GDestroyNotify destroy)
{
  DrayClosure *closure = g_rc_box_new0 (DrayClosure);

  closure->callback = callback;
  closure->type = type != NULL ? g_variant_type_copy (type) : NULL;
  closure->user_data = user_data;
  closure->destroy = destroy;

  return closure;
}

static void
closure_clear (gpointer data)
{
  DrayClosure *closure = data;

  if (closure->destroy != NULL)
    closure->destroy (closure->user_data);
  g_clear_pointer (&closure->type, g_variant_type_free);
}

void
dray_closure_unref (DrayClosure *closure)
{
  g_rc_box_release_full (closure, closure_clear);
}

static void
dray_worker_finalize (GObject *object)
{
  DrayWorker *self = DRAY_WORKER (object);

  g_clear_pointer (&self->functions, g_hash_table_unref);
  g_clear_pointer (&self->initializer, dray_closure_unref);
  g_clear_pointer (&self->finalizer, dray_closure_unref);

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
                                           (GDestroyNotify) dray_closure_unref);
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
set_closure (DrayClosure **place, GCallback callback, gpointer user_data, GDestroyNotify destroy)
{
  g_clear_pointer (place, dray_closure_unref);

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
 * job's cancellable is cancelled, and handlers that are connected to it have returned. As with
 * every signal, a function that is just about to block misses it, unless it waits with `ppoll()`,
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
