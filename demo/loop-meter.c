/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-meter.h"

#include <glib/gi18n.h>

/* The last 10 seconds in bars of a quarter of a second. */
#define N_BARS 40
#define BAR_INTERVAL 250
#define SECONDS (N_BARS * BAR_INTERVAL / 1000)

/* What the eye begins to notice: a frame, and then two. In ms. */
#define NOTICEABLE 16.7
#define DISTURBING 33.4
/* The height of the curve stands for at least so much, in ms. */
#define FULL_SCALE 40.0

struct _DemoLoopMeter
{
  GtkBox parent_instance;

  DemoLoopProbe *probe; /* (owned) */
  guint timeout_id;
  double bars[N_BARS]; /* ms, the newest last */

  GtkWidget *curve;
  GtkLabel *number;
};

G_DEFINE_TYPE (DemoLoopMeter, demo_loop_meter, GTK_TYPE_BOX)

static double
get_worst (DemoLoopMeter *self)
{
  double worst = 0;

  for (guint i = 0; i < N_BARS; i++)
    worst = MAX (worst, self->bars[i]);
  return worst;
}

static const char *
get_color_name (double delay)
{
  if (delay < NOTICEABLE)
    return "success_color";
  return delay < DISTURBING ? "warning_color" : "error_color";
}

static gboolean
curve_draw_cb (GtkWidget *curve, cairo_t *cr, DemoLoopMeter *self)
{
  GtkStyleContext *context = gtk_widget_get_style_context (curve);
  int width = gtk_widget_get_allocated_width (curve);
  int height = gtk_widget_get_allocated_height (curve);
  double scale = MAX (get_worst (self), FULL_SCALE);
  double step = (double) width / N_BARS;

  gtk_render_background (context, cr, 0, 0, width, height);
  gtk_render_frame (context, cr, 0, 0, width, height);
  for (guint i = 0; i < N_BARS; i++)
    {
      double bar = MAX (1.0, (height - 4) * self->bars[i] / scale);
      GdkRGBA color = { 0.3, 0.6, 0.3, 1 };

      gtk_style_context_lookup_color (context, get_color_name (self->bars[i]), &color);
      gdk_cairo_set_source_rgba (cr, &color);
      cairo_rectangle (cr, i * step + 1, height - 2 - bar, MAX (1, step - 1), bar);
      cairo_fill (cr);
    }
  return GDK_EVENT_STOP;
}

static void
update_number (DemoLoopMeter *self)
{
  double worst = get_worst (self);
  g_autofree char *text = NULL;
  g_autofree char *description = NULL;

  /* Translators: milliseconds, the main loop’s worst delay */
  text = g_strdup_printf (worst < 9.95 ? _ ("%.1f ms") : _ ("%.0f ms"), worst);
  if (g_str_equal (text, gtk_label_get_text (self->number)))
    return;

  gtk_label_set_text (self->number, text);
  description = g_strdup_printf (_ ("Worst delay of the main loop in the last %d seconds: %s"),
                                    SECONDS, text);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), description);
  atk_object_set_name (gtk_widget_get_accessible (GTK_WIDGET (self)), description);
}

static gboolean
timeout_cb (gpointer user_data)
{
  DemoLoopMeter *self = user_data;
  gint64 worst = demo_loop_probe_take_worst (self->probe, DEMO_PROBE_METER);

  for (guint i = 0; i + 1 < N_BARS; i++)
    self->bars[i] = self->bars[i + 1];
  self->bars[N_BARS - 1] = (double) worst / 1000;

  update_number (self);
  gtk_widget_queue_draw (self->curve);
  return G_SOURCE_CONTINUE;
}

static void
demo_loop_meter_dispose (GObject *object)
{
  DemoLoopMeter *self = DEMO_LOOP_METER (object);

  g_clear_handle_id (&self->timeout_id, g_source_remove);
  g_clear_pointer (&self->probe, demo_loop_probe_free);

  G_OBJECT_CLASS (demo_loop_meter_parent_class)->dispose (object);
}

static void
demo_loop_meter_class_init (DemoLoopMeterClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = demo_loop_meter_dispose;
  gtk_widget_class_set_accessible_role (widget_class, ATK_ROLE_PANEL);
  gtk_widget_class_set_css_name (widget_class, "loopmeter");
  gtk_widget_class_set_template_from_resource (widget_class, "/org/dray/Demo/ui/loop-meter.ui");
  gtk_widget_class_bind_template_child (widget_class, DemoLoopMeter, curve);
  gtk_widget_class_bind_template_child (widget_class, DemoLoopMeter, number);
  gtk_widget_class_bind_template_callback (widget_class, curve_draw_cb);
}

static void
demo_loop_meter_init (DemoLoopMeter *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->probe = demo_loop_probe_new ();
  self->timeout_id = g_timeout_add (BAR_INTERVAL, timeout_cb, self);
}

DemoLoopProbe *
demo_loop_meter_get_probe (DemoLoopMeter *self)
{
  return self->probe;
}
