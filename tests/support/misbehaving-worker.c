/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A worker for tests: a real one, over the public interface, whose functions do on purpose what
 * goes wrong by accident elsewhere. Its first argument chooses what it does before it is a worker,
 * or instead of being one.
 *
 *   --not-a-worker        prints a text and exits with 0
 *   --silent              never says hello; exits when its input ends
 *   --echo-stdin          sends back what it is sent
 *   --yes                 prints without end
 *   --other-version       says hello as a worker of protocol version 9 would
 *   --other-byte-order    says hello as a worker on a machine of the other byte order would
 *   --lie-in-hello-…      says hello, but with a lie; see misbehaving-lies.c
 *   --no-ring             has no shared memory, so that all goes through the pipe
 *   --init-fails          its initializer returns G_IO_ERROR_NOT_FOUND
 *   --init-says-nothing   its initializer fails without an error
 *   --init-says-empty     the same with one whose message is ""
 *   --init-hangs          its initializer never returns
 *   --init-exits          its initializer exits with 5
 *   --init-crashes        its initializer is killed by SIGSEGV
 *   --never-ends [FILE]   is a worker, and does not return from main() when it is none any more;
 *                         makes that file then
 *   --init-fails-at-times FILE
 *                         the same, but for every other one of those that have this file
 *   --init-hangs-first FILE
 *                         its initializer never returns in the first three that have this file
 *   --die-before-hello WAY FILE, --die-after-hello WAY FILE, --die-in-initializer WAY FILE
 *                         dies there, in a way of misbehaving.h; FILE: "", or then only the one
 *                         that makes it
 *   --runs-twice          is a worker, and then wants to be one once more
 *   --die-in-finalizer WAY
 *                         dies when it has done all its work
 *   --cancel-signal       has what is cancelled interrupted by SIGUSR1
 *   --slow-start MS       becomes a worker after so many milliseconds
 *   (anything else)       just is a worker
 *
 * Its functions, with the type of their arguments, and what they do and return:
 *
 *   echo *                returns its arguments as they are
 *   add (ii)              i: the sum
 *   null                  returns NULL
 *   both                  returns a result, and an error (G_IO_ERROR_FAILED)
 *   counter               u: how many calls this process has begun, with this one
 *   pid                   u
 *   attempt               u: of the job
 *   cwd                   s
 *   getenv (s)            ms: the value of a variable
 *   init-args             the initial arguments, or ()
 *   fds                   ai: the open descriptors
 *   touch (s)             makes an empty file of that name
 *   sleep (u)             sleeps so many milliseconds, unless it is cancelled
 *   record (uusb)         adds its number to the file of that name, a u; sleeps so many µs,
 *                         whatever it is told (with TRUE, SIGTERM included); u: its number
 *   record-bytes (uusbu)  the same; (uay): its number, and so many bytes
 *   block                 sets the status "blocked"; waits until it is cancelled, and fails
 *   stream (uu)           emits N items of SIZE bytes; u: how many of them were sent
 *   counted-stream (uus)  the same, and keeps in a file of that name how many of them were sent so
 *                         far, a u
 *   numbers (ub)          emits 0, 1 … N - 1, each a u, and after every tenth sets the progress,
 *                         with a text that says how many there were; then waits until it is
 *                         cancelled, or returns u: how many were sent
 *   progress (u)          sets the progress to 0/N … N/N, with texts; u: how often it was sent
 *   bytes (u)             ay: so many bytes: 0, 1 … 255, 0 …; over 1 GiB, all of them 0
 *   hog (u)               allocates so many MiB and touches all; u: the same number
 *   fail (sis)            fails with the error of that domain, code and message
 *   ignore-cancel         sets the status "deaf"; never returns, whatever it is told, SIGTERM
 *                         included
 *   deaf-channel          nobody can write to it any more, and it does not notice
 *   deaf-channel (u)      the same, with the status "deaf"; takes so many milliseconds more
 *   note-term (s)         as ignore-cancel, but makes an empty file of that name when SIGTERM comes
 *   hang-in-handler       sets the status "deaf"; waits for ever, and so does the handler that is
 *                         called when it is cancelled
 *   spin                  sets the status "spinning"; never returns, and keeps a processor busy
 *   leave-hanging         sets the status "blocked"; waits until it is cancelled, and fails; but
 *   the
 *                         handler that is called then waits for ever
 *   set-group             sets the status "changing", and its group to what it is, 20 times, until
 *                         it is cancelled, and fails. Each time a signal comes to all threads
 *   close-eventfds        closes all eventfds that it finds, the library's own; sets the status
 *                         "closed"; waits until it is cancelled, and fails
 *   run-again             i: what dray_worker_run() returns, inside of it
 *   who-am-i              (bbb): whether its thread's job is the one it was given, and that one's
 *                         worker the right one; whether another thread has no job
 *   stop                  sets the status "stopping", and stops itself with SIGSTOP; returns when
 *                         it is continued
 *   exit (i)              exits with that status
 *   raise (i)             raises that signal, which is reset to its default
 *   print                 prints to standard output with printf() and with write()
 *   stderr (s)            prints the text to standard error as it is
 *   stderr (u)            prints so many bytes to standard error, and no newline
 *   trap (su)             dies in that way when SIGUSR1 comes, now or later; (uay): its pid, and so
 *                         many bytes
 *   trap-and-block (su)   the same, but sends the bytes as an item, sets the status "trapped", and
 *                         waits until it is cancelled
 *   trap-and-send (suuu)  the same, but sets the status "trapped", emits N items of SIZE bytes
 *   unless
 *                         it is cancelled, and returns so many bytes
 *   die-in-result (su)    dies in that way in the midst of a result of so many bytes
 *   record-and-die (uss)  adds its number to the file of that name, a u, and dies in that way
 *   garbage               writes what is no frame to the channel
 *   garbage-and-on        the same after a moment, and returns
 *   spoil-unread (us)     emits N items; when that file exists, one more, and spoils what the
 *                         application has not read by then; returns
 *   leave-output (s)      when that file exists, leads the channel's output elsewhere, so that it is
 *                         seen to have ended, and goes on
 *   half-frame            writes half a frame to the channel and exits with 0
 *   oversized             writes the header of a frame of the largest length to the channel
 *   wrong-id              writes a result for a task that nobody submitted to the channel
 *   old-attempt           exits with 7 at the first attempt; at a later one writes an item and a
 *                         result of the attempt before to the channel, then returns s: "new"
 *   false-outcomes        says of a call of a map what can't be
 *   step (xss)            what maps call; see misbehaving-map.c
 *   lie (s)               tells one of the lies in misbehaving-lies.c, or many
 *   flood-until-term      sets the status "flooding"; writes items until SIGTERM comes, whatever else
 *                         it is told, and returns; only for workers without a ring
 *   lie-in-ledger (uss)   what maps call: the first process that comes to the fifth call leaves a
 *                         lie behind and is killed; u: the number
 *   return-chunk (u)      says that so many calls of a map's were not begun
 *   grandchild            forks a child that holds all descriptors for ever; u: its pid
 *   grandchild-session    the same, but in a session (so a process group) of its own
 *
 *   signal-ends-wait *    sets the status "waiting"; waits for a signal until it is cancelled
 *   signal-ends-read *    the same, but reads what never comes; the handler of the signal gets it
 *                         out of there
 *   signal-is-blocked     sets the status "waiting"; returns when the signal is pending, and leaves
 *                         it blocked
 *   signal-or-spin (u)    sets the status "waiting"; keeps a processor busy for so many µs
 *   count-signals         (uu): how many signals have come for what is cancelled, and how many of
 *                         them while something else ran. No signal is blocked any more
 *
 *   hold-next (s)         the call that comes next has begun, and makes an empty file of that name;
 *                         its function is entered when the file is gone
 *
 *   escape (ss)           tries a way out of a sandbox; u: 0 if it is open, or an errno. The ways
 *                         are in misbehaving-escape.c
 *   escape-reopen         the same, for writing, of the open file that came with the task
 *   escape-type           the same, typing into the terminal that came with it
 *   has-mapping (s)       b: whether something whose name has that in it is mapped
 *
 *   allocate (uy)         ay: so many bytes, in memory of dray_job_allocate_bytes(); each is its
 *                         place plus the seed
 *   allocate-stream (uu)  emits N items of SIZE bytes like that, with seeds 0, 1 …; u: how many of
 *                         them were sent
 *   emit-twice (u)        emits so many bytes twice, whatever becomes of that
 *   allocate-many (uu)    u: in how many of N memories of SIZE bytes, which it has at once, what it
 *                         writes to both ends stays there
 *   same-twice (u)        emits one ay like that twice, and returns it
 *   sum *                 t: of the bytes of its arguments
 *   without-descriptors (u)
 *                         makes the process have no more descriptors; ay: as allocate
 *   lose-descriptors (u)  the same, but only when there is something to return
 *   close-passage         makes its end of the socket for descriptors look closed
 *   read-attachments      as: what is in the open files that came with the task
 *   die-with-attachments  exits with 7 at the first attempt, later the same
 *   return-attachments (as)
 *                         returns an open file with each of the texts; u: how many
 *   return-attachments-fail (as), return-attachments-block (as), return-attachments-large (as)
 *                         the same, but then it fails, waits until it is cancelled, or returns ay:
 *                         100000 bytes
 *   hostile-cargo (s)     passes what it should not: "unsealed", "writable", "shrinkable",
 *                         "too-small", "too-large", "pipe": memory; "not-passed", "too-many",
 *                         "flood", "item-attachment": descriptors; "slot", "slot-number",
 *                         "slot-too-small", "slot-unsealed", "slot-unknown": slots; "lingering": a
 *                         result, with a socket that takes an hour to close; "other-task": a
 *                         result of a task that it was not given; "old-attempt": exits with 7 at
 *                         the first attempt; at a later one a result, with an open file, of the
 *                         attempt before; then returns; "die": half a frame, and is killed
 *   pass-lingering (q)    passes a socket that takes an hour to close, connected to that port, with
 *                         no frame
 *
 * Those that write to the channel wait until they are cancelled, where nothing else is said.
 *
 * When $MISBEHAVING_WORKER_FINALIZED is set, the finalizer makes a file of that name. When
 * $MISBEHAVING_WORKER_ENDED is set, a process that is about to end adds a byte to the file of that
 * name, if it was a worker and all went well.
 */

