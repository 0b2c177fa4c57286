/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scripted-worker-private.h"

#include "dray-cargo.h"
#include "dray-chunk.h"
#include "dray-payload.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a script may have a worker do, each step a function; what it does honestly is in
 * scripted-worker.c. */

/* How many bytes it says in one step: more than a ring holds. */
#define MAX_SAID ((gsize) 512 * 1024)

static void
start_up (ScriptedWorker *self, FuzzScript *script)
{
  guint how = fuzz_take_byte (script);
  DrayChild *child = self->child;

  scripted_worker_read_input (self); /* the host's hello */
  if (child->dead)
    return;

  scripted_worker_say_hello (self);
  if ((how & 1) == 0)
    scripted_worker_confirm_passage (self);
  scripted_worker_say_ready (self, (how & 2) == 0);
}

/* The task that a step is about: the one that the host thinks it runs, or some other one, or none
 * that there is. */
static Heard
take_task (ScriptedWorker *self, FuzzScript *script)
{
  guint how = fuzz_take_byte (script);
  Heard task = self->last;

  if (self->heard->len > 0)
    task = g_array_index (self->heard, Heard, how < 200 ? 0 : how % self->heard->len);
  if (how >= 240)
    task.id = fuzz_take_number (script);
  if (how >= 224 && how < 232)
    task.attempt--;
  if (how >= 232 && how < 240)
    task.attempt++;
  return task;
}

/* --- What any program may say --- */

static void
say_value (ScriptedWorker *self, FuzzScript *script, DrayFrameType type)
{
  Heard task = take_task (self, script);
  g_autoptr (GVariant) value = fuzz_take_value (script);

  if (type == DRAY_FRAME_RESULT)
    scripted_worker_forget (self, &task);
  scripted_worker_write_value (self, type, &task, value);
}

static void
say_item (ScriptedWorker *self, FuzzScript *script)
{
  say_value (self, script, DRAY_FRAME_ITEM);
}

static void
say_result (ScriptedWorker *self, FuzzScript *script)
{
  say_value (self, script, DRAY_FRAME_RESULT);
}

static void
say_many_items (ScriptedWorker *self, FuzzScript *script)
{
  Heard task = take_task (self, script);
  guint n_items = fuzz_take_byte (script);
  gsize size = (gsize) fuzz_take_byte (script) * 64;
  g_autofree guint8 *zeros = g_malloc0 (size + 1);
  g_autoptr (GVariant) value = NULL;

  value = g_variant_ref_sink (
    g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, zeros, size, sizeof *zeros));
  for (guint i = 0; i < n_items && i * size < MAX_SAID; i++)
    scripted_worker_write_value (self, DRAY_FRAME_ITEM, &task, value);
}

static void
say_error (ScriptedWorker *self, FuzzScript *script)
{
  Heard task = take_task (self, script);
  guint how = fuzz_take_byte (script);
  g_autoptr (GError) error = NULL;

  error = g_error_new_literal ((how & 1) != 0 ? G_IO_ERROR : DRAY_ERROR, how >> 1, "It failed");
  scripted_worker_forget (self, &task);
  if (how >= 224)
    task.id = task.attempt = 0; /* the initialiser did */
  scripted_worker_write_error (self, &task, error);
}

static void
say_progress (ScriptedWorker *self, FuzzScript *script)
{
  Heard task = take_task (self, script);
  DrayMessage message;

  dray_message_init_progress (&message, task.id, task.attempt,
                              (double) fuzz_take_byte (script) / 100, "so far");
  scripted_worker_write_message (self, &message);
}

static void
say_returned (ScriptedWorker *self, FuzzScript *script)
{
  Heard task = take_task (self, script);
  DrayMessage message;

  scripted_worker_forget (self, &task);
  dray_message_init_empty (&message, DRAY_FRAME_RETURNED, task.id, task.attempt);
  scripted_worker_write_message (self, &message);
}

