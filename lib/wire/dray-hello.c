/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-message.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "dray-value-check.h"

#define HELLO_TYPE "(yyya{sv})"

#define BYTE_ORDER_MARK (G_BYTE_ORDER == G_LITTLE_ENDIAN ? 'l' : 'B')

/* Where the members that no version changes lie. */
#define OFFSET_BYTE_ORDER 0
#define OFFSET_ROLE 1
#define OFFSET_VERSION 2
#define FIXED_SIZE 3

void
dray_hello_clear (DrayHello *hello)
{
  g_clear_pointer (&hello->arguments, g_variant_unref);
  g_clear_pointer (&hello->cookie, g_bytes_unref);
  *hello = (DrayHello) { 0 };
}

GBytes *
dray_hello_encode (const DrayHello *hello)
{
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GVariant) value = NULL;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "library", g_variant_new_string (PACKAGE_VERSION));
  if (hello->pid != 0)
    g_variant_builder_add (&builder, "{sv}", "pid", g_variant_new_uint32 (hello->pid));
  if (hello->max_payload != 0)
    g_variant_builder_add (&builder, "{sv}", "max-payload",
                           g_variant_new_uint64 (hello->max_payload));
  if (hello->ring != 0)
    g_variant_builder_add (&builder, "{sv}", "ring", g_variant_new_uint64 (hello->ring));
  if (hello->cookie != NULL)
    g_variant_builder_add (&builder, "{sv}", "passage",
                           g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, hello->cookie,
                                                     TRUE));
  if (hello->shared_size != 0)
    g_variant_builder_add (&builder, "{sv}", "shared-size",
                           g_variant_new_uint64 (hello->shared_size));
  if (hello->trusted)
    g_variant_builder_add (&builder, "{sv}", "trusted", g_variant_new_boolean (TRUE));
  if (hello->arguments != NULL)
    {
      arguments = g_variant_get_normal_form (hello->arguments);
      g_variant_builder_add (&builder, "{sv}", "arguments", arguments);
    }

  value = g_variant_ref_sink (g_variant_new (HELLO_TYPE, (guchar) BYTE_ORDER_MARK,
                                             (guchar) hello->role, (guchar) hello->version,
                                             &builder));
  return g_variant_get_data_as_bytes (value);
}

static gboolean
check_version (guint version, GError **error)
{
  if (version == DRAY_PROTOCOL_VERSION)
    return TRUE;

  g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
               C_ ("sent", "a message in version %u of Dray’s protocol, where this library "
                           "speaks version %u"),
               version, (guint) DRAY_PROTOCOL_VERSION);
  return FALSE;
}

static gboolean
check_role (guint role, DrayRole expected, GError **error)
{
  if (role == (guint) expected)
    return TRUE;

  if (role == DRAY_ROLE_HOST)
    g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                         C_ ("sent", "a copy of what it was sent, so it can’t be a Dray worker"));
  else if (role == DRAY_ROLE_WORKER)
    g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                         C_ ("sent", "the greeting of a worker, so it can’t be an application "
                                     "that uses Dray"));
  else
    g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                 C_ ("sent", "a greeting with the unknown role %u"), role);
  return FALSE;
}

static gboolean
set_malformed (GError **error)
{
  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                       C_ ("sent", "a greeting that can’t be read"));
  return FALSE;
}

/* Checks what is the same in all versions, before anything is made of the rest. */
static gboolean
check_fixed (const DrayFrameHeader *header, GBytes *payload, DrayRole expected, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (payload, &size);

  if (!check_version (header->version, error))
    return FALSE;

  if (header->type != DRAY_FRAME_HELLO)
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                   C_ ("sent", "a message “%s” before its greeting"),
                   dray_frame_type_to_string (header->type));
      return FALSE;
    }

  if (size < FIXED_SIZE)
    return set_malformed (error);

  if (data[OFFSET_BYTE_ORDER] != BYTE_ORDER_MARK)
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "a message in a byte order other than this machine’s"));
      return FALSE;
    }

  return check_version (data[OFFSET_VERSION], error)
         && check_role (data[OFFSET_ROLE], expected, error);
}

/* (transfer full) (nullable) */
static GBytes *
find_cookie (GVariant *features)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (features, "passage",
                                                       G_VARIANT_TYPE_BYTESTRING);

  return value != NULL ? g_variant_get_data_as_bytes (value) : NULL;
}

gboolean
dray_hello_decode (const DrayFrameHeader *header,
                   GBytes *payload,
                   DrayRole expected,
                   DrayHello *hello,
                   GError **error)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) features = NULL;
  const guint8 *data;
  gsize size;

  *hello = (DrayHello) { 0 };
  if (!check_fixed (header, payload, expected, error))
    return FALSE;

  data = g_bytes_get_data (payload, &size);
  if (!dray_value_check (HELLO_TYPE, strlen (HELLO_TYPE), data, size))
    return set_malformed (error);

  value = g_variant_ref_sink (
    g_variant_new_from_bytes (G_VARIANT_TYPE (HELLO_TYPE), payload, TRUE));
  hello->role = expected;
  hello->version = DRAY_PROTOCOL_VERSION;
  features = g_variant_get_child_value (value, 3);
  g_variant_lookup (features, "pid", "u", &hello->pid);
  g_variant_lookup (features, "max-payload", "t", &hello->max_payload);
  g_variant_lookup (features, "ring", "t", &hello->ring);
  g_variant_lookup (features, "trusted", "b", &hello->trusted);
  g_variant_lookup (features, "shared-size", "t", &hello->shared_size);
  hello->cookie = find_cookie (features);
  hello->arguments = g_variant_lookup_value (features, "arguments", NULL);
  return TRUE;
}
