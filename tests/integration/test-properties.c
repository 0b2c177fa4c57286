/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

/* What builders, bindings and other languages do with objects: everything by the names of its
 * properties. */

/* --- All of them, whatever they are --- */

/* Another value than @value of what the property may have. FALSE: nothing is known of such
 * values. */
static gboolean
change (GParamSpec *property, GValue *value)
{
  if (G_IS_PARAM_SPEC_UINT (property))
    {
      GParamSpecUInt *range = G_PARAM_SPEC_UINT (property);
      const guint before = g_value_get_uint (value);

      g_value_set_uint (value, before < range->maximum ? before + 1 : before - 1);
    }
  else if (G_IS_PARAM_SPEC_UINT64 (property))
    {
      GParamSpecUInt64 *range = G_PARAM_SPEC_UINT64 (property);
      const guint64 before = g_value_get_uint64 (value);

      g_value_set_uint64 (value, before < range->maximum ? before + 1 : before - 1);
    }
  else if (G_IS_PARAM_SPEC_INT (property))
    {
      GParamSpecInt *range = G_PARAM_SPEC_INT (property);
      const int before = g_value_get_int (value);

      g_value_set_int (value, before < range->maximum ? before + 1 : before - 1);
    }
  else if (G_IS_PARAM_SPEC_BOOLEAN (property))
    g_value_set_boolean (value, !g_value_get_boolean (value));
  else if (G_IS_PARAM_SPEC_ENUM (property))
    g_value_set_enum (value, g_value_get_enum (value) == 0 ? 1 : 0);
  else if (G_IS_PARAM_SPEC_STRING (property))
    g_value_set_static_string (value, "/");
  else
    return FALSE;

  return TRUE;
}

static void
count_cb (GObject *object, GParamSpec *property, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
check_writing (GObject *object, GParamSpec *property, const GValue *before)
{
  g_auto (GValue) wanted = G_VALUE_INIT;
  g_auto (GValue) after = G_VALUE_INIT;
  g_autofree char *signal = g_strconcat ("notify::", property->name, NULL);
  guint n_notified = 0;
  gulong handler;

  g_value_init (&wanted, property->value_type);
  g_value_copy (before, &wanted);
  if (!change (property, &wanted))
    return;

  handler = g_signal_connect (object, signal, G_CALLBACK (count_cb), &n_notified);
  g_object_set_property (object, property->name, &wanted);
  g_value_init (&after, property->value_type);
  g_object_get_property (object, property->name, &after);
  if (g_param_values_cmp (property, &wanted, &after) != 0 || n_notified == 0)
    g_error ("%s::%s did not take the value", G_OBJECT_TYPE_NAME (object), property->name);

  g_object_set_property (object, property->name, before);
  g_signal_handler_disconnect (object, handler);
}

static void
check_all (gpointer object)
{
  guint n_properties;
  g_autofree GParamSpec **properties = g_object_class_list_properties (G_OBJECT_GET_CLASS (object),
                                                                       &n_properties);

  g_assert_cmpuint (n_properties, >, 0);
  for (guint i = 0; i < n_properties; i++)
    {
      g_auto (GValue) value = G_VALUE_INIT;

      if ((properties[i]->flags & G_PARAM_READABLE) == 0)
        continue;
      g_value_init (&value, properties[i]->value_type);
      g_object_get_property (object, properties[i]->name, &value);
      if ((properties[i]->flags & G_PARAM_WRITABLE) != 0
          && (properties[i]->flags & G_PARAM_CONSTRUCT_ONLY) == 0)
        check_writing (object, properties[i], &value);
    }
}

static void
test_all (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayLauncher) launcher = rig_new_launcher (NULL);
  g_autoptr (DrayMap) map = NULL;

  g_test_summary ("Each property can be read by its name; what can be written has the value that "
                  "was written, and tells of it.");

  rig_start (rig, 1);
  map = dray_executor_map_values (rig->executor, "add", NULL, 0);

  check_all (launcher);
  check_all (rig->executor);
  check_all (map);
}

static void
test_max_workers (Rig *rig, gconstpointer data)
{
  const guint most = G_MAXUINT / 4;
  guint before;

  g_test_summary ("There can be so many workers, and one more is a programmer's error.");

  rig_start (rig, 1);
  before = dray_executor_get_max_workers (rig->executor);
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, "*max_workers*");
  dray_executor_set_max_workers (rig->executor, most + 1);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (dray_executor_get_max_workers (rig->executor), ==, before);

  dray_executor_set_paused (rig->executor, TRUE);
  dray_executor_set_max_workers (rig->executor, most);
  g_assert_cmpuint (dray_executor_get_max_workers (rig->executor), ==, most);
}

