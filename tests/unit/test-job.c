/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker-peer.h"

#include <glib/gstdio.h>

/* What a call does, seen from the host's end of the channel. */

static void
end_in_good_order (WorkerPeer *peer)
{
  g_autofree char *errors = NULL;

  worker_peer_goodbye (peer);
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
}

/* Calls */

static void
test_results (WorkerPeer *peer, gconstpointer data)
{
  static const struct
  {
    const char *function;
    const char *arguments;
    const char *result;
  } vectors[] = {
    { "echo", NULL, "()" },
    { "echo", "()", "()" },
    { "echo", "('text', 1.5, [byte 1, 2])", "('text', 1.5, [byte 0x01, 0x02])" },
    { "echo", "<<@mu nothing>>", "<<@mu nothing>>" },
    { "echo", "@a(sv) []", "@a(sv) []" },
    { "add", "(40, 2)", "42" },
    { "bytes", "(@u 0,)", "@ay []" },
    { "bytes", "(@u 3,)", "[byte 0x00, 0x01, 0x02]" },
    { "counter", NULL, "uint32 9" },
    { "null", NULL, "()" },
  };

  g_test_summary ("Each call is answered with the value that its function returned, of whatever "
                  "type, and NULL counts as the empty tuple");

  worker_peer_start (peer);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      worker_peer_submit (peer, i + 1, vectors[i].function, vectors[i].arguments);
      worker_peer_expect_text (peer, DRAY_FRAME_RESULT, i + 1, vectors[i].result);
    }
  end_in_good_order (peer);
}

static void
test_errors (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("An error arrives with domain, code and message, wins over a result, and leaves "
                  "the worker as able as before");

  worker_peer_start (peer);

  worker_peer_submit (peer, 1, "fail", "('some-quark', 77, 'It was “no use”')");
  worker_peer_expect_error (peer, 1, g_quark_from_string ("some-quark"), 77, "It was “no use”");

  worker_peer_submit (peer, 2, "both", NULL);
  worker_peer_expect_error (peer, 2, G_IO_ERROR, G_IO_ERROR_FAILED, "It failed with a result");

  worker_peer_submit (peer, 3, "no-such", NULL);
  worker_peer_expect_error (peer, 3, DRAY_ERROR, DRAY_ERROR_UNKNOWN_FUNCTION,
                            "The worker has no function “no-such”");

  worker_peer_submit (peer, 4, "add", "('one', 'two')");
  worker_peer_expect_error (peer, 4, DRAY_ERROR, DRAY_ERROR_BAD_ARGUMENTS,
                            "The function “add” takes arguments of the type “(ii)”, not “(ss)”");

  worker_peer_submit (peer, 5, "add", NULL);
  worker_peer_expect_error (peer, 5, DRAY_ERROR, DRAY_ERROR_BAD_ARGUMENTS, NULL);

  worker_peer_submit (peer, 6, "add", "(1, 2)");
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 6, "3");
  end_in_good_order (peer);
}

static void
test_too_large (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A value that no frame can carry fails its call, whether it is the result or an "
                  "item, even if the function ignores that");

  worker_peer_start (peer);

  worker_peer_submit (peer, 1, "bytes", "(@u 4294967295,)");
  worker_peer_expect_error (peer, 1, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);

  worker_peer_submit (peer, 2, "stream", "(@u 3, @u 4294967295)");
  worker_peer_expect_error (peer, 2, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);

  worker_peer_submit (peer, 3, "emit-twice", "(@u 4294967295,)");
  worker_peer_expect_error (peer, 3, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);

  worker_peer_submit (peer, 4, "add", "(1, 2)");
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 4, "3");
  end_in_good_order (peer);
}

static void
test_current (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A function's thread knows its job, which knows its worker; other threads have "
                  "none");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "who-am-i", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "(true, true, true)");
  worker_peer_submit (peer, 2, "who-am-i", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 2, "(true, true, true)");
  end_in_good_order (peer);
}

