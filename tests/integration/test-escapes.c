/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "sandbox-rig.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Ways out of each sandbox, which must be closed, and ways that must be left open. Each way is
 * tried without a sandbox first: where the system has closed it already, nothing could be shown.
 * If it is one of those that matter most, the test counts as skipped, once all others are tried. */

/* What a worker without a sandbox can get at, in this process's neighbourhood. */
typedef struct
{
  Rig rig; /* first */

  GSubprocess *victim; /* (owned) */
  char *pid;           /* (owned): its number */
  GSocket *sockets[4]; /* (owned): they listen */
  char *names[4];      /* (owned): what they are called */
} Scene;

enum
{
  INTERNET,
  UNIX,
  ABSTRACT,
  DATAGRAM,
};

static GSocketAddress *
new_address (Scene *scene, int i)
{
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autofree char *abstract = NULL;

  switch (i)
    {
    case INTERNET:
      return g_inet_socket_address_new (loopback, 0);
    case ABSTRACT:
      abstract = g_strdup_printf ("dray-test-%d", (int) getpid ());
      scene->names[i] = g_strconcat ("@", abstract, NULL);
      return g_unix_socket_address_new_with_type (abstract, -1, G_UNIX_SOCKET_ADDRESS_ABSTRACT);
    default:
      scene->names[i] = rig_dup_path (&scene->rig, i == UNIX ? "stream" : "datagram");
      return g_unix_socket_address_new (scene->names[i]);
    }
}

static void
open_socket (Scene *scene, int i)
{
  g_autoptr (GSocketAddress) address = new_address (scene, i);
  g_autoptr (GError) error = NULL;

  scene->sockets[i] = g_socket_new (g_socket_address_get_family (address),
                                    i == DATAGRAM ? G_SOCKET_TYPE_DATAGRAM : G_SOCKET_TYPE_STREAM,
                                    G_SOCKET_PROTOCOL_DEFAULT, &error);
  g_assert_no_error (error);
  g_socket_bind (scene->sockets[i], address, TRUE, &error);
  g_assert_no_error (error);
  if (i != DATAGRAM)
    g_assert_true (g_socket_listen (scene->sockets[i], NULL));
  if (i == INTERNET)
    {
      g_autoptr (GSocketAddress) bound = g_socket_get_local_address (scene->sockets[i], NULL);

      scene->names[i] = g_strdup_printf (
        "%u", g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound)));
    }
}

static void
set_up (Scene *scene, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  rig_set_up (&scene->rig, data);
  scene->victim = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE
                                      | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                                    &error, "sleep", "300", NULL);
  g_assert_no_error (error);
  scene->pid = g_strdup (g_subprocess_get_identifier (scene->victim));
  for (int i = 0; i < 4; i++)
    open_socket (scene, i);
}

static void
tear_down (Scene *scene, gconstpointer data)
{
  g_subprocess_force_exit (scene->victim);
  g_assert_true (g_subprocess_wait (scene->victim, NULL, NULL));
  g_clear_object (&scene->victim);
  g_free (scene->pid);
  for (int i = 0; i < 4; i++)
    {
      g_clear_object (&scene->sockets[i]);
      g_free (scene->names[i]);
    }
  rig_tear_down (&scene->rig, data);
}

/* Where the letters stand for what is tried: the application, another process of the user's, a
 * socket, the home, a folder of the test's. What PARENT stands for the worker knows: the first
 * process of its namespaces, or the application where there are none. */
static char *
expand (Scene *scene, const char *argument)
{
  if (g_str_equal (argument, "HOST"))
    return g_strdup_printf ("%d", (int) getpid ());
  if (g_str_equal (argument, "VICTIM"))
    return g_strdup (scene->pid);
  if (g_str_equal (argument, "INTERNET"))
    return g_strdup (scene->names[INTERNET]);
  if (g_str_equal (argument, "UNIX"))
    return g_strdup (scene->names[UNIX]);
  if (g_str_equal (argument, "ABSTRACT"))
    return g_strdup (scene->names[ABSTRACT]);
  if (g_str_equal (argument, "DATAGRAM"))
    return g_strdup (scene->names[DATAGRAM]);
  if (g_str_equal (argument, "FOLDER"))
    return g_strdup (scene->rig.directory);
  if (g_str_has_prefix (argument, "HOME"))
    return g_strconcat (sandbox_rig_get_home (), argument + strlen ("HOME"), NULL);
  return g_strdup (argument);
}

