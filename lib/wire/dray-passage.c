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

void
dray_passage_free (DrayPassage *self)
{
  close (self->fd);
  g_clear_pointer (&self->cookie, g_bytes_unref);
  g_free (self);
}

/* That the other side has closed its end with something unread (ECONNRESET) is told once, and
 * before what it has sent. */
static gboolean
may_try_again (int reason)
{
  return reason == EINTR || reason == ECONNRESET;
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

/* Whether the next message on @fd is @cookie. */
static gboolean
has_cookie (int fd, GBytes *cookie, int flags)
{
  guint8 bytes[DRAY_PASSAGE_COOKIE_SIZE + 1];
  gsize size;
  const void *wanted = g_bytes_get_data (cookie, &size);
  gssize n_read;

  do
    n_read = recv (fd, bytes, sizeof bytes, MSG_DONTWAIT | flags);
  while (n_read < 0 && may_try_again (errno));

  return size == DRAY_PASSAGE_COOKIE_SIZE && n_read == (gssize) size
         && memcmp (bytes, wanted, size) == 0;
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
  return has_cookie (self->fd, self->cookie, 0);
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
  if (!is_packet_socket (fd) || !has_cookie (fd, cookie, MSG_PEEK))
    return NULL;

  high = fcntl (fd, F_DUPFD_CLOEXEC, FIRST_HIGH_FD);
  if (high < 0 && errno == EINVAL)
    high = fcntl (fd, F_DUPFD_CLOEXEC, DRAY_PASSAGE_DESCRIPTOR + 1);
  if (high < 0)
    return NULL;

  if (!has_cookie (high, cookie, 0) || !send_cookie (high, cookie))
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

typedef struct
{
  Note note;
  gboolean sound;        /* it is a message at all */
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

/* Returns: FALSE if there is none */
static gboolean
receive_message (DrayPassage *self, Message *received)
{
  struct iovec vector = { .iov_base = &received->note, .iov_len = sizeof received->note };
  Control control;
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  gssize n_read;

  received->n_fds = 0;
  do
    n_read = recvmsg (self->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (n_read < 0 && may_try_again (errno));
  if (n_read < 0)
    return FALSE;

  for (struct cmsghdr *header = CMSG_FIRSTHDR (&message); header != NULL;
       header = CMSG_NXTHDR (&message, header))
    {
      gsize size = header->cmsg_len - CMSG_LEN (0);

      if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS
          && received->n_fds == 0)
        {
          memcpy (received->fds, CMSG_DATA (header), size);
          received->n_fds = (guint) (size / sizeof (int));
        }
    }

  /* The end; but open files may come with an empty message, too. */
  if (n_read == 0 && received->n_fds == 0)
    return FALSE;

  received->cut = (message.msg_flags & MSG_CTRUNC) != 0;
  received->sound = n_read == sizeof received->note && (message.msg_flags & MSG_TRUNC) == 0
                    && received->note.zero == 0;
  return TRUE;
}

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

  for (guint i = 0; i < n_fds; i++)
    {
      message->fds[i] = dray_descriptor_raise (message->fds[i]);
      if (message->fds[i] < 0)
        {
          /* It closed that one. */
          message->fds[i] = message->fds[--message->n_fds];
          return set_shortage_error (error);
        }
    }

  memcpy (fds, message->fds, n_fds * sizeof (int));
  message->n_fds = 0;
  return TRUE;
}

gboolean
dray_passage_receive (DrayPassage *self, guint64 serial, int *fds, guint n_fds, GError **error)
{
  for (guint i = 0; i < MAX_STALE; i++)
    {
      Message message;
      gboolean taken;

      if (!receive_message (self, &message))
        break;

      if (message.sound && message.note.serial < serial)
        {
          message_clear (&message);
          continue;
        }

      if (!message.sound || message.note.serial != serial)
        {
          message_clear (&message);
          break;
        }

      taken = take_descriptors (&message, fds, n_fds, error);
      message_clear (&message);
      return taken;
    }

  return set_protocol_error (error);
}
