/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* The ways to have a worker, and what surrounds one. */

/* Kinds of workers */

static GVariant *
own_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  return g_variant_new_uint32 (getppid ());
}

static int
run_own_worker (void)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  dray_worker_add_function (worker, "own", own_cb, NULL, NULL);

  return dray_worker_run (worker);
}

static void
test_self (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A program can be its own worker.");

  rig_start_with (rig, dray_launcher_new_self (), 1);
  future = rig_call (rig, "own", NULL);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, (guint32) getpid ());
}

static void
test_module (Rig *rig, gconstpointer data)
{
  g_autofree char *filename = fixture_dup_program ("worker-module.so");
  DrayLauncher *launcher = dray_launcher_new_module (filename);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A module is run by the library's own program, with an initializer like any "
                  "other worker.");

  dray_launcher_set_initial_arguments (launcher, g_variant_new_string ("Guten Tag"));
  rig_start_with (rig, launcher, 1);
  future = rig_call (rig, "greet", "(s)", "Welt");
  rig_expect_text (future, "'Guten Tag, Welt!'");
}

static void
test_no_module (Rig *rig, gconstpointer data)
{
  const struct
  {
    const char *name;
    const char *pattern;
  } vectors[] = {
    { "missing.so", "*“missing.so”*" },
    { "empty.so", "*“empty.so”*" },
  };

  g_test_summary ("A module that is missing, or none, is a launch failure which names it and says "
                  "what the loader said.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autofree char *filename = rig_dup_path (rig, vectors[i].name);
      g_autoptr (DrayFuture) future = NULL;

      if (i > 0)
        g_file_set_contents (filename, "", 0, NULL);
      rig_start_with (rig, dray_launcher_new_module (filename), 1);
      future = rig_call (rig, "greet", "(s)", "world");
      rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_LAUNCH, vectors[i].pattern);
      g_clear_object (&rig->executor);
    }
}

static void
test_no_launcher (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Without a launcher there are no calls.");

  rig_start_without_workers (rig);
  g_assert_null (dray_executor_get_launcher (rig->executor));
  future = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_LAUNCH, "?*");
}

/* What surrounds them */

static void
test_initial_arguments (Rig *rig, gconstpointer data)
{
  static const char *const vectors[] = {
    "{'path': <'/usr/share'>, 'sizes': <[1, 2, 3]>}",
    "'text'",
    "()",
  };
  g_autoptr (DrayFuture) none = NULL;

  g_test_summary ("What the launcher says is what the initializer gets.");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      DrayLauncher *launcher = rig_new_launcher (NULL);
      g_autoptr (DrayFuture) future = NULL;

      dray_launcher_set_initial_arguments (launcher, g_variant_new_parsed (vectors[i]));
      rig_start_with (rig, launcher, 1);
      future = rig_call (rig, "init-args", NULL);
      rig_expect_text (future, vectors[i]);
      g_clear_object (&rig->executor);
    }

  rig_start (rig, 1);
  none = rig_call (rig, "init-args", NULL);
  rig_expect_text (none, "()");
}

static void
test_large_initial_arguments (Rig *rig, gconstpointer data)
{
  const guint size = 100000;
  g_autofree char *text = g_strnfill (size, 'x');
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) later = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("Initial arguments that are larger than a message may be are a launch failure "
                  "that says so, and no process is started; with a higher limit they are sent.");

  dray_launcher_set_initial_arguments (launcher, g_variant_new_string (text));
  rig_start_with (rig, launcher, 1);
  g_object_set (rig->executor, "max-message-size", size / 2, NULL);
  future = rig_call (rig, "init-args", NULL);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_LAUNCH,
                    "*“misbehaving-worker” can’t be given its initial arguments: ?*");
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 0);

  g_object_set (rig->executor, "max-message-size", 2 * size, NULL);
  later = rig_call (rig, "init-args", NULL);
  result = rig_expect_result (later);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, text);
}

static void
test_picture (Rig *rig, gconstpointer data)
{
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("An executor takes what the launcher says when it is made; later changes do not "
                  "reach it.");

  dray_launcher_set_initial_arguments (launcher, g_variant_new_string ("before"));
  rig_start_with (rig, g_object_ref (launcher), 1);
  dray_launcher_set_initial_arguments (launcher, g_variant_new_string ("after"));
  g_assert_true (dray_executor_get_launcher (rig->executor) == launcher);
  g_object_unref (launcher);
  future = rig_call (rig, "init-args", NULL);
  rig_expect_text (future, "'before'");
}

static void
test_environment (Rig *rig, gconstpointer data)
{
  const char *const environment[] = { "ONLY=this", "LC_ALL=C", NULL };
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) added = NULL;
  g_autoptr (DrayFuture) removed = NULL;
  g_autoptr (DrayFuture) inherited = NULL;
  g_autoptr (DrayFuture) only = NULL;
  g_autoptr (DrayFuture) path = NULL;
  g_autofree char *build_folder = g_strdup_printf ("@ms '%s'", g_getenv ("G_TEST_BUILDDIR"));

  g_test_summary ("Variables are set and unset on top of the application's environment, or the "
                  "whole environment is given.");

  dray_launcher_setenv (launcher, "ADDED", "ä = b");
  dray_launcher_unsetenv (launcher, "G_TEST_SRCDIR");
  rig_start_with (rig, launcher, 1);
  added = rig_call (rig, "getenv", "(s)", "ADDED");
  rig_expect_text (added, "@ms 'ä = b'");
  removed = rig_call (rig, "getenv", "(s)", "G_TEST_SRCDIR");
  rig_expect_text (removed, "@ms nothing");
  inherited = rig_call (rig, "getenv", "(s)", "G_TEST_BUILDDIR");
  rig_expect_text (inherited, build_folder);
  g_clear_object (&rig->executor);

  launcher = rig_new_launcher (NULL);
  dray_launcher_set_environment (launcher, environment);
  rig_start_with (rig, launcher, 1);
  only = rig_call (rig, "getenv", "(s)", "ONLY");
  rig_expect_text (only, "@ms 'this'");
  path = rig_call (rig, "getenv", "(s)", "PATH");
  rig_expect_text (path, "@ms nothing");
}

