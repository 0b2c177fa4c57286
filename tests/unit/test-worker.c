/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-cargo.h"
#include "worker-peer.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* The life of a worker process, seen from the host's end of the channel. */

/* How it begins */

static void
test_is_requested (void)
{
  static const struct
  {
    const char *argv[4];
    gboolean requested;
  } vectors[] = {
    { { NULL }, FALSE },
    { { "program", NULL }, FALSE },
    { { "program", "--dray-worker", NULL }, TRUE },
    { { "program", "--dray-worker", "more", NULL }, TRUE },
    { { "program", "file", "--dray-worker", NULL }, FALSE },
    { { "--dray-worker", NULL }, FALSE },
  };

  g_test_summary ("A process is to be a worker if that is its first argument");

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      int argc = g_strv_length ((char **) vectors[i].argv);

      g_assert_true (dray_worker_is_requested (argc, (char **) vectors[i].argv)
                     == vectors[i].requested);
    }
}

static void
free_counted_cb (gpointer data)
{
  guint *n_freed = data;

  (*n_freed)++;
}

static GVariant *
never_called_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_assert_not_reached ();
}

static void
never_finalized_cb (DrayWorker *worker, gpointer data)
{
  g_assert_not_reached ();
}

static void
test_registry (void)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();
  guint n_freed = 0;

  g_test_summary ("The data of a function is freed once: when it is replaced, or with the worker");

  dray_worker_add_function (worker, "a", never_called_cb, &n_freed, free_counted_cb);
  dray_worker_add_function (worker, "b", never_called_cb, &n_freed, free_counted_cb);
  dray_worker_add_typed_function (worker, "a", G_VARIANT_TYPE ("(s)"), never_called_cb, &n_freed,
                                  free_counted_cb);
  g_assert_cmpuint (n_freed, ==, 1);
  dray_worker_set_initializer (worker, NULL, &n_freed, free_counted_cb);
  g_assert_cmpuint (n_freed, ==, 2);
  dray_worker_set_finalizer (worker, never_finalized_cb, &n_freed, free_counted_cb);
  dray_worker_set_finalizer (worker, NULL, NULL, NULL);
  g_assert_cmpuint (n_freed, ==, 3);
  g_clear_object (&worker);
  g_assert_cmpuint (n_freed, ==, 5);
}

static void
test_by_hand (Fixture *fixture, gconstpointer data)
{
  g_autofree char *program = fixture_dup_misbehaving_worker ();
  const char *argv[] = { program, NULL };
  g_autofree char *output = NULL;
  g_autofree char *errors = NULL;
  g_autoptr (GError) error = NULL;
  int status = 0;

  g_test_summary ("Somebody who starts a worker by hand is told what it is, and it ends with 2");

  /* Its standard input is /dev/null. */
  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, &errors, &status,
                &error);
  g_assert_no_error (error);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 2);
  g_assert_cmpstr (output, ==, "");
  g_assert_nonnull (strstr (errors, "worker process of an application that uses Dray"));
}

static void
test_initial_arguments (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("The initializer gets the initial arguments, whatever their type");

  worker_peer_spawn (peer, NULL, NULL);
  worker_peer_greet (peer, g_variant_new ("(sv)", "model", g_variant_new_uint32 (7)));
  g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_READY, 0));
  worker_peer_submit (peer, 1, "init-args", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "('model', <uint32 7>)");
  worker_peer_goodbye (peer);
  errors = worker_peer_expect_exit (peer, 0);
}

static void
test_initializer_fails (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("Where the initializer fails, the host gets its error, for no task, and the "
                  "process ends with 1");

  worker_peer_spawn (peer, "--init-fails", NULL);
  worker_peer_greet (peer, NULL);
  worker_peer_expect_error (peer, 0, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "There is no model to load");
  errors = worker_peer_expect_exit (peer, 1);
}

