/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Landlock, by its system calls: the C library has no functions for them, and the headers of the
 * machine that builds this may be older than the kernel of the one that runs it. So all that is
 * needed is defined here, and what the running kernel does not know is left out.
 *
 *   version  brings
 *   1        files
 *   2        moving a file into another folder
 *   3        shortening a file
 *   4        TCP
 *   5        commands to devices
 *   6        signals, and abstract sockets, to processes outside
 *
 * What is not allowed by a rule is forbidden. There is no rule that takes something away again.
 */

#include "config.h"

#include "dray-confine.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers are the same on all architectures. */
#define CALL_CREATE_RULESET 444
#define CALL_ADD_RULE 445
#define CALL_RESTRICT_SELF 446

#define CREATE_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_ALL_OF_VERSION_1 ((1ull << 13) - 1)
#define FS_MAKE_CHAR (1ull << 6)
#define FS_MAKE_BLOCK (1ull << 11)
#define FS_REFER (1ull << 13)
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)

#define NET_ALL ((1ull << 2) - 1)
#define SCOPE_ABSTRACT_SOCKETS (1ull << 0)
#define SCOPE_ALL ((1ull << 2) - 1)

#define READ (FS_READ_FILE | FS_READ_DIR)
/* Devices are never made, and their commands never given: no command to a terminal either. */
#define READ_WRITE (~0ull & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV | FS_EXECUTE))
#define ON_A_FILE (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)

typedef struct
{
  uint64_t fs;
  uint64_t net;
  uint64_t scoped;
} Ruleset;

typedef struct __attribute__ ((packed))
{
  uint64_t access;
  int32_t parent_fd;
} PathRule;

/* What the kernel of that version can handle. */
static uint64_t
get_known_access (int version)
{
  uint64_t known = FS_ALL_OF_VERSION_1;

  if (version >= 2)
    known |= FS_REFER;
  if (version >= 3)
    known |= FS_TRUNCATE;
  if (version >= 5)
    known |= FS_IOCTL_DEV;
  return known;
}

static Ruleset
get_ruleset (Preset preset, int bare, int version)
{
  Ruleset ruleset = { 0 };

  /* Without a network, all else is as it is outside. */
  if (preset != PRESET_NO_NETWORK)
    ruleset.fs = get_known_access (version);
  if (version >= 4 && (bare || preset != PRESET_NO_NETWORK))
    ruleset.net = NET_ALL;
  if (version >= 6)
    ruleset.scoped = preset == PRESET_NO_NETWORK ? SCOPE_ABSTRACT_SOCKETS : SCOPE_ALL;
  return ruleset;
}

static uint64_t
get_access (Preset preset, int bare, char kind)
{
  /* In a strict sandbox there is nothing to be executed but the worker. */
  const uint64_t execute = preset == PRESET_STRICT ? 0 : FS_EXECUTE;

  switch (kind)
    {
    case RULE_READ:
      return READ | execute;
    case RULE_WRITE:
      return READ_WRITE | execute;
    case RULE_EXECUTE:
      return READ | FS_EXECUTE;
    case RULE_PRIVATE_READ:
      return bare ? 0 : READ;
    case RULE_PRIVATE_WRITE:
      return bare ? 0 : READ_WRITE | execute;
    default:
      return 0;
    }
}

/* Returns 0 or an errno. */
static int
add_rule (int ruleset_fd, uint64_t access, uint64_t known, const char *path)
{
  PathRule rule = { .access = access & known };
  struct stat status;
  int result = 0;

  if (rule.access == 0)
    return 0;

  rule.parent_fd = open (path, O_PATH | O_CLOEXEC);
  if (rule.parent_fd < 0)
    return errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP ? 0 : errno;

  if (fstat (rule.parent_fd, &status) == 0 && !S_ISDIR (status.st_mode))
    rule.access &= ON_A_FILE;
  if (syscall (CALL_ADD_RULE, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) != 0)
    result = errno;
  close (rule.parent_fd);
  return result;
}

static long
get_version (void)
{
  return syscall (CALL_CREATE_RULESET, NULL, 0, CREATE_VERSION);
}

int
can_confine_signals (void)
{
  return get_version () >= 6;
}

int
can_confine_shortening (void)
{
  return get_version () >= 3;
}

int
confine_files (Preset preset, int bare, char *const *rules, int n_rules)
{
  const long version = get_version ();
  Ruleset ruleset;
  long fd;
  int result = 0;

  if (version < 0)
    return errno;

  ruleset = get_ruleset (preset, bare, (int) version);
  if (ruleset.fs == 0 && ruleset.net == 0 && ruleset.scoped == 0)
    return 0;

  fd = syscall (CALL_CREATE_RULESET, &ruleset, sizeof ruleset, 0);
  if (fd < 0)
    return errno;

  for (int i = 0; i < n_rules && result == 0 && ruleset.fs != 0; i++)
    result = add_rule ((int) fd, get_access (preset, bare, rules[i][0]), ruleset.fs, rules[i] + 2);
  if (result == 0 && prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    result = errno;
  if (result == 0 && syscall (CALL_RESTRICT_SELF, (int) fd, 0) != 0)
    result = errno;
  close ((int) fd);
  return result;
}
