/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-cargo.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dray-descriptor.h"
#include "dray-payload.h"
#include "fixture.h"
#include "lingering.h"

/* What goes beside frames, from one end of a passage to the other, and what a hostile end sends. */

typedef struct
{
  Fixture fixture; /* first */

  DrayPassage *host;   /* (owned) */
  DrayPassage *worker; /* (owned) */
  int raw_fd;          /* (owned): the worker's end, for what the library would not send */
} Ends;

static void
ends_set_up (Ends *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int theirs;

  fixture_set_up (&self->fixture, data);
  self->host = dray_passage_new (&theirs, &error);
  g_assert_no_error (error);
  self->raw_fd = dray_descriptor_duplicate (theirs);
  self->worker = dray_passage_adopt (theirs, dray_passage_get_cookie (self->host));
  g_assert_nonnull (self->worker);
  g_assert_true (dray_passage_is_confirmed (self->host));
}

static void
ends_tear_down (Ends *self, gconstpointer data)
{
  close (self->raw_fd);
  g_clear_pointer (&self->host, dray_passage_free);
  g_clear_pointer (&self->worker, dray_passage_free);
  fixture_tear_down (&self->fixture, data);
}

#define ends_add(path, data, test) g_test_add (path, Ends, data, ends_set_up, test, ends_tear_down)

/* (transfer full): open files of which the first one is empty, and each next a byte longer */
static GUnixFDList *
new_attachments (guint n)
{
  GUnixFDList *list = g_unix_fd_list_new ();

  for (guint i = 0; i < n; i++)
    {
      int fd = dray_payload_create (NULL);

      g_assert_cmpint (ftruncate (fd, i), ==, 0);
      g_assert_cmpint (g_unix_fd_list_append (list, fd, NULL), ==, (int) i);
      close (fd);
    }
  return list;
}

static void
check_attachments (GUnixFDList *list, guint n)
{
  const int *fds = g_unix_fd_list_peek_fds (list, NULL);

  g_assert_cmpint (g_unix_fd_list_get_length (list), ==, (int) n);
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmpint (lseek (fds[i], 0, SEEK_END), ==, (int) i);
      g_assert_cmpint (fcntl (fds[i], F_GETFD) & FD_CLOEXEC, !=, 0);
    }
}

/* (transfer full): the payload of a message, as it arrives */
static GBytes *
get_payload (const DrayMessage *message, DrayFrameHeader *header)
{
  g_autoptr (GByteArray) frame = g_byte_array_new ();

  g_byte_array_append (frame, dray_message_get_head (message), (guint) message->head_length);
  if (message->body != NULL)
    g_byte_array_append (frame, g_bytes_get_data (message->body, NULL),
                         (guint) g_bytes_get_size (message->body));
  g_byte_array_append (frame, dray_message_get_tail (message), (guint) message->tail_length);
  g_assert_true (dray_frame_header_decode (frame->data, G_MAXUINT32, header, NULL));
  g_assert_cmpuint (frame->len, ==,
                    DRAY_FRAME_HEADER_SIZE + header->length + dray_frame_padding (header->length));
  return g_bytes_new (frame->data + DRAY_FRAME_HEADER_SIZE, header->length);
}

static const DrayFrameHeader result_header = {
  .type = DRAY_FRAME_RESULT,
  .task_id = 3,
  .attempt = 1,
};

