/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "misbehaving.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

GVariant *misbehaving_initial_arguments;
guint misbehaving_n_calls;

/* Waiting */

void
misbehaving_pause_for_ever (void)
{
  alarm (MISBEHAVING_LIFETIME);
  for (;;)
    pause ();
}

/* Returns: whether @job was cancelled within that time; -1 is for ever */
static gboolean
wait_until_cancelled (DrayJob *job, gint64 milliseconds)
{
  gint64 end = g_get_monotonic_time () + milliseconds * 1000;
  GPollFD fd;

  if (!g_cancellable_make_pollfd (dray_job_get_cancellable (job), &fd))
    return dray_job_is_cancelled (job);

  while (!dray_job_is_cancelled (job))
    {
      gint64 left = end - g_get_monotonic_time ();

      if (milliseconds >= 0 && left <= 0)
        break;
      g_poll (&fd, 1, milliseconds >= 0 ? (left + 999) / 1000 : -1);
    }

  g_cancellable_release_fd (dray_job_get_cancellable (job));

  return dray_job_is_cancelled (job);
}

GVariant *
misbehaving_block (DrayJob *job, GError **error)
{
  wait_until_cancelled (job, -1);
  g_cancellable_set_error_if_cancelled (dray_job_get_cancellable (job), error);

  return NULL;
}

static GVariant *
block_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  dray_job_set_progress (job, -1, "blocked");

  return misbehaving_block (job, error);
}

static GVariant *
sleep_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 milliseconds;

  g_variant_get (arguments, "(u)", &milliseconds);
  if (wait_until_cancelled (job, milliseconds))
    g_cancellable_set_error_if_cancelled (dray_job_get_cancellable (job), error);

  return NULL;
}

void
misbehaving_record (const char *filename, guint32 number)
{
  int fd = open (filename, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

  if (fd < 0 || write (fd, &number, sizeof number) != (gssize) sizeof number)
    g_error ("%s: %s", filename, g_strerror (errno));
  close (fd);
}

/* Whatever it is told. That it was begun is on record before anything else. */
static void
record_and_sleep (guint32 number, guint32 microseconds, const char *filename, gboolean deaf)
{
  misbehaving_record (filename, number);
  if (deaf)
    signal (SIGTERM, SIG_IGN);
  if (microseconds > 0)
    g_usleep (microseconds);
}

static GVariant *
record_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *filename;
  guint32 number, microseconds;
  gboolean deaf;

  g_variant_get (arguments, "(uu&sb)", &number, &microseconds, &filename, &deaf);
  record_and_sleep (number, microseconds, filename, deaf);

  return g_variant_new_uint32 (number);
}

static GVariant *
record_bytes_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *filename;
  guint32 number, microseconds, size;
  gboolean deaf;

  g_variant_get (arguments, "(uu&sbu)", &number, &microseconds, &filename, &deaf, &size);
  record_and_sleep (number, microseconds, filename, deaf);

  return g_variant_new ("(u@ay)", number, misbehaving_new_bytes (size));
}

static GVariant *
ignore_cancel_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  signal (SIGTERM, SIG_IGN);
  dray_job_set_progress (job, -1, "deaf");
  misbehaving_pause_for_ever ();

  return NULL;
}

void
misbehaving_wake_watcher (void)
{
  for (int fd = 3; fd < 256; fd++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
      g_autofree char *target = g_file_read_link (path, NULL);
      struct pollfd unread = { .fd = fd, .events = POLLIN };

      if (g_strcmp0 (target, "anon_inode:[eventfd]") == 0 && eventfd_write (fd, 1) == 0)
        while (poll (&unread, 1, 0) > 0)
          g_usleep (100);
    }
}

/* The channel's input leads somewhere else from now on: nobody can write to the pipe any more, and
 * this process does not notice. There is a pipe that is left alone, with O_ASYNC: this process is
 * killed when it loses that. */
