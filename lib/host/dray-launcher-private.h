/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-launcher.h"
#include "dray-spawn.h"

#include "dray-fork.h"

G_BEGIN_DECLS

/* For the files that the launcher is made of. */
struct _DrayLauncher
{
  GObject parent_instance;

  /* set at construction */
  char **argv;        /* (owned) (nullable): NULL is this same program */
  char *display_name; /* (owned) (nullable): set for a module */
  char *module;       /* (owned) (nullable): likewise, with its path */

  GMutex lock;
  DrayForkGuard guard;

  /* protected by the lock */
  char **prefix;       /* (owned) (nullable): never empty */
  char **environment;  /* (owned) (nullable): NULL is the application's */
  GHashTable *changes; /* (owned): name (owned) to value (owned) (nullable), on top of it */
  char *directory;     /* (owned) (nullable) */
  GVariant *arguments; /* (owned) (nullable) (not floating) */
  DrayStderr stderr_mode;
  gboolean trusted;
  guint64 shared_size; /* bytes */
  DraySpawnLimits limits;
  DraySandbox sandbox;
  DraySandboxNeed sandbox_need;
  GHashTable *grants; /* (owned): absolute path (owned) to DrayAccess */
};

char **dray_launcher_dup_argv_locked (DrayLauncher *self);
char **dray_launcher_dup_environment_locked (DrayLauncher *self);
/* In dray-launcher-limits.c: none of them is limited. */
void dray_launcher_init_limits (DrayLauncher *self);
/* Takes an environment, and returns it with what the worker itself has to know. */
char **dray_launcher_add_limits_locked (DrayLauncher *self, char **environment);

/* What a launcher says, as an executor took it when it was made: immutable, reference counted,
 * usable on any thread. */
typedef struct
{
  gatomicrefcount ref_count;
  char **argv;         /* (owned): prefix, sandbox and worker program, ready to be spawned */
  char **environment;  /* (owned): the whole environment of the worker */
  char *directory;     /* (owned) (nullable) */
  GVariant *arguments; /* (owned) (nullable) (not floating) */
  DrayStderr stderr_mode;
  gboolean trusted;
  guint64 shared_size; /* bytes */
  DraySpawnLimits limits;
  DraySandbox sandbox;
  DraySandboxNeed sandbox_need;
  gboolean is_direct; /* without a prefix */
  char *display_name; /* (owned): for messages, UTF-8: the base name of program or module */
} DrayLaunchPlan;

DrayLaunchPlan *dray_launcher_plan (DrayLauncher *self);
DrayLaunchPlan *dray_launch_plan_ref (DrayLaunchPlan *self);
void dray_launch_plan_unref (DrayLaunchPlan *self);
/* (transfer container): what this very process is to spawn. The strings are the plan's; one of them
 * may be put into @parent. */
const char **dray_launch_plan_get_argv (DrayLaunchPlan *self, char parent[static 16]);

/* The helper that is put between an application and a worker in a sandbox. */
#define DRAY_LAUNCH_HELPER "dray-launch-1"
/* (transfer full): where a program of ours (`dray-launch-1`, `dray-worker-1`) is:
 * $DRAY_LIBEXECDIR, for a build tree that is not installed, else the compiled-in directory. To be
 * called by a thread of the application's: it looks at the environment, which is safe only for as
 * long as nobody changes it. */
char *dray_launch_find_program (const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayLaunchPlan, dray_launch_plan_unref)

G_END_DECLS
