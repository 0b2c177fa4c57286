/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-leash.h"

#include "dray-descriptor.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/*
 * An application that is killed can't see to its commands any more. The kernel can be asked to kill
 * a process with its parent (PR_SET_PDEATHSIG), but that is said of one process only: what a
 * command has started itself would live on. So it is also asked for the whole group, in a way that
 * is made for something else.
 *
 * Whoever waits for a pipe may have a signal sent when something has happened to it (O_ASYNC), and
 * may choose which signal (F_SETSIG), and that a process group gets it (F_SETOWN). Here is a pipe
 * that nobody ever writes to, and both of its ends are in the application alone. All that can
 * happen to it is that it loses one of them; then the other one has the kernel send SIGKILL to the
 * group. When a process ends, in whichever way, the kernel closes its descriptors one after the
 * other. Which of the two is the first does not matter, since both have been told the same.
 *
 *   application            pipe2 (), F_SETSIG, O_ASYNC: on nobody yet
 *     clone () ──>         the child makes its group, and puts it on the leash (F_SETOWN)
 *                          it closes its own two ends, with all others, and executes the command
 *   the command exits      the group is killed; the leash is the next command's
 *   or the application     the kernel closes the leash
 *
 * There is no moment at which the command runs and is not on the leash: it is put on by the child
 * itself, before the program is executed. And from then on only the application has the ends. A
 * process that the application forks closes its own (dray_pool_forked_cb()), and one that it starts
 * has none of them, for they are close-on-exec.
 *
 * A worker is on a leash, too, until it has said hello. Then it sees to its own end, and that of
 * its group, with a moment for what it has to put in order. What never says hello would not: it may
 * be any program. And a worker holds a leash itself, which its group is on: see dray-undertaker.h.
 *
 * What the kernel remembers is the group itself and not its number: when that is given to another
 * one, it is never hit.
 *
 * To make a leash takes ten times as long as to put somebody on it, which is why one is kept. Until
 * then it is still on the group that is gone, and would kill nobody.
 *
 * The kernel sends the signal if this user could: not to a program that got other rights from its
 * file. And where something forbids all this (a sandbox that knows no such fcntl()), the leader of
 * the group dies with the application, and what it has started does not.
 *
 * A process that watches the application, and would have to be told each group, was the other way.
 * It can be killed itself; it has to be started, kept, waited for; and the groups would be numbers.
 */

static void
arm (int fd)
{
  if (fcntl (fd, F_SETSIG, SIGKILL) == 0)
    (void) fcntl (fd, F_SETFL, O_ASYNC);
}

gboolean
dray_leash_open (DrayLeash *self, GError **error)
{
  if (!dray_descriptor_open_pipe (self->fds, error))
    {
      *self = DRAY_LEASH_NONE;
      return FALSE;
    }

  arm (self->fds[0]);
  arm (self->fds[1]);
  return TRUE;
}

gboolean
dray_leash_take (DrayLeash *self, DrayLeash *spare, GError **error)
{
  *self = *spare;
  *spare = DRAY_LEASH_NONE;
  return self->fds[0] >= 0 || dray_leash_open (self, error);
}

void
dray_leash_put_on (DrayLeash *self, pid_t group)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->fds); i++)
    if (self->fds[i] >= 0)
      (void) fcntl (self->fds[i], F_SETOWN, -group);
}

void
dray_leash_take_off (DrayLeash *self)
{
  dray_leash_put_on (self, 0);
}

void
dray_leash_give_back (DrayLeash *self, DrayLeash *spare)
{
  if (spare->fds[0] >= 0)
    {
      dray_leash_close (self);
      return;
    }

  *spare = *self;
  *self = DRAY_LEASH_NONE;
}

void
dray_leash_close (DrayLeash *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (self->fds); i++)
    {
      if (self->fds[i] >= 0)
        close (self->fds[i]);
      self->fds[i] = -1;
    }
}
