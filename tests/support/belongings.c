/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "belongings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * What a process has is read from /proc. Children are found by looking at every process for its
 * parent: the list in /proc/self/task/…/children may skip some while others come and go.
 */

/*
 * The folder for temporary files is made before main(), for GLib asks for its name only once. All
 * processes that the program starts share it, such as hosts that are killed before they can clean
 * up anything.
 */

#define FOLDER_VARIABLE "DRAY_TEST_TMPDIR"

static pid_t folder_owner; /* 0: another process */

__attribute__ ((constructor)) static void
make_folder (void)
{
  const char *surroundings = g_getenv ("TMPDIR");
  g_autofree char *folder = g_build_filename (surroundings != NULL ? surroundings : "/tmp",
                                              "dray-test-XXXXXX", NULL);

  if (g_getenv (FOLDER_VARIABLE) != NULL)
    return;

  if (g_mkdtemp (folder) == NULL)
    g_error ("%s: %s", folder, g_strerror (errno));
  g_setenv ("TMPDIR", folder, TRUE);
  g_setenv (FOLDER_VARIABLE, folder, TRUE);
  folder_owner = getpid ();
}

/* What a test has failed for stays, to be looked at. */
__attribute__ ((destructor)) static void
remove_folder (void)
{
  if (folder_owner == getpid ())
    rmdir (g_getenv (FOLDER_VARIABLE));
}

/* Looking */

/* Its name may hold spaces and parentheses. */
gboolean
belongings_read_process (const char *pid, char *state, int *parent, char **name)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "stat", NULL);
  g_autofree char *contents = NULL;
  const char *open, *close;

  if (!g_file_get_contents (path, &contents, NULL, NULL))
    return FALSE;

  open = strchr (contents, '(');
  close = strrchr (contents, ')');
  if (open == NULL || close == NULL || strlen (close) < 5)
    return FALSE;

  *state = close[2];
  *parent = atoi (close + 4);
  if (name != NULL)
    *name = g_strndup (open + 1, close - open - 1);

  return TRUE;
}

