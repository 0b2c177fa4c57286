/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Which pools have to do something before the tickets of a changing set are done, and how many of
 * those tickets each is for. While somebody waits for the set, none of the pools holds anything up.
 *
 * It belongs to the lock of whoever has it, which is taken before that of any pool.
 */

#include "dray-ticket.h"

G_BEGIN_DECLS

typedef struct
{
  GHashTable *pools; /* (owned): DrayPool (owned) → how many tickets need it */
  guint n_waits;
} DrayLifts;

void dray_lifts_init (DrayLifts *self);
void dray_lifts_clear (DrayLifts *self);

/* A ticket joins the set, or leaves it. */
void dray_lifts_add (DrayLifts *self, DrayTicket *ticket);
void dray_lifts_remove (DrayLifts *self, DrayTicket *ticket);

/* A wait for the set begins, or ends. */
void dray_lifts_begin_wait (DrayLifts *self);
void dray_lifts_end_wait (DrayLifts *self);

G_END_DECLS
