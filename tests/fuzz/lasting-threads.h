/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Threads that outlast what they run.
 *
 * To start a thread, and to end it, takes a sanitizer as long as all else in a short session. So
 * here the one that has come to its end waits, and is given the next function that somebody wants
 * a thread for. These are real threads, and run at the same time as before.
 *
 * To be linked before the library: g_thread_try_new() and g_thread_join() are those of
 * lasting-threads.c then. No thread that the library starts may rely on its end being that of its
 * private data.
 */

#include <glib.h>

G_BEGIN_DECLS

/* Returns when none of them runs anything. */
void lasting_threads_wait (void);

G_END_DECLS
