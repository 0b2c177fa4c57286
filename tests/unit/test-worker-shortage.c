/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "refusal.h"
#include "worker-peer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Workers in processes that can have little: they say what they can't do without, do without all
 * else, and are no harder to end. */

/* --- What a worker can't do without --- */

typedef struct
{
  const char *name;
  Refusal refusals[3];
  const char *message; /* a part of it */
} Case;

/* Of the descriptor of that number. */
#define NO_MOVE_OF(fd)                                                                             \
  {                                                                                                \
    .call = SYS_fcntl, .error = EMFILE, .condition = REFUSE_IF_EQUAL, .argument = 0, .value = (fd) \
  }
#define NO_DEVICE                                                                     \
  {                                                                                   \
    .call = SYS_openat, .error = EMFILE, .condition = REFUSE_IF_EQUAL, .argument = 2, \
    .value = O_RDWR | O_CLOEXEC                                                       \
  }

static const Case fatal[] = {
  { "input", { NO_MOVE_OF (STDIN_FILENO) }, "channel to the application could not be set up" },
  { "output", { NO_MOVE_OF (STDOUT_FILENO) }, "channel to the application could not be set up" },
  { "device", { NO_DEVICE }, "“/dev/null” could not be opened" },
};

static void
refuse_cb (gpointer data)
{
  refusal_install (data);
}

/* Returns: FALSE if that can't be had here */
static gboolean
spawn_refused (WorkerPeer *peer, const Refusal *refusals)
{
  if (!refusal_is_possible ())
    {
      g_test_skip ("The kernel can't be made to refuse anything here");
      return FALSE;
    }

  worker_peer_spawn_prepared (peer, refuse_cb, (gpointer) refusals);
  return TRUE;
}

static void
test_fatal (WorkerPeer *peer, gconstpointer data)
{
  const Case *what = data;
  g_autofree char *errors = NULL;

  g_test_summary ("A worker that can't have its channel says why on standard error, and ends.");

  if (!spawn_refused (peer, what->refusals))
    return;

  errors = worker_peer_expect_exit (peer, 2);
  g_assert_nonnull (strstr (errors, what->message));
  g_assert_nonnull (strstr (errors, "limit of open files (RLIMIT_NOFILE) is reached"));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* Leaves the worker, which waits for what it is sent, @room bytes of memory besides what it has. */
static void
limit_memory (WorkerPeer *peer, gsize room)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/statm", peer->pid);
  g_autofree char *pages = NULL;
  g_autoptr (GError) error = NULL;
  struct rlimit limit;

  g_file_get_contents (path, &pages, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (prlimit (peer->pid, RLIMIT_AS, NULL, &limit), ==, 0);
  limit.rlim_cur = strtoul (pages, NULL, 10) * (gsize) sysconf (_SC_PAGESIZE) + room;
  g_assert_cmpint (prlimit (peer->pid, RLIMIT_AS, &limit, NULL), ==, 0);
}
#endif

static void
test_arguments (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A worker that has no memory for the initial arguments says so, and ends.");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_skip ("A sanitizer takes more address space than there is to be limited");
#else
  const gsize size = 128 * 1024 * 1024;
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_HELLO,
    .version = DRAY_PROTOCOL_VERSION,
    .length = size,
  };
  guint8 bytes[DRAY_FRAME_HEADER_SIZE];
  g_autofree guint8 *payload = g_malloc0 (size);
  g_autofree char *errors = NULL;
  gsize n_sent = 0;
  gssize n = 0;

  worker_peer_spawn (peer, NULL, NULL);
  worker_peer_hear_hello (peer);
  limit_memory (peer, size / 4);
  dray_frame_header_encode (&header, bytes);
  worker_peer_send_raw (peer, bytes, sizeof bytes);
  do
    {
      n_sent += n;
      n = write (peer->input_fd, payload + n_sent, size - n_sent);
    }
  while (n > 0);

  g_assert_cmpint (n, <, 0);
  g_assert_cmpint (errno, ==, EPIPE);
  errors = worker_peer_expect_exit (peer, 3);
  g_assert_cmpstr (errors, ==,
                   "misbehaving-worker: There is not enough memory for a value of 134217728 "
                   "bytes\n");
#endif
}

/* --- What it can do without --- */

static void
assert_works (WorkerPeer *peer, const char *errors)
{
  g_autofree char *written = NULL;

  worker_peer_make_ready (peer);
  worker_peer_submit (peer, 1, "print", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "()");
  worker_peer_submit (peer, 2, "echo", "('text',)");
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 2, "('text',)");
  worker_peer_goodbye (peer);
  written = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (written, ==, errors);
}

static void
close_errors_cb (gpointer data)
{
  close (STDERR_FILENO);
}

static void
test_no_errors (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("Where standard error is closed, what is printed goes nowhere, and not into the "
                  "channel.");

  worker_peer_spawn_prepared (peer, close_errors_cb, NULL);
  assert_works (peer, "");
}

