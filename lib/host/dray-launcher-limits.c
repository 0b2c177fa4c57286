/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What workers may use, and how they stand back behind others. */

#include "config.h"

#include "dray-launcher-private.h"

#include <linux/ioprio.h>

/* For its standard descriptors, what it talks to the application through, and a file or two. */
#define MIN_OPEN_FILES 16

#define MAX_LEVEL 7

#define CPU_TIME_VARIABLE "DRAY_CPU_TIME"

void
dray_launcher_init_limits (DrayLauncher *self)
{
  self->limits = (DraySpawnLimits){
    .address_space = G_MAXUINT64,
    .cpu_time = G_MAXUINT64,
    .open_files = G_MAXUINT64,
    .core_size = G_MAXUINT64,
  };
}

/* A worker moves the limit of its processor time with each task: see dray-budget.c. */
char **
dray_launcher_add_limits_locked (DrayLauncher *self, char **environment)
{
  g_autofree char *seconds = NULL;

  if (self->limits.cpu_time == G_MAXUINT64)
    return environment;

  seconds = g_strdup_printf ("%" G_GUINT64_FORMAT, self->limits.cpu_time);
  return g_environ_setenv (environment, CPU_TIME_VARIABLE, seconds, TRUE);
}

static guint64 *
find_limit_locked (DrayLauncher *self, DrayLimit limit)
{
  switch (limit)
    {
    case DRAY_LIMIT_ADDRESS_SPACE:
      return &self->limits.address_space;
    case DRAY_LIMIT_CPU_TIME:
      return &self->limits.cpu_time;
    case DRAY_LIMIT_OPEN_FILES:
      return &self->limits.open_files;
    case DRAY_LIMIT_CORE_SIZE:
    default:
      return &self->limits.core_size;
    }
}

static guint64
get_minimum (DrayLimit limit)
{
  switch (limit)
    {
    case DRAY_LIMIT_OPEN_FILES:
      return MIN_OPEN_FILES;
    case DRAY_LIMIT_CORE_SIZE:
      return 0;
    case DRAY_LIMIT_ADDRESS_SPACE:
    case DRAY_LIMIT_CPU_TIME:
    default:
      return 1;
    }
}

/**
 * dray_launcher_set_limit:
 * @self: a launcher
 * @limit: what to limit
 * @value: how much of it, in the unit of @limit, or %G_MAXUINT64 for as much as the application
 *   itself may use, which is the default
 *
 * Limits what each worker may use. It holds for the program of a prefix, and for what the worker
 * starts, as well. What is more than the application itself may use is no limit.
 *
 * Of %DRAY_LIMIT_CPU_TIME, of which at least 1 second must be allowed, each task has its own: it
 * does not count what tasks before it have used. The task that uses more fails with
 * %DRAY_ERROR_LIMIT_EXCEEDED, and its worker is replaced. The initialiser may use as much. A worker
 * that was taken over could lift this limit; [method@Task.set_time_limit] sets one that it can't.
 *
 * A function that is given no more memory, because of %DRAY_LIMIT_ADDRESS_SPACE, may return an
 * error, which is then that of the task. Mostly the worker ends: GLib does so. Where it says why on
 * its standard error, the task fails with %DRAY_ERROR_LIMIT_EXCEEDED; else with
 * %DRAY_ERROR_WORKER_DIED, whose message mentions the limit. A worker that could not even be
 * started with so little shows as %DRAY_ERROR_LAUNCH.
 *
 * A function that may not open more files, because of %DRAY_LIMIT_OPEN_FILES, which must be at
 * least 16, is told so by the system, and its error is that of the task. The library itself needs
 * up to 8.
 *
 * Commands are not limited by this.
 *
 * Since: 0.1
 */
void
dray_launcher_set_limit (DrayLauncher *self, DrayLimit limit, guint64 value)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail ((guint) limit <= DRAY_LIMIT_CORE_SIZE);
  g_return_if_fail (value >= get_minimum (limit));

  g_mutex_lock (&self->lock);
  *find_limit_locked (self, limit) = value;
  g_mutex_unlock (&self->lock);
}

