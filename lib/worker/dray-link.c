/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-link-private.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Who reads
 *
 * While no user code runs, the main thread reads the channel itself and blocks in read(): a call
 * costs no hop from thread to thread. While user code runs, somebody else must notice a cancel
 * frame and the end of the file. That is the watcher, a thread that starts with the first phase
 * of user code. Telling it of every phase would cost each tiny call a wake-up; so it looks for
 * itself, a millisecond later, and only then takes over:
 *
 *   the watcher is  what it does             it goes on when                      and is then
 *   armed           waits for a millisecond  that is over, one phase lasted all   reading
 *                                            the while
 *                                            … another phase has begun            armed again
 *                                            … nothing has happened               asleep
 *   asleep          waits for a phase        a phase begins (which wakes it)      armed
 *   reading         blocks in poll()         it read something (or was kicked),   armed
 *                                            and that phase is over
 *   (any of these)                           the host is gone                     parting
 *   parting         waits for run() to end   stop()                               gone
 *                                            the grace period is over             killing us all
 *
 * Thus a worker that idles wakes up for nothing, and a stream of tiny calls costs one wake-up in a
 * millisecond. A call that ends while the watcher is reading leaves it there: the main thread
 * takes what is in the queue, or waits for the watcher to put something there. That one call is
 * handed over from thread to thread, and the watcher gives the reading back with it.
 *
 * Only the holder of the reading role touches the decoder and reads: the watcher where
 * @watcher_reads is set, else the main thread while it is inside greet() or next(), where @busy is
 * not set; the watcher takes the role only while @busy is. Both are looked at and changed under
 * @lock, and every wait is a loop over its condition under the same lock; so the two never read at
 * once, and no wake-up is lost. The role is given up with the decoder drained: what was read has
 * been dealt with.
 *
 * The host is gone when its end of the input is closed and it did not say goodbye before, or when
 * nobody can read our output any more. After a goodbye only the latter counts: what the host has
 * closed then, it has no more use for, and calls that wait are run in peace.
 *
 * The watcher never runs code of the user's: a call is cancelled from a thread that is started for
 * it, since handlers may be connected, which may hang. What is watched for is noticed all the same.
 *
 * What is sent
 *
 * Any thread writes, under @send_lock, blocking: a host that does not read makes the job wait,
 * and that is the flow control. The watcher writes in the same way (it says which calls were
 * returned). While it has to wait it reads nothing: that the host is gone is heard from the write,
 * or, where that waits for room in the ring, by looking for it now and then.
 *
 * An item is written only while its call is the running one, and that is looked up with @send_lock
 * held: none can come after the outcome of its call. Calls that are returned because the running
 * one was cancelled are told before that one's outcome; so the host knows, once it has read the
 * outcome, that a call which was not returned by then is the one that runs now.
 */

/* How long to wait for room in the ring before it is looked whether the host is still there. Nobody
 * else may see that: the watcher may be the one that waits, or wait for the one. In µs. */
#define ROOM_PATIENCE (G_TIME_SPAN_SECOND / 2)

void
dray_call_free (DrayCall *call)
{
  g_free (call->function);
  g_clear_pointer (&call->arguments, g_variant_unref);
  g_clear_pointer (&call->chunk, dray_chunk_free);
  g_clear_object (&call->cancellable);
  g_clear_object (&call->attachments);
  g_clear_error (&call->failure);
  g_free (call);
}

static void
free_calls (GQueue *calls)
{
  g_queue_clear_full (calls, (GDestroyNotify) dray_call_free);
}

void
dray_link_kick_watcher (DrayLink *self)
{
  const guint64 one = 1;
  gssize n_written;

  do
    n_written = write (self->kick_fd, &one, sizeof one);
  while (n_written < 0 && errno == EINTR);
}

