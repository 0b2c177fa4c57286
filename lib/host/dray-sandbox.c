/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-sandbox.h"

#include "dray-confinement.h"
#include "dray-launcher-private.h"
#include "dray-linked-files.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The file system of each preset, from the bottom up; what comes later covers what came before:
 *
 *   no-network   all as it is
 *   read-only    all, read-only; masks over what is private; what is granted, below the masks too
 *   strict       nothing; the system's folders; the worker's own files; what is granted
 *
 * A mask is an empty folder in the place of a home or of temporary files, or an empty file in that
 * of a list of passwords. The rules for Landlock can't take anything away again: to leave a mask
 * out, all folders around it are named one by one.
 *
 * Paths are followed to their end first (realpath), as bubblewrap would follow a link to another
 * place than it leads to in the end.
 */

#define BUBBLEWRAP "bwrap"

/* Whose files are not the user's. /usr is not all of it everywhere. */
static const char *const system_folders[] = {
  "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store",
};

/* What programs look into when they are started, or decode something; nothing secret. */
static const char *const strict_files[] = {
  "/etc/alternatives",    "/etc/fonts",       "/etc/gdk-pixbuf-2.0", "/etc/group",
  "/etc/ld.so.cache",     "/etc/ld.so.conf",  "/etc/ld.so.conf.d",   "/etc/localtime",
  "/etc/locale.alias",    "/etc/locale.conf", "/etc/mime.types",     "/etc/nsswitch.conf",
  "/etc/passwd",          "/var/cache/fontconfig",
};

/* Devices that have nothing behind them. */
static const char *const devices[] = {
  "/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero",
};

/* Of users, in all of the places that there are; and what is open for everybody to leave things. */
static const char *const masked_folders[] = {
  "/home", "/root", "/run", "/tmp", "/var/tmp",
};

/* Nobody but root can read these; an application that is run by root should not hand them on. */
static const char *const masked_files[] = {
  "/etc/gshadow",           "/etc/gshadow-",          "/etc/security/opasswd",
  "/etc/shadow",            "/etc/shadow-",           "/etc/ssh/ssh_host_dsa_key",
  "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_rsa_key",
  "/etc/sudoers",
};

typedef struct
{
  const DraySandboxRequest *request; /* (unowned) */
  GPtrArray *mounts;                 /* (owned): arguments of bubblewrap */
  GPtrArray *rules;                  /* (owned): of the inner half */
  GPtrArray *masks;                  /* (owned): folders */
  GPtrArray *secrets;                /* (owned): files that only root can read, and this process */
  char *program;                     /* (owned): with its path, where it was found */
} Build;

static void
build_clear (Build *self)
{
  g_ptr_array_unref (self->mounts);
  g_ptr_array_unref (self->rules);
  g_ptr_array_unref (self->masks);
  g_ptr_array_unref (self->secrets);
  g_free (self->program);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Build, build_clear)

/* (transfer full) (nullable): a path that does not lead through links; NULL: there is nothing */
static char *
resolve (const char *path)
{
  char *resolved = realpath (path, NULL);
  char *copy = g_strdup (resolved);

  free (resolved);
  return copy;
}