static void
test_directory (Rig *rig, gconstpointer data)
{
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autofree char *before = g_get_current_dir ();
  g_autofree char *after = NULL;
  g_autofree char *expected = g_strdup_printf ("'%s'", rig->directory);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Workers start in the launcher's directory; the application stays where it is.");

  dray_launcher_set_directory (launcher, rig->directory);
  rig_start_with (rig, launcher, 1);
  future = rig_call (rig, "cwd", NULL);
  rig_expect_text (future, expected);
  after = g_get_current_dir ();
  g_assert_cmpstr (after, ==, before);
}

static void
test_prefix (Rig *rig, gconstpointer data)
{
  const char *const prefix[] = { "env", "FOO=bar", NULL };
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A prefix is run, and runs the worker.");

  dray_launcher_set_prefix (launcher, prefix);
  rig_start_with (rig, launcher, 1);
  future = rig_call (rig, "getenv", "(s)", "FOO");
  rig_expect_text (future, "@ms 'bar'");
}

static void
test_descriptors (Rig *rig, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (rig, "open");
  int low_fd = open (path, O_RDWR | O_CREAT, 0600);
  int fd = fcntl (low_fd, F_DUPFD, 400); /* no number that a worker opens for itself */
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  const gint32 *numbers;
  gsize n_numbers;

  g_test_summary ("A worker inherits no descriptor of the application but its standard ones, also "
                  "where the application forgot to say so.");

  g_assert_cmpint (fd, >=, 0);
  rig_start (rig, 1);
  future = rig_call (rig, "fds", NULL);
  result = rig_expect_result (future);
  close (fd);
  close (low_fd);

  numbers = g_variant_get_fixed_array (result, &n_numbers, sizeof (gint32));
  for (gsize i = 0; i < n_numbers; i++)
    g_assert_cmpint (numbers[i], !=, fd);
}

/* Standard error */

/* Returns: (transfer full): what was written to our standard error while the call ran */
static char *
catch_errors (Rig *rig, DrayStderr mode)
{
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autofree char *path = rig_dup_path (rig, "errors");
  int saved = dup (STDERR_FILENO);
  int fd = open (path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  g_autoptr (DrayFuture) spoken = NULL;
  g_autoptr (DrayFuture) died = NULL;
  char *errors = NULL;

  dray_launcher_set_stderr (launcher, mode);
  fflush (stderr);
  dup2 (fd, STDERR_FILENO);
  rig_start_with (rig, launcher, 1);
  spoken = rig_call (rig, "stderr", "(s)", "spoken aloud\n");
  fixture_run_until_done (spoken);
  died = rig_call (rig, "exit", "(i)", 3);
  fixture_run_until_done (died);
  dup2 (saved, STDERR_FILENO);
  close (saved);
  close (fd);

  rig_expect_error (died, DRAY_ERROR, DRAY_ERROR_WORKER_DIED,
                    mode == DRAY_STDERR_CAPTURE ? "*spoken aloud*" : "*status 3");
  g_assert_true (g_file_get_contents (path, &errors, NULL, NULL));

  return errors;
}

static void
test_captured_errors (Rig *rig, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("Captured, what a worker writes to standard error is in the message of its "
                  "death, and nowhere else.");

  errors = catch_errors (rig, DRAY_STDERR_CAPTURE);
  g_assert_cmpstr (errors, ==, "");
}

static void
test_inherited_errors (Rig *rig, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("Inherited, it goes where the application's own goes.");

  errors = catch_errors (rig, DRAY_STDERR_INHERIT);
  g_assert_cmpstr (errors, ==, "spoken aloud\n");
}

int
main (int argc, char **argv)
{
  if (dray_worker_is_requested (argc, argv))
    return run_own_worker ();

  g_test_init (&argc, &argv, NULL);

  rig_add ("/launching/self", NULL, test_self);
  rig_add ("/launching/module", NULL, test_module);
  rig_add ("/launching/module/none", NULL, test_no_module);
  rig_add ("/launching/no-launcher", NULL, test_no_launcher);
  rig_add ("/launching/initial-arguments", NULL, test_initial_arguments);
  rig_add ("/launching/initial-arguments/too-large", NULL, test_large_initial_arguments);
  rig_add ("/launching/picture", NULL, test_picture);
  rig_add ("/launching/environment", NULL, test_environment);
  rig_add ("/launching/directory", NULL, test_directory);
  rig_add ("/launching/prefix", NULL, test_prefix);
  rig_add ("/launching/descriptors", NULL, test_descriptors);
  rig_add ("/launching/stderr/captured", NULL, test_captured_errors);
  rig_add ("/launching/stderr/inherited", NULL, test_inherited_errors);

  return g_test_run ();
}
