/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-future-private.h"

#include "dray-delivery.h"
#include "dray-enum-types.h"
#include "dray-flow.h"
#include "dray-pool.h"
#include "dray-pull.h"

/**
 * DrayFuture:
 *
 * The handle of a submitted task.
 *
 * A future is pending, then running, then exactly one of succeeded, failed and cancelled. What
 * the task produces meanwhile arrives through [signal@Future::item] and
 * [signal@Future::progressed], in order, and before the end is told; or it is pulled, by whoever
 * wants the next item: see [method@Task.set_pull].
 *
 * ## Ownership
 *
 * Whoever submitted the task owns the future. Dropping the last reference does not cancel the
 * task; it says that nobody wants to hear of it any more, so what it still sends is dropped. A
 * done callback keeps the future alive until it was called.
 *
 * ## Threads
 *
 * All methods may be called on any thread. Signals, property notifications and callbacks come in
 * the main context that was the thread's default when the task was submitted, which must be
 * iterated for them to come at all. [method@Future.wait] needs no main context: it can be used on
 * any thread, the main thread included, and inside callbacks.
 *
 * ## Combined futures
 *
 * [func@Future.all], [func@Future.all_race], [func@Future.any] and [func@Future.first] make one
 * future of many, which belongs to no executor: it has no task, its number is 0, and it stays
 * pending until it is done. All else is as with any other future, [method@Future.wait] included,
 * and it can be a part of another. [method@Future.and_then] makes one of a task that comes after.
 * Cancelling any of them cancels the parts that are not done, but for those that another such
 * future waits for, too.
 *
 * ## Errors
 *
 * The error of a failed future is the one that the function in the worker returned, with its own
 * domain and code, or one of %DRAY_ERROR, %G_SPAWN_EXIT_ERROR and %DRAY_SIGNAL_ERROR, or
 * %G_IO_ERROR_TOO_MANY_OPEN_FILES where there was no descriptor for a large value or for open files.
 * A cancelled one has %G_IO_ERROR_CANCELLED.
 *
 * ## Example
 *
 * ```c
 * static void
 * on_done (DrayFuture *future, gpointer user_data)
 * {
 *   g_autoptr (GError) error = NULL;
 *   g_autoptr (GVariant) result = dray_future_dup_result (future, &error);
 *
 *   if (result == NULL)
 *     g_warning ("%s", error->message);
 *   else
 *     g_print ("%s\n", g_variant_get_string (result, NULL));
 * }
 *
 * g_autoptr (DrayFuture) future = dray_executor_call (executor, "checksum",
 *                                                     g_variant_new ("(s)", path));
 * dray_future_add_done_callback (future, on_done, NULL, NULL);
 * ```
 *
 * Since: 0.1
 */

struct _DrayFuture
{
  GObject parent_instance;

  /* set at construction */
  DrayTicket *ticket; /* (owned) (nullable): if it is not real */
};

enum
{
  PROP_ID = 1,
  PROP_TASK,
  PROP_STATE,
  PROP_PROGRESS,
  PROP_STATUS,
  N_PROPERTIES,
};

enum
{
  SIGNAL_ITEM,
  SIGNAL_PROGRESSED,
  N_SIGNALS,
};

static GParamSpec *properties[N_PROPERTIES];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (DrayFuture, dray_future, G_TYPE_OBJECT)

/* Where the ticket loses its only way to here; see deliver_one_locked() for why it is safe. */
static void
leave_ticket (DrayFuture *self)
{
  DrayTicket *ticket = self->ticket;
  DrayEvent *events = NULL;
  g_autoptr (GPtrArray) items = NULL;
  gboolean was_in_delivery = FALSE;
  gboolean was_closed;

  dray_pool_lock (ticket->pool);
  if (ticket->future == self && ticket->kept_future == NULL)
    {
      ticket->future = NULL;
      events = dray_ticket_drop_events_locked (ticket);
      if (ticket->pull != NULL)
        items = dray_pull_take_locked (ticket, 0);
      was_in_delivery = dray_delivery_remove_ticket_locked (ticket->delivery, ticket);

      /* What it still sends is dropped, so that it may be read. */
      dray_flow_changed_locked (ticket);
    }
  was_closed = ticket->pool->closed;
  dray_pool_unlock (ticket->pool);

  dray_event_free_all (events);
  if (was_in_delivery && was_closed)
    dray_delivery_look_for_end (ticket->delivery);
  if (was_in_delivery)
    dray_ticket_unref (ticket);
}