/* The columns: in which sandboxes it is open, from "none" to "strict"; y, n, or - for what does not
 * matter. Then the same without namespaces, where those can't be had. And whether it is one of
 * those that have to be open without a sandbox, for the test to count. */
static const struct
{
  const char *way;
  const char *argument;
  const char *open;
  const char *open_bare;
  gboolean matters;
} vectors[] = {
  { "read", "/etc/passwd", "yyyy", "yyyy", FALSE },
  { "read", "/etc/shadow", "yynn", "yynn", TRUE },
  { "read", "HOME/letter", "yynn", "yynn", TRUE },
  { "shorten", "HOME/letter", "yynn", "yynn", TRUE },
  { "empty", "HOME/nothing", "yynn", "yynn", TRUE },
  { "empty-closed", "HOME/nothing", "yynn", "yynn", TRUE },
  { "empty-newest", "HOME/nothing", "yynn", "yynn", FALSE },
  { "list", "HOME", "yynn", "yynn", FALSE },
  { "list", "/usr", "yyyy", "yyyy", FALSE },
  { "list", "/var", "yy-n", "yy-n", FALSE },
  { "write", "HOME", "yynn", "yynn", TRUE },
  { "write", "FOLDER", "yynn", "yynn", FALSE },
  { "write", "/usr", "yynn", "yynn", FALSE },
  { "write", "/etc", "yynn", "yynn", FALSE },
  { "write", "/dev/shm", "yyyy", "yynn", FALSE },
  { "write", "/tmp", "yyyy", "yynn", FALSE },
  { "internet", "INTERNET", "ynnn", "ynnn", TRUE },
  { "abstract", "ABSTRACT", "ynnn", "y-nn", FALSE },
  { "unix", "UNIX", "yynn", "yynn", FALSE },
  { "datagram", "DATAGRAM", "yynn", "yynn", FALSE },
  { "socket", "unix", "yyyn", "yyyn", TRUE },
  { "socket", "internet", "yynn", "ynnn", FALSE },
  { "socket", "netlink", "yynn", "ynnn", FALSE },
  { "socket", "vsock", "ynnn", "ynnn", FALSE },
  { "ptrace", "VICTIM", "ynnn", "y-nn", TRUE },
  { "ptrace", "HOST", "ynnn", "y-nn", TRUE },
  { "kill", "VICTIM", "ynnn", "y-nn", TRUE },
  { "limit", "VICTIM", "ynnn", "y-nn", TRUE },
  { "environ", "VICTIM", "ynnn", "y-nn", FALSE },
  { "memory", "VICTIM", "ynnn", "y-nn", FALSE },
  { "memory-file", "VICTIM", "ynnn", "y-nn", FALSE },
  { "kill", "HOST", "ynnn", "y-nn", TRUE },
  { "limit", "HOST", "ynnn", "y-nn", TRUE },
  { "own-limit", "", "yyyy", "yyyy", FALSE },
  { "environ", "HOST", "ynnn", "y-nn", FALSE },
  { "memory", "HOST", "ynnn", "y-nn", FALSE },
  { "memory-file", "HOST", "ynnn", "y-nn", FALSE },
  { "ptrace", "PARENT", "ynnn", "y-nn", TRUE },
  { "kill", "PARENT", "y---", "y-nn", TRUE }, /* see test_first_process() */
  { "environ", "PARENT", "ynnn", "y-nn", FALSE },
  { "memory", "PARENT", "ynnn", "y-nn", FALSE },
  { "memory-file", "PARENT", "ynnn", "y-nn", TRUE },
  { "fork", "", "yyyn", "yyyn", FALSE },
  { "shell", "", "yyyn", "yyyn", TRUE },
  { "mount", "", "y-nn", "y-nn", FALSE },
  { "personality", "", "yynn", "yynn", FALSE },
  { "io-uring", "", "ynnn", "ynnn", FALSE },
  { "keys", "", "yynn", "yynn", FALSE },
  { "queue", "", "yyyy", "yynn", TRUE },
};

/* Tries all ways, and notes an errno for each. */
static void
try_all (Scene *scene, DraySandbox sandbox, DraySandboxNeed need, guint32 *outcomes)
{
  DrayLauncher *launcher = sandbox_rig_new_launcher (sandbox);

  dray_launcher_set_sandbox_need (launcher, need);
  rig_start_with (&scene->rig, launcher, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autofree char *argument = expand (scene, vectors[i].argument);

      outcomes[i] = sandbox_rig_escape (&scene->rig, vectors[i].way, argument);
    }
  rig_shut_down (&scene->rig, DRAY_SHUTDOWN_DRAIN);
}

