/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-ring.h"

#include "dray-descriptor.h"
#include "dray-error-private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/time_types.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Positions count all bytes ever written or read, and never wrap: what lies between the two is
 * unread, and a byte's place is its position modulo the size.
 *
 * Each side writes its own position with release and reads the other's with acquire order, so that
 * the bytes are there before the position says so, and are not overwritten before it says so.
 * Going to sleep is a store to one word and then a load of another, and so is finding out whether
 * the other side sleeps, with the two words exchanged. A full barrier between both, on both sides,
 * makes sure that at least one of them sees what the other one has stored.
 */

#define CACHE_LINE 64

/* The data follows on the next page, and the ledger behind that. */
#define DATA_OFFSET ((gsize) 4096)
#define LEDGER_OFFSET (DATA_OFFSET + DRAY_RING_SIZE)
#define MAP_SIZE (LEDGER_OFFSET + DRAY_LEDGER_SIZE)

/* A writer that has to wait is woken when that much is free, and not for each byte. */
#define ROOM_TO_WAKE (DRAY_RING_SIZE / 2)

typedef struct
{
  guint64 cookie; /* does not change */

  _Alignas(CACHE_LINE) guint64 written; /* by the writer */
  _Alignas(CACHE_LINE) guint64 read;    /* by the reader */
  _Alignas(CACHE_LINE) guint32 reader_sleeps;
  _Alignas(CACHE_LINE) guint32 writer_sleeps;
  _Alignas(CACHE_LINE) guint64 gate; /* by both: the task that was begun last << 1 | shut */
} Shared;

G_STATIC_ASSERT (sizeof (Shared) <= DATA_OFFSET);
G_STATIC_ASSERT ((DRAY_RING_SIZE & (DRAY_RING_SIZE - 1)) == 0);

struct _DrayRing
{
  Shared *shared;    /* (owned): mapped */
  guint8 *data;      /* (unowned): in the same mapping */
  int fd;            /* (owned): the reader's; -1 */
  guint64 position;  /* ours: read, or written */
  guint64 published; /* the writer's, of that */
  int interrupted;   /* atomic */
};

