/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What the workers of dray-bench, which are the program itself, can do.
 */

#include "bench.h"

G_BEGIN_DECLS

/* x -> x: the number after it */
#define BENCH_SUCCESSOR "successor"
/* () -> (): emits an empty item, and runs until it is cancelled */
#define BENCH_STAY "stay"
/* () -> (): emits (ii), its process id and 0, and runs until it is cancelled */
#define BENCH_LINGER "linger"
/* () -> (): emits (ii), its process id and that of a child, and runs for ever. Both ignore
 * SIGTERM. */
#define BENCH_LINGER_DEAF "linger-deaf"
/* (tt) -> ay: so many bytes, each of which is the lowest byte of the second number */
#define BENCH_FILL "fill"
/* t -> (): emits so many items of 16 bytes: a number, counted from 0, and bench_checksum() of it */
#define BENCH_EMIT_SMALL "emit-small"
/* t -> (): emits so many items of BENCH_CHUNK_SIZE bytes, which are the chunks of bench_chunks */
#define BENCH_EMIT_LARGE "emit-large"

#define BENCH_CHUNK_SIZE ((gsize) 64 * 1024)

/* A few different chunks are sent in turns, so that one that comes twice, or is left out, is
 * noticed; and few enough, so that they are warm wherever they go. */
#define BENCH_N_CHUNKS 8

int bench_run_worker (void);

/* Where a number has company, this is it. */
gint64 bench_checksum (gint64 number);

/* The chunk that the one with this number in a stream is like; each is filled with its number. */
const guint8 *bench_get_chunk (guint64 number);
/* Ends the program unless @bytes are the chunk with this number. Looks at their ends only. */
void bench_check_chunk (const guint8 *bytes, gsize size, guint64 number);

/* Ends the program unless all of @bytes are @value. Looks at one in each MiB, and at the last. */
void bench_check_filled (const guint8 *bytes, gsize size, guint8 value);

G_END_DECLS
