/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* How each kind of file is looked into, once it is open. Private to the reader. */

#include <gio/gio.h>

#include "facts.h"
#include "reader.h"

G_BEGIN_DECLS

/* A file is read in blocks of this size; between two of them it is asked whether to stop. */
#define DEMO_BLOCK_SIZE (128 * 1024)
/* The side of the square that a thumbnail fits in, in pixels. */
#define DEMO_THUMBNAIL_SIZE 256
/* As much of a text is shown. */
#define DEMO_PREVIEW_LINES 40
#define DEMO_PREVIEW_COLUMNS 160
/* With a line that says that there are more, and in each line what says that it is longer. */
G_STATIC_ASSERT ((DEMO_PREVIEW_LINES + 1) * (DEMO_PREVIEW_COLUMNS + 2) * 4 <= DEMO_MAX_TEXT);

/* Text, in two halves: it is fed while the whole file is read anyway. */
typedef struct _DemoTextScanner DemoTextScanner;
DemoTextScanner *demo_text_scanner_new (void);
void demo_text_scanner_free (DemoTextScanner *self);
void demo_text_scanner_feed (DemoTextScanner *self, const guint8 *bytes, gsize size);
/* Fills in encoding, lines, words and preview. */
void demo_text_scanner_finish (DemoTextScanner *self, DemoFacts *facts);
/* (transfer full): what can be shown of a text: @n_lines lines at most, or their beginnings, and no
 * control characters */
char *demo_text_shorten (const char *text, guint n_lines);

/* Both read @fd from its beginning. */
gboolean demo_image_read (
  int fd, const char *name, DemoFacts *facts, const DemoReaderClient *client, GError **error);
gboolean demo_archive_read (
  int fd, const char *name, DemoFacts *facts, const DemoReaderClient *client, GError **error);

/* What to do with a file of this type; remembered, since asking the type system costs more than
 * reading a small file. The strings are owned by the table and live for ever. */
typedef struct
{
  const char *mime_type;
  const char *description;
  DemoKind kind;
} DemoContentType;
const DemoContentType *demo_content_type_get (const char *mime_type);

/* read() that goes on after signals; the error names the file */
gssize demo_read_block (int fd, const char *name, void *buffer, gsize size, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DemoTextScanner, demo_text_scanner_free)

G_END_DECLS
