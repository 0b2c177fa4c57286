/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "map-rig.h"
#include "responsive.h"
#include "rig.h"
#include "witness.h"
#include "workshop.h"

#include <signal.h>
#include <string.h>

/*
 * Workers that lie. Whatever they say, or however much of it: the task fails with a reason that can
 * be read, or can be stopped; the main loop turns and another executor works meanwhile; memory
 * stays within a bound, the worker is ended, and the next one works.
 */

/* What a test may take beside what it had, in bytes: the limits for what is undelivered, twice, as
 * what was freed may not be given back at once. */
#define MEMORY_BOUND ((gsize) 192 * 1024 * 1024)

/* How often the main loop has to get to its ticker while somebody floods it. */
#define N_TICKS 50

/* --- The surroundings --- */

typedef struct
{
  Rig *rig; /* (unowned) */
  Witness witness;
  Responsive responsive;
} Lies;

/* @mode: (nullable): of the workers that lie */
static void
lies_begin (Lies *self, Rig *rig, const char *mode)
{
  self->rig = rig;
  rig_start_with (rig, rig_new_launcher (mode), 1);
  g_object_set (rig->executor, "grace-period", 100, NULL);
  witness_begin (&self->witness);
}

/* @pid: of the one that lied; 0: it is not known */
static void
lies_end (Lies *self, int pid)
{
  if (pid != 0)
    fixture_iterate_until_gone (pid);
  witness_end (&self->witness, MEMORY_BOUND);
}

static DrayFuture *
tell (Lies *self, const char *how)
{
  return rig_call (self->rig, "lie", "(s)", how);
}

static gboolean
has_ticked (gpointer user_data)
{
  Lies *self = user_data;

  return self->responsive.ticker.n_ticks >= N_TICKS;
}

/* It says that it lies, and perhaps more. */
static gboolean
has_spoken (gpointer user_data)
{
  g_autofree char *status = dray_future_dup_status (user_data);

  return status != NULL;
}

/* --- Single lies --- */

typedef struct
{
  const char *how;
  const char *said; /* what the message says that it sent */
} Lie;

static const Lie lies[] = {
  { "item", "a value that does not fit its type" },
  { "array", "a value that does not fit its type" },
  { "boolean", "a value that does not fit its type" },
  { "text", "a value that does not fit its type" },
  { "type", "a value that does not fit its type" },
  { "long-type", "a value that does not fit its type" },
  { "nested", "a value that does not fit its type" },
  { "padding", "a message that does not end with zeros" },
  { "progress-text", "progress that can’t be read" },
  { "progress-long", "a message “progress” of 1048576 bytes, where at most 65536 are allowed" },
  { "error-text", "an error that can’t be read" },
  { "error-long", "a message “error” of 1048576 bytes, where at most 65536 are allowed" },
  { "next-task", "a message “result” out of turn" },
  { "no-task", "a message “result” out of turn" },
  { "later-attempt", "a message “result” out of turn" },
  { "returned", "a message “returned” out of turn" },
  { "returned-next", "a message “returned” out of turn" },
  { "outcomes", "a message “outcomes” out of turn" },
  { "hello", "a message “hello” out of turn" },
  { "ready", "a message “ready” out of turn" },
  { "submit", "a message “submit” out of turn" },
  { "type-of-frame", "a message of the unknown type 200" },
  { "ring-ahead", "more bytes than fit into shared memory" },
  { "ring-back", "more bytes than fit into shared memory" },
  { "ring-far", "more bytes than fit into shared memory" },
  { "ring-empty", "the bytes 00 00 00 00 where a message of Dray’s protocol should begin" },
};

/* (transfer full): of the error that comes of it: one sentence */
static char *
dup_message (const Lie *lie)
{
  return g_strconcat ("The worker “misbehaving-worker” sent something unexpected: ", lie->said,
                      NULL);
}

