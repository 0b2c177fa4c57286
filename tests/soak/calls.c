/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "soak.h"

#include <gio/gunixfdlist.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The calls: what the functions of the misbehaving worker are asked for, and what is right then. */

static guint
pick (GRand *rand, guint first, guint last)
{
  return (guint) g_rand_int_range (rand, (int) first, (int) last + 1);
}

/* Small ones more often than large ones. */
static guint
pick_size (GRand *rand, guint bits)
{
  return pick (rand, 0, (guint) 1 << pick (rand, 0, bits));
}

static DrayTask *
make_call (SoakTask *self, const char *function, const char *format, ...)
{
  GVariant *arguments = NULL;
  va_list values;

  va_start (values, format);
  if (format != NULL)
    arguments = g_variant_new_va (format, NULL, &values);
  va_end (values);

  return dray_task_new_call (function, arguments);
}

/* --- Small results --- */

static DrayTask *
make_add (SoakTask *self, GRand *rand)
{
  self->n = pick (rand, 0, 1000000);
  return make_call (self, "add", "(ii)", self->n, 7);
}

static gboolean
check_add (SoakTask *self, GVariant *result)
{
  return g_variant_is_of_type (result, G_VARIANT_TYPE_INT32)
         && g_variant_get_int32 (result) == (int) self->n + 7;
}

static DrayTask *
make_echo (SoakTask *self, GRand *rand)
{
  g_autofree char *text = g_strnfill (pick_size (rand, 12), 'x');

  self->value = g_variant_ref_sink (g_variant_new ("(usad)", g_rand_int (rand), text, NULL));
  return dray_task_new_call ("echo", self->value);
}

static DrayTask *
make_shared (SoakTask *self, GRand *rand)
{
  g_autofree char *key = NULL;
  DrayTask *task;

  self->n = pick (rand, 0, 5);
  self->value = g_variant_ref_sink (g_variant_new ("(us)", self->n, "shared"));
  key = g_strdup_printf ("key %u", self->n);
  task = dray_task_new_call ("echo", self->value);
  dray_task_set_key (task, key);
  return task;
}

static gboolean
check_echo (SoakTask *self, GVariant *result)
{
  return g_variant_equal (result, self->value);
}

static DrayTask *
make_attempt (SoakTask *self, GRand *rand)
{
  return make_call (self, "attempt", NULL);
}

static gboolean
check_attempt (SoakTask *self, GVariant *result)
{
  return g_variant_is_of_type (result, G_VARIANT_TYPE_UINT32) && g_variant_get_uint32 (result) >= 1
         && g_variant_get_uint32 (result) <= self->retries + 1;
}

static DrayTask *
make_named (SoakTask *self, GRand *rand)
{
  return make_call (self, self->kind->name, NULL);
}

static gboolean
check_empty (SoakTask *self, GVariant *result)
{
  return g_variant_is_of_type (result, G_VARIANT_TYPE_UNIT);
}

static DrayTask *
make_sleep (SoakTask *self, GRand *rand)
{
  return make_call (self, "sleep", "(u)", pick (rand, 0, 30));
}

static DrayTask *
make_fail (SoakTask *self, GRand *rand)
{
  return make_call (self, "fail", "(sis)", "g-io-error-quark", G_IO_ERROR_FAILED, "It failed");
}

static DrayTask *
make_stderr (SoakTask *self, GRand *rand)
{
  return make_call (self, "stderr", "(u)", pick_size (rand, 20));
}

static DrayTask *
make_hog (SoakTask *self, GRand *rand)
{
  self->n = pick (rand, 1, 20);
  return make_call (self, "hog", "(u)", self->n);
}

static gboolean
check_n (SoakTask *self, GVariant *result)
{
  return g_variant_is_of_type (result, G_VARIANT_TYPE_UINT32)
         && g_variant_get_uint32 (result) == self->n;
}

static gboolean
check_any (SoakTask *self, GVariant *result)
{
  return TRUE;
}

/* --- Streams --- */

/* Whether @value is an `ay` as the worker makes it: each byte is its place plus the seed. */
static gboolean
is_pattern (GVariant *value, guint size, guint seed)
{
  guint8 pattern[4096];
  const guint8 *bytes;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING)
      || g_variant_get_size (value) != size)
    return FALSE;

  bytes = g_variant_get_data (value);
  for (guint i = 0; i < sizeof pattern; i++)
    pattern[i] = (guint8) (i + seed);
  for (guint i = 0; i < size; i += sizeof pattern)
    if (memcmp (bytes + i, pattern, MIN (sizeof pattern, size - i)) != 0)
      return FALSE;
  return TRUE;
}

static DrayTask *
make_stream (SoakTask *self, GRand *rand)
{
  self->size = pick_size (rand, 14);
  self->n = pick (rand, 0, 200);
  return make_call (self, "stream", "(uu)", self->n, self->size);
}

static gboolean
check_stream_item (SoakTask *self, GVariant *item)
{
  return is_pattern (item, self->size, 0);
}

