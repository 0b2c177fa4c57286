/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-process.h"

#include "dray-descriptor.h"
#include "dray-error-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define END_TIME 2000 /* ms */
#define PIPE_SIZE (1024 * 1024)
#define MAX_ERROR_LINES 20
#define MAX_HEARD 64 /* reads, where somebody streams without end */

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

/* The process that @member of it is embedded in. */
#define PROCESS_OF(pointer, member) \
  ((DrayProcess *) (gpointer) ((guint8 *) (pointer) -G_STRUCT_OFFSET (DrayProcess, member)))

/* --- The end --- */

/* Returns whether it is; then there is nothing left of it. */
static gboolean
maybe_gone (DrayProcess *self)
{
  if (self->child == NULL || !dray_child_has_exited (self->child) || !self->output_ended)
    return FALSE;

  dray_io_timer_clear (&self->end_timer);
  self->funcs->gone (self);
  return TRUE;
}

gsize
dray_process_count_piped (DrayProcess *self)
{
  int n_bytes = 0;

  return ioctl (self->output_fd, FIONREAD, &n_bytes) == 0 ? (gsize) n_bytes : 0;
}

static gsize
count_unread_bytes (DrayProcess *self)
{
  if (self->output_ended)
    return 0;

  return self->funcs->count_unread != NULL ? self->funcs->count_unread (self)
                                           : dray_process_count_piped (self);
}

/* What it has written is read, or somebody else has taken it away: whoever was left behind may hold
 * the pipe as well, and writes to it for ever, or reads from it. */
static gboolean
is_drained (DrayProcess *self)
{
  return dray_child_has_exited (self->child)
         && (self->undrained == 0 || count_unread_bytes (self) == 0);
}

static void
exited_cb (DrayChild *child, gpointer user_data)
{
  DrayProcess *self = user_data;

  dray_io_timer_clear (&self->end_timer);
  dray_child_signal_group (child, SIGKILL);
  dray_child_reap (child);
  dray_process_close_input (self);
  self->undrained = count_unread_bytes (self);
  if (self->undrained == 0)
    {
      self->output_ended = TRUE;
      dray_io_watch_stop (&self->output);
    }
  else
    {
      /* Nobody tells us any more that there is something. */
      dray_process_set_reading (self, TRUE);
      dray_io_watch_set_again (&self->output, TRUE);
    }
  self->funcs->ending (self);
  maybe_gone (self);
}

static void
kill_now (DrayProcess *self)
{
  self->killed = TRUE;
  dray_io_timer_clear (&self->end_timer);
  dray_child_signal_group (self->child, SIGKILL);
  self->funcs->ending (self);
}

static void
end_cb (DrayIoTimer *timer)
{
  DrayProcess *self = PROCESS_OF (timer, end_timer);

  if (self->for_task && !self->terminated && !self->funcs->may_end (self))
    return;

  if (self->terminated || self->half_grace == 0)
    {
      kill_now (self);
      return;
    }

  /* The timer was set for the first half of the grace period; the other half is as long. */
  self->terminated = TRUE;
  dray_child_signal_group (self->child, SIGTERM);
  self->funcs->ending (self);
  dray_io_timer_set (&self->end_timer, self->io, g_get_monotonic_time () + self->half_grace);
}

static gboolean
is_over (DrayProcess *self)
{
  return self->child == NULL || dray_child_has_exited (self->child) || self->killed;
}

static void
end_within (DrayProcess *self, guint grace)
{
  gint64 half = (gint64) grace * G_TIME_SPAN_MILLISECOND / 2;
  gint64 deadline = g_get_monotonic_time () + half;

  if (self->end_timer.io != NULL && self->end_timer.deadline <= deadline)
    return;

  self->half_grace = half;
  dray_io_timer_set (&self->end_timer, self->io, deadline);
}

void
dray_process_end (DrayProcess *self, guint grace)
{
  if (is_over (self))
    return;

  self->for_task = FALSE;
  if (grace == 0)
    kill_now (self);
  else
    end_within (self, grace);
}

void
dray_process_end_task (DrayProcess *self, guint grace)
{
  if (is_over (self))
    return;

  if (self->end_timer.io == NULL && !self->terminated)
    self->for_task = TRUE;
  end_within (self, grace);
}

void
dray_process_terminate (DrayProcess *self, guint grace)
{
  if (grace == 0)
    {
      dray_process_end (self, 0);
      return;
    }

  if (self->terminated || self->killed || dray_child_has_exited (self->child))
    return;

  self->terminated = TRUE;
  dray_child_signal_group (self->child, SIGTERM);
  dray_io_timer_set (&self->end_timer, self->io,
                     g_get_monotonic_time () + (gint64) grace * G_TIME_SPAN_MILLISECOND);
  self->funcs->ending (self);
}

