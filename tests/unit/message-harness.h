/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* What the tests of messages share: how a message gets to the other side, and what does not. */

#include "dray-message.h"

#include <string.h>

G_BEGIN_DECLS

#define KIB ((gsize) 1024)
#define MIB (1024 * KIB)
#define MAX_PAYLOAD (64 * MIB)

/* A payload that means nothing. */
typedef struct
{
  const char *bytes;
  gsize size;
  const char *why;
} Hostile;

#define HOSTILE(bytes, why)      \
  {                              \
    bytes, sizeof bytes - 1, why \
  }

/* (transfer full): the payload that arrives when @message is sent. Clears it. */
static inline GBytes *
transfer (DrayMessage *message, DrayFrameHeader *header)
{
  gsize size = dray_message_get_size (message);
  GByteArray *bytes = g_byte_array_new ();
  g_autoptr (GBytes) frame = NULL;
  g_autoptr (GError) error = NULL;

  g_byte_array_append (bytes, dray_message_get_head (message), message->head_length);
  if (message->body != NULL)
    g_byte_array_append (bytes, g_bytes_get_data (message->body, NULL),
                         g_bytes_get_size (message->body));
  if (message->tail_length > 0)
    g_byte_array_append (bytes, dray_message_get_tail (message), message->tail_length);
  dray_message_clear (message);
  g_assert_cmpuint (dray_message_get_size (message), ==, 0);

  frame = g_byte_array_free_to_bytes (bytes);
  g_assert_cmpuint (g_bytes_get_size (frame), ==, size);
  g_assert_cmpuint (size % 8, ==, 0);
  g_assert_true (
    dray_frame_header_decode (g_bytes_get_data (frame, NULL), MAX_PAYLOAD, header, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (DRAY_FRAME_HEADER_SIZE + header->length + dray_frame_padding (header->length),
                    ==, size);
  return g_bytes_new_from_bytes (frame, DRAY_FRAME_HEADER_SIZE, header->length);
}

/* Of a type that arrives at any address (`ay`), and no two neighbours alike. */
static inline GVariant *
make_bytes (gsize size)
{
  guint8 *data = g_malloc (size + 1);

  for (gsize i = 0; i < size; i++)
    data[i] = i * 7 + (i >> 9);
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data);
}

G_END_DECLS
