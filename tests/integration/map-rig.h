/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What the tests of maps share, beside the rig: calls of the misbehaving worker's "step" with the
 * numbers from 0 on, of which some do something else, and a record of their outcomes.
 */

#include "rig.h"

G_BEGIN_DECLS

/* What the call of that number does; see tests/support/misbehaving-map.c. */
typedef const char *(*MapWhat) (guint64 index);

/* A generator, and what has come of its calls. */
typedef struct
{
  guint64 n_calls;  /* 0: no end */
  MapWhat what;     /* (nullable): each just returns its number and one */
  const char *path; /* (unowned) (nullable): where each call that is begun is noted */

  guint64 n_asked;
  guint64 n_outcomes;
  guint64 n_before; /* of those, taken before map_record_run() */
  guint64 n_values;
  guint64 n_errors;
  guint64 most_in_flight; /* asked for, and the outcome not taken */
  GHashTable *errors;     /* (owned): index → DrayOutcome that is an error */
  gboolean in_order;      /* so far */
  gboolean freed;         /* the generator's data was */
  gboolean done;          /* map_record_finish_cb() was called */
  GError *error;          /* (owned) (nullable): with that error */
} MapRecord;

MapRecord *map_record_new (guint64 n_calls, MapWhat what);
void map_record_free (MapRecord *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MapRecord, map_record_free)

/* (transfer full): a map of "step" over a generator that goes by @record. */
DrayMap *map_record_start (MapRecord *record, Rig *rig);
/* Takes down @outcome, after checking it: each call has one, a value is the right one. */
void map_record_take (MapRecord *self, DrayOutcome *outcome);
/* Takes the map's outcomes to its end, each with its own function. The main context is iterated, or
 * not. */
void map_record_run (MapRecord *self, DrayMap *map);
void map_record_wait (MapRecord *self, DrayMap *map);
/* Takes 2000 outcomes, and cancels the map, which is over when its workers have said so. */
#define MAP_N_BEFORE_CANCEL 2000
void map_record_cancel_confirmed (MapRecord *self, DrayMap *map);
/* As a DrayMapFunction, and a GAsyncReadyCallback for dray_map_for_each_async(). */
void map_record_outcome_cb (DrayMap *map, DrayOutcome *outcome, gpointer record);
void map_record_finish_cb (GObject *map, GAsyncResult *result, gpointer record);

/* That this call has failed so. */
void map_record_expect_error (MapRecord *self, guint64 index, GQuark domain, int code);
/* That each of the calls was begun just once, by the file in which they are noted. */
void map_expect_begun_once (const char *path, guint64 n_calls);

G_END_DECLS
