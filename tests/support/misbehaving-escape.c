/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Ways out of a sandbox. Each returns 0 for one that is open, or the errno that was in the way. */

#include "config.h"

#include "misbehaving.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define EXIT_AS_ASKED 7

/* The headers may be older. */
#define CALL_SETXATTRAT 463
#define CALL_REMOVEXATTRAT 466
#define CALL_FILE_SETATTR 469

typedef int (*EscapeFunc) (const char *argument);

static int
close_and_tell (int fd, int result)
{
  const int saved_errno = result < 0 ? errno : 0;

  if (fd >= 0)
    close (fd);
  return saved_errno;
}

/* --- Files --- */

/* An empty file is no way out. */
static int
escape_read (const char *path)
{
  char byte;
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gssize size = fd >= 0 ? read (fd, &byte, 1) : -1;

  return size == 0 ? close_and_tell (fd, 0) + ENODATA : close_and_tell (fd, (int) size);
}

/* To the length that it has, so that nothing is lost. */
static int
escape_shorten (const char *path)
{
  struct stat status;

  if (stat (path, &status) != 0 || truncate (path, status.st_size) != 0)
    return errno;
  return 0;
}

/* By way of one that is open for reading. */
static int
escape_empty (const char *path)
{
  int fd = open (path, O_RDONLY | O_TRUNC | O_CLOEXEC);

  return close_and_tell (fd, fd);
}

/* By way of one that is open for neither reading nor writing. */
static int
escape_empty_closed (const char *path)
{
  int fd = open (path, O_ACCMODE | O_TRUNC | O_CLOEXEC);

  return close_and_tell (fd, fd);
}

/* As the C library does not call it. */
static int
escape_empty_newest (const char *path)
{
  const struct open_how how = { .flags = O_RDONLY | O_TRUNC | O_CLOEXEC };
  int fd = (int) syscall (SYS_openat2, AT_FDCWD, path, &how, sizeof how);

  return close_and_tell (fd, fd);
}

static int
escape_change (const char *path)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);

  return close_and_tell (fd, fd >= 0 ? (int) write (fd, "x", 1) : -1);
}

/* --- What files have besides what is in them --- */

/* All that follows is asked of what the path /proc/self/fd/N leads to. */
static int
get_number (const char *path)
{
  return atoi (strrchr (path, '/') + 1);
}

/* Some ask for nothing, or for what is not there. But who may is told that, and not that he may
 * not. */
static int
tell_if_refused (long result)
{
  return result < 0 && errno != EFAULT && errno != EINVAL && errno != ENODATA ? errno : 0;
}

static int
escape_label (const char *path)
{
  return setxattr (path, "user.dray", "x", 1, 0) < 0 ? errno : 0;
}

static int
escape_label_open (const char *path)
{
  return fsetxattr (get_number (path), "user.dray", "x", 1, 0) < 0 ? errno : 0;
}

static int
escape_label_newest (const char *path)
{
  return tell_if_refused (
    syscall (CALL_SETXATTRAT, get_number (path), "", AT_EMPTY_PATH, "user.dray", NULL, (size_t) 0));
}

static int
escape_unlabel (const char *path)
{
  return tell_if_refused (removexattr (path, "user.dray"));
}

static int
escape_unlabel_open (const char *path)
{
  return tell_if_refused (fremovexattr (get_number (path), "user.dray"));
}

static int
escape_unlabel_newest (const char *path)
{
  return tell_if_refused (
    syscall (CALL_REMOVEXATTRAT, get_number (path), "", AT_EMPTY_PATH, "user.dray"));
}

static int
escape_flag (const char *path)
{
  return tell_if_refused (ioctl (get_number (path), FS_IOC_SETFLAGS, NULL));
}

static int
escape_flag_more (const char *path)
{
  return tell_if_refused (ioctl (get_number (path), FS_IOC_FSSETXATTR, NULL));
}

static int
escape_flag_newest (const char *path)
{
  return tell_if_refused (
    syscall (CALL_FILE_SETATTR, get_number (path), "", NULL, (size_t) 0, AT_EMPTY_PATH));
}

/* For ever read-only. */
static int
escape_freeze (const char *path)
{
  return tell_if_refused (ioctl (get_number (path), FS_IOC_ENABLE_VERITY, NULL));
}

/* --- Folders --- */

/* A file without a name, so that nothing is left behind. */
static int
escape_write (const char *path)
{
  int fd = open (path, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);

  return close_and_tell (fd, fd);
}

static int
escape_list (const char *path)
{
  DIR *dir = opendir (path);
  guint n_entries = 0;

  if (dir == NULL)
    return errno;

  while (readdir (dir) != NULL)
    n_entries++;
  closedir (dir);
  return n_entries > 2 ? 0 : ENODATA;
}

/* --- Sockets --- */

