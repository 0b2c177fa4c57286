/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The filter of system calls.
 *
 *   everywhere     no typing into the terminal of whoever started the application; no network but
 *                  what a namespace is around; no io_uring, which passes by this filter
 *   read-only      nothing that has to do with the running system, with other processes' memory,
 *                  with namespaces; no attributes of files; no network at all, no new connection
 *   strict         no sockets but those that are there, no process, no program
 *
 * "No program" has to let one through, the worker's own, which is executed after the filter is in
 * force. So execve() is not refused but asked about: whoever listens says yes, until one succeeds.
 * Here that is a thread of this very process, which the execve() that succeeds puts an end to; with
 * it closes the descriptor that it listens on, and for want of a listener the kernel refuses all
 * that comes later (ENOSYS). So there is nobody left who could be talked into one more yes. Nobody
 * may take that place either: a filter of the worker's own, with a listener of its own, would be
 * asked instead of this one.
 *
 * What is refused fails with EPERM; clone3(), whose flags lie in memory where a filter can't look,
 * with ENOSYS, so that everybody takes clone(). So does openat2(), where the flags matter.
 */

#include "config.h"

#include "dray-confine.h"

#include <errno.h>
#include <sys/prctl.h>

#ifdef HAVE_LIBSECCOMP

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSED SCMP_ACT_ERRNO (EPERM)
#define SOCKET_TYPE_MASK 0xf

#ifndef TIOCLINUX
#define TIOCLINUX 0x541c
#endif

/* Calls since Linux 5.1 have the same numbers on all architectures, but for where some of those
 * begin to count. */
#define NEW_CALL(number) (SYS_pidfd_open - 434 + (number))

/* Neither a reader of files nor anything else that only computes has any use for these. Names, as
 * the library may know some that its header does not, and the other way round. */
static const char *const of_the_system[] = {
  "acct",
  "add_key",
  "adjtimex",
  "bpf",
  "chroot",
  "clock_adjtime",
  "clock_adjtime64",
  "clock_settime",
  "clock_settime64",
  "delete_module",
  "fanotify_init",
  "finit_module",
  "fsconfig",
  "fsmount",
  "fsopen",
  "fspick",
  "init_module",
  "ioperm",
  "iopl",
  "kcmp",
  "kexec_file_load",
  "kexec_load",
  "keyctl",
  "lookup_dcookie",
  "mount",
  "mount_setattr",
  "move_mount",
  "move_pages",
  "name_to_handle_at",
  "nfsservctl",
  "open_by_handle_at",
  "open_tree",
  "open_tree_attr",
  "perf_event_open",
  "pidfd_getfd",
  "pivot_root",
  "process_madvise",
  "process_mrelease",
  "process_vm_readv",
  "process_vm_writev",
  "ptrace",
  "quotactl",
  "quotactl_fd",
  "reboot",
  "request_key",
  "setdomainname",
  "sethostname",
  "setns",
  "settimeofday",
  "stime",
  "swapoff",
  "swapon",
  "sysfs",
  "syslog",
  "umount",
  "umount2",
  "unshare",
  "uselib",
  "userfaultfd",
  "ustat",
  "vhangup",
  "vm86",
  "vm86old",
};

/* What is asked for in memory, where a filter can't look. */
static const char *const of_io_uring[] = {
  "io_uring_enter", "io_uring_register", "io_uring_setup",
};

static const char *const of_sockets[] = {
  "accept", "accept4", "bind", "connect", "listen", "socket", "socketcall",
};

/* Without namespaces, other processes can be named. */
static const char *const of_other_processes[] = {
  "pidfd_open", "pidfd_send_signal", "rt_tgsigqueueinfo", "tkill",
};

/* Nor are their queues and memory in a file system, where Landlock would look. */
static const char *const of_shared_queues[] = {
  "ipc",
  "mq_getsetattr",
  "mq_notify",
  "mq_open",
  "mq_timedreceive",
  "mq_timedreceive_time64",
  "mq_timedsend",
  "mq_timedsend_time64",
  "mq_unlink",
  "msgctl",
  "msgget",
  "msgrcv",
  "msgsnd",
  "semctl",
  "semget",
  "semop",
  "semtimedop",
  "semtimedop_time64",
  "shmat",
  "shmctl",
  "shmdt",
  "shmget",
};

/* What belongs to a file is its owner's to change, who need not have it open for writing. */
static const char *const of_attributes[] = {
  "file_setattr", "fremovexattr",  "fsetxattr", "lremovexattr", "lsetxattr",
  "removexattr",  "removexattrat", "setxattr",  "setxattrat",
};

