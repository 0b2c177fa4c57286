/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-probe.h"

/* µs between two wake-ups, while it is alert and else. */
#define SHORT_INTERVAL 4000
#define LONG_INTERVAL 20000

struct _DemoLoopProbe
{
  GSource source;
  gint64 interval;
  gint64 due;        /* when it is to be woken next */
  gint64 turn_began; /* when poll returned; 0 before the first turn */
  gint64 worst[DEMO_N_PROBE_SLOTS];
};

static void
note (DemoLoopProbe *self, gint64 delay)
{
  for (guint i = 0; i < DEMO_N_PROBE_SLOTS; i++)
    self->worst[i] = MAX (self->worst[i], delay);
}

/* Called before the loop polls, always, since no source comes before this one. */
static gboolean
prepare (GSource *source, int *timeout)
{
  DemoLoopProbe *self = (DemoLoopProbe *) source;

  if (self->turn_began != 0)
    note (self, g_get_monotonic_time () - self->turn_began);
  self->turn_began = 0;
  *timeout = -1;
  return FALSE;
}

/* Called after the loop has polled, unless it is time to be woken: then dispatch() is first. */
static gboolean
check (GSource *source)
{
  DemoLoopProbe *self = (DemoLoopProbe *) source;

  self->turn_began = g_get_monotonic_time ();
  return FALSE;
}

static gboolean
dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  DemoLoopProbe *self = (DemoLoopProbe *) source;
  gint64 now = g_get_monotonic_time ();

  if (self->turn_began == 0)
    self->turn_began = now;
  note (self, now - self->due);
  self->due = now + self->interval;
  g_source_set_ready_time (source, self->due);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { prepare, check, dispatch, NULL, NULL, NULL };

DemoLoopProbe *
demo_loop_probe_new (void)
{
  GSource *source = g_source_new (&source_funcs, sizeof (DemoLoopProbe));
  DemoLoopProbe *self = (DemoLoopProbe *) source;

  g_source_set_static_name (source, "loop probe");
  g_source_set_priority (source, G_PRIORITY_HIGH);
  self->interval = LONG_INTERVAL;
  self->due = g_get_monotonic_time () + LONG_INTERVAL;
  g_source_set_ready_time (source, self->due);
  g_source_attach (source, NULL);
  return self;
}

void
demo_loop_probe_free (DemoLoopProbe *self)
{
  g_source_destroy (&self->source);
  g_source_unref (&self->source);
}

void
demo_loop_probe_set_alert (DemoLoopProbe *self, gboolean alert)
{
  self->interval = alert ? SHORT_INTERVAL : LONG_INTERVAL;
}

gint64
demo_loop_probe_take_worst (DemoLoopProbe *self, DemoProbeSlot slot)
{
  gint64 worst = self->worst[slot];

  if (self->turn_began != 0)
    worst = MAX (worst, g_get_monotonic_time () - self->turn_began);
  self->worst[slot] = 0;
  return worst;
}