/* Of items some may have come from attempts before; and a task that somebody stopped may still be
 * the first to end. */
static gboolean
check_streamed (SoakTask *self, GVariant *result)
{
  guint n_sent = g_variant_get_uint32 (result);

  return (n_sent == self->n || (n_sent < self->n && soak_task_may_be_cancelled (self)))
         && (self->retries == 0 ? self->n_items == n_sent : self->n_items >= n_sent);
}

static DrayTask *
make_numbers (SoakTask *self, GRand *rand)
{
  self->n = pick (rand, 0, 3000);
  return make_call (self, "numbers", "(ub)", self->n, FALSE);
}

/* One after the other; another attempt begins anew. */
static gboolean
check_number (SoakTask *self, GVariant *item)
{
  guint32 number = g_variant_get_uint32 (item);
  gboolean right = number == self->seed || (number == 0 && self->retries > 0);

  self->seed = number + 1;
  return right;
}

static DrayTask *
make_progress (SoakTask *self, GRand *rand)
{
  self->n = pick (rand, 0, 2000) + 1;
  return make_call (self, "progress", "(u)", self->n - 1);
}

static gboolean
check_progress (SoakTask *self, GVariant *result)
{
  return check_n (self, result)
         || (g_variant_get_uint32 (result) < self->n && soak_task_may_be_cancelled (self));
}

static DrayTask *
make_allocate_stream (SoakTask *self, GRand *rand)
{
  self->size = pick_size (rand, 20);
  self->n = pick (rand, 0, 12);
  return make_call (self, "allocate-stream", "(uu)", self->n, self->size);
}

/* The seed is that of the item's place, from the last beginning on. */
static gboolean
check_allocated_item (SoakTask *self, GVariant *item)
{
  gboolean right = is_pattern (item, self->size, self->seed);

  if (!right && self->retries > 0)
    {
      self->seed = 0;
      right = is_pattern (item, self->size, 0);
    }
  self->seed++;
  return right;
}

static DrayTask *
make_same_twice (SoakTask *self, GRand *rand)
{
  self->size = pick_size (rand, 20);
  self->seed = 1;
  return make_call (self, "same-twice", "(u)", self->size);
}

static gboolean
check_seeded (SoakTask *self, GVariant *value)
{
  return is_pattern (value, self->size, self->seed);
}

/* --- Large values --- */

static DrayTask *
make_bytes (SoakTask *self, GRand *rand)
{
  self->size = pick_size (rand, 22);
  return make_call (self, "bytes", "(u)", self->size);
}

static DrayTask *
make_allocate (SoakTask *self, GRand *rand)
{
  self->size = pick_size (rand, 23);
  self->seed = pick (rand, 0, 255);
  return make_call (self, "allocate", "(uy)", self->size, self->seed);
}

static DrayTask *
make_sum (SoakTask *self, GRand *rand)
{
  guint8 *bytes;

  self->size = pick_size (rand, 21);
  bytes = g_malloc (self->size + 1);
  memset (bytes, 3, self->size);
  return dray_task_new_call ("sum", g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, bytes,
                                                             self->size, TRUE, g_free, bytes));
}

static gboolean
check_sum (SoakTask *self, GVariant *result)
{
  return g_variant_is_of_type (result, G_VARIANT_TYPE_UINT64)
         && g_variant_get_uint64 (result) == (guint64) self->size * 3;
}

/* --- Open files --- */

static DrayTask *
make_attached (SoakTask *self, GRand *rand)
{
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  DrayTask *task = make_call (self, self->kind->name, NULL);

  self->n = pick (rand, 1, 3);
  for (guint i = 0; i < self->n; i++)
    {
      int fd = memfd_create ("soak", MFD_CLOEXEC);

      if (write (fd, "text", 4) != 4 || g_unix_fd_list_append (list, fd, NULL) < 0)
        soak_violation ("An open file could not be made");
      close (fd);
    }
  if (!dray_task_set_attachments (task, list, NULL))
    soak_violation ("Open files could not be attached");

  return task;
}

static gboolean
check_attached (SoakTask *self, GVariant *result)
{
  g_autofree const char **texts = g_variant_get_strv (result, NULL);
  guint n = g_strv_length ((char **) texts);

  for (guint i = 0; i < n; i++)
    if (!g_str_equal (texts[i], "text"))
      return FALSE;
  return n == self->n;
}

static DrayTask *
make_return_attachments (SoakTask *self, GRand *rand)
{
  const char *const texts[] = { "one", "two", "three", NULL };

  self->n = 3;
  return make_call (self, "return-attachments", "(^as)", texts);
}

static gboolean
check_returned (SoakTask *self, GVariant *result)
{
  g_autoptr (GUnixFDList) list = dray_future_dup_attachments (self->future);
  char text[8] = "";
  int fd = list != NULL && g_unix_fd_list_get_length (list) == 3
             ? g_unix_fd_list_get (list, 2, NULL)
             : -1;
  gboolean right = fd >= 0 && pread (fd, text, sizeof text - 1, 0) == 5
                   && g_str_equal (text, "three");

  if (fd >= 0)
    close (fd);
  return right && check_n (self, result);
}

