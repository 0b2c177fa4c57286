/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker-row.h"

#include <glib/gi18n.h>

#include "describe.h"

struct _DemoWorkerRow
{
  GtkListBoxRow parent_instance;

  DrayWorkerProcess *worker; /* (owned) */

  GtkWidget *dot;
  GtkLabel *pid_label;
  GtkLabel *state_label;
  GtkLabel *task_label;
  GtkLabel *done_label;
  GtkWidget *kill_button;
};

G_DEFINE_TYPE (DemoWorkerRow, demo_worker_row, GTK_TYPE_LIST_BOX_ROW)

static const char *
describe_state (DrayWorkerState state)
{
  switch (state)
    {
    case DRAY_WORKER_STARTING:
      return _ ("Starting");
    case DRAY_WORKER_IDLE:
      return _ ("Idle");
    case DRAY_WORKER_BUSY:
      return _ ("Reading");
    case DRAY_WORKER_STOPPING:
      return _ ("Stopping");
    case DRAY_WORKER_GONE:
    default:
      return _ ("Gone");
    }
}

static void
set_text (GtkLabel *label, const char *text)
{
  if (!g_str_equal (gtk_label_get_text (label), text))
    gtk_label_set_text (label, text);
}

static void
set_class (GtkWidget *widget, const char *name, gboolean has_class)
{
  GtkStyleContext *context = gtk_widget_get_style_context (widget);

  if (has_class)
    gtk_style_context_add_class (context, name);
  else
    gtk_style_context_remove_class (context, name);
}

static void
kill_clicked_cb (DemoWorkerRow *self)
{
  dray_worker_process_kill (self->worker);
}

static void
demo_worker_row_dispose (GObject *object)
{
  g_clear_object (&DEMO_WORKER_ROW (object)->worker);

  G_OBJECT_CLASS (demo_worker_row_parent_class)->dispose (object);
}

static void
demo_worker_row_class_init (DemoWorkerRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = demo_worker_row_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/org/dray/Demo/ui/worker-row.ui");
  gtk_widget_class_bind_template_child (widget_class, DemoWorkerRow, dot);
  gtk_widget_class_bind_template_child (widget_class, DemoWorkerRow, pid_label);
  gtk_widget_class_bind_template_child (widget_class, DemoWorkerRow, state_label);
  gtk_widget_class_bind_template_child (widget_class, DemoWorkerRow, task_label);
  gtk_widget_class_bind_template_child (widget_class, DemoWorkerRow, done_label);
  gtk_widget_class_bind_template_child (widget_class, DemoWorkerRow, kill_button);
  gtk_widget_class_bind_template_callback (widget_class, kill_clicked_cb);
}

static void
demo_worker_row_init (DemoWorkerRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
demo_worker_row_new (DrayWorkerProcess *worker)
{
  DemoWorkerRow *self = g_object_new (DEMO_TYPE_WORKER_ROW, NULL);
  int pid = dray_worker_process_get_pid (worker);
  g_autofree char *title = g_strdup_printf (_ ("Worker %d"), pid);
  g_autofree char *kill_name = g_strdup_printf (_ ("Kill worker %d"), pid);

  self->worker = g_object_ref (worker);
  gtk_label_set_text (self->pid_label, title);
  atk_object_set_name (gtk_widget_get_accessible (self->kill_button), kill_name);
  demo_worker_row_update (self);
  return GTK_WIDGET (self);
}

void
demo_worker_row_update (DemoWorkerRow *self)
{
  DrayWorkerState state = dray_worker_process_get_state (self->worker);
  DrayTask *task = dray_worker_process_get_task (self->worker);
  guint64 n_done = dray_worker_process_get_tasks_done (self->worker);
  const char *label = task != NULL ? dray_task_get_label (task) : NULL;
  g_autofree char *number = demo_format_number (n_done);
  g_autofree char *done = NULL;

  done = g_strdup_printf (ngettext ("%s file done", "%s files done", demo_plural (n_done)), number);
  set_text (self->state_label, describe_state (state));
  set_text (self->task_label, label != NULL ? label : "");
  set_text (self->done_label, done);
  set_class (self->dot, "busy", state == DRAY_WORKER_BUSY);
  set_class (self->dot, "ending", state == DRAY_WORKER_STOPPING || state == DRAY_WORKER_GONE);
  gtk_widget_set_sensitive (self->kill_button,
                            state != DRAY_WORKER_GONE && state != DRAY_WORKER_STOPPING);
}