/* Sends a value, and gives it as it has arrived. */
static GVariant *
transmit (Ends *self, GVariant *value, DrayCargo *cargo, GUnixFDList **attachments)
{
  g_auto (DrayMessage) message = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GBytes) inner = NULL;
  g_autoptr (GBytes) shared = NULL;
  g_autoptr (DrayCargo) arrived = NULL;
  DrayFrameHeader header;
  GVariant *result;

  g_assert_true (
    dray_message_init_loaded (&message, &result_header, NULL, value, cargo, G_MAXUINT32, &error));
  g_assert_no_error (error);
  g_assert_true (dray_cargo_pass (&message, self->worker, &error));
  g_assert_no_error (error);
  g_assert_null (message.cargo);

  payload = get_payload (&message, &header);
  g_assert_cmpuint (header.flags & DRAY_FRAME_FLAG_CARGO, !=, 0);
  arrived = dray_cargo_receive (self->host, payload, G_MAXUINT32, &inner, &error);
  g_assert_no_error (error);
  if (arrived->memory_fd >= 0)
    shared = dray_payload_map (arrived->memory_fd, arrived->size, &error);
  g_assert_no_error (error);
  result = dray_value_decode_shared (inner, shared, &error);
  g_assert_no_error (error);
  if (attachments != NULL)
    *attachments = g_steal_pointer (&arrived->attachments);
  return result;
}

static void
test_sealed (Ends *self, gconstpointer data)
{
  const char *const texts[] = { "@ay [1, 2, 3]", "[('a', <1>), ('b', <'text'>)]", "uint64 7" };

  g_test_summary ("A value in sealed memory arrives as it was.");

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GVariant) value = g_variant_parse (NULL, texts[i], NULL, NULL, NULL);
      g_autoptr (GVariant) sound = dray_value_make_sound (value, NULL);
      g_autoptr (GVariant) arrived = transmit (self, sound, dray_cargo_new_sealed (sound, NULL),
                                               NULL);

      g_assert_cmpvariant (arrived, value);
    }
}

static void
test_attachments (Ends *self, gconstpointer data)
{
  const guint counts[] = { 1, 2, DRAY_PASSAGE_MAX_ATTACHMENTS };

  g_test_summary ("Open files arrive in order, with a value that is in the frame and with one that "
                  "is not, and with a name before it.");

  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    for (guint sealed = 0; sealed < 2; sealed++)
      {
        g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string ("hello"));
        DrayCargo *cargo = sealed != 0 ? dray_cargo_new_sealed (value, NULL) : dray_cargo_new ();
        g_autoptr (GUnixFDList) attachments = NULL;
        g_autoptr (GVariant) arrived = NULL;

        cargo->attachments = new_attachments (counts[i]);
        arrived = transmit (self, value, cargo, &attachments);
        g_assert_cmpvariant (arrived, value);
        check_attachments (attachments, counts[i]);
      }
}

