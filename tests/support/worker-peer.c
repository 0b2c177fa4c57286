/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker-peer.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

void
worker_peer_set_up (WorkerPeer *self, gconstpointer data)
{
  /* A worker that is gone is an error of write() here. */
  signal (SIGPIPE, SIG_IGN);

  fixture_set_up (&self->fixture, data);
  self->input_fd = self->output_fd = self->errors_fd = -1;
  self->decoder = dray_decoder_new (G_MAXUINT32);
  self->outbox = dray_outbox_new ();
}

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

void
worker_peer_tear_down (WorkerPeer *self, gconstpointer data)
{
  if (self->pid != 0)
    {
      kill (-self->pid, SIGKILL);
      kill (self->pid, SIGKILL);
      waitpid (self->pid, NULL, 0);
    }

  close_fd (&self->input_fd);
  close_fd (&self->output_fd);
  close_fd (&self->errors_fd);
  g_clear_pointer (&self->decoder, dray_decoder_free);
  g_clear_pointer (&self->outbox, dray_outbox_free);
  g_clear_pointer (&self->passage, dray_passage_free);
  g_clear_pointer (&self->ring, dray_ring_free);
  fixture_tear_down (&self->fixture, data);
}

/* @source_fd: -1 if it has nothing beside the standard ones */
static void
spawn (WorkerPeer *self,
       const char *mode,
       const char *variable,
       GSpawnChildSetupFunc prepare,
       gpointer data,
       int source_fd,
       int target_fd)
{
  g_autofree char *program = fixture_dup_misbehaving_worker ();
  const char *argv[] = { program, mode, NULL };
  g_auto (GStrv) environment = g_get_environ ();
  g_autoptr (GError) error = NULL;

  if (variable != NULL)
    {
      g_auto (GStrv) parts = g_strsplit (variable, "=", 2);

      environment = g_environ_setenv (environment, parts[0], parts[1], TRUE);
    }

  g_spawn_async_with_pipes_and_fds (NULL, argv, (const char *const *) environment,
                                    G_SPAWN_DO_NOT_REAP_CHILD, prepare, data, -1, -1, -1,
                                    &source_fd, &target_fd, source_fd >= 0 ? 1 : 0, &self->pid,
                                    &self->input_fd, &self->output_fd, &self->errors_fd, &error);
  g_assert_no_error (error);
}

void
worker_peer_spawn (WorkerPeer *self, const char *mode, const char *variable)
{
  spawn (self, mode, variable, NULL, NULL, -1, -1);
}

void
worker_peer_spawn_prepared (WorkerPeer *self, GSpawnChildSetupFunc prepare, gpointer data)
{
  spawn (self, NULL, NULL, prepare, data, -1, -1);
}

void
worker_peer_spawn_with_passage (WorkerPeer *self)
{
  g_autoptr (GError) error = NULL;
  int theirs;

  self->passage = dray_passage_new (&theirs, &error);
  g_assert_no_error (error);
  spawn (self, NULL, NULL, NULL, NULL, theirs, DRAY_PASSAGE_DESCRIPTOR);
  close (theirs);
}

void
worker_peer_spawn_with_ring (WorkerPeer *self)
{
  g_autoptr (GError) error = NULL;

  self->ring = dray_ring_new (&error);
  g_assert_no_error (error);
  spawn (self, NULL, NULL, NULL, NULL, dray_ring_get_descriptor (self->ring), DRAY_RING_DESCRIPTOR);
  dray_ring_close_descriptor (self->ring);
}

void
worker_peer_start (WorkerPeer *self)
{
  worker_peer_spawn (self, NULL, NULL);
  worker_peer_make_ready (self);
}

void
worker_peer_make_ready (WorkerPeer *self)
{
  worker_peer_greet (self, NULL);
  g_bytes_unref (worker_peer_expect (self, DRAY_FRAME_READY, 0));
}

void
worker_peer_hear_hello (WorkerPeer *self)
{
  g_autoptr (GBytes) payload = worker_peer_expect (self, DRAY_FRAME_HELLO, 0);
  const DrayFrameHeader header = { .type = DRAY_FRAME_HELLO, .version = DRAY_PROTOCOL_VERSION };
  g_auto (DrayHello) theirs = { 0 };
  g_autoptr (GError) error = NULL;

  dray_hello_decode (&header, payload, DRAY_ROLE_WORKER, &theirs, &error);
  g_assert_no_error (error);
  g_assert_cmpint (theirs.pid, ==, self->pid);
}

