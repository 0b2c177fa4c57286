/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker-engine.h"

#include "paths.h"

/* Files asked for at a time, for each worker. A small file takes less than 0.1 ms, and while the
 * main thread draws a frame it asks for nothing: so many keep a worker busy for some frames. Those
 * that wait cost little, and a cancelled load has only these to take back. */
#define TASKS_PER_WORKER 128

/* A folder's listing takes up where a worker that was lost left it. */
#define LIST_RETRIES 8

/* A file that takes this long, in ms, is given up: there are files without an end. */
#define READ_TIME_LIMIT (10 * 60 * 1000)

struct _DemoWorkerEngine
{
  GObject parent_instance;

  DrayExecutor *executor; /* (owned) */
};

typedef struct
{
  DemoNamesFunc names;
  gpointer user_data;
} Listing;

static void engine_init (DemoEngineInterface *iface);

G_DEFINE_TYPE_WITH_CODE (DemoWorkerEngine,
                         demo_worker_engine,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (DEMO_TYPE_ENGINE, engine_init))

static guint
get_window (DemoEngine *engine)
{
  DemoWorkerEngine *self = DEMO_WORKER_ENGINE (engine);

  return TASKS_PER_WORKER * dray_executor_get_max_workers (self->executor);
}

static void
set_paused (DemoEngine *engine, gboolean paused)
{
  dray_executor_set_paused (DEMO_WORKER_ENGINE (engine)->executor, paused);
}

static void
item_cb (DrayFuture *future, GVariant *names, gpointer user_data)
{
  GTask *task = user_data;
  Listing *listing = g_task_get_task_data (task);

  if (!g_cancellable_is_cancelled (g_task_get_cancellable (task)))
    listing->names (names, listing->user_data);
}

static void
listed_cb (DrayFuture *future, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;
  g_autoptr (GVariant) result = dray_future_dup_result (future, &error);

  if (result != NULL)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
list_async (DemoEngine *engine,
            const char *path,
            DemoNamesFunc names,
            gpointer names_data,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  DemoWorkerEngine *self = DEMO_WORKER_ENGINE (engine);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_autoptr (DrayTask) call = NULL;
  g_autoptr (DrayFuture) future = NULL;
  Listing *listing = g_new0 (Listing, 1);

  listing->names = names;
  listing->user_data = names_data;
  g_task_set_source_tag (task, list_async);
  g_task_set_task_data (task, listing, g_free);

  call = dray_task_new_call (DEMO_FUNCTION_LIST, g_variant_new ("(^ay)", path));
  dray_task_set_label (call, path);
  dray_task_set_max_retries (call, LIST_RETRIES);

  future = dray_executor_submit (self->executor, call, cancellable);
  g_signal_connect_data (future, "item", G_CALLBACK (item_cb), g_object_ref (task),
                         (GClosureNotify) (GCallback) g_object_unref, 0);
  dray_future_add_done_callback (future, listed_cb, g_object_ref (task), g_object_unref);
}

static gboolean
list_finish (DemoEngine *engine, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
read_async (DemoEngine *engine,
            const char *path,
            const char *label,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  DemoWorkerEngine *self = DEMO_WORKER_ENGINE (engine);
  g_autoptr (DrayTask) call = NULL;

  call = dray_task_new_call (DEMO_FUNCTION_READ, g_variant_new ("(^ay)", path));
  dray_task_set_label (call, label);
  dray_task_set_time_limit (call, READ_TIME_LIMIT);
  dray_executor_run_async (self->executor, call, cancellable, callback, user_data);
}

static GVariant *
read_finish (DemoEngine *engine, GAsyncResult *result, GError **error)
{
  return dray_executor_run_finish (DEMO_WORKER_ENGINE (engine)->executor, result, error);
}

static void
engine_init (DemoEngineInterface *iface)
{
  iface->get_window = get_window;
  iface->set_paused = set_paused;
  iface->list_async = list_async;
  iface->list_finish = list_finish;
  iface->read_async = read_async;
  iface->read_finish = read_finish;
}

static void
demo_worker_engine_dispose (GObject *object)
{
  DemoWorkerEngine *self = DEMO_WORKER_ENGINE (object);

  g_clear_object (&self->executor);

  G_OBJECT_CLASS (demo_worker_engine_parent_class)->dispose (object);
}

static void
demo_worker_engine_class_init (DemoWorkerEngineClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = demo_worker_engine_dispose;
}

static void
demo_worker_engine_init (DemoWorkerEngine *self)
{
}

DemoEngine *
demo_worker_engine_new (guint max_workers)
{
  DemoWorkerEngine *self = g_object_new (DEMO_TYPE_WORKER_ENGINE, NULL);
  g_autofree char *program = demo_dup_reader_program ();
  g_autofree char *locale_dir = demo_dup_locale_dir ();
  g_autoptr (DrayLauncher) launcher = NULL;

  launcher = dray_launcher_new_argv ((const char *const[]){ program, NULL });
  dray_launcher_setenv (launcher, "DRAY_DEMO_LOCALEDIR", locale_dir);
  self->executor = dray_executor_new (launcher);
  if (max_workers > 0)
    dray_executor_set_max_workers (self->executor, max_workers);
  return DEMO_ENGINE (self);
}

DrayExecutor *
demo_worker_engine_get_executor (DemoWorkerEngine *self)
{
  return self->executor;
}