/* Whether @path is @folder, or in it. Both are resolved. */
static gboolean
is_in (const char *path, const char *folder)
{
  const gsize length = strlen (folder);

  return g_str_equal (folder, "/")
         || (strncmp (path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/'));
}

static gboolean
is_in_any (const char *path, const GPtrArray *folders)
{
  for (guint i = 0; i < folders->len; i++)
    if (is_in (path, folders->pdata[i]))
      return TRUE;

  return FALSE;
}

static gboolean
is_around_any (const char *path, const GPtrArray *folders)
{
  for (guint i = 0; i < folders->len; i++)
    if (is_in (folders->pdata[i], path))
      return TRUE;

  return FALSE;
}

static void
add_mount (Build *self, const char *option, const char *first, const char *second)
{
  g_ptr_array_add (self->mounts, g_strdup (option));
  g_ptr_array_add (self->mounts, g_strdup (first));
  if (second != NULL)
    g_ptr_array_add (self->mounts, g_strdup (second));
}

/* @kind: as in lib/launch/dray-confine.h */
static void
add_rule (Build *self, char kind, const char *path)
{
  g_ptr_array_add (self->rules, g_strdup_printf ("%c:%s", kind, path));
}

/* --- What the worker needs --- */

/* (transfer full): a program that is not found stays what it is, and will not be found */
static char *
find_program (const DraySandboxRequest *request)
{
  const char *name = request->worker[0];
  g_autofree char *path = NULL;

  if (strchr (name, '/') == NULL)
    path = g_find_program_in_path (name);
  else if (g_path_is_absolute (name))
    path = g_strdup (name);
  else
    path = g_canonicalize_filename (name, request->directory);
  return path != NULL ? g_steal_pointer (&path) : g_strdup (name);
}

static gboolean
is_of_the_system (const char *path)
{
  for (guint i = 0; i < G_N_ELEMENTS (system_folders); i++)
    if (is_in (path, system_folders[i]))
      return TRUE;

  return FALSE;
}

/* Where in the sandbox a file is to be, so that it is found under @path. In a strict one there are
 * no links on the way but those of the system. (transfer full) */
static char *
find_target (Build *self, const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *resolved = resolve (folder);
  g_autofree char *name = g_path_get_basename (path);

  return resolved == NULL || self->request->preset == DRAY_SANDBOX_STRICT
           ? g_strdup (path)
           : g_build_filename (resolved, name, NULL);
}

/* A file of the worker's, which is wanted at its own path whatever is masked there. */
static void
add_own_file (Build *self, const char *path, char kind)
{
  g_autofree char *resolved = resolve (path);
  g_autofree char *target = find_target (self, path);

  if (resolved == NULL)
    return;

  if (is_of_the_system (resolved) && is_of_the_system (path))
    {
      if (kind == 'x')
        add_rule (self, kind, resolved);
      return;
    }

  if (self->request->preset == DRAY_SANDBOX_STRICT || is_in_any (target, self->masks)
      || is_in_any (resolved, self->masks))
    add_mount (self, "--ro-bind", resolved, target);
  add_rule (self, kind, target);
}

/* Where the linker is told to look first, by whoever has set that. */
static void
add_library_path (Build *self)
{
  const char *value = g_environ_getenv ((char **) self->request->environment, "LD_LIBRARY_PATH");
  g_auto (GStrv) folders = g_strsplit (value != NULL ? value : "", ":", -1);

  for (guint i = 0; folders[i] != NULL; i++)
    if (g_path_is_absolute (folders[i]) && !g_str_equal (folders[i], "/"))
      add_own_file (self, folders[i], 'r');
}

static void
add_worker (Build *self, const char *helper)
{
  g_autoptr (DrayLinkedFiles) files = dray_linked_files_new ();

  dray_linked_files_add_program (files, self->program);
  if (self->request->module != NULL)
    dray_linked_files_add_library (files, self->request->module);

  add_library_path (self);
  add_own_file (self, helper, 'r');
  for (guint i = 0; i < files->libraries->len; i++)
    add_own_file (self, files->libraries->pdata[i], 'r');
  for (guint i = 0; i < files->programs->len; i++)
    add_own_file (self, files->programs->pdata[i], 'x');
}

/* --- What is granted --- */

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  return strcmp (a, b);
}

/* Folders before what is in them. One that does not exist is for bubblewrap to complain about. */
static void
add_grants (Build *self)
{
  g_autoptr (GList) paths
    = g_list_sort (g_hash_table_get_keys (self->request->grants), compare_paths);

  for (GList *link = paths; link != NULL; link = link->next)
    {
      const char *path = link->data;
      g_autofree char *resolved = resolve (path);
      g_autofree char *target = find_target (self, path);
      const gboolean writes = g_hash_table_lookup (self->request->grants, path)
                              == GINT_TO_POINTER (DRAY_ACCESS_READ_WRITE);

      add_mount (self, writes ? "--bind" : "--ro-bind", resolved != NULL ? resolved : path, target);
      add_rule (self, writes ? 'w' : 'r', target);
    }
}

/* --- Read-only --- */

/* A home that is the whole system, or a part of it, is nobody's. */
static gboolean
is_a_home (const char *path)
{
  static const char *const parts[] = { "/boot", "/dev", "/etc", "/proc", "/sys" };

  for (guint i = 0; i < G_N_ELEMENTS (system_folders); i++)
    if (is_in (path, system_folders[i]) || is_in (system_folders[i], path))
      return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    if (is_in (path, parts[i]) || is_in (parts[i], path))
      return FALSE;

  return !g_str_equal (path, "/var");
}

static void
add_mask (Build *self, const char *path)
{
  g_autofree char *resolved = resolve (path);

  if (resolved != NULL && g_file_test (resolved, G_FILE_TEST_IS_DIR) && is_a_home (resolved)
      && !is_in_any (resolved, self->masks))
    g_ptr_array_add (self->masks, g_steal_pointer (&resolved));
}

static void
cover (Build *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (masked_folders); i++)
    add_mask (self, masked_folders[i]);
  add_mask (self, g_get_home_dir ());

  for (guint i = 0; i < self->masks->len; i++)
    add_mount (self, "--tmpfs", self->masks->pdata[i], NULL);
  for (guint i = 0; i < self->secrets->len; i++)
    add_mount (self, "--ro-bind", "/dev/null", self->secrets->pdata[i]);
}

