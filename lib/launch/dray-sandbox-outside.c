/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Outside: the process that the application has started, and takes for the worker.
 *
 *   application
 *   └─ outer half           leads the process group; blocks all signals that can be blocked
 *      └─ bubblewrap        makes the namespaces, and waits
 *   ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌
 *         └─ inner half     the first process in there; see dray-sandbox-inside.c
 *            └─ worker
 *
 * - Whatever ends one of them ends all that are below. The application's end is one of the outer
 *   half (PR_SET_PDEATHSIG), and that of the first process in there is one of everything inside,
 *   also of what has left the group.
 * - It ends as the worker did, by the same signal or with the same status: what the application
 *   sees of its child is what it would see of the worker. Bubblewrap would make 139 of a crash.
 * - Until the inner half has said that it is there, nothing has been executed in there but
 *   bubblewrap. So if that ends before, the worker can still be had without namespaces, if that is
 *   good enough: in this very process then, which is all that is left of the picture above.
 */

#include "config.h"

#include "dray-launch-halves.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Out of the way of all that has a number; no higher, as 16 files are as few as may be open. */
#define FIRST_HIGH_FD (FD_OUTPUT + 1)

typedef struct
{
  pid_t parent;   /* 0: not known */
  int required;
  char **command; /* bubblewrap, which executes the inner half */
  Sandbox sandbox;
} Plan;

static int
parse_number (int *number, const char *text)
{
  char *end;
  const long value = strtol (text, &end, 10);

  *number = (int) value;
  return end != text && *end == '\0' && value >= 0 && value <= INT_MAX;
}

/* PARENT required|preferred INNER -- COMMAND…: INNER is where in the command the sandbox begins
 * that is said to the inner half. */
static int
parse (Plan *plan, int argc, char **argv)
{
  int parent, inner;

  if (argc < 5 || strcmp (argv[3], "--") != 0 || !parse_number (&parent, argv[0])
      || !parse_number (&inner, argv[2]))
    return 0;
  plan->parent = (pid_t) parent;
  plan->required = strcmp (argv[1], "required") == 0;
  plan->command = argv + 4;
  return inner > 0 && inner < argc - 4
         && sandbox_parse (&plan->sandbox, argc - 4 - inner, argv + 4 + inner);
}

/* Both ends are out of the way of what the worker finds. */
static int
open_control (int ends[2])
{
  int low[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, low) != 0)
    return 0;
  for (int i = 0; i < 2; i++)
    {
      ends[i] = fcntl (low[i], F_DUPFD_CLOEXEC, FIRST_HIGH_FD);
      close (low[i]);
    }
  return ends[0] >= 0 && ends[1] >= 0;
}

/* The sandbox gets what the worker is to have out of its way, and nothing for itself. */
static int
arrange (posix_spawn_file_actions_t *actions, int control)
{
  int error = posix_spawn_file_actions_adddup2 (actions, control, FD_CONTROL);

  if (error == 0)
    error = posix_spawn_file_actions_adddup2 (actions, STDIN_FILENO, FD_INPUT);
  if (error == 0)
    error = posix_spawn_file_actions_adddup2 (actions, STDOUT_FILENO, FD_OUTPUT);
  if (error == 0)
    error = posix_spawn_file_actions_addopen (actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
  if (error == 0)
    error = posix_spawn_file_actions_adddup2 (actions, STDIN_FILENO, STDOUT_FILENO);
  return error;
}

/* Returns: its number; -1 with errno */
static pid_t
start (char **command, int control)
{
  posix_spawn_file_actions_t actions;
  pid_t pid = -1;
  int error = posix_spawn_file_actions_init (&actions);

  if (error == 0)
    {
      error = arrange (&actions, control);
      if (error == 0)
        error = posix_spawnp (&pid, command[0], &actions, NULL, command, environ);
      posix_spawn_file_actions_destroy (&actions);
    }

  errno = error;
  return error == 0 ? pid : -1;
}

/* Whether there was one. */
static int
hear (int control, Word *word)
{
  ssize_t size;

  do
    size = recv (control, word, sizeof *word, MSG_WAITALL);
  while (size < 0 && errno == EINTR);
  return size == sizeof *word;
}

static void
close_worker_descriptors (void)
{
  for (int fd = 0; fd < FD_CONTROL; fd++)
    close (fd);
}

/* Ends as a process did that has this wait status. */
static int
end_like (int wait_status)
{
  const struct rlimit none = { 0, 0 };
  sigset_t signals;

  if (!WIFSIGNALED (wait_status))
    return WEXITSTATUS (wait_status);

  /* One of them has left a core, if there is to be one. */
  setrlimit (RLIMIT_CORE, &none);
  signal (WTERMSIG (wait_status), SIG_DFL);
  raise (WTERMSIG (wait_status));
  sigemptyset (&signals);
  sigaddset (&signals, WTERMSIG (wait_status));
  sigprocmask (SIG_UNBLOCK, &signals, NULL);
  return 128 + WTERMSIG (wait_status);
}

/* What bubblewrap makes of a signal. */
static int
undo_exit_status (int wait_status)
{
  const int signal_number = WIFEXITED (wait_status) ? WEXITSTATUS (wait_status) - 128 : 0;

  return signal_number > 0 && signal_number < NSIG ? signal_number : wait_status;
}

/* The inner half is there, and the worker runs, or has. */
static int
follow (int control, pid_t bubblewrap)
{
  Word word;
  int wait_status = 0;

  close_worker_descriptors ();
  const int known = hear (control, &word);

  close (control);
  while (waitpid (bubblewrap, &wait_status, 0) < 0 && errno == EINTR)
    ;
  return end_like (known ? word.wait_status : undo_exit_status (wait_status));
}

/* There are no namespaces to be had, for the reason that is given. */
static int
go_without (const Plan *plan, int lack, int error)
{
  DrayConfinement confinement = {
    .lacks[DRAY_LAYER_NAMESPACES] = (uint32_t) lack,
    .errors[DRAY_LAYER_NAMESPACES] = error,
  };

  if (plan->required)
    sandbox_report (&confinement, STDOUT_FILENO);
  else
    sandbox_enter (&plan->sandbox, &confinement, 0);
  return EXIT_NOT_RUN;
}

int
sandbox_outside (int argc, char **argv)
{
  Plan plan;
  sigset_t all;
  int ends[2];
  int wait_status = 0;
  pid_t bubblewrap;
  Word word;

  if (!parse (&plan, argc, argv))
    return -1;

  /* In this order: a parent that goes between the two is noticed by the second. */
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (plan.parent != 0 && getppid () != plan.parent)
    return EXIT_NOT_RUN;

  sigfillset (&all);
  sigprocmask (SIG_SETMASK, &all, NULL);
  if (!open_control (ends))
    return go_without (&plan, DRAY_LACK_ERRNO, errno);

  bubblewrap = start (plan.command, ends[1]);
  if (bubblewrap < 0)
    return go_without (&plan, DRAY_LACK_MISSING, errno);
  close (ends[1]);
  if (hear (ends[0], &word))
    return follow (ends[0], bubblewrap);

  close (ends[0]);
  while (waitpid (bubblewrap, &wait_status, 0) < 0 && errno == EINTR)
    ;
  return go_without (&plan, DRAY_LACK_ENDED, wait_status);
}