static void
test_submit (Ends *self, gconstpointer data)
{
  const DrayFrameHeader submit_header = { .type = DRAY_FRAME_SUBMIT, .task_id = 1, .attempt = 1 };
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string ("hello"));
  g_auto (DrayMessage) message = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GBytes) inner = NULL;
  g_autoptr (GBytes) shared = NULL;
  g_autoptr (DrayCargo) arrived = NULL;
  g_autoptr (GVariant) arguments = NULL;
  g_autofree char *function = NULL;
  DrayFrameHeader header;

  g_test_summary ("A task whose arguments are in sealed memory arrives as it was.");

  dray_message_init_loaded (&message, &submit_header, "greet", value,
                            dray_cargo_new_sealed (value, NULL), G_MAXUINT32, &error);
  g_assert_no_error (error);
  dray_cargo_pass (&message, self->host, &error);
  g_assert_no_error (error);
  payload = get_payload (&message, &header);
  arrived = dray_cargo_receive (self->worker, payload, G_MAXUINT32, &inner, &error);
  g_assert_no_error (error);
  shared = dray_payload_map (arrived->memory_fd, arrived->size, &error);
  g_assert_no_error (error);
  g_assert_true (dray_submit_decode_shared (inner, shared, &function, &arguments, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (function, ==, "greet");
  g_assert_cmpvariant (arguments, value);
}

static void
test_too_large (Ends *self, gconstpointer data)
{
  g_autofree guint8 *zeros = g_malloc0 (1000);
  g_autoptr (GVariant) value = g_variant_ref_sink (
    g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, zeros, 1000, 1));
  g_auto (DrayMessage) message = { 0 };
  g_autoptr (GError) error = NULL;

  g_test_summary ("The limit of a value's size holds wherever its bytes are.");

  g_assert_false (dray_message_init_loaded (&message, &result_header, NULL, value,
                                            dray_cargo_new_sealed (value, NULL), 900, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
}

/* --- The passage --- */

static void
test_not_ours (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) cookie = g_bytes_new ("0123456789abcdef", DRAY_PASSAGE_COOKIE_SIZE);
  g_autoptr (DrayPassage) passage = NULL;
  char buffer[32];
  int fds[2], theirs;

  g_test_summary ("What the worker's descriptor is, if it is not the passage, is left alone.");

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), ==, 0);
  g_assert_null (dray_passage_adopt (fds[0], cookie));
  g_assert_cmpint (send (fds[1], "a message of somebody", 21, 0), ==, 21);
  g_assert_null (dray_passage_adopt (fds[0], cookie));
  g_assert_cmpint (recv (fds[0], buffer, sizeof buffer, MSG_DONTWAIT), ==, 21);
  close (fds[0]);
  close (fds[1]);

  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_null (dray_passage_adopt (fds[0], cookie));
  g_assert_cmpint (close (fds[0]), ==, 0);
  close (fds[1]);
  g_assert_null (dray_passage_adopt (-1, cookie));
  g_assert_null (dray_passage_adopt (1000000, cookie));

  passage = dray_passage_new (&theirs, NULL);
  g_assert_null (dray_passage_adopt (theirs, cookie));
  g_assert_false (dray_passage_is_confirmed (passage));
  close (theirs);
}

static void
test_drained (Ends *self, gconstpointer data)
{
  int fd = dray_payload_create (NULL);
  int received;

  g_test_summary ("Whoever sends can tell whether everything was received.");

  g_assert_true (dray_passage_is_drained (self->worker));
  g_assert_cmpuint (dray_passage_send (self->worker, &fd, 1, NULL), ==, 1);
  g_assert_false (dray_passage_is_drained (self->worker));
  g_assert_true (dray_passage_receive (self->host, 1, &received, 1, NULL));
  g_assert_true (dray_passage_is_drained (self->worker));
  close (received);
  close (fd);
}

static void
test_full (Ends *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int fd = dray_payload_create (NULL);
  guint n_sent = 0;
  int received;

  g_test_summary (
    "The host never waits: where the passage is full that is an error, and nothing is "
    "lost of what was sent before.");

  while (dray_passage_send (self->host, &fd, 1, &error) != 0)
    n_sent++;
  g_assert_nonnull (error);
  g_assert_cmpint (error->domain, ==, G_IO_ERROR);
  g_assert_cmpuint (n_sent, >, 2);

  for (guint i = 1; i <= n_sent; i++)
    {
      g_assert_true (dray_passage_receive (self->worker, i, &received, 1, NULL));
      close (received);
    }
  g_assert_cmpuint (dray_passage_send (self->host, &fd, 1, NULL), ==, n_sent + 1);
  close (fd);
}

static void
test_stale (Ends *self, gconstpointer data)
{
  int fd = dray_payload_create (NULL);
  int received;

  g_test_summary ("Descriptors of frames that were then not sent are closed.");

  for (guint i = 0; i < 5; i++)
    dray_passage_send (self->worker, &fd, 1, NULL);
  g_assert_true (dray_passage_receive (self->host, 5, &received, 1, NULL));
  close (received);
  close (fd);
}

/* --- Hostile --- */

