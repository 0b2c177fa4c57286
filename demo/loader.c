/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loader.h"

#include <dray.h>

#include "describe.h"

/*
 * Each file is found, asked for, and done, and goes this way once:
 *
 *   found ──ask()──> asked ──read_cb()──> done
 *
 * One function asks: fill(). It is called when the engine has answered, when names have come, and
 * when other files are wanted, and each time looks at how things are then: it does not matter in
 * which order these happen. First it asks for what is wanted and was not asked for, then for what
 * comes next in the order in which files were found.
 *
 * Of these no more are asked for than the engine needs to be busy, its window. What is wanted has
 * DEMO_MAX_WANTED places more. So what was scrolled into view is asked for at once, unless those
 * places are taken by what was scrolled past just before, which is on its way already and has lost
 * its urgency. Then each file that is done makes room for the next one that is wanted, and that is
 * the first which the engine begins.
 *
 * What is wanted is a list, replaced as a whole. A file that is in it and was asked for is urgent,
 * every other one is not. That is told to the engine when either changes, and for none but readings
 * that it has not answered: those are in the table. What it has begun or done meanwhile goes its
 * way.
 *
 * The listing is asked for more names only while fewer than MAX_AHEAD that it told are not done.
 * All this is in the main thread.
 */

/* Names that were found and not read yet, at most, before the listing has to wait. In a folder with
 * fewer files the total is known soon, and so is the time that is left. */
#define MAX_AHEAD 131072

struct _DemoLoader
{
  GObject parent_instance;

  /* Set at construction. */
  DemoEngine *engine;        /* (owned) */
  DemoFileStore *store;      /* (owned) */
  GCancellable *cancellable; /* (owned) */

  DemoLoaderState state;
  GError *error; /* (owned) (nullable) */

  /* The listing. */
  GObject *names;   /* (owned) (nullable): until its end */
  gboolean pulling; /* names were asked for */
  guint64 n_told;   /* names that it has told, those that it told twice counted once */

  GHashTable *readings; /* (owned): index -> (unowned) Reading, those that are asked for */
  guint next;           /* all files before this one were asked for */
  GArray *wanted;       /* (owned): of guint32 */
  guint n_left;         /* of those that are wanted: not asked for yet */

  guint n_read;
  guint n_failed;
  guint n_lost;
  GHashTable *reasons; /* (owned): (unowned) string -> guint */

  gint64 started;     /* µs; moved by pauses */
  gint64 paused_at;   /* µs, 0 while it is not paused */
  gint64 finished_at; /* µs, 0 before the end */
};

/* One file that was asked for. */
typedef struct
{
  DemoLoader *loader; /* (owned) */
  guint index;
  gpointer handle; /* the engine's */
  gboolean is_urgent;
} Reading;

