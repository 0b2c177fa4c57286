/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "lingering.h"

#include <netinet/in.h>
#include <sys/socket.h>

static struct sockaddr_in
make_address (guint16 port)
{
  return (struct sockaddr_in){
    .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
    .sin_port = htons (port),
  };
}

gboolean
lingering_is_possible (void)
{
  if (g_getenv ("DRAY_TEST_UNDER_VALGRIND") == NULL)
    return TRUE;

  g_test_skip ("Closing a descriptor stops all threads here");
  return FALSE;
}

int
lingering_listen (guint16 *port)
{
  struct sockaddr_in address = make_address (0);
  socklen_t size = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (bind (fd, (struct sockaddr *) &address, size) != 0 || listen (fd, 16) != 0
      || getsockname (fd, (struct sockaddr *) &address, &size) != 0)
    g_error ("There is no socket to be had");

  *port = ntohs (address.sin_port);
  return fd;
}

int
lingering_connect (guint16 port)
{
  const struct linger linger = { .l_onoff = 1, .l_linger = 3600 };
  const struct sockaddr_in address = make_address (port);
  const char bytes[65536] = { 0 };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (connect (fd, (const struct sockaddr *) &address, sizeof address) != 0
      || setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) != 0)
    g_error ("There is no connection to be had");

  while (send (fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
    ;
  return fd;
}