static void
say_outcomes (ScriptedWorker *self, FuzzScript *script)
{
  Heard task = take_task (self, script);
  g_autoptr (GVariant) value = fuzz_take_value (script);
  guint n_outcomes = fuzz_take_byte (script) % 16;

  scripted_worker_write_outcomes (self, &task, n_outcomes, fuzz_take_byte (script) % 16, value);
}

/* A header like any other, with any payload. */
static void
say_frame (ScriptedWorker *self, FuzzScript *script)
{
  Heard task = take_task (self, script);
  DrayFrameHeader header = {
    .type = 1 + fuzz_take_up_to (script, DRAY_FRAME_LAST),
    .flags = fuzz_take_byte (script),
    .task_id = task.id,
    .attempt = task.attempt,
  };
  const guint8 *payload = fuzz_take_bytes (script, &header.length);
  DrayMessage message;

  if (header.length > 0)
    memcpy (dray_message_start (&message, &header), payload, header.length);
  else
    dray_message_init_header (&message, &header);
  scripted_worker_write_message (self, &message);
}

static void
say_raw (ScriptedWorker *self, FuzzScript *script)
{
  gsize size;
  const guint8 *bytes = fuzz_take_bytes (script, &size);

  scripted_worker_write (self, bytes, size);
}

/* --- Descriptors --- */

static int
make_memory (FuzzScript *script, gsize size, int seals)
{
  int fd = memfd_create ("script", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  guint8 byte = fuzz_take_byte (script);

  fuzz_check (fd >= 0);
  if (size > 0)
    fuzz_check (ftruncate (fd, (off_t) size) == 0 && pwrite (fd, &byte, 1, 0) == 1);
  if (seals != 0)
    fuzz_check (fcntl (fd, F_ADD_SEALS, seals) == 0);
  return fd;
}

/* Any kind of thing. */
static int
make_descriptor (FuzzScript *script, gsize size)
{
  const int size_seals = F_SEAL_SHRINK | F_SEAL_GROW;
  int fds[2];

  switch (fuzz_take_up_to (script, 7))
    {
    case 0:
      return open ("/dev/null", O_RDWR | O_CLOEXEC);
    case 1:
      fuzz_check (pipe2 (fds, O_CLOEXEC) == 0);
      close (fds[1]);
      return fds[0];
    case 2:
      return make_memory (script, size, 0);
    case 3:
      return make_memory (script, size, size_seals);
    case 4:
      return make_memory (script, size + 1, size_seals | F_SEAL_WRITE);
    case 5:
      return make_memory (script, DRAY_SLOT_HEADER_SIZE + size, size_seals);
    default:
      return make_memory (script, size, size_seals | F_SEAL_WRITE);
    }
}

/* Memory and attachments, of which the frame says what the script wants. */
static void
say_cargo (ScriptedWorker *self, FuzzScript *script)
{
  Heard task = take_task (self, script);
  guint how = fuzz_take_byte (script);
  guint n_fds = fuzz_take_up_to (script, 4);
  gsize size = fuzz_take_byte (script);
  const char *type = (how & 1) != 0 ? "ay" : "(yy)";
  guint64 serial = 0;
  DrayFrameHeader header = {
    .type = (how & 2) != 0 ? DRAY_FRAME_ITEM : DRAY_FRAME_RESULT,
    .flags = DRAY_FRAME_FLAG_CARGO,
    .task_id = task.id,
    .attempt = task.attempt,
    .length = DRAY_CARGO_SIZE + 1 + strlen (type),
  };
  struct
  {
    guint64 serial;
    guint16 kind;
    guint16 n_attachments;
    guint32 slot;
    guint64 size;
  } manifest = { 0 };
  int fds[4];
  DrayMessage message;
  guint8 *payload;

  for (guint i = 0; i < n_fds; i++)
    fds[i] = make_descriptor (script, size);
  if (n_fds > 0 && self->passage != NULL)
    serial = dray_passage_send (self->passage, fds, n_fds, NULL);
  for (guint i = 0; i < n_fds; i++)
    close (fds[i]);

  manifest.kind = (how >> 2) & 3;
  manifest.serial = serial + ((how & 128) != 0 ? fuzz_take_byte (script) : 0);
  manifest.n_attachments = (guint16) (n_fds - ((how & 16) != 0 && n_fds > 0 ? 1 : 0));
  manifest.slot = (how & 32) != 0 ? fuzz_take_byte (script) : 0;
  manifest.size = manifest.kind != 0 ? size : 0;
  if ((how & 64) != 0)
    manifest.size += fuzz_take_byte (script);

  payload = dray_message_start (&message, &header);
  memcpy (payload, &manifest, sizeof manifest);
  payload[sizeof manifest] = 0;
  memcpy (payload + sizeof manifest + 1, type, strlen (type));
  if (header.type == DRAY_FRAME_RESULT)
    scripted_worker_forget (self, &task);
  scripted_worker_write_message (self, &message);
}

/* As an honest worker does it, or almost. */
static void
say_in_slot (ScriptedWorker *self, FuzzScript *script)
{
  Heard task = take_task (self, script);
  const DrayFrameHeader header = {
    .type = fuzz_take_boolean (script) ? DRAY_FRAME_ITEM : DRAY_FRAME_RESULT,
    .task_id = task.id,
    .attempt = task.attempt,
  };
  gboolean is_new = self->slot == NULL;
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_uint64 (fuzz_take_byte (script)));
  DrayCargo *cargo;
  DrayMessage message;

  if (self->passage == NULL)
    return;

  if (is_new)
    self->slot = dray_slot_new (1024, &self->slot_fd, NULL);
  cargo = dray_cargo_new ();
  cargo->kind = is_new ? DRAY_CARGO_NEW_SLOT : DRAY_CARGO_KNOWN_SLOT;
  cargo->slot = 1;
  cargo->size = 8;
  cargo->memory_fd = is_new ? fcntl (self->slot_fd, F_DUPFD_CLOEXEC, 3) : -1;
  memcpy (dray_slot_get_data (self->slot), g_variant_get_data (value), 8);
  dray_slot_lend (self->slot);
  if (header.type == DRAY_FRAME_RESULT)
    scripted_worker_forget (self, &task);
  if (dray_message_init_loaded (&message, &header, NULL, value, cargo, G_MAXUINT32, NULL))
    scripted_worker_write_message (self, &message);
}

