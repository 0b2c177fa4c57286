/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"
#include "payload-rig.h"
#include "refusal.h"
#include "sandbox-rig.h"
#include "scarcity.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 * Hosts to which the kernel refuses something, and to all that they start: what can be done without
 * is, and what can't says why.
 */

#define N_SMALL 20

/* Has every call of the system call @number fail with EPERM, or, if @second is not 0, those with
 * that second argument; here and in all that is started from here. */
static void
refuse (int number, unsigned int second)
{
  struct sock_filter filter[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, (unsigned int) number, 0, 3),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, args[1])),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, second, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = { .len = G_N_ELEMENTS (filter), .filter = filter };

  /* Whatever the argument is. */
  if (second == 0)
    filter[3].jf = 0;

  g_assert_cmpint (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
  g_assert_cmpint (prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

/* Takes @future. (transfer full) */
static GVariant *
take_result (DrayFuture *future)
{
  g_autoptr (GError) error = NULL;
  GVariant *result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_no_error (error);
  g_object_unref (future);
  return result;
}

/* A value of @size bytes both ways, which is what it was. @shared: whether the worker has memory to
 * share for it */
static void
assert_passes (DrayExecutor *executor, gsize size, gboolean shared)
{
  g_autoptr (GVariant) bytes = take_result (scarcity_call_bytes (executor, (guint32) size));
  g_autoptr (GVariant) arguments = g_variant_ref_sink (g_variant_new ("(@ay)", bytes));
  g_autoptr (GVariant) echo = NULL;

  workshop_assert_bytes (bytes, size);
  g_assert_true (payload_is_shared (bytes) == shared);
  echo = take_result (dray_executor_call (executor, "echo", arguments));
  g_assert_true (g_variant_equal (echo, arguments));
  g_assert_true (payload_is_shared (echo) == shared);
}

/* Many at once, of all kinds. */
static void
assert_works_under_load (DrayExecutor *executor)
{
  const guint32 large = 3 * 1024 * 1024;
  g_autofree char *script = g_strdup_printf ("head -c %u /dev/zero", large);
  g_autoptr (GPtrArray) results = g_ptr_array_new ();
  g_autoptr (GPtrArray) scripts = g_ptr_array_new ();
  g_autoptr (GPtrArray) streams = g_ptr_array_new ();

  for (guint i = 0; i < N_SMALL; i++)
    {
      g_ptr_array_add (results, scarcity_call_bytes (executor, i % 4 == 0 ? large : i));
      g_ptr_array_add (streams, workshop_watch (dray_executor_call (
                                  executor, "stream", g_variant_new ("(uu)", 10, large / 10))));
      if (i % 4 == 0)
        g_ptr_array_add (scripts, scarcity_run_script (executor, script));
    }

  for (guint i = 0; i < N_SMALL; i++)
    {
      g_autoptr (GVariant) result = take_result (results->pdata[i]);

      workshop_assert_bytes (result, i % 4 == 0 ? large : i);
    }
  for (guint i = 0; i < scripts->len; i++)
    {
      g_autoptr (GVariant) output = take_result (scripts->pdata[i]);

      g_assert_cmpuint (g_variant_get_size (output), ==, large);
    }
  for (guint i = 0; i < N_SMALL; i++)
    {
      g_autoptr (WorkshopRecord) stream = streams->pdata[i];

      workshop_iterate_until_told (stream);
      workshop_assert_succeeded (stream);
      g_assert_cmpuint (stream->n_items, ==, 10);
      g_assert_cmpuint (stream->n_bytes, ==, large / 10 * 10);
    }
}

/* That all works without what was refused, with small and with large values both ways. @shared:
 * that is still there, and used */
static void
assert_works (gboolean shared)
{
  for (guint trusted = 0; trusted < 2; trusted++)
    {
      const char *const argv[] = { host_get_worker (), NULL };
      g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
      DrayExecutor *executor;

      dray_launcher_set_trusted (launcher, trusted);
      executor = dray_executor_new (launcher);
      dray_executor_set_max_workers (executor, 2);
      host_assert_calls (executor);
      host_assert_commands (executor);
      assert_passes (executor, 1000, FALSE);
      assert_passes (executor, 3 * 1024 * 1024, shared && trusted);
      assert_passes (executor, SCARCITY_SHARED, shared);
      assert_works_under_load (executor);
      host_finish (executor);
    }
}

static void
refuse_memfd (void)
{
  refuse (SYS_memfd_create, 0);
  g_assert_cmpint (syscall (SYS_memfd_create, "test", 0), ==, -1);
}

static void
refuse_larger_pipes (void)
{
  int fds[2];

  refuse (SYS_fcntl, F_SETPIPE_SZ);
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  g_assert_cmpint (fcntl (fds[0], F_SETPIPE_SZ, 1024 * 1024), ==, -1);
  close (fds[0]);
  close (fds[1]);
}

/* That a worker which says that it uses the memory that there is not is not started. */
static void
assert_no_ring (void)
{
  const char *const argv[] = { host_get_worker (), "--lie-in-hello-pid", NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  DrayExecutor *executor = dray_executor_new (launcher);

  scarcity_assert_fails (dray_executor_call (executor, "null", NULL), DRAY_ERROR_LAUNCH,
                         "a message “ready” out of turn");
  host_finish (executor);
}

static void
run_no_memfd (void)
{
  refuse_memfd ();
  assert_works (FALSE);
  assert_no_ring ();
}

/* Memory that may be written and changed is none that anybody could be given. */
static void
run_no_seals (void)
{
  const int fd = memfd_create ("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  refuse (SYS_fcntl, F_ADD_SEALS);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, F_SEAL_SEAL), ==, -1);
  close (fd);
  assert_works (FALSE);
}

static void
run_small_pipes (void)
{
  refuse_larger_pipes ();
  assert_works (TRUE);
}

/* All that comes from a worker has to go through such a pipe then. */
static void
run_small_pipes_only (void)
{
  refuse_memfd ();
  refuse_larger_pipes ();
  assert_works (FALSE);
}
/* Sandboxes */

/* (transfer full) */
static DrayLauncher *
new_confined_launcher (DraySandboxNeed need)
{
  const char *const argv[] = { host_get_worker (), NULL };
  DrayLauncher *launcher = dray_launcher_new_argv (argv);

  /* Nobody looks for leaks from inside: that takes a process that traces this one. */
  dray_launcher_setenv (launcher, "LSAN_OPTIONS", "detect_leaks=0");
  dray_launcher_set_sandbox (launcher, DRAY_SANDBOX_STRICT);
  dray_launcher_set_sandbox_need (launcher, need);
  return launcher;
}

/* (transfer full) */
static DrayExecutor *
new_confined_executor (DraySandboxNeed need)
{
  g_autoptr (DrayLauncher) launcher = new_confined_launcher (need);

  return dray_executor_new (launcher);
}

/* What says each of @reasons where it is required, and does without where it is not. */
static void
assert_no_sandbox (const char *const *reasons)
{
  DrayExecutor *required = new_confined_executor (DRAY_SANDBOX_REQUIRED);
  DrayExecutor *preferred = new_confined_executor (DRAY_SANDBOX_PREFERRED);
  g_autofree char *shortfall = NULL;

  scarcity_assert_succeeds (dray_executor_call (preferred, "add", g_variant_new ("(ii)", 1, 2)));
  shortfall = dray_executor_dup_sandbox_shortfall (preferred);
  for (; *reasons != NULL; reasons++)
    {
      scarcity_assert_fails (dray_executor_call (required, "add", g_variant_new ("(ii)", 1, 2)),
                             DRAY_ERROR_SANDBOX, *reasons);
      if (strstr (shortfall, *reasons) == NULL)
        g_error ("“%s” does not say “%s”", shortfall, *reasons);
    }

  g_assert_true (dray_executor_shutdown_sync (required, DRAY_SHUTDOWN_DRAIN, NULL, NULL));
  g_object_unref (required);
  host_finish (preferred);
}

/* As a kernel does that was built without them. */
static void
run_no_layers (void)
{
  const Refusal refusals[] = {
    REFUSE (landlock_create_ruleset, ENOSYS),
    REFUSE (seccomp, ENOSYS),
    { .call = SYS_prctl, .error = EINVAL, .condition = REFUSE_IF_EQUAL, .value = PR_SET_SECCOMP },
    { 0 },
  };
  const char *const reasons[] = {
    "access to files could not be limited: Function not implemented",
#ifdef HAVE_LIBSECCOMP
    "; system calls could not be filtered: ",
#else
    "; this copy of Dray was built without a filter of system calls",
#endif
    NULL,
  };

  g_assert_true (refusal_install (refusals));
  assert_no_sandbox (reasons);
}

/* Of which the sandbox needs a pair before it is begun. */
static void
run_no_sockets (void)
{
  const Refusal refusals[] = { REFUSE (socketpair, EMFILE), { 0 } };
  const char *const reasons[] = {
    "namespaces could not be set up: " SCARCITY_NO_FILES,
    NULL,
  };

  g_assert_true (refusal_install (refusals));
  assert_no_sandbox (reasons);
}

/* The filter of system calls is all that there is then. */
static void
refuse_all_but_filter (void)
{
  const Refusal refusals[] = {
    REFUSE (landlock_create_ruleset, ENOSYS),
    REFUSE (socketpair, EMFILE),
    { 0 },
  };

  g_assert_true (refusal_install (refusals));
}

/* Whether the way is open that misbehaving-escape.c has for @way. */
static gboolean
gets_out (DrayExecutor *executor, const char *way, const char *argument)
{
  g_autoptr (DrayFuture) future
    = dray_executor_call (executor, "escape", g_variant_new ("(ss)", way, argument));
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) result = dray_future_wait_result (future, -1, NULL, &error);

  g_assert_no_error (error);
  return g_variant_get_uint32 (result) == 0;
}

/* A worker gives itself time for each task, which it has to be allowed. */
static void
run_filter_only_limits (void)
{
  g_autoptr (DrayLauncher) launcher = new_confined_launcher (DRAY_SANDBOX_PREFERRED);
  DrayExecutor *executor;
  pid_t pid;

  refuse_all_but_filter ();
  dray_launcher_set_limit (launcher, DRAY_LIMIT_CPU_TIME, 1);
  executor = dray_executor_new (launcher);
  pid = scarcity_ask_pid (executor);
  for (int i = 0; i < 4; i++)
    scarcity_assert_succeeds (dray_executor_call (executor, "burn", g_variant_new ("(u)", 500)));
  g_assert_cmpint (scarcity_ask_pid (executor), ==, pid);
  host_finish (executor);
}

/* Old versions of Landlock see to files that are opened for writing, and to no others. */
static void
run_filter_only_files (void)
{
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  DrayExecutor *executor;

  close (g_file_open_tmp (NULL, &path, &error));
  g_assert_no_error (error);
  refuse_all_but_filter ();
  executor = new_confined_executor (DRAY_SANDBOX_PREFERRED);
  g_assert_true (gets_out (executor, "read", "/etc/passwd"));
  g_assert_true (gets_out (executor, "write", g_get_tmp_dir ()));
  g_assert_false (gets_out (executor, "shorten", path));
  g_assert_false (gets_out (executor, "empty", path));
  g_unlink (path);
  host_finish (executor);
}

/* The tests */

static const HostPart parts[] = {
  { "memfd", run_no_memfd },      { "seals", run_no_seals },
  { "pipes", run_small_pipes },   { "pipes-and-memfd", run_small_pipes_only },
  { "no-layers", run_no_layers }, { "no-sockets", run_no_sockets },
  { "filter-only-limits", run_filter_only_limits },
  { "filter-only-files", run_filter_only_files },
};

static void
test_part (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("What is refused is done without, with the same values.");

  host_run_to_end (data);
}

static void
test_sandbox (Fixture *fixture, gconstpointer data)
{
  g_test_summary (
    "What a sandbox lacks is told, each in its own words, and is done without where it "
    "may be.");

#ifdef __SANITIZE_THREAD__
  g_test_skip ("ThreadSanitizer finds nothing of what it needs in a sandbox");
#else
  host_run_to_end (data);
#endif
}

int
main (int argc, char **argv)
{
  if (host_is_wanted (argc, argv))
    return host_run (argv, parts, G_N_ELEMENTS (parts));

  g_test_init (&argc, &argv, NULL);

  workshop_add ("/refused/memfd", "memfd", test_part);
  workshop_add ("/refused/seals", "seals", test_part);
  workshop_add ("/refused/pipes", "pipes", test_part);
  workshop_add ("/refused/pipes-and-memfd", "pipes-and-memfd", test_part);
  workshop_add ("/refused/sandbox/no-layers", "no-layers", test_sandbox);
  workshop_add ("/refused/sandbox/no-sockets", "no-sockets", test_sandbox);
  workshop_add ("/refused/sandbox/filter-only/limits", "filter-only-limits", test_sandbox);
  if (sandbox_rig_has_filter ())
    workshop_add ("/refused/sandbox/filter-only/files", "filter-only-files", test_sandbox);

  return g_test_run ();
}
