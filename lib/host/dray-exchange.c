/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-exchange.h"

#include <glib/gi18n-lib.h>

#include "dray-attachments.h"
#include "dray-descriptor.h"
#include "dray-payload.h"
#include "dray-pool.h"
#include "dray-slot.h"
#include "dray-task-private.h"

struct _DrayExchange
{
  /* set at construction */
  gboolean trusted;
  guint64 shared_size;

  DrayPassage *passage;           /* (owned) (nullable) */
  gboolean open;                  /* the worker has the other end */
  DraySlot *slots[DRAY_SLOT_MAX]; /* (owned) (nullable): those that it has sent, by number */
};

void
dray_arrival_clear (DrayArrival *arrival)
{
  g_clear_pointer (&arrival->payload, g_bytes_unref);
  g_clear_pointer (&arrival->shared, g_bytes_unref);
  g_clear_pointer (&arrival->attachments, dray_descriptor_list_release);
}

DrayExchange *
dray_exchange_new (gboolean trusted, guint64 shared_size, int *theirs)
{
  DrayExchange *self = g_new0 (DrayExchange, 1);

  self->trusted = trusted;
  self->shared_size = shared_size;
  self->passage = dray_passage_new (theirs, NULL);

  return self;
}

void
dray_exchange_free (DrayExchange *self)
{
  for (guint i = 0; i < DRAY_SLOT_MAX; i++)
    g_clear_pointer (&self->slots[i], dray_slot_unref);
  g_clear_pointer (&self->passage, dray_passage_free);
  g_free (self);
}

void
dray_exchange_fill_hello (DrayExchange *self, DrayHello *hello)
{
  if (self->passage == NULL)
    return;

  hello->cookie = dray_passage_get_cookie (self->passage);
  hello->trusted = self->trusted;
  hello->shared_size = self->shared_size;
}

void
dray_exchange_settle (DrayExchange *self)
{
  self->open = self->passage != NULL && dray_passage_is_confirmed (self->passage);
  if (!self->open)
    g_clear_pointer (&self->passage, dray_passage_free);
}

/* --- To the worker --- */

/* Returns: NULL if all of it goes in the frame */
static DrayCargo *
load_ticket (DrayExchange *self, DrayTicket *ticket, gsize max_payload)
{
  GVariant *arguments = dray_ticket_get_arguments (ticket);
  GUnixFDList *attachments = dray_task_get_attachments (ticket->task);
  gsize size = arguments != NULL ? g_variant_get_size (arguments) : 0;
  g_autoptr (GVariant) sound = NULL;
  DrayCargo *cargo = NULL;

  if (!self->open)
    return NULL;

  if (size >= self->shared_size && size <= max_payload)
    sound = dray_value_make_sound (arguments, NULL);
  if (sound != NULL)
    cargo = dray_cargo_new_sealed (sound, NULL);

  if (attachments != NULL)
    {
      if (cargo == NULL)
        cargo = dray_cargo_new ();
      cargo->attachments = g_object_ref (attachments);
    }
  return cargo;
}

static void
count_shared (DrayPool *pool, gsize size)
{
  if (size == 0)
    return;

  dray_pool_lock (pool);
  pool->counters.bytes_out += size;
  dray_pool_unlock (pool);
}

static gboolean
init_inline (DrayMessage *message, DrayTicket *ticket, gsize max_payload, GError **error)
{
  return dray_message_init_submit (message, ticket->id, ticket->attempt,
                                   dray_task_get_function (ticket->task),
                                   dray_ticket_get_arguments (ticket), max_payload, error);
}

gboolean
dray_exchange_init_submit (
  DrayExchange *self, DrayMessage *message, DrayTicket *ticket, gsize max_payload, GError **error)
{
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_SUBMIT,
    .task_id = ticket->id,
    .attempt = ticket->attempt,
  };
  DrayTask *task = ticket->task;
  g_autoptr (GError) reason = NULL;
  DrayCargo *cargo = load_ticket (self, ticket, max_payload);
  gsize size = cargo != NULL ? cargo->size : 0;

  if (cargo != NULL)
    {
      if (!dray_message_init_loaded (message, &header, dray_task_get_function (task),
                                     dray_ticket_get_arguments (ticket), cargo, max_payload, error))
        return FALSE;
      if (dray_cargo_pass (message, self->passage, &reason))
        {
          count_shared (ticket->pool, size);
          return TRUE;
        }
      dray_message_clear (message);
    }

  if (dray_task_get_attachments (task) == NULL
      && !g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE))
    return init_inline (message, ticket, max_payload, error);

  if (g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE)
      || g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    g_propagate_error (error, g_steal_pointer (&reason));
  else if (reason != NULL)
    g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS, reason->message);
  else
    g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS,
                         _("Open files can’t be passed to a worker that is reached in this way"));
  return FALSE;
}

/* --- From the worker --- */

static gboolean
set_protocol_error (GError **error)
{
  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                       C_ ("sent", "a message whose shared memory can’t be understood"));
  return FALSE;
}

/* The slot that @cargo means, which may be one that it brings. */
static gboolean
map_slot (DrayExchange *self, DrayCargo *cargo, GBytes **shared, GError **error)
{
  DraySlot **place;

  if (!self->trusted || cargo->slot > DRAY_SLOT_MAX)
    return set_protocol_error (error);

  place = &self->slots[cargo->slot - 1];
  if (cargo->kind == DRAY_CARGO_NEW_SLOT)
    {
      DraySlot *slot = dray_slot_map (cargo->memory_fd, error);

      if (slot == NULL)
        return FALSE;
      g_clear_pointer (place, dray_slot_unref);
      *place = slot;
    }

  if (*place == NULL || cargo->size > dray_slot_get_capacity (*place))
    return set_protocol_error (error);

  *shared = dray_slot_get_bytes (*place, cargo->size);
  return TRUE;
}

static gboolean
map_value (DrayExchange *self, DrayCargo *cargo, GBytes **shared, GError **error)
{
  switch (cargo->kind)
    {
    case DRAY_CARGO_INLINE:
      return TRUE;

    case DRAY_CARGO_SEALED:
      *shared = dray_payload_map (cargo->memory_fd, cargo->size, error);
      return *shared != NULL;

    case DRAY_CARGO_NEW_SLOT:
    case DRAY_CARGO_KNOWN_SLOT:
    default:
      return map_slot (self, cargo, shared, error);
    }
}

gboolean
dray_exchange_receive (
  DrayExchange *self, GBytes *payload, gsize max_payload, DrayArrival *arrival, GError **error)
{
  g_autoptr (DrayCargo) cargo = NULL;
  DrayPassage *passage = self->open ? self->passage : NULL;

  *arrival = (DrayArrival){ 0 };
  cargo = dray_cargo_receive (passage, payload, max_payload, &arrival->payload, error);
  if (cargo == NULL || !map_value (self, cargo, &arrival->shared, error)
      || !dray_attachments_hold (cargo->attachments, error))
    {
      dray_arrival_clear (arrival);
      return FALSE;
    }

  arrival->attachments = g_steal_pointer (&cargo->attachments);
  return TRUE;
}
