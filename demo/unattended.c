/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "unattended.h"

#include <glib/gi18n.h>

#include "executioner.h"

/* ms between two looks at whether all is on the screen; how often in a row it must be, since parts
 * of the window are brought up to date now and then only; and how often it looks before it takes
 * the picture anyway. */
#define INTERVAL 50
#define QUIET_LOOKS 8
#define MAX_LOOKS 100

struct _DemoUnattended
{
  DemoWindow *window; /* (owned) */
  char *screenshot;   /* (owned) */
  guint n_kills;
  DemoExecutioner *executioner; /* (owned) */
  DemoUnattendedFunc done;
  gpointer user_data;

  guint look_id;
  guint n_looks;
  guint n_quiet_looks; /* in a row */
  gboolean has_selected;
};

/* A label and a number, in two columns. */
static void
print_line (const char *label, const char *value)
{
  glong width = 0;

  /* In columns of a terminal, of which a Chinese or Japanese character takes two. */
  for (const char *p = label; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar character = g_utf8_get_char (p);

      if (!g_unichar_iszerowidth (character))
        width += g_unichar_iswide (character) ? 2 : 1;
    }

  g_print ("%s%*s  %s\n", label, (int) MAX (0, 34 - width), "", value);
}

static void
print_count (const char *label, guint64 count)
{
  g_autofree char *value = g_strdup_printf ("%8" G_GUINT64_FORMAT, count);

  print_line (label, value);
}

static void
print_measure (const char *label, double measure)
{
  g_autofree char *value = g_strdup_printf ("%10.1f", measure);

  print_line (label, value);
}

static int
compare_reasons (gconstpointer a, gconstpointer b)
{
  return g_utf8_collate (a, b);
}

static void
print_reasons (DemoLoader *loader)
{
  GHashTable *reasons = demo_loader_get_reasons (loader);
  g_autoptr (GList) names = g_list_sort (g_hash_table_get_keys (reasons), compare_reasons);

  for (GList *l = names; l != NULL; l = l->next)
    {
      g_autofree char *label = g_strdup_printf ("    %s", (const char *) l->data);

      print_count (label, GPOINTER_TO_UINT (g_hash_table_lookup (reasons, l->data)));
    }
}

static void
print_summary (DemoUnattended *self, const DrayCounters *counters)
{
  DemoLoader *loader = demo_window_get_loader (self->window);
  double seconds = demo_loader_get_seconds (loader);
  guint n_done = demo_loader_get_n_read (loader) + demo_loader_get_n_failed (loader);

  print_count (_ ("found"), demo_loader_get_n_found (loader));
  print_count (_ ("loaded"), demo_loader_get_n_read (loader));
  print_count (_ ("failed"), demo_loader_get_n_failed (loader));
  print_reasons (loader);
  print_measure (_ ("seconds"), seconds);
  print_measure (_ ("files per second"), seconds > 0 ? n_done / seconds : 0);
  print_measure (_ ("worst main-loop delay (ms)"), demo_window_get_worst_delay (self->window));
  print_count (_ ("workers started"), counters->workers_started);
  print_count (_ ("workers died"), counters->workers_died);
  if (self->n_kills > 0)
    print_count (_ ("workers killed"), demo_executioner_get_n_killed (self->executioner));
}

static gboolean
complain (const char *message)
{
  g_printerr ("%s: %s\n", g_get_prgname (), message);
  return FALSE;
}

/* Says what is not as it should be. */
static gboolean
check (DemoUnattended *self, const DrayCounters *counters)
{
  DemoLoader *loader = demo_window_get_loader (self->window);
  guint n_killed = demo_executioner_get_n_killed (self->executioner);
  guint n_read = demo_loader_get_n_read (loader);
  guint n_failed = demo_loader_get_n_failed (loader);
  gboolean is_well = TRUE;

  if (demo_loader_get_error (loader) != NULL)
    is_well = complain (demo_loader_get_error (loader)->message);
  if (demo_loader_get_state (loader) != DEMO_LOADER_DONE)
    is_well = complain (_ ("The folder was not loaded to its end."));
  if (demo_loader_get_n_found (loader) != n_read + n_failed)
    is_well = complain (_ ("Files were lost: found is not loaded and failed together."));
  if (!gtk_widget_get_mapped (GTK_WIDGET (self->window))
      || demo_window_get_n_drawn (self->window) == 0)
    is_well = complain (_ ("The window did not come up."));
  if (n_killed < self->n_kills)
    is_well = complain (_ ("The loading ended before all workers were killed that should be."));
  if (demo_loader_get_n_lost (loader) > counters->workers_died)
    is_well = complain (_ ("More files were lost than workers died."));
  return is_well;
}

