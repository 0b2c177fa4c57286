/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-sandbox.h"

#include <glib/gstdio.h>
#include <string.h>

#include "fixture.h"

/* What a sandbox comes to as a command line. That it keeps what it says is shown by the tests of
 * sandboxes and escapes, with real ones. */

#define BEFORE_BUBBLEWRAP 6 /* helper, --outside, PARENT, NEED, INNER, -- */

static const char *const worker[] = { "/bin/sh", "-c", "true", NULL };
static const char *const no_environment[] = { NULL };

typedef struct
{
  Fixture fixture; /* first */

  char *folder;             /* (owned): something that may be granted */
  GHashTable *grants;       /* (owned) */
  DraySandboxRequest asked; /* strict, and required, unless a test says otherwise */
  char **argv;              /* (owned) (nullable): what it came to */
} Wrap;

static void
wrap_set_up (Wrap *self, gconstpointer data)
{
  fixture_set_up (&self->fixture, data);
  self->folder = g_dir_make_tmp ("test-sandbox-XXXXXX", NULL);
  self->grants = g_hash_table_new (g_str_hash, g_str_equal);
  self->asked = (DraySandboxRequest){
    .preset = DRAY_SANDBOX_STRICT,
    .need = DRAY_SANDBOX_REQUIRED,
    .grants = self->grants,
    .worker = worker,
    .environment = no_environment,
  };
}

static void
wrap_tear_down (Wrap *self, gconstpointer data)
{
  g_strfreev (self->argv);
  g_hash_table_unref (self->grants);
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  g_free (self->folder);
  fixture_tear_down (&self->fixture, data);
}

#define wrap_add(path, test) g_test_add (path, Wrap, NULL, wrap_set_up, test, wrap_tear_down)

static void
wrap (Wrap *self)
{
  g_clear_pointer (&self->argv, g_strfreev);
  self->argv = dray_sandbox_wrap (&self->asked);
}

/* Where the sandbox begins that the inner half is told: at the name of the preset. */
static guint
find_inner (Wrap *self)
{
  return BEFORE_BUBBLEWRAP + (guint) g_ascii_strtoull (self->argv[4], NULL, 10);
}

/* Whether these are arguments one after the other. @third: (nullable) */
static gboolean
has (Wrap *self, const char *first, const char *second, const char *third)
{
  for (guint i = 0; self->argv[i] != NULL && self->argv[i + 1] != NULL; i++)
    if (g_str_equal (self->argv[i], first) && g_str_equal (self->argv[i + 1], second)
        && (third == NULL || g_strcmp0 (self->argv[i + 2], third) == 0))
      return TRUE;

  return FALSE;
}

static gboolean
has_rule (Wrap *self, char kind, const char *path)
{
  g_autofree char *rule = g_strdup_printf ("%c:%s", kind, path);

  return g_strv_contains ((const char *const *) self->argv + find_inner (self), rule);
}

static void
test_shape (Wrap *self, gconstpointer data)
{
  static const struct
  {
    DraySandbox preset;
    const char *name;
  } presets[] = {
    { DRAY_SANDBOX_NO_NETWORK, "no-network" },
    { DRAY_SANDBOX_READ_ONLY, "read-only" },
    { DRAY_SANDBOX_STRICT, "strict" },
  };

  g_test_summary ("The outer half, bubblewrap, the inner half and the worker come one after the "
                  "other, and each knows where the next begins.");

  for (guint i = 0; i < 2 * G_N_ELEMENTS (presets); i++)
    {
      const char *need = i % 2 == 0 ? "required" : "preferred";
      guint n;

      self->asked.preset = presets[i / 2].preset;
      self->asked.need = i % 2 == 0 ? DRAY_SANDBOX_REQUIRED : DRAY_SANDBOX_PREFERRED;
      wrap (self);
      n = g_strv_length (self->argv);

      g_assert_true (g_str_has_suffix (self->argv[0], "/dray-launch-1"));
      g_assert_cmpstr (self->argv[1], ==, "--outside");
      g_assert_cmpstr (self->argv[DRAY_SANDBOX_PARENT_INDEX], ==, "0");
      g_assert_cmpstr (self->argv[3], ==, need);
      g_assert_cmpstr (self->argv[5], ==, "--");
      g_assert_true (g_str_has_suffix (self->argv[BEFORE_BUBBLEWRAP], "bwrap"));
      g_assert_true (has (self, "--inside", need, presets[i / 2].name));
      g_assert_cmpstr (self->argv[find_inner (self)], ==, presets[i / 2].name);
      g_assert_cmpstr (self->argv[n - 4], ==, "--");
      for (guint j = 0; j < 3; j++)
        g_assert_cmpstr (self->argv[n - 3 + j], ==, worker[j]);
    }
}