static void
send_to (int socket, gconstpointer bytes, gsize size, const int *fds, guint n_fds)
{
  union
  {
    struct cmsghdr header;
    guint8 bytes[CMSG_SPACE (253 * sizeof (int))];
  } control = { 0 };
  struct iovec vector = { .iov_base = (gpointer) bytes, .iov_len = size };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

  if (n_fds > 0)
    {
      message.msg_control = &control;
      message.msg_controllen = CMSG_SPACE (n_fds * sizeof (int));
      control.header.cmsg_level = SOL_SOCKET;
      control.header.cmsg_type = SCM_RIGHTS;
      control.header.cmsg_len = CMSG_LEN (n_fds * sizeof (int));
      memcpy (CMSG_DATA (&control.header), fds, n_fds * sizeof (int));
    }
  g_assert_cmpint (sendmsg (socket, &message, MSG_NOSIGNAL), ==, (gssize) size);
}

static void
send_raw (Ends *self, gconstpointer bytes, gsize size, int fd, guint n_fds)
{
  int fds[253];

  for (guint i = 0; i < n_fds; i++)
    fds[i] = fd;
  send_to (self->raw_fd, bytes, size, fds, n_fds);
}

typedef struct
{
  guint64 serial;
  guint32 n_said;
  guint32 zero;
  gsize size; /* of the message; 0: of these 16 bytes */
  guint n_sent;
} HostileNote;

static const HostileNote hostile_notes[] = {
  { 1, 1, 0, 0, 0 }, /* none where one was said */
  { 1, 1, 0, 0, 2 }, /* more than said */
  { 1, 2, 0, 0, 2 }, /* more than the frame says */
  { 1, 0, 0, 0, 0 },   { 1, 0, 0, 0, 1 },           { 1, 253, 0, 0, 253 },
  { 1, 1, 0, 0, 253 }, { 2, 1, 0, 0, 1 },                              /* of a later frame */
  { 0, 1, 0, 0, 1 },   { G_MAXUINT64, 1, 0, 0, 1 }, { 1, 1, 7, 0, 1 }, /* of another form */
  { 1, 1, 0, 8, 1 },   { 1, 1, 0, 100, 1 },         { 1, G_MAXUINT32, 0, 0, 1 },
};

