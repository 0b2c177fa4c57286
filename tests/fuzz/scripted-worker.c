/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scripted-worker-private.h"

#include "dray-cargo.h"
#include "dray-chunk.h"
#include "dray-payload.h"

#include <unistd.h>

/* How many tasks it remembers. */
#define MAX_HEARD 64

/* How much it writes that nobody reads, and how much it gathers before it writes. */
#define MAX_UNREAD ((gsize) 1 << 20)
#define MAX_GATHERED ((gsize) 64 * 1024)

static void
worker_free (gpointer data)
{
  ScriptedWorker *self = data;

  dray_decoder_free (self->decoder);
  g_array_unref (self->heard);
  g_byte_array_unref (self->unread);
  dray_hello_clear (&self->hello);
  g_clear_pointer (&self->ring, dray_ring_free);
  g_clear_pointer (&self->passage, dray_passage_free);
  g_clear_pointer (&self->slot, dray_slot_unref);
  if (self->slot_fd >= 0)
    close (self->slot_fd);
  g_free (self);
}

ScriptedWorker *
scripted_worker_get (DrayChild *child)
{
  ScriptedWorker *self;

  if (child->role != NULL)
    return child->role;

  self = g_new0 (ScriptedWorker, 1);
  self->child = child;
  self->decoder = dray_decoder_new (G_MAXUINT32);
  self->heard = g_array_new (FALSE, TRUE, sizeof (Heard));
  self->unread = g_byte_array_new ();
  self->reads = self->polite = TRUE;
  self->slot_fd = -1;
  child->role = self;
  child->role_free = worker_free;
  return self;
}

/* --- Writing --- */

static gsize
write_to_ring (ScriptedWorker *self)
{
  gsize n_written = dray_ring_write (self->ring, self->unread->data + self->n_gone,
                                     self->unread->len - self->n_gone);

  if (dray_ring_publish (self->ring))
    (void) !write (self->child->output_fd, "", 1);
  return n_written;
}

/* Returns whether anything went out. */
gboolean
scripted_worker_flush (ScriptedWorker *self)
{
  gssize n_written;

  if (self->unread->len == 0 || self->holds_back || self->child->output_fd < 0)
    return FALSE;

  if (self->uses_ring)
    n_written = (gssize) write_to_ring (self);
  else
    n_written = write (self->child->output_fd, self->unread->data + self->n_gone,
                       self->unread->len - self->n_gone);
  if (n_written <= 0)
    return FALSE;

  self->n_gone += (gsize) n_written;
  if (self->n_gone > self->unread->len / 2)
    scripted_worker_tidy (self);
  return TRUE;
}

void
scripted_worker_tidy (ScriptedWorker *self)
{
  g_byte_array_remove_range (self->unread, 0, (guint) self->n_gone);
  self->n_gone = 0;
}

void
scripted_worker_write (ScriptedWorker *self, const guint8 *bytes, gsize size)
{
  if (self->unread->len - self->n_gone + size > MAX_UNREAD)
    return;

  g_byte_array_append (self->unread, bytes, (guint) size);
  if (self->unread->len - self->n_gone > MAX_GATHERED)
    scripted_worker_flush (self);
}

/* Clears @message. */
void
scripted_worker_write_message (ScriptedWorker *self, DrayMessage *message)
{
  dray_cargo_pass (message, self->passage, NULL);
  scripted_worker_write (self, dray_message_get_head (message), message->head_length);
  if (message->body != NULL)
    scripted_worker_write (self, g_bytes_get_data (message->body, NULL),
                           g_bytes_get_size (message->body));
  scripted_worker_write (self, dray_message_get_tail (message), message->tail_length);
  dray_message_clear (message);
}

/* --- Hearing --- */

static void
hear_hello (ScriptedWorker *self, const DrayFrameHeader *header, GBytes *payload)
{
  fuzz_check (self->hello.version == 0);
  fuzz_check (dray_hello_decode (header, payload, DRAY_ROLE_HOST, &self->hello, NULL));
}

/* Its memory is mapped only for those that use it: half of them never come to that. */
DrayRing *
scripted_worker_get_ring (ScriptedWorker *self)
{
  if (self->ring == NULL && self->hello.ring != 0)
    {
      self->ring = dray_ring_adopt (self->child->ring_fd, self->hello.ring);
      fuzz_check (self->ring != NULL || self->has_poked);
    }
  return self->ring;
}

