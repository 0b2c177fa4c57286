/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <glib.h>
#include <poll.h>

/* The files themselves: what the first does with a channel is its own; and where the other two wait
 * for the host, or for some time, the script has to know. */
static int poll_or_go_on (struct pollfd *fds, nfds_t n_fds, int timeout);
static gboolean wait_or_hurry (GCond *cond, GMutex *lock, gint64 end);
static ssize_t read_or_end (int fd, void *bytes, size_t size);
static GThread *start_or_defer (const char *name, GThreadFunc function, gpointer data);

#define poll(fds, n_fds, timeout) poll_or_go_on (fds, n_fds, timeout)
#define g_cond_wait_until(cond, lock, end) wait_or_hurry (cond, lock, end)
#define read(fd, bytes, size) read_or_end (fd, bytes, size)
#define g_thread_try_new(name, function, data, error) start_or_defer (name, function, data)
#include "dray-worker-run.c"
#include "dray-link-input.c"
#include "dray-link-watcher.c"
#undef poll
#undef g_cond_wait_until
#undef read
#undef g_thread_try_new

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib-unix.h>

#include "dray-cargo.h"
#include "fuzz.h"
#include "lasting-threads.h"

/*
 * A whole session of a worker: dray_worker_run(), without what it does to the process, and a host
 * that says what the script wants. The library's threads are there, and run when they will; only
 * that they outlast a session, and that nobody waits for time to pass.
 *
 * What the host says is made first, and lies in the pipe when the worker begins. A script may keep
 * some of it back: the function "next" sends that, and so it is read while a function runs; or it
 * is sent when the worker waits for it. Then the host is gone.
 *
 * A real watcher begins to read when a function has run for a millisecond. Here it has all patience
 * but where "next" runs, or, in some scripts, none at all. Where it has some, it mostly starts only
 * when it is lost; or it has nothing to do, and is there at the end for as long as it takes to see
 * that.
 *
 * The worker must end, in whatever way. All that it has sent must be frames that a worker may send,
 * with at most one outcome for each call that it was given; and with exactly one, where the host
 * has said goodbye and broken no rule.
 */

#define MAX_STEPS 64

/* As many calls as bytes may turn out to be. */
#define MAX_CALLS 1000

/* What lies in a pipe, and is not read before the end. */
#define PIPE_SIZE (1 << 20)
#define MAX_OUTPUT ((gsize) 128 * 1024)

/* How often a function looks whether it was cancelled by what it has sent: first of all without
 * waiting, then for some ms. */
#define MAX_YIELDS 100
#define MAX_LOOKS 150

typedef struct
{
  FuzzScript script;
  GMutex lock;          /* of the next two */
  int to_worker;        /* (owned): -1 when the host is gone */
  GByteArray *later;    /* (owned) (nullable): what is kept back */
  int from_worker;      /* (owned) */
  GByteArray *said;     /* (owned): what the host says at once */
  gboolean keeps_back;  /* what is said from here on */
  gboolean exact;       /* it is known how many outcomes must come */
  gboolean parted;      /* the host has said goodbye: it should say no more, and may not be heard */
  DrayRing *ring;       /* (owned) (nullable) */
  DrayPassage *passage; /* (owned) (nullable) */
  gboolean uses_ring;
  guint64 last_id;
  guint n_submitted;
  guint n_outcomes;
  gsize output;       /* so much the functions may still send */
  DrayLink *link;     /* (unowned) */
  gboolean defers;    /* the start of the watcher; this and the next: the worker's thread only */
  gpointer watcher;   /* (owned) (nullable): what it gets, where it has not started */
  gboolean impatient; /* the watcher is, from the beginning on */
  gboolean hurries;   /* protected by the link's lock: it has no patience left */
  gboolean ended;     /* atomic: all that the host says was read */
} Session;

static Session *current; /* (unowned): there is one at a time */

/* In place of the library's: a fuzzer complains a million times. */
void
dray_complain (const char *message)
{
  fuzz_check (g_utf8_validate (message, -1, NULL));
}

gboolean
dray_takeover (int *in_fd, int *out_fd)
{
  return FALSE;
}

/* Out of the way of the two places: those are free while a worker has taken what was there, and
 * whoever opens something in a thread of his own then closes it after they were taken again. */
static int
raise_descriptor (int fd)
{
  int high = fcntl (fd, F_DUPFD_CLOEXEC, 10);

  fuzz_check (high >= 0);
  close (fd);
  return high;
}

/* The two that a worker looks for its passage and its ring at, from the beginning on: nothing else
 * may ever be opened there. */
