/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Between the launch helper and the kernel: Landlock is said to be of no higher version than 2, as
 * in Linux 5.19 to 6.1. It knows files then, but not their being shortened, no network, and no
 * signals. What is asked of it beyond that would be an error, and the helper does not ask for it.
 */

#include <stdarg.h>

#define CALL_CREATE_RULESET 444
#define NEWEST_VERSION 2

/* What the linker (--wrap) calls that of the C library, and what is called in its place. */
long __real_syscall (long number, ...);
long __wrap_syscall (long number, ...);

long
__wrap_syscall (long number, ...)
{
  va_list list;
  long arguments[6];
  long result;

  va_start (list, number);
  for (int i = 0; i < 6; i++)
    arguments[i] = va_arg (list, long);
  va_end (list);

  result = __real_syscall (number, arguments[0], arguments[1], arguments[2], arguments[3],
                           arguments[4], arguments[5]);
  /* Without a set of rules, the version is what is asked for. */
  if (number == CALL_CREATE_RULESET && arguments[0] == 0 && result > NEWEST_VERSION)
    result = NEWEST_VERSION;
  return result;
}
