/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker-peer.h"

#include "dray-chunk.h"

#include <string.h>

/* What a worker does with a chunk, told by a host that is played and has no memory to share: when
 * it sends outcomes, and what it gives back. */

#define FIRST_ID 10

/* A chunk of "step" whose calls do what @what says. */
static void
send_chunk (WorkerPeer *peer, const char *const *what, guint n_calls)
{
  const DrayFrameHeader header = { .task_id = FIRST_ID, .attempt = 1 };
  DrayRecords records = { .grows = TRUE };
  DrayMessage message;

  for (guint i = 0; i < n_calls; i++)
    {
      g_autoptr (GVariant) arguments = g_variant_ref_sink (
        g_variant_new ("(xss)", (gint64) i, what[i], ""));

      g_assert_true (dray_chunk_append (&records, arguments, NULL));
    }

  dray_chunk_init_message (&message, &header, "step", "(xss)", records.data, records.used, n_calls);
  dray_records_clear (&records);
  worker_peer_send (peer, &message);
}

/* What was heard of a chunk. */
typedef struct
{
  guint n_frames;
  guint n_outcomes;
  guint n_failed;
  guint n_returned;
  guint most; /* outcomes in one frame */
} Heard;

static void
hear_once (WorkerPeer *peer, Heard *heard)
{
  g_autoptr (GBytes) payload = worker_peer_expect (peer, DRAY_FRAME_OUTCOMES, FIRST_ID);
  g_autoptr (GError) error = NULL;
  DrayOutcomesReader reader;

  g_assert_true (dray_outcomes_decode (payload, &reader, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < reader.n_outcomes; i++)
    {
      g_autoptr (GError) failure = NULL;
      G_GNUC_UNUSED g_autoptr (GVariant) value = dray_outcomes_next (&reader, &failure);

      heard->n_failed += failure != NULL;
    }
  heard->n_frames++;
  heard->most = MAX (heard->most, reader.n_outcomes);
  heard->n_outcomes += reader.n_outcomes;
  heard->n_returned += reader.n_returned;
}

static void
hear_all (WorkerPeer *peer, guint n_calls, Heard *heard)
{
  while (heard->n_outcomes + heard->n_returned < n_calls)
    hear_once (peer, heard);
  g_assert_cmpuint (heard->n_outcomes + heard->n_returned, ==, n_calls);
}

/* Sends a chunk of which one call blocks, until that is begun. On a busy machine any call may take
 * long, and what is behind it comes back: then the one that blocks may be among that, while another
 * one still runs. */
static void
send_until_blocked (WorkerPeer *peer, const char *const *what, guint n_calls, Heard *heard)
{
  guint n_before = 0;
  guint n_behind;

  while (!g_str_equal (what[n_before], "block"))
    n_before++;
  n_behind = n_calls - n_before - 1;

  do
    {
      *heard = (Heard){ 0 };
      send_chunk (peer, what, n_calls);
      while (heard->n_outcomes + heard->n_returned < n_calls
             && (heard->n_outcomes < n_before || heard->n_returned < n_behind))
        hear_once (peer, heard);
    }
  while (heard->n_outcomes + heard->n_returned == n_calls);
}

static void
test_without_memory (WorkerPeer *peer, gconstpointer data)
{
  const char *what[] = { "", "fail", "", "nothing", "large", "" };
  Heard heard = { 0 };

  g_test_summary ("Without shared memory each outcome is sent as soon as it is there.");

  worker_peer_start (peer);
  send_chunk (peer, what, G_N_ELEMENTS (what));
  hear_all (peer, G_N_ELEMENTS (what), &heard);
  g_assert_cmpuint (heard.most, ==, 1);
  g_assert_cmpuint (heard.n_failed, <=, 1);
}

static void
test_long_call (WorkerPeer *peer, gconstpointer data)
{
  const char *what[] = { "", "", "block", "", "" };
  Heard heard = { 0 };

  g_test_summary ("While a call takes long, the outcomes before it are sent, and the calls behind "
                  "it are given back.");

  worker_peer_start (peer);
  send_until_blocked (peer, what, G_N_ELEMENTS (what), &heard);
  g_assert_cmpuint (heard.n_outcomes, ==, 2);
  g_assert_cmpuint (heard.n_returned, ==, 2);

  worker_peer_cancel (peer, FIRST_ID);
  hear_all (peer, 5, &heard);
  g_assert_cmpuint (heard.n_failed, ==, 1);
}

static void
test_long_calls_in_a_row (WorkerPeer *peer, gconstpointer data)
{
  const char *what[] = { "", "block", "" };

  g_test_summary ("This holds for one chunk after another, whoever reads the channel then.");

  worker_peer_start (peer);
  for (int i = 0; i < 5; i++)
    {
      Heard heard = { 0 };

      send_until_blocked (peer, what, G_N_ELEMENTS (what), &heard);
      g_assert_cmpuint (heard.n_outcomes, ==, 1);
      g_assert_cmpuint (heard.n_returned, ==, 1);
      worker_peer_cancel (peer, FIRST_ID);
      hear_all (peer, 3, &heard);
    }
}

static void
test_budget (WorkerPeer *peer, gconstpointer data)
{
  const guint n_calls = 20;
  const char *what[20];
  Heard heard = { 0 };

  g_test_summary ("A chunk that takes much longer than it should gives back what is left of it.");

  for (guint i = 0; i < n_calls; i++)
    what[i] = "spin";

  worker_peer_start (peer);
  send_chunk (peer, what, n_calls);
  hear_all (peer, n_calls, &heard);
  g_assert_cmpuint (heard.n_outcomes, >=, 1);
  g_assert_cmpuint (heard.n_returned, >, 0);
}

static void
test_output_budget (WorkerPeer *peer, gconstpointer data)
{
  const guint n_calls = 50;
  const char *what[50];
  Heard heard = { 0 };

  g_test_summary ("So does one whose results are much larger than they should be.");

  for (guint i = 0; i < n_calls; i++)
    what[i] = "large";

  worker_peer_start (peer);
  send_chunk (peer, what, n_calls);
  hear_all (peer, n_calls, &heard);
  g_assert_cmpuint (heard.n_outcomes, <=, 12);
  g_assert_cmpuint (heard.n_returned, >, 0);
}

static void
test_handlers_left (WorkerPeer *peer, gconstpointer data)
{
  const char *what[] = { "connect", "block" };
  Heard heard = { 0 };

  g_test_summary ("A handler that one call has left behind does not hear of the next one's end.");

  worker_peer_start (peer);
  send_until_blocked (peer, what, G_N_ELEMENTS (what), &heard);
  worker_peer_cancel (peer, FIRST_ID);
  hear_all (peer, 2, &heard);
  worker_peer_goodbye (peer);
  g_free (worker_peer_expect_exit (peer, 0));
}

static void
test_unknown_function (WorkerPeer *peer, gconstpointer data)
{
  const DrayFrameHeader header = { .task_id = FIRST_ID, .attempt = 1 };
  DrayRecords records = { .grows = TRUE };
  g_autoptr (GVariant) arguments = g_variant_ref_sink (g_variant_new_int64 (1));
  DrayMessage message;
  Heard heard = { 0 };

  g_test_summary ("A function that is not there, or takes other arguments, fails each call.");

  worker_peer_start (peer);
  g_assert_true (dray_chunk_append (&records, arguments, NULL));
  g_assert_true (dray_chunk_append (&records, arguments, NULL));
  dray_chunk_init_message (&message, &header, "no such function", "x", records.data, records.used,
                           2);
  worker_peer_send (peer, &message);
  hear_all (peer, 2, &heard);
  g_assert_cmpuint (heard.n_failed, ==, heard.n_outcomes);

  dray_chunk_init_message (&message, &header, "step", "x", records.data, records.used, 2);
  worker_peer_send (peer, &message);
  hear_all (peer, 4, &heard);
  g_assert_cmpuint (heard.n_failed, ==, heard.n_outcomes);
  dray_records_clear (&records);
}

static void
test_malformed (WorkerPeer *peer, gconstpointer data)
{
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_CHUNK,
    .task_id = FIRST_ID,
    .attempt = 1,
    .length = 3,
  };
  DrayMessage message;
  g_autofree char *text = NULL;

  g_test_summary ("A chunk that can't be read ends the worker, which says so.");

  worker_peer_start (peer);
  memset (dray_message_start (&message, &header), 0, 3);
  worker_peer_send (peer, &message);
  text = worker_peer_expect_exit (peer, 3);
  g_assert_nonnull (strstr (text, "calls that can’t be read"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  worker_peer_add ("/chunk-run/without-memory", NULL, test_without_memory);
  worker_peer_add ("/chunk-run/long-call", NULL, test_long_call);
  worker_peer_add ("/chunk-run/long-calls-in-a-row", NULL, test_long_calls_in_a_row);
  worker_peer_add ("/chunk-run/budget", NULL, test_budget);
  worker_peer_add ("/chunk-run/output-budget", NULL, test_output_budget);
  worker_peer_add ("/chunk-run/handlers-left", NULL, test_handlers_left);
  worker_peer_add ("/chunk-run/unknown-function", NULL, test_unknown_function);
  worker_peer_add ("/chunk-run/malformed", NULL, test_malformed);

  return g_test_run ();
}
