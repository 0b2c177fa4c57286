/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-cargo.h"
#include "dray-descriptor.h"
#include "dray-error-private.h"
#include "dray-leash.h"
#include "dray-payload.h"
#include "dray-ring.h"
#include "dray-slot.h"
#include "fixture.h"
#include "refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the kernel refuses when it is short of something: that is an error, whose reason is the
 * kernel's, and nothing is left open. The fixture sees to the second. */

#define SIZE ((gsize) 100 * 1000)

/* Where a case calls for none, it is one of the parts of the wire that make something. */
typedef struct
{
  const char *name;
  gboolean (*make) (GError **error); /* TRUE: it could be had all the same */
  Refusal refusals[3];
  const char *part_of_message;
} Case;

typedef struct
{
  const Case *what;
  gboolean had;
  GError *error; /* (owned) */
} Attempt;

/* --- What is made --- */

static gboolean
make_payload (GError **error)
{
  const int fd = dray_payload_write ((const guint8 *) "bytes", 5, error);

  if (fd >= 0)
    close (fd);
  return fd >= 0;
}

static gboolean
map_payload (GError **error)
{
  g_autofree guint8 *data = g_malloc0 (SIZE);
  g_autoptr (GBytes) bytes = NULL;
  const int fd = memfd_create ("foreign", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  data[SIZE - 1] = 1;
  g_assert_cmpint (ftruncate (fd, (off_t) SIZE), ==, 0);
  g_assert_cmpint (pwrite (fd, data + SIZE - 1, 1, (off_t) SIZE - 1), ==, 1);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), ==, 0);
  bytes = dray_payload_map (fd, SIZE, error);
  close (fd);
  if (bytes == NULL)
    return FALSE;

  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), data, SIZE);
  return TRUE;
}

static gboolean
make_sealed (GError **error)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_uint32 (1));
  g_autoptr (DrayCargo) cargo = dray_cargo_new_sealed (value, error);

  return cargo != NULL;
}

static gboolean
make_leash (GError **error)
{
  DrayLeash leash;
  const gboolean made = dray_leash_open (&leash, error);

  g_assert_true (made == (leash.fds[0] >= 0) && made == (leash.fds[1] >= 0));
  if (made)
    dray_leash_close (&leash);
  return made;
}

static gboolean
make_slot (GError **error)
{
  int fd;
  g_autoptr (DraySlot) slot = dray_slot_new (SIZE, &fd, error);

  g_assert_true ((slot != NULL) == (fd >= 0));
  if (fd >= 0)
    close (fd);
  return slot != NULL;
}

static gboolean
make_ring (GError **error)
{
  DrayRing *ring = dray_ring_new (error);
  const gboolean made = ring != NULL;

  g_clear_pointer (&ring, dray_ring_free);
  return made;
}

static gboolean
make_passage (GError **error)
{
  int theirs;
  g_autoptr (DrayPassage) passage = dray_passage_new (&theirs, error);

  g_assert_true ((passage != NULL) == (theirs >= 0));
  if (theirs >= 0)
    close (theirs);
  return passage != NULL;
}

/* The end of it that a worker finds where it has begun. */
static gboolean
adopt_passage (GError **error)
{
  int theirs;
  g_autoptr (DrayPassage) host = dray_passage_new (&theirs, NULL);
  g_autoptr (DrayPassage) worker = dray_passage_adopt (theirs, dray_passage_get_cookie (host));

  if (worker == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, dray_strerror (errno));
      close (theirs);
    }
  return worker != NULL;
}

/* With the lowest number there is, from which the library moves all that it opens. */
static gboolean
make_pipe (GError **error)
{
  const int input = dup3 (STDIN_FILENO, 100, O_CLOEXEC);
  int fds[2];
  gboolean made;

  close (STDIN_FILENO);
  made = dray_descriptor_open_pipe (fds, error);
  if (made)
    {
      close (fds[0]);
      close (fds[1]);
    }
  g_assert_cmpint (dup2 (input, STDIN_FILENO), ==, STDIN_FILENO);
  close (input);
  return made;
}

static gboolean
send_descriptor (GError **error)
{
  int theirs;
  g_autoptr (DrayPassage) host = dray_passage_new (&theirs, NULL);
  g_autoptr (DrayPassage) worker = dray_passage_adopt (theirs, dray_passage_get_cookie (host));
  const int input = STDIN_FILENO;

  return dray_passage_send (worker, &input, 1, error) > 0;
}

static gboolean
receive_descriptor (GError **error)
{
  const int file = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  const int input = dup3 (STDIN_FILENO, 100, O_CLOEXEC);
  int theirs, received;
  guint64 serial;
  gboolean taken;
  g_autoptr (DrayPassage) host = dray_passage_new (&theirs, NULL);
  g_autoptr (DrayPassage) worker = dray_passage_adopt (theirs, dray_passage_get_cookie (host));

  g_assert_true (dray_passage_is_confirmed (host));
  serial = dray_passage_send (worker, &file, 1, error);
  g_assert_cmpuint (serial, >, 0);
  close (file);
  close (STDIN_FILENO);
  taken = dray_passage_receive (host, serial, &received, 1, error);
  if (taken)
    close (received);
  g_assert_cmpint (dup2 (input, STDIN_FILENO), ==, STDIN_FILENO);
  close (input);
  return taken;
}

/* --- What is refused --- */

