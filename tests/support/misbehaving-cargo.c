/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "lingering.h"
#include "misbehaving.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* What goes beside the frames: memory and open files, as they should be and as they should not. */

int misbehaving_passage_fd;

/* Memory */

static GVariant *
fill_bytes (DrayJob *job, guint32 size, guint8 seed)
{
  gpointer data;
  g_autoptr (GBytes) bytes = dray_job_allocate_bytes (job, size, &data);

  for (guint32 i = 0; i < size; i++)
    ((guint8 *) data)[i] = (guint8) (i + seed);

  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
}

static GVariant *
allocate_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 size;
  guint8 seed;

  g_variant_get (arguments, "(uy)", &size, &seed);

  return fill_bytes (job, size, seed);
}

static GVariant *
allocate_stream_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 n_items, size, n_sent = 0;

  g_variant_get (arguments, "(uu)", &n_items, &size);
  while (n_sent < n_items && dray_job_emit (job, fill_bytes (job, size, (guint8) n_sent)))
    n_sent++;

  return g_variant_new_uint32 (n_sent);
}

static GVariant *
emit_twice_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 size;

  g_variant_get (arguments, "(u)", &size);
  dray_job_emit (job, misbehaving_new_bytes (size));
  dray_job_emit (job, misbehaving_new_bytes (size));

  return NULL;
}

/* What is between the ends is not touched, so it costs nothing. */
static GVariant *
allocate_many_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_autoptr (GPtrArray) memories = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  guint32 n, size, n_kept = 0;

  g_variant_get (arguments, "(uu)", &n, &size);
  for (guint32 i = 0; i < n; i++)
    {
      guint8 *bytes;

      g_ptr_array_add (memories, dray_job_allocate_bytes (job, size, (gpointer *) &bytes));
      bytes[0] = bytes[size - 1] = (guint8) i;
    }
  for (guint32 i = 0; i < n; i++)
    {
      const guint8 *bytes = g_bytes_get_data (memories->pdata[i], NULL);

      n_kept += bytes[0] == (guint8) i && bytes[size - 1] == (guint8) i;
    }

  return g_variant_new_uint32 (n_kept);
}

/* One value, made in place, and again and again. */
static GVariant *
same_twice_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint32 size;
  g_autoptr (GVariant) value = NULL;

  g_variant_get (arguments, "(u)", &size);
  value = g_variant_ref_sink (fill_bytes (job, size, 1));
  dray_job_emit (job, value);
  dray_job_emit (job, value);

  return g_variant_ref (value);
}

/* The sum of all bytes: whoever asks can tell that they arrived. */
static GVariant *
sum_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const guint8 *bytes = g_variant_get_data (arguments);
  gsize size = g_variant_get_size (arguments);
  guint64 sum = 0;

  for (gsize i = 0; i < size; i++)
    sum += bytes[i];

  return g_variant_new_uint64 (sum);
}

/* @data: non-NULL: the memory is made before that */
static GVariant *
without_descriptors_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  const struct rlimit none = { .rlim_cur = 3, .rlim_max = 3 };
  GVariant *value = NULL;
  guint32 size;

  g_variant_get (arguments, "(u)", &size);
  if (data != NULL)
    value = fill_bytes (job, size, 0);
  setrlimit (RLIMIT_NOFILE, &none);

  return value != NULL ? value : fill_bytes (job, size, 0);
}

/* Open files */

/* (transfer full) (nullable) */
static char *
read_file (int fd)
{
  char text[100];
  gssize n_read = pread (fd, text, sizeof text, 0);

  return n_read >= 0 ? g_strndup (text, (gsize) n_read) : NULL;
}

