/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "files-page.h"

#include <glib/gi18n.h>

#include "detail-pane.h"
#include "main-thread-engine.h"
#include "previews.h"
#include "worker-engine.h"

struct _DemoFilesPage
{
  GtkBox parent_instance;

  GtkSearchBar *search_bar;
  GtkSearchEntry *search_entry;
  GtkPaned *paned;
  GtkStack *list_stack;
  GtkLabel *no_match_label;
  DemoFileView *file_view;
  DemoDetailPane *detail_pane;

  DemoLoader *loader;         /* (owned) (nullable) */
  DemoPreviews *previews;     /* (owned) */
  DemoEngine *preview_engine; /* (owned) (nullable): made when it is needed */
};

enum
{
  PROP_SEARCHING = 1,
  N_PROPERTIES
};
static GParamSpec *properties[N_PROPERTIES];

enum
{
  SIGNAL_PAUSE_TOGGLED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_TYPE (DemoFilesPage, demo_files_page, GTK_TYPE_BOX)

/* A preview gets a worker of its own: it waits neither for a queue of files nor for the end of a
 * pause. In the main thread there is no choice. */
static DemoEngine *
get_preview_engine (DemoFilesPage *self)
{
  DemoEngine *engine = demo_loader_get_engine (self->loader);

  if (DEMO_IS_MAIN_THREAD_ENGINE (engine))
    return engine;
  if (self->preview_engine == NULL)
    self->preview_engine = demo_worker_engine_new (1);
  return self->preview_engine;
}

static void
selected_cb (DemoFilesPage *self)
{
  guint index;

  if (self->loader != NULL && demo_file_view_get_selected (self->file_view, &index))
    demo_detail_pane_show_file (self->detail_pane, demo_loader_get_store (self->loader), index,
                                demo_loader_is_active (self->loader), self->previews,
                                get_preview_engine (self));
  else
    demo_detail_pane_show_nothing (self->detail_pane);
}

static void
preview_cb (DemoFilesPage *self, guint index, DemoPreview *preview)
{
  demo_previews_add (self->previews, index, preview);
}

/* What somebody looks at is read before all else: the file that is selected, and those in the list
 * from the top. */
static void
looked_cb (DemoFilesPage *self)
{
  g_autoptr (GArray) wanted = g_array_new (FALSE, FALSE, sizeof (guint32));
  DemoFileModel *model = demo_file_view_get_model (self->file_view);
  const guint32 *visible;
  guint n_visible;
  guint selected;

  if (self->loader == NULL)
    return;

  if (demo_file_view_get_selected (self->file_view, &selected)
      && !demo_file_model_is_done (model, selected))
    g_array_append_val (wanted, selected);
  visible = demo_file_view_get_visible (self->file_view, &n_visible);
  for (guint i = 0; i < n_visible; i++)
    {
      if (!demo_file_model_is_done (model, visible[i]))
        g_array_append_val (wanted, visible[i]);
    }
  demo_loader_set_wanted (self->loader, (const guint32 *) (gpointer) wanted->data, wanted->len);
}

/* Searching */

static void
update_list (DemoFilesPage *self)
{
  DemoFileModel *model = demo_file_view_get_model (self->file_view);
  const char *needle = gtk_entry_get_text (GTK_ENTRY (self->search_entry));
  gboolean no_match;

  no_match = *needle != '\0' && demo_file_model_get_n_rows (model) == 0
             && demo_file_model_is_arranged (model);
  if (no_match)
    {
      g_autofree char *text = g_strdup_printf (_ ("No file matches “%s”"), needle);

      gtk_label_set_text (self->no_match_label, text);
    }
  gtk_stack_set_visible_child_name (self->list_stack, no_match ? "no-match" : "list");
}

static void
search_changed_cb (DemoFilesPage *self)
{
  demo_file_model_set_needle (demo_file_view_get_model (self->file_view),
                              gtk_entry_get_text (GTK_ENTRY (self->search_entry)));
  update_list (self);
}

static void
search_mode_cb (DemoFilesPage *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SEARCHING]);
}

/* Space holds the loading and goes on with it, in the list: in an entry it is a space, and on a
 * button it presses it. */
static gboolean
key_press_cb (DemoFilesPage *self, GdkEventKey *event)
{
  if (event->keyval != GDK_KEY_space
      || (event->state & gtk_accelerator_get_default_mod_mask ()) != 0 || self->loader == NULL
      || !demo_loader_is_active (self->loader))
    return GDK_EVENT_PROPAGATE;

  g_signal_emit (self, signals[SIGNAL_PAUSE_TOGGLED], 0);
  return GDK_EVENT_STOP;
}

/* GObject */

static void
demo_files_page_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  g_assert (id == PROP_SEARCHING);
  g_value_set_boolean (value, demo_files_page_get_searching (DEMO_FILES_PAGE (object)));
}

static void
demo_files_page_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  g_assert (id == PROP_SEARCHING);
  demo_files_page_set_searching (DEMO_FILES_PAGE (object), g_value_get_boolean (value));
}