static DrayRing *
map_ring (int fd)
{
  gpointer memory = mmap (NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  DrayRing *self;

  if (memory == MAP_FAILED)
    return NULL;

  self = g_new0 (DrayRing, 1);
  self->shared = memory;
  self->data = (guint8 *) memory + DATA_OFFSET;
  self->fd = -1;
  return self;
}

/* Against mistakes, not against anybody. */
static guint64
make_cookie (void)
{
  return ((guint64) g_random_int () << 32 | g_random_int ()) | 1;
}

DrayRing *
dray_ring_new (GError **error)
{
  int fd = dray_descriptor_raise (memfd_create ("dray-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  DrayRing *self = NULL;

  if (fd >= 0 && ftruncate (fd, MAP_SIZE) == 0
      && fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
    self = map_ring (fd);

  if (self == NULL)
    {
      dray_set_error_errno (error, errno, _("Could not make shared memory"));
      if (fd >= 0)
        close (fd);
      return NULL;
    }

  self->fd = fd;
  self->shared->cookie = make_cookie ();
  self->shared->reader_sleeps = 1; /* as before the first sleep() */
  return self;
}

int
dray_ring_get_descriptor (DrayRing *self)
{
  return self->fd;
}

void
dray_ring_close_descriptor (DrayRing *self)
{
  close (self->fd);
  self->fd = -1;
}

guint64
dray_ring_get_cookie (DrayRing *self)
{
  return self->shared->cookie;
}

DrayRing *
dray_ring_adopt (int fd, guint64 cookie)
{
  struct stat status;
  DrayRing *self;

  if (fstat (fd, &status) != 0 || status.st_size != (off_t) MAP_SIZE)
    return NULL;

  self = map_ring (fd);
  if (self != NULL && self->shared->cookie != cookie)
    g_clear_pointer (&self, dray_ring_free);
  return self;
}

void
dray_ring_free (DrayRing *self)
{
  munmap (self->shared, MAP_SIZE);
  if (self->fd >= 0)
    close (self->fd);
  g_free (self);
}

DrayLedger *
dray_ring_get_ledger (DrayRing *self)
{
  return (DrayLedger *) (gpointer) ((guint8 *) self->shared + LEDGER_OFFSET);
}

/* Nobody waits for a word of another process's private memory: these are shared futexes. @timeout:
 * (nullable): how long to wait */
static long
futex (guint32 *word, int operation, guint32 value, const struct __kernel_old_timespec *timeout)
{
  return syscall (SYS_futex, word, operation, value, timeout, NULL, 0);
}

/* --- The gate --- */

#define GATE_SHUT ((guint64) 1)

gboolean
dray_ring_begin (DrayRing *self, guint64 task_id)
{
  guint64 gate = __atomic_load_n (&self->shared->gate, __ATOMIC_ACQUIRE);

  /* What was published before is seen by whoever sees this. */
  while ((gate & GATE_SHUT) == 0)
    if (__atomic_compare_exchange_n (&self->shared->gate, &gate, task_id << 1, FALSE,
                                     __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
      return TRUE;

  return FALSE;
}

guint64
dray_ring_shut (DrayRing *self)
{
  return __atomic_fetch_or (&self->shared->gate, GATE_SHUT, __ATOMIC_SEQ_CST) >> 1;
}

void
dray_ring_reopen (DrayRing *self)
{
  __atomic_fetch_and (&self->shared->gate, ~GATE_SHUT, __ATOMIC_SEQ_CST);
}

/* --- Reading --- */

gsize
dray_ring_count_unread (DrayRing *self)
{
  guint64 written = __atomic_load_n (&self->shared->written, __ATOMIC_ACQUIRE);

  return (gsize) MIN (written - self->position, DRAY_RING_SIZE);
}

static void
wake_writer (DrayRing *self)
{
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  if (__atomic_load_n (&self->shared->writer_sleeps, __ATOMIC_RELAXED) != 0
      && DRAY_RING_SIZE - dray_ring_count_unread (self) >= ROOM_TO_WAKE
      && __atomic_exchange_n (&self->shared->writer_sleeps, 0, __ATOMIC_SEQ_CST) != 0)
    futex (&self->shared->writer_sleeps, FUTEX_WAKE, INT_MAX, NULL);
}

static void
copy_out (DrayRing *self, guint8 *bytes, gsize size)
{
  gsize start = (gsize) (self->position & (DRAY_RING_SIZE - 1));
  gsize before_end = MIN (size, DRAY_RING_SIZE - start);

  memcpy (bytes, self->data + start, before_end);
  memcpy (bytes + before_end, self->data, size - before_end);
}

gssize
dray_ring_read (DrayRing *self, guint8 *bytes, gsize size, GError **error)
{
  guint64 written = __atomic_load_n (&self->shared->written, __ATOMIC_ACQUIRE);
  gsize length;

  if (written - self->position > DRAY_RING_SIZE)
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "more bytes than fit into shared memory"));
      return -1;
    }

  length = (gsize) MIN (written - self->position, size);
  for (gsize done = 0, piece; done < length; done += piece)
    {
      piece = MIN (length - done, DRAY_RING_PIECE);
      copy_out (self, bytes + done, piece);
      self->position += piece;
      __atomic_store_n (&self->shared->read, self->position, __ATOMIC_RELEASE);
      wake_writer (self);
    }

  return (gssize) length;
}

gboolean
dray_ring_sleep (DrayRing *self)
{
  __atomic_store_n (&self->shared->reader_sleeps, 1, __ATOMIC_RELAXED);
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  if (__atomic_load_n (&self->shared->written, __ATOMIC_ACQUIRE) == self->position)
    return TRUE;

  /* If the writer was faster, its bell rings once for nothing. */
  __atomic_store_n (&self->shared->reader_sleeps, 0, __ATOMIC_RELAXED);
  return FALSE;
}

void
dray_ring_stay_awake (DrayRing *self)
{
  __atomic_store_n (&self->shared->reader_sleeps, 0, __ATOMIC_RELAXED);
}

/* --- Writing --- */

/* A reader that says it has read what was not written gets nothing more: there is no room. */
static gsize
count_room (DrayRing *self)
{
  guint64 read = __atomic_load_n (&self->shared->read, __ATOMIC_ACQUIRE);

  return (gsize) (DRAY_RING_SIZE - MIN (self->position - read, DRAY_RING_SIZE));
}

gsize
dray_ring_write (DrayRing *self, const guint8 *bytes, gsize size)
{
  gsize room = count_room (self); /* once: the reader makes more of it meanwhile */
  gsize length = MIN (size, room);
  gsize start = (gsize) (self->position & (DRAY_RING_SIZE - 1));
  gsize before_end = MIN (length, DRAY_RING_SIZE - start);

  memcpy (self->data + start, bytes, before_end);
  memcpy (self->data, bytes + before_end, length - before_end);
  self->position += length;

  return length;
}

gboolean
dray_ring_publish (DrayRing *self)
{
  if (self->published == self->position)
    return FALSE;

  self->published = self->position;
  __atomic_store_n (&self->shared->written, self->position, __ATOMIC_RELEASE);
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
  return __atomic_load_n (&self->shared->reader_sleeps, __ATOMIC_RELAXED) != 0
         && __atomic_exchange_n (&self->shared->reader_sleeps, 0, __ATOMIC_SEQ_CST) != 0;
}

/* The reader is at work, or was rung for: there is room in a moment. Meanwhile the processor is
 * left to whoever wants it, which may be the reader. */
gboolean
dray_ring_look_for_room (DrayRing *self)
{
  gint64 end = g_get_monotonic_time () + DRAY_RING_LOOK;

  do
    {
      if (count_room (self) >= DRAY_RING_PIECE)
        return TRUE;
      sched_yield ();
    }
  while (g_get_monotonic_time () < end);

  return FALSE;
}

gboolean
dray_ring_wait (DrayRing *self, gint64 timeout)
{
  const gint64 end = g_get_monotonic_time () + timeout;
  gint64 left = timeout;

  /* A signal that comes in the meantime, as those of a timer do, must not make it longer. */
  for (; left > 0 && !g_atomic_int_get (&self->interrupted); left = end - g_get_monotonic_time ())
    {
      const struct __kernel_old_timespec time = {
        .tv_sec = left / G_TIME_SPAN_SECOND,
        .tv_nsec = left % G_TIME_SPAN_SECOND * 1000,
      };

      __atomic_store_n (&self->shared->writer_sleeps, 1, __ATOMIC_RELAXED);
      __atomic_thread_fence (__ATOMIC_SEQ_CST);
      if (count_room (self) >= ROOM_TO_WAKE)
        {
          __atomic_store_n (&self->shared->writer_sleeps, 0, __ATOMIC_RELAXED);
          return TRUE;
        }
      if (!g_atomic_int_get (&self->interrupted))
        futex (&self->shared->writer_sleeps, FUTEX_WAIT, 1, &time);
    }

  return FALSE;
}

void
dray_ring_interrupt (DrayRing *self)
{
  g_atomic_int_set (&self->interrupted, TRUE);
  __atomic_store_n (&self->shared->writer_sleeps, 0, __ATOMIC_SEQ_CST);
  futex (&self->shared->writer_sleeps, FUTEX_WAKE, INT_MAX, NULL);
}

gboolean
dray_ring_is_interrupted (DrayRing *self)
{
  return g_atomic_int_get (&self->interrupted);
}
