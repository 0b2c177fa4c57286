/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-link-private.h"

#include "dray-takeover.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <poll.h>
#include <unistd.h>

/*
 * What comes in. All of it is called by the holder of the reading role.
 */

/* Whatever else the descriptor may be is left alone. */
static void
adopt_ring (DrayLink *self, guint64 cookie)
{
  self->ring = dray_ring_adopt (DRAY_RING_DESCRIPTOR, cookie);
  if (self->ring != NULL)
    close (DRAY_RING_DESCRIPTOR);
}

static gboolean
handle_hello (DrayLink *self, const DrayFrameHeader *header, GBytes *payload, GError **error)
{
  g_auto (DrayHello) hello = { 0 };

  if (self->greeted)
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "a second greeting"));
      return FALSE;
    }

  if (!dray_hello_decode (header, payload, DRAY_ROLE_HOST, &hello, error))
    return FALSE;

  self->arguments = g_steal_pointer (&hello.arguments);
  if (hello.max_payload != 0)
    self->max_payload = (gsize) MIN (hello.max_payload, DRAY_LINK_MAX_PAYLOAD);
  if (hello.ring != 0)
    adopt_ring (self, hello.ring);
  dray_link_open_passage (self, &hello);
  self->greeted = TRUE;

  return TRUE;
}

/* A call that there is no room for is one that fails, in its turn: @call->failure says why, and
 * here whose memory or open files it is about. */
static void
leave_out (DrayCall *call)
{
  g_prefix_error (&call->failure, "%s: ", _("The worker could not take the task"));
  call->function = g_strdup ("");
  call->arguments = g_variant_ref_sink (g_variant_new_tuple (NULL, 0));
}

static gboolean
decode_submit (DrayLink *self,
               DrayCall *call,
               const DrayFrameHeader *header,
               GBytes *payload,
               GError **error)
{
  g_autoptr (GBytes) inner = NULL;
  g_autoptr (GBytes) shared = NULL;

  if ((header->flags & DRAY_FRAME_FLAG_CARGO) == 0)
    return dray_submit_decode (payload, &call->function, &call->arguments, error);

  inner = dray_link_receive_cargo (self, payload, &shared, &call->attachments, &call->failure);
  if (inner != NULL)
    return dray_submit_decode_shared (inner, shared, &call->function, &call->arguments, error);

  if (g_error_matches (call->failure, DRAY_ERROR, DRAY_ERROR_PROTOCOL))
    {
      g_propagate_error (error, g_steal_pointer (&call->failure));
      return FALSE;
    }

  leave_out (call);
  return TRUE;
}

static gboolean
check_submit (DrayLink *self, const DrayFrameHeader *header, GError **error)
{
  if (header->task_id == 0 || header->attempt == 0)
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "a task without a number"));
      return FALSE;
    }

  if (dray_link_get_state (self) == DRAY_LINK_GOODBYE)
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "a task after it had said goodbye"));
      return FALSE;
    }

  return TRUE;
}

/* Takes what is in it. */
static void
add_call (DrayLink *self, const DrayFrameHeader *header, DrayCall *call)
{
  call->task_id = header->task_id;
  call->attempt = header->attempt;
  call->cancellable = g_cancellable_new ();

  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->waiting, call);
  g_mutex_unlock (&self->lock);
}

static gboolean
handle_submit (DrayLink *self, const DrayFrameHeader *header, GBytes *payload, GError **error)
{
  g_autoptr (DrayCall) call = g_new0 (DrayCall, 1);

  if (!check_submit (self, header, error) || !decode_submit (self, call, header, payload, error))
    return FALSE;

  call->quiet = (header->flags & DRAY_FRAME_FLAG_QUIET) != 0;
  add_call (self, header, g_steal_pointer (&call));
  return TRUE;
}

static gboolean
handle_chunk (DrayLink *self, const DrayFrameHeader *header, GBytes *payload, GError **error)
{
  g_autoptr (DrayChunk) chunk = NULL;
  DrayCall *call;

  if (!check_submit (self, header, error))
    return FALSE;

  chunk = dray_chunk_decode (payload, error);
  if (chunk == NULL)
    return FALSE;

  call = g_new0 (DrayCall, 1);
  call->chunk = g_steal_pointer (&chunk);
  add_call (self, header, call);
  return TRUE;
}

static gboolean
is_call (const DrayCall *call, const DrayFrameHeader *header)
{
  return call->task_id == header->task_id && call->attempt == header->attempt;
}

/* If it is the running call, all that waits is returned with it, since the host may have to end
 * this process; if it waits, just that one. Anything else was over before. */
