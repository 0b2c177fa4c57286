/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plan that an executor takes from a launcher; and where programs are: this one, and the two
 * that are installed with the library. */

#include "config.h"

#include "dray-launcher-private.h"

#include "dray-sandbox.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define SELF_LINK "/proc/self/exe"
#define DELETED_SUFFIX " (deleted)"
#define WORKER_ARGUMENT "--dray-worker"

/* Opened rather than only looked at: tools that run a program inside themselves, such as
 * Valgrind, show the program that is meant where the link is opened or read, but not where it is
 * followed by stat(). */
static gboolean
stat_self (struct stat *status)
{
  int fd = open (SELF_LINK, O_PATH | O_CLOEXEC);

  if (fd == -1)
    return FALSE;

  gboolean known = fstat (fd, status) == 0;

  close (fd);
  return known;
}

static gboolean
is_this_program (const char *path)
{
  struct stat self;
  struct stat other;

  return stat_self (&self) && stat (path, &other) == 0 && self.st_dev == other.st_dev
         && self.st_ino == other.st_ino;
}

/* @elsewhere: the path is to be followed by another program, for which the link of this process
 * is not its own. */
static char *
find_self (gboolean elsewhere)
{
  g_autofree char *path = g_file_read_link (SELF_LINK, NULL);

  if (path == NULL)
    return g_strdup (SELF_LINK);
  if (is_this_program (path))
    return g_steal_pointer (&path);

  /* An upgrade has put another file in the place of the one that this process runs. The kernel
   * still has the old one, which speaks the language of this process. */
  if (!elsewhere)
    return g_strdup (SELF_LINK);

  if (g_str_has_suffix (path, DELETED_SUFFIX))
    path[strlen (path) - strlen (DELETED_SUFFIX)] = '\0';
  return g_steal_pointer (&path);
}

char **
dray_launcher_dup_argv_locked (DrayLauncher *self)
{
  if (self->argv != NULL)
    return g_strdupv (self->argv);

  g_autofree char *program
    = find_self (self->prefix != NULL || self->sandbox != DRAY_SANDBOX_NONE);

  return g_strdupv ((char *[]){ program, (char *) WORKER_ARGUMENT, NULL });
}

char **
dray_launcher_dup_environment_locked (DrayLauncher *self)
{
  char **environment = self->environment != NULL ? g_strdupv (self->environment) : g_get_environ ();
  GHashTableIter iter;
  gpointer name, value;

  g_hash_table_iter_init (&iter, self->changes);
  while (g_hash_table_iter_next (&iter, &name, &value))
    environment = value != NULL ? g_environ_setenv (environment, name, value, TRUE)
                                : g_environ_unsetenv (environment, name);
  return environment;
}

static char *
make_display_name_locked (DrayLauncher *self)
{
  if (self->display_name != NULL)
    return g_strdup (self->display_name);
  if (self->argv != NULL)
    return g_filename_display_basename (self->argv[0]);

  /* Not the path that is run, which may be one without a telling name. */
  g_autofree char *program = find_self (TRUE);

  return g_filename_display_basename (program);
}

static char **
join_strv (char **first, char **second)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  if (first != NULL)
    g_strv_builder_addv (builder, (const char **) first);
  g_strv_builder_addv (builder, (const char **) second);
  return g_strv_builder_end (builder);
}

static char *
make_absolute (const char *path)
{
  g_autofree char *current = g_get_current_dir ();

  return g_path_is_absolute (path) ? g_strdup (path) : g_build_filename (current, path, NULL);
}

/* All workers are the same program in the same directory, wherever the application has gone when
 * one of them is started. */
static void
make_paths_absolute (DrayLaunchPlan *plan)
{
  char *program = plan->argv[0];

  if (plan->directory != NULL)
    {
      g_autofree char *directory = plan->directory;

      plan->directory = make_absolute (directory);
    }
  else if (strchr (program, '/') != NULL)
    {
      plan->argv[0] = make_absolute (program);
      g_free (program);
    }
}

/* (transfer full) */
static char **
wrap_locked (DrayLauncher *self, const DrayLaunchPlan *plan, char **worker)
{
  g_autofree char *directory = plan->directory != NULL ? make_absolute (plan->directory) : NULL;
  const DraySandboxRequest request = {
    .preset = self->sandbox,
    .need = self->sandbox_need,
    .grants = self->grants,
    .worker = (const char *const *) worker,
    .module = self->module,
    .environment = (const char *const *) plan->environment,
    .directory = directory,
  };

  return self->sandbox != DRAY_SANDBOX_NONE ? dray_sandbox_wrap (&request) : g_strdupv (worker);
}

DrayLaunchPlan *
dray_launcher_plan (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), NULL);

  DrayLaunchPlan *plan = g_new0 (DrayLaunchPlan, 1);
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_auto (GStrv) worker = dray_launcher_dup_argv_locked (self);
  g_auto (GStrv) argv = NULL;

  g_atomic_ref_count_init (&plan->ref_count);
  plan->environment
    = dray_launcher_add_limits_locked (self, dray_launcher_dup_environment_locked (self));
  plan->limits = self->limits;
  plan->directory = g_strdup (self->directory);
  argv = wrap_locked (self, plan, worker);
  plan->argv = join_strv (self->prefix, argv);
  plan->sandbox = self->sandbox;
  plan->sandbox_need = self->sandbox_need;
  plan->is_direct = self->prefix == NULL;
  make_paths_absolute (plan);
  plan->arguments = self->arguments != NULL ? g_variant_ref (self->arguments) : NULL;
  plan->stderr_mode = self->stderr_mode;
  plan->trusted = self->trusted;
  plan->shared_size = self->shared_size;
  plan->display_name = make_display_name_locked (self);
  return plan;
}

DrayLaunchPlan *
dray_launch_plan_ref (DrayLaunchPlan *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
dray_launch_plan_unref (DrayLaunchPlan *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_strfreev (self->argv);
  g_strfreev (self->environment);
  g_free (self->directory);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_free (self->display_name);
  g_free (self);
}

const char **
dray_launch_plan_get_argv (DrayLaunchPlan *self, char parent[static 16])
{
  const char **argv = g_memdup2 (self->argv, (g_strv_length (self->argv) + 1) * sizeof (char *));

  /* Behind a prefix, it is somebody else's child. */
  if (self->sandbox != DRAY_SANDBOX_NONE && self->is_direct)
    {
      g_snprintf (parent, 16, "%d", (int) getpid ());
      argv[DRAY_SANDBOX_PARENT_INDEX] = parent;
    }
  return argv;
}

char *
dray_launch_find_program (const char *name)
{
  const char *directory = NULL;

  /* A program that runs with more rights than its caller must not let the caller choose what it
   * runs. */
  if (getauxval (AT_SECURE) == 0)
    directory = g_getenv ("DRAY_LIBEXECDIR");
  if (directory == NULL || !g_path_is_absolute (directory))
    directory = DRAY_LIBEXECDIR;

  return g_build_filename (directory, name, NULL);
}
