/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "main-thread-engine.h"

struct _DemoMainThreadEngine
{
  GObject parent_instance;

  GQueue tasks; /* of (owned) GTask, whose data is a Work */
  gboolean paused;
  guint source_id;
};

typedef struct
{
  char *path;          /* (owned) */
  DemoNamesFunc names; /* (nullable): of a listing; NULL if it is a file that is to be read */
  gpointer names_data;
} Work;

static void engine_init (DemoEngineInterface *iface);

G_DEFINE_TYPE_WITH_CODE (DemoMainThreadEngine,
                         demo_main_thread_engine,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (DEMO_TYPE_ENGINE, engine_init))

static void
work_free (gpointer data)
{
  Work *work = data;

  g_free (work->path);
  g_free (work);
}

static void
run (GTask *task)
{
  Work *work = g_task_get_task_data (task);
  GCancellable *cancellable = g_task_get_cancellable (task);
  GError *error = NULL;
  guint64 n_names;

  if (work->names == NULL)
    {
      GVariant *facts = demo_reader_read (work->path, cancellable, NULL, NULL, &error);

      if (facts != NULL)
        {
          g_task_return_pointer (task, facts, (GDestroyNotify) g_variant_unref);
          return;
        }
    }
  else if (demo_reader_list (work->path, cancellable, work->names, work->names_data, &n_names,
                             &error))
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  g_task_return_error (task, error);
}

static gboolean
work_cb (gpointer user_data)
{
  g_autoptr (DemoMainThreadEngine) self = g_object_ref (user_data);
  g_autoptr (GTask) task = g_queue_pop_head (&self->tasks);

  if (task != NULL)
    run (task);
  if (!g_queue_is_empty (&self->tasks) && !self->paused)
    return G_SOURCE_CONTINUE;
  self->source_id = 0;
  return G_SOURCE_REMOVE;
}

static void
wake (DemoMainThreadEngine *self)
{
  if (self->source_id == 0 && !self->paused && !g_queue_is_empty (&self->tasks))
    self->source_id = g_idle_add (work_cb, self);
}

static void
push (DemoMainThreadEngine *self,
      const char *path,
      DemoNamesFunc names,
      gpointer names_data,
      GCancellable *cancellable,
      GAsyncReadyCallback callback,
      gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  Work *work = g_new0 (Work, 1);

  work->path = g_strdup (path);
  work->names = names;
  work->names_data = names_data;
  g_task_set_source_tag (task, push);
  g_task_set_task_data (task, work, work_free);
  g_queue_push_tail (&self->tasks, task);
  wake (self);
}

static guint
get_window (DemoEngine *engine)
{
  return 2;
}

static void
set_paused (DemoEngine *engine, gboolean paused)
{
  DemoMainThreadEngine *self = DEMO_MAIN_THREAD_ENGINE (engine);

  self->paused = paused;
  wake (self);
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
  push (DEMO_MAIN_THREAD_ENGINE (engine), path, names, names_data, cancellable, callback,
        user_data);
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
  push (DEMO_MAIN_THREAD_ENGINE (engine), path, NULL, NULL, cancellable, callback, user_data);
}

static GVariant *
read_finish (DemoEngine *engine, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
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

/* A task holds a reference, so that there is none left when this is called, and no source. */
static void
demo_main_thread_engine_finalize (GObject *object)
{
  DemoMainThreadEngine *self = DEMO_MAIN_THREAD_ENGINE (object);

  g_assert (g_queue_is_empty (&self->tasks));
  g_clear_handle_id (&self->source_id, g_source_remove);

  G_OBJECT_CLASS (demo_main_thread_engine_parent_class)->finalize (object);
}

static void
demo_main_thread_engine_class_init (DemoMainThreadEngineClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = demo_main_thread_engine_finalize;
}

static void
demo_main_thread_engine_init (DemoMainThreadEngine *self)
{
  g_queue_init (&self->tasks);
}

DemoEngine *
demo_main_thread_engine_new (void)
{
  return g_object_new (DEMO_TYPE_MAIN_THREAD_ENGINE, NULL);
}
