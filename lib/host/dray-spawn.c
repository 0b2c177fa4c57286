/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-spawn-child.h"

#include "dray-descriptor.h"
#include "dray-error-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A child without a fork. It is a process of its own that runs on the memory of the parent, on a
 * stack which the parent lends it, until it has executed its program or has given up; the thread
 * that started it stands still for so long, and the others go on. So it costs the same for an
 * application of 3 GB as for one of 3 MB.
 *
 *   dray_spawn()          prepares, with the allocator, what the child will need
 *     block all signals   a handler of the application's would run in the child, on its memory
 *     clone()             ──> dray_spawn_child_main()
 *       stands still            … execve()
 *     restore the signals <── the child has memory of its own now, or is a zombie
 *   looks how it went
 *
 * posix_spawn() works in the same way, but can do less in the child: it can't have the kernel kill
 * a child with its parent, for which commands would need a helper between, one more program to be
 * executed for each; nor can it set limits. And it tells no step that failed.
 *
 * What went wrong is found in the memory that both share. Some tools make a fork of this (Valgrind,
 * and so do we for ThreadSanitizer, to which a second process on the same memory would look like
 * a broken thread). Then it comes through a pipe, too, which closes when the program is executed.
 * Which of the two it is shows when the first child has run: there is a pipe for that one, and then
 * for either all or none.
 *
 * The kernel kills a process that is to die with its parent when the *thread* ends that started it.
 * That is the I/O thread, which lives for as long as any pool has a process.
 */

/* What the child needs is some hundred bytes, with the directory entries of close_one_by_one() two
 * thousand. */
#define STACK_SIZE ((gsize) 32 * 1024)

/* What execvp() takes where there is no PATH. */
#define DEFAULT_SEARCH_PATH "/bin:/usr/bin"

#define SHELL "/bin/sh"

#if defined(__SANITIZE_THREAD__)
#define SHARE_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHARE_MEMORY 0
#endif
#endif
#ifndef SHARE_MEMORY
#define SHARE_MEMORY 1
#endif

enum
{
  MEMORY_UNKNOWN,
  MEMORY_SHARED,
  MEMORY_COPIED,
};

static int memory; /* atomic: what clone() makes of it here */

/* --- Preparing --- */

static void
prepare_path (DraySpawnChild *self)
{
  const DraySpawn *spawn = self->spawn;
  const char *name = spawn->argv[0];

  if (*name == '\0' || strchr (name, '/') != NULL)
    return;

  self->search_path = spawn->searches_environment
                        ? g_environ_getenv ((char **) self->environment, "PATH")
                        : g_getenv ("PATH");
  if (self->search_path == NULL)
    self->search_path = DEFAULT_SEARCH_PATH;
  self->path = g_malloc (strlen (self->search_path) + strlen (name) + 2);
}

static void
prepare_script (DraySpawnChild *self)
{
  const char *const *argv = self->spawn->argv;
  guint n_strings = g_strv_length ((char **) argv);

  /* The shell, the path of the script, and all of its arguments. */
  self->script_argv = g_new (const char *, n_strings + 2);
  self->script_argv[0] = SHELL;
  self->script_argv[1] = argv[0];
  for (guint i = 1; i <= n_strings; i++)
    self->script_argv[i + 1] = argv[i];
}

static void
child_init (DraySpawnChild *self, const DraySpawn *spawn)
{
  *self = (DraySpawnChild){
    .spawn = spawn,
    .environment = spawn->environment != NULL ? (char *const *) spawn->environment : environ,
    .parent = getpid (),
    .failure_fd = -1,
  };
  prepare_path (self);
  if (spawn->runs_scripts)
    prepare_script (self);
}

static void
child_clear (DraySpawnChild *self)
{
  g_free (self->path);
  g_free (self->script_argv);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DraySpawnChild, child_clear)

/* --- The child --- */

/* In a function of its own, since the child's stack lies in its frame: that stays where it is until
 * clone() returns. Returns the process, or -1 with errno. */
__attribute__ ((noinline)) static pid_t
clone_once (DraySpawnChild *child, int *pidfd)
{
  char stack[STACK_SIZE] __attribute__ ((aligned (16)));
  const int flags = SIGCHLD | (SHARE_MEMORY ? CLONE_VM | CLONE_VFORK : 0)
                    | (pidfd != NULL ? CLONE_PIDFD : 0);

#if SHARE_MEMORY
  return clone (dray_spawn_child_main, stack + sizeof stack, flags, child, pidfd);
#else
  pid_t pid = _Fork (); /* which tells nobody, as clone() does not */

  (void) stack;
  (void) flags;
  if (pid == 0)
    dray_spawn_child_main (child);
  return pid;
#endif
}

