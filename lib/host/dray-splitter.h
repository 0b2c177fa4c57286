/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/*
 * The splitter: a command's standard output, in pieces of any size, becomes values: lines,
 * records, chunks, or one value for the whole. Pure: no input, no output.
 *
 * In text mode chunks end at the edge of a character, so that a character cut by a read arrives
 * whole. What is not valid UTF-8 (or holds a NUL) is an error, never text.
 */

#include "dray-enums.h"
#include "dray-error.h"

G_BEGIN_DECLS

typedef struct _DraySplitter DraySplitter;

DraySplitter *dray_splitter_new (DraySplit split,
                                 DrayEncoding encoding,
                                 gsize max_record_size,
                                 gsize max_output_size);
void dray_splitter_free (DraySplitter *self);

/* (out) @size: room to read to, never 0 */
guint8 *dray_splitter_get_space (DraySplitter *self, gsize *size);
void dray_splitter_take (DraySplitter *self, gsize n_bytes);
/* No more bytes come: what is left is the last item. */
void dray_splitter_end (DraySplitter *self);
/* The next item (transfer full, not floating), or NULL: none yet, or with an error:
 * DRAY_ERROR_INVALID_TEXT ("line 17 of the output is not valid UTF-8"), DRAY_ERROR_TOO_LARGE. Once
 * refused it stays refused. */
GVariant *dray_splitter_next (DraySplitter *self, GError **error);
/* After end() and the last next(): the value that the command's task results in (transfer full,
 * not floating): the whole output (`ay` or `s`) with DRAY_SPLIT_NONE, else the number of items
 * (`t`). */
GVariant *dray_splitter_dup_result (DraySplitter *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DraySplitter, dray_splitter_free)

G_END_DECLS
