/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "misbehaving.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * What maps call: "step" takes a number, what to do, and a file (or nothing) in which a line is
 * added for each call that is begun. It returns the number after the given one.
 */

static void
note (const char *path, gint64 number)
{
  g_autofree char *line = g_strdup_printf ("%" G_GINT64_FORMAT "\n", number);
  int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  if (fd < 0)
    return;
  if (write (fd, line, strlen (line)) < 0)
    _exit (9);
  close (fd);
}

static void
spin (gint64 microseconds)
{
  gint64 end = g_get_monotonic_time () + microseconds;

  while (g_get_monotonic_time () < end)
    ;
}

static void
leave_cb (GCancellable *cancellable, gpointer data)
{
  _exit (8);
}

/* Returns: FALSE if @what is not one of these */
static gboolean
end_so (DrayJob *job, const char *what)
{
  if (g_str_equal (what, "exit"))
    _exit (3);
  else if (g_str_equal (what, "kill"))
    raise (SIGKILL);
  else if (g_str_equal (what, "crash"))
    misbehaving_raise_by_default (SIGSEGV);
  else if (g_str_equal (what, "exit-at-first") && dray_job_get_attempt (job) == 1)
    _exit (3);
  else if (g_str_equal (what, "forget")
           || (g_str_equal (what, "forget-at-first") && dray_job_get_attempt (job) == 1))
    misbehaving_forget_outcomes ();
  else
    return FALSE;

  return TRUE;
}

static void
do_so (DrayJob *job, const char *what)
{
  if (g_str_equal (what, "emit"))
    {
      dray_job_set_progress (job, 0.5, "halfway");
      if (!dray_job_emit (job, g_variant_new_string ("nobody hears this")))
        _exit (7);
    }
  else if (g_str_equal (what, "spin"))
    spin (3000);
  else if (g_str_equal (what, "exit-when-cancelled"))
    {
      g_signal_connect (dray_job_get_cancellable (job), "cancelled", G_CALLBACK (leave_cb), NULL);
      misbehaving_pause_for_ever ();
    }
  else if (g_str_equal (what, "connect"))
    g_signal_connect (dray_job_get_cancellable (job), "cancelled", G_CALLBACK (leave_cb), NULL);
}

static GVariant *
step_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  gint64 number;
  const char *what, *path;

  g_variant_get (arguments, "(x&s&s)", &number, &what, &path);
  if (*path != '\0')
    note (path, number);
  if (*what == '\0')
    return g_variant_new_int64 (number + 1);

  if (g_str_equal (what, "block"))
    return misbehaving_block (job, error);
  if (g_str_equal (what, "signal"))
    return misbehaving_wait_for_signal (job, error);
  if (g_str_equal (what, "large"))
    return g_variant_new_take_string (g_strnfill (100000, 'x'));
  if (g_str_equal (what, "10000") || g_str_equal (what, "25000"))
    return g_variant_new_take_string (g_strnfill (strtoul (what, NULL, 10), 'x'));
  if (g_str_equal (what, "nothing"))
    return NULL;
  if (g_str_equal (what, "fail"))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no %" G_GINT64_FORMAT, number);
      return NULL;
    }
  if (g_str_equal (what, "fail-at-length"))
    {
      g_autofree char *message = g_strnfill (40000, 'x');

      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY, message);
      return NULL;
    }
  if (g_str_equal (what, "id"))
    return g_variant_new_uint64 (dray_job_get_id (job));

  if (!end_so (job, what))
    do_so (job, what);
  return g_variant_new_int64 (number + 1);
}

/* Says of a whole chunk, whose number is that of its first call, what can't be. */
static GVariant *
false_outcomes_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const struct
  {
    guint32 magic;
    guint8 version;
    guint8 type;
    guint16 flags;
    guint64 task_id;
    guint32 attempt;
    guint32 length;
    guint32 n_outcomes;
    guint32 n_returned;
    guint64 busy;
  } frame = {
    .magic = 0x59415244,
    .version = 1,
    .type = 13,
    .task_id = dray_job_get_id (job),
    .attempt = dray_job_get_attempt (job),
    .length = 16,
    .n_returned = 1000000,
  };

  misbehaving_write_raw (&frame, sizeof frame);

  return misbehaving_block (job, error);
}

const MisbehavingFunction misbehaving_map_functions[] = {
  { "false-outcomes", "*", false_outcomes_cb, NULL },
  { "step", "(xss)", step_cb, NULL },
  { NULL, NULL, NULL, NULL },
};
