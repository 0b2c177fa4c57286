/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-child.h"

#include "dray-descriptor.h"
#include "dray-error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * How it is started. posix_spawn() runs the child on the parent's memory until it executes, so
 * that it costs the same for an application of 3 GB as for one of 3 MB. All that a fork() would
 * have allowed is said in attributes and file actions, which are carried out in order:
 *
 *   the process group, no signal blocked or ignored   (attributes; before all else)
 *   descriptors 0 to 3                                (dup2, or /dev/null)
 *   the directory                                     (chdir)
 *   nothing above the last of them                    (closefrom)
 *
 * The process group exists before posix_spawn() returns, so a signal to it never comes too early.
 *
 * How its end is noticed. waitid (WNOWAIT) tells the status and leaves the zombie, which keeps
 * the number of the process, and with it that of the group, from being anybody else's. If the
 * host has reaped the child this protection is gone; then the group is still sent a signal, since
 * what is left of it may hold our pipes, and the kernel doesn't reuse a number while a group has
 * it. Only for a group that is empty the number is free, and it comes round again after all
 * others have, which takes longer than it takes to notice.
 *
 * Without a pidfd (a kernel before 5.3, a sandbox that forbids it, Valgrind) all goes on, by
 * looking again and again. If there was just no descriptor left, each look tries to get one: the
 * caller has closed some since, those that are the child's now.
 */

/* Where descriptors are moved that lie in each other's way. */
#define FIRST_SPARE_DESCRIPTOR 10
#define N_DESCRIPTORS 5

#define LOOK_INTERVAL (10 * G_TIME_SPAN_MILLISECOND)

struct _DrayChild
{
  /* set at construction */
  DrayIoThread *io; /* (unowned) */
  DrayChildExitedFunc exited;
  gpointer user_data;
  pid_t pid;

  /* I/O thread only */
  int pidfd;         /* (owned): -1 if there is none */
  DrayIoWatch watch; /* until it has exited, if there is a pidfd … */
  DrayIoTimer look;  /* … or if there is none */
  DrayExit end;
  gboolean lacks_descriptor; /* for a pidfd: one may be had later */
  gboolean has_exited;
  gboolean reaped;
};

/* --- Starting --- */

/* Copies of those descriptors which a dup2() of another one might overwrite. */
typedef struct
{
  int source[N_DESCRIPTORS]; /* (unowned): what becomes 0, 1, …; -1: nothing */
  int spare[N_DESCRIPTORS];  /* (owned): -1: none */
} Descriptors;