static void
test_message (Rig *rig, gconstpointer data)
{
  const Lie *lie = data;
  g_autofree char *message = dup_message (lie);
  Lies self = { 0 };
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) next = NULL;
  g_autoptr (GError) error = NULL;
  int pid;

  g_test_summary (
    "A worker that says what can't be is ended, and its task fails with a reason that "
    "can be read; the task behind it runs elsewhere, and the main loop turns.");

  lies_begin (&self, rig, g_str_has_prefix (lie->how, "ring-") ? NULL : "--no-ring");
  pid = rig_ask_pid (rig);
  responsive_begin (&self.responsive);
  future = tell (&self, lie->how);
  next = rig_call (rig, "add", "(ii)", 1, 1);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_PROTOCOL, message);
  rig_expect_text (next, "2");
  responsive_end (&self.responsive);

  dray_future_dup_result (future, &error);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_cmpuint (strlen (error->message), <, 1000);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 0);
  lies_end (&self, pid);
}

/* --- Floods --- */

static void
item_cb (DrayFuture *future, GVariant *item, gpointer user_data)
{
  guint *n_items = user_data;

  (*n_items)++;
}

static void
test_flood (Rig *rig, gconstpointer data)
{
  Lies self = { 0 };
  g_autoptr (DrayFuture) future = NULL;
  guint n_items = 0;
  int pid;

  g_test_summary ("A worker that writes without end, and listens to nobody: the main loop turns, "
                  "others work, memory is bounded; when the task is cancelled, it is ended.");

  lies_begin (&self, rig, g_str_equal (data, "bells") ? NULL : "--no-ring");
  pid = rig_ask_pid (rig);
  future = tell (&self, data);
  g_signal_connect (future, "item", G_CALLBACK (item_cb), &n_items);
  fixture_iterate_until (has_spoken, future, "the worker has spoken");
  responsive_begin (&self.responsive);
  fixture_iterate_until (has_ticked, &self, "the main loop has turned in a flood");
  for (guint i = 0; i < 5; i++)
    witness_ask (&self.witness);
  responsive_end (&self.responsive);
  if (strstr (data, "items") != NULL)
    g_assert_cmpuint (n_items, >, 0);

  dray_future_cancel (future);
  rig_expect_cancelled (future);
  g_assert_cmpint (rig_ask_pid (rig), !=, pid);
  lies_end (&self, pid);
}

static void
test_unheard_flood (Rig *rig, gconstpointer data)
{
  Lies self = { 0 };
  g_autoptr (DrayFuture) future = NULL;
  guint64 n_items;
  int pid;

  g_test_summary ("Items without end that nobody takes: at the limit the worker has to wait.");

  lies_begin (&self, rig, "--no-ring");
  g_object_set (rig->executor, "max-undelivered-items", 5000, "max-undelivered-bytes",
                (guint64) 8 * 1024 * 1024, NULL);
  pid = rig_ask_pid (rig);
  future = tell (&self, data);
  workshop_block_until_undelivered (rig->executor, 4000);
  for (guint i = 0; i < 3; i++)
    rig_let_time_pass ();

  /* Eight reads may go beyond it. */
  n_items = rig_get_count (rig, undelivered_items);
  g_assert_cmpuint (n_items, <, 5000 + 8 * 128 * 1024 / 32);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <, 16 * 1024 * 1024);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  lies_end (&self, pid);
}

static void
test_old_flood (Rig *rig, gconstpointer data)
{
  Lies self = { 0 };
  DrayTask *task = rig_new_task ("lie", "('old-items',)");
  g_autoptr (DrayFuture) future = NULL;
  guint n_items = 0;

  g_test_summary (
    "A worker that goes on and on about an attempt which is over is not heard, and can "
    "be stopped.");

  lies_begin (&self, rig, "--no-ring");
  dray_task_set_max_retries (task, 1);
  dray_task_set_time_limit (task, 2000); /* within which it has begun to */
  future = rig_submit (rig, task);
  g_signal_connect (future, "item", G_CALLBACK (item_cb), &n_items);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
  g_assert_cmpuint (n_items, ==, 0);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 1);
  rig_ask_pid (rig);
  lies_end (&self, 0);
}

static void
test_gigabyte_of_errors (Rig *rig, gconstpointer data)
{
  const guint n_bytes = (g_test_slow () ? 1024 : 128) * 1024 * 1024;
  Lies self = { 0 };
  g_autoptr (DrayFuture) spoken = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GError) error = NULL;
  int pid;

  g_test_summary (
    "A gigabyte of standard error without a newline is read as it comes, and its last "
    "kilobytes are kept: an eighth of it but with “-m slow”.");

  lies_begin (&self, rig, NULL);
  pid = rig_ask_pid (rig);
  responsive_begin (&self.responsive);
  for (guint i = 0; i < 4; i++)
    {
      g_clear_object (&spoken);
      spoken = rig_call (rig, "stderr", "(u)", n_bytes / 4);
      rig_expect_text (spoken, "()");
    }
  responsive_end (&self.responsive);
  future = rig_call (rig, "exit", "(i)", 1);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*status 1*");
  dray_future_dup_result (future, &error);
  g_assert_cmpuint (strlen (error->message), <, 8 * 1024);
  lies_end (&self, pid);
}

