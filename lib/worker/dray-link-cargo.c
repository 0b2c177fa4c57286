/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-link-private.h"

#include <glib/gi18n-lib.h>

#include "dray-payload.h"

/*
 * What goes beside the frames of the link: large values in shared memory, and open files.
 *
 * A value that is large enough goes in a slot, if the host allows that and one is free, else in
 * sealed memory, else in the frame. It is always the same value for the host.
 *
 * Flow control. What lies in the pipe is bounded by the pipe; what lies in shared memory is not. So
 * only MAX_IN_FLIGHT bytes of sealed memory may be on the way that the host has not received, or
 * one value. What comes beyond goes in its frame, and waits in write() as always. Nobody has to
 * wait for anything else, and no message has to come back: the socket says whether it was emptied.
 */

/* Bytes. As much as the host takes by default before it stops reading. */
#define MAX_IN_FLIGHT ((gsize) 64 * 1024 * 1024)

/* All processes of a user together can have only so many descriptors in flight (as many as a
 * process can have open). A value goes in its frame then, but attachments have to wait: this long,
 * with pauses that double, since nobody tells when there is room. In µs. */
#define PATIENCE (5 * G_TIME_SPAN_SECOND)
#define FIRST_PAUSE 1000
#define LAST_PAUSE 50000

void
dray_link_open_passage (DrayLink *self, const DrayHello *hello)
{
  if (hello->cookie == NULL)
    return;

  self->shared_size = hello->shared_size != 0 ? hello->shared_size : DRAY_PAYLOAD_SEALED_MIN;
  self->passage = dray_passage_adopt (DRAY_PASSAGE_DESCRIPTOR, hello->cookie);
  if (self->passage != NULL && hello->trusted)
    self->shelf = dray_shelf_new ();
}

gboolean
dray_link_has_passage (DrayLink *self)
{
  return self->passage != NULL;
}

GBytes *
dray_link_allocate (DrayLink *self, gsize size, gpointer *data)
{
  GBytes *bytes = NULL;

  if (self->shelf != NULL && size >= DRAY_PAYLOAD_SLOT_MIN)
    bytes = dray_shelf_allocate (self->shelf, size, data);
  if (bytes == NULL)
    bytes = dray_payload_allocate (size, data);
  return bytes;
}

/* --- Receiving --- */

/* The bytes of the value, where they are in shared memory. */
static gboolean
map_value (DrayCargo *cargo, GBytes **shared, GError **error)
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
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "shared memory that is not sealed"));
      return FALSE;
    }
}

GBytes *
dray_link_receive_cargo (
  DrayLink *self, GBytes *payload, GBytes **shared, GUnixFDList **attachments, GError **error)
{
  g_autoptr (GBytes) inner = NULL;
  g_autoptr (DrayCargo) cargo = NULL;

  cargo = dray_cargo_receive (self->passage, payload, DRAY_LINK_MAX_PAYLOAD, &inner, error);
  if (cargo == NULL || !map_value (cargo, shared, error))
    return NULL;

  *attachments = g_steal_pointer (&cargo->attachments);
  return g_steal_pointer (&inner);
}

/* --- Sending --- */

/* Whether one more value may be on its way in sealed memory; then it is counted. */
static gboolean
may_share (DrayLink *self, gsize size)
{
  gboolean allowed;

  g_mutex_lock (&self->lock);
  if (self->in_flight > 0 && dray_passage_is_drained (self->passage))
    self->in_flight = 0;
  allowed = self->in_flight == 0
            || (size <= MAX_IN_FLIGHT && self->in_flight <= MAX_IN_FLIGHT - size);
  if (allowed)
    self->in_flight += size;
  g_mutex_unlock (&self->lock);

  return allowed;
}

