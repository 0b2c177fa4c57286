/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Hosts that have closed their standard descriptors, gone to another directory, or run out of
 * descriptors; and what of a process the library leaves alone.
 */

static DrayExecutor *
new_executor_with_errors (DrayStderr mode)
{
  const char *argv[] = { host_get_worker (), NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);

  dray_launcher_set_stderr (launcher, mode);

  return dray_executor_new (launcher);
}

/* Closed descriptors */

static void
assert_still_closed (guint closed)
{
  for (int fd = 0; fd < 3; fd++)
    if ((closed & (1u << fd)) != 0)
      g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
}

/* What a task has is not given their places either. */
static void
assert_attachments (guint closed)
{
  int file = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  int high = fcntl (file, F_DUPFD_CLOEXEC, 50);
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new_from_array (&high, 1);
  g_autoptr (DrayTask) task = dray_task_new_call ("null", NULL);
  g_autoptr (GError) error = NULL;

  close (file);
  g_assert_true (dray_task_set_attachments (task, list, &error));
  g_assert_no_error (error);
  assert_still_closed (closed);
}

/* @closed: a bit for each */
static void
assert_works_without (guint closed, DrayStderr mode)
{
  DrayExecutor *executor = new_executor_with_errors (mode);

  host_assert_calls (executor);
  assert_still_closed (closed);
  assert_attachments (closed);
  host_assert_commands (executor);
  assert_still_closed (closed);
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_object_unref (executor);
  assert_still_closed (closed);
}

static void
run_closed (void)
{
  int saved[3];

  for (int fd = 0; fd < 3; fd++)
    saved[fd] = fcntl (fd, F_DUPFD_CLOEXEC, 50);

  for (guint closed = 1; closed < 8; closed++)
    {
      for (int fd = 0; fd < 3; fd++)
        if ((closed & (1u << fd)) != 0)
          close (fd);

      assert_works_without (closed, DRAY_STDERR_CAPTURE);
      assert_works_without (closed, DRAY_STDERR_INHERIT);

      for (int fd = 0; fd < 3; fd++)
        dup2 (saved[fd], fd);
    }

  for (int fd = 0; fd < 3; fd++)
    close (saved[fd]);
  host_assert_settled ();
}

/* Another directory */

static char *
ask_directory (DrayExecutor *executor)
{
  g_autoptr (DrayFuture) future = dray_executor_call (executor, "cwd", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_no_error (error);

  return g_variant_dup_string (result, NULL);
}

static void
use_elsewhere (DrayLauncher *launcher, const char *directory)
{
  DrayExecutor *executor = dray_executor_new (launcher);
  g_autofree char *here = g_get_current_dir ();

  /* A worker before the change, and others after it. */
  g_object_set (executor, "max-tasks-per-worker", 1, NULL);
  g_free (ask_directory (executor));
  g_assert_cmpint (chdir ("/proc"), ==, 0);
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *there = ask_directory (executor);

      g_assert_cmpstr (there, ==, directory != NULL ? directory : "/proc");
    }

  g_assert_cmpint (chdir (here), ==, 0);
  host_finish (executor);
}

static void
use_module_elsewhere (void)
{
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_module ("worker-module.so");
  g_autofree char *here = g_get_current_dir ();
  DrayExecutor *executor;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_assert_cmpint (chdir ("/"), ==, 0);
  executor = dray_executor_new (launcher);
  future = dray_executor_call (executor, "greet", g_variant_new ("(s)", "world"));
  result = dray_future_wait_result (future, -1, NULL, NULL);
  g_assert_nonnull (result);
  g_assert_cmpstr (g_variant_get_string (result, NULL), ==, "Hello, world!");

  g_assert_cmpint (chdir (here), ==, 0);
  g_clear_object (&future);
  host_finish (executor);
}

static void
run_directory (void)
{
  const char *const in_folder[] = { "./misbehaving-worker", NULL };
  const char *const in_parent[] = { "tests/misbehaving-worker", NULL };
  g_autoptr (DrayLauncher) here = dray_launcher_new_argv (in_folder);
  g_autoptr (DrayLauncher) in_relative = dray_launcher_new_argv (in_parent);
  g_autofree char *folder = g_path_get_dirname (host_get_worker ());
  g_autofree char *real_folder = NULL;
  g_autofree char *parent = NULL;

  g_assert_cmpint (chdir (folder), ==, 0);
  real_folder = g_get_current_dir ();
  parent = g_path_get_dirname (real_folder);

  use_elsewhere (here, NULL);
  dray_launcher_set_directory (in_relative, "..");
  use_elsewhere (in_relative, parent);
  use_module_elsewhere ();
}

/* Unchanged */

typedef struct
{
  struct sigaction actions[NSIG];
  sigset_t mask;
  char *locale;
  char **environment;
  char *directory;
  mode_t file_mask;
  pid_t group;
} Surroundings;

static void
surroundings_take (Surroundings *self)
{
  memset (self, 0, sizeof *self);
  for (int i = 1; i < NSIG; i++)
    sigaction (i, NULL, &self->actions[i]);
  pthread_sigmask (SIG_SETMASK, NULL, &self->mask);
  self->locale = g_strdup (setlocale (LC_ALL, NULL));
  self->environment = g_get_environ ();
  self->directory = g_get_current_dir ();
  self->file_mask = umask (0);
  umask (self->file_mask);
  self->group = getpgrp ();
}

