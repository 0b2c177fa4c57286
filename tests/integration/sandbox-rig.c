/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "sandbox-rig.h"

#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *home;         /* (owned) */
static char *right_path;   /* (owned): the PATH that bubblewrap is in */
static char *right_folder; /* (owned): the one that the launch helper is in */

const char *const sandbox_rig_names[4] = { "none", "no-network", "read-only", "strict" };

/* What is in the home. */
static const struct
{
  const char *name;
  const char *text;
} files[] = { { "letter", "Dear friend" }, { "nothing", "" } };

void
sandbox_rig_init (void)
{
  /* Where everybody may make a folder, and not where other tests make theirs. */
  home = g_strdup ("/var/tmp/dray-home-XXXXXX");
  g_assert_nonnull (g_mkdtemp (home));
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *file = g_build_filename (home, files[i].name, NULL);

      g_assert_true (g_file_set_contents (file, files[i].text, -1, NULL));
    }
  g_setenv ("HOME", home, TRUE);
  right_path = g_strdup (g_getenv ("PATH"));
  right_folder = g_strdup (g_getenv ("DRAY_LIBEXECDIR"));
}

const char *
sandbox_rig_get_home (void)
{
  return home;
}

void
sandbox_rig_finish (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *file = g_build_filename (home, files[i].name, NULL);

      g_unlink (file);
    }
  g_rmdir (home);
  g_clear_pointer (&home, g_free);
  g_clear_pointer (&right_path, g_free);
  g_clear_pointer (&right_folder, g_free);
}

/* (transfer full) (nullable): why there can be no sandbox here */
static char *
find_obstacle (void)
{
  g_autoptr (DrayLauncher) launcher = sandbox_rig_new_launcher (DRAY_SANDBOX_STRICT);
  g_autoptr (DrayExecutor) executor = dray_executor_new (launcher);
  g_autoptr (DrayFuture) future
    = dray_executor_call (executor, "add", g_variant_new ("(ii)", 1, 2));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = NULL;

  fixture_run_until_done (future);
  result = dray_future_dup_result (future, &error);
  dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL);
  if (result != NULL)
    return NULL;

  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_SANDBOX);
  return g_strdup (error->message);
}

gboolean
sandbox_rig_is_possible (void)
{
  static gboolean known = FALSE;
  static char *obstacle = NULL;

  if (!known)
    obstacle = find_obstacle ();
  known = TRUE;
  if (obstacle != NULL)
    g_test_skip (obstacle);
  return obstacle == NULL;
}

gboolean
sandbox_rig_has_filter (void)
{
#ifdef HAVE_LIBSECCOMP
  return TRUE;
#else
  return FALSE;
#endif
}

DrayLauncher *
sandbox_rig_new_launcher (DraySandbox sandbox)
{
  DrayLauncher *launcher = rig_new_launcher (NULL);

  /* Nobody looks for leaks from inside: that takes a process that traces this one. */
  dray_launcher_setenv (launcher, "LSAN_OPTIONS", "detect_leaks=0");
  dray_launcher_set_sandbox (launcher, sandbox);
  return launcher;
}

void
sandbox_rig_start (Rig *rig, DraySandbox sandbox, guint max_workers)
{
  rig_start_with (rig, sandbox_rig_new_launcher (sandbox), max_workers);
}

void
sandbox_rig_replace_bubblewrap (Rig *rig, const char *script)
{
  g_autofree char *path = NULL;

  if (script == NULL)
    {
      g_setenv ("PATH", right_path, TRUE);
      return;
    }

  path = rig_dup_path (rig, "bwrap");
  if (*script != '\0')
    {
      g_assert_true (g_file_set_contents (path, script, -1, NULL));
      g_assert_cmpint (g_chmod (path, 0755), ==, 0);
    }
  g_setenv ("PATH", rig->directory, TRUE);
}

void
sandbox_rig_use_older_kernel (gboolean older)
{
  g_autofree char *folder = g_test_build_filename (G_TEST_BUILT, "older-kernel", NULL);

  g_assert_nonnull (right_folder);
  g_setenv ("DRAY_LIBEXECDIR", older ? folder : right_folder, TRUE);
}

guint32
sandbox_rig_escape (Rig *rig, const char *way, const char *argument)
{
  g_autoptr (DrayFuture) future = rig_call (rig, "escape", "(ss)", way, argument);

  return rig_expect_uint32 (future);
}

guint32
sandbox_rig_escape_with (Rig *rig, const char *way, int fd)
{
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  g_autoptr (DrayTask) task = dray_task_new_call ("escape", g_variant_new ("(ss)", way, ""));
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  g_unix_fd_list_append (list, fd, &error);
  g_assert_no_error (error);
  dray_task_set_attachments (task, list, &error);
  g_assert_no_error (error);
  future = rig_submit (rig, g_steal_pointer (&task));
  return rig_expect_uint32 (future);
}
