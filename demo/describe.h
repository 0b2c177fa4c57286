/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* Facts and numbers in words. Every string is new. */

#include "file-store.h"

G_BEGIN_DECLS

/* With the separators of the locale. */
char *demo_format_number (guint64 number);
/* ngettext() takes an unsigned long; no language tells the larger numbers apart by more than their
 * last digits. */
unsigned long demo_plural (guint64 number);

/* The folder that a file is in, below the one that is read. */
char *demo_describe_folder (const DemoFile *file);
/* What is inside, in a line; or why it could not be read. */
char *demo_describe_contents (const DemoFile *file);
char *demo_describe_lines (guint64 lines);
char *demo_describe_entries (guint64 entries);
char *demo_describe_dimensions (guint width, guint height);
/* "1.2 MB (1,234,567 bytes)" */
char *demo_describe_size (guint64 size);
/* @modified: Unix time, s */
char *demo_describe_time (gint64 modified);
char *demo_describe_sha256 (const guint8 *sha256);
char *demo_describe_time_left (double seconds);

/* What kind of error it was, to count by: one of a few translated phrases, never freed. */
const char *demo_describe_reason (const GError *error);
/* What the error says, or its beginning, if it is longer than that, in bytes: it may be a worker that
 * says so, and a long word takes long to be wrapped. */
#define DEMO_MAX_PROBLEM 512
char *demo_describe_problem (const GError *error);

G_END_DECLS