static void
test_domains (Rig *rig, gconstpointer data)
{
  const guint n_domains = 1000;
  Lies self = { 0 };
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);
  guint n_strange = 0;

  g_test_summary (
    "Errors of ever new domains are taken up as they are up to a number; the others say "
    "in their message of which they are.");

  lies_begin (&self, rig, NULL);
  for (guint i = 0; i < n_domains; i++)
    {
      g_autofree char *domain = g_strdup_printf ("domain-%u", i);

      g_ptr_array_add (futures, rig_call (rig, "fail", "(sis)", domain, 7, "It failed"));
    }
  rig_run_until_all_done (futures);

  for (guint i = 0; i < n_domains; i++)
    {
      g_autofree char *domain = g_strdup_printf ("domain-%u", i);
      g_autoptr (GError) error = NULL;

      dray_future_dup_result (futures->pdata[i], &error);
      if (error->domain == DRAY_ERROR)
        {
          n_strange++;
          g_assert_error (error, DRAY_ERROR, DRAY_ERROR_FAILED);
          g_assert_nonnull (strstr (error->message, domain));
          g_assert_cmpuint (g_quark_try_string (domain), ==, 0);
        }
      else
        {
          g_assert_cmpstr (g_quark_to_string (error->domain), ==, domain);
          g_assert_cmpint (error->code, ==, 7);
        }
    }
  g_assert_cmpuint (n_strange, >=, n_domains - 256);
  lies_end (&self, 0);
}

/* --- What it has begun --- */

static void
test_begun (Rig *rig, gconstpointer data)
{
  Lies self = { 0 };
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) next = NULL;
  int pid;

  g_test_summary ("A worker that says that it has begun its next task, and does not end the one "
                  "that is cancelled, is ended all the same, and the next task runs elsewhere, "
                  "as its first attempt.");

  lies_begin (&self, rig, NULL);
  pid = rig_ask_pid (rig);
  future = tell (&self, "begun");
  next = rig_call (rig, "attempt", NULL);
  fixture_iterate_until (fixture_is_stopped, GINT_TO_POINTER (pid), "the worker has stopped");
  rig_run_until_count (rig, queue_length, 0);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  g_assert_cmpuint (rig_expect_uint32 (next), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 0);
  lies_end (&self, pid);
}

typedef struct
{
  const char *path;
  const char *how;
  guint max_retries;
  guint32 value; /* 0: an error */
} BegunChunk;

static const BegunChunk begun_chunks[] = {
  { "/lies/begun-chunk", "begun-chunk", 0, 0 },
  { "/lies/begun-chunk/retried", "begun-chunk", 1, 2 },
  { "/lies/begun-chunk/done", "done-chunk", 0, 7 },
};

static void
test_begun_chunk (Rig *rig, gconstpointer data)
{
  const BegunChunk *begun = data;
  Lies self = { 0 };
  GVariant *call = g_variant_new_tuple (NULL, 0);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (DrayOutcome) outcome = NULL;
  int pid;

  g_test_summary ("A worker breaks the protocol, and says that it has begun the call of a map "
                  "behind its task, or even done it. That call has the outcome which it left, is "
                  "run again if it may be, or fails.");

  lies_begin (&self, rig, NULL);
  pid = rig_ask_pid (rig);
  future = tell (&self, begun->how);
  fixture_iterate_until (fixture_is_stopped, GINT_TO_POINTER (pid), "the worker has stopped");
  map = dray_executor_map_values (rig->executor, "attempt", &call, 1);
  dray_task_set_max_retries (dray_map_get_task (map), begun->max_retries);
  g_assert_null (dray_map_wait_next (map, 0, NULL, NULL)); /* it is asked for its call */
  g_assert_cmpuint (rig_get_count (rig, submitted), ==, 3);
  rig_run_until_count (rig, queue_length, 0);
  g_assert_cmpint (kill (pid, SIGCONT), ==, 0);

  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_PROTOCOL, NULL);
  outcome = dray_map_wait_next (map, -1, NULL, NULL);
  if (begun->value == 0)
    g_assert_error (dray_outcome_get_error (outcome), DRAY_ERROR, DRAY_ERROR_PROTOCOL);
  else
    g_assert_cmpuint (g_variant_get_uint32 (dray_outcome_get_value (outcome)), ==, begun->value);
  g_assert_cmpuint (rig_get_count (rig, retried), ==, begun->max_retries);
  lies_end (&self, pid);
}

