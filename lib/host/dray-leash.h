/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The leash of a process group, which the kernel kills when this process ends, however that happens.
 * See dray-leash.c for how. */

#include <glib.h>

G_BEGIN_DECLS

/* Both ends of a pipe (owned); -1 where there is none. */
typedef struct
{
  int fds[2];
} DrayLeash;

/* One that no group is on: dray_spawn() sees to that. FALSE: there are no descriptors left. */
gboolean dray_leash_open (DrayLeash *self, GError **error);
/* Kills what is left of the group, if this process is the only one that has it. */
void dray_leash_close (DrayLeash *self);

G_END_DECLS
