/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "recent-folders.h"

#include <string.h>

#define MAX_FOLDERS 8

struct _DemoRecentFolders
{
  GObject parent_instance;

  char *filename;   /* (owned) */
  GPtrArray *paths; /* (owned): the newest first */
  GMenu *menu;      /* (owned) */
  gboolean loaded;
  gboolean changed; /* since it was loaded or last saved */
  gboolean saving;
};

enum
{
  SIGNAL_LOADED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

G_DEFINE_TYPE (DemoRecentFolders, demo_recent_folders, G_TYPE_OBJECT)

/* In a menu, a single underline would say that the next letter is a key. */
static char *
make_label (const char *path)
{
  g_autofree char *shown = g_filename_display_name (path);
  g_auto (GStrv) parts = g_strsplit (shown, "_", -1);

  return g_strjoinv ("__", parts);
}

static void
update_menu (DemoRecentFolders *self)
{
  g_menu_remove_all (self->menu);
  for (guint i = 0; i < self->paths->len; i++)
    {
      const char *path = g_ptr_array_index (self->paths, i);
      g_autofree char *label = make_label (path);
      g_autoptr (GMenuItem) item = g_menu_item_new (label, NULL);

      g_menu_item_set_action_and_target (item, "win.open-folder", "^ay", path);
      g_menu_append_item (self->menu, item);
    }
}

static void
put (DemoRecentFolders *self, const char *path, gboolean first)
{
  guint position;

  if (g_ptr_array_find_with_equal_func (self->paths, path, g_str_equal, &position))
    {
      if (!first)
        return;
      g_ptr_array_remove_index (self->paths, position);
    }
  g_ptr_array_insert (self->paths, first ? 0 : -1, g_strdup (path));
  if (self->paths->len > MAX_FOLDERS)
    g_ptr_array_set_size (self->paths, MAX_FOLDERS);
}

/* The file: a path a line. Read and written in another thread, as the disk may be slow; in one at a
 * time, so that it is the newest list that is written last. A path that holds a newline is left
 * out. */

static void
load_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  char *contents = NULL;

  g_file_get_contents (data, &contents, NULL, NULL);
  g_task_return_pointer (task, contents, g_free);
}

static void save_if_changed (DemoRecentFolders *self);

static void
loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  DemoRecentFolders *self = DEMO_RECENT_FOLDERS (source);
  g_autofree char *contents = g_task_propagate_pointer (G_TASK (result), NULL);
  g_auto (GStrv) lines = g_strsplit (contents != NULL ? contents : "", "\n", MAX_FOLDERS + 1);

  for (guint i = 0; lines[i] != NULL && i < MAX_FOLDERS; i++)
    {
      if (g_path_is_absolute (lines[i]))
        put (self, lines[i], FALSE);
    }
  self->loaded = TRUE;
  save_if_changed (self);
  update_menu (self);
  g_signal_emit (self, signals[SIGNAL_LOADED], 0);
}

static void
save_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  DemoRecentFolders *self = source;
  g_autofree char *folder = g_path_get_dirname (self->filename);

  /* Where it can't be written, the next run just knows fewer folders. */
  if (g_mkdir_with_parents (folder, 0700) == 0)
    g_file_set_contents (self->filename, data, -1, NULL);
  g_task_return_boolean (task, TRUE);
}

static void
saved_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  DemoRecentFolders *self = DEMO_RECENT_FOLDERS (source);

  self->saving = FALSE;
  save_if_changed (self);
}

static char *
make_contents (DemoRecentFolders *self)
{
  GString *contents = g_string_new (NULL);

  for (guint i = 0; i < self->paths->len; i++)
    {
      if (strchr (self->paths->pdata[i], '\n') == NULL)
        g_string_append_printf (contents, "%s\n", (const char *) self->paths->pdata[i]);
    }
  return g_string_free (contents, FALSE);
}

static void
save_if_changed (DemoRecentFolders *self)
{
  g_autoptr (GTask) task = NULL;

  if (!self->loaded || !self->changed || self->saving)
    return;

  self->changed = FALSE;
  self->saving = TRUE;
  task = g_task_new (self, NULL, saved_cb, NULL);
  g_task_set_source_tag (task, save_if_changed);
  g_task_set_task_data (task, make_contents (self), g_free);
  g_task_run_in_thread (task, save_in_thread);
}

static void
demo_recent_folders_finalize (GObject *object)
{
  DemoRecentFolders *self = DEMO_RECENT_FOLDERS (object);

  g_clear_object (&self->menu);
  g_clear_pointer (&self->paths, g_ptr_array_unref);
  g_clear_pointer (&self->filename, g_free);

  G_OBJECT_CLASS (demo_recent_folders_parent_class)->finalize (object);
}

static void
demo_recent_folders_class_init (DemoRecentFoldersClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = demo_recent_folders_finalize;

  signals[SIGNAL_LOADED] = g_signal_new ("loaded", DEMO_TYPE_RECENT_FOLDERS, G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
demo_recent_folders_init (DemoRecentFolders *self)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, loaded_cb, NULL);

  self->filename = g_build_filename (g_get_user_state_dir (), "dray-demo", "recent", NULL);
  self->paths = g_ptr_array_new_with_free_func (g_free);
  self->menu = g_menu_new ();

  g_task_set_source_tag (task, demo_recent_folders_init);
  g_task_set_task_data (task, g_strdup (self->filename), g_free);
  g_task_run_in_thread (task, load_in_thread);
}

DemoRecentFolders *
demo_recent_folders_new (void)
{
  return g_object_new (DEMO_TYPE_RECENT_FOLDERS, NULL);
}

void
demo_recent_folders_add (DemoRecentFolders *self, const char *path)
{
  put (self, path, TRUE);
  update_menu (self);
  self->changed = TRUE;
  save_if_changed (self);
}

void
demo_recent_folders_finish (DemoRecentFolders *self)
{
  while (self->changed || self->saving)
    g_main_context_iteration (NULL, TRUE);
}

const char *
demo_recent_folders_get_newest (DemoRecentFolders *self)
{
  return self->paths->len > 0 ? g_ptr_array_index (self->paths, 0) : NULL;
}

gboolean
demo_recent_folders_is_loaded (DemoRecentFolders *self)
{
  return self->loaded;
}

static void
menu_changed_cb (GMenuModel *menu, int position, int n_removed, int n_added, GtkWidget *button)
{
  gtk_widget_set_sensitive (button, g_menu_model_get_n_items (menu) > 0);
}

void
demo_recent_folders_fill_button (DemoRecentFolders *self, GtkMenuButton *button)
{
  gtk_menu_button_set_menu_model (button, G_MENU_MODEL (self->menu));
  g_signal_connect_object (self->menu, "items-changed", G_CALLBACK (menu_changed_cb), button, 0);
  menu_changed_cb (G_MENU_MODEL (self->menu), 0, 0, 0, GTK_WIDGET (button));
}
