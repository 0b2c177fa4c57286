/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "dray-task.h"

G_BEGIN_DECLS

/* The fields are for the two files that a task is made of; all others use the functions.
 * Everything but the two atomics is written by one thread before the task is sealed, and by none
 * afterwards. */
struct _DrayTask
{
  gatomicrefcount ref_count;
  int sealed; /* atomic, boolean */

  DrayTaskKind kind;
  char *label; /* (owned) (nullable): of a call, the function's name then */
  char *key;   /* (owned) (nullable) */
  int priority;
  guint time_limit; /* milliseconds, 0: none */
  guint max_retries;
  DrayCancelMode cancel_mode;
  gboolean pull;

  /* Calls only. */
  const char *function;     /* (nullable): behind the task itself, in one piece with it */
  GVariant *arguments;      /* (owned) (nullable) (not floating) */
  GUnixFDList *attachments; /* (owned) (nullable): not empty */
  gboolean has_large_arguments;

  /* Commands only. */
  char **argv;         /* (owned) (nullable) */
  char *directory;     /* (owned) (nullable) */
  char **environment;  /* (owned) (nullable) */
  GBytes *input_bytes; /* (owned) (nullable): at most one of this … */
  int input_fd;        /* (owned): … and this; -1 is none */
  DraySplit split;
  DrayEncoding encoding;
  gsize max_record_size; /* bytes */
  gsize max_output_size; /* bytes */
};

/* What a worker's function can be called: UTF-8, and not empty. */
static inline gboolean
dray_task_is_function_name (const char *function)
{
  return function != NULL && *function != '\0' && g_utf8_validate (function, -1, NULL);
}

/* After the first submit a task can't be changed any more; the setters say so. Any thread. */
void dray_task_seal (DrayTask *self);
/* (transfer none): -1 unless an input descriptor was set. The task owns it (a duplicate of the
 * caller's, close-on-exec). */
int dray_task_get_input_fd (DrayTask *self);

static inline gboolean
dray_task_is_sealed (DrayTask *self)
{
  return g_atomic_int_get (&self->sealed);
}

/* From this size on, in bytes, arguments are large. */
#define DRAY_TASK_LARGE ((gsize) 1024 * 1024)

/* Whether it is so for each of its tickets, see dray_ticket_is_heavy(). */
static inline gboolean
dray_task_is_heavy (DrayTask *self)
{
  return self->has_large_arguments || self->attachments != NULL;
}

void dray_task_clear_input (DrayTask *self);

G_END_DECLS
