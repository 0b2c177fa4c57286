/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What the parts of the soak test share. What it does is told in dray-soak.c.
 *
 * Everything that has to happen exactly once is a promise: that a done callback is called, that an
 * asynchronous operation calls back, that a wait returns. Each has a number of its own, which is
 * the data of the callback. Whoever keeps a promise that is not open has been called twice; what is
 * open in the end was never kept. So the counting does not depend on the memory of what is counted.
 */

#include <dray.h>

G_BEGIN_DECLS

/* How something has ended. These are flags: what is right is a set of them. */
typedef enum
{
  SOAK_SUCCEEDED = 1 << 0,
  SOAK_CANCELLED = 1 << 1,
  SOAK_DIED = 1 << 2,
  SOAK_PROTOCOL = 1 << 3,
  SOAK_TIMED_OUT = 1 << 4,
  SOAK_LAUNCH = 1 << 5,
  SOAK_SHUT_DOWN = 1 << 6,
  SOAK_QUEUE_FULL = 1 << 7,
  SOAK_OWN_ERROR = 1 << 8, /* what the function, or the program, fails with by itself */
  SOAK_SIGNALLED = 1 << 9, /* a command, by a signal */
  SOAK_OTHER = 1 << 10,
} SoakEnd;

#define SOAK_N_ENDS 11

/* --- tally.c: promises, ends, and what must not be --- */

typedef struct _SoakDriver SoakDriver;

/* Returns the data for the callback. @what: (static): for people; @data: (owned) (nullable), and
 * how to free it. @driver: (nullable): for whose limit it counts */
gpointer
soak_promise_new (SoakDriver *driver, const char *what, gpointer data, GDestroyNotify destroy);
/* (transfer full) (nullable): the data. FALSE: it is not open (which is counted). */
gboolean soak_promise_keep (gpointer promise, gpointer *data);
/* A GDestroyNotify, which is called in place of a callback. */
void soak_promise_keep_only (gpointer promise);
guint soak_count_open (void);
/* For how long the oldest open one has been so, in µs. */
gint64 soak_get_oldest (void);
/* What is open, on standard error. */
void soak_print_open (void);

SoakEnd soak_classify (const GError *error);
const char *soak_describe_end (SoakEnd end);
void soak_count_end (SoakEnd end);
void soak_count_tasks (guint n);
guint64 soak_get_n_tasks (void);
guint64 soak_get_n_of (SoakEnd end);

/* Something that must not be. Says so, and makes the test fail. */
void soak_violation (const char *format, ...) G_GNUC_PRINTF (1, 2);
guint soak_get_n_violations (void);
guint soak_get_n_twice (void);

/* --- surroundings.c: what this process has --- */

typedef struct
{
  guint n_descriptors;
  guint n_threads;
  guint n_children;
  guint n_mappings; /* that others could share */
  double resident;  /* MiB */
} SoakSurroundings;

void soak_surroundings_read (SoakSurroundings *self);
gboolean soak_has_thread (const char *name);
/* (transfer full) (element-type int): the numbers of all children, as far as the kernel lists them
 * while they come and go */
GArray *soak_list_children (void);
/* On standard error. */
void soak_print_children (void);
/* To a child of this process, and nobody else, however fast it may end. Returns whether it went. */
gboolean soak_signal_child (int pid, int signal_number);
/* Ends what is left, for a test that gives up. */
void soak_kill_children (void);

/* --- stock.c: the executors --- */

typedef struct
{
  /* set at construction */
  const char *name; /* (static) */
  gboolean tight;   /* its queue is short */

  /* atomic */
  gatomicrefcount ref_count;
  int retired; /* it was, or is about to be, shut down */
  int emptied; /* all of its tasks were, or are about to be, cancelled */

  /* protected by the lock of all */
  DrayExecutor *executor; /* (owned) (nullable) */
} SoakStock;

void soak_stock_open (const char *worker, GRand *rand);
/* Main thread. Replaces one of them, and does this and that to another. */
void soak_stock_stir (GRand *rand);
/* Main thread. Nobody stirs any more: none stays paused. */
void soak_stock_calm (void);
/* Main thread. What is asked for is a promise. */
void soak_stock_close (GRand *rand);
/* (transfer full) */
SoakStock *soak_stock_pick (GRand *rand);
SoakStock *soak_stock_new_visitor (GRand *rand);
/* Ends it in some way; not to be used afterwards. */
void soak_stock_retire (SoakStock *self, GRand *rand, SoakDriver *driver);
SoakStock *soak_stock_ref (SoakStock *self);
void soak_stock_unref (SoakStock *self);
/* (transfer full) */
DrayExecutor *soak_stock_dup_executor (SoakStock *self);

/* --- hands.c: threads that wait --- */

typedef void (*SoakHandFunc) (gpointer data);

void soak_hands_open (void);
void soak_hands_push (SoakHandFunc function, gpointer data);
/* For what never blocks. */
void soak_hands_push_quick (SoakHandFunc function, gpointer data);
void soak_hands_close (void);

