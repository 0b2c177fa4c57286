/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The items request: somebody asks a future for items, and is called back. It is the result that
 * the callback gets.
 *
 * A GTask would not do. It returns in a later turn of the main context than that in which it was
 * made, from a source of its own; so of two requests that are answered in one turn, the later one
 * could be the first to return. Here all answers come from the delivery, in its slices, and those
 * of one main context in the order of the questions.
 */

#include "dray-future.h"

G_BEGIN_DECLS

#define DRAY_TYPE_ITEMS_REQUEST (dray_items_request_get_type ())
G_DECLARE_FINAL_TYPE (DrayItemsRequest, dray_items_request, DRAY, ITEMS_REQUEST, GObject)

/* Has @callback called in the thread's default main context, never from within. @tag: the public
 * function that this is for. */
void dray_items_request_start (DrayFuture *future,
                               guint max_items,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data,
                               gpointer tag);
gboolean dray_items_request_is_valid (GAsyncResult *result, DrayFuture *future, gpointer tag);
/* (transfer full) (nullable): what it was answered with. */
GPtrArray *dray_items_request_steal (GAsyncResult *result, GError **error);

G_END_DECLS