void
worker_peer_say_hello (WorkerPeer *self, GVariant *arguments)
{
  g_auto (DrayHello) ours = { .role = DRAY_ROLE_HOST, .version = DRAY_PROTOCOL_VERSION };
  g_auto (DrayMessage) message = { 0 };

  if (self->passage != NULL)
    ours.cookie = g_bytes_ref (dray_passage_get_cookie (self->passage));
  if (self->ring != NULL)
    ours.ring = dray_ring_get_cookie (self->ring);
  ours.arguments = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  dray_message_init_hello (&message, &ours);
  worker_peer_send (self, &message);
}

void
worker_peer_greet (WorkerPeer *self, GVariant *arguments)
{
  worker_peer_hear_hello (self);
  worker_peer_say_hello (self, arguments);
}

/* Sending */

void
worker_peer_push (WorkerPeer *self, DrayMessage *message)
{
  dray_outbox_push (self->outbox, message);
}

void
worker_peer_send (WorkerPeer *self, DrayMessage *message)
{
  g_autoptr (GError) error = NULL;

  worker_peer_push (self, message);
  dray_outbox_flush (self->outbox, self->input_fd, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (dray_outbox_is_empty (self->outbox));
}

void
worker_peer_send_raw (WorkerPeer *self, const void *bytes, gsize size)
{
  g_assert_cmpint (write (self->input_fd, bytes, size), ==, size);
}

static void
init_submit (DrayMessage *message, guint64 id, const char *function, const char *arguments)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  if (arguments != NULL)
    value = g_variant_parse (NULL, arguments, NULL, NULL, &error);
  g_assert_no_error (error);

  dray_message_init_submit (message, id, 1, function, value, G_MAXUINT32, &error);
  g_assert_no_error (error);
}

void
worker_peer_push_submit (WorkerPeer *self, guint64 id, const char *function, const char *arguments)
{
  g_auto (DrayMessage) message = { 0 };

  init_submit (&message, id, function, arguments);
  worker_peer_push (self, &message);
}

void
worker_peer_submit (WorkerPeer *self, guint64 id, const char *function, const char *arguments)
{
  g_auto (DrayMessage) message = { 0 };

  init_submit (&message, id, function, arguments);
  worker_peer_send (self, &message);
}

void
worker_peer_try_submit (WorkerPeer *self, guint64 id, const char *function, const char *arguments)
{
  g_autoptr (GError) error = NULL;

  worker_peer_push_submit (self, id, function, arguments);
  if (!dray_outbox_flush (self->outbox, self->input_fd, NULL, &error))
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
}

void
worker_peer_cancel (WorkerPeer *self, guint64 id)
{
  g_auto (DrayMessage) message = { 0 };

  dray_message_init_empty (&message, DRAY_FRAME_CANCEL, id, 1);
  worker_peer_send (self, &message);
}

void
worker_peer_recall (WorkerPeer *self)
{
  g_auto (DrayMessage) message = { 0 };

  dray_message_init_empty (&message, DRAY_FRAME_RECALL, 0, 0);
  worker_peer_send (self, &message);
}

void
worker_peer_goodbye (WorkerPeer *self)
{
  g_auto (DrayMessage) message = { 0 };

  dray_message_init_empty (&message, DRAY_FRAME_GOODBYE, 0, 0);
  worker_peer_send (self, &message);
}

void
worker_peer_close_input (WorkerPeer *self)
{
  close_fd (&self->input_fd);
}

void
worker_peer_close_output (WorkerPeer *self)
{
  close_fd (&self->output_fd);
}

/* Hearing */

/* Reads once, at most until the deadline. Returns: the number of bytes; 0 at the end */
static gsize
read_in_time (int fd, guint8 *space, gsize size)
{
  struct pollfd readable = { .fd = fd, .events = POLLIN };
  gint64 left = fixture_get_deadline () - g_get_monotonic_time ();
  gssize n_read;

  if (poll (&readable, 1, (int) (left / 1000)) <= 0)
    g_error ("waited in vain for the worker to say something");

  n_read = read (fd, space, size);
  g_assert_cmpint (n_read, >=, 0);

  return n_read;
}

GBytes *
worker_peer_hear (WorkerPeer *self, DrayFrameHeader *header)
{
  GBytes *payload;
  g_autoptr (GError) error = NULL;

  while (!dray_decoder_next (self->decoder, header, &payload, &error))
    {
      gsize size, n_read;
      guint8 *space;

      g_assert_no_error (error);
      space = dray_decoder_get_space (self->decoder, &size);
      n_read = read_in_time (self->output_fd, space, size);
      if (n_read == 0)
        return NULL;
      dray_decoder_take (self->decoder, n_read);
    }

  return payload;
}