static void
compare (DraySandbox sandbox, gboolean bare, const guint32 *without, const guint32 *within)
{
  g_autoptr (GString) closed = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      const char expected = (bare ? vectors[i].open_bare : vectors[i].open)[sandbox];

      if (without[i] != 0 && vectors[i].matters)
        g_string_append_printf (closed, "; %s %s: %s", vectors[i].way, vectors[i].argument,
                                g_strerror ((int) without[i]));
      else if (without[i] != 0)
        g_test_message ("%s %s is closed anyway: %s", vectors[i].way, vectors[i].argument,
                        g_strerror ((int) without[i]));
      else if (expected == 'y' ? within[i] != 0 : expected == 'n' && within[i] == 0)
        g_error ("%s%s: %s %s: %s", sandbox_rig_names[sandbox], bare ? ", bare" : "",
                 vectors[i].way, vectors[i].argument, g_strerror ((int) within[i]));
    }

  if (closed->len > 0)
    {
      g_string_prepend (closed, "All but this was shown, which is closed here anyway");
      g_test_skip (closed->str);
    }
}

static void
show_ways (Scene *scene, DraySandbox sandbox, gboolean bare)
{
  guint32 without[G_N_ELEMENTS (vectors)], within[G_N_ELEMENTS (vectors)];

  try_all (scene, DRAY_SANDBOX_NONE, DRAY_SANDBOX_REQUIRED, without);
  if (bare)
    sandbox_rig_replace_bubblewrap (&scene->rig, "");
  try_all (scene, sandbox, bare ? DRAY_SANDBOX_PREFERRED : DRAY_SANDBOX_REQUIRED, within);
  if (bare)
    sandbox_rig_replace_bubblewrap (&scene->rig, NULL);
  compare (sandbox, bare, without, within);
}

static void
test_ways (Scene *scene, gconstpointer data)
{
  g_test_summary ("A worker in a sandbox can do what that is for, and no more.");

  if (sandbox_rig_is_possible ())
    show_ways (scene, GPOINTER_TO_INT (data), FALSE);
}

static void
test_ways_without_namespaces (Scene *scene, gconstpointer data)
{
  g_test_summary ("Where there are no namespaces, what else there is closes the same ways, but for "
                  "those between processes that the weakest sandbox needs namespaces for.");

  if (sandbox_rig_is_possible ())
    show_ways (scene, GPOINTER_TO_INT (data), TRUE);
}

static void
test_ways_on_older_kernel (Scene *scene, gconstpointer data)
{
  g_test_summary ("Where Landlock does not know all that has to be closed, seccomp closes it, with "
                  "namespaces and without.");

  if (!sandbox_rig_is_possible ())
    return;

  sandbox_rig_use_older_kernel (TRUE);
  show_ways (scene, GPOINTER_TO_INT (data), FALSE);
  show_ways (scene, GPOINTER_TO_INT (data), TRUE);
  sandbox_rig_use_older_kernel (FALSE);
}

static void
test_first_process (Scene *scene, gconstpointer data)
{
  static const int signals[] = { SIGHUP,  SIGINT,  SIGKILL, SIGUSR1, SIGSEGV, SIGPIPE, SIGALRM,
                                 SIGTERM, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGXCPU };

  g_test_summary ("Whatever signals a worker sends to the first process of its namespaces, which "
                  "some may do: nothing comes of them.");

  if (!sandbox_rig_is_possible ())
    return;

  for (int i = DRAY_SANDBOX_NO_NETWORK; i <= DRAY_SANDBOX_STRICT; i++)
    for (int older = 0; older < 2; older++)
      {
        guint n_sent = 0;

        sandbox_rig_use_older_kernel (older);
        sandbox_rig_start (&scene->rig, (DraySandbox) i, 1);
        for (gsize j = 0; j < G_N_ELEMENTS (signals); j++)
          {
            g_autofree char *number = g_strdup_printf ("%d", signals[j]);

            if (sandbox_rig_escape (&scene->rig, "signal-parent", number) == 0)
              n_sent++;
          }
        rig_let_time_pass ();
        rig_ask_pid (&scene->rig);
        g_test_message ("%s%s: %u signals were sent", sandbox_rig_names[i], older ? ", older" : "",
                        n_sent);
        g_assert_cmpuint (rig_get_count (&scene->rig, workers_started), ==, 1);
        rig_shut_down (&scene->rig, DRAY_SHUTDOWN_DRAIN);
      }
  sandbox_rig_use_older_kernel (FALSE);
}