static void
test_large (WorkerPeer *peer, gconstpointer data)
{
  const gsize size = 20 * 1024 * 1024;
  g_autoptr (GVariant) value = NULL;
  const guint8 *bytes;
  gsize n_bytes;

  g_test_summary ("A result that is many times larger than a pipe arrives whole");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "bytes", "(@u 20971520,)");
  value = worker_peer_expect_value (peer, DRAY_FRAME_RESULT, 1);
  bytes = g_variant_get_fixed_array (value, &n_bytes, 1);
  g_assert_cmpuint (n_bytes, ==, size);
  for (gsize i = 0; i < size; i++)
    if (bytes[i] != (guint8) i)
      g_error ("byte %" G_GSIZE_FORMAT " is wrong", i);
  end_in_good_order (peer);
}

static void
test_pipelined (WorkerPeer *peer, gconstpointer data)
{
  const guint n_calls = 1000;

  g_test_summary ("A thousand calls that were submitted at once are run in their order");

  worker_peer_start (peer);
  for (guint i = 1; i <= n_calls; i++)
    {
      g_autofree char *arguments = g_strdup_printf ("(%u, 1000)", i);

      worker_peer_submit (peer, i, "add", arguments);
    }
  for (guint i = 1; i <= n_calls; i++)
    {
      g_autofree char *result = g_strdup_printf ("%u", i + 1000);

      worker_peer_expect_text (peer, DRAY_FRAME_RESULT, i, result);
    }
  end_in_good_order (peer);
}

/* Items and progress */

static void
test_items (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("Items arrive in order and before the result, and a host that does not read "
                  "them holds up the job without losing any");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "stream", "(@u 400, @u 5000)");
  worker_peer_submit (peer, 2, "echo", NULL);
  for (guint i = 0; i < 400; i++)
    {
      g_autoptr (GVariant) value = worker_peer_expect_value (peer, DRAY_FRAME_ITEM, 1);

      g_assert_cmpuint (g_variant_get_size (value), ==, 5000);
    }
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "uint32 400");
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 2, "()");
  end_in_good_order (peer);
}

static void
test_progress (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("Progress arrives as it was set, before the result");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "progress", "(@u 2,)");
  worker_peer_expect_status (peer, 1, "step 0 of 2");
  worker_peer_expect_status (peer, 1, "step 1 of 2");
  worker_peer_expect_status (peer, 1, "step 2 of 2");
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "uint32 3");
  end_in_good_order (peer);
}

/* Cancelling */

static void
expect_cancelled (WorkerPeer *peer, guint64 id)
{
  worker_peer_expect_error (peer, id, G_IO_ERROR, G_IO_ERROR_CANCELLED, NULL);
}

static void
test_cancel_running (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A call that runs hears that it was cancelled, and the worker lives on; so it is "
                  "again and again, with and without tiny calls between");

  worker_peer_start (peer);
  for (guint round = 0; round < 20; round++)
    {
      guint64 id = 100 * (round + 1);

      for (guint i = 1; i <= round; i++)
        worker_peer_submit (peer, id + i, "echo", NULL);
      for (guint i = 1; i <= round; i++)
        worker_peer_expect_text (peer, DRAY_FRAME_RESULT, id + i, "()");

      worker_peer_submit (peer, id, "block", NULL);
      worker_peer_expect_status (peer, id, "blocked");
      worker_peer_cancel (peer, id);
      expect_cancelled (peer, id);
    }
  end_in_good_order (peer);
}

static void
test_cancel_while_unread (WorkerPeer *peer, gconstpointer data)
{
  g_autoptr (GVariant) result = NULL;
  DrayFrameHeader header;
  guint32 n_sent;
  guint n_items = 0;

  g_test_summary ("A job that waits for its items to be read is cancelled as well: it sends what "
                  "it was sending, and no more");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "stream", "(@u 1000000, @u 5000)");
  g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_ITEM, 1));
  worker_peer_cancel (peer, 1);
  do
    {
      g_autoptr (GBytes) payload = worker_peer_hear (peer, &header);
      g_autoptr (GError) error = NULL;

      n_items++;
      if (header.type == DRAY_FRAME_RESULT)
        result = dray_value_decode (payload, &error);
      g_assert_no_error (error);
    }
  while (header.type == DRAY_FRAME_ITEM);

  n_sent = g_variant_get_uint32 (result);
  g_assert_cmpuint (n_sent, ==, n_items);
  g_assert_cmpuint (n_sent, <, 1000000);
  end_in_good_order (peer);
}