static int
connect_to (const void *address, socklen_t size, int type)
{
  const struct sockaddr *general = address;
  int fd = socket (general->sa_family, type | SOCK_CLOEXEC, 0);

  return close_and_tell (fd, fd >= 0 ? connect (fd, general, size) : -1);
}

static int
escape_internet (const char *port)
{
  const struct sockaddr_in address = {
    .sin_family = AF_INET,
    .sin_port = htons ((guint16) atoi (port)),
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
  };

  return connect_to (&address, sizeof address, SOCK_STREAM);
}

static struct sockaddr_un
make_unix_address (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  return address;
}

static int
escape_unix (const char *path)
{
  const struct sockaddr_un address = make_unix_address (path);

  return connect_to (&address, sizeof address, SOCK_STREAM);
}

/* @name: with an @ for its first byte, which is 0 */
static int
escape_abstract (const char *name)
{
  struct sockaddr_un address = make_unix_address (name);

  address.sun_path[0] = '\0';
  return connect_to (
    &address, (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (name)), SOCK_STREAM);
}

/* Without connect(). */
static int
escape_datagram (const char *path)
{
  const struct sockaddr_un address = make_unix_address (path);
  int fds[2] = { -1, -1 };
  int result = socketpair (AF_UNIX, SOCK_RAW | SOCK_CLOEXEC, 0, fds);

  if (result == 0)
    result = (int) sendto (fds[0], "x", 1, 0, (const struct sockaddr *) &address, sizeof address);
  result = close_and_tell (fds[0], result);
  if (fds[1] >= 0)
    close (fds[1]);
  return result;
}

/* Nobody is connected to. A vsock is one to the machine that this one is a part of, if it is. */
static int
escape_socket (const char *name)
{
  static const struct
  {
    const char *name;
    int family;
    int type;
  } families[] = {
    { "unix", AF_UNIX, SOCK_STREAM },
    { "internet", AF_INET, SOCK_STREAM },
    { "netlink", AF_NETLINK, SOCK_RAW },
    { "vsock", AF_VSOCK, SOCK_STREAM },
  };
  guint i = 0;
  int fd;

  while (!g_str_equal (families[i].name, name))
    g_assert_cmpuint (++i, <, G_N_ELEMENTS (families));
  fd = socket (families[i].family, families[i].type | SOCK_CLOEXEC, 0);
  return close_and_tell (fd, fd);
}

/* --- Other processes --- */

/* Where it is open, the other process is let go again at once: only one that is stopped can be. */
static int
escape_ptrace (const char *text)
{
  const pid_t pid = atoi (text);
  int wait_status;

  if (ptrace (PTRACE_SEIZE, pid, NULL, NULL) < 0)
    return errno;

  if (ptrace (PTRACE_INTERRUPT, pid, NULL, NULL) == 0)
    while (waitpid (pid, &wait_status, __WALL) < 0 && errno == EINTR)
      ;
  ptrace (PTRACE_DETACH, pid, NULL, NULL);
  return 0;
}

static int
escape_kill (const char *pid)
{
  return kill (atoi (pid), 0) < 0 ? errno : 0;
}

/* A signal may tell somebody that there is something to be read: to whom, and which one, is for
 * whoever reads it to say. Takes the descriptors. */
static int
signal_owner (const int fds[2], gboolean is_owned)
{
  int result = is_owned ? 0 : -1;

  if (result == 0)
    result = fcntl (fds[0], F_SETSIG, SIGKILL);
  if (result == 0)
    result = fcntl (fds[0], F_SETFL, O_ASYNC | O_NONBLOCK);
  if (result == 0)
    result = (int) write (fds[1], "x", 1);
  result = close_and_tell (fds[0], result);
  close (fds[1]);
  return result;
}

static int
escape_own (const char *pid)
{
  int fds[2];

  if (pipe2 (fds, O_CLOEXEC) != 0)
    return errno;
  return signal_owner (fds, fcntl (fds[0], F_SETOWN, atoi (pid)) == 0);
}

static int
escape_own_more (const char *pid)
{
  const struct f_owner_ex owner = { .type = F_OWNER_PID, .pid = atoi (pid) };
  int fds[2];

  if (pipe2 (fds, O_CLOEXEC) != 0)
    return errno;
  return signal_owner (fds, fcntl (fds[0], F_SETOWN_EX, &owner) == 0);
}

