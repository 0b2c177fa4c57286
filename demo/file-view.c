/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "file-view.h"

#include <glib/gi18n.h>

/*
 * Which files are on the screen changes when it is scrolled, when the window changes its size, when
 * rows come, when other files are put into them, when the list is shown or hidden. Nobody tells of
 * some of these, and at the time of others the answer is not known yet. So nothing here depends on
 * hearing of each: whoever has the view has it look now and then, while something may change, and
 * what is heard of only makes it look sooner. It looks at how things are, never at what has
 * happened.
 */

/* After GtkTreeView has taken note of its rows, and before results of workers are handed over. */
#define PRIORITY_LOOK (GDK_PRIORITY_REDRAW + 10)

/* A row that was on the screen at the last look. */
typedef struct
{
  guint32 index; /* of its file, or NOTHING */
  gboolean is_done;
} Shown;

#define NOTHING G_MAXUINT32

struct _DemoFileView
{
  GtkScrolledWindow parent_instance;

  GtkTreeView *tree;
  GtkTreeSelection *selection; /* (unowned) */
  GtkTreeViewColumn *name_column;
  GtkTreeViewColumn *folder_column;
  GtkTreeViewColumn *type_column;
  GtkTreeViewColumn *size_column;
  GtkTreeViewColumn *contents_column;
  GtkCellRenderer *name_renderer;
  GtkCellRenderer *contents_renderer;

  DemoFileModel *model; /* (owned) */
  DemoSort sort;
  gboolean descending;
  gboolean has_selected;
  guint selected; /* the index of a file */

  guint first_visible; /* the row */
  GArray *shown;       /* (owned): of Shown, from that row on */
  GArray *visible;     /* (owned): the same files, of guint32 */
  guint look_id;
};

