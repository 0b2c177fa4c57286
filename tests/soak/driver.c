/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

/*
 * A driver keeps so many promises open in its main context: a timer looks every few milliseconds
 * whether there is room, and begins something at random. The first driver's context is the main
 * thread's default, which the main loop runs; each other has a thread of its own.
 */

#define INTERVAL 3 /* ms */
#define MAX_OPEN 60
#define MAX_PER_TURN 6

static const struct
{
  SoakOperation operation;
  guint weight;
} operations[] = {
  { soak_do_single, 600 }, { soak_do_command, 20 }, { soak_do_async, 40 }, { soak_do_room, 40 },
  { soak_do_combine, 20 }, { soak_do_then, 30 },    { soak_do_group, 10 }, { soak_do_queue, 10 },
  { soak_do_pull, 30 },    { soak_do_map, 15 },     { soak_do_visit, 1 },  { soak_do_abandon, 1 },
};

static SoakOperation
pick_operation (GRand *rand)
{
  return operations[SOAK_PICK (rand, operations, G_N_ELEMENTS (operations))].operation;
}

static void
begin_one (SoakDriver *self)
{
  SoakStock *stock = soak_stock_pick (self->rand);

  pick_operation (self->rand) (self, stock);
  soak_stock_unref (stock);
}

/* The last promise may be kept on another thread: so it is looked at again and again. */
static gboolean
turn_cb (gpointer data)
{
  SoakDriver *self = data;

  if (g_atomic_int_get (&self->stopping))
    {
      if (self->thread != NULL && !soak_driver_has_work (self))
        g_main_loop_quit (self->loop);
      return G_SOURCE_CONTINUE;
    }

  for (guint i = 0; i < MAX_PER_TURN && g_atomic_int_get (&self->n_open) < MAX_OPEN; i++)
    begin_one (self);
  return G_SOURCE_CONTINUE;
}

static void
run (SoakDriver *self)
{
  g_main_context_push_thread_default (self->context);
  g_main_loop_run (self->loop);
  g_main_context_pop_thread_default (self->context);
}

static gpointer
thread_main (gpointer data)
{
  run (data);
  return NULL;
}

SoakDriver *
soak_driver_new (guint32 seed, GMainContext *context)
{
  SoakDriver *self = g_new0 (SoakDriver, 1);

  self->rand = g_rand_new_with_seed (seed);
  self->context = context != NULL ? g_main_context_ref (context) : g_main_context_new ();
  self->loop = g_main_loop_new (self->context, FALSE);

  return self;
}

void
soak_driver_start (SoakDriver *self)
{
  g_autoptr (GSource) timer = g_timeout_source_new (INTERVAL);

  /* On a busy machine it is always due, and would keep what is delivered from being dispatched. */
  g_source_set_priority (timer, G_PRIORITY_DEFAULT_IDLE);
  g_source_set_callback (timer, turn_cb, self, NULL);
  g_source_attach (timer, self->context);
  if (self->context != g_main_context_default ())
    self->thread = g_thread_new ("soak-driver", thread_main, self);
}

void
soak_driver_stop (SoakDriver *self)
{
  g_atomic_int_set (&self->stopping, TRUE);
}

gboolean
soak_driver_has_work (SoakDriver *self)
{
  return g_atomic_int_get (&self->n_open) > 0;
}

void
soak_driver_free (SoakDriver *self)
{
  if (self->thread != NULL)
    g_thread_join (self->thread);
  g_source_remove_by_user_data (self);
  g_main_loop_unref (self->loop);
  g_main_context_unref (self->context);
  g_rand_free (self->rand);
  g_free (self);
}
