/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What can be set on a launcher, and looked at. */

#include "config.h"

#include "dray-launcher-private.h"

/**
 * dray_launcher_dup_argv:
 * @self: a launcher
 *
 * Gets the worker's program and its arguments, without the prefix.
 *
 * Returns: (transfer full) (array zero-terminated=1) (element-type filename): the strings
 *
 * Since: 0.1
 */
char **
dray_launcher_dup_argv (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), NULL);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return dray_launcher_dup_argv_locked (self);
}

/**
 * dray_launcher_set_prefix:
 * @self: a launcher
 * @prefix: (nullable) (array zero-terminated=1) (element-type filename): a program, which has a
 *   name, and its arguments, or %NULL or an empty array for none
 *
 * Sets what is put before the worker's own argument vector. The program must start the worker
 * with its own standard input and output, or forward them both ways without a change, and must
 * end when the worker does.
 *
 * Where that is another machine or another root, the worker's program must be found there under
 * the same name.
 *
 * Since: 0.1
 */
void
dray_launcher_set_prefix (DrayLauncher *self, const char *const *prefix)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail (prefix == NULL || prefix[0] == NULL || *prefix[0] != '\0');

  g_auto (GStrv) copy = NULL;

  if (prefix != NULL && prefix[0] != NULL)
    copy = g_strdupv ((char **) prefix);

  g_mutex_lock (&self->lock);
  char **previous = g_steal_pointer (&self->prefix);
  self->prefix = g_steal_pointer (&copy);
  g_mutex_unlock (&self->lock);

  g_strfreev (previous);
  g_object_notify (G_OBJECT (self), "prefix");
}

/**
 * dray_launcher_dup_prefix:
 * @self: a launcher
 *
 * Gets what is put before the worker's own argument vector.
 *
 * Returns: (transfer full) (nullable) (array zero-terminated=1) (element-type filename): the
 *   strings, or %NULL for none
 *
 * Since: 0.1
 */
char **
dray_launcher_dup_prefix (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), NULL);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return g_strdupv (self->prefix);
}

/**
 * dray_launcher_set_environment:
 * @self: a launcher
 * @environment: (nullable) (array zero-terminated=1) (element-type filename): strings of the form
 *   `NAME=VALUE`, or %NULL for the environment that the application has when an executor is made
 *
 * Sets the whole environment of the workers. What [method@Launcher.setenv] and
 * [method@Launcher.unsetenv] did before is forgotten.
 *
 * Since: 0.1
 */
void
dray_launcher_set_environment (DrayLauncher *self, const char *const *environment)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));

  char **copy = g_strdupv ((char **) environment);

  g_mutex_lock (&self->lock);
  char **previous = g_steal_pointer (&self->environment);
  self->environment = copy;
  g_hash_table_remove_all (self->changes);
  g_mutex_unlock (&self->lock);

  g_strfreev (previous);
  g_object_notify (G_OBJECT (self), "environment");
}

/**
 * dray_launcher_dup_environment:
 * @self: a launcher
 *
 * Gets the environment that workers would have now.
 *
 * Returns: (transfer full) (array zero-terminated=1) (element-type filename): strings of the form
 *   `NAME=VALUE`
 *
 * Since: 0.1
 */
char **
dray_launcher_dup_environment (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), NULL);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return dray_launcher_dup_environment_locked (self);
}

/* @value: (transfer full) (nullable): NULL takes the variable away. */
static void
change_environment (DrayLauncher *self, const char *name, char *value)
{
  g_mutex_lock (&self->lock);
  g_hash_table_replace (self->changes, g_strdup (name), value);
  g_mutex_unlock (&self->lock);

  g_object_notify (G_OBJECT (self), "environment");
}

/**
 * dray_launcher_setenv:
 * @self: a launcher
 * @name: (type filename): the name of a variable, without a `=`
 * @value: (type filename): its value
 *
 * Sets one variable in the environment of the workers. All others stay what they are, and the
 * application's own environment is not touched.
 *
 * Since: 0.1
 */
void
dray_launcher_setenv (DrayLauncher *self, const char *name, const char *value)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail (name != NULL && *name != '\0' && strchr (name, '=') == NULL);
  g_return_if_fail (value != NULL);

  change_environment (self, name, g_strdup (value));
}

/**
 * dray_launcher_unsetenv:
 * @self: a launcher
 * @name: (type filename): the name of a variable, without a `=`
 *
 * Takes one variable out of the environment of the workers, if it is there.
 *
 * Since: 0.1
 */
void
dray_launcher_unsetenv (DrayLauncher *self, const char *name)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail (name != NULL && *name != '\0' && strchr (name, '=') == NULL);

  change_environment (self, name, NULL);
}

/**
 * dray_launcher_set_directory:
 * @self: a launcher
 * @directory: (nullable) (type filename): a directory, or %NULL for the application's current one
 *
 * Sets the directory that workers start in. Where there is a prefix it is the prefix's program
 * that starts there.
 *
 * Since: 0.1
 */
void
dray_launcher_set_directory (DrayLauncher *self, const char *directory)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail (directory == NULL || *directory != '\0');

  char *copy = g_strdup (directory);

  g_mutex_lock (&self->lock);
  char *previous = g_steal_pointer (&self->directory);
  self->directory = copy;
  g_mutex_unlock (&self->lock);

  g_free (previous);
  g_object_notify (G_OBJECT (self), "directory");
}

