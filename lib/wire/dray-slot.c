/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-slot.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dray-error-private.h"
#include "dray-payload.h"

/* What lies at the beginning of the memory. */
typedef struct
{
  int lent; /* atomic, boolean */
} Header;

struct _DraySlot
{
  gatomicrefcount ref_count;

  /* set at construction */
  Header *header; /* (owned): the mapping */
  gsize size;     /* of the mapping */
  pid_t owner;
};

/* @protection: of the value's bytes; the header can always be written to */
static DraySlot *
slot_new (int fd, gsize size, int protection, GError **error)
{
  gpointer address = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  DraySlot *self;

  if (address == MAP_FAILED)
    {
      dray_set_error_errno (error, errno, _("No shared memory could be had"));
      return NULL;
    }

  if ((protection & PROT_WRITE) == 0)
    mprotect ((guint8 *) address + DRAY_SLOT_HEADER_SIZE, size - DRAY_SLOT_HEADER_SIZE, protection);

  self = g_new0 (DraySlot, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->header = address;
  self->size = size;
  self->owner = getpid ();
  return self;
}

/* Returns: 0 or an errno */
static int
set_size (int fd, gsize size)
{
  if (ftruncate (fd, (off_t) size) != 0)
    return errno;

  return fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ? errno : 0;
}

DraySlot *
dray_slot_new (gsize capacity, int *fd, GError **error)
{
  gsize size = DRAY_SLOT_HEADER_SIZE + capacity;
  DraySlot *self = NULL;
  int result;

  *fd = dray_payload_create (error);
  if (*fd < 0)
    return NULL;

  result = set_size (*fd, size);
  if (result == 0)
    self = slot_new (*fd, size, PROT_READ | PROT_WRITE, error);
  else
    dray_set_error_errno (error, result, _("No shared memory could be had"));

  if (self == NULL)
    {
      close (*fd);
      *fd = -1;
    }
  return self;
}

DraySlot *
dray_slot_map (int fd, GError **error)
{
  gsize size;

  if (!dray_payload_check (fd, FALSE, &size, error))
    return NULL;

  if (size <= DRAY_SLOT_HEADER_SIZE)
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                   C_ ("sent", "%zu bytes of shared memory, which are too few"), size);
      return NULL;
    }

  return slot_new (fd, size, PROT_READ, error);
}

DraySlot *
dray_slot_ref (DraySlot *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
dray_slot_unref (DraySlot *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  munmap (self->header, self->size);
  g_free (self);
}

gsize
dray_slot_get_capacity (DraySlot *self)
{
  return self->size - DRAY_SLOT_HEADER_SIZE;
}

guint8 *
dray_slot_get_data (DraySlot *self)
{
  return (guint8 *) self->header + DRAY_SLOT_HEADER_SIZE;
}

gboolean
dray_slot_is_lent (DraySlot *self)
{
  return g_atomic_int_get (&self->header->lent) != 0;
}

void
dray_slot_lend (DraySlot *self)
{
  g_atomic_int_set (&self->header->lent, TRUE);
}

void
dray_slot_give_back (DraySlot *self)
{
  g_atomic_int_set (&self->header->lent, FALSE);
}

/* In a process that was forked this is still the memory of the one that it comes from, where
 * somebody may have the bytes. */
static void
bytes_freed_cb (gpointer data)
{
  DraySlot *self = data;

  if (self->owner == getpid ())
    dray_slot_give_back (self);
  dray_slot_unref (self);
}

GBytes *
dray_slot_get_bytes (DraySlot *self, gsize size)
{
  return g_bytes_new_with_free_func (dray_slot_get_data (self), size, bytes_freed_cb,
                                     dray_slot_ref (self));
}
