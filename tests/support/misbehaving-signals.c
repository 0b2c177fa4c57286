/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "misbehaving.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

/*
 * Functions that are interrupted by a signal when they are cancelled, in a worker that was started
 * with --cancel-signal; and whether the signal ever comes to one that was not.
 */

#define SIGNAL SIGUSR1

/* For the handler, which runs in the thread of the functions. */
static volatile sig_atomic_t n_signals;
static volatile sig_atomic_t n_strays;
static volatile sig_atomic_t jumps;
static sigjmp_buf way_out;

static void
handle_signal (int signal_number)
{
  n_signals++;
  if (misbehaving_job != NULL && !dray_job_is_cancelled (misbehaving_job))
    n_strays++;
  if (jumps)
    siglongjmp (way_out, 1);
}

void
misbehaving_take_cancel_signal (DrayWorker *worker)
{
  const struct sigaction action = { .sa_handler = handle_signal };

  sigaction (SIGNAL, &action, NULL);
  dray_worker_set_cancel_signal (worker, SIGNAL);
}

static GVariant *
say_cancelled (DrayJob *job, GError **error)
{
  if (!g_cancellable_set_error_if_cancelled (dray_job_get_cancellable (job), error))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "A signal came for nothing");
  return NULL;
}

/* Where the signal comes while nothing waits, it is not missed. Until there was one more than
 * @n_before, if that is not negative: a job is cancelled a moment before the signal comes. */
static GVariant *
wait_for_signal (DrayJob *job, int n_before, GError **error)
{
  sigset_t blocked, before;

  sigemptyset (&blocked);
  sigaddset (&blocked, SIGNAL);
  pthread_sigmask (SIG_BLOCK, &blocked, &before);
  dray_job_set_progress (job, -1, "waiting");
  while (!dray_job_is_cancelled (job) || n_signals == n_before)
    pselect (0, NULL, NULL, NULL, NULL, &before);
  pthread_sigmask (SIG_SETMASK, &before, NULL);

  return say_cancelled (job, error);
}

GVariant *
misbehaving_wait_for_signal (DrayJob *job, GError **error)
{
  return wait_for_signal (job, -1, error);
}

static GVariant *
wait_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  return wait_for_signal (job, n_signals, error);
}

/* Nothing but the signal gets it out of there. */
static GVariant *
read_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const int n_before = n_signals;
  int ends[2];
  char byte;

  if (pipe (ends) != 0)
    g_error ("There is no pipe");
  dray_job_set_progress (job, -1, "waiting");
  if (sigsetjmp (way_out, 1) == 0)
    {
      jumps = TRUE;
      while ((!dray_job_is_cancelled (job) || n_signals == n_before)
             && read (ends[0], &byte, 1) < 0)
        ;
    }
  jumps = FALSE;
  close (ends[0]);
  close (ends[1]);

  return say_cancelled (job, error);
}

/* It stays blocked, and so pending. */
static GVariant *
block_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  sigset_t blocked, pending;

  sigemptyset (&blocked);
  sigaddset (&blocked, SIGNAL);
  pthread_sigmask (SIG_BLOCK, &blocked, NULL);
  dray_job_set_progress (job, -1, "waiting");
  do
    sigpending (&pending);
  while (!sigismember (&pending, SIGNAL));

  return say_cancelled (job, error);
}

static GVariant *
spin_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  gint64 begin = g_get_monotonic_time ();
  guint32 microseconds;

  g_variant_get (arguments, "(u)", &microseconds);
  dray_job_set_progress (job, -1, "waiting");
  while (g_get_monotonic_time () - begin < microseconds)
    ;

  return g_variant_new_uint32 (microseconds);
}

static GVariant *
count_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_UNBLOCK, &all, NULL);

  return g_variant_new ("(uu)", (guint32) n_signals, (guint32) n_strays);
}

/* --- Just before a function --- */

static char *held; /* (owned) (nullable): the file that says so; only for the thread of functions */
static _Thread_local gboolean holds_next;

static gboolean
is_in_library (gpointer address)
{
  Dl_info info;

  return dladdr (address, &info) != 0 && strstr (info.dli_fname, "libdray-1.so") != NULL;
}

/* The library looks for the function of a call when that has begun, and then enters it: with this,
 * which it finds here instead of in GLib. */
gpointer
g_hash_table_lookup (GHashTable *table, gconstpointer key)
{
  gpointer value = NULL;

  if (holds_next && is_in_library (__builtin_return_address (0)))
    {
      holds_next = FALSE;
      g_file_set_contents (held, "", 0, NULL);
      while (g_file_test (held, G_FILE_TEST_EXISTS))
        g_usleep (1000);
      g_clear_pointer (&held, g_free);
    }

  g_hash_table_lookup_extended (table, key, NULL, &value);
  return value;
}

static GVariant *
hold_next_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_variant_get (arguments, "(s)", &held);
  holds_next = TRUE;

  return NULL;
}

const MisbehavingFunction misbehaving_signal_functions[] = {
  { "signal-ends-wait", "*", wait_cb, NULL },
  { "signal-ends-read", "*", read_cb, NULL },
  { "signal-is-blocked", "()", block_cb, NULL },
  { "signal-or-spin", "(u)", spin_cb, NULL },
  { "count-signals", "()", count_cb, NULL },
  { "hold-next", "(s)", hold_next_cb, NULL },
  { NULL, NULL, NULL, NULL },
};
