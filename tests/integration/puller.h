/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The puller: asks a future for its items, which are numbers from 0 on, until there are no more.
 *
 *   g_auto (Puller) self = { .max_items = 100 };
 *   g_autoptr (DrayFuture) future = puller_submit_numbers (rig, 1000);
 *
 *   puller_pull_all (future, &self);
 *   g_assert_no_error (self.error);
 *   g_assert_cmpuint (self.n_items, ==, 1000);
 */

#include "rig.h"

G_BEGIN_DECLS

typedef struct
{
  guint max_items; /* 0: one at a time, with the function for one */
  guint32 n_items; /* so far */
  guint n_answers; /* the last one, which was the end, included */
  gboolean ended;
  GError *error; /* (owned) (nullable) */
} Puller;

void puller_clear (Puller *self);

/* (transfer full): of a call whose items are pulled; @arguments: as those of rig_new_task() */
DrayFuture *puller_submit (Rig *rig, const char *function, const char *arguments);
/* (transfer full): of a call that sends the numbers below @n */
DrayFuture *puller_submit_numbers (Rig *rig, guint n);
/* Iterates the thread's default main context until the end is told. */
void puller_pull_all (DrayFuture *future, Puller *self);

/* Each takes what it checks to be the number *n, or those from there on, and counts on. */
void puller_check_number (GVariant *item, guint32 *n);
void puller_check_numbers (GPtrArray *items, guint32 *n);

/* The callback of a request for one item: adds the number (or -1 for the end, or -100 less the
 * code of the error) to @answers, a GArray of int. */
void puller_note_cb (GObject *future, GAsyncResult *result, gpointer answers);
/* A FixtureCondition: there are thirty. */
gboolean puller_has_thirty (gpointer answers);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Puller, puller_clear)

G_END_DECLS
