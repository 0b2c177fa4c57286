/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "aim.h"

/* As many as there are tasks at a time: none waits behind another one whose moment is later. */
#define N_MARKSMEN 8

/* For how long they look at the clock again and again, and how often they look whether a task has
 * begun: µs */
#define STARE 100
#define BLINK 50

/* What is to be cancelled within that time is not left to another thread, which may not even be
 * awake by then: µs. */
#define NEAR 50

#define EARLIEST 1.0
#define LATEST 1e7

struct _Marksmen
{
  GRand *random;      /* (owned) */
  GAsyncQueue *shots; /* (owned) (element-type Shot) */
  GThread *threads[N_MARKSMEN];
};

typedef struct
{
  DrayFuture *future; /* (owned) */
  gint64 moment;      /* monotonic, µs */
  gint64 delay;       /* from when the task begins: there is no moment yet */
} Shot;

/* Large steps at first, from a guess that may be off by much. */
void
aim_correct (Aim *self, gboolean early)
{
  const double step = MAX (1.1, 2 - 0.05 * (self->n_early + self->n_late));

  if (early)
    {
      self->n_early++;
      self->delay = MIN (self->delay * step, LATEST);
    }
  else
    {
      self->n_late++;
      self->delay = MAX (self->delay / step, EARLIEST);
    }
}

void
aim_assert_share (guint n_one, guint n_other, const char *what)
{
  if (MIN (n_one, n_other) * 10 < n_one + n_other)
    g_error ("%s: %u on one side and %u on the other is no race", what, n_one, n_other);
}

static void
shoot (DrayFuture *future, gint64 moment)
{
  const gint64 left = moment - g_get_monotonic_time ();

  if (left > STARE)
    g_usleep ((gulong) (left - STARE));
  while (g_get_monotonic_time () < moment)
    ;
  dray_future_cancel (future);
}

static gpointer
shoot_all (gpointer shots)
{
  gpointer data;

  while ((data = g_async_queue_pop (shots)) != shots)
    {
      Shot *shot = data;

      if (shot->delay > 0)
        {
          while (dray_future_get_state (shot->future) == DRAY_FUTURE_PENDING)
            g_usleep (BLINK);
          shot->moment = g_get_monotonic_time () + shot->delay;
        }
      shoot (shot->future, shot->moment);
      g_object_unref (shot->future);
      g_free (shot);
    }

  return NULL;
}

Marksmen *
marksmen_new (void)
{
  Marksmen *self = g_new0 (Marksmen, 1);

  self->random = g_rand_new_with_seed ((guint32) g_test_rand_int ());
  self->shots = g_async_queue_new ();
  for (guint i = 0; i < N_MARKSMEN; i++)
    self->threads[i] = g_thread_new ("marksman", shoot_all, self->shots);

  return self;
}

void
marksmen_free (Marksmen *self)
{
  for (guint i = 0; i < N_MARKSMEN; i++)
    g_async_queue_push (self->shots, self->shots);
  for (guint i = 0; i < N_MARKSMEN; i++)
    g_thread_join (self->threads[i]);
  g_async_queue_unref (self->shots);
  g_rand_free (self->random);
  g_free (self);
}

static double
draw_delay (Marksmen *self, const Aim *aim)
{
  return aim->delay * g_rand_double_range (self->random, 1 - aim->spread, 1 + aim->spread);
}

void
marksmen_cancel (Marksmen *self, const Aim *aim, DrayFuture *future)
{
  const double delay = draw_delay (self, aim);
  const gint64 moment = g_get_monotonic_time () + (gint64) delay;

  if (delay < NEAR)
    {
      shoot (future, moment);
    }
  else
    {
      Shot *shot = g_new0 (Shot, 1);

      shot->future = g_object_ref (future);
      shot->moment = moment;
      g_async_queue_push (self->shots, shot);
    }
}

void
marksmen_cancel_running (Marksmen *self, const Aim *aim, DrayFuture *future)
{
  Shot *shot = g_new0 (Shot, 1);

  shot->future = g_object_ref (future);
  shot->delay = MAX ((gint64) draw_delay (self, aim), 1);
  g_async_queue_push (self->shots, shot);
}
