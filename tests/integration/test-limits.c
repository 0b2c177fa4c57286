/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What workers may use: that they are told, and what becomes of the task that needs more. */

#define MIB ((guint64) 1024 * 1024)

/* An executor of one worker, of @launcher (taken). */
static void
start (Rig *rig, DrayLauncher *launcher)
{
  rig_start_with (rig, launcher, 1);
}

/* Seconds of the processor take as long as a busy machine likes: only the guard counts. */
static void
wait_long (DrayFuture *future)
{
  g_assert_true (dray_future_wait (future, -1, NULL, NULL));
}

static void
test_values (Rig *rig, gconstpointer data)
{
  g_test_summary ("What is set is what is got; nothing is limited before.");

  g_autoptr (DrayLauncher) launcher = dray_launcher_new_self ();
  guint level = 9;

  for (DrayLimit limit = 0; limit <= DRAY_LIMIT_CORE_SIZE; limit++)
    g_assert_cmpuint (dray_launcher_get_limit (launcher, limit), ==, G_MAXUINT64);
  g_assert_cmpint (dray_launcher_get_niceness (launcher), ==, 0);
  g_assert_cmpint (dray_launcher_get_io_class (launcher, &level), ==, DRAY_IO_CLASS_NONE);
  g_assert_cmpuint (level, ==, 0);

  for (DrayLimit limit = 0; limit <= DRAY_LIMIT_CORE_SIZE; limit++)
    dray_launcher_set_limit (launcher, limit, 100 + limit);
  for (DrayLimit limit = 0; limit <= DRAY_LIMIT_CORE_SIZE; limit++)
    g_assert_cmpuint (dray_launcher_get_limit (launcher, limit), ==, 100 + limit);

  g_object_set (launcher, "niceness", 7, NULL);
  g_assert_cmpint (dray_launcher_get_niceness (launcher), ==, 7);

  dray_launcher_set_io_class (launcher, DRAY_IO_CLASS_BEST_EFFORT, 6);
  g_assert_cmpint (dray_launcher_get_io_class (launcher, &level), ==, DRAY_IO_CLASS_BEST_EFFORT);
  g_assert_cmpuint (level, ==, 6);
  dray_launcher_set_io_class (launcher, DRAY_IO_CLASS_IDLE, 0);
  g_assert_cmpint (dray_launcher_get_io_class (launcher, NULL), ==, DRAY_IO_CLASS_IDLE);
}

static void
test_told (Rig *rig, gconstpointer data)
{
  g_test_summary ("A worker has the limits, the niceness and the class that its launcher says, "
                  "also behind a prefix.");

  static const char *const prefix[] = { "env", NULL };
  const int niceness = MIN (getpriority (PRIO_PROCESS, 0) + 3, 19);
  const guint64 memory = (guint64) 64 * 1024 * 1024 * MIB; /* a sanitizer takes 16 TiB */
  g_autofree char *expected
    = g_strdup_printf ("core 0 files 64 memory %" G_GUINT64_FORMAT " nice %d io %d", memory,
                       niceness, (2 << 13) | 5);

  for (guint i = 0; i < 2; i++)
    {
      DrayLauncher *launcher = rig_new_launcher (NULL);
      g_autoptr (DrayFuture) future = NULL;

      if (i == 1)
        dray_launcher_set_prefix (launcher, prefix);
      dray_launcher_set_limit (launcher, DRAY_LIMIT_CORE_SIZE, 0);
      dray_launcher_set_limit (launcher, DRAY_LIMIT_OPEN_FILES, 64);
      dray_launcher_set_limit (launcher, DRAY_LIMIT_ADDRESS_SPACE, memory);
      dray_launcher_set_niceness (launcher, 3);
      dray_launcher_set_io_class (launcher, DRAY_IO_CLASS_BEST_EFFORT, 5);
      start (rig, launcher);
      future = rig_call (rig, "limits", NULL);

      g_autoptr (GVariant) result = rig_expect_result (future);

      g_assert_cmpstr (g_variant_get_string (result, NULL), ==, expected);
      rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);
    }
}

static void
test_cpu_time (Rig *rig, gconstpointer data)
{
  g_test_summary ("A task that uses more processor time than it may fails and says so; the next "
                  "one has a fresh worker.");

  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) spinning = NULL;
  g_autoptr (DrayFuture) after = NULL;

  dray_launcher_set_limit (launcher, DRAY_LIMIT_CPU_TIME, 1);
  dray_launcher_set_limit (launcher, DRAY_LIMIT_CORE_SIZE, 0);
  start (rig, launcher);
  spinning = rig_call (rig, "burn", "(u)", 60000);
  after = rig_call (rig, "add", "(ii)", 1, 2);
  wait_long (spinning);
  rig_expect_error (spinning, DRAY_ERROR, DRAY_ERROR_LIMIT_EXCEEDED,
                    "“burn” used more than its limit of 1 s of processor time*");
  rig_expect_text (after, "3");
}

static void
test_cpu_time_of_each (Rig *rig, gconstpointer data)
{
  g_test_summary ("Each task has the processor time that was set: one worker may run any number "
                  "that use more together.");

  DrayLauncher *launcher = rig_new_launcher (NULL);
  int pid;

  dray_launcher_set_limit (launcher, DRAY_LIMIT_CPU_TIME, 1);
  start (rig, launcher);
  pid = rig_ask_pid (rig);
  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "burn", "(u)", 500);
      g_autoptr (GVariant) result = NULL;

      wait_long (future);
      result = rig_expect_result (future);
    }
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

