/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker-panel.h"

#include <glib/gi18n.h>

#include "worker-row.h"

/* ms between two looks at the workers. They change thousands of times a second, which nobody could
 * read: so the rows do not follow their notifications, but look now and then. */
#define INTERVAL 200

struct _DemoWorkerPanel
{
  GtkBox parent_instance;

  GtkListBox *list;
  GtkLabel *placeholder;
  GtkLabel *summary_label;
  GtkWidget *shortfall_icon;

  DrayExecutor *executor; /* (owned) (nullable) */
  guint timeout_id;       /* while it is on the screen */
};

G_DEFINE_TYPE (DemoWorkerPanel, demo_worker_panel, GTK_TYPE_BOX)

static GtkWidget *
create_row_cb (gpointer item, gpointer user_data)
{
  return demo_worker_row_new (item);
}

static void
update_row_cb (GtkWidget *row, gpointer user_data)
{
  demo_worker_row_update (DEMO_WORKER_ROW (row));
}

static void
update_summary (DemoWorkerPanel *self)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (self->executor);
  g_autofree char *text = NULL;

  /* Translators: of worker processes; “died” counts those that were killed or crashed */
  text = g_strdup_printf (_ ("%u started, %u died"), (guint) counters->workers_started,
                             (guint) counters->workers_died);
  if (!g_str_equal (gtk_label_get_text (self->summary_label), text))
    gtk_label_set_text (self->summary_label, text);
}

/* Workers do with less of a sandbox where it can't be had; the person should know. */
static void
update_shortfall (DemoWorkerPanel *self)
{
  g_autofree char *shortfall = dray_executor_dup_sandbox_shortfall (self->executor);
  g_autofree char *text = NULL;

  if (shortfall != NULL)
    /* Translators: a sandbox keeps worker processes from everything but their work. Then what is
     * missing, and why. */
    text = g_strdup_printf (_ ("The sandbox of the workers is incomplete: %s"), shortfall);
  gtk_widget_set_visible (self->shortfall_icon, text != NULL);
  gtk_widget_set_tooltip_text (self->shortfall_icon, text);
  atk_object_set_name (gtk_widget_get_accessible (self->shortfall_icon), text != NULL ? text : "");
}

static gboolean
update_cb (gpointer user_data)
{
  DemoWorkerPanel *self = user_data;

  if (self->executor != NULL)
    {
      gtk_container_foreach (GTK_CONTAINER (self->list), update_row_cb, NULL);
      update_summary (self);
    }
  return G_SOURCE_CONTINUE;
}

static void
demo_worker_panel_map (GtkWidget *widget)
{
  DemoWorkerPanel *self = DEMO_WORKER_PANEL (widget);

  GTK_WIDGET_CLASS (demo_worker_panel_parent_class)->map (widget);

  if (self->timeout_id == 0)
    self->timeout_id = g_timeout_add (INTERVAL, update_cb, self);
}

static void
demo_worker_panel_unmap (GtkWidget *widget)
{
  g_clear_handle_id (&DEMO_WORKER_PANEL (widget)->timeout_id, g_source_remove);

  GTK_WIDGET_CLASS (demo_worker_panel_parent_class)->unmap (widget);
}

static void
demo_worker_panel_dispose (GObject *object)
{
  DemoWorkerPanel *self = DEMO_WORKER_PANEL (object);

  g_clear_handle_id (&self->timeout_id, g_source_remove);
  g_clear_object (&self->executor);

  G_OBJECT_CLASS (demo_worker_panel_parent_class)->dispose (object);
}

static void
demo_worker_panel_class_init (DemoWorkerPanelClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = demo_worker_panel_dispose;
  widget_class->map = demo_worker_panel_map;
  widget_class->unmap = demo_worker_panel_unmap;
  gtk_widget_class_set_template_from_resource (widget_class, "/org/dray/Demo/ui/worker-panel.ui");
  gtk_widget_class_bind_template_child (widget_class, DemoWorkerPanel, list);
  gtk_widget_class_bind_template_child (widget_class, DemoWorkerPanel, placeholder);
  gtk_widget_class_bind_template_child (widget_class, DemoWorkerPanel, summary_label);
  gtk_widget_class_bind_template_child (widget_class, DemoWorkerPanel, shortfall_icon);
}

static void
demo_worker_panel_init (DemoWorkerPanel *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  gtk_list_box_set_placeholder (self->list, GTK_WIDGET (self->placeholder));
  demo_worker_panel_set_main_thread (self, FALSE);
}

void
demo_worker_panel_set_executor (DemoWorkerPanel *self, DrayExecutor *executor)
{
  g_set_object (&self->executor, executor);
  gtk_list_box_bind_model (self->list, dray_executor_get_workers (executor), create_row_cb, NULL,
                           NULL);
  g_signal_connect_object (executor, "notify::sandbox-shortfall", G_CALLBACK (update_shortfall),
                           self, G_CONNECT_SWAPPED);
  update_shortfall (self);
  update_summary (self);
}

void
demo_worker_panel_set_main_thread (DemoWorkerPanel *self, gboolean main_thread)
{
  gtk_label_set_text (self->placeholder,
                      main_thread ? _ ("The main thread does all the work")
                                  : _ ("Workers are started when there is work for them"));
}
