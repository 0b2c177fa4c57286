/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * A chunk of a map: consecutive calls that go through the pool as one ticket, and what has become
 * of them. The ticket is a task like any other to the pool: it is queued, given to a worker, given
 * back, cancelled, lost, refused. The chunk makes of that what it means for each call.
 *
 *   heard     outcomes that were read from the worker; they stand whatever happens later
 *   rest      calls behind; the first of them is the one that runs
 *
 * When the worker gives calls back, or dies, the rest that was not begun is split off into chunks
 * of their own, which go back to the pool's queue. So a call is begun twice only where its retries
 * allow it. When the ticket ends in any other way (cancelled, refused, shut down), that is the
 * outcome of each call that has none.
 *
 * A chunk is held by its ticket, and by its flow until all of its outcomes were handed over.
 */

#include "dray-chunk.h"
#include "dray-map-flow.h"
#include "dray-ticket.h"

G_BEGIN_DECLS

/* Outcomes of consecutive calls that arrived together; just one of the first three is there. */
typedef struct
{
  GList link;
  GBytes *payload; /* (owned) (nullable): read by @reader */
  GVariant *value; /* (owned) (nullable) (not floating): of a call by itself */
  GError *error;   /* (owned) (nullable): what all of these calls ended with */
  DrayOutcomesReader reader;
  guint64 index; /* of the next call */
  guint n_left;
  guint n_calls;
  gsize size;
} DrayMapBatch;

struct _DrayMapChunk
{
  gatomicrefcount ref_count;

  /* set at construction */
  DrayMapFlow *flow; /* (owned) */

  /* written before it is submitted */
  char *type;          /* (owned) (nullable): of all arguments in @records */
  DrayRecords records; /* the arguments of all calls, unless … */
  GVariant *arguments; /* (owned) (nullable) (not floating): … it is one call by itself */

  /* protected by the pool's lock */
  GList link; /* in its flow's chunks; holds a reference while it is there */
  gboolean in_flow;
  DrayTicket *ticket; /* (unowned) (nullable): until it has ended */
  GQueue batches;     /* of DrayMapBatch (owned), not handed over: only where order counts */
  guint64 first_index;
  guint n_calls; /* without those that were split off */
  guint n_heard;
  guint n_unwanted; /* of those given back, with nobody to run them elsewhere */
  gboolean ended;
  gsize size; /* of the arguments, as the flow has counted them */
};

DrayMapChunk *dray_map_chunk_new (DrayMapFlow *flow);
DrayMapChunk *dray_map_chunk_ref (DrayMapChunk *self);
void dray_map_chunk_unref (DrayMapChunk *self);

/* Before it is submitted: adds a call, by itself if @single. FALSE: it does not go with those that
 * are there. */
gboolean dray_map_chunk_add (DrayMapChunk *self, GVariant *arguments, gboolean single);

/* What its worker is told, unless it is a call by itself. */
void dray_map_chunk_init_message (DrayMapChunk *self, DrayMessage *message, DrayTicket *ticket);

typedef enum
{
  DRAY_MAP_CHUNK_GOES_ON,
  DRAY_MAP_CHUNK_OVER,      /* the worker has done with it */
  DRAY_MAP_CHUNK_CANCELLED, /* likewise, with calls left that nobody wants */
  DRAY_MAP_CHUNK_BROKEN,    /* these can't be its outcomes */
} DrayMapChunkState;

/* I/O thread only. Outcomes came from its worker. @rest: (out) (element-type DrayTicket): to be put
 * back into the queue. */
DrayMapChunkState dray_map_chunk_hear (DrayMapChunk *self,
                                       GBytes *payload,
                                       DrayOutcomesReader *outcomes,
                                       GPtrArray *rest);
/* I/O thread only, not for a call by itself. Its worker is gone; @payload (nullable) are outcomes
 * from the call @first on that it did not get to send, as it said those before; @ended: it had done
 * all of them. Returns whether calls are left that shall fail of it; else all that has no outcome
 * is in @rest. */
gboolean dray_map_chunk_lose (DrayMapChunk *self,
                              GBytes *payload,
                              guint first,
                              gboolean ended,
                              guint max_retries,
                              GPtrArray *rest);
/* Its ticket has ended; each call that has no outcome has this one. Takes both. */
void dray_map_chunk_end_locked (DrayMapChunk *self, GVariant *result, GError *error);

void dray_map_batch_free (DrayMapBatch *batch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayMapChunk, dray_map_chunk_unref)

G_END_DECLS
