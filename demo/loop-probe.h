/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The probe: how long has a main loop kept an event waiting? It is a source of high priority that
 * does two things. It asks to be woken every few milliseconds, and notes how late that happens: the
 * loop was busy, or its thread was not given a processor. And in each turn of the loop it notes how
 * long the turn before took, from one poll to the next, so that nothing between two wake-ups is
 * missed.
 */

#include <glib.h>

G_BEGIN_DECLS

typedef struct _DemoLoopProbe DemoLoopProbe;

/* Watches the default main context, from now on. */
DemoLoopProbe *demo_loop_probe_new (void);
void demo_loop_probe_free (DemoLoopProbe *self);

/* Whether it is to wake up often. That costs some of a processor, and is of use where the thread
 * may have to wait for one. */
void demo_loop_probe_set_alert (DemoLoopProbe *self, gboolean alert);

/* The worst delay since the last call with the same slot, in µs, the turn that is under way
 * included. There are several slots, for several who ask. */
typedef enum
{
  DEMO_PROBE_METER,
  DEMO_PROBE_LOAD,
  DEMO_N_PROBE_SLOTS
} DemoProbeSlot;
gint64 demo_loop_probe_take_worst (DemoLoopProbe *self, DemoProbeSlot slot);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DemoLoopProbe, demo_loop_probe_free)

G_END_DECLS