enum
{
  SIGNAL_STATE_CHANGED,
  SIGNAL_PREVIEW,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static void fill (DemoLoader *self);
static void pull (DemoLoader *self);

G_DEFINE_TYPE (DemoLoader, demo_loader, G_TYPE_OBJECT)

static void
set_state (DemoLoader *self, DemoLoaderState state)
{
  if (self->state == state)
    return;

  self->state = state;
  if (state != DEMO_LOADER_LOADING && state != DEMO_LOADER_PAUSED)
    self->finished_at = g_get_monotonic_time ();
  g_signal_emit (self, signals[SIGNAL_STATE_CHANGED], 0);
}

static guint
get_n_done (DemoLoader *self)
{
  return demo_file_store_get_n_done (self->store);
}

static void
finish_if_done (DemoLoader *self)
{
  if (!demo_loader_is_active (self) || self->names != NULL
      || get_n_done (self) < demo_file_store_get_n_files (self->store))
    return;

  set_state (self, self->error != NULL ? DEMO_LOADER_FAILED : DEMO_LOADER_DONE);
}

/* What became of a file */

static void
note_failed (DemoLoader *self, guint index, const GError *error)
{
  const char *reason = demo_describe_reason (error);
  g_autofree char *problem = demo_describe_problem (error);
  guint n_alike = GPOINTER_TO_UINT (g_hash_table_lookup (self->reasons, reason));

  self->n_failed++;
  if (g_error_matches (error, DRAY_ERROR, DRAY_ERROR_WORKER_DIED))
    self->n_lost++;
  g_hash_table_insert (self->reasons, (char *) reason, GUINT_TO_POINTER (n_alike + 1));
  demo_file_store_set_failed (self->store, index, reason, problem);
}

static void
note_read (DemoLoader *self, guint index, const DemoFacts *facts)
{
  demo_file_store_set_read (self->store, index, facts);
  self->n_read++;
  if (facts->preview != NULL)
    g_signal_emit (self, signals[SIGNAL_PREVIEW], 0, index, facts->preview);
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Reading *reading = user_data;
  g_autoptr (DemoLoader) self = reading->loader;
  g_autoptr (GError) error = NULL;
  g_auto (DemoFacts) facts = { 0 };
  gboolean success = demo_engine_read_finish (self->engine, result, &facts, &error);

  g_hash_table_remove (self->readings, GUINT_TO_POINTER (reading->index));
  if (self->state != DEMO_LOADER_CANCELLED)
    {
      if (success)
        note_read (self, reading->index, &facts);
      else
        note_failed (self, reading->index, error);
      fill (self);
      pull (self);
      finish_if_done (self);
    }
  g_free (reading);
}

/* Asking */

static DemoFileState
get_file_state (DemoLoader *self, guint index)
{
  return demo_file_store_get_file (self->store, index)->state;
}

static void
ask (DemoLoader *self, guint index, gboolean is_urgent)
{
  const char *folder = demo_file_store_get_folder (self->store);
  const DemoFile *file = demo_file_store_get_file (self->store, index);
  g_autofree char *path = g_build_filename (folder, file->path, NULL);
  g_autofree char *label = g_filename_display_name (file->path);
  Reading *reading = g_new0 (Reading, 1);

  reading->loader = g_object_ref (self);
  reading->index = index;
  reading->is_urgent = is_urgent;
  demo_file_store_set_asked (self->store, index);
  g_hash_table_insert (self->readings, GUINT_TO_POINTER (index), reading);
  reading->handle = demo_engine_read_async (self->engine, path, label,
                                            is_urgent ? DEMO_URGENCY_VISIBLE : DEMO_URGENCY_NORMAL,
                                            self->cancellable, read_cb, reading);
}

static void
ask_for_wanted (DemoLoader *self, guint limit)
{
  for (guint i = 0; i < self->wanted->len && self->n_left > 0; i++)
    {
      guint index = g_array_index (self->wanted, guint32, i);

      if (get_file_state (self, index) != DEMO_FILE_FOUND)
        continue;
      if (g_hash_table_size (self->readings) >= limit)
        return;
      ask (self, index, TRUE);
      self->n_left--;
    }
}

static gboolean
find_next (DemoLoader *self)
{
  guint n_files = demo_file_store_get_n_files (self->store);

  while (self->next < n_files && get_file_state (self, self->next) != DEMO_FILE_FOUND)
    self->next++;
  return self->next < n_files;
}

static void
fill (DemoLoader *self)
{
  guint window = demo_engine_get_window (self->engine);

  if (!demo_loader_is_active (self))
    return;

  ask_for_wanted (self, window + DEMO_MAX_WANTED);

  /* Few at a time would wake the workers' side for each of them. */
  if (g_hash_table_size (self->readings) > window - window / 4)
    return;
  while (g_hash_table_size (self->readings) < window && find_next (self))
    ask (self, self->next, FALSE);
}

static void
set_urgent (DemoLoader *self, guint index, gboolean is_urgent)
{
  Reading *reading = g_hash_table_lookup (self->readings, GUINT_TO_POINTER (index));

  if (reading == NULL || reading->is_urgent == is_urgent)
    return;
  reading->is_urgent = is_urgent;
  demo_engine_set_urgency (self->engine, reading->handle,
                           is_urgent ? DEMO_URGENCY_VISIBLE : DEMO_URGENCY_NORMAL);
}

static gboolean
contains (const guint32 *indices, guint n_indices, guint32 index)
{
  for (guint i = 0; i < n_indices; i++)
    {
      if (indices[i] == index)
        return TRUE;
    }
  return FALSE;
}

/* The listing */

static void
take_name (DemoLoader *self, const char *name, const char *reason)
{
  guint index = demo_file_store_add (self->store, name);
  g_autoptr (GError) error = NULL;

  if (*reason == '\0')
    return;
  error = g_error_new_literal (DEMO_READER_ERROR, DEMO_READER_ERROR_FOLDER, reason);
  note_failed (self, index, error);
}

/* A listing that lost its worker begins again: names that are known already are passed over. */
static void
take_names (DemoLoader *self, GVariant *names)
{
  g_autoptr (GVariantIter) iter = NULL;
  const char *name;
  const char *reason;
  guint64 position;

  if (!g_variant_is_of_type (names, G_VARIANT_TYPE (DEMO_NAMES_TYPE)))
    return;

  g_variant_get (names, "(ta(ays))", &position, &iter);
  while (g_variant_iter_next (iter, "(^&ay&s)", &name, &reason))
    {
      if (position++ < self->n_told)
        continue;
      self->n_told++;
      take_name (self, name, reason);
    }
}

static void
names_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (DemoLoader) self = DEMO_LOADER (user_data);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) batches = demo_engine_next_names_finish (self->engine, result, &error);

  self->pulling = FALSE;
  if (batches == NULL)
    g_clear_object (&self->names);
  if (!demo_loader_is_active (self))
    return;

  for (guint i = 0; batches != NULL && i < batches->len; i++)
    take_names (self, batches->pdata[i]);
  self->error = g_steal_pointer (&error);
  fill (self);
  pull (self);
  finish_if_done (self);
}

