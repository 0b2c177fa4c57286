/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "misbehaving.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/*
 * A worker that lies, on purpose and well: each message but for the one lie is as it should be.
 */

enum
{
  TYPE_HELLO = 1,
  TYPE_READY = 2,
  TYPE_SUBMIT = 3,
  TYPE_ITEM = 4,
  TYPE_PROGRESS = 5,
  TYPE_RESULT = 6,
  TYPE_ERROR = 7,
  TYPE_RETURNED = 9,
  TYPE_OUTCOMES = 13,
};

#define MIB ((gsize) 1024 * 1024)

/* --- Messages --- */

static void
write_about (DrayJob *job, guint8 type, const void *payload, gsize size)
{
  misbehaving_write_frame (type, 0, dray_job_get_id (job), dray_job_get_attempt (job), payload,
                           size);
}

/* A result: @size bytes, of a type. */
static void
write_value (DrayJob *job, const void *bytes, gsize size, const char *type)
{
  g_autoptr (GByteArray) payload = g_byte_array_new ();

  g_byte_array_append (payload, bytes, (guint) size);
  g_byte_array_append (payload, (const guint8 *) "", 1);
  g_byte_array_append (payload, (const guint8 *) type, (guint) strlen (type));
  write_about (job, TYPE_RESULT, payload->data, payload->len);
}

/* A variant in a variant in a variant. */
static void
write_nested (DrayJob *job)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  g_byte_array_append (bytes, (const guint8 *) "\0\0()", 4);
  for (guint i = 0; i < 1000; i++)
    g_byte_array_append (bytes, (const guint8 *) "\0v", 2);
  write_value (job, bytes->data, bytes->len, "v");
}

static void
write_long_type (DrayJob *job)
{
  g_autofree char *type = g_strnfill (MIB, 'a');

  type[MIB - 1] = 's';
  write_value (job, "", 0, type);
}

static void
write_long_text (DrayJob *job, guint8 type)
{
  g_autofree char *text = g_strnfill (MIB, 'x');

  write_about (job, type, text, MIB);
}

/* Bytes behind the payload that are not zero. */
static void
write_bad_padding (DrayJob *job)
{
  const guint8 payload[] = { 7, 0, 'y', 1, 1, 1, 1, 1 };
  MisbehavingHeader header = misbehaving_make_header (TYPE_RESULT, dray_job_get_id (job),
                                                      dray_job_get_attempt (job), 3);

  misbehaving_write_raw (&header, sizeof header);
  misbehaving_write_raw (payload, sizeof payload);
}

/* What is never a value, a text, or an error. Returns: whether @how is one of these */
static gboolean
tell_nonsense (DrayJob *job, const char *how)
{
  const guint8 offsets[] = { 'a', 0, 99 };

  if (g_str_equal (how, "item"))
    write_about (job, TYPE_ITEM, "\xff\xfe\0s", 4);
  else if (g_str_equal (how, "array"))
    write_value (job, offsets, sizeof offsets, "as");
  else if (g_str_equal (how, "boolean"))
    write_value (job, "\2", 1, "b");
  else if (g_str_equal (how, "text"))
    write_value (job, "\xff\xfe", 3, "s");
  else if (g_str_equal (how, "type"))
    write_value (job, "", 1, "(((");
  else if (g_str_equal (how, "long-type"))
    write_long_type (job);
  else if (g_str_equal (how, "nested"))
    write_nested (job);
  else if (g_str_equal (how, "padding"))
    write_bad_padding (job);
  else if (g_str_equal (how, "progress-text"))
    write_about (job, TYPE_PROGRESS, "12345678\xff\xfe", 11);
  else if (g_str_equal (how, "progress-long"))
    write_long_text (job, TYPE_PROGRESS);
  else if (g_str_equal (how, "error-text"))
    write_about (job, TYPE_ERROR, "a-domain\0\0\0\0\1\0\0\0\xff\xfe\0\x09", 20);
  else if (g_str_equal (how, "error-long"))
    write_long_text (job, TYPE_ERROR);
  else
    return FALSE;

  return TRUE;
}

