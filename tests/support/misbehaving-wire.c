/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "misbehaving.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * What is written to the channel behind the library's back. The frames are made by hand: the
 * library would not make them.
 */

int misbehaving_wire_fd;

enum
{
  FRAME_HELLO = 1,
  FRAME_ITEM = 4,
  FRAME_RESULT = 6,
};

G_STATIC_ASSERT (sizeof (MisbehavingHeader) == 24);

MisbehavingHeader
misbehaving_make_header (guint8 type, guint64 task_id, guint attempt, guint32 length)
{
  const MisbehavingHeader header = {
    .magic = 0x59415244,
    .version = 1,
    .type = type,
    .task_id = task_id,
    .attempt = attempt,
    .length = length,
  };

  return header;
}

/* Where the worker writes once it is ready: its ring, if it has one, of which the pipe is the bell.
 * Where that lies is found in the kernel's list, what it looks like in lib/wire/dray-ring.c. */
typedef struct
{
  guint32 magic;
  _Alignas (64) guint64 written;
  _Alignas (64) guint64 read;
  _Alignas (64) guint32 reader_sleeps;
  _Alignas (64) guint32 writer_sleeps;
  _Alignas (64) guint64 gate;
} RawRing;

#define RING_DATA 4096
#define RING_SIZE (256 * 1024)

static RawRing *
find_ring (void)
{
  g_autofree char *maps = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL))
    return NULL;

  line = strstr (maps, "memfd:dray-ring");
  while (line != NULL && line > maps && line[-1] != '\n')
    line--;
  return line != NULL ? (RawRing *) (gsize) g_ascii_strtoull (line, NULL, 16) : NULL;
}

guint64 *
misbehaving_find_ring_position (void)
{
  RawRing *ring = find_ring ();

  return ring != NULL ? &ring->written : NULL;
}

guint64 *
misbehaving_find_gate (void)
{
  RawRing *ring = find_ring ();

  return ring != NULL ? &ring->gate : NULL;
}

gpointer
misbehaving_find_ledger (void)
{
  RawRing *ring = find_ring ();

  return ring != NULL ? (guint8 *) ring + RING_DATA + RING_SIZE : NULL;
}

void
misbehaving_ring_bell (void)
{
  if (write (misbehaving_wire_fd, "", 1) < 0)
    _exit (9);
}

/* Nothing else writes into it meanwhile, nor afterwards, and it is not full. */
static void
write_into_ring (RawRing *ring, const guint8 *bytes, gsize size)
{
  for (gsize i = 0; i < size; i++)
    ((guint8 *) ring)[RING_DATA + (ring->written + i) % RING_SIZE] = bytes[i];
  __atomic_store_n (&ring->written, ring->written + size, __ATOMIC_SEQ_CST);
}

void
misbehaving_write_raw (const void *bytes, gsize size)
{
  const guint8 *cursor = bytes;
  RawRing *ring = find_ring ();

  if (ring != NULL)
    {
      write_into_ring (ring, bytes, size);
      cursor = (const guint8 *) "";
      size = 1;
    }

  while (size > 0)
    {
      gssize n_written = write (misbehaving_wire_fd, cursor, size);

      if (n_written < 0 && errno != EINTR)
        return;
      if (n_written > 0)
        {
          cursor += n_written;
          size -= n_written;
        }
    }
}

void
misbehaving_write_frame (
  guint8 type, guint16 flags, guint64 task_id, guint attempt, const void *payload, gsize size)
{
  g_autoptr (GByteArray) frame = g_byte_array_new ();
  MisbehavingHeader header = misbehaving_make_header (type, task_id, attempt, (guint32) size);

  header.flags = flags;
  g_byte_array_append (frame, (const guint8 *) &header, sizeof header);
  if (size > 0)
    g_byte_array_append (frame, payload, (guint) size);
  while (frame->len % 8 != 0)
    g_byte_array_append (frame, (const guint8 *) "", 1);

  misbehaving_write_raw (frame->data, frame->len);
}

/* A frame whose value is a string: that ends in a NUL; another one comes before the type. */
static void
write_raw_string (guint8 type, guint64 task_id, guint attempt, const char *text)
{
  g_autoptr (GByteArray) payload = g_byte_array_new ();

  g_byte_array_append (payload, (const guint8 *) text, strlen (text) + 1);
  g_byte_array_append (payload, (const guint8 *) "\0s", 2);
  misbehaving_write_frame (type, 0, task_id, attempt, payload->data, payload->len);
}

void
misbehaving_write_hello (guint8 version, gboolean swap)
{
  g_autoptr (GVariant) hello = NULL;
  GVariantBuilder builder;
  MisbehavingHeader header;
  const guint8 padding[8] = { 0 };

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "pid", g_variant_new_uint32 (getpid ()));
  hello = g_variant_ref_sink (g_variant_new ("(yyya{sv})",
                                             (G_BYTE_ORDER == G_LITTLE_ENDIAN) != swap ? 'l' : 'B',
                                             2, version, &builder));

  header = misbehaving_make_header (FRAME_HELLO, 0, 0, (guint32) g_variant_get_size (hello));
  header.version = version;
  if (swap)
    {
      header.magic = GUINT32_SWAP_LE_BE (header.magic);
      header.length = GUINT32_SWAP_LE_BE (header.length);
    }

  misbehaving_write_raw (&header, sizeof header);
  misbehaving_write_raw (g_variant_get_data (hello), g_variant_get_size (hello));
  misbehaving_write_raw (padding, (8 - g_variant_get_size (hello) % 8) % 8);
}

