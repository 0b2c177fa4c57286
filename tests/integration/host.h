/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The host: an application in a process of its own, for tests that would spoil the one they run
 * in. It is the test program started anew, which then runs one of its parts instead of the tests.
 * What a part finds wrong it says on standard error, and ends with another status than 0; its
 * standard output belongs to the test that started it.
 *
 *   static const HostPart parts[] = { { "closed", run_closed }, … };
 *
 *   int
 *   main (int argc, char **argv)
 *   {
 *     if (host_is_wanted (argc, argv))
 *       return host_run (argv, parts, G_N_ELEMENTS (parts));
 *     …
 */

#include "workshop.h"

G_BEGIN_DECLS

typedef struct
{
  const char *name;
  void (*run) (void);
} HostPart;

/* In the host. */

gboolean host_is_wanted (int argc, char **argv);
/* Returns what main() is to return. */
int host_run (char **argv, const HostPart *parts, guint n_parts);
/* In its place of workshop_new(): an executor of misbehaving workers (transfer full). */
DrayExecutor *host_new_executor (guint max_workers);
/* (transfer none): the misbehaving worker */
const char *host_get_worker (void);
/* That this process looks as it did when the part began. */
void host_assert_settled (void);
/* Shuts the executor down, drops it (it is taken), and asserts the same. */
void host_finish (DrayExecutor *executor);

/* What works in every host: calls; commands, where it leaves its children alone. */
void host_assert_calls (DrayExecutor *executor);
void host_assert_commands (DrayExecutor *executor);
/* (transfer full): how a shell script, which gets @input (nullable), has ended; its output is split
 * into lines. */
WorkshopRecord *host_run_script (DrayExecutor *executor, const char *script, GBytes *input);
/* (transfer full): lines, which are more than fits into a pipe */
#define HOST_N_LINES 5000
GBytes *host_new_large_input (void);

/* In the test. */

/* For how long something may outlive its host, in µs, on an idle machine. */
#define HOST_SURVIVAL (2 * G_TIME_SPAN_SECOND)

/* (transfer full): how the host is started */
char **host_dup_argv (const char *part);

/* Starts the host in a process group of its own, its standard output a pipe (transfer full). */
GSubprocess *host_start (const char *part);
/* Runs a part to its end, and asserts that it found nothing wrong and printed nothing. */
void host_run_to_end (const char *part);

G_END_DECLS
