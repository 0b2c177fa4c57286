/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The sandbox of a launcher, as a command line: what is put before the worker's own.
 *
 *   dray-launch-1 --outside PARENT NEED INNER --
 *     bwrap … -- dray-launch-1 --inside NEED PRESET RULE… --
 *
 * Bubblewrap makes the namespaces, and a file system of what may be seen; the helper's inner half
 * limits, by the rules, what may be done to it, and the system calls. Both say the same of files,
 * the second also where there are no namespaces. lib/launch has the rest of it.
 *
 * What is in the file system is looked at here, when an executor is made.
 */

#include "dray-enums.h"

G_BEGIN_DECLS

typedef struct
{
  DraySandbox preset;
  DraySandboxNeed need;
  GHashTable *grants;            /* (unowned): path (absolute) → DrayAccess */
  const char *const *worker;     /* (unowned): the worker's own command line */
  const char *module;            /* (unowned) (nullable): which its program loads */
  const char *const *environment; /* (unowned) */
  const char *directory;         /* (unowned) (nullable): absolute; a relative program is there */
} DraySandboxRequest;

/* Where PARENT is, for whoever starts it. 0 is for a parent that is not known. */
#define DRAY_SANDBOX_PARENT_INDEX 2

/* (transfer full) */
char **dray_sandbox_wrap (const DraySandboxRequest *request);

G_END_DECLS
