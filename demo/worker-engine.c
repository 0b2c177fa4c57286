/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker-engine.h"

#include <gio/gunixfdlist.h>
#include <sys/resource.h>
#include <unistd.h>

#include "paths.h"

/*
 * Two executors: the one lists folders, in one worker, and the other reads files, in as many as
 * there are processors. A listing that waits for somebody to take its names must not keep a
 * processor from reading. And only the first needs to find its way around the file system: the
 * readers are handed open files, and nothing else. So they are put into a sandbox, in which they
 * can't do anything but read those and answer, whoever has made the files.
 *
 * So a file passes through three places:
 *
 *   the opener's thread ──> the readers' executor ──> a worker ──> the callback
 *
 * To open a file may take as long as its file system likes, so a thread does it, the more urgent
 * ones first. What is open goes back to the main thread, many at a time, and becomes a task there:
 * its callbacks are connected before it can have any, and its urgency may have changed meanwhile.
 * All but the opening is in the main thread, so that no lock is needed for what a reading is.
 *
 * The reading of a file is a GTask whose data is a Reading. It is held by whoever has it: the
 * opener, the list of what is open, the future's done callback.
 */

/* Files asked for at a time, for each worker. A small file takes some 0.1 ms, and while the main
 * thread draws a frame it asks for nothing: so many keep a worker busy for a frame. Those that wait
 * cost an open file each, and a cancelled load has only these to take back. */
#define TASKS_PER_WORKER 64

/* Open files take no more than this part of the descriptors that the application may have. */
#define SHARE_OF_DESCRIPTORS 4

/* A folder's listing takes up where a worker that was lost left it. */
#define LIST_RETRIES 8

/* Batches of names that are taken at a time. To put more into the store would be noticed. */
#define BATCHES_AT_A_TIME 2

/* A lister that has nothing to do for this long, in ms, is sent home. */
#define LISTER_IDLE_TIMEOUT 1000

/* A file that takes this long, in ms, is given up: there are files without an end. */
#define READ_TIME_LIMIT (10 * 60 * 1000)

/* Pixels from this size on, in bytes, arrive in memory of their own, which is sealed: it is mapped
 * and drawn as it is. It may not be memory that is used again, as for workers that are trusted:
 * whoever decodes pictures from anywhere is not. */
#define SHARED_SIZE (64 * 1024)

struct _DemoWorkerEngine
{
  GObject parent_instance;

  /* Set at construction. */
  DrayExecutor *lister; /* (owned) */
  DrayExecutor *reader; /* (owned) */
  GThreadPool *opener;  /* (owned): one thread, of (owned) GTask */
  guint window;

  GMutex mutex;
  /* Protected by the mutex. */
  GQueue opened; /* of (owned) GTask, on their way back to the main thread */
  guint opened_id;
};

typedef struct
{
  char *path;   /* (owned) */
  char *label;  /* (owned) */
  gint urgency; /* a DemoUrgency; atomic: the opener looks at it */

  /* The opener's, then the main thread's. */
  int fd;        /* (owned): -1 if it is not open */
  GError *error; /* (owned) (nullable): why not */

  /* Main thread only. */
  DrayFuture *future; /* (owned) (nullable): once it is open */
  GBytes *pixels;     /* (owned) (nullable) */
} Reading;

static void engine_init (DemoEngineInterface *iface);

G_DEFINE_TYPE_WITH_CODE (DemoWorkerEngine,
                         demo_worker_engine,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (DEMO_TYPE_ENGINE, engine_init))

static void
reading_free (gpointer data)
{
  Reading *reading = data;

  if (reading->fd >= 0)
    close (reading->fd);
  g_clear_error (&reading->error);
  g_clear_object (&reading->future);
  g_clear_pointer (&reading->pixels, g_bytes_unref);
  g_free (reading->path);
  g_free (reading->label);
  g_free (reading);
}

static guint
get_window (DemoEngine *engine)
{
  return DEMO_WORKER_ENGINE (engine)->window;
}

static void
set_paused (DemoEngine *engine, gboolean paused)
{
  dray_executor_set_paused (DEMO_WORKER_ENGINE (engine)->reader, paused);
}

/* Listing */

static GObject *
list (DemoEngine *engine, const char *path, GCancellable *cancellable)
{
  g_autoptr (DrayTask) call = NULL;

  call = dray_task_new_call (DEMO_FUNCTION_LIST, g_variant_new ("(^ay)", path));
  dray_task_set_label (call, path);
  dray_task_set_max_retries (call, LIST_RETRIES);
  dray_task_set_pull (call, TRUE);
  return G_OBJECT (dray_executor_submit (DEMO_WORKER_ENGINE (engine)->lister, call, cancellable));
}

