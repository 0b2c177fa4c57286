/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Nobody is watching: the supervisor waits until a window has loaded its folder, kills workers
 * meanwhile if it is told to, saves a picture of the window, prints what happened, and says whether
 * all was well.
 */

#include "window.h"

G_BEGIN_DECLS

typedef struct _DemoUnattended DemoUnattended;

/* @status: of the program, 0 if all was well */
typedef void (*DemoUnattendedFunc) (int status, gpointer user_data);

DemoUnattended *demo_unattended_new (DemoWindow *window,
                                     const char *screenshot,
                                     guint n_kills,
                                     DemoUnattendedFunc done,
                                     gpointer user_data);
void demo_unattended_free (DemoUnattended *self);

G_END_DECLS
