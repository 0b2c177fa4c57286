/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-launcher-private.h"

#include "dray-enum-types.h"

#include <glib/gstdio.h>
#include <unistd.h>

/* What a launcher says, and the plan that is made of it. */

#define WORKER_ARGUMENT "--dray-worker"

/* For a copy of this program, which is upgraded while it runs: see test_upgrade(). */
#define UPGRADE_ARGUMENT "--print-argv-after-upgrade"

static void
check_argv (char **argv, const char *const *expected)
{
  g_assert_cmpstrv (argv, (char **) expected);
}

static char *
dup_own_path (void)
{
  return g_file_read_link ("/proc/self/exe", NULL);
}

static void
test_self (void)
{
  g_test_summary ("The program itself is started by its real name, with the one argument that "
                  "tells it what it is, with a prefix or without.");

  const char *const prefix[] = { "nice", "-n", "5", NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  g_autoptr (DrayLaunchPlan) plan = dray_launcher_plan (launcher);
  g_autoptr (DrayLaunchPlan) prefixed = NULL;
  g_auto (GStrv) argv = dray_launcher_dup_argv (launcher);
  g_autofree char *path = dup_own_path ();
  g_autofree char *name = g_path_get_basename (path);

  check_argv (plan->argv, (const char *const[]) { path, WORKER_ARGUMENT, NULL });
  check_argv (argv, (const char *const[]) { path, WORKER_ARGUMENT, NULL });
  g_assert_cmpstr (plan->display_name, ==, name);

  dray_launcher_set_prefix (launcher, prefix);
  prefixed = dray_launcher_plan (launcher);
  check_argv (prefixed->argv,
              (const char *const[]) { "nice", "-n", "5", path, WORKER_ARGUMENT, NULL });
  g_assert_cmpstr (prefixed->display_name, ==, name);
}

/* Run in a copy of this program: takes the copy away, puts something else in its place, and says
 * what it would start. */
static int
print_argv_after_upgrade (void)
{
  const char *const prefix[] = { "prefix", NULL };
  g_autofree char *path = dup_own_path ();
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();

  g_unlink (path);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (DrayLaunchPlan) plan = dray_launcher_plan (launcher);
      g_autoptr (DrayLaunchPlan) prefixed = NULL;

      dray_launcher_set_prefix (launcher, prefix);
      prefixed = dray_launcher_plan (launcher);
      dray_launcher_set_prefix (launcher, NULL);
      g_print ("%s %s %s %s\n", plan->argv[0], plan->argv[1], prefixed->argv[1],
               plan->display_name);

      if (!g_file_set_contents (path, "the next version", -1, NULL))
        return 1;
    }
  return 0;
}

static void
test_upgrade (void)
{
  g_test_summary ("A program whose file was deleted, or replaced by an upgrade, starts what it "
                  "runs itself; behind a prefix the file that now has its name.");

  g_autoptr (GError) error = NULL;
  g_autofree char *directory = g_dir_make_tmp ("dray-test-XXXXXX", &error);
  g_autofree char *path = dup_own_path ();
  g_autofree char *copy = g_build_filename (directory, "upgraded", NULL);
  g_autofree char *output = NULL;
  g_autofree char *expected_line = NULL;
  g_autofree char *expected = NULL;
  const char *const argv[] = { copy, UPGRADE_ARGUMENT, NULL };
  g_autofree char *program = NULL;
  gsize size = 0;
  int status = -1;

  g_assert_no_error (error);
  g_file_get_contents (path, &program, &size, &error);
  g_assert_no_error (error);
  g_file_set_contents_full (copy, program, (gssize) size, G_FILE_SET_CONTENTS_NONE, 0700, &error);
  g_assert_no_error (error);

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL, &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);

  expected_line = g_strdup_printf ("/proc/self/exe %s %s upgraded\n", WORKER_ARGUMENT, copy);
  expected = g_strconcat (expected_line, expected_line, NULL);
  g_assert_cmpstr (output, ==, expected);

  g_unlink (copy);
  g_rmdir (directory);
}

