/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * What the system does when it is short of something, at the test's word: a call that the kernel
 * refuses. Nothing else in the process is touched by that.
 *
 *   const Refusal refusals[] = { REFUSE (memfd_create, EMFILE), { 0 } };
 *   refusal_run (refusals, try_it_cb, NULL);
 */

#include <glib.h>
#include <sys/syscall.h>

G_BEGIN_DECLS

/* Which of a call's arguments must have a value. */
typedef enum
{
  REFUSE_ALWAYS,
  REFUSE_IF_EQUAL,
  REFUSE_UNLESS_EQUAL,
} RefusalCondition;

typedef struct
{
  guint call; /* SYS_…; 0 ends a list */
  int error;  /* an errno, as which the call fails */
  RefusalCondition condition;
  guint argument; /* from 0 */
  guint32 value;  /* the lower half of it */
} Refusal;

#define REFUSE(name, errno_value)               \
  {                                             \
    .call = SYS_##name, .error = (errno_value), \
  }
#define REFUSE_COMMAND(name, errno_value, command)                                           \
  {                                                                                          \
    .call = SYS_##name, .error = (errno_value), .condition = REFUSE_IF_EQUAL, .argument = 1, \
    .value = (command)                                                                       \
  }
/* An open file is mapped; malloc() is let alone. */
#define REFUSE_MAPPING_FILES                                                            \
  {                                                                                     \
    .call = SYS_mmap, .error = ENOMEM, .condition = REFUSE_UNLESS_EQUAL, .argument = 4, \
    .value = (guint32) -1                                                               \
  }

/* Calls @function on a thread of its own to which the kernel refuses all that is in the list, and
 * waits for it. Returns: FALSE where that can't be had; the function was not called then. */
gboolean refusal_run (const Refusal *refusals, void (*function) (gpointer data), gpointer data);
gboolean refusal_is_possible (void);
/* For a child that is going to be another program: for good, in this thread and in what it
 * executes. Calls nothing but the system. Returns: as above */
gboolean refusal_install (const Refusal *refusals);

G_END_DECLS