static void
next_names_async (DemoEngine *engine,
                  GObject *listing,
                  GAsyncReadyCallback callback,
                  gpointer user_data)
{
  dray_future_next_items_async (DRAY_FUTURE (listing), BATCHES_AT_A_TIME, NULL, callback,
                                user_data);
}

static GPtrArray *
next_names_finish (DemoEngine *engine, GAsyncResult *result, GError **error)
{
  g_autoptr (GObject) future = g_async_result_get_source_object (result);

  return dray_future_next_items_finish (DRAY_FUTURE (future), result, error);
}

/* Reading */

static void
item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  Reading *reading = g_task_get_task_data (user_data);

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING))
    return;
  g_clear_pointer (&reading->pixels, g_bytes_unref);
  reading->pixels = g_variant_get_data_as_bytes (value);
}

static void
done_cb (DrayFuture *future, gpointer user_data)
{
  GTask *task = user_data;
  GError *error = NULL;
  GVariant *facts = dray_future_dup_result (future, &error);

  if (facts != NULL)
    g_task_return_pointer (task, facts, (GDestroyNotify) g_variant_unref);
  else
    g_task_return_error (task, error);
}

/* (transfer full) (nullable): a call that has a duplicate of the open file; the first one is
 * closed */
static DrayTask *
make_call (Reading *reading, GError **error)
{
  g_autoptr (DrayTask) call = NULL;
  g_autoptr (GUnixFDList) files = g_unix_fd_list_new_from_array (&reading->fd, 1);

  reading->fd = -1;
  call = dray_task_new_call (DEMO_FUNCTION_READ, g_variant_new ("(^ay)", reading->path));
  dray_task_set_label (call, reading->label);
  dray_task_set_priority (call, g_atomic_int_get (&reading->urgency));
  dray_task_set_time_limit (call, READ_TIME_LIMIT);
  return dray_task_set_attachments (call, files, error) ? g_steal_pointer (&call) : NULL;
}

/* @task: (transfer full) */
static void
submit (DemoWorkerEngine *self, GTask *task)
{
  Reading *reading = g_task_get_task_data (task);
  g_autoptr (DrayTask) call = NULL;

  if (reading->error == NULL)
    call = make_call (reading, &reading->error);
  if (call == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&reading->error));
      g_object_unref (task);
      return;
    }
  reading->future = dray_executor_submit (self->reader, call, g_task_get_cancellable (task));
  g_signal_connect (reading->future, "item", G_CALLBACK (item_cb), task);
  dray_future_add_done_callback (reading->future, done_cb, task, g_object_unref);
}

static gboolean
opened_cb (gpointer user_data)
{
  DemoWorkerEngine *self = user_data;
  GQueue opened = G_QUEUE_INIT;
  GTask *task;

  g_mutex_lock (&self->mutex);
  opened = self->opened;
  g_queue_init (&self->opened);
  self->opened_id = 0;
  g_mutex_unlock (&self->mutex);

  while ((task = g_queue_pop_head (&opened)) != NULL)
    submit (self, task);
  return G_SOURCE_REMOVE;
}

/* In the opener's thread. Of a load that was cancelled nothing is opened any more. */
static void
open_func (gpointer data, gpointer user_data)
{
  GTask *task = data;
  DemoWorkerEngine *self = user_data;
  Reading *reading = g_task_get_task_data (task);

  if (!g_cancellable_set_error_if_cancelled (g_task_get_cancellable (task), &reading->error))
    reading->fd = demo_reader_open (reading->path, &reading->error);

  g_mutex_lock (&self->mutex);
  g_queue_push_tail (&self->opened, task);
  if (self->opened_id == 0)
    self->opened_id = g_idle_add_full (G_PRIORITY_DEFAULT, opened_cb, g_object_ref (self),
                                       g_object_unref);
  g_mutex_unlock (&self->mutex);
}

/* Of those that are as urgent, the pool keeps the order. */
static int
compare_urgency (gconstpointer a, gconstpointer b, gpointer user_data)
{
  Reading *reading_a = g_task_get_task_data ((GTask *) a);
  Reading *reading_b = g_task_get_task_data ((GTask *) b);

  return g_atomic_int_get (&reading_a->urgency) - g_atomic_int_get (&reading_b->urgency);
}

static gpointer
read_async (DemoEngine *engine,
            const char *path,
            const char *label,
            DemoUrgency urgency,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  GTask *task = g_task_new (engine, cancellable, callback, user_data);
  Reading *reading = g_new0 (Reading, 1);

  reading->path = g_strdup (path);
  reading->label = g_strdup (label);
  reading->urgency = urgency;
  reading->fd = -1;
  g_task_set_source_tag (task, read_async);
  g_task_set_task_data (task, reading, reading_free);
  g_thread_pool_push (DEMO_WORKER_ENGINE (engine)->opener, task, NULL);
  return task;
}

