/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(DRAY_INSIDE) && !defined(DRAY_COMPILATION)
#error "Only <dray.h> can be included directly."
#endif

#include "dray-types.h"

G_BEGIN_DECLS

/**
 * DrayFunction:
 * @job: the call
 * @arguments: its arguments, never floating; `()` where the caller gave none
 * @user_data: the data given with the function
 * @error: where to say what went wrong
 *
 * A function that a worker offers. It runs in the worker process, in the thread that called
 * [method@Worker.run], one call at a time.
 *
 * Returns: (transfer full) (nullable): the result, of any type; %NULL stands for the error if
 *   @error was set, else for the empty tuple. A floating result is taken.
 *
 * Since: 0.1
 */
typedef GVariant *(*DrayFunction) (DrayJob *job,
                                   GVariant *arguments,
                                   gpointer user_data,
                                   GError **error);

/**
 * DrayInitializer:
 * @worker: the worker
 * @arguments: (nullable): what [method@Launcher.set_initial_arguments] was given
 * @user_data: the data given with the initialiser
 * @error: where to say what went wrong
 *
 * Called once in each worker process, before its first task. Where it fails, the worker counts
 * as one that could not be launched, and its message is in the error of the tasks that wait.
 *
 * Returns: %TRUE if the worker can take tasks
 *
 * Since: 0.1
 */
typedef gboolean (*DrayInitializer) (DrayWorker *worker,
                                     GVariant *arguments,
                                     gpointer user_data,
                                     GError **error);

/**
 * DrayFinalizer:
 * @worker: the worker
 * @user_data: the data given with the finaliser
 *
 * Called once in each worker process that ends in good order, after its last task.
 *
 * Since: 0.1
 */
typedef void (*DrayFinalizer) (DrayWorker *worker, gpointer user_data);

/**
 * DrayWorkerModuleInit:
 * @worker: the worker to add functions to
 *
 * The type of `dray_worker_module_init`, the function which a module for
 * [ctor@Launcher.new_module] exports.
 *
 * Since: 0.1
 */
typedef void (*DrayWorkerModuleInit) (DrayWorker *worker);

#define DRAY_TYPE_WORKER (dray_worker_get_type ())
DRAY_API
G_DECLARE_FINAL_TYPE (DrayWorker, dray_worker, DRAY, WORKER, GObject)

DRAY_API gboolean dray_worker_is_requested (int argc, char **argv);

DRAY_API DrayWorker *dray_worker_new (void);
DRAY_API void dray_worker_add_function (DrayWorker *self,
                                        const char *name,
                                        DrayFunction function,
                                        gpointer user_data,
                                        GDestroyNotify destroy);
DRAY_API void dray_worker_add_typed_function (DrayWorker *self,
                                              const char *name,
                                              const GVariantType *type,
                                              DrayFunction function,
                                              gpointer user_data,
                                              GDestroyNotify destroy);
DRAY_API void dray_worker_set_initializer (DrayWorker *self,
                                           DrayInitializer initializer,
                                           gpointer user_data,
                                           GDestroyNotify destroy);
DRAY_API void dray_worker_set_finalizer (DrayWorker *self,
                                         DrayFinalizer finalizer,
                                         gpointer user_data,
                                         GDestroyNotify destroy);
DRAY_API void dray_worker_set_cancel_signal (DrayWorker *self, int signum);
DRAY_API int dray_worker_get_cancel_signal (DrayWorker *self);
DRAY_API int dray_worker_run (DrayWorker *self);

G_END_DECLS
