/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "detail-pane.h"

#include <glib/gi18n.h>

#include "describe.h"
#include "picture.h"

typedef enum
{
  FACT_TYPE,
  FACT_SIZE,
  FACT_MODIFIED,
  FACT_ENCODING,
  FACT_LINES,
  FACT_WORDS,
  FACT_DIMENSIONS,
  FACT_ENTRIES,
  FACT_SHA256,
  N_FACTS
} Fact;

struct _DemoDetailPane
{
  GtkStack parent_instance;

  GtkLabel *name_label;
  GtkLabel *folder_label;
  GtkLabel *problem_label;
  GtkGrid *facts_grid;
  GtkStack *preview_stack;
  GtkImage *picture;
  GtkImage *kind_icon;
  GtkTextBuffer *text;
  GtkLabel *titles[N_FACTS]; /* in the grid */
  GtkLabel *values[N_FACTS]; /* in the grid */

  DemoFileStore *store; /* (owned) (nullable) */
  guint index;
  gboolean waiting;    /* for a preview */
  gboolean is_pending; /* the file was not done when it was shown … */
  gboolean is_loading; /* … and was to be read */
};

/* A fetch, which may end when another file is shown. */
typedef struct
{
  DemoDetailPane *pane; /* (owned) */
  DemoFileStore *store; /* (owned) */
  guint index;
} Fetch;

G_DEFINE_TYPE (DemoDetailPane, demo_detail_pane, GTK_TYPE_STACK)

/* clang-format off */
static const char *const fact_titles[N_FACTS] = {
  [FACT_TYPE] = N_ ("Type"),
  [FACT_SIZE] = N_ ("Size"),
  [FACT_MODIFIED] = N_ ("Modified"),
  [FACT_ENCODING] = N_ ("Encoding"),
  [FACT_LINES] = N_ ("Lines"),
  [FACT_WORDS] = N_ ("Words"),
  [FACT_DIMENSIONS] = N_ ("Dimensions"),
  [FACT_ENTRIES] = N_ ("Entries"),
  [FACT_SHA256] = N_ ("SHA-256"),
};
/* clang-format on */

static const char *const kind_icons[DEMO_N_KINDS] = {
  [DEMO_KIND_OTHER] = "application-x-generic", [DEMO_KIND_TEXT] = "text-x-generic",
  [DEMO_KIND_IMAGE] = "image-x-generic",       [DEMO_KIND_ARCHIVE] = "package-x-generic",
  [DEMO_KIND_AUDIO] = "audio-x-generic",       [DEMO_KIND_VIDEO] = "video-x-generic",
  [DEMO_KIND_FONT] = "font-x-generic",         [DEMO_KIND_DOCUMENT] = "x-office-document",
};

/* Facts */

/* @value: (transfer full) (nullable): NULL where it says nothing of this file */
static void
take_fact (DemoDetailPane *self, Fact fact, char *value)
{
  gtk_widget_set_visible (GTK_WIDGET (self->titles[fact]), value != NULL);
  gtk_widget_set_visible (GTK_WIDGET (self->values[fact]), value != NULL);
  gtk_label_set_text (self->values[fact], value != NULL ? value : "");
  g_free (value);
}

static gboolean
has_encoding (const DemoFile *file)
{
  return demo_file_is_kind (file, DEMO_KIND_TEXT) && file->facts.text.encoding != NULL;
}

static gboolean
has_dimensions (const DemoFile *file)
{
  return demo_file_is_kind (file, DEMO_KIND_IMAGE) && file->facts.picture.width > 0;
}

static void
show_facts (DemoDetailPane *self, const DemoFile *file)
{
  gboolean is_text = has_encoding (file);
  gboolean is_picture = has_dimensions (file);
  gboolean is_archive = demo_file_is_kind (file, DEMO_KIND_ARCHIVE);

  take_fact (self, FACT_TYPE,
             g_strdup_printf ("%s\n%s", file->type->description, file->type->mime_type));
  take_fact (self, FACT_SIZE, demo_describe_size (file->size));
  take_fact (self, FACT_MODIFIED, demo_describe_time (file->modified));
  take_fact (self, FACT_ENCODING, is_text ? g_strdup (file->facts.text.encoding) : NULL);
  take_fact (self, FACT_LINES, is_text ? demo_format_number (file->facts.text.lines) : NULL);
  take_fact (self, FACT_WORDS, is_text ? demo_format_number (file->facts.text.words) : NULL);
  take_fact (self, FACT_DIMENSIONS,
             is_picture
               ? demo_describe_dimensions (file->facts.picture.width, file->facts.picture.height)
               : NULL);
  take_fact (self, FACT_ENTRIES, is_archive ? demo_format_number (file->facts.entries) : NULL);
  take_fact (self, FACT_SHA256, demo_describe_sha256 (file->sha256));
}

