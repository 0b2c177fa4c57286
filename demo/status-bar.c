/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "status-bar.h"

#include <glib/gi18n.h>

#include "describe.h"
#include "loop-meter.h"

/* The rate is that of the last two seconds. */
#define N_SAMPLES 20

struct _DemoStatusBar
{
  GtkBox parent_instance;

  GtkRevealer *progress_revealer;
  GtkLabel *count_label;
  GtkLabel *failed_label;
  GtkLabel *rate_label;
  GtkProgressBar *progress_bar;
  GtkImage *pause_icon;
  GtkWidget *pause_button;
  GtkWidget *buttons;
  DemoLoopMeter *meter;

  DemoLoader *loader; /* (owned) (nullable) */

  /* Files that were done, and the loader's seconds, at the last updates. */
  guint samples[N_SAMPLES];
  double seconds[N_SAMPLES];
  guint n_samples;
  gboolean narrow;
};

G_DEFINE_TYPE (DemoStatusBar, demo_status_bar, GTK_TYPE_BOX)

/* Setting a label's text lays the window out again, even if it is the same text. */
static void
set_text (GtkLabel *label, const char *text)
{
  if (!g_str_equal (gtk_label_get_text (label), text))
    gtk_label_set_text (label, text);
}

static guint
get_n_done (DemoStatusBar *self)
{
  return demo_loader_get_n_read (self->loader) + demo_loader_get_n_failed (self->loader);
}

static double
sample_rate (DemoStatusBar *self)
{
  guint newest = self->n_samples % N_SAMPLES;
  guint oldest = self->n_samples < N_SAMPLES ? 0 : (newest + 1) % N_SAMPLES;
  double elapsed;

  self->samples[newest] = get_n_done (self);
  self->seconds[newest] = demo_loader_get_seconds (self->loader);
  self->n_samples++;
  elapsed = self->seconds[newest] - self->seconds[oldest];
  return elapsed > 0 ? (self->samples[newest] - self->samples[oldest]) / elapsed : 0;
}

static void
update_counts (DemoStatusBar *self)
{
  guint n_found = demo_loader_get_n_found (self->loader);
  guint n_failed = demo_loader_get_n_failed (self->loader);
  g_autofree char *done = demo_format_number (get_n_done (self));
  g_autofree char *found = demo_format_number (n_found);
  g_autofree char *failed = demo_format_number (n_failed);
  g_autofree char *count = NULL;
  g_autofree char *problems = NULL;

  if (demo_loader_get_state (self->loader) == DEMO_LOADER_DONE)
    count = g_strdup_printf (ngettext ("%s file", "%s files", demo_plural (n_found)), found);
  else
    /* Translators: as in “120 of 4,711 files”, the first number being those that were read */
    count = g_strdup_printf (ngettext ("%s of %s file", "%s of %s files", demo_plural (n_found)),
                             done, found);
  problems = g_strdup_printf (ngettext ("%s failed", "%s failed", demo_plural (n_failed)), failed);

  set_text (self->count_label, count);
  set_text (self->failed_label, problems);
  gtk_widget_set_visible (GTK_WIDGET (self->failed_label), n_failed > 0);
}

/* (transfer full): the rate and the time left, or how it ended */
static char *
describe_pace (DemoStatusBar *self, double rate)
{
  guint n_left = demo_loader_get_n_found (self->loader) - get_n_done (self);
  double seconds = demo_loader_get_seconds (self->loader);
  g_autofree char *number = demo_format_number ((guint64) rate);
  g_autofree char *left = NULL;

  switch (demo_loader_get_state (self->loader))
    {
    case DEMO_LOADER_PAUSED:
      return g_strdup (_ ("Paused"));
    case DEMO_LOADER_CANCELLED:
      return g_strdup (_ ("Stopped"));
    case DEMO_LOADER_DONE:
    case DEMO_LOADER_FAILED:
      return seconds < 1 ? g_strdup_printf (_ ("read in %.2f seconds"), seconds)
                         : g_strdup_printf (_ ("read in %.1f seconds"), seconds);
    case DEMO_LOADER_LOADING:
      break;
    case DEMO_LOADER_NEW:
    default:
      return g_strdup ("");
    }
  if (rate < 1)
    return g_strdup ("");
  if (demo_loader_is_listing (self->loader))
    return g_strdup_printf (_ ("%s a second"), number);

  left = demo_describe_time_left (n_left / rate);
  /* Translators: as in “5,000 a second, about 10 seconds left” */
  return g_strdup_printf (_ ("%s a second, %s"), number, left);
}

