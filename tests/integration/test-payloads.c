/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "payload-rig.h"
#include "responsive.h"
#include "witness.h"
#include "workshop.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

/* Large arguments, items and results, whichever way they come. */

static const char *const way_names[] = { "passing", "trusted", "prefixed", "closed" };

static void
test_settings (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayLauncher) launcher = rig_new_launcher (NULL);
  guint64 size = 0;
  gboolean trusted = TRUE;

  g_test_summary (
    "A launcher can be told from which size on memory is shared, and whether its workers "
    "are trusted with that.");

  g_assert_false (dray_launcher_get_trusted (launcher));
  g_assert_cmpuint (dray_launcher_get_shared_size (launcher), ==, 128 * PAYLOAD_MIB);
  g_object_set (launcher, "trusted", TRUE, "shared-size", (guint64) 5000, NULL);
  g_assert_true (dray_launcher_get_trusted (launcher));
  g_assert_cmpuint (dray_launcher_get_shared_size (launcher), ==, 5000);
  dray_launcher_set_trusted (launcher, FALSE);
  dray_launcher_set_shared_size (launcher, 1);
  g_object_get (launcher, "trusted", &trusted, "shared-size", &size, NULL);
  g_assert_false (trusted);
  g_assert_cmpuint (size, ==, 1);
}

/* --- Each way --- */

static void
test_results (Rig *rig, gconstpointer data)
{
  const PayloadWay way = GPOINTER_TO_INT (data);
  static const gsize sizes[] = { 1, 1000, PAYLOAD_MIB, PAYLOAD_LARGE, PAYLOAD_VERY_LARGE };

  g_test_summary (
    "A result is the same however it came, whether it was copied into shared memory or "
    "written there.");

  payload_start (rig, way);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      gboolean shared = way != PAYLOAD_CLOSED
                        && sizes[i] >= (way == PAYLOAD_TRUSTED ? PAYLOAD_MIB : PAYLOAD_LARGE);
      g_autoptr (DrayFuture) bytes = rig_call (rig, "bytes", "(u)", (guint32) sizes[i]);
      g_autoptr (DrayFuture) made = rig_call (rig, "allocate", "(uy)", (guint32) sizes[i], 5);
      g_autoptr (GVariant) bytes_value = rig_expect_result (bytes);
      g_autoptr (GVariant) made_value = rig_expect_result (made);

      payload_check_bytes (bytes_value, sizes[i], 0);
      payload_check_bytes (made_value, sizes[i], 5);
      g_assert_true (payload_is_shared (bytes_value) == shared);
      g_assert_true (payload_is_shared (made_value) == shared);
    }
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

static void
test_arguments (Rig *rig, gconstpointer data)
{
  static const gsize sizes[] = { 1000, PAYLOAD_LARGE, PAYLOAD_VERY_LARGE };

  g_test_summary ("Arguments arrive whole, and may be what another call has returned.");

  payload_start (rig, GPOINTER_TO_INT (data));
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (DrayFuture) made = rig_call (rig, "allocate", "(uy)", (guint32) sizes[i], 1);
      g_autoptr (GVariant) value = rig_expect_result (made);
      g_autoptr (DrayFuture) summed = dray_executor_call (rig->executor, "sum", value);
      g_autoptr (GVariant) sum = rig_expect_result (summed);
      guint64 expected = 0;

      for (gsize j = 0; j < sizes[i]; j++)
        expected += (guint8) (j + 1);
      g_assert_cmpuint (g_variant_get_uint64 (sum), ==, expected);
    }
}

static void
test_containers (Rig *rig, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("Not only bytes: any large value goes both ways.");

  while (text->len < PAYLOAD_LARGE)
    g_string_append (text, "All of this is one text. ");
  value = g_variant_ref_sink (g_variant_new ("(sa{sv}ay)", text->str, NULL, NULL));
  payload_start (rig, GPOINTER_TO_INT (data));
  future = dray_executor_call (rig->executor, "echo", value);
  result = rig_expect_result (future);
  g_assert_true (g_variant_equal (value, result));
}

typedef struct
{
  guint n_items;
  gsize size;
} Heard;