static void
test_run_twice (WorkerPeer *peer, gconstpointer data)
{
  static const char complaint[] = "dray_worker_run() was called a second time in one process";
  g_autofree char *errors = NULL;
  const char *first;

  g_test_summary ("A process that is a worker, or was one, is told that it can't be one again; the "
                  "calls go on");

  /* It must not be ended by a critical warning. */
  worker_peer_spawn (peer, "--runs-twice", "G_DEBUG=");
  worker_peer_make_ready (peer);
  worker_peer_submit (peer, 1, "run-again", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "2");
  worker_peer_submit (peer, 2, "add", "(1, 2)");
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 2, "3");
  worker_peer_goodbye (peer);
  errors = worker_peer_expect_exit (peer, 2);
  first = strstr (errors, complaint);
  g_assert_nonnull (first);
  g_assert_nonnull (strstr (first + strlen (complaint), complaint));
}

static void
test_initializer_hangs (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("An initializer that hangs does not outlive the host");

  worker_peer_spawn (peer, "--init-hangs", NULL);
  worker_peer_greet (peer, NULL);
  worker_peer_close_input (peer);
  errors = worker_peer_expect_signal (peer, SIGKILL);
}

static guint64
get_signals (int pid, const char *field)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/status", pid);
  g_autofree char *contents = NULL;
  g_autoptr (GError) error = NULL;
  const char *line;

  g_file_get_contents (path, &contents, NULL, &error);
  g_assert_no_error (error);
  line = strstr (contents, field);
  g_assert_nonnull (line);

  return g_ascii_strtoull (line + strlen (field), NULL, 16);
}

static void
test_clean_slate (WorkerPeer *peer, gconstpointer data)
{
  const guint64 sigchld = (guint64) 1 << (SIGCHLD - 1);
  const guint64 sigpipe = (guint64) 1 << (SIGPIPE - 1);
  g_autofree char *errors = NULL;
  sigset_t blocked, old;

  g_test_summary ("A worker leads a process group, and whatever the host blocks, it blocks no "
                  "signal; it ignores SIGPIPE, and not SIGCHLD, as the host may");

  sigemptyset (&blocked);
  sigaddset (&blocked, SIGTERM);
  sigaddset (&blocked, SIGUSR1);
  pthread_sigmask (SIG_BLOCK, &blocked, &old);
  signal (SIGCHLD, SIG_IGN);
  worker_peer_start (peer);
  signal (SIGCHLD, SIG_DFL);
  pthread_sigmask (SIG_SETMASK, &old, NULL);

  g_assert_cmpint (getpgid (peer->pid), ==, peer->pid);
  g_assert_cmphex (get_signals (peer->pid, "SigBlk:"), ==, 0);
  g_assert_cmphex (get_signals (peer->pid, "SigIgn:") & sigpipe, ==, sigpipe);
  g_assert_cmphex (get_signals (peer->pid, "SigIgn:") & sigchld, ==, 0);

  worker_peer_goodbye (peer);
  errors = worker_peer_expect_exit (peer, 0);
}

static void
test_standard_output (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("What a function prints to standard output goes where standard error goes, and "
                  "the channel stays what it is");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "print", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "()");
  worker_peer_submit (peer, 2, "print", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 2, "()");
  worker_peer_goodbye (peer);
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==,
                   "printed to standard output\nwritten to descriptor 1\n"
                   "printed to standard output\nwritten to descriptor 1\n");
}

static void
make_non_blocking_cb (gpointer data)
{
  fcntl (STDIN_FILENO, F_SETFL, O_NONBLOCK);
  fcntl (STDOUT_FILENO, F_SETFL, O_NONBLOCK);
}

static void
test_non_blocking (WorkerPeer *peer, gconstpointer data)
{
  const gsize size = 4 * 1024 * 1024;
  g_autofree char *errors = NULL;

  g_test_summary ("A worker whose channel was made not to block by what has started it waits there "
                  "nonetheless");

  worker_peer_spawn_prepared (peer, make_non_blocking_cb, NULL);
  worker_peer_hear_hello (peer);
  /* It has nothing to read now. */
  fixture_iterate_until (fixture_is_asleep, GINT_TO_POINTER (peer->pid), "the worker waits");
  worker_peer_say_hello (peer, NULL);
  g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_READY, 0));
  for (guint64 id = 1; id <= 5; id++)
    {
      g_autoptr (GVariant) value = NULL;

      worker_peer_submit (peer, id, "bytes", "(@u 4194304,)");
      value = worker_peer_expect_value (peer, DRAY_FRAME_RESULT, id);
      g_assert_cmpuint (g_variant_get_size (value), ==, size);
    }
  worker_peer_goodbye (peer);
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
}