static void
remember (ScriptedWorker *self, const DrayFrameHeader *header, guint n_calls)
{
  self->last = (Heard){ .id = header->task_id, .attempt = header->attempt, .n_calls = n_calls };
  if (self->heard->len < MAX_HEARD)
    g_array_append_val (self->heard, self->last);
}

/* The bytes of its arguments, which were passed. */
static GBytes *
map_arguments (const DrayCargo *cargo)
{
  GBytes *shared;

  if (cargo->kind == DRAY_CARGO_INLINE)
    return NULL;

  fuzz_check (cargo->kind == DRAY_CARGO_SEALED);
  shared = dray_payload_map (cargo->memory_fd, cargo->size, NULL);
  fuzz_check (shared != NULL);
  return shared;
}

static void
hear_submit (ScriptedWorker *self, const DrayFrameHeader *header, GBytes *payload)
{
  g_autoptr (GBytes) inner = g_bytes_ref (payload);
  g_autoptr (GBytes) shared = NULL;
  g_autoptr (GVariant) arguments = NULL;
  g_autofree char *function = NULL;

  fuzz_check (header->task_id != 0 && header->attempt != 0);
  if ((header->flags & DRAY_FRAME_FLAG_CARGO) != 0)
    {
      g_autoptr (DrayCargo) cargo = NULL;

      g_clear_pointer (&inner, g_bytes_unref);
      cargo = dray_cargo_receive (self->passage, payload, G_MAXUINT32, &inner, NULL);
      fuzz_check (cargo != NULL);
      shared = map_arguments (cargo);
    }
  fuzz_check (dray_submit_decode_shared (inner, shared, &function, &arguments, NULL));
  remember (self, header, 0);
}

static void
hear_chunk (ScriptedWorker *self, const DrayFrameHeader *header, GBytes *payload)
{
  g_autoptr (DrayChunk) chunk = dray_chunk_decode (payload, NULL);

  fuzz_check (header->task_id != 0 && header->attempt != 0 && chunk != NULL);
  remember (self, header, chunk->n_calls);
}

static void
hear_cancel (ScriptedWorker *self, const DrayFrameHeader *header)
{
  for (guint i = 0; i < self->heard->len; i++)
    {
      Heard *heard = &g_array_index (self->heard, Heard, i);

      if (heard->id == header->task_id && heard->attempt == header->attempt)
        heard->cancelled = TRUE;
    }
}

static void
hear (ScriptedWorker *self, const DrayFrameHeader *header, GBytes *payload)
{
  switch (header->type)
    {
    case DRAY_FRAME_HELLO:
      hear_hello (self, header, payload);
      break;
    case DRAY_FRAME_SUBMIT:
      hear_submit (self, header, payload);
      break;
    case DRAY_FRAME_CHUNK:
      hear_chunk (self, header, payload);
      break;
    case DRAY_FRAME_CANCEL:
      hear_cancel (self, header);
      break;
    case DRAY_FRAME_RECALL:
    case DRAY_FRAME_GOODBYE:
      break;
    default:
      fuzz_check (!"a host says such a thing");
    }
}

static void
hear_all (ScriptedWorker *self)
{
  DrayFrameHeader header;
  GBytes *payload = NULL;
  g_autoptr (GError) error = NULL;

  while (dray_decoder_next (self->decoder, &header, &payload, &error))
    {
      hear (self, &header, payload);
      g_clear_pointer (&payload, g_bytes_unref);
    }
  fuzz_check (error == NULL);
}

/* Returns whether there was anything; it may be dead then. */
gboolean
scripted_worker_read_input (ScriptedWorker *self)
{
  gsize size;
  guint8 *space;
  gssize n_read;

  if (!self->reads || self->child->input_fd < 0)
    return FALSE;

  space = dray_decoder_get_space (self->decoder, &size);
  n_read = read (self->child->input_fd, space, size);
  if (n_read > 0 && self->child->is_worker)
    {
      dray_decoder_take (self->decoder, (gsize) n_read);
      hear_all (self);
    }
  if (n_read > 0)
    return TRUE;

  if (n_read == 0 && self->polite && self->child->is_worker)
    {
      scripted_child_die (self->child, 0, 0);
      return TRUE;
    }
  return FALSE;
}

