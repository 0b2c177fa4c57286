/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The flow: who may be read, given what lies undelivered.
 *
 * Two limits, each in items and bytes, each with a state that begins at the limit and ends at half
 * of it, so that it does not flutter:
 *
 *   of one future   held_back    its own process is not read
 *   of the pool     throttled    no process is read
 *
 * What is pushed is delivered by a main loop, sooner or later. What is to be pulled may lie there
 * for ever, and must not keep from being read what somebody needs before they pull. So that gets
 * no more than half of the pool's limit (pull_throttled), what is pushed has always the rest, and
 * throttling ends when that rest is half empty.
 *
 * Whatever the limits say, these are read: what will be dropped anyway; what a thread waits for;
 * what somebody pulls, while there is none; everything, while a thread waits for something that is
 * pending. A shutdown lifts the limits of what is pulled: who has asked for one may never pull
 * again.
 */

#include "dray-ticket.h"

G_BEGIN_DECLS

/* Of what is pulled, no more than this is read ahead: it is to stay in the pipe. */
#define DRAY_FLOW_AHEAD_ITEMS 1024
#define DRAY_FLOW_AHEAD_BYTES (1024 * 1024)

/* Counts in or out what lies undelivered of @ticket, in it and in its pool. */
void dray_flow_count_locked (DrayTicket *ticket, int items, gssize bytes);
/* The same of what is to be pulled. */
void dray_flow_count_pulled_locked (DrayTicket *ticket, int items, gssize bytes);
/* Whether to read what @ticket, which is not pending, sends. */
gboolean dray_flow_may_read_locked (DrayTicket *ticket);
/* Whether anything may be left unread because of what is undelivered. */
gboolean dray_flow_holds_back_locked (DrayPool *pool);
/* The limits are others now; the I/O thread is to be woken. */
void dray_flow_limits_changed_locked (DrayPool *pool);
/* Something else that this depends on has changed for @ticket. */
void dray_flow_changed_locked (DrayTicket *ticket);

G_END_DECLS
