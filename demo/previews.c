/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "previews.h"

/* How many previews are kept at most, and bytes of them. To drop more at once would be noticed. */
#define MAX_PREVIEWS 4096
#define MAX_BYTES (48 * 1024 * 1024)

struct _DemoPreviews
{
  GObject parent_instance;

  GHashTable *links; /* (owned): index -> link of the queue */
  GQueue queue;      /* of (owned) Entry, those that were looked at last at the head */
  gsize n_bytes;
  GCancellable *fetching; /* (owned) (nullable) */
};

typedef struct
{
  guint index;
  DemoPreview *preview; /* (owned) */
} Entry;

typedef struct
{
  guint index;
  DemoEngine *engine; /* (owned) */
} Fetch;

G_DEFINE_TYPE (DemoPreviews, demo_previews, G_TYPE_OBJECT)

static void
fetch_free (gpointer data)
{
  Fetch *fetch = data;

  g_object_unref (fetch->engine);
  g_free (fetch);
}

static void
drop (DemoPreviews *self, GList *link)
{
  Entry *entry = link->data;

  g_hash_table_remove (self->links, GUINT_TO_POINTER (entry->index));
  g_queue_delete_link (&self->queue, link);
  self->n_bytes -= demo_preview_get_size (entry->preview);
  demo_preview_unref (entry->preview);
  g_free (entry);
}

static void
demo_previews_finalize (GObject *object)
{
  DemoPreviews *self = DEMO_PREVIEWS (object);

  demo_previews_clear (self);
  g_hash_table_unref (self->links);

  G_OBJECT_CLASS (demo_previews_parent_class)->finalize (object);
}

static void
demo_previews_class_init (DemoPreviewsClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = demo_previews_finalize;
}

static void
demo_previews_init (DemoPreviews *self)
{
  self->links = g_hash_table_new (NULL, NULL);
  g_queue_init (&self->queue);
}

DemoPreviews *
demo_previews_new (void)
{
  return g_object_new (DEMO_TYPE_PREVIEWS, NULL);
}

void
demo_previews_clear (DemoPreviews *self)
{
  if (self->fetching != NULL)
    g_cancellable_cancel (self->fetching);
  g_clear_object (&self->fetching);
  while (!g_queue_is_empty (&self->queue))
    drop (self, self->queue.head);
}

void
demo_previews_add (DemoPreviews *self, guint index, DemoPreview *preview)
{
  GList *link = g_hash_table_lookup (self->links, GUINT_TO_POINTER (index));
  Entry *entry;

  if (link != NULL)
    drop (self, link);

  entry = g_new0 (Entry, 1);
  entry->index = index;
  entry->preview = demo_preview_ref (preview);
  self->n_bytes += demo_preview_get_size (preview);
  g_queue_push_head (&self->queue, entry);
  g_hash_table_insert (self->links, GUINT_TO_POINTER (index), self->queue.head);

  while (self->queue.length > 1 && (self->n_bytes > MAX_BYTES || self->queue.length > MAX_PREVIEWS))
    drop (self, self->queue.tail);
}

DemoPreview *
demo_previews_lookup (DemoPreviews *self, guint index)
{
  GList *link = g_hash_table_lookup (self->links, GUINT_TO_POINTER (index));

  if (link == NULL)
    return NULL;
  g_queue_unlink (&self->queue, link);
  g_queue_push_head_link (&self->queue, link);
  return ((Entry *) link->data)->preview;
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  DemoPreviews *self = g_task_get_source_object (task);
  Fetch *fetch = g_task_get_task_data (task);
  g_auto (DemoFacts) facts = { 0 };
  GError *error = NULL;
  gboolean success = demo_engine_read_finish (fetch->engine, result, &facts, &error);

  if (g_task_get_cancellable (task) == self->fetching)
    g_clear_object (&self->fetching);
  if (g_task_return_error_if_cancelled (task))
    g_clear_error (&error);
  else if (!success)
    g_task_return_error (task, error);
  else if (facts.preview == NULL)
    g_task_return_pointer (task, NULL, NULL);
  else
    {
      demo_previews_add (self, fetch->index, facts.preview);
      g_task_return_pointer (task, demo_preview_ref (facts.preview),
                             (GDestroyNotify) demo_preview_unref);
    }
}

void
demo_previews_fetch_async (DemoPreviews *self,
                           guint index,
                           const char *path,
                           const char *label,
                           DemoEngine *engine,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  Fetch *fetch = g_new0 (Fetch, 1);
  GTask *task;

  if (self->fetching != NULL)
    g_cancellable_cancel (self->fetching);
  g_clear_object (&self->fetching);
  self->fetching = g_cancellable_new ();

  fetch->index = index;
  fetch->engine = g_object_ref (engine);
  task = g_task_new (self, self->fetching, callback, user_data);
  g_task_set_source_tag (task, demo_previews_fetch_async);
  g_task_set_task_data (task, fetch, fetch_free);
  demo_engine_read_async (engine, path, label, DEMO_URGENCY_VISIBLE, self->fetching, read_cb, task);
}

DemoPreview *
demo_previews_fetch_finish (DemoPreviews *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
