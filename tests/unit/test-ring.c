/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-ring.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

/* How bytes get through shared memory: whole, in order, with nobody left asleep. */

typedef struct
{
  DrayRing *reader; /* (owned) */
  DrayRing *writer; /* (owned) */
} Pair;

static void
set_up (Pair *pair, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  pair->reader = dray_ring_new (&error);
  g_assert_no_error (error);
  pair->writer = dray_ring_adopt (dray_ring_get_descriptor (pair->reader),
                                  dray_ring_get_cookie (pair->reader));
  g_assert_nonnull (pair->writer);
}

static void
tear_down (Pair *pair, gconstpointer data)
{
  dray_ring_free (pair->writer);
  dray_ring_free (pair->reader);
}

/* What a byte at a position is. */
static guint8
get_byte (guint64 position)
{
  return (guint8) (position * 7 + (position >> 8) * 3 + (position >> 16));
}

static void
fill (guint8 *bytes, guint64 position, gsize size)
{
  for (gsize i = 0; i < size; i++)
    bytes[i] = get_byte (position + i);
}

static void
check (const guint8 *bytes, guint64 position, gsize size)
{
  for (gsize i = 0; i < size; i++)
    if (bytes[i] != get_byte (position + i))
      g_error ("another byte at %" G_GUINT64_FORMAT, position + i);
}

static gsize
take (Pair *pair, guint8 *bytes, gsize size)
{
  g_autoptr (GError) error = NULL;
  gssize n_read = dray_ring_read (pair->reader, bytes, size, &error);

  g_assert_no_error (error);
  return (gsize) n_read;
}

static void
test_order (Pair *pair, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc (DRAY_RING_SIZE);
  guint64 written = 0, read = 0;

  g_test_summary ("Pieces of any size come out as they went in, over the end of the memory too.");

  for (guint i = 0; i < 3000; i++)
    {
      gsize n_written, n_read, size = (i * 7919) % 5000 + 1;

      fill (bytes, written, size);
      n_written = dray_ring_write (pair->writer, bytes, size);
      written += n_written;
      dray_ring_publish (pair->writer);
      g_assert_cmpuint (dray_ring_count_unread (pair->reader), ==, written - read);

      n_read = take (pair, bytes, (i * 104729) % 5000 + 1);
      check (bytes, read, n_read);
      read += n_read;
    }
  while (read < written)
    {
      gsize n_read = take (pair, bytes, 1000);

      check (bytes, read, n_read);
      read += n_read;
    }
  g_assert_cmpuint (take (pair, bytes, 1000), ==, 0);
}

static void
test_gate (Pair *pair, gconstpointer data)
{
  g_test_summary ("A gate that is shut lets nothing be begun, and tells what was begun last.");

  g_assert_cmpuint (dray_ring_shut (pair->reader), ==, 0);
  g_assert_false (dray_ring_begin (pair->writer, 7));
  dray_ring_reopen (pair->reader);
  g_assert_true (dray_ring_begin (pair->writer, 8));
  g_assert_true (dray_ring_begin (pair->writer, 9));
  g_assert_cmpuint (dray_ring_shut (pair->reader), ==, 9);
  g_assert_false (dray_ring_begin (pair->writer, 10));
  g_assert_cmpuint (dray_ring_shut (pair->reader), ==, 9);
}

#define N_BEGUN 20000
#define PATIENCE (10 * G_TIME_SPAN_MINUTE) /* longer than any test lasts */

/* Sends a byte for each task before it begins the next one. */
static gpointer
begin_many_cb (gpointer data)
{
  Pair *pair = data;
  const guint8 byte = 0;

  for (guint64 id = 1; id <= N_BEGUN; id++)
    {
      while (!dray_ring_begin (pair->writer, id))
        g_thread_yield ();
      while (dray_ring_write (pair->writer, &byte, 1) == 0)
        dray_ring_wait (pair->writer, PATIENCE);
      dray_ring_publish (pair->writer);
    }

  return NULL;
}

