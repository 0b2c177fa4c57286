/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "tally.h"

/* The done callbacks of a future are gone when they were called, so they are no use for counting.
 * The state is notified each time. */
typedef struct
{
  gatomicrefcount ref_count;
  const char *function; /* (unowned): interned */
  gboolean kept;
  gint n_called;   /* atomic: the done callback */
  gint n_notified; /* atomic: the state, when it is final */
} Entry;

static void
entry_unref (gpointer data)
{
  Entry *self = data;

  if (g_atomic_ref_count_dec (&self->ref_count))
    g_free (self);
}

static Entry *
entry_ref (Entry *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

static void
entry_unref_closure (gpointer data, GClosure *closure)
{
  entry_unref (data);
}

static void
done_cb (DrayFuture *future, gpointer user_data)
{
  Entry *entry = user_data;

  g_assert_true (dray_future_is_done (future));
  g_atomic_int_inc (&entry->n_called);
}

static void
state_cb (DrayFuture *future, GParamSpec *pspec, gpointer user_data)
{
  Entry *entry = user_data;

  if (dray_future_is_done (future))
    g_atomic_int_inc (&entry->n_notified);
}

static gboolean
has_default_context (void)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  return context == g_main_context_default ();
}

void
tally_add (Tally *self, DrayFuture *future, gboolean keep)
{
  DrayTask *task = dray_future_get_task (future);
  const char *function = task != NULL ? dray_task_get_function (task) : "(combined)";
  Entry *entry = g_new0 (Entry, 1);

  g_atomic_ref_count_init (&entry->ref_count);
  entry->function = g_intern_string (function != NULL ? function : "(command)");
  entry->kept = keep && has_default_context ();

  g_mutex_lock (&self->lock);
  if (self->entries == NULL)
    self->entries = g_ptr_array_new_with_free_func (entry_unref);
  g_ptr_array_add (self->entries, entry);
  g_mutex_unlock (&self->lock);

  g_signal_connect_data (future, "notify::state", G_CALLBACK (state_cb), entry_ref (entry),
                         entry_unref_closure, 0);
  if (entry->kept)
    dray_future_add_done_callback (future, done_cb, entry_ref (entry), entry_unref);
}

static gboolean
was_told (gpointer user_data)
{
  Entry *entry = user_data;

  return !entry->kept || g_atomic_int_get (&entry->n_called) > 0;
}

void
tally_run_until_told (Tally *self)
{
  for (guint i = 0; self->entries != NULL && i < self->entries->len; i++)
    {
      Entry *entry = self->entries->pdata[i];
      g_autofree char *what = g_strdup_printf ("future %u is told that “%s” has ended", i + 1,
                                               entry->function);

      if (!was_told (entry))
        fixture_iterate_until (was_told, entry, what);
    }
}

void
tally_clear (Tally *self)
{
  for (guint i = 0; self->entries != NULL && i < self->entries->len; i++)
    {
      Entry *entry = self->entries->pdata[i];
      gint n_called = g_atomic_int_get (&entry->n_called);
      gint n_notified = g_atomic_int_get (&entry->n_notified);

      if (n_called != (entry->kept ? 1 : 0) || n_notified > 1)
        g_test_fail_printf ("future %u was told %d times, and by its state %d times, that “%s” has "
                            "ended",
                            i + 1, n_called, n_notified, entry->function);
    }

  g_clear_pointer (&self->entries, g_ptr_array_unref);
  g_mutex_clear (&self->lock);
}
