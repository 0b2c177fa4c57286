/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-combination.h"
#include "dray-executor-private.h"
#include "dray-follow.h"
#include "dray-future-private.h"

/* One future of many, and one after another. How it is done is in dray-combination.h. */

static gboolean
are_futures (DrayFuture *const *futures, gsize n_futures)
{
  if ((futures == NULL && n_futures > 0) || n_futures > G_MAXUINT)
    return FALSE;

  for (gsize i = 0; i < n_futures; i++)
    if (!dray_future_is_real (futures[i]))
      return FALSE;

  return TRUE;
}

/* No pool has anything to do with it, so that it gets one, which is closed from the beginning. */
static DrayFuture *
new_empty (void)
{
  const DrayPoolOptions options = { .slice = 4000, .delivery_priority = G_PRIORITY_DEFAULT_IDLE };
  g_autoptr (DrayPool) pool = dray_pool_new (NULL, &options);
  DrayFuture *future = dray_combination_new_future (pool);

  dray_pool_close (pool);
  dray_ticket_complete (dray_future_get_ticket (future),
                        g_variant_ref_sink (g_variant_new_array (G_VARIANT_TYPE_VARIANT, NULL, 0)),
                        NULL);
  return future;
}

/**
 * dray_future_all:
 * @futures: (array length=n_futures): futures, of whatever executors, done or not
 * @n_futures: how many; there may be none
 *
 * Combines futures into one that is done when all of them are.
 *
 * Its result is an array (`av`) of their results, in the order of @futures. If any has failed or
 * was cancelled, it ends as the first of them did that was done so; each of @futures tells of its
 * own result or error. It needs none of @futures to be kept: their results are, until it is done.
 *
 * Callbacks of the combined future come in the main context that is the thread's default now.
 * Items of its parts may be delivered later than that it is done.
 *
 * Returns: (transfer full): the combined future
 *
 * Since: 0.1
 */
DrayFuture *
dray_future_all (DrayFuture *const *futures, gsize n_futures)
{
  g_return_val_if_fail (are_futures (futures, n_futures), NULL);

  if (n_futures == 0)
    return new_empty ();
  return dray_combination_combine (DRAY_COMBINE_ALL, futures, n_futures);
}

/**
 * dray_future_all_race:
 * @futures: (array length=n_futures): futures, of whatever executors, done or not
 * @n_futures: how many; there may be none
 *
 * Combines futures into one that is done when all of them are, or as soon as one fails or is
 * cancelled. The others go on then; a [class@Group] cancels them.
 *
 * Otherwise it is like [func@Future.all].
 *
 * Returns: (transfer full): the combined future
 *
 * Since: 0.1
 */
DrayFuture *
dray_future_all_race (DrayFuture *const *futures, gsize n_futures)
{
  g_return_val_if_fail (are_futures (futures, n_futures), NULL);

  if (n_futures == 0)
    return new_empty ();
  return dray_combination_combine (DRAY_COMBINE_ALL_RACE, futures, n_futures);
}

/**
 * dray_future_any:
 * @futures: (array length=n_futures): futures, of whatever executors, done or not
 * @n_futures: how many, at least 1
 *
 * Combines futures into one that is done as soon as one succeeds, with its result. If none does, it
 * ends as the last of them did. The others go on.
 *
 * Returns: (transfer full): the combined future
 *
 * Since: 0.1
 */
DrayFuture *
dray_future_any (DrayFuture *const *futures, gsize n_futures)
{
  g_return_val_if_fail (n_futures > 0 && are_futures (futures, n_futures), NULL);

  return dray_combination_combine (DRAY_COMBINE_ANY, futures, n_futures);
}

/**
 * dray_future_first:
 * @futures: (array length=n_futures): futures, of whatever executors, done or not
 * @n_futures: how many, at least 1
 *
 * Combines futures into one that is done as soon as one is done, and as that: with its result, with
 * its error, or cancelled. The others go on. To have one after the other as they are done, use a
 * [class@CompletionQueue].
 *
 * Returns: (transfer full): the combined future
 *
 * Since: 0.1
 */
DrayFuture *
dray_future_first (DrayFuture *const *futures, gsize n_futures)
{
  g_return_val_if_fail (n_futures > 0 && are_futures (futures, n_futures), NULL);

  return dray_combination_combine (DRAY_COMBINE_FIRST, futures, n_futures);
}

/**
 * dray_future_and_then:
 * @self: a future, of whatever executor, done or not
 * @executor: the executor that runs @task
 * @task: what to do when @self has succeeded; it can't be changed any more afterwards
 * @position: where the result of @self goes
 *
 * Submits a task that comes after another, and goes on with its result.
 *
 * @position says where that is among the arguments of a call, which are a tuple or none: 0 before
 * all of them, 1 after the first, %DRAY_POSITION_LAST after all. With %DRAY_POSITION_WHOLE the
 * result takes their place, whatever its type. A command reads it from its standard input then,
 * which takes bytes (`ay`) or text (`s`), and fails with %DRAY_ERROR_BAD_ARGUMENTS for all else.
 * With %DRAY_POSITION_NONE the task only comes after. Open files that came with the result are not
 * passed on.
 *
 * The new future is like that of any task which was submitted now: it counts as pending until its
 * turn comes, and may be refused at once. Of tasks with the same priority, those that go on with a
 * result run before those that begin something. If @self fails or is cancelled, the new future ends
 * the same way, and the task never runs. A chain may be of any length.
 *
 * Cancelling the new future cancels @self, too, if that is not done and nothing else was combined
 * with it. @self need not be kept.
 *
 * Returns: (transfer full): the future of @task
 *
 * Since: 0.1
 */
DrayFuture *
dray_future_and_then (DrayFuture *self, DrayExecutor *executor, DrayTask *task, int position)
{
  g_return_val_if_fail (dray_future_is_real (self), NULL);
  g_return_val_if_fail (DRAY_IS_EXECUTOR (executor), NULL);
  g_return_val_if_fail (task != NULL, NULL);
  g_return_val_if_fail (dray_follow_is_possible (task, position), NULL);

  return dray_pool_submit_after (executor->pool, task, dray_future_get_ticket (self), position);
}
