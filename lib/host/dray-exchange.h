/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The exchange: the host's end of all that goes beside the frames of one worker: the memory of
 * large values, and open files. Whether anything can go there is known when the worker is ready;
 * where it can't, large values go in their frames.
 */

#include "dray-cargo.h"
#include "dray-ticket.h"

G_BEGIN_DECLS

typedef struct _DrayExchange DrayExchange;

/* What came with a frame. */
typedef struct
{
  GBytes *payload;          /* (owned): without what was said of the rest */
  GBytes *shared;           /* (owned) (nullable): the bytes of the value, if they are not in it */
  GUnixFDList *attachments; /* (owned) (nullable) */
} DrayArrival;

void dray_arrival_clear (DrayArrival *arrival);

/* I/O thread only, all of these. */

/* @shared_size: from which on values go in sealed memory, in bytes. *theirs (out): the worker's
 * end, the caller's to close; -1 where the system has no descriptors left for it: then everything
 * goes in frames. */
DrayExchange *dray_exchange_new (gboolean trusted, guint64 shared_size, int *theirs);
void dray_exchange_free (DrayExchange *self);

/* What the host has to say of it in its hello. */
void dray_exchange_fill_hello (DrayExchange *self, DrayHello *hello);
/* The worker is ready: by now it has said whether it has the other end. */
void dray_exchange_settle (DrayExchange *self);

/* The message that submits @ticket, its arguments in shared memory if they are large. It is to be
 * pushed after those that were made before. Errors are those of dray_message_init_submit(), and
 * DRAY_ERROR_ATTACHMENTS. */
gboolean dray_exchange_init_submit (
  DrayExchange *self, DrayMessage *message, DrayTicket *ticket, gsize max_payload, GError **error);

/* What came with a frame that has cargo. Errors: DRAY_ERROR_PROTOCOL; others if there is no room
 * for it in this process, which is not the worker's fault. */
gboolean dray_exchange_receive (
  DrayExchange *self, GBytes *payload, gsize max_payload, DrayArrival *arrival, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DrayArrival, dray_arrival_clear)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayExchange, dray_exchange_free)

G_END_DECLS
