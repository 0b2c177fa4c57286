/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What only a command has: where it starts, what it reads, what becomes of what it writes. */

#include "config.h"

#include "dray-task-private.h"

#include "dray-descriptor.h"
#include "dray-error-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <unistd.h>

void
dray_task_clear_input (DrayTask *self)
{
  g_clear_pointer (&self->input_bytes, g_bytes_unref);
  if (self->input_fd != -1)
    close (self->input_fd);
  self->input_fd = -1;
}

/**
 * dray_task_set_directory:
 * @self: a command
 * @directory: (nullable) (type filename): where the command starts, or %NULL for the
 *   application's current directory
 *
 * Sets the command's working directory. The application's own is never changed. A directory that
 * can't be entered shows as %DRAY_ERROR_LAUNCH of the future.
 *
 * Since: 0.1
 */
void
dray_task_set_directory (DrayTask *self, const char *directory)
{
  g_return_if_fail (self != NULL && self->kind == DRAY_TASK_COMMAND);
  g_return_if_fail (!dray_task_is_sealed (self));
  g_return_if_fail (directory == NULL || *directory != '\0');

  char *copy = g_strdup (directory);

  g_free (self->directory);
  self->directory = copy;
}

/**
 * dray_task_get_directory:
 * @self: a task
 *
 * Gets the command's working directory.
 *
 * Returns: (nullable) (type filename): the directory, or %NULL for the application's and for a
 *   call
 *
 * Since: 0.1
 */
const char *
dray_task_get_directory (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->directory;
}

/**
 * dray_task_set_environment:
 * @self: a command
 * @environment: (nullable) (array zero-terminated=1) (element-type filename): strings of the
 *   form `NAME=VALUE`, or %NULL for the application's environment as it was when the executor was
 *   made
 *
 * Sets the command's whole environment. To change only a part of it start from
 * [func@GLib.get_environ] and [func@GLib.environ_setenv].
 *
 * Since: 0.1
 */
void
dray_task_set_environment (DrayTask *self, const char *const *environment)
{
  g_return_if_fail (self != NULL && self->kind == DRAY_TASK_COMMAND);
  g_return_if_fail (!dray_task_is_sealed (self));

  char **copy = g_strdupv ((char **) environment);

  g_strfreev (self->environment);
  self->environment = copy;
}

/**
 * dray_task_get_environment:
 * @self: a task
 *
 * Gets the command's environment.
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1) (element-type filename): the
 *   environment, or %NULL for the application's and for a call
 *
 * Since: 0.1
 */
const char *const *
dray_task_get_environment (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return (const char *const *) self->environment;
}

/**
 * dray_task_set_input_bytes:
 * @self: a command
 * @bytes: (nullable): what the command reads from its standard input, or %NULL for nothing
 *
 * Gives the command its standard input, up to an end of file after the last byte. It is written
 * as fast as the command reads it, and not copied. A command that does not read all of it, or
 * none, is no error. This takes the place of an earlier [method@Task.set_input_fd].
 *
 * Since: 0.1
 */
void
dray_task_set_input_bytes (DrayTask *self, GBytes *bytes)
{
  g_return_if_fail (self != NULL && self->kind == DRAY_TASK_COMMAND);
  g_return_if_fail (!dray_task_is_sealed (self));

  GBytes *reference = bytes != NULL ? g_bytes_ref (bytes) : NULL;

  dray_task_clear_input (self);
  self->input_bytes = reference;
}

/**
 * dray_task_get_input_bytes:
 * @self: a task
 *
 * Gets what the command reads from its standard input.
 *
 * Returns: (transfer none) (nullable): the bytes, or %NULL if none were set
 *
 * Since: 0.1
 */
GBytes *
dray_task_get_input_bytes (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->input_bytes;
}

/**
 * dray_task_set_input_fd:
 * @self: a command
 * @fd: a descriptor that is open for reading
 * @error: where to say what went wrong
 *
 * Makes @fd the command's standard input. The task keeps a duplicate: the caller's descriptor
 * remains the caller's, and may be closed. It is passed on as it is, so a file is read from where
 * its offset is, and one task that is submitted twice goes on where the first run stopped. This
 * takes the place of an earlier [method@Task.set_input_bytes].
 *
 * Sets an error of %G_IO_ERROR, and leaves the task as it was, if the descriptor can't be
 * duplicated.
 *
 * Returns: %TRUE if the descriptor will be used
 *
 * Since: 0.1
 */