static void
write_garbage (void)
{
  const char garbage[] = "Hello world, this is not a frame, and never was meant to be one.\n";

  misbehaving_write_raw (garbage, strlen (garbage));
}

void
misbehaving_wait_for_kill (void)
{
  for (;;)
    {
      g_usleep (50 * 1000);
      write_garbage ();
    }
}

static GVariant *
garbage_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  write_garbage ();

  misbehaving_wait_for_kill ();
}

/* Where there is a ring, what the library writes later comes to lie over this. */
static GVariant *
garbage_and_on_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char garbage[] = "Hello world, this is not a frame, but there will be some later.\n";

  g_usleep (2000);
  misbehaving_write_raw (garbage, strlen (garbage));

  return NULL;
}

void
misbehaving_write_half_frame (DrayJob *job, gsize size)
{
  const MisbehavingHeader header = misbehaving_make_header (FRAME_RESULT, dray_job_get_id (job),
                                                            dray_job_get_attempt (job),
                                                            (guint32) size);
  const gsize written = MIN (size / 2, RING_SIZE / 2);
  g_autofree guint8 *bytes = g_malloc0 (written);

  misbehaving_write_raw (&header, sizeof header);
  misbehaving_write_raw (bytes, written);
}

/* Whatever lies in the ring is none of its frames any more. Returns: whether anything did */
static gboolean
spoil_unread (RawRing *ring)
{
  const guint64 read = __atomic_load_n (&ring->read, __ATOMIC_ACQUIRE);

  for (guint64 position = read; position < ring->written; position++)
    ((guint8 *) ring)[RING_DATA + position % RING_SIZE] = 0xff;
  return ring->written > read;
}

static GVariant *
spoil_unread_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  RawRing *ring = find_ring ();
  guint32 n_items;
  const char *path;

  g_variant_get (arguments, "(u&s)", &n_items, &path);
  for (guint32 i = 0; i < n_items; i++)
    dray_job_emit (job, misbehaving_new_bytes (10));
  while (!g_file_test (path, G_FILE_TEST_EXISTS))
    g_usleep (1000);

  dray_job_emit (job, misbehaving_new_bytes (10));
  while (!spoil_unread (ring))
    g_usleep (1000);

  return NULL;
}

/* The channel's output leads nowhere from now on, and this process does not notice. There is a pipe
 * that is left alone, with O_ASYNC: this process is killed when it loses that. */
static GVariant *
leave_output_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  int nowhere = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  const char *path;

  g_variant_get (arguments, "(&s)", &path);
  while (!g_file_test (path, G_FILE_TEST_EXISTS))
    g_usleep (1000);

  for (int fd = 3; fd < 256; fd++)
    {
      struct stat status;

      if (fstat (fd, &status) == 0 && S_ISFIFO (status.st_mode)
          && (fcntl (fd, F_GETFL) & (O_ACCMODE | O_ASYNC)) == O_WRONLY)
        dup2 (nowhere, fd);
    }
  misbehaving_wake_watcher ();
  g_usleep (100 * 1000); /* in which this is noticed, as a rule */

  return NULL;
}

static GVariant *
half_frame_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  misbehaving_write_half_frame (job, 1000);
  _exit (0);
}

static GVariant *
oversized_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const MisbehavingHeader header = misbehaving_make_header (
    FRAME_RESULT, dray_job_get_id (job), dray_job_get_attempt (job), G_MAXUINT32);

  misbehaving_write_raw (&header, sizeof header);

  misbehaving_wait_for_kill ();
}

static GVariant *
wrong_id_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  write_raw_string (FRAME_RESULT, dray_job_get_id (job) + 1000000, 1, "nobody asked for this");

  misbehaving_wait_for_kill ();
}

static GVariant *
old_attempt_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint attempt = dray_job_get_attempt (job);

  if (attempt == 1)
    _exit (7);

  write_raw_string (FRAME_ITEM, dray_job_get_id (job), attempt - 1, "old");
  write_raw_string (FRAME_RESULT, dray_job_get_id (job), attempt - 1, "old");

  return g_variant_new_string ("new");
}

const MisbehavingFunction misbehaving_wire_functions[] = {
  { "garbage", "*", garbage_cb, NULL },
  { "garbage-and-on", "*", garbage_and_on_cb, NULL },
  { "half-frame", "*", half_frame_cb, NULL },
  { "leave-output", "(s)", leave_output_cb, NULL },
  { "old-attempt", "*", old_attempt_cb, NULL },
  { "oversized", "*", oversized_cb, NULL },
  { "spoil-unread", "(us)", spoil_unread_cb, NULL },
  { "wrong-id", "*", wrong_id_cb, NULL },
  { NULL, NULL, NULL, NULL },
};
