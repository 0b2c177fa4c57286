/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * What a process holds is read from /proc. Things go away a little after the call that lets them
 * go: a joined thread is still listed for a moment, and a worker is reaped by the I/O thread. So
 * the teardown gives them time, and says what is left only at the end of it.
 *
 * Children are found by looking at every process for its parent: the list in
 * /proc/self/task/…/children may skip some while others come and go.
 */

/* How often a condition is looked at that nothing wakes the main context for. */
#define POLL_INTERVAL_MS 5

/* Generous: the machine may be slow and busy. DRAY_TEST_TIME_FACTOR makes it more so. */
#define DEADLINE_SECONDS 20

/*
 * The folder for temporary files is the program's own, so that any that was left there is found. It
 * is made before main(), for GLib asks for its name only once. All processes that the program
 * starts share it, such as hosts that are killed before they can clean up anything.
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

gint64
fixture_get_time_factor (void)
{
  const char *factor = g_getenv ("DRAY_TEST_TIME_FACTOR");

  return factor != NULL ? MAX (atoi (factor), 1) : 1;
}

gint64
fixture_get_deadline (void)
{
  return g_get_monotonic_time () + DEADLINE_SECONDS * fixture_get_time_factor () * G_USEC_PER_SEC;
}

/* Waiting */

static gboolean
keep_ticking_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

static gboolean
iterate_until (FixtureCondition condition, gpointer user_data)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  g_autoptr (GSource) ticker = g_timeout_source_new (POLL_INTERVAL_MS);
  gint64 deadline = fixture_get_deadline ();
  gboolean holds;

  /* On a busy machine a condition takes longer than the interval, so that the ticker is always due.
   * It must not keep anything else from being dispatched. */
  g_source_set_priority (ticker, G_MAXINT);
  g_source_set_callback (ticker, keep_ticking_cb, NULL, NULL);
  g_source_set_static_name (ticker, "fixture");
  g_source_attach (ticker, context);

  while (!(holds = condition (user_data)) && g_get_monotonic_time () < deadline)
    g_main_context_iteration (context, TRUE);

  g_source_destroy (ticker);

  return holds;
}

void
fixture_iterate_until (FixtureCondition condition, gpointer user_data, const char *what)
{
  if (!iterate_until (condition, user_data))
    g_error ("waited in vain until %s", what);
}

static gboolean
is_true (gpointer user_data)
{
  const gboolean *flag = user_data;

  return *flag;
}

void
fixture_iterate_until_true (const gboolean *flag, const char *what)
{
  fixture_iterate_until (is_true, (gpointer) flag, what);
}

gboolean
fixture_is_gone (gpointer pid)
{
  return fixture_process_is_gone (GPOINTER_TO_INT (pid));
}

void
fixture_iterate_until_gone (int pid)
{
  g_autofree char *what = g_strdup_printf ("process %d is gone", pid);

  fixture_iterate_until (fixture_is_gone, GINT_TO_POINTER (pid), what);
}

static void
future_done_cb (DrayFuture *future, gpointer user_data)
{
  gboolean *done = user_data;

  *done = TRUE;
}

void
fixture_run_until_done (DrayFuture *future)
{
  gboolean done = FALSE;

  dray_future_add_done_callback (future, future_done_cb, &done, NULL);
  fixture_iterate_until_true (&done, "the future is done");
}

gboolean
fixture_has_status (gpointer user_data)
{
  const FixtureStatus *wanted = user_data;
  g_autofree char *status = dray_future_dup_status (wanted->future);

  return g_strcmp0 (status, wanted->status) == 0;
}

/* Main contexts */

static gboolean
never_cb (gpointer user_data)
{
  g_assert_not_reached ();
}

static void
note_gone_cb (gpointer user_data)
{
  g_atomic_int_set ((int *) user_data, TRUE);
}

static gboolean
is_context_gone (gpointer user_data)
{
  return g_atomic_int_get ((const int *) user_data);
}

/* A source of its own, whose data goes with it: the last thing that a main context has. */
GMainContext *
fixture_new_mortal_context (int *gone)
{
  GMainContext *context = g_main_context_new ();
  g_autoptr (GSource) source = g_timeout_source_new_seconds (3600);

  g_source_set_callback (source, never_cb, gone, note_gone_cb);
  g_source_attach (source, context);
  return context;
}