static void
test_gate_threads (Pair *pair, gconstpointer data)
{
  GThread *thread = g_thread_new ("begins", begin_many_cb, pair);
  guint64 begun, n_read = 0;

  g_test_summary ("Whenever the gate is shut, what was sent before the last task can be read, and "
                  "no other one is begun.");

  do
    {
      guint8 bytes[4096];

      begun = dray_ring_shut (pair->reader);
      do
        n_read += take (pair, bytes, sizeof bytes);
      while (dray_ring_count_unread (pair->reader) > 0);
      g_assert_cmpuint (n_read + 1, >=, begun);
      g_assert_cmpuint (n_read, <=, begun);
      g_assert_cmpuint (dray_ring_shut (pair->reader), ==, begun);
      dray_ring_reopen (pair->reader);
    }
  while (begun < N_BEGUN);

  g_thread_join (thread);
}

static void
test_full (Pair *pair, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc0 (DRAY_RING_SIZE + 1);

  g_test_summary ("A full ring takes no more; what was not published is not seen.");

  g_assert_cmpuint (dray_ring_write (pair->writer, bytes, DRAY_RING_SIZE + 1), ==, DRAY_RING_SIZE);
  g_assert_cmpuint (dray_ring_write (pair->writer, bytes, 1), ==, 0);
  g_assert_cmpuint (take (pair, bytes, 1), ==, 0);

  dray_ring_publish (pair->writer);
  g_assert_cmpuint (dray_ring_write (pair->writer, bytes, 1), ==, 0);
  g_assert_cmpuint (take (pair, bytes, 10), ==, 10);
  g_assert_cmpuint (dray_ring_write (pair->writer, bytes, 20), ==, 10);
}

static void
test_look (Pair *pair, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc0 (DRAY_RING_SIZE);

  g_test_summary ("A writer that looks finds room for a piece, if there is, and gives up if not.");

  g_assert_true (dray_ring_look_for_room (pair->writer));
  dray_ring_write (pair->writer, bytes, DRAY_RING_SIZE);
  dray_ring_publish (pair->writer);
  g_assert_false (dray_ring_look_for_room (pair->writer));
  take (pair, bytes, DRAY_RING_PIECE - 1);
  g_assert_false (dray_ring_look_for_room (pair->writer));
  take (pair, bytes, 1);
  g_assert_true (dray_ring_look_for_room (pair->writer));
}

static void
test_bell (Pair *pair, gconstpointer data)
{
  guint8 byte = 0;

  g_test_summary ("The bell is rung for a reader that sleeps, once, and for nothing that it has "
                  "seen already, nor for one that stays awake after all.");

  g_assert_false (dray_ring_publish (pair->writer));
  dray_ring_write (pair->writer, &byte, 1);
  g_assert_true (dray_ring_publish (pair->writer));
  dray_ring_write (pair->writer, &byte, 1);
  g_assert_false (dray_ring_publish (pair->writer));

  g_assert_false (dray_ring_sleep (pair->reader));
  take (pair, &byte, 1);
  take (pair, &byte, 1);
  dray_ring_write (pair->writer, &byte, 1);
  g_assert_true (dray_ring_sleep (pair->reader));
  g_assert_true (dray_ring_publish (pair->writer));

  take (pair, &byte, 1);
  g_assert_true (dray_ring_sleep (pair->reader));
  dray_ring_stay_awake (pair->reader);
  dray_ring_write (pair->writer, &byte, 1);
  g_assert_false (dray_ring_publish (pair->writer));
  g_assert_false (dray_ring_sleep (pair->reader));
}

static void
test_no_room (Pair *pair, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc0 (DRAY_RING_SIZE);

  g_test_summary ("A writer waits for room as long as it is told, and can wait again.");

  dray_ring_write (pair->writer, bytes, DRAY_RING_SIZE);
  dray_ring_publish (pair->writer);
  for (guint i = 0; i < 2; i++)
    g_assert_false (dray_ring_wait (pair->writer, 1));
  g_assert_false (dray_ring_is_interrupted (pair->writer));
  g_assert_cmpint (dray_ring_read (pair->reader, bytes, DRAY_RING_SIZE, NULL), ==, DRAY_RING_SIZE);
  g_assert_true (dray_ring_wait (pair->writer, PATIENCE));
}