static void
test_presets (Wrap *self, gconstpointer data)
{
  g_test_summary ("What there is in the sandbox is everything, the system without homes, or only "
                  "what was named.");

  self->asked.preset = DRAY_SANDBOX_NO_NETWORK;
  wrap (self);
  g_assert_true (has (self, "--dev-bind", "/", "/"));
  g_assert_cmpstr (self->argv[find_inner (self) + 1], ==, "--");

  self->asked.preset = DRAY_SANDBOX_READ_ONLY;
  wrap (self);
  g_assert_true (has (self, "--ro-bind", "/", "/"));
  g_assert_true (has_rule (self, 'r', "/usr"));

  self->asked.preset = DRAY_SANDBOX_STRICT;
  wrap (self);
  g_assert_false (has (self, "--ro-bind", "/", "/"));
  g_assert_true (has (self, "--remount-ro", "/", NULL));
  g_assert_true (has (self, "--chdir", "/", NULL));
}

static void
test_grants (Wrap *self, gconstpointer data)
{
  g_test_summary (
    "What is granted is there, to be read, or to be changed too; what is not there is "
    "named all the same, so that it is complained about.");

  g_hash_table_insert (self->grants, self->folder, GINT_TO_POINTER (DRAY_ACCESS_READ_WRITE));
  g_hash_table_insert (self->grants, (char *) "/not/there", GINT_TO_POINTER (DRAY_ACCESS_READ));
  wrap (self);
  g_assert_true (has (self, "--bind", self->folder, self->folder));
  g_assert_true (has_rule (self, 'w', self->folder));
  g_assert_true (has (self, "--ro-bind", "/not/there", "/not/there"));
  g_assert_true (has_rule (self, 'r', "/not/there"));

  g_hash_table_insert (self->grants, self->folder, GINT_TO_POINTER (DRAY_ACCESS_READ));
  wrap (self);
  g_assert_true (has (self, "--ro-bind", self->folder, self->folder));
  g_assert_false (has_rule (self, 'w', self->folder));
}

static void
test_programs (Wrap *self, gconstpointer data)
{
  static const struct
  {
    const char *name;
    const char *directory; /* (nullable) */
    const char *found;
  } programs[] = {
    { "no-such-program-anywhere", NULL, "no-such-program-anywhere" },
    { "/no/such/program", NULL, "/no/such/program" },
    { "bin/tool", "/opt/thing", "/opt/thing/bin/tool" },
    { "./tool", "/opt/thing", "/opt/thing/tool" },
  };
  g_autofree char *shell = g_find_program_in_path ("sh");

  g_test_summary ("The worker's program is named by where it is; relative to its own directory.");

  for (guint i = 0; i < G_N_ELEMENTS (programs); i++)
    {
      self->asked.worker = (const char *const[]){ programs[i].name, NULL };
      self->asked.directory = programs[i].directory;
      wrap (self);
      g_assert_cmpstr (self->argv[g_strv_length (self->argv) - 1], ==, programs[i].found);
      g_assert_true (has (self, "--chdir", "/", NULL) == (programs[i].directory == NULL));
    }

  self->asked.worker = (const char *const[]){ "sh", NULL };
  wrap (self);
  g_assert_cmpstr (self->argv[g_strv_length (self->argv) - 1], ==, shell);
}

static void
test_libraries (Wrap *self, gconstpointer data)
{
  g_autofree char *module = g_build_filename (self->folder, "module.so", NULL);
  g_autofree char *variable = g_strconcat ("LD_LIBRARY_PATH=relative::/:", self->folder, NULL);

  g_test_summary (
    "Where libraries are looked for can be read, and so can a module; nobody gets all "
    "of the file system by that.");

  g_assert_true (g_file_set_contents (module, "", 0, NULL));
  self->asked.module = module;
  self->asked.environment = (const char *const[]){ variable, NULL };
  wrap (self);
  g_assert_true (has (self, "--ro-bind", self->folder, self->folder));
  g_assert_true (has (self, "--ro-bind", module, module));
  g_assert_false (has (self, "--ro-bind", "/", "/"));
  g_assert_false (has_rule (self, 'r', "/"));
  g_remove (module);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  wrap_add ("/sandbox/shape", test_shape);
  wrap_add ("/sandbox/presets", test_presets);
  wrap_add ("/sandbox/grants", test_grants);
  wrap_add ("/sandbox/programs", test_programs);
  wrap_add ("/sandbox/libraries", test_libraries);

  return g_test_run ();
}
