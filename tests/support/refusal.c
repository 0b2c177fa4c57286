/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A filter of system calls holds for one thread, until that ends: which is why there is one. It is
 * written in BPF, since libseccomp need not be there:
 *
 *   load the number; if it is not this one: skip what follows
 *     load the argument; if it is (not) the value: return the errno
 *     load the number again
 *   …
 *   return: allowed
 */

#include "config.h"

#include "refusal.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define MAX_REFUSALS 8
#define LOAD(offset) (struct sock_filter) BPF_STMT (BPF_LD | BPF_W | BPF_ABS, (guint32) (offset))
#define SKIP(value, if_equal, otherwise) \
  (struct sock_filter) BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, value, if_equal, otherwise)
#define RETURN(value) (struct sock_filter) BPF_STMT (BPF_RET | BPF_K, value)

#if G_BYTE_ORDER == G_LITTLE_ENDIAN
#define LOWER_HALF 0
#else
#define LOWER_HALF 4
#endif

typedef struct
{
  const Refusal *refusals;
  void (*function) (gpointer data);
  gpointer data;
  gboolean called;
} Run;

gboolean
refusal_install (const Refusal *refusals)
{
  struct sock_filter code[1 + 5 * MAX_REFUSALS + 1];
  struct sock_fprog program = { .filter = code };
  guint16 n = 0;

  code[n++] = LOAD (offsetof (struct seccomp_data, nr));
  for (const Refusal *refusal = refusals; refusal->call != 0; refusal++)
    {
      const gboolean unless = refusal->condition == REFUSE_UNLESS_EQUAL;

      g_assert_cmpuint (refusal - refusals, <, MAX_REFUSALS);
      if (refusal->condition == REFUSE_ALWAYS)
        {
          code[n++] = SKIP (refusal->call, 0, 1);
        }
      else
        {
          code[n++] = SKIP (refusal->call, 0, 4);
          code[n++] = LOAD (offsetof (struct seccomp_data, args)
                            + refusal->argument * sizeof (guint64) + LOWER_HALF);
          code[n++] = SKIP (refusal->value, unless, !unless);
        }
      code[n++] = RETURN (SECCOMP_RET_ERRNO | (guint32) refusal->error);
      if (refusal->condition != REFUSE_ALWAYS)
        code[n++] = LOAD (offsetof (struct seccomp_data, nr));
    }
  code[n++] = RETURN (SECCOMP_RET_ALLOW);
  program.len = n;

  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
         && prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static gpointer
run_cb (gpointer data)
{
  Run *run = data;

  run->called = refusal_install (run->refusals);
  if (run->called)
    run->function (run->data);
  return NULL;
}

gboolean
refusal_run (const Refusal *refusals, void (*function) (gpointer data), gpointer data)
{
  Run run = { refusals, function, data, FALSE };

  /* Valgrind makes calls of its own on the thread. */
  if (g_getenv ("DRAY_TEST_UNDER_VALGRIND") != NULL)
    return FALSE;

  g_thread_join (g_thread_new ("refused", run_cb, &run));
  return run.called;
}

static void
do_nothing_cb (gpointer data)
{
}

gboolean
refusal_is_possible (void)
{
  const Refusal none = { 0 };

  return refusal_run (&none, do_nothing_cb, NULL);
}
