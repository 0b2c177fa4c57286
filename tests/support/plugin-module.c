/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A plugin: a module that has an executor, for a host that loads and unloads it. All that the
 * library calls is in here, so whatever it would call too late is not there any more.
 */

#include "plugin-module.h"

#include <dray.h>

static PluginWay way;
static DrayExecutor *executor; /* (owned) */
static GPtrArray *futures;     /* (owned) (element-type DrayFuture) */
static DrayMap *map;           /* (owned) (nullable) */
static guint n_started;
static guint n_told;
static guint n_items;
static guint n_asked;
static gboolean shut_down;

static void
item_cb (DrayFuture *future, GVariant *value, gpointer data)
{
  n_items++;
}

static void
done_cb (DrayFuture *future, gpointer data)
{
  n_told++;
}

static void
forget_cb (gpointer data)
{
  g_assert_true (data == &n_told);
}

/* Takes @future. */
static void
watch (DrayFuture *future)
{
  n_started++;
  g_signal_connect (future, "item", G_CALLBACK (item_cb), NULL);
  if (way != PLUGIN_RUNNING)
    dray_future_add_done_callback (future, done_cb, &n_told, forget_cb);
  g_ptr_array_add (futures, future);
}

static void
run_command (const char *script)
{
  const char *const argv[] = { "sh", "-c", script, NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);

  dray_task_set_split (task, DRAY_SPLIT_LINES);
  watch (dray_executor_submit (executor, task, NULL));
}

static GVariant *
next_arguments_cb (gpointer data)
{
  n_asked++;

  return g_variant_new ("(ii)", (gint32) n_asked, 1);
}

static void
forget_asked_cb (gpointer data)
{
  g_assert_true (data == &n_asked);
}

void
plugin_begin (const char *worker, PluginWay how)
{
  const char *argv[] = { worker, NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);

  way = how;
  executor = dray_executor_new (launcher);
  dray_executor_set_max_workers (executor, 3);
  g_object_set (executor, "max-undelivered-bytes", (guint64) 1024 * 1024, "grace-period", 20, NULL);
  futures = g_ptr_array_new_with_free_func (g_object_unref);

  for (int i = 0; i < 10; i++)
    watch (dray_executor_call (executor, "add", g_variant_new ("(ii)", i, 1)));
  watch (dray_executor_call (executor, "bytes", g_variant_new ("(u)", 3000000)));
  run_command ("echo line");
  watch (dray_executor_call (executor, "stream", g_variant_new ("(uu)", 50, 100000)));
  if (way == PLUGIN_DRAINED)
    return;

  map = dray_executor_map (executor, "add", next_arguments_cb, &n_asked, forget_asked_cb);
  watch (dray_executor_call (executor, "stream", g_variant_new ("(uu)", G_MAXUINT32, 100000)));
  watch (dray_executor_call (executor, "ignore-cancel", NULL));
  watch (dray_executor_call (executor, "block", NULL));
  run_command ("echo line; sleep 1000");
}

static void
shut_down_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_assert_true (dray_executor_shutdown_finish (DRAY_EXECUTOR (source), result, NULL));
  shut_down = TRUE;
}

/* In the middle of it: something was delivered, and much is left. */
static void
give_up (void)
{
  if (way == PLUGIN_KILLED)
    dray_executor_shutdown_sync (executor, DRAY_SHUTDOWN_KILL, NULL, NULL);
  else if (way == PLUGIN_CANCELLED)
    dray_executor_cancel_all (executor);
  else
    dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_DRAIN, NULL, shut_down_cb, NULL);
}

gboolean
plugin_may_end (void)
{
  static gboolean given_up;

  if (n_items < 3)
    return FALSE;
  if (way == PLUGIN_RUNNING)
    return TRUE;
  if (!given_up)
    give_up ();
  given_up = TRUE;

  return n_told == n_started && (shut_down || way != PLUGIN_DRAINED);
}

void
plugin_end (void)
{
  g_clear_object (&map);
  g_clear_pointer (&futures, g_ptr_array_unref);
  g_clear_object (&executor);
}