#include "misbehaving.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIE_IN_HELLO "--lie-in-hello-"

/* Where a worker finds the socket for descriptors. */
#define PASSAGE_FILENO 3

/* The worker */

DrayJob *volatile misbehaving_job;
DrayWorker *misbehaving_the_worker;

static GVariant *
call_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const MisbehavingFunction *function = data;
  GVariant *result;

  misbehaving_n_calls++;

  misbehaving_job = job;
  result = function->function (job, arguments, function->data, error);
  misbehaving_job = NULL;
  return result;
}

/* What follows the mode; "" where nothing does. */
static const char *mode_arguments[2] = { "", "" };

/* Returns: how many have left one in the file, with this one */
static off_t
leave_mark (void)
{
  int fd = open (mode_arguments[0], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  off_t size;

  if (fd < 0 || write (fd, "x", 1) != 1)
    g_error ("%s can't be written to", mode_arguments[0]);
  size = lseek (fd, 0, SEEK_CUR);
  close (fd);

  return size;
}

static gboolean
fails_this_time (GError **error)
{
  if (leave_mark () % 2 == 1)
    return FALSE;

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY, "This was one of those times");
  return TRUE;
}

/* @data: the mode */
static gboolean
initialize_cb (DrayWorker *worker, GVariant *arguments, gpointer data, GError **error)
{
  const char *mode = data;

  if (arguments != NULL)
    misbehaving_initial_arguments = g_variant_ref (arguments);

  if (g_str_equal (mode, "--init-fails"))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "There is no model to load");
      return FALSE;
    }

  if (g_str_equal (mode, "--init-says-nothing"))
    return FALSE;
  if (g_str_equal (mode, "--init-says-empty"))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "");
      return FALSE;
    }

  if (g_str_equal (mode, "--init-fails-at-times"))
    return !fails_this_time (error);
  if (g_str_equal (mode, "--init-hangs-first") && leave_mark () <= 3)
    misbehaving_pause_for_ever ();
  if (g_str_equal (mode, "--die-in-initializer"))
    misbehaving_die_once (mode_arguments[0], mode_arguments[1]);

  if (g_str_equal (mode, "--init-hangs"))
    misbehaving_pause_for_ever ();
  if (g_str_equal (mode, "--init-exits"))
    _exit (5);
  if (g_str_equal (mode, "--init-crashes"))
    misbehaving_raise_by_default (SIGSEGV);

  return TRUE;
}