/* Returns: NULL if the bytes of @value have to go in the frame */
static DrayCargo *
load_value (DrayLink *self, GVariant *value)
{
  gsize size = value != NULL ? g_variant_get_size (value) : 0;
  gboolean for_slot = self->shelf != NULL && size >= DRAY_PAYLOAD_SLOT_MIN;
  gboolean for_seal = self->passage != NULL && size >= self->shared_size;
  g_autoptr (GVariant) sound = NULL;
  DrayCargo *cargo = NULL;

  if ((for_slot || for_seal) && size <= self->max_payload)
    sound = dray_value_make_sound (value, NULL);
  if (sound == NULL)
    return NULL;

  if (for_slot)
    cargo = dray_shelf_load (self->shelf, sound);
  if (cargo == NULL && for_seal && may_share (self, size))
    cargo = dray_cargo_new_sealed (sound, NULL);
  return cargo;
}

static void
settle (DrayLink *self, guint slot, gboolean sent)
{
  if (slot != 0)
    dray_shelf_settle (self->shelf, slot, sent);
}

static gboolean
send_outcome_or_item (DrayLink *self, const DrayCall *call, DrayMessage *message, GError **error)
{
  if (call != NULL)
    return dray_link_send (self, call, message, error);

  dray_link_finish (self, message, error);
  return TRUE;
}

/* As send_outcome_or_item(); where there are attachments, and too many other descriptors are on
 * their way, it tries again for a while. */
static gboolean
send_patiently (DrayLink *self, const DrayCall *call, DrayMessage *message, GError **error)
{
  const gboolean can_wait = message->cargo->attachments != NULL;
  const gint64 end = g_get_monotonic_time () + PATIENCE;
  gulong pause = FIRST_PAUSE;

  for (;;)
    {
      g_autoptr (GError) reason = NULL;
      gboolean sent = send_outcome_or_item (self, call, message, &reason);

      if (!can_wait || !g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)
          || g_get_monotonic_time () >= end)
        {
          if (reason != NULL)
            g_propagate_error (error, g_steal_pointer (&reason));
          return sent;
        }

      g_usleep (pause);
      pause = MIN (2 * pause, LAST_PAUSE);
    }
}

/* What becomes of a value that is to go with a cargo. */
typedef enum
{
  PASSED,
  REFUSED,    /* the cargo could not be passed, and nothing was sent: with an error */
  IMPOSSIBLE, /* it can't be sent at all: with an error */
} Passing;

static Passing
send_with_cargo (DrayLink *self,
                 const DrayCall *call,
                 const DrayFrameHeader *header,
                 GVariant *value,
                 DrayCargo *cargo,
                 gboolean *sent,
                 GError **error)
{
  g_auto (DrayMessage) message = { 0 };
  guint slot = cargo->slot;
  g_autoptr (GError) reason = NULL;

  if (!dray_message_init_loaded (&message, header, NULL, value, cargo, self->max_payload, error))
    {
      settle (self, slot, FALSE);
      return IMPOSSIBLE;
    }

  *sent = send_patiently (self, call, &message, &reason);
  settle (self, slot, *sent && reason == NULL);
  if (reason == NULL)
    return PASSED;

  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_ATTACHMENTS, reason->message);
  return REFUSED;
}

gboolean
dray_link_send_value (DrayLink *self,
                      const DrayCall *call,
                      const DrayFrameHeader *header,
                      GVariant *value,
                      GUnixFDList *attachments,
                      gboolean *sent,
                      GError **error)
{
  g_auto (DrayMessage) message = { 0 };
  DrayCargo *cargo = load_value (self, value);
  GError *reason = NULL;
  Passing passing = REFUSED;

  *sent = FALSE;
  if (cargo == NULL && attachments != NULL)
    cargo = dray_cargo_new ();
  if (attachments != NULL)
    cargo->attachments = g_object_ref (attachments);

  if (cargo != NULL)
    passing = send_with_cargo (self, call, header, value, cargo, sent, &reason);
  if (passing == PASSED)
    return TRUE;

  if (passing == IMPOSSIBLE || attachments != NULL)
    {
      g_propagate_error (error, reason);
      return FALSE;
    }

  g_clear_error (&reason);
  if (!dray_message_init_value (&message, header, value, self->max_payload, error))
    return FALSE;

  *sent = send_outcome_or_item (self, call, &message, NULL);
  return TRUE;
}
