/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-message.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "dray-cargo.h"
#include "dray-value-check.h"

/*
 * Encoding is written for the small message, of which there are many: one pass over the value to
 * learn its size, one to serialise it straight into the frame, and no allocation at all up to
 * DRAY_MESSAGE_SPACE. Only the value of a large one is kept aside, as the bytes that its GVariant
 * has anyway.
 */

#define ERROR_TYPE "(sis)"

/* The longest text of an error or of progress, in bytes. */
#define MAX_TEXT ((gsize) 32 * 1024)
/* The longest name of an error's domain, in bytes. */
#define MAX_DOMAIN ((gsize) 1024)
/* How many domains this process learns from its peers. */
#define MAX_LEARNED_DOMAINS 256
#define MAX_LEARNED_DOMAIN_LENGTH 128

/* What the name in a submit begins with: its length, and a zero. */
#define NAME_PREFIX ((gsize) 8)

G_STATIC_ASSERT (DRAY_MESSAGE_SPACE >= DRAY_FRAME_HEADER_SIZE);
/* A value of a fixed size may have no bytes behind it, if it was made from too few. Such a size
 * takes at least a character of the type for each eight bytes, so that it never becomes a body. */
G_STATIC_ASSERT (DRAY_VALUE_MAX_TYPE * 8 <= DRAY_MESSAGE_BODY_MIN);

void
dray_message_clear (DrayMessage *message)
{
  g_clear_pointer (&message->block, g_free);
  g_clear_pointer (&message->body, g_bytes_unref);
  g_clear_pointer (&message->cargo, dray_cargo_free);
  message->head_length = message->tail_length = 0;
}

gsize
dray_message_get_size (const DrayMessage *message)
{
  gsize body_length = message->body != NULL ? g_bytes_get_size (message->body) : 0;

  return message->head_length + body_length + message->tail_length;
}

/* Makes room for head and tail and encodes the header, whose length is that of the payload.
 * Returns: where the payload begins, aligned to 8 */
static guint8 *
start (DrayMessage *message, const DrayFrameHeader *header, gsize head_length, gsize tail_length)
{
  guint8 *head = message->space;

  message->block = NULL;
  message->body = NULL;
  message->cargo = NULL;
  message->head_length = head_length;
  message->tail_length = tail_length;
  if (head_length + tail_length > DRAY_MESSAGE_SPACE)
    head = message->block = g_malloc (head_length + tail_length);

  dray_frame_header_encode (header, head);
  return head + DRAY_FRAME_HEADER_SIZE;
}

/* Starts a message that is all head; the payload is the caller's to fill in. */
static guint8 *
start_small (DrayMessage *message, const DrayFrameHeader *header)
{
  gsize padding = dray_frame_padding (header->length);
  guint8 *payload = start (message, header, DRAY_FRAME_HEADER_SIZE + header->length + padding, 0);

  memset (payload + header->length, 0, padding);
  return payload;
}

void
dray_message_add_flags (DrayMessage *message, guint flags)
{
  dray_frame_header_add_flags (message->block != NULL ? message->block : message->space, flags);
}

guint8 *
dray_message_start (DrayMessage *message, const DrayFrameHeader *header)
{
  return start_small (message, header);
}

/* The name of a submit, with its length before it and zeros behind. Returns: the end of that */
static guint8 *
write_name (guint8 *payload, const char *name, gsize name_length)
{
  const guint32 prefix[2] = { (guint32) name_length, 0 };
  gsize padding = dray_frame_padding (name_length);

  memcpy (payload, prefix, NAME_PREFIX);
  payload += NAME_PREFIX;
  memcpy (payload, name, name_length);
  memset (payload + name_length, 0, padding);
  return payload + name_length + padding;
}

/* @overhead: what belongs to the payload besides the value's @size bytes */
static gboolean
check_size (gsize overhead, gsize size, gsize max_payload, GError **error)
{
  gsize limit = MIN (max_payload, (gsize) G_MAXUINT32 - 7);
  g_autofree char *limit_text = NULL;
  g_autofree char *size_text = NULL;

  if (overhead <= limit && size <= limit - overhead)
    return TRUE;

  size_text = g_format_size_full ((guint64) overhead + size, G_FORMAT_SIZE_LONG_FORMAT);
  limit_text = g_format_size_full (limit, G_FORMAT_SIZE_LONG_FORMAT);
  g_set_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
               _("A value takes %s to be sent, which is more than the limit of %s"), size_text,
               limit_text);
  return FALSE;
}

