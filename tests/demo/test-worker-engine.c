/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The demo's engine with real workers: files are handed over open, pictures come without a copy,
 * and a folder is listed only as far as somebody wants it. The workers are in their sandbox. */

#include "config.h"

#include <fcntl.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "picture.h"
#include "worker-engine.h"

typedef struct
{
  char *folder;         /* (owned) */
  DemoEngine *engine;   /* (owned) */
  GAsyncResult *result; /* (owned) (nullable): the last one */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->folder = g_dir_make_tmp ("test-worker-engine-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->engine = demo_worker_engine_new (1);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  gpointer engine = fixture->engine;

  g_clear_object (&fixture->result);
  g_object_add_weak_pointer (engine, &engine);
  g_object_unref (fixture->engine);
  while (engine != NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
}

static void
answer_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_set_object (&((Fixture *) user_data)->result, result);
}

static void
read_async (Fixture *fixture, const char *path)
{
  g_clear_object (&fixture->result);
  demo_engine_read_async (fixture->engine, path, "a file", DEMO_URGENCY_NORMAL, NULL, answer_cb,
                          fixture);
}

static gboolean
read_finish (Fixture *fixture, DemoFacts *facts, GError **error)
{
  while (fixture->result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return demo_engine_read_finish (fixture->engine, fixture->result, facts, error);
}

static guint64
get_queue_length (Fixture *fixture)
{
  DrayExecutor *executor;
  g_autoptr (DrayCounters) counters = NULL;

  executor = demo_worker_engine_get_executor (DEMO_WORKER_ENGINE (fixture->engine));
  counters = dray_executor_dup_counters (executor);
  return counters->queue_length;
}

/* Shows that what a worker reads is the file that was opened, and that it needs no path: when it
 * gets its turn, there is no file of that name any more. */
static void
test_open (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "a.txt", NULL);
  g_autoptr (GError) error = NULL;
  g_auto (DemoFacts) facts = { 0 };

  g_file_set_contents (path, "one\ntwo\n", -1, &error);
  g_assert_no_error (error);
  demo_engine_set_paused (fixture->engine, TRUE);
  read_async (fixture, path);
  while (get_queue_length (fixture) == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (g_unlink (path), ==, 0);
  demo_engine_set_paused (fixture->engine, FALSE);

  g_assert_true (read_finish (fixture, &facts, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (facts.lines, ==, 2);
  g_assert_cmpstr (facts.mime_type, ==, "text/plain");
}

/* Shows that a file which can't be opened fails with the reason, and that no worker is bothered. */
static void
test_missing (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "missing", NULL);
  DrayExecutor *executor;
  g_autoptr (DrayCounters) counters = NULL;
  g_autoptr (GError) error = NULL;
  DemoFacts facts;

  read_async (fixture, path);
  g_assert_false (read_finish (fixture, &facts, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);

  executor = demo_worker_engine_get_executor (DEMO_WORKER_ENGINE (fixture->engine));
  counters = dray_executor_dup_counters (executor);
  g_assert_cmpuint (counters->submitted, ==, 0);
}

/* Whether an address is in shared memory, which has no name in any folder. */
static gboolean
is_in_memfd (gconstpointer address)
{
  FILE *maps = fopen ("/proc/self/maps", "re");
  char line[1024];
  gboolean found = FALSE;

  g_assert_nonnull (maps);
  while (!found && fgets (line, sizeof line, maps) != NULL)
    {
      guint64 start, end;

      if (sscanf (line, "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x", &start, &end) == 2)
        found = GPOINTER_TO_SIZE (address) >= start && GPOINTER_TO_SIZE (address) < end
                && strstr (line, "/memfd:") != NULL;
    }
  fclose (maps);
  return found;
}

/* Shows that a picture is drawn from the memory in which it came from its worker: neither the
 * library nor the demo copies it. */
static void
test_picture (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "picture.png", NULL);
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, 1000, 800);
  g_autoptr (GError) error = NULL;
  g_auto (DemoFacts) facts = { 0 };
  cairo_surface_t *surface;

  gdk_pixbuf_fill (pixbuf, 0x3584e400);
  gdk_pixbuf_save (pixbuf, path, "png", &error, NULL);
  g_assert_no_error (error);
  read_async (fixture, path);
  g_assert_true (read_finish (fixture, &facts, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_unlink (path), ==, 0);

  g_assert_cmpuint (facts.width, ==, 1000);
  g_assert_true (is_in_memfd (g_bytes_get_data (facts.preview->pixels, NULL)));
  surface = demo_picture_to_surface (facts.preview);
  g_assert_true (cairo_image_surface_get_data (surface)
                 == g_bytes_get_data (facts.preview->pixels, NULL));
  g_assert_cmpint (cairo_image_surface_get_width (surface), ==, 256);
  /* It is what it was when nothing else holds it any more. */
  demo_facts_clear (&facts);
  g_assert_cmphex (*(const guint32 *) (gpointer) cairo_image_surface_get_data (surface), ==,
                   0xff3584e4);
  cairo_surface_destroy (surface);
}

/* Shows that a small picture, which comes within a message, can be drawn as well. */
static void
test_small_picture (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "picture.png", NULL);
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, 3, 2);
  g_autoptr (GError) error = NULL;
  g_auto (DemoFacts) facts = { 0 };
  cairo_surface_t *surface;

  gdk_pixbuf_fill (pixbuf, 0x3584e400);
  gdk_pixbuf_save (pixbuf, path, "png", &error, NULL);
  g_assert_no_error (error);
  read_async (fixture, path);
  g_assert_true (read_finish (fixture, &facts, &error));
  g_assert_no_error (error);
  g_assert_cmpint (g_unlink (path), ==, 0);

  surface = demo_picture_to_surface (facts.preview);
  g_assert_cmpint (cairo_surface_status (surface), ==, CAIRO_STATUS_SUCCESS);
  g_assert_cmphex (*(const guint32 *) (gpointer) cairo_image_surface_get_data (surface), ==,
                   0xff3584e4);
  cairo_surface_destroy (surface);
}

static void
compare_readings (Fixture *fixture, const char *path, const char *mime_type)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) expected = NULL;
  g_autoptr (GVariant) found = NULL;
  g_autoptr (GBytes) pixels = NULL;
  g_auto (DemoFacts) facts = { 0 };
  int fd = demo_reader_open (path, &error);

  g_assert_no_error (error);
  expected = demo_reader_read (fd, path, NULL, &pixels, &error);
  g_assert_no_error (error);
  close (fd);

  read_async (fixture, path);
  g_assert_true (read_finish (fixture, &facts, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (facts.mime_type, ==, mime_type);
  found = g_variant_ref_sink (demo_facts_to_variant (&facts));
  g_assert_cmpvariant (found, expected);
  g_assert_true ((facts.preview != NULL && facts.preview->pixels != NULL) == (pixels != NULL));
  if (pixels != NULL)
    g_assert_true (g_bytes_equal (facts.preview->pixels, pixels));
}

static const struct
{
  const char *name;
  const char *mime_type;
  const char *contents; /* (nullable): a picture, of the format that its name ends with */
} samples[] = {
  { "photograph.jpeg", "image/jpeg", NULL },
  { "picture.png", "image/png", NULL },
  { "drawing.svg", "image/svg+xml",
    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\">"
    "<circle cx=\"20\" cy=\"10\" r=\"8\" fill=\"#3584e4\"/>"
    "<text x=\"2\" y=\"14\" font-size=\"10\">dray</text></svg>" },
  { "archive.a", "application/x-archive",
    "!<arch>\nfile/           0           0     0     100644  2         `\nab" },
  { "text.txt", "text/plain", "one\ntwo, and a half\n" },
  { "page.html", "text/html", "<!DOCTYPE html>\n<title>Dray</title>\n" },
};

/* (transfer full) (nullable): why the readers could not be in a strict sandbox here, if it was
 * required. One that can does not have the function that it is asked for. */
static char *
find_obstacle (DrayLauncher *launcher)
{
  g_auto (GStrv) argv = dray_launcher_dup_argv (launcher);
  g_autoptr (DrayLauncher) required = dray_launcher_new_argv ((const char *const *) argv);
  g_autoptr (DrayExecutor) executor = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;

  dray_launcher_set_sandbox (required, DRAY_SANDBOX_STRICT);
  executor = dray_executor_new (required);
  future = dray_executor_call (executor, "nothing", NULL);
  g_assert_null (dray_future_wait_result (future, -1, NULL, &error));
  g_assert_true (dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  if (g_error_matches (error, DRAY_ERROR, DRAY_ERROR_SANDBOX))
    return g_strdup (error->message);

  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_UNKNOWN_FUNCTION);
  return NULL;
}

/* That those which have read by now were in the strict sandbox, and nothing was missing of it. */
static void
check_sandbox (Fixture *fixture)
{
  DrayExecutor *executor = demo_worker_engine_get_executor (DEMO_WORKER_ENGINE (fixture->engine));
  g_autofree char *shortfall = dray_executor_dup_sandbox_shortfall (executor);
  g_autoptr (DrayLauncher) launcher = NULL;
  g_autofree char *obstacle = NULL;

  g_object_get (executor, "launcher", &launcher, NULL);
  g_assert_cmpint (dray_launcher_get_sandbox (launcher), ==, DRAY_SANDBOX_STRICT);
  obstacle = find_obstacle (launcher);
  if (obstacle != NULL)
    g_test_skip (obstacle);
  else
    g_assert_cmpstr (shortfall, ==, NULL);
}

/* Shows that the workers are in a sandbox, and that it keeps nothing from them that they need: of
 * each kind of file, they find out what this process does, which is in none. */
static void
test_sandbox (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, 60, 40);

  gdk_pixbuf_fill (pixbuf, 0x3584e400);
  for (gsize i = 0; i < G_N_ELEMENTS (samples); i++)
    {
      g_autofree char *path = g_build_filename (fixture->folder, samples[i].name, NULL);
      g_autoptr (GError) error = NULL;

      if (samples[i].contents != NULL)
        g_file_set_contents (path, samples[i].contents, -1, &error);
      else
        gdk_pixbuf_save (pixbuf, path, strrchr (path, '.') + 1, &error, NULL);
      g_assert_no_error (error);
      compare_readings (fixture, path, samples[i].mime_type);
      g_assert_cmpint (g_unlink (path), ==, 0);
    }
  check_sandbox (fixture);
}

