/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

/*
 * The world: futures, maps and so on, in which any actor may do something to what another one has
 * begun. There are only so many of each: the more often does somebody come to what is just being
 * ended, and the more is dropped while it is needed.
 */

static const guint max_kept[STRESS_N_KINDS] = {
  [STRESS_FUTURES] = 40, [STRESS_MAPS] = 6,         [STRESS_GROUPS] = 3,
  [STRESS_QUEUES] = 3,   [STRESS_CANCELLABLES] = 4,
};

/* One of the newest, so often: much is over soon. */
#define NEWEST_PERCENT 50
#define N_NEWEST 4

static GMutex lock;
static GPtrArray *kept[STRESS_N_KINDS]; /* (owned); protected by the lock */

void
stress_world_open (void)
{
  for (guint i = 0; i < STRESS_N_KINDS; i++)
    kept[i] = g_ptr_array_new ();
}

/* (transfer full) (nullable) */
static gpointer
steal_last (GPtrArray *objects)
{
  gpointer object = NULL;

  g_mutex_lock (&lock);
  if (objects->len > 0)
    object = g_ptr_array_steal_index_fast (objects, objects->len - 1);
  g_mutex_unlock (&lock);

  return object;
}

void
stress_world_empty (void)
{
  for (guint i = 0; i < STRESS_N_KINDS; i++)
    {
      GObject *object;

      while ((object = steal_last (kept[i])) != NULL)
        {
          if (i == STRESS_MAPS)
            dray_map_cancel (DRAY_MAP (object));
          g_object_unref (object);
        }
    }
}

void
stress_world_close (void)
{
  stress_world_empty ();
  for (guint i = 0; i < STRESS_N_KINDS; i++)
    g_clear_pointer (&kept[i], g_ptr_array_unref);
}

void
stress_put (StressActor *actor, StressKind kind, gpointer object)
{
  GPtrArray *objects = kept[kind];
  g_autoptr (GObject) dropped = NULL;

  g_mutex_lock (&lock);
  g_ptr_array_add (objects, object);
  if (objects->len > max_kept[kind])
    dropped = g_ptr_array_steal_index_fast (objects, stress_random (actor, objects->len));
  g_mutex_unlock (&lock);
}

gpointer
stress_pick (StressActor *actor, StressKind kind)
{
  GPtrArray *objects = kept[kind];
  gpointer object = NULL;

  g_mutex_lock (&lock);
  if (objects->len > 0)
    {
      guint n = stress_chance (actor, NEWEST_PERCENT) ? MIN (objects->len, N_NEWEST) : objects->len;

      object = g_object_ref (objects->pdata[objects->len - 1 - stress_random (actor, n)]);
    }
  g_mutex_unlock (&lock);

  return object;
}

gpointer
stress_take (StressActor *actor, StressKind kind)
{
  GPtrArray *objects = kept[kind];
  gpointer object = NULL;

  g_mutex_lock (&lock);
  if (objects->len > 0)
    object = g_ptr_array_steal_index_fast (objects, stress_random (actor, objects->len));
  g_mutex_unlock (&lock);

  return object;
}

GCancellable *
stress_pick_cancellable (StressActor *actor, double percent)
{
  return stress_chance (actor, percent) ? stress_pick (actor, STRESS_CANCELLABLES) : NULL;
}
