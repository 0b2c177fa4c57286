/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * A dependent: something inside the library that goes on when a ticket is done. A combined future
 * has one for each of its parts, a step that follows another task has one, and so have the
 * members of a group.
 *
 * It is embedded in what it belongs to. While it is attached, the ticket's list holds it, and so
 * holds a reference on its owner; that reference comes back in exactly one of two ways:
 *
 *   detached ──attach──> attached ──the ticket is done──> in line ──run──> detached
 *                           └──────detach, by the owner────────────────────> detached
 *
 * It is run on the thread that completed the ticket, or, if that was done already, on the one that
 * attaches: no lock is held, and nothing of the application's may be called. What is run may
 * complete other tickets, whose dependents are then due: they come in a line, which the outermost
 * call on this thread works off. So a chain of any length takes no more stack than one step.
 */

#include "dray-ticket.h"

G_BEGIN_DECLS

typedef struct _DrayDependent DrayDependent;
struct _DrayDependent
{
  /* set by the owner */
  void (*run) (DrayDependent *self);
  DrayTicket *ticket; /* (owned): what it depends on */
  gboolean wants;     /* a reason to let the ticket's task go on: see dray_dependent_detach() */

  /* zeroed by the owner */
  GList link;        /* in the ticket's list, then in the line */
  gboolean attached; /* protected by the lock of the ticket's pool */
};

void dray_dependent_attach (DrayDependent *self);
/* Whether it was attached; then it is not run any more. @unwanted: (nullable): set if it was, to
 * whether no other dependent wants the ticket. */
gboolean dray_dependent_detach (DrayDependent *self, gboolean *unwanted);

/* Has a detached one run, from the line. */
void dray_dependent_run_soon (DrayDependent *self);

/* The ticket is done: moves its dependents to @line, to be run without the lock. */
void dray_dependents_steal_locked (DrayTicket *ticket, GQueue *line);
/* Empties @line. */
void dray_dependents_run (GQueue *line);

/* In a process that was forked: all of @dependents are done, also where another thread was about to
 * see to them. What is run takes its dependent out of them, under @lock. */
void dray_dependents_catch_up (GQueue *dependents, GMutex *lock);

G_END_DECLS
