/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Waiting for what will be there in a moment. To be put to sleep and woken up takes a thread some ten
 * microseconds, more than a small call takes altogether. So a thread that has given such a call to a
 * worker looks for the answer for a while before it goes to sleep, as a mutex that spins does: for
 * twice the time that the last calls took, if that is no more than DRAY_SPIN_MAX. It leaves the
 * processor to whoever wants it meanwhile.
 */

#include <glib.h>
#include <sched.h>

G_BEGIN_DECLS

/* In µs. */
#define DRAY_SPIN_MAX 100

/* Until *flag (atomic) is set, or the time (monotonic, µs) is over. */
static inline void
dray_spin_until (const int *flag, gint64 end)
{
  while (!g_atomic_int_get (flag) && g_get_monotonic_time () < end)
    sched_yield ();
}

G_END_DECLS
