/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-launcher-private.h"

#include "fixture.h"

#include <sys/wait.h>
#include <unistd.h>

/* The launch helper, the real one, called in ways in which the library does not call it. What it
 * does otherwise is seen in the tests of sandboxes. */

#define NOT_RUN 127

/* What became of a run. */
typedef struct
{
  char *output; /* (owned) */
  char *errors; /* (owned) */
  int exit_status;
} Run;

static void
run_clear (Run *self)
{
  g_free (self->output);
  g_free (self->errors);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

/* @arguments: all but the helper's name */
static void
run (Run *self, const char *const *arguments)
{
  g_autofree char *helper = dray_launch_find_program (DRAY_LAUNCH_HELPER);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) argv = NULL;
  g_autoptr (GError) error = NULL;
  int wait_status = 0;

  g_strv_builder_add (builder, helper);
  g_strv_builder_addv (builder, (const char **) arguments);
  argv = g_strv_builder_end (builder);
  g_spawn_sync (NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &self->output, &self->errors,
                &wait_status, &error);
  g_assert_no_error (error);
  g_assert_true (WIFEXITED (wait_status));
  self->exit_status = WEXITSTATUS (wait_status);
}

static void
test_usage (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("Whoever calls the helper the wrong way is told the right one, and nothing is "
                  "run.");

  static const char *const table[][10] = {
    { NULL },
    { "--help" },
    { "12", "--", "echo", "unwanted" },
    { "--outside" },
    { "--outside", "0", "preferred", "1", "--" },
    { "--outside", "0", "preferred", "1", "echo", "strict", "--", "echo", "unwanted" },
    { "--outside", "0", "preferred", "0", "--", "strict", "--", "echo", "unwanted" },
    { "--outside", "0", "preferred", "9", "--", "echo", "strict", "--", "unwanted" },
    { "--outside", "0", "preferred", "-1", "--", "echo", "strict", "--", "unwanted" },
    { "--outside", "0", "preferred", "1", "--", "echo", "lax", "--", "unwanted" },
    { "--outside", "0", "preferred", "1", "--", "echo", "strict", "--" },
    { "--inside" },
    { "--inside", "preferred" },
    { "--inside", "preferred", "strict" },
    { "--inside", "preferred", "strict", "--" },
    { "--inside", "preferred", "lax", "--", "echo", "unwanted" },
    { "--inside", "preferred", "strict", "", "--", "echo", "unwanted" },
    { "--inside", "preferred", "strict", "r", "--", "echo", "unwanted" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_auto (Run) result = { 0 };

      run (&result, table[i]);
      g_assert_cmpint (result.exit_status, ==, NOT_RUN);
      g_assert_cmpstr (result.output, ==, "");
      g_assert_true (g_str_has_prefix (result.errors, "Usage: dray-launch-1 "));
    }
}

static void
test_parent_is_gone (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("Where the parent is not, or no longer, the one that was named, nothing is run "
                  "and nothing is said.");

  g_autofree char *own_parent = g_strdup_printf ("%d", (int) getppid ());
  const char *const arguments[] = { "--outside", own_parent, "preferred", "2",
                                    "--",        "echo",     "unwanted",  "strict",
                                    "--",        "echo",     "unwanted",  NULL };
  g_auto (Run) result = { 0 };

  run (&result, arguments);
  g_assert_cmpint (result.exit_status, ==, NOT_RUN);
  g_assert_cmpstr (result.output, ==, "");
  g_assert_cmpstr (result.errors, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  fixture_add ("/launch-helper/usage", NULL, test_usage);
  fixture_add ("/launch-helper/parent-is-gone", NULL, test_parent_is_gone);

  return g_test_run ();
}