static GVariant *
deaf_channel_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  int nowhere[2];

  if (pipe (nowhere) != 0)
    g_error ("pipe: %s", g_strerror (errno));

  for (int fd = 3; fd < 256; fd++)
    {
      struct stat status;

      if (fd != nowhere[0] && fstat (fd, &status) == 0 && S_ISFIFO (status.st_mode)
          && (fcntl (fd, F_GETFL) & (O_ACCMODE | O_ASYNC)) == O_RDONLY)
        dup2 (nowhere[0], fd);
    }
  misbehaving_wake_watcher ();

  if (g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(u)")))
    {
      guint32 milliseconds;

      g_variant_get (arguments, "(u)", &milliseconds);
      dray_job_set_progress (job, -1, "deaf");
      g_usleep (milliseconds * 1000);
    }

  return NULL;
}

static const char *note_path; /* (unowned) */

static void
note_signal (int signal_number)
{
  int fd = open (note_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  if (fd >= 0)
    close (fd);
}

static GVariant *
note_term_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_variant_get (arguments, "(&s)", &note_path);
  signal (SIGTERM, note_signal);
  dray_job_set_progress (job, -1, "deaf");
  misbehaving_pause_for_ever ();

  return NULL;
}

static void
hang_cb (GCancellable *cancellable, gpointer data)
{
  misbehaving_pause_for_ever ();
}

static GVariant *
hang_in_handler_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_signal_connect (dray_job_get_cancellable (job), "cancelled", G_CALLBACK (hang_cb), NULL);
  dray_job_set_progress (job, -1, "deaf");
  misbehaving_pause_for_ever ();

  return NULL;
}

static GVariant *
leave_hanging_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_signal_connect (dray_job_get_cancellable (job), "cancelled", G_CALLBACK (hang_cb), NULL);

  return block_cb (job, arguments, data, error);
}

/* The C library has each thread do that, by a signal which none of them can block. */
static GVariant *
set_group_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  while (!g_cancellable_set_error_if_cancelled (dray_job_get_cancellable (job), error))
    {
      dray_job_set_progress (job, -1, "changing");
      for (guint i = 0; i < 20; i++)
        if (setegid (getegid ()) != 0)
          g_error ("setegid: %s", g_strerror (errno));
    }

  return NULL;
}

static GVariant *
close_eventfds_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  for (int fd = 3; fd < 256; fd++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (g_strcmp0 (target, "anon_inode:[eventfd]") == 0)
        close (fd);
    }

  dray_job_set_progress (job, -1, "closed");
  while (!g_cancellable_set_error_if_cancelled (dray_job_get_cancellable (job), error))
    g_usleep (1000);

  return NULL;
}

static GVariant *
spin_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  static volatile guint64 n_turns;

  dray_job_set_progress (job, -1, "spinning");
  alarm (MISBEHAVING_LIFETIME);
  for (;;)
    n_turns++;

  return NULL;
}

static GVariant *
block_signals_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  static volatile guint64 n_turns;
  sigset_t all;
  gint64 end = g_get_monotonic_time () + MISBEHAVING_LIFETIME * G_USEC_PER_SEC;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, NULL);
  dray_job_set_progress (job, -1, "deaf");
  while (g_get_monotonic_time () < end)
    n_turns++;

  return NULL;
}

/* Answering */

static GVariant *
echo_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  return g_variant_ref (arguments);
}

static GVariant *
add_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  gint32 a, b;

  g_variant_get (arguments, "(ii)", &a, &b);

  return g_variant_new_int32 (a + b);
}

static GVariant *
null_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  return NULL;
}

static GVariant *
both_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "It failed with a result");

  return g_variant_new_string ("result");
}

static GVariant *
counter_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  return g_variant_new_uint32 (misbehaving_n_calls);
}

static GVariant *
pid_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  return g_variant_new_uint32 (getpid ());
}

static GVariant *
attempt_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  return g_variant_new_uint32 (dray_job_get_attempt (job));
}