/* --- The end of a worker --- */

static DrayTask *
make_exit (SoakTask *self, GRand *rand)
{
  return make_call (self, "exit", "(i)", pick (rand, 0, 3));
}

static DrayTask *
make_raise (SoakTask *self, GRand *rand)
{
  static const int signals[] = { SIGKILL, SIGSEGV, SIGABRT, SIGTERM, SIGPIPE };

  return make_call (self, "raise", "(i)", signals[pick (rand, 0, G_N_ELEMENTS (signals) - 1)]);
}

static DrayTask *
make_hostile_cargo (SoakTask *self, GRand *rand)
{
  static const char *const ways[] = { "unsealed",   "shrinkable", "too-small",      "too-large",
                                      "not-passed", "flood",      "item-attachment" };

  return make_call (self, "hostile-cargo", "(s)", ways[pick (rand, 0, G_N_ELEMENTS (ways) - 1)]);
}

const SoakKind soak_calls[] = {
  { "add", 100, make_add, check_add, NULL, SOAK_SUCCEEDED, FALSE, TRUE },
  { "echo", 60, make_echo, check_echo, NULL, SOAK_SUCCEEDED, FALSE, TRUE },
  { "shared echo", 40, make_shared, check_echo, NULL, SOAK_SUCCEEDED, FALSE, TRUE },
  { "attempt", 30, make_attempt, check_attempt, NULL, SOAK_SUCCEEDED, FALSE, TRUE },
  { "null", 10, make_named, check_empty, NULL, SOAK_SUCCEEDED, FALSE, TRUE },
  { "both", 5, make_named, NULL, NULL, SOAK_OWN_ERROR, FALSE, FALSE },
  { "sleep", 20, make_sleep, check_empty, NULL, SOAK_SUCCEEDED, FALSE, TRUE },
  { "fail", 20, make_fail, NULL, NULL, SOAK_OWN_ERROR, FALSE, TRUE },
  { "print", 5, make_named, check_empty, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "stderr", 10, make_stderr, check_empty, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "hog", 3, make_hog, check_n, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "grandchild", 2, make_named, check_any, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "stream", 10, make_stream, check_streamed, check_stream_item, SOAK_SUCCEEDED, FALSE, FALSE },
  { "numbers", 10, make_numbers, check_streamed, check_number, SOAK_SUCCEEDED, FALSE, FALSE },
  { "progress", 5, make_progress, check_progress, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "allocate-stream", 5, make_allocate_stream, check_streamed, check_allocated_item,
    SOAK_SUCCEEDED, FALSE, FALSE },
  { "same-twice", 5, make_same_twice, check_seeded, check_seeded, SOAK_SUCCEEDED, FALSE, FALSE },
  { "bytes", 10, make_bytes, check_seeded, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "allocate", 10, make_allocate, check_seeded, NULL, SOAK_SUCCEEDED, FALSE, TRUE },
  { "sum", 10, make_sum, check_sum, NULL, SOAK_SUCCEEDED, FALSE, TRUE },
  { "read-attachments", 10, make_attached, check_attached, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "die-with-attachments", 2, make_attached, check_attached, NULL, SOAK_SUCCEEDED, FALSE, FALSE },
  { "return-attachments", 10, make_return_attachments, check_returned, NULL, SOAK_SUCCEEDED, FALSE,
    FALSE },
  { "block", 10, make_named, NULL, NULL, 0, TRUE, FALSE },
  { "ignore-cancel", 3, make_named, NULL, NULL, 0, TRUE, FALSE },
  { "hang-in-handler", 3, make_named, NULL, NULL, 0, TRUE, FALSE },
  { "spin", 1, make_named, NULL, NULL, 0, TRUE, FALSE },
  { "stop", 3, make_named, check_any, NULL, SOAK_SUCCEEDED, TRUE, FALSE },
  { "exit", 5, make_exit, NULL, NULL, 0, FALSE, FALSE },
  { "raise", 5, make_raise, NULL, NULL, 0, FALSE, FALSE },
  { "garbage", 2, make_named, NULL, NULL, SOAK_PROTOCOL, FALSE, FALSE },
  { "half-frame", 2, make_named, NULL, NULL, 0, FALSE, FALSE },
  { "oversized", 2, make_named, NULL, NULL, SOAK_PROTOCOL, FALSE, FALSE },
  { "wrong-id", 2, make_named, NULL, NULL, SOAK_PROTOCOL, FALSE, FALSE },
  { "hostile-cargo", 4, make_hostile_cargo, NULL, NULL, SOAK_PROTOCOL, FALSE, FALSE },
  { NULL, 0, NULL, NULL, NULL, 0, FALSE, FALSE },
};
