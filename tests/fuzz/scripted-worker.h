/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * A worker as a script plays it, in a child that is no process. It can do what an honest worker
 * does, and a step at a time whatever else a process can do with its pipes, its passage and its
 * shared memory.
 *
 * What it hears from the host it checks: that must be frames which an honest worker would take.
 */

#include "fuzz.h"
#include "scripted-child.h"

G_BEGIN_DECLS

/* Does the next thing. */
void scripted_worker_act (DrayChild *child, FuzzScript *script);
/* Reads what the host has sent, and writes what it could not take before. TRUE if it could. */
gboolean scripted_worker_go_on (DrayChild *child);
/* Answers honestly whatever it was told to do and has not answered. */
void scripted_worker_answer_all (DrayChild *child);

G_END_DECLS