static void
set_urgency (DemoEngine *engine, gpointer task, DemoUrgency urgency)
{
  Reading *reading = g_task_get_task_data (task);

  g_atomic_int_set (&reading->urgency, urgency);
  if (reading->future != NULL)
    dray_future_set_priority (reading->future, urgency);
}

static GVariant *
read_finish (DemoEngine *engine, GAsyncResult *result, GBytes **pixels, GError **error)
{
  Reading *reading = g_task_get_task_data (G_TASK (result));

  *pixels = g_steal_pointer (&reading->pixels);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* GObject */

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

/* Each reading holds a reference, so there is none left, and the opener has nothing to do: its
 * thread is not waited for. */
static void
demo_worker_engine_finalize (GObject *object)
{
  DemoWorkerEngine *self = DEMO_WORKER_ENGINE (object);

  g_assert (g_queue_is_empty (&self->opened));
  g_thread_pool_free (self->opener, FALSE, FALSE);
  g_clear_object (&self->lister);
  g_clear_object (&self->reader);
  g_mutex_clear (&self->mutex);

  G_OBJECT_CLASS (demo_worker_engine_parent_class)->finalize (object);
}

static void
demo_worker_engine_class_init (DemoWorkerEngineClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = demo_worker_engine_finalize;
}

static void
demo_worker_engine_init (DemoWorkerEngine *self)
{
  g_mutex_init (&self->mutex);
  g_queue_init (&self->opened);
  self->opener = g_thread_pool_new (open_func, self, 1, FALSE, NULL);
  g_thread_pool_set_sort_function (self->opener, compare_urgency, NULL);
}

/* (transfer full) */
static DrayLauncher *
make_launcher (void)
{
  g_autofree char *program = demo_dup_reader_program ();
  g_autofree char *locale_dir = demo_dup_locale_dir ();
  DrayLauncher *launcher = dray_launcher_new_argv ((const char *const[]){ program, NULL });

  dray_launcher_setenv (launcher, "DRAY_DEMO_LOCALEDIR", locale_dir);
  return launcher;
}

/* What does not exist can't be granted. */
static void
grant (DrayLauncher *launcher, const char *path)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    dray_launcher_grant_path (launcher, path, DRAY_ACCESS_READ);
}

/* Decoders, and most of what is known of types of files, are the system's, which is there. The
 * types of the user's own are not, nor are translations that are not installed there.
 *
 * Preferred, not required: the demo is to run in containers, too, many of which forbid namespaces.
 * Otherwise it would have to read the files without a sandbox, or not at all. What is missing of it
 * is told in the panel of workers. */
static void
confine (DrayLauncher *launcher)
{
  g_autofree char *locale_dir = demo_dup_locale_dir ();
  g_autofree char *own_types = g_build_filename (g_get_user_data_dir (), "mime", NULL);
  const char *const *folders = g_get_system_data_dirs ();

  dray_launcher_set_sandbox (launcher, DRAY_SANDBOX_STRICT);
  dray_launcher_set_sandbox_need (launcher, DRAY_SANDBOX_PREFERRED);
  grant (launcher, locale_dir);
  grant (launcher, own_types);
  for (guint i = 0; folders[i] != NULL; i++)
    {
      g_autofree char *types = g_build_filename (folders[i], "mime", NULL);

      grant (launcher, types);
    }
}

static guint
choose_window (guint n_workers)
{
  struct rlimit limit = { 0 };

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > G_MAXINT)
    limit.rlim_cur = G_MAXINT;
  return CLAMP (TASKS_PER_WORKER * n_workers, 1, (guint) limit.rlim_cur / SHARE_OF_DESCRIPTORS);
}

DemoEngine *
demo_worker_engine_new (guint max_workers)
{
  DemoWorkerEngine *self = g_object_new (DEMO_TYPE_WORKER_ENGINE, NULL);
  g_autoptr (DrayLauncher) lister_launcher = make_launcher ();
  g_autoptr (DrayLauncher) reader_launcher = make_launcher ();

  self->lister = dray_executor_new (lister_launcher);
  dray_executor_set_max_workers (self->lister, 1);
  g_object_set (self->lister, "idle-timeout", LISTER_IDLE_TIMEOUT, NULL);

  dray_launcher_set_shared_size (reader_launcher, SHARED_SIZE);
  confine (reader_launcher);
  self->reader = dray_executor_new (reader_launcher);
  g_object_set (self->reader, "max-message-size", (guint64) DEMO_MAX_MESSAGE, NULL);
  if (max_workers > 0)
    dray_executor_set_max_workers (self->reader, max_workers);
  self->window = choose_window (dray_executor_get_max_workers (self->reader));
  return DEMO_ENGINE (self);
}

DrayExecutor *
demo_worker_engine_get_executor (DemoWorkerEngine *self)
{
  return self->reader;
}