/* --- Before the first task --- */

static const Lie hellos[] = {
  { "long", "a message “hello” of 4294967231 bytes, where at most 1073741824 are allowed" },
  { "text", "a greeting that can’t be read" },
  { "twice", "a message “hello” out of turn" },
  { "ready-first", "a message “ready” out of turn" },
  { "error", "an error that can’t be read" },
  { "task", "a message “result” out of turn" },
};

static void
test_hello (Rig *rig, gconstpointer data)
{
  const Lie *lie = data;
  g_autofree char *mode = g_strconcat ("--lie-in-hello-", lie->how, NULL);
  g_autofree char *message = dup_message (lie);
  Lies self = { 0 };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A worker that lies before it has a task can't be started; the reason is told.");

  lies_begin (&self, rig, mode);
  future = rig_call (rig, "add", "(ii)", 1, 1);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_LAUNCH, message);
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 3);
  lies_end (&self, 0);
}

static void
test_features (Rig *rig, gconstpointer data)
{
  g_autofree char *mode = g_strconcat ("--lie-in-hello-", (const char *) data, NULL);
  Lies self = { 0 };
  DrayTask *task = rig_new_task ("add", "(1, 1)");
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary (
    "A worker that claims to be somebody else, or to have what it has not, gets a task "
    "and is never heard of again: it is what is ended when the time is over, and nobody "
    "else.");

  lies_begin (&self, rig, mode);
  dray_task_set_time_limit (task, 100);
  future = rig_submit (rig, task);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TIMED_OUT, NULL);
  rig_run_until_count (rig, workers_died, 1);
  lies_end (&self, 0);
}

/* --- Maps --- */

#define N_CALLS 40
#define LIAR 5 /* the number of the call that lies */

static void
test_ledger (Rig *rig, gconstpointer data)
{
  Lies self = { 0 };
  g_autofree char *path = rig_dup_path (rig, "lied");
  GVariant *calls[N_CALLS];
  gboolean seen[N_CALLS] = { FALSE };
  guint n_died = 0, n_taken = 0;
  gboolean refused = FALSE;
  g_autoptr (DrayMap) map = NULL;

  g_test_summary (
    "A worker leaves behind what can't be of the calls that it had, and dies: that is "
    "as if it had left nothing. One call is lost with it, all others have their values.");

  lies_begin (&self, rig, NULL);
  for (guint i = 0; i < N_CALLS; i++)
    calls[i] = g_variant_new ("(uss)", i, data, path);
  map = dray_executor_map_values (rig->executor, "lie-in-ledger", calls, N_CALLS);
  for (;;)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DrayOutcome) outcome = dray_map_wait_next (map, -1, NULL, &error);
      guint64 index;

      g_assert_no_error (error);
      if (outcome == NULL)
        break;
      index = dray_outcome_get_index (outcome);
      g_assert_cmpuint (index, <, N_CALLS);
      g_assert_false (seen[index]);
      seen[index] = TRUE;
      n_taken++;
      if (dray_outcome_get_value (outcome) == NULL)
        {
          const GError *reason = dray_outcome_get_error (outcome);

          n_died++;
          g_assert_cmpuint (index, <=, LIAR);
          /* If it is kept from dying for a millisecond, it sends the lie, which is refused, and with
           * it goes what the calls before have come to. */
          refused = refused || g_error_matches (reason, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
          if (!refused)
            g_assert_error (reason, DRAY_ERROR, DRAY_ERROR_WORKER_DIED);
        }
      else
        {
          g_assert_cmpuint (g_variant_get_uint32 (dray_outcome_get_value (outcome)), ==, index);
        }
    }
  g_assert_cmpuint (n_taken, ==, N_CALLS);
  g_assert_cmpuint (n_died, >=, 1);
  if (!refused)
    g_assert_cmpuint (n_died, ==, 1);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  lies_end (&self, 0);
}

