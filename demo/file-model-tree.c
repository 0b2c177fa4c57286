/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <cairo-gobject.h>

#include "describe.h"
#include "file-model-private.h"

/* The model's face as a GtkTreeModel: a list whose iterators are the numbers of rows. */

gboolean
demo_file_model_set_iter (DemoFileModel *self, GtkTreeIter *iter, guint row)
{
  if (row >= self->n_told)
    {
      iter->stamp = 0;
      return FALSE;
    }
  iter->stamp = self->stamp;
  iter->user_data = GUINT_TO_POINTER (row);
  return TRUE;
}

static GtkTreeModelFlags
get_flags (GtkTreeModel *model)
{
  return GTK_TREE_MODEL_LIST_ONLY;
}

static int
get_n_columns (GtkTreeModel *model)
{
  return DEMO_N_FILE_COLUMNS;
}

static GType
get_column_type (GtkTreeModel *model, int column)
{
  switch (column)
    {
    case DEMO_FILE_COLUMN_ICON:
      return CAIRO_GOBJECT_TYPE_SURFACE;
    case DEMO_FILE_COLUMN_FAILED:
    case DEMO_FILE_COLUMN_DONE:
      return G_TYPE_BOOLEAN;
    default:
      return G_TYPE_STRING;
    }
}

static gboolean
get_iter (GtkTreeModel *model, GtkTreeIter *iter, GtkTreePath *path)
{
  int row = gtk_tree_path_get_indices (path)[0];

  return gtk_tree_path_get_depth (path) == 1 && row >= 0
         && demo_file_model_set_iter (DEMO_FILE_MODEL (model), iter, (guint) row);
}

static GtkTreePath *
get_path (GtkTreeModel *model, GtkTreeIter *iter)
{
  return gtk_tree_path_new_from_indices ((int) GPOINTER_TO_UINT (iter->user_data), -1);
}

static int
get_icon (const DemoFile *file)
{
  if (file->state != DEMO_FILE_DONE)
    return DEMO_ICON_PENDING;
  return file->type != NULL ? (int) file->type->kind : DEMO_ICON_FAILED;
}

static void
get_file_value (DemoFileModel *self, const DemoFile *file, DemoFileColumn column, GValue *value)
{
  gboolean is_done = file->state == DEMO_FILE_DONE;

  switch (column)
    {
    case DEMO_FILE_COLUMN_ICON:
      g_value_set_boxed (value, self->icons[get_icon (file)]);
      break;
    case DEMO_FILE_COLUMN_NAME:
      g_value_take_string (value, g_filename_display_name (demo_file_get_name (file)));
      break;
    case DEMO_FILE_COLUMN_FOLDER:
      g_value_take_string (value, demo_describe_folder (file));
      break;
    case DEMO_FILE_COLUMN_TYPE:
      g_value_set_static_string (value, file->type != NULL ? file->type->description : NULL);
      break;
    case DEMO_FILE_COLUMN_SIZE:
      g_value_take_string (value, file->type != NULL ? g_format_size (file->size) : NULL);
      break;
    case DEMO_FILE_COLUMN_CONTENTS:
      g_value_take_string (value, is_done ? demo_describe_contents (file) : NULL);
      break;
    case DEMO_FILE_COLUMN_FAILED:
      g_value_set_boolean (value, is_done && file->type == NULL);
      break;
    case DEMO_FILE_COLUMN_DONE:
      g_value_set_boolean (value, is_done);
      break;
    case DEMO_N_FILE_COLUMNS:
    default:
      g_return_if_reached ();
    }
}

static void
get_value (GtkTreeModel *model, GtkTreeIter *iter, int column, GValue *value)
{
  DemoFileModel *self = DEMO_FILE_MODEL (model);
  guint index;

  g_value_init (value, get_column_type (model, column));
  if (demo_file_model_get_index (self, GPOINTER_TO_UINT (iter->user_data), &index))
    get_file_value (self, demo_file_store_get_file (self->store, index), column, value);
}

static gboolean
iter_next (GtkTreeModel *model, GtkTreeIter *iter)
{
  return demo_file_model_set_iter (DEMO_FILE_MODEL (model), iter,
                                   GPOINTER_TO_UINT (iter->user_data) + 1);
}

static gboolean
iter_previous (GtkTreeModel *model, GtkTreeIter *iter)
{
  return demo_file_model_set_iter (DEMO_FILE_MODEL (model), iter,
                                   GPOINTER_TO_UINT (iter->user_data) - 1);
}

static gboolean
iter_children (GtkTreeModel *model, GtkTreeIter *iter, GtkTreeIter *parent)
{
  return parent == NULL && demo_file_model_set_iter (DEMO_FILE_MODEL (model), iter, 0);
}

static gboolean
iter_has_child (GtkTreeModel *model, GtkTreeIter *iter)
{
  return FALSE;
}

static int
iter_n_children (GtkTreeModel *model, GtkTreeIter *iter)
{
  return iter == NULL ? (int) DEMO_FILE_MODEL (model)->n_told : 0;
}

static gboolean
iter_nth_child (GtkTreeModel *model, GtkTreeIter *iter, GtkTreeIter *parent, int n)
{
  return parent == NULL && n >= 0
         && demo_file_model_set_iter (DEMO_FILE_MODEL (model), iter, (guint) n);
}

static gboolean
iter_parent (GtkTreeModel *model, GtkTreeIter *iter, GtkTreeIter *child)
{
  return FALSE;
}

void
demo_file_model_tree_init (GtkTreeModelIface *iface)
{
  iface->get_flags = get_flags;
  iface->get_n_columns = get_n_columns;
  iface->get_column_type = get_column_type;
  iface->get_iter = get_iter;
  iface->get_path = get_path;
  iface->get_value = get_value;
  iface->iter_next = iter_next;
  iface->iter_previous = iter_previous;
  iface->iter_children = iter_children;
  iface->iter_has_child = iter_has_child;
  iface->iter_n_children = iter_n_children;
  iface->iter_nth_child = iter_nth_child;
  iface->iter_parent = iter_parent;
}
