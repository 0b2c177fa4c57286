/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-passage.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dray-descriptor.h"
#include "dray-error-private.h"

/* What the kernel lets into one message (SCM_MAX_FD). With room for so many, a message is cut short
 * for one reason only: this process can have no more descriptors. */
#define MAX_RECEIVED 253

/* Messages that were sent for a frame which was then not sent. */
#define MAX_STALE 64

/* Out of the way of programs that expect certain small numbers. */
#define FIRST_HIGH_FD 100

typedef struct
{
  guint64 serial;
  guint32 n_fds;
  guint32 zero;
} Note;

struct _DrayPassage
{
  int fd;         /* (owned) */
  int flags;      /* of sendmsg() */
  GBytes *cookie; /* (owned) (nullable) */
  guint64 last_sent;
};

typedef union
{
  struct cmsghdr header; /* for its alignment */
  guint8 bytes[CMSG_SPACE (MAX_RECEIVED * sizeof (int))];
} Control;

static DrayPassage *
passage_new (int fd, int flags)
{
  DrayPassage *self = g_new0 (DrayPassage, 1);

  self->fd = fd;
  self->flags = flags | MSG_NOSIGNAL;
  return self;
}

/* That the other side has closed its end with something unread (ECONNRESET) is told once, and
 * before what it has sent. */
static gboolean
may_try_again (int reason)
{
  return reason == EINTR || reason == ECONNRESET;
}

/* Whether nothing lies in @fd, now and ever: from here on nobody can send there any more. */
static gboolean
shut_empty (int fd)
{
  /* Each message comes with its sender's name then, by which an empty one differs from the end. */
  const int with_sender = 1;
  union
  {
    struct cmsghdr header; /* for its alignment */
    guint8 bytes[CMSG_SPACE (sizeof (struct ucred))];
  } sender;
  struct msghdr message = { .msg_control = &sender, .msg_controllen = sizeof sender };
  gboolean known = shutdown (fd, SHUT_RD) == 0
                   && setsockopt (fd, SOL_SOCKET, SO_PASSCRED, &with_sender, sizeof with_sender)
                        == 0;
  gssize n_read;

  do
    n_read = recvmsg (fd, &message, MSG_DONTWAIT | MSG_PEEK);
  while (n_read < 0 && may_try_again (errno));

  return known && n_read == 0 && message.msg_controllen == 0;
}

void
dray_passage_free (DrayPassage *self)
{
  /* What lies in a socket is closed with it. To start a thread for each worker that ends would cost
   * more than to look. */
  if (shut_empty (self->fd))
    close (self->fd);
  else
    dray_descriptor_close_foreign (&self->fd, 1);
  g_clear_pointer (&self->cookie, g_bytes_unref);
  g_free (self);
}

/* --- A message --- */

typedef struct
{
  Note note;
  gboolean whole;        /* it has the size of a note */
  gboolean cut;          /* there were more than this process can have */
  int fds[MAX_RECEIVED]; /* (owned): @n_fds of them */
  guint n_fds;
} Message;

static void
message_clear (Message *self)
{
  dray_descriptor_close_foreign (self->fds, self->n_fds);
  self->n_fds = 0;
}

/* No standard descriptors. */
static void
raise_descriptors (Message *self)
{
  guint n_raised = 0;

  for (guint i = 0; i < self->n_fds; i++)
    {
      int raised = dray_descriptor_raise (self->fds[i]);

      if (raised >= 0)
        self->fds[n_raised++] = raised;
      else
        self->cut = TRUE;
    }
  self->n_fds = n_raised;
}

/* Duplicates what comes with the next message on @fd, which stays there. Returns: FALSE if there is
 * none */
