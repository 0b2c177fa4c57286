/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-payload.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dray-decoder.h"
#include "dray-error.h"
#include "dray-slot.h"
#include "fixture.h"

/* The memory of large values: what is made here, and what is refused of others. */

#define SIZE ((gsize) 100 * 1000)
#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static guint8 *
new_pattern (gsize size)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) (i * 7);
  return data;
}

/* A memfd of somebody who means no good. */
static int
make_memory (gsize size, guint flags, int seals)
{
  int fd = memfd_create ("foreign", MFD_CLOEXEC | flags);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  if (seals != 0)
    g_assert_cmpint (fcntl (fd, F_ADD_SEALS, seals), ==, 0);
  return fd;
}

static void
test_round_trip (Fixture *fixture, gconstpointer data)
{
  const gsize sizes[] = { 1, 4095, 4096, 4097, SIZE, 5 * 1024 * 1024 };

  g_test_summary ("What is written arrives as it is, aligned, and outlives the descriptor.");

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree guint8 *pattern = new_pattern (sizes[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL;
      int fd = dray_payload_write (pattern, sizes[i], &error);

      g_assert_no_error (error);
      g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, !=, 0);
      bytes = dray_payload_map (fd, sizes[i], &error);
      g_assert_no_error (error);
      close (fd);
      g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), pattern, sizes[i]);
      g_assert_cmpuint ((guintptr) g_bytes_get_data (bytes, NULL) % 8, ==, 0);
    }
}

static void
test_variant (Fixture *fixture, gconstpointer data)
{
  g_autofree guint8 *pattern = new_pattern (SIZE);
  int fd = dray_payload_write (pattern, SIZE, NULL);
  g_autoptr (GBytes) bytes = dray_payload_map (fd, SIZE, NULL);
  g_autoptr (GVariant) value = NULL;

  g_test_summary ("A value over the memory uses it in place.");

  close (fd);
  value = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("at"), bytes, TRUE));
  g_assert_true (g_variant_get_data (value) == g_bytes_get_data (bytes, NULL));
}