static void
test_cancel_returns (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("With the running call, everything that waits behind it is given back, unrun, "
                  "before its outcome is told; and what is submitted later is run again");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "block", NULL);
  worker_peer_expect_status (peer, 1, "blocked");
  worker_peer_submit (peer, 2, "echo", NULL);
  worker_peer_submit (peer, 3, "echo", NULL);
  worker_peer_cancel (peer, 1);
  worker_peer_expect_returned (peer, 2);
  worker_peer_expect_returned (peer, 3);
  expect_cancelled (peer, 1);

  worker_peer_submit (peer, 3, "counter", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 3, "uint32 2");
  end_in_good_order (peer);
}

static void
test_cancel_waiting (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A call that waits is given back alone when it is cancelled, with all others "
                  "that wait when they are recalled, or when the one that runs is cancelled");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "block", NULL);
  worker_peer_expect_status (peer, 1, "blocked");
  for (guint i = 2; i <= 4; i++)
    worker_peer_submit (peer, i, "echo", NULL);

  worker_peer_cancel (peer, 3);
  worker_peer_expect_returned (peer, 3);
  worker_peer_recall (peer);
  worker_peer_expect_returned (peer, 2);
  worker_peer_expect_returned (peer, 4);
  worker_peer_submit (peer, 5, "echo", NULL);
  worker_peer_cancel (peer, 1);
  worker_peer_expect_returned (peer, 5);
  expect_cancelled (peer, 1);
  end_in_good_order (peer);
}

static void
test_cancel_at_once (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A call that is cancelled together with its submission is never started");

  worker_peer_start (peer);
  worker_peer_push_submit (peer, 1, "echo", NULL);
  worker_peer_cancel (peer, 1);
  worker_peer_expect_returned (peer, 1);
  worker_peer_submit (peer, 2, "counter", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 2, "uint32 1");
  end_in_good_order (peer);
}

static void
test_recall_at_once (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A recall that comes together with the calls gives back all but the first, which "
                  "is about to begin");

  worker_peer_start (peer);
  for (guint i = 1; i <= 3; i++)
    worker_peer_push_submit (peer, i, "counter", NULL);
  worker_peer_recall (peer);
  worker_peer_expect_returned (peer, 2);
  worker_peer_expect_returned (peer, 3);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "uint32 1");
  end_in_good_order (peer);
}

static void
test_cancel_handler_hangs (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A handler that hangs when its call is cancelled keeps neither other calls from "
                  "being run, nor the worker from ending in good order");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "leave-hanging", NULL);
  worker_peer_expect_status (peer, 1, "blocked");
  worker_peer_cancel (peer, 1);
  expect_cancelled (peer, 1);
  worker_peer_submit (peer, 2, "counter", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 2, "uint32 2");
  end_in_good_order (peer);
}

/* That frame; before it the first call may set its status. */
static void
hear_until (WorkerPeer *peer, DrayFrameType type, guint64 id)
{
  DrayFrameHeader header;

  for (;;)
    {
      g_autoptr (GBytes) payload = worker_peer_hear (peer, &header);

      g_assert_nonnull (payload);
      if (header.type == type)
        break;
      g_assert_cmpint (header.type, ==, DRAY_FRAME_PROGRESS);
      g_assert_cmpuint (header.task_id, ==, 1);
    }
  g_assert_cmpuint (header.task_id, ==, id);
}

/* A call that waits is given back: somebody reads. */
static void
return_one (WorkerPeer *peer, guint64 id)
{
  worker_peer_submit (peer, id, "echo", NULL);
  worker_peer_cancel (peer, id);
  hear_until (peer, DRAY_FRAME_RETURNED, id);
}

static void
test_cancel_between_signals (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A call that makes signals come to all threads without end is cancelled as well");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "set-group", NULL);
  for (guint64 id = 2; id < 20; id++)
    {
      return_one (peer, id);
      for (guint i = 0; i < 3; i++)
        worker_peer_expect_status (peer, 1, "changing");
    }
  worker_peer_cancel (peer, 1);
  hear_until (peer, DRAY_FRAME_ERROR, 1);
  end_in_good_order (peer);
}

