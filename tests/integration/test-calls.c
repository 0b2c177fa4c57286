/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

/* What a call is given and what comes of it: values of every kind, and errors of every kind. */

/* Values */

static void
test_values (Rig *rig, gconstpointer data)
{
  static const char *const vectors[] = {
    "()",
    "true",
    "byte 0x2a",
    "int16 -32768",
    "uint16 65535",
    "-2147483648",
    "uint32 4294967295",
    "int64 -9223372036854775808",
    "uint64 18446744073709551615",
    "handle 7",
    "0.1",
    "1e308",
    "''",
    "'Grüße, 世界 \\n'",
    "objectpath '/org/example/Object'",
    "signature 'a{sv}'",
    "<'boxed'>",
    "<<<@ay []>>>",
    "@ms nothing",
    "just 'something'",
    "@mmi just nothing",
    "@as []",
    "['a', '', 'c']",
    "[byte 0x00, 0x01, 0xff]",
    "@a{sv} {}",
    "{'name': <'x'>, 'size': <uint64 4096>, 'nested': <{'deep': <[1, 2, 3]>}>}",
    "[{1, 'one'}, {2, 'two'}]",
    "[[1, 2], [], [3]]",
    "(1, 'two', [3.0], (true,), <objectpath '/'>)",
    "[(byte 0x01, uint64 2, 'three'), (0x04, 5, 'six')]",
  };

  g_test_summary ("Arguments and results are values of any type, and come back as they went.");

  rig_start (rig, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = g_variant_parse (NULL, vectors[i], NULL, NULL, &error);
      g_autoptr (DrayFuture) future = NULL;
      g_autoptr (GVariant) result = NULL;

      g_assert_no_error (error);
      future = dray_executor_call (rig->executor, "echo", value);
      result = rig_expect_result (future);
      g_assert_cmpvariant (result, value);
    }
}

static void
test_no_values (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) echo = NULL;
  g_autoptr (DrayFuture) null = NULL;

  g_test_summary ("No arguments are the empty tuple, and so is no result.");

  rig_start (rig, 1);
  echo = rig_call (rig, "echo", NULL);
  rig_expect_text (echo, "()");
  null = rig_call (rig, "null", NULL);
  rig_expect_text (null, "()");
}

static void
test_large_values (Rig *rig, gconstpointer data)
{
  const gsize size = 20 * 1024 * 1024;
  guint8 *contents = g_malloc (size);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A value much larger than a pipe goes there and back.");

  for (gsize i = 0; i < size; i++)
    contents[i] = (guint8) (i * 7 + i / 256);
  bytes = g_bytes_new_take (contents, size);
  value = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));

  rig_start (rig, 1);
  future = dray_executor_call (rig->executor, "echo", value);
  result = rig_expect_result (future);
  g_assert_cmpvariant (result, value);
}

static void
test_many_calls (Rig *rig, gconstpointer data)
{
  const int n_calls = 2000;
  g_autoptr (GPtrArray) futures = g_ptr_array_new_with_free_func (g_object_unref);

  g_test_summary ("Of many calls at once each gets its own result, and no process is started but "
                  "one for each slot.");

  rig_start (rig, 2);
  for (int i = 0; i < n_calls; i++)
    g_ptr_array_add (futures, rig_call (rig, "add", "(ii)", i, 1000000));

  rig_run_until_all_done (futures);
  for (int i = 0; i < n_calls; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) result = dray_future_dup_result (futures->pdata[i], &error);

      g_assert_no_error (error);
      g_assert_cmpint (g_variant_get_int32 (result), ==, i + 1000000);
    }

  g_assert_cmpuint (rig_get_count (rig, succeeded), ==, (guint64) n_calls);
  g_assert_cmpuint (rig_get_count (rig, workers_started), <=, 2);
  g_assert_cmpuint (rig_get_count (rig, workers_died), ==, 0);
}

/* Errors */

