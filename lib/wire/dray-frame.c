/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-frame.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#define OFFSET_MAGIC 0
#define OFFSET_VERSION 4
#define OFFSET_TYPE 5
#define OFFSET_FLAGS 6
#define OFFSET_TASK_ID 8
#define OFFSET_ATTEMPT 16
#define OFFSET_LENGTH 20

/* What a frame of a type may carry. */
typedef enum
{
  PAYLOAD_NONE,
  PAYLOAD_CONTROL, /* up to DRAY_FRAME_MAX_CONTROL */
  PAYLOAD_VALUE,   /* up to the user's limit */
  PAYLOAD_LARGER,  /* the larger of the two: it must get through whatever the limit is */
} PayloadKind;

static const struct
{
  const char *name;
  PayloadKind payload;
} frame_types[] = {
  [DRAY_FRAME_HELLO] = { "hello", PAYLOAD_LARGER },
  [DRAY_FRAME_READY] = { "ready", PAYLOAD_NONE },
  [DRAY_FRAME_SUBMIT] = { "submit", PAYLOAD_VALUE },
  [DRAY_FRAME_ITEM] = { "item", PAYLOAD_VALUE },
  [DRAY_FRAME_PROGRESS] = { "progress", PAYLOAD_CONTROL },
  [DRAY_FRAME_RESULT] = { "result", PAYLOAD_VALUE },
  [DRAY_FRAME_ERROR] = { "error", PAYLOAD_CONTROL },
  [DRAY_FRAME_CANCEL] = { "cancel", PAYLOAD_NONE },
  [DRAY_FRAME_RETURNED] = { "returned", PAYLOAD_NONE },
  [DRAY_FRAME_GOODBYE] = { "goodbye", PAYLOAD_NONE },
  [DRAY_FRAME_RECALL] = { "recall", PAYLOAD_NONE },
  [DRAY_FRAME_CHUNK] = { "chunk", PAYLOAD_VALUE },
  [DRAY_FRAME_OUTCOMES] = { "outcomes", PAYLOAD_LARGER },
  [DRAY_FRAME_CONFINED] = { "confined", PAYLOAD_CONTROL },
};

G_STATIC_ASSERT (G_N_ELEMENTS (frame_types) == DRAY_FRAME_LAST + 1);

static gboolean
is_frame_type (guint type)
{
  return type >= DRAY_FRAME_HELLO && type <= DRAY_FRAME_LAST;
}

const char *
dray_frame_type_to_string (DrayFrameType type)
{
  return is_frame_type (type) ? frame_types[type].name : "unknown";
}

void
dray_frame_header_encode (const DrayFrameHeader *header,
                          guint8 bytes[static DRAY_FRAME_HEADER_SIZE])
{
  const guint32 magic = DRAY_FRAME_MAGIC;
  const guint16 flags = (guint16) header->flags;
  const guint32 attempt = header->attempt;
  const guint32 length = (guint32) header->length;

  memcpy (bytes + OFFSET_MAGIC, &magic, sizeof magic);
  bytes[OFFSET_VERSION] = DRAY_PROTOCOL_VERSION;
  bytes[OFFSET_TYPE] = (guint8) header->type;
  memcpy (bytes + OFFSET_FLAGS, &flags, sizeof flags);
  memcpy (bytes + OFFSET_TASK_ID, &header->task_id, sizeof header->task_id);
  memcpy (bytes + OFFSET_ATTEMPT, &attempt, sizeof attempt);
  memcpy (bytes + OFFSET_LENGTH, &length, sizeof length);
}

void
dray_frame_header_add_flags (guint8 bytes[static DRAY_FRAME_HEADER_SIZE], guint flags)
{
  guint16 value;

  memcpy (&value, bytes + OFFSET_FLAGS, sizeof value);
  value |= (guint16) flags;
  memcpy (bytes + OFFSET_FLAGS, &value, sizeof value);
}

/* Returns: (transfer full) (nullable): the text that @bytes begin with, if it is long enough to
 * tell somebody which of their print statements wrote it. */