static void
keep_places (void)
{
  static int null_fd = -1;

  if (null_fd < 0)
    null_fd = raise_descriptor (open ("/dev/null", O_RDWR | O_CLOEXEC));
  dup2 (null_fd, DRAY_PASSAGE_DESCRIPTOR);
  dup2 (null_fd, DRAY_RING_DESCRIPTOR);
}

G_GNUC_UNUSED static void __attribute__ ((constructor)) keep_places_first (void)
{
  keep_places ();
}

/* What was kept back; then the host is gone. Any thread. */
static void
send_later (Session *self)
{
  g_mutex_lock (&self->lock);
  if (self->later != NULL && self->to_worker >= 0)
    {
      (void) !write (self->to_worker, self->later->data, self->later->len);
      close (self->to_worker);
      self->to_worker = -1;
    }
  g_clear_pointer (&self->later, g_byte_array_unref);
  g_mutex_unlock (&self->lock);
}

static int
poll_or_go_on (struct pollfd *fds, nfds_t n_fds, int timeout)
{
  int result = poll (fds, n_fds, 0);

  if (result != 0 || timeout == 0)
    return result;

  send_later (current);
  return poll (fds, n_fds, timeout);
}

static ssize_t
read_or_end (int fd, void *bytes, size_t size)
{
  ssize_t n_read = read (fd, bytes, size);

  if (n_read == 0)
    g_atomic_int_set (&current->ended, TRUE);
  return n_read;
}

/* The watcher waits until it has lost its patience; or, where the host is gone, until all is over,
 * which on a busy machine may take longer than a worker has. */
static gboolean
wait_or_hurry (GCond *cond, GMutex *lock, gint64 end)
{
  if (current->hurries && current->link->state < DRAY_LINK_HUNG_UP)
    return FALSE;

  g_cond_wait (cond, lock);
  return TRUE;
}

static GThread *
start_or_defer (const char *name, GThreadFunc function, gpointer data)
{
  if (!current->defers)
    return g_thread_try_new (name, function, data, NULL);

  current->watcher = data;
  return g_thread_ref (g_thread_self ());
}

/* The watcher reads from now on. */
static void
hurry (Session *self)
{
  gpointer data = g_steal_pointer (&self->watcher);

  g_mutex_lock (&self->link->lock);
  self->hurries = TRUE;
  g_cond_signal (&self->link->watcher_cond);
  g_mutex_unlock (&self->link->lock);

  if (data != NULL)
    g_thread_unref (g_thread_try_new ("dray-watcher", watch_cb, data, NULL));
}

static void
hurry_no_more (Session *self)
{
  g_mutex_lock (&self->link->lock);
  self->hurries = self->impatient;
  g_mutex_unlock (&self->link->lock);
}

static void
stop (Session *self)
{
  if (self->watcher != NULL)
    {
      self->link->stopping = TRUE;
      watch_cb (g_steal_pointer (&self->watcher));
    }

  dray_link_stop (self->link);
  lasting_threads_wait ();
}

/* --- Functions --- */

static gboolean
may_send (Session *self, gsize size)
{
  if (size + 1024 > self->output)
    return FALSE;

  self->output -= size + 1024;
  return TRUE;
}

static GVariant *
echo (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  if (!may_send (user_data, g_variant_get_size (arguments)))
    return NULL;

  return g_variant_ref (arguments);
}

static GVariant *
stream (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  for (guint i = 0; i < 3 && may_send (user_data, g_variant_get_size (arguments)); i++)
    {
      dray_job_emit (job, arguments);
      dray_job_set_progress (job, i / 3.0, "so far");
    }
  return NULL;
}

static GVariant *
fail_always (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY, "It failed");
  return NULL;
}

static GVariant *
give_files (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  GUnixFDList *attachments = dray_job_get_attachments (job);
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  int index = dray_job_return_attachment (job, fd, error);

  close (fd);
  if (index < 0)
    return NULL;
  return g_variant_new_int32 (attachments != NULL ? g_unix_fd_list_get_length (attachments) : 0);
}

static GVariant *
fill_memory (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  gpointer data;
  g_autoptr (GBytes) bytes = dray_job_allocate_bytes (job, 8192, &data);

  if (!may_send (user_data, 8192))
    return NULL;

  memset (data, 'x', 8192);
  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
}

/* Whether there is more to come for a call that runs: a host that is gone cancels it, too. */
static gboolean
may_be_cancelled (Session *self)
{
  return !g_atomic_int_get (&self->ended) || dray_link_get_state (self->link) != DRAY_LINK_GOODBYE;
}

