/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* What a new process does before it becomes its program. For dray-spawn.c only. */

#include "dray-spawn.h"

G_BEGIN_DECLS

/* What it was about when it failed. */
typedef enum
{
  DRAY_SPAWN_STEP_NONE, /* it did not */
  DRAY_SPAWN_STEP_PROCESS,
  DRAY_SPAWN_STEP_DIRECTORY,
  DRAY_SPAWN_STEP_LIMITS,
  DRAY_SPAWN_STEP_PROGRAM,
} DraySpawnStep;

typedef struct
{
  DraySpawnStep step;
  int reason; /* an errno */
} DraySpawnFailure;

/* What both processes look at. */
typedef struct
{
  /* set before the child is there */
  const DraySpawn *spawn;
  char *const *environment; /* (unowned) */
  pid_t parent;
  const char *search_path;  /* (unowned) (nullable): NULL: argv[0] is a path */
  char *path;               /* (owned) (nullable): room for any path that is tried */
  const char **script_argv; /* (owned) (nullable): for a shell: room for a path at 1 */

  /* the child's, which may change it */
  int failure_fd; /* where to write the failure as well; -1: nowhere */

  /* written by the child, for the parent to see if they share their memory */
  volatile gboolean ran;
  volatile DraySpawnFailure failure;
} DraySpawnChild;

/* With all signals blocked. Takes a DraySpawnChild, and does not return. */
int dray_spawn_child_main (void *data);

G_END_DECLS