/* Hosts that make no sense */

typedef struct
{
  const char *name;
  gboolean greet; /* after a proper hello */
  DrayFrameHeader header;
  const char *payload;
  const char *said; /* what it is said to have sent */
} Nonsense;

static const Nonsense nonsense[] = {
  { "item", TRUE, { .type = DRAY_FRAME_ITEM, .task_id = 1, .attempt = 1, .length = 3 }, "\0\0s",
    "a message “item”, which only workers send" },
  { "ready", TRUE, { .type = DRAY_FRAME_READY }, "",
    "a message “ready”, which only workers send" },
  { "second-hello", TRUE, { .type = DRAY_FRAME_HELLO }, "", "a second greeting" },
  { "submit-first", FALSE, { .type = DRAY_FRAME_SUBMIT, .task_id = 1, .attempt = 1 }, "",
    "a message “submit” before its greeting" },
  { "submit-empty", TRUE, { .type = DRAY_FRAME_SUBMIT, .task_id = 1, .attempt = 1 }, "",
    "a task whose function can’t be read" },
  { "submit-without-id", TRUE, { .type = DRAY_FRAME_SUBMIT, .attempt = 1 }, "",
    "a task without a number" },
  { "chunk-without-id", TRUE, { .type = DRAY_FRAME_CHUNK, .attempt = 1 }, "",
    "a task without a number" },
  { "unknown-type", TRUE, { .type = 77 }, "", "a message of the unknown type 77" },
};

static void
test_nonsense (WorkerPeer *peer, gconstpointer data)
{
  const Nonsense *what = data;
  guint8 frame[DRAY_FRAME_HEADER_SIZE + 8] = { 0 };
  gsize length = what->header.length;
  g_autofree char *message = g_strconcat (
    "misbehaving-worker: The application sent something unexpected: ", what->said, "\n", NULL);
  g_autofree char *errors = NULL;

  g_test_summary ("A host that breaks the protocol is told why on standard error, and the worker "
                  "ends with 3");

  worker_peer_spawn (peer, NULL, NULL);
  if (what->greet)
    {
      worker_peer_greet (peer, NULL);
      g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_READY, 0));
    }
  else
    {
      g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_HELLO, 0));
    }

  dray_frame_header_encode (&what->header, frame);
  memcpy (frame + DRAY_FRAME_HEADER_SIZE, what->payload, length);
  worker_peer_send_raw (peer, frame,
                        DRAY_FRAME_HEADER_SIZE + length + dray_frame_padding (length));

  errors = worker_peer_expect_exit (peer, 3);
  g_assert_cmpstr (errors, ==, message);
}

static void
test_other_version (WorkerPeer *peer, gconstpointer data)
{
  const DrayHello hello = { .role = DRAY_ROLE_HOST, .version = 9 };
  g_auto (DrayMessage) message = { 0 };
  g_autofree char *errors = NULL;

  g_test_summary ("A host of another protocol version is refused in so many words, with status 3");

  worker_peer_spawn (peer, NULL, NULL);
  dray_message_init_hello (&message, &hello);
  worker_peer_send (peer, &message);
  g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_HELLO, 0));
  errors = worker_peer_expect_exit (peer, 3);
  g_assert_nonnull (strstr (errors, "version 9"));
}

static void
test_other_byte_order (WorkerPeer *peer, gconstpointer data)
{
  const guint32 magic = GUINT32_SWAP_LE_BE (DRAY_FRAME_MAGIC);
  g_autofree char *errors = NULL;

  g_test_summary ("A host of the other byte order is refused in so many words, with status 3");

  worker_peer_spawn (peer, NULL, NULL);
  worker_peer_send_raw (peer, &magic, sizeof magic);
  g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_HELLO, 0));
  errors = worker_peer_expect_exit (peer, 3);
  g_assert_nonnull (strstr (errors, "byte order"));
}