/* What kills the worker if it succeeds. */
static void
test_execute (Scene *scene, gconstpointer data)
{
  static const struct
  {
    const char *way;
    const char *path;
  } programs[] = {
    { "execute", "/bin/true" },
    { "execute", "/lib64/ld-linux-x86-64.so.2" },
    { "execute", "/proc/self/exe" },
    { "execute-memory", "/bin/true" },
    { "execute-listened", "/bin/true" },
    { "execute-listened", "/lib64/ld-linux-x86-64.so.2" },
  };

  g_test_summary ("In a strict sandbox no other program is executed: by no name, not by way of the "
                  "dynamic linker, not from memory, not the worker's own again; also not where the "
                  "worker is the one to be asked.");

  if (!sandbox_rig_is_possible ())
    return;

  for (gsize i = 0; i < G_N_ELEMENTS (programs); i++)
    {
      g_autoptr (DrayFuture) replaced = NULL;

      if (!g_file_test (programs[i].path, G_FILE_TEST_EXISTS))
        continue;
      sandbox_rig_start (&scene->rig, DRAY_SANDBOX_NONE, 1);
      replaced = rig_call (&scene->rig, "escape", "(ss)", programs[i].way, programs[i].path);
      rig_expect_error (replaced, DRAY_ERROR, DRAY_ERROR_WORKER_DIED, NULL);
      g_clear_object (&scene->rig.executor);

      sandbox_rig_start (&scene->rig, DRAY_SANDBOX_STRICT, 1);
      g_assert_cmpuint (sandbox_rig_escape (&scene->rig, programs[i].way, programs[i].path), !=, 0);
      g_clear_object (&scene->rig.executor);
    }
}

/* What can be done to a file that is passed for reading, as above. Those that are open without a
 * sandbox everywhere matter. */
static const struct
{
  const char *way;
  const char *open;
  gboolean matters;
} passed_vectors[] = {
  { "change", "yynn", TRUE },          { "shorten", "yynn", TRUE },
  { "empty", "yynn", TRUE },           { "empty-closed", "yynn", TRUE },
  { "empty-newest", "yynn", FALSE },   { "label", "yynn", FALSE },
  { "unlabel", "yynn", FALSE },        { "label-open", "yynn", FALSE },
  { "unlabel-open", "yynn", FALSE },   { "label-newest", "yynn", FALSE },
  { "unlabel-newest", "yynn", FALSE }, { "flag", "yynn", FALSE },
  { "flag-more", "yynn", FALSE },      { "flag-newest", "yynn", FALSE },
  { "freeze", "yynn", FALSE },
};