static void
item_cb (DrayFuture *future, GVariant *value, gpointer user_data)
{
  Heard *heard = user_data;

  payload_check_bytes (value, heard->size, (guint8) heard->n_items);
  heard->n_items++;
}

static void
test_items (Rig *rig, gconstpointer data)
{
  Heard heard = { .size = PAYLOAD_LARGE };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Items arrive in order, each its own.");

  payload_start (rig, GPOINTER_TO_INT (data));
  future = rig_call (rig, "allocate-stream", "(uu)", 12, PAYLOAD_LARGE);
  g_signal_connect (future, "item", G_CALLBACK (item_cb), &heard);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 12);
  g_assert_cmpuint (heard.n_items, ==, 12);
}

/* What a worker can have sent beside the pipe or ring before it waits: in its slots, and in sealed
 * memory. One read may bring all of it. */
#define ON_THE_WAY (8 * PAYLOAD_LARGE + 64 * PAYLOAD_MIB)
#define N_ITEMS 40 /* more than that */

static void
test_flow (Rig *rig, gconstpointer data)
{
  const guint64 limit = 2 * PAYLOAD_LARGE;
  Heard heard = { .size = PAYLOAD_LARGE };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary (
    "What is undelivered counts wherever it lies, and at the limit the worker waits.");

  payload_start (rig, GPOINTER_TO_INT (data));
  g_object_set (rig->executor, "max-undelivered-bytes", limit, NULL);
  future = rig_call (rig, "allocate-stream", "(uu)", N_ITEMS, PAYLOAD_LARGE);
  g_signal_connect (future, "item", G_CALLBACK (item_cb), &heard);
  workshop_block_until_undelivered (rig->executor, limit);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <=, limit + ON_THE_WAY + PAYLOAD_LARGE);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);

  g_assert_cmpuint (rig_expect_uint32 (future), ==, N_ITEMS);
  g_assert_cmpuint (heard.n_items, ==, N_ITEMS);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

static void
test_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("Waiting before reading does not deadlock.");

  payload_start (rig, GPOINTER_TO_INT (data));
  g_object_set (rig->executor, "max-undelivered-bytes", (guint64) 1, NULL);
  future = rig_call (rig, "allocate-stream", "(uu)", 12, PAYLOAD_LARGE);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_clear_object (&future);

  future = rig_call (rig, "allocate", "(uy)", PAYLOAD_VERY_LARGE, 0);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  result = dray_future_dup_result (future, NULL);
  payload_check_bytes (result, PAYLOAD_VERY_LARGE, 0);
}

static void
test_too_large (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) argument = NULL;
  g_autofree guint8 *zeros = g_malloc0 (PAYLOAD_LARGE);

  g_test_summary ("The limit of a value's size holds in shared memory as well.");

  payload_start (rig, GPOINTER_TO_INT (data));
  g_object_set (rig->executor, "max-message-size", (guint64) PAYLOAD_LARGE - 1, NULL);
  future = rig_call (rig, "allocate", "(uy)", PAYLOAD_LARGE, 0);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);
  argument = dray_executor_call (
    rig->executor, "sum", g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, zeros, PAYLOAD_LARGE, 1));
  rig_expect_error (argument, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static void
test_limit_changed (Rig *rig, gconstpointer data)
{
  g_autofree guint8 *zeros = g_malloc0 (PAYLOAD_LARGE);
  g_autoptr (GVariant) large = g_variant_ref_sink (
    g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, zeros, PAYLOAD_LARGE, 1));
  g_autoptr (DrayFuture) result = NULL;
  g_autoptr (DrayFuture) lowered = NULL;
  g_autoptr (DrayFuture) raised = NULL;
  g_autoptr (DrayFuture) replaced = NULL;
  g_autoptr (GVariant) value = NULL;
  int pid;

  g_test_summary ("A worker is held to the limit that it was told, and arguments to that and to "
                  "the one of now.");

  payload_start (rig, GPOINTER_TO_INT (data));
  g_object_set (rig->executor, "max-message-size", (guint64) PAYLOAD_LARGE + 1024, NULL);
  pid = rig_ask_pid (rig);

  g_object_set (rig->executor, "max-message-size", (guint64) PAYLOAD_LARGE - 1, NULL);
  result = rig_call (rig, "allocate", "(uy)", PAYLOAD_LARGE, 5);
  value = rig_expect_result (result);
  payload_check_bytes (value, PAYLOAD_LARGE, 5);
  lowered = dray_executor_call (rig->executor, "sum", large);
  rig_expect_error (lowered, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);

  g_object_set (rig->executor, "max-message-size", (guint64) PAYLOAD_VERY_LARGE + 1024, NULL);
  raised = rig_call (rig, "allocate", "(uy)", PAYLOAD_VERY_LARGE, 5);
  rig_expect_error (raised, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);

  kill (pid, SIGKILL);
  rig_run_until_count (rig, workers_died, 1);
  replaced = rig_call (rig, "allocate", "(uy)", PAYLOAD_VERY_LARGE, 5);
  g_clear_pointer (&value, g_variant_unref);
  value = rig_expect_result (replaced);
  payload_check_bytes (value, PAYLOAD_VERY_LARGE, 5);
}