/* The watcher reads what the host sends now. */
static GVariant *
next (DrayJob *job, GVariant *arguments, gpointer user_data, GError **error)
{
  Session *self = user_data;
  GCancellable *cancellable = dray_job_get_cancellable (job);

  send_later (self);
  hurry (self);
  for (guint i = 0; i < MAX_LOOKS && !g_cancellable_is_cancelled (cancellable); i++)
    {
      if (!may_be_cancelled (self))
        break;
      if (i < MAX_YIELDS)
        g_thread_yield ();
      else
        g_usleep (100);
    }
  hurry_no_more (self);
  return NULL;
}

static gboolean
initialize_cb (DrayWorker *worker, GVariant *arguments, gpointer user_data, GError **error)
{
  return arguments == NULL || !g_variant_is_of_type (arguments, G_VARIANT_TYPE_BOOLEAN);
}

static DrayWorker *
make_worker (Session *self)
{
  DrayWorker *worker = dray_worker_new ();

  dray_worker_add_function (worker, "echo", echo, self, NULL);
  dray_worker_add_typed_function (worker, "stream", G_VARIANT_TYPE ("(*)"), stream, self, NULL);
  dray_worker_add_function (worker, "fail", fail_always, self, NULL);
  dray_worker_add_function (worker, "files", give_files, self, NULL);
  dray_worker_add_function (worker, "memory", fill_memory, self, NULL);
  dray_worker_add_function (worker, "next", next, self, NULL);
  dray_worker_set_initializer (worker, initialize_cb, self, NULL);
  return worker;
}

static const char *
take_function (FuzzScript *script)
{
  static const char *const names[] = { "echo",   "stream", "fail",    "files",
                                       "memory", "next",   "missing", "" };

  return names[fuzz_take_up_to (script, G_N_ELEMENTS (names) - 1)];
}

/* --- What the host says --- */

static void
say_bytes (Session *self, const guint8 *bytes, gsize size)
{
  gsize length = self->said->len + self->later->len + size;

  if (length < PIPE_SIZE / 2)
    g_byte_array_append (self->keeps_back ? self->later : self->said, bytes, (guint) size);
}

/* Clears @message. */
static void
say (Session *self, DrayMessage *message)
{
  dray_cargo_pass (message, self->passage, NULL);
  say_bytes (self, dray_message_get_head (message), message->head_length);
  if (message->body != NULL)
    say_bytes (self, g_bytes_get_data (message->body, NULL), g_bytes_get_size (message->body));
  say_bytes (self, dray_message_get_tail (message), message->tail_length);
  dray_message_clear (message);
}

static void
say_hello (Session *self)
{
  guint how = fuzz_take_byte (&self->script);
  g_autoptr (GVariant) arguments = (how & 1) != 0 ? fuzz_take_value (&self->script) : NULL;
  const DrayHello hello = {
    .role = DRAY_ROLE_HOST,
    .version = DRAY_PROTOCOL_VERSION,
    .arguments = arguments,
    .max_payload = (how & 2) != 0 ? 512 : 0,
    .ring = (how & 4) != 0 ? dray_ring_get_cookie (self->ring) : 0,
    .cookie = (how & 8) != 0 ? dray_passage_get_cookie (self->passage) : NULL,
    .trusted = (how & 16) != 0,
    .shared_size = (how & 32) != 0 ? 64 : 0,
  };
  DrayMessage message;

  self->defers = how < 128;
  self->impatient = self->hurries = how >= 192;
  dray_message_init_hello (&message, &hello);
  say (self, &message);
}

/* Of the next call, or of one that there was, or of any. */
static guint64
take_id (Session *self)
{
  guint how = fuzz_take_byte (&self->script);

  if (how < 128)
    return ++self->last_id;
  if (how < 240)
    return self->last_id - (how & 3);
  return fuzz_take_number (&self->script);
}

static void
say_submit (Session *self)
{
  const char *function = take_function (&self->script);
  guint64 id = take_id (self);
  g_autoptr (GVariant) value = fuzz_take_value (&self->script);
  DrayMessage message;

  if (!dray_message_init_submit (&message, id, 1, function, value, G_MAXUINT32, NULL))
    return;
  if (fuzz_take_byte (&self->script) >= 192)
    dray_message_add_flags (&message, DRAY_FRAME_FLAG_QUIET);
  self->n_submitted++;
  self->exact = self->exact && !self->parted;
  say (self, &message);
}

