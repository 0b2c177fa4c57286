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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/properties/all", NULL, test_all);
  rig_add ("/properties/future", NULL, test_future);
  rig_add ("/properties/grants", NULL, test_grants);

  return g_test_run ();
}
