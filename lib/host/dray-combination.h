/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * A combination: why a ticket waits for other tickets, its parts, and what becomes of it when they
 * are done. Either the ticket is that of a combined future, which has no task, or it has one that
 * follows another task (DRAY_COMBINE_THEN).
 *
 *   DRAY_COMBINE_ALL       done when every part is; with all results, or the first error
 *   DRAY_COMBINE_ALL_RACE  the same, but done with the first error
 *   DRAY_COMBINE_ANY       done with the first result; with the last error if there is none
 *   DRAY_COMBINE_FIRST     done as the first part that is done
 *   DRAY_COMBINE_THEN      queued when its only part has succeeded; else done as that
 *
 * Who holds what. The combination holds its ticket until that is done, and its parts' tickets until
 * it is freed. It is held by its ticket until that is done, and by each part that it is attached
 * to. That is a circle, which is broken by the end that every ticket comes to: whoever completes
 * the ticket, be it the combination itself, takes the combination out of it and detaches it from
 * the parts that are left. So nothing piles up at a part that many combinations wait for.
 *
 * No lock is held while anything is completed or cancelled. The pool's lock protects what is said
 * to be; parts are read without it, since a ticket that is done changes no more.
 */

#include "dray-dependent.h"

G_BEGIN_DECLS

typedef enum
{
  DRAY_COMBINE_ALL,
  DRAY_COMBINE_ALL_RACE,
  DRAY_COMBINE_ANY,
  DRAY_COMBINE_FIRST,
  DRAY_COMBINE_THEN,
} DrayCombinationKind;

/* The future of a new combined ticket, pending, for the thread-default main context; (transfer
 * full). Somebody has to complete it. */
DrayFuture *dray_combination_new_future (DrayPool *pool);

/* A combined future; (transfer full). @n_parts is not 0. */
DrayFuture *
dray_combination_combine (DrayCombinationKind kind, DrayFuture *const *parts, gsize n_parts);

/* Makes @ticket, which nobody else knows of yet, one that follows @previous; @position is where the
 * result goes. (transfer full) */
DrayCombination *dray_combination_follow (DrayTicket *ticket, DrayTicket *previous, int position);
/* To be called when it was submitted, whatever came of that. */
void dray_combination_begin (DrayCombination *self);

DrayCombination *dray_combination_ref (DrayCombination *self);
void dray_combination_unref (DrayCombination *self);
/* The ticket, which had this reference, is done: it waits for the parts no more. @cancel: cancels
 * those that nobody else waits for. */
void dray_combination_leave (DrayCombination *self, gboolean cancel);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayCombination, dray_combination_unref)

G_END_DECLS