void
dray_link_advance (DrayLink *self, DrayLinkState state)
{
  GQueue dropped = G_QUEUE_INIT;

  g_mutex_lock (&self->lock);
  if (state > self->state)
    {
      if (state >= DRAY_LINK_HUNG_UP && self->state < DRAY_LINK_HUNG_UP)
        {
          self->deadline = g_get_monotonic_time () + DRAY_LINK_END_GRACE;
          dray_calls_move (&self->waiting, &dropped);
          dray_link_kick_watcher (self);
          g_cond_signal (&self->watcher_cond);
          if (self->ring != NULL)
            dray_ring_interrupt (self->ring);
        }
      self->state = state;
      g_cond_signal (&self->main_cond);
    }
  g_mutex_unlock (&self->lock);

  free_calls (&dropped);
}

/* Sending */

/* FALSE: nobody reads any more. */
static gboolean
ring_bell (DrayLink *self)
{
  gssize n_written;

  do
    n_written = write (self->out_fd, "", 1);
  while (n_written < 0 && errno == EINTR);

  /* A bell that is still ringing will do. */
  return n_written == 1 || errno == EAGAIN;
}

static gboolean
is_output_unread (DrayLink *self)
{
  struct pollfd fd = { .fd = self->out_fd };

  return poll (&fd, 1, 0) > 0 && (fd.revents & POLLERR) != 0;
}

/* @size: of what there is to write. FALSE: there will be none. */
static gboolean
wait_for_room (DrayLink *self, gsize size)
{
  if (size >= DRAY_RING_PIECE && dray_ring_look_for_room (self->ring))
    return TRUE;

  while (!dray_ring_wait (self->ring, ROOM_PATIENCE))
    if (dray_ring_is_interrupted (self->ring) || is_output_unread (self))
      return FALSE;

  return TRUE;
}

static gboolean
flush_into_ring_locked (DrayLink *self)
{
  const guint8 *bytes;
  gsize size;

  while ((bytes = dray_outbox_peek (self->outbox, &size)) != NULL)
    {
      gsize n_written = dray_ring_write (self->ring, bytes, MIN (size, DRAY_RING_PIECE));

      if (n_written > 0)
        dray_outbox_drop (self->outbox, n_written);
      if (n_written > 0 && n_written < DRAY_RING_PIECE)
        continue;

      /* The reader may have it, or has to make room. */
      if (dray_ring_publish (self->ring) && !ring_bell (self))
        return FALSE;
      if (n_written == 0 && !wait_for_room (self, size))
        return FALSE;
    }

  return !dray_ring_publish (self->ring) || ring_bell (self);
}

static gboolean
flush_into_pipe_locked (DrayLink *self)
{
  while (!dray_outbox_is_empty (self->outbox))
    {
      struct pollfd writable = { .fd = self->out_fd, .events = POLLOUT };

      if (!dray_outbox_flush (self->outbox, self->out_fd, NULL, NULL))
        return FALSE;

      /* Only where somebody handed us a descriptor that does not block. */
      if (!dray_outbox_is_empty (self->outbox))
        poll (&writable, 1, -1);
    }

  return TRUE;
}

static gboolean
flush_locked (DrayLink *self)
{
  gboolean flushed = self->uses_ring ? flush_into_ring_locked (self)
                                     : flush_into_pipe_locked (self);

  if (!flushed)
    dray_outbox_clear (self->outbox);
  return flushed;
}

/* Whether something may be sent now, for @call where that is not NULL; @returned is filled with
 * what has to be sent before. */
static gboolean
may_send (DrayLink *self, const DrayCall *call, GQueue *returned)
{
  gboolean allowed = FALSE;

  g_mutex_lock (&self->lock);
  if (self->state < DRAY_LINK_HUNG_UP)
    {
      dray_calls_move (&self->returned, returned);
      self->telling = !g_queue_is_empty (returned);
      allowed = call == NULL
                || (call == self->running && !g_cancellable_is_cancelled (call->cancellable));
    }
  g_mutex_unlock (&self->lock);

  return allowed;
}

static void
push_returned_locked (DrayLink *self, GQueue *returned)
{
  for (GList *l = returned->head; l != NULL; l = l->next)
    {
      const DrayCall *call = l->data;
      g_auto (DrayMessage) message = { 0 };

      dray_message_init_empty (&message, DRAY_FRAME_RETURNED, call->task_id, call->attempt);
      dray_outbox_push (self->outbox, &message);
    }
}

