/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The flow: all that a map is behind its public face. The DrayMap may be dropped at any time; the
 * flow lives on until its last chunk is done with.
 *
 *   source ──asked──> chunk ──the pool, as a ticket──> outcomes ──handed over──> reader
 *
 * Asking. The source is asked only while there is room: while less than a bound is in flight (was
 * asked for and not yet handed over), in calls and in bytes, and only a few chunks for each worker
 * are unfinished. So a reader who takes nothing stops the source, and an endless one works. It is
 * asked by one thread at a time, without the lock: in the flow's main context, or inside a wait of
 * the thread that made the map; one that is no code of the application's, inside any wait.
 *
 * The size of a chunk follows the time that calls were seen to take: about a millisecond's worth,
 * one while that is not known.
 *
 * Order. Where order counts, a chunk keeps its outcomes until it is the first one. Else they go
 * into the ready queue as they come.
 *
 * The end. When the source is exhausted, or asked no more since the map was cancelled or the
 * executor shut down; and each call that it gave has its outcome, and all of these were taken.
 */

#include "dray-delivery.h"
#include "dray-map-source.h"
#include "dray-pool.h"

G_BEGIN_DECLS

typedef struct _DrayMapChunk DrayMapChunk;
typedef struct _DrayMapFlow DrayMapFlow;

/* Somebody who waits for outcomes in a main context. */
typedef struct
{
  GList link;
  GTask *task;     /* (owned): its source object is the map */
  guint max;       /* how many are wanted; 0: this is dray_map_for_each_async() */
  GSource *source; /* (owned) (nullable): of the cancellable; keeps the task till it is answered */

  /* protected by the pool's lock */
  gboolean queued;
  gboolean cancelled; /* also while somebody serves it, who tells it so if there is nothing for it */
  gboolean late;      /* served in its own main context: it came when the pool was closed, or the
                       * flow's main context is gone */

  /* of for_each */
  DrayMapFunction function;
  gpointer user_data;
  GDestroyNotify destroy; /* (nullable) */
  guint64 n_given;
} DrayMapReader;

struct _DrayMapFlow
{
  gatomicrefcount ref_count;

  /* set at construction */
  DrayPool *pool;         /* (owned) */
  DrayTask *task;         /* (owned): the like of each chunk's */
  GThread *owner;         /* (unowned): only compared */
  DrayDelivery *delivery; /* (owned) */
  gboolean foreign;       /* asking the source runs code of the application's */

  /* set before it starts */
  gboolean ordered;
  guint max_in_flight; /* 0: as many as seem right */

  /* atomic */
  int stop_asking; /* boolean: the same as @stopped, for whoever is just asking */

  /* protected by the pool's lock */
  DrayNotice notice;     /* holds a reference while it is queued */
  DrayMapSource *source; /* (owned) (nullable): not while it is asked */
  GThread *asking;       /* (unowned) (nullable): who asks it now */
  gboolean started;
  gboolean stopped;   /* the source is not asked any more */
  gboolean cancelled; /* … and none of its calls shall begin */
  gboolean abandoned; /* there is no map any more: nobody takes an outcome */
  GError *end_error;  /* (owned) (nullable): why the source was not exhausted */
  GList pool_link;    /* in the pool's maps, while it is started and not stopped */
  gboolean in_pool;
  GQueue chunks;       /* of DrayMapChunk (owned), by index */
  GQueue ready;        /* of DrayMapBatch (owned), where order does not count */
  guint n_unfinished;  /* chunks whose ticket has not ended */
  guint64 n_asked;     /* calls */
  guint64 n_given;     /* of those, whose outcome was handed over */
  gsize n_bytes;       /* of arguments and outcomes in flight */
  guint chunk_size;    /* calls */
  double call_time;    /* µs, as of late; 0: not known */
  double outcome_size; /* bytes, as of late */
  gboolean batch_left; /* a batch is being taken */
  GQueue readers;      /* of DrayMapReader (owned) */
  GCond changed;       /* there may be an outcome, or room, or the end */
  guint n_waiting;

  GMutex reader_lock; /* may be held when the pool's is taken */
  DrayForkGuard guard;

