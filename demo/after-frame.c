/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "after-frame.h"

/* ms to wait for a frame. */
#define TIMEOUT 500

struct _DemoAfterFrame
{
  GtkWidget *widget; /* (unowned): lives longer */
  DemoAfterFrameFunc func;
  gpointer user_data;
  guint tick_id;
  guint timeout_id;
  guint n_ticks;
};

/* A tick comes before a frame is drawn: so the second one comes after it. */
static gboolean
tick_cb (GtkWidget *widget, GdkFrameClock *clock, gpointer user_data)
{
  DemoAfterFrame *self = user_data;

  if (self->n_ticks++ > 0)
    self->func (self->user_data);
  return G_SOURCE_CONTINUE;
}

static gboolean
timeout_cb (gpointer user_data)
{
  DemoAfterFrame *self = user_data;

  self->func (self->user_data);
  return G_SOURCE_CONTINUE;
}

DemoAfterFrame *
demo_after_frame_new (GtkWidget *widget, DemoAfterFrameFunc func, gpointer user_data)
{
  DemoAfterFrame *self = g_new0 (DemoAfterFrame, 1);

  self->widget = widget;
  self->func = func;
  self->user_data = user_data;
  self->tick_id = gtk_widget_add_tick_callback (widget, tick_cb, self, NULL);
  self->timeout_id = g_timeout_add (TIMEOUT, timeout_cb, self);
  return self;
}

void
demo_after_frame_free (DemoAfterFrame *self)
{
  gtk_widget_remove_tick_callback (self->widget, self->tick_id);
  g_source_remove (self->timeout_id);
  g_free (self);
}
