/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The launch helper: between an application and a worker that it puts into a sandbox.
 *
 *   dray-launch-1 --outside …   the outer half; see dray-sandbox-outside.c
 *   dray-launch-1 --inside …    the inner half of that; see dray-sandbox-inside.c
 *
 * Both are around the worker for as long as it lives, and should cost next to nothing: this is
 * plain C, without GLib, and linked statically where that is possible. Process group, signals,
 * descriptors and directory are as they should be when it starts.
 */

#include "config.h"

#include "dray-launch-halves.h"

#include <stdio.h>
#include <string.h>

static int
usage (void)
{
  fputs ("Usage: dray-launch-1 --outside PARENT_PID NEED INNER -- COMMAND...\n"
         "       dray-launch-1 --inside NEED PRESET [RULE...] -- PROGRAM [ARGUMENT...]\n"
         "\n"
         "Puts a worker into a sandbox. Dray starts workers through this helper; it is of no use\n"
         "by hand.\n",
         stderr);
  return EXIT_NOT_RUN;
}

int
main (int argc, char **argv)
{
  int status = -1;

  if (argc > 1 && strcmp (argv[1], "--outside") == 0)
    status = sandbox_outside (argc - 2, argv + 2);
  else if (argc > 1 && strcmp (argv[1], "--inside") == 0)
    status = sandbox_inside (argc - 2, argv + 2);
  return status >= 0 ? status : usage ();
}