static GVariant *
read_attachments_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  GUnixFDList *attachments = dray_job_get_attachments (job);
  int n_fds = 0;
  const int *fds = attachments != NULL ? g_unix_fd_list_peek_fds (attachments, &n_fds) : NULL;
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) texts = NULL;

  for (int i = 0; i < n_fds; i++)
    {
      g_autofree char *text = read_file (fds[i]);

      g_strv_builder_add (builder, text != NULL ? text : g_strerror (errno));
    }
  texts = g_strv_builder_end (builder);

  return g_variant_new_strv ((const char *const *) texts, n_fds);
}

/* At the first attempt it dies with them. */
static GVariant *
die_with_attachments_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  if (dray_job_get_attempt (job) == 1)
    _exit (7);

  return read_attachments_cb (job, arguments, data, error);
}

static gboolean
return_text (DrayJob *job, const char *text, GError **error)
{
  int fd = memfd_create ("attachment", MFD_CLOEXEC);
  int place;

  if (fd < 0 || write (fd, text, strlen (text)) < 0)
    {
      g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (errno), g_strerror (errno));
      return FALSE;
    }

  place = dray_job_return_attachment (job, fd, error);
  close (fd);

  return place >= 0;
}

/* @data: (nullable): what it does then instead of returning how many there were */
static GVariant *
return_attachments_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  g_autofree const char **texts = NULL;
  gsize n_texts;

  g_variant_get (arguments, "(^a&s)", &texts);
  n_texts = g_strv_length ((char **) texts);
  for (gsize i = 0; i < n_texts; i++)
    if (!return_text (job, texts[i], error))
      return NULL;

  if (g_strcmp0 (data, "fail") == 0)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "It failed with open files");
  else if (g_strcmp0 (data, "block") == 0)
    return misbehaving_block (job, error);
  else if (g_strcmp0 (data, "large") == 0)
    return misbehaving_new_bytes (100000);
  else
    return g_variant_new_uint32 ((guint32) n_texts);

  return NULL;
}

/* Behind the library's back */

/* Nothing goes through the socket any more, as if this process were gone. */
static GVariant *
close_passage_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  shutdown (misbehaving_passage_fd, SHUT_RDWR);

  return NULL;
}

typedef struct
{
  MisbehavingHeader header;
  guint64 serial;
  guint16 kind;
  guint16 n_attachments;
  guint32 slot;
  guint64 size;
  char rest[8];
} RawCargo;

G_STATIC_ASSERT (sizeof (RawCargo) == 24 + 24 + 8);

enum
{
  TYPE_ITEM = 4,
  TYPE_RESULT = 6,
};

/* A result of type "ay", all of which is elsewhere. */
static RawCargo
make_raw (DrayJob *job, guint64 serial, guint16 kind, guint64 size)
{
  RawCargo raw = {
    .header = misbehaving_make_header (TYPE_RESULT, dray_job_get_id (job),
                                       dray_job_get_attempt (job), 24 + 3),
    .serial = serial,
    .kind = kind,
    .size = size,
    .rest = "\0ay",
  };

  raw.header.flags = 2;
  return raw;
}