/* --- Ends --- */

static void
test_outlives (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;
  int pid;

  g_test_summary (
    "What was received stays what it is when its worker is killed, and when the executor "
    "is gone.");

  payload_start (rig, GPOINTER_TO_INT (data));
  pid = rig_ask_pid (rig);
  future = rig_call (rig, "allocate", "(uy)", PAYLOAD_LARGE, 3);
  result = rig_expect_result (future);
  kill (pid, SIGKILL);
  fixture_iterate_until_gone (pid);
  payload_check_bytes (result, PAYLOAD_LARGE, 3);

  g_clear_object (&future);
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  payload_check_bytes (result, PAYLOAD_LARGE, 3);
}

static void
test_cancel (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) next = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary (
    "A task that is cancelled while it sends large items leaves nothing behind, and the "
    "worker goes on.");

  payload_start (rig, GPOINTER_TO_INT (data));
  g_object_set (rig->executor, "max-undelivered-bytes", (guint64) PAYLOAD_LARGE, "grace-period",
                60000, NULL);
  future = rig_call (rig, "allocate-stream", "(uu)", G_MAXUINT32, PAYLOAD_LARGE);
  workshop_block_until_undelivered (rig->executor, PAYLOAD_LARGE);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  next = rig_call (rig, "allocate", "(uy)", PAYLOAD_LARGE, 1);
  result = rig_expect_result (next);
  payload_check_bytes (result, PAYLOAD_LARGE, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static void
test_dropped (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) next = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("What comes for a future that nobody has any more is dropped, wherever it lies.");

  rig->drops_futures = TRUE;
  payload_start (rig, GPOINTER_TO_INT (data));
  for (guint i = 0; i < 5; i++)
    {
      G_GNUC_UNUSED g_autoptr (DrayFuture) stream = rig_call (rig, "allocate-stream", "(uu)", 3,
                                                              PAYLOAD_LARGE);
      G_GNUC_UNUSED g_autoptr (DrayFuture) single = rig_call (rig, "allocate", "(uy)",
                                                              PAYLOAD_LARGE, 1);
    }
  next = rig_call (rig, "allocate", "(uy)", PAYLOAD_LARGE, 1);
  result = rig_expect_result (next);
  payload_check_bytes (result, PAYLOAD_LARGE, 1);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

static void
test_shutdown (Rig *rig, gconstpointer data)
{
  static const DrayShutdownMode modes[] = { DRAY_SHUTDOWN_DRAIN, DRAY_SHUTDOWN_TERMINATE,
                                            DRAY_SHUTDOWN_KILL };

  g_test_summary ("An executor can be shut down with large values unread, in every mode.");

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autoptr (DrayFuture) future = NULL;

      payload_start (rig, GPOINTER_TO_INT (data));
      g_object_set (rig->executor, "max-undelivered-bytes", (guint64) 1, NULL);
      future = rig_call (rig, "allocate-stream", "(uu)", 8, PAYLOAD_LARGE);
      workshop_block_until_undelivered (rig->executor, 1);
      rig_shut_down (rig, modes[i]);
    }
}

