/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "fuzz.h"

#include <string.h>

/* The file itself, which has a buffer that a script fills. */
#define CHUNK_SIZE ((gsize) 128)
#define LEAST_ROOM ((gsize) 32)
#include "dray-splitter.c"

/*
 * A command's output becomes items (dray-splitter.c).
 *
 * The script is how it is split, the limits, the sizes of the pieces in which it comes, and the
 * output itself. It is split twice, in those pieces and at once. What is joined of the items must
 * be the output again; and the items must be the same both times, but for chunks, which are what
 * was read. Where two things are wrong with the output, either may be found first.
 */

#define LARGE_LIMIT ((gsize) 1 << 20)

typedef struct
{
  DraySplit split;
  DrayEncoding encoding;
  gsize max_record_size;
  gsize max_output_size;
  const guint8 *data; /* (unowned) */
  gsize size;
  const guint8 *pieces; /* (unowned) */
  gsize n_pieces;
} Output;

typedef struct
{
  GByteArray *joined; /* (owned): of all items, with what was between them */
  guint64 n_items;
  GVariant *result; /* (owned) (nullable) */
  GError *error;    /* (owned) (nullable) */
} Items;

static const guint8 *
get_bytes (const Output *output, GVariant *item, gsize *size)
{
  const guint8 *bytes = g_variant_get_data (item);
  gboolean is_text = output->encoding == DRAY_ENCODING_UTF8;

  fuzz_check (
    g_variant_is_of_type (item, is_text ? G_VARIANT_TYPE_STRING : G_VARIANT_TYPE_BYTESTRING));
  fuzz_check (g_variant_is_normal_form (item));
  *size = g_variant_get_size (item) - (is_text ? 1 : 0);
  return bytes;
}

static void
note_item (Items *self, const Output *output, GVariant *item)
{
  gsize size;
  const guint8 *bytes = get_bytes (output, item, &size);

  if (self->n_items++ > 0 && output->split == DRAY_SPLIT_LINES)
    g_byte_array_append (self->joined, (const guint8 *) "\n", 1);
  if (self->n_items > 1 && output->split == DRAY_SPLIT_RECORDS)
    g_byte_array_append (self->joined, (const guint8 *) "", 1);
  fuzz_check (output->split == DRAY_SPLIT_CHUNKS || size <= output->max_record_size);
  if (size > 0)
    g_byte_array_append (self->joined, bytes, size);
}

static void
take_items (Items *self, const Output *output, DraySplitter *splitter)
{
  GVariant *item;

  while (self->error == NULL && (item = dray_splitter_next (splitter, &self->error)) != NULL)
    {
      note_item (self, output, item);
      g_variant_unref (item);
    }
}

static void
split (const Output *output, Items *self)
{
  g_autoptr (DraySplitter) splitter = NULL;
  gsize offset = 0;

  splitter = dray_splitter_new (output->split, output->encoding, output->max_record_size,
                                output->max_output_size);
  self->joined = g_byte_array_new ();
  for (gsize i = 0; offset < output->size && self->error == NULL; i++)
    {
      gsize piece = output->n_pieces > 0 ? (gsize) output->pieces[i % output->n_pieces] + 1
                                         : G_MAXSIZE;
      gsize space_size;
      guint8 *space = dray_splitter_get_space (splitter, &space_size);

      fuzz_check (space_size > 0);
      piece = MIN (MIN (piece, space_size), output->size - offset);
      memcpy (space, output->data + offset, piece);
      dray_splitter_take (splitter, piece);
      offset += piece;
      take_items (self, output, splitter);
    }

  dray_splitter_end (splitter);
  take_items (self, output, splitter);
  g_clear_error (&self->error);
  self->result = dray_splitter_dup_result (splitter, &self->error);
  fuzz_check ((self->result == NULL) == (self->error != NULL));
}

static void
items_clear (Items *self)
{
  g_byte_array_unref (self->joined);
  g_clear_pointer (&self->result, g_variant_unref);
  g_clear_error (&self->error);
}

/* All of it, but for the end of the last line or record. */
static void
check_whole (const Items *self, const Output *output)
{
  gsize size = self->joined->len;
  const guint8 *bytes = self->joined->data;

  if (output->split == DRAY_SPLIT_NONE)
    bytes = get_bytes (output, self->result, &size);
  else
    fuzz_check (g_variant_get_uint64 (self->result) == self->n_items);

  fuzz_check (size == output->size
              || (size + 1 == output->size
                  && (output->split == DRAY_SPLIT_LINES || output->split == DRAY_SPLIT_RECORDS)));
  fuzz_check (size == 0 || memcmp (bytes, output->data, size) == 0);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  FuzzScript script = { .data = data, .size = size };
  Output output = { 0 };
  Items in_pieces = { 0 };
  Items at_once = { 0 };

  output.split = fuzz_take_up_to (&script, DRAY_SPLIT_CHUNKS);
  output.encoding = fuzz_take_up_to (&script, DRAY_ENCODING_UTF8);
  output.max_record_size = fuzz_take_boolean (&script) ? fuzz_take_byte (&script) : LARGE_LIMIT;
  output.max_output_size = fuzz_take_boolean (&script) ? fuzz_take_byte (&script) : LARGE_LIMIT;
  output.pieces = fuzz_take_bytes (&script, &output.n_pieces);
  output.data = fuzz_take_rest (&script, &output.size);

  split (&output, &in_pieces);
  output.n_pieces = 0;
  split (&output, &at_once);

  fuzz_check ((in_pieces.error == NULL) == (at_once.error == NULL));
  if (output.split != DRAY_SPLIT_CHUNKS)
    fuzz_check (in_pieces.n_items == at_once.n_items);
  if (in_pieces.error == NULL)
    {
      check_whole (&in_pieces, &output);
      check_whole (&at_once, &output);
    }

  items_clear (&in_pieces);
  items_clear (&at_once);
  return 0;
}
