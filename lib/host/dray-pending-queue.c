/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pending-queue.h"

/* Empty buckets are freed only while there are more buckets than this, so at most this many of
 * them are empty, and that is how far the search for the first link has to look. */
#define KEPT_BUCKETS 8

/* The links of one priority. Exactly those in a bucket point to it. */
struct _DrayPendingBucket
{
  gint64 priority;
  GSequenceIter *iter;    /* (unowned): where this bucket is in the queue */
  DrayPendingLink *first; /* (unowned) (nullable): NULL if the bucket is empty */
  DrayPendingLink *last;  /* (unowned) (nullable) */
};

struct _DrayPendingQueue
{
  GSequence *buckets; /* (owned) (element-type DrayPendingBucket): the lowest priority first */
  gsize length;       /* of all buckets together */
  DrayPendingBucket *last_used; /* (unowned) (nullable): most tasks have the same priority */
};

static int
compare_buckets_cb (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const DrayPendingBucket *first = a;
  const DrayPendingBucket *second = b;

  return (first->priority > second->priority) - (first->priority < second->priority);
}

static DrayPendingBucket *
ensure_bucket (DrayPendingQueue *self, gint64 priority)
{
  DrayPendingBucket key = { .priority = priority };
  GSequenceIter *iter;

  if (self->last_used != NULL && self->last_used->priority == priority)
    return self->last_used;

  iter = g_sequence_lookup (self->buckets, &key, compare_buckets_cb, NULL);
  if (iter == NULL)
    {
      DrayPendingBucket *bucket = g_new0 (DrayPendingBucket, 1);

      bucket->priority = priority;
      bucket->iter = g_sequence_insert_sorted (self->buckets, bucket, compare_buckets_cb, NULL);
      iter = bucket->iter;
    }

  self->last_used = g_sequence_get (iter);
  return self->last_used;
}

static DrayPendingLink *
find_first (DrayPendingQueue *self)
{
  if (self->length == 0)
    return NULL;

  GSequenceIter *iter = g_sequence_get_begin_iter (self->buckets);

  for (;; iter = g_sequence_iter_next (iter))
    {
      DrayPendingBucket *bucket = g_sequence_get (iter);

      if (bucket->first != NULL)
        return bucket->first;
    }
}

DrayPendingQueue *
dray_pending_queue_new (void)
{
  DrayPendingQueue *self = g_new0 (DrayPendingQueue, 1);

  self->buckets = g_sequence_new (g_free);
  return self;
}

void
dray_pending_queue_free (DrayPendingQueue *self)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (self->length == 0);

  g_sequence_free (self->buckets);
  g_free (self);
}

void
dray_pending_queue_push_tail (DrayPendingQueue *self, DrayPendingLink *link, gint64 priority)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (link != NULL && link->data != NULL);
  g_return_if_fail (link->bucket == NULL);

  DrayPendingBucket *bucket = ensure_bucket (self, priority);

  link->bucket = bucket;
  link->previous = bucket->last;
  link->next = NULL;
  if (bucket->last != NULL)
    bucket->last->next = link;
  else
    bucket->first = link;
  bucket->last = link;
  self->length++;
}

void
dray_pending_queue_put_back (DrayPendingQueue *self, DrayPendingLink *link, gint64 priority)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (link != NULL && link->data != NULL);
  g_return_if_fail (link->bucket == NULL);

  DrayPendingBucket *bucket = ensure_bucket (self, priority);
  DrayPendingLink *next = bucket->first;

  while (next != NULL && next->rank < link->rank)
    next = next->next;

  link->bucket = bucket;
  link->previous = next != NULL ? next->previous : bucket->last;
  link->next = next;
  if (link->previous != NULL)
    link->previous->next = link;
  else
    bucket->first = link;
  if (next != NULL)
    next->previous = link;
  else
    bucket->last = link;
  self->length++;
}

gpointer
dray_pending_queue_peek (DrayPendingQueue *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  DrayPendingLink *link = find_first (self);

  return link != NULL ? link->data : NULL;
}

gpointer
dray_pending_queue_pop (DrayPendingQueue *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  DrayPendingLink *link = find_first (self);

  if (link == NULL)
    return NULL;

  dray_pending_queue_remove (self, link);
  return link->data;
}

void
dray_pending_queue_remove (DrayPendingQueue *self, DrayPendingLink *link)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (link != NULL && link->bucket != NULL);

  DrayPendingBucket *bucket = g_steal_pointer (&link->bucket);

  if (link->previous != NULL)
    link->previous->next = link->next;
  else
    bucket->first = link->next;
  if (link->next != NULL)
    link->next->previous = link->previous;
  else
    bucket->last = link->previous;
  link->previous = NULL;
  link->next = NULL;
  self->length--;

  if (bucket->first == NULL && g_sequence_get_length (self->buckets) > KEPT_BUCKETS)
    {
      if (self->last_used == bucket)
        self->last_used = NULL;
      g_sequence_remove (bucket->iter);
    }
}

gboolean
dray_pending_link_is_queued (const DrayPendingLink *link)
{
  g_return_val_if_fail (link != NULL, FALSE);

  return link->bucket != NULL;
}

gsize
dray_pending_queue_get_length (DrayPendingQueue *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->length;
}