/* The search bar gives the focus to its entry some moments before the entry is shown, and a key
 * that is released meanwhile would meet an entry that is not realized. */
static void
demo_files_page_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (demo_files_page_parent_class)->map (widget);

  gtk_widget_realize (GTK_WIDGET (DEMO_FILES_PAGE (widget)->search_entry));
}

static void
demo_files_page_dispose (GObject *object)
{
  DemoFilesPage *self = DEMO_FILES_PAGE (object);

  if (self->loader != NULL)
    g_signal_handlers_disconnect_by_data (self->loader, self);
  g_clear_object (&self->loader);
  if (self->previews != NULL)
    demo_previews_clear (self->previews);
  g_clear_object (&self->previews);
  g_clear_object (&self->preview_engine);

  G_OBJECT_CLASS (demo_files_page_parent_class)->dispose (object);
}

static void
demo_files_page_class_init (DemoFilesPageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->get_property = demo_files_page_get_property;
  object_class->set_property = demo_files_page_set_property;
  object_class->dispose = demo_files_page_dispose;
  widget_class->map = demo_files_page_map;

  properties[PROP_SEARCHING] = g_param_spec_boolean ("searching", NULL, NULL, FALSE,
                                                     G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY
                                                       | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
  signals[SIGNAL_PAUSE_TOGGLED] = g_signal_new (
    "pause-toggled", DEMO_TYPE_FILES_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);

  g_type_ensure (DEMO_TYPE_DETAIL_PANE);
  g_type_ensure (DEMO_TYPE_FILE_VIEW);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/dray/Demo/ui/files-page.ui");
  gtk_widget_class_bind_template_child (widget_class, DemoFilesPage, search_bar);
  gtk_widget_class_bind_template_child (widget_class, DemoFilesPage, search_entry);
  gtk_widget_class_bind_template_child (widget_class, DemoFilesPage, paned);
  gtk_widget_class_bind_template_child (widget_class, DemoFilesPage, list_stack);
  gtk_widget_class_bind_template_child (widget_class, DemoFilesPage, no_match_label);
  gtk_widget_class_bind_template_child (widget_class, DemoFilesPage, file_view);
  gtk_widget_class_bind_template_child (widget_class, DemoFilesPage, detail_pane);
  gtk_widget_class_bind_template_callback (widget_class, key_press_cb);
  gtk_widget_class_bind_template_callback (widget_class, looked_cb);
  gtk_widget_class_bind_template_callback (widget_class, search_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, search_mode_cb);
  gtk_widget_class_bind_template_callback (widget_class, selected_cb);
}

static void
demo_files_page_init (DemoFilesPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->previews = demo_previews_new ();
  gtk_search_bar_connect_entry (self->search_bar, GTK_ENTRY (self->search_entry));
  g_signal_connect_object (demo_file_view_get_model (self->file_view), "arranged",
                           G_CALLBACK (update_list), self, G_CONNECT_SWAPPED | G_CONNECT_AFTER);
}

void
demo_files_page_set_loader (DemoFilesPage *self, DemoLoader *loader)
{
  if (self->loader != NULL)
    g_signal_handlers_disconnect_by_data (self->loader, self);
  g_set_object (&self->loader, loader);
  demo_previews_clear (self->previews);
  demo_file_view_set_store (self->file_view,
                            loader != NULL ? demo_loader_get_store (loader) : NULL);
  if (loader == NULL)
    return;

  g_signal_connect_swapped (loader, "preview", G_CALLBACK (preview_cb), self);
  demo_file_view_focus (self->file_view);
}

void
demo_files_page_update (DemoFilesPage *self)
{
  demo_file_model_update (demo_file_view_get_model (self->file_view));
  update_list (self);
  demo_file_view_look (self->file_view);
  if (self->loader != NULL
      && demo_detail_pane_is_outdated (self->detail_pane, demo_loader_is_active (self->loader)))
    selected_cb (self);
}

DemoFileView *
demo_files_page_get_file_view (DemoFilesPage *self)
{
  return self->file_view;
}

gboolean
demo_files_page_get_searching (DemoFilesPage *self)
{
  return gtk_search_bar_get_search_mode (self->search_bar);
}

void
demo_files_page_set_searching (DemoFilesPage *self, gboolean searching)
{
  gtk_search_bar_set_search_mode (self->search_bar, searching);
  if (searching)
    gtk_widget_grab_focus (GTK_WIDGET (self->search_entry));
  else
    demo_file_view_focus (self->file_view);
}

void
demo_files_page_set_narrow (DemoFilesPage *self, gboolean narrow)
{
  gtk_orientable_set_orientation (GTK_ORIENTABLE (self->paned),
                                  narrow ? GTK_ORIENTATION_VERTICAL : GTK_ORIENTATION_HORIZONTAL);
  demo_file_view_set_narrow (self->file_view, narrow);
}

gboolean
demo_files_page_is_settled (DemoFilesPage *self)
{
  return demo_file_model_is_settled (demo_file_view_get_model (self->file_view))
         && !demo_detail_pane_is_waiting (self->detail_pane);
}