static void
allow_few_files_cb (gpointer data)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 50;
  setrlimit (RLIMIT_NOFILE, &limit);
}

static void
test_few_files (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A worker that may have only a few files open has its channel among these.");

  worker_peer_spawn_prepared (peer, allow_few_files_cb, NULL);
  assert_works (peer, "printed to standard output\nwritten to descriptor 1\n");
}

/* Allows the worker to open nothing more. @before: (out) */
static void
forbid_files (WorkerPeer *peer, struct rlimit *before)
{
  struct rlimit none;

  g_assert_cmpint (prlimit (peer->pid, RLIMIT_NOFILE, NULL, before), ==, 0);
  none = *before;
  none.rlim_cur = 0;
  g_assert_cmpint (prlimit (peer->pid, RLIMIT_NOFILE, &none, NULL), ==, 0);
}

/* Returns: the type of the next frame that is no item */
static DrayFrameType
skip_items (WorkerPeer *peer)
{
  const gint64 deadline = fixture_get_deadline ();
  DrayFrameHeader header = { 0 };

  do
    {
      g_autoptr (GBytes) payload = worker_peer_hear (peer, &header);

      g_assert_nonnull (payload);
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
    }
  while (header.type == DRAY_FRAME_ITEM);

  return header.type;
}

static void
test_cancelled (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;
  struct rlimit before;

  g_test_summary ("A call is cancelled also where nothing more may be opened.");

  worker_peer_start (peer);
  forbid_files (peer, &before);
  worker_peer_submit (peer, 1, "stream", "(@u 4000000000, @u 1000)");
  g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_ITEM, 1));
  worker_peer_cancel (peer, 1);
  g_assert_cmpint (skip_items (peer), ==, DRAY_FRAME_RESULT); /* how many it was */

  g_assert_cmpint (prlimit (peer->pid, RLIMIT_NOFILE, &before, NULL), ==, 0);
  worker_peer_goodbye (peer);
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
}

static void
test_host_gone (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;
  struct rlimit before;

  g_test_summary ("Nor does a worker outlive its host there.");

  worker_peer_start (peer);
  forbid_files (peer, &before);
  worker_peer_submit (peer, 1, "ignore-cancel", NULL);
  worker_peer_expect_status (peer, 1, "deaf");
  worker_peer_close_input (peer);
  errors = worker_peer_expect_signal (peer, SIGKILL);
}

/* --- What it has left running --- */

#define NO_LEASH REFUSE (pipe2, EMFILE)
#define NO_PIDFD REFUSE (pidfd_open, EMFILE)

static const Case lasting[] = {
  { "leash", { NO_LEASH }, NULL },
  { "leash-and-pidfd", { NO_LEASH, NO_PIDFD }, NULL },
};

/* A child that a function has left, with a worker that @end brings to its own end. */
static void
check_child (WorkerPeer *peer, const Case *what, void (*end) (WorkerPeer *peer))
{
  g_autoptr (GVariant) pid = NULL;
  g_autofree char *errors = NULL;

  if (!spawn_refused (peer, what->refusals))
    return;

  worker_peer_make_ready (peer);
  worker_peer_submit (peer, 1, "grandchild", NULL);
  pid = worker_peer_expect_value (peer, DRAY_FRAME_RESULT, 1);
  end (peer);

  /* The grandchild holds all descriptors: that they are closed says that it is gone as well. */
  errors = worker_peer_expect_exit (peer, 0);
  fixture_iterate_until_gone ((int) g_variant_get_uint32 (pid));
}

static void
test_children (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary (
    "What a function has left running ends with its worker, whatever that lacks to see "
    "to it.");

  check_child (peer, data, worker_peer_goodbye);
}

static void
test_children_without_host (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("The same where the host is gone.");

  check_child (peer, data, worker_peer_close_input);
}

static void
add_cases (const char *name,
           const Case *cases,
           gsize n_cases,
           void (*test) (WorkerPeer *peer, gconstpointer data))
{
  for (gsize i = 0; i < n_cases; i++)
    {
      g_autofree char *path = g_strconcat ("/worker-shortage/", name, "/", cases[i].name, NULL);

      worker_peer_add (path, &cases[i], test);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  add_cases ("fatal", fatal, G_N_ELEMENTS (fatal), test_fatal);
  worker_peer_add ("/worker-shortage/fatal/arguments", NULL, test_arguments);
  worker_peer_add ("/worker-shortage/no-errors", NULL, test_no_errors);
  worker_peer_add ("/worker-shortage/few-files", NULL, test_few_files);
  worker_peer_add ("/worker-shortage/no-files/cancelled", NULL, test_cancelled);
  worker_peer_add ("/worker-shortage/no-files/host-gone", NULL, test_host_gone);
  add_cases ("children", lasting, G_N_ELEMENTS (lasting), test_children);
  add_cases ("children-without-host", lasting, G_N_ELEMENTS (lasting), test_children_without_host);

  return g_test_run ();
}
