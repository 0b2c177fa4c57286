/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What workers are kept from: settings of a launcher. What they come to is in dray-sandbox.c. */

#include "config.h"

#include "dray-launcher-private.h"

/**
 * dray_launcher_set_sandbox:
 * @self: a launcher
 * @sandbox: what workers are kept from
 *
 * Sets what workers are kept from. The default is %DRAY_SANDBOX_NONE. As all that a launcher says,
 * it holds for executors that are made afterwards.
 *
 * A worker that decodes files which anybody may have made can be taken over by one of them. In a
 * sandbox, all that is won by that is a process that can't do anything. It is made of namespaces
 * (through the program `bwrap`, of bubblewrap), Landlock and seccomp. It is around the worker
 * before its program is executed, and there is no way out of it.
 *
 * Where any part of that can't be had, tasks fail with %DRAY_ERROR_SANDBOX, and no worker runs
 * without it; unless [method@Launcher.set_sandbox_need] says that workers may do with less.
 *
 * The program, the libraries that it is linked with, and the module of [ctor@Launcher.new_module]
 * can be read in each sandbox, wherever they are. All else has to be granted
 * ([method@Launcher.grant_path]), a script and what it imports as well; or it is passed with a
 * task, as an open file ([method@Task.set_attachments]). Never pass an open folder to a worker that
 * is not trusted: it leads everywhere.
 *
 * The sandbox is around workers only. What a prefix says is done outside of it; commands have none.
 *
 * Since: 0.1
 */
void
dray_launcher_set_sandbox (DrayLauncher *self, DraySandbox sandbox)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail (sandbox >= DRAY_SANDBOX_NONE && sandbox <= DRAY_SANDBOX_STRICT);

  g_mutex_lock (&self->lock);
  gboolean changed = self->sandbox != sandbox;
  self->sandbox = sandbox;
  g_mutex_unlock (&self->lock);

  if (changed)
    g_object_notify (G_OBJECT (self), "sandbox");
}

/**
 * dray_launcher_get_sandbox:
 * @self: a launcher
 *
 * Gets what workers are kept from.
 *
 * Returns: the sandbox
 *
 * Since: 0.1
 */
DraySandbox
dray_launcher_get_sandbox (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), DRAY_SANDBOX_NONE);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->sandbox;
}

/**
 * dray_launcher_set_sandbox_need:
 * @self: a launcher
 * @need: whether all of the sandbox is required
 *
 * Sets whether workers may run with less of a sandbox than [method@Launcher.set_sandbox] asks for,
 * where it can't be set up. As all that a launcher says, it holds for executors that are made
 * afterwards.
 *
 * With %DRAY_SANDBOX_REQUIRED, which is the default, tasks fail with %DRAY_ERROR_SANDBOX where any
 * part of the sandbox can't be had; no worker runs without. With %DRAY_SANDBOX_PREFERRED, workers
 * run with the parts that can be had, and [property@Executor:sandbox-shortfall] says what is
 * missing. Without a sandbox it has no effect.
 *
 * Since: 0.1
 */
void
dray_launcher_set_sandbox_need (DrayLauncher *self, DraySandboxNeed need)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail (need == DRAY_SANDBOX_REQUIRED || need == DRAY_SANDBOX_PREFERRED);

  g_mutex_lock (&self->lock);
  gboolean changed = self->sandbox_need != need;
  self->sandbox_need = need;
  g_mutex_unlock (&self->lock);

  if (changed)
    g_object_notify (G_OBJECT (self), "sandbox-need");
}

/**
 * dray_launcher_get_sandbox_need:
 * @self: a launcher
 *
 * Gets whether workers may run with less of a sandbox than was asked for.
 *
 * Returns: the need
 *
 * Since: 0.1
 */
DraySandboxNeed
dray_launcher_get_sandbox_need (DrayLauncher *self)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), DRAY_SANDBOX_REQUIRED);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->sandbox_need;
}

/**
 * dray_launcher_grant_path:
 * @self: a launcher
 * @path: (type filename): a file or a folder; a relative name is looked for from the current
 *   directory, as it is now
 * @access: what may be done with it
 *
 * Lets workers in a sandbox read, or read and change, a file, or a folder with all that is in it,
 * under the path that it has outside. The last that was said of a path holds. It must exist when
 * workers are started: else tasks fail with %DRAY_ERROR_SANDBOX, or, where the sandbox is only
 * preferred, there are no namespaces in it. Without a sandbox, and with %DRAY_SANDBOX_NO_NETWORK,
 * this has no effect.
 *
 * What is granted is not more than the application itself may do.
 *
 * Since: 0.1
 */
void
dray_launcher_grant_path (DrayLauncher *self, const char *path, DrayAccess access)
{
  g_return_if_fail (DRAY_IS_LAUNCHER (self));
  g_return_if_fail (path != NULL && *path != '\0');
  g_return_if_fail (access == DRAY_ACCESS_READ || access == DRAY_ACCESS_READ_WRITE);

  char *canonical = g_canonicalize_filename (path, NULL);

  g_mutex_lock (&self->lock);
  g_hash_table_replace (self->grants, canonical, GINT_TO_POINTER (access));
  g_mutex_unlock (&self->lock);
}

/**
 * dray_launcher_dup_granted_paths:
 * @self: a launcher
 * @access: the paths with which access
 *
 * Gets what was granted to workers in a sandbox, in the order of the alphabet.
 *
 * Returns: (transfer full) (array zero-terminated=1) (element-type filename): absolute paths
 *
 * Since: 0.1
 */
char **
dray_launcher_dup_granted_paths (DrayLauncher *self, DrayAccess access)
{
  g_return_val_if_fail (DRAY_IS_LAUNCHER (self), NULL);
  g_return_val_if_fail (access == DRAY_ACCESS_READ || access == DRAY_ACCESS_READ_WRITE, NULL);

  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_autoptr (GList) paths
    = g_list_sort (g_hash_table_get_keys (self->grants), (GCompareFunc) g_strcmp0);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (GList *link = paths; link != NULL; link = link->next)
    if (g_hash_table_lookup (self->grants, link->data) == GINT_TO_POINTER (access))
      g_strv_builder_add (builder, link->data);
  return g_strv_builder_end (builder);
}