static void
test_nonsense_while_busy (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("A host that stops making sense while a call runs ends the call, and the worker "
                  "ends with 3");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "block", NULL);
  worker_peer_expect_status (peer, 1, "blocked");
  worker_peer_send_raw (peer, "Hello, worker!\n", 15);
  errors = worker_peer_expect_exit (peer, 3);
  g_assert_nonnull (strstr (errors, "Hello, worker!"));
}

static void
test_cargo (WorkerPeer *peer, gconstpointer data)
{
  g_autoptr (DrayCargo) cargo = dray_cargo_new ();
  guint8 payload[DRAY_CARGO_SIZE + 16] = { 0 };
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_SUBMIT,
    .flags = DRAY_FRAME_FLAG_CARGO,
    .task_id = 1,
    .attempt = 1,
    .length = sizeof payload,
  };
  g_auto (DrayMessage) message = { 0 };
  g_autofree char *errors = NULL;

  g_test_summary ("A host that names memory which it has not passed breaks the protocol");

  worker_peer_start (peer);
  cargo->kind = DRAY_CARGO_KNOWN_SLOT;
  cargo->slot = 1;
  cargo->size = 8;
  dray_cargo_encode (cargo, payload);
  memcpy (dray_message_start (&message, &header), payload, sizeof payload);
  worker_peer_send (peer, &message);
  errors = worker_peer_expect_exit (peer, 3);
  g_assert_nonnull (strstr (errors, "other open files than were passed"));
}

/* @data: whether its memory comes with it */
static void
test_slot (WorkerPeer *peer, gconstpointer data)
{
  const DrayFrameHeader header = { .type = DRAY_FRAME_SUBMIT, .task_id = 1, .attempt = 1 };
  const gsize size = 128 * 1024;
  g_autoptr (GVariant) nothing = g_variant_ref_sink (g_variant_new_tuple (NULL, 0));
  DrayCargo *cargo = dray_cargo_new ();
  g_auto (DrayMessage) message = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char *errors = NULL;

  g_test_summary ("Memory that the host could change at any time is for what workers send; a host "
                  "that sends some breaks the protocol");

  worker_peer_spawn_with_passage (peer);
  worker_peer_make_ready (peer);
  g_assert_true (dray_passage_is_confirmed (peer->passage));
  cargo->kind = data != NULL ? DRAY_CARGO_NEW_SLOT : DRAY_CARGO_KNOWN_SLOT;
  cargo->slot = 1;
  cargo->size = 8;
  if (data != NULL)
    {
      cargo->memory_fd = memfd_create ("slot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
      g_assert_cmpint (ftruncate (cargo->memory_fd, (off_t) size), ==, 0);
      g_assert_cmpint (fcntl (cargo->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), ==, 0);
    }
  dray_message_init_loaded (&message, &header, "echo", nothing, cargo, G_MAXUINT32, &error);
  g_assert_no_error (error);
  dray_cargo_pass (&message, peer->passage, &error);
  g_assert_no_error (error);
  worker_peer_send (peer, &message);
  errors = worker_peer_expect_exit (peer, 3);
  g_assert_nonnull (strstr (errors, "shared memory that is not sealed"));
}

static void
test_submit_after_goodbye (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("Who says goodbye and then submits, breaks the protocol");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "block", NULL);
  worker_peer_expect_status (peer, 1, "blocked");
  worker_peer_goodbye (peer);
  worker_peer_submit (peer, 2, "echo", NULL);
  errors = worker_peer_expect_exit (peer, 3);
  g_assert_nonnull (strstr (errors, "goodbye"));
}

/* How it ends */

/* (transfer full): what the finalizer of a worker with that @variable (out) leaves */
static char *
dup_trace (char **variable)
{
  char *trace = NULL;
  int fd = g_file_open_tmp ("dray-test-XXXXXX", &trace, NULL);

  g_assert_cmpint (fd, >=, 0);
  close (fd);
  g_unlink (trace);

  *variable = g_strdup_printf ("MISBEHAVING_WORKER_FINALIZED=%s", trace);
  return trace;
}