/* --- driver.c: a main context in which tasks are submitted, and hear of their ends --- */

struct _SoakDriver
{
  GRand *rand;           /* (owned) */
  GMainContext *context; /* (owned) */
  GMainLoop *loop;       /* (owned) */
  GThread *thread;       /* (owned) (nullable) */

  /* atomic */
  int n_open; /* promises */
  int stopping;
};

SoakDriver *soak_driver_new (guint32 seed, GMainContext *context);
void soak_driver_start (SoakDriver *self);
/* Submits no more, and ends its thread when all that was promised was kept. */
void soak_driver_stop (SoakDriver *self);
gboolean soak_driver_has_work (SoakDriver *self);
void soak_driver_free (SoakDriver *self);

/* --- chance.c --- */

/* Whether something happens that happens so often in a hundred. */
gboolean soak_chance (GRand *rand, double percent);
/* Which of @n: each as often among the others as its weight says. The weights are so many bytes
 * apart from each other. */
guint soak_pick_by_weight (GRand *rand, const guint *weights, gsize distance, guint n);
/* The same, where each element of an array has its weight. */
#define SOAK_PICK(rand, array, n) soak_pick_by_weight (rand, &(array)->weight, sizeof *(array), n)

/* --- tasks.c: single tasks --- */

typedef struct _SoakTask SoakTask;
typedef struct _SoakKind SoakKind;

struct _SoakKind
{
  const char *name;
  guint weight; /* how often, among the others */
  DrayTask *(*make) (SoakTask *self, GRand *rand);
  /* Whether that is the right result, and the right item. */
  gboolean (*check) (SoakTask *self, GVariant *result);
  gboolean (*check_item) (SoakTask *self, GVariant *item);
  guint ends;       /* SoakEnd: how it may end if nobody interferes */
  gboolean lingers; /* until it is cancelled, or killed */
  gboolean plain;   /* fast, with a result: to be combined with others */
};

struct _SoakTask
{
  gatomicrefcount ref_count;
  const SoakKind *kind;
  SoakStock *stock; /* (owned) */
  SoakDriver *driver;
  GPtrArray *parts;   /* (owned) (nullable): the tasks that it comes of */
  DrayFuture *future; /* (owned) (nullable): until it is done */

  /* what it was asked for */
  guint n;
  guint size;
  guint seed;
  GVariant *value; /* (owned) (nullable) */
  gboolean limited;
  guint retries;

  guint n_items;
  int may_be_cancelled; /* atomic */
};

extern const SoakKind soak_calls[];
extern const SoakKind soak_commands[];

SoakTask *soak_task_new (SoakDriver *driver, SoakStock *stock, const SoakKind *kind);
SoakTask *soak_task_ref (SoakTask *self);
void soak_task_unref (SoakTask *self);
/* Makes a task of the kind, with this and that set. (transfer full) */
DrayTask *soak_task_make (SoakTask *self);
/* Takes @future; promises its end, and checks it. Adds to that what else may be done to it. */
void soak_task_watch (SoakTask *self, DrayFuture *future);
/* As it has ended: counts and checks that. */
void soak_task_judge (SoakTask *self, GVariant *result, const GError *error);
guint soak_task_get_ends (SoakTask *self);
/* From now on the task may end as cancelled. */
void soak_task_expect_cancel (SoakTask *self);
gboolean soak_task_may_be_cancelled (SoakTask *self);

const SoakKind *soak_pick_kind (const SoakKind *kinds, GRand *rand, gboolean plain);
SoakTask *soak_submit (SoakDriver *driver, SoakStock *stock, const SoakKind *kind);

/* --- Operations: each begins something in the driver's main context --- */

typedef void (*SoakOperation) (SoakDriver *driver, SoakStock *stock);

void soak_do_single (SoakDriver *driver, SoakStock *stock);
void soak_do_command (SoakDriver *driver, SoakStock *stock);
void soak_do_async (SoakDriver *driver, SoakStock *stock);
void soak_do_room (SoakDriver *driver, SoakStock *stock);
void soak_do_combine (SoakDriver *driver, SoakStock *stock);
void soak_do_then (SoakDriver *driver, SoakStock *stock);
void soak_do_group (SoakDriver *driver, SoakStock *stock);
void soak_do_queue (SoakDriver *driver, SoakStock *stock);
void soak_do_pull (SoakDriver *driver, SoakStock *stock);
void soak_do_map (SoakDriver *driver, SoakStock *stock);
void soak_do_visit (SoakDriver *driver, SoakStock *stock);
void soak_do_abandon (SoakDriver *driver, SoakStock *stock);

/* --- killer.c --- */

/* Main thread: kills somebody; to be called again and again. */
void soak_kill_one (GRand *rand);
guint soak_get_n_kills (void);
/* Lets those go on that were stopped. */
void soak_killer_finish (void);

/* (transfer full): a live worker of the executors, chosen at random; or NULL */
DrayWorkerProcess *soak_stock_pick_worker (GRand *rand);

G_END_DECLS