void
dray_process_set_end_time (DrayProcess *self, gint64 deadline)
{
  if (self->for_task && !self->terminated && !is_over (self))
    dray_io_timer_set (&self->end_timer, self->io, deadline);
}

gboolean
dray_process_is_ending (DrayProcess *self)
{
  return self->terminated || self->killed || self->output_ended
         || dray_child_has_exited (self->child);
}

void
dray_process_spare (DrayProcess *self)
{
  if (!self->for_task || self->terminated)
    return;

  self->for_task = FALSE;
  dray_io_timer_clear (&self->end_timer);
}

/* --- Output and errors --- */

/* Returns whether it is gone with that. */
static gboolean
end_output (DrayProcess *self)
{
  self->output_ended = TRUE;
  dray_io_watch_stop (&self->output);
  dray_process_end (self, END_TIME);
  self->funcs->ending (self);
  return maybe_gone (self);
}

static void
output_ready_cb (DrayIoWatch *watch, guint32 events)
{
  DrayProcess *self = PROCESS_OF (watch, output);

  if (!self->funcs->read_output (self, events == 0) || is_drained (self))
    end_output (self);
  else if (dray_child_has_exited (self->child))
    dray_io_watch_set_again (watch, TRUE); /* or what is left may be gone, and nobody tells us */
}

gboolean
dray_process_hear (DrayProcess *self)
{
  for (guint i = 0; i < MAX_HEARD && self->reading && count_unread_bytes (self) > 0; i++)
    if (!self->funcs->read_output (self, TRUE) || is_drained (self))
      return !end_output (self);

  return TRUE;
}

void
dray_process_note_read (DrayProcess *self, gsize size)
{
  self->undrained -= MIN (size, self->undrained);
}

static void
end_errors (DrayProcess *self)
{
  dray_io_watch_stop (&self->errors);
  close_fd (&self->errors_fd);
}

/* Returns whether there may be more. */
static gboolean
read_errors (DrayProcess *self)
{
  guint8 bytes[16 * 1024];
  gssize size = read (self->errors_fd, bytes, sizeof bytes);

  if (size > 0)
    dray_tail_add (&self->tail, bytes, (gsize) size);
  else if (size == 0 || (errno != EAGAIN && errno != EINTR))
    end_errors (self);

  return size == (gssize) sizeof bytes;
}

static void
errors_ready_cb (DrayIoWatch *watch, guint32 events)
{
  read_errors (PROCESS_OF (watch, errors));
}

char *
dray_process_dup_last_words (DrayProcess *self)
{
  g_autofree char *lines = NULL;

  /* What was written before the end may still lie in the pipe; not more than that holds. */
  for (gsize i = 0; i < PIPE_SIZE && self->errors_fd >= 0 && read_errors (self); i += 16 * 1024)
    ;

  lines = dray_tail_dup_lines (&self->tail, MAX_ERROR_LINES);
  if (lines == NULL)
    return g_strdup ("");

  /* Translators: this ends the message of an error, before what the process wrote. */
  return g_strdup_printf ("\n%s\n%s", _ ("It said:"), lines);
}

static void
input_ready_cb (DrayIoWatch *watch, guint32 events)
{
  DrayProcess *self = PROCESS_OF (watch, input);

  self->funcs->write_input (self);
}

void
dray_process_set_reading (DrayProcess *self, gboolean reading)
{
  /* What a process has left behind is not much, and its task has to end even if nobody ever takes
   * what was read. */
  reading = reading || (self->child != NULL && dray_child_has_exited (self->child));
  if (self->reading == reading || self->output_ended)
    return;

  self->reading = reading;
  dray_io_watch_set_events (&self->output, reading ? EPOLLIN : 0);
  dray_io_watch_set_again (&self->output, reading);
}

void
dray_process_set_writing (DrayProcess *self, gboolean writing)
{
  if (self->input.io != NULL)
    dray_io_watch_set_events (&self->input, writing ? EPOLLOUT : 0);
}

void
dray_process_close_input (DrayProcess *self)
{
  dray_io_watch_stop (&self->input);
  close_fd (&self->input_fd);
}

/* --- The start --- */

/* One pipe, both ends close-on-exec, our end non-blocking. A pipe has no other flags. */
static gboolean
make_pipe (int *ours, int *theirs, gboolean we_read, GError **error)
{
  int fds[2];

  if (!dray_descriptor_open_pipe (fds, error))
    return FALSE;

  *ours = fds[we_read ? 0 : 1];
  *theirs = fds[we_read ? 1 : 0];
  if (fcntl (*ours, F_SETFL, O_NONBLOCK) == 0)
    return TRUE;

  g_set_error_literal (error, G_UNIX_ERROR, 0, g_strerror (errno));
  return FALSE;
}