static void
test_argv (void)
{
  g_test_summary ("Another program is started with what was given, copied.");

  char program[] = "python3";
  g_autoptr (DrayLauncher) launcher
      = dray_launcher_new_argv ((const char *const[]) { program, "worker.py", NULL });

  program[0] = '?';

  g_autoptr (DrayLaunchPlan) plan = dray_launcher_plan (launcher);
  g_auto (GStrv) argv = dray_launcher_dup_argv (launcher);

  check_argv (plan->argv, (const char *const[]) { "python3", "worker.py", NULL });
  check_argv (argv, (const char *const[]) { "python3", "worker.py", NULL });
  g_assert_cmpstr (plan->display_name, ==, "python3");
}

static void
test_display_name (void)
{
  g_test_summary ("The name for messages is the worker's, whatever the prefix, and valid text.");

  const char *const prefix[] = { "ssh", "host", NULL };
  g_autoptr (DrayLauncher) launcher
      = dray_launcher_new_argv ((const char *const[]) { "/opt/caf\xe9/work\xff", NULL });
  g_autoptr (DrayLaunchPlan) plan = NULL;

  dray_launcher_set_prefix (launcher, prefix);
  plan = dray_launcher_plan (launcher);
  g_assert_true (g_utf8_validate (plan->display_name, -1, NULL));
  g_assert_true (g_str_has_prefix (plan->display_name, "work"));
}

static void
test_module (void)
{
  g_test_summary ("A module is run by the library's own program, and found where it was when the "
                  "launcher was made.");

  g_autoptr (DrayLauncher) relative = dray_launcher_new_module ("plugins/../thumbnails.so");
  g_autoptr (DrayLauncher) absolute = dray_launcher_new_module ("/opt/thumbnails.so");
  g_autoptr (DrayLaunchPlan) relative_plan = dray_launcher_plan (relative);
  g_autoptr (DrayLaunchPlan) absolute_plan = dray_launcher_plan (absolute);
  g_autofree char *program = dray_launch_find_program ("dray-worker-1");
  g_autofree char *module = g_canonicalize_filename ("thumbnails.so", NULL);

  check_argv (relative_plan->argv, (const char *const[]) { program, module, NULL });
  check_argv (absolute_plan->argv,
              (const char *const[]) { program, "/opt/thumbnails.so", NULL });
  g_assert_cmpstr (absolute_plan->display_name, ==, "thumbnails.so");
}

static void
test_prefix (void)
{
  g_test_summary ("A prefix can be set, and taken away by NULL or by nothing.");

  const char *const prefix[] = { "bwrap", "--dev-bind", "/", "/", NULL };
  const char *const empty[] = { NULL };
  g_autoptr (DrayLauncher) launcher
      = dray_launcher_new_argv ((const char *const[]) { "worker", NULL });
  g_auto (GStrv) set = NULL;
  g_autoptr (DrayLaunchPlan) plan = NULL;

  g_assert_null (dray_launcher_dup_prefix (launcher));
  dray_launcher_set_prefix (launcher, prefix);
  set = dray_launcher_dup_prefix (launcher);
  check_argv (set, prefix);

  dray_launcher_set_prefix (launcher, empty);
  g_assert_null (dray_launcher_dup_prefix (launcher));
  dray_launcher_set_prefix (launcher, prefix);
  dray_launcher_set_prefix (launcher, NULL);
  plan = dray_launcher_plan (launcher);
  check_argv (plan->argv, (const char *const[]) { "worker", NULL });
}

static void
test_environment_of_the_application (void)
{
  g_test_summary ("Without a word about it the environment is what the application has when the "
                  "plan is made, with the changes on top; the application's own stays.");

  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  g_autoptr (DrayLaunchPlan) plan = NULL;
  g_autoptr (DrayLaunchPlan) later = NULL;

  g_setenv ("DRAY_TEST_KEPT", "before", TRUE);
  g_setenv ("DRAY_TEST_GONE", "here", TRUE);
  dray_launcher_setenv (launcher, "DRAY_TEST_NEW", "a=b");
  dray_launcher_setenv (launcher, "DRAY_TEST_NEW", "c=d");
  dray_launcher_unsetenv (launcher, "DRAY_TEST_GONE");
  dray_launcher_unsetenv (launcher, "DRAY_TEST_NEVER_THERE");
  plan = dray_launcher_plan (launcher);
  g_setenv ("DRAY_TEST_KEPT", "after", TRUE);
  later = dray_launcher_plan (launcher);

  g_assert_cmpstr (g_environ_getenv (plan->environment, "DRAY_TEST_KEPT"), ==, "before");
  g_assert_cmpstr (g_environ_getenv (later->environment, "DRAY_TEST_KEPT"), ==, "after");
  g_assert_cmpstr (g_environ_getenv (plan->environment, "DRAY_TEST_NEW"), ==, "c=d");
  g_assert_null (g_environ_getenv (plan->environment, "DRAY_TEST_GONE"));
  g_assert_null (g_environ_getenv (plan->environment, "DRAY_TEST_NEVER_THERE"));
  g_assert_null (g_getenv ("DRAY_TEST_NEW"));
  g_assert_cmpstr (g_getenv ("DRAY_TEST_GONE"), ==, "here");

  g_unsetenv ("DRAY_TEST_KEPT");
  g_unsetenv ("DRAY_TEST_GONE");
}

