/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "lasting-threads.h"

/*
 * One lock for all of it: there are two or three threads, and each runs something once or twice in
 * a session.
 */

#define MAX_THREADS 64

typedef struct
{
  GThread *thread; /* (owned): for as long as the process lasts */

  GCond wanted; /* there is something to run */

  /* protected by the lock */
  GThreadFunc function; /* NULL: it waits */
  gpointer data;
} LastingThread;

static GMutex lock;
static GCond ended; /* something has */
static LastingThread threads[MAX_THREADS];
static guint n_threads;
static guint n_busy;

static gpointer
run_cb (gpointer data)
{
  LastingThread *self = data;

  g_mutex_lock (&lock);
  for (;;)
    {
      while (self->function == NULL)
        g_cond_wait (&self->wanted, &lock);

      g_mutex_unlock (&lock);
      self->function (self->data);
      g_mutex_lock (&lock);

      self->function = NULL;
      n_busy--;
      g_cond_broadcast (&ended);
    }

  return NULL;
}

static LastingThread *
find_idle_locked (void)
{
  for (guint i = 0; i < n_threads; i++)
    if (threads[i].function == NULL)
      return &threads[i];

  return n_threads < MAX_THREADS ? &threads[n_threads++] : NULL;
}

/* In place of GLib's, for all that is linked here. */
GThread *
g_thread_try_new (const char *name, GThreadFunc function, gpointer data, GError **error)
{
  LastingThread *self;
  GThread *thread = NULL;

  g_mutex_lock (&lock);
  self = find_idle_locked ();
  if (self != NULL)
    {
      self->function = function;
      self->data = data;
      n_busy++;
      if (self->thread == NULL)
        self->thread = g_thread_new (name, run_cb, self);
      else
        g_cond_signal (&self->wanted);
      thread = g_thread_ref (self->thread);
    }
  g_mutex_unlock (&lock);

  if (thread == NULL)
    g_set_error_literal (error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "There are too many threads");
  return thread;
}

/* The same. Who joins knows that the function is about to return, and that nobody starts another
 * thread meanwhile. */
gpointer
g_thread_join (GThread *thread)
{
  g_mutex_lock (&lock);
  for (guint i = 0; i < n_threads; i++)
    while (threads[i].thread == thread && threads[i].function != NULL)
      g_cond_wait (&ended, &lock);
  g_mutex_unlock (&lock);

  g_thread_unref (thread);
  return NULL;
}

void
lasting_threads_wait (void)
{
  g_mutex_lock (&lock);
  while (n_busy > 0)
    g_cond_wait (&ended, &lock);
  g_mutex_unlock (&lock);
}