/* A pipe stays as it is where the user's quota of pipe memory is used. */
void
dray_process_enlarge_pipes (DrayProcess *self)
{
  if (self->input_fd >= 0)
    (void) fcntl (self->input_fd, F_SETPIPE_SZ, PIPE_SIZE);
  (void) fcntl (self->output_fd, F_SETPIPE_SZ, PIPE_SIZE);
}

static gboolean
watch_descriptors (DrayProcess *self, GError **error)
{
  self->input.ready = input_ready_cb;
  self->output.ready = output_ready_cb;
  self->errors.ready = errors_ready_cb;
  self->reading = TRUE;

  return (self->input_fd < 0
          || dray_io_watch_start (&self->input, self->io, self->input_fd, 0, error))
         && dray_io_watch_start (&self->output, self->io, self->output_fd, EPOLLIN, error)
         && (self->errors_fd < 0
             || dray_io_watch_start (&self->errors, self->io, self->errors_fd, EPOLLIN, error));
}

static gboolean
is_last_scarce (DrayProcess *self, const int theirs[3])
{
  int last = MAX (self->output_fd, MAX (self->input_fd, self->errors_fd));

  for (int i = 0; i < 3; i++)
    last = MAX (last, theirs[i]);
  return dray_descriptor_is_scarce (last);
}

static gboolean
make_pipes (DrayProcess *self,
            DraySpawn *spawn,
            int theirs[3],
            gboolean pipe_input,
            gboolean capture_errors,
            GError **error)
{
  if (!make_pipe (&self->output_fd, &theirs[1], TRUE, error)
      || (pipe_input && !make_pipe (&self->input_fd, &theirs[0], FALSE, error))
      || (capture_errors && !make_pipe (&self->errors_fd, &theirs[2], TRUE, error)))
    return FALSE;

  if (spawn->modest && is_last_scarce (self, theirs))
    {
      g_set_error_literal (error, G_UNIX_ERROR, 0, dray_strerror (EMFILE));
      return FALSE;
    }

  spawn->stdout_fd = theirs[1];
  if (pipe_input)
    spawn->stdin_fd = theirs[0];
  if (capture_errors)
    spawn->stderr_fd = theirs[2];
  else
    spawn->stderr_fd = fcntl (STDERR_FILENO, F_GETFD) != -1 ? STDERR_FILENO : -1;
  return TRUE;
}

static void
set_launch_error (GError **error, const char *program, const GError *reason)
{
  g_autofree char *name = g_filename_display_name (program);

  g_set_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH,
               _ ("Could not start “%s”: %s"), name, reason->message);
}

gboolean
dray_process_start (DrayProcess *self,
                    DrayPool *pool,
                    const DrayProcessFuncs *funcs,
                    DraySpawn *spawn,
                    gboolean pipe_input,
                    gboolean capture_errors,
                    GError **error)
{
  int theirs[3] = { -1, -1, -1 };
  g_autoptr (GError) reason = NULL;

  self->funcs = funcs;
  self->pool = pool;
  self->io = pool->io;
  self->input_fd = self->output_fd = self->errors_fd = -1;
  self->end_timer.expired = end_cb;

  /* Of pipes, and of room to watch them, there can only be too few. */
  spawn->is_scarce = TRUE;
  if (make_pipes (self, spawn, theirs, pipe_input, capture_errors, &reason)
      && watch_descriptors (self, &reason))
    self->child = dray_child_spawn (self->io, spawn, exited_cb, self, &reason);

  for (int i = 0; i < 3; i++)
    close_fd (&theirs[i]);

  if (self->child != NULL)
    return TRUE;

  dray_process_clear (self);
  if (reason->domain == DRAY_ERROR)
    g_propagate_error (error, g_steal_pointer (&reason));
  else
    set_launch_error (error, spawn->argv[0], reason);
  return FALSE;
}

void
dray_process_forked (DrayProcess *self)
{
  if (self->funcs == NULL)
    return;

  close_fd (&self->input_fd);
  close_fd (&self->output_fd);
  close_fd (&self->errors_fd);
  if (self->child != NULL)
    dray_child_forked (self->child);
}

void
dray_process_clear (DrayProcess *self)
{
  /* Zeroed memory still: its descriptors are not 0, they are none. */
  if (self->funcs == NULL)
    return;

  dray_io_timer_clear (&self->end_timer);
  dray_io_watch_stop (&self->input);
  dray_io_watch_stop (&self->output);
  dray_io_watch_stop (&self->errors);
  close_fd (&self->input_fd);
  close_fd (&self->output_fd);
  close_fd (&self->errors_fd);
  g_clear_pointer (&self->child, dray_child_free);
}
