/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* How a task goes on with the result of the one that it follows. */

#include "dray-ticket.h"

G_BEGIN_DECLS

/* Whether @task has a place of that number for a result. */
gboolean dray_follow_is_possible (DrayTask *task, int position);

/* Queues the deferred @ticket, which is taken, with @result at its place. FALSE: the result is none
 * that the task can go on with, and @ticket is still the caller's. */
gboolean dray_follow (DrayTicket *ticket, GVariant *result, int position, GError **error);

G_END_DECLS