static void
test_cancel_without_eventfd (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("So is one that has closed what wakes the library up, and nothing is said");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "close-eventfds", NULL);
  worker_peer_expect_status (peer, 1, "closed");
  for (guint64 id = 2; id < 20; id++)
    return_one (peer, id);
  worker_peer_cancel (peer, 1);
  expect_cancelled (peer, 1);
  worker_peer_submit (peer, 20, "block", NULL);
  worker_peer_expect_status (peer, 20, "blocked");
  worker_peer_cancel (peer, 20);
  expect_cancelled (peer, 20);
  end_in_good_order (peer);
}

static void
test_cancel_ignored (WorkerPeer *peer, gconstpointer data)
{
  g_auto (DrayMessage) message = { 0 };

  g_test_summary ("Nothing comes of recalling a call that runs, nor of cancelling one that is "
                  "over, was never there, or is at another attempt");

  worker_peer_start (peer);
  worker_peer_submit (peer, 1, "echo", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "()");
  worker_peer_submit (peer, 2, "block", NULL);
  worker_peer_expect_status (peer, 2, "blocked");

  worker_peer_cancel (peer, 1);
  worker_peer_cancel (peer, 99);
  worker_peer_recall (peer);
  dray_message_init_empty (&message, DRAY_FRAME_CANCEL, 2, 7);
  worker_peer_send (peer, &message);

  /* It is read after all of these. */
  worker_peer_submit (peer, 3, "echo", NULL);
  worker_peer_cancel (peer, 3);
  worker_peer_expect_returned (peer, 3);

  worker_peer_cancel (peer, 2);
  expect_cancelled (peer, 2);
  end_in_good_order (peer);
}

/* The signal */

static void
start_with_signal (WorkerPeer *peer)
{
  worker_peer_spawn (peer, "--cancel-signal", NULL);
  worker_peer_greet (peer, NULL);
  g_bytes_unref (worker_peer_expect (peer, DRAY_FRAME_READY, 0));
}

/* (transfer none): how many signals have come */
static guint
expect_no_strays (WorkerPeer *peer, guint64 id)
{
  g_autoptr (GVariant) counts = NULL;
  guint32 n_signals, n_strays;

  worker_peer_submit (peer, id, "count-signals", NULL);
  counts = worker_peer_expect_value (peer, DRAY_FRAME_RESULT, id);
  g_variant_get (counts, "(uu)", &n_signals, &n_strays);
  g_assert_cmpuint (n_strays, ==, 0);

  return n_signals;
}

static void
test_signal (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A function that blocks in the system is interrupted by a signal when it is "
                  "cancelled, once each time");

  start_with_signal (peer);
  for (guint64 id = 2; id < 42; id += 2)
    {
      worker_peer_submit (peer, id, id % 4 == 0 ? "signal-ends-wait" : "signal-ends-read", NULL);
      worker_peer_expect_status (peer, id, "waiting");
      worker_peer_cancel (peer, id);
      expect_cancelled (peer, id);
      g_assert_cmpuint (expect_no_strays (peer, id + 1), ==, id / 2);
    }
  end_in_good_order (peer);
}

static void
test_signal_host_gone (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *errors = NULL;

  g_test_summary ("The signal also comes when the host is gone, so that the worker ends by itself");

  start_with_signal (peer);
  worker_peer_submit (peer, 1, "signal-ends-read", NULL);
  worker_peer_expect_status (peer, 1, "waiting");
  worker_peer_close_input (peer);
  errors = worker_peer_expect_exit (peer, 0);
  g_assert_cmpstr (errors, ==, "");
}

static void
test_signal_blocked (WorkerPeer *peer, gconstpointer data)
{
  g_test_summary ("A signal that the function has blocked does not come when another unblocks it");

  start_with_signal (peer);
  for (guint64 id = 1; id < 20; id += 2)
    {
      worker_peer_submit (peer, id, "signal-is-blocked", NULL);
      worker_peer_expect_status (peer, id, "waiting");
      worker_peer_cancel (peer, id);
      expect_cancelled (peer, id);
      g_assert_cmpuint (expect_no_strays (peer, id + 1), ==, 0);
    }
  end_in_good_order (peer);
}

