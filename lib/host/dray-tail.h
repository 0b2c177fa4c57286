/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The tail of a stream: the last bytes of however many came (a process's standard error), for an
 * error message. Bounded: DRAY_TAIL_SIZE bytes. */

#include <gio/gio.h>

G_BEGIN_DECLS

#define DRAY_TAIL_SIZE 4096

typedef struct
{
  guint8 bytes[DRAY_TAIL_SIZE]; /* a ring */
  gsize position;               /* where the next byte goes */
  gboolean wrapped;
} DrayTail;

void dray_tail_add (DrayTail *self, const guint8 *bytes, gsize size);
void dray_tail_clear (DrayTail *self);
/* (transfer full) (nullable): the last whole lines (at most @max_lines; empty ones among them are
 * left out), valid UTF-8, control characters replaced, trailing white space removed. Of one line
 * that is longer than the ring the end, after an ellipsis. NULL if there is nothing to show. */
char *dray_tail_dup_lines (const DrayTail *self, guint max_lines);

G_END_DECLS
