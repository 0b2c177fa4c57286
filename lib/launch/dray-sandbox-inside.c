/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Inside: the first process of the namespaces (its number there is 1, and with it everything in
 * there ends), and the worker, its child.
 *
 * The first process waits: for the worker, whose wait status it passes on as it is, for orphans,
 * which it reaps, and for the end of the outer half. It is not confined itself, so nobody may get
 * hold of it: it can't be traced (PR_SET_DUMPABLE). It keeps no descriptor of the worker's open.
 *
 * Signals come to the process group, which the worker is in: the group is led by the outer half,
 * and the kernel sends them to all of it, on both sides. A worker that has left the group gets
 * SIGTERM from here.
 */

#include "config.h"

#include "dray-launch-halves.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* As many descriptors does the library give to a worker. */
#define N_WORKER_FDS 5

int
sandbox_parse (Sandbox *sandbox, int argc, char **argv)
{
  static const char *const names[] = {
    [PRESET_NO_NETWORK] = "no-network",
    [PRESET_READ_ONLY] = "read-only",
    [PRESET_STRICT] = "strict",
  };
  int n = 1;
  int preset = 0;

  while (argc > 0 && preset < 3 && strcmp (argv[0], names[preset]) != 0)
    preset++;
  while (n < argc && strcmp (argv[n], "--") != 0)
    if (argv[n][0] == '\0' || argv[n++][1] != ':')
      return 0;
  if (argc == 0 || preset == 3 || n + 1 >= argc)
    return 0;

  sandbox->preset = (Preset) preset;
  sandbox->rules = argv + 1;
  sandbox->n_rules = n - 1;
  sandbox->program = argv + n + 1;
  return 1;
}

uint32_t
preset_get_layers (Preset preset)
{
  const uint32_t basis = 1u << DRAY_LAYER_NAMESPACES | 1u << DRAY_LAYER_SECCOMP;

  return preset == PRESET_NO_NETWORK ? basis : basis | 1u << DRAY_LAYER_LANDLOCK;
}

/* --- Telling --- */

void
sandbox_report (const DrayConfinement *confinement, int fd)
{
  const DrayConfinementFrame frame = {
    .magic = DRAY_CONFINEMENT_MAGIC,
    .version = DRAY_CONFINEMENT_VERSION,
    .type = DRAY_CONFINEMENT_TYPE,
    .length = sizeof frame.confinement,
    .confinement = *confinement,
  };

  /* It is smaller than what a pipe takes in one piece. If nobody reads it nobody needs us. */
  if (write (fd, &frame, sizeof frame) != sizeof frame)
    _exit (EXIT_NOT_RUN);
}

static void
note (DrayConfinement *confinement, int layer, int error)
{
  if (error == 0)
    {
      confinement->in_force |= 1u << layer;
      return;
    }

  confinement->lacks[layer] = DRAY_LACK_ERRNO;
  confinement->errors[layer] = error;
}

/* --- The worker --- */

/* Root is allowed much that no rule is asked about. Where there are namespaces it has nothing to
 * drop any more. */
static void
drop_capabilities (void)
{
  struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
  const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

  for (int i = 0; prctl (PR_CAPBSET_DROP, i, 0, 0, 0) == 0; i++)
    ;
  prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  syscall (SYS_capset, &header, none);
}

void
sandbox_enter (const Sandbox *sandbox, DrayConfinement *confinement, int required)
{
  const uint32_t wanted = preset_get_layers (sandbox->preset);
  const int bare = (confinement->in_force & 1u << DRAY_LAYER_NAMESPACES) == 0;
  sigset_t none;

  prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  drop_capabilities ();
  note (confinement, DRAY_LAYER_LANDLOCK,
        confine_files (sandbox->preset, bare, sandbox->rules, sandbox->n_rules));
  note (confinement, DRAY_LAYER_SECCOMP, confine_calls (sandbox->preset, bare));
  if (!can_confine_calls ())
    confinement->lacks[DRAY_LAYER_SECCOMP] = DRAY_LACK_NOT_BUILT;

  confinement->started = !required || (confinement->in_force & wanted) == wanted;
  sandbox_report (confinement, STDOUT_FILENO);
  if (!confinement->started)
    return;

  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
  execvp (sandbox->program[0], sandbox->program);

  note (confinement, DRAY_LAYER_PROGRAM, errno);
  confinement->started = 0;
  sandbox_report (confinement, STDOUT_FILENO);
}

