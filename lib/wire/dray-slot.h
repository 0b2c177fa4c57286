/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * A slot: shared memory that is used for one value after another. Its pages are there and mapped on
 * both sides after the first one, so that the next costs no more than writing its bytes.
 *
 *   0                      what the two sides say to each other: whose turn it is
 *   DRAY_SLOT_HEADER_SIZE  the value's bytes
 *
 *   the worker's ──lent, before the frame is sent──> the host's
 *        ^                                              │
 *        └──────the last reference on the bytes goes────┘
 *
 * That is said in the memory itself, by one atomic store: whoever drops the bytes, on whatever
 * thread, needs no lock and wakes nobody, and the worker looks when it needs a slot.
 *
 * The memory can't be made shorter, so reading it is safe; but the worker can write to it at any
 * time. So slots are only for workers that the application trusts with that.
 */

#include <gio/gio.h>

G_BEGIN_DECLS

/* A multiple of the page size of any machine. Only its first page is ever touched. */
#define DRAY_SLOT_HEADER_SIZE ((gsize) 64 * 1024)

/* They are numbered from 1 to this. */
#define DRAY_SLOT_MAX 8

typedef struct _DraySlot DraySlot;

/* The worker's. *fd (out): the memory, and the caller's. Errors of G_IO_ERROR. */
DraySlot *dray_slot_new (gsize capacity, int *fd, GError **error);
/* The host's; @fd stays the caller's. Errors: DRAY_ERROR_PROTOCOL if it is no memory of a slot,
 * G_IO_ERROR if it can't be mapped. */
DraySlot *dray_slot_map (int fd, GError **error);
DraySlot *dray_slot_ref (DraySlot *self);
void dray_slot_unref (DraySlot *self);

/* Any thread, all of these. */

gsize dray_slot_get_capacity (DraySlot *self); /* bytes */
guint8 *dray_slot_get_data (DraySlot *self);   /* for the host, not to be written to */
gboolean dray_slot_is_lent (DraySlot *self);
void dray_slot_lend (DraySlot *self);
void dray_slot_give_back (DraySlot *self);
/* The host's: its first @size bytes, which give it back when they are freed. */
GBytes *dray_slot_get_bytes (DraySlot *self, gsize size);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DraySlot, dray_slot_unref)

G_END_DECLS