enum
{
  SIGNAL_LOOKED,
  SIGNAL_SELECTED,
  SIGNAL_LIST_KEY_PRESS,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_TYPE (DemoFileView, demo_file_view, GTK_TYPE_SCROLLED_WINDOW)

static const char *const icon_names[DEMO_N_ICONS] = {
  [DEMO_KIND_OTHER] = "application-x-generic", [DEMO_KIND_TEXT] = "text-x-generic",
  [DEMO_KIND_IMAGE] = "image-x-generic",       [DEMO_KIND_ARCHIVE] = "package-x-generic",
  [DEMO_KIND_AUDIO] = "audio-x-generic",       [DEMO_KIND_VIDEO] = "video-x-generic",
  [DEMO_KIND_FONT] = "font-x-generic",         [DEMO_KIND_DOCUMENT] = "x-office-document",
  [DEMO_ICON_FAILED] = "dialog-error",         [DEMO_ICON_PENDING] = "application-x-generic",
};

/* Once for all rows: looking an icon up in its theme takes longer than drawing a row. */
static void
load_icons (DemoFileView *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  GtkIconTheme *theme = gtk_icon_theme_get_for_screen (gtk_widget_get_screen (widget));
  cairo_surface_t *icons[DEMO_N_ICONS];

  for (guint i = 0; i < DEMO_N_ICONS; i++)
    icons[i] = gtk_icon_theme_load_surface (
      theme, icon_names[i], 16, gtk_widget_get_scale_factor (widget),
      gtk_widget_get_window (widget), GTK_ICON_LOOKUP_FORCE_SIZE | GTK_ICON_LOOKUP_GENERIC_FALLBACK,
      NULL);
  demo_file_model_set_icons (self->model, icons);
  for (guint i = 0; i < DEMO_N_ICONS; i++)
    g_clear_pointer (&icons[i], cairo_surface_destroy);
}

static void
update_colors (DemoFileView *self)
{
  GdkRGBA color = { 0.8, 0, 0, 1 };

  gtk_style_context_lookup_color (gtk_widget_get_style_context (GTK_WIDGET (self)), "error_color",
                                  &color);
  g_object_set (self->name_renderer, "foreground-rgba", &color, NULL);
  g_object_set (self->contents_renderer, "foreground-rgba", &color, NULL);
}

/* The selection is a file's, while GtkTreeView's is a row's. */

static void
selection_changed_cb (DemoFileView *self)
{
  GtkTreeModel *model;
  GtkTreeIter iter;
  gboolean has_selected;
  guint selected = 0;

  has_selected = gtk_tree_selection_get_selected (self->selection, &model, &iter)
                 && demo_file_model_get_index (self->model, GPOINTER_TO_UINT (iter.user_data),
                                               &selected);
  if (has_selected == self->has_selected && selected == self->selected)
    return;

  self->has_selected = has_selected;
  self->selected = selected;
  g_signal_emit (self, signals[SIGNAL_SELECTED], 0);
}

/* Arrow keys go on from the cursor, which is a row's, too. To set it to a row would scroll there. One
 * that is not set goes to where the selection is by itself, once the list has the focus; and if its
 * row is taken back, it is not set to another one, which would be selected.
 *
 * @selected: (nullable) */
static void
restore_cursor (DemoFileView *self, GtkTreePath *selected)
{
  g_autoptr (GtkTreePath) nowhere = gtk_tree_path_new_from_indices (G_MAXINT, -1);
  g_autoptr (GtkTreePath) cursor = NULL;

  gtk_tree_view_get_cursor (self->tree, &cursor, NULL);
  if (selected != NULL && cursor != NULL && gtk_tree_path_compare (cursor, selected) == 0)
    return;

  gtk_tree_view_set_cursor (self->tree, nowhere, NULL, FALSE);
  if (selected != NULL && gtk_widget_is_focus (GTK_WIDGET (self->tree)))
    gtk_widget_grab_focus (GTK_WIDGET (self->tree));
}

static void
restore_selection (DemoFileView *self)
{
  g_autoptr (GtkTreePath) path = NULL;
  guint row;

  if (self->has_selected && demo_file_model_find_row (self->model, self->selected, &row))
    path = gtk_tree_path_new_from_indices ((int) row, -1);

  g_signal_handlers_block_by_func (self->selection, selection_changed_cb, self);
  gtk_tree_selection_unselect_all (self->selection);
  if (path != NULL)
    gtk_tree_selection_select_path (self->selection, path);
  restore_cursor (self, path);
  g_signal_handlers_unblock_by_func (self->selection, selection_changed_cb, self);
}

/* Looking */

static gboolean
get_visible_rows (DemoFileView *self, guint *first, guint *last)
{
  g_autoptr (GtkTreePath) first_path = NULL;
  g_autoptr (GtkTreePath) last_path = NULL;

  if (!gtk_widget_get_mapped (GTK_WIDGET (self->tree))
      || !gtk_tree_view_get_visible_range (self->tree, &first_path, &last_path))
    return FALSE;
  *first = (guint) gtk_tree_path_get_indices (first_path)[0];
  *last = (guint) gtk_tree_path_get_indices (last_path)[0];
  return TRUE;
}

/* A row says something else: it is to be drawn again, and told to whoever reads the screen out. */
static void
refresh_row (DemoFileView *self, guint row)
{
  g_autoptr (GtkTreePath) path = gtk_tree_path_new_from_indices ((int) row, -1);
  GtkTreeIter iter;

  if (gtk_tree_model_get_iter (GTK_TREE_MODEL (self->model), &iter, path))
    gtk_tree_model_row_changed (GTK_TREE_MODEL (self->model), path, &iter);
}

static gboolean
is_as_shown (DemoFileView *self, guint row, const Shown *now)
{
  const Shown *before;

  if (row < self->first_visible || row - self->first_visible >= self->shown->len)
    return FALSE;
  before = &g_array_index (self->shown, Shown, row - self->first_visible);
  return before->index == now->index && before->is_done == now->is_done;
}

static void
look_at_row (DemoFileView *self, guint row, GArray *shown)
{
  Shown now = { NOTHING, TRUE };

  if (demo_file_model_get_index (self->model, row, &now.index))
    {
      now.is_done = demo_file_model_is_done (self->model, now.index);
      g_array_append_val (self->visible, now.index);
    }
  if (!is_as_shown (self, row, &now))
    refresh_row (self, row);
  g_array_append_val (shown, now);
}

void
demo_file_view_look (DemoFileView *self)
{
  GArray *shown = g_array_new (FALSE, FALSE, sizeof (Shown));
  guint first = 0;
  guint last = 0;
  gboolean has_rows = get_visible_rows (self, &first, &last);

  g_clear_handle_id (&self->look_id, g_source_remove);
  g_array_set_size (self->visible, 0);
  for (guint row = first; has_rows && row <= last; row++)
    look_at_row (self, row, shown);
  g_array_unref (self->shown);
  self->shown = shown;
  self->first_visible = first;
  g_signal_emit (self, signals[SIGNAL_LOOKED], 0);
}

static gboolean
look_cb (gpointer user_data)
{
  DemoFileView *self = user_data;

  self->look_id = 0;
  demo_file_view_look (self);
  return G_SOURCE_REMOVE;
}

static void
look_soon (DemoFileView *self)
{
  if (self->look_id == 0 && self->model != NULL)
    self->look_id = g_idle_add_full (PRIORITY_LOOK, look_cb, self, NULL);
}

static void
arranged_cb (DemoFileView *self, gboolean anew)
{
  if (anew)
    {
      g_array_set_size (self->shown, 0);
      gtk_adjustment_set_value (gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (self)),
                                0);
    }
  look_soon (self);
  restore_selection (self);
}

