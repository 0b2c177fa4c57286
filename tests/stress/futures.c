/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

#include <gio/gunixfdlist.h>
#include <stdlib.h>
#include <unistd.h>

/* Submitting, following, and what else is done to futures, by anybody. */

/* --- Following --- */

static void
item_cb (DrayFuture *future, GVariant *item, gpointer context)
{
  StressFate *fate = stress_fate_get (future);
  guint number = fate->numbered ? g_variant_get_uint32 (item) : 0;

  if (!g_main_context_is_owner (context))
    soak_violation ("“%s”: an item comes in another context", fate->what);
  if (fate->pulled)
    soak_violation ("“%s”: an item is told that should be pulled", fate->what);
  if (!fate->numbered)
    return;

  if (number != fate->next_item && !(fate->shared && fate->next_item == 0))
    soak_violation ("“%s”: item %u comes in place of %u", fate->what, number, fate->next_item);
  fate->next_item = number + 1;
  if (stress_chance (stress_actor_get (), 5))
    stress_reenter (stress_actor_get ());
}

static void
progressed_cb (DrayFuture *future, double progress, const char *status, gpointer context)
{
  if (!g_main_context_is_owner (context))
    soak_violation ("Progress comes in another context");
  if (stress_chance (stress_actor_get (), 10))
    stress_reenter (stress_actor_get ());
}

static void
notify_state_cb (DrayFuture *future, GParamSpec *property, gpointer context)
{
  StressFate *fate = stress_fate_get (future);

  if (!g_main_context_is_owner (context))
    soak_violation ("“%s”: the state is notified in another context", fate->what);
  if (g_atomic_int_add (&fate->n_notified, 1) > 0)
    soak_violation ("“%s”: the state is notified twice", fate->what);
  if (!dray_future_is_done (future))
    soak_violation ("“%s”: the state is notified before it is done", fate->what);
  stress_reenter (stress_actor_get ());
}

/* That all of the items came before this is known only where the same context hears both. */
static void
done_cb (DrayFuture *future, gpointer data)
{
  StressCallback *callback = data;
  StressFate *fate = stress_fate_get (future);

  stress_callback_enter (callback);
  stress_judge (future);
  if (fate != NULL && fate->heard && fate->numbered && !fate->pulled && !fate->shared
      && callback->context != NULL && dray_future_get_state (future) == DRAY_FUTURE_SUCCEEDED
      && (stress_fate_get_ends (fate) & SOAK_CANCELLED) == 0 && fate->next_item != fate->n_items)
    soak_violation ("“%s”: it is done after %u items of %u", fate->what, fate->next_item,
                    fate->n_items);
  stress_reenter (stress_actor_get ());
}

/* Freed when it was called, or can't be any more. */
static void
done_destroy_cb (gpointer data)
{
  StressCallback *callback = data;

  if (g_atomic_int_get (&callback->n_calls) == 0 && callback->promise != NULL)
    soak_violation ("“%s” of “%s” is freed without a call", callback->what,
                    callback->fate != NULL ? callback->fate->what : "");
}

void
stress_follow (StressActor *actor, DrayFuture *future, StressFate *fate)
{
  gboolean kept = stress_chance (actor, 80);

  stress_fate_set (fate, future);
  if (stress_chance (actor, 60))
    {
      GMainContext *context = g_main_context_get_thread_default ();

      if (context == NULL)
        context = g_main_context_default ();
      fate->heard = TRUE;
      g_signal_connect (future, "item", G_CALLBACK (item_cb), context);
      g_signal_connect (future, "progressed", G_CALLBACK (progressed_cb), context);
      g_signal_connect (future, "notify::state", G_CALLBACK (notify_state_cb), context);
    }
  if (stress_chance (actor, 60))
    dray_future_add_done_callback (future, done_cb, stress_callback_new (actor, "done", fate),
                                   done_destroy_cb);

  if (kept)
    stress_put (actor, STRESS_FUTURES, future);
  else
    g_object_unref (future);
}

/* --- Submitting --- */

void
stress_do_submit (StressActor *actor)
{
  StressExecutor *executor;
  StressFate *fate;
  g_autoptr (DrayTask) task = stress_task_for_any (actor, &executor, &fate);
  g_autoptr (GCancellable) cancellable = NULL;

  if (task == NULL)
    return;

  cancellable = stress_pick_cancellable (actor, 15);
  if (cancellable != NULL)
    stress_fate_expect_cancel (fate);
  stress_follow (actor, dray_executor_submit (executor->executor, task, cancellable), fate);
  stress_executor_unref (executor);
}

static void
result_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  StressFate *fate = ((StressCallback *) callback)->fate;
  DrayExecutor *executor = DRAY_EXECUTOR (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;

  stress_callback_enter (callback);
  if (g_async_result_is_tagged (result, dray_executor_call_async))
    value = dray_executor_call_finish (executor, result, &error);
  else
    value = dray_executor_run_finish (executor, result, &error);
  stress_fate_judge_end (fate, value, error);
  stress_reenter (stress_actor_get ());
}

/* Not before there is room in the queue. */
static void
submitted_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  StressActor *actor = stress_actor_get ();
  StressFate *fate = ((StressCallback *) callback)->fate;
  g_autoptr (GError) error = NULL;
  DrayFuture *future;

  stress_callback_enter (callback);
  future = dray_executor_submit_finish (DRAY_EXECUTOR (source), result, &error);
  if (future != NULL)
    stress_follow (actor, future, stress_fate_ref (fate));
  else
    stress_fate_judge_end (fate, NULL, error);
  stress_reenter (actor);
}

