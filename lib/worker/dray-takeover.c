/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-takeover.h"

#include "dray-error-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Descriptors from here on are out of the way of programs that expect certain small numbers. */
#define FIRST_HIGH_FD 100

void
dray_complain (const char *message)
{
  /* Not g_printerr(): a worker seldom sets its locale, and would lose all but ASCII there. */
  fprintf (stderr, "%s: %s\n", program_invocation_short_name, message);
}

/* Whether a Dray application may be at the other end. A terminal is not among these. */
static gboolean
can_be_channel (int fd)
{
  struct stat status;

  return fstat (fd, &status) == 0
         && (S_ISFIFO (status.st_mode) || S_ISSOCK (status.st_mode) || S_ISREG (status.st_mode));
}

static void
complain_about_errno (const char *what, int saved_errno)
{
  g_autofree char *message = NULL;

  message = g_strdup_printf (_("%s: %s"), what, dray_strerror (saved_errno));
  dray_complain (message);
}

/* Returns: -1 after a message on stderr */
static int
move_up (int fd)
{
  int high = fcntl (fd, F_DUPFD_CLOEXEC, FIRST_HIGH_FD);

  /* The limit may be lower than that. */
  if (high < 0 && errno == EINVAL)
    high = fcntl (fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (high < 0)
    complain_about_errno (_("The channel to the application could not be set up"), errno);

  return high;
}

/* From here on, whatever reads 0 finds nothing, and whatever writes to 1 writes to 2. */
static gboolean
replace_standard_descriptors (void)
{
  int null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);

  if (null_fd < 0)
    {
      complain_about_errno (_("“/dev/null” could not be opened"), errno);
      return FALSE;
    }

  if (fcntl (STDERR_FILENO, F_GETFD) < 0)
    dup2 (null_fd, STDERR_FILENO);
  dup2 (null_fd, STDIN_FILENO);
  dup2 (STDERR_FILENO, STDOUT_FILENO);

  /* open() gave the number of standard error away if that was closed. */
  if (null_fd > STDERR_FILENO)
    close (null_fd);
  else
    fcntl (null_fd, F_SETFD, 0);

  /* What is printed should be seen when it is printed, not when a buffer is full. */
  setvbuf (stdout, NULL, _IOLBF, 0);

  return TRUE;
}

/* What the application ignores or blocks, for reasons of its own, came along with exec(). */
static void
reset_signals (void)
{
  struct sigaction action;
  sigset_t none;

  sigemptyset (&none);
  pthread_sigmask (SIG_SETMASK, &none, NULL);

  /* Where it is ignored, nobody can wait for a child process of his. */
  if (sigaction (SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
    signal (SIGCHLD, SIG_DFL);

  /* A host that is gone is an error of write() here. */
  signal (SIGPIPE, SIG_IGN);
}

gboolean
dray_takeover (int *in_fd, int *out_fd)
{
  if (!can_be_channel (STDIN_FILENO) || !can_be_channel (STDOUT_FILENO))
    {
      dray_complain (_("This is a worker process of an application that uses Dray. "
                       "Only such an application can start it, "
                       "and talks to it through its standard input and output."));
      return FALSE;
    }

  *in_fd = move_up (STDIN_FILENO);
  if (*in_fd < 0)
    return FALSE;

  *out_fd = move_up (STDOUT_FILENO);
  if (*out_fd < 0 || !replace_standard_descriptors ())
    {
      if (*out_fd >= 0)
        close (*out_fd);
      close (*in_fd);
      return FALSE;
    }

  reset_signals ();

  /* A signal to the group reaches what the user's functions start as well, and Ctrl+C in the
   * application's terminal reaches the application only. It may fail for one that leads a session:
   * that one has a group of its own already. In a sandbox it is that of somebody outside, whose
   * number is 0 in there: the application made it for this worker. */
  if (getpgrp () != getpid () && getpgrp () != 0)
    setpgid (0, 0);

  return TRUE;
}
