/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* What the reader finds out about one file, as a structure and as the value that travels from a
 * worker to the application. */

#include <gio/gio.h>

G_BEGIN_DECLS

#define DEMO_SHA256_SIZE 32

/* What a file is, as far as its icon and its facts go. The numbers travel. */
typedef enum
{
  DEMO_KIND_OTHER,
  DEMO_KIND_TEXT,
  DEMO_KIND_IMAGE,
  DEMO_KIND_ARCHIVE,
  DEMO_KIND_AUDIO,
  DEMO_KIND_VIDEO,
  DEMO_KIND_FONT,
  DEMO_KIND_DOCUMENT,
  DEMO_N_KINDS
} DemoKind;

/* type, its description, kind, bytes, time of the last change (Unix), SHA-256, then for text:
 * encoding, lines, words; for pictures: width and height in pixels; for archives: entries; and a
 * preview: `s` for text, DEMO_PICTURE_TYPE for a picture. */
#define DEMO_FACTS_TYPE "(ssytxaysttuutmv)"
/* Width and height of a preview. Its pixels travel by themselves, as `ay`, before the facts: then
 * they can be written where they are sent from, and stay where they arrive. */
#define DEMO_PICTURE_TYPE "(uu)"
/* No preview is larger, in pixels. */
#define DEMO_MAX_SIDE 512
/* No preview is a longer text, and neither a type nor its description nor an encoding is; in
 * bytes. */
#define DEMO_MAX_TEXT (32 * 1024)
#define DEMO_MAX_NAME 256
/* So no message of a reader takes more bytes: pixels, and what they travel in. */
#define DEMO_MAX_MESSAGE (DEMO_MAX_SIDE * DEMO_MAX_SIDE * 4 + 1024)

/* What there is to show of a file: the beginning of a text, or a small picture. */
typedef struct
{
  gatomicrefcount ref_count;
  char *text; /* (owned) (nullable): or else … */
  guint width;
  guint height;
  GBytes *pixels; /* (owned) (nullable): … rows of width × 4 bytes, as cairo's ARGB32 */
} DemoPreview;

/* (transfer full) */
DemoPreview *demo_preview_new_text (const char *text);
DemoPreview *demo_preview_new_picture (guint width, guint height, GBytes *pixels);
DemoPreview *demo_preview_ref (DemoPreview *self);
void demo_preview_unref (DemoPreview *self);
/* Bytes that it takes. */
gsize demo_preview_get_size (const DemoPreview *self);

typedef struct
{
  char *mime_type;   /* (owned) */
  char *description; /* (owned) */
  DemoKind kind;
  guint64 size;    /* bytes that were read */
  gint64 modified; /* Unix time, s */
  guint8 sha256[DEMO_SHA256_SIZE];
  char *encoding; /* (owned) (nullable): text only */
  guint64 lines;
  guint64 words;
  guint width;
  guint height;
  guint64 entries;
  DemoPreview *preview; /* (owned) (nullable) */
} DemoFacts;

void demo_facts_clear (DemoFacts *self);
/* (transfer none), floating. All but the pixels. */
GVariant *demo_facts_to_variant (const DemoFacts *self);
/* @pixels: (nullable): those that came before. Nothing is believed: a value of another type, or out
 * of range, is refused. */
gboolean demo_facts_from_variant (DemoFacts *self, GVariant *value, GBytes *pixels, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DemoPreview, demo_preview_unref)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DemoFacts, demo_facts_clear)

G_END_DECLS