/* What a value is sent in. */
typedef struct
{
  const DrayFrameHeader *header;
  const char *name; /* (nullable): what comes before the value */
  gsize name_length;
  gsize prefix; /* the name with all that belongs to it, and what is said of the cargo */
  gsize max_payload;
  const DrayCargo *cargo; /* (nullable) */
} Envelope;

/* @value: (nullable): NULL stands for "()", whose one byte is zero
 * @sound: (out): whether the other side will take it. A value that was made from foreign bytes
 *   may be in no normal form, and any value may be nested too deeply. */
static gboolean
build (DrayMessage *message,
       const Envelope *envelope,
       GVariant *value,
       gboolean *sound,
       GError **error)
{
  DrayFrameHeader header = *envelope->header;
  const char *type = value != NULL ? g_variant_get_type_string (value) : "()";
  gsize type_length = strlen (type);
  gsize size = value != NULL ? g_variant_get_size (value) : 1;
  gboolean elsewhere = envelope->cargo != NULL && envelope->cargo->kind != DRAY_CARGO_INLINE;
  gboolean has_body = size >= DRAY_MESSAGE_BODY_MIN && !elsewhere;
  gsize padding;
  guint8 *cursor;
  const guint8 *data;

  if (!check_size (envelope->prefix + 1 + type_length, size, envelope->max_payload, error)
      || (has_body && !dray_value_has_room (value, error)))
    return FALSE;
  if (elsewhere)
    size = 0;

  header.length = envelope->prefix + size + 1 + type_length;
  padding = dray_frame_padding (header.length);
  cursor = start (message, &header,
                  DRAY_FRAME_HEADER_SIZE + envelope->prefix + (has_body ? 0 : size),
                  1 + type_length + padding);
  if (envelope->cargo != NULL)
    {
      dray_cargo_encode (envelope->cargo, cursor);
      cursor += DRAY_CARGO_SIZE;
    }
  if (envelope->name != NULL)
    cursor = write_name (cursor, envelope->name, envelope->name_length);

  data = cursor;
  if (has_body)
    {
      message->body = g_variant_get_data_as_bytes (value);
      data = g_bytes_get_data (message->body, NULL);
    }
  else if (!elsewhere)
    {
      if (value != NULL)
        g_variant_store (value, cursor);
      else
        cursor[0] = 0;
      cursor += size;
    }

  cursor[0] = 0;
  memcpy (cursor + 1, type, type_length);
  memset (cursor + 1 + type_length, 0, padding);
  *sound = value == NULL || elsewhere || dray_value_check (type, type_length, data, size);
  return TRUE;
}

static gboolean
has_long_type (GVariant *value)
{
  return value != NULL && strlen (g_variant_get_type_string (value)) > DRAY_VALUE_MAX_TYPE;
}

static gboolean
build_sound (DrayMessage *message, const Envelope *envelope, GVariant *value, GError **error)
{
  g_autoptr (GVariant) normal = NULL;
  gboolean sound = FALSE;

  *message = (DrayMessage) { 0 };

  if (!has_long_type (value))
    {
      if (!build (message, envelope, value, &sound, error))
        return FALSE;
      if (sound)
        return TRUE;

      dray_message_clear (message);
      normal = g_variant_get_normal_form (value);
      if (!build (message, envelope, normal, &sound, error))
        return FALSE;
      if (sound)
        return TRUE;
    }

  dray_message_clear (message);
  g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
                       _("A value can’t be sent: its type is too long, or containers are nested "
                         "too deeply in it"));
  return FALSE;
}

gboolean
dray_message_init_value (DrayMessage *message,
                         const DrayFrameHeader *header,
                         GVariant *value,
                         gsize max_payload,
                         GError **error)
{
  const Envelope envelope = { .header = header, .max_payload = max_payload };

  return build_sound (message, &envelope, value, error);
}

