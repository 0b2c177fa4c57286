/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The tally: how often each future was told to have ended. That is once, whatever happened; and a
 * test that waits for an end, and then looks at the state, would not see a second one.
 *
 * A future that has a main context which is iterated to the end, the default one, is kept until it
 * was told, so that an end which never comes is seen too, also where the test does not wait for it.
 * All others are counted for as long as they live.
 */

#include "fixture.h"

G_BEGIN_DECLS

typedef struct
{
  GMutex lock;
  GPtrArray *entries; /* (owned) (nullable): protected by the lock */
} Tally;

/* On any thread. @keep: whether the future may be kept; else it goes when its owners want it to. */
void tally_add (Tally *self, DrayFuture *future, gboolean keep);
/* Iterates the default main context until each future that is kept was told to have ended. */
void tally_run_until_told (Tally *self);
/* Fails if one was told twice; whatever may still tell has to be gone. */
void tally_clear (Tally *self);

G_END_DECLS