/* Shows that a reader which was taken over by a file can't send more than an honest one might: here
 * is one that tries. */
static void
test_hostile (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "a.txt", NULL);
  g_autofree char *hostile = g_test_build_filename (G_TEST_BUILT, "demo", NULL);
  g_autofree char *honest = g_strdup (g_getenv ("DRAY_DEMO_LIBEXECDIR"));
  G_GNUC_UNUSED g_autoptr (DemoEngine) first = fixture->engine;
  g_autoptr (GError) error = NULL;
  DemoFacts facts;

  g_file_set_contents (path, "one\n", -1, &error);
  g_assert_no_error (error);
  g_setenv ("DRAY_DEMO_LIBEXECDIR", hostile, TRUE);
  fixture->engine = demo_worker_engine_new (1);
  g_setenv ("DRAY_DEMO_LIBEXECDIR", honest, TRUE);

  read_async (fixture, path);
  g_assert_false (read_finish (fixture, &facts, &error));
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE);
  g_assert_cmpint (g_unlink (path), ==, 0);
}

static guint
count_names (GPtrArray *batches)
{
  guint n_names = 0;

  for (guint i = 0; i < batches->len; i++)
    {
      g_autoptr (GVariant) names = g_variant_get_child_value (batches->pdata[i], 1);

      n_names += (guint) g_variant_n_children (names);
    }
  return n_names;
}