static void
say_chunk (Session *self)
{
  DrayFrameHeader header = { .attempt = 1 };
  const char *function = take_function (&self->script);
  g_autoptr (GVariant) value = NULL;
  guint n_calls = 1 + fuzz_take_byte (&self->script) % 16;
  DrayRecords records = { .grows = TRUE };
  DrayMessage message;

  header.task_id = take_id (self);
  value = fuzz_take_value (&self->script);
  for (guint i = 0; i < n_calls; i++)
    dray_chunk_append (&records, value, NULL);
  dray_chunk_init_message (&message, &header, function, g_variant_get_type_string (value),
                           records.data, records.used, records.n_records);
  dray_records_clear (&records);
  self->n_submitted += n_calls;
  self->exact = FALSE; /* they may be given back as one */
  say (self, &message);
}

static void
say_empty (Session *self, DrayFrameType type)
{
  guint64 id = type == DRAY_FRAME_CANCEL ? self->last_id - fuzz_take_byte (&self->script) % 4 : 0;
  DrayMessage message;

  dray_message_init_empty (&message, type, id, id != 0 ? 1 : 0);
  self->parted = self->parted || type == DRAY_FRAME_GOODBYE;
  say (self, &message);
}

/* Arguments in sealed memory, or a file; or what the frame says of them is not so. */
static void
say_cargo (Session *self)
{
  const DrayFrameHeader header
    = { .type = DRAY_FRAME_SUBMIT, .task_id = take_id (self), .attempt = 1 };
  guint how = fuzz_take_byte (&self->script);
  g_autoptr (GVariant) value = fuzz_take_value (&self->script);
  DrayCargo *cargo = (how & 1) != 0 ? dray_cargo_new_sealed (value, NULL) : dray_cargo_new ();
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  DrayMessage message;

  if ((how & 2) != 0)
    cargo->size += how >> 4;
  if ((how & 4) != 0)
    cargo->slot = how >> 4;
  if ((how & 8) != 0)
    cargo->attachments = g_unix_fd_list_new_from_array (&fd, 1);
  else
    close (fd);
  if (!dray_message_init_loaded (&message, &header, "files", value, cargo, G_MAXUINT32, NULL))
    return;
  self->n_submitted++;
  self->exact = self->exact && !self->parted;
  say (self, &message);
}

static void
say_frame (Session *self)
{
  DrayFrameHeader header = {
    .type = 1 + fuzz_take_up_to (&self->script, DRAY_FRAME_LAST),
    .flags = fuzz_take_byte (&self->script),
    .task_id = take_id (self),
    .attempt = fuzz_take_byte (&self->script),
  };
  const guint8 *payload = fuzz_take_bytes (&self->script, &header.length);
  DrayMessage message;

  if (header.length > 0)
    memcpy (dray_message_start (&message, &header), payload, header.length);
  else
    dray_message_init_header (&message, &header);
  self->n_submitted += MAX_CALLS;
  self->exact = FALSE;
  say (self, &message);
}

static void
say_raw (Session *self)
{
  gsize size;
  const guint8 *bytes = fuzz_take_bytes (&self->script, &size);

  self->n_submitted += MAX_CALLS;
  self->exact = FALSE;
  say_bytes (self, bytes, size);
}

static void
take_step (Session *self)
{
  switch (fuzz_take_up_to (&self->script, 15))
    {
    case 0:
      say_hello (self);
      break;
    case 1:
      say_chunk (self);
      break;
    case 2:
      say_empty (self, DRAY_FRAME_CANCEL);
      break;
    case 3:
      say_empty (self, DRAY_FRAME_RECALL);
      break;
    case 4:
      say_empty (self, DRAY_FRAME_GOODBYE);
      break;
    case 5:
      say_cargo (self);
      break;
    case 6:
      say_frame (self);
      break;
    case 7:
      say_raw (self);
      break;
    case 8:
      self->keeps_back = TRUE;
      break;
    default:
      say_submit (self);
    }
}

/* --- What the worker says --- */

static void
hear (Session *self, const DrayFrameHeader *header, GBytes *payload)
{
  DrayOutcomesReader outcomes;

  switch (header->type)
    {
    case DRAY_FRAME_HELLO:
    case DRAY_FRAME_ITEM:
    case DRAY_FRAME_PROGRESS:
      break;
    case DRAY_FRAME_READY:
      self->uses_ring = (header->flags & DRAY_FRAME_FLAG_RING) != 0;
      break;
    case DRAY_FRAME_RESULT:
    case DRAY_FRAME_RETURNED:
      self->n_outcomes++;
      break;
    case DRAY_FRAME_ERROR:
      self->n_outcomes += header->task_id != 0;
      break;
    case DRAY_FRAME_OUTCOMES:
      fuzz_check (dray_outcomes_decode (payload, &outcomes, NULL));
      self->n_outcomes += outcomes.n_outcomes + outcomes.n_returned;
      break;
    default:
      fuzz_check (!"a worker says such a thing");
    }
}

