/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dray-items-request.h"

#include "dray-future-private.h"
#include "dray-pool.h"
#include "dray-pull.h"

/* All of it belongs to the main context that it was made for, but for what the pull does with its
 * own part under the pool's lock. */
struct _DrayItemsRequest
{
  GObject parent_instance;

  DrayPullRequest request;   /* while it is in line, that holds the reference of this */
  DrayFuture *future;        /* (owned) */
  GCancellable *cancellable; /* (owned) (nullable) */
  GSource *source;           /* (owned) (nullable): of the cancellable */
  GAsyncReadyCallback callback;
  gpointer user_data;
  gpointer tag;
  guint max_items;  /* 0: any number */
  GPtrArray *items; /* (owned) (nullable) (element-type GVariant): the answer, or … */
  GError *error;    /* (owned) (nullable): … this; neither at the end */
};

static gpointer
get_user_data (GAsyncResult *result)
{
  return DRAY_ITEMS_REQUEST (result)->user_data;
}

static GObject *
get_source_object (GAsyncResult *result)
{
  return g_object_ref (G_OBJECT (DRAY_ITEMS_REQUEST (result)->future));
}

static gboolean
is_tagged (GAsyncResult *result, gpointer tag)
{
  return DRAY_ITEMS_REQUEST (result)->tag == tag;
}

static void
async_result_iface_init (GAsyncResultIface *iface)
{
  iface->get_user_data = get_user_data;
  iface->get_source_object = get_source_object;
  iface->is_tagged = is_tagged;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (DrayItemsRequest,
                               dray_items_request,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_ASYNC_RESULT, async_result_iface_init))

static void
dray_items_request_finalize (GObject *object)
{
  DrayItemsRequest *self = DRAY_ITEMS_REQUEST (object);

  g_clear_pointer (&self->request.delivery, dray_delivery_unref);
  g_clear_pointer (&self->items, g_ptr_array_unref);
  g_clear_error (&self->error);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->future);

  G_OBJECT_CLASS (dray_items_request_parent_class)->finalize (object);
}

static void
dray_items_request_class_init (DrayItemsRequestClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dray_items_request_finalize;
}

static void
dray_items_request_init (DrayItemsRequest *self)
{
}

/* --- The answer --- */

static DrayItemsRequest *
request_of (DrayNotice *notice)
{
  return (DrayItemsRequest *) (gpointer) ((guint8 *) notice
                                          - G_STRUCT_OFFSET (DrayItemsRequest, request));
}

static void
forget_source (DrayItemsRequest *self)
{
  if (self->source != NULL)
    g_source_destroy (self->source);
  g_clear_pointer (&self->source, g_source_unref);
}

/* Takes the line's reference. */
static void
answer (DrayItemsRequest *self)
{
  forget_source (self);
  if (self->callback != NULL)
    self->callback (G_OBJECT (self->future), G_ASYNC_RESULT (self), self->user_data);
  g_object_unref (self);
}

/* Whether there is an answer: it has left the line then. */
static gboolean
look_locked (DrayItemsRequest *self, DrayTicket *ticket)
{
  /* Who does not want it any more shall not take an item from others. */
  if (!g_cancellable_set_error_if_cancelled (self->cancellable, &self->error)
      && !dray_pull_look_locked (ticket, self->max_items, &self->items, &self->error))
    return FALSE;

  dray_pull_leave_line_locked (ticket, &self->request);
  return TRUE;
}

/* The answer is for the first in line; if that is another one, this one's turn is the next. */
static void
look_cb (DrayNotice *notice)
{
  DrayItemsRequest *self = request_of (notice);
  DrayTicket *ticket = dray_future_get_ticket (self->future);
  DrayItemsRequest *first;
  gboolean found;

  dray_pool_lock (ticket->pool);
  first = request_of (&dray_pull_get_first_locked (ticket, &self->request)->notice);
  found = look_locked (first, ticket);
  if (found && first != self)
    dray_delivery_add_notice_locked (self->request.delivery, notice);
  dray_pool_unlock (ticket->pool);

  if (found)
    answer (first);
}

/* The main context is gone: there is nobody to tell. */
static void
drop_cb (DrayNotice *notice)
{
  DrayItemsRequest *self = request_of (notice);
  DrayTicket *ticket = dray_future_get_ticket (self->future);

  dray_pool_lock (ticket->pool);
  dray_pull_leave_line_locked (ticket, &self->request);
  dray_pool_unlock (ticket->pool);

  forget_source (self);
  g_object_unref (self);
}

static gboolean
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  DrayItemsRequest *self = user_data;
  DrayTicket *ticket = dray_future_get_ticket (self->future);
  gboolean found;

  dray_pool_lock (ticket->pool);
  found = look_locked (self, ticket);
  dray_pool_unlock (ticket->pool);

  if (found)
    answer (self);
  return G_SOURCE_REMOVE;
}

/* --- The question --- */

static GSource *
new_cancelled_source (DrayItemsRequest *self)
{
  GSource *source = g_cancellable_source_new (self->cancellable);

  g_source_set_static_name (source, "Dray items wait");
  g_source_set_callback (source, G_SOURCE_FUNC (cancelled_cb), self, NULL);
  return source;
}

void
dray_items_request_start (DrayFuture *future,
                          guint max_items,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data,
                          gpointer tag)
{
  DrayItemsRequest *self = g_object_new (DRAY_TYPE_ITEMS_REQUEST, NULL);
  DrayTicket *ticket = dray_future_get_ticket (future);
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  DrayDelivery *closed_delivery;

  self->request.notice.run = look_cb;
  self->request.notice.drop = drop_cb;
  self->future = g_object_ref (future);
  self->cancellable = cancellable != NULL ? g_object_ref (cancellable) : NULL;
  self->callback = callback;
  self->user_data = user_data;
  self->tag = tag;
  self->max_items = max_items;

  self->source = cancellable != NULL ? new_cancelled_source (self) : NULL;

  /* The main context may be run by another thread, where the answer, and the cancellation, need the
   * lock: both come when all is in place, and nothing of this may be used any more. */
  dray_pool_lock (ticket->pool);
  closed_delivery = dray_pull_enter_line_locked (ticket, &self->request);
  if (self->source != NULL)
    g_source_attach (self->source, context);
  dray_pool_unlock (ticket->pool);

  if (closed_delivery != NULL)
    {
      dray_delivery_close (closed_delivery);
      dray_delivery_unref (closed_delivery);
    }
}

/* --- The result --- */

gboolean
dray_items_request_is_valid (GAsyncResult *result, DrayFuture *future, gpointer tag)
{
  return DRAY_IS_ITEMS_REQUEST (result) && DRAY_ITEMS_REQUEST (result)->future == future
         && is_tagged (result, tag);
}

GPtrArray *
dray_items_request_steal (GAsyncResult *result, GError **error)
{
  DrayItemsRequest *self = DRAY_ITEMS_REQUEST (result);

  if (self->error != NULL)
    g_propagate_error (error, g_steal_pointer (&self->error));
  return g_steal_pointer (&self->items);
}
