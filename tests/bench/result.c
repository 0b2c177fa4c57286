/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bare.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * result_64mib_gib_per_second: a process is asked for 64 MiB, fills them, and hands them over; it
 * is asked again when they were looked at and let go of. The bytes are different ones each time.
 * Filling them is part of the time, reading them is not, but for one byte in each MiB. One result
 * goes before those that count.
 *
 *   dray               the result of a call, written to memory that the library gave for it
 *   dray_recycled      the same, with workers that are trusted: that memory is shared, and is used
 *                      again
 *   memfd_limit        two bare processes: filled in memory that stays warm, written to new shared
 *                      memory, which is sealed; its descriptor is sent through a socket, its seals
 *                      and size are checked, and it is mapped. Nothing is faster with new memory,
 *                      when the bytes are wanted in one piece to work on.
 *   memfd_mapped_limit the same, but the new memory is mapped, with all of its pages at once, and
 *                      filled in place. That saves the copy, and yet it is slower: the system
 *                      clears each page first.
 *   pipe_limit         two bare processes: filled and written in pieces that stay warm, read into
 *                      one piece of memory that stays the same
 */

#define PIECE_SIZE ((gsize) 128 * 1024)

static double
get_rate (const BenchOptions *options, double start)
{
  return (double) options->bytes * options->count / BENCH_GIB / (bench_now () - start);
}

/* --- Dray --- */

static void
get_result (const BenchOptions *options, DrayExecutor *executor, guint number)
{
  g_autoptr (DrayFuture) future = dray_executor_call (
    executor, BENCH_FILL, g_variant_new ("(tt)", (guint64) options->bytes, (guint64) number));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);
  const guint8 *bytes = NULL;
  gsize size = 0;

  bench_check (error);
  bytes = g_variant_get_fixed_array (result, &size, 1);
  if (size != options->bytes)
    bench_fail ("A result is too short");
  bench_check_filled (bytes, size, (guint8) number);
}

/* Takes @executor. */
static double
measure_executor (const BenchOptions *options, DrayExecutor *executor)
{
  double start = 0;
  double rate = 0;

  get_result (options, executor, 0);
  start = bench_now ();
  for (guint i = 1; i <= options->count; i++)
    get_result (options, executor, i);
  rate = get_rate (options, start);

  bench_executor_free (executor);
  return rate;
}

double
bench_result_dray (const BenchOptions *options)
{
  return measure_executor (options, bench_executor_new (options, 1));
}

double
bench_result_dray_recycled (const BenchOptions *options)
{
  return measure_executor (options, bench_trusting_executor_new (options, 1));
}

/* --- Shared memory --- */

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* @warm: as much memory as is wanted, which has been used before */
typedef void (*Fill) (int fd, guint8 *warm, gsize size, guint8 value);

static void
fill_by_writing (int fd, guint8 *warm, gsize size, guint8 value)
{
  gsize n_written = 0;

  memset (warm, value, size);
  while (n_written < size)
    {
      gssize n = write (fd, warm + n_written, size - n_written);

      if (n <= 0)
        bench_fail ("There is no memory for this measurement");
      n_written += (gsize) n;
    }
}

static void
fill_mapping (int fd, guint8 *warm, gsize size, guint8 value)
{
  guint8 *bytes = NULL;

  if (ftruncate (fd, (off_t) size) != 0)
    bench_fail ("There is no memory for this measurement");
  bytes = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (bytes == MAP_FAILED)
    bench_fail ("There is no memory for this measurement");

  memset (bytes, value, size);
  munmap (bytes, size);
}

static void
serve_memfds (Bare *host, const BenchOptions *options, Fill fill)
{
  g_autofree guint8 *warm = g_malloc (options->bytes);
  guint8 value;

  while (bare_read (host, &value, sizeof value))
    {
      int fd = memfd_create ("dray-bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);

      if (fd < 0)
        bench_fail ("There is no shared memory: %s", g_strerror (errno));
      fill (fd, warm, options->bytes, value);
      if (fcntl (fd, F_ADD_SEALS, SEALS) != 0)
        bench_fail ("Shared memory can't be sealed: %s", g_strerror (errno));
      bare_send_fd (host, fd);
    }
}

static void
serve_mapped (Bare *host, const BenchOptions *options)
{
  serve_memfds (host, options, fill_mapping);
}

static void
serve_written (Bare *host, const BenchOptions *options)
{
  serve_memfds (host, options, fill_by_writing);
}

static void
get_memfd (Bare *bare, const BenchOptions *options, guint8 value)
{
  guint8 *bytes = NULL;
  int fd = -1;

  bare_write (bare, &value, sizeof value);
  fd = bare_receive_fd (bare);
  if (fcntl (fd, F_GET_SEALS) != SEALS || lseek (fd, 0, SEEK_END) != (off_t) options->bytes)
    bench_fail ("The memory that came is not as it should be");
  bytes = mmap (NULL, options->bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED)
    bench_fail ("The memory that came can't be mapped");
  close (fd);

  bench_check_filled (bytes, options->bytes, value);
  munmap (bytes, options->bytes);
}

static double
measure_memfds (const BenchOptions *options, void (*serve) (Bare *, const BenchOptions *))
{
  double start = 0;
  double rate = 0;
  Bare bare;

  bare_start (&bare, serve, options);
  get_memfd (&bare, options, 0);
  start = bench_now ();
  for (guint i = 1; i <= options->count; i++)
    get_memfd (&bare, options, (guint8) i);
  rate = get_rate (options, start);

  bare_stop (&bare);
  return rate;
}

double
bench_result_memfd_limit (const BenchOptions *options)
{
  return measure_memfds (options, serve_written);
}

double
bench_result_memfd_mapped_limit (const BenchOptions *options)
{
  return measure_memfds (options, serve_mapped);
}

/* --- A pipe --- */

static void
serve_pipe (Bare *host, const BenchOptions *options)
{
  guint8 piece[PIECE_SIZE];
  guint8 value;

  while (bare_read (host, &value, sizeof value))
    for (gsize i = 0; i < options->bytes; i += PIECE_SIZE)
      {
        const gsize length = MIN (PIECE_SIZE, options->bytes - i);

        memset (piece, value, length);
        bare_write (host, piece, length);
      }
}

static void
get_piped (Bare *bare, guint8 *bytes, gsize size, guint8 value)
{
  bare_write (bare, &value, sizeof value);
  if (!bare_read (bare, bytes, size))
    bench_fail ("The other process has gone");
  bench_check_filled (bytes, size, value);
}

double
bench_result_pipe_limit (const BenchOptions *options)
{
  g_autofree guint8 *bytes = g_malloc (options->bytes);
  double start = 0;
  double rate = 0;
  Bare bare;

  bare_start (&bare, serve_pipe, options);
  get_piped (&bare, bytes, options->bytes, 0);
  start = bench_now ();
  for (guint i = 1; i <= options->count; i++)
    get_piped (&bare, bytes, options->bytes, (guint8) i);
  rate = get_rate (options, start);

  bare_stop (&bare);
  return rate;
}
