/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-shelf.h"

#include <string.h>
#include <unistd.h>

#include "dray-descriptor.h"
#include "dray-slot.h"

/*
 * A place holds one slot or none. A slot is free when the host has given it back, no bytes over it
 * are left here, and no frame with it is just being sent.
 *
 * A value takes the smallest free slot that is large enough. If there is none, a new slot is made:
 * in an empty place, or in that of the smallest free one, which is too small. Its number is then
 * that of another memory: the host, which is sent that with its first value, replaces the one it
 * knows.
 */

/* All slots of a worker have together. Those of one that is idle keep their pages. */
#define MAX_TOTAL ((gsize) 512 * 1024 * 1024)

typedef struct
{
  DraySlot *slot;     /* (owned) (nullable) */
  int fd;             /* (owned): its memory, until the host has it; -1 then */
  gboolean allocated; /* bytes over it were given out here, and are alive */
  gboolean loading;   /* between load() and settle() */
} Place;

struct _DrayShelf
{
  gatomicrefcount ref_count;

  GMutex lock;

  /* protected by the lock */
  Place places[DRAY_SLOT_MAX];
  gsize total; /* bytes of all slots */
};

DrayShelf *
dray_shelf_new (void)
{
  DrayShelf *self = g_new0 (DrayShelf, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  for (guint i = 0; i < DRAY_SLOT_MAX; i++)
    self->places[i].fd = -1;

  return self;
}

DrayShelf *
dray_shelf_ref (DrayShelf *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
clear_place (DrayShelf *self, Place *place)
{
  if (place->slot != NULL)
    self->total -= dray_slot_get_capacity (place->slot);
  g_clear_pointer (&place->slot, dray_slot_unref);
  if (place->fd >= 0)
    close (place->fd);
  place->fd = -1;
}

void
dray_shelf_unref (DrayShelf *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  for (guint i = 0; i < DRAY_SLOT_MAX; i++)
    clear_place (self, &self->places[i]);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gboolean
is_free (const Place *place)
{
  return place->slot != NULL && !place->allocated && !place->loading
         && !dray_slot_is_lent (place->slot);
}

/* Some more than is asked for, so that values of nearly the same size find room in it. What is not
 * touched costs nothing. */
static gsize
round_up (gsize size)
{
  gsize step = (gsize) 64 * 1024;

  while (step < size / 8)
    step *= 2;
  return (size + step - 1) / step * step;
}

/* The smallest free place with at least @size bytes; an empty one has 0.
 * Returns: NULL if there is none */
static Place *
find_smallest_locked (DrayShelf *self, gsize size)
{
  Place *smallest = NULL;
  gsize smallest_capacity = G_MAXSIZE;

  for (guint i = 0; i < DRAY_SLOT_MAX; i++)
    {
      Place *place = &self->places[i];
      gsize capacity = place->slot != NULL ? dray_slot_get_capacity (place->slot) : 0;

      if ((place->slot == NULL || is_free (place)) && capacity >= size
          && capacity < smallest_capacity)
        {
          smallest = place;
          smallest_capacity = capacity;
        }
    }

  return smallest;
}

static Place *
find_place_locked (DrayShelf *self, gsize size)
{
  Place *place = find_smallest_locked (self, size);
  gsize capacity, dropped;

  if (place != NULL || size > MAX_TOTAL)
    return place;

  place = find_smallest_locked (self, 0);
  if (place == NULL)
    return NULL;

  capacity = round_up (size);
  dropped = place->slot != NULL ? dray_slot_get_capacity (place->slot) : 0;
  if (self->total - dropped + capacity > MAX_TOTAL)
    return NULL;

  clear_place (self, place);
  place->slot = dray_slot_new (capacity, &place->fd, NULL);
  if (place->slot == NULL)
    return NULL;

  self->total += capacity;
  return place;
}

/* --- Memory to write to --- */

typedef struct
{
  DrayShelf *shelf; /* (owned) */
  DraySlot *slot;   /* (owned): the memory, whatever becomes of the place */
  Place *place;     /* (unowned): in @shelf */
} Lease;

static void
lease_free (gpointer data)
{
  Lease *lease = data;

  g_mutex_lock (&lease->shelf->lock);
  lease->place->allocated = FALSE;
  g_mutex_unlock (&lease->shelf->lock);

  dray_slot_unref (lease->slot);
  dray_shelf_unref (lease->shelf);
  g_free (lease);
}

GBytes *
dray_shelf_allocate (DrayShelf *self, gsize size, gpointer *data)
{
  Lease *lease = NULL;
  Place *place;

  g_mutex_lock (&self->lock);
  place = find_place_locked (self, size);
  if (place != NULL)
    {
      place->allocated = TRUE;
      lease = g_new (Lease, 1);
      *lease = (Lease){
        .shelf = dray_shelf_ref (self),
        .slot = dray_slot_ref (place->slot),
        .place = place,
      };
    }
  g_mutex_unlock (&self->lock);

  if (lease == NULL)
    return NULL;

  *data = dray_slot_get_data (lease->slot);
  return g_bytes_new_with_free_func (*data, size, lease_free, lease);
}

/* --- Sending --- */

/* The place whose memory begins at @data, if that was given out and not yet sent. */
static Place *
find_allocated_locked (DrayShelf *self, gconstpointer data)
{
  for (guint i = 0; i < DRAY_SLOT_MAX; i++)
    {
      Place *place = &self->places[i];

      if (place->allocated && !place->loading && dray_slot_get_data (place->slot) == data
          && !dray_slot_is_lent (place->slot))
        return place;
    }

  return NULL;
}

/* Returns: NULL if there is no descriptor left */
static DrayCargo *
make_cargo (DrayShelf *self, const Place *place, gsize size)
{
  int fd = -1;
  DrayCargo *cargo;

  if (place->fd >= 0)
    {
      fd = dray_descriptor_duplicate (place->fd);
      if (fd < 0)
        return NULL;
    }

  cargo = dray_cargo_new ();
  cargo->kind = fd >= 0 ? DRAY_CARGO_NEW_SLOT : DRAY_CARGO_KNOWN_SLOT;
  cargo->slot = (guint) (place - self->places) + 1;
  cargo->size = size;
  cargo->memory_fd = fd;
  return cargo;
}

DrayCargo *
dray_shelf_load (DrayShelf *self, GVariant *value)
{
  gconstpointer data = g_variant_get_data (value);
  gsize size = g_variant_get_size (value);
  DrayCargo *cargo = NULL;
  gboolean is_there;
  Place *place;

  g_mutex_lock (&self->lock);
  place = find_allocated_locked (self, data);
  is_there = place != NULL;
  if (place == NULL)
    place = find_place_locked (self, size);
  if (place != NULL)
    cargo = make_cargo (self, place, size);
  if (cargo != NULL)
    place->loading = TRUE;
  g_mutex_unlock (&self->lock);

  if (cargo == NULL)
    return NULL;

  /* Nobody else touches it now. */
  if (!is_there)
    memcpy (dray_slot_get_data (place->slot), data, size);
  dray_slot_lend (place->slot);
  return cargo;
}

void
dray_shelf_settle (DrayShelf *self, guint slot, gboolean sent)
{
  Place *place = &self->places[slot - 1];

  g_mutex_lock (&self->lock);
  place->loading = FALSE;
  if (!sent)
    {
      dray_slot_give_back (place->slot);
    }
  else if (place->fd >= 0)
    {
      close (place->fd);
      place->fd = -1;
    }
  g_mutex_unlock (&self->lock);
}
