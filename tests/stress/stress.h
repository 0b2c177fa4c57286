/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What the parts of the stress test share. What it does is told in dray-stress.c; the promises, and
 * what is looked at in the end, are those of the soak test.
 */

#include "soak/soak.h"

G_BEGIN_DECLS

typedef struct _StressActor StressActor;
typedef struct _StressExecutor StressExecutor;
typedef struct _StressFate StressFate;

/* --- world.c: what all actors have in common --- */

typedef enum
{
  STRESS_FUTURES,
  STRESS_MAPS,
  STRESS_GROUPS,
  STRESS_QUEUES,
  STRESS_CANCELLABLES,
} StressKind;

#define STRESS_N_KINDS 5

void stress_world_open (void);
/* Nothing can be picked any more; what there was is dropped. */
void stress_world_empty (void);
void stress_world_close (void);

/* Takes @object (a GObject). Drops another one where there are many of them. */
void stress_put (StressActor *actor, StressKind kind, gpointer object);
/* (transfer full) (nullable): one of them, which is still there, or which is not any more */
gpointer stress_pick (StressActor *actor, StressKind kind);
gpointer stress_take (StressActor *actor, StressKind kind);
/* (transfer full) (nullable): in so many cases of a hundred */
GCancellable *stress_pick_cancellable (StressActor *actor, double percent);

/* --- actor.c: a thread that does one thing after the other --- */

struct _StressActor
{
  guint index;
  GRand *rand;           /* (owned) */
  GMainContext *context; /* (owned) */
  GThread *thread;       /* (owned) (nullable): NULL is the main thread */

  guint depth;    /* of operations, each in a callback of the one before */
  gboolean brief; /* in a context that is not iterated for long */
  gboolean lost;  /* in one that is let go of then */
  guint n_steps;  /* that are left */
};

/* The one of this thread. */
StressActor *stress_actor_get (void);
/* The main thread is the first one. Returns when all have done their steps, and all that was
 * promised was kept. */
void stress_actors_run (guint32 seed, guint n_steps);
/* Whether it may begin what calls back: where nobody iterates a context any more, such a thing
 * keeps the context, and is kept by it, for ever. That is GLib's way. */
gboolean stress_may_ask (StressActor *actor);
/* To be called in callbacks: does something else in there, perhaps. */
void stress_reenter (StressActor *actor);

gboolean stress_chance (StressActor *actor, double percent);
/* From 0 to @n - 1. */
guint stress_random (StressActor *actor, guint n);
/* In µs: none, a little, or for ever. */
gint64 stress_random_timeout (StressActor *actor);

/* --- fate.c: what is known of a future, and what must not be --- */

/* What may come to all tasks of an executor: SoakEnd. It is there for longer than the executor. */
typedef struct
{
  gatomicrefcount ref_count;
  int ends; /* atomic */
} StressRisks;

StressRisks *stress_risks_new (void);
StressRisks *stress_risks_ref (StressRisks *self);
void stress_risks_unref (StressRisks *self);
void stress_risks_add (StressRisks *self, guint ends);

struct _StressFate
{
  gatomicrefcount ref_count;

  /* set before it is submitted */
  char *what;         /* (owned): for people */
  StressRisks *risks; /* (owned) (nullable) */
  GPtrArray *parts;   /* (owned) (nullable): the fates that it comes of */
  guint depth;        /* of those */
  GVariant *expected; /* (owned) (nullable) */
  gboolean stops;     /* when it is cancelled, with less than that */
  gboolean pulled;    /* its items are */
  gboolean shared;    /* perhaps: others submit the same */
  gboolean lost;      /* its context is */
  gboolean numbered;  /* its items are 0, 1 … n_items - 1 */
  gboolean heard;     /* all its items, by signal */
  guint n_items;

  /* atomic */
  int ends; /* SoakEnd */
  int state;
  int n_notified;
  int ended_well; /* its items */
  int discarded;  /* nobody wants any more of them */

  /* protected by the lock */
  GMutex lock;
  guint8 *seen; /* (owned) (nullable): for each item */
  guint n_seen;

  /* in the future's context only */
  guint next_item;
};

