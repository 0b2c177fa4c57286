/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-cargo.h"
#include "dray-chunk.h"
#include "fuzz.h"

#include <string.h>

/*
 * The payload of a frame becomes what it stands for: as the host decodes what a worker sends, and
 * as the worker decodes what its host sends (dray-message.c, dray-hello.c, dray-value.c,
 * dray-value-check.c, dray-chunk.c, dray-chunk-outcomes.c, dray-cargo.c).
 *
 * The payload is the script's rest as it is; or one that was well-formed, of which the script has
 * changed some bytes. What is taken must be sound, and, where there is but one way to say a thing,
 * must be the same bytes when it is said again. What is in normal form must be taken, and nothing
 * that GLib does not take for it.
 */

/* Where something well-formed is changed. */
#define MAX_CHANGES 3

typedef enum
{
  FROM_WORKER_HELLO,
  FROM_WORKER_ITEM,
  FROM_WORKER_SHARED_ITEM,
  FROM_WORKER_PROGRESS,
  FROM_WORKER_ERROR,
  FROM_WORKER_OUTCOMES,
  FROM_HOST_HELLO,
  FROM_HOST_SUBMIT,
  FROM_HOST_SHARED_SUBMIT,
  FROM_HOST_CHUNK,
  CARGO,
  N_KINDS,
} Kind;

static const DrayFrameHeader any_header = { .type = DRAY_FRAME_ITEM, .task_id = 1, .attempt = 1 };

/* (transfer full): what would be written for @message, without the header; clears it. */
static GByteArray *
steal_payload (DrayMessage *message)
{
  GByteArray *bytes = g_byte_array_new ();

  g_byte_array_append (bytes, dray_message_get_head (message), message->head_length);
  if (message->body != NULL)
    g_byte_array_append (bytes, g_bytes_get_data (message->body, NULL),
                         g_bytes_get_size (message->body));
  g_byte_array_append (bytes, dray_message_get_tail (message), message->tail_length);
  g_byte_array_remove_range (bytes, 0, DRAY_FRAME_HEADER_SIZE);
  dray_message_clear (message);
  return bytes;
}

/* What is said again may only have the frame's padding behind it. */
static void
check_said_again (DrayMessage *message, GBytes *payload)
{
  g_autoptr (GByteArray) again = steal_payload (message);
  gsize size;
  const guint8 *data = g_bytes_get_data (payload, &size);

  fuzz_check (again->len == size + dray_frame_padding (size));
  fuzz_check (memcmp (again->data, data, size) == 0);
}

static void
check_refusal (const GError *error)
{
  fuzz_check (g_error_matches (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL));
  fuzz_check (g_utf8_validate (error->message, -1, NULL));
}

/* --- Values --- */

/* As @value is, of other children. */
static GVariant *
new_container (GVariant *value, GVariant **list, gsize n_children)
{
  const GVariantType *type = g_variant_get_type (value);

  switch (g_variant_classify (value))
    {
    case G_VARIANT_CLASS_VARIANT:
      return g_variant_new_variant (list[0]);
    case G_VARIANT_CLASS_MAYBE:
      return g_variant_new_maybe (g_variant_type_element (type), n_children > 0 ? list[0] : NULL);
    case G_VARIANT_CLASS_ARRAY:
      return g_variant_new_array (g_variant_type_element (type), list, n_children);
    case G_VARIANT_CLASS_DICT_ENTRY:
      return g_variant_new_dict_entry (list[0], list[1]);
    default:
      return g_variant_new_tuple (list, n_children);
    }
}

/* The same, made anew from the innermost values on: this is what normal form means. (transfer
 * full), and never floating */
static GVariant *
rebuild (GVariant *value)
{
  g_autoptr (GPtrArray) children = NULL;

  if (!g_variant_is_container (value))
    return g_variant_ref (value);

  children = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  for (gsize i = 0; i < g_variant_n_children (value); i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

      g_ptr_array_add (children, rebuild (child));
    }
  return g_variant_ref_sink (new_container (value, (GVariant **) children->pdata, children->len));
}

/* What GLib says. It knows no limits of depth; and it takes for a tuple no bytes at all where there
 * should be framing offsets, if all members are empty. */