#define NO_MEMFD REFUSE (memfd_create, EMFILE)
#define NO_WRITE REFUSE (write, ENOSPC)
#define NO_SIZE REFUSE (ftruncate, EFBIG)
#define NO_SEALS REFUSE_COMMAND (fcntl, EPERM, F_ADD_SEALS)
#define NO_READ REFUSE (pread64, EIO)
#define NO_MESSAGE REFUSE (sendto, ENOBUFS)
#define NO_OPTION REFUSE (setsockopt, ENOBUFS)
#define NO_DESCRIPTORS REFUSE (sendmsg, ENOBUFS)
#define NO_MORE_IN_FLIGHT REFUSE (sendmsg, ETOOMANYREFS)
/* Of one that is given a number lower than this. */
#define NO_RAISING                                                                   \
  {                                                                                  \
    .call = SYS_fcntl, .error = EMFILE, .condition = REFUSE_IF_EQUAL, .argument = 2, \
    .value = DRAY_DESCRIPTOR_LOWEST                                                  \
  }
#define NO_MOVE REFUSE_COMMAND (fcntl, EMFILE, F_DUPFD_CLOEXEC)
/* Where so high a number is above the limit. */
#define NO_HIGH_MOVE                                                                              \
  {                                                                                               \
    .call = SYS_fcntl, .error = EINVAL, .condition = REFUSE_IF_EQUAL, .argument = 2, .value = 100 \
  }

/* What is said of EMFILE. */
#define NO_FILES "the process’s limit of open files (RLIMIT_NOFILE) is reached"

static const Case cases[] = {
  { "payload/memory", make_payload, { NO_MEMFD }, NO_FILES },
  { "payload/bytes", make_payload, { NO_WRITE }, "No space left" },
  { "payload/seals", make_payload, { NO_SEALS }, "not permitted" },
  { "payload/mapping", map_payload, { REFUSE_MAPPING_FILES }, NULL },
  { "payload/mapping-and-reading", map_payload, { REFUSE_MAPPING_FILES, NO_READ }, "100000 bytes" },
  { "cargo/memory", make_sealed, { NO_MEMFD }, NO_FILES },
  { "leash", make_leash, { REFUSE (pipe2, EMFILE) }, NO_FILES },
  { "slot/memory", make_slot, { NO_MEMFD }, NO_FILES },
  { "slot/size", make_slot, { NO_SIZE }, "File too large" },
  { "slot/seals", make_slot, { NO_SEALS }, "not permitted" },
  { "slot/mapping", make_slot, { REFUSE_MAPPING_FILES }, "Cannot allocate memory" },
  { "ring/memory", make_ring, { NO_MEMFD }, NO_FILES },
  { "ring/size", make_ring, { NO_SIZE }, "File too large" },
  { "ring/mapping", make_ring, { REFUSE_MAPPING_FILES }, "Cannot allocate memory" },
  { "passage/sockets", make_passage, { REFUSE (socketpair, EMFILE) }, NO_FILES },
  { "passage/cookie", make_passage, { NO_MESSAGE }, "No buffer space" },
  { "passage/end", make_passage, { NO_OPTION }, NULL },
  { "passage/adopted", adopt_passage, { NO_MOVE }, NO_FILES },
  { "passage/adopted-lower", adopt_passage, { NO_HIGH_MOVE }, NULL },
  { "passage/sent", send_descriptor, { NO_DESCRIPTORS }, "No buffer space" },
  { "passage/in-flight", send_descriptor, { NO_MORE_IN_FLIGHT }, "too many others" },
  { "passage/received", receive_descriptor, { NO_RAISING }, NO_FILES },
  { "pipe", make_pipe, { NO_RAISING }, NO_FILES },
  { "pipe/of-process", make_pipe, { REFUSE (pipe2, EMFILE) }, NO_FILES },
  { "pipe/of-system", make_pipe, { REFUSE (pipe2, ENFILE) }, "the system’s limit of open files" },
};

static void
attempt_cb (gpointer data)
{
  Attempt *attempt = data;

  attempt->had = attempt->what->make (&attempt->error);
}

static void
test_case (Fixture *fixture, gconstpointer data)
{
  const Case *what = data;
  Attempt attempt = { what, FALSE, NULL };
  g_autoptr (GError) none = NULL;

  g_test_summary ("What the kernel refuses is an error with its reason; without that it works.");

  g_assert_true (what->make (&none));
  g_assert_no_error (none);

  if (!refusal_run (what->refusals, attempt_cb, &attempt))
    {
      g_test_skip ("The kernel can't be made to refuse anything here");
      return;
    }

  if (what->part_of_message == NULL)
    {
      g_assert_no_error (attempt.error);
      g_assert_true (attempt.had);
      return;
    }
  g_assert_false (attempt.had);
  g_assert_nonnull (attempt.error);
  g_test_message ("%s", attempt.error->message);
  g_assert_nonnull (strstr (attempt.error->message, what->part_of_message));
  g_clear_error (&attempt.error);
}

/* --- What nobody is told of --- */

static void
close_cb (gpointer data)
{
  dray_descriptor_close_foreign (data, 1);
}

static void
test_close (Fixture *fixture, gconstpointer data)
{
  const Refusal no_thread[] = { REFUSE (clone3, EAGAIN), REFUSE (clone, EAGAIN), { 0 } };
  int fds[2];

  g_test_summary ("What may take long to close is closed at once where no thread is to be had.");

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  if (refusal_run (no_thread, close_cb, &fds[0]))
    g_assert_cmpint (fcntl (fds[0], F_GETFD), ==, -1);
  else
    close (fds[0]);
  close (fds[1]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/shortage/", cases[i].name, NULL);

      fixture_add (path, &cases[i], test_case);
    }
  fixture_add ("/shortage/thread", NULL, test_close);

  return g_test_run ();
}