static int
own_socket (unsigned long command, const char *text)
{
  const int pid = atoi (text);
  int fds[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    return errno;
  return signal_owner (fds, ioctl (fds[0], command, &pid) == 0);
}

static int
escape_own_socket (const char *pid)
{
  return own_socket (FIOSETOWN, pid);
}

static int
escape_own_group (const char *pid)
{
  return own_socket (SIOCSPGRP, pid);
}

/* All stays as it is. */
static int
escape_limit (const char *pid)
{
  struct rlimit limit;

  if (prlimit (atoi (pid), RLIMIT_CPU, NULL, &limit) != 0
      || prlimit (atoi (pid), RLIMIT_CPU, &limit, NULL) != 0)
    return errno;
  return 0;
}

static int
escape_own_limit (const char *unused)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_CPU, &limit) != 0 || setrlimit (RLIMIT_CPU, &limit) != 0)
    return errno;
  return 0;
}

static int
escape_environ (const char *pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/environ", pid);

  return escape_read (path);
}

/* Nothing is mapped at 8: who gets as far as that is let in. */
static int
escape_memory (const char *pid)
{
  char byte;
  struct iovec here = { &byte, 1 };
  struct iovec there = { (void *) 8, 1 };

  if (process_vm_readv (atoi (pid), &here, 1, &there, 1, 0) >= 0 || errno == EFAULT)
    return 0;
  return errno;
}

/* To read it, and to write to it. */
static int
escape_memory_file (const char *pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/mem", pid);
  int fd = open (path, O_RDWR | O_CLOEXEC);

  return close_and_tell (fd, fd);
}

/* A real one. */
static int
escape_signal_parent (const char *number)
{
  return kill (getppid (), atoi (number)) < 0 ? errno : 0;
}

/* --- Processes and programs --- */

/* In a child; @run returns an exit status. */
static int
run_in_child (int (*run) (const char *argument), const char *argument, int expected)
{
  int wait_status = 0;
  pid_t pid = fork ();

  if (pid < 0)
    return errno;
  if (pid == 0)
    _exit (run (argument));

  while (waitpid (pid, &wait_status, 0) < 0 && errno == EINTR)
    ;
  if (!WIFEXITED (wait_status))
    return EINTR;
  return WEXITSTATUS (wait_status) == expected ? 0 : MAX (WEXITSTATUS (wait_status), 1);
}

static int
exit_as_asked (const char *unused)
{
  return EXIT_AS_ASKED;
}

static int
escape_fork (const char *unused)
{
  return run_in_child (exit_as_asked, NULL, EXIT_AS_ASKED);
}

static int
execute_shell (const char *unused)
{
  execl ("/bin/sh", "sh", "-c", "exit 7", NULL);
  return errno;
}

static int
escape_shell (const char *unused)
{
  return run_in_child (execute_shell, NULL, EXIT_AS_ASKED);
}

/* Without a child: who succeeds is no worker any more. */
static int
escape_execute (const char *path)
{
  execl (path, path, "/bin/true", NULL);
  return errno;
}

/* A program that no file system has a rule for. */
static int
escape_execute_memory (const char *path)
{
  g_autofree char *program = NULL;
  gsize size;
  int fd = memfd_create ("program", MFD_CLOEXEC);

  if (!g_file_get_contents (path, &program, &size, NULL)
      || write (fd, program, size) != (gssize) size)
    return EIO;

  fexecve (fd, (char *const[]){ "true", NULL }, environ);
  return close_and_tell (fd, -1);
}

