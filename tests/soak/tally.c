/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

#include <stdio.h>

/* The open promises, by number; and how often what has happened. */

typedef struct
{
  SoakDriver *driver; /* (unowned) (nullable) */
  const char *what;   /* (static) */
  gint64 made;
  gpointer data; /* (owned) */
  GDestroyNotify destroy;
} Promise;

static GMutex lock;

/* protected by the lock */
static GHashTable *promises; /* (owned): of Promise, by number */
static gsize n_promises;
static guint64 n_ends[SOAK_N_ENDS];
static guint64 n_tasks;
static guint n_violations;
static guint n_twice;

static const char *const end_names[SOAK_N_ENDS] = {
  "succeeded", "cancelled", "died with the worker", "broken protocol", "timed out", "not launched",
  "shut down", "refused",   "failed by itself",     "signalled",       "otherwise",
};

gpointer
soak_promise_new (SoakDriver *driver, const char *what, gpointer data, GDestroyNotify destroy)
{
  Promise *promise = g_new0 (Promise, 1);
  gpointer number;

  promise->driver = driver;
  promise->what = what;
  promise->made = g_get_monotonic_time ();
  promise->data = data;
  promise->destroy = destroy;
  if (driver != NULL)
    g_atomic_int_inc (&driver->n_open);

  g_mutex_lock (&lock);
  if (promises == NULL)
    promises = g_hash_table_new (NULL, NULL);
  number = GSIZE_TO_POINTER (++n_promises);
  g_hash_table_insert (promises, number, promise);
  g_mutex_unlock (&lock);

  return number;
}

/* (transfer full) (nullable) */
static Promise *
steal (gpointer number)
{
  Promise *promise = NULL;

  g_mutex_lock (&lock);
  g_hash_table_steal_extended (promises, number, NULL, (gpointer *) &promise);
  if (promise == NULL)
    n_twice++;
  g_mutex_unlock (&lock);

  if (promise == NULL)
    soak_violation ("Promise %" G_GSIZE_FORMAT " was kept twice", GPOINTER_TO_SIZE (number));
  return promise;
}

gboolean
soak_promise_keep (gpointer number, gpointer *data)
{
  Promise *promise = steal (number);

  *data = NULL;
  if (promise == NULL)
    return FALSE;

  *data = promise->data;
  if (promise->driver != NULL)
    g_atomic_int_add (&promise->driver->n_open, -1);
  g_free (promise);
  return TRUE;
}

void
soak_promise_keep_only (gpointer number)
{
  Promise *promise = steal (number);

  if (promise == NULL)
    return;

  if (promise->destroy != NULL)
    promise->destroy (promise->data);
  if (promise->driver != NULL)
    g_atomic_int_add (&promise->driver->n_open, -1);
  g_free (promise);
}

guint
soak_count_open (void)
{
  guint n;

  g_mutex_lock (&lock);
  n = promises != NULL ? g_hash_table_size (promises) : 0;
  g_mutex_unlock (&lock);

  return n;
}

gint64
soak_get_oldest (void)
{
  gint64 now = g_get_monotonic_time ();
  gint64 oldest = now;
  GHashTableIter iter;
  Promise *promise;

  g_mutex_lock (&lock);
  if (promises != NULL)
    {
      g_hash_table_iter_init (&iter, promises);
      while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &promise))
        oldest = MIN (oldest, promise->made);
    }
  g_mutex_unlock (&lock);

  return now - oldest;
}

void
soak_print_open (void)
{
  gint64 now = g_get_monotonic_time ();
  GHashTableIter iter;
  gpointer number;
  Promise *promise;

  g_mutex_lock (&lock);
  g_hash_table_iter_init (&iter, promises);
  while (g_hash_table_iter_next (&iter, &number, (gpointer *) &promise))
    fprintf (stderr, "  %" G_GSIZE_FORMAT ": %s, for %.1f s, of %p\n", GPOINTER_TO_SIZE (number),
             promise->what, (double) (now - promise->made) / G_TIME_SPAN_SECOND,
             (gpointer) promise->driver);
  g_mutex_unlock (&lock);
}

/* --- Ends --- */

static SoakEnd
classify_dray (int code)
{
  switch (code)
    {
    case DRAY_ERROR_LAUNCH:
      return SOAK_LAUNCH;
    case DRAY_ERROR_WORKER_DIED:
      return SOAK_DIED;
    case DRAY_ERROR_PROTOCOL:
      return SOAK_PROTOCOL;
    case DRAY_ERROR_TIMED_OUT:
      return SOAK_TIMED_OUT;
    case DRAY_ERROR_QUEUE_FULL:
      return SOAK_QUEUE_FULL;
    case DRAY_ERROR_SHUT_DOWN:
      return SOAK_SHUT_DOWN;
    default:
      return SOAK_OTHER;
    }
}

SoakEnd
soak_classify (const GError *error)
{
  if (error == NULL)
    return SOAK_SUCCEEDED;
  if (error->domain == DRAY_ERROR)
    return classify_dray (error->code);
  if (error->domain == DRAY_SIGNAL_ERROR)
    return SOAK_SIGNALLED;
  if (error->domain == G_SPAWN_EXIT_ERROR || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_FAILED))
    return SOAK_OWN_ERROR;
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return SOAK_CANCELLED;
  return SOAK_OTHER;
}

const char *
soak_describe_end (SoakEnd end)
{
  return end_names[g_bit_nth_lsf (end, -1)];
}

void
soak_count_end (SoakEnd end)
{
  g_mutex_lock (&lock);
  n_ends[g_bit_nth_lsf (end, -1)]++;
  g_mutex_unlock (&lock);
}

void
soak_count_tasks (guint n)
{
  g_mutex_lock (&lock);
  n_tasks += n;
  g_mutex_unlock (&lock);
}

guint64
soak_get_n_tasks (void)
{
  guint64 n;

  g_mutex_lock (&lock);
  n = n_tasks;
  g_mutex_unlock (&lock);

  return n;
}

guint64
soak_get_n_of (SoakEnd end)
{
  guint64 n;

  g_mutex_lock (&lock);
  n = n_ends[g_bit_nth_lsf (end, -1)];
  g_mutex_unlock (&lock);

  return n;
}

/* --- What must not be --- */

void
soak_violation (const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list values;

  va_start (values, format);
  text = g_strdup_vprintf (format, values);
  va_end (values);

  g_mutex_lock (&lock);
  n_violations++;
  g_mutex_unlock (&lock);
  fprintf (stderr, "WRONG: %s\n", text);
}

guint
soak_get_n_violations (void)
{
  guint n;

  g_mutex_lock (&lock);
  n = n_violations;
  g_mutex_unlock (&lock);

  return n;
}

guint
soak_get_n_twice (void)
{
  guint n;

  g_mutex_lock (&lock);
  n = n_twice;
  g_mutex_unlock (&lock);

  return n;
}
