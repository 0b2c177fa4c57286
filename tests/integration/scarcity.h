/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * For hosts in which something is scarce, or refused: what they submit, how it ends, and what is
 * said then. A future that is waited for is taken.
 */

#include "workshop.h"

#include <sys/resource.h>

G_BEGIN_DECLS

/* What is said where no more files may be opened. */
#define SCARCITY_NO_FILES "the process’s limit of open files (RLIMIT_NOFILE) is reached"

/* Sizes of what goes in its frame, and of what goes in shared memory. */
#define SCARCITY_LARGE (60u * 1024 * 1024)
#define SCARCITY_SHARED (140u * 1024 * 1024)

DrayFuture *scarcity_run_script (DrayExecutor *executor, const char *script);
DrayFuture *scarcity_call_bytes (DrayExecutor *executor, guint32 size);
DrayFuture *scarcity_call_sum (DrayExecutor *executor, GVariant *arguments);
pid_t scarcity_ask_pid (DrayExecutor *executor);

/* A value whose bytes are there, or are put together only when it is sent, which takes as much
 * memory again. (transfer full) */
GVariant *scarcity_new_arguments (gsize size, gboolean in_pieces);

void scarcity_assert_succeeds (DrayFuture *future);
/* @reason: (nullable): a part of what is said */
void scarcity_assert_fails (DrayFuture *future, int code, const char *reason);
void scarcity_assert_says (const GError *error, const char *reason);

/* Of this process. */
void scarcity_set_limit (__rlimit_resource_t resource, rlim_t value);

G_END_DECLS
