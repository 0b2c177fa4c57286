/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * Messages: the payload of each type of frame, to and from the values that it stands for. Pure:
 * no input, no output. Whatever a decoder here is given, by a peer that may be hostile, it
 * answers with a value that is safe to use or with DRAY_ERROR_PROTOCOL.
 *
 * The message of such an error, here and in all that decodes, says what was sent: "a value that
 * does not fit its type". Who sent it is known to the caller, who makes a sentence of that. So it
 * has the context "sent" for translators, and is to be read after a colon.
 */

#include "dray-frame.h"
#include "dray-value-check.h"

G_BEGIN_DECLS

typedef enum
{
  DRAY_ROLE_HOST = 1,
  DRAY_ROLE_WORKER = 2,
} DrayRole;

/* The payload of hello: (yyya{sv}): byte order ('l' or 'B'), role, version, then what the peer
 * may ignore. Keys: "arguments" (host; v: the initial arguments), "pid" (worker; u),
 * "max-payload" (host; t), "library" (both; s: the library's version), "passage" (host; ay: the
 * cookie of dray-passage.h), "trusted" (host; b: slots may be used),
 * "shared-size" (host; t: from which size on values go in sealed memory). */
typedef struct
{
  DrayRole role;
  guint version;
  GVariant *arguments; /* (owned) (nullable) (not floating) */
  guint pid;           /* 0 where it was not said */
  guint64 max_payload; /* the largest payload that it takes, in bytes; 0 where it was not said */
  guint64 ring;        /* what the ring is recognised by; 0 where there is none */
  GBytes *cookie;      /* (owned) (nullable): of the passage */
  gboolean trusted;    /* the worker may send values in slots */
  guint64 shared_size; /* from so many bytes on, values go in sealed memory; 0: not said */
} DrayHello;

typedef struct _DrayCargo DrayCargo;

void dray_hello_clear (DrayHello *hello);
GBytes *dray_hello_encode (const DrayHello *hello);
/* @expected: the role that the peer must have. Errors in the user's words: another protocol
 * version ("a message in version 9 of Dray's protocol, where this library speaks version 1"), a
 * peer that echoes our own hello ("a copy of what it was sent, so it can't be a Dray worker"). */
gboolean dray_hello_decode (const DrayFrameHeader *header,
                            GBytes *payload,
                            DrayRole expected,
                            DrayHello *hello,
                            GError **error);

/* What a message holds without an allocation. */
#define DRAY_MESSAGE_SPACE 128

/* Values from this size on are sent from where they lie. */
#define DRAY_MESSAGE_BODY_MIN ((gsize) 32 * 1024)

/* A frame that is ready to be written: head, body and tail, one after the other, are the frame's
 * header, its payload and the padding. Small messages are all head. Zeroed memory is an empty
 * message; one that is not may be moved by assignment, if its old place is zeroed. */
typedef struct
{
  guint8 *block; /* (owned) (nullable): the head, then the tail; NULL where they fit in @space */
  GBytes *body;  /* (owned) (nullable): the serialised child value, uncopied */
  DrayCargo *cargo; /* (owned) (nullable): what has to be passed before it is written */
  gsize head_length;
  gsize tail_length;
  _Alignas (8) guint8 space[DRAY_MESSAGE_SPACE];
} DrayMessage;

static inline const guint8 *
dray_message_get_head (const DrayMessage *message)
{
  return message->block != NULL ? message->block : message->space;
}

static inline const guint8 *
dray_message_get_tail (const DrayMessage *message)
{
  return dray_message_get_head (message) + message->head_length;
}

void dray_message_clear (DrayMessage *message);
/* Starts a message of any kind that is all head. Returns: where its payload of header->length bytes
 * goes, aligned to 8, which the caller fills in; what follows it is there. */
guint8 *dray_message_start (DrayMessage *message, const DrayFrameHeader *header);
gsize dray_message_get_size (const DrayMessage *message);

/* To the flags of a message that is ready. */
void dray_message_add_flags (DrayMessage *message, guint flags);
/* @value: (nullable), NULL stands for "()". It stays the caller's, floating or not. Values whose
 * payload would be over @max_payload are refused with DRAY_ERROR_TOO_LARGE, and so are those of a
 * longer type or a deeper nesting than the other side takes; @message is empty then. */
