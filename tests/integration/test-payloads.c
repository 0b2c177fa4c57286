/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"
#include "workshop.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

/*
 * Large arguments, items and results: in sealed memory, in slots of a trusted worker, or in their
 * frames, where nothing can be passed. Nobody can tell from the values.
 */

#define MIB (1024 * 1024)
/* From here on values go in shared memory in these tests, so that they need not be as large. */
#define SHARED_SIZE (2 * MIB)
#define LARGE (3 * MIB)
#define VERY_LARGE (100 * MIB)

typedef enum
{
  PASSING,  /* descriptors can be passed */
  TRUSTED,  /* and the worker is trusted */
  PREFIXED, /* by a program before the worker, which leaves them alone */
  CLOSED,   /* the program before the worker closes what it does not know */
} Way;

static const char *const way_names[] = { "passing", "trusted", "prefixed", "closed" };

static void
start (Rig *rig, Way way)
{
  const char *const prefix[] = { "env", "FOO=bar", NULL };
  const char *const closing_prefix[] = { "sh", "-c", "exec 3<&-; exec \"$@\"", "sh", NULL };
  DrayLauncher *launcher = rig_new_launcher (NULL);

  dray_launcher_set_shared_size (launcher, SHARED_SIZE);
  dray_launcher_set_trusted (launcher, way == TRUSTED);
  if (way == PREFIXED)
    dray_launcher_set_prefix (launcher, prefix);
  if (way == CLOSED)
    dray_launcher_set_prefix (launcher, closing_prefix);
  rig_start_with (rig, launcher, 1);
}

static gsize
get_size (GVariant *value)
{
  g_assert_true (g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING));
  return g_variant_get_size (value);
}

/* As "allocate" makes it, and "bytes" with a seed of 0. */
static void
check_bytes (GVariant *value, gsize size, guint8 seed)
{
  const guint8 *bytes = g_variant_get_data (value);
  guint8 pattern[256 * 16];

  g_assert_cmpuint (get_size (value), ==, size);
  for (guint i = 0; i < sizeof pattern; i++)
    pattern[i] = (guint8) (i + seed);
  for (gsize i = 0; i < size; i += sizeof pattern)
    g_assert_cmpint (memcmp (bytes + i, pattern, MIN (sizeof pattern, size - i)), ==, 0);
}

/* Whether the bytes lie in memory that a worker has made. */
static gboolean
is_shared (GVariant *value)
{
  const guint64 address = (guint64) (guintptr) g_variant_get_data (value);
  g_autofree char *maps = NULL;
  g_auto (GStrv) lines = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      char *end;
      guint64 first = g_ascii_strtoull (lines[i], &end, 16);
      guint64 last = *end == '-' ? g_ascii_strtoull (end + 1, NULL, 16) : 0;

      if (address >= first && address < last)
        return strstr (lines[i], "memfd:dray") != NULL;
    }
  return FALSE;
}

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
  g_assert_cmpuint (dray_launcher_get_shared_size (launcher), ==, 128 * MIB);
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
  const Way way = GPOINTER_TO_INT (data);
  static const gsize sizes[] = { 1, 1000, MIB, LARGE, VERY_LARGE };

  g_test_summary (
    "A result is the same however it came, whether it was copied into shared memory or "
    "written there.");

  start (rig, way);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      gboolean shared = way != CLOSED && sizes[i] >= (way == TRUSTED ? MIB : LARGE);
      g_autoptr (DrayFuture) bytes = rig_call (rig, "bytes", "(u)", (guint32) sizes[i]);
      g_autoptr (DrayFuture) made = rig_call (rig, "allocate", "(uy)", (guint32) sizes[i], 5);
      g_autoptr (GVariant) bytes_value = rig_expect_result (bytes);
      g_autoptr (GVariant) made_value = rig_expect_result (made);

      check_bytes (bytes_value, sizes[i], 0);
      check_bytes (made_value, sizes[i], 5);
      g_assert_true (is_shared (bytes_value) == shared);
      g_assert_true (is_shared (made_value) == shared);
    }
  g_assert_cmpuint (rig_get_count (rig, workers_started), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

static void
test_arguments (Rig *rig, gconstpointer data)
{
  static const gsize sizes[] = { 1000, LARGE, VERY_LARGE };

  g_test_summary ("Arguments arrive whole, and may be what another call has returned.");

  start (rig, GPOINTER_TO_INT (data));
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

  while (text->len < LARGE)
    g_string_append (text, "All of this is one text. ");
  value = g_variant_ref_sink (g_variant_new ("(sa{sv}ay)", text->str, NULL, NULL));
  start (rig, GPOINTER_TO_INT (data));
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

  check_bytes (value, heard->size, (guint8) heard->n_items);
  heard->n_items++;
}

static void
test_items (Rig *rig, gconstpointer data)
{
  Heard heard = { .size = LARGE };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("Items arrive in order, each its own.");

  start (rig, GPOINTER_TO_INT (data));
  future = rig_call (rig, "allocate-stream", "(uu)", 12, LARGE);
  g_signal_connect (future, "item", G_CALLBACK (item_cb), &heard);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 12);
  g_assert_cmpuint (heard.n_items, ==, 12);
}

