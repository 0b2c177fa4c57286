/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "facts.h"

#include <glib/gi18n.h>
#include <string.h>

static DemoPreview *
preview_new (void)
{
  DemoPreview *self = g_new0 (DemoPreview, 1);

  g_atomic_ref_count_init (&self->ref_count);
  return self;
}

DemoPreview *
demo_preview_new_text (const char *text)
{
  DemoPreview *self = preview_new ();

  self->text = g_strdup (text);
  return self;
}

DemoPreview *
demo_preview_new_picture (guint width, guint height, GBytes *pixels)
{
  DemoPreview *self = preview_new ();

  self->width = width;
  self->height = height;
  self->pixels = g_bytes_ref (pixels);
  return self;
}

DemoPreview *
demo_preview_ref (DemoPreview *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
demo_preview_unref (DemoPreview *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_clear_pointer (&self->pixels, g_bytes_unref);
  g_free (self->text);
  g_free (self);
}

gsize
demo_preview_get_size (const DemoPreview *self)
{
  return self->text != NULL ? strlen (self->text) : g_bytes_get_size (self->pixels);
}

void
demo_facts_clear (DemoFacts *self)
{
  g_clear_pointer (&self->mime_type, g_free);
  g_clear_pointer (&self->description, g_free);
  g_clear_pointer (&self->encoding, g_free);
  g_clear_pointer (&self->preview, demo_preview_unref);
}

/* (nullable): floating */
static GVariant *
preview_to_variant (const DemoPreview *self)
{
  if (self == NULL)
    return NULL;
  return self->text != NULL ? g_variant_new_string (self->text)
                            : g_variant_new (DEMO_PICTURE_TYPE, self->width, self->height);
}

/* (transfer full) (nullable): NULL if it makes no sense */
static DemoPreview *
preview_from_variant (GVariant *value, GBytes *pixels)
{
  const char *text;
  gsize length;
  guint width, height;

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    {
      text = g_variant_get_string (value, &length);
      return length <= DEMO_MAX_TEXT ? demo_preview_new_text (text) : NULL;
    }
  if (!g_variant_is_of_type (value, G_VARIANT_TYPE (DEMO_PICTURE_TYPE)) || pixels == NULL)
    return NULL;

  g_variant_get (value, DEMO_PICTURE_TYPE, &width, &height);
  if (width == 0 || height == 0 || width > DEMO_MAX_SIDE || height > DEMO_MAX_SIDE
      || g_bytes_get_size (pixels) != (gsize) width * height * 4)
    return NULL;
  return demo_preview_new_picture (width, height, pixels);
}

GVariant *
demo_facts_to_variant (const DemoFacts *self)
{
  return g_variant_new ("(ssytx@aysttuutmv)", self->mime_type, self->description,
                        (guchar) self->kind, self->size, self->modified,
                        g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, self->sha256,
                                                   DEMO_SHA256_SIZE, sizeof (guint8)),
                        self->encoding != NULL ? self->encoding : "", self->lines, self->words,
                        self->width, self->height, self->entries,
                        preview_to_variant (self->preview));
}

static gboolean
is_name (const char *text)
{
  return strlen (text) <= DEMO_MAX_NAME;
}

gboolean
demo_facts_from_variant (DemoFacts *self, GVariant *value, GBytes *pixels, GError **error)
{
  g_autoptr (GVariant) sum = NULL;
  g_autoptr (GVariant) preview = NULL;
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
                 &self->width, &self->height, &self->entries, &preview);

  bytes = g_variant_get_fixed_array (sum, &length, sizeof (guint8));
  if (preview != NULL)
    self->preview = preview_from_variant (preview, pixels);
  if (length != DEMO_SHA256_SIZE || kind >= DEMO_N_KINDS || !is_name (self->mime_type)
      || !is_name (self->description) || !is_name (encoding)
      || (preview != NULL && self->preview == NULL))
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
