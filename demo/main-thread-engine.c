/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "main-thread-engine.h"

#include <unistd.h>

struct _DemoMainThreadEngine
{
  GObject parent_instance;

  GQueue tasks; /* of (owned) GTask, whose data is a Work */
  gboolean paused;
  guint source_id;
};

/* A file that is to be read, or a folder that is to be listed. */
typedef struct
{
  char *path;       /* (owned) */
  GPtrArray *names; /* (owned) (nullable): of GVariants, of a listing */
  GBytes *pixels;   /* (owned) (nullable): of a file */
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

  g_clear_pointer (&work->names, g_ptr_array_unref);
  g_clear_pointer (&work->pixels, g_bytes_unref);
  g_free (work->path);
  g_free (work);
}

static GVariant *
read_file (Work *work, GCancellable *cancellable, GError **error)
{
  DemoReaderClient client = { .cancellable = cancellable };
  int fd = demo_reader_open (work->path, error);
  GVariant *facts;

  if (fd < 0)
    return NULL;
  facts = demo_reader_read (fd, work->path, &client, &work->pixels, error);
  close (fd);
  return facts;
}

static gboolean
collect_cb (GVariant *names, gpointer user_data)
{
  g_ptr_array_add (user_data, g_variant_ref_sink (names));
  return TRUE;
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
      GVariant *facts = read_file (work, cancellable, &error);

      if (facts != NULL)
        {
          g_task_return_pointer (task, facts, (GDestroyNotify) g_variant_unref);
          return;
        }
    }
  else if (demo_reader_list (work->path, cancellable, collect_cb, work->names, &n_names, &error))
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

/* @first: whether it goes before all that waits. The task stays valid until @callback is called. */
static GTask *
push (DemoMainThreadEngine *self,
      Work *work,
      gboolean first,
      GCancellable *cancellable,
      GAsyncReadyCallback callback,
      gpointer user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, push);
  g_task_set_task_data (task, work, work_free);
  if (first)
    g_queue_push_head (&self->tasks, task);
  else
    g_queue_push_tail (&self->tasks, task);
  wake (self);
  return task;
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

/* Listing. Nobody can be asked to wait in the main thread, so all names come at once. */

static GObject *
list (DemoEngine *engine, const char *path, GCancellable *cancellable)
{
  GTask *listing = g_task_new (engine, cancellable, NULL, NULL);

  g_task_set_task_data (listing, g_strdup (path), g_free);
  return G_OBJECT (listing);
}

static void
next_names_async (DemoEngine *engine,
                  GObject *listing,
                  GAsyncReadyCallback callback,
                  gpointer user_data)
{
  const char *path = g_task_get_task_data (G_TASK (listing));
  Work *work = g_new0 (Work, 1);

  work->names = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  if (path != NULL)
    {
      work->path = g_strdup (path);
      push (DEMO_MAIN_THREAD_ENGINE (engine), work, TRUE, g_task_get_cancellable (G_TASK (listing)),
            callback, user_data);
      g_task_set_task_data (G_TASK (listing), NULL, NULL);
    }
  else
    {
      g_autoptr (GTask) task = g_task_new (engine, NULL, callback, user_data);

      g_task_set_task_data (task, work, work_free);
      g_task_return_boolean (task, TRUE);
    }
}

static GPtrArray *
next_names_finish (DemoEngine *engine, GAsyncResult *result, GError **error)
{
  Work *work = g_task_get_task_data (G_TASK (result));

  if (!g_task_propagate_boolean (G_TASK (result), error) || work->names->len == 0)
    return NULL;
  return g_ptr_array_ref (work->names);
}

/* Reading */

static gpointer
read_async (DemoEngine *engine,
            const char *path,
            const char *label,
            DemoUrgency urgency,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  Work *work = g_new0 (Work, 1);

  work->path = g_strdup (path);
  return push (DEMO_MAIN_THREAD_ENGINE (engine), work, urgency == DEMO_URGENCY_VISIBLE, cancellable,
               callback, user_data);
}

static void
set_urgency (DemoEngine *engine, gpointer task, DemoUrgency urgency)
{
  DemoMainThreadEngine *self = DEMO_MAIN_THREAD_ENGINE (engine);
  GList *link = g_queue_find (&self->tasks, task);

  if (link == NULL)
    return;
  g_queue_unlink (&self->tasks, link);
  if (urgency == DEMO_URGENCY_VISIBLE)
    g_queue_push_head_link (&self->tasks, link);
  else
    g_queue_push_tail_link (&self->tasks, link);
}

static GVariant *
read_finish (DemoEngine *engine, GAsyncResult *result, GBytes **pixels, GError **error)
{
  Work *work = g_task_get_task_data (G_TASK (result));

  *pixels = g_steal_pointer (&work->pixels);
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
engine_init (DemoEngineInterface *iface)
{
  iface->get_window = get_window;
  iface->set_paused = set_paused;
  iface->list = list;
  iface->next_names_async = next_names_async;
  iface->next_names_finish = next_names_finish;
  iface->read_async = read_async;
  iface->set_urgency = set_urgency;
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