static GVariant *
run_again_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  return g_variant_new_int32 (dray_worker_run (dray_job_get_worker (job)));
}

static gpointer
get_current_job_cb (gpointer data)
{
  return dray_job_get_current ();
}

static GVariant *
who_am_i_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  gpointer elsewhere = g_thread_join (g_thread_new ("another", get_current_job_cb, NULL));

  return g_variant_new ("(bbb)", dray_job_get_current () == job,
                        dray_job_get_worker (job) == misbehaving_the_worker, elsewhere == NULL);
}

static GVariant *
cwd_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  return g_variant_new_take_string (g_get_current_dir ());
}

static GVariant *
getenv_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *name;

  g_variant_get (arguments, "(&s)", &name);

  return g_variant_new ("ms", g_getenv (name));
}

static GVariant *
init_args_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  if (misbehaving_initial_arguments == NULL)
    return NULL;

  return g_variant_ref (misbehaving_initial_arguments);
}

static GVariant *
fds_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, error);
  GVariantBuilder builder;
  const char *name;

  if (dir == NULL)
    return NULL;

  /* The descriptor of the listing itself is a link to it. */
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("ai"));
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (target != NULL && !g_str_has_prefix (target, "/proc/"))
        g_variant_builder_add (&builder, "i", atoi (name));
    }

  return g_variant_builder_end (&builder);
}

static GVariant *
touch_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *filename;

  g_variant_get (arguments, "(&s)", &filename);
  g_file_set_contents (filename, "", 0, error);

  return NULL;
}

static GVariant *
fail_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *domain, *message;
  gint32 code;

  g_variant_get (arguments, "(&si&s)", &domain, &code, &message);
  g_set_error_literal (error, g_quark_from_string (domain), code, message);

  return NULL;
}

/* Sending much */

GVariant *
misbehaving_new_bytes (gsize size)
{
  guint8 *data;

  /* Larger ones are for being too large: memory that is never touched costs nothing. */
  if (size > (gsize) 1 << 30)
    {
      data = mmap (NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      g_assert (data != MAP_FAILED);
      return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, NULL, NULL);
    }

  data = g_malloc (size);
  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) i;

  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data);
}

static GVariant *
bytes_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 size;

  g_variant_get (arguments, "(u)", &size);

  return misbehaving_new_bytes (size);
}

static GVariant *
stream_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 n_items, size, n_sent = 0;

  g_variant_get (arguments, "(uu)", &n_items, &size);
  while (n_sent < n_items && dray_job_emit (job, misbehaving_new_bytes (size)))
    n_sent++;

  return g_variant_new_uint32 (n_sent);
}

/* Tells of its progress where no limit of the host's holds it up. */
static GVariant *
counted_stream_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 n_items, size, n_sent = 0;
  const char *filename;
  int fd;

  g_variant_get (arguments, "(uu&s)", &n_items, &size, &filename);
  fd = open (filename, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  while (n_sent < n_items && dray_job_emit (job, misbehaving_new_bytes (size)))
    {
      n_sent++;
      if (pwrite (fd, &n_sent, sizeof n_sent, 0) != (gssize) sizeof n_sent)
        break;
    }
  close (fd);

  return g_variant_new_uint32 (n_sent);
}

/* A text after every tenth number, so that one can tell where between the items it belongs. */
static GVariant *
numbers_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 n_items;
  gboolean blocks;

  g_variant_get (arguments, "(ub)", &n_items, &blocks);
  for (guint32 i = 0; i < n_items; i++)
    {
      g_autofree char *text = NULL;

      if (!dray_job_emit (job, g_variant_new_uint32 (i)))
        return g_variant_new_uint32 (i);
      if (i % 10 != 9)
        continue;

      text = g_strdup_printf ("%u", i + 1);
      dray_job_set_progress (job, (double) (i + 1) / n_items, text);
    }

  return blocks ? misbehaving_block (job, error) : g_variant_new_uint32 (n_items);
}

