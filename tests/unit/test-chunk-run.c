/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "worker-peer.h"

#include "dray-chunk.h"
#include "dray-ledger.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a worker does with a chunk, told by a host that is played: when it sends outcomes, what it
 * gives back, and what it leaves in the ledger when it dies. */

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
      g_autoptr (GVariant) value = dray_outcomes_next (&reader, &failure);

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
 * long, and what is behind it comes back. */
static void
send_until_blocked (WorkerPeer *peer, const char *const *what, guint n_calls, Heard *heard)
{
  do
    {
      *heard = (Heard){ 0 };
      send_chunk (peer, what, n_calls);
      while (heard->n_outcomes + heard->n_returned < n_calls - 1)
        hear_once (peer, heard);
    }
  while (heard->n_outcomes + heard->n_returned == n_calls);
}

/* A ledger that this process has, and the worker is told of. */
static DrayLedger *
share_ledger (WorkerPeer *peer, guint64 nonce, guint64 told)
{
  int fd = memfd_create ("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd/%d", (int) getpid (), fd);
  DrayLedger *ledger;
  DrayMessage message;

  g_assert_cmpint (ftruncate (fd, (off_t) DRAY_LEDGER_SIZE), ==, 0);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), ==, 0);
  ledger = mmap (NULL, DRAY_LEDGER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_assert_true (ledger != MAP_FAILED);
  ledger->nonce = nonce;

  dray_ledger_init_message (&message, told, path);
  worker_peer_send (peer, &message);
  /* It has it when it has answered. */
  worker_peer_submit (peer, 1, "null", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 1, "()");
  close (fd);
  return ledger;
}

static void
test_without_ledger (WorkerPeer *peer, gconstpointer data)
{
  const char *what[] = { "", "fail", "", "nothing", "large", "" };
  Heard heard = { 0 };

  g_test_summary ("Without a ledger each outcome is sent as soon as it is there.");

  worker_peer_start (peer);
  send_chunk (peer, what, G_N_ELEMENTS (what));
  hear_all (peer, G_N_ELEMENTS (what), &heard);
  g_assert_cmpuint (heard.most, ==, 1);
  g_assert_cmpuint (heard.n_failed, <=, 1);
}

static void
test_false_ledger (WorkerPeer *peer, gconstpointer data)
{
  const char *what[] = { "", "", "" };
  Heard heard = { 0 };
  DrayLedger *ledger;

  g_test_summary ("Memory that does not begin with the right number is left alone.");

  worker_peer_start (peer);
  ledger = share_ledger (peer, 1, 2);
  send_chunk (peer, what, G_N_ELEMENTS (what));
  hear_all (peer, G_N_ELEMENTS (what), &heard);
  g_assert_cmpuint (heard.most, ==, 1);
  g_assert_cmpuint (ledger->task_id, ==, 0);
  munmap (ledger, DRAY_LEDGER_SIZE);
}

static void
test_packed (WorkerPeer *peer, gconstpointer data)
{
  const guint n_calls = 100;
  const char *what[100];
  Heard heard = { 0 };
  DrayLedger *ledger;

  g_test_summary ("With a ledger the outcomes of tiny calls come many at a time, also those that "
                  "are too large for it and those that are errors.");

  for (guint i = 0; i < n_calls; i++)
    what[i] = i == 20 ? "large" : i % 10 == 5 ? "fail" : "";

  worker_peer_start (peer);
  ledger = share_ledger (peer, 7, 7);
  do
    {
      heard = (Heard){ 0 };
      send_chunk (peer, what, n_calls);
      hear_all (peer, n_calls, &heard);
    }
  while (heard.n_returned > 0 || heard.most < 2);
  g_assert_cmpuint (heard.n_failed, ==, 10);

  /* It empties it when the outcomes are written, which is perhaps not before they are read here. */
  worker_peer_submit (peer, 2, "null", NULL);
  worker_peer_expect_text (peer, DRAY_FRAME_RESULT, 2, "()");
  g_assert_cmpuint (ledger->content, ==, 0);
  munmap (ledger, DRAY_LEDGER_SIZE);
}