static gboolean
is_plain_call (DrayTask *task)
{
  return dray_task_get_kind (task) == DRAY_TASK_CALL && dray_task_get_time_limit (task) == 0
         && dray_task_get_attachments (task) == NULL;
}

/* Whatever comes of it is told to one callback. */
void
stress_do_ask (StressActor *actor)
{
  g_autoptr (DrayTask) task = NULL;
  g_autoptr (GCancellable) cancellable = NULL;
  StressExecutor *executor;
  StressFate *fate;

  if (stress_may_ask (actor))
    task = stress_task_for_any (actor, &executor, &fate);
  if (task == NULL)
    return;

  cancellable = stress_pick_cancellable (actor, 15);
  if (cancellable != NULL)
    stress_fate_expect_cancel (fate);
  if (stress_chance (actor, 30))
    dray_executor_submit_async (executor->executor, task, cancellable, submitted_cb,
                                stress_callback_new (actor, "submitted", fate));
  else if (stress_chance (actor, 50))
    dray_executor_run_async (executor->executor, task, cancellable, result_cb,
                             stress_callback_new (actor, "a result", fate));
  else if (is_plain_call (task))
    dray_executor_call_async (executor->executor, dray_task_get_function (task),
                              dray_task_get_arguments (task), cancellable, result_cb,
                              stress_callback_new (actor, "a result of a call", fate));
  stress_fate_unref (fate);
  stress_executor_unref (executor);
}

/* --- What is done to any of them --- */

void
stress_do_wait (StressActor *actor)
{
  g_autoptr (DrayFuture) future = stress_pick (actor, STRESS_FUTURES);
  g_autoptr (GCancellable) cancellable = stress_pick_cancellable (actor, 20);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;
  gint64 timeout = stress_random_timeout (actor);
  gboolean by_result = stress_chance (actor, 50);
  gboolean endless = timeout < 0 && cancellable == NULL;
  gboolean ended;
  gpointer promise;

  if (future == NULL)
    return;

  promise = soak_promise_new (NULL, "a wait", NULL, NULL);
  if (by_result)
    value = dray_future_wait_result (future, timeout, cancellable, &error);
  ended = by_result ? value != NULL : dray_future_wait (future, timeout, cancellable, &error);
  soak_promise_keep_only (promise);

  if (ended == (error != NULL))
    soak_violation ("A wait has both an end and an error, or neither");
  if ((ended || endless) && !dray_future_is_done (future))
    soak_violation ("A wait ends before its future does");
  if (endless && !by_result && !ended)
    soak_violation ("A wait for ever has an error: %s", error->message);
  if (ended)
    stress_judge (future);
}

void
stress_do_cancel (StressActor *actor)
{
  g_autoptr (DrayFuture) future = stress_pick (actor, STRESS_FUTURES);
  StressFate *fate = future != NULL ? stress_fate_get (future) : NULL;

  if (fate == NULL)
    return;

  stress_fate_expect_cancel (fate);
  dray_future_cancel (future);
}

void
stress_do_drop (StressActor *actor)
{
  g_autoptr (DrayFuture) future G_GNUC_UNUSED = stress_take (actor, STRESS_FUTURES);
}

void
stress_do_priority (StressActor *actor)
{
  g_autoptr (DrayFuture) future = stress_pick (actor, STRESS_FUTURES);

  if (future != NULL)
    dray_future_set_priority (future, (int) stress_random (actor, 9) - 4);
}

/* It is called in the future's own context; or in this one, if it is done already. */
void
stress_do_done (StressActor *actor)
{
  g_autoptr (DrayFuture) future = stress_pick (actor, STRESS_FUTURES);

  if (future != NULL)
    dray_future_add_done_callback (
      future, done_cb, stress_callback_new_anywhere (actor, "done", stress_fate_get (future)),
      done_destroy_cb);
}

static void
future_result_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;

  stress_callback_enter (callback);
  value = dray_future_result_finish (DRAY_FUTURE (source), result, &error);
  if ((value != NULL) == (error != NULL))
    soak_violation ("A result has both a value and an error, or neither");
  stress_reenter (stress_actor_get ());
}

/* Perhaps of a future whose own context is gone. */
void
stress_do_result (StressActor *actor)
{
  g_autoptr (DrayFuture) future = stress_pick (actor, STRESS_FUTURES);
  g_autoptr (GCancellable) cancellable = stress_pick_cancellable (actor, 30);

  if (future != NULL && stress_may_ask (actor))
    dray_future_result_async (
      future, cancellable, future_result_cb,
      stress_callback_new (actor, "a result of a future", stress_fate_get (future)));
}

void
stress_do_look (StressActor *actor)
{
  g_autoptr (DrayFuture) future = stress_pick (actor, STRESS_FUTURES);
  g_autoptr (GUnixFDList) attachments = NULL;
  g_autofree char *status = NULL;

  if (future == NULL)
    return;

  status = dray_future_dup_status (future);
  dray_future_get_progress (future);
  dray_future_get_priority (future);
  attachments = dray_future_dup_attachments (future);
  if (attachments != NULL && stress_chance (actor, 30))
    {
      int n_fds = 0;
      g_autofree int *fds = g_unix_fd_list_steal_fds (attachments, &n_fds);

      for (int i = 0; i < n_fds; i++)
        close (fds[i]);
    }
  if (dray_future_is_done (future))
    stress_judge (future);
}