static void
test_flow (Rig *rig, gconstpointer data)
{
  const guint64 limit = 2 * LARGE;
  Heard heard = { .size = LARGE };
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary (
    "What is undelivered counts wherever it lies, and at the limit the worker waits.");

  start (rig, GPOINTER_TO_INT (data));
  g_object_set (rig->executor, "max-undelivered-bytes", limit, NULL);
  future = rig_call (rig, "allocate-stream", "(uu)", 20, LARGE);
  g_signal_connect (future, "item", G_CALLBACK (item_cb), &heard);
  workshop_block_until_undelivered (rig->executor, limit);
  rig_let_time_pass ();
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), <=, limit + LARGE);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_RUNNING);

  g_assert_cmpuint (rig_expect_uint32 (future), ==, 20);
  g_assert_cmpuint (heard.n_items, ==, 20);
  g_assert_cmpuint (rig_get_count (rig, undelivered_bytes), ==, 0);
}

static void
test_wait (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("Waiting before reading does not deadlock.");

  start (rig, GPOINTER_TO_INT (data));
  g_object_set (rig->executor, "max-undelivered-bytes", (guint64) 1, NULL);
  future = rig_call (rig, "allocate-stream", "(uu)", 12, LARGE);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  g_clear_object (&future);

  future = rig_call (rig, "allocate", "(uy)", VERY_LARGE, 0);
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
  result = dray_future_dup_result (future, NULL);
  check_bytes (result, VERY_LARGE, 0);
}

static void
test_too_large (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) argument = NULL;
  g_autofree guint8 *zeros = g_malloc0 (LARGE);

  g_test_summary ("The limit of a value's size holds in shared memory as well.");

  start (rig, GPOINTER_TO_INT (data));
  g_object_set (rig->executor, "max-message-size", (guint64) LARGE - 1, NULL);
  future = rig_call (rig, "allocate", "(uy)", LARGE, 0);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);
  argument = dray_executor_call (rig->executor, "sum",
                                 g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, zeros, LARGE, 1));
  rig_expect_error (argument, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
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

  start (rig, GPOINTER_TO_INT (data));
  pid = rig_ask_pid (rig);
  future = rig_call (rig, "allocate", "(uy)", LARGE, 3);
  result = rig_expect_result (future);
  kill (pid, SIGKILL);
  fixture_iterate_until_gone (pid);
  check_bytes (result, LARGE, 3);

  g_clear_object (&future);
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
  check_bytes (result, LARGE, 3);
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

  start (rig, GPOINTER_TO_INT (data));
  g_object_set (rig->executor, "max-undelivered-bytes", (guint64) LARGE, "grace-period", 60000,
                NULL);
  future = rig_call (rig, "allocate-stream", "(uu)", G_MAXUINT32, LARGE);
  workshop_block_until_undelivered (rig->executor, LARGE);
  dray_future_cancel (future);
  rig_expect_cancelled (future);
  next = rig_call (rig, "allocate", "(uy)", LARGE, 1);
  result = rig_expect_result (next);
  check_bytes (result, LARGE, 1);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

static void
test_dropped (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) next = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("What comes for a future that nobody has any more is dropped, wherever it lies.");

  start (rig, GPOINTER_TO_INT (data));
  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (DrayFuture) stream = rig_call (rig, "allocate-stream", "(uu)", 3, LARGE);
      g_autoptr (DrayFuture) single = rig_call (rig, "allocate", "(uy)", LARGE, 1);
    }
  next = rig_call (rig, "allocate", "(uy)", LARGE, 1);
  result = rig_expect_result (next);
  check_bytes (result, LARGE, 1);
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

      start (rig, GPOINTER_TO_INT (data));
      g_object_set (rig->executor, "max-undelivered-bytes", (guint64) 1, NULL);
      future = rig_call (rig, "allocate-stream", "(uu)", 8, LARGE);
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

  start (rig, GPOINTER_TO_INT (data));
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

  start (rig, PASSING);
  future = rig_call (rig, "without-descriptors", "(u)", LARGE);
  result = rig_expect_result (future);
  check_bytes (result, LARGE, 0);
  g_assert_false (is_shared (result));
}