static void
ignore_cb (int number)
{
}

static void
set_timer (suseconds_t interval)
{
  const struct itimerval timer = { { 0, interval }, { 0, interval } };

  g_assert_cmpint (setitimer (ITIMER_REAL, &timer, NULL), ==, 0);
}

static void
test_no_room_with_timer (Pair *pair, gconstpointer data)
{
  const struct sigaction action = { .sa_handler = ignore_cb, .sa_flags = SA_RESTART };
  g_autofree guint8 *bytes = g_malloc0 (DRAY_RING_SIZE);
  struct sigaction before;

  g_test_summary ("So it is if it gets a signal more often than it would look.");

  dray_ring_write (pair->writer, bytes, DRAY_RING_SIZE);
  dray_ring_publish (pair->writer);
  g_assert_cmpint (sigaction (SIGALRM, &action, &before), ==, 0);
  set_timer (2000);
  g_assert_false (dray_ring_wait (pair->writer, 50000));
  set_timer (0);
  g_assert_cmpint (sigaction (SIGALRM, &before, NULL), ==, 0);
  g_assert_false (dray_ring_is_interrupted (pair->writer));
}

static void
test_interrupt (Pair *pair, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc0 (DRAY_RING_SIZE);

  g_test_summary ("A writer that was interrupted waits no more, be there room or not.");

  g_assert_true (dray_ring_wait (pair->writer, PATIENCE));
  dray_ring_write (pair->writer, bytes, DRAY_RING_SIZE);
  dray_ring_publish (pair->writer);
  dray_ring_interrupt (pair->writer);
  g_assert_false (dray_ring_wait (pair->writer, PATIENCE));
}

static gpointer
wait_cb (gpointer data)
{
  return GINT_TO_POINTER (dray_ring_wait (data, PATIENCE));
}

static void
test_interrupt_waiting (Pair *pair, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc0 (DRAY_RING_SIZE);
  GThread *thread;

  g_test_summary ("A writer that waits is interrupted, whenever that comes.");

  dray_ring_write (pair->writer, bytes, DRAY_RING_SIZE);
  dray_ring_publish (pair->writer);
  thread = g_thread_new ("writer", wait_cb, pair->writer);
  g_thread_yield ();
  dray_ring_interrupt (pair->writer);
  g_assert_false (GPOINTER_TO_INT (g_thread_join (thread)));
}

/* --- Two threads --- */

#define N_STREAMED ((guint64) 64 * 1024 * 1024)

typedef struct
{
  DrayRing *ring; /* (unowned) */
  int bell;
} Writer;

static gpointer
write_all_cb (gpointer data)
{
  Writer *writer = data;
  g_autofree guint8 *bytes = g_malloc (DRAY_RING_SIZE);
  guint64 position = 0;

  for (guint i = 0; position < N_STREAMED; i++)
    {
      gsize size = MIN ((i % 100 == 0 ? 100000 : i * 7919 % 300) + 1, N_STREAMED - position);
      gsize done = 0;

      fill (bytes, position, size);
      position += size;
      while (done < size)
        {
          done += dray_ring_write (writer->ring, bytes + done, size - done);
          g_assert_cmpuint (done, <=, size);
          if (dray_ring_publish (writer->ring))
            g_assert_cmpint (write (writer->bell, "", 1), ==, 1);
          if (done < size)
            g_assert_true (dray_ring_wait (writer->ring, PATIENCE));
        }
    }

  return NULL;
}

