/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Starting a process without a fork of the application: see dray-spawn.c for how, and
 * dray-spawn-child.c for what the new process does before it becomes its program.
 */

#include "dray-leash.h"

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* What it may use; G_MAXUINT64: as much as the application. More than that is no limit. */
typedef struct
{
  guint64 address_space; /* bytes */
  guint64 cpu_time;      /* s */
  guint64 open_files;
  guint64 core_size; /* bytes */
  int niceness;      /* beyond the application's */
  int io_priority;   /* as ioprio_set() has it; 0: the application's */
} DraySpawnLimits;

/* What is to be started. It leads a process group of its own, no signal is blocked or ignored in
 * it, and it has no descriptors but these. */
typedef struct
{
  const char *const *argv;        /* argv[0] is searched in PATH if it has no '/', and, if it is
                                   * relative, is looked for from @directory */
  const char *const *environment; /* (nullable): NULL is the host's own */
  gboolean searches_environment;  /* PATH is that of @environment; else the host's */
  const char *directory;          /* (nullable) */
  const DraySpawnLimits *limits;  /* (nullable) */
  int stdin_fd;  /* each becomes the child's 0, 1, 2; all others are closed there. */
  int stdout_fd; /* -1 is /dev/null. The caller keeps (and closes) its own. */
  int stderr_fd;
  int passage_fd;            /* becomes the child's 3, unless it is -1 */
  int ring_fd;               /* becomes the child's 4, unless it is -1 */
  gboolean dies_with_parent; /* the kernel kills it when the thread that started it ends; not where
                               * the program gets other rights by its file (setuid) */
  gboolean is_leashed;       /* dray_child_spawn() has the kernel kill its group when the
                               * application ends, for which it makes the next one: */
  const DrayLeash *leash;    /* (nullable): for its group, which is put on it */
  gulong timer_slack;        /* ns; 0: that of the thread which starts it */
  gboolean runs_scripts;     /* what is no program is given to /bin/sh, as execvp() does */
  gboolean is_scarce; /* (out): it was not started because descriptors, processes or memory are
                       * short, and may be later */
  gboolean modest;    /* it can wait: it is not started where descriptors are scarce */
} DraySpawn;

/* To be called on a thread that lives as long as the process may, if that is to die with it.
 * Returns the process, a child of this one that has to be reaped, or -1 with an error of
 * DRAY_ERROR_LAUNCH, which names the program, and for a directory that can't be entered the
 * directory ("Could not start “foo”: No such file or directory"). *@pidfd, which is
 * close-on-exec, becomes the caller's; it is -1 if there is none. */
pid_t dray_spawn (DraySpawn *spawn, int *pidfd, GError **error);

G_END_DECLS