static void
test_environment_of_its_own (void)
{
  g_test_summary ("An environment that is set is the whole environment, and forgets changes that "
                  "were made before.");

  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  const char *const environment[] = { "A=1", "B=2", NULL };
  g_auto (GStrv) result = NULL;
  g_auto (GStrv) own = NULL;

  dray_launcher_setenv (launcher, "C", "3");
  dray_launcher_set_environment (launcher, environment);
  dray_launcher_setenv (launcher, "A", "one");
  dray_launcher_unsetenv (launcher, "B");
  result = dray_launcher_dup_environment (launcher);
  check_argv (result, (const char *const[]) { "A=one", NULL });

  dray_launcher_set_environment (launcher, NULL);
  own = dray_launcher_dup_environment (launcher);
  g_assert_cmpstr (g_environ_getenv (own, "PATH"), ==, g_getenv ("PATH"));
  g_assert_null (g_environ_getenv (own, "A"));
}

static void
test_others (void)
{
  g_test_summary ("Directory, initial arguments and standard error are what was set, and go into "
                  "the plan.");

  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  g_autoptr (DrayLaunchPlan) plain = dray_launcher_plan (launcher);
  g_autoptr (DrayLaunchPlan) plan = NULL;
  g_autofree char *directory = NULL;
  g_autoptr (GVariant) arguments = NULL;

  g_assert_null (plain->directory);
  g_assert_null (plain->arguments);
  g_assert_cmpint (plain->stderr_mode, ==, DRAY_STDERR_CAPTURE);
  g_assert_null (dray_launcher_dup_directory (launcher));
  g_assert_null (dray_launcher_dup_initial_arguments (launcher));

  dray_launcher_set_directory (launcher, "/tmp");
  dray_launcher_set_initial_arguments (launcher, g_variant_new ("(si)", "x", 3));
  dray_launcher_set_initial_arguments (launcher, g_variant_new ("(si)", "x", 4));
  dray_launcher_set_stderr (launcher, DRAY_STDERR_INHERIT);

  plan = dray_launcher_plan (launcher);
  g_assert_cmpstr (plan->directory, ==, "/tmp");
  g_assert_false (g_variant_is_floating (plan->arguments));
  g_assert_cmpint (plan->stderr_mode, ==, DRAY_STDERR_INHERIT);

  directory = dray_launcher_dup_directory (launcher);
  arguments = dray_launcher_dup_initial_arguments (launcher);
  g_assert_cmpstr (directory, ==, "/tmp");
  g_assert_cmpvariant (arguments, plan->arguments);
  g_assert_cmpint (dray_launcher_get_stderr (launcher), ==, DRAY_STDERR_INHERIT);

  dray_launcher_set_directory (launcher, NULL);
  dray_launcher_set_initial_arguments (launcher, NULL);
  g_assert_null (dray_launcher_dup_directory (launcher));
  g_assert_null (dray_launcher_dup_initial_arguments (launcher));
}

static void
test_plan_is_a_picture (void)
{
  g_test_summary ("A plan stays what it is when the launcher changes, and outlives it.");

  const char *const prefix[] = { "prefix", NULL };
  DrayLauncher *launcher = dray_launcher_new_argv ((const char *const[]) { "worker", NULL });
  DrayLaunchPlan *plan;

  dray_launcher_set_directory (launcher, "/first");
  plan = dray_launcher_plan (launcher);
  dray_launcher_set_directory (launcher, "/second");
  dray_launcher_set_prefix (launcher, prefix);
  g_object_unref (launcher);

  g_assert_true (dray_launch_plan_ref (plan) == plan);
  dray_launch_plan_unref (plan);
  g_assert_cmpstr (plan->directory, ==, "/first");
  check_argv (plan->argv, (const char *const[]) { "worker", NULL });
  dray_launch_plan_unref (plan);
}

