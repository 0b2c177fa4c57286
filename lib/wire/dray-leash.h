/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The leash of a process group, which the kernel kills when the process that holds it ends, however
 * that happens. See dray-leash.c for how. */

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Both ends of a pipe (owned); -1 where there is none. */
typedef struct
{
  int fds[2];
} DrayLeash;

#define DRAY_LEASH_NONE ((DrayLeash){ { -1, -1 } })

/* A new one, that no group is on. FALSE: there are no descriptors left. */
gboolean dray_leash_open (DrayLeash *self, GError **error);
/* The spare one, which becomes none, or a new one. */
gboolean dray_leash_take (DrayLeash *self, DrayLeash *spare, GError **error);
/* Not for a process that still has the memory of its parent: dray-spawn-child.c does the same. */
void dray_leash_put_on (DrayLeash *self, pid_t group);
/* Its group is to live on. */
void dray_leash_take_off (DrayLeash *self);
/* Its group has been killed, or there never was one. It becomes none, and the spare one if there is
 * none. */
void dray_leash_give_back (DrayLeash *self, DrayLeash *spare);
/* Kills what is left of the group, if no other process has it as well. It becomes none. */
void dray_leash_close (DrayLeash *self);

G_END_DECLS
