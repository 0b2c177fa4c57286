/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What becomes of the library in a process that the application has forked and that goes on without
 * executing another program. What is inherited there is given up, and says so: see dray-fork.c.
 *
 * Whatever has a lock that other threads take embeds a guard. Functions that the application calls
 * first, with no lock held, begin with dray_fork_check ().
 */

#include <gio/gio.h>

#include "dray-error.h"

G_BEGIN_DECLS

typedef struct _DrayForkGuard DrayForkGuard;

/* Embed one; zeroed memory plus what may be NULL. */
struct _DrayForkGuard
{
  GMutex *lock; /* (unowned): not held by anybody while the process is forked */
  GList link;
  gboolean held;

  /* (nullable): called in the child at once: nothing but system calls and memory that is ours. It
   * is as the I/O thread has left it between two turns. */
  void (*forked) (DrayForkGuard *guard);
  /* (nullable): called in the child when something of the library's is used for the first time,
   * with no lock held */
  void (*give_up) (DrayForkGuard *guard);
};

/* Both without a lock held. */
void dray_fork_guard_add (DrayForkGuard *guard, GMutex *lock);
void dray_fork_guard_remove (DrayForkGuard *guard);

GError *dray_fork_error (void);

/* Atomic, boolean: in a child, where what was inherited was not given up yet. */
G_GNUC_INTERNAL extern int dray_forked;

void dray_fork_give_up (void);

static inline void
dray_fork_check (void)
{
  if (G_UNLIKELY (g_atomic_int_get (&dray_forked)))
    dray_fork_give_up ();
}

G_END_DECLS
