/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>

int
dray_descriptor_raise (int fd)
{
  int raised, saved_errno;

  if (fd < 0 || fd >= DRAY_DESCRIPTOR_LOWEST)
    return fd;

  raised = fcntl (fd, F_DUPFD_CLOEXEC, DRAY_DESCRIPTOR_LOWEST);
  saved_errno = errno;
  close (fd);
  errno = saved_errno;
  return raised;
}

gboolean
dray_descriptor_open_pipe (int fds[2], GError **error)
{
  if (!g_unix_open_pipe (fds, FD_CLOEXEC, error))
    return FALSE;

  for (int i = 0; i < 2; i++)
    {
      int raised = dray_descriptor_raise (fds[i]);

      if (raised < 0)
        {
          int saved_errno = errno;

          close (fds[1 - i]);
          g_set_error_literal (error, G_UNIX_ERROR, 0, g_strerror (saved_errno));
          return FALSE;
        }
      fds[i] = raised;
    }
  return TRUE;
}
