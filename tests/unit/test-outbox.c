/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-decoder.h"
#include "dray-outbox.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* How messages get into a pipe, however little it takes at a time. */

#define KIB ((gsize) 1024)
#define MIB (1024 * KIB)
#define MAX_PAYLOAD (256 * MIB)

typedef struct
{
  int reader;
  int writer;
} Pipe;

/* The writing end is non-blocking, and holds a page. */
static void
open_small_pipe (Pipe *channel)
{
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  g_unix_set_fd_nonblocking (fds[1], TRUE, &error);
  g_assert_no_error (error);
  fcntl (fds[1], F_SETPIPE_SZ, 4096);
  channel->reader = fds[0];
  channel->writer = fds[1];
}

static void
close_pipe (Pipe *channel)
{
  if (channel->reader >= 0)
    close (channel->reader);
  if (channel->writer >= 0)
    close (channel->writer);
}

/* (transfer floating): the value of message number @n; small ones, large ones, and some around
 * the size from which they are not copied. */
static GVariant *
make_value (guint n)
{
  static const gsize sizes[] = {
    0, 1, 10, 100, 90, 104, 4000, 16 * KIB, 32 * KIB - 8, 32 * KIB, 33 * KIB, 3, 200 * KIB, 5,
  };
  static guint8 pattern[201 * 1024];
  gsize size = sizes[n % G_N_ELEMENTS (sizes)];

  if (pattern[1] == 0)
    for (gsize i = 0; i < sizeof pattern; i++)
      pattern[i] = i + (i >> 8) * 3;

  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, pattern + n % 1024, size, TRUE, NULL,
                                  NULL);
}

static void
push_value (DrayOutbox *outbox, guint n)
{
  const DrayFrameHeader header = { .type = DRAY_FRAME_ITEM, .task_id = n, .attempt = 1 };
  g_autoptr (GVariant) value = g_variant_ref_sink (make_value (n));
  g_autoptr (GError) error = NULL;
  DrayMessage message;

  g_assert_true (dray_message_init_value (&message, &header, value, MAX_PAYLOAD, &error));
  g_assert_no_error (error);
  dray_outbox_push (outbox, &message);
  g_assert_cmpuint (dray_message_get_size (&message), ==, 0);
}

