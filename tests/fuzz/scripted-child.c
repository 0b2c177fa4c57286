/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scripted-child.h"

#include "dray-error.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static GQueue children = G_QUEUE_INIT;
static guint n_failing;
static int last_pid = 1000;

GQueue *
scripted_children (void)
{
  return &children;
}

void
scripted_children_fail (guint n_launches)
{
  n_failing = n_launches;
}

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

static void
tell_cb (DrayIoTimer *timer)
{
  DrayChild *self = (gpointer) ((guint8 *) timer - G_STRUCT_OFFSET (DrayChild, tell));

  self->has_exited = TRUE;
  self->exited (self, self->user_data);
}

void
scripted_child_die (DrayChild *self, int exit_status, int signal_number)
{
  if (self->dead)
    return;

  self->dead = TRUE;
  self->end = (DrayExit){
    .known = TRUE,
    .exit_status = signal_number == 0 ? exit_status : -1,
    .signal = signal_number,
  };
  g_queue_unlink (&children, &self->link);
  g_clear_pointer (&self->role, self->role_free);
  close_fd (&self->input_fd);
  close_fd (&self->output_fd);
  close_fd (&self->errors_fd);
  close_fd (&self->passage_fd);
  close_fd (&self->ring_fd);
  dray_io_timer_set (&self->tell, self->io, 0);
}

/* --- What the library calls --- */

/* The child's own end, which it does not wait for. */
static int
inherit (int fd)
{
  int own = fd >= 0 ? fcntl (fd, F_DUPFD_CLOEXEC, 3) : -1;

  if (own >= 0)
    (void) fcntl (own, F_SETFL, O_NONBLOCK); /* none of them has other flags */
  return own;
}

DrayChild *
dray_child_spawn (DrayIoThread *io,
                  DraySpawn *spawn,
                  DrayChildExitedFunc exited,
                  gpointer user_data,
                  GError **error)
{
  DrayChild *self;

  if (n_failing > 0)
    {
      n_failing--;
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_LAUNCH, "The script lets no one start");
      return NULL;
    }

  self = g_new0 (DrayChild, 1);
  self->io = io;
  self->exited = exited;
  self->user_data = user_data;
  self->pid = ++last_pid;
  self->is_worker = g_str_equal (spawn->argv[0], SCRIPTED_WORKER);
  self->input_fd = inherit (spawn->stdin_fd);
  self->output_fd = inherit (spawn->stdout_fd);
  self->errors_fd = inherit (spawn->stderr_fd);
  self->passage_fd = inherit (spawn->passage_fd);
  self->ring_fd = inherit (spawn->ring_fd);
  self->tell.expired = tell_cb;
  self->link.data = self;
  g_queue_push_tail_link (&children, &self->link);
  return self;
}

void
dray_child_unleash (DrayChild *self)
{
}

void
dray_child_forked (DrayChild *self)
{
}

void
dray_child_free (DrayChild *self)
{
  g_assert (self->has_exited);

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

/* It ends when the script says so, and never unnoticed. */
gboolean
dray_child_look (DrayChild *self)
{
  return self->has_exited;
}

const DrayExit *
dray_child_get_exit (DrayChild *self)
{
  g_assert (self->has_exited);

  return &self->end;
}

void
dray_child_signal_group (DrayChild *self, int signal_number)
{
  if (signal_number == SIGTERM && self->deaf)
    return;

  scripted_child_die (self, 0, signal_number);
}

void
dray_child_reap (DrayChild *self)
{
  g_assert (self->has_exited);

  self->reaped = TRUE;
}

int
dray_exit_get_wait_status (const DrayExit *how)
{
  return how->signal != 0 ? how->signal : (how->exit_status & 0xff) << 8;
}

char *
dray_exit_describe (const DrayExit *how)
{
  return g_strdup_printf ("ended (status %d, signal %d)", how->exit_status, how->signal);
}