/**
 * dray_launcher_get_limit:
 * @self: a launcher
 * @limit: what is limited
 *
 * Gets how much of something each worker may use.
 *
 * Returns: how much, or %G_MAXUINT64 if it is not limited
 *
 * Since: 0.1
 */
guint64
dray_launcher_get_limit (DrayLauncher *self, DrayLimit limit)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), G_MAXUINT64);
  g_return_val_if_fail ((guint) limit <= DRAY_LIMIT_CORE_SIZE, G_MAXUINT64);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return *find_limit_locked (self, limit);
}

/**
 * dray_launcher_set_niceness:
 * @self: a launcher
 * @niceness: what is added to the niceness of the application, from -20 to 19
 *
 * Sets how much nicer workers are to others than the application is: the nicer, the less of the
 * processors they get when others want them too. With less than 0, which the system allows to
 * few, tasks fail with %DRAY_ERROR_LAUNCH where it does not.
 *
 * Since: 0.1
 */
void
dray_launcher_set_niceness (DrayLauncher *self, int niceness)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail (niceness >= -20 && niceness <= 19);

  g_mutex_lock (&self->lock);
  self->limits.niceness = niceness;
  g_mutex_unlock (&self->lock);

  g_object_notify (G_OBJECT (self), "niceness");
}

/**
 * dray_launcher_get_niceness:
 * @self: a launcher
 *
 * Gets how much nicer workers are to others than the application is.
 *
 * Returns: what is added to its niceness
 *
 * Since: 0.1
 */
int
dray_launcher_get_niceness (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), 0);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->limits.niceness;
}

static int
get_io_priority (DrayIoClass io_class, guint level)
{
  switch (io_class)
    {
    case DRAY_IO_CLASS_BEST_EFFORT:
      return IOPRIO_PRIO_VALUE (IOPRIO_CLASS_BE, level);
    case DRAY_IO_CLASS_IDLE:
      return IOPRIO_PRIO_VALUE (IOPRIO_CLASS_IDLE, 0);
    case DRAY_IO_CLASS_NONE:
    default:
      return 0;
    }
}

/**
 * dray_launcher_set_io_class:
 * @self: a launcher
 * @io_class: how workers stand back
 * @level: for %DRAY_IO_CLASS_BEST_EFFORT, from 0 to 7, the lower the sooner; else not used
 *
 * Sets how the workers' reading and writing of disks stands back behind that of others. The default
 * is %DRAY_IO_CLASS_NONE. Not every disk's driver cares.
 *
 * Since: 0.1
 */
void
dray_launcher_set_io_class (DrayLauncher *self, DrayIoClass io_class, guint level)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail ((guint) io_class <= DRAY_IO_CLASS_IDLE);
  g_return_if_fail (io_class != DRAY_IO_CLASS_BEST_EFFORT || level <= MAX_LEVEL);

  g_mutex_lock (&self->lock);
  self->limits.io_priority = get_io_priority (io_class, level);
  g_mutex_unlock (&self->lock);
}

/**
 * dray_launcher_get_io_class:
 * @self: a launcher
 * @level: (out) (optional): where to put the level; 0 for other classes than
 *   %DRAY_IO_CLASS_BEST_EFFORT
 *
 * Gets how the workers' reading and writing of disks stands back behind that of others.
 *
 * Returns: how
 *
 * Since: 0.1
 */
DrayIoClass
dray_launcher_get_io_class (DrayLauncher *self, guint *level)
{
  int priority;

  if (level != NULL)
    *level = 0;
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), DRAY_IO_CLASS_NONE);

  g_mutex_lock (&self->lock);
  priority = self->limits.io_priority;
  g_mutex_unlock (&self->lock);

  if (priority == 0)
    return DRAY_IO_CLASS_NONE;
  if (IOPRIO_PRIO_CLASS (priority) == IOPRIO_CLASS_IDLE)
    return DRAY_IO_CLASS_IDLE;
  if (level != NULL)
    *level = (guint) IOPRIO_PRIO_DATA (priority);
  return DRAY_IO_CLASS_BEST_EFFORT;
}