static gboolean
look_at_message (int fd, Message *seen)
{
  struct iovec vector = { .iov_base = &seen->note, .iov_len = sizeof seen->note };
  Control control;
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  gssize n_read;

  seen->n_fds = 0;
  do
    n_read = recvmsg (fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_PEEK);
  while (n_read < 0 && may_try_again (errno));
  if (n_read < 0)
    return FALSE;

  for (struct cmsghdr *header = CMSG_FIRSTHDR (&message); header != NULL;
       header = CMSG_NXTHDR (&message, header))
    {
      gsize size = header->cmsg_len - CMSG_LEN (0);

      if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS && seen->n_fds == 0)
        {
          memcpy (seen->fds, CMSG_DATA (header), size);
          seen->n_fds = (guint) (size / sizeof (int));
        }
    }

  /* The end; but open files may come with an empty message, too. */
  if (n_read == 0 && seen->n_fds == 0)
    return FALSE;

  seen->cut = (message.msg_flags & MSG_CTRUNC) != 0;
  seen->whole = n_read == sizeof seen->note && (message.msg_flags & MSG_TRUNC) == 0;
  raise_descriptors (seen);
  return TRUE;
}

/* Closes what came with the message, as far as nobody else has it. */
static void
drop_message (int fd)
{
  gssize n_read;

  do
    n_read = recv (fd, NULL, 0, MSG_DONTWAIT);
  while (n_read < 0 && may_try_again (errno));
}

/* Returns: FALSE if there is none. @leave_cut: one that is cut is left where it is, for what can't
 * be had of it is never closed here then, which may take as long as the other side likes. */
static gboolean
receive_message (int fd, gboolean leave_cut, Message *received)
{
  if (!look_at_message (fd, received))
    return FALSE;

  if (!received->cut || !leave_cut)
    drop_message (fd);
  return TRUE;
}

/* --- Finding each other --- */

static GBytes *
make_cookie (void)
{
  guint32 words[DRAY_PASSAGE_COOKIE_SIZE / sizeof (guint32)];

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    words[i] = g_random_int ();
  return g_bytes_new (words, sizeof words);
}

static gboolean
send_cookie (int fd, GBytes *cookie)
{
  gsize size;
  const void *bytes = g_bytes_get_data (cookie, &size);

  return send (fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (gssize) size;
}

G_STATIC_ASSERT (sizeof (Note) == DRAY_PASSAGE_COOKIE_SIZE);

static gboolean
is_cookie (const void *bytes, gssize n_read, GBytes *cookie)
{
  gsize size;
  const void *wanted = g_bytes_get_data (cookie, &size);

  return size == DRAY_PASSAGE_COOKIE_SIZE && n_read == (gssize) size
         && memcmp (bytes, wanted, size) == 0;
}

/* Whether the next message on @fd is @cookie. It stays there, and so does what comes with it. */
static gboolean
shows_cookie (int fd, GBytes *cookie)
{
  guint8 bytes[DRAY_PASSAGE_COOKIE_SIZE + 1];
  gssize n_read;

  do
    n_read = recv (fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_PEEK);
  while (n_read < 0 && may_try_again (errno));

  return is_cookie (bytes, n_read, cookie);
}

/* The same; it is taken out. Nothing may come with it. */
static gboolean
take_cookie (int fd, GBytes *cookie)
{
  Message message;
  gboolean taken = receive_message (fd, TRUE, &message) && message.whole && !message.cut
                   && message.n_fds == 0 && is_cookie (&message.note, sizeof message.note, cookie);

  message_clear (&message);
  return taken;
}

DrayPassage *
dray_passage_new (int *theirs, GError **error)
{
  DrayPassage *self;
  int fds[2];

  *theirs = -1;
  if (!dray_descriptor_open_socket_pair (fds, error))
    return NULL;

  self = passage_new (fds[0], MSG_DONTWAIT);
  self->cookie = make_cookie ();
  if (send_cookie (self->fd, self->cookie))
    {
      *theirs = fds[1];
      return self;
    }

  dray_set_error_errno (error, errno, _("Could not write to the other side"));
  close (fds[1]);
  dray_passage_free (self);
  return NULL;
}

GBytes *
dray_passage_get_cookie (DrayPassage *self)
{
  return self->cookie;
}

gboolean
dray_passage_is_confirmed (DrayPassage *self)
{
  return take_cookie (self->fd, self->cookie);
}

static gboolean
is_packet_socket (int fd)
{
  int domain = -1, type = -1;
  socklen_t size = sizeof domain;

  if (getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
    return FALSE;

  size = sizeof type;
  return getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && domain == AF_UNIX
         && type == SOCK_SEQPACKET;
}

DrayPassage *
dray_passage_adopt (int fd, GBytes *cookie)
{
  int high;

  /* It may be somebody else's: only looked at, until it is known to be ours. */
  if (!is_packet_socket (fd) || !shows_cookie (fd, cookie))
    return NULL;

  high = fcntl (fd, F_DUPFD_CLOEXEC, FIRST_HIGH_FD);
  if (high < 0 && errno == EINVAL)
    high = fcntl (fd, F_DUPFD_CLOEXEC, DRAY_PASSAGE_DESCRIPTOR + 1);
  if (high < 0)
    return NULL;

  if (!take_cookie (high, cookie) || !send_cookie (high, cookie))
    {
      close (high);
      return NULL;
    }

  close (fd);
  return passage_new (high, 0);
}

/* --- Sending --- */

static void
set_send_error (GError **error, int reason)
{
  /* All processes of a user together can have only so many descriptors in flight. */
  if (reason == EAGAIN || reason == ETOOMANYREFS)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                         _("Open files could not be passed to the other side: too many others are "
                           "on their way"));
  else
    dray_set_error_errno (error, reason, _("Open files could not be passed to the other side"));
}

guint64
dray_passage_send (DrayPassage *self, const int *fds, guint n_fds, GError **error)
{
  Note note = { .serial = self->last_sent + 1, .n_fds = n_fds };
  struct iovec vector = { .iov_base = &note, .iov_len = sizeof note };
  Control control = { 0 };
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = CMSG_SPACE (n_fds * sizeof (int)),
  };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);
  gssize n_sent;

  g_return_val_if_fail (n_fds > 0 && n_fds <= MAX_RECEIVED, 0);

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (n_fds * sizeof (int));
  memcpy (CMSG_DATA (header), fds, n_fds * sizeof (int));

  do
    n_sent = sendmsg (self->fd, &message, self->flags);
  while (n_sent < 0 && errno == EINTR);

  if (n_sent < 0)
    {
      set_send_error (error, errno);
      return 0;
    }

  return ++self->last_sent;
}

