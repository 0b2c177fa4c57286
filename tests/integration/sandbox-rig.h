/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What tests of sandboxes share. A test that needs one that this machine can't make, in a container
 * for example, is skipped with the reason.
 */

#include "rig.h"

G_BEGIN_DECLS

/* For main(), before all else: a home of the test's own, with a letter in it, and nothing. */
void sandbox_rig_init (void);
/* (transfer none) */
const char *sandbox_rig_get_home (void);
/* For the end of main(). */
void sandbox_rig_finish (void);

/* Whether the current test can go on. */
gboolean sandbox_rig_is_possible (void);
/* Whether filters of system calls were built in. */
gboolean sandbox_rig_has_filter (void);
/* (transfer full): for misbehaving workers in a sandbox that is required */
DrayLauncher *sandbox_rig_new_launcher (DraySandbox sandbox);
/* The same, and starts the executor. */
void sandbox_rig_start (Rig *rig, DraySandbox sandbox, guint max_workers);
/* Until it is called again with NULL, bubblewrap is @script, or missing where that is "". No
 * executor may be alive. */
void sandbox_rig_replace_bubblewrap (Rig *rig, const char *script);
/* Until it is called again with FALSE, the launch helper finds an older kernel, as in
 * tests/older-kernel. No executor may be alive. */
void sandbox_rig_use_older_kernel (gboolean older);
/* What comes of a way out: 0 if it is open, else an errno. */
guint32 sandbox_rig_escape (Rig *rig, const char *way, const char *argument);
/* The same for what is passed to the worker. */
guint32 sandbox_rig_escape_with (Rig *rig, const char *way, int fd);

extern const char *const sandbox_rig_names[4];

G_END_DECLS
