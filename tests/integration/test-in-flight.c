/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All processes of a user together may have as many descriptors in flight, sent and not yet
 * received, as one of them may have open. Here somebody has used that up, and the test and its
 * workers are without the privileges that would let them go beyond. */

/* What a process of the test may have open, and so all together in flight. Somebody else may have
 * some in flight too, and may take them, so the test has more than that of its own. */
#define MAX_OPEN 200
#define AT_ONCE 100
#define N_MESSAGES 3
#define LARGE (4u * 1024 * 1024)

/* --- Who uses it up --- */

typedef struct
{
  int fds[2]; /* (owned) */
} Pressure;

static gboolean
send_copies (int socket_fd, int fd)
{
  union
  {
    struct cmsghdr header;
    guint8 bytes[CMSG_SPACE (AT_ONCE * sizeof (int))];
  } control = { 0 };
  struct iovec vector = { .iov_base = &control, .iov_len = 1 };
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (AT_ONCE * sizeof (int));
  for (guint i = 0; i < AT_ONCE; i++)
    memcpy (CMSG_DATA (header) + i * sizeof (int), &fd, sizeof fd);

  return sendmsg (socket_fd, &message, MSG_DONTWAIT) >= 0;
}

static void
pressure_clear (Pressure *self)
{
  if (self->fds[0] < 0)
    return;

  close (self->fds[0]);
  close (self->fds[1]);
  self->fds[0] = -1;
}

/* Within the limit that there was. */
static void
set_limit (gboolean low)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = low ? MIN (limit.rlim_max, MAX_OPEN) : limit.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

typedef struct
{
  int socket_fd;
  int fd;
} Sending;

/* Others of this user may have as many in flight as this process may, for a while. */
static gboolean
can_send (gpointer user_data)
{
  Sending *sending = user_data;
  gboolean sent = send_copies (sending->socket_fd, sending->fd);

  if (!sent)
    g_assert_cmpint (errno, ==, ETOOMANYREFS);

  return sent;
}

/* Returns: FALSE if this process may go beyond what others may */
static gboolean
pressure_init (Pressure *self)
{
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  Sending sending;
  gboolean refused;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->fds), ==, 0);
  sending = (Sending){ self->fds[0], fd };
  set_limit (FALSE);
  for (guint i = 0; i < N_MESSAGES; i++)
    fixture_iterate_until (can_send, &sending, "others have taken what they had in flight");
  set_limit (TRUE);
  refused = !send_copies (self->fds[0], fd) && errno == ETOOMANYREFS;
  close (fd);
  if (refused)
    return TRUE;

  pressure_clear (self);
  g_test_skip ("this process can have any number of descriptors in flight");
  return FALSE;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pressure, pressure_clear)

/* --- What is sent and returned --- */

static DrayTask *
new_task (void)
{
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  DrayTask *task = dray_task_new_call ("read-attachments", NULL);
  int fd = memfd_create ("text", MFD_CLOEXEC);

  g_assert_cmpint (write (fd, "text", 4), ==, 4);
  g_assert_cmpint (g_unix_fd_list_append (list, fd, NULL), ==, 0);
  g_assert_true (dray_task_set_attachments (task, list, NULL));
  close (fd);
  return task;
}

static DrayFuture *
call_returning (Rig *rig)
{
  const char *const texts[] = { "a", "b", NULL };

  return rig_call (rig, "return-attachments", "(^as)", texts);
}

/* The I/O thread has looked at all that was submitted before. */
static void
run_command (Rig *rig)
{
  const char *const argv[] = { "true", NULL };
  g_autoptr (DrayFuture) future = rig_submit (rig, dray_task_new_command (argv));
  G_GNUC_UNUSED g_autoptr (GVariant) result = rig_expect_result (future);
}

/* --- Tests --- */

static void
test_sent (Rig *rig, gconstpointer data)
{
  g_auto (Pressure) pressure = { { -1, -1 } };
  g_autoptr (DrayFuture) first = NULL;
  g_autoptr (DrayFuture) second = NULL;
  g_autoptr (DrayFuture) unwanted = NULL;
  g_autoptr (DrayFuture) behind = NULL;

  g_test_summary ("Tasks whose open files can't be passed now wait for that, can be cancelled, and "
                  "hold up no command.");

  rig_start (rig, 2);
  if (!pressure_init (&pressure))
    return;

  first = rig_submit (rig, new_task ());
  unwanted = rig_submit (rig, new_task ());
  second = rig_submit (rig, new_task ());
  behind = rig_call (rig, "add", "(ii)", 2, 3);
  run_command (rig);
  g_assert_cmpint (dray_future_get_state (first), ==, DRAY_FUTURE_PENDING);
  dray_future_cancel (unwanted);
  rig_expect_cancelled (unwanted);
  run_command (rig);

  pressure_clear (&pressure);
  rig_expect_text (first, "['text']");
  rig_expect_text (second, "['text']");
  rig_expect_text (behind, "5");
}

static void
test_idle_worker (Rig *rig, gconstpointer data)
{
  g_auto (Pressure) pressure = { { -1, -1 } };
  g_autoptr (DrayFuture) future = NULL;
  int pid;

  g_test_summary ("The same where the submitting thread would write to the worker itself.");

  rig_start (rig, 1);
  pid = rig_ask_pid (rig);
  rig_let_time_pass ();
  if (!pressure_init (&pressure))
    return;

  future = rig_submit (rig, new_task ());
  run_command (rig);
  g_assert_cmpint (dray_future_get_state (future), ==, DRAY_FUTURE_PENDING);

  pressure_clear (&pressure);
  rig_expect_text (future, "['text']");
  g_assert_cmpint (rig_ask_pid (rig), ==, pid);
}

