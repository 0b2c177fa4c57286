/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "file-model.h"

#include "file-model-private.h"

/* The time that telling the view of rows may take in one turn of the main loop, in µs, and the rows
 * between two looks at the clock. */
#define SLICE 2000
#define ROWS_PER_CHECK 32

enum
{
  SIGNAL_ARRANGED,
  SIGNAL_TOLD,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_TYPE_WITH_CODE (DemoFileModel,
                         demo_file_model,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (GTK_TYPE_TREE_MODEL, demo_file_model_tree_init))

/* Telling the view of rows */

static void
tell_row (DemoFileModel *self)
{
  g_autoptr (GtkTreePath) path = gtk_tree_path_new_from_indices ((int) self->n_told, -1);
  GtkTreeIter iter;

  self->n_told++;
  demo_file_model_set_iter (self, &iter, self->n_told - 1);
  gtk_tree_model_row_inserted (GTK_TREE_MODEL (self), path, &iter);
}

static void
take_row_back (DemoFileModel *self)
{
  g_autoptr (GtkTreePath) path = NULL;

  self->n_told--;
  path = gtk_tree_path_new_from_indices ((int) self->n_told, -1);
  gtk_tree_model_row_deleted (GTK_TREE_MODEL (self), path);
}

static gboolean
tell_cb (gpointer user_data)
{
  DemoFileModel *self = user_data;
  gint64 end = g_get_monotonic_time () + SLICE;

  while (self->n_told != self->n_rows)
    {
      if (self->n_told < self->n_rows)
        tell_row (self);
      else
        take_row_back (self);
      if (self->n_told % ROWS_PER_CHECK == 0 && g_get_monotonic_time () > end)
        return G_SOURCE_CONTINUE;
    }
  self->tell_source_id = 0;
  g_signal_emit (self, signals[SIGNAL_TOLD], 0);
  return G_SOURCE_REMOVE;
}

static void
tell_rows (DemoFileModel *self)
{
  if (self->n_told != self->n_rows && self->tell_source_id == 0)
    self->tell_source_id = g_idle_add (tell_cb, self);
}

/* @arrangement: (transfer full) (nullable): NULL shows all files in the order of arrival */
static void
show (DemoFileModel *self, DemoArrangement *arrangement, guint n_rows, gboolean anew)
{
  g_clear_pointer (&self->arrangement, demo_arrangement_free);
  self->arrangement = arrangement;
  self->n_rows = n_rows;
  g_signal_emit (self, signals[SIGNAL_ARRANGED], 0, anew);
  tell_rows (self);
}

static gboolean
is_plain (DemoFileModel *self)
{
  return self->sort == DEMO_SORT_ARRIVAL && self->needle == NULL;
}

/* Whether the arrangement is that of all that is known. */
static gboolean
is_recent (DemoFileModel *self)
{
  return self->arrangement->n_files == demo_file_store_get_n_files (self->store)
         && (!demo_sort_is_by_facts (self->sort)
             || self->arrangement->n_done == demo_file_store_get_n_done (self->store));
}

static void
request (DemoFileModel *self)
{
  self->awaited_is_new = self->is_different;
  self->is_different = FALSE;
  self->awaited = demo_arranger_request (
    self->arranger, self->store, demo_file_store_get_n_files (self->store),
    demo_file_store_get_n_done (self->store), self->sort, self->descending, self->needle);
}

static void
arranged_cb (DemoArrangement *arrangement, gpointer user_data)
{
  DemoFileModel *self = user_data;

  if (arrangement->serial != self->awaited)
    {
      demo_arrangement_free (arrangement);
      return;
    }
  self->awaited = 0;
  show (self, arrangement, arrangement->n_shown, self->awaited_is_new);
}

static void
rearrange (DemoFileModel *self)
{
  self->is_different = TRUE;
  self->awaited = 0;
  demo_file_model_update (self);
}

static void
demo_file_model_finalize (GObject *object)
{
  DemoFileModel *self = DEMO_FILE_MODEL (object);

  g_clear_handle_id (&self->tell_source_id, g_source_remove);
  g_clear_pointer (&self->arranger, demo_arranger_free);
  g_clear_pointer (&self->arrangement, demo_arrangement_free);
  g_clear_pointer (&self->store, demo_file_store_unref);
  g_clear_pointer (&self->needle, g_free);
  for (guint i = 0; i < DEMO_N_ICONS; i++)
    g_clear_pointer (&self->icons[i], cairo_surface_destroy);

  G_OBJECT_CLASS (demo_file_model_parent_class)->finalize (object);
}

static void
demo_file_model_class_init (DemoFileModelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = demo_file_model_finalize;

  signals[SIGNAL_ARRANGED] = g_signal_new ("arranged", DEMO_TYPE_FILE_MODEL, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
  signals[SIGNAL_TOLD] = g_signal_new ("told", DEMO_TYPE_FILE_MODEL, G_SIGNAL_RUN_LAST, 0, NULL,
                                       NULL, NULL, G_TYPE_NONE, 0);
}

static void
demo_file_model_init (DemoFileModel *self)
{
  self->stamp = 1;
  self->arranger = demo_arranger_new (arranged_cb, self);
}

DemoFileModel *
demo_file_model_new (void)
{
  return g_object_new (DEMO_TYPE_FILE_MODEL, NULL);
}

void
demo_file_model_set_icons (DemoFileModel *self, cairo_surface_t *const *icons)
{
  for (guint i = 0; i < DEMO_N_ICONS; i++)
    {
      g_clear_pointer (&self->icons[i], cairo_surface_destroy);
      if (icons[i] != NULL)
        self->icons[i] = cairo_surface_reference (icons[i]);
    }
}

void
demo_file_model_set_store (DemoFileModel *self, DemoFileStore *store)
{
  if (store != NULL)
    demo_file_store_ref (store);
  g_clear_pointer (&self->store, demo_file_store_unref);
  self->store = store;
  show (self, NULL, 0, TRUE);
  rearrange (self);
}

void
demo_file_model_set_sort (DemoFileModel *self, DemoSort sort, gboolean descending)
{
  if (self->sort == sort && self->descending == descending)
    return;

  self->sort = sort;
  self->descending = descending;
  rearrange (self);
}

void
demo_file_model_set_needle (DemoFileModel *self, const char *needle)
{
  if (needle != NULL && *needle == '\0')
    needle = NULL;
  if (g_strcmp0 (self->needle, needle) == 0)
    return;

  g_free (self->needle);
  self->needle = g_strdup (needle);
  rearrange (self);
}

void
demo_file_model_update (DemoFileModel *self)
{
  guint n_files = self->store != NULL ? demo_file_store_get_n_files (self->store) : 0;

  if (self->store == NULL || self->awaited != 0)
    return;

  if (is_plain (self))
    {
      if (self->is_different)
        show (self, NULL, n_files, TRUE);
      self->is_different = FALSE;
      self->n_rows = n_files;
      tell_rows (self);
    }
  else if (self->is_different || self->arrangement == NULL || !is_recent (self))
    request (self);
}

guint
demo_file_model_get_n_rows (DemoFileModel *self)
{
  return self->n_rows;
}

gboolean
demo_file_model_is_arranged (DemoFileModel *self)
{
  guint n_files = self->store != NULL ? demo_file_store_get_n_files (self->store) : 0;

  if (self->awaited != 0 || self->is_different)
    return FALSE;
  return self->arrangement != NULL ? is_recent (self) : self->n_rows == n_files;
}

gboolean
demo_file_model_is_settled (DemoFileModel *self)
{
  return demo_file_model_is_arranged (self) && self->n_told == self->n_rows;
}

gboolean
demo_file_model_get_index (DemoFileModel *self, guint row, guint *index)
{
  if (row >= self->n_rows)
    return FALSE;
  *index = self->arrangement != NULL ? self->arrangement->shown[row] : row;
  return TRUE;
}

gboolean
demo_file_model_is_done (DemoFileModel *self, guint index)
{
  return demo_file_store_get_file (self->store, index)->state == DEMO_FILE_DONE;
}

gboolean
demo_file_model_find_row (DemoFileModel *self, guint index, guint *row)
{
  guint n_there = MIN (self->n_told, self->n_rows);

  if (self->arrangement == NULL)
    {
      *row = index;
      return index < n_there;
    }
  for (guint i = 0; i < n_there; i++)
    {
      if (self->arrangement->shown[i] == index)
        {
          *row = i;
          return TRUE;
        }
    }
  return FALSE;
}
