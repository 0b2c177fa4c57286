/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-outbox.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/uio.h>

#include "dray-error-private.h"

/*
 * A list of chunks, written from the front. A chunk is either a block, to which bytes are
 * appended while it is the last and has room, or a body, which is somebody else's bytes. A block
 * that was written whole is used again if it is the only chunk, so that an outbox which keeps up
 * with its messages does not allocate.
 */

/* The room of a block. */
#define BLOCK_SIZE ((gsize) 16 * 1024)

/* How many chunks one system call writes. */
#define MAX_VECTORS 64

/* A system call writes no more than this on Linux, and refuses more than the largest ssize_t. */
#define MAX_WRITE ((gsize) G_MAXINT32 & ~(gsize) 0xfff)

typedef struct _Chunk Chunk;

struct _Chunk
{
  Chunk *next;        /* (owned) (nullable) */
  GBytes *body;       /* (owned) (nullable): NULL for a block */
  const guint8 *data; /* (unowned): inside @body or @room */
  gsize start;        /* what comes before was written */
  gsize end;
  gsize size; /* of @room */
  guint8 room[];
};

struct _DrayOutbox
{
  Chunk *first; /* (owned) (nullable) */
  Chunk *last;  /* (unowned) (nullable) */
  gsize size;   /* of what is not written, in bytes */
};

static void
chunk_free (Chunk *chunk)
{
  g_clear_pointer (&chunk->body, g_bytes_unref);
  g_free (chunk);
}

DrayOutbox *
dray_outbox_new (void)
{
  return g_new0 (DrayOutbox, 1);
}

void
dray_outbox_free (DrayOutbox *self)
{
  dray_outbox_clear (self);
  g_free (self);
}

void
dray_outbox_clear (DrayOutbox *self)
{
  while (self->first != NULL)
    {
      Chunk *chunk = self->first;

      self->first = chunk->next;
      chunk_free (chunk);
    }

  self->last = NULL;
  self->size = 0;
}

static Chunk *
append_chunk (DrayOutbox *self, gsize size)
{
  Chunk *chunk = g_malloc (sizeof (Chunk) + size);

  chunk->next = NULL;
  chunk->body = NULL;
  chunk->data = chunk->room;
  chunk->start = chunk->end = 0;
  chunk->size = size;

  if (self->last != NULL)
    self->last->next = chunk;
  else
    self->first = chunk;
  self->last = chunk;

  return chunk;
}

static void
append_bytes (DrayOutbox *self, const guint8 *bytes, gsize length)
{
  Chunk *chunk = self->last;

  if (length == 0)
    return;

  if (chunk == NULL || length > chunk->size - chunk->end)
    chunk = append_chunk (self, MAX (length, BLOCK_SIZE));

  memcpy (chunk->room + chunk->end, bytes, length);
  chunk->end += length;
  self->size += length;
}

/* Takes @body. */
static void
append_body (DrayOutbox *self, GBytes *body)
{
  Chunk *chunk = append_chunk (self, 0);

  chunk->body = body;
  chunk->data = g_bytes_get_data (body, &chunk->end);
  chunk->size = chunk->end;
  self->size += chunk->end;
}

void
dray_outbox_push (DrayOutbox *self, DrayMessage *message)
{
  append_bytes (self, dray_message_get_head (message), message->head_length);
  if (message->body != NULL)
    append_body (self, g_steal_pointer (&message->body));
  append_bytes (self, dray_message_get_tail (message), message->tail_length);
  dray_message_clear (message);
}

gboolean
dray_outbox_is_empty (DrayOutbox *self)
{
  return self->size == 0;
}

gsize
dray_outbox_get_size (DrayOutbox *self)
{
  return self->size;
}

/* Returns: the number of vectors that were filled in */
static int
gather (DrayOutbox *self, struct iovec vectors[static MAX_VECTORS])
{
  gsize room = MAX_WRITE;
  int n_vectors = 0;

  for (Chunk *chunk = self->first; chunk != NULL && n_vectors < MAX_VECTORS && room > 0;
       chunk = chunk->next)
    {
      gsize length = MIN (chunk->end - chunk->start, room);

      vectors[n_vectors].iov_base = (gpointer) (chunk->data + chunk->start);
      vectors[n_vectors].iov_len = length;
      n_vectors++;
      room -= length;
    }

  return n_vectors;
}

const guint8 *
dray_outbox_peek (DrayOutbox *self, gsize *size)
{
  Chunk *chunk = self->first;

  /* An empty body is nothing to be written. */
  while (chunk != NULL && chunk->start == chunk->end)
    chunk = chunk->next;

  *size = chunk != NULL ? chunk->end - chunk->start : 0;
  return chunk != NULL ? chunk->data + chunk->start : NULL;
}

/* Lets go of the first @n_bytes. */
void
dray_outbox_drop (DrayOutbox *self, gsize n_bytes)
{
  self->size -= n_bytes;

  while (self->first != NULL)
    {
      Chunk *chunk = self->first;
      gsize dropped = MIN (n_bytes, chunk->end - chunk->start);

      chunk->start += dropped;
      n_bytes -= dropped;
      if (chunk->start < chunk->end)
        return;

      if (chunk == self->last && chunk->body == NULL && chunk->size == BLOCK_SIZE)
        {
          chunk->start = chunk->end = 0;
          return;
        }

      self->first = chunk->next;
      if (self->first == NULL)
        self->last = NULL;
      chunk_free (chunk);
    }
}

gboolean
dray_outbox_flush (DrayOutbox *self, int fd, gsize *written, GError **error)
{
  gsize total = 0;
  gboolean ok = TRUE;

  while (self->size > 0)
    {
      struct iovec vectors[MAX_VECTORS];
      int n_vectors = gather (self, vectors);
      gssize n_bytes = writev (fd, vectors, n_vectors);

      if (n_bytes > 0)
        {
          dray_outbox_drop (self, n_bytes);
          total += n_bytes;
        }
      else if (n_bytes == 0 || errno == EAGAIN)
        {
          break;
        }
      else if (errno != EINTR)
        {
          dray_set_error_errno (error, errno, _("Could not write to the other side"));
          ok = FALSE;
          break;
        }
    }

  if (written != NULL)
    *written = total;
  return ok;
}
