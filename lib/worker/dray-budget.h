/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The processor time that a task may use, where the worker's launcher has said so: see
 * dray_launcher_set_limit(). */

#include <glib.h>

G_BEGIN_DECLS

/* A task begins. To be called on the worker's main thread. */
void dray_budget_renew (void);

G_END_DECLS