/* @note: what comes with the open files, in @size bytes */
static void
pass_note (const void *note, gsize size, int fd, guint n_fds)
{
  union
  {
    struct cmsghdr header;
    guint8 bytes[CMSG_SPACE (253 * sizeof (int))];
  } control = { 0 };
  struct iovec vector = { .iov_base = (void *) note, .iov_len = size };
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = CMSG_SPACE (n_fds * sizeof (int)),
  };

  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN (n_fds * sizeof (int));
  for (guint i = 0; i < n_fds; i++)
    memcpy (CMSG_DATA (&control.header) + i * sizeof (int), &fd, sizeof fd);
  sendmsg (misbehaving_passage_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
pass_raw (guint64 serial, int fd, guint n_fds)
{
  const struct
  {
    guint64 serial;
    guint32 n_fds;
    guint32 zero;
  } note = { serial, n_fds, 0 };

  pass_note (&note, sizeof note, fd, n_fds);
}

static int
make_memory (gsize size, int seals)
{
  int fd = memfd_create ("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

  if (ftruncate (fd, (off_t) size) == 0 && seals != 0)
    fcntl (fd, F_ADD_SEALS, seals);

  return fd;
}

#define HOSTILE_SIZE 8192
#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Passes @fd, and says that it is the memory of a result. */
static void
send_memory (DrayJob *job, int fd, guint16 kind, guint32 slot)
{
  RawCargo raw = make_raw (job, 1, kind, HOSTILE_SIZE);

  raw.slot = slot;
  pass_raw (1, fd, 1);
  misbehaving_write_raw (&raw, sizeof raw);
}

/* Returns: whether @how is one of these */
static gboolean
send_bad_memory (DrayJob *job, const char *how)
{
  int fds[2];
  int fd;

  if (g_str_equal (how, "unsealed"))
    fd = make_memory (HOSTILE_SIZE, 0);
  else if (g_str_equal (how, "writable"))
    fd = make_memory (HOSTILE_SIZE, F_SEAL_SHRINK | F_SEAL_GROW);
  else if (g_str_equal (how, "shrinkable"))
    fd = make_memory (HOSTILE_SIZE, F_SEAL_GROW | F_SEAL_WRITE);
  else if (g_str_equal (how, "too-small"))
    fd = make_memory (HOSTILE_SIZE - 1, ALL_SEALS);
  else if (g_str_equal (how, "too-large"))
    fd = make_memory (HOSTILE_SIZE + 1, ALL_SEALS);
  else if (g_str_equal (how, "pipe") && pipe (fds) == 0)
    fd = fds[0];
  else
    return FALSE;

  send_memory (job, fd, 1, 0);
  /* Too late for whoever has mapped it by now. */
  if (ftruncate (fd, 0) != 0)
    errno = 0;

  return TRUE;
}

/* A result of "()", with the socket, which is closed here before it is received there. The listener
 * is left open. */
static void
send_lingering_socket (DrayJob *job)
{
  RawCargo raw = make_raw (job, 1, 0, 0);
  guint16 port;
  int fd;

  lingering_listen (&port);
  fd = lingering_connect (port);

  pass_raw (1, fd, 1);
  close (fd);
  raw.n_attachments = 1;
  raw.header.length = 24 + 4;
  memcpy (raw.rest, "\0\0()", 4);
  misbehaving_write_raw (&raw, sizeof raw);
}

/* A lingering socket, connected to that port, which no frame names. */
static GVariant *
pass_lingering_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  guint16 port;
  int fd;

  g_variant_get (arguments, "(q)", &port);
  fd = lingering_connect (port);
  pass_raw (1, fd, 1);
  close (fd);

  return NULL;
}

/* A result of "()", with an open file. */
static void
send_result_of (DrayJob *job, guint attempt)
{
  RawCargo raw = make_raw (job, 1, 0, 0);
  int fd = memfd_create ("old", MFD_CLOEXEC);

  pass_raw (1, fd, 1);
  close (fd);
  raw.header.attempt = attempt;
  raw.n_attachments = 1;
  raw.header.length = 24 + 4;
  memcpy (raw.rest, "\0\0()", 4);
  misbehaving_write_raw (&raw, sizeof raw);
}

static GVariant *
hostile_cargo_cb (DrayJob *job, GVariant *arguments, gpointer data, GError **error)
{
  int fd = make_memory (HOSTILE_SIZE, ALL_SEALS);
  RawCargo raw = make_raw (job, 1, 1, HOSTILE_SIZE);
  const char *how;

  g_variant_get (arguments, "(&s)", &how);
  if (g_str_equal (how, "not-passed"))
    misbehaving_write_raw (&raw, sizeof raw);
  else if (g_str_equal (how, "too-many"))
    {
      pass_raw (1, fd, 253);
      misbehaving_write_raw (&raw, sizeof raw);
    }
  else if (g_str_equal (how, "empty"))
    {
      pass_note (NULL, 0, fd, 253);
      misbehaving_write_raw (&raw, sizeof raw);
    }
  else if (g_str_equal (how, "flood"))
    {
      for (guint i = 1; i <= 100; i++)
        pass_raw (i, fd, 253);
      raw.serial = 100;
      misbehaving_write_raw (&raw, sizeof raw);
    }
  else if (g_str_equal (how, "item-attachment"))
    {
      raw.header.type = TYPE_ITEM;
      raw.n_attachments = 1;
      pass_raw (1, fd, 2);
      misbehaving_write_raw (&raw, sizeof raw);
    }
  else if (g_str_equal (how, "slot"))
    send_memory (job, make_memory (1 << 20, ALL_SEALS), 2, 1);
  else if (g_str_equal (how, "slot-number"))
    send_memory (job, make_memory (1 << 20, F_SEAL_SHRINK | F_SEAL_GROW), 2, 1000);
  else if (g_str_equal (how, "slot-too-small"))
    send_memory (job, make_memory ((1 << 16) + 100, F_SEAL_SHRINK | F_SEAL_GROW), 2, 1);
  else if (g_str_equal (how, "slot-unsealed"))
    send_memory (job, make_memory (1 << 20, 0), 2, 1);
  else if (g_str_equal (how, "slot-unknown"))
    {
      raw.kind = 3;
      raw.slot = 5;
      raw.serial = 0;
      misbehaving_write_raw (&raw, sizeof raw);
    }
  else if (g_str_equal (how, "other-task"))
    {
      raw.header.task_id += 1000000;
      pass_raw (1, fd, 1);
      misbehaving_write_raw (&raw, sizeof raw);
    }
  else if (g_str_equal (how, "old-attempt"))
    {
      if (dray_job_get_attempt (job) == 1)
        _exit (7);
      send_result_of (job, dray_job_get_attempt (job) - 1);
      close (fd);
      return NULL;
    }
  else if (g_str_equal (how, "lingering"))
    send_lingering_socket (job);
  else if (g_str_equal (how, "die"))
    {
      pass_raw (1, fd, 1);
      misbehaving_write_raw (&raw, sizeof raw / 2);
      raise (SIGKILL);
    }
  else if (!send_bad_memory (job, how))
    g_assert_not_reached ();

  if (g_str_equal (how, "lingering"))
    return misbehaving_block (job, error);
  misbehaving_wait_for_kill ();
}

const MisbehavingFunction misbehaving_cargo_functions[] = {
  { "allocate", "(uy)", allocate_cb, NULL },
  { "allocate-many", "(uu)", allocate_many_cb, NULL },
  { "allocate-stream", "(uu)", allocate_stream_cb, NULL },
  { "close-passage", "*", close_passage_cb, NULL },
  { "die-with-attachments", "*", die_with_attachments_cb, NULL },
  { "emit-twice", "(u)", emit_twice_cb, NULL },
  { "hostile-cargo", "(s)", hostile_cargo_cb, NULL },
  { "lose-descriptors", "(u)", without_descriptors_cb, (gpointer) "late" },
  { "pass-lingering", "(q)", pass_lingering_cb, NULL },
  { "read-attachments", "*", read_attachments_cb, NULL },
  { "return-attachments", "(as)", return_attachments_cb, NULL },
  { "return-attachments-block", "(as)", return_attachments_cb, (gpointer) "block" },
  { "return-attachments-fail", "(as)", return_attachments_cb, (gpointer) "fail" },
  { "return-attachments-large", "(as)", return_attachments_cb, (gpointer) "large" },
  { "same-twice", "(u)", same_twice_cb, NULL },
  { "sum", "*", sum_cb, NULL },
  { "without-descriptors", "(u)", without_descriptors_cb, NULL },
  { NULL, NULL, NULL, NULL },
};
