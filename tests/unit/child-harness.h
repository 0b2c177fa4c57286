/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * For the tests of children: a process is described, started on the real I/O thread, and waited
 * for from the thread of the test.
 *
 *   g_auto (Process) process = PROCESS (harness, "sh", "-c", "exit 3");
 *
 *   start (&process);
 *   wait_for_exit (&process);
 *   g_assert_cmpint (process.end.exit_status, ==, 3);
 */

#include "dray-child.h"

#include "fixture.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

G_BEGIN_DECLS

typedef struct
{
  Fixture fixture;

  DrayIoThread *io; /* (owned) */
  DrayIoClient client;

  GMutex lock;
  GCond changed;
  void (*job) (gpointer data); /* (nullable): to be run on the I/O thread */
  gpointer job_data;
} Harness;

typedef struct
{
  Harness *harness; /* (unowned) */
  DraySpawn spawn;
  gboolean reap_at_once; /* as a host with a handler of its own would */

  /* I/O thread only */
  DrayChild *child; /* (owned) (nullable) */
  gboolean spawning;
  int signal_number;

  /* protected by the harness's lock, once it is started */
  GError *error; /* (owned) (nullable) */
  int pid;
  gboolean exited;
  DrayExit end;
} Process;

static inline void
process_clear (Process *self)
{
  g_clear_error (&self->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Process, process_clear)

#define PROCESS(harness_, ...)                                                                    \
  {                                                                                               \
    .harness = (harness_),                                                                        \
    .spawn = {                                                                                    \
      .argv = (const char *const[]) { __VA_ARGS__, NULL },                                        \
      .stdin_fd = -1,                                                                             \
      .stdout_fd = -1,                                                                            \
      .stderr_fd = -1,                                                                            \
      .passage_fd = -1,                                                                           \
      .ring_fd = -1,                                                                              \
    },                                                                                            \
  }

static inline void
wake_cb (DrayIoClient *client)
{
  Harness *self = (gpointer) ((char *) client - G_STRUCT_OFFSET (Harness, client));

  self->job (self->job_data);

  g_mutex_lock (&self->lock);
  self->job = NULL;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* Runs @job on the I/O thread, and waits until it has. */
static inline void
run_on_io_thread (Harness *self, void (*job) (gpointer), gpointer job_data)
{
  self->job = job;
  self->job_data = job_data;
  dray_io_thread_wake (self->io, &self->client);

  g_mutex_lock (&self->lock);
  while (self->job != NULL)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

static inline void
harness_init (Harness *self)
{
  g_autoptr (GError) error = NULL;

  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->client.wake = wake_cb;
  self->io = dray_io_thread_acquire (&error);
  g_assert_no_error (error);
}

static inline void
harness_set_up (Harness *self, gconstpointer data)
{
  fixture_set_up (&self->fixture, data);
  harness_init (self);
}

static inline void
harness_tear_down (Harness *self, gconstpointer data)
{
  dray_io_thread_release (self->io);
  /* After this the thread is gone, and nobody uses the lock. */
  fixture_tear_down (&self->fixture, data);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
}

static inline void
exited_cb (DrayChild *child, gpointer user_data)
{
  Process *self = user_data;

  g_assert_true (dray_io_thread_is_current (self->harness->io));
  g_assert_false (self->spawning);
  g_assert_true (child == self->child);
  g_assert_true (dray_child_has_exited (child));

  const DrayExit end = *dray_child_get_exit (child);

  /* What it left behind goes with it; once it is reaped a signal goes nowhere. */
  dray_child_signal_group (child, SIGKILL);
  dray_child_reap (child);
  dray_child_signal_group (child, SIGKILL);
  g_clear_pointer (&self->child, dray_child_free);

  /* The process may be freed from here on. */
  GMutex *lock = &self->harness->lock;

  g_mutex_lock (lock);
  g_assert_false (self->exited);
  self->exited = TRUE;
  self->end = end;
  g_cond_broadcast (&self->harness->changed);
  g_mutex_unlock (lock);
}

static inline void
spawn_job (gpointer data)
{
  Process *self = data;

  self->spawning = TRUE;
  self->child
      = dray_child_spawn (self->harness->io, &self->spawn, exited_cb, self, &self->error);
  self->spawning = FALSE;
  if (self->child == NULL)
    return;

  g_assert_false (dray_child_has_exited (self->child));
  self->pid = dray_child_get_pid (self->child);
  if (self->reap_at_once)
    g_assert_cmpint (waitpid (self->pid, NULL, 0), ==, self->pid);
}

static inline void
signal_job (gpointer data)
{
  Process *self = data;

  if (self->child != NULL)
    dray_child_signal_group (self->child, self->signal_number);
}

static inline void
start (Process *self)
{
  run_on_io_thread (self->harness, spawn_job, self);
  g_assert_no_error (self->error);
}

static inline void
send_signal (Process *self, int signal_number)
{
  self->signal_number = signal_number;
  run_on_io_thread (self->harness, signal_job, self);
}

static inline void
wait_for_exit (Process *self)
{
  const gint64 deadline = fixture_get_deadline ();

  g_mutex_lock (&self->harness->lock);
  while (!self->exited)
    g_assert_true (g_cond_wait_until (&self->harness->changed, &self->harness->lock, deadline));
  g_mutex_unlock (&self->harness->lock);
}

/* Makes a pipe, of which the child will have the writing end. Returns the reading end. */
static inline int
open_output (Process *self)
{
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_unix_open_pipe (fds, FD_CLOEXEC, &error);
  g_assert_no_error (error);
  self->spawn.stdout_fd = fds[1];
  return fds[0];
}

/* (transfer full): all that comes until nobody has the pipe open for writing. Closes @fd. */
static inline char *
read_all (int fd)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[512];
  gssize size;

  while ((size = read (fd, buffer, sizeof buffer)) > 0)
    g_string_append_len (text, buffer, size);
  g_assert_cmpint (size, ==, 0);
  close (fd);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static inline void
read_line (int fd, const char *expected)
{
  char byte = '\0';

  for (const char *p = expected; *p != '\0'; p++)
    {
      g_assert_cmpint (read (fd, &byte, 1), ==, 1);
      g_assert_cmpint (byte, ==, *p);
    }
}

/* (transfer full): what it wrote to its standard output. */
static inline char *
run (Process *self)
{
  int output = open_output (self);

  start (self);
  close (self->spawn.stdout_fd);

  char *text = read_all (output);

  wait_for_exit (self);
  return text;
}

G_END_DECLS
