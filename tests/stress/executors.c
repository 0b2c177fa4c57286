/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "stress.h"

/*
 * A few executors, some of which can't even start a worker. Any actor changes their properties,
 * which may be as small as they can be, looks at their lists, shuts them down or drops them.
 */

#define MAX_EXECUTORS 4

static GMutex lock;
static const char *worker_program;
static guint common_ends; /* SoakEnd: what may come to any task */

/* protected by the lock */
static GPtrArray *executors; /* (owned): of StressExecutor */
static GPtrArray *weak_refs; /* (owned): of GWeakRef, to the executors that there have ever been */

static StressExecutor *
executor_ref (StressExecutor *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/* Who drops the last reference to an executor shuts it down by that; unless a future has one. */
void
stress_executor_unref (StressExecutor *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  stress_risks_add (self->risks, SOAK_SHUT_DOWN | SOAK_CANCELLED);
  g_object_unref (self->executor);
  stress_risks_unref (self->risks);
  g_free (self);
}

StressExecutor *
stress_executor_pick (StressActor *actor)
{
  StressExecutor *self = NULL;

  g_mutex_lock (&lock);
  if (executors->len > 0)
    self = executor_ref (executors->pdata[stress_random (actor, executors->len)]);
  g_mutex_unlock (&lock);

  return self;
}

/* --- Properties --- */

/* As little as there can be, or more than enough. */
static guint
little (StressActor *actor, guint most)
{
  return stress_chance (actor, 50) ? 1 + stress_random (actor, most) : 65536;
}

static void
change_limit (StressExecutor *self, StressActor *actor)
{
  static const char *const names[] = {
    "max-undelivered-items",
    "max-undelivered-bytes",
    "max-undelivered-items-per-future",
    "max-undelivered-bytes-per-future",
  };
  guint which = stress_random (actor, G_N_ELEMENTS (names));

  if (which % 2 == 0)
    g_object_set (self->executor, names[which], little (actor, 10), NULL);
  else
    g_object_set (self->executor, names[which], (guint64) little (actor, 100000) * 100, NULL);
}

static void
change_property (StressExecutor *self, StressActor *actor)
{
  switch (stress_random (actor, 10))
    {
    case 0:
      g_object_set (self->executor, "max-workers", 1 + stress_random (actor, 4), NULL);
      break;
    case 1:
      g_object_set (self->executor, "max-tasks-per-worker", stress_random (actor, 3), NULL);
      break;
    case 2:
      g_object_set (self->executor, "idle-timeout", stress_random (actor, 3) * 5, NULL);
      break;
    case 3:
      g_object_set (self->executor, "grace-period", stress_random (actor, 3) * 20, NULL);
      break;
    case 4:
      stress_risks_add (self->risks, SOAK_QUEUE_FULL);
      g_object_set (self->executor, "max-pending-tasks", little (actor, 5), NULL);
      break;
    case 5:
      g_object_set (self->executor, "slice", stress_random (actor, 3) * 500, NULL);
      break;
    case 6:
      dray_executor_set_paused (self->executor, stress_chance (actor, 30));
      break;
    default:
      change_limit (self, actor);
    }
}

void
stress_do_property (StressActor *actor)
{
  StressExecutor *self = stress_executor_pick (actor);

  if (self == NULL)
    return;

  change_property (self, actor);
  stress_executor_unref (self);
}

/* --- Beginning --- */

/* What takes nothing from its tasks. A sandbox may be refused; ThreadSanitizer starts in none. */
static void
confine (DrayLauncher *launcher, StressActor *actor)
{
  if (stress_chance (actor, 10))
    dray_launcher_set_limit (launcher, DRAY_LIMIT_OPEN_FILES, 200);
  if (stress_chance (actor, 10))
    dray_launcher_set_niceness (launcher, 1);
#ifndef __SANITIZE_THREAD__
  if (stress_chance (actor, 5))
    {
      dray_launcher_set_sandbox (launcher, 1 + stress_random (actor, DRAY_SANDBOX_STRICT));
      dray_launcher_set_sandbox_need (launcher, DRAY_SANDBOX_PREFERRED);
    }
#endif
}

/* (transfer full). Adds to @ends how its tasks may end for that. */
static DrayLauncher *
new_launcher (StressActor *actor, guint *ends)
{
  const char *argv[] = { worker_program, NULL, NULL, NULL };
  guint chance = stress_random (actor, 100);
  DrayLauncher *launcher;

  if (chance < 4)
    argv[1] = "--init-fails";
  else if (chance < 7)
    argv[0] = "/nonexistent/worker";
  else if (chance < 10)
    argv[1] = "--init-exits";
  else if (chance < 15)
    argv[1] = "--no-ring";
  if (chance < 10)
    *ends |= SOAK_LAUNCH;
  if (chance >= 90)
    {
      argv[1] = "--slow-start";
      argv[2] = "20";
    }

  launcher = dray_launcher_new_argv (argv);
  dray_launcher_set_trusted (launcher, stress_chance (actor, 15));
  if (stress_chance (actor, 15))
    dray_launcher_set_shared_size (launcher, stress_chance (actor, 50) ? 1 : 65536);
  confine (launcher, actor);
  return launcher;
}

/* (transfer full) */
static StressExecutor *
new_executor (StressActor *actor)
{
  StressExecutor *self = g_new0 (StressExecutor, 1);
  guint ends = common_ends;
  g_autoptr (DrayLauncher) launcher = new_launcher (actor, &ends);
  GWeakRef *weak_ref = g_new0 (GWeakRef, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->risks = stress_risks_new ();
  stress_risks_add (self->risks, ends);
  self->executor = dray_executor_new (launcher);
  g_object_set (self->executor, "grace-period", 40, "max-workers", 1 + stress_random (actor, 3),
                "max-tasks-per-worker", stress_chance (actor, 20) ? 1 : 0, NULL);
  for (guint i = stress_random (actor, 4); i > 0; i--)
    change_property (self, actor);

  g_weak_ref_init (weak_ref, self->executor);
  g_mutex_lock (&lock);
  g_ptr_array_add (weak_refs, weak_ref);
  g_mutex_unlock (&lock);

  return self;
}

/* --- Ending --- */

static void
shutdown_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  stress_callback_enter (callback);
  dray_executor_shutdown_finish (DRAY_EXECUTOR (source), result, NULL);
  stress_reenter (stress_actor_get ());
}

/* Nobody submits anything any more, and all has ended. */
static void
last_shutdown_cb (GObject *source, GAsyncResult *result, gpointer callback)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (DRAY_EXECUTOR (source));

  if (counters->succeeded + counters->failed + counters->cancelled != counters->submitted)
    soak_violation ("The counters do not add up after the end");
  if (counters->queue_length + counters->running > 0)
    soak_violation ("There are tasks after the end");
  shutdown_cb (source, result, callback);
}

