/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "application.h"

#include <glib/gi18n.h>

#include "recent-folders.h"
#include "unattended.h"
#include "window.h"

#define DEFAULT_FOLDER "/usr/share"
#define DEFAULT_SCREENSHOT "dray-demo.png"

struct _DemoApplication
{
  GtkApplication parent_instance;

  /* What the command line says. */
  gboolean unattended;
  gboolean main_thread;
  gboolean reopen;
  int n_kills;
  char *screenshot; /* (owned) (nullable) */

  DemoRecentFolders *recent;  /* (owned) (nullable) */
  DemoUnattended *supervisor; /* (owned) (nullable) */
  gulong reopen_handler_id;
  int status;
};

G_DEFINE_TYPE (DemoApplication, demo_application, GTK_TYPE_APPLICATION)

static DemoWindow *
new_window (DemoApplication *self)
{
  DemoWindow *window = demo_window_new (GTK_APPLICATION (self), self->recent);

  if (self->main_thread)
    demo_window_set_main_thread (window, TRUE);
  gtk_window_present (GTK_WINDOW (window));
  return window;
}

static void
supervised_cb (int status, gpointer user_data)
{
  DemoApplication *self = user_data;

  self->status = status;
  g_application_quit (G_APPLICATION (self));
}

static void
run_unattended (DemoApplication *self, GFile *folder)
{
  DemoWindow *window = new_window (self);

  /* Unless it is told otherwise: the window may be closed before the end. */
  self->status = 1;
  self->supervisor = demo_unattended_new (
    window, self->screenshot != NULL ? self->screenshot : DEFAULT_SCREENSHOT, (guint) self->n_kills,
    supervised_cb, self);
  demo_window_open (window, folder);
}

static void
recent_loaded_cb (DemoApplication *self)
{
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (self));
  const char *path = demo_recent_folders_get_newest (self->recent);

  g_clear_signal_handler (&self->reopen_handler_id, self->recent);
  if (path != NULL && window != NULL)
    {
      g_autoptr (GFile) folder = g_file_new_for_path (path);

      demo_window_open (DEMO_WINDOW (window), folder);
    }
}

static void
demo_application_activate (GApplication *application)
{
  DemoApplication *self = DEMO_APPLICATION (application);
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (self));

  if (self->unattended)
    {
      g_autoptr (GFile) folder = g_file_new_for_path (DEFAULT_FOLDER);

      run_unattended (self, folder);
      return;
    }

  if (window != NULL)
    {
      gtk_window_present (window);
      return;
    }
  new_window (self);
  if (!self->reopen)
    return;
  if (demo_recent_folders_is_loaded (self->recent))
    recent_loaded_cb (self);
  else
    self->reopen_handler_id = g_signal_connect_swapped (self->recent, "loaded",
                                                        G_CALLBACK (recent_loaded_cb), self);
}

static void
demo_application_open (GApplication *application, GFile **files, int n_files, const char *hint)
{
  DemoApplication *self = DEMO_APPLICATION (application);

  if (self->unattended)
    {
      run_unattended (self, files[0]);
      return;
    }
  for (int i = 0; i < n_files; i++)
    demo_window_open (new_window (self), files[i]);
}

/* Actions */

static void
about_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GtkWindow *window = gtk_application_get_active_window (user_data);

  gtk_show_about_dialog (window, "program-name",
                         _ ("Dray File Reader"), "version", PACKAGE_VERSION, "comments",
                            _ ("Reads a folder of many files through worker processes, in a window "
                            "that never freezes. A demonstration of the library Dray."),
                               "logo-icon-name", "org.dray.Demo", "license-type",
                               GTK_LICENSE_LGPL_2_1, "translator-credits",
                               /* Translators: your names, one a line */
                               _ ("translator-credits"), NULL);
}

static void
quit_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  GList *windows;

  /* One window may take others with it, so the list is asked for again each time. */
  while ((windows = gtk_application_get_windows (user_data)) != NULL)
    gtk_widget_destroy (windows->data);
  g_application_quit (user_data);
}

static const GActionEntry entries[] = {
  { .name = "about", .activate = about_cb },
  { .name = "quit", .activate = quit_cb },
};

static const struct
{
  const char *action;
  const char *keys[3];
} accelerators[] = {
  /* clang-format off */
  { "app.quit", { "<Primary>q" } },
  { "win.close", { "<Primary>w" } },
  { "win.open", { "<Primary>o" } },
  { "win.reload", { "<Primary>r", "F5" } },
  { "win.pause", { "<Primary>p" } },
  { "win.find", { "<Primary>f" } },
  { "win.workers", { "F9" } },
  { "win.main-thread", { "<Primary>m" } },
  { "win.show-help-overlay", { "F1", "<Primary>question" } },
  /* clang-format on */
};

