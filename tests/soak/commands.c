/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

#include <stdlib.h>
#include <string.h>

/* The commands: programs that every system has. */

#define NEW_COMMAND(...) dray_task_new_command ((const char *const[]){ __VA_ARGS__, NULL })

static DrayTask *
make_cat (SoakTask *self, GRand *rand)
{
  DrayTask *task = NEW_COMMAND ("cat");
  gsize size = (gsize) g_rand_int_range (rand, 0, 300000);
  g_autoptr (GBytes) input = NULL;
  guint8 *bytes = g_malloc (size + 1);

  memset (bytes, g_rand_int_range (rand, 0, 256), size);
  input = g_bytes_new_take (bytes, size);
  dray_task_set_input_bytes (task, input);
  self->value = g_variant_ref_sink (
    g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, input, TRUE));
  return task;
}

static gboolean
check_value (SoakTask *self, GVariant *result)
{
  return g_variant_equal (result, self->value);
}

static DrayTask *
make_seq (SoakTask *self, GRand *rand)
{
  g_autofree char *last = NULL;
  DrayTask *task;

  self->n = (guint) g_rand_int_range (rand, 1, 5000);
  last = g_strdup_printf ("%u", self->n);
  task = NEW_COMMAND ("seq", last);
  dray_task_set_split (task, DRAY_SPLIT_LINES);
  dray_task_set_encoding (task, DRAY_ENCODING_UTF8);
  return task;
}

static gboolean
check_seq_item (SoakTask *self, GVariant *item)
{
  return (guint) atoi (g_variant_get_string (item, NULL)) == self->n_items + 1;
}

static gboolean
check_seq (SoakTask *self, GVariant *result)
{
  return self->n_items == self->n;
}

static DrayTask *
make_head (SoakTask *self, GRand *rand)
{
  g_autofree char *size = NULL;

  self->size = (guint) g_rand_int_range (rand, 0, 4000000);
  size = g_strdup_printf ("%u", self->size);
  return NEW_COMMAND ("head", "-c", size, "/dev/zero");
}

static gboolean
check_size (SoakTask *self, GVariant *result)
{
  return g_variant_is_of_type (result, G_VARIANT_TYPE_BYTESTRING)
         && g_variant_get_size (result) == self->size;
}

static DrayTask *
make_exit (SoakTask *self, GRand *rand)
{
  return NEW_COMMAND ("sh", "-c", "echo wrong >&2; exit 3");
}

static DrayTask *
make_sleep (SoakTask *self, GRand *rand)
{
  return NEW_COMMAND ("sleep", "60");
}

/* Deaf to the polite word, and with a child of its own. */
static DrayTask *
make_deaf (SoakTask *self, GRand *rand)
{
  return NEW_COMMAND ("sh", "-c", "trap '' TERM; sleep 60 & wait; sleep 60");
}

static DrayTask *
make_missing (SoakTask *self, GRand *rand)
{
  return NEW_COMMAND ("/nonexistent/program");
}

const SoakKind soak_commands[] = {
  { "cat", 10, make_cat, check_value, NULL, SOAK_SUCCEEDED, FALSE, TRUE },
  { "seq", 10, make_seq, check_seq, check_seq_item, SOAK_SUCCEEDED, FALSE, FALSE },
  { "head", 10, make_head, check_size, NULL, SOAK_SUCCEEDED, FALSE, TRUE },
  { "exit 3", 5, make_exit, NULL, NULL, SOAK_OWN_ERROR, FALSE, TRUE },
  { "sleep 60", 5, make_sleep, NULL, NULL, 0, TRUE, FALSE },
  { "deaf", 2, make_deaf, NULL, NULL, 0, TRUE, FALSE },
  { "missing", 2, make_missing, NULL, NULL, SOAK_LAUNCH, FALSE, FALSE },
  { NULL, 0, NULL, NULL, NULL, 0, FALSE, FALSE },
};