static gboolean
file_exists (gpointer path)
{
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
test_signal_before_function (WorkerPeer *peer, gconstpointer data)
{
  g_autofree char *directory = g_dir_make_tmp ("dray-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (directory, "held", NULL);
  g_autofree char *arguments = g_strdup_printf ("('%s',)", path);

  g_test_summary ("A call that is cancelled when it has begun, and its function has not, is over "
                  "without that, and without a signal");

  start_with_signal (peer);
  worker_peer_submit (peer, 1, "hold-next", arguments);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "()");
  worker_peer_submit (peer, 2, "signal-ends-wait", NULL);
  fixture_iterate_until (file_exists, path, "the call to begin");
  worker_peer_cancel (peer, 2);
  return_one (peer, 3);
  g_unlink (path);
  worker_peer_expect_error (peer, 2, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The task was cancelled");
  g_assert_cmpuint (expect_no_strays (peer, 4), ==, 0);
  end_in_good_order (peer);
  g_rmdir (directory);
}

static void
test_signal_races (WorkerPeer *peer, gconstpointer data)
{
  const guint n_rounds = g_test_slow () ? 2000 : 400;
  guint n_signals = 0, time = 1000;

  g_test_summary (
    "A signal never comes to a function that was not cancelled, where the one that it "
    "was meant for ends at that moment and another is begun");

  start_with_signal (peer);
  for (guint i = 1; i <= n_rounds; i++)
    {
      g_autofree char *arguments = g_strdup_printf ("(@u %u,)", time);
      guint n_signals_before = n_signals;
      DrayFrameHeader header;
      guint64 id = 3 * i;

      worker_peer_submit (peer, id, "signal-or-spin", arguments);
      worker_peer_expect_status (peer, id, "waiting");
      worker_peer_cancel (peer, id);
      worker_peer_submit (peer, id + 1, "signal-or-spin", "(@u 20,)");
      do
        g_bytes_unref (worker_peer_hear (peer, &header));
      while (header.task_id != id || header.type != DRAY_FRAME_RESULT);
      worker_peer_expect_status (peer, id + 1, "waiting");
      worker_peer_expect_text (peer, DRAY_FRAME_RESULT, id + 1, "uint32 20");

      /* As many are to be a moment too late as are just in time. */
      n_signals = expect_no_strays (peer, id + 2);
      if (n_signals > n_signals_before)
        time -= MIN (time, 7);
      else
        time += 7;
    }
  g_test_message ("%u of %u were interrupted", n_signals, n_rounds);
  g_assert_cmpuint (n_signals, <=, n_rounds);
  end_in_good_order (peer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  worker_peer_add ("/job/results", NULL, test_results);
  worker_peer_add ("/job/errors", NULL, test_errors);
  worker_peer_add ("/job/too-large", NULL, test_too_large);
  worker_peer_add ("/job/large", NULL, test_large);
  worker_peer_add ("/job/current", NULL, test_current);
  worker_peer_add ("/job/pipelined", NULL, test_pipelined);
  worker_peer_add ("/job/items", NULL, test_items);
  worker_peer_add ("/job/progress", NULL, test_progress);
  worker_peer_add ("/job/cancel/running", NULL, test_cancel_running);
  worker_peer_add ("/job/cancel/while-unread", NULL, test_cancel_while_unread);
  worker_peer_add ("/job/cancel/returns-waiting", NULL, test_cancel_returns);
  worker_peer_add ("/job/cancel/waiting", NULL, test_cancel_waiting);
  worker_peer_add ("/job/cancel/at-once", NULL, test_cancel_at_once);
  worker_peer_add ("/job/recall/at-once", NULL, test_recall_at_once);
  worker_peer_add ("/job/cancel/handler-hangs", NULL, test_cancel_handler_hangs);
  worker_peer_add ("/job/cancel/between-signals", NULL, test_cancel_between_signals);
  worker_peer_add ("/job/cancel/without-eventfd", NULL, test_cancel_without_eventfd);
  worker_peer_add ("/job/cancel/ignored", NULL, test_cancel_ignored);
  worker_peer_add ("/job/signal/blocked-in-system", NULL, test_signal);
  worker_peer_add ("/job/signal/host-gone", NULL, test_signal_host_gone);
  worker_peer_add ("/job/signal/blocked", NULL, test_signal_blocked);
  worker_peer_add ("/job/signal/before-function", NULL, test_signal_before_function);
  worker_peer_add ("/job/signal/races", NULL, test_signal_races);

  return g_test_run ();
}
