/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-sigpipe.h"

#include <errno.h>
#include <time.h>

static void
init_set (sigset_t *set)
{
  sigemptyset (set);
  sigaddset (set, SIGPIPE);
}

void
dray_sigpipe_block (DraySigpipe *self)
{
  sigset_t set;

  init_set (&set);
  pthread_sigmask (SIG_BLOCK, &set, &self->mask);

  /* Only where it was blocked before can one be pending. */
  self->was_pending = FALSE;
  if (sigismember (&self->mask, SIGPIPE) && sigpending (&set) == 0)
    self->was_pending = sigismember (&set, SIGPIPE) == 1;
}

void
dray_sigpipe_restore (DraySigpipe *self, gboolean raised)
{
  const struct timespec at_once = { 0 };
  sigset_t set;

  /* A write raises it for the thread that writes, before it returns. */
  init_set (&set);
  if (raised && !self->was_pending)
    while (sigtimedwait (&set, NULL, &at_once) < 0 && errno == EINTR)
      ;

  pthread_sigmask (SIG_SETMASK, &self->mask, NULL);
}
