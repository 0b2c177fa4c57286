/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-spawn-child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * All of this runs in the new process, but on the memory of the application, of which one thread
 * stands still meanwhile while all others go on. They may hold any lock, that of the allocator for
 * one, and will not let go of it here. So there are system calls and loops, and nothing else: no
 * allocation, no GLib, nothing that is left behind changed but what the parent is to find. What is
 * needed was prepared by the parent.
 *
 * In this order:
 *
 *   the process group               before all else, so that a signal to the group can hit nobody
 *                                   but us
 *   the leash                       for the group, which the kernel then kills with the application
 *   no signal has a handler         all are blocked still: a handler of the application's must not
 *                                   run in here, and those that are ignored would stay so
 *   descriptors                     those that lie in the way of others are moved first
 *   the directory
 *   limits                          which bind what is done here as well
 *   to die with the parent          which may have gone before that; then nobody wants us
 *   no signal is blocked
 *   the program
 *
 * A sanitizer's own code must not run here either: it keeps accounts of a thread, of which there
 * are two now.
 */

#if defined(__clang__)
#define IN_CHILD __attribute__ ((no_sanitize ("address", "thread", "undefined", "coverage")))
#else
#define IN_CHILD                                                                  \
  __attribute__ ((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined, \
                  no_profile_instrument_function))
#endif

#define N_DESCRIPTORS 5

/* Where descriptors are moved that lie in each other's way. */
#define FIRST_SPARE_DESCRIPTOR 10

/* Where descriptors can't be looked up, no others than these are closed. */
#define MOST_DESCRIPTORS 65536

#define EXIT_NOT_RUN 127

IN_CHILD __attribute__ ((noreturn)) static void
give_up (DraySpawnChild *self, DraySpawnStep step, int reason)
{
  const DraySpawnFailure failure = { .step = step, .reason = reason };

  self->failure.step = step;
  self->failure.reason = reason;

  /* Where it can't be written, nobody reads it. */
  if (self->failure_fd >= 0)
    while (write (self->failure_fd, &failure, sizeof failure) < 0 && errno == EINTR)
      ;
  _exit (EXIT_NOT_RUN);
}

/* --- Signals --- */

/* Also of those that the C library keeps for itself; SIGKILL and SIGSTOP are as they are. */
IN_CHILD static void
forget_handlers (void)
{
  /* Enough for what the kernel takes: no function, no flags. */
  const guint64 by_default[8] = { 0 };

  for (int i = 1; i < _NSIG; i++)
    if (i != SIGKILL && i != SIGSTOP)
      syscall (SYS_rt_sigaction, i, by_default, NULL, _NSIG / 8);
}

IN_CHILD static void
unblock_signals (void)
{
  const guint64 none[2] = { 0 };

  syscall (SYS_rt_sigprocmask, SIG_SETMASK, none, NULL, _NSIG / 8);
}

/* --- Descriptors --- */

IN_CHILD static void
mark_for_closing (int fd)
{
  (void) fcntl (fd, F_SETFD, FD_CLOEXEC);
}

IN_CHILD static void
mark_listed (int directory, int first)
{
  union
  {
    struct dirent64 entry; /* for its alignment */
    char bytes[1024];
  } buffer;
  long size;

  while ((size = syscall (SYS_getdents64, directory, buffer.bytes, sizeof buffer.bytes)) > 0)
    for (long at = 0; at < size;)
      {
        const struct dirent64 *entry = (const void *) (buffer.bytes + at);
        int fd = 0;

        at += entry->d_reclen;
        for (const char *digit = entry->d_name; *digit >= '0' && *digit <= '9'; digit++)
          fd = 10 * fd + (*digit - '0');
        if (fd >= first)
          mark_for_closing (fd);
      }
}

