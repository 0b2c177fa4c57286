/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-map-ledger.h"

#include "dray-chunk.h"
#include "dray-descriptor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct _DrayMapLedger
{
  int fd; /* (owned): -1 once it is closed */
  guint64 nonce;
  DrayLedger *shared; /* (owned): a mapping */
};

/* Sealed before anybody else has it: it stays as large as it is. */
static DrayLedger *
map_sealed (int fd)
{
  DrayLedger *shared;

  if (ftruncate (fd, (off_t) DRAY_LEDGER_SIZE) < 0
      || fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
    return NULL;

  shared = mmap (NULL, DRAY_LEDGER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return shared != MAP_FAILED ? shared : NULL;
}

DrayMapLedger *
dray_map_ledger_new (void)
{
  int fd = dray_descriptor_raise (memfd_create ("dray-ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  DrayLedger *shared = fd >= 0 ? map_sealed (fd) : NULL;
  DrayMapLedger *self;

  if (shared == NULL)
    {
      if (fd >= 0)
        close (fd);
      return NULL;
    }

  self = g_new0 (DrayMapLedger, 1);
  self->fd = fd;
  self->nonce = (guint64) g_random_int () << 32 | g_random_int ();
  self->shared = shared;
  shared->nonce = self->nonce;
  return self;
}

void
dray_map_ledger_close (DrayMapLedger *self)
{
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

void
dray_map_ledger_free (DrayMapLedger *self)
{
  dray_map_ledger_close (self);
  munmap (self->shared, DRAY_LEDGER_SIZE);
  g_free (self);
}

void
dray_map_ledger_init_message (DrayMapLedger *self, DrayMessage *message)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd/%d", (int) getpid (), self->fd);

  dray_ledger_init_message (message, self->nonce, path);
}

/* Something that the worker has left running may write there even now: each number is read once,
 * and the rest is looked at in a copy. */
GBytes *
dray_map_ledger_take (DrayMapLedger *self, guint64 task_id, guint attempt, guint *first)
{
  DrayLedger *shared = self->shared;
  guint64 content = __atomic_load_n (&shared->content, __ATOMIC_ACQUIRE);
  guint32 n_records = (guint32) (content >> 32);
  gsize n_bytes = (gsize) (content & G_MAXUINT32);

  *first = __atomic_load_n (&shared->first, __ATOMIC_ACQUIRE);
  if (n_records == 0 || n_bytes > DRAY_LEDGER_SPACE
      || __atomic_load_n (&shared->task_id, __ATOMIC_ACQUIRE) != task_id
      || __atomic_load_n (&shared->attempt, __ATOMIC_ACQUIRE) != attempt)
    return NULL;

  return dray_outcomes_new_payload (shared->records, n_bytes, n_records);
}