static void
test_errors (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *domain;
    int code;
    const char *message;
  } vectors[] = {
    { "g-io-error-quark", G_IO_ERROR_NOT_FOUND, "There is no “file”" },
    { "g-file-error-quark", G_FILE_ERROR_ISDIR, "That is a folder" },
    { "a-domain-that-this-program-never-used", 0, "50 %s of 100 %d%n" },
    { "a-domain-that-this-program-never-used", G_MAXINT, "a\nb\tc" },
    { "Another_Domain.v2:error", G_MININT, "x" },
  };
  int pid;

  g_test_summary ("An error arrives whole: domain, code and message; and the worker lives on.");

  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DrayFuture) future = rig_call (rig, "fail", "(sis)", vectors[i].domain,
                                                vectors[i].code, vectors[i].message);

      rig_expect_error (future, g_quark_from_string (vectors[i].domain), vectors[i].code, NULL);
      g_assert_null (dray_future_dup_result (future, &error));
      g_assert_cmpstr (error->message, ==, vectors[i].message);
    }

  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
  g_assert_cmpuint (rig_get_count (rig, failed), ==, G_N_ELEMENTS (vectors));
}

static void
test_odd_domain (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A domain whose name no program would give it is not taken over, but told.");

  rig_start (rig, 1);
  future = rig_call (rig, "fail", "(sis)", "a domain, and what a domain!", 7, "No");
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_FAILED,
                    "No*7*“a domain, and what a domain!”*");
}

static void
test_error_without_message (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("An error that says nothing keeps its domain and code, and gets a message.");

  rig_start (rig, 1);
  future = rig_call (rig, "fail", "(sis)", "g-io-error-quark", G_IO_ERROR_BUSY, "");
  rig_expect_error (future, G_IO_ERROR, G_IO_ERROR_BUSY, "?*");
}

static void
test_error_and_result (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A function that returns a result and an error has failed.");

  rig_start (rig, 1);
  future = rig_call (rig, "both", NULL);
  rig_expect_error (future, G_IO_ERROR, G_IO_ERROR_FAILED, "It failed with a result");
}

static void
test_cancelled_by_itself (Rig *rig, gconstpointer data)
{
  g_autoptr (DrayFuture) future = NULL;

  g_test_summary ("A function that fails with “cancelled” though nobody cancelled it has failed.");

  rig_start (rig, 1);
  future = rig_call (rig, "fail", "(sis)", "g-io-error-quark", G_IO_ERROR_CANCELLED, "I gave up");
  rig_expect_error (future, G_IO_ERROR, G_IO_ERROR_CANCELLED, "I gave up");
  g_assert_cmpuint (rig_get_count (rig, failed), ==, 1);
  g_assert_cmpuint (rig_get_count (rig, cancelled), ==, 0);
}

static void
test_wrong_calls (Rig *rig, gconstpointer data)
{
  static const struct
  {
    const char *function;
    const char *arguments;
    DrayError code;
    const char *pattern;
  } vectors[] = {
    { "no-such-function", NULL, DRAY_ERROR_UNKNOWN_FUNCTION, "*“no-such-function”*" },
    { "Grüße", "(1,)", DRAY_ERROR_UNKNOWN_FUNCTION, "*“Grüße”*" },
    { "add", NULL, DRAY_ERROR_BAD_ARGUMENTS, "*“add”*“(ii)”*“()”*" },
    { "add", "(1,)", DRAY_ERROR_BAD_ARGUMENTS, "*“(i)”*" },
    { "add", "('1', '2')", DRAY_ERROR_BAD_ARGUMENTS, "*“(ss)”*" },
    { "add", "[1, 2]", DRAY_ERROR_BAD_ARGUMENTS, "*“ai”*" },
    { "add", "(uint32 1, 2)", DRAY_ERROR_BAD_ARGUMENTS, "*“(ui)”*" },
  };
  int pid;

  g_test_summary ("A function that does not exist, or is called with arguments of another type, "
                  "is an error that says so; the worker lives on.");

  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (DrayFuture) future
        = rig_submit (rig, rig_new_task (vectors[i].function, vectors[i].arguments));

      rig_expect_error (future, DRAY_ERROR, vectors[i].code, vectors[i].pattern);
    }

  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

static void
test_too_large (Rig *rig, gconstpointer data)
{
  static const guint8 bytes[5000];
  g_autoptr (GVariant) zeros = g_variant_ref_sink (
    g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, sizeof bytes, 1));
  g_autoptr (DrayFuture) arguments = NULL;
  g_autoptr (DrayFuture) result = NULL;
  g_autoptr (DrayFuture) item = NULL;
  int pid;

  g_test_summary ("Arguments, results and items above the limit are errors, and nothing but that "
                  "call is harmed.");

  rig_start (rig, 1);
  g_object_set (rig->executor, "max-message-size", G_GUINT64_CONSTANT (4096), NULL);

  pid = rig_ask_pid (rig);
  arguments = dray_executor_call (rig->executor, "echo", zeros);
  rig_expect_error (arguments, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);
  result = rig_call (rig, "bytes", "(u)", 5000);
  rig_expect_error (result, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);
  item = rig_call (rig, "stream", "(uu)", 1, 5000);
  rig_expect_error (item, DRAY_ERROR, DRAY_ERROR_TOO_LARGE, NULL);
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