static void
count_cb (GObject *object, GParamSpec *pspec, guint *n_calls)
{
  ++*n_calls;
}

static void
test_properties (void)
{
  g_test_summary ("All can be set and read as properties, and a change is notified.");

  const char *const argv[] = { "worker", "-x", NULL };
  const char *const environment[] = { "A=1", NULL };
  guint n_calls = 0;
  g_autoptr (DrayLauncher) launcher
      = g_object_new (DRAY_TYPE_LAUNCHER, "argv", argv, "prefix", argv, "environment", environment,
                      "directory", "/", "initial-arguments", g_variant_new_int32 (5), "stderr",
                      DRAY_STDERR_INHERIT, NULL);
  g_auto (GStrv) argv_read = NULL;
  g_auto (GStrv) prefix_read = NULL;
  g_auto (GStrv) environment_read = NULL;
  g_autofree char *directory_read = NULL;
  g_autoptr (GVariant) arguments_read = NULL;
  DrayStderr stderr_read = DRAY_STDERR_CAPTURE;

  g_object_get (launcher, "argv", &argv_read, "prefix", &prefix_read, "environment",
                &environment_read, "directory", &directory_read, "initial-arguments",
                &arguments_read, "stderr", &stderr_read, NULL);
  check_argv (argv_read, argv);
  check_argv (prefix_read, argv);
  check_argv (environment_read, environment);
  g_assert_cmpstr (directory_read, ==, "/");
  g_assert_cmpint (g_variant_get_int32 (arguments_read), ==, 5);
  g_assert_cmpint (stderr_read, ==, DRAY_STDERR_INHERIT);

  g_signal_connect (launcher, "notify", G_CALLBACK (count_cb), &n_calls);
  dray_launcher_setenv (launcher, "B", "2");
  dray_launcher_unsetenv (launcher, "B");
  dray_launcher_set_environment (launcher, NULL);
  dray_launcher_set_prefix (launcher, NULL);
  dray_launcher_set_directory (launcher, NULL);
  dray_launcher_set_initial_arguments (launcher, NULL);
  dray_launcher_set_stderr (launcher, DRAY_STDERR_CAPTURE);
  g_assert_cmpuint (n_calls, ==, 7);
}

static void
note_cb (GObject *object, GParamSpec *pspec, GString *names)
{
  g_string_append_printf (names, "%s ", pspec->name);
}

/* That exactly those of @wanted were notified, each once, since the last time. */
static void
check_notified (GString *names, const char *wanted)
{
  g_assert_cmpstr (names->str, ==, wanted);
  g_string_truncate (names, 0);
}

static void
test_sandbox_properties (void)
{
  g_test_summary ("A sandbox is required unless it is said otherwise. Each of its two properties "
                  "has a function of its own, and is notified when it changes.");

  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  g_autoptr (GString) names = g_string_new (NULL);

  g_assert_cmpint (dray_launcher_get_sandbox (launcher), ==, DRAY_SANDBOX_NONE);
  g_assert_cmpint (dray_launcher_get_sandbox_need (launcher), ==, DRAY_SANDBOX_REQUIRED);
  g_signal_connect (launcher, "notify", G_CALLBACK (note_cb), names);

  g_object_set (launcher, "sandbox", DRAY_SANDBOX_STRICT, NULL);
  check_notified (names, "sandbox ");
  g_object_set (launcher, "sandbox-need", DRAY_SANDBOX_PREFERRED, NULL);
  check_notified (names, "sandbox-need ");
  g_object_set (launcher, "sandbox", DRAY_SANDBOX_STRICT, NULL);
  check_notified (names, "");

  dray_launcher_set_sandbox (launcher, DRAY_SANDBOX_NO_NETWORK);
  check_notified (names, "sandbox ");
  g_assert_cmpint (dray_launcher_get_sandbox (launcher), ==, DRAY_SANDBOX_NO_NETWORK);
  g_assert_cmpint (dray_launcher_get_sandbox_need (launcher), ==, DRAY_SANDBOX_PREFERRED);
  dray_launcher_set_sandbox_need (launcher, DRAY_SANDBOX_REQUIRED);
  check_notified (names, "sandbox-need ");
  g_assert_cmpint (dray_launcher_get_sandbox (launcher), ==, DRAY_SANDBOX_NO_NETWORK);
  g_assert_cmpint (dray_launcher_get_sandbox_need (launcher), ==, DRAY_SANDBOX_REQUIRED);
  dray_launcher_set_sandbox (launcher, DRAY_SANDBOX_NO_NETWORK);
  dray_launcher_set_sandbox_need (launcher, DRAY_SANDBOX_REQUIRED);
  check_notified (names, "");
}