static void
check_against_glib (const char *type, gsize type_length, GBytes *bytes)
{
  g_autofree char *copy = g_strndup (type, type_length);
  g_autoptr (GVariant) value = NULL;
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  gboolean sound = dray_value_check (type, type_length, data, size);

  if (strlen (copy) != type_length || !g_variant_type_string_is_valid (copy))
    {
      fuzz_check (!sound);
      return;
    }
  if (!g_variant_type_is_definite ((const GVariantType *) copy))
    {
      fuzz_check (!sound);
      return;
    }

  value = g_variant_ref_sink (g_variant_new_from_bytes ((const GVariantType *) copy, bytes, FALSE));
  if (sound)
    {
      fuzz_check (g_variant_is_normal_form (value));
    }
  else if (g_variant_is_normal_form (value) && type_length + size < DRAY_VALUE_MAX_DEPTH)
    {
      g_autoptr (GVariant) again = rebuild (value);

      fuzz_check (g_variant_get_size (again) != size);
    }
}

static void
check_value_like_glib (GBytes *payload)
{
  gsize size;
  const char *data = g_bytes_get_data (payload, &size);
  const char *nul = size > 0 ? memrchr (data, 0, size) : NULL;
  g_autoptr (GBytes) child = NULL;

  if (nul == NULL)
    return;

  child = g_bytes_new_from_bytes (payload, 0, (gsize) (nul - data));
  check_against_glib (nul + 1, (gsize) (data + size - nul - 1), child);
}

/* As whoever gets it does: all of it is looked at. */
static void
use_value (GVariant *value)
{
  g_autofree char *text = NULL;

  fuzz_check (g_variant_is_normal_form (value));
  text = g_variant_print (value, TRUE);
  fuzz_check (g_utf8_validate (text, -1, NULL));
}

static void
decode_value (GBytes *payload)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = dray_value_decode (payload, &error);
  DrayMessage message;

  check_value_like_glib (payload);
  if (value == NULL)
    {
      check_refusal (error);
      return;
    }

  use_value (value);
  fuzz_check (dray_message_init_value (&message, &any_header, value, G_MAXUINT32, NULL));
  check_said_again (&message, payload);
}

/* @payload has the type; the bytes are the script's next ones. */
static void
decode_shared_value (GBytes *payload, GBytes *shared)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = dray_value_decode_shared (payload, shared, &error);

  if (value != NULL)
    use_value (value);
  else
    check_refusal (error);
}

/* --- From a worker --- */

static void
decode_hello (GBytes *payload, DrayRole role)
{
  const DrayFrameHeader header = { .type = DRAY_FRAME_HELLO, .version = DRAY_PROTOCOL_VERSION };
  g_auto (DrayHello) hello = { 0 };
  g_autoptr (GError) error = NULL;
  DrayMessage message;

  if (!dray_hello_decode (&header, payload, role, &hello, &error))
    {
      check_refusal (error);
      return;
    }

  fuzz_check (hello.role == role && hello.version == DRAY_PROTOCOL_VERSION);
  if (hello.arguments != NULL)
    use_value (hello.arguments);
  dray_message_init_hello (&message, &hello);
  dray_message_clear (&message);
}

static void
decode_progress (GBytes *payload)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  double fraction = -2;

  if (!dray_progress_decode (payload, &fraction, &text, &error))
    {
      check_refusal (error);
      return;
    }

  fuzz_check (fraction == -1 || (fraction >= 0 && fraction <= 1));
  fuzz_check (g_utf8_validate (text, -1, NULL));
}

static void
decode_error (GBytes *payload)
{
  gboolean malformed = FALSE;
  g_autoptr (GError) error = dray_error_decode (payload, &malformed);

  fuzz_check (error != NULL && error->domain != 0 && error->message != NULL);
  fuzz_check (*error->message != '\0' && g_utf8_validate (error->message, -1, NULL));
  if (malformed)
    check_refusal (error);
}

static void
decode_outcomes (GBytes *payload)
{
  DrayOutcomesReader reader, skipper;
  g_autoptr (GError) error = NULL;
  guint n_errors = 0;

  if (!dray_outcomes_decode (payload, &reader, &error))
    {
      check_refusal (error);
      return;
    }

  skipper = reader;
  for (guint i = 0; i < reader.n_outcomes; i++)
    {
      g_autoptr (GError) failure = NULL;
      g_autoptr (GVariant) value = dray_outcomes_next (&reader, &failure);

      fuzz_check ((value == NULL) == (failure != NULL));
      fuzz_check (dray_outcomes_skip (&skipper) == (failure != NULL));
      fuzz_check (skipper.offset == reader.offset);
      n_errors += failure != NULL;
      if (value != NULL)
        use_value (value);
    }
  fuzz_check (reader.offset == g_bytes_get_size (payload));
  fuzz_check (reader.n_errors == n_errors);
}

/* --- From the host --- */