static void
test_given_up (Rig *rig, gconstpointer data)
{
  g_auto (Pressure) pressure = { { -1, -1 } };
  g_autoptr (DrayFuture) sent = NULL;
  g_autoptr (DrayFuture) returned = NULL;
  g_autoptr (DrayFuture) later = NULL;
  g_autoptr (DrayFuture) better = NULL;

  g_test_summary ("If it lasts, the tasks fail, and say why; when it is over all is well again.");

  rig_start (rig, 2);
  if (!pressure_init (&pressure))
    return;

  returned = call_returning (rig);
  sent = rig_submit (rig, new_task ());
  later = rig_submit (rig, new_task ());
  rig_expect_error (sent, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS, "*too many others*");
  rig_expect_error (returned, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS, "*too many others*");
  rig_expect_error (later, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS, "*too many others*");

  pressure_clear (&pressure);
  better = rig_submit (rig, new_task ());
  rig_expect_text (better, "['text']");
}

static void
test_shut_down (Rig *rig, gconstpointer data)
{
  g_auto (Pressure) pressure = { { -1, -1 } };
  g_autoptr (DrayFuture) sent = NULL;

  g_test_summary (
    "An executor that is shut down meanwhile ends the tasks as its mode says; one that "
    "is drained waits for them.");

  rig_start (rig, 1);
  if (!pressure_init (&pressure))
    return;

  sent = rig_submit (rig, new_task ());
  run_command (rig);
  dray_executor_shutdown_async (rig->executor, (DrayShutdownMode) GPOINTER_TO_INT (data), NULL,
                                NULL, NULL);
  if (GPOINTER_TO_INT (data) == DRAY_SHUTDOWN_DRAIN)
    {
      pressure_clear (&pressure);
      rig_expect_text (sent, "['text']");
    }
  else if (GPOINTER_TO_INT (data) == DRAY_SHUTDOWN_CANCEL_PENDING)
    {
      rig_expect_cancelled (sent);
    }
  else
    {
      rig_expect_error (sent, DRAY_ERROR, DRAY_ERROR_SHUT_DOWN, NULL);
    }
}

static void
test_returned (Rig *rig, gconstpointer data)
{
  g_auto (Pressure) pressure = { { -1, -1 } };
  g_autoptr (DrayFuture) future = NULL;
  g_autoptr (GUnixFDList) list = NULL;

  g_test_summary ("A worker whose open files can't be passed now waits for that.");

  rig_start (rig, 2);
  if (!pressure_init (&pressure))
    return;

  future = call_returning (rig);
  rig_run_until_running (future);
  run_command (rig);

  pressure_clear (&pressure);
  g_assert_cmpuint (rig_expect_uint32 (future), ==, 2);
  list = dray_future_dup_attachments (future);
  g_assert_cmpint (g_unix_fd_list_get_length (list), ==, 2);
}

static void
test_values (Rig *rig, gconstpointer data)
{
  g_auto (Pressure) pressure = { { -1, -1 } };
  DrayLauncher *launcher = rig_new_launcher (NULL);
  g_autoptr (DrayFuture) made = NULL;
  g_autoptr (DrayFuture) sum = NULL;
  g_autoptr (GVariant) bytes = NULL;

  g_test_summary ("Large values wait for nothing: they go with the frames then.");

  dray_launcher_set_shared_size (launcher, 4096);
  rig_start_with (rig, launcher, 1);
  if (!pressure_init (&pressure))
    return;

  made = rig_call (rig, "bytes", "(u)", LARGE);
  bytes = rig_expect_result (made);
  g_assert_cmpuint (g_variant_get_size (bytes), ==, LARGE);
  sum = rig_call (rig, "sum", "(@ay)", bytes);
  g_clear_pointer (&bytes, g_variant_unref);
  bytes = rig_expect_result (sum);
}

/* --- Without privileges --- */

/* For this thread, and all threads and processes that it starts. */
static void
drop_privileges (void)
{
  const int numbers[] = { CAP_SYS_ADMIN, CAP_SYS_RESOURCE };
  struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

  if (syscall (SYS_capget, &header, sets) != 0)
    return;

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      const guint32 mask = CAP_TO_MASK (numbers[i]);
      struct __user_cap_data_struct *set = &sets[CAP_TO_INDEX (numbers[i])];

      prctl (PR_CAPBSET_DROP, numbers[i], 0, 0, 0);
      set->effective &= ~mask;
      set->permitted &= ~mask;
      set->inheritable &= ~mask;
    }
  syscall (SYS_capset, &header, sets);
}

/* What one run has in flight would be too much for another one, of whatever build: the folder is
 * one that they all have. */
static void
wait_for_other_runs (void)
{
  int fd = open ("/", O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  while (flock (fd, LOCK_EX) != 0)
    g_assert_cmpint (errno, ==, EINTR);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  wait_for_other_runs ();
  drop_privileges ();
  set_limit (TRUE);

  rig_add ("/in-flight/sent", NULL, test_sent);
  rig_add ("/in-flight/sent/idle-worker", NULL, test_idle_worker);
  rig_add ("/in-flight/given-up", NULL, test_given_up);
  rig_add_modes ("/in-flight/shut-down", test_shut_down);
  rig_add ("/in-flight/returned", NULL, test_returned);
  rig_add ("/in-flight/values", NULL, test_values);

  return g_test_run ();
}
