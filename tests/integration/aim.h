/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Aiming: cancelling at the very moment of something else, on any machine and however busy it is.
 *
 * An aim is how long after its submit, or its start, a task is cancelled. Whoever learns that one
 * was cancelled too early, or too late, corrects it: the next ones are given more time, or less.
 * What moves it up and down is the number of those that were early and late, so these are about as
 * many, as long as there is a moment early enough and one late enough. The earliest one is before
 * the submitting thread does anything else.
 */

#include <dray.h>

G_BEGIN_DECLS

typedef struct
{
  double delay;  /* µs */
  double spread; /* of what is added to it by chance or taken from it, as a part of it */
  guint n_early;
  guint n_late;
} Aim;

#define AIM_INIT(first_delay, part)          \
  {                                          \
    .delay = (first_delay), .spread = (part) \
  }

void aim_correct (Aim *self, gboolean early);
/* That those on either side are a tenth at least. */
void aim_assert_share (guint n_one, guint n_other, const char *what);

/* Threads that wait for the moment, and cancel. */
typedef struct _Marksmen Marksmen;

Marksmen *marksmen_new (void);
/* Waits until all are cancelled that were to be. */
void marksmen_free (Marksmen *self);
/* @future was submitted just now. */
void marksmen_cancel (Marksmen *self, const Aim *aim, DrayFuture *future);
/* The same, but its time counts from when the task begins. */
void marksmen_cancel_running (Marksmen *self, const Aim *aim, DrayFuture *future);

G_END_DECLS