/* Takes what the decoder has, and checks that it is what was pushed, from number *@next on. */
static void
expect_values (DrayDecoder *decoder, guint *next)
{
  g_autoptr (GError) error = NULL;
  DrayFrameHeader header;
  GBytes *payload;

  while (dray_decoder_next (decoder, &header, &payload, &error))
    {
      g_autoptr (GVariant) expected = g_variant_ref_sink (make_value (*next));
      g_autoptr (GVariant) value = dray_value_decode (payload, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (header.task_id, ==, *next);
      g_assert_true (g_variant_equal (value, expected));
      g_bytes_unref (payload);
      (*next)++;
    }
  g_assert_no_error (error);
}

/* Reads once. Returns: FALSE at the end of the stream */
static gboolean
read_some (int fd, DrayDecoder *decoder, gsize most)
{
  gsize size;
  guint8 *space = dray_decoder_get_space (decoder, &size);
  gssize n_bytes = read (fd, space, MIN (size, most));

  g_assert_cmpint (n_bytes, >=, 0);
  dray_decoder_take (decoder, n_bytes);
  return n_bytes > 0;
}

static void
test_small_pipe (void)
{
  g_autoptr (DrayOutbox) outbox = dray_outbox_new ();
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
  const guint n_messages = 100;
  gsize total, sum = 0;
  guint next = 0;
  Pipe channel;

  g_test_summary ("Through a pipe that holds a page, everything arrives in order and unchanged, "
                  "and no write blocks.");

  open_small_pipe (&channel);
  g_assert_true (dray_outbox_is_empty (outbox));
  for (guint n = 0; n < n_messages; n++)
    push_value (outbox, n);
  total = dray_outbox_get_size (outbox);

  while (next < n_messages)
    {
      g_autoptr (GError) error = NULL;
      gsize before = dray_outbox_get_size (outbox);
      gsize written;

      g_assert_true (dray_outbox_flush (outbox, channel.writer, &written, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (dray_outbox_get_size (outbox), ==, before - written);
      sum += written;

      g_assert_true (read_some (channel.reader, decoder, 1 + sum % 5000));
      expect_values (decoder, &next);
    }

  g_assert_cmpuint (sum, ==, total);
  g_assert_true (dray_outbox_is_empty (outbox));
  g_assert_false (dray_decoder_has_partial (decoder));
  close_pipe (&channel);
}

static void
test_push_between (void)
{
  g_autoptr (DrayOutbox) outbox = dray_outbox_new ();
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
  const guint n_messages = 500;
  guint pushed = 0, next = 0;
  Pipe channel;

  g_test_summary ("Messages that are pushed while others are half written come after them.");

  open_small_pipe (&channel);
  while (next < n_messages)
    {
      g_autoptr (GError) error = NULL;

      for (guint i = 0; i <= pushed % 3 && pushed < n_messages; i++)
        push_value (outbox, pushed++);
      g_assert_true (dray_outbox_flush (outbox, channel.writer, NULL, &error));
      g_assert_no_error (error);
      read_some (channel.reader, decoder, G_MAXSIZE);
      expect_values (decoder, &next);
    }

  g_assert_true (dray_outbox_is_empty (outbox));
  close_pipe (&channel);
}

static void
test_full_pipe (void)
{
  g_autoptr (DrayOutbox) outbox = dray_outbox_new ();
  g_autoptr (GError) error = NULL;
  gsize written;
  Pipe channel;

  g_test_summary ("A full pipe takes nothing, which is no error; nor is having nothing to write.");

  open_small_pipe (&channel);
  g_assert_true (dray_outbox_flush (outbox, channel.writer, &written, &error));
  g_assert_cmpuint (written, ==, 0);

  push_value (outbox, 12);
  g_assert_true (dray_outbox_flush (outbox, channel.writer, &written, &error));
  g_assert_cmpuint (written, >, 0);
  g_assert_true (dray_outbox_flush (outbox, channel.writer, &written, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (written, ==, 0);
  g_assert_false (dray_outbox_is_empty (outbox));

  dray_outbox_clear (outbox);
  g_assert_true (dray_outbox_is_empty (outbox));
  close_pipe (&channel);
}

static gpointer
read_values_thread (gpointer data)
{
  const Pipe *channel = data;
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
  guint next = 0;

  while (read_some (channel->reader, decoder, G_MAXSIZE))
    expect_values (decoder, &next);
  g_assert_false (dray_decoder_has_partial (decoder));
  return GUINT_TO_POINTER (next);
}

static void
test_blocking (void)
{
  g_autoptr (DrayOutbox) outbox = dray_outbox_new ();
  g_autoptr (GError) error = NULL;
  const guint n_messages = 300;
  GThread *thread;
  gsize total, written;
  Pipe channel;

  g_test_summary ("On a blocking descriptor one flush writes everything, while the other side "
                  "reads.");

  open_small_pipe (&channel);
  g_unix_set_fd_nonblocking (channel.writer, FALSE, &error);
  g_assert_no_error (error);
  for (guint n = 0; n < n_messages; n++)
    push_value (outbox, n);
  total = dray_outbox_get_size (outbox);

  thread = g_thread_new ("reader", read_values_thread, &channel);
  g_assert_true (dray_outbox_flush (outbox, channel.writer, &written, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (written, ==, total);
  g_assert_true (dray_outbox_is_empty (outbox));

  close (g_steal_fd (&channel.writer));
  g_assert_cmpuint (GPOINTER_TO_UINT (g_thread_join (thread)), ==, n_messages);
  close_pipe (&channel);
}

static void
test_reader_gone (void)
{
  g_autoptr (DrayOutbox) outbox = dray_outbox_new ();
  const struct timespec at_once = { 0 };
  sigset_t signals, before;
  Pipe channel;

  g_test_summary ("A reader that has gone is an error. The signal stays where it was blocked.");

  sigemptyset (&signals);
  sigaddset (&signals, SIGPIPE);
  g_assert_cmpint (pthread_sigmask (SIG_BLOCK, &signals, &before), ==, 0);

  open_small_pipe (&channel);
  push_value (outbox, 12);
  close (g_steal_fd (&channel.reader));
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;
      gsize written = 1;

      g_assert_false (dray_outbox_flush (outbox, channel.writer, &written, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
      g_assert_cmpuint (written, ==, 0);
      g_assert_false (dray_outbox_is_empty (outbox));
    }

  /* The thread that wrote has it waiting. */
  g_assert_cmpint (sigtimedwait (&signals, NULL, &at_once), ==, SIGPIPE);
  g_assert_cmpint (pthread_sigmask (SIG_SETMASK, &before, NULL), ==, 0);
  close_pipe (&channel);
}

static void
test_reader_goes (void)
{
  g_autoptr (DrayOutbox) outbox = dray_outbox_new ();
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
  g_autoptr (GError) error = NULL;
  sigset_t signals, before;
  guint next = 0;
  Pipe channel;

  g_test_summary ("A reader that goes in the middle of a body gives an error, too, and what was "
                  "not written can be dropped.");

  sigemptyset (&signals);
  sigaddset (&signals, SIGPIPE);
  g_assert_cmpint (pthread_sigmask (SIG_BLOCK, &signals, &before), ==, 0);

  open_small_pipe (&channel);
  for (guint n = 0; n < 30; n++)
    push_value (outbox, n);
  while (dray_outbox_get_size (outbox) > 100 * KIB)
    {
      g_assert_true (dray_outbox_flush (outbox, channel.writer, NULL, &error));
      g_assert_no_error (error);
      read_some (channel.reader, decoder, G_MAXSIZE);
      expect_values (decoder, &next);
    }

  close (g_steal_fd (&channel.reader));
  g_assert_false (dray_outbox_flush (outbox, channel.writer, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  dray_outbox_clear (outbox);
  g_assert_true (dray_outbox_is_empty (outbox));

  sigtimedwait (&signals, NULL, &(const struct timespec){ 0 });
  g_assert_cmpint (pthread_sigmask (SIG_SETMASK, &before, NULL), ==, 0);
  close_pipe (&channel);
}

static void
test_bad_descriptor (void)
{
  g_autoptr (DrayOutbox) outbox = dray_outbox_new ();
  g_autoptr (GError) error = NULL;
  Pipe channel;

  g_test_summary ("A descriptor that cannot be written to is an error, at once.");

  open_small_pipe (&channel);
  push_value (outbox, 3);
  g_assert_false (dray_outbox_flush (outbox, channel.reader, NULL, &error));
  g_assert_nonnull (error);
  g_assert_true (error->domain == G_IO_ERROR);
  close_pipe (&channel);
}

static void
count_free_cb (gpointer data)
{
  guint *n_freed = data;

  (*n_freed)++;
}

static void
test_body (void)
{
  static guint8 bytes[1024 * 1024];
  const DrayFrameHeader header = { .type = DRAY_FRAME_RESULT, .task_id = 1, .attempt = 1 };
  DrayOutbox *outbox = dray_outbox_new ();
  g_autoptr (GError) error = NULL;
  DrayMessage message;
  guint n_freed = 0;

  g_test_summary ("A large value is held, not copied, until it is written or dropped.");

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_from_data (
        G_VARIANT_TYPE_BYTESTRING, bytes, sizeof bytes, TRUE, count_free_cb, &n_freed));

      g_assert_true (dray_message_init_value (&message, &header, value, MAX_PAYLOAD, &error));
      g_assert_true (g_bytes_get_data (message.body, NULL) == bytes);
      dray_outbox_push (outbox, &message);
    }

  g_assert_cmpuint (dray_outbox_get_size (outbox), ==, 2 * (24 + sizeof bytes + 8));
  g_assert_cmpuint (n_freed, ==, 0);
  dray_outbox_clear (outbox);
  g_assert_cmpuint (n_freed, ==, 2);
  g_assert_cmpuint (dray_outbox_get_size (outbox), ==, 0);

  /* It can be used again. */
  push_value (outbox, 1);
  g_assert_false (dray_outbox_is_empty (outbox));
  dray_outbox_free (outbox);
}

static void
test_peek (void)
{
  g_autoptr (DrayOutbox) outbox = dray_outbox_new ();
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (MAX_PAYLOAD);
  guint next = 0;
  gsize size;

  g_test_summary ("What somebody else writes is looked at, and dropped, in pieces of any size.");

  g_assert_null (dray_outbox_peek (outbox, &size));
  g_assert_cmpuint (size, ==, 0);
  for (guint n = 0; n < 14; n++)
    push_value (outbox, n);

  while (!dray_outbox_is_empty (outbox))
    {
      const guint8 *bytes = dray_outbox_peek (outbox, &size);
      gsize space_size;
      guint8 *space = dray_decoder_get_space (decoder, &space_size);

      g_assert_cmpuint (size, >, 0);
      size = MIN (MIN (size, space_size), 1000);
      memcpy (space, bytes, size);
      dray_decoder_take (decoder, size);
      dray_outbox_drop (outbox, size);
      expect_values (decoder, &next);
    }
  g_assert_cmpuint (next, ==, 14);
  g_assert_null (dray_outbox_peek (outbox, &size));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/outbox/small-pipe", test_small_pipe);
  g_test_add_func ("/outbox/push-between", test_push_between);
  g_test_add_func ("/outbox/full-pipe", test_full_pipe);
  g_test_add_func ("/outbox/blocking", test_blocking);
  g_test_add_func ("/outbox/reader-gone", test_reader_gone);
  g_test_add_func ("/outbox/reader-goes", test_reader_goes);
  g_test_add_func ("/outbox/bad-descriptor", test_bad_descriptor);
  g_test_add_func ("/outbox/body", test_body);
  g_test_add_func ("/outbox/peek", test_peek);

  return g_test_run ();
}
