/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The ledger: memory beside the ring, where the outcomes of a chunk lie until a frame is made of
 * them. If the worker dies meanwhile they are not lost: the host finds here what was done, and so
 * knows which call the worker died of. Thus the worker need not send each outcome of a tiny call by
 * itself, and still none is ever run twice.
 *
 * Only the worker writes, and the host reads when the worker's process is gone. Each store that
 * the process made is there then, in whatever state the process was. The order of the stores is
 * what makes it consistent at each point between two of them:
 *
 *   an outcome   its record behind the others, then `content`
 *   sent         `content` is zero, then `first` moves on
 *   a new chunk  (`content` is zero) `first` is zero, then the attempt, then the task id
 *
 * Where it was sent, and the worker dies before `content` is zero, the host has heard of it twice,
 * and knows by `first`. It believes nothing in here: it takes a copy, and checks that like a
 * message.
 */

#include <glib.h>

G_BEGIN_DECLS

#define DRAY_LEDGER_SIZE ((gsize) 64 * 1024)

typedef struct
{
  guint64 task_id;
  guint32 attempt;
  guint32 first;   /* which call of the chunk the first record is the outcome of */
  guint64 content; /* atomic: the number of records << 32 | their bytes */
  guint8 records[];
} DrayLedger;

#define DRAY_LEDGER_SPACE (DRAY_LEDGER_SIZE - G_STRUCT_OFFSET (DrayLedger, records))

G_STATIC_ASSERT (sizeof (DrayLedger) % 8 == 0);

static inline void
dray_ledger_set_content (DrayLedger *self, guint n_records, gsize n_bytes)
{
  __atomic_store_n (&self->content, (guint64) n_records << 32 | (guint64) n_bytes,
                    __ATOMIC_RELEASE);
}

/* The records have been sent. */
static inline void
dray_ledger_move_on (DrayLedger *self, guint n_records)
{
  dray_ledger_set_content (self, 0, 0);
  __atomic_store_n (&self->first, __atomic_load_n (&self->first, __ATOMIC_RELAXED) + n_records,
                    __ATOMIC_RELEASE);
}

static inline void
dray_ledger_begin (DrayLedger *self, guint64 task_id, guint attempt)
{
  dray_ledger_set_content (self, 0, 0);
  __atomic_store_n (&self->first, 0, __ATOMIC_RELEASE);
  __atomic_store_n (&self->attempt, attempt, __ATOMIC_RELEASE);
  __atomic_store_n (&self->task_id, task_id, __ATOMIC_RELEASE);
}

G_END_DECLS
