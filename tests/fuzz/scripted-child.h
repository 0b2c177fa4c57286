/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Children that are no processes: what lib/host/dray-child.h declares, for a program in which a
 * script says what each child does. A child is the other ends of the pipes that it was given, and
 * dies of a signal, or when the script says so: then all of its ends are closed, and the library is
 * told, as it would be by the kernel.
 *
 * To be linked before the library, whose own file is left out then.
 */

#include "dray-child.h"

G_BEGIN_DECLS

/* What the host calls the program of its workers. */
#define SCRIPTED_WORKER "/scripted/worker"

struct _DrayChild
{
  GList link; /* in the list of all that live */

  /* set at construction */
  DrayIoThread *io; /* (unowned) */
  DrayChildExitedFunc exited;
  gpointer user_data;
  int pid;
  gboolean is_worker; /* or else a command */

  /* (owned): -1 where there is none, or when it is dead */
  int input_fd;
  int output_fd;
  int errors_fd;
  int passage_fd;
  int ring_fd;

  gboolean deaf; /* to SIGTERM */
  gboolean dead;
  DrayExit end;
  DrayIoTimer tell; /* when it is dead, and nobody knows yet */
  gboolean has_exited;
  gboolean reaped;

  gpointer role; /* (owned) (nullable): whoever plays it */
  GDestroyNotify role_free;
};

/* All that live, oldest first. */
GQueue *scripted_children (void);
/* That many launches fail from here on. */
void scripted_children_fail (guint n_launches);
void scripted_child_die (DrayChild *self, int exit_status, int signal_number);

G_END_DECLS
