/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The process: what a pooled worker and a command have in common. A child in a process group of
 * its own, its standard output and standard error being read, and an end that is not told before
 * all that it wrote was read.
 *
 *   alive ──exits──> draining ──all that it wrote was read──> gone
 *     └───its output ends──> closed ──exits──> gone
 *
 * - When it exits, its group is killed: whatever it started must not outlive it. What it wrote is
 *   safe in the pipe, and is all that is still read. Something that left the group (setsid) may
 *   hold the pipe open, and even write to it for ever.
 * - When its output ends but it doesn't exit, it is ended after END_TIME.
 * - Ending it: dray_process_end() and its like send TERM to the group at half of the grace period
 *   and KILL at its end. Where that is because of a task, the owner is asked right before.
 *
 * Reading can be held back (dray_process_set_reading), until it exits; then nothing is lost.
 */

#include "dray-child.h"
#include "dray-pool.h"

G_BEGIN_DECLS

typedef struct _DrayProcess DrayProcess;

typedef struct
{
  /* Bytes can be read from output_fd: read some (not for ever). FALSE: no more will come. @again:
   * this was asked for, perhaps nothing can be read. */
  gboolean (*read_output) (DrayProcess *self, gboolean again);
  /* Input can be written. */
  void (*write_input) (DrayProcess *self);
  /* How much of what it wrote is to be read still, in bytes. NULL: what lies in the pipe. */
  gsize (*count_unread) (DrayProcess *self);
  /* It is about to be sent a signal for the sake of what it does: see dray_process_end_task().
   * FALSE: that is over, or put off, or the process is gone. */
  gboolean (*may_end) (DrayProcess *self);
  /* It exited, was sent a signal, or its output ended: no use to give it more to do. */
  void (*ending) (DrayProcess *self);
  /* It has exited and all was read; called from the loop or from the functions below that say
   * so. The owner frees it. */
  void (*gone) (DrayProcess *self);
} DrayProcessFuncs;

/* I/O thread only. */
struct _DrayProcess
{
  const DrayProcessFuncs *funcs;
  DrayPool *pool;   /* (unowned): outlives its processes */
  DrayIoThread *io; /* (unowned): held by the pool */
  DrayChild *child; /* (owned) (nullable) */
  int input_fd;     /* (owned): our end of its standard input; -1 when closed */
  int output_fd;    /* (owned) */
  int errors_fd;    /* (owned); -1 where it is not captured, or has ended */
  DrayIoWatch input;
  DrayIoWatch output;
  DrayIoWatch errors;
  DrayTail tail;
  DrayIoTimer end_timer;
  gboolean reading;
  gsize undrained; /* bytes in the pipe when it exited that were not read since */
  gboolean output_ended;
  gint64 half_grace; /* µs */
  gboolean for_task; /* it is being ended because of what it does now, and for nothing else */
  gboolean terminated;
  gboolean killed; /* we sent it KILL */
};

/* Spawns; @self is zeroed memory but for what it is embedded in. The standard output and (with
 * @capture_errors) standard error of @spawn are set here, its standard input only with
 * @pipe_input. The errors are of DRAY_ERROR_LAUNCH. */
gboolean dray_process_start (DrayProcess *self,
                             DrayPool *pool,
                             const DrayProcessFuncs *funcs,
                             DraySpawn *spawn,
                             gboolean pipe_input,
                             gboolean capture_errors,
                             GError **error);
/* In a process that was forked: closes its pipes. It must not be used any more. */
void dray_process_forked (DrayProcess *self);
/* Frees everything but @self, which must be gone or not started. */
void dray_process_clear (DrayProcess *self);

/* As large as they get: fewer turns of the loop for what is large. Costs a moment, and memory once
 * they are filled. */
void dray_process_enlarge_pipes (DrayProcess *self);

/* For read_output(): so many bytes were read. */
void dray_process_note_read (DrayProcess *self, gsize size);
void dray_process_set_reading (DrayProcess *self, gboolean reading);
/* What lies in the pipe, in bytes. */
gsize dray_process_count_piped (DrayProcess *self);
void dray_process_set_writing (DrayProcess *self, gboolean writing);
void dray_process_close_input (DrayProcess *self);
/* In @grace ms it is to be gone; a later call can only make it sooner. 0 kills at once. */
void dray_process_end (DrayProcess *self, guint grace);
/* The same, because of what it does now: it may still be spared. Never at once, but from the
 * loop. */
void dray_process_end_task (DrayProcess *self, guint grace);
/* The same without the polite half: TERM now, KILL after the whole of @grace. */
void dray_process_terminate (DrayProcess *self, guint grace);
gboolean dray_process_is_ending (DrayProcess *self);
/* What was said by end_task() is about to happen: at @deadline (monotonic, µs) instead, be that
 * later or sooner. Where that is past already, in the next turn of the loop. */
void dray_process_set_end_time (DrayProcess *self, gint64 deadline);
/* It did what was asked after all: what was said by end_task() is taken back. */
void dray_process_spare (DrayProcess *self);
/* Reads what lies there now. FALSE: that was the last of it, and the process is gone. */
gboolean dray_process_hear (DrayProcess *self);
/* (transfer full): what it last wrote to standard error, to end an error message with:
 * "\nIt said:\n…", or "". */
char *dray_process_dup_last_words (DrayProcess *self);

G_END_DECLS