/* Says yes to whoever asks, as a thread that the filter does not hold for. */
static gpointer
say_yes_cb (gpointer data)
{
  struct seccomp_notif_sizes sizes;
  int fd = -1;

  if (read (GPOINTER_TO_INT (data), &fd, sizeof fd) != sizeof fd
      || syscall (SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
    return NULL;

  for (;;)
    {
      g_autofree struct seccomp_notif *question = g_malloc0 (sizes.seccomp_notif);
      g_autofree struct seccomp_notif_resp *answer = g_malloc0 (sizes.seccomp_notif_resp);

      if (ioctl (fd, SECCOMP_IOCTL_NOTIF_RECV, question) != 0)
        return NULL;
      answer->id = question->id;
      answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
      ioctl (fd, SECCOMP_IOCTL_NOTIF_SEND, answer);
    }
}

/* Of several filters that would ask somebody, the kernel takes the newest one's word. */
static int
escape_execute_listened (const char *path)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = { .len = G_N_ELEMENTS (code), .filter = code };
  int fds[2];
  int fd;

  if (pipe2 (fds, O_CLOEXEC) != 0 || prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return EIO;

  g_thread_unref (g_thread_new ("yes", say_yes_cb, GINT_TO_POINTER (fds[0])));
  fd = (int) syscall (SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                      &program);
  if (fd < 0)
    return close_and_tell (fds[1], fd);

  if (write (fds[1], &fd, sizeof fd) != sizeof fd)
    return EIO;
  return escape_execute (path);
}

static int
make_namespaces (const char *unused)
{
  if (unshare (CLONE_NEWUSER | CLONE_NEWNS) != 0)
    return errno;
  return mount ("none", "/tmp", "tmpfs", 0, NULL) < 0 ? errno : 0;
}

static int
escape_mount (const char *unused)
{
  return run_in_child (make_namespaces, NULL, 0);
}

/* --- The system --- */

static int
escape_personality (const char *unused)
{
  const int before = personality (0xffffffff);

  if (personality (ADDR_NO_RANDOMIZE) < 0)
    return errno;

  personality ((unsigned long) before);
  return 0;
}

/* It asks for nothing, but who may is told that, and not that he may not. */
static int
escape_io_uring (const char *unused)
{
  if (syscall (SYS_io_uring_setup, 0, NULL) >= 0 || errno == EINVAL || errno == EFAULT)
    return 0;
  return errno;
}

static int
escape_keys (const char *unused)
{
  return syscall (SYS_keyctl, 0, -3, 1) < 0 ? errno : 0; /* the number of the session's keyring */
}

/* One of its own; those of others are had in the same way. */
static int
escape_queue (const char *unused)
{
  const int id = msgget (IPC_PRIVATE, 0600);

  if (id < 0)
    return errno;
  return msgctl (id, IPC_RMID, NULL) < 0 ? errno : 0;
}

static const struct
{
  const char *name;
  EscapeFunc escape;
} escapes[] = {
  { "read", escape_read },
  { "write", escape_write },
  { "shorten", escape_shorten },
  { "empty", escape_empty },
  { "empty-closed", escape_empty_closed },
  { "empty-newest", escape_empty_newest },
  { "change", escape_change },
  { "label", escape_label },
  { "label-open", escape_label_open },
  { "label-newest", escape_label_newest },
  { "unlabel", escape_unlabel },
  { "unlabel-open", escape_unlabel_open },
  { "unlabel-newest", escape_unlabel_newest },
  { "flag", escape_flag },
  { "flag-more", escape_flag_more },
  { "flag-newest", escape_flag_newest },
  { "freeze", escape_freeze },
  { "list", escape_list },
  { "internet", escape_internet },
  { "unix", escape_unix },
  { "abstract", escape_abstract },
  { "datagram", escape_datagram },
  { "socket", escape_socket },
  { "ptrace", escape_ptrace },
  { "kill", escape_kill },
  { "own", escape_own },
  { "own-more", escape_own_more },
  { "own-socket", escape_own_socket },
  { "own-group", escape_own_group },
  { "limit", escape_limit },
  { "own-limit", escape_own_limit },
  { "environ", escape_environ },
  { "memory", escape_memory },
  { "memory-file", escape_memory_file },
  { "signal-parent", escape_signal_parent },
  { "fork", escape_fork },
  { "shell", escape_shell },
  { "execute", escape_execute },
  { "execute-memory", escape_execute_memory },
  { "execute-listened", escape_execute_listened },
  { "mount", escape_mount },
  { "personality", escape_personality },
  { "io-uring", escape_io_uring },
  { "keys", escape_keys },
  { "queue", escape_queue },
};

/* By the argument, or by the path of what is attached. Only the worker knows the number of its
 * parent, as it is where the worker is. */
static GVariant *
escape_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  GUnixFDList *list = dray_job_get_attachments (job);
  g_autofree char *known = NULL;
  const char *way, *argument;

  g_variant_get (arguments, "(&s&s)", &way, &argument);
  if (list != NULL)
    argument = known = g_strdup_printf ("/proc/self/fd/%d",
                                        g_unix_fd_list_peek_fds (list, NULL)[0]);
  else if (g_str_equal (argument, "PARENT"))
    argument = known = g_strdup_printf ("%d", (int) getppid ());
  for (gsize i = 0; i < G_N_ELEMENTS (escapes); i++)
    if (g_str_equal (escapes[i].name, way))
      return g_variant_new_uint32 ((guint32) escapes[i].escape (argument));

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "There is no way “%s”", way);
  return NULL;
}

/* --- With what is attached --- */

static GVariant *
type_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  GUnixFDList *list = dray_job_get_attachments (job);
  const int fd = g_unix_fd_list_peek_fds (list, NULL)[0];

  return g_variant_new_uint32 (ioctl (fd, TIOCSTI, "x") < 0 ? (guint32) errno : 0);
}

/* Whether something of that name is mapped. */
static GVariant *
has_mapping_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_autofree char *maps = NULL;
  const char *name;

  g_variant_get (arguments, "(&s)", &name);
  if (!g_file_get_contents ("/proc/self/maps", &maps, NULL, error))
    return NULL;
  return g_variant_new_boolean (strstr (maps, name) != NULL);
}

const MisbehavingFunction misbehaving_escape_functions[] = {
  { "escape", "(ss)", escape_cb, NULL },
  { "escape-type", "*", type_cb, NULL },
  { "has-mapping", "(s)", has_mapping_cb, NULL },
  { NULL, NULL, NULL, NULL },
};