/* Where the kernel can't mark many at once (before 5.11), or something forbids it. */
IN_CHILD static void
mark_one_by_one (int first)
{
  struct rlimit limit = { .rlim_cur = MOST_DESCRIPTORS };
  int directory = open ("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (directory >= 0)
    {
      mark_listed (directory, first);
      close (directory);
      return;
    }

  getrlimit (RLIMIT_NOFILE, &limit);
  for (int fd = first; (rlim_t) fd < limit.rlim_cur && fd < MOST_DESCRIPTORS; fd++)
    mark_for_closing (fd);
}

/* They are closed when the program is executed, and not here: a thread of the application stands
 * still for so long. Files that workers have passed to it may be among them, and to close one of
 * those may take as long as the worker likes. */
IN_CHILD static void
close_from (int first)
{
  if (close_range ((unsigned int) first, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
    mark_one_by_one (first);
}

/* Those below are in use by now, so the first that is free is this one. */
IN_CHILD static gboolean
open_nothing (int target)
{
  return open ("/dev/null", target == STDIN_FILENO ? O_RDONLY : O_WRONLY) == target;
}

/* Returns FALSE with errno. */
IN_CHILD static gboolean
arrange_one (int source, int target)
{
  if (source >= 0)
    return dup2 (source, target) >= 0;

  close (target);
  return target > STDERR_FILENO || open_nothing (target);
}

/* The descriptor of the failure comes right after the others. Returns FALSE with errno. */
IN_CHILD static gboolean
keep_failure_fd (DraySpawnChild *self, int target)
{
  if (dup3 (self->failure_fd, target, O_CLOEXEC) < 0)
    return FALSE;

  self->failure_fd = target;
  return TRUE;
}

IN_CHILD static void
arrange_descriptors (DraySpawnChild *self)
{
  int sources[N_DESCRIPTORS] = { self->spawn->stdin_fd, self->spawn->stdout_fd,
                                 self->spawn->stderr_fd, self->spawn->passage_fd,
                                 self->spawn->ring_fd };
  int n_open = N_DESCRIPTORS;
  gboolean done = TRUE;

  while (n_open > STDERR_FILENO + 1 && sources[n_open - 1] < 0)
    n_open--;

  for (int i = 0; done && i < n_open; i++)
    if (sources[i] >= 0 && sources[i] < n_open)
      done = (sources[i] = fcntl (sources[i], F_DUPFD_CLOEXEC, FIRST_SPARE_DESCRIPTOR)) >= 0;
  if (done && self->failure_fd >= 0 && self->failure_fd <= n_open)
    done = (self->failure_fd = fcntl (self->failure_fd, F_DUPFD_CLOEXEC, FIRST_SPARE_DESCRIPTOR))
           >= 0;

  for (int i = 0; done && i < n_open; i++)
    done = arrange_one (sources[i], i);
  if (done && self->failure_fd >= 0)
    done = keep_failure_fd (self, n_open);
  if (!done)
    give_up (self, DRAY_SPAWN_STEP_PROCESS, errno);

  close_from (self->failure_fd >= 0 ? n_open + 1 : n_open);
}

/* --- Limits --- */

/* One that is wider than what the application itself must not exceed is none. @only_soft: it can be
 * moved later. */
IN_CHILD static gboolean
set_limit (int resource, guint64 value, gboolean only_soft)
{
  struct rlimit limit;

  if (value == G_MAXUINT64)
    return TRUE;
  if (getrlimit ((__rlimit_resource_t) resource, &limit) != 0)
    return FALSE;

  limit.rlim_cur = value < limit.rlim_max ? (rlim_t) value : limit.rlim_max;
  if (!only_soft)
    limit.rlim_max = limit.rlim_cur;
  return setrlimit ((__rlimit_resource_t) resource, &limit) == 0;
}

IN_CHILD static gboolean
set_niceness (int niceness)
{
  int wanted = getpriority (PRIO_PROCESS, 0) + niceness;

  if (niceness == 0)
    return TRUE;

  if (wanted > 19)
    wanted = 19;
  if (wanted < -20)
    wanted = -20;
  return setpriority (PRIO_PROCESS, 0, wanted) == 0;
}

IN_CHILD static void
apply_limits (DraySpawnChild *self)
{
  const DraySpawnLimits *limits = self->spawn->limits;

  if (!set_niceness (limits->niceness)
      || (limits->io_priority != 0
          && syscall (SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, limits->io_priority) != 0)
      || !set_limit (RLIMIT_CORE, limits->core_size, FALSE)
      || !set_limit (RLIMIT_NOFILE, limits->open_files, FALSE)
      || !set_limit (RLIMIT_CPU, limits->cpu_time, TRUE)
      || !set_limit (RLIMIT_AS, limits->address_space, FALSE))
    give_up (self, DRAY_SPAWN_STEP_LIMITS, errno);
}

/* --- The program --- */

/* Comes back with errno if it can't be executed. */
IN_CHILD static void
execute (DraySpawnChild *self, const char *path)
{
  execve (path, (char *const *) self->spawn->argv, self->environment);

  if (errno == ENOEXEC && self->script_argv != NULL)
    {
      self->script_argv[1] = path;
      execve (self->script_argv[0], (char *const *) self->script_argv, self->environment);
    }
}

/* Whether another program of that name may be somewhere else. */
IN_CHILD static gboolean
is_about_this_path (int reason)
{
  return reason == EACCES || reason == ENOENT || reason == ENOTDIR || reason == ESTALE
         || reason == ENODEV || reason == ETIMEDOUT;
}

/* Each directory in turn; an empty one is the current. Returns an errno. */
IN_CHILD static int
search (DraySpawnChild *self)
{
  const char *name = self->spawn->argv[0];
  int reason = ENOENT;

  for (const char *directory = self->search_path, *end; directory != NULL;
       directory = *end != '\0' ? end + 1 : NULL)
    {
      char *path = self->path;

      for (end = directory; *end != '\0' && *end != ':'; end++)
        *path++ = *end;
      if (path != self->path)
        *path++ = '/';
      for (const char *p = name; *p != '\0'; p++)
        *path++ = *p;
      *path = '\0';

      execute (self, self->path);
      if (!is_about_this_path (errno))
        return errno;
      /* One that is there and must not be executed is the better reason. */
      if (errno == EACCES || reason != EACCES)
        reason = errno;
    }
  return reason;
}

/* Where that can't be done, the leader of the group dies with the parent all the same. */
IN_CHILD static void
put_on_leash (DraySpawnChild *self)
{
  const int *fds = self->spawn->leash->fds;

  (void) fcntl (fds[0], F_SETOWN, -getpid ());
  (void) fcntl (fds[1], F_SETOWN, -getpid ());
}

/* It outlasts the execution of the program. */
IN_CHILD static void
bind_to_parent (DraySpawnChild *self)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != self->parent)
    /* Not covered: it has to end between two calls of its child's. */
    _exit (EXIT_NOT_RUN);
}

IN_CHILD int
dray_spawn_child_main (void *data)
{
  DraySpawnChild *self = data;
  const DraySpawn *spawn = self->spawn;
  int reason;

  self->ran = TRUE;
  if (setpgid (0, 0) != 0)
    give_up (self, DRAY_SPAWN_STEP_PROCESS, errno);
  if (spawn->leash != NULL)
    put_on_leash (self);
  forget_handlers ();
  arrange_descriptors (self);
  if (spawn->directory != NULL && chdir (spawn->directory) != 0)
    give_up (self, DRAY_SPAWN_STEP_DIRECTORY, errno);
  if (spawn->limits != NULL)
    apply_limits (self);
  if (spawn->dies_with_parent)
    bind_to_parent (self);
  if (spawn->timer_slack != 0)
    prctl (PR_SET_TIMERSLACK, spawn->timer_slack);
  unblock_signals ();

  if (self->search_path != NULL)
    {
      reason = search (self);
    }
  else
    {
      execute (self, spawn->argv[0]);
      reason = errno;
    }
  give_up (self, DRAY_SPAWN_STEP_PROGRAM, reason);
}