static void
decode_submit (GBytes *payload, GBytes *shared)
{
  g_autofree char *function = NULL;
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GError) error = NULL;
  DrayMessage message;

  if (!dray_submit_decode_shared (payload, shared, &function, &arguments, &error))
    {
      check_refusal (error);
      return;
    }

  fuzz_check (g_utf8_validate (function, -1, NULL));
  use_value (arguments);
  if (shared != NULL)
    return;

  fuzz_check (dray_message_init_submit (&message, 1, 1, function, arguments, G_MAXUINT32, NULL));
  check_said_again (&message, payload);
}

static void
decode_chunk (GBytes *payload)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DrayChunk) chunk = dray_chunk_decode (payload, &error);
  DrayRecords records = { .grows = TRUE };
  DrayMessage message;

  if (chunk == NULL)
    {
      check_refusal (error);
      return;
    }

  for (guint i = 0; i < chunk->n_calls; i++)
    {
      g_autoptr (GVariant) arguments = dray_chunk_next (chunk);

      use_value (arguments);
      fuzz_check (dray_chunk_append (&records, arguments, NULL));
    }

  dray_chunk_init_message (&message, &any_header, chunk->function, chunk->type, records.data,
                           records.used, records.n_records);
  check_said_again (&message, payload);
  dray_records_clear (&records);
}

/* There is no passage here: what is passed is the sessions' matter. */
static void
decode_cargo (GBytes *payload)
{
  g_autoptr (GBytes) inner = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (DrayCargo) cargo = dray_cargo_receive (NULL, payload, 1 << 20, &inner, &error);

  fuzz_check (cargo == NULL);
  check_refusal (error);
}

static void
decode (Kind kind, GBytes *payload, GBytes *shared)
{
  switch (kind)
    {
    case FROM_WORKER_HELLO:
      decode_hello (payload, DRAY_ROLE_WORKER);
      break;
    case FROM_WORKER_ITEM:
      decode_value (payload);
      break;
    case FROM_WORKER_SHARED_ITEM:
      decode_shared_value (payload, shared);
      break;
    case FROM_WORKER_PROGRESS:
      decode_progress (payload);
      break;
    case FROM_WORKER_ERROR:
      decode_error (payload);
      break;
    case FROM_WORKER_OUTCOMES:
      decode_outcomes (payload);
      break;
    case FROM_HOST_HELLO:
      decode_hello (payload, DRAY_ROLE_HOST);
      break;
    case FROM_HOST_SUBMIT:
      decode_submit (payload, NULL);
      break;
    case FROM_HOST_SHARED_SUBMIT:
      decode_submit (payload, shared);
      break;
    case FROM_HOST_CHUNK:
      decode_chunk (payload);
      break;
    case CARGO:
    default:
      decode_cargo (payload);
    }
}

/* --- What is well-formed --- */

static void
make_hello (DrayMessage *message, FuzzScript *script, DrayRole role)
{
  g_autoptr (GVariant) arguments = fuzz_take_value (script);
  g_autoptr (GBytes) cookie = g_bytes_new_static ("0123456789abcdef", 16);
  const DrayHello hello = {
    .role = role,
    .version = DRAY_PROTOCOL_VERSION,
    .arguments = arguments,
    .pid = fuzz_take_byte (script),
    .max_payload = fuzz_take_number (script),
    .ring = fuzz_take_number (script),
    .cookie = fuzz_take_boolean (script) ? cookie : NULL,
    .trusted = fuzz_take_boolean (script),
    .shared_size = fuzz_take_number (script),
  };

  dray_message_init_hello (message, &hello);
}

static void
make_error (DrayMessage *message, FuzzScript *script)
{
  g_autoptr (GError) error = NULL;

  error = g_error_new (fuzz_take_boolean (script) ? DRAY_ERROR : G_FILE_ERROR,
                       (int) fuzz_take_number (script), "%.*s", (int) fuzz_take_up_to (script, 9),
                       "It failed");
  dray_message_init_error (message, 1, 1, error);
}

static void
make_outcomes (DrayMessage *message, FuzzScript *script)
{
  DrayOutcomesWriter writer = { .records.grows = TRUE };
  g_autoptr (GError) failure = g_error_new_literal (DRAY_ERROR, DRAY_ERROR_FAILED, "It failed");
  g_autoptr (GVariant) error = dray_error_encode (failure);
  guint n_outcomes = fuzz_take_up_to (script, 6);

  for (guint i = 0; i < n_outcomes; i++)
    {
      g_autoptr (GVariant) value = fuzz_take_value (script);

      if (fuzz_take_up_to (script, 3) == 0)
        dray_outcomes_append_error (&writer, error);
      else
        fuzz_check (dray_outcomes_append_value (&writer, value, NULL));
    }

  dray_outcomes_init_message (message, &any_header, &writer.records, fuzz_take_byte (script),
                              fuzz_take_number (script));
  dray_records_clear (&writer.records);
  dray_outcomes_writer_reset (&writer);
}