static void
shut_down (StressExecutor *self, StressActor *actor)
{
  DrayShutdownMode mode = stress_random (actor, 4);
  g_autoptr (GCancellable) cancellable = stress_pick_cancellable (actor, 20);
  gpointer promise;

  stress_risks_add (self->risks, SOAK_SHUT_DOWN | SOAK_CANCELLED);
  if (stress_may_ask (actor) && stress_chance (actor, 50))
    {
      dray_executor_shutdown_async (self->executor, mode, cancellable, shutdown_cb,
                                    stress_callback_new (actor, "a shutdown", NULL));
      return;
    }

  promise = soak_promise_new (NULL, "a shutdown that is waited for", NULL, NULL);
  dray_executor_shutdown_sync (self->executor, mode, cancellable, NULL);
  soak_promise_keep_only (promise);
}

/* A new one; and where there are many, another one goes. */
void
stress_do_executor (StressActor *actor)
{
  StressExecutor *self = new_executor (actor);
  StressExecutor *old = NULL;

  g_mutex_lock (&lock);
  g_ptr_array_add (executors, self);
  if (executors->len > MAX_EXECUTORS)
    old = g_ptr_array_steal_index_fast (executors, stress_random (actor, MAX_EXECUTORS));
  g_mutex_unlock (&lock);

  if (old == NULL)
    return;

  if (stress_chance (actor, 50))
    shut_down (old, actor);
  stress_executor_unref (old);
}

/* It stays, so that others may come to it. */
void
stress_do_shutdown (StressActor *actor)
{
  StressExecutor *self = stress_executor_pick (actor);

  if (self == NULL)
    return;

  if (stress_chance (actor, 50))
    {
      shut_down (self, actor);
    }
  else
    {
      stress_risks_add (self->risks, SOAK_CANCELLED);
      dray_executor_cancel_all (self->executor);
    }
  stress_executor_unref (self);
}

/* --- Looking --- */

typedef struct
{
  GThread *thread;
  guint n_items; /* as it was told */
} Watched;

static void
items_changed_cb (GListModel *list, guint position, guint removed, guint added, gpointer data)
{
  Watched *watched = data;

  if (watched->thread != g_thread_self ())
    soak_violation ("A list has changed in another thread");
  if (position + removed > watched->n_items)
    soak_violation ("A list of %u has lost %u from %u on", watched->n_items, removed, position);

  watched->n_items += added - removed;
  if (watched->n_items != g_list_model_get_n_items (list))
    soak_violation ("A list of %u is told to be one of %u", g_list_model_get_n_items (list),
                    watched->n_items);
  stress_reenter (stress_actor_get ());
}

static void
free_watched (gpointer data, GClosure *closure)
{
  g_free (data);
}

static void
watch_list (GListModel *list)
{
  Watched *watched;

  if (g_object_get_data (G_OBJECT (list), "stress-watched") != NULL)
    return;

  watched = g_new (Watched, 1);
  watched->thread = g_thread_self ();
  watched->n_items = g_list_model_get_n_items (list);
  g_object_set_data (G_OBJECT (list), "stress-watched", watched);
  g_signal_connect_data (list, "items-changed", G_CALLBACK (items_changed_cb), watched,
                         free_watched, 0);
}