  /* protected by reader_lock */
  gpointer batch; /* (owned) (nullable) (type DrayMapBatch): the outcomes that are taken next */
};

/* Takes @source. To be called by the thread that the map belongs to. */
DrayMapFlow *dray_map_flow_new (DrayPool *pool, DrayTask *task, DrayMapSource *source);
DrayMapFlow *dray_map_flow_ref (DrayMapFlow *self);
void dray_map_flow_unref (DrayMapFlow *self);

/* Any thread. */

void dray_map_flow_start (DrayMapFlow *self);
gboolean dray_map_flow_is_started (DrayMapFlow *self);
/* In dray-map-ask.c. Asks the source as long as there is room and it is before @deadline
 * (monotonic, µs). */
void dray_map_flow_pump (DrayMapFlow *self, gint64 deadline);
/* (transfer full) (nullable): the next outcome, if there is one now */
DrayOutcome *dray_map_flow_take (DrayMapFlow *self);
/* Whether nothing will come any more; *error (optional) says why, unless all was asked for. */
gboolean dray_map_flow_is_over (DrayMapFlow *self, GError **error);
void dray_map_flow_cancel (DrayMapFlow *self);
/* The same, but for the chunks that there are, which the caller is about to cancel. */
void dray_map_flow_give_up (DrayMapFlow *self);
/* The map is gone. */
void dray_map_flow_abandon (DrayMapFlow *self);
/* The source is asked no more. Takes @error, which is NULL if it is exhausted. It is let go of by
 * whoever comes next without the lock. */
void dray_map_flow_stop_locked (DrayMapFlow *self, GError *error);
void dray_map_flow_drop_source (DrayMapFlow *self);
/* Tells whoever may want to know of news or room. */
void dray_map_flow_tell_locked (DrayMapFlow *self);
/* Has the readers served in the flow's main context. */
void dray_map_flow_schedule_locked (DrayMapFlow *self);
/* Whether there is something to take or to know, or room. */
gboolean dray_map_flow_has_news_locked (DrayMapFlow *self);
gboolean dray_map_flow_has_room_locked (DrayMapFlow *self);
/* The executor is shut down: the source is asked no more. */
void dray_map_flow_shut_down_locked (DrayMapFlow *self);

/* For chunks. */

/* (transfer full): the ticket of a chunk that was split off from another one; takes @part. */
DrayTicket *dray_map_flow_add_part_locked (DrayMapFlow *self,
                                           DrayMapChunk *part,
                                           DrayMapChunk *after,
                                           guint64 id);
/* Takes @batch. */
void dray_map_flow_add_batch_locked (DrayMapFlow *self, DrayMapChunk *chunk, gpointer batch);
void dray_map_flow_chunk_ended_locked (DrayMapFlow *self, DrayMapChunk *chunk);
/* An outcome of a call by itself took @size bytes. */
void dray_map_flow_note_size_locked (DrayMapFlow *self, double size);
/* @n_calls took @busy ns, their outcomes @size bytes. @slow: the next one takes long. */
void dray_map_flow_note_time_locked (
  DrayMapFlow *self, guint n_calls, guint64 busy, gsize size, gboolean slow);

/* In dray-map-read.c: up to @max outcomes (transfer full) (element-type DrayOutcome) that are there
 * now. */
GPtrArray *dray_map_flow_take_many (DrayMapFlow *self, guint max);
/* In dray-map-read.c: serves the readers that wait in the main context, until @deadline. Returns
 * whether there is more to do. */
gboolean dray_map_flow_serve (DrayMapFlow *self, gint64 deadline);
/* In dray-map-read.c: whether somebody waits who is served in the flow's main context. */
gboolean dray_map_flow_has_reader_locked (DrayMapFlow *self);
/* In dray-map-read.c: serves these in their own main contexts, where the flow's is gone. */
void dray_map_flow_serve_elsewhere_locked (DrayMapFlow *self);
/* In dray-map-read.c: serves those anew who are late and found nothing, since the source was just
 * being asked. */
void dray_map_flow_serve_late_locked (DrayMapFlow *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayMapFlow, dray_map_flow_unref)

G_END_DECLS
