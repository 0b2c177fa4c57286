/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* What the parts of the misbehaving worker share; what it is for is told in
 * misbehaving-worker.c. */

#include <dray.h>

/* How long "for ever" lasts, in seconds: a test that fails leaves nothing behind for long. */
#define MISBEHAVING_LIFETIME 300

/* The channel, as it was before the library took it. */
extern int misbehaving_wire_fd;

/* The socket for descriptors, likewise; -1 if there is none. */
extern int misbehaving_passage_fd;

typedef struct
{
  guint32 magic;
  guint8 version;
  guint8 type;
  guint16 flags;
  guint64 task_id;
  guint32 attempt;
  guint32 length;
} MisbehavingHeader;

MisbehavingHeader misbehaving_make_header (guint8 type,
                                           guint64 task_id,
                                           guint attempt,
                                           guint32 length);
void misbehaving_write_raw (const void *bytes, gsize size);
void misbehaving_write_frame (
  guint8 type, guint16 flags, guint64 task_id, guint attempt, const void *payload, gsize size);
/* A hello as a worker of that protocol version says it, or (@swap) one of the other byte order. */
void misbehaving_write_hello (guint8 version, gboolean swap);
/* FALSE: @how is none of the ways. */
gboolean misbehaving_lie_in_hello (const char *how);

/* In the memory that is shared with the host (unowned) (nullable): how far it was written, the task
 * that was begun last, and the ledger behind it. Whoever changes the first has to ring. */
guint64 *misbehaving_find_ring_position (void);
guint64 *misbehaving_find_gate (void);
gpointer misbehaving_find_ledger (void);
void misbehaving_ring_bell (void);

/* What another thread polls stays open until it looks again, whatever becomes of the descriptor. So
 * the one that watches the channel is woken, and has looked when it has read what woke it. */
void misbehaving_wake_watcher (void);

/* Leaves it in the ledger that all outcomes were sent which lie there, and is killed. */
void misbehaving_forget_outcomes (void) G_GNUC_NORETURN;

/* Half of the frame of a result of so many bytes. */
void misbehaving_write_half_frame (DrayJob *job, gsize size);

/* In one of these ways: "kill", "crash", "abort", "exit-0", "exit-3", "memory" (there is none
 * left), "oom" (killed while it takes more and more of that). */
void misbehaving_die (const char *way);
/* The same, if it can make the file @path; with "" always. */
void misbehaving_die_once (const char *way, const char *path);

void misbehaving_pause_for_ever (void);
/* An ay of so many bytes (floating). */
GVariant *misbehaving_new_bytes (gsize size);
/* Adds a number to the file of that name. */
void misbehaving_record (const char *filename, guint32 number);
/* Waits until @job is cancelled, and returns NULL with the error that says so. */
GVariant *misbehaving_block (DrayJob *job, GError **error);
/* For who has broken the protocol: were it cancelled, and did return, the task behind it would
 * begin, and be lost as well. In a ring, what the library answers meanwhile may come to lie over
 * what was written there behind its back, so there is more of that, until it is seen. */
void misbehaving_wait_for_kill (void) G_GNUC_NORETURN;
void misbehaving_raise_by_default (int signal_number);

typedef struct
{
  const char *name;
  const char *type; /* of the arguments */
  DrayFunction function;
  gpointer data;
} MisbehavingFunction;

/* Each ends with one that has no name. */
extern const MisbehavingFunction misbehaving_functions[];
extern const MisbehavingFunction misbehaving_map_functions[];
extern const MisbehavingFunction misbehaving_cargo_functions[];
extern const MisbehavingFunction misbehaving_escape_functions[];
extern const MisbehavingFunction misbehaving_wire_functions[];
extern const MisbehavingFunction misbehaving_death_functions[];
extern const MisbehavingFunction misbehaving_lies_functions[];
extern const MisbehavingFunction misbehaving_signal_functions[];

/* As misbehaving_block(), but nothing except the signal wakes it up. */
GVariant *misbehaving_wait_for_signal (DrayJob *job, GError **error);
/* Has it send SIGUSR1 to what is cancelled, which counts that. */
void misbehaving_take_cancel_signal (DrayWorker *worker);

/* What runs (unowned) (nullable) */
extern DrayJob *volatile misbehaving_job;

/* What dray_worker_run() is called for (unowned) */
extern DrayWorker *misbehaving_the_worker;

/* What "init-args" and "counter" return. */
extern GVariant *misbehaving_initial_arguments; /* (owned) (nullable) */
extern guint misbehaving_n_calls;