/* --- Shared memory --- */

/* Writes to what both sides share of the ring: any of its words, or the ledger. */
static void
poke_ring (ScriptedWorker *self, FuzzScript *script)
{
  gsize size = 4096 + DRAY_RING_SIZE + DRAY_LEDGER_SIZE;
  guint place = fuzz_take_byte (script);
  guint64 number = fuzz_take_number (script);
  guint64 *words;

  if (self->child->ring_fd < 0)
    return;

  words = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, self->child->ring_fd, 0);
  fuzz_check (words != MAP_FAILED);
  if (place < 64)
    words[place] = number;
  else if (place < 128)
    words[place - 64] += number;
  else
    words[(4096 + DRAY_RING_SIZE) / sizeof *words + (place - 128)] = number;
  munmap (words, size);
  self->has_poked = TRUE;
}

/* What it has done and not said, as an honest worker leaves it, or almost. */
static void
fill_ledger (ScriptedWorker *self, FuzzScript *script)
{
  Heard task = take_task (self, script);
  guint n_records = fuzz_take_byte (script) % 16;
  guint first = fuzz_take_byte (script) % 8;
  g_autoptr (GVariant) value = fuzz_take_value (script);
  DrayOutcomesWriter writer = { 0 };
  DrayLedger *ledger;

  if (scripted_worker_get_ring (self) == NULL)
    return;

  ledger = dray_ring_get_ledger (self->ring);
  dray_ledger_begin (ledger, task.id, task.attempt);
  ledger->first = first;
  writer.records = (DrayRecords){ .data = ledger->records, .space = DRAY_LEDGER_SPACE };
  for (guint i = 0; i < n_records; i++)
    if (dray_outcomes_measure (value) <= DRAY_LEDGER_SPACE - writer.records.used)
      dray_outcomes_append_value (&writer, value, NULL);
  dray_ledger_set_content (ledger, writer.records.n_records,
                           writer.records.used + fuzz_take_byte (script) % 2);
  dray_outcomes_writer_reset (&writer);
}