static void
test_crash (Rig *rig, gconstpointer data)
{
  DrayTask *task;
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary (
    "A worker that is killed after it passed the memory, and in the middle of the frame "
    "that names it, has died, and its task can be run again.");

  payload_start (rig, GPOINTER_TO_INT (data));
  task = rig_new_task ("hostile-cargo", "('die',)");
  dray_task_set_max_retries (task, 2);
  future = rig_submit (rig, task);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, "*signal 9*");
  g_assert_cmpuint (rig_get_count (rig, retried), ==, 2);
}

/* --- Shortage --- */

static void
test_worker_without_descriptors (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("A worker that can make no shared memory sends its result in the frame.");

  payload_start (rig, GPOINTER_TO_INT (data));
  future = rig_call (rig, "without-descriptors", "(u)", PAYLOAD_LARGE);
  result = rig_expect_result (future);
  payload_check_bytes (result, PAYLOAD_LARGE, 0);
  g_assert_false (payload_is_shared (result));
}

static void
test_worker_loses_descriptors (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("So does one that has made it, and can't pass it any more.");

  payload_start (rig, PAYLOAD_TRUSTED);
  future = rig_call (rig, "lose-descriptors", "(u)", PAYLOAD_LARGE);
  result = rig_expect_result (future);
  payload_check_bytes (result, PAYLOAD_LARGE, 0);
  g_assert_false (payload_is_shared (result));
}

