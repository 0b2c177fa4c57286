/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The frame: what every message on a channel is wrapped in.
 *
 *   offset  size  field
 *        0     4  magic, 0x59415244 ("DRAY" where the byte order is little-endian)
 *        4     1  protocol version of the sender (the layout of a frame's header and of `hello`
 *                 never changes, so that any two versions can tell each other apart)
 *        5     1  type
 *        6     2  flags, by type; unknown ones are ignored
 *        8     8  task id; 0 where the message belongs to no task
 *       16     4  attempt, counted from 1; 0 where the message belongs to no task
 *       20     4  payload length in bytes, without the padding
 *       24     …  payload, then zero bytes up to a multiple of 8
 *
 * All numbers are in the sender's byte order. Header and padded payload are multiples of 8, so
 * that in a buffer which starts aligned a GVariant can be used in place.
 *
 *   type      direction          payload                  meaning
 *   hello     both, first        (yyya{sv}), see below    who I am
 *   ready     worker             none                     the initialiser ran; send me tasks
 *   submit    to the worker      name and value           run this after what you have
 *   item      from the worker    value                    a streamed partial result
 *   progress  from the worker    (ds)                     fraction 0…1 (or <0: unknown), text
 *   result    from the worker    value                    the task ended well
 *   error     from the worker    (sis)                    domain, code, message: the task ended
 *                                                         badly; with task id 0: no worker here,
 *                                                         the initialiser failed
 *   cancel    to the worker      none                     stop this task if it runs, return it if
 *                                                         it has not started; forget it otherwise
 *   returned  from the worker    none                     this task was never started here
 *   goodbye   to the worker      none                     no more tasks come; end when done
 *   chunk, outcomes                                       see dray-chunk.h
 *   confined  from the launch    see dray-confinement.h   what sandbox there is; before the
 *             helper                                        worker's hello
 *
 * A "value" is what GVariant's `v` serialises to: the child's bytes, a NUL, the type string.
 * "Name and value" is a guint32 with the name's length, a guint32 of zero, the name, zero bytes
 * up to a multiple of 8, then a value.
 */

#include "dray-error.h"

G_BEGIN_DECLS

#define DRAY_FRAME_MAGIC ((guint32) 0x59415244)
#define DRAY_FRAME_HEADER_SIZE ((gsize) 24)
#define DRAY_PROTOCOL_VERSION 1

/* The largest payload of the messages that carry no value of the user's. */
#define DRAY_FRAME_MAX_CONTROL ((gsize) 64 * 1024)

typedef enum
{
  DRAY_FRAME_HELLO = 1,
  DRAY_FRAME_READY,
  DRAY_FRAME_SUBMIT,
  DRAY_FRAME_ITEM,
  DRAY_FRAME_PROGRESS,
  DRAY_FRAME_RESULT,
  DRAY_FRAME_ERROR,
  DRAY_FRAME_CANCEL,
  DRAY_FRAME_RETURNED,
  DRAY_FRAME_GOODBYE,
  DRAY_FRAME_RECALL,
  DRAY_FRAME_CHUNK,
  DRAY_FRAME_OUTCOMES,
  DRAY_FRAME_CONFINED,
} DrayFrameType;

#define DRAY_FRAME_LAST DRAY_FRAME_CONFINED

/* Flags of submit. QUIET: nobody hears items and progress of it; they need not be sent. */
#define DRAY_FRAME_FLAG_QUIET 1

/* Flags of ready. RING: what comes after this comes through the ring. */
#define DRAY_FRAME_FLAG_RING 1

/* Of submit, item and result. The payload begins with what is said in dray-cargo.h. */
#define DRAY_FRAME_FLAG_CARGO 2

typedef struct
{
  DrayFrameType type;
  guint version;   /* filled in by the decoder; the encoder writes DRAY_PROTOCOL_VERSION */
  guint flags;     /* 16 bits */
  guint attempt;
  guint64 task_id;
  gsize length;    /* of the payload, in bytes, without padding */
} DrayFrameHeader;

/* The padding that follows a payload of @length bytes; 0 to 7. */
static inline gsize
dray_frame_padding (gsize length)
{
  return (8 - (length & 7)) & 7;
}

const char *dray_frame_type_to_string (DrayFrameType type);

void dray_frame_header_encode (const DrayFrameHeader *header,
                               guint8 bytes[static DRAY_FRAME_HEADER_SIZE]);

void dray_frame_header_add_flags (guint8 bytes[static DRAY_FRAME_HEADER_SIZE], guint flags);

/* Decodes exactly DRAY_FRAME_HEADER_SIZE bytes. Refuses with DRAY_ERROR_PROTOCOL: another magic
 * (naming the other byte order where it is that; quoting the first bytes as text where they are
 * printable: "“Hello wor…” where a message of Dray’s protocol should begin"), a version other than
 * ours on any type but hello, an unknown type, a length over @max_payload (values) or over
 * DRAY_FRAME_MAX_CONTROL (all other messages; a hello may use the larger of the two), a payload
 * where the type has none. */
gboolean dray_frame_header_decode (const guint8 bytes[static DRAY_FRAME_HEADER_SIZE],
                                   gsize max_payload,
                                   DrayFrameHeader *header,
                                   GError **error);

G_END_DECLS
