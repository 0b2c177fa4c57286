/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "belongings.h"
#include "plugin-module.h"

#include <string.h>

/*
 * A host of plugins. It is not linked with the library, which comes and stays with the plugin that
 * is loaded first (it has types and a thread, and can't be unloaded). The plugin itself is loaded
 * and unloaded again and again: while all is done, and while everything is going on. What the
 * library called after that would be in memory that is not there any more.
 */

#define N_ROUNDS 100
#define DEADLINE_SECONDS 60

static gboolean
is_mapped (const char *path)
{
  g_autofree char *maps = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));

  return strstr (maps, path) != NULL;
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

/* All that GLib may start by itself was there before. */
static Belongings
look_around (void)
{
  Belongings before = { .is_strict = TRUE };

  belongings_look (&before);
  return before;
}

/* That this process has what it had @before, which is given up. */
static void
assert_settles (Belongings *before)
{
  gint64 deadline = g_get_monotonic_time () + DEADLINE_SECONDS * G_USEC_PER_SEC;
  g_autoptr (GPtrArray) differences = NULL;

  do
    {
      g_clear_pointer (&differences, g_ptr_array_unref);
      g_main_context_iteration (NULL, TRUE);
      differences = belongings_find_differences (before);
    }
  while (differences->len > 0 && g_get_monotonic_time () < deadline);

  belongings_tell (differences);
  g_assert_cmpuint (differences->len, ==, 0);
  belongings_clear (before);
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
