/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "facts.h"

#include <glib/gi18n.h>
#include <string.h>

void
demo_facts_clear (DemoFacts *self)
{
  g_clear_pointer (&self->mime_type, g_free);
  g_clear_pointer (&self->description, g_free);
  g_clear_pointer (&self->encoding, g_free);
  g_clear_pointer (&self->preview, g_variant_unref);
}

GVariant *
demo_facts_to_variant (const DemoFacts *self)
{
  return g_variant_new ("(ssytx@aysttuutmv)", self->mime_type, self->description,
                        (guchar) self->kind, self->size, self->modified,
                        g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, self->sha256,
                                                   DEMO_SHA256_SIZE, sizeof (guint8)),
                        self->encoding != NULL ? self->encoding : "", self->lines, self->words,
                        self->width, self->height, self->entries, self->preview);
}

gboolean
demo_facts_from_variant (DemoFacts *self, GVariant *value, GError **error)
{
  g_autoptr (GVariant) sum = NULL;
  g_autofree char *encoding = NULL;
  const guint8 *bytes;
  gsize length;
  guchar kind;

  memset (self, 0, sizeof *self);
  if (!g_variant_is_of_type (value, G_VARIANT_TYPE (DEMO_FACTS_TYPE)))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   _ ("The reader answered with a value of the type “%s”."),
                      g_variant_get_type_string (value));
      return FALSE;
    }

  g_variant_get (value, "(ssytx@aysttuutmv)", &self->mime_type, &self->description, &kind,
                 &self->size, &self->modified, &sum, &encoding, &self->lines, &self->words,
                 &self->width, &self->height, &self->entries, &self->preview);

  bytes = g_variant_get_fixed_array (sum, &length, sizeof (guint8));
  if (length != DEMO_SHA256_SIZE || kind >= DEMO_N_KINDS)
    {
      demo_facts_clear (self);
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                           _ ("The reader answered with facts that make no sense."));
      return FALSE;
    }
  memcpy (self->sha256, bytes, DEMO_SHA256_SIZE);
  self->kind = kind;
  if (*encoding != '\0')
    self->encoding = g_steal_pointer (&encoding);
  return TRUE;
}
