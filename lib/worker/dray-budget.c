/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-budget.h"

#include <sys/resource.h>
#include <time.h>

/*
 * The system counts the processor time of a process from its start, and ends the process when that
 * reaches the limit. What is promised is a limit for each task; a worker that has done ten thousand
 * small ones must not be ended for their sum. So each task moves the limit: to what was used so
 * far, and what a task may use. Only the soft limit is moved, since nobody may raise the hard one
 * again.
 *
 * It is the worker who does that, rather than the application, since behind a prefix the
 * application doesn't know which process the worker is. How much a task may use is in the
 * environment, which goes through most prefixes, as the limit itself does.
 */

#define VARIABLE "DRAY_CPU_TIME"

static guint64
get_budget (void)
{
  static gsize budget; /* one more than that; 0: it was not looked for yet */

  if (g_once_init_enter (&budget))
    {
      const char *text = g_getenv (VARIABLE);

      g_once_init_leave (&budget, text != NULL ? g_ascii_strtoull (text, NULL, 10) + 1 : 1);
    }
  return budget - 1;
}

void
dray_budget_renew (void)
{
  const guint64 seconds = get_budget ();
  struct timespec used;
  struct rlimit limit;
  rlim_t spent;

  if (seconds == 0 || clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &used) != 0
      || getrlimit (RLIMIT_CPU, &limit) != 0)
    return;

  /* The second that has begun is not this task's. */
  spent = (rlim_t) used.tv_sec + 1;
  limit.rlim_cur = spent < limit.rlim_max && seconds < limit.rlim_max - spent
                     ? spent + (rlim_t) seconds
                     : limit.rlim_max;
  setrlimit (RLIMIT_CPU, &limit);
}
