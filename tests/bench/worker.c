/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker.h"

#include <gio/gio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The functions in Dray's workers, and what both ends of a stream agree on.
 */

gint64
bench_checksum (gint64 number)
{
  return (gint64) ((guint64) number * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15));
}

/* --- Chunks --- */

const guint8 *
bench_get_chunk (guint64 number)
{
  static guint8 *chunks = NULL; /* kept until the end */

  if (chunks == NULL)
    {
      chunks = g_malloc (BENCH_N_CHUNKS * BENCH_CHUNK_SIZE);
      for (gsize i = 0; i < BENCH_N_CHUNKS; i++)
        memset (chunks + i * BENCH_CHUNK_SIZE, (int) i + 1, BENCH_CHUNK_SIZE);
    }

  return chunks + (number % BENCH_N_CHUNKS) * BENCH_CHUNK_SIZE;
}

void
bench_check_chunk (const guint8 *bytes, gsize size, guint64 number)
{
  const guint8 expected = (guint8) (number % BENCH_N_CHUNKS + 1);

  if (size != BENCH_CHUNK_SIZE || bytes[0] != expected || bytes[size - 1] != expected)
    bench_fail ("Chunk %" G_GUINT64_FORMAT " of a stream is not what was sent", number);
}

void
bench_check_filled (const guint8 *bytes, gsize size, guint8 value)
{
  gboolean is_filled = size == 0 || bytes[size - 1] == value;

  for (gsize i = 0; i < size; i += BENCH_MIB)
    is_filled = is_filled && bytes[i] == value;

  if (!is_filled)
    bench_fail ("A result of %" G_GSIZE_FORMAT " bytes is not what was sent", size);
}

/* --- Functions --- */

static GVariant *
successor (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  return g_variant_new_int64 (g_variant_get_int64 (arguments) + 1);
}

static void
wait_until_cancelled (DrayJob *job)
{
  struct pollfd fd = { .fd = g_cancellable_get_fd (dray_job_get_cancellable (job)),
                       .events = POLLIN };

  while (!dray_job_is_cancelled (job))
    poll (&fd, 1, -1);

  g_cancellable_release_fd (dray_job_get_cancellable (job));
}

static GVariant *
stay (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  dray_job_emit (job, g_variant_new_tuple (NULL, 0));
  wait_until_cancelled (job);

  return NULL;
}

static GVariant *
linger (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  dray_job_emit (job, g_variant_new ("(ii)", (int) getpid (), 0));
  wait_until_cancelled (job);

  return NULL;
}

/* What is ignored stays so in what is started. */
static GVariant *
linger_deaf (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  g_autoptr (GSubprocess) child = NULL;

  signal (SIGTERM, SIG_IGN);
  child = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, error, "sleep", "1000", NULL);
  if (child == NULL)
    return NULL;
  dray_job_emit (job, g_variant_new ("(ii)", (int) getpid (),
                                     atoi (g_subprocess_get_identifier (child))));
  for (;;)
    pause ();
}

static GVariant *
fill (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  guint64 size, value;
  gpointer memory = NULL;
  g_autoptr (GBytes) bytes = NULL;

  g_variant_get (arguments, "(tt)", &size, &value);
  bytes = dray_job_allocate_bytes (job, size, &memory);
  memset (memory, (guint8) value, size);

  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
}

static GVariant *
emit_small (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  const gint64 n_items = (gint64) g_variant_get_uint64 (arguments);

  for (gint64 i = 0; i < n_items; i++)
    {
      const gint64 item[] = { i, bench_checksum (i) };

      if (!dray_job_emit (job, g_variant_new_fixed_array (G_VARIANT_TYPE_INT64, item,
                                                          G_N_ELEMENTS (item), sizeof *item)))
        break;
    }

  return NULL;
}

/* The values never change, so the library may hold on to them. */
static GVariant *
emit_large (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  const guint64 n_items = g_variant_get_uint64 (arguments);
  GVariant *items[BENCH_N_CHUNKS];

  for (guint i = 0; i < BENCH_N_CHUNKS; i++)
    {
      items[i] = g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, bench_get_chunk (i),
                                          BENCH_CHUNK_SIZE, TRUE, NULL, NULL);
      g_variant_ref_sink (items[i]);
    }

  for (guint64 i = 0; i < n_items; i++)
    if (!dray_job_emit (job, items[i % BENCH_N_CHUNKS]))
      break;

  for (guint i = 0; i < BENCH_N_CHUNKS; i++)
    g_variant_unref (items[i]);

  return NULL;
}

int
bench_run_worker (void)
{
  const struct
  {
    const char *name;
    const char *type;
    DrayFunction function;
  } functions[] = {
    { BENCH_SUCCESSOR, "x", successor },   { BENCH_STAY, "()", stay },
    { BENCH_FILL, "(tt)", fill },          { BENCH_EMIT_SMALL, "t", emit_small },
    { BENCH_EMIT_LARGE, "t", emit_large }, { BENCH_LINGER, "()", linger },
    { BENCH_LINGER_DEAF, "()", linger_deaf },
  };
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  for (guint i = 0; i < G_N_ELEMENTS (functions); i++)
    dray_worker_add_typed_function (worker, functions[i].name, G_VARIANT_TYPE (functions[i].type),
                                    functions[i].function, NULL, NULL);

  return dray_worker_run (worker);
}
