/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-undertaker.h"

#include "dray-leash.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_INTERVAL 10 /* ms */

static DrayLeash leash = { { -1, -1 } }; /* (owned): this process's own */

static void
forked_cb (void)
{
  dray_leash_close (&leash);
}

/* Where there is none to be had, the application sees to the group for as long as there is one. */
void
dray_undertaker_prepare (void)
{
  const pid_t group = getpgrp ();

  if (group != getpid () || !dray_leash_open (&leash, NULL))
    return;

  pthread_atfork (NULL, NULL, forked_cb);
  dray_leash_put_on (&leash, group);
}

void
dray_undertaker_dismiss (void)
{
  dray_leash_take_off (&leash);
  dray_leash_close (&leash);
}

/* For a process that was forked off one with several threads: nothing here may take a lock. */

static void
wait_with_pidfd (int pidfd, gboolean hurries)
{
  struct pollfd fd = { .fd = pidfd, .events = POLLIN };

  while (poll (&fd, 1, hurries ? DRAY_END_GRACE : -1) == -1)
    ;
}

/* Where there is none, by looking again and again. */
static void
wait_for_new_parent (pid_t worker, gboolean hurries)
{
  for (guint time = 0; (time < DRAY_END_GRACE || !hurries) && getppid () == worker;
       time += LOOK_INTERVAL)
    poll (NULL, 0, LOOK_INTERVAL);
}

G_NORETURN static void
bury (pid_t worker, int pidfd, gboolean hurries)
{
  sigset_t all;

  sigfillset (&all);
  sigprocmask (SIG_SETMASK, &all, NULL);
  setpgid (0, 0);

  /* Whoever waits for the worker's descriptors to be closed need not wait for this. */
  if (pidfd != -1)
    pidfd = dup2 (pidfd, STDIN_FILENO);
  close_range (pidfd == -1 ? STDIN_FILENO : STDIN_FILENO + 1, ~0U, 0);

  if (pidfd != -1)
    wait_with_pidfd (pidfd, hurries);
  else
    wait_for_new_parent (worker, hurries);

  /* The number can't be another group's while something of this one is left, and where nothing is,
   * it was in use until just now, and is not given out again before all others were. */
  kill (-worker, SIGKILL);
  _exit (0);
}

gboolean
dray_undertaker_has_work (void)
{
  siginfo_t info;

  return waitid (P_PGID, (id_t) getpgrp (), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void
dray_undertaker_start (gboolean hurries)
{
  const pid_t worker = getpid ();
  int pidfd;

  if (getpgrp () != worker)
    return;

  pidfd = pidfd_open (worker, 0);
  if (_Fork () == 0)
    bury (worker, pidfd, hurries);
  if (pidfd != -1)
    close (pidfd);
}