/* Kernels before 5.2 don't know that they could give a descriptor, and say nothing. */
static pid_t
clone_child (DraySpawnChild *child, int *pidfd)
{
  pid_t pid;

  *pidfd = -1;
  pid = clone_once (child, pidfd);
  if (pid == -1 && (errno == EMFILE || errno == ENFILE || errno == EINVAL))
    pid = clone_once (child, NULL);
  return pid;
}

/* The same with all signals blocked, also those that the C library keeps for itself. */
static pid_t
start_child (DraySpawnChild *child, int *pidfd)
{
  const guint64 all[2] = { ~0ULL, ~0ULL };
  guint64 before[2] = { 0 };
  int cancelling, saved_errno;
  pid_t pid;

  pthread_setcancelstate (PTHREAD_CANCEL_DISABLE, &cancelling);
  syscall (SYS_rt_sigprocmask, SIG_BLOCK, all, before, _NSIG / 8);
  pid = clone_child (child, pidfd);
  saved_errno = errno;
  syscall (SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, _NSIG / 8);
  pthread_setcancelstate (cancelling, NULL);

  errno = saved_errno;
  return pid;
}

static void
close_pipe (const int fds[2])
{
  for (int i = 0; i < 2; i++)
    if (fds[i] >= 0)
      close (fds[i]);
}

/* What was written to it: nothing, if the program was executed. */
static DraySpawnFailure
read_failure (int fd)
{
  DraySpawnFailure failure = { 0 };
  gssize size;

  do
    size = read (fd, &failure, sizeof failure);
  while (size < 0 && errno == EINTR);
  return size == (gssize) sizeof failure ? failure : (DraySpawnFailure){ 0 };
}

/* How it fared: @fds is a pipe from it, if that is needed, or -1. Closes the pipe. */
static DraySpawnFailure
look_at_child (DraySpawnChild *child, int fds[2])
{
  const gboolean shared = child->ran;
  DraySpawnFailure failure = { .step = child->failure.step, .reason = child->failure.reason };

  g_atomic_int_set (&memory, shared ? MEMORY_SHARED : MEMORY_COPIED);
  if (!shared)
    {
      /* Else this process would wait for itself. */
      close (fds[1]);
      fds[1] = -1;
      failure = read_failure (fds[0]);
    }
  close_pipe (fds);
  return failure;
}

static void
reap (pid_t pid)
{
  while (waitpid (pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

/* Returns the process, or -1 with the reason in @failure. */
static pid_t
run_child (DraySpawnChild *child, int *pidfd, DraySpawnFailure *failure)
{
  int fds[2] = { -1, -1 };
  pid_t pid = -1;

  *failure = (DraySpawnFailure){ .step = DRAY_SPAWN_STEP_PROCESS };
  if (g_atomic_int_get (&memory) == MEMORY_SHARED || pipe2 (fds, O_CLOEXEC) == 0)
    {
      child->failure_fd = fds[1];
      pid = start_child (child, pidfd);
    }

  if (pid == -1)
    {
      failure->reason = errno;
      close_pipe (fds);
      return -1;
    }

  *failure = look_at_child (child, fds);
  if (failure->step == DRAY_SPAWN_STEP_NONE)
    return pid;

  if (*pidfd >= 0)
    close (*pidfd);
  reap (pid);
  return -1;
}

static void
set_error (GError **error, const DraySpawn *spawn, const DraySpawnFailure *failure)
{
  g_autofree char *program = g_filename_display_name (spawn->argv[0]);

  if (failure->step == DRAY_SPAWN_STEP_DIRECTORY)
    {
      g_autofree char *directory = g_filename_display_name (spawn->directory);

      /* Translators: the program, the directory, and what the system says about the reason. */
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH,
                   _ ("Could not start “%s” in the folder “%s”: %s"), program, directory,
                      g_strerror (failure->reason));
    }
  else if (failure->step == DRAY_SPAWN_STEP_LIMITS)
    {
      /* Translators: the program, and what the system says about the reason. */
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH,
                   _ ("Could not start “%s” with its limits: %s"), program,
                      g_strerror (failure->reason));
    }
  else
    {
      /* Translators: the program, and what the system says about the reason. */
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH,
                   _ ("Could not start “%s”: %s"), program,
                      dray_strerror_of_start (failure->reason));
    }
}

static gboolean
is_scarcity (int reason)
{
  return reason == EAGAIN || reason == ENOMEM || reason == EMFILE || reason == ENFILE;
}

pid_t
dray_spawn (DraySpawn *spawn, int *pidfd, GError **error)
{
  g_auto (DraySpawnChild) child;
  DraySpawnFailure failure;
  pid_t pid;

  child_init (&child, spawn);
  pid = run_child (&child, pidfd, &failure);
  if (pid == -1)
    {
      *pidfd = -1;
      spawn->is_scarce = is_scarcity (failure.reason);
      set_error (error, spawn, &failure);
      return -1;
    }

  *pidfd = dray_descriptor_raise (*pidfd);
  return pid;
}