/* --- The first process --- */

static void
move (int from, int to)
{
  dup2 (from, to);
  close (from);
}

static pid_t
start_worker (const Sandbox *sandbox, int required)
{
  DrayConfinement confinement = { .in_force = 1u << DRAY_LAYER_NAMESPACES };
  const pid_t pid = fork ();

  if (pid != 0)
    return pid;

  sandbox_enter (sandbox, &confinement, required);
  _exit (EXIT_NOT_RUN);
}

static void
close_worker_descriptors (void)
{
  const int null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);

  for (int fd = 0; fd < N_WORKER_FDS; fd++)
    if (fd > STDERR_FILENO || null_fd < 0)
      close (fd);
    else
      dup2 (null_fd, fd);
  if (null_fd > STDERR_FILENO)
    close (null_fd);
}

/* Reaps everybody. Returns whether the worker was among them. */
static int
reap (pid_t worker, int *wait_status)
{
  int status;
  int found = 0;
  pid_t pid;

  while ((pid = waitpid (-1, &status, WNOHANG)) > 0)
    if (pid == worker)
      {
        *wait_status = status;
        found = 1;
      }
  return found;
}

static void
pass_signal_on (int signal_fd, pid_t worker)
{
  struct signalfd_siginfo info;

  while (read (signal_fd, &info, sizeof info) == sizeof info)
    if (info.ssi_signo == SIGTERM && getpgid (worker) != getpgrp ())
      kill (worker, SIGTERM);
}

/* Returns its wait status. Without an outer half there is nothing to wait for. */
static int
wait_for (pid_t worker)
{
  sigset_t signals;
  int wait_status = 0;
  struct pollfd fds[2] = { { .fd = FD_CONTROL, .events = 0 }, { .events = POLLIN } };

  sigemptyset (&signals);
  sigaddset (&signals, SIGCHLD);
  sigaddset (&signals, SIGTERM);
  fds[1].fd = signalfd (-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fds[1].fd < 0)
    _exit (EXIT_NOT_RUN);

  while (!reap (worker, &wait_status))
    {
      if (poll (fds, 2, -1) < 0 && errno != EINTR)
        _exit (EXIT_NOT_RUN);
      if (fds[0].revents != 0)
        _exit (EXIT_NOT_RUN);
      pass_signal_on (fds[1].fd, worker);
    }
  return wait_status;
}

static void
say (int ended, int wait_status)
{
  const Word word = { .ended = ended, .wait_status = wait_status };

  if (write (FD_CONTROL, &word, sizeof word) != sizeof word)
    _exit (EXIT_NOT_RUN);
}

int
sandbox_inside (int argc, char **argv)
{
  Sandbox sandbox;
  sigset_t all;
  pid_t worker;
  int required;

  if (argc < 1 || !sandbox_parse (&sandbox, argc - 1, argv + 1))
    return -1;
  required = strcmp (argv[0], "required") == 0;

  sigfillset (&all);
  sigprocmask (SIG_SETMASK, &all, NULL);
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  prctl (PR_SET_DUMPABLE, 0);
  fcntl (FD_CONTROL, F_SETFD, FD_CLOEXEC);
  say (0, 0);
  move (FD_INPUT, STDIN_FILENO);
  move (FD_OUTPUT, STDOUT_FILENO);

  worker = start_worker (&sandbox, required);
  if (worker < 0)
    return EXIT_NOT_RUN;
  close_worker_descriptors ();
  say (1, wait_for (worker));
  return 0;
}