static void
test_host_without_descriptors (Rig *rig, gconstpointer data)
{
  struct rlimit limit, none;
  g_autoptr (DrayFuture) argument = NULL;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) later = NULL;
  g_autoptr (GVariant) made = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GVariant) sum = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *ones = g_malloc (LARGE);

  g_test_summary (
    "An application that can have no more descriptors sends arguments in the frame; a "
    "result that it can't receive is an error that says so; both go on later.");

  memset (ones, 1, LARGE);
  made = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, ones, LARGE, 1));
  start (rig, PASSING);
  rig_ask_pid (rig);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  argument = dray_executor_call (rig->executor, "sum", made);
  dray_future_wait (argument, -1, NULL, NULL);
  future = rig_call (rig, "allocate", "(uy)", LARGE, 0);
  dray_future_wait (future, -1, NULL, NULL);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);

  sum = dray_future_dup_result (argument, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_uint64 (sum), ==, LARGE);
  g_assert_null (dray_future_dup_result (future, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);

  later = rig_call (rig, "allocate", "(uy)", LARGE, 0);
  result = rig_expect_result (later);
  g_assert_true (is_shared (result));
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

/* --- Slots --- */

static void
test_recycled (Rig *rig, gconstpointer data)
{
  gconstpointer first = NULL;

  g_test_summary ("Memory that the application has let go of is used again, on both sides.");

  start (rig, TRUSTED);
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "allocate", "(uy)", MIB - i, i);
      g_autoptr (GVariant) result = rig_expect_result (future);

      check_bytes (result, MIB - i, (guint8) i);
      if (i == 0)
        first = g_variant_get_data (result);
      g_assert_true (g_variant_get_data (result) == first);
    }
}

static void
test_kept (Rig *rig, gconstpointer data)
{
  const guint n = 30;
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);

  g_test_summary ("What the application keeps is not used again, however much that is.");

  start (rig, TRUSTED);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "allocate", "(uy)", MIB, i);

      g_ptr_array_add (kept, rig_expect_result (future));
    }
  for (guint i = 0; i < n; i++)
    check_bytes (kept->pdata[i], MIB, (guint8) i);
}

static void
test_part_kept (Rig *rig, gconstpointer data)
{
  g_autoptr (GBytes) part = NULL;

  g_test_summary ("A part that is kept keeps the memory.");

  start (rig, TRUSTED);
  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "allocate", "(uy)", MIB, i);
      g_autoptr (GVariant) result = rig_expect_result (future);
      g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (result);

      if (i == 0)
        part = g_bytes_new_from_bytes (bytes, 100, 2);
    }
  g_assert_cmpmem (g_bytes_get_data (part, NULL), 2, "de", 2);
}

static void
test_sizes (Rig *rig, gconstpointer data)
{
  g_test_summary ("Values that grow and shrink find room: slots that are too small are replaced.");

  start (rig, TRUSTED);
  for (guint i = 0; i < 60; i++)
    {
      guint32 size = MIB / 2 + (i * 7919 % 61) * MIB / 4;
      g_autoptr (DrayFuture) future = rig_call (rig, "allocate", "(uy)", size, i);
      g_autoptr (GVariant) result = rig_expect_result (future);

      check_bytes (result, size, (guint8) i);
      g_assert_true (is_shared (result));
    }
}

