/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-job-private.h"

#include <glib/gi18n-lib.h>
#include <gio/gunixfdlist.h>

#include "dray-passage.h"

/* The methods of the job for what goes beside its messages: memory, and open files. */

/**
 * dray_job_allocate_bytes:
 * @self: a job
 * @size: how many bytes, at least 1
 * @data: (out) (transfer none): where they are, to be written to; aligned to 8
 *
 * Gives memory that a large item or result can be written to. What is in it before is not defined.
 *
 * ```c
 * gpointer pixels;
 * g_autoptr (GBytes) bytes = dray_job_allocate_bytes (job, stride * height, &pixels);
 *
 * render (pixels, stride, height);
 * return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
 * ```
 *
 * A value that is made of the whole of it is sent without a copy where the application trusts the
 * worker ([method@Launcher.set_trusted]): the memory is shared with it, and once the application
 * has let go of it it is given out here again, warm. Anywhere else this is memory like any other,
 * though a little cheaper to fill.
 *
 * The memory must not be written to any more once the value was emitted or returned. It is given
 * back when the last reference on the bytes is dropped, here and in the application.
 *
 * In other languages the place is only of use where they can write to an address: in Vala, and with
 * `ctypes` in Python. JavaScript can't; there, return a value of bytes that were made in another
 * way.
 *
 * May be called on any thread.
 *
 * Returns: (transfer full): the bytes
 *
 * Since: 0.1
 */
GBytes *
dray_job_allocate_bytes (DrayJob *self, gsize size, gpointer *data)
{
  g_return_val_if_fail (dray_job_is_real (self), NULL);
  g_return_val_if_fail (size > 0, NULL);
  g_return_val_if_fail (data != NULL, NULL);

  return dray_link_allocate (self->link, size, data);
}

/**
 * dray_job_get_attachments:
 * @self: a job
 *
 * Gets the open files that the application has sent with the task
 * ([method@Task.set_attachments]), in the same order.
 *
 * [method@Gio.UnixFDList.get] gives a duplicate of one of them, and
 * [method@Gio.UnixFDList.steal_fds] takes them all. What is not taken is closed when the job is
 * freed, which is after its function has returned. Descriptors are close-on-exec.
 *
 * An open file is the same one as the application's, its position included.
 *
 * Returns: (transfer none) (nullable): the open files, or %NULL if there are none
 *
 * Since: 0.1
 */
GUnixFDList *
dray_job_get_attachments (DrayJob *self)
{
  g_return_val_if_fail (dray_job_is_real (self), NULL);

  return self->call->attachments;
}

/* Returns: whether one more can be returned */
static gboolean
check_room_locked (DrayJob *self, GError **error)
{
  if (self->call->quiet || !dray_link_has_passage (self->link))
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS,
                           _("Open files could not be passed to the other side"));
      return FALSE;
    }

  if (self->returned != NULL
      && g_unix_fd_list_get_length (self->returned) >= DRAY_PASSAGE_MAX_ATTACHMENTS)
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS,
                   _("More than %d open files can’t be passed at once"),
                      DRAY_PASSAGE_MAX_ATTACHMENTS);
      return FALSE;
    }

  return TRUE;
}

/**
 * dray_job_return_attachment:
 * @self: a job
 * @fd: an open file
 * @error: return location for an error
 *
 * Sends an open file along with the result; the application finds it in
 * [method@Future.dup_attachments]. @fd stays the caller's: what is sent is a duplicate. If the job
 * fails, nothing is sent.
 *
 * Errors: %DRAY_ERROR_ATTACHMENTS if the worker was reached through something that passes no open
 * files, such as `ssh`, if the call is one of a map, or if there are more than 64; those of
 * [method@Gio.UnixFDList.append].
 *
 * May be called on any thread, while the function runs.
 *
 * Returns: its place among those that are returned, counted from 0; -1 with @error set
 *
 * Since: 0.1
 */
int
dray_job_return_attachment (DrayJob *self, int fd, GError **error)
{
  int place = -1;

  g_return_val_if_fail (dray_job_is_real (self), -1);
  g_return_val_if_fail (fd >= 0, -1);
  g_return_val_if_fail (error == NULL || *error == NULL, -1);

  g_mutex_lock (&self->lock);
  if (check_room_locked (self, error))
    {
      if (self->returned == NULL)
        self->returned = g_unix_fd_list_new ();
      place = g_unix_fd_list_append (self->returned, fd, error);
    }
  g_mutex_unlock (&self->lock);

  return place;
}

/* A list that stayed empty, because nothing could be duplicated, is none. */
GUnixFDList *
dray_job_steal_returned (DrayJob *self)
{
  g_autoptr (GUnixFDList) returned = NULL;

  g_mutex_lock (&self->lock);
  returned = g_steal_pointer (&self->returned);
  g_mutex_unlock (&self->lock);

  if (returned == NULL || g_unix_fd_list_get_length (returned) == 0)
    return NULL;
  return g_steal_pointer (&returned);
}
