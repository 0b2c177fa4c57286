/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The witness: who stands beside a worker that does what it should not, and has to notice nothing.
 * An executor whose workers tell the truth goes on working, and this process needs no more memory
 * than it may.
 */

#include "fixture.h"

G_BEGIN_DECLS

typedef struct
{
  DrayExecutor *executor; /* (owned): with a worker that tells the truth */
  GSource *source;        /* (owned): looks at the memory again and again */
  gsize start;            /* of the resident memory */
  gsize peak;
} Witness;

void witness_begin (Witness *self);
/* That the executor works. */
void witness_ask (Witness *self);
/* The same, and that since the beginning never more than @bound bytes were taken beside what there
 * was. The memory is looked at while the default main context is iterated. */
void witness_end (Witness *self, gsize bound);

G_END_DECLS
