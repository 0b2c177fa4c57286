/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The demo's loader: what it asks an engine for, and when, whatever the engine and the user do. The
 * engine here does nothing by itself: the test says which file is read next. */

#include "config.h"

#include <string.h>

#include "describe.h"
#include "loader.h"

#define WINDOW 16
#define BATCH 1000

/* The engine */

#define TYPE_PUPPET_ENGINE (puppet_engine_get_type ())
G_DECLARE_FINAL_TYPE (PuppetEngine, puppet_engine, PUPPET, ENGINE, GObject)

struct _PuppetEngine
{
  GObject parent_instance;

  guint window;
  guint n_names; /* that there are */
  guint n_told;
  guint n_asked;   /* files */
  GQueue reads;    /* of (owned) GTask, in the order in which they were asked for */
  GVariant *facts; /* (owned): what it finds out about each file that can be read */
};

/* One file, as the engine sees it. */
typedef struct
{
  guint index;
  DemoUrgency urgency;
} Read;

static void engine_init (DemoEngineInterface *iface);

G_DEFINE_TYPE_WITH_CODE (PuppetEngine,
                         puppet_engine,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (DEMO_TYPE_ENGINE, engine_init))

static guint
get_window (DemoEngine *engine)
{
  return PUPPET_ENGINE (engine)->window;
}

static void
set_paused (DemoEngine *engine, gboolean paused)
{
}

static GObject *
list (DemoEngine *engine, const char *path, GCancellable *cancellable)
{
  return g_object_new (G_TYPE_OBJECT, NULL);
}

static void
next_names_async (DemoEngine *engine,
                  GObject *listing,
                  GAsyncReadyCallback callback,
                  gpointer user_data)
{
  PuppetEngine *self = PUPPET_ENGINE (engine);
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, user_data);
  GPtrArray *batches = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  guint first = self->n_told;
  GVariantBuilder names;

  if (first == self->n_names)
    {
      g_ptr_array_unref (batches);
      g_task_return_pointer (task, NULL, NULL);
      return;
    }
  g_variant_builder_init (&names, G_VARIANT_TYPE ("a(ays)"));
  for (; self->n_told < MIN (first + BATCH, self->n_names); self->n_told++)
    {
      g_autofree char *name = g_strdup_printf ("%u", self->n_told);

      g_variant_builder_add (&names, "(^ays)", name, "");
    }
  g_ptr_array_add (batches,
                   g_variant_ref_sink (g_variant_new ("(ta(ays))", (guint64) first, &names)));
  g_task_return_pointer (task, batches, (GDestroyNotify) g_ptr_array_unref);
}