static void
test_frozen (Fixture *fixture, gconstpointer data)
{
  g_autofree guint8 *pattern = new_pattern (SIZE);
  int fd = dray_payload_write (pattern, SIZE, NULL);

  g_test_summary ("Nobody can change what was sealed: not shorten it, not write to it.");

  g_assert_cmpint (ftruncate (fd, 0), ==, -1);
  g_assert_cmpint (errno, ==, EPERM);
  g_assert_cmpint (pwrite (fd, "x", 1, 0), ==, -1);
  g_assert_cmpint (errno, ==, EPERM);
  g_assert_true (mmap (NULL, SIZE, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
  close (fd);
}

static void
refuse (int fd, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = dray_payload_map (fd, size, &error);

  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
  g_assert_null (bytes);
  close (fd);
}

static void
test_unsealed (Fixture *fixture, gconstpointer data)
{
  const int seals[] = { 0,
                        F_SEAL_SHRINK,
                        F_SEAL_WRITE,
                        F_SEAL_SHRINK | F_SEAL_GROW,
                        F_SEAL_GROW | F_SEAL_WRITE,
                        F_SEAL_SEAL };

  g_test_summary ("Memory without all of the seals is refused: it could be shortened, or changed.");

  for (guint i = 0; i < G_N_ELEMENTS (seals); i++)
    refuse (make_memory (SIZE, MFD_ALLOW_SEALING, seals[i]), SIZE);
}

static void
test_wrong_size (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("Memory of another size than was said is refused, also if it is larger.");

  refuse (make_memory (SIZE, MFD_ALLOW_SEALING, ALL_SEALS), SIZE - 1);
  refuse (make_memory (SIZE, MFD_ALLOW_SEALING, ALL_SEALS), SIZE + 1);
  refuse (make_memory (SIZE, MFD_ALLOW_SEALING, ALL_SEALS), G_MAXSIZE);
  refuse (make_memory (0, MFD_ALLOW_SEALING, ALL_SEALS), 0);
  refuse (make_memory (0, MFD_ALLOW_SEALING, ALL_SEALS), SIZE);
}

static void
test_no_memory (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  int fds[2];
  int fd = g_file_open_tmp ("dray-test-XXXXXX", &path, NULL);

  g_test_summary ("What is no memory is refused: a file, a pipe, a device.");

  g_assert_cmpint (ftruncate (fd, SIZE), ==, 0);
  unlink (path);
  refuse (fd, SIZE);
  g_assert_cmpint (pipe (fds), ==, 0);
  close (fds[1]);
  refuse (fds[0], SIZE);
  refuse (open ("/dev/zero", O_RDONLY | O_CLOEXEC), SIZE);
}

static void
test_large_pages (Fixture *fixture, gconstpointer data)
{
  const gsize size = 2 * 1024 * 1024;
  int fd = memfd_create ("foreign", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);

  g_test_summary ("Memory of large pages is refused: an access to it may be a SIGBUS.");

  if (fd < 0 || ftruncate (fd, (off_t) size) != 0 || fcntl (fd, F_ADD_SEALS, ALL_SEALS) != 0)
    {
      if (fd >= 0)
        close (fd);
      g_test_skip ("There are no large pages here");
      return;
    }

  refuse (fd, size);
}

static void
test_out_of_descriptors (Fixture *fixture, gconstpointer data)
{
  struct rlimit limit, none;
  g_autoptr (GError) error = NULL;
  int fd;

  g_test_summary ("Where there is no descriptor left, that is said.");

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  fd = dray_payload_write ((const guint8 *) "x", 1, &error);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);

  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  g_assert_cmpint (fd, ==, -1);
}

static void
test_allocate (Fixture *fixture, gconstpointer data)
{
  const gsize sizes[] = { 1, 1000, 3 * 1024 * 1024 };

  g_test_summary ("Memory that is to become a value can be written to, whatever its size.");

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      gpointer address;
      g_autoptr (GBytes) bytes = dray_payload_allocate (sizes[i], &address);

      g_assert_true (g_bytes_get_data (bytes, NULL) == address);
      g_assert_cmpuint (g_bytes_get_size (bytes), ==, sizes[i]);
      memset (address, 5, sizes[i]);
    }
}

/* --- Payloads that are read --- */

/* Feeds a frame with a payload of @length bytes, as far as @n_bytes of that; all of them are 7. */
static void
feed (DrayDecoder *decoder, gsize length, gsize n_bytes)
{
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_RESULT,
    .task_id = 1,
    .attempt = 1,
    .length = length,
  };
  DrayFrameHeader decoded;
  GBytes *payload = NULL;
  gsize size;

  dray_frame_header_encode (&header, dray_decoder_get_space (decoder, &size));
  dray_decoder_take (decoder, DRAY_FRAME_HEADER_SIZE);
  g_assert_false (dray_decoder_next (decoder, &decoded, &payload, NULL));

  while (n_bytes > 0)
    {
      guint8 *space = dray_decoder_get_space (decoder, &size);

      g_assert_false (dray_decoder_next (decoder, &decoded, &payload, NULL));
      size = MIN (size, n_bytes);
      memset (space, 7, size);
      dray_decoder_take (decoder, size);
      n_bytes -= size;
    }
}

static void
test_read (Fixture *fixture, gconstpointer data)
{
  const gsize sizes[] = { 31 * 1024 * 1024, 32 * 1024 * 1024, 40 * 1024 * 1024 + 8 };

  g_test_summary (
    "A payload that is read into memory of its own arrives whole, aligned, and outlives "
    "the decoder; the next one has its own.");

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (DrayDecoder) decoder = dray_decoder_new (G_MAXUINT32);
      g_autoptr (GBytes) first = NULL;
      g_autoptr (GBytes) second = NULL;
      DrayFrameHeader header;
      const guint8 *bytes;
      gsize size;

      feed (decoder, sizes[i], sizes[i]);
      g_assert_true (dray_decoder_next (decoder, &header, &first, NULL));
      feed (decoder, sizes[i], sizes[i]);
      g_assert_true (dray_decoder_next (decoder, &header, &second, NULL));
      g_clear_pointer (&decoder, dray_decoder_free);

      g_assert_true (g_bytes_equal (first, second));
      bytes = g_bytes_get_data (first, &size);
      g_assert_cmpuint (size, ==, sizes[i]);
      g_assert_cmpuint ((guintptr) bytes % 8, ==, 0);
      g_assert_cmpuint (bytes[0], ==, 7);
      g_assert_cmpint (memcmp (bytes, bytes + 1, size - 1), ==, 0);
    }
}

