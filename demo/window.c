/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "window.h"

#include <glib/gi18n.h>

#include "after-frame.h"
#include "main-thread-engine.h"
#include "status-bar.h"
#include "window-actions.h"
#include "worker-panel.h"

/* ms between two looks at what was loaded. */
#define INTERVAL 100
/* Seconds after which a folder that tells nothing gets a page that says so. */
#define PATIENCE 0.5
/* Below this width, in pixels, things go under each other. */
#define NARROW_WIDTH 780

struct _DemoWindow
{
  GtkApplicationWindow parent_instance;

  GtkHeaderBar *header_bar;
  GtkMenuButton *recent_button;
  GtkWidget *main_thread_label;
  GtkInfoBar *info_bar;
  GtkLabel *info_label;
  GtkStack *pages;
  GtkLabel *error_label;
  DemoFilesPage *files_page;
  GtkWidget *worker_revealer;
  DemoWorkerPanel *worker_panel;
  DemoStatusBar *status_bar;

  DemoRecentFolders *recent;      /* (owned) (nullable) */
  DemoEngine *worker_engine;      /* (owned) */
  DemoEngine *main_thread_engine; /* (owned) */
  gboolean main_thread;

  DemoLoader *loader;       /* (owned) (nullable) */
  DemoAfterFrame *starting; /* (owned) (nullable): until the loader is started */
  guint update_id;
  double worst_delay; /* ms */

  guint n_drawn;
  gboolean narrow;
  guint narrow_id; /* of the source that has the widgets follow */
};

