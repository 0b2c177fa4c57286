/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "map-rig.h"

MapRecord *
map_record_new (guint64 n_calls, MapWhat what)
{
  MapRecord *self = g_new0 (MapRecord, 1);

  self->n_calls = n_calls;
  self->what = what;
  self->in_order = TRUE;
  self->errors = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free,
                                        (GDestroyNotify) dray_outcome_unref);

  return self;
}

void
map_record_free (MapRecord *self)
{
  g_hash_table_unref (self->errors);
  g_clear_error (&self->error);
  g_free (self);
}

static GVariant *
generate_cb (gpointer user_data)
{
  MapRecord *self = user_data;
  guint64 index = self->n_asked;

  g_assert_false (self->freed);
  if (self->n_calls > 0 && index == self->n_calls)
    return NULL;

  self->n_asked++;
  self->most_in_flight = MAX (self->most_in_flight, self->n_asked - self->n_outcomes);
  return g_variant_new ("(xss)", (gint64) index, self->what != NULL ? self->what (index) : "",
                        self->path != NULL ? self->path : "");
}

static void
note_freed_cb (gpointer user_data)
{
  MapRecord *self = user_data;

  g_assert_false (self->freed);
  self->freed = TRUE;
}

DrayMap *
map_record_start (MapRecord *record, Rig *rig)
{
  return dray_executor_map (rig->executor, "step", generate_cb, record, note_freed_cb);
}

void
map_record_take (MapRecord *self, DrayOutcome *outcome)
{
  guint64 index = dray_outcome_get_index (outcome);
  GVariant *value = dray_outcome_get_value (outcome);
  const GError *error = dray_outcome_get_error (outcome);

  g_assert_cmpuint (index, <, self->n_asked);
  g_assert_true ((value != NULL) != (error != NULL));
  if (index != self->n_outcomes)
    self->in_order = FALSE;
  self->n_outcomes++;

  if (value == NULL)
    {
      self->n_errors++;
      g_assert_true (g_hash_table_insert (self->errors, g_memdup2 (&index, sizeof index),
                                          dray_outcome_ref (outcome)));
      return;
    }

  self->n_values++;
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_INT64))
    g_assert_cmpint (g_variant_get_int64 (value), ==, (gint64) index + 1);
}

void
map_record_outcome_cb (DrayMap *map, DrayOutcome *outcome, gpointer record)
{
  map_record_take (record, outcome);
}

void
map_record_finish_cb (GObject *map, GAsyncResult *result, gpointer record)
{
  MapRecord *self = record;
  guint64 n_outcomes;

  g_assert_false (self->done);
  self->done = TRUE;
  dray_map_for_each_finish (DRAY_MAP (map), result, &n_outcomes, &self->error);
  g_assert_cmpuint (n_outcomes, ==, self->n_outcomes - self->n_before);
}

void
map_record_run (MapRecord *self, DrayMap *map)
{
  self->n_before = self->n_outcomes;
  dray_map_for_each_async (map, map_record_outcome_cb, self, NULL, NULL, map_record_finish_cb,
                           self);
  fixture_iterate_until_true (&self->done, "the end of a map");
  g_assert_cmpuint (self->n_outcomes, ==, self->n_asked);
  g_assert_true (dray_map_is_over (map));
}

void
map_record_wait (MapRecord *self, DrayMap *map)
{
  for (;;)
    {
      g_autoptr (GPtrArray) outcomes = NULL;

      outcomes = dray_map_wait_next_many (map, 100, 60 * G_TIME_SPAN_SECOND, NULL, &self->error);
      for (guint i = 0; outcomes != NULL && i < outcomes->len; i++)
        map_record_take (self, outcomes->pdata[i]);
      if (outcomes == NULL)
        break;
    }

  g_assert_cmpuint (self->n_outcomes, ==, self->n_asked);
  g_assert_true (dray_map_is_over (map));
}

void
map_record_cancel_confirmed (MapRecord *self, DrayMap *map)
{
  dray_task_set_cancel_mode (dray_map_get_task (map), DRAY_CANCEL_CONFIRMED);
  while (self->n_outcomes < MAP_N_BEFORE_CANCEL)
    {
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, NULL);

      map_record_take (self, outcome);
    }

  dray_map_cancel (map);
  map_record_run (self, map);
  g_assert_error (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

void
map_record_expect_error (MapRecord *self, guint64 index, GQuark domain, int code)
{
  DrayOutcome *outcome = g_hash_table_lookup (self->errors, &index);

  g_assert_nonnull (outcome);
  g_assert_error (dray_outcome_get_error (outcome), domain, code);
}

void
map_expect_begun_once (const char *path, guint64 n_calls)
{
  g_autofree guint8 *n_begun = g_malloc0 (n_calls);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; **line != '\0'; line++)
    {
      guint64 index = g_ascii_strtoull (*line, NULL, 10);

      g_assert_cmpuint (index, <, n_calls);
      n_begun[index]++;
    }

  for (guint64 i = 0; i < n_calls; i++)
    g_assert_cmpuint (n_begun[i], ==, 1);
}