GBytes *
worker_peer_expect (WorkerPeer *self, DrayFrameType type, guint64 id)
{
  DrayFrameHeader header = { 0 };
  GBytes *payload = worker_peer_hear (self, &header);

  if (payload == NULL)
    g_error ("the worker ended, where it should have sent a frame “%s”",
             dray_frame_type_to_string (type));

  if (header.type == DRAY_FRAME_ERROR && type != DRAY_FRAME_ERROR)
    {
      gboolean malformed;
      g_autoptr (GError) error = dray_error_decode (payload, &malformed);

      g_test_message ("the worker sent the error “%s”", error->message);
    }

  g_assert_cmpstr (dray_frame_type_to_string (header.type), ==, dray_frame_type_to_string (type));
  g_assert_cmpuint (header.task_id, ==, id);
  g_assert_cmpuint (header.attempt, ==, id == 0 ? 0 : 1);

  return payload;
}

GVariant *
worker_peer_expect_value (WorkerPeer *self, DrayFrameType type, guint64 id)
{
  g_autoptr (GBytes) payload = worker_peer_expect (self, type, id);
  g_autoptr (GError) error = NULL;
  GVariant *value = dray_value_decode (payload, &error);

  g_assert_no_error (error);

  return value;
}

void
worker_peer_expect_text (WorkerPeer *self, DrayFrameType type, guint64 id, const char *expected)
{
  g_autoptr (GVariant) value = worker_peer_expect_value (self, type, id);
  g_autofree char *text = g_variant_print (value, TRUE);

  g_assert_cmpstr (text, ==, expected);
}

void
worker_peer_expect_error (
  WorkerPeer *self, guint64 id, GQuark domain, int code, const char *message)
{
  g_autoptr (GBytes) payload = worker_peer_expect (self, DRAY_FRAME_ERROR, id);
  gboolean malformed = TRUE;
  g_autoptr (GError) error = dray_error_decode (payload, &malformed);

  g_assert_false (malformed);
  g_assert_error (error, domain, code);
  if (message != NULL)
    g_assert_cmpstr (error->message, ==, message);
}

void
worker_peer_expect_status (WorkerPeer *self, guint64 id, const char *text)
{
  g_autoptr (GBytes) payload = worker_peer_expect (self, DRAY_FRAME_PROGRESS, id);
  g_autofree char *status = NULL;
  g_autoptr (GError) error = NULL;
  double fraction;

  dray_progress_decode (payload, &fraction, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (status, ==, text);
}

void
worker_peer_expect_returned (WorkerPeer *self, guint64 id)
{
  g_bytes_unref (worker_peer_expect (self, DRAY_FRAME_RETURNED, id));
}

/* The end */

/* (transfer full): all that comes until the last holder of the other end has closed it */
static char *
read_to_end (int fd)
{
  g_autoptr (GString) text = g_string_new (NULL);
  guint8 buffer[4096];
  gsize n_read;

  while ((n_read = read_in_time (fd, buffer, sizeof buffer)) > 0)
    g_string_append_len (text, (const char *) buffer, n_read);

  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* (out): as of waitpid() */
static char *
expect_end (WorkerPeer *self, int *status)
{
  DrayFrameHeader header;
  char *errors;

  if (self->output_fd >= 0)
    g_assert_null (worker_peer_hear (self, &header));
  g_assert_false (dray_decoder_has_partial (self->decoder));
  errors = read_to_end (self->errors_fd);

  fixture_iterate_until_gone (self->pid);
  g_assert_cmpint (waitpid (self->pid, status, 0), ==, self->pid);
  self->pid = 0;

  return errors;
}

char *
worker_peer_expect_exit (WorkerPeer *self, int exit_status)
{
  int status = 0;
  char *errors = expect_end (self, &status);

  if (!WIFEXITED (status) || WEXITSTATUS (status) != exit_status)
    g_test_message ("the worker wrote: %s", errors);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, exit_status);

  return errors;
}

char *
worker_peer_expect_signal (WorkerPeer *self, int signal_number)
{
  int status = 0;
  char *errors = expect_end (self, &status);

  g_assert_true (WIFSIGNALED (status));
  g_assert_cmpint (WTERMSIG (status), ==, signal_number);

  return errors;
}
