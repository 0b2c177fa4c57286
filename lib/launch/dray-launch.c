/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The launch helper: between an application and what it runs.
 *
 *   dray-launch-1 --outside …                       a sandbox; see dray-sandbox-outside.c
 *   dray-launch-1 --inside …                        the inner half of that
 *   dray-launch-1 PARENT_PID -- PROGRAM ARGUMENT…   a command
 *
 * A command watches no channel, and would go on for ever if the application were killed. So the
 * kernel is asked to kill it with its parent, which only the child itself can ask for, and which
 * outlasts exec. The parent may already have gone before that; then there is nobody to run for.
 *
 * Descriptor 3, if it is open, is a pipe to the parent. It closes when the command is executed,
 * and carries the errno, an int, when it can't be.
 *
 * This runs once for each command and should cost next to nothing: it is plain C, without GLib,
 * and linked statically where that is possible. Process group, signals, descriptors and directory
 * are as they should be when it starts.
 */

#include "config.h"

#include "dray-launch-halves.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STATUS_DESCRIPTOR 3
static int
usage (void)
{
  fputs ("Usage: dray-launch-1 PARENT_PID -- PROGRAM [ARGUMENT...]\n"
         "\n"
         "Runs PROGRAM in its own place, to be killed together with the process PARENT_PID,\n"
         "which must be the one that started it. Dray starts commands through this helper;\n"
         "it is of no use by hand.\n",
         stderr);
  return EXIT_NOT_RUN;
}

/* Returns 0 for what is not the number of a process. */
static pid_t
parse_pid (const char *text)
{
  char *end;
  long number;

  errno = 0;
  number = strtol (text, &end, 10);
  if (errno != 0 || *end != '\0' || number <= 0 || (pid_t) number != number)
    return 0;

  return (pid_t) number;
}

static int
run_command (int argc, char **argv)
{
  pid_t parent;

  if (argc < 4 || strcmp (argv[2], "--") != 0)
    return usage ();
  parent = parse_pid (argv[1]);
  if (parent == 0)
    return usage ();

  /* In this order: a parent that goes between the two is noticed by the second. */
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != parent)
    return EXIT_NOT_RUN;

  fcntl (STATUS_DESCRIPTOR, F_SETFD, FD_CLOEXEC);
  execvp (argv[3], argv + 3);

  const int reason = errno;

  if (write (STATUS_DESCRIPTOR, &reason, sizeof reason) != sizeof reason)
    fprintf (stderr, "dray-launch-1: %s: %s\n", argv[3], strerror (reason));
  return EXIT_NOT_RUN;
}

int
main (int argc, char **argv)
{
  int status;

  if (argc > 1 && strcmp (argv[1], "--outside") == 0)
    status = sandbox_outside (argc - 2, argv + 2);
  else if (argc > 1 && strcmp (argv[1], "--inside") == 0)
    status = sandbox_inside (argc - 2, argv + 2);
  else
    status = run_command (argc, argv);
  return status >= 0 ? status : usage ();
}
