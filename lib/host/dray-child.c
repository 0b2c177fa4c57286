/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-child.h"

#include "dray-descriptor.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * How its end is noticed. waitid (WNOWAIT) tells the status and leaves the zombie, which keeps
 * the number of the process, and with it that of the group, from being anybody else's. If the
 * host has reaped the child this protection is gone; then the group is still sent a signal, since
 * what is left of it may hold our pipes, and the kernel doesn't reuse a number while a group has
 * it. Only for a group that is empty the number is free, and it comes round again after all
 * others have, which takes longer than it takes to notice.
 *
 * Without a pidfd (a kernel before 5.3, a sandbox that forbids it, Valgrind) all goes on, by
 * looking again and again. If there was just no descriptor left, or no room to watch one, each look
 * tries to get it: the caller has closed some since, those that are the child's now.
 */

#define LOOK_INTERVAL (10 * G_TIME_SPAN_MILLISECOND)

struct _DrayChild
{
  /* set at construction */
  DrayIoThread *io; /* (unowned) */
  DrayChildExitedFunc exited;
  gpointer user_data;
  pid_t pid;

  /* I/O thread only */
  DrayLeash leash;   /* if it is on one, at most until it is reaped */
  int pidfd;         /* (owned): -1 if there is none */
  DrayIoWatch watch; /* until it has exited, if there is a pidfd … */
  DrayIoTimer look;  /* … or if there is none */
  DrayExit end;
  gboolean is_short; /* of what a pidfd takes: it may be had later */
  gboolean has_exited;
  gboolean reaped;
};

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
  dray_io_timer_clear (&self->look);
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
watch_pidfd (DrayChild *self)
{
  if (self->pidfd == -1)
    {
      self->pidfd = dray_descriptor_raise (pidfd_open (self->pid, 0));
      self->is_short = self->pidfd == -1 && (errno == EMFILE || errno == ENFILE);
    }
  if (self->pidfd == -1)
    return FALSE;
  if (dray_io_watch_start (&self->watch, self->io, self->pidfd, EPOLLIN, NULL))
    return TRUE;

  self->is_short = errno == ENOSPC || errno == ENOMEM;
  close (self->pidfd);
  self->pidfd = -1;
  return FALSE;
}

static void
look_cb (DrayIoTimer *timer)
{
  DrayChild *self = (gpointer) ((char *) timer - G_STRUCT_OFFSET (DrayChild, look));

  if (look_at_end (self) || (self->is_short && watch_pidfd (self)))
    return;

  dray_io_timer_set (&self->look, self->io, g_get_monotonic_time () + LOOK_INTERVAL);
}

/* Whatever is missing for a pidfd, the process is there, and its end is noticed in the other way.
 * That is also how one is noticed that has ended already, and was reaped by the host (ESRCH): not
 * from here, but from the loop, as any other end. */
static void
watch_for_end (DrayChild *self)
{
  if (!watch_pidfd (self))
    dray_io_timer_set (&self->look, self->io, 0);
}

DrayChild *
dray_child_spawn (DrayIoThread *io,
                  DraySpawn *spawn,
                  DrayChildExitedFunc exited,
                  gpointer user_data,
                  GError **error)
{
  DrayLeash leash = DRAY_LEASH_NONE;
  DrayLeash *spare = dray_io_thread_get_spare_leash (io);
  int pidfd;
  pid_t pid;

  if (spawn->is_leashed && !dray_leash_take (&leash, spare, error))
    return NULL;

  spawn->leash = spawn->is_leashed ? &leash : NULL;
  spawn->timer_slack = dray_io_thread_get_timer_slack (io);
  pid = dray_spawn (spawn, &pidfd, error);
  spawn->leash = NULL;
  if (pid == -1)
    {
      dray_leash_give_back (&leash, spare);
      return NULL;
    }

  DrayChild *self = g_new0 (DrayChild, 1);

  self->io = io;
  self->exited = exited;
  self->user_data = user_data;
  self->pid = pid;
  self->leash = leash;
  self->pidfd = pidfd;
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

void
dray_child_unleash (DrayChild *self)
{
  dray_leash_take_off (&self->leash);
  dray_leash_give_back (&self->leash, dray_io_thread_get_spare_leash (self->io));
}

void
dray_child_forked (DrayChild *self)
{
  dray_leash_close (&self->leash);
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

gboolean
dray_child_look (DrayChild *self)
{
  return self->has_exited || look_at_end (self);
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
  /* Valgrind has pidfds, and does not know what to do with them. */
  if (self->pidfd == -1
      || (pidfd_send_signal (self->pidfd, signal_number, NULL, 0) != 0 && errno == ENOSYS))
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
  dray_leash_give_back (&self->leash, dray_io_thread_get_spare_leash (self->io));
  if (self->end.known)
    wait_without_waiting (self, &info, 0);
}

int
dray_exit_get_wait_status (const DrayExit *how)
{
  if (!how->known)
    return -1;

  return how->signal != 0 ? how->signal : (how->exit_status & 0xff) << 8;
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