static void
use_worker (StressExecutor *self, StressActor *actor, DrayWorkerProcess *worker)
{
  if (dray_worker_process_get_pid (worker) <= 0)
    soak_violation ("A worker has no number");
  if (stress_chance (actor, 15))
    {
      stress_risks_add (self->risks, SOAK_DIED | SOAK_LAUNCH);
      dray_worker_process_kill (worker);
    }
}

static void
use_future (StressActor *actor, DrayFuture *future)
{
  StressFate *fate = stress_fate_get (future);

  if (fate == NULL)
    return;

  if (stress_chance (actor, 20))
    {
      stress_fate_expect_cancel (fate);
      dray_future_cancel (future);
    }
  else if (dray_future_is_done (future))
    {
      stress_judge (future);
    }
}

static void
use_list (StressExecutor *self, StressActor *actor, GListModel *list)
{
  guint n_items;

  watch_list (list);
  n_items = g_list_model_get_n_items (list);
  for (guint i = 0; i < MIN (n_items, 3); i++)
    {
      g_autoptr (GObject) item = g_list_model_get_item (list, stress_random (actor, n_items));

      if (item == NULL)
        soak_violation ("A list of %u has nothing at a place in there", n_items);
      else if (DRAY_IS_WORKER_PROCESS (item))
        use_worker (self, actor, DRAY_WORKER_PROCESS (item));
      else
        use_future (actor, DRAY_FUTURE (item));
    }
}

static void
check_counters (StressExecutor *self)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (self->executor);

  if (counters->succeeded + counters->failed + counters->cancelled > counters->submitted)
    soak_violation ("More tasks have ended than were submitted");
}

/* The lists are for one thread: that of whoever comes first. */
void
stress_do_lists (StressActor *actor)
{
  StressExecutor *self = stress_executor_pick (actor);
  gboolean mine;

  if (self == NULL)
    return;

  check_counters (self);
  g_mutex_lock (&lock);
  if (self->watcher == NULL && !actor->brief)
    self->watcher = actor;
  mine = self->watcher == actor && !actor->brief;
  g_mutex_unlock (&lock);

  if (mine)
    use_list (self, actor, dray_executor_get_futures (self->executor));
  if (mine)
    use_list (self, actor, dray_executor_get_workers (self->executor));
  stress_executor_unref (self);
}

/* --- All of them --- */

static void
free_weak_ref (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

void
stress_executors_open (const char *worker, gboolean deadly)
{
  worker_program = worker;
  common_ends = deadly ? SOAK_DIED | SOAK_LAUNCH | SOAK_SIGNALLED : 0;

  g_mutex_lock (&lock);
  executors = g_ptr_array_new_with_free_func ((GDestroyNotify) stress_executor_unref);
  weak_refs = g_ptr_array_new_with_free_func (free_weak_ref);
  g_mutex_unlock (&lock);
}

/* (transfer full): those that there still are */
static GPtrArray *
list_all (void)
{
  GPtrArray *all = g_ptr_array_new_with_free_func (g_object_unref);

  g_mutex_lock (&lock);
  for (guint i = 0; weak_refs != NULL && i < weak_refs->len; i++)
    {
      DrayExecutor *executor = g_weak_ref_get (weak_refs->pdata[i]);

      if (executor != NULL)
        g_ptr_array_add (all, executor);
    }
  g_mutex_unlock (&lock);

  return all;
}

void
stress_executors_resume (void)
{
  g_autoptr (GPtrArray) all = list_all ();

  for (guint i = 0; i < all->len; i++)
    dray_executor_set_paused (all->pdata[i], FALSE);
}

/* Those as well that only something has which nobody has any more. */
static void
end_leftovers (StressActor *actor)
{
  g_autoptr (GPtrArray) all = list_all ();

  for (guint i = 0; i < all->len; i++)
    dray_executor_shutdown_async (all->pdata[i], DRAY_SHUTDOWN_TERMINATE + stress_random (actor, 2),
                                  NULL, NULL, NULL);
}

void
stress_executors_close (StressActor *actor)
{
  GPtrArray *all;

  g_mutex_lock (&lock);
  all = g_steal_pointer (&executors);
  g_mutex_unlock (&lock);

  for (guint i = 0; i < all->len; i++)
    {
      StressExecutor *self = all->pdata[i];

      stress_risks_add (self->risks, SOAK_SHUT_DOWN | SOAK_CANCELLED);
      if (stress_chance (actor, 70))
        dray_executor_shutdown_async (self->executor, stress_random (actor, 4), NULL,
                                      last_shutdown_cb,
                                      stress_callback_new (actor, "the last shutdown", NULL));
    }
  end_leftovers (actor);
  g_ptr_array_unref (all);
}

void
stress_executors_free (void)
{
  g_mutex_lock (&lock);
  g_clear_pointer (&weak_refs, g_ptr_array_unref);
  g_mutex_unlock (&lock);
}
