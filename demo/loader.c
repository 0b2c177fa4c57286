/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loader.h"

#include <dray.h>

#include "describe.h"

struct _DemoLoader
{
  GObject parent_instance;

  /* Set at construction. */
  DemoEngine *engine;        /* (owned) */
  DemoFileStore *store;      /* (owned) */
  GCancellable *cancellable; /* (owned) */

  DemoLoaderState state;
  GError *error; /* (owned) (nullable) */

  /* Names that were found, in the order in which they are asked for. */
  GPtrArray *names; /* (owned): of (unowned) strings in the store */
  guint n_asked;
  guint n_running;
  guint64 n_told; /* names that the listing has told, those that it told twice counted once */
  gboolean listing;

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
  const char *name;
} Reading;

enum
{
  SIGNAL_STATE_CHANGED,
  SIGNAL_PREVIEW,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static void fill (DemoLoader *self);

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

static void
finish_if_done (DemoLoader *self)
{
  if (!demo_loader_is_active (self) || self->listing || self->n_running > 0
      || self->n_asked < self->names->len)
    return;

  set_state (self, self->error != NULL ? DEMO_LOADER_FAILED : DEMO_LOADER_DONE);
}

/* What became of a name */

static void
add_failed (DemoLoader *self, const char *name, const GError *error)
{
  const char *reason = demo_describe_reason (error);
  guint n_alike = GPOINTER_TO_UINT (g_hash_table_lookup (self->reasons, reason));

  self->n_failed++;
  if (g_error_matches (error, DRAY_ERROR, DRAY_ERROR_WORKER_DIED))
    self->n_lost++;
  g_hash_table_insert (self->reasons, (char *) reason, GUINT_TO_POINTER (n_alike + 1));
  demo_file_store_add_failed (self->store, name, reason, error->message);
}

static void
add_read (DemoLoader *self, const char *name, const DemoFacts *facts)
{
  guint index = demo_file_store_add_read (self->store, name, facts);

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
  g_autoptr (GVariant) value = demo_engine_read_finish (self->engine, result, &error);
  g_auto (DemoFacts) facts = { 0 };

  self->n_running--;
  if (self->state != DEMO_LOADER_CANCELLED)
    {
      if (value != NULL && demo_facts_from_variant (&facts, value, &error))
        add_read (self, reading->name, &facts);
      else
        add_failed (self, reading->name, error);
      fill (self);
      finish_if_done (self);
    }
  g_free (reading);
}

/* Asks for as many files as the engine needs to be busy, and for no more. */
static void
fill (DemoLoader *self)
{
  guint window = demo_engine_get_window (self->engine);

  /* Few at a time would wake the workers' side for each of them. */
  if (self->n_running > window - window / 4)
    return;

  while (self->n_running < window && self->n_asked < self->names->len)
    {
      Reading *reading = g_new0 (Reading, 1);
      g_autofree char *path = NULL;
      g_autofree char *label = NULL;

      reading->loader = g_object_ref (self);
      reading->name = g_ptr_array_index (self->names, self->n_asked++);
      self->n_running++;
      path = g_build_filename (demo_file_store_get_folder (self->store), reading->name, NULL);
      label = g_filename_display_name (reading->name);
      demo_engine_read_async (self->engine, path, label, self->cancellable, read_cb, reading);
    }
}

/* The listing */

static void
take_name (DemoLoader *self, const char *name, const char *reason)
{
  const char *kept = demo_file_store_keep_name (self->store, name);
  g_autoptr (GError) error = NULL;

  if (*reason == '\0')
    {
      g_ptr_array_add (self->names, (char *) kept);
      return;
    }
  error = g_error_new_literal (DEMO_READER_ERROR, DEMO_READER_ERROR_FOLDER, reason);
  add_failed (self, kept, error);
}

/* A listing that lost its worker begins again: names that are known already are passed over. */
static gboolean
names_cb (GVariant *value, gpointer user_data)
{
  DemoLoader *self = user_data;
  g_autoptr (GVariant) names = g_variant_ref_sink (value);
  g_autoptr (GVariantIter) iter = NULL;
  const char *name;
  const char *reason;
  guint64 position;

  if (!demo_loader_is_active (self)
      || !g_variant_is_of_type (names, G_VARIANT_TYPE (DEMO_NAMES_TYPE)))
    return FALSE;

  g_variant_get (names, "(ta(ays))", &position, &iter);
  while (g_variant_iter_next (iter, "(^&ay&s)", &name, &reason))
    {
      if (position++ < self->n_told)
        continue;
      self->n_told++;
      take_name (self, name, reason);
    }
  fill (self);
  return TRUE;
}

static void
listed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (DemoLoader) self = DEMO_LOADER (user_data);

  self->listing = FALSE;
  demo_engine_list_finish (self->engine, result, &self->error);
  finish_if_done (self);
}

/* GObject */

static void
demo_loader_finalize (GObject *object)
{
  DemoLoader *self = DEMO_LOADER (object);

  g_clear_error (&self->error);
  g_clear_pointer (&self->names, g_ptr_array_unref);
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
                                          NULL, NULL, G_TYPE_NONE, 2, G_TYPE_UINT, G_TYPE_VARIANT);
}

static void
demo_loader_init (DemoLoader *self)
{
  self->cancellable = g_cancellable_new ();
  self->names = g_ptr_array_new ();
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
  self->listing = TRUE;
  demo_engine_set_paused (self->engine, FALSE);
  demo_engine_list_async (self->engine, demo_file_store_get_folder (self->store), names_cb, self,
                          self->cancellable, listed_cb, g_object_ref (self));
  set_state (self, DEMO_LOADER_LOADING);
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
  return self->listing;
}

guint
demo_loader_get_n_found (DemoLoader *self)
{
  return (guint) self->n_told;
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
