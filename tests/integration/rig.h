/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The rig: an executor with misbehaving workers, and what a test of an application's side does
 * with it again and again. Its teardown drops the executor and checks, as the fixture does, that
 * nothing is left; a test that hangs is ended.
 *
 *   static void
 *   test_sum (Rig *rig, gconstpointer data)
 *   {
 *     g_autoptr (DrayFuture) future = NULL;
 *
 *     rig_start (rig, 1);
 *     future = rig_call (rig, "add", "(ii)", 2, 3);
 *     rig_expect_text (future, "5");
 *   }
 *
 *   rig_add ("/calls/sum", NULL, test_sum);
 */

#include "tally.h"

G_BEGIN_DECLS

typedef struct
{
  Fixture fixture; /* first */

  DrayExecutor *executor; /* (owned) (nullable) */
  char *directory;        /* (owned): a folder of the test's own, which is removed in the end */

  Tally tally;
  gboolean drops_futures; /* for a test of what becomes of futures that nobody has any more: they
                           * are not kept until they are told to have ended */
} Rig;

#define rig_add(path, data, test) g_test_add (path, Rig, data, rig_set_up, test, rig_tear_down)

/* Adds a test for each DrayShutdownMode, which is its data, with the mode's name behind @path. */
void rig_add_modes (const char *path, void (*test) (Rig *self, gconstpointer data));

void rig_set_up (Rig *self, gconstpointer data);
void rig_tear_down (Rig *self, gconstpointer data);

/* (transfer full): for misbehaving workers, started with @mode (nullable) as their argument */
DrayLauncher *rig_new_launcher (const char *mode);
/* Makes the executor: with misbehaving workers, with those of @launcher (taken), with none. */
void rig_start (Rig *self, guint max_workers);
void rig_start_with (Rig *self, DrayLauncher *launcher, guint max_workers);
void rig_start_without_workers (Rig *self);
/* Shuts the executor down, blocking, and drops it. */
void rig_shut_down (Rig *self, DrayShutdownMode mode);

/* Counts how often @future is told to have ended, and returns it. What comes from the functions
 * below is counted by them. */
DrayFuture *rig_count (Rig *self, DrayFuture *future);
/* (transfer full). The arguments are as those of g_variant_new(); @format: (nullable). */
DrayFuture *rig_call (Rig *self, const char *function, const char *format, ...);
/* (transfer full): an array that owns futures; @n calls without arguments are added to one. */
GPtrArray *rig_new_futures (void);
void rig_add_calls (Rig *self, GPtrArray *futures, const char *function, guint n);
/* (transfer full). Takes @task. */
DrayFuture *rig_submit (Rig *self, DrayTask *task);
/* (transfer full): a task for rig_submit(), its arguments in GVariant's text format (nullable) */
DrayTask *rig_new_task (const char *function, const char *arguments);
/* (transfer full): a task without arguments, to which the open file @fd is attached */
DrayTask *rig_new_task_with (const char *function, int fd);

/* Each iterates the main context until the future is done, and checks how it ended. */
GVariant *rig_expect_result (DrayFuture *future);
guint32 rig_expect_uint32 (DrayFuture *future);
/* What "bytes" and "stream" make. */
void rig_expect_bytes (DrayFuture *future, gsize size);
void rig_expect_text (DrayFuture *future, const char *expected);
/* @pattern: (nullable): of the message, as of g_pattern_match_simple() */
void rig_expect_error (DrayFuture *future, GQuark domain, int code, const char *pattern);
void rig_expect_cancelled (DrayFuture *future);

/* Calls of misbehaving workers that fail, each in its way. */
typedef struct
{
  const char *function;
  const char *arguments; /* (nullable): in GVariant's text format */
  int code;              /* of DRAY_ERROR */
} RigMisdeed;

extern const RigMisdeed rig_misdeeds[7];

/* (transfer full): the process that runs the next call; for executors of one worker */
int rig_ask_pid (Rig *self);

/* Each iterates the main context. A task that runs may be done by then. */
void rig_run_until_running (DrayFuture *future);
void rig_run_until_status (DrayFuture *future, const char *status);
void rig_run_until_all_done (GPtrArray *futures);
void rig_run_until_file (const char *path);
/* Until a counter has that value. */
#define rig_run_until_count(self, member, value) \
  rig_run_until_count_at (self, G_STRUCT_OFFSET (DrayCounters, member), value, #member)
void rig_run_until_count_at (Rig *self, gsize offset, guint64 value, const char *name);
#define rig_get_count(self, member) rig_get_count_at (self, G_STRUCT_OFFSET (DrayCounters, member))
guint64 rig_get_count_at (Rig *self, gsize offset);

/* Blocks, and so nothing is delivered, until the worker with that pid waits. It runs the task of
 * @future, and when that has set a status there is no room for all that it has to send. Returns
 * FALSE if @future was done before. */
gboolean rig_block_until_full (Rig *self, DrayFuture *future, int pid);

/* Gives the library the time to do what it should not: another executor, on the same I/O thread,
 * does a few hundred calls. Nothing is delivered meanwhile. */
void rig_let_time_pass (void);

/* (transfer full): in the test's own folder */
char *rig_dup_path (Rig *self, const char *name);

G_END_DECLS