/* A picture of what is on the screen, or where that can't be had, of what the window would draw. */
static gboolean
save_screenshot (DemoUnattended *self)
{
  GtkWidget *widget = GTK_WIDGET (self->window);
  GdkWindow *window = gtk_widget_get_window (widget);
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  g_autoptr (GError) error = NULL;
  int width = gtk_widget_get_allocated_width (widget);
  int height = gtk_widget_get_allocated_height (widget);

  if (window != NULL)
    pixbuf = gdk_pixbuf_get_from_window (window, 0, 0, width, height);
  if (pixbuf == NULL)
    {
      cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, width, height);
      cairo_t *cr = cairo_create (surface);

      gtk_widget_draw (widget, cr);
      cairo_destroy (cr);
      pixbuf = gdk_pixbuf_get_from_surface (surface, 0, 0, width, height);
      cairo_surface_destroy (surface);
    }
  if (pixbuf == NULL)
    return complain (_ ("No picture of the window could be taken."));
  if (!gdk_pixbuf_save (pixbuf, self->screenshot, "png", &error, NULL))
    return complain (error->message);
  return TRUE;
}

static void
conclude (DemoUnattended *self)
{
  DrayExecutor *executor;
  g_autoptr (DrayCounters) counters = NULL;
  gboolean is_well;

  executor = demo_worker_engine_get_executor (demo_window_get_worker_engine (self->window));
  counters = dray_executor_dup_counters (executor);
  print_summary (self, counters);
  is_well = check (self, counters);
  is_well = save_screenshot (self) && is_well;
  self->done (is_well ? 0 : 1, self->user_data);
}

/* The picture is to show a file in detail. */
static void
select_first (DemoUnattended *self)
{
  DemoFileStore *store = demo_loader_get_store (demo_window_get_loader (self->window));
  DemoFilesPage *page = demo_window_get_files_page (self->window);

  self->has_selected = TRUE;
  if (demo_file_store_get_n_files (store) > 0)
    demo_file_view_select (demo_files_page_get_file_view (page), 0);
}

/* The last rows, a preview, and a frame that shows them may still be to come. */
static gboolean
look_cb (gpointer user_data)
{
  DemoUnattended *self = user_data;
  gboolean is_settled = demo_files_page_is_settled (demo_window_get_files_page (self->window));

  self->n_looks++;
  self->n_quiet_looks = is_settled ? self->n_quiet_looks + 1 : 0;
  if (is_settled && !self->has_selected)
    {
      select_first (self);
      self->n_quiet_looks = 0;
    }
  if (self->n_quiet_looks < QUIET_LOOKS && self->n_looks < MAX_LOOKS)
    return G_SOURCE_CONTINUE;

  self->look_id = 0;
  conclude (self);
  return G_SOURCE_REMOVE;
}

static void
load_finished_cb (DemoUnattended *self)
{
  self->look_id = g_timeout_add (INTERVAL, look_cb, self);
}

DemoUnattended *
demo_unattended_new (DemoWindow *window,
                     const char *screenshot,
                     guint n_kills,
                     DemoUnattendedFunc done,
                     gpointer user_data)
{
  DemoUnattended *self = g_new0 (DemoUnattended, 1);

  self->window = g_object_ref (window);
  self->screenshot = g_strdup (screenshot);
  self->n_kills = n_kills;
  self->executioner = demo_executioner_new (window, n_kills);
  self->done = done;
  self->user_data = user_data;
  g_signal_connect_swapped (window, "load-finished", G_CALLBACK (load_finished_cb), self);
  return self;
}

void
demo_unattended_free (DemoUnattended *self)
{
  g_clear_handle_id (&self->look_id, g_source_remove);
  g_clear_pointer (&self->executioner, demo_executioner_free);
  g_signal_handlers_disconnect_by_data (self->window, self);
  g_clear_object (&self->window);
  g_free (self->screenshot);
  g_free (self);
}
