/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The executioner kills workers while they work, at random moments spread over a load, to show that
 * nothing else suffers from it. */

#include "window.h"

G_BEGIN_DECLS

typedef struct _DemoExecutioner DemoExecutioner;

DemoExecutioner *demo_executioner_new (DemoWindow *window, guint n_kills);
void demo_executioner_free (DemoExecutioner *self);
/* How many it has killed. */
guint demo_executioner_get_n_killed (DemoExecutioner *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DemoExecutioner, demo_executioner_free)

G_END_DECLS