static void
show_names (DemoDetailPane *self, const DemoFile *file)
{
  g_autofree char *name = g_filename_display_name (demo_file_get_name (file));
  g_autofree char *path = g_build_filename (demo_file_store_get_folder (self->store), file->path,
                                            NULL);
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *shown = g_filename_display_name (folder);

  gtk_label_set_text (self->name_label, name);
  gtk_label_set_text (self->folder_label, shown);
}

/* Previews */

static void
show_text (DemoDetailPane *self, const char *text)
{
  gtk_text_buffer_set_text (self->text, text, -1);
  gtk_stack_set_visible_child_name (self->preview_stack, "text");
}

static void
show_kind (DemoDetailPane *self, const DemoFile *file)
{
  gtk_image_set_from_icon_name (self->kind_icon, kind_icons[file->type->kind],
                                GTK_ICON_SIZE_DIALOG);
  gtk_stack_set_visible_child_name (self->preview_stack, "kind");
}

static void
show_picture (DemoDetailPane *self, DemoPreview *picture)
{
  cairo_surface_t *surface = demo_picture_to_surface (picture);

  gtk_image_set_from_surface (self->picture, surface);
  gtk_stack_set_visible_child_name (self->preview_stack, "picture");
  cairo_surface_destroy (surface);
}

/* @preview: (nullable) */
static void
show_preview (DemoDetailPane *self, DemoPreview *preview)
{
  self->waiting = FALSE;
  if (preview != NULL && preview->pixels != NULL)
    show_picture (self, preview);
  else if (preview != NULL && *preview->text != '\0')
    show_text (self, preview->text);
  else
    show_kind (self, demo_file_store_get_file (self->store, self->index));
}

static void
fetched_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fetch *fetch = user_data;
  g_autoptr (DemoDetailPane) self = fetch->pane;
  g_autoptr (GError) error = NULL;
  g_autoptr (DemoPreview) preview = NULL;

  preview = demo_previews_fetch_finish (DEMO_PREVIEWS (source), result, &error);
  if (self->store == fetch->store && self->index == fetch->index
      && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    show_preview (self, preview);
  demo_file_store_unref (fetch->store);
  g_free (fetch);
}

static void
fetch_preview (DemoDetailPane *self,
               const DemoFile *file,
               DemoPreviews *previews,
               DemoEngine *engine)
{
  Fetch *fetch = g_new0 (Fetch, 1);
  g_autofree char *label = g_filename_display_name (file->path);
  g_autofree char *path = g_build_filename (demo_file_store_get_folder (self->store), file->path,
                                            NULL);

  fetch->pane = g_object_ref (self);
  fetch->store = demo_file_store_ref (self->store);
  fetch->index = self->index;
  self->waiting = TRUE;
  gtk_stack_set_visible_child_name (self->preview_stack, "waiting");
  demo_previews_fetch_async (previews, self->index, path, label, engine, fetched_cb, fetch);
}

static gboolean
has_preview (const DemoFile *file)
{
  return file->size > 0
         && (has_encoding (file) || has_dimensions (file)
             || demo_file_is_kind (file, DEMO_KIND_ARCHIVE));
}

/* GObject */