static void
dray_future_dispose (GObject *object)
{
  if (dray_future_is_real (DRAY_FUTURE (object)))
    leave_ticket (DRAY_FUTURE (object));

  G_OBJECT_CLASS (dray_future_parent_class)->dispose (object);
}

static void
dray_future_finalize (GObject *object)
{
  g_clear_pointer (&DRAY_FUTURE (object)->ticket, dray_ticket_unref);

  G_OBJECT_CLASS (dray_future_parent_class)->finalize (object);
}

static void
dray_future_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  DrayFuture *self = DRAY_FUTURE (object);

  switch (id)
    {
    case PROP_ID:
      g_value_set_uint64 (value, dray_future_get_id (self));
      break;
    case PROP_TASK:
      g_value_set_boxed (value, dray_future_get_task (self));
      break;
    case PROP_STATE:
      g_value_set_enum (value, dray_future_get_state (self));
      break;
    case PROP_PROGRESS:
      g_value_set_double (value, dray_future_get_progress (self));
      break;
    case PROP_STATUS:
      g_value_take_string (value, dray_future_dup_status (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
dray_future_class_init (DrayFutureClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->dispose = dray_future_dispose;
  object_class->finalize = dray_future_finalize;
  object_class->get_property = dray_future_get_property;

  /**
   * DrayFuture:id: (getter get_id)
   *
   * The number of the task, unique within its executor, counted from 1; 0 for a combined future.
   *
   * Since: 0.1
   */
  properties[PROP_ID] = g_param_spec_uint64 ("id", NULL, NULL, 0, G_MAXUINT64, 0, flags);

  /**
   * DrayFuture:task: (getter get_task)
   *
   * The task; %NULL for a combined future.
   *
   * Since: 0.1
   */
  properties[PROP_TASK] = g_param_spec_boxed ("task", NULL, NULL, DRAY_TYPE_TASK, flags);

  /**
   * DrayFuture:state: (getter get_state)
   *
   * The state. Its notification comes in the future's main context, once, when the future is
   * done.
   *
   * Since: 0.1
   */
  properties[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, DRAY_TYPE_FUTURE_STATE,
                                              DRAY_FUTURE_PENDING, flags);

  /**
   * DrayFuture:progress: (getter get_progress)
   *
   * How much of the task is done, from 0 to 1; -1 where it is not known.
   *
   * Since: 0.1
   */
  properties[PROP_PROGRESS] = g_param_spec_double ("progress", NULL, NULL, -1, 1, -1, flags);

  /**
   * DrayFuture:status: (getter dup_status)
   *
   * What the task said it is doing.
   *
   * Since: 0.1
   */
  properties[PROP_STATUS] = g_param_spec_string ("status", NULL, NULL, NULL, flags);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);

  /**
   * DrayFuture::item:
   * @self: the future
   * @value: the item
   *
   * A partial result: what the function gave to [method@Job.emit], or a piece of a command's
   * output. Items come in the order in which they were sent, all of them before the future's
   * done callbacks. If they are pulled ([method@Task.set_pull]), this is never emitted.
   *
   * Since: 0.1
   */
  signals[SIGNAL_ITEM] = g_signal_new ("item", DRAY_TYPE_FUTURE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                       NULL, G_TYPE_NONE, 1, G_TYPE_VARIANT);

  /**
   * DrayFuture::progressed:
   * @self: the future
   * @fraction: how much is done, from 0 to 1; -1 where it is not known
   * @status: (nullable): what the task is doing
   *
   * The task reported its progress with [method@Job.set_progress]. Reports that follow each other
   * faster than they can be delivered are summed up in the last of them.
   *
   * Since: 0.1
   */
  signals[SIGNAL_PROGRESSED] = g_signal_new ("progressed", DRAY_TYPE_FUTURE, G_SIGNAL_RUN_LAST, 0,
                                             NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_DOUBLE,
                                             G_TYPE_STRING);
}

static void
dray_future_init (DrayFuture *self)
{
}

static DrayFuture *
new_future (DrayTicket *ticket)
{
  DrayFuture *self = g_object_new (DRAY_TYPE_FUTURE, NULL);

  self->ticket = dray_ticket_ref (ticket);
  return self;
}

DrayFuture *
dray_future_new (DrayTicket *ticket)
{
  DrayFuture *self = new_future (ticket);

  ticket->future = self;
  return self;
}

DrayFuture *
dray_future_for_ticket (DrayTicket *ticket)
{
  DrayFuture *self;

  dray_pool_lock (ticket->pool);
  self = ticket->future != NULL ? g_object_ref (ticket->future) : NULL;
  dray_pool_unlock (ticket->pool);

  if (self == NULL)
    {
      self = new_future (ticket);

      /* Made by the submitting thread, or by the one that owns the list of futures. If both do,
       * the first one stays the one that hears of events. */
      dray_pool_lock (ticket->pool);
      if (ticket->future == NULL)
        ticket->future = self;
      dray_pool_unlock (ticket->pool);
    }

  return self;
}

gboolean
dray_future_is_real (DrayFuture *self)
{
  return DRAY_IS_FUTURE (self) && self->ticket != NULL;
}

DrayTicket *
dray_future_get_ticket (DrayFuture *self)
{
  dray_fork_check ();
  return self->ticket;
}

void
dray_future_emit_item (DrayFuture *self, GVariant *value)
{
  g_signal_emit (self, signals[SIGNAL_ITEM], 0, value);
}

void
dray_future_emit_progress (DrayFuture *self, double fraction, const char *text)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PROGRESS]);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATUS]);
  g_signal_emit (self, signals[SIGNAL_PROGRESSED], 0, fraction, text);
}

