/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The host's end of a channel, played by a test: it starts the misbehaving worker, speaks the
 * protocol frame by frame, and aborts the test program where it hears something else than it
 * expects, or nothing within a generous deadline.
 */

#include "dray-decoder.h"
#include "dray-message.h"
#include "dray-outbox.h"
#include "dray-passage.h"
#include "dray-ring.h"
#include "fixture.h"

G_BEGIN_DECLS

typedef struct
{
  Fixture fixture; /* first */

  int pid;       /* 0: not started, or reaped */
  int input_fd;  /* (owned): its standard input; -1 if closed. As the next two: */
  int output_fd; /* (owned) */
  int errors_fd; /* (owned) */

  DrayDecoder *decoder; /* (owned) */
  DrayOutbox *outbox;   /* (owned) */

  /* what it is offered beside the channel */
  DrayPassage *passage; /* (owned) (nullable) */
  DrayRing *ring;       /* (owned) (nullable): what comes there is not heard */
} WorkerPeer;

#define worker_peer_add(path, data, test) \
  g_test_add (path, WorkerPeer, data, worker_peer_set_up, test, worker_peer_tear_down)

void worker_peer_set_up (WorkerPeer *self, gconstpointer data);
/* Kills the worker if it is still there. */
void worker_peer_tear_down (WorkerPeer *self, gconstpointer data);

/* @mode: (nullable): the worker's argument; @variable: (nullable): "NAME=value" */
void worker_peer_spawn (WorkerPeer *self, const char *mode, const char *variable);
/* @prepare: (nullable): is called in the child before the worker is executed */
void worker_peer_spawn_prepared (WorkerPeer *self, GSpawnChildSetupFunc prepare, gpointer data);
/* The same, and the hello offers it a passage, or a ring. */
void worker_peer_spawn_with_passage (WorkerPeer *self);
void worker_peer_spawn_with_ring (WorkerPeer *self);
/* Spawns a worker and brings it to where it takes tasks. */
void worker_peer_start (WorkerPeer *self);
/* The same without the first. */
void worker_peer_make_ready (WorkerPeer *self);
/* Exchanges hellos. @arguments: (nullable): the initial ones, consumed if floating. */
void worker_peer_greet (WorkerPeer *self, GVariant *arguments);
/* The two halves of that. */
void worker_peer_hear_hello (WorkerPeer *self);
void worker_peer_say_hello (WorkerPeer *self, GVariant *arguments);

/* Sending. @arguments: (nullable): in GVariant's text format. What is pushed goes with the next
 * thing that is sent, in one write. */
void worker_peer_push (WorkerPeer *self, DrayMessage *message);
void worker_peer_push_submit (WorkerPeer *self,
                              guint64 id,
                              const char *function,
                              const char *arguments);
void worker_peer_send (WorkerPeer *self, DrayMessage *message);
void worker_peer_send_raw (WorkerPeer *self, const void *bytes, gsize size);
void worker_peer_submit (WorkerPeer *self, guint64 id, const char *function, const char *arguments);
/* The same, where the worker may have ended already. */
void
worker_peer_try_submit (WorkerPeer *self, guint64 id, const char *function, const char *arguments);
void worker_peer_cancel (WorkerPeer *self, guint64 id);
void worker_peer_recall (WorkerPeer *self);
void worker_peer_goodbye (WorkerPeer *self);
void worker_peer_close_input (WorkerPeer *self);
void worker_peer_close_output (WorkerPeer *self);

/* Hearing. The payload of the next frame, whatever it is; NULL at the end. */
GBytes *worker_peer_hear (WorkerPeer *self, DrayFrameHeader *header);
/* The next frame must be this one. Tasks are at their first attempt. */
GBytes *worker_peer_expect (WorkerPeer *self, DrayFrameType type, guint64 id);
GVariant *worker_peer_expect_value (WorkerPeer *self, DrayFrameType type, guint64 id);
/* @expected: in GVariant's text format, with types */
void worker_peer_expect_text (WorkerPeer *self,
                              DrayFrameType type,
                              guint64 id,
                              const char *expected);
/* @message: (nullable): any will do */
void worker_peer_expect_error (WorkerPeer *self,
                               guint64 id,
                               GQuark domain,
                               int code,
                               const char *message);
void worker_peer_expect_status (WorkerPeer *self, guint64 id, const char *text);
void worker_peer_expect_returned (WorkerPeer *self, guint64 id);

/* The end: nothing more is heard, all of its descriptors are closed, and it has ended like this.
 * (transfer full): what it wrote to standard error. */
char *worker_peer_expect_exit (WorkerPeer *self, int exit_status);
char *worker_peer_expect_signal (WorkerPeer *self, int signal_number);

G_END_DECLS
