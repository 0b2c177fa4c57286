/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Two bare processes with a pipe each way and a socket: what can be had without a library. One is
 * forked off the program before it has any thread; each has the other as its Bare. Everything
 * blocks. The pipes are as large as Dray's.
 */

#include "bench.h"

#include <sys/types.h>

G_BEGIN_DECLS

typedef struct
{
  int input;  /* (owned): read from it what the other writes */
  int output; /* (owned): what is written here, the other reads */
  int socket; /* (owned): both ways, also for descriptors */
  pid_t pid;  /* of the other; 0 in the one that was forked off */
} Bare;

/* Forks; the other runs @run, and ends. */
void bare_start (Bare *self,
                 void (*run) (Bare *host, const BenchOptions *options),
                 const BenchOptions *options);
/* Closes everything, which should be the other's sign to end, and waits until it has. */
void bare_stop (Bare *self);

/* All of @size. Returns FALSE where the other has closed its end before the first byte. */
gboolean bare_read (Bare *self, gpointer bytes, gsize size);
void bare_write (Bare *self, gconstpointer bytes, gsize size);

/* Takes @fd, and closes it. */
void bare_send_fd (Bare *self, int fd);
int bare_receive_fd (Bare *self);

G_END_DECLS