/* The file that is selected may be in a row that came only now. */
static void
told_cb (DemoFileView *self)
{
  if (self->has_selected && gtk_tree_selection_count_selected_rows (self->selection) == 0)
    restore_selection (self);
}

/* Sorting: a click sorts up, another one down, and a third one not at all. */

static void
update_indicators (DemoFileView *self)
{
  GtkTreeViewColumn *columns[DEMO_N_SORTS] = {
    [DEMO_SORT_NAME] = self->name_column,         [DEMO_SORT_FOLDER] = self->folder_column,
    [DEMO_SORT_TYPE] = self->type_column,         [DEMO_SORT_SIZE] = self->size_column,
    [DEMO_SORT_CONTENTS] = self->contents_column,
  };

  for (guint i = DEMO_SORT_NAME; i < DEMO_N_SORTS; i++)
    {
      gtk_tree_view_column_set_sort_indicator (columns[i], i == self->sort);
      gtk_tree_view_column_set_sort_order (columns[i], self->descending ? GTK_SORT_DESCENDING
                                                                        : GTK_SORT_ASCENDING);
    }
}

static void
column_clicked_cb (GtkTreeViewColumn *column, gpointer user_data)
{
  DemoFileView *self = user_data;
  DemoSort sort = GPOINTER_TO_INT (g_object_get_data (G_OBJECT (column), "demo-sort"));

  if (sort != self->sort)
    demo_file_view_sort (self, sort, FALSE);
  else if (!self->descending)
    demo_file_view_sort (self, sort, TRUE);
  else
    demo_file_view_sort (self, DEMO_SORT_ARRIVAL, FALSE);
}

static void
add_sort (DemoFileView *self, GtkTreeViewColumn *column, DemoSort sort)
{
  g_object_set_data (G_OBJECT (column), "demo-sort", GINT_TO_POINTER (sort));
  g_signal_connect (column, "clicked", G_CALLBACK (column_clicked_cb), self);
}

static gboolean
key_press_cb (DemoFileView *self, GdkEventKey *event)
{
  gboolean handled = FALSE;

  g_signal_emit (self, signals[SIGNAL_LIST_KEY_PRESS], 0, event, &handled);
  return handled;
}

/* GtkWidget and GObject */

static void
demo_file_view_realize (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (demo_file_view_parent_class)->realize (widget);

  load_icons (DEMO_FILE_VIEW (widget));
}

static void
demo_file_view_style_updated (GtkWidget *widget)
{
  DemoFileView *self = DEMO_FILE_VIEW (widget);

  GTK_WIDGET_CLASS (demo_file_view_parent_class)->style_updated (widget);

  if (self->name_renderer != NULL)
    update_colors (self);
}

static void
demo_file_view_dispose (GObject *object)
{
  DemoFileView *self = DEMO_FILE_VIEW (object);

  g_clear_handle_id (&self->look_id, g_source_remove);
  if (self->model != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->model, self);
      g_signal_handlers_disconnect_by_data (self->selection, self);
      gtk_tree_view_set_model (self->tree, NULL);
      g_clear_object (&self->model);
    }

  G_OBJECT_CLASS (demo_file_view_parent_class)->dispose (object);
}

static void
demo_file_view_finalize (GObject *object)
{
  DemoFileView *self = DEMO_FILE_VIEW (object);

  g_array_unref (self->shown);
  g_array_unref (self->visible);

  G_OBJECT_CLASS (demo_file_view_parent_class)->finalize (object);
}