static GVariant *
progress_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 n_steps, n_sent = 0;

  g_variant_get (arguments, "(u)", &n_steps);
  for (guint i = 0; i <= n_steps; i++)
    {
      g_autofree char *text = g_strdup_printf ("step %u of %u", i, n_steps);

      if (!dray_job_set_progress (job, (double) i / MAX (n_steps, 1), text))
        break;
      n_sent++;
    }

  return g_variant_new_uint32 (n_sent);
}

static GVariant *
hog_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 n_mib;
  gsize size;
  guint8 *memory;

  g_variant_get (arguments, "(u)", &n_mib);
  size = (gsize) n_mib << 20;
  memory = g_try_malloc (size);
  if (memory == NULL && size > 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "There is not enough memory");
      return NULL;
    }

  for (gsize i = 0; i < size; i += 4096)
    ((volatile guint8 *) memory)[i] = 1;
  g_free (memory);

  return g_variant_new_uint32 (n_mib);
}

/* Limits */

/* Uses the processor for so many milliseconds of its time. */
static GVariant *
burn_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  struct timespec start, now;
  guint32 time;

  g_variant_get (arguments, "(u)", &time);
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &start);
  do
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < time);

  return NULL;
}

/* What it may use, in words. */
static GVariant *
limits_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  struct rlimit core, files, memory;

  getrlimit (RLIMIT_CORE, &core);
  getrlimit (RLIMIT_NOFILE, &files);
  getrlimit (RLIMIT_AS, &memory);

  return g_variant_new_take_string (g_strdup_printf (
    "core %" G_GUINT64_FORMAT " files %" G_GUINT64_FORMAT " memory %" G_GUINT64_FORMAT
    " nice %d io %ld",
    (guint64) core.rlim_cur, (guint64) files.rlim_max, (guint64) memory.rlim_max,
    getpriority (PRIO_PROCESS, 0), syscall (SYS_ioprio_get, 1, 0)));
}

/* Opens files until it is told that it has too many. */
static GVariant *
open_files_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (int));
  int fd;

  while ((fd = open ("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    g_array_append_val (fds, fd);
  g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (errno), g_strerror (errno));
  for (guint i = 0; i < fds->len; i++)
    close (g_array_index (fds, int, i));

  return NULL;
}

/* Ending */

static GVariant *
exit_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  gint32 status;

  g_variant_get (arguments, "(i)", &status);
  _exit (status);
}

void
misbehaving_raise_by_default (int signal_number)
{
  signal (signal_number, SIG_DFL);
  raise (signal_number);
}

static GVariant *
raise_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  gint32 signal_number;

  g_variant_get (arguments, "(i)", &signal_number);
  misbehaving_raise_by_default (signal_number);

  return NULL;
}

static GVariant *
stop_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  dray_job_set_progress (job, -1, "stopping");
  raise (SIGSTOP);

  return NULL;
}

/* Writing where it should not */

static GVariant *
print_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char text[] = "written to descriptor 1\n";

  printf ("printed to standard output\n");
  if (write (STDOUT_FILENO, text, strlen (text)) < 0)
    g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (errno), g_strerror (errno));

  return NULL;
}