gboolean
dray_passage_is_drained (DrayPassage *self)
{
  int n_bytes = 0;

  return ioctl (self->fd, SIOCOUTQ, &n_bytes) == 0 && n_bytes == 0;
}

/* --- Receiving --- */

static gboolean
set_protocol_error (GError **error)
{
  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                       C_ ("sent", "a message that names other open files than were passed"));
  return FALSE;
}

static gboolean
set_shortage_error (GError **error)
{
  dray_set_error_errno (error, EMFILE, _("Open files could not be received"));
  return FALSE;
}

/* Takes what is in @message if it is what was expected. */
static gboolean
take_descriptors (Message *message, int *fds, guint n_fds, GError **error)
{
  if (message->note.n_fds != n_fds || message->n_fds > n_fds)
    return set_protocol_error (error);
  if (message->cut)
    return set_shortage_error (error);
  if (message->n_fds != n_fds)
    return set_protocol_error (error);

  memcpy (fds, message->fds, n_fds * sizeof (int));
  message->n_fds = 0;
  return TRUE;
}

gboolean
dray_passage_receive (DrayPassage *self, guint64 serial, int *fds, guint n_fds, GError **error)
{
  const gboolean is_host = self->cookie != NULL;

  for (guint i = 0; i < MAX_STALE; i++)
    {
      Message message;

      if (!receive_message (self->fd, is_host, &message))
        break;

      if (!message.whole || message.note.zero != 0 || message.note.serial > serial)
        {
          message_clear (&message);
          break;
        }

      if (message.note.serial == serial)
        {
          gboolean taken = take_descriptors (&message, fds, n_fds, error);

          message_clear (&message);
          return taken;
        }

      message_clear (&message);
      if (message.cut && is_host)
        return set_shortage_error (error);
    }

  return set_protocol_error (error);
}
