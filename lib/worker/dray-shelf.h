/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The shelf: the slots (dray-slot.h) that a worker has, and what they are used for. There are few,
 * and their size is bounded; who finds none does without.
 */

#include "dray-cargo.h"

G_BEGIN_DECLS

typedef struct _DrayShelf DrayShelf;

/* Any thread, all of these. */

DrayShelf *dray_shelf_new (void);
DrayShelf *dray_shelf_ref (DrayShelf *self);
void dray_shelf_unref (DrayShelf *self);

/* Memory of a slot, to be written to and then loaded. NULL: there is none. */
GBytes *dray_shelf_allocate (DrayShelf *self, gsize size, gpointer *data);
/* A cargo with the bytes of @value, which is sound: where they lie, if they are such memory, else
 * copied into a slot. NULL: there is none. */
DrayCargo *dray_shelf_load (DrayShelf *self, GVariant *value);
/* To be called when it is known whether a frame with a cargo of load() was sent. @slot: its
 * number */
void dray_shelf_settle (DrayShelf *self, guint slot, gboolean sent);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayShelf, dray_shelf_unref)

G_END_DECLS