/* What is a message, but not one that it may send now. Returns: whether @how is one of these */
static gboolean
speak_out_of_turn (DrayJob *job, const char *how)
{
  const guint64 id = dray_job_get_id (job);
  const guint64 outcomes[2] = { 0 };

  if (g_str_equal (how, "next-task"))
    misbehaving_write_frame (TYPE_RESULT, 0, id + 1, 1, "\0()", 4);
  else if (g_str_equal (how, "no-task"))
    misbehaving_write_frame (TYPE_RESULT, 0, 0, 0, "\0()", 4);
  else if (g_str_equal (how, "later-attempt"))
    misbehaving_write_frame (TYPE_RESULT, 0, id, dray_job_get_attempt (job) + 1, "\0()", 4);
  else if (g_str_equal (how, "returned"))
    write_about (job, TYPE_RETURNED, NULL, 0);
  else if (g_str_equal (how, "returned-next"))
    misbehaving_write_frame (TYPE_RETURNED, 0, id + 1, 1, NULL, 0);
  else if (g_str_equal (how, "outcomes"))
    write_about (job, TYPE_OUTCOMES, outcomes, sizeof outcomes);
  else if (g_str_equal (how, "hello"))
    misbehaving_write_hello (1, FALSE);
  else if (g_str_equal (how, "ready"))
    misbehaving_write_frame (TYPE_READY, 0, 0, 0, NULL, 0);
  else if (g_str_equal (how, "submit"))
    write_about (job, TYPE_SUBMIT, "", 1);
  else if (g_str_equal (how, "type-of-frame"))
    write_about (job, 200, NULL, 0);
  else
    return FALSE;

  return TRUE;
}

/* --- Floods: until it is killed, whatever it is told --- */

static void
write_for_ever (int fd, const void *bytes, gsize size)
{
  while (write (fd, bytes, size) > 0)
    ;
}

/* So many at a time that the writing costs less than the reading. */
static GByteArray *
new_flood (DrayJob *job, guint8 type, guint attempt, const void *payload, gsize size)
{
  MisbehavingHeader header = misbehaving_make_header (type, dray_job_get_id (job), attempt,
                                                      (guint32) size);
  GByteArray *frames = g_byte_array_new ();

  while (frames->len < 64 * 1024)
    {
      g_byte_array_append (frames, (const guint8 *) &header, sizeof header);
      g_byte_array_append (frames, payload, (guint) size);
      while (frames->len % 8 != 0)
        g_byte_array_append (frames, (const guint8 *) "", 1);
    }
  return frames;
}

static void
flood_with_frames (DrayJob *job, guint8 type, guint attempt, const void *payload, gsize size)
{
  g_autoptr (GByteArray) frames = new_flood (job, type, attempt, payload, size);

  write_for_ever (misbehaving_wire_fd, frames->data, frames->len);
}

static void
flood_with_progress (DrayJob *job)
{
  const gsize size = 60000;
  g_autofree char *payload = g_strnfill (size, 'x');

  memset (payload, 0, 8);
  payload[size - 1] = '\0';
  flood_with_frames (job, TYPE_PROGRESS, dray_job_get_attempt (job), payload, size);
}

static void
flood_with_text (void)
{
  g_autofree char *text = g_strnfill (MIB, 'x');

  write_for_ever (STDERR_FILENO, text, MIB);
}

/* Returns: whether @how is one of these */
static gboolean
flood (DrayJob *job, const char *how)
{
  const guint attempt = dray_job_get_attempt (job);

  if (g_str_equal (how, "items"))
    flood_with_frames (job, TYPE_ITEM, attempt, "\0\0()", 4);
  else if (g_str_equal (how, "large-items"))
    {
      g_autofree char *payload = g_malloc0 (MIB);

      memcpy (payload + MIB - 2, "ay", 2);
      flood_with_frames (job, TYPE_ITEM, attempt, payload, MIB);
    }
  else if (g_str_equal (how, "progress"))
    flood_with_progress (job);
  else if (g_str_equal (how, "errors"))
    flood_with_text ();
  else if (g_str_equal (how, "old-items") && attempt == 1)
    _exit (7);
  else if (g_str_equal (how, "old-items"))
    flood_with_frames (job, TYPE_ITEM, attempt - 1, "\0\0()", 4);
  else if (g_str_equal (how, "bells"))
    write_for_ever (misbehaving_wire_fd, "ding dong", 9);
  else
    return FALSE;

  return TRUE;
}

/* --- Positions in shared memory --- */

/* Returns: whether @how is one of these */
static gboolean
move_ring (const char *how)
{
  guint64 *written = misbehaving_find_ring_position ();

  if (written == NULL)
    return FALSE;

  if (g_str_equal (how, "ring-ahead"))
    *written += 10 * MIB;
  else if (g_str_equal (how, "ring-back"))
    *written = 0;
  else if (g_str_equal (how, "ring-far"))
    *written = G_MAXUINT64;
  else if (g_str_equal (how, "ring-empty"))
    *written += 1000;
  else
    return FALSE;

  misbehaving_ring_bell ();
  return TRUE;
}