/* Those of them that the library may be too old to know. */
static const struct
{
  const char *name;
  int number;
} new_calls[] = {
  { "file_setattr", NEW_CALL (469) },
  { "open_tree_attr", NEW_CALL (467) },
  { "removexattrat", NEW_CALL (466) },
  { "setxattrat", NEW_CALL (463) },
};

/* What this system calls it; __NR_SCMP_ERROR: nobody knows. */
static int
find_number (const char *name)
{
  const int number = seccomp_syscall_resolve_name (name);

  for (size_t i = 0; i < sizeof new_calls / sizeof new_calls[0] && number == __NR_SCMP_ERROR; i++)
    if (strcmp (new_calls[i].name, name) == 0)
      return new_calls[i].number;
  return number;
}

/* Each of these functions returns 0 or a negative errno. */

static int
refuse (scmp_filter_ctx filter, const char *name)
{
  const int number = find_number (name);

  return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add (filter, REFUSED, number, 0);
}

static int
refuse_all (scmp_filter_ctx filter, const char *const *names, size_t n_names)
{
  int result = 0;

  for (size_t i = 0; i < n_names && result == 0; i++)
    result = refuse (filter, names[i]);
  return result;
}

#define REFUSE_ALL(filter, names) refuse_all (filter, names, sizeof (names) / sizeof (names)[0])

/* What ioctl() or fcntl() is told to do, which is its second argument. */
static int
refuse_commands (scmp_filter_ctx filter, int call, const unsigned int *commands, size_t n_commands)
{
  int result = 0;

  for (size_t i = 0; i < n_commands && result == 0; i++)
    result = seccomp_rule_add (filter, REFUSED, call, 1,
                               SCMP_A1 (SCMP_CMP_MASKED_EQ, 0xffffffffu, commands[i]));
  return result;
}

#define REFUSE_COMMANDS(filter, call, commands) \
  refuse_commands (filter, SCMP_SYS (call), commands, sizeof (commands) / sizeof (commands)[0])

/* A character that is put into a terminal's input is a command to the shell there. */
static int
refuse_typing (scmp_filter_ctx filter)
{
  static const unsigned int commands[] = { TIOCSTI, TIOCLINUX };

  return REFUSE_COMMANDS (filter, ioctl, commands);
}

/* Sockets of other families than AF_UNIX, which only reaches what the file system leads to. */
static int
refuse_network (scmp_filter_ctx filter)
{
  return seccomp_rule_add (filter, REFUSED, SCMP_SYS (socket), 1,
                           SCMP_A0 (SCMP_CMP_NE, AF_UNIX, 0));
}

/* Sockets that may reach out of a namespace without a network, as one to the machine does which
 * this one is a part of (AF_VSOCK): of all families but those that are known not to. */
static int
refuse_other_networks (scmp_filter_ctx filter)
{
  const scmp_datum_t last = AF_NETLINK;
  int result
    = seccomp_rule_add (filter, REFUSED, SCMP_SYS (socket), 1, SCMP_A0 (SCMP_CMP_GT, last, 0));

  for (scmp_datum_t family = 0; family < last && result == 0; family++)
    if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
      result = seccomp_rule_add (filter, REFUSED, SCMP_SYS (socket), 1,
                                 SCMP_A0 (SCMP_CMP_EQ, family, 0));
  return result;
}

/* What is connected already goes on working; a datagram can name whom it goes to. (SOCK_RAW is
 * another name for that.) */
static int
refuse_connecting (scmp_filter_ctx filter)
{
  static const int calls[] = { SCMP_SYS (socket), SCMP_SYS (socketpair) };
  static const int types[] = { SOCK_DGRAM, SOCK_RAW };
  int result = refuse (filter, "connect");

  for (int i = 0; i < 4 && result == 0; i++)
    result = seccomp_rule_add (
      filter, REFUSED, calls[i / 2], 1,
      SCMP_A1 (SCMP_CMP_MASKED_EQ, SOCKET_TYPE_MASK, (scmp_datum_t) types[i % 2]));
  return result;
}

static int
refuse_namespaces (scmp_filter_ctx filter)
{
  static const int flags[] = { CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS,
                               CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS };
  int result = seccomp_rule_add (filter, SCMP_ACT_ERRNO (ENOSYS), SCMP_SYS (clone3), 0);

  for (size_t i = 0; i < sizeof flags / sizeof flags[0] && result == 0; i++)
    result = seccomp_rule_add (
      filter, REFUSED, SCMP_SYS (clone), 1,
      SCMP_A0 (SCMP_CMP_MASKED_EQ, (scmp_datum_t) flags[i], (scmp_datum_t) flags[i]));
  return result;
}