/**
 * dray_launcher_dup_directory:
 * @self: a launcher
 *
 * Gets the directory that workers start in.
 *
 * Returns: (transfer full) (nullable) (type filename): the directory, or %NULL for the
 *   application's current one
 *
 * Since: 0.1
 */
char *
dray_launcher_dup_directory (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), NULL);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return g_strdup (self->directory);
}

/**
 * dray_launcher_set_initial_arguments:
 * @self: a launcher
 * @arguments: (nullable): a value of any type, or %NULL
 *
 * Sets what the initialiser of each worker is given (see [method@Worker.set_initializer]). A
 * floating value is consumed.
 *
 * Since: 0.1
 */
void
dray_launcher_set_initial_arguments (DrayLauncher *self, GVariant *arguments)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));

  GVariant *reference = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;

  g_mutex_lock (&self->lock);
  GVariant *previous = g_steal_pointer (&self->arguments);
  self->arguments = reference;
  g_mutex_unlock (&self->lock);

  g_clear_pointer (&previous, g_variant_unref);
  g_object_notify (G_OBJECT (self), "initial-arguments");
}

/**
 * dray_launcher_dup_initial_arguments:
 * @self: a launcher
 *
 * Gets what the initialiser of each worker is given.
 *
 * Returns: (transfer full) (nullable): the value, or %NULL if none was set
 *
 * Since: 0.1
 */
GVariant *
dray_launcher_dup_initial_arguments (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), NULL);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->arguments != NULL ? g_variant_ref (self->arguments) : NULL;
}

/**
 * dray_launcher_set_stderr:
 * @self: a launcher
 * @mode: what becomes of it
 *
 * Sets what becomes of what workers write to their standard error, and to their standard output,
 * which goes the same way. The default is %DRAY_STDERR_CAPTURE.
 *
 * Since: 0.1
 */
void
dray_launcher_set_stderr (DrayLauncher *self, DrayStderr mode)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail (mode == DRAY_STDERR_CAPTURE || mode == DRAY_STDERR_INHERIT);

  g_mutex_lock (&self->lock);
  self->stderr_mode = mode;
  g_mutex_unlock (&self->lock);

  g_object_notify (G_OBJECT (self), "stderr");
}

/**
 * dray_launcher_get_stderr:
 * @self: a launcher
 *
 * Gets what becomes of the workers' standard error.
 *
 * Returns: the mode
 *
 * Since: 0.1
 */
DrayStderr
dray_launcher_get_stderr (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), DRAY_STDERR_CAPTURE);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->stderr_mode;
}

/**
 * dray_launcher_set_trusted:
 * @self: a launcher
 * @trusted: whether the workers are trusted with memory that the application reads
 *
 * Lets workers send large results and items in memory that is used again and again. Then a result
 * costs no more than writing its bytes, from the second one on: the system need not find, clear and
 * map fresh memory for it. The memory is given back when the application drops the last reference
 * on the value, and on the bytes it is made of.
 *
 * A worker that is trusted could change a value after it was received, which no other worker can.
 * So this is for workers that run the application's own code on data that can't take them over. It
 * can't make the application read memory which is not there, and what was received stays what it is
 * when its worker ends.
 *
 * What is the same either way: values, errors, limits, and that small values go through pipes. The
 * default is %FALSE.
 *
 * Since: 0.1
 */
void
dray_launcher_set_trusted (DrayLauncher *self, gboolean trusted)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));

  g_mutex_lock (&self->lock);
  self->trusted = trusted != FALSE;
  g_mutex_unlock (&self->lock);

  g_object_notify (G_OBJECT (self), "trusted");
}

/**
 * dray_launcher_get_trusted:
 * @self: a launcher
 *
 * Tells whether the workers are trusted with memory that the application reads.
 *
 * Returns: whether they are
 *
 * Since: 0.1
 */
gboolean
dray_launcher_get_trusted (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), FALSE);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->trusted;
}

/**
 * dray_launcher_set_shared_size:
 * @self: a launcher
 * @bytes: the size in bytes, at least 1
 *
 * Sets from which size on arguments, items and results travel in shared memory, where the worker is
 * one of this machine. It makes no difference but in speed.
 *
 * Shared memory has to be fresh each time, which costs more than to have the library copy smaller
 * values. But it is the worker who pays for that, while all that is copied is copied by one thread
 * of the application, for all workers. The default, 128 MiB, is for a few workers; with many
 * processors, all of which send large results at a time, a smaller one may be better. It is not for
 * large arguments, which that thread has to copy in either case. (See also
 * [method@Launcher.set_trusted], which has neither cost, for results.)
 *
 * Since: 0.1
 */
void
dray_launcher_set_shared_size (DrayLauncher *self, guint64 bytes)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail (bytes > 0);

  g_mutex_lock (&self->lock);
  self->shared_size = bytes;
  g_mutex_unlock (&self->lock);

  g_object_notify (G_OBJECT (self), "shared-size");
}

/**
 * dray_launcher_get_shared_size:
 * @self: a launcher
 *
 * Gets from which size on values travel in shared memory.
 *
 * Returns: bytes
 *
 * Since: 0.1
 */
guint64
dray_launcher_get_shared_size (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), 0);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->shared_size;
}