/* Says that it has begun the next task, and stops. */
static gboolean
claim_next (DrayJob *job, const char *how)
{
  guint64 *gate = misbehaving_find_gate ();

  if (gate == NULL || !g_str_equal (how, "begun"))
    return FALSE;

  __atomic_store_n (gate, (dray_job_get_id (job) + 1) << 1, __ATOMIC_SEQ_CST);
  raise (SIGSTOP);
  return TRUE;
}

/* See lib/wire/dray-ledger.h. */
typedef struct
{
  guint64 task_id;
  guint32 attempt;
  guint32 first;
  guint64 content;
  guint8 records[64 * 1024 - 24];
} RawLedger;

/* The chunk behind has one call, whose value is 7. */
static void
settle_next (RawLedger *ledger, guint64 task_id)
{
  const guint8 record[16] = { 6, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0, 'u' };

  memcpy (ledger->records, record, sizeof record);
  ledger->task_id = task_id;
  ledger->attempt = 1;
  ledger->first = 0;
  ledger->content = (guint64) 1 << 32 | sizeof record;
}

/* Stops until the next task has been sent; says then that it has begun that, and even that it has
 * done it, and breaks the protocol. Returns: whether @how is one of these */
static gboolean
claim_chunk (DrayJob *job, const char *how)
{
  const guint64 next = dray_job_get_id (job) + 1;

  if (!g_str_equal (how, "begun-chunk") && !g_str_equal (how, "done-chunk"))
    return FALSE;

  raise (SIGSTOP);
  __atomic_store_n (misbehaving_find_gate (), next << 1, __ATOMIC_SEQ_CST);
  if (g_str_equal (how, "done-chunk"))
    settle_next (misbehaving_find_ledger (), next);
  misbehaving_wait_for_kill ();
}

static GVariant *
lie_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *how;

  signal (SIGTERM, SIG_IGN);
  alarm (MISBEHAVING_LIFETIME);
  dray_job_set_progress (job, -1, "lying");
  g_variant_get (arguments, "(&s)", &how);
  if (!tell_nonsense (job, how) && !speak_out_of_turn (job, how) && !move_ring (how)
      && !claim_next (job, how) && !claim_chunk (job, how) && !flood (job, how))
    g_error ("There is no lie “%s”", how);
  misbehaving_pause_for_ever ();

  return NULL;
}

static volatile sig_atomic_t was_terminated;

static void
note_term (int signal_number)
{
  was_terminated = TRUE;
}

/* Whatever it is told but SIGTERM. */
static GVariant *
flood_until_term_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_autoptr (GByteArray) items = new_flood (job, TYPE_ITEM, dray_job_get_attempt (job), "\0\0()", 4);

  signal (SIGTERM, note_term);
  dray_job_set_progress (job, -1, "flooding");
  while (!was_terminated)
    misbehaving_write_raw (items->data, items->len);
  return NULL;
}

/* --- The ledger --- */

static void
falsify (RawLedger *ledger, const char *how)
{
  const guint64 all = (guint64) G_MAXUINT32 << 32;

  memset (ledger->records, 0, sizeof ledger->records);
  if (g_str_equal (how, "many"))
    ledger->content = all | sizeof ledger->records;
  else if (g_str_equal (how, "long"))
    ledger->content = (guint64) 1 << 32 | G_MAXUINT32;
  else if (g_str_equal (how, "first"))
    {
      ledger->first = G_MAXUINT32 - 1;
      ledger->content = (guint64) 3 << 32 | 24;
    }
  else if (g_str_equal (how, "records"))
    {
      memset (ledger->records, 0xff, sizeof ledger->records);
      ledger->content = (guint64) 2 << 32 | 64;
    }
  else
    g_assert_not_reached ();
}

void
misbehaving_forget_outcomes (void)
{
  RawLedger *ledger = misbehaving_find_ledger ();

  /* As the library writes there, which does it on another thread as well. */
  __atomic_fetch_add (&ledger->first,
                      (guint32) (__atomic_load_n (&ledger->content, __ATOMIC_ACQUIRE) >> 32),
                      __ATOMIC_RELEASE);
  __atomic_store_n (&ledger->content, 0, __ATOMIC_RELEASE);
  raise (SIGKILL);
  _exit (9);
}