static void
descriptors_clear (Descriptors *self)
{
  for (int i = 0; i < N_DESCRIPTORS; i++)
    if (self->spare[i] != -1)
      close (self->spare[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Descriptors, descriptors_clear)

/* Returns 0 or an errno. */
static int
descriptors_prepare (Descriptors *self, const DraySpawn *spawn)
{
  const int wanted[N_DESCRIPTORS] = { spawn->stdin_fd, spawn->stdout_fd, spawn->stderr_fd,
                                      spawn->status_fd, spawn->ring_fd };

  for (int i = 0; i < N_DESCRIPTORS; i++)
    {
      self->source[i] = wanted[i];
      if (wanted[i] < 0 || wanted[i] >= N_DESCRIPTORS)
        continue;

      self->spare[i] = fcntl (wanted[i], F_DUPFD_CLOEXEC, FIRST_SPARE_DESCRIPTOR);
      if (self->spare[i] == -1)
        return errno;
      self->source[i] = self->spare[i];
    }
  return 0;
}

/* Returns 0 or an errno. */
static int
add_descriptor (posix_spawn_file_actions_t *actions, int source, int target)
{
  const int flags = target == STDIN_FILENO ? O_RDONLY : O_WRONLY;

  if (source != -1)
    return posix_spawn_file_actions_adddup2 (actions, source, target);
  if (target > STDERR_FILENO)
    return posix_spawn_file_actions_addclose (actions, target);

  return posix_spawn_file_actions_addopen (actions, target, "/dev/null", flags, 0);
}

/* Returns 0 or an errno. */
static int
fill_actions (posix_spawn_file_actions_t *actions,
              const Descriptors *descriptors,
              const char *directory)
{
  int n_open = N_DESCRIPTORS;

  while (n_open > 3 && descriptors->source[n_open - 1] == -1)
    n_open--;

  for (int i = 0; i < n_open; i++)
    {
      int result = add_descriptor (actions, descriptors->source[i], i);

      if (result != 0)
        return result;
    }

  if (directory != NULL)
    {
      int result = posix_spawn_file_actions_addchdir_np (actions, directory);

      if (result != 0)
        return result;
    }
  return posix_spawn_file_actions_addclosefrom_np (actions, n_open);
}

/* These can't fail with the values that are given here. */
static void
fill_attributes (posix_spawnattr_t *attributes)
{
  sigset_t none, all;

  sigemptyset (&none);
  sigfillset (&all);
  posix_spawnattr_setpgroup (attributes, 0);
  posix_spawnattr_setsigmask (attributes, &none);
  posix_spawnattr_setsigdefault (attributes, &all);
  posix_spawnattr_setflags (attributes,
                            POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* Returns 0 or an errno. */
static int
spawn_process (const DraySpawn *spawn, pid_t *pid)
{
  g_auto (Descriptors) descriptors = { .spare = { -1, -1, -1, -1, -1 } };
  char *const *environment = spawn->environment != NULL ? (char *const *) spawn->environment
                                                        : environ;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int result = descriptors_prepare (&descriptors, spawn);

  if (result != 0)
    return result;

  posix_spawn_file_actions_init (&actions);
  posix_spawnattr_init (&attributes);
  fill_attributes (&attributes);
  result = fill_actions (&actions, &descriptors, spawn->directory);
  if (result == 0)
    result = posix_spawnp (pid, spawn->argv[0], &actions, &attributes, (char *const *) spawn->argv,
                           environment);
  posix_spawnattr_destroy (&attributes);
  posix_spawn_file_actions_destroy (&actions);
  return result;
}

/* Returns 0 or an errno. */
static int
check_directory (const char *directory)
{
  struct stat status;

  if (stat (directory, &status) != 0)
    return errno;
  if (!S_ISDIR (status.st_mode))
    return ENOTDIR;
  if (faccessat (AT_FDCWD, directory, X_OK, AT_EACCESS) != 0)
    return errno;
  return 0;
}

static void
set_spawn_error (GError **error, const DraySpawn *spawn, int saved_errno)
{
  g_autofree char *program = NULL;
  gboolean about_a_path = saved_errno == ENOENT || saved_errno == ENOTDIR || saved_errno == EACCES
                          || saved_errno == ELOOP || saved_errno == ENAMETOOLONG;
  int reason = 0;

  /* The same error comes of a directory and of a program. The directory is entered first. */
  if (about_a_path && spawn->directory != NULL)
    reason = check_directory (spawn->directory);

  /* Where something is wrong with the file, it is the one that was to be executed. */
  program = g_filename_display_name (
    spawn->name == NULL || (about_a_path && reason == 0) ? spawn->argv[0] : spawn->name);
  if (reason != 0)
    {
      g_autofree char *directory = g_filename_display_name (spawn->directory);

      /* Translators: the program, the directory, and what the system says about the reason. */
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH,
                   _ ("Could not start “%s” in the folder “%s”: %s"), program, directory,
                      g_strerror (reason));
    }
  else
    {
      /* Translators: the program, and what the system says about the reason. */
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH,
                   _ ("Could not start “%s”: %s"), program, g_strerror (saved_errno));
    }
}

/* --- Noticing the end --- */

static int
wait_without_waiting (DrayChild *self, siginfo_t *info, int options)
{
  const idtype_t type = self->pidfd != -1 ? P_PIDFD : P_PID;
  const id_t id = (id_t) (self->pidfd != -1 ? self->pidfd : self->pid);
  int result;

  do
    result = waitid (type, id, info, WEXITED | WNOHANG | options);
  while (result != 0 && errno == EINTR);
  return result;
}

/* Tells the owner if the process has ended, and leaves it as it is. This may free the child.
 * Returns whether it has ended. */
static gboolean
look_at_end (DrayChild *self)
{
  siginfo_t info = { 0 };

  if (wait_without_waiting (self, &info, WNOWAIT) != 0)
    {
      /* ECHILD: somebody else reaped it. */
      self->end = (DrayExit){ .known = FALSE, .exit_status = -1 };
    }
  else if (info.si_pid == 0)
    {
      return FALSE;
    }
  else
    {
      self->end.known = TRUE;
      self->end.exit_status = info.si_code == CLD_EXITED ? info.si_status : -1;
      self->end.signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    }

  dray_io_watch_stop (&self->watch);
  self->has_exited = TRUE;
  self->exited (self, self->user_data);
  return TRUE;
}

static void
pidfd_ready_cb (DrayIoWatch *watch, guint32 events)
{
  look_at_end ((gpointer) ((char *) watch - G_STRUCT_OFFSET (DrayChild, watch)));
}

/* Returns whether the loop will tell of its end. */
static gboolean
open_pidfd (DrayChild *self)
{
  self->pidfd = dray_descriptor_raise (pidfd_open (self->pid, 0));
  self->lacks_descriptor = self->pidfd == -1 && (errno == EMFILE || errno == ENFILE);
  if (self->pidfd == -1)
    return FALSE;
  if (dray_io_watch_start (&self->watch, self->io, self->pidfd, EPOLLIN, NULL))
    return TRUE;

  close (self->pidfd);
  self->pidfd = -1;
  return FALSE;
}

static void
look_cb (DrayIoTimer *timer)
{
  DrayChild *self = (gpointer) ((char *) timer - G_STRUCT_OFFSET (DrayChild, look));

  if (look_at_end (self) || (self->lacks_descriptor && open_pidfd (self)))
    return;

  dray_io_timer_set (&self->look, self->io, g_get_monotonic_time () + LOOK_INTERVAL);
}

/* Whatever is missing for a pidfd, the process is there, and its end is noticed in the other way.
 * That is also how one is noticed that has ended already, and was reaped by the host (ESRCH): not
 * from here, but from the loop, as any other end. */
static void
watch_for_end (DrayChild *self)
{
  if (!open_pidfd (self))
    dray_io_timer_set (&self->look, self->io, 0);
}

DrayChild *
dray_child_spawn (DrayIoThread *io,
                  const DraySpawn *spawn,
                  DrayChildExitedFunc exited,
                  gpointer user_data,
                  GError **error)
{
  pid_t pid;
  int result = spawn_process (spawn, &pid);

  if (result != 0)
    {
      set_spawn_error (error, spawn, result);
      return NULL;
    }

  DrayChild *self = g_new0 (DrayChild, 1);

  self->io = io;
  self->exited = exited;
  self->user_data = user_data;
  self->pid = pid;
  self->end.exit_status = -1;
  self->watch.ready = pidfd_ready_cb;
  self->look.expired = look_cb;
  watch_for_end (self);
  return self;
}

void
dray_child_free (DrayChild *self)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (self->has_exited);

  dray_child_reap (self);
  if (self->pidfd != -1)
    close (self->pidfd);
  g_free (self);
}

int
dray_child_get_pid (DrayChild *self)
{
  return self->pid;
}

gboolean
dray_child_has_exited (DrayChild *self)
{
  return self->has_exited;
}

const DrayExit *
dray_child_get_exit (DrayChild *self)
{
  g_return_val_if_fail (self->has_exited, NULL);

  return &self->end;
}

static void
send_signal (DrayChild *self, int signal_number)
{
  const pid_t group = self->has_exited ? self->pid : getpgid (self->pid);

  kill (-self->pid, signal_number);

  /* A process can leave its group for another one. It shall not get the signal twice, though:
   * some programs take the second SIGTERM for impatience. */
  if (group == self->pid || group == -1)
    return;
  if (self->pidfd != -1)
    pidfd_send_signal (self->pidfd, signal_number, NULL, 0);
  else
    kill (self->pid, signal_number);
}

void
dray_child_signal_group (DrayChild *self, int signal_number)
{
  g_return_if_fail (self != NULL);

  if (self->reaped)
    return;

  send_signal (self, signal_number);
  /* A process that is stopped takes the signal only when it goes on. */
  if (signal_number == SIGTERM)
    send_signal (self, SIGCONT);
}

void
dray_child_reap (DrayChild *self)
{
  siginfo_t info;

  g_return_if_fail (self != NULL);
  g_return_if_fail (self->has_exited);

  if (self->reaped)
    return;

  self->reaped = TRUE;
  if (self->end.known)
    wait_without_waiting (self, &info, 0);
}

char *
dray_exit_describe (const DrayExit *how)
{
  g_return_val_if_fail (how != NULL, NULL);

  if (!how->known)
    /* Translators: for the middle of a sentence, after the name of a program: “foo” ended. */
    return g_strdup (_ ("ended"));

  if (how->signal != 0)
    /* Translators: for the middle of a sentence, after the name of a program: the number and the
     * system's description of a signal. */
    return g_strdup_printf (_ ("was killed by signal %d (%s)"), how->signal,
                               g_strsignal (how->signal));

  /* Translators: for the middle of a sentence, after the name of a program. */
  return g_strdup_printf (_ ("exited with status %d"), how->exit_status);
}