enum
{
  SIGNAL_LOAD_FINISHED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_TYPE (DemoWindow, demo_window, GTK_TYPE_APPLICATION_WINDOW)

/* What is shown */

static const char *
choose_page (DemoWindow *self)
{
  if (self->loader == NULL)
    return "empty";
  if (demo_file_store_get_n_files (demo_loader_get_store (self->loader)) > 0)
    return "files";

  switch (demo_loader_get_state (self->loader))
    {
    case DEMO_LOADER_DONE:
    case DEMO_LOADER_CANCELLED:
      return "nothing";
    case DEMO_LOADER_FAILED:
      return "error";
    case DEMO_LOADER_LOADING:
    case DEMO_LOADER_PAUSED:
      return demo_loader_get_seconds (self->loader) > PATIENCE ? "busy" : "files";
    case DEMO_LOADER_NEW:
    default:
      return "files";
    }
}

static void
show_message (DemoWindow *self, const char *message)
{
  gtk_label_set_text (self->info_label, message);
  gtk_info_bar_set_revealed (self->info_bar, TRUE);
}

static void
update (DemoWindow *self)
{
  demo_files_page_update (self->files_page);
  demo_status_bar_update (self->status_bar);
  gtk_stack_set_visible_child_name (self->pages, choose_page (self));
}

static gboolean
update_cb (gpointer user_data)
{
  update (user_data);
  return G_SOURCE_CONTINUE;
}

/* Loading */

static void
take_worst_delay (DemoWindow *self)
{
  DemoLoopProbe *probe = demo_status_bar_get_probe (self->status_bar);

  self->worst_delay = (double) demo_loop_probe_take_worst (probe, DEMO_PROBE_LOAD) / 1000;
}

static void
finish (DemoWindow *self)
{
  const GError *error = demo_loader_get_error (self->loader);

  g_clear_handle_id (&self->update_id, g_source_remove);
  take_worst_delay (self);
  demo_loop_probe_set_alert (demo_status_bar_get_probe (self->status_bar), FALSE);
  if (demo_loader_get_state (self->loader) == DEMO_LOADER_FAILED)
    {
      gtk_label_set_text (self->error_label, error->message);
      if (demo_loader_get_n_found (self->loader) > 0)
        show_message (self, error->message);
    }
  update (self);
  g_signal_emit (self, signals[SIGNAL_LOAD_FINISHED], 0);
}

static void
loader_state_changed_cb (DemoWindow *self)
{
  demo_window_update_actions (self);
  if (demo_loader_is_active (self->loader))
    update (self);
  else
    finish (self);
}

static void
start_cb (gpointer user_data)
{
  DemoWindow *self = user_data;

  g_clear_pointer (&self->starting, demo_after_frame_free);
  demo_loop_probe_set_alert (demo_status_bar_get_probe (self->status_bar), TRUE);
  take_worst_delay (self);
  self->update_id = g_timeout_add (INTERVAL, update_cb, self);
  demo_loader_start (self->loader);
}

static void
drop_loader (DemoWindow *self)
{
  g_clear_pointer (&self->starting, demo_after_frame_free);
  g_clear_handle_id (&self->update_id, g_source_remove);
  if (self->loader == NULL)
    return;

  g_signal_handlers_disconnect_by_data (self->loader, self);
  demo_loader_cancel (self->loader);
  g_clear_object (&self->loader);
}

/* The list is shown empty and drawn before the loading begins: what it costs to show it for the
 * first time is not the loading's fault, and the workers would compete with it. */
static void
load (DemoWindow *self, const char *path)
{
  g_autofree char *name = g_filename_display_basename (path);
  g_autofree char *shown = g_filename_display_name (path);

  drop_loader (self);
  self->loader = demo_loader_new (path, self->main_thread ? self->main_thread_engine
                                                          : self->worker_engine);
  g_signal_connect_swapped (self->loader, "state-changed", G_CALLBACK (loader_state_changed_cb),
                            self);

  gtk_header_bar_set_title (self->header_bar, name);
  gtk_header_bar_set_subtitle (self->header_bar, shown);
  gtk_info_bar_set_revealed (self->info_bar, FALSE);
  gtk_stack_set_visible_child_name (self->pages, "files");
  demo_files_page_set_loader (self->files_page, self->loader);
  demo_status_bar_set_loader (self->status_bar, self->loader);
  demo_window_update_actions (self);
  self->starting = demo_after_frame_new (GTK_WIDGET (self), start_cb, self);
}

/* Signals of the template's widgets */

static gboolean
drawn_cb (DemoWindow *self)
{
  self->n_drawn++;
  return GDK_EVENT_PROPAGATE;
}

static void
info_response_cb (DemoWindow *self)
{
  gtk_info_bar_set_revealed (self->info_bar, FALSE);
}

/* Only where nobody else wanted it: a menu that is open, or the search entry, closes by it. */
static gboolean
key_press_cb (DemoWindow *self, GdkEventKey *event)
{
  if (event->keyval != GDK_KEY_Escape)
    return GDK_EVENT_PROPAGATE;

  g_action_group_activate_action (G_ACTION_GROUP (self), "escape", NULL);
  return GDK_EVENT_STOP;
}

static void
pause_toggled_cb (DemoWindow *self)
{
  g_action_group_activate_action (G_ACTION_GROUP (self), "pause", NULL);
}

static void
searching_cb (DemoWindow *self)
{
  demo_window_set_action_state (self, "search", demo_files_page_get_searching (self->files_page));
}

static gboolean
apply_width_cb (gpointer user_data)
{
  DemoWindow *self = user_data;

  self->narrow_id = 0;
  demo_files_page_set_narrow (self->files_page, self->narrow);
  demo_status_bar_set_narrow (self->status_bar, self->narrow);
  gtk_widget_set_visible (self->main_thread_label, !self->narrow);
  return G_SOURCE_REMOVE;
}

/* Widgets must not change their sizes while sizes are given out: it is done right afterwards. */
static void
size_allocate_cb (DemoWindow *self, GtkAllocation *allocation)
{
  gboolean narrow = allocation->width < NARROW_WIDTH;

  if (narrow == self->narrow)
    return;
  self->narrow = narrow;
  if (self->narrow_id == 0)
    self->narrow_id = g_idle_add_full (G_PRIORITY_HIGH_IDLE, apply_width_cb, self, NULL);
}

/* GObject */

static void
demo_window_dispose (GObject *object)
{
  DemoWindow *self = DEMO_WINDOW (object);

  g_clear_handle_id (&self->narrow_id, g_source_remove);
  drop_loader (self);
  g_clear_object (&self->main_thread_engine);
  g_clear_object (&self->worker_engine);
  g_clear_object (&self->recent);

  G_OBJECT_CLASS (demo_window_parent_class)->dispose (object);
}

static void
demo_window_class_init (DemoWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = demo_window_dispose;
  signals[SIGNAL_LOAD_FINISHED] = g_signal_new (
    "load-finished", DEMO_TYPE_WINDOW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);

  g_type_ensure (DEMO_TYPE_FILES_PAGE);
  g_type_ensure (DEMO_TYPE_STATUS_BAR);
  g_type_ensure (DEMO_TYPE_WORKER_PANEL);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/dray/Demo/ui/window.ui");
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, header_bar);
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, recent_button);
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, main_thread_label);
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, info_bar);
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, info_label);
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, pages);
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, error_label);
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, files_page);
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, worker_revealer);
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, worker_panel);
  gtk_widget_class_bind_template_child (widget_class, DemoWindow, status_bar);
  gtk_widget_class_bind_template_callback (widget_class, drawn_cb);
  gtk_widget_class_bind_template_callback (widget_class, info_response_cb);
  gtk_widget_class_bind_template_callback (widget_class, key_press_cb);
  gtk_widget_class_bind_template_callback (widget_class, pause_toggled_cb);
  gtk_widget_class_bind_template_callback (widget_class, searching_cb);
  gtk_widget_class_bind_template_callback (widget_class, size_allocate_cb);
}

