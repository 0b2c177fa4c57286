/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Things go away a little after the call that lets them go. So the teardown gives them time, and
 * says what is left only at the end of it.
 */

/* How often a condition is looked at that nothing wakes the main context for. */
#define POLL_INTERVAL_MS 5

/* Generous: the machine may be slow and busy. DRAY_TEST_TIME_FACTOR makes it more so. */
#define DEADLINE_SECONDS 20

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
  g_source_set_static_name (ticker, BELONGINGS_UNSEEN);
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

gboolean
fixture_process_is_gone (int pid)
{
  g_autofree char *pid_text = g_strdup_printf ("%d", pid);
  char state;
  int parent;

  return !belongings_read_process (pid_text, &state, &parent, NULL) || state == 'Z' || state == 'X';
}

static gboolean
is_in_state (int pid, char wanted)
{
  g_autofree char *pid_text = g_strdup_printf ("%d", pid);
  char state;
  int parent;

  return belongings_read_process (pid_text, &state, &parent, NULL) && state == wanted;
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

/* What the test leaves */

static gboolean
is_settled (gpointer user_data)
{
  Fixture *self = user_data;
  g_autoptr (GPtrArray) differences = belongings_find_differences (&self->before);

  return differences->len == 0;
}

gboolean
fixture_settle (Fixture *self)
{
  g_autoptr (GPtrArray) differences = NULL;

  if (iterate_until (is_settled, self))
    return TRUE;

  differences = belongings_find_differences (&self->before);
  belongings_tell (differences);

  return FALSE;
}

void
fixture_set_up (Fixture *self, gconstpointer data)
{
  belongings_look (&self->before);
}

void
fixture_tear_down (Fixture *self, gconstpointer data)
{
  if (!fixture_settle (self))
    g_test_fail_printf ("the test left something behind");

  belongings_clear (&self->before);
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
