/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * dray-worker-1: the worker process of a launcher that was given a module. A plugin, which has no
 * program of its own to be started again, puts its functions into a shared object and is done.
 */

#include "config.h"

#include <dray.h>
#include <glib/gi18n-lib.h>
#include <gmodule.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#define INIT_FUNCTION "dray_worker_module_init"

/* Takes @message. */
static void
complain (char *message)
{
  fprintf (stderr, "%s: %s\n", g_get_prgname (), message);
  g_free (message);
}

/* Returns: (nullable): what the module exports; it stays loaded for ever */
static DrayWorkerModuleInit
load_module (const char *filename)
{
  g_autofree char *display_name = g_filename_display_name (filename);
  GModule *module = g_module_open (filename, G_MODULE_BIND_LOCAL);
  gpointer symbol = NULL;

  if (module == NULL)
    {
      complain (g_strdup_printf (_("The module could not be loaded: %s"), g_module_error ()));
      return NULL;
    }

  if (!g_module_symbol (module, INIT_FUNCTION, &symbol) || symbol == NULL)
    {
      complain (g_strdup_printf (_("“%s” is not a module for Dray workers: "
                                   "it does not export a function “%s”"),
                                    display_name, INIT_FUNCTION));
      return NULL;
    }

  g_module_make_resident (module);

  return (DrayWorkerModuleInit) symbol;
}

/* Returns: (transfer full) (nullable): the name of the module; NULL after a message, with an exit
 * status */
static char *
parse_arguments (int argc, char **argv, int *status)
{
  gboolean show_version = FALSE;
  g_auto (GStrv) filenames = NULL;
  const GOptionEntry entries[] = {
    { "version", 0, 0, G_OPTION_ARG_NONE, &show_version, N_("Show the version of Dray"), NULL },
      { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &filenames, NULL, N_("MODULE") },
        G_OPTION_ENTRY_NULL,
    };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context,
                                _("Runs the functions of a module, a shared object, for an "
                                  "application that uses Dray. It is started by applications, "
                                  "not by people."));
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);

  *status = EXIT_FAILURE;
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      complain (g_strdup (error->message));
      return NULL;
    }

  if (show_version)
    {
      printf ("%s %s\n", g_get_prgname (), PACKAGE_VERSION);
      *status = EXIT_SUCCESS;
      return NULL;
    }

  if (filenames == NULL || g_strv_length (filenames) != 1)
    {
      complain (g_strdup (_("Exactly one argument is needed, the file name of a module")));
      return NULL;
    }

  return g_strdup (filenames[0]);
}

int
main (int argc, char **argv)
{
  g_autofree char *filename = NULL;
  g_autoptr (DrayWorker) worker = NULL;
  DrayWorkerModuleInit init;
  int status;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, DRAY_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  g_set_prgname ("dray-worker-1");

  filename = parse_arguments (argc, argv, &status);
  if (filename == NULL)
    return status;

  init = load_module (filename);
  if (init == NULL)
    return EXIT_FAILURE;

  worker = dray_worker_new ();
  init (worker);

  return dray_worker_run (worker);
}