static void
test_empty_argv_property (void)
{
  g_test_summary ("A launcher that is constructed without a program, as from a language binding, "
                  "is one of this program.");

  g_autoptr (DrayLauncher) launcher
      = g_object_new (DRAY_TYPE_LAUNCHER, "argv", (const char *const[]) { NULL }, NULL);
  g_auto (GStrv) argv = dray_launcher_dup_argv (launcher);

  g_assert_cmpstr (argv[1], ==, WORKER_ARGUMENT);
}

static void
test_misuse (void)
{
  g_test_summary ("A launcher needs a program, a variable a name, and access is one there is.");

  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  g_autoptr (DrayLauncher) nameless = NULL;

  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*argv*");
  g_assert_null (dray_launcher_new_argv ((const char *const[]) { NULL }));
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*argv*");
  g_assert_null (dray_launcher_new_argv ((const char *const[]) { "", NULL }));
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*argv*");
  nameless = g_object_new (DRAY_TYPE_LAUNCHER, "argv", (const char *const[]) { "", NULL }, NULL);
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*prefix*");
  dray_launcher_set_prefix (launcher, (const char *const[]) { "", NULL });
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*filename*");
  g_assert_null (dray_launcher_new_module (NULL));
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*name*");
  dray_launcher_setenv (launcher, "", "value");
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*name*");
  dray_launcher_setenv (launcher, "a=b", "value");
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*value*");
  dray_launcher_setenv (launcher, "a", NULL);
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*name*");
  dray_launcher_unsetenv (launcher, NULL);
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*access*");
  g_assert_null (dray_launcher_dup_granted_paths (launcher, DRAY_ACCESS_READ_WRITE + 1));
  g_test_assert_expected_messages ();
}

static void
test_find_program (void)
{
  g_test_summary ("The library's programs are in the folder that DRAY_LIBEXECDIR names, if that "
                  "is absolute, and else where they were installed.");

  g_autofree char *previous = g_strdup (g_getenv ("DRAY_LIBEXECDIR"));
  g_autofree char *installed = g_build_filename (DRAY_LIBEXECDIR, "program", NULL);
  const struct
  {
    const char *value;
    const char *expected;
  } table[] = {
    { NULL, installed },
    { "/build/lib", "/build/lib/program" },
    { "build/lib", installed },
    { "", installed },
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *found = NULL;

      if (table[i].value != NULL)
        g_setenv ("DRAY_LIBEXECDIR", table[i].value, TRUE);
      else
        g_unsetenv ("DRAY_LIBEXECDIR");
      found = dray_launch_find_program ("program");
      g_assert_cmpstr (found, ==, table[i].expected);
    }

  if (previous != NULL)
    g_setenv ("DRAY_LIBEXECDIR", previous, TRUE);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && g_str_equal (argv[1], UPGRADE_ARGUMENT))
    return print_argv_after_upgrade ();

  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/launcher/self", test_self);
  g_test_add_func ("/launcher/upgrade", test_upgrade);
  g_test_add_func ("/launcher/argv", test_argv);
  g_test_add_func ("/launcher/display-name", test_display_name);
  g_test_add_func ("/launcher/module", test_module);
  g_test_add_func ("/launcher/prefix", test_prefix);
  g_test_add_func ("/launcher/environment/of-the-application",
                   test_environment_of_the_application);
  g_test_add_func ("/launcher/environment/of-its-own", test_environment_of_its_own);
  g_test_add_func ("/launcher/others", test_others);
  g_test_add_func ("/launcher/plan-is-a-picture", test_plan_is_a_picture);
  g_test_add_func ("/launcher/properties", test_properties);
  g_test_add_func ("/launcher/sandbox-properties", test_sandbox_properties);
  g_test_add_func ("/launcher/empty-argv-property", test_empty_argv_property);
  g_test_add_func ("/launcher/misuse", test_misuse);
  g_test_add_func ("/launcher/find-program", test_find_program);

  return g_test_run ();
}