static char *
dup_leading_text (const guint8 *bytes, gsize size)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const char *cursor = (const char *) bytes;
  const char *end = cursor + size;

  while (cursor < end)
    {
      gunichar character = g_utf8_get_char_validated (cursor, end - cursor);

      if (character == (gunichar) -1 || character == (gunichar) -2)
        break;
      if (g_unichar_isspace (character))
        g_string_append_c (text, ' ');
      else if (g_unichar_isprint (character))
        g_string_append_unichar (text, character);
      else
        break;
      cursor = g_utf8_next_char (cursor);
    }

  /* The first four bytes are the magic; fewer would say little. */
  if (cursor - (const char *) bytes < 4)
    return NULL;
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
set_magic_error (const guint8 bytes[static DRAY_FRAME_HEADER_SIZE], guint32 magic, GError **error)
{
  g_autofree char *text = NULL;

  if (magic == GUINT32_SWAP_LE_BE (DRAY_FRAME_MAGIC))
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "a message in a byte order other than this machine’s"));
      return;
    }

  text = dup_leading_text (bytes, DRAY_FRAME_HEADER_SIZE);
  if (text != NULL)
    g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                 C_ ("sent", "“%s…” where a message of Dray’s protocol should begin"),
                 text);
  else
    g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                 C_ ("sent", "the bytes %02x %02x %02x %02x where a message of Dray’s protocol "
                             "should begin"),
                 bytes[0], bytes[1], bytes[2], bytes[3]);
}

static gboolean
check_length (DrayFrameType type, gsize length, gsize max_payload, GError **error)
{
  gsize limit = 0;

  switch (frame_types[type].payload)
    {
    case PAYLOAD_NONE:
      limit = 0;
      break;
    case PAYLOAD_CONTROL:
      limit = DRAY_FRAME_MAX_CONTROL;
      break;
    case PAYLOAD_VALUE:
      limit = max_payload;
      break;
    case PAYLOAD_LARGER:
      limit = MAX (max_payload, DRAY_FRAME_MAX_CONTROL);
      break;
    }

  if (length <= limit)
    return TRUE;

  g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
               C_ ("sent", "a message “%s” of %zu bytes, where at most %zu are allowed"),
               frame_types[type].name, length, limit);
  return FALSE;
}

gboolean
dray_frame_header_decode (const guint8 bytes[static DRAY_FRAME_HEADER_SIZE],
                          gsize max_payload,
                          DrayFrameHeader *header,
                          GError **error)
{
  guint32 magic, attempt, length;
  guint16 flags;
  guint version = bytes[OFFSET_VERSION];
  guint type = bytes[OFFSET_TYPE];

  memcpy (&magic, bytes + OFFSET_MAGIC, sizeof magic);
  memcpy (&flags, bytes + OFFSET_FLAGS, sizeof flags);
  memcpy (&attempt, bytes + OFFSET_ATTEMPT, sizeof attempt);
  memcpy (&length, bytes + OFFSET_LENGTH, sizeof length);

  if (magic != DRAY_FRAME_MAGIC)
    {
      set_magic_error (bytes, magic, error);
      return FALSE;
    }

  /* A hello of another version goes through, so that whoever reads it can say so. */
  if (version != DRAY_PROTOCOL_VERSION && type != DRAY_FRAME_HELLO)
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                   C_ ("sent", "a message in version %u of Dray’s protocol, where this library "
                               "speaks version %u"),
                   version, (guint) DRAY_PROTOCOL_VERSION);
      return FALSE;
    }

  if (!is_frame_type (type))
    {
      g_set_error (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                   C_ ("sent", "a message of the unknown type %u"), type);
      return FALSE;
    }

  if (!check_length (type, length, max_payload, error))
    return FALSE;

  header->type = type;
  header->version = version;
  header->flags = flags;
  header->attempt = attempt;
  header->length = length;
  memcpy (&header->task_id, bytes + OFFSET_TASK_ID, sizeof header->task_id);
  return TRUE;
}