static void
test_read_in_part (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("One that never comes to its end is let go of.");

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (DrayDecoder) decoder = dray_decoder_new (G_MAXUINT32);

      feed (decoder, 1024 * 1024 * 1024, i * 1024 * 1024);
      g_assert_true (dray_decoder_has_partial (decoder));
    }
}

/* --- Slots --- */

static void
test_slot (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DraySlot) ours = NULL;
  g_autoptr (DraySlot) theirs = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GBytes) part = NULL;
  int fd;

  g_test_summary (
    "A slot is the host's until the last of its bytes is freed, also after the worker "
    "has let go of it.");

  theirs = dray_slot_new (SIZE, &fd, &error);
  g_assert_no_error (error);
  ours = dray_slot_map (fd, &error);
  g_assert_no_error (error);
  close (fd);
  g_assert_cmpuint (dray_slot_get_capacity (ours), ==, SIZE);
  g_assert_false (dray_slot_is_lent (theirs));

  memset (dray_slot_get_data (theirs), 9, SIZE);
  dray_slot_lend (theirs);
  bytes = dray_slot_get_bytes (ours, SIZE / 2);
  part = g_bytes_new_from_bytes (bytes, 8, 8);
  g_clear_pointer (&bytes, g_bytes_unref);
  g_clear_pointer (&ours, dray_slot_unref);
  g_assert_true (dray_slot_is_lent (theirs));
  g_assert_cmpmem (g_bytes_get_data (part, NULL), 8, "\t\t\t\t\t\t\t\t", 8);

  g_clear_pointer (&part, g_bytes_unref);
  g_assert_false (dray_slot_is_lent (theirs));
}

static void
refuse_slot (int fd)
{
  g_autoptr (GError) error = NULL;
  DraySlot *slot = dray_slot_map (fd, &error);

  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
  g_assert_null (slot);
  close (fd);
}

static void
test_slot_refused (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("Memory that could be shortened, or is too small, is no slot.");

  refuse_slot (make_memory (DRAY_SLOT_HEADER_SIZE * 2, MFD_ALLOW_SEALING, 0));
  refuse_slot (make_memory (DRAY_SLOT_HEADER_SIZE * 2, 0, 0));
  refuse_slot (make_memory (DRAY_SLOT_HEADER_SIZE, MFD_ALLOW_SEALING, F_SEAL_SHRINK | F_SEAL_GROW));
  refuse_slot (open ("/dev/zero", O_RDWR | O_CLOEXEC));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  fixture_add ("/payload/round-trip", NULL, test_round_trip);
  fixture_add ("/payload/variant", NULL, test_variant);
  fixture_add ("/payload/frozen", NULL, test_frozen);
  fixture_add ("/payload/out-of-descriptors", NULL, test_out_of_descriptors);
  fixture_add ("/payload/allocate", NULL, test_allocate);
  fixture_add ("/payload/hostile/unsealed", NULL, test_unsealed);
  fixture_add ("/payload/hostile/wrong-size", NULL, test_wrong_size);
  fixture_add ("/payload/hostile/no-memory", NULL, test_no_memory);
  fixture_add ("/payload/hostile/large-pages", NULL, test_large_pages);
  fixture_add ("/payload/read/whole", NULL, test_read);
  fixture_add ("/payload/read/in-part", NULL, test_read_in_part);
  fixture_add ("/payload/slot/lent", NULL, test_slot);
  fixture_add ("/payload/slot/refused", NULL, test_slot_refused);

  return g_test_run ();
}
