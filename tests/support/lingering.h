/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * A socket which takes an hour to close, for whoever closes it last: it has something to say, and
 * nobody reads that. It takes no longer than the listener is there which it is connected to.
 */

#include <glib.h>

G_BEGIN_DECLS

/* FALSE under valgrind, where a thread that closes holds up all others; the test is skipped then */
gboolean lingering_is_possible (void);
/* (transfer full): a listener that never accepts; *port (out): where */
int lingering_listen (guint16 *port);
/* (transfer full): the socket */
int lingering_connect (guint16 port);

G_END_DECLS