gboolean
dray_message_init_submit (DrayMessage *message,
                          guint64 task_id,
                          guint attempt,
                          const char *function,
                          GVariant *arguments,
                          gsize max_payload,
                          GError **error)
{
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_SUBMIT,
    .task_id = task_id,
    .attempt = attempt,
  };
  gsize name_length = strlen (function);
  const Envelope envelope = {
    .header = &header,
    .name = function,
    .name_length = name_length,
    .prefix = NAME_PREFIX + name_length + dray_frame_padding (name_length),
    .max_payload = max_payload,
  };

  return build_sound (message, &envelope, arguments, error);
}

gboolean
dray_message_init_loaded (DrayMessage *message,
                          const DrayFrameHeader *header,
                          const char *name,
                          GVariant *value,
                          DrayCargo *cargo,
                          gsize max_payload,
                          GError **error)
{
  g_autoptr (DrayCargo) owned_cargo = cargo;
  DrayFrameHeader flagged = *header;
  gsize name_length = name != NULL ? strlen (name) : 0;
  Envelope envelope = {
    .header = &flagged,
    .name = name,
    .name_length = name_length,
    .prefix = DRAY_CARGO_SIZE,
    .max_payload = max_payload,
    .cargo = cargo,
  };

  flagged.flags |= DRAY_FRAME_FLAG_CARGO;
  if (name != NULL)
    envelope.prefix += NAME_PREFIX + name_length + dray_frame_padding (name_length);

  if (!build_sound (message, &envelope, value, error))
    return FALSE;

  message->cargo = g_steal_pointer (&owned_cargo);
  return TRUE;
}

void
dray_message_set_serial (DrayMessage *message, guint64 serial)
{
  guint8 *head = message->block != NULL ? message->block : message->space;

  memcpy (head + DRAY_FRAME_HEADER_SIZE, &serial, sizeof serial);
}

void
dray_message_init_hello (DrayMessage *message, const DrayHello *hello)
{
  g_autoptr (GBytes) payload = dray_hello_encode (hello);
  DrayFrameHeader header = { .type = DRAY_FRAME_HELLO };
  gsize padding;

  *message = (DrayMessage) { 0 };
  header.length = g_bytes_get_size (payload);
  g_return_if_fail (header.length <= (gsize) G_MAXUINT32 - 7);

  if (header.length < DRAY_MESSAGE_BODY_MIN)
    {
      memcpy (start_small (message, &header), g_bytes_get_data (payload, NULL), header.length);
      return;
    }

  padding = dray_frame_padding (header.length);
  memset (start (message, &header, DRAY_FRAME_HEADER_SIZE, padding), 0, padding);
  message->body = g_steal_pointer (&payload);
}

/* The length of what @text has in its first @limit bytes without cutting a character in two, if
 * it is UTF-8. */
static gsize
cut_length (const char *text, gsize limit)
{
  gsize length = strnlen (text, limit + 1);

  if (length <= limit)
    return length;

  length = limit;
  while (length > 0 && ((guchar) text[length] & 0xc0) == 0x80)
    length--;
  return length;
}

/* Gives what of @text can be sent: valid UTF-8 of at most @limit bytes, without a NUL. @text
 * itself is that nearly always; if not, it is put into @owned.
 * Returns: the text, which is not NUL-terminated, of *@length bytes */
static const char *
clean_text (const char *text, gsize limit, char **owned, gsize *length)
{
  *length = cut_length (text, limit);
  if (g_utf8_validate_len (text, *length, NULL))
    return text;

  /* What stands in for a bad byte is longer than it was. */
  *owned = g_utf8_make_valid (text, *length);
  *length = cut_length (*owned, limit);
  return *owned;
}

void
dray_message_init_progress (DrayMessage *message,
                            guint64 task_id,
                            guint attempt,
                            double fraction,
                            const char *text)
{
  DrayFrameHeader header = {
    .type = DRAY_FRAME_PROGRESS,
    .task_id = task_id,
    .attempt = attempt,
  };
  g_autofree char *owned = NULL;
  gsize length;
  guint8 *payload;

  text = clean_text (text != NULL ? text : "", MAX_TEXT, &owned, &length);
  header.length = sizeof fraction + length + 1;
  payload = start_small (message, &header);

  /* A (ds) has no more to it: the one member of variable size is the last. */
  memcpy (payload, &fraction, sizeof fraction);
  memcpy (payload + sizeof fraction, text, length);
  payload[sizeof fraction + length] = 0;
}

