/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* What the user can do with a window: its actions, its keys, and what is dropped on it. */

#include "window.h"

G_BEGIN_DECLS

void demo_window_add_actions (DemoWindow *self);
/* Enables those that make sense, after the loader has changed. */
void demo_window_update_actions (DemoWindow *self);
void demo_window_accept_drops (DemoWindow *self);
/* Sets the state of an action to what has become of it otherwise. */
void demo_window_set_action_state (DemoWindow *self, const char *name, gboolean state);

G_END_DECLS