static void
pull (DemoLoader *self)
{
  if (self->names == NULL || self->pulling
      || demo_file_store_get_n_files (self->store) - get_n_done (self) >= MAX_AHEAD)
    return;

  self->pulling = TRUE;
  demo_engine_next_names_async (self->engine, self->names, names_cb, g_object_ref (self));
}

/* GObject */

static void
demo_loader_finalize (GObject *object)
{
  DemoLoader *self = DEMO_LOADER (object);

  g_clear_error (&self->error);
  g_clear_object (&self->names);
  g_clear_pointer (&self->readings, g_hash_table_unref);
  g_clear_pointer (&self->wanted, g_array_unref);
  g_clear_pointer (&self->reasons, g_hash_table_unref);
  g_clear_pointer (&self->store, demo_file_store_unref);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->engine);

  G_OBJECT_CLASS (demo_loader_parent_class)->finalize (object);
}

static void
demo_loader_class_init (DemoLoaderClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = demo_loader_finalize;

  signals[SIGNAL_STATE_CHANGED] = g_signal_new (
    "state-changed", DEMO_TYPE_LOADER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[SIGNAL_PREVIEW] = g_signal_new ("preview", DEMO_TYPE_LOADER, G_SIGNAL_RUN_LAST, 0, NULL,
                                          NULL, NULL, G_TYPE_NONE, 2, G_TYPE_UINT, G_TYPE_POINTER);
}

static void
demo_loader_init (DemoLoader *self)
{
  self->cancellable = g_cancellable_new ();
  self->readings = g_hash_table_new (NULL, NULL);
  self->wanted = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->reasons = g_hash_table_new (g_str_hash, g_str_equal);
}

DemoLoader *
demo_loader_new (const char *folder, DemoEngine *engine)
{
  DemoLoader *self = g_object_new (DEMO_TYPE_LOADER, NULL);

  self->engine = g_object_ref (engine);
  self->store = demo_file_store_new (folder);
  return self;
}

void
demo_loader_start (DemoLoader *self)
{
  g_return_if_fail (self->state == DEMO_LOADER_NEW);

  self->started = g_get_monotonic_time ();
  demo_engine_set_paused (self->engine, FALSE);
  self->names = demo_engine_list (self->engine, demo_file_store_get_folder (self->store),
                                  self->cancellable);
  set_state (self, DEMO_LOADER_LOADING);
  pull (self);
}

void
demo_loader_set_paused (DemoLoader *self, gboolean paused)
{
  if (!demo_loader_is_active (self) || paused == (self->state == DEMO_LOADER_PAUSED))
    return;

  if (paused)
    self->paused_at = g_get_monotonic_time ();
  else
    {
      self->started += g_get_monotonic_time () - self->paused_at;
      self->paused_at = 0;
    }
  demo_engine_set_paused (self->engine, paused);
  set_state (self, paused ? DEMO_LOADER_PAUSED : DEMO_LOADER_LOADING);
}

/* What was asked for is taken back, and what has begun is asked to stop. */
void
demo_loader_cancel (DemoLoader *self)
{
  if (!demo_loader_is_active (self))
    return;

  demo_loader_set_paused (self, FALSE);
  set_state (self, DEMO_LOADER_CANCELLED);
  g_cancellable_cancel (self->cancellable);
}

void
demo_loader_set_wanted (DemoLoader *self, const guint32 *indices, guint n_indices)
{
  n_indices = MIN (n_indices, DEMO_MAX_WANTED);
  for (guint i = 0; i < self->wanted->len; i++)
    {
      guint32 index = g_array_index (self->wanted, guint32, i);

      if (!contains (indices, n_indices, index))
        set_urgent (self, index, FALSE);
    }

  g_array_set_size (self->wanted, 0);
  self->n_left = 0;
  for (guint i = 0; i < n_indices; i++)
    {
      if (contains (indices, i, indices[i]))
        continue;
      g_array_append_val (self->wanted, indices[i]);
      set_urgent (self, indices[i], TRUE);
      self->n_left += get_file_state (self, indices[i]) == DEMO_FILE_FOUND;
    }
  fill (self);
}

DemoLoaderState
demo_loader_get_state (DemoLoader *self)
{
  return self->state;
}

gboolean
demo_loader_is_active (DemoLoader *self)
{
  return self->state == DEMO_LOADER_LOADING || self->state == DEMO_LOADER_PAUSED;
}

DemoFileStore *
demo_loader_get_store (DemoLoader *self)
{
  return self->store;
}

DemoEngine *
demo_loader_get_engine (DemoLoader *self)
{
  return self->engine;
}

gboolean
demo_loader_is_listing (DemoLoader *self)
{
  return self->names != NULL;
}

guint
demo_loader_get_n_found (DemoLoader *self)
{
  return demo_file_store_get_n_files (self->store);
}

guint
demo_loader_get_n_running (DemoLoader *self)
{
  return g_hash_table_size (self->readings);
}

guint
demo_loader_get_n_read (DemoLoader *self)
{
  return self->n_read;
}

guint
demo_loader_get_n_failed (DemoLoader *self)
{
  return self->n_failed;
}

double
demo_loader_get_seconds (DemoLoader *self)
{
  gint64 now = g_get_monotonic_time ();

  if (self->state == DEMO_LOADER_NEW)
    return 0;
  if (self->finished_at != 0)
    now = self->finished_at;
  else if (self->paused_at != 0)
    now = self->paused_at;
  return (double) (now - self->started) / G_USEC_PER_SEC;
}

const GError *
demo_loader_get_error (DemoLoader *self)
{
  return self->error;
}

GHashTable *
demo_loader_get_reasons (DemoLoader *self)
{
  return self->reasons;
}

guint
demo_loader_get_n_lost (DemoLoader *self)
{
  return self->n_lost;
}
