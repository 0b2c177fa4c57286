/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-attachments.h"

#include <errno.h>
#include <gio/gunixfdlist.h>
#include <glib/gi18n-lib.h>
#include <sys/resource.h>

#include "dray-descriptor.h"
#include "dray-error-private.h"
#include "dray-future-private.h"
#include "dray-passage.h"
#include "dray-pool.h"
#include "dray-task-private.h"

/* Attachments as the application sees them: those of a task, and those of a future. */

#define HELD_KEY "dray-attachments-held"

/* --- Those that have come --- */

static int n_held; /* atomic */

static void
let_go_cb (gpointer n_fds)
{
  g_atomic_int_add (&n_held, -GPOINTER_TO_INT (n_fds));
}

/* Looked up each time: an application may raise its limit. */
static int
get_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 2 > G_MAXINT / 2)
    return G_MAXINT / 2;
  return (int) (limit.rlim_cur / 2);
}

gboolean
dray_attachments_hold (GUnixFDList *attachments, GError **error)
{
  int n_fds;

  if (attachments == NULL)
    return TRUE;

  n_fds = g_unix_fd_list_get_length (attachments);
  if (g_atomic_int_add (&n_held, n_fds) + n_fds > get_limit ())
    {
      g_atomic_int_add (&n_held, -n_fds);
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS,
                           _("Too many open files have come from workers already"));
      return FALSE;
    }

  g_object_set_data_full (G_OBJECT (attachments), HELD_KEY, GINT_TO_POINTER (n_fds), let_go_cb);
  return TRUE;
}

/* --- Those of a task --- */

/* Not by g_unix_fd_list_append(), which would put one into the place of a standard descriptor that
 * the application has closed. Returns: (transfer full) (nullable): another list of the same open
 * files */
static GUnixFDList *
duplicate_list (GUnixFDList *list, GError **error)
{
  int copies[DRAY_PASSAGE_MAX_ATTACHMENTS];
  int n_fds, n_copies = 0;
  const int *fds = g_unix_fd_list_peek_fds (list, &n_fds);
  int reason = 0;

  while (n_copies < n_fds && reason == 0)
    {
      copies[n_copies] = dray_descriptor_duplicate (fds[n_copies]);
      if (copies[n_copies] >= 0)
        n_copies++;
      else
        reason = errno;
    }

  g_autoptr (GUnixFDList) copy = g_unix_fd_list_new_from_array (copies, n_copies);

  if (reason == 0)
    return g_steal_pointer (&copy);

  dray_set_error_errno (error, reason, _ ("Open files could not be passed to the other side"));
  return NULL;
}

/**
 * dray_task_set_attachments:
 * @self: a call
 * @attachments: (nullable): open files, at most 64, or %NULL for none
 * @error: return location for an error
 *
 * Sets open files that the function is to have. It finds them in [method@Job.get_attachments], in
 * the same order.
 *
 * What is sent are duplicates, which are made now: the list and its descriptors stay the caller's,
 * and a later change of it changes nothing here. They are the task's, and are closed with its last
 * reference; a task that is submitted several times, or run again, sends them each time. They are
 * the same open files as the caller's, their position included.
 *
 * Open files reach workers on this machine. A task whose worker is reached through something that
 * does not pass them, such as `ssh`, fails with %DRAY_ERROR_ATTACHMENTS.
 *
 * Errors: %DRAY_ERROR_ATTACHMENTS if there are too many; of %G_IO_ERROR if one can't be duplicated,
 * as where the application can have no more descriptors.
 *
 * Returns: %TRUE if they were set; if not, the task is as it was
 *
 * Since: 0.1
 */
gboolean
dray_task_set_attachments (DrayTask *self, GUnixFDList *attachments, GError **error)
{
  GUnixFDList *copy = NULL;
  int n_fds;

  g_return_val_if_fail (self != NULL && self->kind == DRAY_TASK_CALL, FALSE);
  g_return_val_if_fail (!dray_task_is_sealed (self), FALSE);
  g_return_val_if_fail (attachments == NULL || G_IS_UNIX_FD_LIST (attachments), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  n_fds = attachments != NULL ? g_unix_fd_list_get_length (attachments) : 0;
  if (n_fds > DRAY_PASSAGE_MAX_ATTACHMENTS)
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS,
                   _("More than %d open files can’t be passed at once"),
                      DRAY_PASSAGE_MAX_ATTACHMENTS);
      return FALSE;
    }

  if (n_fds > 0)
    {
      copy = duplicate_list (attachments, error);
      if (copy == NULL)
        return FALSE;
    }

  g_clear_object (&self->attachments);
  self->attachments = copy;
  return TRUE;
}

/**
 * dray_task_get_attachments:
 * @self: a task
 *
 * Gets the open files that the function is to have. They must not be closed, and the list must not
 * be changed.
 *
 * Returns: (transfer none) (nullable): the task's own duplicates, or %NULL if there are none
 *
 * Since: 0.1
 */
GUnixFDList *
dray_task_get_attachments (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->attachments;
}

/* --- Those of a future --- */

/**
 * dray_future_dup_attachments:
 * @self: a future
 *
 * Gets the open files that the function returned along with its result
 * ([method@Job.return_attachment]), in the same order. They are there as soon as the task has
 * succeeded.
 *
 * Each call gives the same list. [method@Gio.UnixFDList.get] gives a duplicate of one of them, and
 * [method@Gio.UnixFDList.steal_fds] takes them all, which one thread should do at most. What nobody
 * has taken is closed with the last reference on the list, of which the future has one.
 *
 * An open file of a worker that is not trusted may be anything. To read from it may block, and so
 * may closing it.
 *
 * Open files that come from workers may take half of the descriptors that the process can have
 * (`RLIMIT_NOFILE`) at a time; a task whose worker returns more than there is room for fails with
 * %DRAY_ERROR_ATTACHMENTS. So they should not be kept for long.
 *
 * Returns: (transfer full) (nullable): the open files, or %NULL if there are none
 *
 * Since: 0.1
 */
GUnixFDList *
dray_future_dup_attachments (DrayFuture *self)
{
  DrayTicket *ticket;
  GUnixFDList *attachments = NULL;

  g_return_val_if_fail (dray_future_is_real (self), NULL);

  ticket = dray_future_get_ticket (self);
  dray_pool_lock (ticket->pool);
  if (ticket->attachments != NULL)
    attachments = g_object_ref (ticket->attachments);
  dray_pool_unlock (ticket->pool);

  return attachments;
}
