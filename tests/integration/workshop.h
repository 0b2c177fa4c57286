/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The workshop: what the integration tests share beside the fixture. Executors of misbehaving
 * workers, records of what a future told, and a guard that ends a test program which hangs.
 */

#include "fixture.h"

G_BEGIN_DECLS

/* As fixture_add(), but the test is ended with a message when it hangs. */
#define workshop_add(path, data, test) \
  g_test_add (path, Fixture, data, workshop_set_up, test, workshop_tear_down)

void workshop_set_up (Fixture *fixture, gconstpointer data);
void workshop_tear_down (Fixture *fixture, gconstpointer data);
/* The guard alone, for a program that is no test; it counts anew from here. */
void workshop_guard (void);

/* An executor of misbehaving workers (transfer full); @mode and @argument, both nullable, are
 * those of the worker's command line. */
DrayExecutor *workshop_new (guint max_workers);
DrayExecutor *workshop_new_with_mode (guint max_workers, const char *mode, const char *argument);

/* How many of @n are enough: a tenth, and all with “-m slow”, as CI has it once. */
guint workshop_some_of (guint n);

/* Waits for the condition without iterating the main context of anybody: what was received stays
 * undelivered. */
void workshop_block_until (FixtureCondition condition, gpointer user_data, const char *what);
/* The same, for a state, and for the status text of a task. */
void workshop_block_until_running (DrayFuture *future);
void workshop_block_until_status (DrayFuture *future, const char *status);
/* The same, until so many bytes lie undelivered. */
void workshop_block_until_undelivered (DrayExecutor *executor, guint64 n_bytes);

/* A GThreadFunc: waits for @future, for ever. */
gpointer workshop_wait_thread (gpointer future);
/* A FixtureCondition: no more than one task of @executor is unfinished. */
gboolean workshop_has_one_left (gpointer executor);

/* What a future told in its main context. */
typedef struct
{
  DrayFuture *future; /* (owned) */
  guint n_items;
  guint64 n_bytes;
  guint n_done;         /* how often its done callback was called */
  guint n_ended;        /* how often its state was told to be final, which may be again */
  guint n_items_at_end; /* how many items had come by then */
} WorkshopRecord;

/* Takes the future. */
WorkshopRecord *workshop_watch (DrayFuture *future);
void workshop_record_free (WorkshopRecord *record);
/* Iterates until the end was told. */
void workshop_iterate_until_told (WorkshopRecord *record);

/* That the end was told once, after all items, and what it was. */
void workshop_assert_succeeded (WorkshopRecord *record);
void workshop_assert_failed (WorkshopRecord *record, GQuark domain, int code);
void workshop_assert_cancelled (WorkshopRecord *record);
/* @value: an `ay` as "bytes" and "stream" make it */
void workshop_assert_bytes (GVariant *value, gsize size);

/* A list of records (transfer full). */
GPtrArray *workshop_new_records (void);
void workshop_iterate_until_all_told (GPtrArray *records);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (WorkshopRecord, workshop_record_free)

G_END_DECLS
