/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The running command: a process of its own for one task, its standard output split into items.
 *
 * It is over when it has exited and its output was read to the end. Then the outcome is, the
 * first that applies: its output could not be split (then it was ended); it was killed by a signal;
 * it exited with a status other than 0; its result.
 */

#include "dray-process.h"
#include "dray-splitter.h"

G_BEGIN_DECLS

/* I/O thread only. */
struct _DrayCommand
{
  DrayProcess process;    /* first */
  DrayPool *pool;         /* (unowned) */
  GList link;             /* in the pool's running commands */
  DrayTicket *ticket;     /* (owned) */
  DraySplitter *splitter; /* (owned) */
  GError *failure;        /* (owned) (nullable): of the splitter */
  GBytes *input;          /* (owned) (nullable): what is still to be written … */
  gsize input_written;    /* … from here */
  gboolean expects_much;  /* its pipes are as large as they get */
  DrayIoTimer time_limit;
};

/* Takes the ticket's reference; if the command can't be started, completes it. */
void dray_command_start (DrayPool *pool, DrayTicket *ticket);
void dray_command_cancel (DrayCommand *self);
void dray_command_end (DrayCommand *self, guint grace);
void dray_command_update_reading (DrayCommand *self);

G_END_DECLS