static void
demo_window_init (DemoWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->main_thread_engine = demo_main_thread_engine_new ();
  self->worker_engine = demo_worker_engine_new (0);
  demo_worker_panel_set_executor (
    self->worker_panel, demo_worker_engine_get_executor (DEMO_WORKER_ENGINE (self->worker_engine)));
  demo_window_add_actions (self);
  demo_window_accept_drops (self);
}

DemoWindow *
demo_window_new (GtkApplication *application, DemoRecentFolders *recent)
{
  DemoWindow *self = g_object_new (DEMO_TYPE_WINDOW, "application", application, NULL);

  g_set_object (&self->recent, recent);
  if (recent != NULL)
    demo_recent_folders_fill_button (recent, self->recent_button);
  return self;
}

void
demo_window_open (DemoWindow *self, GFile *folder)
{
  const char *path = g_file_peek_path (folder);

  if (path == NULL)
    {
      show_message (self, _ ("Only folders on this computer can be read."));
      return;
    }
  if (self->recent != NULL)
    demo_recent_folders_add (self->recent, path);
  load (self, path);
}

void
demo_window_reload (DemoWindow *self)
{
  g_autofree char *path = NULL;

  if (self->loader == NULL)
    return;
  path = g_strdup (demo_file_store_get_folder (demo_loader_get_store (self->loader)));
  load (self, path);
}

void
demo_window_set_main_thread (DemoWindow *self, gboolean main_thread)
{
  if (self->main_thread == main_thread)
    return;
  self->main_thread = main_thread;
  demo_worker_panel_set_main_thread (self->worker_panel, main_thread);
  demo_window_set_action_state (self, "main-thread", main_thread);
  demo_window_reload (self);
}

void
demo_window_set_workers_shown (DemoWindow *self, gboolean shown)
{
  gtk_revealer_set_reveal_child (GTK_REVEALER (self->worker_revealer), shown);
}

DemoLoader *
demo_window_get_loader (DemoWindow *self)
{
  return self->loader;
}

DemoWorkerEngine *
demo_window_get_worker_engine (DemoWindow *self)
{
  return DEMO_WORKER_ENGINE (self->worker_engine);
}

DemoFilesPage *
demo_window_get_files_page (DemoWindow *self)
{
  return self->files_page;
}

double
demo_window_get_worst_delay (DemoWindow *self)
{
  return self->worst_delay;
}

guint
demo_window_get_n_drawn (DemoWindow *self)
{
  return self->n_drawn;
}
