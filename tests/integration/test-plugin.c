/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "plugin-module.h"

#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A host of plugins. It is not linked with the library, which comes and stays with the plugin that
 * is loaded first (it has types and a thread, and can't be unloaded). The plugin itself is loaded
 * and unloaded again and again: while all is done, and while everything is going on. What the
 * library called after that would be in memory that is not there any more.
 */

#define N_ROUNDS 100
#define DEADLINE_SECONDS 60

/* What this process has */

static guint
count_entries (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  g_assert_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    n++;

  return n;
}

static guint
count_children (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc", 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc", name, "stat", NULL);
      g_autofree char *stat = NULL;
      const char *end;

      if (!g_ascii_isdigit (*name) || !g_file_get_contents (path, &stat, NULL, NULL))
        continue;
      end = strrchr (stat, ')');
      n += end != NULL && strlen (end) > 4 && atoi (end + 4) == getpid ();
    }

  return n;
}

/* Sources are numbered as they are attached. */
static guint
count_sources (void)
{
  g_autoptr (GSource) probe = g_idle_source_new ();
  guint end = g_source_attach (probe, NULL);
  guint n = 0;

  for (guint id = 1; id < end; id++)
    n += g_main_context_find_source_by_id (NULL, id) != NULL;
  g_source_destroy (probe);

  return n;
}

static gboolean
is_mapped (const char *path)
{
  g_autofree char *maps = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));

  return strstr (maps, path) != NULL;
}

typedef struct
{
  guint n_descriptors;
  guint n_threads;
  guint n_children;
  guint n_sources;
} Belongings;

static Belongings
look_around (void)
{
  return (Belongings){
    .n_descriptors = count_entries ("/proc/self/fd"),
    .n_threads = count_entries ("/proc/self/task"),
    .n_children = count_children (),
    .n_sources = count_sources (),
  };
}

static gboolean
keep_ticking_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* The plugin */

typedef struct
{
  char *path; /* (owned) */
  GModule *module;
  PluginMayEnd may_end;
  PluginEnd end;
} Plugin;

static void
plugin_load (Plugin *self, PluginWay way)
{
  g_autofree char *worker = g_test_build_filename (G_TEST_BUILT, "misbehaving-worker", NULL);
  PluginBegin begin;

  self->module = g_module_open (self->path, G_MODULE_BIND_LOCAL);
  if (self->module == NULL)
    g_error ("%s", g_module_error ());
  g_assert_true (g_module_symbol (self->module, "plugin_begin", (gpointer *) &begin));
  g_assert_true (g_module_symbol (self->module, "plugin_may_end", (gpointer *) &self->may_end));
  g_assert_true (g_module_symbol (self->module, "plugin_end", (gpointer *) &self->end));
  begin (worker, way);
}

static void
plugin_unload (Plugin *self)
{
  self->end ();
  g_assert_true (g_module_close (self->module));
  g_assert_false (is_mapped (self->path));
}

static void
iterate_until_it_may_end (Plugin *self)
{
  gint64 deadline = g_get_monotonic_time () + DEADLINE_SECONDS * G_USEC_PER_SEC;

  while (!self->may_end ())
    {
      g_main_context_iteration (NULL, TRUE);
      if (g_get_monotonic_time () > deadline)
        g_error ("the plugin does not come to its end");
    }
}

/* (transfer full): the module of that name, which was built beside the tests */
static char *
find_module (const char *name)
{
  g_autofree char *filename = g_strconcat (name, "." G_MODULE_SUFFIX, NULL);

  return g_test_build_filename (G_TEST_BUILT, filename, NULL);
}

static void
assert_settles (const Belongings *before)
{
  gint64 deadline = g_get_monotonic_time () + DEADLINE_SECONDS * G_USEC_PER_SEC;
  Belongings now;

  do
    {
      g_main_context_iteration (NULL, TRUE);
      now = look_around ();
    }
  while (memcmp (&now, before, sizeof now) != 0 && g_get_monotonic_time () < deadline);

  g_assert_cmpuint (now.n_descriptors, ==, before->n_descriptors);
  g_assert_cmpuint (now.n_threads, ==, before->n_threads);
  g_assert_cmpuint (now.n_children, ==, before->n_children);
  g_assert_cmpuint (now.n_sources, ==, before->n_sources);
}

/* The tests */

static void
test_reloaded (void)
{
  Plugin plugin = { .path = find_module ("plugin-module") };
  guint ticker = g_timeout_add_full (G_PRIORITY_LOW, 5, keep_ticking_cb, NULL, NULL);
  Belongings before = look_around ();

  g_test_summary (
    "A plugin that has an executor can be loaded and unloaded a hundred times, with "
    "all that it began done, given up, or still going on, and leaves nothing behind.");

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      plugin_load (&plugin, i % N_PLUGIN_WAYS);
      iterate_until_it_may_end (&plugin);
      plugin_unload (&plugin);
      g_assert_true (is_mapped ("/libdray-1.so"));
    }

  assert_settles (&before);
  g_source_remove (ticker);
  g_free (plugin.path);
}

static void
test_two (void)
{
  Plugin stays = { .path = find_module ("plugin-module") };
  Plugin goes = { .path = find_module ("other-plugin-module") };
  guint ticker = g_timeout_add_full (G_PRIORITY_LOW, 5, keep_ticking_cb, NULL, NULL);
  Belongings before = look_around ();

  g_test_summary ("While one plugin works, another one may come and go.");

  for (guint way = 0; way < N_PLUGIN_WAYS; way++)
    {
      plugin_load (&stays, PLUGIN_DRAINED);
      plugin_load (&goes, way);
      iterate_until_it_may_end (&goes);
      plugin_unload (&goes);
      iterate_until_it_may_end (&stays);
      plugin_unload (&stays);
    }

  assert_settles (&before);
  g_source_remove (ticker);
  g_free (stays.path);
  g_free (goes.path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  /* With its first task, GLib starts a thread for itself, which stays. */
  g_type_ensure (G_TYPE_TASK);

  g_test_add_func ("/plugin/reloaded", test_reloaded);
  g_test_add_func ("/plugin/two", test_two);

  return g_test_run ();
}
