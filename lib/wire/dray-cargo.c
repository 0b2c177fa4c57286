/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-cargo.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "dray-descriptor.h"
#include "dray-payload.h"

#define MAX_DESCRIPTORS (1 + DRAY_PASSAGE_MAX_ATTACHMENTS)

/* As they lie at the beginning of the payload. */
typedef struct
{
  guint64 serial;
  guint16 kind;
  guint16 n_attachments;
  guint32 slot;
  guint64 size;
} Manifest;

G_STATIC_ASSERT (sizeof (Manifest) == DRAY_CARGO_SIZE);

DrayCargo *
dray_cargo_new (void)
{
  DrayCargo *self = g_new0 (DrayCargo, 1);

  self->memory_fd = -1;
  return self;
}

void
dray_cargo_free (DrayCargo *self)
{
  if (self->memory_fd >= 0)
    dray_descriptor_close_foreign (&self->memory_fd, 1);
  g_clear_pointer (&self->attachments, dray_descriptor_list_release);
  g_free (self);
}

guint
dray_cargo_get_n_attachments (const DrayCargo *self)
{
  return self->attachments != NULL ? (guint) g_unix_fd_list_get_length (self->attachments) : 0;
}

DrayCargo *
dray_cargo_new_sealed (GVariant *value, GError **error)
{
  gsize size = g_variant_get_size (value);
  int fd = dray_payload_write (g_variant_get_data (value), size, error);
  DrayCargo *self;

  if (fd < 0)
    return NULL;

  self = dray_cargo_new ();
  self->kind = DRAY_CARGO_SEALED;
  self->size = size;
  self->memory_fd = fd;
  return self;
}

void
dray_cargo_encode (const DrayCargo *self, guint8 *bytes)
{
  Manifest manifest = {
    .kind = (guint16) self->kind,
    .n_attachments = (guint16) dray_cargo_get_n_attachments (self),
    .slot = self->slot,
    .size = self->size,
  };

  memcpy (bytes, &manifest, sizeof manifest);
}

/* Returns: how many there are */
static guint
list_descriptors (DrayCargo *self, int fds[static MAX_DESCRIPTORS])
{
  guint n_attachments = dray_cargo_get_n_attachments (self);
  guint n_fds = 0;

  if (self->memory_fd >= 0)
    fds[n_fds++] = self->memory_fd;
  if (n_attachments > 0)
    memcpy (fds + n_fds, g_unix_fd_list_peek_fds (self->attachments, NULL),
            n_attachments * sizeof (int));
  return n_fds + n_attachments;
}

gboolean
dray_cargo_pass (DrayMessage *message, DrayPassage *passage, GError **error)
{
  DrayCargo *cargo = message->cargo;
  int fds[MAX_DESCRIPTORS];
  guint64 serial = 0;
  guint n_fds;

  if (cargo == NULL)
    return TRUE;

  n_fds = list_descriptors (cargo, fds);
  if (n_fds > 0)
    {
      g_return_val_if_fail (passage != NULL, FALSE);
      serial = dray_passage_send (passage, fds, n_fds, error);
      if (serial == 0)
        return FALSE;
    }

  dray_message_set_serial (message, serial);
  g_clear_pointer (&message->cargo, dray_cargo_free);
  return TRUE;
}

/* Whether what is said makes sense, for a slot and for a value of up to @max bytes. */
static gboolean
is_sound (const Manifest *manifest, gsize max)
{
  gboolean is_slot = manifest->kind == DRAY_CARGO_NEW_SLOT
                     || manifest->kind == DRAY_CARGO_KNOWN_SLOT;
  gboolean has_descriptors = manifest->n_attachments > 0 || manifest->kind == DRAY_CARGO_SEALED
                             || manifest->kind == DRAY_CARGO_NEW_SLOT;

  return manifest->kind <= DRAY_CARGO_KNOWN_SLOT && is_slot == (manifest->slot != 0)
         && (manifest->kind == DRAY_CARGO_INLINE) == (manifest->size == 0) && manifest->size <= max
         && manifest->n_attachments <= DRAY_PASSAGE_MAX_ATTACHMENTS
         && has_descriptors == (manifest->serial != 0);
}

static gboolean
read_manifest (GBytes *payload, gsize max, Manifest *manifest, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (payload, &size);

  if (size >= sizeof *manifest)
    {
      memcpy (manifest, data, sizeof *manifest);
      if (is_sound (manifest, max))
        return TRUE;
    }

  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                       C_ ("sent", "a message whose shared memory can’t be understood"));
  return FALSE;
}

static DrayCargo *
make_cargo (const Manifest *manifest, const int *fds)
{
  DrayCargo *self = dray_cargo_new ();

  self->kind = manifest->kind;
  self->slot = manifest->slot;
  self->size = manifest->size;
  if (self->kind == DRAY_CARGO_SEALED || self->kind == DRAY_CARGO_NEW_SLOT)
    self->memory_fd = *fds++;
  if (manifest->n_attachments > 0)
    self->attachments = g_unix_fd_list_new_from_array (fds, manifest->n_attachments);
  return self;
}

DrayCargo *
dray_cargo_receive (
  DrayPassage *passage, GBytes *payload, gsize max, GBytes **inner, GError **error)
{
  int fds[MAX_DESCRIPTORS];
  Manifest manifest;
  guint n_fds;

  if (!read_manifest (payload, max, &manifest, error))
    return NULL;

  if (passage == NULL)
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "a message that names other open files than were passed"));
      return NULL;
    }

  n_fds = manifest.n_attachments;
  if (manifest.kind == DRAY_CARGO_SEALED || manifest.kind == DRAY_CARGO_NEW_SLOT)
    n_fds++;
  if (n_fds > 0 && !dray_passage_receive (passage, manifest.serial, fds, n_fds, error))
    return NULL;

  *inner = g_bytes_new_from_bytes (payload, sizeof manifest,
                                   g_bytes_get_size (payload) - sizeof manifest);
  return make_cargo (&manifest, fds);
}
