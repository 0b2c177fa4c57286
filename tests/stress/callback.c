/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

#include <stdio.h>

/*
 * What is to be called back: once, and in the context in which it was asked for. That it comes at
 * all is a promise, unless that context may be gone by then. They are kept until nothing can be
 * called any more, so that a second call is told from what was never asked for.
 */

static GMutex lock;
static GPtrArray *callbacks; /* (owned) (nullable); protected by the lock */

static void
callback_free (gpointer data)
{
  StressCallback *self = data;

  g_clear_pointer (&self->fate, stress_fate_unref);
  g_free (self);
}

/* @fate: (nullable) */
static StressCallback *
new_callback (const char *what, StressFate *fate)
{
  StressCallback *self = g_new0 (StressCallback, 1);

  self->what = what;
  self->fate = fate != NULL ? stress_fate_ref (fate) : NULL;

  g_mutex_lock (&lock);
  if (callbacks == NULL)
    callbacks = g_ptr_array_new_with_free_func (callback_free);
  g_ptr_array_add (callbacks, self);
  g_mutex_unlock (&lock);

  return self;
}

/* A context that is let go of is not kept by this. */
StressCallback *
stress_callback_new (StressActor *actor, const char *what, StressFate *fate)
{
  StressCallback *self = new_callback (what, fate);

  if (actor->lost)
    return self;

  self->context = g_main_context_ref_thread_default ();
  self->promise = soak_promise_new (NULL, what, NULL, NULL);
  return self;
}

StressCallback *
stress_callback_new_anywhere (StressActor *actor, const char *what, StressFate *fate)
{
  StressCallback *self = new_callback (what, fate);

  if (!actor->lost && (fate == NULL || !fate->lost))
    self->promise = soak_promise_new (NULL, what, NULL, NULL);
  return self;
}

void
stress_callback_enter (StressCallback *self)
{
  const char *of = self->fate != NULL ? self->fate->what : "";

  if (g_atomic_int_add (&self->n_calls, 1) > 0)
    soak_violation ("“%s” of “%s” has come twice", self->what, of);
  else if (self->promise != NULL)
    soak_promise_keep_only (self->promise);
  if (self->context != NULL && !g_main_context_is_owner (self->context))
    soak_violation ("“%s” of “%s” has come in another context", self->what, of);
}

void
stress_callback_enter_destroy (gpointer data)
{
  stress_callback_enter (data);
}

void
stress_callbacks_print_open (void)
{
  g_mutex_lock (&lock);
  for (guint i = 0; callbacks != NULL && i < callbacks->len; i++)
    {
      StressCallback *self = callbacks->pdata[i];

      if (self->promise != NULL && g_atomic_int_get (&self->n_calls) == 0)
        fprintf (stderr, "  “%s” of “%s”%s\n", self->what,
                 self->fate != NULL ? self->fate->what : "",
                 self->fate != NULL && self->fate->lost ? ", whose context is lost" : "");
    }
  g_mutex_unlock (&lock);
}

/* With the last reference to a context, what waits in there is freed, which tells its callback. */
void
stress_callbacks_forget_contexts (void)
{
  for (guint i = 0; callbacks != NULL && i < callbacks->len; i++)
    g_clear_pointer (&((StressCallback *) callbacks->pdata[i])->context, g_main_context_unref);
}

void
stress_callbacks_free (void)
{
  g_clear_pointer (&callbacks, g_ptr_array_unref);
}