static void
finalize_cb (DrayWorker *worker, gpointer data)
{
  const char *filename = g_getenv ("MISBEHAVING_WORKER_FINALIZED");

  if (g_str_equal (data, "--die-in-finalizer"))
    misbehaving_die (mode_arguments[0]);

  g_clear_pointer (&misbehaving_initial_arguments, g_variant_unref);
  if (filename != NULL)
    g_file_set_contents (filename, "", 0, NULL);
}

static void
add_functions (DrayWorker *worker, const MisbehavingFunction *functions)
{
  for (gsize i = 0; functions[i].name != NULL; i++)
    dray_worker_add_typed_function (worker, functions[i].name, G_VARIANT_TYPE (functions[i].type),
                                    call_cb, (gpointer) &functions[i], NULL);
}

static int status = EXIT_FAILURE; /* that it ended with as a worker */

static void
mark_end (void)
{
  const char *filename = g_getenv ("MISBEHAVING_WORKER_ENDED");
  int fd = status == EXIT_SUCCESS
             ? open (filename, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)
             : -1;

  if (fd >= 0 && write (fd, "x", 1) != 1)
    _exit (EXIT_FAILURE);
}

static int
run_worker (const char *mode)
{
  g_autoptr (DrayWorker) worker = dray_worker_new ();

  /* The last thing that it does. */
  if (g_getenv ("MISBEHAVING_WORKER_ENDED") != NULL)
    atexit (mark_end);

  add_functions (worker, misbehaving_functions);
  add_functions (worker, misbehaving_map_functions);
  add_functions (worker, misbehaving_cargo_functions);
  add_functions (worker, misbehaving_escape_functions);
  add_functions (worker, misbehaving_wire_functions);
  add_functions (worker, misbehaving_death_functions);
  add_functions (worker, misbehaving_lies_functions);
  add_functions (worker, misbehaving_signal_functions);
  if (g_str_equal (mode, "--cancel-signal"))
    misbehaving_take_cancel_signal (worker);
  dray_worker_set_initializer (worker, initialize_cb, (gpointer) mode, NULL);
  dray_worker_set_finalizer (worker, finalize_cb, (gpointer) mode, NULL);

  misbehaving_the_worker = worker;
  status = dray_worker_run (worker);
  if (g_str_equal (mode, "--runs-twice"))
    status = dray_worker_run (worker);
  if (g_str_equal (mode, "--never-ends"))
    {
      if (*mode_arguments[0] != '\0')
        g_file_set_contents (mode_arguments[0], "", 0, NULL);
      misbehaving_pause_for_ever ();
    }

  return status;
}

