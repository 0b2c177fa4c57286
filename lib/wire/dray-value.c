/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-message.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "dray-value-check.h"

/* Memory for less than that is not looked for beforehand. */
#define LARGE ((gsize) 1024 * 1024)

/* Decodes the value in @payload from @offset on, in place. @shared: (nullable): its bytes, if they
 * are not in there. */
static GVariant *
decode_from (GBytes *payload, gsize offset, GBytes *shared, GError **error)
{
  g_autoptr (GBytes) child = NULL;
  gsize size;
  const char *data = g_bytes_get_data (payload, &size);
  const char *nul = size > offset ? memrchr (data + offset, 0, size - offset) : NULL;
  const char *type;
  gsize child_size;

  if (nul == NULL)
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "a value without a type"));
      return NULL;
    }

  type = nul + 1;
  child_size = nul - (data + offset);
  if (shared != NULL && child_size == 0)
    child = g_bytes_ref (shared);
  else if (shared == NULL)
    child = g_bytes_new_from_bytes (payload, offset, child_size);

  if (child == NULL
      || !dray_value_check (type, data + size - type, g_bytes_get_data (child, NULL),
                            g_bytes_get_size (child)))
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "a value that does not fit its type"));
      return NULL;
    }

  return g_variant_ref_sink (g_variant_new_from_bytes ((const GVariantType *) type, child, TRUE));
}

GVariant *
dray_value_decode (GBytes *payload, GError **error)
{
  return decode_from (payload, 0, NULL, error);
}

GVariant *
dray_value_decode_shared (GBytes *payload, GBytes *shared, GError **error)
{
  return decode_from (payload, 0, shared, error);
}

/* Whether its bytes still have to be put together. Nothing says so; but such a value gives the same
 * children each time, since it is made of them, and others make them anew. */
static gboolean
is_in_pieces (GVariant *value)
{
  g_autoptr (GVariant) child = NULL;
  g_autoptr (GVariant) again = NULL;

  if (!g_variant_is_container (value) || g_variant_n_children (value) == 0)
    return FALSE;

  child = g_variant_get_child_value (value, 0);
  again = g_variant_get_child_value (value, 0);
  return child == again;
}

gboolean
dray_value_has_room (GVariant *value, GError **error)
{
  const gsize size = g_variant_get_size (value);
  g_autofree gpointer room = NULL;

  if (size < LARGE || !is_in_pieces (value))
    return TRUE;

  room = g_try_malloc (size);
  if (room != NULL)
    return TRUE;

  g_set_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
               _("There is not enough memory for a value of %zu bytes"), size);
  return FALSE;
}

static gboolean
is_sound (GVariant *value)
{
  const char *type = g_variant_get_type_string (value);

  return dray_value_check (type, strlen (type), g_variant_get_data (value),
                           g_variant_get_size (value));
}

GVariant *
dray_value_make_sound (GVariant *value, GError **error)
{
  g_autoptr (GVariant) normal = NULL;

  if (!dray_value_has_room (value, error))
    return NULL;

  if (strlen (g_variant_get_type_string (value)) <= DRAY_VALUE_MAX_TYPE)
    {
      if (is_sound (value))
        return g_variant_ref (value);

      normal = g_variant_get_normal_form (value);
      if (is_sound (normal))
        return g_steal_pointer (&normal);
    }

  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
                       _("A value can’t be sent: its type is too long, or containers are nested "
                         "too deeply in it"));
  return NULL;
}

/* Finds the name at the beginning of a submit: @size bytes of text from *@name on, and where the
 * value begins behind it. */
static gboolean
find_name (GBytes *payload, const char **name, gsize *size, gsize *end)
{
  gsize payload_size;
  const guint8 *data = g_bytes_get_data (payload, &payload_size);
  guint32 prefix[2];
  gsize padding;

  if (payload_size < sizeof prefix)
    return FALSE;
  memcpy (prefix, data, sizeof prefix);
  if (prefix[1] != 0 || prefix[0] > payload_size - sizeof prefix)
    return FALSE;

  *name = (const char *) data + sizeof prefix;
  *size = prefix[0];
  *end = sizeof prefix + prefix[0];
  padding = dray_frame_padding (prefix[0]);
  if (padding > payload_size - *end)
    return FALSE;

  for (; padding > 0; padding--)
    if (data[(*end)++] != 0)
      return FALSE;

  return g_utf8_validate_len (*name, *size, NULL);
}

gboolean
dray_submit_decode (GBytes *payload, char **function, GVariant **arguments, GError **error)
{
  return dray_submit_decode_shared (payload, NULL, function, arguments, error);
}

gboolean
dray_submit_decode_shared (GBytes *payload,
                           GBytes *shared,
                           char **function,
                           GVariant **arguments,
                           GError **error)
{
  const char *name;
  gsize size, end;
  GVariant *value;

  if (!find_name (payload, &name, &size, &end))
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "a task whose function can’t be read"));
      return FALSE;
    }

  value = decode_from (payload, end, shared, error);
  if (value == NULL)
    return FALSE;

  *function = g_strndup (name, size);
  *arguments = value;
  return TRUE;
}