static void
keep_item_cb (DrayFuture *future, GVariant *value, gpointer kept)
{
  g_ptr_array_add (kept, g_variant_ref (value));
}

static void
test_same_twice (Rig *rig, gconstpointer data)
{
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GVariant) result = NULL;

  g_test_summary ("One value that is sent several times arrives as often.");

  start (rig, TRUSTED);
  future = rig_call (rig, "same-twice", "(u)", MIB);
  g_signal_connect (future, "item", G_CALLBACK (keep_item_cb), kept);
  result = rig_expect_result (future);
  g_assert_cmpuint (kept->len, ==, 2);
  check_bytes (kept->pdata[0], MIB, 1);
  check_bytes (kept->pdata[1], MIB, 1);
  check_bytes (result, MIB, 1);
}

/* --- Hostile --- */

typedef struct
{
  const char *how;
  gboolean trusted;
} Hostile;

static const Hostile hostiles[] = {
  { "unsealed", FALSE },   { "writable", FALSE },      { "shrinkable", FALSE },
  { "too-small", FALSE },  { "too-large", FALSE },     { "pipe", FALSE },
  { "not-passed", FALSE }, { "too-many", FALSE },      { "flood", FALSE },
  { "slot", FALSE },       { "slot-unknown", FALSE },  { "item-attachment", FALSE },
  { "slot-number", TRUE }, { "slot-too-small", TRUE }, { "slot-unsealed", TRUE },
  { "unsealed", TRUE },    { "slot-unknown", TRUE },
};

static void
test_hostile (Rig *rig, gconstpointer data)
{
  const Hostile *hostile = data;
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (DrayFuture) other = NULL;

  g_test_summary ("A worker that passes what it should not is killed; its task fails, and nothing "
                  "else does.");

  start (rig, hostile->trusted ? TRUSTED : PASSING);
  future = rig_call (rig, "hostile-cargo", "(s)", hostile->how);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_PROTOCOL, NULL);
  other = rig_call (rig, "add", "(ii)", 2, 3);
  rig_expect_text (other, "5");
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 1);
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
    { "outlives", test_outlives },
    { "cancel", test_cancel },
    { "dropped", test_dropped },
    { "shutdown", test_shutdown },
  };

  g_test_init (&argc, &argv, NULL);

  for (guint way = 0; way < G_N_ELEMENTS (way_names); way++)
    for (guint i = 0; i < (way == PREFIXED ? 2 : G_N_ELEMENTS (each_way)); i++)
      {
        g_autofree char *path = g_strdup_printf ("/payloads/%s/%s", each_way[i].name,
                                                 way_names[way]);

        rig_add (path, GINT_TO_POINTER (way), each_way[i].test);
      }

  rig_add ("/payloads/settings", NULL, test_settings);
  rig_add ("/payloads/crash/passing", GINT_TO_POINTER (PASSING), test_crash);
  rig_add ("/payloads/crash/trusted", GINT_TO_POINTER (TRUSTED), test_crash);
  rig_add ("/payloads/shortage/worker", NULL, test_worker_without_descriptors);
  rig_add ("/payloads/shortage/host", NULL, test_host_without_descriptors);
  rig_add ("/payloads/slots/recycled", NULL, test_recycled);
  rig_add ("/payloads/slots/kept", NULL, test_kept);
  rig_add ("/payloads/slots/part-kept", NULL, test_part_kept);
  rig_add ("/payloads/slots/sizes", NULL, test_sizes);
  rig_add ("/payloads/slots/same-twice", NULL, test_same_twice);
  for (guint i = 0; i < G_N_ELEMENTS (hostiles); i++)
    {
      g_autofree char *path = g_strdup_printf ("/payloads/hostile/%s%s", hostiles[i].how,
                                               hostiles[i].trusted ? "/trusted" : "");

      rig_add (path, &hostiles[i], test_hostile);
    }

  return g_test_run ();
}