/* The process that can make a file of that name lies, and is killed; all others echo. */
static GVariant *
lie_in_ledger_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *how, *path;
  guint32 number;

  g_variant_get (arguments, "(u&s&s)", &number, &how, &path);
  if (number == 5 && open (path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) >= 0)
    {
      RawLedger *ledger = misbehaving_find_ledger ();

      if (ledger != NULL)
        falsify (ledger, how);
      raise (SIGKILL);
    }

  return g_variant_new_uint32 (number);
}

/* Gives all calls of a map back again and again. */
static GVariant *
return_chunk_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 n_calls;
  guint32 outcomes[4] = { 0 };

  g_variant_get (arguments, "(u)", &n_calls);
  outcomes[1] = n_calls;
  write_about (job, TYPE_OUTCOMES, outcomes, sizeof outcomes);

  return misbehaving_block (job, error);
}

/* What is not said of a chunk, or not in that way. */
static GVariant *
lie_in_chunk_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const char *how;

  g_variant_get (arguments, "(&s)", &how);
  if (g_str_equal (how, "outcomes"))
    write_about (job, TYPE_OUTCOMES, "short", 5);
  else if (g_str_equal (how, "item"))
    write_about (job, TYPE_ITEM, "\0\0()", 4);
  else
    write_value (job, "", 1, "()");

  return misbehaving_block (job, error);
}

/* --- Before it is a worker --- */

static void
write_hello_with (const char *key, GVariant *value)
{
  g_autoptr (GVariant) hello = NULL;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", key, value);
  hello = g_variant_ref_sink (
    g_variant_new ("(yyya{sv})", G_BYTE_ORDER == G_LITTLE_ENDIAN ? 'l' : 'B', 2, 1, &builder));
  misbehaving_write_frame (TYPE_HELLO, 0, 0, 0, g_variant_get_data (hello),
                           g_variant_get_size (hello));
}

gboolean
misbehaving_lie_in_hello (const char *how)
{
  const MisbehavingHeader long_hello = misbehaving_make_header (TYPE_HELLO, 0, 0, G_MAXUINT32 - 64);

  if (g_str_equal (how, "long"))
    misbehaving_write_raw (&long_hello, sizeof long_hello);
  else if (g_str_equal (how, "text"))
    misbehaving_write_frame (TYPE_HELLO, 0, 0, 0, "l\2\1\0\0\0\0\0\xff\xfe\0\0\1u\3", 15);
  else if (g_str_equal (how, "twice"))
    {
      misbehaving_write_hello (1, FALSE);
      misbehaving_write_hello (1, FALSE);
    }
  else if (g_str_equal (how, "ready-first"))
    misbehaving_write_frame (TYPE_READY, 0, 0, 0, NULL, 0);
  else if (g_str_equal (how, "error"))
    {
      misbehaving_write_hello (1, FALSE);
      misbehaving_write_frame (TYPE_ERROR, 0, 0, 0, "a-domain\0\0\0\0\1\0\0\0\xff\xfe\0\x09", 20);
    }
  else if (g_str_equal (how, "task"))
    {
      misbehaving_write_hello (1, FALSE);
      misbehaving_write_frame (TYPE_RESULT, 0, 1, 1, "\0\0()", 4);
    }
  else if (g_str_equal (how, "pid"))
    {
      /* Somebody else's number, and shared memory that it does not use. */
      write_hello_with ("pid", g_variant_new_uint32 ((guint32) getppid ()));
      misbehaving_write_frame (TYPE_READY, 1, 0, 0, NULL, 0);
    }
  else if (g_str_equal (how, "features"))
    {
      /* What only the other side says, and much of it; then it is ready. */
      g_autofree char *text = g_strnfill (MIB, 'x');

      write_hello_with ("passage", g_variant_new_bytestring (text));
      misbehaving_write_frame (TYPE_READY, 0, 0, 0, NULL, 0);
    }
  else
    return FALSE;

  return TRUE;
}

const MisbehavingFunction misbehaving_lies_functions[] = {
  { "flood-until-term", "*", flood_until_term_cb, NULL },
  { "lie", "(s)", lie_cb, NULL },
  { "lie-in-ledger", "(uss)", lie_in_ledger_cb, NULL },
  { "lie-in-chunk", "(s)", lie_in_chunk_cb, NULL },
  { "return-chunk", "(u)", return_chunk_cb, NULL },
  { NULL, NULL, NULL, NULL },
};