static void
test_cpu_time_without_end (Rig *rig, gconstpointer data)
{
  g_test_summary ("A task may be allowed more processor time than can be counted, however much was "
                  "used before it.");

  DrayLauncher *launcher = rig_new_launcher (NULL);
  int pid;

  dray_launcher_set_limit (launcher, DRAY_LIMIT_CPU_TIME, G_MAXUINT64 - 1);
  start (rig, launcher);
  pid = rig_ask_pid (rig);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (DrayFuture) future = rig_call (rig, "burn", "(u)", 1100);

      wait_long (future);
      g_variant_unref (rig_expect_result (future));
    }
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

static void
test_address_space (Rig *rig, gconstpointer data)
{
  g_test_summary ("A task for which the memory of its worker is too little fails and says so; one "
                  "whose worker crashes there is told of the limit.");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_skip ("a sanitizer takes more address space than there is to be limited");
#else
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) large = NULL;
  g_autoptr (DrayFuture) crash = NULL;
  g_autoptr (DrayFuture) small = NULL;

  dray_launcher_set_limit (launcher, DRAY_LIMIT_ADDRESS_SPACE, 512 * MIB);
  dray_launcher_set_limit (launcher, DRAY_LIMIT_CORE_SIZE, 0);
  start (rig, launcher);
  large = rig_call (rig, "bytes", "(u)", (guint) (600 * MIB));
  rig_expect_error (large, DRAY_ERROR, DRAY_ERROR_LIMIT_EXCEEDED,
                    "“bytes” needed more than the 512.0*MiB of memory that its worker may use*"
                    "failed to allocate*");
  crash = rig_call (rig, "raise", "(i)", SIGSEGV);
  rig_expect_error (crash, DRAY_ERROR, DRAY_ERROR_WORKER_DIED,
                    "*was killed by signal 11*it may use no more than 512.0*MiB of memory*");
  small = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_text (small, "3");
#endif
}

static void
test_too_little (Rig *rig, gconstpointer data)
{
  g_test_summary ("A worker that can't start with so little is a failed launch.");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_skip ("a sanitizer takes more address space than there is to be limited");
#else
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) future = NULL;

  dray_launcher_set_limit (launcher, DRAY_LIMIT_ADDRESS_SPACE, 4 * MIB);
  start (rig, launcher);
  future = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_error (future, DRAY_ERROR, DRAY_ERROR_LAUNCH, NULL);
#endif
}

static void
test_open_files (Rig *rig, gconstpointer data)
{
  g_test_summary ("A function that may not open more files is told so, and its error arrives; the "
                  "worker lives on.");

  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  dray_launcher_set_limit (launcher, DRAY_LIMIT_OPEN_FILES, 16);
  start (rig, launcher);
  pid = rig_ask_pid (rig);
  future = rig_call (rig, "open-files", NULL);
  rig_expect_error (future, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES, "Too many open files");
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

/* For this thread and those that it starts. */
static void
give_up_precedence (void)
{
  struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
  const struct rlimit none = { 0 };

  g_assert_cmpint (syscall (SYS_capget, &header, sets), ==, 0);
  sets[CAP_TO_INDEX (CAP_SYS_NICE)].effective &= ~CAP_TO_MASK (CAP_SYS_NICE);
  g_assert_cmpint (syscall (SYS_capset, &header, sets), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NICE, &none), ==, 0);
}

static void
test_precedence (Rig *rig, gconstpointer data)
{
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) refused = NULL;
  g_autoptr (DrayFuture) granted = NULL;

  g_test_summary ("Where the system lets nobody take precedence, a launcher that wants to fails to "
                  "launch, and says so.");

  if (!g_test_subprocess ())
    {
      g_object_unref (launcher);
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }

  give_up_precedence ();
  dray_launcher_set_niceness (launcher, -1);
  start (rig, g_object_ref (launcher));
  refused = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_error (refused, DRAY_ERROR, DRAY_ERROR_LAUNCH,
                    "*Could not start “*” with its limits: Permission denied*");
  rig_shut_down (rig, DRAY_SHUTDOWN_DRAIN);

  dray_launcher_set_niceness (launcher, 0);
  start (rig, launcher);
  granted = rig_call (rig, "add", "(ii)", 1, 2);
  rig_expect_text (granted, "3");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  rig_add ("/limits/values", NULL, test_values);
  rig_add ("/limits/told", NULL, test_told);
  rig_add ("/limits/precedence", NULL, test_precedence);
  rig_add ("/limits/cpu-time", NULL, test_cpu_time);
  rig_add ("/limits/cpu-time/of-each", NULL, test_cpu_time_of_each);
  rig_add ("/limits/cpu-time/without-end", NULL, test_cpu_time_without_end);
  rig_add ("/limits/address-space", NULL, test_address_space);
  rig_add ("/limits/address-space/too-little", NULL, test_too_little);
  rig_add ("/limits/open-files", NULL, test_open_files);

  return g_test_run ();
}