/* A worker whose finalizer leaves a trace. */
static void
start_with_trace (WorkerPeer *peer, char **trace)
{
  g_autofree char *variable = NULL;

  *trace = dup_trace (&variable);
  worker_peer_spawn (peer, NULL, variable);
  worker_peer_make_ready (peer);
}

static void
expect_trace (const char *trace)
{
  g_assert_true (g_file_test (trace, G_FILE_TEST_EXISTS));
  g_unlink (trace);
}

static void
test_goodbye (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *trace = NULL;
  g_autofree char *errors = NULL;

  g_test_summary ("After a goodbye, what waits is run, then the finalizer; the worker ends with 0. "
                  "That the input is closed after the goodbye changes nothing");

  start_with_trace (peer, &trace);
  worker_peer_submit (peer, 1, "stream", "(@u 400, @u 5000)");
  worker_peer_submit (peer, 2, "add", "(1, 2)");
  worker_peer_goodbye (peer);
  worker_peer_close_input (peer);
  for (guint i = 0; i < 400; i++)
    g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_ITEM, 1));
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "uint32 400");
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 2, "3");
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
  expect_trace (trace);
}

static void
test_host_gone_after_goodbye (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *trace = NULL;
  g_autofree char *errors = NULL;

  g_test_summary ("A host that goes away after its goodbye takes the call that still runs with it");

  start_with_trace (peer, &trace);
  worker_peer_submit (peer, 1, "block", NULL);
  worker_peer_expect_status (peer, 1, "blocked");
  worker_peer_goodbye (peer);
  worker_peer_close_input (peer);
  worker_peer_close_output (peer);
  errors = worker_peer_expect_exit (peer, 0);
  expect_trace (trace);
}

static void
test_host_gone_before_hello (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("A host that goes away before it says hello is nobody's fault");

  worker_peer_spawn (peer, NULL, NULL);
  worker_peer_close_input (peer);
  g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_HELLO, 0));
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
}

static void
test_host_gone_while_idle (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *trace = NULL;
  g_autofree char *errors = NULL;

  g_test_summary ("A host that goes away while its worker is idle ends it in good order");

  start_with_trace (peer, &trace);
  worker_peer_close_input (peer);
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
  expect_trace (trace);
}

static void
test_host_gone_while_busy (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *trace = NULL;
  g_autofree char *errors = NULL;

  g_test_summary ("A host that goes away cancels the call that runs, and drops what waits");

  start_with_trace (peer, &trace);
  worker_peer_submit (peer, 1, "block", NULL);
  worker_peer_expect_status (peer, 1, "blocked");
  worker_peer_submit (peer, 2, "block", NULL);
  worker_peer_close_input (peer);
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
  expect_trace (trace);
}

static void
test_host_gone_and_ignored (WorkerPeer *peer, gconstpointer data)
{
  g_autoptr (GVariant) pid = NULL;
  g_autofree char *errors = NULL;

  g_test_summary ("A call that ignores that the host is gone is killed, with its whole process "
                  "group");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "grandchild", NULL);
  pid = worker_peer_expect_value (peer, DRAY_FRAME_RESULT, 1);
  worker_peer_submit (peer, 2, "ignore-cancel", NULL);
  worker_peer_expect_status (peer, 2, "deaf");
  worker_peer_close_input (peer);

  /* The grandchild holds all descriptors: that they are closed says that it is gone as well. */
  errors = worker_peer_expect_signal (peer, SIGKILL);
  fixture_iterate_until_gone (g_variant_get_uint32 (pid));
}

static void
test_host_gone_and_handler_hangs (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("A handler that hangs when its call is cancelled does not keep the worker from "
                  "noticing that the host is gone");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "hang-in-handler", NULL);
  worker_peer_expect_status (peer, 1, "deaf");
  worker_peer_submit (peer, 2, "echo", NULL);
  worker_peer_cancel (peer, 1);
  worker_peer_expect_returned (peer, 2);
  worker_peer_close_input (peer);
  errors = worker_peer_expect_signal (peer, SIGKILL);
}

