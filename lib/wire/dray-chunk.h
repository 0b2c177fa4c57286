/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Chunks: many tiny calls of one function in one frame, and their outcomes, many in a frame too.
 * To whoever maps, each call is one of its own; only the wire packs them.
 *
 *   chunk      to the worker     4  number of calls, at least 1
 *                                4  length of the function's name
 *                                4  length of the type of all arguments
 *                                4  zero
 *                                …  the name, zeros up to a multiple of 8; the type, likewise
 *                                …  a record for each call: the bytes of its arguments
 *   outcomes   from the worker   4  number of outcomes
 *                                4  number of calls that are given back
 *                                8  how long those with an outcome took in all, in ns
 *                                …  a record for each outcome, in the order of the calls
 *
 *   record     4  length of its bytes
 *              4  kind
 *              …  the bytes, zeros up to a multiple of 8
 *
 * The frame's task id is that of the first call; the others follow it. Outcomes continue where
 * those of the frame before ended. What is given back is the end of the chunk: calls that were not
 * begun. A chunk is over when all that was not given back has its outcome.
 */

#include "dray-message.h"

G_BEGIN_DECLS

typedef enum
{
  DRAY_RECORD_SAME,  /* the bytes of a value, of the type of the value before (or of the chunk) */
  DRAY_RECORD_VALUE, /* a value as in `result`: the bytes, a NUL, the type */
  DRAY_RECORD_ERROR, /* (sis): domain, code, message */
} DrayRecordKind;

typedef struct
{
  DrayRecordKind kind;
  const guint8 *data; /* (unowned): aligned to 8 where the records are */
  gsize size;
} DrayRecord;

/* Records one after another: in memory of their own, which grows, or in some that was given. */
typedef struct
{
  guint8 *data; /* (owned) if @grows */
  gsize space;
  gsize used;
  guint n_records;
  gboolean grows;
} DrayRecords;

/* What a record takes beside its bytes, and all in all. */
#define DRAY_RECORD_HEAD ((gsize) 8)

static inline gsize
dray_record_size (gsize size)
{
  return DRAY_RECORD_HEAD + size + dray_frame_padding (size);
}

void dray_records_clear (DrayRecords *self);
/* Appends a record whose bytes the caller fills in. The caller sees to it that there is room,
 * where they don't grow. */
guint8 *dray_records_append (DrayRecords *self, DrayRecordKind kind, gsize size);
/* Takes the record back that was appended last, which takes @size bytes all in all. */
void dray_records_undo (DrayRecords *self, gsize size);

/* Takes the next of the records from *@offset on. FALSE: there is none, or it can't be read. */
gboolean dray_record_next (const guint8 *data, gsize size, gsize *offset, DrayRecord *record);
/* Where the record after the first @n_records of well-formed ones begins. */
gsize dray_records_find (const DrayRecords *self, guint n_records);

/* Appends the arguments of one more call, as DRAY_RECORD_SAME. FALSE with DRAY_ERROR_TOO_LARGE,
 * where they can't be sent; nothing is appended then. */
gboolean dray_chunk_append (DrayRecords *records, GVariant *arguments, GError **error);

/* @size bytes of @n_calls records, whose values are all of @type. */
void dray_chunk_init_message (DrayMessage *message,
                              const DrayFrameHeader *header, /* task id, attempt, flags */
                              const char *function,
                              const char *type,
                              const guint8 *records,
                              gsize size,
                              guint n_calls);

/* A chunk that arrived. */
typedef struct
{
  GBytes *payload; /* (owned) */
  char *function;  /* (owned) */
  char *type;      /* (owned) */
  guint n_calls;
  gsize offset; /* in @payload, of the next record */
} DrayChunk;

/* (transfer full); everything in it was checked. NULL with DRAY_ERROR_PROTOCOL. */
DrayChunk *dray_chunk_decode (GBytes *payload, GError **error);
void dray_chunk_free (DrayChunk *self);
/* (transfer full), not floating: the arguments of the next call, which is there. */
GVariant *dray_chunk_next (DrayChunk *self);

/* The outcomes of some calls, on their way. */
typedef struct
{
  DrayRecords records;
  char *type; /* (owned) (nullable): of the last value */
} DrayOutcomesWriter;

void dray_outcomes_writer_reset (DrayOutcomesWriter *self);
/* What the outcome with that value takes at most. */
gsize dray_outcomes_measure (GVariant *value);
/* FALSE with DRAY_ERROR_TOO_LARGE; nothing is appended then. There is as much room as measured. */
gboolean dray_outcomes_append_value (DrayOutcomesWriter *self, GVariant *value, GError **error);
/* @encoded: by dray_error_encode() */
void dray_outcomes_append_error (DrayOutcomesWriter *self, GVariant *encoded);
void dray_outcomes_init_message (DrayMessage *message,
                                 const DrayFrameHeader *header, /* task id, attempt */
                                 const DrayRecords *records,
                                 guint n_returned,
                                 guint64 busy);

/* The outcomes that arrived. Read one at a time; the payload outlives the reader. */
typedef struct
{
  GBytes *payload; /* (unowned) */
  guint n_outcomes;
  guint n_errors; /* of these */
  guint n_returned;
  guint64 busy;     /* ns */
  gsize offset;     /* of the next record */
  const char *type; /* (unowned) (nullable): of the last value, in the payload */
  gsize type_length;
} DrayOutcomesReader;

/* The payload that outcomes which were never sent would have had. */
GBytes *dray_outcomes_new_payload (const guint8 *records, gsize size, guint n_outcomes);
/* Checks all of it. FALSE with DRAY_ERROR_PROTOCOL. */
gboolean dray_outcomes_decode (GBytes *payload, DrayOutcomesReader *reader, GError **error);
/* Takes the next outcome, which is there: a value that has nothing to do with the payload any
 * more (transfer full), or (NULL) an error (transfer full). */
GVariant *dray_outcomes_next (DrayOutcomesReader *reader, GError **error);
/* The same, and forgets it. Returns whether it was an error. */
gboolean dray_outcomes_skip (DrayOutcomesReader *reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayChunk, dray_chunk_free)

G_END_DECLS