static void
update_progress (DemoStatusBar *self)
{
  guint n_found = demo_loader_get_n_found (self->loader);
  guint n_done = get_n_done (self);

  /* How much there is in all is not known before the folder is listed. */
  if (demo_loader_is_listing (self->loader))
    gtk_progress_bar_pulse (self->progress_bar);
  else
    gtk_progress_bar_set_fraction (self->progress_bar, n_found > 0 ? (double) n_done / n_found : 0);
}

static void
update_buttons (DemoStatusBar *self)
{
  gboolean paused = demo_loader_get_state (self->loader) == DEMO_LOADER_PAUSED;
  const char *name = paused ? _ ("Go on reading") : _ ("Pause");

  gtk_image_set_from_icon_name (
    self->pause_icon, paused ? "media-playback-start-symbolic" : "media-playback-pause-symbolic",
    GTK_ICON_SIZE_BUTTON);
  gtk_widget_set_tooltip_text (self->pause_button, name);
  atk_object_set_name (gtk_widget_get_accessible (self->pause_button), name);
  gtk_widget_set_visible (self->buttons, demo_loader_is_active (self->loader));
  gtk_widget_set_visible (GTK_WIDGET (self->progress_bar), demo_loader_is_active (self->loader));
}

static void
demo_status_bar_dispose (GObject *object)
{
  DemoStatusBar *self = DEMO_STATUS_BAR (object);

  if (self->loader != NULL)
    g_signal_handlers_disconnect_by_data (self->loader, self);
  g_clear_object (&self->loader);

  G_OBJECT_CLASS (demo_status_bar_parent_class)->dispose (object);
}

static void
demo_status_bar_class_init (DemoStatusBarClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = demo_status_bar_dispose;
  g_type_ensure (DEMO_TYPE_LOOP_METER);
  gtk_widget_class_set_template_from_resource (widget_class, "/org/dray/Demo/ui/status-bar.ui");
  gtk_widget_class_bind_template_child (widget_class, DemoStatusBar, progress_revealer);
  gtk_widget_class_bind_template_child (widget_class, DemoStatusBar, count_label);
  gtk_widget_class_bind_template_child (widget_class, DemoStatusBar, failed_label);
  gtk_widget_class_bind_template_child (widget_class, DemoStatusBar, rate_label);
  gtk_widget_class_bind_template_child (widget_class, DemoStatusBar, progress_bar);
  gtk_widget_class_bind_template_child (widget_class, DemoStatusBar, pause_icon);
  gtk_widget_class_bind_template_child (widget_class, DemoStatusBar, pause_button);
  gtk_widget_class_bind_template_child (widget_class, DemoStatusBar, buttons);
  gtk_widget_class_bind_template_child (widget_class, DemoStatusBar, meter);
}

static void
demo_status_bar_init (DemoStatusBar *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

void
demo_status_bar_set_loader (DemoStatusBar *self, DemoLoader *loader)
{
  if (self->loader != NULL)
    g_signal_handlers_disconnect_by_data (self->loader, self);
  g_set_object (&self->loader, loader);
  self->n_samples = 0;
  gtk_revealer_set_reveal_child (self->progress_revealer, loader != NULL);
  if (loader == NULL)
    return;

  g_signal_connect_swapped (loader, "state-changed", G_CALLBACK (update_buttons), self);
  update_buttons (self);
  demo_status_bar_update (self);
}

void
demo_status_bar_update (DemoStatusBar *self)
{
  g_autofree char *pace = NULL;

  if (self->loader == NULL)
    return;

  pace = describe_pace (self, sample_rate (self));
  set_text (self->rate_label, pace);
  update_counts (self);
  update_progress (self);
}

void
demo_status_bar_set_narrow (DemoStatusBar *self, gboolean narrow)
{
  if (self->narrow == narrow)
    return;
  self->narrow = narrow;
  gtk_orientable_set_orientation (GTK_ORIENTABLE (self),
                                  narrow ? GTK_ORIENTATION_VERTICAL : GTK_ORIENTATION_HORIZONTAL);
}

DemoLoopProbe *
demo_status_bar_get_probe (DemoStatusBar *self)
{
  return demo_loop_meter_get_probe (self->meter);
}
