/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* The two halves of the launch helper's work for sandboxes, as told in dray-sandbox-outside.c. Each
 * takes what follows its name on the command line, and returns what main() is to return. */

#include "dray-confine.h"

int sandbox_outside (int argc, char **argv);
int sandbox_inside (int argc, char **argv);

/* What both need. */

#define EXIT_NOT_RUN 127

/* Where the inner half finds what it needs, until the worker is executed. */
#define FD_CONTROL 9 /* a socket to the outer half */
#define FD_INPUT 10  /* the worker's standard input and output, not bubblewrap's */
#define FD_OUTPUT 11

/* What the inner half says, in this order: that it is there; with which wait status the worker has
 * ended. */
typedef struct
{
  int ended;
  int wait_status;
} Word;

/* A sandbox, as it is said to the inner half: PRESET RULE… -- PROGRAM ARGUMENT… */
typedef struct
{
  Preset preset;
  char **rules;
  int n_rules;
  char **program;
} Sandbox;

/* Returns 0 for what is none. */
int sandbox_parse (Sandbox *sandbox, int argc, char **argv);

/* Puts this process into as much of the sandbox as there is, and tells the host; what is the matter
 * outside is in @confinement already. Where all that is @required could be done, the program is
 * executed. Returns if it is not. */
void sandbox_enter (const Sandbox *sandbox, DrayConfinement *confinement, int required);
/* Tells the host, through @fd. */
void sandbox_report (const DrayConfinement *confinement, int fd);