static void
add_style (void)
{
  g_autoptr (GtkCssProvider) provider = gtk_css_provider_new ();

  gtk_css_provider_load_from_resource (provider, "/org/dray/Demo/ui/style.css");
  gtk_style_context_add_provider_for_screen (gdk_screen_get_default (),
                                             GTK_STYLE_PROVIDER (provider),
                                             GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
}

static void
demo_application_startup (GApplication *application)
{
  DemoApplication *self = DEMO_APPLICATION (application);

  G_APPLICATION_CLASS (demo_application_parent_class)->startup (application);

  g_set_application_name (_ ("Dray File Reader"));
  gtk_window_set_default_icon_name ("org.dray.Demo");
  add_style ();
  g_action_map_add_action_entries (G_ACTION_MAP (self), entries, G_N_ELEMENTS (entries), self);
  for (gsize i = 0; i < G_N_ELEMENTS (accelerators); i++)
    gtk_application_set_accels_for_action (GTK_APPLICATION (self), accelerators[i].action,
                                           accelerators[i].keys);
  if (!self->unattended)
    self->recent = demo_recent_folders_new ();
}

/* Threads end with the program, and one may be about to write. */
static void
demo_application_shutdown (GApplication *application)
{
  DemoApplication *self = DEMO_APPLICATION (application);

  if (self->recent != NULL)
    demo_recent_folders_finish (self->recent);

  G_APPLICATION_CLASS (demo_application_parent_class)->shutdown (application);
}

/* The command line */

static int
complain (const char *message)
{
  g_printerr ("%s: %s\n", g_get_prgname (), message);
  return 1;
}

static int
demo_application_handle_local_options (GApplication *application, GVariantDict *options)
{
  DemoApplication *self = DEMO_APPLICATION (application);

  if (g_variant_dict_contains (options, "version"))
    {
      g_print ("dray-demo %s\n", PACKAGE_VERSION);
      return 0;
    }
  if (!self->unattended && (self->n_kills != 0 || self->screenshot != NULL))
    return complain (_ ("--screenshot and --kill-workers need --unattended."));
  if (self->n_kills < 0)
    return complain (_ ("--kill-workers takes the number of workers to kill."));
  if (self->n_kills > 0 && self->main_thread)
    return complain (_ ("--kill-workers needs workers, and --main-thread uses none."));

  /* GTK would end the program with a message of its own. */
  if (!gtk_init_check (NULL, NULL))
    return complain (_ ("No display could be opened. Is DISPLAY or WAYLAND_DISPLAY set?"));

  if (self->unattended)
    g_application_set_flags (application,
                             g_application_get_flags (application) | G_APPLICATION_NON_UNIQUE);
  return -1;
}

static void
add_options (DemoApplication *self)
{
  const GOptionEntry options[] = {
    { "unattended", 0, 0, G_OPTION_ARG_NONE, &self->unattended,
      N_ ("Load the folder, save a picture of the window, print a summary, and quit"), NULL },
      { "screenshot", 0, 0, G_OPTION_ARG_FILENAME, &self->screenshot,
        N_ ("Where the picture is saved (default: dray-demo.png)"), N_ ("FILE") },
        { "kill-workers", 0, 0, G_OPTION_ARG_INT, &self->n_kills,
          N_ ("Kill so many workers at random moments meanwhile"), N_ ("N") },
          { "main-thread", 0, 0, G_OPTION_ARG_NONE, &self->main_thread,
            N_ ("Load in the main thread, without workers"), NULL },
            { "recent", 0, 0, G_OPTION_ARG_NONE, &self->reopen,
              N_ ("Open the folder that was opened last"), NULL },
              { "version", 0, 0, G_OPTION_ARG_NONE, NULL, N_ ("Print the version and quit"), NULL },
                G_OPTION_ENTRY_NULL,
            };

  g_application_add_main_option_entries (G_APPLICATION (self), options);
  g_application_set_option_context_parameter_string (G_APPLICATION (self), _ ("[FOLDER]"));
  g_application_set_option_context_summary (G_APPLICATION (self),
                                            _ ("Reads all files of a folder through worker "
                                               "processes."));
}

static void
demo_application_finalize (GObject *object)
{
  DemoApplication *self = DEMO_APPLICATION (object);

  g_clear_pointer (&self->supervisor, demo_unattended_free);
  if (self->recent != NULL)
    g_clear_signal_handler (&self->reopen_handler_id, self->recent);
  g_clear_object (&self->recent);
  g_clear_pointer (&self->screenshot, g_free);

  G_OBJECT_CLASS (demo_application_parent_class)->finalize (object);
}

static void
demo_application_class_init (DemoApplicationClass *klass)
{
  GApplicationClass *application_class = G_APPLICATION_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = demo_application_finalize;
  application_class->activate = demo_application_activate;
  application_class->open = demo_application_open;
  application_class->startup = demo_application_startup;
  application_class->shutdown = demo_application_shutdown;
  application_class->handle_local_options = demo_application_handle_local_options;
}

static void
demo_application_init (DemoApplication *self)
{
  add_options (self);
}

DemoApplication *
demo_application_new (void)
{
  return g_object_new (DEMO_TYPE_APPLICATION, "application-id", "org.dray.Demo", "flags",
                       G_APPLICATION_HANDLES_OPEN, "resource-base-path", "/org/dray/Demo", NULL);
}

int
demo_application_get_status (DemoApplication *self)
{
  return self->status;
}