static void
surroundings_clear (Surroundings *self)
{
  g_free (self->locale);
  g_strfreev (self->environment);
  g_free (self->directory);
}

static void
surroundings_assert_unchanged (const Surroundings *self)
{
  Surroundings now;

  surroundings_take (&now);
  for (int i = 1; i < NSIG; i++)
    {
      g_assert_true (now.actions[i].sa_handler == self->actions[i].sa_handler);
      g_assert_cmpint (now.actions[i].sa_flags, ==, self->actions[i].sa_flags);
    }
  for (int i = 1; i < NSIG; i++)
    g_assert_cmpint (sigismember (&now.mask, i), ==, sigismember (&self->mask, i));
  g_assert_cmpstr (now.locale, ==, self->locale);
  g_assert_cmpstrv (now.environment, self->environment);
  g_assert_cmpstr (now.directory, ==, self->directory);
  g_assert_cmpuint (now.file_mask, ==, self->file_mask);
  g_assert_cmpint (now.group, ==, self->group);
  surroundings_clear (&now);
}

static void
run_unchanged (void)
{
  Surroundings before;
  DrayExecutor *executor;
  sigset_t some;

  sigemptyset (&some);
  sigaddset (&some, SIGUSR1);
  pthread_sigmask (SIG_BLOCK, &some, NULL);
  umask (027);
  setlocale (LC_ALL, "");
  surroundings_take (&before);

  executor = new_executor_with_errors (DRAY_STDERR_CAPTURE);
  host_assert_calls (executor);
  surroundings_assert_unchanged (&before);
  host_assert_commands (executor);
  surroundings_assert_unchanged (&before);
  host_finish (executor);
  surroundings_assert_unchanged (&before);
  surroundings_clear (&before);
}

/* Files: the fixture finds what is left of them. */

/* What comes of it is not looked at. */
static void
call_and_wait (DrayExecutor *executor, const char *function, GVariant *arguments)
{
  g_autoptr (DrayFuture) future = dray_executor_call (executor, function, arguments);

  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
}

static void
run_files (void)
{
  const char *argv[] = { host_get_worker (), NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  DrayExecutor *executor;

  dray_launcher_set_trusted (launcher, TRUE);
  executor = dray_executor_new (launcher);
  host_assert_calls (executor);
  host_assert_commands (executor);
  call_and_wait (executor, "bytes", g_variant_new ("(u)", 8u * 1024 * 1024));
  call_and_wait (executor, "raise", g_variant_new ("(i)", SIGSEGV));
  call_and_wait (executor, "add", g_variant_new ("(ii)", 1, 2));
  host_finish (executor);
}

/* Out of descriptors */

static rlim_t
count_descriptors (void)
{
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  close (fd);

  return (rlim_t) fd;
}

/* Waits for @future (which is taken), and checks that it succeeded, or says why it could not. */
static gboolean
succeeds_or_says_why (DrayFuture *future)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  if (result == NULL && !g_error_matches (error, DRAY_ERROR, DRAY_ERROR_WORKER_DIED))
    g_assert_error (error, DRAY_ERROR, DRAY_ERROR_LAUNCH);
  if (result == NULL)
    g_assert_nonnull (strstr (error->message, "open files"));
  g_object_unref (future);

  return result != NULL;
}

static DrayFuture *
run_true (DrayExecutor *executor)
{
  const char *const argv[] = { "true", NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);

  return dray_executor_submit (executor, task, NULL);
}

static void
run_out_of_descriptors (void)
{
  struct rlimit before, low;
  guint n_failures = 0, n_successes = 0;

  getrlimit (RLIMIT_NOFILE, &before);
  low = before;

  for (guint n_free = 0; n_free < 24; n_free++)
    {
      DrayExecutor *executor = host_new_executor (2);

      /* No descriptor for the I/O thread, none for the pipes, some of them, all. */
      low.rlim_cur = count_descriptors () + n_free;
      g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &low), ==, 0);
      for (guint i = 0; i < 2; i++)
        {
          guint *n = succeeds_or_says_why (run_true (executor)) ? &n_successes : &n_failures;

          ++*n;
          succeeds_or_says_why (dray_executor_call (executor, "add", g_variant_new ("(ii)", 1, 2)));
        }

      /* The same executor recovers. */
      g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
      host_assert_calls (executor);
      host_assert_commands (executor);
      host_finish (executor);
    }

  g_assert_cmpuint (n_failures, >, 0);
  g_assert_cmpuint (n_successes, >, 0);
}

/* The tests */

static const HostPart parts[] = {
  { "closed", run_closed },
  { "directory", run_directory },
  { "unchanged", run_unchanged },
  { "files", run_files },
  { "out-of-descriptors", run_out_of_descriptors },
};

static void
test_part (Fixture *fixture, gconstpointer data)
{
  /* Shows that the part of the host finds nothing wrong, and prints nothing. */
  host_run_to_end (data);
}

int
main (int argc, char **argv)
{
  if (host_is_wanted (argc, argv))
    return host_run (argv, parts, G_N_ELEMENTS (parts));

  g_test_init (&argc, &argv, NULL);

  workshop_add ("/host-environment/closed", "closed", test_part);
  workshop_add ("/host-environment/directory", "directory", test_part);
  workshop_add ("/host-environment/unchanged", "unchanged", test_part);
  workshop_add ("/host-environment/files", "files", test_part);
  workshop_add ("/host-environment/out-of-descriptors", "out-of-descriptors", test_part);

  return g_test_run ();
}