static void
test_returned_chunk (Rig *rig, gconstpointer data)
{
  Lies self = { 0 };
  GVariant *call = g_variant_new ("(u)", 1);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (DrayOutcome) outcome = NULL;

  g_test_summary (
    "A worker that gives a call of a map back unasked, and would do so for ever, breaks "
    "the protocol.");

  lies_begin (&self, rig, NULL);
  map = dray_executor_map_values (rig->executor, "return-chunk", &call, 1);
  outcome = dray_map_wait_next (map, -1, NULL, NULL);
  g_assert_error (dray_outcome_get_error (outcome), DRAY_ERROR, DRAY_ERROR_PROTOCOL);
  lies_end (&self, 0);
}

static const Lie chunks[] = {
  { "outcomes", "outcomes of calls that can’t be read" },
  { "item", "a message “item” out of turn" },
  { "result", "a message “result” out of turn" },
};

static void
test_chunk (Rig *rig, gconstpointer data)
{
  const Lie *lie = data;
  g_autofree char *message = dup_message (lie);
  Lies self = { 0 };
  GVariant *call = g_variant_new ("(s)", lie->how);
  g_autoptr (DrayMap) map = NULL;
  g_autoptr (DrayOutcome) outcome = NULL;
  const GError *error;

  g_test_summary ("A worker that tells of a chunk what can't be told of one breaks the protocol.");

  lies_begin (&self, rig, "--no-ring");
  map = dray_executor_map_values (rig->executor, "lie-in-chunk", &call, 1);
  outcome = dray_map_wait_next (map, -1, NULL, NULL);
  error = dray_outcome_get_error (outcome);
  g_assert_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL);
  g_assert_cmpstr (error->message, ==, message);
  lies_end (&self, 0);
}

int
main (int argc, char **argv)
{
  static const char *const floods[] = { "items", "large-items", "progress", "errors", "bells" };
  static const char *const ledgers[] = { "many", "long", "first", "records" };

  g_test_init (&argc, &argv, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (lies); i++)
    {
      g_autofree char *path = g_strconcat ("/lies/message/", lies[i].how, NULL);

      rig_add (path, &lies[i], test_message);
    }
  for (guint i = 0; i < G_N_ELEMENTS (floods); i++)
    {
      g_autofree char *path = g_strconcat ("/lies/flood/", floods[i], NULL);

      rig_add (path, floods[i], test_flood);
    }
  rig_add ("/lies/flood/unheard/items", "items", test_unheard_flood);
  rig_add ("/lies/flood/unheard/large-items", "large-items", test_unheard_flood);
  rig_add ("/lies/flood/old-attempt", NULL, test_old_flood);
  rig_add ("/lies/flood/gigabyte", NULL, test_gigabyte_of_errors);
  rig_add ("/lies/flood/domains", NULL, test_domains);
  rig_add ("/lies/begun", NULL, test_begun);
  for (guint i = 0; i < G_N_ELEMENTS (begun_chunks); i++)
    rig_add (begun_chunks[i].path, &begun_chunks[i], test_begun_chunk);
  for (guint i = 0; i < G_N_ELEMENTS (hellos); i++)
    {
      g_autofree char *path = g_strconcat ("/lies/hello/", hellos[i].how, NULL);

      rig_add (path, &hellos[i], test_hello);
    }
  rig_add ("/lies/hello/pid", "pid", test_features);
  rig_add ("/lies/hello/features", "features", test_features);
  for (guint i = 0; i < G_N_ELEMENTS (ledgers); i++)
    {
      g_autofree char *path = g_strconcat ("/lies/ledger/", ledgers[i], NULL);

      rig_add (path, ledgers[i], test_ledger);
    }
  rig_add ("/lies/map/returned", NULL, test_returned_chunk);
  for (guint i = 0; i < G_N_ELEMENTS (chunks); i++)
    {
      g_autofree char *path = g_strconcat ("/lies/map/", chunks[i].how, NULL);

      rig_add (path, &chunks[i], test_chunk);
    }

  return g_test_run ();
}
