/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"
#include "scarcity.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Where there is no memory for a large value, in the host or in its worker, the task that has it
 * fails and says so, and nothing else does. Once there is memory again it is done.
 */

/* For a thread's heap, of which the C library reserves 64 MiB at a time, this is too much. */
#define IN_PIECES (100u * 1024 * 1024)
/* For small values, and for all that is mapped in passing. */
#define ROOM (24u * 1024 * 1024)
#define WORKER_ROOM ((guint64) 4 * 1024 * 1024 * 1024)
#define N_SMALL 20

#define NO_MEMORY "not enough memory"

static rlim_t
get_address_space (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/statm", pid);
  g_autofree char *contents = NULL;

  g_assert_true (g_file_get_contents (path, &contents, NULL, NULL));
  return (rlim_t) g_ascii_strtoull (contents, NULL, 10) * (rlim_t) sysconf (_SC_PAGESIZE);
}

typedef struct
{
  pid_t pid;
  rlim_t size;
  guint n_looks; /* since when nothing has changed */
} Settling;

/* Whether all threads of a process sleep, but for that which asks. */
static gboolean
is_asleep (pid_t pid)
{
  g_autofree char *tasks = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) folder = g_dir_open (tasks, 0, NULL);
  const char *name;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename (tasks, name, "status", NULL);
      g_autofree char *status = NULL;

      if (atoi (name) != gettid ()
          && (!g_file_get_contents (path, &status, NULL, NULL)
              || strstr (status, "\nState:\tS") == NULL))
        return FALSE;
    }
  return TRUE;
}

static gboolean
is_settled (gpointer data)
{
  Settling *self = data;
  const rlim_t size = get_address_space (self->pid);

  self->n_looks = is_asleep (self->pid) && size == self->size ? self->n_looks + 1 : 0;
  self->size = size;
  return self->n_looks >= 3;
}

/* A thread that starts maps more than it keeps; and what was freed is unmapped in a moment. */
static rlim_t
get_settled_address_space (pid_t pid)
{
  Settling settling = { .pid = pid };

  workshop_block_until (is_settled, &settling, "the memory of a process does not change");
  return settling.size;
}

/* Its workers have a limit of their own, wherever they are started, and enough memory.
 * (transfer full) */
static DrayExecutor *
new_executor (guint max_workers)
{
  const char *const argv[] = { host_get_worker (), NULL };
  g_autoptr (DrayLauncher) launcher = dray_launcher_new_argv (argv);
  DrayExecutor *executor;

  dray_launcher_set_limit (launcher, DRAY_LIMIT_ADDRESS_SPACE, WORKER_ROOM);
  executor = dray_executor_new (launcher);
  dray_executor_set_max_workers (executor, max_workers);
  return executor;
}

static DrayFuture *
feed_script (DrayExecutor *executor, const char *script, GBytes *input)
{
  const char *const argv[] = { "/bin/sh", "-c", script, NULL };
  g_autoptr (DrayTask) task = dray_task_new_command (argv);

  dray_task_set_input_bytes (task, input);
  return dray_executor_submit (executor, task, NULL);
}

/* That @future (it is taken) fails for want of memory, and those that are before and behind it do
 * not: small ones. */
static void
assert_fails_alone (DrayExecutor *executor,
                    DrayFuture *(*submit) (DrayExecutor *, gpointer),
                    gpointer data)
{
  g_autoptr (GPtrArray) futures = g_ptr_array_new ();
  DrayFuture *large = NULL;

  for (guint i = 0; i < N_SMALL; i++)
    {
      if (i == N_SMALL / 2)
        large = submit (executor, data);
      g_ptr_array_add (futures, dray_executor_call (executor, "add", g_variant_new ("(ii)", i, 1)));
    }

  scarcity_assert_fails (large, DRAY_ERROR_TOO_LARGE, NO_MEMORY);
  for (guint i = 0; i < N_SMALL; i++)
    scarcity_assert_succeeds (futures->pdata[i]);
}

static DrayFuture *
submit_script_cb (DrayExecutor *executor, gpointer script)
{
  return scarcity_run_script (executor, script);
}

static DrayFuture *
submit_bytes_cb (DrayExecutor *executor, gpointer size)
{
  return scarcity_call_bytes (executor, GPOINTER_TO_UINT (size));
}

static DrayFuture *
submit_items_cb (DrayExecutor *executor, gpointer size)
{
  return dray_executor_call (executor, "stream",
                             g_variant_new ("(uu)", 3, GPOINTER_TO_UINT (size)));
}

static DrayFuture *
submit_sum_cb (DrayExecutor *executor, gpointer arguments)
{
  return scarcity_call_sum (executor, arguments);
}

static void
run_results (void)
{
  g_autofree char *script = g_strdup_printf ("head -c %u /dev/zero", SCARCITY_LARGE);
  DrayExecutor *executor = new_executor (1);
  struct rlimit before;

  scarcity_assert_succeeds (scarcity_run_script (executor, "exit 0"));
  scarcity_assert_succeeds (scarcity_call_bytes (executor, 1));
  g_assert_cmpint (getrlimit (RLIMIT_AS, &before), ==, 0);

  scarcity_set_limit (RLIMIT_AS, get_settled_address_space (getpid ()) + ROOM);
  for (guint i = 0; i < 2; i++)
    {
      assert_fails_alone (executor, submit_bytes_cb, GUINT_TO_POINTER (SCARCITY_SHARED));
      assert_fails_alone (executor, submit_items_cb, GUINT_TO_POINTER (SCARCITY_SHARED));
      assert_fails_alone (executor, submit_script_cb, script);
      assert_fails_alone (executor, submit_bytes_cb, GUINT_TO_POINTER (SCARCITY_LARGE));
      assert_fails_alone (executor, submit_items_cb, GUINT_TO_POINTER (SCARCITY_LARGE));
      scarcity_assert_succeeds (scarcity_run_script (executor, "exit 0"));
    }

  scarcity_set_limit (RLIMIT_AS, before.rlim_cur);
  scarcity_assert_succeeds (scarcity_run_script (executor, script));
  scarcity_assert_fails (dray_executor_call (executor, "exit", g_variant_new ("(i)", 0)),
                         DRAY_ERROR_WORKER_DIED, NULL);
  scarcity_assert_succeeds (scarcity_call_bytes (executor, SCARCITY_LARGE));
  scarcity_assert_succeeds (scarcity_call_bytes (executor, SCARCITY_SHARED));
  host_finish (executor);
}

