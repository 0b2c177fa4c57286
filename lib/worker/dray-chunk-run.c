/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-chunk-run.h"

#include "dray-link-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

/*
 * When outcomes are sent
 *
 * Tiny calls must not cost a system call each, and nobody shall wait for an outcome that is there.
 * So outcomes are packed until the first of them is FLUSH_AGE old, or the call just made took that
 * long, or there are FLUSH_BYTES of them; and when the chunk is over. This is looked at between
 * calls. During a call it is the watcher who does, when the call lasts for long (a millisecond).
 *
 * What was packed but not sent must not be lost if the process dies: nobody could tell then which
 * calls were run. So it is packed into the ledger, memory which the host sees, too. Where there is
 * none, each outcome is sent at once.
 *
 * What is given back
 *
 * The host made the chunk as large as suited the calls before. If these take longer, those behind
 * had better run elsewhere. So when the chunk has taken BUDGET, or its outcomes OUTPUT_BUDGET, or
 * when one call takes long, the calls that were not begun are given back, with the outcomes that
 * are sent then. A chunk that was cancelled gives them back too, and the host knows what to do.
 *
 * Who does it
 *
 * The main thread, and the watcher in a call that takes long; both under @lock, which is held
 * while something is written, so that outcomes keep their order.
 */

/* In µs. */
#define FLUSH_AGE 500
#define BUDGET 5000
/* In bytes. */
#define FLUSH_BYTES ((gsize) 16 * 1024)
#define OUTPUT_BUDGET ((gsize) 1024 * 1024)
/* What a frame takes at most beside the one value that is in it. */
#define OVERHEAD ((gsize) 32)

struct _DrayChunkRun
{
  gatomicrefcount ref_count;

  /* set at construction */
  DrayLink *link;  /* (owned) */
  DrayCall *calls; /* (owned): the chunk */
  gint64 begin;    /* monotonic, µs */

  GMutex lock; /* may be held when one of the link's is taken, never the other way round */

  /* protected by the lock */
  DrayOutcomesWriter writer; /* in @ledger, or in memory of its own */
  DrayLedger *ledger;        /* (unowned) (nullable): the link's */
  guint n_calls;             /* that were not given back */
  guint n_begun;
  gsize output;    /* bytes of all outcomes */
  gint64 measured; /* up to when the time of calls was reported */
  gint64 oldest;   /* when the first that is packed was */
  gint64 last;     /* when the last call ended */
  gboolean over;
};

/* What is sent through the ring is safe there; before that it is in the ledger. */
static void
choose_memory (DrayChunkRun *self)
{
  if (self->link->uses_ring)
    self->ledger = dray_ring_get_ledger (self->link->ring);
  self->writer.records.grows = self->ledger == NULL;
  if (self->ledger == NULL)
    return;

  dray_ledger_begin (self->ledger, self->calls->task_id, self->calls->attempt);
  self->writer.records.data = self->ledger->records;
  self->writer.records.space = MIN (DRAY_LEDGER_SPACE, DRAY_FRAME_MAX_CONTROL / 2);
}