void
fixture_iterate_until_context_gone (const int *gone)
{
  fixture_iterate_until (is_context_gone, (gpointer) gone, "the main context is gone");
}

/* Looking */

gsize
fixture_get_resident (void)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  return strtoul (strchr (text, ' '), NULL, 10) * (gsize) sysconf (_SC_PAGESIZE);
}

/* Finds the state and the parent of a process; its name may hold spaces and parentheses. */
static gboolean
read_process (const char *pid, char *state, int *parent, char **name)
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

gboolean
fixture_process_is_gone (int pid)
{
  g_autofree char *pid_text = g_strdup_printf ("%d", pid);
  char state;
  int parent;

  return !read_process (pid_text, &state, &parent, NULL) || state == 'Z' || state == 'X';
}

static gboolean
is_in_state (int pid, char wanted)
{
  g_autofree char *pid_text = g_strdup_printf ("%d", pid);
  char state;
  int parent;

  return read_process (pid_text, &state, &parent, NULL) && state == wanted;
}

gboolean
fixture_is_asleep (gpointer pid)
{
  return is_in_state (GPOINTER_TO_INT (pid), 'S');
}

gboolean
fixture_is_stopped (gpointer pid)
{
  return is_in_state (GPOINTER_TO_INT (pid), 'T');
}

gboolean
fixture_has_given_out_all (gpointer executor)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (executor);

  return counters->queue_length == 0;
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
          g_hash_table_insert (table, g_strdup_printf ("thread %s: %s", tid, name),
                               g_strdup (name));
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

      if (g_ascii_isdigit (pid[0]) && read_process (pid, &state, &parent, &name)
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
  const char *description;

  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, (gpointer *) &description, NULL))
    if (!g_hash_table_contains (other, description))
      g_ptr_array_add (differences, g_strdup_printf ("%s %s", verb, description));
}

/* Removes GLib's threads from @now, and with each that has a main context its eventfd. */
static void
forgive_glib (Fixture *self, GHashTable *threads, GHashTable *descriptors)
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
      if (g_strcmp0 (name, "fixture") != 0)
        g_ptr_array_add (differences, g_strdup_printf ("left source %u: %s", id,
                                                       name != NULL ? name : "(no name)"));
    }
}

/* (transfer full): what is different from how it was at set_up(), in words. */
static GPtrArray *
find_differences (Fixture *self)
{
  g_autoptr (GPtrArray) differences = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) threads = list_threads ();
  g_autoptr (GHashTable) descriptors = list_descriptors ();
  g_autoptr (GHashTable) children = list_children ();
  g_autoptr (GHashTable) mappings = list_mappings ();
  g_autoptr (GHashTable) files = list_files ();

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

static gboolean
is_settled (gpointer user_data)
{
  g_autoptr (GPtrArray) differences = find_differences (user_data);

  return differences->len == 0;
}

gboolean
fixture_settle (Fixture *self)
{
  g_autoptr (GPtrArray) differences = NULL;

  if (iterate_until (is_settled, self))
    return TRUE;

  differences = find_differences (self);
  for (guint i = 0; i < differences->len; i++)
    g_test_message ("the test %s", (const char *) g_ptr_array_index (differences, i));

  return FALSE;
}

void
fixture_set_up (Fixture *self, gconstpointer data)
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
fixture_tear_down (Fixture *self, gconstpointer data)
{
  if (!fixture_settle (self))
    g_test_fail_printf ("the test left something behind");

  g_clear_pointer (&self->descriptors, g_hash_table_unref);
  g_clear_pointer (&self->threads, g_hash_table_unref);
  g_clear_pointer (&self->children, g_hash_table_unref);
  g_clear_pointer (&self->mappings, g_hash_table_unref);
  g_clear_pointer (&self->files, g_hash_table_unref);
}

/* Programs */

char *
fixture_dup_program (const char *name)
{
  return g_test_build_filename (G_TEST_BUILT, name, NULL);
}

char *
fixture_dup_misbehaving_worker (void)
{
  return fixture_dup_program ("misbehaving-worker");
}