/* @fd: for reading and writing. The worker gets another one. */
static void
try_all_with (Scene *scene, DraySandbox sandbox, DraySandboxNeed need, int fd, guint32 *outcomes)
{
  DrayLauncher *launcher = sandbox_rig_new_launcher (sandbox);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  int passed = open (path, O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (passed, >=, 0);
  dray_launcher_set_sandbox_need (launcher, need);
  rig_start_with (&scene->rig, launcher, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (passed_vectors); i++)
    {
      char text[8] = "";

      g_assert_cmpint (pwrite (fd, "text", 4, 0), ==, 4);
      outcomes[i] = sandbox_rig_escape_with (&scene->rig, passed_vectors[i].way, passed);
      g_assert_cmpint (pread (fd, text, sizeof text - 1, 0), >=, 0);
      if (passed_vectors[i].open[sandbox] != 'y')
        g_assert_cmpstr (text, ==, "text");
    }
  rig_shut_down (&scene->rig, DRAY_SHUTDOWN_DRAIN);
  close (passed);
}

static void
check_without (const guint32 *without)
{
  for (gsize i = 0; i < G_N_ELEMENTS (passed_vectors); i++)
    {
      if (passed_vectors[i].matters)
        g_assert_cmpuint (without[i], ==, 0);
      if (without[i] != 0)
        g_test_message ("%s is closed anyway: %s", passed_vectors[i].way,
                        g_strerror ((int) without[i]));
    }
}

static void
compare_with (DraySandbox sandbox, gboolean older, const guint32 *without, const guint32 *within)
{
  for (gsize i = 0; i < G_N_ELEMENTS (passed_vectors); i++)
    {
      const gboolean is_open = passed_vectors[i].open[sandbox] == 'y';

      /* This is what seccomp says. Landlock says EACCES, and can't here. */
      if (older && !is_open && g_str_equal (passed_vectors[i].way, "shorten"))
        g_assert_cmpuint (within[i], ==, EPERM);
      if (is_open ? without[i] != within[i] : within[i] == 0)
        g_error ("%s: %s: %s", sandbox_rig_names[sandbox], passed_vectors[i].way,
                 g_strerror ((int) within[i]));
    }
}

static void
test_passed (Scene *scene, gconstpointer data)
{
  g_autofree char *path = rig_dup_path (&scene->rig, "file");
  guint32 without[G_N_ELEMENTS (passed_vectors)], within[G_N_ELEMENTS (passed_vectors)];
  int fd;

  g_test_summary (
    "A file that is passed for reading can't be changed, nor can its attributes: not "
    "by opening it anew, nor by its path, be there namespaces or not, on a new kernel "
    "or on an older one.");

  if (!sandbox_rig_is_possible ())
    return;

  fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint (fd, >=, 0);
  try_all_with (scene, DRAY_SANDBOX_NONE, DRAY_SANDBOX_REQUIRED, fd, without);
  check_without (without);
  for (int i = DRAY_SANDBOX_NO_NETWORK; i <= DRAY_SANDBOX_STRICT; i++)
    for (int older = 0; older < 2; older++)
      {
        sandbox_rig_use_older_kernel (older);
        try_all_with (scene, (DraySandbox) i, DRAY_SANDBOX_REQUIRED, fd, within);
        compare_with ((DraySandbox) i, older, without, within);
        sandbox_rig_replace_bubblewrap (&scene->rig, "");
        try_all_with (scene, (DraySandbox) i, DRAY_SANDBOX_PREFERRED, fd, within);
        compare_with ((DraySandbox) i, older, without, within);
        sandbox_rig_replace_bubblewrap (&scene->rig, NULL);
      }
  sandbox_rig_use_older_kernel (FALSE);
  close (fd);
}

/* Whether what is passed can be written to from that sandbox. */
static gboolean
can_change (Scene *scene, DraySandbox sandbox, int fd)
{
  guint32 outcome;

  sandbox_rig_start (&scene->rig, sandbox, 1);
  outcome = sandbox_rig_escape_with (&scene->rig, "change", fd);
  g_clear_object (&scene->rig.executor);
  return outcome == 0;
}

static void
test_passed_memory (Scene *scene, gconstpointer data)
{
  g_autofree char *path = NULL;
  int memory, fd, fds[2];

  g_test_summary ("Memory that is passed can't be changed once it is sealed. Before, it can be, as a "
                  "pipe can be written to whose end for reading is passed.");

  if (!sandbox_rig_is_possible ())
    return;

  memory = memfd_create ("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_assert_cmpint (write (memory, "text", 4), ==, 4);
  path = g_strdup_printf ("/proc/self/fd/%d", memory);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  g_test_message ("memory: %d, a pipe: %d", can_change (scene, DRAY_SANDBOX_STRICT, fd),
                  can_change (scene, DRAY_SANDBOX_STRICT, fds[0]));
  g_assert_true (can_change (scene, DRAY_SANDBOX_NONE, fd));

  g_assert_cmpint (fcntl (memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), ==, 0);
  for (int i = DRAY_SANDBOX_NONE; i <= DRAY_SANDBOX_STRICT; i++)
    g_assert_false (can_change (scene, (DraySandbox) i, fd));
  close (memory);
  close (fd);
  close (fds[0]);
  close (fds[1]);
}

/* Whether somebody is killed by a worker as it runs in the rig. What the worker has sent has come
 * before what this sends. */
static gboolean
can_kill (Scene *scene, const char *way)
{
  g_autoptr (GError) error = NULL;
  /* PATH may lead nowhere. */
  g_autoptr (GSubprocess) victim = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, &error, "/bin/sleep",
                                                     "300", NULL);
  guint32 outcome;

  g_assert_no_error (error);
  outcome = sandbox_rig_escape (&scene->rig, way, g_subprocess_get_identifier (victim));
  g_test_message ("%s: %s", way, g_strerror ((int) outcome));
  g_subprocess_send_signal (victim, SIGTERM);
  g_assert_true (g_subprocess_wait (victim, NULL, NULL));
  g_assert_true (g_subprocess_get_if_signaled (victim));
  return g_subprocess_get_term_sig (victim) == SIGKILL;
}

static void
expect_killing (Scene *scene, DraySandbox sandbox, DraySandboxNeed need, gboolean expected)
{
  static const char *const ways[] = { "own", "own-more", "own-socket", "own-group" };
  DrayLauncher *launcher = sandbox_rig_new_launcher (sandbox);

  dray_launcher_set_sandbox_need (launcher, need);
  rig_start_with (&scene->rig, launcher, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    g_assert_cmpint (can_kill (scene, ways[i]), ==, expected);
  rig_shut_down (&scene->rig, DRAY_SHUTDOWN_DRAIN);
}

static void
test_owners (Scene *scene, gconstpointer data)
{
  g_test_summary ("Nobody outside is killed by the signal which says that there is something to be "
                  "read.");

  if (!sandbox_rig_is_possible ())
    return;

  expect_killing (scene, DRAY_SANDBOX_NONE, DRAY_SANDBOX_REQUIRED, TRUE);
  expect_killing (scene, DRAY_SANDBOX_NO_NETWORK, DRAY_SANDBOX_REQUIRED, FALSE);
  for (int i = DRAY_SANDBOX_READ_ONLY; i <= DRAY_SANDBOX_STRICT; i++)
    for (int older = 0; older < 2; older++)
      {
        sandbox_rig_use_older_kernel (older);
        expect_killing (scene, (DraySandbox) i, DRAY_SANDBOX_REQUIRED, FALSE);
        sandbox_rig_replace_bubblewrap (&scene->rig, "");
        expect_killing (scene, (DraySandbox) i, DRAY_SANDBOX_PREFERRED, FALSE);
        sandbox_rig_replace_bubblewrap (&scene->rig, NULL);
      }
  sandbox_rig_use_older_kernel (FALSE);
}

static void
test_typing (Scene *scene, gconstpointer data)
{
  const char *name = NULL;
  int terminal, fd;

  g_test_summary ("In no sandbox a worker can type into a terminal.");

  if (!sandbox_rig_is_possible ())
    return;

  terminal = posix_openpt (O_RDWR | O_NOCTTY | O_CLOEXEC);
  g_assert_cmpint (grantpt (terminal) + unlockpt (terminal), ==, 0);
  name = ptsname (terminal);
  fd = open (name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  for (int i = DRAY_SANDBOX_NONE; i <= DRAY_SANDBOX_STRICT; i++)
    {
      g_autoptr (DrayFuture) future = NULL;
      guint32 outcome;

      sandbox_rig_start (&scene->rig, (DraySandbox) i, 1);
      future = rig_submit (&scene->rig, rig_new_task_with ("escape-type", fd));
      outcome = rig_expect_uint32 (future);
      if (i == DRAY_SANDBOX_NONE)
        g_test_message ("without a sandbox: %s", g_strerror ((int) outcome));
      else
        g_assert_cmpuint (outcome, ==, EPERM);
      g_clear_object (&scene->rig.executor);
    }
  close (fd);
  close (terminal);
}

int
main (int argc, char **argv)
{
  int result;

  sandbox_rig_init ();
  g_test_init (&argc, &argv, NULL);

  for (int i = DRAY_SANDBOX_NO_NETWORK; i <= DRAY_SANDBOX_STRICT; i++)
    {
      g_autofree char *path = g_strdup_printf ("/escapes/%s", sandbox_rig_names[i]);
      g_autofree char *bare = g_strdup_printf ("/escapes/%s/bare", sandbox_rig_names[i]);
      g_autofree char *older = g_strdup_printf ("/escapes/%s/older", sandbox_rig_names[i]);

      g_test_add (path, Scene, GINT_TO_POINTER (i), set_up, test_ways, tear_down);
      g_test_add (bare, Scene, GINT_TO_POINTER (i), set_up, test_ways_without_namespaces,
                  tear_down);
      g_test_add (older, Scene, GINT_TO_POINTER (i), set_up, test_ways_on_older_kernel, tear_down);
    }
  g_test_add ("/escapes/first-process", Scene, NULL, set_up, test_first_process, tear_down);
  g_test_add ("/escapes/execute", Scene, NULL, set_up, test_execute, tear_down);
  g_test_add ("/escapes/passed", Scene, NULL, set_up, test_passed, tear_down);
  g_test_add ("/escapes/passed/memory", Scene, NULL, set_up, test_passed_memory, tear_down);
  g_test_add ("/escapes/owners", Scene, NULL, set_up, test_owners, tear_down);
  g_test_add ("/escapes/typing", Scene, NULL, set_up, test_typing, tear_down);

  result = g_test_run ();
  sandbox_rig_finish ();
  return result;
}