static void
test_host_does_not_listen (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *trace = NULL;
  g_autofree char *errors = NULL;

  g_test_summary ("A host that closes its end of the output is gone, as the next write will show");

  start_with_trace (peer, &trace);
  worker_peer_close_output (peer);
  worker_peer_try_submit (peer, 1, "stream", "(@u 1000000, @u 5000)");
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
  expect_trace (trace);
}

static void
test_host_does_not_listen_at_first (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *trace = NULL;
  g_autofree char *errors = NULL;
  g_autofree char *variable = NULL;

  g_test_summary ("So is one that closes it before the worker is ready");

  trace = dup_trace (&variable);
  worker_peer_spawn (peer, NULL, variable);
  worker_peer_hear_hello (peer);
  worker_peer_close_output (peer);
  worker_peer_say_hello (peer, NULL);
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
  expect_trace (trace);
}

/* @data: whether the host has to be woken up */
static void
test_host_does_not_read_ring (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("The same where the output goes into shared memory, with room for all of it or "
                  "not");

  worker_peer_spawn_with_ring (peer);
  worker_peer_make_ready (peer);
  worker_peer_close_output (peer);
  if (data != NULL)
    g_assert_true (dray_ring_sleep (peer->ring));
  worker_peer_try_submit (peer, 1, "stream",
                          data != NULL ? "(@u 1, @u 100000)" : "(@u 1000, @u 5000)");
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/worker/is-requested", test_is_requested);
  g_test_add_func ("/worker/registry", test_registry);
  fixture_add ("/worker/by-hand", NULL, test_by_hand);
  worker_peer_add ("/worker/initializer/arguments", NULL, test_initial_arguments);
  worker_peer_add ("/worker/initializer/fails", NULL, test_initializer_fails);
  worker_peer_add ("/worker/initializer/hangs", NULL, test_initializer_hangs);
  worker_peer_add ("/worker/run-twice", NULL, test_run_twice);
  worker_peer_add ("/worker/non-blocking", NULL, test_non_blocking);
  worker_peer_add ("/worker/clean-slate", NULL, test_clean_slate);
  worker_peer_add ("/worker/standard-output", NULL, test_standard_output);

  for (gsize i = 0; i < G_N_ELEMENTS (nonsense); i++)
    {
      g_autofree char *path = g_strdup_printf ("/worker/refuses/%s", nonsense[i].name);

      worker_peer_add (path, &nonsense[i], test_nonsense);
    }
  worker_peer_add ("/worker/refuses/other-version", NULL, test_other_version);
  worker_peer_add ("/worker/refuses/other-byte-order", NULL, test_other_byte_order);
  worker_peer_add ("/worker/refuses/nonsense-while-busy", NULL, test_nonsense_while_busy);
  worker_peer_add ("/worker/refuses/cargo", NULL, test_cargo);
  worker_peer_add ("/worker/refuses/new-slot", "new", test_slot);
  worker_peer_add ("/worker/refuses/known-slot", NULL, test_slot);
  worker_peer_add ("/worker/refuses/submit-after-goodbye", NULL, test_submit_after_goodbye);

  worker_peer_add ("/worker/end/goodbye", NULL, test_goodbye);
  worker_peer_add ("/worker/end/gone-after-goodbye", NULL, test_host_gone_after_goodbye);
  worker_peer_add ("/worker/end/gone-before-hello", NULL, test_host_gone_before_hello);
  worker_peer_add ("/worker/end/gone-while-idle", NULL, test_host_gone_while_idle);
  worker_peer_add ("/worker/end/gone-while-busy", NULL, test_host_gone_while_busy);
  worker_peer_add ("/worker/end/gone-and-ignored", NULL, test_host_gone_and_ignored);
  worker_peer_add ("/worker/end/gone-and-handler-hangs", NULL, test_host_gone_and_handler_hangs);
  worker_peer_add ("/worker/end/does-not-listen", NULL, test_host_does_not_listen);
  worker_peer_add ("/worker/end/does-not-listen/at-first", NULL,
                   test_host_does_not_listen_at_first);
  worker_peer_add ("/worker/end/does-not-listen/bell", "sleeps", test_host_does_not_read_ring);
  worker_peer_add ("/worker/end/does-not-listen/ring", NULL, test_host_does_not_read_ring);

  return g_test_run ();
}