static void
add_fact_labels (DemoDetailPane *self, Fact fact)
{
  g_autoptr (PangoAttrList) attributes = pango_attr_list_new ();
  GtkWidget *title = gtk_label_new (_ (fact_titles[fact]));
  GtkWidget *value = gtk_label_new (NULL);

  gtk_style_context_add_class (gtk_widget_get_style_context (title), "dim-label");
  gtk_label_set_xalign (GTK_LABEL (title), 1);
  gtk_label_set_yalign (GTK_LABEL (title), 0);
  gtk_label_set_xalign (GTK_LABEL (value), 0);
  gtk_label_set_selectable (GTK_LABEL (value), TRUE);
  gtk_label_set_line_wrap (GTK_LABEL (value), TRUE);
  gtk_label_set_line_wrap_mode (GTK_LABEL (value), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_width_chars (GTK_LABEL (value), 16);
  gtk_label_set_max_width_chars (GTK_LABEL (value), 32);
  gtk_widget_set_hexpand (value, TRUE);
  atk_object_add_relationship (gtk_widget_get_accessible (value), ATK_RELATION_LABELLED_BY,
                               gtk_widget_get_accessible (title));
  if (fact == FACT_SHA256)
    {
      pango_attr_list_insert (attributes, pango_attr_family_new ("monospace"));
      pango_attr_list_insert (attributes, pango_attr_scale_new (PANGO_SCALE_SMALL));
    }
  /* A hyphen where a sum or a name is broken would look like a part of it. */
  pango_attr_list_insert (attributes, pango_attr_insert_hyphens_new (FALSE));
  gtk_label_set_attributes (GTK_LABEL (value), attributes);

  gtk_grid_attach (self->facts_grid, title, 0, (int) fact, 1, 1);
  gtk_grid_attach (self->facts_grid, value, 1, (int) fact, 1, 1);
  self->titles[fact] = GTK_LABEL (title);
  self->values[fact] = GTK_LABEL (value);
}

static void
demo_detail_pane_dispose (GObject *object)
{
  g_clear_pointer (&DEMO_DETAIL_PANE (object)->store, demo_file_store_unref);

  G_OBJECT_CLASS (demo_detail_pane_parent_class)->dispose (object);
}

static void
demo_detail_pane_class_init (DemoDetailPaneClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = demo_detail_pane_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/org/dray/Demo/ui/detail-pane.ui");
  gtk_widget_class_bind_template_child (widget_class, DemoDetailPane, name_label);
  gtk_widget_class_bind_template_child (widget_class, DemoDetailPane, folder_label);
  gtk_widget_class_bind_template_child (widget_class, DemoDetailPane, problem_label);
  gtk_widget_class_bind_template_child (widget_class, DemoDetailPane, facts_grid);
  gtk_widget_class_bind_template_child (widget_class, DemoDetailPane, preview_stack);
  gtk_widget_class_bind_template_child (widget_class, DemoDetailPane, picture);
  gtk_widget_class_bind_template_child (widget_class, DemoDetailPane, kind_icon);
  gtk_widget_class_bind_template_child (widget_class, DemoDetailPane, text);
}

static void
demo_detail_pane_init (DemoDetailPane *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  for (guint i = 0; i < N_FACTS; i++)
    add_fact_labels (self, i);
}

static void
show_read (DemoDetailPane *self, const DemoFile *file, DemoPreviews *previews, DemoEngine *engine)
{
  DemoPreview *preview = demo_previews_lookup (previews, self->index);

  show_facts (self, file);
  if (preview != NULL || !has_preview (file))
    show_preview (self, preview);
  else
    fetch_preview (self, file, previews, engine);
}

void
demo_detail_pane_show_file (DemoDetailPane *self,
                            DemoFileStore *store,
                            guint index,
                            gboolean is_loading,
                            DemoPreviews *previews,
                            DemoEngine *engine)
{
  const DemoFile *file = demo_file_store_get_file (store, index);

  demo_file_store_ref (store);
  g_clear_pointer (&self->store, demo_file_store_unref);
  self->store = store;
  self->index = index;
  self->waiting = FALSE;
  self->is_pending = file->state != DEMO_FILE_DONE;
  self->is_loading = is_loading;

  show_names (self, file);
  gtk_widget_set_visible (GTK_WIDGET (self->facts_grid), file->type != NULL);
  if (self->is_pending)
    gtk_stack_set_visible_child_name (self->preview_stack, is_loading ? "waiting" : "unread");
  else if (file->type != NULL)
    show_read (self, file, previews, engine);
  else
    {
      gtk_label_set_text (self->problem_label, file->facts.failed.problem);
      gtk_stack_set_visible_child_name (self->preview_stack, "problem");
    }
  gtk_stack_set_visible_child_name (GTK_STACK (self), "file");
}

gboolean
demo_detail_pane_is_outdated (DemoDetailPane *self, gboolean is_loading)
{
  if (self->store == NULL || !self->is_pending)
    return FALSE;
  return is_loading != self->is_loading
         || demo_file_store_get_file (self->store, self->index)->state == DEMO_FILE_DONE;
}

void
demo_detail_pane_show_nothing (DemoDetailPane *self)
{
  g_clear_pointer (&self->store, demo_file_store_unref);
  self->waiting = FALSE;
  gtk_stack_set_visible_child_name (GTK_STACK (self), "nothing");
}

gboolean
demo_detail_pane_is_waiting (DemoDetailPane *self)
{
  return self->waiting;
}
