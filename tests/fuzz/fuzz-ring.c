/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

/* The file itself, for what the two sides share is known only there. */
#include "dray-ring.c"

#include "fuzz.h"

/*
 * Bytes go through shared memory (dray-ring.c), of which each side is hostile to the other: it may
 * write to all of that memory, at any time.
 *
 * The script writes and reads as the two sides do, and in between changes what lies in the memory.
 * As long as nothing was changed, what is read must be what was written. After that anything may
 * come, but only as much as was asked for, and all within the memory: what is behind it can't be
 * touched.
 */

#define MAX_AT_ONCE (DRAY_RING_SIZE + 64)

/* What is written repeats itself after so many bytes, which is no divisor of anything. */
#define PERIOD ((gsize) 509)

/* For all scripts: to map memory takes longer than they do. */
typedef struct
{
  DrayRing *reader; /* (owned) */
  DrayRing *writer; /* (owned) */
  guint8 *stream;   /* (owned): of MAX_AT_ONCE + PERIOD; what is written, from any place on */
  guint8 *bytes;    /* (owned): of MAX_AT_ONCE; what was read */
  guint64 n_written;
  guint64 n_read;
  gboolean honest; /* so far */
} Rig;

/* After the last page that the ring has there is one that can't be touched. */
static DrayRing *
adopt_guarded (int fd, guint64 cookie)
{
  DrayRing *self = dray_ring_adopt (fd, cookie);
  guint8 *guarded;
  gpointer mapped;

  fuzz_check (self != NULL);
  guarded = mmap (NULL, MAP_SIZE + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fuzz_check (guarded != MAP_FAILED);
  mapped = mmap (guarded, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  fuzz_check (mapped == guarded);
  munmap (self->shared, MAP_SIZE);
  self->shared = mapped;
  self->data = guarded + DATA_OFFSET;
  return self;
}

static Rig *
get_rig (void)
{
  static Rig *rig = NULL;

  if (rig == NULL)
    {
      rig = g_new0 (Rig, 1);
      rig->reader = dray_ring_new (NULL);
      fuzz_check (rig->reader != NULL);
      rig->writer = adopt_guarded (rig->reader->fd, dray_ring_get_cookie (rig->reader));
      rig->bytes = g_malloc (MAX_AT_ONCE);
      rig->stream = g_malloc (MAX_AT_ONCE + PERIOD);
      for (gsize i = 0; i < MAX_AT_ONCE + PERIOD; i++)
        rig->stream[i] = (guint8) (i % PERIOD * 7 + i % PERIOD / 256);
    }
  return rig;
}

static void
reset_ring (DrayRing *ring)
{
  ring->position = ring->published = 0;
  ring->interrupted = FALSE;
}

static void
reset (Rig *self)
{
  reset_ring (self->reader);
  reset_ring (self->writer);
  *self->reader->shared = (Shared){ .cookie = self->reader->shared->cookie, .reader_sleeps = 1 };
  self->n_written = self->n_read = 0;
  self->honest = TRUE;
}

static void
write_some (Rig *self, gsize size)
{
  gsize n_written = dray_ring_write (self->writer, self->stream + self->n_written % PERIOD, size);

  fuzz_check (n_written <= size && n_written <= DRAY_RING_SIZE);
  self->n_written += n_written;
}

static void
read_some (Rig *self, gsize size)
{
  guint64 before = self->reader->position;
  g_autoptr (GError) error = NULL;
  gssize n_read = dray_ring_read (self->reader, self->bytes, size, &error);

  if (n_read < 0)
    {
      fuzz_check (!self->honest);
      fuzz_check (g_error_matches (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL));
      fuzz_check (self->reader->position == before);
      return;
    }

  fuzz_check ((gsize) n_read <= size && (gsize) n_read <= DRAY_RING_SIZE);
  fuzz_check (self->reader->position == before + (guint64) n_read);
  fuzz_check (!self->honest
              || memcmp (self->bytes, self->stream + self->n_read % PERIOD, (gsize) n_read) == 0);
  self->n_read += (guint64) n_read;
  fuzz_check (!self->honest || self->n_read <= self->n_written);
}

static void
lie (Rig *self, FuzzScript *script)
{
  Shared *shared = self->reader->shared;
  guint what = fuzz_take_up_to (script, 4);
  guint64 number = fuzz_take_number (script);

  if (fuzz_take_boolean (script)) /* around where it should be */
    number += self->n_written - 128;

  self->honest = FALSE;
  if (what == 0)
    shared->written = number;
  else if (what == 1)
    shared->read = number;
  else if (what == 2)
    shared->reader_sleeps = (guint32) number;
  else if (what == 3)
    shared->writer_sleeps = (guint32) number;
  else
    shared->written = shared->read + number;
}

static void
wait_for_room (Rig *self)
{
  dray_ring_publish (self->writer);

  /* It would wait for ever, on the thread that reads. */
  if (DRAY_RING_SIZE - dray_ring_count_unread (self->reader) < ROOM_TO_WAKE || !self->honest)
    dray_ring_interrupt (self->writer);
  dray_ring_wait (self->writer, G_TIME_SPAN_MINUTE);
}

static gsize
take_size (FuzzScript *script)
{
  gsize size = fuzz_take_up_to (script, G_MAXUINT16);

  size = fuzz_take_up_to (script, 7) == 7 ? size * 5 : size % 512;
  return MIN (size, MAX_AT_ONCE);
}

static void
do_something (Rig *self, FuzzScript *script)
{
  switch (fuzz_take_byte (script) % 8)
    {
    case 0:
    case 1:
      write_some (self, take_size (script));
      break;
    case 2:
      dray_ring_publish (self->writer);
      break;
    case 3:
    case 4:
      read_some (self, take_size (script));
      break;
    case 5:
      if (dray_ring_sleep (self->reader) && self->honest)
        fuzz_check (dray_ring_count_unread (self->reader) == 0);
      break;
    case 6:
      wait_for_room (self);
      break;
    default:
      lie (self, script);
    }
  fuzz_check (dray_ring_count_unread (self->reader) <= DRAY_RING_SIZE);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  FuzzScript script = { .data = data, .size = size };
  Rig *rig = get_rig ();

  reset (rig);
  for (guint i = 0; script.size > 0 && i < 64; i++)
    do_something (rig, &script);
  return 0;
}