static void
demo_file_view_class_init (DemoFileViewClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = demo_file_view_dispose;
  object_class->finalize = demo_file_view_finalize;
  widget_class->realize = demo_file_view_realize;
  widget_class->style_updated = demo_file_view_style_updated;

  signals[SIGNAL_LOOKED] = g_signal_new ("looked", DEMO_TYPE_FILE_VIEW, G_SIGNAL_RUN_LAST, 0, NULL,
                                         NULL, NULL, G_TYPE_NONE, 0);
  signals[SIGNAL_SELECTED] = g_signal_new ("selected", DEMO_TYPE_FILE_VIEW, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[SIGNAL_LIST_KEY_PRESS] = g_signal_new (
    "list-key-press", DEMO_TYPE_FILE_VIEW, G_SIGNAL_RUN_LAST, 0, g_signal_accumulator_true_handled,
    NULL, NULL, G_TYPE_BOOLEAN, 1, GDK_TYPE_EVENT | G_SIGNAL_TYPE_STATIC_SCOPE);

  gtk_widget_class_set_template_from_resource (widget_class, "/org/dray/Demo/ui/file-view.ui");
  gtk_widget_class_bind_template_child (widget_class, DemoFileView, tree);
  gtk_widget_class_bind_template_child (widget_class, DemoFileView, selection);
  gtk_widget_class_bind_template_child (widget_class, DemoFileView, name_column);
  gtk_widget_class_bind_template_child (widget_class, DemoFileView, folder_column);
  gtk_widget_class_bind_template_child (widget_class, DemoFileView, type_column);
  gtk_widget_class_bind_template_child (widget_class, DemoFileView, size_column);
  gtk_widget_class_bind_template_child (widget_class, DemoFileView, contents_column);
  gtk_widget_class_bind_template_child (widget_class, DemoFileView, name_renderer);
  gtk_widget_class_bind_template_child (widget_class, DemoFileView, contents_renderer);
  gtk_widget_class_bind_template_callback (widget_class, key_press_cb);
}

static void
demo_file_view_init (DemoFileView *self)
{
  GtkAdjustment *adjustment;

  self->shown = g_array_new (FALSE, FALSE, sizeof (Shown));
  self->visible = g_array_new (FALSE, FALSE, sizeof (guint32));
  gtk_widget_init_template (GTK_WIDGET (self));

  self->model = demo_file_model_new ();
  g_signal_connect_swapped (self->model, "arranged", G_CALLBACK (arranged_cb), self);
  g_signal_connect_swapped (self->model, "told", G_CALLBACK (told_cb), self);
  g_signal_connect_swapped (self->selection, "changed", G_CALLBACK (selection_changed_cb), self);
  gtk_tree_view_set_model (self->tree, GTK_TREE_MODEL (self->model));
  adjustment = gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (self));
  g_signal_connect_object (adjustment, "value-changed", G_CALLBACK (look_soon), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (adjustment, "changed", G_CALLBACK (look_soon), self, G_CONNECT_SWAPPED);

  add_sort (self, self->name_column, DEMO_SORT_NAME);
  add_sort (self, self->folder_column, DEMO_SORT_FOLDER);
  add_sort (self, self->type_column, DEMO_SORT_TYPE);
  add_sort (self, self->size_column, DEMO_SORT_SIZE);
  add_sort (self, self->contents_column, DEMO_SORT_CONTENTS);
  update_colors (self);
}

DemoFileModel *
demo_file_view_get_model (DemoFileView *self)
{
  return self->model;
}

void
demo_file_view_set_store (DemoFileView *self, DemoFileStore *store)
{
  gboolean had_selected = self->has_selected;

  self->has_selected = FALSE;
  demo_file_model_set_store (self->model, store);
  if (had_selected)
    g_signal_emit (self, signals[SIGNAL_SELECTED], 0);
}

gboolean
demo_file_view_get_selected (DemoFileView *self, guint *index)
{
  if (index != NULL)
    *index = self->selected;
  return self->has_selected;
}

void
demo_file_view_select (DemoFileView *self, guint index)
{
  g_autoptr (GtkTreePath) path = NULL;
  guint row;

  if (!demo_file_model_find_row (self->model, index, &row))
    return;
  path = gtk_tree_path_new_from_indices ((int) row, -1);
  gtk_tree_view_set_cursor (self->tree, path, NULL, FALSE);
  gtk_tree_view_scroll_to_cell (self->tree, path, NULL, FALSE, 0, 0);
}

void
demo_file_view_sort (DemoFileView *self, DemoSort sort, gboolean descending)
{
  self->sort = sort;
  self->descending = descending;
  update_indicators (self);
  demo_file_model_set_sort (self->model, sort, descending);
}

void
demo_file_view_set_narrow (DemoFileView *self, gboolean narrow)
{
  gtk_tree_view_column_set_visible (self->folder_column, !narrow);
  gtk_tree_view_column_set_visible (self->type_column, !narrow);
}

const guint32 *
demo_file_view_get_visible (DemoFileView *self, guint *n_indices)
{
  *n_indices = self->visible->len;
  return (const guint32 *) (gpointer) self->visible->data;
}

void
demo_file_view_focus (DemoFileView *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->tree));
}