static GHashTable *
new_table (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

static GHashTable *
list_descriptors (void)
{
  g_autoptr (GHashTable) table = new_table ();
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *number;

  g_assert_nonnull (dir);
  while ((number = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", number, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);
      g_autofree char *listing = g_strdup_printf ("/proc/%d/fd", getpid ());

      /* The descriptor that this very list is read through is not of interest. */
      if (target != NULL && !g_str_equal (target, listing))
        g_hash_table_insert (table, g_strdup_printf ("descriptor %s: %s", number, target),
                             g_strdup (target));
    }

  return g_steal_pointer (&table);
}

/* Without their names, which they get a little after they have begun. */
static GHashTable *
list_threads (void)
{
  g_autoptr (GHashTable) table = new_table ();
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const char *tid;

  g_assert_nonnull (dir);
  while ((tid = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", tid, "comm", NULL);
      g_autofree char *name = NULL;

      if (g_file_get_contents (path, &name, NULL, NULL))
        {
          g_strchomp (name);
          g_hash_table_insert (table, g_strdup_printf ("thread %s", tid), g_strdup (name));
        }
    }

  return g_steal_pointer (&table);
}

static GHashTable *
list_children (void)
{
  g_autoptr (GHashTable) table = new_table ();
  g_autoptr (GDir) dir = g_dir_open ("/proc", 0, NULL);
  const char *pid;

  g_assert_nonnull (dir);
  while ((pid = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *name = NULL;
      char state;
      int parent;

      if (g_ascii_isdigit (pid[0]) && belongings_read_process (pid, &state, &parent, &name)
          && parent == getpid ())
        g_hash_table_insert (
          table, g_strdup_printf ("child %s: %s%s", pid, name, state == 'Z' ? " (zombie)" : ""),
          g_strdup (name));
    }

  return g_steal_pointer (&table);
}

/* Memory that other processes may have as well: it is mapped from something without a name, or from
 * where such files are. */
static gboolean
is_shared_memory (const char *target)
{
  return g_str_has_prefix (target, "/memfd:") || g_str_has_prefix (target, "/dev/shm/")
         || g_str_has_prefix (target, "/SYSV") || g_str_has_prefix (target, "/dev/zero");
}

static GHashTable *
list_mappings (void)
{
  g_autoptr (GHashTable) table = new_table ();
  g_autofree char *contents = NULL;
  g_auto (GStrv) lines = NULL;

  /* A line: addresses, permissions, offset, device and inode, then spaces and the target. */
  if (g_file_get_contents ("/proc/self/maps", &contents, NULL, NULL))
    lines = g_strsplit (contents, "\n", -1);
  for (guint i = 0; lines != NULL && lines[i] != NULL; i++)
    {
      const char *target = strchr (lines[i], '/');

      if (target != NULL && is_shared_memory (target))
        g_hash_table_insert (
          table,
          g_strdup_printf ("memory %.*s: %s", (int) strcspn (lines[i], " "), lines[i], target),
          g_strdup (target));
    }

  return g_steal_pointer (&table);
}

/* ThreadSanitizer makes a copy of what is constant when a process starts, and one that is killed
 * then leaves it. */
static gboolean
is_of_sanitizer (const char *name)
{
  return g_str_has_prefix (name, "tsan.rodata.");
}

/* Adds those whose names have @part in them. */
static void
add_files (GHashTable *table, const char *folder, const char *part)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (strstr (name, part) != NULL && !is_of_sanitizer (name))
      g_hash_table_insert (table, g_strdup_printf ("file %s/%s", folder, name), g_strdup (name));
}

/* All temporary files, and in the folder for shared memory, which is everybody's, those that are
 * called after the library. */
static GHashTable *
list_files (void)
{
  g_autoptr (GHashTable) table = new_table ();

  add_files (table, g_getenv (FOLDER_VARIABLE), "");
  add_files (table, "/dev/shm", "dray");

  return g_steal_pointer (&table);
}

/* Sources are numbered as they are attached, so one that is attached now tells where we are. */
static guint
get_next_source (void)
{
  g_autoptr (GSource) probe = g_idle_source_new ();
  guint id = g_source_attach (probe, NULL);

  g_source_destroy (probe);

  return id;
}

/* Comparing */

/* GLib starts these when it likes, and keeps them. */
static gboolean
is_glib_thread (const char *name)
{
  return g_str_equal (name, "gmain") || g_str_equal (name, "gdbus")
         || g_str_has_prefix (name, "pool-");
}

/* Adds what is in @table and not in @other to @differences. */
static void
add_missing (GPtrArray *differences, GHashTable *table, GHashTable *other, const char *verb)
{
  GHashTableIter iter;
  const char *description, *name;

  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, (gpointer *) &description, (gpointer *) &name))
    if (!g_hash_table_contains (other, description))
      g_ptr_array_add (differences, strstr (description, name) != NULL
                                      ? g_strdup_printf ("%s %s", verb, description)
                                      : g_strdup_printf ("%s %s: %s", verb, description, name));
}

/* Removes GLib's threads from @now, and with each that has a main context its eventfd. */
static void
forgive_glib (Belongings *self, GHashTable *threads, GHashTable *descriptors)
{
  guint n_contexts = 0;
  GHashTableIter iter;
  const char *description, *name;

  g_hash_table_iter_init (&iter, threads);
  while (g_hash_table_iter_next (&iter, (gpointer *) &description, (gpointer *) &name))
    if (is_glib_thread (name) && !g_hash_table_contains (self->threads, description))
      {
        if (!g_str_has_prefix (name, "pool-"))
          n_contexts++;
        g_hash_table_iter_remove (&iter);
      }

  g_hash_table_iter_init (&iter, descriptors);
  while (n_contexts > 0
         && g_hash_table_iter_next (&iter, (gpointer *) &description, (gpointer *) &name))
    if (g_str_equal (name, "anon_inode:[eventfd]")
        && !g_hash_table_contains (self->descriptors, description))
      {
        n_contexts--;
        g_hash_table_iter_remove (&iter);
      }
}

static void
add_sources (GPtrArray *differences, guint first)
{
  guint end = get_next_source ();

  for (guint id = first; id < end; id++)
    {
      GSource *source = g_main_context_find_source_by_id (NULL, id);
      const char *name;

      if (source == NULL)
        continue;

      name = g_source_get_name (source);
      if (g_strcmp0 (name, BELONGINGS_UNSEEN) != 0)
        g_ptr_array_add (differences, g_strdup_printf ("left source %u: %s", id,
                                                       name != NULL ? name : "(no name)"));
    }
}

GPtrArray *
belongings_find_differences (Belongings *self)
{
  g_autoptr (GPtrArray) differences = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) threads = list_threads ();
  g_autoptr (GHashTable) descriptors = list_descriptors ();
  g_autoptr (GHashTable) children = list_children ();
  g_autoptr (GHashTable) mappings = list_mappings ();
  g_autoptr (GHashTable) files = list_files ();

  if (!self->is_strict)
    forgive_glib (self, threads, descriptors);

  add_missing (differences, descriptors, self->descriptors, "left");
  add_missing (differences, threads, self->threads, "left");
  add_missing (differences, children, self->children, "left");
  add_missing (differences, mappings, self->mappings, "left");
  add_missing (differences, files, self->files, "left");
  add_missing (differences, self->descriptors, descriptors, "closed");
  add_sources (differences, self->first_source);

  return g_steal_pointer (&differences);
}

void
belongings_tell (GPtrArray *differences)
{
  for (guint i = 0; i < differences->len; i++)
    g_test_message ("the test %s", (const char *) g_ptr_array_index (differences, i));
}

/* Before and after */

void
belongings_look (Belongings *self)
{
  /* It exists from now on, so that its descriptor is among those that were there before. */
  g_main_context_default ();

  self->descriptors = list_descriptors ();
  self->threads = list_threads ();
  self->children = list_children ();
  self->mappings = list_mappings ();
  self->files = list_files ();
  self->first_source = get_next_source ();
}

void
belongings_clear (Belongings *self)
{
  g_clear_pointer (&self->descriptors, g_hash_table_unref);
  g_clear_pointer (&self->threads, g_hash_table_unref);
  g_clear_pointer (&self->children, g_hash_table_unref);
  g_clear_pointer (&self->mappings, g_hash_table_unref);
  g_clear_pointer (&self->files, g_hash_table_unref);
}
