/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>
#include <sys/wait.h>

#include "fixture.h"

/* The program that runs modules, called by a person: it explains itself, and never hangs. */

typedef struct
{
  const char *name;
  const char *arguments[3];
  int exit_status;
  const char *output; /* what is in there; NULL: nothing is */
  const char *errors;
} Case;

static const Case cases[] = {
  { "version", { "--version" }, 0, PACKAGE_VERSION, NULL },
  { "help", { "--help" }, 0, "MODULE", NULL },
  { "no-argument", { NULL }, 1, NULL, "Exactly one argument" },
  { "two-arguments", { "a", "b" }, 1, NULL, "Exactly one argument" },
  { "unknown-option", { "--unknown" }, 1, NULL, "--unknown" },
  { "not-there", { "/not/there.so" }, 1, NULL, "/not/there.so" },
  /* A library, but for something else. */
  { "no-module", { "libm.so.6" }, 1, NULL, "libm.so.6" },
};

static void
test_case (Fixture *fixture, gconstpointer data)
{
  const Case *what = data;
  g_autofree char *program = g_build_filename (g_getenv ("DRAY_LIBEXECDIR"), "dray-worker-1", NULL);
  const char *argv[] = { program, what->arguments[0], what->arguments[1], NULL };
  g_autofree char *output = NULL;
  g_autofree char *errors = NULL;
  g_autoptr (GError) error = NULL;
  int wait_status = 0;

  g_test_summary ("It ends with a status, and with what a person has to know where that belongs.");

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, &errors,
                &wait_status, &error);
  g_assert_no_error (error);
  g_test_message ("%s%s", output, errors);
  g_assert_true (WIFEXITED (wait_status));
  g_assert_cmpint (WEXITSTATUS (wait_status), ==, what->exit_status);
  if (what->output != NULL)
    g_assert_nonnull (strstr (output, what->output));
  else
    g_assert_cmpstr (output, ==, "");
  if (what->errors != NULL)
    g_assert_nonnull (strstr (errors, what->errors));
  else
    g_assert_cmpstr (errors, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/worker-program/", cases[i].name, NULL);

      fixture_add (path, &cases[i], test_case);
    }

  return g_test_run ();
}