static void
handle_cancel (DrayLink *self, const DrayFrameHeader *header)
{
  g_mutex_lock (&self->lock);
  if (self->running != NULL && is_call (self->running, header))
    {
      dray_link_cancel_running_locked (self);
      dray_calls_move (&self->waiting, &self->returned);
    }
  else
    {
      for (GList *l = self->waiting.head; l != NULL; l = l->next)
        if (is_call (l->data, header))
          {
            g_queue_unlink (&self->waiting, l);
            g_queue_push_tail_link (&self->returned, l);
            break;
          }
    }
  g_mutex_unlock (&self->lock);

  dray_link_send_returned (self);
}

/* All that wait are returned. Where none runs, the first one does not wait: it is about to begin,
 * and the host takes it for the running one. */
static void
handle_recall (DrayLink *self)
{
  DrayCall *begins;

  g_mutex_lock (&self->lock);
  begins = self->running == NULL ? g_queue_pop_head (&self->waiting) : NULL;
  dray_calls_move (&self->waiting, &self->returned);
  if (begins != NULL)
    g_queue_push_tail (&self->waiting, begins);
  g_mutex_unlock (&self->lock);

  dray_link_send_returned (self);
}

static gboolean
handle_frame (DrayLink *self, const DrayFrameHeader *header, GBytes *payload, GError **error)
{
  if (header->type == DRAY_FRAME_HELLO)
    return handle_hello (self, header, payload, error);

  if (!self->greeted)
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                   C_ ("sent", "a message “%s” before its greeting"),
                   dray_frame_type_to_string (header->type));
      return FALSE;
    }

  switch (header->type)
    {
    case DRAY_FRAME_SUBMIT:
      return handle_submit (self, header, payload, error);

    case DRAY_FRAME_CHUNK:
      return handle_chunk (self, header, payload, error);

    case DRAY_FRAME_CANCEL:
      handle_cancel (self, header);
      return TRUE;

    case DRAY_FRAME_RECALL:
      handle_recall (self);
      return TRUE;

    case DRAY_FRAME_GOODBYE:
      dray_link_advance (self, DRAY_LINK_GOODBYE);
      return TRUE;

    default:
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                   C_ ("sent", "a message “%s”, which only workers send"),
                   dray_frame_type_to_string (header->type));
      return FALSE;
    }
}

/* What the host sent makes no sense, or there is no room for it. Takes @error. Said at once: there
 * may be no later. */
static void
fail (DrayLink *self, GError *error)
{
  if (g_error_matches (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL))
    {
      g_autofree char *sentence
        /* Translators: what the application sent: one of the texts with the context “sent”. */
        = g_strdup_printf (_("The application sent something unexpected: %s"), error->message);

      dray_complain (sentence);
    }
  else
    {
      dray_complain (error->message);
    }

  g_error_free (error);
  dray_link_advance (self, DRAY_LINK_FAILED);
}

/* The frame that was refused with @error is a call's, and there is no memory for it: that must cost
 * neither the call that runs nor the process. Takes @error then. */
static gboolean
go_without (DrayLink *self, GError **error)
{
  g_autoptr (DrayCall) call = NULL;
  DrayFrameHeader header;

  if (!dray_decoder_skip (self->decoder, &header) || header.type != DRAY_FRAME_SUBMIT
      || !self->greeted || !check_submit (self, &header, NULL))
    return FALSE;

  call = g_new0 (DrayCall, 1);
  call->quiet = (header.flags & DRAY_FRAME_FLAG_QUIET) != 0;
  call->failure = g_steal_pointer (error);
  leave_out (call);
  add_call (self, &header, g_steal_pointer (&call));
  return TRUE;
}

/* The decoder is left drained. */
static void
handle_frames (DrayLink *self)
{
  DrayFrameHeader header;
  GBytes *payload = NULL;
  GError *error = NULL;

  while (error == NULL && dray_decoder_next (self->decoder, &header, &payload, &error))
    {
      handle_frame (self, &header, payload, &error);
      g_clear_pointer (&payload, g_bytes_unref);
    }

  if (error != NULL && !go_without (self, &error))
    fail (self, error);
}

void
dray_link_read (DrayLink *self)
{
  gsize size;
  guint8 *space = dray_decoder_get_space (self->decoder, &size);
  gssize n_read = read (self->in_fd, space, size);

  if (n_read > 0)
    {
      dray_decoder_take (self->decoder, n_read);
      handle_frames (self);
    }
  else if (n_read < 0 && errno == EAGAIN)
    {
      struct pollfd readable = { .fd = self->in_fd, .events = POLLIN };

      poll (&readable, 1, -1);
    }
  else if (n_read == 0 && dray_link_get_state (self) == DRAY_LINK_GOODBYE)
    {
      self->in_ended = TRUE;
    }
  else if (n_read == 0 || errno != EINTR)
    {
      /* The end may come in the middle of a frame: a host that was killed has no say in it. */
      dray_link_advance (self, DRAY_LINK_HUNG_UP);
    }
}