/* It is written. */
static void
end_telling (DrayLink *self)
{
  g_mutex_lock (&self->lock);
  self->telling = FALSE;
  g_mutex_unlock (&self->lock);
}

gboolean
dray_link_send (DrayLink *self, const DrayCall *call, DrayMessage *message, GError **error)
{
  GQueue returned = G_QUEUE_INIT;
  gboolean allowed, alive, passed;

  g_mutex_lock (&self->send_lock);
  allowed = may_send (self, call, &returned);
  push_returned_locked (self, &returned);
  passed = !allowed || message == NULL || dray_cargo_pass (message, self->passage, error);
  if (allowed && passed && message != NULL)
    dray_outbox_push (self->outbox, message);
  alive = flush_locked (self);
  if (!g_queue_is_empty (&returned))
    end_telling (self);
  g_mutex_unlock (&self->send_lock);

  free_calls (&returned);
  if (passed && message != NULL)
    dray_message_clear (message);
  if (!alive)
    dray_link_advance (self, DRAY_LINK_HUNG_UP);

  return allowed && alive && passed;
}

void
dray_link_send_returned (DrayLink *self)
{
  gboolean any;

  /* Waiting for whoever writes is only worth it if there is something to say. */
  g_mutex_lock (&self->lock);
  any = !g_queue_is_empty (&self->returned);
  g_mutex_unlock (&self->lock);

  if (any)
    dray_link_send (self, NULL, NULL, NULL);
}

/* Life */