static void
find_secrets (Build *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (masked_files); i++)
    if (access (masked_files[i], R_OK) == 0)
      {
        char *resolved = resolve (masked_files[i]);

        if (resolved != NULL)
          g_ptr_array_add (self->secrets, resolved);
      }
}

/* Everything in @folder but what is masked: named by the largest folders that hold nothing of that.
 * Devices have rules of their own. */
static void
add_visible (Build *self, const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *resolved = resolve (path);

      if (resolved == NULL || is_in_any (resolved, self->masks) || is_in (resolved, "/dev")
          || is_in_any (resolved, self->secrets))
        continue;
      /* What a link leads to comes by itself. */
      if (g_file_test (path, G_FILE_TEST_IS_SYMLINK))
        continue;
      if (is_around_any (path, self->masks) || is_around_any (path, self->secrets))
        add_visible (self, path);
      else
        add_rule (self, 'r', path);
    }
}

static void
build_read_only (Build *self, const char *helper)
{
  add_mount (self, "--ro-bind", "/", "/");
  add_mount (self, "--dev", "/dev", NULL);
  add_mount (self, "--proc", "/proc", NULL);
  find_secrets (self);
  cover (self);
  add_visible (self, "/");
  add_worker (self, helper);
  add_grants (self);
  for (guint i = 0; i < self->masks->len; i++)
    if (!g_str_has_suffix (self->masks->pdata[i], "/tmp"))
      add_mount (self, "--remount-ro", self->masks->pdata[i], NULL);
}

/* --- Strict --- */

/* The folders of the system, as they are: some are links to others. */
static void
add_system (Build *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (system_folders); i++)
    {
      const char *path = system_folders[i];
      g_autofree char *target = g_file_read_link (path, NULL);

      if (target != NULL)
        {
          add_mount (self, "--symlink", target, path);
        }
      else if (g_file_test (path, G_FILE_TEST_IS_DIR))
        {
          add_mount (self, "--ro-bind", path, path);
          add_rule (self, 'r', path);
        }
    }
}

static void
build_strict (Build *self, const char *helper)
{
  add_system (self);
  for (guint i = 0; i < G_N_ELEMENTS (strict_files); i++)
    {
      g_autofree char *resolved = resolve (strict_files[i]);

      if (resolved == NULL)
        continue;
      add_mount (self, "--ro-bind", resolved, strict_files[i]);
      add_rule (self, 'r', resolved);
    }
  add_mount (self, "--dev", "/dev", NULL);
  add_mount (self, "--proc", "/proc", NULL);
  add_mount (self, "--tmpfs", "/tmp", NULL);
  add_rule (self, 'R', "/proc");
  add_rule (self, 'r', "/proc/self");
  add_worker (self, helper);
  add_grants (self);
  add_mount (self, "--remount-ro", "/", NULL);
  if (self->request->directory == NULL)
    add_mount (self, "--chdir", "/", NULL);
}