static void
make_chunk (DrayMessage *message, FuzzScript *script)
{
  DrayRecords records = { .grows = TRUE };
  g_autoptr (GVariant) arguments = fuzz_take_value (script);
  guint n_calls = 1 + fuzz_take_up_to (script, 6);

  for (guint i = 0; i < n_calls; i++)
    fuzz_check (dray_chunk_append (&records, arguments, NULL));
  dray_chunk_init_message (message, &any_header, "function", g_variant_get_type_string (arguments),
                           records.data, records.used, records.n_records);
  dray_records_clear (&records);
}

static void
make_value (DrayMessage *message, FuzzScript *script, const char *function)
{
  g_autoptr (GVariant) value = fuzz_take_value (script);

  if (function == NULL)
    fuzz_check (dray_message_init_value (message, &any_header, value, G_MAXUINT32, NULL));
  else
    fuzz_check (dray_message_init_submit (message, 1, 1, function, value, G_MAXUINT32, NULL));
}

static void
make (Kind kind, DrayMessage *message, FuzzScript *script)
{
  switch (kind)
    {
    case FROM_WORKER_HELLO:
      make_hello (message, script, DRAY_ROLE_WORKER);
      break;
    case FROM_HOST_HELLO:
      make_hello (message, script, DRAY_ROLE_HOST);
      break;
    case FROM_WORKER_PROGRESS:
      dray_message_init_progress (message, 1, 1, (double) fuzz_take_number (script), "half");
      break;
    case FROM_WORKER_ERROR:
      make_error (message, script);
      break;
    case FROM_WORKER_OUTCOMES:
      make_outcomes (message, script);
      break;
    case FROM_HOST_SUBMIT:
      make_value (message, script, "function");
      break;
    case FROM_HOST_CHUNK:
      make_chunk (message, script);
      break;
    default:
      make_value (message, script, NULL);
    }
}

/* Returns whether it was left as it is. */
static gboolean
change (GByteArray *bytes, FuzzScript *script)
{
  guint n_changes = fuzz_take_up_to (script, MAX_CHANGES);

  for (guint i = 0; i < n_changes && bytes->len > 0; i++)
    {
      guint place = fuzz_take_up_to (script, bytes->len - 1);

      switch (fuzz_take_byte (script) % 4)
        {
        case 0:
          g_byte_array_set_size (bytes, place);
          break;
        case 1:
          g_byte_array_remove_index (bytes, place);
          break;
        default:
          bytes->data[place] = fuzz_take_byte (script);
        }
    }
  return n_changes == 0;
}

/* The length that the frame would have said. */
static gsize
get_length (const DrayMessage *message)
{
  DrayFrameHeader header;

  fuzz_check (
    dray_frame_header_decode (dray_message_get_head (message), G_MAXUINT32, &header, NULL));
  return header.length;
}

static void
decode_changed (Kind kind, FuzzScript *script)
{
  g_autoptr (GByteArray) array = NULL;
  g_autoptr (GBytes) payload = NULL;
  DrayMessage message;
  gsize length;

  make (kind, &message, script);
  length = get_length (&message);
  array = steal_payload (&message);
  g_byte_array_set_size (array, (guint) length);
  change (array, script);
  payload = g_bytes_new (array->data, array->len);
  decode (kind, payload, NULL);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  FuzzScript script = { .data = data, .size = size };
  guint8 first = fuzz_take_byte (&script);
  Kind kind = (first & 0x7f) % N_KINDS;
  g_autoptr (GBytes) shared = NULL;
  g_autoptr (GBytes) payload = NULL;
  gsize length;
  const guint8 *bytes;

  if ((first & 0x80) != 0 && kind != FROM_WORKER_SHARED_ITEM && kind != FROM_HOST_SHARED_SUBMIT)
    {
      decode_changed (kind, &script);
      return 0;
    }

  if (kind == FROM_WORKER_SHARED_ITEM || kind == FROM_HOST_SHARED_SUBMIT)
    {
      bytes = fuzz_take_bytes (&script, &length);
      shared = g_bytes_new (bytes, length);
    }
  bytes = fuzz_take_rest (&script, &length);
  payload = g_bytes_new (bytes, length);
  decode (kind, payload, shared);
  return 0;
}