DrayLink *
dray_link_new (int in_fd, int out_fd)
{
  DrayLink *self = g_new0 (DrayLink, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->in_fd = in_fd;
  self->out_fd = out_fd;
  self->kick_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  self->decoder = dray_decoder_new (DRAY_LINK_MAX_PAYLOAD);
  self->max_payload = DRAY_LINK_MAX_PAYLOAD;
  self->outbox = dray_outbox_new ();
  g_queue_init (&self->waiting);
  g_queue_init (&self->returned);
  g_mutex_init (&self->send_lock);
  g_mutex_init (&self->lock);
  g_cond_init (&self->main_cond);
  g_cond_init (&self->watcher_cond);

  return self;
}

DrayLink *
dray_link_ref (DrayLink *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

void
dray_link_unref (DrayLink *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  free_calls (&self->waiting);
  free_calls (&self->returned);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_clear_pointer (&self->passage, dray_passage_free);
  g_clear_pointer (&self->shelf, dray_shelf_unref);
  dray_decoder_free (self->decoder);
  dray_outbox_free (self->outbox);
  g_clear_pointer (&self->ring, dray_ring_free);
  g_cond_clear (&self->watcher_cond);
  g_cond_clear (&self->main_cond);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->send_lock);
  close (self->in_fd);
  close (self->out_fd);
  if (self->kick_fd >= 0)
    close (self->kick_fd);
  g_free (self);
}

DrayLinkState
dray_link_get_state (DrayLink *self)
{
  DrayLinkState state;

  g_mutex_lock (&self->lock);
  state = self->state;
  g_mutex_unlock (&self->lock);

  return state;
}

gboolean
dray_link_is_host_gone (DrayLink *self)
{
  return dray_link_get_state (self) == DRAY_LINK_HUNG_UP || is_output_unread (self);
}

gboolean
dray_link_greet (DrayLink *self)
{
  const DrayHello hello = {
    .role = DRAY_ROLE_WORKER,
    .version = DRAY_PROTOCOL_VERSION,
    .pid = getpid (),
  };
  g_auto (DrayMessage) message = { 0 };

  dray_message_init_hello (&message, &hello);
  dray_link_send (self, NULL, &message, NULL);

  while (!self->greeted && dray_link_get_state (self) < DRAY_LINK_HUNG_UP)
    dray_link_read (self);

  return dray_link_get_state (self) < DRAY_LINK_HUNG_UP;
}

void
dray_link_send_ready (DrayLink *self)
{
  const DrayFrameHeader header = {
    .type = DRAY_FRAME_READY,
    .flags = self->ring != NULL ? DRAY_FRAME_FLAG_RING : 0,
  };
  g_auto (DrayMessage) message = { 0 };
  gboolean alive;

  dray_message_init_header (&message, &header);

  /* Whatever is sent next is looked for in the ring. */
  g_mutex_lock (&self->send_lock);
  dray_outbox_push (self->outbox, &message);
  alive = flush_locked (self);
  self->uses_ring = self->ring != NULL;
  g_mutex_unlock (&self->send_lock);

  if (!alive)
    dray_link_advance (self, DRAY_LINK_HUNG_UP);
}

gsize
dray_link_get_max_payload (DrayLink *self)
{
  return self->max_payload;
}

GVariant *
dray_link_steal_arguments (DrayLink *self)
{
  return g_steal_pointer (&self->arguments);
}

void
dray_link_begin (DrayLink *self)
{
  g_mutex_lock (&self->lock);
  dray_link_begin_locked (self, NULL);
  g_mutex_unlock (&self->lock);
}

static void
wait_for_call_locked (DrayLink *self)
{
  while (g_queue_is_empty (&self->waiting) && self->state == DRAY_LINK_OPEN)
    {
      if (self->watcher_reads)
        {
          g_cond_wait (&self->main_cond, &self->lock);
          continue;
        }

      g_mutex_unlock (&self->lock);
      dray_link_read (self);
      g_mutex_lock (&self->lock);
    }
}

/* Where the host has shut the gate, it may be about to end this process because of an earlier call:
 * what waits is better off elsewhere. */
static gboolean
may_begin (DrayLink *self, const DrayCall *call)
{
  return self->ring == NULL || dray_ring_begin (self->ring, call->task_id);
}

/* A call that the host does not know to be returned is the one that it takes for the running one.
 * Nothing goes through the gate before it has been told, or it would give back to others what runs
 * here already. */
static gboolean
is_ahead_of_its_words_locked (DrayLink *self)
{
  return self->telling || !g_queue_is_empty (&self->returned);
}

DrayCall *
dray_link_next (DrayLink *self)
{
  DrayCall *call = NULL;

  g_mutex_lock (&self->lock);

  self->busy = FALSE;
  for (;;)
    {
      wait_for_call_locked (self);
      call = self->state < DRAY_LINK_HUNG_UP ? g_queue_peek_head (&self->waiting) : NULL;
      if (call == NULL)
        break;
      if (!is_ahead_of_its_words_locked (self))
        {
          if (may_begin (self, call))
            break;
          dray_calls_move (&self->waiting, &self->returned);
        }

      /* This waits for whoever is writing. */
      g_mutex_unlock (&self->lock);
      dray_link_send (self, NULL, NULL, NULL);
      g_mutex_lock (&self->lock);
    }

  if (call != NULL)
    {
      g_queue_pop_head (&self->waiting);
      dray_link_begin_locked (self, call);
    }

  g_mutex_unlock (&self->lock);

  return call;
}

void
dray_link_finish (DrayLink *self, DrayMessage *outcome, GError **error)
{
  g_mutex_lock (&self->lock);
  self->running = NULL;
  g_mutex_unlock (&self->lock);

  dray_link_send (self, NULL, outcome, error);
}

void
dray_link_stop (DrayLink *self)
{
  const gint64 end = g_get_monotonic_time () + DRAY_LINK_END_GRACE;
  gboolean in_time = TRUE;
  GThread *watcher;

  g_mutex_lock (&self->lock);
  self->busy = FALSE;
  self->stopping = TRUE;
  dray_link_kick_watcher (self);
  g_cond_signal (&self->watcher_cond);

  /* Nothing keeps them, but a “cancelled” handler of the user's may. */
  watcher = g_steal_pointer (&self->watcher);
  while (self->n_threads > 0 && in_time)
    in_time = g_cond_wait_until (&self->main_cond, &self->lock, end);
  g_mutex_unlock (&self->lock);

  if (watcher != NULL && in_time)
    g_thread_join (watcher);
  else if (watcher != NULL)
    g_thread_unref (watcher);
}