DrayChunkRun *
dray_chunk_run_new (DrayLink *link, DrayCall *calls)
{
  DrayChunkRun *self = g_new0 (DrayChunkRun, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->link = dray_link_ref (link);
  self->calls = calls;
  self->n_calls = calls->chunk->n_calls;
  self->begin = self->measured = self->last = g_get_monotonic_time ();
  g_mutex_init (&self->lock);
  choose_memory (self);

  /* From here on the watcher may do something with it. */
  g_mutex_lock (&link->lock);
  link->chunk_run = self;
  /* A new phase: one who has begun to read since the chunk was taken, and found no run to look
   * after, has to begin anew. */
  dray_link_begin_locked (link, calls);
  if (link->watcher_reads)
    dray_link_kick_watcher (link);
  g_mutex_unlock (&link->lock);

  return self;
}

void
dray_chunk_run_unref (DrayChunkRun *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  dray_outcomes_writer_reset (&self->writer);
  dray_records_clear (&self->writer.records);
  g_mutex_clear (&self->lock);
  dray_call_free (self->calls);
  dray_link_unref (self->link);
  g_free (self);
}

/* --- Sending --- */

static void
send_locked (DrayChunkRun *self, const DrayRecords *records, guint n_returned)
{
  const DrayFrameHeader header = {
    .task_id = self->calls->task_id,
    .attempt = self->calls->attempt,
  };
  g_auto (DrayMessage) message = { 0 };
  guint64 busy = (guint64) (self->last - self->measured) * 1000;

  /* The watcher may have been faster. */
  if (records->n_records == 0 && n_returned == 0)
    {
      dray_link_finish (self->link, NULL, NULL);
      return;
    }

  dray_outcomes_init_message (&message, &header, records, n_returned, busy);
  self->measured = self->last;
  if (self->over)
    dray_link_finish (self->link, &message, NULL);
  else
    dray_link_send (self->link, NULL, &message, NULL);
}

/* Everything that is packed, and gives back what was not begun if @yield; but not the first call,
 * which is about to begin, unless it is over: the host would not see what was done here. */
static void
flush_locked (DrayChunkRun *self, gboolean yield)
{
  guint n_packed = self->writer.records.n_records;
  guint n_kept = self->over ? self->n_begun : MAX (self->n_begun, 1);
  guint n_returned = yield ? self->n_calls - n_kept : 0;

  if (n_packed == 0 && n_returned == 0 && !self->over)
    return;

  self->n_calls -= n_returned;
  send_locked (self, &self->writer.records, n_returned);
  dray_outcomes_writer_reset (&self->writer);
  if (self->ledger != NULL)
    dray_ledger_move_on (self->ledger, n_packed);
}

/* An outcome that is too large for the ledger goes by itself. */
static void
send_large_locked (DrayChunkRun *self, GVariant *value, GError **error)
{
  DrayOutcomesWriter writer = { .records.grows = TRUE };

  flush_locked (self, FALSE);
  if (dray_outcomes_append_value (&writer, value, error))
    {
      send_locked (self, &writer.records, 0);
      if (self->ledger != NULL)
        dray_ledger_move_on (self->ledger, 1);
    }

  dray_outcomes_writer_reset (&writer);
  dray_records_clear (&writer.records);
}

/* --- Packing --- */

/* What would be too large for a frame of its own is too large here, too. */
static gboolean
check_size (DrayChunkRun *self, GVariant *value, GError **error)
{
  g_autofree char *limit_text = NULL;
  g_autofree char *size_text = NULL;
  gsize limit = dray_link_get_max_payload (self->link);
  gsize size = g_variant_get_size (value) + 1 + strlen (g_variant_get_type_string (value));

  if (size <= limit && size + OVERHEAD <= MAX (limit, DRAY_FRAME_MAX_CONTROL))
    return TRUE;

  size_text = g_format_size_full (size, G_FORMAT_SIZE_LONG_FORMAT);
  limit_text = g_format_size_full (limit, G_FORMAT_SIZE_LONG_FORMAT);
  g_set_error (error, DRAY_ERROR, DRAY_ERROR_TOO_LARGE,
               _("A value takes %s to be sent, which is more than the limit of %s"), size_text,
                  limit_text);
  return FALSE;
}

/* Makes room for @size bytes. FALSE: there never will be. */
static gboolean
make_room_locked (DrayChunkRun *self, gsize size)
{
  DrayRecords *records = &self->writer.records;

  if (records->grows)
    return size <= DRAY_FRAME_MAX_CONTROL / 2;
  if (size > records->space)
    return FALSE;
  if (size > records->space - records->used)
    flush_locked (self, FALSE);
  return TRUE;
}

static gboolean
pack_value_locked (DrayChunkRun *self, GVariant *value, GError **error)
{
  gsize size = dray_outcomes_measure (value);

  self->output += size;
  if (!check_size (self, value, error))
    return FALSE;

  if (make_room_locked (self, size))
    return dray_outcomes_append_value (&self->writer, value, error);

  send_large_locked (self, value, error);
  return *error == NULL;
}

static void
pack_error_locked (DrayChunkRun *self, const GError *error)
{
  g_autoptr (GVariant) encoded = dray_error_encode (error);
  gsize size = dray_record_size (g_variant_get_size (encoded));
  DrayOutcomesWriter writer = { .records.grows = TRUE };

  self->output += size;
  if (make_room_locked (self, size))
    {
      dray_outcomes_append_error (&self->writer, encoded);
      return;
    }

  flush_locked (self, FALSE);
  dray_outcomes_append_error (&writer, encoded);
  send_locked (self, &writer.records, 0);
  if (self->ledger != NULL)
    dray_ledger_move_on (self->ledger, 1);
  dray_records_clear (&writer.records);
}

static void
pack_locked (DrayChunkRun *self, GVariant *value, const GError *error)
{
  g_autoptr (GVariant) nothing = NULL;
  g_autoptr (GError) failure = NULL;

  if (error == NULL && value == NULL)
    value = nothing = g_variant_ref_sink (g_variant_new_tuple (NULL, 0));
  if (error == NULL && pack_value_locked (self, value, &failure))
    return;

  pack_error_locked (self, error != NULL ? error : failure);
}

/* Handlers of the call that is over must not hear of the next one's end. */
static void
renew_cancellable (DrayChunkRun *self)
{
  g_autoptr (GCancellable) old = NULL;

  g_mutex_lock (&self->link->lock);
  if (!self->calls->cancelled)
    {
      old = g_steal_pointer (&self->calls->cancellable);
      self->calls->cancellable = g_cancellable_new ();
    }
  g_mutex_unlock (&self->link->lock);
}

void
dray_chunk_run_add (DrayChunkRun *self, GVariant *value, GError *error, gboolean exposed)
{
  const DrayRecords *records = &self->writer.records;
  gint64 now = g_get_monotonic_time ();
  gboolean slow, yield;

  if (exposed)
    renew_cancellable (self);

  g_mutex_lock (&self->lock);
  slow = now - self->last >= FLUSH_AGE;
  self->last = now;
  if (records->n_records == 0)
    self->oldest = now;
  pack_locked (self, value, error);
  if (self->ledger != NULL)
    dray_ledger_set_content (self->ledger, records->n_records, records->used);

  yield = now - self->begin >= BUDGET || self->output >= OUTPUT_BUDGET;
  if (self->n_begun < self->n_calls
      && (slow || yield || self->ledger == NULL || now - self->oldest >= FLUSH_AGE
          || records->used >= FLUSH_BYTES))
    flush_locked (self, yield);
  g_mutex_unlock (&self->lock);
}

/* --- Running --- */

/* A phase of its own, so that the watcher sees which call is long. FALSE: nobody wants the rest. */
static gboolean
begin_call_locked (DrayChunkRun *self, DrayCall *call)
{
  DrayLink *link = self->link;
  gboolean wanted;

  g_mutex_lock (&link->lock);
  wanted = link->state < DRAY_LINK_HUNG_UP && !self->calls->cancelled;
  if (wanted)
    {
      call->cancellable = g_object_ref (self->calls->cancellable);
      dray_link_begin_locked (link, self->calls);
    }
  g_mutex_unlock (&link->lock);

  return wanted;
}

static void
finish (DrayChunkRun *self)
{
  g_mutex_lock (&self->link->lock);
  self->link->chunk_run = NULL;
  g_mutex_unlock (&self->link->lock);

  g_mutex_lock (&self->lock);
  self->over = TRUE;
  flush_locked (self, TRUE);
  g_mutex_unlock (&self->lock);
}

DrayCall *
dray_chunk_run_next (DrayChunkRun *self)
{
  DrayChunk *chunk = self->calls->chunk;
  DrayCall *call = g_new0 (DrayCall, 1);
  gboolean begun;

  g_mutex_lock (&self->lock);
  begun = self->n_begun < self->n_calls && begin_call_locked (self, call);
  if (begun)
    call->task_id = self->calls->task_id + self->n_begun++;
  g_mutex_unlock (&self->lock);

  if (!begun)
    {
      g_free (call);
      finish (self);
      return NULL;
    }

  call->attempt = self->calls->attempt;
  call->function = g_strdup (chunk->function);
  call->arguments = dray_chunk_next (chunk);
  call->quiet = TRUE;
  return call;
}

void
dray_chunk_run_yield_locked (DrayLink *link)
{
  DrayChunkRun *self = link->chunk_run;

  if (self == NULL)
    return;

  g_atomic_ref_count_inc (&self->ref_count);
  g_mutex_unlock (&link->lock);

  g_mutex_lock (&self->lock);
  if (!self->over)
    flush_locked (self, TRUE);
  g_mutex_unlock (&self->lock);
  dray_chunk_run_unref (self);

  g_mutex_lock (&link->lock);
}
