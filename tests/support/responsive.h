/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * That something takes no longer than it may, on a machine that is as busy as it likes. A loop on a
 * thread of its own, which has nothing to do but tick, shows for how long everybody was kept
 * waiting meanwhile; a multiple of that is allowed beside the limit, which DRAY_TEST_TIME_FACTOR
 * multiplies.
 *
 *   Control control = { 0 };
 *
 *   control_begin (&control);
 *   …
 *   control_end_within (&control, 2 * G_TIME_SPAN_SECOND, "nothing was left");
 */

#include "fixture.h"

G_BEGIN_DECLS

/* A loop that ticks, and for how long it did not. */
typedef struct
{
  GSource *source; /* (owned) */
  gint64 last;
  gint64 last_work;
  gint64 longest;   /* µs */
  gint64 most_work; /* µs of the processor's time */
  guint n_ticks;
} Ticker;

/* The loop of another thread. */
typedef struct
{
  Ticker ticker;
  GThread *thread; /* (owned) */
  int goes_on;     /* atomic */
  gint64 start;
} Control;

void control_begin (Control *self);
/* That control_begin() is no longer than @limit µs ago; @what: what has come of it by now */
void control_end_within (Control *self, gint64 limit, const char *what);

/* The main loop, which has to be iterated from begin to end, beside such a loop. */
typedef struct
{
  Ticker ticker;
  Control control;
} Responsive;

void responsive_begin (Responsive *self);
/* That it did not do much in one go, and was not kept from turning for long. */
void responsive_end (Responsive *self);

G_END_DECLS
