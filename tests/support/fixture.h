/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What the tests share: a fixture whose teardown fails the test that leaves something behind, and
 * ways to wait for conditions without ever sleeping for a length of time.
 *
 *   static void
 *   test_one_call (Fixture *fixture, gconstpointer data)
 *   {
 *     …
 *     fixture_run_until_done (future);
 *   }
 *
 *   fixture_add ("/executor/call", NULL, test_one_call);
 */

#include "belongings.h"

#include <dray.h>

G_BEGIN_DECLS

typedef struct
{
  Belongings before; /* how the process looked before the test */
} Fixture;

typedef gboolean (*FixtureCondition) (gpointer user_data);

#define fixture_add(path, data, test) \
  g_test_add (path, Fixture, data, fixture_set_up, test, fixture_tear_down)

/* For g_test_add(), where a test has a fixture of its own that begins with this one. */
void fixture_set_up (Fixture *self, gconstpointer data);
void fixture_tear_down (Fixture *self, gconstpointer data);

/* Iterates the thread's default main context until the process looks as it did at set_up(), and
 * tells: FALSE if it did not within the deadline, after a message with what was left over. */
gboolean fixture_settle (Fixture *self);

/* Each iterates the thread's default main context until something holds, and aborts the test
 * program when it does not within a generous deadline; @what is then in the message. */
void fixture_iterate_until (FixtureCondition condition, gpointer user_data, const char *what);
void fixture_iterate_until_true (const gboolean *flag, const char *what);
void fixture_iterate_until_gone (int pid);
/* Until @future is done and everything that it sent was delivered. */
void fixture_run_until_done (DrayFuture *future);

/* A condition: that this is what the task has said of its progress. */
typedef struct
{
  DrayFuture *future; /* (unowned) */
  const char *status; /* (unowned) (nullable) */
} FixtureStatus;

gboolean fixture_has_status (gpointer status);

/* By what limits of time are multiplied, as DRAY_TEST_TIME_FACTOR says: where everything takes
 * longer. */
gint64 fixture_get_time_factor (void);

/* The deadline of all of them, from now, on the monotonic clock in µs. */
gint64 fixture_get_deadline (void);

/* How much memory this process has, in bytes. */
gsize fixture_get_resident (void);

/* (transfer full): a main context that sets *@gone when it is gone, on whatever thread has the last
 * reference; nothing happens in it. Waits for that, iterating the thread's default one. */
GMainContext *fixture_new_mortal_context (int *gone); /* atomic */
void fixture_iterate_until_context_gone (const int *gone);

/* Whether the process has ended; one that is left as a zombie has. */
gboolean fixture_process_is_gone (int pid);
/* The same, as a FixtureCondition. */
gboolean fixture_is_gone (gpointer pid);
/* A FixtureCondition as well: whether the first thread of the process waits for something. */
gboolean fixture_is_asleep (gpointer pid);
/* The same: whether the process is stopped. */
gboolean fixture_is_stopped (gpointer pid);

/* A FixtureCondition: nothing waits in the executor, as its workers and commands have it all. */
gboolean fixture_has_given_out_all (gpointer executor);

/* (transfer full): a program that was built beside the tests, such as "misbehaving-worker". */
char *fixture_dup_program (const char *name);
char *fixture_dup_misbehaving_worker (void);

G_END_DECLS
