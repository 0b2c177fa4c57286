/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

/* Futures of futures, groups, and completion queues. */

#define MAX_PARTS 6
#define MAX_DEPTH 4

/* (transfer full) (nullable): one that something can come of */
static DrayFuture *
pick_part (StressActor *actor, StressFate **fate)
{
  g_autoptr (DrayFuture) future = stress_pick (actor, STRESS_FUTURES);

  *fate = future != NULL ? stress_fate_get (future) : NULL;
  return *fate != NULL && (*fate)->depth < MAX_DEPTH ? g_steal_pointer (&future) : NULL;
}

/* --- Combinations --- */

/* (transfer full) */
static DrayFuture *
combine (StressActor *actor, GPtrArray *parts)
{
  DrayFuture *const *futures = (DrayFuture *const *) parts->pdata;

  switch (stress_random (actor, 4))
    {
    case 0:
      return dray_future_all (futures, parts->len);
    case 1:
      return dray_future_all_race (futures, parts->len);
    case 2:
      return dray_future_any (futures, parts->len);
    default:
      return dray_future_first (futures, parts->len);
    }
}

/* Some of them end as cancelled when another one has ended: it does not matter here which. */
void
stress_do_combine (StressActor *actor)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  StressFate *fate = stress_fate_new ("a combination", NULL, SOAK_SUCCEEDED);

  fate->lost = actor->lost;
  for (guint i = 1 + stress_random (actor, MAX_PARTS); i > 0; i--)
    {
      StressFate *part;
      DrayFuture *future = pick_part (actor, &part);

      if (future == NULL)
        continue;

      g_ptr_array_add (parts, future);
      stress_fate_add_part (fate, part);
      fate->lost = fate->lost || part->lost;
    }

  if (parts->len == 0)
    {
      stress_fate_unref (fate);
      return;
    }

  stress_fate_expect_cancel (fate);
  stress_follow (actor, combine (actor, parts), fate);
}

/* The same when one comes after another: who drops or cancels the last one cancels the first. */
void
stress_do_then (StressActor *actor)
{
  StressExecutor *executor = stress_executor_pick (actor);
  StressFate *part, *fate;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayTask) task = NULL;
  int position = DRAY_POSITION_NONE;

  if (executor == NULL)
    return;

  future = pick_part (actor, &part);
  if (future != NULL)
    {
      task = stress_task_new (actor, executor, &fate);
      if (stress_chance (actor, 30))
        {
          g_clear_pointer (&task, dray_task_unref);
          stress_fate_unref (fate);
          task = dray_task_new_call ("echo", NULL);
          fate = stress_fate_new ("echo of another one", executor->risks, SOAK_SUCCEEDED);
          position = DRAY_POSITION_WHOLE;
        }
      fate->lost = actor->lost || part->lost;
      stress_fate_add_part (fate, part);
      stress_fate_expect_cancel (part);
      stress_follow (actor, dray_future_and_then (future, executor->executor, task, position),
                     fate);
    }
  stress_executor_unref (executor);
}

/* --- Groups --- */

static void
joined_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  g_autoptr (GError) error = NULL;
  gboolean well;

  stress_callback_enter (callback);
  well = dray_group_join_finish (DRAY_GROUP (source), result, &error);
  if (well == (error != NULL))
    soak_violation ("A group has both joined well and an error, or neither");
  stress_reenter (stress_actor_get ());
}

/* A failure in a group cancels the others. */
static void
submit_to_group (StressActor *actor, DrayGroup *group)
{
  StressExecutor *executor;
  StressFate *fate;
  g_autoptr (DrayTask) task = stress_task_for_any (actor, &executor, &fate);

  if (task == NULL)
    return;

  stress_fate_expect_cancel (fate);
  stress_follow (actor, dray_group_submit (group, executor->executor, task, NULL), fate);
  stress_executor_unref (executor);
}

static void
add_to_group (StressActor *actor, DrayGroup *group)
{
  g_autoptr (DrayFuture) future = stress_pick (actor, STRESS_FUTURES);

  if (future == NULL || stress_fate_get (future) == NULL)
    return;

  stress_fate_expect_cancel (stress_fate_get (future));
  dray_group_add (group, future);
}

static void
wait_for_group (StressActor *actor, DrayGroup *group, GCancellable *cancellable)
{
  gpointer promise = soak_promise_new (NULL, "a wait for a group", NULL, NULL);
  gint64 timeout = stress_random_timeout (actor);
  g_autoptr (GError) error = NULL;
  gboolean well;

  if (stress_chance (actor, 50))
    well = dray_group_wait (group, timeout, cancellable, &error);
  else
    well = dray_group_join_sync (group, timeout, cancellable, &error);
  soak_promise_keep_only (promise);
  if (well == (error != NULL))
    soak_violation ("A wait for a group has both a good end and an error, or neither");
}