gboolean
scripted_worker_go_on (DrayChild *child)
{
  ScriptedWorker *self = scripted_worker_get (child);
  gboolean flushed = scripted_worker_flush (self);

  return scripted_worker_read_input (self) || flushed;
}

/* --- What an honest worker says --- */

void
scripted_worker_say_hello (ScriptedWorker *self)
{
  const DrayHello hello = {
    .role = DRAY_ROLE_WORKER,
    .version = DRAY_PROTOCOL_VERSION,
    .pid = (guint) self->child->pid,
  };
  DrayMessage message;

  dray_message_init_hello (&message, &hello);
  scripted_worker_write_message (self, &message);
}

void
scripted_worker_confirm_passage (ScriptedWorker *self)
{
  if (self->passage != NULL || self->hello.cookie == NULL || self->child->passage_fd < 0)
    return;

  self->passage = dray_passage_adopt (self->child->passage_fd, self->hello.cookie);
  if (self->passage != NULL)
    self->child->passage_fd = -1;
}

void
scripted_worker_say_ready (ScriptedWorker *self, gboolean with_ring)
{
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_READY,
    .flags = with_ring ? DRAY_FRAME_FLAG_RING : 0,
  };
  DrayMessage message;

  dray_message_init_header (&message, &header);
  scripted_worker_write_message (self, &message);
  scripted_worker_flush (self);
  self->uses_ring = self->uses_ring
                    || (with_ring && !self->holds_back && scripted_worker_get_ring (self) != NULL);
}

void
scripted_worker_forget (ScriptedWorker *self, const Heard *task)
{
  for (guint i = 0; i < self->heard->len; i++)
    {
      Heard *heard = &g_array_index (self->heard, Heard, i);

      if (heard->id == task->id && heard->attempt == task->attempt)
        {
          g_array_remove_index (self->heard, i);
          return;
        }
    }
}

void
scripted_worker_write_value (ScriptedWorker *self,
                             DrayFrameType type,
                             const Heard *task,
                             GVariant *value)
{
  const DrayFrameHeader header = { .type = type, .task_id = task->id, .attempt = task->attempt };
  DrayMessage message;

  if (dray_message_init_value (&message, &header, value, G_MAXUINT32, NULL))
    scripted_worker_write_message (self, &message);
}

void
scripted_worker_write_error (ScriptedWorker *self, const Heard *task, const GError *error)
{
  DrayMessage message;

  dray_message_init_error (&message, task->id, task->attempt, error);
  scripted_worker_write_message (self, &message);
}

void
scripted_worker_write_outcomes (
  ScriptedWorker *self, const Heard *task, guint n_outcomes, guint n_returned, GVariant *value)
{
  const DrayFrameHeader header = { .task_id = task->id, .attempt = task->attempt };
  DrayOutcomesWriter writer = { .records.grows = TRUE };
  DrayMessage message;

  for (guint i = 0; i < n_outcomes; i++)
    dray_outcomes_append_value (&writer, value, NULL);
  dray_outcomes_init_message (&message, &header, &writer.records, n_returned, 1000);
  scripted_worker_write_message (self, &message);
  dray_records_clear (&writer.records);
  dray_outcomes_writer_reset (&writer);
}

/* Honestly. */
void
scripted_worker_answer (ScriptedWorker *self, const Heard *task)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_uint32 (42));
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "As told");

  if (task->n_calls > 0)
    scripted_worker_write_outcomes (self, task, task->n_calls, 0, value);
  else if (task->cancelled)
    scripted_worker_write_error (self, task, error);
  else
    scripted_worker_write_value (self, DRAY_FRAME_RESULT, task, value);
}

void
scripted_worker_answer_all (DrayChild *child)
{
  ScriptedWorker *self = scripted_worker_get (child);

  while (self->heard->len > 0)
    {
      Heard task = g_array_index (self->heard, Heard, 0);

      g_array_remove_index (self->heard, 0);
      scripted_worker_answer (self, &task);
    }
}