gboolean dray_message_init_value (DrayMessage *message,
                                  const DrayFrameHeader *header, /* length is ignored */
                                  GVariant *value,
                                  gsize max_payload,
                                  GError **error);
/* @function: UTF-8 */
gboolean dray_message_init_submit (DrayMessage *message,
                                   guint64 task_id,
                                   guint attempt,
                                   const char *function,
                                   GVariant *arguments,
                                   gsize max_payload,
                                   GError **error);
/* A submit, if there is a @name, or else a value, with cargo, which it takes. Where the cargo has
 * the bytes of @value, it has to be sound. Errors are those of init_value(). */
gboolean dray_message_init_loaded (DrayMessage *message,
                                   const DrayFrameHeader *header,
                                   const char *name,
                                   GVariant *value,
                                   DrayCargo *cargo,
                                   gsize max_payload,
                                   GError **error);
/* Of the message that the cargo went with. */
void dray_message_set_serial (DrayMessage *message, guint64 serial);
/* The caller sees to it that the arguments can be sent (init_value() tells) and are below 4 GiB. */
void dray_message_init_hello (DrayMessage *message, const DrayHello *hello);
/* @text: (nullable). As with errors, what is longer than 32 KiB is cut. */
void dray_message_init_progress (DrayMessage *message,
                                 guint64 task_id,
                                 guint attempt,
                                 double fraction,
                                 const char *text);
/* A message of the error longer than 32 KiB is cut, at a character's edge. */
void dray_message_init_error (DrayMessage *message,
                              guint64 task_id,
                              guint attempt,
                              const GError *error);
/* (transfer full): what an error's payload is made from. */
GVariant *dray_error_encode (const GError *error);
/* ready, cancel, returned, recall, goodbye */
void dray_message_init_empty (DrayMessage *message,
                              DrayFrameType type,
                              guint64 task_id,
                              guint attempt);

/* The same with flags; the length must be 0. */
void dray_message_init_header (DrayMessage *message, const DrayFrameHeader *header);

/* (transfer full), not floating, in normal form; NULL with DRAY_ERROR_PROTOCOL. The value uses
 * the bytes of @payload in place. */
GVariant *dray_value_decode (GBytes *payload, GError **error);
gboolean
dray_submit_decode (GBytes *payload, char **function, GVariant **arguments, GError **error);
/* The same for a payload without its value's bytes, which are @shared (nullable: they are in
 * it). */
GVariant *dray_value_decode_shared (GBytes *payload, GBytes *shared, GError **error);
gboolean dray_submit_decode_shared (GBytes *payload,
                                    GBytes *shared,
                                    char **function,
                                    GVariant **arguments,
                                    GError **error);
/* Whether there is memory to put the bytes of @value together, where that is still to be done: GLib
 * would end the process. FALSE with DRAY_ERROR_TOO_LARGE. */
gboolean dray_value_has_room (GVariant *value, GError **error);
/* (transfer full): @value, or the same in normal form, such that the other side will take it;
 * serialised. NULL with DRAY_ERROR_TOO_LARGE: its type is too long, it is nested too deeply, or
 * there is no memory for its bytes. */
GVariant *dray_value_make_sound (GVariant *value, GError **error);
/* (out) @fraction: clamped to 0…1, or -1 for unknown (negative, NaN); @text: valid UTF-8 */
gboolean dray_progress_decode (GBytes *payload, double *fraction, char **text, GError **error);
/* (transfer full): the error that the peer sent, or (with *malformed TRUE) DRAY_ERROR_PROTOCOL.
 * A peer can't make this process remember error domains without end: a domain that is not known
 * here is taken up only while fewer than 256 were, and if it looks like a name; after that it
 * becomes DRAY_ERROR_FAILED with the domain in the message. */
GError *dray_error_decode (GBytes *payload, gboolean *malformed);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DrayHello, dray_hello_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DrayMessage, dray_message_clear)

G_END_DECLS