/* GIO style */

static void
take_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GAsyncResult **place = user_data;

  g_assert_true (DRAY_IS_EXECUTOR (source));
  *place = g_object_ref (result);
}

static gboolean
is_set (gpointer user_data)
{
  gpointer *place = user_data;

  return *place != NULL;
}

static void
test_call_async (Rig *rig, gconstpointer data)
{
  g_autoptr (GAsyncResult) good = NULL;
  g_autoptr (GAsyncResult) bad = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("call_async() and call_finish() work as in GIO, with results and with errors.");

  rig_start (rig, 1);
  dray_executor_call_async (rig->executor, "add", g_variant_new ("(ii)", 2, 3), NULL,
                            take_result_cb, &good);
  dray_executor_call_async (rig->executor, "fail",
                            g_variant_new ("(sis)", "g-io-error-quark", 1, "Gone"), NULL,
                            take_result_cb, &bad);
  g_assert_null (good);
  fixture_iterate_until (is_set, &good, "the call is done");
  fixture_iterate_until (is_set, &bad, "the failing call is done");

  value = dray_executor_call_finish (rig->executor, good, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (value), ==, 5);
  g_assert_null (dray_executor_call_finish (rig->executor, bad, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

static void
test_call_async_cancelled (Rig *rig, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("A call that is cancelled through its cancellable ends with that error, and with "
                  "no result.");

  rig_start (rig, 1);
  dray_executor_call_async (rig->executor, "block", NULL, cancellable, take_result_cb, &result);
  rig_run_until_count (rig, running, 1);
  g_cancellable_cancel (cancellable);
  fixture_iterate_until (is_set, &result, "the call is done");

  g_assert_null (dray_executor_call_finish (rig->executor, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (rig_get_count (rig, cancelled), ==, 1);
}

static void
test_run_async (Rig *rig, gconstpointer data)
{
  const char *argv[] = { "echo", "hello", NULL };
  g_autoptr (DrayTask) call = rig_new_task ("add", "(4, 5)");
  g_autoptr (DrayTask) command = dray_task_new_command (argv);
  g_autoptr (GAsyncResult) called = NULL;
  g_autoptr (GAsyncResult) ran = NULL;
  g_autoptr (GVariant) sum = NULL;
  g_autoptr (GVariant) output = NULL;
  g_autoptr (GError) error = NULL;

  g_test_summary ("run_async() runs calls and commands alike.");

  rig_start (rig, 2);
  dray_task_set_encoding (command, DRAY_ENCODING_UTF8);
  dray_executor_run_async (rig->executor, call, NULL, take_result_cb, &called);
  dray_executor_run_async (rig->executor, command, NULL, take_result_cb, &ran);
  fixture_iterate_until (is_set, &called, "the call is done");
  fixture_iterate_until (is_set, &ran, "the command is done");

  sum = dray_executor_run_finish (rig->executor, called, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (sum), ==, 9);
  output = dray_executor_run_finish (rig->executor, ran, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (output, NULL), ==, "hello\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/calls/values", NULL, test_values);
  rig_add ("/calls/values/none", NULL, test_no_values);
  rig_add ("/calls/values/large", NULL, test_large_values);
  rig_add ("/calls/values/too-large", NULL, test_too_large);
  rig_add ("/calls/many", NULL, test_many_calls);
  rig_add ("/calls/errors", NULL, test_errors);
  rig_add ("/calls/errors/odd-domain", NULL, test_odd_domain);
  rig_add ("/calls/errors/without-message", NULL, test_error_without_message);
  rig_add ("/calls/errors/with-result", NULL, test_error_and_result);
  rig_add ("/calls/errors/cancelled-by-itself", NULL, test_cancelled_by_itself);
  rig_add ("/calls/errors/wrong-calls", NULL, test_wrong_calls);
  rig_add ("/calls/async", NULL, test_call_async);
  rig_add ("/calls/async/cancelled", NULL, test_call_async_cancelled);
  rig_add ("/calls/async/tasks", NULL, test_run_async);

  return g_test_run ();
}