/* Instead of a worker */

static void
swallow_input (gboolean echo)
{
  char buffer[4096];
  gssize n_read;

  while ((n_read = read (STDIN_FILENO, buffer, sizeof buffer)) > 0)
    if (echo)
      misbehaving_write_raw (buffer, n_read);
}

static void
print_for_ever (void)
{
  g_autoptr (GString) text = g_string_new (NULL);

  while (text->len < 4096)
    g_string_append (text, "yes\n");
  while (write (STDOUT_FILENO, text->str, text->len) > 0)
    ;
}

/* Returns: FALSE if @mode is not one of these */
static gboolean
run_instead (const char *mode)
{
  if (g_str_equal (mode, "--not-a-worker"))
    printf ("This is a program like any other, and its output is text.\n");
  else if (g_str_equal (mode, "--echo-stdin"))
    swallow_input (TRUE);
  else if (g_str_equal (mode, "--yes"))
    print_for_ever ();
  else if (g_str_equal (mode, "--silent"))
    swallow_input (FALSE);
  else
    return FALSE;

  return TRUE;
}

/* Returns: FALSE if @mode is not one of these */
static gboolean
run_foreign (const char *mode)
{
  if (g_str_equal (mode, "--other-version"))
    misbehaving_write_hello (9, FALSE);
  else if (g_str_equal (mode, "--other-byte-order"))
    misbehaving_write_hello (1, TRUE);
  else if (!g_str_has_prefix (mode, LIE_IN_HELLO)
           || !misbehaving_lie_in_hello (mode + strlen (LIE_IN_HELLO)))
    return FALSE;

  swallow_input (FALSE);

  return TRUE;
}

/* Without a second hello, where it lives on. */
static void
die_after_hello (void)
{
  if (*mode_arguments[1] != '\0' && g_file_test (mode_arguments[1], G_FILE_TEST_EXISTS))
    return;

  misbehaving_write_hello (1, FALSE);
  misbehaving_die_once (mode_arguments[0], mode_arguments[1]);
  _exit (4);
}

int
main (int argc, char **argv)
{
  const struct rlimit no_core = { 0, 0 };
  const char *mode = argc > 1 ? argv[1] : "";

  for (int i = 2; i < argc && i < 4; i++)
    mode_arguments[i - 2] = argv[i];

  setrlimit (RLIMIT_CORE, &no_core);
  misbehaving_wire_fd = fcntl (STDOUT_FILENO, F_DUPFD_CLOEXEC, 200);
  misbehaving_passage_fd = fcntl (PASSAGE_FILENO, F_DUPFD_CLOEXEC, 200);

  if (run_instead (mode) || run_foreign (mode))
    return 0;

  if (g_str_equal (mode, "--die-before-hello"))
    misbehaving_die_once (mode_arguments[0], mode_arguments[1]);
  if (g_str_equal (mode, "--die-after-hello"))
    die_after_hello ();

  if (g_str_equal (mode, "--no-ring"))
    close (4);
  if (g_str_equal (mode, "--slow-start") && argc > 2)
    g_usleep (strtoul (argv[2], NULL, 10) * 1000);

  return run_worker (mode);
}