/* Another personality switches protections of memory off. Asking for the present one is allowed. */
static int
refuse_personalities (scmp_filter_ctx filter)
{
  return seccomp_rule_add (filter, REFUSED, SCMP_SYS (personality), 1,
                           SCMP_A0 (SCMP_CMP_NE, 0xffffffffu, 0));
}

/* To whom a file belongs is sent a signal when there is something to be read, and whoever has the
 * file open says to whom, and which signal. */
static int
refuse_owners (scmp_filter_ctx filter)
{
  static const unsigned int commands[] = { F_SETOWN, F_SETOWN_EX };
  static const unsigned int commands_for_sockets[] = { FIOSETOWN, SIOCSPGRP };
  int result = REFUSE_COMMANDS (filter, fcntl, commands);

  if (result == 0)
    result = REFUSE_COMMANDS (filter, fcntl64, commands);
  if (result == 0)
    result = REFUSE_COMMANDS (filter, ioctl, commands_for_sockets);
  return result;
}

/* Signals to anybody but this process, where nothing else keeps it from that. */
static int
refuse_signals (scmp_filter_ctx filter)
{
  static const int calls[] = { SCMP_SYS (kill), SCMP_SYS (tgkill), SCMP_SYS (rt_sigqueueinfo) };
  const scmp_datum_t self = (scmp_datum_t) getpid ();
  int result = REFUSE_ALL (filter, of_other_processes);

  if (result == 0)
    result = refuse_owners (filter);
  for (int i = 0; i < 3 && result == 0; i++)
    result = seccomp_rule_add (filter, REFUSED, calls[i], 1, SCMP_A0 (SCMP_CMP_NE, self, 0));
  return result;
}

/* A limit of processor time that is set to nothing is as good as a signal, and nothing but this
 * keeps a process from setting it for another one. Its own limits are getrlimit()'s and
 * setrlimit()'s, which do not name it. */
static int
refuse_limits (scmp_filter_ctx filter)
{
  return seccomp_rule_add (filter, REFUSED, SCMP_SYS (prlimit64), 1,
                           SCMP_A0 (SCMP_CMP_NE, 0, 0));
}

/* The same as of_attributes, in another way; and that a file can't be written to any more. */
static int
refuse_flags (scmp_filter_ctx filter)
{
  static const unsigned int commands[] = { FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR,
                                           FS_IOC_ENABLE_VERITY };

  return REFUSE_COMMANDS (filter, ioctl, commands);
}

/* The ways to shorten a file that is not open for writing. Namespaces are none to what is open
 * already: its path in /proc/self/fd leads to where it was opened, outside. The flags of openat2()
 * lie in memory. */
static int
refuse_shortening (scmp_filter_ctx filter)
{
  static const int modes[] = { O_RDONLY, O_ACCMODE };
  const int newest = seccomp_syscall_resolve_name ("openat2");
  int result = refuse (filter, "truncate");

  if (result == 0)
    result = refuse (filter, "truncate64");
  if (result == 0 && newest != __NR_SCMP_ERROR)
    result = seccomp_rule_add (filter, SCMP_ACT_ERRNO (ENOSYS), newest, 0);
  for (int i = 0; i < 2 && result == 0; i++)
    {
      const scmp_datum_t mask = O_ACCMODE | O_TRUNC;
      const scmp_datum_t flags = (scmp_datum_t) (modes[i] | O_TRUNC);

      result = seccomp_rule_add (filter, REFUSED, SCMP_SYS (open), 1,
                                 SCMP_A1 (SCMP_CMP_MASKED_EQ, mask, flags));
      if (result == 0)
        result = seccomp_rule_add (filter, REFUSED, SCMP_SYS (openat), 1,
                                   SCMP_A2 (SCMP_CMP_MASKED_EQ, mask, flags));
    }
  return result;
}

/* Of all filters that would ask, the kernel asks the listener of the newest. */
static int
refuse_listening (scmp_filter_ctx filter)
{
  return seccomp_rule_add (filter, REFUSED, SCMP_SYS (seccomp), 1,
                           SCMP_A1 (SCMP_CMP_MASKED_EQ, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                                    SECCOMP_FILTER_FLAG_NEW_LISTENER));
}

