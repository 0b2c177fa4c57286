/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The I/O thread's loop without a thread, and a clock that goes only as it is told.
 *
 * A fuzzer needs that the same script always does the same, and that nobody has to wait: neither
 * for another thread, nor for a time limit. So here the loop of lib/host/dray-io-thread.c is turned
 * by hand, on the thread that also runs the main context; and the time is what it is set to. All
 * else is the library's own code, and so are the pipes, sockets and memory that it uses.
 *
 * To be linked before the library, whose own file is left out then. There are no other threads
 * either: whoever wants one does without (the library has to be prepared for that).
 */

#include <glib.h>

G_BEGIN_DECLS

/* One turn; TRUE if something happened in it, so that another one may be needed. */
gboolean turned_loop_turn (void);
/* Whether somebody still holds the loop. */
gboolean turned_loop_exists (void);
/* The clock goes on by so many µs; or to where the next timer expires, FALSE if there is none. */
void turned_loop_let_time_pass (gint64 time);
gboolean turned_loop_skip_to_timer (void);

G_END_DECLS