/* --- The command line --- */

static void
build_no_network (Build *self)
{
  add_mount (self, "--dev-bind", "/", "/");
  add_mount (self, "--proc", "/proc", NULL);
}

static void
build (Build *self, const char *helper)
{
  if (self->request->preset == DRAY_SANDBOX_NO_NETWORK)
    {
      build_no_network (self);
      return;
    }

  if (self->request->preset == DRAY_SANDBOX_STRICT)
    build_strict (self, helper);
  else
    build_read_only (self, helper);

  for (guint i = 0; i < G_N_ELEMENTS (devices); i++)
    add_rule (self, 'w', devices[i]);
  add_rule (self, 'W', "/dev/shm");
  add_rule (self, 'W', "/tmp");
  add_rule (self, 'W', "/var/tmp");
}

static void
add_namespaces (GPtrArray *argv, DraySandbox preset)
{
  static const char *const always[] = {
    "--unshare-user-try", "--unshare-pid", "--unshare-net",     "--as-pid-1",
    "--die-with-parent",  "--cap-drop",    "ALL",
  };
  static const char *const alone[] = { "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try" };

  for (guint i = 0; i < G_N_ELEMENTS (always); i++)
    g_ptr_array_add (argv, g_strdup (always[i]));
  for (guint i = 0; i < G_N_ELEMENTS (alone) && preset != DRAY_SANDBOX_NO_NETWORK; i++)
    g_ptr_array_add (argv, g_strdup (alone[i]));
}

static void
add_all (GPtrArray *argv, const GPtrArray *arguments)
{
  for (guint i = 0; i < arguments->len; i++)
    g_ptr_array_add (argv, g_strdup (arguments->pdata[i]));
}

char **
dray_sandbox_wrap (const DraySandboxRequest *request)
{
  static const char *const presets[] = {
    [DRAY_SANDBOX_NO_NETWORK] = "no-network",
    [DRAY_SANDBOX_READ_ONLY] = "read-only",
    [DRAY_SANDBOX_STRICT] = "strict",
  };
  g_autofree char *bubblewrap = g_find_program_in_path (BUBBLEWRAP);
  const char *need = request->need == DRAY_SANDBOX_REQUIRED ? "required" : "preferred";
  g_autofree char *helper = dray_launch_find_program (DRAY_LAUNCH_HELPER);
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  g_auto (Build) self = {
    .request = request,
    .mounts = g_ptr_array_new_with_free_func (g_free),
    .rules = g_ptr_array_new_with_free_func (g_free),
    .masks = g_ptr_array_new_with_free_func (g_free),
    .secrets = g_ptr_array_new_with_free_func (g_free),
    .program = find_program (request),
  };
  guint begin, inner;

  build (&self, helper);

  g_ptr_array_add (argv, g_strdup (helper));
  g_ptr_array_add (argv, g_strdup ("--outside"));
  g_ptr_array_add (argv, g_strdup ("0")); /* DRAY_SANDBOX_PARENT_INDEX */
  g_ptr_array_add (argv, g_strdup (need));
  g_ptr_array_add (argv, NULL);
  g_ptr_array_add (argv, g_strdup ("--"));

  begin = argv->len;
  g_ptr_array_add (argv, g_strdup (bubblewrap != NULL ? bubblewrap : BUBBLEWRAP));
  add_namespaces (argv, request->preset);
  add_all (argv, self.mounts);
  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, g_strdup (helper));
  g_ptr_array_add (argv, g_strdup ("--inside"));
  g_ptr_array_add (argv, g_strdup (need));
  inner = argv->len;
  g_ptr_array_add (argv, g_strdup (presets[request->preset]));
  add_all (argv, self.rules);
  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, g_steal_pointer (&self.program));
  for (guint i = 1; request->worker[i] != NULL; i++)
    g_ptr_array_add (argv, g_strdup (request->worker[i]));

  argv->pdata[begin - 2] = g_strdup_printf ("%u", inner - begin);
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&argv), FALSE);
}
