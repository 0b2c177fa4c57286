/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The pending queue: what waits for a worker, the most urgent first (the lowest priority, as in
 * GLib), in order of arrival within one priority.
 *
 * The queue is intrusive: whoever is queued embeds a link, so that queueing a million tasks
 * allocates nothing, and any of them can leave from the middle when it is cancelled. The links
 * of one priority form a list, its bucket. The buckets are kept in order, and a link remembers
 * its own:
 *
 *   push_tail            O(log b), b being the number of different priorities in the queue
 *   peek, pop, remove    O(log b) at most, however many links there are
 *   put_back             the same, and a step for each link that was put back before it
 *
 * A few buckets stay when they are empty, so that a program with a handful of priorities, which
 * is every program but a few, allocates nothing at all once it has used them.
 *
 * Nothing here locks: a queue belongs to whoever holds the lock that it is protected by.
 */

#include <glib.h>

G_BEGIN_DECLS

typedef struct _DrayPendingQueue DrayPendingQueue;
typedef struct _DrayPendingBucket DrayPendingBucket;
typedef struct _DrayPendingLink DrayPendingLink;

/* Embed one, with @data set; the rest zeroed is a link that is not queued. */
struct _DrayPendingLink
{
  gpointer data; /* (unowned) (not nullable): what the link is embedded in, or belongs to */
  guint64 rank;  /* its place in time: for dray_pending_queue_put_back() */

  /*< private >*/
  DrayPendingBucket *bucket; /* (unowned) (nullable): NULL while it is not queued */
  DrayPendingLink *previous; /* (unowned) (nullable) */
  DrayPendingLink *next;     /* (unowned) (nullable) */
};

DrayPendingQueue *dray_pending_queue_new (void);
/* The queue must be empty: the links are the caller's, and would point into freed memory. */
void dray_pending_queue_free (DrayPendingQueue *self);

/* @link must not be queued, here or elsewhere. */
void dray_pending_queue_push_tail (DrayPendingQueue *self, DrayPendingLink *link, gint64 priority);
/* Before those of its priority that have a higher rank: for a task that had its turn and lost its
 * worker. Looks for them from the front, where it comes from. */
void dray_pending_queue_put_back (DrayPendingQueue *self, DrayPendingLink *link, gint64 priority);

/* (transfer none) (nullable): the @data of the first link, NULL if the queue is empty. */
gpointer dray_pending_queue_peek (DrayPendingQueue *self);
gpointer dray_pending_queue_pop (DrayPendingQueue *self);

/* @link must be queued here. */
void dray_pending_queue_remove (DrayPendingQueue *self, DrayPendingLink *link);
gboolean dray_pending_link_is_queued (const DrayPendingLink *link);

gsize dray_pending_queue_get_length (DrayPendingQueue *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayPendingQueue, dray_pending_queue_free)

G_END_DECLS