void
dray_future_emit_done (DrayFuture *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
}

/**
 * dray_future_get_id:
 * @self: a future
 *
 * Gets the number of the task, unique within its executor.
 *
 * Returns: the number, counted from 1; 0 for a combined future
 *
 * Since: 0.1
 */
guint64
dray_future_get_id (DrayFuture *self)
{
  g_return_val_if_fail (dray_future_is_real (self), 0);

  return self->ticket->id;
}

/**
 * dray_future_get_task:
 * @self: a future
 *
 * Gets the task.
 *
 * Returns: (transfer none) (nullable): the task; %NULL for a combined future
 *
 * Since: 0.1
 */
DrayTask *
dray_future_get_task (DrayFuture *self)
{
  g_return_val_if_fail (dray_future_is_real (self), NULL);

  return self->ticket->task;
}

/**
 * dray_future_get_state:
 * @self: a future
 *
 * Gets the state of the task as it is now. It may be final before the last items were delivered.
 *
 * Returns: the state
 *
 * Since: 0.1
 */
DrayFutureState
dray_future_get_state (DrayFuture *self)
{
  DrayFutureState state;

  g_return_val_if_fail (dray_future_is_real (self), DRAY_FUTURE_FAILED);

  dray_fork_check ();
  dray_pool_lock (self->ticket->pool);
  state = self->ticket->state;
  dray_pool_unlock (self->ticket->pool);

  return state;
}

/**
 * dray_future_is_done:
 * @self: a future
 *
 * Tells whether the state of the task is final.
 *
 * Returns: whether it is
 *
 * Since: 0.1
 */
gboolean
dray_future_is_done (DrayFuture *self)
{
  g_return_val_if_fail (dray_future_is_real (self), TRUE);

  return dray_future_get_state (self) >= DRAY_FUTURE_SUCCEEDED;
}

/**
 * dray_future_get_progress:
 * @self: a future
 *
 * Gets the progress that the task reported last.
 *
 * Returns: a fraction from 0 to 1; -1 where it is not known
 *
 * Since: 0.1
 */
double
dray_future_get_progress (DrayFuture *self)
{
  double progress;

  g_return_val_if_fail (dray_future_is_real (self), -1);

  dray_fork_check ();
  dray_pool_lock (self->ticket->pool);
  progress = self->ticket->progress;
  dray_pool_unlock (self->ticket->pool);

  return progress;
}

/**
 * dray_future_dup_status:
 * @self: a future
 *
 * Gets what the task said last that it is doing.
 *
 * Returns: (transfer full) (nullable): text for people, or %NULL if it said nothing
 *
 * Since: 0.1
 */
char *
dray_future_dup_status (DrayFuture *self)
{
  char *status;

  g_return_val_if_fail (dray_future_is_real (self), NULL);

  dray_fork_check ();
  dray_pool_lock (self->ticket->pool);
  status = g_strdup (self->ticket->status);
  dray_pool_unlock (self->ticket->pool);

  return status;
}

/**
 * dray_future_cancel:
 * @self: a future
 *
 * Cancels the task. A pending one never runs. A running one is asked to stop; where it does not,
 * its worker process is ended, and with it whatever that started, within
 * [property@Executor:grace-period]. A command is ended so from the first. Whether the future is
 * cancelled at once or when the task has stopped is up to [method@Task.set_cancel_mode].
 *
 * Does nothing if the task is done.
 *
 * Since: 0.1
 */
void
dray_future_cancel (DrayFuture *self)
{
  g_return_if_fail (dray_future_is_real (self));

  dray_ticket_cancel (self->ticket);
}