static gssize
read_some (Session *self, gboolean from_ring, guint8 *space, gsize size)
{
  return from_ring ? dray_ring_read (self->ring, space, size, NULL)
                   : read (self->from_worker, space, size);
}

static void
hear_all (Session *self, gboolean from_ring)
{
  g_autoptr (DrayDecoder) decoder = dray_decoder_new (G_MAXUINT32);
  gboolean goes_on = TRUE;

  while (goes_on && from_ring == self->uses_ring)
    {
      DrayFrameHeader header;
      GBytes *payload = NULL;
      g_autoptr (GError) error = NULL;
      gsize size;
      guint8 *space = dray_decoder_get_space (decoder, &size);
      gssize n_read = read_some (self, from_ring, space, size);

      goes_on = n_read > 0;
      if (goes_on)
        dray_decoder_take (decoder, (gsize) n_read);
      while (from_ring == self->uses_ring && dray_decoder_next (decoder, &header, &payload, &error))
        {
          hear (self, &header, payload);
          g_clear_pointer (&payload, g_bytes_unref);
        }
      if (error != NULL)
        fuzz_fail (__FILE__, __LINE__, error->message);
    }
}

/* --- The session --- */

static void
open_channel (Session *self, int *in_fd, int *out_fd)
{
  g_autoptr (GError) error = NULL;
  int fds[2];
  int theirs = -1;

  fuzz_check (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
  *in_fd = raise_descriptor (fds[0]);
  self->to_worker = raise_descriptor (fds[1]);
  fuzz_check (g_unix_open_pipe (fds, FD_CLOEXEC, NULL));
  self->from_worker = raise_descriptor (fds[0]);
  *out_fd = raise_descriptor (fds[1]);
  (void) fcntl (self->to_worker, F_SETPIPE_SZ, PIPE_SIZE);
  (void) fcntl (*out_fd, F_SETPIPE_SZ, PIPE_SIZE);
  g_unix_set_fd_nonblocking (*in_fd, TRUE, NULL);
  g_unix_set_fd_nonblocking (self->to_worker, TRUE, NULL);
  g_unix_set_fd_nonblocking (self->from_worker, TRUE, NULL);

  self->ring = dray_ring_new (&error);
  self->passage = self->ring != NULL ? dray_passage_new (&theirs, &error) : NULL;
  if (error != NULL)
    fuzz_fail (__FILE__, __LINE__, error->message);
  dup2 (dray_ring_get_descriptor (self->ring), DRAY_RING_DESCRIPTOR);
  dup2 (theirs, DRAY_PASSAGE_DESCRIPTOR);
  close (theirs);
}

static void
run_worker (Session *self, int in_fd, int out_fd)
{
  g_autoptr (DrayWorker) worker = make_worker (self);
  g_autoptr (DrayLink) link = self->link = dray_link_new (in_fd, out_fd);
  int status = serve (worker, link);
  DrayLinkState state = dray_link_get_state (link);

  fuzz_check (status != STATUS_NO_CHANNEL);
  stop (self);
  hear_all (self, FALSE);
  if (self->uses_ring)
    hear_all (self, TRUE);

  fuzz_check (self->n_outcomes <= self->n_submitted);
  if (status == STATUS_OK && state == DRAY_LINK_GOODBYE && self->exact && !self->keeps_back)
    fuzz_check (self->n_outcomes == self->n_submitted);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  Session self = {
    .script = { .data = data, .size = size },
    .output = MAX_OUTPUT,
    .exact = TRUE,
  };
  int in_fd, out_fd;

  current = &self;
  g_mutex_init (&self.lock);
  self.said = g_byte_array_new ();
  self.later = g_byte_array_new ();
  open_channel (&self, &in_fd, &out_fd);
  say_hello (&self);
  for (guint i = 0; self.script.size > 0 && i < MAX_STEPS; i++)
    take_step (&self);

  (void) !write (self.to_worker, self.said->data, self.said->len);
  if (self.later->len == 0)
    send_later (&self);
  run_worker (&self, in_fd, out_fd);

  send_later (&self);
  g_mutex_clear (&self.lock);
  close (self.from_worker);
  g_byte_array_unref (self.said);
  dray_ring_free (self.ring);
  dray_passage_free (self.passage);
  lasting_threads_wait ();
  keep_places ();
  return 0;
}
