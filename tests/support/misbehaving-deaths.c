/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "misbehaving.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Dying: in each way there is, at a moment that the worker itself or a test chooses. What a test
 * chooses is told by SIGUSR1, whatever the worker does then.
 */

/* Ways */

static void
die_by_abort (void)
{
  signal (SIGABRT, SIG_DFL);
  abort ();
}

static void
die_by_kill (void)
{
  kill (getpid (), SIGKILL);
}

static void
die_by_crash (void)
{
  misbehaving_raise_by_default (SIGSEGV);
}

/* The sanitizers have something to say at a proper exit, and a status of their own for it. */
#ifdef __SANITIZE_ADDRESS__
#define leave _exit
#else
#define leave exit
#endif

static void
die_by_exit_0 (void)
{
  leave (0);
}

static void
die_by_exit_3 (void)
{
  leave (3);
}

/* There is no memory for this, and g_malloc() gives up. AddressSanitizer would make a report of
 * that, which nobody wants: so there it is done as g_malloc() does it. There is memory for all
 * others: a thread that reads something large would end the worker in its own way, and might come
 * first. */
static void
die_without_memory (void)
{
  signal (SIGTRAP, SIG_DFL);
  signal (SIGABRT, SIG_DFL);
#ifndef __SANITIZE_ADDRESS__
  for (;;)
    memset (g_malloc (G_MAXSSIZE), 1, 1);
#else
  g_error ("there is no more memory");
#endif
}

static int n_allocated; /* atomic: MiB */

static gpointer
allocate_cb (gpointer data)
{
  for (;;)
    {
      memset (g_malloc (1 << 20), 1, 1 << 20);
      if (g_atomic_int_add (&n_allocated, 1) > 200)
        misbehaving_pause_for_ever ();
    }

  return NULL;
}

/* As the kernel kills who takes too much: in the midst of taking it. */
static void
die_by_oom_killer (void)
{
  g_thread_unref (g_thread_new ("allocates", allocate_cb, NULL));
  while (g_atomic_int_get (&n_allocated) < 8)
    g_thread_yield ();
  kill (getpid (), SIGKILL);
}

void
misbehaving_die (const char *way)
{
  static const struct
  {
    const char *name;
    void (*die) (void);
  } ways[] = {
    { "kill", die_by_kill },      { "crash", die_by_crash },   { "abort", die_by_abort },
    { "exit-0", die_by_exit_0 },  { "exit-3", die_by_exit_3 }, { "memory", die_without_memory },
    { "oom", die_by_oom_killer },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    if (g_str_equal (ways[i].name, way))
      {
        ways[i].die ();
        misbehaving_pause_for_ever ();
      }

  g_error ("there is no way to die “%s”", way);
}

void
misbehaving_die_once (const char *way, const char *path)
{
  int fd = *path != '\0' ? open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

  if (fd < 0 && *path != '\0')
    return;
  if (fd >= 0)
    close (fd);
  misbehaving_die (way);
}

/* Moments */

static int trap_fds[2]; /* a pipe, from the handler to the thread that dies */

#ifdef __SANITIZE_THREAD__

/* ThreadSanitizer keeps a signal back until the thread calls a function that it watches; and one
 * that waits for a lock of GLib's calls none. So it does not learn of this handler, which it would
 * not like to be in at any moment either. */
extern int __sigaction (int number, const struct sigaction *action, struct sigaction *old);
#define sigaction(number, action, old) __sigaction (number, action, old)
#define IN_HANDLER __attribute__ ((no_sanitize ("thread")))
#define write(fd, bytes, size) syscall (SYS_write, fd, bytes, size)

#else
#define IN_HANDLER
#endif

IN_HANDLER static void
signal_cb (int signal_number)
{
  if (write (trap_fds[1], "", 1) != 1)
    _exit (EXIT_FAILURE);
}

/* From a thread of its own, whatever locks the others hold at that moment. */
static gpointer
trapped_cb (gpointer way)
{
  char byte;

  while (read (trap_fds[0], &byte, 1) != 1)
    ;
  misbehaving_die (way);

  return NULL;
}

/* The signal may come to any thread, also to one of the library's that was started just now. */
static void
set_trap (const char *way)
{
  const struct sigaction action = { .sa_handler = signal_cb, .sa_flags = SA_RESTART };

  if (pipe (trap_fds) != 0)
    g_error ("There is no pipe");
  g_thread_unref (g_thread_new ("trap", trapped_cb, g_strdup (way)));
  sigaction (SIGUSR1, &action, NULL);
}

static GVariant *
trap_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *way;
  guint32 size;

  g_variant_get (arguments, "(&su)", &way, &size);
  set_trap (way);
  return g_variant_new ("(u@ay)", (guint32) getpid (), misbehaving_new_bytes (size));
}

static GVariant *
trap_and_block_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *way;
  guint32 size;

  g_variant_get (arguments, "(&su)", &way, &size);
  set_trap (way);
  dray_job_emit (job, misbehaving_new_bytes (size));
  dray_job_set_progress (job, -1, "trapped");
  return misbehaving_block (job, error);
}

/* The library writes that, and waits where nobody reads. */
static GVariant *
trap_and_send_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *way;
  guint32 n_items, item_size, size;

  g_variant_get (arguments, "(&suuu)", &way, &n_items, &item_size, &size);
  set_trap (way);
  dray_job_set_progress (job, -1, "trapped");
  for (guint32 i = 0; i < n_items && !dray_job_is_cancelled (job); i++)
    dray_job_emit (job, misbehaving_new_bytes (item_size));

  return misbehaving_new_bytes (size);
}

/* What was written of the result is what a death in the midst of writing leaves. */
static GVariant *
die_in_result_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *way;
  guint32 size;

  g_variant_get (arguments, "(&su)", &way, &size);
  misbehaving_write_half_frame (job, size);
  misbehaving_die (way);

  return NULL;
}

/* Puts on record that it was begun, and dies. */
static GVariant *
record_and_die_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *way, *path;
  guint32 number;

  g_variant_get (arguments, "(u&s&s)", &number, &path, &way);
  misbehaving_record (path, number);
  misbehaving_die (way);

  return NULL;
}

const MisbehavingFunction misbehaving_death_functions[] = {
  { "die-in-result", "(su)", die_in_result_cb, NULL },
  { "record-and-die", "(uss)", record_and_die_cb, NULL },
  { "trap", "(su)", trap_cb, NULL },
  { "trap-and-block", "(su)", trap_and_block_cb, NULL },
  { "trap-and-send", "(suuu)", trap_and_send_cb, NULL },
  { NULL, NULL, NULL, NULL },
};
