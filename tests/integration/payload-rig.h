/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Large values, and the ways in which they come: in sealed memory, in slots of a trusted worker, or
 * in their frames, where nothing can be passed. Nobody can tell from the values.
 */

#include "rig.h"

G_BEGIN_DECLS

#define PAYLOAD_MIB (1024 * 1024)
/* From here on values go in shared memory in these tests, so that they need not be as large. */
#define PAYLOAD_SHARED_SIZE (2 * PAYLOAD_MIB)
#define PAYLOAD_LARGE (3 * PAYLOAD_MIB)
#define PAYLOAD_VERY_LARGE (20 * PAYLOAD_MIB)

typedef enum
{
  PAYLOAD_PASSING,  /* descriptors can be passed */
  PAYLOAD_TRUSTED,  /* and the worker is trusted */
  PAYLOAD_PREFIXED, /* by a program before the worker, which leaves them alone */
  PAYLOAD_CLOSED,   /* the program before the worker closes the passage */
} PayloadWay;

/* Makes the executor, with one worker that is reached in that way. */
void payload_start (Rig *rig, PayloadWay way);
/* That @value is as "allocate" makes it, and "bytes" with a seed of 0. */
void payload_check_bytes (GVariant *value, gsize size, guint8 seed);
/* Whether the bytes lie in memory that a worker has made. */
gboolean payload_is_shared (GVariant *value);

G_END_DECLS
