/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The scripted worker, seen from its two parts: scripted-worker.c (what an honest worker does) and
 * scripted-worker-acts.c (whatever else it may do).
 */

#include "dray-decoder.h"
#include "dray-message.h"
#include "dray-passage.h"
#include "dray-ring.h"
#include "dray-slot.h"
#include "scripted-worker.h"

G_BEGIN_DECLS

/* A task that it was given, and has not answered. */
typedef struct
{
  guint64 id;
  guint attempt;
  guint n_calls; /* 0: it is no chunk */
  gboolean cancelled;
} Heard;

typedef struct
{
  DrayChild *child;     /* (unowned) */
  DrayDecoder *decoder; /* (owned) */
  GArray *heard;        /* (owned) (element-type Heard): in order */
  Heard last;           /* the last one that was given, whatever became of it */
  GByteArray *unread;   /* (owned): what the host has not read, or what is held back */
  gsize n_gone;         /* so much of that, at the beginning, has gone out already */
  gboolean holds_back;
  gboolean reads;  /* its input */
  gboolean polite; /* it ends when it is told to */

  DrayHello hello;    /* what the host has said */
  DrayRing *ring;     /* (owned) (nullable): when it is used */
  gboolean has_poked; /* into it, so that nobody may know it any more */
  gboolean uses_ring;
  DrayPassage *passage; /* (owned) (nullable) */
  DraySlot *slot;       /* (owned) (nullable): number 1 */
  int slot_fd;          /* (owned): -1 */
} ScriptedWorker;

ScriptedWorker *scripted_worker_get (DrayChild *child);

/* (transfer none) (nullable): the one that the host has told it of. */
DrayRing *scripted_worker_get_ring (ScriptedWorker *self);

/* To be written to the ring or the output, at the latest when a step is over. */
void scripted_worker_write (ScriptedWorker *self, const guint8 *bytes, gsize size);
/* The same; clears @message, having passed its cargo. */
void scripted_worker_write_message (ScriptedWorker *self, DrayMessage *message);
/* Writes what was kept; what does not go in still is. Returns whether anything went out. */
gboolean scripted_worker_flush (ScriptedWorker *self);
/* Forgets what has gone out. */
void scripted_worker_tidy (ScriptedWorker *self);
/* Returns whether there was anything; it may be dead then. */
gboolean scripted_worker_read_input (ScriptedWorker *self);

void scripted_worker_say_hello (ScriptedWorker *self);
void scripted_worker_confirm_passage (ScriptedWorker *self);
void scripted_worker_say_ready (ScriptedWorker *self, gboolean with_ring);
/* It is answered. */
void scripted_worker_forget (ScriptedWorker *self, const Heard *task);
/* Honestly. */
void scripted_worker_answer (ScriptedWorker *self, const Heard *task);
void scripted_worker_write_value (ScriptedWorker *self,
                                  DrayFrameType type,
                                  const Heard *task,
                                  GVariant *value);
void scripted_worker_write_error (ScriptedWorker *self, const Heard *task, const GError *error);
void scripted_worker_write_outcomes (
  ScriptedWorker *self, const Heard *task, guint n_outcomes, guint n_returned, GVariant *value);

G_END_DECLS
