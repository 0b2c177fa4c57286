/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "responsive.h"

#include <time.h>

/* What the main thread may do from one tick to the next, in µs of the processor's time: on a busy
 * machine it is kept waiting, but does no more than otherwise. What is handed over in one go takes
 * 4 ms, and the ticker is due after 5. */
#define MOST_WORK 30000
#define TICK_INTERVAL_MS 5

/* How much longer than the loop of another thread, which has nothing to do but tick, the main loop
 * may be without a tick: µs, and so many times as long. */
#define MOST_WAITING G_TIME_SPAN_SECOND
#define WAITING_FACTOR 10

/* --- A loop that ticks --- */

/* Of this thread, in µs. */
static gint64
get_work (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * G_TIME_SPAN_SECOND + time.tv_nsec / 1000;
}

static gboolean
tick_cb (gpointer user_data)
{
  Ticker *self = user_data;
  const gint64 now = g_get_monotonic_time ();
  const gint64 work = get_work ();

  self->n_ticks++;
  self->longest = MAX (self->longest, now - self->last);
  self->most_work = MAX (self->most_work, work - self->last_work);
  self->last = now;
  self->last_work = work;
  return G_SOURCE_CONTINUE;
}

/* On the thread that iterates @context. At the priority of what is delivered: on a busy machine it
 * is always due, and would keep all that comes after it from being dispatched.
 * @start: from when on it counts */
static void
ticker_start (Ticker *self, GMainContext *context, gint64 start)
{
  *self = (Ticker){ .last = start, .last_work = get_work () };
  self->source = g_timeout_source_new (TICK_INTERVAL_MS);
  g_source_set_priority (self->source, G_PRIORITY_DEFAULT_IDLE);
  g_source_set_callback (self->source, tick_cb, self, NULL);
  g_source_attach (self->source, context);
}

static void
ticker_stop (Ticker *self)
{
  g_source_destroy (self->source);
  g_clear_pointer (&self->source, g_source_unref);
}

/* --- On a thread of its own --- */

/* It ticks once more when it is told to end, so that nothing is left out. */
static gpointer
control_thread (gpointer data)
{
  Control *self = data;
  g_autoptr (GMainContext) context = g_main_context_new ();

  ticker_start (&self->ticker, context, self->start);
  do
    g_main_context_iteration (context, TRUE);
  while (g_atomic_int_get (&self->goes_on));
  ticker_stop (&self->ticker);
  return NULL;
}

void
control_begin (Control *self)
{
  self->start = g_get_monotonic_time ();
  g_atomic_int_set (&self->goes_on, TRUE);
  self->thread = g_thread_new ("control", control_thread, self);
}

/* Returns: for how long everybody was kept waiting at most, in µs */
static gint64
control_end (Control *self)
{
  g_atomic_int_set (&self->goes_on, FALSE);
  g_thread_join (self->thread);
  return self->ticker.longest;
}

static gint64
allow (gint64 limit, gint64 waited)
{
  return limit * fixture_get_time_factor () + WAITING_FACTOR * waited;
}

void
control_end_within (Control *self, gint64 limit, const char *what)
{
  const gint64 taken = g_get_monotonic_time () - self->start;
  const gint64 waited = control_end (self);

  g_test_message ("After %.2f s %s; a loop took up to %.1f ms to turn", (double) taken / 1000000,
                  what, (double) waited / 1000);
  g_assert_cmpint (taken, <, allow (limit, waited));
}

/* --- The main loop --- */

void
responsive_begin (Responsive *self)
{
  control_begin (&self->control);
  ticker_start (&self->ticker, g_main_context_default (), self->control.start);
}

typedef struct
{
  const Ticker *ticker; /* (unowned) */
  guint n_ticks;
} Beyond;

static gboolean
has_ticked_beyond (gpointer user_data)
{
  const Beyond *beyond = user_data;

  return beyond->ticker->n_ticks > beyond->n_ticks;
}

void
responsive_end (Responsive *self)
{
  Beyond beyond = { &self->ticker, self->ticker.n_ticks };
  gint64 waited;

  /* What has kept it from turning until now is seen by the next tick only. */
  fixture_iterate_until (has_ticked_beyond, &beyond, "the main loop has turned");
  ticker_stop (&self->ticker);
  waited = control_end (&self->control);
  g_test_message ("In %u ticks, the main loop did up to %.1f ms, and took up to %.1f ms; another "
                  "one took %.1f ms",
                  self->ticker.n_ticks, (double) self->ticker.most_work / 1000,
                  (double) self->ticker.longest / 1000, (double) waited / 1000);
  g_assert_cmpint (self->ticker.most_work, <, MOST_WORK * fixture_get_time_factor ());
  g_assert_cmpint (self->ticker.longest, <, allow (MOST_WAITING, waited));
}