StressFate *stress_fate_new (const char *what, StressRisks *risks, guint ends);
StressFate *stress_fate_ref (StressFate *self);
void stress_fate_unref (StressFate *self);
void stress_fate_add_part (StressFate *self, StressFate *part);
/* From now on it may end so; those that it comes of as well, where it is about to be cancelled. */
void stress_fate_add (StressFate *self, guint ends);
void stress_fate_expect_cancel (StressFate *self);
guint stress_fate_get_ends (StressFate *self);
/* Takes @self. */
void stress_fate_set (StressFate *self, DrayFuture *future);
/* (transfer none) (nullable): NULL for those that combinations make */
StressFate *stress_fate_get (gpointer future);

/* Those that there are; on standard error. */
guint stress_count_futures (void);
void stress_print_futures (void);

/* As it has ended. */
void stress_fate_judge_end (StressFate *self, GVariant *result, const GError *error);
void stress_judge (DrayFuture *future);
void stress_fate_see_item (StressFate *self, GVariant *item);

/* --- callback.c: what is to be called back --- */

typedef struct
{
  const char *what;      /* (static) */
  GMainContext *context; /* (owned) (nullable): where it has to be; NULL: anywhere */
  StressFate *fate;      /* (owned) (nullable) */
  gpointer promise;      /* NULL: it may never come */
  guint n;               /* the caller's */
  int n_calls;           /* atomic */
} StressCallback;

/* To come in the thread's default context, or in that of the future or any. @fate: (nullable) */
StressCallback *stress_callback_new (StressActor *actor, const char *what, StressFate *fate);
StressCallback *
stress_callback_new_anywhere (StressActor *actor, const char *what, StressFate *fate);
/* To be called first in the callback. */
void stress_callback_enter (StressCallback *self);
/* The same, where it is a GDestroyNotify. */
void stress_callback_enter_destroy (gpointer self);
/* On standard error. */
void stress_callbacks_print_open (void);
/* At the end of a round, and at the very end. */
void stress_callbacks_forget_contexts (void);
void stress_callbacks_free (void);

/* --- executors.c --- */

struct _StressExecutor
{
  gatomicrefcount ref_count;
  DrayExecutor *executor; /* (owned) */
  StressRisks *risks;     /* (owned) */

  /* protected by the lock of all */
  StressActor *watcher; /* (unowned) (nullable): who looks at the lists */
};

void stress_executors_open (const char *worker, gboolean deadly);
/* (transfer full) (nullable) */
StressExecutor *stress_executor_pick (StressActor *actor);
void stress_executor_unref (StressExecutor *self);
/* Any thread: none stays paused. */
void stress_executors_resume (void);
/* No new ones. Each is shut down, or dropped; those that nobody has any more are ended. */
void stress_executors_close (StressActor *actor);
/* When all was kept. */
void stress_executors_free (void);

/* --- tasks.c --- */

/* (transfer full): something to do, and what is to come of it (transfer full) */
DrayTask *stress_task_new (StressActor *actor, StressExecutor *executor, StressFate **fate);
/* (transfer full) (nullable): the same for one of the executors (transfer full); NULL: there is
 * none */
DrayTask *stress_task_for_any (StressActor *actor, StressExecutor **executor, StressFate **fate);

/* --- futures.c --- */

/* Takes both. What was submitted just now, by this thread: is followed, and perhaps kept. */
void stress_follow (StressActor *actor, DrayFuture *future, StressFate *fate);

/* --- Operations --- */

typedef void (*StressOperation) (StressActor *actor);

void stress_do_submit (StressActor *actor);
void stress_do_ask (StressActor *actor);
void stress_do_then (StressActor *actor);
void stress_do_combine (StressActor *actor);
void stress_do_wait (StressActor *actor);
void stress_do_cancel (StressActor *actor);
void stress_do_drop (StressActor *actor);
void stress_do_priority (StressActor *actor);
void stress_do_done (StressActor *actor);
void stress_do_result (StressActor *actor);
void stress_do_look (StressActor *actor);
void stress_do_pull (StressActor *actor);
void stress_do_map (StressActor *actor);
void stress_do_drop_map (StressActor *actor);
void stress_do_group (StressActor *actor);
void stress_do_queue (StressActor *actor);
void stress_do_executor (StressActor *actor);
void stress_do_property (StressActor *actor);
void stress_do_shutdown (StressActor *actor);
void stress_do_lists (StressActor *actor);
void stress_do_kill (StressActor *actor);
void stress_do_fork (StressActor *actor);

/* --- faults.c --- */

/* Whether processes are killed by others than the library. */
void stress_faults_open (gboolean deadly);
/* Any thread: what was stopped goes on. */
void stress_faults_release (void);
/* When what was forked is gone. */
void stress_faults_close (void);

G_END_DECLS