void
stress_do_group (StressActor *actor)
{
  g_autoptr (DrayGroup) group = stress_pick (actor, STRESS_GROUPS);
  g_autoptr (GCancellable) cancellable = stress_pick_cancellable (actor, 20);
  g_autoptr (DrayGroup) dropped = NULL;

  if (group == NULL)
    {
      stress_put (actor, STRESS_GROUPS, dray_group_new ());
      return;
    }

  switch (stress_random (actor, 8))
    {
    case 0:
      add_to_group (actor, group);
      break;
    case 1:
      if (stress_chance (actor, 30))
        dray_group_cancel (group);
      break;
    case 2:
      wait_for_group (actor, group, cancellable);
      break;
    case 3:
      if (stress_may_ask (actor))
        dray_group_join_async (group, cancellable, joined_cb,
                               stress_callback_new (actor, "a group's end", NULL));
      break;
    case 4:
      if (stress_chance (actor, 30))
        dropped = stress_take (actor, STRESS_GROUPS);
      break;
    default:
      submit_to_group (actor, group);
    }
}

/* --- Completion queues --- */

static void
judge_all (GPtrArray *futures)
{
  for (guint i = 0; i < futures->len; i++)
    stress_judge (futures->pdata[i]);
}

static void
next_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  g_autoptr (DrayFuture) future = NULL;

  stress_callback_enter (callback);
  future = dray_completion_queue_next_finish (DRAY_COMPLETION_QUEUE (source), result, NULL);
  if (future != NULL)
    stress_judge (future);
  stress_reenter (stress_actor_get ());
}

static void
next_many_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  g_autoptr (GPtrArray) futures = NULL;

  stress_callback_enter (callback);
  futures = dray_completion_queue_next_many_finish (DRAY_COMPLETION_QUEUE (source), result, NULL);
  if (futures != NULL)
    judge_all (futures);
  stress_reenter (stress_actor_get ());
}

static void
submit_to_queue (StressActor *actor, DrayCompletionQueue *queue)
{
  StressExecutor *executor;
  StressFate *fate;
  g_autoptr (DrayTask) task = stress_task_for_any (actor, &executor, &fate);

  if (task == NULL)
    return;

  stress_follow (actor, dray_completion_queue_submit (queue, executor->executor, task, NULL), fate);
  stress_executor_unref (executor);
}

static void
wait_for_queue (StressActor *actor, DrayCompletionQueue *queue, GCancellable *cancellable)
{
  gpointer promise = soak_promise_new (NULL, "a wait for a queue", NULL, NULL);
  gint64 timeout = stress_random_timeout (actor);

  if (stress_chance (actor, 50))
    {
      g_autoptr (DrayFuture) future = dray_completion_queue_wait_next (queue, timeout, cancellable,
                                                                       NULL);

      if (future != NULL)
        stress_judge (future);
    }
  else
    {
      g_autoptr (GPtrArray) futures = dray_completion_queue_wait_next_many (
        queue, 1 + stress_random (actor, 3) * 5, timeout, cancellable, NULL);

      if (futures != NULL)
        judge_all (futures);
    }
  soak_promise_keep_only (promise);
}

static void
ask_queue (StressActor *actor, DrayCompletionQueue *queue, GCancellable *cancellable)
{
  StressCallback *callback = stress_callback_new (actor, "what a queue has", NULL);

  if (stress_chance (actor, 50))
    dray_completion_queue_next_async (queue, cancellable, next_cb, callback);
  else
    dray_completion_queue_next_many_async (queue, 1 + stress_random (actor, 3) * 5, cancellable,
                                           next_many_cb, callback);
}

void
stress_do_queue (StressActor *actor)
{
  g_autoptr (DrayCompletionQueue) queue = stress_pick (actor, STRESS_QUEUES);
  g_autoptr (GCancellable) cancellable = stress_pick_cancellable (actor, 20);
  g_autoptr (DrayCompletionQueue) dropped = NULL;
  g_autoptr (DrayFuture) future = NULL;

  if (queue == NULL)
    {
      stress_put (actor, STRESS_QUEUES, dray_completion_queue_new ());
      return;
    }

  switch (stress_random (actor, 7))
    {
    case 0:
      future = stress_pick (actor, STRESS_FUTURES);
      if (future != NULL)
        dray_completion_queue_add (queue, future);
      break;
    case 1:
    case 2:
      wait_for_queue (actor, queue, cancellable);
      break;
    case 3:
    case 4:
      if (stress_may_ask (actor))
        ask_queue (actor, queue, cancellable);
      break;
    case 5:
      if (stress_chance (actor, 30))
        dropped = stress_take (actor, STRESS_QUEUES);
      break;
    default:
      submit_to_queue (actor, queue);
    }
}