/* --- Life --- */

static void
write_errors (ScriptedWorker *self, FuzzScript *script)
{
  gsize size;
  const guint8 *bytes = fuzz_take_bytes (script, &size);

  if (self->child->errors_fd >= 0)
    (void) !write (self->child->errors_fd, bytes, size);
}

static void
close_something (ScriptedWorker *self, FuzzScript *script)
{
  DrayChild *child = self->child;
  int *fds[] = { &child->output_fd, &child->input_fd, &child->errors_fd, &child->passage_fd };
  int *fd = fds[fuzz_take_up_to (script, 3)];

  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

static void
let_through (ScriptedWorker *self, FuzzScript *script)
{
  guint size = fuzz_take_byte (script);
  GByteArray *all = self->unread;

  scripted_worker_tidy (self);
  size = MIN (size, all->len);
  self->unread = g_byte_array_new ();
  self->holds_back = FALSE;
  scripted_worker_write (self, all->data, size);
  scripted_worker_flush (self);
  scripted_worker_tidy (self);
  g_byte_array_remove_range (all, 0, size);
  g_byte_array_append (all, self->unread->data, self->unread->len);
  g_byte_array_unref (self->unread);
  self->unread = all;
  self->holds_back = TRUE;
}

static void
change_habits (ScriptedWorker *self, FuzzScript *script)
{
  guint habits = fuzz_take_byte (script);

  self->child->deaf = (habits & 1) != 0;
  self->reads = (habits & 2) == 0;
  self->polite = (habits & 4) == 0;
  self->holds_back = (habits & 8) != 0;
  scripted_worker_flush (self);
}

static void
hello (ScriptedWorker *self, FuzzScript *script)
{
  scripted_worker_say_hello (self);
}

static void
confirm (ScriptedWorker *self, FuzzScript *script)
{
  scripted_worker_confirm_passage (self);
}

static void
ready (ScriptedWorker *self, FuzzScript *script)
{
  scripted_worker_say_ready (self, fuzz_take_boolean (script));
}

static void
answer_one (ScriptedWorker *self, FuzzScript *script)
{
  Heard task = take_task (self, script);

  scripted_worker_forget (self, &task);
  scripted_worker_answer (self, &task);
}

static void
answer_all (ScriptedWorker *self, FuzzScript *script)
{
  scripted_worker_answer_all (self->child);
}

static void
die (ScriptedWorker *self, FuzzScript *script)
{
  int exit_status = fuzz_take_byte (script);

  scripted_child_die (self->child, exit_status, (int) fuzz_take_up_to (script, 15));
}

typedef void (*Act) (ScriptedWorker *self, FuzzScript *script);

/* A new one comes last, so that scripts keep their meaning, as far as they can. */
static const Act worker_acts[] = {
  start_up,     hello,        confirm,         ready,       answer_one,    answer_all,
  say_item,     say_result,   say_many_items,  say_error,   say_progress,  say_returned,
  say_outcomes, say_frame,    say_raw,         say_cargo,   say_in_slot,   poke_ring,
  fill_ledger,  write_errors, close_something, let_through, change_habits, die,
};

/* It has no frames: bytes, an end. */
static const Act command_acts[] = {
  say_raw, say_raw, write_errors, close_something, change_habits, die,
};

void
scripted_worker_act (DrayChild *child, FuzzScript *script)
{
  const Act *acts = child->is_worker ? worker_acts : command_acts;
  guint n_acts = child->is_worker ? G_N_ELEMENTS (worker_acts) : G_N_ELEMENTS (command_acts);
  ScriptedWorker *self = scripted_worker_get (child);

  acts[fuzz_take_up_to (script, n_acts - 1)](self, script);
  if (!child->dead)
    scripted_worker_flush (self);
}