/* --- What one of them says --- */

static void
test_future (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayTask) task = NULL;
  g_autofree char *status = NULL;
  DrayFutureState state;
  double progress;
  guint64 id;

  g_test_summary ("A future's properties say what its methods say.");

  rig_start (rig, 1);
  future = rig_call (rig, "block", NULL);
  rig_run_until_status (future, "blocked");
  g_object_get (future, "id", &id, "task", &task, "state", &state, "progress", &progress, "status",
                &status, NULL);
  g_assert_cmpuint (id, ==, dray_future_get_id (future));
  g_assert_true (task == dray_future_get_task (future));
  g_assert_cmpint (state, ==, DRAY_FUTURE_RUNNING);
  g_assert_cmpfloat (progress, ==, dray_future_get_progress (future));
  g_assert_cmpstr (status, ==, "blocked");

  dray_future_cancel (future);
  rig_expect_cancelled (future);
  g_object_get (future, "state", &state, NULL);
  g_assert_cmpint (state, ==, DRAY_FUTURE_CANCELLED);
}

static void
test_grants (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayLauncher) launcher = rig_new_launcher (NULL);
  g_auto (GStrv) reading = NULL;
  g_auto (GStrv) writing = NULL;

  g_test_summary ("A launcher knows what it has granted, in order; the last word on a path holds.");

  dray_launcher_grant_path (launcher, "/usr/share/themes", DRAY_ACCESS_READ);
  dray_launcher_grant_path (launcher, "/tmp/../etc", DRAY_ACCESS_READ);
  dray_launcher_grant_path (launcher, "/var/tmp", DRAY_ACCESS_READ);
  dray_launcher_grant_path (launcher, "/var/tmp", DRAY_ACCESS_READ_WRITE);
  reading = dray_launcher_dup_granted_paths (launcher, DRAY_ACCESS_READ);
  writing = dray_launcher_dup_granted_paths (launcher, DRAY_ACCESS_READ_WRITE);

  g_assert_true (g_strv_equal ((const char *const *) reading,
                               (const char *const[]){ "/etc", "/usr/share/themes", NULL }));
  g_assert_true (
    g_strv_equal ((const char *const *) writing, (const char *const[]){ "/var/tmp", NULL }));
}

/* --- Of an executor --- */

static void
delivered_cb (DrayFuture *future, gpointer order)
{
  g_string_append (order, "delivery ");
}

static gboolean
other_cb (gpointer order)
{
  g_string_append (order, "other ");
  return G_SOURCE_REMOVE;
}

static gboolean
has_both (gpointer order)
{
  return strstr (((GString *) order)->str, "delivery") != NULL
         && strstr (((GString *) order)->str, "other") != NULL;
}

/* Which comes first: the end of a command, at the priority @wanted, which is set once it was
 * submitted unless it is set already; or another source, with @other? */
static void
check_order (Rig *rig, int wanted, int other, const char *expected)
{
  g_autoptr (GString) order = g_string_new (NULL);
  g_autoptr (DrayFuture) future
    = rig_submit (rig, dray_task_new_command ((const char *const[]) { "true", NULL }));
  int before;

  g_object_get (rig->executor, "delivery-priority", &before, NULL);
  if (before != wanted)
    g_object_set (rig->executor, "delivery-priority", wanted, NULL);
  dray_future_add_done_callback (future, delivered_cb, order, NULL);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_idle_add_full (other, other_cb, order, NULL);
  fixture_iterate_until (has_both, order, "both have come");
  g_assert_cmpstr (order->str, ==, expected);
}

static void
test_delivery_priority (Rig *rig, gconstpointer data)
{
  g_test_summary ("The priority of what is handed over counts at once, also where tasks were "
                  "submitted before.");

  rig_start_without_workers (rig);
  check_order (rig, G_PRIORITY_DEFAULT_IDLE, G_PRIORITY_DEFAULT, "other delivery ");
  check_order (rig, G_PRIORITY_HIGH, G_PRIORITY_DEFAULT, "delivery other ");
  check_order (rig, G_PRIORITY_LOW, G_PRIORITY_DEFAULT_IDLE + 50, "other delivery ");
}