static void
test_dies (WorkerPeer *peer, gconstpointer data)
{
  const char *what[] = { "", "", "fail", "kill", "" };
  g_autoptr (GBytes) payload = NULL;
  DrayOutcomesReader reader;
  Heard heard = { 0 };
  DrayLedger *ledger;
  DrayFrameHeader header;
  guint n_known;

  g_test_summary ("What a worker did before it was killed, and had not sent, is in the ledger.");

  worker_peer_start (peer);
  ledger = share_ledger (peer, 7, 7);
  send_chunk (peer, what, G_N_ELEMENTS (what));

  /* Some of it may have been sent, or given back, if this machine is busy. */
  for (;;)
    {
      g_autoptr (GBytes) sent = worker_peer_hear (peer, &header);

      if (sent == NULL)
        break;
      g_assert_true (dray_outcomes_decode (sent, &reader, NULL));
      heard.n_outcomes += reader.n_outcomes;
      heard.n_returned += reader.n_returned;
      if (heard.n_outcomes + heard.n_returned == G_N_ELEMENTS (what))
        {
          heard = (Heard){ 0 };
          send_chunk (peer, what, G_N_ELEMENTS (what));
        }
    }
  g_free (worker_peer_expect_signal (peer, SIGKILL));

  g_assert_cmpuint (ledger->task_id, ==, FIRST_ID);
  g_assert_cmpuint (ledger->attempt, ==, 1);
  n_known = (guint) (ledger->content >> 32);
  g_assert_cmpuint (ledger->first + n_known, ==, 3);
  g_assert_cmpuint (ledger->first, <=, heard.n_outcomes);
  if (n_known > 0)
    {
      payload = dray_outcomes_new_payload (ledger->records, ledger->content & G_MAXUINT32, n_known);
      g_assert_true (dray_outcomes_decode (payload, &reader, NULL));
    }
  munmap (ledger, DRAY_LEDGER_SIZE);
}

static void
test_long_call (WorkerPeer *peer, gconstpointer data)
{
  const char *what[] = { "", "", "block", "", "" };
  Heard heard = { 0 };
  DrayLedger *ledger;

  g_test_summary ("While a call takes long, the outcomes before it are sent, and the calls behind "
                  "it are given back.");

  worker_peer_start (peer);
  ledger = share_ledger (peer, 7, 7);
  send_until_blocked (peer, what, G_N_ELEMENTS (what), &heard);
  g_assert_cmpuint (heard.n_outcomes, ==, 2);
  g_assert_cmpuint (heard.n_returned, ==, 2);

  worker_peer_cancel (peer, FIRST_ID);
  hear_all (peer, 5, &heard);
  g_assert_cmpuint (heard.n_failed, ==, 1);
  munmap (ledger, DRAY_LEDGER_SIZE);
}

static void
test_long_calls_in_a_row (WorkerPeer *peer, gconstpointer data)
{
  const char *what[] = { "", "block", "" };

  g_test_summary ("This holds for one chunk after another, whoever reads the channel then.");

  worker_peer_start (peer);
  munmap (share_ledger (peer, 7, 7), DRAY_LEDGER_SIZE);
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

  worker_peer_add ("/chunk-run/without-ledger", NULL, test_without_ledger);
  worker_peer_add ("/chunk-run/false-ledger", NULL, test_false_ledger);
  worker_peer_add ("/chunk-run/packed", NULL, test_packed);
  worker_peer_add ("/chunk-run/dies", NULL, test_dies);
  worker_peer_add ("/chunk-run/long-call", NULL, test_long_call);
  worker_peer_add ("/chunk-run/long-calls-in-a-row", NULL, test_long_calls_in_a_row);
  worker_peer_add ("/chunk-run/budget", NULL, test_budget);
  worker_peer_add ("/chunk-run/output-budget", NULL, test_output_budget);
  worker_peer_add ("/chunk-run/handlers-left", NULL, test_handlers_left);
  worker_peer_add ("/chunk-run/unknown-function", NULL, test_unknown_function);
  worker_peer_add ("/chunk-run/malformed", NULL, test_malformed);

  return g_test_run ();
}