GVariant *
dray_error_encode (const GError *error)
{
  g_autofree char *owned_domain = NULL;
  g_autofree char *owned_text = NULL;
  g_autofree char *domain = NULL;
  g_autofree char *text = NULL;
  gsize length;
  const char *clean;

  clean = clean_text (g_quark_to_string (error->domain), MAX_DOMAIN, &owned_domain, &length);
  domain = g_strndup (clean, length);
  clean = clean_text (error->message, MAX_TEXT, &owned_text, &length);
  text = g_strndup (clean, length);

  return g_variant_ref_sink (g_variant_new (ERROR_TYPE, domain, error->code, text));
}

void
dray_message_init_error (DrayMessage *message, guint64 task_id, guint attempt, const GError *error)
{
  g_autoptr (GVariant) value = dray_error_encode (error);
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_ERROR,
    .task_id = task_id,
    .attempt = attempt,
    .length = g_variant_get_size (value),
  };

  g_variant_store (value, start_small (message, &header));
}

void
dray_message_init_empty (DrayMessage *message, DrayFrameType type, guint64 task_id, guint attempt)
{
  const DrayFrameHeader header = { .type = type, .task_id = task_id, .attempt = attempt };

  start_small (message, &header);
}

void
dray_message_init_header (DrayMessage *message, const DrayFrameHeader *header)
{
  start_small (message, header);
}

gboolean
dray_progress_decode (GBytes *payload, double *fraction, char **text, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (payload, &size);
  double said;

  /* A (ds): the number, then a text that ends with the payload. */
  if (size <= sizeof said || data[size - 1] != 0
      || !g_utf8_validate_len ((const char *) data + sizeof said, size - sizeof said - 1, NULL))
    {
      g_set_error_literal (error, DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                           C_ ("sent", "progress that can’t be read"));
      return FALSE;
    }

  memcpy (&said, data, sizeof said);
  if (said >= 0)
    *fraction = MIN (said, 1.0);
  else
    *fraction = -1.0;
  *text = g_strndup ((const char *) data + sizeof said, size - sizeof said - 1);
  return TRUE;
}

static gboolean
looks_like_domain (const char *name)
{
  gsize length = strlen (name);

  return length <= MAX_LEARNED_DOMAIN_LENGTH && g_ascii_isalpha (name[0])
         && strspn (name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_.:") == length;
}

/* A quark is never given back: what a peer can make us remember must have an end.
 * Returns: 0 if @name is not taken up */
static GQuark
learn_domain (const char *name)
{
  static int n_learned = 0; /* atomic */
  GQuark known = g_quark_try_string (name);

  if (known != 0 || !looks_like_domain (name))
    return known;

  if (g_atomic_int_add (&n_learned, 1) >= MAX_LEARNED_DOMAINS)
    {
      g_atomic_int_add (&n_learned, -1);
      return 0;
    }

  return g_quark_from_string (name);
}

GError *
dray_error_decode (GBytes *payload, gboolean *malformed)
{
  g_autoptr (GVariant) value = NULL;
  gsize size;
  const guint8 *data = g_bytes_get_data (payload, &size);
  const char *name, *text;
  GQuark domain;
  int code;

  *malformed = !dray_value_check (ERROR_TYPE, strlen (ERROR_TYPE), data, size);
  if (*malformed)
    return g_error_new_literal (DRAY_ERROR, DRAY_ERROR_PROTOCOL,
                                C_ ("sent", "an error that can’t be read"));

  value = g_variant_ref_sink (
    g_variant_new_from_bytes (G_VARIANT_TYPE (ERROR_TYPE), payload, TRUE));
  g_variant_get (value, "(&si&s)", &name, &code, &text);
  if (text[0] == '\0')
    text = _("The function failed without saying why");

  domain = learn_domain (name);
  if (domain != 0)
    return g_error_new_literal (domain, code, text);

  /* Translators: what an error said, its number and the name of the kind of errors it is of. */
  return g_error_new (DRAY_ERROR, DRAY_ERROR_FAILED, _("%s (error %d of “%s”)"), text, code, name);
}