static void
test_hostile_messages (Ends *self, gconstpointer data)
{
  const HostileNote *note = data;
  g_autoptr (GError) error = NULL;
  guint8 bytes[128] = { 0 };
  int fd = dray_payload_create (NULL);
  int received;

  g_test_summary ("A message that is not what was named is refused, and all that came in it is "
                  "closed.");

  memcpy (bytes, note, 16);
  send_raw (self, bytes, note->size != 0 ? note->size : 16, fd, note->n_sent);
  close (fd);
  g_assert_false (dray_passage_receive (self->host, 1, &received, 1, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
}

static void
test_hostile_nothing (Ends *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int received;

  g_test_summary ("Descriptors that were named but not passed are not waited for, be the other end "
                  "there or not.");

  g_assert_false (dray_passage_receive (self->host, 1, &received, 1, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);

  g_clear_error (&error);
  g_clear_pointer (&self->worker, dray_passage_free);
  dup2 (STDERR_FILENO, self->raw_fd);
  g_assert_false (dray_passage_receive (self->host, 1, &received, 1, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
}

static void
test_host_gone (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) cookie = NULL;
  DrayPassage *host;
  int theirs;

  g_test_summary ("A worker whose host went before it could answer has no passage, and what it had "
                  "is left to it.");

  host = dray_passage_new (&theirs, NULL);
  cookie = g_bytes_ref (dray_passage_get_cookie (host));
  dray_passage_free (host);
  g_assert_null (dray_passage_adopt (theirs, cookie));
  g_assert_cmpint (close (theirs), ==, 0);
}

static void
test_hostile_no_passage (Ends *self, gconstpointer data)
{
  g_autoptr (GUnixFDList) attachments = new_attachments (1);
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_string ("value"));
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GBytes) inner = NULL;
  g_auto (DrayMessage) message = { 0 };
  DrayCargo *cargo = dray_cargo_new ();
  DrayFrameHeader header;

  g_test_summary ("Open files that are named where there is nothing to pass them are refused.");

  cargo->attachments = g_object_ref (attachments);
  g_assert_true (
    dray_message_init_loaded (&message, &result_header, NULL, value, cargo, G_MAXUINT32, &error));
  g_assert_true (dray_cargo_pass (&message, self->worker, &error));
  payload = get_payload (&message, &header);
  g_assert_null (dray_cargo_receive (NULL, payload, G_MAXUINT32, &inner, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
}

static void
test_hostile_flood (Ends *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int fd = dray_payload_create (NULL);
  int received;

  g_test_summary ("Thousands of descriptors that no frame names: they stay in the socket, which is "
                  "bounded, or the other side is refused.");

  for (guint i = 0; i < 100; i++)
    {
      const HostileNote note = { .serial = i + 1, .n_said = 253 };

      send_raw (self, &note, 16, fd, 253);
    }
  close (fd);
  g_assert_false (dray_passage_receive (self->host, 100, &received, 1, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
}

/* --- Without descriptors --- */

/* Lets this process open @n_left more, 0 or 1. What is open stays so. */
static void
limit_files (rlim_t n_left, struct rlimit *before)
{
  int lowest = dup (STDIN_FILENO);
  struct rlimit limit;

  close (lowest);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, before), ==, 0);
  limit = (struct rlimit){ .rlim_cur = (rlim_t) lowest + n_left, .rlim_max = before->rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

static void
restore_limit (const struct rlimit *before)
{
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, before), ==, 0);
}

/* Valgrind keeps the limit itself, and does not look into messages. */
static gboolean
can_limit_files (void)
{
  int theirs, received;
  g_autoptr (DrayPassage) host = dray_passage_new (&theirs, NULL);
  g_autoptr (DrayPassage) worker = dray_passage_adopt (theirs, dray_passage_get_cookie (host));
  const int fd = STDIN_FILENO;
  struct rlimit limit;
  gboolean was_received;

  g_assert_true (dray_passage_is_confirmed (host));
  dray_passage_send (host, &fd, 1, NULL);
  limit_files (0, &limit);
  was_received = dray_passage_receive (worker, 1, &received, 1, NULL);
  restore_limit (&limit);
  if (was_received)
    {
      close (received);
      g_test_skip ("The limit of descriptors does not hold here");
    }
  return !was_received;
}

static void
expect_received (DrayPassage *passage, guint64 serial)
{
  g_autoptr (GError) error = NULL;
  int received;

  g_assert_true (dray_passage_receive (passage, serial, &received, 1, &error));
  g_assert_no_error (error);
  close (received);
}

static void
expect_shortage (DrayPassage *passage, guint64 serial, guint n_fds)
{
  g_autoptr (GError) error = NULL;
  int received[2];

  g_assert_false (dray_passage_receive (passage, serial, received, n_fds, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
}

static void
test_shortage (Ends *self, gconstpointer data)
{
  struct rlimit limit;
  int fd = dray_payload_create (NULL);

  g_test_summary ("Where this process can have no more descriptors, that is not the other side's "
                  "fault, and what comes later arrives.");

  if (can_limit_files ())
    {
      for (guint i = 0; i < 3; i++)
        {
          dray_passage_send (self->worker, &fd, 1, NULL);
          dray_passage_send (self->host, &fd, 1, NULL);
        }
      limit_files (0, &limit);
      for (guint64 serial = 1; serial <= 2; serial++)
        {
          expect_shortage (self->host, serial, 1);
          expect_shortage (self->worker, serial, 1);
        }
      restore_limit (&limit);
      expect_received (self->host, 3);
      expect_received (self->worker, 3);
    }
  close (fd);
}

static void
test_shortage_few (Ends *self, gconstpointer data)
{
  int fd = dray_payload_create (NULL);
  const int fds[] = { fd, fd };
  struct rlimit limit;

  g_test_summary ("What was too much is in the host's way until there is room for it; the worker "
                  "lets go of it.");

  if (can_limit_files ())
    {
      for (guint i = 0; i < 3; i++)
        {
          dray_passage_send (self->worker, fds, i == 0 ? 2 : 1, NULL);
          dray_passage_send (self->host, fds, i == 0 ? 2 : 1, NULL);
        }
      limit_files (1, &limit);
      expect_shortage (self->host, 1, 2);
      expect_shortage (self->worker, 1, 2);
      expect_shortage (self->host, 2, 1);
      expect_received (self->worker, 2);
      restore_limit (&limit);
      expect_received (self->host, 3);
      expect_received (self->worker, 3);
    }
  close (fd);
}

/* --- What takes long to close --- */

typedef struct
{
  void (*function) (DrayPassage *passage);
  DrayPassage *passage; /* (unowned) */
  int done;             /* atomic */
} Step;

static gpointer
step_cb (gpointer data)
{
  Step *step = data;

  step->function (step->passage);
  g_atomic_int_set (&step->done, TRUE);
  return NULL;
}

static gboolean
is_done (gpointer step)
{
  return g_atomic_int_get (&((Step *) step)->done);
}

/* Fails where that does not come to an end. */
static void
take_step (DrayPassage *passage, void (*function) (DrayPassage *passage))
{
  Step step = { .function = function, .passage = passage };
  GThread *thread = g_thread_new ("step", step_cb, &step);

  fixture_iterate_until (is_done, &step, "nobody waits for what was passed");
  g_thread_join (thread);
}

/* Sends a memory, and what takes an hour to close. */
static void
send_lingering (int socket, gconstpointer bytes, gsize size, guint16 port)
{
  const int fds[] = { dray_payload_create (NULL), lingering_connect (port) };

  send_to (socket, bytes, size, fds, 2);
  close (fds[0]);
  close (fds[1]);
}

static void
expect_no_cookie (DrayPassage *passage)
{
  g_assert_false (dray_passage_is_confirmed (passage));
}

static void
test_lingering_cookie (Fixture *fixture, gconstpointer data)
{
  guint8 cookie[DRAY_PASSAGE_COOKIE_SIZE];
  guint16 port;
  int listener, theirs;
  DrayPassage *host;

  g_test_summary ("What comes with the cookie is closed where nobody waits.");

  if (!lingering_is_possible ())
    return;

  listener = lingering_listen (&port);
  host = dray_passage_new (&theirs, NULL);
  g_assert_cmpint (recv (theirs, cookie, sizeof cookie, 0), ==, sizeof cookie);
  send_lingering (theirs, cookie, sizeof cookie, port);
  take_step (host, expect_no_cookie);
  take_step (host, dray_passage_free);
  close (theirs);
  close (listener);
}

static const HostileNote lingering_notes[] = {
  { 1, 2, 0, 0, 2 },
  { 1, 1, 0, 0, 2 },
  { 2, 2, 0, 0, 2 },
  { 1, 2, 7, 0, 2 },
};

static void
expect_refusal (DrayPassage *passage)
{
  g_autoptr (GError) error = NULL;
  int received;

  g_assert_false (dray_passage_receive (passage, 1, &received, 1, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
}

static void
test_lingering_refused (Ends *self, gconstpointer data)
{
  guint16 port;
  int listener;

  g_test_summary ("What comes with a message that is refused is closed where nobody waits.");

  if (!lingering_is_possible ())
    return;

  listener = lingering_listen (&port);
  for (guint i = 0; i < G_N_ELEMENTS (lingering_notes); i++)
    {
      send_lingering (self->raw_fd, &lingering_notes[i], 16, port);
      take_step (self->host, expect_refusal);
    }
  close (listener);
}

static void
test_lingering_unnamed (Ends *self, gconstpointer data)
{
  /* So many empty messages before it. */
  const guint n_empty = GPOINTER_TO_UINT (data);
  guint16 port;
  int listener;

  g_test_summary ("What no frame has named is closed where nobody waits.");

  if (!lingering_is_possible ())
    return;

  listener = lingering_listen (&port);
  for (guint i = 0; i < n_empty; i++)
    send_raw (self, NULL, 0, -1, 0);
  send_lingering (self->raw_fd, &lingering_notes[0], n_empty > 0 ? 0 : 16, port);
  take_step (g_steal_pointer (&self->host), dray_passage_free);
  close (listener);
}

static void
expect_cut (DrayPassage *passage)
{
  struct rlimit limit;

  limit_files (1, &limit);
  expect_shortage (passage, 1, 2);
  expect_shortage (passage, 2, 1);
  restore_limit (&limit);
}

static void
test_lingering_cut (Ends *self, gconstpointer data)
{
  guint16 port;
  int listener;

  g_test_summary ("What this process has no descriptor for is closed where nobody waits.");

  if (!lingering_is_possible ())
    return;

  listener = lingering_listen (&port);
  if (can_limit_files ())
    {
      send_lingering (self->raw_fd, &lingering_notes[0], 16, port);
      take_step (self->host, expect_cut);
      take_step (g_steal_pointer (&self->host), dray_passage_free);
    }
  close (listener);
}

typedef struct
{
  guint64 serial;
  guint16 kind;
  guint16 n_attachments;
  guint32 slot;
  guint64 size;
} Manifest;

static void
test_hostile_manifests (Ends *self, gconstpointer data)
{
  const Manifest table[] = {
    { 0, 1, 0, 0, 10 },                              /* memory, but no message */
    { 1, 0, 0, 0, 0 },                               /* a message, but nothing in it */
    { 1, 0, 65, 0, 0 },                              /* too many */
    { 1, 0, 65535, 0, 0 },       { 1, 4, 0, 0, 10 }, /* no such kind */
    { 1, 65535, 0, 1, 10 },      { 1, 1, 0, 0, 0 },  /* no bytes */
    { 1, 1, 0, 0, 1001 },                            /* over the limit */
    { 1, 1, 0, 0, G_MAXUINT64 }, { 1, 1, 0, 1, 10 }, /* a slot that is none */
    { 1, 2, 0, 0, 10 },          { 1, 0, 1, 0, 10 }, { 1, 3, 0, 1, 10 }, { 0, 0, 1, 0, 0 },
  };

  g_test_summary ("What is said of the cargo has to make sense, before anything is taken.");

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GBytes) payload = g_bytes_new (&table[i], sizeof table[i]);
      g_autoptr (GBytes) inner = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_null (dray_cargo_receive (self->host, payload, 1000, &inner, &error));
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
    }

  for (gsize size = 0; size < sizeof (Manifest); size++)
    {
      g_autoptr (GBytes) payload = g_bytes_new (&table[0], size);
      g_autoptr (GBytes) inner = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_null (dray_cargo_receive (self->host, payload, 1000, &inner, &error));
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
    }
}

static void
test_hostile_values (Ends *self, gconstpointer data)
{
  static const struct
  {
    const char *payload;
    gsize size;
    const char *shared;
  } table[] = {
    { "\0s", 2, "no end" },
    { "\0as", 3, "\xff\xff\xff" },
    { "x\0s", 3, "ab" },
    { "\0(", 2, "abc" },
    { "", 0, "abc" },
    { "s", 1, "abc" },
    { "\0"
      "b",
      2, "\x02" },
  };

  g_test_summary ("Bytes in shared memory are checked as those in a frame are.");

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GBytes) payload = g_bytes_new_static (table[i].payload, table[i].size);
      g_autoptr (GBytes) shared = g_bytes_new_static (table[i].shared, strlen (table[i].shared));
      g_autoptr (GError) error = NULL;

      g_assert_null (dray_value_decode_shared (payload, shared, &error));
      g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
    }
}

static void
test_hung_up (Ends *self, gconstpointer data)
{
  /* Shows that what a worker has passed arrives, though it has died before it took what was passed
   * to it: then the system tells of that first. */
  const int memory_fd = dray_payload_create (NULL);
  g_autoptr (GError) error = NULL;
  guint64 serial = dray_passage_send (self->worker, &memory_fd, 1, &error);
  int received = -1;

  g_assert_no_error (error);
  dray_passage_send (self->host, &memory_fd, 1, &error);
  g_assert_no_error (error);
  close (memory_fd);
  g_clear_pointer (&self->worker, dray_passage_free);
  dup2 (STDERR_FILENO, self->raw_fd);

  g_assert_true (dray_passage_receive (self->host, serial, &received, 1, &error));
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (received, F_GET_SEALS), >=, 0);
  close (received);
}

static void
test_hung_up_at_once (gconstpointer data)
{
  /* Shows that a worker which has said that it has the passage is believed, though it has died
   * since. */
  const int memory_fd = dray_payload_create (NULL);
  g_autoptr (GError) error = NULL;
  int theirs;
  DrayPassage *host = dray_passage_new (&theirs, &error);
  DrayPassage *worker;

  g_assert_no_error (error);
  worker = dray_passage_adopt (theirs, dray_passage_get_cookie (host));
  dray_passage_send (host, &memory_fd, 1, &error);
  g_assert_no_error (error);
  close (memory_fd);
  dray_passage_free (worker);
  g_assert_true (dray_passage_is_confirmed (host));
  dray_passage_free (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ends_add ("/cargo/sealed", NULL, test_sealed);
  ends_add ("/cargo/attachments", NULL, test_attachments);
  ends_add ("/cargo/submit", NULL, test_submit);
  ends_add ("/cargo/too-large", NULL, test_too_large);
  fixture_add ("/cargo/passage/not-ours", NULL, test_not_ours);
  fixture_add ("/cargo/passage/host-gone", NULL, test_host_gone);
  ends_add ("/cargo/passage/drained", NULL, test_drained);
  ends_add ("/cargo/passage/full", NULL, test_full);
  ends_add ("/cargo/passage/stale", NULL, test_stale);
  ends_add ("/cargo/passage/shortage", NULL, test_shortage);
  ends_add ("/cargo/passage/shortage/few", NULL, test_shortage_few);
  for (guint i = 0; i < G_N_ELEMENTS (hostile_notes); i++)
    {
      g_autofree char *path = g_strdup_printf ("/cargo/hostile/messages/%u", i);

      ends_add (path, &hostile_notes[i], test_hostile_messages);
    }
  ends_add ("/cargo/hostile/nothing", NULL, test_hostile_nothing);
  ends_add ("/cargo/hostile/no-passage", NULL, test_hostile_no_passage);
  ends_add ("/cargo/hostile/flood", NULL, test_hostile_flood);
  ends_add ("/cargo/hostile/manifests", NULL, test_hostile_manifests);
  ends_add ("/cargo/hostile/values", NULL, test_hostile_values);
  fixture_add ("/cargo/lingering/cookie", NULL, test_lingering_cookie);
  ends_add ("/cargo/lingering/refused", NULL, test_lingering_refused);
  ends_add ("/cargo/lingering/unnamed", NULL, test_lingering_unnamed);
  ends_add ("/cargo/lingering/unnamed/empty", GUINT_TO_POINTER (2), test_lingering_unnamed);
  ends_add ("/cargo/lingering/cut", NULL, test_lingering_cut);
  ends_add ("/cargo/hung-up", NULL, test_hung_up);
  g_test_add_data_func ("/cargo/hung-up/at-once", NULL, test_hung_up_at_once);

  return g_test_run ();
}