static void
test_threads (Pair *pair, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc (DRAY_RING_SIZE);
  Writer writer = { .ring = pair->writer };
  guint64 position = 0;
  GThread *thread;
  int fds[2];

  g_test_summary ("A writer and a reader that sleep whenever they can't go on always wake each "
                  "other up.");

  g_assert_cmpint (pipe (fds), ==, 0);
  writer.bell = fds[1];
  thread = g_thread_new ("writer", write_all_cb, &writer);
  while (position < N_STREAMED)
    {
      gsize n_read = take (pair, bytes, (position * 13) % 60000 + 1);

      check (bytes, position, n_read);
      position += n_read;
      if (n_read == 0 && dray_ring_sleep (pair->reader))
        g_assert_cmpint (read (fds[0], bytes, 1), ==, 1);
    }
  g_thread_join (thread);
  close (fds[0]);
  close (fds[1]);
}

/* --- Hostile --- */

static void
test_hostile (Pair *pair, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  guint8 bytes[10];
  guint64 *shared = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
                          dray_ring_get_descriptor (pair->reader), 0);

  g_test_summary ("A position that can't be is refused; the memory can't be made smaller.");

  g_assert_true (shared != MAP_FAILED);
  /* Whatever is in which word: all of them. */
  for (guint i = 0; i < 32; i++)
    shared[i] = G_MAXUINT64 / 3;
  munmap (shared, 4096);

  g_assert_cmpuint (dray_ring_count_unread (pair->reader), ==, DRAY_RING_SIZE);
  g_assert_cmpint (dray_ring_read (pair->reader, bytes, sizeof bytes, &error), ==, -1);
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
  g_assert_cmpint (ftruncate (dray_ring_get_descriptor (pair->reader), 0), ==, -1);
}

static void
test_hostile_reader (Pair *pair, gconstpointer data)
{
  g_autofree guint8 *bytes = g_malloc0 (4 * DRAY_RING_SIZE);
  guint64 *shared = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
                          dray_ring_get_descriptor (pair->reader), 0);

  g_test_summary (
    "A reader that says it has read what was never written gets nothing, and does not "
    "make the writer write beyond the memory.");

  g_assert_true (shared != MAP_FAILED);
  for (guint i = 0; i < 32; i++)
    shared[i] = 3 * DRAY_RING_SIZE;
  munmap (shared, 4096);

  g_assert_cmpuint (dray_ring_write (pair->writer, bytes, 4 * DRAY_RING_SIZE), ==, 0);
}

static void
test_other_ring (Pair *pair, gconstpointer data)
{
  g_test_summary ("Another ring than the one that was told of is not adopted.");

  g_assert_null (dray_ring_adopt (dray_ring_get_descriptor (pair->reader),
                                  dray_ring_get_cookie (pair->reader) + 2));
}

static void
test_not_a_ring (void)
{
  int fd = memfd_create ("other", MFD_CLOEXEC);
  int fds[2];

  g_test_summary ("Only a ring is adopted.");

  g_assert_null (dray_ring_adopt (-1, 1));
  g_assert_null (dray_ring_adopt (fd, 1));
  g_assert_cmpint (ftruncate (fd, 4096 + DRAY_RING_SIZE), ==, 0);
  g_assert_null (dray_ring_adopt (fd, 1));
  close (fd);
  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_null (dray_ring_adopt (fds[0], 1));
  close (fds[0]);
  close (fds[1]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, function) g_test_add ("/ring/" name, Pair, NULL, set_up, function, tear_down)
  ADD ("order", test_order);
  ADD ("gate", test_gate);
  ADD ("gate/threads", test_gate_threads);
  ADD ("full", test_full);
  ADD ("look", test_look);
  ADD ("bell", test_bell);
  ADD ("no-room", test_no_room);
  ADD ("no-room/timer", test_no_room_with_timer);
  ADD ("interrupt", test_interrupt);
  ADD ("interrupt/waiting", test_interrupt_waiting);
  ADD ("threads", test_threads);
  ADD ("hostile", test_hostile);
  ADD ("hostile/reader", test_hostile_reader);
  ADD ("other-ring", test_other_ring);
#undef ADD
  g_test_add_func ("/ring/not-a-ring", test_not_a_ring);

  return g_test_run ();
}
