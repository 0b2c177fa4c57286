/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

/* A few threads that do what blocks: waiting, pulling, shutting down. One more does what does not:
 * all others may be waiting for just that. */

#define N_HANDS 4

typedef struct
{
  SoakHandFunc function; /* (nullable): the end */
  gpointer data;
} Chore;

static GAsyncQueue *chores;       /* (owned) */
static GAsyncQueue *quick_chores; /* (owned) */
static GThread *threads[N_HANDS]; /* (owned) */
static GThread *quick_thread;     /* (owned) */

static gpointer
work (gpointer data)
{
  for (;;)
    {
      g_autofree Chore *chore = g_async_queue_pop (data);

      if (chore->function == NULL)
        return NULL;
      chore->function (chore->data);
    }
}

void
soak_hands_open (void)
{
  chores = g_async_queue_new ();
  quick_chores = g_async_queue_new ();
  for (guint i = 0; i < N_HANDS; i++)
    threads[i] = g_thread_new ("soak-hand", work, chores);
  quick_thread = g_thread_new ("soak-hand", work, quick_chores);
}

static void
push (GAsyncQueue *queue, SoakHandFunc function, gpointer data)
{
  Chore *chore = g_new (Chore, 1);

  chore->function = function;
  chore->data = data;
  g_async_queue_push (queue, chore);
}

void
soak_hands_push (SoakHandFunc function, gpointer data)
{
  push (chores, function, data);
}

void
soak_hands_push_quick (SoakHandFunc function, gpointer data)
{
  push (quick_chores, function, data);
}

void
soak_hands_close (void)
{
  for (guint i = 0; i < N_HANDS; i++)
    push (chores, NULL, NULL);
  push (quick_chores, NULL, NULL);
  for (guint i = 0; i < N_HANDS; i++)
    g_thread_join (threads[i]);
  g_thread_join (quick_thread);
  g_clear_pointer (&chores, g_async_queue_unref);
  g_clear_pointer (&quick_chores, g_async_queue_unref);
}