static void
test_host_without_descriptors (Rig *rig, gconstpointer data)
{
  struct rlimit limit, none;
  g_autoptr (DrayFuture) argument = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) stream = NULL;
  g_autoptr (DrayFuture) later = NULL;
  g_autoptr (GVariant) made = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GVariant) sum = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *ones = g_malloc (PAYLOAD_LARGE);

  g_test_summary (
    "An application that can have no more descriptors sends arguments in the frame; a "
    "result or an item that it can't receive is an error that says so; all go on later.");

  memset (ones, 1, PAYLOAD_LARGE);
  made = g_variant_ref_sink (
    g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, ones, PAYLOAD_LARGE, 1));
  payload_start (rig, PAYLOAD_PASSING);
  rig_ask_pid (rig);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  argument = dray_executor_call (rig->executor, "sum", made);
  dray_future_wait (argument, -1, NULL, NULL);
  future = rig_call (rig, "allocate", "(uy)", PAYLOAD_LARGE, 0);
  dray_future_wait (future, -1, NULL, NULL);
  stream = rig_call (rig, "allocate-stream", "(uu)", G_MAXUINT32, PAYLOAD_LARGE);
  dray_future_wait (stream, -1, NULL, NULL);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);

  sum = dray_future_dup_result (argument, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint64 (sum), ==, PAYLOAD_LARGE);
  g_assert_null (dray_future_dup_result (future, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  rig_expect_error (stream, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES, "?*");

  later = rig_call (rig, "allocate", "(uy)", PAYLOAD_LARGE, 0);
  result = rig_expect_result (later);
  g_assert_true (payload_is_shared (result));
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

/* --- Hostile --- */

/* What may be taken beside what there was, in bytes. No more than one MiB of memory is passed. */
#define HOSTILE_BOUND ((gsize) 16 * PAYLOAD_MIB)

typedef struct
{
  const char *how;
  gboolean trusted;
  const char *said; /* what the message says that it sent */
} Hostile;

#define NOT_SEALED "shared memory that is not sealed"
#define NOT_PASSED "a message that names other open files than were passed"
#define NOT_UNDERSTOOD "a message whose shared memory can’t be understood"

static const Hostile hostiles[] = {
  { "unsealed", FALSE, NOT_SEALED },
  { "writable", FALSE, NOT_SEALED },
  { "shrinkable", FALSE, NOT_SEALED },
  { "too-small", FALSE, "8191 bytes of shared memory, where 8192 were announced" },
  { "too-large", FALSE, "8193 bytes of shared memory, where 8192 were announced" },
  { "pipe", FALSE, NOT_SEALED },
  { "not-passed", FALSE, NOT_PASSED },
  { "too-many", FALSE, NOT_PASSED },
  { "empty", FALSE, NOT_PASSED },
  { "flood", FALSE, NOT_PASSED },
  { "slot", FALSE, NOT_UNDERSTOOD },
  { "slot-unknown", FALSE, NOT_UNDERSTOOD },
  { "item-attachment", FALSE, "a message “item” out of turn" },
  { "other-task", FALSE, "a message “result” out of turn" },
  { "slot-number", TRUE, NOT_UNDERSTOOD },
  { "slot-too-small", TRUE, NOT_UNDERSTOOD },
  { "slot-unsealed", TRUE, NOT_SEALED },
  { "unsealed", TRUE, NOT_SEALED },
  { "slot-unknown", TRUE, NOT_UNDERSTOOD },
};

static void
test_hostile (Rig *rig, gconstpointer data)
{
  const Hostile *hostile = data;
  g_autofree char *message = g_strconcat (
    "The worker “misbehaving-worker” sent something unexpected: ", hostile->said, NULL);
  Witness witness = { 0 };
  Responsive responsive = { 0 };
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) other = NULL;
  int pid;

  g_test_summary ("A worker that passes what it should not is killed; its task fails with the "
                  "reason, and nothing else does. The main loop turns, others work, memory is "
                  "bounded.");

  payload_start (rig, hostile->trusted ? PAYLOAD_TRUSTED : PAYLOAD_PASSING);
  pid = rig_ask_pid (rig);
  witness_begin (&witness);
  responsive_begin (&responsive);
  future = rig_call (rig, "hostile-cargo", "(s)", hostile->how);
  witness_ask (&witness);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_PROTOCOL, message);
  other = rig_call (rig, "add", "(ii)", 2, 3);
  rig_expect_text (other, "5");
  responsive_end (&responsive);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
  fixture_iterate_until_gone (pid);
  witness_end (&witness, HOSTILE_BOUND);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*test) (Rig *rig, gconstpointer data);
  } each_way[] = {
    { "results", test_results },
    { "arguments", test_arguments },
    { "containers", test_containers },
    { "items", test_items },
    { "flow", test_flow },
    { "wait", test_wait },
    { "too-large", test_too_large },
    { "limit-changed", test_limit_changed },
    { "outlives", test_outlives },
    { "cancel", test_cancel },
    { "dropped", test_dropped },
    { "shutdown", test_shutdown },
  };

  g_test_init (&argc, &argv, NULL);

  for (guint way = 0; way < G_N_ELEMENTS (way_names); way++)
    for (guint i = 0; i < (way == PAYLOAD_PREFIXED ? 2 : G_N_ELEMENTS (each_way)); i++)
      {
        g_autofree char *path = g_strdup_printf ("/payloads/%s/%s", each_way[i].name,
                                                 way_names[way]);

        rig_add (path, GINT_TO_POINTER (way), each_way[i].test);
      }

  rig_add ("/payloads/settings", NULL, test_settings);
  rig_add ("/payloads/crash/passing", GINT_TO_POINTER (PAYLOAD_PASSING), test_crash);
  rig_add ("/payloads/crash/trusted", GINT_TO_POINTER (PAYLOAD_TRUSTED), test_crash);
  rig_add ("/payloads/shortage/worker", GINT_TO_POINTER (PAYLOAD_PASSING),
           test_worker_without_descriptors);
  rig_add ("/payloads/shortage/worker/trusted", GINT_TO_POINTER (PAYLOAD_TRUSTED),
           test_worker_without_descriptors);
  rig_add ("/payloads/shortage/worker/late", NULL, test_worker_loses_descriptors);
  rig_add ("/payloads/shortage/host", NULL, test_host_without_descriptors);
  for (guint i = 0; i < G_N_ELEMENTS (hostiles); i++)
    {
      g_autofree char *path = g_strdup_printf ("/payloads/hostile/%s%s", hostiles[i].how,
                                               hostiles[i].trusted ? "/trusted" : "");

      rig_add (path, &hostiles[i], test_hostile);
    }

  return g_test_run ();
}