static GVariant *
stderr_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *text;
  guint32 size;

  if (g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(s)")))
    {
      g_variant_get (arguments, "(&s)", &text);
      fputs (text, stderr);
    }
  else if (g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(u)")))
    {
      g_autofree char *letters = NULL;

      g_variant_get (arguments, "(u)", &size);
      letters = g_malloc (size + 1); /* some, in any case: fwrite() wants no NULL */
      for (guint i = 0; i < size; i++)
        letters[i] = (char) ('a' + i % 26);
      fwrite (letters, 1, size, stderr);
    }
  fflush (stderr);

  return NULL;
}

typedef enum
{
  GRANDCHILD_PLAIN,
  GRANDCHILD_DEAF,    /* it has all signals blocked */
  GRANDCHILD_SESSION, /* it has a session of its own */
} Grandchild;

/* @data: which one */
static GVariant *
grandchild_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const Grandchild kind = GPOINTER_TO_UINT (data);
  sigset_t all, before;
  pid_t pid;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, kind == GRANDCHILD_DEAF ? &all : NULL, &before);
  pid = fork ();
  if (pid != 0)
    pthread_sigmask (SIG_SETMASK, &before, NULL);

  if (pid < 0)
    {
      g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (errno), g_strerror (errno));
      return NULL;
    }

  if (pid == 0)
    {
      if (kind == GRANDCHILD_SESSION)
        setsid ();
      misbehaving_pause_for_ever ();
    }

  /* Where the child is still on its way out of the group, whoever is told its pid could kill the
   * group first. */
  while (kind == GRANDCHILD_SESSION && getpgid (pid) != pid)
    g_thread_yield ();

  return g_variant_new_uint32 (pid);
}

const MisbehavingFunction misbehaving_functions[] = {
  { "add", "(ii)", add_cb, NULL },
  { "attempt", "*", attempt_cb, NULL },
  { "block", "*", block_cb, NULL },
  { "block-signals", "*", block_signals_cb, NULL },
  { "both", "*", both_cb, NULL },
  { "burn", "(u)", burn_cb, NULL },
  { "bytes", "(u)", bytes_cb, NULL },
  { "close-eventfds", "*", close_eventfds_cb, NULL },
  { "counter", "*", counter_cb, NULL },
  { "counted-stream", "(uus)", counted_stream_cb, NULL },
  { "cwd", "*", cwd_cb, NULL },
  { "deaf-channel", "*", deaf_channel_cb, NULL },
  { "echo", "*", echo_cb, NULL },
  { "exit", "(i)", exit_cb, NULL },
  { "fail", "(sis)", fail_cb, NULL },
  { "fds", "*", fds_cb, NULL },
  { "getenv", "(s)", getenv_cb, NULL },
  { "grandchild", "*", grandchild_cb, GUINT_TO_POINTER (GRANDCHILD_PLAIN) },
  { "grandchild-deaf", "*", grandchild_cb, GUINT_TO_POINTER (GRANDCHILD_DEAF) },
  { "grandchild-session", "*", grandchild_cb, GUINT_TO_POINTER (GRANDCHILD_SESSION) },
  { "hang-in-handler", "*", hang_in_handler_cb, NULL },
  { "hog", "(u)", hog_cb, NULL },
  { "ignore-cancel", "*", ignore_cancel_cb, NULL },
  { "init-args", "*", init_args_cb, NULL },
  { "leave-hanging", "*", leave_hanging_cb, NULL },
  { "limits", "*", limits_cb, NULL },
  { "note-term", "(s)", note_term_cb, NULL },
  { "null", "*", null_cb, NULL },
  { "numbers", "(ub)", numbers_cb, NULL },
  { "open-files", "*", open_files_cb, NULL },
  { "pid", "*", pid_cb, NULL },
  { "print", "*", print_cb, NULL },
  { "progress", "(u)", progress_cb, NULL },
  { "raise", "(i)", raise_cb, NULL },
  { "record", "(uusb)", record_cb, NULL },
  { "record-bytes", "(uusbu)", record_bytes_cb, NULL },
  { "run-again", "*", run_again_cb, NULL },
  { "set-group", "*", set_group_cb, NULL },
  { "sleep", "(u)", sleep_cb, NULL },
  { "spin", "*", spin_cb, NULL },
  { "stderr", "(?)", stderr_cb, NULL },
  { "stop", "*", stop_cb, NULL },
  { "stream", "(uu)", stream_cb, NULL },
  { "touch", "(s)", touch_cb, NULL },
  { "who-am-i", "*", who_am_i_cb, NULL },
  { NULL, NULL, NULL, NULL },
};
