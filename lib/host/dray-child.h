/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * A child process, as the I/O thread sees it: started without a fork of the application
 * (dray-spawn.c), the leader of a process group of its own, noticed through a pidfd
 * when it ends, its group killed before it is reaped (while the leader is a zombie its group's
 * number can't be anyone else's), and reaped by its own number only.
 *
 *   running ──pidfd readable──> exited (status known, still a zombie) ──reap()──> reaped
 *
 * If the host reaps it under us (waitpid (-1), or SIGCHLD ignored), the status is unknown and all
 * else goes on. Signals are sent through the pidfd and to the group only before reap(). Where
 * there are no pidfds the state is looked at every few milliseconds instead.
 */

#include "dray-io-thread.h"
#include "dray-spawn.h"
#include "dray-tail.h"

G_BEGIN_DECLS

/* What is known of the end of a child. */
typedef struct
{
  gboolean known;  /* FALSE: somebody else reaped it */
  int exit_status; /* -1 if it was a signal */
  int signal;      /* 0 if it was not */
} DrayExit;

typedef struct _DrayChild DrayChild;
typedef void (*DrayChildExitedFunc) (DrayChild *self, gpointer user_data);

/* I/O thread only, all of these. @exited is called once, from the loop or dray_child_look(). Errors
 * are those of dray_spawn(), or of a pipe. */
DrayChild *dray_child_spawn (DrayIoThread *io,
                             DraySpawn *spawn,
                             DrayChildExitedFunc exited,
                             gpointer user_data,
                             GError **error);
/* Must not be called before the child has exited; reaps it if that was not done. */
void dray_child_free (DrayChild *self);
/* From now on it sees by itself to the end of its group when the application ends. */
void dray_child_unleash (DrayChild *self);
/* In a process that was forked: what this one must not keep open. It must not be used any more. */
void dray_child_forked (DrayChild *self);

int dray_child_get_pid (DrayChild *self);
gboolean dray_child_has_exited (DrayChild *self);
/* Whether it has ended by now, also if that was not noticed yet: then the owner is told from here,
 * and the child may be gone. */
gboolean dray_child_look (DrayChild *self);
const DrayExit *dray_child_get_exit (DrayChild *self);
/* To the whole group; nothing once it was reaped. A SIGCONT goes with SIGTERM. */
void dray_child_signal_group (DrayChild *self, int signal_number);
void dray_child_reap (DrayChild *self);

/* As from waitpid(); -1 where it is not known. */
int dray_exit_get_wait_status (const DrayExit *how);
/* (transfer full): "was killed by signal 11 (Segmentation fault)", "exited with status 3",
 * "ended" where it is not known; for the middle of a sentence. */
char *dray_exit_describe (const DrayExit *how);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DrayChild, dray_child_free)

G_END_DECLS
