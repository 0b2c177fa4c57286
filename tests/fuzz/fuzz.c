/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "fuzz.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* How deep the values of a script are nested, and how many children one has. */
#define MAX_DEPTH 6
#define MAX_CHILDREN 4

/* libFuzzer keeps the script of a process that aborts; not of one that traps, as GLib has it. */
static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
  g_log_writer_standard_streams (level, fields, n_fields, user_data);
  if ((level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING)) != 0)
    abort ();
  return G_LOG_WRITER_HANDLED;
}

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  g_log_set_writer_func (write_log, NULL, NULL);
  signal (SIGPIPE, SIG_IGN); /* as the I/O thread and a worker have it */
  return 0;
}

void
fuzz_fail (const char *file, int line, const char *what)
{
  fprintf (stderr, "%s:%d: it does not hold that %s\n", file, line, what);
  abort ();
}

/* --- Scripts --- */

guint8
fuzz_take_byte (FuzzScript *self)
{
  if (self->size == 0)
    return 0;

  self->size--;
  return *self->data++;
}

guint
fuzz_take_up_to (FuzzScript *self, guint max)
{
  guint number = fuzz_take_byte (self);

  if (max > G_MAXUINT8)
    number = number << 8 | fuzz_take_byte (self);
  return number % (max + 1);
}

gboolean
fuzz_take_boolean (FuzzScript *self)
{
  return (fuzz_take_byte (self) & 1) != 0;
}

guint64
fuzz_take_number (FuzzScript *self)
{
  guint n_bytes = fuzz_take_byte (self) % 9;
  guint64 number = 0;

  for (guint i = 0; i < n_bytes; i++)
    number = number << 8 | fuzz_take_byte (self);
  return number;
}

const guint8 *
fuzz_take_bytes (FuzzScript *self, gsize *size)
{
  const guint8 *bytes;
  gsize wanted = fuzz_take_byte (self);

  bytes = self->data;
  *size = MIN (wanted, self->size);
  self->data += *size;
  self->size -= *size;
  return bytes;
}

const guint8 *
fuzz_take_rest (FuzzScript *self, gsize *size)
{
  const guint8 *bytes = self->data;

  *size = self->size;
  self->data += self->size;
  self->size = 0;
  return bytes;
}

/* --- Values --- */

static GVariant *take_floating (FuzzScript *self, guint depth);

/* Text, of which each byte says one character. */
static GVariant *
take_text (FuzzScript *self)
{
  static const char *const characters[] = { "a", "/", "é", "…", "𝄞", "\n", " ", "_" };
  g_autoptr (GString) text = g_string_new (NULL);
  gsize size;
  const guint8 *bytes = fuzz_take_bytes (self, &size);

  for (gsize i = 0; i < size; i++)
    g_string_append (text, characters[bytes[i] % G_N_ELEMENTS (characters)]);
  return g_variant_new_string (text->str);
}

static GVariant *
take_basic (FuzzScript *self, char type)
{
  guint64 number = type != 's' ? fuzz_take_number (self) : 0;

  switch (type)
    {
    case 'b':
      return g_variant_new_boolean ((number & 1) != 0);
    case 'y':
      return g_variant_new_byte ((guint8) number);
    case 'q':
      return g_variant_new_uint16 ((guint16) number);
    case 'i':
      return g_variant_new_int32 ((gint32) number);
    case 't':
      return g_variant_new_uint64 (number);
    case 'd':
      return g_variant_new_double ((double) number);
    case 'o':
      return g_variant_new_object_path ((number & 1) != 0 ? "/a/b" : "/");
    case 'g':
      return g_variant_new_signature ((number & 1) != 0 ? "a{sv}" : "");
    case 's':
    default:
      return take_text (self);
    }
}

static GVariant *
take_bytes (FuzzScript *self)
{
  gsize size;
  const guint8 *bytes = fuzz_take_bytes (self, &size);

  return g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, size, 1);
}

/* An array of what is all of one type, which the first child decides. That comes again, and so
 * there are fewer of the inner ones: a few bytes would make thousands of values. */
static GVariant *
take_array (FuzzScript *self, guint depth)
{
  g_autoptr (GVariant) first = g_variant_ref_sink (take_floating (self, depth + 1));
  guint n_children = fuzz_take_up_to (self, MAX (1, MAX_CHILDREN >> depth));
  GVariant *children[MAX_CHILDREN];

  for (guint i = 0; i < n_children; i++)
    children[i] = first;
  return g_variant_new_array (g_variant_get_type (first), children, n_children);
}

static GVariant *
take_tuple (FuzzScript *self, guint depth)
{
  guint n_children = fuzz_take_up_to (self, MAX_CHILDREN);
  GVariant *children[MAX_CHILDREN];

  for (guint i = 0; i < n_children; i++)
    children[i] = take_floating (self, depth + 1);
  return g_variant_new_tuple (children, n_children);
}

static GVariant *
take_maybe (FuzzScript *self, guint depth)
{
  g_autoptr (GVariant) child = g_variant_ref_sink (take_floating (self, depth + 1));
  gboolean nothing = fuzz_take_boolean (self);

  return g_variant_new_maybe (g_variant_get_type (child), nothing ? NULL : child);
}

static GVariant *
take_dictionary (FuzzScript *self, guint depth)
{
  guint n_entries = fuzz_take_up_to (self, MAX_CHILDREN);
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (guint i = 0; i < n_entries; i++)
    g_variant_builder_add (&builder, "{sv}", "key", take_floating (self, depth + 1));
  return g_variant_builder_end (&builder);
}

static GVariant *
take_floating (FuzzScript *self, guint depth)
{
  static const char basic[] = "byqitdsog";
  guint8 kind = fuzz_take_byte (self);

  if (depth >= MAX_DEPTH)
    return take_basic (self, basic[kind % (sizeof basic - 1)]);

  switch (kind % 16)
    {
    case 9:
      return take_bytes (self);
    case 10:
      return take_array (self, depth);
    case 11:
    case 12:
      return take_tuple (self, depth);
    case 13:
      return take_maybe (self, depth);
    case 14:
      return take_dictionary (self, depth);
    case 15:
      return g_variant_new_variant (take_floating (self, depth + 1));
    default:
      return take_basic (self, basic[kind % 16]);
    }
}

GVariant *
fuzz_take_value (FuzzScript *self)
{
  return g_variant_ref_sink (take_floating (self, 0));
}