static void
test_first_delivery_priority (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayLauncher) launcher = rig_new_launcher (NULL);

  g_test_summary ("It can be given when the executor is made, with a sandbox that is preferred as "
                  "well, of which something is handed over later.");

  dray_launcher_set_sandbox (launcher, DRAY_SANDBOX_STRICT);
  dray_launcher_set_sandbox_need (launcher, DRAY_SANDBOX_PREFERRED);
  rig->executor = g_object_new (DRAY_TYPE_EXECUTOR, "launcher", launcher, "delivery-priority",
                                G_PRIORITY_HIGH, NULL);
  check_order (rig, G_PRIORITY_HIGH, G_PRIORITY_DEFAULT, "delivery other ");
}

/* --- What is handed over, while its priority is changed --- */

#define N_CALLS_ELSEWHERE 1000

/* Another thread, which runs a main context of its own. */

typedef struct
{
  DrayExecutor *executor; /* (unowned) */
  int n_calls;            /* atomic: that were handed over */
  int ended;              /* atomic */
} Loop;

static void
count_call_cb (DrayFuture *future, gpointer n_calls)
{
  g_atomic_int_inc ((int *) n_calls);
}

static gpointer
loop_thread (gpointer data)
{
  Loop *self = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GSource) other = g_timeout_source_new_seconds (3600);

  g_main_context_push_thread_default (context);
  g_source_set_priority (other, G_PRIORITY_LOW);
  g_source_attach (other, context);
  while (!g_atomic_int_get (&self->ended))
    {
      g_autoptr (DrayFuture) future = dray_executor_call (self->executor, "null", NULL);
      int n_before = g_atomic_int_get (&self->n_calls);

      dray_future_add_done_callback (future, count_call_cb, &self->n_calls, NULL);
      while (g_atomic_int_get (&self->n_calls) == n_before)
        g_main_context_iteration (context, TRUE);
    }
  g_main_context_pop_thread_default (context);

  g_source_destroy (other);
  return NULL;
}

static void
test_delivery_priority_elsewhere (Rig *rig, gconstpointer data)
{
  Loop loop = { 0 };
  GThread *thread;

  g_test_summary ("It may be changed while another thread iterates its main context: all that ends "
                  "is handed over there.");

  rig_start (rig, 1);
  loop.executor = rig->executor;
  thread = g_thread_new ("loop", loop_thread, &loop);
  for (int i = 0; i < N_CALLS_ELSEWHERE; i++)
    {
      while (g_atomic_int_get (&loop.n_calls) < i)
        ;
      for (int j = 0; j < i % 100 * 500; j++)
        (void) g_atomic_int_get (&loop.n_calls);
      g_object_set (rig->executor, "delivery-priority",
                    i % 2 == 0 ? G_PRIORITY_LOW : G_PRIORITY_DEFAULT_IDLE, NULL);
    }
  g_atomic_int_set (&loop.ended, TRUE);
  g_thread_join (thread);
}

static void
set_low_priority_cb (DrayFuture *future, gpointer executor)
{
  g_object_set (executor, "delivery-priority", G_PRIORITY_LOW, NULL);
  dray_executor_shutdown_async (executor, DRAY_SHUTDOWN_DRAIN, NULL, NULL, NULL);
}

static gboolean
is_shut_down (gpointer executor)
{
  return dray_executor_is_shut_down (executor);
}

static void
test_delivery_priority_inside (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  int ended = FALSE; /* atomic */
  GMainContext *context = fixture_new_mortal_context (&ended);

  g_test_summary (
    "It may be changed by what is called, which then shuts the executor down: nothing "
    "of it stays in the main context.");

  g_main_context_push_thread_default (context);
  rig_start (rig, 1);
  future = rig_call (rig, "null", NULL);
  dray_future_add_done_callback (future, set_low_priority_cb, rig->executor, NULL);
  rig_expect_text (future, "()");
  fixture_iterate_until (is_shut_down, rig->executor, "the executor is shut down");
  g_clear_object (&future);
  g_clear_object (&rig->executor);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);

  g_main_context_unref (context);
  fixture_iterate_until_context_gone (&ended);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/properties/all", NULL, test_all);
  rig_add ("/properties/max-workers", NULL, test_max_workers);
  rig_add ("/properties/future", NULL, test_future);
  rig_add ("/properties/grants", NULL, test_grants);
  rig_add ("/properties/delivery-priority", NULL, test_delivery_priority);
  rig_add ("/properties/delivery-priority/first", NULL, test_first_delivery_priority);
  rig_add ("/properties/delivery-priority/elsewhere", NULL, test_delivery_priority_elsewhere);
  rig_add ("/properties/delivery-priority/inside", NULL, test_delivery_priority_inside);

  return g_test_run ();
}
