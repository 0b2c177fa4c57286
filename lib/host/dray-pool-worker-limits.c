/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool-worker-private.h"

#include <glib/gi18n-lib.h>
#include <signal.h>

/*
 * Which limit a worker has met, by how it ended. Of processor time the system says so, with a
 * signal of its own. Where memory is short, nothing does: the function asks for more, is refused,
 * and does what it does then. GLib, and the C++ library, say so and abort; others may crash. So
 * what the worker last said is looked at; and where that tells nothing, and it crashed, the limit
 * is mentioned.
 */

/* The status of a prefix's program whose own child was ended by a signal. */
#define STATUS_OF_SIGNAL 128

static gboolean
was_ended_by (const DrayExit *end, int signal_number)
{
  return end->known
         && (end->signal == signal_number || end->exit_status == STATUS_OF_SIGNAL + signal_number);
}

static gboolean
has_crashed (const DrayExit *end)
{
  return was_ended_by (end, SIGABRT) || was_ended_by (end, SIGTRAP) || was_ended_by (end, SIGSEGV)
         || was_ended_by (end, SIGBUS);
}

/* What is said by GLib, by the C++ library, and by the C library for ENOMEM. */
static gboolean
speaks_of_memory (const char *last_words)
{
  return strstr (last_words, "failed to allocate") != NULL
         || strstr (last_words, "std::bad_alloc") != NULL
         || strstr (last_words, "Cannot allocate memory") != NULL;
}

GError *
dray_pool_worker_describe_limit (DrayPoolWorker *self,
                                 const char *label,
                                 const char *how,
                                 const char *last_words)
{
  const DraySpawnLimits *limits = &self->pool->plan->limits;
  const DrayExit *end = dray_child_get_exit (self->process.child);
  g_autofree char *size = g_format_size_full (limits->address_space, G_FORMAT_SIZE_IEC_UNITS);

  if (limits->cpu_time != G_MAXUINT64 && was_ended_by (end, SIGXCPU))
    {
      g_autofree char *seconds = g_strdup_printf ("%" G_GUINT64_FORMAT, limits->cpu_time);

      /* Translators: the task, a number of seconds, what the worker said. */
      return g_error_new (DRAY_ERROR, DRAY_ERROR_LIMIT_EXCEEDED,
                          _ ("“%s” used more than its limit of %s s of processor time%s"), label,
                             seconds, last_words);
    }

  if (limits->address_space == G_MAXUINT64 || !has_crashed (end))
    return NULL;

  if (speaks_of_memory (last_words))
    /* Translators: the task, a size such as “1.0 GiB”, what the worker said. */
    return g_error_new (DRAY_ERROR, DRAY_ERROR_LIMIT_EXCEEDED,
                        _ ("“%s” needed more than the %s of memory that its worker may use%s"),
                           label, size, last_words);

  /* Translators: the task, how its process ended ("was killed by signal 11 (…)"), a size, what the
   * worker said. */
  return g_error_new (DRAY_ERROR, DRAY_ERROR_WORKER_DIED,
                      _ ("The worker for “%s” %s; it may use no more than %s of memory%s"), label,
                         how, size, last_words);
}