gboolean
dray_task_set_input_fd (DrayTask *self, int fd, GError **error)
{
  g_return_val_if_fail (self != NULL && self->kind == DRAY_TASK_COMMAND, FALSE);
  g_return_val_if_fail (!dray_task_is_sealed (self), FALSE);
  g_return_val_if_fail (fd >= 0, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  int duplicate = dray_descriptor_duplicate (fd);

  if (duplicate == -1)
    {
      dray_set_error_errno (error, errno, _ ("Could not keep the input of “%s”"), self->label);
      return FALSE;
    }

  dray_task_clear_input (self);
  self->input_fd = duplicate;
  return TRUE;
}

int
dray_task_get_input_fd (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, -1);

  return self->input_fd;
}

/**
 * dray_task_set_split:
 * @self: a command
 * @split: how to split
 *
 * Sets how the command's standard output becomes items. The default is %DRAY_SPLIT_NONE: no
 * items, and the whole output is the result. With all others the result is the number of items,
 * of type `t`.
 *
 * Since: 0.1
 */
void
dray_task_set_split (DrayTask *self, DraySplit split)
{
  g_return_if_fail (self != NULL && self->kind == DRAY_TASK_COMMAND);
  g_return_if_fail (!dray_task_is_sealed (self));
  g_return_if_fail ((guint) split <= DRAY_SPLIT_CHUNKS);

  self->split = split;
}

/**
 * dray_task_get_split:
 * @self: a task
 *
 * Gets how the command's standard output becomes items.
 *
 * Returns: how it is split
 *
 * Since: 0.1
 */
DraySplit
dray_task_get_split (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, DRAY_SPLIT_NONE);

  return self->split;
}

/**
 * dray_task_set_encoding:
 * @self: a command
 * @encoding: what the output is made of
 *
 * Sets the type of the command's items and result: `ay` for %DRAY_ENCODING_BYTES, which is the
 * default, `s` for %DRAY_ENCODING_UTF8. Bytes are just those that were written: no zero follows
 * them, so they are no C string. Output that is not the text which was asked for fails the task
 * with %DRAY_ERROR_INVALID_TEXT; it is never passed off as text.
 *
 * Since: 0.1
 */
void
dray_task_set_encoding (DrayTask *self, DrayEncoding encoding)
{
  g_return_if_fail (self != NULL && self->kind == DRAY_TASK_COMMAND);
  g_return_if_fail (!dray_task_is_sealed (self));
  g_return_if_fail (encoding == DRAY_ENCODING_BYTES || encoding == DRAY_ENCODING_UTF8);

  self->encoding = encoding;
}

/**
 * dray_task_get_encoding:
 * @self: a task
 *
 * Gets what the command's standard output is made of.
 *
 * Returns: the encoding
 *
 * Since: 0.1
 */
DrayEncoding
dray_task_get_encoding (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, DRAY_ENCODING_BYTES);

  return self->encoding;
}

/**
 * dray_task_set_max_record_size:
 * @self: a command
 * @bytes: the longest line or record, without what ends it; not 0
 *
 * Limits the length of a line (%DRAY_SPLIT_LINES) or record (%DRAY_SPLIT_RECORDS). A longer one
 * fails the task with %DRAY_ERROR_TOO_LARGE, before it takes up more memory than that. The
 * default is 1 MiB.
 *
 * Since: 0.1
 */
void
dray_task_set_max_record_size (DrayTask *self, gsize bytes)
{
  g_return_if_fail (self != NULL && self->kind == DRAY_TASK_COMMAND);
  g_return_if_fail (!dray_task_is_sealed (self));
  g_return_if_fail (bytes > 0);

  self->max_record_size = bytes;
}

/**
 * dray_task_get_max_record_size:
 * @self: a task
 *
 * Gets the longest line or record.
 *
 * Returns: bytes
 *
 * Since: 0.1
 */
gsize
dray_task_get_max_record_size (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->max_record_size;
}

/**
 * dray_task_set_max_output_size:
 * @self: a command
 * @bytes: the largest output; not 0
 *
 * Limits the size of an output that is collected whole (%DRAY_SPLIT_NONE). A larger one fails
 * the task with %DRAY_ERROR_TOO_LARGE. An output that is streamed may be of any size. The
 * default is 64 MiB.
 *
 * Since: 0.1
 */
void
dray_task_set_max_output_size (DrayTask *self, gsize bytes)
{
  g_return_if_fail (self != NULL && self->kind == DRAY_TASK_COMMAND);
  g_return_if_fail (!dray_task_is_sealed (self));
  g_return_if_fail (bytes > 0);

  self->max_output_size = bytes;
}

/**
 * dray_task_get_max_output_size:
 * @self: a task
 *
 * Gets the largest output that is collected whole.
 *
 * Returns: bytes
 *
 * Since: 0.1
 */
gsize
dray_task_get_max_output_size (DrayTask *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->max_output_size;
}