/* Shows that a folder's names come as they are asked for, to the last one, and then an end. */
static void
test_names (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GObject) listing = NULL;
  guint n_files = 2000;
  guint n_names = 0;

  for (guint i = 0; i < n_files; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%u", fixture->folder, i);
      int fd = g_open (path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

      g_assert_cmpint (fd, >=, 0);
      close (fd);
    }

  listing = demo_engine_list (fixture->engine, fixture->folder, NULL);
  for (;;)
    {
      g_autoptr (GPtrArray) batches = NULL;
      g_autoptr (GError) error = NULL;

      g_clear_object (&fixture->result);
      demo_engine_next_names_async (fixture->engine, listing, answer_cb, fixture);
      while (fixture->result == NULL)
        g_main_context_iteration (NULL, TRUE);
      batches = demo_engine_next_names_finish (fixture->engine, fixture->result, &error);
      g_assert_no_error (error);
      if (batches == NULL)
        break;
      n_names += count_names (batches);
    }
  g_assert_cmpuint (n_names, ==, n_files);

  for (guint i = 0; i < n_files; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%u", fixture->folder, i);

      g_assert_cmpint (g_unlink (path), ==, 0);
    }
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);

#define ADD(name, function) \
  g_test_add ("/demo-worker-engine/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("open", test_open);
  ADD ("missing", test_missing);
  ADD ("picture", test_picture);
  ADD ("picture/small", test_small_picture);
  ADD ("sandbox", test_sandbox);
  ADD ("hostile", test_hostile);
  ADD ("names", test_names);
#undef ADD

  return g_test_run ();
}