static int
refuse_processes (scmp_filter_ctx filter)
{
  int result = refuse (filter, "fork");

  if (result == 0)
    result = refuse (filter, "vfork");
  if (result == 0)
    result = seccomp_rule_add (filter, REFUSED, SCMP_SYS (clone), 1,
                               SCMP_A0 (SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  if (result == 0)
    result = seccomp_rule_add (filter, SCMP_ACT_NOTIFY, SCMP_SYS (execve), 0);
  if (result == 0)
    result = seccomp_rule_add (filter, SCMP_ACT_NOTIFY, SCMP_SYS (execveat), 0);
  return result;
}

static int
fill (scmp_filter_ctx filter, Preset preset, int bare)
{
  int result = refuse_typing (filter);

  if (result == 0)
    result = REFUSE_ALL (filter, of_io_uring);
  if (result == 0 && preset == PRESET_NO_NETWORK && !bare)
    result = refuse_other_networks (filter);
  else if (result == 0 && preset != PRESET_STRICT)
    result = refuse_network (filter);
  if (result != 0 || preset == PRESET_NO_NETWORK)
    return result;

  result = REFUSE_ALL (filter, of_the_system);
  if (result == 0)
    result = REFUSE_ALL (filter, of_attributes);
  if (result == 0)
    result = refuse_flags (filter);
  if (result == 0)
    result = refuse_namespaces (filter);
  if (result == 0)
    result = refuse_personalities (filter);
  if (result == 0)
    result = refuse_connecting (filter);
  if (result == 0 && bare && !can_confine_signals ())
    result = refuse_signals (filter);
  if (result == 0 && bare)
    result = refuse_limits (filter);
  if (result == 0 && bare)
    result = REFUSE_ALL (filter, of_shared_queues);
  if (result == 0 && !can_confine_shortening ())
    result = refuse_shortening (filter);
  if (result == 0 && preset == PRESET_STRICT)
    result = REFUSE_ALL (filter, of_sockets);
  if (result == 0 && preset == PRESET_STRICT)
    result = refuse_processes (filter);
  if (result == 0 && preset == PRESET_STRICT)
    result = refuse_listening (filter);
  return result;
}

/* --- Who says yes --- */

static int listener[2]; /* a pipe, through which the thread gets its descriptor */

/* Answers one question, with memory of its own, which has to be empty each time. Returns 0 where
 * none can come any more. Whoever asked may be stopped meanwhile, and asks again. */
static int
say_yes_to_next (int fd)
{
  struct seccomp_notif *question = NULL;
  struct seccomp_notif_resp *answer = NULL;
  int goes_on = 0;

  if (seccomp_notify_alloc (&question, &answer) == 0)
    {
      goes_on = 1;
      if (seccomp_notify_receive (fd, question) == 0)
        {
          answer->id = question->id;
          answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
          seccomp_notify_respond (fd, answer);
        }
      else
        {
          goes_on = errno == EINTR || errno == ENOENT;
        }
    }
  seccomp_notify_free (question, answer);
  return goes_on;
}

/* There is one for each place in which the program is looked for. Whichever is executed ends this
 * thread before it does anything, so all that is asked here is asked by this very program. */
static void *
say_yes (void *data)
{
  int fd = -1;

  if (read (listener[0], &fd, sizeof fd) == sizeof fd)
    while (say_yes_to_next (fd))
      ;
  for (;;)
    pause ();
  return NULL;
}

/* Before the filter: the thread is none of those that it holds for. */
static int
start_listener (void)
{
  pthread_t thread;
  sigset_t all, before;
  int result;

  if (pipe2 (listener, O_CLOEXEC) != 0)
    return errno;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  result = pthread_create (&thread, NULL, say_yes, NULL);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  return result;
}

static int
pass_listener (scmp_filter_ctx filter)
{
  const int fd = seccomp_notify_fd (filter);

  if (fd < 0)
    return -fd;
  return write (listener[1], &fd, sizeof fd) == sizeof fd ? 0 : errno;
}

int
confine_calls (Preset preset, int bare)
{
  scmp_filter_ctx filter = seccomp_init (SCMP_ACT_ALLOW);
  const int asks = preset == PRESET_STRICT;
  int result = filter != NULL ? 0 : ENOMEM;

  if (result == 0)
    result = -fill (filter, preset, bare);
  if (result == 0 && asks)
    result = start_listener ();
  if (result == 0)
    {
      seccomp_attr_set (filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
      result = -seccomp_load (filter);
    }
  if (result == 0 && asks)
    result = pass_listener (filter);
  if (filter != NULL)
    seccomp_release (filter);
  return result;
}

int
can_confine_calls (void)
{
  return 1;
}

#else

int
confine_calls (Preset preset, int bare)
{
  return ENOSYS;
}

int
can_confine_calls (void)
{
  return 0;
}

#endif
