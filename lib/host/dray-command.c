/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-command.h"

#include "dray-error-private.h"
#include "dray-flow.h"
#include "dray-task-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <unistd.h>

#define MAX_READS 8

/* What a pipe holds. Most commands say less, and read less, and need no larger one. */
#define PIPE_SIZE (64 * 1024)

#define COMMAND_OF(pointer, member) \
  ((DrayCommand *) (gpointer) ((guint8 *) (pointer) -G_STRUCT_OFFSET (DrayCommand, member)))

/* It has a large output, or a large input. */
static void
expect_much (DrayCommand *self)
{
  if (!self->expects_much)
    dray_process_enlarge_pipes (&self->process);
  self->expects_much = TRUE;
}

/* --- Input --- */

static void
write_input (DrayProcess *process)
{
  DrayCommand *self = (DrayCommand *) process;
  gsize size;
  const guint8 *bytes = g_bytes_get_data (self->input, &size);
  gssize written = write (process->input_fd, bytes + self->input_written,
                          size - self->input_written);

  if (written >= 0)
    {
      self->input_written += (gsize) written;
      dray_pool_lock (self->pool);
      self->pool->counters.bytes_out += (guint64) written;
      dray_pool_unlock (self->pool);
    }

  /* A command that doesn't read all of its input has its reasons. */
  if (self->input_written == size || (written < 0 && errno != EAGAIN && errno != EINTR))
    dray_process_close_input (process);
}

/* --- Output --- */

static void
fail (DrayCommand *self, GError *failure)
{
  if (self->failure == NULL)
    self->failure = failure;
  else
    g_error_free (failure);

  dray_process_terminate (&self->process, self->pool->now.grace_period);
}

/* What the splitter says is for the middle of a sentence. */
static GError *
name_command (DrayCommand *self, const GError *error)
{
  /* Translators: the command, then what is wrong with its output, in the middle of a sentence. */
  return g_error_new (error->domain, error->code,
                      _ ("“%s”: %s"), dray_task_get_label (self->ticket->task), error->message);
}

/* FALSE: the output can't be split. */
static gboolean
deliver_items (DrayCommand *self)
{
  g_autoptr (GError) error = NULL;
  GVariant *item;

  while ((item = dray_splitter_next (self->splitter, &error)) != NULL)
    {
      dray_pool_lock (self->pool);
      dray_ticket_add_item_locked (self->ticket, item);
      dray_pool_unlock (self->pool);
    }

  if (error == NULL)
    return TRUE;

  fail (self, name_command (self, error));
  return FALSE;
}

static gboolean
read_output (DrayProcess *process, gboolean again)
{
  DrayCommand *self = (DrayCommand *) process;
  gboolean open = TRUE;
  guint64 n_bytes = 0;

  for (guint i = 0; i < MAX_READS && open && process->reading; i++)
    {
      gsize size;
      guint8 *space = dray_splitter_get_space (self->splitter, &size);
      gssize n_read = read (process->output_fd, space, size);

      if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
        break;

      open = n_read > 0;
      if (!open)
        break;

      n_bytes += (guint64) n_read;
      if (n_read >= PIPE_SIZE / 2)
        expect_much (self);
      dray_process_note_read (process, (gsize) n_read);
      dray_splitter_take (self->splitter, (gsize) n_read);
      open = deliver_items (self);
      dray_command_update_reading (self);
    }

  dray_pool_lock (self->pool);
  self->pool->counters.bytes_in += n_bytes;
  dray_pool_unlock (self->pool);

  return open;
}

void
dray_command_update_reading (DrayCommand *self)
{
  DrayPool *pool = self->pool;
  gboolean reading;

  dray_pool_lock (pool);
  reading = dray_flow_may_read_locked (self->ticket);
  dray_pool_unlock (pool);

  dray_process_set_reading (&self->process, reading);
}

/* --- The end --- */

static GError *
describe_exit (DrayCommand *self, const DrayExit *how)
{
  const char *label = dray_task_get_label (self->ticket->task);
  g_autofree char *described = dray_exit_describe (how);
  g_autofree char *last_words = dray_process_dup_last_words (&self->process);
  GQuark domain = how->signal != 0 ? DRAY_SIGNAL_ERROR : G_SPAWN_EXIT_ERROR;
  int code = how->signal != 0 ? how->signal : how->exit_status;

  if (!how->known)
    {
      domain = DRAY_ERROR;
      code = DRAY_ERROR_FAILED;
    }

  /* Translators: the command, how it ended ("exited with status 3"), what it said. */
  return g_error_new (domain, code, _ ("“%s” %s%s"), label, described, last_words);
}

static GError *
find_error (DrayCommand *self)
{
  const DrayExit *how = dray_child_get_exit (self->process.child);

  if (self->failure == NULL && how->known && how->exit_status == 0)
    return NULL;

  if (dray_ticket_is_cancel_requested (self->ticket))
    return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("The task was cancelled"));

  if (self->failure != NULL)
    return g_steal_pointer (&self->failure);

  return describe_exit (self, how);
}

