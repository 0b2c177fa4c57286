/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIPE_SIZE (1024 * 1024)

static void
close_all (Bare *self)
{
  close (self->input);
  close (self->output);
  close (self->socket);
}

void
bare_start (Bare *self,
            void (*run) (Bare *host, const BenchOptions *options),
            const BenchOptions *options)
{
  int to_other[2], from_other[2], sockets[2];
  Bare host;

  if (pipe2 (to_other, O_CLOEXEC) != 0 || pipe2 (from_other, O_CLOEXEC) != 0
      || socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    bench_fail ("There are no pipes: %s", g_strerror (errno));
  /* Where that is too much, they stay as they are. */
  fcntl (to_other[1], F_SETPIPE_SZ, PIPE_SIZE);
  fcntl (from_other[1], F_SETPIPE_SZ, PIPE_SIZE);

  *self = (Bare){ .input = from_other[0], .output = to_other[1], .socket = sockets[0] };
  host = (Bare){ .input = to_other[0], .output = from_other[1], .socket = sockets[1] };

  self->pid = fork ();
  if (self->pid < 0)
    bench_fail ("There is no other process: %s", g_strerror (errno));
  if (self->pid == 0)
    {
      close_all (self);
      run (&host, options);
      _exit (EXIT_SUCCESS);
    }
  close_all (&host);
}

void
bare_stop (Bare *self)
{
  int status = 0;

  close_all (self);
  if (waitpid (self->pid, &status, 0) != self->pid || status != 0)
    bench_fail ("The other process has failed");
}

gboolean
bare_read (Bare *self, gpointer bytes, gsize size)
{
  gsize n_read = 0;

  while (n_read < size)
    {
      gssize n = read (self->input, (guint8 *) bytes + n_read, size - n_read);

      if (n == 0 && n_read == 0)
        return FALSE;
      if (n == 0 || (n < 0 && errno != EINTR))
        bench_fail ("Reading from the other process failed");
      if (n > 0)
        n_read += (gsize) n;
    }

  return TRUE;
}

void
bare_write (Bare *self, gconstpointer bytes, gsize size)
{
  gsize n_written = 0;

  while (n_written < size)
    {
      gssize n = write (self->output, (const guint8 *) bytes + n_written, size - n_written);

      if (n < 0 && errno != EINTR)
        bench_fail ("Writing to the other process failed: %s", g_strerror (errno));
      if (n > 0)
        n_written += (gsize) n;
    }
}

/* --- Descriptors --- */

typedef union
{
  struct cmsghdr header;
  char bytes[CMSG_SPACE (sizeof (int))];
} Control;

void
bare_send_fd (Bare *self, int fd)
{
  Control control = { 0 };
  char byte = 0;
  struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
  struct msghdr message = {
    .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
  };

  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN (sizeof fd);
  memcpy (CMSG_DATA (&control.header), &fd, sizeof fd);

  if (sendmsg (self->socket, &message, 0) != 1)
    bench_fail ("Sending a descriptor failed: %s", g_strerror (errno));
  close (fd);
}

int
bare_receive_fd (Bare *self)
{
  Control control = { 0 };
  char byte = 0;
  struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
  struct msghdr message = {
    .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
  };
  int fd = -1;

  if (recvmsg (self->socket, &message, MSG_CMSG_CLOEXEC) != 1
      || message.msg_controllen < CMSG_LEN (sizeof fd))
    bench_fail ("No descriptor came from the other process");
  memcpy (&fd, CMSG_DATA (&control.header), sizeof fd);

  return fd;
}