static void
run_arguments (void)
{
  static const gsize sizes[] = { IN_PIECES, SCARCITY_SHARED };
  DrayExecutor *executor = new_executor (2);
  g_autoptr (DrayCounters) counters = NULL;

  scarcity_assert_succeeds (scarcity_run_script (executor, "exit 0"));
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GVariant) pieces = scarcity_new_arguments (sizes[i], TRUE);
      g_autoptr (GVariant) whole = scarcity_new_arguments (sizes[i], FALSE);
      g_autoptr (GBytes) input = g_variant_get_data_as_bytes (whole);
      struct rlimit before;

      scarcity_assert_succeeds (scarcity_call_bytes (executor, 1));
      g_assert_cmpint (getrlimit (RLIMIT_AS, &before), ==, 0);

      scarcity_set_limit (RLIMIT_AS, get_settled_address_space (getpid ()) + ROOM);
      assert_fails_alone (executor, submit_sum_cb, pieces);
      /* What is there already is not copied, whatever becomes of it. */
      scarcity_assert_succeeds (scarcity_call_sum (executor, whole));
      scarcity_assert_succeeds (feed_script (executor, "cat > /dev/null", input));
      assert_fails_alone (executor, submit_sum_cb, pieces);

      scarcity_set_limit (RLIMIT_AS, before.rlim_cur);
      scarcity_assert_succeeds (scarcity_call_sum (executor, pieces));
    }
  counters = dray_executor_dup_counters (executor);
  g_assert_cmpuint (counters->workers_died, ==, 0);
  host_finish (executor);
}

/* Leaves the process @pid no more than some memory. @before: (out) */
static void
limit_memory_of (pid_t pid, struct rlimit *before)
{
  struct rlimit limit;

  g_assert_cmpint (prlimit (pid, RLIMIT_AS, NULL, before), ==, 0);
  limit = *before;
  limit.rlim_cur = get_settled_address_space (pid) + ROOM;
  g_assert_cmpint (prlimit (pid, RLIMIT_AS, &limit, NULL), ==, 0);
}

typedef struct
{
  DrayExecutor *executor;
  guint64 bytes_out; /* before */
} Sent;

static guint64
count_bytes_out (DrayExecutor *executor)
{
  g_autoptr (DrayCounters) counters = dray_executor_dup_counters (executor);

  return counters->bytes_out;
}

static gboolean
is_sent (gpointer data)
{
  const Sent *sent = data;

  return count_bytes_out (sent->executor) >= sent->bytes_out + SCARCITY_LARGE;
}

static void
run_worker (void)
{
  g_autoptr (GVariant) large = scarcity_new_arguments (SCARCITY_LARGE, FALSE);
  g_autoptr (GVariant) shared = scarcity_new_arguments (SCARCITY_SHARED, FALSE);
  DrayExecutor *executor = new_executor (1);
  const pid_t pid = scarcity_ask_pid (executor);
  DrayFuture *stream, *behind;
  struct rlimit before;
  Sent sent = { .executor = executor };

  limit_memory_of (pid, &before);
  for (guint i = 0; i < 2; i++)
    {
      assert_fails_alone (executor, submit_sum_cb, large);
      assert_fails_alone (executor, submit_sum_cb, shared);
    }

  /* It comes in while another call runs, which can't end before it is taken. */
  sent.bytes_out = count_bytes_out (executor);
  stream = dray_executor_call (executor, "stream", g_variant_new ("(uu)", 3000, 10000));
  behind = scarcity_call_sum (executor, large);
  workshop_block_until (fixture_has_given_out_all, executor, "the call behind is given to the worker");
  g_object_set (executor, "max-undelivered-bytes", (guint64) 1, NULL);
  workshop_block_until (is_sent, &sent, "the arguments are sent");
  scarcity_assert_succeeds (stream);
  scarcity_assert_fails (behind, DRAY_ERROR_TOO_LARGE, NO_MEMORY);

  g_assert_cmpint (prlimit (pid, RLIMIT_AS, &before, NULL), ==, 0);
  scarcity_assert_succeeds (scarcity_call_sum (executor, large));
  scarcity_assert_succeeds (scarcity_call_sum (executor, shared));
  g_assert_cmpint (scarcity_ask_pid (executor), ==, pid);
  host_finish (executor);
}
/* The tests */

static const HostPart parts[] = {
  { "results", run_results },
  { "arguments", run_arguments },
  { "worker", run_worker },
};

static void
test_part (Fixture *fixture, gconstpointer data)
{
  g_test_summary ("What there is no memory for fails, and nothing else does.");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_skip ("a sanitizer takes more address space than there is to be limited");
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

  workshop_add ("/out-of-memory/results", "results", test_part);
  workshop_add ("/out-of-memory/arguments", "arguments", test_part);
  workshop_add ("/out-of-memory/worker", "worker", test_part);

  return g_test_run ();
}