static void
complete (DrayCommand *self)
{
  g_autoptr (GError) refusal = NULL;
  GError *error = NULL;
  GVariant *result = NULL;

  /* A signal may have come in the middle of a record: what nothing ends is a part of one then. */
  if (self->failure == NULL && dray_child_get_exit (self->process.child)->signal == 0)
    {
      dray_splitter_end (self->splitter);
      deliver_items (self);
    }

  error = find_error (self);
  if (error == NULL)
    result = dray_splitter_dup_result (self->splitter, &refusal);
  if (refusal != NULL)
    error = name_command (self, refusal);
  dray_ticket_complete (self->ticket, result, error);
}

static void
dray_command_free (DrayCommand *self)
{
  dray_io_timer_clear (&self->time_limit);
  dray_process_clear (&self->process);
  g_clear_pointer (&self->splitter, dray_splitter_free);
  g_clear_pointer (&self->input, g_bytes_unref);
  g_clear_error (&self->failure);
  dray_ticket_unref (self->ticket);
  g_free (self);
}

static void
gone (DrayProcess *process)
{
  DrayCommand *self = (DrayCommand *) process;
  DrayPool *pool = self->pool;

  complete (self);
  g_queue_unlink (&pool->running_commands, &self->link);
  dray_command_free (self);
  dray_pool_note_process_gone (pool);
  dray_pool_dispatch (pool);
}

static void
ending (DrayProcess *process)
{
}

static void
out_of_time_cb (DrayIoTimer *timer)
{
  DrayCommand *self = COMMAND_OF (timer, time_limit);
  DrayTask *task = self->ticket->task;

  /* It may have ended in time, while this process was stopped. */
  if (dray_child_look (self->process.child))
    return;

  dray_ticket_complete (self->ticket, NULL,
                        g_error_new (DRAY_ERROR, DRAY_ERROR_TIMED_OUT,
                                     _ ("“%s” took longer than its limit of %.3g s"),
                                        dray_task_get_label (task),
                                        dray_task_get_time_limit (task) / 1000.0));
  dray_command_cancel (self);
}

/* A command hears no polite word; TERM is that. */
void
dray_command_cancel (DrayCommand *self)
{
  dray_command_end (self, self->pool->now.grace_period);
}

void
dray_command_end (DrayCommand *self, guint grace)
{
  dray_process_terminate (&self->process, grace);
  dray_command_update_reading (self);
}

/* --- The start --- */

static const DrayProcessFuncs funcs = {
  .read_output = read_output,
  .write_input = write_input,
  .ending = ending,
  .gone = gone,
};

/* @scarce: whether it could not be started for want of something. */
static gboolean
start_process (DrayCommand *self, gboolean *scarce, GError **error)
{
  DrayTask *task = self->ticket->task;
  const char *const *environment = dray_task_get_environment (task);
  DraySpawn spawn = {
    .argv = dray_task_get_argv (task),
    .environment = environment != NULL ? environment
                                       : (const char *const *) self->pool->environment,
    .searches_environment = TRUE,
    .directory = dray_task_get_directory (task),
    .stdin_fd = dray_task_get_input_fd (task),
    .passage_fd = -1,
    .ring_fd = -1,
    .dies_with_parent = TRUE,
    .is_leashed = TRUE,
    .runs_scripts = TRUE,
  };

  gboolean started = dray_process_start (&self->process, self->pool, &funcs, &spawn,
                                         self->input != NULL, TRUE, error);

  *scarce = !started && spawn.is_scarce;
  return started;
}

static void
begin (DrayCommand *self)
{
  DrayPool *pool = self->pool;
  guint limit = dray_task_get_time_limit (self->ticket->task);

  pool->n_start_failures = 0;
  if (limit > 0)
    dray_io_timer_set (&self->time_limit, self->process.io,
                       g_get_monotonic_time () + (gint64) limit * G_TIME_SPAN_MILLISECOND);
  if (self->input != NULL && g_bytes_get_size (self->input) > PIPE_SIZE)
    expect_much (self);
  if (self->input != NULL)
    dray_process_set_writing (&self->process, TRUE);

  dray_pool_lock (pool);
  pool->counters.commands_started++;
  dray_ticket_start_locked (self->ticket);
  dray_pool_unlock (pool);
  g_queue_push_tail_link (&pool->running_commands, &self->link);
}

void
dray_command_start (DrayPool *pool, DrayTicket *ticket)
{
  DrayCommand *self;
  DrayTask *task = ticket->task;
  gboolean scarce = FALSE;
  GError *error = NULL;

  if (dray_ticket_is_done (ticket))
    {
      dray_ticket_unref (ticket); /* cancelled on its way here */
      return;
    }

  self = g_new0 (DrayCommand, 1);
  self->pool = pool;
  self->ticket = ticket;
  self->link.data = self;
  self->time_limit.expired = out_of_time_cb;
  self->input = dray_ticket_dup_input (ticket);
  self->splitter = dray_splitter_new (dray_task_get_split (task), dray_task_get_encoding (task),
                                      dray_task_get_max_record_size (task),
                                      dray_task_get_max_output_size (task));

  if (start_process (self, &scarce, &error))
    {
      begin (self);
      return;
    }

  if (scarce)
    dray_pool_put_off_command (pool, dray_ticket_ref (ticket), error);
  else
    dray_ticket_complete (ticket, NULL, error);
  dray_command_free (self);
}
