/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-descriptor.h"

#include "dray-error-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* For files that the application opens, and for what workers pass to it. */
#define RESERVE 32

int
dray_descriptor_duplicate (int fd)
{
  int copy = fcntl (fd, F_DUPFD_CLOEXEC, DRAY_DESCRIPTOR_LOWEST);

  /* So the system says that numbers of that height are not allowed at all. */
  if (copy < 0 && errno == EINVAL)
    errno = EMFILE;
  return copy;
}

int
dray_descriptor_raise (int fd)
{
  int raised, saved_errno;

  if (fd < 0 || fd >= DRAY_DESCRIPTOR_LOWEST)
    return fd;

  raised = dray_descriptor_duplicate (fd);
  saved_errno = errno;
  close (fd);
  errno = saved_errno;
  return raised;
}

/* A new descriptor gets the lowest number that is free, so at most those above it are left. */
gboolean
dray_descriptor_is_scarce (int fd)
{
  struct rlimit limit;

  return getrlimit (RLIMIT_NOFILE, &limit) == 0
         && (rlim_t) fd + MIN (RESERVE, limit.rlim_cur / 4) >= limit.rlim_cur;
}

static void
close_all (GArray *fds)
{
  for (guint i = 0; i < fds->len; i++)
    close (g_array_index (fds, int, i));
  g_array_unref (fds);
}

static gpointer
close_cb (gpointer data)
{
  close_all (data);
  return NULL;
}

/* Closing it is a matter of this machine's memory alone. */
static gboolean
is_memory (int fd)
{
  return fcntl (fd, F_GET_SEALS) >= 0;
}

void
dray_descriptor_close_foreign (const int *fds, guint n_fds)
{
  GArray *slow = NULL;
  GThread *thread;

  for (guint i = 0; i < n_fds; i++)
    {
      if (is_memory (fds[i]))
        {
          close (fds[i]);
          continue;
        }
      if (slow == NULL)
        slow = g_array_new (FALSE, FALSE, sizeof (int));
      g_array_append_val (slow, fds[i]);
    }

  if (slow == NULL)
    return;

  thread = g_thread_try_new ("dray-close", close_cb, slow, NULL);
  if (thread != NULL)
    g_thread_unref (thread);
  else
    close_all (slow);
}

void
dray_descriptor_list_release (GUnixFDList *list)
{
  if (list == NULL)
    return;

  if (g_atomic_int_get (&G_OBJECT (list)->ref_count) == 1)
    {
      int n_fds;
      g_autofree int *fds = g_unix_fd_list_steal_fds (list, &n_fds);

      dray_descriptor_close_foreign (fds, (guint) n_fds);
    }
  g_object_unref (list);
}

/* Closes both where one of them can't be raised. */
static gboolean
raise_both (int fds[2], GError **error)
{
  for (int i = 0; i < 2; i++)
    {
      int raised = dray_descriptor_raise (fds[i]);

      if (raised < 0)
        {
          int saved_errno = errno;

          close (fds[1 - i]);
          g_set_error_literal (error, G_UNIX_ERROR, 0, dray_strerror (saved_errno));
          return FALSE;
        }
      fds[i] = raised;
    }
  return TRUE;
}

gboolean
dray_descriptor_open_pipe (int fds[2], GError **error)
{
  if (pipe2 (fds, O_CLOEXEC) == 0)
    return raise_both (fds, error);

  g_set_error_literal (error, G_UNIX_ERROR, 0, dray_strerror (errno));
  return FALSE;
}

gboolean
dray_descriptor_open_socket_pair (int fds[2], GError **error)
{
  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0)
    return raise_both (fds, error);

  g_set_error_literal (error, G_UNIX_ERROR, 0, dray_strerror (errno));
  return FALSE;
}
