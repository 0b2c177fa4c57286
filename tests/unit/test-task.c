/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-task-private.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

/* What a task holds, what it defaults to, and that it can't be changed once it is sealed. */

static DrayTask *
new_command (void)
{
  return dray_task_new_command ((const char *const[]) { "/usr/bin/sort", "-u", NULL });
}

/* Of what both calls and commands have. */
static void
check_defaults (DrayTask *task)
{
  g_assert_cmpint (dray_task_get_priority (task), ==, 0);
  g_assert_cmpuint (dray_task_get_time_limit (task), ==, 0);
  g_assert_cmpuint (dray_task_get_max_retries (task), ==, 0);
  g_assert_cmpint (dray_task_get_cancel_mode (task), ==, DRAY_CANCEL_IMMEDIATE);
  g_assert_false (dray_task_get_pull (task));
  g_assert_null (dray_task_get_key (task));
  g_assert_null (dray_task_get_directory (task));
  g_assert_null (dray_task_get_environment (task));
  g_assert_null (dray_task_get_input_bytes (task));
  g_assert_cmpint (dray_task_get_input_fd (task), ==, -1);
}

static void
test_call (void)
{
  g_test_summary ("A call has a function, arguments, the defaults, and nothing of a command.");

  g_autoptr (DrayTask) task = dray_task_new_call ("checksum", g_variant_new ("(s)", "path"));
  GVariant *arguments = dray_task_get_arguments (task);

  g_assert_cmpint (dray_task_get_kind (task), ==, DRAY_TASK_CALL);
  g_assert_cmpstr (dray_task_get_function (task), ==, "checksum");
  g_assert_cmpstr (dray_task_get_label (task), ==, "checksum");
  g_assert_false (g_variant_is_floating (arguments));
  g_assert_true (g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(s)")));

  check_defaults (task);
  g_assert_null (dray_task_get_argv (task));
}

static void
test_no_arguments (void)
{
  g_test_summary ("A call without arguments has none.");

  g_autoptr (DrayTask) task = dray_task_new_call ("refresh", NULL);

  g_assert_null (dray_task_get_arguments (task));
}

static void
test_arguments_of_the_caller (void)
{
  g_test_summary ("Arguments that are not floating stay the caller's as well.");

  g_autoptr (GVariant) arguments = g_variant_ref_sink (g_variant_new_string ("kept"));
  DrayTask *task = dray_task_new_call ("function", arguments);

  dray_task_unref (task);
  g_assert_cmpstr (g_variant_get_string (arguments, NULL), ==, "kept");
}

static void
test_command (void)
{
  g_test_summary ("A command has an argv, the defaults, and nothing of a call.");

  g_autoptr (DrayTask) task = new_command ();
  const char *const *argv = dray_task_get_argv (task);

  g_assert_cmpint (dray_task_get_kind (task), ==, DRAY_TASK_COMMAND);
  g_assert_cmpstrv ((char **) argv, ((const char *const[]) { "/usr/bin/sort", "-u", NULL }));
  g_assert_cmpstr (dray_task_get_label (task), ==, "sort");
  g_assert_null (dray_task_get_function (task));
  g_assert_null (dray_task_get_arguments (task));

  g_assert_cmpint (dray_task_get_split (task), ==, DRAY_SPLIT_NONE);
  g_assert_cmpint (dray_task_get_encoding (task), ==, DRAY_ENCODING_BYTES);
  g_assert_cmpuint (dray_task_get_max_record_size (task), ==, 1024 * 1024);
  g_assert_cmpuint (dray_task_get_max_output_size (task), ==, 64 * 1024 * 1024);
  g_assert_cmpint (dray_task_get_input_fd (task), ==, -1);
}

static void
test_setters (void)
{
  g_test_summary ("What is set is what one gets, and strings are copied.");

  g_autoptr (DrayTask) task = new_command ();
  char directory[] = "/tmp";
  char variable[] = "LC_ALL=C";
  const char *const environment[] = { variable, NULL };

  dray_task_set_priority (task, -7);
  dray_task_set_time_limit (task, 1500);
  dray_task_set_max_retries (task, 2);
  dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
  dray_task_set_pull (task, TRUE);
  dray_task_set_key (task, "thumbnail");
  dray_task_set_directory (task, directory);
  dray_task_set_environment (task, environment);
  dray_task_set_split (task, DRAY_SPLIT_CHUNKS);
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
  dray_task_set_max_record_size (task, 1);
  dray_task_set_max_output_size (task, G_MAXSIZE);
  directory[0] = variable[0] = '?';

  g_assert_cmpint (dray_task_get_priority (task), ==, -7);
  g_assert_cmpuint (dray_task_get_time_limit (task), ==, 1500);
  g_assert_cmpuint (dray_task_get_max_retries (task), ==, 2);
  g_assert_cmpint (dray_task_get_cancel_mode (task), ==, DRAY_CANCEL_CONFIRMED);
  g_assert_true (dray_task_get_pull (task));
  g_assert_cmpstr (dray_task_get_key (task), ==, "thumbnail");
  dray_task_set_key (task, NULL);
  g_assert_null (dray_task_get_key (task));
  g_assert_cmpstr (dray_task_get_directory (task), ==, "/tmp");
  g_assert_cmpstr (dray_task_get_environment (task)[0], ==, "LC_ALL=C");
  g_assert_null (dray_task_get_environment (task)[1]);
  g_assert_cmpint (dray_task_get_split (task), ==, DRAY_SPLIT_CHUNKS);
  g_assert_cmpint (dray_task_get_encoding (task), ==, DRAY_ENCODING_UTF8);
  g_assert_cmpuint (dray_task_get_max_record_size (task), ==, 1);
  g_assert_cmpuint (dray_task_get_max_output_size (task), ==, G_MAXSIZE);

  dray_task_set_directory (task, dray_task_get_directory (task));
  dray_task_set_environment (task, dray_task_get_environment (task));
  g_assert_cmpstr (dray_task_get_directory (task), ==, "/tmp");
  g_assert_cmpstr (dray_task_get_environment (task)[0], ==, "LC_ALL=C");

  dray_task_set_directory (task, NULL);
  dray_task_set_environment (task, NULL);
  g_assert_null (dray_task_get_directory (task));
  g_assert_null (dray_task_get_environment (task));
}

static void
test_label (void)
{
  g_test_summary ("A label can be set, set to itself, and given back to the default, which is "
                  "valid UTF-8 whatever the program is called.");

  g_autoptr (DrayTask) task = new_command ();
  g_autoptr (DrayTask) strange
      = dray_task_new_command ((const char *const[]) { "/bin/\xff", NULL });

  dray_task_set_label (task, "Sorting");
  g_assert_cmpstr (dray_task_get_label (task), ==, "Sorting");
  dray_task_set_label (task, dray_task_get_label (task));
  g_assert_cmpstr (dray_task_get_label (task), ==, "Sorting");
  dray_task_set_label (task, NULL);
  g_assert_cmpstr (dray_task_get_label (task), ==, "sort");

  g_assert_true (g_utf8_validate (dray_task_get_label (strange), -1, NULL));
}

static gboolean
is_open (int fd)
{
  return fcntl (fd, F_GETFD) != -1;
}

static void
test_input (void)
{
  g_test_summary ("Input comes from bytes or from a descriptor, whichever was set last; the "
                  "descriptor is a close-on-exec duplicate, which goes with the task.");

  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static ("abc", 3);
  DrayTask *task = new_command ();
  int fd = open ("/dev/null", O_RDONLY);

  dray_task_set_input_bytes (task, bytes);
  g_assert_true (dray_task_get_input_bytes (task) == bytes);
  dray_task_set_input_bytes (task, dray_task_get_input_bytes (task));
  g_assert_true (dray_task_get_input_bytes (task) == bytes);

  g_assert_true (dray_task_set_input_fd (task, fd, &error));
  g_assert_no_error (error);
  g_assert_null (dray_task_get_input_bytes (task));

  int first = dray_task_get_input_fd (task);

  g_assert_cmpint (first, >=, 3);
  g_assert_cmpint (first, !=, fd);
  g_assert_true (fcntl (first, F_GETFD) & FD_CLOEXEC);

  close (fd);
  g_assert_true (is_open (first));

  dray_task_set_input_bytes (task, bytes);
  g_assert_false (is_open (first));
  g_assert_cmpint (dray_task_get_input_fd (task), ==, -1);
  dray_task_set_input_bytes (task, NULL);
  g_assert_null (dray_task_get_input_bytes (task));

  fd = open ("/dev/null", O_RDONLY);
  g_assert_true (dray_task_set_input_fd (task, fd, NULL));
  first = dray_task_get_input_fd (task);
  dray_task_unref (task);
  g_assert_false (is_open (first));
  close (fd);
}

static void
test_bad_descriptor (void)
{
  g_test_summary ("A descriptor that is not open is an error, which leaves the task as it was.");

  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static ("abc", 3);
  g_autoptr (DrayTask) task = new_command ();

  dray_task_set_input_bytes (task, bytes);
  g_assert_false (dray_task_set_input_fd (task, 123456, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "sort"));
  g_assert_true (dray_task_get_input_bytes (task) == bytes);
  g_assert_cmpint (dray_task_get_input_fd (task), ==, -1);
}

/* Each tries to change a thing. */

static void
try_label (DrayTask *task)
{
  dray_task_set_label (task, "other");
}

static void
try_priority (DrayTask *task)
{
  dray_task_set_priority (task, 1);
}

static void
try_time_limit (DrayTask *task)
{
  dray_task_set_time_limit (task, 1);
}

static void
try_max_retries (DrayTask *task)
{
  dray_task_set_max_retries (task, 1);
}

static void
try_cancel_mode (DrayTask *task)
{
  dray_task_set_cancel_mode (task, DRAY_CANCEL_CONFIRMED);
}

static void
try_key (DrayTask *task)
{
  dray_task_set_key (task, "key");
}

static void
try_pull (DrayTask *task)
{
  dray_task_set_pull (task, TRUE);
}

static void
try_directory (DrayTask *task)
{
  dray_task_set_directory (task, "/");
}

static void
try_environment (DrayTask *task)
{
  dray_task_set_environment (task, (const char *const[]) { NULL });
}

static void
try_input_bytes (DrayTask *task)
{
  g_autoptr (GBytes) bytes = g_bytes_new (NULL, 0);

  dray_task_set_input_bytes (task, bytes);
}

static void
try_input_fd (DrayTask *task)
{
  g_assert_false (dray_task_set_input_fd (task, 0, NULL));
}

static void
try_split (DrayTask *task)
{
  dray_task_set_split (task, DRAY_SPLIT_LINES);
}

static void
try_encoding (DrayTask *task)
{
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
}

static void
try_max_record_size (DrayTask *task)
{
  dray_task_set_max_record_size (task, 1);
}

static void
try_max_output_size (DrayTask *task)
{
  dray_task_set_max_output_size (task, 1);
}

static const struct
{
  void (*try) (DrayTask *task);
  gboolean commands_only;
} setters[] = {
  { try_label, FALSE },       { try_priority, FALSE },       { try_time_limit, FALSE },
  { try_max_retries, FALSE }, { try_cancel_mode, FALSE },    { try_key, FALSE },
  { try_pull, FALSE },        { try_directory, TRUE },       { try_environment, TRUE },
  { try_input_bytes, TRUE },  { try_input_fd, TRUE },        { try_split, TRUE },
  { try_encoding, TRUE },     { try_max_record_size, TRUE }, { try_max_output_size, TRUE },
};

static void
expect_critical (const char *pattern)
{
  g_test_expect_message ("Dray", G_LOG_LEVEL_CRITICAL, pattern);
}

static void
test_sealed (void)
{
  g_test_summary ("Every setter refuses a task that was submitted, and changes nothing.");

  g_autoptr (DrayTask) task = new_command ();

  dray_task_seal (task);
  dray_task_seal (task);
  for (guint i = 0; i < G_N_ELEMENTS (setters); i++)
    {
      expect_critical ("*sealed*");
      setters[i].try (task);
      g_test_assert_expected_messages ();
    }

  g_assert_cmpstr (dray_task_get_label (task), ==, "sort");
  check_defaults (task);
  g_assert_cmpint (dray_task_get_split (task), ==, DRAY_SPLIT_NONE);
  g_assert_cmpint (dray_task_get_encoding (task), ==, DRAY_ENCODING_BYTES);
  g_assert_cmpuint (dray_task_get_max_record_size (task), ==, 1024 * 1024);
  g_assert_cmpuint (dray_task_get_max_output_size (task), ==, 64 * 1024 * 1024);
}

static void
test_commands_only (void)
{
  g_test_summary ("What only a command has can't be set on a call.");

  g_autoptr (DrayTask) task = dray_task_new_call ("function", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (setters); i++)
    {
      if (setters[i].commands_only)
        expect_critical ("*DRAY_TASK_COMMAND*");
      setters[i].try (task);
      g_test_assert_expected_messages ();
    }
}

static void
test_misuse (void)
{
  g_test_summary ("A call needs a function and a command a program; limits of 0 and values that "
                  "are none are refused.");

  g_autoptr (DrayTask) task = new_command ();

  expect_critical ("*function_name*");
  g_assert_null (dray_task_new_call (NULL, NULL));
  expect_critical ("*function_name*");
  g_assert_null (dray_task_new_call ("", NULL));
  expect_critical ("*function_name*");
  g_assert_null (dray_task_new_call ("\xff", NULL));
  expect_critical ("*argv*");
  g_assert_null (dray_task_new_command (NULL));
  expect_critical ("*argv*");
  g_assert_null (dray_task_new_command ((const char *const[]) { NULL }));
  expect_critical ("*argv*");
  g_assert_null (dray_task_new_command ((const char *const[]) { "", NULL }));
  expect_critical ("*bytes > 0*");
  dray_task_set_max_record_size (task, 0);
  expect_critical ("*bytes > 0*");
  dray_task_set_max_output_size (task, 0);
  expect_critical ("*split*");
  dray_task_set_split (task, 99);
  expect_critical ("*encoding*");
  dray_task_set_encoding (task, 99);
  expect_critical ("*mode*");
  dray_task_set_cancel_mode (task, 99);
  expect_critical ("*fd >= 0*");
  g_assert_false (dray_task_set_input_fd (task, -1, NULL));
  expect_critical ("*utf8*");
  dray_task_set_label (task, "\xff");
  expect_critical ("*utf8*");
  dray_task_set_key (task, "\xff");
  g_test_assert_expected_messages ();
}

static gpointer
hold_and_drop_cb (gpointer data)
{
  for (guint i = 0; i < 20000; i++)
    dray_task_unref (dray_task_ref (data));
  dray_task_unref (data);
  return NULL;
}

static void
test_references (void)
{
  g_test_summary ("References are counted right from several threads, and by the boxed type.");

  DrayTask *task = dray_task_new_call ("function", NULL);
  GThread *threads[4];
  g_auto (GValue) value = G_VALUE_INIT;

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("test", hold_and_drop_cb, dray_task_ref (task));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);

  g_value_init (&value, DRAY_TYPE_TASK);
  g_value_set_boxed (&value, task);
  dray_task_unref (task);
  g_assert_true (g_value_get_boxed (&value) == task);
  g_assert_cmpstr (dray_task_get_label (task), ==, "function");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/task/call", test_call);
  g_test_add_func ("/task/no-arguments", test_no_arguments);
  g_test_add_func ("/task/arguments-of-the-caller", test_arguments_of_the_caller);
  g_test_add_func ("/task/command", test_command);
  g_test_add_func ("/task/setters", test_setters);
  g_test_add_func ("/task/label", test_label);
  g_test_add_func ("/task/input", test_input);
  g_test_add_func ("/task/bad-descriptor", test_bad_descriptor);
  g_test_add_func ("/task/sealed", test_sealed);
  g_test_add_func ("/task/commands-only", test_commands_only);
  g_test_add_func ("/task/misuse", test_misuse);
  g_test_add_func ("/task/references", test_references);

  return g_test_run ();
}
