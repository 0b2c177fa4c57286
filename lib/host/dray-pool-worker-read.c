/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-pool-worker-private.h"

#include <errno.h>
#include <unistd.h>

/*
 * Where a worker is heard: its output pipe; or, once it is ready and where both sides have it, the
 * ring, of which the pipe is the bell then.
 *
 * A ring that is found empty is slept on, as a rule: the worker rings when it writes. But as long
 * as it has more tasks ahead, or streams, it will write soon; then it is looked at again in the
 * next turn, after the thread's rest, and the worker need not ring at all. A look that finds
 * nothing ends that; or, in the midst of a frame, looks that find nothing for a while.
 */

/* How many reads one turn of the loop does for one worker. */
#define MAX_READS 8

/* FALSE: there is nothing more to be had here. */
static gboolean
take (DrayPoolWorker *self, gsize n_read)
{
  gboolean open;

  dray_process_note_read (&self->process, n_read);
  dray_decoder_take (self->decoder, n_read);
  open = dray_pool_worker_hear_all (self);
  dray_pool_worker_measure (self);
  dray_pool_worker_update_reading (self);

  dray_pool_lock (self->pool);
  self->pool->counters.bytes_in += n_read;
  dray_pool_unlock (self->pool);

  return open;
}

static gboolean
read_pipe (DrayPoolWorker *self)
{
  gboolean uses_ring = self->uses_ring;

  for (guint i = 0; i < MAX_READS && self->process.reading && self->uses_ring == uses_ring; i++)
    {
      gsize size;
      guint8 *space = dray_decoder_get_space (self->decoder, &size);
      gssize n_read = read (self->process.output_fd, space, size);

      if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
        break;
      if (n_read <= 0 || !take (self, (gsize) n_read))
        return FALSE;
      if ((gsize) n_read < size)
        break;
    }

  return TRUE;
}

/* --- The ring --- */

void
dray_pool_worker_settle_ring (DrayPoolWorker *self, gboolean uses_ring)
{
  if (!uses_ring)
    {
      g_clear_pointer (&self->ring, dray_ring_free);
      return;
    }

  /* What was read from the pipe behind this message was the bell. */
  dray_decoder_free (self->decoder);
  self->decoder = dray_decoder_new (self->max_message_size);
  self->uses_ring = TRUE;
  dray_io_watch_set_again (&self->process.output, TRUE);
}

gsize
dray_pool_worker_count_unread (DrayProcess *process)
{
  DrayPoolWorker *self = (DrayPoolWorker *) process;

  return self->uses_ring ? dray_ring_count_unread (self->ring) : dray_process_count_piped (process);
}

/* FALSE: nobody can ring any more. A worker that rings without end is to have more work with that
 * than this process has, so there is room for many. */
static gboolean
hear_bell (DrayPoolWorker *self)
{
  guint8 bells[4096];
  gssize n_read = read (self->process.output_fd, bells, sizeof bells);

  return n_read > 0 || (n_read < 0 && (errno == EAGAIN || errno == EINTR));
}

static gboolean
is_expected_to_write (DrayPoolWorker *self)
{
  return self->is_dense || !g_queue_is_empty (&self->ahead);
}

/* It is just now writing a frame. */
static gboolean
is_about_to_write (DrayPoolWorker *self)
{
  return dray_decoder_has_partial (self->decoder)
         && g_get_monotonic_time () - self->read_at < DRAY_RING_LOOK;
}

static gboolean
read_ring (DrayPoolWorker *self, gboolean again)
{
  gboolean empty = FALSE;
  gboolean has_bell;
  guint n_reads;

  for (n_reads = 0; n_reads < MAX_READS && self->process.reading && !empty; n_reads++)
    {
      g_autoptr (GError) error = NULL;
      gsize size;
      guint8 *space = dray_decoder_get_space (self->decoder, &size);
      gssize n_read = dray_ring_read (self->ring, space, size, &error);

      if (n_read < 0)
        {
          dray_pool_worker_fail (self, g_steal_pointer (&error));
          return FALSE;
        }
      empty = n_read == 0;
      if (!empty && !take (self, (gsize) n_read))
        return FALSE;
    }

  /* Somebody waits for what was in the ring, and nobody for this. What it may have written since,
   * and before its end, is there. */
  has_bell = again || hear_bell (self);
  if (!has_bell && empty && dray_ring_count_unread (self->ring) == 0)
    return FALSE;

  if (self->process.reading)
    dray_io_watch_set_again (&self->process.output,
                             !empty || (n_reads > 1 && is_expected_to_write (self))
                               || is_about_to_write (self) || !dray_ring_sleep (self->ring));
  return TRUE;
}

void
dray_pool_worker_hear_soon (DrayPoolWorker *self)
{
  if (self->uses_ring && self->process.reading)
    dray_io_watch_set_again (&self->process.output, TRUE);
}

gboolean
dray_pool_worker_can_be_overheard (DrayPoolWorker *self)
{
  return self->uses_ring && self->state == DRAY_POOL_WORKER_READY && self->process.reading
         && g_queue_is_empty (&self->ahead) && !dray_process_is_ending (&self->process);
}

gboolean
dray_pool_worker_overhear (DrayPoolWorker *self)
{
  g_autoptr (GError) error = NULL;
  gsize size;
  guint8 *space = dray_decoder_get_space (self->decoder, &size);
  gssize n_read = dray_ring_read (self->ring, space, size, &error);

  if (error != NULL)
    dray_pool_worker_fail (self, g_steal_pointer (&error));

  if (n_read >= 0 && (n_read == 0 || take (self, (gsize) n_read))
      && (!self->process.reading || dray_ring_sleep (self->ring)))
    {
      dray_pool_worker_note_room (self);
      return TRUE;
    }

  dray_pool_worker_hear_soon (self);
  return FALSE;
}

gboolean
dray_pool_worker_read_output (DrayProcess *process, gboolean again)
{
  DrayPoolWorker *self = (DrayPoolWorker *) process;
  gboolean open;

  /* Somebody who stood in has heard it break the protocol, and nobody hears it any more. */
  if (self->state == DRAY_POOL_WORKER_FAILED)
    return FALSE;

  open = self->uses_ring ? read_ring (self, again) : read_pipe (self);
  dray_pool_worker_note_room (self);
  if (open)
    dray_pool_dispatch (self->pool);
  return open;
}