static GPtrArray *
next_names_finish (DemoEngine *engine, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static gpointer
read_async (DemoEngine *engine,
            const char *path,
            const char *label,
            DemoUrgency urgency,
            GCancellable *cancellable,
            GAsyncReadyCallback callback,
            gpointer user_data)
{
  PuppetEngine *self = PUPPET_ENGINE (engine);
  GTask *task = g_task_new (self, cancellable, callback, user_data);
  Read *read = g_new0 (Read, 1);

  read->index = (guint) g_ascii_strtoull (label, NULL, 10);
  read->urgency = urgency;
  g_task_set_task_data (task, read, g_free);
  g_queue_push_tail (&self->reads, task);
  self->n_asked++;
  return task;
}

static void
set_urgency (DemoEngine *engine, gpointer task, DemoUrgency urgency)
{
  Read *read = g_task_get_task_data (task);

  /* The loader says nothing twice. */
  g_assert_cmpint (read->urgency, !=, urgency);
  read->urgency = urgency;
}

static GVariant *
read_finish (DemoEngine *engine, GAsyncResult *result, GBytes **pixels, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
engine_init (DemoEngineInterface *iface)
{
  iface->get_window = get_window;
  iface->set_paused = set_paused;
  iface->list = list;
  iface->next_names_async = next_names_async;
  iface->next_names_finish = next_names_finish;
  iface->read_async = read_async;
  iface->set_urgency = set_urgency;
  iface->read_finish = read_finish;
}

static void
puppet_engine_finalize (GObject *object)
{
  g_variant_unref (PUPPET_ENGINE (object)->facts);

  G_OBJECT_CLASS (puppet_engine_parent_class)->finalize (object);
}

static void
puppet_engine_class_init (PuppetEngineClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = puppet_engine_finalize;
}

static void
puppet_engine_init (PuppetEngine *self)
{
  DemoFacts facts
    = { .mime_type = (char *) "a/a", .description = (char *) "An A", .kind = DEMO_KIND_OTHER };

  self->window = WINDOW;
  self->facts = g_variant_ref_sink (demo_facts_to_variant (&facts));
  g_queue_init (&self->reads);
}

/* Reads the file that was asked for as the @number-th of those that are not read; a seventh of them
 * fail. */
static void
do_read (PuppetEngine *self, guint number)
{
  g_autoptr (GTask) task = g_queue_pop_nth (&self->reads, number);
  Read *read = g_task_get_task_data (task);

  if (read->index % 7 == 0)
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "gone");
  else
    g_task_return_pointer (task, g_variant_ref (self->facts), (GDestroyNotify) g_variant_unref);
}

/* Tests */

typedef struct
{
  PuppetEngine *engine; /* (owned) */
  DemoLoader *loader;   /* (owned) */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->engine = g_object_new (TYPE_PUPPET_ENGINE, NULL);
  fixture->loader = demo_loader_new ("/nowhere", DEMO_ENGINE (fixture->engine));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  gpointer engine = fixture->engine;
  gpointer loader = fixture->loader;

  g_assert_true (g_queue_is_empty (&fixture->engine->reads));
  g_object_add_weak_pointer (loader, &loader);
  g_object_add_weak_pointer (engine, &engine);
  g_object_unref (fixture->loader);
  g_object_unref (fixture->engine);
  g_assert_null (loader);
  g_assert_null (engine);
}

static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static gboolean
is_wanted (const guint32 *wanted, guint n_wanted, guint32 index)
{
  for (guint i = 0; i < n_wanted; i++)
    {
      if (wanted[i] == index)
        return TRUE;
    }
  return FALSE;
}

/* Checks what must hold at every moment, given what was last said to be wanted. */
static void
check (Fixture *fixture, const guint32 *wanted, guint n_wanted)
{
  DemoFileStore *store = demo_loader_get_store (fixture->loader);
  guint n_running = demo_loader_get_n_running (fixture->loader);

  g_assert_cmpuint (n_running, ==, fixture->engine->reads.length);
  g_assert_cmpuint (n_running, <=, WINDOW + DEMO_MAX_WANTED);
  for (GList *l = fixture->engine->reads.head; l != NULL; l = l->next)
    {
      Read *read = g_task_get_task_data (l->data);

      g_assert_cmpint (demo_file_store_get_file (store, read->index)->state, ==, DEMO_FILE_ASKED);
      g_assert_cmpint (read->urgency, ==,
                       is_wanted (wanted, n_wanted, read->index) ? DEMO_URGENCY_VISIBLE
                                                                 : DEMO_URGENCY_NORMAL);
    }
  /* Nothing that is wanted waits while there is room for it. */
  for (guint i = 0; i < n_wanted && n_running < WINDOW + DEMO_MAX_WANTED; i++)
    g_assert_cmpint (demo_file_store_get_file (store, wanted[i])->state, !=, DEMO_FILE_FOUND);
}

static void
check_done (Fixture *fixture, guint n_files)
{
  g_assert_cmpint (demo_loader_get_state (fixture->loader), ==, DEMO_LOADER_DONE);
  g_assert_cmpuint (demo_loader_get_n_found (fixture->loader), ==, n_files);
  g_assert_cmpuint (demo_loader_get_n_failed (fixture->loader), ==, (n_files + 6) / 7);
  g_assert_cmpuint (demo_loader_get_n_read (fixture->loader), ==, n_files - (n_files + 6) / 7);
  g_assert_cmpuint (fixture->engine->n_asked, ==, n_files);
}

/* Shows that a folder of any size is listed only so far ahead, that of what was found only so much
 * is asked for, and that it is read to its end all the same. */
static void
test_bounded (Fixture *fixture, gconstpointer data)
{
  guint n_names = 150 * 1000;
  guint n_at_rest;

  fixture->engine->window = 1000;
  fixture->engine->n_names = n_names;
  demo_loader_start (fixture->loader);
  settle ();
  n_at_rest = fixture->engine->n_told;
  g_assert_cmpuint (n_at_rest, <, n_names);
  g_assert_true (demo_loader_is_listing (fixture->loader));

  while (!g_queue_is_empty (&fixture->engine->reads))
    {
      g_assert_cmpuint (fixture->engine->reads.length, <=, fixture->engine->window);
      while (!g_queue_is_empty (&fixture->engine->reads))
        do_read (fixture->engine, 0);
      settle ();
      g_assert_cmpuint (fixture->engine->n_told
                          - demo_file_store_get_n_done (demo_loader_get_store (fixture->loader)),
                        <, n_at_rest + BATCH);
    }
  check_done (fixture, n_names);
}

/* Shows that what is wanted is asked for at once and is urgent, that what is not wanted any more is
 * not urgent any more, that the number of both is bounded, and that each file is asked for once:
 * with files wanted and read in any order. */
static void
test_wanted (Fixture *fixture, gconstpointer data)
{
  guint32 wanted[2 * DEMO_MAX_WANTED];
  guint n_wanted = 0;
  guint n_names = 5000;

  fixture->engine->n_names = n_names;
  demo_loader_start (fixture->loader);
  settle ();
  while (demo_loader_is_active (fixture->loader))
    {
      guint n_reads = fixture->engine->reads.length;

      if (g_test_rand_int_range (0, 4) == 0)
        {
          guint first = (guint) g_test_rand_int_range (0, (int) n_names);
          guint n_rows = (guint) g_test_rand_int_range (0, 60);

          n_wanted = MIN (n_rows, n_names - first);
          for (guint i = 0; i < n_wanted; i++)
            wanted[i] = first + i;
          demo_loader_set_wanted (fixture->loader, wanted, n_wanted);
        }
      else if (n_reads > 0)
        do_read (fixture->engine, (guint) g_test_rand_int_range (0, (int) n_reads));

      /* Sometimes much happens before anybody notices. */
      if (g_test_rand_int_range (0, 3) == 0)
        {
          settle ();
          check (fixture, wanted, n_wanted);
        }
    }
  settle ();
  check_done (fixture, n_names);
}

/* Shows that more than can be seen is not wanted, and that who says something twice is
 * understood. */
static void
test_too_many_wanted (Fixture *fixture, gconstpointer data)
{
  guint32 wanted[4 * DEMO_MAX_WANTED];

  fixture->engine->n_names = 1000;
  demo_loader_start (fixture->loader);
  settle ();
  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
    wanted[i] = 999 - i / 2;
  demo_loader_set_wanted (fixture->loader, wanted, G_N_ELEMENTS (wanted));
  g_assert_cmpuint (fixture->engine->reads.length, ==, WINDOW + DEMO_MAX_WANTED / 2);
  check (fixture, wanted, DEMO_MAX_WANTED);

  /* What was scrolled past takes all places: the next one that is done makes room. */
  for (guint i = 0; i < DEMO_MAX_WANTED; i++)
    wanted[i] = 300 + i;
  demo_loader_set_wanted (fixture->loader, wanted, DEMO_MAX_WANTED);
  g_assert_cmpuint (fixture->engine->reads.length, ==, WINDOW + DEMO_MAX_WANTED);
  check (fixture, wanted, DEMO_MAX_WANTED);
  for (guint i = 0; i < DEMO_MAX_WANTED / 2; i++)
    {
      do_read (fixture->engine, 0);
      settle ();
      g_assert_cmpuint (fixture->engine->reads.length, ==, WINDOW + DEMO_MAX_WANTED);
      check (fixture, wanted, DEMO_MAX_WANTED);
    }
  g_assert_cmpint (
    demo_file_store_get_file (demo_loader_get_store (fixture->loader), wanted[DEMO_MAX_WANTED - 1])
      ->state,
    ==, DEMO_FILE_ASKED);

  while (!g_queue_is_empty (&fixture->engine->reads))
    {
      do_read (fixture->engine, 0);
      settle ();
    }
  check_done (fixture, 1000);
}

/* Shows that a load which is stopped asks for nothing more, whatever is wanted then. */
static void
test_cancelled (Fixture *fixture, gconstpointer data)
{
  static const guint32 wanted[] = { 500, 3, 501 };

  fixture->engine->n_names = 1000;
  demo_loader_start (fixture->loader);
  settle ();
  do_read (fixture->engine, 5);
  settle ();
  demo_loader_set_wanted (fixture->loader, wanted, 2);
  demo_loader_cancel (fixture->loader);
  demo_loader_set_wanted (fixture->loader, wanted, 3);
  demo_loader_set_wanted (fixture->loader, wanted, 1);
  while (!g_queue_is_empty (&fixture->engine->reads))
    do_read (fixture->engine, 0);
  settle ();
  demo_loader_set_wanted (fixture->loader, wanted, 3);
  settle ();

  g_assert_cmpint (demo_loader_get_state (fixture->loader), ==, DEMO_LOADER_CANCELLED);
  g_assert_cmpuint (demo_file_store_get_n_done (demo_loader_get_store (fixture->loader)), ==, 1);
  g_assert_cmpuint (demo_loader_get_n_running (fixture->loader), ==, 0);
}

/* Shows that of a long story why a file could not be read, a whole number of characters is kept. */
static void
test_long_problem (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) story = g_string_new (NULL);
  g_autoptr (GTask) task = NULL;
  const DemoFile *file;

  while (story->len < 64 * 1024)
    g_string_append (story, "ééé");
  fixture->engine->n_names = 1;
  demo_loader_start (fixture->loader);
  settle ();
  task = g_queue_pop_head (&fixture->engine->reads);
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", story->str);
  settle ();

  file = demo_file_store_get_file (demo_loader_get_store (fixture->loader), 0);
  g_assert_cmpuint (strlen (file->facts.failed.problem), <=, DEMO_MAX_PROBLEM);
  g_assert_cmpuint (strlen (file->facts.failed.problem), >, DEMO_MAX_PROBLEM - 3);
  g_assert_true (g_utf8_validate (file->facts.failed.problem, -1, NULL));
  g_assert_true (g_str_has_suffix (file->facts.failed.problem, "é…"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, function) \
  g_test_add ("/demo-loader/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("bounded", test_bounded);
  ADD ("wanted", test_wanted);
  ADD ("wanted/too-many", test_too_many_wanted);
  ADD ("cancelled", test_cancelled);
  ADD ("long-problem", test_long_problem);
#undef ADD

  return g_test_run ();
}
