/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-future.h"

G_BEGIN_DECLS

/* The GListModel of unfinished futures, in order of submission. Main context of the lists
 * only. Adding, removing and finding a position are O(log n), so that 100,000 are no trouble;
 * runs of additions, and of removals that are neighbours, are told in one items-changed when
 * given together. */
#define DRAY_TYPE_FUTURE_LIST (dray_future_list_get_type ())
G_DECLARE_FINAL_TYPE (DrayFutureList, dray_future_list, DRAY, FUTURE_LIST, GObject)

DrayFutureList *dray_future_list_new (void);
/* Appends @futures (each with an id higher than any in the list). */
void dray_future_list_append (DrayFutureList *self, DrayFuture *const *futures, guint n_futures);
/* Removes those of the futures with these ids that are in the list. */
void dray_future_list_remove (DrayFutureList *self, const guint64 *ids, guint n_ids);

G_END_DECLS
