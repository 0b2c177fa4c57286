/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-chunk-run.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The worker's end of the ledger. The host says where it can be opened: a descriptor of its own,
 * by way of /proc. That needs no help of whatever started this process. Where that is another
 * file, because this is another machine or a sandbox with a /proc of its own, it does not begin
 * with the right number; and only what can't shrink is taken.
 */

static gboolean
is_sealed (int fd)
{
  int seals = fcntl (fd, F_GET_SEALS);

  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && lseek (fd, 0, SEEK_END) == DRAY_LEDGER_SIZE;
}

DrayLedger *
dray_ledger_open (const char *path, guint64 nonce)
{
  int fd = g_open (path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
  DrayLedger *ledger = MAP_FAILED;

  if (fd < 0)
    return NULL;

  if (is_sealed (fd))
    ledger = mmap (NULL, DRAY_LEDGER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close (fd);

  if (ledger == MAP_FAILED)
    return NULL;
  if (ledger->nonce != nonce)
    {
      munmap (ledger, DRAY_LEDGER_SIZE);
      return NULL;
    }
  return ledger;
}

void
dray_ledger_close (DrayLedger *self)
{
  munmap (self, DRAY_LEDGER_SIZE);
}
